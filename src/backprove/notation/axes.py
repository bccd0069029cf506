"""Sizes, axes and index expressions.

A *size* is a polynomial in named sizes (``n``, ``n*d``, ``n + m - 1``), so that slices,
concatenations and reshapes keep a symbolic size. An *axis* is an object with identity: two axes
that print the same letter, or a size and an index called ``k``, never collide. An *index* is an
affine combination of axes, as in ``X[2*i + 1, j]``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from weakref import WeakValueDictionary

from backprove.notation.effort import TooMuchEffort, spend

_MASK = (1 << 61) - 1
MAX_FLOORS = 100  # inside of each other


def stable_hash(*parts: object) -> int:
    """A hash of integers, strings and tuples that is the same in every process."""
    # Python gives -1 and -2 the same hash, so negative numbers move down by one.
    numbers = [
        (p if p >= 0 else p - 1) if type(p) is int else text_hash(p) if type(p) is not bool else +p
        for p in parts
    ]
    return hash(tuple(numbers)) & _MASK


def joined_hash(tag: int, *keys: int) -> int:
    """:func:`stable_hash` of a text with the given hash and of keys, none of which is negative."""
    return hash((tag, *keys)) & _MASK


_text_hashes: dict[object, int] = {}


def text_hash(part: object) -> int:
    """The hash of one text, as :func:`stable_hash` counts it."""
    known = _text_hashes.get(part)
    if known is None:
        known = int.from_bytes(blake2b(repr(part).encode(), digest_size=7).digest(), "big")
        if len(_text_hashes) < 100_000:
            _text_hashes[part] = known
    return known


_INDEX = text_hash("index")


@dataclass(frozen=True)
class Quotient:
    """The size ``dividend // divisor`` when it cannot be written as a polynomial."""

    dividend: Size
    divisor: int

    def __str__(self) -> str:
        dividend = f"({self.dividend})" if len(self.dividend.terms) > 1 else str(self.dividend)
        return f"({dividend}//{self.divisor})"


Monomial = tuple[tuple["str | Quotient", int], ...]


