"""Words of LaTeX, and pieces of text that remember where in the LaTeX they come from."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass

from backprove.errors import InputError, NotationError, Span
from backprove.notation.syntax import MAX_LENGTH

_WORD = re.compile(r"\\[A-Za-z]+|\\.|\|\||\d+\.?\d*|\.\d+|\S", re.DOTALL)
_SPACING = r"""
\, \; \: \! \> \quad \qquad ~ \left \right \big \Big \bigl \bigr \Bigl \Bigr \bigg \Bigg \biggl
\biggr \displaystyle \textstyle \limits \nolimits \nonumber
"""
_GREEK = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon
phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega
"""
_FONTS = r"""
\mathbf \boldsymbol \bm \mathit \mathcal \mathsf \vec \mathrm \text \textbf \operatorname \textrm
\mathbb
"""
SPACING = frozenset([*_SPACING.split(), "\\ ", "\\\n"])
_OLD_FONTS = {r"\rm": r"\mathrm", r"\bf": r"\mathbf", r"\sf": r"\mathsf", r"\it": r"\mathit"}
_DISPLAYS = {r"\(": r"\)", r"\[": r"\]"}
_GREEK_LETTERS: dict[str, str] = dict(
    zip(_GREEK.split(), "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ", strict=True)
)
GREEK = frozenset([*_GREEK_LETTERS, "varepsilon", "vartheta", "varphi", "ell"])
FONTS = frozenset(_FONTS.split())
ACCENTS = {
    r"\hat": "hat",
    r"\widehat": "hat",
    r"\bar": "bar",
    r"\overline": "bar",
    r"\tilde": "tilde",
    r"\dot": "dot",
}
_SIZE = r"(?:[A-Za-z]\w*|\d+)"
_SHAPE = re.compile(rf"^\s*\(?\s*{_SIZE}(?:\s*\\times\s*{_SIZE})+\s*\)?\s*$")
_SPACE = re.compile(
    rf"\\in\s*\\(?:mathbb|mathbf)\s*\{{?R\}}?\s*\^\s*"
    rf"(?:\{{(?P<sizes>[^{{}}]*)\}}|(?P<one>{_SIZE}))\s*$"
)
_LONGEST_SHAPE = 1_000
_MOST_WORDS = 6_000
SUM, PRODUCT, POWER, ATOM = range(4)


@dataclass(frozen=True)
class Word:
    """A word of LaTeX and its place."""

    text: str
    span: Span


def words_of(latex: str) -> list[Word]:
    """The words of LaTeX without spacing; the last one is empty.

    Raises:
        NotationError: the text is too long.
    """
    if len(latex) > MAX_LENGTH:
        raise NotationError(
            f"the formula has {len(latex):,} characters; at most {MAX_LENGTH:,} are read",
            text=latex,
            span=Span(0, 1),
        )
    found = [Word(m.group(), Span(*m.span())) for m in _WORD.finditer(latex)]
    kept = [w for w in found if w.text not in SPACING and w.text != "$"]
    if len(kept) > _MOST_WORDS:
        raise NotationError(
            f"the formula has {len(kept):,} words; at most {_MOST_WORDS:,} are read",
            text=latex,
            span=kept[_MOST_WORDS].span,
            hint="Split it, or write it as text.",
        )
    if len(kept) > 1 and _DISPLAYS.get(kept[0].text) == kept[-1].text:
        kept = kept[1:-1]
    for k, word in enumerate(kept):
        if word.text == "||":  # two bars side by side are a norm: ||w||
            kept[k] = Word(r"\|", word.span)
        elif word.text in _OLD_FONTS and k and kept[k - 1].text == "{":  # {\rm T}
            kept[k - 1 : k + 1] = [Word(_OLD_FONTS[word.text], word.span), kept[k - 1]]
    return [*kept, Word("", Span(len(latex), len(latex)))]


