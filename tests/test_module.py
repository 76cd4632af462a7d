"""Module finds the variables in its attributes."""

import copy

import pytest

import eagerdl as edl


def variable(name="v", shape=(2,), trainable=True):
    return edl.Variable(edl.zeros(shape), name=name, trainable=trainable)


def identities(items):
    return [id(item) for item in items]


class Dense(edl.Module):
    def __init__(self, inputs, units, name=None):
        super().__init__(name=name)
        self.kernel = variable("kernel", (inputs, units))
        self.bias = variable("bias", (units,))
        self.calls = variable("calls", (), trainable=False)

    def __call__(self, x):
        return x @ self.kernel + self.bias


class Mlp(edl.Module):
    def __init__(self):
        # No super().__init__(): a module without a name of its own needs none.
        self.output = Dense(3, 1)
        self.hidden = [Dense(2, 3)]


def test_variables_come_in_order_of_assignment():
    model = Mlp()
    assert [v.name for v in model.variables] == ["kernel", "bias", "calls"] * 2
    assert model.variables[0] is model.output.kernel  # assigned first, though "hidden" < "output"


def test_trainable_and_non_trainable_share_the_variables():
    model = Mlp()
    assert [v.name for v in model.trainable_variables] == ["kernel", "bias"] * 2
    assert [v.name for v in model.non_trainable_variables] == ["calls"] * 2


def test_containers_are_searched_at_any_depth():
    module = edl.Module()
    a, b, c, d = (variable(name) for name in "abcd")
    module.state = {"list": [a, (b,)], "dict": {1: {"deep": c}}, "text": "no variable", "number": 3}
    module.last = d
    assert identities(module.variables) == identities([a, b, c, d])


def test_each_variable_and_module_comes_once():
    module = edl.Module()
    module.a = module.b = variable()
    module.c = [module.a, {"again": module.a}]
    module.d = module.e = Dense(1, 1)
    assert len(module.variables) == 1 + 3
    assert identities(module.submodules) == [id(module.d)]


def test_cycles_end():
    parent, child = edl.Module(), edl.Module()
    parent.child, child.parent = child, parent
    child.loop = [child]
    child.loop.append(child.loop)
    child.weight = variable()
    assert identities(parent.variables) == [id(child.weight)]
    assert identities(child.submodules) == [id(parent)]


def test_submodules_list_a_parent_before_its_children():
    a, b, c = edl.Module(name="a"), edl.Module(name="b"), edl.Module(name="c")
    a.b, b.c = b, [c]
    assert [module.name for module in a.submodules] == ["b", "c"]
    assert c.submodules == ()


def test_later_attributes_are_found_and_deleted_ones_are_not():
    module = edl.Module()
    assert module.variables == ()
    module.late = variable()
    assert len(module.variables) == 1
    del module.late
    assert module.variables == ()


def test_a_chain_of_modules_may_be_long():
    head = module = edl.Module()
    for _ in range(5_000):
        module.next = edl.Module()
        module = module.next
    module.weight = variable()
    assert len(head.submodules) == 5_000
    assert len(head.variables) == 1


@pytest.mark.parametrize(
    ("class_name", "name"),
    [("Mlp", "mlp"), ("LSTMCell", "lstm_cell"), ("Conv2D", "conv2d"), ("MaxPooling2D", "max_pooling2d")],
)
def test_default_name_is_the_class_name_in_snake_case(class_name, name):
    assert type(class_name, (edl.Module,), {})().name == name


def test_given_name_wins():
    assert Dense(1, 1, name="head").name == "head"


@pytest.mark.parametrize("name", ["", "a/b", 3])
def test_bad_names_are_refused(name):
    with pytest.raises(ValueError, match=r"\[Module\] name must be a non-empty string without '/'; got"):
        edl.Module(name=name)


def test_gradients_take_the_variables_of_a_module():
    model = Dense(2, 3)
    with edl.GradientTape() as tape:
        loss = edl.sum(model(edl.ones((4, 2))))
    kernel_gradient, bias_gradient = tape.gradient(loss, model.trainable_variables)
    assert kernel_gradient.numpy().tolist() == [[4.0] * 3] * 2
    assert bias_gradient.numpy().tolist() == [4.0] * 3


def test_deepcopy_owns_its_variables():
    model = Mlp()
    twin = copy.deepcopy(model)
    twin.output.bias.assign([7.0])
    assert model.output.bias.numpy().tolist() == [0.0]
    assert len(twin.variables) == len(model.variables)


def test_repr_shows_the_tree_without_values():
    assert repr(Mlp()) == (
        "Mlp 'mlp': 6 variables, 15 parameters\n"
        "  output: Dense\n"
        "    kernel (3, 1) float32\n"
        "    bias (1,) float32\n"
        "    calls () float32, not trainable\n"
        "  hidden[0]: Dense\n"
        "    kernel (2, 3) float32\n"
        "    bias (3,) float32\n"
        "    calls () float32, not trainable"
    )


def test_repr_of_a_large_module_stays_short():
    module = edl.Module()
    module.layers = [Dense(1, 1) for _ in range(100)]
    lines = repr(module).splitlines()
    assert len(lines) < 50
    assert lines[-1] == "  ... and 360 lines more"