class Size:
    """A polynomial with integer coefficients in named sizes; equal polynomials are equal.

    >>> n = Size.named("n")
    >>> (n + 1) * n == n * n + n
    True
    >>> str(2 * n - 1)
    '2*n - 1'
    """

    __slots__ = ("__weakref__", "_hash", "terms")

    terms: tuple[tuple[Monomial, int], ...]
    _hash: int

    def __new__(cls, terms: Mapping[Monomial, int]) -> Size:
        kept = tuple((m, c) for m, c in terms.items() if c)
        if len(kept) > 1:
            kept = tuple(sorted(kept, key=_term_key))
        found = _interned_sizes.get(kept)
        if found is None:
            found = object.__new__(cls)
            found.terms = kept
            # The hash of the text, as stable_hash has it; sizes are too many to keep their texts.
            digest = blake2b(repr(repr(kept)).encode(), digest_size=7).digest()
            found._hash = hash((int.from_bytes(digest, "big"),)) & _MASK
            _interned_sizes[kept] = found
        return found

    @staticmethod
    def of(value: int | str | Size) -> Size:
        """A size from an integer or a name."""
        if isinstance(value, Size):
            return value
        if isinstance(value, str):
            return Size.named(value)
        known = _integer_sizes.get(value)
        if known is None:
            known = Size({(): value})
            if -64 <= value <= 4096:
                _integer_sizes[value] = known
        return known

    @staticmethod
    def named(name: str | Quotient) -> Size:
        """The size called ``name``."""
        return Size({((name, 1),): 1})

    @property
    def constant(self) -> int | None:
        """The integer value, or None if a name occurs."""
        if not self.terms:
            return 0
        if len(self.terms) == 1 and self.terms[0][0] == ():
            return self.terms[0][1]
        return None

    def names(self) -> set[str]:
        """All size names that occur."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _power in monomial:
                found |= atom.dividend.names() if isinstance(atom, Quotient) else {atom}
        return found

    def at(self, sizes: Mapping[str, int]) -> int:
        """The integer value when each name has the value in ``sizes``."""
        total = 0
        for monomial, coefficient in self.terms:
            for atom, power in monomial:
                if isinstance(atom, Quotient):
                    value = atom.dividend.at(sizes) // atom.divisor
                else:
                    value = sizes[atom]
                coefficient *= value**power
            total += coefficient
        return total

    def floor_divide(self, divisor: int) -> Size:
        """The size ``self // divisor`` for a positive integer divisor."""
        whole = Size({m: c // divisor for m, c in self.terms})
        rest = Size({m: c % divisor for m, c in self.terms})
        if (rest.constant or 0) < divisor and rest.constant is not None:
            return whole
        if whole.terms:
            return whole + rest.floor_divide(divisor)
        quotients = [(m, c) for m, c in self.terms if any(isinstance(a, Quotient) for a, _ in m)]
        if len(quotients) == 1 and quotients[0][1] == 1 and len(quotients[0][0]) == 1:
            ((inner, power),) = quotients[0][0]
            if isinstance(inner, Quotient) and power == 1:
                # floor((floor(x/b) + m)/c) = floor((x + b*m)/(b*c)), so quotients never nest.
                rest = self - Size.named(inner)
                whole = inner.dividend + rest * inner.divisor
                return whole.floor_divide(inner.divisor * divisor)
        return Size.named(Quotient(self, divisor))

    def surely_nonnegative(self) -> bool:
        """True if no coefficient is negative, so that the value is >= 0 at all sizes >= 0."""
        return all(c >= 0 for _, c in self.terms)

    def __add__(self, other: int | Size) -> Size:
        other = Size.of(other)
        if not other.terms:
            return self
        if not self.terms:
            return other
        terms = dict(self.terms)
        for monomial, coefficient in other.terms:
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Size(terms)

    __radd__ = __add__

    def __neg__(self) -> Size:
        return Size({m: -c for m, c in self.terms})

    def __sub__(self, other: int | Size) -> Size:
        return self + (-Size.of(other))

    def __rsub__(self, other: int | Size) -> Size:
        return Size.of(other) - self

    def __mul__(self, other: int | Size) -> Size:
        other = Size.of(other)
        if other.terms == _ONE_TERMS:
            return self
        if self.terms == _ONE_TERMS:
            return other
        spend(len(self.terms) * len(other.terms) // 2)
        terms: dict[Monomial, int] = {}
        for (m1, c1), (m2, c2) in itertools.product(self.terms, other.terms):
            powers: dict[str | Quotient, int] = dict(m1)
            for atom, power in m2:
                powers[atom] = powers.get(atom, 0) + power
            monomial = tuple(sorted(powers.items(), key=repr))
            terms[monomial] = terms.get(monomial, 0) + c1 * c2
        return Size(terms)

    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            return self.constant == other
        return self is other

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        text = ""
        for monomial, coefficient in sorted(self.terms, key=_written_order):
            names = [f"{a}" if p == 1 else f"{a}**{p}" for a, p in monomial]
            if abs(coefficient) != 1 or not names:
                names.insert(0, str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            piece = "*".join(names)
            text = f"{text} {sign} {piece}" if text else ("-" if sign == "-" else "") + piece
        return text


def _written_order(term: tuple[Monomial, int]) -> tuple[int, bool]:
    monomial, coefficient = term
    return -sum(power for _, power in monomial), coefficient < 0


def _term_key(term: tuple[Monomial, int]) -> tuple[int, str]:
    return -len(term[0]), _monomial_text(term[0])


@lru_cache(maxsize=50_000)
def _monomial_text(monomial: Monomial) -> str:
    return repr(monomial)


_integer_sizes: dict[int, Size] = {}
_interned_sizes: WeakValueDictionary[tuple[tuple[Monomial, int], ...], Size] = WeakValueDictionary()
_ONE_TERMS = (((), 1),)


def shape_text(shape: Iterable[Size]) -> str:
    """A shape as people write it: ``n×d``, or ``scalar``.

    >>> shape_text([Size.of("n"), Size.of(3)])
    'n×3'
    """
    sizes = list(shape)
    if not sizes:
        return "scalar"
    return "×".join(str(s) if len(s.terms) <= 1 else f"({s})" for s in sizes)


class Axis:
    """An axis of a tensor. Equality is identity; the name is only a wish for printing.

    Bound axes (of sums) are canonical: there is exactly one per size, nesting level and
    position, so that expressions that differ in the names of bound indices are one object.
    """

    __slots__ = ("alone", "bound", "key", "level", "name", "size")
    _counter = itertools.count(1)
    alone: Index | None

    def __init__(self, size: Size, name: str = "", *, level: int = -1, place: int = 0) -> None:
        self.size = size
        self.name = name
        self.level = level
        self.bound = level >= 0
        self.alone = None  # the index that is this axis, once it is needed
        self.key = (
            stable_hash("bound", hash(size), level, place) if self.bound else next(Axis._counter)
        )

    def __repr__(self) -> str:
        return self.name or (f"b{self.level}" if self.bound else f"a{self.key}")


_bound_axes: dict[tuple[Size, int, int], Axis] = {}


def bound_axis(size: Size, level: int, place: int = 0) -> Axis:
    """The one bound axis of this size, nesting level and position."""
    found = _bound_axes.get((size, level, place))
    if found is None:
        found = _bound_axes[size, level, place] = Axis(size, level=level, place=place)
    return found


class Floor:
    """The index ``floor(index / divisor)``, as a reshape needs it."""

    __slots__ = ("_limits", "axes", "divisor", "index", "key", "weight")

    def __init__(self, index: Index, divisor: Size) -> None:
        self.index = index
        self.divisor = divisor
        self.axes = index.axes
        self.weight: int = 1 + index.weight
        if self.weight > MAX_FLOORS:
            raise TooMuchEffort  # comparing floors of floors goes as deep as they are nested
        self.key = stable_hash("floor", index.key, hash(divisor))
        self._limits: tuple[tuple[Size, Size] | None, ...] = ()

    def bounds(self) -> tuple[Size, Size] | None:
        """Sizes (least, greatest) between which the floor lies, or None if that is not clear."""
        if not self._limits:  # nested floors ask for those of their parts again and again
            limits = self.index.bounds()
            low, high = (_quotient(s, self.divisor) for s in limits) if limits else (None, None)
            self._limits = (None if low is None or high is None else (low, high),)
        return self._limits[0]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Floor) and self.index == other.index and self.divisor == other.divisor
        )

    def __hash__(self) -> int:
        return self.key

    def __repr__(self) -> str:
        return f"floor(({self.index})/{self.divisor})"


IndexAtom = Axis | Floor


class Index:
    """An affine combination of axes (and floors of such) with sizes as coefficients.

    >>> i = Axis(Size.of("n"), "i")
    >>> 2 * Index.of(i) + 1
    2*i + 1
    """

    __slots__ = ("axes", "key", "offset", "terms", "weight")

    def __init__(self, terms: Mapping[IndexAtom, Size], offset: Size) -> None:
        kept = [(a, c) for a, c in terms.items() if c.terms]
        if len(kept) > 1:
            kept.sort(key=_atom_key)
        self.terms: tuple[tuple[IndexAtom, Size], ...] = tuple(kept)
        self.offset = offset
        axes: list[Axis] = []
        self.weight = 0  # how many floors it has when written out
        parts = []
        for atom, coefficient in kept:
            if isinstance(atom, Floor):
                axes.extend(atom.axes)
                self.weight += atom.weight
            else:
                axes.append(atom)
            parts += (atom.key, coefficient._hash)
        self.axes = frozenset(axes)
        self.key = joined_hash(_INDEX, offset._hash, *parts)

    @staticmethod
    def of(value: int | Size | Axis | Index) -> Index:
        """An index from an integer, a size or an axis."""
        if isinstance(value, Index):
            return value
        if isinstance(value, Axis):
            if value.alone is None:
                value.alone = Index({value: Size.of(1)}, Size.of(0))
            return value.alone
        return Index({}, Size.of(value))

    @property
    def axis(self) -> Axis | None:
        """The axis, if the index is just one axis."""
        if len(self.terms) == 1 and not self.offset.terms:
            atom, coefficient = self.terms[0]
            if isinstance(atom, Axis) and coefficient == 1:
                return atom
        return None

    @property
    def value(self) -> Size | None:
        """The size that the index always has, if it does not depend on an axis."""
        return self.offset if not self.terms else None

    def substitute(self, mapping: Mapping[Axis, Index]) -> Index:
        """The index with axes replaced by indices."""
        if self.axes.isdisjoint(mapping):
            return self
        if (axis := self.axis) is not None:
            return mapping[axis]
        total = Index.of(self.offset)
        for atom, coefficient in self.terms:
            if isinstance(atom, Floor):
                part = floor_divide(atom.index.substitute(mapping), atom.divisor)
            else:
                part = mapping.get(atom) or Index.of(atom)
            total = total + part * coefficient
        return total

    def without_single_axes(self) -> Index:
        """The index without axes of size 1, whose only position is 0."""
        if all(isinstance(a, Floor) or a.size != 1 for a, _ in self.terms):
            return self
        kept = {a: c for a, c in self.terms if isinstance(a, Floor) or a.size != 1}
        return Index(kept, self.offset)

    def bounds(self) -> tuple[Size, Size] | None:
        """Sizes between which the index lies, or None if that is not clear.

        An index without floors reaches both; one with floors may stay within.
        """
        low = high = self.offset
        for atom, coefficient in self.terms:
            if isinstance(atom, Floor):
                return _bounds_with_floor(self, atom, coefficient)
            reach = coefficient * (atom.size - 1)
            if coefficient.surely_nonnegative():
                high = high + reach
            elif (-coefficient).surely_nonnegative():
                low = low + reach
            else:
                return None
        return low, high

    def surely_within(self, size: Size) -> bool:
        """True if 0 <= index < size for all values of its axes, at all sizes >= 1."""
        limits = self.bounds()
        if limits is None:
            return False
        low, high = limits
        return nonnegative(low) and nonnegative(size - 1 - high)

    def __add__(self, other: int | Size | Axis | Index) -> Index:
        other = Index.of(other)
        if not other.terms and not other.offset.terms:
            return self
        if not self.terms and not self.offset.terms:
            return other
        terms = dict(self.terms)
        for atom, coefficient in other.terms:
            known = terms.get(atom)
            terms[atom] = coefficient if known is None else known + coefficient
        return Index(terms, self.offset + other.offset)

    def __mul__(self, factor: int | Size) -> Index:
        factor = Size.of(factor)
        if factor.terms == _ONE_TERMS:
            return self
        return Index({a: c * factor for a, c in self.terms}, self.offset * factor)

    __rmul__ = __mul__

    def __neg__(self) -> Index:
        return self * -1

    def __sub__(self, other: int | Size | Axis | Index) -> Index:
        return self + (-Index.of(other))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Index) and self.terms == other.terms and self.offset == other.offset
        )

    def __hash__(self) -> int:
        return self.key

    def __repr__(self) -> str:
        text = ""
        for atom, coefficient in self.terms:
            piece = repr(atom) if coefficient == 1 else f"{coefficient}*{atom!r}"
            text = f"{text} + {piece}" if text else piece
        if self.offset.terms or not text:
            text = f"{text} + {self.offset}" if text else str(self.offset)
        return text


