"""`SpatialLayer`: what layers over one to three spatial axes share, whichever side of them the channels are on."""

import types

from eagerdl import config
from eagerdl.errors import ShapeError
from eagerdl.nn.arguments import check_choice
from eagerdl.nn.layer import InputSpec, Layer


class SpatialLayer(Layer):
    """Base of layers of x (batch, *spatial, channels), or (batch, channels, *spatial) with "channels_first".

    The header of a subclass says how many spatial axes there are, and which arguments of the inherited `__init__` have other
    defaults: ``class Pool2D(Pool, rank=2, pool_size=(2, 2))``.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; by default as configured.
        kwargs: those of `Layer`.

    Raises:
        ArgumentError: for another data_format.
    """

    rank = 2

    def __init_subclass__(cls, rank=None, **defaults):
        super().__init_subclass__()
        if rank is not None:
            cls.rank = rank
        if defaults:
            cls.__init__ = _with_defaults(cls.__init__, defaults)

    def __init__(self, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = config.image_data_format() if data_format is None else str(data_format).lower()
        check_choice(self.where, "data_format", self.data_format, ("channels_last", "channels_first"))
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._channel_axis, first = (-1, 1) if self.data_format == "channels_last" else (1, 2)
        self._axes = tuple(range(first, first + self.rank))
        self._space = slice(first, first + self.rank)

    def _sizes(self, shape):
        """The spatial sizes of an input shape, whose rank is checked."""
        if len(shape) != self.rank + 2:
            raise ShapeError(self.where, f"input with {self.rank + 2} axes is needed: batch, channels and {self.rank} of space",
                             f"got shape {tuple(shape)}, which has {len(shape)}",
                             "add the missing axes, or reshape the input")  # fmt: skip
        return shape[self._space]

    def _known_channels(self, shape):
        """The number of channels of an input shape."""
        self._sizes(shape)
        channels = shape[self._channel_axis]
        if channels is None:
            raise ShapeError(self.where, f"the channels, axis {self._channel_axis} of the input, must be known to make weights",
                             f"got shape {tuple(shape)}", "give input whose channels are known")  # fmt: skip
        return channels

    def _shape(self, batch, sizes, channels):
        return (batch, *sizes, channels) if self.data_format == "channels_last" else (batch, channels, *sizes)

    def _map_sizes(self, shape, function):
        """The shape with ``function(index, size)`` for each known spatial size."""
        sizes = [None if n is None else function(i, n) for i, n in enumerate(self._sizes(shape))]
        return self._shape(shape[0], sizes, shape[self._channel_axis])

    def _check_windows(self, shape, reach, *names):
        """Refuses windows that reach farther than the input, where nothing is padded; the message shows what is named."""
        for index, n in enumerate(self._sizes(shape)):
            if n is not None and n < reach[index]:
                shown = ", ".join(f"{name} {getattr(self, name)}" for name in names)
                raise ShapeError(self.where, "the window must fit into the input",
                                 f"axis {self._axes[index]} has size {n}, the window reaches over {reach[index]} ({shown}); "
                                 f"the input is {tuple(shape)}",
                                 "use padding='same', a smaller window, or a larger input")  # fmt: skip


def slide(n, reach, stride, padding):
    """How many windows there are along an axis of n elements."""
    return (n - reach) // stride + 1 if padding == "valid" else -(-n // stride)


def _with_defaults(init, defaults):
    """A copy of the function `init` whose parameters have other defaults."""
    code = init.__code__
    names = code.co_varnames[: code.co_argcount]
    known = dict(zip(reversed(names), reversed(init.__defaults__ or ()), strict=False)) | defaults
    values = tuple([known[name] for name in names if name in known])
    return types.FunctionType(code, init.__globals__, init.__name__, values, init.__closure__)
