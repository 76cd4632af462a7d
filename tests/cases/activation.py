import numpy as np
import scipy.special
from cases.builders import case, complex_normal, distinct, fails, integers, normal, uniform

from eagerdl.errors import DTypeError, ShapeError

FAR = np.array([-1e4, -200.0, -41.0, -39.0, 0.0, 39.0, 41.0, 200.0, 1e4])  # no overflow, and no seam at +-40
MASKED = np.array([[0.5, -np.inf, 1.5], [-np.inf, -2.0, -np.inf]])
GELU = 0.7978845608028654


def rows(reference, *, seams=(), far=True, x=None, **options):
    """Rows of an activation: random numbers, a number, numbers far out; random ones keep away from its `seams`."""
    x = 2 * normal(3, 4) if x is None else x
    for seam in seams:
        x = np.where(abs(x - seam) < 0.05, x + 0.1, x)
    out = [case(x, reference=reference, **options), case(uniform(0.2, 0.4), reference=reference, **options)]
    if far:
        out.append(case(FAR, reference=reference, order=0, dtypes=("float32",), rtol=1e-12, **options))
    return out


def softplus(x):
    return np.where(x > 100, x, np.log1p(np.exp(np.minimum(x, 100))))


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu(x, alpha=1.0):
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def gelu(x, approximate=True):
    # (1 + tanh(u)) / 2 in the form that does not cancel
    return x * scipy.special.expit(2 * GELU * (x + 0.044715 * x**3)) if approximate else x * scipy.special.ndtr(x)


def relu6(x):
    return np.minimum(np.maximum(x, 0), 6)


def shrink(x, threshold=0.5):
    return np.sign(x) * np.maximum(abs(x) - threshold, 0)


def squareplus(x, b=4):
    root = np.sqrt(x * x + b)
    return np.where(x > 0, (x + root) / 2, b / 2 / (root - x))


def sparsemax(x, axis=-1):
    """The projection on the simplex by bisection: sum(max(x - t, 0)) = 1."""
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(100):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.maximum(x - low, 0)


def glu(x, axis=-1):
    value, gate = np.split(x, 2, axis)
    return value * scipy.special.expit(gate)


def over_axes(reference, **options):
    x = normal(2, 3, 4)

    def last(x):
        return reference(x, -1)

    return [case(x, reference=last, **options), case(x, axis=1, reference=reference, **options),
            case(x, axis=(0, -1), reference=reference, **options), case(x, axis=None, reference=reference, **options),
            case(np.zeros((2, 0)), reference=lambda x: x, order=0),
            case(300 * normal(3, 5), reference=last, order=0, dtypes=("float32",))]  # fmt: skip


