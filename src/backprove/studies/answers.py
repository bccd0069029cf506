"""Sentences that answer a question from the comparisons and runs of a study."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from backprove.studies.comparisons import Comparison, Part
from backprove.studies.sensitivity import arms
from backprove.studies.statistics import LEVEL, RESAMPLES, Difference, fewest_pairs, holm, paired
from backprove.studies.wording import between, confounded, count, verdict_text

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study

_EARLY = (1, 2, 3, 5)  # epochs that count as early
_SAID = 6  # verdicts told one by one; the tables have them all


def refusals(study: Study) -> Iterator[str]:
    """Which conclusions the design does not allow at all."""
    yield from confounded(study)


def families(study: Study, factor: str, *, part: Part = "dev") -> Iterator[str]:
    """How the comparisons of one factor ended.

    Args:
        study: where they were made.
        factor: in which the configurations differ.
        part: the examples that they were judged on.
    """
    members = _members(study, factor, part)
    if not members:
        yield f"Not decided: no comparison of {factor} on {part} could be made."
        return
    verdicts = Counter(c.verdict for c in members)
    where = "at its learning rate chosen on dev, on test with fresh seeds" * (part == "test")
    yield (
        f"{study.title}: {count(len(members), 'comparison')} of {factor} "
        f"{where or 'with everything else equal'} "
        f"({count(members[0].seeds, 'paired seed')}, {_examples(study, part)} {part} examples "
        f"each): {verdicts['better']} better, {verdicts['equivalent']} practically equivalent "
        f"within ±{study.region:g} points, {verdicts['not_decided']} not decided."
    )
    decided = [c for c in members if c.verdict != "not_decided"]
    for comparison in decided[:_SAID]:
        yield verdict_text(study, comparison, len(members))
    if len(decided) > _SAID:
        yield f"The table has the other {len(decided) - _SAID} decided ones."
    open_ones = [c for c in members if c.verdict == "not_decided"]
    if open_ones:
        yield _open(study, factor, open_ones)


def largest_gap(study: Study, factor: str, *, part: Part) -> Iterator[str]:
    """Whether all levels lie in one range: the widest difference of any two."""
    known = [c for c in _members(study, factor, part) if c.difference is not None]
    known = [c for c in known if c.interval is not None]
    if not known:
        return
    widest = max(known, key=lambda c: abs(c.difference or 0.0))
    assert widest.difference is not None and widest.interval is not None
    low, high = (100 * end for end in widest.interval)
    same = all(c.verdict == "equivalent" for c in _members(study, factor, part))
    begin = (
        f"Supported: all lie within one range of ±{study.region:g} points"
        if same
        else f"Not supported so far: that all lie in the same range of ±{study.region:g} points"
    )
    yield (
        f"{begin}; the widest difference is {100 * widest.difference:+.2f} points of {part} "
        f"{study.score}, {widest.a} minus {widest.b} (95 % interval {low:+.2f} to {high:+.2f}; "
        f"{count(widest.seeds, 'paired seed')}, {_examples(study, part)} {part} examples each)."
    )


def pair(study: Study, a: str, b: str, *, part: Part = "dev") -> Iterator[str]:
    """The verdict on two depths at the last epoch."""
    labels = {r.label: r.configuration for r in _results(study, part)}
    for c in study.comparisons:
        if c.part != part or c.a not in labels or c.b not in labels:
            continue
        if {labels[c.a].hidden, labels[c.b].hidden} != {a, b}:
            continue
        one = "" if c.family in ("hidden", "hidden at its chosen lr") else (
            f" (what changes together, {c.family.replace('+', ' and ')}, is compared together)"
        )  # fmt: skip
        if c.verdict != "not_decided":
            yield verdict_text(study, c, _family_size(study, c)) + one
        elif c.difference is None or c.interval is None:
            yield f"Not decided: {c.a} against {c.b}: {c.reason}{one}."
        else:
            low, high = (100 * end for end in c.interval)
            yield (
                f"Not decided at the last epoch: {c.a} minus {c.b} is "
                f"{100 * c.difference:+.2f} points of {part} {study.score} "
                f"({low:+.2f} to {high:+.2f}; "
                f"{count(c.seeds, 'paired seed')}, {_examples(study, part)} {part} examples "
                f"each){one}: {c.reason}."
            )


def early(study: Study, a: str, b: str) -> Iterator[str]:
    """The dev accuracy of two depths after the first epochs, over seeds."""
    found: list[tuple[ConfigurationResult, ConfigurationResult, int, Difference]] = []
    mixed = "lr" in study.varied and not any(c.family == "hidden" for c in study.comparisons)
    for first in study.configurations:
        for second in study.configurations:
            alike = mixed or first.configuration.lr == second.configuration.lr
            # A mean over runs of which only some learn would describe none of them.
            mean = not (first.incomparable or second.incomparable)
            hidden = first.configuration.hidden, second.configuration.hidden
            if hidden == (a, b) and alike and mean:
                found += [
                    (first, second, epoch, d)
                    for epoch in _EARLY
                    if (d := _at_epoch(study, first, second, epoch)) is not None
                ]
    if not found:
        return
    adjusted = holm([d.p for *_, d in found])
    enough = len(study.seeds) >= fewest_pairs()
    clear = [
        p < LEVEL and d.p_exact < LEVEL and enough
        for p, (*_, d) in zip(adjusted, found, strict=True)
    ]
    ahead = sum(1 for ok, (*_, d) in zip(clear, found, strict=True) if ok and d.mean > 0)
    behind = sum(clear) - ahead
    how = "each at its own learning rate, so confounded" if mixed else "at equal learning rates"
    when = _epochs(epoch for *_, epoch, _ in found)
    yield (
        f"{study.title}: after {when}, {how}, hidden {a} has the higher "
        f"dev {study.score} than hidden {b} in {ahead} of {len(found)} comparisons, the lower "
        f"in {behind}; {len(found) - ahead - behind} are not decided "
        f"({count(len(study.seeds), 'paired seed')}, {study.sizes[1]} dev examples each, Holm's "
        "correction over all of them)."
    )
    for (first, second, epoch, d), _ in list(zip(found, adjusted, strict=True))[: len(_EARLY)]:
        low, high = (100 * end for end in d.interval)
        yield (
            f"After epoch {epoch}: {first.label} minus {second.label} is {100 * d.mean:+.2f} "
            f"points ({low:+.2f} to {high:+.2f} over {count(d.seeds, 'seed')}{_stuck(second)})."
        )
    if mixed:
        yield "Not supported: that depth is the reason; the learning rate differs as well."


def _epochs(epochs: Iterable[int]) -> str:
    every = sorted(set(epochs))
    return ("epoch " if len(every) == 1 else "epochs ") + ", ".join(map(str, every))


def _stuck(result: ConfigurationResult) -> str:
    if result.outcome != "at_chance":
        return ""
    return f"; all runs of {result.label} end at chance"


def spreads(study: Study, factor: str) -> Iterator[str]:
    """How far the seeds of each level are apart, and how many of its runs were unsteady."""
    for level in dict.fromkeys(getattr(r.configuration, factor) for r in study.configurations):
        members = [r for r in study.configurations if getattr(r.configuration, factor) == level]
        runs = [run for result in members for run in result.runs]
        ranges = [
            100 * (summary["high"] - summary["low"])
            for summary in (result.summary("dev_score") for result in members)
            if summary["high"] is not None and summary["low"] is not None
        ]
        outcomes = Counter(run.outcome for run in runs)
        trouble = ", ".join(
            f"{outcomes[name]} {name.replace('_', ' ')}"
            for name in ("unstable", "at_chance", "diverged", "overfitting")
            if outcomes[name]
        )
        spread = (
            "the seeds of one configuration differ by "
            f"{between(f'{min(ranges):.2f}', f'{max(ranges):.2f}')} points of dev {study.score}"
            if ranges
            else "no configuration has a spread to give"
        )
        yield (
            f"{study.title}, {factor} {level}: {spread}; of {count(len(runs), 'run')}, "
            f"{trouble or 'none was unstable, at chance, diverged or overfitting'}."
        )


def directions(study: Study) -> Iterator[str]:
    """Whether the smaller of two learning rates wins."""
    rates = {r.label: r.configuration.lr for r in study.configurations}
    members = _members(study, "lr", "dev")
    better = [c for c in members if c.verdict == "better" and c.difference is not None]
    smaller = sum((rates[c.a] < rates[c.b]) == ((c.difference or 0) > 0) for c in better)
    verdicts = Counter(c.verdict for c in members)
    claim = "Supported" if members and smaller == len(members) else "Not supported"
    yield (
        f"{claim}: that the smaller learning rate is better at every depth; of "
        f"{count(len(members), 'pair')} of rates at equal depth ({count(len(study.seeds), 'seed')}"
        f", {study.sizes[1]} dev examples each) the smaller one is better in {smaller}, the larger "
        f"one in {len(better) - smaller}, {verdicts['equivalent']} are practically equivalent, "
        f"{verdicts['not_decided']} not decided."
    )


def curves(study: Study) -> Iterator[str]:
    """Where each arm is best, and whether its curve turns at both ends."""
    for arm in arms(study):
        low, high = arm.points[0].configuration.lr, arm.points[-1].configuration.lr
        tried = (
            f"{len(arm.points)} rates from {low:g} to {high:g}, {count(len(study.seeds), 'seed')}"
        )
        if arm.best is None:
            yield f"{arm.label}: no learning rate gives runs that all learn ({tried})."
            continue
        mean = arm.best.summary("dev_score")["mean"]
        assert mean is not None
        ends = arm.turned(study.region / 100)
        turned = {
            (True, True): "at both ends, so the trend towards smaller rates does not go on",
            (True, False): "at its low end only: larger rates can be better",
            (False, True): "at its high end only: smaller rates can be better",
            (False, False): "at neither end: smaller and larger rates can be better",
        }[ends]
        yield (
            f"{arm.label}: highest mean dev {study.score} {study.shown(mean)} at lr "
            f"{arm.best.configuration.lr:g} ({tried}); the curve of means turns {turned} (read off "
            "the means, not tested)."
        )


def at_chance(study: Study) -> Iterator[str]:
    """The configurations with runs that never learned or diverged, not averaged with others."""
    failed = [
        (result, {name: n for name, n in result.outcomes.items() if name in _FAILED})
        for result in (*study.configurations, *study.extensions)
    ]
    failed = [(result, outcomes) for result, outcomes in failed if outcomes]
    chance = (
        f"loss and {study.score} of the constant prediction: {study.baseline_loss:.4f} and "
        f"{study.shown(study.baseline_accuracy)}"
    )
    if not failed:
        yield f"No run ended at chance ({chance}) or diverged."
        return
    listed = "; ".join(
        f"{result.label}: "
        + ", ".join(
            f"{n} of {len(result.runs)} {name.replace('_', ' ')}" for name, n in outcomes.items()
        )
        for result, outcomes in failed
    )
    yield f"Runs that never learned ({chance}) or diverged, per configuration: {listed}."


_FAILED = ("at_chance", "diverged")


def _members(study: Study, factor: str, part: Part) -> list[Comparison]:
    names = (factor, f"{factor} at its chosen lr")
    return [c for c in study.comparisons if c.family in names and c.part == part]


def _results(study: Study, part: Part) -> Sequence[ConfigurationResult]:
    if part == "test":
        return [judged.result for judged in study.judged]
    return study.configurations


def _examples(study: Study, part: Part) -> int:
    return study.sizes[2 if part == "test" else 1]


def _family_size(study: Study, comparison: Comparison) -> int:
    return sum(c.family == comparison.family for c in study.comparisons)


def _open(study: Study, factor: str, members: Sequence[Comparison]) -> str:
    asked = [c.seeds_needed for c in members if c.seeds_needed is not None]
    failed = sum(c.difference is None for c in members)
    parts = [f"Not decided: {count(len(members), 'comparison')} of {factor}"]
    if members[0].seeds < fewest_pairs():
        parts.append(
            f"with {count(members[0].seeds, 'paired seed')} no exact test can reach {LEVEL:g}"
        )
    if asked:
        seeds = between(str(min(asked)), str(max(asked)))
        parts.append(f"about {seeds} seeds would decide {len(asked)} of them")
    if failed:
        parts.append(f"{failed} have runs at chance or diverged, which have no mean to compare")
    return "; ".join(parts) + "."


def _at_epoch(
    study: Study, a: ConfigurationResult, b: ConfigurationResult, epoch: int
) -> Difference | None:
    """The difference after an epoch over seeds; each seed has its own dev examples."""
    shortest = min(len(run.values["dev_score"]) for r in (a, b) for run in r.runs)
    if epoch >= shortest or len(study.seeds) < 2:
        return None
    values = np.array(
        [
            run_a.values["dev_score"][epoch] - run_b.values["dev_score"][epoch]
            for run_a, run_b in zip(a.runs, b.runs, strict=True)
        ]
    )
    if not np.isfinite(values).all():
        return None
    return paired(values, np.tile(values, (RESAMPLES, 1)), study.region / 100)
