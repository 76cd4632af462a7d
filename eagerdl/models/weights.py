"""The state of a model by names: what is written to files, and how it is found again.

A layer's key says where it stands: the attribute that holds it, with places and keys of lists and dicts, or, in a sequence or
graph of layers, its class and its number among that class. So a model made by the same code finds its weights again, whatever
names its layers got.
"""

import collections
import contextlib

import numpy as np

from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, ShapeError
from eagerdl.nn.layer import Layer
from eagerdl.nn.names import snake_case
from eagerdl.nn.tracking import OTHERS, PLAIN
from eagerdl.train.state import all_or_nothing

SEPARATOR = "/"


def keyed_layers(root):
    """key -> layer, for `root` (key "") and every layer inside it, each once, a parent before its children."""
    found, seen = {}, set()
    stack = [("", root)]
    while stack:
        key, layer = stack.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        while key in found:  # keys of dicts may look alike: 1 and "1", "a/b" and "b" in "a"
            key += "_"
        found[key] = layer
        prefix = key + SEPARATOR if key else ""
        stack += [(prefix + name, child) for name, child in reversed(list(_children(layer)))]
    return found


def _children(layer):
    """(key, layer) of the layers directly in `layer`."""
    wired = getattr(layer, "_graph", None) is not None or hasattr(layer, "_sequence")
    if wired:
        counts = collections.Counter()
        for child in layer.layers:
            name = snake_case(type(child).__name__)
            yield f"{name}_{counts[name]}" if counts[name] else name, child
            counts[name] += 1
    for name, value in vars(layer).items():
        if value.__class__ not in PLAIN and name not in OTHERS and not (wired and name == "_sequence"):
            yield from _in(name, value, {id(layer)})


def _in(key, value, seen):
    if isinstance(value, Layer):
        yield key, value
    elif isinstance(value, list | tuple | dict) and id(value) not in seen:
        seen.add(id(value))
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _in(f"{key}{SEPARATOR}{name}", one, seen)


def state_of(root):
    """name -> array: all weights and random states of a layer or model."""
    arrays = {}
    for key, layer in keyed_layers(root).items():
        store = {}
        layer.save_own_variables(store)
        prefix = key + SEPARATOR if key else ""
        arrays.update({f"{prefix}vars/{name}": value for name, value in store.items()})
        for index, seeds in enumerate(layer._owned().seeds):
            arrays[f"{prefix}seeds/{index}"] = seeds.state.numpy()
    return arrays


def names_of(root):
    """key -> the layer's name, for loading by name."""
    return {key: layer.name for key, layer in keyed_layers(root).items()}


def load_state(where, root, arrays, *, skip_mismatch=False, names=None):
    """Assigns what `state_of` gave; all of it, or nothing.

    Args:
        where: for messages.
        root: a layer or model, built.
        arrays: name -> array.
        skip_mismatch: whether layers that do not fit are skipped.
        names: key -> name as of `names_of`: layers are found by their names, and others are left alone.

    Returns:
        The keys of the layers that were skipped.

    Raises:
        ShapeError: if a layer is missing on one side, or has other shapes.
        ArgumentError: if two layers have one name by which they shall be found.
    """
    stores, seeds = collections.defaultdict(dict), collections.defaultdict(dict)
    for name, value in arrays.items():
        key, kind, last = _split(name)
        (stores if kind == "vars" else seeds)[key][last] = value
    layers = keyed_layers(root)
    if names is not None:
        layers = _by_name(where, layers, names, stores)
        stores = {key: store for key, store in stores.items() if key in layers}
    skipped = []
    unknown = [key for key in stores if key not in layers]
    if unknown and not skip_mismatch:
        raise ShapeError(where, "the file must belong to a model of this structure", f"it has weights of {unknown[:5]}; "
                         f"the model has {[key for key in layers if key][:20]}",
                         "load it with by_name=True or skip_mismatch=True, or build the same model")  # fmt: skip
    with contextlib.ExitStack() as whole:
        for layer in layers.values():
            whole.enter_context(_unchanged_on_error(layer))
        for key, layer in layers.items():
            store, states = stores.get(key, {}), seeds.get(key, {})
            if not store and not states and not layer._own_weights():
                continue
            try:
                with _unchanged_on_error(layer):
                    _load(layer, store, states)
            except (EagerdlError, KeyError, TypeError, ValueError) as error:
                if not skip_mismatch:
                    raise ShapeError(where, f"layer {key or root.name!r} must fit what the file has", str(error),
                                     "build the same model, or use skip_mismatch=True") from None  # fmt: skip
                skipped.append(key)
    return skipped


def _by_name(where, layers, names, stores):
    """key in the file -> the layer here of the name that the layer of the key had."""
    mine = collections.defaultdict(list)
    for key, layer in layers.items():
        if key and layer._own_weights():
            mine[layer.name].append(layer)
    wanted = {key: names[key] for key in stores if key and names.get(key) in mine}
    for name, count in collections.Counter(wanted.values()).items():
        if max(count, len(mine[name])) > 1:
            raise ArgumentError(where, "by_name=True needs layers with names of their own", f"several are named {name!r}",
                                "name them, or load without by_name")  # fmt: skip
    return {key: mine[name][0] for key, name in wanted.items()}


def _load(layer, store, states):
    """Gives a layer its own variables and random states."""
    for place, variable in enumerate(layer._own_weights()):
        value = store.get(str(place))
        if value is not None and not np.can_cast(value.dtype, variable.dtype, "same_kind"):
            raise DTypeError(
                layer.where,
                f"{variable.path} holds {variable.dtype}",
                f"the file has {value.dtype}",
                "use the same dtypes",
            )
    if store or layer._own_weights():
        layer.load_own_variables(store)
    for place, generator in enumerate(layer._owned().seeds):
        if str(place) in states:
            generator.state.assign(states[str(place)])


@contextlib.contextmanager
def _unchanged_on_error(layer):
    """A context that leaves a layer as it was if it ends with an error: its variables, and what else it loads."""
    own = type(layer).load_own_variables is not Layer.load_own_variables
    attributes = dict(vars(layer)) if own else None
    with all_or_nothing([*layer._own_weights(), *[seeds.state for seeds in layer._owned().seeds]]):
        try:
            yield
        except BaseException:
            if own:
                vars(layer).clear()
                vars(layer).update(attributes)
            raise


def _split(name):
    """``"a/b/vars/0"`` -> ``("a/b", "vars", "0")``."""
    parts = name.split(SEPARATOR)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] in ("vars", "seeds"):
            return SEPARATOR.join(parts[:place]), parts[place], SEPARATOR.join(parts[place + 1 :])
    return "", "vars", name
