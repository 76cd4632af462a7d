"""Elements as parts of saved positions: dicts, lists, numbers, text and arrays."""

from collections import namedtuple

import numpy as np

from eagerdl.errors import DTypeError


def encode(element):
    """An element as part of a state: dicts, lists, numbers, text and arrays only."""
    if isinstance(element, dict):
        return {"dict": [[key, encode(value)] for key, value in element.items()]}
    if isinstance(element, tuple):
        out = {"tuple": [encode(value) for value in element]}
        if hasattr(element, "_fields"):
            out["named"] = [type(element).__name__, *element._fields]
        return out
    if isinstance(element, np.ndarray):
        if element.dtype.kind in "OU":
            return {"text": [_encode_text(one) for one in element.ravel().tolist()], "shape": list(element.shape)}
        return {"array": element}
    if element is None:
        return {"none": True}
    return {"elements": [encode(one) for one in element.listed()]}


def _encode_text(value):
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, str | int | float | bool | None):
        return value
    raise DTypeError("state", "elements that wait in a buffer must be arrays, text or numbers", f"got {type(value).__name__}",
                     "turn objects into arrays before shuffle or prefetch")  # fmt: skip


def decode(state, make_list):
    """The element that `encode` made a state of; `make_list` builds a pipeline of a list of elements."""
    if "dict" in state:
        return {key: decode(value, make_list) for key, value in state["dict"]}
    if "tuple" in state:
        inner = [decode(value, make_list) for value in state["tuple"]]
        if "named" in state:
            return namedtuple(state["named"][0], state["named"][1:])(*inner)
        return tuple(inner)
    if "array" in state:
        return np.asarray(state["array"])
    if "text" in state:
        values = [one["bytes"].encode("latin-1") if isinstance(one, dict) else one for one in state["text"]]
        if values and all(isinstance(one, str) for one in values):
            return np.array(values).reshape(state["shape"])
        out = np.empty(len(values), object)
        out[:] = values
        return out.reshape(state["shape"])
    if "none" in state:
        return None
    return make_list([decode(one, make_list) for one in state["elements"]])
