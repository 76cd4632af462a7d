"""`Bidirectional`: a recurrent layer and its mirror image over the same sequences."""

from eagerdl import registry
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.nn.arguments import check_choice
from eagerdl.nn.layer import Layer, get_mask
from eagerdl.nn.recurrent.stacked import build_inside
from eagerdl.ops.arrangement import flip
from eagerdl.ops.conversion import cast
from eagerdl.ops.shape import concatenate

__all__ = ["Bidirectional"]

MERGED = {
    "concat": lambda y, back: concatenate([y, back], -1),
    "sum": lambda y, back: y + back,
    "ave": lambda y, back: (y + back) / 2,
    "mul": lambda y, back: y * back,
    None: lambda y, back: (y, back),
}


class Bidirectional(Layer):
    """sequences (batch, time, n) -> (batch, 2 units), or (batch, time, 2 units) with return_sequences.

    Two recurrent layers with weights of their own read the sequences, one forward and one backward; their outputs are
    merged step by step. With `return_sequences`, outputs of masked steps are 0.

    Args:
        layer: a recurrent layer. It is a template only: the forward layer is made anew from its config.
        merge_mode: how outputs are merged: "concat", "sum", "mul", "ave", or None for a pair of them.
        weights: the first values of the weights, as `set_weights` takes them.
        backward_layer: the layer that reads backward; by default made from the config of `layer`.
        kwargs: name, dtype, trainable.

    Raises:
        DTypeError: if one of the layers is no layer.
        ArgumentError: for another merge_mode, or layers that do not fit together.

    Example:
        >>> edl.layers.Bidirectional(edl.layers.GRU(4))(edl.ones((2, 5, 3))).shape
        (2, 8)

    Source: Schuster & Paliwal, 1997, "Bidirectional recurrent neural networks".
    """

    supports_masking = True

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        super().__init__(**kwargs)
        for name, one in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(one, Layer) and not (one is None and name == "backward_layer"):
                raise DTypeError(
                    self.where, f"{name} is a recurrent layer", f"got {type(one).__name__}", "pass LSTM(units)"
                )
        for name in ("go_backwards", "return_sequences", "return_state"):
            if not hasattr(layer, name):
                raise ArgumentError(self.where, f"the layer needs an attribute {name}", f"{type(layer).__name__} has none",
                                    "wrap a recurrent layer")  # fmt: skip
        if merge_mode is not None:
            check_choice(self.where, "merge_mode", merge_mode, tuple(name for name in MERGED if name))
        self.merge_mode = merge_mode
        self.forward_layer = _remade(layer, "forward")
        if backward_layer is None:
            backward_layer = _remade(layer, "backward", go_backwards=not layer.go_backwards)
        self.backward_layer = backward_layer
        self._check_pair()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self._first_weights = weights
        self.stateful = getattr(layer, "stateful", False)
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.input_spec = layer.input_spec

    def _check_pair(self):
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ArgumentError(self.where, "one layer runs forward, the other backward",
                                f"go_backwards={forward.go_backwards} in both", "give backward_layer the other one")  # fmt: skip
        for name in ("stateful", "return_sequences", "return_state"):
            one, other = getattr(forward, name, False), getattr(backward, name, False)
            if one != other:
                raise ArgumentError(self.where, f"both layers need the same {name}", f"got {one} and {other}",
                                    "make backward_layer with it")  # fmt: skip

    @property
    def states(self):
        """The states of both layers, where they are stateful and built; else None."""
        both = [getattr(one, "states", None) for one in (self.forward_layer, self.backward_layer)]
        return None if None in both else (*both[0], *both[1])

    def reset_state(self):
        """Sets the states of stateful layers to zero.

        Raises:
            ArgumentError: if they are not stateful.
        """
        if not self.stateful:
            raise ArgumentError(
                f"{self.where}.reset_state", "the layers must be stateful", "they are not", "pass stateful=True"
            )
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self):
        """Sets the states of stateful layers to zero."""
        self.reset_state()

    def build(self, sequences_shape, initial_state_shape=None):
        build_inside(self, self.forward_layer, sequences_shape)
        build_inside(self, self.backward_layer, sequences_shape)
        if self._first_weights:
            self.set_weights(self._first_weights)

    def call(self, sequences, initial_state=None, mask=None, training=None):
        if mask is None:
            mask = get_mask(sequences)
        named = {name: value for name, value in (("mask", mask), ("training", training)) if value is not None}
        halves = [{}, {}]
        if initial_state is not None:
            half = len(initial_state) // 2
            halves = [{"initial_state": list(initial_state[:half])}, {"initial_state": list(initial_state[half:])}]
        y = self.forward_layer(sequences, **halves[0], **named)
        back = self.backward_layer(sequences, **halves[1], **named)
        states = ()
        if self.return_state:
            (y, *of_y), (back, *of_back) = y, back
            states = (*of_y, *of_back)
        y, back = cast(y, self.compute_dtype), cast(back, self.compute_dtype)
        if self.return_sequences:
            back = flip(back, 1)
        out = MERGED[self.merge_mode](y, back)
        if not self.return_state:
            return out
        return (*out, *states) if self.merge_mode is None else (out, *states)

    def compute_output_shape(self, sequences_shape, initial_state_shape=None):
        shape, states = self.forward_layer.compute_output_shape(sequences_shape), ()
        if self.return_state:
            shape, *states = shape
        if self.merge_mode == "concat":
            shape = (*shape[:-1], 2 * shape[-1])
        outputs = (shape, shape) if self.merge_mode is None else (shape,)
        return (*outputs, *states, *states) if self.return_state or len(outputs) > 1 else shape

    def compute_mask(self, sequences, previous_mask):
        mask = previous_mask[0] if isinstance(previous_mask, list | tuple) else previous_mask
        mask = mask if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else [mask] if self.return_state else mask

    def get_config(self):
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": registry.serialize_keras_object(self.forward_layer),
            "backward_layer": registry.serialize_keras_object(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new layer from what `get_config` gave."""
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if isinstance(config.get(name), dict):
                config[name] = registry.deserialize_keras_object({**config[name], "build_config": None}, custom_objects)
        return super().from_config(config)


def _remade(layer, direction, **changes):
    """A new layer, not built, of the class and config of `layer`, named after its direction."""
    name = f"{direction}_{layer.name.removeprefix('forward_').removeprefix('backward_')}"
    return type(layer).from_config({**layer.get_config(), "name": name, **changes})


registry.add_area("layers", {name: globals()[name] for name in __all__})
