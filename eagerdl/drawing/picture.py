"""A diagram as a picture: boxes, frames and lines at their places, as SVG or through matplotlib."""

import html
from dataclasses import dataclass, field
from itertools import pairwise

from eagerdl.drawing.layout import layered
from eagerdl.errors import PackageError

SIZE, LINE, PADDING, ROUND = 12.0, 17.0, 8.0, 3.0  # of letters, of rows of text, beside text, of corners
FRAME = (12.0, 26.0, 12.0, 12.0)  # room around what a frame holds: left, top, right, bottom
MARGIN, LOOP, HEAD = 10.0, 16.0, 7.0  # around the picture, of a line from a box to itself, of an arrow
FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
FILLS = {
    "layer": "#263238", "input": "#00695c", "function": "#5d4e37", "model": "#283593", "variable": "#6a1b9a", "output": "#00695c",
}  # fmt: skip
PIXELS = 16384  # matplotlib draws no larger picture


@dataclass
class Box:
    """A layer or a call: a key, a title, rows of text below, and its kind, one of the names of FILLS."""

    key: str
    title: str
    rows: list
    kind: str = "layer"


@dataclass
class Frame:
    """Boxes and frames that belong together, and, in the outermost one, the edges between boxes (key, key)."""

    key: str
    label: str
    items: list = field(default_factory=list)
    edges: list = field(default_factory=list)
    dashed: bool = False  # edges say what belongs to what, not what runs to where


def text_width(text, bold=False):
    """About how wide a text is in a font such as Helvetica."""
    units = sum(3 if c in "iljtf.,:;'|![]()I -/" else 9 if c in "mwMW@%" else 7.2 if c.isupper() else 5.8 for c in text)
    return units * SIZE / 10.5 * (1.12 if bold else 1.0)


def box_size(box):
    """(width, height) of a box."""
    width = max(text_width(box.title, bold=True), *[text_width(row) for row in box.rows], 40.0)
    return width + 2 * PADDING, LINE * (1 + len(box.rows)) + PADDING + (4.0 if box.rows else 0.0)


# -- arranging ------------------------------------------------------------------------------------------


@dataclass
class Arranged:
    """Rectangles (x, y, width, height) of boxes by key and of frames, and lines; in the direction of flow, from top to bottom."""

    width: float
    height: float
    boxes: dict = field(default_factory=dict)
    frames: list = field(default_factory=list)  # (Frame, rectangle)
    lines: list = field(default_factory=list)
    exits: dict = field(
        default_factory=dict
    )  # key of a box with edges out of this frame -> the line from it to the edge of the frame


def arrange(frame, edges, rankdir, right_angles):
    """Lays out what is in `frame`.

    Args:
        frame: the Frame.
        edges: all edges of the diagram; those between items of this frame are laid out here.
        rankdir: "TB", "BT", "LR" or "RL".
        right_angles: whether lines have only vertical and horizontal parts.
    """
    sideways = rankdir in ("LR", "RL")
    left, top, right, bottom = {
        "TB": FRAME, "BT": (FRAME[0], FRAME[3], FRAME[2], FRAME[1]),
        "LR": (FRAME[1], FRAME[0], FRAME[3], FRAME[2]), "RL": (FRAME[1], FRAME[2], FRAME[3], FRAME[0]),
    }[rankdir]  # fmt: skip
    loops = {a for a, b in edges if a == b}
    sizes, inner, home = {}, {}, {}
    for item in frame.items:
        if isinstance(item, Frame):
            found = inner[item.key] = arrange(item, edges, rankdir, right_angles)
            label = text_width(item.label, bold=True) + 2 * PADDING
            width, height = found.width + left + right, found.height + top + bottom
            sizes[item.key] = (width, max(height, label)) if sideways else (max(width, label), height)
            home |= dict.fromkeys(found.boxes, item.key)
        else:
            width, height = box_size(item)[::-1] if sideways else box_size(item)
            sizes[item.key] = width + (2 * LOOP if item.key in loops else 0.0), height
            home[item.key] = item.key

    out_of = [a for a in home if any(one == a and other not in home for one, other in edges)]
    into = {home[b] for b in home if any(one not in home and other == b for one, other in edges)}
    mine = [(a, b) for a, b in edges if a in home and b in home and home[a] != home[b]]
    busy = {home[a] for a, _ in mine}
    # What leads out from the midst of the frame gets a way of its own to its lower edge.
    ways = [a for a in out_of if home[a] in busy or (home[a] in into and len(frame.items) > 1)]
    sizes |= {("out", a): (2.0, 0.0) for a in ways}

    def leaving(key):
        """Where lines from the box `key` leave the item that holds it, as an offset from its centre."""
        item = home[key]
        return 0.0 if item == key else left + inner[item].exits[key][-1][0] - sizes[item][0] / 2

    def entering(key):
        """Where lines to the box `key` meet the item that holds it."""
        item = home[key]
        if item == key:
            return 0.0
        x, _, width, _ = inner[item].boxes[key]
        return left + x + width / 2 - sizes[item][0] / 2

    steps = [(home[a], home[b], leaving(a), entering(b)) for a, b in mine]
    steps += [(home[a], ("out", a), leaving(a), 0.0) for a in ways]
    last = {("out", a) for a in ways} | {home[a] for a in out_of if a not in ways}
    placed = layered(sizes, steps, right_angles, first=into - {home[b] for _, b in mine}, last=last)
    out = Arranged(placed.width, placed.height)
    for item in frame.items:
        x, y = placed.corners[item.key]
        width, height = sizes[item.key]
        if isinstance(item, Frame):
            found = inner[item.key]

            def moved(points, x=x + left, y=y + top):
                return [(x + px, y + py) for px, py in points]

            out.frames.append((item, (x, y, width, height)))
            out.frames += [(one, (*moved([r[:2]])[0], *r[2:])) for one, r in found.frames]
            out.boxes |= {key: (*moved([r[:2]])[0], *r[2:]) for key, r in found.boxes.items()}
            out.lines += [moved(points) for points in found.lines]
            out.exits |= {key: moved(points) for key, points in found.exits.items()}
        elif item.key in loops:
            x, width = x + LOOP, width - 2 * LOOP
            out.boxes[item.key] = x, y, width, height
            end, one, two = x + width, y + 0.3 * height, y + 0.7 * height
            out.lines.append([(end, one), (end + 12, one), (end + 12, two), (end, two)])
        else:
            out.boxes[item.key] = x, y, width, height
    for (a, b), points in zip(mine, placed.routes):
        against = points[0][1] > points[-1][1]
        if home[a] != a and not against:
            points = out.exits[a][:-1] + points if len(out.exits[a]) > 1 else out.exits[a] + points
        if home[b] != b:  # on to the box inside the frame
            x, y, width, height = out.boxes[b]
            points = [*points, (x + width / 2, y + height if against else y)]
        out.lines.append(points)
    for a in out_of:
        if a in ways:
            route = placed.routes[len(mine) + ways.index(a)]
            out.exits[a] = (out.exits[a] if home[a] != a else []) + route
        elif home[a] == a:
            x, y, width, height = out.boxes[a]
            out.exits[a] = [(x + width / 2, y + height)]
    out.exits = {a: out.exits[a] for a in out_of}
    return out


