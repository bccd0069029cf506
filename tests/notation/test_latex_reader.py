"""LaTeX formulas: what they stand for in numbers, and every refusal at its place."""

from __future__ import annotations

import numpy as np
import pytest

from backprove.calculus.accumulation import backward
from backprove.errors import InputError, NotationError, ShapeError, UnknownName, Unsupported
from backprove.notation import building as b
from backprove.notation import declare, lower
from backprove.notation.axes import Index, Size
from backprove.notation.claims import classify_claim
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Tensor
from backprove.notation.index_reader import read_index_formula
from backprove.notation.index_text import index_latex
from backprove.notation.latex_reader import latex_to_text

SYMBOLS = declare(
    {
        "X": "n d",
        "W": "k d",
        "Z": "n k",
        "A": "m m",
        "B": "m m",
        "w": "d",
        "u": "d",
        "y": "n",
        "z": "k",
        "x": "",
        "s": "",
        "t": "",
        "alpha": "",
        "theta": "d",
        "x_i": "d",
        "y_hat": "n",
        "W1": "k d",
        "loss": "",
    }
)
SIZES = {"n": 3, "d": 4, "k": 2, "m": 5}
RNG = np.random.default_rng(11)
V = {
    name: np.asarray(RNG.uniform(0.5, 2.0, [s.at(SIZES) for s in array.shape]))
    for name, array in SYMBOLS.items()
}
ARRAYS = {array: V[name] for name, array in SYMBOLS.items()}
SOFT = np.exp(V["z"]) / np.exp(V["z"]).sum()
INV = np.linalg.inv(V["A"])

FORMULAS = [
    (r"\ln x + e^{s} t", np.log(V["x"]) + np.exp(V["s"]) * V["t"]),
    (r"\log(x) + \mathrm{e}^{s}\,t", np.log(V["x"]) + np.exp(V["s"]) * V["t"]),
    (r"\lVert w \rVert^2", V["w"] @ V["w"]),
    (r"\|w\|_2^2", V["w"] @ V["w"]),
    (r"\left\| X w - y \right\|^2", ((V["X"] @ V["w"] - V["y"]) ** 2).sum()),
    (r"\|w\|_1", np.abs(V["w"]).sum()),
    (r"\lVert w \rVert_\infty", np.abs(V["w"]).max()),
    (r"\|X\|_F^2", (V["X"] ** 2).sum()),
    (r"|x - 3|", abs(V["x"] - 3)),
    (r"X W^\top", V["X"] @ V["W"].T),
    (r"$X W^{T}$", V["X"] @ V["W"].T),
    (r"XW^{\mathsf{T}}", V["X"] @ V["W"].T),
    (r"\mathbf{X}\mathbf{W}^{\intercal}.", V["X"] @ V["W"].T),
    (r"w^\top x_i", V["w"] @ V["x_i"]),
    (r"w \cdot u", V["w"] @ V["u"]),
    (r"w u^\top", np.outer(V["w"], V["u"])),
    (r"\alpha w u^\top", V["alpha"] * np.outer(V["w"], V["u"])),
    (r"y^\top X", V["y"] @ V["X"]),
    (r"y^\top X w", V["y"] @ V["X"] @ V["w"]),
    (r"2 X^\top (X w - y)", 2 * V["X"].T @ (V["X"] @ V["w"] - V["y"])),
    (r"\frac{2}{n} X^\top \left( X w - y \right)", 2 / 3 * V["X"].T @ (V["X"] @ V["w"] - V["y"])),
    (r"x_i - \theta", V["x_i"] - V["theta"]),
    (r"\sigma(z)", 1 / (1 + np.exp(-V["z"]))),
    (r"\sigma(W w)", 1 / (1 + np.exp(-V["W"] @ V["w"]))),
    (r"\tanh(z)", np.tanh(V["z"])),
    (r"1 - \tanh^2(z)", 1 - np.tanh(V["z"]) ** 2),
    (r"\operatorname{softmax}(z)", SOFT),
    (r"\mathrm{diag}(z) - z z^\top", np.diag(V["z"]) - np.outer(V["z"], V["z"])),
    (r"\operatorname{tr}(A B)", np.trace(V["A"] @ V["B"])),
    (r"\operatorname{ReLU}(x - 1)", max(V["x"] - 1, 0)),
    (r"\max(0, x - 1)", max(V["x"] - 1, 0)),
    (r"\max(z)", V["z"].max()),
    (r"\frac{x}{s t}", V["x"] / (V["s"] * V["t"])),
    (r"\frac{x + s}{t} s", (V["x"] + V["s"]) / V["t"] * V["s"]),
    (r"x / (s t)", V["x"] / (V["s"] * V["t"])),
    (r"-x^2", -(V["x"] ** 2)),
    (r"x^{s+1}", V["x"] ** (V["s"] + 1)),
    (r"\sqrt{x} + \sqrt[3]{s}", np.sqrt(V["x"]) + V["s"] ** (1 / 3)),
    (r"w^2", V["w"] ** 2),
    (r"w \odot u", V["w"] * V["u"]),
    (r"A^{\odot 2}", V["A"] ** 2),
    (r"2^{\odot w}", 2 ** V["w"]),
    (r"w^{\odot u}", V["w"] ** V["u"]),
    (r"A A", V["A"] @ V["A"]),
    (r"A^{-1} B", INV @ V["B"]),
    (r"A^{-\top}", INV.T),
    (r"(A B)^\top", (V["A"] @ V["B"]).T),
    (r"\det(A)", np.linalg.det(V["A"])),
    (r"A \otimes B", np.kron(V["A"], V["B"])),
    (r"I_d", np.eye(4)),
    (r"\mathbf{1}_n^\top X", V["X"].sum(0)),
    (r"\hat{y} - y", V["y_hat"] - V["y"]),
    (r"W^{(1)} w", V["W1"] @ V["w"]),
    (r"\text{loss}\cdot 2", V["loss"] * 2),
    (r"2\pi", 2 * np.pi),
    (r"{x^2} {s}^{2}", V["x"] ** 2 * V["s"] ** 2),
]


