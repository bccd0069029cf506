"""LaTeX as students write it: read as the text that it stands for, or refused at its place."""

from __future__ import annotations

import pytest

from backprove.errors import InputError
from backprove.notation import building as b
from backprove.notation import declare, lower
from backprove.notation.axes import Index
from backprove.notation.expressions import Tensor
from backprove.notation.reading import read_latex

SHAPES = {
    "X": "n d",
    "W": "k d",
    "A": "m m",
    "B": "m m",
    "M": "d d",
    "Sigma": "d d",
    "w": "d",
    "x": "d",
    "theta": "d",
    "mu": "d",
    "y": "n",
    "y_hat": "n",
    "z": "k",
    "x_max": "d",
    "s": "",
    "t": "",
    "b": "",
    "lambda": "",
    "st": "",
}
SYMBOLS = declare(SHAPES)

READ = [
    (r"\frac{1}{2}\|Xw-y\|_2^2", "1/2*norm(X @ w - y)**2"),
    (r"\frac12 \|Xw-y\|^2", "1/2*norm(X @ w - y)**2"),
    (r"\frac12x^\top Mx", "1/2*x @ M @ x"),
    (r"\frac1n\|Xw-y\|^2", "1/n*norm(X @ w - y)**2"),
    (r"\frac1{2n}\|Xw-y\|^2", "1/(2*n)*norm(X @ w - y)**2"),
    (r"\tfrac12\lVert w\rVert_2^2 + \frac{\lambda}{2}\lVert w\rVert^2_2",
     "norm(w)**2/2 + lambda/2*norm(w)**2"),
    (r"\lVert w \rVert^2", "norm(w)**2"),
    (r"||w||^2", "norm(w)**2"),
    (r"||Xw - y||_2^2", "norm(X @ w - y)**2"),
    (r"\left\| w \right\|^2_1", "sum(abs(w))**2"),
    (r"\|X\|^2_F", "norm(X)**2"),
    (r"\|X\|_{\mathrm{F}}^2", "norm(X)**2"),
    (r"\norm{w}^2 + \abs{s}", "norm(w)**2 + abs(s)"),
    (r"\Vert w\Vert_2", "norm(w)"),
    (r"\bigl\| w \bigr\|", "norm(w)"),
    (r"\lambda \|w\|_1", "lambda*sum(abs(w))"),
    (r"\|w\|_{\infty}", "max(abs(w))"),
    (r"|x|", "abs(x)"),
    (r"\left|s\right| + \vert t\vert", "abs(s) + abs(t)"),
    (r"\langle w, x\rangle^2", "(w @ x)**2"),
    (r"\operatorname{tr}(X^TX)", "trace(X.T @ X)"),
    (r"\mathrm{tr}(A^{\top}B)", "trace(A.T @ B)"),
    (r"\text{tr}(AB)", "trace(A @ B)"),
    (r"\tr(AB)", "trace(A @ B)"),
    (r"\operatorname{Tr}\left(AB\right)", "trace(A @ B)"),
    (r"{\rm tr}(A)", "trace(A)"),
    (r"\mathrm{tr}\, A", "trace(A)"),
    (r"\mathbf{x}^{\mathsf T}\mathbf{w}", "x @ w"),
    (r"\mathbf{x}^\mathsf{T}\mathbf{w}", "x @ w"),
    (r"\mathbf x^\mathrm T \mathbf w", "x @ w"),
    (r"\boldsymbol{x}^{\rm T} w", "x @ w"),
    (r"\boldsymbol\theta^\top x", "theta @ x"),
    (r"\bm{\theta}", "theta"),
    (r"\left( s + t \right) s", "(s + t)*s"),
    (r"\bigl( s + t \bigr) s", "(s + t)*s"),
    (r"\Bigl[ s + t \Bigr] s", "(s + t)*s"),
    (r"s\,t + s\;t + s~t + s\ t", "4*s*t"),
    (r"x \odot w", "x*w"),
    (r"x \circ w", "x*w"),
    (r"x \cdot w", "x @ w"),
    (r"2 \cdot 3 s", "6*s"),
    (r"\sum_{i} x_i^2", "sum(x**2)"),
    (r"\sum_{i=1}^{d} x_i^2", "sum(x**2)"),
    (r"\sum_{i=0}^{d-1} x_i", "sum(x)"),
    (r"\sum_{i=1}^{d-1} x_i x_{i+1}", "sum(x[:-1]*x[1:])"),
    (r"\prod_{i=1}^d x_i", "prod(x)"),
    (r"x_1^2 + 3 x_2", "x[0]**2 + 3*x[1]"),
    (r"W_{12} x_1", "W[0, 1]*x[0]"),
    (r"\sum\limits_{i=1}^d x_i w_i", "x @ w"),
    (r"\sum_{i=1}^d \sum_{j=1}^d M_{ij} x_i x_j", "x @ M @ x"),
    (r"\frac{1}{n}\sum_{i=1}^n (y_i - \hat y_i)^2", "sum((y - y_hat)**2)/n"),
    (r"\sum_{i=1}^d x_i + s", "sum(x) + s"),
    (r"\sum_{i=1}^d (x_i + s)", "sum(x + s)"),
    (r"-\sum_i y_i \log \hat{y}_i", "-sum(y*log(y_hat))"),
    (r"\sum_i \log(1 + e^{-y_i})", "sum(log(1 + exp(-y)))"),
    (r"\log\sum_i e^{x_i}", "log(sum(exp(x)))"),
    (r"\max_i z_i", "max(z)"),
    (r"\log\det A", "log(det(A))"),
    (r"\ln \lvert \det A \rvert", "log(abs(det(A)))"),
    (r"\det A^{-1}", "det(inv(A))"),
    (r"s^{-1}", "1/s"),
    (r"x^{\odot -1}", "1/x"),
    (r"A^{-1}", "inv(A)"),
    (r"A^{-\top}", "inv(A).T"),
    (r"A^{-T}", "inv(A).T"),
    (r"(X^\top X)^{-1} X^\top y", "inv(X.T @ X) @ X.T @ y"),
    (r"-\frac{1}{2}(x-\mu)^\top\Sigma^{-1}(x-\mu)", "-1/2*(x - mu) @ inv(Sigma) @ (x - mu)"),
    (r"\exp(-z)", "exp(-z)"),
    (r"\exp\{-s\}", "exp(-s)"),
    (r"\exp\left[-\frac{s^2}{2}\right]^2", "exp(-s**2/2)**2"),
    (r"e^{-z}", "exp(-z)"),
    (r"e^s", "exp(s)"),
    (r"\mathrm{e}^{-s^2}", "exp(-s**2)"),
    (r"\tanh z", "tanh(z)"),
    (r"\tanh^2 s", "tanh(s)**2"),
    (r"\sin s^2", "sin(s**2)"),
    (r"\sin(s) t", "sin(s)*t"),
    (r"\sin s + t", "sin(s) + t"),
    (r"\sin^2 s + \cos^2 s", "sin(s)**2 + cos(s)**2"),
    (r"\sigma(z)", "sigmoid(z)"),
    (r"\sigma(s)(1-\sigma(s))", "sigmoid(s)*(1 - sigmoid(s))"),
    (r"-\log \sigma(s)", "-log(sigmoid(s))"),
    (r"\mathrm{softmax}(Wx)", "softmax(W @ x)"),
    (r"\operatorname{softmax}\left(Wx\right)", "softmax(W @ x)"),
    (r"z_i", "z"),
    (r"F_{ij} = W_{i j}", "W"),
    (r"F_{ji} = W_{ij}", "W.T"),
    (r"F_{ij} = \sum_{p=1}^d X_{ip} W_{jp}", "X @ W.T"),
    ("z_{i}^{2}", "z**2"),
    ("X^{T}y", "X.T @ y"),
    (r"\frac{e^{z_i}}{\sum_j e^{z_j}}", "exp(z)/sum(exp(z))"),
    (r"\max(0, z)", "maximum(0, z)"),
    (r"\max\{0, s\}", "maximum(0, s)"),
    (r"\text{ReLU}(x)", "relu(x)"),
    (r"\relu(x)", "relu(x)"),
    (r"\sqrt{s^2+1}", "sqrt(s**2 + 1)"),
    (r"\sqrt s t", "sqrt(s)*t"),
    (r"s^{1/2}", "sqrt(s)"),
    (r"s^\frac{1}{2}", "sqrt(s)"),
    (r"\dfrac{s}{t} + \cfrac{s}{t}", "2*s/t"),
    (r"\frac s t t", "s/t*t"),
    (r"X^\top X", "X.T @ X"),
    (r"\|\hat y - y\|^2", "norm(y_hat - y)**2"),
    (r"w^\top x + b", "w @ x + b"),
    (r"w^Tx+b", "w @ x + b"),
    (r"xx^\top", "outer(x, x)"),
    (r"I_d + \mathbf{I}_d + \mathbb{I}_{d}", "3*eye(d)"),
    (r"\mathbf 1_d^\top x", "sum(x)"),
    (r"\operatorname{diag}(x) M", "diag(x) @ M"),
    (r"\frac{x^\top M x}{x^\top x}", "x @ M @ x/(x @ x)"),
    (r"w^{\top}X^{\top}Xw - 2y^{\top}Xw + y^{\top}y", "w @ X.T @ X @ w - 2*y @ X @ w + y @ y"),
    (r"x_{\text{max}}", "x_max"),
    (r"s t + st", "s*t + st"),
    (r"\(\|w\|^2\)", "norm(w)**2"),
    (r"\[ \|w\|^2 \]", "norm(w)**2"),
    (r"$$\|w\|^2.$$", "norm(w)**2"),
]  # fmt: skip


