"""One dataset of several, element by element: choose_from_datasets and sample_from_datasets."""

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from eagerdl.data.nodes import INFINITE, UNKNOWN, Draws, Iterator, Node, check_seed
from eagerdl.data.structure import merged, one_number
from eagerdl.errors import ArgumentError, RangeError


class Choose(Node):
    """From which input each element comes says the last input."""

    label = "choose_from_datasets"

    def __init__(self, inputs, choice, stop_on_empty):
        self.inputs, self.stop_on_empty = (*inputs, choice), stop_on_empty

    def iterator(self, walk):
        return ChooseIterator(self, [one.iterator(walk) for one in self.inputs])

    def spec(self):
        out = self.inputs[0].spec()
        for one in self.inputs[1 : self.parts()]:
            out = merged(out, one.spec())
        return out

    def parts(self):
        """How many inputs give elements."""
        return len(self.inputs) - 1


class MixIterator(Iterator):
    """Asks `_choose` which input is next, as long as one is open."""

    def __init__(self, node, inputs):
        self.node, self.inputs = node, inputs
        self.light = all(one.light for one in inputs)
        self.open = [True] * node.parts()
        self.ended = False

    def _choose(self):
        raise NotImplementedError

    def next(self):
        while not self.ended and any(self.open):
            which = self._choose()
            if which is None:
                break
            if not self.open[which]:
                continue
            try:
                return self.inputs[which].next()
            except StopIteration:
                self.open[which] = False
                self.ended = self.node.stop_on_empty
        self.ended = True
        raise StopIteration

    def state(self):
        return {"open": list(self.open), "ended": self.ended, "inputs": [one.state() for one in self.inputs]}

    def restore(self, state):
        self.open, self.ended = list(state["open"]), state["ended"]
        for one, part in zip(self.inputs, state["inputs"]):
            one.restore(part)


class ChooseIterator(MixIterator):
    def _choose(self):
        try:
            element = self.inputs[-1].next()
        except StopIteration:
            return None
        which = one_number(element, "choose_from_datasets", "choice_dataset")
        if which != int(which) or not 0 <= which < self.node.parts():
            raise RangeError("choose_from_datasets", f"choices lie between 0 and {self.node.parts() - 1}", f"got {which}",
                             "check choice_dataset")  # fmt: skip
        return int(which)


class Sample(Choose):
    """Each element comes from an input drawn at random."""

    label = "sample_from_datasets"

    def __init__(self, inputs, weights, seed, stop_on_empty, rerandomize):
        self.inputs, self.stop_on_empty, self.weights = tuple(inputs), stop_on_empty, weights
        self.seed, self.auto_seed = check_seed("sample_from_datasets", seed), seed is None
        self.counted = bool(rerandomize)

    def parts(self):
        return len(self.inputs)

    def cardinality(self):
        sizes = [one.cardinality() for one in self.inputs]
        if INFINITE in sizes and (not self.stop_on_empty or set(sizes) == {INFINITE}):
            return INFINITE
        return UNKNOWN if self.stop_on_empty or UNKNOWN in sizes else sum(sizes)

    def iterator(self, walk):
        return SampleIterator(
            self, [one.iterator(walk) for one in self.inputs], walk.path(self) if self.counted else ()
        )


class SampleIterator(MixIterator):
    def __init__(self, node, inputs, path):
        super().__init__(node, inputs)
        self.path = path
        self.drawn, self.draws = 0, Draws(node.seed, path)

    def _choose(self):
        weights = [weight if is_open else 0.0 for weight, is_open in zip(self.node.weights, self.open)]
        sums = list(accumulate(weights))
        if not sums[-1]:
            return None
        unit = (self.draws.word(self.drawn) >> 11) * 2.0**-53
        self.drawn += 1
        return bisect_right(sums, unit * sums[-1], hi=max(place for place, weight in enumerate(weights) if weight))

    def state(self):
        return {**super().state(), "drawn": self.drawn, "seed": self.node.seed, "path": list(self.path)}

    def restore(self, state):
        super().restore(state)
        self.node.seed, self.path = state["seed"], tuple(state["path"])
        self.drawn, self.draws = state["drawn"], Draws(self.node.seed, self.path)


def weights_of(weights, count):
    """The weights of `sample_from_datasets` as floats.

    Raises:
        ArgumentError: if there is not one for each dataset, or one is negative, or none positive.
    """
    if weights is None:
        return [1.0] * count
    if hasattr(weights, "_pipeline"):
        raise ArgumentError(
            "sample_from_datasets", "weights are a list of numbers", "got a Dataset", "give one per dataset"
        )
    found = np.asarray(weights, np.float64).reshape(-1).tolist()
    if len(found) != count or not all(weight >= 0 for weight in found) or not 0 < sum(found) < float("inf"):
        raise ArgumentError("sample_from_datasets", f"{count} weights of at least 0, not all 0, are needed", f"got {found}",
                            "give one per dataset")  # fmt: skip
    return found
