"""Texts that try to cost too much time or memory, for the tests and for a benchmark.

Each is a label, a text, and the symbol to differentiate by; shapes are those of :data:`SHAPES`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

SHAPES = {"X": "n d", "W": "k d", "w": "d", "A": "n n", "s": "", "T": "n k d", "F": "2 2"}
DEPTHS = (8, 60, 300, 3000)
Hostile = tuple[str, str, str]

ELEMENTWISE = (
    "exp expm1 log log1p sqrt square sin cos tan arctan sinh cosh tanh erf abs sign sigmoid "
    "logsigmoid softplus softsign relu relu6 leaky_relu elu selu gelu gelu_tanh silu mish "
    "hardtanh hardsigmoid"
).split()
NESTED = {
    "cumsum": ("cumsum({})", "w"),
    "cumsum of a matrix": ("cumsum({}, axis=0)", "X"),
    "softmax": ("softmax({})", "w"),
    "softmax along the first axis": ("softmax({}, axis=0)", "X"),
    "log_softmax": ("log_softmax({})", "X"),
    "norm": ("norm({})*w", "w"),
    "logsumexp": ("logsumexp({})*w", "w"),
    "mean": ("mean({}, axis=0, keepdims=True)*X", "X"),
    "var": ("var({})*w", "w"),
    "max": ("max({}) + w", "w"),
    "min along an axis": ("min({}, axis=1, keepdims=True) + X", "X"),
    "prod": ("prod({})*w", "w"),
    "sum": ("sum({})*w", "w"),
    "inv": ("inv({})", "A"),
    "inv of a sum": ("inv(A + {})", "A"),
    "det": ("det({})*A", "A"),
    "logdet": ("logdet({})*A", "A"),
    "trace": ("trace({})*A", "A"),
    "kron": ("kron({}, A)", "A"),
    "kron on the right": ("kron(A, {})", "A"),
    "kron of numbers": ("kron({}, F)", "F"),
    "kron of rectangles": ("kron({}, W)", "X"),
    "outer": ("sum(outer({}, w), axis=0)", "w"),
    "dot": ("dot({}, w)*w", "w"),
    "matmul": ("{} @ A", "A"),
    "matmul on the right": ("A @ ({})", "A"),
    "product of matrices, transposed": ("({} @ A).T", "A"),
    "einsum": ("einsum('ij,jk->ik', {}, A)", "A"),
    "einsum of four": ("einsum('ij,jk,kl,lm->im', {}, A, A, A)", "A"),
    "einsum, diagonal": ("einsum('ii->i', outer({0}, {0}))", "w"),
    "diag": ("diag(diag({}))", "A"),
    "tril": ("tril({})", "A"),
    "triu with an offset": ("triu({}, k=3)", "A"),
    "reshape": ("reshape({}, (d, n)).T", "X"),
    "reshape back and forth": ("reshape(reshape({}, (n*d,)), (d, n)).T", "X"),
    "ravel": ("ravel({})", "w"),
    "transpose": ("transpose({})", "A"),
    "transpose with axes": ("transpose({}, (0, 1))", "X"),
    "transpose mark": ("{}.T", "A"),
    "concatenate": ("concatenate([{}, w])", "w"),
    "concatenate twice": ("concatenate([{0}, {0}])", "w"),
    "concatenate and sum": ("sum(concatenate([{0}, {0}]))*w", "w"),
    "stack": ("sum(stack([{}, w]), axis=0)", "w"),
    "stack twice": ("sum(stack([{0}, {0}]), axis=0)", "w"),
    "stack of a higher rank": ("stack([{0}, {0}])", "w"),
    "slice": ("{}[1:]", "w"),
    "slice with a step": ("{}[::2]", "w"),
    "reversed": ("{}[::-1]", "w"),
    "an index": ("{}[0]", "T"),
    "new axis": ("{}[None]", "w"),
    "new axis and its index": ("{}[None][0]", "w"),
    "minus": ("-{}", "w"),
    "minus in parentheses": ("-({})", "w"),
    "parentheses": ("({})", "w"),
    "list": ("[{}]", "w"),
    "tuple": ("({},)", "w"),
    "square": ("({})**2", "w"),
    "square plus one": ("(({})**2 + 1)", "w"),
    "power": ("(({} + 1)**9999)", "w"),
    "power with half": ("({})**0.5", "w"),
    "power with a third": ("(({})**(1/3) + 1)", "w"),
    "tower": ("w**({})", "w"),
    "tower of scalars": ("s**{}", "s"),
    "tower on the left": ("({})**s", "s"),
    "reciprocal": ("1/({} + 1)", "w"),
    "quotient": ("({0})/(1 + ({0}))", "w"),
    "product with itself": ("({0})*({0})", "w"),
    "product of shifted selves": ("({0} + 1)*({0} + 2)", "w"),
    "product of a sum": ("(w + 1)*({} + s)", "w"),
    "matrix product with itself": ("({0}) @ ({0})", "A"),
    "sum with itself": ("({0} + {0})", "w"),
    "comparison": ("({} > 0)", "w"),
    "comparison chain": ("{} < w", "w"),
    "comparison times": ("({} > 0)*w", "w"),
    "where": ("where({} > 0, w, 1)", "w"),
    "where on both sides": ("where(w > s, {0}, {0} + 1)", "w"),
    "where without": ("where(w > s, sin({}), w)", "w"),
    "clip": ("clip({}, -1, 1)", "w"),
    "maximum": ("maximum({}, w)", "w"),
    "minimum of two": ("minimum({0}, -({0}))", "w"),
    "leaky_relu with a slope": ("leaky_relu({}, s)", "w"),
    "elu with alpha": ("elu({}, s)", "w"),
    "Gauss": ("exp(-({})**2)", "w"),
    "softmax attention": ("softmax({} @ A.T) @ A", "A"),
    "layer": ("tanh(A @ ({}) + A)", "A"),
    "residual": ("({0}) + tanh(({0}) @ A)", "A"),
    "normalised": ("(({0}) - mean({0}))/norm({0})", "w"),
}
LONG = {
    "sum of sines": (" + ", "sin(w*{})", "w"),
    "sum of equal terms": (" + ", "w", "w"),
    "sum of powers": (" + ", "w**{}", "w"),
    "sum of products": (" + ", "w*(s + {})", "w"),
    "sum of norms": (" + ", "norm(w + {})", "w"),
    "sum of softmax": (" + ", "softmax(w*{})", "w"),
    "sum of traces": (" + ", "trace(A @ A*{})", "A"),
    "sum of quadratic forms": (" + ", "w*{} @ w", "w"),
    "sum of inverses": (" + ", "inv(A + {}*eye(n))", "A"),
    "product of sines": ("*", "sin(w*{})", "w"),
    "product of sums": ("*", "(w + {})", "w"),
    "product of sums of entries": ("*", "sum(w + {})", "w"),
    "product of two-term sums": ("*", "(w + s*{})", "w"),
    "product of norms": ("*", "norm(w + {})", "w"),
    "product of matrices": (" @ ", "A", "A"),
    "product of shifted matrices": (" @ ", "(A + {})", "A"),
    "product of functions of matrices": (" @ ", "tanh(A*{})", "A"),
    "quotients": ("/", "(w + {})", "w"),
    "tower": ("**", "s", "s"),
    "tower of numbers": ("**", "{}", "s"),
    "comparisons": (" < ", "w", "w"),
    "comparisons of different": (" < ", "(w + {})", "w"),
    "signs": (" - - ", "w", "w"),
}
LISTS = {
    "stack of equal arrays": ("sum(stack([{}]))", "w", "w"),
    "stack of arrays": ("stack([{}])", "w*{}", "w"),
    "concatenate": ("concatenate([{}])", "w + {}", "w"),
    "concatenate, squared": ("sum(concatenate([{}])**2)", "sin(w + {})", "w"),
    "concatenate of slices": ("concatenate([{}])", "w[{}:]", "w"),
    "concatenate of numbers": ("concatenate([{}])", "ones((3,))*s", "s"),
    "new axes": ("w[{}]", "None", "w"),
    "positions": ("w[{}]", "0", "w"),
    "shape of ones": ("sum(ones(({})))*w", "2", "w"),
    "shape of named sizes": ("sum(ones(({})))*w", "n", "w"),
    "reshape to many axes": ("reshape(w, ({}, d))", "1", "w"),
    "axes": ("sum(w, axis=({}))", "0", "w"),
    "arguments": ("maximum({})", "w", "w"),
    "operands of einsum": ("einsum('i,i->i', {})", "w", "w"),
}


def nested(template: str, inner: str, depth: int, longest: int = 250_000) -> str:
    """The template put into itself ``depth`` times; less often once it is very long."""
    pieces = template.split("{}")
    if len(pieces) == 2 and "{0}" not in template:
        return pieces[0] * depth + inner + pieces[1] * depth
    text = inner
    for _ in range(depth):
        if len(text) > longest:
            break
        text = template.replace("{0}", text)
    return text


FAMILIES = ("elementwise", "nested", "long", "lists", "numbers", "sizes", "letters", "latex")


def small(family: str) -> Iterator[Hostile]:
    """Texts of one family that a test can run in a moment: the same causes, less of them."""
    if family == "elementwise":
        for name in ELEMENTWISE:
            yield f"{name} x15", nested(f"{name}({{}})", "w", 15), "w"
    elif family == "nested":
        for label, (template, inner) in NESTED.items():
            depth = 4 if "{0}" in template else 12
            yield f"{label} x{depth}", nested(template, inner, depth), inner
    elif family == "long":
        for label, (join, item, wrt) in LONG.items():
            yield label, join.join(item.replace("{}", str(k + 1)) for k in range(20)), wrt
    elif family == "lists":
        for label, (whole, item, wrt) in LISTS.items():
            items = ", ".join(item.replace("{}", str(k + 1)) for k in range(20))
            yield label, whole.replace("{}", items), wrt
    else:
        makers = {"numbers": _numbers, "sizes": _sizes, "letters": _letters, "latex": _latex}
        yield from makers[family]()


def hostile_texts() -> Iterator[Hostile]:
    """All texts, cheap ones first within each family."""
    for name in ELEMENTWISE:
        for depth in DEPTHS:
            yield f"{name} x{depth}", nested(f"{name}({{}})", "w", depth), "w"
    for label, (template, inner) in NESTED.items():
        for depth in (3, 5, 7, 9) if "{0}" in template else DEPTHS:
            yield f"{label} x{depth}", nested(template, inner, depth), inner
    for label, (join, item, wrt) in LONG.items():
        for count in (30, 300, 3000):
            text = join.join(item.replace("{}", str(k + 1)) for k in range(count))
            yield f"{label} x{count}", text, wrt
    for label, (whole, item, wrt) in LISTS.items():
        for count in (30, 300, 20_000):
            items = ", ".join(item.replace("{}", str(k + 1)) for k in range(count))
            yield f"{label} x{count}", whole.replace("{}", items), wrt
    yield from _numbers()
    yield from _sizes()
    yield from _letters()
    yield from _latex()


def _numbers() -> Iterator[Hostile]:
    texts = [
        "1e400*w",
        "1e399*w*1e399",
        "1e-400*w",
        "9" * 100_000 + "*w",
        "0." + "0" * 50_000 + "1*w",
        "1e999999999999*w",
        "10**100000*w",
        "9**9**9**9*w",
        "w**9**9**9",
        "w**(10**9)",
        "w**100000000",
        "w**-9999",
        "w**9999.5",
        "w**0.123456789012345678",
        "2**4095*2**4095*w",
        "(w + 1)**9999",
        "((w + 1)**9999)**9999",
        "(((w + 1)**9999)**9999)**9999",
        "((w + s + 1)**9999)*((w + s + 1)**9999)",
        "sum(w)**9999",
        "norm(w)**9999",
        "exp(w)**9999",
        "prod(w)**9999",
        "det(A)**9999",
        "2**(w**9999)",
        "exp(exp(exp(exp(1000))))*w",
        "0**0*w",
        "0**-1*w",
        "(0*w)**-1",
        "1/0*w",
        "w/(s - s)",
        "sqrt(-1)*w",
        "log(0)*w",
        "log(-1)*w",
        "n**9999*w",
        "(n*d*k)**9999*w",
        "1/n**9999*w",
    ]
    for text in texts:
        yield _short(text), text, _symbol(text)


def _sizes() -> Iterator[Hostile]:
    texts = [
        "eye(10**9) @ w",
        "eye(1000000000) @ w",
        "sum(eye(10000000))*w",
        "trace(eye(10000000))*w",
        "sum(ones((10000000, 10000000, 10000000)))*w",
        "prod(ones((10000000,)) + s)*w",
        "det(eye(10000000))*w",
        "sum(inv(eye(10000000)))*w",
        "w[10**9]",
        "w[9999999]",
        "w[-9999999]",
        "w[9999999:]",
        "w[:-9999999]",
        "w[::9999999]",
        "w[::-9999999]",
        "w[::0]",
        "w[0:0]",
        "w[1:0]",
        "tril(A, k=9999999)",
        "tril(A, k=-9999999)",
        "triu(A, 10**20)",
        "zeros((0, 3))",
        "zeros((-3,))*w",
        "ones((n - n,))",
        "ones((n - d,))",
        "ones((-n,))",
        "eye(n, 10000000) @ ones((10000000,))*s",
        "reshape(w, (10**9, 10**9))",
        "reshape(w, (-1, -1))",
        "reshape(w, (0, -1))",
        "reshape(ones((10000000,)), (2, 5000000))*s",
        "reshape(X, (" + "*".join(["n"] * 300) + ", d))",
        "reshape(X, (" + "*".join(["(n + d)"] * 40) + ", d))",
        "ones((" + "*".join(["(n + d + k)"] * 30) + ",))",
        "ones((" + "*".join(["(n + d + k)"] * 300) + ",))",
        "ones((" + "(n + 1)*" * 2000 + "1,))",
        "w[" + "+".join(["n"] * 3000) + ":]",
        "w[" + "*".join(["(n + d)"] * 25) + "]",
        "w[::2]" + "[::2]" * 200,
        "w[1:-1]" + "[1:-1]" * 300,
        "X[::2, ::3]" + "[::5, ::7]" * 20,
        "kron(ones((3000, 3000)), ones((3000, 3000)))*s",
        "sum(kron(kron(kron(A, A), kron(A, A)), kron(kron(A, A), kron(A, A))))",
        "ravel(kron(kron(X, X), kron(X, X)))",
        "reshape(reshape(kron(X, W), (n*d, k*d)), (d*d, n*k))",
        "concatenate([ones((10000000,))]*3)*s",
        "concatenate([" + ", ".join(["ones((10000000,))"] * 2000) + "])*s",
    ]
    for text in texts:
        yield _short(text), text, _symbol(text)


def _letters() -> Iterator[Hostile]:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
    texts = [
        f"einsum('{letters}', w)",
        "einsum('" + ",".join(letters) + "->', " + ", ".join(["w"] * 50) + ")",
        "einsum('" + ",".join(letters) + f"->{letters}', " + ", ".join(["w"] * 50) + ")",
        "einsum('" + ",".join(["i"] * 300) + "->i', " + ", ".join(["w"] * 300) + ")",
        "einsum('" + ",".join(["ij"] * 300) + "->j', " + ", ".join(["A"] * 300) + ")",
        "einsum('"
        + ",".join(a + b for a, b in pairwise(letters))
        + "->aX', "
        + ", ".join(["A"] * 49)
        + ")",
        "einsum('"
        + ",".join(a + b for a in letters[:8] for b in letters[:8])
        + "->', "
        + ", ".join(["A"] * 64)
        + ")",
        "einsum('" + "i" * 50_000 + "', w)",
        "einsum('..., ij', w, A)",
        "einsum('i->ii', w)",
        "einsum('" + "," * 5000 + "', w)",
        "einsum('', " + ", ".join(["s"] * 500) + ")",
        "w" * 1_000_000,
        " " * 1_000_000,
        "w" + " " * 59_000,
        "\n" * 59_000 + "w w",
        "w" * 59_000,
        "1 " * 29_000,
        "(" * 59_000,
        ")" * 59_000,
        "[" * 100_000,
        "w[" * 20_000,
        "w.T" * 10_000,
        "w" + ".T" * 20_000,
        "w" + "²" * 3000,
        "w" + "^2" * 3000,
        "w" + "[0:]" * 3000,
        "'" * 59_999,
        '"' + "a" * 59_000,
        "w(" * 20_000,
        "w.sum(" * 8000,
        "f(x=" * 10_000,
        "w,%s" % ("w," * 20_000),
        "w\x00w",
        "\x00" * 50_000,
        "\u202ew",
        "ｗ + w",
        "а + w",
        "w + \u200bw",
        "𝐰 + 𝐰",
        "w\ud800",
        "е" * 50_000,
        "Σ" * 50_000,
        "∑_i " * 10_000,
        "x_" * 20_000,
        "lambda: w",
        "w if w else w",
        "[w for w in w]",
        "__import__('os').system('true')",
        "w; import os",
        "{}" * 20_000,
        "w = w",
        "a_very_long_name_" * 3000 + "*w",
        "+" * 50_000 + "w",
        "-" * 50_000 + "w",
        "- " * 29_000,
        "w+" * 29_000,
        "w**-" * 10_000 + "w",
        "w**" * 2400 + "2",
        "softmax" * 5000,
        "w@" * 20_000 + "w",
        "sum(w, axis=" + "-" * 20_000 + "1)",
        "sum(w, axis=" + "(" * 2000 + "0" + ")" * 2000 + ")",
        "sum(w, axis=(" + "0, " * 10_000 + "))",
        "transpose(T, (" + "0, " * 10_000 + "))",
        "sum(w, keepdims=" + "9" * 39 + ")",
    ]
    for text in texts:
        yield _short(text), text, _symbol(text)


def _latex() -> Iterator[Hostile]:
    texts = [
        r"\frac{" * 3000,
        r"\frac{w}{" * 2000 + "2" + "}" * 2000,
        r"\frac{" * 500 + "w" + "}{2}" * 500,
        r"\sqrt{" * 3000 + "w" + "}" * 3000,
        r"\sqrt" * 10_000,
        r"w^{" * 3000 + "2" + "}" * 3000,
        r"w^{" * 50 + "2" + "}" * 50,
        r"\left(" * 5000 + "w",
        r"\left(" * 400 + "w" + r"\right)" * 400,
        r"\lVert " * 3000 + "w",
        r"\lVert " * 300 + "w" + r"\rVert" * 300,
        r"|w" * 9999 + "\\",
        r"\|w\|" * 3000,
        r"\sum_{i} " * 2000 + "w_i",
        r"\sum_{i} " * 40 + "w_i",
        "$" * 50_000,
        "\\" * 50_000,
        r"{" * 50_000 + "\\w",
        r"}" * 50_000 + "\\w",
        r"\mathbf{" * 2000 + "w" + "}" * 2000,
        r"\exp \exp " * 2000 + "w",
        r"\exp " * 100 + "w",
        r"A " * 20_000 + r"\cdot w",
        r"A " * 300 + r"\cdot A",
        r"w \cdot " * 7000 + "w",
        r"w \cdot " * 300 + "w",
        r"\operatorname{" * 3000,
        r"\foo" * 10_000,
        r"\ln " * 5000 + "w",
        r"w_{" * 5000 + "i" + "}" * 5000,
        r"\begin{pmatrix}" * 2000,
        r"A^\top" * 300 + "A",
        r"A^{-1}" * 300 + "A",
        r"A^{-\top}" * 100 + "A",
        r"\lVert w \rVert^2" * 300,
        r"\sigma(" * 200 + "w" + ")" * 200,
        r"\frac{1}{2}" * 3000 + "w",
        "\\" + "a" * 59_000,
        "\\ " * 29_000 + "w",
    ]
    for text in texts:
        yield "latex " + _short(text), text, _symbol(text)


def _symbol(text: str) -> str:
    """The first symbol that the text names."""
    named = [word for word in re.findall(r"[^\W\d_]+", text[:1000]) if word in SHAPES]
    return named[0] if named else "w"


def _short(text: str) -> str:
    shown = text.encode("unicode_escape").decode()
    return shown if len(shown) <= 44 else f"{shown[:36]}... ({len(text):,})"
