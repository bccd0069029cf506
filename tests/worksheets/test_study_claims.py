"""Claims about a study in worksheets, and studies that are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backprove.errors import InputError
from backprove.results import Reference
from backprove.worksheets import Engine, run_worksheet
from backprove.worksheets.kept_answers import KeptAnswers
from backprove.worksheets.study_claims import study_folder
from worksheets.fakes import block

STUDY = "study data=sklearn:iris hidden=none,8 lr=0.1,0.3 seeds=2 epochs=2 batch=16"


@pytest.fixture(scope="module")
def engine() -> tuple[Engine, list[Any]]:
    """The package's engine, which trains each study once and notes what it was asked."""
    real, asked, known = Engine(), [], {}

    def study(settings: dict[str, Any], progress: Any, out: Path | None = None) -> Any:
        asked.append((settings, out))
        key = str(settings)
        if key not in known:
            known[key] = real.study(settings, None)
        return known[key]

    return replace(real, study=study), asked


def outcomes(engine: tuple[Engine, list[Any]], *lines: str) -> list[Any]:
    return list(run_worksheet(block(*lines), engine=engine[0]).outcomes)


def test_two_seeds_decide_nothing_and_the_verdict_says_how_many_would(engine):
    _, claim = outcomes(engine, STUDY, "claim hidden 8 better than none at lr=0.1")
    assert claim.verdict == "undecided"
    assert "2 paired seeds" in claim.data["message"]


def test_factors_that_change_together_are_confounded(engine):
    zipped = f"{STUDY} zipped=hidden,lr"
    _, alone, named = outcomes(
        engine, zipped, "claim hidden 8 better than none", "claim hidden confounded with lr"
    )
    assert (alone.verdict, named.verdict) == ("undecided", "right")
    assert "confounded with lr" in alone.data["message"]


def test_compare_prints_difference_interval_and_what_would_decide(engine):
    _, compared = outcomes(engine, STUDY, "compare hidden none with 8 at lr=0.3")
    (found,) = compared.data["comparisons"]
    assert found["a"] == "hidden none, lr 0.3" and found["b"] == "hidden 8, lr 0.3"
    assert {"difference", "interval", "probability", "seeds", "verdict"} <= set(found)
    assert found["difference"] is None or found["interval"][0] <= found["difference"]


def test_claims_can_be_asked_for_in_python_and_on_the_command_line(engine):
    study, claim = outcomes(engine, STUDY, "claim hidden none learned")
    assert study.command == "backprove " + STUDY
    assert claim.python.endswith(".check('hidden none learned')")


def test_a_study_that_is_asked_again_is_shown_once(engine):
    report = run_worksheet(
        block(STUDY, "function relu", STUDY, "claim hidden none learned"), engine=engine[0]
    )
    first, _, again, claim = report.outcomes
    (pointer,) = again.blocks
    assert isinstance(pointer, Reference) and pointer.anchor == first.anchor
    assert len(first.blocks) > 5 and again.data == first.data and claim.verdict
    page = report.html()
    assert f'href="#{first.anchor}">The study is the one above' in page


@pytest.mark.parametrize(
    ("line", "pointed", "words"),
    [
        ("claim hiden 8 better than none", "hiden", "Is 'hidden' meant"),
        ("claim hidden 8 beter than none", "beter", "Is 'better' meant"),
        ("claim hidden 512 better than none", "512", "It has hidden none, 8"),
        ("claim hidden 8 better than 8", "8", "compared with itself"),
        ("claim hidden 8 better than", "n", "is missing"),
        ("claim hidden 8 better than none on train", "train", "dev, test"),
        ("claim hidden 8 better than none on test", "test", "judge=yes"),
        ("claim hidden 8 better than none at lr=0.5", "0.5", "It has lr 0.1, 0.3"),
        ("claim hidden 8 better than none at hidden=8", "8", "cannot be fixed"),
        ("claim lr 0.1 better than fast", "fast", "expected a number above 0"),
        ("claim hidden larger better", "larger", "no numbers"),
        ("claim dropout all equivalent", "dropout", "What varies: hidden, lr"),
        ("claim [depth] hidden 8 better than none", "[depth]", "single study"),
        ("claim hidden 8 learned wrt x", "x", "does not apply"),
        ("compare hidden 8 and none", "and", "with"),
    ],
)
def test_slips_are_pointed_at(engine, line, pointed, words):
    with pytest.raises(InputError) as caught:
        outcomes(engine, STUDY, line)
    error = caught.value
    assert words in f"{error.message} {error.hint}"
    assert error.span is not None
    assert error.text[error.span.start : error.span.end] == pointed


def test_compare_needs_a_study_above():
    with pytest.raises(InputError, match="no study above"):
        run_worksheet(block("compare hidden none with 8"))


def test_a_second_run_of_a_worksheet_trains_nothing(engine, tmp_path):
    text = block(STUDY, "claim hidden none learned", "compare hidden none with 8 at lr=0.1")
    answers = []
    for _ in range(2):
        before = len(engine[1])
        report = run_worksheet(text, engine=engine[0], kept=KeptAnswers(tmp_path))
        answers.append(report.to_dict())
        trained = len(engine[1]) - before
    assert trained == 0
    assert json.dumps(answers[0]) == json.dumps(answers[1])
    text = text.replace("claim hidden none", "claim hidden 8")
    run_worksheet(text, engine=engine[0], kept=KeptAnswers(tmp_path))
    assert engine[1][-1][1] == study_folder(tmp_path / "studies", engine[1][-1][0])


def test_folders_of_studies_are_those_of_their_settings(tmp_path):
    one = study_folder(tmp_path, {"lr": "0.1"})
    assert one != study_folder(tmp_path, {"lr": "0.2"}) != study_folder(None, {})
    assert one == study_folder(tmp_path, {"lr": "0.1"})
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert study_folder(blocked, {"lr": "0.1"}) is None
