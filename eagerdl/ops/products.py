"""Products of tensors beside matmul: dot, tensordot, einsum, kron, cross.

All sums of products of two tensors rest on one bilinear primitive, `_einsum_pair`, which brings its operands into the
form of a (batched) matrix product. Its derivatives are the same primitive with the subscripts permuted.
"""

import builtins
import functools
import math
import string

import numpy as np

from eagerdl import devices, dtypes
from eagerdl.autograd import Spec, bilinear, linear, unbroadcast
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.ops.arithmetic import conj, multiply
from eagerdl.ops.conversion import convert_to_tensor
from eagerdl.ops.linalg import matmul, product
from eagerdl.ops.reduction import sum
from eagerdl.ops.shape import concatenate, expand_dims, normalize_axis, reshape, squeeze, transpose

__all__ = ["cross", "dot", "einsum", "inner", "kron", "outer", "tensordot", "vdot", "vecdot"]


# -- the sum of products of two tensors -----------------------------------------------------------


@functools.lru_cache(maxsize=1024)
def _recipe(subscripts):
    """How "ab,bc->ac" becomes a matrix product: orders of axes of x1, x2, product; axes in each group; swap."""
    terms, out = subscripts.split("->")
    a, b = terms.split(",")
    batch = [c for c in out if c in a and c in b]
    left, right = [c for c in out if c not in b], [c for c in out if c not in a]
    inner_ = [c for c in a if c in b and c not in out]
    swap = list(out) == batch + right + left and builtins.bool(
        left and right
    )  # the product of the operands in other order fits
    if swap:
        a, b, left, right = b, a, right, left
    orders = [_order(a, batch + left + inner_), _order(b, batch + inner_ + right), _order(batch + left + right, out)]
    return (*orders, (len(batch), len(left), len(inner_), len(right)), swap)


def _order(have, want):
    """The axes that bring labels `have` into the order `want`; None if they are so already."""
    order = tuple(have.index(c) for c in want)
    return None if order == tuple(range(len(order))) else order


def _pair_spec(x1, x2, subscripts):
    terms, out = subscripts.split("->")
    sizes = {}
    for term, x in zip(terms.split(","), (x1, x2), strict=True):
        sizes.update(zip(term, x.shape, strict=True))
    return Spec(tuple(sizes[c] for c in out), dtypes.result_type(x1.dtype, x2.dtype))


@functools.lru_cache(maxsize=1024)
def _turned(subscripts, side):
    """The subscripts that give the cotangent of operand `side` from (g, the other operand)."""
    terms, out = subscripts.split("->")
    a, b = terms.split(",")
    return f"{out},{b}->{a}" if side == 0 else f"{a},{out}->{b}"


def _conjugate(x):
    return conj(x) if dtypes.is_complex(x.dtype) else x


@bilinear(
    left=lambda g, x2, subscripts: _einsum_pair(g, _conjugate(x2), _turned(subscripts, 0)),
    right=lambda g, x1, subscripts: _einsum_pair(_conjugate(x1), g, _turned(subscripts, 1)),
    infer=_pair_spec,
)
def _einsum_pair(x1, x2, subscripts):
    """x1, x2 -> the sum of products. Each letter of an operand is in the other one or in the output."""
    order1, order2, order, (batch, left, inner_, right), swap = _recipe(subscripts)
    if swap:
        x1, x2 = x2, x1
    if order1 is not None:
        x1 = x1.transpose(order1)
    if order2 is not None:
        x2 = x2.transpose(order2)
    s1, s2 = x1.shape, x2.shape
    if not inner_:  # nothing to sum: an elementwise or outer product
        out = np.multiply(x1.reshape(s1 + (1,) * right), x2.reshape(s2[:batch] + (1,) * left + s2[batch:]))
        return out if order is None else out.transpose(order)
    lefts, inners, rights = s1[batch : batch + left], s1[batch + left :], s2[batch + inner_ :]
    if left != 1 or inner_ != 1:
        x1 = x1.reshape(*s1[:batch], math.prod(lefts), math.prod(inners))
    if right != 1 or inner_ != 1:
        x2 = x2.reshape(*s2[:batch], math.prod(inners), math.prod(rights))
    out = product(x1, x2)
    if left != 1 or right != 1:
        out = out.reshape(s1[:batch] + lefts + rights)
    return out if order is None else out.transpose(order)


