"""The state of a model as one nested dict of values, by the paths of the variables."""

from eagerdl.errors import ArgumentError

PARTS = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")


def variables_of(model):
    """part -> the nested dict of variables, by the pieces of their paths; equal paths are numbered."""
    lists = {
        part: getattr(model, part) for part in ("trainable_variables", "non_trainable_variables", "metrics_variables")
    }
    optimizer = getattr(model, "optimizer", None)
    lists["optimizer_variables"] = [] if optimizer is None else optimizer.variables
    return {part: _nested(lists[part]) for part in PARTS}


def _nested(variables):
    tree = {}
    for variable in variables:
        *folders, name = variable.path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(folder, {})
        number, free = 0, name
        while free in place:
            number += 1
            free = f"{name}_{number}"
        place[free] = variable
    return tree


def get_state_tree(model, value_format="backend_tensor"):
    """part -> nested dict of tensors or arrays; see `Model.get_state_tree`."""
    if value_format not in ("backend_tensor", "numpy_array"):
        raise ArgumentError(f"{model.where}.get_state_tree", "value_format is 'backend_tensor' or 'numpy_array'",
                            f"got {value_format!r}", "use one of them")  # fmt: skip
    read = (lambda v: v.value) if value_format == "backend_tensor" else (lambda v: v.numpy())
    return _mapped(read, variables_of(model))


def _mapped(function, tree):
    return {key: _mapped(function, one) if isinstance(one, dict) else function(one) for key, one in tree.items()}


def set_state_tree(model, state_tree):
    """Assigns what `get_state_tree` gave; see `Model.set_state_tree`."""
    mine = variables_of(model)
    pairs = []
    for part, values in state_tree.items():
        if part not in mine:
            raise ArgumentError(
                f"{model.where}.set_state_tree", f"the parts are {list(PARTS)}", f"got {part!r}", "use these names"
            )
        _pair(model, part, mine[part], values, pairs)
    for variable, value in pairs:
        variable.assign(value)


def _pair(model, path, variables, values, pairs):
    for name, value in values.items():
        if name not in variables:
            raise ArgumentError(f"{model.where}.set_state_tree", "every value needs its variable", f"there is no {path}/{name}",
                                "build the same model before")  # fmt: skip
        if isinstance(value, dict):
            _pair(model, f"{path}/{name}", variables[name], value, pairs)
        else:
            pairs.append((variables[name], value))
