import numpy as np
import scipy.special
from cases.builders import booleans, case, complex_normal, fails, integers, normal, uniform

from eagerdl.errors import ArgumentError, DTypeError, RangeError, ShapeError

EPSILON = 1e-7
SURE = np.array([-1e4, -50.0, -20.0, 0.0, 20.0, 50.0, 1e4])


def binary(target, output, from_logits=False):
    if from_logits:
        # log p and log (1 - p) of scipy; xlogy's rule: what has weight 0 counts nothing
        return -target * scipy.special.log_expit(output) - (1 - target) * scipy.special.log_expit(-output)
    p = np.clip(output, EPSILON, 1 - EPSILON)
    return -target * np.log(p) - (1 - target) * np.log(1 - p)


def categorical(target, output, from_logits=False, axis=-1):
    if from_logits:
        logs = scipy.special.log_softmax(output, axis)
    else:
        logs = np.log(np.clip(output / output.sum(axis, keepdims=True), EPSILON, 1 - EPSILON))
    return -np.where(target == 0, 0, target * logs).sum(axis)


def sparse(target, output, from_logits=False, axis=-1):
    axis = axis % output.ndim
    target = target.reshape(output.shape[:axis] + output.shape[axis + 1 :]).astype(int)
    hot = np.moveaxis(np.eye(output.shape[axis])[target], -1, axis)
    return categorical(hot, output, from_logits, axis)


def simplex(*shape, salt=0, axis=-1):
    p = uniform(0.1, 1, *shape, salt=salt)
    return p / p.sum(axis, keepdims=True)


MASKED = np.array([[0.5, -np.inf, 1.5], [1.0, 2.0, -np.inf]])

CASES = {
    "binary_crossentropy": [
        case(uniform(0, 1, 3, 4), 3 * normal(3, 4), from_logits=True, reference=binary),
        case(uniform(0, 1), normal(), True, reference=binary),
        case((SURE > 0) * 1.0, SURE, True, reference=binary, order=0, dtypes=("float32",), rtol=1e-12),
        case((SURE < 0) * 1.0, SURE, True, reference=binary, order=0, dtypes=("float32",), rtol=1e-12),
        case(integers(0, 2, 5), normal(5), from_logits=True, reference=binary),
        case(uniform(0, 1, 3, 4), uniform(0.1, 0.9, 3, 4), reference=binary),
        case(booleans(4), uniform(0.1, 0.9, 4), reference=lambda t, p: binary(t * 1.0, p)),
        case(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]), reference=binary, order=0,
              dtypes=("float32",), sweep_rtol=2000),
        case(np.array([0.0, 1.0]), np.array([-0.5, 1.5]), reference=binary, dtypes=()),
        case(np.zeros((0, 3)), np.zeros((0, 3)), reference=lambda t, p: p),
    ],
    "categorical_crossentropy": [
        case(simplex(3, 4), 3 * normal(3, 4), from_logits=True, reference=categorical),
        case(uniform(0, 2, 2, 4, 3), normal(2, 4, 3), from_logits=True, axis=1, reference=categorical),
        case(simplex(4), normal(4), True, reference=categorical),
        case(np.array([[0.0, 0.0, 1.0], [0.25, 0.75, 0.0]]), MASKED, True, reference=categorical, order=0),
        case(np.eye(3), 1e4 * np.eye(3), True, reference=categorical, order=0, dtypes=("float32",)),
        case(simplex(3, 4), simplex(3, 4, salt=1), reference=categorical),
        case(simplex(2, 4, 3, axis=1), uniform(0.1, 1, 2, 4, 3), axis=1, reference=categorical),
        case(np.eye(3), np.eye(3)[[0, 2, 1]], reference=categorical, order=0, dtypes=("float32",), sweep_rtol=2000),
        case(np.zeros((0, 3)), np.zeros((0, 3)), reference=categorical),
    ],
    "sparse_categorical_crossentropy": [
        case(integers(0, 4, 3), 3 * normal(3, 4), from_logits=True, reference=sparse),
        case(integers(0, 4, 3, 1, dtype="int64"), normal(3, 4), from_logits=True, reference=sparse),
        case(integers(0, 4, 2, 3, dtype="uint8"), normal(2, 4, 3), from_logits=True, axis=1, reference=sparse),
        case(integers(0, 4), normal(4), True, reference=sparse),
        case(integers(0, 4, 3), uniform(0.1, 1, 3, 4), reference=sparse),
        case(integers(0, 4, 2, 3), uniform(0.1, 1, 2, 4, 3), axis=1, reference=sparse),
        case([0.0, 2.0, 1.0], normal(3, 3), True, reference=lambda t, x, f: sparse(np.array(t), x, f)),
        case(booleans(3), normal(3, 2), True, reference=sparse),
        case(integers(0, 1, 3), normal(3, 1), True, reference=sparse),
        case(np.array([2, 0]), MASKED, True, reference=sparse, order=0),
        case(np.array([0, 1, 1]), 1e4 * np.eye(3), True, reference=sparse, order=0, dtypes=("float32",)),
        case(np.zeros(0, "int32"), np.zeros((0, 3)), True, reference=sparse),
        case(np.zeros((2, 0), "int32"), np.zeros((2, 0, 3)), reference=sparse),
    ],
    "psnr": [
        case(uniform(0, 1, 2, 4), uniform(0, 1, 2, 4, salt=1), 1.0, reference=lambda a, b,
              m: 10 * np.log10(m**2 / ((a - b) ** 2).mean())),
        case(integers(0, 255, 9, dtype="uint8"), integers(0, 255, 9, salt=1, dtype="uint8"), 255, order=0, rtol=1e-5,
             reference=lambda a, b, m: np.float32(10 * np.log10(m**2 / ((a * 1.0 - b) ** 2).mean()))),
    ],
}  # fmt: skip

