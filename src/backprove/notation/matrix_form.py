"""Back to matrix form: from the index graph of each term to products, traces, diags and outers.

Bound axes are eliminated one by one: an axis between two matrices is a matrix product, an axis on
one matrix a row sum or a matrix-vector product, a closed cycle a trace; two free ends without a
connection are an outer product, a delta between the free axes a diagonal matrix. A term whose index
graph is not of this kind has no matrix form, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from backprove.notation import building as b
from backprove.notation import matrix_terms as mt
from backprove.notation.axes import Axis
from backprove.notation.effort import TooMuchEffort, bounded, spend
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
from backprove.notation.index_writing import size_latex
from backprove.notation.matrix_entries import NoMatrixForm, Placed, condition, reference
from backprove.notation.matrix_terms import Term

MAX_EFFORT = 20_000
"""What the search for a matrix form may cost; published derivatives need at most 1,500."""

MAX_SLICE_EFFORT = 2_000
"""The same for a slice inside an index form."""


def matrix_form(tensor: Tensor) -> tuple[Term | None, str]:
    """The tensor as a matrix expression.

    Returns:
        The term and an empty text, or None and the reason why there is no matrix form.
    """
    if len(tensor.axes) > 2 and not isinstance(tensor.body, (Num, Named)):
        return None, f"the result has {len(tensor.axes)} axes; matrices have at most 2"
    try:
        with bounded(MAX_EFFORT):
            placed = _place(tensor.body)
            return _full(placed, tensor.axes), ""
    except NoMatrixForm as reason:
        return None, str(reason)
    except TooMuchEffort:
        return None, "the expression is too long to be turned into products of matrices"


def array_text(body: Expr, axes: Sequence[Axis]) -> Term | None:
    """The array of ``body`` over exactly ``axes`` in this order, if it can be written."""
    try:
        with bounded(MAX_SLICE_EFFORT):
            placed = _place(body)
            return _ordered(placed, tuple(axes)) if set(placed.axes) == set(axes) else None
    except (NoMatrixForm, TooMuchEffort):
        return None


def _full(placed: Placed, axes: tuple[Axis, ...]) -> Term:
    """The term with exactly these axes, spread over those that it lacks."""
    if set(placed.axes) == set(axes):
        return _ordered(placed, axes)
    sizes = ", ".join(str(a.size) for a in axes)
    if not placed.axes:
        shape = f"({sizes},)" if len(axes) == 1 else f"({sizes})"
        listed = r" \times ".join(size_latex(a.size) for a in axes)
        latex = rf"\mathbf{{1}}_{{{listed}}}"
        if placed.term.text == "0":
            return Term(f"zeros({shape})", latex.replace("{1}", "{0}", 1))
        ones = Term(f"ones({shape})", latex)
        return mt.scaled(Fraction(1), [placed.term], [], ones) if placed.term.text != "1" else ones
    if len(axes) == 2 and len(placed.axes) == 1:
        other = axes[1] if placed.axes[0] is axes[0] else axes[0]
        ones = Term(f"ones({other.size})", rf"\mathbf{{1}}_{{{size_latex(other.size)}}}")
        pair = (placed.term, ones) if placed.axes[0] is axes[0] else (ones, placed.term)
        return mt.outer(*pair)
    raise NoMatrixForm("the term does not depend on all axes")


def _ordered(placed: Placed, axes: tuple[Axis, ...]) -> Term:
    if placed.axes == axes:
        return placed.term
    if len(axes) == 2 and placed.axes == axes[::-1]:
        return mt.transpose(placed.term)
    raise NoMatrixForm("an array of rank above 2 would have to be transposed")


def _aligned(placed: Placed, axes: tuple[Axis, ...]) -> Term:
    """The term so that it broadcasts against an array over ``axes``."""
    if not placed.axes or placed.axes == axes:
        return placed.term
    if len(placed.axes) == len(axes):
        return _ordered(placed, axes)
    if placed.axes == axes[-len(placed.axes) :]:
        return mt.row(placed.term, axes[0].size) if len(axes) == 2 else placed.term
    if len(axes) == 2 and placed.axes == axes[:1]:
        return mt.column(placed.term, axes[1].size)
    raise NoMatrixForm("the axes of a term do not line up")


def _union(items: Sequence[Placed]) -> tuple[Axis, ...]:
    longest = max(items, key=lambda p: len(p.axes), default=None)
    axes = longest.axes if longest else ()
    if len(axes) < 2:
        axes = tuple(dict.fromkeys(a for p in items for a in p.axes))
    if any(a not in axes for p in items for a in p.axes) or len(axes) > 2:
        raise NoMatrixForm("a term has more than two axes")
    return axes


def _place(expr: Expr) -> Placed:
    spend(2)
    match expr:
        case Num():
            return Placed(mt.number(expr.value), ())
        case Named():
            latex = r"\pi" if expr.name == "pi" else expr.name
            return Placed(mt.atom(expr.name, latex), ())
        case Ref():
            return reference(expr)
        case Bracket():
            return condition(expr)
        case Test():
            inner = _place(expr.value)
            text = f"({inner.term.text} {expr.relation} 0)"
            relation = {">": ">", ">=": r"\ge", "==": "="}[expr.relation]
            return Placed(Term(text, rf"[{inner.term.latex} {relation} 0]"), inner.axes)
        case Add():
            return _sum_of_terms(expr)
        case Mul():
            spread = _spread_delta(expr)
            if spread is not None:
                return _place(spread)
            return _Contraction((), _factors(expr)).result()
        case Sum():
            fresh, body = b.opened(expr)
            return _summed(fresh, body)
        case Fn():
            return _function(expr)
        case Where():
            parts = [_place(e) for e in (expr.condition, expr.yes, expr.no)]
            axes = _union(parts)
            return Placed(mt.call("where", *(_aligned(p, axes) for p in parts)), axes)
        case Bind():
            return _slice(expr)
    raise NoMatrixForm(f"{type(expr).__name__} has no matrix form")


def _spread_delta(expr: Mul) -> Expr | None:
    """The product multiplied out if a factor is a sum with a delta: diag(s) - outer(s, s)."""
    for base, exponent in expr.factors:
        if isinstance(base, Add) and exponent == 1 and any(_is_delta(t) for t, _ in base.terms):
            rest = [b.power(o, e) for o, e in expr.factors if o is not base]
            lead = Num(expr.coefficient)
            parts = [b.mul(lead, Num(c), t, *rest) for t, c in base.terms]
            return b.add(b.mul(lead, Num(base.constant), *rest), *parts)
    return None


def _is_delta(term: Expr) -> bool:
    factors = [f for f, _ in term.factors] if isinstance(term, Mul) else [term]
    return any(isinstance(f, Bracket) and f.relation == "==" for f in factors)


def _factors(expr: Mul) -> list[tuple[Expr, Fraction]]:
    lead = [(Num(expr.coefficient), Fraction(1))] if expr.coefficient != 1 else []
    return lead + list(expr.factors)


def _function(expr: Fn) -> Placed:
    parts = [_place(a) for a in expr.args]
    axes = _union(parts)
    aligned = [_aligned(p, axes) for p in parts]
    if expr.name == "pow":
        base, exponent = aligned
        text = f"{base.within(4)}**{exponent.within(4)}"
        latex = mt.power_latex(base.latex_within(4), exponent.latex)
        if axes:
            latex = mt.entrywise_power_latex(base.latex_within(4), exponent.latex_within(4))
        return Placed(Term(text, latex, 3, 3), axes)
    return Placed(mt.call(expr.name, *aligned), axes)


def _sum_of_terms(expr: Add) -> Placed:
    parts = [(c, _place(t)) for t, c in expr.terms]
    axes = _union([p for _, p in parts])
    terms = [(c, _aligned(p, axes)) for c, p in parts]
    if expr.constant:
        terms.append((expr.constant, mt.number(Fraction(1))))
    if all(len(p.axes) < len(axes) for _, p in parts):
        first, *others = parts
        spread = [(first[0], _full(first[1], axes))]
        terms = spread + [(c, _aligned(p, axes)) for c, p in others] + terms[len(parts) :]
    return Placed(mt.plus(terms), axes)


_AXIS_NAMES = {"max", "min", "prod", "logsumexp", "softmax"}


def _slice(expr: Bind) -> Placed:
    fresh, body = b.opened(expr)
    inner = _place(body)
    if any(a not in inner.axes for a in fresh):
        raise NoMatrixForm(f"{expr.kind} of an array that does not depend on its axis")
    if expr.kind in ("inv", "det", "logdet"):
        if set(inner.axes) != set(fresh):
            raise NoMatrixForm(f"a batch of {expr.kind}")
        term = mt.call(expr.kind, _ordered(inner, fresh))
        at = tuple(i.axis for i in expr.at)
        if any(a is None for a in at):
            raise NoMatrixForm(f"single entries of {expr.kind}")
        if len(set(at)) != len(at):
            return Placed(mt.call("diag", term, kind="diagonal"), at[:1])  # type: ignore[return-value]
        return Placed(term, tuple(a for a in at if a))
    if expr.kind not in _AXIS_NAMES:
        raise NoMatrixForm(f"{expr.kind} has no name in the language")
    if len(fresh) != 1 and set(inner.axes) != set(fresh):
        raise NoMatrixForm(f"{expr.kind} over several of more axes")
    if expr.kind == "softmax" and len(fresh) != 1:
        raise NoMatrixForm("a softmax over several axes")
    axes = list(inner.axes)
    position = axes.index(fresh[0])
    if expr.kind == "softmax":
        options = f", axis={position}" if position != len(axes) - 1 else ""
        at = expr.at[0].axis
        if at is None and len(axes) == 1 and not expr.at[0].terms:
            whole = mt.call("softmax", inner.term)
            entry = f"[{expr.at[0].offset}]"
            return Placed(Term(whole.text + entry, whole.latex + f"_{{{entry[1:-1]}}}"), ())
        if at is None or at in axes:
            raise NoMatrixForm("single entries of a softmax")
        axes[position] = at
    else:
        options = f", axis={position}" if len(axes) > len(fresh) else ""
        axes = [a for a in axes if a not in fresh]
    return Placed(mt.call(expr.kind, inner.term, options=options), tuple(axes))


def _summed(bound: tuple[Axis, ...], body: Expr) -> Placed:
    if isinstance(body, Mul):
        return _Contraction(bound, _factors(body)).result()
    if isinstance(body, Add):
        if len(body.axes) <= 2 and all(any(a in t.axes for t, _ in body.terms) for a in bound):
            return _reduce_all(_place(body), bound)
        parts = [(c, _place(b.total(bound, t))) for t, c in body.terms]
        if body.constant:
            parts.append((body.constant, _place(b.total(bound, Num(Fraction(1))))))
        axes = _union([p for _, p in parts])
        return Placed(mt.plus([(c, _aligned(p, axes)) for c, p in parts]), axes)
    return _Contraction(bound, [(body, Fraction(1))]).result()


def _reduce_all(placed: Placed, bound: tuple[Axis, ...]) -> Placed:
    positions = [k for k, a in enumerate(placed.axes) if a in bound]
    rest = tuple(a for a in placed.axes if a not in bound)
    sizes = [a.size for a in bound]
    return Placed(mt.summed(placed.term, sizes, positions[0] if rest else None), rest)


def _written(term: Term) -> tuple[bool, str]:
    """What factors are sorted by: those in parentheses go last."""
    return term.text.startswith("("), term.text


@dataclass
class _Contraction:
    """The product of factors, summed over the bound axes."""

    bound: tuple[Axis, ...]
    factors: list[tuple[Expr, Fraction]]
    coefficient: Fraction = Fraction(1)
    over: list[Term] = field(default_factory=list)
    under: list[Term] = field(default_factory=list)
    vectors: dict[Axis, list[tuple[Term, Fraction]]] = field(default_factory=dict)
    matrices: list[tuple[Axis, Axis, Term]] = field(default_factory=list)
    equal: tuple[Axis, Axis] | None = None

    def result(self) -> Placed:
        for base, exponent in self.factors:
            self._take(base, exponent)
        self.matrices.sort(key=lambda entry: _written(entry[2]))
        self.over.sort(key=_written)
        self.under.sort(key=_written)
        remaining = list(self.bound)
        while remaining:
            axis = min(remaining, key=self._turn)
            self._eliminate(axis)
            remaining.remove(axis)
        return self._assemble()

    def _turn(self, axis: Axis) -> tuple[int, list[str]]:
        """Which axis goes first: the one with fewest neighbours, else by what is written."""
        return len(self._neighbours(axis)), sorted(
            term.text for r, c, term in self.matrices if axis in (r, c)
        )

    def _take(self, base: Expr, exponent: Fraction) -> None:
        if isinstance(base, Num):
            if exponent == 1:
                self.coefficient *= base.value
                return
        if isinstance(base, Bracket) and base.relation == "==":
            placed = condition(base)
            outside = not set(placed.axes) & set(self.bound)
            if placed.term.kind == "eye" and outside and self.equal is None:
                self.equal = (placed.axes[0], placed.axes[1])
                return
        norm = _norm_power(base, exponent)
        inner, exponent = norm if norm is not None else (_place(base), exponent)
        if not inner.axes:
            side = self.under if exponent < 0 else self.over
            side.append(mt.power(inner.term, abs(exponent)))
        elif len(inner.axes) == 1:
            self.vectors.setdefault(inner.axes[0], []).append((inner.term, exponent))
        elif len(inner.axes) == 2:
            term = mt.power(inner.term, exponent, entrywise=True)
            self.matrices.append((inner.axes[0], inner.axes[1], term))
        else:
            raise NoMatrixForm("a factor has more than two axes")

    def _neighbours(self, axis: Axis) -> set[Axis]:
        return {
            other
            for r, c, _ in self.matrices
            for this, other in ((r, c), (c, r))
            if this is axis and other is not axis
        }

    def _vector(self, axis: Axis) -> list[Term]:
        """The vectors on an axis as a list of factors, quotients written as one factor."""
        # Factors have no order of their own; what is printed must not depend on the run.
        entries = sorted(self.vectors.pop(axis, []), key=lambda entry: _written(entry[0]))
        top = [mt.power(t, e, entrywise=True) for t, e in entries if e > 0]
        bottom = [mt.power(t, -e, entrywise=True) for t, e in entries if e < 0]
        if not bottom:
            return top
        below = mt.hadamard(bottom)
        above = mt.hadamard(top) if top else mt.number(Fraction(1))
        return [mt.quotient(above, below)]

    def _between(self, axis: Axis, other: Axis) -> list[Term]:
        """The matrices with rows ``other`` and columns ``axis``, removed from the graph."""
        found, kept = [], []
        for r, c, term in self.matrices:
            if (r, c) == (other, axis):
                found.append(term)
            elif (r, c) == (axis, other):
                found.append(mt.transpose(term))
            else:
                kept.append((r, c, term))
        self.matrices = kept
        return found

    def _eliminate(self, axis: Axis) -> None:
        neighbours = sorted(self._neighbours(axis), key=lambda a: a.key)
        if len(neighbours) > 2:
            raise NoMatrixForm("an index joins more than two matrices")
        weights = self._vector(axis)
        if not neighbours:
            self.over.append(_total(weights, axis))
        elif len(neighbours) == 1:
            self._absorb(axis, neighbours[0], weights)
        else:
            first, second = neighbours
            left = mt.hadamard(self._between(axis, first))
            right = mt.hadamard(self._between(axis, second))
            if weights:
                left = mt.hadamard([left, *weights])
            self.matrices.append((first, second, mt.matmul([left, mt.transpose(right)])))

    def _absorb(self, axis: Axis, other: Axis, weights: list[Term]) -> None:
        matrices = self._between(axis, other)
        if weights:
            term = mt.matmul([mt.hadamard(matrices), mt.hadamard(weights)])
            self._push(other, term)
            return
        only = (
            other in self.bound and len(self._neighbours(other)) == 0 and other not in self.vectors
        )
        if only and len(matrices) == 2 and any(m.kind == "matmul" for m in matrices):
            self._push_scalar(other, mt.trace(mt.matmul([matrices[0], mt.transpose(matrices[1])])))
            return
        if only:
            self._push_scalar(other, mt.summed(mt.hadamard(matrices), [axis.size, other.size]))
            return
        self._push(other, mt.summed(mt.hadamard(matrices), [axis.size], 1))

    def _push(self, axis: Axis, term: Term) -> None:
        self.vectors.setdefault(axis, []).append((term, Fraction(1)))

    def _push_scalar(self, axis: Axis, term: Term) -> None:
        self.over.append(term)
        self.bound = tuple(a for a in self.bound if a is not axis)
        self.vectors[axis] = [(Term("", "", kind="spent"), Fraction(1))]

    def _assemble(self) -> Placed:
        self.over = [t for t in self.over if t.text]
        free = tuple(
            dict.fromkeys([a for r, c, _ in self.matrices for a in (r, c)] + list(self.vectors))
        )
        if self.equal is not None:
            return self._diagonal(free)
        body: Term | None = None
        if len(free) == 1:
            body = mt.hadamard(self._vector(free[0]))
        elif len(free) == 2:
            free, body = self._two_axes(free)
        elif free:
            raise NoMatrixForm("a term has more than two free axes")
        term = mt.scaled(self.coefficient, self.over, self.under, body)
        return Placed(term, free)

    def _two_axes(self, free: tuple[Axis, ...]) -> tuple[tuple[Axis, ...], Term]:
        rows, columns = free
        if not self.matrices:
            left, right = self._vector(rows), self._vector(columns)
            return free, mt.outer(mt.hadamard(left), mt.hadamard(right))
        if any({r, c} != set(free) for r, c, _ in self.matrices):
            raise NoMatrixForm("an index occurs twice in one factor")
        rows, columns = self.matrices[0][0], self.matrices[0][1]
        matrix = mt.hadamard(self._between(columns, rows))
        left = mt.hadamard(self._vector(rows)) if rows in self.vectors else None
        right = mt.hadamard(self._vector(columns)) if columns in self.vectors else None
        if left is None and right is None:
            return (rows, columns), matrix
        return (rows, columns), mt.row_scaled(left, matrix, right)

    def _diagonal(self, free: tuple[Axis, ...]) -> Placed:
        assert self.equal is not None
        rows, columns = self.equal
        if any(a not in self.equal for a in free) or self.matrices:
            raise NoMatrixForm("a delta together with further free axes")
        weights = self._vector(rows) + self._vector(columns)
        eye = Term(f"eye({rows.size})", f"I_{{{size_latex(rows.size)}}}", kind="eye")
        body = mt.diagonal(mt.hadamard(weights)) if weights else eye
        return Placed(mt.scaled(self.coefficient, self.over, self.under, body), (rows, columns))


def _total(weights: list[Term], axis: Axis) -> Term:
    if not weights:
        raise NoMatrixForm("an empty sum")
    if weights[0].kind == "spent":
        return Term("", "", kind="spent")
    if len(weights) == 2:
        return mt.inner(*weights)
    if len(weights) == 1 and weights[0].kind == "diagonal":
        return mt.trace(weights[0].parts[0])
    return mt.summed(mt.hadamard(weights), [axis.size])


def _norm_power(base: Expr, exponent: Fraction) -> tuple[Placed, Fraction] | None:
    """A half-integer power of a sum of squares, as a norm and its power."""
    if exponent.denominator != 2 or not isinstance(base, Sum):
        return None
    body = base.body
    if not (isinstance(body, Mul) and body.coefficient == 1 and len(body.factors) == 1):
        return None
    if body.factors[0][1] != 2:
        return None
    fresh, opened = b.opened(base)
    assert isinstance(opened, Mul)
    inner = _place(opened.factors[0][0])
    if any(a not in inner.axes for a in fresh):
        return None
    rest = tuple(a for a in inner.axes if a not in fresh)
    if rest and len(fresh) > 1:
        return None
    first = next(iter(fresh))
    options = f", axis={inner.axes.index(first)}" if rest else ""
    norm = mt.call("norm", inner.term, options=options)
    return Placed(norm, rest), exponent * 2
