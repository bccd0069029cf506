"""Drawings and charts for a terminal: a listing of nodes, and sparklines with their numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from backprove.results import Chart, Drawing, Edge, Node
from backprove.views.numerals import format_number
from backprove.views.plain_math import plain_prose
from backprove.views.text_layout import indented, wrapped
from backprove.views.text_tables import table_lines

_BARS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 16


def in_order(drawing: Drawing) -> list[Node]:
    """The nodes with every source before its targets, otherwise in the order given.

    A cycle cannot be ordered; its nodes come last, in the order given.

    >>> nodes = [Node("f", "f"), Node("x", "x")]
    >>> [node.key for node in in_order(Drawing(nodes, [Edge("x", "f")]))]
    ['x', 'f']
    """
    waiting = {node.key: 0 for node in drawing.nodes}
    targets: dict[str, list[str]] = {}
    for edge in drawing.edges:
        if edge.target in waiting and edge.source in waiting:
            waiting[edge.target] += 1
            targets.setdefault(edge.source, []).append(edge.target)
    by_key = {node.key: node for node in drawing.nodes}
    ready = [key for key in by_key if not waiting[key]]
    ordered: list[Node] = []
    while ready:
        key = ready.pop(0)
        ordered.append(by_key.pop(key))
        for target in targets.get(key, []):
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    return ordered + list(by_key.values())


def drawing_lines(drawing: Drawing, width: int) -> list[str]:
    """A directed graph as a listing: each node, what it says, and its incoming edges."""
    titles = {node.key: node.title for node in drawing.nodes}
    incoming: dict[str, list[Edge]] = {}
    for edge in drawing.edges:
        incoming.setdefault(edge.target, []).append(edge)
    lines: list[str] = []
    for node in in_order(drawing):
        role = "" if node.role == "operation" else f" ({node.role})"
        said = f": {'; '.join(node.lines)}" if node.lines else ""
        lines += wrapped(node.title + role + said, width, hang=4)
        for edge in incoming.get(node.key, []):
            flows = ", ".join(
                f"{name} {text}"
                for name, text in (("forward", edge.forward), ("backward", edge.backward))
                if text
            )
            source = titles.get(edge.source, edge.source)
            lines += indented(wrapped(f"← {source}" + f": {flows}" * bool(flows), width - 4), 4)
        for note in node.notes:
            lines += indented(wrapped(f"! {note}", width - 4, hang=2), 4)
    return lines


def chart_lines(chart: Chart, width: int) -> list[str]:
    """A chart as a table: one sparkline per curve, with first, last and extreme values."""
    lines = wrapped(plain_prose(f"{chart.title} ({chart.y} over {chart.x})"), width)
    panels: dict[str, list[list[str | float]]] = {}
    banded = any("low" in point for point in chart.data)
    for (panel, series), every in curves(chart).items():
        points = [point for point in every if "mark" not in point]
        if not points:  # an asymptote is a line to see, not a curve with values
            continue
        panels.setdefault(panel, []).append(_curve_row(series, points, banded))
    columns = ["curve", "", "first", "last"]
    columns += ["band at the end"] if banded else ["lowest", "highest"]
    for panel, rows in panels.items():
        lines += ["", *wrapped(f"{panel}:", width)] if panel else []
        lines += table_lines(columns, rows, width)
    return lines + (wrapped(plain_prose(chart.caption), width) if chart.caption else [])


def _curve_row(series: str, points: list[Mapping[str, Any]], banded: bool) -> list[str | float]:
    ys = [number(point.get("y")) for point in points]
    row: list[str | float] = [series, sparkline(ys, _SPARK_WIDTH), ys[0], ys[-1]]
    if banded:
        return [*row, _band(points[-1])]
    finite = [y for y in ys if math.isfinite(y)]
    return [*row, min(finite, default=math.nan), max(finite, default=math.nan)]


def curves(chart: Chart) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    """The points of each curve by panel and series, each sorted by x if x is a number."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for point in chart.data:
        key = (str(point.get("panel", "")), str(point.get("series", "")))
        found.setdefault(key, []).append(point)
    for points in found.values():
        if all(math.isfinite(number(point.get("x"))) for point in points):
            points.sort(key=lambda point: number(point.get("x")))
    return found


def number(value: object) -> float:
    """A chart value as a float; NaN for what is missing or is not a number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return math.nan


def _band(point: Mapping[str, Any]) -> str:
    if "low" not in point or "high" not in point:
        return ""
    return f"{format_number(number(point['low']))} to {format_number(number(point['high']))}"


def sparkline(values: Sequence[float], width: int) -> str:
    """A curve as block characters; a value that is not finite leaves a gap.

    >>> sparkline([0, 1, 2, 3], 8), sparkline([1, 1], 8), sparkline([0, float("nan"), 7], 8)
    ('▁▃▆█', '▁▁', '▁ █')
    """
    if len(values) > width:
        values = [values[round(at * (len(values) - 1) / (width - 1))] for at in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return " " * len(values)
    low, spread = min(finite), max(finite) - min(finite)
    return "".join(
        _BARS[round((value - low) / spread * 7) if spread else 0] if math.isfinite(value) else " "
        for value in values
    )
