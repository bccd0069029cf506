"""What a study answers: runs, configurations, figures and conclusions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backprove.checking import Verdict
from backprove.datasets import Review
from backprove.results import Block, Details, Evidence, Heading, Result, Table, Text
from backprove.studies import compared, comparisons, conclusions, figures, judging, tables
from backprove.studies.claims import Claim, read_claim, read_comparison
from backprove.studies.factors import SCORES, Configuration
from backprove.studies.grids import varying
from backprove.studies.outcomes import SEVERITY, Outcome, Reading
from backprove.studies.sensitivity import Judged
from backprove.training import (
    HISTOGRAM,
    LAYER_MEASURES,
    MEASURES,
    TRAIN_MEASURED,
    bin_edges,
)


@dataclass(frozen=True)
class Run:
    """One network trained from one seed.

    Args:
        seed: fixes split, first weights and data order.
        values: for each measure the values (epochs + 1,); index 0 is before training. Those of
            train are of at most :data:`backprove.training.TRAIN_MEASURED` examples; those of
            test are NaN where dev was not lower than ever, but for the first and last epoch.
        reading: how the run ended.
        dev_rows: (dev examples,) their row numbers in the data set.
        dev_scores: (dev examples,) 1 where the last epoch's prediction is right, else 0.
        test_scores: (test examples,) the same for the test examples of the data set.
        layers: for each measure of layers (epochs + 1, layers), and the distribution of
            activations (epochs + 1, hidden layers, bins).
        patience: epochs without a lower dev loss after which training stopped; 0 for never.
    """

    seed: int
    values: Mapping[str, NDArray[np.float64]]
    reading: Reading
    dev_rows: NDArray[Any]
    dev_scores: NDArray[np.float32]
    test_scores: NDArray[np.float32]
    layers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    patience: int = 0

    @property
    def last_epoch(self) -> int:
        """The last epoch that was trained; later ones repeat its numbers."""
        planned = len(self.values["dev_loss"]) - 1
        return min(planned, self.best_epoch + self.patience) if self.patience else planned

    @property
    def outcome(self) -> Outcome:
        """How the run ended, in one word."""
        return self.reading.outcome

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest dev loss, the first of equals; 0 if none is finite."""
        losses = self.values["dev_loss"]
        return int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))

    def last(self, measure: str) -> float:
        """A measure at the last epoch."""
        return float(self.values[measure][-1])

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON-ready data; a value that is not finite becomes null."""
        best = self.best_epoch
        return {
            "seed": self.seed,
            "outcome": self.outcome,
            "evidence": self.reading.evidence,
            "last_epoch": self.last_epoch,
            "epochs": {name: [_finite(v) for v in self.values[name]] for name in MEASURES[:4]},
            "layers": {
                name: [[_finite(v) for v in row] for row in self.layers[name]]
                for name in LAYER_MEASURES
                if name in self.layers
            },
            "activations": {
                when: [[_finite(v) for v in shares] for shares in self.layers[HISTOGRAM][epoch]]
                for when, epoch in (("before_training", 0), ("last_epoch", -1))
                if HISTOGRAM in self.layers
            },
            "test": {
                "last": {
                    "loss": _finite(self.last("test_loss")),
                    "accuracy": _finite(self.last("test_score")),
                },
                "best_dev_epoch": {
                    "epoch": best,
                    "loss": _finite(self.values["test_loss"][best]),
                    "accuracy": _finite(self.values["test_score"][best]),
                },
            },
        }


@dataclass(frozen=True)
class ConfigurationResult:
    """All runs of one configuration.

    Args:
        configuration: what was trained.
        label: the factors in which it differs from the others of the study.
        parameters: number of weights and biases.
        runs: one for each seed, in the order of the study's seeds.
        flops: floating-point operations of one epoch of training, see
            :attr:`backprove.networks.MLP.flops`.
    """

    configuration: Configuration
    label: str
    parameters: int
    runs: tuple[Run, ...]
    flops: int = 0

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many runs ended how, worst first."""
        counts = Counter(run.outcome for run in self.runs)
        return {outcome: counts[outcome] for outcome in SEVERITY if counts[outcome]}

    @property
    def outcome(self) -> Outcome:
        """The worst outcome of any run."""
        return next(iter(self.outcomes))

    @property
    def incomparable(self) -> str:
        """Why the runs have no mean, in words; empty if they have one."""
        for outcome in ("diverged", "at_chance"):
            count, runs = self.outcomes.get(outcome, 0), len(self.runs)
            if count and (outcome == "diverged" or count < runs):
                return f"{count} of {runs} runs of {self.label} ended {_words(outcome)}"
        return ""

    def summary(self, measure: str) -> dict[str, float | None]:
        """Mean, smallest and largest value over seeds at the last epoch.

        Empty if a run diverged, or if some runs are at chance and others are not: a mean of both
        describes neither.
        """
        last = np.array([run.last(measure) for run in self.runs])
        if self.incomparable or not np.isfinite(last).all():
            return {"mean": None, "low": None, "high": None}
        return {"mean": float(last.mean()), "low": float(last.min()), "high": float(last.max())}

    def to_dict(self) -> dict[str, Any]:
        """The configuration as JSON-ready data."""
        parts = {
            part: {
                "loss": self.summary(f"{part}_loss"),
                "accuracy": self.summary(f"{part}_score"),
            }
            for part in ("train", "dev", "test")
        }
        return {
            **asdict(self.configuration),
            "label": self.label,
            "parameters": self.parameters,
            "flops_per_epoch": self.flops,
            "activation_edges": bin_edges(self.configuration.activation).tolist(),
            "outcome": self.outcome,
            "outcomes": dict(self.outcomes),
            "runs": [run.to_dict() for run in self.runs],
            **parts,
        }


