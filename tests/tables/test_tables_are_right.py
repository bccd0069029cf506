"""Each published statement against finite differences, independently of the package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from oracles.text_numpy import evaluate, tree
from tables.claim_values import IndexReader, claim_value, statement
from tables.loader import Case, cases
from tables.rewriting import other_forms

POINTS = 5
MISTAKES = frozenset(
    [
        "wrong_shape",
        "sign",
        "missing_term",
        "extra_term",
        "transposed",
        "missing_chain",
        "missing_path",
        "missing_delta",
        "wrong_delta",
        "missing_factor",
        "extra_factor",
        "missing_sum",
        "missing_normalizer",
        "wrong_function",
        "wrong_variable",
        "wrong_axis",
        "wrong_order",
        "scalar_rule",
        "assumed_symmetric",
        "assumed_normalised",
        "symmetric_convention",
        "wrong_path",
        "layout_mixed",
        "contradiction",
    ]
)
CASES = cases()


def everything(case: Case, seed: int) -> dict:
    """Values of the symbols and of the named sizes."""
    return {**case.size_values(), **case.values(seed)}


def directions(case: Case) -> list[np.ndarray]:
    """One direction per entry of the input; a symmetric input moves both of its twin entries."""
    shape = case.shape(case.wrt)
    units = list(np.eye(int(np.prod(shape, dtype=int))).reshape(-1, *shape))
    if case.structured == "symmetric":
        return [np.maximum(u, u.T) for u in units]
    return units


def first_difference(along: Callable[[float], np.ndarray], step: float = 2e-3) -> np.ndarray:
    """Central differences at three steps, extrapolated twice: the error is of order step**6."""

    def central(h: float) -> np.ndarray:
        return (along(h) - along(-h)) / (2 * h)

    one, two, four = central(step), central(2 * step), central(4 * step)
    return (64 * one - 20 * two + four) / 45


def measured(case: Case, values: dict) -> np.ndarray:
    """The derivative of ``f`` by finite differences of order ``case.order``."""
    start = values[case.wrt]
    shape = case.shape(case.wrt)

    def f(x: np.ndarray) -> np.ndarray:
        return evaluate(case.f, {**values, case.wrt: x})

    def gradient(at: np.ndarray) -> np.ndarray:
        parts = [first_difference(lambda t, u=u: f(at + t * u)) for u in units]
        return np.stack(parts, axis=-1)

    units = directions(case)
    if case.order == 1:
        entries = gradient(start)
        return entries.reshape(entries.shape[:-1] + shape)
    parts = [first_difference(lambda t, u=u: gradient(start + t * u), 4e-3) for u in units]
    entries = np.stack(parts, axis=-1)
    return entries.reshape(entries.shape[:-2] + shape + shape)


def error(given: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest entry (infinite if shapes differ)."""
    if given.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(np.max(np.abs(expected))))
    return float(np.max(np.abs(given - expected))) / scale


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_right_statements_equal_finite_differences_and_wrong_ones_do_not(case: Case) -> None:
    allowed = 1e-7 if case.order == 1 else 1e-6
    seen: Counter[str] = Counter()
    for seed in range(POINTS):
        values = everything(case, seed)
        truth = measured(case, values)
        wrt = case.shape(case.wrt)
        output = truth.shape[: truth.ndim - case.order * len(wrt)]
        for claim in case.claims:
            off = error(claim_value(claim, values, output, wrt, case.order), truth)
            assert off < allowed, f"{case.id} point {seed}: {claim} is off by {off:.1e}"
        for wrong in case.wrong:
            given = claim_value(wrong.claim, values, output, wrt, case.order)
            seen[wrong.claim] += error(given, truth) > 1e-2
    for wrong in case.wrong:
        assert seen[wrong.claim] > 0, f"{case.id}: {wrong.claim} is nowhere wrong"


def test_every_entry_is_complete() -> None:
    assert len({c.id for c in CASES}) == len(CASES)
    for case in CASES:
        assert case.claims, case.id
        assert case.wrt in case.shapes, case.id
        assert case.source, case.id
        assert set(case.domain) <= set(case.shapes), case.id
        assert case.structured in ("", "symmetric"), case.id
        for wrong in case.wrong:
            assert wrong.mistake in MISTAKES, (case.id, wrong.mistake)


def test_the_named_sizes_of_a_case_are_all_different() -> None:
    for case in CASES:
        sizes = case.size_values()
        assert len(set(sizes.values())) == len(sizes), case.id


def test_no_index_letter_of_a_claim_hides_a_symbol() -> None:
    for case in CASES:
        for claim in (*case.claims, *(w.claim for w in case.wrong)):
            assert not set(statement(claim)[1] or ()) & set(case.shapes), (case.id, claim)


def test_index_formulas_read_all_at_once_equal_plain_loops_over_the_positions() -> None:
    checked = 0
    for case in CASES:
        values = everything(case, seed=0)
        wrt = case.shape(case.wrt)
        shape = evaluate(case.f, values).shape + wrt * case.order
        for claim in case.claims:
            _, names, body = statement(claim)
            if names is None or np.prod(shape, dtype=int) > 60:
                continue
            whole = claim_value(
                claim, values, shape[: len(shape) - case.order * len(wrt)], wrt, case.order
            )
            for at in np.ndindex(shape):
                reader = IndexReader(values, names, (1,) * len(shape))
                reader.at = dict(zip(names, map(np.asarray, at), strict=True))
                assert np.isclose(whole[at], float(reader.visit(tree(body)))), (case.id, at)
                checked += 1
    assert checked > 1000


def test_other_forms_of_a_right_statement_have_its_value() -> None:
    rewritten = 0
    for case in CASES:
        values = everything(case, seed=1)
        output = evaluate(case.f, values).shape
        wrt = case.shape(case.wrt)
        for claim in case.claims:
            expected = claim_value(claim, values, output, wrt, case.order)
            for form in other_forms(claim):
                given = claim_value(form, values, output, wrt, case.order)
                assert error(given, expected) < 1e-9, (case.id, form)
                rewritten += 1
    assert rewritten > 500
