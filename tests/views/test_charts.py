"""Charts: what the data say is what is drawn."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from backprove.results import Chart
from backprove.views.charts import chart_svg
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


@pytest.mark.parametrize("kind", ["line", "point", "bar"])
def test_every_kind_of_chart_draws_its_points(kind) -> None:
    svg = chart_svg(Chart("t", "x", "y", curve([1, 2, 3]), kind))
    assert {"line": "mark-line", "point": "mark-symbol", "bar": "mark-rect"}[kind] in svg
