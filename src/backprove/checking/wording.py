"""What is said to a person whose claim is wrong: what, where, and how it is put right."""

from __future__ import annotations

import re

from backprove.checking.trial import Mistake
from backprove.checking.verdict import MISTAKES

MAX_REPAIR = 90
"""Longer repairs stand below the message, not in it."""

_SAYINGS = {
    "sign": "the sign of {} is wrong",
    "missing_term": "the term {} is missing",
    "extra_term": "the term {} is too many",
    "transposed": "{} is transposed",
    "missing_chain": "{} is missing, a link of the chain rule",
    "missing_path": "{} is missing: the variable reaches the output on several paths",
    "missing_delta": "the delta {} is missing",
    "missing_factor": "the factor {} is missing",
    "extra_factor": "the factor {} is too many",
    "missing_sum": "a sum is missing at {}",
    "missing_normalizer": "the normalising factor is missing: a division by {}",
    "wrong_delta": "a delta joins the wrong indices: {}",
    "wrong_function": "another function is meant than {}",
    "wrong_variable": "another variable is meant than {}",
    "wrong_axis": "{} stands on the wrong axis",
    "wrong_order": "the factors of {} stand in the wrong order",
    "scalar_rule": "a rule for scalars was used at {}, where it does not hold",
}
_PATH = re.compile(r"^the paths? through ")


def sentence(mistake: Mistake, fixed: str | None) -> str:
    """One sentence about a mistake, with the repair if it is short.

    >>> sentence(Mistake("missing_factor", "the factor 2", None), "2*x")
    'Wrong: the factor 2 is missing; right is 2*x.'
    """
    said = _said(mistake.name, _unwrapped(mistake.where))
    repair = f"; right is {fixed}" if fixed and len(fixed) <= MAX_REPAIR else ""
    return f"Wrong: {said}{repair}."


def _said(name: str, where: str) -> str:
    saying = _SAYINGS.get(name)
    if saying is None or not where or where.startswith(("right only", "entries ", "the entries")):
        return f"{MISTAKES[name]} ({where})" if where else MISTAKES[name]
    if where.startswith("the rule holds"):
        return f"{MISTAKES[name]}: {where}"
    if _PATH.match(where):
        return _said_of_path(name, where)
    if name == "missing_normalizer" and where in ("sum", "the function sum"):
        return "a mean is meant: the division of the sum by the number of its terms is missing"
    if name == "missing_normalizer" and where.startswith("the factor"):
        return f"{where} is missing"
    if where.startswith(("all of the ", "the indices ")):
        saying = saying.replace("{} stands", "{} stand").replace("{} is", "{} are")
    noun = saying.split("{}")[0].split()
    if noun and where.startswith((f"the {noun[-1]} ", "the number ", "the whole", "all of it")):
        # "the factor the factor 2" says it twice.
        saying = saying.replace(f"the {noun[-1]} {{}}", "{}")
    return saying.format(where)


def _said_of_path(name: str, where: str) -> str:
    inner = _PATH.sub("", where)
    if name == "missing_chain":
        return f"the derivative of {inner} is missing, a link of the chain rule"
    if name == "missing_term":
        return f"the term that comes from {inner} is missing"
    if name == "missing_path":
        return f"{where} is missing: the variable reaches the output on several paths"
    if name in ("missing_factor", "missing_normalizer"):
        return f"a factor is missing, which comes from {inner}"
    return f"{MISTAKES[name]} ({where})"


def _unwrapped(where: str) -> str:
    """The place without parentheses around all of it."""
    while where.startswith("(") and where.endswith(")") and _closes_last(where):
        where = where[1:-1]
    return where


def _closes_last(text: str) -> bool:
    depth = 0
    for k, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return k == len(text) - 1
    return False
