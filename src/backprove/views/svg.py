"""Drawings of directed graphs as SVG: readable in colour, in grey, in the dark and aloud."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from backprove.results import Drawing, Edge, Node
from backprove.views.graph_layout import Arrow, Box, Placed, Point, place
from backprove.views.text_layout import clean, display_width
from backprove.views.words import plural

MAX_NODES = 300
"""Larger drawings are given as a table only: nobody can read such a picture."""

_TITLE_SIZE = 15.0
_LINE_SIZE = 12.5
_LABEL_SIZE = 12.0
_LINE_HEIGHT = 18.0
_MARGIN = 14.0
_LONGEST = 44  # characters of a line inside a node; the table beside the drawing has all of it
_NUMBERED = re.compile(r"(?<![\w.])([A-Za-z])(\d{1,3})(?![\w.])")
_ROLE_NAMES = {
    "input": "input",
    "parameter": "parameter",
    "constant": "constant",
    "operation": "operation",
    "output": "output",
}


def drawing_svg(drawing: Drawing) -> str:
    """A directed graph as one SVG element, or nothing where it is too large to read.

    Args:
        drawing: the graph. Edges whose ends are not among its nodes are left out.

    Returns:
        SVG with a title and a description for screen readers. Colours are CSS variables with
        fallbacks; roles also differ in shape and line, so the picture survives grey print.

    >>> svg = drawing_svg(Drawing([Node("x", "x", role="input")], []))
    >>> svg.startswith('<svg class="bp-graph"'), 'role="img"' in svg
    (True, True)
    """
    if not drawing.nodes or len(drawing.nodes) > MAX_NODES:
        return ""
    keys = {node.key for node in drawing.nodes}
    edges = [edge for edge in drawing.edges if edge.source in keys and edge.target in keys]
    placed = place(
        [_box(node) for node in {node.key: node for node in drawing.nodes}.values()],
        [Arrow(edge.source, edge.target, _label_width(edge)) for edge in edges],
    )
    inner = [_arrow(edge, route) for edge, route in zip(edges, placed.routes, strict=True)]
    inner += [
        _node(node, placed, at if drawing.passes and node.role != "constant" else None)
        for at, node in enumerate(drawing.nodes)
    ]
    # Labels come last, above every line that crosses them.
    inner += [_label(edge, route) for edge, route in zip(edges, placed.routes, strict=True)]
    width, height = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    return (
        f'<svg class="bp-graph" role="img" xmlns="http://www.w3.org/2000/svg" '
        f"{'data-passes ' if drawing.passes else ''}"
        f'viewBox="{-_MARGIN:g} {-_MARGIN:g} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="min-width:{min(width, 680):.0f}px">'
        f"<title>{_text(drawing.caption or 'Computation graph')}</title>"
        f"<desc>{_text(_description(drawing.nodes, edges))}</desc>" + "".join(inner) + "</svg>"
    )


def _text(text: str) -> str:
    return escape(clean(text))


def _description(nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """What a screen reader says of the drawing; the numbers are in the table beside it."""
    titles = {node.key: node.title for node in nodes}
    sources: dict[str, list[str]] = {}
    for edge in edges:
        sources.setdefault(edge.target, []).append(titles[edge.source])
    parts = [f"{plural(len(nodes), 'node')}, {plural(len(edges), 'edge')}."]
    for node in nodes:
        said = [f"{node.title}, {_ROLE_NAMES.get(node.role, node.role)}", *node.lines, *node.notes]
        if node.key in sources:
            said.append(f"computed from {' and '.join(sources[node.key])}")
        parts.append("; ".join(said) + ".")
    return " ".join(parts)


def _shown_lines(node: Node) -> list[str]:
    lines = [*node.lines, *(f"⚠ {note}" for note in node.notes)]
    return [line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…" for line in lines]


def text_width(text: str, size: float) -> float:
    """The width of a text in pixels, generously.

    >>> text_width("ab", 10.0) > text_width("a", 10.0)
    True
    """
    # Fonts differ between machines: 0.58 em for each character is on the wide side of most.
    return display_width(text) * size * 0.58


def _box(node: Node) -> Box:
    lines = _shown_lines(node)
    widest = max(
        [text_width(node.title, _TITLE_SIZE) + 4, *(text_width(t, _LINE_SIZE) for t in lines)]
    )
    return Box(node.key, max(64.0, widest + 26), 34.0 + _LINE_HEIGHT * len(lines))


def _label_width(edge: Edge) -> float:
    widest = max((text_width(t, _LABEL_SIZE) for t in (edge.forward, edge.backward)), default=0.0)
    # The arrow beside the number takes two characters.
    return widest + 2 * _LABEL_SIZE * 0.6 + 16 if widest else 0.0


def _node(node: Node, placed: Placed, order: int | None) -> str:
    """A node; with its place in the passes where they can be shown step by step."""
    x, y = placed.centres[node.key]
    width, height = placed.sizes[node.key]
    left, top = x - width / 2, y - height / 2
    role = node.role if node.role in _ROLE_NAMES else "operation"
    corner = {"input": height / 2, "constant": 0.0}.get(role, 7.0)
    corner = min(corner, 17.0)
    shape = (
        f'<rect class="bp-shape" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{corner:g}"/>'
    )
    if role == "output":  # a second outline marks the output without colour
        shape += (
            f'<rect class="bp-inner" x="{left + 3:.1f}" y="{top + 3:.1f}" width="{width - 6:.1f}" '
            f'height="{height - 6:.1f}" rx="4.5"/>'
        )
    lines = _shown_lines(node)
    first = y - (_LINE_HEIGHT * len(lines)) / 2 + 5
    text = f'<text class="bp-title" x="{x:.1f}" y="{first:.1f}">{subscripted(node.title)}</text>'
    for number, line in enumerate(lines, start=1):
        style = "bp-note" if line.startswith("⚠") else "bp-line"
        if order is not None:
            passed = {len(node.lines) - 1: " bp-reached", len(node.lines): " bp-returned"}
            style += passed.get(number, "")
        text += (
            f'<text class="{style}" x="{x:.1f}" y="{first + _LINE_HEIGHT * number:.1f}">'
            f"{subscripted(line)}</text>"
        )
    marks = "" if order is None else f' data-key="{_text(node.key)}" data-order="{order}"'
    return f'<g class="bp-node bp-{role}"{marks}>{shape}{text}</g>'


def subscripted(text: str) -> str:
    """Escaped text in which h2 becomes an h with a lowered 2, as it is written by hand.

    >>> "<" in subscripted("a < b").replace("&lt;", "")
    False
    """
    lowered = r'\1<tspan class="bp-sub" dy="3">\2</tspan><tspan dy="-3">&#8203;</tspan>'
    return _NUMBERED.sub(lowered, _text(text))


def _arrow(edge: Edge, route: list[Point]) -> str:
    x, y = route[-1]
    if len(route) > 1 and route[-2][0] > x:
        tip = [(x + 9, y - 4.5), (x, y), (x + 9, y + 4.5)]
    else:
        tip = [(x - 9, y - 4.5), (x, y), (x - 9, y + 4.5)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in tip)
    return f'<g class="bp-edge"><path d="{rounded_path(route)}"/><polygon points="{points}"/></g>'


def rounded_path(route: list[Point], radius: float = 9.0) -> str:
    """A path through the corner points with rounded corners.

    >>> rounded_path([(0.0, 0.0), (5.0, 0.0)])
    'M0.0 0.0L5.0 0.0'
    """
    path = [f"M{route[0][0]:.1f} {route[0][1]:.1f}"]
    for before, corner, after in zip(route, route[1:], route[2:], strict=False):
        room = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, room), _towards(corner, after, room)
        path.append(f"L{start[0]:.1f} {start[1]:.1f}")
        path.append(f"Q{corner[0]:.1f} {corner[1]:.1f} {end[0]:.1f} {end[1]:.1f}")
    path.append(f"L{route[-1][0]:.1f} {route[-1][1]:.1f}")
    return "".join(path)


def _distance(a: Point, b: Point) -> float:
    return ((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5


def _towards(start: Point, goal: Point, by: float) -> Point:
    length = _distance(start, goal)
    if not length:
        return start
    share = by / length
    return start[0] + (goal[0] - start[0]) * share, start[1] + (goal[1] - start[1]) * share


def _label(edge: Edge, route: list[Point]) -> str:
    x, y = route[0][0] + 8, route[0][1]
    lines = (("bp-forward", y - 6, "→", edge.forward), ("bp-backward", y + 15, "←", edge.backward))
    ends = f'data-source="{_text(edge.source)}" data-target="{_text(edge.target)}"'
    return "".join(
        f'<text class="{style}" {ends} x="{x:.1f}" y="{at:.1f}">{arrow} {_text(text)}</text>'
        for style, at, arrow, text in lines
        if text
    )
