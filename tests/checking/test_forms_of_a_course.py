"""Derivatives of a course in every form: all accepted; every slip in them refused, most named.

``BACKPROVE_ALL_CLAIMS=1`` judges all slips in place of a random share.
"""

from __future__ import annotations

import os
import random
import re

import numpy as np
import pytest

from backprove.checking import check
from backprove.errors import InputError
from checking.course_forms import FORMS, Forms
from checking.mistake_operators import slips_in
from oracles.text_numpy import evaluate
from tables.claim_values import index_value

SHARE = 1.0 if os.environ.get("BACKPROVE_ALL_CLAIMS") == "1" else 0.05
SHARE_NAMED = 0.88
SHARE_PROVED = 0.9  # for all sizes; det(A @ B) = det(A)*det(B) and the like are not
POSITIVE = ("log(det(A))", "-sum(p*log(p))", "sum(p*log(p/q))")
NOT_PLAIN = re.compile(r"[\\Σδ^$]|J_|\w_\w+\s*[*=]|einsum|==\)")
ASSUMED = ("transposed", "wrong_order", "wrong_axis", "assumed_symmetric", "assumed_normalised")
"""Slips that are right for symmetric matrices, in another layout or where a vector sums to 1."""


def domain(form: Forms) -> str | None:
    return "positive" if "log(p" in form.f else None


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.f} by {form.wrt}")
def test_every_form_of_a_derivative_is_right(form: Forms) -> None:
    for claim in form.right:
        verdict = check(form.f, form.wrt, claim, form.shapes, domain=domain(form))
        assert verdict.accepted, (claim, verdict.message)
        assert verdict.kind == "right" or "vec(" in verdict.under[0], (claim, verdict.under)


def test_nearly_all_forms_are_proved() -> None:
    levels = [
        check(f.f, f.wrt, claim, f.shapes, domain=domain(f)).level
        for f in FORMS[::4]
        for claim in f.right
    ]
    assert levels.count("proved") >= SHARE_PROVED * len(levels)


def values(form: Forms, seed: int) -> dict[str, object]:
    """Values of the symbols and the sizes, all sizes different."""
    words = [w for s in form.shapes.values() for w in s.split()]
    sizes = {w: 3 + k for k, w in enumerate(dict.fromkeys(words))}
    rng = np.random.default_rng(seed)
    found: dict[str, object] = dict(sizes)
    for name, shape in form.shapes.items():
        array = rng.normal(size=[sizes[w] for w in shape.split()])
        if form.f in POSITIVE:
            array = np.abs(array) + 0.2
            array = array @ array.T + np.eye(len(array)) if array.ndim == 2 else array
        found[name] = array
    return found


def value(form: Forms, left: str, right: str, at: dict[str, object]) -> np.ndarray:
    """What a claim states, by NumPy alone."""
    output, wrt = np.shape(evaluate(form.f, at)), np.shape(at[form.wrt])  # type: ignore[arg-type]
    if left.startswith("J["):
        return index_value(right, at, [i.strip() for i in left[2:-1].split(",")], output + wrt)
    upstream = np.random.default_rng(9).normal(size=output)
    return evaluate(right, {**at, "G": upstream})


def is_wrong(form: Forms, left: str, right: str, slip: str) -> bool:
    """True if a slip changes the value, and leaves a value of the same shape."""
    differs = False
    for seed in (1, 2, 3):
        at = values(form, seed)
        try:
            with np.errstate(all="ignore"):
                expected, given = value(form, left, right, at), value(form, left, slip, at)
        except (ValueError, TypeError, SyntaxError, LookupError, NameError, ArithmeticError):
            return False
        if given.shape != expected.shape or not np.all(np.isfinite(given)):
            return False
        scale = max(float(np.abs(expected).max(initial=0.0)), 1e-3)
        differs = differs or np.abs(given - expected).max(initial=0.0) > 1e-3 * scale
    return bool(differs)


def slips(share: float, seed: int) -> list[tuple[Forms, str, str]]:
    """A random share of the slips in the forms that NumPy can read."""
    rng = random.Random(seed)
    found = []
    for form in FORMS:
        for claim in form.right:
            if NOT_PLAIN.search(claim) or " with " in claim:
                continue
            written = re.match(r"^(\w+\s*(?:\[[^\]]*\])?)\s*=(?!=)(.*)$", claim)
            left, right = (written[1].strip(), written[2].strip()) if written else ("", claim)
            for slip, name in slips_in(left, right, form.wrt, form.shapes):
                if rng.random() < share and is_wrong(form, left, right, slip):
                    found.append((form, f"{left} = {slip}" if left else slip, name))
    return found


def test_no_slip_in_a_form_is_called_right_and_most_are_named() -> None:
    named = refused = 0
    missed = []
    for form, claim, name in slips(SHARE, seed=7):
        try:
            verdict = check(form.f, form.wrt, claim, form.shapes, domain=domain(form))
        except InputError:  # an index that is not bound has its error, and no verdict
            continue
        if verdict.kind == "right_under":
            assert verdict.under and name in (*ASSUMED, "symmetric_convention"), claim
            continue
        assert verdict.kind == "wrong", (form.f, claim, verdict.message)
        assert verdict.counterexample is not None or verdict.mistake == "wrong_shape", claim
        refused += 1
        named += name in (verdict.mistake, *verdict.also)
        if name not in (verdict.mistake, *verdict.also):
            missed.append((claim, name, verdict.mistake))
    print(f"{refused} refused, {named} named")
    assert refused > 50
    assert named >= SHARE_NAMED * refused, missed
