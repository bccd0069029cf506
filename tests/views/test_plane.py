"""Pictures of the plane: complete, named, readable without colour, and safe for any text."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from backprove.results import Mark, Plane, Stretch
from backprove.views import html, latex, markdown, text
from backprove.views.plane import _ticks, bounds, plane_svg

PICTURE = Plane(
    "A picture",
    "x1",
    "x2",
    [Mark((0, 0), "", "open"), Mark((1, 1), "7", "closed"), Mark((0.5, 0.5), "", "cross")],
    [Stretch((-1, 0.5), (2, 0.5), "level")],
    [[(-1, 0.5), (2, 0.5), (2, 2), (-1, 2)]],
    "high",
    {"closed": "target 1", "open": "target 0"},
    "Said below.",
)


def test_every_view_shows_points_lines_regions_and_their_names() -> None:
    for shown in (text.render([PICTURE]), markdown.render([PICTURE]), html.fragment([PICTURE])):
        for word in ("A picture", "target 1", "target 0", "level", "high", "Said below."):
            assert word in shown
    assert "level" in latex.render([PICTURE]) and "A picture" in latex.render([PICTURE])


def test_the_terminal_has_80_columns_and_the_first_row_is_the_top() -> None:
    lines = text.render([PICTURE]).splitlines()
    assert max(map(len, lines)) <= 80
    top = next(k for k, line in enumerate(lines) if "│" in line)
    assert "░" in lines[top] and "░" not in lines[top + 16]
    picture = lines[top : top + 17]
    assert [k for k, line in enumerate(picture) if "●" in line] < [
        k for k, line in enumerate(picture) if "○" in line
    ]


def test_the_drawing_is_one_named_image_that_needs_no_colour() -> None:
    svg = plane_svg(PICTURE)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    names = [child.tag.rpartition("}")[2] for child in root]
    assert names[:2] == ["title", "desc"]
    assert 'class="bp-hatch"' in svg and 'class="bp-open"' in svg and "id=" not in svg
    two = plane_svg(Plane("", "x", "y", [], [Stretch((0, 0), (1, 1), n) for n in "ab"]))
    assert two.count("stroke-dasharray") == 2, "once in the picture, once in the legend"


def test_hostile_names_stay_text() -> None:
    hostile = Plane("<b>&\x07", "<x>", "\x1b[31m", [Mark((0, 0), "<script>")], [], [], "", {})
    svg = plane_svg(hostile)
    assert "<script" not in svg and "\x1b" not in svg
    assert not any(ord(c) < 32 and c != "\n" for c in text.render([hostile]))
    ElementTree.fromstring(svg)


@pytest.mark.parametrize(
    "places", [[], [(3.0, 3.0)], [(0.0, 0.0), (1e6, 1e-3)], [(-1e-9, 0.0), (1e-9, 1e-9)]]
)
def test_any_places_are_drawn_inside_the_picture(places: list[tuple[float, float]]) -> None:
    plane = Plane("", "x", "y", [Mark(place) for place in places])
    svg = plane_svg(plane)
    width, height = (float(n) for n in re.findall(r'(?:width|height)="(\d+)"', svg)[:2])
    for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg):
        assert 0 <= float(x) <= width and 0 <= float(y) <= height
    assert text.render([plane])


def test_ticks_are_round_and_within() -> None:
    for low, high in ((-0.5, 1.5), (0.0, 1e6), (-3e-7, 4e-7), (99.0, 101.0)):
        ticks = _ticks(low, high)
        assert 3 <= len(ticks) <= 8 and low - 1e-12 <= ticks[0] and ticks[-1] <= high * (1 + 1e-12)


def test_points_have_room_around_them_unless_lines_run_on() -> None:
    (left, bottom), (right, top) = bounds(PICTURE)
    assert (left, right, top) == (-1, 2, 2)
    assert bottom < 0
