"""The words and symbols that every view uses for verdicts and evidence."""

from __future__ import annotations

from dataclasses import dataclass

from backprove.results import Level, VerdictKind


@dataclass(frozen=True)
class Wording:
    """How a verdict or a level of evidence is named: a symbol, a word and what it means."""

    mark: str
    word: str
    meaning: str


VERDICTS: dict[VerdictKind, Wording] = {
    "right": Wording("✔", "right", "the claim holds"),
    "right_under": Wording("~", "right under a condition", "the claim holds as the message says"),
    "wrong": Wording("✘", "wrong", "the claim does not hold"),
    "undecided": Wording("?", "undecided", "neither shown to hold nor refuted"),
}

LEVELS: dict[Level, Wording] = {
    "proved": Wording("●", "proved", "holds for all values under the printed conditions"),
    "measured": Wording("◐", "measured", "observed on the named inputs"),
    "advisory": Wording("○", "advisory", "a rule of thumb, with its source"),
}


def plural(count: int, noun: str) -> str:
    """A count with its noun in the right number.

    >>> plural(1, "claim"), plural(3, "claim")
    ('1 claim', '3 claims')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
