"""What is said twice in a row is said once, in every view alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from backprove.results import Block, Evidence, Judgement, VerdictKind

_OPENINGS: dict[VerdictKind, re.Pattern[str]] = {
    "right": re.compile(r"right[.:;]\s*", re.IGNORECASE),
    "right_under": re.compile(r"right under[.:;]\s*", re.IGNORECASE),
    "wrong": re.compile(r"wrong[.:;]\s*", re.IGNORECASE),
    "undecided": re.compile(r"undecided[.:;]\s*", re.IGNORECASE),
}


def arranged(blocks: Sequence[Block]) -> list[Block]:
    """Blocks without the repetitions that the marks of a verdict make.

    A judgement loses the opening word that its mark says already, and its level of evidence
    and its sentence where the evidence itself follows with the same.

    Args:
        blocks: what a result gives, in reading order.

    Returns:
        The same blocks in the same order, judgements shortened.

    >>> arranged([Judgement("right", "Right: h1 = 0.", "proved"), Evidence("proved", "")])[0]
    Judgement(kind='right', message='h1 = 0.', level=None)
    """
    found: list[Block] = []
    for at, block in enumerate(blocks):
        after = blocks[at + 1] if at + 1 < len(blocks) else None
        if isinstance(block, Judgement):
            said = isinstance(after, Evidence) and after.level == block.level
            opening = _OPENINGS[block.kind].match(block.message)
            message = block.message[opening.end() :] if opening else block.message
            if said and isinstance(after, Evidence) and message == after.text:
                message = ""
            block = replace(block, message=message, level=None if said else block.level)
        found.append(block)
    return found
