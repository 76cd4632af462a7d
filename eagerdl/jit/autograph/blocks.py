"""A function's tree with its statements as calls of `statements.py`.

before -> after, where `edl` is that module:

- ``if c: A`` ``else: B``   ->  ``def <if>(): nonlocal x; A`` and ``def <else>(): nonlocal x; B``, then
                                ``edl.if_(c, <if>, <else>, ("x",), ())``
- ``while c: A``            ->  ``def <while>(): return c`` and ``def <body>(): nonlocal x; A``, then ``edl.while_(...)``
- ``for x in xs: A``        ->  ``def <body>(item): nonlocal x; x = item; A``, then ``edl.for_(xs, <body>, ...)``
- ``a and b``               ->  ``edl.and_(a, lambda: b)``
- ``f(a)``                  ->  ``callee(f)(a)``

A block keeps the variables of the function it stands in, as `nonlocal` ones; so when a condition is a Python value, it runs
as it would have: it sees and leaves everything that Python's own statement would, exceptions included. The tuples are the
names that a block assigns: those that are needed afterwards, and those that are not. Every node keeps its place in the source.
"""

import ast

from eagerdl.jit.autograph.jumps import FRAME_READERS, after_docstring, at, is_plain, without_jumps
from eagerdl.jit.autograph.names import Liveness, Scope, same_scope

# Free variables of every converted function, the argument of a loop's body, and the functions that blocks become. As in
# jumps.py, no program can spell these names.
STATEMENTS, CALLEE = "eagerdl statements", "eagerdl callee"
ITEM = "next item"
BLOCKS = ("<if>", "<else>", "<while>", "<body>")

# These list the variables of the frame that calls them.
FRAME_LISTS = frozenset({"dir", "locals", "vars"})

# Called as they stand: they look at the frame that calls them.
FRAME_CALLS = FRAME_READERS | {"breakpoint", "globals", "super"}

COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


def rewrite(node, in_class):
    """Rewrites a FunctionDef or Lambda in place, and what is defined in it.

    Args:
        node: the function's tree.
        in_class: whether the function has a cell `__class__`, for `super()`.
    """
    rewriting = _Rewriting(in_class)
    return rewriting.visit_Lambda(node) if isinstance(node, ast.Lambda) else rewriting.body_of(node)


def _load(name):
    return ast.Name(name, ast.Load())


def _later(expression):
    """``lambda: expression``"""
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(args=nothing, body=expression)


def _can_wait(*expressions):
    """Whether expressions mean the same inside a lambda."""
    for part in same_scope(expressions):
        if isinstance(part, ast.NamedExpr | ast.Yield | ast.YieldFrom | ast.Await):
            return False
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in FRAME_READERS:
            return False
    return True


