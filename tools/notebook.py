"""The worksheet of the problem set as a notebook.

    python tools/notebook.py write worksheets/fundamentals.md notebooks/fundamentals.ipynb
    python tools/notebook.py execute notebooks/fundamentals.ipynb executed.ipynb

The notebook in the repository has no outputs, so it changes only with the worksheet. To execute it
needs the extra ``docs``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from backprove.views.documents import notebook_document
from backprove.worksheets.report import Outcome, Prose, Report
from backprove.worksheets.running import read_worksheet
from backprove.worksheets.source import Source


def written(worksheet: Path) -> str:
    """A worksheet as a notebook that was not executed yet."""
    title, parts = read_worksheet(Source.read(worksheet))
    items: list[Prose | Outcome] = [
        part
        if isinstance(part, Prose)
        else Outcome(part.keyword, part.piece.raw, part.piece.line, f"statement-{number}", [])
        for number, part in enumerate(parts)
    ]
    return notebook_document(Report(title, items), outputs=False)


def execute(notebook: Path, destination: Path) -> list[str]:
    """Execute a notebook with a kernel of its own.

    Returns:
        What went wrong, one line for each cell that failed or whose claims were not as expected.
    """
    import nbformat
    from nbclient import NotebookClient

    cells = nbformat.read(notebook, as_version=4)
    NotebookClient(cells, timeout=1200, kernel_name="python3").execute(cwd=str(notebook.parent))
    nbformat.write(cells, destination)
    wrong = []
    for number, cell in enumerate(cells.cells, 1):
        for output in cell.get("outputs", []):
            text = output.get("text", "") or output.get("data", {}).get("text/plain", "")
            if (output.output_type == "stream" and "error:" in text) or "Expected:" in text:
                wrong.append(f"cell {number}: {cell.source[:200]}\n{text[-500:]}")
    return wrong


def main(command: str, source: str, destination: str) -> int:
    """Write or execute."""
    Path(destination).parent.mkdir(parents=True, exist_ok=True)
    if command == "write":
        Path(destination).write_text(written(Path(source)), encoding="utf-8")
        return 0
    wrong = execute(Path(source), Path(destination))
    print("\n".join(wrong) or f"executed: {destination}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
