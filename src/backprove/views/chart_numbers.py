"""The numbers behind a chart as tables: one for each panel, with a column for each curve."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backprove.results import Cell, Chart
from backprove.views.numerals import Value, format_number, is_number
from backprove.views.text_figures import curves, number

MAX_COLUMNS = 8


@dataclass(frozen=True)
class Numbers:
    """One table.

    Args:
        columns: their names.
        rows: the cells.
        caption: what it shows; empty where the chart says it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    caption: str = ""


def chart_numbers(chart: Chart) -> list[Numbers]:
    """The numbers behind a chart.

    Args:
        chart: the curves.

    Returns:
        A table for each panel: with a row for each x, where its curves have about the same x, else
        with a row for each point. A band stands behind its value.

    >>> points = [{"x": 1, "y": 2.5, "low": 2, "high": 3, "series": s} for s in ("train", "dev")]
    >>> (table,) = chart_numbers(Chart("loss", "epoch", "nats", points))
    >>> table.columns, [cell.text for cell in table.rows[0][1:]]
    (['epoch', 'train', 'dev'], ['2.5 (2 to 3)', '2.5 (2 to 3)'])
    """
    by_panel: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for (panel, series), points in curves(chart).items():
        by_panel.setdefault(panel, {})[series] = points
    return [
        _beside(chart, panel, found) or _below(chart, panel, found)
        for panel, found in by_panel.items()
    ]


def _beside(
    chart: Chart, panel: str, found: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Numbers | None:
    """The curves of a panel side by side; None where that would leave many cells empty."""
    at: dict[Any, dict[str, Mapping[str, Any]]] = {}
    count = 0
    for series, points in found.items():
        for point in points:
            row = at.setdefault(point.get("x"), {})
            if series in row:  # both sides of a jump
                return None
            row[series] = point
            count += 1
    if len(found) > MAX_COLUMNS or 2 * count < len(at) * len(found):
        return None
    if all(math.isfinite(number(x)) for x in at):
        at = {x: at[x] for x in sorted(at, key=number)}
    banded = any("low" in point for row in at.values() for point in row.values())
    shown = _with_band if banded else _alone
    rows = [
        [_plain(x), *(shown(row[s]) if s in row else Cell("") for s in found)]
        for x, row in at.items()
    ]
    names = [series or chart.y for series in found]
    caption = f"{panel}: {chart.y}" if panel else chart.y * (names != [chart.y])
    if banded:
        caption = f"{caption or chart.y}, and the band in parentheses"
    return Numbers([chart.x, *names], rows, caption)


def _alone(point: Mapping[str, Any]) -> Value:
    return _plain(point.get("y", ""))


def _with_band(point: Mapping[str, Any]) -> Value:
    value = _text(point.get("y", ""))
    if "low" not in point or "high" not in point:
        return Cell(value)
    return Cell(f"{value} ({_text(point['low'])} to {_text(point['high'])})")


def _text(value: object) -> str:
    if is_number(value) and value == 0:
        return "0"  # also where a band goes down to a zero with a minus
    shown = format_number(value) if is_number(value) else str("" if value is None else value)
    return shown.replace("-", "\N{MINUS SIGN}", 1) if shown.startswith("-") else shown


def _below(chart: Chart, panel: str, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> Numbers:
    banded = any("low" in point for points in found.values() for point in points)
    rows: list[list[Value]] = []
    for series, points in found.items():
        for point in points:
            row: list[Value] = [Cell(series)]
            row += [_plain(point.get(key, "")) for key in ("x", "y")]
            row += [_plain(point.get(key, "")) for key in ("low", "high")] * banded
            rows.append(row)
    columns = ["curve", chart.x, chart.y] + ["low", "high"] * banded
    return Numbers(columns, rows, f"{panel}: {chart.y}" if panel else "")


def _plain(value: object) -> Value:
    """A chart value as a cell; text is not read for marks."""
    return value if is_number(value) else Cell("" if value is None else str(value))  # type: ignore[return-value]
