"""Wrong claims that would be right if entries were counted from another number."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from backprove.checking.verdict import Verdict
from backprove.errors import InputError
from backprove.notation.expressions import Array
from backprove.notation.latex_reader import latex_to_text

_COMMANDS = {
    "==": "=",
    "<=": r"\le ",
    ">=": r"\ge ",
    "!=": r"\ne ",
    "δ": r"\delta ",
    "Σ": r"\sum ",
    "∑": r"\sum ",
    "·": r"\, ",
    "∂": r"\partial ",
}
_SUBSCRIPT = re.compile(r"[A-Za-zδΣ∑]_")


def with_other_count(
    claim: str,
    verdict: Verdict,
    symbols: Mapping[str, Array],
    judge: Callable[[str], Verdict],
    latex: bool,
) -> Verdict:
    """The verdict; that of a wrong claim says so if it holds with entries counted otherwise.

    Args:
        claim: the claim as it is written.
        verdict: its verdict in the usual count: entries from 0 in text, from 1 in LaTeX.
        symbols: the declared symbols by name.
        judge: the verdict on a claim in text.
        latex: whether the claim is LaTeX; of claims in text, those with subscripts are read.
    """
    if verdict.kind != "wrong" or not (latex or _SUBSCRIPT.search(claim)):
        return verdict
    written = claim if latex else _in_latex(claim)
    try:
        usual, other = (latex_to_text(written, symbols, first=k).text for k in (1, 0))
        if usual == other:
            return verdict
        found = judge(other if latex else usual)
    except InputError:
        return verdict
    if found.kind not in ("right", "right_under"):
        return verdict
    here, there = ("LaTeX", 0) if latex else ("text", 1)
    verdict.message += (
        f" It would be right if entries were counted from {there}; in {here} they are counted "
        f"from {1 - there}."
    )
    return verdict


def _in_latex(text: str) -> str:
    for sign, command in _COMMANDS.items():
        text = text.replace(sign, command)
    return text
