"""Diagrams in the language DOT of Graphviz, and as files. No other program is needed."""

import html
import sys
from pathlib import Path

from eagerdl import storage
from eagerdl.drawing import picture
from eagerdl.drawing.picture import Frame
from eagerdl.errors import ArgumentError

FORMATS = ("dot", "gv", "svg", "png", "pdf")


def kind_of(path, where, name):
    """The format of a file, by the ending of its name.

    Raises:
        ArgumentError: if the ending is unknown.
    """
    kind = Path(path).suffix[1:].lower() or "png"
    if kind not in FORMATS:
        raise ArgumentError(where, f"{name} ends in one of {', '.join(f'.{one}' for one in FORMATS)}",
                            f"got {str(path)!r}", "choose such a name")  # fmt: skip
    return kind


def draw(dot, path, where, name):
    """Draws a `Dot` into a file whose ending says the format.

    Returns:
        In a notebook an image to be shown, otherwise None.
    """
    kind = kind_of(path, where, name)
    dot.write(path, kind)
    display = getattr(sys.modules.get("IPython"), "display", None)
    if display is None or kind not in ("png", "svg"):
        return None
    return (display.SVG if kind == "svg" else display.Image)(filename=str(path))


class Dot:
    """A diagram. ``str(dot)`` is its text in DOT; notebooks show its picture.

    Args:
        frame: the boxes and edges.
        rankdir: "TB" from top to bottom, "BT", "LR" or "RL".
        dpi: pixels per inch.
        splines: how lines run: "ortho", "curved", "polyline", "spline" or "line".
        subgraph: whether the text is that of a subgraph, to be put into another graph.
    """

    def __init__(self, frame, rankdir="TB", dpi=200, splines="ortho", subgraph=False):
        self.frame, self.rankdir, self.dpi, self.splines, self.subgraph = frame, rankdir, dpi, splines, subgraph

    def to_string(self):
        """The text in DOT."""
        settings = f"rankdir={self.rankdir}, splines={self.splines}, dpi={self.dpi}, concentrate=true"
        if self.subgraph:
            return "\n".join(_frame_lines(self.frame, "", self.frame.edges))
        return "\n".join([
            f"digraph {_quoted(self.frame.label)} {{",
            f"  graph [{settings}];",
            '  node [shape=plaintext, fontname="Helvetica", margin=0];',
            f"  edge [penwidth=2{', style=dashed, dir=none' if self.frame.dashed else ''}];",
            *[line for item in self.frame.items for line in _lines(item, "  ")],
            *[f"  {a} -> {b};" for a, b in self.frame.edges],
            "}",
        ])  # fmt: skip

    __str__ = to_string

    def to_svg(self):
        """The picture as the text of an SVG file."""
        return picture.svg(self._picture())

    _repr_svg_ = to_svg

    def _picture(self):
        return picture.picture_of(self.frame, self.rankdir, self.splines)

    def write(self, path, format=None):
        """Writes a file.

        Args:
            path: where to.
            format: "dot", "gv", "raw", "svg", "png" or "pdf"; DOT by default.
        """
        if format not in (None, "raw", *FORMATS):
            raise ArgumentError("Dot.write", f"format is one of {', '.join(FORMATS)}", f"got {format!r}", "choose one")
        with storage.written(path) as file:
            if format in ("png", "pdf"):
                picture.paint(self._picture(), file, format, self.dpi)
            else:
                file.write((self.to_svg() if format == "svg" else self.to_string() + "\n").encode())

    def __repr__(self):
        return f"<Dot of {self.frame.label!r}: {len(list(picture.boxes(self.frame)))} boxes, {len(self.frame.edges)} edges>"


def _quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(item, indent):
    if isinstance(item, Frame):
        return _frame_lines(item, indent, ())
    rows = "".join(f"<tr><td>{html.escape(row)}</td></tr>" for row in item.rows)
    head = f'<tr><td bgcolor="{picture.FILLS[item.kind]}"><font color="white"><b>{html.escape(item.title)}</b></font></td></tr>'
    return [
        f'{indent}{item.key} [label=<<table border="0" cellborder="1" cellspacing="0" cellpadding="6">{head}{rows}</table>>];'
    ]


def _frame_lines(frame, indent, edges):
    return [
        f"{indent}subgraph cluster_{frame.key} {{",
        f"{indent}  graph [label={_quoted(frame.label)}, labeljust=l, style=dashed];",
        *[line for item in frame.items for line in _lines(item, indent + "  ")],
        *[f"{indent}  {a} -> {b};" for a, b in edges],
        f"{indent}}}",
    ]
