"""``backprove`` as a directive of Sphinx: statements in a page of a book, with their answers.

Add ``backprove.app.sphinx_extension`` to ``extensions`` in ``conf.py``. In MyST Markdown the block
is marked ``{backprove}``, so the same file also runs with ``backprove run``; in reStructuredText it
is the directive ``backprove``. The statements of one page share what they declare, from top to
bottom. Statements that cannot be read, and claims that do not meet their expectation, are warnings
with file, line and column: ``sphinx-build -W`` fails on them.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import backprove as bp
from backprove.errors import BackproveError, InputError, WorksheetError
from backprove.results import Block, Code, Judgement
from backprove.views import html, latex, text
from backprove.views.arrange import arranged
from backprove.views.mathml import mathml
from backprove.views.words import VERDICTS
from backprove.worksheets.engine import Engine
from backprove.worksheets.report import Outcome
from backprove.worksheets.running import run_block
from backprove.worksheets.session import Session
from backprove.worksheets.source import Source
from backprove.worksheets.statements import STATEMENTS

STYLE_SHEET = "backprove.css"

_SESSION = "backprove_session"
_log = logging.getLogger(__name__)


class answer(nodes.General, nodes.Element):
    """One statement with its answer.

    The HTML and LaTeX of it are attributes; its children are the plain text, which every other
    builder writes as it writes any text.
    """


class BackproveDirective(SphinxDirective):
    """Statements of a worksheet, run when the page is read."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The answers, or what is wrong with the statements."""
        path, first, indent = self._place()
        source = Source.of("\n" * (first - 1) + "\n".join(self.content), path)
        session: Session = self.env.temp_data.get(_SESSION) or Session(
            Engine(), folder=Path(path).parent
        )
        self.env.temp_data[_SESSION] = session
        try:
            outcomes = run_block(source, session)
            if not outcomes:
                raise WorksheetError("the block holds no statement", hint="For example: let x: n")
        except BackproveError as error:
            return [self._refused(error, path, first, indent)]
        for outcome in outcomes:
            if outcome.file != path:
                self.env.note_dependency(outcome.file)
            if outcome.held is False:
                self._missed(outcome, indent)
        return [node for outcome in outcomes for node in self._nodes(outcome)]

    def _place(self) -> tuple[str, int, int]:
        """File and line of the first statement, and by how many columns the block is indented."""
        path, line = self.get_source_info()
        sought = self.content[0].rstrip() if self.content else ""
        try:
            written = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            written = []
        # Parsers disagree on where content begins, so the file itself is asked.
        for number, row in enumerate(written[line - 1 :], line):
            if sought and row.rstrip().endswith(sought):
                return path, number, row.find(sought)
        # The text stands in no file as it is, such as a docstring: it has a line, but no column.
        return path, line, 0

    def _refused(self, error: BackproveError, path: str, first: int, indent: int) -> nodes.Node:
        place, told = f"{path}:{first}", error.render()
        if isinstance(error, InputError) and error.file:
            column = error.column + (indent if error.file == path else 0)
            place = f"{error.file}:{error.line}:{column}"
            if error.file != path:
                self.env.note_dependency(error.file)
            told = told.removeprefix(f"{error.file}:{error.line}:{error.column}: ")
        told = told.removeprefix("error: ")
        _log.warning("%s", told, location=place, type="backprove", subtype="error")
        shown = f"{Path(place).name}: {told}"
        return nodes.literal_block(shown, shown, language="none", classes=["backprove-error"])

    def _missed(self, outcome: Outcome, indent: int) -> None:
        wanted = VERDICTS[outcome.expected or "right"].word
        said = " ".join(outcome.source.split())
        found = VERDICTS[outcome.verdict].word if outcome.verdict else "no verdict"
        _log.warning(
            "the claim is %s, expected %s: %s", found, wanted, said,
            location=f"{outcome.file}:{outcome.line}:{indent + 1}",
            type="backprove", subtype="claim",
        )  # fmt: skip

    def _nodes(self, outcome: Outcome) -> list[nodes.Node]:
        node = answer(
            html=outcome_html(outcome),
            latex=f"{latex.render([_code(outcome)])}\n\n{latex.render(outcome.blocks)}",
        )
        told = text.render(outcome.blocks)
        node += nodes.literal_block(outcome.source, outcome.source, language="backprove")
        node += nodes.literal_block(told, told, language="none")
        self.set_source_info(node)
        return [node]


