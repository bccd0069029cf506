"""``claim``: what somebody says about the derivation or the graph above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from backprove.results import VerdictKind
from backprove.worksheets.reading import choice_of, split_options
from backprove.worksheets.session import Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement


@statement(
    "claim", "claim CLAIM [wrt NAME] [layout LAYOUT] [expect right|right_under|wrong|undecided]"
)
@dataclass(frozen=True)
class Claim(Statement):
    """Checks a claim against the latest derivation or graph.

    Args:
        said: the claim.
        options: options for the check, by name.
        expected: the verdict that the worksheet expects; ``right`` where it names none.
    """

    said: Piece
    options: dict[str, Piece]
    expected: VerdictKind | None

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Claim:
        said, options = split_options(rest, ["wrt", "layout", "expect"])
        if not said.text:
            raise piece.error("the claim is missing", f"Usage: {cls.usage}")
        expected = options.pop("expect", None)
        kinds = get_args(VerdictKind)
        kind = choice_of(expected, "a verdict", kinds) if expected else None
        return cls(piece, said, options, kind)  # type: ignore[arg-type]

    def run(self, session: Session) -> Answer:
        if session.subject is None:
            raise self.piece.error(
                "there is nothing above that this claim could be about",
                "Put a 'derive' or a 'graph' statement above it.",
            )
        verdict = session.subject.check(self.said, session, self.options)
        return Answer(verdict.blocks(), verdict.to_dict(), verdict.kind, self.expected)
