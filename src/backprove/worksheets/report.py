"""A worksheet that has been run: prose and outcomes in order, and what became of the claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from backprove.results import Block, Code, Heading, Result, Table, Text, VerdictKind


@dataclass(frozen=True)
class Prose:
    """Markdown that passes through, with the line where it begins."""

    markdown: str
    line: int


@dataclass(frozen=True)
class Outcome:
    """One statement with its answer.

    Args:
        kind: the keyword of the statement.
        source: the statement as written.
        line: its line in the worksheet, counted from 1.
        anchor: unique within the report.
        blocks: the answer for a reader.
        data: the answer as JSON-ready data.
        verdict: what became of the claim; None for a statement that claims nothing.
        expected: the verdict that the worksheet names; without one a claim must be right.
        file: the worksheet that holds the statement; another one if it was included.
        question: the name of the question that it belongs to; empty if there is none.
        command: the same asked in a shell; empty where nothing is asked.
        python: the same asked in Python.
    """

    kind: str
    source: str
    line: int
    anchor: str
    blocks: Sequence[Block]
    data: dict[str, Any] = field(default_factory=dict)
    verdict: VerdictKind | None = None
    expected: VerdictKind | None = None
    file: str = ""
    question: str = ""
    command: str = ""
    python: str = ""

    @property
    def held(self) -> bool | None:
        """Whether the verdict is the expected one; None where nothing was claimed."""
        return None if self.verdict is None else self.verdict == (self.expected or "right")

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON-ready data."""
        return {
            "kind": self.kind,
            "line": self.line,
            "file": self.file,
            "question": self.question,
            "source": self.source,
            "verdict": self.verdict,
            "expected": None if self.verdict is None else self.expected or "right",
            "held": self.held,
            "result": self.data,
            "reproduce": {"command": self.command, "python": self.python},
        }


@dataclass
class Report(Result):
    """The answers to a worksheet.

    Args:
        title: the title of the worksheet.
        items: prose and outcomes in order.
        about: what the report was made from and with, for its footer.
        file: name of the worksheet; empty for a text that has no file.

    >>> report = Report("Squares", [Outcome("claim", "claim 2*x", 4, "s1", [], {}, "right")])
    >>> report.summary["held"], report.exit_status
    (1, 0)
    """

    title: str
    items: Sequence[Prose | Outcome]
    about: dict[str, str] = field(default_factory=dict)
    file: str = ""

    @property
    def outcomes(self) -> list[Outcome]:
        """The statements with their answers."""
        return [item for item in self.items if isinstance(item, Outcome)]

    @property
    def summary(self) -> dict[str, Any]:
        """Counts of statements, claims and verdicts, and what the report was made from."""
        claims = [outcome for outcome in self.outcomes if outcome.verdict is not None]
        held = sum(bool(outcome.held) for outcome in claims)
        return {
            "statements": len(self.outcomes),
            "claims": len(claims),
            "held": held,
            "not_held": len(claims) - held,
            "verdicts": dict(Counter(str(outcome.verdict) for outcome in claims)),
            "about": self.about,
        }

    @property
    def exit_status(self) -> int:
        """0 if every claim meets its expectation, else 1."""
        return 1 if self.summary["not_held"] else 0

    def blocks(self) -> list[Block]:
        blocks: list[Block] = [Heading(self.title), *self.summary_blocks()]
        for item in self.items:
            if isinstance(item, Prose):
                blocks.extend(_prose_blocks(item.markdown))
            else:
                blocks.append(Code("backprove", item.source))
                blocks.extend(item.blocks)
        return blocks

    def summary_blocks(self) -> list[Block]:
        """How many claims meet their expectation, and which do not."""
        claims = [outcome for outcome in self.outcomes if outcome.held is not None]
        missed = [outcome for outcome in claims if not outcome.held]
        if not claims:
            return [Text("The worksheet claims nothing.")]
        if not missed:
            lead = (
                f"All {len(claims)} claims meet their" if len(claims) > 1 else "The claim meets its"
            )
            return [Text(f"{lead} expectation.")]
        rows = [
            [outcome.line, outcome.source, outcome.expected or "right", str(outcome.verdict)]
            for outcome in missed
        ]
        lead = (
            "The claim does not meet its"
            if len(claims) == 1
            else f"{len(missed)} of {len(claims)} claims do not meet their"
        )
        return [
            Text(f"{lead} expectation."),
            Table(["line", "statement", "expected", "verdict"], rows),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "report",
            "title": self.title,
            "file": self.file,
            "exit_status": self.exit_status,
            "summary": self.summary,
            "items": [
                {"kind": "prose", "line": item.line, "markdown": item.markdown}
                if isinstance(item, Prose)
                else item.to_dict()
                for item in self.items
            ],
        }


def _prose_blocks(markdown: str) -> list[Block]:
    """Prose as headings and paragraphs."""
    blocks: list[Block] = []
    for paragraph in markdown.strip().split("\n\n"):
        text = paragraph.strip()
        if text.startswith("#"):
            heading, _, text = text.partition("\n")
            blocks.append(Heading(heading.strip("# ")))
        if text.strip():
            blocks.append(Text(text.strip()))
    return blocks