# -- the picture ------------------------------------------------------------------------------------------


@dataclass
class Picture:
    """What is drawn: rectangles (x, y, width, height, fill, stroke, dashed), texts (x, y, text, bold, colour, anchor), lines."""

    width: float
    height: float
    rectangles: list = field(default_factory=list)
    texts: list = field(default_factory=list)
    lines: list = field(default_factory=list)
    curved: bool = False
    dashed: bool = False


def picture_of(frame, rankdir="TB", splines="ortho"):
    """The Picture of a diagram.

    Args:
        frame: the outermost Frame, which is not drawn itself.
        rankdir: "TB", "BT", "LR" or "RL".
        splines: "ortho" for lines with right angles, "line" or "polyline" for straight ones, others for curves.
    """
    found = arrange(frame, frame.edges, rankdir, splines == "ortho")
    sideways, backwards = rankdir in ("LR", "RL"), rankdir in ("BT", "RL")

    def rectangle(x, y, width, height):
        y = found.height - y - height if backwards else y
        x, y, width, height = (y, x, height, width) if sideways else (x, y, width, height)
        return x + MARGIN, y + MARGIN, width, height

    def point(x, y):
        return rectangle(x, y, 0.0, 0.0)[:2]

    width, height = (found.height, found.width) if sideways else (found.width, found.height)
    out = Picture(
        width + 2 * MARGIN,
        height + 2 * MARGIN,
        curved=splines not in ("ortho", "line", "polyline"),
        dashed=frame.dashed,
    )
    for one, where in found.frames:
        x, y, w, h = rectangle(*where)
        out.rectangles.append((x, y, w, h, "#f5f5f5", "#78909c", True))
        out.texts.append((x + PADDING, y + LINE, one.label, True, "#455a64", "start"))
    by_key = {box.key: box for box in boxes(frame)}
    for key, where in found.boxes.items():
        x, y, w, h = rectangle(*where)
        box, head = by_key[key], LINE + PADDING if by_key[key].rows else h
        out.rectangles.append((x, y, w, h, "#ffffff", "#263238", False))
        out.rectangles.append((x, y, w, head if box.rows else h, FILLS[box.kind], FILLS[box.kind], False))
        out.texts.append((x + w / 2, y + head / 2 + SIZE * 0.36, box.title, True, "#ffffff", "middle"))
        for number, row in enumerate(box.rows):
            out.texts.append((x + w / 2, y + head + LINE * (number + 1) - 3.0, row, False, "#212121", "middle"))
    out.lines = [[point(*one) for one in points] for points in found.lines]
    return out


def boxes(frame):
    """The boxes of a frame and of those in it."""
    for item in frame.items:
        if isinstance(item, Frame):
            yield from boxes(item)
        else:
            yield item


