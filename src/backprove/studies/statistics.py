"""Paired differences over seeds and examples: how large, how sure, and how many seeds it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.05
"""Error probability of each family of comparisons."""

RESAMPLES = 2_000
"""Bootstrap resamples; the relative error of a standard error is about 1.6 %."""

POWER = 0.8
"""Chance of a verdict with the seeds that are said to be needed."""

MOST_SEEDS = 1_000
"""Estimates of the seeds needed stop here."""

_BOOTSTRAP_STREAM = 4  # other streams: splits (1), first weights (2), data order (3)
_AT_ONCE = 200  # resamples drawn at a time: bounds the memory of their weights

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The mean of paired differences, with its uncertainty over seeds and over examples.

    Args:
        mean: a minus b, as a share (0.01 is one point).
        interval: interval of the mean, 95 % unless another level was asked for.
        p: two-sided p-value of no difference, paired t with the two-level standard error.
        p_exact: two-sided p-value of the exact paired permutation test over seeds.
        p_outside: p-value of a difference outside of the region, the larger of two one-sided ones.
        wins: share of seeds in which a is ahead, ties counted half; estimates P(A > B).
        error: two-level standard error of the mean.
        example_error: the part of it that more seeds on the same examples do not lower.
        seeds: number of pairs.
    """

    mean: float
    interval: tuple[float, float]
    p: float
    p_exact: float
    p_outside: float
    wins: float
    error: float
    example_error: float
    seeds: int


