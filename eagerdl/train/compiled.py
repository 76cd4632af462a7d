"""What `compile` makes of losses and metrics: for each output of a model its loss, its weight and its metrics."""

import itertools

from eagerdl import ops, registry, tree
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.nn import calls
from eagerdl.nn.layer import get_mask
from eagerdl.tensor import Tensor, from_array, to_array
from eagerdl.train import losses, metrics

CROSSENTROPIES = {
    "binary": "binary_crossentropy",
    "sparse": "sparse_categorical_crossentropy",
    "dense": "categorical_crossentropy",
}
ACCURACIES = {"binary": "BinaryAccuracy", "sparse": "SparseCategoricalAccuracy", "dense": "CategoricalAccuracy"}
ACCURACY_NAMES = ("accuracy", "acc")
CROSSENTROPY_NAMES = ("crossentropy", "ce")


class Outputs:
    """Pairs of labels and predictions of a model with one or several outputs, and what belongs to each.

    Args:
        names: the names of the outputs, in order, or None.
    """

    def __init__(self, names=None):
        self.names = names

    def leaves(self, where, y_true, y_pred):
        """Lists of names, labels and predictions, one for each output.

        Raises:
            ShapeError: if labels and outputs do not match in number.
        """
        if isinstance(y_pred, Tensor):
            found = tree.flatten(y_true)[0] if isinstance(y_true, dict | tuple) or _holds_arrays(y_true) else [y_true]
            if len(found) != 1:
                raise ShapeError(where, "the model has one output", f"y holds {len(found)} arrays", "pass one array")
            return [None], found, [y_pred]
        if isinstance(y_pred, dict):
            keys = list(y_pred)
            names, preds = keys, [y_pred[key] for key in keys]
        else:
            keys, preds = None, tree.flatten(y_pred)[0]
            names = (
                self.names
                if self.names and len(self.names) == len(preds)
                else [f"output_{i}" for i in range(len(preds))]
            )
        if isinstance(y_true, dict):
            unknown = [key for key in y_true if key not in names]
            if unknown:
                raise ArgumentError(
                    where, f"y has the names of the outputs {names}", f"got {unknown} too", "name the layers so"
                )
            trues = [y_true.get(name) for name in names]
        else:
            trues = [None] * len(preds) if y_true is None else tree.flatten(y_true)[0]
        if len(trues) != len(preds):
            raise ShapeError(where, f"the model has {len(preds)} outputs", f"y holds {len(trues)} arrays",
                             "pass one array of labels for each output, or a dict by their names")  # fmt: skip
        return names, trues, preds

    def spread(self, where, given, names):
        """What the user gave for all outputs, as a list with one entry each.

        Args:
            where: for messages.
            given: one thing for all, a list, or a dict by the names of outputs.
            names: of the outputs.

        Raises:
            ArgumentError: for a list of another length, or unknown names.
        """
        if len(names) == 1 and not isinstance(given, dict | list | tuple):
            return [given]
        if isinstance(given, dict) and "class_name" not in given:
            unknown = [name for name in given if name not in names]
            if unknown and not (len(names) == 1 and len(given) == 1):
                raise ArgumentError(where, f"the outputs are named {[name for name in names if name]}", f"got {unknown}"
                                    + registry.nearest(unknown[0], [n for n in names if n]),
                                    "use the names of the output layers")  # fmt: skip
            return [*given.values()] if len(names) == 1 else [given.get(name) for name in names]
        if isinstance(given, list | tuple):
            if len(given) != len(names):
                raise ArgumentError(where, f"the model has {len(names)} outputs", f"got a list of {len(given)}",
                                    "pass one entry for each output, or a dict by their names")  # fmt: skip
            return list(given)
        return [given] * len(names)


