"""The graph of a functional model: the nodes between its inputs and outputs, in order, and how they run and become a config."""

import inspect
from typing import NamedTuple

from eagerdl import ops, registry, tree
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn.input import InputLayer
from eagerdl.nn.layer import Layer, get_mask, set_mask
from eagerdl.nn.names import snake_case
from eagerdl.nn.symbolic import FunctionOp, Node, SymbolicTensor, function_named, infer
from eagerdl.ops.conversion import cast
from eagerdl.tensor import Tensor, from_array, to_array

TUPLE = "__tuple__"


class Place:
    """Stands for a symbolic tensor in the state of a Graph."""

    __slots__ = ("index",)

    def __init__(self, index):
        self.index = index


class Graph:
    """What leads from symbolic inputs to symbolic outputs.

    Args:
        where: how messages call the model.
        inputs, outputs: nested structures of symbolic tensors.

    Raises:
        ArgumentError: if an output does not depend on the inputs alone, or two layers have one name.
        DTypeError: if something else than symbolic tensors comes.
    """

    def __init__(self, where, inputs, outputs):
        self.where, self.inputs, self.outputs = where, inputs, outputs
        self.input_leaves, self.output_leaves = tree.flatten(inputs)[0], tree.flatten(outputs)[0]
        for what, leaves in (("inputs", self.input_leaves), ("outputs", self.output_leaves)):
            for x in leaves:
                if not isinstance(x, SymbolicTensor):
                    raise DTypeError(where, f"{what} are symbolic tensors", f"got {type(x).__name__}: {x!r:.60}",
                                     "begin with edl.Input(shape), and call layers on it")  # fmt: skip
        self.nodes, visited = self._order()
        self._give_inputs_layers()
        self._held = [
            node.outputs for node in self.nodes
        ]  # nodes refer to them weakly, and `run` knows them by identity
        self.operations = self._by_depth(visited)
        seen = {}
        for operation in self.operations:
            if seen.setdefault(operation.name, operation) is not operation:
                raise ArgumentError(where, "each layer of a model needs a name of its own",
                                    f"two are named {operation.name!r}", "give one of them another name=")  # fmt: skip

    @property
    def layers(self):
        """The layers, those of the inputs too, in the order in which they run."""
        return [operation for operation in self.operations if isinstance(operation, Layer)]

    def _order(self):
        """The nodes between inputs and outputs, each after those it needs, and id(operation) -> when it was first met on the way
        from the outputs. No recursion: models may be deep.
        """
        known = {id(x) for x in self.input_leaves}
        ordered, done, visited = [], set(), {}
        stack = [(x, False) for x in reversed(self.output_leaves)]
        while stack:
            x, ready = stack.pop()
            if x._history is not None:
                visited.setdefault(id(x._history[0].operation), len(visited))
            if id(x) in known:
                continue
            node = None if x._history is None else x._history[0]
            if node is None or isinstance(node.operation, InputLayer):
                raise ArgumentError(self.where, "every output must be computed from the inputs of the model",
                                    f"{x!r} is an input that was not given", "add it to `inputs`")  # fmt: skip
            if ready:
                if id(node) not in done:
                    done.add(id(node))
                    ordered.append(node)
                known.update(map(id, node.outputs))
            else:
                stack.append((x, True))
                stack += [(parent, False) for parent in reversed(node.inputs())]
        return ordered, visited

    def _give_inputs_layers(self):
        """Where an input is a result of a layer outside of this model, an InputLayer takes its place, in copies of the nodes."""
        new = {}
        for x in self.input_leaves:
            if x._history is None or not isinstance(x._history[0].operation, InputLayer):
                made = f"{x._history[0].operation.name}_input" if x._history is not None else None
                new[id(x)] = InputLayer(batch_shape=x.shape, dtype=x.dtype, name=made).output
        if not new:
            return

        def renewed(structure):
            return tree.map_structure(lambda x: new.get(id(x), x), structure)

        nodes = []
        for node in self.nodes:
            args, named = renewed((node.args, node.named))
            for x in node.outputs:
                new[id(x)] = SymbolicTensor(x.shape, x.dtype, name=x.name)
            nodes.append(Node(node.operation, args, named, renewed(node.rebuild(node.outputs))))
        self.nodes, self.inputs, self.outputs = nodes, renewed(self.inputs), renewed(self.outputs)
        self.input_leaves, self.output_leaves = tree.flatten(self.inputs)[0], tree.flatten(self.outputs)[0]

    def _by_depth(self, visited):
        """The operations, those furthest from the outputs first; Keras' order, which is that of the weights."""
        depths, of_nodes = {}, {}
        ends = [x._history[0] for x in self.input_leaves]
        for node in [*reversed(self.nodes), *ends]:
            operation = node.operation
            depth = depths[id(operation)] = max(of_nodes.get(id(node), 0), depths.get(id(operation), 0))
            for x in node.inputs():
                parent = id(x._history[0])
                of_nodes[parent] = max(depth + 1, of_nodes.get(parent, 0))
        found = _once([node.operation for node in (*ends, *self.nodes)])
        return sorted(found, key=lambda one: (-depths[id(one)], visited.get(id(one), -1)))

    # -- copies -----------------------------------------------------------------------------------

    def __getstate__(self):
        """The nodes in a flat list: symbolic tensors point at each other along the whole depth of a model."""
        places = {id(x): Place(index) for index, x in enumerate(self._symbols())}

        def placed(structure):
            return tree.map_structure(lambda x: places.get(id(x), x), structure)

        made = [(x.shape, x.dtype, x.name) for x in self._symbols()]
        nodes = [(node.operation, *placed((node.args, node.named, node.rebuild(node.outputs)))) for node in self.nodes]
        sources = [None if x._history is None else x._history[0].operation for x in self.input_leaves]
        return {
            "where": self.where,
            "symbols": made,
            "nodes": nodes,
            "sources": sources,
            "ends": placed((self.inputs, self.outputs)),
        }

    def __setstate__(self, state):
        symbols = [SymbolicTensor(shape, dtype, name=name) for shape, dtype, name in state["symbols"]]

        def symbolic(structure):
            return tree.map_structure(lambda x: symbols[x.index] if isinstance(x, Place) else x, structure)

        inputs, outputs = symbolic(state["ends"])
        for x, operation in zip(tree.flatten(inputs)[0], state["sources"]):
            if operation is not None:
                operation._symbol, operation._calls = x, []
                operation._note(Node(operation, (), {}, x))
        for operation, args, named, out in state["nodes"]:
            node = Node(operation, *symbolic((args, named, out)))
            if isinstance(operation, Layer):
                operation._note(node)
        self.__init__(state["where"], inputs, outputs)

    def _symbols(self):
        return _once([*self.input_leaves, *[x for node in self.nodes for x in node.outputs]])

    # -- running ----------------------------------------------------------------------------------

    def run(self, inputs, call=lambda operation, args, named: operation(*args, **named)):
        """The outputs for a structure of tensors.

        Args:
            inputs: tensors in the structure of the graph's inputs, or a dict by their names.
            call: how an operation is called.
        """
        values = dict(zip(map(id, self.input_leaves), self.standardized(inputs)))

        def value(x):
            return values[id(x)] if isinstance(x, SymbolicTensor) else x

        for node in self.nodes:
            args, named = node.args, node.named
            if len(args) == 1 and not named and isinstance(args[0], SymbolicTensor):
                out = call(node.operation, (values[id(args[0])],), named)
            else:
                out = call(node.operation, *tree.map_structure(value, (args, dict(named))))
            if len(node.outputs) == 1 and isinstance(out, Tensor):
                values[id(node.outputs[0])] = out
            else:
                values.update(zip(map(id, node.outputs), tree.flatten(out)[0]))
        if len(self.output_leaves) == 1 and not isinstance(
            self.outputs, dict
        ):  # a list of one is that one, as in Keras
            return values[id(self.output_leaves[0])]
        return tree.map_structure(value, self.outputs)

    def specs(self, inputs):
        """Symbolic outputs for symbolic inputs of perhaps other shapes; nothing is added to any graph."""

        def call(operation, args, named):
            if isinstance(operation, Layer):
                return operation.compute_output_spec(*args, **named)
            return infer(operation.function, args, named)

        return self.run(inputs, call)

    def standardized(self, inputs):
        """A list of tensors that fit the inputs in rank and dtype, in their order.

        Raises:
            ShapeError: if there are too few or too many, or one has another rank.
            ArgumentError: if a name is missing.
        """
        leaves = self.input_leaves
        if len(leaves) == 1 and isinstance(inputs, Tensor):
            return [self._fit(leaves[0], inputs)]
        if isinstance(inputs, dict):
            names = (
                list(self.inputs) if isinstance(self.inputs, dict) else [x._history[0].operation.name for x in leaves]
            )
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ArgumentError(self.where, f"the inputs are {names}", f"{missing} missing in {sorted(map(str, inputs))}",
                                    "pass an array for each name")  # fmt: skip
            given = tree.flatten([inputs[name] for name in names])[0]
        else:
            given = tree.flatten(inputs)[0]
        if len(given) != len(leaves):
            raise ShapeError(self.where, f"{len(leaves)} inputs are needed", f"got {len(given)}",
                             f"pass the structure of {[x.name for x in leaves]}")  # fmt: skip
        return [self._fit(symbol, x) for symbol, x in zip(leaves, given)]

    def _fit(self, symbol, x):
        if x is None:
            return None
        if not isinstance(x, Tensor):
            x = from_array(to_array(x))
        mask = get_mask(x)
        shape, want = x.shape, symbol.shape
        if len(shape) != len(want):
            if len(shape) == len(want) + 1 and shape[-1] == 1:
                x = x[..., 0]
            elif len(shape) == len(want) - 1 and want[-1] == 1:
                x = ops.expand_dims(x, -1)
            else:
                raise ShapeError(
                    self.where, f"input {symbol.name!r} has shape {want}", f"got {shape}", "reshape it to that rank"
                )
        for axis, (size, n) in enumerate(zip(want, x.shape)):
            if size is not None and n is not None and size != n:
                raise ShapeError(self.where, f"input {symbol.name!r} has size {size} on axis {axis}, as in {want}",
                                 f"got {n} in shape {shape}", "give input of that size")  # fmt: skip
        if x.dtype != symbol.dtype:
            x = cast(x, symbol.dtype)
        if mask is not None and get_mask(x) is None:
            set_mask(x, mask)
        return x

    # -- configuration ----------------------------------------------------------------------------

    def get_config(self):
        """Keras' format: layers with their calls, which name the tensors that they take."""
        index = {}  # id(node) -> its number among the nodes of its operation in this graph
        counts = {}
        inputs = [x._history[0] for x in self.input_leaves]
        for node in [*inputs, *self.nodes]:
            number = counts.setdefault(id(node.operation), 0)
            index[id(node)] = number
            counts[id(node.operation)] += 1

        def history(x):
            node, place = x._history
            return [node.operation.name, index[id(node)], place]

        def described(x):
            if isinstance(x, SymbolicTensor):
                config = {"shape": list(x.shape), "dtype": x.dtype.name, "keras_history": history(x)}
                return {"class_name": "__keras_tensor__", "config": config}
            return registry.serialize_keras_object(x)

        nodes = {id(operation): [] for operation in self.operations}
        for node in self.nodes:
            nodes[id(node.operation)].append(node)
        layers = []
        for operation in self.operations:
            about, calls = described_with_calls(self.where, operation, nodes[id(operation)])
            tuples = not isinstance(operation, FunctionOp) or about["class_name"] == "FunctionOp"
            calls = [{"args": [_deep(described, x, tuples) for x in args], "kwargs": _deep(described, named, tuples)}
                     for args, named in calls]  # fmt: skip
            layers.append({**about, "name": operation.name, "inbound_nodes": calls})
        return {
            "layers": layers,
            "input_layers": _places(history, self.inputs),
            "output_layers": _places(lambda x: _shifted(history(x), x._history[0].operation, 1), self.outputs),
        }


