r"""Indices of a LaTeX formula: subscripts, conditions, and letters that sums bind.

LaTeX counts the entries of an array from 1, and the text that is made of it from 0: ``x_{2i}`` is
``x[2*i+1]``, ``[i = 1]`` is ``[i=0]``. A letter alone is the same in both.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from backprove.errors import Span
from backprove.notation.axes import Axis, Index, Size, floor_divide
from backprove.notation.index_writing import index_in_text, size_text
from backprove.notation.latex_pieces import GREEK, Piece, Word, greek_names, joined
from backprove.notation.latex_words import RELATIONS, WordReader

_ARITHMETIC = frozenset(["+", "-", "*", r"\cdot", r"\lfloor", r"\left\lfloor", "(", "^"])
_LARGEST = 10_000_000


class IndexedReader(WordReader, ABC):
    """Reads indices.

    Attributes:
        ranks: the number of axes of every known name.
        sizes: the names of sizes.
        bound: the letters on the left side and of the sums around the current place.
        first: the number of the first entry of an array, 1 or 0.
        counted_else: letters of sums that begin at another number.
        has_left: True if a left side names all indices that no sum binds.
        letters_allowed: True inside brackets such as ``[i = j]``, where letters are indices.
    """

    def __init__(
        self, latex: str, ranks: Mapping[str, int], sizes: set[str], first: int = 1
    ) -> None:
        super().__init__(latex)
        self.first = first
        self.ranks = dict(ranks)
        self.sizes = sizes
        self.bound: set[str] = set()
        self.counted_else: set[str] = set()
        self.has_left = False
        self.letters_allowed = False

    @abstractmethod
    def expression(self) -> Piece:
        """Terms with ``+`` and ``-`` between them."""

    # --- letters ----------------------------------------------------------------------------

    @contextmanager
    def binding(self, letters: Sequence[str], begin: int | None = None) -> Iterator[None]:
        """Letters that a sum binds, for its body; it may say at which number it begins."""
        before = self.bound, self.counted_else
        self.bound = self.bound.union(letters)
        elsewhere = letters if begin not in (None, self.first) else ()
        self.counted_else = self.counted_else.difference(letters).union(elsewhere)
        try:
            yield
        finally:
            self.bound, self.counted_else = before

    def index_word(self, word: Word) -> str:
        """The letter or number of an index."""
        if word.text.isalnum():
            return word.text
        if word.text.startswith("\\") and word.text[1:] in GREEK:
            return greek_names(word.text[1:])[-1]
        raise self.error(f"'{word.text}' is no index", word.span)

    # --- subscripts -------------------------------------------------------------------------

    def indices(self, below: list[Word], rank: int | None) -> list[Piece]:
        """One piece for each index; letters side by side are indices of their own."""
        return [self._index(group) for group in self._groups(_with_numbers(below), rank)]

    def _groups(self, below: list[Word], rank: int | None) -> list[list[Word]]:
        arithmetic = any(w.text in _ARITHMETIC for w in below)
        if any(w.text == "," for w in below):
            groups: list[list[Word]] = [[]]
            for word in below:
                if word.text == ",":
                    groups.append([])
                else:
                    groups[-1].append(word)
            for group in groups:
                if not group:
                    raise self.error("an index is missing", below[0].span)
            return groups
        if arithmetic or (rank == 1 and below[0].text.isdigit()):
            if rank not in (None, 1):
                raise self.error(
                    "separate the indices by commas", below[0].span, "Write X_{i+1,j}."
                )
            return [below]
        if len(below) == 1 and below[0].text.isdigit() and len(below[0].text) == rank:
            start = below[0].span.start
            digits = enumerate(below[0].text)
            return [[Word(d, Span(start + k, start + k + 1))] for k, d in digits]
        return [[word] for word in below]

    def _index(self, group: list[Word]) -> Piece:
        span = Span(group[0].span.start, group[-1].span.end)
        if len(group) == 1 and not group[0].text.isdigit():
            name = self.index_word(group[0])
            if name in self.bound or name not in self.sizes or not self.has_left:
                return joined(span, name)
        index = _IndexOfWords(self, group, span).read()
        found = index - self.first
        if not index.terms and (found.offset.constant or 0) < 0:
            raise self.error(
                "entries are counted from 1 in LaTeX",
                span,
                "The first entry is x_1; in text, which counts from 0, it is x[0].",
            )
        text = index_in_text(found, lambda axis: axis.name)
        # A size alone would be read as the letter of an index.
        return joined(span, f"{text}+0" if text in self.sizes else text)

    # --- conditions -------------------------------------------------------------------------

    def compares(self, close: str) -> bool:
        """True if a relation stands before the word that closes a bracket."""
        depth = 0
        for word in self.words[self.position :]:
            if word.text == close and depth == 0:
                return False
            depth += (word.text in ("(", "[", "{", r"\{")) - (word.text in (")", "]", "}", r"\}"))
            if depth == 0 and word.text in RELATIONS:
                return True
        return False

    def conditions(self, opened: Word, close: str) -> Piece:
        """``[i = j]``: letters inside need not be declared, since they are indices."""
        found = self._index_conditions(opened, close)
        if found is not None:
            return found
        allowed, self.letters_allowed = self.letters_allowed, True
        sides = [self.expression()]
        items: list[str | Piece] = [sides[0]]
        while self.word.text in RELATIONS:
            sign = self.take()
            sides.append(self.expression())
            items += [
                joined(sign.span, f" {RELATIONS[sign.text]} ".replace(" = ", " == ")),
                sides[-1],
            ]
        self.letters_allowed = allowed
        self.expect(close, opened)
        if len(sides) > 2:
            return joined(opened.span, "[", *items, "]")
        return joined(opened.span, "(", *items, ")", rank=max(s.rank for s in sides))

    def _index_conditions(self, opened: Word, close: str) -> Piece | None:
        """A comparison of indices; None if values are compared."""
        sides: list[list[Word]] = [[]]
        signs: list[Word] = []
        position, depth = self.position, 0
        while (word := self.words[position]).text != close or depth:
            depth += (word.text in ("(", "{")) - (word.text in (")", "}"))
            if word.text == "":
                return None
            if word.text in RELATIONS:
                signs.append(word)
                sides.append([])
            else:
                sides[-1].append(word)
            position += 1
        sides = [_with_numbers(side) for side in sides]
        if not all(map(self._index_like, sides)) or not any(map(self._has_letter, sides)):
            return None
        spans = [Span(s[0].span.start, s[-1].span.end) for s in sides]
        if all(len(s) == 1 and self._is_letter(s[0]) for s in sides):
            shown = [self.index_word(s[0]) for s in sides]
        else:
            read = zip(sides, spans, strict=True)
            indices = [_IndexOfWords(self, side, span).read() for side, span in read]
            low = any(not i.terms and i.offset.constant == 0 for i in indices)
            less = 0 if low else self.first
            shown = [index_in_text(i - less, lambda axis: axis.name) for i in indices]
        items: list[str | Piece] = [joined(spans[0], shown[0])]
        for sign, span, side in zip(signs, spans[1:], shown[1:], strict=True):
            items += [joined(sign.span, RELATIONS[sign.text]), joined(span, side)]
        self.position = position
        self.expect(close, opened)
        return joined(opened.span, "[", *items, "]")

    def _index_like(self, side: list[Word]) -> bool:
        return bool(side) and all(
            w.text in _ARITHMETIC
            or w.text in (")", "/", r"\rfloor", "{", "}")
            or w.text.isdigit()
            or (self._may_be_letter(w) and self._is_index_name(self.index_word(w)))
            for w in side
        )

    def _may_be_letter(self, word: Word) -> bool:
        return word.text.isalnum() or (word.text[:1] == "\\" and word.text[1:] in GREEK)

    def _is_index_name(self, name: str) -> bool:
        return name in self.bound or name in self.sizes or name not in self.ranks

    def _is_letter(self, word: Word) -> bool:
        if not self._may_be_letter(word) or word.text.isdigit():
            return False
        name = self.index_word(word)
        return name in self.bound or (name not in self.sizes and name not in self.ranks)

    def _has_letter(self, side: list[Word]) -> bool:
        return any(map(self._is_letter, side))

    # --- letters of sums --------------------------------------------------------------------

    def binders(self, start: Word) -> tuple[Piece, list[str], int | None]:
        """The letters below a sum as text, their names, and the number at which it begins."""
        if not self.accept("_"):
            raise self.error(f"'{start.text}' needs its index", start.span, r"Write \sum_{m}.")
        below = _with_numbers(self.script())
        texts = [w.text for w in below]
        if "=" in texts:
            return self._range(below)
        items: list[str | Piece] = []
        names: list[str] = []
        for group in self._groups_of_binders(below):
            name = self.index_word(group[0])
            shown: str | Piece = joined(group[0].span, name)
            if len(group) > 1:
                size = self.size_of_words(group[2:])
                shown = joined(group[0].span, f"{name}<{size_text(size)}")
            items += [",", shown] if items else [shown]
            names.append(name)
        return joined(below[0].span, *items), names, None

    def _groups_of_binders(self, below: list[Word]) -> list[list[Word]]:
        """``m, l \\le n``: letters, each with the size that it may have."""
        groups: list[list[Word]] = []
        ranged = False
        for word in below:
            if word.text == ",":
                ranged = False
            elif word.text in (r"\le", r"\leq") and groups:
                groups[-1].append(word)
                ranged = True
            elif word.text in RELATIONS or word.text == r"\in":
                break
            elif ranged:
                groups[-1].append(word)
            else:
                groups.append([word])
        else:
            sizes = [w for g in groups for w in g[2:]]
            if not any(self._is_letter(w) for w in sizes) and all(len(g) != 2 for g in groups):
                return groups
        raise self.unsupported("a condition under a sum", below[0].span, r"Multiply by [i \ne j].")

    def _range(self, below: list[Word]) -> tuple[Piece, list[str], int | None]:
        """``_{m=1}^{n}`` and ``_{m=0}^{n-1}``."""
        if len(below) < 3 or below[1].text != "=" or not self.accept("^"):
            raise self.error("expected a range such as _{m=1}^{d}", below[0].span)
        name = self.index_word(below[0])
        low = self.size_of_words(below[2:])
        high = self.size_of_words(self.script())
        if low.constant not in (0, 1):
            raise self.error("a sum starts at 0 or 1", below[2].span)
        text = f"{name}<{size_text(high + 1 - low)}"
        return joined(below[0].span, text), [name], low.constant

    def floor(self) -> Piece:
        """``\\lfloor n / 2 \\rfloor`` of sizes, as a value."""
        start = self.position
        while self.word.text not in (r"\rfloor", ""):
            self.take()
        self.expect(r"\rfloor", self.words[start])
        words = self.words[start : self.position]
        span = Span(words[0].span.start, words[-1].span.end)
        text = size_text(self.size_of_words(words))
        return joined(span, text if text.startswith("(") else f"({text})")

    def size_of_words(self, words: list[Word]) -> Size:
        """The size that words without letters of indices state."""
        span = Span(words[0].span.start, words[-1].span.end) if words else self.word.span
        found = _IndexOfWords(self, words, span).read()
        if found.terms:
            raise self.unsupported("a range that depends on an index", span, "Write its condition.")
        return found.offset


class _IndexOfWords:
    """An index such as ``2i - 1`` or ``\\lfloor (i-1)/n \\rfloor + 1``, in letters from 1."""

    def __init__(self, reader: IndexedReader, words: Sequence[Word], span: Span) -> None:
        self.reader = reader
        self.words = [*words, Word("", Span(span.end, span.end))]
        self.span = span
        self.position = 0
        self.depth = 0
        self.axes: dict[str, Axis] = {}

    @property
    def word(self) -> Word:
        return self.words[self.position]

    def accept(self, *texts: str) -> Word | None:
        if self.word.text not in texts or not self.word.text:
            return None
        self.position += 1
        return self.words[self.position - 1]

    def read(self) -> Index:
        found = self.total()
        if self.word.text:
            raise self.reader.error(f"'{self.word.text}' is no index", self.word.span)
        return found

    def total(self) -> Index:
        self.depth += 1
        if self.depth > 50:
            raise self.reader.error("an index is nested deeper than 50 levels", self.span)
        negative = self.accept("-") is not None
        found = self.product()
        if negative:
            found = -found
        while (sign := self.accept("+", "-")) is not None:
            part = self.product()
            found = found + (part if sign.text == "+" else -part)
        self.depth -= 1
        return found

    def product(self) -> Index:
        found = self.power()
        while self.word.text not in ("", "+", "-", ")", "}", "/", r"\rfloor"):
            self.accept("*", r"\cdot")
            found = self._multiplied(found, self.power())
        return found

    def _multiplied(self, left: Index, right: Index) -> Index:
        if left.terms and right.terms:
            raise self.reader.error(
                "a product of two indices", self.span, "An index has integer factors."
            )
        return left * right.offset if not right.terms else right * left.offset

    def power(self) -> Index:
        base = self.factor()
        if self.accept("^"):
            braced = self.accept("{") is not None
            exponent = self.word.text
            if not re.fullmatch(r"[1-9]", exponent) or base.terms:
                raise self.reader.error("an index has small whole powers of sizes", self.word.span)
            self.position += 1
            if braced and not self.accept("}"):
                raise self.reader.error("expected '}'", self.word.span)
            size = base.offset
            for _ in range(int(exponent) - 1):
                base = base * size
        return base

    def factor(self) -> Index:
        word = self.word
        if self.accept("("):
            found = self.total()
            return self._closed(found, ")", word)
        if self.accept(r"\lfloor"):
            dividend = self.total()
            if not self.accept("/"):
                raise self.reader.error("expected '/' in a floor", self.word.span)
            divisor = self.power()
            if divisor.terms or divisor.offset == 0:
                raise self.reader.error("a floor divides by a size", word.span)
            return self._closed(_quotient(dividend, divisor.offset), r"\rfloor", word)
        if word.text.isdigit():
            self.position += 1
            if len(word.text) > 8 or int(word.text) > _LARGEST:
                raise self.reader.error("the index is too large", word.span)
            return Index.of(int(word.text))
        if not word.text:
            raise self.reader.error("an index is missing", self.span)
        name = self.reader.index_word(word)
        self.position += 1
        return self._named(name, word)

    def _closed(self, found: Index, close: str, opened: Word) -> Index:
        if not self.accept(close):
            raise self.reader.error(f"'{opened.text}' is never closed", opened.span)
        return found

    def _named(self, name: str, word: Word) -> Index:
        reader = self.reader
        if name not in reader.bound and name in reader.sizes:
            return Index.of(Size.named(name))
        if name in reader.counted_else:
            raise reader.error(
                f"the sum over '{name}' starts at {1 - reader.first}, but entries are counted "
                f"from {reader.first} in LaTeX",
                word.span,
                r"Write the sum from 1, as in \sum_{m=1}^{n}.",
            )
        # Nothing is known of the size of its axis; a letter that counts from 1 is one more.
        axis = self.axes.setdefault(name, Axis(Size.named(f"⟨{name}⟩"), name))
        return Index.of(axis) + reader.first


def _quotient(dividend: Index, divisor: Size) -> Index:
    if not dividend.terms and divisor.constant is not None:
        return Index.of(dividend.offset.floor_divide(divisor.constant))
    return floor_divide(dividend, divisor)


def _with_numbers(below: list[Word]) -> list[Word]:
    """Words of a subscript in which ``i_{1}`` is one letter."""
    found: list[Word] = []
    position = 0
    while position < len(below):
        rest = [w.text for w in below[position + 1 : position + 5]]
        digits = 3 if rest[1:2] == ["{"] and rest[3:4] == ["}"] else 2
        number = rest[digits - 1] if len(rest) >= digits else ""
        if rest[:1] == ["_"] and number.isdigit() and below[position].text.isalpha():
            last = below[position + (4 if digits == 3 else 2)]
            span = Span(below[position].span.start, last.span.end)
            found.append(Word(below[position].text + number, span))
            position += 5 if digits == 3 else 3
        else:
            found.append(below[position])
            position += 1
    return found
