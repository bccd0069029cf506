"""``prove``, ``experiment``, ``symmetry`` and ``represent``: what networks can and cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from shlex import join
from typing import Any, ClassVar

from backprove.results import Result
from backprove.worksheets.facts import FactsSubject, exact_numbers
from backprove.worksheets.reading import assignments, split_options
from backprove.worksheets.session import Reproduction, Session
from backprove.worksheets.source import Piece
from backprove.worksheets.statement import Answer, Statement, statement
from backprove.worksheets.statements.study import read_settings


@statement("prove", "prove THEOREM [KEY=VALUE ...]")
@dataclass(frozen=True)
class Prove(Statement):
    """States a theorem for a network, with its proof and the run that shows it.

    Args:
        name: the theorem.
        settings: its settings, as texts.
        places: where each of them stands.
    """

    name: Piece
    settings: dict[str, Any]
    places: dict[str, Piece]

    function: ClassVar[str] = "prove"

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Prove:
        name = rest.text.split(None, 1)[0]
        settings, places = read_settings(rest.part(len(name)))
        return cls(piece, rest.part(0, len(name)), settings, places)

    def prepare(self, session: Session) -> None:
        def find() -> Mapping[str, Any]:
            return self._result(session).facts  # type: ignore[attr-defined]

        session.subject = FactsSubject(self.key(session), find, self.with_claims)

    def run(self, session: Session) -> Answer:
        result = self._result(session)
        subject = session.subject
        if isinstance(subject, FactsSubject):
            subject._facts = result.facts  # type: ignore[attr-defined]
        return Answer(result.blocks(), result.to_dict())

    def key(self, session: Session) -> Any:
        return [self.function, self.name.text, self.settings]

    def reproduction(self, session: Session) -> Reproduction:
        return self.with_claims()

    def with_claims(self, claims: Sequence[str] = ()) -> Reproduction:
        """How to ask the same again, with claims about the answer."""
        settings = [f"{key}={value}" for key, value in self.settings.items()]
        words = ["backprove", self.function, self.theorem, *settings]
        named = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return _claimed(words, f"bp.{self.function}({self.theorem!r}{named})", claims)

    @property
    def theorem(self) -> str:
        """The name of the theorem."""
        return self.name.text

    def _result(self, session: Session) -> Result:
        with session.locating(self.name, *self.places.values()):
            ask = getattr(session.engine, self.function)
            return ask(self.name.text, dict(self.settings))


@statement("experiment", "experiment THEOREM [KEY=VALUE ...]")
class Experiment(Prove):
    """Runs what shows a theorem, without the theorem."""

    function: ClassVar[str] = "experiment"


@statement("symmetry", "symmetry NETWORK [KEY=VALUE ...]")
class Symmetry(Prove):
    """Finds the units that stay equal: ``prove symmetry network=NETWORK``."""

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Symmetry:
        name = rest.text.split(None, 1)[0]
        settings, places = read_settings(rest.part(len(name)))
        network = rest.part(0, len(name))
        return cls(piece, network, {"network": name, **settings}, {"network": network, **places})

    def key(self, session: Session) -> Any:
        return ["prove", "symmetry", self.settings]

    @property
    def theorem(self) -> str:
        return "symmetry"

    def _result(self, session: Session) -> Result:
        with session.locating(*self.places.values()):
            return session.engine.prove("symmetry", dict(self.settings))


@statement("represent", "represent TABLE by NETWORK [threshold|minimal] [weights W1=..., b1=...]")
@dataclass(frozen=True)
class Represent(Statement):
    """Proves that a network can give some targets, or that it cannot.

    Args:
        table: a truth table, or a CSV file beside the worksheet.
        network: the layers, such as ``relu(2)+linear(1)``.
        mode: ``exact``, ``threshold`` or ``minimal``.
        weights: weights to evaluate instead of searching for some.
    """

    table: Piece
    network: Piece
    mode: str
    weights: dict[str, tuple[Piece, Piece]]

    @classmethod
    def read(cls, piece: Piece, rest: Piece) -> Represent:
        head, options = split_options(rest, ["by", "weights"])
        if not head.text or "by" not in options:
            raise piece.error("the network is missing", f"Usage: {cls.usage}")
        words = options["by"].text.split()
        mode = words.pop() if words[-1] in ("threshold", "minimal") and len(words) > 1 else "exact"
        length = len(options["by"].text) - (len(mode) if mode != "exact" else 0)
        weights = assignments(options["weights"]) if "weights" in options else {}
        return cls(piece, head, options["by"].part(0, length), mode, weights)

    def prepare(self, session: Session) -> None:
        session.subject = FactsSubject(
            self.key(session),
            lambda: self._result(session).facts,
            self.with_claims,
        )

    def run(self, session: Session) -> Answer:
        result = self._result(session)
        return Answer(result.blocks(), result.to_dict())

    def key(self, session: Session) -> Any:
        weights = {name: value.text for name, (_, value) in self.weights.items()}
        return ["represent", self._table(session), self.network.text, self.mode, weights]

    def reproduction(self, session: Session) -> Reproduction:
        return self.with_claims()

    def with_claims(self, claims: Sequence[str] = ()) -> Reproduction:
        """How to ask the same again, with claims about the answer."""
        table, network = self.table.text, self.network.text
        words = ["backprove", "represent", table, "--network", network]
        if self.weights:
            said = ", ".join(f"{name}={value.text}" for name, (_, value) in self.weights.items())
            weights = {
                name: _written(exact_numbers(value, value.text))
                for name, (_, value) in self.weights.items()
            }
            imported = "from backprove.theorems.given_weights import given_weights\n"
            python = f"given_weights({table!r}, {network!r}, {weights!r})"
            return _claimed([*words, "--weights", said], python, claims, imported)
        options = {"threshold": ["--by", "threshold"], "minimal": ["--width", "minimal"]}
        named = {"threshold": ", by='threshold'", "minimal": ", width='minimal'"}
        python = f"bp.represent({table!r}, network={network!r}{named.get(self.mode, '')})"
        return _claimed([*words, *options.get(self.mode, [])], python, claims)

    def _table(self, session: Session) -> str:
        text = self.table.text
        if text.endswith(".csv") and session.folder is not None and ".." not in text:
            return str(session.folder / text)
        return text

    def _result(self, session: Session) -> Any:
        places = [place for place, _ in self.weights.values()]
        with session.locating(self.table, self.network, *places):
            weights = {
                name: exact_numbers(value, value.text) for name, (_, value) in self.weights.items()
            }
            return session.engine.represent(
                self._table(session), self.network.text, self.mode, weights
            )


def _claimed(
    words: list[str], python: str, claims: Sequence[str], imported: str = ""
) -> Reproduction:
    """A command and a call, with claims about the facts of what they give."""
    for claim in claims:
        words = [*words, "--claim", claim]
    if claims:
        imported += "from backprove.worksheets.facts import check_fact\n"
        python = "\n".join(f"check_fact({python}, {claim!r})" for claim in claims)
    return Reproduction(join(words), imported + python)


def _written(value: Fraction | list[Any]) -> Any:
    """Exact numbers as a reader would write them: whole ones as such, others as text."""
    if isinstance(value, list):
        return [_written(each) for each in value]
    return int(value) if value.denominator == 1 else str(value)
