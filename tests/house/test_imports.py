"""Heavy libraries stay where they belong, at the top of files, and files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "backprove"
FILES = sorted(SOURCE.rglob("*.py"))
HOMES = {
    "jax": (
        "networks/",
        "training/",
        "studies/",
        "calculus/tracing",
        "calculus/traced",
        "calculus/equations",
        "calculus/primitives",
        "checking/jax_functions",
    ),
    "torch": ("checking/torch_functions", "graphs/torch_modules"),
    "optax": ("training/", "studies/"),
    "typer": ("app/",),
    "rich": ("app/",),
    "click": ("app/",),
    "sphinx": ("app/sphinx_extension",),
    "docutils": ("app/sphinx_extension",),
    "vl_convert": ("views/",),
    "graphlay": ("views/",),
    "math_core": ("views/",),
    "markdown_it": ("worksheets/", "views/"),
}
LAZY_FILES = ("app/", "worksheets/engine.py")
"""Where an import inside of a function keeps a library out of commands that do not need it."""
SLOW = (
    "jax",
    "scipy",
    "torch",
    "vl_convert",
    "backprove.calculus.tracing",
    "backprove.checking.jax_functions",
    "backprove.checking.torch_functions",
    "backprove.graphs.torch_modules",
)
"""What may be imported inside of a function anywhere, because few calls need it."""


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_heavy_libraries_are_imported_only_in_their_package(path: Path) -> None:
    for module in imports(ast.parse(path.read_text(encoding="utf-8"))):
        homes = HOMES.get(module.split(".")[0])
        allowed = homes is None or name_of(path).startswith(homes)
        assert allowed, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_runs_text_or_unpickles(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not {"pickle", "marshal", "shelve", "dill"} & {m.split(".")[0] for m in imports(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_stand_at_the_top_of_the_file(path: Path) -> None:
    if name_of(path).startswith(LAZY_FILES):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            hidden = [module for module in imports(node) if not module.startswith(SLOW)]
            assert not hidden, f"{node.name} imports {hidden}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_has_more_than_600_lines_and_none_has_a_dumping_ground_name(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600
    assert path.stem not in ("utils", "helpers", "common", "misc")
