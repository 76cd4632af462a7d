"""Everything of a model that its next training step depends on, as arrays by name."""

import contextlib

import numpy as np

from eagerdl import devices
from eagerdl.errors import ShapeError
from eagerdl.nn.tracking import PLAIN
from eagerdl.tensor import Tensor

REMEDY = (
    "build and compile the model as for the first run, with an Input or build(); or delete the folder to begin anew"
)


def optimizers_of(model):
    """The optimizers in the attributes of a model and its layers, also in lists and dicts, each once."""
    found, seen = [], set()
    for layer in model._flatten_layers() if hasattr(model, "_flatten_layers") else [model]:
        pending = list(vars(layer).values())[::-1]
        while pending:
            value = pending.pop()
            if value.__class__ in PLAIN or id(value) in seen:
                continue
            if isinstance(value, list | tuple | dict):
                seen.add(id(value))
                pending += list(value.values() if isinstance(value, dict) else value)[::-1]
            elif hasattr(value, "apply_gradients") and not isinstance(value, type):
                seen.add(id(value))
                found.append(value)
    return found


def places(optimizer, variables):
    """Where the variables that an optimizer was built with are among `variables`; None if not built, or if some are not there."""
    index = {id(v): place for place, v in enumerate(variables)}
    mine = [index.get(id(v)) for v in getattr(optimizer, "_model_variables", ())]
    return mine if optimizer.built and None not in mine else None


def build_at(optimizer, variables, where):
    """Makes the slots of an optimizer for the variables at the places `where`, if it has none yet."""
    if where is not None and not optimizer.built and all(place < len(variables) for place in where):
        optimizer.build([variables[place] for place in where])


def _parts(model, optimizers):
    """name -> a list of variables."""
    parts = {"model": list(model.variables)}
    parts |= {
        f"optimizer_{index}" if index else "optimizer": list(one.variables) for index, one in enumerate(optimizers)
    }
    parts["metrics"] = [v for metric in getattr(model, "metrics", ()) for v in metric.variables]
    return parts


def state_of_model(model, optimizers=()):
    """Arrays by name, and a description of them that JSON can hold.

    Args:
        model: a model, or anything with `variables`.
        optimizers: further ones than those in its attributes.
    """
    known = optimizers_of(model)
    optimizers = known + [one for one in optimizers if not any(one is other for other in known)]
    arrays, counts = {}, {}
    for part, variables in _parts(model, optimizers).items():
        # No copies: arrays of variables are replaced by assignments, not changed.
        arrays |= {f"{part}/{index}": devices.to_numpy(variable._array) for index, variable in enumerate(variables)}
        counts[part] = len(variables)
    return arrays, {"counts": counts, "built_with": [places(one, list(model.variables)) for one in optimizers]}


def restore_model(model, arrays, described, optimizers=()):
    """Assigns what `state_of_model` gave; slots that are made at the first step are made before.

    Raises:
        ShapeError: if the model has other variables; nothing is assigned then.
    """
    known = optimizers_of(model)
    optimizers = known + [one for one in optimizers if not any(one is other for other in known)]
    counts = described["counts"]
    variables = list(model.variables)
    if len(variables) == counts["model"]:
        for one, where in zip(optimizers, described["built_with"]):
            build_at(one, variables, where)
    parts = _parts(model, optimizers)
    if parts.keys() != counts.keys():
        raise ShapeError(
            "resume",
            f"the model needs {len(counts) - 2} optimizers, as in the snapshot",
            f"it has {len(parts) - 2}",
            REMEDY,
        )
    pairs = []
    for part, variables in parts.items():
        if len(variables) != counts[part]:
            raise ShapeError("resume", f"the {part.replace('_', ' ')} needs {counts[part]} variables, as in the snapshot",
                             f"it has {len(variables)}", REMEDY)  # fmt: skip
        pairs += [(variable, arrays[f"{part}/{index}"]) for index, variable in enumerate(variables)]
    for variable, array in pairs:
        if (array.shape, array.dtype) != (variable.shape, variable.dtype):
            raise ShapeError("resume", f"{variable.path} must be {array.dtype} of shape {array.shape}, as in the snapshot",
                             f"it is {variable.dtype} of shape {variable.shape}", REMEDY)  # fmt: skip
    for variable, array in pairs:
        variable.assign(array)


@contextlib.contextmanager
def all_or_nothing(variables):
    """A context that puts the values of variables back if it ends with an error."""
    saved = [(v, v._array, v._now) for v in variables]
    try:
        yield
    except BaseException:
        for v, array, now in saved:
            v._array, v._now = array, now
        raise


# -- states that hold arrays, as JSON and arrays apart ------------------------------------------------


ARRAY = "__array__"


def taken_apart(state, name, arrays):
    """`state` with a reference in place of each array, which goes to the dict `arrays` under a name."""
    if isinstance(state, dict):
        return {key: taken_apart(value, f"{name}/{key}", arrays) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [taken_apart(value, f"{name}/{index}", arrays) for index, value in enumerate(state)]
    if isinstance(state, np.ndarray | Tensor):
        arrays[name] = np.asarray(state)
        return {ARRAY: name}
    return state.item() if isinstance(state, np.generic) else state


def put_together(state, arrays):
    """What `taken_apart` took apart."""
    if isinstance(state, dict):
        if set(state) == {ARRAY}:
            return arrays[state[ARRAY]]
        return {key: put_together(value, arrays) for key, value in state.items()}
    return [put_together(value, arrays) for value in state] if isinstance(state, list) else state


def references(state):
    """The names of the arrays to which a state taken apart refers."""
    if isinstance(state, dict):
        return [state[ARRAY]] if set(state) == {ARRAY} else [n for value in state.values() for n in references(value)]
    return [name for value in state for name in references(value)] if isinstance(state, list) else []
