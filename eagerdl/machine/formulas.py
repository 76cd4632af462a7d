"""Functions that kernels compute by NumPy's own formula, in place: the same operations in the same order give the same bits.

NumPy's vector code for float32 is made of fused multiply-adds, quotients and selections, which IEEE 754 defines to the bit. A
kernel that holds the formula keeps numbers in registers, and the compiler mixes it with what comes before and after. Which
formula the NumPy at hand runs depends on its version and on the processor: so `lowering` compares each with it first, and where
a bit differs kernels call NumPy's loop, as they do for all other functions.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FLOAT, INT = ir.FloatType(), ir.IntType(32)
LIMITS = (117435.992, 71476.0625)  # beyond which NumPy's sine and cosine are those of libm


class Term:
    """A number in code that is being written: operators write the instruction."""

    def __init__(self, builder, value):
        self.builder, self.value = builder, value

    def number(self, x):
        """A Python number in the type of this one."""
        return x if isinstance(x, Term) else Term(self.builder, ir.Constant(self.value.type, x))

    def _made(self, method, *args):
        return Term(self.builder, getattr(self.builder, method)(self.value, *args))

    def _is_float(self):
        return self.value.type == FLOAT

    def __add__(self, other):
        return self._made("fadd" if self._is_float() else "add", self.number(other).value)

    def __sub__(self, other):
        return self._made("fsub" if self._is_float() else "sub", self.number(other).value)

    def __mul__(self, other):
        return self._made("fmul", self.number(other).value)

    def __truediv__(self, other):
        return self._made("fdiv", self.number(other).value)

    def __lshift__(self, count):
        return self._made("shl", self.number(count).value)

    def __or__(self, other):
        return self._made("or_", other.value)

    def __and__(self, other):
        return self._made("and_", self.number(other).value)

    def __xor__(self, other):
        return self._made("xor", other.value)

    def is_int(self, number):
        return Term(self.builder, self.builder.icmp_signed("==", self.value, self.number(number).value))

    def compare(self, how, other):
        """A comparison of floats, False for NaN except by "!="."""
        compare = self.builder.fcmp_unordered if how == "!=" else self.builder.fcmp_ordered
        return Term(self.builder, compare(how, self.value, self.number(other).value))

    def choose(self, yes, no, unpredictable=False):
        """`yes`, a Term, where this one, a bool, is true, else `no`; without a branch if which one is `unpredictable`."""
        made = self.builder.select(self.value, yes.value, yes.number(no).value)
        if unpredictable:
            made.set_metadata("unpredictable", self.builder.module.add_metadata([]))
        return Term(self.builder, made)

    def times_plus(self, factor, summand):
        """self * factor + summand, rounded once."""
        function = self.builder.module.declare_intrinsic("llvm.fma", [FLOAT], ir.FunctionType(FLOAT, [FLOAT] * 3))
        terms = map(self.number, (self, factor, summand))
        return Term(self.builder, self.builder.call(function, [one.value for one in terms]))

    def at_least(self, bound):
        """The greater one of two integers."""
        bound = self.number(bound)
        return Term(self.builder, self.builder.icmp_signed("<", self.value, bound.value)).choose(bound, self)

    def to_int(self):
        return self._made("fptosi", INT)

    def without_sign(self):
        return (self.bits() & 0x7FFFFFFF).from_bits()

    def bits(self):
        return self._made("bitcast", INT)

    def from_bits(self):
        return self._made("bitcast", FLOAT)


def polynomial(x, *coefficients):
    """The polynomial in x with these coefficients, the highest first, by Horner's rule."""
    value = x.number(coefficients[0])
    for one in coefficients[1:]:
        value = value.times_plus(x, one)
    return value


def exp(x):
    """2^k e^r with k = round(x / ln 2), and e^r as a quotient of polynomials.

    Source: NumPy, "loops_exponent_log.dispatch.c.src".
    """
    nan, over, under = x.compare("!=", x), x.compare(">=", 88.72283935546875), x.compare("<=", -103.97208404541015625)
    r = (nan | over | under).choose(x.number(0.0), x)
    k = r * 1.442695040888963407359924681001892137 + 12582912.0 - 12582912.0
    r = k.times_plus(-6.93145752e-1, r)
    r = k.times_plus(-1.42860677e-6, r)
    above = polynomial(r, 5.082762527590693718096e-04, 6.757896990527504603057e-03, 5.114512081637298353406e-02,
                       2.473615434895520810817e-01, 7.257664613233124478488e-01, 9.999999999980870924916e-01)  # fmt: skip
    below = polynomial(r, 2.159509375685829852307e-02, -2.742335390411667452936e-01, 1.0)
    # By a power of two that is no denormal number, then by the rest of it.
    k = k.to_int()
    least = k.at_least(-125)
    grown = ((above / below).bits() + (least << 23)).from_bits()
    grown = grown * ((k - least + 127) << 23).from_bits()
    for condition, value in ((nan, "nan"), (over, "inf"), (under, "0")):
        grown = condition.choose(x.number(float(value)), grown)
    return grown