class CompileLoss:
    """(x, y, y_pred) -> the loss of a model: the weighted sum of the losses of its outputs.

    Args:
        loss: what the user gave to `compile`.
        loss_weights: None, numbers in a list, or a dict by output.
        outputs: the Outputs.
    """

    def __init__(self, loss, loss_weights, outputs):
        self.given, self.given_weights, self.outputs = loss, loss_weights, outputs
        self.losses = None  # one for each output; made when the first labels are seen
        self.weights = None
        self.names = []
        self.trackers = []  # the mean of each output's loss, where there are several

    def build(self, where, names, trues, preds):
        """Makes the loss objects."""
        self.names = names
        given = self.outputs.spread(f"{where}.compile loss", self.given, names)
        self.losses = [_loss_for(where, one, y, p) for one, y, p in zip(given, trues, preds)]
        weights = self.given_weights
        self.weights = (
            [None] * len(names)
            if weights is None
            else self.outputs.spread(f"{where}.compile loss_weights", weights, names)
        )
        if sum(loss is not None for loss in self.losses) > 1:
            self.trackers = [
                None if loss is None else metrics.Mean(name=f"{name}_loss") for name, loss in zip(names, self.losses)
            ]

    def make(self, where, y_true, y_pred):
        """Makes what the first batch shows; returns names, labels and predictions of the outputs."""
        found = self.outputs.leaves(where, y_true, y_pred)
        if self.losses is None:
            self.build(where, *found)
        return found

    def __call__(self, where, y_true, y_pred, sample_weight=None):
        names, trues, preds = self.make(where, y_true, y_pred)
        weights = _weights_of(where, sample_weight, names)
        total = None
        for index, (loss, y, p, w) in enumerate(zip(self.losses, trues, preds, weights)):
            if loss is None:
                continue
            if y is None:
                raise ArgumentError(where, "labels are needed for every output that has a loss",
                                    f"there are none for {names[index] or 'the output'}",
                                    "pass y, or compile without that loss")  # fmt: skip
            value = calls.converted(loss)(y, p, w)
            if self.trackers:
                self.trackers[index].update_state(value, sample_weight=p.shape[0] if p.ndim else None)
            if self.weights[index] is not None:
                value = value * self.weights[index]
            total = value if total is None else total + value
        return total

    @property
    def objects(self):
        """The losses and trackers."""
        return [*(self.losses or ()), *self.metrics()]

    def metrics(self):
        """The trackers of single losses."""
        return [tracker for tracker in self.trackers if tracker is not None]


class CompileMetrics:
    """The metrics that the user gave to `compile`, for each output.

    Args:
        plain, weighted: `metrics` and `weighted_metrics` as given.
        outputs: the Outputs.
    """

    name = "compile_metrics"

    def __init__(self, plain, weighted, outputs):
        for what, given in (("metrics", plain), ("weighted_metrics", weighted)):
            if given is not None and not isinstance(given, list | tuple | dict):
                raise DTypeError(
                    f"compile {what}",
                    "a list, tuple or dict of metrics is needed",
                    f"got {given!r}",
                    f"use [{given!r}]",
                )
        self.given, self.outputs = (plain, weighted), outputs
        self.rows = None  # (output index, metric, weighted?, name in logs)
        self._early = [one for given in self.given for one in tree.flatten(given)[0] if isinstance(one, metrics.Metric)]

    def build(self, where, names, trues, preds):
        """Makes the metric objects."""
        self.rows = []
        for weighted, given in enumerate(self.given):
            if not given:
                continue
            if len(names) == 1 and not isinstance(given, dict):
                spread = [given]
            elif isinstance(given, list | tuple) and len(given) != len(names):
                spread = [given] * len(names)  # the same for all outputs
                if any(isinstance(one, metrics.Metric) for one in tree.flatten(given)[0]):
                    raise ArgumentError(f"{where}.compile metrics", "a metric object belongs to one output",
                                        f"the model has {len(names)}",
                                        "pass a list of lists or a dict by output names")  # fmt: skip
            else:
                spread = self.outputs.spread(f"{where}.compile metrics", given, names)
            for index, mine in enumerate(spread):
                for one in tree.flatten(mine)[0]:
                    if one is not None:
                        metric = _metric_for(where, one, trues[index], preds[index])
                        prefix = "" if names[index] is None or len(names) == 1 else f"{names[index]}_"
                        name = self._unused([f"{prefix}{metric.name}", *[f"{prefix}weighted_{metric.name}"] * weighted])
                        self.rows.append((index, metric, bool(weighted), name))

    def _unused(self, names):
        """The first of `names` that no metric has, or the last one with a number."""
        known = {row[3] for row in self.rows}
        numbered = (f"{names[-1]}_{count}" for count in itertools.count(1))
        return next(name for name in itertools.chain(names, numbered) if name not in known)

    @property
    def metrics(self):
        """The metric objects."""
        return self._early if self.rows is None else [metric for _, metric, _, _ in self.rows]

    objects = metrics

    def make(self, where, y_true, y_pred):
        """Makes what the first batch shows; returns names, labels and predictions of the outputs."""
        found = self.outputs.leaves(where, y_true, y_pred)
        if self.rows is None:
            self.build(where, *found)
        return found

    @property
    def variables(self):
        """Those of the metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    def reset_state(self):
        """Lets all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def update_state(self, y_true, y_pred, sample_weight=None):
        """As `update`: in loops over `model.metrics` this is one metric among the others."""
        self.update("compile_metrics", y_true, y_pred, sample_weight)

    def update(self, where, y_true, y_pred, sample_weight):
        """Lets every metric see a batch."""
        names, trues, preds = self.make(where, y_true, y_pred)
        weights = _weights_of(where, sample_weight, names)
        for index, metric, weighted, _ in self.rows:
            y, p = trues[index], preds[index]
            if y is None:
                continue
            weight = weights[index] if weighted else None
            mask = get_mask(p)
            if mask is not None and mask.shape == y.shape[: mask.ndim]:
                mask = mask.astype(p.dtype)
                weight = mask if weight is None else mask * _leading(weight, mask)
            update = calls.converted(metric.update_state)
            if weight is None:
                update(y, p)
            else:
                update(y, p, sample_weight=weight)

    def result(self):
        """name -> value."""
        out = {}
        for _, metric, _, name in self.rows or ():
            value = calls.converted(metric.result)()
            if isinstance(value, dict):
                out.update(value)
            else:
                out[name] = value
        return out


