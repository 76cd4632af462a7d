"""Models as files: one archive of JSON and safetensors, which executes nothing when it is loaded."""

import contextlib
import warnings
from pathlib import Path

from eagerdl import registry, storage
from eagerdl.errors import ArgumentError, EagerdlError
from eagerdl.models import weights
from eagerdl.nn.layer import Layer
from eagerdl.train.state import build_at, places

MODEL, WEIGHTS = ".keras", (".weights.safetensors", ".weights.h5")


def _check(where, path, endings, overwrite):
    path = Path(path)
    if not str(path).endswith(endings):
        raise ArgumentError(where, f"the name ends in {' or '.join([endings] if isinstance(endings, str) else endings[:1])}",
                            f"got {str(path)!r}", "choose such a name")  # fmt: skip
    if path.exists() and not overwrite:
        raise ArgumentError(
            where,
            "overwrite=False keeps existing files",
            f"{str(path)!r} exists",
            "use another name, or overwrite=True",
        )
    return path


def save_model(model, filepath, overwrite=True, zipped=None, include_optimizer=True, **kwargs):
    """Writes a model as one file: config, weights, and the optimizer with its slots.

    Args:
        model: the model.
        filepath: where to; the ending is ``.keras``.
        overwrite: whether a file there is replaced.
        zipped: None or True.
        include_optimizer: whether the optimizer and how the model was compiled are written.

    Raises:
        ArgumentError: if the ending is another, or a file is there and `overwrite` is False.
        DTypeError: if a part of the model has no config.
    """
    if kwargs or zipped is False:
        raise ArgumentError(
            "save_model", "a model is one zipped file", f"got {kwargs or {'zipped': False}}", "leave that out"
        )
    path = _check("save_model", filepath, MODEL, overwrite)
    config = registry.serialize_keras_object(model)
    if not include_optimizer:
        config.pop("compile_config", None)
    members = {
        "config.json": config,
        "names.json": weights.names_of(model),
        "weights.safetensors": weights.state_of(model),
    }
    optimizer = getattr(model, "optimizer", None)
    if include_optimizer and optimizer is not None and optimizer.built:
        store = {}
        optimizer.save_own_variables(store)
        members["optimizer.safetensors"] = store
        members["optimizer.json"] = {"built_with": places(optimizer, model.variables)}
    storage.write_archive(path, "model", members, "save_model")


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """A new model from a file that `save_model` wrote.

    Args:
        filepath: the file.
        custom_objects: names -> classes and functions of your own that the model uses.
        compile: whether the model is compiled as it was, with its optimizer's slots.
        safe_mode: accepted for Keras' sake. Files hold no code, and False does not let any be executed: a config can only name
            layers and functions of eagerdl, and what you registered or pass here.

    Raises:
        ArgumentError: if the file is damaged or too new, or names a class that is not registered.
        ShapeError: if the weights do not fit the config.

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "m.keras")
        >>> model = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        >>> model.save(path)
        >>> bool(edl.all(edl.models.load_model(path)(edl.ones((1, 2))) == model(edl.ones((1, 2)))))
        True
    """
    optional = ["optimizer.json", "optimizer.safetensors"] if compile else []
    members = storage.read_archive(filepath, "model", "load_model", ["config.json", "weights.safetensors"], optional)
    config = members["config.json"]
    if not isinstance(config, dict):
        raise storage.damaged("load_model", "its config describes no model")
    compiled = config.pop("compile_config", None)
    with registry.CustomObjectScope(custom_objects), _explained():
        model = registry.deserialize_keras_object(config, None, safe_mode)
        if not isinstance(model, Layer):
            raise storage.damaged("load_model", f"its config describes no model, but {type(model).__name__}")
        weights.load_state("load_model", model, members["weights.safetensors"])
        if compile and compiled is not None:
            model.compile_from_config(compiled)
            if "optimizer.safetensors" in members and model.optimizer is not None:
                _load_optimizer(
                    model, members["optimizer.safetensors"], members.get("optimizer.json", {}).get("built_with")
                )
    return model


def _load_optimizer(model, store, where):
    """Gives the model's optimizer its slots, for the variables at the places `where`: layers may be frozen since it was built."""
    if where is not None and model.optimizer.built and places(model.optimizer, model.variables) != where:
        model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    build_at(model.optimizer, model.variables, where)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.load_own_variables(store)


@contextlib.contextmanager
def _explained():
    """A context in which whatever a strange config breaks becomes an error that says so."""
    try:
        yield
    except EagerdlError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise storage.damaged("load_model", f"its config cannot be used: {type(error).__name__}: {error}") from error


def save_weights(model, filepath, overwrite=True, max_shard_size=None, **kwargs):
    """Writes the weights of a model or layer; see `Model.save_weights`."""
    if max_shard_size is not None or kwargs:
        raise ArgumentError("save_weights", "weights are one file", "max_shard_size is given", "leave it out")
    path = _check("save_weights", filepath, WEIGHTS, overwrite)
    members = {"names.json": weights.names_of(model), "weights.safetensors": weights.state_of(model)}
    storage.write_archive(path, "weights", members, "save_weights")


def load_weights(model, filepath, skip_mismatch=False, by_name=False, **kwargs):
    """Reads weights into a model or layer that is built; see `Model.load_weights`.

    Raises:
        ArgumentError: if the file is damaged, or several layers have one name by which they shall be found.
        ShapeError: if the weights do not fit; the model is as before then.
    """
    if kwargs:
        raise ArgumentError(
            "load_weights", "the arguments are skip_mismatch and by_name", f"got {', '.join(kwargs)}", "leave that out"
        )
    kind = "model" if str(filepath).endswith(MODEL) else "weights"
    members = storage.read_archive(
        filepath, kind, "load_weights", ["weights.safetensors"], ["names.json"] if by_name else []
    )
    names = members.get("names.json") if by_name else None
    if by_name and not isinstance(names, dict):
        raise storage.damaged("load_weights", "it has no names of layers")
    skipped = weights.load_state(
        f"{model.where}.load_weights", model, members["weights.safetensors"], skip_mismatch=skip_mismatch, names=names
    )
    if skipped:
        warnings.warn(
            f"[{model.where}.load_weights] skipped layers that do not fit: {', '.join(skipped)}", stacklevel=3
        )
