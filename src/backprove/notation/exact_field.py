"""Exact evaluation of expressions at random points of finite fields, to prove that they are 0.

An expression is first written with ``exp``, ``log`` and a few other functions
(:mod:`backprove.notation.exponential_form`). It is then evaluated modulo chains of primes of more
than 100 bits (:mod:`backprove.notation.prime_chains`), with random residues for its inputs. If it
is 0 there, it is 0 as a formal expression, except with a small probability, and so it is 0 for all
real inputs where it is defined.

Why this is sound. Each rule of the evaluation holds for the real functions as well:

- Rational operations are those of the field. A rational function of degree ``D`` that is not 0
  vanishes at a random point with probability at most ``D/p`` (Schwartz, J. ACM 27, 1980; Zippel,
  EUROSAM 1979). An input with a domain is drawn from a set that is dense in that domain or
  contains it: squares for positive entries, rows that sum to 1, symmetric matrices.
- ``exp(a)`` is ``g**a`` with ``a`` taken one level further down the chain, so that ``exp`` turns
  sums into products and nothing else is known about it (Martin, J. ACM 18, 1971; Gonnet, STOC 1984
  and SYMSAC 1986). For exponents that are linear in independent inputs the degree bound covers
  this as well; for others we share Gonnet's assumption that distinct exponential sums agree at a
  random point no more often than random numbers do.
- Functions without a rule (``log``, ``erf``, ``arctan``, ``max``) give random values that depend
  on the value of the argument alone. Equal arguments give equal values, which is all that is
  used, besides ``log(1/v) = -log(v)``, the symmetry of odd functions, and ``sin² + cos² = 1``.
- A square root is a true root, and *every* choice of signs must give 0. The signs of the real
  roots are one of these choices, so ``sqrt(x**2)`` is never taken for ``x``.
- An indicator of a value is an unknown bit that depends on the value alone, and *every*
  assignment of bits must give 0. Where the value is 0 only on a null set
  (:mod:`backprove.notation.zero_sets`), ``[v >= 0]`` and ``1 - [-v > 0]`` share the bit of
  ``[v > 0]``, and ``[v == 0]`` is 0; a proof that uses this says *almost everywhere*.
- A *generic entry* leaves sizes and indices symbolic. A sum is then a random value that depends on
  the value of its body alone, and indicators inside it are random residues instead of bits,
  because they may differ from term to term. What holds for a generic entry holds at all sizes.

A value other than 0 refutes the expression only if it is a rational function of free inputs;
otherwise an identity that the evaluation does not know may be missing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backprove.notation.axes import Axis
from backprove.notation.exponential_form import exponential_form
from backprove.notation.expressions import ZERO, Expr
from backprove.notation.field_degrees import degree_bound
from backprove.notation.field_values import FieldPoint, OutOfReach, OutsideArray
from backprove.notation.prime_chains import CHAINS, NoRoot, Undefined
from backprove.notation.zero_sets import is_rational

POINTS = 2
STEPS = 300_000
_CASES = 512
_TRIES_FOR_ROOTS = 200
_TRIES = 4
_LEAST_ERROR = 1e-18
_GREATEST_ERROR = 1e-9


@dataclass(frozen=True)
class FieldVerdict:
    """Whether an expression vanishes at random points.

    Attributes:
        status: ``zero``, ``nonzero`` or ``undecided``.
        certain: for ``nonzero``, whether that proves that the expression is not 0 everywhere.
        almost_everywhere: for ``zero``, whether a null set of inputs may be excepted.
        error_probability: for ``zero``, a bound for the probability of a wrong verdict.
        reason: for ``undecided``, what stood in the way.
    """

    status: str
    certain: bool = False
    almost_everywhere: bool = False
    error_probability: float = 0.0
    reason: str = ""


def vanishes(
    expr: Expr,
    axes: Sequence[Axis],
    sizes: Mapping[str, int] | None = None,
    *,
    seed: int = 0,
    strict: bool = False,
) -> FieldVerdict:
    """Whether an expression is 0, by exact evaluation at random points.

    Args:
        expr: the expression.
        axes: its free axes.
        sizes: the value of every named size; None to prove it for all sizes at once.
        seed: of the random points.
        strict: whether to refuse sizes at which an entry outside of an array is used.

    Returns:
        The verdict; every entry over ``axes`` was evaluated.

    Raises:
        OutsideArray: ``strict`` is set and the sizes do not fit the expression.

    >>> from backprove.notation import declare, lower
    >>> body = lower("tanh(x) - 2*sigmoid(2*x) + 1", declare({"x": "n"})).tensor()
    >>> vanishes(body.body, body.axes).status
    'zero'
    """
    try:
        expr = exponential_form(expr)
        if expr is ZERO:
            return FieldVerdict("zero")
        return _search(expr, axes, sizes, seed, strict)
    except OutOfReach as error:
        return FieldVerdict("undecided", reason=str(error))
    except RecursionError:
        return FieldVerdict("undecided", reason="the expression is nested too deep")


def _search(
    expr: Expr,
    axes: Sequence[Axis],
    sizes: Mapping[str, int] | None,
    seed: int,
    strict: bool,
) -> FieldVerdict:
    positions = _positions(axes, sizes)
    degree = degree_bound(expr, sizes)
    error = 1.0
    almost_everywhere = False
    for number in range(POINTS):
        chain = CHAINS[(seed + number) % len(CHAINS)]
        search = _Search(expr, sizes, chain, 1000 * seed + number, strict)
        for position in positions:
            if not search.zero_at(position):
                free = sizes is not None and is_rational(expr, indicators=False)
                return FieldVerdict("nonzero", certain=free)
        error *= search.error(degree)
        almost_everywhere |= search.almost_everywhere
    if error > _GREATEST_ERROR:
        raise OutOfReach("the degrees are too high for the primes")
    return FieldVerdict(
        "zero", almost_everywhere=almost_everywhere, error_probability=max(error, _LEAST_ERROR)
    )


def _positions(axes: Sequence[Axis], sizes: Mapping[str, int] | None) -> list[dict[Axis, int]]:
    if sizes is None:
        return [{}]
    ranges = [range(a.size.at(sizes)) for a in axes]
    return [dict(zip(axes, place, strict=True)) for place in itertools.product(*ranges)]


class _Search:
    """One chain of primes; the point is drawn again where the expression is not defined."""

    def __init__(
        self,
        expr: Expr,
        sizes: Mapping[str, int] | None,
        chain: Sequence[int],
        seed: int,
        strict: bool,
    ) -> None:
        self.expr = expr
        self.strict = strict
        self.sizes = sizes
        self.chain = chain
        self.seed = seed
        self.tries = 0
        self.left = STEPS
        self.queries = 0
        self.roots = 0
        self.cases = 1
        self.almost_everywhere = False
        self.point = self._new_point()

    def _new_point(self) -> FieldPoint:
        seed = self.seed * 1_000_003 + self.tries
        return FieldPoint(self.chain, seed, self.sizes, self.left, strict=self.strict)

    def zero_at(self, position: Mapping[Axis, int]) -> bool:
        """Whether the entry at ``position`` is 0 in every case."""
        failures = 0
        while True:
            try:
                return self._zero_in_all_cases(position)
            except Undefined as error:
                self.tries += 1
                failures += 1
                if failures >= (_TRIES_FOR_ROOTS if isinstance(error, NoRoot) else _TRIES):
                    raise OutOfReach("no point was found where the expression is defined") from None
                self.left = self.point.steps
                self.point = self._new_point()

    def _zero_in_all_cases(self, position: Mapping[Axis, int]) -> bool:
        point = self.point
        prefix: list[int] = []
        for count in range(1, _CASES + 1):
            point.start(prefix)
            if point.value(self.expr, 0, position):
                return False
            self.roots = max(self.roots, point.roots)
            self.queries = max(self.queries, point.queries)
            self.cases = max(self.cases, count)
            self.almost_everywhere |= point.almost_everywhere
            prefix = list(point.taken)
            while prefix and prefix[-1]:
                prefix.pop()
            if not prefix:
                return True
            prefix[-1] = 1
        raise OutOfReach(f"there are more than {_CASES} cases of signs and indicators")

    def error(self, degree: int) -> float:
        """A bound for the probability that values collide though the expressions differ."""
        pairs = (self.queries + 2) ** 2 * self.cases
        numerator = pairs * 2 * degree * 4**self.roots
        return min(1.0, float(numerator / self.chain[-1])) if numerator < self.chain[-1] else 1.0


__all__ = ["POINTS", "STEPS", "FieldVerdict", "OutsideArray", "vanishes"]
