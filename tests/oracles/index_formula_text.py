"""Reading index formulas: words, syntax trees, and questions about trees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Tree = tuple[Any, ...]

RELATIONS = ("==", "=", "!=", "<", "<=", ">", ">=")
_WORD = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[^\W\d][\w']*)"
    r"|(?P<op>\*\*|//|==|!=|<=|>=|\.T\b|[-+*/@^<>=()\[\]{},]))"
)
_SPELLINGS = {
    "·": "*", "⋅": "*", "×": "*", "−": "-", "²": "**2", "³": "**3", "ᵀ": ".T", "^": "**",
    "≤": "<=", "≥": ">=", "≠": "!=",
}  # fmt: skip
_SAME_NAME = {"δ": "delta", "Σ": "sum", "σ": "sigmoid", "ln": "log", "swish": "silu"}


class FormulaError(Exception):
    """The formula is not in the language, or a value is missing."""


def parse(formula: str) -> tuple[str, tuple[str, ...], Tree]:
    """Name and indices of the left-hand side (empty without one), and the right-hand side."""
    for spelling, plain in _SPELLINGS.items():
        formula = formula.replace(spelling, plain)
    left = re.fullmatch(r"\s*([^\W\d]\w*)\s*(?:\[([\w\s,]*)\])?\s*=(?!=)(.*)", formula, re.DOTALL)
    name, indices = "", ()
    if left:
        name, formula = left.group(1), left.group(3)
        indices = tuple((left.group(2) or "").replace(",", " ").split())
        if not left.group(2) and "_" in name:
            name, _, letters = name.partition("_")
            indices = tuple(letters)
    return name, indices, _Parser(formula).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.words: list[tuple[str, str]] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            found = _WORD.match(text, at)
            if found is None:
                raise FormulaError(f"cannot read {text[at:]!r}")
            self.words.append((found.lastgroup or "", found.group(found.lastgroup or "")))
            at = found.end()
        self.at = 0

    def peek(self) -> str:
        return self.words[self.at][1] if self.at < len(self.words) else ""

    def take(self, *allowed: str) -> str:
        word = self.peek()
        if allowed and word not in allowed:
            raise FormulaError(f"expected {' or '.join(allowed)}, found {word or 'the end'!r}")
        self.at += 1
        return word

    def whole(self) -> Tree:
        tree = self.comparison()
        if self.peek():
            raise FormulaError(f"unexpected {self.peek()!r}")
        return tree

    def comparison(self, relations: Sequence[str] = RELATIONS) -> Tree:
        tree = self.sum()
        if self.peek() in relations:
            relation = self.take()
            tree = ("compare", relation, tree, self.sum())
        return tree

    def sum(self) -> Tree:
        tree = self.term()
        while self.peek() in ("+", "-"):
            tree = (self.take(), tree, self.term())
        return tree

    def term(self) -> Tree:
        tree = self.signed()
        while self.peek() in ("*", "/", "//", "@"):
            tree = (self.take(), tree, self.signed())
        return tree

    def signed(self) -> Tree:
        if self.peek() == "-":
            self.take()
            return ("-", ("number", 0.0), self.signed())
        return self.power()

    def power(self) -> Tree:
        base = self.subscripted()
        if self.peek() == "**":
            self.take()
            return ("**", base, self.signed())
        return base

    def subscripted(self) -> Tree:
        tree = self.atom()
        while self.peek() in ("[", ".T"):
            if self.take() == ".T":
                tree = ("transpose", tree)
            else:
                tree = ("subscript", tree, self.listed("]"))
        return tree

    def listed(self, closing: str) -> tuple[Tree, ...]:
        items: list[Tree] = []
        while self.peek() != closing:
            items.append(self.comparison())
            if self.peek() != closing:
                self.take(",")
        self.take(closing)
        return tuple(items)

    def atom(self) -> Tree:
        if self.at >= len(self.words):
            raise FormulaError("unexpected end")
        kind, word = self.words[self.at]
        self.at += 1
        if kind == "number":
            return ("number", float(word))
        if kind == "name":
            word = _SAME_NAME.get(word, word)
            if word.startswith("Σ_") or (word.endswith("_") and self.peek() == "{"):
                return self.binder(word)
            if self.peek() == "(":
                self.take()
                return ("call", word, self.listed(")"))
            return ("name", word)
        if word == "(":
            tree = self.comparison()
            self.take(")")
            return tree
        if word == "[":
            (tree,) = self.listed("]")
            if tree[0] != "compare":
                raise FormulaError("a bracket holds a comparison")
            return tree
        raise FormulaError(f"unexpected {word!r}")

    def binder(self, word: str) -> Tree:
        """``Σ_j`` or ``Σ_{j,k}`` before a product, ``softmax_{k}(...)`` of a vector over k."""
        kind, _, letters = word.partition("_")
        names = tuple(("name", letter) for letter in letters)
        if not letters:
            self.take("{")
            names = self.listed("}")
        if kind == "Σ":
            return ("call", "sum", (*names, self.term()))
        self.take("(")
        (body,) = self.listed(")")
        return ("bind", kind, (*names, body))


def bound_by(tree: Tree) -> tuple[str, ...]:
    """The indices that ``sum(m, n, body)`` or ``softmax_{k}(body)`` binds."""
    if tree[0] != "bind" and (tree[:2] != ("call", "sum") or len(tree[2]) < 2):
        return ()
    names = tree[2][:-1]
    if any(name[0] != "name" for name in names):
        raise FormulaError("sum(m, body) needs index names before its body")
    return tuple(name[1] for name in names)


def subscript_of(tree: Tree, known: Mapping[str, Any]) -> tuple[Tree, tuple[Tree, ...]] | None:
    """Base and places of ``X[i,l]`` or ``X_il``; None of anything else."""
    if tree[0] == "subscript":
        return tree[1], tree[2]
    if tree[0] == "name" and "_" in tree[1] and tree[1] not in known:
        base, _, letters = tree[1].partition("_")
        return ("name", _SAME_NAME.get(base, base)), tuple(("name", letter) for letter in letters)
    return None


def parts_of(tree: Tree) -> list[Tree]:
    parts: list[Tree] = []
    for item in tree[1:]:
        if isinstance(item, tuple) and item:
            parts.extend([item] if isinstance(item[0], str) else item)
    return parts


def names_in(tree: Tree) -> set[str]:
    found = {tree[1]} if tree[0] == "name" else set()
    return found.union(*(names_in(part) for part in parts_of(tree)))
