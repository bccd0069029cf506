"""Step-by-step exercises: numbers of a run are hidden, answers are judged by what went wrong.

A wrong answer is compared with what well-known slips would give at these very numbers (the
upstream factor forgotten, only one consumer counted, a product treated as a sum, ...). A slip is
named only if its number is the one that was answered; where two slips give it, both are named.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from backprove.checking import MISTAKES, Verdict
from backprove.errors import DomainError, UnknownName
from backprove.graphs.claims import stated_number
from backprove.graphs.numerals import number
from backprove.graphs.records import NOT_COMPUTED, NotComputed
from backprove.graphs.slips import Slip, gradient_slips, local_slips, value_slips
from backprove.results import Block, Cell, Result, Table, Text

if TYPE_CHECKING:
    from backprove.graphs.run import Run

Kind = Literal["value", "local", "gradient"]
PRECISION = 0.005
"""An answer that is rounded more coarsely than this share of the value is not decided."""
_SETS = ("values", "local", "gradients", "all")


@dataclass(frozen=True)
class Question:
    """One hidden number.

    Attributes:
        symbol: what is asked for: ``h2``, ``∂h3/∂z`` or ``∂f/∂h2``, with an entry for arrays.
        kind: ``value``, ``local`` or ``gradient``.
        nodes: the node; for a local derivative the operation and the operand.
        right: the right number.
        slips: what well-known slips give instead.
    """

    symbol: str
    kind: Kind
    nodes: tuple[str, ...]
    right: float
    slips: tuple[Slip, ...]

    def to_dict(self) -> dict[str, Any]:
        """The question with its answer, as JSON-ready data."""
        return {
            "symbol": self.symbol,
            "kind": self.kind,
            "nodes": list(self.nodes),
            "right": self.right,
            "slips": [
                {"value": s.value, "mistake": s.mistake, "sentence": s.sentence} for s in self.slips
            ],
        }


@dataclass(eq=False)
class Exercise(Result):
    """Questions about a run, to be answered one by one in any order.

    Attributes:
        expression: what the graph is of.
        questions: the hidden numbers, in the order of the passes.
        solved: the symbols that were answered right.
    """

    expression: str
    questions: tuple[Question, ...]
    solved: set[str] = field(default_factory=set)

    @property
    def open(self) -> list[str]:
        """The symbols that are not answered right yet."""
        return [q.symbol for q in self.questions if q.symbol not in self.solved]

    def __iter__(self) -> Iterator[Question]:
        return iter(self.questions)

    def __len__(self) -> int:
        return len(self.questions)

    def question(self, symbol: str) -> Question:
        """The question about a symbol; ``df/dh2`` is read as ``∂f/∂h2``.

        Raises:
            UnknownName: the symbol is not hidden in this exercise.
        """
        wanted = _spelled(symbol)
        for question in self.questions:
            if question.symbol == wanted:
                return question
        raise UnknownName(
            f"'{symbol}' is not hidden in this exercise", hint=f"Hidden: {', '.join(self.open)}."
        )

    def answer(self, symbol: str, given: float | str) -> Verdict:
        """Judge one answer.

        Args:
            symbol: what is answered.
            given: a number, or text such as ``40.17`` or ``2*e**3``. Text counts as right if it is
                the value rounded to the decimals that are written, within half a percent.

        Raises:
            NotationError: the text is no number.
            UnknownName: the symbol is not hidden.

        >>> from backprove.graphs import graph
        >>> exercise = graph("x*y").run(x=2, y=5).exercise(hide="gradients")
        >>> exercise.answer("df/dx", "5").kind, exercise.answer("df/dy", "5").mistake
        ('right', 'wrong_variable')
        """
        question = self.question(symbol)
        value, tolerance, coarse = _read(given)
        claim = f"{question.symbol} = {given}"
        gap, scale = abs(value - question.right), abs(question.right)
        as_printed = str(given).strip() in (number(question.right), f"{question.right:.6g}")
        near = max(1e-9 * scale, 1e-12, min(tolerance, PRECISION * scale))
        if as_printed or (gap <= near if np.isfinite(scale) else str(value) == str(question.right)):
            self.solved.add(question.symbol)
            return Verdict(
                "right",
                claim,
                f"Right: {question.symbol} = {number(question.right)}.",
                "measured",
                evidence="the number of this run",
            )
        if np.isfinite(scale) and (gap <= coarse or gap <= 0.5 * 10.0 ** -_decimals(given)):
            return Verdict("undecided", claim, "Rounded too far to tell: write more digits.")
        return _wrong(question, claim, value, tolerance)

    def blocks(self) -> list[Block]:
        """What is hidden, and what is solved."""
        rows = [
            [Cell(q.symbol), number(q.right) if q.symbol in self.solved else "?"]
            for q in self.questions
        ]
        said = f"`{self.expression}`: {len(self.open)} of {len(self.questions)} numbers are hidden."
        return [Text(said), Table(["number", "value"], rows)]

    def to_dict(self) -> dict[str, Any]:
        """The questions with their answers as JSON-ready data."""
        return {
            "kind": "exercise",
            "expression": self.expression,
            "questions": [q.to_dict() for q in self.questions],
            "solved": sorted(self.solved),
        }


def _read(given: float | str) -> tuple[float, float, float]:
    """The number, within what it is right, and within what nothing is decided."""
    if isinstance(given, str):
        found = stated_number(given)
        return found.value, found.tolerance, found.coarse
    exact = 1e-9 * max(1.0, abs(float(given)))
    return float(given), exact, exact


def _decimals(given: float | str) -> float:
    """Decimals of a text that is written as a number; none counts as exact elsewhere."""
    text = str(given).strip().lower() if isinstance(given, str) else ""
    mantissa, _, exponent = text.partition("e")
    try:
        float(text)
        return len(mantissa.partition(".")[2]) - (int(exponent) if exponent else 0)
    except ValueError:
        return 300.0


def _wrong(question: Question, claim: str, value: float, tolerance: float) -> Verdict:
    near = max(tolerance, 1e-9 * abs(value))
    found = [
        s
        for s in question.slips
        if abs(s.value - value) <= min(near, max(PRECISION * abs(s.value), 1e-9))
    ]
    if not found:
        return Verdict(
            "wrong",
            claim,
            f"Wrong: {number(value)} is not {question.symbol}, and no slip that is known gives it.",
            "measured",
            mistake="wrong_value",
            where=question.symbol,
        )
    said = " Or: ".join(dict.fromkeys(s.sentence for s in found))
    names = list(dict.fromkeys(s.mistake for s in found))
    assert all(name in MISTAKES for name in names)
    return Verdict(
        "wrong",
        claim,
        f"Wrong: {said}",
        "measured",
        mistake=names[0],
        where=question.symbol,
        also=names[1:],
    )


def _spelled(symbol: str) -> str:
    text = symbol.strip()
    local = "local " if text.startswith("local ") else ""
    above, slash, below = text.removeprefix("local ").replace(" ", "").partition("/")
    if not slash:
        return above
    above, below = (p[1:] if p[:1] in "d∂" else p for p in (above, below))
    return f"{local}∂{above}/∂{below}"


def make_exercise(run: Run, seed: int, hide: str | Iterable[str], count: int | None) -> Exercise:
    """An exercise of a run; see :meth:`~.run.Run.exercise`."""
    chance = random.Random(seed)
    asked = list(_questions(run, chance))
    if isinstance(hide, str) and hide in _SETS:
        kinds = {"values": "value", "local": "local", "gradients": "gradient"}
        chosen = [q for q in asked if hide == "all" or q.kind == kinds[hide]]
    else:
        chosen = _named(asked, [hide] if isinstance(hide, str) else list(hide))
    if count is not None and count < len(chosen):
        kept = set(chance.sample(range(len(chosen)), max(count, 0)))
        chosen = [q for k, q in enumerate(chosen) if k in kept]
    if not chosen:
        raise DomainError(
            "there is nothing to hide", hint="Hide 'values', 'local', 'gradients' or 'all'."
        )
    return Exercise(run.graph.expression, tuple(chosen))


def _named(asked: list[Question], names: list[str]) -> list[Question]:
    by_symbol: dict[str, Question] = {}
    for q in asked:
        by_symbol.setdefault(q.symbol, q)
        by_symbol.setdefault(q.symbol.partition("[")[0], q)
    found = []
    for name in names:
        question = by_symbol.get(_spelled(name))
        if question is None:
            raise UnknownName(
                f"'{name}' cannot be hidden",
                hint=f"Use {', '.join(_SETS)}, or symbols: {', '.join(q.symbol for q in asked)}.",
            )
        found.append(question)
    return [q for q in asked if q in found]


def _questions(run: Run, chance: random.Random) -> Iterator[Question]:
    """Every number that can be hidden; of an array one entry, drawn by the seed."""
    graph = run.graph
    for node in graph.nodes:
        if node.value.kind == "operation":
            at = _entry(run.values[node.name], chance)
            slips = value_slips(run, node.name)
            yield _question(node.name, "value", (node.name,), run.values[node.name], slips, at)
    for child, parent in graph.edges:
        value = run.partial(child, parent)
        if np.ndim(value) == 0 and run.upstream_of(parent) is not NOT_COMPUTED:
            # Where the edge into the output is the whole gradient, both are one symbol.
            symbol = f"∂{child}/∂{parent}"
            if child != run.root or len(graph.consumers[graph.number(parent)]) > 1:
                slips = local_slips(run, child, parent)
                symbol = f"local {symbol}" if child == run.root else symbol
                yield _question(symbol, "local", (child, parent), value, slips, ())
    for node in reversed(graph.nodes):
        gradient = run.upstream_of(node.name)
        if node.role == "constant" or isinstance(gradient, NotComputed) or node.name == run.root:
            continue
        at = _entry(gradient, chance)
        slips = gradient_slips(run, node.name)
        symbol = f"∂{run.root}/∂{node.name}"
        yield _question(symbol, "gradient", (node.name,), gradient, slips, at)


def _entry(value: Any, chance: random.Random) -> tuple[int, ...]:
    return tuple(chance.randrange(n) for n in np.shape(value)) if np.size(value) else ()


def _question(
    symbol: str,
    kind: Kind,
    nodes: tuple[str, ...],
    value: Any,
    slips: Iterable[tuple[Any, str, str]],
    at: tuple[int, ...],
) -> Question:
    array = np.asarray(value, dtype=float)
    right = float(array[at])
    found = []
    for other, mistake, sentence in slips:
        other = np.asarray(other, dtype=float)
        if other.shape != array.shape:
            continue
        number_there = float(other[at])
        if np.isfinite(number_there) and abs(number_there - right) > 1e-9 * max(1, abs(right)):
            found.append(Slip(number_there, mistake, sentence))
    shown = f"{symbol}[{','.join(map(str, at))}]" if at else symbol
    return Question(shown, kind, nodes, right, tuple(found))
