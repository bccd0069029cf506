"""Which configurations and comparisons a claim is about; what is not there is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from backprove.studies.claims import Claim, Level
from backprove.studies.comparisons import Comparison
from backprove.studies.factors import Configuration, shown
from backprove.studies.grids import varying

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study


def results_of(study: Study, claim: Claim) -> list[ConfigurationResult]:
    """The configurations that a claim can be about: on test the arms at their chosen rates.

    Args:
        study: the study.
        claim: the claim, with the values that it fixes.

    Raises:
        InputError: the claim is about test and nothing was judged there, or it fixes a factor at
            a level that no configuration has.
    """
    if claim.part == "test" and not study.judged:
        raise claim.error(
            "this study was judged on dev only",
            claim.part_span,
            "Leave 'on test' out, or add judge=yes to the study: it chooses each learning rate on "
            "dev and judges on test with fresh seeds.",
        )
    found = list(study.configurations)
    if claim.part == "test":
        found = [judged.result for judged in study.judged]
    for factor, level in claim.at:
        if factor == claim.factor:
            raise claim.error(
                f"{factor} is what the claim is about, so it cannot be fixed", level.span
            )
        refuse_missing(found, claim, factor, level)
    for level in claim.levels:
        refuse_missing(found, claim, claim.factor, level)
    chosen = [result for result in found if _fits(result.configuration, claim)]
    if not chosen:
        span = claim.at[0][1].span
        raise claim.error("no configuration has all of these values", span, "Fix fewer of them.")
    return chosen


def refuse_missing(
    results: Sequence[ConfigurationResult], claim: Claim, factor: str, level: Level
) -> None:
    """Refuse a level that no configuration has.

    Raises:
        InputError: at the level, with the levels that there are.
    """
    values = list(dict.fromkeys(getattr(result.configuration, factor) for result in results))
    if level.value in values:
        return
    names = [shown(value) for value in values]
    close = get_close_matches(shown(level.value), names, n=1)
    meant = f"Is '{close[0]}' meant? " if close else ""
    raise claim.error(
        f"no configuration of the study has {factor} {shown(level.value)}",
        level.span,
        f"{meant}It has {factor} {', '.join(names)}.",
    )


def all_levels(results: Sequence[ConfigurationResult], claim: Claim) -> list[Any]:
    """All values of the claim's factor, in the order of the study.

    Raises:
        InputError: there is one only, so that nothing can be compared.
    """
    values = list(dict.fromkeys(getattr(r.configuration, claim.factor) for r in results))
    if len(values) < 2:
        varied = varying([result.configuration for result in results])
        raise claim.error(
            f"{claim.factor} is {shown(values[0])} everywhere, so nothing is compared",
            claim.factor_span,
            f"What varies: {', '.join(varied)}." if varied else "",
        )
    return values


def comparisons_of(
    study: Study, results: Sequence[ConfigurationResult], claim: Claim, first: Any, second: Any
) -> list[Comparison]:
    """The comparisons of two levels with all else equal, each turned to first minus second."""
    name = claim.factor
    family = name if claim.part == "dev" else f"{name} at its chosen lr"
    values = {result.label: getattr(result.configuration, name) for result in results}
    found = []
    for c in study.comparisons:
        if c.family != family or c.part != claim.part or c.a not in values or c.b not in values:
            continue
        if (values[c.a], values[c.b]) == (first, second):
            found.append(c)
        elif (values[c.a], values[c.b]) == (second, first):
            found.append(turned(c))
    return found


def turned(c: Comparison) -> Comparison:
    """The same comparison as b minus a."""
    return replace(
        c,
        a=c.b,
        b=c.a,
        difference=None if c.difference is None else -c.difference,
        interval=None if c.interval is None else (-c.interval[1], -c.interval[0]),
        probability=None if c.probability is None else 1 - c.probability,
    )


def why_none(results: Sequence[ConfigurationResult], claim: Claim, first: Any, second: Any) -> str:
    """Why two levels were compared in no pair of configurations."""
    name = claim.factor
    one, other = (
        [r.configuration for r in results if getattr(r.configuration, name) == value]
        for value in (first, second)
    )
    said = f"{name} {shown(first)} and {name} {shown(second)}"
    if name == "activation" and all(c.hidden == "none" for c in (*one, *other)):
        return f"{said} without a hidden layer are the same network, so there is nothing to compare"
    together = sorted(set.intersection(*(
        {n for n in varying([a, b]) if n != name} for a in one for b in other
    )))  # fmt: skip
    if claim.part == "test" and "lr" in together:
        together.remove("lr")  # each arm has its own there, and that is what is compared
    because = " and ".join(together) or "other factors"
    return (
        f"no two configurations differ in {said.replace(' and ', ' against ')} and agree in all "
        f"else: {because} {'change' if len(together) > 1 else 'changes'} together with {name}, so "
        f"{name} alone is confounded with {because}"
    )


def _fits(configuration: Configuration, claim: Claim) -> bool:
    return all(getattr(configuration, factor) == level.value for factor, level in claim.at)
