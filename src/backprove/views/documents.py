"""A worksheet with its answers as a Markdown file, a LaTeX document or an executed notebook."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from backprove.views import latex, markdown, text
from backprove.views.html import asset, fragment
from backprove.views.prose_latex import prose_latex
from backprove.views.report import OutcomeItem, ProseItem, ReportLike
from backprove.views.text_layout import clean
from backprove.views.words import VERDICTS

_PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb,booktabs}
\usepackage[margin=25mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{1ex}
"""


def markdown_document(report: ReportLike) -> str:
    """A report as Markdown.

    Args:
        report: title, items (prose and outcomes, in order) and summary.

    Returns:
        CommonMark with tables and dollar mathematics; every statement stands above its answer.

    >>> from types import SimpleNamespace
    >>> markdown_document(SimpleNamespace(title="Shapes", items=[], summary={}))
    '# Shapes\\n'
    """
    parts = [f"# {clean(report.title)}"]
    for item in report.items:
        if isinstance(item, OutcomeItem):
            parts.append(_fenced(item.source))
            parts += [_state(item)] * (item.held is False)
            parts.append(markdown.render(item.blocks))
        else:
            parts.append(item.markdown.strip())
    return "\n\n".join(part for part in parts if part) + "\n"


def _fenced(source: str) -> str:
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", source)), default=0))
    return f"{fence}text\n{clean(source, keep_lines=True)}\n{fence}"


def _state(item: OutcomeItem) -> str:
    wanted = VERDICTS[item.expected or "right"].word
    return f"**Expected: {wanted}.**"


def latex_document(report: ReportLike) -> str:
    r"""A report as a LaTeX document that stands for itself.

    Args:
        report: title, items (prose and outcomes, in order) and summary.

    Returns:
        The whole document; it needs ``amsmath``, ``amssymb``, ``booktabs`` and ``geometry``.

    >>> from types import SimpleNamespace
    >>> document = latex_document(SimpleNamespace(title="50%", items=[], summary={}))
    >>> r"\title{50\%}" in document
    True
    """
    parts = [
        f"{_PREAMBLE}\\title{{{latex.escape(report.title)}}}\n\\date{{}}\n"
        "\\begin{document}\n\\maketitle"
    ]
    for item in report.items:
        if isinstance(item, OutcomeItem):
            lines = clean(item.source, keep_lines=True).splitlines()
            parts.append(
                "\\medskip\n" + "\n".join(rf"\texttt{{{latex.escape(line)}}}\\" for line in lines)
            )
            parts.append(latex.render(item.blocks))
            parts += [rf"\textbf{{Expected: {VERDICTS[item.expected or 'right'].word}.}}"] * (
                item.held is False
            )
        else:
            parts.append(prose_latex(item.markdown))
    return "\n\n".join(part for part in parts if part) + "\n\n\\end{document}\n"


def notebook_document(report: ReportLike, *, outputs: bool = True) -> str:
    """A report as an executed notebook.

    Args:
        report: title, items (prose and outcomes, in order) and summary.
        outputs: whether the answers stand below the cells; without them the notebook is as it is
            before it is executed.

    Returns:
        JSON of the notebook format 4.5. Prose is in Markdown cells; the statements between two
        pieces of prose are one ``%%backprove`` cell, with their answers as its output.

    >>> from types import SimpleNamespace
    >>> notebook = json.loads(notebook_document(SimpleNamespace(title="A", items=[], summary={})))
    >>> [cell["cell_type"] for cell in notebook["cells"]]
    ['markdown', 'code']
    """
    cells = [
        _prose_cell(f"# {clean(report.title)}"),
        _code_cell("%load_ext backprove", [], 1 if outputs else None),
    ]
    for number, run in enumerate(_runs(report), 2):
        if isinstance(run, list):
            source = "%%backprove\n" + "\n".join(item.source for item in run)
            answers = [_output(run, number)] if outputs else []
            cells.append(_code_cell(source, answers, number if outputs else None))
        else:
            cells.append(_prose_cell(run))
    for position, cell in enumerate(cells):
        said = json.dumps([position, cell["source"]])
        cell["id"] = hashlib.sha256(said.encode()).hexdigest()[:12]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _runs(report: ReportLike) -> Iterator[str | list[OutcomeItem]]:
    """Prose, and the statements between two pieces of prose."""
    run: list[OutcomeItem] = []
    for item in report.items:
        if isinstance(item, OutcomeItem):
            run.append(item)
        elif isinstance(item, ProseItem):
            if run:
                yield run
            run = []
            yield item.markdown.strip()
    if run:
        yield run


def _prose_cell(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}


def _code_cell(source: str, outputs: list[Any], number: int | None) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": number,
        "metadata": {},
        "outputs": outputs,
        "source": source.splitlines(keepends=True),
    }


def _output(run: list[OutcomeItem], number: int) -> dict[str, Any]:
    blocks = [block for item in run for block in item.blocks]
    html = f"<style>{asset('blocks.css')}</style>{fragment(blocks)}"
    return {
        "output_type": "execute_result",
        "execution_count": number,
        "metadata": {},
        "data": {
            "text/html": html.splitlines(keepends=True),
            "text/plain": text.render(blocks).splitlines(keepends=True),
        },
    }
