"""What every theorem returns: statement, conditions, proof, certificate, facts, measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from backprove.results import Block, Details, Evidence, Heading, Level, Result, Table, Text


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


def _shown(value: bool | float | str | Fraction | list[Any]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"`{value}`"
    return str(value) if isinstance(value, Fraction | list) else f"{value:.6g}"
