"""A worksheet with its answers as one HTML file that opens without a network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Protocol, runtime_checkable

from backprove.results import Block, Code, Details, Evidence, Judgement, VerdictKind
from backprove.views.arrange import arranged
from backprove.views.html import asset, badge, fragment
from backprove.views.prose import ProseRenderer, Section
from backprove.views.text_layout import clean
from backprove.views.words import LEVELS, VERDICTS, plural


@runtime_checkable
class ProseItem(Protocol):
    """Prose between the statements of a worksheet, as Markdown."""

    @property
    def markdown(self) -> str: ...


@runtime_checkable
class OutcomeItem(Protocol):
    """One statement with its answer.

    ``kind`` names the statement (``derive``, ``claim``, ...), ``line`` counts from 1, ``verdict``
    is None for what is no claim, ``held`` is None where nothing was claimed, ``anchor`` is unique.
    ``question`` names the question that it belongs to; ``command`` and ``python`` ask the same
    elsewhere; all three are empty where there is none.
    """

    @property
    def kind(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def blocks(self) -> Sequence[Block]: ...
    @property
    def verdict(self) -> VerdictKind | None: ...
    @property
    def expected(self) -> VerdictKind | None: ...
    @property
    def held(self) -> bool | None: ...
    @property
    def anchor(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def python(self) -> str: ...


class ReportLike(Protocol):
    """What a page is made from; ``summary["about"]``, a mapping of texts, is printed below."""

    @property
    def title(self) -> str: ...
    @property
    def items(self) -> Sequence[Any]: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...


def page(report: ReportLike) -> str:
    """A report as one HTML page.

    Args:
        report: title, items (prose and outcomes, in order) and summary.

    Returns:
        A whole HTML document. It refers to nothing outside of itself, and its content security
        policy forbids every request and every script but its own.

    Raises:
        TypeError: an item is neither prose nor an outcome.

    >>> from types import SimpleNamespace
    >>> page(SimpleNamespace(title="Shapes", items=[], summary={})).startswith("<!doctype html>")
    True
    """
    body = _Body(renderer=ProseRenderer(_lowering(report.items)))
    for item in report.items:
        body.add(item)
    script = asset("report.js") + asset("stepping.js")
    title = escape(clean(report.title) or "Report")
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n"
        f"<style>{asset('blocks.css')}{asset('report.css')}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#content">Skip to the content</a>\n'
        f'<div class="layout">\n{_contents(body.entries)}\n<main id="content">\n'
        f"<header><h1>{title}</h1>{_summary(body.outcomes)}</header>\n"
        f"{_finder(body.outcomes)}\n"
        f"{body.html()}\n{_about(report.summary)}</main>\n</div>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _lowering(items: Sequence[Any]) -> int:
    """How far headings go down so that the highest of them stands right below the title."""
    reader = ProseRenderer()
    levels = [
        int(token.tag[1])
        for item in items
        if isinstance(item, ProseItem)
        for token in reader.tokens(item.markdown)
        if token.type == "heading_open"
    ]
    return 2 - min(levels, default=1)


def _policy(script: str) -> str:
    """Only this page's own script and styles; pictures only from inside the page."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@dataclass
class _Body:
    """The page below its summary, and what the table of contents needs to know of it."""

    parts: list[str] = field(default_factory=list)
    entries: list[Section | OutcomeItem] = field(default_factory=list)
    outcomes: list[OutcomeItem] = field(default_factory=list)
    renderer: ProseRenderer = field(default_factory=ProseRenderer)

    def add(self, item: object) -> None:
        if isinstance(item, OutcomeItem) and item.kind == "question":
            self.parts.append(_question(item))
            self.entries.append(item)
        elif isinstance(item, OutcomeItem):
            self.parts.append(_outcome(item))
            self.entries.append(item)
            self.outcomes.append(item)
        elif isinstance(item, ProseItem):
            html, sections = self.renderer.render(item.markdown)
            self.parts.append(f'<div class="prose">{html}</div>')
            self.entries.extend(sections)
        else:
            raise TypeError(f"a report holds prose and outcomes, not {type(item).__name__}")

    def html(self) -> str:
        return "\n".join(self.parts)


