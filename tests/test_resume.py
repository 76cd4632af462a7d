"""Runs that are cut off anywhere end with the bits of the run that was not."""

import functools
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import resume_runs
from resume_runs import RUNS, X, Y, compiled, mlp, outcome, train

import eagerdl as edl
from eagerdl import storage
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.train import Journal, Progress
from eagerdl.train.state import put_together, references, taken_apart

ROOT = pathlib.Path(edl.__file__).parent.parent


class Crash(Exception):
    pass


class At(edl.callbacks.Callback):
    """Does something the `number`-th time that an event comes."""

    def __init__(self, event, number, action):
        self.left = number

        def hear(*args):
            self.left -= 1
            if self.left == 0:
                action()

        setattr(self, event, hear)


def crash():
    raise Crash


def control_c():
    signal.raise_signal(signal.SIGINT)


def assert_same(one, two):
    assert one[1:] == two[1:]
    assert len(one[0]) == len(two[0])
    for index, (a, b) in enumerate(zip(one[0], two[0])):
        assert a.dtype == b.dtype and np.array_equal(a, b), index


@functools.cache
def uninterrupted(name):
    return train(name)


@functools.cache
def steps_of(name):
    count = [0]
    train(
        name,
        callbacks=[edl.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: count.append(count.pop() + 1))],
    )
    return count[0]


def goes_on(name, folder, at=None, seconds=0, error=Crash):
    """Runs until `at` cuts it off, then with another seed until the end."""
    with pytest.raises(error):
        train(name, callbacks=[at], resume=Journal(folder, seconds=seconds))
    assert_same(train(name, seed=2, resume=folder), uninterrupted(name))


@pytest.mark.parametrize("name", RUNS)
def test_keeping_a_run_does_not_change_it(name, tmp_path):
    assert_same(train(name, resume=tmp_path), uninterrupted(name))
    assert sorted(os.listdir(tmp_path)) == ["snapshot-0.run", "snapshot-1.run"]


@pytest.mark.parametrize("name", RUNS)
def test_an_error_after_any_step(name, tmp_path):
    for step in range(1, steps_of(name) + 1):
        goes_on(name, tmp_path / str(step), At("on_train_batch_end", step, crash))


@pytest.mark.parametrize("name", RUNS)
def test_control_c_after_any_step(name, tmp_path):
    for step in range(1, steps_of(name) + 1):
        goes_on(
            name, tmp_path / str(step), At("on_train_batch_end", step, control_c), seconds=1000, error=KeyboardInterrupt
        )


@pytest.mark.parametrize("name", RUNS)
def test_an_error_after_every_step(name, tmp_path):
    """No call gets further than a step."""
    for number in range(steps_of(name) + 9):
        try:
            # The first event a call hears of may repeat the step that the one before died of, after its snapshot.
            found = train(
                name,
                seed=number + 1,
                callbacks=[At("on_train_batch_begin", 2, crash)],
                resume=Journal(tmp_path, seconds=0),
            )
            break
        except Crash:
            pass
    assert number >= steps_of(name) - 3
    assert_same(found, uninterrupted(name))


EVENTS = (
    "on_epoch_begin",
    "on_epoch_end",
    "on_test_begin",
    "on_test_batch_end",
    "on_test_end",
    "on_train_end",
    "on_train_batch_begin",
)


@pytest.mark.parametrize("seconds", [0, 1000])
@pytest.mark.parametrize("event", EVENTS)
def test_an_error_in_any_event(event, seconds, tmp_path):
    for number in (1, 2):
        if (event, number) != ("on_train_end", 2):
            goes_on("arrays with all the trimmings", tmp_path / str(number), At(event, number, crash), seconds)


@pytest.mark.parametrize("event", [event for event in EVENTS if event != "on_train_end"])
def test_control_c_in_any_event(event, tmp_path):
    for number in (1, 2):
        goes_on(
            "arrays with all the trimmings",
            tmp_path / str(number),
            At(event, number, control_c),
            1000,
            KeyboardInterrupt,
        )


