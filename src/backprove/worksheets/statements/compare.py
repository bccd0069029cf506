"""``compare``: two levels of a factor of the study above, compared in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backprove.worksheets.session import Reproduction, Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement
from backprove.worksheets.study_claims import StudySubject, reproduction_of


@statement("compare", "compare FACTOR LEVEL with LEVEL [on dev|test] [at FACTOR=LEVEL, ...]")
@dataclass(frozen=True)
class Compare(Statement):
    """Compares two levels of a factor, from the study above.

    Args:
        pair: what is compared.
    """

    pair: Piece

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Compare:
        return cls(piece, rest)

    def run(self, session: Session) -> Answer:
        subject = self._subject(session)
        with session.locating(self.pair):
            result = subject.study.compare(self.pair.text)
        return Answer(result.blocks(), result.to_dict())

    def key(self, session: Session) -> Any:
        return ["compare", self._subject(session).settings, self.pair.text]

    def reproduction(self, session: Session) -> Reproduction:
        asked = reproduction_of(self._subject(session).settings)
        return Reproduction(asked.command, f"{asked.python}.compare({self.pair.text!r})")

    def _subject(self, session: Session) -> StudySubject:
        if not isinstance(session.subject, StudySubject):
            raise self.piece.error(
                "there is no study above whose levels could be compared",
                "Put a 'study' statement above it.",
            )
        return session.subject
