"""Claims about a study, judged by its own comparisons: right, wrong, or not decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from backprove.checking import Verdict
from backprove.results import Level as EvidenceLevel
from backprove.results import VerdictKind
from backprove.studies.claims import Claim
from backprove.studies.comparisons import Comparison
from backprove.studies.factors import shown
from backprove.studies.gaps import Gap, gaps
from backprove.studies.grids import varying
from backprove.studies.pairs import all_levels, comparisons_of, results_of, why_none
from backprove.studies.wording import comparison_text, count, gap_text

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Study

_SAID = 4  # sentences of one verdict; the tables of the study have them all

Single = tuple[VerdictKind, str]
"""What one comparison says about a claim, and the sentence."""


def judge(study: Study, claim: Claim) -> Verdict:
    """The verdict on a claim about a study.

    A claim about several configurations is right if it holds in every one, wrong if the study
    decides against it in one, and otherwise undecided.

    Args:
        study: the study; its comparisons decide.
        claim: what is claimed.

    Returns:
        The verdict; ``right`` and ``wrong`` are measured, with the study's own numbers.

    Raises:
        InputError: the claim names what the study has not.
    """
    results = results_of(study, claim)
    if claim.kind == "confounded":
        verdict = _confounded(results, claim)
    elif claim.kind == "outcome":
        verdict = _outcome(results, claim)
    elif claim.kind == "gap":
        verdict = _gap(study, results, claim)
    else:
        verdict = _compared(study, results, claim)
    return _negated(verdict) if claim.negated else verdict


def _negated(verdict: Verdict) -> Verdict:
    kinds: dict[VerdictKind, VerdictKind] = {"right": "wrong", "wrong": "right"}
    kind = kinds.get(verdict.kind, verdict.kind)
    message = verdict.message
    if kind != verdict.kind:
        opening, _, rest = message.partition(":")
        message = f"{'Right' if kind == 'right' else 'Wrong'}:{rest}" if opening else message
    return replace(verdict, kind=kind, message=message)


def _compared(study: Study, results: Sequence[ConfigurationResult], claim: Claim) -> Verdict:
    """Claims that the comparisons of one factor decide."""
    pairs = _claimed_pairs(results, claim)
    asks = _equivalence if claim.kind == "equivalent" else _superiority
    singles: list[Single] = []
    for first, second in pairs:
        found = comparisons_of(study, results, claim, first, second)
        if not found:
            singles.append(
                ("undecided", f"Not decided: {why_none(results, claim, first, second)}.")
            )
        singles += [asks(study, c) for c in found]
    return _joined(claim, singles, "comparison")


def _claimed_pairs(results: Sequence[ConfigurationResult], claim: Claim) -> list[tuple[Any, Any]]:
    levels = [level.value for level in claim.levels]
    every = all_levels(results, claim)
    for level in claim.levels:
        if level.value not in every:
            raise claim.error(
                f"no configuration with these values has {claim.factor} {shown(level.value)}",
                level.span,
                f"There it is {', '.join(map(shown, every))}.",
            )
    if claim.kind == "ordered":
        if any(value is None for value in every):
            raise claim.error(f"{claim.factor} is not a number everywhere", claim.factor_span)
        ordered = sorted(every, reverse=claim.ascending)
        return list(combinations(ordered, 2))
    if not levels:
        return list(combinations(every, 2))
    return list(pairwise(levels))


def _superiority(study: Study, c: Comparison) -> Single:
    """Whether a is better than b."""
    said = comparison_text(study, c)
    if c.verdict == "not_decided" or c.difference is None:
        return "undecided", said
    if c.verdict == "better" and c.difference > 0:
        return "right", said
    return "wrong", said


def _equivalence(study: Study, c: Comparison) -> Single:
    said = comparison_text(study, c)
    if c.verdict == "equivalent":
        return "right", said
    if c.verdict == "not_decided" or c.interval is None:
        return "undecided", said
    region = study.region / 100
    if c.interval[0] > region or c.interval[1] < -region:
        return "wrong", said
    # A difference that is surely not 0 can still be too small to matter.
    return "undecided", (
        f"{said} They differ, but whether by more than the ±{study.region:g} points that count as "
        "equivalent is not decided."
    )


def _gap(study: Study, results: Sequence[ConfigurationResult], claim: Claim) -> Verdict:
    if claim.part == "test":
        raise claim.error("overfitting is read from train and dev", claim.part_span)
    first, second = (level.value for level in claim.levels)
    _claimed_pairs(results, claim)
    labels = {r.label for r in results}
    found = gaps(study, claim.factor)
    singles: list[Single] = [
        _smaller_gap(study, gap)
        for gap in found
        if {gap.a, gap.b} <= labels
        for gap in [gap if gap.level_a == first else gap.turned()]
        if (gap.level_a, gap.level_b) == (first, second)
    ]
    if not singles:
        singles = [("undecided", f"Not decided: {why_none(results, claim, first, second)}.")]
    return _joined(claim, singles, "comparison")


def _smaller_gap(study: Study, gap: Gap) -> Single:
    said = gap_text(study, gap)
    if not gap.decided or gap.difference is None:
        return "undecided", said
    return ("right" if gap.difference < 0 else "wrong"), said


def _joined(claim: Claim, singles: Sequence[Single], noun: str) -> Verdict:
    """One verdict from several: every one must hold."""
    counts = Counter(kind for kind, _ in singles)
    kind: VerdictKind = "right"
    if counts["wrong"]:
        kind = "wrong"
    elif counts["undecided"]:
        kind = "undecided"
    deciding = [said for single, said in singles if single == kind]
    opening = {"right": "Right", "wrong": "Wrong", "undecided": "Not decided"}[kind]
    first = deciding[0].removeprefix("Not decided: ").removeprefix("Supported: ")
    if len(singles) > 1:
        parts = [
            f"{counts[name]} {words}"
            for name, words in (("right", "in favour"), ("wrong", "against"),
                                ("undecided", "not decided"))
            if counts[name]
        ]  # fmt: skip
        first = f"of {count(len(singles), noun)}, {', '.join(parts)}. {first}"
    level: EvidenceLevel | None = None if kind == "undecided" else "measured"
    more = " ".join(deciding[1:_SAID])
    if len(deciding) > _SAID:
        more += f" The table of the study has the other {len(deciding) - _SAID}."
    return Verdict(
        kind,
        claim.text,
        f"{opening}: {first}",
        level,
        mistake="wrong_value" if kind == "wrong" else None,
        evidence=more,
    )


def _outcome(results: Sequence[ConfigurationResult], claim: Claim) -> Verdict:
    if claim.part_span is not None:
        raise claim.error("how a run ended is read from train and dev", claim.part_span)
    value = claim.levels[0].value
    members = [r for r in results if getattr(r.configuration, claim.factor) == value]
    if not members:
        raise claim.error(
            f"no configuration with these values has {claim.factor} {shown(value)}",
            claim.levels[0].span,
        )
    runs = [(result, run) for result in members for run in result.runs]
    counts = Counter(run.outcome for _, run in runs)
    hits = counts[claim.outcome]
    right = hits > 0 if claim.some else hits == len(runs)
    ended = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.most_common())
    other = next(
        ((result, run) for result, run in runs if (run.outcome == claim.outcome) == claim.some),
        runs[0],
    )
    where, example = other
    return Verdict(
        "right" if right else "wrong",
        claim.text,
        f"{'Right' if right else 'Wrong'}: of {count(len(runs), 'run')} with {claim.factor} "
        f"{shown(value)} in {count(len(members), 'configuration')}, {ended}.",
        "measured",
        mistake=None if right else "wrong_value",
        evidence=f"{where.label}, seed {example.seed}: {example.outcome.replace('_', ' ')}; "
        f"{example.reading.evidence}.",
    )


def _confounded(results: Sequence[ConfigurationResult], claim: Claim) -> Verdict:
    one, other = claim.factor, claim.other
    if one == other:
        raise claim.error(f"{one} is compared with itself", claim.factor_span)
    cells = [result.configuration for result in results]
    for name in (one, other):
        if name not in varying(cells):
            message = f"Wrong: {name} is the same in all {count(len(cells), 'configuration')}."
            return Verdict("wrong", claim.text, message, "proved", mistake="wrong_structure")
    apart = next(
        (
            (a, b)
            for a, b in combinations(results, 2)
            if getattr(a.configuration, one) != getattr(b.configuration, one)
            and getattr(a.configuration, other) == getattr(b.configuration, other)
        ),
        None,
    )
    if apart is None:
        return Verdict(
            "right",
            claim.text,
            f"Right: no two of the {len(cells)} configurations differ in {one} and agree in "
            f"{other}, so nothing can be said about {one} alone.",
            "proved",
            evidence="All pairs of configurations were looked at.",
        )
    a, b = apart
    return Verdict(
        "wrong",
        claim.text,
        f"Wrong: {a.label} and {b.label} differ in {one} and agree in {other}.",
        "proved",
        mistake="wrong_structure",
    )
