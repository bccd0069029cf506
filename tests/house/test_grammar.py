"""Sentences made from the grammar of the documents are read by the readers of backprove."""

from __future__ import annotations

import random
import re
from functools import cache
from pathlib import Path

import pytest

from backprove.errors import NotationError
from backprove.notation.claims import classify_claim
from backprove.notation.expressions import DOMAINS
from backprove.notation.shapes import parse_shape
from backprove.notation.syntax import parse
from backprove.worksheets.document import read_block
from backprove.worksheets.source import Source
from backprove.worksheets.statements import STATEMENTS, read_statement

GRAMMAR = Path(__file__).parents[2] / "docs" / "reference" / "grammar.ebnf"
SENTENCES = 150
_WORD = re.compile(r'"([^"]*)"|\?([^?]*)\?|(\w+)|([{}\[\]()|,])')

Tree = tuple[str, object]
_OPENING = {"{": ("}", "many"), "[": ("]", "maybe"), "(": (")", "group")}


@cache
def rules() -> dict[str, Tree]:
    """The grammar as trees: choices of sequences of parts."""
    text = re.sub(r"\(\*.*?\*\)", "", GRAMMAR.read_text(encoding="utf-8"), flags=re.S)
    found = {}
    for name, body in re.findall(r"(\w+)\s*=((?:\"[^\"]*\"|[^;\"])*);", text):
        words = [match.groups() for match in _WORD.finditer(body)]
        tree, rest = _choices(words)
        assert not rest, f"{name}: a bracket closes nothing"
        found[name] = tree
    return found


def _choices(words: list[tuple]) -> tuple[Tree, list[tuple]]:
    choices: list[list[Tree]] = [[]]
    while words:
        (literal, said, name, sign), words = words[0], words[1:]
        if sign == "|":
            choices.append([])
        elif sign in _OPENING:
            close, kind = _OPENING[sign]
            inner, words = _choices(words)
            assert words and words[0][3] == close, f"'{sign}' is never closed"
            words = words[1:]
            choices[-1].append((kind, inner))
        elif sign in ("}", "]", ")"):
            return ("choice", choices), [(literal, said, name, sign), *words]
        elif name:
            choices[-1].append(("rule", name))
        elif said is not None:
            choices[-1].append(("said", said))
        elif literal is not None:
            choices[-1].append(("text", literal))
    return ("choice", choices), []


def sentence(tree: Tree, chance: random.Random, depth: int = 0) -> str:
    """A sentence; deep down the shortest way is taken."""
    kind, what = tree
    if kind == "text":
        return str(what)
    if kind == "rule":
        return sentence(rules()[str(what)], chance, depth + 1)
    if kind in ("many", "maybe"):
        times = chance.randint(0, 2 if kind == "many" else 1) if depth < 24 else 0
        return "".join(sentence(what, chance, depth + 1) for _ in range(times))
    if kind == "group":
        return sentence(what, chance, depth + 1)
    possible = [parts for parts in what if not any(part[0] == "said" for part in parts)]
    if depth > 24:
        possible = possible[:1] if ("rule", "number") in possible[0] else sorted(possible, key=len)
        possible = possible[:1]
    return "".join(sentence(part, chance, depth + 1) for part in chance.choice(possible))


def sentences(name: str) -> list[str]:
    chance = random.Random(name)
    return [sentence(("rule", name), chance) for _ in range(SENTENCES)]


def test_every_name_that_the_grammar_uses_is_defined_in_it() -> None:
    text = GRAMMAR.read_text(encoding="utf-8")
    used = set(re.findall(r"\b[a-z_]+\b", re.sub(r'"[^"]*"|\?[^?]*\?|\(\*.*?\*\)', "", text)))
    assert used - set(rules()) <= {"newline", "fence", "keyword", "comment"}


def test_expressions_of_the_grammar_are_read() -> None:
    for text in sentences("expression"):
        parse(text)


def test_shapes_of_the_grammar_are_read() -> None:
    for text in sentences("shape"):
        parse_shape(text)


def test_the_grammar_has_every_domain() -> None:
    choices = [parts for name in ("plain", "simplex", "square") for parts in rules()[name][1]]
    assert sorted(parts[0][1] for parts in choices) == sorted(DOMAINS)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ("index_claim", "index"),
        ("shape_claim", "shape"),
        ("structure", "structure"),
        ("vjp", "vjp"),
        ("equality", "equality"),
        ("path", "path"),
        ("value", "value"),
    ],
)
def test_claims_of_the_grammar_are_of_their_kind(rule: str, kind: str) -> None:
    for text in sentences(rule):
        assert classify_claim(text).kind == kind, text


@pytest.mark.parametrize("rule", ["let", "derive", "claim_line", "graph", "question"])
def test_statements_of_the_grammar_are_read(rule: str) -> None:
    for text in sentences(rule):
        names = re.findall(r"(\w+): ", text)
        if len(names) > len(set(names)):
            continue
        (part,) = read_block(Source(text))
        assert read_statement(part.piece).keyword == rule.removesuffix("_line")
    assert rule.removesuffix("_line") in STATEMENTS


@pytest.mark.parametrize("text", ["x +* y", "(x", "x y", "f(x", "x[", "x.T.", "1..2", "= x"])
def test_what_the_grammar_does_not_make_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse(text)
