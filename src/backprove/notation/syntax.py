"""From text to a syntax tree: numpy-like expressions and index claims share one grammar.

Nothing is evaluated. Every node keeps its place in the text, so that a later error (a shape that
does not fit) can still point at it. Limits on length, nesting and numbers keep hostile text cheap.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

from backprove.errors import NotationError, Span
from backprove.notation.effort import spend

MAX_LENGTH = 60_000
MAX_DEPTH = 2_500
MAX_NUMBER_LENGTH = 40

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|\b(?:(?:np|numpy|jnp|jax\.numpy)\.(?:linalg\.)?|jax\.nn\.)(?=[a-z]))
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<name>[^\W\d²³ᵀ][^\W²³ᵀ]*)
  | (?P<string>"[^"\n]*"|'[^'\n]*')
  | (?P<op>\*\*|//|==|!=|<=|>=|\.T\b|\.|[-+*/@^<>=()\[\],:;·⋅×⊙−≤≥≠²³ᵀ⊤{}∑∂≈])
    """,
    re.VERBOSE,
)
_SAME = {
    "·": "*",
    "⋅": "*",
    "×": "*",
    "⊙": "*",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "^": "**",
    "ᵀ": ".T",
    "⊤": ".T",
}

_LANGUAGE = "Expressions use names, numbers, + - * / ** @ and functions such as exp(x)."
_NORM = "Write norm(x) for the length of a vector, abs(x) for that of each entry."
_SIGNS = {
    "'": "A transpose is x.T; what to differentiate by is said beside the expression.",
    "′": "A transpose is x.T; what to differentiate by is said beside the expression.",
    "|": _NORM,
    "‖": _NORM,
    "√": "Write sqrt(x).",
    "÷": "Write x / y.",
    "∘": "Write x * y for the product of entries.",
    "⊗": "Write kron(A, B), or outer(x, y).",
    "∇": "Write the function alone; what to differentiate by is said beside it.",
}


@dataclass(frozen=True)
class Token:
    """A word of the text: its kind (``number``, ``name``, ``string``, ``op``, ``end``)."""

    kind: str
    text: str
    span: Span


@dataclass(frozen=True)
class Node:
    """A node of the syntax tree.

    ``kind`` is one of ``number``, ``name``, ``string``, ``unary``, ``binary``, ``compare``,
    ``call``, ``keyword``, ``transpose``, ``subscript``, ``slice``, ``list``, ``tuple``, ``none``.
    ``value`` is the number, the name or the operator.
    """

    kind: str
    span: Span
    value: str | Fraction = ""
    children: tuple[Node, ...] = ()
    parenthesised: bool = field(default=False, compare=False)


def tokenize(text: str) -> list[Token]:
    """The words of a text.

    Raises:
        NotationError: the text is too long or holds a character outside of the language.
    """
    if len(text) > MAX_LENGTH:
        raise NotationError(
            f"the expression has {len(text):,} characters; at most {MAX_LENGTH:,} are read",
            text=text,
            span=Span(0, 1),
            hint="Split it into named parts.",
        )
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotationError(
                f"unexpected character {text[at]!r}",
                text=text,
                span=Span(at, at + 1),
                hint=_SIGNS.get(text[at], _LANGUAGE),
            )
        kind = found.lastgroup or ""
        word = found.group()
        if kind != "space":
            tokens.append(Token(kind, _SAME.get(word, word), Span(at, found.end())))
        at = found.end()
    tokens.append(Token("end", "", Span(len(text), len(text))))
    return tokens


def parse(text: str) -> Node:
    """The syntax tree of one expression.

    Raises:
        NotationError: the text is no expression; the error has the position.

    >>> parse("x + 2*y").value
    '+'
    """
    parser = Parser(text)
    with deep_recursion():
        node = parser.expression()
    parser.expect_end()
    return node


