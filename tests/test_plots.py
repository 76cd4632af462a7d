"""Pictures: curves of a run, and models as DOT, SVG, PNG and PDF, whose boxes stand apart and whose lines meet the right ones."""

import itertools
import sys
import types
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import eagerdl as edl
from eagerdl.drawing import picture as drawing
from eagerdl.drawing.layout import BESIDE, layered
from eagerdl.errors import ArgumentError, PackageError
from eagerdl.models.plot import Diagram, model_to_dot, plot_model
from eagerdl.train.plotting import plot_history

L = edl.layers

# -- curves -------------------------------------------------------------------------------------------

HISTORY = {
    "loss": [3.0, 2.0, 1.0, 0.5],
    "val_loss": [4.0, 2.0],
    "mae": [1.0] * 4,
    "val_mae": [1.0, 0.5],
    "val_new_mae": [0.5] * 4,
}


@pytest.fixture(autouse=True)
def no_window(monkeypatch):
    monkeypatch.setattr(pyplot, "figure", lambda **named: _figure(**named))
    yield
    pyplot.close("all")


def _figure(**named):
    figure = Figure(**{key: value for key, value in named.items() if key in ("figsize", "layout")})
    FigureCanvasAgg(figure)
    return figure


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_each_metric_has_axes_and_validation_is_dashed_in_its_colour():
    axes = plot_history(HISTORY)
    assert [sorted(lines(ax)) for ax in axes] == [["loss", "val_loss"], ["mae", "val_mae", "val_new_mae"]]
    for ax in axes:
        found = lines(ax)
        assert len({line.get_color() for line in found.values()}) == 1 and ax.get_xlabel() == "epoch"
        assert [found[name].get_linestyle() for name in found] == ["-", "--", ":"][: len(found)]
    assert lines(axes[0])["loss"].get_xdata().tolist() == [1, 2, 3, 4]
    assert lines(axes[0])["val_loss"].get_xdata().tolist() == [2, 4]  # every second epoch
    axes[0].figure.canvas.draw()


def test_one_pair_of_axes_for_all():
    ax = Figure().subplots()
    assert plot_history(HISTORY, ["mae", "loss"], ax=ax) is ax
    colours = {name: line.get_color() for name, line in lines(ax).items()}
    assert colours["loss"] == colours["val_loss"] != colours["mae"] == colours["val_mae"] and ax.get_ylabel() == ""


def test_axes_of_the_user():
    grid = Figure().subplots(1, 2)
    assert plot_history(HISTORY, ax=grid) is grid and [ax.get_ylabel() for ax in grid] == ["loss", "mae"]
    assert len(plot_history({f"m{i}": [1.0] for i in range(5)})) == 5


def test_a_history_knows_the_epochs_of_validation():
    model = edl.Sequential([edl.Input((2,)), L.Dense(1)])
    model.compile("sgd", "mse")
    data = np.ones((4, 2)), np.ones((4, 1))
    run = model.fit(*data, epochs=6, initial_epoch=1, validation_data=data, validation_freq=[2, 5], verbose=0)
    (ax,) = run.plot()
    assert lines(ax)["loss"].get_xdata().tolist() == [2, 3, 4, 5, 6] and lines(ax)["val_loss"].get_xdata().tolist() == [
        2,
        5,
    ]