def test_control_c_leaves_a_model_that_can_be_looked_at():
    model = compiled(mlp())
    with pytest.raises(KeyboardInterrupt, match=r"whole step.*resume=folder"):
        model.fit(X, Y, batch_size=2, epochs=5, verbose=0, callbacks=[At("on_train_batch_end", 14, control_c)])
    assert (
        int(model.optimizer.iterations) == 14 and model.history.epoch == [0] and len(model.history.history["loss"]) == 1
    )
    assert np.isfinite(model.predict(X, verbose=0)).all()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_control_c_does_not_wait():
    seen = []

    def twice():
        control_c()
        seen.append("asked")
        control_c()
        seen.append("not reached")

    with pytest.raises(KeyboardInterrupt):
        compiled(mlp()).fit(X, Y, verbose=0, callbacks=[At("on_train_batch_begin", 1, twice)])
    assert seen == ["asked"]


def test_other_handlers_are_left_alone():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *args: heard.append(1))
    try:
        compiled(mlp()).fit(X, Y, verbose=0, callbacks=[At("on_train_batch_end", 1, control_c)])
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_over_gives_its_history(name, tmp_path):
    first = train(name, resume=tmp_path)
    told = []
    again = train(
        name,
        seed=5,
        callbacks=[edl.callbacks.LambdaCallback(on_train_batch_begin=lambda *args: told.append(args))],
        resume=tmp_path,
    )
    assert_same(again, first)
    assert not told


def fit(folder, x=X, y=Y, model=None, **more):
    edl.utils.set_random_seed(1)
    model = model or compiled(mlp(), edl.optimizers.Adam(0.01, use_ema=True))
    return outcome(model, model.fit(x, y, verbose=0, resume=folder, **{"batch_size": 8, "epochs": 2, **more}))


def test_more_epochs(tmp_path):
    fit(tmp_path / "a")
    assert_same(fit(tmp_path / "a", epochs=4), fit(tmp_path / "b", epochs=4))
    assert_same(fit(tmp_path / "a", epochs=1), fit(tmp_path / "b", epochs=4))  # what is done is done


CHANGES = {
    "batch size": ({"batch_size": 4}, ArgumentError, r"batch_size 8 -> 4"),
    "length": ({"x": X[:9], "y": Y[:9]}, ArgumentError, r"num_samples 22 -> 9"),
    "kind": ({"x": edl.data.Dataset.from_tensor_slices((X, Y)).batch(8), "y": None, "batch_size": None}, ArgumentError, r"kind 'arrays' -> 'Dataset'"),
    "steps": ({"steps_per_epoch": 2}, ArgumentError, r"steps_per_epoch None -> 2"),
    "sizes": ({"model": lambda: compiled(edl.Sequential([edl.Input((3,)), edl.layers.Dense(4), edl.layers.BatchNormalization(),
              edl.layers.Dropout(0.1), edl.layers.Dense(1, use_bias=False)]))}, ShapeError, r"needs 9 variables.*has 8"),
    "shapes": ({"model": lambda: compiled(edl.Sequential([edl.Input((3,)), edl.layers.Dense(5), edl.layers.BatchNormalization(),
               edl.layers.Dropout(0.1), edl.layers.Dense(1)]), edl.optimizers.Adam(0.01, use_ema=True))}, ShapeError, r"\(3, 4\).*it is .*\(3, 5\)"),
    "optimizer": ({"model": lambda: compiled(mlp(), "sgd")}, ShapeError, r"the optimizer needs"),
    "metrics": ({"model": lambda: compiled(mlp(), edl.optimizers.Adam(0.01, use_ema=True), metrics=["mae"])}, ShapeError, r"the metrics needs"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "error", "match"), CHANGES.values(), ids=CHANGES)
def test_changed_arguments_are_refused(change, error, match, tmp_path):
    fit(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in sorted(os.listdir(tmp_path))]
    change = {key: value() if key == "model" else value for key, value in change.items()}
    with pytest.raises(error, match=match):
        fit(tmp_path, **change)
    assert before == [(tmp_path / name).read_bytes() for name in sorted(os.listdir(tmp_path))]


def test_callbacks_may_come_and_go(tmp_path):
    fit(tmp_path, callbacks=[edl.callbacks.EarlyStopping("loss", patience=9), edl.callbacks.TerminateOnNaN()])
    found = fit(
        tmp_path, epochs=3, callbacks=[edl.callbacks.TerminateOnNaN(), edl.callbacks.EarlyStopping("loss", patience=9)]
    )
    assert found[2] == [0, 1, 2]


