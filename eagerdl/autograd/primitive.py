"""`Primitive` and the op families: what an op is, and the rules that follow from its mathematical kind.

An op is defined once, in one block: a decorated function with the docstring, and the rules of its family.

    elementwise   the body is the scalar definition (the compiler's lowering); `forward` is a ufunc; `d` the partials
    linear        the body is the forward on arrays; `transpose` gives the cotangent of each input
    bilinear      the body is the forward on arrays; `left` and `right` give the cotangents of the two inputs
    custom        the body is the forward on arrays; `vjp` gives the cotangents, `jvp` may be given

Rules are written in ops, so that they have derivatives themselves. A rule names what it needs among its parameters: `g`
(the cotangent), `out` (what forward computed), `needs` (which inputs want a cotangent), the inputs and the parameters of
the op by their own names. The tape keeps just that. An input's name with ``_spec`` behind it asks for shape and dtype only;
in `transpose` rules all inputs are such `Spec`s. An op of a variable number of tensors (``variadic=True``) takes them as a
list in its first argument, in its forward and in its rules.
"""

import functools
import inspect

import numpy as np

from eagerdl import dtypes
from eagerdl.autograd import dispatch
from eagerdl.autograd.graph import Spec
from eagerdl.errors import EagerdlError, ShapeError, translate
from eagerdl.kernels.heavy import heavy as replaceable
from eagerdl.tensor import Tensor, from_array

new_spec = functools.partial(object.__new__, Spec)
REGISTRY = {}  # name -> Primitive, every op there is


class Primitive:
    """One op: everything that eager execution, the tape, forward mode and the compiler need to know of it."""

    __slots__ = (
        "body", "call", "defaults", "family", "forward", "infer", "keep_all", "keeps", "keeps_out", "lower", "name",
        "params", "promote", "pull", "push", "reduce", "same_dtype", "several", "tensors", "variadic",
    )  # fmt: skip

    def __init__(self, family, body, forward, *, tensors=1, infer, promote, several=False, same_dtype=False, lower=None,
                 variadic=False, reduce=None):  # fmt: skip
        self.family, self.body, self.forward = family, body, forward
        self.name = body.__name__.lstrip("_")
        self.variadic = variadic
        names, count = parameters_of(body), 1 if variadic else tensors
        self.tensors, self.params = names[:count], names[count:]
        given = body.__defaults__ or ()
        self.defaults = (inspect.Parameter.empty,) * (len(self.params) - len(given)) + given
        self.infer, self.promote, self.several, self.same_dtype, self.lower = infer, promote, several, same_dtype, lower
        self.reduce = reduce
        self.pull = self.push = None
        # What nodes hold of each input, as `graph.held` takes it; for a variable number of inputs of all of them.
        self.keeps, self.keep_all, self.keeps_out = None if variadic else (None,) * count, False, False
        if infer is None:
            raise TypeError(f"op {self.name!r} ({family}) lacks its part 'infer'")
        if self.name in REGISTRY:
            raise TypeError(f"op {self.name!r} is defined twice")
        REGISTRY[self.name] = self

    @property
    def signature(self):
        """The signature of the op; there are hundreds of ops, and few are ever asked."""
        return _signature(self.body)

    def tensor_name(self, index):
        """The name of input number `index` in messages."""
        return f"{self.tensors[0]}[{index}]" if self.variadic else self.tensors[index]

    def explain(self, error, tensors, params):
        """The framework's error for what forward raised: the op's own rule says what is required."""
        if isinstance(error, EagerdlError):
            return error
        try:
            specs = [Spec(x.shape, x.dtype) for x in tensors]
            self.infer(*([specs] if self.variadic else specs), *params)
        except EagerdlError as ours:
            return ours.with_traceback(None)
        except Exception:  # the rule itself stumbles over such arguments: the array library's words are what there is
            pass
        return translate(self.name, error, self.describe(tensors, params))

    def describe(self, tensors, params=()):
        """What came: ``x1 (2, 3) float32, axis=1``."""
        shown = [f"{self.tensor_name(i)} {x.shape} {x.dtype}" for i, x in enumerate(tensors)]
        shown += [f"{name}={value!r}" for name, value in zip(self.params, params, strict=False)]
        return ", ".join(shown)

    def asked(self, function, what):
        """What the rule `function` names, as the text of the arguments of its call; notes what is kept."""
        plan = []
        for asked in parameters_of(function):
            name = asked.removesuffix("_spec")
            values_wanted = self.family != "linear" and name == asked
            if name in ("g", "out", "needs"):
                plan.append(name)
                self.keeps_out |= name == "out"
            elif self.variadic and name == self.tensors[0]:
                plan.append("inputs" if values_wanted else "[*map(as_spec, inputs)]")
                self.keep_all |= values_wanted
            elif name in self.tensors:
                index = self.tensors.index(name)
                plan.append(f"inputs[{index}]" if values_wanted else f"as_spec(inputs[{index}])")
                self.keep(index, values_wanted)
            elif name in self.params:
                plan.append(f"params[{self.params.index(name)}]")
            else:
                raise TypeError(f"op {self.name!r}: its {what} asks for {name!r}; there are g, out, needs, "
                                f"{', '.join(self.tensors + self.params)}")  # fmt: skip
        return ", ".join(plan)

    def keep(self, index, values):
        """Notes that a rule needs the values of an input, or its shape and dtype."""
        self.keeps = tuple([(values or bool(kept)) if i == index else kept for i, kept in enumerate(self.keeps)])

    def __repr__(self):
        return f"<Primitive {self.name} ({self.family})>"


