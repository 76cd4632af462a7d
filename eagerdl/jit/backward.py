"""Gradients through a compiled function: a tape outside sees one op, whose derivative is a compiled program as well.

The function is traced once together with its gradient, for cotangents that are inputs. What of that graph depends on the
cotangents is the backward program; the rest is the forward program, which also returns what the backward one needs of it.
"""

import numpy as np

from eagerdl.autograd import graph as recordings
from eagerdl.autograd.tape import GradientTape
from eagerdl.dtypes import INEXACT_SET
from eagerdl.errors import TapeError
from eagerdl.jit.programs import program_for
from eagerdl.jit.rewrite import rewrite
from eagerdl.jit.signature import Results
from eagerdl.tensor import from_array


class DifferentiableFunction:
    """One trace of a function together with its gradient.

    Args:
        trace: the Trace, not yet run; the variables are as before when this returns.
        where: the function's name.
        call: the Call that it is traced with.
        function, signature: the Python function.
    """

    def __init__(self, trace, where, call, function, signature):
        self.where, self.call, self.given, self.rewrites = where, call.outline(), len(call.arrays), trace.rewrites
        sources = [from_array(trace.input(array)) for array in call.arrays]
        self.watched = [i for i, x in enumerate(sources) if x.dtype in INEXACT_SET and call.tensors[i] is not None]
        with trace.running():
            with GradientTape(persistent=True) as tape:
                for i in self.watched:
                    tape.watch(sources[i])
                self.results = Results(signature.call(function, call.rebuilt(sources)))
            self.variables = list(tape.watched_variables())
            out = self.results.tensors
            self.differentiable = [i for i, x in enumerate(out) if x.dtype in INEXACT_SET]
            cotangents = [from_array(trace.input(np.ones_like(out[i]._array.example))) for i in self.differentiable]
            targets = [out[i] for i in self.differentiable]
            wanted = [sources[i] for i in self.watched] + self.variables
            grads = tape.gradient(targets, wanted, cotangents) if targets and wanted else [None] * len(wanted)
            values = [None if g is None else trace.encode(g._array) for g in grads]
        self.zeros = [np.zeros_like(out[i]._array.example) for i in self.differentiable]
        trace.graph.outputs = [x._array.value for x in out] + [value for value in values if value is not None]
        self.has_gradient = [value is not None for value in values]
        trace.close()
        self.results.forget()
        self._split(rewrite(trace.graph.without_dead_code()).without_dead_code(), len(out))

    def _split(self, whole, count):
        """Makes the forward and the backward program."""
        whole.named_values()
        cotangents = whole.inputs[self.given :]
        forward, backward, saved = whole.parted(cotangents, whole.outputs[count:])
        forward.inputs, forward.variables, forward.writes = whole.inputs[: self.given], whole.variables, whole.writes
        forward.outputs, backward.outputs = [*whole.outputs[:count], *saved], whole.outputs[count:]
        backward.inputs = [*cotangents, *saved]
        self.count = count
        self.forward, self.backward = (
            program_for(forward.without_dead_code()),
            program_for(backward.without_dead_code()),
        )

    def fits(self):
        """True if the variables look as they did when it was traced."""
        return self.forward.fits()

    def __call__(self, call):
        """The results for a call, recorded as one op on the tape under way."""
        arrays = self.forward(call.arrays)
        made = tuple([from_array(array) for array in arrays[: self.count]])
        inputs = tuple([call.tensors[i] for i in self.watched] + self.variables)
        recordings.record(Recorded(self, arrays[self.count :]), made, inputs, ())
        return self.results.built(list(made))

    def pull(self, saved, g, needs):
        """The cotangents of the inputs, from those of the results."""
        if recordings.active() is not None:
            raise TapeError(self.where, "a tape that records its own gradient has to see the ops inside of a compiled function", "",
                            "decorate the function that takes the gradient, or nest two tapes around the call")  # fmt: skip
        cotangents = [zero if g[i] is None else g[i]._array for i, zero in zip(self.differentiable, self.zeros)]
        found = iter(self.backward([*cotangents, *saved]))
        grads = [from_array(next(found)) if there else None for there in self.has_gradient]
        return [g if need else None for g, need in zip(grads, needs)]


class Recorded:
    """What a tape knows of one call: a primitive together with what the call saved."""

    __slots__ = ("function", "saved")
    name, family, push = "function", "compiled", None
    keeps, keep_all, keeps_out, params, tensors = None, False, False, (), ()

    def __init__(self, function, saved):
        self.function, self.saved = function, saved

    def pull(self, g, out, needs, inputs, params):
        return self.function.pull(self.saved, g, needs)
