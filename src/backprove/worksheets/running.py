"""A worksheet in, a report out."""

from __future__ import annotations

import os
from pathlib import Path

from backprove import __version__
from backprove.worksheets.document import ProsePart, read_document
from backprove.worksheets.engine import Engine
from backprove.worksheets.report import Outcome, Prose, Report
from backprove.worksheets.session import Progress, Session
from backprove.worksheets.source import Source
from backprove.worksheets.statement import Statement
from backprove.worksheets.statements import read_statement


def run_worksheet(
    worksheet: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> Report:
    """Run every statement of a worksheet and put the answers beside them.

    Args:
        worksheet: a path, or the text itself (a string with a line break in it).
        progress: called with what is being done, its number and how many there are.
        engine: the functions that answer; the package's own by default.

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
    document = read_document(source)
    parts: list[Prose | Statement] = [
        Prose(part.markdown, part.line)
        if isinstance(part, ProsePart)
        else read_statement(part.piece)
        for part in document.parts
    ]
    total = sum(isinstance(part, Statement) for part in parts)
    session = Session(engine or Engine(), progress=progress)
    items: list[Prose | Outcome] = []
    done = 0
    for part in parts:
        if isinstance(part, Prose):
            items.append(part)
            continue
        done += 1
        if progress:
            progress(_first_line(part), done, total)
        items.append(_outcome(part, session, f"statement-{done}"))
    return Report(document.title, items, _about(source), source.file)


def _source(worksheet: str | os.PathLike[str]) -> Source:
    if isinstance(worksheet, str) and ("\n" in worksheet or not worksheet.strip()):
        return Source.of(worksheet)
    return Source.read(Path(worksheet))


def _outcome(part: Statement, session: Session, anchor: str) -> Outcome:
    answer = part.run(session)
    return Outcome(
        kind=part.keyword,
        source=part.piece.raw,
        line=part.piece.line,
        anchor=anchor,
        blocks=answer.blocks,
        data=answer.data,
        verdict=answer.verdict,
        expected=answer.expected,
    )


def _first_line(part: Statement) -> str:
    return part.piece.text.split("\n", 1)[0]


def _about(source: Source) -> dict[str, str]:
    about = {"made with": f"backprove {__version__}"}
    if source.file:
        name = Path(source.file).name
        about |= {"worksheet": name, "made again by": f"backprove run {name} -o report.html"}
    return about
