"""The commands: what they print, what they write, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import backprove as bp
from backprove.app.command_line import app
from backprove.app.output import write_file
from backprove.errors import SetupError
from backprove.worksheets import engine
from worksheets.fakes import FakeEngine, block, unknown

COMMANDS = (
    "derive",
    "check",
    "graph",
    "study",
    "function",
    "represent",
    "prove",
    "experiment",
    "run",
    "fmt",
    "grade",
    "variants",
)


@dataclass
class Ended:
    status: int
    out: str
    err: str


def command(*arguments: str | Path) -> Ended:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return Ended(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The library, replaced by an engine that remembers what it was asked."""
    fake = FakeEngine()
    answers = fake.engine()
    for name in ("derive", "check"):
        monkeypatch.setitem(vars(bp), name, getattr(answers, name))
    monkeypatch.setattr(engine, "Engine", lambda: answers)
    monkeypatch.setattr(
        "backprove.worksheets.running.Engine", lambda: answers
    )  # what run_worksheet takes by default
    return fake


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    path = tmp_path / "sheet.md"
    path.write_text("# Sheet\n" + block("function relu"), encoding="utf-8")
    return path


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- questions ------------------------------------------------------------------------------


def test_derive_asks_with_the_shapes_and_domains_of_its_options(fake: FakeEngine) -> None:
    ended = command(
        "derive", "X @ W.T", "--wrt", "W", "--shape", "X=n,d", "--shape", "W=k,d",
        "--domain", "X=positive", "--order", "2", "--layout", "denominator",
    )  # fmt: skip
    assert (ended.status, ended.err) == (0, "")
    assert fake.calls == [
        (
            "derive",
            ("X @ W.T", "W", {"X": "n,d", "W": "k,d"}),
            {"order": 2, "layout": "denominator", "domain": {"X": "positive"}},
        )
    ]


def test_an_expression_may_begin_with_a_minus(fake: FakeEngine) -> None:
    assert command("derive", "-x**2", "--wrt", "x", "--shape", "x=n").status == 0
    assert fake.calls[0][1][0] == "-x**2"


@pytest.mark.parametrize("expression", ["-log(p)", "-o*p", "-h*p", "-p", "- p"])
def test_a_short_flag_within_an_expression_is_none(tmp_path: Path, expression: str) -> None:
    page = tmp_path / "page.html"
    shapes = ("--shape", "p=", "--shape", "o=", "--shape", "h=")
    ended = command("derive", expression, "--wrt", "p", *shapes, "-o", page)
    assert ended.status == 0, ended.err
    assert ended.out.startswith(f"`f = {expression}`")
    assert page.exists()


@pytest.mark.parametrize(
    ("claim", "expect", "status"),
    [
        ("2*x", "right", 0),
        ("wrong", "right", 1),
        ("wrong", "wrong", 0),
        ("right_under", "right", 1),
        ("right_under", "right-under", 0),
        ("undecided", "right", 1),
    ],
)
def test_check_ends_with_0_exactly_when_the_verdict_is_the_expected_one(
    fake: FakeEngine, claim: str, expect: str, status: int
) -> None:
    ended = command("check", "x**2", claim, "--wrt", "x", "--shape", "x=n", "--expect", expect)
    assert ended.status == status
    assert claim.split("_")[0] in ended.out


def test_graph_checks_its_claims(fake: FakeEngine) -> None:
    arguments = ["graph", "x*y", "--at", "x=1, y=[2, 3]", "--claim", "h1 = 2"]
    assert command(*arguments).status == 0
    assert fake.calls[0][1] == ("x*y", {}, {"x": 1, "y": [2, 3]})
    assert command(*arguments, "--claim", "wrong").status == 1


def test_study_passes_its_settings(fake: FakeEngine) -> None:
    assert command("study", "data=reviews", "hidden=none,512", "--json").status == 0
    assert fake.calls[0][1] == ({"data": "reviews", "hidden": "none,512"}, None, None)


def test_study_keeps_its_epochs_in_the_named_folder(fake: FakeEngine, tmp_path: Path) -> None:
    assert command("study", "data=reviews", "--out", tmp_path, "--json").status == 0
    assert fake.calls[0][1] == ({"data": "reviews"}, None, tmp_path)


def test_function_describes_as_text_and_as_data() -> None:
    assert "increasing" in command("function", "relu").out
    data = json.loads(command("function", "relu", "tanh", "--json").out)
    assert len(data["results"]) == 3


# --- worksheets -----------------------------------------------------------------------------


def test_run_writes_a_report_and_nothing_else(sheet: Path) -> None:
    target = sheet.parent / "report.html"
    ended = command("run", sheet, "-o", target)
    assert ended.status == 0
    assert "claims nothing" in ended.out
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert left_in(sheet.parent) == ["report.html", "sheet.md"]


def test_run_prints_the_same_results_as_data(sheet: Path) -> None:
    ended = command("run", sheet, "--json")
    assert json.loads(ended.out)["items"][0]["kind"] == "function"
    assert ended.err == ""


def test_run_shows_progress_as_plain_lines_where_nobody_looks_on(sheet: Path) -> None:
    assert command("run", sheet).err == "[1/1] function relu\n"


def test_run_ends_with_1_when_a_claim_does_not_meet_its_expectation(
    fake: FakeEngine, sheet: Path
) -> None:
    sheet.write_text(block("let x: n", "derive x wrt x", "claim wrong"), encoding="utf-8")
    ended = command("run", sheet, "-o", sheet.parent / "report.html")
    assert ended.status == 1
    assert "The claim does not meet its expectation." in ended.out
    assert (sheet.parent / "report.html").exists()


# --- bad input ------------------------------------------------------------------------------


