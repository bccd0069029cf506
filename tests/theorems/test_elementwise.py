"""Compiled formulas agree with the expressions of the language, for every record."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.calculus import derive
from backprove.errors import BackproveError
from backprove.functions import ELEMENTWISE
from backprove.theorems.elementwise import elementwise

X = np.array([-2.7, -1.2, -0.3, 0.4, 1.1, 2.9])


@pytest.mark.parametrize("name", [n for n, r in ELEMENTWISE.items() if r.arity == 1])
def test_the_derivative_of_a_record_is_that_of_the_language(name: str) -> None:
    record = ELEMENTWISE[name]
    x = np.abs(X) if record.domain.low == 0 or name == "log1p" else X
    found = elementwise(record.derivatives[0])(x)
    jacobian = derive(f"{name}(x)", "x", {"x": 6}).evaluate({"x": x})
    np.testing.assert_allclose(found, np.diag(jacobian), rtol=1e-12)


@pytest.mark.parametrize("text", ["y + 1", "sum(x)", "x @ x", "x[0]", "softmax(x)"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BackproveError):
        elementwise(text)(X)
