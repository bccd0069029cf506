"""Shapes as people write them."""

from __future__ import annotations

import pytest

from backprove.errors import NotationError, ShapeError
from backprove.notation.shapes import declare, parse_shape


@pytest.mark.parametrize(
    "text",
    ["n d", "n×d", "n,d", "n, d", "n x d", "n by d", "(n, d)", "[n, d]", "R^{n×d}", "ℝ^{n × d}",
     r"\mathbb{R}^{n \times d}", r"\mathbb R^{n\times d}", ("n", "d")],
)  # fmt: skip
def test_one_shape_in_many_forms(text):
    assert [str(size) for size in parse_shape(text)] == ["n", "d"]


@pytest.mark.parametrize(("text", "rank"), [("", 0), ("scalar", 0), ("R^n", 1), ("R", 1), (3, 1)])
def test_scalars_and_vectors(text, rank):
    assert len(parse_shape(text)) == rank


@pytest.mark.parametrize("shape", [None, 1.5, "n*d", "2n d", "R^", "R^{}^{}", object()])
def test_what_is_no_shape_is_refused(shape):
    with pytest.raises((ShapeError, NotationError)) as caught:
        declare({"X": shape})
    assert "X" in str(caught.value) or "size" in str(caught.value)


@pytest.mark.parametrize(("shapes", "domain"), [({1: "n"}, None), ({"x": "n"}, ["real"]), ([], 1)])
def test_what_is_no_declaration_is_refused(shapes, domain):
    with pytest.raises(ShapeError):
        declare(shapes, domain)
