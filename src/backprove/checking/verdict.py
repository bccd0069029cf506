"""The verdict on a claim: right, right under a convention, wrong (and how), or undecided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprove.results import (
    Block,
    Evidence,
    Formula,
    Judgement,
    Level,
    Result,
    Table,
    Text,
    VerdictKind,
)

MISTAKES = {
    "wrong_shape": "the shape is wrong",
    "sign": "a sign is wrong",
    "missing_term": "a term is missing",
    "extra_term": "there is a term too many",
    "transposed": "a factor is transposed",
    "missing_chain": "the derivative of an inner function is missing",
    "missing_path": "a path of the chain rule is missing",
    "missing_delta": "a delta is missing",
    "wrong_delta": "a delta joins the wrong indices",
    "missing_factor": "a factor is missing",
    "extra_factor": "there is a factor too many",
    "missing_sum": "a sum is missing",
    "missing_normalizer": "the normalising factor, such as 1/n, is missing",
    "wrong_function": "another function is meant",
    "wrong_variable": "another variable is meant",
    "wrong_axis": "an index stands on the wrong axis",
    "wrong_order": "the factors stand in the wrong order",
    "scalar_rule": "a rule for scalars was used where it does not hold",
    "assumed_symmetric": "a matrix was taken to be symmetric",
    "assumed_normalised": "a vector was taken to sum to 1",
    "symmetric_convention": "the symmetric-matrix convention was mixed with the unstructured one",
    "wrong_path": "the path of the chain rule is wrong",
    "layout_mixed": "layouts were mixed",
    "contradiction": "two statements exclude each other",
    "wrong_value": "the value is wrong",
    "wrong_structure": "the structure is wrong",
}
"""Every mistake that has a name, and what it means."""


@dataclass(frozen=True)
class Counterexample:
    """Inputs at which the claim fails.

    Attributes:
        inputs: a value for each symbol.
        entry: the entry of the derivative at which the two differ most.
        expected: the right value there.
        given: the value of the claim there.
    """

    inputs: Mapping[str, np.ndarray]
    entry: tuple[int, ...]
    expected: float
    given: float

    def to_dict(self) -> dict[str, Any]:
        """The counterexample as JSON-ready data."""
        return {
            "inputs": {name: np.asarray(value).tolist() for name, value in self.inputs.items()},
            "entry": list(self.entry),
            "expected": self.expected,
            "given": self.given,
        }


@dataclass
class Verdict(Result):
    """What a claim is worth.

    Attributes:
        kind: ``right``, ``right_under``, ``wrong`` or ``undecided``.
        claim: the claim as it was given.
        message: one or two plain sentences.
        level: ``proved`` or ``measured``; None if undecided.
        under: the conventions or assumptions under which the claim is right.
        mistake: for a wrong claim, a name from :data:`MISTAKES`; None if it has none.
        where: the term, factor, index or entry that is wrong.
        counterexample: for a wrong claim, inputs at which it fails.
        fixed: the claim with the smallest change that makes it right.
        evidence: how the verdict was reached.
        also: further names of the same mistake, where one edit is two omissions at once.
    """

    kind: VerdictKind
    claim: str
    message: str
    level: Level | None = None
    under: list[str] = field(default_factory=list)
    mistake: str | None = None
    where: str | None = None
    counterexample: Counterexample | None = None
    fixed: str | None = None
    evidence: str = ""
    also: list[str] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """True if the claim is right, possibly under a convention that is named."""
        return self.kind in ("right", "right_under")

    def blocks(self) -> list[Block]:
        found: list[Block] = [Judgement(self.kind, self.message, self.level)]
        if self.counterexample is not None:
            found.append(self._counterexample_table(self.counterexample))
        if self.fixed:
            found.append(Formula("", self.fixed, "a right form", self.fixed))
        if self.evidence and self.level is not None:
            found.append(Evidence(self.level, self.evidence))
        elif self.evidence:
            found.append(Text(self.evidence))
        return found

    @staticmethod
    def _counterexample_table(example: Counterexample) -> Table:
        rows: list[tuple[str, str]] = [
            (
                "entry",
                "[" + ", ".join(map(str, example.entry)) + "]" if example.entry else "the value",
            ),
            ("expected", f"{example.expected:.6g}"),
            ("given", f"{example.given:.6g}"),
        ]
        for name, value in example.inputs.items():
            if np.size(value) <= 24:
                rows.append((name, np.array2string(np.asarray(value), precision=4, separator=", ")))
        return Table(("at", "value"), rows, "counterexample")

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "claim": self.claim,
            "message": self.message,
            "level": self.level,
            "under": list(self.under),
            "mistake": self.mistake,
            "also": list(self.also),
            "where": self.where,
            "counterexample": self.counterexample.to_dict() if self.counterexample else None,
            "fixed": self.fixed,
            "evidence": self.evidence,
        }
