"""Claims about the form of a derivative: its shape, and words such as ``diagonal``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backprove.calculus import numeric
from backprove.checking.equalities import equality_verdict
from backprove.checking.question import Question
from backprove.checking.structures import IMPLIED_BY
from backprove.checking.verdict import Verdict
from backprove.notation.axes import Size, shape_text
from backprove.notation.claims import Claim
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Tensor


def judge_shape(question: Question, claim: str, read: Claim) -> Verdict:
    """The verdict on a shape such as ``n×k×k×d``."""
    given = read.shape or ()
    derivation = question.derivation
    shape = derivation.shape
    accepted: list[tuple[tuple[Size, ...], str]] = [(shape, "")]
    accepted += [(a.tensor.shape, a.convention) for a in question.arrangements()]
    accepted = [(s, "" if c == "row vector" else c) for s, c in accepted]
    for candidate, convention in accepted:
        if given == candidate:
            if convention:
                return Verdict(
                    "right_under", claim, f"Right under: {convention}.", "proved", [convention],
                    evidence="The shape follows from the shapes of output and input.",
                )  # fmt: skip
            return Verdict(
                "right", claim, "Right.", "proved",
                evidence="The shape follows from the shapes of output and input.",
            )  # fmt: skip
    message = f"Wrong: the shape is {derivation.shape_statement}, not {shape_text(given)}."
    return Verdict(
        "wrong", claim, message, "proved", mistake="wrong_shape", fixed=shape_text(shape)
    )


def judge_structure(question: Question, claim: str, read: Claim) -> Verdict:
    """The verdict on a word such as ``diagonal``, or ``not diagonal``."""
    found = question.derivation.structure
    wanted = read.word
    if read.negated:
        return _judge_not(question, claim, read)
    kinds = IMPLIED_BY.get(wanted)
    if wanted == "symmetric":
        return _judge_symmetric(question, claim)
    if (kinds is not None and found.kind in kinds) or found.kind.lower() == wanted:
        return Verdict("right", claim, f"Right. {found.reason}", "proved", evidence=found.reason)
    if kinds is None or found.kind == "dense" or found.kind == "sparse":
        if wanted == "diagonal":
            counter = _off_diagonal(question)
            if counter is not None:
                return Verdict("wrong", claim, counter, "measured", mistake="wrong_structure")
        return Verdict(
            "undecided", claim, f"Undecided: the structure found is {found.kind}; {found.reason}"
        )
    message = f"Wrong: the derivative is {found.kind}. {found.reason}"
    return Verdict("wrong", claim, message, "proved", mistake="wrong_structure", fixed=found.kind)


def _judge_not(question: Question, claim: str, read: Claim) -> Verdict:
    """A claim such as ``not diagonal``: right where the plain claim is wrong, and the reverse."""
    plain = judge_structure(question, claim, replace(read, negated=False))
    if plain.kind == "undecided":
        return plain
    if plain.kind == "right":
        message = f"Wrong: the derivative is {read.word}."
        return Verdict("wrong", claim, message, plain.level, mistake="wrong_structure")
    return Verdict("right", claim, "Right.", plain.level, evidence=plain.message)


def _off_diagonal(question: Question) -> str | None:
    truth = question.truth
    if len(truth.axes) != 2:
        return None
    (point,) = numeric.points(question.derivation.program, count=1, seed=3)
    value = Evaluator(point.values, point.sizes).tensor(truth)
    off = value - np.diag(np.diag(value)) if value.shape[0] == value.shape[1] else value
    if np.abs(off).max() > 1e-6:
        i, j = np.unravel_index(int(np.abs(off).argmax()), off.shape)
        return f"Wrong: at a random point entry [{i}, {j}] off the diagonal is {off[i, j]:.4g}."
    return None


def _judge_symmetric(question: Question, claim: str) -> Verdict:
    truth = question.truth
    if len(truth.axes) != 2 or truth.shape[0] != truth.shape[1]:
        return Verdict(
            "wrong", claim, "Wrong: the derivative is not square.", "proved", mistake="wrong_shape"
        )
    flipped = Tensor(truth.axes[::-1], truth.body)
    return equality_verdict(question.derivation.program, claim, truth, flipped)
