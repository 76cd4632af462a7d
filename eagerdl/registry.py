"""Names of objects and objects of names: how layers, losses, functions become JSON, and come back.

The format is Keras': ``{"module", "class_name", "config", "registered_name"}``, with Keras' module names, so that configs
move between the two. An area (layers, losses, ...) enters its public names with `add_area`; users enter their own classes and
functions with `register_keras_serializable` or a `CustomObjectScope`. Nothing is imported or executed on the way back: a
name is looked up here, or refused.
"""

import contextvars
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from eagerdl import dtypes
from eagerdl.errors import ArgumentError, DTypeError
from eagerdl.tensor import Tensor, TensorSpec, from_array, to_array

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name",
    "get_registered_object", "register_keras_serializable", "serialize_keras_object",
]  # fmt: skip

AREAS: dict[str, dict[str, Any]] = {}  # "layers" -> {"Dense": Dense, ...}
open_all: Callable = list  # set by the package: reads the rooms whose areas are not here yet
_custom: dict[str, Any] = {}  # "package>Name" or "Name" -> what users registered
_names: dict[Any, str] = {}  # the other way round
_scope = contextvars.ContextVar("eagerdl_custom_objects", default=())
_safe = contextvars.ContextVar("eagerdl_safe_mode", default=True)


def add_area(area, names):
    """Makes the objects of a dict of public names known as members of ``keras.<area>``."""
    AREAS.setdefault(area, {}).update({name: found for name, found in names.items() if not name.startswith("_")})


def register_keras_serializable(package="Custom", name=None):
    """Decorates a class with `get_config`, or a function, so that saved models that hold it can be loaded.

    Args:
        package: the name of your project; objects of equal names of other packages do not meet.
        name: the name; by default that of the class or function.

    Raises:
        ArgumentError: for a class without `get_config`.

    Example:
        >>> @edl.saving.register_keras_serializable("my_package")
        ... def triple(x):
        ...     return 3 * x
        >>> edl.saving.get_registered_name(triple)
        'my_package>triple'
    """

    def register(thing):
        full = f"{package}>{name or thing.__name__}"
        if inspect.isclass(thing) and not hasattr(thing, "get_config"):
            raise ArgumentError("register_keras_serializable", "a class needs get_config to be saved",
                                f"{thing.__name__} has none", "write get_config(self) that returns a dict")  # fmt: skip
        _custom[full] = thing
        _names[thing] = full
        return thing

    return register


def get_custom_objects():
    """The dict of what users registered, for all threads; you may add to it."""
    return _custom


def get_registered_name(obj):
    """The name under which a class or function is registered, else its own."""
    return _names.get(obj, getattr(obj, "__name__", type(obj).__name__))


