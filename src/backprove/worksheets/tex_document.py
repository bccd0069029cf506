r"""Statements in a LaTeX document: the lines between ``\begin{backprove}`` and ``\end{backprove}``.

The document itself sets them as it likes (for example as ``verbatim``, or not at all); here only
its section titles are taken as prose.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from backprove.worksheets.source import Source

_BEGIN = re.compile(r"\s*\\begin\{backprove\}\s*(?:%.*)?$")
_END = re.compile(r"\s*\\end\{backprove\}\s*(?:%.*)?$")
_ANYWHERE = re.compile(r"(?<!\\)%.*|\\(begin|end)\s*\{backprove\}")
_TITLE = re.compile(r"\\(title|(?:sub){0,2}section)\*?\{((?:[^{}]|\{[^{}]*\})*)\}")
_LEVELS = {"title": 1, "section": 2, "subsection": 3, "subsubsection": 4}
_VERBATIM = re.compile(r"\\(begin|end)\{(verbatim\*?|lstlisting|minted|comment)\}")


def is_tex(source: Source) -> bool:
    """Whether a worksheet is a LaTeX document, by the ending of its file.

    >>> is_tex(Source("", "paper.tex")), is_tex(Source("", "sheet.md"))
    (True, False)
    """
    return source.file.lower().endswith((".tex", ".ltx"))


def tex_blocks(source: Source) -> Iterator[tuple[int, int] | tuple[int, str]]:
    r"""The blocks and the titles of a LaTeX document, in order.

    Args:
        source: the document.

    Returns:
        For a block its first line and the line after its last, counted from 0; for a title its
        line and the Markdown of a heading.

    Raises:
        WorksheetError: an environment is not closed, not opened, or not on lines of its own.

    >>> list(tex_blocks(Source("\\section{A}\n\\begin{backprove}\nlet x: n\n\\end{backprove}")))
    [(0, '## A'), (2, 3)]
    """
    opened: int | None = None
    skipped = ""
    for number in range(source.line_count):
        line = source.line(number)
        verbatim = _VERBATIM.search(line.raw)
        if opened is None and verbatim:
            kind, name = verbatim.groups()
            if (kind == "begin") != bool(skipped) and (not skipped or name == skipped):
                skipped = name if kind == "begin" else ""
        if skipped:
            continue
        marks = [m.group(1) for m in _ANYWHERE.finditer(line.raw) if m.group(1)]
        if not marks:
            if opened is None:
                yield from ((number, title) for title in _titles(line.raw))
            continue
        if opened is None and _BEGIN.match(line.raw):
            opened = number
        elif opened is not None and _END.match(line.raw):
            yield opened + 1, number
            opened = None
        elif opened is not None and marks[0] == "begin":
            raise line.error("an environment 'backprove' begins inside of another one")
        elif opened is None and marks[0] == "end":
            raise line.error("this environment was never begun", r"Write \begin{backprove} above.")
        else:
            raise line.error(
                "an environment 'backprove' begins and ends on lines of its own",
                "Move what stands beside it to the line above or below.",
            )
    if opened is not None:
        raise source.line(opened).error(
            "this environment is never closed", r"Add \end{backprove} below it."
        )


def _titles(text: str) -> Iterator[str]:
    for found in _TITLE.finditer(re.sub(r"(?<!\\)%.*", "", text)):
        words = re.sub(r"\\[A-Za-z]+\s*|[{}]", "", found.group(2)).strip()
        if words:
            yield f"{'#' * _LEVELS[found.group(1)]} {words}"
