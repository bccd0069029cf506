"""``backprove prove`` and ``backprove experiment``: theorems about networks, and their runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import backprove as bp
from backprove.app.fact_claims import Claims, end, show_with
from backprove.app.failures import guarded
from backprove.app.output import check_destination

Name = Annotated[str, typer.Argument(help="Such as symmetry, zero_gradient, dropout, vanishing.")]
Settings = Annotated[
    list[str] | None, typer.Argument(help="KEY=VALUE, such as network=tanh(4)+linear(1).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as data.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write an HTML page that opens offline.")
]


@guarded
def prove(
    name: Name,
    settings: Settings = None,
    claim: Claims = None,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """State a theorem about a network, with its proof and the run that shows it.

    \b
    backprove prove symmetry "network=tanh(4)+linear(1)" init=constant:0.5
    """
    _answer("prove", name, settings, claim, as_json, output)


@guarded
def experiment(
    name: Name, settings: Settings = None, as_json: AsJson = False, output: Output = None
) -> None:
    """Run what shows a theorem, without the theorem.

    \b
    backprove experiment dropout p=0.3
    """
    _answer("experiment", name, settings, None, as_json, output)


def _answer(
    kind: str,
    name: str,
    settings: list[str] | None,
    claims: list[str] | None,
    as_json: bool,
    output: Path | None,
) -> None:
    from backprove.app.arguments import settings_of

    text = " ".join(settings or [])
    asked: dict[str, Any] = settings_of(text) if text else {}
    if output:
        check_destination(output)
    result = getattr(bp, kind)(name, **asked)
    source = f"{kind} {name} {text}".strip()
    end(show_with(result, claims, source, as_json=as_json, output=output))