def _leading(weight, mask):
    weight = weight if isinstance(weight, Tensor) else from_array(to_array(weight))
    return weight.reshape((*weight.shape, *[1] * (mask.ndim - weight.ndim)))


def _holds_arrays(value):
    return isinstance(value, list) and any(hasattr(one, "shape") for one in value)


def _weights_of(where, sample_weight, names):
    if sample_weight is None:
        return [None] * len(names)
    if isinstance(sample_weight, dict):
        return [sample_weight.get(name) for name in names]
    if isinstance(sample_weight, list | tuple):
        if len(sample_weight) != len(names):
            raise ShapeError(where, f"the model has {len(names)} outputs", f"{len(sample_weight)} arrays of sample weights",
                             "pass one for each, or one array for all")  # fmt: skip
        return list(sample_weight)
    return [sample_weight] * len(names)


def kind_of(y_true, y_pred):
    """Which crossentropy or accuracy fits: ``"binary"``, ``"sparse"`` or ``"dense"``, from the shapes, as in Keras."""
    if y_pred.ndim and y_pred.shape[-1] == 1:
        return "binary"
    true = getattr(y_true, "shape", ())
    if len(true) < y_pred.ndim or (len(true) and true[-1] == 1):
        return "sparse"
    return "dense"


def _loss_for(where, given, y_true, y_pred):
    if given is None or isinstance(given, losses.Loss):
        return given
    name = given if isinstance(given, str) else None
    if isinstance(given, str) and given.lower() in CROSSENTROPY_NAMES:
        given = CROSSENTROPIES[kind_of(y_true, y_pred)]
    found = losses.get(given)
    if isinstance(found, losses.Loss):
        return found
    if not callable(found):
        raise DTypeError(
            f"{where}.compile",
            "a loss is a name, a Loss or a function (y_true, y_pred)",
            f"got {given!r}",
            "see help()",
        )
    return losses.LossFunctionWrapper(found, name=name or getattr(found, "__name__", type(found).__name__))


def _metric_for(where, given, y_true, y_pred):
    if isinstance(given, metrics.Metric):
        return given
    name = given if isinstance(given, str) else None
    lower = name.lower() if name else ""
    if lower in ACCURACY_NAMES:
        return getattr(metrics, ACCURACIES[kind_of(y_true, y_pred)])(name=name)
    if lower in CROSSENTROPY_NAMES:
        return metrics.MeanMetricWrapper(getattr(losses, CROSSENTROPIES[kind_of(y_true, y_pred)]), name=name)
    found = metrics.get(given)
    if isinstance(found, metrics.Metric):
        if name is not None:
            found._name = name  # logs say what the user said
        return found
    if not callable(found):
        raise DTypeError(
            f"{where}.compile",
            "a metric is a name, a Metric or a function (y_true, y_pred)",
            f"got {given!r}",
            "see help()",
        )
    return metrics.MeanMetricWrapper(found, name=name or getattr(found, "__name__", type(found).__name__))


def batch_size_of(data):
    """How many examples the arrays of a batch hold; None if there is no array."""
    for leaf in tree.flatten(data)[0]:
        shape = getattr(leaf, "shape", None)
        if shape:
            return shape[0]
    return None


def total_of(loss, added):
    """The loss of the outputs plus what layers added."""
    for one in added:
        loss = one if loss is None else loss + (one if one.ndim == 0 else ops.sum(one))
    return loss
