"""The charts of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backprove.results import Block, Chart, Details
from backprove.studies.sensitivity import arms
from backprove.studies.statistics import t_reach
from backprove.training import BINS, HISTOGRAM, bin_edges
from backprove.training.probe import PROBED

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Run, Study

_TALLEST = 10  # a loss this many times that of the constant prediction would flatten the others
_PANELS = 16  # layers of more configurations stand in the data
_CURVES = 8  # more curves in one panel cannot be told apart

Point = dict[str, Any]


def charts(study: Study) -> list[Block]:
    """Dev accuracy and dev loss of all configurations, both losses of each, and more.

    Args:
        study: the study to draw.

    Returns:
        Those charts, then final accuracies, learning rates and layers where there are any; what
        else is known of activations is in details. Lines are means over seeds, bands reach from
        the lowest to the highest seed.
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
    unit = " (nats)" if study.score == "accuracy" else ""
    return [
        Chart(
            f"Dev {study.score} of all configurations", "epoch", f"dev {study.score}",
            list(_across(study, "dev_score", study.baseline_accuracy)), caption=caption,
        ),
        Chart(
            "Dev loss of all configurations", "epoch", f"dev loss{unit}",
            list(_across(study, "dev_loss", study.baseline_loss)), caption=caption,
        ),
        Chart(
            "Train and dev loss of each configuration", "epoch", f"loss{unit}",
            list(_losses(study)), caption=caption, free_y=len(study.configurations) > _CURVES,
        ),
        *_more(study, caption),
    ]  # fmt: skip


def _more(study: Study, caption: str) -> Iterator[Block]:
    """Where a study ends, how much the learning rate matters, and what happens in the layers."""
    final = list(_final(study))
    if final:
        yield Chart(
            f"Final {study.score} by configuration", "configuration", study.score, final,
            kind="point",
            caption="Mean over seeds at the last epoch; lines: 95 % interval over seeds (Student's "
            "t). Intervals that overlap can belong to a decided paired difference, and the other "
            "way round. Configurations without a mean are left out, see the table.",
            columns=1,
        )  # fmt: skip
    rates = list(_rates(study))
    if rates:
        yield Chart(
            f"Dev {study.score} by learning rate", "learning rate", f"dev {study.score}", rates,
            caption="Mean over seeds at the last epoch; band: lowest to highest. Rates with runs "
            "at chance or diverged are left out, see the table.",
            log_x=True,
        )  # fmt: skip
    gradient, *activations = [_measured(study, caption, *each) for each in _LAYERS]
    yield from [gradient] if gradient else []
    yield from _histograms(study, "at the last epoch", -1)
    rest = [*filter(None, activations), *_histograms(study, "before training", 0)]
    if rest:
        yield Details("More about the activations of each layer", rest)


def _measured(study: Study, caption: str, measure: str, title: str, y: str) -> Chart | None:
    points = list(_layers(study, measure))
    if not points:
        return None
    return Chart(
        f"{title} of each configuration", "epoch", y, points,
        caption=f"{caption} Measured on the first {PROBED} dev examples.", free_y=True,
    )  # fmt: skip


_LAYERS = (
    ("gradient_norm", "Gradient norm by layer", "norm of the gradient"),
    ("activation_mean", "Mean activation by layer", "activation"),
    ("activation_std", "Deviation of activations by layer", "deviation"),
    ("share_saturated", "Saturated activations by layer", "share"),
)


def _final(study: Study) -> Iterator[Point]:
    for result in study.configurations:
        for part in ("dev", "test"):
            values = np.array([run.last(f"{part}_score") for run in result.runs])
            if result.incomparable or not np.isfinite(values).all():
                continue
            point: Point = {
                "panel": part, "x": result.label, "y": float(values.mean()), "series": study.score,
            }  # fmt: skip
            if len(values) > 1:
                reach = t_reach(values)
                point |= {"low": point["y"] - reach, "high": point["y"] + reach}
            yield point


def _rates(study: Study) -> Iterator[Point]:
    for arm in arms(study):
        for result in arm.points:
            found = result.summary("dev_score")
            if found["mean"] is not None and result.outcome != "at_chance":
                yield {
                    "x": result.configuration.lr, "y": found["mean"], "low": found["low"],
                    "high": found["high"], "series": arm.label,
                }  # fmt: skip


