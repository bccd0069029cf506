"""Coordinates for drawings of directed graphs: layered, left to right, the same every time.

The layers, the order within them and the routes come from `graphlay`. What is added here is room
for the labels of the edges: each edge leaves its node in a straight stretch that is long enough
for its label and turns only behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import graphlay

Point = tuple[float, float]

_TURN = 26.0  # room for bends behind a label
_LABEL_HEIGHT = 40.0  # a forward and a backward line


@dataclass(frozen=True)
class Box:
    """A node to place: its size in pixels."""

    key: str
    width: float
    height: float


@dataclass(frozen=True)
class Arrow:
    """An edge to route: its ends, and the width of its label in pixels."""

    source: str
    target: str
    label_width: float = 0.0


@dataclass(frozen=True)
class Placed:
    """Where everything went.

    Args:
        centres: the centre of each node, by key.
        sizes: width and height of each node; a node grows where many arrows meet.
        routes: the corner points of each arrow, in the order of the arrows.
        width: of the whole drawing.
        height: of the whole drawing.
    """

    centres: dict[str, Point]
    sizes: dict[str, Point]
    routes: list[list[Point]]
    width: float
    height: float


def place(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Placed:
    """Lay out a directed graph from left to right.

    Args:
        boxes: the nodes, in the order in which they were written; where the order within a
            layer is free, they keep it from top to bottom.
        arrows: the edges; both ends must be among the boxes.

    Returns:
        Coordinates in pixels, with (0, 0) at the top left.

    >>> placed = place([Box("x", 80, 40), Box("f", 80, 40)], [Arrow("x", "f", 50)])
    >>> placed.centres["x"] < placed.centres["f"], placed.routes
    (True, [[(80.0, 20.0), (156.0, 20.0)]])
    """
    if not boxes:
        return Placed({}, {}, [], 0.0, 0.0)
    label_room = max((arrow.label_width for arrow in arrows), default=0.0)
    gap = label_room + _TURN if label_room else 2 * _TURN
    layout = graphlay.layout(
        _graph(boxes, arrows, bool(label_room)),
        options={
            "direction": "leftright",
            "spacing": {
                "layer_gap": gap,
                "node_gap": 34.0,
                "dummy_gap": _LABEL_HEIGHT if label_room else 24.0,
                "port_gap": _LABEL_HEIGHT if label_room else 18.0,
                "stub": 8.0,
            },
        },
    )
    sizes = {
        box.key: (node["size"]["width"], node["size"]["height"])
        for box, node in zip(boxes, layout.nodes, strict=True)
    }
    centres = {
        box.key: (node["center"]["x"], node["center"]["y"])
        for box, node in zip(boxes, layout.nodes, strict=True)
    }
    routes = [[(p["x"], p["y"]) for p in edge["points"]] for edge in layout.edges]
    flip = _reads_better_upside_down(boxes, centres)
    return _moved_to_origin(centres, sizes, _behind_labels(routes, centres, sizes, gap), flip)


def _graph(boxes: Sequence[Box], arrows: Sequence[Arrow], labelled: bool) -> graphlay.Graph:
    leaving: dict[str, int] = {}
    entering: dict[str, int] = {}
    for arrow in arrows:
        leaving[arrow.source] = leaving.get(arrow.source, 0) + 1
        entering[arrow.target] = entering.get(arrow.target, 0) + 1
    pitch = _LABEL_HEIGHT if labelled else 18.0
    graph = graphlay.Graph()
    for box in boxes:
        ports = max(leaving.get(box.key, 0) * pitch, entering.get(box.key, 0) * 18.0)
        graph.node(box.key, width=box.width, height=max(box.height, ports))
    for arrow in arrows:
        graph.edge(arrow.source, arrow.target)
    return graph


def _reads_better_upside_down(boxes: Sequence[Box], centres: dict[str, Point]) -> bool:
    """Whether mirroring the drawing brings more neighbours into their written order."""
    columns: dict[int, list[float]] = {}
    for box in boxes:
        x, y = centres[box.key]
        columns.setdefault(round(x), []).append(y)
    balance = 0
    for column in columns.values():
        for above, below in pairwise(column):
            balance += (above < below) - (above > below)
    return balance < 0


def _behind_labels(
    routes: list[list[Point]], centres: dict[str, Point], sizes: dict[str, Point], gap: float
) -> list[list[Point]]:
    """Move the vertical stretches of all routes to the right end of the gap they stand in.

    All that stand in one gap move together, so lanes that did not touch still do not.
    """
    right_ends = sorted({centres[key][0] + sizes[key][0] / 2 for key in centres})
    lefts = sorted({centres[key][0] - sizes[key][0] / 2 for key in centres})
    bends = {x for route in routes for x, _ in route[1:-1]}
    groups: dict[float, list[float]] = {}
    for x in sorted(bends):
        end = next((left for left in lefts if left > x), None)
        if end is not None and any(right < x for right in right_ends):
            groups.setdefault(end, []).append(x)
    moved: dict[float, float] = {}
    for end, xs in groups.items():
        # Layers of different widths overlap the gap; the narrowest node sets where it ends.
        shift = max(0.0, end - _TURN / 2 - max(xs)) if max(xs) > end - gap else 0.0
        moved.update({x: x + shift for x in xs})
    return [
        [route[0], *((moved.get(x, x), y) for x, y in route[1:-1]), route[-1]] for route in routes
    ]


def _moved_to_origin(
    centres: dict[str, Point], sizes: dict[str, Point], routes: list[list[Point]], flip: bool
) -> Placed:
    sign = -1.0 if flip else 1.0
    centres = {key: (x, sign * y) for key, (x, y) in centres.items()}
    routes = [[(x, sign * y) for x, y in route] for route in routes]
    xs = [x for route in routes for x, _ in route]
    ys = [y for route in routes for _, y in route]
    for key, (x, y) in centres.items():
        width, height = sizes[key]
        xs += [x - width / 2, x + width / 2]
        ys += [y - height / 2, y + height / 2]
    left, top = min(xs), min(ys)
    return Placed(
        {key: (x - left, y - top) for key, (x, y) in centres.items()},
        sizes,
        [[(x - left, y - top) for x, y in route] for route in routes],
        max(xs) - left,
        max(ys) - top,
    )
