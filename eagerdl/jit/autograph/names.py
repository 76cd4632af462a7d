"""Which names code reads, binds and changes, and which are live where: what conversion has to know of a function.

Everything here is a question to a syntax tree; nothing runs. Liveness is the backward analysis of textbooks (Aho, Lam,
Sethi and Ullman, 2006, "Compilers", section 9.2.5), on statements instead of basic blocks, since lowered code has no jumps.
"""

import ast

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
SCOPES = (*FUNCTIONS, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

# Methods by which lists, dicts and sets are changed in place.
MUTATORS = frozenset(
    "add append appendleft clear discard extend insert pop popitem popleft remove reverse setdefault sort update".split()
)


def same_scope(nodes):
    """`nodes` and all below them that run in the same scope: of functions and classes only what runs where they stand."""
    pending = list(nodes)[::-1]
    while pending:
        node = pending.pop()
        yield node
        pending += [*outside(node)][::-1] if isinstance(node, SCOPES) else [*ast.iter_child_nodes(node)][::-1]


def outside(node):
    """The parts of a function or class that run in the scope around it: decorators, defaults, annotations, bases."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    parts = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
    if not isinstance(node, ast.Lambda):
        arguments = [part for part in ast.walk(node.args) if isinstance(part, ast.arg)]
        parts += [*node.decorator_list, *filter(None, [node.returns, *(argument.annotation for argument in arguments)])]
    return parts


def parameters(node):
    """The names of a function's parameters, the first one first."""
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return [argument.arg for argument in named if argument is not None]


def reads(node):
    """The names that `node` reads when it runs, those that functions made in it read later included."""
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Store) else {node.id}
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return {node.target.id} | reads(node.value)
    if isinstance(node, COMPREHENSIONS):
        inner = set().union(*map(reads, ast.iter_child_nodes(node)))
        own = set().union(*(stores(one.target) for one in node.generators))
        return inner - own | reads(node.generators[0].iter)
    if isinstance(node, SCOPES):
        return set().union(*map(reads, outside(node))) | captured(node)
    return set().union(*map(reads, ast.iter_child_nodes(node)))


def captured(node):
    """The names of the scope around it that the body of a function or class reads or declares nonlocal."""
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    inner = set().union(*map(reads, body))
    if isinstance(node, ast.ClassDef):
        return inner
    declared = declarations(body, ast.Nonlocal)
    own = set(parameters(node)).union(*map(stores, body))
    return inner - (own - declared) | declared


def stores(node):
    """The names that `node` binds or deletes in the scope where it stands."""
    if isinstance(node, ast.Name):
        return set() if isinstance(node.ctx, ast.Load) else {node.id}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Lambda):
        return set()
    if isinstance(node, SCOPES):
        return {node.name}
    if isinstance(node, COMPREHENSIONS):  # of what a comprehension binds, only `:=` can be seen outside
        return {one.target.id for one in same_scope([node]) if isinstance(one, ast.NamedExpr)}
    names = set().union(*map(stores, ast.iter_child_nodes(node)))
    if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        names.add(node.name)
    if isinstance(node, ast.MatchMapping) and node.rest:
        names.add(node.rest)
    return names


def kills(node):
    """The names that certainly have a new value after the simple statement `node`."""
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign) and node.value is None:
        targets = []
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    else:
        return stores(node) if isinstance(node, (ast.Import, ast.ImportFrom, *SCOPES)) else set()
    return set().union(*map(stores, targets))


def declarations(body, kind):
    """The names that statements declare `global` or `nonlocal`."""
    return {name for node in same_scope(body) if isinstance(node, kind) for name in node.names}


def dotted(node):
    """``self.cell.state`` as a string; None for what is no chain of names."""
    if isinstance(node, ast.Name):
        return node.id
    owner = dotted(node.value) if isinstance(node, ast.Attribute) else None
    return None if owner is None else f"{owner}.{node.attr}"


def changed(node):
    """Which object `node` itself changes in place: ``"self.x"`` for an attribute, ``"x[]"`` for contents; None for none."""
    if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
        return dotted(node)
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        container = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        container = node.func.value
    else:
        return None
    while isinstance(container, ast.Subscript):
        container = container.value
    name = dotted(container)
    return None if name is None else f"{name}[]"


class Scope:
    """The names of one function: what is its own, what it declares, and what its inner functions do to it."""

    def __init__(self, node):
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        self.parameters = parameters(node)
        self.globals, self.nonlocals = declarations(body, ast.Global), declarations(body, ast.Nonlocal)
        self.locals = set(self.parameters).union(*map(stores, body)) - self.globals - self.nonlocals
        self._read, self._changed = (
            {},
            {},
        )  # by the name of an inner function: what it reads and what it assigns outside
        for inner in same_scope(body):
            if isinstance(inner, ast.FunctionDef):
                self._note(inner.name, inner)
            elif isinstance(inner, ast.Assign) and isinstance(inner.value, ast.Lambda):
                for name in stores(inner.targets[0]):
                    self._note(name, inner.value)

    def _note(self, name, function):
        below = [one for one in ast.walk(function) if isinstance(one, ast.Nonlocal)]
        self._read[name] = self._read.get(name, set()) | captured(function)
        self._changed[name] = self._changed.get(name, set()).union(*(one.names for one in below))

    def _through(self, names, table):
        """What follows from reading `names`, some of which are inner functions that may call others."""
        seen, pending, out = set(), set(names), set()
        while pending:
            name = pending.pop()
            seen.add(name)
            out |= table.get(name, set())
            pending |= self._read.get(name, set()) - seen
        return out

    def reads(self, node):
        """`reads`, and what the inner functions read that are called."""
        names = reads(node)
        return names | self._through(names, self._read)

    def assigned(self, statements):
        """The names of this function that `statements` bind, by themselves or by calling inner functions."""
        names = set().union(*map(stores, statements))
        called = set().union(*map(reads, statements))
        known = self.locals | self.globals | self.nonlocals
        return names | self._through(called, self._changed) & known

    def changed(self, statements):
        """What `statements` change in place, as `changed` names it, of objects that were there before."""
        fresh = set().union(*map(stores, statements))
        found = {changed(node) for node in same_scope(statements)} - {None}
        return {name for name in found if name.partition(".")[0] not in fresh}


