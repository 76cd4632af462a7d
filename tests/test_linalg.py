"""Laws of linear algebra: what rows of the table cannot hold because signs, phases and bases are arbitrary."""

import numpy as np
import pytest
from cases.builders import complex_normal, hermitian, normal, symmetric_positive, well_conditioned
from hypothesis import given, settings
from hypothesis import strategies as st

import eagerdl as edl
from eagerdl import linalg, ops
from eagerdl.errors import ArgumentError, ShapeError

REAL_AND_COMPLEX = pytest.mark.parametrize("draw", [normal, complex_normal], ids=["real", "complex"])
SHAPES = pytest.mark.parametrize(
    "shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1), (0, 3, 2), (3, 0), (0, 3)], ids=str
)


def adjoint(x):
    return np.swapaxes(x, -1, -2).conj()


def is_orthonormal(q):
    """Whether the columns have length 1 and stand at right angles."""
    return np.allclose(adjoint(q) @ q, np.eye(q.shape[-1]))


# -- reconstruction and orthogonality ---------------------------------------------------------------


@REAL_AND_COMPLEX
@SHAPES
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr_multiplies_back(draw, shape, mode):
    x = draw(*shape)
    q, r = (part.numpy() for part in edl.qr(x, mode))
    np.testing.assert_allclose(q @ r, x, atol=1e-12)
    assert is_orthonormal(q)
    np.testing.assert_array_equal(r, np.triu(r))


@REAL_AND_COMPLEX
@SHAPES
@pytest.mark.parametrize("full_matrices", [False, True])
def test_svd_multiplies_back(draw, shape, full_matrices):
    x = draw(*shape)
    u, s, vh = (part.numpy() for part in edl.svd(x, full_matrices))
    k = s.shape[-1]
    np.testing.assert_allclose((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], x, atol=1e-12)
    assert is_orthonormal(u)
    assert is_orthonormal(adjoint(vh))
    assert s.dtype == "float64"
    assert np.all(np.diff(s) <= 0)
    np.testing.assert_allclose(edl.svdvals(x).numpy(), s)


@REAL_AND_COMPLEX
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (0, 2, 2), (0, 0)], ids=str)
def test_eigh_multiplies_back(draw, shape):
    x = hermitian(draw(*shape))
    w, v = (part.numpy() for part in edl.eigh(x))
    np.testing.assert_allclose((v * w[..., None, :]) @ adjoint(v), x, atol=1e-12)
    assert is_orthonormal(v)
    assert w.dtype == "float64"
    np.testing.assert_allclose(edl.eigvalsh(x).numpy(), w, atol=1e-12)


@REAL_AND_COMPLEX
@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3), (0, 2, 2), (0, 0)], ids=str)
def test_eigenvectors_are_scaled_by_their_eigenvalues(draw, shape):
    x = draw(*shape)
    w, v = (part.numpy() for part in edl.eig(x))
    assert w.dtype == v.dtype == "complex128"
    np.testing.assert_allclose(x @ v, v * w[..., None, :], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(v, axis=-2), np.ones(w.shape))


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 3), (2, 2, 3, 2)], ids=str)
@REAL_AND_COMPLEX
def test_lu_factors_multiply_back(draw, shape):
    x = draw(*shape)
    lu, pivots = (part.numpy() for part in edl.lu_factor(x))
    k = min(shape[-2:])
    assert pivots.dtype == "int32"
    for index in np.ndindex(shape[:-2]):
        product = (np.tril(lu[index], -1) + np.eye(*shape[-2:]))[:, :k] @ np.triu(lu[index])[:k]
        for i in reversed(range(k)):
            product[[i, pivots[index][i]]] = product[[pivots[index][i], i]]
        np.testing.assert_allclose(product, x[index], atol=1e-12)


@REAL_AND_COMPLEX
def test_cholesky_multiplies_back_and_inverts(draw):
    a = draw(2, 3, 3)
    x = a @ adjoint(a) + np.eye(3)
    lower, upper = edl.cholesky(x).numpy(), edl.cholesky(x, upper=True).numpy()
    np.testing.assert_allclose(lower @ adjoint(lower), x)
    np.testing.assert_allclose(adjoint(upper) @ upper, x)
    np.testing.assert_array_equal(lower, np.tril(lower))
    np.testing.assert_allclose(edl.cholesky_inverse(lower).numpy() @ x, np.broadcast_to(np.eye(3), x.shape), atol=1e-10)
    np.testing.assert_allclose(edl.cholesky_inverse(upper, upper=True).numpy(), edl.cholesky_inverse(lower).numpy())


