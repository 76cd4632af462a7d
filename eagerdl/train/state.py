"""Everything of a model that its next training step depends on, as arrays by name."""

import numpy as np

from eagerdl.errors import ShapeError
from eagerdl.tensor import Tensor


def parts_of(model):
    """name -> the list of variables: the model's own, its optimizer's, its metrics'."""
    parts = {"model": list(model.variables)}
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        parts["optimizer"] = list(optimizer.variables)
    metrics = getattr(model, "metrics", None)
    if metrics:
        parts["metrics"] = [v for metric in metrics for v in metric.variables]
    return parts


def state_of_model(model):
    """Arrays by name, and a description of them for messages."""
    arrays, described = {}, {}
    for part, variables in parts_of(model).items():
        arrays |= {f"{part}/{index}": variable.numpy() for index, variable in enumerate(variables)}
        described[part] = len(variables)
    return arrays, described


def restore_model(model, arrays, described):
    """Assigns what `state_of_model` gave.

    Variables that are made at the first step, such as slots and metrics, are made before.

    Raises:
        ShapeError: if the model has other variables; nothing is assigned then.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and described.get("optimizer", 0) > len(list(optimizer.variables)):
        optimizer.build(model.trainable_variables)
    pairs = []
    for part, variables in parts_of(model).items():
        if len(variables) != described.get(part, 0):
            raise ShapeError("resume", f"the {part} must be as in the snapshot, which has {described.get(part, 0)} variables",
                             f"it has {len(variables)}", "build and compile the model as for the first run, with an Input or build()")  # fmt: skip
        for index, variable in enumerate(variables):
            array = arrays[f"{part}/{index}"]
            if array.shape != variable.shape:
                raise ShapeError("resume", f"variable {variable.path} must have shape {array.shape}, as in the snapshot",
                                 f"it has {variable.shape}", "build the same model, or delete the folder")  # fmt: skip
            pairs.append((variable, array))
    for variable, array in pairs:
        variable.assign(array)


# -- states that hold arrays, as JSON and arrays apart ------------------------------------------------


def taken_apart(state, name, arrays):
    """`state` with a reference in place of each array, which goes to the dict `arrays` under a name."""
    if isinstance(state, dict):
        return {key: taken_apart(value, f"{name}/{key}", arrays) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return [taken_apart(value, f"{name}/{index}", arrays) for index, value in enumerate(state)]
    if isinstance(state, np.ndarray | Tensor):
        arrays[name] = np.asarray(state)
        return {"array": name}
    return state.item() if isinstance(state, np.generic) else state


def put_together(state, arrays):
    """What `taken_apart` took apart."""
    if isinstance(state, dict):
        if set(state) == {"array"}:
            return arrays[state["array"]]
        return {key: put_together(value, arrays) for key, value in state.items()}
    return [put_together(value, arrays) for value in state] if isinstance(state, list) else state


def references(state):
    """The names of the arrays to which a state taken apart refers."""
    if isinstance(state, dict):
        return [state["array"]] if set(state) == {"array"} else [n for value in state.values() for n in references(value)]
    return [name for value in state for name in references(value)] if isinstance(state, list) else []