def _question(item: OutcomeItem) -> str:
    anchor = escape(_question_anchor(item))
    return (
        f'<h3 class="question" id="{anchor}"><a href="#{anchor}">'
        f"Question {escape(clean(item.question))}</a></h3>"
    )


def _question_anchor(item: OutcomeItem) -> str:
    return f"question-{item.question}"


def _outcome(item: OutcomeItem) -> str:
    held = {True: " held", False: " missed", None: ""}[item.held]
    anchor = escape(item.anchor)
    return (
        f'<section class="outcome{held}" id="{anchor}"{_marks(item)}>'
        f'<h3><a class="line" href="#{anchor}" aria-label="line {item.line}">{item.line}</a>'
        f"<code>{escape(clean(item.source, keep_lines=True))}</code>{_state(item)}</h3>"
        f"{fragment(_below_badge(item))}{_reproduce(item)}</section>"
    )


def _marks(item: OutcomeItem) -> str:
    """What the filters of the page go by."""
    verdict = f' data-verdict="{item.verdict}" tabindex="-1"' if item.verdict else ""
    missed = " data-missed" if item.held is False else ""
    levels = " ".join(level for level in LEVELS if level in _levels(item.blocks))
    return verdict + missed + (f' data-levels="{levels}"' if levels else "")


def _levels(blocks: Sequence[Block]) -> set[str]:
    found: set[str] = set()
    for block in blocks:
        if isinstance(block, Details):
            found |= _levels(block.blocks)
        elif isinstance(block, Judgement | Evidence) and block.level:
            found.add(block.level)
    return found


def _reproduce(item: OutcomeItem) -> str:
    """The same question as a command and as Python."""
    ways = [
        Code(language, text, label)
        for language, text, label in (
            ("shell", item.command, "In a shell"),
            ("python", item.python, "In Python, after `import backprove as bp`"),
        )
        if text
    ]
    if not ways:
        return ""
    return (
        f'<details class="reproduce"><summary>Reproduce<span class="hidden"> line {item.line}'
        f"</span></summary>{fragment(ways)}</details>"
    )


def _finder(outcomes: Sequence[OutcomeItem]) -> str:
    """Search and filters; the script shows them, for without it they would do nothing."""
    verdicts = {item.verdict for item in outcomes}
    levels = set().union(*(_levels(item.blocks) for item in outcomes)) if outcomes else set()
    missed = any(item.held is False for item in outcomes)
    by_verdict = [(kind, wording.word) for kind, wording in VERDICTS.items() if kind in verdicts]
    by_verdict += [("missed", "not as expected")] * missed
    by_level = [(level, wording.word) for level, wording in LEVELS.items() if level in levels]
    return (
        '<div class="finder" role="search" aria-label="This report" hidden>'
        '<label>Search <input type="search" autocomplete="off" spellcheck="false"></label>'
        f"{_choice('verdict', by_verdict)}{_choice('evidence', by_level)}"
        '<output aria-live="polite"></output>'
        "<details><summary>Keys</summary><dl>"
        "<div><dt><kbd>/</kbd></dt><dd>search</dd></div>"
        "<div><dt><kbd>Esc</kbd></dt><dd>show everything again</dd></div>"
        "<div><dt><kbd>j</kbd> <kbd>k</kbd></dt><dd>next claim, previous claim</dd></div>"
        "</dl></details></div>"
    )


def _choice(name: str, choices: Sequence[tuple[str, str]]) -> str:
    if not choices:
        return ""
    options = "".join(f'<option value="{value}">{word}</option>' for value, word in choices)
    return (
        f'<label>{name.capitalize()} <select data-filter="{name}">'
        f'<option value="">all</option>{options}</select></label>'
    )


def _below_badge(item: OutcomeItem) -> list[Block]:
    """The blocks of a statement without a judgement that says no more than its badge."""
    return [
        block
        for block in arranged(item.blocks)
        if not isinstance(block, Judgement)
        or (block.kind, block.message, block.level) != (item.verdict, "", None)
    ]


