"""The grammar of index formulas: what :mod:`syntax` reads, and subscripts, Σ, δ and brackets.

``X_il δ_jk``, ``X[i,l]*[j==k]`` and ``X_{il} · 1[j=k]`` are one tree. Letters after ``_`` are split
by the rank of the symbol; a product may be written by putting its factors side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from backprove import functions
from backprove.errors import Span
from backprove.notation.definitions import SUFFIX_WORDS
from backprove.notation.expressions import BINDERS
from backprove.notation.lowering import FUNCTIONS
from backprove.notation.syntax import Node, Parser, Token

DELTAS = ("delta", "δ", "I")
SUMS = ("Σ", "∑", "sum")
BOUND_KINDS = ("sum", "mean", *BINDERS)
_LETTER = re.compile(r"[^\W\d_]\d*|\d+|_")


@dataclass(frozen=True)
class Left:
    """The left side of a formula: its name and its indices.

    Attributes:
        name: ``J``, ``grad``, ``dW``, ...; ``J`` for ``∂f_i/∂x_j``; empty if there is no left side.
        indices: the index letters with their places.
        quotient: the two names of ``∂f_i/∂x_j``.
        span: where the left side stands.
    """

    name: str
    indices: tuple[tuple[str, Span], ...]
    span: Span
    quotient: tuple[str, str] | None = None


class IndexParser(Parser):
    """Recursive descent for index formulas.

    Args:
        text: the formula.
        ranks: the number of axes of every declared symbol.
    """

    def __init__(self, text: str, ranks: Mapping[str, int]) -> None:
        super().__init__(text)
        self.ranks = ranks
        self.juxtaposed: set[tuple[Span, Span]] = set()
        self._inside_subscript = False

    # --- the whole formula ------------------------------------------------------------------

    def formula(self) -> tuple[Left, Node]:
        """The left side and the body of a formula."""
        equals = self.top_level("=")
        left = Left("", (), Span(0, 0))
        if not equals and len(self.top_level("==")) == 1:
            equals = self.top_level("==") if self._left_like(self.top_level("==")[0]) else []
        if len(equals) > 1:
            raise self.fail(
                "a formula has one '='",
                self.tokens[equals[1]].span,
                "Write one claim per line; indices are compared inside brackets, as in [j=k].",
            )
        if equals:
            left = self.left_side(equals[0])
            self.position = equals[0] + 1
        body = self.expression()
        self.expect_end()
        return left, body

    def top_level(self, word: str) -> list[int]:
        """The positions of an operator outside of all brackets."""
        depth, found = 0, []
        for position, token in enumerate(self.tokens):
            if token.kind == "op":
                depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
                if token.text == word and depth == 0:
                    found.append(position)
        return found

    def _left_like(self, end: int) -> bool:
        first = self.tokens[0]
        return end > 1 and first.kind == "name" and first.text.split("_")[0] not in self.ranks

    def left_side(self, end: int) -> Left:
        """The left side, which ends before the token at ``end``."""
        self.position = 0
        if end == 0:
            raise self.fail("there is nothing to the left of '='", hint="Write J[i,j] = ...")
        upper = self._left_item("d")
        quotient = None
        if self.accept("/"):
            lower = self._left_item("d")
            indices = upper[1] + lower[1]
            for head in (upper[0], lower[0]):
                if not head.startswith("d"):
                    raise self.fail(
                        f"'{head}' is no differential",
                        self.tokens[0].span,
                        "Write the derivative as df_i/dx_j or ∂f_i/∂x_j.",
                    )
            quotient = (upper[0][1:], lower[0][1:])
            name = "J"
        else:
            name, indices = upper
        if self.position != end:
            raise self.fail(
                f"unexpected '{self.token.text}' to the left of '='",
                hint="The left side is a name with indices, as in J[i,j,k,l] or J_ijkl.",
            )
        self._check_distinct(indices, quotient)
        span = Span(self.tokens[0].span.start, self.tokens[end - 1].span.end)
        return Left(name, tuple(indices), span, quotient)

    def _left_item(self, differential: str) -> tuple[str, list[tuple[str, Span]]]:
        partial = self.accept("∂") is not None
        token = self.token
        if token.kind != "name":
            raise self.fail(
                f"the left side is not a name: found '{token.text}'", hint="Write J[i,j] = ..."
            )
        self.position += 1
        head, tail = token.text, ""
        if "_" in head:
            head, _, tail = head.rpartition("_")
        indices: list[tuple[str, Span]] = []
        if "_" in token.text:
            items = self._letters(token, tail, None)
            indices = [self._left_index(i) for i in items]
        else:
            opened = self.token
            if self.accept("["):
                indices = [self._left_index(i) for i in self._items("]", opened)]
        return (differential if partial else "") + head, indices

    def _left_index(self, node: Node) -> tuple[str, Span]:
        if node.kind != "name":
            raise self.fail(
                "an index on the left must be a letter or a name", node.span, "Write J[i,j] = ..."
            )
        return str(node.value), node.span

    def _check_distinct(
        self, indices: list[tuple[str, Span]], quotient: tuple[str, str] | None
    ) -> None:
        seen: set[str] = set()
        for name, span in indices:
            if name in seen:
                raise self.fail(
                    f"the index '{name}' occurs twice on the left",
                    span,
                    "The entry of the output and the entry of the input need different letters, "
                    "as in ∂f_i/∂x_j."
                    if quotient
                    else "Each axis needs a letter of its own; a diagonal is written [i==j].",
                )
            seen.add(name)

    # --- products ---------------------------------------------------------------------------

    def _product(self) -> Node:
        left = self._unary()
        divided: Token | None = None
        while True:
            operator = self.accept("*", "/", "@", "//")
            if operator is not None:
                divided = operator if operator.text == "/" else None
                right = self._unary()
                span = Span(left.span.start, right.span.end)
                left = Node("binary", span, operator.text, (left, right))
                if divided and right.kind == "total" and not right.parenthesised:
                    self._check_divisor(right)
            elif self._starts_factor(left):
                if divided is not None:
                    raise self.fail(
                        "a product without '*' after '/' can be read in two ways",
                        hint="Write a/(b*c) or (a/b)*c.",
                    )
                right = self._unary()
                span = Span(left.span.start, right.span.end)
                self.juxtaposed.add((left.span, right.span))
                left = Node("binary", span, "*", (left, right))
            else:
                return left

    def _check_divisor(self, node: Node) -> None:
        body = node.children[-1]
        if body.kind == "binary" and not body.parenthesised and str(body.value) in "*/@":
            raise self.fail(
                "a sum after '/' can be read in two ways",
                node.span,
                "Put the whole sum into parentheses, as in a/(Σ_m b[m]*c[m]).",
            )

    def _starts_factor(self, left: Node) -> bool:
        token = self.token
        if self._inside_subscript:
            return left.kind == "number" and token.kind == "name"
        if token.kind == "op":
            return token.text in ("(", "[", "∑")
        if token.kind == "name":
            return not self._starts_suffix()
        return token.kind == "number" and left.kind != "number"

    def _starts_suffix(self) -> bool:
        after = self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        return self.token.text in SUFFIX_WORDS and after.text != "("

    # --- subscripts -------------------------------------------------------------------------

    def _postfix(self) -> Node:
        node = self._atom()
        while True:
            token = self.token
            adjacent = node.span.end == token.span.start
            if self.accept(".T"):
                node = Node("transpose", Span(node.span.start, token.span.end), "T", (node,))
            elif self.accept("²", "³"):
                power = Node("number", token.span, Fraction(2 if token.text == "²" else 3))
                span = Span(node.span.start, token.span.end)
                node = Node("binary", span, "**", (node, power))
            elif token.text == "[" and node.kind != "number" and not self._compares():
                self.position += 1
                node = self._subscripted(node, self._subscript_items(token), "")
            elif adjacent and token.kind == "name" and token.text.startswith("_"):
                self.position += 1
                node = self._subscripted(node, self._letters(token, token.text[1:], None))
            elif self.accept("."):
                node = self._method(node)
            else:
                return node

    def _subscript_items(self, opened: Token) -> list[Node]:
        inside, self._inside_subscript = self._inside_subscript, True
        items = self._items("]", opened, slices=True)
        self._inside_subscript = inside
        return items

    def _compares(self) -> bool:
        """True if the bracket that comes next is an Iverson bracket such as ``[j=k]``."""
        depth = 0
        for token in self.tokens[self.position :]:
            if token.kind == "op":
                depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
                if depth == 0:
                    return False
                if depth == 1 and token.text in ("=", "==", "!=", "<", "<=", ">", ">="):
                    return True
        return False

    # --- atoms ------------------------------------------------------------------------------

    def _atom(self) -> Node:
        token = self.token
        if token.kind == "op" and token.text == "[":
            self.position += 1
            return self._bracket(token)
        if token.kind == "op" and token.text == "∑":
            self.position += 1
            return self._bound(token, "sum", self._binders_below())
        if token.kind == "name" and token.text not in self.ranks:
            if token.text in ("Σ",) and self._next_is_binder():
                self.position += 1
                return self._bound(token, "sum", self._binders_below())
            if "_" in token.text[1:] and not self._is_call(token.text):
                return self._underscored(token)
        if token.kind == "name":
            after = self.tokens[self.position + 1]
            if after.text == "(" and token.text in self.ranks:
                self.position += 1
                return Node("name", token.span, token.text)
        node = super()._atom()
        if node.kind == "call" and not node.parenthesised:
            return self._call(token, node)
        return node

    def _next_is_binder(self) -> bool:
        after = self.tokens[self.position + 1]
        return after.kind == "name" and after.text.startswith("_")

    def _is_call(self, name: str) -> bool:
        """True if the name at hand is a function and its arguments follow."""
        return self.tokens[self.position + 1].text == "(" and is_function(name)

    def _bracket(self, opened: Token) -> Node:
        """``[i==k]``, ``[i=j=k]``, ``[i=k, j=l]``; a list where nothing is compared."""
        inside, self._inside_subscript = self._inside_subscript, False
        items: list[Node] = []
        while not (self.token.kind == "op" and self.token.text == "]"):
            if self.token.kind == "end":
                self.expect("]", opened)
            item = self.expression()
            while self.accept("="):
                right = self._sum()
                span = Span(item.span.start, right.span.end)
                item = Node("compare", span, "==", (item, right))
            items.append(item)
            if not self.accept(","):
                break
        close = self.expect("]", opened)
        self._inside_subscript = inside
        span = Span(opened.span.start, close.span.end)
        compared = items and all(i.kind == "compare" for i in items)
        return Node("bracket" if compared else "list", span, "", tuple(items))

    def _underscored(self, token: Token) -> Node:
        """``X_il``, ``δ_jk``, ``Σ_m body``, ``softmax_{m}(body)``."""
        self.position += 1
        head, tail = self._split(token)
        start = token.span.start
        name = Node("name", Span(start, start + len(head)), head)
        if head in self.ranks:
            items = self._letters(token, tail, self.ranks[head])
            return self._subscripted(name, items)
        if head in SUMS:
            return self._bound(token, "sum", self._binders(token, tail))
        if head in BOUND_KINDS:
            return self._bound(token, head, self._binders(token, tail))
        items = self._letters(token, tail, None)
        return self._subscripted(name, items)

    def _split(self, token: Token) -> tuple[str, str]:
        """Head and letters of ``X_il``; the longest head that is a known name wins."""
        known = {*self.ranks, *DELTAS, *SUMS, *BOUND_KINDS}
        text = token.text
        for position in range(len(text) - 1, 0, -1):
            if text[position] == "_" and text[:position] in known:
                return text[:position], text[position + 1 :]
        head, _, tail = text.rpartition("_")
        return head, tail

    def _subscripted(self, base: Node, items: list[Node], style: str = "_") -> Node:
        end = self.tokens[self.position - 1].span.end
        return Node("subscript", Span(base.span.start, end), style, (base, *items))

    def _letters(self, token: Token, tail: str, rank: int | None) -> list[Node]:
        """The indices after ``_``: ``tail`` itself, or what stands in the braces that follow."""
        opened = self.token
        if tail:
            return self._split_letters(tail, token.span.end - len(tail), rank)
        if not self.accept("{"):
            raise self.fail("expected an index after '_'", hint="Write X_il, X_{il} or X[i,l].")
        word, after = self.token, self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        if word.kind == "name" and after.text == "}":
            self.position += 2
            return self._split_letters(word.text, word.span.start, rank)
        inside, self._inside_subscript = self._inside_subscript, True
        items: list[Node] = []
        while not (self.token.kind == "op" and self.token.text == "}"):
            if self.token.kind == "end":
                self.expect("}", opened)
            items.append(self._sum())
            self.accept(",")
        self._inside_subscript = inside
        self.expect("}", opened)
        for item in items:
            self._refuse_number(item)
        return items

    def _split_letters(self, letters: str, start: int, rank: int | None) -> list[Node]:
        """One node for each letter; digits belong to the letter before them (``i1``)."""
        if rank == 1 and letters.isalpha():
            return [Node("name", Span(start, start + len(letters)), letters)]
        items = []
        for found in _LETTER.finditer(letters):
            word = found.group()
            span = Span(start + found.start(), start + found.end())
            items.append(Node("number" if word[0].isdigit() else "name", span, word))
            self._refuse_number(items[-1])
        return items

    def _refuse_number(self, item: Node) -> None:
        if item.kind == "number":
            raise self.fail(
                "a number after '_' is read as part of a name, and no such name is declared",
                item.span,
                "For one entry write x[0]; entries are counted from 0.",
            )

    # --- sums and other functions of an index -----------------------------------------------

    def _binders_below(self) -> list[Node]:
        token = self.token
        if token.kind != "name" or not token.text.startswith("_"):
            raise self.fail("a sum needs its index", hint="Write Σ_m X[i,m]*W[m,l].")
        self.position += 1
        return self._binders(token, token.text[1:])

    def _binders(self, token: Token, tail: str) -> list[Node]:
        """The bound indices of ``Σ_m``, ``Σ_{m,p}``, ``Σ_{m<n}``, ``Σ_{m=1}^{d}``."""
        if tail:
            return [_binder(n) for n in self._split_letters(tail, token.span.end - len(tail), None)]
        opened = self.token
        if not self.accept("{"):
            raise self.fail("expected an index after '_'", hint="Write Σ_m or Σ_{m}.")
        word, after = self.token, self.tokens[min(self.position + 1, len(self.tokens) - 1)]
        if word.kind == "name" and after.text == "}":
            self.position += 2
            return [_binder(n) for n in self._split_letters(word.text, word.span.start, None)]
        if word.kind == "name" and after.text == "=":
            self.position += 2
            low = self._sum()
            self.expect("}", opened)
            return [Node("binder", word.span, word.text, (low, self._upper_end()))]
        found: list[Node] = []
        while not (self.token.kind == "op" and self.token.text == "}"):
            if self.token.kind == "end":
                self.expect("}", opened)
            inside, self._inside_subscript = self._inside_subscript, True
            found.append(_binder(self.expression(), self))
            self._inside_subscript = inside
            self.accept(",")
        self.expect("}", opened)
        return found

    def _upper_end(self) -> Node:
        """The end of ``Σ_{m=1}^{d}``."""
        if not self.accept("**"):
            raise self.fail("expected the upper end of the sum", hint="Write Σ_{m=1}^{d}.")
        opened = self.token
        if self.accept("{"):
            high = self._sum()
            self.expect("}", opened)
            return high
        return Parser._atom(self)

    def _bound(self, token: Token, kind: str, binders: list[Node]) -> Node:
        """``Σ`` takes the product that follows; other functions their parentheses."""
        if kind == "sum":
            body = self._sum_body()
        else:
            opened = self.token
            if not self.accept("("):
                raise self.fail(f"expected '(' after {kind} and its indices")
            body = self.expression()
            self.expect(")", opened)
        end = self.tokens[self.position - 1].span.end
        return Node("total", Span(token.span.start, end), kind, (*binders, body))

    def _sum_body(self) -> Node:
        self.depth += 1
        if self.depth > 500:
            raise self.fail("sums are nested deeper than 500 levels")
        body = self._product()
        self.depth -= 1
        return body

    def _call(self, token: Token, node: Node) -> Node:
        """``sum(m, body)``, ``max(m, body)`` and ``delta(j, k)``; other calls stay as they are."""
        *binders, body = node.children or (node,)
        if token.text in DELTAS:
            name = Node("name", token.span, "delta")
            return Node("subscript", node.span, "", (name, *node.children))
        if token.text not in BOUND_KINDS or not binders or body.kind == "keyword":
            return node
        if len(binders) == 1 and binders[0].kind == "tuple":
            binders = list(binders[0].children)
        if not all(_names_index(n) for n in binders):
            return node
        declared = any(n.value in self.ranks for n in binders)
        if declared and (token.text != "sum" or body.kind == "number"):
            return node
        return Node("total", node.span, token.text, (*(_binder(n, self) for n in binders), body))


def is_function(name: str) -> bool:
    """True if the language has a function of this name."""
    return name in FUNCTIONS or name in functions.ELEMENTWISE or name in functions.ALIASES


def _names_index(node: Node) -> bool:
    """True for ``m`` and for ``m<n``."""
    if node.kind == "compare" and node.value == "<":
        return node.children[0].kind == "name"
    return node.kind == "name"


def _binder(node: Node, parser: Parser | None = None) -> Node:
    """A bound index: ``m``, or ``m<n`` with its range."""
    if node.kind == "name":
        return Node("binder", node.span, node.value)
    if _names_index(node):
        name, high = node.children
        return Node("binder", name.span, name.value, (high,))
    assert parser is not None
    raise parser.fail("expected an index such as m, or m<n", node.span)