@REAL_AND_COMPLEX
@SHAPES
def test_pinv_has_the_four_properties_of_penrose(draw, shape):
    x = draw(*shape)
    p = edl.pinv(x).numpy()
    for law in (x @ p @ x - x, p @ x @ p - p, x @ p - adjoint(x @ p), p @ x - adjoint(p @ x)):
        np.testing.assert_allclose(law, np.zeros(law.shape), atol=1e-12)


def test_matrix_norms_are_those_of_the_array_library_for_any_axes():
    x = normal(2, 3, 4)
    for axis in ((0, 1), (1, 0), (-1, 0), (2, 1)):
        for order in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
            np.testing.assert_allclose(edl.norm(x, order, axis).numpy(), np.linalg.norm(x, order, axis))
            np.testing.assert_allclose(edl.norm(x, order, axis, True).numpy(), np.linalg.norm(x, order, axis, True))


# -- derivatives of what does not depend on arbitrary signs and phases ---------------------------------


def projector(columns):
    """The matrix that projects onto the space of some orthonormal columns: free of their signs."""
    return columns @ ops.linalg.adjoint(columns)


def with_values(*shape, draw):
    """Matrices with singular values near 1, 2, 3, ..."""
    return 0.2 * draw(*shape) + np.eye(*shape[-2:]) * np.arange(1.0, shape[-1] + 1)


@REAL_AND_COMPLEX
@pytest.mark.parametrize("full_matrices", [False, True])
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4), (2, 3, 2)], ids=str)
def test_svd_gradients_of_invariants(draw, shape, full_matrices):
    def f(x):
        u, s, vh = edl.svd(x, full_matrices)
        parts = [projector(u[..., :1]), projector(u[..., 1:]), ops.linalg.adjoint(vh[..., :1, :]) @ vh[..., :1, :], s]
        if full_matrices:  # the complements too: rotations within them do not count
            k = s.shape[-1]
            parts += [projector(u[..., k:]), projector(ops.linalg.adjoint(vh[..., k:, :]))]
        return [*parts, u[..., :2] @ (edl.exp(s[..., :2, None]) * vh[..., :2, :])]

    edl.check_grads(f, (with_values(*shape, draw=draw),))


@REAL_AND_COMPLEX
def test_eigh_gradients_of_invariants(draw):
    def f(x):
        w, v = edl.eigh(x)
        return w, projector(v[..., :1]), projector(v[..., 1:]), (v * edl.exp(w).expand_dims(-2)) @ ops.linalg.adjoint(v)

    edl.check_grads(f, (hermitian(with_values(2, 3, 3, draw=draw)),))


@REAL_AND_COMPLEX
def test_eig_gradients_of_invariants(draw):
    def f(x):
        w, v = edl.eig(x)
        first = v[..., :1] @ ops.linalg.adjoint(v[..., :1])  # free of the phase
        return w, first, (v * edl.exp(w).expand_dims(-2)) @ edl.inv(v)

    edl.check_grads(f, (with_values(2, 3, 3, draw=draw),))


def test_eig_gradients_of_a_rotation_whose_eigenvalues_are_complex():
    def f(x):
        w, v = edl.eig(x)
        return w, (v * (w**2).expand_dims(-2)) @ edl.inv(v)

    edl.check_grads(f, (np.array([[0.1, -1.0, 0.3], [1.2, 0.2, 0.1], [0.1, 0.4, 2.0]]),))


def test_matrix_functions_by_eigh_have_the_derivative_of_the_function():
    x = symmetric_positive(3, 3)

    def root(x):
        w, v = edl.eigh(x)
        return (v * edl.sqrt(w).expand_dims(-2)) @ v.mT

    got = edl.grad(lambda x: edl.sum(root(x) @ root(x)))(edl.constant(x))
    np.testing.assert_allclose(got.numpy(), np.ones((3, 3)), atol=1e-10)


