"""``backprove fmt``: worksheets in their usual spacing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backprove.app.failures import HELD, NOT_HELD, guarded
from backprove.app.output import write_file


@guarded
def fmt(
    worksheets: Annotated[list[Path], typer.Argument(help="Worksheets, Markdown or LaTeX.")],
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; status 1 if something would change.")
    ] = False,
) -> None:
    """Write the statements of worksheets in their usual spacing.

    Only blanks change; what a worksheet asks stays what it was.

    \b
    backprove fmt worksheets/first-steps.md
    """
    from backprove.worksheets.formatting import format_worksheet
    from backprove.worksheets.source import Source

    # All are read before any is written: an error in the last one leaves all as they were.
    sources = [Source.read(path) for path in worksheets]
    formatted = [format_worksheet(source) for source in sources]
    changed = 0
    for path, source, text in zip(worksheets, sources, formatted, strict=True):
        if text == source.text:
            continue
        changed += 1
        if not check:
            write_file(path, text)
        print(f"{'would change' if check else 'formatted'} {path}")
    raise typer.Exit(NOT_HELD if check and changed else HELD)
