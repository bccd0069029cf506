"""Fresh variants of an exercise, each with its answers, from a key and a seed.

What is varied is text: functions within their family, whole numbers, and the values of inputs. The
answers are derived anew, and the key of a variant is run before it is given to anybody. A question
whose answers cannot be made again stays as it is, and is named.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backprove.errors import BackproveError, WorksheetError
from backprove.notation.claims import classify_claim
from backprove.worksheets.engine import Engine
from backprove.worksheets.grading.key import read_key, slots_of
from backprove.worksheets.reading import assignments, split_options
from backprove.worksheets.report import Prose
from backprove.worksheets.running import read_worksheet, run_worksheet
from backprove.worksheets.session import Session
from backprove.worksheets.source import Piece, Source
from backprove.worksheets.statement import Statement
from backprove.worksheets.statements.claim import Claim
from backprove.worksheets.statements.declare import Let
from backprove.worksheets.statements.derive import Derive
from backprove.worksheets.statements.graph import Graph
from backprove.worksheets.statements.question import Question
from backprove.worksheets.varied_text import varied_expression, varied_values

ATTEMPTS = 8
"""How often a statement is drawn again whose answers do not hold, before it stays as it was."""


@dataclass(frozen=True)
class Variant:
    """An exercise and its key.

    Args:
        seed: what it was drawn from; the same seed gives the same variant.
        exercise: the worksheet without its answers, for those who answer it.
        key: the same with the answers, for ``backprove grade``.
        unchanged: names of the questions in which nothing differs from the original.
    """

    seed: int
    exercise: str
    key: str
    unchanged: tuple[str, ...]


def make_variant(source: Source, seed: int) -> Variant:
    """A variant of an exercise.

    Args:
        source: its key: a worksheet with questions and right claims, without ``include``.
        seed: any whole number.

    Returns:
        The variant. Every claim of its key was checked and holds.

    Raises:
        WorksheetError: the key cannot be read, or one of its own claims does not hold.

    >>> sheet = "```backprove\\nquestion 1\\nlet x: n\\nderive tanh(3*x) wrt x\\nclaim n×n\\n```\\n"
    >>> "tanh" in make_variant(Source(sheet), 4).key
    False
    """
    read_key(source)
    _, parts = read_worksheet(source)
    statements = [part for part in parts if not isinstance(part, Prose)]
    for part in statements:
        if part.piece.source is not source:
            raise WorksheetError(
                "a key that includes other worksheets cannot be varied",
                file=source.file,
                hint="Copy their statements into the key.",
            )
    failures: Counter[int] = Counter()
    attempt = 0
    while True:
        # In the end every statement is as it was, and the key was seen to hold.
        fixed = {number for number, count in failures.items() if count >= ATTEMPTS}
        drawn = _Draw(source, statements, random.Random(f"{seed}/{attempt}"), fixed)
        wrong = drawn.draw()
        if wrong is None:
            return Variant(seed, drawn.exercise(), drawn.key(), drawn.unchanged())
        failures[wrong] += 1
        attempt += 1


class _Draw:
    """One draw of all statements, with the answers to the claims below them."""

    def __init__(
        self,
        source: Source,
        statements: Sequence[Statement],
        stream: random.Random,
        fixed: set[int],
    ) -> None:
        self.source = source
        self.statements = statements
        self.stream = stream
        self.fixed = fixed
        self.changed: dict[Piece, str] = {}
        self.answers: dict[Piece, list[str]] = {}
        self.spoken: dict[str, str] = {}
        self.at = 0

    def draw(self) -> int | None:
        """Draw; the number of a statement whose answers do not hold, None if all do."""
        symbols = {n for s in self.statements if isinstance(s, Let) for n in s.symbols}
        varied = [n for n in range(len(self.statements)) if n not in self.fixed]
        for number in varied:
            self._vary(self.statements[number], symbols)
        try:
            return self._answer()
        except BackproveError:
            # Nothing is known of what stands below; the last that is varied is given up first.
            return self.at if self.at in varied else varied[-1]

    def _vary(self, part: Statement, symbols: set[str]) -> None:
        if isinstance(part, Derive | Graph):
            old = part.function.text
            new = varied_expression(old, symbols, self.stream)
            self._change(part.function, new)
            if new != old:
                self.spoken["".join(old.split())] = new
        values: list[Piece] = []
        if isinstance(part, Graph):
            _, options = split_options(part.piece.part(len("graph")), ["at"])
            given = assignments(options["at"]) if "at" in options else {}
            values = [value for _, value in given.values()]
        if isinstance(part, Let):
            values = [meant for _, meant in part.meanings.values() if _is_value(meant.text)]
        for piece in values:
            self._change(piece, varied_values(piece.text, self.stream))

    def _change(self, piece: Piece, new: str) -> None:
        if new != piece.text:
            self.changed[piece] = new

    def _answer(self) -> int | None:
        """Answer the claims below changed statements, and run the key that comes out."""
        session = Session(Engine())
        above: tuple[Statement, dict[str, Any]] | None = None
        for number, (old, new) in enumerate(zip(self.statements, self._read(), strict=True)):
            if isinstance(old, Claim):
                if above is not None:
                    self.answers[old.piece] = list(_answers(old, *above))
                continue
            self.at = number
            new.prepare(session)
            above = None
            if isinstance(new, Question | Let):
                new.run(session)
            elif isinstance(new, Derive | Graph) and new.piece.raw != old.piece.raw:
                above = (old, new.run(session).data)
        return self._first_wrong()

    def _read(self) -> list[Statement]:
        """The statements as they are drawn, with the claims as they were."""
        _, parts = read_worksheet(Source(self._written(keep_claims=True)))
        return [part for part in parts if not isinstance(part, Prose)]

    def _first_wrong(self) -> int | None:
        report = run_worksheet(self.key())
        about, claims = 0, iter(self._claims_kept())
        for outcome in report.outcomes:
            if outcome.verdict is not None:
                about = next(claims)
                if not outcome.held:
                    return about
        return None

    def _claims_kept(self) -> Iterator[int]:
        """For each claim of the key, the statement that it is about."""
        above = 0
        for number, part in enumerate(self.statements):
            if not isinstance(part, Claim):
                above = number
                continue
            yield from [above] * len(self.answers.get(part.piece, [part.piece.raw]))

    def key(self) -> str:
        """The worksheet with the answers."""
        return self._written()

    def exercise(self) -> str:
        """The worksheet with a comment in place of each answer."""
        return self._written(blank=True)

    def unchanged(self) -> tuple[str, ...]:
        """The questions in which nothing was changed."""
        found: dict[str, bool] = {}
        name = ""
        for part in self.statements:
            if isinstance(part, Question):
                name = part.name.text
            inside = any(part.piece.start <= piece.start < part.piece.end for piece in self.changed)
            found[name] = found.get(name, False) or inside
        return tuple(name for name, varied in found.items() if name and not varied)

    def _written(self, *, keep_claims: bool = False, blank: bool = False) -> str:
        edits = [(p.start, p.end, text) for p, text in self.changed.items()]
        above: Statement | None = None
        for part in self.statements:
            if not isinstance(part, Claim):
                above = part
            elif not keep_claims:
                lines = self.answers.get(part.piece, [part.piece.raw])
                if blank:
                    refused = part.expected in ("wrong", "undecided")
                    lines = [] if refused else [f"# claim ...   ({_asked(part, above)})"]
                start = part.piece.start
                if not lines and self.source.text[:start].endswith("\n"):
                    start -= 1  # the line goes with its text
                edits.append((start, part.piece.end, "\n".join(lines)))
        text = self.source.text
        edits += self._prose_edits()
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _prose_edits(self) -> Iterator[tuple[int, int, str]]:
        """Expressions that the prose quotes between backticks follow those of the statements."""
        inside = [(s.piece.start, s.piece.end) for s in self.statements]
        for found in re.finditer(r"(?<!`)`([^`\n]+)`(?!`)", self.source.text):
            new = self.spoken.get("".join(found.group(1).split()))
            if new and not any(start <= found.start() < end for start, end in inside):
                yield found.start(1), found.end(1), new


def _is_value(text: str) -> bool:
    return re.fullmatch(r"[-+\d.\[\],\s]+", text) is not None


def _asked(claim: Claim, above: Statement | None) -> str:
    """What a claim answers, in words that do not give it away."""
    if not isinstance(above, Derive | Graph):
        return "one claim"
    words = {"vjp": "backward pass"}
    between = {"derivative": " by ", "shape": " of the derivative by ", "structure": " by "}
    slots = slots_of(claim, above)
    return ", ".join(
        f"the {words.get(kind, kind)}{between.get(kind, ' of ')}{name}" for kind, name in slots
    )


def _answers(claim: Claim, about: Statement, data: dict[str, Any]) -> Iterator[str]:
    """The answers to what a claim of the original answers, from the data of the new statement."""
    if claim.expected in ("wrong", "undecided"):
        return
    wrt = claim.options.get("wrt")
    tail = f" wrt {wrt.text}" if wrt else ""
    results = data.get("results", [data])
    found = next((r for r in results if wrt and r["wrt"] == wrt.text), results[0])
    for kind, name in slots_of(claim, about):
        if kind == "derivative":
            formula = found["gradient"] or found["matrix_form"] or found["index_form"]
            yield f"claim {formula}{tail}"
        elif kind == "vjp":
            yield f"claim {found['vjp']}{tail}"
        elif kind == "shape":
            yield f"claim {'×'.join(map(str, found['shape'])) or 'scalar'}{tail}"
        elif kind == "structure":
            yield f"claim {found['structure']['kind']}{tail}"
        elif kind == "path":
            yield from _path_answers(claim, name, data)
        elif kind == "value" and not classify_claim(claim.said.text).steps:
            yield from _value_answers(claim, name, data)
        elif kind == "equality":
            yield claim.piece.raw


def _path_answers(claim: Claim, name: str, data: dict[str, Any]) -> Iterator[str]:
    said = classify_claim(claim.said.text)
    output, _, start = name.partition(" by ")
    paths = data["paths"].get(start, {}).get("paths", [])
    if output != data["output"] or not paths:
        raise WorksheetError(f"no paths from {start} to {output} are listed")
    text = " + ".join(path["symbols"].replace("·", " * ").replace("∂", "d") for path in paths)
    value = f" = {data['gradients'][start]:.6g}" if said.values else ""
    yield f"claim d{output}/d{start} = {text}{value}"


def _value_answers(claim: Claim, name: str, data: dict[str, Any]) -> Iterator[str]:
    output, by, start = name.partition(" by ")
    value = data["values"].get(name)
    if by:
        value = data["gradients"].get(start) if output == data["output"] else None
    if not isinstance(value, int | float):
        raise WorksheetError(f"the value of {name} is no number of this run")
    left = f"d{output}/d{start}" if by else name
    yield f"claim {left} = {value:.6g}"