@dataclass(eq=False)
class Study(Result):
    """A grid of networks trained with several seeds each.

    Args:
        data: name of the data set.
        sizes: number of train, dev and test examples.
        baseline_loss: cross-entropy of the constant prediction on dev in nats, mean over seeds.
        baseline_accuracy: its accuracy, mean over seeds.
        region: accuracies that differ by no more than this count as equivalent, in points.
        split: ``seeded`` (each seed draws train and dev anew) or ``fixed``.
        seeds: the seeds, the same for every configuration.
        configurations: the results, in the order of the grid.
        seconds: wall-clock time of training, compilation included.
        environment: versions and device.
        looks: at how many seeds verdicts are read; empty if once, at the end.
        extensions: configurations with learning rates that were added beyond the grid.
        judged: each arm at its chosen learning rate, from fresh seeds.
        title: what the study is about, where it is one of several.
        name: what claims call it then.
        about: what is known of the data.
    """

    data: str
    sizes: tuple[int, int, int]
    baseline_loss: float
    baseline_accuracy: float
    region: float
    split: str
    seeds: tuple[int, ...]
    configurations: tuple[ConfigurationResult, ...]
    seconds: float
    environment: Mapping[str, str]
    looks: tuple[int, ...] = ()
    extensions: tuple[ConfigurationResult, ...] = ()
    judged: tuple[Judged, ...] = ()
    title: str = ""
    name: str = ""
    about: Review | None = None

    @property
    def score(self) -> str:
        """What is read beside the loss: ``accuracy``, or ``R²`` where numbers are predicted.

        A study over losses of both kinds calls it by both names.
        """
        names = dict.fromkeys(SCORES[r.configuration.loss] for r in self.configurations)
        return " or ".join(names)

    def shown(self, value: float) -> str:
        """A score as people write it: accuracies in per cent, R² as a number."""
        return f"{value:.1%}" if self.score == "accuracy" else f"{value:.3f}"

    @property
    def varied(self) -> tuple[str, ...]:
        """The factors that take more than one value."""
        return varying([result.configuration for result in self.configurations])

    @cached_property
    def comparisons(self) -> list[comparisons.Comparison]:
        """All pairs of configurations that differ in one factor, or in factors tied together."""
        return comparisons.compare(self)

    @cached_property
    def conclusions(self) -> list[str]:
        """What the numbers support and what they do not, in sentences made from the numbers."""
        return conclusions.conclude(self)

    def check(self, claim: str) -> Verdict:
        """The verdict on a claim about the study, from its own comparisons.

        Args:
            claim: such as ``hidden 512x3 better than none at lr=0.01``; see
                :data:`backprove.studies.claims.GRAMMAR`.

        Raises:
            InputError: it is not understood, or names what the study has not.
        """
        return judging.judge(self, self._own(read_claim(claim)))

    def compare(self, pair: str) -> compared.Compared:
        """Two levels compared in full.

        Args:
            pair: such as ``hidden none with 512x3 on test``.

        Raises:
            InputError: it is not understood, or names what the study has not.
        """
        return compared.compared(self, self._own(read_comparison(pair)))

    def _own(self, claim: Claim) -> Claim:
        if claim.study not in ("", self.name):
            raise claim.error(
                f"there is no study '{claim.study}' here",
                claim.study_span,
                "This is a single study: leave its name out.",
            )
        return claim

    @cached_property
    def runs(self) -> tables.Table:
        """One row a run, added learning rates and judged arms included."""
        return tables.runs_table(self._every())

    @cached_property
    def epochs(self) -> tables.Table:
        """One row a run and epoch; epoch 0 is before training."""
        return tables.epochs_table(self._every())

    @cached_property
    def layers(self) -> tables.Table:
        """One row a run, epoch and layer: gradients and activations."""
        return tables.layers_table(self._every())

    def export(self, folder: str | Path) -> list[Path]:
        """Write the tables as CSV, and as Parquet where pyarrow is installed."""
        named = {"runs": self.runs, "epochs": self.epochs, "layers": self.layers}
        return tables.export_tables(named, folder)

    def _every(self) -> list[ConfigurationResult]:
        judged = [judged.result for judged in self.judged]
        return [*self.configurations, *self.extensions, *judged]

    def blocks(self) -> list[Block]:
        title = self.title or f"Study on {self.data}"
        title = f"{title}: {len(self.configurations)} configurations"
        return [
            Heading(f"{title}, {len(self.seeds)} {'seed' if len(self.seeds) == 1 else 'seeds'}"),
            *(Text(sentence) for sentence in self.conclusions),
            _final_numbers(self),
            *_verdicts(self),
            *figures.charts(self),
            *([Details("The data", self.about.blocks())] if self.about else []),
            Details(
                "Evidence for the outcome of each run",
                [
                    Table(
                        ("configuration", "seed", "outcome", "evidence"),
                        [
                            (result.label, run.seed, _words(run.outcome), run.reading.evidence)
                            for result in self.configurations
                            for run in result.runs
                        ],
                    )
                ],
            ),
            Evidence("measured", conclusions.method(self)),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "study",
            "data": self.data,
            "examples": dict(zip(("train", "dev", "test"), self.sizes, strict=True)),
            "train_measured": min(self.sizes[0], TRAIN_MEASURED),
            "baseline": {"loss": self.baseline_loss, "accuracy": self.baseline_accuracy},
            "score": self.score,
            "region": self.region,
            "split": self.split,
            "seeds": list(self.seeds),
            "configurations": [result.to_dict() for result in self.configurations],
            "extensions": [result.to_dict() for result in self.extensions],
            "judged": [
                {"arm": judged.arm, "lr": judged.lr, **judged.result.to_dict()}
                for judged in self.judged
            ],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "conclusions": self.conclusions,
            "data_review": self.about.to_dict() if self.about else None,
            "seconds": self.seconds,
            "environment": dict(self.environment),
        }


