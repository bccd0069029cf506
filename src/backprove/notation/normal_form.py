"""A canonical form for proofs: products multiplied out, indicators and functions normalised.

Every rewriting here is an identity of real numbers that holds wherever both sides are defined, for
all sizes and all values of the indices. So two expressions with the same normal form are equal;
two different normal forms say nothing. Iverson brackets are strongly zero: ``[P]·x`` is 0 where
``P`` is false, even where ``x`` is undefined (Knuth, "Two notes on notation", 1992).

Beyond what :mod:`backprove.notation.building` does, the normal form

- multiplies out products and small integer powers of sums, and splits sums over sums;
- writes ``[value == 0]`` as ``[value >= 0] - [value > 0]`` and gives values and indices of
  indicators one orientation (``[-v > 0] = 1 - [v >= 0]``), all of which is exact at kinks too;
- writes ``relu``, ``abs``, ``sign``, ``maximum`` and ``minimum`` with indicators;
- replaces ``sin²`` by ``1 - cos²`` and uses the symmetry of odd and even functions;
- moves what does not depend on the slice out of ``softmax``, ``logsumexp``, ``max`` and ``min``.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction

from backprove import functions
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, stable_hash
from backprove.notation.expressions import (
    ONE,
    ZERO,
    Add,
    Bind,
    Bracket,
    Expr,
    Fn,
    Mul,
    Num,
    Ref,
    Sum,
    Test,
    Where,
)

TERMS = 2000
_GREATEST_POWER = 8
_ROUNDS = 4

Colours = Mapping[Axis, int]
"""What decides the orientation of a value: a number for each axis that has one."""
NO_COLOURS: Colours = {}


class _TooLarge(Exception):
    """The expansion has more terms than the budget allows."""


def normal_form(expr: Expr, budget: int = TERMS) -> Expr | None:
    """The expression multiplied out, with indicators and functions in one form.

    Args:
        expr: any expression.
        budget: the greatest number of terms that all expansions together may make.

    Returns:
        An expression that equals ``expr`` wherever both are defined, at all sizes; None if the
        budget is exhausted.

    >>> from backprove.notation import declare, lower
    >>> symbols = declare({"x": "", "y": ""})
    >>> first, second = (lower(t, symbols).tensor().body for t in ("(x + y)**2", "x*x + y*y"))
    >>> normal_form(b.sub(first, second))
    (2·x·y)
    """
    work = _Normaliser(budget)
    work.colours.update({a: a.key for a in expr.axes})
    try:
        for _ in range(_ROUNDS):
            result = work.normal(expr)
            if result is expr:
                break
            expr = result
    except _TooLarge:
        return None
    return expr


class _Normaliser:
    """One normalisation, with what it has done already and what it may still spend."""

    def __init__(self, budget: int) -> None:
        self.left = budget
        self.memo: dict[Expr, Expr] = {}
        self.depth = 0
        self.colours: dict[Axis, int] = {}

    def opened(self, expr: Sum | Bind) -> tuple[tuple[Axis, ...], Expr]:
        """Fresh axes, coloured by depth and size, and the normal form of the body over them."""
        fresh, body = b.opened(expr)
        self.depth += 1
        for axis in fresh:
            self.colours[axis] = stable_hash("fresh", self.depth, hash(axis.size))
        try:
            return fresh, self.normal(body)
        finally:
            self.depth -= 1

    def normal(self, expr: Expr) -> Expr:
        known = self.memo.get(expr)
        if known is None:
            known = self.memo[expr] = self._compute(expr)
        return known

    def _compute(self, expr: Expr) -> Expr:
        match expr:
            case Bracket():
                return oriented_bracket(expr, self.colours)
            case Test():
                return indicator_of(expr.relation, self.normal(expr.value), self.colours)
            case Add():
                terms = [b.mul(Num(c), self.normal(t)) for t, c in expr.terms]
                return b.add(Num(expr.constant), *terms)
            case Mul():
                return self._product(expr)
            case Sum():
                return self._sum(expr)
            case Fn():
                return self._function(expr)
            case Where():
                return self._where(expr)
            case Bind():
                return self._bind(expr)
        return expr

    # --- products -----------------------------------------------------------------------------

    def _product(self, expr: Mul) -> Expr:
        powers: dict[Expr, Fraction] = {}
        coefficient = expr.coefficient
        for base, exponent in expr.factors:
            scale, core = split_content(self.normal(base), exponent, self.colours)
            coefficient *= scale
            powers[core] = powers.get(core, Fraction(0)) + exponent
        factors = [p for core, e in powers.items() for p in self._factor(core, e)]
        return scaled(coefficient, self._expand(factors))

    def _factor(self, base: Expr, exponent: Fraction) -> list[Expr]:
        """Factors whose product is ``base ** exponent``."""
        if isinstance(base, Num):
            return [power_of_number(base.value, exponent)]
        whole = exponent.denominator == 1
        if isinstance(base, Add) and whole and 1 < exponent <= _GREATEST_POWER:
            return [base] * int(exponent)
        if isinstance(base, Fn) and base.name == "sin" and whole and exponent >= 2:
            square = b.sub(ONE, b.power(b.fn("cos", *base.args), 2))
            rest = [base] if exponent % 2 else []
            return [square] * int(exponent // 2) + rest
        return [b.power(base, exponent)]

    def _expand(self, factors: Sequence[Expr]) -> Expr:
        """The product of factors, sums multiplied out."""
        result = ONE
        for factor in factors:
            left, right = _summands(result), _summands(factor)
            if len(left) == len(right) == 1:
                result = _merge_indicators(b.mul(result, factor))
                continue
            self.spend(len(left) * len(right))
            pairs = itertools.product(left, right)
            result = b.add(*(_merge_indicators(b.mul(x, y)) for x, y in pairs))
        return result

    def spend(self, terms: int) -> None:
        """Count terms against the budget."""
        self.left -= terms
        if self.left < 0:
            raise _TooLarge

    # --- sums and slices ----------------------------------------------------------------------

    def _sum(self, expr: Sum) -> Expr:
        fresh, body = self.opened(expr)
        parts = _summands(body)
        self.spend(len(parts))
        return b.add(*(b.total(fresh, part) for part in parts))

    def _bind(self, expr: Bind) -> Expr:
        fresh, body = self.opened(expr)
        if expr.kind == "min":
            opposite = b.bind("max", fresh, self.normal(scaled(-1, body)), ())
            return scaled(-1, self.normal(opposite))
        shift = ZERO
        if expr.kind in ("softmax", "argmax", "logsumexp", "max"):
            parts = _summands(body)
            idle = [p for p in parts if p.axes.isdisjoint(fresh)]
            if 0 < len(idle) < len(parts):
                shift = b.add(*idle)
                body = b.sub(body, shift)
        core = b.bind(expr.kind, fresh, body, expr.at)
        return b.add(core, shift) if expr.kind in ("logsumexp", "max") else core

    # --- functions and selections -------------------------------------------------------------

    def _function(self, expr: Fn) -> Expr:
        args = [self.normal(a) for a in expr.args]
        with_indicators = piecewise(expr.name, args, self.colours)
        if with_indicators is not None:
            return self.normal(with_indicators)
        if len(args) == 1 and leading_sign(args[0], self.colours) < 0:
            mirrored = _mirrored(expr.name, b.fn(expr.name, self.normal(scaled(-1, args[0]))))
            if mirrored is not None:
                return mirrored
        return b.fn(expr.name, *args)

    def _where(self, expr: Where) -> Expr:
        condition, yes, no = (self.normal(e) for e in (expr.condition, expr.yes, expr.no))
        if is_indicator(expr.condition) and surely_defined(yes) and surely_defined(no):
            chosen = self._expand([condition, b.sub(yes, no)])
            return b.add(no, chosen)
        return b.where(condition, yes, no)


def _summands(expr: Expr) -> list[Expr]:
    """The terms of a sum with their coefficients, the constant last."""
    if not isinstance(expr, Add):
        return [expr]
    terms = [b.mul(Num(c), t) for t, c in expr.terms]
    return [*terms, Num(expr.constant)] if expr.constant else terms


def scaled(factor: int | Fraction, expr: Expr) -> Expr:
    """``factor * expr``, multiplied out if ``expr`` is a sum."""
    return b.add(b.mul(b.num(factor), expr))


def split_content(
    expr: Expr, exponent: Fraction, colours: Colours = NO_COLOURS
) -> tuple[Fraction, Expr]:
    """``(scale, core)`` with ``expr**exponent = scale * core**exponent``; the core leads with ±1.

    The sign moves out too where the exponent is an integer.
    """
    if not isinstance(expr, Add) or not expr.terms:
        return Fraction(1), expr
    whole = exponent.denominator == 1
    if whole and 0 < exponent <= _GREATEST_POWER:
        return Fraction(1), expr
    scale = lead(expr, colours) if whole else abs(lead(expr, colours))
    power = b.power(Num(scale), exponent)
    if scale == 1 or not isinstance(power, Num):
        return Fraction(1), expr
    return power.value, scaled(1 / scale, expr)


def power_of_number(value: Fraction, exponent: Fraction) -> Expr:
    """A power of a number as a rational times roots of primes: ``8**(1/2) = 2·2**(1/2)``."""
    if exponent.denominator == 1 or value <= 0:
        return b.power(Num(value), exponent)
    parts = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, count in factorised(number):
            parts[prime] = parts.get(prime, 0) + sign * count
    result: list[Expr] = []
    for prime, count in parts.items():
        total = exponent * count
        whole = total.numerator // total.denominator
        result.append(b.power(Num(Fraction(prime)), whole))
        if total != whole:
            result.append(Mul(Fraction(1), ((Num(Fraction(prime)), total - whole),)))
    return b.mul(*result)


def factorised(number: int, limit: int = 1000) -> list[tuple[int, int]]:
    """Factors up to ``limit`` with their multiplicities; what remains is the last factor."""
    found = []
    for prime in range(2, limit):
        if prime * prime > number:
            break
        count = 0
        while number % prime == 0:
            number //= prime
            count += 1
        if count:
            found.append((prime, count))
    return [*found, (number, 1)] if number > 1 else found


# --- indicators -------------------------------------------------------------------------------


def oriented_bracket(expr: Bracket, colours: Colours = NO_COLOURS) -> Expr:
    """``[index <= 0]`` with a positive leading coefficient: ``[-i <= 0] = 1 - [i + 1 <= 0]``."""
    if expr.relation != "<=" or not expr.index.terms:
        return expr
    atoms = {Bracket("==", Index({a: Size.of(1)}, Size.of(0))): c for a, c in expr.index.terms}
    first = min(atoms, key=lambda atom: _shape_key(atom, colours))
    if atoms[first].surely_nonnegative():
        return expr
    return b.sub(ONE, b.bracket("<=", Index.of(1) - expr.index))


def indicator_of(relation: str, value: Expr, colours: Colours = NO_COLOURS) -> Expr:
    """``[value > 0]`` (``>=``, ``==``) by the indicators ``>`` and ``>=`` of one orientation."""
    if relation == "==":
        return b.sub(*(indicator_of(r, value, colours) for r in (">=", ">")))
    if isinstance(value, Num):
        return b.indicator(relation, value)
    scale = lead(value, colours)
    value = scaled(1 / abs(scale), value)
    if b.surely_positive(value):
        return ONE
    if scale > 0:
        return b.indicator(relation, value)
    opposite = scaled(-1, value)
    if b.surely_positive(opposite):
        return ZERO
    return b.sub(ONE, b.indicator(">=" if relation == ">" else ">", opposite))


def lead(value: Expr, colours: Colours = NO_COLOURS) -> Fraction:
    """The coefficient by which a value is scaled and oriented; never 0.

    It depends on the colours of axes alone: terms that differ in axes of one colour count together.
    """
    if isinstance(value, Num):
        return value.value or Fraction(1)
    if not isinstance(value, Add):
        return value.coefficient if isinstance(value, Mul) else Fraction(1)
    groups: dict[int, Fraction] = {}
    for term, coefficient in value.terms:
        shape = _shape_key(term, colours)
        groups[shape] = groups.get(shape, Fraction(0)) + coefficient
    for _, coefficient in sorted(groups.items()):
        if coefficient:
            return coefficient
    return value.terms[0][1]


def _shape_key(expr: Expr, colours: Colours) -> int:
    """A structural hash in which free axes count by their colour, or else by their size."""
    every = {a: colours.get(a) or stable_hash("size", hash(a.size)) for a in expr.axes}
    return b.coloured_hash(expr, every, {})


def leading_sign(value: Expr, colours: Colours = NO_COLOURS) -> int:
    """The sign of :func:`lead`."""
    return -1 if lead(value, colours) < 0 else 1


def _merge_indicators(product: Expr) -> Expr:
    """``[v > 0]·[v >= 0] = [v > 0]``."""
    if not isinstance(product, Mul):
        return product
    strict = {f.value for f, _ in product.factors if isinstance(f, Test) and f.relation == ">"}
    if not strict:
        return product
    kept = [
        b.power(f, e)
        for f, e in product.factors
        if not (isinstance(f, Test) and f.relation == ">=" and f.value in strict)
    ]
    return product if len(kept) == len(product.factors) else b.mul(Num(product.coefficient), *kept)


def is_indicator(expr: Expr) -> bool:
    """True if the value is 0 or 1 by its form."""
    match expr:
        case Num():
            return expr.value in (0, 1)
        case Bracket() | Test():
            return True
        case Ref():
            return expr.array.domain in ("binary", "onehot")
        case Mul():
            return expr.coefficient == 1 and all(e > 0 and is_indicator(f) for f, e in expr.factors)
        case Add():
            (term, coefficient), *others = expr.terms
            return expr.constant == 1 and coefficient == -1 and not others and is_indicator(term)
    return False


def piecewise(name: str, args: Sequence[Expr], colours: Colours = NO_COLOURS) -> Expr | None:
    """``relu``, ``abs``, ``sign``, ``maximum``, ``minimum`` with indicators, exact at the kinks.

    Values in indicators get one orientation: ``relu(-v) = relu(v) - v``, ``abs(-v) = abs(v)``.
    """
    first = args[0]
    if name in ("relu", "abs"):
        size = scaled(-1, first) if leading_sign(first, colours) < 0 else first
        ramp = b.mul(size, b.indicator(">", size))
        if name == "abs":
            return b.sub(b.mul(Num(Fraction(2)), ramp), size)
        return ramp if size is first else b.add(ramp, first)
    if name == "sign":
        return b.sub(b.indicator(">", first), b.indicator(">", scaled(-1, first)))
    if name in ("maximum", "minimum"):
        low, high = args
        if leading_sign(b.sub(high, low), colours) < 0:
            low, high = high, low
        gain = b.sub(high, low)
        gained = b.mul(gain, b.indicator(">", gain))
        return b.add(low, gained) if name == "maximum" else b.sub(high, gained)
    return None


def _mirrored(name: str, opposite: Expr) -> Expr | None:
    """``f(x)`` from ``f(-x)`` for odd and even functions and the sigmoid."""
    if name == "sigmoid":
        return b.sub(ONE, opposite)
    if name not in functions.ELEMENTWISE:
        return None
    symmetry = functions.lookup(name).symmetry
    if symmetry == "odd":
        return scaled(-1, opposite)
    return opposite if symmetry == "even" else None


def surely_defined(expr: Expr) -> bool:
    """True if the value is a finite number for all real inputs, by its form."""
    match expr:
        case Mul():
            for base, exponent in expr.factors:
                plain = exponent.denominator == 1 and exponent > 0
                if not (plain or b.surely_positive(base)):
                    return False
        case Fn():
            if expr.name not in functions.ELEMENTWISE:
                return False
            record = functions.lookup(expr.name)
            if record.domain != functions.Interval() or record.excluded:
                return False
        case Bind():
            if expr.kind in ("inv", "logdet"):
                return False
    return all(surely_defined(c) for c in expr.children())
