"""Small runs of many kinds, for tests that interrupt them. As a program: trains one until it is done or killed."""

import json
import pathlib
import sys

import numpy as np

import eagerdl as edl

X = np.random.default_rng(0).normal(size=(22, 3)).astype("float32")
LABELS = (X.sum(1) > 0).astype("int32")
Y = X[:, :1] * 2 + 1


def mlp(outputs=1, **last):
    return edl.Sequential([edl.Input((3,)), edl.layers.Dense(4, "tanh"), edl.layers.BatchNormalization(), edl.layers.Dropout(0.3),
                           edl.layers.Dense(outputs, **last)])  # fmt: skip


class Net(edl.Model):
    """Makes its weights at the first call."""

    def __init__(self):
        super().__init__()
        self.noise, self.hidden, self.out = (
            edl.layers.GaussianNoise(0.1),
            edl.layers.Dense(3, "tanh"),
            edl.layers.Dense(1),
        )

    def call(self, x, training=False):
        return self.out(self.hidden(self.noise(x, training=training)))


class Pair(edl.Model):
    """Two models against each other, each with its optimizer; no `call`. The second takes turns."""

    def __init__(self):
        super().__init__()
        self.one = edl.Sequential([edl.Input((3,)), edl.layers.Dense(2)])
        self.two = edl.Sequential([edl.Input((2,)), edl.layers.Dense(1)])
        self.seeds, self.gap = edl.random.Generator(5), edl.metrics.Mean(name="gap")

    def compile(self, first, second):
        super().compile()
        self.optimizers = {"one": first, "two": second}

    def train_step(self, data):
        x = data[0] + self.seeds.normal(data[0].shape)
        with edl.GradientTape(persistent=True) as tape:
            loss = edl.mean(self.two(self.one(x)) ** 2)
            other = edl.mean((self.two(self.one(x)) - 1.0) ** 2)
        for name, value, part in (("one", loss, self.one), ("two", other, self.two)):
            variables = part.trainable_variables
            self.optimizers[name].apply_gradients(zip(tape.gradient(value, variables), variables))
        self.gap.update_state(loss - other)
        return {"gap": self.gap.result(), "loss": loss}


class Rows(edl.data.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return X[5 * index : 5 * index + 5], Y[5 * index : 5 * index + 5]


def endless():
    i = 0
    while True:
        yield X[i % 17 : i % 17 + 4], Y[i % 17 : i % 17 + 4]
        i += 3


def compiled(model, optimizer="adam", loss="mse", **more):
    model.compile(optimizer, loss, **more)
    return model


def dataset():
    return edl.data.Dataset.from_tensor_slices((X, Y)).shuffle(9).map(lambda x, y: (x * 2.0, y)).batch(5).prefetch(2)


schedules = edl.optimizers.schedules

# name -> (makes a model, makes the arguments of fit)
RUNS = {
    "arrays with all the trimmings": (
        lambda: compiled(mlp(2, activation="softmax"), edl.optimizers.Adam(schedules.CosineDecay(0.1, 9), use_ema=True, ema_momentum=0.8,
                         gradient_accumulation_steps=2), "sparse_categorical_crossentropy", metrics=["accuracy"]),
        lambda: {"x": X, "y": LABELS, "batch_size": 6, "class_weight": {0: 1.0, 1: 3.0}, "validation_data": (X, LABELS), "epochs": 2}),
    "loss scale, validation split, shuffle inside batches": (
        lambda: compiled(mlp(), edl.optimizers.LossScaleOptimizer(edl.optimizers.SGD(0.1, momentum=0.9), dynamic_growth_steps=3),
                         metrics=["mae"]),
        lambda: {"x": X, "y": Y, "batch_size": 7, "validation_split": 0.3, "shuffle": "batch", "epochs": 2}),
    "plateau and early stopping": (
        lambda: compiled(mlp(), edl.optimizers.SGD(0.02)),
        lambda: {"x": X, "y": Y, "batch_size": 11, "epochs": 9, "validation_data": (X, Y), "callbacks": [
            edl.callbacks.ReduceLROnPlateau(patience=1, factor=0.5, min_delta=0.2),
            edl.callbacks.EarlyStopping(patience=2, min_delta=0.3, restore_best_weights=True)]}),
    "dataset": (lambda: compiled(mlp()), lambda: {"x": dataset(), "epochs": 2, "validation_data": dataset(),
                                            "validation_steps": 3}),
    "dataset, epochs of steps": (lambda: compiled(Net(), "rmsprop"), lambda: {"x": dataset().repeat(), "steps_per_epoch": 3, "epochs": 2}),
    "PyDataset": (lambda: compiled(Net()), lambda: {"x": Rows(workers=2), "epochs": 2, "validation_data": endless(),
                                                    "validation_steps": 2}),
    "generator": (lambda: compiled(mlp()), lambda: {"x": endless(), "steps_per_epoch": 3, "epochs": 2}),
    "function of generators": (lambda: compiled(Net()), lambda: {"x": lambda: iter([(X[:9], Y[:9]), (X[9:], Y[9:])] * 2), "epochs": 2}),
    "two optimizers, no call": (
        lambda: compiled(Pair(), edl.optimizers.Adam(0.1), edl.optimizers.SGD(0.1, momentum=0.5)),
        lambda: {"x": X, "y": Y, "batch_size": 8, "epochs": 2}),
}  # fmt: skip


def outcome(model, history):
    """All that has to be equal: arrays, and the history."""
    from eagerdl.train.state import optimizers_of

    variables = [*model.variables, *[v for one in optimizers_of(model) for v in one.variables]]
    return [v.numpy() for v in variables], history.history, history.epoch


def train(name, seed=1, callbacks=(), **more):
    """One call of the command; the outcome of the run."""
    edl.utils.set_random_seed(seed)
    make, arguments = RUNS[name]
    model, arguments = make(), arguments()
    arguments["callbacks"] = [*arguments.get("callbacks", ()), *callbacks]
    return outcome(model, model.fit(verbose=0, **arguments, **more))


def main(name, folder, out):
    """Writes the outcome as `out`.npz and `out`.json."""
    arrays, history, epochs = train(name, seed=1, resume=edl.train.Journal(folder, seconds=0))
    np.savez(out + ".npz", *arrays)
    pathlib.Path(out + ".json").write_text(json.dumps([history, epochs]))


if __name__ == "__main__":
    main(*sys.argv[1:])
