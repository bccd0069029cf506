"""Results as Markdown with ``$math$``, for notes, issues and static sites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import singledispatch

from backprove.results import (
    Block,
    Cell,
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
from backprove.views.inline import pieces
from backprove.views.numerals import Value, format_value, is_number
from backprove.views.plane import plane_lines
from backprove.views.text_figures import chart_lines, drawing_lines
from backprove.views.text_layout import WIDTH, clean
from backprove.views.words import LEVELS, VERDICTS

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>$|~])")


def render(blocks: Sequence[Block]) -> str:
    """Blocks as Markdown.

    Args:
        blocks: what a result gives, in reading order.

    Returns:
        CommonMark with tables and dollar mathematics. Text of the blocks is escaped, so that it
        reads as itself. Drawings and charts become their listing as text.

    >>> print(render([Formula("X_{il}", "X[i,l]"), Judgement("right", "for all n", "proved")]))
    $$
    X_{il}
    $$
    <BLANKLINE>
    **✔ right** (proved): for all n
    """
    return "\n\n".join(text for block in arranged(blocks) if (text := _markdown(block)))


@singledispatch
def _markdown(block: object) -> str:
    raise TypeError(f"the Markdown view has no renderer for a block of type {type(block).__name__}")


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", clean(text))


def _prose(text: str) -> str:
    written = {"math": _dollars, "code": _code, "words": _escaped}
    return "".join(written[piece.kind](piece.text) for piece in pieces(text))


def _dollars(latex: str) -> str:
    # A dollar or a line break inside would end the mathematics early.
    return "$" + re.sub(r"(?<!\\)\$", r"\\$", " ".join(latex.split())) + "$"


def _code(text: str) -> str:
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if "`" in text else ""
    return f"{ticks}{pad}{clean(text)}{pad}{ticks}"


def _fenced(text: str, language: str = "") -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    language = re.sub(r"[^\w+-]", "", language)
    return f"{fence}{language}\n{clean(text, keep_lines=True)}\n{fence}"


@_markdown.register
def _(block: Heading) -> str:
    return f"#### {_prose(block.text)}"


@_markdown.register
def _(block: Text) -> str:
    return "\n\n".join(_prose(part.strip()) for part in block.text.split("\n\n") if part.strip())


@_markdown.register
def _(block: Reference) -> str:
    return _prose(block.text)


@_markdown.register
def _(block: Formula) -> str:
    label = f"{_prose(block.label)}:\n\n" if block.label else ""
    if not block.latex:
        return label + _fenced(block.text)
    lines = "\n".join(line for line in block.latex.splitlines() if line.strip())
    return f"{label}$$\n{lines.replace('$$', '')}\n$$"


@_markdown.register
def _(block: Table) -> str:
    numeric = [
        bool(block.rows) and all(at < len(row) and is_number(row[at]) for row in block.rows)
        for at in range(len(block.columns))
    ]
    lines = [
        "| " + " | ".join(_prose(name) for name in block.columns) + " |",
        "|" + "|".join("---:" if right else "---" for right in numeric) + "|",
    ]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in block.rows]
    caption = f"{_prose(block.caption)}\n\n" if block.caption else ""
    return caption + "\n".join(lines)


def _cell(value: Value) -> str:
    if isinstance(value, Cell):
        text = _dollars(value.latex) if value.latex else _escaped(value.text)
    else:
        text = _prose(value) if isinstance(value, str) else _escaped(format_value(value))
    # A bar ends a cell even inside of code and mathematics.
    return re.sub(r"(?<!\\)\|", r"\\|", " ".join(text.split()))


@_markdown.register
def _(block: Code) -> str:
    return (f"{_prose(block.label)}:\n\n" if block.label else "") + _fenced(
        block.text.rstrip(), block.language
    )


@_markdown.register
def _(block: Judgement) -> str:
    wording = VERDICTS[block.kind]
    level = f" ({LEVELS[block.level].word})" if block.level else ""
    message = f": {_prose(block.message)}" if block.message else ""
    return f"**{_escaped(wording.mark)} {wording.word}**{level}{message}"


@_markdown.register
def _(block: Evidence) -> str:
    return f"*{LEVELS[block.level].word}*: {_prose(block.text)}"


@_markdown.register
def _(block: Details) -> str:
    return f"**{_prose(block.summary)}**\n\n{render(block.blocks)}"


@_markdown.register
def _(block: Drawing) -> str:
    caption = f"{_prose(block.caption)}\n\n" if block.caption else ""
    return caption + _fenced("\n".join(drawing_lines(block, WIDTH)), "text")


@_markdown.register
def _(block: Chart) -> str:
    return _fenced("\n".join(chart_lines(block, WIDTH)), "text")


@_markdown.register
def _(block: Plane) -> str:
    return _fenced("\n".join(plane_lines(block, WIDTH)), "text")
