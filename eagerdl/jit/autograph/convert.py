"""`convert`: a function -> the same function, whose `if`, `while`, `for` and the like also work on traced tensors.

The source is parsed, jumps become flags (`jumps.py`), statements become calls (`blocks.py`), and what these do is
decided when they run (`statements.py`): for Python values, what Python does; for traced tensors, `cond`, `while_loop`, `scan`.
Only code objects are made anew: a converted function has the globals, defaults, attributes and cells of the original.

Source: the approach is that of AutoGraph (Moldovan et al., 2019, "AutoGraph: imperative-style coding with graph-based
performance", MLSys; arXiv:1810.08061), whose fork `diastatic-malt` 2.15.3 was read for it. Of our own: blocks share the
cells of the function instead of passing state through getters and setters, code is compiled in place of being written to
a temporary file, which keeps lines and columns without a map between sources, and `return` needs no flag where what
follows can move into the other branch.
"""

import __future__

import ast
import copy
import functools
import linecache
import os
import threading
import types
import warnings

from eagerdl.errors import PACKAGE_FOLDER
from eagerdl.jit.autograph import statements
from eagerdl.jit.autograph.blocks import BLOCKS, CALLEE, STATEMENTS, rewrite
from eagerdl.jit.autograph.names import effects, parameters
from eagerdl.jit.autograph.places import content

__all__ = ["callee", "convert", "do_not_convert", "side_effects", "why_not"]

LIBRARY_FOLDER = os.path.dirname(os.__file__) + os.sep
INSTALLED_FOLDERS = tuple(LIBRARY_FOLDER + name + os.sep for name in ("site-packages", "dist-packages"))

# Packages whose functions work on arrays and never on traced tensors.
ARRAY_PACKAGES = frozenset("cupy cupyx ml_dtypes numba numpy scipy".split())

MOST_TREES = 16  # files whose trees are kept

FUTURES = __future__.annotations.compiler_flag

watchers = []  # functions that are shown what is about to be called under tracing, in any thread
_lock = threading.RLock()
_converted = {}  # id of a code object -> (the code object, its new one or None, why there is none)
_callees = {}  # the same for what converted code has called: id of a code object -> (the code object, its new one or None)
_trees = {}  # file name -> (its lines, {(name, line): [(tree of a function, class around it)]})


def convert(function):
    """`function`, converted; or as it is, if that cannot be done: `why_not` says why.

    Args:
        function: a Python function or method, a lambda, or an object with a `__call__` written in Python.
    """
    if isinstance(function, types.MethodType):
        inner = convert(function.__func__)
        return function if inner is function.__func__ else types.MethodType(inner, function.__self__)
    if isinstance(function, functools.partial):
        inner = convert(function.func)
        return function if inner is function.func else functools.partial(inner, *function.args, **function.keywords)
    if isinstance(function, types.FunctionType):
        return _convert_function(function)
    call = call_of(function)
    return function if call is None else types.MethodType(_convert_function(call), function)


def callee(function):
    """What converted code calls in place of `function`: the user's own functions converted, all others as they are."""
    for watch in tuple(watchers):  # other threads may have theirs
        watch(function)
    kind = type(function)
    if kind is types.FunctionType:
        return _callee_function(function)
    if kind is types.MethodType:
        inner = function.__func__
        new = _callee_function(inner) if type(inner) is types.FunctionType else inner
        return function if new is inner else types.MethodType(new, function.__self__)
    if kind is type or kind is types.BuiltinFunctionType:
        return statements.BUILTINS.get(function, function)
    if kind is functools.partial:
        return functools.partial(callee(function.func), *function.args, **function.keywords)
    call = call_of(function)
    new = call and _callee_function(call)
    return function if new is call else types.MethodType(new, function)


def _callee_function(function):
    code = function.__code__
    known = _callees.get(id(code))
    if known is None:
        known = _callees[id(code)] = code, _new_code(function)[0] if is_users(function) else None
    new = known[1]
    if new is None or new is code or hasattr(function, "__eagerdl_do_not_convert__"):
        return function
    return _with_code(function, new)


