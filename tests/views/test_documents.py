"""Reports as Markdown, LaTeX and notebooks."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from markdown_it import MarkdownIt

from backprove.views.documents import latex_document, markdown_document, notebook_document
from backprove.views.prose_latex import prose_latex
from backprove.worksheets import Report, run_worksheet

SHEET = r"""# Squares & more

Of a *number* in **50%** of `x_1` cases, $x^2$.

| a | b |
|---|---|
| 1 | $y$ |

- one
- two

```backprove
let x: n
derive x**2 wrt x
claim diag(2*x)
claim diag(x) expect wrong
claim diag(3*x)
```

Last words <b>bold</b> \input{secret} $\input{secret}$.
"""


@pytest.fixture(scope="module")
def report() -> Report:
    return run_worksheet(SHEET)


def test_markdown_holds_every_statement_and_its_verdict(report: Report) -> None:
    text = markdown_document(report)
    assert text.startswith("# Squares & more\n")
    for line in ("claim diag(2*x)", "**✔ right**", "**✘ wrong**", "Last words"):
        assert line in text
    assert text.count("**Expected: right.**") == 1
    assert MarkdownIt().parse(text)


def test_latex_is_a_balanced_document_that_reads_no_file(report: Report) -> None:
    text = latex_document(report)
    assert text.startswith(r"\documentclass") and text.rstrip().endswith(r"\end{document}")
    opened = re.findall(r"\\begin\{(\w+)\}", text)
    assert sorted(opened) == sorted(re.findall(r"\\end\{(\w+)\}", text))
    assert r"\title{Squares \& more}" in text and r"\textbf{50\%}" in text
    assert not re.search(r"\\input\s*\{", text)
    assert not re.search(r"(?<!\\)[&](?![^\n]*\\\\)", text)


def test_latex_tables_and_lists_keep_their_parts() -> None:
    text = prose_latex("| a | b |\n|---|---|\n| 1 | 2 |\n\n1. x\n2. y")
    assert "a & b \\\\\n\\midrule\n1 & 2 \\\\" in text
    assert text.count(r"\item") == 2 and r"\begin{enumerate}" in text


def test_the_notebook_is_valid_and_executed(report: Report) -> None:
    notebook = nbformat.reads(notebook_document(report), as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].source == "%load_ext backprove"
    assert code[1].source.startswith("%%backprove\nlet x: n\nderive x**2 wrt x")
    output = code[1].outputs[0].data
    assert "✘ wrong" in output["text/plain"] and "<math" in output["text/html"]
    assert "<script" not in output["text/html"]


def test_the_same_worksheet_gives_cells_of_the_same_names(report: Report) -> None:
    first = json.loads(notebook_document(report))
    again = json.loads(notebook_document(run_worksheet(SHEET)))
    ids = [cell["id"] for cell in first["cells"]]
    assert ids == [cell["id"] for cell in again["cells"]]
    assert len(ids) == len(set(ids))
