"""`Options`: settings that hold for a whole pipeline, with TF's names."""

from eagerdl.data.nodes import check_count
from eagerdl.errors import ArgumentError
from eagerdl.registry import nearest


class Group:
    """A group of settings; unknown names are refused rather than kept without effect."""

    names: tuple = ()

    def __init__(self):
        for name in self.names:
            object.__setattr__(self, name, None)

    def __setattr__(self, name, value):
        if name not in self.names:
            raise ArgumentError(type(self).__name__, f"the settings are {', '.join(self.names)}",
                                f"got {name!r}{nearest(name, self.names)}", "leave it out: nothing here depends on it")  # fmt: skip
        object.__setattr__(self, name, value)

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.names)})"

    def __eq__(self, other):
        return type(other) is type(self) and all(getattr(self, name) == getattr(other, name) for name in self.names)

    def __hash__(self):
        return hash(tuple(getattr(self, name) for name in self.names))


class ThreadingOptions(Group):
    """How many threads ``map(..., num_parallel_calls=AUTOTUNE)`` uses: `private_threadpool_size`."""

    names = ("private_threadpool_size",)

    def __setattr__(self, name, value):
        if name == "private_threadpool_size" and value is not None:
            value = check_count("Options.threading", name, value, 0) or None
        super().__setattr__(name, value)


class Options(Group):
    """Settings of a pipeline, for `Dataset.with_options`.

    Attributes:
        deterministic: accepted for TF's sake; elements always come in the same order.
        threading: `private_threadpool_size`, the threads of parallel maps with AUTOTUNE.

    Example:
        >>> options = edl.data.Options()
        >>> options.threading.private_threadpool_size = 2
        >>> edl.data.Dataset.range(3).with_options(options).options().threading
        ThreadingOptions(private_threadpool_size=2)
    """

    names = ("deterministic", "threading")

    def __init__(self):
        super().__init__()
        self.threading = ThreadingOptions()

    def merge(self, other):
        """These options where `other` says nothing, else those of `other`."""
        out = Options()
        out.deterministic = self.deterministic if other.deterministic is None else other.deterministic
        threads = other.threading.private_threadpool_size
        out.threading.private_threadpool_size = self.threading.private_threadpool_size if threads is None else threads
        return out
