r"""LaTeX as MathML, which browsers draw without a script.

The conversion is done by `math-core`. What it returns is rebuilt from a list of allowed elements
and attributes, so nothing that a hostile formula contains can become active in a page; a formula
that cannot be converted is shown as its LaTeX.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from functools import lru_cache
from html import escape

from math_core import LatexError, LatexToMathML

from backprove.views.plain_math import SYMBOLS

_ELEMENTS = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msup", "msub", "msubsup", "munder",
    "mover", "munderover", "mfrac", "msqrt", "mroot", "mtable", "mtr", "mtd", "mpadded",
    "mphantom", "mstyle", "code",
}  # fmt: skip
_ATTRIBUTES = {
    "display", "displaystyle", "scriptlevel", "mathvariant", "stretchy", "symmetric", "largeop",
    "movablelimits", "form", "fence", "separator", "accent", "accentunder", "lspace", "rspace",
    "minsize", "maxsize", "width", "height", "depth", "linethickness", "columnspan", "rowspan",
    "style",
}  # fmt: skip
_SAFE_STYLE = re.compile(r"[a-z0-9 .,:;#%()\-]*", re.IGNORECASE)
_URL = re.compile(r"url|expression|import", re.IGNORECASE)

# The converter recurses once per nested group and once per command that takes an argument. In a
# thread with the usual half megabyte, 360 levels overflow the stack and end the process. No formula
# that a person can read comes near these limits.
_MAX_LENGTH = 6000
_MAX_DEPTH = 60
_MAX_COMMANDS = 250
_COMMANDS = re.compile(r"\\([A-Za-z]+)")
_GROUPS = re.compile(r"\\(?:left|begin)\b|\\(?:right|end)\b|\\.|[{}]", re.DOTALL)
_DEFINITIONS = re.compile(r"\\(?:[a-z]*def|let|(?:re)?newcommand|providecommand|label|e?q?ref)\b")

_converter = LatexToMathML(fancy_error=False)


def mathml(latex: str, *, display: bool = False) -> str:
    r"""A formula as a MathML element, or as code where it cannot be converted.

    Args:
        latex: the formula without dollars.
        display: set as a displayed formula instead of inside a line.

    Returns:
        Safe HTML. Never raises.

    >>> mathml(r"X^\top")
    '<math><msup><mi>X</mi><mi>⊤</mi></msup></math>'
    >>> mathml(r"\frac{<script>")
    '<code class="bp-latex">\\frac{&lt;script&gt;</code>'
    """
    return _converted(latex, display) or f'<code class="bp-latex">{escape(latex)}</code>'


@lru_cache(maxsize=4096)
def _converted(latex: str, display: bool) -> str | None:
    if not latex.strip() or not _is_tame(latex):
        return None
    try:
        raw = _converter.convert_with_local_state(latex, displaystyle=display)
        tree = ElementTree.fromstring(raw.replace("&ApplyFunction;", "\u2061"))
    except (LatexError, ElementTree.ParseError, ValueError, RecursionError):
        return None
    if not _is_safe(tree):
        return None
    _raise_accents(tree)
    return _serialised(tree)


def _is_tame(latex: str) -> bool:
    """Whether a formula is of a size and nesting that the converter handles for certain."""
    if len(latex) > _MAX_LENGTH or _DEFINITIONS.search(latex):
        return False
    nesting = [name for name in _COMMANDS.findall(latex) if name not in SYMBOLS]
    if len(nesting) > _MAX_COMMANDS:
        return False
    depth = deepest = 0
    for match in _GROUPS.finditer(latex):
        token = match.group(0)
        if token == "{" or token in ("\\left", "\\begin"):
            depth += 1
        elif token == "}" or token in ("\\right", "\\end"):
            depth -= 1
        deepest = max(deepest, depth)
    return deepest <= _MAX_DEPTH


def _is_safe(tree: ElementTree.Element) -> bool:
    for element in tree.iter():
        if element.tag not in _ELEMENTS:
            return False
        for name, value in element.attrib.items():
            if name not in _ATTRIBUTES:
                return False
            if name == "style" and (not _SAFE_STYLE.fullmatch(value) or _URL.search(value)):
                return False
    return True


def _raise_accents(tree: ElementTree.Element) -> None:
    """Set bars and hats as ordinary overscripts.

    Where no mathematical font is installed, browsers draw an accent through the letter under it,
    and an adjoint that lost its bar is another quantity.
    """
    for over in tree.iter("mover"):
        over.attrib.pop("accent", None)
        for mark in over.findall("mo"):
            if mark.text == "\N{COMBINING LOW LINE}":
                mark.text = "\N{OVERLINE}"


def _serialised(tree: ElementTree.Element) -> str:
    # An HTML parser does not close <code/>, which may stand inside of mtext.
    return ElementTree.tostring(tree, encoding="unicode", short_empty_elements=False)
