"""Bad input ends in a clear error with its position, after a bounded amount of work."""

from __future__ import annotations

import os
import time
from itertools import islice

import numpy as np
import pytest

from backprove.calculus import derive
from backprove.errors import (
    BackproveError,
    DomainError,
    InputError,
    NotationError,
    ShapeError,
    UnknownName,
    Unsupported,
)
from backprove.notation.effort import bounded
from backprove.notation.lowering import MAX_OPERATIONS
from oracles import hostile_texts

SHAPES = {"X": "n d", "W": "k d", "w": "d", "A": "n n", "s": ""}
REFUSAL = 2_000
"""The work that a refusal of a malformed text may cost: it is found before anything is derived."""

EVERY = int(os.environ.get("BACKPROVE_HOSTILE_EVERY", "3"))
"""One hostile text of so many: every third one by default, all of them in CI."""

REFUSED: list[tuple[str, str, type[InputError], str, tuple[int, int]]] = [
    ("x + w", "w", UnknownName, "unknown symbol 'x'", (0, 1)),
    ("X + w2", "w", UnknownName, "unknown symbol 'w2'", (4, 6)),
    ("sum(eye(p) @ w)", "w", UnknownName, "'p' is not a declared size", (8, 9)),
    ("X @ W", "W", ShapeError, "inner sizes d and k differ", (0, 5)),
    ("X + W", "W", ShapeError, "does not fit", (0, 5)),
    ("inv(X)", "X", ShapeError, "needs a square matrix", (0, 6)),
    ("trace(X)", "X", ShapeError, "needs a square matrix", (0, 8)),
    ("det(w)", "w", ShapeError, "needs a square matrix", (0, 6)),
    ("sum(w, axis=3)", "w", ShapeError, "axis=3 does not exist", (12, 13)),
    ("einsum('ij,jk', X, W)", "W", ShapeError, "index 'j' has sizes d and k", (0, 21)),
    ("X[:, 0:0]", "X", ShapeError, "is empty", (5, 8)),
    ("reshape(X, (n*d*n,))", "X", ShapeError, "does not fit", (0, 20)),
    ("", "w", NotationError, "the expression is empty", (0, 0)),
    ("   ", "w", NotationError, "the expression is empty", (3, 3)),
    ("w @ w @", "w", NotationError, "ends too early", (7, 7)),
    ("w;w", "w", NotationError, "unexpected ';'", (1, 2)),
    ("w\x00", "w", NotationError, "unexpected character", (1, 2)),
    ("w.__class__", "w", NotationError, "not supported", (2, 11)),
    ("import os", "w", NotationError, "unexpected 'os'", (7, 9)),
    ("__import__('os')", "w", Unsupported, "is not supported", (0, 16)),
    ("foo(w)", "w", Unsupported, "the function 'foo' is not supported", (0, 6)),
    ("1/0*w", "w", NotationError, "division by zero", (2, 3)),
    ("9**9**9**9*w", "w", Unsupported, "exponent 387420489 is out of range", (6, 10)),
    ("w**9**9**9", "w", Unsupported, "exponent 387420489 is out of range", (6, 10)),
    ("w**(10**9)", "w", Unsupported, "exponent 1000000000 is out of range", (3, 10)),
    ("w**100000000", "w", Unsupported, "is out of range", (3, 12)),
    ("1e999999999*w", "w", NotationError, "out of range", (0, 11)),
    ("w*" + "9" * 10_000, "w", NotationError, "has 10000 characters", (2, 10_002)),
    ("eye(10**9) @ w", "w", NotationError, "expected a size", (4, 9)),
    ("eye(1000000000) @ w", "w", NotationError, "at most 10,000,000", (4, 14)),
    ("w[10**9]", "w", NotationError, "expected a size", (2, 7)),
    ("(" * 5000 + "w" + ")" * 5000, "w", NotationError, "nested deeper", (2500, 2501)),
    ("exp(" * 3000 + "w" + ")" * 3000, "w", NotationError, "nested deeper", (10_000, 10_003)),
    ("w" + " + w" * 25_000, "w", NotationError, "has 100,001 characters", (0, 1)),
    ("[" * 100_000, "w", NotationError, "has 100,000 characters", (0, 1)),
    ("'" + "a" * 99_999, "w", NotationError, "has 100,000 characters", (0, 1)),
    ("w < w < w", "w", NotationError, "comparisons cannot be chained", (0, 9)),
    ("norm(X, 1)", "X", NotationError, "by name only", (8, 9)),
    ("max(X, 1, True)", "X", NotationError, "by name only", (7, 8)),
    ("w/eye(d)", "w", NotationError, "division by zero", (2, 8)),
    ("concatenate([w, 2/tril(X @ X.T)[0]], 0)", "w", NotationError, "division by zero", (18, 34)),
    ("1/(w > 0)", "w", NotationError, "division by zero", (2, 9)),
    ("w^T w", "w", NotationError, "in LaTeX the transpose is", (4, 5)),
    ("min(0, X)", "X", NotationError, "minimum(x, y)", (7, 8)),
    ("softmax(X, axis=(0, 1))", "X", ShapeError, "expected one axis", (16, 22)),
    ("softmax(X, axis=None)", "X", ShapeError, "runs along one axis", (16, 20)),
    ("cumsum(X, axis=None)", "X", ShapeError, "needs axis=", (0, 20)),
    ("concatenate([X, X], axis=None)", "X", ShapeError, "expected one axis", (25, 29)),
    ("clip(w, None, None)", "w", NotationError, "both are None", (0, 19)),
    ("X[n]", "X", ShapeError, "it can never be that index n lies inside size n", (2, 3)),
    ("w[:-d]", "w", ShapeError, "the slice :-d of an axis of size d is empty", (2, 5)),
    ("sum(zeros((0, 3)))*w", "w", ShapeError, "the size 0 is at least 1", (11, 12)),
    ("sum(ones((-n,)))*w", "w", NotationError, "expected a size", (10, 12)),
    ("sum(ones((n - n,)))*w", "w", ShapeError, "the size 0 is at least 1", (10, 15)),
    ("reshape(w, (0, -1))", "w", ShapeError, "the size 0 is at least 1", (12, 13)),
    ("log(0)*w", "w", NotationError, "log(0) is not a finite number", (0, 6)),
    ("w + 2*sqrt(-1)", "w", NotationError, "sqrt(-1) is not a finite number", (6, 14)),
    ("w/(s - s)", "w", NotationError, "w/(s - s) is not a finite number", (0, 9)),
    ("1/(w - w)", "w", NotationError, "'divide' leaves its domain", (0, 9)),
    ("exp(1000)*w", "w", NotationError, "exp(1000) is not a finite number", (0, 9)),
    ("sum(inv(zeros((2, 2))))*w", "w", NotationError, "Singular", (4, 22)),
    ("logdet(zeros((2, 2)))*w", "w", NotationError, "'logdet' leaves its domain", (0, 21)),
    ("(-8)**(1/3)*w", "w", NotationError, "'power' leaves its domain", (0, 11)),
    ("w + 0**s", "w", NotationError, "a power of 0 with a variable exponent", (4, 8)),
    ("(-2)**s", "s", NotationError, "a power of -2 with a variable exponent", (0, 7)),
    ("(w - w)**s", "s", NotationError, "a power of 0 with a variable exponent", (0, 10)),
    ("w[" + "None, " * 40 + "]", "w", Unsupported, "an array of 41 axes", (0, 243)),
    ("arccos(2)*w", "w", Unsupported, "the function 'arccos' is not supported", (0, 9)),
]