def test_a_callback_whose_state_json_cannot_hold(tmp_path):
    class Odd(edl.callbacks.Callback):
        def get_state(self):
            return {"thing": object()}

    with pytest.raises(ArgumentError, match=r"\[Journal\.save\].*object is not JSON"):
        fit(tmp_path, callbacks=[Odd()])
    assert not list(tmp_path.iterdir())


def test_logs_of_several_numbers_are_kept(tmp_path):
    class Vector(edl.Model):
        def __init__(self):
            super().__init__()
            self.out = edl.layers.Dense(1)

        def call(self, x):
            return self.out(x)

        def train_step(self, data):
            return {**super().train_step(data), "weights": edl.concatenate([self.out.bias, self.out.bias])}

    with pytest.raises(Crash):
        fit(tmp_path, model=compiled(Vector()), callbacks=[At("on_epoch_end", 2, crash)])
    found = fit(tmp_path, model=compiled(Vector()))
    assert [np.shape(one) for one in found[1]["weights"]] == [(2,), (2,)]


# -- snapshots ----------------------------------------------------------------------------------


def test_of_two_snapshots_one_may_be_damaged(tmp_path):
    want = fit(tmp_path / "want", epochs=4)
    fit(tmp_path / "run")
    for path in sorted((tmp_path / "run").iterdir()):
        data = path.read_bytes()
        for damage in (data[: len(data) // 2], b"", data[:-900] + bytes([data[-900] ^ 1]) + data[-899:]):
            path.write_bytes(damage)
            folder = tmp_path / "copy"
            folder.mkdir(exist_ok=True)
            for other in (tmp_path / "run").iterdir():
                (folder / other.name).write_bytes(other.read_bytes())
            assert_same(fit(folder, epochs=4), want)
        path.write_bytes(data)


def test_if_both_are_damaged_it_says_so(tmp_path):
    fit(tmp_path)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArgumentError, match=r"a whole snapshot is needed.*delete"):
        fit(tmp_path)


def test_what_killed_writers_left_is_swept(tmp_path):
    (tmp_path / ".snapshot-1.run.77-3.tmp").write_bytes(b"half")
    fit(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["snapshot-0.run", "snapshot-1.run"]


def test_a_full_disk_ends_the_run_and_keeps_the_last_snapshot(tmp_path, monkeypatch):
    want = fit(tmp_path / "want")

    def fill():
        def refuse(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(OSError, match=r"\[Journal\.save\].*make room"):
        fit(Journal(tmp_path / "run", seconds=0), callbacks=[At("on_train_batch_end", 3, fill)])
    monkeypatch.undo()
    assert_same(fit(tmp_path / "run"), want)


def test_snapshots_wait_for_their_time(tmp_path, monkeypatch):
    now, written = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    model = mlp()
    journal = Journal(tmp_path, model, seconds=10)
    monkeypatch.setattr(
        storage, "write_archive", lambda *args: written.append(now[0]) or now.__setitem__(0, now[0] + cost[0])
    )
    cost = [0.0]
    for second in range(100):
        now[0] = max(now[0], float(second))
        cost[0] = 0.0 if second < 30 else 1.0
        journal.after_step(Progress())
    assert written == [10.0, 20.0, 30.0, 51.0, 72.0, 93.0]  # a second of writing wants twenty of training
    for wrong in (-1, float("nan")):
        with pytest.raises(ArgumentError, match="seconds"):
            Journal(tmp_path, seconds=wrong)


def test_states_hold_arrays_anywhere():
    state = {"array": X, "many": [{"array": {"array": Y}}, (1, None, "text", np.float32(0.5))], "plain": {"array": "x"}}
    arrays = {}
    apart = json.loads(json.dumps(taken_apart(state, "state", arrays)))
    found = put_together(apart, arrays)
    assert np.array_equal(found["array"], X) and np.array_equal(found["many"][0]["array"]["array"], Y)
    assert found["many"][1] == [1, None, "text", 0.5] and found["plain"] == {"array": "x"}
    assert sorted(references(apart)) == sorted(arrays)


def test_a_step_of_its_own_may_call_the_model_in_another_way(tmp_path):
    class Timed(edl.Model):
        def __init__(self):
            super().__init__()
            self.out = edl.Sequential([edl.Input((3,)), edl.layers.Dense(1)])

        def call(self, x, times, training=False):
            return self.out(x) * times

        def train_step(self, data):
            x, y = data
            with edl.GradientTape() as tape:
                loss = edl.mean((self(x, edl.ones((len(x), 1))) - y) ** 2)
            self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
            return {"loss": loss}

    def timed():
        edl.utils.set_random_seed(1)
        return compiled(Timed(), "adam", None)

    want = fit(tmp_path / "want", model=timed())
    with pytest.raises(Crash):
        fit(
            Journal(tmp_path / "run", seconds=0),
            model=timed(),
            callbacks=[At("on_train_batch_end", 2, crash)],
        )
    assert_same(fit(tmp_path / "run", model=timed()), want)


# -- own loops ----------------------------------------------------------------------------------


class Loop:
    """A loop of one's own that is kept by a Journal."""

    def __init__(self, folder):
        self.model = mlp()
        self.optimizer, self.metric = edl.optimizers.Adam(0.1), edl.metrics.Mean()
        self.noise = edl.random.Generator(3)
        self.data = iter(edl.data.Dataset.from_tensor_slices((X, Y)).shuffle(22).repeat().batch(4))
        self.journal = Journal(folder, self.model, seconds=0, extra={
            "optimizer": self.optimizer, "metric": self.metric, "noise": self.noise, "data": self.data})  # fmt: skip

    def run(self, until, steps=12):
        progress = self.journal.restore()
        while progress.step < steps:
            x, y = map(edl.convert_to_tensor, next(self.data))
            with edl.GradientTape() as tape:
                loss = edl.mean((self.model(x + self.noise.normal(x.shape), training=True) - y) ** 2)
            variables = self.model.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
            self.metric.update_state(loss)
            progress.step += 1
            self.journal.after_step(progress)
            if progress.step == until:
                raise Crash
        return [v.numpy() for v in [*self.model.variables, *self.optimizer.variables, *self.metric.variables]]


def test_own_loops(tmp_path):
    edl.utils.set_random_seed(1)
    want = Loop(tmp_path / "want").run(None)
    for until in range(1, 12):
        edl.utils.set_random_seed(1)
        with pytest.raises(Crash):
            Loop(tmp_path / str(until)).run(until)
        found = Loop(tmp_path / str(until)).run(None)
        assert len(found) == len(want) and all(np.array_equal(a, b) for a, b in zip(found, want))


def test_own_loops_with_other_objects(tmp_path):
    Journal(tmp_path, mlp(), extra={"metric": edl.metrics.Mean()}).save(Progress(step=3))
    with pytest.raises(ArgumentError, match=r"\['other'\] differ"):
        Journal(tmp_path, mlp(), extra={"metric": edl.metrics.Mean(), "other": edl.metrics.Mean()}).restore()
    with pytest.raises(ShapeError, match=r"'metric' must have the variables"):
        Journal(tmp_path, mlp(), extra={"metric": edl.layers.Dense(1)}).restore()
    journal = Journal(tmp_path, mlp(), extra={"metric": edl.metrics.Mean()})
    journal.save(Progress(step=7))  # without restore: still the latest
    assert Journal(tmp_path, mlp(), extra={"metric": edl.metrics.Mean()}).restore().step == 7


# -- kill -9 ------------------------------------------------------------------------------------


def program(name, folder, out):
    command = [sys.executable, resume_runs.__file__, name, str(folder), str(out)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arrays with all the trimmings", "dataset", "plateau and early stopping"])
def test_killed_at_twenty_random_instants(name, tmp_path):
    """SIGKILL from outside, at random times after the first snapshot is there, so that it hits steps, writes and reads alike."""
    began = time.monotonic()
    assert program(name, tmp_path / "want", tmp_path / "want").wait() == 0
    whole = time.monotonic() - began
    rng, kills = random.Random(11), 0
    while kills < 20:
        process = program(name, tmp_path / "run", tmp_path / "out")
        wait = rng.uniform(0.3, 1.0) * whole
        try:
            process.wait(timeout=wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        else:  # it came to its end: once more from the beginning
            for path in (tmp_path / "run").iterdir():
                path.unlink()
    assert program(name, tmp_path / "run", tmp_path / "out").wait() == 0
    assert json.loads((tmp_path / "out.json").read_text()) == json.loads((tmp_path / "want.json").read_text())
    with np.load(tmp_path / "out.npz") as found, np.load(tmp_path / "want.npz") as want:
        assert found.files == want.files
        assert all(np.array_equal(found[name], want[name]) for name in want.files)
