"""The second reader of expression text: known values, and nothing beyond the language."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.text_numpy import evaluate

X = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 3*4", 14.0),
        ("-2**2", -4.0),
        ("2^3", 8.0),
        ("X.T @ X", X.T @ X),
        ("X[::-1, 1:]", X[::-1, 1:]),
        ("X[:, None, 0]", X[:, None, 0]),
        ("var(X, axis=0)", [2.25, 2.25, 2.25]),
        ("sum(X, axis=1, keepdims=True)", [[3.0], [12.0]]),
        ("norm(X[0])**2", 5.0),
        ("einsum('ij->j', X)/n", [1.5, 2.5, 3.5]),
        ("where(X > 2, 1, 0)", [[0, 0, 0], [1, 1, 1]]),
        ("softmax(0*X)", np.full((2, 3), 1 / 3)),
        ("leaky_relu(-X)", -0.01 * X),
        ("gelu(0*X + 1)", np.full((2, 3), 0.8413447460685429)),
        ("reshape(X, (3*n,))", np.arange(6.0)),
    ],
)
def test_text_has_its_known_value(text: str, expected: object) -> None:
    np.testing.assert_allclose(evaluate(text, {"X": X, "n": 2}), np.asarray(expected), rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "X.sum()",
        "X.__class__",
        "(lambda: 1)()",
        "[i for i in X]",
        "exp.__call__(X)",
        "open('x')",
        "X if n else n",
        "y := 1",
        "1 < n < 3",
    ],
)
def test_text_beyond_the_language_is_refused(text: str) -> None:
    with pytest.raises(SyntaxError):
        evaluate(text, {"X": X, "n": 2})


def test_values_outside_a_domain_are_errors_and_not_nan() -> None:
    with pytest.raises(FloatingPointError):
        evaluate("log(-X)", {"X": X})