def test_coinciding_singular_values_leave_gradients_finite():
    x = edl.constant(np.eye(3))
    for f in (
        lambda x: edl.svd(x).S,
        edl.svdvals,
        lambda x: edl.eigh(x).eigenvalues,
        lambda x: edl.svd(x).U,
        lambda x: edl.eigh(x)[1],
    ):
        assert np.isfinite(edl.grad(lambda x, f=f: edl.sum(f(x)))(x).numpy()).all()


def test_the_nuclear_norm_of_a_singular_matrix_has_a_subgradient():
    got = edl.grad(lambda x: edl.norm(x, "nuc"))(edl.constant(np.diag([2.0, 0.0]))).numpy()
    np.testing.assert_allclose(np.abs(got), np.eye(2))


# -- zero vectors, singular matrices, undefined bases ------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        edl.norm,
        edl.vector_norm,
        edl.normalize,
        lambda x: edl.norm(x, 3),
        lambda x: edl.norm(x, 1.5),
        lambda x: edl.cdist(x[None], x[None]),
        lambda x: edl.norm(x[None], "fro"),
    ],
    ids=["norm", "vector_norm", "normalize", "norm3", "norm1.5", "cdist", "fro"],
)
def test_norms_of_zero_vectors_have_finite_gradients_of_two_orders(f):
    zero = edl.constant(np.zeros(3))
    first = edl.grad(lambda x: edl.sum(f(x)))
    assert np.isfinite(first(zero).numpy()).all()
    assert np.isfinite(edl.grad(lambda x: edl.sum(first(x) ** 2))(zero).numpy()).all()


def test_the_gradient_of_the_norm_of_a_zero_vector_is_zero():
    np.testing.assert_array_equal(edl.grad(edl.norm)(edl.constant([0.0, 0.0])).numpy(), [0.0, 0.0])