def _layers(study: Study, measure: str) -> Iterator[Point]:
    for result in study.configurations[:_PANELS]:
        layers = [run.layers.get(measure) for run in result.runs if run.outcome != "diverged"]
        known = [array for array in layers if array is not None and array.size]
        if len(known) != len(result.runs):
            continue
        values = np.stack(known)  # (seeds, epochs + 1, layers)
        for layer in range(values.shape[2]):
            for epoch, column in enumerate(values[:, :, layer].T):
                if np.isfinite(column).all():
                    yield {
                        "panel": result.label, "series": f"layer {layer + 1}", "x": epoch,
                        "y": float(column.mean()), "low": float(column.min()),
                        "high": float(column.max()),
                    }  # fmt: skip


def _histograms(study: Study, when: str, epoch: int) -> Iterator[Chart]:
    """Where activations lie at one time, a chart for each kind of bins."""
    together: dict[tuple[float, ...], list[ConfigurationResult]] = {}
    for result in study.configurations[:_PANELS]:
        edges = tuple(bin_edges(result.configuration.activation).tolist())
        together.setdefault(edges, []).append(result)
    for edges, results in together.items():
        names = dict.fromkeys(result.configuration.activation for result in results)
        of = f" of {' and '.join(names)}" if len(together) > 1 else ""
        points = _shares(results, edges, epoch)
        if points:
            yield Chart(
                f"Activations{of} by layer {when}", "activation", "share", points,
                caption=f"Share of the activations of a layer in each of {BINS} bins, "
                f"{_told(edges)}; on the first {PROBED} dev examples. Mean over seeds, band: "
                "lowest to highest. Configurations with a diverged run are left out.",
            )  # fmt: skip


def _told(edges: Sequence[float]) -> str:
    if _even(edges):
        return "drawn over their middles"
    return "named by their upper ends, which they hold; empty ones at both ends are not drawn"


def _even(edges: Sequence[float]) -> bool:
    return bool(np.allclose(np.diff(edges), edges[1] - edges[0], rtol=1e-3))


def _bins(edges: Sequence[float]) -> list[float | str]:
    """Where a bin is drawn: bins of equal width on a scale, others side by side."""
    if _even(edges):
        width = edges[1] - edges[0]
        middles = [edge - width / 2 for edge in (*edges, edges[-1] + width)]
        return [round(middle, 6) for middle in middles]
    return [*(f"≤ {edge:.3g}" for edge in edges), f"> {edges[-1]:.3g}"]


def _shares(
    results: Sequence[ConfigurationResult], edges: Sequence[float], epoch: int
) -> list[Point]:
    places, points, used = _bins(edges), [], set()
    for result in results:
        found = [run.layers.get(HISTOGRAM) for run in result.runs if run.outcome != "diverged"]
        known = [array[epoch] for array in found if array is not None]
        if len(known) != len(result.runs):
            continue
        for layer, shares in enumerate(np.stack(known, axis=1)):  # (seeds, bins)
            if not np.isfinite(shares).all():
                continue
            used |= set(np.flatnonzero(shares.any(axis=0)).tolist())
            points += [
                (bin, {
                    "panel": result.label, "series": f"layer {layer + 1}", "x": places[bin],
                    "y": float(column.mean()), "low": float(column.min()),
                    "high": float(column.max()),
                })
                for bin, column in enumerate(shares.T)
            ]  # fmt: skip
    if _even(edges) or not used:
        return [point for _, point in points]
    return [point for bin, point in points if min(used) <= bin <= max(used)]


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
        for name, runs in _by_outcome(result, counted=not many):
            yield from _band(runs, measure, panel, f"{series}{name}", _ceiling(study))
    for panel, epochs in panels.items():
        for x in (0, epochs):
            point = {"x": x, "y": baseline, "series": "constant prediction", "mark": "asymptote"}
            yield point | ({"panel": panel} if panel else {})


def _losses(study: Study) -> Iterator[Point]:
    many = len(study.configurations) > _CURVES
    for result in study.configurations:
        for name, runs in _by_outcome(result, counted=not many):
            for part in ("train", "dev"):
                curve = _band(runs, f"{part}_loss", result.label, f"{part}{name}", _ceiling(study))
                yield from curve


def _ceiling(study: Study) -> float:
    return _TALLEST * max(study.baseline_loss, 0.1)  # above 1, the largest accuracy


def _by_outcome(result: ConfigurationResult, *, counted: bool) -> Iterator[tuple[str, list[Run]]]:
    """Runs that ended alike: a mean of learned runs and runs at chance would describe neither.

    In many panels the curves of one outcome share an entry of the legend, however many runs.
    """
    for outcome, count in result.outcomes.items():
        name = ""
        if count < len(result.runs):
            name = f", {outcome.replace('_', ' ')}"
            name += f" ({count} of {len(result.runs)})" if counted else ""
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