class _Rewriting(ast.NodeTransformer):
    def __init__(self, in_class):
        self.in_class = in_class
        self.scopes = []

    @property
    def scope(self):
        return self.scopes[-1]

    def runtime(self, name, like, *args):
        """A call of a function of `statements.py`."""
        function = ast.Attribute(_load(STATEMENTS), name, ast.Load())
        call = ast.copy_location(ast.Call(function, list(args), []), like)
        if call.end_lineno != call.lineno:  # tracebacks show where a statement begins
            call.end_lineno, call.end_col_offset = call.lineno, call.col_offset + 1
        return ast.fix_missing_locations(call)

    def block(self, statements):
        """The statements, rewritten; never none."""
        out = []
        for node in statements:
            new = self.visit(node)
            out += new if isinstance(new, list) else [new]
        return out

    # -- functions and classes ----------------------------------------------------------------------

    def body_of(self, node):
        """Rewrites the body of a function."""
        first, written = after_docstring(node.body), Scope(node).locals
        node.body = without_jumps(node.body)
        scope = Scope(node)
        scope.locals |= written  # also of what was dropped because it never runs
        Liveness(scope).block(node.body, set())
        self.scopes.append(scope)
        body = self.block(node.body)
        self.scopes.pop()
        # An annotation makes a name local and runs nothing: blocks may declare nonlocal what only blocks assign.
        own = sorted(scope.locals - set(scope.parameters))
        local = [ast.AnnAssign(ast.Name(name, ast.Store()), ast.Constant(None), None, 1) for name in own]
        node.body = body[:first] + [at(one, node) for one in local] + body[first:]
        return node

    def visit_FunctionDef(self, node):
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args = self.visit(node.args)
        return self.body_of(node)

    def visit_AsyncFunctionDef(self, node):
        return node

    def visit_ClassDef(self, node):
        outer, self.in_class = self.in_class, True
        node.body = [self.visit(one) if isinstance(one, ast.FunctionDef) else one for one in node.body]
        self.in_class = outer
        return node

    def visit_Lambda(self, node):
        node.args = self.visit(node.args)
        self.scopes.append(Scope(node))
        node.body = self.visit(node.body)
        self.scopes.pop()
        return node

    # -- statements -----------------------------------------------------------------------------------

    def function(self, name, like, body, assigned, args=()):
        """A block of statements as a function that shares the variables around it."""
        body = body or [at(ast.Pass(), like)]
        declared = [
            at(kind(sorted(names)), like)
            for kind, names in (
                (ast.Nonlocal, assigned - self.scope.globals),
                (ast.Global, assigned & self.scope.globals),
            )
            if names
        ]
        arguments = ast.arguments(
            posonlyargs=[], args=[ast.arg(name) for name in args], kwonlyargs=[], kw_defaults=[], defaults=[]
        )
        out = ast.FunctionDef(name, arguments, declared + body, [], None)
        if "type_params" in ast.FunctionDef._fields:
            out.type_params = []
        return at(out, like)

    def names(self, node, *blocks):
        """What blocks assign, and the two tuples for the call: what is live afterwards or changed in place, and the rest."""
        statements = [statement for block in blocks for statement in block]
        assigned = self.scope.assigned(statements)
        live = sorted(assigned & node.live) + sorted(self.scope.changed(statements))
        return assigned, [ast.Constant(tuple(live)), ast.Constant(tuple(sorted(assigned - node.live)))]

    def visit_If(self, node):
        if node.plain:
            node.test = self.plain(
                node.test, "this `if` holds what cannot become part of a graph (yield, await, locals())"
            )
            node.body, node.orelse = self.block(node.body), self.block(node.orelse)
            return node
        assigned, names = self.names(node, node.body, node.orelse)
        ours = self.function("<if>", node, self.block(node.body), assigned)
        theirs = self.function("<else>", node, self.block(node.orelse), assigned)
        call = self.runtime("if_", node.test, self.visit(node.test), _load("<if>"), _load("<else>"), *names)
        return [ours, theirs, at(ast.Expr(call), node)]

    def visit_While(self, node):
        if node.hard:
            node.test = self.plain(
                node.test, "this `while` holds what cannot become part of a graph (yield, await, `:=`)"
            )
            node.body, node.orelse = self.block(node.body), self.block(node.orelse)
            return node
        assigned, names = self.names(node, node.body, [node.test])
        test = self.function("<while>", node, [at(ast.Return(self.visit(node.test)), node)], set())
        body = self.function("<body>", node, self.block(node.body), assigned)
        call = self.runtime("while_", node.test, _load("<while>"), _load("<body>"), *names)
        return [test, body, at(ast.Expr(call), node)]

    def visit_For(self, node):
        if node.hard:
            return self.generic_visit(node)
        first = at(ast.Assign([node.target], _load(ITEM)), node)
        assigned, names = self.names(node, [first], node.body)
        body = self.function("<body>", node, [self.visit(first), *self.block(node.body)], assigned, [ITEM])
        extra = ast.Constant(None) if node.extra is None else _later(self.visit(node.extra))
        call = self.runtime("for_", node.iter, self.visit(node.iter), _load("<body>"), extra, *names)
        return [body, at(ast.Expr(call), node)]

    def visit_AnnAssign(self, node):
        if not isinstance(node.target, ast.Name):
            return self.generic_visit(node)
        # Of a local name the annotation means nothing, and a nonlocal one may not have it.
        return at(ast.Pass() if node.value is None else ast.Assign([node.target], self.visit(node.value)), node)

    def visit_Assert(self, node):
        message = ast.Constant(None) if node.msg is None or not _can_wait(node.msg) else _later(self.visit(node.msg))
        node.test = self.runtime("checked", node.test, self.visit(node.test), message)
        return node

    def visit_match_case(self, node):
        if node.guard is not None:
            node.guard = self.plain(node.guard, "`match` chooses a case while the function is traced")
        node.body = self.block(node.body)
        return node

    # -- expressions ----------------------------------------------------------------------------------

    def plain(self, test, reason):
        """A condition that has to be a Python value."""
        if is_plain(test):
            return self.visit(test)
        return self.runtime("plain", test, self.visit(test), ast.Constant(reason))

    def visit_comprehension(self, node):
        node = self.generic_visit(node)
        node.ifs = [
            self.runtime("plain", one, one, ast.Constant("a comprehension is as long as Python says"))
            for one in node.ifs
        ]
        return node

    def visit_IfExp(self, node):
        if is_plain(node.test):
            return self.generic_visit(node)
        if not _can_wait(node.body, node.orelse):
            node.test = self.plain(node.test, "this expression holds `:=`, yield, await or locals()")
            node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
            return node
        test, body, orelse = map(self.visit, (node.test, node.body, node.orelse))
        return self.runtime("if_expression", node, test, _later(body), _later(orelse))

    def visit_BoolOp(self, node):
        *tested, last = node.values
        if all(map(is_plain, tested)):
            return self.generic_visit(node)
        if not _can_wait(*node.values[1:]):
            reason = "this expression holds `:=`, yield, await or locals()"
            node.values = [*(self.plain(value, reason) for value in tested), self.visit(last)]
            return node
        first, *rest = map(self.visit, node.values)
        name = "and_" if isinstance(node.op, ast.And) else "or_"
        return self.runtime(name, node, first, *map(_later, rest))

    def visit_UnaryOp(self, node):
        if not isinstance(node.op, ast.Not) or is_plain(node):
            return self.generic_visit(node)
        return self.runtime("not_", node, self.visit(node.operand))

    def visit_Compare(self, node):
        if len(node.ops) == 1 or is_plain(node) or not _can_wait(*node.comparators):
            return self.generic_visit(node)
        pairs = [
            ast.Tuple([ast.Constant(COMPARISONS[type(op)]), _later(self.visit(right))], ast.Load())
            for op, right in zip(node.ops, node.comparators)
        ]
        return self.runtime("compare", node, self.visit(node.left), *pairs)

    def visit_Call(self, node):
        function = node.func
        if isinstance(function, ast.Name) and function.id in FRAME_CALLS:
            node = self.generic_visit(node)
            if function.id == "super" and not node.args and self.in_class and self.scope.parameters:
                # Inside a block, super() would look for the class and the object in the wrong frame.
                node.args = [at(_load(name), node) for name in ("__class__", self.scope.parameters[0])]
            return self.runtime("visible", node, node) if function.id in FRAME_LISTS and not node.args else node
        node = self.generic_visit(node)
        if not (isinstance(function, ast.Attribute) and function.attr == "set_trace"):
            node.func = at(ast.Call(_load(CALLEE), [node.func], []), function)
        return node
