"""Callbacks: what they do to a run, what they write, what they say, and that a run that was cut off goes on with them."""

import csv
import http.server
import json
import re
import struct
import sys
import threading
import urllib.parse

import numpy as np
import pytest

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, EagerdlError, NumericsError, PackageError, RangeError
from eagerdl.train.callbacks.monitor import Monitor

cb = edl.callbacks
RNG = np.random.default_rng(0)
X = RNG.standard_normal((12, 3)).astype("float32")
Y = X.sum(1, keepdims=True)
NAN, INF = float("nan"), float("inf")


def made(rate=0.05, metrics=None, seed=0, **settings):
    """A compiled model with the same weights every time."""
    kernel = edl.initializers.RandomNormal(seed=seed)
    model = edl.Sequential([edl.Input((3,)), edl.layers.Dense(1, kernel_initializer=kernel, name="d")], name="m")
    model.compile(edl.optimizers.SGD(rate, **settings), "mse", metrics=metrics)
    return model


def fit(model, *callbacks, **more):
    return model.fit(X, Y, **{"batch_size": 4, "verbose": 0, "shuffle": False, "callbacks": list(callbacks), **more})


def drive(callback, values, name="val_loss", model=None):
    """Tells `callback` of epochs with these values; the weights of epoch e are all e. Returns the model."""
    model = model or made(1.0)
    callback.set_model(model)
    callback.set_params({"epochs": len(values)})
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        model.set_weights([np.full(w.shape, epoch) for w in model.weights])
        callback.on_epoch_end(epoch, {} if value is None else {name: value})
        if model.stop_training:
            break
    callback.on_train_end()
    return model


# -- EarlyStopping ------------------------------------------------------------------------------------

