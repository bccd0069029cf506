"""The charts of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.results import Block, Chart

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Run, Study

_TALLEST = 10  # a loss this many times that of the constant prediction would flatten the others
_CURVES = 8  # more curves in one panel cannot be told apart

Point = dict[str, Any]


def charts(study: Study) -> list[Block]:
    """Dev accuracy and dev loss of all configurations, then both losses of each.

    Args:
        study: the study to draw.

    Returns:
        Three charts. Lines are means over seeds, bands reach from the lowest to the highest seed.
    """
    seeds = "1 seed" if len(study.seeds) == 1 else f"{len(study.seeds)} seeds"
    caption = f"Line: mean over {seeds}; band: lowest to highest. Epoch 0 is before training."
    split = any(len(result.outcomes) > 1 for result in study.configurations)
    if split:
        caption += " Runs of one configuration that ended differently are drawn apart."
    losses = [
        run.values[f"{part}_loss"]
        for result in study.configurations
        for run in result.runs
        for part in ("train", "dev")
    ]
    if any(not (values <= _ceiling(study)).all() for values in losses):
        caption += f" Losses that are not finite or above {_ceiling(study):.3g} are not drawn."
    return [
        Chart(
            "Dev accuracy of all configurations", "epoch", "dev accuracy",
            list(_across(study, "dev_score", study.baseline_accuracy)), caption=caption,
        ),
        Chart(
            "Dev loss of all configurations", "epoch", "dev loss (nats)",
            list(_across(study, "dev_loss", study.baseline_loss)), caption=caption,
        ),
        Chart(
            "Train and dev loss of each configuration", "epoch", "loss (nats)",
            list(_losses(study)), caption=caption,
        ),
    ]  # fmt: skip


def _across(study: Study, measure: str, baseline: float) -> Iterator[Point]:
    """One curve a configuration, in panels by everything but depth where there are many."""
    many = len(study.configurations) > _CURVES
    others = [name for name in study.varied if name != "hidden"]
    panels: dict[str, int] = {}
    for result in study.configurations:
        panel = result.configuration.text(others) if many else ""
        series = result.configuration.hidden if many and others else result.label
        epochs = len(result.runs[0].values[measure]) - 1
        panels[panel] = max(panels.get(panel, 0), epochs)
        for name, runs in _by_outcome(result):
            yield from _band(runs, measure, panel, f"{series}{name}", _ceiling(study))
    for panel, epochs in panels.items():
        for x in (0, epochs):
            point = {"x": x, "y": baseline, "series": "constant prediction", "mark": "asymptote"}
            yield point | ({"panel": panel} if panel else {})


def _losses(study: Study) -> Iterator[Point]:
    for result in study.configurations:
        for name, runs in _by_outcome(result):
            for part in ("train", "dev"):
                curve = _band(runs, f"{part}_loss", result.label, f"{part}{name}", _ceiling(study))
                yield from curve


def _ceiling(study: Study) -> float:
    return _TALLEST * max(study.baseline_loss, 0.1)  # above 1, the largest accuracy


def _by_outcome(result: ConfigurationResult) -> Iterator[tuple[str, list[Run]]]:
    """Runs that ended alike: a mean of learned runs and runs at chance would describe neither."""
    for outcome, count in result.outcomes.items():
        words = outcome.replace("_", " ")
        name = "" if count == len(result.runs) else f", {words} ({count} of {len(result.runs)})"
        yield name, [run for run in result.runs if run.outcome == outcome]


def _band(
    runs: Sequence[Run], measure: str, panel: str, series: str, ceiling: float
) -> Iterator[Point]:
    values = np.stack([run.values[measure] for run in runs])
    for epoch, column in enumerate(values.T):
        if not (np.isfinite(column).all() and column.max() <= ceiling):
            continue
        point: Point = {"x": epoch, "y": float(column.mean()), "series": series}
        if len(runs) > 1:
            point |= {"low": float(column.min()), "high": float(column.max())}
        yield point | ({"panel": panel} if panel else {})
