"""Names that other frameworks use, and the ones that do the same here."""

RENAMED = {
    # TensorFlow
    "reduce_mean": "mean", "reduce_sum": "sum", "reduce_max": "max", "reduce_min": "min", "reduce_prod": "prod",
    "reduce_all": "all", "reduce_any": "any", "reduce_std": "std", "reduce_variance": "var",
    "reduce_logsumexp": "logsumexp", "concat_v2": "concatenate", "to_float": "cast", "to_int32": "cast", "mul": "multiply",
    "sub": "subtract", "div": "divide", "truediv": "divide", "neg": "negative", "rank": "ndim", "gather": "take",
    "gather_nd": "get_item", "batch_gather": "take_along_axis", "tensor_scatter_nd_update": "scatter_update",
    "scatter_nd": "scatter", "boolean_mask": "get_item", "random_normal": "random.normal",
    "random_uniform": "random.uniform", "set_random_seed": "utils.set_random_seed", "fill": "full", "range": "arange",
    "matrix_inverse": "inv", "matrix_determinant": "det", "unsorted_segment_sum": "segment_sum",
    "identity_n": "copy", "is_nan": "isnan", "is_inf": "isinf", "is_finite": "isfinite", "lgamma": "scipy.special.gammaln",
    "floordiv": "floor_divide", "floormod": "mod", "math": "ops", "strided_slice": "get_item", "invert_permutation": "argsort",
    "map_fn": "map", "foldl": "scan", "case": "switch", "py_function": "custom_gradient", "Graph": "function",
    "Session": "GradientTape", "placeholder": "Input", "get_variable": "Variable", "global_norm": "norm",
    "UnconnectedGradients": "GradientTape", "nest": "tree", "TensorShape": "shape", "DType": "dtype",
    # PyTorch
    "tensor": "constant", "as_tensor": "asarray", "from_numpy": "asarray", "cat": "concatenate", "clamp": "clip",
    "unsqueeze": "expand_dims", "permute": "transpose", "t": "transpose", "mm": "matmul", "bmm": "matmul", "mv": "matmul",
    "addmm": "matmul", "no_grad": "stop_gradient", "enable_grad": "GradientTape", "autograd": "GradientTape",
    "manual_seed": "utils.set_random_seed", "rand": "random.uniform", "randn": "random.normal", "randint": "random.randint",
    "randperm": "random.shuffle", "index_select": "take", "masked_select": "get_item", "masked_fill": "where",
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "scatter_add": "scatter_update", "chunk": "split", "topk": "top_k", "amax_": "amax", "hardtanh": "hard_tanh",
    "hardswish": "hard_swish", "hardsigmoid": "hard_sigmoid", "logit": "log", "frac": "mod", "ger": "outer",
    "cross_entropy": "sparse_categorical_crossentropy", "nll_loss": "sparse_categorical_crossentropy",
    "conv2d": "conv", "conv1d": "conv", "conv3d": "conv", "max_pool2d": "max_pool", "avg_pool2d": "average_pool",
    "layer_norm": "layer_normalization", "batch_norm": "batch_normalization", "embedding": "take",
    "is_grad_enabled": "GradientTape",
    "Parameter": "Variable", "optim": "optimizers", "compile": "function", "vmap": "vectorized_map", "arctan_2": "arctan2",
    # JAX and others
    "lax": "ops", "numpy": "ops", "jit": "function", "pmap": "vectorized_map", "grad_and_value": "value_and_grad",
    "jacfwd": "jacobian", "jacrev": "jacobian", "tree_map": "tree.map_structure", "checkpoint": "recompute_grad",
    "remat": "recompute_grad", "nonlinearities": "activations", "shared": "Variable", "ndarray": "Tensor",
}  # fmt: skip


def missing(name, existing):
    """The message for a top-level name that does not exist: the name here, or the nearest ones."""
    start = f"eagerdl has no {name!r}"
    if RENAMED.get(name, "").partition(".")[0] in existing:
        return f"{start}; the name here is {RENAMED[name]!r}"
    import difflib

    close = difflib.get_close_matches(name, existing, n=3, cutoff=0.6)
    return (
        f"{start}; did you mean {' or '.join(map(repr, close))}?" if close else f"{start}; dir(eagerdl) lists all names"
    )
