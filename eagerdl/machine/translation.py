"""Kernel sources to object files, by Numba without what kernels do not need.

Numba knows hundreds of ways to add two things: arrays, lists, dates. A kernel adds numbers, so that most of the time that Numba
would take goes into questions with known answers. This is a target of its own, by Numba's interface for such extensions: the words
of `intrinsics`, the arithmetic of numbers, `range` and tuples; what a function gives for arguments of some types is asked once.

Importing this module imports Numba.
"""

import hashlib
import importlib
import re

from llvmlite import ir
from numba import types
from numba.core import compiler, compiler_machinery, cpu, imputils, target_extension, typed_passes, untyped_passes
from numba.core.compiler_lock import global_compiler_lock
from numba.core.typing.context import BaseContext

from eagerdl.errors import ArgumentError
from eagerdl.machine.intrinsics import BRIEF, names_in

NAME = "eagerdl kernels"
KNOWN = {"memset", "memcpy", "memmove", "sinf", "cosf"}  # functions that every process has


class Typing(BaseContext):
    """What types kernels know."""

    def __init__(self):
        self._answers = {}
        super().__init__()

    def resolve_function_type(self, func, args, kws):
        """The signature of a call; one that was found once holds for all kernels."""
        asked = func, tuple(args), tuple(kws.items()) if kws else ()
        found = self._answers.get(asked)
        if found is None:
            found = super().resolve_function_type(func, args, kws)
            if found is not None:
                self._answers[asked] = found
        return found


class Translation(cpu.CPUContext):
    """How what kernels know becomes LLVM's instructions."""

    _loaded = False

    def load_additional_registries(self):
        for name in ("core.optional", "cpython.builtins", "cpython.numbers", "cpython.rangeobj", "cpython.tupleobj"):
            importlib.import_module(f"numba.{name}")  # they enter what they know as they are imported

    def refresh(self):
        """Takes up what is new: Numba calls this for each intrinsic that it meets."""
        if self._loaded:
            self.install_registry(imputils.builtin_registry)
        else:
            super().refresh()
            self._loaded = True

    def post_lowering(self, mod, library):
        """Links nothing: kernels have no use for Numba's runtime, which counts references."""
        if BRIEF in mod.namedmetadata:
            for function in mod.functions:
                _do_not_interleave(mod, function)


class Kernels(target_extension.CPU):
    """The name of the target."""


class Dispatcher:
    """Where Numba looks for the contexts of a target."""

    class targetdescr:
        typing_context = Typing()
        target_context: Translation


class Pipeline(compiler.CompilerBase):
    """The passes that kernels need: they hold no closures, literal types or anything else to be rewritten."""

    def define_pipelines(self):
        manager = compiler_machinery.PassManager("kernel")
        for one in (
            untyped_passes.TranslateByteCode, untyped_passes.FixupArgs, untyped_passes.IRProcessing,
            untyped_passes.ReconstructSSA, typed_passes.NopythonTypeInference, typed_passes.PreLowerStripPhis,
            typed_passes.IRLegalization, typed_passes.AnnotateTypes, typed_passes.NativeLowering,
            typed_passes.NoPythonBackend,
        ):  # fmt: skip
            manager.add_pass(one, one.__name__)
        manager.finalize()
        return [manager]


target_extension.target_registry[NAME] = Kernels
target_extension.dispatcher_registry[Kernels] = Dispatcher
target_extension.jit_registry[Kernels] = target_extension.jit_registry[target_extension.CPU]  # is asked for, never used
Dispatcher.targetdescr.target_context = Translation(Dispatcher.targetdescr.typing_context, NAME)


def _do_not_interleave(module, function):
    """Lets the loops of a function take one vector of elements at a time: four, as by default, leave short rows to single steps.

    A loop is known by the branch that goes back, and carries a name of its own, a node that holds itself (LLVM's language
    reference, "llvm.loop").
    """
    once = module.add_metadata(
        [ir.MetaDataString(module, "llvm.loop.interleave.count"), ir.Constant(ir.IntType(32), 1)]
    )
    places = {block: number for number, block in enumerate(function.blocks)}
    for block, number in places.items():
        ends = [one for one in block.terminator.operands if isinstance(one, ir.Block)]
        if any(places[one] <= number for one in ends):
            name = module.add_metadata([ir.MetaDataString(module, f"{function.name} {number}"), once])
            name.operands = (name, once)
            block.terminator.set_metadata("llvm.loop", name)


def object_file(source):
    """The object file of a kernel, in bytes, and the name of its function there.

    Args:
        source: the text of a function ``kernel(P)``.

    Raises:
        ArgumentError: if the machine code needs anything from outside.
    """
    names = names_in(source)
    exec(compile(source, "<kernel>", "exec"), names)
    function = names["kernel"]
    # Each object file has a name of its own for its function, since all live in one process.
    function.__name__ = function.__qualname__ = f"kernel_{hashlib.sha256(source.encode()).hexdigest()[:24]}"
    # The function alone, without the wrappers by which Python or C would call it and that need the interpreter.
    flags = compiler.Flags()
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
    flags.error_model, flags.nrt = "numpy", False
    contexts = Dispatcher.targetdescr
    with global_compiler_lock, target_extension.target_override(NAME):
        made = compiler.compile_extra(
            contexts.typing_context, contexts.target_context, function, (types.int64,), types.void, flags, {},
            pipeline_class=Pipeline,
        )  # fmt: skip
        made.library.finalize()
    _, kind, (code, _) = made.library.serialize_using_object_code()
    strangers = set(re.findall(r"^declare .*@([\w.$]+)\(", made.library.get_llvm_str(), re.M)) - KNOWN
    strangers = {name for name in strangers if not name.startswith("llvm.")}
    if kind != "object" or strangers:
        raise ArgumentError("function", "a kernel is machine code that needs nothing from outside", f"{kind}, {sorted(strangers)}",
                            "use the version of Numba that pyproject.toml asks for")  # fmt: skip
    return code, made.fndesc.llvm_func_name
