"""One scene of a walk as SVG: every box can be reached with the keyboard and opened."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from backprove.graphs.walk import Item, Link, Scene
from backprove.views.graph_layout import Arrow, Box, Placed, Point, place
from backprove.views.quick_layout import place_quickly
from backprove.views.svg import rounded_path, subscripted, text_width
from backprove.views.text_layout import clean

_TITLE, _LINE, _LABEL = 15.0, 12.5, 12.0
_HEIGHT = 18.0
_MARGIN = 14.0
_LONGEST = 40


def scene_svg(scene: Scene, *, quick: bool = False) -> str:
    """A scene as one SVG element.

    Args:
        scene: the scene.
        quick: lay it out in linear time, for one of very many scenes.

    Returns:
        SVG whose boxes are buttons with a name for screen readers; each carries its place in the
        passes as data, so that a script can show one step after the other.

    >>> 'role="button"' in scene_svg(Scene("whole", "f", "", [Item("x", "x", "input")]))
    True
    """
    placed = (place_quickly if quick else place)(
        [_box(item) for item in scene.items],
        [Arrow(link.source, link.target, _label_width(link)) for link in scene.links],
    )
    inner = [_arrow(link, route) for link, route in zip(scene.links, placed.routes, strict=True)]
    inner += [_node(item, order, placed) for order, item in enumerate(scene.items)]
    inner += [_label(link, route) for link, route in zip(scene.links, placed.routes, strict=True)]
    width, height = placed.width + 2 * _MARGIN, placed.height + 2 * _MARGIN
    return (
        f'<svg class="bp-graph" role="group" aria-label="{_said(scene.title)}" '
        f'xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="{-_MARGIN:g} {-_MARGIN:g} {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}">' + "".join(inner) + "</svg>"
    )


def _said(text: str) -> str:
    return escape(clean(text))


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _lines(item: Item) -> list[tuple[str, str]]:
    """The style and the text of each line below the title."""
    found = [("bp-line", item.formula), ("bp-line bp-value", item.value)]
    found.append(("bp-line bp-gradient", item.gradient))
    found += [("bp-note", f"⚠ {note}") for note in item.notes[:1]]
    return [(style, _short(text)) for style, text in found if text]


def _box(item: Item) -> Box:
    lines = _lines(item)
    widest = max([text_width(item.title, _TITLE) + 4, *(text_width(t, _LINE) for _, t in lines)])
    return Box(item.key, max(64.0, widest + 26), 34.0 + _HEIGHT * len(lines))


def _label_width(link: Link) -> float:
    widest = max(text_width(t, _LABEL) for t in (link.forward, link.backward))
    return widest + 2 * _LABEL * 0.6 + 16 if widest else 0.0


def _node(item: Item, order: int, placed: Placed) -> str:
    x, y = placed.centres[item.key]
    width, height = placed.sizes[item.key]
    left, top = x - width / 2, y - height / 2
    corner = {"input": min(height / 2, 17.0), "constant": 0.0}.get(item.role, 7.0)
    shape = ""
    if item.role == "part":  # a second sheet behind it marks what can be opened
        shape = _rect("bp-behind", left + 5, top - 5, width, height, corner)
    shape += _rect("bp-shape", left, top, width, height, corner)
    if item.role == "output":
        shape += _rect("bp-inner", left + 3, top + 3, width - 6, height - 6, 4.5)
    lines = _lines(item)
    first = y - _HEIGHT * len(lines) / 2 + 5
    text = f'<text class="bp-title" x="{x:.1f}" y="{first:.1f}">{subscripted(item.title)}</text>'
    for number, (style, line) in enumerate(lines, start=1):
        text += (
            f'<text class="{style}" x="{x:.1f}" y="{first + _HEIGHT * number:.1f}">'
            f"{subscripted(line)}</text>"
        )
    kind = "scene" if item.role == "part" else "node"
    moves = "" if item.role == "outside" else f' data-order="{order}"'
    return (
        f'<g class="bp-node bp-{item.role}" tabindex="0" role="button" '
        f'aria-label="{_name(item)}" data-key="{_said(item.key)}" data-{kind}="'
        f'{_said(item.opens)}"{moves} data-forward="{_said(item.forward)}" '
        f'data-backward="{_said(item.backward)}">{shape}{text}</g>'
    )


def _name(item: Item) -> str:
    """What a screen reader says of a box. Numbers are said step by step and in its panel."""
    parts = [f"{item.title}, {item.role}", item.formula, *item.notes]
    return _said(", ".join(p for p in parts if p))


def _rect(style: str, left: float, top: float, width: float, height: float, corner: float) -> str:
    return (
        f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="{corner:g}"/>'
    )


def _arrow(link: Link, route: Sequence[Point]) -> str:
    x, y = route[-1]
    back = -9 if len(route) < 2 or route[-2][0] <= x else 9
    tip = f"{x + back:.1f},{y - 4.5:.1f} {x:.1f},{y:.1f} {x + back:.1f},{y + 4.5:.1f}"
    return (
        f'<g class="bp-edge"><path d="{rounded_path(list(route))}"/><polygon points="{tip}"/></g>'
    )


def _label(link: Link, route: Sequence[Point]) -> str:
    x, y = route[0][0] + 8, route[0][1]
    parts = (("bp-forward", y - 6, "→", link.forward), ("bp-backward", y + 15, "←", link.backward))
    ends = f'data-source="{_said(link.source)}" data-target="{_said(link.target)}"'
    return "".join(
        f'<text class="{style}" {ends} x="{x:.1f}" y="{at:.1f}">{arrow} {_said(text)}</text>'
        for style, at, arrow, text in parts
        if text
    )