def _contract(x1, x2, subscripts):
    """`_einsum_pair`, or matmul itself where that is the same."""
    order1, order2, order, counts, swap = _recipe(subscripts)
    if order1 is None and order2 is None and order is None and counts[1:] == (1, 1, 1) and not swap:
        return matmul(x1, x2)
    return _einsum_pair(x1, x2, subscripts)


# -- einsum ---------------------------------------------------------------------------------------


def _diagonal_shape(x, labels):
    sizes = dict(zip(labels, x.shape, strict=True))
    return tuple(sizes.values())


def _diagonal_view(x, labels):
    """A view of the raw array x along the diagonals of axes that share a label."""
    strides = {}
    for label, stride in zip(labels, x.strides, strict=True):
        strides[label] = strides.get(label, 0) + stride
    as_strided = devices.module_of(x).lib.stride_tricks.as_strided
    return as_strided(x, _diagonal_shape(x, labels), tuple(strides.values()))


@linear(
    transpose=lambda g, x, labels: _on_diagonal(g, x.shape, labels),
    infer=lambda x, labels: Spec(_diagonal_shape(x, labels), x.dtype),
)
def _take_diagonal(x, labels):
    """x -> its elements where the indices of equal labels are equal: "iij" leaves "ij"."""
    return _diagonal_view(x, labels)


@linear(transpose=lambda g, labels: _take_diagonal(g, labels), infer=lambda x, shape, labels: Spec(shape, x.dtype))
def _on_diagonal(x, shape, labels):
    """x -> zeros of `shape` with x on the diagonals."""
    out = devices.module_of(x).zeros(shape, x.dtype)
    _diagonal_view(out, labels)[...] = x
    return out


def _split(subscripts, count):
    """The terms of the operands and of the output (None if it is implicit), checked."""
    text = subscripts.replace(" ", "")
    inputs, arrow, out = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != count:
        raise ArgumentError(
            "einsum",
            "there is one term for each operand",
            f"{subscripts!r} has {len(terms)} for {count} operands",
            "separate the terms by commas",
        )
    for term in [*terms, out]:
        letters = term.replace("...", "", 1)
        wrong = next((c for c in letters if c not in string.ascii_letters), None)
        if wrong is not None:
            raise ArgumentError(
                "einsum",
                "subscripts are letters, commas, '...' once a term, and one '->'",
                f"{wrong!r} in {subscripts!r}",
                "name each axis by one letter, as in 'bij,bjk->bik'",
            )
    return terms, out if arrow else None


def _labelled(terms, shapes):
    """For each operand a label for each axis; those under an ellipsis are numbered from the right: 0, 1, 2, ..."""
    labelled = []
    for index, (term, shape) in enumerate(zip(terms, shapes, strict=True)):
        head, dots, tail = term.partition("...")
        named = len(head) + len(tail)
        if named > len(shape) if dots else named != len(shape):
            raise ShapeError(
                "einsum",
                "a term names each axis of its operand",
                f"operand {index} {shape} has {len(shape)} axes, its term {term!r} names {named}",
                "add or drop letters, or let '...' stand for leading axes",
            )
        labelled.append([*head, *reversed(range(len(shape) - named)), *tail])
    return labelled


def _sizes(labelled, shapes):
    """The size of every label. Axes under an ellipsis broadcast; axes with a letter do not."""
    sizes, first = {}, {}
    for index, (labels, shape) in enumerate(zip(labelled, shapes, strict=True)):
        for label, size in zip(labels, shape, strict=True):
            known = sizes.get(label)
            if known is None or (isinstance(label, int) and known == 1):
                sizes[label], first[label] = size, index
            elif known != size and not (isinstance(label, int) and size == 1):
                what = (
                    "the axes under '...' broadcast" if isinstance(label, int) else f"the letter {label!r} has one size"
                )
                raise ShapeError(
                    "einsum",
                    what,
                    f"operand {first[label]} {shapes[first[label]]} has {known}, operand {index} {shape} has {size}",
                    "check the order of the letters",
                )
    return sizes


