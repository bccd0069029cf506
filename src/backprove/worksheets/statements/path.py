"""``path``: every way of the chain rule from an input to the output of the graph above."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from backprove.graphs.numerals import count_text, shown
from backprove.results import Table, Text
from backprove.worksheets.reading import name_of
from backprove.worksheets.session import Reproduction, Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement
from backprove.worksheets.statements.graph import GraphSubject


@statement("path", "path NAME")
@dataclass(frozen=True)
class Path(Statement):
    """Lists the paths, their products and the sum.

    Args:
        start: the node from which the paths lead to the output.
    """

    start: Piece

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Path:
        name_of(rest, "a node of the graph")
        return cls(piece, rest)

    def run(self, session: Session) -> Answer:
        subject = session.subject
        if not isinstance(subject, GraphSubject):
            raise self.piece.error(
                "there is no graph above that this path could be in",
                "Put a 'graph' statement above it.",
            )
        with session.locating(self.start):
            found = subject.run(session).paths(self.start.text)
        rows = [[path.symbols, path.numbers, shown(path.value)] for path in found.paths]
        table = [Table(["path", "with numbers", "product"], rows)] if rows else []
        count = f"{count_text(found.count)} {'path' if found.count == 1 else 'paths'}"
        text = f"{count} from `{found.start}` to `{found.output}`: {found.text}."
        return Answer([Text(text), *table], {"kind": "paths", **found.to_dict()})

    def reproduction(self, session: Session) -> Reproduction | None:
        subject = session.subject
        if not isinstance(subject, GraphSubject):
            return None
        run = subject.of_run()
        return Reproduction(run.command, f"{run.python}.paths({self.start.text!r})")

    def key(self, session: Session) -> Any:
        subject = session.subject
        if not isinstance(subject, GraphSubject):
            return None
        return ["paths", subject.function, subject.shapes, subject.values, self.start.text]
