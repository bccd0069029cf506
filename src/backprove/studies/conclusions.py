"""Sentences about a study, made from its numbers: what they support and what they do not."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, sqrt
from typing import TYPE_CHECKING

from backprove.studies import answers
from backprove.studies.comparisons import EQUIVALENCE_NOTE, Comparison
from backprove.studies.outcomes import ERRORS, LOSS_SHARE, SEVERITY
from backprove.studies.statistics import LEVEL, POWER, RESAMPLES, fewest_pairs, smallest_p
from backprove.studies.wording import between, confounded, count, verdict_text

if TYPE_CHECKING:
    from backprove.studies.result import Study

_SAID = 12  # more sentences about one family would hide the others; the table has them all


def conclude(study: Study) -> list[str]:
    """What the numbers of a study support, and what they do not.

    Args:
        study: the study.

    Returns:
        Sentences, each with its sample sizes.
    """
    return [
        _design(study),
        *_outcomes(study),
        *confounded(study),
        *_verdicts(study),
        *(answers.curves(study) if study.extensions or study.judged else ()),
        *_unsupported(study),
    ]


def _verdicts(study: Study) -> Iterator[str]:
    families: dict[str, list[Comparison]] = {}
    for comparison in study.comparisons:
        families.setdefault(comparison.family, []).append(comparison)
    for family, members in families.items():
        decided = [c for c in members if c.verdict != "not_decided"]
        for comparison in decided[:_SAID]:
            yield verdict_text(study, comparison, len(members))
        if len(decided) > _SAID:
            yield (
                f"{len(decided) - _SAID} more comparisons of {family} are decided; the table has "
                "them."
            )
        yield from _undecided(family, members)


def _undecided(family: str, members: list[Comparison]) -> Iterator[str]:
    open_ones = [c for c in members if c.verdict == "not_decided"]
    if not open_ones:
        return
    of = f"{len(open_ones)} of {count(len(members), 'comparison')} of {family}"
    asked = [c.seeds_needed for c in open_ones if c.seeds_needed is not None]
    more = ""
    if asked and len(open_ones) == 1:
        more = f" About {asked[0]} seeds would decide it."
    elif asked:
        seeds = between(str(min(asked)), str(max(asked)))
        more = f" About {seeds} seeds would decide {len(asked)} of them."
    yield f"Not decided: {of}, with {count(open_ones[0].seeds, 'paired seed')}.{more}"


def how_compared(study: Study) -> str:
    """How the verdicts came about, in one paragraph."""
    return (
        f"Dev {study.score} at the last epoch, a minus b, paired over seeds. The standard error is "
        f"that of a two-level bootstrap over seeds and examples ({RESAMPLES} resamples), at least "
        "that of the seeds alone; intervals and p-values take Student's t with seeds minus 1 "
        f"degrees of freedom. Better: p < {LEVEL:g} after Holm's correction within the family, and "
        f"the exact paired permutation test below {LEVEL:g} too. Equivalent: the interval lies "
        f"within ±{study.region:g} points, {EQUIVALENCE_NOTE}. A comparison counts as equivalent "
        "where it is both. Where a number of seeds would decide, they do so with a chance of "
        f"{POWER:.0%} if mean and spread stay as they are.{_looks(study)}{_chosen(study)} The "
        "errors are those of drawing seeds and judged examples anew from the same pool; another "
        "pool of training examples can differ by more."
    )


def _looks(study: Study) -> str:
    if not study.looks:
        return ""
    numbers = ", ".join(map(str, study.looks))
    return (
        f" Verdicts were read at up to {count(len(study.looks), 'look')}, at {numbers} seeds, each "
        f"at a level of {LEVEL / len(study.looks):.3g}, intervals too: so the error probability "
        f"of {LEVEL:g} holds whenever the study stops. A comparison keeps its first verdict."
    )


def _chosen(study: Study) -> str:
    if not study.judged:
        return ""
    seeds = study.judged[0].result.runs
    return (
        f" Comparisons at chosen learning rates take the rate with the highest mean dev "
        f"{study.score} of each arm, trained again from {count(len(seeds), 'fresh seed')}, and the "
        f"{study.score} on the test examples, which nothing was chosen on."
    )


def method(study: Study) -> str:
    """How the numbers came about, in one paragraph."""
    drawn = (
        "each seed draws train and dev anew from the same pool and fixes the first weights and the "
        "order of the examples"
        if study.split == "seeded"
        else "each seed fixes the first weights and the order of the examples; the split is the "
        "same for all"
    )
    more = f"accuracy higher by {ERRORS:g} standard errors, or " * (study.score == "accuracy")
    return (
        f"{drawn[0].upper()}{drawn[1:]}, alike for every configuration; the test examples are "
        "never trained on. Losses and scores are those of the parameters at the end of an "
        f"epoch. A run has learned if it is better than both the constant prediction and the "
        f"untrained network: {more}loss lower by "
        f"{LOSS_SHARE:.0%} of the constant prediction's. Trained in {study.seconds:.1f} s, "
        f"compilation included, on {study.environment['device']} with JAX "
        f"{study.environment['jax']}."
    )


def _design(study: Study) -> str:
    train, dev, test = study.sizes
    configurations, seeds = len(study.configurations), len(study.seeds)
    return (
        f"{count(configurations, 'configuration')} × {count(seeds, 'seed')} = "
        f"{count(configurations * seeds, 'run')} on {study.data}: {train} examples to train, "
        f"{dev} for dev, {test} for test. The constant prediction has, on "
        f"average over seeds, a dev loss of {study.baseline_loss:.4f} and "
        f"a dev {study.score} of {study.shown(study.baseline_accuracy)}."
    )


def _outcomes(study: Study) -> Iterator[str]:
    total = len(study.configurations) * len(study.seeds)
    learned = sum(
        result.outcomes.get(outcome, 0)
        for result in study.configurations
        for outcome in ("learned", "still_improving")
    )
    if learned == total:
        yield (
            "Supported: every run ends better on dev than the constant prediction and than the "
            "untrained network."
        )
    for outcome in SEVERITY:
        ended = [(r, r.outcomes[outcome]) for r in study.configurations if outcome in r.outcomes]
        if outcome == "learned" or not ended:
            continue
        words = outcome.replace("_", " ")
        more = " More epochs can change their numbers." if outcome == "still_improving" else ""
        each = [f"{r.label}: {n} of {count(len(r.runs), 'run')} ended {words}" for r, n in ended]
        if len(each) <= _SAID // 2:
            yield "; ".join(each) + f".{more}"
        else:
            yield (
                f"{sum(n for _, n in ended)} of {total} runs ended {words}, in {len(ended)} of "
                f"{len(study.configurations)} configurations; the table has them.{more}"
            )


def _unsupported(study: Study) -> Iterator[str]:
    seeds, dev = len(study.seeds), study.sizes[1]
    if len(study.configurations) > 1 and seeds < fewest_pairs():
        yield (
            f"Not supported: any ranking of the configurations; with "
            f"{count(seeds, 'paired seed')} the smallest p-value of an exact two-sided paired "
            f"test is {smallest_p(seeds):.3g}; below {fewest_pairs()} seeds it cannot reach "
            f"{LEVEL:g}."
        )
    if study.score == "accuracy":
        share = _typical_accuracy(study)
        error = sqrt(share * (1 - share) / dev)
        yield (
            f"The standard error of one accuracy near {share:.0%} on {dev} dev examples is "
            f"{100 * error:.1f} points, seeds aside."
        )
    linear = [r for r in study.configurations if r.configuration.hidden == "none"]
    if "activation" in study.varied and linear:
        yield (
            f"Without a hidden layer no activation acts: the {len(linear)} configurations with "
            "hidden none are the same networks as far as only their activation differs."
        )
    single = [name for name in ("lr", "epochs", "batch", "optimizer") if name not in study.varied]
    if study.varied and single:
        (first, *_) = (result.configuration for result in study.configurations)
        yield (
            f"Whatever is seen across {' and '.join(study.varied)} is seen at "
            f"{first.text(single)} only; other settings can reverse it."
        )


def _typical_accuracy(study: Study) -> float:
    """The middle dev accuracy of the study, or one half, where the standard error is largest."""
    last = [run.last("dev_score") for result in study.configurations for run in result.runs]
    finite = sorted(value for value in last if isfinite(value))
    return finite[len(finite) // 2] if finite else 0.5
