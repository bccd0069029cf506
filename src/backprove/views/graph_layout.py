"""Coordinates for drawings of directed graphs: layered, left to right, the same every time.

The layers, the order within them and the routes come from `graphlay`. What is added here is room
for the labels of the edges: each edge leaves its node in a straight stretch that is long enough
for its label and turns only behind it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import graphlay

Point = tuple[float, float]

_TURN = 30.0  # room for bends behind a label
_GAP = 120.0  # between the layers as they are laid out, before labels set the gaps
_ROW = 900.0  # the width of a row of boxes that no arrow joins to others
_LABEL_HEIGHT = 40.0  # a forward and a backward line
_MOST_WRITTEN = 300  # boxes; larger drawings are laid out once
_UNTOUCHED = {
    "seeds": 1,
    "sweeps": 0,
    "sifting_rounds": 0,
    "exhaustive_layer_max": 0,
    "kick_rounds": 0,
    "balance_rounds": 0,
}
"""No search for another order within the layers than the one in which the boxes come."""


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
        boxes: the nodes.
        arrows: the edges, operands of one node in their written order, which they keep from top
            to bottom where they can; both ends must be among the boxes.

    Returns:
        Coordinates in pixels, with (0, 0) at the top left.

    >>> placed = place([Box("x", 80, 40), Box("f", 80, 40)], [Arrow("x", "f", 50)])
    >>> placed.centres["x"] < placed.centres["f"], placed.routes
    (True, [[(80.0, 20.0), (160.0, 20.0)]])
    """
    ends = {end for arrow in arrows for end in (arrow.source, arrow.target)}
    loose = [box for box in boxes if box.key not in ends]
    tied = [box for box in boxes if box.key in ends]
    return _with_loose(_connected(_as_written(tied, arrows), arrows), loose)


def _with_loose(placed: Placed, loose: Sequence[Box]) -> Placed:
    """Boxes without arrows stand in rows below the drawing."""
    if not loose:
        return placed
    centres, sizes = dict(placed.centres), dict(placed.sizes)
    widest = max(placed.width, _ROW)
    x, y, height = 0.0, placed.height + (_TURN if placed.centres else 0.0), 0.0
    right = placed.width
    for box in loose:
        if x and x + box.width > widest:
            x, y, height = 0.0, y + height + _TURN, 0.0
        centres[box.key] = (x + box.width / 2, y + box.height / 2)
        sizes[box.key] = (box.width, box.height)
        x, height = x + box.width + _TURN, max(height, box.height)
        right = max(right, x - _TURN)
    return Placed(centres, sizes, placed.routes, right, y + height)


