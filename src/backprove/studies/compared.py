"""Two levels of a factor compared in full, in every pair of configurations that allows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backprove.results import Block, Evidence, Heading, Result, Table, Text
from backprove.studies.claims import Claim
from backprove.studies.comparisons import Comparison
from backprove.studies.factors import shown
from backprove.studies.pairs import comparisons_of, refuse_missing, results_of, why_none
from backprove.studies.wording import comparison_text, percent

if TYPE_CHECKING:
    from backprove.studies.result import Study


@dataclass(eq=False)
class Compared(Result):
    """Two levels of a factor, compared with all else equal.

    Args:
        title: what is compared.
        comparisons: each as first minus second.
        sentences: what they say, with sample sizes.
    """

    title: str
    comparisons: Sequence[Comparison]
    sentences: Sequence[str]

    def blocks(self) -> list[Block]:
        found: list[Block] = [Heading(self.title), *map(Text, self.sentences)]
        if not self.comparisons:
            return found
        level = percent(1 - self.comparisons[0].level)
        columns = (
            "a", "b", "verdict", "a − b in points", f"{level} interval", "P(a > b)", "seeds",
            "p (Holm)", "what would decide",
        )  # fmt: skip
        return [
            *found,
            Table(columns, [_row(c) for c in self.comparisons]),
            Evidence(
                "measured",
                "Networks trained with paired seeds; the verdicts are those of the study above. "
                "P(a > b) is the share of seeds in which a is ahead, ties half.",
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "compared",
            "title": self.title,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "conclusions": list(self.sentences),
        }


def compared(study: Study, claim: Claim) -> Compared:
    """The comparisons of two levels in a study.

    Args:
        study: the study.
        claim: what is to be compared, as :func:`backprove.studies.claims.read_comparison` reads it.

    Raises:
        InputError: a level or a value that the study has not.
    """
    results = results_of(study, claim)
    for level in claim.levels:
        refuse_missing(results, claim, claim.factor, level)
    first, second = (level.value for level in claim.levels)
    found = comparisons_of(study, results, claim, first, second)
    title = f"{claim.factor} {shown(first)} with {claim.factor} {shown(second)} on {claim.part}"
    sentences = [comparison_text(study, c) for c in found]
    if not found:
        sentences = [f"Not decided: {why_none(results, claim, first, second)}."]
    return Compared(title, found, sentences)


def _row(c: Comparison) -> tuple[Any, ...]:
    return (
        c.a,
        c.b,
        c.verdict.replace("_", " "),
        "none" if c.difference is None else f"{100 * c.difference:+.2f}",
        "none"
        if c.interval is None
        else f"{100 * c.interval[0]:+.2f} to {100 * c.interval[1]:+.2f}",
        "none" if c.probability is None else f"{c.probability:.0%}",
        c.seeds,
        "none" if c.p is None else f"{c.p:.2g}",
        c.reason or "decided",
    )