def _atom_key(term: tuple[IndexAtom, Size]) -> int:
    return term[0].key


def _bounds_with_floor(index: Index, floor: Floor, coefficient: Size) -> tuple[Size, Size] | None:
    """The bounds of an index, a floor of it first: alone, or as part of a remainder."""
    rest = index - Index({floor: coefficient}, Size.of(0))
    factor = divide_exactly(-coefficient, floor.divisor)
    known = dict(index.terms)
    if factor is not None and all(known.get(a) == c * factor for a, c in floor.index.terms):
        # m*x - m*d*floor(x/d) is m times the remainder of x by d.
        rest, coefficient = rest - floor.index * factor, factor
        limits: tuple[Size, Size] | None = (Size.of(0), floor.divisor - 1)
    else:
        limits = floor.bounds()
    others = rest.bounds()
    if limits is None or others is None:
        return None
    if (-coefficient).surely_nonnegative():
        limits = limits[1], limits[0]
    elif not coefficient.surely_nonnegative():
        return None
    return others[0] + coefficient * limits[0], others[1] + coefficient * limits[1]


def _quotient(size: Size, divisor: Size) -> Size | None:
    """``floor(size / divisor)`` at all sizes >= 1, or None if that is not one polynomial."""
    if divisor.constant is not None:
        return size.floor_divide(divisor.constant)
    parts = [(Size({m: c}), divide_exactly(Size({m: c}), divisor)) for m, c in size.terms]
    whole = sum((q for _, q in parts if q is not None), Size.of(0))
    rest = sum((p for p, q in parts if q is None), Size.of(0))
    if nonnegative(rest) and nonnegative(divisor - 1 - rest):
        return whole
    if nonnegative(-rest - 1) and nonnegative(rest + divisor):
        return whole - 1
    return None