# arguments, values of the epochs -> (the epoch that was the last one, the epoch whose weights the model has, the best value)
STOPS = [
    ({}, [3, 2, 1], (None, 2, 1)), ({}, [3, 2, 2, 1], (2, 2, 2)), ({}, [1, 1], (1, 1, 1)), ({}, [1], (None, 0, 1)),
    ({"patience": 2}, [3, 4, 4, 1], (2, 2, 3)), ({"patience": 2}, [3, 4, 2, 4, 4, 1], (4, 4, 2)),
    ({"min_delta": 0.5}, [3, 2.6, 1], (1, 1, 3)), ({"min_delta": -0.5}, [3, 2.4, 1], (None, 2, 1)),
    ({"mode": "max"}, [1, 2, 2], (2, 2, 2)), ({"mode": "max", "min_delta": 0.5}, [1, 1.5, 9], (1, 1, 1)),
    ({"restore_best_weights": True}, [3, 2, 4, 1], (2, 1, 2)), ({"restore_best_weights": True}, [3, 2, 1], (None, 2, 1)),
    ({"restore_best_weights": True, "patience": 2}, [3, 2, 4, 5], (3, 1, 2)),
    ({"start_from_epoch": 2, "restore_best_weights": True}, [1, 1, 5, 6], (3, 2, 5)), ({"start_from_epoch": 5}, [1, 1, 1], (None, 2, None)),
    ({"baseline": 2, "patience": 2}, [5, 4, 3, 2.5], (None, 3, 2.5)), ({"baseline": 2, "patience": 2}, [5, 4, 4, 1], (2, 2, 4)),
    ({"baseline": 2, "patience": 3, "restore_best_weights": True}, [5, 4, 6, 6], (2, 1, 4)),
    ({"patience": 1}, [NAN, 3, 2, NAN, NAN], (3, 3, 2)), ({"patience": 2}, [NAN, NAN, NAN], (1, 1, NAN)), ({"patience": 1}, [INF, 2, 1], (None, 2, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "values", "expected"), STOPS, ids=str)
def test_early_stopping(arguments, values, expected):
    stop = cb.EarlyStopping(**arguments)
    model = drive(stop, [float(v) for v in values])
    last = stop.stopped_epoch if model.stop_training else None
    np.testing.assert_equal((last, float(model.get_weights()[1][0]), stop.best), expected)


def test_early_stopping_ends_a_fit_and_begins_anew_in_the_next(capsys):
    stop = cb.EarlyStopping("loss", patience=2, verbose=1, restore_best_weights=True)
    model = made(0.0)
    assert fit(model, stop, epochs=9).epoch == [0, 1, 2] == fit(model, stop, epochs=9).epoch
    assert "Epoch 3: early stopping" in capsys.readouterr().out


# -- directions and names -----------------------------------------------------------------------------

DIRECTIONS = [
    ("loss", False), ("val_loss", False), ("val_new_loss", False), ("accuracy", True), ("val_accuracy", True), ("val_new_accuracy", True),
    ("mae", False), ("auc", True),
]  # fmt: skip


@pytest.mark.parametrize(("name", "larger"), DIRECTIONS)
def test_auto_asks_the_metric(name, larger):
    model = edl.Sequential([edl.Input((3,)), edl.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy", "mae", edl.metrics.AUC(name="auc")])
    model.evaluate(X, (Y > 0).astype("float32"), verbose=0)
    monitor = Monitor(name)
    monitor.set_model(model)
    assert monitor.larger_is_better is larger
    assert monitor.is_better(2.0, 1.0) is larger and not monitor.is_better(NAN, 1.0) and not monitor.is_better(1.0, 1.0)


def test_a_metric_that_does_not_say_needs_a_mode():
    def odd(y_true, y_pred):
        return edl.mean(y_pred)

    model = made(metrics=[odd])
    with pytest.raises(
        ArgumentError, match=r"EarlyStopping.mode.*'odd' does not say it; pass mode='max' or mode='min'"
    ):
        fit(model, cb.EarlyStopping("odd"), epochs=2)
    fit(model, cb.EarlyStopping("odd", mode="max"), epochs=1)


@pytest.mark.parametrize("callback", [cb.EarlyStopping("val_los"), cb.ReduceLROnPlateau("val_los")])
def test_a_missing_name_is_a_warning_that_names_those_there_are(callback):
    with pytest.warns(
        UserWarning, match=r"the logs have no 'val_los', did you mean 'val_loss'.*available are loss, val_loss"
    ):
        fit(made(), callback, validation_data=(X, Y))


def test_a_name_that_comes_now_and_then_is_no_warning():
    fit(made(), cb.EarlyStopping("val_loss", patience=9), epochs=4, validation_data=(X, Y), validation_freq=[1, 4])


# -- learning rates -----------------------------------------------------------------------------------

PLATEAUS = [
    ({"patience": 1}, [3, 2, 1], [1, 1, 1]), ({"patience": 1}, [3, 3, 3], [1, 0.5, 0.25]), ({"patience": 2}, [3, 3, 3, 3, 3], [1, 1, 0.5, 0.5, 0.25]),
    ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3], [1, 0.5, 0.5, 0.25, 0.25]), ({"patience": 1, "min_lr": 0.4}, [3, 3, 3, 3], [1, 0.5, 0.4, 0.4]),
    ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2.2], [1, 0.5, 0.5]), ({"patience": 1, "mode": "max"}, [3, 2, 4], [1, 0.5, 0.5]),
    ({"patience": 1}, [3, NAN, 2], [1, 0.5, 0.5]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "values", "expected"), PLATEAUS, ids=str)
def test_reduce_lr_on_plateau(arguments, values, expected):
    reduce, model, rates = cb.ReduceLROnPlateau(factor=0.5, **arguments), made(1.0), []
    reduce.set_model(model)
    reduce.on_train_begin()
    for epoch, value in enumerate(values):
        logs = {"val_loss": float(value)}
        reduce.on_epoch_end(epoch, logs)
        rates.append(float(model.optimizer.learning_rate))
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert "learning_rate" in logs


