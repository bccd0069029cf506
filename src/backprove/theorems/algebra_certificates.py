"""Certificates of algebra, re-checked by writing both sides out as polynomials.

Plain data like the other certificates, and nothing of the rest of the package is imported but the
reading of numbers from the checker beside this one. A formula is a number, the name of a symbol, or
a list of an operation and its operands: ``["+", "x", ["*", 2, "y"]]``. Operations are ``+``, ``*``,
``-`` (of one or two operands), ``/`` and ``^`` with a whole number.

============== ===========================================================================
kind           what it proves
============== ===========================================================================
``identities`` each line for all values of its symbols: ``left = right`` as quotients of
               polynomials, wherever neither divides by 0; or ``left >= right`` and
               ``left > right`` by an ``excess`` that equals the difference and is built from
               squares and positive symbols alone
============== ===========================================================================

Symbols among ``matrices`` do not commute: an identity between them holds for all matrices whose
products are defined, and 1 stands for the identity matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from backprove.theorems.network_certificates import Refused, exact_number, with_fields

MAX_LINES, MAX_PARTS, MAX_DEPTH, MAX_POWER, MAX_TERMS, MAX_WORK = 64, 3000, 60, 40, 4000, 100_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,30}\Z")
_RELATIONS = ("=", ">=", ">")

Monomial = tuple[tuple[tuple[str, int], ...], tuple[str, ...]]
"""Powers of the symbols that commute, by name, and the word of those that do not."""
Polynomial = dict[Monomial, Fraction]
_UNIT: Monomial = ((), ())


def check_identities(data: Mapping[str, Any]) -> None:
    """Check a certificate of the kind ``identities``.

    Args:
        data: the certificate, as JSON would give it; it may come from anybody.

    Raises:
        Refused: a line does not hold, or nothing is claimed.

    >>> square = {"left": ["^", ["+", "x", 1], 2], "relation": ">=", "right": ["*", 4, "x"],
    ...           "excess": ["^", ["-", "x", 1], 2]}
    >>> check_identities({"kind": "identities", "positive": [], "matrices": [], "lines": [square]})
    """
    with_fields(data, {"kind", "positive", "matrices", "lines"})
    algebra = _Algebra(_names(data["positive"]), _names(data["matrices"]))
    if algebra.positive & algebra.matrices:
        raise Refused("a matrix is not positive here")
    lines = data["lines"]
    if not isinstance(lines, list) or not 1 <= len(lines) <= MAX_LINES:
        raise Refused(f"there are 1 to {MAX_LINES} lines")
    for number, line in enumerate(lines, 1):
        algebra.check(line, number)


def _names(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or len(value) > MAX_PARTS:
        raise Refused("symbols are a list of names")
    if not all(isinstance(name, str) and _NAME.match(name) for name in value):
        raise Refused("a symbol is a name of letters and digits")
    return frozenset(value)


class _Algebra:
    """Formulas in some symbols, and what is known of these."""

    def __init__(self, positive: frozenset[str], matrices: frozenset[str]) -> None:
        self.positive, self.matrices = positive, matrices
        self._parts = self._work = 0

    def check(self, line: Any, number: int) -> None:
        relation = line.get("relation") if isinstance(line, Mapping) else None
        if relation not in _RELATIONS:
            raise Refused(f"line {number} compares by {', '.join(_RELATIONS)}")
        fields = {"left", "relation", "right"} | ({"excess"} if relation != "=" else set())
        with_fields(line, fields)
        left, right = self._quotient(line["left"]), self._quotient(line["right"])
        if relation == "=":
            if not self._same(left, right):
                raise Refused(f"the sides of line {number} differ")
            return
        if self.matrices:
            raise Refused("matrices are not compared by size")
        excess = self._quotient(line["excess"])
        if not self._same(left, self._sum(right, excess)):
            raise Refused(f"the excess of line {number} is not its difference")
        least = self._least(line["excess"])
        if least < (1 if relation == ">" else 0):
            raise Refused(f"the excess of line {number} is not seen to be positive")

    # --- formulas as quotients of polynomials ---------------------------------------------------

    def _quotient(self, tree: Any, depth: int = 0) -> tuple[Polynomial, Polynomial]:
        operation, operands = self._read(tree, depth)
        one: Polynomial = {_UNIT: Fraction(1)}
        if operation == "number":
            value = exact_number(tree)
            return ({_UNIT: value} if value else {}), one
        if operation == "name":
            word = (tree,) if tree in self.matrices else ()
            return {((() if word else ((tree, 1),)), word): Fraction(1)}, one
        if operation == "^":
            return self._power(self._quotient(operands[0], depth + 1), operands[1])
        parts = [self._quotient(each, depth + 1) for each in operands]
        found = parts[0]
        if operation == "-" and len(parts) == 1:
            return self._negative(found[0]), found[1]
        for part in parts[1:]:
            if operation == "+":
                found = self._sum(found, part)
            elif operation == "-":
                found = self._sum(found, (self._negative(part[0]), part[1]))
            elif operation == "*":
                found = self._product(found[0], part[0]), self._product(found[1], part[1])
            else:
                self._commuting(part[0])
                found = self._product(found[0], part[1]), self._product(found[1], part[0])
        return found

    def _read(self, tree: Any, depth: int) -> tuple[str, list[Any]]:
        self._parts += 1
        if self._parts > MAX_PARTS or depth > MAX_DEPTH:
            raise Refused("a formula has too many parts")
        if isinstance(tree, str) and _NAME.match(tree):
            return "name", []
        if not isinstance(tree, list):
            exact_number(tree)
            return "number", []
        if not tree or not isinstance(tree[0], str) or tree[0] not in ("+", "*", "-", "/", "^"):
            raise Refused("a formula begins with +, *, -, / or ^")
        operands = tree[1:]
        if tree[0] in "/^" and len(operands) != 2:
            raise Refused(f"{tree[0]} has two operands")
        if not operands or (tree[0] == "-" and len(operands) > 2):
            raise Refused(f"{tree[0]} has other operands")
        if tree[0] == "^" and (type(operands[1]) is not int or not 0 <= operands[1] <= MAX_POWER):
            raise Refused(f"an exponent is a whole number up to {MAX_POWER}")
        return tree[0], operands

    def _power(
        self, base: tuple[Polynomial, Polynomial], exponent: int
    ) -> tuple[Polynomial, Polynomial]:
        top: Polynomial = {_UNIT: Fraction(1)}
        bottom = dict(top)
        for _ in range(exponent):
            top, bottom = self._product(top, base[0]), self._product(bottom, base[1])
        return top, bottom

    def _commuting(self, divisor: Polynomial) -> None:
        if not divisor:
            raise Refused("a divisor is 0")
        if any(word for _, word in divisor):
            raise Refused("nothing is divided by a matrix")

    @staticmethod
    def _negative(one: Polynomial) -> Polynomial:
        return {key: -value for key, value in one.items()}

    def _sum(
        self, one: tuple[Polynomial, Polynomial], other: tuple[Polynomial, Polynomial]
    ) -> tuple[Polynomial, Polynomial]:
        if one[1] == other[1]:
            return self._added(one[0], other[0]), one[1]
        top = self._added(self._product(one[0], other[1]), self._product(other[0], one[1]))
        return top, self._product(one[1], other[1])

    @staticmethod
    def _added(one: Polynomial, other: Polynomial) -> Polynomial:
        found = dict(one)
        for key, value in other.items():
            total = found.get(key, Fraction(0)) + value
            if total:
                found[key] = total
            else:
                found.pop(key, None)
        return found

    def _product(self, one: Polynomial, other: Polynomial) -> Polynomial:
        self._work += len(one) * len(other)
        if self._work > MAX_WORK:
            raise Refused("the products of a formula have too many terms")
        found: Polynomial = {}
        for (powers, word), value in one.items():
            for (more, rest), factor in other.items():
                joined = dict(powers)
                for name, exponent in more:
                    joined[name] = joined.get(name, 0) + exponent
                key = tuple(sorted(joined.items())), word + rest
                total = found.get(key, Fraction(0)) + value * factor
                if total:
                    found[key] = total
                else:
                    found.pop(key, None)
        if len(found) > MAX_TERMS or any(
            value.numerator.bit_length() + value.denominator.bit_length() > 50_000
            for value in found.values()
        ):
            raise Refused("a formula has too many terms")
        return found

    def _same(
        self, one: tuple[Polynomial, Polynomial], other: tuple[Polynomial, Polynomial]
    ) -> bool:
        return self._product(one[0], other[1]) == self._product(other[0], one[1])

    # --- signs ----------------------------------------------------------------------------------

    def _least(self, tree: Any) -> int:
        """1 where a formula is seen to be above 0, 0 where at or above it, -1 where not seen."""
        if not isinstance(tree, list):
            if isinstance(tree, str) and _NAME.match(tree):
                return 1 if tree in self.positive else -1
            value = exact_number(tree)
            return (value > 0) - (value < 0)
        operation, operands = tree[0], tree[1:]
        if operation == "^":
            return self._least_of_power(self._least(operands[0]), operands[1])
        if operation == "-":
            return -1
        signs = [self._least(each) for each in operands]
        if operation == "/" and signs[1] == 0:
            signs[1] = 1  # where the quotient is defined its divisor is not 0
        return max(signs) if operation == "+" and min(signs) >= 0 else min(signs)

    @staticmethod
    def _least_of_power(base: int, exponent: int) -> int:
        if exponent == 0:
            return 1
        return 0 if base < 0 and exponent % 2 == 0 else base


__all__ = ["check_identities"]