def _connected(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Placed:
    """The boxes that arrows join."""
    if not boxes:
        return Placed({}, {}, [], 0.0, 0.0)
    layout = _laid_out(boxes, arrows)
    columns = _Columns(layout.nodes, boxes, arrows)
    sizes = {
        box.key: (node["size"]["width"], node["size"]["height"])
        for box, node in zip(boxes, layout.nodes, strict=True)
    }
    centres = {
        box.key: (columns.centre(node["rank"]), node["center"]["y"])
        for box, node in zip(boxes, layout.nodes, strict=True)
    }
    routes = [
        columns.route([(p["x"], p["y"]) for p in edge["points"]], arrow, centres, sizes)
        for edge, arrow in zip(layout.edges, arrows, strict=True)
    ]
    routes = _off_corners(routes, arrows, centres, sizes)
    return _moved_to_origin(centres, sizes, routes, _reads_better_upside_down(boxes, centres))


def _laid_out(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> graphlay.Layout:
    """The layout in written order where that costs no crossing, else the one with the fewest."""
    labelled = any(arrow.label_width for arrow in arrows)
    graph = _graph(boxes, arrows, labelled)
    options: dict[str, Any] = {
        "direction": "leftright",
        "routing": {"port_sides": "facing_only"},
        # Flattened steps can lead along the very border of a node between them.
        "tuning": {"routing": {"step_flatten": 0}},
        "spacing": {
            "layer_gap": _GAP,
            "node_gap": 30.0,
            "dummy_gap": _LABEL_HEIGHT if labelled else 24.0,
            "port_gap": _LABEL_HEIGHT if labelled else 18.0,
            "stub": 8.0,
        },
    }
    fewest = graphlay.layout(graph, options=options)
    if len(boxes) > _MOST_WRITTEN:
        return fewest
    tuning = {**options["tuning"], "order": _UNTOUCHED}
    written = graphlay.layout(graph, options={**options, "tuning": tuning})
    return written if _faults(written) <= _faults(fewest) else fewest


def _faults(layout: graphlay.Layout) -> int:
    """Crossings, and arrows that touch a node which is not theirs."""
    found = layout.metrics()
    return int(found["crossings"] + found["node_edge_hits"] + found["overlaps"])


def _as_written(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> list[Box]:
    """The nodes in the order in which an expression names them: operands first, left to right."""
    operands: dict[str, list[str]] = {}
    for arrow in arrows:
        operands.setdefault(arrow.target, []).append(arrow.source)
    used = {arrow.source for arrow in arrows}
    by_key = {box.key: box for box in boxes}
    roots = [key for key in by_key if key not in used] + list(by_key)
    written: list[Box] = []
    seen: set[str] = set()
    stack = [(key, False) for key in reversed(roots)]  # no recursion: chains can be long
    while stack:
        key, done = stack.pop()
        if done:
            written.append(by_key[key])
        elif key not in seen:
            seen.add(key)
            stack.append((key, True))
            stack.extend((each, False) for each in reversed(operands.get(key, [])))
    return written


class _Columns:
    """The layers as columns whose gaps are as wide as the labels in them, and no wider."""

    def __init__(
        self, nodes: list[dict[str, Any]], boxes: Sequence[Box], arrows: Sequence[Arrow]
    ) -> None:
        rank = {box.key: node["rank"] for box, node in zip(boxes, nodes, strict=True)}
        count = max(rank.values()) + 1
        self._widths = [0.0] * count
        self._old_lefts = [math.inf] * count
        for node in nodes:
            at, width = node["rank"], node["size"]["width"]
            self._widths[at] = max(self._widths[at], width)
            self._old_lefts[at] = min(self._old_lefts[at], node["center"]["x"] - width / 2)
        gaps = [2 * _TURN] * count
        for arrow in arrows:
            if arrow.label_width:
                at = rank[arrow.source]
                gaps[at] = max(gaps[at], arrow.label_width + _TURN)
        self._lefts = [0.0] * count
        for at in range(1, count):
            self._lefts[at] = self._lefts[at - 1] + self._widths[at - 1] + gaps[at - 1]

    def centre(self, at: int) -> float:
        return self._lefts[at] + self._widths[at] / 2

    def route(
        self,
        points: list[Point],
        arrow: Arrow,
        centres: dict[str, Point],
        sizes: dict[str, Point],
    ) -> list[Point]:
        """The same corners, moved with their columns; bends come last in their gap."""
        moved = [(self._moved(x), y) for x, y in points]
        if arrow.source == arrow.target:
            return moved
        moved[0] = (self._end(arrow.source, 1, centres, sizes), moved[0][1])
        moved[-1] = (self._end(arrow.target, -1, centres, sizes), moved[-1][1])
        return moved

    def _moved(self, x: float) -> float:
        # A bend keeps its distance to the column behind it, so lanes that did not touch in the
        # gap still do not.
        after = bisect_right(self._old_lefts, x)
        if after >= len(self._lefts):
            return x - self._old_lefts[-1] + self._lefts[-1]
        squeezed = (x - self._old_lefts[after]) * (_TURN / _GAP)
        return self._lefts[after] + squeezed

    @staticmethod
    def _end(key: str, side: int, centres: dict[str, Point], sizes: dict[str, Point]) -> float:
        return centres[key][0] + side * sizes[key][0] / 2


def _graph(boxes: Sequence[Box], arrows: Sequence[Arrow], labelled: bool) -> graphlay.Graph:
    leaving: dict[str, int] = {}
    entering: dict[str, int] = {}
    for arrow in arrows:
        leaving[arrow.source] = leaving.get(arrow.source, 0) + 1
        entering[arrow.target] = entering.get(arrow.target, 0) + 1
    pitch = _LABEL_HEIGHT if labelled else 18.0
    graph = graphlay.Graph()
    for box in boxes:
        ports = max(leaving.get(box.key, 0) * pitch, entering.get(box.key, 0) * 18.0 + 8.0)
        graph.node(box.key, width=box.width, height=max(box.height, ports))
    for arrow in arrows:
        graph.edge(arrow.source, arrow.target)
    return graph


def _off_corners(
    routes: list[list[Point]],
    arrows: Sequence[Arrow],
    centres: dict[str, Point],
    sizes: dict[str, Point],
) -> list[list[Point]]:
    """Draw the ends of bent arrows together, so that no arrow head hangs on a rounded corner."""
    widest: dict[str, float] = {}
    for route, arrow in zip(routes, arrows, strict=True):
        offset = abs(route[-1][1] - centres[arrow.target][1])
        widest[arrow.target] = max(widest.get(arrow.target, 0.0), offset)
    found: list[list[Point]] = []
    for route, arrow in zip(routes, arrows, strict=True):
        reach = max(0.0, sizes[arrow.target][1] / 2 - 11)
        # A bend further away stays: its last stretch passes other nodes.
        bends_here = len(route) > 3 and route[-1][0] - route[-2][0] <= _TURN
        if bends_here and widest[arrow.target] > reach and arrow.source != arrow.target:
            middle = centres[arrow.target][1]
            y = middle + (route[-1][1] - middle) * reach / widest[arrow.target]
            route = [*route[:-2], (route[-2][0], y), (route[-1][0], y)]
        found.append(route)
    return found


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
