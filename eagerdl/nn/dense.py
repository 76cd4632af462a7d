"""Layers that multiply by a matrix: `Dense`."""

from eagerdl import registry
from eagerdl.errors import ArgumentError
from eagerdl.nn import activations, constraints, initializers, regularizers
from eagerdl.nn.layer import InputSpec, Layer

__all__ = ["Dense"]


class Dense(Layer):
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
        self.lora_rank, self.lora_alpha = lora_rank, lora_rank if lora_alpha is None else lora_alpha
        self.lora_enabled = False
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
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, lora_alpha=self.lora_alpha)

    @property
    def kernel(self):
        """The kernel (n, units), with the low-rank update where there is one."""
        if not self.built:
            raise ArgumentError(f"{self.where}.kernel", "the weights must exist", "the layer is not built",
                                "call it on data, or build(input_shape)")  # fmt: skip
        if self.lora_enabled:
            return self._kernel + (self.lora_alpha / self.lora_rank) * (self.lora_kernel_a @ self.lora_kernel_b)
        return self._kernel

    def enable_lora(self, rank, a_initializer="he_uniform", b_initializer="zeros", lora_alpha=None):
        """Freezes the kernel and trains an additive update of low rank instead (Hu et al., 2021, arXiv:2106.09685)."""
        if self.lora_enabled:
            raise ArgumentError(
                f"{self.where}.enable_lora", "LoRA is enabled once", "it is enabled already", "make a new layer"
            )
        self._fix(self._kernel)
        self.lora_kernel_a = self.add_weight((self._kernel.shape[0], rank), a_initializer, name="lora_kernel_a")
        self.lora_kernel_b = self.add_weight((rank, self.units), b_initializer, name="lora_kernel_b")
        self.lora_rank, self.lora_alpha, self.lora_enabled = rank, rank if lora_alpha is None else lora_alpha, True

    def call(self, inputs, training=None):
        x = inputs @ self.kernel
        if self.bias is not None:
            x = x + self.bias
        return x if self.activation is activations.linear else self.activation(x)

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
        if self.lora_rank:
            config |= {"lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha}
        return config


def positive_int(where, name, value):
    """`value` as an int, refused if it is not one above 0."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value <= 0:
        raise ArgumentError(where, f"{name} must be a positive int", f"got {value!r}", "pass the size you want")
    return int(value)


def refuse_quantization(where, config):
    """Weights here are floats."""
    if config is not None:
        raise ArgumentError(
            where, "weights are not quantized here", f"got quantization_config={config!r}", "leave it out"
        )


registry.add_area("layers", {"Dense": Dense})
