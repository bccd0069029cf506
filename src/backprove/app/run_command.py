"""``backprove run``: a worksheet in, a verified report out."""

from __future__ import annotations

from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import backprove as bp
from backprove.app.failures import guarded
from backprove.app.output import check_destination, print_json, print_text, report_text, write_file
from backprove.app.progress import shown_progress
from backprove.errors import SetupError
from backprove.results import Result


class Form(StrEnum):
    """What a report can be written as."""

    html = "html"
    md = "md"
    tex = "tex"
    ipynb = "ipynb"
    json = "json"


@guarded
def run(
    worksheet: Annotated[Path, typer.Argument(help="A Markdown file with backprove blocks.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report to this file.")
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="What is written; the file's ending says it without this."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Answer everything anew, whatever was kept.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as data.")] = False,
) -> None:
    """Run a worksheet.

    Every claim gets its verdict; the report is one HTML file that opens without a network, or
    Markdown, LaTeX, a notebook or data. Answers are kept: a second run asks only what changed.

    \b
    backprove run worksheets/first-steps.md -o report.html
    """
    from backprove.views.charts import remembered
    from backprove.worksheets.kept_answers import KeptAnswers

    chosen = _form(form, output)
    if output:
        check_destination(output, worksheet=worksheet if worksheet.exists() else None)
    with shown_progress(quiet=as_json) as progress:
        kept = None if fresh else KeptAnswers()
        report = bp.run_worksheet(worksheet, progress=progress, kept=kept)
    if output:
        with remembered(kept.text) if kept else nullcontext():
            text = report_text(report, chosen)
        write_file(output, text)
    if as_json:
        print_json(report.to_dict())
    elif output:
        print_text(Result.renderers["text"](report.summary_blocks()))
        print(f"report: {output}")
    elif form:
        print(report_text(report, chosen))
    else:
        print_text(report.text())
    raise typer.Exit(report.exit_status)


def _form(form: Form | None, output: Path | None) -> Form:
    """What is written: as asked, else as the file is called."""
    ending = output.suffix.lower().lstrip(".") if output else ""
    if form is None:
        if ending and ending not in {*Form, "htm"}:
            raise SetupError(
                f"'{output}' ends in .{ending}, which says no format",
                hint=f"Add --format, one of {', '.join(Form)}, or use such an ending.",
            )
        return Form(ending) if ending in set(Form) else Form.html
    return form
