"""`Schedule`: what a program does and in which order: its steps, how long values live, which are overwritten in place."""

import heapq

import numpy as np

from eagerdl.jit.fuse import FULL, regions_of
from eagerdl.jit.graph import CALL, ELEMENTWISE, LOOP, REDUCE, VIEW, Value, is_gufunc
from eagerdl.jit.memory import is_held, pin
from eagerdl.jit.spaces import NotEmitted


class Step:
    """One step of a program: a region, or a call that is not fused."""

    __slots__ = ("node", "outputs", "reads", "region", "source")

    def __init__(self, region=None, node=None):
        self.region, self.node, self.source = region, node, None
        self.outputs, self.reads = [], []

    @property
    def nodes(self):
        return self.region.nodes if self.region is not None else [self.node]


class Schedule:
    """The steps of a program; what is particular to a machine is its subclasses' own.

    Attributes:
        graph: the Graph.
        steps: what it does, in order.
        drafts: region -> its Source as long as nothing is overwritten in place.
        outside: the values of regions that are needed outside of them.
        bound: (variable, its Pin, whether it is written) for each variable.
        partners: new value of a variable -> the old one, in whose memory it is written.
    """

    def source_of(self, region, partners):
        """The Source of a region, whose outputs overwrite their `partners`."""
        raise NotImplementedError

    def _plan(self):
        """Finds the steps, lives, partners and sources."""
        self.graph.named_values()
        self.drafts = {}
        self._make_steps()
        self._find_lives()
        self._find_partners()
        for step in self.steps:
            if step.region is not None:
                overwrites = any(value in self.partners for value in step.outputs)
                step.source = self.source_of(step.region, self.partners) if overwrites else self.drafts[step.region]

    # -- what is done, in order ----------------------------------------------------------------------

    def _make_steps(self):
        graph = self.graph
        regions, home = self._regions()
        bad, drafts = set(), self.drafts
        while True:
            alone = {node for region in bad for node in region.nodes}
            self.outside = self._needed_outside({n: r for n, r in home.items() if r not in bad})
            worse = set()
            for region in regions:
                if region not in bad:
                    try:
                        drafts[region] = self.source_of(region, {})
                    except NotEmitted:
                        worse.add(region)
            if not worse:
                break
            bad |= worse
        home = {node: region for node, region in home.items() if region not in bad}
        place = {node: index for index, node in enumerate(graph.nodes)}
        steps, owner = {}, {}
        for node in graph.nodes:
            region = home.get(node)
            if region is None or (node.kind == VIEW and node.outputs[0] in self.outside):
                key = node
            else:
                key = region
            if key not in steps:
                steps[key] = Step(region=key) if key is region else Step(node=node)
            if key is node:
                for value in node.outputs:
                    owner[value] = steps[key]
            else:
                owner.setdefault(node.outputs[0], steps[key])
        self.home = home
        self.steps = self._ordered([*steps.values()], owner, place, alone)

    def _regions(self):
        """What runs together, as `fuse.regions_of` gives it."""
        return regions_of(self.graph, self._alone())

    def _alone(self):
        """The calls that are better not fused."""
        return ()

    def _needed_outside(self, home):
        """The values of regions that something else reads, with what views of them are made of."""
        found = set(self.graph.ends())
        reads = [value for node in self.graph.nodes if node not in home for value in node.inputs]
        for region in dict.fromkeys(home.values()):
            reads += [value for node in region.nodes for value in node.inputs if value not in region.axes]
        found.update(value for value in reads if value.node in home)
        for node in reversed(self.graph.nodes):
            if node.kind == VIEW and node in home and node.outputs[0] in found:
                found.update(node.inputs)
        return found

    def _ordered(self, steps, owner, place, alone):
        """Steps after what they read; otherwise in the order of the trace."""
        waits, followers, check = {}, {}, None
        for step in steps:
            before = set()
            for node in step.nodes:
                for value in node.inputs:
                    if step.region is not None and value in step.region.axes:
                        continue  # views of what it computes, which are steps of their own if others read them
                    other = owner.get(value)
                    if other is not None and other is not step:
                        before.add(other)
            if step.region is None and step.node.acts:  # these keep their order
                before.update([check] if check is not None else [])
                check = step
            waits[step] = len(before)
            for other in before:
                followers.setdefault(other, []).append(step)
        rank = {step: max(place[node] for node in step.nodes) for step in steps}
        ready = [(rank[step], index, step) for index, step in enumerate(steps) if not waits[step]]
        heapq.heapify(ready)
        ordered, count = [], len(steps)
        while ready:
            step = heapq.heappop(ready)[2]
            ordered.append(step)
            for other in followers.get(step, ()):
                waits[other] -= 1
                if not waits[other]:
                    count += 1
                    heapq.heappush(ready, (rank[other], count, other))
        return ordered

    def _find_lives(self):
        """For each value the number of the last step that reads it, or a view of it."""
        self.last, self.roots = {}, {}
        ends = set(self.graph.ends())
        for number, step in enumerate(self.steps):
            if step.region is not None:
                mine = step.region.axes
                step.outputs = [v for v in mine if v in self.outside and v.node.kind != VIEW]
                step.reads = [v for node in step.nodes for v in node.inputs if v not in mine]
            else:
                step.outputs, step.reads = [*step.node.outputs], [*step.node.inputs]
                for new, old in overwritten(step.node):
                    self.roots[new] = self._roots(old)
                if step.node.shares:
                    for value in step.node.outputs:
                        self.roots[value] = [root for v in step.node.inputs for root in self._roots(v)]
            for value in step.reads:
                for root in self._roots(value):
                    self.last[root] = number
        for value in ends:
            for root in self._roots(value):
                self.last[root] = len(self.steps)

    def _roots(self, value):
        """The values whose memory `value` may be."""
        found = self.roots.get(value)
        return [value] if found is None else [value, *found]

    def _is_overwritten_at_the_end(self, value):
        """True if a value lies in the memory of a variable that gets its new value after all steps."""
        roots = self._roots(value)
        return any(self.graph.variables[variable] in roots for variable in self.graph.writes)

    def _find_partners(self):
        """Which new values of variables may overwrite the old ones in place."""
        self.partners = {}
        number = {value: n for n, step in enumerate(self.steps) for value in step.outputs}
        owners = {value: variable for variable, value in self.graph.variables.items()}
        taken = set()
        for variable, new in self.graph.writes.items():
            old = self.graph.variables[variable]
            step = self.steps[number[new]] if new in number else None
            if step is None or step.region is None or new in taken or new in owners or new.node.kind == VIEW:
                continue
            region = step.region
            fits = (new.strides, new.shape, new.dtype) == (old.strides, old.shape, old.dtype)
            if not fits or region.level(new) != FULL or region.axes[new] != region.identity:
                continue
            if self.last.get(old, -1) > number[new] or not self._is_read_first(region, old, new):
                continue
            if any(old in self._roots(value)[1:] for value in step.reads):  # through a view, in another order
                continue
            self.partners[new] = old
            taken.add(new)

    def _is_read_first(self, region, old, new):
        """True if the region reads `old` element by element and before it makes `new`, in one phase."""
        if not any(old in node.inputs for node in region.nodes):
            return True
        draft = self.drafts[region]
        if draft.phases > 1 or draft.blocked:
            return False
        first = next(i for i, node in enumerate(region.nodes) if old in node.inputs)
        axes = {operand.axes for operand in draft.operands if operand.value is old}
        return axes == {region.axes[new]} and first <= region.nodes.index(new.node)

    # -- calls as text ------------------------------------------------------------------------------

    def text_of(self, value):
        """The name of a value's array in the text."""
        if value in self.arrays:
            self.names[value.name] = self.arrays[value]
        return value.name

    def _call_text(self, node, name):
        """A call as text, and the names in it."""
        bound = {name: node.function.in_place if self._may_overwrite(node) else node.function}
        args = [self._argument(one, name, bound) for one in node.args]
        args += [f"{key}={self._argument(one, name, bound)}" for key, one in node.named.items()]
        return f"{name}({', '.join(args)})", bound

    def _may_overwrite(self, node):
        """Whether a loop may leave what it collects in the memory of arrays: nobody else needs them."""
        pairs = overwritten(node)
        if not pairs or not all(isinstance(old, Value) for _, old in pairs):
            return False
        number = next(number for number, step in enumerate(self.steps) if step.node is node)
        later = [*[value for step in self.steps[number + 1 :] for value in step.reads], *self.graph.ends()]
        for new, old in pairs:
            base = self._roots(old)[-1]
            if sum(value is old for value in node.inputs) > 1:  # the loop reads it in another way as well
                return False
            others = [*later, *[value for value in node.inputs if value is not old]]
            if base not in self.offsets or base in self.partners or base in self.partners.values():
                return False
            if any(base in self._roots(value) and new not in self._roots(value) for value in others):
                return False
        return True

    def _argument(self, tree, name, bound):
        """An argument of a call as text; what has none gets a name in `bound`."""
        if isinstance(tree, Value):
            return self.text_of(tree)
        if isinstance(tree, tuple) and not hasattr(tree, "_fields"):
            return "(" + "".join(f"{self._argument(one, name, bound)}, " for one in tree) + ")"
        if isinstance(tree, list):
            return "[" + ", ".join([self._argument(one, name, bound) for one in tree]) + "]"
        if isinstance(tree, slice):
            return (
                f"slice({', '.join([self._argument(one, name, bound) for one in (tree.start, tree.stop, tree.step)])})"
            )
        if tree is None or tree is Ellipsis or type(tree) in (bool, int, str):
            return repr(tree) if tree is not Ellipsis else "..."
        bound[f"{name}_{len(bound)}"] = tree
        return f"{name}_{len(bound) - 1}"

    def _made(self, text, more=()):
        """The function of a program's text."""
        names = self.names | dict(more)
        exec(compile(text, "<program>", "exec"), names)
        return names.pop("step")  # else it and its names would hold each other

    # -- variables ------------------------------------------------------------------------------------

    def fits(self):
        """True if the variables look as they did when it was traced."""
        for variable, mine, _ in self.bound:
            array = variable._array
            if array is not mine.array:
                like = mine.array
                same = (array.strides, array.shape, array.dtype) == (like.strides, like.shape, like.dtype)
                if not same or type(array) is not type(like):
                    return False
        return True

    def _sync(self):
        """Lets the variables lie where the program expects them."""
        for variable, mine, written in self.bound:
            variable._now = None
            if variable._array is not mine.array:
                if pin(variable) is not mine:
                    self._bind()
                    return
            elif written and is_held(variable, mine):
                variable._array = variable._array.copy("K")
                pin(variable)
                self._bind()
                return


def needs_check(node):
    """Calls whose result may be of another shape the next time."""
    return not (is_gufunc(node.function) or isinstance(node.function, np.ufunc))


def takes_out(node):
    """True for calls that can write into a given array."""
    if len(node.outputs) != 1 or "out" in node.named:
        return False
    if node.kind == REDUCE or "out" in (getattr(node.function, "__kwdefaults__", None) or ()):
        return True
    return isinstance(node.function, np.ufunc) and node.kind in (CALL, ELEMENTWISE)


def overwritten(node):
    """Pairs of values of a loop: one that it collects, and the one in whose memory it may leave it."""
    over = getattr(node.function, "over", {}) if node.kind == LOOP else {}
    carried = node.function.carried if over else 0
    return [(node.outputs[carried + place], node.args[carried + number]) for place, number in over.items()]


def is_stack(node):
    """True for products of many matrices."""
    return node.function is np.matmul and not node.named and node.outputs[0].ndim > 2
