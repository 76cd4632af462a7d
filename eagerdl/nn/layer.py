"""`Layer`: a function with weights, made when the first input shows their shapes."""

import functools
import inspect
import warnings
import weakref

import numpy as np

from eagerdl import dtypes, registry, tree
from eagerdl.autograd.custom import recompute_grad
from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, ShapeError
from eagerdl.jit import trace as tracing
from eagerdl.nn import calls, policy, regularizers, symbolic
from eagerdl.nn.input_spec import InputSpec, check_inputs
from eagerdl.nn.names import auto_name, snake_case
from eagerdl.nn.shapes import map_shapes
from eagerdl.nn.weights import WeightOwner, holding
from eagerdl.ops.conversion import cast
from eagerdl.tensor import Tensor, from_array, symbols, to_array

__all__ = ["InputSpec", "Layer"]

TRAINING = {"training"}


class _SignatureOfInit:
    """The signature of a class of layers: that of `__init__`. Some releases of Python 3.11 would take that of `__new__`."""

    def __get__(self, instance, cls):
        if instance is not None:
            raise AttributeError("__signature__")  # a layer is called as its class says
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=[*signature.parameters.values()][1:])


class Layer(WeightOwner):
    """inputs -> outputs. A function with weights: write `call`, and `build` if it has weights.

    `__call__` does what every layer needs: it turns arrays into tensors of the compute dtype, checks `input_spec`, builds the
    weights at the first call, passes `training` and `mask` down to nested layers, and collects losses.
    Assign weights and other layers to attributes, also in lists, tuples and dicts: they are found when they are asked for.

    Args:
        activity_regularizer: a regularizer of the outputs.
        trainable: whether optimizers change the weights.
        dtype: the dtype policy: a dtype, ``"mixed_bfloat16"``, ``"mixed_float16"``, or a DTypePolicy.
        autocast: whether floating inputs are cast to the compute dtype.
        name: a name without "/"; by default the class name in snake case, numbered.

    Raises:
        ArgumentError: for unknown arguments.

    Example:
        >>> class Linear(edl.layers.Layer):
        ...     def __init__(self, units):
        ...         super().__init__()
        ...         self.units = units
        ...
        ...     def build(self, input_shape):
        ...         self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w")
        ...
        ...     def call(self, x):
        ...         return x @ self.w
        >>> Linear(2)(edl.ones((4, 3))).shape
        (4, 2)
    """

    supports_masking = False
    input_spec = None
    _convert_inputs = True
    _init_arguments = None
    _has_shape_rule = False
    _guesses = True  # get_config finds out the arguments of __init__; not where a class has its own

    __signature__ = _SignatureOfInit()

    def __new__(cls, *args, **kwargs):
        """Notes the arguments, from which a class without get_config can be described."""
        self = super().__new__(cls)
        self.__dict__["_init_arguments"] = (args, kwargs)
        return self

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "compute_output_shape" in vars(cls):
            cls._has_shape_rule = vars(cls).get("_has_shape_rule", True)
        if "get_config" in vars(cls):
            cls._guesses = vars(cls).get("_guesses", False)
        if "build" in vars(cls):
            cls.build = _noting_shapes(vars(cls)["build"])

    def __init__(self, *, activity_regularizer=None, trainable=True, dtype=None, autocast=True, name=None, **kwargs):
        shape = kwargs.pop("input_shape", None)
        if shape is None and "input_dim" in kwargs:
            shape = (kwargs.pop("input_dim"),)
        if kwargs:
            raise ArgumentError(type(self).__name__, "the arguments of __init__ must be known", f"got {', '.join(kwargs)} too",
                                f"they are {inspect.signature(type(self).__init__)}")  # fmt: skip
        if shape is not None:
            self._given_input_shape = tuple(shape)
        super().__init__(name=name)
        if name is None:
            self._name = auto_name(snake_case(type(self).__name__))
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self._policy, self.autocast, self.built = policy.get(dtype), autocast, False
        self._begin(trainable)
        self._losses, self._loss_serial = [], 0  # what the last call added, and the number of that outermost call
        self._entered = 0  # the number of the last call of which this layer was the outermost
        self._calls = []  # weak references to the nodes of functional models
        self._build_shapes = None
        self._path = None

    # -- identity ---------------------------------------------------------------------------------

    @property
    def path(self):
        """The names from the outermost layer down to this one, as in ``"encoder/dense_1"``."""
        return vars(self).get("_path") or self.name

    @property
    def dtype_policy(self):
        """The DTypePolicy."""
        return self._policy

    @dtype_policy.setter
    def dtype_policy(self, value):
        self._policy = policy.get(value)

    @property
    def compute_dtype(self):
        """The name of the dtype in which the layer computes."""
        return self._policy.compute_dtype

    @property
    def variable_dtype(self):
        """The name of the dtype in which the layer keeps its weights."""
        return self._policy.variable_dtype

    dtype = variable_dtype
    input_dtype = compute_dtype

    @property
    def where(self):
        """How messages call this layer: ``Dense 'encoder/dense_1'``."""
        return f"{type(self).__name__} {self.path!r}"

    def build(self, input_shape):
        """Makes the weights; overridden by layers that have some. `input_shape` has the batch axis, None where unknown."""
        self.built = True

    # -- calls ------------------------------------------------------------------------------------

    def call(self, *args, **kwargs):
        """The computation; every layer overrides it. May take `training` and `mask`."""
        raise ArgumentError(
            self.where, "a layer needs a method call", f"{type(self).__name__} has none", "write call(self, x)"
        )

    def __call__(self, *args, **named):
        facts = calls.signature_of(type(self))
        try:
            compute = self._policy.compute
        except AttributeError:
            raise ArgumentError(type(self).__name__, "super().__init__() must run before a layer is used", "it has not",
                                "call it first in __init__") from None  # fmt: skip
        ready = len(args) == 1 and args[0].__class__ is Tensor and args[0]._array.dtype == compute
        if not ready or (named and named.keys() != TRAINING):
            if self._convert_inputs:
                args, named = self._convert_all(args, named)
            if symbols and symbolic.any_symbolic(args, named):
                return self.symbolic_call(*args, **named)
        outer = calls._current.get()
        if outer is None:
            call = calls.Call(self)
            token = calls._current.set(call)
            self._entered = call.serial
        else:
            call = outer
        before = call.training
        if self._path is None:
            self._path = "/".join([*call.path, self.name])
        call.path.append(self.name)
        try:
            first = args[0] if args else named.get(facts.first)
            if self.input_spec is not None:
                check_inputs(self.where, self.input_spec, first)
            if not self.built:
                with calls.building:
                    if not self.built:
                        self._maybe_build(facts, args, named)
                if calls.makers:
                    calls.made(self)
            training = named.pop("training", None)
            if training is None and facts.training and len(args) > (place := facts.names.index("training")):
                training, args = args[place], args[:place] + args[place + 1 :]
            if training is None:
                training = before if before is not None else facts.training_default
            call.training = training
            if facts.training and training is not None:
                named["training"] = training
            if facts.masks:
                self._fill_masks(facts, args, named)
            mask = named.get("mask")
            if mask is None:
                mask = (
                    getattr(first, "_mask", None) if isinstance(first, Tensor) else tree.map_structure(get_mask, first)
                )
            elif "mask" in facts.refused:
                del named["mask"]
            function = self.call if not tracing._running else calls.converted(self.call)
            if self._policy.mixed or policy.casting() is not None:
                with policy.cast_to(compute if self._policy.mixed and self.autocast else None):
                    out = function(*args, **named)
            else:
                out = function(*args, **named)
            if self.activity_regularizer is not None:
                for one in tree.flatten(out)[0]:
                    loss = calls.converted(self.activity_regularizer)(one)
                    self.add_loss(loss / one.shape[0] if one.ndim and one.shape[0] else loss)
            if mask is None and type(self).compute_mask is Layer.compute_mask:
                pass  # nothing to pass on
            elif self.supports_masking:
                self._pass_mask(first, out, mask)
            elif mask is not None and any(m is not None for m in tree.flatten(mask)[0]):
                warnings.warn(
                    f"{self.where} got input with a mask, but does not support masking: the layers behind it will see no mask. "
                    "Set supports_masking = True in the layer, or take the mask in call.", stacklevel=2,
                )  # fmt: skip
            if calls.observers:
                for observe in calls.observers:
                    observe(self, out)
        except EagerdlError as error:
            if not getattr(error, "__notes__", None):
                error.add_note(f"in {self.where}, called with {_shown(args)}")
            raise
        finally:
            call.training = before
            call.path.pop()
            if outer is None:
                calls._current.reset(token)
        return out

    def _convert_all(self, args, named):
        """The arguments with tensors of the compute dtype for arrays and tensors."""
        if len(args) == 1 and (not named or named.keys() == TRAINING) and isinstance(args[0], Tensor | np.ndarray):
            return (self._converted(args[0]),), named
        args, named = tree.map_structure(self._converted, (args, named))
        if args and isinstance(args[0], list) and args[0] and _only_numbers(args[0]):
            args = (self._converted(np.array(args[0])), *args[1:])
        return args, named

    def _converted(self, x):
        """An argument as a tensor of the compute dtype, where it is an array or tensor; anything else as it is."""
        if isinstance(x, Tensor):
            if not self.autocast or x.dtype == self._policy.compute_dtype or x.dtype not in dtypes.FLOATING_SET:
                return x
            if self._policy.compute_dtype not in dtypes.FLOATING:
                return x
            out = cast(x, self._policy.compute_dtype)
            mask = get_mask(x)
            if mask is not None:
                set_mask(out, mask)
            return out
        if hasattr(x, "__array__") and not isinstance(x, np.generic):
            array = to_array(x)
            if self.autocast and array.dtype in dtypes.FLOATING_SET and self._policy.compute_dtype in dtypes.FLOATING:
                array = array.astype(self._policy.compute_dtype, copy=False)
            return from_array(array)
        return x

    def _maybe_build(self, facts, args, named):
        """Builds from the shapes of the tensor arguments: the first one, or those that `build` asks for by name."""
        bound = facts.bound(args, named)
        shapes = {
            name: tree.map_structure(_shape_of, value)
            for name, value in bound.items()
            if any(hasattr(leaf, "shape") for leaf in tree.flatten(value)[0])
        }
        if not shapes:
            self.built = True
            return
        wanted = [name for name in inspect.signature(self.build).parameters if name.endswith("_shape")]
        by_name = {f"{name}_shape": shape for name, shape in shapes.items()}
        if len(wanted) > 1 or (wanted and wanted[0] in by_name and len(shapes) > 1):
            self.build(**{name: by_name[name] for name in wanted if name in by_name})
        else:
            self.build(next(iter(shapes.values())))
        self.built = True

    def _fill_masks(self, facts, args, named):
        if len(args) == 1 and not named.keys() - TRAINING and facts.masks == ["mask"] and isinstance(args[0], Tensor):
            mask = getattr(args[0], "_mask", None)  # the usual case, in few steps
            if mask is not None:
                named["mask"] = mask
            return
        bound = facts.bound(args, named)
        tensors = {name: value for name, value in bound.items() if name not in facts.masks and _holds_tensors(value)}
        for place, name in enumerate(facts.masks):
            if bound.get(name) is not None:
                continue
            source = (
                name.removesuffix("_mask")
                if name != "mask"
                else (facts.first if place == 0 or len(tensors) == 1 else None)
            )
            if name == "mask" and len(tensors) > 1:
                continue
            if source in tensors:
                mask = tree.map_structure(get_mask, tensors[source])
                if any(m is not None for m in tree.flatten(mask)[0]):
                    named[name] = mask

    def compute_mask(self, inputs, previous_mask):
        """The mask of the outputs: by default that of the inputs."""
        return previous_mask

    def _pass_mask(self, inputs, out, mask):
        leaves = [out] if isinstance(out, Tensor) else tree.flatten(out)[0]
        nothing = mask is None or (not isinstance(mask, Tensor) and all(m is None for m in tree.flatten(mask)[0]))
        if nothing and type(self).compute_mask is Layer.compute_mask:
            return
        if leaves and all(get_mask(one) is not None for one in leaves):
            return
        masks = calls.converted(self.compute_mask)(inputs, mask)
        if masks is None:
            return
        masks = [masks] if isinstance(masks, Tensor) else tree.flatten(masks)[0]
        for one, found in zip(leaves, masks):
            if found is not None and isinstance(one, Tensor) and get_mask(one) is None:
                set_mask(one, found)

    def rematerialized_call(self, *args, **kwargs):
        """`call`, whose inner values are computed again for the gradient instead of being kept."""
        return recompute_grad(self.call)(*args, **kwargs)

    def stateless_call(self, trainable_variables, non_trainable_variables, *args, return_losses=False, **kwargs):
        """The call with given values for the variables, which stay as they are.

        Args:
            trainable_variables, non_trainable_variables: values in the order of these properties; gradients flow to tensors
                among them.
            args, kwargs: the arguments of the call.
            return_losses: whether the losses are returned as well.

        Returns:
            outputs and the non-trainable values after the call, then the losses.

        Raises:
            ShapeError: if the number of values differs.
        """
        pairs = []
        for mine, given, which in ((self.trainable_variables, trainable_variables, "trainable"),
                                   (self.non_trainable_variables, non_trainable_variables, "non_trainable")):  # fmt: skip
            if len(mine) != len(given):
                raise ShapeError(f"{self.where}.stateless_call", f"{len(mine)} {which}_variables are needed", f"got {len(given)}",
                                 "pass one value for each, in order; build the layer first")  # fmt: skip
            pairs += zip(mine, given)
        with holding(pairs):
            out = self(*args, **kwargs)
            after = [v.value for v in self.non_trainable_variables]
            return (out, after, self.losses) if return_losses else (out, after)

    # -- losses -----------------------------------------------------------------------------------

    def add_loss(self, loss):
        """Adds a scalar tensor, or several, to `losses`; for use in `call`.

        Raises:
            DTypeError: if it is no tensor.
        """
        for one in tree.flatten(loss)[0]:
            if not isinstance(one, Tensor):
                raise DTypeError(f"{self.where}.add_loss", "a loss is a scalar tensor", f"got {type(one).__name__}",
                                 "compute it from tensors in call")  # fmt: skip
            call = calls.current()
            if call is None:  # beside calls: it stays until the next one
                self._losses = [] if self._loss_serial < self._entered else self._losses
                self._loss_serial = next(calls._serials)
            elif call.serial != self._loss_serial:
                self._losses, self._loss_serial = [], call.serial
            self._losses.append(one)

    @property
    def losses(self):
        """The losses that were added in the last call, and those of the regularizers of the weights now."""
        layers = self._flatten_layers()
        added = [loss for layer in layers if layer._loss_serial >= self._entered for loss in layer._losses]
        punished = [
            v for v in self._kept("variables", self._find_variables) if v.regularizer is not None and v.trainable
        ]
        return added + [calls.converted(v.regularizer)(v) for v in punished]

    def _clear_losses(self):
        """Forgets the losses that were added."""
        for layer in self._flatten_layers():
            layer._losses = []

    # -- symbolic calls, shapes -------------------------------------------------------------------

    def symbolic_call(self, *args, **named):
        """The call on symbolic tensors: builds, and adds a node to the graph of a functional model."""
        facts = calls.signature_of(type(self))
        first = args[0] if args else named.get(facts.first)
        if self.input_spec is not None:
            check_inputs(self.where, self.input_spec, first)
        if not self.built:
            self._maybe_build(facts, args, named)
        out = self.compute_output_spec(*args, **named)
        self._note(symbolic.Node(self, args, named, out))
        return out

    def compute_output_spec(self, *args, **named):
        """SymbolicTensors like what the call on `args`, symbolic or not, would give."""
        if self._has_shape_rule:
            facts = calls.signature_of(type(self))
            bound = facts.bound(args, named)
            shapes = {
                name: tree.map_structure(_shape_of, value) for name, value in bound.items() if _holds_tensors(value)
            }
            wanted = [p for p in inspect.signature(self.compute_output_shape).parameters if p.endswith("_shape")]
            by_name = {f"{name}_shape": shape for name, shape in shapes.items()}
            if len(wanted) > 1:
                shape = self.compute_output_shape(**{name: by_name[name] for name in wanted if name in by_name})
            else:
                shape = self.compute_output_shape(next(iter(shapes.values())))
            return map_shapes(lambda one: symbolic.SymbolicTensor(one, self.compute_dtype), shape)
        return self._spec_by_running(args, named)

    def _spec_by_running(self, args, named):
        return self._untouched(lambda: symbolic.infer(self._run_on_stand_ins, args, named))

    def _run_on_stand_ins(self, *args, **named):
        token = calls._current.set(calls.Call(self))
        try:
            return Layer.__call__(self, *args, **named)
        finally:
            calls._current.reset(token)

    def _untouched(self, function):
        """The result of `function`, with all variables as they were before."""
        saved = [(v, v._array, v._now) for v in self.variables]
        try:
            return function()
        finally:
            for v, array, now in saved:
                v._array, v._now = array, now
            self._clear_losses()

    def compute_output_shape(self, *args, **kwargs):
        """input_shape -> output_shape, with None for unknown sizes; found by running `call` where a layer has no rule."""
        shapes = [map_shapes(lambda one: symbolic.SymbolicTensor(one, self.compute_dtype), shape) for shape in args]
        named = {
            name.removesuffix("_shape"): map_shapes(lambda one: symbolic.SymbolicTensor(one, self.compute_dtype), shape)
            for name, shape in kwargs.items()
        }
        return tree.map_structure(lambda x: x.shape, self._spec_by_running(shapes, named))

    @property
    def input(self):
        """The symbolic input of the layer's only call in a functional model."""
        inputs = self._only_node("input").inputs()
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output(self):
        """The symbolic output of the layer's only call in a functional model."""
        node = self._only_node("output")
        return node.rebuild(node.outputs)

    @property
    def _nodes(self):
        """The calls on symbolic tensors of which somebody still holds something."""
        return [node for node in (call() for call in self._calls) if node is not None]

    def _note(self, node):
        self._calls.append(weakref.ref(node))

    def _only_node(self, what):
        if len(self._nodes) != 1:
            raise ArgumentError(f"{self.where}.{what}", "the layer must have been called on symbolic tensors once",
                                f"it was called {len(self._nodes)} times", "keep the tensors that the calls return")  # fmt: skip
        return self._nodes[0]

    # -- configuration ----------------------------------------------------------------------------

    def get_config(self):
        """The arguments of __init__ as JSON can hold them; layers with arguments of their own add theirs.

        Raises:
            ArgumentError: where a class has arguments that cannot be guessed.
        """
        config = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": registry.serialize_keras_object(self._policy),
        }
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        if self._guesses:
            config |= self._guessed_config()
        return config

    def _guessed_config(self):
        args, kwargs = self._init_arguments
        bound = inspect.signature(type(self).__init__).bind_partial(self, *args, **kwargs).arguments
        bound.pop(next(iter(bound)))
        for name, parameter in inspect.signature(type(self).__init__).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound.pop(name, None)
            elif parameter.kind is parameter.VAR_POSITIONAL and bound.get(name):
                self._refuse_config(name, bound[name])
        bound.pop("dtype", None)
        config = {}
        for name, value in bound.items():
            try:
                config[name] = registry.serialize_keras_object(value)
            except DTypeError:
                self._refuse_config(name, value)
        return config

    def _refuse_config(self, name, value):
        raise ArgumentError(f"{self.where}.get_config", "a layer with such arguments needs its own get_config",
                            f"argument {name} is {type(value).__name__}",
                            "override it: return {**super().get_config(), ...} with every argument of __init__")  # fmt: skip

    @classmethod
    def from_config(cls, config):
        """A new layer from what `get_config` gave.

        Raises:
            ArgumentError: if the config does not fit `__init__`.
        """
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = registry.deserialize_keras_object(config["dtype"])
        if cls._guesses:
            config = registry.deserialize_keras_object(config)
        accepted = inspect.signature(cls.__init__).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in accepted.values()):  # an __init__ that takes only its own arguments
            config = {name: value for name, value in config.items() if name in accepted}
        return cls(**config)

    def get_build_config(self):
        """The shapes with which the layer was built, None if it was not."""
        return self._build_shapes

    def build_from_config(self, config):
        """Builds with the shapes of `get_build_config`."""
        if not config or self.built:
            return
        shapes = {name: _shape_from_json(shape) for name, shape in config.get("shapes_dict", config).items()}
        if set(shapes) == {"input_shape"}:
            self.build(shapes["input_shape"])
        else:
            self.build(**shapes)
        self.built = True

    def __getstate__(self):
        """Everything but the nodes of functional models, which these models keep, and compiled steps."""
        state = {**self.__dict__, "_calls": [], "_found": None, "_whole": None}
        state.pop("_steps", None)
        return state

    def __repr__(self):
        state = "" if self.built else ", not built"
        return f"<{type(self).__name__} {self.name!r}{state}>"


