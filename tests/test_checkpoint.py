"""Checkpoints of own loops: restored at once or when the variables come into being, and kept in folders."""

import errno
import json
import os

import numpy as np
import pytest

import eagerdl as edl
from eagerdl import storage
from eagerdl.errors import ArgumentError, ShapeError
from eagerdl.nn import calls
from eagerdl.train import Checkpoint, CheckpointManager, checkpoint, latest_checkpoint

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")


class Net(edl.Model):
    def __init__(self):
        super().__init__()
        self.first, self.rest = edl.layers.Dense(4, "tanh"), [edl.layers.Dropout(0.5), {"out": edl.layers.Dense(1)}]

    def call(self, x, training=False):
        return self.rest[1]["out"](self.rest[0](self.first(x), training=training))


def lazy():
    return edl.Sequential([edl.layers.Dense(4, "tanh"), edl.layers.Dropout(0.5), edl.layers.Dense(1)])


def wired():
    x = edl.Input((3,))
    return edl.Model(x, edl.layers.Dense(1)(edl.layers.Dropout(0.5)(edl.layers.Dense(4, "tanh")(x))))


def rnn_of_modules():
    class Holder(edl.Module):
        def __init__(self):
            self.net, self.temperature = Net(), edl.Variable(1.0)

        trainable_variables = property(lambda self: self.net.trainable_variables)

        def __call__(self, x, training=False):
            return self.net(x, training=training) * self.temperature

    return Holder()


class Loop:
    """A loop of one's own with all that it needs, which can go on from a checkpoint."""

    def __init__(self, make):
        self.model = make()
        self.optimizer = edl.optimizers.Adam(edl.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5))
        self.metric, self.step = edl.metrics.Mean(), edl.Variable(0, dtype="int64")
        self.noise, self.generator = edl.random.SeedGenerator(3), edl.random.Generator(4)
        self.data = iter(edl.data.Dataset.from_tensor_slices(X).shuffle(8, seed=5).repeat().batch(3).prefetch(2))
        self.checkpoint = Checkpoint(model=self.model, optimizer=self.optimizer, metric=self.metric, step=self.step,
                                     randoms=[self.noise, self.generator], data=self.data)  # fmt: skip

    def run(self, steps):
        for _ in range(steps):
            x = edl.convert_to_tensor(next(self.data))
            x = x + edl.random.normal(x.shape, seed=self.noise) * 0.1 + self.generator.uniform(x.shape)
            with edl.GradientTape() as tape:
                loss = edl.mean(self.model(x, training=True) ** 2)
            variables = self.model.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
            self.metric.update_state(loss)
            self.step.assign_add(1)
        return self

    def values(self):
        return [
            v.numpy() for v in [*self.model.variables, *self.optimizer.variables, *self.metric.variables, self.step]
        ]