def test_logs_show_the_rate_of_the_epoch():
    run = fit(
        made(0.0),
        cb.ReduceLROnPlateau("loss", patience=1, factor=0.5),
        cb.LearningRateScheduler(lambda epoch, rate: epoch + 1.0),
        epochs=3,
    )
    assert run.history["learning_rate"] == [1.0, 1.0, 1.5]  # as it is after the epoch
    assert list(run.history) == ["loss", "learning_rate"]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda epoch, rate: 0.5,
        lambda epoch: edl.constant(0.5),
        lambda *args: np.float32(0.5),
        edl.optimizers.schedules.ExponentialDecay(0.5, 1, 1.0),
    ],
)
def test_schedules_take_one_or_two_arguments_and_return_any_number(schedule):
    model = made()
    fit(model, cb.LearningRateScheduler(schedule))
    assert float(model.optimizer.learning_rate) == 0.5


def test_every_optimizer_of_several_has_its_rate(capsys):
    by_path = edl.optimizers.OptimizerMap(edl.optimizers.SGD(0.25), {".*bias": edl.optimizers.Adam(0.5)})
    model = made()
    model.compile(edl.optimizers.MultiOptimizer(by_path), "mse")
    run = fit(model, cb.LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1), epochs=2)
    assert {name: values for name, values in run.history.items() if name != "loss"} == {
        "learning_rate_adam": [0.25, 0.125], "learning_rate_sgd": [0.125, 0.0625],
    }  # fmt: skip
    assert "Epoch 2: adam learning rate is set to 0.125" in capsys.readouterr().out
    run = fit(model, cb.ReduceLROnPlateau("loss", mode="max", patience=1, factor=0.5), epochs=2)
    assert run.history["learning_rate_sgd"] == [0.0625, 0.0625] and [
        float(one.learning_rate) for one in model.optimizer.optimizers
    ] == [0.0625, 0.03125]


def test_scaled_losses_have_the_rate_of_the_inner_optimizer():
    model = made()
    model.compile(edl.optimizers.LossScaleOptimizer(edl.optimizers.SGD(0.5)), "mse")
    assert fit(model, cb.LearningRateScheduler(lambda epoch, rate: rate)).history["learning_rate"] == [0.5]


# -- NaN ----------------------------------------------------------------------------------------------


def test_terminate_on_nan_says_where(capsys):
    y = Y.copy()
    y[5] = INF
    run = made().fit(X, y, batch_size=1, epochs=3, shuffle=False, verbose=0, callbacks=[cb.TerminateOnNaN()])
    assert run.epoch == [0]
    assert re.search(
        r"the loss is inf at epoch 1, batch 6: training stops; lower the learning rate", capsys.readouterr().out
    )
    with pytest.raises(NumericsError, match="it is inf at epoch 1, batch 6"):
        made().fit(X, y, batch_size=1, shuffle=False, verbose=0, callbacks=[cb.TerminateOnNaN(raise_error=True)])


# -- ModelCheckpoint ----------------------------------------------------------------------------------

SAVES = [
    ({"filepath": "{epoch:02d}.keras"}, ["01.keras", "02.keras", "03.keras"]),
    ({"filepath": "{epoch}-{loss:.0f}-{val_loss:.0f}.keras", "save_best_only": True}, ["1-4-3.keras", "3-4-1.keras"]),
    ({"filepath": "{epoch}.keras", "save_best_only": True, "mode": "max"}, ["1.keras", "2.keras"]),
    ({"filepath": "{epoch}.keras", "save_best_only": True, "initial_value_threshold": 2.0}, ["3.keras"]),
    (
        {"filepath": "w-{epoch}.weights.safetensors", "save_weights_only": True},
        [f"w-{i}.weights.safetensors" for i in (1, 2, 3)],
    ),
    ({"filepath": "w.weights.h5", "save_weights_only": True}, ["w.weights.h5"]),
]