def _state(item: OutcomeItem) -> str:
    """The badge of a claim, and whether that is what its author expected."""
    if item.verdict is None:
        return ""
    expectation = ""
    if item.held is False:
        wanted = VERDICTS[item.expected].word if item.expected else VERDICTS["right"].word
        expectation = f'<span class="expectation missed">expected: {wanted}</span>'
    elif item.expected is not None and item.expected != "right":
        expectation = '<span class="expectation">as expected</span>'
    return f'<span class="state">{badge(item.verdict)}{expectation}</span>'


def _summary(outcomes: Sequence[OutcomeItem]) -> str:
    claims = [item for item in outcomes if item.verdict is not None]
    if not claims:
        return f'<p class="lead">{plural(len(outcomes), "statement")}, no claim.</p>'
    missed = [item for item in claims if item.held is False]
    lead = (
        f"{plural(len(missed), 'claim')} of {len(claims)} "
        f"{'does' if len(missed) == 1 else 'do'} not meet the expectation."
        if missed
        else f"All {len(claims)} claims meet their expectation."
        if len(claims) > 1
        else "The one claim meets its expectation."
    )
    rows = "".join(
        f"<li>{badge(kind)}<strong>{len(found)}</strong>"
        f'<span class="links">{" ".join(_link(item) for item in found)}</span></li>'
        for kind in VERDICTS
        if (found := [item for item in claims if item.verdict == kind])
    )
    note = "".join(
        f"<li>{_link(item)} <code>{escape(clean(_first_line(item.source)))}</code></li>"
        for item in missed
    )
    missing = f'<ul class="missed-list">{note}</ul>' if missed else ""
    return (
        f'<section class="summary" aria-label="Summary"><p class="lead">{lead}</p>{missing}'
        f'<ul class="counts">{rows}</ul></section>'
    )


def _link(item: OutcomeItem) -> str:
    said = escape(clean(_first_line(item.source)))
    missed = ' class="missed"' if item.held is False else ""
    return (
        f'<a href="#{escape(item.anchor)}" title="{said}"{missed}>'
        f'<span class="hidden">line </span>{item.line}</a>'
    )


def _first_line(source: str) -> str:
    return source.strip().split("\n", 1)[0]


def _contents(entries: Sequence[Section | OutcomeItem]) -> str:
    """The table of contents: headings, and under each the marks of its claims."""
    parts: list[str] = []
    marks: list[str] = []

    def close_marks() -> None:
        if marks:
            parts.append(f'<li class="marks">{"".join(marks)}</li>')
            marks.clear()

    for entry in entries:
        if isinstance(entry, Section):
            close_marks()
            if entry.level <= 4:
                parts.append(
                    f'<li class="level-{entry.level}"><a href="#{escape(entry.anchor)}">'
                    f"{escape(clean(entry.text))}</a></li>"
                )
        elif entry.kind == "question":
            close_marks()
            parts.append(
                f'<li class="asked"><a href="#{escape(_question_anchor(entry))}">'
                f'<span class="hidden">Question </span>{escape(clean(entry.question))}</a></li>'
            )
        elif entry.verdict is not None:
            wording = VERDICTS[entry.verdict]
            name = entry.verdict.replace("_", "-")
            marks.append(
                f'<a class="bp-{name}" href="#{escape(entry.anchor)}" '
                f'aria-label="line {entry.line}: {wording.word}">{wording.mark}</a>'
            )
    close_marks()
    if not parts:
        return ""
    return (
        '<nav class="contents" aria-label="Contents"><details open><summary>Contents</summary>'
        f"<ol>{''.join(parts)}</ol></details></nav>"
    )


def _about(summary: Mapping[str, Any]) -> str:
    about = summary.get("about")
    if not isinstance(about, Mapping) or not about:
        return ""
    rows = "".join(
        f"<div><dt>{escape(clean(str(name)))}</dt><dd>{escape(clean(str(value)))}</dd></div>"
        for name, value in about.items()
    )
    return f"<footer><dl>{rows}</dl></footer>"
