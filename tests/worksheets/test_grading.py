"""Submissions are marked against a key, claim by claim."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path

import pytest

from backprove.errors import SetupError, WorksheetError
from backprove.worksheets import Engine
from backprove.worksheets.grading import Key, Marked, grade, mark_submission, read_key
from backprove.worksheets.grading.marking import MAX_CLAIMS
from backprove.worksheets.grading.worker import time_limit
from backprove.worksheets.source import Source
from worksheets.fakes import block

KEY = block(
    "let X: n×d, W: k×d, z: K, A: d×d, w: d",
    "question 1a points 2",
    "derive X @ W.T wrt W",
    "claim n×k×k×d",
    "claim J[i,j,k,l] = X[i,l]*[j==k]",
    "question 1b points 3",
    "derive softmax(z) wrt z",
    "claim diag(softmax(z)) - outer(softmax(z), softmax(z))",
    "question 2 points 3",
    "graph ln(x) + exp(y)*z at x=1, y=3, z=2",
    "claim df/dz = df/dh3 * dh3/dz = 20.0855",
    "claim f = 40.171",
    "question 3 accept layout, assumption",
    "derive A @ w wrt w",
    "claim A",
    "question 4 points 2",
    "derive X @ w wrt X",
    "claim J[i,j,k] = w[k]*[i==j]",
    "derive X @ w wrt w",
    "claim X",
)


@pytest.fixture(scope="module")
def key() -> Key:
    return read_key(Source(KEY))


def marked(key: Key, *lines: str) -> Marked:
    return mark_submission(key, Source(block(*lines)), "a.md")


def test_every_slot_of_a_question_is_worth_its_share(key: Key) -> None:
    assert key.points == 11
    result = marked(key, "question 1a", "claim (n, k, k, d)", "question 2", "claim f = 40.17")
    assert result.points == {"1a": 1.0, "1b": 0, "2": 1.0, "3": 0, "4": 0}


def test_a_right_claim_in_another_form_earns_the_points(key: Key) -> None:
    lines = ("question 1b", "let s = softmax(z)", "claim J[i,j] = s[i]*([i==j] - s[j])")
    assert marked(key, *lines).points["1b"] == 3


def test_a_wrong_claim_is_told_its_mistake(key: Key) -> None:
    result = marked(key, "question 1a", "claim J_ijkl = X_il δ_ik")
    assert result.total == 0
    assert result.marks[0].mistake == "wrong_delta"


def test_a_right_value_on_a_wrong_path_is_marked_as_such(key: Key) -> None:
    result = marked(key, "question 2", "claim df/dz = df/dh2 * dh3/dz = 20.0855")
    assert (result.total, result.marks[0].mistake) == (0, "wrong_path")
    right = marked(key, "question 2", "claim df/dz = df/dh3 * dh3/dz = 20.0855")
    assert right.total == 2


def test_two_claims_for_one_slot_are_no_better_than_the_worse(key: Key) -> None:
    lines = ("question 1a", "claim J_ijkl = X_il δ_jk", "claim J_ijkl = X_il δ_ik")
    assert marked(key, *lines).total == 0


def test_conditions_count_where_the_key_accepts_them(key: Key) -> None:
    accepted = marked(key, "question 3", "claim A.T layout denominator")
    assert accepted.marks[0].verdict in ("right", "right_under") and accepted.total == 1
    assert marked(key, "question 3", "claim A.T").total == 1
    strict = read_key(Source(KEY.replace(" accept layout, assumption", "")))
    refused = marked(strict, "question 3", "claim A.T")
    assert refused.total == 0 and "does not accept" in refused.marks[0].message


def test_a_question_of_several_parts_needs_the_part(key: Key) -> None:
    assert "which of them" in marked(key, "question 4", "claim X").marks[0].message
    lines = ("question 4", "derive X @ w wrt w", "claim X")
    assert marked(key, *lines).points["4"] == 1
    assert marked(key, "question 4", "claim J_ijk = w_k δ_ij wrt X").points["4"] == 1


def test_a_name_of_the_submission_does_not_change_the_question(key: Key) -> None:
    sheet = block("question 1", "let x: n", "derive e*x wrt x", "claim e*eye(n)")
    cheat = ("question 1", "let e = 1*1", "claim eye(n)")
    assert mark_submission(read_key(Source(sheet)), Source(block(*cheat))).total == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("claim diag(softmax(z)", "never closed"),
        ("claim qq*z", "qq"),
        ("study data=reviews", "is not run"),
        ("function relu", "is not run"),
        ("include key.md", "is not run"),
        ("let q: n", "declares no symbol 'q'"),
        ("question 9", "no question '9'"),
        ("derive z wrt z", "does not ask this"),
        ("clam z", "begins no statement"),
    ],
)
def test_what_cannot_be_judged_costs_only_itself(key: Key, line: str, words: str) -> None:
    result = marked(key, "question 1b", line, "question 1a", "claim (n, k, k, d)")
    assert result.marks[0].verdict == "unread" and words in result.marks[0].message
    assert result.points["1a"] == 1


def test_a_claim_under_no_question_is_not_judged(key: Key) -> None:
    assert "no question" in marked(key, "claim X").marks[0].message


def test_a_submission_that_is_no_worksheet_has_its_reason(key: Key) -> None:
    assert "holds no statement" in mark_submission(key, Source("# Words")).trouble
    many = marked(key, "question 1a", *["claim n×d"] * (MAX_CLAIMS + 1))
    assert f"at most {MAX_CLAIMS}" in many.trouble and len(many.marks) == MAX_CLAIMS


def test_a_claim_that_takes_too_long_is_given_up(key: Key) -> None:
    def slow(*args: object, **options: object) -> None:
        time.sleep(30)

    result = mark_submission(
        key,
        Source(block("question 1a", "claim n×k×k×d", "question 2", "claim f = 40.171")),
        engine=Engine(check=slow),
        limit=lambda: time_limit(0.05),
    )
    assert [mark.verdict for mark in result.marks] == ["unread", "right"]
    assert "too long" in result.marks[0].message


ASKED = ("let x: n", "derive x wrt x", "claim identity")


# --- the key ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (ASKED, "no question"),
        (("question 1", "let x: n", "derive x wrt x"), "has no claim"),
        (("question 1", "let x: n", "derive x wrt x", "claim diag(x)"), "is wrong"),
        (("question 1", *ASKED, "question 1", *ASKED), "line 2 already"),
    ],
)
def test_a_key_that_is_not_right_is_refused(lines: tuple[str, ...], words: str) -> None:
    with pytest.raises(WorksheetError, match=words):
        read_key(Source(block(*lines)))


# --- many submissions, in processes -------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grading")
    (folder / "key.md").write_text(KEY, encoding="utf-8")
    subs = folder / "subs"
    subs.mkdir()
    (subs / "a.md").write_text(block("question 1a", "claim (n, k, k, d)"), encoding="utf-8")
    (subs / "b.md").write_bytes(b"\xff\xfe")
    (subs / "c.tex").write_text(
        "\\begin{backprove}\nquestion 1a\nclaim J_{ijkl} = X_{il} \\delta_{jk}\n\\end{backprove}\n"
    )
    (subs / "=d.md").write_text(block("question 1a", "claim " + "(" * 3000), encoding="utf-8")
    return folder


def test_a_folder_is_marked_and_one_bad_file_harms_no_other(folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    grades = grade(folder / "key.md", [folder / "subs"], progress=lambda *a: told.append(a))
    by_name = {each.name: each for each in grades.submissions}
    assert {name: each.total for name, each in by_name.items()} == {
        "=d.md": 0,
        "a.md": 1,
        "b.md": 0,
        "c.tex": 1,
    }
    assert "UTF-8" in by_name["b.md"].trouble
    assert len(told) == 4 and told[-1][2] == 4
    rows = list(csv.DictReader(io.StringIO(grades.csv())))
    assert rows[0]["submission"] == "'=d.md", "a spreadsheet would run it"
    assert "a.md: 1 points" in grades.text()


def test_no_submission_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="no submission"):
        grade(folder / "key.md", [tmp_path])
    missing = grade(folder / "key.md", [tmp_path / "none.md"])
    assert "cannot be read" in missing.submissions[0].trouble