def _output(out, labelled, subscripts):
    """The labels of the result."""
    dots = sorted({label for labels in labelled for label in labels if isinstance(label, int)}, reverse=True)
    if out is None:
        counts = [c for labels in labelled for c in labels if isinstance(c, str)]
        return dots + sorted(c for c in set(counts) if counts.count(c) == 1)
    head, found, tail = out.partition("...")
    if dots and not found:
        raise ArgumentError(
            "einsum",
            "the output keeps the axes under '...'",
            f"{out!r} in {subscripts!r}",
            "write '...' behind the '->'",
        )
    for c in head + tail:
        if not builtins.any(c in labels for labels in labelled):
            raise ArgumentError(
                "einsum", "each letter of the output comes from an operand", f"{c!r} in {subscripts!r}", "drop it"
            )
        if (head + tail).count(c) > 1:
            raise ArgumentError(
                "einsum",
                "a letter comes once in the output",
                f"{c!r} in {subscripts!r}",
                "use edl.diag to spread a diagonal",
            )
    return [*head, *dots, *tail]


@functools.lru_cache(maxsize=1024)
def _plan(subscripts, shapes):
    """The steps of an einsum: (preparation of each operand, pairs to contract, order of the axes at the end)."""
    terms, out = _split(subscripts, len(shapes))
    labelled = _labelled(terms, shapes)
    sizes = _sizes(labelled, shapes)
    out = _output(out, labelled, subscripts)
    if len(sizes) > len(string.ascii_letters):
        raise ArgumentError(
            "einsum", "at most 52 different axes fit", f"{subscripts!r} has {len(sizes)}", "reshape some axes into one"
        )
    plain = {label: string.ascii_letters[i] for i, label in enumerate(sizes)}
    out = "".join(plain[label] for label in out)
    prepared, terms = [], []
    for index, (labels, shape) in enumerate(zip(labelled, shapes, strict=True)):
        single = [i for i, (label, n) in enumerate(zip(labels, shape, strict=True)) if n == 1 != sizes[label]]
        axes = "".join(plain[label] for i, label in enumerate(labels) if i not in single)
        term = "".join(dict.fromkeys(axes))
        others = "".join(plain[label] for j, other in enumerate(labelled) if j != index for label in other)
        alone = tuple(i for i, c in enumerate(term) if c not in out and c not in others)
        prepared.append((tuple(single), axes if len(term) < len(axes) else None, alone))
        terms.append("".join(c for i, c in enumerate(term) if i not in alone))
    pairs = _pairs(terms, out, {plain[label]: size for label, size in sizes.items()})
    if not builtins.any(step for steps in prepared for step in steps):
        prepared = ()
    return prepared, pairs, None if pairs else _order(terms[0], out)


def _pairs(terms, out, sizes):
    """Which tensors are multiplied: (number, number, subscripts) each; products are numbered on from the operands."""
    path = [(0, 1)]
    if len(terms) > 2:
        dummies = [np.broadcast_to(np.empty(()), tuple(sizes[c] for c in term)) for term in terms]
        path = np.einsum_path(f"{','.join(terms)}->{out}", *dummies, optimize="greedy")[0][1:]
    terms, waiting, pairs = list(terms), list(range(len(terms))), []
    for group in path if len(terms) > 1 else ():
        taken = [waiting[place] for place in group]
        while len(taken) > 1:
            first, second = taken.pop(0), taken.pop(0)
            waiting = [number for number in waiting if number not in (first, second)]
            later = "".join([out, *[terms[number] for number in waiting]])
            made = "".join(c for c in dict.fromkeys(terms[first] + terms[second]) if c in later) if waiting else out
            pairs.append((first, second, f"{terms[first]},{terms[second]}->{made}"))
            waiting.append(len(terms))
            taken.append(len(terms))
            terms.append(made)
    return pairs


