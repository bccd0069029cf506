"""What a statement is, and the table of all kinds of statements.

A kind of statement is one class in one file of :mod:`backprove.worksheets.statements`: its
keyword, one line of usage, how it is read, and what it asks. Reading and running are apart, so
that a worksheet with a slip in its last line is refused before any work is done.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar

from backprove.results import Block, VerdictKind
from backprove.worksheets.session import Reproduction, Session
from backprove.worksheets.source import Piece


@dataclass(frozen=True)
class Answer:
    """What one statement gave.

    Args:
        blocks: the answer for a reader.
        data: the answer as JSON-ready data.
        verdict: what became of the claim; None for a statement that claims nothing.
    """

    blocks: Sequence[Block]
    data: dict[str, Any] = field(default_factory=dict)
    verdict: VerdictKind | None = None


@dataclass(frozen=True)
class Statement(ABC):
    """Base of all statements.

    Args:
        piece: the whole statement in its worksheet.
    """

    piece: Piece

    keyword: ClassVar[str]
    usage: ClassVar[str]
    repeated: ClassVar[str] = ""
    """What a report says in place of an answer that it has shown already; empty: the answer."""

    @property
    def expected(self) -> VerdictKind | None:
        """The verdict that the worksheet names for a claim; None where it names none."""
        return None

    @classmethod
    @abstractmethod
    def read(cls, piece: Piece, rest: Piece) -> Statement:
        """The statement from its text; ``rest`` is what follows the keyword."""

    def prepare(self, session: Session) -> None:  # noqa: B027 (most statements need not)
        """Tell the session what later statements need, without answering yet."""

    @abstractmethod
    def run(self, session: Session) -> Answer:
        """The answer, from what was declared and asked before."""

    def key(self, session: Session) -> Any:
        """All that the answer depends on, as JSON-ready data; None if it is not to be kept."""
        return None

    def reproduction(self, session: Session) -> Reproduction | None:
        """How to ask the same without a worksheet; None where nothing is asked."""
        return None


STATEMENTS: dict[str, type[Statement]] = {}
"""Every kind of statement by its keyword; the modules of ``statements`` enter theirs."""

NOT_YET = {
    "diagnose": "Findings about a training set-up are planned; until then, 'symmetry', 'prove' and "
    "'study' show what a set-up can do."
}
"""Words that will begin statements, with what to do until then."""

Kind = TypeVar("Kind", bound=type[Statement])


def statement(keyword: str, usage: str) -> Callable[[Kind], Kind]:
    """Enter a class into the table of statements under its keyword."""

    def enter(kind: Kind) -> Kind:
        kind.keyword, kind.usage = keyword, usage
        STATEMENTS[keyword] = kind
        return kind

    return enter


def read_statement(piece: Piece) -> Statement:
    """Read one statement.

    Raises:
        WorksheetError: its first word is no keyword.
        InputError: what follows cannot be read.
    """
    found = re.match(r"[^\s:=(]+", piece.text)
    word = found.group() if found else ""
    kind = STATEMENTS.get(word)
    rest = piece.part(len(word))
    if word in NOT_YET:
        raise piece.part(0, len(word)).error(f"'{word}' cannot be answered yet", NOT_YET[word])
    if kind is None:
        close = get_close_matches(word.lower(), STATEMENTS, n=1, cutoff=0.6)
        known = f"Statements: {', '.join(sorted(STATEMENTS))}."
        raise piece.part(0, max(1, len(word))).error(
            f"'{word[:40] or piece.text[:1]}' begins no statement",
            f"Is '{close[0]}' meant? {known}" if close else known,
        )
    if not rest.text:
        raise piece.error(f"nothing follows '{word}'", f"Usage: {kind.usage}")
    _refuse_a_statement_inside(piece)
    return kind.read(piece, rest)


def _refuse_a_statement_inside(piece: Piece) -> None:
    """An indented line goes on with the one above, which is not meant where a statement begins."""
    for line in re.finditer(r"\n[ \t]+([a-z]+)(?=[ \t])", piece.text):
        if line[1] in STATEMENTS or line[1] in NOT_YET:
            raise piece.part(line.start(1), line.end(1)).error(
                f"this line is indented, so its '{line[1]}' would belong to the statement above",
                "Begin a statement at the left margin.",
            )