def test_det_has_cofactors_where_it_has_no_inverse():
    x = edl.constant([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(edl.grad(edl.det)(x).numpy(), [[4.0, -2.0], [-2.0, 1.0]], rtol=1e-5)


def test_third_derivatives_of_det_are_refused_at_singular_matrices():
    second = edl.grad(lambda x: edl.sum(edl.grad(edl.det)(x) ** 2))
    with pytest.raises(ArgumentError, match=r"\[det\] derivatives of order 3"):
        edl.grad(lambda x: edl.sum(second(x) ** 2))(edl.constant(np.zeros((3, 3))))


def test_third_derivatives_of_det_agree_with_finite_differences():
    edl.check_grads(edl.det, (well_conditioned(3, 3),), order=3)


def test_the_complete_basis_of_a_tall_matrix_has_no_gradient():
    x = edl.constant(normal(4, 2))
    with pytest.raises(ArgumentError, match=r"\[qr\] the complete basis.*use mode='reduced'"):
        edl.grad(lambda x: edl.sum(edl.qr(x, "complete").Q))(x)
    got = edl.grad(lambda x: edl.sum(edl.qr(x, "complete").R))(x)
    want = edl.grad(lambda x: edl.sum(edl.qr(x).R))(x)
    np.testing.assert_allclose(got.numpy(), want.numpy())


def test_gradients_at_singular_matrices_say_so():
    x = edl.constant(np.ones((2, 2)))
    with pytest.raises(ArgumentError, match=r"\[inv\] the matrix must be invertible"):
        edl.grad(lambda x: edl.slogdet(x).logabsdet)(x)


# -- the area linalg -----------------------------------------------------------------------------


def test_the_area_holds_the_same_functions():
    for name in linalg.__all__:
        if name not in ("diagonal", "trace") and not name.endswith("Result"):
            assert getattr(linalg, name) is getattr(edl, name)


def test_the_area_has_the_names_of_the_array_api():
    names = """cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank
               matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm"""
    assert set(names.split()) <= set(linalg.__all__)


def test_results_have_the_names_of_the_array_api():
    x = edl.constant(symmetric_positive(3, 3))
    assert linalg.qr(x)._fields == ("Q", "R")
    assert linalg.svd(x)._fields == ("U", "S", "Vh")
    assert linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert linalg.slogdet(x)._fields == ("sign", "logabsdet")


def test_diagonal_and_trace_of_the_area_take_the_last_two_axes():
    x = normal(4, 2, 3)
    for offset in (-1, 0, 1):
        np.testing.assert_array_equal(linalg.diagonal(x, offset=offset).numpy(), np.linalg.diagonal(x, offset=offset))
        np.testing.assert_allclose(linalg.trace(x, offset=offset).numpy(), np.linalg.trace(x, offset=offset))
    assert linalg.trace(np.ones((2, 2), "int8"), dtype="int64").dtype == "int64"
    edl.check_grads(lambda x: [linalg.diagonal(x), linalg.trace(x, offset=1)], (x,))
    with pytest.raises(ShapeError):
        linalg.trace(edl.constant([1.0]))


# -- laws of products --------------------------------------------------------------------------------


def test_matmul_of_many_rows_with_one_matrix_is_one_product_in_both_directions():
    x, w = normal(5, 2, 3), normal(3, 4)
    g = normal(5, 2, 4)
    with edl.GradientTape() as tape:
        x_, w_ = edl.constant(x), edl.constant(w)
        tape.watch((x_, w_))
        out = x_ @ w_
    to_x, to_w = tape.gradient(out, (x_, w_), output_gradients=edl.constant(g))
    np.testing.assert_allclose(out.numpy(), np.stack([one @ w for one in x]))
    np.testing.assert_allclose(to_x.numpy(), g @ w.T)
    np.testing.assert_allclose(to_w.numpy(), sum(a.T @ b for a, b in zip(x, g, strict=True)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_narrow_products_are_summed_in_float32(dtype):
    ones = edl.constant(np.ones((1, 4096)), dtype)
    assert float((ones @ ones.mT)[0, 0]) == 4096.0
    assert float(edl.einsum("ij,kj->ik", ones, ones)[0, 0]) == 4096.0
    assert float(edl.norm(ones)) == 64.0


TERM = st.text("abc", max_size=3)


@settings(deadline=None, max_examples=100)
@given(st.lists(TERM, min_size=1, max_size=3), st.data())
def test_einsum_is_the_array_librarys(terms, data):
    letters = sorted(set("".join(terms)))
    out = "".join(data.draw(st.permutations(letters)))[: data.draw(st.integers(0, len(letters)))]
    sizes = {"a": 1, "b": 2, "c": 3}
    arrays = [normal(*[sizes[c] for c in term], salt=i) for i, term in enumerate(terms)]
    for subscripts in (",".join(terms), f"{','.join(terms)}->{out}"):
        np.testing.assert_allclose(edl.einsum(subscripts, *arrays).numpy(), np.einsum(subscripts, *arrays), atol=1e-12)


def test_einsum_of_int8_sums_in_32_bits():
    x = edl.constant(np.full(10, 100, "int8"))
    out = edl.einsum("i,i->", x, x)
    assert out.dtype == "int32"
    assert int(out) == 100_000


def test_einsum_lets_all_dtypes_meet():
    assert edl.einsum("i,j,k->", np.ones(2, "int32"), np.ones(2, "float16"), np.ones(2, "float32")).dtype == "float32"
    assert edl.einsum("i->i", np.ones(2, "int8")).dtype == "int32"


@pytest.mark.parametrize(
    "subscripts", ["ij,jk->ik", "bij,bkj->bik", "bqhd,bkhd->bhqk", "ij,ij->", "i,j->ji", "ab,cb->ca"]
)
def test_einsum_and_its_cotangents_are_the_same_sum(subscripts):
    sizes = dict(zip("abcdhijkq", range(2, 11), strict=True))
    terms, out = subscripts.split("->")
    a, b = terms.split(",")
    x, y, g = (normal(*[sizes[c] for c in term], salt=i) for i, term in enumerate((a, b, out)))
    with edl.GradientTape() as tape:
        x_, y_ = edl.constant(x), edl.constant(y)
        tape.watch((x_, y_))
        value = edl.einsum(subscripts, x_, y_)
    to_x, to_y = tape.gradient(value, (x_, y_), output_gradients=edl.constant(g))
    np.testing.assert_allclose(value.numpy(), np.einsum(subscripts, x, y))
    np.testing.assert_allclose(to_x.numpy(), np.einsum(f"{out},{b}->{a}", g, y))
    np.testing.assert_allclose(to_y.numpy(), np.einsum(f"{a},{out}->{b}", x, g))
