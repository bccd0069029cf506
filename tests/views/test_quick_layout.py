"""The layout of very large graphs: no overlap, arrows at their nodes, every time the same."""

from __future__ import annotations

import time
from itertools import combinations

import pytest

from backprove.views.graph_layout import Arrow, Box
from backprove.views.quick_layout import place_quickly
from views.test_drawings import overlap, random_graph


@pytest.mark.parametrize("seed", range(20))
def test_nodes_do_not_overlap_and_arrows_end_at_their_nodes(seed: int) -> None:
    boxes, arrows = random_graph(seed)
    placed = place_quickly(boxes, arrows)
    assert placed == place_quickly(boxes, arrows)
    assert not [pair for pair in combinations(placed.centres, 2) if overlap(placed, *pair)]
    for arrow, route in zip(arrows, placed.routes, strict=True):
        for key, (x, y), side in ((arrow.source, route[0], 1), (arrow.target, route[-1], -1)):
            assert x == pytest.approx(placed.centres[key][0] + side * placed.sizes[key][0] / 2)
            assert y == pytest.approx(placed.centres[key][1])
    assert all(0 <= x <= placed.width and 0 <= y <= placed.height
               for x, y in placed.centres.values())  # fmt: skip


def test_ten_thousand_nodes_take_seconds() -> None:
    boxes = [Box(str(k), 90, 60) for k in range(10_000)]
    arrows = [Arrow(str(k // 2), str(k), 40) for k in range(1, 10_000)]
    arrows += [Arrow(str(max(k - 100, 0)), str(k), 40) for k in range(101, 10_000)]
    start = time.perf_counter()
    place_quickly(boxes, arrows)
    assert time.perf_counter() - start < 20  # about one second on a machine with nothing else