def _segments(picture, points):
    """The parts of a line: (start, control, control, end), the controls None where it is straight."""
    for a, b in pairwise(points):
        straight = not picture.curved or a[0] == b[0] or a[1] == b[1]
        if straight:
            yield a, None, None, b
        elif abs(points[0][1] - points[-1][1]) >= abs(points[0][0] - points[-1][0]) or len(points) > 2:
            middle = (a[1] + b[1]) / 2
            yield a, (a[0], middle), (b[0], middle), b
        else:
            middle = (a[0] + b[0]) / 2
            yield a, (middle, a[1]), (middle, b[1]), b


def _arrow(start, end):
    """The three corners of an arrow that ends at `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    dx, dy = dx / length * HEAD, dy / length * HEAD
    return [end, (end[0] - dx - dy * 0.45, end[1] - dy + dx * 0.45), (end[0] - dx + dy * 0.45, end[1] - dy - dx * 0.45)]


def svg(picture):
    """The picture as the text of an SVG file."""
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width:.0f}" height="{picture.height:.0f}" '
        f'viewBox="0 0 {picture.width:.1f} {picture.height:.1f}" font-family="{html.escape(FONT)}" font-size="{SIZE:g}">',
        f'<rect width="{picture.width:.1f}" height="{picture.height:.1f}" fill="#ffffff"/>',
    ]
    frames = [one for one in picture.rectangles if one[6]]
    for x, y, w, h, fill, stroke, dashed in frames + [one for one in picture.rectangles if not one[6]]:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        out.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{ROUND:g}" fill="{fill}" stroke="{stroke}"{dash}/>'
        )
    for points in picture.lines:
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
        for _, one, two, end in _segments(picture, points):
            path += f" L{end[0]:.1f} {end[1]:.1f}" if one is None else (
                f" C{one[0]:.1f} {one[1]:.1f} {two[0]:.1f} {two[1]:.1f} {end[0]:.1f} {end[1]:.1f}")  # fmt: skip
        dash = ' stroke-dasharray="4 3"' if picture.dashed else ""
        out.append(f'<path d="{path}" fill="none" stroke="#455a64" stroke-width="1.4"{dash}/>')
        if not picture.dashed:
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in _arrow(*points[-2:]))
            out.append(f'<polygon points="{corners}" fill="#455a64"/>')
    for x, y, text, bold, colour, anchor in picture.texts:
        weight = ' font-weight="bold"' if bold else ""
        out.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{html.escape(text)}</text>'
        )
    return "\n".join([*out, "</svg>", ""])


def paint(picture, file, kind, dpi):
    """Draws the picture with matplotlib.

    Args:
        picture: the Picture; its unit is a point.
        file: a binary file.
        kind: "png" or "pdf".
        dpi: pixels per inch; less where the picture would be too large.

    Raises:
        PackageError: without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.patches import FancyBboxPatch, PathPatch, Polygon
        from matplotlib.path import Path
    except ImportError as error:
        raise PackageError("picture", f"a .{kind} needs the package matplotlib", str(error),
                           "pip install 'eagerdl[plot]', or write a .svg or .dot") from None  # fmt: skip
    figure = Figure(figsize=(picture.width / 72, picture.height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, picture.width)
    axes.set_ylim(picture.height, 0)
    axes.axis("off")
    order = 1
    for x, y, w, h, fill, stroke, dashed in sorted(picture.rectangles, key=lambda one: not one[6]):
        style = f"round,pad=0,rounding_size={ROUND}"
        axes.add_patch(FancyBboxPatch((x, y), w, h, boxstyle=style, facecolor=fill, edgecolor=stroke, linewidth=1.0,
                                      linestyle=(0, (5, 4)) if dashed else "-", zorder=order))  # fmt: skip
        order += 1
    for points in picture.lines:
        vertices, codes = [points[0]], [Path.MOVETO]
        for _, one, two, end in _segments(picture, points):
            vertices += [end] if one is None else [one, two, end]
            codes += [Path.LINETO] if one is None else [Path.CURVE4] * 3
        axes.add_patch(PathPatch(Path(vertices, codes), fill=False, edgecolor="#455a64", linewidth=1.4, zorder=order,
                                 linestyle=(0, (3, 2)) if picture.dashed else "-"))  # fmt: skip
        if not picture.dashed:
            axes.add_patch(
                Polygon(_arrow(*points[-2:]), closed=True, facecolor="#455a64", edgecolor="none", zorder=order + 1)
            )
    for x, y, text, bold, colour, anchor in picture.texts:
        axes.text(x, y, text, color=colour, fontsize=SIZE * 0.86, fontweight="bold" if bold else "normal",
                  ha="left" if anchor == "start" else "center", va="baseline", parse_math=False, zorder=order + 2)  # fmt: skip
    dpi = min(dpi, PIXELS * 72 / max(picture.width, picture.height))
    figure.savefig(file, format=kind, dpi=dpi)
