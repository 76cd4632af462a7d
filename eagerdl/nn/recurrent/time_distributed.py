"""`TimeDistributed`: a layer applied to each step of a sequence."""

from eagerdl import registry
from eagerdl.errors import ShapeError
from eagerdl.nn import calls
from eagerdl.nn.core import Wrapper
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.joining import unstack
from eagerdl.ops.shape import stack

__all__ = ["TimeDistributed"]


class TimeDistributed(Wrapper):
    """x (batch, time, ...) -> (batch, time, ...). The same layer, with the same weights, for each step.

    The layer is called once per step: what it draws at random differs from step to step, and statistics of batches are
    those of each step.

    Args:
        layer: a layer.
        kwargs: name, dtype, trainable.

    Raises:
        ShapeError: for inputs of less than three axes, or a mask of other shape.

    Example:
        >>> edl.layers.TimeDistributed(edl.layers.Dense(4))(edl.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    supports_masking = True

    def build(self, input_shape):
        self._build_inner(self.layer, self._step_shape(input_shape))

    def _step_shape(self, input_shape):
        if len(input_shape) < 3:
            raise ShapeError(self.where, "inputs (batch, time, ...) of at least three axes are needed",
                             f"got shape {tuple(input_shape)}", "add the missing axes with edl.expand_dims")  # fmt: skip
        return (input_shape[0], *input_shape[2:])

    def compute_output_shape(self, input_shape):
        batch, *inner = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (batch, input_shape[1], *inner)

    def call(self, inputs, training=None, mask=None):
        facts, named = calls.signature_of(type(self.layer)), {}
        if facts.training and training is not None:
            named["training"] = training
        masks = [None] * inputs.shape[1]
        if mask is not None:
            mask = convert_to_tensor(mask)
            if mask.shape[:2] != inputs.shape[:2]:
                raise ShapeError(self.where, f"the mask must begin with (batch, time) = {inputs.shape[:2]}",
                                 f"got shape {mask.shape}", "give one bool per step")  # fmt: skip
            if "mask" in facts.names:
                masks = unstack(mask, axis=1)
        out = []
        for x, seen in zip(unstack(inputs, axis=1), masks, strict=True):
            out.append(self.layer(x, **named) if seen is None else self.layer(x, mask=seen, **named))
        return stack(out, 1)


registry.add_area("layers", {name: globals()[name] for name in __all__})
