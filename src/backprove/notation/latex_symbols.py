"""Names, symbols and indices of a LaTeX formula, and the cursor over its words."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping

from backprove.errors import NotationError, Span, UnknownName, Unsupported
from backprove.notation.latex_pieces import (
    ACCENTS,
    FONTS,
    GREEK,
    Piece,
    Word,
    greek_names,
    joined,
    words_of,
)

RELATIONS = {
    "=": "=",
    r"\approx": "≈",
    r"\equiv": "==",
    "<": "<",
    ">": ">",
    r"\le": "<=",
    r"\leq": "<=",
    r"\ge": ">=",
    r"\geq": ">=",
    r"\ne": "!=",
    r"\neq": "!=",
}
_SUPPORTED = (
    r"\frac, \sqrt, \sum, \prod, \top, \cdot, \odot, \otimes, \lVert, \ln, \log, \exp, \tanh, "
    r"\max, \det, \operatorname{...}, \mathbb{1}[...], \delta, \partial, \nabla, Greek letters, "
    r"\mathbf and other fonts, \left and \right"
)
_SHIFTED = re.compile(r"^[^\W\d]\w*(?:[+-]\w+)*$")


class SymbolReader(ABC):
    """Reads words, names, symbols, indices and conditions on indices.

    Attributes:
        latex: the formula.
        words: its words; the last one is empty.
        ranks: the number of axes of every known name.
        sizes: the names of sizes.
        letters_allowed: True inside brackets such as ``[i = j]``, where letters are indices.
        one_letter: True where TeX takes a single letter, as after ``^`` without braces.
    """

    def __init__(self, latex: str, ranks: Mapping[str, int], sizes: set[str]) -> None:
        self.latex = latex
        self.words = without_full_stop(words_of(latex))
        self.position = 0
        self.ranks = dict(ranks)
        self.sizes = sizes
        self.letters_allowed = False
        self.one_letter = False
        self.depth = 0
        self.bars = 0

    @abstractmethod
    def expression(self) -> Piece:
        """Terms with ``+`` and ``-`` between them."""

    # --- words and errors -------------------------------------------------------------------

    @property
    def word(self) -> Word:
        """The word that comes next."""
        return self.words[self.position]

    def ahead(self, steps: int = 1) -> str:
        """A later word."""
        return self.words[min(self.position + steps, len(self.words) - 1)].text

    def take(self) -> Word:
        """Consume a word."""
        word = self.word
        self.position = min(self.position + 1, len(self.words) - 1)
        return word

    def accept(self, *texts: str) -> Word | None:
        """Consume the next word if it is one of these."""
        return self.take() if self.word.text in texts else None

    def expect(self, text: str, opened: Word) -> Word:
        """Consume the word that closes ``opened``."""
        found = self.accept(text)
        if found is None:
            raise self.error(f"'{opened.text}' is never closed; expected '{text}'", opened.span)
        return found

    def error(self, message: str, span: Span | None = None, hint: str = "") -> NotationError:
        """A notation error at a place of the LaTeX."""
        return NotationError(message, text=self.latex, span=span or self.word.span, hint=hint)

    def unsupported(self, message: str, span: Span, hint: str = "") -> Unsupported:
        """Something outside of the subset."""
        return Unsupported(
            message, text=self.latex, span=span, hint=hint or f"Supported: {_SUPPORTED}."
        )

    def script(self) -> list[Word]:
        """The words of a script: those in braces, or one."""
        opened = self.word
        if opened.text in FONTS and self.ahead() not in ("", "{"):  # ^\mathsf T
            return [self.take(), self.take()]
        font = self.take() if opened.text in FONTS else None
        if not self.accept("{"):
            self.one_digit()
            return [self.take()]
        found: list[Word] = []
        depth = 0
        while not (self.word.text == "}" and depth == 0):
            if self.word.text == "":
                self.expect("}", opened)
            depth += (self.word.text == "{") - (self.word.text == "}")
            found.append(self.take())
        self.take()
        if not found:
            raise self.error("an empty script", opened.span)
        return [font, *found] if font else found

    def one_digit(self) -> None:
        """Refuse ``x^10``: without braces TeX takes the first digit alone."""
        if len(self.word.text) > 1 and self.word.text.isdigit():
            raise self.error(
                "without braces TeX takes the first digit alone",
                hint=f"Write {{{self.word.text}}} in braces.",
            )

    # --- names ------------------------------------------------------------------------------

    def left(self) -> tuple[Piece | None, list[Piece]]:
        """A name on the left, which need not be declared: ``J_{ijkl}``, ``dW``, ``\\nabla_w f``."""
        start = self.word.span
        if self.accept(r"\nabla"):
            if self.accept("_"):
                self.script()
            self.left_name()
            if self.accept("("):
                while self.word.text not in (")", ""):
                    self.take()
                self.take()
            return joined(start, "grad"), []
        name = self.left_name()
        if name is None:
            return None, []
        span = Span(start.start, self.words[self.position - 1].span.end)
        if not self.accept("_"):
            return joined(span, name), []
        below = self.script()
        content = "".join(w.text for w in below if w.text not in FONTS and w.text not in "{}")
        if content.isdigit() or f"{name}_{content}" in self.ranks:
            known = f"{name}_{content}" if f"{name}_{content}" in self.ranks else name + content
            return joined(span, known), []
        indices = self.indices(below, None)
        items: list[str | Piece] = []
        for index in indices:
            items += [",", index] if items else [index]
        return joined(span, name), [joined(span, "[", *items, "]")]

    def left_name(self) -> str | None:
        word = self.word.text
        if word in FONTS or word in ACCENTS:
            return self.styled_name()
        if word.startswith("\\") and word[1:] in GREEK:
            self.take()
            return self.known(greek_names(word[1:])) or greek_names(word[1:])[-1]
        if not word.isalpha():
            return None
        letters = ""
        while self.word.text.isalpha() and len(self.word.text) == 1:
            letters += self.take().text
        # X W = ... is a product on the left, not a name.
        product = len(letters) > 1 and letters not in self.ranks
        return None if product and all(c in self.ranks for c in letters) else letters

    def known(self, names: tuple[str, ...]) -> str | None:
        return next((n for n in names if n in self.ranks), None)

    def styled_name(self) -> str:
        """The plain name inside ``\\mathbf{x}``, ``\\operatorname{diag}``, ``\\hat{y}``."""
        style = self.take().text
        opened = self.word
        name = ""
        if self.accept("{"):
            while self.word.text not in ("}", ""):
                inner = self.word.text
                if inner in FONTS or inner in ACCENTS:
                    name += self.styled_name()
                    continue
                word = self.take().text
                if word.startswith("\\") and word[1:] in GREEK:
                    word = self.known(greek_names(word[1:])) or word[1:]
                name += "_" if word == r"\_" else word
            self.expect("}", opened)
        else:
            name = self.take().text.removeprefix("\\")
        if style in ACCENTS:
            accent = ACCENTS[style]
            return self.known((f"{name}_{accent}", f"{name}{accent}")) or f"{name}_{accent}"
        return name

    def symbol(self) -> Piece:
        """A declared symbol, a size, a number with a name, an indicator, a delta."""
        word = self.word
        text = word.text
        start = self.position
        if text.startswith("\\") and text[1:] in GREEK:
            self.take()
            names = greek_names(text[1:])
            name = self.known(names) or ("π" if text == r"\pi" else names[-1])
        elif text in FONTS or text in ACCENTS:
            name = self.styled_name()
            if text == r"\mathbb" and name not in ("1", "I"):
                raise self.unsupported(f"'{text}{{{name}}}' is not supported here", word.span)
            if name == "1" and name not in self.ranks:
                return self._indicator(word)
            if name == "d" and text in (r"\mathrm", r"\text", r"\textrm") and "d" not in self.ranks:
                raise self.error(
                    "an upright d is a differential",
                    word.span,
                    "Write the function alone; what to differentiate by is given apart from it.",
                )
        elif text.isalpha():
            name = self._letters()
        elif text == "":
            raise self.error(
                "the formula is empty" if not self.position else "the formula ends too early"
            )
        elif text.startswith("\\"):
            raise self.unsupported(f"the command '{text}' is not supported", word.span)
        else:
            raise self.error(f"expected a symbol, a number or '(', found '{text}'")
        span = Span(self.words[start].span.start, self.words[self.position - 1].span.end)
        return self._named(name, span)

    def _letters(self) -> str:
        """One letter, or the longest run of letters and digits that is a declared name."""
        first = self.position
        run = ""
        longest = 1
        most, self.one_letter = (1 if self.one_letter else 64), False
        for count, word in enumerate(self.words[first : first + most], start=1):
            if not (word.text.isalnum() and word.text.isascii()):
                break
            if run and word.span.start != self.words[first].span.start + len(run):
                break
            run += word.text
            if run in self.ranks:
                longest = count
        name = "".join(w.text for w in self.words[first : first + longest])
        self.position = first + longest
        return name

    def _named(self, name: str, span: Span) -> Piece:
        if self.word.text == "_":
            position = self.position
            self.take()
            below = self.script()
            content = "".join(w.text for w in below if w.text not in FONTS and w.text not in "{}")
            found = self.known((f"{name}_{content}", f"{name}{content}"))
            if found is not None:
                span = Span(span.start, self.words[self.position - 1].span.end)
                return joined(span, found, rank=self.ranks[found])
            if name == "I" and "I" not in self.ranks and content in self.sizes:
                return joined(span, f"eye({content})", rank=2)
            self.position = position
        layer = self._layer(name, span)
        if layer is not None:
            return layer
        if name in self.ranks:
            return joined(span, name, rank=self.ranks[name])
        if name in ("δ", "I") and self.word.text == "_":
            return Piece((("δ", span),), rank=-1)
        if name == "I":
            if self.word.text in ("[", "("):
                return self._indicator(Word("I", span))
            raise self.error("the identity needs its size", span, "Write I_d.")
        if name in ("e", "π", "pi") or name in self.sizes or self.letters_allowed:
            return joined(span, name)
        if name == "σ" and self.word.text == "'":
            raise self.unsupported(
                "a prime is not supported", self.word.span, r"Write \sigma(z)(1-\sigma(z))."
            )
        raise UnknownName(
            f"unknown symbol '{name}'",
            text=self.latex,
            span=span,
            hint=f"Declared: {', '.join(self.ranks) or 'nothing'}.",
        )

    def _layer(self, name: str, span: Span) -> Piece | None:
        """``W^{(1)}``, which is a name and no power."""
        ahead = [w.text for w in self.words[self.position : self.position + 6]]
        if len(ahead) < 6 or ahead[:2] != ["^", "{"] or ahead[2] not in ("(", "["):
            return None
        label = ahead[3]
        found = self.known((f"{name}{label}", f"{name}_{label}"))
        if ahead[5] != "}" or found is None:
            raise self.unsupported(
                f"the label '{name}^{{({label})}}' is not a declared name",
                span,
                f"Declare {name}{label} or {name}_{label}.",
            )
        self.position += 6
        return joined(span, found, rank=self.ranks[found])

    def _indicator(self, start: Word) -> Piece:
        """``\\mathbb{1}[i=k]``, ``\\mathbb{1}_{i=k}``, and ``\\mathbf{1}_n``: ones."""
        opened = self.word
        if opened.text in ("[", "(", r"\{"):
            self.take()
            close = {"[": "]", "(": ")", r"\{": r"\}"}[opened.text]
            if not self.compares(close):
                raise self.error("expected a condition such as [i=k]", opened.span)
            return self.conditions(opened, close)
        if self.accept("_"):
            brace = self.word
            content = [w.text for w in self.words[self.position : self.position + 3]]
            if brace.text in self.sizes:
                self.take()
                return joined(start.span, f"ones({brace.text})", rank=1)
            if (
                len(content) == 3
                and content[0] == "{"
                and content[2] == "}"
                and content[1] in self.sizes
            ):
                self.position += 3
                return joined(start.span, f"ones({content[1]})", rank=1)
            if self.accept("{"):
                inner = self.accept(r"\{", "[", "(")
                close = {r"\{": r"\}", "[": "]", "(": ")"}[inner.text] if inner else "}"
                if self.compares(close):
                    piece = self.conditions(inner or brace, close)
                    if inner:
                        self.expect("}", brace)
                    return piece
        raise self.error("the vector of ones needs its size", start.span, r"Write \mathbf{1}_n.")

    def compares(self, close: str) -> bool:
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
        allowed, self.letters_allowed = self.letters_allowed, True
        sides = [self.expression()]
        items: list[str | Piece] = [sides[0]]
        while self.word.text in RELATIONS:
            sign = self.take()
            sides.append(self.expression())
            items += [joined(sign.span, RELATIONS[sign.text]), sides[-1]]
        self.letters_allowed = allowed
        self.expect(close, opened)
        self._check_shift(sides, "".join(_text(i) for i in items[1::2]))
        return joined(opened.span, "[", *items, "]")

    def _check_shift(self, sides: list[Piece], relations: str) -> None:
        """Refuse comparisons of indices that depend on where indices start."""
        shown = [side.text.replace(" ", "") for side in sides]
        if any(
            re.search(r"\[|\(", t) or self.ranks.keys() & set(re.findall(r"\w+", t)) for t in shown
        ):
            return
        for side, text in zip(sides, shown, strict=True):
            bound = ("<" in relations or ">" in relations) and text in self.sizes
            if bound or not self._same_from_one(text):
                raise self.error(
                    "indices are counted from 0 in text and from 1 in LaTeX",
                    side.span,
                    f"'{text}' means two things; write the claim as text.",
                )

    def indices(self, below: list[Word], rank: int | None) -> list[Piece]:
        """One piece for each index; letters side by side are indices of their own."""
        groups: list[list[Word]] = [[]]
        commas = any(w.text == "," for w in below)
        arithmetic = any(w.text in ("+", "-") for w in below)
        for word in below:
            if word.text == ",":
                groups.append([])
            elif not commas and not arithmetic and groups[-1]:
                groups.append([word])
            else:
                groups[-1].append(word)
        if arithmetic and not commas and rank not in (None, 1):
            raise self.error("separate the indices by commas", below[0].span, "Write X_{i+1,j}.")
        pieces = []
        for group in groups:
            if not group:
                raise self.error("an index is missing", below[0].span)
            if len(group) == 1 and group[0].text.isdigit():
                raise self.error(
                    "entries are counted from 0 in text and from 1 in LaTeX",
                    group[0].span,
                    "Write the claim as text, as in x[0].",
                )
            shown = [joined(w.span, self.index_word(w)) for w in group]
            pieces.append(joined(group[0].span, *shown))
            if not self._same_from_one(pieces[-1].text):
                raise self.error(
                    "entries are counted from 0 in text and from 1 in LaTeX",
                    pieces[-1].span,
                    f"'{pieces[-1].text}' means two things; write the claim as text.",
                )
        return pieces

    def _same_from_one(self, index: str) -> bool:
        """True if an index means the same entry whether indices count from 0 or from 1."""
        found = _SHIFTED.match(index)
        shifts = re.findall(r"[+-](\w+)", index)
        known = all(shift.isdigit() or shift in self.sizes for shift in shifts)
        return bool(found) and known and not (shifts and index[0] in self.sizes)

    def index_word(self, word: Word) -> str:
        if word.text.isalnum() or word.text in ("+", "-"):
            return word.text
        if word.text.startswith("\\") and word.text[1:] in GREEK:
            return greek_names(word.text[1:])[-1]
        raise self.error(f"'{word.text}' is no index", word.span)


def without_full_stop(words: list[Word]) -> list[Word]:
    """The words without the punctuation of the sentence around the formula."""
    return (
        [*words[:-2], words[-1]] if len(words) > 2 and words[-2].text in (".", ",", ";") else words
    )


def _text(item: str | Piece) -> str:
    return item if isinstance(item, str) else item.text