@pytest.mark.parametrize(("latex", "expected"), FORMULAS, ids=[f[0] for f in FORMULAS])
def test_a_formula_stands_for_its_numbers(latex: str, expected: np.ndarray) -> None:
    program = lower(latex_to_text(latex, SYMBOLS).text, SYMBOLS)
    given = Evaluator(ARRAYS, SIZES).tensor(program.tensor())
    assert given.shape == np.shape(expected)
    np.testing.assert_allclose(given, expected, rtol=1e-10)


CLAIMS = [
    (r"J_{ijkl} = X_{il} \delta_{jk}", "n k k d", "il,jk->ijkl"),
    (r"J_{ijkl} = X_{il}\,\mathbb{1}[j=k]", "n k k d", "il,jk->ijkl"),
    (r"J_{i,j,k,l} = \mathbb{1}_{\{j=k\}} X_{il}", "n k k d", "il,jk->ijkl"),
    (r"\frac{\partial F_{ij}}{\partial W_{kl}} = X_{il} \cdot 1[j = k]", "n k k d", "il,jk->ijkl"),
    (r"J_{ijkl} = X_{il}\,[k = j]", "n k k d", "il,jk->ijkl"),
    (r"J_{ijkl} = X_{il} I_{jk}", "n k k d", "il,jk->ijkl"),
]


@pytest.mark.parametrize(("latex", "shape", "pattern"), CLAIMS)
def test_an_index_claim_stands_for_its_numbers(latex: str, shape: str, pattern: str) -> None:
    np.testing.assert_allclose(dense(latex, shape), np.einsum(pattern, V["X"], np.eye(2)))


def dense(latex: str, shape: str) -> np.ndarray:
    text = latex_to_text(latex, SYMBOLS).text
    assert classify_claim(text, SYMBOLS).kind == "index"
    expected = [Size.of(s) for s in shape.split()]
    formula = read_index_formula(text, SYMBOLS, expected_axes=expected)
    return Evaluator(ARRAYS, SIZES).tensor(formula.tensor)