def _turned(x, name, limit, quarters):
    """The sine of x + `quarters` times pi / 2: by polynomials of what is left of a multiple of pi / 2; by libm beyond `limit`.

    What does not depend on `quarters` is the same for the sine and the cosine of a number, so that LLVM computes it once.

    Source: NumPy, "loops_trigonometric.dispatch.cpp".
    """
    builder = x.builder
    k = x.times_plus(float.fromhex("0x1.45f306p-1"), 12582912.0) - 12582912.0
    r = x
    for part in ("-0x1.921fb0p+0", "-0x1.5110b4p-22", "-0x1.846988p-48"):
        r = k.times_plus(float.fromhex(part), r)
    squared = r * r
    cosine = ("0x1.98e616p-16", "-0x1.6c06dcp-10", "0x1.55553cp-5", "-0x1p-1", "0x1p+0")
    cosine = polynomial(squared, *map(float.fromhex, cosine))
    sine = ("0x1.7d3bbcp-19", "-0x1.a06bbap-13", "0x1.11119ap-7", "-0x1.555556p-3", "0x0p+0")
    sine = polynomial(squared, *map(float.fromhex, sine)).times_plus(r, r)
    # By a comparison of floats that nothing else asks for: then LLVM chooses without a branch.
    half = k * 0.5
    even = "!=" if quarters & 1 else "=="  # what says that `quadrant` is even
    found = (half + 12582912.0 - 12582912.0).compare(even, half).choose(sine, cosine, unpredictable=True)
    # NumPy subtracts from 0 instead of changing the sign, which differs for 0 alone: it stands in no quadrant that is turned.
    found = (found.bits() ^ ((k.to_int() + quarters & 2) << 30)).from_bits()
    size, before = x.without_sign(), builder.block
    near = size.compare("<=", min(LIMITS))  # one question for both
    with builder.if_then(builder.not_(near.value), likely=False):
        far = size.compare("<=", limit).choose(found, _by_libm(x, name))
        far, inside = x.compare("!=", x).choose(x.number(float("nan")), far), builder.block
    result = builder.phi(FLOAT)
    result.add_incoming(found.value, before)
    result.add_incoming(far.value, inside)
    return Term(builder, result)


def _by_libm(x, name):
    """A function of C, called where that is rare: on x86 without a register that would have to be free for it."""
    builder, module, there = x.builder, x.builder.module, f"far.{name}"
    function = cgutils.get_or_insert_function(module, ir.FunctionType(FLOAT, [FLOAT]), name)
    if not module.triple.startswith("x86_64") or "windows" in module.triple:
        return Term(builder, builder.call(function, [x.value]))
    caller = module.globals.get(there)
    if caller is None:
        # With this convention a function keeps all registers, so it has to leave its result in memory.
        caller = ir.Function(module, ir.FunctionType(ir.VoidType(), [FLOAT, FLOAT.as_pointer()]), there)
        caller.linkage, caller.calling_convention = "internal", "preserve_allcc"
        caller.attributes.add("noinline")
        inside = ir.IRBuilder(caller.append_basic_block())
        inside.store(inside.call(function, caller.args[:1]), caller.args[1])
        inside.ret_void()
    place = cgutils.alloca_once(builder, FLOAT)
    builder.call(caller, [x.value, place], cconv="preserve_allcc")
    return Term(builder, builder.load(place))


def sin(x):
    """The sine."""
    return _turned(x, "sinf", LIMITS[0], 0)


def cos(x):
    """The cosine."""
    return _turned(x, "cosf", LIMITS[1], 1)


def word_of(formula):
    """The word of the vocabulary of kernels that stands for a formula."""

    @intrinsic
    def operation(typingctx, x):
        def codegen(context, builder, signature, args):
            return formula(Term(builder, args[0])).value

        return types.float32(types.float32), codegen

    return operation


FORMULAS = {"exp": exp, "sin": sin, "cos": cos}
WORDS = {f"{name}_f4": word_of(formula) for name, formula in FORMULAS.items()}
