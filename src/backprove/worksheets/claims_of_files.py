"""The claims of a file one by one: those of a worksheet, and those of docstrings.

A docstring is a worksheet of its own if it holds a block marked ``backprove``. Python files are
parsed and never imported.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from backprove import errors
from backprove.results import Block, Code, Result, Text, VerdictKind
from backprove.worksheets.engine import Engine
from backprove.worksheets.running import read_worksheet
from backprove.worksheets.session import Session
from backprove.worksheets.source import Source
from backprove.worksheets.statement import Statement
from backprove.worksheets.statements.claim import Claim

_FENCE = re.compile(r"^[\s>*+\-\d.)]*(?:`{3,}|~{3,})[ \t]*\{?(\w+)", re.M)

_QUOTING = re.compile(r"^(`{4,}|~{4,})(?!\s*\{?backprove).*?^\1", re.M | re.S)
"""A block in a longer fence, which shows a block and is none."""


def may_hold_claims(path: Path) -> bool:
    """Whether a file has a block that is marked ``backprove``, or nearly so.

    >>> may_hold_claims(Path("there-is-no-such-file.md"))
    False
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return _marked(text)


def _marked(text: str) -> bool:
    words = {word.lower() for word in _FENCE.findall(_QUOTING.sub("", text))}
    return any(get_close_matches(word, ["backprove"], cutoff=0.8) for word in words)


@dataclass
class Judged(Result):
    """What became of one claim.

    Attributes:
        statement: the claim.
        verdict: what it is worth.
        answer: the verdict as blocks.
        place: file and line, for a reader.
        context: the statement that the claim is about, as written.
    """

    statement: Claim
    verdict: VerdictKind
    answer: list[Block]
    place: str
    context: str

    @property
    def expected(self) -> VerdictKind:
        """The verdict that the worksheet names, else ``right``."""
        return self.statement.expected or "right"

    @property
    def held(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.verdict == self.expected

    def blocks(self) -> list[Block]:
        about = [self.context] if self.context else []
        written = Code("backprove", "\n".join([*about, self.statement.piece.raw]))
        lead = f"{self.place}: the verdict is '{self.verdict}'; expected '{self.expected}'."
        return [Text(lead), written, *self.answer]

    def to_dict(self) -> dict[str, str]:
        return {"place": self.place, "verdict": self.verdict, "expected": self.expected}


@dataclass
class ClaimsRun:
    """The statements of one worksheet, of which claims are judged one by one.

    Attributes:
        statements: all statements in order.
        claims: a name for each claim, by its number among the statements.
    """

    statements: list[Statement]
    claims: dict[int, str]
    folder: Path
    _session: Session = field(init=False)
    _prepared: int = 0
    _failed: tuple[int, errors.BackproveError] | None = None

    def __post_init__(self) -> None:
        self._restart()

    def line(self, number: int) -> int:
        """The line of a statement in its file, counted from 1."""
        return self.statements[number].piece.line

    def judge(self, number: int) -> Judged:
        """The verdict on one claim; everything above it is prepared first.

        Raises:
            BackproveError: the claim cannot be read or judged, or a statement above it fails.
        """
        if number < self._prepared:
            self._restart()
        while self._prepared < number:
            self._prepare(self._prepared)
            self._prepared += 1
        claim = self.statements[number]
        assert isinstance(claim, Claim)
        if self._failed is not None:
            line, error = self._failed
            raise claim.piece.error(
                f"the claim is not judged, because line {line} fails: {error.message}",
                "Repair that line first.",
            )
        claim.prepare(self._session)
        self._prepared = number + 1
        answer = claim.run(self._session)
        assert answer.verdict is not None
        place = f"{claim.piece.source.file}:{claim.piece.line}"
        above = [s for s in self.statements[:number] if not isinstance(s, Claim)]
        context = above[-1].piece.raw if above else ""
        return Judged(claim, answer.verdict, list(answer.blocks), place, context)

    def _prepare(self, number: int) -> None:
        """Let the session know a statement; after one that fails nothing below can be trusted."""
        statement = self.statements[number]
        try:
            statement.prepare(self._session)
            # What has a key only answers; what has none, such as `let`, changes the session.
            if not isinstance(statement, Claim) and statement.key(self._session) is None:
                statement.run(self._session)
        except errors.BackproveError as error:
            if self._failed is None and not isinstance(statement, Claim):
                self._failed = (statement.piece.line, error)

    def _restart(self) -> None:
        self._session = Session(Engine(), folder=self.folder)
        self._prepared, self._failed = 0, None


def read_claims(path: Path) -> list[ClaimsRun]:
    """The claims of a Markdown file, or of the docstrings of a Python file.

    Args:
        path: a file ending in ``.md`` or ``.py``.

    Returns:
        One run for the worksheet, or one for each docstring that holds statements.

    Raises:
        WorksheetError: a statement cannot be read, with its position in the file.
        InputError: the Python file cannot be parsed.
    """
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())  # as it is printed
    found = list(_docstrings(path)) if path.suffix == ".py" else [("", Source.read(path))]
    return [_run(owner, source, path) for owner, source in found]


def _run(owner: str, source: Source, path: Path) -> ClaimsRun:
    parts = read_worksheet(source)[1]
    statements = [part for part in parts if isinstance(part, Statement)]
    names = {
        number: _name(owner, each, path)
        for number, each in enumerate(statements)
        if isinstance(each, Claim)
    }
    return ClaimsRun(statements, names, path.parent)


def _name(owner: str, claim: Claim, path: Path) -> str:
    """The name of a test; a double colon would end it on the command line."""
    said = " ".join(claim.said.text.split()).replace("::", ": :")
    said = said if len(said) <= 60 else said[:59] + "…"
    file = claim.piece.source.file
    other = f"{Path(file).name} " if file != str(path) else ""
    return f"{other}{owner + ' ' if owner else ''}line {claim.piece.line}: {said}"


def _docstrings(path: Path) -> Iterator[tuple[str, Source]]:
    """Every docstring that holds statements, at the lines where it stands in its file."""
    text = Source.read(path).text
    try:
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise errors.WorksheetError(
            f"the file cannot be parsed: {error.msg} (line {error.lineno})", file=str(path)
        ) from None
    for owner, body in _owners(tree, ""):
        first = body[0] if body else None
        if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
            continue
        said = first.value.value
        if not isinstance(said, str) or not _marked(said):
            continue
        head, *rest = said.expandtabs().split("\n")
        margin = inspect.cleandoc("\n" + "\n".join(rest)) if rest else ""
        blank = len(rest) - len("\n".join(rest).lstrip("\n").split("\n")) if rest else 0
        lines = [head.strip(), *[""] * blank, *margin.split("\n")]
        yield owner, Source.of("\n" * (first.lineno - 1) + "\n".join(lines), str(path))


def _owners(node: ast.AST, prefix: str) -> Iterator[tuple[str, list[ast.stmt]]]:
    """The module, classes and functions with their names; the module has none."""
    if isinstance(node, ast.Module):
        yield "", node.body
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name, child.body
            yield from _owners(child, f"{prefix}{child.name}.")
        else:
            yield from _owners(child, prefix)
