"""`function`: traces a Python function of tensors and runs what was traced as one compiled program."""

import functools
import threading
import warnings
import weakref

import numpy as np

from eagerdl import config, tree
from eagerdl.autograd import dispatch
from eagerdl.autograd import graph as recordings
from eagerdl.errors import ArgumentError, ShapeError, TracingError, TracingWarning
from eagerdl.jit import printing
from eagerdl.jit import trace as tracing
from eagerdl.jit.interpreter import ShapeChanged
from eagerdl.jit.numbers import NeedsValue
from eagerdl.jit.signature import Call, Results, Signature, difference
from eagerdl.tensor import Tensor, TensorSpec, batches, from_array, to_array

__all__ = ["Function", "function"]


def function(
    func=None,
    input_signature=None,
    autograph=True,
    jit_compile=None,
    reduce_retracing=False,
    *,
    stabilize=False,
    capture=False,
):
    """Decorates a function of tensors, such as a train step: it is traced once and then runs as a compiled program.

    The numbers are those of the undecorated function, bit for bit. The Python code runs again, to be traced, when it is
    called with arguments of another structure, dtype or shape; kernels are compiled for structure and dtype only, so that
    another batch size compiles nothing.

    On a GPU kernels are CUDA C, and their numbers equal those of eager execution to rounding. Sums, products, quotients, roots,
    comparisons and casts of one element are the same bits; so are matrix products and whatever else is left to CuPy. Functions such
    as exp are those of the same CUDA library, compiled without contractions of products and sums. Reductions add up in another
    order than CuPy's, which depends on sizes alone: the same call gives the same bits at each run and on each GPU.

    Args:
        func: the function; None to use it as a decorator with arguments.
        input_signature: a sequence of TensorSpecs that the positional arguments must fit; they become tensors of these dtypes.
        autograph: whether `if`, `while` and `for` on tensors are turned into `edl.cond`, `edl.while_loop` and `edl.scan`.
        jit_compile: False runs traced calls one by one, without compiling kernels; None and True compile.
        reduce_retracing: accepted for TF's sake.
        stabilize: whether ``log(softmax(x))`` is computed as ``log_softmax(x)``, ``log(1 + exp(x))`` as ``softplus(x)``, the
            cross-entropy of ``softmax(x)`` as that of the logits x, and so on, by the laws of `eagerdl.jit.stability`, which
            Theano was loved for. Where the first form overflows or cancels, values and gradients are right; elsewhere they
            differ by rounding. The same holds in the functions that it calls, and where it runs eagerly. The gradient by
            such a softmax itself is None, since it is no longer on the way, unless a tape watches it.
        capture: True replays calls on a GPU as one CUDA graph, for steps of many small kernels. A step that draws random numbers,
            prints, or touches arrays on the CPU cannot be captured, and runs launch by launch after a warning.

    Raises:
        ShapeError: when an argument does not fit the input_signature.
        TracingError: when the function does what only eager code can do, such as looking at the value of a tensor.

    Example:
        >>> @edl.function
        ... def double(x):
        ...     return x * 2
        >>> double(edl.constant([1.0]))
        Tensor(shape=(1,), dtype=float32, [2.])
        >>> double.experimental_get_tracing_count()
        1
        >>> surprise = edl.function(lambda x: -edl.log(edl.softmax(x)), stabilize=True)
        >>> surprise(edl.constant([0.0, 1000.0]))
        Tensor(shape=(2,), dtype=float32, [1000.   -0.])
    """
    if func is None:
        return functools.partial(function, input_signature=input_signature, autograph=autograph, jit_compile=jit_compile,
                                 reduce_retracing=reduce_retracing, stabilize=stabilize, capture=capture)  # fmt: skip
    return Function(func, input_signature, autograph, jit_compile, stabilize, capture=capture)


@functools.cache
def machinery():
    """The module of what only traces need."""
    from eagerdl.jit import machinery

    return machinery


