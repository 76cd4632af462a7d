"""The text of binders, which `dispatch` compiles: the function through which an op with parameters runs.

Text, because a binder has the arguments of its op, and every call in it that is saved is felt: to call a forward with a tuple
of arguments, to record by a function, or to look for keywords in a dict costs more than all the rest of a binder. Texts differ
by the numbers of tensors and parameters only, so that some thirty of them serve hundreds of ops; the names come afterwards.
"""

import functools

from eagerdl.templates import filled

# What `record` does for one input `x`, whose array is `a`, and one result `t`, both plain, where one recording watches: the
# common case, in few steps.
RECORD_UNARY = """
parent, recording = x._node, active()
if recording is None or recording.forward or (parent.recording is not recording and not admit(parent, recording)):
    record(primitive, t, (x,), {params})
else:
    node = t._node = Node()
    node.primitive = primitive
    if keeps is False:  # as `held` gives it
        node.inputs = ((a.shape, {dtype}),)
    else:
        node.inputs = (None if keeps is None else x if x.__class__ is Tensor else held(x, True),)
    node.params = {params}
    node.parents = (parent,)
    node.out = t._array if keeps_out else None
    node.recording = recording
    node.serial = next(serials)
    recording.nodes.append(weak(node))
""".strip()

RECORDER = """
def record_unary(primitive, t, x, params):
    a, (keeps,), keeps_out = x._array, primitive.keeps, primitive.keeps_out
    {record}
"""

BINDER = """
def bind(primitive, forward, reduce, promote, any_dtype, records, keeps, keeps_out):
    def call({arguments}, *more, **named):
        {first}
        if named or more or {missing}:
            raise misfit(primitive, ({arguments},), more, named)
        {run}
    return call
"""

# A reduction of all elements, in which every loss ends.
REDUCTION = """
if {as_usual} and x.__class__ is plain_tensor and not named and not more:
    a = x._array
    if a.dtype is FLOAT32 and a.__class__ is ndarray:
        try:
            out = reduce(a, None, None, empty((), FLOAT32))
        except Exception:
            out = None
        if out is not None:
            t = new_tensor()
            t._array = out
            t._node = None
            if recorders and x._node is not None:
                {record}
            return t
"""

ONE_TENSOR = """
if x.__class__ is plain_tensor or x.__class__ is plain_variable:
    a = x._array
    if any_dtype or a.dtype in INEXACT_SET:
        try:
            out = forward(a, {params})
        except Exception:
            out = None
        if out is not None:
            t = new_tensor()
            t._array = out if out.__class__ is ndarray else as_array(out)
            t._node = None
            if recorders and records and x._node is not None:
                {record}
            return t
return general(primitive, (x,), ({params}))
"""

SEVERAL = """
if {are_plain}:
    {names} = {arrays}
    if any_dtype or settled(promote, ({kinds})):
        try:
            out = forward({names} {params})
        except Exception:
            out = None
        if out is not None:
            return results(primitive, out, ({inputs}), ({params}))
return general(primitive, ({inputs}), ({params}))
"""

VARIADIC = """
inputs = tuple(x)
arrays = plain_arrays(inputs, promote)
if arrays:
    try:
        out = forward(arrays, {params})
    except Exception:
        out = None
    if out is not None:
        return results(primitive, out, inputs, ({params}))
return general(primitive, inputs, ({params}))
"""


def listed(names):
    """The names with a comma behind each."""
    return "".join(f"{name}, " for name in names)


@functools.cache
def binder(tensors, params, needed, plain, variadic, usual=None):
    """The text of what makes the binder of an op with so many tensors and parameters, its arguments named x, x1, ..., p0, p1, ...

    Args:
        tensors, params, needed: numbers: of both, and of those that have no default.
        plain: whether it has one tensor and one result.
        variadic: whether the first argument is a list of tensors.
        usual: of a reduction the defaults of its parameters, each None or a bool: with them `reduce` does the op for float32.
    """
    xs, ps = ["x", *[f"x{i}" for i in range(1, tensors)]], [f"p{i}" for i in range(params)]
    given = listed(ps)
    first = ""
    if usual:
        as_usual = " and ".join(f"{name} is {value}" for name, value in zip(ps, usual, strict=True))
        first = filled(REDUCTION, as_usual=as_usual, record=RECORD_UNARY.format(params=usual, dtype="FLOAT32"))
    if plain:
        run = filled(ONE_TENSOR, params=given, record=RECORD_UNARY.format(params=f"({given})", dtype="a.dtype"))
    elif variadic:
        run = filled(VARIADIC, params=given)
    else:
        names = [x.replace("x", "a") for x in xs]
        are_plain = [f"({x}.__class__ is plain_tensor or {x}.__class__ is plain_variable)" for x in xs]
        run = filled(SEVERAL, params=given, are_plain=" and ".join(are_plain), inputs=listed(xs), names=listed(names),
                     arrays=listed(f"{x}._array" for x in xs), kinds=listed(f"{a}.dtype" for a in names))  # fmt: skip
    arguments = [*xs, *ps]
    missing = " or ".join(f"{name} is MISSING" for name in arguments[:needed])
    return filled(BINDER, arguments=", ".join(arguments), missing=missing, first=first, run=run)


def recorder():
    """The text of `record_unary`, for ops that have a binder of their own."""
    return filled(RECORDER, record=RECORD_UNARY.format(params="params", dtype="a.dtype"))
