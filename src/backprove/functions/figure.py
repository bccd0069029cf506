"""The figure of functions over their derivatives: jumps are jumps, and nothing overflows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, isinf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backprove.errors import InputError, Unsupported
from backprove.functions.records import Asymptote, FunctionRecord, Kink, number_text
from backprove.functions.table import ALONG_AXIS, lookup
from backprove.results import Block, Chart, Heading, Result, Table, Text

_COMPLEX_STEP = 1e-200
_CEILING = 10.0  # where a curve runs to infinity inside the window it is cut off at this height

Point = dict[str, Any]


@dataclass
class FunctionFigure(Result):
    """Functions drawn over their derivatives, one column for each function.

    Args:
        records: the functions.
        points: the points of all curves, as :class:`backprove.results.Chart` takes them.
    """

    records: tuple[FunctionRecord, ...]
    points: list[Point]

    def blocks(self) -> list[Block]:
        names = ", ".join(record.name for record in self.records)
        return [
            Heading(f"{names} and derivatives"),
            Chart(
                title=f"{names}: function above derivative",
                x="x",
                y="value",
                data=self.points,
                caption="Dashed: asymptotes. At a jump the full circle is the value that is "
                "taken, an empty circle is a one-sided limit that is not.",
                columns=len(self.records),
                free_y=True,
            ),
            Table(
                ("function", "range", "largest slope", "asymptotes", "jumps and kinks"),
                [_summary(record) for record in self.records],
            ),
            Text(
                "The largest slope is exact (the smallest Lipschitz constant), not read off the "
                "grid; the grid contains 0 and every kink."
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "function figure",
            "functions": [record.to_dict() for record in self.records],
            "points": self.points,
        }


def function_figure(
    names: Sequence[str], *, low: float = -10.0, high: float = 10.0, steps: int = 400
) -> FunctionFigure:
    """The figure of some functions over their derivatives.

    Args:
        names: functions of one argument, by name or alias.
        low: left end of the x-axis.
        high: right end of the x-axis.
        steps: number of equal steps from ``low`` to ``high``; 0 and the kinks are added.

    Returns:
        The figure, with the data of two panels for each function.

    Raises:
        UnknownName: no such function.
        Unsupported: the function has no curve over one axis.
        InputError: the window is empty, or lies outside of a function's domain.

    >>> figure = function_figure(["sigmoid"])
    >>> slopes = [p for p in figure.points if p["panel"] == "sigmoid, derivative"]
    >>> max(p["y"] for p in slopes if p["series"] == "sigmoid")
    0.25
    """
    if not names:
        raise InputError("A figure needs the name of at least one function, none was given.")
    if not (isfinite(low) and isfinite(high) and low < high and 2 <= steps <= 100_000):
        raise InputError(
            f"The window from {low} to {high} in {steps} steps cannot be drawn.",
            hint="Give finite ends, low < high, and 2 to 100000 steps.",
        )
    records = tuple(_drawable(name, low, high) for name in dict.fromkeys(names))
    above: list[Point] = []
    below: list[Point] = []
    for record in records:
        grid = _grid(record, low, high, steps)
        above += _function_points(record, grid)
        below += _derivative_points(record, grid)
    points = sorted(above + below, key=lambda point: point.get("mark") == "asymptote")
    return FunctionFigure(records, points)  # the legend names the functions first


def slope(record: FunctionRecord, x: NDArray[Any]) -> NDArray[Any]:
    """The derivative of a record's value off its kinks, by a complex step.

    Args:
        record: a function of one argument.
        x: real points, any shape, inside the domain and off the kinks.

    Returns:
        Derivatives, shape of ``x``, accurate to rounding.

    Source: Squire and Trapp, SIAM Review 40 (1998), eq. 6.

    >>> from backprove.functions import lookup
    >>> float(slope(lookup("tanh"), np.array(0.0)))
    1.0
    """
    moved = record.value(np.asarray(x, dtype=np.float64) + 1j * _COMPLEX_STEP)
    return np.imag(moved) / _COMPLEX_STEP


def _drawable(name: str, low: float, high: float) -> FunctionRecord:
    if name in ALONG_AXIS:
        raise Unsupported(f"{name} depends on a whole vector, so it has no curve over one number.")
    record = lookup(name)
    if record.arity != 1:
        raise Unsupported(f"{name} has {record.arity} arguments; a figure takes functions of one.")
    if not (record.domain.low < high and low < record.domain.high):
        raise InputError(
            f"The window from {low:g} to {high:g} lies outside of the domain {record.domain} "
            f"of {record.name}."
        )
    return record


def _grid(record: FunctionRecord, low: float, high: float, steps: int) -> NDArray[Any]:
    """Points of the domain in the window, with 0 and the kinks exactly on the grid."""
    grid = np.linspace(low, high, steps + 1)
    exact = [0.0, *(kink.at for kink in record.kinks)]
    exact = [point for point in exact if low <= point <= high]
    near = (high - low) / steps / 4
    far = np.all([np.abs(grid - point) > near for point in exact], axis=0) if exact else True
    grid = np.union1d(grid[np.broadcast_to(far, grid.shape)], exact)
    return grid[[point in record.domain for point in grid]]


def _poles(record: FunctionRecord, low: float, high: float) -> list[float]:
    """Where the function runs to infinity inside the window."""
    found: set[float] = set()
    for line in record.asymptotes:
        if not line.vertical:
            continue
        if not line.period:
            found.add(line.towards)
            continue
        first = ceil((low - line.towards) / line.period)
        last = floor((high - line.towards) / line.period)
        found.update(line.towards + at * line.period for at in range(first, last + 1))
    return sorted(found)


def _function_points(record: FunctionRecord, grid: NDArray[Any]) -> list[Point]:
    base = {"panel": record.name, "series": record.name}
    jumps = [kink for kink in record.kinks if _jumps(kink)]
    poles = _poles(record, grid[0], grid[-1])
    y = record.value(grid)
    points: list[Point] = []
    breaks = sorted({*(kink.at for kink in jumps), *poles})
    for at, inside in enumerate(_pieces(grid, breaks)):
        keep = inside & _visible(record, y)
        points += _line(base, at, grid[keep], y[keep])
    for kink in jumps:
        nearby = float(np.diff(grid).min()) * 1e-6
        limits = [float(record.value(kink.at + side * nearby)) for side in (-1, 1)]
        points += _jump(base, kink.at, limits, float(record.value(kink.at)), breaks)
    return points + _asymptotes(base["panel"], record.asymptotes, points)


def _derivative_points(record: FunctionRecord, grid: NDArray[Any]) -> list[Point]:
    base = {"panel": _below(record), "series": record.name}
    poles = _poles(record, grid[0], grid[-1])
    breaks = sorted({*(kink.at for kink in record.kinks), *poles})
    smooth = grid[~np.isin(grid, breaks)]
    y = slope(record, smooth)
    points: list[Point] = []
    for at, inside in enumerate(_pieces(smooth, breaks)):
        keep = inside & _visible(record, y)
        points += _line(base, at, smooth[keep], y[keep])
    for kink in record.kinks:
        nearby = float(np.diff(grid).min()) * 1e-6
        sides = ((-1, kink.left), (1, kink.right))
        limits = [
            float(slope(record, np.asarray(kink.at + side * nearby))) if _jumps(kink) else given
            for side, given in sides
        ]
        points += _jump(base, kink.at, limits, kink.taken, breaks)
    return points + _asymptotes(base["panel"], _slope_lines(record), points)


def _below(record: FunctionRecord) -> str:
    return f"{record.name}, derivative"


def _slope_lines(record: FunctionRecord) -> list[Asymptote]:
    """Where a function approaches a line, its derivative approaches the slope of the line."""
    lines = [line for line in record.asymptotes if not line.vertical]
    return [Asymptote(line.towards, 0.0, line.slope) for line in lines]


def _jumps(kink: Kink) -> bool:
    """Whether the function itself jumps, not only its slope."""
    return isinf(kink.left) and isinf(kink.right)


def _pieces(grid: NDArray[Any], breaks: Sequence[float]) -> list[NDArray[Any]]:
    """Masks of the grid points between neighbouring breaks."""
    ends = [-np.inf, *breaks, np.inf]
    return [(grid > a) & (grid < b) for a, b in pairwise(ends)]


def _visible(record: FunctionRecord, y: NDArray[Any]) -> NDArray[Any]:
    finite = np.isfinite(y)
    steep = any(isinf(kink.left) or isinf(kink.right) for kink in record.kinks)
    if steep or any(line.vertical for line in record.asymptotes):
        return finite & (np.abs(y) <= _CEILING)
    return finite


def _line(base: Point, segment: int, x: NDArray[Any], y: NDArray[Any]) -> list[Point]:
    return [
        base | {"x": float(a), "y": float(b), "segment": segment} for a, b in zip(x, y, strict=True)
    ]


def _jump(
    base: Point, at: float, limits: Sequence[float], taken: float, breaks: Sequence[float]
) -> list[Point]:
    """The ends of the two lines that meet at a jump, and their circles."""
    points: list[Point] = []
    left = list(breaks).index(at)
    for segment, limit in zip((left, left + 1), limits, strict=True):
        if isfinite(limit):
            points.append(base | {"x": at, "y": limit, "segment": segment})
            if limit != taken:
                points.append(base | {"x": at, "y": limit, "mark": "open"})
    if isfinite(taken):
        points.append(base | {"x": at, "y": taken, "mark": "closed"})
    return points


def _asymptotes(panel: str, lines: Sequence[Asymptote], curve: Sequence[Point]) -> list[Point]:
    """Each line over the half of the window where the curve approaches it.

    A line that the curve runs along is left out: it would only hide the curve.
    """
    points: list[Point] = []
    for segment, line in enumerate(line for line in lines if not line.vertical):
        side = 1 if line.towards > 0 else -1
        half = sorted((p["x"], p["y"]) for p in curve if p["x"] * side >= 0)
        if not half or all(y == line.slope * x + line.intercept for x, y in half if x):
            continue
        points += [
            {
                "panel": panel,
                "series": "asymptote",
                "x": x,
                "y": line.slope * x + line.intercept,
                "segment": segment,
                "mark": "asymptote",
            }
            for x in (half[0][0], half[-1][0])
        ]
    return points


def _summary(record: FunctionRecord) -> list[str]:
    largest = "unbounded" if record.lipschitz is None else number_text(record.lipschitz)
    lines = ", ".join(dict.fromkeys(line.line for line in record.asymptotes)) or "none"
    kinks = "; ".join(
        f"{kink.condition}: {number_text(kink.left)} | {number_text(kink.right)}, "
        f"{number_text(kink.taken)} taken"
        for kink in record.kinks
    )
    return [record.name, str(record.range), largest, lines, kinks or "none"]