def get_registered_object(name, custom_objects=None, module_objects=None):
    """What is registered under `name`, or None.

    Args:
        name: as in a config.
        custom_objects, module_objects: dicts in which to look as well.
    """
    for table in (*reversed(_scope.get()), _custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None


class CustomObjectScope:
    """A context in which names in configs mean the given classes and functions.

    Args:
        custom_objects: a dict of names.

    Example:
        >>> def double(x):
        ...     return 2 * x
        >>> with edl.saving.CustomObjectScope({"double": double}):
        ...     edl.activations.get("double") is double
        True
    """

    def __init__(self, custom_objects):
        self.custom_objects = dict(custom_objects or {})
        self._tokens = []

    def __enter__(self):
        self._tokens.append(_scope.set((*_scope.get(), self.custom_objects)))
        return self

    def __exit__(self, *exc):
        _scope.reset(self._tokens.pop())


custom_object_scope = CustomObjectScope


# -- to JSON ------------------------------------------------------------------------------------


def serialize_keras_object(obj):
    """A config of `obj` that JSON can hold: of an object with `get_config`, a function, a number, or a structure of them.

    Raises:
        DTypeError: for what has no config.

    Example:
        >>> edl.saving.serialize_keras_object(edl.initializers.Zeros())["class_name"]
        'Zeros'
    """
    if obj is None or isinstance(obj, str | bool | int | float):
        return obj
    if isinstance(obj, np.bool_ | np.integer | np.floating):
        return obj.item()
    if isinstance(obj, list):
        return [serialize_keras_object(value) for value in obj]
    if isinstance(obj, tuple):
        return tuple([serialize_keras_object(value) for value in obj])
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("latin-1")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, slice):
        parts = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": serialize_keras_object(parts)}
    if isinstance(obj, np.dtype) or (inspect.isclass(obj) and issubclass(obj, np.generic)):
        return np.dtype(obj).name
    if isinstance(obj, TensorSpec):
        config = {"shape": obj.shape and list(obj.shape), "dtype": obj.dtype.name, "name": obj.name}
        return {"class_name": "__typespec__", "spec_name": "TensorSpec", "config": config}
    if isinstance(obj, np.ndarray):
        return {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, Tensor) and not hasattr(obj, "get_config"):
        return {"class_name": "__tensor__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if isinstance(obj, types.FunctionType | types.BuiltinFunctionType | np.ufunc):
        return _function_config(obj)
    if inspect.isclass(obj):
        return {"class_name": "__class__", "config": get_registered_name(obj), "module": module_name(obj)}
    if not hasattr(obj, "get_config"):
        raise DTypeError("serialize", "an object needs get_config to be saved", f"got {type(obj).__name__}: {obj!r:.80}",
                         "write get_config(self) that returns a dict")  # fmt: skip
    name = _names.get(type(obj))
    out = {
        "module": module_name(type(obj)),
        "class_name": vars(type(obj)).get("_config_name", type(obj).__name__),
        "config": serialize_keras_object(obj.get_config()),
        "registered_name": name or (None if area_of(type(obj)) is not None else type(obj).__name__),
    }
    for part in ("build_config", "compile_config"):
        read = getattr(obj, f"get_{part}", None)
        config = read() if read is not None else None
        if config is not None:
            out[part] = serialize_keras_object(config)
    return out


def area_of(thing):
    """The area of which `thing` is a public name, None for the users' own."""
    name = getattr(thing, "__name__", None)
    return next((area for area, names in AREAS.items() if names.get(name) is thing), None)


def module_name(thing):
    """Where `thing` lives, in Keras' words: ``keras.layers``."""
    area = area_of(thing)
    if area is None:
        return getattr(thing, "__module__", None)
    return f"keras.{area}" if area else "keras"


def _function_config(function):
    name = getattr(function, "__name__", "")
    if name == "<lambda>":
        raise DTypeError("serialize", "a function needs a name to be saved", "got a lambda",
                         "use def and @edl.saving.register_keras_serializable()")  # fmt: skip
    return {
        "module": module_name(function), "class_name": "function", "config": name,
        "registered_name": _names.get(function, name),
    }  # fmt: skip


# -- and back -----------------------------------------------------------------------------------


def deserialize_keras_object(config, custom_objects=None, safe_mode=True, **kwargs):
    """What `serialize_keras_object` made a config of.

    Args:
        config: the config.
        custom_objects: a dict of names that the config uses.
        safe_mode: False allows what executes code of the config; nothing here does.

    Raises:
        ArgumentError: for an unknown name, with what to register.
    """
    if custom_objects:
        with CustomObjectScope(custom_objects):
            return deserialize_keras_object(config, None, safe_mode)
    token = _safe.set(safe_mode)
    try:
        return _revive(config)
    finally:
        _safe.reset(token)


def safe_mode():
    """True while a config is read that may execute nothing."""
    return _safe.get()


def _revive(config):
    if isinstance(config, list):
        return [_revive(value) for value in config]
    if isinstance(config, tuple):
        return tuple([_revive(value) for value in config])
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or "config" not in config:
        return {key: _revive(value) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if name in _PLAIN:
        return _PLAIN[name](inner)
    if name == "__lambda__":
        raise ArgumentError("deserialize", "code in a config is not executed", "the config holds a lambda",
                            "save a named function registered with edl.saving.register_keras_serializable()")  # fmt: skip
    if name in ("function", "__class__"):
        return find(inner, config.get("registered_name"), config.get("module"))
    made = build(find(name, config.get("registered_name"), config.get("module")), name, inner)
    if config.get("build_config") and hasattr(made, "build_from_config"):
        made.build_from_config(config["build_config"])
    if config.get("compile_config") and hasattr(made, "compile_from_config"):
        made.compile_from_config(config["compile_config"])
    return made


def build(cls, name, config):
    """An object of class `cls` by its config; says which arguments do not fit."""
    if not hasattr(cls, "from_config"):
        raise ArgumentError("deserialize", f"{name} must have a classmethod from_config", "it has none",
                            "derive it from a class of eagerdl, or add from_config")  # fmt: skip
    try:
        return cls.from_config(dict(config))
    except TypeError as error:
        raise ArgumentError(f"{name}.from_config", "the config must fit the arguments of __init__", str(error),
                            "return every argument of __init__ from get_config, and no others") from error  # fmt: skip


def find(name, registered=None, module=None):
    """The class or function that a config names.

    Raises:
        ArgumentError: if nothing has that name.
    """
    for known in (registered, name):
        thing = get_registered_object(known) if known else None
        if thing is not None:
            return thing
    open_all()
    parts = (module or "").split(".")
    if parts[0] in ("", "keras", "eagerdl", "tf_keras") or module == "builtins":
        tables = [AREAS[part] for part in parts if part in AREAS] + list(AREAS.values())
        for table in tables:
            if name in table:
                return table[name]
    close = nearest(name, {key for table in AREAS.values() for key in table} | set(_custom))
    raise ArgumentError("deserialize", "every class of a config must be known", f"{name!r} of {module} is not{close}",
                        "decorate it with @edl.saving.register_keras_serializable(), and import it before loading, "
                        f"or pass custom_objects={{{name!r}: ...}}")  # fmt: skip


_PLAIN: dict[str, Callable] = {
    "__bytes__": lambda config: config["value"].encode("latin-1"),
    "__ellipsis__": lambda config: Ellipsis,
    "__slice__": lambda config: slice(*[_revive(config[part]) for part in ("start", "stop", "step")]),
    "__numpy__": lambda config: np.array(config["value"], dtype=config["dtype"]),
    "__tensor__": lambda config: from_array(to_array(config["value"], config["dtype"])),
    "__typespec__": lambda config: TensorSpec(config["shape"], config["dtype"], config["name"]),
}


# -- identifiers --------------------------------------------------------------------------------


def nearest(name, known):
    """``, did you mean 'adam'?``, or nothing."""
    import difflib

    close = difflib.get_close_matches(str(name), sorted(map(str, known)), n=2, cutoff=0.6)
    lower = {str(one).lower(): str(one) for one in known}
    if not close:
        close = [lower[one] for one in difflib.get_close_matches(str(name).lower(), lower, n=2, cutoff=0.6)]
    return f", did you mean {' or '.join(map(repr, close))}?" if close else ""


def resolve(where, identifier, table, base=None):
    """An object for whatever a user may pass for one: None, a name, a config, a class, or the object itself.

    Args:
        where: for messages: ``"loss"``, ``"Dense.activation"``.
        identifier: what the user passed.
        table: names -> classes and functions; a class is called without arguments.
        base: if given, the class that configs and objects have, unless they are functions.

    Raises:
        ArgumentError: for an unknown name, with the nearest one.
        DTypeError: for anything else.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        known = table.get(identifier.get("class_name"))
        if known is not None and not identifier.get("module"):  # "Identity" is a layer as well as an initializer
            identifier = {**identifier, "module": module_name(known)}
        return deserialize_keras_object(identifier)
    if isinstance(identifier, str):
        found = get_registered_object(identifier)
        if found is None:
            found = table.get(identifier)
        if found is None:
            raise ArgumentError(where, "a known name is needed", f"got {identifier!r}{nearest(identifier, table)}",
                                f"the names are {', '.join(sorted(map(str, table)))}")  # fmt: skip
        return found() if inspect.isclass(found) else found
    if inspect.isclass(identifier) and (base is None or issubclass(identifier, base)):
        return identifier()
    if callable(identifier) or (base is not None and isinstance(identifier, base)):
        return identifier
    raise DTypeError(where, "a name, a config, or an object is needed", f"got {type(identifier).__name__}: {identifier!r:.60}",
                     "see help() of it for what there is")  # fmt: skip


def guide(area, names):
    """A `__getattr__` for the module of an area: a name that is not there answers with the nearest ones."""

    def __getattr__(name):
        raise AttributeError(f"edl.{area} has no {name!r}{nearest(name, names) or '; dir() lists all names'}")

    return __getattr__


def dtype_name(dtype):
    """The name of a dtype, None for None."""
    return None if dtype is None else dtypes.standardize(dtype).name
