r"""Indices, sizes and conditions on indices as text and as LaTeX.

Text counts the entries of an array from 0, as NumPy does; LaTeX counts them from 1, as mathematics
does: ``x[i+1]`` and ``x_{i+1}`` are the same entry, ``x[0]`` is ``x_{1}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from backprove.notation.axes import Axis, Floor, Index, Quotient, Size
from backprove.notation.expressions import Bracket

Letters = Callable[[Axis], str]

_FEWEST_AS_DECIMAL = 100
_MOST_DECIMALS = 7


def decimal_text(value: Fraction) -> str | None:
    """A fraction of a large denominator as a decimal, where that is exact and short.

    >>> decimal_text(Fraction(8943, 200000)), decimal_text(Fraction(1, 4))
    ('0.044715', None)
    """
    if value.denominator < _FEWEST_AS_DECIMAL:
        return None
    scaled = value * 10**_MOST_DECIMALS
    if scaled.denominator != 1 or abs(scaled) >= 10 ** (2 * _MOST_DECIMALS):
        return None
    whole, rest = divmod(abs(scaled.numerator), 10**_MOST_DECIMALS)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{_MOST_DECIMALS}d}".rstrip("0")


# --- text ---------------------------------------------------------------------------------------


def size_text(size: Size) -> str:
    """A size without spaces, in parentheses where it is a sum.

    >>> size_text(Size.of("n") - 1), size_text(Size.of("n"))
    ('(n-1)', 'n')
    """
    text = str(size).replace(" ", "")
    return text if len(size.terms) <= 1 else f"({text})"


def index_in_text(index: Index, letters: Letters) -> str:
    """An index such as ``2*i+1``, without spaces; entries are counted from 0.

    >>> i = Axis(Size.of("n"), "i")
    >>> index_in_text(Index.of(i) * 2 + 1, lambda axis: axis.name)
    '2*i+1'
    """
    parts: list[str] = []
    for atom, coefficient in index.terms:
        name = letters(atom) if isinstance(atom, Axis) else _floor_text(atom, letters)
        parts.append(_times(coefficient, name, size_text, "*"))
    parts.sort(key=lambda p: p.startswith("-"))
    if index.offset.terms or not parts:
        parts.extend(_offset_parts(index.offset, lambda s: str(s).replace(" ", "")))
    return _added(parts)


def _floor_text(floor: Floor, letters: Letters) -> str:
    divisor = size_text(floor.divisor)
    divisor = divisor if divisor.isalnum() else f"({divisor})"
    dividend = index_in_text(floor.index, letters)
    bare = dividend.isalnum() or re.fullmatch(r"\([^()]*\)", dividend)
    return f"({dividend if bare else f'({dividend})'}//{divisor})"


def condition_text(bracket: Bracket, letters: Letters) -> str:
    """The inside of an Iverson bracket: ``i=j``, ``i<=j``."""
    sides = [(index_in_text(s, letters), s) for s in sides_of(bracket.index)]
    return ("=" if bracket.relation == "==" else "<=").join(_ordered(bracket, sides))


# --- LaTeX --------------------------------------------------------------------------------------


def size_latex(size: Size) -> str:
    r"""A size in LaTeX, in parentheses where it is a sum.

    >>> size_latex(Size.of("d") * Size.of("n")), size_latex(Size.of("n") - 1)
    ('d \\cdot n', '(n - 1)')
    """
    parts = _offset_parts(size, _monomial_latex)
    return parts[0] if len(parts) == 1 else f"({_added(parts, ' ')})"


def _monomial_latex(size: Size) -> str:
    ((monomial, coefficient),) = size.terms or (((), 0),)
    names = []
    for atom, power in monomial:
        name = _quotient_latex(atom) if isinstance(atom, Quotient) else atom
        names.append(name if power == 1 else f"{name}^{{{power}}}")
    if abs(coefficient) != 1 or not names:
        names.insert(0, str(abs(coefficient)))
    return ("-" if coefficient < 0 else "") + r" \cdot ".join(names)


def _quotient_latex(quotient: Quotient) -> str:
    return rf"\lfloor {size_latex(quotient.dividend)} / {quotient.divisor} \rfloor"


def index_in_latex(index: Index, letters: Letters) -> str:
    r"""An index in LaTeX, where letters and entries are counted from 1.

    >>> i = Axis(Size.of("n"), "i")
    >>> [index_in_latex(e, lambda axis: axis.name) for e in (Index.of(0), Index.of(i) * 2 + 1)]
    ['1', '2i']
    """
    shifted, names = _from_one(index, letters)
    return _latex(shifted + 1, names)


def condition_latex(bracket: Bracket, letters: Letters) -> str:
    r"""The inside of an Iverson bracket in LaTeX: ``i = j``, ``i \le j``."""
    difference, names = _from_one(bracket.index, letters)
    sides = [(_latex(side, names), side) for side in sides_of(difference)]
    return (" = " if bracket.relation == "==" else r" \le ").join(_ordered(bracket, sides))


def _from_one(index: Index, letters: Letters) -> tuple[Index, Letters]:
    """The index in letters that count from 1.

    Such a letter may be as great as the size of its axis; so it runs along a longer one here, or
    a floor of it would be simplified wrongly.
    """
    longer = {axis: Axis(axis.size + 1, axis.name) for axis in index.axes}
    names = {new: letters(old) for old, new in longer.items()}
    counted = index.substitute({old: Index.of(new) - 1 for old, new in longer.items()})
    return counted, names.__getitem__


def _latex(index: Index, letters: Letters) -> str:
    parts: list[str] = []
    for atom, coefficient in index.terms:
        name = letters(atom) if isinstance(atom, Axis) else _floor_latex(atom, letters)
        number = coefficient.constant is not None and isinstance(atom, Axis)
        parts.append(_times(coefficient, name, size_latex, "" if number else r" \cdot "))
    parts.sort(key=lambda p: p.startswith("-"))
    if index.offset.terms or not parts:
        parts.extend(_offset_parts(index.offset, _monomial_latex))
    return _added(parts)


def _floor_latex(floor: Floor, letters: Letters) -> str:
    dividend = _latex(floor.index, letters)
    dividend = dividend if dividend.isalnum() else f"({dividend})"
    divisor = size_latex(floor.divisor)
    divisor = divisor if divisor.isalnum() or divisor.startswith("(") else f"({divisor})"
    return rf"\lfloor {dividend} / {divisor} \rfloor"


def letter_latex(name: str) -> str:
    """The letter of an index; its number is a subscript.

    >>> letter_latex("i"), letter_latex("i1")
    ('i', 'i_{1}')
    """
    return re.sub(r"^([a-zA-Z])(\d+)$", r"\1_{\2}", name)


def subscript_latex(shown: list[str]) -> str:
    """Indices side by side where each is a letter, else with commas between them.

    >>> subscript_latex(["i", "j"]), subscript_latex(["i", "2j"])
    ('ij', 'i,2j')
    """
    return ("" if all(len(s) == 1 for s in shown) else ",").join(shown)


# --- both ---------------------------------------------------------------------------------------


def _times(coefficient: Size, name: str, write: Callable[[Size], str], sign: str) -> str:
    if coefficient == 1:
        return name
    return f"-{name}" if coefficient == -1 else f"{write(coefficient)}{sign}{name}"


def _offset_parts(offset: Size, write: Callable[[Size], str]) -> list[str]:
    return [write(Size({m: c})) for m, c in offset.terms] or ["0"]


def _added(parts: list[str], space: str = "") -> str:
    text = parts[0]
    for part in parts[1:]:
        sign = "-" if part.startswith("-") else "+"
        text += f"{space}{sign}{space}{part.removeprefix('-')}"
    return text


def _ordered(bracket: Bracket, sides: list[tuple[str, Index]]) -> list[str]:
    """The sides of a comparison; of an equation a letter stands first, a number last."""
    if bracket.relation == "==":
        sides.sort(key=lambda side: (not side[1].terms, len(side[0]) > 1, side[0]))
    return [shown for shown, _ in sides]


def sides_of(index: Index) -> tuple[Index, Index]:
    """``left - right == index`` with nonnegative parts on each side where signs are known.

    >>> i, n = Axis(Size.of("n"), "i"), Size.of("n")
    >>> sides_of(Index.of(i) - n + 1)
    (i + 1, n)
    """
    left, right = Index.of(0), Index.of(0)
    for atom, coefficient in index.terms:
        part = Index({atom: coefficient}, Size.of(0))
        if (-coefficient).surely_nonnegative():
            right = right - part
        else:
            left = left + part
    for monomial, coefficient in index.offset.terms:
        part = Size({monomial: coefficient})
        if coefficient < 0:
            right = right - part
        else:
            left = left + part
    return left, right