def smallest_p(pairs: int) -> float:
    """The smallest two-sided p-value that an exact paired test can give.

    Of the ``2**n`` sign patterns of n paired differences, the two most extreme ones count.

    Args:
        pairs: number of paired differences, at least 1.

    Returns:
        ``2/2**n``.

    Source: Fisher, The Design of Experiments (1935), section 21.

    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - pairs)


def fewest_pairs(level: float = LEVEL) -> int:
    """The fewest pairs with which an exact paired test can fall below a level.

    >>> fewest_pairs(0.05)
    6
    """
    return next(n for n in range(1, 64) if smallest_p(n) < level)


def exact_p(differences: Floats) -> float:
    """Two-sided p-value of the paired permutation test of the mean.

    Args:
        differences: (pairs,). Up to 12 pairs all sign patterns are counted; beyond, 9,999 random
            ones are drawn from a fixed stream.

    Returns:
        The share of sign patterns whose mean is at least as far from 0.

    Source: Fisher, The Design of Experiments (1935), section 21.

    >>> exact_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))
    0.03125
    """
    if not differences.any():
        return 1.0
    tested = stats.permutation_test(
        (differences,),
        lambda x, axis: np.mean(x, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=4096 if len(differences) <= 12 else 9_999,
        rng=np.random.default_rng(_BOOTSTRAP_STREAM),
    )
    return float(tested.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that keep the chance of any false rejection in a family below a level.

    Args:
        p_values: of all comparisons of the family.

    Returns:
        The adjusted values, in the same order.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979), pages 65 to 70.

    >>> [round(p, 4) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def resampled_means(correct: Floats, used: Floats) -> Floats:
    """Accuracies under resampling of the examples, the same resamples for every run.

    An example is resampled as a whole, whatever runs it is judged in: with drawn-anew splits the
    seeds share examples.

    Args:
        correct: (configurations, seeds, examples): 1 where right; 0 where wrong or not judged.
        used: (seeds, examples): 1 where the example is judged.

    Returns:
        (resamples, configurations, seeds) accuracies.

    Source: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1 (2007).

    >>> every, right = np.ones((2, 50)), np.ones((1, 2, 50))
    >>> resampled_means(right, every).shape, float(resampled_means(right, every).min())
    ((2000, 1, 2), 1.0)
    """
    examples = used.shape[1]
    stream = np.random.Generator(np.random.PCG64([_BOOTSTRAP_STREAM, examples]))
    flat = correct.reshape(-1, examples).T.astype(np.float32)
    judged = used.T.astype(np.float32)
    parts = []
    for _ in range(0, RESAMPLES, _AT_ONCE):
        # How often each example is drawn; draws of all resamples are counted at once.
        drawn = stream.integers(0, examples, (_AT_ONCE, examples))
        drawn += examples * np.arange(_AT_ONCE)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=_AT_ONCE * examples)
        weights = counts.reshape(_AT_ONCE, examples).astype(np.float32)
        right = (weights @ flat).reshape(_AT_ONCE, *correct.shape[:2]).astype(np.float64)
        # A resample may, with few examples, miss all of a seed: it then says nothing about it.
        parts.append(right / np.maximum(weights @ judged, 1)[:, None, :])
    return np.concatenate(parts)


def paired(
    differences: Floats, resampled: Floats, region: float, level: float = LEVEL
) -> Difference:
    """The mean difference of paired runs and what is known of it.

    The standard error comes from a two-level bootstrap: seeds and examples are resampled, both
    with replacement; it is never taken below that of the seeds alone. It is an overestimate
    rather than an underestimate (Owen 2007). Its quantiles are those of Student's t
    with seeds minus 1 degrees of freedom.

    Args:
        differences: (seeds,) a minus b.
        resampled: (resamples, seeds) the same under resampling of the examples.
        region: half the width of the region of practical equivalence, as a share.
        level: the interval covers with probability 1 minus this.

    Returns:
        The difference; with a single seed its interval is infinite.

    Source: Owen (2007); Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987)
    for the two one-sided tests.
    """
    seeds = len(differences)
    mean = float(differences.mean())
    wins = float(((differences > 0) + 0.5 * (differences == 0)).mean())
    example_error = float(resampled.mean(axis=1).std(ddof=1))
    if seeds == 1:
        everything = (-float("inf"), float("inf"))
        return Difference(mean, everything, 1.0, 1.0, 1.0, wins, float("inf"), example_error, 1)
    stream = np.random.Generator(np.random.PCG64([_BOOTSTRAP_STREAM, 0, seeds]))
    drawn = stream.integers(0, seeds, resampled.shape)
    two_level = np.take_along_axis(resampled, drawn, axis=1).mean(axis=1).std(ddof=1)
    # A resampled variance of n seeds is too small by (n − 1)/n.
    error = max(
        float(two_level) * sqrt(seeds / (seeds - 1)),
        float(differences.std(ddof=1)) / sqrt(seeds),
    )
    reach = float(stats.t.ppf(1 - level / 2, seeds - 1)) * error
    return Difference(
        mean=mean,
        interval=(mean - reach, mean + reach),
        p=2 * _tail(abs(mean), error, seeds),
        p_exact=exact_p(differences),
        p_outside=_tail(region - abs(mean), error, seeds),
        wins=wins,
        error=error,
        example_error=min(example_error, error),
        seeds=seeds,
    )


def _tail(distance: float, error: float, seeds: int) -> float:
    """The chance that a t-distributed estimate strays further than a distance."""
    if error == 0:
        return 0.0 if distance > 0 else 0.5 if distance == 0 else 1.0
    return float(stats.t.sf(distance / error, seeds - 1))


def t_reach(values: Floats, level: float = LEVEL) -> float:
    """Half the width of the interval of a mean over seeds, by Student's t.

    Args:
        values: (seeds,), at least two.
        level: the interval covers with probability 1 minus this.

    >>> round(t_reach(np.array([0.70, 0.71, 0.72])), 4)
    0.0248
    """
    error = float(values.std(ddof=1)) / sqrt(len(values))
    return float(stats.t.ppf(1 - level / 2, len(values) - 1)) * error


def looks(first: int, most: int) -> tuple[int, ...]:
    """At how many seeds a study that goes on until it is decided is looked at.

    Each look takes half as many seeds again as the one before. The error probability of the whole
    is shared equally among the looks, so that it holds whenever the study stops: the chance that
    any of them errs is at most the sum of their levels (Bonferroni).

    Args:
        first: seeds at the first look.
        most: seeds at the last.

    Returns:
        The numbers of seeds, ascending.

    Source: alpha spending as in Lan and DeMets, Biometrika 70 (1983), with equal shares.

    >>> looks(8, 32)
    (8, 12, 18, 27, 32)
    """
    found = [first]
    while found[-1] < most:
        found.append(min(most, ceil(1.5 * found[-1])))
    return tuple(found)


def seeds_needed(
    difference: Difference, region: float, family: int, level: float = LEVEL
) -> int | None:
    """About how many seeds in all would decide with a chance of :data:`POWER`.

    The chance is that of a verdict of either kind, if mean and spread stay as they are: estimates
    scatter around the mean as a normal distribution does.

    Args:
        difference: what is known now.
        region: half the width of the region of practical equivalence, as a share.
        family: comparisons in the family; the level is divided by it.
        level: error probability of the family.

    Returns:
        The number, at least :func:`fewest_pairs`; none if even 1,000 would not be enough, or if
        there is a single seed, which shows no spread.
    """
    if difference.seeds < 2:
        return None
    fixed = difference.example_error**2
    by_seed = max(difference.error**2 - fixed, 0.0) * difference.seeds
    counts = np.arange(max(fewest_pairs(level), difference.seeds + 1), MOST_SEEDS + 1)
    errors = np.sqrt(by_seed / counts + fixed)
    if difference.error > 0:
        chance = _chance(abs(difference.mean), errors, counts, region, family, level)
    else:
        chance = np.full(len(counts), float(difference.mean != 0 or region > 0))
    enough = counts[chance >= POWER]
    return int(enough[0]) if len(enough) else None


def _chance(
    mean: float, errors: Floats, seeds: NDArray[Any], region: float, family: int, level: float
) -> Floats:
    """The chance that a comparison with these standard errors is decided."""

    def quantile(tail: float) -> Floats:
        return stats.t.isf(tail, seeds - 1)

    def below(bound: Floats) -> Floats:
        return stats.norm.cdf((bound - mean) / errors)

    apart = quantile(level / 2 / family) * errors  # an estimate further from 0 is "better"
    # Equivalent needs the interval of a single comparison inside of the region, too.
    near = region - np.maximum(quantile(level / family), quantile(level / 2)) * errors
    equal = np.where(near > 0, below(near) - below(-near), 0.0)
    # Where both can be said of one estimate, there is none of which neither can.
    return np.where(near >= apart, 1.0, 1 - below(apart) + below(-apart) + equal)


def examples_needed(difference: Difference, region: float, family: int, examples: int) -> int:
    """About how many dev examples would decide, if more seeds alone cannot.

    Args:
        difference: what is known now.
        region: half the width of the region of practical equivalence, as a share.
        family: comparisons in the family; the level is divided by it.
        examples: dev examples now.

    Returns:
        The number of examples at which the part of the error that seeds do not lower is half of
        what a verdict allows.
    """
    margin = max(abs(difference.mean), region - abs(difference.mean))
    reach = difference.example_error * float(stats.norm.ppf(1 - LEVEL / 2 / family))
    return ceil(examples * max(1.0, (2 * reach / margin) ** 2))
