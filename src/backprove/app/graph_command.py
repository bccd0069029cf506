"""``backprove graph``: both passes of a computation graph, claims about them, and exercises."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backprove.app.arguments import pairs, values_of
from backprove.app.failures import HELD, NOT_HELD, guarded
from backprove.app.output import (
    check_destination,
    print_json,
    print_text,
    report_of,
    write_file,
    write_report,
)
from backprove.errors import BackproveError
from backprove.results import Block, Heading, Result

if TYPE_CHECKING:
    from backprove.graphs import Exercise, Run


@guarded
def graph(
    expression: Annotated[
        str, typer.Argument(help="Numpy-like text, such as 'X @ W.T'; 'h = x*y; h + 1' has parts.")
    ],
    at: Annotated[str, typer.Option("--at", help="Values of the inputs: 'x=1, y=3, z=2'.")],
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", help="Shape of a symbol, once for each: X=n,d or c=scalar."),
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option("--claim", help="A value, a gradient or a path, such as 'df/dz = 20.0855'."),
    ] = None,
    exercise: Annotated[
        bool, typer.Option("--exercise", help="Ask for numbers; a page holds the answers too.")
    ] = False,
    hide: Annotated[
        str,
        typer.Option("--hide", help="values, local, gradients, all, or symbols: 'h2, df/dy'."),
    ] = "gradients",
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Ask for so many of them.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which ones are drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as data.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write an HTML page that steps through both passes."),
    ] = None,
) -> None:
    """Run a computation graph both ways.

    Every node shows its value, its local gradients and its upstream gradient.

    \b
    backprove graph "ln(x) + exp(y)*z" --at "x=1, y=3, z=2"
    """
    from backprove.worksheets.engine import Engine

    shapes = pairs("--shape", shape)
    values = values_of(at)
    if output:
        check_destination(output)
    engine = Engine()
    run: Any = engine.graph(expression, shapes, values)
    claims = claim or []
    verdicts = [
        engine.check_run(run, text, earlier=claims[:number]) for number, text in enumerate(claims)
    ]
    questions = run.exercise(seed, _hidden(hide), count) if exercise else None
    if output:
        _write(output, f"graph {expression} at {at}", run, verdicts, questions)
    if as_json:
        data = run.to_dict() | {"claims": [verdict.to_dict() for verdict in verdicts]}
        print_json(data | ({"exercise": questions.to_dict()} if questions else {}))
    else:
        found = _ask(questions) if questions is not None else True
        for result in verdicts if questions is not None else (run, *verdicts):
            print_text(result.text())
        if not found:
            raise typer.Exit(NOT_HELD)
    raise typer.Exit(HELD if all(v.kind == "right" for v in verdicts) else NOT_HELD)


def _hidden(hide: str) -> str | list[str]:
    """One of the sets, or symbols separated by commas outside of brackets."""
    if hide in ("values", "local", "gradients", "all"):
        return hide
    parts, depth = [""], 0
    for sign in hide:
        depth += (sign == "[") - (sign == "]")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def _write(
    path: Path, source: str, run: Result, verdicts: list[Any], questions: Exercise | None
) -> None:
    """The page that steps; what is no run of a graph becomes a report."""
    from backprove.graphs import Run

    if not isinstance(run, Run):
        write_report(path, report_of(source, run, *verdicts))
        return
    write_file(path, page_of(run, verdicts, questions))


def page_of(run: Run, verdicts: list[Any], questions: Exercise | None = None) -> str:
    """The page of a run, with the verdicts on claims and with an exercise.

    Args:
        run: the run.
        verdicts: on claims about it.
        questions: the exercise; without one all gradients are asked for.
    """
    from backprove.graphs.walk import DETAILED, walk
    from backprove.views.graph_page import graph_page

    blocks: list[Block] = []
    for verdict in verdicts:
        blocks += [Heading(f"`{verdict.claim}`"), *verdict.blocks()]
    blocks += run.blocks()
    if questions is None and len(run.graph.nodes) <= DETAILED:
        try:
            questions = run.exercise()
        except BackproveError:
            questions = None  # nothing can be asked, as where no gradient was computed
    return graph_page(walk(run), blocks, questions.to_dict() if questions else None)


def _ask(exercise: Exercise) -> bool:
    """Ask until all is found; an empty line shows the answer, the end of the input stops."""
    from backprove.graphs.numerals import number

    first_tries = 0
    noun = "number is" if len(exercise) == 1 else "numbers are"
    print(f"{exercise.expression}: {len(exercise)} {noun} hidden.")
    print("Write each number; an empty line shows it, Ctrl-D ends.")
    for question in exercise:
        tries = 0
        while True:
            print(f"{question.symbol} = ", end="", flush=True)
            line = sys.stdin.readline()
            if not line:
                print(f"\n{first_tries} of {len(exercise)} right at the first try.")
                return False
            if not line.strip():
                print(f"  it is {number(question.right)}")
                break
            tries += 1
            if _judged(exercise, question.symbol, line.strip()):
                first_tries += tries == 1
                break
    print(f"{first_tries} of {len(exercise)} right at the first try.")
    return not exercise.open


def _judged(exercise: Exercise, symbol: str, line: str) -> bool:
    try:
        verdict = exercise.answer(symbol, line)
    except BackproveError as error:
        print(f"  {error}")
        return False
    print_text(verdict.text())
    return verdict.kind == "right"
