"""``function``: what is known about named functions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from backprove.worksheets.session import Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement


@statement("function", "function NAME [NAME...]")
@dataclass(frozen=True)
class Function(Statement):
    """Describes functions, and draws them over their derivatives where there are several.

    Args:
        names: the functions.
    """

    names: tuple[Piece, ...]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Function:
        words = re.finditer(r"[^\s,]+", rest.text)
        return cls(piece, tuple(rest.part(word.start(), word.end()) for word in words))

    def run(self, session: Session) -> Answer:
        with session.locating(*self.names):
            results = session.engine.functions([name.text for name in self.names])
        blocks = [block for result in results for block in result.blocks()]
        return Answer(blocks, {"kind": "functions", "results": [r.to_dict() for r in results]})
