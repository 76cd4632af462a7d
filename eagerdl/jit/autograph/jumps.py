"""`break`, `continue` and early `return` as flags, so that a block of statements may become a function.

before -> after, where `...` is whatever follows:

- ``if c: return a`` ``...``     ->  ``if c: value = a`` ``else: ...``
- ``if c: continue`` ``...``     ->  ``if c: pass`` ``else: ...``
- ``while c: ... break ...``     ->  ``while not stopped and c: ... stopped = True; if not stopped: ...``
- ``for ...: ... else: tail``    ->  ``for ...``; ``if not stopped: tail``

The first two make no flag at all: what follows moves into the other branch. A jump stays a jump where only Python's own
statements stand around it: at the level of the function, or in statements that cannot be converted (`is_hard`).
"""

import ast

from eagerdl.jit.autograph.names import SCOPES, same_scope

# No program can spell these names, so they collide with none.
RETURNED, VALUE = "return flag", "return value"

# What looks at the variables of the frame in which it stands, and would miss those of a converted block.
FRAME_READERS = frozenset({"dir", "eval", "exec", "locals", "vars"})

# Calls that give a Python bool, whatever they are given.
ALWAYS_PLAIN = frozenset({"callable", "hasattr", "isinstance", "issubclass"})


def without_jumps(body):
    """The statements of a function with jumps only where Python's own statements stand around them.

    Every `if` gets an attribute `plain` and every loop `hard`: whether it stays Python's own. A `for` gets `extra`, the
    condition, or None, under which it goes on after each iteration.
    """
    return _Lowering().function(body)


def is_hard(node):
    """Whether a statement has to stay Python's own: what it holds would do something else inside a function."""
    for part in same_scope([node]):
        if isinstance(part, ast.Yield | ast.YieldFrom | ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if isinstance(part, ast.comprehension) and part.is_async:
            return True
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in FRAME_READERS:
            return True
        if _swallows(part):
            return True
    return isinstance(node, ast.While) and any(isinstance(part, ast.NamedExpr) for part in same_scope([node.test]))


def _swallows(node):
    """Whether `node` is a `try` that forgets exceptions and other jumps, because its `finally` has a jump of its own."""
    return isinstance(node, ast.Try | ast.TryStar) and jumps(node.finalbody)


def is_plain(test):
    """Whether a condition is a Python bool for sure, so that an `if` on it needs no conversion."""
    if isinstance(test, ast.UnaryOp):
        return isinstance(test.op, ast.Not) and is_plain(test.operand)
    if isinstance(test, ast.BoolOp):
        return all(map(is_plain, test.values))
    if isinstance(test, ast.Compare):
        return all(isinstance(op, ast.Is | ast.IsNot) for op in test.ops)
    if isinstance(test, ast.Call):
        return isinstance(test.func, ast.Name) and test.func.id in ALWAYS_PLAIN
    return isinstance(test, ast.Constant)


def jumps(statements, in_loop=False):
    """Whether a jump in `statements` leads out of them."""
    for node in statements:
        if isinstance(node, ast.Return) or (isinstance(node, ast.Break | ast.Continue) and not in_loop):
            return True
        if isinstance(node, ast.For | ast.While | ast.AsyncFor):
            if jumps(node.body, True) or jumps(node.orelse, in_loop):
                return True
        elif not isinstance(node, SCOPES) and jumps(_inner_statements(node), in_loop):
            return True
    return False


def _inner_statements(node):
    blocks = [getattr(node, field, []) for field in ("body", "orelse", "finalbody")]
    blocks += [inner.body for inner in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]]
    return [statement for block in blocks for statement in block]


