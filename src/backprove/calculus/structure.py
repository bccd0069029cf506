"""What kind of tensor a Jacobian is, read off the deltas and the index graph that survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from backprove.notation import building as b
from backprove.notation.axes import Axis, Size
from backprove.notation.expressions import ONE, ZERO, Add, Bracket, Expr, Mul, Num, Sum, Tensor

MAX_TERMS = 64


@dataclass(frozen=True)
class Structure:
    """The structure of a Jacobian.

    Attributes:
        kind: ``zero``, ``constant``, ``identity``, ``scaled identity``, ``diagonal``,
            ``diagonal + rank r``, ``block-diagonal``, ``Kronecker``, ``Kronecker sum``,
            ``permutation``, ``triangular``, ``banded``, ``rank r``, ``sparse`` or ``dense``.
        nonzeros: the number of entries that can differ from zero, as a formula.
        entries: the number of all entries, as a formula.
        reason: one sentence that says why.
    """

    kind: str
    nonzeros: str
    entries: str
    reason: str

    def __str__(self) -> str:
        return self.kind


@dataclass(frozen=True)
class Monomial:
    """One term: deltas between an output axis and an input axis, other conditions, and the rest."""

    pairs: tuple[tuple[Axis, Axis], ...]
    conditions: tuple[Bracket, ...]
    rest: Expr


def monomials(body: Expr) -> list[Monomial] | None:
    """The body as a sum of terms with their deltas apart; None if there are too many."""
    terms: list[Expr] = []
    stack = [body]
    while stack:
        expr = stack.pop()
        spread = _multiplied_out(expr)
        if spread is not None:
            stack.extend(spread)
        elif expr is not ZERO:
            terms.append(expr)
        if len(terms) + len(stack) > MAX_TERMS:
            return None
    return [_monomial(t) for t in reversed(terms)]


def _multiplied_out(expr: Expr) -> list[Expr] | None:
    if isinstance(expr, Add):
        parts = [b.mul(Num(c), t) for t, c in expr.terms]
        return parts + ([Num(expr.constant)] if expr.constant else [])
    if isinstance(expr, Mul):
        for base, exponent in expr.factors:
            if exponent == 1 and isinstance(base, Add) and _holds_bracket(base):
                rest = [b.power(o, e) for o, e in expr.factors if o is not base]
                lead = Num(expr.coefficient)
                parts = [b.mul(lead, Num(c), t, *rest) for t, c in base.terms]
                return [*parts, b.mul(lead, Num(base.constant), *rest)]
            if exponent == 1 and isinstance(base, Sum):
                spread = _multiplied_out(base)
                if spread is not None:
                    rest = [b.power(o, e) for o, e in expr.factors if o is not base]
                    return [b.mul(Num(expr.coefficient), part, *rest) for part in spread]
    if isinstance(expr, Sum):
        fresh, body = b.opened(expr)
        if isinstance(body, Add) and _holds_bracket(body):
            return [b.total(fresh, p) for p in _multiplied_out(body) or []]
        if isinstance(body, Mul):
            spread = _multiplied_out(body)
            if spread is not None:
                return [b.total(fresh, p) for p in spread]
    return None


def _holds_bracket(expr: Add) -> bool:
    for term, _ in expr.terms:
        factors = [f for f, _ in term.factors] if isinstance(term, Mul) else [term]
        if any(
            isinstance(f, (Bracket, Add)) and (isinstance(f, Bracket) or _holds_bracket(f))
            for f in factors
        ):
            return True
    return False


def _monomial(term: Expr) -> Monomial:
    factors = [b.power(f, e) for f, e in term.factors] if isinstance(term, Mul) else [term]
    lead = term.coefficient if isinstance(term, Mul) else Fraction(1)
    pairs: list[tuple[Axis, Axis]] = []
    conditions: list[Bracket] = []
    rest: list[Expr] = [Num(lead)]
    for factor in factors:
        if isinstance(factor, Bracket):
            pair = _plain_pair(factor)
            if pair:
                pairs.append(pair)
            else:
                conditions.append(factor)
        else:
            rest.append(factor)
    return Monomial(tuple(pairs), tuple(conditions), b.mul(*rest))


def _plain_pair(bracket: Bracket) -> tuple[Axis, Axis] | None:
    """The axes of ``[i=j]``, if they are of one size: else the delta is no identity matrix."""
    if bracket.relation != "==" or bracket.index.offset.terms or len(bracket.index.terms) != 2:
        return None
    (first, c1), (second, c2) = bracket.index.terms
    if (
        isinstance(first, Axis)
        and isinstance(second, Axis)
        and first.size == second.size
        and {c1.constant, c2.constant} == {1, -1}
    ):
        return first, second
    return None


def classify(tensor: Tensor, outputs: Sequence[Axis]) -> Structure:
    """The structure of a Jacobian.

    Args:
        tensor: the Jacobian over output axes and input axes.
        outputs: those axes of ``tensor`` that belong to the output.

    Returns:
        The kind with its reason. A kind is only named if it holds for all values and sizes;
        ``dense`` means that no structure was found.
    """
    inputs = [a for a in tensor.axes if a not in outputs]
    entries = _product(a.size for a in tensor.axes)
    terms = monomials(tensor.body)

    def found(kind: str, nonzeros: str, reason: str) -> Structure:
        return Structure(kind, nonzeros, entries, reason)

    if tensor.body is ZERO:
        return found("zero", "0", "The result is zero for all values.")
    if terms is None:
        return found("dense", entries, "The expression has too many terms to look for structure.")
    if not outputs or not inputs:
        if not _symbols(tensor.body):
            return found("constant", entries, "No input occurs in the derivative.")
        return found("dense", entries, "A gradient: every entry can differ from zero.")
    return _matrix_structure(terms, list(outputs), inputs, entries, found, tensor)


def _symbols(expr: Expr) -> bool:
    return bool(expr.children()) or type(expr).__name__ == "Ref"


def _matched(term: Monomial, outputs: list[Axis], inputs: list[Axis]) -> dict[Axis, Axis]:
    pairs: dict[Axis, Axis] = {}
    for first, second in term.pairs:
        if first in outputs and second in inputs:
            pairs[first] = second
        elif second in outputs and first in inputs:
            pairs[second] = first
    return pairs


def _matrix_structure(terms, outputs, inputs, entries, found, tensor):  # type: ignore[no-untyped-def]
    matches = [_matched(t, outputs, inputs) for t in terms]
    if any(t.conditions for t in terms):
        return _conditional(terms, outputs, inputs, entries, found)
    full = [len(m) == len(outputs) == len(inputs) for m in matches]
    diagonal = [t for t, f in zip(terms, full, strict=True) if f]
    others = [t for t, f in zip(terms, full, strict=True) if not f]
    straight = all(
        m == dict(zip(outputs, inputs, strict=True))
        for m, f in zip(matches, full, strict=True)
        if f and len(outputs) == len(inputs)
    )
    count = _product(a.size for a in outputs)
    if diagonal and not others:
        if not straight:
            if len(terms) == 1 and terms[0].rest is ONE:
                return found("permutation", count, "One delta for each axis, in another order.")
            return found("sparse", count, "Every term holds a delta for each axis.")
        if len(terms) == 1 and not terms[0].rest.axes:
            kind = "identity" if terms[0].rest is ONE else "scaled identity"
            return found(kind, count, "A delta for each axis, and the factor depends on no index.")
        return found("diagonal", count, "Diagonal because elementwise: a delta for each axis.")
    ranks = [_is_outer(t, outputs, inputs) for t in others]
    if diagonal and straight and len(outputs) == 1 and all(ranks):
        kind = "identity" if all(not t.rest.axes for t in diagonal) else "diagonal"
        return found(
            f"{kind} + rank {len(others)}", entries, "A diagonal and outer products of vectors."
        )
    if all(not m for m in matches) and all(_is_outer(t, outputs, inputs) for t in terms):
        return found(
            f"rank {len(terms)}", entries, "Outer products of an output and an input part."
        )
    return _blocks(terms, matches, outputs, inputs, entries, found)


def _blocks(terms, matches, outputs, inputs, entries, found):  # type: ignore[no-untyped-def]
    common = set(matches[0].items())
    for match in matches[1:]:
        common &= set(match.items())
    kron = [_is_kronecker(t, m, outputs, inputs) for t, m in zip(terms, matches, strict=True)]
    if common:
        pairs = dict(common)
        nonzeros = _product(
            [a.size for a in outputs] + [a.size for a in inputs if a not in pairs.values()]
        )
        if len(terms) == 1 and kron[0]:
            return found("Kronecker", nonzeros, "A product of factors for separate pairs of axes.")
        return found(
            "block-diagonal",
            nonzeros,
            "A delta joins an output axis and an input axis in every term.",
        )
    if all(kron) and len(outputs) > 1:
        kind = "Kronecker" if len(terms) == 1 else "Kronecker sum"
        return found(kind, entries, "Each term is a product of factors for separate pairs of axes.")
    return found("dense", entries, "No delta joins output and input in every term.")


def _is_kronecker(term: Monomial, match, outputs, inputs) -> bool:  # type: ignore[no-untyped-def]
    """True if every factor belongs to one output axis and one input axis at most."""
    used: list[set[Axis]] = [{o, i} for o, i in match.items()]
    for group in _groups(term.rest):
        free = group & set(outputs) | group & set(inputs)
        if not free:
            continue
        if len(free & set(outputs)) > 1 or len(free & set(inputs)) > 1:
            return False
        if any(free & other for other in used):
            return False
        used.append(free)
    return len(outputs) > 1 and len(outputs) == len(inputs)


def _is_outer(term: Monomial, outputs: list[Axis], inputs: list[Axis]) -> bool:
    if term.pairs or term.conditions:
        return False
    return all(not (group & set(outputs) and group & set(inputs)) for group in _groups(term.rest))


def _groups(rest: Expr) -> list[set[Axis]]:
    factors = [f for f, _ in rest.factors] if isinstance(rest, Mul) else [rest]
    return [set(f.axes) for f in factors]


def _conditional(terms, outputs, inputs, entries, found):  # type: ignore[no-untyped-def]
    conditions = [c for t in terms for c in t.conditions]
    single = len(outputs) == 1 == len(inputs)
    if single and all(c.relation == "<=" for c in conditions) and all(t.conditions for t in terms):
        kinds = set()
        for condition in conditions:
            coefficients = {a: c.constant for a, c in condition.index.terms if isinstance(a, Axis)}
            if set(coefficients) != {outputs[0], inputs[0]} or condition.index.offset.terms:
                return found("sparse", entries, "Conditions on indices restrict the entries.")
            kinds.add(coefficients[outputs[0]])
        if kinds in ({1}, {-1}):
            return found("triangular", entries, "Every term holds an order of the two indices.")
    offsets = [c.index.offset.constant for c in conditions]
    equalities = all(c.relation == "==" for c in conditions)
    if (
        single
        and equalities
        and None not in offsets
        and all(t.pairs or t.conditions for t in terms)
    ):
        return found(
            "banded",
            f"{len(terms)}*{outputs[0].size}",
            "Every term fixes the distance of the indices.",
        )
    return found("sparse", entries, "Conditions on indices restrict the entries.")


def _product(sizes) -> str:  # type: ignore[no-untyped-def]
    total = Size.of(1)
    for size in sizes:
        total = total * size
    return str(total)