FROM_ONE = [
    (r"J = w_1", "w[0]"),
    (r"J = w_d", "w[d-1]"),
    (r"J = w_{d-1}", "w[d-2]"),
    (r"J = X_{12}", "X[0,1]"),
    (r"J = X_{1,d}", "X[0,d-1]"),
    (r"J_i = X_{i1}", "X[i,0]"),
    (r"J_i = X_{2i}", "X[1,i]"),
    (r"J_i = w_{2i}", "w[2*i+1]"),
    (r"J_i = w_{2 i - 1}", "w[2*i]"),
    (r"J_i = y_{n-i}", "y[-i+n-2]"),
    (r"J_i = y_{n - i + 1}", "y[-i+n-1]"),
    (r"J_i = w_{i_{1}}", "w[i1]"),
    (r"J_i = w_{n \cdot (i - 1) + 1}", "w[n*i]"),
    (r"J_i = w_{\lfloor (i - 1)/k \rfloor + 1}", "w[(i//k)]"),
    (r"J_i = w_{\lfloor i/2 \rfloor}", "w[((i+1)//2)-1]"),
    (r"J_{ij} = \delta_{i,2j}", "δ[i,2*j+1]"),
    (r"J_{ij} = [i = j + 1]", "[i=j+1]"),
    (r"J_i = [i = 1]", "[i=0]"),
    (r"J_i = [i < n]", "[i<n-1]"),
    (r"J_i = [1 \le i \le n-1]", "[0<=i<=n-2]"),
    (r"J_n = y_n", "y[n]"),
    (r"J = \sum_{i=1}^{n-1} y_{i+1}", "(Σ_{i<(n-1)}(y[i+1]))"),
    (r"J = \sum_{m \le n} y_m", "(Σ_{m<n}(y[m]))"),
    (r"J = \prod_{i=1}^{n} y_i", "(prod_{i<n}(y[i]))"),
    (r"J_i = \operatorname{softmax}_{m}(z_m)_{i}", "softmax_{m}((z[m]))[i]"),
    (r"J = \lfloor (d + 1)/2 \rfloor", "((d+1)//2)"),
    (r"J = \mathbf{1}_{n \times d}", "ones((n, d))"),
    (r"J = \mathbf{0}_{n}", "zeros(n)"),
    (r"J = [x > 1]", "(x > 1)"),
]
"""LaTeX, whose entries are counted from 1, and the text, whose entries are counted from 0."""


@pytest.mark.parametrize(("latex", "text"), FROM_ONE)
def test_entries_are_counted_from_one_in_latex_and_from_zero_in_text(latex: str, text: str) -> None:
    shown = latex_to_text(latex, SYMBOLS).text.partition(" = ")[2]
    assert shown.replace(" ", "") == text.replace(" ", "")


def test_a_floor_of_a_letter_that_counts_from_one_is_not_simplified_too_far() -> None:
    # From 0, i // 2 is below 1 where i is; from 1 it reaches 1.
    latex = r"J_i = y_{\lfloor i/n \rfloor + 1}"
    text = latex_to_text(latex, SYMBOLS).text
    formula = read_index_formula(text, SYMBOLS, expected_axes=[Size.of("n")])
    given = Evaluator(ARRAYS, SIZES).tensor(formula.tensor)
    np.testing.assert_array_equal(given, [V["y"][0], V["y"][0], V["y"][1]])


JACOBIAN = np.diag(SOFT) - np.outer(SOFT, SOFT)
MORE_CLAIMS = [
    (r"F_{ij} = \sum_{p} X_{ip} W_{jp}", "n k", V["X"] @ V["W"].T),
    (r"F_{ij} = \sum_{p=1}^{d} X_{ip} W_{jp}", "n k", V["X"] @ V["W"].T),
    (r"F_{ij} = (X W^\top)_{ij}", "n k", V["X"] @ V["W"].T),
    (r"f = \sum_{i,j} Z_{ij}^2 + x", "", (V["Z"] ** 2).sum() + V["x"]),
    (r"J_{i} = \max_{j} Z_{ij}", "n", V["Z"].max(1)),
    (
        r"J_j = -\frac{1}{n} \sum_i (X w - y)_i X_{ij}",
        "d",
        -(V["X"] @ V["w"] - V["y"]) @ V["X"] / 3,
    ),
    (
        r"\frac{\partial \sigma_i}{\partial z_j} = \sigma_i(\delta_{ij} - \sigma_j)"
        r"\quad\text{where } \sigma = \operatorname{softmax}(z)",
        "k k",
        JACOBIAN,
    ),
    (
        r"J_{ij} = \frac{e^{z_i}}{\sum_m e^{z_m}}"
        r" (\delta_{ij} - \frac{e^{z_j}}{\sum_m e^{z_m}})",
        "k k",
        JACOBIAN,
    ),
    (r"J_{ij} = s_i ([i=j] - s_j), \text{ with } s = \operatorname{softmax}(z).", "k k", JACOBIAN),
    (r"J_{ij} = [z_i > 1]\,[i = j]", "k k", np.diag(V["z"] > 1)),
    (r"J_{ij} = [i \le j]", "n n", np.triu(np.ones((3, 3)))),
    (r"J_{ij} = (A^{-1})_{ij} + A^\top_{ij}", "m m", INV + V["A"].T),
    (r"J_{ij} = [i = j + 1]", "n n", np.eye(3, k=-1)),
]


