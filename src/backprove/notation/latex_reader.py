"""LaTeX formulas as text: the commands that derivatives are written with, and nothing by guess.

A product in LaTeX is written by putting factors side by side; whether that is ``@``, ``*`` or an
outer product follows from the shapes of the symbols. Where two readings are usual (``A^2``,
``\\ln x y``, ``\\|A\\|``), the formula is refused and both are named.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from backprove import functions
from backprove.errors import Span
from backprove.notation.expressions import BINDERS, Array
from backprove.notation.index_syntax import is_function
from backprove.notation.latex_enclosed import BARS, NORMS, EnclosedReader
from backprove.notation.latex_pieces import (
    ATOM,
    FONTS,
    POWER,
    PRODUCT,
    SUM,
    LatexText,
    Piece,
    Word,
    greek_names,
    joined,
    shape_text_of,
    wrapped,
)
from backprove.notation.latex_products import matrix_power, multiply, plus, powered, transposed
from backprove.notation.latex_words import RELATIONS, without_full_stop
from backprove.notation.lowering import supported_functions
from backprove.notation.syntax import deep_recursion

_FUNCTIONS = {
    "tr": "trace",
    "Tr": "trace",
    "ReLU": "relu",
    "sgn": "sign",
    "Diag": "diag",
    "lse": "logsumexp",
    "LSE": "logsumexp",
    "sig": "sigmoid",
}
_NAMED_IN_LATEX = {
    found[1].replace(r"\_", "_"): name
    for name, record in functions.ELEMENTWISE.items()
    if (found := re.match(r"\\operatorname\{\{([\w\\]+)\}\}\\left", record.latex))
}
"""Functions by the names that their records give them, such as ``GELU``."""

_COMMAND_WORDS = r"""
\ln \log \exp \sin \cos \tan \sinh \cosh \tanh \arctan \det \max \min
"""
_COMMANDS = frozenset(_COMMAND_WORDS.split())
_OWN_COMMANDS = r"\tr \Tr \trace \diag \Diag \softmax \relu \ReLU \sign \sgn \erf".split()
"""Commands that many preambles define; TeX itself has none of them."""
_CLOSING = {"(": ")", "[": "]", r"\{": r"\}"}
_RESULT_RANK = {
    **dict.fromkeys(
        ["norm", "sum", "mean", "var", "trace", "det", "logdet", "prod", "logsumexp"], 0
    ),
    "kron": 2,
    "outer": 2,
    "inv": 2,
}
_PRODUCTS = {
    r"\cdot": "dot",
    "*": "*",
    r"\odot": "*",
    r"\circ": "*",
    r"\oslash": "/",
    r"\times": "times",
    r"\otimes": "kron",
}
_END_WORDS = r"""
) ] } \} + - / , ; & | \| \\ \rVert \rvert \Vert \vert \rangle
"""
_ENDS = frozenset(["", *_END_WORDS.split()])
_TWO_WAY_BARS = frozenset(["|", r"\|", r"\Vert", r"\vert"])
_TRANSPOSES = frozenset([r"\top", r"\intercal", "T"])
_SUFFIX = re.compile(r"\\(?:text|mathrm)\s*\{\s*(?:with|where)\s*:?\s*\}")


def latex_to_text(
    latex: str, symbols: Mapping[str, Array], *, sizes: set[str] | None = None, first: int = 1
) -> LatexText:
    """The text that a LaTeX formula stands for.

    Args:
        latex: a formula or a claim, with or without ``$``.
        symbols: the declared symbols; their shapes tell what a product is.
        sizes: names of sizes beyond those in the shapes of ``symbols``.
        first: the number of the first entry of an array: 1, or 0 for those who count so.

    Returns:
        The text with its places. Entries are written ``X[i,l]``, sums ``Σ_{m}``, so that
        :func:`backprove.notation.index_reader.read_index_formula` reads index formulas and
        :func:`backprove.notation.lower` everything else.

    Raises:
        NotationError: the LaTeX is not well-formed, or can be read in two ways.
        UnknownName: a letter that is not declared.
        Unsupported: a command outside of the subset; the hint lists what is supported.

    >>> from backprove.notation.shapes import declare
    >>> symbols = declare({"X": "n d", "W": "k d", "w": "d"})
    >>> latex_to_text(r"X W^\\top", symbols).text
    'X @ W.T'
    >>> latex_to_text(r"J_{ijkl} = X_{il} \\delta_{jk}", symbols).text
    'J[i,j,k,l] = X[i,l] * δ[j,k]'
    """
    shape = shape_text_of(latex, symbols)
    if shape is not None:
        return shape
    names = {n for a in symbols.values() for s in a.shape for n in s.names()} | (sizes or set())
    with deep_recursion():
        ranks = {n: len(a.shape) for n, a in symbols.items()}
        piece, row = _Reader(latex, ranks, names, first).claim()
    places = tuple(span for text, span in piece.parts for _ in text)
    return LatexText(latex, piece.text, places, row)


class _Reader(EnclosedReader):
    """Recursive descent over the words of a formula."""

    # --- the whole claim --------------------------------------------------------------------

    def claim(self) -> tuple[Piece, bool]:
        """The whole text, and whether its right side is a row."""
        suffix = _SUFFIX.search(self.latex)
        if suffix is None:
            return self._sides(end="")
        first = next(k for k, w in enumerate(self.words) if w.span.start >= suffix.start())
        after = next(k for k, w in enumerate(self.words) if w.span.start >= suffix.end())
        self.position = after
        definitions: list[Piece] = []
        while True:
            definitions.append(self._definition())
            if not self.accept(",", ";"):
                break
        if self.word.text:
            raise self.error(f"unexpected '{self.word.text}' after a definition")
        self.words = without_full_stop([*self.words[:first], Word("", self.words[first].span)])
        self.position = 0
        main, row = self._sides(end="")
        text: list[str | Piece] = [main, " with ", definitions[0]]
        for definition in definitions[1:]:
            text += [", ", definition]
        return joined(Span(*suffix.span()), *text), row

    def _definition(self) -> Piece:
        name, indices = self.left()
        if name is None or indices or not (sign := self.accept("=")):
            raise self.error("expected a definition such as s = softmax(z)")
        value = self.expression()
        self.ranks[name.text] = value.rank
        return joined(sign.span, name, " = ", value)

    def _sides(self, end: str) -> tuple[Piece, bool]:
        start = self.position
        whole: Piece | None = None
        name, indices = self.left()
        if name is not None and self.word.text in ("=", r"\approx"):
            whole = joined(name.span, name, *indices)
        else:
            self.position, self.letters_on_left = start, None
        right = whole if whole is not None else self.expression()
        result = right
        if self.letters_on_left is not None and self.word.text in ("=", r"\approx"):
            self.bound, self.has_left = self.bound.union(self.letters_on_left), True
        while self.word.text in ("=", r"\approx", r"\equiv"):
            sign = self.take()
            right = self.expression()
            result = joined(sign.span, result, f" {RELATIONS[sign.text]} ", right, level=SUM)
        if self.word.text != end:
            text = self.word.text
            if text in (")", "]", "}", r"\}"):
                raise self.error(f"'{text}' closes nothing")
            if text.startswith("\\"):
                raise self.unsupported(f"'{text}' is not supported here", self.word.span)
            raise self.error(f"unexpected '{text}'")
        return result, right.row

    # --- sums and products ------------------------------------------------------------------

    def expression(self) -> Piece:
        """Terms with ``+`` and ``-`` between them."""
        self.depth += 1
        if self.depth > 400:
            raise self.error("nested deeper than 400 levels")
        sign = self.accept("+", "-")
        total = self.term()
        if sign is not None and sign.text == "-":
            total = joined(
                sign.span, "-", wrapped(total, PRODUCT), rank=total.rank, level=SUM, row=total.row
            )
        while (operator := self.accept("+", "-")) is not None:
            total = plus(self, total, self.term(), operator)
        self.depth -= 1
        return total

    def term(self) -> Piece:
        """Factors side by side, or with a sign of multiplication or division between them."""
        left = self.factor()
        divided = False
        while True:
            word = self.word
            if word.text in _PRODUCTS:
                self.take()
                left = multiply(self, left, self.factor(), _PRODUCTS[word.text], word.span)
                divided = False
            elif self.accept("/"):
                if self.word.text in (r"\sum", r"\prod"):
                    raise self.error("a sum after '/' can be read in two ways", hint="Use \\frac.")
                right = self.factor()
                if right.rank == 2 or (right.rank and right.rank != left.rank):
                    raise self.unsupported(
                        "a division by an array", right.span, "Divide by scalars."
                    )
                left = joined(
                    word.span, wrapped(left, PRODUCT), " / ", wrapped(right, POWER),
                    rank=left.rank, level=PRODUCT, row=left.row,
                )  # fmt: skip
                divided = True
            elif self._ends_term():
                return left
            else:
                if divided:
                    raise self.error(
                        "a product after '/' can be read in two ways",
                        hint=r"Write \frac{a}{b} c or a/(b c).",
                    )
                left = multiply(self, left, self.factor(), "", word.span)

    def _ends_term(self) -> bool:
        text = self.word.text
        if text in _ENDS or text in RELATIONS:
            # A norm bar opens a factor only where one is not open already.
            return not (text in _TWO_WAY_BARS and not self.bars)
        return False

    # --- factors ----------------------------------------------------------------------------

    def factor(self) -> Piece:
        """An atom with its scripts."""
        word = self.word
        text = word.text
        if text in _COMMANDS or (name := self._function_ahead()) is not None:
            return self._call(text[1:] if text in _COMMANDS else str(name))
        if text in (r"\sum", r"\prod"):
            return self._total()
        return self._scripts(self.atom())

    def atom(self) -> Piece:
        word = self.word
        text = word.text
        if text and (text[0].isdigit() or text[0] == ".") and text != ".":
            self.take()
            return joined(word.span, text)
        if text in ("(", "[", r"\{", "{"):
            return self._group()
        if text in NORMS:
            return self.norm()
        if text in BARS:
            return self.absolute()
        if text == r"\langle":
            return self.inner_product()
        if text in (r"\frac", r"\tfrac", r"\dfrac", r"\cfrac"):
            return self.fraction()
        if text == r"\sqrt":
            return self.root()
        if text == r"\lfloor":
            return self.floor()
        if text == r"\partial":
            raise self.error(
                r"'\partial' stands in fractions only", word.span, r"\frac{\partial f}{\partial x}"
            )
        return self.symbol()

    def _group(self) -> Piece:
        opened = self.take()
        close = {"(": ")", "[": "]", r"\{": r"\}", "{": "}"}[opened.text]
        bars, self.bars = self.bars, 0
        start = self.position
        if opened.text == "[" and self.compares(close):
            self.bars = bars
            return self.conditions(opened, close)
        self.position = start
        inner = self.expression()
        self.expect(close, opened)
        self.bars = bars
        span = Span(opened.span.start, self.words[self.position - 1].span.end)
        if opened.text == "{":
            if inner.level < POWER:
                raise self.error(
                    "braces do not show, so that what stands in them can be read in two ways",
                    span,
                    "Write parentheses, as in (x + y) z.",
                )
            return inner
        return joined(span, "(", inner, ")", rank=inner.rank, row=inner.row)

    # --- functions --------------------------------------------------------------------------

    def _function_ahead(self) -> str | None:
        """The name of a function that comes next, if one does."""
        text = self.word.text
        if text == r"\sigma" and self.known(greek_names("sigma")) is None:
            after = self.ahead()
            return "sigmoid" if after in _CLOSING else None
        if text in _OWN_COMMANDS:
            return _FUNCTIONS.get(text[1:], text[1:])
        if text not in (r"\operatorname", r"\mathrm", r"\text", r"\mathbf", r"\textrm"):
            return None
        position = self.position
        name = self.styled_name()
        found = _FUNCTIONS.get(name) or _NAMED_IN_LATEX.get(name, name)
        called = self.word.text in ("(", "^", "_") and len(name) > 1
        self.position = position
        if name in self.ranks or name in ("e", "T", "d"):
            return None
        if is_function(found) or (found in BINDERS and called):
            return found
        if called:
            raise self.unsupported(
                f"the function '{name}' is not supported",
                self.word.span,
                f"Supported: {', '.join(supported_functions())}.",
            )
        return None

    def _call(self, name: str) -> Piece:
        start = self.word
        if start.text in _COMMANDS or start.text in (r"\sigma", *_OWN_COMMANDS):
            self.take()
        else:
            self.styled_name()
        if name in BINDERS and self.word.text == "_":
            return self._over_index(name, start)
        if self.word.text == "_":
            logarithm = name in ("log", "ln")
            raise self.unsupported(
                "a logarithm to a base" if logarithm else f"an index of '{name}' itself",
                Span(start.span.start, self.word.span.end),
                r"Write \frac{\ln x}{\ln 2}." if logarithm else f"Write {name}(z)_i.",
            )
        power: Piece | None = None
        if self.accept("^"):
            power = self._power_of_function(name, start)
        arguments = self._arguments(name, start)
        if name in ("max", "min") and len(arguments) == 2:
            name += "imum"
        elif name in ("max", "min") and len(arguments) > 2:
            raise self.error(
                f"'\\{name}' of more than two arguments",
                arguments[2].span,
                rf"Write \{name}(a, \{name}(b, c)).",
            )
        elif len(arguments) > 1 and name not in ("kron", "outer", "where", "maximum", "minimum"):
            raise self.error(f"'{name}' has one argument", arguments[1].span)
        items: list[str | Piece] = []
        for argument in arguments:
            items += [", ", argument] if items else [argument]
        span = Span(start.span.start, self.words[self.position - 1].span.end)
        rank = _RESULT_RANK.get(name, max(a.rank for a in arguments))
        if name == "diag":
            rank = 3 - arguments[0].rank
        if name in ("max", "min"):
            rank = 0
        call = joined(span, f"{name}(", *items, ")", rank=rank, row=rank == 1 and arguments[0].row)
        if power is not None:
            call = joined(span, call, "**", wrapped(power, ATOM), rank=rank, level=POWER)
        return self._scripts(call)

    def _power_of_function(self, name: str, start: Word) -> Piece:
        below = self.script()
        if len(below) != 1 or not below[0].text.isdigit():
            raise self.unsupported(
                f"a power of '{name}' can be read in two ways",
                start.span,
                rf"Write \left(\{name} x\right)^n.",
            )
        return joined(below[0].span, below[0].text)

    def _arguments(self, name: str, start: Word) -> list[Piece]:
        opened = self.accept(*_CLOSING)
        if opened is not None:
            bars, self.bars = self.bars, 0
            found = [self.expression()]
            while self.accept(","):
                found.append(self.expression())
            self.expect(_CLOSING[opened.text], opened)
            self.bars = bars
            return found
        argument = self.factor()
        if not self._ends_term() and self.word.text not in _PRODUCTS:
            styled = start.text in FONTS
            shown = rf"\operatorname{{{name}}}" if styled else start.text
            raise self.error(
                f"'{start.text}' without parentheses can be read in two ways",
                Span(start.span.start, self.word.span.end),
                f"Write {shown}(x) y or {shown}(x y).",
            )
        return [argument]

    def _total(self) -> Piece:
        """``\\sum_{m} body``: the body is the product that follows."""
        start = self.take()
        binders, letters, begin = self.binders(start)
        with self.binding(letters, begin):
            body = self.term()
        if body.rank:
            raise self.unsupported("a sum over an index of arrays", body.span, "Write its entries.")
        name = "Σ" if start.text == r"\sum" else "prod"
        return joined(start.span, f"({name}_{{", binders, "}(", body, "))")

    def _over_index(self, name: str, start: Word) -> Piece:
        """``\\max_{m} z_m`` and ``\\operatorname{softmax}_{m}(z_m)_{i}``."""
        binders, letters, begin = self.binders(start)
        with self.binding(letters, begin):
            if BINDERS[name] and self.word.text not in _CLOSING:
                raise self.error(f"expected '(' after '{name}' and its index")
            body = self._group() if BINDERS[name] else self.factor()
        if body.rank:
            raise self.unsupported(
                f"an index of '{name}' itself",
                Span(start.span.start, body.span.start),
                f"Write {name}(z)_i, or the entry that it runs over, as in {name}_{{m}}(z_m).",
            )
        call = joined(start.span, f"{name}_{{", binders, "}(", body, ")")
        if not BINDERS[name]:
            if not self._ends_term() and self.word.text not in _PRODUCTS and body.level < ATOM:
                raise self.error(
                    f"'{start.text}' can be read in two ways", start.span, "Add parentheses."
                )
            return call
        if not self.accept("_"):
            raise self.error(f"'{name}' over an index has an index after it", call.span)
        below = self.script()
        items: list[str | Piece] = []
        for index in self.indices(below, None):
            items += [",", index] if items else [index]
        return joined(start.span, call, "[", *items, "]")

    # --- scripts ----------------------------------------------------------------------------

    def _scripts(self, base: Piece) -> Piece:
        """Subscripts, powers, transposes and inverses of a base."""
        while True:
            mark = self.word
            if self.accept("_"):
                base = self._subscript(base, mark)
            elif self.accept("^"):
                base = self._superscript(base, mark)
            elif mark.text == "'":
                hint = r"A transpose is X^\top." if base.rank else "Write the derivative out."
                raise self.unsupported("a prime is not supported", mark.span, hint)
            else:
                break
        if base.rank < 0:
            raise self.error("a delta needs its indices", base.span, r"Write \delta_{jk}.")
        return base

    def _subscript(self, base: Piece, mark: Word) -> Piece:
        below = self.script()
        if base.rank == 0:
            raise self.error(f"'{base.text}' is a scalar and has no index", below[0].span)
        indices = self.indices(below, None if base.rank < 0 else base.rank)
        if base.rank > 0 and len(indices) != base.rank:
            raise self.error(
                f"'{base.text}' has {base.rank} axes, but {len(indices)} "
                f"{'index' if len(indices) == 1 else 'indices'}",
                Span(below[0].span.start, below[-1].span.end),
                "Write one for each axis; a row times a vector is an entry of the matrix product, "
                r"or \sum_j X_{ij} w_j.",
            )
        items: list[str | Piece] = []
        for index in indices:
            items += [",", index] if items else [index]
        whole = wrapped(base, ATOM)
        piece = joined(mark.span, whole, "[", *items, "]")
        return Piece(piece.parts, entry=max(base.rank, 0))

    def _entrywise_power(self, base: Piece, span: Span) -> Piece:
        """``^{\\odot 2}``; either may be a scalar, or both are arrays of one shape."""
        braced = self.accept("{")
        self.take()
        exponent = self.expression() if braced else self.braced()
        if braced:
            self.expect("}", braced)
        shapes = {(piece.rank, piece.row) for piece in (base, exponent) if piece.rank}
        if len(shapes) > 1:
            raise self.unsupported("an exponent of another shape", exponent.span)
        base, exponent = wrapped(base, ATOM), wrapped(exponent, ATOM)
        rank, row = shapes.pop() if shapes else (0, base.row)
        return joined(span, base, "**", exponent, rank=rank, level=POWER, row=row)

    def _superscript(self, base: Piece, mark: Word) -> Piece:
        position = self.position
        above = self.script()
        texts = [w.text for w in above]
        span = Span(mark.span.start, self.words[self.position - 1].span.end)
        style = "".join(t for t in texts if t not in ("{", "}") and t not in FONTS)
        if style == "T" and self.ranks.get("T") == 0 and base.rank:
            raise self.error("'T' is a declared scalar as well", span, r"Write \top to transpose.")
        if style in _TRANSPOSES and not (style == "T" and "T" in self.ranks):
            return transposed(self, base, span)
        if texts[0] in (r"\circ", r"\odot"):
            self.position = position
            return self._entrywise_power(base, span)
        if base.rank == 2:
            return matrix_power(self, base, style, span)
        if base.text == "e" and "e" not in self.ranks:
            self.position = position
            inner = self.braced()
            if inner.rank > 1:
                raise self.unsupported(
                    "e^A of a matrix can be read in two ways",
                    span,
                    r"Write \exp(A) for the entrywise one.",
                )
            return joined(span, "exp(", inner, ")", rank=inner.rank, row=inner.row)
        if base.entry == 2 and style == "-1":
            raise self.error(
                "an inverse of an entry can be read in two ways",
                span,
                r"Write (X^{-1})_{ij} or \frac{1}{X_{ij}}.",
            )
        if base.rank == 1 and style.startswith("-"):
            raise self.unsupported(
                "a negative power of a vector", span, r"Write x^{\odot -1} for 1/x entry by entry."
            )
        self.position = position
        return powered(self, base, self.braced(), span)
