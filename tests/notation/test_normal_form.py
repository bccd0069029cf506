"""Normal forms and exponential forms keep values, and do what their proofs rely on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.notation.test_equality_at_random import EXPRESSIONS, SYMBOLS

from backprove.errors import BackproveError
from backprove.notation import declare, lower
from backprove.notation.evaluation import Evaluator
from backprove.notation.exponential_form import KEPT, exponential_form
from backprove.notation.expressions import Expr, Fn, Tensor, Test, Where
from backprove.notation.normal_form import normal_form

SCALARS = declare({"x": "", "y": "", "z": "n"})


def normal(text: str) -> Expr | None:
    return normal_form(lower(text, SCALARS).tensor().body)


def nodes(expr: Expr) -> list[Expr]:
    return [expr, *(n for c in expr.children() for n in nodes(c))]


def evaluator(seed: int) -> Evaluator:
    rng = np.random.default_rng(seed)
    arrays = {s: rng.normal(size=[z.at({"n": 3}) for z in s.shape]) for s in SYMBOLS.values()}
    return Evaluator(arrays, {"n": 3})


def near_tie(work: Evaluator, body: Expr) -> bool:
    """Whether rounding may decide an indicator."""
    decided = [n.value for n in nodes(body) if isinstance(n, Test)]
    decided += [n.args[0] for n in nodes(body) if isinstance(n, Fn) and n.name == "sign"]
    decided += [n.condition for n in nodes(body) if isinstance(n, Where)]
    with np.errstate(all="ignore"):
        found = [np.abs(work.labelled(v)[1]) for v in decided]
    return any(np.any((v < 1e-9) & (v > 0)) for v in found)


def agree(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors agree where both are moderate numbers."""
    for seed in range(4):
        work = evaluator(seed)
        if near_tie(work, first.body) or near_tie(work, second.body):
            continue
        one, two = work.tensor(first), work.tensor(second)
        usable = np.isfinite(one) & np.isfinite(two) & (np.abs(one) < 1e5) & (np.abs(two) < 1e5)
        if not np.allclose(one[usable], two[usable], rtol=1e-6, atol=1e-6):
            return False
    return True


def read(text: str) -> Tensor:
    try:
        return lower(text, SYMBOLS).tensor()
    except BackproveError:
        assume(False)
        raise


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_a_normal_form_has_the_same_values(text):
    # A quotient by an indicator is 0/0 or 1/0 on a whole region: nothing to compare there.
    assume(not ("/" in text and any(sign in text for sign in "<>")))
    tensor = read(text)
    reduced = normal_form(tensor.body)
    assume(reduced is not None)
    assert agree(tensor, Tensor(tensor.axes, reduced))


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_an_exponential_form_has_the_same_values_and_few_functions(text):
    tensor = read(text)
    rewritten = exponential_form(tensor.body)
    assert agree(tensor, Tensor(tensor.axes, rewritten))
    assert {n.name for n in nodes(rewritten) if isinstance(n, Fn)} <= set(KEPT)


def _whole(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["+", "-", "*", ">", ">=", "=="]
    return st.one_of(
        st.builds(lambda p, o, q: f"({p} {o} {q})", inner, st.sampled_from(operators), inner),
        st.builds(lambda f, p: f"{f}({p})", st.sampled_from(["relu", "abs", "sign"]), inner),
        st.builds(lambda f, p: f"{f}({p} + 0*x)", st.sampled_from(["sum", "max", "min"]), inner),
        st.builds(lambda f, p, q: f"{f}({p}, {q})", st.sampled_from(MAXIMA), inner, inner),
        st.builds(lambda p, q, r: f"where({p}, {q}, {r})", inner, inner, inner),
    )


MAXIMA = ["maximum", "minimum"]
LEAVES = ["x", "y", "a", "b", "1", "2", "x[::-1]"]
WHOLE = st.recursive(st.sampled_from(LEAVES), _whole, max_leaves=6)


@settings(max_examples=150, deadline=None)
@given(WHOLE, st.integers(0, 2**20))
def test_a_normal_form_is_exact_at_ties_of_whole_numbers(text, seed):
    tensor = read(text)
    reduced = normal_form(tensor.body)
    assume(reduced is not None)
    rng = np.random.default_rng(seed)
    arrays = {
        s: rng.integers(-1, 2, size=[z.at({"n": 3}) for z in s.shape]).astype(float)
        for s in SYMBOLS.values()
    }
    work = Evaluator(arrays, {"n": 3})
    assert np.array_equal(work.tensor(tensor), work.tensor(Tensor(tensor.axes, reduced)))


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_a_normal_form_is_its_own_normal_form(text):
    reduced = normal_form(read(text).body)
    assume(reduced is not None)
    assert normal_form(reduced) is reduced


@pytest.mark.parametrize("text", ["(x + y + 1)**8", "sum(z)**8*(x + y)**8*(x - y)**7"])
def test_a_form_larger_than_the_budget_is_not_made(text):
    body = lower(text, SCALARS).tensor().body
    assert normal_form(body, budget=20) is None


def test_a_selection_stays_where_a_branch_may_be_undefined():
    assert isinstance(normal("where(x > 0, log(x), 0)"), Where)
    assert isinstance(normal("where(x == 0, 0, 1/x)"), Where)
    assert not isinstance(normal("where(x > 0, x, exp(x))"), Where)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("(x == y)", "(x >= y) - (x > y)"),
        ("(x > y)", "1 - (y >= x)"),
        ("(x > y)*(x >= y)", "(x > y)"),
        ("(x == y)*(x > y)", "0*x"),
        ("(2*x > 2*y)", "(x > y)"),
        ("(-3*x >= 0)", "(x <= 0)"),
    ],
)
def test_indicators_have_one_form_that_is_exact_at_ties(first, second):
    assert normal(first) is normal(second)


def test_bracket_orientation_is_exact():
    symbols = declare({"A": "n n"})
    lower_part, rest = (lower(t, symbols).tensor() for t in ("A - triu(A, 1)", "tril(A)"))
    reduced = normal_form(lower_part.body)
    assert reduced is not None
    rng = np.random.default_rng(0)
    arrays = {symbols["A"]: rng.normal(size=(4, 4))}
    one = Evaluator(arrays, {"n": 4}).tensor(Tensor(lower_part.axes, reduced))
    assert np.array_equal(one, Evaluator(arrays, {"n": 4}).tensor(rest))
