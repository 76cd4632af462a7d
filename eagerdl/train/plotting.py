"""Curves of a run, drawn with matplotlib."""

import math

from eagerdl import registry
from eagerdl.errors import ArgumentError, PackageError

__all__ = ["plot_history"]

COLUMNS = 3  # axes side by side


def plot_history(history, metrics=None, ax=None):
    """Draws the numbers of a run over its epochs: training solid, validation dashed in the same colour.

    Args:
        history: a `History`, or a dict name -> list of numbers such as `history.history`.
        metrics: the names to draw, without ``val_``; all of them by default.
        ax: the matplotlib axes to draw on: one for everything, or a list with one for each metric; new ones by default.

    Returns:
        A list of axes, one for each metric; or the `ax` that was given.

    Raises:
        ArgumentError: for an unknown name, if there is nothing to draw, or for another number of axes.
        PackageError: without matplotlib.

    Example:
        >>> from matplotlib.figure import Figure
        >>> axes = Figure().subplots()
        >>> _ = plot_history({"loss": [2.0, 1.0], "val_loss": [2.5, 1.5]}, ax=axes)
        >>> [line.get_label() for line in axes.get_lines()]
        ['loss', 'val_loss']
    """
    numbers, epochs = _numbers(history)
    families = _families(numbers)
    if not families:
        raise ArgumentError("plot_history", "numbers of at least one epoch are needed",
                            f"the history has {list(numbers) or 'none'}", "train first")  # fmt: skip
    for name in metrics or ():
        if name not in families:
            raise ArgumentError("plot_history", "names of the history are needed",
                                f"got {name!r}{registry.nearest(name, families)}", f"they are {', '.join(families)}")  # fmt: skip
    names = list(families) if metrics is None else list(metrics)
    axes, out = _axes(ax, len(names))
    for place, (name, one) in enumerate(zip(names, axes)):
        colour = f"C{place % 10}" if ax is not None and len(names) > 1 else "C0"
        for key in families[name]:
            at = [epoch + 1 for epoch in epochs[key]]
            style = "-" if key == name else ("--", ":", "-.")[(families[name].index(key) - (name in numbers)) % 3]
            one.plot(at, numbers[key], style, color=colour, label=key, marker="o" if len(at) == 1 else None)
        one.set_xlabel("epoch")
        one.set_ylabel(name if len(set(map(id, axes))) == len(names) else "")
        one.locator_params(axis="x", integer=True)
        one.grid(alpha=0.3)
        one.legend()
    return out


def _numbers(history):
    """name -> numbers, and name -> their epochs from 0."""
    values = getattr(history, "history", history)
    if not isinstance(values, dict):
        raise ArgumentError("plot_history", "a History or a dict of lists is needed", f"got {type(history).__name__}",
                            "pass what fit returned")  # fmt: skip
    drawn = {name: list(found) for name, found in values.items() if found and all(_is_number(one) for one in found)}
    known, numbered = getattr(history, "epochs_of", {}), list(getattr(history, "epoch", ()))
    count = max(map(len, drawn.values()), default=0)
    epochs = numbered if len(numbered) == count else list(range(count))
    out = {}
    for name, found in drawn.items():
        if len(known.get(name, ())) == len(found):
            out[name] = known[name]
        else:  # every so many epochs
            every = count // len(found)
            out[name] = epochs[every - 1 :: every][: len(found)]
    return drawn, out


def _is_number(value):
    return isinstance(value, int | float) or getattr(value, "size", 0) == 1


def _families(numbers):
    """name -> the names that belong into its axes: itself, then those of validation."""
    families = {name: [name] for name in numbers if not name.startswith("val_")}
    for name in numbers:
        if name.startswith("val_"):
            plain = name.removeprefix("val_")
            # Named validation sets stand before the name of the metric: val_old_loss.
            home = next((one for one in (plain, *sorted(families, key=len, reverse=True)) if one in families
                         and (plain == one or plain.endswith(f"_{one}"))), plain)  # fmt: skip
            families.setdefault(home, []).append(name)
    return families


def _axes(ax, count):
    """A list with the axes of each metric, and what to return."""
    if ax is not None:
        if hasattr(ax, "plot"):
            return [ax] * count, ax
        axes = [one for row in ax for one in (row if hasattr(row, "__iter__") else [row])]
        if len(axes) < count:
            raise ArgumentError(
                "plot_history", f"{count} metrics need as many axes", f"got {len(axes)}", "pass metrics=, or more axes"
            )
        return axes, ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise PackageError(
            "plot_history", "curves need the package matplotlib", str(error), "pip install 'eagerdl[plot]'"
        ) from None
    columns = min(count, COLUMNS)
    rows = math.ceil(count / columns)
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(4.2 * columns, 3.2 * rows), squeeze=False, layout="constrained"
    )
    axes = list(grid.flat)
    for one in axes[count:]:
        figure.delaxes(one)
    return axes[:count], axes[:count]
