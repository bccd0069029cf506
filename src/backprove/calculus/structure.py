"""What kind of tensor a Jacobian is, read off the deltas and the index graph that survive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from backprove.calculus.nonzeros import entry_count, nonzero_count
from backprove.notation import building as b
from backprove.notation.axes import Axis
from backprove.notation.expressions import ONE, ZERO, Add, Bracket, Expr, Mul, Num, Ref, Sum, Tensor

MAX_TERMS = 64


@dataclass(frozen=True)
class Structure:
    """The structure of a Jacobian.

    Attributes:
        kind: ``zero``, ``constant``, ``identity``, ``scaled identity``, ``diagonal``,
            ``diagonal + rank r``, ``block-diagonal``, ``Kronecker``, ``Kronecker sum``,
            ``permutation``, ``triangular``, ``banded``, ``rank r``, ``sparse`` or ``dense``.
        nonzeros: how many entries can differ from zero at most, as a formula.
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

    @property
    def brackets(self) -> list[Bracket]:
        """All conditions on indices, the deltas among them."""
        deltas = [b.delta(first, second) for first, second in self.pairs]
        return [d for d in deltas if isinstance(d, Bracket)] + list(self.conditions)


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
    jacobian = _Jacobian(list(outputs), inputs, str(entry_count(tensor.axes)))
    terms = monomials(tensor.body)
    if tensor.body is ZERO or terms == []:
        return replace(jacobian.found("zero", "The result is zero for all values."), nonzeros="0")
    if terms is None:
        reason = "The expression has too many terms to look for structure."
        return jacobian.found("dense", reason)
    nonzeros = str(nonzero_count([(t.brackets, t.rest) for t in terms], tensor.axes))
    if not outputs or not inputs:
        found = _vector(tensor.body, jacobian, nonzeros != jacobian.entries)
    elif any(t.conditions for t in terms):
        found = jacobian.restricted(terms)
    else:
        found = jacobian.joined(terms)
    if found.kind == "dense" and nonzeros != jacobian.entries:
        found = replace(found, kind="sparse", reason="Deltas restrict the entries of every term.")
    return replace(found, nonzeros=nonzeros)


def _vector(body: Expr, jacobian: _Jacobian, sparse: bool) -> Structure:
    """The structure of a gradient, or of the derivative by a number."""
    if not body.children() and not isinstance(body, Ref | Bracket):
        return jacobian.found("constant", "No input occurs in the derivative.")
    if sparse:
        return jacobian.found("sparse", "Conditions on indices restrict the entries.")
    return jacobian.found("dense", "Every entry can differ from zero.")


