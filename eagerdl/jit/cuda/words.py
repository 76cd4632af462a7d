"""What elementwise calls and reductions are in CUDA C.

What IEEE 754 settles (sums, products, quotients, roots, comparisons, roundings) is an expression with the same bits as NumPy's and
CuPy's. Everything else, from exp to erf, is the function of the CUDA math library that CuPy's own ufunc calls, in the dtype of the
array: equal to it within the error that NVIDIA documents for that function, and within that of NumPy's.
"""

import functools
import re
from typing import NamedTuple

import numpy as np

from eagerdl.jit import lowering
from eagerdl.jit.graph import REDUCE, Value
from eagerdl.jit.lowering import COMPARISONS, PYTHON_NUMBERS, bool_or, kinds_of, operands
from eagerdl.jit.traced import CLIP, cast

NAMES = lowering.NAMES | {np.dtype(np.float16): "f2"}
# A 16-bit float is a float between loading and storing, rounded after each call as CuPy rounds it.
TYPES = {
    "f2": "float", "f4": "float", "f8": "double", "b1": "bool", "i1": "signed char", "i2": "short", "i4": "int", "i8": "long long",
    "u1": "unsigned char", "u2": "unsigned short", "u4": "unsigned int", "u8": "unsigned long long",
}  # fmt: skip

# {f} is the ending of float32's functions, {one} the number 1.
FLOATS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}", "negative": "-{0}",
    "positive": "{0}", "absolute": "fabs{f}({0})", "fabs": "fabs{f}({0})", "square": "{0} * {0}", "sqrt": "sqrt{f}({0})",
    "reciprocal": "{one} / {0}", "floor": "floor{f}({0})", "ceil": "ceil{f}({0})", "trunc": "trunc{f}({0})",
    "rint": "rint{f}({0})", "copysign": "copysign{f}({0}, {1})", "maximum": "larger({0}, {1})", "minimum": "smaller({0}, {1})",
    "fmax": "fmax{f}({0}, {1})", "fmin": "fmin{f}({0}, {1})", "sign": "sign_of({0})",
    "power": "pow{f}({0}, {1})", "float_power": "pow{f}({0}, {1})", "arctan2": "atan2{f}({0}, {1})",
    "hypot": "hypot{f}({0}, {1})", "fmod": "fmod{f}({0}, {1})",
    "arcsin": "asin{f}({0})", "arccos": "acos{f}({0})", "arctan": "atan{f}({0})", "arcsinh": "asinh{f}({0})",
    "arccosh": "acosh{f}({0})", "arctanh": "atanh{f}({0})",
    **{name: f"{name}{{f}}({{0}})" for name in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "cbrt", "erf",
        "erfc", "erfinv", "erfcinv")},
}  # fmt: skip
INTEGERS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "negative": "-{0}", "positive": "{0}",
    "square": "{0} * {0}", "maximum": "larger({0}, {1})", "minimum": "smaller({0}, {1})", "bitwise_and": "{0} & {1}",
    "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}", "invert": "~{0}",
}  # fmt: skip
BOOLS = {
    "logical_and": "{0} && {1}", "logical_or": "{0} || {1}", "logical_xor": "{0} != {1}", "logical_not": "!{0}",
    "bitwise_and": "{0} && {1}", "bitwise_or": "{0} || {1}", "bitwise_xor": "{0} != {1}", "invert": "!{0}",
    "add": "{0} || {1}", "multiply": "{0} && {1}", "maximum": "{0} || {1}", "minimum": "{0} && {1}",
    "equal": "{0} == {1}", "not_equal": "{0} != {1}",
}  # fmt: skip
TRUTH = {"logical_and": "{0} != 0 && {1} != 0", "logical_or": "{0} != 0 || {1} != 0", "logical_not": "{0} == 0"}
OF_FLOATS = {"isnan": "{0} != {0}", "isinf": "fabs{f}({0}) == infinity()", "isfinite": "fabs{f}({0}) < infinity()",
             "signbit": "signbit({0}) != 0"}  # fmt: skip

