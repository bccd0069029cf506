"""Every published derivative of the tables, derived, and read back from each printed form."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from backprove.calculus import Derivation, derive
from backprove.calculus.values import bind_values
from backprove.notation import declare, lower
from backprove.notation.evaluation import Evaluator
from backprove.notation.index_reader import read_index_formula
from oracles import finite_differences
from oracles.text_numpy import evaluate
from tables.loader import Case, cases

POINTS = int(os.environ.get("BACKPROVE_TABLE_POINTS", "1"))
"""Points in the domain for each case; 5 at night."""

CASES = cases()


def derived(case: Case) -> Derivation:
    """The derivative that the case asks for; derived once."""
    return _derived(case.id)


@cache
def _derived(name: str) -> Derivation:
    case = next(c for c in CASES if c.id == name)
    found = derive(
        case.f,
        case.wrt,
        case.shapes,
        order=case.order,
        domain=case.domain,
        structured=case.structured == "symmetric",
    )
    assert isinstance(found, Derivation)
    return found


def measured(case: Case, values: dict[str, np.ndarray]) -> finite_differences.Estimate:
    """The derivative by finite differences of the NumPy reading of the text."""
    start, sizes = values[case.wrt], case.size_values()

    shape = evaluate(case.f, {**sizes, **values}).shape

    def f(x: np.ndarray) -> np.ndarray:
        try:
            return evaluate(case.f, {**sizes, **values, case.wrt: x})
        except (FloatingPointError, np.linalg.LinAlgError):
            return np.full(shape, np.nan)  # such a step is left out of the estimate

    if case.structured == "symmetric":
        return _along_twins(f, start)
    differences = finite_differences.jacobian if case.order == 1 else finite_differences.hessian
    return differences(f, {"x": start}, "x")


def _along_twins(f: Callable[[np.ndarray], np.ndarray], start: np.ndarray):  # type: ignore[no-untyped-def]
    """Derivatives along directions in which the entries (i, j) and (j, i) move together."""
    units = np.eye(start.size).reshape(-1, *start.shape)
    twins = np.stack([np.maximum(u, u.T) for u in units])
    flat = finite_differences.jacobian(
        lambda t: f(start + np.tensordot(t, twins, 1)), {"t": np.zeros(start.size)}, "t"
    )
    shape = flat.value.shape[:-1] + start.shape
    return finite_differences.Estimate(flat.value.reshape(shape), flat.error.reshape(shape))


def close(given: np.ndarray, expected: np.ndarray) -> bool:
    """Whether two exact computations of the same array agree up to rounding."""
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return given.shape == expected.shape and bool(np.all(np.abs(given - expected) <= 1e-9 * scale))


def _sizes(case: Case, values: dict[str, np.ndarray]) -> dict[str, int]:
    return {**case.size_values(), **bind_values(derived(case).program, values)[1]}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_a_published_derivative_equals_finite_differences(case: Case) -> None:
    derivation = derived(case)
    allowed = 1e-7 if case.order == 1 else 1e-5
    for seed in range(POINTS):
        values = case.values(seed)
        dense = np.asarray(derivation.evaluate(values))
        truth = measured(case, values)
        assert truth.agrees(dense, rtol=allowed), f"point {seed}: {derivation.index_form}"
        assert float(truth.error.max(initial=0.0)) < 1e-4 * max(1.0, float(np.abs(dense).max()))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_the_matrix_form_of_a_published_derivative_has_its_value(case: Case) -> None:
    derivation = derived(case)
    matrix = derivation.matrix_form
    if matrix is None:
        assert derivation.matrix_form_reason
        return
    symbols = declare(case.shapes, case.domain)
    tensor = lower(matrix, symbols, sizes=set(case.size_values())).tensor()
    for seed in range(POINTS):
        values = case.values(seed)
        dense = np.asarray(derivation.evaluate(values))
        sizes = _sizes(case, values)
        arrays = {symbols[n]: np.asarray(v, dtype=float) for n, v in values.items()}
        assert close(Evaluator(arrays, sizes).tensor(tensor), dense), f"point {seed}: {matrix}"
        plain = np.asarray(evaluate(matrix, {**sizes, **values}), dtype=float)
        assert close(plain, dense), f"point {seed}: {matrix}"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_the_index_form_of_a_published_derivative_is_read_back(case: Case) -> None:
    derivation = derived(case)
    assert not derivation.definitions
    symbols = declare(case.shapes, case.domain)
    formula = read_index_formula(
        derivation.index_form,
        symbols,
        sizes=set(case.size_values()),
        expected_axes=derivation.shape,
    )
    for seed in range(POINTS):
        values = case.values(seed)
        arrays = {symbols[n]: np.asarray(v, dtype=float) for n, v in values.items()}
        given = Evaluator(arrays, _sizes(case, values)).tensor(formula.tensor)
        dense = np.asarray(derivation.evaluate(values))
        assert close(given, dense), f"point {seed}: {derivation.index_form}"


def test_a_derivative_of_rank_two_or_less_nearly_always_has_a_matrix_form() -> None:
    without = []
    for case in CASES:
        derivation = derived(case)
        if derivation.matrix_form is None and len(derivation.shape) <= 2:
            without.append(case.id)
    assert len(without) <= MATRIX_FORMS_MISSING, without


MATRIX_FORMS_MISSING = 20
"""How many results of rank 2 or less have no matrix form yet; the number only falls."""