@pytest.mark.parametrize(
    ("text", "wrt", "kind", "message", "span"), REFUSED, ids=[r[0][:30] for r in REFUSED]
)
def test_bad_text_is_refused_with_its_position_before_anything_is_derived(
    text, wrt, kind, message, span
):
    with pytest.raises(kind) as raised, bounded(REFUSAL):
        derive(text, wrt, SHAPES)
    error = raised.value
    assert message in str(error)
    assert error.span is not None and (error.span.start, error.span.end) == span
    assert error.text == text
    assert len(error.render()) < 1000


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        ({"w": "1000000000"}, {}, "larger than 10,000,000"),
        ({"w": 10**9}, {}, "lie between 1 and 10,000,000"),
        ({"w": (0,)}, {}, "lie between 1 and"),
        ({"w": "d " * 20}, {}, "has 20 axes; at most 12"),
        ({"w": "d*?"}, {}, "is not a size"),
        ({"w": "d"}, {"domain": {"w": "odd"}}, "is not a domain"),
        ({"w": "d"}, {"domain": {"v": "real"}}, "has no shape"),
        ({"w": "d"}, {"domain": {"w": "spd"}}, "needs a square matrix"),
        ({"w": "d"}, {"order": 3}, "order is 3"),
        ({"w": "d"}, {"layout": "upright"}, "layout is 'upright'"),
        ({"v": "d"}, {}, "'w' is not declared"),
    ],
)
def test_bad_declarations_and_options_are_refused(shapes, options, message):
    with pytest.raises(InputError) as raised, bounded(REFUSAL):
        derive("w", "w", shapes, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("w" + "".join(f" + sin(w)*{k}" for k in range(3_000)), f"more than {MAX_OPERATIONS:,}"),
        ("w" + "@w" * 20_000, "one inside the other"),
        ("sum(ones((" + "(n + d + k)*" * 300 + "1,)))*w", "more than 100 terms"),
    ],
)
def test_text_of_too_many_operations_is_refused_while_it_is_read(text, message):
    with pytest.raises(InputError) as raised, bounded(60_000):
        derive(text, "w" if "w" in text else "A", hostile_texts.SHAPES)
    assert message in str(raised.value)


def test_a_power_of_a_huge_power_has_no_stray_factors():
    assert "·1^" not in derive("((w + 1)**9999)**9999", "w", {"w": "d"}).index_form