@pytest.mark.parametrize(("arguments", "expected"), SAVES, ids=str)
def test_model_checkpoint_by_epochs(tmp_path, arguments, expected):
    save = cb.ModelCheckpoint(**{**arguments, "filepath": tmp_path / "deep" / arguments["filepath"]})
    save.set_model(made())
    for epoch, value in enumerate([3.0, 4.0, 1.0]):
        save.on_epoch_begin(epoch)
        save.on_train_batch_end(0, {"loss": 4.0})
        save.on_epoch_end(epoch, {"loss": 4.0, "val_loss": value})
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == expected


def test_model_checkpoint_by_steps(tmp_path):
    model = made()
    fit(model, cb.ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=2), epochs=2)  # of three steps each
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-2.keras", "2-1.keras", "2-3.keras"]
    again = edl.models.load_model(tmp_path / "2-3.keras")
    assert all(map(np.array_equal, again.get_weights(), model.get_weights()))


def test_model_checkpoint_keeps_the_best(tmp_path, capsys):
    path, model = tmp_path / "best.weights.safetensors", made()
    save = cb.ModelCheckpoint(path, "loss", save_best_only=True, save_weights_only=True, verbose=1)
    save.set_model(model)
    model.set_weights([np.ones((3, 1)), np.ones(1)])
    save.on_epoch_end(0, {"loss": 1.0})
    model.set_weights([np.zeros((3, 1)), np.zeros(1)])
    save.on_epoch_end(1, {"loss": 2.0})
    model.load_weights(path)
    assert model.get_weights()[1] == 1
    said = capsys.readouterr().out
    assert (
        "loss 1 is better than nothing" in said
        and "Epoch 2: loss 2 is not better than 1" in said
        and f"saved {path}" in said
    )
    with pytest.warns(UserWarning, match="no 'accuracy'"):  # better a model too many
        fit(model, cb.ModelCheckpoint(tmp_path / "x.keras", "accuracy", save_best_only=True))
    assert (tmp_path / "x.keras").exists()


# -- files of numbers ---------------------------------------------------------------------------------


def rows(path, delimiter=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_csv_logger(tmp_path):
    path, model = tmp_path / "new" / "log.csv", made(0.0)
    fit(model, cb.CSVLogger(path, separator=";"), epochs=2)
    loss = str(model.evaluate(X, Y, 4, verbose=0))
    assert rows(path, ";") == [["epoch", "loss", "val_loss"], ["0", loss, "NA"], ["1", loss, "NA"]]
    fit(model, cb.CSVLogger(path, ";", append=True), validation_data=(X, Y))
    assert [row[0] for row in rows(path, ";")] == ["epoch", "0", "1", "0"] and rows(path, ";")[3] == ["0", loss, loss]
    fit(model, cb.CSVLogger(path))
    assert len(rows(path)) == 2


def test_csv_logger_follows_the_header_that_is_there(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("epoch,b,a")  # no newline at the end
    log = cb.CSVLogger(path, append=True)
    log.set_model(made())
    log.on_train_begin()
    with pytest.warns(UserWarning, match="has no columns c"):
        log.on_epoch_end(4, {"a": 1.5, "b": np.array([1, 2]), "c": 0.0})
    log.on_train_end()
    assert rows(path) == [["epoch", "b", "a"], ["4", "[1, 2]", "1.5"]]


def test_json_logger(tmp_path):
    path = tmp_path / "new" / "log.jsonl"
    log = cb.JSONLogger(path)
    log.on_train_begin()
    log.on_epoch_end(
        0, {"loss": NAN, "x": np.float32(0.5), "t": edl.constant([1, 2]), "s": "text", "b": True, "o": object}
    )
    log.on_epoch_end(1, {"loss": 2.0, "d": {"inner": [INF, None]}})
    log.close()
    lines = [json.loads(line, parse_constant=lambda name: pytest.fail(name)) for line in path.read_text().splitlines()]
    assert lines == [{"epoch": 0, "loss": None, "x": 0.5, "t": [1, 2], "s": "text", "b": True, "o": "<class 'object'>"},
                     {"epoch": 1, "loss": 2.0, "d": {"inner": [None, None]}}]  # fmt: skip
    fit(made(), cb.JSONLogger(path, append=True))
    assert len(path.read_text().splitlines()) == 3


# -- RemoteMonitor ------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """A web server that keeps what is posted."""
    posted = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(
                (self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])).decode())
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    found = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}", posted
    found.shutdown()
    thread.join()
    found.server_close()


