"""The cursor over the words of a LaTeX formula, and errors at their places."""

from __future__ import annotations

from backprove.errors import NotationError, Span, Unsupported
from backprove.notation.latex_pieces import FONTS, Word, words_of

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


class WordReader:
    """Reads words one after another.

    Attributes:
        latex: the formula.
        words: its words; the last one is empty.
        position: the number of the word that comes next.
    """

    def __init__(self, latex: str) -> None:
        self.latex = latex
        self.words = without_full_stop(words_of(latex))
        self.position = 0

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


def without_full_stop(words: list[Word]) -> list[Word]:
    """The words without the punctuation of the sentence around the formula."""
    return (
        [*words[:-2], words[-1]] if len(words) > 2 and words[-2].text in (".", ",", ";") else words
    )
