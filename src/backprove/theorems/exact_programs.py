"""Linear inequalities decided exactly: a rational solution, or multipliers that contradict them.

Floating point only guesses; what is returned was checked with rational numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np

from backprove.theorems.certificates import Line

_SMALL, _TIGHT = 1e-9, 1e-7
Solution = dict[Any, Fraction]


def contradiction(lines: Mapping[str, Line]) -> dict[str, Fraction] | None:
    """Multipliers by which the lines add up to a contradiction; None if none were found.

    Args:
        lines: equations and inequalities by name.

    Returns:
        Multipliers by name, whole numbers without a common divisor, checked exactly.
    """
    names = list(lines)
    if not names:
        return None
    keys = {key: n for n, key in enumerate(_unknowns(lines))}
    left = np.zeros((len(keys) + 1, len(names)))
    right = np.zeros(len(names))
    for column, name in enumerate(names):
        line = lines[name]
        for key, value in line.form.items():
            left[keys[key], column] = float(value)
        right[column] = float(line.right)
        left[-1, column] = right[column] + (line.relation == ">")
    goal = np.zeros(len(keys) + 1)
    goal[-1] = 1
    equal = np.array([lines[name].relation == "=" for name in names])
    # An equation counts with either sign: a second column, negated, keeps all multipliers >= 0.
    wide = np.hstack([left, -left[:, equal]])
    sums = np.concatenate([right, -right[equal]])
    found = _linear_program(
        np.ones(wide.shape[1]),
        A_ub=-sums[None],
        b_ub=[0.0],
        A_eq=wide,
        b_eq=goal,
        method="highs-ds",
    )
    if found.status != 0:
        return None
    guess = found.x[: len(names)].copy()
    guess[equal] -= found.x[len(names) :]
    support = [n for n in range(len(names)) if abs(guess[n]) > _SMALL]
    rounded = {names[n]: Fraction(guess[n]).limit_denominator(1000) for n in support}
    for multipliers in (rounded, _on_support(lines, [names[n] for n in support])):
        if multipliers and contradicts(lines, multipliers):
            return _whole(multipliers)
    return None


def contradicts(lines: Mapping[str, Line], multipliers: Mapping[str, Fraction]) -> bool:
    """Whether multipliers add the lines up to a contradiction, exactly."""
    total: Solution = {}
    right, strict = Fraction(0), False
    for name, factor in multipliers.items():
        line = lines[name]
        if factor < 0 and line.relation != "=":
            return False
        right += factor * line.right
        strict |= line.relation == ">" and factor > 0
        for key, value in line.form.items():
            total[key] = total.get(key, Fraction(0)) + factor * value
    return not any(total.values()) and (right > 0 or (right == 0 and strict))


def solution(lines: Mapping[str, Line]) -> Solution | None:
    """Rational numbers that fulfil all lines, small ones; None if none were found.

    Args:
        lines: equations and inequalities by name.

    Returns:
        A value for each unknown, checked exactly.
    """
    unknowns = _unknowns(lines)
    size = len(unknowns)
    if not size:
        return {} if fulfils(lines, {}) else None
    places = {key: n for n, key in enumerate(unknowns)}
    bounded: list[tuple[np.ndarray, float, bool]] = []
    fixed: list[tuple[np.ndarray, float]] = []
    for line in lines.values():
        row = np.zeros(size)
        for key, value in line.form.items():
            row[places[key]] = float(value)
        if line.relation == "=":
            fixed.append((row, float(line.right)))
        else:
            bounded.append((row, float(line.right), line.relation == ">"))
    for margin in (1.0, 0.5, 0.25, 1 / 16):
        found = _smallest(size, bounded, fixed, margin)
        if found is None:
            continue
        for bottom in (1, 2, 3, 4, 6, 12, 60, 1000):
            values = {
                key: Fraction(found[n]).limit_denominator(bottom) for key, n in places.items()
            }
            if fulfils(lines, values):
                return values
        guess = {key: float(found[n]) for key, n in places.items()}
        exact = _at_corner(lines, guess, Fraction(margin))
        if exact is not None and fulfils(lines, exact):
            return exact
    return None


def fulfils(lines: Mapping[str, Line], values: Solution) -> bool:
    """Whether values fulfil all lines, exactly."""
    for line in lines.values():
        left = sum((c * values.get(key, Fraction(0)) for key, c in line.form.items()), Fraction(0))
        if line.relation == "=" and left != line.right:
            return False
        if left < line.right or (line.relation == ">" and left == line.right):
            return False
    return True


def solve(matrix: Sequence[Sequence[Fraction]], right: Sequence[Fraction]) -> list | None:
    """One exact solution of linear equations, with zeros for free unknowns; None if there is none.

    >>> solve([[Fraction(2), Fraction(0)]], [Fraction(3)])
    [Fraction(3, 2), Fraction(0, 1)]
    """
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    width = len(matrix[0]) if matrix else 0
    pivots: list[int] = []
    for column in range(width):
        top = len(pivots)
        chosen = next((r for r in range(top, len(rows)) if rows[r][column]), None)
        if chosen is None:
            continue
        rows[top], rows[chosen] = rows[chosen], rows[top]
        lead = rows[top][column]
        rows[top] = [value / lead for value in rows[top]]
        for r, row in enumerate(rows):
            if r != top and row[column]:
                factor = row[column]
                rows[r] = [a - factor * b for a, b in zip(row, rows[top], strict=True)]
        pivots.append(column)
    if any(row[-1] for row in rows[len(pivots) :]):
        return None
    values = [Fraction(0)] * width
    for row, column in zip(rows, pivots, strict=False):
        values[column] = row[-1]
    return values


def _smallest(
    size: int,
    bounded: list[tuple[np.ndarray, float, bool]],
    fixed: list[tuple[np.ndarray, float]],
    margin: float,
) -> np.ndarray | None:
    """The solution with the smallest sum of absolute values, strict lines kept by a margin."""
    both = [(np.concatenate([row, -row]), right) for row, right in fixed]
    found = _linear_program(
        np.ones(2 * size),
        A_ub=np.array([np.concatenate([-r, r]) for r, _, _ in bounded]) if bounded else None,
        b_ub=np.array([-(c + margin * strict) for _, c, strict in bounded]) if bounded else None,
        A_eq=np.array([row for row, _ in both]) if both else None,
        b_eq=np.array([right for _, right in both]) if both else None,
        method="highs-ds",
    )
    return found.x[:size] - found.x[size:] if found.status == 0 else None


def _at_corner(
    lines: Mapping[str, Line], guess: Mapping[Any, float], margin: Fraction
) -> Solution | None:
    """The corner that a guess is close to: lines that it meets become equations."""
    kept = [key for key, value in guess.items() if abs(value) > _SMALL]
    matrix: list[list[Fraction]] = []
    right: list[Fraction] = []
    for line in lines.values():
        bound = line.right + (margin if line.relation == ">" else 0)
        left = sum(float(c) * guess[key] for key, c in line.form.items())
        if line.relation == "=" or abs(left - float(bound)) < _TIGHT * (1 + abs(float(bound))):
            matrix.append([line.form.get(key, Fraction(0)) for key in kept])
            right.append(bound)
    values = solve(matrix, right)
    if values is None:
        return None
    found = dict.fromkeys(guess, Fraction(0))
    return found | dict(zip(kept, values, strict=False))


def _on_support(lines: Mapping[str, Line], names: list[str]) -> dict[str, Fraction] | None:
    unknowns = _unknowns({name: lines[name] for name in names})
    zero = Fraction(0)
    matrix = [[lines[name].form.get(key, zero) for name in names] for key in unknowns]
    matrix.append([lines[name].right + (lines[name].relation == ">") for name in names])
    values = solve(matrix, [zero] * len(unknowns) + [Fraction(1)])
    return dict(zip(names, values, strict=True)) if values else None


def _whole(multipliers: Mapping[str, Fraction]) -> dict[str, Fraction]:
    kept = {name: value for name, value in multipliers.items() if value}
    bottom = lcm(*(value.denominator for value in kept.values()))
    scaled = {name: int(value * bottom) for name, value in kept.items()}
    divisor = gcd(*scaled.values())
    return {name: Fraction(value // divisor) for name, value in scaled.items()}


def _unknowns(lines: Mapping[str, Line]) -> list[Any]:
    return list(dict.fromkeys(key for line in lines.values() for key in line.form))


def _linear_program(*arguments: Any, **options: Any) -> Any:
    """The solver of SciPy, which takes longer to import than most questions to answer."""
    from scipy.optimize import linprog

    return linprog(*arguments, **options)
