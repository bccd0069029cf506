"""Matrix expressions as people write them: a small tree that prints as text and LaTeX."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from backprove import functions
from backprove.notation.axes import Size
from backprove.notation.index_writing import decimal_text, size_latex

GREEK = {
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
    "Gamma",
    "Delta",
    "Theta",
    "Lambda",
    "Xi",
    "Pi",
    "Sigma",
    "Upsilon",
    "Phi",
    "Psi",
    "Omega",
}
_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(5)
_FUNCTION = re.compile(r"\\(ln|exp|sinh?|cosh?|tanh?|arctan)(?![A-Za-z])")


def name_latex(name: str) -> str:
    r"""A symbol's name in LaTeX.

    >>> name_latex("theta_1"), name_latex("W2"), name_latex("bias")
    ('\\theta_{1}', 'W_{2}', '\\mathrm{bias}')
    """
    match = re.fullmatch(r"([A-Za-z]+?)_?(\d+)", name) or re.fullmatch(r"([A-Za-z]+)_(\w+)", name)
    if match:
        return f"{name_latex(match[1])}_{{{match[2]}}}".replace("_{_", "_{")
    if name in GREEK:
        return f"\\{name}"
    if len(name) == 1:
        return name
    return rf"\mathrm{{{name}}}".replace("_", r"\_")


@dataclass(frozen=True)
class Term:
    """A printed matrix, vector or scalar: text and LaTeX with their binding strength."""

    text: str
    latex: str
    strength: int = _ATOM
    latex_strength: int = _ATOM
    parts: tuple[Term, ...] = ()
    kind: str = "atom"
    flip: Callable[[], Term] | None = field(default=None, compare=False)
    closed: str = ""
    """The LaTeX with the argument of a function in parentheses, for use among other factors."""
    counted: tuple[str, ...] = ()
    """The sizes of the axes that a sum runs over."""

    def within(self, strength: int) -> str:
        """The text, in parentheses if it binds less than ``strength``."""
        return self.text if self.strength >= strength else f"({self.text})"

    def latex_within(self, strength: int) -> str:
        """The LaTeX, in parentheses if it binds less than ``strength``."""
        if self.latex_strength >= strength:
            return self.latex
        return self.closed or rf"\left({self.latex}\right)"


def atom(text: str, latex: str | None = None, kind: str = "atom") -> Term:
    """A name or anything else that needs no parentheses."""
    return Term(text, name_latex(text) if latex is None else latex, kind=kind)


def number(value: Fraction) -> Term:
    """A number; a fraction prints as a quotient."""
    if value.denominator == 1 or decimal_text(value) is not None:
        text = decimal_text(value) or str(value.numerator)
        strength = _ATOM if value >= 0 else _UNARY
        return Term(text, text, strength, strength, kind="number")
    sign = "-" if value < 0 else ""
    n, d = abs(value.numerator), value.denominator
    return Term(f"{sign}{n}/{d}", rf"{sign}\frac{{{n}}}{{{d}}}", _PRODUCT, _PRODUCT, kind="number")


def transpose(term: Term) -> Term:
    """The transpose; of a product, the product of transposes in reverse."""
    if term.kind == "transpose":
        return term.parts[0]
    if term.kind in ("eye", "symmetric"):
        return term
    if term.kind == "matmul":
        return matmul([transpose(p) for p in reversed(term.parts)])
    if term.kind == "outer":
        return outer(term.parts[1], term.parts[0])
    if term.kind == "diag":
        return term
    if term.flip is not None:
        return term.flip()
    latex = rf"{term.latex_within(_ATOM)}^{{\top}}"
    return Term(f"{term.within(_ATOM)}.T", latex, _ATOM, _POWER, (term,), "transpose")


def matmul(parts: Sequence[Term]) -> Term:
    """A chain of matrix products."""
    flat: list[Term] = []
    for part in parts:
        flat.extend(part.parts if part.kind == "matmul" else [part])
    if len(flat) == 1:
        return flat[0]
    text = " @ ".join(p.within(_UNARY) for p in flat)
    latex = r" \, ".join(p.latex_within(_UNARY) for p in flat)
    return Term(text, latex, _PRODUCT, _PRODUCT, tuple(flat), "matmul")


def inner(left: Term, right: Term) -> Term:
    """The dot product of two vectors."""
    text = f"{left.within(_UNARY)} @ {right.within(_UNARY)}"
    latex = rf"{left.latex_within(_ATOM)}^{{\top}} {right.latex_within(_UNARY)}"
    if left.kind == "transpose":
        latex = rf"{left.parts[0].latex_within(_UNARY)} {right.latex_within(_UNARY)}"
    return Term(text, latex, _PRODUCT, _PRODUCT, (left, right), "inner")


def outer(left: Term, right: Term) -> Term:
    """The outer product of two vectors."""
    latex = rf"{left.latex_within(_UNARY)} \, {right.latex_within(_ATOM)}^{{\top}}"
    return Term(f"outer({left.text}, {right.text})", latex, _ATOM, _PRODUCT, (left, right), "outer")


def diagonal(vector: Term) -> Term:
    """The diagonal matrix of a vector."""
    return call("diag", vector, kind="diag")


def trace(matrix: Term) -> Term:
    """The trace of a matrix."""
    return Term(f"trace({matrix.text})", rf"\operatorname{{tr}}({matrix.latex})", parts=(matrix,))


def call(name: str, *args: Term, options: str = "", kind: str = "call") -> Term:
    """A named function of terms."""
    text = f"{name}({', '.join(a.text for a in args)}{options})"
    if name == "sqrt":
        return Term(text, rf"\sqrt{{{args[0].latex}}}", parts=args, kind=kind)
    if name == "inv":
        latex = rf"{args[0].latex_within(_ATOM)}^{{-1}}"
        return Term(text, latex, _ATOM, _POWER, args, kind)
    if name == "norm":
        return Term(text, rf"\lVert {args[0].latex} \rVert", parts=args, kind=kind)
    record = functions.ELEMENTWISE.get(name)
    if record is not None:
        latex, closed = applied_latex(record.latex, [a.latex for a in args], args[0].kind == "atom")
        strength = _SUM if latex != closed else _ATOM
        return Term(text, latex, _ATOM, strength, args, kind, closed=closed)
    shown = name.replace("_", r"\_")
    inside = ", ".join(a.latex for a in args)
    axis = re.search(r"axis=(\d+)", options)
    lower = rf"_{{\text{{axis }}{axis[1]}}}" if axis else ""
    return Term(
        text, rf"\operatorname{{{shown}}}{lower}\left({inside}\right)", parts=args, kind=kind
    )


def summed(term: Term, sizes: Sequence[Size], axis: int | None = None) -> Term:
    """The sum over all axes, or along one, of sizes ``sizes``; ``sum(X, axis=0)`` for ``X.T``."""
    if axis is not None and len((turned := transpose(term)).text) < len(term.text):
        term, axis = turned, 1 - axis
    options = "" if axis is None else f", axis={axis}"
    found = call("sum", term, options=options, kind="sum")
    return replace(found, counted=tuple(str(s) for s in sizes))


def _averaged(term: Term) -> Term:
    """The mean that a sum divided by its number of terms is, or the variance."""
    options = term.text.removeprefix(f"sum({term.parts[0].text}").removesuffix(")")
    inner = term.parts[0]
    if inner.kind == "power" and inner.text.endswith("**2") and inner.parts[0].kind == "plus":
        deviation = inner.parts[0]
        for value in deviation.parts:
            mean = call("mean", value, options=options)
            if deviation.text in (
                f"{value.text} - {mean.text}",
                f"{value.text} - {mean.text}[:, None]",
            ):
                return call("var", value, options=options)
    return call("mean", inner, options=options)


def with_means(over: Sequence[Term], under: Sequence[Term]) -> tuple[list[Term], list[Term]]:
    """Factors in which a sum over n entries, divided by n, is a mean."""
    top, bottom = list(over), list(under)
    for place, term in enumerate(top):
        left = [u.text for u in bottom]
        if term.kind == "hadamard":
            parts, bottom = with_means(term.parts, bottom)
            top[place] = hadamard(parts)
        elif term.counted and not Counter(term.counted) - Counter(left):
            for size in term.counted:
                del bottom[[u.text for u in bottom].index(size)]
            top[place] = _averaged(term)
    return top, bottom


def applied_latex(template: str, args: Sequence[str], single: bool) -> tuple[str, str]:
    r"""A function of arguments in LaTeX, as it stands alone and as it stands among factors.

    Args:
        template: the LaTeX of the function's record, such as ``\tanh {0}``.
        args: the arguments.
        single: whether the first argument is one symbol, which needs no parentheses alone.

    >>> applied_latex(r"\tanh {0}", ["A B"], False)[0]
    '\\tanh\\left(A B\\right)'
    """
    shown = [*args]
    if "+ {0}" in template and args[0].startswith("-"):
        shown[0] = rf"\left({args[0]}\right)"
    if not template.endswith(" {0}"):
        latex = template.format(*shown)
        return latex, latex
    closed = rf"{template.removesuffix(' {0}')}\left({args[0]}\right)"
    return (template.format(*shown) if single else closed), closed


def power_latex(base: str, exponent: str) -> str:
    r"""A power in LaTeX; ``\ln\left(x\right)^2`` could be read in two ways.

    >>> power_latex(r"\ln x", "2"), power_latex("x", "2")
    ('{\\left(\\ln x\\right)}^{2}', '{x}^{2}')
    """
    shown = rf"\left({base}\right)" if _FUNCTION.match(base) else base
    return rf"{{{shown}}}^{{{exponent}}}"


def column(vector: Term, size: Size) -> Term:
    """A vector as each of ``size`` columns of a matrix, by broadcasting."""
    text = f"{vector.within(_ATOM)}[:, None]"
    latex = rf"{vector.latex_within(_UNARY)} \, {_ones_latex(size)}^{{\top}}"
    flip = lambda: row(vector, size)  # noqa: E731
    return Term(text, latex, _ATOM, _PRODUCT, (vector,), "column", flip)


def row(vector: Term, size: Size) -> Term:
    """A vector as each of ``size`` rows of a matrix, by broadcasting."""
    latex = rf"{_ones_latex(size)} \, {vector.latex_within(_ATOM)}^{{\top}}"
    flip = lambda: column(vector, size)  # noqa: E731
    return Term(vector.text, latex, vector.strength, _PRODUCT, (vector,), "row", flip)


def _ones_latex(*shape: Size) -> str:
    listed = r" \times ".join(size_latex(s) for s in shape)
    return rf"\mathbf{{1}}_{{{listed}}}"


def row_scaled(rows: Term | None, matrix: Term, columns: Term | None) -> Term:
    """A matrix with its rows and columns multiplied by vectors; ``diag(u) M diag(v)`` in LaTeX."""
    spread = column(rows, Size.of(1)) if rows else None  # its LaTeX is not shown
    pieces = [p for p in (spread, matrix, columns) if p is not None]
    plain = hadamard(pieces)
    left = rf"\operatorname{{diag}}\left({rows.latex}\right) \, " if rows else ""
    right = rf" \, \operatorname{{diag}}\left({columns.latex}\right)" if columns else ""
    latex = f"{left}{matrix.latex_within(_UNARY)}{right}"

    def flip() -> Term:
        return row_scaled(columns, transpose(matrix), rows)

    return Term(plain.text, latex, plain.strength, _PRODUCT, (), "row_scaled", flip)


def hadamard(parts: Sequence[Term]) -> Term:
    """An elementwise product."""
    flat: list[Term] = []
    for part in parts:
        flat.extend(part.parts if part.kind == "hadamard" else [part])
    if len(flat) == 1:
        return flat[0]
    text = " * ".join(p.within(_UNARY) if p.kind != "matmul" else f"({p.text})" for p in flat)
    latex = r" \odot ".join(p.latex_within(_UNARY) for p in flat)
    return Term(text, latex, _PRODUCT, _PRODUCT, tuple(flat), "hadamard")


def quotient(above: Term, below: Term) -> Term:
    """An elementwise quotient of arrays."""
    text = f"{above.within(_PRODUCT)}/{below.within(_POWER)}"
    if above.text == "1":
        latex = entrywise_power_latex(below.latex_within(_ATOM), "-1")
        return Term(text, latex, _PRODUCT, _POWER)
    latex = rf"{above.latex_within(_PRODUCT)} \oslash {below.latex_within(_UNARY)}"
    return Term(text, latex, _PRODUCT, _PRODUCT)


def entrywise_power_latex(base: str, exponent: str) -> str:
    """A power of each entry of an array; of a matrix, ``A^2`` would be ``A A``."""
    return rf"{{{base}}}^{{\odot {exponent}}}"


def power(base: Term, exponent: Fraction, entrywise: bool = False) -> Term:
    """A power, of each entry where ``entrywise``; 1/2 prints as a root."""
    if exponent == 1:
        return base
    if exponent == Fraction(1, 2):
        return call("sqrt", base)
    shown = number(exponent)
    text = f"{base.within(_ATOM)}**{shown.within(_ATOM)}"
    if entrywise:
        latex = entrywise_power_latex(base.latex_within(_ATOM), shown.latex)
    else:
        inside = base.latex if base.closed else base.latex_within(_ATOM)
        latex = power_latex(inside, shown.latex)
    return Term(text, latex, _POWER, _POWER, (base,), "power")


def scaled(
    coefficient: Fraction, over: Sequence[Term], under: Sequence[Term], body: Term | None
) -> Term:
    """``coefficient * scalars * body / scalars``."""
    whole, under = with_means([*over, *([body] if body is not None else [])], under)
    over, body = (whole, None) if body is None else (whole[:-1], whole[-1])
    whole = [*over, *([body] if body is not None else [])]
    if coefficient == 1 and not under and len(whole) == 1:
        return whole[0]
    decimal = decimal_text(coefficient) is not None
    n, d = (
        (abs(coefficient), 1) if decimal else (abs(coefficient.numerator), coefficient.denominator)
    )
    top: list[Term] = [*over, *([body] if body is not None else [])]
    bottom = [*([number(Fraction(d))] if d != 1 else []), *under]
    lead = "-" if coefficient < 0 else ""
    if n != 1 or not top:
        top.insert(0, number(Fraction(n)))
    text = lead + "*".join(_factor_text(t, k) for k, t in enumerate(top))
    text += "".join(f"/{t.within(_POWER)}" for t in bottom)
    latex = _scaled_latex(top, bottom, lead, body)
    strength = _UNARY if lead and len(top) == 1 and not bottom else _PRODUCT

    def flip() -> Term:
        return scaled(coefficient, over, under, None if body is None else transpose(body))

    return Term(text, latex, strength, strength, tuple(top), "scaled", flip)


def _factor_text(term: Term, position: int) -> str:
    if position == 0 and term.strength >= _PRODUCT:
        return term.text
    if term.kind in ("matmul",):
        return f"({term.text})" if position == 0 else _matmul_after(term)
    return term.within(_UNARY) if term.kind != "inner" else f"({term.text})"


def _matmul_after(term: Term) -> str:
    # c*A @ B reads (c*A) @ B, which is the same matrix.
    return term.text


def _scaled_latex(top: list[Term], bottom: list[Term], lead: str, body: Term | None) -> str:
    joined = r" \, ".join(t.latex_within(_PRODUCT) for t in top)
    if not bottom:
        return lead + joined
    below = r" \, ".join(t.latex_within(_PRODUCT) for t in bottom)
    if body is not None and len(joined) > 30:
        rest = [t for t in top if t is not body]
        above = r" \, ".join(t.latex_within(_PRODUCT) for t in rest) or "1"
        return rf"{lead}\frac{{{above}}}{{{below}}} \, {body.latex_within(_PRODUCT)}"
    return rf"{lead}\frac{{{joined}}}{{{below}}}"


def plus(terms: Sequence[tuple[Fraction, Term]]) -> Term:
    """A sum of terms with coefficients; positive terms first, common factors collected."""
    terms = _collect(sorted(terms, key=lambda item: _rank(item[1])))
    ordered = sorted(
        terms, key=lambda item: (item[0] < 0, item[1].kind == "number", _rank(item[1]))
    )
    text = latex = ""
    for coefficient, term in ordered:
        piece = scaled(abs(coefficient), [], [], term)
        if term.kind == "number" and term.text == "1":
            piece = number(abs(coefficient))
        sign = "-" if coefficient < 0 else "+"
        text += (f" {sign} " if text else ("-" if sign == "-" else "")) + piece.within(_PRODUCT)
        latex += (f" {sign} " if latex else ("-" if sign == "-" else "")) + piece.latex_within(
            _PRODUCT
        )
    if len(ordered) == 1:
        coefficient, term = ordered[0]
        return scaled(coefficient, [], [], term)

    def flip() -> Term:
        return plus([(c, t if t.kind == "number" else transpose(t)) for c, t in ordered])

    return Term(text, latex, _SUM, _SUM, tuple(t for _, t in ordered), "plus", flip)


def _rank(term: Term) -> tuple[int, str]:
    return (0 if term.kind in ("matmul", "inner", "eye", "diag") else 1, term.text)


def _collect(terms: list[tuple[Fraction, Term]]) -> list[tuple[Fraction, Term]]:
    """Write ``A @ u + B @ u`` as ``(A + B) @ u``, and likewise on the left."""
    for last in (True, False):
        groups: dict[str, list[tuple[Fraction, Term]]] = {}
        for coefficient, term in terms:
            shared = term.parts[-1 if last else 0].text if term.kind == "matmul" else ""
            groups.setdefault(shared, []).append((coefficient, term))
        merged: list[tuple[Fraction, Term]] = []
        for shared, group in groups.items():
            if not shared or len(group) == 1:
                merged.extend(group)
                continue
            lead = group[0][0]
            rest = [(c / lead, matmul(t.parts[:-1] if last else t.parts[1:])) for c, t in group]
            end = group[0][1].parts[-1 if last else 0]
            inside = plus(rest)
            merged.append((lead, matmul([inside, end] if last else [end, inside])))
        terms = merged
    return terms
