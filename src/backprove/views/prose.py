"""The prose of a worksheet: Markdown with $math$, as HTML that cannot run anything.

Raw HTML in the Markdown is shown as text, never passed through; links with a scheme that runs
code are refused; pictures from elsewhere become links, so that a page asks no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from backprove.views.mathml import mathml

_LINK_SCHEMES = ("http:", "https:", "mailto:", "#")
_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class Section:
    """A heading of the prose: its level in the page, its text and the anchor to link to."""

    level: int
    text: str
    anchor: str


class ProseRenderer:
    """Renders the prose of one page; anchors of headings stay unique over all of it.

    Args:
        lowered: by how many levels headings are lower in the page than in the Markdown; 1 leaves
            the first level to the title of the page.

    >>> html, sections = ProseRenderer().render("## Shapes\\n\\nA <b>row</b> $x^2$.")
    >>> sections[0].anchor, "&lt;b&gt;row" in html, "<msup>" in html
    ('section-shapes', True, True)
    """

    def __init__(self, lowered: int = 1) -> None:
        self._by = lowered
        self._taken: set[str] = set()
        self._markdown = MarkdownIt("commonmark", {"html": False}).enable(
            ["table", "strikethrough"]
        )
        self._markdown.inline.ruler.before("escape", "dollar_math", _dollar_math)
        self._markdown.validateLink = _is_allowed_link  # type: ignore[method-assign]
        rules: Any = self._markdown.renderer.rules  # type: ignore[attr-defined]
        rules["math"] = lambda tokens, at, options, env: mathml(
            tokens[at].content, display=tokens[at].markup == "$$"
        )
        rules["image"] = _image
        rules["fence"] = _fence
        rules["code_block"] = _fence

    def tokens(self, markdown: str) -> list[Token]:
        """The structure of the Markdown, for views other than HTML."""
        return self._markdown.parse(markdown)

    def render(self, markdown: str) -> tuple[str, list[Section]]:
        """Markdown as safe HTML, and its headings.

        Args:
            markdown: CommonMark with tables, strike-through and ``$math$``.

        Returns:
            The HTML, with headings below the first level, which the page has itself, and the
            headings in order.
        """
        tokens = self.tokens(markdown)
        sections: list[Section] = []
        for opening, inline in pairwise(tokens):
            if opening.type == "heading_open":
                sections.append(self._section(opening, inline))
            if opening.type == "table_open":
                opening.attrSet("class", "prose-table")
        for closing in (token for token in tokens if token.type == "heading_close"):
            closing.tag = self._lowered(closing.tag)
        for token in _inner(tokens):
            if token.type == "link_open":
                token.attrSet("rel", "noopener noreferrer")
        return self._markdown.renderer.render(tokens, self._markdown.options, {}), sections

    def _section(self, opening: Token, inline: Token) -> Section:
        text = "".join(child.content for child in inline.children or [])
        slug = re.sub(r"[^\w]+", "-", text.lower()).strip("-")[:60] or "part"
        anchor, number = f"section-{slug}", 2
        while anchor in self._taken:
            anchor, number = f"section-{slug}-{number}", number + 1
        self._taken.add(anchor)
        opening.tag = self._lowered(opening.tag)
        opening.attrSet("id", anchor)
        return Section(int(opening.tag[1]), text, anchor)

    def _lowered(self, tag: str) -> str:
        return f"h{min(6, max(2, int(tag[1]) + self._by))}"


def _inner(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _inner(token.children or [])


def _is_allowed_link(url: str) -> bool:
    """Links within the page, to relative files and to the web; nothing that runs code."""
    # A browser drops line breaks and control characters inside of a scheme before it reads it.
    address = (
        re.sub(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\ufeff]", "", unquote(url))
        .lower()
        .replace("\\", "/")
    )
    if _IMAGE.fullmatch(url.strip()):
        return True
    if re.match(r"[a-z][a-z0-9+.\-]*:", address):
        return address.startswith(_LINK_SCHEMES)
    return not address.startswith("//")


def _dollar_math(state: StateInline, silent: bool) -> bool:
    """The inline rule for ``$...$`` and ``$$...$$``."""
    if state.src[state.pos] != "$":
        return False
    mark = "$$" if state.src.startswith("$$", state.pos) else "$"
    start = state.pos + len(mark)
    end = state.src.find(mark, start)
    while end > 0 and state.src[end - 1] == "\\":
        end = state.src.find(mark, end + 1)
    if end <= start or end > state.posMax:
        return False
    content = state.src[start:end]
    follows = state.src[end + len(mark) : end + len(mark) + 1]
    # "$5 and $6" is money: mathematics has no blank inside its dollars and no digit behind them.
    if mark == "$" and (content != content.strip() or follows.isdigit()):
        return False
    if not silent:
        token = state.push("math", "math", 0)
        token.content, token.markup = content.strip(), mark
    state.pos = end + len(mark)
    return True


def _image(tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    source = str(tokens[at].attrGet("src") or "")
    words = escape(tokens[at].content or "picture")
    if _IMAGE.fullmatch(source):
        return f'<img src="{escape(source)}" alt="{words}">'
    if not source or not _is_allowed_link(source):
        return words
    return f'<a href="{escape(source)}" rel="noopener noreferrer">{words} (picture)</a>'


def _fence(tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    token = tokens[at]
    if token.info.strip() == "math":
        return f"<p>{mathml(token.content.strip(), display=True)}</p>"
    return f'<pre data-copy tabindex="0"><code>{escape(token.content.rstrip())}</code></pre>'
