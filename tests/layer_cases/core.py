"""Rows of the layers in `eagerdl/nn/core.py`."""

import numpy as np
from layer_cases.builders import Row, integers, normal, several

import eagerdl as edl

L = edl.layers


@edl.saving.register_keras_serializable("tests")
def affine(x, scale=1.0, training=None):
    return scale * x + 1.0


@edl.saving.register_keras_serializable("tests")
def halves(x):
    return x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]


@edl.saving.register_keras_serializable("tests")
def first_two(x):
    return x[:, :2]


@edl.saving.register_keras_serializable("tests")
class Doubled(L.Wrapper):
    supports_masking = True

    def call(self, x, training=None):
        return 2 * self.layer(x, training=training)

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)


def padded(generator, batch):
    """Sequences whose last step is all 9, so that it is masked."""
    x = generator.standard_normal((batch, 4, 3))
    x[:, -1] = 9.0
    return x


CASES = {
    "Identity": Row(lambda: L.Identity(), normal(4), mask=True, reference=lambda w, x: x),
    "Identity of integers": Row(
        lambda: L.Identity(), integers(4, below=9), mask=True, floating=False, reference=lambda w, x: x,
    ),
    "Identity of several": Row(lambda: L.Identity(), several(normal(4), normal(2, 3)), reference=lambda w, x: x),
    "Activation": Row(lambda: L.Activation("tanh"), normal(4), mask=True, reference=lambda w, x: np.tanh(x)),
    "Activation of integers": Row(
        lambda: L.Activation("relu"), integers(4, below=9), floating=False, reference=lambda w, x: x,
    ),
    "Activation that changes the shape": Row(
        lambda: L.Activation("glu"), normal(4), reference=lambda w, x: x[:, :2] / (1 + np.exp(-x[:, 2:])),
    ),
    "Activation by a registered function": Row(lambda: L.Activation(affine), normal(4), reference=lambda w, x: x + 1),
    "ActivityRegularization": Row(
        lambda: L.ActivityRegularization(l1=0.1, l2=0.2), normal(4), mask=True, reference=lambda w, x: x,
    ),
    "Masking": Row(
        lambda: L.Masking(9.0), padded, gradient=False,
        reference=lambda w, x: np.where((x != 9).any(-1, keepdims=True), x, 0),
    ),
    "Masking of integers": Row(
        lambda: L.Masking(), integers(3, 2, below=2), floating=False, reference=lambda w, x: x,
    ),
    "Lambda": Row(
        lambda: L.Lambda(affine, arguments={"scale": 3.0}), normal(4), reference=lambda w, x: 3 * x + 1,
    ),
    "Lambda with two outputs": Row(
        lambda: L.Lambda(halves), normal(4), reference=lambda w, x: (x[:, :2], x[:, 2:]),
    ),
    "Lambda with a shape": Row(
        lambda: L.Lambda(first_two, output_shape=(2, 3)), normal(4, 3), reference=lambda w, x: x[:, :2],
    ),
    "Wrapper": Row(
        lambda: Doubled(L.Dense(3)), normal(4), weights=[(4, 3), (3,)], mask=True,
        reference=lambda w, x: 2 * (x @ w[0] + w[1]),
    ),
    "Pipeline": Row(
        lambda: L.Pipeline([L.Dense(3), L.Activation("tanh")]), normal(4),
        weights=[(4, 3), (3,)], mask=True, reference=lambda w, x: np.tanh(x @ w[0] + w[1]),
    ),
}  # fmt: skip
