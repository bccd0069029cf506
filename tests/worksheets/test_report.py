"""A report counts its claims, and describes itself as blocks and as data."""

from __future__ import annotations

import json
from pathlib import Path

from backprove.results import Heading, Table, Text
from backprove.views.report import page
from backprove.worksheets import Prose, Report, run_worksheet
from worksheets.fakes import FakeEngine, block

TEXT = "# Four claims\n\n## Part\n\nProse.\n\n" + block(
    "let x: n",
    "derive x wrt x",
    "claim 1",
    "claim wrong",
    "claim wrong expect wrong",
    "claim undecided",
)


def report() -> Report:
    return run_worksheet(TEXT, engine=FakeEngine().engine())


def test_the_summary_counts_what_was_held() -> None:
    summary = report().summary
    assert {key: summary[key] for key in ("statements", "claims", "held", "not_held")} == {
        "statements": 6,
        "claims": 4,
        "held": 2,
        "not_held": 2,
    }
    assert summary["verdicts"] == {"right": 1, "wrong": 2, "undecided": 1}


def test_the_summary_lists_the_claims_that_were_not_held() -> None:
    text, table = report().summary_blocks()
    assert isinstance(text, Text)
    assert text.text == "2 of 4 claims do not meet their expectation."
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [[11, "claim wrong"], [13, "claim undecided"]]


def test_a_worksheet_without_claims_does_not_say_that_claims_hold() -> None:
    (text,) = run_worksheet(block("function relu")).summary_blocks()
    assert isinstance(text, Text)
    assert text.text == "The worksheet claims nothing."


def test_the_blocks_begin_with_the_title_and_hold_the_prose() -> None:
    blocks = report().blocks()
    assert blocks[0] == Heading("Four claims")
    assert Heading("Part") in blocks
    assert Text("Prose.") in blocks


def test_the_data_are_json_and_hold_every_statement() -> None:
    data = json.loads(json.dumps(report().to_dict()))
    assert data["exit_status"] == 1
    assert [item["kind"] for item in data["items"]] == ["prose", "let", "derive"] + ["claim"] * 4
    assert data["items"][4]["expected"] == "right"
    assert data["items"][5]["held"] is True


def test_anchors_are_unique() -> None:
    anchors = [outcome.anchor for outcome in report().outcomes]
    assert len(set(anchors)) == len(anchors) == 6


def test_the_page_shows_every_statement_and_the_prose(tmp_path: Path) -> None:
    path = tmp_path / "four.md"
    path.write_text(TEXT, encoding="utf-8")
    found = run_worksheet(path, engine=FakeEngine().engine())
    html = page(found)
    assert isinstance(found.items[0], Prose)
    for outcome in found.outcomes:
        assert f'id="{outcome.anchor}"' in html
    assert "<p>Prose.</p>" in html
    assert "2 claims of 4 do not meet the expectation." in html
    assert "four.md" in html


def test_the_same_worksheet_gives_the_same_page() -> None:
    assert page(report()) == page(report())
