"""``backprove grade``: submissions marked against a key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprove.app.failures import guarded
from backprove.app.output import (
    check_destination,
    print_json,
    print_text,
    report_of,
    write_file,
    write_report,
)
from backprove.app.progress import shown_progress


@guarded
def grade(
    key: Annotated[Path, typer.Argument(help="The worksheet with the right answers.")],
    submissions: Annotated[list[Path], typer.Argument(help="Worksheets, or folders of them.")],
    table: Annotated[
        Path | None, typer.Option("--csv", help="Write a table, one line for each submission.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Submissions marked at the same time.")] = 2,
    seconds: Annotated[float, typer.Option(help="How long judging one claim may take.")] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the grades as data.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write an HTML page that opens offline.")
    ] = None,
) -> None:
    """Mark submissions against a key.

    Each claim is judged against the question of the key under which it stands. Nothing of a
    submission is executed, and each has its bounds of time and memory.

    \b
    backprove grade key.md submissions/ --csv grades.csv
    """
    from backprove.worksheets.grading import grade as graded

    for path in (table, output):
        if path:
            check_destination(path, worksheet=key if key.exists() else None)
    with shown_progress(quiet=as_json) as progress:
        grades = graded(key, submissions, jobs=jobs, seconds=seconds, progress=progress)
    if table:
        write_file(table, grades.csv())
    if output:
        write_report(output, report_of(f"grade {key.name}", grades))
    if as_json:
        print_json(grades.to_dict())
    else:
        print_text(grades.text())