CASES = {
    "relu": [*rows(lambda x: np.maximum(x, 0), seams=[0]),
          case(integers(-3, 3, 4), reference=lambda x: np.maximum(x, 0), order=0)],
    "relu6": rows(relu6, seams=[0, 6], x=4 * normal(3, 4)),
    "leaky_relu": [*rows(lambda x, negative_slope=0.2: np.where(x > 0, x, negative_slope * x), seams=[0]),
                   *rows(lambda x, negative_slope: np.where(x > 0, x, negative_slope * x), seams=[0],
                         negative_slope=1.5),
                   *rows(lambda x, negative_slope: np.where(x > 0, x, negative_slope * x), seams=[0],
                         negative_slope=-0.5)],
    "elu": [*rows(elu, seams=[0]), *rows(elu, seams=[0], alpha=0.3), *rows(elu, seams=[0], alpha=-2.0)],
    "selu": rows(lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772), seams=[0]),
    "celu": [*rows(celu, seams=[0]), *rows(celu, seams=[0], alpha=0.3)],
    "threshold": [case(distinct(3, 4), 0.7, -2.0, reference=lambda x, bound, other: np.where(x > bound, x, other)),
                  case(distinct(4), threshold=0.3, default_value=9.0, reference=lambda x, threshold,
                        default_value: np.where(x > 0.3, x, 9))],
    "soft_shrink": [*rows(shrink, seams=[-0.5, 0.5]), *rows(shrink, seams=[-1, 1], threshold=1.0)],
    "hard_shrink": rows(lambda x, threshold=0.5: np.where(abs(x) > threshold, x, 0), seams=[-0.5, 0.5]),
    "tanh_shrink": rows(lambda x: x - np.tanh(x)),
    "sigmoid": [*rows(scipy.special.expit), case(np.array([-np.inf, np.inf, np.nan]), reference=scipy.special.expit,
          order=0)],
    "log_sigmoid": rows(scipy.special.log_expit),
    "softplus": [*rows(softplus), case(np.array([-np.inf, np.inf, np.nan]), reference=softplus, order=0)],
    "softsign": rows(lambda x: x / (1 + abs(x)), seams=[0]),
    "silu": rows(lambda x: x * scipy.special.expit(x)),
    "swish": case(normal(3), reference=lambda x: x * scipy.special.expit(x)),
    "gelu": [*rows(gelu), *rows(gelu, approximate=False)],
    "mish": rows(lambda x: x * np.tanh(softplus(x))),
    "glu": [case(normal(3, 6), reference=glu), case(normal(2, 4, 3), axis=1, reference=glu),
          case(normal(4), reference=glu)],
    "hard_sigmoid": rows(lambda x: relu6(x + 3) / 6, seams=[-3, 3], x=3 * normal(3, 4)),
    "hard_silu": rows(lambda x: x * relu6(x + 3) / 6, seams=[-3, 3], x=3 * normal(3, 4)),
    "hard_swish": case(np.array([-4.0, -1.0, 2.0, 5.0]), reference=lambda x: x * relu6(x + 3) / 6),
    "hard_tanh": rows(lambda x: np.clip(x, -1, 1), seams=[-1, 1]),
    "squareplus": [*rows(squareplus), *rows(squareplus, b=0.5), *rows(lambda x, b: np.maximum(x, 0), seams=[0], b=0)],
    "sparse_sigmoid": rows(lambda x: np.clip(x + 1, 0, 2) / 2, seams=[-1, 1]),
    "sparse_plus": rows(lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)), seams=[-1, 1]),
    "softmax": [*over_axes(scipy.special.softmax),
          case(MASKED, reference=lambda x: scipy.special.softmax(x, -1), order=0)],
    "log_softmax": [*over_axes(scipy.special.log_softmax),
                    case(MASKED, reference=lambda x: scipy.special.log_softmax(x, -1), order=0)],
    "logsumexp": [case(normal(2, 3, 4), reference=scipy.special.logsumexp),
                  case(normal(2, 3, 4), axis=1, reference=scipy.special.logsumexp),
                  case(normal(2, 3, 4), axis=(0, -1), keepdims=True, reference=scipy.special.logsumexp),
                  case(normal(), reference=lambda x: x),
                        case(np.zeros((0, 3)), axis=0, reference=lambda x, axis: np.full(3, -np.inf), order=0),
                  case(MASKED, axis=0, reference=scipy.special.logsumexp, order=0),
                  case(np.array([[-np.inf, -np.inf], [np.inf, 1.0], [1e4, 1e4]]), axis=1,
                        reference=scipy.special.logsumexp, order=0, dtypes=())],
    "sparsemax": [case(distinct(3, 5), reference=sparsemax), case(0.2 * distinct(2, 3, 2), axis=1, reference=sparsemax),
                  case(np.array([1e4, -np.inf, 1e4 - 0.5]), reference=sparsemax, order=0, dtypes=())],
}  # fmt: skip

FAILURES = [
    fails("softmax", normal(2, 3), axis=2, error=ShapeError,
          match=r"\[softmax\] axis must name one of the 2 axes; got axis=2"),
    fails("softmax", normal(2, 3), axis=(0, -2), error=ShapeError, match=r"\[softmax\] each axis may come once"),
    fails("softmax", normal(), error=ShapeError, match=r"\[softmax\] axis must name one of the 0 axes"),
    fails("log_softmax", normal(3), axis=1, error=ShapeError, match=r"\[log_softmax\] axis"),
    fails("logsumexp", normal(3), axis=1, error=ShapeError, match=r"\[logsumexp\] axis"),
    fails("sparsemax", normal(3), axis=-2, error=ShapeError, match=r"\[sparsemax\] axis"),
    fails("sparsemax", normal(3, 2), axis=None, error=DTypeError, match=r"\[sparsemax\] an axis is an integer"),
    fails("glu", normal(2, 3), error=ShapeError, match=r"\[glu\].*must be even; x \(2, 3\) has 3 along axis 1"),
    fails("relu", complex_normal(2), error=DTypeError, match=r"\[relu\] a real tensor"),
    fails("sigmoid", complex_normal(2), error=DTypeError, match=r"\[sigmoid\] a real tensor"),
    fails("softmax", complex_normal(2), error=DTypeError, match=r"\[softmax\] a real tensor"),
    fails("sigmoid", "text", error=DTypeError, match=r"\[sigmoid\].*encode text"),
]  # fmt: skip