def get_mask(x):
    """The mask that a layer attached to a tensor, or None."""
    return getattr(x, "_mask", None)


def set_mask(x, mask):
    """Attaches a mask, a boolean tensor of the leading axes of `x`, for the layers that `x` comes to."""
    x._mask = mask


def _noting_shapes(build):
    """`build` of a subclass: notes the shapes, and that the layer is built."""

    @functools.wraps(build)
    def noting(self, *args, **named):
        before = len(self._weights)
        try:
            build(self, *args, **named)
        except BaseException:  # so that another attempt begins with nothing
            del self._weights[before:]
            self.built = False
            raise
        self.built = True
        if self._build_shapes is None:
            names = [name for name in inspect.signature(build).parameters if name != "self"]
            shapes = {**dict(zip(names, args)), **named}
            if shapes:  # in Keras' form
                only = len(shapes) == 1
                self._build_shapes = {"input_shape": next(iter(shapes.values()))} if only else {"shapes_dict": shapes}

    return noting


def _shape_from_json(shapes):
    return map_shapes(lambda shape: shape, shapes)


def _shape_of(x):
    return tuple(x.shape) if hasattr(x, "shape") else None


def _holds_tensors(value):
    return isinstance(value, Tensor) or (
        isinstance(value, list | tuple | dict) and any(isinstance(leaf, Tensor) for leaf in tree.flatten(value)[0])
    )


def _only_numbers(values):
    return all(isinstance(leaf, int | float | bool) for leaf in tree.flatten(values)[0])


def _shown(args):
    return (
        ", ".join(f"{tuple(x.shape)} {x.dtype}" if isinstance(x, Tensor) else type(x).__name__ for x in args)
        or "nothing"
    )
