"""Pictures of the plane: regions, lines and points, as SVG and as characters for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from backprove.results import Mark, Plane
from backprove.views.numerals import format_value
from backprove.views.text_layout import clean, display_width, wrapped

_SIDE, _LEFT, _BELOW, _TOP = 360.0, 72.0, 46.0, 12.0
_ROW = 20.0
_HATCH = 9.0
_MARGIN = 0.12  # of the picture, around what is in it
_DASHES = ("", "7 4", "2 3", "9 3 2 3", "12 4", "4 2 1 2", "1 4", "10 2 2 2")
_WIDE, _HIGH = 49, 17  # characters of a picture in a terminal
_SIGNS = {"closed": "●", "open": "○", "cross": "×"}

Point = tuple[float, float]


def bounds(plane: Plane) -> tuple[Point, Point]:
    """The least and the greatest x and y of a picture, with a margin.

    >>> bounds(Plane("", "x", "y", [Mark((0, 0)), Mark((1, 1))]))[0]
    (-0.12, -0.12)
    """
    points = [mark.at for mark in plane.marks]
    places = [*points, *(end for line in plane.lines for end in (line.start, line.end))]
    places += [corner for region in plane.regions for corner in region]
    low = [min((p[k] for p in places), default=0.0) for k in (0, 1)]
    high = [max((p[k] for p in places), default=1.0) for k in (0, 1)]
    room = _MARGIN * max(high[0] - low[0], high[1] - low[1])
    for k in (0, 1):
        # Lines that run on beyond the points bring their own margin.
        if any(p[k] == low[k] for p in points):
            low[k] -= room
        if any(p[k] == high[k] for p in points):
            high[k] += room
        if high[k] - low[k] <= 1e-9 * max(abs(low[k]), abs(high[k])):
            low[k], high[k] = low[k] - 0.5, high[k] + 0.5
    return (low[0], low[1]), (high[0], high[1])


class _Frame:
    """From the plane to pixels, y upwards, with one scale for both axes where that can be."""

    def __init__(self, plane: Plane) -> None:
        self.low, self.high = bounds(plane)
        spans = [self.high[k] - self.low[k] for k in (0, 1)]
        ratio = spans[1] / spans[0]
        # A strip a hundred times as long as it is high cannot be drawn to scale.
        ratio = ratio if 0.3 < ratio < 1.6 else 0.75
        self.width, self.height = _SIDE, _SIDE * ratio
        self.scale = self.width / spans[0], self.height / spans[1]

    def at(self, point: Point) -> Point:
        x = _LEFT + (point[0] - self.low[0]) * self.scale[0]
        return x, _TOP + (self.high[1] - point[1]) * self.scale[1]


def plane_svg(plane: Plane) -> str:
    """A picture of the plane as one SVG element.

    Returns:
        SVG with a title and a description for screen readers. Colours are CSS variables; regions
        are hatched, lines differ in dash and classes in fill, so it survives grey print.

    >>> plane_svg(Plane("points", "x", "y", [Mark((0, 0))])).count("<circle")
    1
    """
    frame = _Frame(plane)
    names = list(dict.fromkeys(line.name for line in plane.lines))
    legend = _legend(plane, names)
    height = _TOP + frame.height + _BELOW + _ROW * len(legend)
    width = _LEFT + frame.width + 90
    inner = [_regions(plane, frame), _axes(plane, frame)]
    inner += [_line(line.start, line.end, names.index(line.name), frame) for line in plane.lines]
    inner += [_point(mark, frame) for mark in plane.marks]
    for row, (sample, text) in enumerate(legend):
        y = _TOP + frame.height + _BELOW + _ROW * row + 4
        inner.append(
            f'<g transform="translate({_LEFT:g} {y:.1f})">{sample}'
            f'<text class="bp-said" x="40" y="4">{_text(text)}</text></g>'
        )
    return (
        f'<svg class="bp-plane" role="img" xmlns="http://www.w3.org/2000/svg" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
        f"<title>{_text(plane.title)}</title><desc>{_text(described(plane))}</desc>"
        + "".join(inner)
        + "</svg>"
    )


def described(plane: Plane) -> str:
    """The picture in words.

    >>> described(Plane("", "x1", "x2", [Mark((0, 1), "1")], classes={"closed": "target 1"}))
    'Points (x1, x2): (0, 1) target 1.'
    """
    parts = []
    points = [
        f"({format_value(m.at[0])}, {format_value(m.at[1])})"
        + (f" {plane.classes.get(m.kind, m.label)}" if plane.classes or m.label else "")
        for m in plane.marks
    ]
    if points:
        parts.append(f"Points ({plane.x}, {plane.y}): {'; '.join(points)}.")
    names = list(dict.fromkeys(line.name for line in plane.lines))
    if names:
        parts.append(f"Lines: {'; '.join(names)}.")
    if plane.regions and plane.region:
        parts.append(f"Shaded: {plane.region}.")
    return " ".join([*parts, plane.caption]).strip()


def _text(text: str) -> str:
    return escape(clean(text))


def _regions(plane: Plane, frame: _Frame) -> str:
    return "".join(_shaded([frame.at(corner) for corner in region]) for region in plane.regions)


def _shaded(corners: Sequence[Point]) -> str:
    """A convex polygon in a tint, with slanted lines that also show without colour."""
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    slants = [x + y for x, y in corners]
    lines = []
    for k in range(math.ceil(min(slants) / _HATCH), math.floor(max(slants) / _HATCH) + 1):
        met = _met(corners, k * _HATCH)
        if len(met) > 1:
            (x0, y0), (x1, y1) = min(met), max(met)
            lines.append(f"M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}")
    hatch = f'<path class="bp-hatch" d="{"".join(lines)}"/>' if lines else ""
    return f'<polygon class="bp-tint" points="{outline}"/>{hatch}'


def _met(corners: Sequence[Point], slant: float) -> list[Point]:
    """Where the line x + y = slant meets the border of a polygon."""
    found = []
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        first, last = a[0] + a[1] - slant, b[0] + b[1] - slant
        if first * last <= 0 and first != last:
            share = first / (first - last)
            found.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
    return found


def _axes(plane: Plane, frame: _Frame) -> str:
    bottom, left = _TOP + frame.height, _LEFT
    inner = [
        f'<rect class="bp-box" x="{left:g}" y="{_TOP:g}" width="{frame.width:.1f}" '
        f'height="{frame.height:.1f}"/>'
    ]
    for value in _ticks(frame.low[0], frame.high[0]):
        x = frame.at((value, 0.0))[0]
        inner.append(f'<path class="bp-tick" d="M{x:.1f} {bottom:.1f}v5"/>')
        inner.append(f'<text x="{x:.1f}" y="{bottom + 19:.1f}">{_number(value)}</text>')
    for value in _ticks(frame.low[1], frame.high[1]):
        y = frame.at((0.0, value))[1]
        inner.append(f'<path class="bp-tick" d="M{left:g} {y:.1f}h-5"/>')
        inner.append(
            f'<text class="bp-end" x="{left - 9:g}" y="{y + 4:.1f}">{_number(value)}</text>'
        )
    middle = left + frame.width / 2, _TOP + frame.height / 2
    inner.append(f'<text x="{middle[0]:.1f}" y="{bottom + 36:.1f}">{_text(plane.x)}</text>')
    inner.append(f'<text class="bp-end" x="22" y="{middle[1] + 4:.1f}">{_text(plane.y)}</text>')
    return "".join(inner)


def _number(value: float) -> str:
    return _text(format_value(value).replace("-", "\N{MINUS SIGN}"))


def _ticks(low: float, high: float) -> list[float]:
    """About five round numbers between two others.

    >>> _ticks(-0.5, 1.5)
    [-0.5, 0.0, 0.5, 1.0, 1.5]
    """
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _line(start: Point, end: Point, number: int, frame: _Frame) -> str:
    (x0, y0), (x1, y1) = frame.at(start), frame.at(end)
    return f'<path {_stroke(number)} d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>'


def _stroke(number: int) -> str:
    dash = _DASHES[number % len(_DASHES)]
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'class="bp-line" style="stroke: var(--bp-series-{number % 7 + 1})"{dashed}'


def _point(mark: Mark, frame: _Frame) -> str:
    x, y = frame.at(mark.at)
    shape = _sign(mark.kind, x, y)
    if not mark.label:
        return shape
    at = f'x="{x + 11:.1f}" y="{y - 8:.1f}"'
    return f'{shape}<text class="bp-said" {at}>{_text(mark.label)}</text>'


def _sign(kind: str, x: float, y: float) -> str:
    if kind == "cross":
        d = f"M{x - 6:.1f} {y - 6:.1f}l12 12m0 -12l-12 12"
        return f'<path class="bp-cross" d="{d}"/>'
    return f'<circle class="bp-{kind}" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'


def _legend(plane: Plane, names: Sequence[str]) -> list[tuple[str, str]]:
    rows = [
        (_sign(kind, 14, 0), text)
        for kind, text in plane.classes.items()
        if any(mark.kind == kind for mark in plane.marks)
    ]
    rows += [(f'<path {_stroke(k)} d="M0 0H28"/>', name) for k, name in enumerate(names)]
    if plane.regions and plane.region:
        sample = _shaded([(2.0, -7.0), (26.0, -7.0), (26.0, 7.0), (2.0, 7.0)])
        rows.append((sample, plane.region))
    return rows


# --- characters ----------------------------------------------------------------------------------


def plane_lines(plane: Plane, width: int) -> list[str]:
    """A picture of the plane for a terminal, and its legend.

    >>> print(plane_lines(Plane("points", "x", "y", [Mark((0, 0)), Mark((1, 1))]), 80)[0])
    points
    """
    low, high = bounds(plane)
    x_name, y_name = clean(plane.x), clean(plane.y)
    wide = min(_WIDE, width - 12)
    cells = [[" "] * wide for _ in range(_HIGH)]

    def cell(point: Point) -> tuple[int, int]:
        column = round((point[0] - low[0]) / (high[0] - low[0]) * (wide - 1))
        return round((high[1] - point[1]) / (high[1] - low[1]) * (_HIGH - 1)), column

    for row in range(_HIGH):
        for column in range(wide):
            x = low[0] + column / (wide - 1) * (high[0] - low[0])
            y = high[1] - row / (_HIGH - 1) * (high[1] - low[1])
            if any(_inside(region, (x, y)) for region in plane.regions):
                cells[row][column] = "░"
    names = list(dict.fromkeys(line.name for line in plane.lines))
    for line in plane.lines:
        sign = chr(ord("a") + names.index(line.name) % 26)
        for share in range(2 * wide):
            t = share / (2 * wide - 1)
            at = tuple(a + t * (b - a) for a, b in zip(line.start, line.end, strict=True))
            row, column = cell((at[0], at[1]))
            cells[row][column] = sign
    for mark in plane.marks:
        row, column = cell(mark.at)
        cells[row][column] = _SIGNS[mark.kind]
    top, bottom = format_value(high[1]), format_value(low[1])
    left = max(display_width(top), display_width(bottom), display_width(y_name))
    heads = [top, *[""] * (_HIGH - 2), bottom]
    heads[_HIGH // 2] = y_name
    found = wrapped(clean(plane.title), width)
    found += [
        f"{head:>{left}} │{''.join(row)}".rstrip() for head, row in zip(heads, cells, strict=True)
    ]
    found.append(" " * (left + 1) + "└" + "─" * wide)
    first, last = format_value(low[0]), format_value(high[0])
    middle = x_name.center(max(0, wide - len(first) - len(last)))
    found.append(" " * (left + 2) + first + middle + last)
    kinds = {mark.kind for mark in plane.marks}
    legend = [(_SIGNS[kind], said) for kind, said in plane.classes.items() if kind in kinds]
    legend += [(chr(ord("a") + k % 26), name) for k, name in enumerate(names)]
    legend += [("░", plane.region)] if plane.regions and plane.region else []
    found += [f"  {sign} {clean(said)}" for sign, said in legend]
    return found + (wrapped(clean(plane.caption), width) if plane.caption else [])


def _inside(corners: Sequence[Point], point: Point) -> bool:
    """Whether a point lies in a convex polygon whose corners go around in one direction."""
    turns = [
        (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
        for a, b in zip(corners, [*corners[1:], corners[0]], strict=True)
    ]
    return all(t >= -1e-9 for t in turns) or all(t <= 1e-9 for t in turns)


def plane_rows(plane: Plane) -> list[list[str | float]]:
    """The points, lines and corners of a picture as rows of a table."""
    rows: list[list[str | float]] = []
    for mark in plane.marks:
        said = plane.classes.get(mark.kind, "point")
        rows.append([said + (f", {mark.label}" if mark.label else ""), *map(float, mark.at)])
    for line in plane.lines:
        rows += [[line.name, *map(float, line.start)], [line.name, *map(float, line.end)]]
    for number, region in enumerate(plane.regions, 1):
        rows += [[f"{plane.region}, part {number}", *map(float, corner)] for corner in region]
    return rows
