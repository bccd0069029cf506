"""What the commands print and write: text, JSON, and files that are complete or not there."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backprove.errors import BackproveError, InputError, SetupError
from backprove.results import Result, VerdictKind
from backprove.views.words import VERDICTS

if TYPE_CHECKING:
    from backprove.worksheets import Report

_COLOURS: dict[VerdictKind, str] = {
    "right": "green",
    "right_under": "yellow",
    "wrong": "red",
    "undecided": "magenta",
}


def show(result: Result, *, as_json: bool) -> None:
    """Print a result on standard output, as text or as data."""
    if as_json:
        print_json(result.to_dict())
    else:
        print_text(result.text())


def print_text(text: str) -> None:
    """Print text; verdicts are coloured where a person looks on."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        print(text)
        return
    from rich.console import Console
    from rich.text import Text

    styled = Text(text)
    for kind, wording in VERDICTS.items():
        pattern = rf"(?m)^\s*{re.escape(wording.mark)} {wording.word}"
        styled.highlight_regex(pattern, f"bold {_COLOURS[kind]}")
    Console(highlight=False).print(styled, soft_wrap=True)


def print_json(data: Mapping[str, Any]) -> None:
    """Print data as strict JSON."""
    print(json_text(data))


def json_text(data: Mapping[str, Any]) -> str:
    """Data as strict JSON."""
    return json.dumps(_plain(data), ensure_ascii=False, indent=2, allow_nan=False)


def _plain(value: Any) -> Any:
    """Data without what JSON lacks: NaN and infinities become words, arrays become lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def error_data(error: BackproveError) -> dict[str, Any]:
    """An error as JSON-ready data."""
    data: dict[str, Any] = {
        "type": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
    }
    if isinstance(error, InputError):
        data |= {"file": error.file, "line": error.line, "column": error.column}
    return {"error": data}


def check_destination(path: Path, *, worksheet: Path | None = None) -> None:
    """Fail before any work is done if a file cannot be written at ``path``.

    Raises:
        SetupError: the folder does not exist, or the path is a folder or the worksheet itself.
    """
    if not path.parent.is_dir():
        raise SetupError(
            f"the folder '{path.parent}' does not exist", hint="Create it, or write elsewhere."
        )
    if path.is_dir():
        raise SetupError(f"'{path}' is a folder", hint=f"Name a file: {path / 'report.html'}.")
    if worksheet is not None and path.exists() and path.samefile(worksheet):
        raise SetupError(
            f"'{path}' is the worksheet itself", hint="Write the report to another file."
        )


def write_file(path: Path, text: str) -> None:
    """Write a file through a temporary one beside it, so that it is never there in part.

    Raises:
        SetupError: the folder cannot be written to.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=path.parent, prefix=".part-", delete=False
        ) as file:
            temporary = Path(file.name)
            file.write(text)
        temporary.chmod(_permissions(path))
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise SetupError(
            f"'{path}' cannot be written: {error.strerror or error}", hint="Write elsewhere."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _permissions(path: Path) -> int:
    """Those of the file that is replaced, else what any new file would get."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def report_text(report: Report, form: str) -> str:
    """A report as ``html``, ``md``, ``tex``, ``ipynb`` or ``json``."""
    from backprove.views import documents
    from backprove.views.report import page

    if form == "json":
        return json_text(report.to_dict()) + "\n"
    return {
        "html": page,
        "md": documents.markdown_document,
        "tex": documents.latex_document,
        "ipynb": documents.notebook_document,
    }[form](report)


def write_report(path: Path, report: Report) -> None:
    """Write a report as one HTML page."""
    from backprove.views.report import page

    write_file(path, page(report))


def report_of(source: str, *results: Result) -> Report:
    """Results of a command as a report of their own.

    Args:
        source: the command as a statement.
        results: what it gave.
    """
    from backprove.worksheets.report import Outcome, Report

    items = [
        Outcome(
            kind=source.split(" ", 1)[0],
            source=source,
            line=1,
            anchor=f"statement-{number}",
            blocks=result.blocks(),
            data=result.to_dict(),
        )
        for number, result in enumerate(results, 1)
    ]
    return Report(source, items)
