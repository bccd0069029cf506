"""Printing expressions in index form, as text that can be read back and as LaTeX."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

from backprove import functions
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index
from backprove.notation.effort import spend
from backprove.notation.expressions import (
    Add,
    Bind,
    Bracket,
    Expr,
    Fn,
    Mul,
    Named,
    Num,
    Ref,
    Sum,
    Tensor,
    Test,
    Where,
)
from backprove.notation.index_writing import (
    condition_latex,
    condition_text,
    decimal_text,
    index_in_latex,
    index_in_text,
    letter_latex,
    size_latex,
    size_text,
    subscript_latex,
)
from backprove.notation.matrix_form import array_text
from backprove.notation.matrix_terms import Term, applied_latex, name_latex, power_latex
from backprove.notation.traversal import names_in_index, subexpressions

_LETTERS = "ijklmnpqrstuvwxyzabcdfgho"
_SUM, _PRODUCT, _POWER, _ATOM = range(4)
_IN_TEXT_ALONE = re.compile(r"\[|\b(?:ones|zeros|eye|where|triu|kron|concatenate|axis)\b")
"""Parts of arrays that mathematics writes by their entries."""


def names_in(expr: Expr) -> set[str]:
    """The names of arrays, sizes and constants that occur in an expression."""
    found: set[str] = set()
    for node in subexpressions(expr):
        if isinstance(node, Ref):
            found.add(node.array.name)
            for index in node.at:
                found |= names_in_index(index)
                for axis in index.axes:  # a slice is printed with the size of its axis
                    found |= axis.size.names() if len(axis.size.terms) > 1 else set()
        elif isinstance(node, Named):
            found |= b.size_of_name(node.name).names() if node.kind == "size" else {node.name}
        elif isinstance(node, (Sum, Bind)):
            for axis in node.bound:
                if _may_show_its_range(axis, node.body):
                    found |= axis.size.names()
            for index in node.at if isinstance(node, Bind) else ():
                found |= names_in_index(index)
        elif isinstance(node, Bracket):
            found |= names_in_index(node.index)
    return found


def _candidates() -> Iterator[str]:
    yield from _LETTERS
    for number in itertools.count(1):
        yield f"i{number}"


@dataclass
class IndexPrinter:
    """Prints expressions; each axis keeps its letter.

    Attributes:
        avoid: names that no index may take, because symbols or sizes have them.
        letters: the letter of each axis so far.
    """

    avoid: set[str]
    letters: dict[Axis, str] = field(default_factory=dict)

    def name(self, axis: Axis) -> str:
        """The letter of an axis, chosen at its first use."""
        if axis not in self.letters:
            taken = set(self.letters.values())
            self.letters[axis] = next(
                c for c in _candidates() if c not in taken and c not in self.avoid
            )
        return self.letters[axis]

    @contextmanager
    def _scope(self, expr: Sum | Bind) -> Iterator[tuple[tuple[Axis, ...], Expr]]:
        """The open body of a binder; its letters are free again afterwards."""
        fresh, body = b.opened(expr)
        if isinstance(expr, Sum) and len(fresh) > 1:
            # The order of its axes depends on the run; their letters follow the arrays they index.
            fresh = tuple(sorted(fresh, key=lambda axis: self._occurrences(axis, body)))
        for axis in fresh:
            self.name(axis)
        try:
            yield fresh, body
        finally:
            for axis in fresh:
                del self.letters[axis]

    def _occurrences(self, axis: Axis, body: Expr) -> list[str]:
        """The entries that an axis takes part in: its place ``*``, unnamed others ``?``."""
        found: set[str] = set()
        stack, seen = [body], {body}
        while stack:
            node = stack.pop()
            if isinstance(node, Ref) and axis in node.axes:
                at = ["*" if i.axis is axis else self._letter(i.axis) for i in node.at]
                found.add(f"{node.array.name}[{','.join(at)}]")
            for child in node.children():
                if child not in seen and axis in child.axes:
                    seen.add(child)
                    stack.append(child)
        return sorted(found)

    def _letter(self, axis: Axis | None) -> str:
        return self.letters.get(axis, "?") if axis is not None else "?"

    def _ranged(self, axis: Axis, body: Expr) -> str:
        """The letter of a bound axis, with its range if no array of the body shows it."""
        name = self.name(axis)
        return name if _runs_along_an_array(axis, body) else f"{name}<{size_text(axis.size)}"

    def text(self, expr: Expr) -> str:
        """The expression as text."""
        return self._text(expr)[0]

    def latex(self, expr: Expr) -> str:
        """The expression as LaTeX."""
        return self._latex(expr)[0]

    # --- indices ----------------------------------------------------------------------------

    def index(self, index: Index) -> str:
        """An index such as ``2*i + 1``, without spaces."""
        return index_in_text(index, self.name)

    def subscript(self, index: Index) -> str:
        """An index as a subscript; a bare size would be read as the letter of an index."""
        text = self.index(index)
        return f"{text}+0" if text.isidentifier() and not index.terms else text

    def condition(self, expr: Bracket) -> str:
        """The inside of an Iverson bracket: ``i=j``, ``i<=j``."""
        return condition_text(expr, self.name)

    def subscript_latex(self, indices: Iterable[Axis | Index]) -> str:
        """Indices as a subscript in LaTeX, counted from 1."""
        return subscript_latex([index_in_latex(Index.of(i), self._letter_latex) for i in indices])

    def _letter_latex(self, axis: Axis) -> str:
        return letter_latex(self.name(axis))

    # --- text -------------------------------------------------------------------------------

    def _in(self, expr: Expr, strength: int) -> str:
        text, own = self._text(expr)
        return text if own >= strength else f"({text})"

    def _text(self, expr: Expr) -> tuple[str, int]:
        spend(2)
        match expr:
            case Num():
                return _number(expr.value)
            case Named():
                return expr.name, _ATOM if expr.name.isidentifier() else _SUM
            case Ref():
                at = ",".join(self.subscript(i) for i in expr.at)
                return (f"{expr.array.name}[{at}]" if at else expr.array.name), _ATOM
            case Bracket():
                return f"[{self.condition(expr)}]", _ATOM
            case Test():
                return f"[{self._in(expr.value, _SUM)} {expr.relation} 0]", _ATOM
            case Add():
                shared, rest = _shared_conditions(expr)
                if shared:
                    conditions = "·".join(sorted(self.text(c) for c in shared))
                    return f"{self._in(rest, _PRODUCT)}·{conditions}", _PRODUCT
                return self._add(expr), _SUM
            case Mul():
                return self._multiply(expr)
            case Sum():
                with self._scope(expr) as (fresh, body):
                    names = ",".join(self._ranged(a, body) for a in fresh)
                    lower = names if len(names) == 1 else f"{{{names}}}"
                    return f"Σ_{lower} {self._in(body, _PRODUCT)}", _SUM
            case Fn(name="pow"):
                base, exponent = expr.args
                return f"{self._in(base, _ATOM)}^{self._in(exponent, _ATOM)}", _POWER
            case Fn():
                return f"{expr.name}({', '.join(self.text(a) for a in expr.args)})", _ATOM
            case Where():
                parts = ", ".join(self.text(e) for e in (expr.condition, expr.yes, expr.no))
                return f"where({parts})", _ATOM
            case Bind():
                return self._slice(expr), _ATOM
        raise TypeError(type(expr).__name__)

    def _add(self, expr: Add) -> str:
        pieces = sorted(
            ((c, self._scaled(abs(c), t)) for t, c in expr.terms),
            key=lambda item: (item[0] < 0, len(item[1]), item[1]),
        )
        if expr.constant:
            constant = (expr.constant, _number(abs(expr.constant))[0])
            pieces.insert(0 if expr.constant > 0 and pieces[0][0] < 0 else len(pieces), constant)
        text = ""
        for coefficient, piece in pieces:
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {piece}" if text else ("-" if sign == "-" else "") + piece
        return text

    def _scaled(self, coefficient: Fraction, term: Expr) -> str:
        return self._in(b.mul(Num(coefficient), term), _PRODUCT)

    def _multiply(self, expr: Mul) -> tuple[str, int]:
        top, bottom = self._sides(expr, self._power_text)
        lead = "-" if expr.coefficient < 0 else ""
        _coefficient(expr.coefficient, top, bottom)
        text = lead + "·".join(top) + "".join(f"/{t}" for t in bottom)
        single = len(top) == 1 and not bottom and not lead
        return text, _POWER if single else _PRODUCT

    def _sides(self, expr: Mul, write) -> tuple[list[str], list[str]]:  # type: ignore[no-untyped-def]
        top = sorted(
            ((write(f, e), isinstance(f, Bracket)) for f, e in expr.factors if e > 0),
            key=lambda item: (item[1], item[0]),
        )
        bottom = sorted(write(f, -e) for f, e in expr.factors if e < 0)
        return [t for t, _ in top], bottom

    def _power_text(self, base: Expr, exponent: Fraction) -> str:
        if exponent == 1:
            return self._in(base, _PRODUCT) if not isinstance(base, Sum) else f"({self.text(base)})"
        if exponent == Fraction(1, 2):
            return f"sqrt({self.text(base)})"
        shown, strength = _number(exponent)
        return f"{self._in(base, _ATOM)}^{shown if strength == _ATOM else f'({shown})'}"

    def _slice(self, expr: Bind) -> str:
        at = [self.index(i) for i in expr.at]
        with self._scope(expr) as (fresh, body):
            whole, free = _whole(body, fresh)
            several = expr.kind in ("softmax", "argmax") and len(fresh) > 1
            if whole is not None and not free and not several:
                return f"{expr.kind}({whole.text})" + (f"[{','.join(at)}]" if at else "")
            if whole is not None and len(fresh) == 1 and expr.kind != "argmax":
                options = "" if expr.at else f", axis={len(free)}"
                listed = ",".join([*(self.name(a) for a in free), *at])
                return f"{expr.kind}({whole.text}{options})[{listed}]"
            names = ",".join(self._ranged(a, body) for a in fresh)
            suffix = f"[{','.join(at)}]" if at else ""
            return f"{expr.kind}_{{{names}}}({self.text(body)}){suffix}"

    # --- LaTeX ------------------------------------------------------------------------------

    def _latex_in(self, expr: Expr, strength: int) -> str:
        text, own = self._latex(expr)
        if own >= strength:
            return text
        if isinstance(expr, Fn) and expr.name != "pow":
            return self._applied(expr)[1]
        return rf"\left({text}\right)"

    def _applied(self, expr: Fn) -> tuple[str, str]:
        """A function of its arguments, alone and among factors."""
        template = functions.lookup(expr.name).latex
        single = isinstance(expr.args[0], (Ref, Named))
        return applied_latex(template, [self.latex(a) for a in expr.args], single)

    def _latex(self, expr: Expr) -> tuple[str, int]:
        spend(2)
        match expr:
            case Num():
                return _number_latex(expr.value)
            case Named():
                return _named_latex(expr)
            case Ref():
                at = self.subscript_latex(expr.at)
                return _subscripted(name_latex(expr.array.name), at), _ATOM
            case Bracket():
                return f"[{condition_latex(expr, self._letter_latex)}]", _ATOM
            case Test():
                relation = {">": ">", ">=": r"\ge", "==": "="}[expr.relation]
                return rf"[{self.latex(expr.value)} {relation} 0]", _ATOM
            case Add():
                shared, rest = _shared_conditions(expr)
                if shared:
                    conditions = r" \, ".join(sorted(self.latex(c) for c in shared))
                    return rf"{self._latex_in(rest, _PRODUCT)} \, {conditions}", _PRODUCT
                return self._add_latex(expr), _SUM
            case Mul():
                return self._multiply_latex(expr), _PRODUCT
            case Sum():
                return self._total_latex(expr), _SUM
            case Fn(name="pow"):
                base, exponent = expr.args
                inside = self._latex_in(base, _ATOM)
                return power_latex(inside, self.latex(exponent)), _POWER
            case Fn():
                alone, closed = self._applied(expr)
                return alone, _ATOM if alone == closed else _SUM
            case Where():
                condition, yes, no = (self.latex(e) for e in (expr.condition, expr.yes, expr.no))
                return rf"\operatorname{{where}}({condition}, {yes}, {no})", _ATOM
            case Bind():
                return self._slice_latex(expr), _ATOM
        raise TypeError(type(expr).__name__)

    def _total_latex(self, expr: Sum) -> str:
        with self._scope(expr) as (fresh, body):
            plain = [a for a in fresh if _runs_along_an_array(a, body)]
            signs = [rf"\sum_{{{','.join(map(self._letter_latex, plain))}}}"] if plain else []
            for axis in fresh:
                if axis not in plain:
                    high = size_latex(axis.size).removeprefix("(").removesuffix(")")
                    signs.append(rf"\sum_{{{self._letter_latex(axis)}=1}}^{{{high}}}")
            return f"{' '.join(signs)} {self._latex_in(body, _PRODUCT)}"

    def _add_latex(self, expr: Add) -> str:
        pieces = sorted(
            ((c, self.text(b.mul(Num(abs(c)), t)), t) for t, c in expr.terms),
            key=lambda item: (item[0] < 0, len(item[1]), item[1]),
        )
        shown = [(c, self._latex_in(b.mul(Num(abs(c)), t), _PRODUCT)) for c, _, t in pieces]
        if expr.constant:
            constant = (expr.constant, _number_latex(abs(expr.constant))[0])
            shown.insert(0 if expr.constant > 0 and shown[0][0] < 0 else len(shown), constant)
        text = ""
        for coefficient, piece in shown:
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {piece}" if text else ("-" if sign == "-" else "") + piece
        return text

    def _multiply_latex(self, expr: Mul) -> str:
        top, bottom = self._sides(expr, self._power_latex)
        lead = "-" if expr.coefficient < 0 else ""
        _coefficient(expr.coefficient, top, bottom)
        above = r" \, ".join(top)
        return lead + (_fraction(above, bottom) if bottom else above)

    def _power_latex(self, base: Expr, exponent: Fraction) -> str:
        if exponent == 1:
            if isinstance(base, Sum):
                return rf"\left({self.latex(base)}\right)"
            return self._latex_in(base, _PRODUCT)
        if exponent == Fraction(1, 2):
            return rf"\sqrt{{{self.latex(base)}}}"
        if isinstance(base, Fn) and base.name != "pow":
            inside = self._applied(base)[0]
        else:
            inside = self._latex_in(base, _ATOM)
        return power_latex(inside, _number_latex(exponent)[0])

    def _slice_latex(self, expr: Bind) -> str:
        name = rf"\{expr.kind}" if expr.kind in ("max", "min", "det") else ""
        name = name or rf"\operatorname{{{expr.kind}}}"
        with self._scope(expr) as (fresh, body):
            whole, free = _whole(body, fresh)
            if whole is not None and self._named_whole(expr, whole, free):
                at = self.subscript_latex([*free, *expr.at])
                inside = rf"\left({whole.latex}\right)"
                if expr.kind == "inv":
                    power = f"{whole.latex if whole.kind == 'atom' else inside}^{{-1}}"
                    return _subscripted(rf"\left({power}\right)", at)
                return _subscripted(name + inside, at)
            letters = ",".join(self._ranged_latex(a, body) for a in fresh)
            at = self.subscript_latex(expr.at)
            below = f"_{{{at}}}" if at else ""
            return rf"{name}_{{{letters}}}\left({self.latex(body)}\right){below}"

    def _named_whole(self, expr: Bind, whole: Term, free: Sequence[Axis]) -> bool:
        """Whether the function of a whole array says in LaTeX which axis it runs along."""
        single = expr.kind != "argmax" and (expr.kind == "softmax" or not free)
        several = expr.kind == "softmax" and len(expr.at) > 1
        # A size in it may be the letter of an index; |A| may be read as a determinant.
        unclear = r"\mathbf{1}" in whole.latex or r"\left|" in whole.latex
        return single and not several and not unclear and not _IN_TEXT_ALONE.search(whole.text)

    def _ranged_latex(self, axis: Axis, body: Expr) -> str:
        letter = self._letter_latex(axis)
        known = _runs_along_an_array(axis, body)
        return letter if known else rf"{letter} \le {size_latex(axis.size)}"


def _shared_conditions(expr: Add) -> tuple[list[Bracket], Expr]:
    """The conditions on indices that all terms of a sum have, and the sum without them."""
    if expr.constant:
        return [], expr
    products = [
        (c, t.factors if isinstance(t, Mul) else ((t, Fraction(1)),)) for t, c in expr.terms
    ]
    conditions = [{f for f, e in fs if isinstance(f, Bracket) and e == 1} for _, fs in products]
    shared = set.intersection(*conditions)
    if not shared:
        return [], expr
    rest = []
    for (coefficient, factors), (term, _) in zip(products, expr.terms, strict=True):
        lead = term.coefficient if isinstance(term, Mul) else Fraction(1)
        kept = [b.power(f, e) for f, e in factors if f not in shared]
        rest.append(b.mul(Num(coefficient * lead), *kept))
    return list(shared), b.add(*rest)


def _runs_along_an_array(axis: Axis, body: Expr) -> bool:
    """True if arrays tell the range of an axis, and none of them is longer."""
    found = False
    for node in subexpressions(body, along=axis):
        if isinstance(node, Ref):
            pairs = zip(node.at, node.array.shape, strict=True)
            along = [s for i, s in pairs if i.axis is axis]
            if any(s != axis.size for s in along):
                return False
            found = found or bool(along)
    return found


def _may_show_its_range(axis: Axis, body: Expr) -> bool:
    """True unless arrays tell the range of an axis, whichever index of a delta is written."""
    if any(isinstance(node, Bracket) for node in subexpressions(body, along=axis)):
        return True
    return not _runs_along_an_array(axis, body)


def _whole(body: Expr, fresh: tuple[Axis, ...]) -> tuple[Term | None, tuple[Axis, ...]]:
    """The slice (with at most one further free axis in front) as one array, if possible."""
    free = tuple(sorted(body.axes.difference(fresh), key=lambda a: a.key))
    if len(free) > 1 or (free and len(fresh) > 1):
        return None, free
    return array_text(body, (*free, *fresh)), free


def _fraction(above: str, bottom: Sequence[str]) -> str:
    below = r" \, ".join(bottom)
    return rf"\frac{{{above}}}{{{below}}}"


def _subscripted(name: str, at: str) -> str:
    if not at:
        return name
    return rf"{{{name}}}_{{{at}}}" if "_" in name else rf"{name}_{{{at}}}"


def _coefficient(value: Fraction, top: list[str], bottom: list[str]) -> None:
    """Put the absolute value of a coefficient in front of factors and divisors."""
    n, d = abs(value.numerator), value.denominator
    if (shown := decimal_text(abs(value))) is not None:
        top.insert(0, shown)
        return
    if n != 1 or not top:
        top.insert(0, str(n))
    if d != 1:
        bottom.insert(0, str(d))


def _number(value: Fraction) -> tuple[str, int]:
    if value.denominator == 1 or decimal_text(value) is not None:
        return decimal_text(value) or str(value.numerator), _ATOM if value >= 0 else _SUM
    return f"{value.numerator}/{value.denominator}", _PRODUCT if value >= 0 else _SUM


def _number_latex(value: Fraction) -> tuple[str, int]:
    if value.denominator == 1 or decimal_text(value) is not None:
        return _number(value)
    sign = "-" if value < 0 else ""
    latex = rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
    return latex, _PRODUCT if value >= 0 else _SUM


def _named_latex(expr: Named) -> tuple[str, int]:
    if expr.kind == "size":
        shown = size_latex(b.size_of_name(expr.name))
        return shown, _PRODUCT if "cdot" in shown else _ATOM
    return (r"\pi" if expr.name == "pi" else expr.name), _ATOM


def printer_for(
    exprs: Iterable[Expr], axes: Sequence[Axis], reserved: Iterable[str] = ()
) -> IndexPrinter:
    """A printer whose letters for ``axes`` are i, j, k, l, ... in order.

    Args:
        exprs: what will be printed; their names are not used for indices.
        axes: free axes that get the first letters.
        reserved: further names to leave to others.
    """
    avoid = set(reserved)
    for expr in exprs:
        avoid |= names_in(expr)
    printer = IndexPrinter(avoid)
    for axis in axes:
        printer.name(axis)
    return printer


def index_text(tensor: Tensor, left: str = "J", reserved: Iterable[str] = ()) -> str:
    """The tensor as an index formula, such as ``J[i,j,k,l] = X[i,l]·[j=k]``.

    No index gets a name in ``reserved``, such as that of a symbol.
    """
    printer = printer_for([tensor.body], tensor.axes, {left, *reserved})
    at = ",".join(printer.name(a) for a in tensor.axes)
    head = f"{left}[{at}]" if at else left
    return f"{head} = {printer.text(tensor.body)}"


def index_latex(tensor: Tensor, left: str = "J", reserved: Iterable[str] = ()) -> str:
    """The tensor as an index formula in LaTeX, where entries are counted from 1."""
    printer = printer_for([tensor.body], tensor.axes, {left, *reserved})
    at = printer.subscript_latex(tensor.axes)
    head = f"{left}_{{{at}}}" if at else left
    return f"{head} = {printer.latex(tensor.body)}"
