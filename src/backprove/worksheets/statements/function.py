"""``function``: what is known about named functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from shlex import quote
from typing import Any

from backprove.results import Result
from backprove.worksheets.session import Reproduction, Session
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
            results = self._results(session)
        blocks = [block for result in results for block in result.blocks()]
        return Answer(blocks, {"kind": "functions", "results": [r.to_dict() for r in results]})

    def key(self, session: Session) -> Any:
        return [self.keyword, *(name.text for name in self.names)]

    def reproduction(self, session: Session) -> Reproduction:
        names = [name.text for name in self.names]
        return Reproduction(
            f"backprove function {' '.join(map(quote, names))}",
            "\n".join(f"bp.function({name!r})" for name in names),
        )

    def _results(self, session: Session) -> list[Result]:
        return session.engine.functions([name.text for name in self.names])


@statement("plot", "plot NAME [NAME...]")
class Plot(Function):
    """Draws functions over their derivatives, without the descriptions."""

    def _results(self, session: Session) -> list[Result]:
        return [session.engine.figure([name.text for name in self.names])]

    def reproduction(self, session: Session) -> Reproduction:
        names = [name.text for name in self.names]
        return Reproduction(
            f"backprove function {' '.join(map(quote, names))} --plot out.html",
            f"from backprove.functions import function_figure\nfunction_figure({names!r})",
        )
