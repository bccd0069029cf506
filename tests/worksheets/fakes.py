"""An engine that answers without mathematics and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backprove.errors import BackproveError, Span, UnknownName
from backprove.results import Block, Judgement, Result, Text, VerdictKind
from backprove.worksheets import Engine


@dataclass
class FakeResult(Result):
    said: str
    kind: VerdictKind = "right"

    def blocks(self) -> list[Block]:
        return [Text(self.said)]

    def to_dict(self) -> dict[str, Any]:
        return {"said": self.said}


@dataclass
class FakeVerdict(FakeResult):
    def blocks(self) -> list[Block]:
        return [Judgement(self.kind, self.said)]


@dataclass
class FakeEngine:
    """Claims that hold the word of a verdict get that verdict; all others are right."""

    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    error: BackproveError | None = None

    def engine(self) -> Engine:
        return Engine(
            derive=self._asked("derive", FakeResult),
            check=self._asked("check", FakeVerdict),
            graph=self._asked("graph", FakeResult),
            check_run=self._asked("check_run", FakeVerdict),
            study=self._asked("study", FakeResult),
            functions=lambda names: [self._asked("function", FakeResult)(name) for name in names],
        )

    def _asked(self, name: str, kind: type[FakeResult]) -> Callable[..., Any]:
        def answer(*args: Any, **options: Any) -> FakeResult:
            self.calls.append((name, args, options))
            if self.error is not None:
                raise self.error
            claim = str(args[2] if name == "check" else args[-1]) if args else ""
            for verdict in ("right_under", "undecided", "wrong"):
                if verdict in claim:
                    return kind(f"{name} {claim}", verdict)
            return kind(f"{name} {claim}")

        return answer


def unknown(name: str, text: str) -> UnknownName:
    """The error of a lower layer that was given ``text``."""
    at = text.index(name)
    return UnknownName(f"unknown symbol '{name}'", text=text, span=Span(at, at + len(name)))


def block(*lines: str) -> str:
    """A worksheet that consists of one block of statements."""
    return "\n".join(["```backprove", *lines, "```", ""])