@functools.cache
def _signature(body):
    """The signature of an op, without what is only known by name: `out`, where a program has memory for the result."""
    found = inspect.signature(body)
    kept = [one for one in found.parameters.values() if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    return found.replace(parameters=kept)


def parameters_of(function):
    """The names of the parameters of a plain function."""
    return function.__code__.co_varnames[: function.__code__.co_argcount]


# -- families -----------------------------------------------------------------------------------


def elementwise(forward, d=None, *, promote=None, dtype=None, tensors=None):
    """Decorates the scalar definition of an elementwise op.

    Args:
        forward: a ufunc or a function of arrays that broadcasts as one.
        d: the partial derivative(s): a function, or the number 1, -1 or 0, for each input; None if there is none.
        promote: the policy by which input dtypes meet; `to_common` by default, `to_floating` for one input with `d`.
        dtype: the dtype that comes out where it is not that of the inputs: a dtype or a function of the input's.
        tensors: how many leading parameters are tensors; by default all of them.
    """

    def define(body):
        count = tensors or len(parameters_of(body))
        policy = promote or (dtypes.to_floating if d is not None and count == 1 else dtypes.to_common)
        out_dtype = dtype if callable(dtype) else (lambda given: given if dtype is None else dtype)

        def infer(*args):
            specs = args[:count]
            return Spec(broadcast(primitive, specs), out_dtype(dtypes.result_type(*policy([s.dtype for s in specs]))))

        primitive = Primitive("elementwise", body, forward, tensors=count, infer=infer, promote=policy,
                              same_dtype=dtype is None, lower=body)  # fmt: skip
        if d is not None:
            partials = d if isinstance(d, tuple) else (d,)
            primitive.pull = _pull_of(primitive, partials, "partial derivatives")
            primitive.push = _elementwise_push(primitive, partials)
        primitive.call = dispatch.bind(primitive, body)
        if isinstance(forward, np.ufunc):
            Tensor._ufuncs.setdefault(forward, primitive.call)
        return primitive.call

    return define


def linear(transpose, *, infer, promote=dtypes.keep, tensors=1, variadic=False, reduce=None):
    """Decorates the forward of an op that is linear in all its inputs together.

    Args:
        transpose: the rule for the cotangent of the input; a tuple of rules for several inputs; for a variable number of
            inputs one rule that returns a list.
        infer: the rule for shape and dtype, from the Specs of the inputs and the parameters.
        promote: the policy by which input dtypes meet.
        tensors: how many leading parameters are tensors.
        variadic: whether the first parameter is a list of tensors.
        reduce: of a reduction the method of a ufunc that gives the same for float32, with all parameters at their defaults.
    """

    def define(body):
        primitive = Primitive("linear", body, body, tensors=tensors, infer=infer, promote=promote, variadic=variadic,
                              reduce=reduce)  # fmt: skip
        primitive.pull = _pull_of(primitive, transpose, "transpose")

        def push(out, inputs, tangents, params):
            filled = [zeros_like(x) if t is None else t for x, t in zip(inputs, tangents, strict=True)]
            return dispatch.general(primitive, filled, params)

        primitive.push = push
        primitive.call = dispatch.bind(primitive, body)
        return primitive.call

    return define


def bilinear(left, right, *, infer, promote=dtypes.to_common):
    """Decorates the forward of an op of two inputs that is linear in each.

    Args:
        left, right: the rules for the cotangents of the first and of the second input.
        infer: the rule for shape and dtype.
        promote: the policy by which input dtypes meet.
    """

    def define(body):
        primitive = Primitive("bilinear", body, body, tensors=2, infer=infer, promote=promote, same_dtype=True)
        primitive.pull = _pull_of(primitive, (left, right), "left and right")
        primitive.keeps = (True, True)

        def push(out, inputs, tangents, params):
            a, b = inputs
            terms = []
            if tangents[0] is not None:
                terms.append(dispatch.general(primitive, (tangents[0], b), params))
            if tangents[1] is not None:
                terms.append(dispatch.general(primitive, (a, tangents[1]), params))
            return terms[0] if len(terms) == 1 else terms[0] + terms[1]

        primitive.push = push
        primitive.call = dispatch.bind(primitive, body)
        return primitive.call

    return define


def custom(vjp=None, *, infer, jvp=None, promote=dtypes.keep, tensors=1, several=False, lower=None,
           variadic=False, reduce=None, heavy=False):  # fmt: skip
    """Decorates the forward of any other op.

    Args:
        vjp: the rule for the cotangent of the input; a tuple of rules for several inputs; or, where the cotangents share
            work, one rule for several inputs that returns a tuple of them. None if there is no derivative. For ops with
            several results `g` and `out` are tuples, with None in `g` for results that nobody used.
        infer: the rule for shape and dtype; for several results a tuple of Specs.
        jvp: a function (out, inputs, tangents, params) -> the tangent of the result (tangents may be None); by default
            it is derived by transposing the vjp, which is linear in `g`.
        promote: the policy by which input dtypes meet.
        tensors: how many leading parameters are tensors.
        several: whether forward returns a tuple of results.
        lower: a plain Python kernel for the compiler.
        variadic: whether the first parameter is a list of tensors.
        reduce: of a reduction the method of a ufunc that gives the same for float32, with all parameters at their defaults.
        heavy: whether compiled code may stand for it on large arrays, see `kernels.heavy`.
    """

    def define(body):
        forward = replaceable(body) if heavy else body
        primitive = Primitive("custom", body, forward, tensors=tensors, infer=infer, promote=promote, several=several,
                              lower=lower, variadic=variadic, reduce=reduce)  # fmt: skip
        if vjp is not None:
            primitive.pull = _pull_of(primitive, vjp, "vjp")
            primitive.push = jvp  # None: forward mode transposes the vjp
            if jvp is not None:
                primitive.keeps = None if primitive.variadic else (True,) * len(primitive.tensors)
                primitive.keep_all = True
        primitive.call = dispatch.bind(primitive, body)
        return primitive.call

    return define


# -- the rules that families give ---------------------------------------------------------------


def broadcast(primitive, specs):
    """The shape to which the shapes of `specs` broadcast."""
    try:
        return np.broadcast_shapes(*[spec.shape for spec in specs])
    except ValueError:
        raise ShapeError(primitive.name, "shapes must broadcast: aligned at the right, sizes must be equal or 1",
                         primitive.describe(specs), "reshape one of them, as with edl.expand_dims") from None  # fmt: skip


def unbroadcast(g, like):
    """The cotangent `g` summed over the axes along which a tensor of shape `like.shape` was broadcast."""
    shape = like.shape
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    axes = (*range(lead), *[lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1])
    out = g.sum(axes) if axes else g
    return out if out.shape == shape else out.reshape(shape)


def zeros_like(x):
    """A tensor of zeros with the shape, dtype and device of a tensor or Spec."""
    from_device = dispatch.devices.module_of(x._array) if isinstance(x, Tensor) else dispatch.devices.module_for()
    return from_array(from_device.zeros(x.shape, x.dtype))


def as_spec(held):
    """What a rule that needs no values gets, of what a node held or of the input itself."""
    if held.__class__ is not tuple:
        return held
    spec = new_spec()
    spec.shape, spec.dtype = held
    return spec


def _times(g, slope):
    """g * slope, with the slope conjugated if complex, as in TF."""
    if slope.__class__ is Tensor:
        return g * (slope if slope._array.dtype in dtypes.FLOATING_SET else slope.conj())
    return g * (slope.conj() if isinstance(slope, Tensor) and dtypes.is_complex(slope.dtype) else slope)


def _summed(g, held):
    """The cotangent `g` of a result as that of the input that a node `held`, or its shape and dtype: `unbroadcast` if need be."""
    shape = held[0] if held.__class__ is tuple else held.shape
    return g if g.shape == shape else unbroadcast(g, as_spec(held))


def _elementwise_push(primitive, partials):
    calls = [f"rule0({primitive.asked(d, 'partial')})" if callable(d) else None for d in partials]

    def push(out, inputs, tangents, params):
        total = None
        for d, call, t in zip(partials, calls, tangents, strict=True):
            if t is not None:
                slope = d if call is None else written(call)(d)(None, out, None, inputs, params)
                term = t if slope.__class__ is int and slope == 1 else t * slope
                total = term if total is None else total + term
        return total if total.shape == out.shape else total + zeros_like(out)

    return push


def _pull_of(primitive, rules, what):
    """One function (g, out, needs, inputs, params) -> cotangents of the inputs, from a rule for each or one for all."""
    if not isinstance(rules, tuple):
        single, asked = len(primitive.tensors) == 1 and not primitive.variadic, primitive.asked(rules, what)
        return _deferred(primitive, f"(rule0({asked}),)" if single else f"rule0({asked})", [rules])
    if len(rules) != len(primitive.tensors):
        raise TypeError(
            f"op {primitive.name!r} has {len(primitive.tensors)} inputs and {len(rules)} rules in its {what}"
        )
    terms = [_term(primitive, rule, i, what) for i, rule in enumerate(rules)]
    if len(terms) > 1:
        terms = [f"{term} if needs[{i}] else None" for i, term in enumerate(terms)]
    return _deferred(primitive, f"({', '.join(terms)},)", rules)


def _deferred(primitive, text, rules):
    """What stands in for a pull until its first call, which compiles it: no program uses all ops."""

    def pull(*arguments):
        primitive.pull = written(text, len(rules))(*rules)
        return primitive.pull(*arguments)

    return pull


def _term(primitive, rule, i, what):
    """The text of the cotangent of input number `i`."""
    slope = f"rule{i}({primitive.asked(rule, what)})" if callable(rule) else rule
    if primitive.family != "elementwise" or rule is None:
        return slope
    term = f"_times(g, {slope})" if callable(rule) else {1: "g", -1: "-g"}.get(rule, f"g * {rule}")
    if len(primitive.tensors) == 1:  # nothing was broadcast
        return term
    primitive.keep(i, False)
    return f"_summed({term}, inputs[{i}])"


@functools.cache
def written(text, count=1):
    """A function that makes of `count` rules the function (g, out, needs, inputs, params) -> `text`, in which they are called.

    There are some dozens of such texts for hundreds of rules, so that each is compiled once.
    """
    rules = ", ".join([f"rule{i}" for i in range(count)])
    # Its file is this one, so that its frames count as the framework's.
    return eval(compile(f"lambda {rules}: lambda g, out, needs, inputs, params: {text}", __file__, "eval"))
