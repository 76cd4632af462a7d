"""Where the variables of a converted statement are kept, and what their values are made of.

A place is read and written like a variable: the cell of a closure, a global, an attribute, the contents of a list or dict.
Values are taken apart into leaves and a layout, which does not change when a list or dict does.
"""

from eagerdl.jit.autograph.jumps import VALUE

RETURN_VALUE = "the return value"  # how messages call what `return` will give


class _Undefined:
    def __repr__(self):
        return "undefined"


UNDEFINED = _Undefined()


def content(cell):
    """What a cell of a closure holds."""
    try:
        return cell.cell_contents
    except ValueError:
        return UNDEFINED


class Cell:
    """A variable of the function that the statement stands in."""

    in_place = False

    def __init__(self, name, cell):
        self.name, self.label, self.cell = name, RETURN_VALUE if name == VALUE else f"`{name}`", cell

    def read(self):
        return content(self.cell)

    def write(self, value):
        if value is not UNDEFINED:
            self.cell.cell_contents = value
        elif content(self.cell) is not UNDEFINED:
            del self.cell.cell_contents


class Global:
    """A variable declared `global`."""

    in_place = False

    def __init__(self, name, table):
        self.name, self.label, self.table = name, f"`{name}`", table

    def read(self):
        return self.table.get(self.name, UNDEFINED)

    def write(self, value):
        if value is not UNDEFINED:
            self.table[self.name] = value
        else:
            self.table.pop(self.name, None)


class Attribute:
    """An attribute of an object that was there before the statement."""

    in_place = False

    def __init__(self, name, owner, attribute):
        self.name, self.label, self.owner, self.attribute = name, f"`{name}`", owner, attribute

    def read(self):
        return getattr(self.owner, self.attribute, UNDEFINED)

    def write(self, value):
        if value is not UNDEFINED:
            setattr(self.owner, self.attribute, value)
        elif hasattr(self.owner, self.attribute):
            delattr(self.owner, self.attribute)


class Contents:
    """The elements of a list or dict that was there before the statement."""

    in_place = True

    def __init__(self, name, container):
        self.name, self.label, self.container = name, f"the contents of `{name[:-2]}`", container

    def read(self):
        return self.container

    def write(self, value):
        if isinstance(self.container, list):
            self.container[:] = value
        else:
            value = dict(value)
            self.container.clear()
            self.container.update(value)


def places_of(names, *functions):
    """Where the named things are kept; without those that do not exist yet or are no lists and dicts."""
    if not names:
        return []
    cells = {}
    for function in functions:
        cells.update(zip(function.__code__.co_freevars, function.__closure__ or ()))
    table = functions[0].__globals__
    found = (_place(name, cells, table) for name in names)
    return [place for place in found if place is not None]


def _place(name, cells, table):
    path, in_place = (name[:-2], True) if name.endswith("[]") else (name, False)
    root, *attributes = path.split(".")
    place = Cell(root, cells[root]) if root in cells else Global(root, table)
    for i, attribute in enumerate(attributes):
        owner = place.read()
        if owner is UNDEFINED:
            return None
        place = Attribute(".".join([root, *attributes[: i + 1]]), owner, attribute)
    if in_place:
        container = place.read()
        return Contents(name, container) if type(container) in (list, dict) else None
    return place


class Memory:
    """The values of places, to be put back."""

    def __init__(self, places):
        self.places = places
        self.values = [copied(place.read()) if place.in_place else place.read() for place in places]

    def restore(self):
        for place, value in zip(self.places, self.values):
            place.write(copied(value) if place.in_place else value)


# -- structures -----------------------------------------------------------------------------------


def flatten(value):
    """The leaves of nested lists, tuples and dicts, and a description from which `build` makes the same of other leaves."""
    leaves = []
    return leaves, _layout(value, leaves)


def _layout(value, leaves):
    kind = type(value)
    if kind is dict:
        keys = sorted(value, key=repr)
        return kind, tuple(keys), tuple(_layout(value[key], leaves) for key in keys)
    if kind is list or kind is tuple or (isinstance(value, tuple) and hasattr(value, "_fields")):
        return kind, len(value), tuple(_layout(one, leaves) for one in value)
    leaves.append(value)
    return None


def build(layout, leaves):
    """The structure of a layout, filled with leaves from an iterator."""
    if layout is None:
        return next(leaves)
    kind, keys, inner = layout
    values = [build(one, leaves) for one in inner]
    if kind is dict:
        return dict(zip(keys, values))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def copied(value):
    """A structure like this one, with the same leaves."""
    leaves, layout = flatten(value)
    return build(layout, iter(leaves))