def einsum(subscripts, *operands, optimize=None):
    """subscripts, tensors -> the tensor that the subscripts after ``->`` name. Einstein's summation.

    Each operand has a term that names its axes by letters; a letter that is missing in the output is summed over, one
    that an operand repeats takes its diagonal. ``...`` stands for further axes, which broadcast. Without ``->`` the
    output has the letters that come once, in alphabetical order. Two operands become one matrix product; more are
    contracted in pairs, in a greedy order.

    Args:
        subscripts: as in ``"bij,bjk->bik"``.
        operands: the tensors.
        optimize: accepted for NumPy's sake; the order is always chosen.

    Raises:
        ArgumentError: for letters that cannot be read, or an output that the operands do not give.
        ShapeError: if terms do not fit the operands, or one letter has two sizes.

    Example:
        >>> a, b = edl.ones((2, 3)), edl.ones((3, 4))
        >>> edl.einsum("ij,jk->ik", a, b).shape
        (2, 4)
        >>> edl.einsum("ii", edl.constant([[1.0, 2.0], [3.0, 4.0]]))
        Tensor(shape=(), dtype=float32, 5.)
    """
    if not isinstance(subscripts, str):
        raise DTypeError(
            "einsum",
            "the first argument holds the subscripts as text",
            f"got {type(subscripts).__name__}",
            "write them as 'ij,jk->ik'",
        )
    if not operands:
        raise ArgumentError("einsum", "at least one operand is needed", "none came", "pass a tensor for each term")
    xs = [convert_to_tensor(x) for x in operands]
    if builtins.all(x.dtype == dtypes.int8 for x in xs):
        xs = [x.astype("int32") for x in xs]  # as Keras does: sums of products rarely fit into 8 bits
    prepared, pairs, order = _plan(subscripts, tuple(x.shape for x in xs))
    for i, (single, diagonal, alone) in enumerate(prepared):
        x = xs[i]
        if single:
            x = squeeze(x, single)
        if diagonal:
            x = _take_diagonal(x, diagonal)
        if alone:
            x = sum(x, alone)
        xs[i] = x
    dtype = dtypes.result_type(*[x.dtype for x in xs])
    for first, second, pair in pairs:
        xs.append(_contract(xs[first], xs[second], pair))
    out = xs[-1] if order is None else transpose(xs[-1], order)
    return out if out.dtype == dtype else out.astype(dtype)


# -- named products -------------------------------------------------------------------------------


def _pair(x1, x2):
    return convert_to_tensor(x1), convert_to_tensor(x2)


def _contracted(where, axes, x1, x2):
    """The two tuples of axes that a tensordot sums over."""
    if isinstance(axes, int):
        if axes < 0 or axes > builtins.min(x1.ndim, x2.ndim):
            raise ShapeError(
                where,
                "axes counts axes that both tensors have",
                f"got axes={axes} for x1 {x1.shape}, x2 {x2.shape}",
                "name the axes, as in ((0,), (1,))",
            )
        return tuple(range(x1.ndim - axes, x1.ndim)), tuple(range(axes))
    try:
        first, second = axes
    except (TypeError, ValueError):
        raise ArgumentError(
            where, "axes is a number or a pair of axes", f"got axes={axes!r}", "use ((0, 1), (1, 0))"
        ) from None
    first, second = ((one,) if isinstance(one, int) else tuple(one) for one in (first, second))
    if len(first) != len(second):
        raise ArgumentError(where, "as many axes of x1 as of x2 are summed over", f"got axes={axes!r}", "pair them up")
    return (
        tuple(normalize_axis(where, axis, x1.ndim) for axis in first),
        tuple(normalize_axis(where, axis, x2.ndim) for axis in second),
    )


def _dot_over(where, x1, x2, axes1, axes2):
    """The sum of products over the paired axes; the other axes of x1 come first."""
    for i, j in zip(axes1, axes2, strict=True):
        if x1.shape[i] != x2.shape[j]:
            raise ShapeError(
                where,
                "axes that are summed over have one size",
                f"axis {i} of x1 {x1.shape} has {x1.shape[i]}, axis {j} of x2 {x2.shape} has {x2.shape[j]}",
                "check which axes belong together",
            )
    if len(set(axes1)) != len(axes1) or len(set(axes2)) != len(axes2):
        raise ShapeError(
            where, "each axis may come once", f"got axes {axes1} of x1 and {axes2} of x2", "drop the duplicate"
        )
    return _contract(x1, x2, _dot_subscripts(x1.ndim, x2.ndim, axes1, axes2))


@functools.lru_cache(maxsize=1024)
def _dot_subscripts(ndim1, ndim2, axes1, axes2):
    a = string.ascii_letters[:ndim1]
    b = list(string.ascii_letters[ndim1 : ndim1 + ndim2])
    for i, j in zip(axes1, axes2, strict=True):
        b[j] = a[i]
    out = [c for c in a if c not in b] + [c for c in b if c not in a]
    return f"{a},{''.join(b)}->{''.join(out)}"


