"""Answers of several lines: names for parts first, then one gradient or more."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from backprove.checking.verdict import Verdict
from backprove.errors import NotationError, Span

_LINE = re.compile(r"^\s*([^\W\d]\w*)\s*=(?!=)")
_GRADIENT = re.compile(r"d(\w+)|grad_(\w+)|(\w+?)_(?:bar|grad)")


@dataclass(frozen=True)
class Answer:
    """The gradients of an answer, each with the names that the other lines define.

    Attributes:
        gradients: for each symbol the line that gives its gradient, definitions included.
    """

    gradients: dict[str, str]


def split_lines(claim: str, symbols: Collection[str]) -> Answer | None:
    """An answer of several lines, or None if a claim is a single one.

    >>> split_lines("dZ = G*h; dW = X.T @ dZ", {"X", "W", "h"}).gradients
    {'W': 'dW = X.T @ dZ with dZ = G*h'}
    """
    lines = [part.strip() for part in re.split(r"[\n;]", claim) if part.strip()]
    heads = [_LINE.match(line) for line in lines]
    if len(lines) < 2 or any(h is None for h in heads) or re.search(r"\b(with|where)\s+\w", claim):
        return None
    gradients: dict[str, str] = {}
    defined: list[str] = []
    for line, head in zip(lines, heads, strict=True):
        assert head is not None
        found = _GRADIENT.fullmatch(head[1])
        symbol = next((g for g in found.groups() if g), "") if found else ""
        if symbol in symbols and head[1] not in symbols:
            gradients[symbol] = line
        else:
            defined.append(line)
    if not gradients:
        return None
    suffix = f" with {', '.join(defined)}" if defined else ""
    return Answer({symbol: line + suffix for symbol, line in gradients.items()})


def judge_lines(
    claim: str, answer: Answer, wrt: str, judge: Callable[[str, str], Verdict]
) -> Verdict:
    """The verdict on an answer: that on the gradient asked for, unless another line is wrong.

    Args:
        claim: the claim.
        answer: its lines.
        wrt: the symbol asked about.
        judge: judges the line of a symbol.

    Raises:
        NotationError: no line gives the gradient that was asked for.
    """
    if wrt not in answer.gradients:
        raise NotationError(
            f"no line gives the gradient of {wrt}",
            text=claim,
            span=Span(0, len(claim)),
            hint=f"Write d{wrt} = ... in a line of its own.",
        )
    verdicts = {symbol: judge(symbol, line) for symbol, line in answer.gradients.items()}
    order = [wrt, *(s for s in verdicts if s != wrt)]
    for kind in ("wrong", "undecided", "right_under"):
        for symbol in order:
            if verdicts[symbol].kind == kind:
                found = verdicts[symbol]
                if len(order) > 1:
                    found.message = f"The line of d{symbol}: {found.message}"
                return found
    return verdicts[wrt]
