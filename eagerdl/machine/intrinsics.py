"""The vocabulary of kernel sources: loads and stores at addresses, and operations that mean one machine instruction each.

Importing this module imports Numba. Loads and stores carry the promise that what a kernel writes it does not read through another
operand, without which LLVM would not vectorise loops over more than a few arrays.
"""

import functools
import re
import weakref

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from eagerdl.machine import formulas, tiles

WORD = ir.IntType(64)
BITS = {"b1": 8, "i1": 8, "i2": 16, "i4": 32, "i8": 64, "u1": 8, "u2": 16, "u4": 32, "u8": 64}
TYPES = {
    "f4": types.float32, "f8": types.float64, "b1": types.boolean, "i1": types.int8, "i2": types.int16, "i4": types.int32,
    "i8": types.int64, "u1": types.uint8, "u2": types.uint16, "u4": types.uint32, "u8": types.uint64,
}  # fmt: skip
MEMORY = {"f4": ir.FloatType(), "f8": ir.DoubleType(), **{name: ir.IntType(bits) for name, bits in BITS.items()}}
SIZES = {"f4": 4, "f8": 8, **{name: bits // 8 for name, bits in BITS.items()}}


SCOPES = 32  # what a kernel writes: a scope for each output, the last one for its buffer


def _scopes(module, chosen):
    """The scopes with these numbers, as metadata, which a module gets once."""
    known = _known_scopes.setdefault(module, {})
    if chosen not in known:
        known[chosen] = _new_scopes(module, chosen)
    return known[chosen]


_known_scopes = weakref.WeakKeyDictionary()


def _new_scopes(module, chosen):
    domain = module.add_metadata([ir.MetaDataString(module, "eagerdl.kernel")])
    return module.add_metadata(
        [module.add_metadata([ir.MetaDataString(module, f"eagerdl.written.{one}"), domain]) for one in chosen]
    )


def _pointer(builder, args, memory):
    base = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(base, [args[1]]), memory.as_pointer())


def _loader(name, apart, scope=None):
    """Loads a number from memory that nothing in the scopes `apart` writes to; it may be that of `scope`.

    To say the latter lets LLVM see that two loads have nothing to do with each other, else it counts what one of them may share
    with a store for the other as well, and checks addresses before each row.
    """
    kind, memory, size = TYPES[name], MEMORY[name], SIZES[name]

    @intrinsic
    def load(typingctx, base, offset):
        def codegen(context, builder, signature, args):
            pointer = _pointer(builder, args, memory)
            loaded = builder.load(pointer, align=size)
            if apart:
                loaded.set_metadata("noalias", _scopes(builder.module, apart))
            if scope is not None:
                loaded.set_metadata("alias.scope", _scopes(builder.module, (scope,)))
            return builder.icmp_unsigned("!=", loaded, ir.Constant(memory, 0)) if name == "b1" else loaded

        return kind(types.int64, types.int64), codegen

    return load


def _storer(name, scope):
    """Stores a number into memory of a scope, which is not that of another one."""
    kind, memory, size = TYPES[name], MEMORY[name], SIZES[name]
    others = tuple(one for one in range(SCOPES) if one != scope)

    @intrinsic
    def store(typingctx, base, offset, value):
        def codegen(context, builder, signature, args):
            pointer = _pointer(builder, args, memory)
            value = builder.zext(args[2], memory) if name == "b1" else args[2]
            stored = builder.store(value, pointer, align=size)
            stored.set_metadata("alias.scope", _scopes(builder.module, (scope,)))
            stored.set_metadata("noalias", _scopes(builder.module, others))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), codegen

    return store


@functools.cache
def memory_word(text):
    """The function behind a word of a source about memory, as `load_f4`, `load_f4_but_2`, `again_f4` and `store_f4_2`.

    `load` promises that no scope is written to meanwhile, `load_.._but_2` no scope but number 2, `again` nothing.
    """
    verb, name, *rest = text.split("_")
    if verb == "store":
        return _storer(name, int(rest[0]))
    if verb == "again":
        return _loader(name, ())
    scope = int(rest[-1]) if rest else None
    return _loader(name, tuple(one for one in range(SCOPES) if one != scope), scope)


@intrinsic
def word(typingctx, table, index):
    """Word number `index` of the table of a call."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], WORD.as_pointer())
        return builder.load(builder.gep(pointer, [args[1]]))

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def number(typingctx, table, index):
    """Word number `index` of the table of a call, as a float64."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.DoubleType().as_pointer())
        return builder.load(builder.gep(pointer, [args[1]]))

    return types.float64(types.int64, types.int64), codegen


BRIEF = "eagerdl.brief"  # a mark of modules


@intrinsic
def brief(typingctx):
    """Says that the rows of a kernel are short."""

    def codegen(context, builder, signature, args):
        builder.module.add_named_metadata(BRIEF)
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def select(typingctx, condition, yes, no):
    """`yes` where the condition holds, else `no`, without a branch."""
    if yes != no:
        return None

    def codegen(context, builder, signature, args):
        return builder.select(*args)

    return yes(types.boolean, yes, yes), codegen


def _logic(method):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, method)(*args)

        return types.boolean(types.boolean, types.boolean), codegen

    return operation


either = _logic("or_")


def _rounding(name):
    """A function of one float that is an instruction of LLVM."""

    @intrinsic
    def operation(typingctx, x):
        def codegen(context, builder, signature, args):
            function = builder.module.declare_intrinsic(f"llvm.{name}", [args[0].type])
            return builder.call(function, args)

        return x(x), codegen

    return operation


