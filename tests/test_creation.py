"""Creation that takes devices or arrays of other libraries, and what creation does to gradients."""

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import autograd
from eagerdl.autograd import Spec
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tensor import Tensor

# -- DLPack -------------------------------------------------------------------------------------


def test_from_dlpack_shares_memory_unless_a_copy_is_asked_for():
    source = np.arange(4.0)
    shared, copied = edl.from_dlpack(source), edl.from_dlpack(source, copy=True)
    source[0] = 7
    assert (shared[0].item(), copied[0].item()) == (7.0, 0.0)
    assert edl.from_dlpack(shared, device="cpu").tolist() == source.tolist()


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float16", "float32", "float64", "complex64"])
def test_from_dlpack_keeps_dtype_and_values(dtype):
    source = np.ones((2, 3), dtype)
    out = edl.from_dlpack(source)
    assert (out.dtype, out.shape) == (dtype, (2, 3))
    np.testing.assert_array_equal(np.from_dlpack(out), source)


def test_from_dlpack_takes_torch_tensors_without_copying():
    torch = pytest.importorskip("torch")
    source = torch.arange(6.0).reshape(2, 3).T
    out = edl.from_dlpack(source)
    source[0, 0] = 9
    np.testing.assert_array_equal(out.numpy(), source.numpy())
    with pytest.raises(DTypeError, match=r"\[from_dlpack\] an array that DLPack can hand over.*detach it first"):
        edl.from_dlpack(torch.ones(2, requires_grad=True))
    with pytest.raises(DTypeError, match=r"\[from_dlpack\].*bfloat16.*convert it to a dtype of NumPy first"):
        edl.from_dlpack(torch.ones(2, dtype=torch.bfloat16))


# -- devices, dtypes, gradients -----------------------------------------------------------------

MADE = {
    "zeros": lambda **o: edl.zeros(2, **o), "ones": lambda **o: edl.ones(2, **o),
    "empty": lambda **o: edl.empty(2, **o),
    "full": lambda **o: edl.full(2, 1.5, **o), "full of a tensor": lambda **o: edl.full(2, edl.ones(()), **o),
    "zeros_like": lambda **o: edl.zeros_like(edl.ones(2), **o),
    "ones_like": lambda **o: edl.ones_like(edl.ones(2), **o),
    "empty_like": lambda **o: edl.empty_like(edl.ones(2), **o),
    "full_like": lambda **o: edl.full_like(edl.ones(2), 3, **o),
    "eye": lambda **o: edl.eye(2, **o), "identity": lambda **o: edl.identity(2, **o),
    "tri": lambda **o: edl.tri(2, **o),
    "arange": lambda **o: edl.arange(2, **o), "linspace": lambda **o: edl.linspace(0, 1, 2, **o),
    "logspace": lambda **o: edl.logspace(0, 1, 2, **o), "geomspace": lambda **o: edl.geomspace(1, 2, 2, **o),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_creation_takes_device_and_every_number_dtype(name):
    for dtype in ("int8", "uint64", "bfloat16", "float16", "float64"):
        made = MADE[name](device="cpu:0", dtype=dtype)
        assert isinstance(made, Tensor)
        assert (made.dtype, made.device) == (dtype, "cpu:0")
    with pytest.raises(ArgumentError, match=r"a device is named 'cpu' or 'gpu:N'; got 'tpu'"):
        MADE[name](device="tpu")


@pytest.mark.gpu
@pytest.mark.parametrize("name", MADE)
def test_creation_follows_the_current_device(name):
    if not edl.config.list_devices("gpu"):
        pytest.skip("no GPU, or CuPy is not installed")
    with edl.device("gpu:0"):
        assert MADE[name]().device == "gpu:0"
    assert MADE[name](device="gpu:0").device == "gpu:0"


def test_likes_follow_the_tensor_and_keep_its_dtype():
    x = edl.ones((2, 3), "float16")
    for function in (edl.zeros_like, edl.ones_like, edl.empty_like):
        out = function(x)
        assert (out.shape, out.dtype, out.device) == (x.shape, "float16", x.device)
    assert edl.full_like(edl.ones(2, "int8"), 3.7).tolist() == [3, 3]


def test_created_tensors_of_plain_numbers_are_not_recorded():
    with edl.GradientTape() as tape:
        x = edl.Variable(2.0)
        y = edl.zeros_like(x) + edl.ones(()) * x
    assert tape.gradient(y, x).item() == 1.0


def test_ranges_meet_in_the_dtype_of_their_arguments():
    assert edl.arange(edl.constant(3, "int64")).dtype == "int64"
    assert edl.arange(0, 1.0, edl.constant(0.5, "float16")).dtype == "float16"
    assert edl.arange(np.float64(2)).dtype == "float64"
    assert edl.linspace(edl.constant(0.0, "float16"), 1, 3).dtype == "float16"
    assert edl.linspace(np.int64(0), 1, 3).dtype == "float32"


def test_linspace_hits_both_ends_exactly():
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        start, stop = edl.constant(0.1, dtype), edl.constant(-7.3, dtype)
        out = edl.linspace(start, stop, 11)
        assert (out[0].item(), out[-1].item()) == (start.item(), stop.item())


# -- the rules of private primitives ------------------------------------------------------------

RNG = np.random.default_rng(0)
PRIVATE = {
    "split": (RNG.normal(size=(2, 5)), (1, 3), 1), "unstack": (RNG.normal(size=(2, 5)), 1),
    "tile": (RNG.normal(size=(2, 3)), (2, 1, 3)), "repeat": (RNG.normal(size=(2, 3)), 4, 1),
    "roll": (RNG.normal(size=(2, 3)), 1, 0), "pad_zeros": (RNG.normal(size=(2, 3)), ((1, 0), (2, 1))),
    "pad_constant": (RNG.normal(size=(2, 3)), RNG.normal(size=()), ((1, 0), (2, 1))),
    "zero_inside": (RNG.normal(size=(3, 6)), ((1, 0), (2, 1))),
    "pad_by_index": (RNG.normal(size=(2, 3)), ((1, 0), (2, 1)), "reflect"),
    "unpad": (RNG.normal(size=(3, 6)), (2, 3), ((1, 0), (2, 1)), "reflect"),
    "onto_diagonal": (RNG.normal(size=(2, 3)), (4, 2, 4), 1, 0, 2), "vander": (RNG.normal(size=3), 4),
}  # fmt: skip


@pytest.mark.parametrize("name", PRIVATE)
def test_the_shape_rules_of_private_primitives_tell_what_comes_out(name):
    primitive = autograd.REGISTRY[name]
    args = [edl.constant(x) if isinstance(x, np.ndarray) else x for x in PRIVATE[name]]
    out = primitive.call(*args)
    told = primitive.infer(*[Spec(x.shape, x.dtype) if isinstance(x, Tensor) else x for x in args])
    outs, specs = (out, told) if primitive.several else ((out,), (told,))
    assert [(one.shape, one.dtype) for one in outs] == [(tuple(spec.shape), spec.dtype) for spec in specs]
    arrays = [x for x in PRIVATE[name] if isinstance(x, np.ndarray)]
    edl.check_grads(lambda *xs: primitive.call(*xs, *args[len(xs) :]), tuple(arrays), order=2)
