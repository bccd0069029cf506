"""What kind of statement a line is, before it is read: an index formula, a shape, a path, ..."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from backprove.errors import InputError, NotationError, Span
from backprove.notation.axes import Size
from backprove.notation.definitions import only, split_definitions
from backprove.notation.expressions import Array
from backprove.notation.index_syntax import IndexParser
from backprove.notation.index_tree import walk
from backprove.notation.shapes import parse_shape
from backprove.notation.structure_words import StructurePhrase, structure_phrase
from backprove.notation.syntax import Node, Parser, Token, parse, tokenize

WHOLE = ("J", "H", "grad", "gradient", "jac", "jacobian", "Jacobian", "hessian", "Hessian")
"""Names on the left that mean the derivative itself."""

_SHAPE_PREFIX = re.compile(r"^\s*shape(?:\s*\(\s*\w+\s*\)|\s+of\s+\w+)?\s*(?:==|=|:|is\s|\s)\s*")
_SIZE = r"(?:[^\W\d²³]\w*|[0-9]+)"
_SHAPE = re.compile(
    rf"^\s*(?:[(\[]\s*(?:{_SIZE}(?:\s*(?:,|×|\bx\b|\s)\s*{_SIZE})*\s*,?)?\s*[)\]]"
    rf"|{_SIZE}(?:(?:\s*(?:,|×)\s*|\s+x\s+|\s+){_SIZE})+|\d+x{_SIZE}|scalar)\s*$"
)
_POWER_T = re.compile(r"\^\s*T(?!\w)")
_NOWHERE = Span(0, 0)
_NUMBER_NAMES = {"e", "pi", "π"}


@dataclass(frozen=True)
class Step:
    """One factor ``∂f/∂h`` of a path."""

    output: str
    input: str
    span: Span


@dataclass(frozen=True)
class Claim:
    """A line and what it states.

    Attributes:
        kind: ``index`` (an index formula), ``matrix`` (array text for the derivative), ``vjp``
            (``dW = G.T @ X``), ``equality`` (``A == B``), ``shape``, ``structure``, ``path``
            (``df/dz = df/dh3 * dh3/dz``), ``value`` (``h2 = 20.0855``), ``definition`` (``h = ...``
            for another name), ``expression``, or ``latex``.
        text: the line.
        left: the left side as written; empty if there is none.
        left_span: where it stands.
        right_span: where the right side stands, or the only side; definitions are left out.
        quotient: the two names of ``∂f/∂x`` on the left.
        variable: the symbol that a VJP is the gradient of.
        steps: the factors of a path, in written order; of the first one for a sum of paths.
        paths: the factors of every path of a sum.
        values: where numbers stand that the left side is said to have, as text to evaluate.
        approximate: True if a value follows ``≈``.
        shape: the sizes, for a shape.
        word: the structure, for a structure.
        negated: True for ``not diagonal``.
        phrase: the parts of a statement about structure, such as the rank.
        definitions: names and places of ``with s = softmax(z)``.
    """

    kind: str
    text: str
    left: str = ""
    left_span: Span = _NOWHERE
    right_span: Span = _NOWHERE
    quotient: tuple[str, str] | None = None
    variable: str = ""
    steps: tuple[Step, ...] = ()
    paths: tuple[tuple[Step, ...], ...] = ()
    values: tuple[Span, ...] = ()
    approximate: bool = False
    shape: tuple[Size, ...] | None = None
    word: str = ""
    negated: bool = False
    phrase: StructurePhrase | None = None
    definitions: tuple[tuple[str, Span], ...] = ()

    @property
    def right(self) -> str:
        """The right side after blanks, so that places in it are places in the text."""
        return only(self.text, self.right_span).rstrip()


def classify_claim(text: str, symbols: Mapping[str, Array] | None = None) -> Claim:
    """What kind of statement a line is.

    Args:
        text: one line.
        symbols: the declared symbols; they settle whether ``dW`` is the gradient of a ``W``.

    Raises:
        NotationError: the line is empty or is no statement at all.

    >>> [classify_claim(t).kind for t in ("1×d", "J_ij = δ_ij", "df/dz = df/dh3 * dh3/dz")]
    ['shape', 'index', 'path']
    """
    if not text.strip():
        raise NotationError("the claim is empty", text=text, span=Span(0, 0))
    if _is_latex(text, symbols or {}):
        return Claim("latex", text, right_span=Span(0, len(text)))
    found = _structure(text) or _shape(text, symbols or {})
    if found is not None:
        return found
    main, definitions = split_definitions(text)
    try:
        claim = _statement(text, main, symbols or {})
    except InputError as error:
        error.text = text
        raise
    return Claim(**{**claim.__dict__, "definitions": tuple(definitions)})


def _structure(text: str) -> Claim | None:
    found = structure_phrase(text)
    if found is None:
        return None
    return Claim(
        "structure", text, right_span=found.span, word=found.word, negated=found.negated,
        phrase=found,
    )  # fmt: skip


def _is_latex(text: str, symbols: Mapping[str, Array]) -> bool:
    """True where only LaTeX makes sense of a line; ``A^T x`` and ``A^{-1}`` need no backslash."""
    transposed = "T" not in symbols and _POWER_T.search(text) is not None
    return "\\" in text or "$" in text or "^{" in text or transposed


def _shape(text: str, symbols: Mapping[str, Array]) -> Claim | None:
    prefix = _SHAPE_PREFIX.match(text)
    start = prefix.end() if prefix else 0
    rest = text[start:]
    compound = _compound_shape(rest)
    if compound is not None:
        return Claim("shape", text, right_span=Span(start, len(text)), shape=compound)
    single = prefix and re.fullmatch(rf"\s*{_SIZE}\s*", rest)
    if not single and (not _SHAPE.match(rest) or re.search(r"(?<!\w)(?:with|where)(?!\w)", rest)):
        return None
    shape = parse_shape(rest.strip().strip("()[]").strip().rstrip(","))
    sizes = {name for a in symbols.values() for size in a.shape for name in size.names()}
    words = {name for size in shape for name in size.names()}
    separated = prefix or "×" in rest or "," in rest
    if not separated and words & (symbols.keys() - sizes):
        return None  # ``2 A`` is a product whose sign is left out
    return Claim("shape", text, right_span=Span(start, len(text)), shape=shape)


def _compound_shape(text: str) -> tuple[Size, ...] | None:
    """The shape that ``(n-1)×n`` or ``m*n×m`` names; None where no size is a sum or product."""
    if "×" not in text or not re.search(r"[-+*·]", text):
        return None
    sizes: list[Size] = []
    for part in text.split("×"):
        inner = re.fullmatch(r"\s*\(([^()]*)\)\s*", part)
        words = (inner[1] if inner else part).strip()
        if not re.fullmatch(rf"{_SIZE}(?:\s*[-+*·]\s*{_SIZE})*", words):
            return None
        total = Size.of(0)
        for sign, term in re.findall(r"([-+]?)\s*([^-+]+)", words):
            product = Size.of(1)
            for word in re.split(r"[*·]", term):
                product = product * parse_shape(word.strip())[0]
            total = total - product if sign == "-" else total + product
        sizes.append(total)
    return tuple(sizes)


# --- statements with an equals sign -------------------------------------------------------------


def _statement(text: str, main: Span, symbols: Mapping[str, Array]) -> Claim:
    tokens = tokenize(only(text, main))[:-1]
    if not tokens:
        raise NotationError("there is no claim before the definitions", text=text, span=main)
    parts, signs = _segments(tokens)
    for k, part in enumerate(parts):
        if not part:
            sign = signs[min(k, len(signs) - 1)]
            raise NotationError(
                f"there is nothing {'after' if k else 'before'} '{sign.text}'",
                text=text,
                span=sign.span,
            )
    if len(parts) == 1:
        return _single(text, parts[0], symbols)
    left, rights = parts[0], parts[1:]
    sides = {
        "left": text[_span(left).start : _span(left).end],
        "left_span": _span(left),
        "right_span": Span(rights[0][0].span.start, rights[-1][-1].span.end),
    }
    if _has_index_left(left, symbols):
        return Claim("index", text, **sides)
    if len(parts) == 2 and signs[0].text == "==":
        return Claim("equality", text, **sides)
    approximate = any(s.text == "≈" for s in signs)
    step = _step(left)
    if step is not None:
        return _about_quotient(text, rights, symbols, step, approximate, sides)
    if len(left) > 1 or left[0].kind != "name":
        return Claim("equality", text, **sides)
    return _about_name(text, left[0].text, rights, symbols, approximate, sides)


def _segments(tokens: Sequence[Token]) -> tuple[list[list[Token]], list[Token]]:
    """The sides of the equals signs outside of brackets, and those signs."""
    depth = 0
    parts: list[list[Token]] = [[]]
    signs: list[Token] = []
    for token in tokens:
        if token.kind == "op":
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            if depth == 0 and token.text in ("=", "==", "≈"):
                signs.append(token)
                parts.append([])
                continue
        parts[-1].append(token)
    return parts, signs


def _span(tokens: Sequence[Token]) -> Span:
    return Span(tokens[0].span.start, tokens[-1].span.end)


def _has_index_left(left: Sequence[Token], symbols: Mapping[str, Array]) -> bool:
    """True for ``J[i,j]``, ``J_ij``, ``J_{ij}``, ``∂f_i/∂x_j`` and ``df[i]/dx[j]``."""
    words = [t.text for t in left]
    heads = [t for t in left if t.kind == "name"]
    if "(" in words or not heads:
        return False
    subscripted = [
        k for k, t in enumerate(left) if t.text == "[" and k and left[k - 1].kind == "name"
    ]
    if subscripted or "{" in words:
        return True
    for head in heads:
        name, _, letters = head.text.rpartition("_")
        known = head.text in symbols or letters in symbols or head.text[1:] in symbols
        known = known or letters in ("bar", "grad")
        if name and letters.isalpha() and letters.islower() and not known:
            return True
    return False


def _step(tokens: Sequence[Token]) -> Step | None:
    """``df/dx`` or ``∂f/∂x``, possibly in parentheses."""
    words = list(tokens)
    while len(words) > 2 and words[0].text == "(" and words[-1].text == ")":
        words = words[1:-1]
    shown = [t.text for t in words]
    if len(words) == 5 and shown[0] == shown[3] == "∂" and shown[2] == "/":
        return Step(shown[1], shown[4], _span(words))
    differential = len(words) == 3 and shown[1] == "/" and all(t.kind == "name" for t in words[::2])
    if differential and all(s[0] == "d" and len(s) > 1 for s in shown[::2]):
        return Step(shown[0][1:], shown[2][1:], _span(words))
    return None


def _paths(tokens: Sequence[Token]) -> tuple[tuple[Step, ...], ...]:
    """The products of ``df/dg * dg/dx + df/dh * dh/dx``; none if anything else stands there."""
    products: list[list[list[Token]]] = [[[]]]
    depth = 0
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and token.text == "+":
            products.append([[]])
        elif depth == 0 and token.text in ("*", "@"):
            products[-1].append([])
        else:
            products[-1][-1].append(token)
    found = [[_step(f) if f else None for f in factors] for factors in products]
    if any(step is None for factors in found for step in factors):
        return ()
    return tuple(tuple(step for step in factors if step) for factors in found)


def _about_quotient(
    text: str,
    rights: Sequence[list[Token]],
    symbols: Mapping[str, Array],
    step: Step,
    approximate: bool,
    sides: dict,  # type: ignore[type-arg]
) -> Claim:
    paths: tuple[tuple[Step, ...], ...] = ()
    values: list[Span] = []
    others = 0
    for right in rights:
        found = _paths(right)
        if found and not paths:
            paths = found
        elif _is_constant(text, right, symbols):
            values.append(_span(right))
        else:
            others += 1
    steps = paths[0] if paths else ()
    if others and (steps or values):
        raise NotationError(
            "a chain of equals signs holds a path and numbers only",
            text=text,
            span=sides["right_span"],
            hint="Write one claim per line.",
        )
    kind = "path" if steps else "value" if values else "matrix"
    return Claim(
        kind,
        text,
        **sides,
        quotient=(step.output, step.input),
        steps=steps,
        paths=paths,
        values=tuple(values),
        approximate=approximate,
    )


def _about_name(
    text: str,
    name: str,
    rights: Sequence[list[Token]],
    symbols: Mapping[str, Array],
    approximate: bool,
    sides: dict,  # type: ignore[type-arg]
) -> Claim:
    constant = [_is_constant(text, r, symbols) for r in rights]
    if len(rights) > 1 and not all(constant[1:]):
        raise NotationError(
            "a claim has one '='",
            text=text,
            span=sides["right_span"],
            hint="Write one claim per line.",
        )
    variable = _gradient_of(name, symbols)
    values = tuple(_span(r) for r, c in zip(rights, constant, strict=True) if c)
    if len(rights) == 1 and _is_indexed(text, rights[0], symbols):
        return Claim("index", text, **sides)
    if name in WHOLE:
        return Claim("matrix", text, **sides, approximate=approximate)
    if variable and not constant[0]:
        return Claim("vjp", text, **sides, variable=variable)
    kind = "value" if constant[0] else "definition"
    return Claim(kind, text, **sides, values=values, approximate=approximate)


def _gradient_of(name: str, symbols: Mapping[str, Array]) -> str:
    """The symbol whose gradient ``dW``, ``grad_W``, ``W_bar`` or ``W_grad`` is."""
    if name in symbols:
        return ""
    for found in (
        re.fullmatch(r"d(\w+)" if symbols else r"d([^\W_]+)", name),
        re.fullmatch(r"grad_(\w+)", name),
        re.fullmatch(r"(\w+?)_(?:bar|grad)", name),
    ):
        if found and (not symbols or found[1] in symbols):
            return found[1]
    return ""


def _tree(text: str, tokens: Sequence[Token]) -> Node:
    return parse(only(text, _span(tokens)))


def _is_constant(text: str, tokens: Sequence[Token], symbols: Mapping[str, Array]) -> bool:
    """True for a number such as ``20.0855``, ``-1/4`` or ``2*e**3``, which depends on no symbol."""
    try:
        nodes = walk(_tree(text, tokens))
    except NotationError:
        return False
    names = {str(n.value) for n in nodes if n.kind == "name"}
    plain = {"number", "name", "unary", "binary", "call"}
    return names <= _NUMBER_NAMES - set(symbols) and all(n.kind in plain for n in nodes)


# --- statements without an equals sign ----------------------------------------------------------


def _single(text: str, tokens: Sequence[Token], symbols: Mapping[str, Array]) -> Claim:
    kind = "index" if _is_indexed(text, tokens, symbols) else "expression"
    return Claim(kind, text, right_span=_span(tokens))


def _is_indexed(text: str, tokens: Sequence[Token], symbols: Mapping[str, Array]) -> bool:
    """True if entries, index brackets or sums over an index occur."""
    span = _span(tokens)
    ranks = {n: len(a.shape) for n, a in symbols.items()}
    sizes = {n for a in symbols.values() for s in a.shape for n in s.names()}
    parser: Parser = IndexParser(only(text, span), ranks)
    try:
        tree = parser.expression()
        parser.expect_end()
    except NotationError:
        _tree(text, tokens)
        return False
    for node in walk(tree):
        if node.kind in ("total", "bracket") or (node.kind == "subscript" and node.value == "_"):
            return True
        if node.kind == "subscript":
            names = {n.value for item in node.children[1:] for n in walk(item) if n.kind == "name"}
            if names - sizes - {"None", "newaxis"}:
                return True
    return False


def number_of(claim: Claim, span: Span) -> Fraction | None:
    """The literal number at a place of a claim, or None if it has to be evaluated.

    >>> claim = classify_claim("h2 = -20.5")
    >>> number_of(claim, claim.values[0])
    Fraction(-41, 2)
    """
    node = parse(only(claim.text, span))
    sign = 1
    while node.kind == "unary":
        sign, node = -sign, node.children[0]
    return sign * node.value if isinstance(node.value, Fraction) else None
