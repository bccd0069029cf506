"""``let``: symbols with shapes and domains, names for expressions, values, and the layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from backprove.errors import BackproveError
from backprove.notation.expressions import DOMAINS
from backprove.notation.shapes import declare, parse_shape
from backprove.results import Text
from backprove.worksheets.definitions import Definition
from backprove.worksheets.reading import choice_of, name_of, number_or_list, split_list
from backprove.worksheets.session import Session, Symbol
from backprove.worksheets.source import Piece, located
from backprove.worksheets.statement import Answer, Statement, statement

LAYOUTS = ("numerator", "denominator")

_HINT = "For example: let X: n×d, w: d, y: k onehot, c: scalar, s = softmax(z)."


@statement("let", "let NAME[, NAME...]: SHAPE [DOMAIN], NAME = EXPRESSION, layout LAYOUT")
@dataclass(frozen=True)
class Let(Statement):
    """Declares symbols, and says what names stand for.

    Args:
        symbols: each name with the place where it stands, and what was said about it.
        meanings: each name with the places of the name and of the expression or value.
        layout: the layout of the derivatives below; None if it is not said.
    """

    symbols: dict[str, tuple[Piece, Symbol]]
    meanings: dict[str, tuple[Piece, Piece]]
    layout: str | None

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Let:
        declared, meanings = _sorted_parts(rest)
        layout = meanings.pop("layout", None)
        symbols = read_declarations(declared)
        for name in meanings.keys() & symbols.keys():
            raise meanings[name][0].error(f"'{name}' is declared twice", "Keep one of them.")
        chosen = choice_of(layout[1], "a layout", LAYOUTS) if layout else None
        return cls(piece, symbols, meanings, chosen)

    def run(self, session: Session) -> Answer:
        told = [
            self._declare(name, place, symbol, session)
            for name, (place, symbol) in self.symbols.items()
        ]
        told += [self._define(name, *pieces, session) for name, pieces in self.meanings.items()]
        if self.layout:
            session.layout = self.layout
            told.append(f"layout: {self.layout}")
        data = {
            name: {"shape": _sizes(symbol), "domain": symbol.domain or "real"}
            for name, (_, symbol) in self.symbols.items()
        }
        meanings = {name: meant.text for name, (_, meant) in self.meanings.items()}
        return Answer(
            [Text("; ".join(told))],
            {"kind": "let", "symbols": data, "meanings": meanings, "layout": self.layout},
        )

    def _declare(self, name: str, place: Piece, symbol: Symbol, session: Session) -> str:
        _refuse_a_second_meaning(name, place, session, symbol)
        session.symbols[name] = symbol
        return f"`{name}`: {_described(symbol)}"

    def _define(self, name: str, place: Piece, meant: Piece, session: Session) -> str:
        _refuse_a_second_meaning(name, place, session, meant)
        if "×" in meant.text:
            raise meant.error(f"'{meant.text[:40]}' is a shape", f"Write {name}: {meant.text[:40]}")
        if _VALUE.match(meant.text):
            session.values[name] = (place, number_or_list(meant))
        else:
            session.definitions[name] = Definition(session.text(meant), meant)
        return f"`{name} = {meant.text}`"


_VALUE = re.compile(r"[-+−]?[\d.]+(?:[eE][-+]?\d+)?(?:\s*/\s*\d+)?$|\[")


def _sorted_parts(piece: Piece) -> tuple[list[Piece], dict[str, tuple[Piece, Piece]]]:
    """The parts that declare symbols, and name and meaning of those that have an equals sign."""
    declared: list[Piece] = []
    meanings: dict[str, tuple[Piece, Piece]] = {}
    for part in split_list(piece):
        text = part.text
        name, equals, _ = text.partition("=")
        if found := re.match(r"layout\s+", text):
            key, meant = part.part(0, found.end()), part.part(found.end())
        elif equals and ":" not in name:
            key, meant = part.part(0, len(name)), part.part(len(name) + 1)
            name_of(key, "an expression")
            if not meant.text:
                raise key.error(f"nothing follows '{key.text} ='", _HINT)
        else:
            declared.append(part)
            continue
        if key.text in meanings:
            raise key.error(f"'{key.text}' is given twice", "Keep one of them.")
        meanings[key.text] = (key, meant)
    return declared, meanings


def _refuse_a_second_meaning(
    name: str, place: Piece, session: Session, meant: Symbol | Piece
) -> None:
    """A name means one thing in the whole worksheet; to say the same again is no harm."""
    if name in session.symbols:
        earlier = session.symbols[name]
        same = isinstance(meant, Symbol) and (earlier.shape, earlier.domain) == (
            meant.shape,
            meant.domain,
        )
        piece, said = earlier.piece, f"as {_described(earlier)}"
        # A declared symbol may get a value, for the graphs that have it as an input.
        same = same or (isinstance(meant, Piece) and bool(_VALUE.match(meant.text)))
    elif name in session.definitions:
        piece = session.definitions[name].piece
        same, said = isinstance(meant, Piece) and meant.text == piece.text, f"as {piece.text[:40]}"
    else:
        return
    if not same:
        raise place.error(
            f"'{name}' is declared in line {piece.line} already, {said}",
            "Choose another name: a name means one thing in the whole worksheet.",
        )


def read_declarations(piece: Piece | list[Piece]) -> dict[str, tuple[Piece, Symbol]]:
    """``X: n×d, w: d onehot``, or its parts, as symbols.

    Names before one colon share what follows it.

    Raises:
        WorksheetError: a part has no colon, or its name is no name or given twice.
        ShapeError: what follows a colon is no shape, or does not suit the domain.

    >>> text = "X: n×d, a, b: k onehot"
    >>> {name: (s.shape, s.domain)
    ...  for name, (_, s) in read_declarations(Piece.of(text)).items()}
    {'X': ('n×d', ''), 'a': ('k', 'onehot'), 'b': ('k', 'onehot')}
    """
    found: dict[str, tuple[Piece, Symbol]] = {}
    waiting: list[Piece] = []
    for part in piece if isinstance(piece, list) else split_list(piece):
        name, colon, _ = part.text.partition(":")
        waiting.append(part.part(0, len(name)))
        if colon:
            symbol = _symbol(part.part(len(name) + 1), waiting[-1])
            for place in waiting:
                _enter(found, place, symbol)
            waiting = []
    if waiting:
        raise waiting[0].error(f"'{waiting[0].text[:40]}' has no shape", _HINT)
    return found


def _symbol(piece: Piece, after: Piece) -> Symbol:
    if not piece.text:
        raise after.error(f"the shape of '{after.text}' is missing", _HINT)
    words = piece.text.rsplit(maxsplit=1)
    domain = words[-1] if words[-1] in DOMAINS else ""
    shape = piece.part(0, len(piece.text) - len(domain))
    _refuse_slips(shape)
    return Symbol(shape.text or "scalar", domain, piece)


def _refuse_slips(shape: Piece) -> None:
    """Texts that read as a shape, although something else was meant."""
    if found := re.search(r"^\s*[×;]|[×;]\s*[×;]|[×;]\s*$", shape.text):
        raise shape.part(found.start(), found.end()).error("a size is missing here", _HINT)
    for word in list(re.finditer(r"[a-z]+\d?", shape.text))[1:]:
        if len(word[0]) < 4 or word[0] in DOMAINS:
            continue
        if close := get_close_matches(word[0], DOMAINS, n=1, cutoff=0.75):
            raise shape.part(word.start(), word.end()).error(
                f"'{word[0]}' would be a size here", f"Is the domain '{close[0]}' meant?"
            )


def _enter(found: dict[str, tuple[Piece, Symbol]], place: Piece, symbol: Symbol) -> None:
    name = name_of(place, "a symbol")
    if name in found:
        raise place.error(f"'{name}' is declared twice", "Keep one of them.")
    try:
        declare({name: symbol.shape}, {name: symbol.domain} if symbol.domain else None)
    except BackproveError as error:
        raise located(error, symbol.piece) from error
    found[name] = (place, symbol)


def _sizes(symbol: Symbol) -> list[str]:
    return [str(size) for size in parse_shape(symbol.shape)]


def _described(symbol: Symbol) -> str:
    shape = " × ".join(_sizes(symbol)) or "scalar"
    return f"{shape}, {symbol.domain}" if symbol.domain else shape
