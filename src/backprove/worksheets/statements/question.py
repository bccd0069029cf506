"""``question``: what the statements below belong to, until the next one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backprove.results import Text
from backprove.worksheets.reading import choice_of, number_or_list, split_list, split_options
from backprove.worksheets.session import Question as Asked
from backprove.worksheets.session import Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement

CONDITIONS = ("layout", "assumption")
"""``layout``: another layout, row or column vectors, an order of vec; ``assumption``: a fact such
as a symmetric matrix that the question does not give."""

_NAME = re.compile(r"[\w][\w.\-]{0,39}")


@statement("question", "question NAME [points NUMBER] [accept layout, assumption]")
@dataclass(frozen=True)
class Question(Statement):
    """Gives a name to what follows; what was asked before it is out of reach of its claims.

    Args:
        name: unique within the worksheet.
        points: what a right answer is worth.
        accepts: the kinds of conditions under which graders accept a claim.
    """

    name: Piece
    points: float
    accepts: frozenset[str]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Question:
        name, options = split_options(rest, ["points", "accept"])
        if not _NAME.fullmatch(name.text):
            raise (name if name.text else piece).error(
                f"expected the name of a question, found '{name.text[:40]}'",
                "A name is one word of letters, digits, '.', '-' and '_', such as S28 or 1a.",
            )
        points = number_or_list(options["points"]) if "points" in options else 1.0
        if not isinstance(points, int | float) or not 0 < points <= 1000:
            raise options["points"].error("points are a number above 0, at most 1000")
        accepted = split_list(options["accept"]) if "accept" in options else []
        kinds = frozenset(choice_of(kind, "a kind of condition", CONDITIONS) for kind in accepted)
        return cls(piece, name, float(points), kinds)

    def run(self, session: Session) -> Answer:
        earlier = session.questions.get(self.name.text)
        if earlier is not None:
            raise self.name.error(
                f"question {self.name.text} is in line {earlier.piece.line} already",
                "Choose another name.",
            )
        session.question = session.questions[self.name.text] = Asked(self.name.text, self.name)
        session.subject = None
        return Answer([Text(f"Question {self.name.text}")], {"kind": "question"})
