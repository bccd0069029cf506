"""Whatever is typed, the readers of claims answer or refuse; they never crash."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprove.errors import BackproveError
from backprove.notation import declare
from backprove.notation.axes import Size
from backprove.notation.claims import classify_claim
from backprove.notation.index_reader import read_index_formula
from backprove.notation.latex_reader import latex_to_text

SYMBOLS = declare({"X": "n d", "w": "d", "z": "k", "x": ""})
WORDS = (
    "J X w z x i j k n d [ ] ( ) { } _ = == <= < > + - * / // @ ^ ** . , : ; Σ ∑ δ ∂ ≈ 1 2 0.5 "
    "sum max softmax delta where with e X_ij z_i Σ_i Σ_{i} max_{i}( [i=j] X[i,j] .T ² if and"
)
COMMANDS = (
    r"J X w z x i j k n d [ ] ( ) { } _ ^ = < + - * / . , | ' 1 2 \frac \sqrt \sum \top \cdot "
    r"\odot \otimes \lVert \rVert \| \ln \max \operatorname \mathbb \delta \sigma \partial "
    r"\nabla \left \text{where} \mathbf{1} \hat \times \in _{ij} ^{-1} ^\top \approx \le \foo"
)


def texts(words: str) -> st.SearchStrategy[str]:
    listed = words.split()
    return st.lists(st.sampled_from(listed), max_size=12).flatmap(
        lambda chosen: st.sampled_from(["", " "]).map(lambda gap: gap.join(chosen))
    )


def render(read: Callable[[], object]) -> str:
    """The refusal as a person reads it; empty if the text is read."""
    try:
        read()
    except BackproveError as error:
        return error.render()
    return ""


@settings(max_examples=400, deadline=None)
@given(texts(WORDS))
def test_any_text_is_read_or_refused(text: str) -> None:
    render(lambda: classify_claim(text, SYMBOLS))
    render(lambda: read_index_formula(text, SYMBOLS))
    shape = [Size.of("n"), Size.of("d")]
    render(lambda: read_index_formula(text, SYMBOLS, expected_axes=shape))


@settings(max_examples=400, deadline=None)
@given(texts(COMMANDS))
def test_any_latex_is_read_or_refused(latex: str) -> None:
    if not render(lambda: latex_to_text(latex, SYMBOLS)):
        read = latex_to_text(latex, SYMBOLS)
        assert len(read.places) == len(read.text)
        render(lambda: classify_claim(read.text, SYMBOLS))
        render(lambda: read_index_formula(read.text, SYMBOLS))


@pytest.mark.parametrize(
    "text",
    [
        "J[i] = " + "(" * 5000 + "x",
        "J[i] = " + "[" * 5000,
        "J[i] = " + "Σ_i " * 5000,
        "J[i] = " + "-" * 5000 + "x",
        "J = " + "x " * 3000,
        "J = " + "x*" * 3000 + "x",
        "x" * 100_000,
        "J[i] = x[" * 3000,
    ],
    ids=range(8),
)
def test_long_and_deep_claims_are_read_or_refused(text: str) -> None:
    render(lambda: classify_claim(text, SYMBOLS))
    render(lambda: read_index_formula(text, SYMBOLS))
    render(lambda: latex_to_text(text, SYMBOLS))


@pytest.mark.parametrize(
    "latex",
    [r"\frac{" * 3000, "(" * 3000, r"x^{" * 3000, r"\sqrt" * 3000, r"\sum_{i}" * 3000, "| " * 999],
)
def test_deep_latex_is_refused(latex: str) -> None:
    assert "error" in render(lambda: latex_to_text(latex, SYMBOLS))
