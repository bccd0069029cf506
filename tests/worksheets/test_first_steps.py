"""The shipped worksheet: every row of it is there, and every verdict is the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprove.views.report import page
from backprove.worksheets import Engine, Report, run_worksheet
from worksheets.fakes import FakeEngine

PATH = Path(__file__).parents[2] / "worksheets" / "first-steps.md"

REFUSED = {
    "claim J[i,j,k,l] = X[i,l]*[i==k] expect wrong": "i",
    "claim diag(softmax(z) - softmax(z)**2) expect wrong": "",
    "claim df/dh2 = 1 expect wrong": "2",
    "claim df/dz = df/dh2 * dh3/dz expect wrong": "h2",
}
"""The slips of the source, each with a word that the refusal must hold."""

ROWS = ["S21", "S22", "S23", "S24", "S25", "S26", "S27", "S28", "S40", "S41", "S42", "S44", "S45",
        "S55", "S56", "S57", "S58", "S59", "S60", "S61", "S62", "S63"]  # fmt: skip


@pytest.fixture(scope="module")
def report() -> Report:
    """The worksheet run by the library itself, apart from the training of networks."""
    return run_worksheet(PATH, engine=Engine(study=FakeEngine().engine().study))


def test_every_claim_meets_its_expectation(report: Report) -> None:
    missed = [(o.line, o.source, o.verdict) for o in report.outcomes if o.held is False]
    assert missed == []
    assert report.exit_status == 0
    assert report.summary["claims"] >= 40


def test_exactly_the_slips_of_the_source_are_refused(report: Report) -> None:
    wrong = [o.source for o in report.outcomes if o.verdict == "wrong"]
    assert wrong == list(REFUSED)
    assert {o.verdict for o in report.outcomes if o.source not in REFUSED} <= {"right", None}


@pytest.mark.parametrize(("source", "word"), REFUSED.items())
def test_a_refusal_names_the_slip(report: Report, source: str, word: str) -> None:
    (outcome,) = [o for o in report.outcomes if o.source == source]
    assert word in outcome.data["message"]


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_problem_set_is_named(row: str) -> None:
    assert row in PATH.read_text(encoding="utf-8")


def test_the_page_shows_formulas_the_graph_and_every_verdict(report: Report) -> None:
    html = page(report)
    assert html.count("<math") > 20
    assert "<svg" in html
    assert html.count('<section class="outcome') == len(report.outcomes)
    assert f"All {report.summary['claims']} claims meet their expectation." in html
