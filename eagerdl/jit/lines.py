"""The user's lines behind the calls of a graph: for reports, and for errors that are raised while a program runs."""

import linecache
import os
import re

from eagerdl.autograd.primitive import REGISTRY
from eagerdl.errors import EagerdlError, translate
from eagerdl.jit.graph import CHECK

NOTE = "in a compiled function, at "  # how the note begins that says where

_CALL = re.compile(r"^(?:[\w, ]+ = |if [^:]+: )?[kf](\d+)(?:_\d+)?\(")  # the line of a program that runs step number N


def place(line):
    """``train.py:12`` for the line of a node, ``/home/me/train.py:12``."""
    return os.path.basename(line)


def source(line):
    """The text of a node's line, "" if its file cannot be read."""
    file, _, number = line.rpartition(":")
    return linecache.getline(file, int(number)).strip() if number.isdigit() else ""


def number_of(text):
    """The number of the step that a line of a program runs; None for the others."""
    found = _CALL.match(text)
    return int(found[1]) if found else None


def blame(error, program):
    """Says at which of the user's lines a program was when it raised `error`; to be called while the error is handled.

    Args:
        error: the exception. An error of an array library is replaced by ours, which is raised here.
        program: the Program.
    """
    trace, at = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>" and trace.tb_frame.f_code is program.run.__code__:
            at = trace.tb_lineno
        trace = trace.tb_next
    number = None if at is None else number_of(program.lines[at - 2])
    if number is not None:
        blame_node(error, program.steps[number].nodes[-1])


def blame_node(error, node):
    """The same where the node is known."""
    if any(note.startswith(NOTE) for note in getattr(error, "__notes__", ())):  # an inner program has said it
        return
    text = source(node.line)
    note = NOTE + place(node.line) + (f": {text}" if text else "")
    if isinstance(error, EagerdlError) or node.kind == CHECK or not node.line:
        error.add_note(note)
        return
    ours = explained(error, node)
    ours.add_note(note)
    raise ours.with_traceback(error.__traceback__) from None


def explained(error, node):
    """The framework's own error for what a call of an array library raised."""
    primitive = REGISTRY.get(node.label)
    if primitive is not None and primitive.forward is node.function:
        count = len(primitive.tensors)
        tensors, params = (
            (node.args[0], node.args[1:]) if primitive.variadic else (node.args[:count], node.args[count:])
        )
        return primitive.explain(error, tensors, params)
    came = ", ".join(f"{value.dtype}{list(value.shape)}" for value in node.inputs)
    return translate(node.label, error, came)