def equal(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize("make", [Net, lazy, wired, rnn_of_modules])
def test_a_loop_goes_on_whether_or_not_its_variables_exist(make, tmp_path):
    one = Loop(make).run(4)
    path = one.checkpoint.save(tmp_path / "c")
    one.run(5)
    unbuilt = Loop(make)
    status = unbuilt.checkpoint.restore(path)
    with pytest.raises(ArgumentError, match=r"have none yet"):
        status.assert_consumed()
    status.assert_existing_objects_matched().assert_nontrivial_match()
    unbuilt.run(5)
    status.assert_consumed()
    assert equal(unbuilt.values(), one.values()) and int(unbuilt.checkpoint.save_counter) == 1
    built = Loop(make).run(2)
    built.checkpoint.restore(path).assert_consumed()
    assert equal(built.run(5).values(), one.values())
    assert not calls.makers


def test_write_and_save_name_their_files(tmp_path):
    v = edl.Variable(1.0)
    c = Checkpoint(v=v)
    assert c.write(tmp_path / "w") == str(tmp_path / "w.ckpt")
    assert [c.save(tmp_path / "s") for _ in range(2)] == [str(tmp_path / "s-1.ckpt"), str(tmp_path / "s-2.ckpt")]
    v.assign(5.0)
    c.read(tmp_path / "s-1").assert_consumed()
    assert float(v) == 1.0 and int(c.save_counter) == 1
    assert c.restore(None).assert_existing_objects_matched().expect_partial()


def test_roots_and_attributes_that_come_later(tmp_path):
    root = Net()
    root(X)
    c = Checkpoint(root)
    c.more = edl.Variable(3.0)
    path = c.save(tmp_path / "c")
    before = [v.numpy() for v in root.variables]
    for v in [*root.variables, c.more]:
        v.assign(edl.zeros_like(v))
    c.restore(path).assert_consumed()
    assert equal(before, [v.numpy() for v in root.variables]) and float(c.more) == 3.0


def test_what_matches_only_in_part(tmp_path):
    a, b = edl.Variable(1.0), edl.Variable(2.0)
    path = Checkpoint(a=a, b=b).save(tmp_path / "c")
    c = Checkpoint(a=edl.Variable(0.0), new=edl.Variable(7.0))
    status = c.restore(path).expect_partial()
    assert float(c.a) == 1.0
    with pytest.raises(ArgumentError, match=r"\['b'\] have none yet"):
        status.assert_consumed()
    with pytest.raises(ArgumentError, match=r"\['new'\] have none"):
        status.assert_existing_objects_matched()
    other = Checkpoint(z=edl.Variable(0.0))
    with pytest.raises(ArgumentError, match=r"no name of the file"):
        other.restore(path).assert_nontrivial_match()
    other.z2 = edl.layers.Dense(1)
    del other, c, status
    edl.layers.Dense(1)(X)  # those who waited for layers are gone
    assert not calls.makers


def test_what_does_not_fit_leaves_all_as_it_was(tmp_path):
    path = Checkpoint(a=edl.Variable([1.0]), b=edl.Variable([2.0, 3.0])).save(tmp_path / "c")
    c = Checkpoint(a=edl.Variable([0.0]), b=edl.Variable([0.0]))
    with pytest.raises(ShapeError, match=r"b is float32 of shape \(2,\) in the file"):
        c.restore(path)
    assert c.a.tolist() == [0.0]
    c = Checkpoint(a=edl.Variable([0.0]), b=edl.Variable([0, 0]))
    with pytest.raises(ShapeError, match=r"the variable is int"):
        c.restore(path)
    path = Checkpoint(a=edl.Variable([1.0]), z=iter(edl.data.Dataset.range(3))).save(tmp_path / "c")
    c = Checkpoint(a=edl.Variable([0.0]), z=edl.Variable([0.0]))
    with pytest.raises(ArgumentError, match=r"z must be what it was"):
        c.restore(path)
    assert c.a.tolist() == [0.0]


def test_layers_of_another_size_that_are_made_later(tmp_path):
    net = edl.Sequential([edl.layers.Dense(2)])
    net(X)
    path = Checkpoint(net=net).save(tmp_path / "c")
    other = edl.Sequential([edl.layers.Dense(3)])
    c = Checkpoint(net=other)
    c.restore(path)
    with pytest.raises(
        ShapeError, match=r"net/layers/0/_?kernel is float32 of shape \(3, 2\) in the file|net/.*\(3, 2\) in the file"
    ):
        other(X)


def test_names_that_methods_have():
    for name in ("save", "restore", "save_counter", "_hidden"):
        with pytest.raises(ArgumentError, match=name):
            Checkpoint(**{name: edl.Variable(1.0)})


@pytest.mark.parametrize("content", [b"", b"PK", b"nothing at all"])
def test_damaged_files(content, tmp_path):
    v = edl.Variable(1.0)
    (tmp_path / "c.ckpt").write_bytes(content)
    with pytest.raises(ArgumentError, match=r"c\.ckpt cannot be read"):
        Checkpoint(v=v).restore(tmp_path / "c")
    with pytest.raises(ArgumentError, match=r"there is no file"):
        Checkpoint(v=v).restore(tmp_path / "d")


# -- folders ------------------------------------------------------------------------------------


def files(folder):
    return sorted(os.listdir(folder))


def test_the_last_ones_are_kept(tmp_path):
    v = edl.Variable(0.0)
    manager = CheckpointManager(Checkpoint(v=v), tmp_path, max_to_keep=2)
    assert manager.latest_checkpoint is None and latest_checkpoint(tmp_path) is None
    for i in range(5):
        v.assign(float(i))
        assert manager.save() == manager.latest_checkpoint == latest_checkpoint(tmp_path)
    assert files(tmp_path) == ["checkpoint.json", "ckpt-4.ckpt", "ckpt-5.ckpt"]
    again = CheckpointManager(Checkpoint(v=edl.Variable(9.0)), tmp_path, max_to_keep=2)
    assert again.checkpoints == manager.checkpoints == [str(tmp_path / "ckpt-4.ckpt"), str(tmp_path / "ckpt-5.ckpt")]
    assert again.restore_or_initialize() == again.latest_checkpoint and float(again.checkpoint.v) == 4.0
    again.save()
    assert files(tmp_path) == ["checkpoint.json", "ckpt-5.ckpt", "ckpt-6.ckpt"]


def test_all_are_kept(tmp_path):
    manager = CheckpointManager(Checkpoint(v=edl.Variable(0.0)), tmp_path, max_to_keep=None, checkpoint_name="m")
    for _ in range(8):
        manager.save()
    assert len(manager.checkpoints) == 8 and files(tmp_path)[0] == "checkpoint.json"


def test_one_in_so_many_hours_stays(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "time", lambda: now[0])
    make = lambda: CheckpointManager(Checkpoint(v=edl.Variable(0.0)), tmp_path, 1, keep_checkpoint_every_n_hours=2)  # noqa: E731
    manager = make()
    for hour in range(7):
        now[0] = hour * 3600.0
        manager.save(checkpoint_number=hour)
        if hour == 3:
            manager = make()  # the times are in the folder
    assert files(tmp_path) == ["checkpoint.json", *[f"ckpt-{hour}.ckpt" for hour in (0, 2, 4, 6)]]
    assert [os.path.basename(path) for path in manager.checkpoints] == ["ckpt-6.ckpt"]


def test_intervals_of_steps(tmp_path):
    step = edl.Variable(0, dtype="int64")
    manager = CheckpointManager(Checkpoint(step=step), tmp_path, step_counter=step, checkpoint_interval=3)
    saved = []
    for i in range(8):
        step.assign(i)
        saved.append(manager.save() is not None)
    assert saved == [True, False, False, True, False, False, True, False]
    assert manager.save(check_interval=False) == str(tmp_path / "ckpt-7.ckpt")
    again = CheckpointManager(Checkpoint(step=step), tmp_path, step_counter=step, checkpoint_interval=3)
    step.assign(0)
    again.restore_or_initialize()
    assert int(step) == 7 and again.save() is None


def test_init_fn_runs_where_there_is_nothing(tmp_path):
    told = []
    manager = CheckpointManager(Checkpoint(v=edl.Variable(0.0)), tmp_path / "new", init_fn=lambda: told.append(1))
    assert manager.restore_or_initialize() is None and told == [1]


def test_arguments_of_managers(tmp_path):
    c = Checkpoint(v=edl.Variable(0.0))
    with pytest.raises(ArgumentError, match="at least 1"):
        CheckpointManager(c, tmp_path, max_to_keep=0)
    with pytest.raises(ArgumentError, match="step_counter"):
        CheckpointManager(c, tmp_path, checkpoint_interval=3)


def test_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    manager = CheckpointManager(Checkpoint(v=edl.Variable(0.0)), tmp_path, max_to_keep=1)
    manager.save()
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def refuse(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match=r"make room"):
            manager.save()
    assert before == {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    assert int(manager.checkpoint.save_counter) == 1 and manager.latest_checkpoint.endswith("ckpt-1.ckpt")
    assert manager.save().endswith("ckpt-2.ckpt")


@pytest.mark.parametrize("index", ["{", "[]", '{"kept": 1}', '{"kept": {"../../x.ckpt": 0}, "forever": []}',
                                   '{"kept": {"notes.txt": 0}, "forever": []}', '{"kept": {}}'])  # fmt: skip
def test_hostile_indices(index, tmp_path):
    (tmp_path / "checkpoint.json").write_text(index)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ArgumentError, match=r"checkpoint\.json cannot be read"):
        CheckpointManager(Checkpoint(v=edl.Variable(0.0)), tmp_path)
    with pytest.raises(ArgumentError, match=r"checkpoint\.json cannot be read"):
        latest_checkpoint(tmp_path)


def test_what_killed_writers_left_is_swept(tmp_path):
    v = edl.Variable(0.0)
    CheckpointManager(Checkpoint(v=v), tmp_path).save()
    for name in (".ckpt-1.ckpt.123-0.tmp", ".ckpt-2.ckpt.99-7.tmp", ".checkpoint.json.5-5.tmp", "notes.tmp"):
        (tmp_path / name).write_bytes(b"half")
    again = CheckpointManager(Checkpoint(v=v), tmp_path)
    again.restore_or_initialize()
    again.save()
    assert files(tmp_path) == ["checkpoint.json", "ckpt-1.ckpt", "ckpt-2.ckpt", "notes.tmp"]
    assert json.loads((tmp_path / "checkpoint.json").read_text())["kept"].keys() == {"ckpt-1.ckpt", "ckpt-2.ckpt"}
    assert storage.VERSION == 1