@pytest.mark.parametrize("latex", ["$" * 50_000, "\\ " * 29_000 + "w", "$ " * 29_000 + "x \\times"])
def test_long_latex_is_read_in_linear_time(latex):
    start = time.process_time()
    _answer(latex, "w")
    assert time.process_time() - start < 5  # 30 seconds and more where spaces are searched


@pytest.mark.parametrize("family", sorted(hostile_texts.FAMILIES))
def test_hostile_text_is_answered_or_refused_with_a_bounded_amount_of_work(family):
    most = 160_000  # units of work, about a second
    for label, text, wrt in islice(hostile_texts.small(family), None, None, EVERY):
        with bounded(most):  # would raise what is no error of ours
            written = _answer(text, wrt)
        assert len(written) < 100_000, label


def _answer(text: str, wrt: str) -> str:
    """The index form, or the refusal as a person reads it."""
    try:
        return derive(text, wrt, hostile_texts.SHAPES).index_form
    except BackproveError as error:
        return error.render()


@pytest.mark.parametrize(
    ("text", "shapes", "values", "message"),
    [
        ("x[5]", {"x": "n"}, {"x": [1.0, 2.0]}, "index 5 lies inside size n"),
        ("x[5:]", {"x": "n"}, {"x": [1.0, 2.0]}, "the slice 5: is not empty"),
        ("x[-4:]", {"x": "n"}, {"x": [1.0, 2.0]}, "the slice -4: starts inside size n"),
        ("x[1:8]", {"x": "n"}, {"x": [1.0, 2.0]}, "the slice 1:8 ends inside size n"),
        ("sum(ones((n - 3,)))*x", {"x": "n"}, {"x": [1.0]}, "the size n - 3 is at least 1"),
    ],
)
def test_values_too_small_for_a_slice_are_refused(text, shapes, values, message):
    derivation = derive(text, "x", shapes)
    with pytest.raises(ShapeError) as raised:
        derivation.evaluate(values)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "shapes", "values", "named"),
    [
        ("sum(log(x))", {"x": "n"}, {"x": [1.0, -2.0]}, "log(x)"),
        ("sum(sqrt(x - 3))", {"x": "n"}, {"x": [1.0, -2.0]}, "sqrt("),
        ("sum(1/x)", {"x": "n"}, {"x": [1.0, 0.0]}, "not finite"),
        ("inv(A)", {"A": "n n"}, {"A": np.ones((2, 2))}, "'inv' of a matrix: Singular"),
        ("logdet(A)", {"A": "n n"}, {"A": np.ones((2, 2))}, "logdet(A)"),
    ],
)
def test_a_value_outside_the_domain_is_named_at_the_step_where_it_arises(
    text, shapes, values, named
):
    derivation = derive(text, next(iter(shapes)), shapes)
    with pytest.raises(DomainError) as raised:
        derivation.evaluate(values)
    assert named in str(raised.value)


@pytest.mark.parametrize("form", ["dense", "structured"])
@pytest.mark.parametrize(
    ("text", "values", "named"),
    [
        ("2*sqrt(s)", {"s": 0.0}, "h1 = sqrt(s) has no finite derivative by s at s = 0"),
        ("norm(w*s)", {"w": [1.0, 2.0], "s": 0.0}, "norm(h1) has no finite derivative by h1"),
        ("sum(w*s)**0.5", {"w": [1.0, -1.0], "s": 3.0}, "by h2 at h2 = 0"),
        ("w**s", {"w": [0.0, 3.0], "s": 2.0}, "w ** s has no finite derivative by s at w = [0, 3]"),
        ("s**s", {"s": 0.0}, "s ** s has no finite derivative"),
        ("sqrt(s**2)", {"s": 0.0}, "sqrt(h1) has no finite derivative by h1 at h1 = 0"),
    ],
)
def test_a_finite_value_without_a_finite_derivative_is_named(form, text, values, named):
    derivation = derive(text, "s", SHAPES)
    with pytest.raises(DomainError) as raised:
        derivation.evaluate(values, form=form)
    assert named in str(raised.value)


def test_a_second_derivative_that_is_not_finite_is_named_and_the_first_one_given():
    assert derive("s**1.5", "s", SHAPES).evaluate({"s": 0.0}) == 0
    with pytest.raises(DomainError, match="no finite second derivative by s at s = 0"):
        derive("s**1.5", "s", SHAPES, order=2).evaluate({"s": 0.0})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no value is given"),
        ({"X": np.ones((2, 3))}, "no value is given for 'w'"),
        ({"X": np.ones((2, 3)), "w": np.ones(4)}, "size d is 3"),
        ({"X": np.ones(3), "w": np.ones(3)}, "has shape (3,)"),
        ({"X": [["a"]], "w": [1.0]}, "not an array of numbers"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, message):
    with pytest.raises(BackproveError) as raised:
        derive("X @ w", "w", SHAPES).evaluate(values)
    assert message in str(raised.value)
