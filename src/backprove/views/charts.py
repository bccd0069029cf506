"""Charts as SVG, drawn by Vega-Lite inside vl-convert: no network, no script in the page."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from pathlib import Path
from typing import Any

from backprove.errors import SetupError
from backprove.results import Block, Chart, Details
from backprove.views.compact_svg import FONT, compact_svg
from backprove.views.text_figures import curves, number
from backprove.views.text_layout import clean

# Okabe and Ito, Color Universal Design (2008): told apart in every common colour blindness. Each
# colour is a CSS variable, so that a page can lighten it in the dark.
_COLOURS = ["#0072b2", "#b84900", "#00805e", "#a8467f", "#5f5f5f", "#8a6d00", "#3b93c9", "#000000"]
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 2, 1, 2], [1, 3], [10, 2, 2, 2]]
_INK, _FAINT, _PAPER = "#333333", "#d9d9d9", "#fefefe"
_MARKS = ("open", "closed", "asymptote")
_ROOM = 60  # letters of labels that fit side by side
_SYMBOL, _LETTER = 46, 6.6  # pixels of a legend's symbol with its gaps, and of a letter
_SINGLE_WIDTH, _PANEL_WIDTH, _WIDEST = 520, 300, 740


Remember = Callable[[str, Callable[[], str]], str]
_remember: ContextVar[Remember] = ContextVar("_remember", default=lambda asked, draw: draw())


def chart_svg(chart: Chart) -> str:
    """A chart as one SVG element; empty if it has no point with a finite value.

    Args:
        chart: the curves. Points that are not finite leave a gap; bands are drawn where a point
            has ``low`` and ``high``.

    Returns:
        SVG that is labelled as an image; the numbers belong in a table beside it.

    >>> svg = chart_svg(Chart("loss", "epoch", "loss", [{"x": 1, "y": 2.0, "series": "train"}]))
    >>> svg.startswith("<svg"), "<script" in svg, 'role="img"' in svg
    (True, False, True)
    """
    import vl_convert  # 40 ms, and most results have no chart

    points = _points(chart)
    if all(point["y"] is None for point in points):
        return ""
    asked = json.dumps(_specification(chart, points))
    svg = _remember.get()(asked, lambda: compact_svg(vl_convert.vegalite_to_svg(asked)))
    return _themed(_labelled(svg, chart))


@contextmanager
def remembered(remember: Remember) -> Iterator[None]:
    """Take pictures that were drawn before, inside of the block.

    Args:
        remember: given what is to be drawn, as text, and what draws it; gives the picture.

    >>> with remembered(lambda asked, draw: "<svg>kept</svg>"):
    ...     "kept" in chart_svg(Chart("t", "x", "y", [{"x": 1, "y": 2.0}]))
    True
    """
    before = _remember.set(remember)
    try:
        yield
    finally:
        _remember.reset(before)


def write_charts(blocks: Sequence[Block], folder: Path) -> list[Path]:
    """Every chart of some blocks as SVG and PNG.

    Args:
        blocks: with charts among them, also inside of details.
        folder: made if it is missing; files of the same name are replaced.

    Returns:
        The files, named by the number and the title of each chart.

    Raises:
        SetupError: the folder cannot be written.
    """
    import vl_convert

    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, chart in enumerate(_charts(blocks), start=1):
            svg = chart_svg(chart)
            if not svg:
                continue
            name = re.sub(r"[^a-z0-9]+", "-", chart.title.lower()).strip("-")
            # Outside of a page nothing sets the colours: what stands behind each variable does.
            plain = re.sub(r"var\(--bp-[\w-]+, (#\w+)\)", r"\1", svg)
            for ending, content in (
                ("svg", plain.encode()),
                ("png", vl_convert.svg_to_png(plain, scale=2)),
            ):
                path = folder / f"{number:02d}-{name}.{ending}"
                part = path.with_name(f".{path.name}.part")
                part.write_bytes(content)
                os.replace(part, path)
                written.append(path)
    except OSError as error:
        raise SetupError(
            f"'{folder}' cannot be written: {error.strerror or error}", hint="Write elsewhere."
        ) from error
    return written


def _charts(blocks: Sequence[Block]) -> Iterator[Chart]:
    for block in blocks:
        if isinstance(block, Chart):
            yield block
        elif isinstance(block, Details):
            yield from _charts(block.blocks)


def _points(chart: Chart) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for (panel, series), points in curves(chart).items():
        for point in points:
            y = number(point.get("y"))
            x = point.get("x")
            row: dict[str, Any] = {"panel": clean(panel), "series": clean(series)}
            row["y"] = y if math.isfinite(y) else None  # Vega leaves a gap there
            row["x"] = number(x) if math.isfinite(number(x)) else clean(str(x))
            for bound in ("low", "high"):
                if bound in point and math.isfinite(number(point[bound])):
                    row[bound] = number(point[bound])
            row["segment"] = str(point.get("segment", ""))
            if point.get("mark") in _MARKS:
                row["mark"] = point["mark"]
            found.append(row)
    return found


def _specification(chart: Chart, points: list[dict[str, Any]]) -> dict[str, Any]:
    panels = list(dict.fromkeys(point["panel"] for point in points))
    columns = max(1, min(chart.columns, len(panels)))
    width = _SINGLE_WIDTH if len(panels) == 1 else min(_PANEL_WIDTH, _WIDEST // columns - 45)
    body: dict[str, Any] = {
        "width": width,
        "height": round(width * (0.56 if columns < 3 else 0.75)),
        "layer": _layers(chart, points, _Styles(chart, points, columns * width)),
    }
    whole: dict[str, Any] = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": points},
        "config": _config(),
    }
    if len(panels) == 1:
        return whole | body
    facet = {"field": "panel", "type": "nominal", "sort": panels, "title": None}
    if chart.free_y:
        whole["resolve"] = {"scale": {"y": "independent"}}
    return whole | {"facet": facet, "columns": columns, "spec": body}


class _Styles:
    """Colour, dash and legend of each curve."""

    def __init__(self, chart: Chart, points: list[dict[str, Any]], room: float) -> None:
        lines = [point for point in points if point.get("mark") == "asymptote"]
        curves_ = [point for point in points if point.get("mark") != "asymptote"]
        main = list(dict.fromkeys(point["series"] for point in curves_))
        extra = [name for name in dict.fromkeys(p["series"] for p in lines) if name not in main]
        # Where panels hold one curve each, dashes would tell nothing apart and would be taken
        # for the dashes of auxiliary lines.
        shared: dict[str, set[str]] = {}
        for point in curves_:
            shared.setdefault(point["panel"], set()).add(point["series"])
        alone = all(len(names) == 1 for names in shared.values())
        colours = [_COLOURS[at % 8] for at in range(len(main))] + [_INK] * len(extra)
        # Shifted in each round of the colours, so that no two curves have both alike.
        dashes = [_DASHES[0 if alone else (at + at // 8) % 8] for at in range(len(main))]
        dashes += [[4, 3]] * len(extra)
        domain = [*main, *extra]
        longest = max((len(name) for name in domain), default=0)
        entry = _SYMBOL + _LETTER * longest
        legend: dict[str, Any] = {"title": None, "orient": "bottom"}
        legend |= {"columns": max(1, int(room // entry))}
        if chart.kind == "line":
            legend |= {"symbolType": "stroke", "symbolSize": 500, "symbolStrokeWidth": 2.4}
            legend |= {"symbolOpacity": 1}  # else it takes the faintness of the bands
        self.legend = legend if len(domain) > 1 else None
        self.series = domain
        self.colour = self._encoding(domain, colours)
        self.dash = self._encoding(domain, dashes)

    def _encoding(self, domain: list[str], values: list[Any]) -> dict[str, Any]:
        scale = {"domain": domain, "range": values}
        return {"field": "series", "type": "nominal", "scale": scale, "legend": self.legend}


def _layers(chart: Chart, points: list[dict[str, Any]], styles: _Styles) -> list[dict[str, Any]]:
    axes = _axes(chart, points)
    layers: list[dict[str, Any]] = []
    if any("low" in point and "high" in point for point in points):
        layers.append(_band(chart.kind, axes, styles.colour))
    if chart.kind == "bar":
        beside = {"xOffset": {"field": "series", "sort": styles.series}}
        bars = {**axes, "color": styles.colour, **beside}
        for layer in layers:
            layer["encoding"] |= {**beside, "color": {"value": _INK}}
        return [{"mark": {"type": "bar"}, "encoding": bars}, *layers]
    if chart.kind == "point":
        shape = {"field": "series", "type": "nominal", "sort": styles.series}
        marked = {**axes, "color": styles.colour, "shape": {**shape, "legend": styles.legend}}
        return [*layers, {"mark": {"type": "point", "size": 44}, "encoding": marked}]
    line = {**axes, "color": styles.colour, "strokeDash": styles.dash}
    joined = {**line, "detail": {"field": "segment", "type": "nominal"}}
    layers.append(_marked("", {"type": "line", "strokeWidth": 2.2}, joined))
    if any("mark" in point for point in points):
        layers.append(_marked("asymptote", {"type": "line", "strokeWidth": 1.2}, joined))
        circle = {**axes, "color": styles.colour}
        ring = {"type": "point", "size": 44, "opacity": 1, "strokeWidth": 1.6}
        layers.append(_marked("open", {**ring, "fill": _PAPER}, circle))
        layers.append(_marked("closed", {**ring, "filled": True}, circle))
    elif len(points) <= 30 * len(styles.series):
        dots = {**axes, "color": styles.colour}
        layers.append({"mark": {"type": "circle", "size": 26, "opacity": 1}, "encoding": dots})
    return layers


def _marked(kind: str, mark: dict[str, Any], encoding: dict[str, Any]) -> dict[str, Any]:
    """A layer of the points with one mark; an empty name stands for those without."""
    chosen = f"datum.mark === '{kind}'" if kind else "!datum.mark"
    return {"transform": [{"filter": chosen}], "mark": mark, "encoding": encoding}


def _axes(chart: Chart, points: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    continuous = all(isinstance(point["x"], float) for point in points) and chart.kind != "bar"
    x: dict[str, Any] = {"field": "x", "title": clean(chart.x)}
    if continuous:
        x |= {"type": "quantitative", "scale": {"zero": False, "nice": False}}
        if all(point["x"] == round(point["x"]) for point in points):
            x["axis"] = {"tickMinStep": 1}
        if chart.log_x and all(point["x"] > 0 for point in points):
            x["scale"] = {"type": "log", "nice": False}
            x["axis"] = {"format": "~g"}
    else:
        names = {str(point["x"]) for point in points}
        crowded = sum(map(len, names)) > _ROOM  # flat labels would overlap
        axis = {"labelAngle": -40 if crowded else 0, "labelLimit": 240}
        x |= {"type": "ordinal", "sort": None, "axis": axis}
    y = {"field": "y", "type": "quantitative", "title": clean(chart.y)}
    return {"x": x, "y": {**y, "scale": {"zero": chart.kind == "bar"}}}


def _band(
    kind: str, axes: Mapping[str, dict[str, Any]], colour: Mapping[str, Any]
) -> dict[str, Any]:
    low = {**axes["y"], "field": "low"}
    bounds = {"x": axes["x"], "y": low, "y2": {"field": "high"}, "color": colour}
    if kind == "line":
        return {"mark": {"type": "area", "opacity": 0.16}, "encoding": bounds}
    return {"mark": {"type": "rule", "strokeWidth": 1.6}, "encoding": bounds}


def _config() -> dict[str, Any]:
    font = FONT
    text = {
        "labelFont": font, "titleFont": font, "labelFontSize": 12, "titleFontSize": 12.5,
        "labelColor": _INK, "titleColor": _INK, "titleFontWeight": 500,
    }  # fmt: skip
    return {
        "background": None,
        "aria": False,  # one label for the whole picture instead of one for each point
        "font": font,
        "view": {"stroke": None},
        "axis": text | {
            "gridColor": _FAINT, "domainColor": _INK, "tickColor": _INK, "titlePadding": 10,
            "labelPadding": 6, "tickCount": 6,
        },
        "axisX": {"grid": False},
        "axisY": {"domain": False, "ticks": False},
        "legend": text | {"labelLimit": 320},
        "header": text,
        "area": {"line": False},
    }  # fmt: skip


def _labelled(svg: str, chart: Chart) -> str:
    """The outer element with its role, name and description; sizes become a flexible width."""
    names = list(dict.fromkeys(str(point.get("series", "")) for point in chart.data))
    curves_named = ", ".join(name for name in names if name)
    described = f"{chart.y} over {chart.x}" + (f" for {curves_named}." if curves_named else ".")
    head = (
        f"<title>{escape(clean(chart.title))}</title>"
        f"<desc>{escape(clean(described))} {escape(clean(chart.caption))}</desc>"
    )
    opening = re.match(r"<svg\b[^>]*>", svg)
    if opening is None:  # vl-convert always writes an svg element
        return ""
    tag = re.sub(r'\sclass="[^"]*"', "", opening.group(0))
    tag = tag.replace("<svg", '<svg class="bp-chart" role="img" style="min-width:480px"', 1)
    return tag + head + svg[opening.end() :]


def _themed(svg: str) -> str:
    """Colours as CSS variables, so that a page can change them in the dark."""
    names = {colour: f"--bp-series-{at}" for at, colour in enumerate(_COLOURS, start=1)}
    names |= {_INK: "--bp-ink", _FAINT: "--bp-grid", _PAPER: "--bp-paper"}
    pattern = re.compile("|".join(re.escape(colour) for colour in names))
    return re.sub(
        r'((?:fill|stroke)=")([^"]*)(")',
        lambda m: (
            m.group(1)
            + pattern.sub(lambda c: f"var({names[c.group(0)]}, {c.group(0)})", m.group(2))
            + m.group(3)
        ),
        svg,
    )