@pytest.mark.parametrize(("latex", "shape", "expected"), MORE_CLAIMS)
def test_an_index_formula_stands_for_its_numbers(
    latex: str, shape: str, expected: np.ndarray
) -> None:
    np.testing.assert_allclose(dense(latex, shape), expected, rtol=1e-12)


KINDS = [
    (r"1 \times d", "shape"),
    (r"J \in \mathbb{R}^{n \times k \times k \times d}", "shape"),
    (r"dW = Z^\top X", "vjp"),
    (r"\bar{W} = Z^\top X", "vjp"),
    (r"\nabla_w f = 2 X^\top (X w - y)", "matrix"),
    (r"\nabla f(w) = 2 w", "matrix"),
    (r"J = 2 w^\top", "matrix"),
    (
        r"J = \operatorname{diag}(s) - s s^\top \text{ where } s = \operatorname{softmax}(z)",
        "matrix",
    ),
    (
        r"\frac{\partial f}{\partial z} = "
        r"\frac{\partial f}{\partial h_3} \frac{\partial h_3}{\partial z}",
        "path",
    ),
    (r"\frac{df}{dx} = 1", "value"),
    (r"\frac{\mathrm{d}f}{\mathrm{d}x} = 1.", "value"),
    (r"h_2 \approx 20.0855", "value"),
    (r"\tanh(x) = 2 \sigma(2 x) - 1", "equality"),
    (r"X w = y", "equality"),
    (r"2 X^\top X", "expression"),
]


@pytest.mark.parametrize(("latex", "kind"), KINDS)
def test_a_latex_claim_becomes_text_of_its_kind(latex: str, kind: str) -> None:
    assert classify_claim(latex_to_text(latex, SYMBOLS).text, SYMBOLS).kind == kind


def test_a_row_is_told_from_a_column() -> None:
    assert latex_to_text(r"J = 2 w^\top", SYMBOLS).row
    assert latex_to_text(r"J = y^\top X", SYMBOLS).row
    assert not latex_to_text(r"J = 2 w", SYMBOLS).row
    assert not latex_to_text(r"J = w^\top u", SYMBOLS).row


REFUSED = [
    (r"\foo{x}", Unsupported, r"\foo", "not supported"),
    (r"x + \begin{matrix}", Unsupported, r"\begin", "not supported"),
    (r"\operatorname{foo}(x)", Unsupported, r"\operatorname", "'foo' is not supported"),
    (r"X q", UnknownName, "q", "unknown symbol 'q'"),
    (r"\beta x", UnknownName, r"\beta", "unknown symbol"),
    (r"\ln x s", NotationError, r"\ln x s", "two ways"),
    (r"A^2", Unsupported, "^2", "two ways"),
    (r"e^{A}", Unsupported, "^{A}", "two ways"),
    (r"\|A\|", Unsupported, r"\|A\|", "two ways"),
    (r"|A|", Unsupported, "|A|", "two ways"),
    (r"X_{ij}^{-1}", NotationError, "^{-1}", "two ways"),
    (r"X_{ij}^\top", NotationError, r"^\top", "two ways"),
    (r"x / s t", NotationError, "t", "two ways"),
    (r"x / \sum_i y_i", NotationError, r"\sum", "two ways"),
    (r"w u", NotationError, "w u", "same kind"),
    (r"X w^\top", NotationError, r"X w", "wrong side"),
    (r"w X", NotationError, "w X", "wrong side"),
    (r"w + u^\top", NotationError, "w + u", "row and a column"),
    (r"w \times u", Unsupported, r"w \times u", "cross product"),
    (r"w \otimes u", Unsupported, r"w \otimes u", "between matrices"),
    (r"\left( x", NotationError, "(", "never closed"),
    (r"x )", NotationError, ")", "closes nothing"),
    (r"\frac{x}{", NotationError, "", "too early"),
    (r"", NotationError, "", "empty"),
    (r"x \\ s", Unsupported, "\\\\", "not supported"),
    (r"w_0", NotationError, "0", "counted from 1"),
    (r"Z_{0,k}", NotationError, "0", "counted from 1"),
    (r"y_{i,}", NotationError, "i", "an index is missing"),
    (r"Z_{i+1j}", NotationError, "i", "by commas"),
    (r"y_{ij+1}", NotationError, "ij", "a product of two indices"),
    (r"y_{i^{99}}", NotationError, "99", "small whole powers"),
    (r"y_{\lfloor i / j \rfloor}", NotationError, r"\lfloor", "divides by a size"),
    (r"y_{\lfloor i / 0 \rfloor}", NotationError, r"\lfloor", "divides by a size"),
    (r"y_{(i}", NotationError, "(", "never closed"),
    (r"y_{99999999999}", NotationError, "9", "too large"),
    (r"\sum_{i=0}^{n-1} y_{i+1}", NotationError, "i", "starts at 0"),
    (r"\sum_{i=2}^{n} y_i", NotationError, "2", "starts at 0 or 1"),
    (r"\sum_{j \le i} y_j", Unsupported, "j", "condition"),
    (r"\operatorname{softmax}_{m} z_m", NotationError, "z", "expected '('"),
    (r"X_i", NotationError, "i", "2 axes, but 1 index"),
    (r"z_{ij}", NotationError, "ij", "1 axes, but 2 indices"),
    (r"x_j", NotationError, "j", "scalar"),
    (r"W^{(2)}", Unsupported, "W", "not a declared name"),
    (r"I x", NotationError, "I", "needs its size"),
    (r"\sum_{i \ne j} y_i", Unsupported, "i", "condition"),
    (r"\sum y", NotationError, r"\sum", "needs its index"),
    (r"\sin^{-1}(x)", Unsupported, r"\sin", "two ways"),
    (r"{x + s} t", NotationError, "{x + s}", "braces do not show"),
    (r"x'", Unsupported, "'", "prime"),
    (r"w / u / ?", NotationError, "?", "expected a symbol"),
]


