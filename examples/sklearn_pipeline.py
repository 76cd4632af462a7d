"""A network as an estimator of scikit-learn: scaled in a pipeline, tuned by a grid search, tested on unseen data.

    python examples/sklearn_pipeline.py

It needs scikit-learn: pip install "eagerdl[sklearn]"
"""

import argparse

from sklearn.datasets import load_wine
from sklearn.metrics import classification_report
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import eagerdl as edl
from eagerdl import layers


def build(X, y, units=16, learning_rate=0.01):
    """A compiled model for the features X (n, features) and the one-hot labels y (n, classes)."""
    model = edl.Sequential([edl.Input(X.shape[1:]), layers.Dense(units, "relu"), layers.Dense(y.shape[1], "softmax")])
    model.compile(edl.optimizers.Adam(learning_rate), "categorical_crossentropy")
    return model


def main(epochs=30, seed=0):
    edl.utils.set_random_seed(seed)
    wine = load_wine()
    X_train, X_test, y_train, y_test = train_test_split(
        wine.data, wine.target_names[wine.target], test_size=0.3, stratify=wine.target, random_state=seed
    )
    network = edl.wrappers.SKLearnClassifier(build, fit_kwargs={"epochs": epochs, "verbose": 0})
    search = GridSearchCV(
        make_pipeline(StandardScaler(), network),
        {"sklearnclassifier__model_kwargs": [{"units": 4}, {"units": 16}, {"units": 16, "learning_rate": 0.03}]},
        cv=3,
    )
    search.fit(X_train, y_train)
    print(
        f"best of the search: {search.best_params_['sklearnclassifier__model_kwargs']}, accuracy {search.best_score_:.1%}"
    )
    print(classification_report(y_test, search.predict(X_test)))
    return search.best_score_, search.score(X_test, y_test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=30, help="of each training (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
