"""Norms, absolute values, fractions and roots: parts of a formula that enclose other parts."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping

from backprove.errors import Span
from backprove.notation.latex_pieces import (
    ATOM,
    FONTS,
    POWER,
    PRODUCT,
    Piece,
    Word,
    joined,
    wrapped,
)
from backprove.notation.latex_symbols import SymbolReader

NORMS = {r"\|": r"\|", r"\lVert": r"\rVert", r"\Vert": r"\Vert", r"\norm": "}"}
BARS = {"|": "|", r"\lvert": r"\rvert", r"\vert": r"\vert", r"\abs": "}"}


class EnclosedReader(SymbolReader):
    """Reads what encloses an expression."""

    @abstractmethod
    def atom(self) -> Piece:
        """A number, a symbol, or something enclosed."""

    def norm(self) -> Piece:
        """A norm, with its index."""
        opened, inner = self._between_bars(NORMS)
        which = self._which_norm()
        span = Span(opened.span.start, self.words[self.position - 1].span.end)
        if inner.rank == 2 and which != "F":
            raise self.unsupported(
                "the norm of a matrix can be read in two ways", span, r"Write \lVert A \rVert_F."
            )
        if which in ("", "2", "F"):
            return joined(span, "norm(", inner, ")")
        if which == "1":
            return joined(span, "sum(abs(", inner, "))")
        if which == r"\infty":
            return joined(span, "max(abs(", inner, "))")
        raise self.unsupported(
            f"the norm '{which}' is not supported", span, r"Norms: 1, 2, \infty, F."
        )

    def _between_bars(self, closing: Mapping[str, str]) -> tuple[Word, Piece]:
        opened = self.take()
        braced = closing[opened.text] == "}"
        if braced and not self.accept("{"):
            raise self.error(f"expected '{{' after '{opened.text}'")
        bars, self.bars = self.bars, 0 if braced else self.bars + 1
        inner = self.expression()
        self.expect(closing[opened.text], opened)
        self.bars = bars
        return opened, inner

    def _which_norm(self) -> str:
        """The index of a norm; it may stand behind a power, as in ``\\|X\\|^2_F``."""
        start = self.position
        power: list[Word] = []
        if self.accept("^"):
            self.script()
            power = self.words[start : self.position]
        if not self.accept("_"):
            self.position = start
            return ""
        which = "".join(w.text for w in self.script() if w.text not in FONTS and w.text not in "{}")
        if power:  # the power is read again, behind the norm
            self.position -= len(power)
            self.words[self.position : self.position + len(power)] = power
        return which

    def inner_product(self) -> Piece:
        """``\\langle x, y \\rangle``."""
        opened = self.take()
        bars, self.bars = self.bars, 0
        left = self.expression()
        if not self.accept(","):
            raise self.error(
                "expected ',' between two factors", hint=r"Write \langle x, y \rangle."
            )
        right = self.expression()
        self.expect(r"\rangle", opened)
        self.bars = bars
        span = Span(opened.span.start, self.words[self.position - 1].span.end)
        if not left.rank or left.rank != right.rank:
            raise self.error(
                f"an inner product of arrays with {left.rank} and {right.rank} axes", span
            )
        return joined(span, "sum(", wrapped(left, PRODUCT), " * ", wrapped(right, POWER), ")")

    def absolute(self) -> Piece:
        """An absolute value."""
        opened, inner = self._between_bars(BARS)
        span = Span(opened.span.start, self.words[self.position - 1].span.end)
        if inner.rank == 2:
            raise self.unsupported(
                "|A| of a matrix can be read in two ways", span, r"Write \det(A)."
            )
        return joined(span, "abs(", inner, ")", rank=inner.rank, row=inner.row)

    def braced(self) -> Piece:
        """An argument in braces, or what TeX takes without them: a letter, a digit, a command."""
        opened = self.word
        if self.accept("{"):
            bars, self.bars = self.bars, 0
            inner = self.expression()
            self.expect("}", opened)
            self.bars = bars
            return inner
        self.one_digit()
        self.one_letter = True
        inner = self.atom()
        self.one_letter = False
        return inner

    def _split_digits(self) -> None:
        """``\\frac12`` is 1/2: the digits of a number without braces are words of their own."""
        word = self.word
        if len(word.text) > 1 and word.text.isdigit():
            self.words[self.position : self.position + 1] = [
                Word(digit, Span(word.span.start + k, word.span.start + k + 1))
                for k, digit in enumerate(word.text)
            ]

    def fraction(self) -> Piece:
        """A quotient of two arguments."""
        start = self.take()
        quotient = self._quotient(start)
        if quotient is not None:
            return quotient
        self._split_digits()
        top = self.braced()
        self._split_digits()
        bottom = self.braced()
        last = self.words[self.position - 1]
        if last.text.isdigit() and self.word.text[:1].isdigit():
            raise self.error(
                "without braces TeX takes one digit alone",
                Span(start.span.start, self.word.span.end),
                r"Write \frac{a}{b}.",
            )
        span = Span(start.span.start, last.span.end)
        if bottom.rank:
            raise self.unsupported(
                "a division by an array",
                bottom.span,
                r"Divide by scalars, or write the entries, as in \frac{1}{x_i}.",
            )
        top, bottom = wrapped(top, PRODUCT), wrapped(bottom, POWER)
        return joined(span, "(", top, " / ", bottom, ")", rank=top.rank, row=top.row)

    def _quotient(self, start: Word) -> Piece | None:
        """``\\frac{\\partial F_{ij}}{\\partial W_{kl}}``; the names need not be declared."""
        position = self.position
        halves: list[Piece] = []
        for _ in range(2):
            if not self.accept("{"):
                break
            sign = self.word
            plain = sign.text == "d" and "d" not in self.ranks and self.ahead() != "}"
            upright = [w.text for w in self.words[self.position : self.position + 4]]
            if upright == [r"\mathrm", "{", "d", "}"]:
                self.position += 3
            elif sign.text != r"\partial" and not plain:
                break
            self.take()
            name, indices = self.left()
            if name is None or not self.accept("}"):
                break
            halves.append(joined(sign.span, "∂", name, *indices))
        differential = re.match(
            r"\\[td]?frac\s*\{\s*(?:d|\\partial)\s*[^{}]*\}\s*\{\s*(?:d|\\partial)[\s\\A-Za-z]",
            self.latex[start.span.start : start.span.start + 200],
        )
        if len(halves) < 2 and differential and "d" not in self.ranks:
            raise self.error(
                "a derivative that is still to be taken",
                Span(start.span.start, start.span.start + differential.end() - 1),
                "Write the function alone; what to differentiate by is given apart from it.",
            )
        if len(halves) == 2:
            span = Span(start.span.start, self.words[self.position - 1].span.end)
            return joined(span, halves[0], "/", halves[1])
        self.position = position
        return None

    def root(self) -> Piece:
        """A square root, or one of another degree."""
        start = self.take()
        degree = None
        if opened := self.accept("["):
            degree = self.expression()
            self.expect("]", opened)
        inner = self.braced()
        if degree is None:
            return joined(start.span, "sqrt(", inner, ")", rank=inner.rank, row=inner.row)
        return joined(
            start.span, "(", wrapped(inner, ATOM), "**(1/", wrapped(degree, ATOM), "))",
            rank=inner.rank, row=inner.row,
        )  # fmt: skip
