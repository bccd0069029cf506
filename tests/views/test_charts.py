"""Charts: what the data say is what is drawn."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from backprove.results import Chart
from backprove.views import charts
from backprove.views.chart_numbers import chart_numbers
from backprove.views.charts import chart_svg
from backprove.views.compact_svg import compact_svg
from backprove.views.html import fragment
from views.samples import losses


def curve(ys: list[float], **more: Any) -> list[dict[str, Any]]:
    return [{"x": at, "y": y, "series": "s", **more} for at, y in enumerate(ys)]


def line_paths(svg: str) -> list[str]:
    found = re.findall(r'<g class="mark-line[^>]*>(.*?)</g>', svg)
    return [path for group in found for path in re.findall(r'd="([^"]*)"', group)]


def test_the_picture_is_well_formed_and_named_for_a_screen_reader() -> None:
    (chart, *_) = losses()
    assert isinstance(chart, Chart)
    root = ElementTree.fromstring(chart_svg(chart))
    assert root.get("role") == "img"
    assert root[0].text == "Loss by depth"
    assert "train, dev" in (root[1].text or "")


def test_a_value_that_is_not_finite_leaves_a_gap() -> None:
    (whole,) = line_paths(chart_svg(Chart("t", "x", "y", curve([1, 2, 3, 4, 5]))))
    (broken,) = line_paths(chart_svg(Chart("t", "x", "y", curve([1, 2, math.nan, 4, 5]))))
    assert whole.count("M") == 1
    assert broken.count("M") == 2


def test_a_line_is_broken_between_segments() -> None:
    later = [{"x": x, "y": x + 4, "series": "s", "segment": 1} for x in (1, 2)]
    points = [*curve([1, 2], segment=0), *later]
    assert len(line_paths(chart_svg(Chart("t", "x", "y", points)))) == 2


def test_bands_are_drawn_where_there_are_bounds() -> None:
    without = chart_svg(Chart("t", "x", "y", curve([1, 2])))
    banded = [point | {"low": 0.5, "high": 2.5} for point in curve([1, 2])]
    assert "mark-area" not in without
    assert "mark-area" in chart_svg(Chart("t", "x", "y", banded))


def test_each_panel_is_drawn_under_its_name() -> None:
    points = curve([1, 2], panel="one layer") + curve([2, 3], panel="two layers")
    svg = chart_svg(Chart("t", "x", "y", points))
    assert "one layer" in svg
    assert "two layers" in svg
    assert len(line_paths(svg)) == 2


def test_curves_that_share_a_panel_differ_in_dash_and_colour() -> None:
    points = curve([1, 2]) + [point | {"series": "t"} for point in curve([2, 3])]
    svg = chart_svg(Chart("t", "x", "y", points))
    assert len(set(re.findall(r'stroke="var\(--bp-series-\d', svg))) == 2
    assert "stroke-dasharray" in svg


def test_colours_are_variables_that_a_dark_page_can_change() -> None:
    svg = chart_svg(Chart("t", "x", "y", curve([1, 2])))
    for colour in re.findall(r'(?:fill|stroke)="([^"]*)"', svg):
        assert colour in ("none", "transparent") or colour.startswith("var(--bp-"), colour


def test_many_points_are_no_reason_to_refuse() -> None:
    assert chart_svg(Chart("t", "x", "y", curve([math.sin(at / 99) for at in range(7000)])))


@pytest.mark.parametrize("points", [[], curve([math.nan, math.inf])])
def test_a_chart_without_a_finite_value_says_so(points: list[dict[str, Any]]) -> None:
    assert chart_svg(Chart("t", "x", "y", points)) == ""
    assert "No point of this chart has a finite value" in fragment([Chart("t", "x", "y", points)])


def test_the_numbers_stand_beside_the_picture_as_a_table() -> None:
    shown = fragment([Chart("t", "epoch", "loss", curve([0.125, 0.5]))])
    assert '<td class="bp-number">0.125</td>' in shown


def test_curves_of_a_panel_stand_side_by_side_with_their_bands() -> None:
    points = [
        {"x": x, "y": x / 8, "low": 0, "high": x, "series": s, "panel": p}
        for p in ("one", "two")
        for s in ("train", "dev")
        for x in (1, 2)
    ]
    first, second = chart_numbers(Chart("t", "epoch", "loss", points))
    assert first.columns == ["epoch", "train", "dev"] and "one: loss" in first.caption
    assert [[getattr(c, "text", c) for c in row] for row in second.rows] == [
        [1, "0.125 (0 to 1)", "0.125 (0 to 1)"],
        [2, "0.25 (0 to 2)", "0.25 (0 to 2)"],
    ]


@pytest.mark.parametrize("other", [{"x": 0, "y": 7}, {"x": 1, "y": math.nan, "low": -2, "high": 0}])
def test_no_point_is_lost_in_the_table(other: dict[str, Any]) -> None:
    points = [*curve([0.125, 0.5]), {"series": "s", **other}, {"x": 9, "y": 3, "series": "u"}]
    shown = " ".join(
        str(getattr(cell, "text", cell))
        for table in chart_numbers(Chart("t", "x", "y", points))
        for row in table.rows
        for cell in row
    )
    for value in ("0.125", "0.5", *(str(each) for each in other.values() if each == each), "3"):
        assert value in shown.replace("−", "-")


def test_a_picture_in_fewer_letters_keeps_every_label_and_every_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = ' a opacity="1" d="0.12345" <b>'
    points = [p | {"series": s} for s in (said, "dev") for p in curve([0.123, 4.567, 8.9])]
    chart = Chart("t", "x", "y", [p | {"low": p["y"] - 1, "high": p["y"] + 1} for p in points])
    short = chart_svg(chart)
    monkeypatch.setattr(charts, "compact_svg", lambda svg: svg)
    long = chart_svg(chart)
    assert len(short) < 0.8 * len(long)
    texts = [[t.text for t in ElementTree.fromstring(s).iter() if t.text] for s in (short, long)]
    assert texts[0] == texts[1] and said.strip() in " ".join(texts[0])
    for mark in ("mark-area", "mark-line", "mark-symbol"):
        assert short.count(mark) == long.count(f"{mark} role-mark") > 0
    assert "role=" not in short.partition(">")[2]


@pytest.mark.parametrize("kind", ["line", "point", "bar"])
def test_every_kind_of_chart_draws_its_points(kind) -> None:
    svg = chart_svg(Chart("t", "x", "y", curve([1, 2, 3]), kind))
    assert {"line": "mark-line", "point": "mark-symbol", "bar": "mark-rect"}[kind] in svg


def test_lines_of_one_look_are_one_path_that_goes_where_they_went() -> None:
    upright = '<line transform="translate(1,2)" x2="0" y2="5"/>'
    ticks = f'{upright}<line transform="translate(3,2)" x2="4" y2="0"/>'
    slanted = '<line transform="translate(0.5,2)" x2="-4" y2="5"/>'
    svg = f'<svg><g class="mark-rule role-axis-tick"><g>{ticks}{slanted}</g></g></svg>'
    assert compact_svg(svg) == '<svg><path d="M1,2v5M3,2h4M0.5,2l-4,5"/></svg>'
    dashed = '<line transform="translate(1,2)" x2="0" y2="5" stroke="red"/>'
    assert dashed in compact_svg(f"<svg><g>{dashed}{ticks}</g></svg>")
