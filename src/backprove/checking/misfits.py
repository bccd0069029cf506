"""Claims whose shapes do not fit: wrong, and which exchange would make them right.

A factor that is transposed, factors in the wrong order or an index on the wrong axis often leave a
formula whose sizes do not meet. Nothing can be computed from it, but it says what it says, and that
is not the derivative. Each exchange that makes it right names the mistake.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from backprove.checking.verdict import Verdict
from backprove.errors import BackproveError, ShapeError
from backprove.notation.syntax import Node, parse

MAX_EXCHANGES = 80
MAX_SECONDS = 1.5  # of processor time

_SUBSCRIPT = re.compile(r"([A-Za-zα-ωΑ-Ω]\w*)\[([^\[\],]+),([^\[\],]+)\]")
_ONE_SIZE = ("runs along axes of sizes", "runs along an axis of size", "does not fit", "broadcast")


def is_misfit(error: ShapeError, claim: str) -> bool:
    """Whether an error says that sizes of the claim do not meet: all else is no formula at all."""
    said = error.text.strip()
    return bool(said) and said in claim and any(words in error.message for words in _ONE_SIZE)


def judge_misfit(claim: str, error: ShapeError, judge: Callable[[str], Verdict]) -> Verdict:
    """The verdict on a claim whose shapes do not fit.

    Args:
        claim: the claim.
        error: where its sizes do not meet.
        judge: judges a claim that may fit.

    Returns:
        ``wrong``, with the exchange that makes it right, if there is one.
    """
    begin = time.process_time()
    for number, (edited, mistake, where) in enumerate(_exchanges(claim)):
        if number >= MAX_EXCHANGES or time.process_time() - begin > MAX_SECONDS:
            break
        try:
            verdict = judge(edited)
        except BackproveError:
            continue
        if verdict.kind == "right":
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
        evidence="The sizes of the claim do not meet; no values could make it true.",
    )


_SAID = {
    "transposed": "a factor is transposed",
    "wrong_order": "the factors stand in the wrong order",
    "wrong_axis": "an index stands on the wrong axis",
}


def _exchanges(claim: str) -> Iterator[tuple[str, str, str]]:
    """The claim with one exchange each, the name of the mistake that it undoes, and its place."""
    for found in _SUBSCRIPT.finditer(claim):
        name, first, second = found.groups()
        edited = claim[: found.start()] + f"{name}[{second.strip()},{first.strip()}]"
        yield edited + claim[found.end() :], "transposed", found.group()
    left, equals, right = claim.partition("=")
    if not equals or right.startswith("=") or left.rstrip().endswith(("!", "<", ">")):
        left, equals, right = "", "", claim
    head = left + equals
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
    for found in re.finditer(r"(?<=[\[,])\s*([a-z])\s*(?=[,\]])", claim):
        for letter in sorted(set(re.findall(r"(?<=[\[,])\s*([a-z])\s*(?=[,\]])", claim))):
            if letter != found.group(1):
                edited = claim[: found.start()] + letter + claim[found.end() :]
                yield edited, "wrong_axis", f"index {found.group(1)}"


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)
