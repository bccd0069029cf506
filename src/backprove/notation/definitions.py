"""The suffix ``with s = softmax(z)`` of a claim: names for parts of it."""

from __future__ import annotations

from backprove.errors import NotationError, Span
from backprove.notation.syntax import Token, tokenize

SUFFIX_WORDS = ("with", "where")


def only(text: str, span: Span) -> str:
    """The text with everything outside of ``span`` blank, so that places stay what they are."""
    inside = text[span.start : span.end]
    return " " * span.start + inside + " " * (len(text) - span.end)


def split_definitions(text: str) -> tuple[Span, list[tuple[str, Span]]]:
    """The place of a claim, and the names that ``with s = softmax(z)`` after it defines.

    Args:
        text: a claim; several definitions are separated by ``,``, ``;`` or ``and``.

    Returns:
        The place of the claim itself, and name and place of each definition.

    Raises:
        NotationError: what follows ``with`` (or ``where``) is no definition.

    >>> split_definitions("J = s with s = z")
    (Span(start=0, end=6), [('s', Span(start=15, end=16))])
    """
    tokens = tokenize(text)
    outside = _outside_of_brackets(tokens)
    starts = [
        k
        for k, token in enumerate(tokens[:-1])
        if outside[k] and token.text in SUFFIX_WORDS and tokens[k + 1].text != "("
    ]
    if not starts:
        return Span(0, len(text)), []
    ends = [
        k
        for k, token in enumerate(tokens)
        if k > starts[0] and outside[k] and (token.text in (",", ";", "and") or token.kind == "end")
    ]
    found: list[tuple[str, Span]] = []
    begin = starts[0] + 1
    for end in ends:
        found.append(_definition(text, tokens[begin:end], tokens[starts[0]]))
        begin = end + 1
    return Span(0, tokens[starts[0]].span.start), found


def _definition(text: str, words: list[Token], opener: Token) -> tuple[str, Span]:
    if len(words) < 3 or words[0].kind != "name" or words[1].text not in ("=", "=="):
        raise NotationError(
            f"expected a definition after '{opener.text}'",
            text=text,
            span=Span(words[0].span.start, words[-1].span.end) if words else opener.span,
            hint="Write: with s = softmax(z)",
        )
    return words[0].text, Span(words[2].span.start, words[-1].span.end)


def _outside_of_brackets(tokens: list[Token]) -> list[bool]:
    depth, found = 0, []
    for token in tokens:
        if token.kind == "op":
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        found.append(depth == 0)
    return found
