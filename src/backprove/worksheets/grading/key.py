"""The key of an exercise: its questions, what each is worth, and what has to be answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from backprove.errors import BackproveError, WorksheetError
from backprove.notation.claims import classify_claim
from backprove.results import VerdictKind
from backprove.worksheets.report import Prose
from backprove.worksheets.running import read_worksheet, run_worksheet
from backprove.worksheets.session import Session, Subject
from backprove.worksheets.source import Source
from backprove.worksheets.statement import Statement
from backprove.worksheets.statements.claim import Claim
from backprove.worksheets.statements.declare import Let
from backprove.worksheets.statements.question import Question

Slot = tuple[str, str]
"""What a claim answers: ``("derivative", "W")``, ``("shape", "W")``, ``("value", "h2")``, ..."""


@dataclass(frozen=True)
class Asked:
    """One question of the key.

    Args:
        name: its name.
        points: what it is worth; every slot is worth the same share.
        accepts: the conventions under which a claim is accepted, of ``layout``, ``assumption``.
        statements: what the question asks, in order: everything but its claims.
        slots: what has to be answered, with the number of the statement it is about.
    """

    name: str
    points: float
    accepts: frozenset[str]
    statements: tuple[Statement, ...]
    slots: tuple[tuple[int, Slot], ...]


@dataclass(frozen=True)
class Key:
    """A key.

    Args:
        title: its title.
        source: its text.
        setting: the declarations, in order, each with the number of questions that begin above it.
        questions: the questions, in order.
    """

    title: str
    source: Source
    setting: tuple[tuple[int, Let], ...]
    questions: tuple[Asked, ...] = field(default=())

    @property
    def points(self) -> float:
        """What all questions are worth."""
        return sum(question.points for question in self.questions)

    def subjects(self, session: Session) -> Iterator[tuple[Asked, dict[int, Subject]]]:
        """Each question with what its claims are about, after its declarations were made.

        Args:
            session: fresh; the declarations of the key are made in it.
        """
        for number, question in enumerate(self.questions):
            for above, let in self.setting:
                # One question stands above the declarations that belong to the first.
                if max(above - 1, 0) == number:
                    let.run(session)
            found: dict[int, Subject] = {}
            for position, statement in enumerate(question.statements):
                session.subject = None
                statement.prepare(session)
                if session.subject is not None:
                    found[position] = session.subject
            yield question, found


def read_key(source: Source, *, verify: bool = True) -> Key:
    """Read a key, and see that its own answers are right.

    Args:
        source: a worksheet whose claims stand under questions.
        verify: whether to run it.

    Raises:
        WorksheetError: it has no question, a question without a claim, or a claim of it is not
            what it says it is.

    >>> sheet = "```backprove\\nquestion 1\\nlet x: n\\nderive x wrt x\\nclaim identity\\n```\\n"
    >>> read_key(Source(sheet)).questions[0].slots
    ((0, ('structure', 'x')),)
    """
    title, parts = read_worksheet(source)
    key = Key(title, source, ())
    for part in parts:
        if not isinstance(part, Prose):
            key = _with(key, part)
    if not key.questions:
        raise WorksheetError(
            "the key has no question", file=source.file, hint="Begin each with 'question NAME'."
        )
    for question in key.questions:
        if not question.slots:
            raise WorksheetError(
                f"question {question.name} of the key has no claim, so nothing can be marked",
                file=source.file,
                hint="Add the right answer as a claim.",
            )
    if verify:
        _verify(source)
    return key


def _with(key: Key, part: Statement) -> Key:
    if isinstance(part, Question):
        asked = Asked(part.name.text, part.points, part.accepts, (), ())
        return replace(key, questions=(*key.questions, asked))
    if isinstance(part, Let):
        return replace(key, setting=(*key.setting, (len(key.questions), part)))
    if not key.questions:
        return key
    last = key.questions[-1]
    if not isinstance(part, Claim):
        last = replace(last, statements=(*last.statements, part))
    elif (part.expected or "right") in ("right", "right_under"):
        if not last.statements:
            raise part.piece.error("there is nothing above that this claim could be about")
        at = len(last.statements) - 1
        slots = [(at, slot) for slot in slots_of(part, last.statements[at])]
        last = replace(last, slots=tuple(dict.fromkeys([*last.slots, *slots])))
    return replace(key, questions=(*key.questions[:-1], last))


def slots_of(claim: Claim, about: Statement) -> list[Slot]:
    """What a claim answers.

    Args:
        claim: the claim.
        about: the statement that it is about.

    >>> from backprove.worksheets.source import Piece
    >>> from backprove.worksheets.statement import read_statement
    >>> claim = read_statement(Piece.of("claim df/dz = df/dh3 * dh3/dz = 20.0855"))
    >>> slots_of(claim, claim)
    [('path', 'f by z'), ('value', 'f by z')]
    """
    try:
        said = classify_claim(claim.said.text)
    except BackproveError as error:
        raise claim.said.error(error.message, error.hint) from None
    named = claim.options.get("wrt")
    wrt = named.text if named else ", ".join(piece.text for piece in getattr(about, "wrt", ()))
    if said.kind in ("path", "value"):
        name = " by ".join(said.quotient) if said.quotient else said.left.strip()
        kinds = ["path"] * bool(said.steps) + ["value"] * bool(said.values)
        return [(kind, name) for kind in kinds or [said.kind]]
    if said.kind in ("shape", "structure", "vjp", "equality"):
        return [(said.kind, said.variable or wrt)]
    return [("derivative", wrt)]


def _verify(source: Source) -> None:
    report = run_worksheet(source.file or source.text)
    for outcome in report.outcomes:
        if outcome.held is False:
            message = f"a claim of the key is {_word(outcome.verdict)}: {outcome.source}"
            raise WorksheetError(
                message, file=f"{outcome.file}:{outcome.line}", hint="Correct the key."
            )


def _word(verdict: VerdictKind | None) -> str:
    return str(verdict).replace("_", " ")
