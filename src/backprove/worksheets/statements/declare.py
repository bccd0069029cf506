"""``let``: symbols with their shapes and domains."""

from __future__ import annotations

from dataclasses import dataclass

from backprove.errors import BackproveError
from backprove.notation.expressions import DOMAINS
from backprove.notation.shapes import declare, parse_shape
from backprove.results import Text
from backprove.worksheets.reading import name_of, split_list
from backprove.worksheets.session import Session, Symbol
from backprove.worksheets.source import Piece, located
from backprove.worksheets.statement import Answer, Statement, statement

_HINT = "For example: let X: n×d, w: d, y: k onehot, c: scalar."


@statement("let", "let NAME[, NAME...]: SHAPE [DOMAIN][, ...]")
@dataclass(frozen=True)
class Let(Statement):
    """Declares symbols.

    Args:
        symbols: each name with the place where it stands, and what was said about it.
    """

    symbols: dict[str, tuple[Piece, Symbol]]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Let:
        return cls(piece, read_declarations(rest))

    def run(self, session: Session) -> Answer:
        for name, (place, symbol) in self.symbols.items():
            earlier = session.symbols.get(name)
            if earlier and (earlier.shape, earlier.domain) != (symbol.shape, symbol.domain):
                raise place.error(
                    f"'{name}' is declared in line {earlier.piece.line} already, "
                    f"as {_described(earlier)}",
                    "Choose another name: a name means one thing in the whole worksheet.",
                )
            session.symbols[name] = symbol
        told = [f"`{name}`: {_described(symbol)}" for name, (_, symbol) in self.symbols.items()]
        data = {
            name: {"shape": _sizes(symbol), "domain": symbol.domain or "real"}
            for name, (_, symbol) in self.symbols.items()
        }
        return Answer([Text("; ".join(told))], {"kind": "let", "symbols": data})


def read_declarations(piece: Piece) -> dict[str, tuple[Piece, Symbol]]:
    """``X: n×d, w: d onehot`` as symbols.

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
    for part in split_list(piece):
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
    return Symbol(shape.text or "scalar", domain, piece)


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