# Functions that sources use, by the word that calls them.
HELPERS = {
    "rounded": """\
__device__ __forceinline__ float rounded(float x) { return __half2float(__float2half_rn(x)); }  // to 16 bits
""",
    "infinity": """\
__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }
""",
    "larger": """\
template <class T> __device__ __forceinline__ T larger(T a, T b) { return a > b || a != a ? a : b; }  // NaN, if one is
""",
    "smaller": """\
template <class T> __device__ __forceinline__ T smaller(T a, T b) { return a < b || a != a ? a : b; }  // NaN, if one is
""",
    "sign_of": """\
template <class T> __device__ __forceinline__ T sign_of(T a) { return a != a ? a : T((a > 0) - (a < 0)); }
""",
    "sum": """\
struct sum { template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; } };
""",
    "largest": """\
struct largest { template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return larger(a, b); } };
""",
    "smallest": """\
struct smallest { template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return smaller(a, b); } };
""",
    "over_row": """\
// What the threads of a row hold as one number, which all of them get: a tree over each warp, then one over the warps.
template <class T, class F> __device__ T over_row(T x, T start, F combined) {
    for (int step = 16; step > 0; step /= 2) x = combined(x, __shfl_xor_sync(0xffffffffu, x, step));
    if (blockDim.x > 32) {
        __shared__ T warps[32];
        const unsigned lane = threadIdx.x % 32;
        if (lane == 0) warps[threadIdx.x / 32] = x;
        __syncthreads();
        x = lane < blockDim.x / 32 ? warps[lane] : start;
        __syncthreads();
        for (int step = 16; step > 0; step /= 2) x = combined(x, __shfl_xor_sync(0xffffffffu, x, step));
    }
    return x;
}
""",
    "over_block": """\
// What the threads of a column hold as one number, which the first of them gets: a tree over the rows of the block.
template <class T, class F> __device__ T over_block(T x, F combined) {
    __shared__ T rows[8][33];
    rows[threadIdx.y][threadIdx.x] = x;
    for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.y < half)
            rows[threadIdx.y][threadIdx.x] = combined(rows[threadIdx.y][threadIdx.x], rows[threadIdx.y + half][threadIdx.x]);
    }
    x = rows[threadIdx.y][threadIdx.x];
    __syncthreads();
    return x;
}
""",
}
NEEDS = {"largest": ("larger",), "smallest": ("smaller",)}  # what helpers use themselves
COMBINED = {np.add: ("sum", "{0} + {1}"), np.maximum: ("largest", "larger({0}, {1})"),
            np.minimum: ("smallest", "smaller({0}, {1})")}  # fmt: skip
IN_REGISTERS = ("f4", "f8", "i4", "i8", "u4", "u8")  # the dtypes that threads of a warp can exchange


class Lowered(NamedTuple):
    """An elementwise call in a kernel.

    Attributes:
        expression: a template over operands.
        dtypes: the dtypes in which operands come and the result goes, as names.
    """

    expression: str
    dtypes: tuple


def lowered(node):
    """The Lowered of an elementwise call, None where kernels cannot compute it."""
    return _lowered(node.function, kinds_of(node), node.outputs[0].dtype)


@functools.lru_cache(maxsize=4096)
def _lowered(function, kinds, out):
    if out not in NAMES or not all(kind in NAMES or kind in PYTHON_NUMBERS for kind in kinds):
        return None
    if function is cast:
        return Lowered("{0}", (NAMES[out],))
    if function is np.where:
        fits = len(kinds) == 3 and kinds[0] == np.dtype(bool)
        return Lowered("{0} ? {1} : {2}", ("b1", *[NAMES[out]] * 3)) if fits else None
    if function is CLIP:
        if any(kind not in (out, int, float) for kind in kinds) or out.kind == "b":
            return None
        return Lowered("smaller(larger({0}, {1}), {2})", (NAMES[out],) * 4)
    dtypes = _dtypes(function, kinds, out)
    if dtypes is None or dtypes[-1] != out or any(dtype not in NAMES for dtype in dtypes):
        return None
    name = getattr(function, "__name__", "").removeprefix("cupyx_scipy_special_").removeprefix("cupy_")
    expression = _expression(name, dtypes)
    return None if expression is None else Lowered(expression, tuple([NAMES[dtype] for dtype in dtypes]))


