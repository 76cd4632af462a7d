"""Layers that multiply by a matrix: `Dense`."""

from eagerdl import registry
from eagerdl.nn import activations, calls, constraints, initializers, regularizers
from eagerdl.nn.arguments import positive_int, refuse_quantization
from eagerdl.nn.layer import InputSpec
from eagerdl.nn.lora import LowRank

__all__ = ["Dense"]


class Dense(LowRank):
    """x (batch, ..., n) -> (batch, ..., units). ``activation(x @ kernel + bias)``.

    Args:
        units: the size of the output's last axis.
        activation: a function or its name; none by default.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: of kernel (n, units) and bias (units,).
        kernel_regularizer, bias_regularizer, activity_regularizer: what adds losses.
        kernel_constraint, bias_constraint: what the weights are mapped to after each update.
        lora_rank, lora_alpha: the rank r of an additive update ``alpha / r * A @ B`` of a frozen kernel (LoRA), and its scale.
        quantization_config: must be None.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if units is not a positive int.
        ShapeError: if the input's last axis changes.

    Example:
        >>> layer = edl.layers.Dense(2, activation="relu", kernel_initializer="ones")
        >>> layer(edl.constant([[1.0, 2.0], [-1.0, -2.0]]))
        Tensor(shape=(2, 2), dtype=float32,
        [[3. 3.]
         [0. 0.]])
    """

    supports_masking = True

    def __init__(self, units, activation=None, use_bias=True, kernel_initializer="glorot_uniform", bias_initializer="zeros",
                 kernel_regularizer=None, bias_regularizer=None, activity_regularizer=None, kernel_constraint=None,
                 bias_constraint=None, lora_rank=None, lora_alpha=None, quantization_config=None, **kwargs):  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(self.where, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        refuse_quantization(self.where, quantization_config)
        self._set_lora(lora_rank, lora_alpha)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape):
        n = input_shape[-1]
        self._kernel = self.add_weight((n, self.units), self.kernel_initializer, regularizer=self.kernel_regularizer,
                                       constraint=self.kernel_constraint, name="kernel")  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight((self.units,), self.bias_initializer, regularizer=self.bias_regularizer,
                                        constraint=self.bias_constraint, name="bias")  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: n})
        self._begin_lora()

    @property
    def kernel(self):
        """The kernel (n, units), with the low-rank update where there is one."""
        return self._updated()

    def call(self, inputs, training=None):
        x = inputs @ self.kernel
        if self.bias is not None:
            x = x + self.bias
        return x if self.activation is activations.linear else calls.converted(self.activation)(x)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        config = {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "quantization_config": None,
        }
        return config | self._lora_config()


registry.add_area("layers", {"Dense": Dense})