def test_remote_monitor(server):
    root, posted = server
    one = cb.RemoteMonitor(root, headers={"X-Key": "k"}, send_as_json=True)
    two = cb.RemoteMonitor(root, path="/p", field="f")
    run = fit(made(), one, two)
    expected = {"epoch": 0, "loss": run.history["loss"][0]}
    (path, headers, body), (path2, _, body2) = posted
    assert (path, headers["X-Key"], headers["Content-Type"], json.loads(body)) == (
        "/publish/epoch/end/",
        "k",
        "application/json",
        expected,
    )
    assert path2 == "/p" and json.loads(urllib.parse.parse_qs(body2)["f"][0]) == expected


def test_remote_monitor_warns_where_nobody_listens():
    with pytest.warns(UserWarning, match=r"\[RemoteMonitor\] http://127.0.0.1:9 cannot be reached"):
        fit(made(), cb.RemoteMonitor("http://127.0.0.1:9"))


# -- averages of the weights --------------------------------------------------------------------------


class Watch(cb.Callback):
    """Keeps the weights at events."""

    def __init__(self):
        self.seen = {}

    def note(self, name):
        self.seen[name] = [w.copy() for w in self.model.get_weights()]

    def on_test_batch_end(self, batch, logs=None):
        self.note("test")

    def on_train_batch_end(self, batch, logs=None):
        self.note("train")

    def on_epoch_begin(self, epoch, logs=None):
        self.note("begin")

    def on_epoch_end(self, epoch, logs=None):
        self.note("end")


def same(one, two):
    return all(map(np.array_equal, one, two))


@pytest.mark.parametrize("swap", [False, True])
def test_swap_ema_weights(swap):
    watch, model = Watch(), made(use_ema=True, ema_momentum=0.5)
    average = None

    class Averages(cb.Callback):
        def on_epoch_end(self, epoch, logs=None):
            nonlocal average
            average = [v.numpy() for v in self.model.optimizer._averages]

    fit(model, cb.SwapEMAWeights(swap), watch, Averages(), validation_data=(X, Y), epochs=2)
    assert same(watch.seen["test"], average) and not same(watch.seen["train"], average)
    assert same(watch.seen["end"], average) is swap
    assert same(model.get_weights(), average)  # what use_ema leaves in the end
    plain = made(use_ema=True, ema_momentum=0.5)
    fit(plain, epochs=2)
    assert same(plain.get_weights(), model.get_weights())  # training saw nothing of it


def test_swap_ema_weights_stops_early_with_the_averages():
    model, stop = (
        made(use_ema=True),
        cb.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", True)),
    )
    fit(model, cb.SwapEMAWeights(swap_on_epoch=True), stop, epochs=5)
    assert same(model.get_weights(), [v.numpy() for v in model.optimizer._averages])


def test_swap_ema_weights_in_evaluate_and_predict():
    model = made(use_ema=True)
    model.train_on_batch(X, Y)
    model.set_weights([np.ones((3, 1)), np.ones(1)])
    before = model.get_weights()
    model.optimizer._averages[0].assign(np.zeros((3, 1)))
    model.optimizer._averages[1].assign([7.0])
    assert model.predict(X, verbose=0, callbacks=[cb.SwapEMAWeights()]).tolist() == [[7.0]] * len(X)
    model.evaluate(X, Y, verbose=0, callbacks=[cb.SwapEMAWeights()])
    assert same(model.get_weights(), before)


# -- runs that are cut off ----------------------------------------------------------------------------


class Crash(cb.Callback):
    """Raises after so many steps in all."""

    def __init__(self, steps):
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise RuntimeError("cut off")


