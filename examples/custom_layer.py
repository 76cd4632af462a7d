"""A layer of your own, in a model that is trained, saved, loaded in one line, and trained on.

    python examples/custom_layer.py

Registering the class lets a file name it; `get_config` says how to make the layer again. The file also holds the
optimizer, so training goes on as if nothing had happened, to the last bit.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import eagerdl as edl
from eagerdl import layers


@edl.saving.register_keras_serializable("examples")
class GatedDense(layers.Layer):
    """x (..., n) -> (..., units): values times gates between 0 and 1 (Dauphin et al., 2017, arXiv:1612.08083).

    Args:
        units: the size of the last axis of the output.
        activation: what is done to the values before they meet the gates.
    """

    def __init__(self, units, activation=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = edl.activations.get(activation)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], 2 * self.units), initializer="glorot_uniform", name="kernel"
        )
        self.bias = self.add_weight(shape=(2 * self.units,), initializer="zeros", name="bias")

    def call(self, x):
        values, gates = edl.split(x @ self.kernel + self.bias, 2, axis=-1)
        return self.activation(values) * edl.sigmoid(gates)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        config = {"units": self.units, "activation": edl.activations.serialize(self.activation)}
        return {**super().get_config(), **config}


def main(epochs=20, seed=0, path=None):
    edl.utils.set_random_seed(seed)
    x = np.random.default_rng(seed).uniform(-2, 2, size=(1024, 2)).astype("float32")
    y = np.sin(2 * x[:, :1]) * x[:, 1:]

    model = edl.Sequential([edl.Input((2,)), GatedDense(32, "tanh"), GatedDense(32, "tanh"), layers.Dense(1)])
    model.compile(edl.optimizers.Adam(0.01), "mse")
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=epochs, verbose=0)
    print(f"loss {before:.4f} before training, {model.evaluate(x, y, verbose=0):.4f} after {epochs} epochs")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(path or Path(folder) / "gated.keras")
        model.save(path)
        print(f"saved {path.name}: {path.stat().st_size:,} bytes")
        loaded = edl.models.load_model(path)

    same = np.array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    histories = [one.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"] for one in (model, loaded)]
    print(f"loaded: predictions {'equal' if same else 'differ'}")
    print("trained on:", "  ".join(f"{loss:.6f}" for loss in histories[0]))
    print("the copy:  ", "  ".join(f"{loss:.6f}" for loss in histories[1]))
    return before, histories, same


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("path", nargs="?", help="where to save the model (default: a temporary file)")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the data (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    main(**vars(parser.parse_args()))
