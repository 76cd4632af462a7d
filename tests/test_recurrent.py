"""Laws of recurrent layers: fused and stepwise runs, states, masks, directions, cells of users, dropout."""

import copy
import json

import numpy as np
import pytest
from cases.builders import normal

import eagerdl as edl
from eagerdl.errors import ArgumentError, DTypeError, ShapeError
from eagerdl.jit import split_loops
from eagerdl.kernels import threads
from eagerdl.machine import pool
from eagerdl.nn.layer import get_mask, set_mask
from eagerdl.ops import recurrent_products
from eagerdl.tree import flatten

L = edl.layers
X = normal(3, 5, 4).astype("float32")
MASK = np.array([[True, True, False, True, False], [False, True, True, True, True], [False] * 5])
CELLS = {
    "SimpleRNNCell": lambda **named: L.SimpleRNNCell(2, **named),
    "GRUCell": lambda **named: L.GRUCell(2, **named),
    "GRUCell before": lambda **named: L.GRUCell(2, reset_after=False, **named),
    "LSTMCell": lambda **named: L.LSTMCell(2, **named),
    "StackedRNNCells": lambda **named: L.StackedRNNCells([L.LSTMCell(3, **named), L.GRUCell(2, **named)]),
}


@pytest.fixture(autouse=True)
def seeded():
    edl.utils.set_random_seed(1)


@pytest.fixture(params=CELLS)
def make_cell(request):
    return CELLS[request.param]


def _flat(out):
    return [leaf for one in out for leaf in _flat(one)] if isinstance(out, list | tuple) else [np.asarray(out)]


def assert_close(a, b, **tolerance):
    for one, other in zip(_flat(a), _flat(b), strict=True):
        np.testing.assert_allclose(one, other, **{"rtol": 1e-5, "atol": 2e-6, **tolerance})


def assert_equal(a, b):
    for one, other in zip(_flat(a), _flat(b), strict=True):
        np.testing.assert_array_equal(one, other)


class Stepwise(L.RNN):
    """Never uses the fused op."""

    def inner_loop(self, sequences, initial_state, mask, training=False):
        if self.go_backwards:
            sequences, mask = edl.flip(sequences, 1), None if mask is None else edl.flip(mask, 1)
        return self._step_by_step(sequences, initial_state, mask, training)