def nonnegative(size: Size) -> bool:
    """True if the polynomial is >= 0 whenever all named sizes are >= 1.

    It is written in ``n - 1`` for each name ``n``; then no coefficient may be negative.
    """
    shifted: dict[Monomial, int] = {}
    for monomial, coefficient in _without_quotients(size).terms:
        parts: dict[Monomial, int] = {(): coefficient}
        for atom, power in monomial:
            lowest = power if isinstance(atom, Quotient) else 0
            parts = {
                (*m, (atom, k)) if k else m: c * math.comb(power, k)
                for m, c in parts.items()
                for k in range(lowest, power + 1)
            }
        spend(len(parts) // 4)
        for m, c in parts.items():
            shifted[m] = shifted.get(m, 0) + c
    return all(c >= 0 for c in shifted.values())


def _without_quotients(size: Size) -> Size:
    """A size that is never greater: ``-2*(n//2)`` is at least ``-n``."""
    for monomial, coefficient in size.terms:
        if coefficient < 0 and len(monomial) == 1:
            quotient, power = monomial[0]
            if not isinstance(quotient, Quotient) or power != 1:
                continue
            if coefficient % quotient.divisor == 0:
                least = quotient.dividend * (coefficient // quotient.divisor)
                size = size - Size({monomial: coefficient}) + least
    return size


def floor_divide(index: Index, divisor: Size) -> Index:
    """``floor(index / divisor)``, with the multiples of the divisor taken out exactly."""
    if divisor == 1:
        return index
    whole: dict[IndexAtom, Size] = {}
    rest: dict[IndexAtom, Size] = {}
    for atom, coefficient in index.terms:
        quotient = divide_exactly(coefficient, divisor)
        (rest if quotient is None else whole)[atom] = quotient or coefficient
    offset_quotient = divide_exactly(index.offset, divisor)
    offset_rest = index.offset if offset_quotient is None else Size.of(0)
    remaining = Index(rest, offset_rest)
    total = Index(whole, offset_quotient or Size.of(0))
    if remaining.surely_within(divisor):
        return total
    return total + Index({Floor(remaining, divisor): Size.of(1)}, Size.of(0))


def divide_exactly(size: Size, divisor: Size) -> Size | None:
    """``size / divisor`` if the divisor is one monomial that divides every term, else None."""
    if not size.terms:
        return Size.of(0)
    if len(divisor.terms) != 1:
        return Size.of(1) if size == divisor else None
    (lead, lead_coefficient) = divisor.terms[0]
    powers = dict(lead)
    terms: dict[Monomial, int] = {}
    for monomial, coefficient in size.terms:
        remaining = dict(monomial)
        for atom, power in powers.items():
            remaining[atom] = remaining.get(atom, 0) - power
            if remaining[atom] < 0:
                return None
        if coefficient % lead_coefficient:
            return None
        key = tuple(sorted(((a, p) for a, p in remaining.items() if p), key=repr))
        terms[key] = coefficient // lead_coefficient
    return Size(terms)
