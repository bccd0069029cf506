"""Every row of the problem set is in the worksheet, with the verdicts that it must get."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from backprove.worksheets import Engine, Report, run_worksheet
from backprove.worksheets.source import Source
from worksheets.fakes import FakeEngine

WORKSHEETS = Path(__file__).parents[2] / "worksheets"
PATH = WORKSHEETS / "fundamentals.md"

ROWS = {
    "S1": "right right right wrong right wrong wrong",
    "S2": "wrong",
    "S3": "wrong right",
    "S4": "wrong",
    "S5": "wrong right right",
    "S6": "right right undecided",
    "S8": "right right wrong",
    "S9": "right",
    "S10": "wrong right right wrong right right",
    "S11": "right right wrong",
    "S12": "right right right right wrong",
    "S13": "right right right wrong undecided",
    "S14": "right",
    "S15": "undecided",
    "S16": "right right wrong",
    "S17": "right",
    "S18": "right right_under",
    "S19": "right right",
    "S20": "right right",
    "S21": "right right",
    "S22": "right right wrong",
    "S23": "right right wrong",
    "S24": "right right right",
    "S25": "right right right",
    "S26": "right right right",
    "S27": "right right",
    "S28": "wrong right right_under right_under right",
    "S29": "right right right wrong",
    "S30": "right",
    "S31": "right",
    "S32": "right",
    "S33": "right",
    "S34": "right",
    "S35": "right",
    "S36": "",
    "S37": "right wrong",
    "S38": "wrong right right",
    "S39": "right",
    "S40": "right wrong",
    "S41": "right right",
    "S42": "right wrong",
    "S43": "right wrong",
    "S44": "right",
    "S45": "right right wrong right right",
    "S46": "right right",
    "S47": "right right right right wrong",
    "S48": "right",
    "S49": "right",
    "S50": "right right",
    "S51": "right right",
    "S52": "right right",
    "S53": "wrong right right right",
    "S54": "right right right wrong",
    "S55": "right",
    "S56": "right right right right",
    "S57": "right right right right right right right right",
    "S58": "wrong right right right",
    "S59": "right",
    "S60": "right",
    "S61": "wrong right",
    "S62": "right right right",
}
"""The verdicts on the claims of each row, in order; the rows of trained networks follow below."""

STUDIES = {"S7", "S63", "S64", "S65", "S66", "S67", "S68", "S69"}
"""Rows whose verdicts come from training; ``make report`` fails where one of them changes."""


@pytest.fixture(scope="module")
def report() -> Report:
    """All but the training of networks, by the library itself."""
    text = Source.read(PATH).text
    kept = re.sub(r"(?ms)^```backprove\nquestion (S7|S6[3-9])\n.*?^```$", "", text)
    return run_worksheet(kept)


def test_all_sixty_nine_rows_are_there() -> None:
    named = set(re.findall(r"(?m)^question (S\d+)$", PATH.read_text(encoding="utf-8")))
    assert {*ROWS} | STUDIES == {f"S{number}" for number in range(1, 70)}
    assert named == {*ROWS} | STUDIES


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_its_verdicts(report: Report, row: str) -> None:
    outcomes = [o for o in report.outcomes if o.question == row and o.kind != "question"]
    assert outcomes, f"{row} asks nothing"
    assert [o.verdict for o in outcomes if o.verdict] == ROWS[row].split()
    assert all(o.held is not False for o in outcomes)


def test_every_refusal_says_why(report: Report) -> None:
    for outcome in report.outcomes:
        if outcome.verdict == "wrong":
            assert len(str(outcome.data["message"])) > 20, outcome.source


def test_every_outcome_of_a_question_says_how_to_get_it_again(report: Report) -> None:
    silent = [
        o.source
        for o in report.outcomes
        if not o.command and o.kind not in ("let", "question", "path")
    ]
    assert silent == []


def test_the_appendix_of_a_paper_is_checked() -> None:
    report = run_worksheet(
        WORKSHEETS / "appendix.tex", engine=Engine(study=FakeEngine().engine().study)
    )
    assert report.summary["claims"] >= 30 and report.exit_status == 0


def test_the_notebook_of_the_repository_is_that_of_the_worksheet() -> None:
    path = WORKSHEETS.parent / "tools" / "notebook.py"
    spec = importlib.util.spec_from_file_location("notebook", path)
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    kept = (WORKSHEETS.parent / "notebooks" / "fundamentals.ipynb").read_text(encoding="utf-8")
    assert tool.written(PATH) == kept, (
        "write it again: python tools/notebook.py write worksheets/fundamentals.md "
        "notebooks/fundamentals.ipynb"
    )
