"""Phrases that sentences about a study share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from backprove.networks import parse_hidden
from backprove.studies.comparisons import Comparison
from backprove.studies.grids import entangled

if TYPE_CHECKING:
    from backprove.studies.gaps import Gap
    from backprove.studies.result import Study


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "seed"), count(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def between(low: str, high: str) -> str:
    """Two ends of a range, or the one number that they both are.

    >>> between("6", "9"), between("2.20", "2.20")
    ('6 to 9', '2.20')
    """
    return low if low == high else f"{low} to {high}"


def word(study: Study, factor: str) -> str:
    """What a factor is called in a sentence: hidden layers vary in depth, in width or in both."""
    if factor == "lr":
        return "learning rate"
    if factor != "hidden":
        return factor.replace("_", " ")
    shapes = {parse_hidden(result.configuration.hidden) for result in study.configurations}
    if len({width for shape in shapes for width in shape}) <= 1:
        return "depth"
    return "width" if len({len(shape) for shape in shapes}) == 1 else "architecture"


def confounded(study: Study) -> Iterator[str]:
    """Conclusions about a factor that changes together with others only."""
    for group in entangled([result.configuration for result in study.configurations]):
        for name in group if len(group) > 1 else ():
            alone = sum(c.family == name for c in study.comparisons)
            others = " and ".join(word(study, other) for other in group if other != name)
            if not alone:
                own = word(study, name)
                yield (
                    f"Not supported: any conclusion about {own} alone; {own} is confounded with "
                    f"{others}: no two of the {len(study.configurations)} configurations differ "
                    f"in {own} and agree in {others}."
                )


def verdict_text(study: Study, c: Comparison, family: int) -> str:
    """A decided comparison as a sentence with its sample sizes."""
    assert c.difference is not None and c.interval is not None and c.p is not None
    (a, b), sign = ((c.a, c.b), 1) if c.difference >= 0 else ((c.b, c.a), -1)
    low, high = sorted(100 * sign * end for end in c.interval)
    examples = study.sizes[2 if c.part == "test" else 1]
    sizes = (
        f"{percent(1 - c.level)} interval {low:+.2f} to {high:+.2f}; {c.seeds} paired seeds, "
        f"{examples} {c.part} examples each; p = {c.p:.2g} after Holm's correction for "
        f"{count(family, 'comparison')} of {c.family}"
    )
    size = f"{100 * abs(c.difference):.2f} points"
    if c.verdict == "better":
        return f"Supported: {a} has a {c.part} {study.score} higher by {size} than {b} ({sizes})."
    return (
        f"Supported: {a} and {b} are practically equivalent, within ±{study.region:g} points of "
        f"{c.part} {study.score}; they differ by {size} ({sizes})."
    )


def comparison_text(study: Study, c: Comparison) -> str:
    """Any comparison as a sentence, with what is not decided and runs that failed."""
    family = sum(other.family == c.family for other in study.comparisons)
    if c.verdict != "not_decided":
        said = verdict_text(study, c, family)
    elif c.difference is None or c.interval is None:
        said = f"Not decided: {c.a} against {c.b}: {c.reason}."
    else:
        low, high = (100 * end for end in c.interval)
        examples = study.sizes[2 if c.part == "test" else 1]
        said = (
            f"Not decided: {c.a} minus {c.b} is {100 * c.difference:+.2f} points of {c.part} "
            f"{study.score} ({low:+.2f} to {high:+.2f}; {count(c.seeds, 'paired seed')}, "
            f"{examples} {c.part} examples each): {c.reason}."
        )
    arms = (
        study.configurations if c.part == "dev" else [judged.result for judged in study.judged]
    )  # fmt: skip
    for result in arms:
        at_chance = result.outcomes.get("at_chance", 0) == len(result.runs)
        if result.label in (c.a, c.b) and at_chance and c.difference is not None:
            said += f" All {count(len(result.runs), 'run')} of {result.label} ended at chance."
    return said


def gap_text(study: Study, gap: Gap) -> str:
    """How much more one configuration overfits than another, as a sentence."""
    if gap.difference is None:
        return f"Not decided: {gap.a} against {gap.b}: {gap.reason}."
    spread = ""
    if gap.interval is not None:
        low, high = gap.interval
        spread = f"95 % interval {low:+.4f} to {high:+.4f} over seeds; "
    sizes = (
        f"{spread}{count(gap.seeds, 'paired seed')}, {study.sizes[1]} dev examples each; p = "
        f"{gap.p:.2g} after Holm's correction for {count(gap.family, 'comparison')}"
    )
    said = (
        f"the gap between dev and train loss of {gap.a} minus that of {gap.b} is "
        f"{gap.difference:+.4f} ({sizes}); the dev loss itself changes by {gap.dev_loss:+.4f}"
    )
    return f"Not decided: {said}: {gap.reason}." if gap.reason else f"Supported: {said}."


def percent(share: float) -> str:
    """A share in per cent, without needless digits.

    >>> percent(0.95), percent(0.9875)
    ('95 %', '98.75 %')
    """
    return f"{100 * share:.4g} %"