def states(folder):
    """Callbacks with a state, whose effects are in the history, the weights and files."""
    return [
        cb.ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=0.3), cb.SwapEMAWeights(swap_on_epoch=True),
        cb.EarlyStopping("val_loss", patience=2, min_delta=0.05, restore_best_weights=True), cb.CSVLogger(folder / "log.csv"),
        cb.JSONLogger(folder / "log.jsonl", append=True), cb.TerminateOnNaN(),
        cb.ModelCheckpoint(folder / "{epoch}-{batch}.weights.safetensors", "loss", save_weights_only=True, save_best_only=True, save_freq=2),
    ]  # fmt: skip


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("keep", ["resume", "backup epoch", "backup 2", "backup False"])
@pytest.mark.parametrize("steps", [1, 2, 4, 7, 12])
def test_a_run_goes_on_with_its_callbacks(tmp_path, keep, steps):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    (whole / "log.jsonl").write_text('{"old": 1}\n'), (parts / "log.jsonl").write_text('{"old": 1}\n')

    def run(folder, *more, seed=1, keep=None):
        model = made(0.2, seed=seed, use_ema=True, ema_momentum=0.5)
        edl.utils.set_random_seed(seed)
        extra = {}
        if keep == "resume":
            extra = {"resume": tmp_path / "journal"}
        elif keep:
            freq = keep.split()[1]
            more = (*more, cb.BackupAndRestore(tmp_path / "journal", {"2": 2, "False": False}.get(freq, freq)))
        return fit(model, *states(folder), *more, epochs=9, shuffle=True, validation_data=(X, Y), **extra), model

    expected, model = run(whole)
    with pytest.raises(RuntimeError, match="cut off"):
        run(parts, Crash(steps), keep=keep)
    found, again = run(parts, seed=2, keep=keep)
    assert found.history == expected.history and found.epoch == expected.epoch
    assert same(again.get_weights(), model.get_weights())
    assert files(parts) == files(whole)
    if keep == "resume":  # the run is over: nothing happens any more
        found, again = run(parts, Crash(1), seed=3, keep=keep)
        assert found.history == expected.history and same(again.get_weights(), model.get_weights())
    else:
        assert not (tmp_path / "journal").exists()


def test_backups_may_be_kept(tmp_path):
    backup = cb.BackupAndRestore(tmp_path / "b", delete_checkpoint=False, double_checkpoint=True)
    expected = fit(made(), backup, epochs=2)
    assert len(list((tmp_path / "b").iterdir())) == 2
    assert fit(made(seed=5), backup, epochs=2).history == expected.history


def test_one_thing_keeps_a_run(tmp_path):
    with pytest.raises(ArgumentError, match="one thing keeps a run"):
        fit(made(), cb.BackupAndRestore(tmp_path / "b"), resume=tmp_path / "r")


# -- TensorBoard --------------------------------------------------------------------------------------


