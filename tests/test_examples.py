"""The programs in examples/, in short form: what they promise to show happens."""

import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import eagerdl as edl

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "__init__")


def example(name):
    return import_module(f"examples.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_every_example_says_what_it_shows_and_how_to_run_it(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"examples/{name}.py", "--help"])
    with pytest.raises(SystemExit) as exit:
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert exit.value.code == 0
    module = example(name)
    assert f"python examples/{name}.py" in module.__doc__
    shown = capsys.readouterr().out
    assert "--seed" in shown and " ".join(shown.split()).find(module.__doc__.split("\n")[0]) > 0


def test_an_example_runs_as_a_program():
    command = [sys.executable, str(EXAMPLES / "handwritten_loop.py"), "--epochs", "1"]
    result = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("test accuracy") == 1


def test_handwritten_loop_learns_and_a_seed_repeats_it():
    loss, accuracy = example("handwritten_loop").main(epochs=3, seed=1)
    assert loss < 1.0 and accuracy > 0.8
    once, again, other = (example("handwritten_loop").main(epochs=1, seed=seed) for seed in (1, 1, 2))
    assert once == again and once != other


def test_convnet_fit_learns():
    history, accuracy = example("convnet_fit").main(epochs=2, verbose=0)
    assert history["val_loss"][1] < history["val_loss"][0]
    assert accuracy > 0.7


def test_gan_moves_from_noise_towards_digits():
    history, images, drawn = example("gan").main(epochs=3, verbose=0)
    assert set(history) == {"d_loss", "g_loss"} and np.isfinite(list(history.values())).all()
    assert drawn.shape == (100, 64) and np.abs(drawn).max() <= 1
    # Where real images have ink the drawn ones have it: before training the correlation is near 0.
    assert np.corrcoef(images.mean(0), drawn.mean(0))[0, 1] > 0.5


def test_gan_trains_both_networks():
    gan = example("gan").GAN(noise=4)
    gan.compile(edl.optimizers.SGD(0.1), edl.optimizers.SGD(0.1))
    before = [variable.numpy().copy() for variable in gan.trainable_variables]
    gan.fit(np.zeros((8, 64), "float32"), batch_size=8, verbose=0)
    changed = [not np.array_equal(old, new.numpy()) for old, new in zip(before, gan.trainable_variables)]
    assert len(changed) == 10
    assert sum(changed) >= 8  # a bias before a normalisation has no gradient


def test_multi_input_learns_both_outputs():
    history, scores = example("multi_input").main(epochs=2, count=2000, verbose=0)
    assert history["result_loss"][1] < history["result_loss"][0]
    assert history["larger_loss"][1] < history["larger_loss"][0]
    assert {"result_accuracy", "larger_accuracy"} <= set(scores)
    assert scores["larger_accuracy"] > 0.55


def test_multi_input_labels_are_right():
    labels = np.arange(10)
    images = np.eye(10, dtype="float32")  # an image says its digit by the place of its 1
    x, y = example("multi_input").pairs(images, labels, 50, np.random.default_rng(0))
    for left, right, minus, result, larger in zip(x["left"], x["right"], x["minus"], y["result"], y["larger"]):
        a, b = left.argmax(), right.argmax()
        assert result - 9 == (a - b if minus[0] else a + b)
        assert larger[0] == (a > b)


def test_custom_layer_comes_back_from_its_file_and_trains_on_to_the_same_bits(tmp_path):
    path = tmp_path / "gated.keras"
    before, (history, history_of_copy), same = example("custom_layer").main(epochs=3, path=path)
    assert path.stat().st_size > 0
    assert same and history == history_of_copy
    assert history[-1] < before


def test_char_lstm_learns_and_writes_letters_of_its_text(tmp_path):
    text = "abcd " * 60
    path = tmp_path / "text.txt"
    path.write_text(text)
    losses, written = example("char_lstm").main(path, steps=40, units=16)
    assert losses[-1] < 0.5 * losses[0]
    assert set(written) <= set(text) and len(written) == 336


def test_char_lstm_readers_go_on_where_they_stopped_and_round_the_text():
    text = np.arange(10)
    pieces = example("char_lstm").readers(text, count=2, length=4, seed=0)
    (x, y), (following, _), *_ = [next(pieces) for _ in range(4)]
    assert ((x + 1) % 10 == y).all()
    assert ((y[:, -1]) == following[:, 0]).all()


def test_addition_seq2seq_learns():
    history, share = example("addition_seq2seq").main(epochs=2, count=400, held_out=50, verbose=0)
    assert history["loss"][1] < history["loss"][0]
    assert 0 <= share <= 1


def test_addition_seq2seq_tests_on_sums_that_it_has_not_seen():
    module = example("addition_seq2seq")
    (x, y), (x_test, _) = module.data(digits=1, count=45, held_out=10, seed=0)
    questions = [question[::-1].strip() for question in module.decode(x)]
    assert [str(sum(map(int, question.split("+")))) for question in questions] == module.decode(y)
    pairs = {frozenset(question.split("+")) for question in questions}
    held_out = {frozenset(question[::-1].strip().split("+")) for question in module.decode(x_test)}
    assert pairs.isdisjoint(held_out) and len(pairs | held_out) == 55


def test_small_gpt_learns_and_writes(tmp_path):
    text = "the cat sat on the mat. " * 20
    path = tmp_path / "text.txt"
    path.write_text(text)
    history, written = example("small_gpt").main(path, steps=12, letters=30, verbose=0)
    assert history["loss"][-1] < 0.85 * history["loss"][0]
    assert set(written) <= set(text) and len(written) == 40
    assert (history, written) == example("small_gpt").main(path, steps=12, letters=30, verbose=0)  # of the same seed


def test_small_gpt_sees_nothing_of_what_follows():
    edl.utils.set_random_seed(0)
    model = example("small_gpt").GPT(alphabet=5, context=8, width=8, heads=2, depth=2)
    letters = np.array([[0, 1, 2, 3, 4, 0]])
    other = np.array([[0, 1, 2, 0, 0, 0]])
    np.testing.assert_array_equal(model(letters).numpy()[:, :3], model(other).numpy()[:, :3])
    assert not np.array_equal(model(letters).numpy()[:, 3], model(other).numpy()[:, 3])


def test_sklearn_pipeline_finds_a_good_model():
    best, score = example("sklearn_pipeline").main(epochs=8)
    assert best > 0.8 and score > 0.8