def tensordot(x1, x2, axes=2):
    """x1 (...), x2 (...) -> the other axes of x1, then those of x2. The sum of products over paired axes.

    Args:
        x1, x2: tensors.
        axes: a number n, for the last n axes of x1 and the first n of x2; or a pair of axes or tuples of axes.

    Raises:
        ShapeError: if paired axes differ in size, or do not exist.
        ArgumentError: if `axes` is neither a number nor a pair.

    Example:
        >>> edl.tensordot(edl.ones((2, 3, 4)), edl.ones((3, 4, 5))).shape
        (2, 5)
    """
    x1, x2 = _pair(x1, x2)
    return _dot_over("tensordot", x1, x2, *_contracted("tensordot", axes, x1, x2))


def dot(x1, x2):
    """x1 (..., k), x2 (..., k, n) or (k,) -> (..., ..., n). The sum of products over the axes k; scalars multiply.

    For two matrices it is the matrix product. Unlike `matmul` it combines all leading axes of x1 with those of x2.

    Raises:
        ShapeError: if the sizes of these axes differ.

    Example:
        >>> edl.dot([1.0, 2.0], [3.0, 4.0])
        Tensor(shape=(), dtype=float32, 11.)
    """
    x1, x2 = _pair(x1, x2)
    if not x1.ndim or not x2.ndim:
        return multiply(x1, x2)
    if x1.shape[-1] == x2.shape[-2 if x2.ndim > 1 else 0] and x2.ndim <= 2:
        return matmul(x1, x2)
    return _dot_over("dot", x1, x2, (x1.ndim - 1,), (builtins.max(x2.ndim - 2, 0),))


def inner(x1, x2):
    """x1 (..., k), x2 (..., k) -> (..., ...). The sum of products over the last axes; scalars multiply.

    Raises:
        ShapeError: if the last axes differ in size.

    Example:
        >>> edl.inner([[1.0, 2.0], [0.0, 1.0]], [3.0, 4.0])
        Tensor(shape=(2,), dtype=float32, [11.  4.])
    """
    x1, x2 = _pair(x1, x2)
    if not x1.ndim or not x2.ndim:
        return multiply(x1, x2)
    return _dot_over("inner", x1, x2, (x1.ndim - 1,), (x2.ndim - 1,))


def outer(x1, x2):
    """x1 (m elements), x2 (n elements) -> (m, n). The products of all pairs of elements; the tensors are flattened.

    Example:
        >>> edl.outer([1.0, 2.0], [3.0, 4.0])
        Tensor(shape=(2, 2), dtype=float32,
        [[3. 4.]
         [6. 8.]])
    """
    x1, x2 = _pair(x1, x2)
    return multiply(reshape(x1, (x1.size, 1)), reshape(x2, (1, x2.size)))


def vdot(x1, x2):
    """x1 (k elements), x2 (k elements) -> (). The sum of conj(x1) x2 over all elements; the tensors are flattened.

    Raises:
        ShapeError: if the numbers of elements differ.

    Example:
        >>> edl.vdot([1.0 + 2.0j], [3.0j])
        Tensor(shape=(), dtype=complex64, 6.+3.j)
    """
    x1, x2 = _pair(x1, x2)
    if x1.size != x2.size:
        raise ShapeError(
            "vdot",
            "both tensors have the same number of elements",
            f"x1 {x1.shape}, x2 {x2.shape}",
            "use edl.dot or edl.inner",
        )
    return matmul(_conjugate(reshape(x1, (x1.size,))), reshape(x2, (x2.size,)))


def vecdot(x1, x2, *, axis=-1):
    """x1 (..., k), x2 (..., k) -> (...). The sum of conj(x1) x2 over one axis; the others broadcast.

    Args:
        x1, x2: tensors.
        axis: the axis of both tensors that holds the vectors.

    Raises:
        ShapeError: if the vectors differ in length.

    Example:
        >>> edl.vecdot([[1.0, 2.0], [0.0, 1.0]], [3.0, 4.0])
        Tensor(shape=(2,), dtype=float32, [11.  4.])
    """
    x1, x2 = _pair(x1, x2)
    first, second = (normalize_axis("vecdot", axis, x.ndim) for x in (x1, x2))
    if x1.shape[first] != x2.shape[second]:
        raise ShapeError(
            "vecdot",
            "both vectors have one length",
            f"axis {axis} of x1 {x1.shape} has {x1.shape[first]}, of x2 {x2.shape} {x2.shape[second]}",
            "vectors do not broadcast; check the axis",
        )
    x1, x2 = _moved(x1, first, -1), _moved(x2, second, -1)
    return squeeze(matmul(expand_dims(_conjugate(x1), -2), expand_dims(x2, -1)), (-2, -1))