def described_with_calls(where, operation, nodes):
    """The config of a layer or function of a graph, and the arguments of its calls.

    Functions whose arguments Keras holds alike are described in Keras' words: what is no tensor is in the config.

    Raises:
        ArgumentError: for functions that cannot be found by name.
    """
    calls = [(node.args, node.named) for node in nodes]
    if isinstance(operation, Layer):
        return registry.serialize_keras_object(operation), calls
    name = operation.known_as
    if name is None:
        raise ArgumentError(f"{where}.get_config", "functions in a saved model are those of eagerdl.ops",
                            f"got {operation.function.__name__}", "use a layer for your own functions")  # fmt: skip
    home = KERAS_HOMES.get(name)
    if name == "get_item" and isinstance([*calls[0][0], *calls[0][1].values()][1], list):
        home = None  # Keras reads a list as a tuple
    if home is not None and len(calls) == 1:
        signature = inspect.signature(operation.function)
        bound = signature.bind(*calls[0][0], **calls[0][1]).arguments
        tensors = list(bound)[: home.tensors]
        given = {
            key: value
            for key, value in bound.items()
            if key not in tensors and value is not signature.parameters[key].default
        }
        config = {"name": operation.name, **registry.serialize_keras_object(given)}
        config = {(home.renamed or {}).get(key, key): value for key, value in config.items()}
        named = {
            "module": f"keras.src.ops.{home.module}",
            "class_name": home.class_name,
            "registered_name": home.class_name,
        }
        return {**named, "config": config}, [(tuple(bound[key] for key in tensors), {})]
    config = {"name": operation.name, "function": name}
    return {"module": "eagerdl.ops", "class_name": "FunctionOp", "config": config, "registered_name": None}, calls


