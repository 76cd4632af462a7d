"""`Input`: where a functional model begins."""

from eagerdl import dtypes, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn.layer import Layer
from eagerdl.nn.symbolic import Node, SymbolicTensor

__all__ = ["Input", "InputLayer"]


class InputLayer(Layer):
    """The layer behind `Input`: it passes on what the model is given.

    Args:
        shape: the shape without the batch axis; None for unknown sizes.
        batch_size: the size of the batch axis, None for any.
        dtype: the dtype; floatx by default.
        sparse, ragged: only None or False: tensors here are dense.
        batch_shape: the shape with the batch axis, instead of `shape`.
        input_tensor: a symbolic tensor to stand for the input.
        optional: whether None may be given.
        name: the name of the input.

    Raises:
        ArgumentError: without a shape, or for sparse and ragged inputs.
    """

    def __init__(self, shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, input_tensor=None,
                 optional=False, name=None, **kwargs):  # fmt: skip
        super().__init__(name=name)
        if sparse or ragged:
            raise ArgumentError(self.where, "inputs are dense tensors", f"got sparse={sparse}, ragged={ragged}",
                                "pad them, or convert them to dense arrays")  # fmt: skip
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if batch_shape is None:
            if shape is None:
                raise ArgumentError(
                    self.where, "a shape is needed", "got none", "use Input(shape=(n,)), without the batch axis"
                )
            if isinstance(shape, int):
                raise ArgumentError(self.where, "shape is a tuple", f"got {shape!r}", f"use shape=({shape},)")
            batch_shape = (batch_size, *shape)
        self.batch_shape = tuple(batch_shape)
        self._input_dtype = dtypes.standardize(dtype, "Input").name
        self.optional, self.built = optional, True
        out = (
            SymbolicTensor(self.batch_shape, self._input_dtype, name=self.name)
            if input_tensor is None
            else input_tensor
        )
        self._symbol = out  # held here: everybody else holds it through what is computed from it
        self._note(Node(self, (), {}, out))

    @property
    def dtype(self):
        """The dtype of the input."""
        return self._input_dtype

    def __getstate__(self):
        return {**super().__getstate__(), "_symbol": None}  # graphs give their input layers new ones

    def call(self, *args):
        """Passes its input on."""
        return args[0]

    def get_config(self):
        return {"batch_shape": self.batch_shape, "dtype": self._input_dtype, "sparse": False, "ragged": False,
                "name": self.name, "optional": self.optional}  # fmt: skip


def Input(shape=None, batch_size=None, dtype=None, sparse=None, ragged=None, batch_shape=None, name=None, tensor=None,
          optional=False):  # fmt: skip
    """shape -> a symbolic tensor of shape (batch_size, *shape), where a functional model begins.

    Args:
        shape: the shape without the batch axis; None for unknown sizes.
        batch_size: the size of the batch axis, None for any.
        dtype: the dtype; floatx by default.
        sparse, ragged: only None or False: tensors here are dense.
        batch_shape: the shape with the batch axis, instead of `shape`.
        name: the name of the input.
        tensor: a symbolic tensor to use as the input.
        optional: whether None may be given.

    Raises:
        ArgumentError: without a shape.

    Example:
        >>> x = edl.Input((4,))
        >>> model = edl.Model(x, edl.layers.Dense(2)(x))
        >>> model(edl.ones((3, 4))).shape
        (3, 2)
    """
    layer = InputLayer(shape=shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged, batch_shape=batch_shape,
                       input_tensor=tensor, optional=optional, name=name)  # fmt: skip
    return layer.output


registry.add_area("layers", {"InputLayer": InputLayer})
