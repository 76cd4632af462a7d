"""Contestants that take turns in one process, and the table of what they took."""

import statistics
import time

__all__ = ["measure", "print_table", "ratios", "run"]

LENGTH = 5


def run(step, count):
    """What `count` calls of `step` return, and the seconds that each takes, as two lists."""
    results, seconds = [], []
    for _ in range(count):
        start = time.perf_counter()
        results.append(step())
        seconds.append(time.perf_counter() - start)
    return results, seconds


def measure(contestants, count, seconds):
    """name -> milliseconds of a call, the median of `count` calls of each contestant.

    Who has a turn makes a few calls in a row. The first does not count: it finds the caches full of another's arrays, and
    another's threads still spinning.

    Args:
        contestants: name -> function of a number of calls that returns what `run` returns.
        count: calls that count.
        seconds: after so many no new round begins.
    """
    taken = {name: [] for name in contestants}
    start = time.perf_counter()
    left = count
    while left > 0 and (left == count or time.perf_counter() - start < seconds):
        length = min(LENGTH, left)
        for name, take in contestants.items():
            taken[name] += take(1 + length)[1][1:]
        left -= length
    return {name: 1e3 * statistics.median(times) for name, times in taken.items()}


def ratios(rows, ours):
    """name -> column -> time of the column `ours` / time of this column."""
    return {
        name: {column: row[ours] / value for column, value in row.items() if column != ours}
        for name, row in rows.items()
    }


def print_table(title, rows, columns, digits=2):
    """Prints name -> column -> number; what is missing stays empty, and so does a column without numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title)
    table.add_column("")
    columns = [column for column in columns if any(column in row for row in rows.values())]
    for column in columns:
        table.add_column(column.replace(" ", "\n"), justify="right")
    for name, row in rows.items():
        table.add_row(name, *(f"{row[column]:.{digits}f}" if column in row else "" for column in columns))
    Console(width=110).print(table)
