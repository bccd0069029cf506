"""``graph``: the computation graph of an expression, with every number of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

from backprove.results import Result
from backprove.worksheets.reading import assignments, number_or_list, split_options
from backprove.worksheets.session import Reproduction, Session, Subject, Verdict
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement


@statement("graph", "graph EXPRESSION [at NAME=VALUE[, NAME=VALUE...]]")
@dataclass(frozen=True)
class Graph(Statement):
    """Runs a graph forward and backward.

    Args:
        function: the expression.
        values: each input with the place where it stands, and its value; those that ``let`` gave
            values need not be named.
    """

    function: Piece
    values: dict[str, tuple[Piece, Any]]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Graph:
        function, options = split_options(rest, ["at"])
        if not function.text:
            raise piece.error("the expression is missing", f"Usage: {cls.usage}")
        given = assignments(options["at"]) if "at" in options else {}
        values = {name: (place, number_or_list(value)) for name, (place, value) in given.items()}
        return cls(piece, function, values)

    def prepare(self, session: Session) -> None:
        if not self._values(session):
            raise self.function.error(
                "the values of the inputs are missing",
                f"Add them: {self.function.text[:60]} at x=1",
            )
        session.subject = GraphSubject(self, *self._asked(session))

    def run(self, session: Session) -> Answer:
        run = self._subject(session).run(session)
        return Answer(run.blocks(), run.to_dict())

    def key(self, session: Session) -> Any:
        return ["graph", *self._asked(session)]

    def reproduction(self, session: Session) -> Reproduction:
        return self._subject(session).of_run()

    def _subject(self, session: Session) -> GraphSubject:
        assert isinstance(session.subject, GraphSubject)
        return session.subject

    def _values(self, session: Session) -> dict[str, tuple[Piece, Any]]:
        used = session.names(self.function)
        let = {name: value for name, value in session.values.items() if name in used}
        return let | self.values

    def _asked(self, session: Session) -> tuple[str, dict[str, str], dict[str, Any]]:
        # The inputs of a graph belong to it: their values say what shapes they have, whatever
        # the same letters stand for elsewhere in the worksheet.
        values = self._values(session)
        shapes = session.shapes(self.function)
        outside = {name: shape for name, shape in shapes.items() if name not in values}
        outside |= {name: _shape(value) for name, (_, value) in values.items() if _shape(value)}
        return (
            session.text(self.function),
            outside,
            {name: value for name, (_, value) in values.items()},
        )


def _shape(value: Any) -> str:
    """The shape of nested lists, as text; empty for a number."""
    sizes = []
    while isinstance(value, list):
        sizes.append(str(len(value)))
        value = value[0]
    return " ".join(sizes)


@dataclass
class GraphSubject(Subject):
    """Claims about the values, the gradients and the paths of a run."""

    statement: Graph
    function: str
    shapes: Mapping[str, str]
    values: Mapping[str, Any]
    heard: list[str] = field(default_factory=list)
    _run: Result | None = None

    def run(self, session: Session) -> Any:
        """The run, made when it is first asked for."""
        if self._run is None:
            places = [place for place, _ in self.statement.values.values()]
            with session.locating(self.statement.function, *places):
                self._run = session.engine.graph(self.function, self.shapes, dict(self.values))
        return self._run

    def hear(self, claim: Piece) -> None:
        self.heard.append(claim.text)

    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        self._refuse(options)
        with session.locating(claim, self.statement.function):
            return session.engine.check_run(
                self.run(session), claim.text, earlier=tuple(self.heard[:-1])
            )

    def key(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Any:
        self._refuse(options)
        return ["check_run", self.function, self.shapes, self.values, self.heard]

    def reproduction(
        self, claim: Piece, session: Session, options: dict[str, Piece]
    ) -> Reproduction:
        return self.of_run([claim.text])

    def of_run(self, claims: Sequence[str] = ()) -> Reproduction:
        """How to run the graph again, with claims about it."""
        at = ", ".join(f"{name}={value}" for name, value in self.values.items())
        dashed = self.function.startswith("-")  # it would be read as an option
        words = ["backprove graph", *([] if dashed else [quote(self.function)]), "--at", quote(at)]
        for name, shape in self.shapes.items():
            words += ["--shape", quote(f"{name}={shape}")]
        words += [f"--claim {quote(claim)}" for claim in claims]
        words += ["--", quote(self.function)] if dashed else []
        named = "".join(f", {name}={value!r}" for name, value in self.values.items())[2:]
        shapes = f", {dict(self.shapes)!r}" if self.shapes else ""
        python = f"bp.graph({self.function!r}{shapes}).run({named})"
        return Reproduction(
            " ".join(words),
            "\n".join(
                f"from backprove.graphs.claims import check_run\ncheck_run({python}, {claim!r})"
                for claim in claims
            )
            or python,
        )

    def _refuse(self, options: dict[str, Piece]) -> None:
        for name, piece in options.items():
            raise piece.error(
                f"'{name}' does not apply to the graph of line {self.statement.piece.line}",
                "A claim about a graph names its gradient itself, as in df/dz = 20.09.",
            )
