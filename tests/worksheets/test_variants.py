"""Variants of an exercise: another one each time, and every answer of its key holds."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

import pytest

from backprove.errors import WorksheetError
from backprove.worksheets.grading import grade
from backprove.worksheets.running import run_worksheet
from backprove.worksheets.source import Source
from backprove.worksheets.variants import Variant, make_variant
from backprove.worksheets.varied_text import FAMILIES, varied_expression, varied_values
from worksheets.fakes import block

SEEDS = range(int(os.environ.get("BACKPROVE_VARIANTS", "3")))

KEY = "# Homework\n\nLet `tanh(W @ x)*3` be a layer.\n\n" + block(
    "let X: n×d, w: d, y: n, W: k×d, x: d, z: m",
    "question 1 points 2",
    "derive sum((X @ w - y)**2)/4 wrt w",
    "claim X.T @ (X @ w - y)/2",
    "claim 2*X.T @ (X @ w - y) expect wrong",
    "question 2",
    "derive tanh(W @ x)*3 wrt W, x",
    "claim k×d wrt x",
    "claim 3*diag(1 - tanh(W @ x)**2) @ W wrt x",
    "claim J[i,j,k] = 3*(1 - tanh(W @ x)[i]**2)*[i=j]*x[k] wrt W",
    "question 3",
    "derive softmax(z) wrt z",
    "claim diagonal + rank 1",
    "claim dz = softmax(z)*(G - dot(G, softmax(z)))",
    "question 4",
    "graph ln(x) + exp(y)*z at x=1, y=3, z=0.5",
    "claim df/dy = df/dh3 * dh3/dh2 * dh2/dy = 10.0428",
    "claim h2 = 20.0855",
    "question 5",
    "represent xor by relu(1)",
    "claim impossible",
)


@cache
def varied(seed: int) -> Variant:
    return make_variant(Source(KEY), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_answer_of_every_variant_holds(seed: int) -> None:
    variant = varied(seed)
    report = run_worksheet(variant.key)
    assert report.exit_status == 0 and report.summary["claims"] >= 8
    assert variant.unchanged == ("5",)


def test_the_same_seed_gives_the_same_variant() -> None:
    assert make_variant(Source(KEY), 0) == varied(0)


def test_seeds_give_different_variants_and_the_prose_follows() -> None:
    variants = [varied(seed) for seed in SEEDS]
    assert len({variant.key for variant in variants}) == len(SEEDS)
    for variant in variants:
        layer = variant.key.split("derive ")[2].split(" wrt")[0]
        assert f"Let `{layer}` be a layer." in variant.exercise
        assert layer != "tanh(W @ x)*3"


def test_the_exercise_holds_no_answer() -> None:
    variant = varied(2)
    assert not [line for line in variant.exercise.split("\n") if line.startswith("claim")]
    assert variant.exercise.count("# claim ...") == 9
    assert run_worksheet(variant.exercise).summary["claims"] == 0


def test_its_key_marks_answers_to_its_own_exercise_and_no_other(tmp_path: Path) -> None:
    sheet = block(
        "question 1", "let x: n", "derive sum(tanh(7*x)) wrt x", "claim 7 - 7*tanh(7*x)**2"
    )
    first, second = (make_variant(Source(sheet), seed) for seed in (1, 2))
    for name, text in (("key.md", first.key), ("own.md", first.key), ("other.md", second.key)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert first.key != second.key
    grades = grade(tmp_path / "key.md", [tmp_path / "own.md", tmp_path / "other.md"])
    assert [each.total for each in grades.submissions] == [1.0, 0.0]


def test_an_included_worksheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inner.md").write_text(KEY, encoding="utf-8")
    (tmp_path / "outer.md").write_text(block("include inner.md"), encoding="utf-8")
    with pytest.raises(WorksheetError, match="includes other worksheets"):
        make_variant(Source.read(tmp_path / "outer.md"), 1)


def test_a_key_that_does_not_hold_is_refused() -> None:
    sheet = block("question 1", "let x: n", "derive x wrt x", "claim 2*eye(n)")
    with pytest.raises(WorksheetError, match="a claim of the key is wrong"):
        make_variant(Source(sheet), 1)


@pytest.mark.parametrize("seed", range(5))
def test_only_words_of_the_same_kind_are_exchanged(seed: int) -> None:
    text = "sum(X[1:3], axis=0) + tanh(z)**2*7 - eye(3)[0] + einsum('ij->i', X)"
    varied = varied_expression(text, {"X", "z"}, random.Random(seed))
    for kept in ("X[1:3]", "axis=0", "**2*", "eye(3)[0]", "einsum('ij->i', X)"):
        assert kept in varied
    assert "*7" not in varied and "tanh" not in varied


def test_functions_of_a_family_are_all_in_the_language() -> None:
    for family in FAMILIES:
        for name in family:
            sheet = block("let x: n unit", f"derive sum({name}(x)) wrt x")
            assert run_worksheet(sheet).exit_status == 0


@pytest.mark.parametrize("text", ["[1, -2.5, 0]", "0.25", "-7", "[[1, 2], [0.5, 4]]"])
def test_values_keep_sign_decimals_and_place(text: str) -> None:
    for seed in range(20):
        varied = varied_values(text, random.Random(seed))
        assert [c for c in varied if c in "[],-."] == [c for c in text if c in "[],-."]
        assert varied.count("0.") == text.count("0.")
