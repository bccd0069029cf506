"""Many submissions with planted mistakes: the marks are as planted."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from backprove.worksheets.grading import grade
from checking.course_claims import EXERCISES, Exercise
from worksheets.fakes import block

SUBMISSIONS = int(os.environ.get("BACKPROVE_SUBMISSIONS", "8"))
"""How many are graded: 8 by default; 200 before a change is accepted."""


def compatible() -> list[Exercise]:
    """Exercises whose symbols mean the same, so that they fit into one worksheet."""
    shapes: dict[str, str] = {}
    found = []
    for exercise in EXERCISES:
        if all(shapes.get(name, shape) == shape for name, shape in exercise.shapes.items()):
            shapes |= exercise.shapes
            found.append(exercise)
    return found


CHOSEN = compatible()


def formulas(claims: list[str]) -> list[str]:
    """Claims about the derivative itself; products with an upstream gradient fill another slot."""
    return [claim for claim in claims if not re.match(r"d\w+ ?=", claim)]


def key() -> str:
    lines = []
    declared: set[str] = set()
    for number, exercise in enumerate(CHOSEN, 1):
        new = [f"{n}: {s or 'scalar'}" for n, s in exercise.shapes.items() if n not in declared]
        declared |= set(exercise.shapes)
        lines += [f"let {', '.join(new)}"] if new else []
        lines += [f"question {number}", f"derive {exercise.f} wrt {exercise.wrt}"]
        lines += [f"claim {formulas(exercise.right)[0]}"]
    return block(*lines)


def submission(seed: int) -> tuple[str, dict[str, float]]:
    """The text of a submission and the points that it must get."""
    stream = random.Random(seed)
    lines, points = [], {}
    for number, exercise in enumerate(CHOSEN, 1):
        right = stream.random() < 0.6
        wrong = formulas([claim for claim, _ in exercise.wrong])
        claim = stream.choice(formulas(exercise.right) if right or not wrong else wrong)
        points[str(number)] = float(right or not wrong)
        lines += [f"question {number}", f"claim {claim}"]
    return block(*lines), points


def test_marks_are_as_planted(tmp_path: Path) -> None:
    assert len(CHOSEN) >= 10
    (tmp_path / "key.md").write_text(key(), encoding="utf-8")
    folder = tmp_path / "submissions"
    folder.mkdir()
    expected = {}
    for seed in range(SUBMISSIONS):
        text, expected[f"s{seed:03}.md"] = submission(seed)
        (folder / f"s{seed:03}.md").write_text(text, encoding="utf-8")
    grades = grade(tmp_path / "key.md", [folder])
    missed = [
        (each.name, mark.question, mark.claim, mark.verdict, mark.message)
        for each in grades.submissions
        for mark in each.marks
        if mark.accepted != bool(expected[each.name][mark.question])
    ]
    assert missed == []
    assert {each.name: dict(each.points) for each in grades.submissions} == expected
    assert pytest.approx(sum(map(sum, (p.values() for p in expected.values())))) == sum(
        each.total for each in grades.submissions
    )
