"""Claims about the facts of a result, for the commands that give such results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from backprove.app.failures import HELD, NOT_HELD
from backprove.app.output import print_json, print_text, report_of, show, write_report
from backprove.checking import Verdict

Claims = Annotated[
    list[str] | None,
    typer.Option("--claim", help="A fact, such as 'stays_equal' or 'limit = 1/2'; repeatable."),
]


def show_with(
    result: Any, claims: Sequence[str] | None, source: str, *, as_json: bool, output: Path | None
) -> list[Verdict]:
    """Print a result with the verdicts on claims about its facts, and write its page.

    Args:
        result: has its ``facts`` by name.
        claims: as a worksheet has them.
        source: the command as a statement.
        as_json: whether data are printed.
        output: where a page is written; None for none.

    Raises:
        WorksheetError: a claim is about no fact of the result.
    """
    from backprove.worksheets.facts import check_fact

    verdicts = [check_fact(result, claim) for claim in claims or []]
    if not verdicts:
        show(result, as_json=as_json)
    elif as_json:
        print_json(result.to_dict() | {"claims": [verdict.to_dict() for verdict in verdicts]})
    else:
        for each in (result, *verdicts):
            print_text(each.text())
    if output:
        write_report(output, report_of(source, result, *verdicts))
    return verdicts


def end(verdicts: Sequence[Verdict]) -> None:
    """End with the status that the verdicts give, if there are any."""
    if verdicts:
        raise typer.Exit(HELD if all(each.kind == "right" for each in verdicts) else NOT_HELD)