def outcome_html(outcome: Outcome) -> str:
    """A statement and its answer as HTML, for a page with the style sheet of this extension.

    >>> outcome_html(Outcome("claim", "claim 2*x", 1, "s1", [], verdict="wrong", expected="wrong"))
    ... # doctest: +ELLIPSIS
    '<div class="backprove held"><div class="backprove-said"><pre>claim 2*x</pre>...
    """
    held = {True: " held", False: " missed", None: ""}[outcome.held]
    state = ""
    if outcome.verdict is not None:
        wanted = VERDICTS[outcome.expected or "right"].word
        note = f"expected: {wanted}" if outcome.held is False else ""
        if outcome.held and outcome.verdict != "right":
            note = "as expected"
        state = f"{html.badge(outcome.verdict)} <span>{note}</span>".replace(" <span></span>", "")
    blocks = arranged(outcome.blocks)
    below = html.fragment([block for block in blocks if not _says_the_badge(block)])
    return (
        f'<div class="backprove{held}"><div class="backprove-said">'
        f"<pre>{escape(outcome.source)}</pre>"
        + (f'<div class="bp">{state}</div>' if state else "")
        + f"</div>{below}</div>"
    )


def style_sheet() -> str:
    """The style sheet of the pages: that of the blocks, in the colours that the theme has chosen.

    Reports follow the system, dark or light. A page of Sphinx follows the switch of its theme
    (``data-theme``), and is light where the theme knows no other.

    >>> '[data-theme="dark"] .bp' in style_sheet()
    True
    """
    blocks = html.asset("blocks.css")
    found = re.search(
        r"@media \(prefers-color-scheme: dark\) \{\s*\.bp, :root \{(.*?)\}\s*\}\n?", blocks, re.S
    )
    if found is None:
        raise AssertionError("blocks.css has no dark colours where they are looked for")
    dark = found[1].strip()
    themed = (
        f'[data-theme="dark"] .bp, [data-theme="dark"] .backprove {{ {dark} }}\n'
        "@media (prefers-color-scheme: dark) {\n"
        f'[data-theme="auto"] .bp, [data-theme="auto"] .backprove {{ {dark} }}\n}}\n'
    )
    light = blocks.replace(found[0], themed).replace(".bp, :root {", ".bp, .backprove {", 1)
    return light + html.asset("sphinx.css")


def _code(outcome: Outcome) -> Block:
    return Code("backprove", outcome.source)


def _says_the_badge(block: Block) -> bool:
    """Whether a judgement says no more than the badge beside the statement."""
    return isinstance(block, Judgement) and not block.message and block.level is None


class StatementLexer(RegexLexer):
    """Colours for blocks of statements that are shown, but not run."""

    name = "backprove"
    aliases = ("backprove",)
    tokens = {  # noqa: RUF012 (Pygments reads it as a class attribute)
        "root": [
            (r"(?:^|(?<=\s))#[^\n]*", Comment),
            (words(tuple(STATEMENTS), prefix=r"^", suffix=r"\b"), Keyword),
            (r"\b(?:wrt|at|by|expect|layout|accept|points|weights)\b", Keyword.Pseudo),
            (r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", Number),
            (r"[-+*/@=<>^:]+", Operator),
            (r"\w+", Name),
            (r"[^\w]", Name),
        ]
    }


def _write_style_sheet(app: Sphinx) -> None:
    if app.builder.format == "html":
        folder = Path(app.outdir) / "_static"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STYLE_SHEET).write_text(style_sheet(), encoding="utf-8")


def _visit_html(self: Any, node: answer) -> None:
    self.body.append(node["html"])
    raise nodes.SkipNode


def _visit_latex(self: Any, node: answer) -> None:
    self.body.append(f"\n\n{node['latex']}\n\n")
    raise nodes.SkipNode


def _visit_text(self: Any, node: answer) -> None:
    """The children are written as any text."""


def _visit_math(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _visit_math_block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{mathml(node.astext(), display=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter the directive, its node and its colours into Sphinx."""
    plain = (_visit_text, _visit_text)
    app.add_node(
        answer,
        html=(_visit_html, None),
        latex=(_visit_latex, None),
        text=plain, man=plain, texinfo=plain,
    )  # fmt: skip
    app.add_directive("backprove", BackproveDirective)
    app.add_lexer("backprove", StatementLexer)
    app.add_css_file(STYLE_SHEET)
    # A book with html_math_renderer = "mathml" shows its formulas without a script, as reports do.
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math_block, None))
    for package in ("amsmath", "amssymb", "booktabs"):
        app.add_latex_package(package)
    app.connect("builder-inited", _write_style_sheet)
    return {
        "version": bp.__version__,
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