class Home(NamedTuple):
    """Where Keras has the class of a function: module, class, how many arguments are tensors, and other names of the rest."""

    module: str
    class_name: str
    tensors: int
    renamed: dict | None = None


def _homes():
    """name -> Home for functions whose arguments are those of Keras' classes."""
    words = {
        ("numpy", 1): "absolute argmax argmin concatenate cos exp expand_dims flip log max mean min negative prod repeat reshape "
        "roll sign sin split sqrt square squeeze stack std sum swapaxes tanh tile transpose var",
        ("numpy", 2): "add divide equal get_item greater greater_equal less less_equal matmul maximum minimum multiply not_equal "
        "power subtract true_divide",
        ("numpy", 3): "where",
        ("nn", 1): "elu gelu leaky_relu log_softmax relu relu6 sigmoid silu softmax softplus softsign",
        ("math", 1): "erf logsumexp rsqrt top_k",
        ("core", 1): "cast",
    }  # fmt: skip
    renamed = {"reshape": {"shape": "newshape", "newshape": "newshape"}}
    homes = {
        name: Home(module, "".join(part.capitalize() for part in name.split("_")), tensors, renamed.get(name))
        for (module, tensors), names in words.items() for name in names.split()
    }  # fmt: skip
    return homes | {f"primitive:{name}": homes[name] for name in ("prod", "reshape", "std", "top_k", "var")}


