"""Coordinates for very large graphs, in time linear in nodes and arrows.

Nodes stand in columns by their longest chain of operands, and within a column by the mean place of
their neighbours (Sugiyama, Tagawa and Toda, IEEE Trans. SMC 11 (1981), section 4). Arrows run
straight from the end of their label to their target and may pass behind other nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backprove.views.graph_layout import Arrow, Box, Placed, Point

_GAP_X, _GAP_Y, _TURN = 50.0, 24.0, 14.0
_SWEEPS = 4


def place_quickly(boxes: Sequence[Box], arrows: Sequence[Arrow]) -> Placed:
    """Lay out a directed graph from left to right, however large.

    Args:
        boxes: the nodes in written order, sources of arrows before their targets; an arrow that
            runs against that order is drawn backwards.
        arrows: the edges; both ends must be among the boxes.

    Returns:
        Coordinates in pixels, with (0, 0) at the top left; no two nodes overlap.

    >>> placed = place_quickly([Box("x", 80, 40), Box("f", 80, 40)], [Arrow("x", "f", 50)])
    >>> placed.centres["x"] < placed.centres["f"]
    True
    """
    number = {box.key: k for k, box in enumerate(boxes)}
    ends = [(number[a.source], number[a.target]) for a in arrows]
    columns = _columns(len(boxes), ends)
    _untangle(columns, ends, len(boxes))
    return _coordinates(boxes, arrows, columns, number)


def _columns(count: int, ends: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Nodes by the length of the longest chain that leads to them."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in ends:
        if source < target:
            after[source].append(target)
            waiting[target] += 1
    rank = [0] * count
    for node in range(count):
        for target in after[node]:
            rank[target] = max(rank[target], rank[node] + 1)
    # What nothing leads to stands beside what uses it.
    entered = [w > 0 for w in waiting]
    for node in range(count):
        if not entered[node] and after[node]:
            rank[node] = min(rank[t] for t in after[node]) - 1
    columns: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for node in range(count):
        columns[rank[node]].append(node)
    return columns


def _untangle(columns: list[list[int]], ends: Sequence[tuple[int, int]], count: int) -> None:
    near: list[list[int]] = [[] for _ in range(count)]
    for source, target in ends:
        near[source].append(target)
        near[target].append(source)
    at = [0.0] * count
    for column in columns:
        _number(column, at)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=lambda n: sum(at[k] for k in near[n]) / len(near[n]) if near[n] else 0)
            _number(column, at)


def _number(column: list[int], at: list[float]) -> None:
    for place, node in enumerate(column):
        at[node] = (place + 0.5) / len(column)


def _coordinates(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    columns: Sequence[Sequence[int]],
    number: Mapping[str, int],
) -> Placed:
    heights = [sum(boxes[n].height + _GAP_Y for n in column) for column in columns]
    tallest = max(heights, default=0.0)
    labels = [0.0] * len(boxes)
    for arrow in arrows:
        source = number[arrow.source]
        labels[source] = max(labels[source], arrow.label_width)
    centres: dict[str, Point] = {}
    left = 0.0
    for column, height in zip(columns, heights, strict=True):
        width = max((boxes[n].width for n in column), default=0.0)
        y = (tallest - height) / 2
        for n in column:
            box = boxes[n]
            centres[box.key] = (left + width / 2, y + box.height / 2)
            y += box.height + _GAP_Y
        left += width + _GAP_X + max((labels[n] for n in column), default=0.0)
    sizes = {box.key: (box.width, box.height) for box in boxes}
    routes = [_route(arrow, centres, sizes) for arrow in arrows]
    width = max((centres[b.key][0] + b.width / 2 for b in boxes), default=0.0)
    return Placed(centres, sizes, routes, width, max(tallest - _GAP_Y, 0.0))


def _route(arrow: Arrow, centres: Mapping[str, Point], sizes: Mapping[str, Point]) -> list[Point]:
    (x, y), (goal_x, goal_y) = centres[arrow.source], centres[arrow.target]
    start = x + sizes[arrow.source][0] / 2
    end = goal_x - sizes[arrow.target][0] / 2
    turn = min(start + arrow.label_width, max(start, end - _TURN))
    corners = [(start, y), (turn, y), (end - _TURN, goal_y), (end, goal_y)]
    return [(start, y), (end, goal_y)] if y == goal_y and end > start else corners
