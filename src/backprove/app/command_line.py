"""The commands. Each asks one function of the library and shows its result.

What a command needs is imported when it runs: the whole process of ``backprove derive`` must stay
quick, and only ``study`` needs JAX.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

import backprove as bp
from backprove.app.arguments import WithExpressions, pairs, verdict_of
from backprove.app.failures import EXIT_STATUS, HELD, INTERRUPTED, NOT_HELD, guarded
from backprove.app.fmt_command import fmt
from backprove.app.grade_command import grade
from backprove.app.graph_command import graph
from backprove.app.output import (
    check_destination,
    print_json,
    print_text,
    report_of,
    show,
    write_report,
)
from backprove.app.prove_command import experiment, prove
from backprove.app.represent_command import represent
from backprove.app.run_command import run
from backprove.app.study_command import study
from backprove.app.variants_command import variants
from backprove.results import Result

app = typer.Typer(
    name="backprove",
    help="Backprop you can check: derive, check, graph and study neural networks, and run "
    "worksheets of claims into verified reports.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Expression = Annotated[str, typer.Argument(help="Numpy-like text, such as 'X @ W.T'.")]
Wrt = Annotated[str, typer.Option("--wrt", help="The symbol to differentiate by.")]
Shape = Annotated[
    list[str] | None,
    typer.Option("--shape", help="Shape of a symbol, once for each: X=n,d or w=d or c=scalar."),
]
Domain = Annotated[
    list[str] | None, typer.Option("--domain", help="Where a symbol lives: y=onehot, A=spd.")
]
Order = Annotated[int, typer.Option("--order", min=1, max=2, help="2 for the Hessian.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as data.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write an HTML page that opens offline.")
]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(f"backprove {bp.__version__}")
        raise typer.Exit(HELD)


@app.command(cls=WithExpressions, epilog=EXIT_STATUS)
@guarded
def derive(
    expression: Expression,
    wrt: Wrt,
    shape: Shape = None,
    domain: Domain = None,
    order: Order = 1,
    layout: Annotated[str, typer.Option(help="numerator or denominator.")] = "numerator",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Derive a derivative, with every step.

    The answer has any rank, in index form and in matrix form; shapes may have named sizes.

    \b
    backprove derive "X @ W.T" --wrt W --shape X=n,d --shape W=k,d
    """
    shapes, domains = pairs("--shape", shape), pairs("--domain", domain)
    if output:
        check_destination(output)
    result = bp.derive(expression, wrt, shapes, order=order, layout=layout, domain=domains or None)
    _finish(result, f"derive {expression} wrt {wrt}", as_json, output)


@app.command(cls=WithExpressions, epilog=EXIT_STATUS)
@guarded
def check(
    expression: Expression,
    claim: Annotated[str, typer.Argument(help="What somebody says its derivative is.")],
    wrt: Wrt,
    shape: Shape = None,
    domain: Domain = None,
    order: Order = 1,
    layout: Annotated[
        str | None, typer.Option(help="numerator or denominator; both are tried without it.")
    ] = None,
    expect: Annotated[str, typer.Option(help="The verdict that gives exit status 0.")] = "right",
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Check a claim about a derivative.

    The verdict is right, right under a condition, wrong (which slip it is, and where), or
    undecided.

    \b
    backprove check "X @ W.T" "J[i,j,k,l] = X[i,l]*[i==k]" --wrt W --shape X=n,d --shape W=k,d
    """
    expected = verdict_of(expect)
    shapes, domains = pairs("--shape", shape), pairs("--domain", domain)
    if output:
        check_destination(output)
    verdict = bp.check(
        expression, wrt, claim, shapes, order=order, layout=layout, domain=domains or None
    )
    _finish(verdict, f"check {claim}", as_json, output)
    raise typer.Exit(HELD if verdict.kind == expected else NOT_HELD)


app.command(cls=WithExpressions, epilog=EXIT_STATUS)(graph)
# What is no known flag is an argument here too, so that the study can say which one is meant.
app.command(
    cls=WithExpressions, context_settings={"ignore_unknown_options": True}, epilog=EXIT_STATUS
)(guarded(study))


@app.command(epilog=EXIT_STATUS)
@guarded
def function(
    names: Annotated[list[str], typer.Argument(help="Names such as sigmoid or relu.")],
    as_json: AsJson = False,
    output: Annotated[
        Path | None, typer.Option("--output", "--plot", "-o", help="Write an HTML page, drawn.")
    ] = None,
) -> None:
    """Describe activation functions.

    Value, derivatives, kinks and the convention taken there, asymptotes, source.

    \b
    backprove function sigmoid relu tanh
    """
    from backprove.worksheets.engine import Engine

    if output:
        check_destination(output)
    results = Engine().functions(names)
    if as_json:
        print_json({"kind": "functions", "results": [result.to_dict() for result in results]})
    else:
        for result in results:
            print_text(result.text() + "\n")
    if output:
        write_report(output, report_of(f"function {' '.join(names)}", *results))


app.command(epilog=EXIT_STATUS)(represent)
app.command(epilog=EXIT_STATUS)(run)
app.command(epilog=EXIT_STATUS)(fmt)
app.command(epilog=EXIT_STATUS)(grade)
app.command(epilog=EXIT_STATUS)(variants)
app.command(epilog=EXIT_STATUS)(prove)
app.command(epilog=EXIT_STATUS)(experiment)


def _finish(result: Result, source: str, as_json: bool, output: Path | None) -> None:
    show(result, as_json=as_json)
    if output:
        write_report(output, report_of(source, result))


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a sign gets its number; it is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as ended:
        if ended.code != INTERRUPTED:
            raise
        # A compiler cannot be stopped, and Python would wait for its thread.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(INTERRUPTED)
