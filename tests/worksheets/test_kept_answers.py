"""Answers are kept by what they depend on, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backprove.results import Chart, Details, Node, Table, Text
from backprove.views import charts
from backprove.worksheets import kept_answers, run_worksheet
from backprove.worksheets.kept_answers import KeptAnswers
from backprove.worksheets.statement import Answer
from worksheets.fakes import FakeEngine, block

SHEET = ("let x: n", "derive x**2 wrt x", "claim diag(2*x)", "claim diagonal", "function relu")


@pytest.fixture
def kept(tmp_path: Path) -> KeptAnswers:
    return KeptAnswers(tmp_path)


def calls(kept: KeptAnswers, *lines: str) -> list[str]:
    fake = FakeEngine()
    run_worksheet(block(*lines), engine=fake.engine(), kept=kept)
    return [call[0] for call in fake.calls]


def test_a_second_run_asks_nothing_and_answers_the_same(kept: KeptAnswers) -> None:
    first = run_worksheet(block(*SHEET), kept=kept)
    second = run_worksheet(block(*SHEET), kept=kept)
    assert [o.to_dict() for o in second.outcomes] == json.loads(
        json.dumps([o.to_dict() for o in first.outcomes])
    )
    assert second.text() == first.text() and second.html() == first.html()
    assert calls(kept, *SHEET) == []


def test_editing_one_claim_asks_for_one(kept: KeptAnswers) -> None:
    calls(kept, *SHEET)
    assert calls(kept, *SHEET[:3], "claim symmetric", SHEET[4]) == ["check"]


def test_another_shape_or_domain_asks_anew(kept: KeptAnswers) -> None:
    calls(kept, *SHEET)
    assert calls(kept, "let x: m", *SHEET[1:4]) == ["derive", "check", "check"]
    assert calls(kept, "let x: n positive", *SHEET[1:4]) == ["derive", "check", "check"]


def test_a_symbol_that_is_not_used_changes_nothing(kept: KeptAnswers) -> None:
    calls(kept, *SHEET)
    assert calls(kept, "let y: m", *SHEET) == []


def test_a_claim_about_a_graph_depends_on_those_before_it(kept: KeptAnswers) -> None:
    lines = ["graph x*y at x=1, y=2", "claim f = 2", "claim df/dx = 2"]
    assert calls(kept, *lines) == ["graph", "check_run", "check_run"]
    assert calls(kept, *lines) == []
    assert calls(kept, lines[0], "claim f = 3", lines[2]).count("check_run") == 2


def test_another_package_asks_anew(kept: KeptAnswers, monkeypatch: pytest.MonkeyPatch) -> None:
    calls(kept, *SHEET)
    monkeypatch.setattr(kept_answers, "package_digest", lambda: "another")
    assert len(calls(kept, *SHEET)) == 4


def test_all_blocks_come_back_as_they_were(kept: KeptAnswers) -> None:
    blocks = [
        Text("a"),
        Details("more", [Table(["x"], [[1.5, "b", float("nan")]])]),
        Chart("c", "x", "y", [{"x": 0, "y": float("inf"), "series": "s"}]),
        Node("k", "t", ["l"], notes=["n"]),
    ]
    kept.put("key", Answer(blocks, {"n": [1, None, {"$float": 2}]}, "wrong"))
    found = kept.get("key")
    assert found is not None
    assert repr(found.blocks) == repr(blocks)
    assert (found.data, found.verdict) == ({"n": [1, None, 2.0]}, "wrong")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"blocks": [{"$block": "os"}]}', "null"])
def test_a_damaged_file_is_asked_for_again(kept: KeptAnswers, text: str) -> None:
    calls(kept, *SHEET)
    for path in kept.folder.rglob("*.json"):
        path.write_text(text)
    assert len(calls(kept, *SHEET)) == 4


def test_the_folder_does_not_grow_without_limit(kept: KeptAnswers) -> None:
    for number in range(5):
        kept.put(number, Answer([Text("x" * 1000)]))
    kept.prune(largest=3000)
    assert len(list(kept.folder.rglob("*.json"))) == 2
    assert kept.get(4) is not None


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = KeptAnswers(tmp_path / "file" / "folder")
    kept.put("key", Answer([Text("a")]))
    assert kept.get("key") is None


def test_charts_are_drawn_once_for_pages_of_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, drawn = KeptAnswers(tmp_path), []
    monkeypatch.setattr(charts, "compact_svg", lambda svg: drawn.append(svg) or svg)
    first, second = (
        charts.Chart("t", "x", "y", [{"x": 1, "y": 2.0}, {"x": 2, "y": y}]) for y in (3.0, 4.0)
    )
    with charts.remembered(kept.text):
        pictures = [charts.chart_svg(chart) for chart in (first, second, first, second)]
    assert len(drawn) == 2 and pictures[:2] == pictures[2:] and pictures[0] != pictures[1]
    assert charts.chart_svg(first) == pictures[0] and len(drawn) == 3