def do_not_convert(function):
    """Marks a function to be called as it is, although the function that calls it is converted.

    Its conditions cannot depend on traced tensors then.
    """
    function.__eagerdl_do_not_convert__ = True
    return function


def why_not(function):
    """Why `convert` leaves `function` as it is, as a clause; None if it converts it."""
    function = getattr(function, "__func__", function)
    if not isinstance(function, types.FunctionType):
        return "it is not written in Python"
    if getattr(function, "__eagerdl_do_not_convert__", False):
        return "it is marked with do_not_convert"
    return _new_code(function)[1]


def side_effects(function):
    """``(line, text)`` of the statements by which `function` changes what is not its own, or prints, found without running it.

    These happen when the function is traced and not when the trace runs: writes to attributes, to elements and by methods
    such as `append` of objects that were there before, writes to `global` and `nonlocal` names, and `print`.
    """
    function = getattr(function, "__func__", function)
    try:
        with _lock:
            node, _ = definition(function.__code__, function.__globals__)
    except (AttributeError, LookupError):
        return []
    outside = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        outside[name] = content(cell)
    return effects(node, lambda name: isinstance(outside.get(name), types.ModuleType))


# -- which, and from where ------------------------------------------------------------------------


def is_users(function):
    """Whether a function belongs to the program rather than to eagerdl, NumPy and its kin, or the standard library."""
    file = function.__code__.co_filename
    if file.startswith((PACKAGE_FOLDER, "<frozen")):
        return False
    if file.startswith(LIBRARY_FOLDER) and not file.startswith(INSTALLED_FOLDERS):
        return False
    return (function.__module__ or "").partition(".")[0] not in ARRAY_PACKAGES


def call_of(instance):
    """The `__call__` of an object's class, if it is written in Python; None for classes, which make objects."""
    for base in () if isinstance(instance, type) else type(instance).__mro__:
        if "__call__" in base.__dict__:
            call = base.__dict__["__call__"]
            return call if isinstance(call, types.FunctionType) else None
    return None


def definition(code, module_globals):
    """The tree of the function that `code` was compiled from, and the name of the class around it or None.

    Raises:
        LookupError: if the source cannot be found; the message says why.
    """
    lines = linecache.getlines(code.co_filename, module_globals)
    if not lines:
        raise LookupError("its source cannot be found")
    known, table = _trees.get(code.co_filename, (None, None))
    if known is not lines:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they were shown when Python compiled the file
                table = _functions("".join(lines))
        except SyntaxError:
            raise LookupError("its source has changed since it was imported") from None
        if len(_trees) > MOST_TREES:
            _trees.clear()
        _trees[code.co_filename] = lines, table
    found = table.get((code.co_name, code.co_firstlineno), [])
    if len(found) > 1:  # several on one line: columns tell them apart
        found = [(node, owner) for node, owner in found if _holds(node, code)]
        found = found[-1:]  # of nested ones, the inner stands later in the table
    if not found or len(parameters(found[0][0])) < code.co_argcount:
        raise LookupError("its source has changed since it was imported")
    return found[0]


def _functions(source):
    """The functions of a file by name and first line, decorators included, each with the class around it."""
    table, pending = {}, [(ast.parse(source), None)]
    while pending:
        node, owner = pending.pop()
        if isinstance(node, ast.Lambda):
            table.setdefault(("<lambda>", node.lineno), []).append((node, owner))
        elif isinstance(node, ast.FunctionDef):
            first = min(part.lineno for part in (node, *node.decorator_list))
            table.setdefault((node.name, first), []).append((node, owner))
        inner = node.name if isinstance(node, ast.ClassDef) else owner
        pending += [(child, inner) for child in ast.iter_child_nodes(node)]
    return table


def _holds(node, code):
    """Whether all instructions of `code` come from the body of `node`."""
    body = node.body if isinstance(node.body, list) else [node.body]
    start = (body[0].lineno, body[0].col_offset)
    end = (body[-1].end_lineno, body[-1].end_col_offset)
    for line, last_line, column, last_column in code.co_positions():
        if column is None or (column, last_column) == (0, 0):  # where a function begins
            continue
        if (line, column) < start or (last_line, last_column) > end:
            return False
    return True


