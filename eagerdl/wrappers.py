"""Models as estimators of scikit-learn: `SKLearnClassifier`, `SKLearnRegressor`, `SKLearnTransformer`.

They stand in pipelines and grid searches, are cloned with all their arguments, and can be pickled. scikit-learn comes with the
extra ``sklearn``.
"""

import contextlib
import copy

import numpy as np

from eagerdl.errors import PackageError
from eagerdl.models import Model
from eagerdl.models.clone import clone_model
from eagerdl.nn.symbolic import generator_kept
from eagerdl.ops.random import set_seed

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise PackageError(
        "wrappers", "scikit-learn 1.6 or later is needed", str(error), 'pip install "eagerdl[sklearn]"'
    ) from error

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


@contextlib.contextmanager
def seeded(random_state):
    """A context in which the global generator begins with a seed; afterwards it is as before."""
    if random_state is None:
        yield
        return
    with generator_kept():
        set_seed(check_random_state(random_state).randint(2**31))
        yield


class Estimator(BaseEstimator):
    """What the three have in common.

    Args:
        model: a compiled model, or a function ``(X, y, **model_kwargs)`` that makes one.
        warm_start: whether `fit` goes on with the model of the last one.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of ``model.fit``.
        random_state: an int, for fits that repeat to the bit; None draws on the global generator.
    """

    def __init__(self, model, warm_start=False, model_kwargs=None, fit_kwargs=None, random_state=None):
        self.model, self.warm_start, self.model_kwargs, self.fit_kwargs = model, warm_start, model_kwargs, fit_kwargs
        self.random_state = random_state

    def fit(self, X, y=None, **kwargs):
        """Trains a model.

        Args:
            X: (samples, features).
            y: targets.
            kwargs: further arguments of ``model.fit``, before those of `fit_kwargs`.

        Returns:
            The estimator.
        """
        return self._trained(X, y, not (self.warm_start and hasattr(self, "model_")), kwargs)

    def partial_fit(self, X, y=None, **kwargs):
        """Goes on training the model, if there is one already."""
        return self._trained(X, y, not hasattr(self, "model_"), kwargs)

    def _trained(self, X, y, anew, kwargs):
        X, y = self._validated(X, y, reset=anew)
        if y is not None:
            type_of_target(y, raise_unknown=True)
        target = self._encoded(y, reset=anew)
        with seeded(self.random_state):
            if anew:
                self.model_ = self._made(X, target)
            data = (X,) if target is None else (X, target)
            self.history_ = self.model_.fit(*data, **{**kwargs, **(self.fit_kwargs or {})}).history
        return self

    def _made(self, X, y):
        """A new model: made by the function, or a copy of the given one with new weights."""
        if not isinstance(self.model, Model):
            return self.model(X, y, **(self.model_kwargs or {}))
        made = clone_model(self.model)
        config = self.model.get_compile_config()
        if config is not None:
            made.compile_from_config(config)
        return made

    def _validated(self, X, y, reset=True):
        return validate_data(self, X=X, y=y, reset=reset, **({} if y is None else {"multi_output": True}))

    def _encoded(self, y, reset):
        return y

    def _raw(self, X):
        check_is_fitted(self, "model_")
        X = validate_data(self, X=X, reset=False)
        return np.asarray(self.model_.predict(X, **self._quiet()))

    def _quiet(self):
        verbose = (self.fit_kwargs or {}).get("verbose")
        return {} if verbose is None else {"verbose": verbose}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.non_deterministic = True
        return tags

    def __sklearn_clone__(self):
        """A copy with the same arguments and no fitted model; the given model is not trained by any copy, so they share it."""
        made = {
            name: value if isinstance(value, Model) else copy.deepcopy(value)
            for name, value in self.get_params(False).items()
        }
        return type(self)(**made)


