"""`SpectralNormalization`: keeps the largest singular value of a layer's kernel at 1."""

from eagerdl import ops, registry
from eagerdl.errors import ArgumentError
from eagerdl.nn import initializers
from eagerdl.nn.arguments import positive_int
from eagerdl.nn.core import Wrapper
from eagerdl.nn.layer import InputSpec
from eagerdl.variable import Variable

__all__ = ["SpectralNormalization"]


class SpectralNormalization(Wrapper):
    """inputs -> what the layer gives. At each call in training its kernel W is first divided by its spectral norm.

    The norm is found by power iteration: ``v = normalize(u W^T)``, ``u = normalize(v W)``, ``sigma = v W u^T``, with W as a
    matrix (n, units); `vector_u` (1, units) is kept from call to call. So the layer's map is 1-Lipschitz, if it is linear.

    Args:
        layer: a layer with a kernel, or with embeddings.
        power_iterations: how many iterations at each call.
        kwargs: name, dtype, trainable.

    Raises:
        ArgumentError: if power_iterations is no positive int, or the layer has neither kernel nor embeddings.

    Example:
        >>> layer = edl.layers.SpectralNormalization(edl.layers.Dense(2), power_iterations=30)
        >>> _ = layer(edl.ones((1, 3)), training=True)
        >>> round(float(edl.linalg.norm(layer.layer.kernel, ord=2)), 3)
        1.0

    Source: Miyato et al., 2018, arXiv:1802.05957.
    """

    supports_masking = True

    def __init__(self, layer, power_iterations=1, **kwargs):
        super().__init__(layer, **kwargs)
        self.power_iterations = positive_int(self.where, "power_iterations", power_iterations)

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", None)
        kernel = getattr(self.layer, "embeddings", None) if kernel is None else kernel
        if not isinstance(kernel, Variable):
            raise ArgumentError(self.where, "the layer has a variable kernel, or embeddings",
                                f"{type(self.layer).__name__} has {type(kernel).__name__}",
                                "wrap a layer like Dense, Conv2D or Embedding, without LoRA")  # fmt: skip
        self.kernel = kernel
        self.vector_u = self.add_weight((1, kernel.shape[-1]), initializers.TruncatedNormal(stddev=0.02), trainable=False,
                                        dtype=kernel.dtype, name="vector_u")  # fmt: skip

    def call(self, inputs, training=False):
        if training:
            vector_u, kernel = self.normalized_weights()
            self.vector_u.assign(vector_u)
            self.kernel.assign(kernel)
        return self.layer(inputs)

    def normalized_weights(self):
        """The next `vector_u`, and the kernel divided by its norm; both as they are where the kernel is 0."""
        weights = ops.reshape(ops.stop_gradient(self.kernel.value), (-1, self.kernel.shape[-1]))
        u = before = self.vector_u.value
        for _ in range(self.power_iterations):
            v = ops.normalize(u @ weights.mT, axis=None)
            u = ops.normalize(v @ weights, axis=None)
        nothing = ops.all(weights == 0)
        sigma = ops.where(nothing, 1, v @ weights @ u.mT)
        return ops.where(nothing, before, u), ops.reshape(weights / sigma, self.kernel.shape)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def compute_mask(self, inputs, previous_mask):
        return self.layer.compute_mask(inputs, previous_mask)

    def get_config(self):
        return {**super().get_config(), "power_iterations": self.power_iterations}


registry.add_area("layers", {name: globals()[name] for name in __all__})
