"""What a layer owns: the variables, layers, seed generators and metrics in its attributes, found when they are asked for."""

from eagerdl.nn.module import Module
from eagerdl.ops.generators import Generator, SeedGenerator
from eagerdl.variable import Variable

PLAIN = frozenset((str, int, float, bool, type(None), bytes, type, type(lambda: None)))
OTHERS = frozenset((  # notes, not belongings
    "_build_shapes", "_found", "_whole", "_fixed", "_frozen", "_init_arguments", "_losses", "_calls",
))  # fmt: skip

changes = [0]  # how often an attribute of any layer was assigned

# Attributes that say nothing of belongings, and are assigned in every call.
QUIET = frozenset(("_entered", "_loss_serial", "_losses", "_path", "built"))


class Owned:
    """The direct belongings of a module, in the order of assignment, each once.

    Finding them walks all attributes, so a layer keeps what was found until an attribute is assigned. Lists, tuples and dicts
    can change without a word: what they held is noted, and compared.
    """

    __slots__ = ("containers", "layers", "metrics", "modules", "seeds", "variables")

    def __init__(self):
        self.variables, self.layers, self.seeds, self.metrics, self.modules = [], [], [], [], []
        self.containers = []  # (container, what it held)

    def is_current(self):
        """True if nothing has changed in a container. Modules that are no layers are always looked at again."""
        return not self.modules and unchanged(self.containers)


def unchanged(containers):
    """True if containers hold what they held.

    Args:
        containers: (container, list of what it held).
    """
    for container, held in containers:
        if len(container) != len(held):
            return False
        for one, other in zip(container.values() if container.__class__ is dict else container, held):
            if one is not other:
                return False
    return True


class Whole:
    """What a layer with all its sublayers owns: lists by name, until an attribute of any layer is assigned."""

    __slots__ = ("change", "containers", "lists", "settled")

    def __init__(self, layers):
        owns = [layer._owned() for layer in layers]
        self.change, self.lists = changes[0], {}
        self.settled = not any(one.modules for one in owns)
        self.containers = [pair for one in owns for pair in one.containers]

    def is_current(self):
        """True if nothing has changed anywhere."""
        return self.settled and self.change == changes[0] and unchanged(self.containers)


def owned(module, is_layer):
    """What the attributes of `module` hold directly, or in lists, tuples and dicts.

    Args:
        module: a layer or another Module.
        is_layer: a function that says whether an object is a layer.
    """
    found, seen = Owned(), {id(module)}
    for name, value in vars(module).items():
        if value.__class__ not in PLAIN and name not in OTHERS:
            _collect(value, found, seen, is_layer, watch=name != "_weights")  # only add_weight changes that
    return found


def _collect(value, found, seen, is_layer, watch=True):
    if isinstance(value, Variable):
        if id(value) not in seen:
            seen.add(id(value))
            found.variables.append(value)
    elif isinstance(value, list | tuple | dict):
        if id(value) in seen:
            return
        seen.add(id(value))
        held = list(value.values()) if isinstance(value, dict) else list(value)
        if not isinstance(value, tuple) and watch:
            found.containers.append((value, held))
        for one in held:
            if one.__class__ not in PLAIN:
                _collect(one, found, seen, is_layer, watch)
    elif isinstance(value, Module):
        if id(value) in seen:
            return
        seen.add(id(value))
        if is_layer(value):
            found.layers.append(value)
        elif hasattr(value, "update_state"):
            found.metrics.append(value)
        elif not hasattr(value, "apply_gradients"):  # an optimizer's slots are no part of a model
            found.modules.append(value)
            for one in value.variables:
                _collect(one, found, seen, is_layer)
    elif isinstance(value, SeedGenerator | Generator):
        if id(value) not in seen:
            seen.add(id(value))
            found.seeds.append(value)


def once(values):
    """The values without repetitions, by identity, in order."""
    return list({id(value): value for value in values}.values())