@contextmanager
def deep_recursion(limit: int = 60_000) -> Iterator[None]:
    """Allow deeply nested (but bounded) text to be read by recursive functions."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, limit))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


_COMPARE = {"==", "!=", "<", "<=", ">", ">="}
_ADDITIVE = {"+", "-"}
_PRODUCT = {"*", "/", "//", "@"}


class Parser:
    """Recursive descent over the tokens of ``text``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        spend(len(self.tokens) // 8)
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The word that comes next."""
        return self.tokens[self.position]

    def fail(self, message: str, span: Span | None = None, hint: str = "") -> NotationError:
        """An error at the next word (or at ``span``)."""
        return NotationError(message, text=self.text, span=span or self.token.span, hint=hint)

    def accept(self, *words: str) -> Token | None:
        """The next word if it is an operator among ``words``, which is then consumed."""
        token = self.token
        if token.kind == "op" and token.text in words:
            self.position += 1
            return token
        return None

    def expect(self, word: str, opened: Token | None = None) -> Token:
        """Consume ``word`` or fail; ``opened`` is the bracket that it closes."""
        token = self.accept(word)
        if token is None:
            if opened is not None:
                raise self.fail(
                    f"'{opened.text}' is never closed; expected '{word}'"
                    + (f" before '{self.token.text}'" if self.token.text else ""),
                    opened.span,
                    f"Add the missing '{word}'.",
                )
            found = f"found '{self.token.text}'" if self.token.text else "the text ends"
            raise self.fail(f"expected '{word}', but {found}")
        return token

    def expect_end(self) -> None:
        """Fail unless all words are consumed."""
        token = self.token
        if token.kind != "end":
            if token.text in (")", "]"):
                raise self.fail(f"'{token.text}' closes nothing", hint="Remove it.")
            before = self.tokens[self.position - 1]
            hint = "Write products with '*' (of entries) or '@' (of matrices), as in 2*x."
            if token.text == "=":
                hint = "Write the expression alone, without 'f ='."
            elif "^T" in self.text:
                hint = "Write x.T @ y for a transpose; in LaTeX the transpose is ^\\top."
            elif before.kind == token.kind == "name":
                one, other = before.text, token.text
                hint = f"Write {one}(...) for a function, {one} * {other} or {one} @ {other} else."
            raise self.fail(f"unexpected '{token.text}' after the end of the expression", hint=hint)

    def expression(self) -> Node:
        """A comparison, or anything that binds tighter."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"nested deeper than {MAX_DEPTH} levels", hint="Name the inner parts.")
        left = self._sum()
        while self.token.kind == "op" and self.token.text in _COMPARE:
            operator = self.tokens[self.position]
            self.position += 1
            right = self._sum()
            left = _join("compare", operator.text, left, right)
        self.depth -= 1
        return left

    def _sum(self) -> Node:
        left = self._product()
        while (operator := self.accept(*_ADDITIVE)) is not None:
            left = _join("binary", operator.text, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        while (operator := self.accept(*_PRODUCT)) is not None:
            left = _join("binary", operator.text, left, self._unary())
        return left

    def _unary(self) -> Node:
        signs: list[Token] = []
        while (operator := self.accept("+", "-")) is not None:
            signs.append(operator)
        node = self._power()
        if sum(sign.text == "-" for sign in signs) % 2:
            node = Node("unary", Span(signs[0].span.start, node.span.end), "-", (node,))
        return node

    def _power(self) -> Node:
        base = self._postfix()
        if self.accept("**"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise self.fail(f"nested deeper than {MAX_DEPTH} levels")
            exponent = self._unary()
            self.depth -= 1
            return _join("binary", "**", base, exponent)
        return base

    def _postfix(self) -> Node:
        node = self._atom()
        while True:
            token = self.token
            if self.accept(".T"):
                node = Node("transpose", Span(node.span.start, token.span.end), "T", (node,))
            elif self.accept("²", "³"):
                power = Node("number", token.span, Fraction(2 if token.text == "²" else 3))
                node = _join("binary", "**", node, power)
            elif self.accept("["):
                items = self._items("]", token, slices=True)
                span = Span(node.span.start, self.tokens[self.position - 1].span.end)
                node = Node("subscript", span, "", (node, *items))
            elif self.accept("."):
                node = self._method(node)
            else:
                return node

    def _method(self, receiver: Node) -> Node:
        name = self.token
        if name.kind != "name":
            raise self.fail("expected a name after '.'")
        self.position += 1
        opened = self.token
        if not self.accept("("):
            raise self.fail(
                f"'.{name.text}' is not supported",
                name.span,
                "Attributes: .T; methods such as x.sum(axis=0) and x.reshape(...).",
            )
        items = self._items(")", opened)
        span = Span(receiver.span.start, self.tokens[self.position - 1].span.end)
        return Node("call", span, name.text, (receiver, *items))

    def _atom(self) -> Node:
        token = self.token
        if token.kind == "number":
            self.position += 1
            return Node("number", token.span, self._number(token))
        if token.kind == "string":
            self.position += 1
            return Node("string", token.span, token.text[1:-1])
        if token.kind == "name":
            self.position += 1
            opened = self.token
            if self.accept("("):
                items = self._items(")", opened)
                span = Span(token.span.start, self.tokens[self.position - 1].span.end)
                return Node("call", span, token.text, tuple(items))
            return Node("name", token.span, token.text)
        if self.accept("("):
            return self._parenthesis(token)
        if self.accept("["):
            items = self._items("]", token)
            span = Span(token.span.start, self.tokens[self.position - 1].span.end)
            return Node("list", span, "", tuple(items))
        if token.kind == "end":
            raise self.fail(
                "the expression is empty" if not self.position else "the expression ends too early",
                hint="A number, a name or '(' must follow.",
            )
        raise self.fail(f"expected a number, a name or '(', found '{token.text}'")

    def _number(self, token: Token) -> Fraction:
        mantissa, _, exponent = token.text.lower().partition("e")
        if len(token.text) > MAX_NUMBER_LENGTH or (exponent and abs(int(exponent)) > 400):
            raise self.fail(
                f"the number has {len(token.text)} characters or is out of range",
                token.span,
                f"At most {MAX_NUMBER_LENGTH} characters and exponents up to 400 are read.",
            )
        return Fraction(token.text if exponent else mantissa)

    def _parenthesis(self, opened: Token) -> Node:
        if self.accept(")"):
            return Node("tuple", Span(opened.span.start, self.tokens[self.position - 1].span.end))
        first = self.expression()
        if self.token.text == "," and self.token.kind == "op":
            items = [first]
            while self.accept(","):
                if self.token.text == ")":
                    break
                items.append(self.expression())
            close = self.expect(")", opened)
            return Node("tuple", Span(opened.span.start, close.span.end), "", tuple(items))
        close = self.expect(")", opened)
        span = Span(opened.span.start, close.span.end)
        return Node(first.kind, span, first.value, first.children, parenthesised=True)

    def _items(self, close: str, opened: Token, *, slices: bool = False) -> list[Node]:
        items: list[Node] = []
        while not (self.token.kind == "op" and self.token.text == close):
            if self.token.kind == "end":
                self.expect(close, opened)
            items.append(self._slice() if slices else self._argument())
            if not self.accept(","):
                break
        self.expect(close, opened)
        return items

    def _argument(self) -> Node:
        token, after = self.token, self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        if token.kind == "name" and after.kind == "op" and after.text == "=":
            self.position += 2
            value = self.expression()
            return Node("keyword", Span(token.span.start, value.span.end), token.text, (value,))
        return self.expression()

    def _slice(self) -> Node:
        start = self.token.span.start
        parts: list[Node | None] = [None]
        colons = 0
        while True:
            if self.accept(":"):
                colons += 1
                parts.append(None)
                if colons > 2:
                    raise self.fail("a slice has at most two colons, as in x[start:stop:step]")
            elif self.token.text in (",", "]") and self.token.kind == "op":
                break
            elif parts[-1] is None:
                parts[-1] = self.expression()
            else:
                break
        if colons == 0:
            if parts[0] is None:
                raise self.fail("expected an index or a slice")
            return parts[0]
        end = self.tokens[self.position - 1].span.end
        none = Node("none", Span(start, start))
        filled = tuple(p or none for p in [*parts, None, None][:3])
        return Node("slice", Span(start, end), "", filled)


def _join(kind: str, operator: str, left: Node, right: Node) -> Node:
    return Node(kind, Span(left.span.start, right.span.end), operator, (left, right))
