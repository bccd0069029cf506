"""``claim``: what somebody says about the answer above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from backprove.results import VerdictKind
from backprove.worksheets.reading import choice_of, split_options
from backprove.worksheets.session import Reproduction, Session, Subject
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement


@statement(
    "claim", "claim CLAIM [wrt NAME] [layout LAYOUT] [expect right|right_under|wrong|undecided]"
)
@dataclass(frozen=True)
class Claim(Statement):
    """Checks a claim against the latest answer above.

    Args:
        said: the claim.
        options: options for the check, by name.
        named: the verdict that the worksheet expects; ``right`` where it names none.
    """

    said: Piece
    options: dict[str, Piece]
    named: VerdictKind | None

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Claim:
        said, options = split_options(rest, ["wrt", "layout", "expect"])
        if not said.text:
            raise piece.error("the claim is missing", f"Usage: {cls.usage}")
        expected = options.pop("expect", None)
        kinds = get_args(VerdictKind)
        kind = choice_of(expected, "a verdict", kinds) if expected else None
        return cls(piece, said, options, kind)  # type: ignore[arg-type]

    @property
    def expected(self) -> VerdictKind | None:
        return self.named

    def prepare(self, session: Session) -> None:
        self._subject(session).hear(self.said)

    def run(self, session: Session) -> Answer:
        verdict = self._subject(session).check(self.said, session, self.options)
        return Answer(verdict.blocks(), verdict.to_dict(), verdict.kind)

    def key(self, session: Session) -> Any:
        return self._subject(session).key(self.said, session, self.options)

    def reproduction(self, session: Session) -> Reproduction | None:
        return self._subject(session).reproduction(self.said, session, self.options)

    def _subject(self, session: Session) -> Subject:
        if session.subject is None:
            raise self.piece.error(
                "there is nothing above that this claim could be about",
                "Put a statement that answers above it, such as 'derive' or 'graph'.",
            )
        return session.subject
