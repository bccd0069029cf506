"""Parts of the reference that are made from the program itself, so that they cannot fall behind.

A page holds a line such as ``<!-- generated: commands -->``; when Sphinx reads the page, the line
is replaced by Markdown.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import click
import typer
from sphinx.application import Sphinx

import backprove as bp
from backprove.app.command_line import app as command_line
from backprove.checking import MISTAKES
from backprove.notation import supported_functions
from backprove.notation.expressions import DOMAINS
from backprove.studies import FACTORS, FIELDS
from backprove.theorems import THEOREMS, prove
from backprove.worksheets.statements import STATEMENTS

_PLACE = re.compile(r"^<!-- generated: (\w+) -->$", re.M)


def commands() -> str:
    """Every command of the command line, with its arguments and options."""
    group = typer.main.get_command(command_line)
    assert isinstance(group, click.Group)
    context = click.Context(group, info_name="backprove")
    return "\n\n".join(_command(group.commands[name], context) for name in group.commands)


def _command(command: click.Command, above: click.Context) -> str:
    context = click.Context(command, info_name=command.name, parent=above)
    usage = context.command.get_usage(context).removeprefix("Usage: ")
    told, _, example = inspect.cleandoc(command.help or "").partition("\b\n")
    rows = [_parameter(parameter, context) for parameter in command.get_params(context)]
    parts = [
        f"## `{command.name}`",
        " ".join(told.split()),
        f"```text\n{' '.join(usage.split())}\n```",
        "| argument or option | what it is |\n|---|---|\n" + "\n".join(rows),
    ]
    if example.strip():
        parts.append(f"Example:\n\n```sh\n{example.strip()}\n```")
    return "\n\n".join(parts)


def _parameter(parameter: click.Parameter, context: click.Context) -> str:
    record = parameter.get_help_record(context)
    if record is not None:
        names, told = record
    else:
        names, told = parameter.make_metavar(context), getattr(parameter, "help", None) or ""
    return f"| `{names}` | {_cell(told)} |"


def statements() -> str:
    """Every statement of worksheets: its form, and what it does."""
    parts = []
    for keyword in sorted(STATEMENTS):
        kind = STATEMENTS[keyword]
        told = inspect.cleandoc(kind.__doc__ or "").split("\n\nArgs:")[0]
        parts.append(f"## `{keyword}`\n\n{told}\n\n```text\n{kind.usage}\n```")
    return "\n\n".join(parts)


def mistakes() -> str:
    """The names of mistakes, as verdicts carry them."""
    return _listed("Mistakes", MISTAKES)


def domains() -> str:
    """The domains of symbols."""
    return _listed("Domains", DOMAINS)


def functions() -> str:
    """The functions of expressions."""
    return _listed("Functions", supported_functions())


_ASKED = {
    "symmetry": {"network": "tanh(4)+linear(1)", "steps": 0},
    "zero_gradient": {"network": "relu(2)+linear(1)", "init": "zeros", "steps": 0},
    "vanishing": {"network": "sigmoid(4)+linear(1)"},
    "collapse": {"network": "linear(3)+linear(1)"},
    "output_range": {"network": "relu(2)+sigmoid(1)", "targets": "[0, 1]"},
}
"""Settings without which a theorem has nothing to be about."""


def theorems() -> str:
    """The theorems that can be asked for by name, with their settings and facts."""
    parts = []
    for name, entry in THEOREMS.items():
        asked = _ASKED.get(name, {})
        found = prove(name, **asked)
        settings = ", ".join(f"`{key}`" for key in entry.settings) or "none"
        if entry.rule:
            settings += ", and those of the optimiser"
        words = " ".join(f"{key}={str(value).replace(' ', '')}" for key, value in asked.items())
        rows = [
            f"| `{key}` | {fact.level} | {_cell(fact.text)} |" for key, fact in found.facts.items()
        ]
        parts.append(
            f"## `{name}`\n\n{entry.summary[0].upper()}{entry.summary[1:]}. Settings: {settings}."
            f"\n\n```text\nprove {name} {words}\n```\n\n"
            "| fact | level | what it says |\n|---|---|---|\n"
            + "\n".join(rows)
            + (f"\n\nSource: {found.source}." if found.source else "")
        )
    return "\n\n".join(parts)


def factors() -> str:
    """What a study can vary: what is accepted, and the value where nothing is written."""
    rows = [
        f"| `{name}` | {_cell(factor.allowed)} | {_code(factor.default)} |"
        for name, factor in FACTORS.items()
    ]
    return "| setting | values | without it |\n|---|---|---|\n" + "\n".join(rows)


def fields() -> str:
    """The settings of a study that no network differs in."""
    return ", ".join(f"`{name}`" for name in FIELDS if name not in FACTORS) + "."


def _listed(title: str, names: Any) -> str:
    return f"{title}: " + ", ".join(f"`{name}`" for name in names) + "."


def names() -> str:
    """Every public name of the package."""
    found = [name for name in bp.__all__ if name != "__version__"]
    errors = [name for name in found if _is_error(getattr(bp, name))]
    functions = [name for name in found if inspect.isfunction(getattr(bp, name))]
    classes = [name for name in found if name not in errors and name not in functions]
    parts = ["## Questions", *(_documented("function", f"backprove.{name}") for name in functions)]
    parts += ["## Results", *(_documented("class", f"backprove.{name}") for name in classes)]
    parts += ["## Errors", *(_documented("exception", f"backprove.{name}") for name in errors)]
    return "\n\n".join(parts)


def packages() -> str:
    """The public names of every package, but for those that ``backprove`` itself has."""
    parts = []
    for module in _packages():
        told = inspect.cleandoc(module.__doc__ or "").split("\n")[0]
        public = [name for name in module.__all__ if _is_own(module, name)]
        kinds = {name: _kind(getattr(module, name)) for name in public}
        shown = [_documented(kind, f"{module.__name__}.{name}") for name, kind in kinds.items()]
        rest = [name for name in module.__all__ if not _is_question_or_class(module, name)]
        also = ", ".join(f"`{name}`" for name in rest)
        parts += [f"## `{module.__name__}`\n\n{told}", *shown]
        parts += [f"Tables, types and numbers: {also}."] * bool(rest)
    return "\n\n".join(parts)


def _packages() -> Iterator[ModuleType]:
    for found in iter_modules(bp.__path__):
        module = import_module(f"backprove.{found.name}") if found.name != "__main__" else None
        if module is not None and getattr(module, "__all__", None):
            yield module


def _is_own(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    exported = any(value is getattr(bp, each, None) for each in bp.__all__)
    return not exported and _is_question_or_class(module, name)


def _is_question_or_class(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    return inspect.isclass(value) or inspect.isfunction(value)


def _kind(value: Any) -> str:
    return "function" if inspect.isfunction(value) else "class"


def _is_error(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Exception)


def _documented(kind: str, name: str) -> str:
    members = "\n   :members:" if kind == "class" else ""
    return f"```{{eval-rst}}\n.. auto{kind}:: {name}{members}\n```"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part
    for part in (
        commands, statements, mistakes, domains, functions, theorems, factors, fields, names,
        packages,
    )
}  # fmt: skip


def filled(page: str) -> str:
    """A page with its generated parts."""
    return _PLACE.sub(lambda found: PARTS[found[1]](), page)


def _fill(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = filled(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Let Sphinx fill the pages as it reads them."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
