"""Small edits of a written claim: each changes one place and names the mistake that it undoes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backprove import functions
from backprove.errors import NotationError
from backprove.notation.expressions import Array
from backprove.notation.syntax import Token, tokenize

_CONFUSED = {
    "sin": ("cos",),
    "cos": ("sin",),
    "tanh": ("sigmoid",),
    "sigmoid": ("tanh", "softmax", "softplus"),
    "softmax": ("sigmoid", "exp", "log_softmax"),
    "log_softmax": ("softmax",),
    "softplus": ("sigmoid",),
    "exp": ("log", "softmax"),
    "log": ("exp",),
    "relu": ("sign", "abs"),
    "abs": ("sign",),
    "sign": ("abs",),
    "sum": ("mean",),
    "mean": ("sum",),
    "max": ("min",),
    "min": ("max",),
    "inv": ("det",),
    "tril": ("triu",),
    "triu": ("tril",),
    "sqrt": ("norm",),
    "cosh": ("sinh",),
    "sinh": ("cosh",),
}


@dataclass(frozen=True)
class TextEdit:
    """An edited claim: the new text, the mistake that the edit undoes, and where it stands."""

    text: str
    mistake: str
    where: str


@dataclass(frozen=True)
class _Written:
    """The right-hand side of a claim as words with their places."""

    text: str
    tokens: list[Token]
    start: int

    def replaced(self, start: int, end: int, by: str) -> str:
        """The text with one stretch replaced."""
        return self.text[:start] + by + self.text[end:]


def text_edits(
    text: str, symbols: Mapping[str, Array], indices: Sequence[str]
) -> Iterator[TextEdit]:
    """Edited versions of a claim, the likeliest mistakes first.

    Args:
        text: the claim, with or without a left-hand side.
        symbols: the declared symbols.
        indices: the free indices of an index formula; empty for a matrix expression.
    """
    try:
        tokens = tokenize(text)[:-1]
    except NotationError:  # a claim in LaTeX is not edited as text
        return
    written = _Written(text, tokens, _right_hand_side(text, tokens))
    if indices:
        yield from _index_edits(written, indices)
    yield from _sign_edits(written)
    yield from _transposes(written, symbols)
    yield from _names(written, symbols)
    yield from _axis_options(written)
    yield from _numbers(written)
    yield from _swaps(written, symbols)
    yield from _operators(written)


def _right_hand_side(text: str, tokens: Sequence[Token]) -> int:
    depth = 0
    for token in tokens:
        if token.kind != "op":
            continue
        if token.text in "([":
            depth += 1
        elif token.text in ")]":
            depth -= 1
        elif token.text == "=" and depth == 0:
            return token.span.end
    return 0


def _right_tokens(written: _Written) -> list[tuple[int, Token]]:
    return [(k, t) for k, t in enumerate(written.tokens) if t.span.start >= written.start]


def _index_edits(written: _Written, indices: Sequence[str]) -> Iterator[TextEdit]:
    names = list(dict.fromkeys([*indices, *_bound_names(written)]))
    places = list(_index_places(written, set(names)))
    for position, (token, delta) in enumerate(places):
        for other in names:
            if other != token.text:
                edited = written.replaced(token.span.start, token.span.end, other)
                mistake = "wrong_delta" if delta else "wrong_axis"
                yield TextEdit(edited, mistake, f"the index {token.text}")
        if position + 1 < len(places):
            following, also_delta = places[position + 1]
            between = written.text[token.span.end : following.span.start].strip()
            if between == "," and not delta and not also_delta and following.text != token.text:
                swapped = f"{following.text},{token.text}"
                edited = written.replaced(token.span.start, following.span.end, swapped)
                yield TextEdit(edited, "transposed", f"the indices {token.text},{following.text}")


def _bound_names(written: _Written) -> list[str]:
    found = []
    tokens = written.tokens
    for k, token in enumerate(tokens[:-2]):
        if token.kind == "name" and token.text == "sum" and tokens[k + 1].text == "(":
            found.append(tokens[k + 2].text)
    return found


def _index_places(written: _Written, names: set[str]) -> Iterator[tuple[Token, bool]]:
    """Index letters inside square brackets; the flag tells a delta from a subscript."""
    stack: list[bool] = []
    previous: Token | None = None
    for _, token in _right_tokens(written):
        if token.kind == "op" and token.text == "[":
            subscript = previous is not None and (
                previous.kind == "name" or previous.text in (")", "]")
            )
            named_delta = previous is not None and previous.text in ("delta", "δ")
            stack.append(not subscript or named_delta)
        elif token.kind == "op" and token.text == "]" and stack:
            stack.pop()
        elif token.kind == "name" and token.text in names and stack:
            yield token, stack[-1]
        previous = token


def _sign_edits(written: _Written) -> Iterator[TextEdit]:
    for k, token in _right_tokens(written):
        if token.kind != "op" or token.text not in "+-":
            continue
        unary = k == 0 or written.tokens[k - 1].text in (
            "=",
            "(",
            "[",
            ",",
            "*",
            "/",
            "+",
            "-",
            "**",
            "@",
        )
        span = token.span
        where = f"the sign at column {span.start + 1}"
        if unary and token.text == "-":
            yield TextEdit(written.replaced(span.start, span.end, ""), "sign", where)
        elif not unary:
            other = "-" if token.text == "+" else "+"
            yield TextEdit(written.replaced(span.start, span.end, other), "sign", where)
    for _, token in _right_tokens(written):
        if token.kind == "op" and token.text == "(":
            at = token.span.end
            edited = written.replaced(at, at, "-")
            yield TextEdit(edited, "sign", f"the sign at column {at + 1}")


def _transposes(written: _Written, symbols: Mapping[str, Array]) -> Iterator[TextEdit]:
    for k, token in _right_tokens(written):
        after = written.tokens[k + 1] if k + 1 < len(written.tokens) else None
        if token.kind == "op" and token.text == ".T":
            edited = written.replaced(token.span.start, token.span.end, "")
            yield TextEdit(edited, "transposed", f"the transpose at column {token.span.start + 1}")
        elif after is None or after.text not in (".T", "[", "("):
            matrix = (
                token.kind == "name" and len(symbols[token.text].shape) == 2
                if token.text in symbols
                else False
            )
            if matrix or token.text == ")":
                at = token.span.end
                shown = token.text if matrix else "the parenthesis"
                yield TextEdit(
                    written.replaced(at, at, ".T"), "transposed", f"{shown} at column {at}"
                )


def _names(written: _Written, symbols: Mapping[str, Array]) -> Iterator[TextEdit]:
    for k, token in _right_tokens(written):
        if token.kind != "name":
            continue
        span = token.span
        called = k + 1 < len(written.tokens) and written.tokens[k + 1].text == "("
        if token.text in symbols and not called:
            for other, array in symbols.items():
                if other != token.text and array.shape == symbols[token.text].shape:
                    edited = written.replaced(span.start, span.end, other)
                    yield TextEdit(edited, "wrong_variable", f"the symbol {token.text}")
        elif called:
            for other in _alternatives(token.text):
                edited = written.replaced(span.start, span.end, other)
                name = name_of_function(token.text, other)
                yield TextEdit(edited, name, f"the function {token.text}")


def name_of_function(written: str, meant: str) -> str:
    """The name of the mistake of one function for another: a mean is a sum with its normaliser.

    >>> name_of_function("sum", "mean"), name_of_function("cos", "sin")
    ('missing_normalizer', 'wrong_function')
    """
    known = {("sum", "mean"): "missing_normalizer", ("mean", "sum"): "extra_factor"}
    return known.get((written, meant), "wrong_function")


def _alternatives(name: str) -> list[str]:
    likely = list(_CONFUSED.get(name, ()))
    if name in functions.ELEMENTWISE:
        likely += [
            n
            for n, r in functions.ELEMENTWISE.items()
            if r.arity == 1 and n != name and n not in likely
        ]
    return likely


def _axis_options(written: _Written) -> Iterator[TextEdit]:
    tokens = written.tokens
    for k, token in _right_tokens(written):
        if token.text == "axis" and k + 2 < len(tokens) and tokens[k + 1].text == "=":
            number = tokens[k + 2]
            if number.kind == "number":
                other = "1" if number.text == "0" else "0"
                edited = written.replaced(number.span.start, number.span.end, other)
                yield TextEdit(edited, "wrong_axis", f"axis={number.text}")


def _numbers(written: _Written) -> Iterator[TextEdit]:
    tokens = written.tokens
    for k, token in _right_tokens(written):
        if token.kind != "number" or not token.text.isdigit() or (k and tokens[k - 1].text == "="):
            continue
        value = int(token.text)
        exponent = k > 0 and tokens[k - 1].text == "**"
        for other in (value - 1, value + 1, 2 * value, -value):
            name = "missing_factor" if abs(other) > value else "extra_factor"
            name = "sign" if other == -value else name
            shown = f"({other})" if other < 0 else str(other)
            edited = written.replaced(token.span.start, token.span.end, shown)
            where = f"the exponent {value}" if exponent else f"the number {value}"
            yield TextEdit(edited, name, where)


def _swaps(written: _Written, symbols: Mapping[str, Array]) -> Iterator[TextEdit]:
    """Exchange the two operands next to a matrix product."""
    tokens = written.tokens
    for k, token in _right_tokens(written):
        if token.text != "@" or not 0 < k < len(tokens) - 1:
            continue
        left, right = _operand_before(tokens, k), _operand_after(tokens, k)
        if left is None or right is None:
            continue
        a = written.text[left[0] : left[1]]
        c = written.text[right[0] : right[1]]
        edited = written.replaced(left[0], right[1], f"{c} @ {a}")
        yield TextEdit(edited, "wrong_order", f"{a} @ {c}")
    del symbols


def _operand_before(tokens: Sequence[Token], k: int) -> tuple[int, int] | None:
    end = k - 1
    start = end
    if tokens[start].text == ".T":
        start -= 1
    if start >= 0 and tokens[start].text == ")":
        depth = 0
        while start >= 0:
            depth += {")": 1, "(": -1}.get(tokens[start].text, 0)
            if depth == 0:
                break
            start -= 1
        if start > 0 and tokens[start - 1].kind == "name":
            start -= 1
    return (tokens[start].span.start, tokens[end].span.end) if start >= 0 else None


def _operand_after(tokens: Sequence[Token], k: int) -> tuple[int, int] | None:
    start = end = k + 1
    if tokens[end].kind == "name" and end + 1 < len(tokens) and tokens[end + 1].text == "(":
        end += 1
    if tokens[end].text == "(":
        depth = 0
        while end < len(tokens):
            depth += {"(": 1, ")": -1}.get(tokens[end].text, 0)
            if depth == 0:
                break
            end += 1
    if end + 1 < len(tokens) and tokens[end + 1].text == ".T":
        end += 1
    return (tokens[start].span.start, tokens[end].span.end) if end < len(tokens) else None


def _operators(written: _Written) -> Iterator[TextEdit]:
    for _, token in _right_tokens(written):
        if token.kind == "op" and token.text == "*":
            edited = written.replaced(token.span.start, token.span.end, "@")
            yield TextEdit(edited, "scalar_rule", f"the product at column {token.span.start + 1}")
        elif token.kind == "op" and token.text == "@":
            edited = written.replaced(token.span.start, token.span.end, "*")
            yield TextEdit(edited, "scalar_rule", f"the product at column {token.span.start + 1}")