def test_a_worksheet_that_cannot_be_read_ends_with_2_and_leaves_the_old_report(
    sheet: Path,
) -> None:
    sheet.write_text("# Sheet\n" + block("let x: n", "derivv x"), encoding="utf-8")
    target = sheet.parent / "report.html"
    target.write_text("the old one", encoding="utf-8")
    ended = command("run", sheet, "-o", target)
    assert ended.status == 2
    assert ended.err.splitlines()[0] == f"{sheet}:4:1: error: 'derivv' begins no statement"
    assert target.read_text(encoding="utf-8") == "the old one"
    assert left_in(sheet.parent) == ["report.html", "sheet.md"]


def test_an_error_is_data_as_well(sheet: Path) -> None:
    sheet.write_text(block("derivv x"), encoding="utf-8")
    ended = command("run", sheet, "--json")
    assert ended.status == 2
    error = json.loads(ended.out)["error"]
    assert (error["line"], error["column"], error["type"]) == (2, 1, "WorksheetError")


@pytest.mark.parametrize("raw", [b"", b"\x89PNG\r\n\x1a\n\x00", b"# Only prose\n"])
def test_a_file_that_is_no_worksheet_ends_with_2(sheet: Path, raw: bytes) -> None:
    sheet.write_bytes(raw)
    ended = command("run", sheet, "-o", sheet.parent / "report.html")
    assert ended.status == 2
    assert ended.err.startswith(f"{sheet}:1:1: error: the worksheet")
    assert left_in(sheet.parent) == ["sheet.md"]


@pytest.mark.parametrize(
    ("target", "message"),
    [("no/report.html", "does not exist"), (".", "is a folder"), ("sheet.md", "the worksheet")],
)
def test_a_destination_that_cannot_be_written_is_refused_before_any_work(
    sheet: Path, target: str, message: str
) -> None:
    before = sheet.read_bytes()
    ended = command("run", sheet, "-o", sheet.parent / target)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert sheet.read_bytes() == before


BAD: list[Sequence[str]] = [
    ("derive", "x", "--wrt", "x", "--shape", "x"),
    ("derive", "x", "--wrt", "x", "--shape", "x=n", "--shape", "x=m"),
    ("derive", "x", "--wrt", "x", "--shape", "1=n"),
    ("derive", "x"),
    ("check", "x", "y", "--wrt", "x", "--expect", "maybe"),
    ("graph", "x", "--at", "x"),
    ("graph", "x", "--at", "x=one"),
    ("graph", "x"),
    ("study", "data"),
    ("run", "no/such/worksheet.md"),
    ("run",),
    ("function", "relux"),
    ("no-such-command",),
    ("derive", "x", "--no-such-option"),
]


@pytest.mark.parametrize("arguments", BAD, ids=[" ".join(words) for words in BAD])
def test_bad_input_ends_with_2_and_a_message(fake: FakeEngine, arguments: Sequence[str]) -> None:
    fake.error = unknown("relux", "relux") if "relux" in arguments else None
    ended = command(*arguments)
    assert ended.status == 2
    assert ended.out == ""
    assert "rror: " in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ZeroDivisionError("division"), 3, "this is a fault of backprove"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (RecursionError(), 2, "too deep"),
        (MemoryError(), 2, "more memory"),
    ],
)
def test_no_failure_ends_with_a_traceback(
    fake: FakeEngine, error: Any, status: int, message: str
) -> None:
    fake.error = error
    ended = command("derive", "x", "--wrt", "x", "--shape", "x=n")
    assert ended.status == status
    assert message in ended.err
    assert "Traceback" not in ended.err


# --- help -----------------------------------------------------------------------------------


def test_the_commands_are_these() -> None:
    assert {info.callback.__name__ for info in app.registered_commands if info.callback} == set(
        COMMANDS
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example_and_the_exit_status(name: str) -> None:
    ended = command(name, "--help")
    assert ended.status == 0
    assert f"\n  backprove {name} " in ended.out
    assert "Exit status: 0" in ended.out


# --- files ----------------------------------------------------------------------------------


def test_a_file_that_cannot_be_completed_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Any, target: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SetupError, match="No space left"):
        write_file(tmp_path / "report.html", "text")
    assert left_in(tmp_path) == []


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("", encoding="utf-8")
    write_file(tmp_path / "report.html", "text")
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


# --- whole processes ------------------------------------------------------------------------


def process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )


def test_the_whole_process_prints_without_colour_into_a_pipe() -> None:
    ended = process("-m", "backprove", "function", "sigmoid")
    assert ended.returncode == 0
    assert "\x1b[" not in ended.stdout


def test_a_terminal_that_lacks_a_sign_is_no_reason_to_fail() -> None:
    ended = process("-m", "backprove", "function", "relu", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert "\\u221e" in ended.stdout


def test_importing_the_package_loads_neither_jax_nor_numpy_nor_a_web_library() -> None:
    code = (
        "import sys, backprove; "
        "print(*sorted({m.split('.')[0] for m in sys.modules} & "
        "{'jax', 'numpy', 'scipy', 'altair', 'typer', 'rich', 'pydantic', 'markdown_it'}))"
    )
    ended = process("-c", code)
    assert (ended.returncode, ended.stdout.strip()) == (0, "")


def test_derive_loads_neither_jax_nor_a_validation_library() -> None:
    code = (
        "import sys; from backprove.app.command_line import main; "
        "sys.argv = ['backprove', 'derive', 'x', '--wrt', 'x', '--shape', 'x=n', '--json']\n"
        "try: main()\n"
        "except SystemExit as end: status = end.code\n"
        "loaded = {m.split('.')[0] for m in sys.modules} & {'jax', 'altair', 'pydantic', 'rich'}\n"
        "print(status, *sorted(loaded), file=sys.stderr)"
    )
    assert process("-c", code).stderr.strip() == "0"
