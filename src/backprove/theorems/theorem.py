"""What every theorem returns: statement, conditions, proof, certificate, facts, measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from backprove.results import Block, Details, Evidence, Heading, Level, Result, Table, Text
from backprove.theorems.certificates import CertificateVerdict, check_certificate

_CLAIMS = {
    "equitable_partition": "the units of each class have equal biases and equal sums of weights",
    "frozen_parameters": "the gradients of the parameters named are 0 while none of them has moved",
    "affine_map": "the layers, multiplied out, are one affine map",
    "mask_average": "the average over all masks, and the value without masks",
    "identities": "each line of algebra of the proof, for all values of its symbols",
    "gradient_bound": "the slopes, the norms of the weights and their product",
    "slope_values": "the slopes lie between two rational numbers",
    "outside_range": "how many targets no argument reaches, and the least error",
    "variance_chain": "the expected square of what each layer takes, as a rational number",
    "largest_eigenvalue": "the largest eigenvalue lies between two rational numbers",
    "longest_chain": "a chain of operations, and ranks that no chain exceeds",
}


@dataclass(frozen=True)
class Condition:
    """What has to hold for a theorem to hold.

    Args:
        text: the condition.
        holds: whether it was seen to hold; None where only the reader can know.
    """

    text: str
    holds: bool | None = None


@dataclass(frozen=True)
class Fact:
    """One thing that a theorem says, by a name that claims can use.

    Args:
        value: True or False, a number, nested lists of numbers, or a formula as text.
        level: how strongly it is supported.
        text: the fact as a sentence.
        shapes: shapes of the symbols of a formula.
    """

    value: bool | float | str | Fraction | list[Any]
    level: Level
    text: str
    shapes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Theorem(Result):
    """A statement about a network, with its proof.

    Args:
        name: what the theorem is called.
        statement: the theorem in one or two sentences.
        conditions: what it needs.
        proof: the argument, step by step.
        level: ``proved``, or ``measured`` where no proof exists.
        facts: what it says, by name.
        certificate: data that :mod:`backprove.theorems.certificates` checks; None if there is none.
        measurement: blocks of the run that shows the theorem.
        pictures: drawings and charts.
        source: where it comes from.
    """

    name: str
    statement: str
    conditions: Sequence[Condition] = ()
    proof: Sequence[str] = ()
    level: Level = "proved"
    facts: Mapping[str, Fact] = field(default_factory=dict)
    certificate: Mapping[str, Any] | None = None
    measurement: Sequence[Block] = ()
    pictures: Sequence[Block] = ()
    source: str = ""

    @cached_property
    def certified(self) -> CertificateVerdict:
        """What the checker says of the certificate; invalid where there is none."""
        return check_certificate(self.certificate)

    def blocks(self) -> list[Block]:
        blocks: list[Block] = [Heading(self.name), Evidence(self.level, self.statement)]
        if self.conditions:
            marks = {True: "holds", False: "does not hold", None: "assumed"}
            rows = [[each.text, marks[each.holds]] for each in self.conditions]
            blocks.append(Table(["condition", "here"], rows))
        if self.proof:
            steps: list[Block] = [
                Text(f"{number}. {step}") for number, step in enumerate(self.proof, 1)
            ]
            blocks.append(Details("Proof", steps))
        if self.certificate is not None:
            blocks.append(_certificate_block(self.certificate, self.certified))
        blocks += self.pictures
        if self.facts:
            rows = [
                [f"`{name}`", _shown(f.value), f.level, f.text] for name, f in self.facts.items()
            ]
            blocks.append(
                Details(
                    "Facts that claims can name",
                    [Table(["name", "value", "level", "meaning"], rows)],
                )
            )
        if self.measurement:
            blocks += [Heading("Seen in a run"), *self.measurement]
        if self.source:
            blocks.append(Text(f"Source: {self.source}."))
        return blocks

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "theorem",
            "name": self.name,
            "statement": self.statement,
            "conditions": [{"text": c.text, "holds": c.holds} for c in self.conditions],
            "proof": list(self.proof),
            "level": self.level,
            "facts": {
                name: {"value": f.value, "level": f.level, "text": f.text}
                for name, f in self.facts.items()
            },
            "certificate": dict(self.certificate) if self.certificate else None,
            "source": self.source,
        }


def _certificate_block(certificate: Mapping[str, Any], verdict: CertificateVerdict) -> Details:
    """What the certificate says and what its checker says of it."""
    parts = certificate["parts"] if certificate["kind"] == "all_of" else [certificate]
    kinds = dict.fromkeys(part["kind"] for part in parts)
    rows = [[f"`{kind}`", _CLAIMS.get(kind, "")] for kind in kinds]
    said = (
        "Checked again, in exact arithmetic, by a checker that uses nothing of what found it."
        if verdict
        else f"Refused by its checker: {verdict.reason}."
    )
    table = Table(["kind", "what it proves"], rows)
    return Details("Certificate", [table, Evidence("proved" if verdict else "advisory", said)])


def _shown(value: bool | float | str | Fraction | list[Any]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"`{value}`"
    return str(value) if isinstance(value, Fraction | list) else f"{value:.6g}"