class Minimal(L.Layer):
    """The cell of Keras' documentation."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight((input_shape[-1], self.units), name="kernel")
        self.recurrent_kernel = self.add_weight((self.units, self.units), name="recurrent_kernel")

    def call(self, inputs, states):
        h = inputs @ self.kernel + states[0] @ self.recurrent_kernel
        return h, [h]


# -- one op for all steps ---------------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"go_backwards": True}, {"zero_output_for_mask": True}, {"return_sequences": False}], ids=str
)
def test_the_fused_op_and_one_step_after_the_other_agree_to_rounding(make_cell, masked, options):
    options = {"return_sequences": True, "return_state": True, **options}
    cell, mask = make_cell(bias_initializer="normal"), MASK if masked else None
    fused, stepwise = L.RNN(cell, **options), Stepwise(cell, **options)
    x = edl.constant(X)
    outs, gradients = [], []
    for layer in (fused, stepwise):
        with edl.GradientTape() as tape:
            tape.watch(x)
            outs.append(layer(x, mask=mask))
            loss = sum(edl.sum(edl.sin(one)) for one in flatten(outs[-1])[0])
        gradients.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    assert_close(*outs)
    assert_close(*gradients, rtol=1e-4, atol=1e-5)


LARGE = {
    "SimpleRNN": lambda: L.SimpleRNN(130),
    "GRU": lambda: L.GRU(80, return_sequences=True),
    "GRU before": lambda: L.GRU(128, reset_after=False),
    "LSTM": lambda: L.LSTM(70, return_sequences=True),
}


@pytest.mark.parametrize("batch", [5, 64])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)
def test_large_kernels_are_packed_which_changes_rounding_only(make, masked, batch, monkeypatch):
    layer, x = make(), edl.constant(normal(batch, 6, 4).astype("float32"))
    mask = edl.constant(np.arange(6 * batch).reshape(batch, 6) % 4 > 0) if masked else None
    layer(x)
    packed = []
    factor = recurrent_products.products.Factor
    monkeypatch.setattr(recurrent_products.products, "Factor", lambda b: packed.append(b.shape) or factor(b))

    def step(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            loss = edl.sum(layer(x, mask=mask) ** 2)
        return [loss, *tape.gradient(loss, [x, *layer.trainable_variables])]

    found, compiled = step(x), edl.function(step)
    assert packed or recurrent_products.products.shape() is None
    assert_equal(compiled(x), found)
    assert_equal(compiled(x), found)
    monkeypatch.setattr(recurrent_products, "is_packed", lambda *_: False)
    assert_close(step(x), found, rtol=1e-4, atol=1e-3)


def test_each_thread_goes_through_all_steps_of_its_examples(monkeypatch):
    if pool.pool() is None or threads.cores() > 8:
        pytest.skip("needs some threads, and as many examples for each as a part has")
    layer = L.LSTM(256, return_sequences=True)
    x, again = [edl.constant(normal(64, 9, 4, salt=salt).astype("float32")) for salt in (1, 2)]
    layer(x)

    def step(x):
        with edl.GradientTape() as tape:
            tape.watch(x)
            loss = edl.sum(layer(x) ** 2)
        return [loss, *tape.gradient(loss, [x, *layer.trainable_variables])]

    wanted = [step(one) for one in (x, again, x)]
    made, init = [], split_loops.SplitLoop.__init__
    monkeypatch.setattr(split_loops.SplitLoop, "__init__", lambda self, *rest: made.append(self) or init(self, *rest))
    compiled = edl.function(step)
    assert_equal([compiled(one) for one in (x, again, x)], wanted)
    assert len(made) == 2  # forward and back
    layer.set_weights([w * 0.5 for w in layer.get_weights()])
    assert_equal(compiled(x), step(x))


def test_the_plain_layers_use_the_fused_op_and_others_the_loop(monkeypatch):
    calls = []
    monkeypatch.setattr(L.RNN, "_step_by_step", lambda self, *args: calls.append(self.name) or 1 / 0)
    for layer in (L.LSTM(2), L.GRU(2), L.SimpleRNN(2), L.LSTM(2, dropout=0.5), L.RNN([L.LSTMCell(2), L.GRUCell(3)])):
        layer(X, training=True)
    assert not calls

    class Doubled(L.LSTMCell):
        def call(self, inputs, states, training=False):
            return super().call(2 * inputs, states, training)

    for layer in (L.LSTM(2, activation="relu"), L.GRU(2, recurrent_dropout=0.5), L.RNN(Doubled(2)), L.RNN(Minimal(2))):
        with pytest.raises(ZeroDivisionError):
            layer(X, training=True)


def test_a_subclass_of_a_cell_keeps_its_own_call():
    class Doubled(L.LSTMCell):
        def call(self, inputs, states, training=False):
            return super().call(2 * inputs, states, training)

    layer, plain = L.RNN(Doubled(2)), L.LSTM(2)
    plain(X), layer(X)
    layer.set_weights(plain.get_weights())
    assert_close(layer(X), plain(2 * X))


def test_an_lstm_and_an_rnn_of_its_cell_are_equal_to_the_bit():
    layer = L.LSTM(3, return_sequences=True)
    out = layer(X)
    assert_equal(L.RNN(layer.cell, return_sequences=True)(X), out)


@pytest.mark.parametrize("policy", ["float64", "mixed_bfloat16", "mixed_float16"])
def test_dtype_policies(policy):
    layer = L.GRU(3, return_sequences=True, return_state=True, dtype=policy)
    with edl.GradientTape() as tape:
        outputs, state = layer(X)
        loss = edl.sum(edl.cast(outputs, "float32"))
    assert str(outputs.dtype) == str(state.dtype) == layer.compute_dtype
    assert {str(g.dtype) for g in tape.gradient(loss, layer.trainable_variables)} == {layer.variable_dtype}
    wide = L.GRU(3, return_sequences=True, dtype="float64")
    wide(X)
    wide.set_weights(layer.get_weights())
    assert_close(np.asarray(outputs, "float64"), wide(X), atol=0.03)


# -- states -----------------------------------------------------------------------------------------


def test_a_stateful_layer_goes_on_where_the_last_batch_ended(make_cell):
    layer = L.RNN(make_cell(), stateful=True, return_sequences=True)
    whole = L.RNN(layer.cell, return_sequences=True)
    assert layer.states is None
    parts = [layer(X[:, :2]), layer(X[:, 2:])]
    assert_close(np.concatenate([part.numpy() for part in parts], 1), whole(X))
    layer.reset_state()
    assert all(not one.numpy().any() for one in flatten(layer.states)[0])
    assert_equal(layer(X[:, :2]), parts[0])
    layer.reset_states()
    assert_equal(layer(X[:, :2]), parts[0])


def test_states_are_variables_but_no_weights():
    layer = L.LSTM(2, stateful=True)
    layer(X)
    assert len(layer.weights) == len(layer.get_weights()) == 3
    assert [v.shape for v in layer.variables] == [(4, 8), (2, 8), (8,), (2,), (3, 2), (3, 2)]
    assert [v.path for v in layer.variables][-1] == f"{layer.name}/rnn_state"
    assert len(layer.trainable_variables) == 3
    again = copy.deepcopy(layer)
    assert_equal(again(X), layer(X))


def test_a_stateful_layer_keeps_its_batch_size():
    layer = L.GRU(2, stateful=True)
    layer(X)
    with pytest.raises(
        ShapeError, match=r"states of shapes \[\(2, 2\)\] are needed; got \[\(3, 2\)\]; keep the batch size"
    ):
        layer(X[:2])
    with pytest.raises(ShapeError, match="a stateful layer needs to know the batch size"):
        L.GRU(2, stateful=True)(edl.Input((5, 4)))


def test_no_gradient_flows_into_the_batch_before():
    layer = L.SimpleRNN(2, stateful=True)
    x = edl.constant(X)
    with edl.GradientTape() as tape:
        tape.watch(x)
        layer(x)
        out = layer(edl.constant(X))
    assert tape.gradient(out, x) is None


def test_initial_states_may_come_from_another_layer():
    encoder, decoder = L.LSTM(2, return_state=True), L.LSTM(2, return_sequences=True)
    _, h, c = encoder(X)
    whole = L.LSTM(2, return_sequences=True)
    out = decoder(X[:, :3], initial_state=[h, c])
    whole(X)
    for layer in (encoder, decoder):
        layer.set_weights(whole.get_weights())
    _, h, c = encoder(X[:, :2])
    out = decoder(X[:, 2:], initial_state=(h, c))
    assert_close(out, whole(X)[:, 2:])


def test_functional_models_take_initial_states():
    x, h = edl.Input((5, 4)), edl.Input((2,))
    layer = L.GRU(2, return_sequences=True, return_state=True)
    outputs, last = layer(x, initial_state=h)
    assert outputs.shape == (None, 5, 2) and last.shape == (None, 2)
    state = normal(3, 2).astype("float32")
    assert_equal(edl.Model([x, h], [outputs, last])([X, state]), layer(X, initial_state=state))


def test_time_may_be_unknown():
    x = edl.Input((None, 4))
    model = edl.Model(x, L.Bidirectional(L.LSTM(2, return_sequences=True))(x))
    assert model.outputs[0].shape == (None, None, 4)
    assert [model(X[:, :n]).shape for n in (1, 5)] == [(3, 1, 4), (3, 5, 4)]


# -- masks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [L.LSTM, L.GRU, L.SimpleRNN])
def test_masked_steps_are_as_if_they_were_not_there(layer):
    layer = layer(2)
    x = X.copy()
    x[~MASK] = 1e3
    out = layer(x, mask=MASK).numpy()
    for b in range(2):
        assert_close(out[b], layer(X[b : b + 1, MASK[b]])[0])
    assert not out[2].any()


def test_masked_steps_repeat_the_output_or_give_zeros():
    layer = L.GRU(2, return_sequences=True)
    out = layer(X, mask=MASK).numpy()
    assert_equal(out[0, 2], out[0, 1])
    assert not out[1, 0].any()
    zeros = L.GRU(2, return_sequences=True, zero_output_for_mask=True)
    zeros(X)
    zeros.set_weights(layer.get_weights())
    assert_equal(zeros(X, mask=MASK), out * MASK[..., None])


def test_zero_outputs_leave_the_last_output_and_the_states():
    layer = L.GRU(2, zero_output_for_mask=True, return_state=True)
    last, state = layer(X, mask=MASK)
    assert last.numpy()[0].any()
    assert_equal(last, state)
    stepwise = Stepwise(layer.cell, zero_output_for_mask=True, return_state=True)
    assert_close(stepwise(X, mask=MASK), (last, state))


def test_an_attached_mask_is_used_also_with_initial_states():
    x, h = edl.constant(X), normal(3, 2).astype("float32")
    set_mask(x, edl.constant(MASK))
    layer = L.GRU(2, return_sequences=True)
    out = layer(x, initial_state=h)
    assert_equal(out, layer(X, initial_state=h, mask=MASK))
    assert_equal(get_mask(out), MASK)
    assert_equal(layer(X, initial_state=h, mask=MASK[..., None]), out)
    assert get_mask(L.GRU(2)(x)) is None


def test_masks_with_states_behind_the_output():
    x = edl.constant(X)
    set_mask(x, edl.constant(MASK))
    out, *states = L.LSTM(2, return_sequences=True, return_state=True)(x)
    assert get_mask(out) is not None and [get_mask(state) for state in states] == [None, None]


def test_masked_images():
    layer = L.ConvLSTM2D(2, 2, return_sequences=True)
    x = normal(2, 3, 4, 4, 1).astype("float32")
    mask = np.array([[True, False, True], [True, True, True]])
    out = layer(x, mask=mask)
    assert_close(out[:1, 2], layer(x[:1, [0, 2]])[:, 1])
    assert_close(out[1], layer(x[1:])[0])


# -- cells of users ---------------------------------------------------------------------------------


def test_a_cell_of_the_user():
    layer = L.RNN(Minimal(2), return_sequences=True)
    out = layer(X)
    w, u = layer.get_weights()
    h = np.zeros((3, 2))
    for t in range(5):
        h = X[:, t] @ w + h @ u
        np.testing.assert_allclose(out[:, t], h, rtol=1e-4, atol=1e-5)
    assert [v.path for v in layer.weights] == [
        f"{layer.name}/{layer.cell.name}/{name}" for name in ("kernel", "recurrent_kernel")
    ]


def test_a_cell_that_is_no_layer():
    class Counter:
        state_size = (1, (2,))
        output_size = 1

        def get_initial_state(self, batch_size=None):
            return [edl.zeros((batch_size, 1)), [edl.ones((batch_size, 2))]]

        def call(self, inputs, states):
            count, (pair,) = states
            return count + 1, [count + 1, [pair * 2]]

    out, count, nested = L.RNN(Counter(), return_state=True, return_sequences=True)(X)
    assert out[0, :, 0].tolist() == [1, 2, 3, 4, 5]
    assert_equal(count, np.full((3, 1), 5.0))
    assert_equal(nested, [np.full((3, 2), 32.0)])


def test_a_cell_without_initial_states_begins_with_zeros():
    class Last(L.Layer):
        state_size, output_size = (4, 3), 4

        def call(self, inputs, states):
            return states[0], (inputs, states[1] + 1)

    layer = L.RNN(Last(), return_sequences=True, return_state=True)
    out, last, count = layer(X)
    assert_equal(out, np.concatenate([np.zeros((3, 1, 4)), X[:, :-1]], 1))
    assert_equal(last, X[:, -1])
    assert_equal(count, np.full((3, 3), 5.0))
    masked = layer(X, mask=MASK)[0].numpy()
    assert_equal(masked[0, 2], masked[0, 1])  # the output of the step before, which is not the state
    assert_equal(masked[2], np.zeros((5, 4)))


def test_cells_of_the_user_are_saved_where_they_are_registered():
    class Own(Minimal):
        def get_config(self):
            return {**super().get_config(), "units": self.units}

    config = json.loads(json.dumps(L.RNN(Own(3), return_sequences=True).get_config()))
    with edl.saving.CustomObjectScope({"Own": Own}):
        again = L.RNN.from_config(config)
    assert type(again.cell) is Own and again(X).shape == (3, 5, 3)
    assert type(L.RNN.from_config(config, custom_objects={"Own": Own}).cell) is Own
    with pytest.raises(ArgumentError, match="every class of a config must be known; 'Own'"):
        L.RNN.from_config(config)


def test_a_list_of_cells_is_a_stack():
    layer = L.RNN([L.LSTMCell(3), Minimal(2)], return_state=True)
    assert type(layer.cell) is L.StackedRNNCells and layer.cell.state_size == [[3, 3], 2]
    out, lstm, minimal = layer(X)
    assert_equal(minimal, out)
    assert [one.shape for one in lstm] == [(3, 3), (3, 3)]
    again = type(layer.cell).from_config(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(2)]).get_config())
    assert [type(cell) for cell in again.cells] == [L.LSTMCell, L.GRUCell]


# -- dropout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", [L.LSTM, L.GRU, L.SimpleRNN])
def test_dropout_has_one_mask_for_all_steps(layer):
    ones = np.ones((2, 6, 40), "float32")
    layer = layer(40, dropout=0.5, seed=3)
    first, second = layer(ones, training=True), layer(ones, training=True)
    assert (first.numpy() != second.numpy()).any()
    assert_equal(layer(ones), layer(ones))
    assert not layer.cell._masks


def test_dropped_inputs_are_dropped_in_every_step():
    cell = L.SimpleRNNCell(
        8, activation=None, kernel_initializer="identity", recurrent_initializer="zeros", dropout=0.5
    )
    for layer in (L.RNN(cell, return_sequences=True), L.RNN(cell, return_sequences=True)):
        out = layer(np.ones((2, 6, 8), "float32"), training=True).numpy()
        assert set(np.unique(out)) == {0.0, 2.0}
        assert_equal(out, np.repeat(out[:, :1], 6, 1))


def test_recurrent_dropout_differs_from_gate_to_gate():
    cell = L.LSTMCell(16, recurrent_dropout=0.5)
    cell(X[:, 0], cell.get_initial_state(3), training=True)
    masks = cell.get_recurrent_dropout_mask(edl.ones((3, 16)))
    assert len(masks) == 4 and any((masks[0].numpy() != one.numpy()).any() for one in masks[1:])
    assert cell.get_recurrent_dropout_mask(edl.ones((3, 16))) is masks
    cell.reset_recurrent_dropout_mask()
    assert cell.get_recurrent_dropout_mask(edl.ones((3, 16))) is not masks
    assert cell.get_dropout_mask(edl.ones((3, 4))) is None


def test_equal_seeds_give_equal_dropout():
    one, other = (L.GRU(4, dropout=0.3, recurrent_dropout=0.3, seed=5) for _ in range(2))
    one(X), other(X)
    other.set_weights(one.get_weights())
    assert_equal(one(X, training=True), other(X, training=True))


# -- both directions, each step ---------------------------------------------------------------------


def test_bidirectional_layers_are_made_anew():
    layer = L.LSTM(2, name="mine")
    layer(X)
    both = L.Bidirectional(layer)
    assert (both.forward_layer.name, both.backward_layer.name) == ("forward_mine", "backward_mine")
    assert both.forward_layer is not layer and not both.forward_layer.built
    assert L.Bidirectional(both.forward_layer).forward_layer.name == "forward_mine"
    both(X)
    assert both.weights[0].path == f"{both.name}/forward_mine/lstm_cell/kernel"


def test_bidirectional_takes_a_backward_layer_of_its_own():
    back = L.GRU(3, go_backwards=True)
    both = L.Bidirectional(L.LSTM(2), backward_layer=back)
    assert both(X).shape == (3, 5)
    again = L.Bidirectional.from_config(json.loads(json.dumps(both.get_config())))
    assert again(X).shape == (3, 5) and type(again.backward_layer) is L.GRU


def test_bidirectional_takes_weights_and_states():
    template = L.Bidirectional(L.LSTM(2, return_state=True))
    out = template(X)
    again = L.Bidirectional(L.LSTM(2, return_state=True), weights=template.get_weights())
    assert_equal(again(X), out)
    states = [normal(3, 2, salt=i).astype("float32") for i in range(4)]
    got = template(X, initial_state=states)
    assert_equal(got[1:3], template.forward_layer(X, initial_state=states[:2])[1:])
    assert_equal(got[3:], template.backward_layer(X, initial_state=states[2:])[1:])


def test_bidirectional_masks_give_zeros():
    both = L.Bidirectional(L.GRU(2, return_sequences=True))
    out = both(X, mask=MASK).numpy()
    assert not out[~MASK].any() and out[MASK].all()
    assert_close(out[1, 1:], both(X[1:2, 1:])[0])


def test_stateful_bidirectional_layers():
    both = L.Bidirectional(L.GRU(2, stateful=True))
    assert both.states is None
    first = both(X)
    assert (both(X).numpy() != first.numpy()).any()
    assert len(both.states) == 2
    both.reset_state()
    assert_equal(both(X), first)
    with pytest.raises(ArgumentError, match="the layers must be stateful"):
        L.Bidirectional(L.GRU(2)).reset_states()


def test_each_step_is_a_call_of_its_own():
    class Steps(L.Layer):
        supports_masking = True

        def call(self, x, mask=None):
            return x * 1.0 if mask is None else x * edl.cast(edl.expand_dims(mask, -1), x.dtype)

    layer = L.TimeDistributed(Steps())
    assert_equal(layer(X), X)
    assert_equal(layer(X, mask=MASK), X * MASK[..., None])
    x = edl.constant(X)
    set_mask(x, edl.constant(MASK))
    out = layer(x)
    assert_equal(out, X * MASK[..., None])
    assert_equal(get_mask(out), MASK)


def test_time_distributed_layers_learn_and_lose_as_one():
    inner = L.Dense(2, activity_regularizer="l2")
    layer = L.TimeDistributed(inner)
    out = layer(X)
    assert float(sum(layer.losses)) == pytest.approx(0.01 * float(edl.sum(out * out)) / 3, rel=1e-5)
    assert layer.weights[0].path == f"{layer.name}/{inner.name}/kernel"


def test_a_recurrent_layer_per_step_of_a_longer_sequence():
    layer = L.TimeDistributed(L.LSTM(2))
    x = normal(2, 3, 5, 4).astype("float32")
    out = layer(x)
    for t in range(3):
        assert_equal(out[:, t], layer.layer(x[:, t]))


# -- images -----------------------------------------------------------------------------------------


def test_channels_first_is_channels_last_transposed():
    last = L.ConvLSTM2D(2, 3, return_state=True, strides=2, padding="same")
    first = L.ConvLSTM2D(2, 3, return_state=True, strides=2, padding="same", data_format="channels_first")
    x = normal(2, 3, 5, 4, 2).astype("float32")
    outs = last(x)
    moved = np.moveaxis(x, -1, 2).copy()
    first(moved)
    first.set_weights(last.get_weights())
    assert_close(first(moved), [np.moveaxis(np.asarray(one), -1, 1) for one in outs])


def test_a_kernel_of_one_pixel_is_an_lstm():
    conv, lstm = L.ConvLSTM1D(3, 1, return_sequences=True), L.LSTM(3, return_sequences=True)
    x = normal(2, 4, 1, 5).astype("float32")
    conv(x), lstm(x[:, :, 0])
    lstm.set_weights([w[0] if w.ndim == 3 else w for w in conv.get_weights()])
    assert_close(conv(x)[:, :, 0], lstm(x[:, :, 0]))


# -- what must fail ---------------------------------------------------------------------------------

FAILURES = [
    (lambda: L.LSTM(0), ArgumentError, "units must be a positive int"),
    (lambda: L.GRU(2, dropout=1.5), ArgumentError, "dropout is finite and at least 0 and at most 1"),
    (lambda: L.GRU(2, use_cudnn="yes"), ArgumentError, "use_cudnn is one of 'auto'"),
    (lambda: L.LSTM(2, activation="tnah"), ArgumentError, "did you mean 'tanh'"),
    (lambda: L.LSTM(2, unit=3), ArgumentError, "the arguments of __init__ must be known; got unit"),
    (lambda: L.LSTM(2)(X[0]), ShapeError, "input with 3 axes is needed; got shape \\(5, 4\\)"),
    (lambda: L.LSTM(2)(X[:, :0]), ShapeError, "at least one step"),
    (lambda: L.LSTM(2)(X, initial_state=[np.zeros((3, 2))]), ShapeError, r"\[\(3, 2\), \(3, 2\)\] are needed; got \[\(3, 2\)\]; check"),
    (lambda: L.GRU(2)(X, initial_state=np.zeros((2, 2))), ShapeError, r"\[\(3, 2\)\] are needed; got \[\(2, 2\)\]"),
    (lambda: L.GRU(2)(X, initial_state=np.zeros((3, 5))), ShapeError, r"\[\(3, 2\)\] are needed; got \[\(3, 5\)\]"),
    (lambda: L.GRU(2)(X, mask=MASK[:, :2]), ShapeError, "the mask must be \\(batch, time\\) = \\(3, 5\\)"),
    (lambda: L.RNN(L.Dense(2)), ArgumentError, "a cell needs an attribute state_size; Dense has none"),
    (lambda: L.RNN([]), ArgumentError, "at least one cell is needed"),
    (lambda: L.StackedRNNCells([3]), ArgumentError, "a cell needs a method call"),
    (lambda: L.RNN(_cell(state_size="large")), ArgumentError, "the state_size of a cell is an int or a list"),
    (lambda: L.RNN(_cell(returns=[]))(X), ArgumentError, "the cell must return 1 states, as many as it takes; it returned 0"),
    (lambda: L.Bidirectional(3), DTypeError, "layer is a recurrent layer; got int"),
    (lambda: L.Bidirectional(L.Dense(2)), ArgumentError, "the layer needs an attribute go_backwards"),
    (lambda: L.Bidirectional(L.GRU(2), "cat"), ArgumentError, "merge_mode is one of .* did you mean 'concat'"),
    (lambda: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2)), ArgumentError, "one layer runs forward, the other backward"),
    (lambda: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2, go_backwards=True, return_state=True)), ArgumentError,
     "both layers need the same return_state"),
    (lambda: L.TimeDistributed(L.Dense(2))(X[0]), ShapeError, "at least three axes are needed"),
    (lambda: L.TimeDistributed(L.Dense(2))(X, mask=MASK[:2]), ShapeError, "the mask must begin with"),
    (lambda: L.ConvLSTM2D(2, 3, strides=2, dilation_rate=2), ArgumentError, "cannot both be larger than 1"),
    (lambda: L.ConvLSTM2D(2, (3, 3, 3)), ArgumentError, "kernel_size is an int or 2 ints"),
    (lambda: L.ConvLSTM2D(2, 3, padding="full"), ArgumentError, "padding is one of 'valid', 'same'"),
    (lambda: L.ConvLSTM2D(2, 3)(edl.Input((5, None, 4, 1))), ShapeError, "spatial sizes and the channels must be known"),
]  # fmt: skip


def _cell(state_size=2, returns=None):
    class Cell(L.Layer):
        def call(self, inputs, states):
            return inputs, returns

    cell = Cell()
    cell.state_size = state_size
    return cell


@pytest.mark.parametrize(("make", "error", "match"), FAILURES, ids=[match[:40] for _, _, match in FAILURES])
def test_wrong_arguments_get_the_message(make, error, match):
    with pytest.raises(error, match=match):
        make()