KERAS_HOMES = _homes()


def from_config(config):
    """The symbolic inputs and outputs of a graph from `Graph.get_config`, with new layers.

    Raises:
        ArgumentError: if the config names layers or functions that are not known, or its calls do not fit together.
    """
    operations, pending, outputs, described_by = {}, [], {}, {}
    for described in config["layers"]:
        operation = _revive(described)
        name = described.get("name") or described["config"]["name"]
        operations[name], described_by[name] = operation, described
        if isinstance(operation, InputLayer):
            outputs[name, 0] = [operation.output]
        pending += [(name, number, call) for number, call in enumerate(described["inbound_nodes"])]

    def lookup(history):
        name, number, place = history
        return outputs[name, number][place]

    def revived(value):
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return lookup(value["config"]["keras_history"])
        if isinstance(value, dict) and value.get("class_name") == TUPLE:
            return tuple([revived(one) for one in value["config"]["value"]])
        if isinstance(value, dict) and "class_name" in value and "config" in value:
            return registry.deserialize_keras_object(value)
        if isinstance(value, dict):
            return {key: revived(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([revived(one) for one in value])
        return value

    while pending:
        waiting = []
        for name, number, call in pending:
            try:
                args, named = revived(call["args"]), revived(call["kwargs"])
            except KeyError:  # something that it takes is not made yet
                waiting.append((name, number, call))
                continue
            operation = operations[name]
            if isinstance(operation, FunctionOp):
                args, named = _arguments_of(described_by[name], operation, args, named)
                out = _call_function(operation, args, named)
            else:
                out = operation(*args, **named)
            outputs[name, number] = tree.flatten(out)[0]
        if len(waiting) == len(pending):
            raise ArgumentError("Model.from_config", "the calls of a config must lead from its inputs to its outputs",
                                f"{sorted({name for name, _, _ in waiting})} take what nothing makes",
                                "check the config")  # fmt: skip
        pending = waiting

    def picked(histories):
        if isinstance(histories, dict):
            return {key: picked(one) for key, one in histories.items()}
        if len(histories) == 3 and isinstance(histories[0], str):
            return lookup(_shifted(histories, operations.get(histories[0]), -1))
        return type(histories)([picked(one) for one in histories])

    return picked(config["input_layers"]), picked(config["output_layers"])


def _shifted(history, operation, by):
    """[name, call, place] as Keras counts calls at the ends of a model: wired models inside, but Sequentials, begin with 1."""
    name, number, place = history
    wired = getattr(operation, "_graph", None) is not None and not hasattr(operation, "_sequence")
    return [name, number + by if wired else number, place]


def _call_function(operation, args, named):
    """Calls the function of `operation` on symbolic tensors, so that the new node is one of that operation."""
    out = infer(operation.function, args, named)
    Node(operation, args, named, out)
    return out


def _revive(described):
    """A layer, or a function as a FunctionOp; Keras' own function objects become the function of that name."""
    module, name, config = described.get("module") or "", described["class_name"], described["config"]
    if name == "FunctionOp" or ".ops." in module:
        wanted = config.get("function") or snake_case(name)
        return FunctionOp(function_named(wanted), config["name"])
    return registry.deserialize_keras_object(described)


def _arguments_of(described, operation, args, named):
    """The arguments of a function from a call and a config in Keras' words, where what is no tensor is in the config."""
    config = {key: registry.deserialize_keras_object(value) for key, value in described["config"].items()}
    if described["class_name"] == "FunctionOp":
        return args, named
    config.pop("name")
    name = operation.known_as
    if name == "get_item":  # JSON has no tuples
        return [tuple(one) if isinstance(one, list) else one for one in args], named
    if name == "einsum":
        return [config.pop("subscripts"), *args], {**config, **named}
    renamed = (name in KERAS_HOMES and KERAS_HOMES[name].renamed) or {}
    accepted = inspect.signature(operation.function).parameters
    back = {theirs: ours for ours, theirs in renamed.items() if ours in accepted}
    config = {back.get(key, key): value for key, value in config.items()}
    unknown = [key for key, value in config.items() if key not in accepted and value is not None]
    if unknown:
        raise ArgumentError(
            "Model.from_config", f"{name} takes {list(accepted)}", f"got {unknown} too", "check the config"
        )
    return args, {**{key: value for key, value in config.items() if key in accepted}, **named}


def _deep(function, structure, tuples=True):
    """`function` of the leaves of a structure; `tuples`, which an index may be, are marked, because JSON has only lists."""
    if isinstance(structure, dict):
        return {key: _deep(function, value, tuples) for key, value in structure.items()}
    if isinstance(structure, tuple) and tuples:
        return {"class_name": TUPLE, "config": {"value": [_deep(function, value) for value in structure]}}
    if isinstance(structure, list | tuple):
        return [_deep(function, value, tuples) for value in structure]
    return function(structure)


def _places(history, structure):
    """The structure of inputs or outputs with [name, call, place] for each tensor."""
    if isinstance(structure, dict):
        return {key: _places(history, value) for key, value in structure.items()}
    if isinstance(structure, list | tuple):
        return type(structure)([_places(history, value) for value in structure])
    return history(structure)


def _once(values):
    return list({id(value): value for value in values}.values())
