"""Results as plain text for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from backprove.results import (
    Block,
    Chart,
    Code,
    Details,
    Drawing,
    Evidence,
    Formula,
    Heading,
    Judgement,
    Plane,
    Reference,
    Table,
    Text,
)
from backprove.views.arrange import arranged
from backprove.views.plain_math import plain_math, plain_prose
from backprove.views.plane import plane_lines
from backprove.views.text_figures import chart_lines, drawing_lines
from backprove.views.text_layout import WIDTH, clean, indented, wrapped
from backprove.views.text_tables import table_lines
from backprove.views.words import LEVELS, VERDICTS


def render(blocks: Sequence[Block]) -> str:
    """Blocks as plain text, wrapped at 80 columns.

    Args:
        blocks: what a result gives, in reading order.

    Returns:
        The text, without a line break at the end. A word that is longer than a line, such as
        a path, is the only thing that may pass column 80.

    >>> from backprove.results import Formula, Judgement
    >>> print(render([Formula(r"X_{il}", "X[i,l]*[j==k]", label="index form"),
    ...               Judgement("wrong", "index i in [i==k] should be j", "proved")]))
    index form: X[i,l]*[j==k]
    <BLANKLINE>
    ✘ wrong: index i in [i==k] should be j
      evidence: proved
    """
    return "\n".join(_joined(blocks, WIDTH))


def _joined(blocks: Sequence[Block], width: int) -> list[str]:
    """Lines of all blocks, with one empty line between two blocks."""
    lines: list[str] = []
    for block in arranged(blocks):
        new = [line.rstrip() for line in _lines(block, width)]
        if lines and new:
            lines.append("")
        lines.extend(new)
    return lines


@singledispatch
def _lines(block: object, width: int) -> list[str]:
    raise TypeError(f"the text view has no renderer for a block of type {type(block).__name__}")


@_lines.register
def _(block: Heading, width: int) -> list[str]:
    title = wrapped(plain_prose(block.text), width)
    return [*title, "-" * max(map(len, title), default=0)]


@_lines.register
def _(block: Reference, width: int) -> list[str]:
    return wrapped(plain_prose(block.text), width)


@_lines.register
def _(block: Text, width: int) -> list[str]:
    paragraphs = [part for part in plain_prose(block.text).split("\n\n") if part.strip()]
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [""] * bool(lines) + wrapped(paragraph, width)
    return lines


@_lines.register
def _(block: Formula, width: int) -> list[str]:
    label = f"{plain_prose(block.label)}: " if block.label else ""
    body = block.text or plain_math(block.latex)
    lines = [
        line
        for row in (label + body).splitlines()
        for line in wrapped(row, width, hang=4, keep_spaces=True)
    ]
    if block.code and block.code.strip() != block.text.strip():
        lines += _code_lines(block.code, "  code: ")
    return lines


@_lines.register
def _(block: Table, width: int) -> list[str]:
    caption = wrapped(plain_prose(block.caption), width) if block.caption else []
    return [*caption, *table_lines(block.columns, block.rows, width)]


@_lines.register
def _(block: Code, width: int) -> list[str]:
    label = wrapped(f"{plain_prose(block.label)}:", width) if block.label else []
    # Code is never wrapped: a broken line would not run.
    return [*label, *_code_lines(block.text, "    ")]


def _code_lines(code: str, margin: str) -> list[str]:
    first, *rest = clean(code.expandtabs(4), keep_lines=True).splitlines() or [""]
    return [margin + first, *(" " * len(margin) + line for line in rest)]


@_lines.register
def _(block: Judgement, width: int) -> list[str]:
    wording = VERDICTS[block.kind]
    message = f": {plain_prose(block.message)}" if block.message else ""
    lines = wrapped(f"{wording.mark} {wording.word}{message}", width, hang=2)
    return lines + ([f"  evidence: {LEVELS[block.level].word}"] if block.level else [])


@_lines.register
def _(block: Evidence, width: int) -> list[str]:
    wording = LEVELS[block.level]
    return wrapped(f"{wording.mark} {wording.word}: {plain_prose(block.text)}", width, hang=2)


@_lines.register
def _(block: Details, width: int) -> list[str]:
    summary = wrapped(f"{plain_prose(block.summary)}:", width)
    return [*summary, *indented(_joined(block.blocks, width - 2), 2)]


@_lines.register
def _(block: Drawing, width: int) -> list[str]:
    caption = wrapped(plain_prose(block.caption), width) if block.caption else []
    return [*caption, *drawing_lines(block, width)]


@_lines.register
def _(block: Chart, width: int) -> list[str]:
    return chart_lines(block, width)


@_lines.register
def _(block: Plane, width: int) -> list[str]:
    return plane_lines(block, width)
