"""What a claim can lack: factors, terms and symbols taken from the question and from the claim."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from backprove import functions
from backprove.checking.places import FAILURES, Written
from backprove.checking.rough_values import Reader
from backprove.notation.index_tree import walk
from backprove.notation.syntax import Node, parse

MAX_FILLERS = 160
PLAIN = ("sum", "mean", "trace", "transpose", "reshape", "ravel", "flatten", "diag", "dot", "outer",
         "einsum", "concatenate", "stack", "matmul", "kron", "tril", "triu")  # fmt: skip
"""Calls that are linear in each argument."""

ARGUMENT = re.compile(r"(?<![\w.])x(?!\w)")
"""The argument in the text of a derivative of a named function."""


@dataclass(frozen=True)
class Filler:
    """A factor or term to try.

    Attributes:
        text: how it is written.
        value: its value, as the claim's own reader has it.
        origin: ``number``, ``size``, ``symbol``, ``delta``, ``mask``, ``slope`` (the derivative of
            a function in the question), ``link`` (of the root in a norm), ``question`` or
            ``claim`` (parts of their text).
    """

    text: str
    value: Any
    origin: str


def fillers(written: Written, question: str) -> list[Filler]:
    """Everything to try for a claim, the simplest first.

    Args:
        written: the claim.
        question: the text of the function; empty if there is none.
    """
    found: dict[str, Filler] = {}
    arrays = [*_arrays(written, question)]
    entries = _entries(written, arrays) if written.indices else arrays
    for filler in [*_numbers(written), *_deltas(written), *entries]:
        found.setdefault(filler.text, filler)
        if len(found) >= MAX_FILLERS:
            break
    return list(found.values())


def whole_arrays(written: Written, question: str) -> list[Filler]:
    """What may stand within the brackets of (W @ x + b)[i]; nothing for array text."""
    if not written.indices:
        return []
    wanted = ("symbol", "question")
    return [f for f in _arrays(written, question) if f.origin in wanted][:MAX_FILLERS]


def _numbers(written: Written) -> Iterator[Filler]:
    for number in (2, 3, 4):
        yield Filler(str(number), number, "number")
    for name, value in written.names.items():
        if isinstance(value, int):
            yield Filler(name, value, "size")
            yield Filler(f"sqrt({name})", np.sqrt(value), "size")
    products = [(n, v) for n, v in written.names.items() if isinstance(v, int)]
    for k, (first, a) in enumerate(products):
        for second, c in products[k + 1 :]:
            yield Filler(f"({first}*{second})", a * c, "size")


def _deltas(written: Written) -> Iterator[Filler]:
    letters = [i for i in written.sizes if i in written.indices or i in written.sizes]
    for k, first in enumerate(letters):
        for second in letters[k + 1 :]:
            if written.sizes[first] == written.sizes[second]:
                for relation, origin in (("==", "delta"), ("<=", "mask"), (">=", "mask")):
                    text = f"[{first}{relation}{second}]"
                    read = written.read(text)
                    if read is not None:
                        yield Filler(text, read[1], origin)


def _arrays(written: Written, question: str) -> Iterator[Filler]:
    """Symbols, the parts of the question, the slopes of its functions, the parts of the claim."""
    plain = Reader(written.names, {}, {})
    for name, value in written.names.items():
        if isinstance(value, int):
            continue
        yield Filler(name, value, "symbol")
        if np.ndim(value) == 2 and not written.indices:
            yield Filler(f"{name}.T", np.asarray(value).T, "symbol")
    for text, origin in [*_parts_of_question(question), *_parts_of_claim(written)]:
        try:
            value = plain.value(parse(text))
        except FAILURES:
            continue
        if isinstance(value, (tuple, str, slice)) or value is None:
            continue
        yield Filler(text, value, origin)
        if np.ndim(value) == 2 and not written.indices:
            yield Filler(f"({text}).T", np.asarray(value).T, origin)


def _parts_of_question(question: str) -> Iterator[tuple[str, str]]:
    if not question:
        return
    nodes = _formulas(parse(question))
    for node in nodes:
        if node.kind == "call" and node.value in functions.ELEMENTWISE:
            inner = [_text(question, c) for c in node.children]
            record = functions.ELEMENTWISE[str(node.value)]
            if len(inner) == 1:
                slope = ARGUMENT.sub(f"({inner[0]})", record.derivatives[0])
                yield f"({slope})", "slope"
                yield f"(1 - {_text(question, node)})", "slope"
                yield f"(1 - 2*{_text(question, node)})", "slope"
        elif node.kind == "call" and node.value in ("softmax", "max", "norm"):
            yield f"(1 - {_text(question, node)})", "slope"
            if node.value == "norm" and len(node.children) == 1:
                yield f"(1/(2*{_text(question, node)}))", "link"
            if node.value == "softmax":
                yield f"sum(exp({_text(question, node.children[0])}))", "question"
        elif node.kind == "call" and node.value in ("log_softmax", "logsumexp"):
            yield f"sum(exp({_text(question, node.children[0])}))", "question"
            yield f"softmax({_text(question, node.children[0])})", "question"
        elif node.kind == "binary" and node.value == "**":
            yield f"({_text(question, node.children[0])})", "slope"
    for node in nodes:
        if node.kind == "binary" and node.value == "-" and node.children[0].value == 1:
            inner = _text(question, node.children[1])
            yield f"({inner}*(1 - {inner}))", "spread"
    for node in nodes:
        text = _text(question, node)
        yield (text if node.kind in ("name", "call") else f"({text})"), "question"
        if node.kind == "call" and node.value in ("inv", "det"):
            yield (
                f"{text}**2" if node.value == "det" else _text(question, node.children[0]),
                "question",
            )


RULES = {
    "tanh": "(1 - {h}**2)",
    "sigmoid": "({h}*(1 - {h}))",
    "softplus": "(1 - exp(-{h}))",
    "relu": "({h} > 0)",
    "sqrt": "(1/(2*{h}))",
}
"""Slopes of functions by their own values, as they are remembered and confused."""


def other_rules(written: Written, question: str) -> list[tuple[Filler, Filler]]:
    """The slope by the rule of another function, and the right one, for each function called."""
    found: dict[str, tuple[Filler, Filler]] = {}
    plain = Reader(written.names, {}, {})
    for node in _formulas(parse(question)) if question else []:
        record = functions.ELEMENTWISE.get(str(node.value))
        if node.kind != "call" or record is None or len(node.children) != 1:
            continue
        own, inner = _text(question, node), _text(question, node.children[0])
        right = f"({ARGUMENT.sub(f'({inner})', record.derivatives[0])})"
        for other, rule in RULES.items():
            wrong = rule.format(h=own)
            if other == node.value or wrong in found:
                continue
            try:
                pair = [Filler(t, plain.value(parse(t)), "slope") for t in (wrong, right)]
            except FAILURES:
                continue
            found[wrong] = (pair[0], pair[1])
    pairs = list(found.values())
    if not written.indices:
        return pairs
    entries = [
        (list(_entries(written, [a])), list(_entries(written, [c])))
        for a, c in pairs
        if np.shape(a.value) == np.shape(c.value)
    ]
    return [both for first, second in entries for both in zip(first, second, strict=False)]


def inner_factors(question: str, wrt: str) -> frozenset[str]:
    """What multiplies the symbol within the argument of a function: links of the chain rule.

    >>> sorted(inner_factors("sum(tanh(W @ x + b))", "x"))
    ['W']
    """
    found: set[str] = set()

    def visit(node: Node, within: bool) -> None:
        within = within or (node.kind == "call" and node.value not in PLAIN)
        within = within or (node.kind == "binary" and node.value == "**")
        if within and node.kind == "binary" and node.value in ("*", "@", "/"):
            for one, other in (node.children, node.children[::-1]):
                names = {n.value for n in walk(other) if n.kind == "name"}
                if wrt in {n.value for n in walk(one) if n.kind == "name"} and wrt not in names:
                    found.add(_text(question, other))
        for child in node.children:
            visit(child, within)

    if question:
        visit(parse(question), False)
    return frozenset(found)


def _parts_of_claim(written: Written) -> Iterator[tuple[str, str]]:
    for node in _formulas(written.tree):
        text = _text(written.text, node)
        if node.kind in ("call", "binary", "unary") and not (
            written.indices
            and any(n.kind == "name" and n.value in written.sizes for n in walk(node))
        ):
            yield (text if node.kind == "call" else f"({text})"), "claim"
            if node.kind == "call" and node.value in ("tanh", "sigmoid", "softmax"):
                yield f"(1 - {text})", "claim"


def _formulas(node: Node) -> list[Node]:
    """The nodes that stand for values: no subscripts, options or shapes."""
    found = (
        [node] if node.kind in ("name", "call", "binary", "unary", "subscript", "transpose") else []
    )
    children = node.children
    if node.kind == "subscript":
        children = children[:1]
    elif node.kind == "call" and node.value in ("eye", "ones", "zeros", "einsum"):
        children = ()
    elif node.kind == "call" and node.value in ("reshape", "transpose"):
        children = children[:1]
    for child in children:
        if child.kind not in ("keyword", "string", "number", "slice", "none", "binder"):
            found += _formulas(child)
    return found


def _text(text: str, node: Node) -> str:
    return text[node.span.start : node.span.end].strip()


def _entries(written: Written, arrays: list[Filler]) -> Iterator[Filler]:
    """Entries of arrays with the claim's letters, wherever the sizes fit."""
    for filler in arrays:
        array = np.asarray(filler.value)
        if array.ndim == 0:
            yield filler
            continue
        if array.ndim > 2:
            continue
        simple = re.fullmatch(r"\w+|\w+\([^()]*\)", filler.text) is not None
        text = filler.text if simple or filler.text.startswith("(") else f"({filler.text})"
        for letters in permutations(written.sizes, array.ndim):
            if all(written.sizes[w] == s for w, s in zip(letters, array.shape, strict=True)):
                value = array[tuple(written.reader.letters[w] for w in letters)]
                yield Filler(f"{text}[{','.join(letters)}]", value, filler.origin)