def _moved(x, source, target):
    """x with axis `source` at `target`."""
    source, target = source % x.ndim, target % x.ndim
    if source == target:
        return x
    order = [i for i in range(x.ndim) if i != source]
    order.insert(target, source)
    return transpose(x, tuple(order))


def kron(x1, x2):
    """x1 (m, ...), x2 (n, ...) -> (m * n, ...). Kronecker's product: each element of x1 times the whole of x2.

    Example:
        >>> edl.kron([1.0, 10.0], [1.0, 2.0])
        Tensor(shape=(4,), dtype=float32, [ 1.  2. 10. 20.])
    """
    x1, x2 = _pair(x1, x2)
    ndim = builtins.max(x1.ndim, x2.ndim)
    s1, s2 = ((1,) * (ndim - x.ndim) + x.shape for x in (x1, x2))
    pairs = multiply(
        reshape(x1, tuple(n for size in s1 for n in (size, 1))),
        reshape(x2, tuple(n for size in s2 for n in (1, size))),
    )
    return reshape(pairs, tuple(m * n for m, n in zip(s1, s2, strict=True)))


def _cross_spec(x1, x2):
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise ShapeError(
            "cross",
            "the axes beside the vectors must broadcast",
            f"x1 {x1.shape}, x2 {x2.shape}",
            "reshape one of them",
        ) from None
    return Spec(shape, dtypes.result_type(x1.dtype, x2.dtype))


@bilinear(
    left=lambda g, x1_spec, x2: unbroadcast(_cross3(_conjugate(x2), g), x1_spec),
    right=lambda g, x1, x2_spec: unbroadcast(_cross3(g, _conjugate(x1)), x2_spec),
    infer=_cross_spec,
)
def _cross3(x1, x2):
    """x1 (..., 3), x2 (..., 3) -> (..., 3)."""
    a, b = [x1[..., i] for i in range(3)], [x2[..., i] for i in range(3)]
    out = devices.module_of(x1).empty(np.broadcast_shapes(x1.shape, x2.shape), x1.dtype)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[..., i] = a[j] * b[k] - a[k] * b[j]
    return out


def cross(x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None):
    """x1 (..., 3), x2 (..., 3) -> (..., 3). The cross product of vectors; of two vectors of 2 its third component only.

    Args:
        x1, x2: tensors of vectors of length 3 or 2; a missing third component is 0.
        axisa, axisb, axisc: the axes that hold the vectors in x1, x2 and the result.
        axis: one axis for all three.

    Raises:
        ShapeError: if the vectors have other lengths, or the other axes do not broadcast.

    Example:
        >>> edl.cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
        Tensor(shape=(3,), dtype=float32, [0. 0. 1.])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    x1, x2 = _pair(x1, x2)
    x1 = _moved(x1, normalize_axis("cross", axisa, x1.ndim), -1)
    x2 = _moved(x2, normalize_axis("cross", axisb, x2.ndim), -1)
    sizes = x1.shape[-1], x2.shape[-1]
    if not set(sizes) <= {2, 3}:
        raise ShapeError(
            "cross",
            "vectors of length 3 or 2 are needed",
            f"x1 has {sizes[0]} along its axis {axisa}, x2 {sizes[1]} along {axisb}",
            "name the axis that holds the vectors",
        )
    if sizes == (2, 2):
        return x1[..., 0] * x2[..., 1] - x1[..., 1] * x2[..., 0]
    x1, x2 = _in_space(x1), _in_space(x2)
    out = _cross3(x1, x2)
    return _moved(out, out.ndim - 1, normalize_axis("cross", axisc, out.ndim))


def _in_space(x):
    """Vectors of 2 with a third component 0."""
    return x if x.shape[-1] == 3 else concatenate([x, x[..., :1] * 0], -1)