# -- new code -------------------------------------------------------------------------------------


def _convert_function(function):
    code = _new_code(function)[0]
    if code is None or code is function.__code__ or hasattr(function, "__eagerdl_do_not_convert__"):
        return function
    new = _with_code(function, code)
    functools.update_wrapper(new, function)
    del new.__wrapped__
    new.__dict__.update(function.__dict__)
    return new


def _with_code(function, code):
    """`function` with its converted code."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or ()))
    cells.update(_RUNTIME)
    closure = tuple([cells[name] for name in code.co_freevars])
    new = types.FunctionType(code, function.__globals__, function.__name__, function.__defaults__, closure)
    new.__kwdefaults__ = function.__kwdefaults__
    return new


_RUNTIME = {STATEMENTS: types.CellType(statements), CALLEE: types.CellType(callee)}


def _new_code(function):
    """The converted code of a function, or None, and why there is none."""
    known = _converted.get(id(function.__code__))
    if known is None:
        with _lock:
            known = _converted.get(id(function.__code__))
            if known is None:
                known = _make_code(function.__code__, function.__globals__)
                _converted[id(function.__code__)] = known  # the entry holds the code, so that its id stays its own
    return known[1:]


def _make_code(code, module_globals):
    try:
        node, owner = definition(code, module_globals)
    except LookupError as error:
        return code, None, str(error)
    try:
        new = _compiled(copy.deepcopy(node), owner, code)
    except (SyntaxError, RecursionError) as error:
        return code, None, f"it is too deeply nested, or beyond what conversion knows: {error}"
    pending = [new]
    while pending:  # the functions inside are converted as well
        one = pending.pop()
        _converted[id(one)] = one, one, None
        pending += [constant for constant in one.co_consts if isinstance(constant, types.CodeType)]
    return code, new, None


def _compiled(node, owner, code):
    """The code of the rewritten `node`, compiled with the free variables of `code`, and inside a class for private names."""
    if isinstance(node, ast.FunctionDef):
        node.decorator_list, node.returns = [], None
        if hasattr(node, "type_params"):
            node.type_params = []
    for argument in ast.walk(node.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    # Whether a parameter has a default matters to the function and not to its code.
    node.args.defaults, node.args.kw_defaults = [], [None] * len(node.args.kwonlyargs)
    node = rewrite(node, "__class__" in code.co_freevars)
    statement = node if isinstance(node, ast.stmt) else ast.Expr(node)
    # Private names lose leading underscores of the class, and so many make sure that its name hides no other.
    body = [statement] if owner is None else [ast.ClassDef("_" * 32 + owner, [], [], [statement], [])]
    free = [ast.arg(name) for name in (*code.co_freevars, *_RUNTIME)]
    factory = ast.FunctionDef("factory", ast.arguments([], free, None, [], [], None, []), body, [])
    for made in (factory, *body):
        if "type_params" in made._fields and not hasattr(made, "type_params"):
            made.type_params = []
    module = ast.fix_missing_locations(ast.Module([ast.copy_location(factory, node)], []))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new = compile(module, code.co_filename, "exec", flags=code.co_flags & FUTURES, dont_inherit=True)
    for _ in range(2 if owner is None else 3):
        (new,) = (constant for constant in new.co_consts if isinstance(constant, types.CodeType))
    return _named(new, code.co_name, code.co_qualname)


def _named(code, name, qualified):
    """`code` with the names that its functions had before; blocks are called as the function that they are part of."""
    inner = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            if constant.co_name in BLOCKS:
                constant = _named(constant, name, qualified)
            else:
                own = qualified + constant.co_qualname.removeprefix(code.co_qualname)
                constant = _named(constant, constant.co_name, own)
        elif constant == code.co_qualname:  # what the body of a class calls it
            constant = qualified
        inner.append(constant)
    return code.replace(co_consts=tuple(inner), co_name=name, co_qualname=qualified)
