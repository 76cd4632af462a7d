"""The rooms of the package and who may import whom, read from the sources with `ast`.

A room is a top-level module or subpackage of eagerdl. An import may only go down the list of layers; the
module-level imports, which Python runs when a module loads, may form no cycle.
"""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import eagerdl as edl

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "eagerdl"

# Low to high. `kernels` takes and returns raw arrays, so it stands below `tensor` and knows no Tensor.
LAYERS = [
    {"errors", "dtypes", "devices", "config", "messages", "templates", "tree", "foreign"},
    {"kernels"},
    {"machine"},
    {"arrays"},
    {"tensor"},
    {"variable"},
    {"autograd"},
    {"ops"},
    {"fft", "linalg", "registry", "storage"},
    {"drawing"},
    {"jit"},
    {"nn", "data"},
    {"train"},
    {"models"},
    {"saving"},
    {"datasets", "debugging", "utils", "wrappers", "mixed_precision", "demo", "doctor", "cli", "__main__", "__init__"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
# In the lowest and the highest layer rooms may use each other; elsewhere neighbours stay apart.
SOCIABLE = {0, len(LAYERS) - 1}

SLOW_TO_IMPORT = ("cupy", "numba", "rich", "scipy")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def room(module):
    """`eagerdl.ops.shape` -> `ops`; the package itself is the room `__init__`."""
    return (module.split(".") + ["__init__"])[1]


def imported_names(node, module):
    """The dotted names that an import statement in `module` asks for, the longest known module of each."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        is_package = SOURCES[module].name == "__init__.py"
        parents = module.split(".")
        parents = parents[: len(parents) - node.level + is_package]
        base = ".".join([*parents, base] if base else parents)
    return [f"{base}.{alias.name}" if f"{base}.{alias.name}" in SOURCES else base for alias in node.names]


def imports(module, module_level):
    """`(line, imported module)` for the imports of `module`, all of them or those that run as it loads."""
    pending = [TREES[module]]
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((node.lineno, name) for name in imported_names(node, module))
        elif module_level and (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) or is_type_checking(node)
        ):
            continue
        pending.extend(ast.iter_child_nodes(node))


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def may_import(importer, imported):
    low, high = RANK[imported], RANK[importer]
    return importer == imported or low < high or (low == high and low in SOCIABLE)


def in_package(name):
    return name.split(".")[0] == "eagerdl"


def test_every_room_has_a_layer():
    unknown = sorted({room(module) for module in SOURCES} - set(RANK))
    assert not unknown, f"{unknown} stand in no layer: place them in LAYERS of {Path(__file__).name}"


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_down(module):
    upward = [
        f"{SOURCES[module].relative_to(ROOT)}:{line} imports {name}"
        for line, name in imports(module, module_level=False)
        if in_package(name) and not may_import(room(module), room(name))
    ]
    assert not upward, "\n".join([f"{room(module)} may not import what is beside or above it:", *upward])


def test_no_import_cycle():
    graph = {
        module: {name for _, name in imports(module, module_level=True) if name in SOURCES and name != module}
        for module in SOURCES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " <- ".join(error.args[1]))


@pytest.mark.parametrize("module", [name for name in SOURCES if room(name) == "ops"])
def test_ops_load_no_compiler(module):
    """Ops reach fast code through kernels, when it is first needed."""
    found = [name for _, name in imports(module, module_level=True) if name.split(".")[0] in ("numba", "cupy")]
    assert not found, f"{module} imports {found} at module level: put that code under eagerdl/kernels"


def output(program):
    """What a process of its own prints."""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_import_eagerdl_is_light():
    rooms = [f"eagerdl.{name}" for name in ("nn", "data", "train", "models", "saving")]
    loaded = output(
        f"import sys, eagerdl; print(*[name for name in {(*SLOW_TO_IMPORT, *rooms)} if name in sys.modules])"
    )
    assert not loaded, f"`import eagerdl` loads {loaded}"


def test_names_read_when_needed_are_those_for_type_checkers():
    (block,) = [node for node in TREES["eagerdl"].body if is_type_checking(node)]
    named = {alias.asname or alias.name for node in block.body for alias in node.names}
    assert named == {*edl._MODULES, *edl._OBJECTS}
    for name in named:
        assert name in dir(edl) and name in edl.__all__
        assert getattr(edl, name) is not None
    assert edl.layers is edl.nn


@pytest.mark.parametrize("name", [*edl._MODULES, *edl._OBJECTS])
def test_each_of_them_may_be_the_first(name):
    """In a process that has read nothing else."""
    assert output(f"import eagerdl as edl; print(edl.{name} is not None, '{name}' in vars(edl))") == "True True"


def test_rooms_have_their_areas():
    assert output(
        "import eagerdl as edl; print(edl.train.losses is edl.losses, edl.nn.activations is edl.activations)"
    ) == ("True True")


def test_configs_are_found_in_rooms_that_nobody_opened():
    program = """
from eagerdl import registry
print(registry.find("Adam", module="keras.optimizers").__name__, registry.find("Dense", module="keras.layers").__name__)
"""
    assert output(program) == "Adam Dense"


def test_all_names_come_with_a_star():
    program = "import sys; from eagerdl import *; sys.stdout.write(f'{Model.__name__} {layers.Dense.__name__}')"
    assert output(program) == "Model Dense"
