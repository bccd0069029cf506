"""The value of an expression at one random point of a chain of finite fields.

See :mod:`backprove.notation.exact_field` for what such values prove, and why. A value has one
residue for each prime of a chain (a *level*); it is computed only at the levels that are asked
for. ``exp`` at a level needs its argument one level below.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from random import Random

from backprove.notation.axes import Axis, Floor, Index
from backprove.notation.building import size_of_name, surely_positive
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
    Test,
    Where,
)
from backprove.notation.normal_form import is_indicator
from backprove.notation.prime_chains import (
    Undefined,
    determinant,
    inverse,
    matrix_inverse,
    square_root,
)
from backprove.notation.zero_sets import is_rational, nonzero_almost_everywhere

Position = Mapping[Axis, int]


_SQUARES = ("positive", "unit")


class OutOfReach(Exception):
    """The value needs more primes, more steps or more cases than there are."""


class OutsideArray(Exception):
    """An entry outside of an array is asked for, and nothing guards it: the sizes do not fit."""


class FieldPoint:
    """A random point, and the values of expressions there.

    Args:
        chain: primes, the greatest first.
        seed: of the random numbers.
        sizes: the value of every named size; None for a *generic entry*: sizes and free indices
            stay symbolic, and sums and other functions of slices are uninterpreted.
        steps: how many values may be computed.
        strict: whether entries outside of an array are refused instead of cut to its edge.

    Attributes:
        almost_everywhere: whether a value used that zeros of some value form a null set.
        taken: the cases chosen in this run, in the order in which they came up.
        roots: the number of square roots among them.
    """

    def __init__(
        self,
        chain: Sequence[int],
        seed: int,
        sizes: Mapping[str, int] | None,
        steps: int,
        *,
        strict: bool = False,
    ) -> None:
        self.chain = chain
        self.strict = strict
        self.sizes = sizes
        self.steps = steps
        self.almost_everywhere = False
        self.taken: list[int] = []
        self.roots = 0
        self._prefix: Sequence[int] = ()
        self._random = Random(seed)
        self._bases = [pow(self._random.randrange(2, p - 1), 2, p) for p in chain]
        self._oracle: dict[tuple[object, ...], int] = {}
        self._cases: dict[tuple[object, ...], int] = {}
        self._seen_signs: dict[int, tuple[str, bool]] = {}
        self._fixed: dict[tuple[object, ...], int] = {}
        self._run: dict[tuple[object, ...], int] = {}
        self._axes: dict[Expr, tuple[Axis, ...]] = {}
        self._branching: dict[Expr, bool] = {}

    @property
    def queries(self) -> int:
        """How many random values have been drawn."""
        return len(self._oracle) + len(self._cases)

    def start(self, prefix: Sequence[int]) -> None:
        """Begin a run in which the first cases are those of ``prefix``, all others 0."""
        self._prefix = prefix
        self.taken = []
        self.roots = 0
        self._cases = {}
        self._run = {}

    # --- random choices -----------------------------------------------------------------------

    def _draw(self, level: int, *key: object) -> int:
        """A random residue, the same for the same key."""
        known = self._oracle.get((level, *key))
        if known is None:
            known = self._oracle[level, *key] = self._random.randrange(2, self.chain[level])
        return known

    def _case(self, *key: object) -> int:
        """0 or 1, the same for the same key within a run."""
        known = self._cases.get(key)
        if known is None:
            place = len(self.taken)
            known = self._prefix[place] if place < len(self._prefix) else 0
            self.taken.append(known)
            self._cases[key] = known
        return known

    def _indicator(self, expr: Expr, level: int, *key: object) -> int:
        """An unknown indicator: each case in turn, or inside a symbolic sum any residue."""
        if self._inside_symbolic_sum(expr):
            return self._draw(level, *key)
        return self._case(*key)

    def _inside_symbolic_sum(self, expr: Expr) -> bool:
        return self.sizes is None and any(a.bound for a in expr.axes)

    # --- values -------------------------------------------------------------------------------

    def value(self, expr: Expr, level: int, at: Position) -> int:
        """The residue of ``expr`` at a level, where its free axes have the values ``at``.

        Raises:
            Undefined: a division by zero, or a number without square root.
            OutOfReach: too many steps, or exponentials nested too deep.
        """
        axes = self._axes.get(expr)
        if axes is None:
            axes = self._axes[expr] = () if self.sizes is None else tuple(expr.axes)
        memo = self._run if self._branches(expr) else self._fixed
        key = (expr, level, *(at[a] for a in axes))
        known = memo.get(key)
        if known is None:
            if level >= len(self.chain):
                raise OutOfReach("exponentials are nested too deep")
            self.steps -= 1
            if self.steps < 0:
                raise OutOfReach("the expression has too many values")
            known = memo[key] = _RULES[type(expr)](self, expr, level, at) % self.chain[level]
        return known

    def _branches(self, expr: Expr) -> bool:
        known = self._branching.get(expr)
        if known is None:
            own = isinstance(expr, (Test, Where)) or (
                isinstance(expr, Mul) and any(e.denominator != 1 for _, e in expr.factors)
            )
            known = own or any(self._branches(c) for c in expr.children())
            self._branching[expr] = known
        return known

    def _number(self, value: Fraction, level: int) -> int:
        prime = self.chain[level]
        if value and value.numerator % prime == 0:
            raise Undefined
        return value.numerator * inverse(value.denominator, prime)

    def _num(self, expr: Num, level: int, at: Position) -> int:
        return self._number(expr.value, level)

    def _named(self, expr: Named, level: int, at: Position) -> int:
        if expr.kind == "size" and self.sizes is not None:
            return size_of_name(expr.name).at(self.sizes)
        return self._draw(level, "named", expr.kind, expr.name) ** 2

    def _index(self, index: Index, at: Position) -> int:
        assert self.sizes is not None
        total = index.offset.at(self.sizes)
        for atom, coefficient in index.terms:
            if isinstance(atom, Floor):
                value = self._index(atom.index, at) // atom.divisor.at(self.sizes)
            else:
                value = at[atom]
            total += coefficient.at(self.sizes) * value
        return total

    def _ref(self, expr: Ref, level: int, at: Position) -> int:
        array = expr.array
        if self.sizes is None:
            entry = self._draw(level, "entry", array, expr.at)
            return entry**2 if array.domain in _SQUARES else entry
        shape = [s.at(self.sizes) for s in array.shape]
        asked = [self._index(i, at) for i in expr.at]
        # Positions outside are cut to the edge, as in evaluation.
        place = tuple(min(max(k, 0), n - 1) for k, n in zip(asked, shape, strict=True))
        if self.strict and place != tuple(asked):
            raise OutsideArray
        if array.domain in ("symmetric", "spd"):
            place = tuple(sorted(place))
        if array.domain in ("prob", "sum1", "onehot"):
            return self._simplex(expr, level, place, shape[-1])
        entry = self._draw(level, "entry", array, place)
        return entry**2 if array.domain in _SQUARES else entry

    def _simplex(self, expr: Ref, level: int, place: tuple[int, ...], size: int) -> int:
        """Rows that sum to 1."""
        row = place[:-1]
        if place[-1] < size - 1:
            return self._draw(level, "entry", expr.array, place)
        others = (self._draw(level, "entry", expr.array, (*row, k)) for k in range(size - 1))
        return 1 - sum(others)

    def _bracket(self, expr: Bracket, level: int, at: Position) -> int:
        if self.sizes is None:
            return self._draw(level, "bracket", expr)
        value = self._index(expr.index, at)
        return int(value == 0 if expr.relation == "==" else value <= 0)

    def _add(self, expr: Add, level: int, at: Position) -> int:
        total = self._number(expr.constant, level)
        for term, coefficient in expr.terms:
            total += self._number(coefficient, level) * self.value(term, level, at)
        return total

    def _mul(self, expr: Mul, level: int, at: Position) -> int:
        prime = self.chain[level]
        if self.sizes is not None:
            for base, _ in expr.factors:
                if isinstance(base, Bracket) and not self._bracket(base, level, at):
                    return 0
        result = self._number(expr.coefficient, level)
        for base, exponent in expr.factors:
            result = result * self._power(base, exponent, level, at) % prime
        return result

    def _sum(self, expr: Sum, level: int, at: Position) -> int:
        if self.sizes is None:
            body = self.value(expr.body, 0, at)
            sizes = tuple(a.size for a in expr.bound)
            return self._draw(level, "sum", sizes, body) if body else 0
        prime = self.chain[level]
        total = 0
        for place in self._positions(expr.bound, at):
            total += self.value(expr.body, level, place)
        return total % prime

    def _positions(self, axes: Sequence[Axis], at: Position) -> list[dict[Axis, int]]:
        assert self.sizes is not None
        ranges = [range(a.size.at(self.sizes)) for a in axes]
        return [{**at, **dict(zip(axes, p, strict=True))} for p in itertools.product(*ranges)]

    # --- powers -------------------------------------------------------------------------------

    def _power(self, base: Expr, exponent: Fraction, level: int, at: Position) -> int:
        prime = self.chain[level]
        value = self.value(base, level, at)
        if exponent.denominator != 1:
            value = self._root(base, value, exponent.denominator, level, at)
        if exponent < 0:
            value = inverse(value, prime)
        return pow(value, abs(exponent.numerator), prime)

    def _root(self, base: Expr, value: int, degree: int, level: int, at: Position) -> int:
        if value in (0, 1):
            return value
        if degree != 2 or self._inside_symbolic_sum(base):
            return self._draw(level, "root", degree, self.value(base, 0, at))
        root = square_root(value, self.chain[level])
        if isinstance(base, (Num, Named, Ref)) and surely_positive(base):
            # Both signs give the same identities: exchanging them is an automorphism.
            return root
        self.roots += ("root", level, value) not in self._cases
        return -root if self._case("root", level, value) else root

    # --- functions ----------------------------------------------------------------------------

    def _function(self, expr: Fn, level: int, at: Position) -> int:
        prime = self.chain[0]
        if expr.name == "exp":
            power = self.value(expr.args[0], level + 1, at)
            return pow(self._bases[level], power, self.chain[level])
        args = [self.value(a, 0, at) for a in expr.args]
        (value, *others) = args
        if others:
            return self._draw(level, "function", expr.name, *args)
        if expr.name == "log":
            return self._logarithm("log", value, inverse(value, prime), level)
        mirrored = prime - value if value else 0
        sign = 1 if value <= mirrored else -1
        if expr.name in ("sin", "cos"):
            t = self._draw(level, "half angle", min(value, mirrored)) if value else 0
            scale = inverse(1 + t * t, self.chain[level])
            return (1 - t * t) * scale if expr.name == "cos" else sign * 2 * t * scale
        if expr.name in ("arctan", "erf"):
            core = self._draw(level, expr.name, min(value, mirrored)) if value else 0
            return sign * core
        return self._draw(level, "function", expr.name, value)

    def _logarithm(self, name: str, value: int, reciprocal: int, level: int) -> int:
        """A random value with ``log(1/v) = -log(v)``."""
        if value == 1:
            return 0
        if value == reciprocal:
            raise Undefined
        core = self._draw(level, name, min(value, reciprocal))
        return core if value < reciprocal else -core

    # --- indicators and selections ------------------------------------------------------------

    def _test(self, expr: Test, level: int, at: Position) -> int:
        value = self.value(expr.value, 0, at)
        if value == 0:
            return int(expr.relation != ">")
        if not self._zeros_are_null(expr.value):
            return self._indicator(expr, level, expr.relation, value)
        if expr.relation == "==":
            self.almost_everywhere = True
            return 0
        opposite = self.chain[0] - value
        canonical = min(value, opposite)
        seen = self._seen_signs.setdefault(canonical, (expr.relation, value == canonical))
        if seen != (expr.relation, value == canonical):
            self.almost_everywhere = True
        bit = self._indicator(expr, level, "sign", canonical)
        return bit if value == canonical else 1 - bit

    def _zeros_are_null(self, expr: Expr) -> bool:
        if nonzero_almost_everywhere(expr):
            return True
        return self.sizes is not None and is_rational(expr, indicators=True)

    def _where(self, expr: Where, level: int, at: Position) -> int:
        condition = expr.condition
        if is_indicator(condition):
            chosen = self.value(condition, level, at)
        else:
            value = self.value(condition, 0, at)
            if value == 0:
                chosen = 0
            elif self._zeros_are_null(condition):
                self.almost_everywhere = True
                chosen = 1
            else:
                chosen = self._indicator(condition, level, "chosen", value)
        if chosen == 1:
            return self.value(expr.yes, level, at)
        no = self.value(expr.no, level, at)
        if chosen == 0:
            return no
        return no + chosen * (self.value(expr.yes, level, at) - no)

    # --- slices -------------------------------------------------------------------------------

    def _slice(self, expr: Bind, level: int, at: Position) -> int:
        if self.sizes is None:
            body = self.value(expr.body, 0, at)
            sizes = tuple(a.size for a in expr.bound)
            return self._draw(level, expr.kind, sizes, body, expr.at)
        places = self._positions(expr.bound, at)
        if expr.kind == "prod":
            result = 1
            for place in places:
                result = result * self.value(expr.body, level, place) % self.chain[level]
            return result
        if expr.kind in ("max", "min", "argmax"):
            return self._extreme(expr, places, level, at)
        if expr.kind == "logdet":
            return self._log_size(determinant(self._matrix(expr, places, 0), self.chain[0]), level)
        matrix = self._matrix(expr, places, level)
        if expr.kind == "det":
            return determinant(matrix, self.chain[level])
        if expr.kind == "inv":
            row, column = (self._index(i, at) for i in expr.at)
            return matrix_inverse(matrix, self.chain[level])[row][column]
        raise OutOfReach(f"'{expr.kind}' has no exact value")

    def _log_size(self, value: int, level: int) -> int:
        """A random value for ``log(abs(v))``, the same for ``-v``."""
        prime = self.chain[0]
        size, reciprocal = (min(v, prime - v) for v in (value, inverse(value, prime)))
        return self._logarithm("log of size", size, reciprocal, level)

    def _matrix(self, expr: Bind, places: Sequence[Position], level: int) -> list[list[int]]:
        size = round(len(places) ** 0.5)
        self.steps -= size**3
        entries = [self.value(expr.body, level, p) for p in places]
        return [entries[k : k + size] for k in range(0, len(entries), size)]

    def _extreme(self, expr: Bind, places: Sequence[Position], level: int, at: Position) -> int:
        """An uninterpreted symmetric function of the entries."""
        values = [self.value(expr.body, 0, p) for p in places]
        if expr.kind != "argmax":
            if len(set(values)) == 1:
                return self.value(expr.body, level, places[0])
            sign = 1 if expr.kind == "max" else -1
            ordered = tuple(sorted(sign * v % self.chain[0] for v in values))
            return sign * self._draw(level, "max", ordered)
        ordered = tuple(sorted(values))
        assert self.sizes is not None
        own = {a: self._index(i, at) for a, i in zip(expr.bound, expr.at, strict=True)}
        if len(set(values)) == 1:
            return inverse(len(values), self.chain[level])
        return self._draw(level, "argmax", ordered, self.value(expr.body, 0, {**at, **own}))


_Rule = Callable[[FieldPoint, Expr, int, Position], int]
_RULES: dict[type[Expr], _Rule] = {
    Num: FieldPoint._num,
    Named: FieldPoint._named,
    Ref: FieldPoint._ref,
    Bracket: FieldPoint._bracket,
    Test: FieldPoint._test,
    Mul: FieldPoint._mul,
    Add: FieldPoint._add,
    Sum: FieldPoint._sum,
    Fn: FieldPoint._function,
    Where: FieldPoint._where,
    Bind: FieldPoint._slice,
}  # type: ignore[dict-item]
