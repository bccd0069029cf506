"""Claims whose shapes do not fit: wrong, and which exchange would make them right.

A factor that is transposed, factors in the wrong order or an index on the wrong axis often leave a
formula whose sizes do not meet. Nothing can be computed from it, but it says what it says, and that
is not the derivative. Each exchange that makes it right names the mistake.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice

from backprove.checking.verdict import Verdict
from backprove.errors import BackproveError, ShapeError
from backprove.notation.syntax import Node, parse

MAX_EXCHANGES = 160

_SUBSCRIPT = re.compile(r"([A-Za-zα-ωΑ-Ω]\w*)\[([^\[\],]+),([^\[\],]+)\]")
_SCRIPT = re.compile(r"(?<=[^\W_])_([a-z])([a-z])(?![a-z])")
_LETTER = re.compile(r"(?<=[\[,])\s*([a-z])\s*(?=[,\]])")
_ONE_SIZE = (
    "runs along axes of sizes",
    "runs along an axis of size",
    "does not fit",
    "broadcast",
    "has sizes",
)


def is_misfit(error: ShapeError, claim: str) -> bool:
    """Whether an error says that sizes of the claim do not meet: all else is no formula at all."""
    said = error.text.strip()
    return bool(said) and said in claim and any(words in error.message for words in _ONE_SIZE)


def judge_misfit(
    claim: str,
    error: ShapeError,
    holds: Callable[[str], bool],
    *,
    names: Sequence[str] = (),
    right: str | None = None,
) -> Verdict:
    """The verdict on a claim whose shapes do not fit.

    Args:
        claim: the claim.
        error: where its sizes do not meet.
        holds: whether another claim is right.
        names: the symbols.
        right: the right derivative as text.

    Returns:
        ``wrong``, with the exchange that makes it right, if there is one.
    """
    for edited, mistake, where in islice(_exchanges(claim, names), MAX_EXCHANGES):
        try:
            if not holds(edited):
                continue
        except BackproveError:
            continue
        return Verdict(
            "wrong",
            claim,
            f"Wrong: {_SAID[mistake]} ({where}): {error.message}.",
            "proved",
            mistake=mistake,
            where=where,
            fixed=edited,
            evidence="The sizes of the claim do not meet; no values could make it true.",
        )
    return Verdict(
        "wrong",
        claim,
        f"Wrong: the shapes do not fit, {error.message}.",
        "proved",
        mistake="wrong_shape",
        where=error.text[error.span.start : error.span.end] if error.span else None,
        fixed=right,
        evidence="The sizes of the claim do not meet; no values could make it true.",
    )


_SAID = {
    "transposed": "a factor is transposed",
    "wrong_order": "the factors stand in the wrong order",
    "wrong_axis": "an index stands on the wrong axis",
    "wrong_variable": "another variable is meant",
}


def _exchanges(claim: str, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """The claim with one exchange each, the name of the mistake that it undoes, and its place."""
    for found in _SUBSCRIPT.finditer(claim):
        name, first, second = found.groups()
        edited = claim[: found.start()] + f"{name}[{second.strip()},{first.strip()}]"
        yield edited + claim[found.end() :], "transposed", found.group()
    for found in _SCRIPT.finditer(claim):
        edited = claim[: found.start()] + f"_{found[2]}{found[1]}" + claim[found.end() :]
        if claim.find("=") < found.start():
            yield edited, "transposed", claim[found.start() - 1 : found.end()]
    left, equals, right = claim.partition("=")
    if not equals or right.startswith("=") or left.rstrip().endswith(("!", "<", ">")):
        left, equals, right = "", "", claim
    head = left + equals
    yield from _other_letters(claim, head, right)
    try:
        tree = parse(right)
    except BackproveError:
        return
    nodes = list(_nodes(tree))
    for node in nodes:
        text = right[node.span.start : node.span.end]
        before, after = head + right[: node.span.start], right[node.span.end :]
        if node.kind == "transpose":
            inner = node.children[0].span
            yield before + right[inner.start : inner.end] + after, "transposed", text
        elif node.kind == "name" and after[:2] != ".T" and after[:1] not in ("(", "["):
            yield f"{before}{text}.T{after}", "transposed", text
        elif node.parenthesised and after[:2] != ".T":
            yield f"{before}({text}).T{after}", "transposed", text
    for node in nodes:
        if node.kind == "binary" and node.value == "@":
            a, b = (right[c.span.start : c.span.end] for c in node.children)
            before, after = head + right[: node.span.start], right[node.span.end :]
            place = right[node.span.start : node.span.end]
            yield f"{before}({b}) @ ({a}){after}", "wrong_order", place
    for node in nodes:
        text = right[node.span.start : node.span.end]
        if node.kind == "name" and text in names:
            before, after = head + right[: node.span.start], right[node.span.end :]
            for other in names:
                if other != text:
                    yield f"{before}{other}{after}", "wrong_variable", text


def _other_letters(claim: str, head: str, right: str) -> Iterator[tuple[str, str, str]]:
    """One index replaced by another, or two exchanged in all of the right side."""
    letters = sorted(set(_LETTER.findall(claim)))
    for found in _LETTER.finditer(right):
        for letter in letters:
            if letter != found.group(1):
                edited = right[: found.start(1)] + letter + right[found.end(1) :]
                yield head + edited, "wrong_axis", f"index {found.group(1)}"
    for first, second in combinations(letters, 2):
        turned = {first: second, second: first}
        swapped = re.sub(rf"(?<![\w.])({first}|{second})(?!\w)", lambda m, t=turned: t[m[1]], right)
        if swapped != right:
            yield head + swapped, "wrong_axis", f"the indices {first}, {second}"


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)