CURVES = [
    (lambda: plot_history(HISTORY, ["los"]), ArgumentError, r"'los', did you mean 'loss'.*they are loss, mae"),
    (lambda: plot_history({}), ArgumentError, "the history has none; train first"), (lambda: plot_history([1.0]), ArgumentError, "got list"),
    (lambda: plot_history({"x": [np.ones(2)]}), ArgumentError, "numbers of at least one epoch"),
    (lambda: plot_history(HISTORY, ax=[Figure().subplots()]), ArgumentError, "2 metrics need as many axes; got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), CURVES, ids=range(len(CURVES)))
def test_wrong_curves(call, error, match):
    with pytest.raises(error, match=match):
        call()


# -- layouts ------------------------------------------------------------------------------------------


def random_graph(seed, count=14):
    """Boxes of random sizes, and edges; some go back."""
    rng = np.random.default_rng(seed)
    sizes = {i: (float(rng.integers(20, 120)), float(rng.integers(20, 60))) for i in range(count)}
    pairs = {
        (int(a), int(b))
        for a, b in rng.integers(0, count, (int(1.6 * count), 2))
        if a < b or (a != b and rng.random() < 0.1)
    }
    return sizes, [(a, b, 0.0, 0.0) for a, b in sorted(pairs)]


def overlap(one, two):
    """Whether two rectangles (x, y, width, height) have points in common."""
    return (
        one[0] < two[0] + two[2] and two[0] < one[0] + one[2] and one[1] < two[1] + two[3] and two[1] < one[1] + one[3]
    )


@pytest.mark.parametrize("right_angles", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_layouts(seed, right_angles):
    sizes, edges = random_graph(seed)
    placed = layered(sizes, edges, right_angles)
    boxes = {key: (*placed.corners[key], *sizes[key]) for key in sizes}
    keys = list(boxes)
    for i, a in enumerate(keys):
        x, y, width, height = boxes[a]
        assert x >= -1e-6 and y >= 0 and x + width <= placed.width + 1e-6 and y + height <= placed.height + 1e-6
        assert not any(overlap(boxes[a], boxes[b]) for b in keys[i + 1 :])
    for (a, b, *_), points in zip(edges, placed.routes, strict=True):
        for key, (x, y) in (
            (a, points[0]),
            (b, points[-1]),
        ):  # lines begin and end at the middle of a side of their boxes
            left, top, width, height = boxes[key]
            assert abs(x - left - width / 2) < 1e-6 and min(abs(y - top), abs(y - top - height)) < 1e-6
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            if right_angles:
                assert abs(x1 - x2) <= 0.5 or y1 == y2
            # and run through no box
            inner = (min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2))
            for left, top, width, height in boxes.values():
                shrunk = (left + 1, top + 1, width - 2, height - 2)
                assert not (right_angles and overlap(inner, shrunk))


@pytest.mark.parametrize("seed", range(12))
def test_lines_of_different_boxes_never_lie_on_each_other(seed):
    """Unless they lead to the same box, where they meet."""
    sizes, edges = random_graph(seed)
    placed = layered(sizes, edges)
    parts = []
    for (a, b, *_), points in zip(edges, placed.routes):
        parts += [(a, b, y1, *sorted((x1, x2))) for (x1, y1), (x2, y2) in itertools.pairwise(points) if y1 == y2]
    for i, (a, b, y, low, high) in enumerate(parts):
        for a2, b2, y2, low2, high2 in parts[i + 1 :]:
            if abs(y - y2) < 1e-6 and a != a2 and b != b2 and a != b2 and b != a2:
                assert high <= low2 or high2 <= low


def test_a_chain_is_straight_and_ranks_follow_the_edges():
    sizes = {key: (40.0 + 7 * place, 20.0) for place, key in enumerate("abcd")}
    placed = layered(sizes, [("a", "b", 0, 0), ("b", "c", 0, 0), ("c", "d", 0, 0)])
    assert len({round(placed.corners[key][0] + sizes[key][0] / 2, 6) for key in "abcd"}) == 1
    tops = [placed.corners[key][1] for key in "abcd"]
    assert tops == sorted(tops) and all(len(points) == 2 for points in placed.routes)


def test_crossings_are_taken_out():
    sizes = dict.fromkeys("abcdef", (30.0, 20.0))
    placed = layered(sizes, [(a, b, 0, 0) for a, b in ("af", "be", "cd")])
    x = {key: placed.corners[key][0] for key in sizes}
    assert sorted("abc", key=x.get) == sorted("abc", key=lambda key: x[dict(("af", "be", "cd"))[key]])
    assert sorted(x["abc"[i]] for i in range(3))[1] - min(x[k] for k in "abc") >= 30 + BESIDE - 1e-6


def test_no_boxes_and_one_box():
    assert layered({}, []).height == 0 and layered({"a": (10.0, 5.0)}, []).corners == {"a": (0.0, 0.0)}


# -- models -------------------------------------------------------------------------------------------


def sequential():
    return edl.Sequential(
        [edl.Input((4,)), L.Dense(3, "relu", name="one"), L.Dropout(0.5, name="two"), L.Dense(2, name="three")],
        name="chain",
    )


def branched():
    a, b = edl.Input((4,), name="a"), edl.Input((3,), name="b")
    h = L.Dense(3, name="h")(a)
    s = L.Add(name="s")([h, b])
    return edl.Model([a, b], [L.Dense(2, name="p")(s), edl.relu(s * 2.0)], name="branched")


def nested():
    inner = edl.Sequential([edl.Input((4,)), L.Dense(5, name="i1"), L.Dense(4, name="i2")], name="inner")
    x, y = edl.Input((4,), name="x"), edl.Input((4,), name="y")
    mix = edl.Model([x, y], [L.Add(name="add")([inner(x), y]), L.Multiply(name="mul")([x, y])], name="mix")
    p, q = edl.Input((4,), name="p"), edl.Input((4,), name="q")
    one, two = mix([p, q])
    return edl.Model([p, q], L.Concatenate(name="all")([two, one, p]), name="outer")


class Tree(edl.Model):
    def __init__(self):
        super().__init__(name="tree")
        self.blocks = [L.Dense(4, name=f"b{i}") for i in range(2)]
        self.head = edl.Sequential([L.Dense(2, name="inside")], name="head")

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def tree():
    model = Tree()
    model(edl.ones((2, 3)))
    return model


def shared():
    dense, x = L.Dense(4, name="d"), edl.Input((4,), name="x")
    return edl.Model(x, dense(L.ReLU(name="r")(dense(dense(x)))), name="shared")


MODELS = [sequential, branched, nested, tree, shared]

# model, expand_nested -> edges by names
EDGES = [
    (sequential, False, {"one two", "two three"}), (branched, False, {"a h", "h s", "b s", "s p", "s multiply", "multiply relu"}),
    (nested, False, {"p mix", "q mix", "mix all", "p all"}),
    (nested, True, {"p x", "q y", "x i1", "i1 i2", "i2 add", "y add", "x mul", "y mul", "add all", "mul all", "p all"}),
    (tree, False, {"tree b0", "tree b1", "tree head"}), (tree, True, {"tree b0", "tree b1", "tree head", "head inside"}),
    (shared, False, {"x d", "d d", "d r", "r d"}),
]  # fmt: skip
SHOWN = {"shapes": False, "dtype": False, "names": True, "activations": False, "trainable": False}


def named_edges(model, expand):
    frame = Diagram(model, SHOWN, expand).frame
    names = {box.key: box.title.split()[0].rstrip("0123456789_") if "(relu)" in box.title or "(multiply)" in box.title else box.title.split()[0]
             for box in drawing.boxes(frame)}  # fmt: skip
    return {f"{names[a]} {names[b]}" for a, b in frame.edges}


@pytest.mark.parametrize(("make", "expand", "expected"), EDGES)
def test_boxes_are_connected_as_the_layers_are(make, expand, expected):
    assert named_edges(make(), expand) == expected


ROWS = [
    ("show_shapes", sequential, "one", ["Input shape: (None, 4)", "Output shape: (None, 3)"]), ("show_shapes", branched, "a", ["Output shape: (None, 4)"]),
    ("show_shapes", branched, "s", ["Input shape: (None, 3)", "Output shape: (None, 3)"]), ("show_shapes", tree, "b0", ["Output shape: (None, 4)"]),
    ("show_shapes", tree, "tree", ["Input shape: (None, 3)", "Output shape: (None, 2)"]), ("show_dtype", branched, "h", ["Output dtype: float32"]),
    ("show_shapes", nested, "all", ["Input shape: (None, 4)", "Output shape: (None, 12)"]),
    ("show_layer_activations", sequential, "one", ["Activation: relu"]), ("show_layer_activations", sequential, "two", []),
    ("show_trainable", sequential, "one", ["Trainable"]), ("show_trainable", sequential, "two", []),
]  # fmt: skip


@pytest.mark.parametrize(("option", "make", "name", "expected"), ROWS)
def test_boxes_say_what_is_asked_for(option, make, name, expected):
    boxes = {box.title.split()[0]: box for box in drawing.boxes(model_to_dot(make(), **{option: True}).frame)}
    assert boxes[name].rows == expected
    plain = model_to_dot(make(), show_layer_names=False, **{option: True}).frame
    assert {box.title for box in drawing.boxes(plain)} == {box.title.split()[1].strip("()") for box in boxes.values()}


def test_frozen_layers_and_unknown_shapes():
    model = edl.Sequential([L.Dense(3, name="one"), L.Dense(2, name="two")])
    model(edl.ones((5, 4)))
    model.layers[0].trainable = False
    boxes = {box.title: box.rows for box in drawing.boxes(model_to_dot(model, True, show_trainable=True).frame)}
    assert boxes["one (Dense)"][-1] == "Not trainable" and boxes["two (Dense)"][-1] == "Trainable"
    assert boxes["two (Dense)"][0].startswith("Input shape: (") and boxes["two (Dense)"][0].endswith("3)")


def test_dot_text():
    text = str(model_to_dot(nested(), expand_nested=True, rankdir="LR", dpi=90, splines="curved"))
    assert text.startswith('digraph "outer" {') and "rankdir=LR, splines=curved, dpi=90" in text and text.endswith("}")
    assert text.count("subgraph cluster_") == 2 and text.count("{") == text.count("}") == 3 and text.count(" -> ") == 11
    assert "<b>x (InputLayer)</b>" in text
    odd = edl.Sequential([edl.Input((2,)), L.Dense(2, name='a"<b>&')], name='q"q')
    text = str(model_to_dot(odd))
    assert 'digraph "q\\"q"' in text and "a&quot;&lt;b&gt;&amp; (Dense)" in text
    sub = model_to_dot(sequential(), subgraph=True).to_string()
    assert sub.startswith("subgraph cluster_model {") and sub.count(" -> ") == 2
    assert repr(model_to_dot(sequential())) == "<Dot of 'chain': 3 boxes, 2 edges>"


# -- pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("splines", ["ortho", "curved", "line"])
@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("make", MODELS)
def test_svg(make, rankdir, splines):
    dot = model_to_dot(make(), show_shapes=True, rankdir=rankdir, expand_nested=True, splines=splines)
    root = ElementTree.fromstring(dot.to_svg())
    tag = "{http://www.w3.org/2000/svg}"
    width, height = float(root.get("viewBox").split()[2]), float(root.get("viewBox").split()[3])
    boxes = list(drawing.boxes(dot.frame))
    texts = [text.text for text in root.iter(f"{tag}text")]
    assert all(box.title in texts and all(row in texts for row in box.rows) for box in boxes)
    rectangles = [
        [float(one.get(key)) for key in ("x", "y", "width", "height")]
        for one in root.iter(f"{tag}rect")
        if one.get("x")
    ]
    assert all(0 <= x and 0 <= y and x + w <= width and y + h <= height for x, y, w, h in rectangles)
    assert len(list(root.iter(f"{tag}path"))) == len(dot.frame.edges)
    assert len(list(root.iter(f"{tag}polygon"))) == (0 if dot.frame.dashed else len(dot.frame.edges))  # arrows


DIRECTIONS = {"TB": (1, 1), "BT": (1, -1), "LR": (0, 1), "RL": (0, -1)}


@pytest.mark.parametrize("rankdir", DIRECTIONS)
def test_the_picture_goes_where_it_should(rankdir):
    axis, sign = DIRECTIONS[rankdir]
    picture = drawing.picture_of(model_to_dot(sequential(), rankdir=rankdir).frame, rankdir)
    for points in picture.lines:
        assert (
            sign * (points[-1][axis] - points[0][axis]) > 0 and abs(points[0][1 - axis] - points[-1][1 - axis]) < 1e-6
        )


@pytest.mark.parametrize("make", [nested, branched, shared])
def test_lines_run_through_no_box(make):
    frame = model_to_dot(make(), expand_nested=True).frame
    found = drawing.arrange(frame, frame.edges, "TB", True)
    for points in found.lines:
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            part = (min(x1, x2), min(y1, y2), abs(x1 - x2), abs(y1 - y2))
            for x, y, w, h in found.boxes.values():
                assert not overlap(part, (x + 1, y + 1, w - 2, h - 2))
    for frame_of, (x, y, w, h) in found.frames:  # frames hold their boxes
        for box in drawing.boxes(frame_of):
            bx, by, bw, bh = found.boxes[box.key]
            assert x <= bx and y <= by and bx + bw <= x + w and by + bh <= y + h


def test_texts_fit_into_their_boxes():
    """Measured with the font that matplotlib draws."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    for text in ("conv2d_transpose (Conv2DTranspose)", "Input shape: (None, 28, 28, 1)", "Dense", "mmmWWW"):
        for bold in (False, True):
            real = (
                TextPath(
                    (0, 0), text, size=drawing.SIZE * 0.86, prop=FontProperties(weight="bold" if bold else "normal")
                )
                .get_extents()
                .width
            )
            assert real <= drawing.text_width(text, bold) + 2 * drawing.PADDING


SIGNATURES = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "gv": b"digraph"}


@pytest.mark.parametrize("kind", SIGNATURES)
@pytest.mark.parametrize("make", [nested, tree])
def test_plot_model_writes(tmp_path, make, kind):
    path = tmp_path / "new" / f"m.{kind}"
    assert plot_model(make(), path, show_shapes=True, expand_nested=True, dpi=60, splines="curved") is None
    assert path.read_bytes().startswith(SIGNATURES[kind]) and [one.name for one in path.parent.iterdir()] == [path.name]


def test_png_has_the_resolution_that_is_asked_for(tmp_path):
    from matplotlib.image import imread

    plot_model(sequential(), tmp_path / "a.png", dpi=72)
    plot_model(sequential(), tmp_path / "b.png", dpi=144)
    small, large = imread(tmp_path / "a.png"), imread(tmp_path / "b.png")
    assert abs(large.shape[0] - 2 * small.shape[0]) <= 2 and small.min() < 0.3 and small[0, 0].min() == 1.0
    picture = drawing.Picture(10.0, 100000.0)
    with open(tmp_path / "c.png", "wb") as file:
        drawing.paint(picture, file, "png", 200)
    assert imread(tmp_path / "c.png").shape[0] <= drawing.PIXELS + 1


def test_notebooks_are_given_an_image(tmp_path, monkeypatch):
    show = types.SimpleNamespace(SVG=lambda filename: ("svg", filename), Image=lambda filename: ("image", filename))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=show, get_ipython=lambda: None))
    assert plot_model(sequential(), tmp_path / "m.svg") == ("svg", str(tmp_path / "m.svg"))
    assert plot_model(sequential(), tmp_path / "m.png", dpi=20) == ("image", str(tmp_path / "m.png"))
    assert model_to_dot(sequential())._repr_svg_().startswith("<svg")


PLOTS = [
    (lambda: plot_model(sequential(), "m.jpg"), r"ends in one of \.dot, \.gv, \.svg, \.png, \.pdf; got 'm.jpg'"),
    (lambda: plot_model(sequential(), "m.svg", rankdir="TP"), "one of TB, BT, LR, RL is needed; got 'TP'"),
    (lambda: model_to_dot(sequential(), splines="curve"), "'curve', did you mean 'curved'"),
    (lambda: model_to_dot(sequential(), layer_range=("a", "b")), "the arguments must be known; got layer_range"),
    (lambda: model_to_dot(Tree()), "a model must be built to be drawn"), (lambda: model_to_dot(edl.Sequential([L.Dense(2)])), "call it on data"),
    (lambda: model_to_dot(sequential()).write("m", "gif"), "got 'gif'"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "match"), PLOTS, ids=range(len(PLOTS)))
def test_wrong_plots(call, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match=match):
        call()
    assert not list(tmp_path.iterdir())


def test_without_matplotlib(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PackageError, match=r"pip install 'eagerdl\[plot\]', or write a .svg"):
        plot_model(sequential(), tmp_path / "m.png")
    assert not list(tmp_path.iterdir())
    with pytest.raises(PackageError, match=r"pip install 'eagerdl\[plot\]'"):
        plot_history(HISTORY)
    plot_model(sequential(), tmp_path / "m.svg")