def _dtypes(function, kinds, out):
    """The dtypes in which a ufunc computes, those of CuPy and SciPy in that of their result."""
    if isinstance(function, np.ufunc):
        try:
            return function.resolve_dtypes((*[bool_or(kind) for kind in kinds], None))
        except TypeError:
            return None
    known = getattr(function, "nin", None) == len(kinds) and getattr(function, "nout", None) == 1
    return (*kinds, out) if known and all(kind == out for kind in kinds) else None


def _expression(name, dtypes):
    first, out = dtypes[0], dtypes[-1]
    if any(dtype != first for dtype in dtypes[:-1]):
        return None
    if first.kind == "b":
        return BOOLS.get(name)
    if out.kind == "b":
        return COMPARISONS.get(name) or TRUTH.get(name) or (OF_FLOATS.get(name) if first.kind == "f" else None)
    return (FLOATS if first.kind == "f" else INTEGERS).get(name) if first == out else None


def expression(low, args):
    """The Lowered as C, of operands that are names or casts of names."""
    name = low.dtypes[-1]
    text = low.expression.format(*args, one=f"({TYPES[name]})1", f="f" if {"f2", "f4"} & {*low.dtypes} else "")
    if name == "f2" and low.expression != "{0}":
        return f"rounded({text})"
    return f"({TYPES[name]})({text})" if name in ("i1", "i2", "u1", "u2") else text  # C computes these as ints


def converted(text, have, wanted):
    """A name of dtype `have` as an expression of dtype `wanted`."""
    if have == wanted:
        return text
    if wanted == "f2":
        return f"rounded({text})"
    return f"{text} != 0" if wanted == "b1" else f"({TYPES[wanted]}){text}"


def type_of(value):
    """The C type of an element of a value in a register."""
    return TYPES[NAMES[value.dtype]]


def memory_type(value):
    """The C type of an element in memory."""
    return "__half" if NAMES[value.dtype] == "f2" else type_of(value)


def loaded(text, value):
    """An element in memory as a number."""
    return f"__half2float({text})" if NAMES[value.dtype] == "f2" else text


def stored(text, value):
    """A number as an element in memory."""
    return f"__float2half_rn({text})" if NAMES[value.dtype] == "f2" else text


def headers(text):
    """The headers that a source needs."""
    return "#include <cuda_fp16.h>\n" if re.search(r"__half|\brounded\b", text) else ""


def start(node):
    """What a reduction begins with, as C."""
    ufunc, dtype = node.function.__self__, node.outputs[0].dtype
    if ufunc is np.add:
        return "0"
    if dtype.kind == "f":
        return "-infinity()" if ufunc is np.maximum else "infinity()"
    limits, ending = np.iinfo(dtype), {"i8": "LL", "u8": "ULL"}.get(NAMES[dtype], "")
    return f"{limits.min + 1}{ending} - 1" if ufunc is np.maximum and dtype.kind == "i" else (
        "0" if ufunc is np.maximum else f"{limits.max}{ending}")  # fmt: skip


def combined(node):
    """A reduction as the name of a struct, and as an expression of two names."""
    return COMBINED[node.function.__self__]


def values_of(node):
    """The operands of an elementwise call that are arrays, and the array that a reduction reads."""
    args = node.args if node.kind == REDUCE else operands(node)
    return [arg for arg in args if isinstance(arg, Value)]


def helpers(text):
    """The helpers that a source uses, in order."""
    used = {name for name in HELPERS if re.search(rf"\b{name}\b", text)}
    used |= {other for name in used for other in NEEDS.get(name, ())}
    return "".join(source for name, source in HELPERS.items() if name in used)