@pytest.mark.parametrize(("latex", "kind", "part", "message"), REFUSED)
def test_a_formula_is_refused_at_its_place(
    latex: str, kind: type[InputError], part: str, message: str
) -> None:
    with pytest.raises(kind) as caught:
        latex_to_text(latex, SYMBOLS)
    error = caught.value
    assert message in error.message
    assert error.text == latex
    assert error.span is not None
    assert latex[error.span.start : error.span.end].startswith(part)


def test_a_later_error_moves_into_the_latex() -> None:
    latex = r"\frac{1}{n} X^\top (X u - z)"
    read = latex_to_text(latex, SYMBOLS)
    with pytest.raises(ShapeError) as caught:
        lower(read.text, SYMBOLS)
    error = read.relocate(caught.value)
    assert error.text == latex
    assert error.span is not None
    assert latex[error.span.start : error.span.end] == "(X u - z)"


def test_the_places_follow_the_words() -> None:
    latex = r"J_{ijkl} = X_{il} \delta_{jk}"
    read = latex_to_text(latex, SYMBOLS)
    assert len(read.places) == len(read.text)
    formula = read_index_formula(read.text, SYMBOLS, expected_axes=[Size.of(s) for s in "nkkd"])
    spans = [read.span(s) for s in formula.spans.values()]
    assert [latex[s.start : s.end] for s in spans] == ["i", "j", "k", "l"]


PRINTED = [
    ("X @ W.T", "W"),
    ("sum((X @ w - y)**2)", "w"),
    ("softmax(z)", "z"),
    ("norm(w)", "w"),
    ("w**2", "w"),
    ("inv(A)", "A"),
    ("tanh(W @ w)", "W"),
    ("relu(X @ w)", "w"),
    ("log(sum(exp(z)))", "z"),
    ("mean(X, axis=0)", "X"),
    ("cumsum(y)", "y"),
    ("outer(y, z)", "z"),
    ("z / sum(z)", "z"),
]


@pytest.mark.parametrize(("text", "wrt"), PRINTED)
def test_printed_latex_is_read_back_as_itself(text: str, wrt: str) -> None:
    program = lower(text, SYMBOLS)
    (value,) = [v for v in program.inputs if v.name == wrt]
    adjoint = backward(program, [value.array]).tensor(value)
    tensor = Tensor(adjoint.axes, b.inline(adjoint.body, program.definitions))
    read = latex_to_text(index_latex(tensor), SYMBOLS)
    formula = read_index_formula(read.text, SYMBOLS, expected_axes=tensor.shape)
    mapping = {a: Index.of(t) for a, t in zip(formula.tensor.axes, tensor.axes, strict=True)}
    assert b.substitute(formula.tensor.body, mapping) is tensor.body
