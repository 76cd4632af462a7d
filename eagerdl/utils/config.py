"""`Config`: named values with attributes, that can be frozen and written as JSON."""

import json
from collections.abc import MutableMapping

from eagerdl.errors import ArgumentError, ImmutableError, MissingNameError
from eagerdl.registry import nearest

__all__ = ["Config"]


class Config(MutableMapping):
    """A dict of named values, which are attributes as well, and which `freeze` makes final.

    Args:
        **kwargs: the first values.

    Raises:
        MissingNameError: when an unknown attribute is read, with the nearest name.
        ImmutableError: when a frozen one is changed.
        ArgumentError: for a value named as one of the methods.

    Example:
        >>> config = edl.utils.Config(units=32)
        >>> config.rate = 0.5
        >>> config["rate"], config.units, config.to_json()
        (0.5, 32, '{"units": 32, "rate": 0.5}')
        >>> config.freeze()
        >>> config.frozen
        True
    """

    def __init__(self, **kwargs):
        self.__dict__.update(_config={}, _frozen=False)
        self.update(kwargs)

    @property
    def frozen(self):
        """True while changes are refused."""
        return self._frozen

    def freeze(self):
        """Refuses every change from now on."""
        self.__dict__["_frozen"] = True

    def unfreeze(self):
        """Allows changes again."""
        self.__dict__["_frozen"] = False

    def as_dict(self):
        """A dict of the values."""
        return dict(self._config)

    def to_json(self):
        """The values as JSON text."""
        return json.dumps(self._config)

    def _check_open(self, name):
        if self._frozen:
            raise ImmutableError("Config", "a frozen config does not change", f"{name!r} is to be changed",
                                 "call unfreeze() first, or make another Config")  # fmt: skip

    def __getitem__(self, name):
        return self._config[name]

    def __setitem__(self, name, value):
        self._check_open(name)
        if hasattr(type(self), name):
            raise ArgumentError("Config", "a value needs a name of its own", f"{name!r} is a method of Config",
                                "choose another name")  # fmt: skip
        self._config[name] = value

    def __delitem__(self, name):
        self._check_open(name)
        del self._config[name]

    def __iter__(self):
        return iter(self._config)

    def __len__(self):
        return len(self._config)

    def __getattr__(self, name):
        values = self.__dict__.get("_config", {})
        if name in values:
            return values[name]
        raise MissingNameError("Config", "the value must exist", f"there is no {name!r}{nearest(name, values)}",
                               f"the names are {', '.join(values) or 'none yet'}")  # fmt: skip

    def __setattr__(self, name, value):
        self[name] = value

    def __delattr__(self, name):
        if name not in self._config:
            getattr(self, name)  # says which names there are
        del self[name]

    def __repr__(self):
        return f"<Config {self._config}>"
