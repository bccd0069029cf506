"""One submission judged against a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from backprove.errors import BackproveError, InputError
from backprove.worksheets.document import StatementPart, read_document
from backprove.worksheets.engine import Engine
from backprove.worksheets.grading.grades import Mark, Marked
from backprove.worksheets.grading.key import Asked, Key, Slot, slots_of
from backprove.worksheets.session import Session, Subject
from backprove.worksheets.source import Piece, Source
from backprove.worksheets.statement import Statement
from backprove.worksheets.statements import read_statement
from backprove.worksheets.statements.claim import Claim
from backprove.worksheets.statements.declare import Let
from backprove.worksheets.statements.derive import Derive
from backprove.worksheets.statements.graph import Graph
from backprove.worksheets.statements.question import Question

MAX_CLAIMS = 500
"""Claims of one submission that are judged; what follows is refused."""

Limit = Callable[[], AbstractContextManager[None]]
"""Gives a context in which one claim is judged; it may raise TimeoutError."""


def mark_submission(
    key: Key,
    source: Source,
    name: str = "",
    *,
    engine: Engine | None = None,
    limit: Limit = nullcontext,
    told: Callable[[Mark], None] = lambda mark: None,
    read: Callable[[], None] = lambda: None,
    skip: int = 0,
) -> Marked:
    """Judge every claim of a submission against the question under which it stands.

    Args:
        key: the key.
        source: the submission: questions by name, and claims under them. It may name expressions
            with ``let``; nothing else of it is run.
        name: the name of the submission.
        engine: the functions that answer.
        limit: the context in which each claim is judged.
        told: called with each mark as soon as it is known.
        read: called when the submission was read, before its claims are judged.
        skip: claims at the beginning that were judged before.

    Returns:
        Marks and points. Each slot of a question earns its share if a claim for it is accepted
        and none for it is refused; two claims of which one is a guess earn nothing.

    >>> from backprove.worksheets.grading.key import read_key
    >>> lines = "let x: n\\nquestion 1\\nderive x**2 wrt x\\nclaim diag(2*x)"
    >>> key = read_key(Source(f"```backprove\\n{lines}\\n```\\n"))
    >>> answer = "```backprove\\nquestion 1\\nclaim J_ij = 2 x_i δ_ij\\n```\\n"
    >>> mark_submission(key, Source(answer)).total
    1.0
    """
    marks: list[Mark] = []
    trouble = ""
    try:
        parts = read_document(source).parts
        read()
        for mark in _marks(key, parts, engine or Engine(), limit, skip):
            marks.append(mark)
            told(mark)
    except BackproveError as error:
        trouble = error.render()
    return Marked(name, points(key, marks), _possible(key), marks, trouble)


def points(key: Key, marks: list[Mark]) -> dict[str, float]:
    """The points for each question of the key."""
    earned = {}
    for question in key.questions:
        slots = {_shown(slot) for _, slot in question.slots}
        mine = [mark for mark in marks if mark.question == question.name]
        good = {slot for mark in mine if mark.accepted for slot in mark.fills}
        bad = {slot for mark in mine if not mark.accepted for slot in mark.fills}
        earned[question.name] = question.points * len(slots & (good - bad)) / len(slots)
    return earned


def _possible(key: Key) -> dict[str, float]:
    return {question.name: question.points for question in key.questions}


def _shown(slot: Slot) -> str:
    return " ".join(slot)


@dataclass
class _Place:
    """Where the reader of a submission is: the question, and the part of it."""

    question: Asked | None = None
    subjects: dict[int, Subject] | None = None
    part: int | None = None


def _marks(
    key: Key, parts: Sequence[object], engine: Engine, limit: Limit, skip: int
) -> Iterator[Mark]:
    session = Session(engine)
    known = {question.name: (question, subjects) for question, subjects in key.subjects(session)}
    place = _Place()
    count = 0
    for part in parts:
        if not isinstance(part, StatementPart):
            continue
        try:
            statement = read_statement(part.piece)
            if not isinstance(statement, Claim):
                _enter(statement, place, known, session)
                continue
        except BackproveError as error:
            statement = None
            problem = error
        count += 1
        if count > MAX_CLAIMS:
            raise part.piece.error(f"a submission has at most {MAX_CLAIMS} claims")
        if count <= skip:
            continue
        if statement is None:
            yield _unread(place, part.piece, problem)
        else:
            yield _judged(statement, place, session, limit)


def _enter(
    statement: Statement,
    place: _Place,
    known: dict[str, tuple[Asked, dict[int, Subject]]],
    session: Session,
) -> None:
    """Take note of what is no claim: the question, its part, and names for expressions."""
    if isinstance(statement, Question):
        name = statement.name.text
        place.question, place.subjects, place.part = None, None, None
        if name not in known:
            raise statement.name.error(
                f"the key has no question '{name}'", f"Its questions: {', '.join(known)}."
            )
        place.question, place.subjects = known[name]
    elif isinstance(statement, Let):
        # Shapes are those of the key; a submission may only name expressions of its own.
        for name in statement.symbols:
            if name not in session.symbols:
                raise statement.symbols[name][0].error(
                    f"the key declares no symbol '{name}'",
                    f"Its symbols: {', '.join(session.symbols)}.",
                )
        Let(statement.piece, {}, statement.meanings, None).run(session)
    elif isinstance(statement, Derive | Graph):
        place.part = _part(statement, place.question) if place.question else None
    else:
        raise statement.piece.error(
            f"a submission holds claims; '{statement.keyword}' is not run", "Leave the line out."
        )


def _part(statement: Derive | Graph, question: Asked) -> int | None:
    """The part of the question that asks the same."""
    said = "".join(statement.piece.text.split())
    for position, each in enumerate(question.statements):
        if "".join(each.piece.text.split()) == said:
            return position
    raise statement.piece.error(
        f"question {question.name} does not ask this", "Leave the line out, or copy it from there."
    )


def _judged(claim: Claim, place: _Place, session: Session, limit: Limit) -> Mark:
    question = place.question
    if question is None or not place.subjects:
        problem = claim.piece.error(
            "this claim stands under no question of the key", "Add 'question NAME' above it."
        )
        return _unread(place, claim.piece, problem)
    fills: tuple[str, ...] = ()
    try:
        at = _subject_number(claim, place, question)
        slots = slots_of(claim, question.statements[at])
        fills = tuple(_shown(slot) for slot in slots)
        subject = place.subjects[at]
        subject.hear(claim.said)
        with limit():
            verdict = subject.check(claim.said, session, claim.options)
    except TimeoutError:
        return Mark(question.name, claim.piece.line, claim.said.raw, False, "unread", "",
                    "Judging this claim took too long.", fills)  # fmt: skip
    except BackproveError as error:
        return _unread(place, claim.piece, error, fills)
    under = getattr(verdict, "under", [])
    accepted = verdict.kind == "right" or (
        verdict.kind == "right_under" and all(_kind(each) in question.accepts for each in under)
    )
    refused = " The key does not accept that." if verdict.kind == "right_under" else ""
    return Mark(
        question.name,
        claim.piece.line,
        claim.said.raw,
        accepted,
        verdict.kind,
        getattr(verdict, "mistake", None) or "",
        f"{getattr(verdict, 'message', '')}{'' if accepted else refused}",
        fills,
    )


def _subject_number(claim: Claim, place: _Place, question: Asked) -> int:
    """The statement of the key that a claim is about."""
    assert place.subjects is not None
    if place.part is not None:
        return place.part
    if len(place.subjects) == 1:
        return next(iter(place.subjects))
    fitting = set()
    for at in place.subjects:
        slots = slots_of(claim, question.statements[at])
        fitting.update(at for slot in slots if (at, slot) in question.slots)
    if len(fitting) == 1:
        return fitting.pop()
    raise claim.piece.error(
        f"question {question.name} has several parts; which of them is meant is not said",
        "Copy the line of the part, such as 'derive ... wrt x', above the claim.",
    )


def _kind(under: str) -> str:
    """Whether a condition of a verdict is a layout or an assumption."""
    layouts = ("layout", "vector", "vec", "rows", "columns")
    return "layout" if any(word in under for word in layouts) else "assumption"


def _unread(
    place: _Place, piece: Piece, error: BackproveError, fills: tuple[str, ...] = ()
) -> Mark:
    name = place.question.name if place.question else ""
    column = f" (column {error.column})" if isinstance(error, InputError) else ""
    message = f"Not read{column}: {error}"
    return Mark(name, piece.line, piece.raw, False, "unread", "", message, fills)