def ends(statements):
    """Whether `statements` never run through to what follows them."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.If):
        return ends(last.body) and ends(last.orelse)
    return isinstance(last, ast.Return | ast.Break | ast.Continue | ast.Raise)


def after_docstring(body):
    """The place of the first statement that runs."""
    first = body[0]
    return int(
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )


def at(node, like):
    """`node`, just made, at the place of `like` in the source."""
    return ast.fix_missing_locations(ast.copy_location(node, like))


def assign(name, value, like):
    """``name = value`` at the place of `like`."""
    value = value if isinstance(value, ast.expr) else ast.Constant(value)
    return at(ast.Assign(targets=[ast.Name(name, ast.Store())], value=value), like)


def _any(flags):
    values = [ast.Name(flag, ast.Load()) for flag in sorted(flags)]
    return values[0] if len(values) == 1 else ast.BoolOp(ast.Or(), values)


def _none(flags):
    return ast.UnaryOp(ast.Not(), _any(flags))


class _Lowering:
    """Each method takes statements and whether jumps may stay; it gives new ones and the flags that they may set."""

    def __init__(self):
        self.loops, self.count = [], 0
        self.swallowing = 0  # how many `try` are around whose jumps have to be Python's
        self.tested = set()  # flags that something reads

    def function(self, body):
        if not ends(body):
            body = [*body, at(ast.Return(value=None), body[-1])]
        out, flags = self.block(body, real=True)
        if RETURNED in flags:
            out.insert(after_docstring(body), assign(RETURNED, False, body[0]))
            out.append(at(ast.Return(ast.Name(VALUE, ast.Load())), out[-1]))
        return _WithoutUnread(self).block(out)

    def block(self, statements, real):
        out, flags = [], set()
        for i, node in enumerate(statements):
            rest = statements[i + 1 :]
            if ends([node]) and not any(isinstance(part, ast.Yield | ast.YieldFrom) for part in same_scope(rest)):
                rest = []  # it never runs
            elif isinstance(node, ast.If) and jumps([node]) and not (real and self.stays(node)):
                if ends(node.body):
                    node.orelse, rest = node.orelse + rest, []
                elif ends(node.orelse):
                    node.body, rest = node.body + rest, []
            new, set_here = self.statement(node, real)
            out += new
            flags |= set_here
            if set_here and rest:
                self.tested |= set_here
                # Inside the guard the flags are known to be down; saying so keeps conditions of plain loops plain.
                down = [assign(flag, False, rest[0]) for flag in sorted(set_here)] if jumps(rest) else []
                guarded, set_later = self.statement(at(ast.If(_none(set_here), down + rest, []), rest[0]), real)
                return out + guarded, flags | set_later
            if not rest:
                break
        return out, flags

    def statement(self, node, real):
        special = getattr(self, f"_{type(node).__name__}", None)
        return ([node], set()) if special is None else special(node, real)

    def stays(self, node):
        return is_plain(node.test) or self.is_hard(node)

    def is_hard(self, node):
        return is_hard(node) or (self.swallowing and jumps([node]))

    # -- jumps --------------------------------------------------------------------------------------

    def _Return(self, node, real):
        if real:
            return [node], set()
        return [assign(VALUE, node.value, node), assign(RETURNED, True, node)], {RETURNED}

    def _jump(self, node, real):
        flag = self.loops[-1][type(node)] if self.loops else None
        return ([node], set()) if real else ([assign(flag, True, node)], {flag})

    _Break = _Continue = _jump

    # -- statements that hold others ----------------------------------------------------------------

    def _If(self, node, real):
        node.plain = self.stays(node)
        node.body, ours = self.block(node.body, real and node.plain)
        node.orelse, theirs = self.block(node.orelse, real and node.plain)
        return [node], ours | theirs

    def _loop(self, node, real):
        node.hard = self.is_hard(node)
        self.count += 1
        stopped, skipped = f"break {self.count}", f"continue {self.count}"
        self.loops.append({ast.Break: stopped, ast.Continue: skipped})
        body, flags = self.block(node.body, real and node.hard)
        self.loops.pop()
        before = [assign(stopped, False, node)] if stopped in flags else []
        if skipped in flags:
            body = [assign(skipped, False, node), *body]
        stops = flags - {skipped}
        self.tested |= stops
        node.body, tail, node.extra = body, node.orelse, None
        if node.hard:
            if stops:
                leave = at(ast.If(_any(stops), [ast.Break()], []), body[-1])
                leave.plain = True
                node.body = [*body, leave]
            node.orelse, later = self.block(tail, real)
            return [*before, node], stops - {stopped} | later
        node.orelse = []
        if stops and isinstance(node, ast.While):
            down = [ast.UnaryOp(ast.Not(), ast.Name(flag, ast.Load())) for flag in sorted(stops)]
            node.test = at(ast.BoolOp(ast.And(), [*down, node.test]), node.test)
        elif stops:
            node.extra = at(_none(stops), node)
        if tail and stops:
            tail = [at(ast.If(_none(stops), tail, []), tail[0])]
        after, later = self.block(tail, real)
        return [*before, node, *after], stops - {stopped} | later

    _For = _While = _AsyncFor = _loop

    def _With(self, node, real):
        node.body, flags = self.block(node.body, real)
        return [node], flags

    _AsyncWith = _With

    def _Try(self, node, real):
        swallows = _swallows(node)
        self.swallowing += swallows
        node.body, flags = self.block(node.body, real)
        if flags and node.orelse:
            self.tested |= flags
            node.orelse = [at(ast.If(_none(flags), node.orelse, []), node.orelse[0])]
        node.orelse, set_else = self.block(node.orelse, real)
        node.finalbody, set_finally = self.block(node.finalbody, real)
        flags |= self._parts(node.handlers, real) | set_else | set_finally
        self.swallowing -= swallows
        return [node], flags

    _TryStar = _Try

    def _Match(self, node, real):
        return [node], self._parts(node.cases, real)

    def _parts(self, parts, real):
        flags = set()
        for part in parts:
            part.body, set_here = self.block(part.body, real)
            flags |= set_here
        return flags


class _WithoutUnread(ast.NodeTransformer):
    """Takes out the assignments to flags that nothing reads."""

    def __init__(self, lowering):
        kinds = {RETURNED, *(f"{kind} {i + 1}" for kind in ("break", "continue") for i in range(lowering.count))}
        self.unread = kinds - lowering.tested

    def block(self, statements):
        return [self.visit(node) for node in statements]

    def visit_Assign(self, node):
        target = node.targets[0]
        return at(ast.Pass(), node) if isinstance(target, ast.Name) and target.id in self.unread else node

    def visit_FunctionDef(self, node):
        return node

    visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = visit_FunctionDef
