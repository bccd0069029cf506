"""The pages of the reference have every name that a person can write, and every block runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import click
import pytest
import typer

import backprove as bp
from backprove.app.command_line import app
from backprove.checking import MISTAKES
from backprove.notation import supported_functions
from backprove.notation.expressions import DOMAINS
from backprove.studies import FACTORS, FIELDS
from backprove.theorems import THEOREMS
from backprove.worksheets import run_worksheet
from backprove.worksheets.document import read_block
from backprove.worksheets.source import Source
from backprove.worksheets.statements import STATEMENTS, read_statement

pytest.importorskip("sphinx")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
EXAMPLES = DOCS / "examples"
FENCE = re.compile(r"^(`{3,})(\S*)[^\n]*\n(.*?)^\1[ ]*$", re.S | re.M)

pytestmark = pytest.mark.docs


@pytest.fixture(scope="module")
def generated() -> Iterator[object]:
    """The extension that fills the pages."""
    sys.path.insert(0, str(DOCS / "extensions"))
    import generated

    yield generated
    sys.path.remove(str(DOCS / "extensions"))


def page(generated: object, name: str) -> str:
    return generated.filled((DOCS / name).read_text(encoding="utf-8"))  # type: ignore[attr-defined]


def test_every_command_is_in_the_reference_with_every_option(generated: object) -> None:
    text = page(generated, "reference/commands.md")
    group = typer.main.get_command(app)
    assert isinstance(group, click.Group)
    assert len(group.commands) >= 9
    for name, command in group.commands.items():
        section = text.split(f"## `{name}`\n")[1].split("\n## ")[0]
        for parameter in command.params:
            words = parameter.opts if isinstance(parameter, click.Option) else []
            for word in [*words, *getattr(parameter, "secondary_opts", [])]:
                assert re.search(rf"{re.escape(word)}\b", section), f"{name} {word}"
            if not words:
                assert f"`{parameter.make_metavar(click.Context(command))}`" in section


def test_every_statement_is_in_the_reference_with_its_form(generated: object) -> None:
    text = page(generated, "reference/statements.md")
    for keyword, kind in STATEMENTS.items():
        section = text.split(f"## `{keyword}`\n")[1].split("\n## ")[0]
        assert kind.usage in section
        assert kind.__doc__ is not None
        assert kind.__doc__.split("\n")[0] in section


def test_every_public_name_is_in_the_reference(generated: object) -> None:
    text = page(generated, "reference/python.md")
    for name in bp.__all__:
        assert name == "__version__" or re.search(rf"auto\w+:: backprove\.{name}\n", text), name


def test_every_name_that_a_package_offers_is_in_the_reference(generated: object) -> None:
    text = page(generated, "reference/packages.md") + page(generated, "reference/python.md")
    packages = [path.parent.name for path in (ROOT / "src/backprove").glob("*/__init__.py")]
    assert len(packages) > 10
    for package in packages:
        module = import_module(f"backprove.{package}")
        for name in getattr(module, "__all__", ()):
            found = rf":: backprove\.({package}\.)?{name}\n|: .*`{name}`"
            assert re.search(found, text) or is_exported(module, name), f"{package}.{name}"


def is_exported(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    return any(value is getattr(bp, each) for each in bp.__all__)


def test_every_mistake_is_on_its_page() -> None:
    text = (DOCS / "mistakes.md").read_text(encoding="utf-8")
    assert [name for name in MISTAKES if f"`{name}`" not in text] == []


def test_domains_functions_theorems_and_settings_are_in_the_reference(generated: object) -> None:
    grammar = page(generated, "reference/grammar.md")
    assert [name for name in (*DOMAINS, *supported_functions()) if f"`{name}`" not in grammar] == []
    theorems = page(generated, "reference/theorems.md")
    assert [name for name in THEOREMS if f"## `{name}`" not in theorems] == []
    studies = page(generated, "reference/studies.md")
    assert [name for name in (*FACTORS, *FIELDS) if f"`{name}`" not in studies] == []


def test_every_page_is_reached_from_the_first_one() -> None:
    entries = re.findall(r"(?m)^[\w/-]+$", (DOCS / "index.md").read_text(encoding="utf-8"))
    for path in PAGES:
        name = path.relative_to(DOCS).with_suffix("").as_posix()
        assert name == "index" or name.startswith("examples/") or name in entries, name


def test_every_example_is_shown_or_used_on_a_page() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    for path in EXAMPLES.rglob("*.*"):
        if path.is_file() and not {"_build", "__pycache__"} & set(path.parts):
            assert path.name in text or path.parent.name + "/" in text, path.name


RUN = {"{backprove}", "{console}", "{code-cell}"}
SHOWN = {"{toctree}", "{literalinclude}", "output"}


@pytest.mark.parametrize(
    "path", [p for p in PAGES if EXAMPLES not in p.parents], ids=lambda path: path.name
)
def test_every_block_of_code_on_a_page_is_run(path: Path) -> None:
    names: dict[str, object] = {}
    for _, mark, body in FENCE.findall(path.read_text(encoding="utf-8")):
        if mark == "python":
            exec(compile(body, str(path), "exec"), names)
        elif mark == "text":
            # Too long to run while the pages are built, but it can be read.
            for part in read_block(Source(body)):
                read_statement(part.piece)
        elif mark == "sh":
            # The same for commands: they exist, and so do their options.
            for line in body.replace("\\\n", " ").splitlines():
                program, command, *options = line.split()
                group = typer.main.get_command(app)
                assert isinstance(group, click.Group)
                known = group.commands[command].params
                named = {name for parameter in known for name in parameter.opts}
                assert program == "backprove" and {o for o in options if o[0] == "-"} <= named
        else:
            assert mark in RUN | SHOWN, mark


@pytest.mark.parametrize(
    "path",
    [p for p in PAGES if re.search(r"(?m)^```\{?backprove\}?$", p.read_text(encoding="utf-8"))
     and p.name not in ("studies.md", "emmy.md", "ada.md")],
    ids=lambda path: path.relative_to(DOCS).as_posix(),
)  # fmt: skip
def test_a_page_with_statements_runs_as_a_worksheet(path: Path) -> None:
    report = run_worksheet(path)
    assert [each.source for each in report.outcomes if each.held is False] == []


@pytest.mark.skipif("not config.getoption('-m')", reason="takes a minute; runs with -m docs")
def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-E", "-b", "html"]
    done = subprocess.run(
        [*words, "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "html")],
        capture_output=True, text=True, check=False, timeout=550,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "html").rglob("*.html"):
        built = path.read_text(encoding="utf-8")
        found = re.findall(r'<(?:script|link|img)[^>]*\s(?:src|href)="(\w+:[^"]+|//[^"]+)"', built)
        assert [address for address in found if not address.startswith("data:")] == [], path.name