class Liveness:
    """Marks every `if` and loop of lowered statements with `live`: the names whose values are needed after it.

    For a loop these are the names needed at its head, by the next iteration or by what follows the loop.
    """

    def __init__(self, scope):
        self.scope = scope
        self.always = scope.globals | scope.nonlocals  # also what an exception handler around may read
        self.loops = []

    def block(self, statements, after):
        """The names live before `statements`, given those live after them."""
        for statement in reversed(statements):
            after = self.statement(statement, after | self.always)
        return after | self.always

    def statement(self, node, after):
        """The names live before one statement."""
        special = getattr(self, f"_{type(node).__name__}", None)
        if special is not None:
            return special(node, after)
        return after - kills(node) | self.scope.reads(node)

    def _If(self, node, after):
        node.live = after
        return self.scope.reads(node.test) | self.block(node.body, after) | self.block(node.orelse, after)

    def _loop(self, node, after, fixed, killed=frozenset()):
        after = self.block(node.orelse, after)
        head = after | fixed
        while True:
            self.loops.append((head, after))
            before = head | self.block(node.body, head) - killed
            self.loops.pop()
            if before == head:
                node.live = head
                return head
            head = before

    def _While(self, node, after):
        return self._loop(node, after, self.scope.reads(node.test))

    def _For(self, node, after):
        extra = getattr(node, "extra", None)
        fixed = self.scope.reads(node.target) | (self.scope.reads(extra) if extra is not None else set())
        return self._loop(node, after, fixed, stores(node.target)) | self.scope.reads(node.iter)

    _AsyncFor = _For

    def _With(self, node, after):
        before = self.block(node.body, after)
        for item in reversed(node.items):
            before = before - (stores(item.optional_vars) if item.optional_vars else set()) | self.scope.reads(item)
        return before

    _AsyncWith = _With

    def _Try(self, node, after):
        final = self.block(node.finalbody, after)
        handlers = set(final)
        for handler in node.handlers:
            handlers |= self.block(handler.body, final) - {handler.name}
            handlers |= self.scope.reads(handler.type) if handler.type is not None else set()
        outer, self.always = self.always, self.always | handlers
        before = self.block(node.body, self.block(node.orelse, final))
        self.always = outer
        return before | handlers

    _TryStar = _Try

    def _Match(self, node, after):
        before = after | self.scope.reads(node.subject)
        for case in node.cases:
            inside = self.block(case.body, after) | (self.scope.reads(case.guard) if case.guard else set())
            before |= inside - stores(case.pattern) | self.scope.reads(case.pattern)
        return before

    def _Return(self, node, after):
        return self.scope.reads(node) | self.always

    _Raise = _Return

    def _Break(self, node, after):
        return self.loops[-1][1] | self.always

    def _Continue(self, node, after):
        return self.loops[-1][0] | self.always


def effects(node, is_module):
    """``(line, text)`` of what a function does to the world besides returning, in order of lines.

    Args:
        node: the function's tree.
        is_module: tells of a name whether it stands for a module, whose functions change nothing.
    """
    found = {}
    _effects(node, set(), set(parameters(node)), is_module, found)
    return sorted(found.items())


def _effects(node, local, passed, is_module, found):
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    declared = declarations(body, ast.Global) | declarations(body, ast.Nonlocal) - local
    local = (local | set().union(*map(stores, body))) - declared - passed
    for statement in same_scope(body):
        if not isinstance(statement, ast.stmt):
            continue
        if isinstance(statement, ast.FunctionDef):
            _effects(statement, local | set(parameters(statement)), set(), is_module, found)
        own = [part for part in ast.iter_child_nodes(statement) if not isinstance(part, ast.stmt)]
        for part in same_scope([] if isinstance(statement, SCOPES) else own):
            if _acts(part, statement, local, declared, is_module):
                found.setdefault(part.lineno, ast.unparse(statement).partition("\n")[0])


def _acts(node, statement, local, declared, is_module):
    """Whether `node`, a part of `statement`, changes what is not local."""
    if isinstance(node, ast.Name):
        return node.id in declared and not isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id == "print" and "print" not in local
    name = changed(node)
    if name is None:
        return False
    kept = isinstance(statement, ast.Expr) or node.func.attr.startswith("pop") if isinstance(node, ast.Call) else True
    root = name.replace("[]", "").partition(".")[0]
    return kept and root not in local and not is_module(root)
