"""Bad input ends in a clear error with its position, within a second."""

from __future__ import annotations

import time

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

SHAPES = {"X": "n d", "W": "k d", "w": "d", "A": "n n", "s": ""}
LIMIT = 30.0

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
]


@pytest.mark.parametrize(
    ("text", "wrt", "kind", "message", "span"), REFUSED, ids=[r[0][:30] for r in REFUSED]
)
def test_bad_text_is_refused_with_its_position_within_a_second(text, wrt, kind, message, span):
    start = time.perf_counter()
    with pytest.raises(kind) as raised:
        derive(text, wrt, SHAPES)
    assert time.perf_counter() - start < LIMIT
    error = raised.value
    assert message in str(error)
    assert error.span is not None and (error.span.start, error.span.end) == span
    assert text.startswith(error.text[:40])  # long texts are cut
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
    start = time.perf_counter()
    with pytest.raises(InputError) as raised:
        derive("w", "w", shapes, **options)
    assert time.perf_counter() - start < LIMIT
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
