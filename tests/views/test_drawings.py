"""Drawings of graphs: nothing overlaps, nothing moves from one run to the next."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise

import pytest

from backprove.results import Drawing, Edge, Node
from backprove.views.graph_layout import Arrow, Box, Placed, place
from backprove.views.html import fragment
from backprove.views.svg import MAX_NODES, drawing_svg
from views.samples import graph


def s55() -> Drawing:
    (drawing, *_) = graph()
    assert isinstance(drawing, Drawing)
    return drawing


def random_graph(seed: int) -> tuple[list[Box], list[Arrow]]:
    chance = random.Random(seed)
    count = chance.randint(2, 14)
    boxes = [Box(f"n{at}", chance.uniform(40, 200), chance.uniform(30, 90)) for at in range(count)]
    arrows = [
        Arrow(f"n{source}", f"n{target}", chance.choice([0.0, 60.0, 120.0]))
        for target in range(1, count)
        for source in sorted({chance.randrange(target) for _ in range(2)})
    ]
    return boxes, arrows


def overlap(placed: Placed, a: str, b: str) -> bool:
    (ax, ay), (bx, by) = placed.centres[a], placed.centres[b]
    (aw, ah), (bw, bh) = placed.sizes[a], placed.sizes[b]
    return abs(ax - bx) < (aw + bw) / 2 and abs(ay - by) < (ah + bh) / 2


@pytest.mark.parametrize("seed", range(40))
def test_nodes_do_not_overlap_and_arrows_run_from_border_to_border(seed: int) -> None:
    boxes, arrows = random_graph(seed)
    placed = place(boxes, arrows)
    assert not [pair for pair in combinations(placed.centres, 2) if overlap(placed, *pair)]
    for arrow, route in zip(arrows, placed.routes, strict=True):
        for key, (x, y), side in ((arrow.source, route[0], 1), (arrow.target, route[-1], -1)):
            centre, size = placed.centres[key], placed.sizes[key]
            assert x == pytest.approx(centre[0] + side * size[0] / 2)
            assert abs(y - centre[1]) <= size[1] / 2
        assert route[0][0] + arrow.label_width < route[1][0] + 1e-6, "no room for the label"


@pytest.mark.parametrize("seed", range(40))
def test_arrows_run_through_no_other_node(seed: int) -> None:
    boxes, arrows = random_graph(seed)
    placed = place(boxes, arrows)
    for arrow, route in zip(arrows, placed.routes, strict=True):
        for key in placed.centres.keys() - {arrow.source, arrow.target}:
            (x, y), (width, height) = placed.centres[key], placed.sizes[key]
            for (ax, ay), (bx, by) in pairwise(route):
                clearance = max(
                    min(ax, bx) - x - width / 2,
                    x - width / 2 - max(ax, bx),
                    min(ay, by) - y - height / 2,
                    y - height / 2 - max(ay, by),
                )
                assert clearance > 2, (arrow, key)


def test_everything_lies_inside_the_drawing() -> None:
    for seed in range(20):
        placed = place(*random_graph(seed))
        points = [point for route in placed.routes for point in route]
        assert all(-0.01 <= x <= placed.width + 0.01 for x, _ in points)
        assert all(-0.01 <= y <= placed.height + 0.01 for _, y in points)


def test_operands_stand_from_top_to_bottom_as_they_are_written() -> None:
    drawing = s55()
    placed = place(
        [Box(node.key, 90, 60) for node in drawing.nodes],
        [Arrow(edge.source, edge.target, 60) for edge in drawing.edges],
    )
    assert placed.centres["x"][1] < placed.centres["h2"][1] < placed.centres["z"][1]
    assert placed.centres["h1"][1] < placed.centres["h3"][1]


def test_the_same_drawing_is_the_same_picture() -> None:
    assert drawing_svg(s55()) == drawing_svg(s55())


def test_the_picture_is_well_formed_and_named_for_a_screen_reader() -> None:
    root = ElementTree.fromstring(drawing_svg(s55()))
    assert root.get("role") == "img"
    title, description = root[0], root[1]
    assert title.tag.endswith("title")
    assert title.text
    assert description.tag.endswith("desc")
    for node in s55().nodes:
        assert f"{node.title}, {node.role}" in (description.text or "")


def test_every_number_of_the_graph_is_in_the_picture_and_in_the_table() -> None:
    shown = fragment([s55()])
    picture, table = shown.split("</svg>")
    for edge in s55().edges:
        for value in (edge.forward, edge.backward):
            assert value in picture
            assert value in table


def test_roles_differ_in_shape_and_not_in_colour_only() -> None:
    def shapes(role: str) -> str:
        svg = drawing_svg(Drawing([Node("a", "a", role=role)], []))
        return re.sub(r"bp-(input|output|operation|constant)", "", svg.split("</desc>")[1])

    assert len({shapes(role) for role in ("input", "output", "operation", "constant")}) == 4


def test_a_graph_too_large_to_read_is_given_as_a_table() -> None:
    nodes = [Node(str(at), str(at)) for at in range(MAX_NODES + 1)]
    shown = fragment([Drawing(nodes, [])])
    assert "<svg" not in shown
    assert shown.count("<tr>") == MAX_NODES + 2


@pytest.mark.parametrize(
    "edges",
    [[Edge("a", "a")], [Edge("a", "b"), Edge("b", "a")], [Edge("a", "nowhere")],
     [Edge("a", "b"), Edge("a", "b", "1", "2")]],
)  # fmt: skip
def test_a_graph_with_a_loop_or_a_loose_edge_is_still_drawn(edges: list[Edge]) -> None:
    ElementTree.fromstring(drawing_svg(Drawing([Node("a", "a"), Node("b", "b")], edges)))