class SKLearnClassifier(ClassifierMixin, Estimator):
    """X (samples, features), y (samples,) -> an estimator. The model sees one-hot labels and gives probabilities of classes.

    Args:
        model: a compiled model, or a function ``(X, y, **model_kwargs)`` that makes one; `y` is one-hot there.
        warm_start: whether `fit` goes on with the model of the last one.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of ``model.fit``.
        random_state: an int, for fits that repeat to the bit; None draws on the global generator.

    Example:
        >>> def make(X, y, units=4):
        ...     model = edl.Sequential([edl.Input(X.shape[1:]), edl.layers.Dense(units, "relu"),
        ...                             edl.layers.Dense(y.shape[1], "softmax")])
        ...     model.compile("adam", "categorical_crossentropy")
        ...     return model
        >>> estimator = edl.wrappers.SKLearnClassifier(make, fit_kwargs={"epochs": 1, "verbose": 0})
        >>> X, y = np.eye(4), np.array(["a", "b", "a", "b"])
        >>> estimator.fit(X, y).predict(X).shape
        (4,)
    """

    def _validated(self, X, y, reset=True):
        return validate_data(self, X=X, y=y, reset=reset)

    def _encoded(self, y, reset):
        check_classification_targets(y)
        if reset:
            kind = type_of_target(y, raise_unknown=True)
            if kind not in ("binary", "multiclass"):
                raise ValueError(f"[SKLearnClassifier] one label for each sample is needed; y is {kind}; Only binary and "
                                 "multiclass classification are supported")  # fmt: skip
            every = y if self._given_classes is None else self._given_classes
            self._encoder = OneHotEncoder(sparse_output=False, dtype=np.float32).fit(np.reshape(every, (-1, 1)))
            self.classes_ = self._encoder.categories_[0]
            if len(self.classes_) < 2:
                raise ValueError(
                    f"[SKLearnClassifier] Classifier can't train when only one class is present: {self.classes_}"
                )
        return self._encoder.transform(np.reshape(y, (-1, 1)))

    _given_classes = None

    def partial_fit(self, X, y=None, classes=None, **kwargs):
        """Goes on training the model, if there is one already.

        Args:
            X, y: samples and labels.
            classes: all labels that will ever come, where the first call does not show them.
            kwargs: further arguments of ``model.fit``.
        """
        self._given_classes = classes
        return super().partial_fit(X, y, **kwargs)

    def predict_proba(self, X):
        """X (samples, features) -> (samples, classes). What the model gives, in the order of `classes_`."""
        raw = self._raw(X)
        return np.concatenate([1 - raw, raw], 1) if raw.shape[1] == 1 and len(self.classes_) == 2 else raw

    def predict(self, X):
        """X (samples, features) -> (samples,). The most probable labels."""
        chosen = self.predict_proba(X).argmax(1)
        return self.classes_[chosen]


class SKLearnRegressor(RegressorMixin, Estimator):
    """X (samples, features), y (samples,) or (samples, targets) -> an estimator.

    Args:
        model: a compiled model, or a function ``(X, y, **model_kwargs)`` that makes one; `y` is (samples, targets) there.
        warm_start: whether `fit` goes on with the model of the last one.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of ``model.fit``.
        random_state: an int, for fits that repeat to the bit; None draws on the global generator.
    """

    def _encoded(self, y, reset):
        if y is None:
            raise ValueError(
                "[SKLearnRegressor] targets are needed; requires y to be passed, but the target y is None; pass y"
            )
        self._flat, self._dtype = y.ndim == 1, y.dtype if y.dtype.kind == "f" else np.dtype(np.float64)
        return y.reshape(-1, 1) if self._flat else y

    def predict(self, X):
        """X (samples, features) -> targets in the shape and floating dtype that y had."""
        raw = self._raw(X).astype(self._dtype)
        return raw.reshape(-1) if self._flat and raw.shape[-1] == 1 else raw

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(TransformerMixin, Estimator):
    """X (samples, features) -> the outputs of a trained model, as features for what follows in a pipeline.

    Args:
        model: a compiled model, or a function ``(X, y, **model_kwargs)`` that makes one.
        warm_start: whether `fit` goes on with the model of the last one.
        model_kwargs: arguments of the function.
        fit_kwargs: arguments of ``model.fit``.
        random_state: an int, for fits that repeat to the bit; None draws on the global generator.
    """

    def _validated(self, X, y, reset=True):
        return super()._validated(X, y, reset) if y is not None else (validate_data(self, X=X, reset=reset), None)

    def transform(self, X):
        """X (samples, features) -> (samples, outputs), in the dtype of the model."""
        return self._raw(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
