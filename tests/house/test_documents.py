"""What the documents and the set-up say is true of the package."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import backprove as bp
from backprove.app.command_line import app
from backprove.worksheets.statements import STATEMENTS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def required() -> list[str]:
    project = PROJECT["project"]
    extras = [entry for extra in project["optional-dependencies"].values() for entry in extra]
    return [re.split(r"[<>=!~\[ ]", entry)[0] for entry in [*project["dependencies"], *extras]]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("name", required())
def test_every_dependency_is_pinned_and_has_its_reason(name: str) -> None:
    assert re.search(rf"(?mi)^{re.escape(name)}==\S+$", CONSTRAINTS)
    assert f"`{name}`" in read("docs/dependencies.md")


def test_constraints_are_names_and_versions_only() -> None:
    for line in CONSTRAINTS.splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line), line


def test_plain_use_does_not_require_pytorch() -> None:
    project = PROJECT["project"]
    plain = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert not [entry for entry in plain if entry.startswith("torch")]


def test_the_readme_names_every_command_statement_and_make_target() -> None:
    readme = read("README.md")
    for info in app.registered_commands:
        assert info.callback is not None
        assert f"\nbackprove {info.callback.__name__} " in readme
    for keyword in STATEMENTS:
        assert f"| `{keyword} " in readme
    for target in ("report", "test"):
        assert f"\nmake {target}" in readme
        assert re.search(rf"(?m)^{target}:", read("Makefile"))


def test_the_architecture_names_every_package_in_the_order_that_the_linter_holds() -> None:
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    layers = [re.sub(r"backprove\.|[()]", "", layer) for layer in contract["layers"]]
    told = re.findall(r"(?m)^\| `(\w+)` \|", read("docs/architecture.md"))
    assert told == layers[::-1]
    source = ROOT / "src" / "backprove"
    for path in source.iterdir():
        if (path / "__init__.py").exists():
            assert path.name in told


def test_versions_agree() -> None:
    assert PROJECT["project"]["version"] == bp.__version__


def test_every_exported_name_is_documented_and_loads() -> None:
    assert bp.__doc__ is not None
    for name in bp.__all__:
        value = getattr(bp, name)
        assert name == "__version__" or value.__doc__
    for name in (
        "derive",
        "check",
        "check_vjp",
        "check_jvp",
        "check_grad",
        "mutate",
        "graph",
        "study",
        "function",
        "run_worksheet",
    ):
        assert f"``{name}``" in bp.__doc__
