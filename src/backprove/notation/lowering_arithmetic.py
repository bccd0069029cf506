"""Signs, sums, products, powers and comparisons of values."""

from __future__ import annotations

from collections.abc import Callable

from backprove.errors import NotationError, UnknownName
from backprove.notation import building as b
from backprove.notation.expressions import ONE, Expr, Tensor
from backprove.notation.index_writing import size_latex, size_text
from backprove.notation.lowering import FUNCTIONS, MAX_EXPONENT, NODES, Lowering
from backprove.notation.operations import Value
from backprove.notation.syntax import Node


def _unary(low: Lowering, node: Node) -> Value:
    operand = low.value(node.children[0])
    if operand.number is not None:
        return low.builder.constant(-operand.number, node.span)
    return low.elementwise("negative", [operand], b.neg, "-{0}", "-{0}", node)


_BINARY: dict[str, tuple[str, Callable[[Expr, Expr], Expr], str, str]] = {
    "+": ("add", b.add, "{0} + {1}", "{0} + {1}"),
    "-": ("subtract", b.sub, "{0} - {1}", "{0} - {1}"),
    "*": ("multiply", b.mul, "{0} * {1}", r"{0} \odot {1}"),
    "/": ("divide", b.divide, "{0} / {1}", r"\frac{{{0}}}{{{1}}}"),
}


def _binary(low: Lowering, node: Node) -> Value:
    operator = str(node.value)
    if operator == "@":
        return FUNCTIONS["matmul"](low, node)
    if operator == "//":
        return _whole_quotient(low, node)
    left, right = (low.value(c) for c in node.children)
    if operator == "**":
        return _power(low, node, left, right)
    name, body, template, latex = _BINARY[operator]
    folded = _fold(low, operator, left, right, node)
    if folded is not None:
        return folded
    if operator == "/":
        low.refuse_zero(right, node.children[1])
    if operator == "*" and (not left.shape or not right.shape):
        latex = r"{0} \cdot {1}"
    return low.elementwise(name, [left, right], body, template, latex, node)


def _whole_quotient(low: Lowering, node: Node) -> Value:
    """``n//2``, a size that stands where a value stands."""
    try:
        size = low.size(node)
    except (NotationError, UnknownName):
        raise low.unsupported(
            "'//' divides sizes by whole numbers only", node, "Write x / y for values."
        ) from None
    value = Tensor((), b.size_value(size))
    return low.builder.named_constant(f"({size_text(size)})", size_latex(size), value, node.span)


def _fold(low: Lowering, operator: str, left: Value, right: Value, node: Node) -> Value | None:
    a, c = left.number, right.number
    if a is None or c is None or (operator == "/" and c == 0):
        return None
    number = (
        a + c
        if operator == "+"
        else a - c
        if operator == "-"
        else a * c
        if operator == "*"
        else a / c
    )
    if max(number.numerator.bit_length(), number.denominator.bit_length()) > 4096:
        raise low.notation_error("the number is too large", node)
    return low.builder.constant(number, node.span)


def _power(low: Lowering, node: Node, left: Value, right: Value) -> Value:
    if right.number is not None:
        exponent = right.number
        if abs(exponent) > MAX_EXPONENT or exponent.denominator > MAX_EXPONENT:
            raise low.unsupported(
                f"the exponent {exponent} is out of range (at most {MAX_EXPONENT:,})",
                node.children[1],
            )
        if exponent < 0:
            low.refuse_zero(left, node)
        if left.number is not None and exponent.denominator == 1 and (left.number or exponent > 0):
            bits = max(left.number.numerator.bit_length(), left.number.denominator.bit_length())
            if bits * abs(exponent) > 4096:
                raise low.notation_error("the number is too large", node)
            return low.builder.constant(left.number ** int(exponent), node.span)
        return low.elementwise(
            "power",
            [left, right],
            lambda x, _: b.power(x, exponent),
            "{0} ** {1}",
            "{{{0}}}^{{{1}}}",
            node,
        )
    if left.kind == "constant" and left.name == "e":
        return low.elementwise(
            "exp", [right], lambda x: b.fn("exp", x), "exp({0})", "e^{{{0}}}", node
        )
    return low.elementwise(
        "pow", [left, right], lambda x, y: b.fn("pow", x, y), "{0} ** {1}", "{{{0}}}^{{{1}}}", node
    )


_COMPARE: dict[str, tuple[Callable[[Expr, Expr], Expr], str]] = {
    ">": (lambda x, y: b.indicator(">", b.sub(x, y)), ">"),
    ">=": (lambda x, y: b.indicator(">=", b.sub(x, y)), r"\ge"),
    "<": (lambda x, y: b.indicator(">", b.sub(y, x)), "<"),
    "<=": (lambda x, y: b.indicator(">=", b.sub(y, x)), r"\le"),
    "==": (lambda x, y: b.indicator("==", b.sub(x, y)), "="),
    "!=": (lambda x, y: b.sub(ONE, b.indicator("==", b.sub(x, y))), r"\ne"),
}


def _compare(low: Lowering, node: Node) -> Value:
    first = node.children[0]
    if first.kind == "compare" and not first.parenthesised:
        raise low.notation_error(
            "comparisons cannot be chained", node, "Write (a < b) * (b < c), or use parentheses."
        )
    left, right = (low.value(c) for c in node.children)
    body, latex = _COMPARE[str(node.value)]
    return low.elementwise(
        f"compare {node.value}",
        [left, right],
        body,
        f"({{0}} {node.value} {{1}})",
        rf"[{{0}} {latex} {{1}}]",
        node,
    )


NODES.update({"unary": _unary, "binary": _binary, "compare": _compare})
