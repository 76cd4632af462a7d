"""Threads and processes that work for loaders: tasks in, results in the order in which they are asked for."""

import contextvars
import threading
import weakref
from queue import SimpleQueue


def in_this_context(function):
    """`function` as it runs here: with the device, and the other context variables, of the calling thread."""
    context = contextvars.copy_context()
    return lambda *args: context.run(function, *args)


class Task:
    """What a worker is to do, and its result."""

    __slots__ = ("args", "done", "error", "function", "value")

    def __init__(self, function, args):
        self.function, self.args = function, args
        self.done, self.value, self.error = threading.Event(), None, None

    def run(self):
        """Does it, once, in a worker."""
        try:
            self.value = self.function(*self.args)
        except BaseException as error:
            self.error = error
        self.function = self.args = None
        self.done.set()

    def result(self):
        """The value, waiting for it; raises what the function raised."""
        self.done.wait()
        if self.error is not None:
            raise self.error
        return self.value


def _work(tasks):
    while (task := tasks.get()) is not None:
        task.run()
        del task  # nothing is kept alive while waiting


def _stop(tasks, count):
    for _ in range(count):
        tasks.put(None)


class Workers:
    """Daemon threads, which start with the first task and end when nobody holds this object any more.

    Args:
        count: how many.
        name: the name of the threads.
    """

    def __init__(self, count, name):
        self.count, self.name, self.tasks, self.running = count, name, SimpleQueue(), False

    def submit(self, function, *args):
        """A `Task` for ``function(*args)``."""
        if not self.running:
            self.running = True
            weakref.finalize(self, _stop, self.tasks, self.count)
            for number in range(self.count):
                threading.Thread(target=_work, args=(self.tasks,), name=f"{self.name}-{number}", daemon=True).start()
        task = Task(in_this_context(function), args)
        self.tasks.put(task)
        return task
