"""``graph``: the computation graph of an expression, with every number of one run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backprove.results import Result
from backprove.worksheets.reading import assignments, number_or_list, split_options
from backprove.worksheets.session import Session, Subject, Verdict
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement


@statement("graph", "graph EXPRESSION at NAME=VALUE[, NAME=VALUE...]")
@dataclass(frozen=True)
class Graph(Statement):
    """Runs a graph forward and backward.

    Args:
        function: the expression.
        values: each input with the place where it stands, and its value.
    """

    function: Piece
    values: dict[str, tuple[Piece, Any]]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Graph:
        function, options = split_options(rest, ["at"])
        if not function.text:
            raise piece.error("the expression is missing", f"Usage: {cls.usage}")
        if "at" not in options:
            raise function.error(
                "the values of the inputs are missing", f"Add them: {rest.text[:60]} at x=1"
            )
        values = {
            name: (place, number_or_list(value))
            for name, (place, value) in assignments(options["at"]).items()
        }
        return cls(piece, function, values)

    def run(self, session: Session) -> Answer:
        # The inputs of a graph belong to it: their values say what shapes they have, whatever
        # the same letters stand for elsewhere in the worksheet.
        shapes = session.shapes(self.function)
        outside = {name: shape for name, shape in shapes.items() if name not in self.values}
        with session.locating(self.function, *(place for place, _ in self.values.values())):
            run = session.engine.graph(
                self.function.text,
                outside,
                {name: value for name, (_, value) in self.values.items()},
            )
        session.subject = GraphSubject(self, run)
        return Answer(run.blocks(), run.to_dict())


@dataclass(frozen=True)
class GraphSubject(Subject):
    """Claims about the values, the gradients and the paths of a run."""

    statement: Graph
    run: Result
    earlier: list[str] = field(default_factory=list)

    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        for name, piece in options.items():
            raise piece.error(
                f"'{name}' does not apply to the graph of line {self.statement.piece.line}",
                "A claim about a graph names its gradient itself, as in df/dz = 20.09.",
            )
        with session.locating(claim, self.statement.function):
            verdict = session.engine.check_run(self.run, claim.text, earlier=tuple(self.earlier))
        self.earlier.append(claim.text)
        return verdict