@intrinsic
def negate(typingctx, x):
    """-x, with the sign of zeros."""

    def codegen(context, builder, signature, args):
        return builder.fneg(args[0]) if isinstance(x, types.Float) else builder.neg(args[0])

    return x(x), codegen


@intrinsic
def copysign(typingctx, x, y):
    """x with the sign of y."""

    def codegen(context, builder, signature, args):
        function = builder.module.declare_intrinsic(
            "llvm.copysign", [args[0].type], ir.FunctionType(args[0].type, [args[0].type] * 2)
        )
        return builder.call(function, args)

    return x(x, x), codegen


@intrinsic
def settled(typingctx, x):
    """`x` itself. What is chosen between a number in memory and another one, and goes back to that memory, would become a store
    under a mask otherwise, which takes some processors twenty times as long as a plain one."""

    def codegen(context, builder, signature, args):
        made = ir.instructions.Instruction(builder.block, args[0].type, "freeze", args)
        builder._insert(made)
        return made

    return x(x), codegen


@intrinsic
def divide(typingctx, a, b):
    """a / b in the dtype of both."""

    def codegen(context, builder, signature, args):
        return builder.fdiv(*args)

    return a(a, a), codegen


@intrinsic
def clip(typingctx, x, low, high):
    """`x` between two bounds; NaN stays."""

    def codegen(context, builder, signature, args):
        x, *bounds = args
        for symbol, bound in zip("><", bounds):
            # True too if x is NaN, of numbers without order.
            if isinstance(signature.args[0], types.Float):
                inside = builder.or_(builder.fcmp_ordered(symbol, x, bound), builder.fcmp_unordered("uno", x, x))
            else:
                compare = builder.icmp_signed if signature.args[0].signed else builder.icmp_unsigned
                inside = compare(symbol, x, bound)
            x = builder.select(inside, x, bound)
        return x

    return x(x, x, x), codegen


@intrinsic
def least(typingctx, a, b):
    """The smaller one of two words."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.icmp_signed("<", *args), *args)

    return types.int64(types.int64, types.int64), codegen


def _loop_caller(operands):
    """Calls a loop of a ufunc: code, data, how many elements, and a tuple of address and step of each operand."""

    @intrinsic
    def call(typingctx, code, data, count, places):
        signature = types.void(types.int64, types.int64, types.int64, types.UniTuple(types.int64, 2 * operands))

        def codegen(context, builder, signature, args):
            places = [builder.extract_value(args[3], i) for i in range(2 * operands)]
            pointer = ir.IntType(8).as_pointer()
            with builder.goto_entry_block():
                addresses = builder.alloca(WORD, operands)
                steps = builder.alloca(WORD, operands)
                sizes = builder.alloca(WORD, 1)
            for i in range(operands):
                index = [ir.Constant(WORD, i)]
                builder.store(places[2 * i], builder.gep(addresses, index))
                builder.store(places[2 * i + 1], builder.gep(steps, index))
            builder.store(args[2], sizes)
            kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, pointer, pointer])
            function = builder.inttoptr(args[0], kind.as_pointer())
            builder.call(function, [builder.bitcast(addresses, pointer), builder.bitcast(sizes, pointer),
                                    builder.bitcast(steps, pointer), builder.inttoptr(args[1], pointer)])  # fmt: skip
            return context.get_dummy_value()

        return signature, codegen

    return call


@intrinsic
def set_word(typingctx, place, value):
    """Stores a word at an address."""

    def codegen(context, builder, signature, args):
        builder.store(args[1], builder.inttoptr(args[0], WORD.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@intrinsic
def call_kernel(typingctx, code, nowhere, table):
    """Calls another kernel."""

    def codegen(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.IntType(32), [pointer, pointer, WORD])
        function = builder.inttoptr(args[0], kind.as_pointer())
        nowhere = builder.inttoptr(args[1], pointer)
        builder.call(function, [nowhere, nowhere, args[2]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def call_loop(typingctx, code, data, places, sizes, steps):
    """Calls a loop of a ufunc, with the addresses of its arrays of addresses, sizes and steps. The addresses may be overwritten."""

    def codegen(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer] * 4)
        function = builder.inttoptr(args[0], kind.as_pointer())
        data, places, sizes, steps = [builder.inttoptr(one, pointer) for one in args[1:]]
        builder.call(function, [places, sizes, steps, data])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), codegen


@intrinsic
def copy_bytes(typingctx, target, source, count):
    """Copies bytes from one address to another."""

    def codegen(context, builder, signature, args):
        pointer = ir.IntType(8).as_pointer()
        function = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, WORD])
        target, source = [builder.inttoptr(one, pointer) for one in args[:2]]
        builder.call(function, [target, source, args[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


VOCABULARY = {
    "set_word": set_word, "brief": brief, "call_kernel": call_kernel, "call_loop": call_loop, "copy_bytes": copy_bytes,
    "word": word, "number": number, "select": select, "negate": negate, "copysign": copysign, "divide": divide,
    "clip": clip, "least": least, "settled": settled, "both": _logic("and_"), "either": either, "differ": _logic("xor"),
    **{name: _rounding(name) for name in ("sqrt", "floor", "ceil", "trunc", "rint", "fabs")},
    **{f"as_{name}": kind for name, kind in TYPES.items() if name != "b1"},
    **{f"loop_{count}": _loop_caller(count) for count in (2, 3, 4)},
    **formulas.WORDS,
}  # fmt: skip


def names_in(source):
    """The names that a kernel source uses: VOCABULARY, and the words about memory and tiles that stand in it."""
    words, made = set(re.findall(r"\b(?:load|again|store)_\w+", source)), set(re.findall(r"\btile_\w+", source))
    return VOCABULARY | {word: memory_word(word) for word in words} | {word: tiles.tile_word(word) for word in made}
