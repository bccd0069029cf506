"""``study``: networks trained on data, several seeds each."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backprove.worksheets.reading import name_of
from backprove.worksheets.session import Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement

Setting = int | float | str | None

_PAIR = re.compile(r"[^\s=]+\s*=\s*(?:[^\s=,]+(?:\s*,\s*[^\s=,]+)*)?")


@statement("study", "study data=NAME KEY=VALUE[,VALUE...] ...")
@dataclass(frozen=True)
class Study(Statement):
    """Trains a grid of networks: one for each combination of the listed values and each seed.

    Args:
        settings: the settings; a list where several values were given.
        places: where each setting stands.
    """

    settings: dict[str, Setting | list[Setting]]
    places: dict[str, Piece]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Study:
        return cls(piece, *read_settings(rest))

    def run(self, session: Session) -> Answer:
        with session.locating(*(self.piece, *self.places.values())):
            result = session.engine.study(**self.settings, progress=session.progress)
        return Answer(result.blocks(), result.to_dict())


def read_settings(
    piece: Piece,
) -> tuple[dict[str, Setting | list[Setting]], dict[str, Piece]]:
    """``hidden=none,512 lr=0.01`` as settings, and where each of them stands.

    Raises:
        WorksheetError: something is no setting, or a setting is given twice.

    >>> read_settings(Piece.of("hidden=none,512 lr=0.01"))[0]
    {'hidden': [None, 512], 'lr': 0.01}
    """
    text = piece.text
    settings: dict[str, Setting | list[Setting]] = {}
    places: dict[str, Piece] = {}
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        part = piece.part(at, found.end() if found else None)
        if found is None:
            raise part.error(
                f"expected KEY=VALUE, found '{part.text[:40]}'",
                "For example: study data=reviews hidden=none,512 lr=0.01 seeds=3 epochs=5.",
            )
        key, _, _ = part.text.partition("=")
        name = name_of(part.part(0, len(key)), "a setting")
        if name in settings:
            raise part.error(f"'{name}' is given twice", "Keep one of them, with all its values.")
        value = part.part(len(key) + 1)
        if not value.text:
            raise part.error(f"the value of '{name}' is missing")
        settings[name], places[name] = _values(value), part
        at = found.end() + len(text[found.end() :]) - len(text[found.end() :].lstrip())
    return settings, places


def _values(piece: Piece) -> Setting | list[Setting]:
    values = [_value(word.strip()) for word in piece.text.split(",")]
    return values[0] if len(values) == 1 else values


def _value(word: str) -> Setting:
    if word == "none":
        return None
    if re.fullmatch(r"[+-]?\d{1,18}", word):
        return int(word)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word):
        return float(word)
    return word
