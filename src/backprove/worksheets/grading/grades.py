"""What grading gives: marks for each claim, points for each question, and a table of all."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import mean
from typing import Any

from backprove.results import Block, Details, Heading, Result, Table, Text


@dataclass(frozen=True)
class Mark:
    """The judgement on one claim of a submission.

    Args:
        question: the question that it answers; empty if that is not known.
        line: its line in the submission.
        claim: the claim as written.
        accepted: whether it counts.
        verdict: ``right``, ``right_under``, ``wrong``, ``undecided``, or ``unread`` if it could
            not be read or took too long.
        mistake: the name of the mistake; empty without one.
        message: what the submitter should read.
        fills: the slots that it answers, as text.
    """

    question: str
    line: int
    claim: str
    accepted: bool
    verdict: str
    mistake: str
    message: str
    fills: tuple[str, ...] = ()


@dataclass(frozen=True)
class Marked:
    """A submission with its marks.

    Args:
        name: the name of its file.
        points: points by question; every question of the key has an entry.
        possible: what each question is worth.
        marks: one for each claim, in order.
        trouble: why the submission could not be marked as a whole; empty if it could.
    """

    name: str
    points: Mapping[str, float]
    possible: Mapping[str, float]
    marks: Sequence[Mark]
    trouble: str = ""

    @property
    def total(self) -> float:
        """The sum of the points."""
        return sum(self.points.values())

    def to_dict(self) -> dict[str, Any]:
        """The submission as JSON-ready data."""
        return {
            "submission": self.name,
            "points": round(self.total, 6),
            "of": sum(self.possible.values()),
            "questions": {
                name: {"points": round(self.points[name], 6), "of": self.possible[name]}
                for name in self.possible
            },
            "claims": [asdict(mark) | {"fills": list(mark.fills)} for mark in self.marks],
            "trouble": self.trouble,
        }


@dataclass
class Grades(Result):
    """The grades of all submissions.

    Args:
        title: the title of the key.
        submissions: in the order in which they were given.
    """

    title: str
    submissions: Sequence[Marked] = field(default_factory=list)

    def blocks(self) -> list[Block]:
        if not self.submissions:
            return [Heading(self.title), Text("No submission.")]
        possible = self.submissions[0].possible
        best = sum(possible.values())
        rows = [
            [s.name, _short(s.total), *(_short(s.points[q]) for q in possible), s.trouble[:80]]
            for s in self.submissions
        ]
        columns = ["submission", f"of {_short(best)}", *possible, "trouble"]
        if not any(s.trouble for s in self.submissions):
            columns, rows = columns[:-1], [row[:-1] for row in rows]
        count = len(self.submissions)
        average = mean(s.total for s in self.submissions)
        return [
            Heading(self.title),
            Text(
                f"{count} {'submission' if count == 1 else 'submissions'}; on average "
                f"{_short(average)} of {_short(best)} points."
            ),
            Table(columns, rows),
            Table(["question", "mean share", "most frequent mistakes"], self._by_question()),
            *(self._feedback(submission) for submission in self.submissions),
        ]

    def _by_question(self) -> list[list[str]]:
        rows = []
        for name, worth in self.submissions[0].possible.items():
            share = mean(s.points[name] for s in self.submissions) / worth
            mistakes = Counter(
                mark.mistake
                for s in self.submissions
                for mark in s.marks
                if mark.question == name and mark.mistake
            )
            shown = ", ".join(f"{mistake} ({n})" for mistake, n in mistakes.most_common(3))
            rows.append([name, f"{100 * share:.0f} %", shown])
        return rows

    @staticmethod
    def _feedback(submission: Marked) -> Details:
        rows = [
            [m.question, m.line, "✔" if m.accepted else "✘", f"`{_line(m.claim)}`", m.message]
            for m in submission.marks
        ]
        table: list[Block] = [Table(["question", "line", "", "claim", "feedback"], rows)]
        trouble: list[Block] = [Text(submission.trouble)] if submission.trouble else []
        return Details(
            f"{submission.name}: {_short(submission.total)} points", trouble + table * bool(rows)
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "grades",
            "title": self.title,
            "submissions": [submission.to_dict() for submission in self.submissions],
        }

    def csv(self) -> str:
        """One line for each submission: name, total, points by question, trouble.

        >>> print(Grades("A", [Marked("b.md", {"1": 1.0}, {"1": 2.0}, [])]).csv(), end="")
        submission,points,of,1,trouble
        b.md,1,2,1,
        """
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        possible = self.submissions[0].possible if self.submissions else {}
        writer.writerow(["submission", "points", "of", *possible, "trouble"])
        best = sum(possible.values())
        for each in self.submissions:
            points = [_short(each.points[name]) for name in possible]
            row = [each.name, _short(each.total), _short(best), *points, each.trouble]
            writer.writerow([_harmless(cell) for cell in row])
        return stream.getvalue()


def _short(number: float) -> str:
    return f"{number:.4g}"


def _line(text: str) -> str:
    line = " ".join(text.split()).replace("`", "'")
    return line if len(line) <= 120 else f"{line[:117]}..."


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{cell}" if cell[:1] in "=+-@\t\r" and cell else cell
