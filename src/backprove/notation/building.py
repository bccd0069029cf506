"""Building expressions: each function returns the node in its simplest safe form.

What happens here is what can be done in time linear in the operands: constants fold, equal
factors and terms merge, deltas are eliminated from sums, factors leave the sums they do not depend
on, and facts of a symbol's domain apply (Σ softmax = 1). Products are not multiplied out, except
where that frees a delta, so that what a person wrote factored stays factored;
:mod:`backprove.notation.normal_form` multiplies out for proofs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from backprove.notation.axes import Axis, Index, Size, bound_axis
from backprove.notation.axis_splitting import split_axis
from backprove.notation.brackets import bracket as bracket
from backprove.notation.brackets import delta as delta
from backprove.notation.brackets import (
    determined,
    elimination,
    has_delta,
    must_split,
    settle,
)
from backprove.notation.brackets import range_guards as range_guards
from backprove.notation.brackets import solve as solve
from backprove.notation.canonical_order import canonical_order, only_renames
from backprove.notation.canonical_order import coloured_hash as coloured_hash
from backprove.notation.effort import spend
from backprove.notation.expressions import (
    ONE,
    UNIT,
    ZERO,
    Add,
    Array,
    Bind,
    Bracket,
    Expr,
    Fn,
    Mul,
    Num,
    Ref,
    Sum,
    Tensor,
    Test,
    Where,
)
from backprove.notation.known_sums import known_sum
from backprove.notation.known_values import AT_ZERO, power_of_number
from backprove.notation.known_values import surely_positive as surely_positive
from backprove.notation.leaves import PI as PI
from backprove.notation.leaves import Number, product, size_atom
from backprove.notation.leaves import entire as entire
from backprove.notation.leaves import num as num
from backprove.notation.leaves import ref as ref
from backprove.notation.leaves import size_of_name as size_of_name
from backprove.notation.leaves import split_coefficient as split_coefficient

_MINUS_ONE = num(-1)


def size_value(size: Size) -> Expr:
    """The number of entries along an axis, as a value."""
    terms = []
    for monomial, coefficient in size.terms:
        factors = [power(size_atom(atom), Fraction(p)) for atom, p in monomial]
        terms.append(mul(num(coefficient), *factors))
    return add(*terms)


def indicator(relation: str, value: Expr) -> Expr:
    """The indicator of ``value > 0`` (or ``>= 0``, ``== 0``)."""
    if isinstance(value, (Test, Bracket)):  # itself 0 or 1
        return {">": value, ">=": ONE}.get(relation) or sub(ONE, value)
    if isinstance(value, Num):
        v = value.value
        return (
            ONE if (v > 0 if relation == ">" else v >= 0 if relation == ">=" else v == 0) else ZERO
        )
    if isinstance(value, Mul) and value.coefficient != 1:
        if value.coefficient > 0 or relation == "==":
            return indicator(relation, mul(num(1 / value.coefficient), value))
    return Test(relation, value)


def neg(value: Expr) -> Expr:
    """``-value``."""
    return mul(_MINUS_ONE, value)


def sub(first: Expr, second: Expr) -> Expr:
    """``first - second``."""
    return add(first, neg(second))


def divide(first: Expr, second: Expr) -> Expr:
    """``first / second``."""
    return mul(first, power(second, Fraction(-1)))


def add(*summands: Expr) -> Expr:
    """The sum of the given expressions."""
    spend(1 + len(summands))
    constant = Fraction(0)
    terms: dict[Expr, Fraction] = {}
    for summand in summands:
        if isinstance(summand, Add):
            constant += summand.constant
            spend(len(summand.terms) // 2)
            for term, coefficient in summand.terms:
                _collect(terms, term, coefficient)
            continue
        coefficient, term = split_coefficient(summand)
        if isinstance(term, Add):
            constant += coefficient * term.constant
            for inner, inner_coefficient in term.terms:
                _collect(terms, inner, coefficient * inner_coefficient)
        elif term is ONE:
            constant += coefficient
        else:
            _collect(terms, term, coefficient)
    kept = sorted(((t, c) for t, c in terms.items() if c), key=lambda item: item[0].key)
    if not kept:
        return Num(constant)
    if len(kept) == 1 and constant == 0:
        return mul(Num(kept[0][1]), kept[0][0])
    return Add(constant, tuple(kept))


def _collect(found: dict[Expr, Fraction], part: Expr, amount: Fraction) -> None:
    """Add to the coefficient of a term, or to the exponent of a factor."""
    known = found.get(part)
    found[part] = amount if known is None else known + amount


def mul(*factors: Expr) -> Expr:
    """The product of the given expressions."""
    spend(1 + len(factors))
    coefficient = UNIT
    powers: dict[Expr, Fraction] = {}
    for factor in factors:
        if factor is ONE:
            continue
        if isinstance(factor, Num):
            coefficient = factor.value if coefficient is UNIT else coefficient * factor.value
        elif isinstance(factor, Mul):
            if factor.coefficient is not UNIT:
                coefficient *= factor.coefficient
            spend(len(factor.factors) // 2)
            for base, exponent in factor.factors:
                _collect(powers, base, exponent)
        else:
            _collect(powers, factor, UNIT)
    if not coefficient:
        return ZERO
    powers, extra, changed = _tidy_powers(powers)
    if changed:
        return mul(Num(coefficient), *extra, *(power(b, e) for b, e in powers.items()))
    replaced = _apply_deltas(powers)
    if replaced is not None:
        return mul(Num(coefficient), *replaced)
    ordered = tuple(sorted(powers.items(), key=lambda item: item[0].key))
    return product(coefficient, ordered)


def _tidy_powers(
    powers: dict[Expr, Fraction],
) -> tuple[dict[Expr, Fraction], list[Expr], bool]:
    """Drop zero exponents, make indicators idempotent, apply facts about squares of symbols."""
    kept: dict[Expr, Fraction] = {}
    extra: list[Expr] = []
    changed = False
    exps: list[Expr] = []
    for base, exponent in powers.items():
        if not exponent:
            continue
        if isinstance(base, (Bracket, Test)) and exponent is not UNIT and exponent > 0:
            exponent = UNIT
        if exponent is not UNIT and exponent != 1:
            whole = power(base, exponent)
            if not (isinstance(whole, Mul) and whole.factors == ((base, exponent),)):
                extra.append(whole)
                changed = True
                continue
        if isinstance(base, Fn) and base.name == "exp":
            exps.append(base)
        kept[base] = exponent
    if len(exps) > 1 or (exps and kept[exps[0]] != 1):
        argument = add(*(mul(Num(kept[e]), e.args[0]) for e in exps if isinstance(e, Fn)))
        for e in exps:
            del kept[e]
        extra.append(fn("exp", argument))
        changed = True
    return kept, extra, changed


def _apply_deltas(powers: dict[Expr, Fraction]) -> list[Expr] | None:
    """Use every delta between free axes to write the other factors in one axis alone."""
    equations = [f for f in powers if isinstance(f, Bracket) and f.relation == "=="]
    if not equations:
        return None
    settled = settle(powers, equations) if len(powers) > 1 else None
    if settled is not None:
        rest = [power(f, e) for f, e in powers.items() if f not in settled.gone]
        return [settled.value, *rest]
    for base in equations:
        axis, in_conditions = determined(base.index)
        if axis is not None and any(axis in o.axes for o in powers if o is not base):
            mapping = {axis: solve(base.index, axis)}
            others = [o for o in powers if o is not base]
            fixed = () if in_conditions else Bracket
            changed = [o if isinstance(o, fixed) else substitute(o, mapping) for o in others]
            if changed != others:
                return [base, *(power(n, powers[o]) for o, n in zip(others, changed, strict=True))]
    return None


def power(base: Expr, exponent: Number) -> Expr:
    """``base ** exponent`` for a rational exponent.

    Integer powers distribute over products; other powers do not, because ``(x**2)**(1/2)`` is
    ``abs(x)`` and not ``x``.
    """
    if exponent is UNIT or exponent == 1:
        return base
    if not isinstance(exponent, Fraction):
        exponent = Fraction(exponent)
    if not exponent:
        return ONE
    if isinstance(base, Num):
        return power_of_number(base.value, exponent)
    if isinstance(base, Mul):
        return _power_of_product(base, exponent)
    if isinstance(base, (Bracket, Test)) and exponent > 0:
        return base
    if isinstance(base, Ref) and exponent.denominator == 1 and exponent > 0:
        if base.array.domain in ("binary", "onehot"):
            return base
        if base.array.domain == "pm1":
            return base if exponent % 2 else ONE
    if isinstance(base, Fn) and base.name == "exp":
        return fn("exp", mul(Num(exponent), base.args[0]))
    if isinstance(base, Fn) and base.name == "abs" and exponent.denominator == 1:
        if exponent % 2 == 0:
            return power(base.args[0], exponent)
    return Mul(UNIT, ((base, exponent),))


def _power_of_product(base: Mul, exponent: Fraction) -> Expr:
    if exponent.denominator == 1:
        parts = [power(b, e * exponent) for b, e in base.factors]
        return mul(power_of_number(base.coefficient, exponent), *parts)
    if base.coefficient > 0 and base.coefficient != 1:
        rest = product(UNIT, base.factors)
        return mul(power_of_number(base.coefficient, exponent), power(rest, exponent))
    positive = [(b, e) for b, e in base.factors if surely_positive(b)]
    if positive and base.coefficient == 1:
        rest = [(b, e) for b, e in base.factors if not surely_positive(b)]
        parts = [power(b, e * exponent) for b, e in positive]
        return mul(*parts, *([power(product(UNIT, tuple(rest)), exponent)] if rest else []))
    if len(base.factors) == 1 and base.coefficient == 1:
        inner, inner_exponent = base.factors[0]
        if inner_exponent.denominator % 2 == 0 or inner_exponent.numerator % 2:
            return power(inner, inner_exponent * exponent)
        if (inner_exponent * exponent).denominator == 1 and (inner_exponent * exponent) % 2 == 0:
            return power(inner, inner_exponent * exponent)
        absolute = fn("abs", inner)
        return (
            Mul(UNIT, ((absolute, inner_exponent * exponent),))
            if (inner_exponent * exponent != 1)
            else absolute
        )
    return Mul(UNIT, ((base, exponent),))


def fn(name: str, *args: Expr) -> Expr:
    """An elementwise function of the table, folded where the value is exact."""
    (first, *rest) = args
    if name == "pow":
        return power(first, rest[0].value) if isinstance(rest[0], Num) else _general_power(*args)
    if name == "sqrt":
        return power(first, Fraction(1, 2))
    if name == "square":
        return power(first, 2)
    if first is ZERO and not rest:
        value = AT_ZERO.get(name)
        if value is not None:
            return num(value)
    if name == "exp" and isinstance(first, Fn) and first.name == "log":
        return first.args[0]
    if name == "log":
        if first is ONE:
            return ZERO
        if isinstance(first, Fn) and first.name == "exp":
            return first.args[0]
    if name in ("abs", "relu") and surely_positive(first):
        return first
    if name == "abs" and isinstance(first, Num):
        return Num(abs(first.value))
    return Fn(name, args)


def _general_power(base: Expr, exponent: Expr) -> Expr:
    if base is ONE:
        return ONE
    return Fn("pow", (base, exponent))


def where(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """``yes`` where the condition is not 0, else ``no``; deltas of the branches are taken out."""
    if isinstance(condition, Num):
        return yes if condition.value else no
    if yes is no:
        return yes
    (yes_deltas, yes_rest), (no_deltas, no_rest) = _split_brackets(yes), _split_brackets(no)
    if yes_deltas and yes_deltas == no_deltas:
        return mul(*yes_deltas, where(condition, yes_rest, no_rest))
    if yes_deltas or no_deltas:
        first = mul(*yes_deltas, where(condition, yes_rest, ZERO))
        return add(first, mul(*no_deltas, where(condition, ZERO, no_rest)))
    if no is ZERO and isinstance(yes, Num) and isinstance(condition, (Bracket, Test)):
        return mul(yes, condition)
    if yes is ZERO and isinstance(no, Num) and isinstance(condition, Bracket):
        return mul(no, sub(ONE, condition))
    return Where(condition, yes, no)


def _split_brackets(branch: Expr) -> tuple[list[Expr], Expr]:
    """The conditions on indices that a branch is multiplied by, and the rest."""
    if isinstance(branch, Bracket):
        return [branch], ONE
    if not isinstance(branch, Mul):
        return [], branch
    brackets: list[Expr] = [f for f, _ in branch.factors if isinstance(f, Bracket)]
    rest = [power(f, e) for f, e in branch.factors if not isinstance(f, Bracket)]
    return brackets, mul(Num(branch.coefficient), *rest) if brackets else branch


def bind(
    kind: str, axes: Sequence[Axis], body: Expr, at: Sequence[int | Size | Axis | Index]
) -> Expr:
    """A function of the whole slice ``body`` over ``axes``, at the entry ``at``."""
    indices = tuple(Index.of(i) for i in at)
    if kind in ("inv", "det", "logdet") and isinstance(body, Ref):
        if body.at == (Index.of(axes[1]), Index.of(axes[0])):  # inv(A.T) is inv(A).T
            axes, indices = axes[::-1], indices[::-1]
        if body.array.domain == "spd":
            indices = tuple(sorted(indices, key=lambda i: i.key))
    if kind in ("softmax", "max", "min", "argmax") and not any(a in body.axes for a in axes):
        if kind in ("max", "min"):
            return body
        count = mul(*(size_value(a.size) for a in axes))
        return power(count, -1)
    level = body.level + 1
    mapping = {a: Index.of(bound_axis(a.size, level, p)) for p, a in enumerate(axes)}
    closed = substitute(body, mapping)
    bound = tuple(bound_axis(a.size, level, p) for p, a in enumerate(axes))
    return Bind(kind, bound, closed, indices)


def opened(expr: Sum | Bind) -> tuple[tuple[Axis, ...], Expr]:
    """Fresh axes in place of the bound ones, and the body over them."""
    fresh = tuple(Axis(a.size, a.name) for a in expr.bound)
    mapping = {b: Index.of(f) for b, f in zip(expr.bound, fresh, strict=True)}
    return fresh, substitute(expr.body, mapping)


def substitute(expr: Expr, mapping: Mapping[Axis, Index]) -> Expr:
    """The expression with free axes replaced by indices; bound axes are never captured."""
    return _substitute(expr, mapping, {})


def _substitute(expr: Expr, mapping: Mapping[Axis, Index], memo: dict[Expr, Expr]) -> Expr:
    if expr.axes.isdisjoint(mapping):
        return expr
    known = memo.get(expr)
    if known is None:
        spend(1)
        if isinstance(expr, (Sum, Bind)) and only_renames(expr, mapping):
            inner = {a: i for a, i in mapping.items() if a in expr.body.axes}
            body = _substitute(expr.body, inner, {})
            if isinstance(expr, Sum):
                known = Sum(expr.bound, body)
            else:
                known = Bind(
                    expr.kind, expr.bound, body, tuple(i.substitute(mapping) for i in expr.at)
                )
        elif isinstance(expr, (Sum, Bind)):
            fresh = tuple(Axis(a.size, a.name) for a in expr.bound)
            inner = {a: i for a, i in mapping.items() if a in expr.axes}
            inner.update({b: Index.of(f) for b, f in zip(expr.bound, fresh, strict=True)})
            body = _substitute(expr.body, inner, {})
            if isinstance(expr, Sum):
                known = total(fresh, body)
            else:
                known = bind(expr.kind, fresh, body, [i.substitute(mapping) for i in expr.at])
        else:
            known = rebuild(
                expr,
                lambda child: _substitute(child, mapping, memo),
                lambda index: index.substitute(mapping),
            )
        memo[expr] = known
    return known


def rebuild(expr: Expr, child, index) -> Expr:  # type: ignore[no-untyped-def]
    """A node that binds nothing, built again from changed children and indices."""
    match expr:
        case Ref():
            return ref(expr.array, *(index(i) for i in expr.at))
        case Bracket():
            return bracket(expr.relation, index(expr.index))
        case Test():
            return indicator(expr.relation, child(expr.value))
        case Mul():
            return mul(Num(expr.coefficient), *(power(child(b), e) for b, e in expr.factors))
        case Add():
            return add(Num(expr.constant), *(mul(Num(c), child(t)) for t, c in expr.terms))
        case Fn():
            return fn(expr.name, *(child(a) for a in expr.args))
        case Where():
            return where(child(expr.condition), child(expr.yes), child(expr.no))
    return expr


def total(axes: Iterable[Axis], body: Expr) -> Expr:
    """The sum of ``body`` over ``axes``, with deltas eliminated and constants taken out."""
    remaining = list(axes)
    outside: list[Expr] = []
    while True:
        spend(2)
        idle = [a for a in remaining if a not in body.axes]
        if idle:
            outside.extend(size_value(a.size) for a in idle)
            remaining = [a for a in remaining if a in body.axes]
        if not remaining:
            return mul(*outside, body)
        single = [a for a in remaining if a.size == 1]
        if single:
            body = substitute(body, {a: Index.of(0) for a in single})
            remaining = [a for a in remaining if a.size != 1]
            continue
        if isinstance(body, Add):
            if must_split(body, remaining):
                parts = [mul(Num(c), total(remaining, t)) for t, c in body.terms]
                constant = total(remaining, Num(body.constant))
                return mul(*outside, add(constant, *parts))
            if split := split_axis(remaining, body):
                remaining, body = split.axes, substitute(body, split.mapping)
                continue
            fewer = _deviations(remaining, body)
            if fewer is not None:
                return mul(*outside, fewer)
            break
        factors = _factors(body)
        step = _eliminate_delta(remaining, factors)
        if step is not None:
            remaining, body = step
            continue
        if split := split_axis(remaining, body):
            remaining, body = split.axes, substitute(body, split.mapping)
            continue
        free = [f for f in factors if f.axes.isdisjoint(remaining)]
        if free:
            outside.extend(free)
            body = mul(*(f for f in factors if not f.axes.isdisjoint(remaining)))
            continue
        merged = _merge_inner_sums(remaining, factors)
        if merged is not None:
            remaining, body = merged
            continue
        spread = _spread(remaining, factors)
        if spread is not None:
            body = spread
            continue
        break
    return mul(*outside, *_components(remaining, body))


def _deviations(axes: list[Axis], body: Add) -> Expr | None:
    """The sum taken term by term, if that cancels: deviations from their mean sum to 0."""
    if not any(t.axes.isdisjoint(axes) and any(map(_is_sum, _factors(t))) for t, _ in body.terms):
        return None
    parts = [mul(Num(c), total(axes, t)) for t, c in body.terms]
    result = add(total(axes, Num(body.constant)), *parts)
    if isinstance(result, Add):
        shorter = len(result.terms) + bool(result.constant) < len(body.terms) + bool(body.constant)
        return result if shorter else None
    return result


def _is_sum(expr: Expr) -> bool:
    return isinstance(expr, Sum)


def _factors(body: Expr) -> list[Expr]:
    if isinstance(body, Mul):
        parts: list[Expr] = [] if body.coefficient == 1 else [Num(body.coefficient)]
        return parts + [power(b, e) for b, e in body.factors]
    return [body]


def _eliminate_delta(axes: list[Axis], factors: list[Expr]) -> tuple[list[Axis], Expr] | None:
    found = elimination(axes, factors)
    if found is None:
        return None
    others = [substitute(f, {found.axis: found.value}) for f in factors if f is not found.equation]
    return [a for a in axes if a is not found.axis], mul(*found.left, *others)


def _merge_inner_sums(axes: list[Axis], factors: list[Expr]) -> tuple[list[Axis], Expr] | None:
    for position, factor in enumerate(factors):
        if isinstance(factor, Sum) and not factor.axes.isdisjoint(axes):
            fresh, inner = opened(factor)
            if isinstance(inner, Add):
                continue
            others = factors[:position] + factors[position + 1 :]
            return axes + list(fresh), mul(inner, *others)
    return None


def _spread(axes: list[Axis], factors: list[Expr]) -> Expr | None:
    """Multiply out the one factor that holds a delta on a summed axis."""
    for position, factor in enumerate(factors):
        if isinstance(factor, Add) and any(has_delta(t, axes) for t, _ in factor.terms):
            others = factors[:position] + factors[position + 1 :]
            parts = [mul(Num(c), t, *others) for t, c in factor.terms]
            return add(mul(Num(factor.constant), *others), *parts)
    return None


def _components(axes: list[Axis], body: Expr) -> list[Expr]:
    """Independent sums: one for each group of factors that share summed axes."""
    if not isinstance(body, Mul):
        return [_close(axes, body)]
    groups: list[tuple[set[Axis], list[Expr]]] = []
    for factor in _factors(body):
        own = set(factor.axes).intersection(axes)
        members = [factor]
        apart = []
        for group_axes, group in groups:
            if group_axes & own:
                own |= group_axes
                members = group + members
            else:
                apart.append((group_axes, group))
        groups = [*apart, (own, members)]
    if len(groups) == 1:
        return [_close(axes, body)]
    return [
        total([a for a in axes if a in own], mul(*members)) if own else mul(*members)
        for own, members in groups
    ]


def _close(axes: list[Axis], body: Expr) -> Expr:
    known = known_sum(axes, body, _factors(body))
    if known is not None:
        return known
    ordered = canonical_order(axes, body)
    level = body.level + 1
    mapping = {a: bound_axis(a.size, level, p) for p, a in enumerate(ordered)}
    closed = substitute(body, {a: Index.of(b) for a, b in mapping.items()})
    return Sum(tuple(mapping[a] for a in ordered), closed)


def inline(expr: Expr, definitions: Mapping[Array, Tensor]) -> Expr:
    """The expression with named intermediate tensors replaced by what defines them."""
    return _inline(expr, definitions, {})


def _inline(expr: Expr, definitions: Mapping[Array, Tensor], memo: dict[Expr, Expr]) -> Expr:
    known = memo.get(expr)
    if known is not None:
        return known
    if isinstance(expr, Ref):
        tensor = definitions.get(expr.array)
        if tensor is None:
            known = expr
        else:
            mapping = dict(zip(tensor.axes, expr.at, strict=True))
            known = substitute(tensor.body, mapping)
            if known is not expr:
                known = _inline(known, definitions, memo)
    elif isinstance(expr, (Sum, Bind)):
        fresh, body = opened(expr)
        changed = _inline(body, definitions, memo)
        if changed is body:
            known = expr
        elif isinstance(expr, Sum):
            known = total(fresh, changed)
        else:
            known = bind(expr.kind, fresh, changed, expr.at)
    else:
        known = rebuild(expr, lambda c: _inline(c, definitions, memo), lambda i: i)
    memo[expr] = known
    return known
