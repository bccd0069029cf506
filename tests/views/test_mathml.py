"""LaTeX becomes MathML that says the same."""

from __future__ import annotations

import re

import pytest

from backprove.views.mathml import mathml


def said(latex: str) -> str:
    """The characters of a formula without its structure."""
    assert mathml(latex).startswith("<math"), latex
    return re.sub(r"<[^>]*>|\s|\u2061", "", mathml(latex))


@pytest.mark.parametrize(
    ("latex", "characters"),
    [
        (r"X^\top", "X⊤"),
        (r"\lVert w \rVert^2", "‖w‖2"),
        (r"A \odot B", "A⊙B"),
        (r"X \otimes I_k", "X⊗Ik"),
        (r"\mathbb{1}[i = j]", "𝟙[i=j]"),
        (r"\mathbf{1}\{i = j\}", "𝟏{i=j}"),
        (r"X_{il}\,[j = k]", "Xil[j=k]"),
        (r"\operatorname{diag}(w)", "diag(w)"),
        (r"\frac{\partial F_{ij}}{\partial W_{kl}}", "∂Fij∂Wkl"),
        (r"\sum_{p=1}^{d} X_{ip} W_{jp}", "∑p=1dXipWjp"),
        (r"\bar{W} = \bar{F}^\top X", "W¯=F¯⊤X"),
        (r"\begin{cases}1 & z>0\\0 & z<0\end{cases}", "{1z&gt;00z&lt;0\u2063"),
        (r"\begin{pmatrix}1 & 2\\3 & 4\end{pmatrix}", "(1234)"),
        (r"\begin{aligned}a &= b\\&= c\end{aligned}", "a=b=c"),
        (r"\delta_{jk}", "δjk"),
        (r"\langle g, \sigma\rangle", "⟨g,σ⟩"),
        (r"\mathrm{softmax}(z)_i", "softmax(z)i"),
        (r"e^{-z}", "e−z"),
        (r"\max(0, z)", "max(0,z)"),
        (r"\text{if } x < 0", "if\xa0x&lt;0".replace("\xa0", "")),
        (r"\mathbb{R}^{n \times d}", "ℝn×d"),
    ],
)
def test_the_language_of_derivations_is_converted(latex: str, characters: str) -> None:
    assert said(latex) == characters


def test_a_displayed_formula_is_a_block() -> None:
    assert mathml("x", display=True).startswith('<math display="block">')


def test_a_bar_stands_above_its_letter_in_every_font() -> None:
    assert "accent" not in mathml(r"\bar{W}")
    assert "‾" in mathml(r"\overline{W}")


@pytest.mark.parametrize("latex", ["", " ", r"\frac{", "}", r"\unknown{x}", "a & b", "$x$"])
def test_what_is_no_formula_is_shown_as_its_source(latex: str) -> None:
    assert mathml(latex) == f'<code class="bp-latex">{latex.replace("&", "&amp;")}</code>'


@pytest.mark.parametrize(
    "hostile",
    [
        "<math><script>alert(1)</script></math>",
        '<math><mi href="javascript:alert(1)">x</mi></math>',
        '<math><mi onclick="alert(1)">x</mi></math>',
        '<math><mi style="background:url(//evil.example)">x</mi></math>',
        "<math><mi>x</math>",
    ],
)
def test_a_converter_that_gives_active_markup_is_not_believed(
    hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bribed:
        def convert_with_local_state(self, latex: str, *, displaystyle: bool) -> str:
            return hostile

    monkeypatch.setattr("backprove.views.mathml._converter", Bribed())
    shown = mathml(f"bribed {abs(hash(hostile))}")  # a text that the cache has not seen
    assert shown.startswith('<code class="bp-latex">bribed')
