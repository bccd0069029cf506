"""``study``: networks trained on data, several seeds each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from backprove.worksheets.reading import name_of
from backprove.worksheets.session import Reproduction, Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement
from backprove.worksheets.study_claims import StudySubject, reproduction_of, study_folder

Setting = str | list[int]

_PAIR = re.compile(r"[^\s=]+\s*=\s*(?:[^\s=,;]+(?:\s*[,;]\s*[^\s=,;]+)*)?")


@statement("study", "study data=NAME KEY=VALUE[,VALUE...] ...")
@dataclass(frozen=True)
class Study(Statement):
    """Trains a grid of networks: one for each combination of the listed values and each seed.

    Args:
        settings: the texts of the settings; seeds given one by one are a list of numbers.
        places: where each setting stands.
    """

    settings: dict[str, Setting]
    places: dict[str, Piece]

    repeated = "The study is the one above, where its numbers and figures stand."

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Study:
        return cls(piece, *read_settings(rest))

    def prepare(self, session: Session) -> None:
        session.subject = StudySubject(self.settings, lambda: self._result(session))

    def run(self, session: Session) -> Answer:
        subject = session.subject
        assert isinstance(subject, StudySubject)  # prepare made it
        return Answer(subject.study.blocks(), subject.study.to_dict())

    def key(self, session: Session) -> Any:
        return ["study", self.settings]

    def reproduction(self, session: Session) -> Reproduction:
        return reproduction_of(self.settings)

    def _result(self, session: Session) -> Any:
        with session.locating(*(self.piece, *self.places.values())):
            folder = study_folder(session.studies, self.settings)
            return session.engine.study(self.settings, session.progress, folder)


def read_settings(
    piece: Piece,
) -> tuple[dict[str, Setting], dict[str, Piece]]:
    """``hidden=none,512 lr=0.01`` as settings, and where each of them stands.

    Raises:
        WorksheetError: something is no setting, or a setting is given twice.

    >>> read_settings(Piece.of("hidden=none,512 lr=0.01"))[0]
    {'hidden': 'none,512', 'lr': '0.01'}
    >>> read_settings(Piece.of("zipped=hidden, lr; dropout, batch epochs=2"))[0]
    {'zipped': 'hidden,lr;dropout,batch', 'epochs': '2'}
    """
    text = piece.text
    settings: dict[str, Setting] = {}
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
        settings[name], places[name] = _setting(name, value.text), part
        at = found.end() + len(text[found.end() :]) - len(text[found.end() :].lstrip())
    return settings, places


def _setting(name: str, text: str) -> Setting:
    words = [word.strip() for word in text.split(",")]
    if name == "seeds" and len(words) > 1 and all(re.fullmatch(r"\d{1,10}", w) for w in words):
        return [int(word) for word in words]
    return re.sub(r"\s*;\s*", ";", ",".join(words))