@pytest.mark.parametrize(("latex", "text"), READ, ids=[r[0] for r in READ])
def test_a_formula_is_the_same_expression_as_its_text(latex: str, text: str) -> None:
    given, expected = tensor_of(latex), lower(text, SYMBOLS).tensor()
    assert given.shape == expected.shape
    mapping = {a: Index.of(t) for a, t in zip(given.axes, expected.axes, strict=True)}
    assert b.substitute(given.body, mapping) is expected.body


def tensor_of(latex: str) -> Tensor:
    return read_latex(latex, SYMBOLS).tensor()


REFUSED = [
    (r"x^10", "10", "{10}"),
    (r"x_12", "12", "{12}"),
    (r"\sqrt12", "12", "{12}"),
    (r"\frac123", r"\frac123", r"\frac{a}{b}"),
    (r"1/2 s", "s", r"\frac{a}{b} c"),
    (r"\sin s t", r"\sin s t", r"\sin(x) y"),
    (r"\sin 2s", r"\sin 2s", r"\sin(x y)"),
    (r"\sin s \cos t", r"\sin s \cos", r"\sin(x) y"),
    (r"\operatorname{tr} A B", r"\operatorname{tr} A B", r"\operatorname{trace}(x y)"),
    (r"\sin^{-1} s", r"\sin", r"\left("),
    (r"\log_2 s", r"\log_", r"\frac{\ln x}{\ln 2}"),
    (r"\operatorname{softmax}_i(z)", r"\operatorname{softmax}_", "softmax(z)_i"),
    (r"\max(s, t, b)", "b", r"\max(a, \max(b, c))"),
    (r"x w", "x w", r"x^\top y"),
    (r"xw", "xw", r"x^\top y"),
    (r"x \cdot w^\top", r"x \cdot w", r"x y^\top"),
    (r"x \times w", r"x \times w", r"\odot"),
    (r"x^{-1}", "^{-1}", r"x^{\odot -1}"),
    (r"A^2", "^2", "A A"),
    (r"A^{1/2}", "^{1/2}", "A A"),
    (r"A / B", "B", "Divide by scalars"),
    (r"\|A\|^2", r"\|A\|", r"\lVert A \rVert_F"),
    (r"\log|A|", "|A|", r"\det(A)"),
    (r"\|w\|_p", r"\|w\|_p", "Norms"),
    (r"\frac{1}{1+e^{-z}}", "1+e^{-z}", r"\frac{1}{x_i}"),
    (r"X'X", "'", r"X^\top"),
    (r"X^{\prime} X", r"^{\prime}", r"A^\top"),
    (r"\sigma'(z)", "'", r"\sigma(z)(1-\sigma(z))"),
    (r"\partial f/\partial x", r"\partial", r"\frac{\partial f}{\partial x}"),
    (r"\frac{d}{dx} x^2", r"\frac{d}{d", "Write the function alone"),
    (r"\frac{d}{ds} s^2", r"\frac{d}{d", "Write the function alone"),
    (r"\frac{\partial}{\partial x} x^\top x", r"\frac{\partial}", "Write the function alone"),
    (r"\mathrm{d} s", r"\mathrm", "Write the function alone"),
    (r"\mathbf{I} x", r"\mathbf{I}", "Write I_d"),
    (r"\mathbf{1}^\top x", r"\mathbf", r"\mathbf{1}_n"),
    (r"x_0", "0", "x[0]"),
    (r"\sum_{i \neq j} x_i", "i", r"[i \ne j]"),
    (r"\operatorname{vec}(X)", r"\operatorname", "Supported"),
    (r"X_{ij} w_j", "j", "F_{ij} = ..."),
    (r"\int s", r"\int", "Supported"),
    (r"\bar{y}", r"\bar", "Declared"),
    (r"||x| - s|", "||", "is never closed"),
]  # fmt: skip


@pytest.mark.parametrize(("latex", "part", "advice"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_can_be_read_in_two_ways_is_refused_with_what_to_write(
    latex: str, part: str, advice: str
) -> None:
    with pytest.raises(InputError) as caught:
        tensor_of(latex)
    error = caught.value
    assert error.span is not None
    assert latex[error.span.start : error.span.end].startswith(part)
    assert advice in f"{error.message} {error.hint}"


@pytest.mark.parametrize("latex", [r"\sum_{i=1}^{n} x_i", r"\sum_{i=0}^{d} x_i"])
def test_a_sum_over_a_range_that_is_not_the_axis_is_refused(latex: str) -> None:
    with pytest.raises(InputError):
        tensor_of(latex)
