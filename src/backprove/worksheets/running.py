"""A worksheet in, a report out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from backprove import __version__
from backprove.errors import WorksheetError
from backprove.results import Block, Reference
from backprove.worksheets.document import ProsePart, StatementPart, read_block, read_document
from backprove.worksheets.engine import Engine
from backprove.worksheets.kept_answers import KeptAnswers
from backprove.worksheets.report import Outcome, Prose, Report
from backprove.worksheets.session import Progress, Session
from backprove.worksheets.source import Source
from backprove.worksheets.statement import Statement
from backprove.worksheets.statements import read_statement
from backprove.worksheets.statements.include import Include

MAX_INCLUDED = 50
"""Worksheets that one worksheet may include, in all."""


def run_worksheet(
    worksheet: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    kept: KeptAnswers | None = None,
) -> Report:
    """Run every statement of a worksheet and put the answers beside them.

    Args:
        worksheet: a path, or the text itself (a string with a line break in it).
        progress: called with what is being done, its number and how many there are.
        engine: the functions that answer; the package's own by default.
        kept: answers of earlier runs; what has one is not asked again. None by default.

    Returns:
        The report: prose and outcomes in order, with counts of claims that were held.

    Raises:
        WorksheetError: the worksheet is no text, is empty, or holds something that is no
            statement.
        InputError: a statement cannot be read or answered. All errors have the position in the
            worksheet, and nothing is returned or written in part.

    >>> report = run_worksheet("# Activations\\n```backprove\\nfunction relu\\n```\\n")
    >>> report.title, report.exit_status
    ('Activations', 0)
    """
    source = _source(worksheet)
    title, parts = read_worksheet(source)
    total = sum(isinstance(part, Statement) for part in parts)
    folder = Path(source.file).parent if source.file else None
    studies = kept.folder / "studies" if kept else None
    session = Session(
        engine or Engine(), folder=folder, progress=progress, studies=studies, shown={}
    )
    items: list[Prose | Outcome] = []
    done = 0
    for part in parts:
        if isinstance(part, Prose):
            items.append(part)
            continue
        done += 1
        if progress:
            progress(_first_line(part), done, total)
        items.append(_outcome(part, session, f"statement-{done}", kept))
    if kept:
        kept.prune()
    return Report(title, items, _about(source), source.file)


def run_block(source: Source, session: Session, kept: KeptAnswers | None = None) -> list[Outcome]:
    """Run statements without a worksheet around them, going on with a session.

    Args:
        source: the statements, one a line.
        session: what was declared and asked before; it is changed.
        kept: answers of earlier runs.

    Returns:
        The outcomes in order.

    Raises:
        InputError: a statement cannot be read or answered, with its position.

    >>> session = Session(Engine())
    >>> [outcome.kind for outcome in run_block(Source("let x: n"), session)]
    ['let']
    """
    statements = list(_read_all(read_block(source), (), [0]))
    return [
        _outcome(part, session, f"statement-{number}", kept)
        for number, part in enumerate(statements, 1)
        if isinstance(part, Statement)
    ]


def read_worksheet(source: Source) -> tuple[str, list[Prose | Statement]]:
    """The title of a worksheet, and its parts with those of the worksheets that it includes.

    Raises:
        WorksheetError: something cannot be read, a worksheet includes itself, or too much is
            included.

    >>> title, parts = read_worksheet(Source("# Squares\\n```backprove\\nlet x: n\\n```\\n"))
    >>> title, [type(part).__name__ for part in parts]
    ('Squares', ['Let'])
    """
    document = read_document(source)
    trail = (Path(source.file).resolve(),) if source.file else ()
    return document.title, list(_read_all(document.parts, trail, [0]))


def _read_all(
    parts: Iterable[ProsePart | StatementPart], trail: tuple[Path, ...], included: list[int]
) -> Iterator[Prose | Statement]:
    """Prose and statements, with those of included worksheets in their place."""
    for part in parts:
        if isinstance(part, ProsePart):
            yield Prose(part.markdown, part.line)
            continue
        read = read_statement(part.piece)
        if not isinstance(read, Include):
            yield read
            continue
        path = read.file()
        included[0] += 1
        if path.resolve() in trail:
            raise read.path.error("this worksheet includes itself", "Leave the line out.")
        if included[0] > MAX_INCLUDED:
            raise read.path.error(f"more than {MAX_INCLUDED} worksheets are included")
        try:
            inner = Source.read(path)
        except WorksheetError as error:
            raise read.path.error(error.message, error.hint) from None
        yield from _read_all(read_document(inner).parts, (*trail, path.resolve()), included)


def _source(worksheet: str | os.PathLike[str]) -> Source:
    if isinstance(worksheet, str) and ("\n" in worksheet or not worksheet.strip()):
        return Source.of(worksheet)
    return Source.read(Path(worksheet))


def _outcome(part: Statement, session: Session, anchor: str, kept: KeptAnswers | None) -> Outcome:
    part.prepare(session)
    key = part.key(session) if kept else None
    answer = kept.get(key) if kept and key is not None else None
    if answer is None:
        answer = part.run(session)
        if kept and key is not None:
            kept.put(key, answer)
    reproduction = part.reproduction(session)
    return Outcome(
        kind=part.keyword,
        source=part.piece.raw,
        line=part.piece.line,
        file=part.piece.source.file,
        anchor=anchor,
        question=session.question.name if session.question else "",
        blocks=_repeated(part, session, anchor) or answer.blocks,
        data=answer.data,
        verdict=answer.verdict,
        expected=part.expected,
        command=reproduction.command if reproduction else "",
        python=reproduction.python if reproduction else "",
    )


def _repeated(part: Statement, session: Session, anchor: str) -> list[Block]:
    """What stands in place of an answer that the report has shown already; nothing at first."""
    if not part.repeated or session.shown is None:
        return []
    first = session.shown.setdefault(json.dumps(part.key(session), sort_keys=True), anchor)
    return [] if first == anchor else [Reference(part.repeated, first)]


def _first_line(part: Statement) -> str:
    return part.piece.text.split("\n", 1)[0]


def _about(source: Source) -> dict[str, str]:
    about = {"made with": f"backprove {__version__}"}
    if source.file:
        name = Path(source.file).name
        about |= {"worksheet": name, "made again by": f"backprove run {name} -o report.html"}
    return about
