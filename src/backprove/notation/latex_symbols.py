"""Names and symbols of a LaTeX formula."""

from __future__ import annotations

from collections.abc import Mapping

from backprove.errors import Span, UnknownName
from backprove.notation.index_writing import size_text
from backprove.notation.latex_indices import IndexedReader
from backprove.notation.latex_pieces import (
    ACCENTS,
    FONTS,
    GREEK,
    Piece,
    Word,
    greek_names,
    joined,
)
from backprove.notation.latex_words import RELATIONS


class SymbolReader(IndexedReader):
    """Reads names and symbols.

    Attributes:
        one_letter: True where TeX takes a single letter, as after ``^`` without braces.
        depth: how deep the expression is that is read.
        bars: how many bars are open.
        letters_on_left: the letters of the left side that was read last, if one was.
    """

    def __init__(
        self, latex: str, ranks: Mapping[str, int], sizes: set[str], first: int = 1
    ) -> None:
        super().__init__(latex, ranks, sizes, first)
        self.one_letter = False
        self.depth = 0
        self.bars = 0
        self.letters_on_left: list[str] | None = None

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
        self.letters_on_left = self.letters_on_left or []
        if not self.accept("_"):
            return joined(span, name), []
        below = self.script()
        content = "".join(w.text for w in below if w.text not in FONTS and w.text not in "{}")
        if content.isdigit() or f"{name}_{content}" in self.ranks:
            known = f"{name}_{content}" if f"{name}_{content}" in self.ranks else name + content
            return joined(span, known), []
        indices = self.indices(below, None)
        self.letters_on_left = [*(self.letters_on_left or []), *(i.text for i in indices)]
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
            if name == "0" and self.accept("_"):
                return self._filled(word, "zeros")
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
            if brace.text != "{" or not self._condition_in_braces():
                return self._filled(start, "ones")
            if self.accept("{"):
                inner = self.accept(r"\{", "[", "(")
                close = {r"\{": r"\}", "[": "]", "(": ")"}[inner.text] if inner else "}"
                if self.compares(close):
                    piece = self.conditions(inner or brace, close)
                    if inner:
                        self.expect("}", brace)
                    return piece
        raise self.error("the vector of ones needs its size", start.span, r"Write \mathbf{1}_n.")

    def _condition_in_braces(self) -> bool:
        start = self.position
        words = self.script()
        self.position = start
        return any(w.text in RELATIONS for w in words)

    def _filled(self, start: Word, function: str) -> Piece:
        """``\\mathbf{1}_{n}``, ``\\mathbf{0}_{n \\times d}``."""
        shape: list[list[Word]] = [[]]
        for word in self.script():
            if word.text in (r"\times", ","):
                shape.append([])
            else:
                shape[-1].append(word)
        sizes = [size_text(self.size_of_words(part)) for part in shape]
        inside = sizes[0] if len(sizes) == 1 else f"({', '.join(sizes)})"
        return joined(start.span, f"{function}({inside})", rank=len(sizes))