@dataclass(frozen=True)
class _Jacobian:
    """The axes of a Jacobian and the formula of the number of its entries."""

    outputs: list[Axis]
    inputs: list[Axis]
    entries: str

    def found(self, kind: str, reason: str) -> Structure:
        """A structure; the entries that can differ from zero are counted afterwards."""
        return Structure(kind, self.entries, self.entries, reason)

    def joined(self, terms: list[Monomial]) -> Structure:
        """The structure of terms that only deltas between output and input restrict."""
        matches = [self._matched(t) for t in terms]
        full = [self._is_full(m) for m in matches]
        if all(full):
            return self._all_deltas(terms, matches)
        others = [t for t, f in zip(terms, full, strict=True) if not f]
        straight = all(self._straight(m) for m, f in zip(matches, full, strict=True) if f)
        outer = all(self._is_outer(t) for t in others)
        if any(full) and straight and outer and len(self.outputs) == 1:
            plain = all(not t.rest.axes for t, f in zip(terms, full, strict=True) if f)
            kind = "identity" if plain else "diagonal"
            reason = "A diagonal and outer products of vectors."
            return self.found(f"{kind} + rank {len(others)}", reason)
        if outer and not any(matches):
            reason = "Outer products of an output and an input part."
            return self.found(f"rank {len(terms)}", reason)
        return self._blocks(terms, matches)

    def _all_deltas(self, terms: list[Monomial], matches: list[dict[Axis, Axis]]) -> Structure:
        first = terms[0].rest
        if not all(map(self._straight, matches)):
            if len(terms) == 1 and first is ONE:
                return self.found("permutation", "One delta for each axis, in another order.")
            return self.found("sparse", "Every term holds a delta for each axis.")
        if len(terms) == 1 and not first.axes:
            kind = "identity" if first is ONE else "scaled identity"
            return self.found(kind, "A delta for each axis, and the factor depends on no index.")
        return self.found("diagonal", "Diagonal because elementwise: a delta for each axis.")

    def _blocks(self, terms: list[Monomial], matches: list[dict[Axis, Axis]]) -> Structure:
        common = set(matches[0].items()).intersection(*(m.items() for m in matches[1:]))
        kron = [self._is_kronecker(t, m) for t, m in zip(terms, matches, strict=True)]
        if common:
            if len(terms) == 1 and kron[0]:
                reason = "A product of factors for separate pairs of axes."
                return self.found("Kronecker", reason)
            reason = "A delta joins an output axis and an input axis in every term."
            return self.found("block-diagonal", reason)
        if all(kron) and len(self.outputs) > 1:
            kind = "Kronecker" if len(terms) == 1 else "Kronecker sum"
            return self.found(kind, "Each term is a product of factors for separate pairs of axes.")
        return self.found("dense", "No delta joins output and input in every term.")

    def restricted(self, terms: list[Monomial]) -> Structure:
        """The structure of terms with other conditions on the indices than deltas."""
        conditions = [c for t in terms for c in t.conditions]
        single = len(self.outputs) == 1 == len(self.inputs)
        if single and all(t.conditions for t in terms):
            signs = {self._order(c) for c in conditions}
            if signs in ({1}, {-1}):
                return self.found("triangular", "Every term holds an order of the two indices.")
        if single and self._is_reversal(terms):
            return self.found("permutation", "The entries in the opposite order.")
        if single and all(t.pairs or t.conditions for t in terms):
            if all(map(self._fixes_distance, conditions)):
                return self.found("banded", "Every term fixes the distance of the indices.")
        matches = [self._matched(t) for t in terms]
        if all(self._is_full(m) and self._straight(m) for m in matches):
            return self.found("diagonal", "A delta for each axis, under further conditions.")
        if set(matches[0].items()).intersection(*(m.items() for m in matches[1:])):
            reason = "A delta joins an output axis and an input axis in every term."
            return self.found("block-diagonal", reason)
        return self.found("sparse", "Conditions on indices restrict the entries.")

    def _fixes_distance(self, condition: Bracket) -> bool:
        """True for ``[i = j + c]`` of an output ``i`` and an input ``j`` with an integer ``c``."""
        signs = self._signs(condition)
        known = condition.index.offset.constant is not None
        return condition.relation == "==" and known and sorted(signs) == [-1, 1]

    def _is_reversal(self, terms: list[Monomial]) -> bool:
        """True for ``[i + j = n - 1]`` alone, over two axes of size ``n``."""
        if len(terms) != 1 or terms[0].rest is not ONE or len(terms[0].conditions) != 1:
            return False
        (condition,) = terms[0].conditions
        first, second = self.outputs[0].size, self.inputs[0].size
        signs = self._signs(condition)
        if condition.relation != "==" or first != second or signs not in ([1, 1], [-1, -1]):
            return False
        return condition.index.offset * -signs[0] == first - 1

    def _signs(self, condition: Bracket) -> list[int]:
        """The coefficients of output and input in a condition on these two alone; else none."""
        coefficients = {a: c.constant for a, c in condition.index.terms if isinstance(a, Axis)}
        if set(coefficients) != {self.outputs[0], self.inputs[0]}:
            return []
        if len(condition.index.terms) != 2:
            return []
        found = [coefficients[self.outputs[0]], coefficients[self.inputs[0]]]
        return [int(c) for c in found if c is not None] if set(found) <= {1, -1} else []

    def _order(self, condition: Bracket) -> int:
        """1 for ``[i <= j]`` of output ``i`` and input ``j``, -1 for the other way; else 0."""
        if condition.relation != "<=" or condition.index.offset.terms:
            return 0
        signs = self._signs(condition)
        return signs[0] if sorted(signs) == [-1, 1] else 0

    def _matched(self, term: Monomial) -> dict[Axis, Axis]:
        """The input axis that a delta of the term joins to each output axis."""
        both = [pair for first, second in term.pairs for pair in ((first, second), (second, first))]
        return {o: i for o, i in both if o in self.outputs and i in self.inputs}

    def _is_full(self, match: dict[Axis, Axis]) -> bool:
        """True if deltas join every output axis to an input axis of its own, and none is left."""
        return len(match) == len(set(match.values())) == len(self.outputs) == len(self.inputs)

    def _straight(self, match: dict[Axis, Axis]) -> bool:
        """True if each output axis is joined to the input axis of the same place."""
        same_rank = len(self.outputs) == len(self.inputs)
        return same_rank and match == dict(zip(self.outputs, self.inputs, strict=True))

    def _is_kronecker(self, term: Monomial, match: dict[Axis, Axis]) -> bool:
        """True if every factor belongs to one output axis and one input axis at most."""
        if len(match) < len(term.pairs):
            return False  # a delta joins two axes of the output, or two of the input
        used = [frozenset(pair) for pair in match.items()]
        for group in _groups(term.rest):
            rows, columns = group.intersection(self.outputs), group.intersection(self.inputs)
            free = rows | columns
            if not free:
                continue
            if len(rows) > 1 or len(columns) > 1 or any(free & other for other in used):
                return False
            used.append(free)
        return len(self.outputs) > 1 and len(self.outputs) == len(self.inputs)

    def _is_outer(self, term: Monomial) -> bool:
        """True if no factor of the term depends on output and input axes together."""
        if term.pairs or term.conditions:
            return False
        return all(
            group.isdisjoint(self.outputs) or group.isdisjoint(self.inputs)
            for group in _groups(term.rest)
        )


def _groups(rest: Expr) -> list[frozenset[Axis]]:
    """The axes of each factor."""
    factors = [f for f, _ in rest.factors] if isinstance(rest, Mul) else [rest]
    return [frozenset(f.axes) for f in factors]