class Bound:
    """A traced method and the object that it is bound to. The Function behind it, one for each object, does not keep the object."""

    __slots__ = ("__self__", "__wrapped__")

    def __init__(self, function, instance):
        self.__wrapped__, self.__self__ = function, instance

    def __call__(self, *args, **named):
        return self.__wrapped__(*args, **named)

    def __getattr__(self, name):
        return getattr(self.__wrapped__, name)

    def __repr__(self):
        return f"<bound {self.__wrapped__!r} of {self.__self__!r}>"


class Function:
    """A traced function; see `function`."""

    def __init__(self, func, input_signature=None, autograph=True, jit_compile=None, stabilize=False, instance=None,
                 capture=False):  # fmt: skip
        if not callable(func):
            raise ArgumentError("function", "a function is needed", f"got {type(func).__name__}", "decorate a def")
        self.python_function = func
        self.input_signature = None if input_signature is None else tuple(input_signature)
        self._autograph, self._jit_compile, self._stabilize = autograph, jit_compile, stabilize
        self._capture = capture
        self._instance = instance  # a weak reference to what a method is bound to
        self._signature = Signature(func)
        self._eager = False  # set once it was found that its shapes depend on elements
        self._concrete, self._traced = {}, 0  # key -> list of ConcreteFunctions that differ in their variables' layouts
        self._bound = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()
        self._latest = self._latest_with_gradient = None
        self._with_gradients = {}  # key -> DifferentiableFunction, for calls under a tape
        # Names of numbers that are traced without their value, because it changed, and of those whose value is needed.
        self._changing, self._static = frozenset(), frozenset()
        functools.update_wrapper(self, func)
        self._where = getattr(func, "__name__", type(func).__name__)

    # -- calls --------------------------------------------------------------------------------------

    def __call__(self, *args, **named):
        if self._instance is not None:
            args = (self._instance(), *args)
        if self.input_signature is not None:
            args = self._fitted(args)
        if dispatch.interceptions and dispatch.interceptor.get() is not None:  # part of a stabilized function
            return self._converted(*args, **named)
        if self._eager or config.functions_run_eagerly() or batches:
            return self._by_line(*args, **named)
        if tracing.current() is not None:  # part of another trace
            return self._converted(*args, **named)
        recording = recordings.active()
        if recording is not None:
            return self._recorded(recording, args, named)
        call = self._call(args, named)
        for concrete in self._concrete.get(call.key, ()):
            if concrete.fits():
                try:
                    return concrete(call.arrays)
                except ShapeChanged as error:
                    if concrete.graph.writes:  # some variables may have been assigned
                        raise
                    self._eager = True
                    warnings.warn(TracingWarning(f"{error}. From now on this function runs eagerly"), stacklevel=2)
                    return self._by_line(*args, **named)
        with self._lock:
            return self._trace(call)

    def _call(self, args, named):
        try:
            arguments = self._signature.arguments(args, named)
        except TypeError as error:
            raise ArgumentError(self._where, f"the arguments are {self._where}{self._signature}", str(error),
                                "check the call") from None  # fmt: skip
        return Call(self._where, arguments, self._changing)

    def _recorded(self, recording, args, named):
        """A call under a tape: one op to it if it records alone; under several tapes line by line, for derivatives of any order."""
        if recording.forward or len(recording.members) > 1:
            return self._converted(*args, **named)
        call = self._call(args, named)
        found = self._with_gradients.get(call.key)
        if found is None or not found.fits():
            with self._lock:
                machinery().honesty.report(self.python_function, call.tree)
                try:
                    found = self._with_gradients[call.key] = self._run(
                        lambda: machinery().DifferentiableFunction(
                            tracing.Trace(self._where), self._where, call, self._converted, self._signature
                        )
                    )
                except tracing.VariableMade:
                    return self._by_line(*args, **named)
                except NeedsValue as error:  # this number has to be the same at each call
                    self._needs_value_of(error.name)
                    return self._recorded(recording, args, named)
                self._traced += 1
                self._latest_with_gradient = found
                self._history.add(self._where, call, under_tape=True)
        return found(call)

    @functools.cached_property
    def _history(self):
        """What is remembered of its traces."""
        return machinery().honesty.History()

    @functools.cached_property
    def _converted(self):
        function = machinery().convert(self.python_function) if self._autograph else self.python_function
        return machinery().stability.stabilized(function) if self._stabilize else function

    @property
    def _by_line(self):
        """What runs eagerly: stabilized code is converted even then, to tell where branches and loops begin and end."""
        return self._converted if self._stabilize else self.python_function

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        try:
            found = self._bound.get(instance)
            if found is None:
                found = self._bound[instance] = Function(
                    self.python_function,
                    self.input_signature,
                    self._autograph,
                    self._jit_compile,
                    self._stabilize,
                    weakref.ref(instance),
                    self._capture,
                )
        except TypeError:  # without hash or weak references
            return functools.partial(self, instance)
        return Bound(found, instance)

    # -- traces -------------------------------------------------------------------------------------

    def _trace(self, call, runs=True):
        """Runs the Python function under tracing: the results of this call, and a ConcreteFunction for the next ones.

        Args:
            call: the Call.
            runs: whether it counts as a call: variables get their new values, `edl.print` prints.
        """
        machinery().honesty.report(self.python_function, call.tree)
        call = self._with_numbers(call)
        others = self._compiled_for_other_sizes(call)
        trace = tracing.Trace(self._where)
        inputs = [trace.input(array) for array in call.arrays]

        def run():
            with trace.running(), printing.shown_after(trace, runs), machinery().nothing_compiled(others):
                out = self._signature.call(self._converted, call.rebuilt([from_array(one) for one in inputs]))
                results = Results(out)
                for traced in results.arrays:
                    trace.own(traced)
                return results

        try:
            results = self._run(run)
        except tracing.VariableMade:
            return self._signature.call(self._by_line, call.tree)
        except NeedsValue as error:  # this number has to be the same at each call
            self._needs_value_of(error.name)
            return self._trace(Call(self._where, call.tree, self._changing), runs)
        except BaseException:
            trace.close()
            raise
        made = [from_array(traced.example) for traced in results.arrays]
        trace.graph.outputs = [traced.value for traced in results.arrays]
        results.forget()
        try:
            graph = machinery().rewrite(trace.graph.without_dead_code()).without_dead_code()
            concrete = machinery().ConcreteFunction(
                self._where,
                call,
                graph,
                results,
                self._jit_compile is not False,
                self._why(call),
                others,
                trace.rewrites,
                self._capture,
            )
            if runs:
                trace.finish()  # last, so that whatever fails before leaves the variables as they were
        finally:
            trace.close()
        self._concrete.setdefault(call.key, []).append(concrete)
        self._traced += 1
        self._latest = concrete
        self._history.add(self._where, call)
        return results.built(made)

    def _run(self, trace):
        """Calls `trace`; turns what only the first call may do into an error afterwards."""
        if dispatch.interceptor.get() is not None:  # of a stabilized function around, whose part the trace is not
            with dispatch.intercepting(None):
                return self._run(trace)
        try:
            with machinery().honesty.watching():
                return trace()
        except tracing.VariableMade:
            if not self._traced:
                raise
            raise TracingError(self._where, "variables are made in the first call only", "a later call made one",
                               "make it once, outside or behind `if self.v is None`") from None  # fmt: skip

    def _needs_value_of(self, name):
        """Has a number traced with its value, once for each value."""
        self._static |= {name}
        self._changing -= {name}

    def _with_numbers(self, call):
        """The call, with numbers that differ from those of an earlier trace as numbers without a value."""
        for key in self._concrete:
            names = call.numbers_apart(key)
            if names and not self._static.issuperset(names):
                self._changing |= frozenset(names) - self._static
                return Call(self._where, call.tree, self._changing)
        return call

    def _compiled_for_other_sizes(self, call):
        """True if there is a program for calls that differ from this one in sizes only."""
        mine = call.without_sizes()
        return any(one.call.without_sizes() == mine for found in self._concrete.values() for one in found)

    def _why(self, call):
        if not self._concrete:
            return "first call"
        other = self._latest.call
        return difference(call.names, call.key, other.key)

    # -- what was traced ------------------------------------------------------------------------------

    def experimental_get_tracing_count(self):
        """How often the function was traced."""
        return self._traced

    def get_concrete_function(self, *args, **named):
        """The ConcreteFunction for arguments like these, TensorSpecs or values; traces if there is none yet.

        Unknown sizes of a TensorSpec stand for size 1 here; calls with other sizes are traced by themselves.
        """
        for _ in range(2):  # if variables are made, the first time is no trace
            call = self._call_like(args, named)
            found = [one for one in self._concrete.get(call.key, ()) if one.fits()]
            if not found:
                with self._lock:
                    self._trace(call, runs=False)
                found = self._concrete.get(self._call_like(args, named).key)
            if found:
                break
        return found[-1]

    def _call_like(self, args, named):
        """The Call for arguments that may be TensorSpecs; without any, those of the input_signature."""
        if self.input_signature is not None and not args and not named:
            args = self.input_signature
        args, named = tree.map_structure(_example_of, (list(args), named))
        if self._instance is not None:
            args = [self._instance(), *args]
        return self._call(args if self.input_signature is None else self._fitted(args), named)

    def source(self):
        """The last trace as a program: readable Python, and the sources of its kernels with the user's lines behind them."""
        return machinery().explain.source(self)

    def graph(self, format="text"):
        """The graph of the last trace: what is computed of what, with shapes, dtypes and the user's lines.

        Args:
            format: "text", or "dot" for Graphviz, where what is fused stands in a frame.

        Example:
            >>> double = edl.function(lambda x: edl.exp(x) * 2)
            >>> y = double(edl.ones(3))
            >>> print(double.graph())
            <lambda>
            inputs
              t0 = x                float32[3]
            calls
              t1 = exp(t0)          float32[3] ...
              t2 = multiply(t1, 2)  float32[3] ...
            outputs
              t2                    float32[3]
        """
        return machinery().explain.graph(self, format)

    def explain(self, *args, **named):
        """A report: what was traced and why, what was fused, what stays a call of a library, bytes and seconds.

        Args:
            args, named: arguments to run it with, so that the report says how long each part takes; variables keep their values.

        Example:
            >>> double = edl.function(lambda x: edl.exp(x) * 2)
            >>> y = double(edl.ones(3))
            >>> print(double.explain())
            <lambda> (...): 1 trace
                1  first call
            ...
            step  calls          how                         lines
            k0    exp, multiply  fused: 2 calls in one pass  ...
        """
        return machinery().explain.explain(self, args, named)

    def plot(self, to_file="function.svg", rankdir="TB", dpi=200):
        """Draws the graph of the last trace into a file: ``.svg`` or ``.dot``; ``.png`` and ``.pdf`` need matplotlib."""
        return machinery().explain.plot(self, to_file, rankdir, dpi)

    # -- signatures -----------------------------------------------------------------------------------

    def _fitted(self, args):
        """The arguments as tensors of the specs' dtypes."""
        where = f"function {self._where}"
        specs = self.input_signature
        extra = len(args) - len(specs)
        if extra != (self._instance is not None):
            raise ShapeError(
                where, f"input_signature has {len(specs)} arguments", f"got {len(args)}", "pass all of them"
            )

        def fit(spec, x):
            if not isinstance(spec, TensorSpec):  # a structure of specs
                leaves, build = tree.flatten(spec)
                return build([fit(*pair) for pair in zip(leaves, tree.flatten(x)[0], strict=True)])
            x = from_array(to_array(x, spec.dtype)) if not isinstance(x, Tensor) else x
            if not spec.is_compatible_with(TensorSpec(x.shape, x.dtype)):
                raise ShapeError(
                    where, f"an argument must fit {spec}", f"got {x.shape} {x.dtype}", "convert or reshape it"
                )
            return x

        return (*args[:extra], *map(fit, specs, args[extra:]))


def _example_of(x):
    if isinstance(x, TensorSpec):
        return from_array(np.zeros([1 if n is None else n for n in x.shape], x.dtype))
    return x