SPARSE = "sparse_categorical_crossentropy"
FAILURES = [
    fails("binary_crossentropy", normal(3), normal(3, 1), error=ShapeError,
          match=r"\[binary_crossentropy\] .*the same shape; target \(3,\), output \(3, 1\); add the last axis"),
    fails("binary_crossentropy", normal(3, 1), normal(3), error=ShapeError,
          match=r"drop the last axis with edl.squeeze\(target, -1\)"),
    fails("binary_crossentropy", np.array([[0.0, np.nan]]), normal(1, 2), from_logits=True, error=ArgumentError,
          match=r"target\[0, 1\] is nan"),
    fails("binary_crossentropy", np.array([0.0, np.nan]), uniform(0, 1, 2), error=ArgumentError,
          match=r"target\[1\] is nan"),
    fails("binary_crossentropy", normal(2), complex_normal(2), error=DTypeError,
          match=r"\[binary_crossentropy\] real tensors"),
    fails("categorical_crossentropy", integers(0, 3, 4), normal(4, 3), error=ShapeError,
          match=r"go to sparse_categorical_crossentropy"),
    fails("categorical_crossentropy", normal(4, 3), normal(4, 2), error=ShapeError,
          match=r"target \(4, 3\), output \(4, 2\)"),
    fails("categorical_crossentropy", normal(4, 3), normal(4, 3), axis=2, error=ShapeError,
          match=r"\[categorical_crossentropy\] axis"),
    fails("categorical_crossentropy", normal(), normal(), error=ShapeError, match=r"\[categorical_crossentropy\] axis"),
    fails("categorical_crossentropy", np.array([[0.0, np.nan]]), normal(1, 2), from_logits=True, error=ArgumentError,
          match=r"target\[0, 1\] is nan"),
    fails("categorical_crossentropy", np.array([[0.0, np.nan]]), uniform(0, 1, 1, 2), error=ArgumentError,
          match=r"target\[0, 1\] is nan"),
    fails(SPARSE, np.array([0, 3]), normal(2, 3), error=RangeError,
          match=r"labels must lie between 0 and 2; target\[1\] is 3, output has 3 classes; count classes from 0"),
    fails(SPARSE, np.array([[0, 1], [-1, 2]]), normal(2, 2, 3), from_logits=True, error=RangeError,
          match=r"target\[1, 0\] is -1"),
    fails(SPARSE, np.array([0.0, 0.5]), normal(2, 3), error=ArgumentError,
          match=r"labels must be whole numbers.*target\[1\] is 0.5, output has 3"),
    fails(SPARSE, np.array([np.nan, 0.5]), normal(2, 3), error=ArgumentError, match=r"target\[0\] is nan"),
    fails(SPARSE, np.array([0.0, np.inf]), normal(2, 3), error=RangeError, match=r"target\[1\] is inf"),
    fails(SPARSE, np.eye(3), normal(3, 3), error=ShapeError,
          match=r"without axis 1, here \(3,\); target \(3, 3\).*one-hot targets go to"),
    fails(SPARSE, np.array([0, 1]), normal(3, 3), error=ShapeError,
          match=r"here \(3,\); target \(2,\), output \(3, 3\)"),
    fails(SPARSE, np.array([0, 1]), normal(), error=ShapeError, match=r"axis must name one of the 0 axes"),
    fails(SPARSE, complex_normal(2), normal(2, 3), error=DTypeError, match=r"labels must be class numbers"),
    fails("psnr", normal(3), normal(3, 1), 1.0, error=ShapeError,
          match=r"\[psnr\] x1 and x2 must have the same shape; x1 \(3,\)"),
]  # fmt: skip