def _final_numbers(study: Study) -> Table:
    score = study.score
    columns = (
        "configuration", "outcome", f"dev {score}", "dev loss", f"train {score}", "train loss",
        f"test {score}", "parameters",
    )  # fmt: skip
    rows = [
        (
            result.label,
            ", ".join(f"{_words(outcome)} {n}" for outcome, n in result.outcomes.items()),
            *(
                _spread(
                    result.summary(measure),
                    percent=measure.endswith("score") and score == "accuracy",
                )
                for measure in ("dev_score", "dev_loss", "train_score", "train_loss", "test_score")
            ),
            result.parameters,
        )
        for result in study.configurations
    ]
    return Table(
        columns,
        rows,
        caption="At the last epoch: mean over seeds (lowest to highest). No mean is given where a "
        f"run diverged, or where only some are at chance.{_sampled(study.sizes[0])}",
    )


def _sampled(train: int) -> str:
    if train <= TRAIN_MEASURED:
        return ""
    return (
        f" Train is measured on {TRAIN_MEASURED:,} of its {train:,} examples, drawn once for each "
        "seed."
    )


def _verdicts(study: Study) -> list[Block]:
    if not study.comparisons:
        return []
    rows = [
        (
            c.family,
            c.a,
            c.b,
            _words(c.verdict),
            "none" if c.difference is None else f"{100 * c.difference:+.2f}",
            "none" if c.interval is None else "{:+.2f} to {:+.2f}".format(*_points(c.interval)),
            "none" if c.probability is None else f"{c.probability:.0%}",
            "none" if c.p is None else f"{c.p:.2g}",
            _would_decide(c),
        )
        for c in study.comparisons
    ]
    columns = ("family", "a", "b", "verdict", "a − b in points", "95 % interval", "a ahead",
               "p (Holm)", "would decide")  # fmt: skip
    return [Table(columns, rows, caption=conclusions.how_compared(study))]


def _would_decide(c: comparisons.Comparison) -> str:
    """What it takes, in few words; the reason in full is in the data."""
    if c.verdict != "not_decided":
        return "decided"
    if c.difference is None:
        return c.reason
    if c.seeds_needed is not None:
        return f"about {c.seeds_needed} seeds"
    return "more seeds" if c.seeds < 2 else f"more {c.part} examples and seeds"


def _points(interval: tuple[float, float]) -> tuple[float, float]:
    return 100 * interval[0], 100 * interval[1]


def _spread(summary: Mapping[str, float | None], *, percent: bool) -> str:
    mean, low, high = summary["mean"], summary["low"], summary["high"]
    if mean is None or low is None or high is None:
        return "none, see outcome"
    if percent:
        return f"{100 * mean:.1f} % ({100 * low:.1f} to {100 * high:.1f})"
    return f"{mean:.4f} ({low:.4f} to {high:.4f})"


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None
