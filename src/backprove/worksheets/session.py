"""What a worksheet has declared and asked so far, while it runs."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from backprove.errors import BackproveError
from backprove.results import Block, VerdictKind
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


class Subject(ABC):
    """What the claims below a statement are about."""

    @abstractmethod
    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        """The verdict on a claim."""


@dataclass
class Session:
    """The state of a worksheet that is being run.

    Args:
        engine: the functions that answer.
        symbols: what ``let`` declared.
        subject: what claims are about: the latest derivation or graph.
        progress: told what is done, for long statements.
    """

    engine: Engine
    symbols: dict[str, Symbol] = field(default_factory=dict)
    subject: Subject | None = None
    progress: Progress | None = None

    def shapes(self, *texts: Piece) -> dict[str, str]:
        """Shapes of the declared symbols that occur in any of the texts."""
        used = {name for text in texts for name in _NAME.findall(text.text)}
        return {name: symbol.shape for name, symbol in self.symbols.items() if name in used}

    def domains(self, *texts: Piece) -> dict[str, str] | None:
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
            raise located(error, *pieces, *self.declarations(*pieces)) from error
