"""What a worksheet has declared and asked so far, while it runs."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from backprove.errors import BackproveError, InputError, UnknownName
from backprove.results import Block, VerdictKind
from backprove.worksheets.definitions import Definition, Expanded, expand
from backprove.worksheets.engine import Engine
from backprove.worksheets.source import Piece, located

Progress = Callable[[str, int, int], None]
"""Called with what is being done, its number (from 1), and how many of such there are."""

_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Symbol:
    """A declared symbol: the texts of its shape and its domain, and where that was written."""

    shape: str
    domain: str
    piece: Piece


class Verdict(Protocol):
    """What the worksheet needs to know of the answer to a claim."""

    @property
    def kind(self) -> VerdictKind: ...
    def blocks(self) -> list[Block]: ...
    def to_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Reproduction:
    """How a reader gets the same answer without the worksheet.

    Args:
        command: for a shell.
        python: for Python, after ``import backprove as bp``.
    """

    command: str
    python: str


class Subject(ABC):
    """What the claims below a statement are about."""

    def hear(self, claim: Piece) -> None:  # noqa: B027 (most subjects judge each claim alone)
        """Take note of a claim before it is checked."""

    @abstractmethod
    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        """The verdict on a claim."""

    def key(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Any:
        """All that the verdict depends on, as JSON-ready data; None if it is not to be kept."""
        return None

    def reproduction(
        self, claim: Piece, session: Session, options: dict[str, Piece]
    ) -> Reproduction | None:
        """How to ask for the verdict alone."""
        return None


@dataclass(frozen=True)
class Question:
    """What the statements below it belong to.

    Args:
        name: unique within the worksheet, such as ``S28`` or ``1a``.
        piece: where it was written.
    """

    name: str
    piece: Piece


@dataclass
class Session:
    """The state of a worksheet that is being run.

    Args:
        engine: the functions that answer.
        symbols: what ``let`` declared.
        definitions: the expressions that ``let`` named.
        values: the numbers that ``let`` gave to symbols.
        layout: the layout that ``let layout`` chose; None for the default.
        subject: what claims are about: the latest statement that answers.
        question: the question that the statements belong to.
        questions: all questions so far, by name.
        folder: where the worksheet lies; None for a text that has no file.
        progress: told what is done, for long statements.
        studies: a folder in which studies keep each epoch, so that one that was cut short goes
            on; None to keep nothing.
        shown: the anchor of each answer that a page does not show twice, by its key; None where
            each answer stands on a page of its own.
    """

    engine: Engine
    symbols: dict[str, Symbol] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    values: dict[str, tuple[Piece, Any]] = field(default_factory=dict)
    layout: str | None = None
    subject: Subject | None = None
    question: Question | None = None
    questions: dict[str, Question] = field(default_factory=dict)
    folder: Path | None = None
    progress: Progress | None = None
    studies: Path | None = None
    shown: dict[str, str] | None = None
    _expanded: dict[str, Expanded] = field(default_factory=dict, repr=False)

    def text(self, piece: Piece) -> str:
        """A text for the layers below: with the names that ``let`` defined written out."""
        expanded = expand(piece, self.definitions)
        if expanded.text != piece.text:
            self._expanded[expanded.text] = expanded
        return expanded.text

    def names(self, *texts: Piece | str) -> set[str]:
        """All words that occur in any of the texts, with defined names written out."""
        plain = (text if isinstance(text, str) else self.text(text) for text in texts)
        return {name for text in plain for name in _NAME.findall(text)}

    def shapes(self, *texts: Piece | str) -> dict[str, str]:
        """Shapes of the declared symbols that occur in any of the texts."""
        used = self.names(*texts)
        return {name: symbol.shape for name, symbol in self.symbols.items() if name in used}

    def domains(self, *texts: Piece | str) -> dict[str, str] | None:
        """Domains of the symbols that occur in the texts, where one was declared."""
        domains = {
            name: self.symbols[name].domain
            for name in self.shapes(*texts)
            if self.symbols[name].domain
        }
        return domains or None

    def declarations(self, *texts: Piece) -> list[Piece]:
        """Where the symbols of the texts were declared, for errors about their shapes."""
        return [self.symbols[name].piece for name in self.shapes(*texts)]

    @contextmanager
    def locating(self, *pieces: Piece) -> Iterator[None]:
        """Let errors from the layers below point into the worksheet."""
        try:
            yield
        except BackproveError as error:
            if isinstance(error, InputError) and error.text in self._expanded:
                self._expanded[error.text].relocate(error)
            # The layers below know only the symbols that the statement names.
            if isinstance(error, UnknownName) and error.hint:
                every = ", ".join(self.symbols) or "nothing"
                error.hint = re.sub(
                    r"^Declared: [^;.]*", lambda _: f"Declared: {every}", error.hint
                )
            raise located(error, *pieces, *self.declarations(*pieces)) from error
