"""The functions that answer the statements, in one place, so that a test can replace them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprove.calculus import derive
from backprove.checking import check
from backprove.errors import SetupError
from backprove.functions import describe, function_figure
from backprove.graphs import graph
from backprove.graphs.claims import check_run
from backprove.results import Result
from backprove.theorems import represent
from backprove.theorems.given_weights import given_weights
from backprove.theorems.named import experiment, prove


def _graph(function: str, shapes: dict[str, str] | None, values: dict[str, Any]) -> Result:
    return graph(function, shapes or None).run(**values)


def _study(
    settings: dict[str, Any],
    progress: Callable[[str, int, int], None] | None,
    out: Path | None = None,
    *,
    watch: Callable[[Any], None] | None = None,
    trusted: bool = False,
    **asked: Any,
) -> Result:
    # JAX is loaded only where something is trained.
    from backprove.studies import refuse_unknown, study

    # What writes a folder is no setting, and files are not read for a worksheet: it may come from
    # anybody. The command line reads what its user names.
    refuse_unknown(settings)
    data = str(settings.get("data", "reviews"))
    if not trusted and (
        "vectors" in settings or not (data == "reviews" or data.startswith("sklearn:"))
    ):
        raise SetupError(
            f"data={data}: a worksheet trains on built-in data and on sklearn:NAME only.",
            hint="The command backprove study reads files, folders and the hub.",
        )

    def told(step: Any) -> None:
        if progress is not None:
            doing = "" if step.compiling is None else "compiling "
            progress(doing + step.text, step.done, step.total)

    return study(**settings, out=out, progress=watch or told, **asked)


def _functions(names: Sequence[str]) -> list[Result]:
    return [*([function_figure(names)] if len(names) > 1 else []), *map(describe, names)]


def _prove(name: str, settings: dict[str, Any]) -> Result:
    return prove(name, **settings)


def _experiment(name: str, settings: dict[str, Any]) -> Result:
    return experiment(name, **settings)


def _represent(table: str, network: str, mode: str, weights: dict[str, Any]) -> Result:
    if weights:
        return given_weights(table, network, weights)
    by, width = ("threshold" if mode == "threshold" else "exact", "given")
    return represent(table, network=network, by=by, width="minimal" if mode == "minimal" else width)


@dataclass(frozen=True)
class Engine:
    """What answers: one function for each question that a statement can ask.

    Args:
        derive: ``derive(f, wrt, shapes, order=, layout=, domain=)``.
        check: ``check(f, wrt, claim, shapes, order=, layout=, domain=)``.
        graph: ``graph(f, shapes, values)``, a run of the graph at the values.
        check_run: ``check_run(run, claim, earlier=)``, a claim about the numbers of a run, and
            the claims about it that came before.
        study: ``study(settings, progress, out, watch=, trusted=, confirm=, on_data=)``: the folder
            to keep it in, what is told all of its progress, whether files may be read, and what is
            asked and told before training.
        functions: ``functions(names)``, a figure where there are several, and descriptions.
        figure: ``figure(names)``, functions drawn over their derivatives.
        prove: ``prove(name, settings)``, a theorem with its proof and its run.
        experiment: ``experiment(name, settings)``, the run alone.
        represent: ``represent(table, network, mode, weights)``, whether a network can give the
            targets, or what it computes with given weights.
    """

    derive: Callable[..., Result] = derive
    check: Callable[..., Any] = check
    graph: Callable[..., Result] = _graph
    check_run: Callable[..., Any] = check_run
    study: Callable[..., Result] = _study
    functions: Callable[[Sequence[str]], list[Result]] = _functions
    figure: Callable[[Sequence[str]], Result] = function_figure
    prove: Callable[..., Result] = _prove
    experiment: Callable[..., Result] = _experiment
    represent: Callable[..., Result] = _represent