def events(folder):
    """The summaries (tag, step, value) of the event files in a folder."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and "tfevents" in path.name:
            data, place = path.read_bytes(), 0
            while place < len(data):  # records: length, its checksum, the message, its checksum
                (size,) = struct.unpack_from("<Q", data, place)
                event = Event.FromString(data[place + 12 : place + 12 + size])
                found += [(value.tag, event.step, value) for value in event.summary.value]
                place += 16 + size
    return found


def scalars(folder):
    return {(tag, step): value.simple_value for tag, step, value in events(folder) if value.HasField("simple_value")}


def test_tensorboard_scalars(tmp_path):
    model = made(0.25)
    run = fit(
        model, cb.TensorBoard(tmp_path, update_freq=2, write_steps_per_second=True), validation_data=(X, Y), epochs=2
    )
    train, validation = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    for epoch in (0, 1):
        np.testing.assert_allclose(train["epoch_loss", epoch], run.history["loss"][epoch], rtol=1e-6)
        np.testing.assert_allclose(validation["epoch_loss", epoch], run.history["val_loss"][epoch], rtol=1e-6)
        np.testing.assert_allclose(
            validation["evaluation_loss_vs_iterations", 3 * epoch + 3], run.history["val_loss"][epoch], rtol=1e-6
        )
        assert train["epoch_learning_rate", epoch] == 0.25 and train["epoch_steps_per_second", epoch] > 0
    assert sorted(step for tag, step in train if tag == "batch_loss") == [2, 4, 6]
    assert sorted(step for tag, step in train if tag == "batch_steps_per_second") == [2, 4, 6]
    (_, _, value), *_ = [one for one in events(tmp_path / "train") if one[0] == "keras"]
    assert value.metadata.plugin_data.plugin_name == "graph_keras_model"
    assert json.loads(value.tensor.string_val[0])["class_name"] == "Sequential"


def test_tensorboard_histograms_images_and_embeddings(tmp_path):
    model = edl.Sequential(
        [
            edl.Input((2,), dtype="int32"),
            edl.layers.Embedding(4, 3, name="e"),
            edl.layers.Flatten(),
            edl.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    labels = tmp_path / "labels"
    labels.write_text("a\nb\nc\nd\n")
    board = cb.TensorBoard(
        tmp_path,
        histogram_freq=2,
        write_images=True,
        embeddings_freq=1,
        embeddings_metadata={"e": labels},
        write_graph=False,
    )
    model.fit(np.array([[0, 1], [2, 3]]), np.ones((2, 1)), epochs=3, verbose=0, callbacks=[board])
    found = [(tag, step) for tag, step, value in events(tmp_path / "train") if value.HasField("histo")]
    assert {step for _, step in found} == {0, 2} and len(found) == 2 * len(model.weights)
    assert all(tag.endswith("/histogram") for tag, _ in found)
    pictures = [value.image for tag, _, value in events(tmp_path / "train") if value.HasField("image")]
    assert len(pictures) == 2 * len(model.weights) and pictures[0].encoded_image_string.startswith(b"\x89PNG")
    table = (tmp_path / "train" / "00002" / "e" / "tensors.tsv").read_text().split()
    np.testing.assert_allclose(np.array(table, float).reshape(4, 3), model.layers[0].weights[0].numpy(), rtol=1e-4)
    assert (tmp_path / "train" / "00002" / "e" / "metadata.tsv").read_text().split() == ["a", "b", "c", "d"]
    labels.write_text("a\n")
    with pytest.raises(ArgumentError, match="'e' has 4 rows; the file has 1 labels"):
        model.fit(
            np.array([[0, 1]]),
            np.ones((1, 1)),
            verbose=0,
            callbacks=[cb.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata=labels)],
        )
    with pytest.raises(ArgumentError, match=r"got 'f'.*they are \['e'\]"):
        model.fit(
            np.array([[0, 1]]),
            np.ones((1, 1)),
            verbose=0,
            callbacks=[cb.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"f": labels})],
        )


def test_tensorboard_counts_on_after_an_interruption(tmp_path):
    with pytest.raises(RuntimeError, match="cut off"):
        fit(made(), cb.TensorBoard(tmp_path / "a", update_freq="batch"), Crash(4), resume=tmp_path / "r", epochs=2)
    fit(made(), cb.TensorBoard(tmp_path / "b", update_freq="batch"), resume=tmp_path / "r", epochs=2)
    assert sorted(step for tag, step in scalars(tmp_path / "b" / "train") if tag == "batch_loss") == [4, 5, 6]


def test_tensorboard_names_the_package_that_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(PackageError, match=r"tensorboardX.*pip install 'eagerdl\[tensorboard\]'"):
        cb.TensorBoard()


# -- all of them --------------------------------------------------------------------------------------

WRONG = [
    (lambda: cb.EarlyStopping(mode="mn"), ArgumentError, r"EarlyStopping.mode.*'mn', did you mean 'min'"),
    (lambda: cb.ReduceLROnPlateau(mode="up"), ArgumentError, "one of 'auto', 'min' and 'max'"),
    (lambda: cb.ReduceLROnPlateau(factor=1.0), RangeError, "factor is below 1; got 1.0"),
    (lambda: cb.ModelCheckpoint("a.pt"), ArgumentError, "the name of a model ends in .keras; got 'a.pt'"),
    (lambda: cb.ModelCheckpoint("a.keras", save_weights_only=True), ArgumentError, "ends in .weights.safetensors"),
    (lambda: cb.ModelCheckpoint("a.keras", save_freq="batch"), ArgumentError, "'epoch' or a positive number of steps"),
    (lambda: cb.ModelCheckpoint("a.keras", save_freq=0), ArgumentError, "got 0"),
    (lambda: fit(made(), cb.ModelCheckpoint("{val_loss}.keras")), ArgumentError, r"asks for 'val_loss'; there are loss, epoch"),
    (lambda: fit(made(), cb.ModelCheckpoint("{loss:q}.keras")), ArgumentError, "its formats must fit the logs"),
    (lambda: cb.BackupAndRestore(""), ArgumentError, "backup_dir is a folder"),
    (lambda: cb.BackupAndRestore("b", save_freq="batch"), ArgumentError, "got 'batch'"),
    (lambda: cb.BackupAndRestore("b", save_freq=-1), ArgumentError, "got -1"),
    (lambda: cb.CSVLogger("a.csv", separator=";;"), ArgumentError, "separator is one character"),
    (lambda: cb.LearningRateScheduler(0.1), DTypeError, "schedule is a function"),
    (lambda: fit(made(), cb.LearningRateScheduler(lambda epoch, rate: "x")), DTypeError, "for epoch 0 it returned 'x'"),
    (lambda: fit(made(), cb.LearningRateScheduler(lambda epoch, rate: None)), DTypeError, "returned None"),
    (lambda: fit(made(edl.optimizers.schedules.CosineDecay(0.1, 9)), cb.LearningRateScheduler(lambda e, r: r)), ArgumentError, "it is the schedule CosineDecay"),
    (lambda: fit(made(edl.optimizers.schedules.CosineDecay(0.1, 9)), cb.ReduceLROnPlateau("loss")), ArgumentError, "it is the schedule CosineDecay"),
    (lambda: fit(made(), cb.SwapEMAWeights()), ArgumentError, "it has use_ema=False; make it with use_ema=True"),
    (lambda: cb.RemoteMonitor("localhost:9000"), ArgumentError, "root is a http or https address"),
    (lambda: cb.TensorBoard(profile_batch=2), ArgumentError, "profile_batch is 0"),
    (lambda: cb.TensorBoard(update_freq="epochs"), ArgumentError, "'epochs', did you mean 'epoch'"),
    (lambda: cb.TensorBoard(update_freq=0), ArgumentError, "got 0"),
    (lambda: cb.TensorBoard(histogram_freq=-1), ArgumentError, "TensorBoard.histogram_freq"),
    (lambda: cb.LambdaCallback(on_epoch_stop=print), ArgumentError, "did you mean 'on_epoch_"),
    (lambda: fit(made(), print), DTypeError, "derived from edl.callbacks.Callback"),
    (lambda: drive(cb.EarlyStopping(), [np.ones(2)]), ArgumentError, r"one number is needed; 'val_loss' has shape \(2,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), WRONG, ids=range(len(WRONG)))
def test_wrong_arguments_are_named(call, error, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=match) as caught:
        call()
    assert isinstance(caught.value, EagerdlError)


def test_messages_go_to_the_logger_where_nobody_reads_along(caplog, capsys):
    edl.utils.disable_interactive_logging()
    try:
        with caplog.at_level("INFO", "eagerdl"):
            fit(made(0.0), cb.EarlyStopping("loss", verbose=1), epochs=3)
    finally:
        edl.utils.enable_interactive_logging()
    assert "early stopping" in caplog.text and not capsys.readouterr().out