def greek_names(word: str) -> tuple[str, ...]:
    """The names under which a Greek letter may be declared."""
    plain = word.removeprefix("var")
    letter = _GREEK_LETTERS.get(plain)
    return (word, plain, *((letter,) if letter else ()))


@dataclass(frozen=True)
class Piece:
    """A part of the text.

    Attributes:
        parts: words of text, each with its place in the LaTeX.
        rank: the number of axes.
        level: how tightly the outermost operator binds (``SUM`` to ``ATOM``).
        row: True for a vector that is written as a row, such as ``w^\\top``.
        entry: the rank of the array whose single entry this is; 0 otherwise.
        place: the part of the LaTeX that it comes from, if that is known already.
    """

    parts: tuple[tuple[str, Span], ...]
    rank: int = 0
    level: int = ATOM
    row: bool = False
    entry: int = 0
    place: Span | None = None

    @property
    def text(self) -> str:
        """The text alone."""
        return "".join(t for t, _ in self.parts)

    @property
    def span(self) -> Span:
        """The part of the LaTeX that it comes from."""
        if self.place is not None:
            return self.place
        return Span(min(s.start for _, s in self.parts), max(s.end for _, s in self.parts))


def joined(
    span: Span, *items: str | Piece, rank: int = 0, level: int = ATOM, row: bool = False
) -> Piece:
    """Texts and pieces in a row; texts come from ``span``."""
    parts: list[tuple[str, Span]] = []
    places = []
    for item in items:
        parts.extend([(item, span)] if isinstance(item, str) else item.parts)
        if isinstance(item, str) or item.parts:
            places.append(span if isinstance(item, str) else item.span)
    place = Span(min(p.start for p in places), max(p.end for p in places)) if places else span
    return Piece(tuple(parts), rank, level, row, place=place)


def wrapped(piece: Piece, level: int) -> Piece:
    """The piece in parentheses, unless it binds at least as tightly as ``level``."""
    if piece.level >= level:
        return piece
    return joined(piece.span, "(", piece, ")", rank=piece.rank, row=piece.row)


@dataclass(frozen=True)
class LatexText:
    """The text that a LaTeX formula stands for.

    Attributes:
        latex: the formula.
        text: the same in the language of :func:`backprove.notation.lower` and of index formulas.
        places: for each character of ``text`` the part of ``latex`` that it comes from.
        row: True if the (right) side is a vector written as a row, such as ``2 w^\\top``.
    """

    latex: str
    text: str
    places: tuple[Span, ...]
    row: bool = False

    def span(self, span: Span) -> Span:
        """The part of the LaTeX that a part of the text comes from."""
        if not self.places:
            return Span(0, len(self.latex))
        start = min(span.start, len(self.places) - 1)
        among = self.places[start : max(span.end, start + 1)]
        return Span(min(s.start for s in among), max(s.end for s in among))

    def relocate(self, error: InputError) -> InputError:
        """The error with its place moved from the text into the LaTeX."""
        if error.span is not None:
            error.span = self.span(error.span)
        error.text = self.latex
        return error


def shape_text_of(latex: str, symbols: Container[str]) -> LatexText | None:
    """``1 \\times d`` and ``J \\in \\mathbb{R}^{n \\times d}``."""
    if len(latex) > _LONGEST_SHAPE:  # searching a long text for spaces would be quadratic
        return None
    bare = latex.replace("$", " ")
    found = _SPACE.search(bare)
    if found:
        group = "sizes" if found["sizes"] is not None else "one"
        start, end = found.span(group)
    elif _SHAPE.match(bare) and not any(w in symbols for w in re.findall(r"[A-Za-z]\w*", bare)):
        start, end = 0, len(bare)
    else:
        return None
    text, places = "shape ", [Span(start, end)] * 6
    for word in re.finditer(rf"\\times|{_SIZE}", bare[start:end]):
        shown = "×" if word.group() == r"\times" else word.group()
        text += shown
        places += [Span(start + word.start(), start + word.end())] * len(shown)
    return LatexText(latex, text, tuple(places))
