"""The texts of the records as LaTeX, so that each formula is written down only once.

This reads the small language of the records (see :mod:`backprove.functions.records`) and nothing
else. What people type is read by the notation package.
"""

from __future__ import annotations

import ast

from backprove.functions.table import ELEMENTWISE

_SUM, _PRODUCT, _SIGN, _POWER, _WHOLE = range(1, 6)
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Gt: ">", ast.GtE: r"\ge", ast.Lt: "<", ast.LtE: r"\le", ast.Eq: "=", ast.NotEq: r"\ne",
}  # fmt: skip


def typeset(text: str) -> str:
    r"""A text of a record as LaTeX; a comparison becomes an Iverson bracket.

    Args:
        text: an expression such as ``FunctionRecord.derivative``.

    Returns:
        LaTeX.

    Raises:
        SyntaxError: the text is not an expression of the records' language.

    >>> print(typeset("sigmoid(x)*(1 - sigmoid(x))"))
    \sigma\left(x\right) \left(1 - \sigma\left(x\right)\right)
    """
    return _typeset(ast.parse(text, mode="eval").body)[0]


def _typeset(node: ast.expr) -> tuple[str, int]:
    """LaTeX and how tightly its outermost operation binds."""
    match node:
        case ast.Name(id=name):
            return (r"\pi" if name == "pi" else name), _WHOLE
        case ast.Constant(value=int() | float() as value):
            return f"{value:.6g}" if isinstance(value, float) else str(value), _WHOLE
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_within(operand, _PRODUCT)}", _SUM
        case ast.BinOp(op=ast.Mult() | ast.Div()) if unsigned := _without_sign(node):
            return f"-{_within(unsigned, _PRODUCT)}", _SUM
        case ast.BinOp():
            return _operation(node)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            sign = _COMPARISONS[type(operator)]
            return rf"\left[{_typeset(left)[0]} {sign} {_typeset(right)[0]}\right]", _WHOLE
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments)
    raise SyntaxError(f"not in the language of the records: {ast.unparse(node)}")


def _operation(node: ast.BinOp) -> tuple[str, int]:
    left, right = node.left, node.right
    match node.op:
        case ast.Add():
            return f"{_within(left, _SUM)} + {_within(right, _PRODUCT)}", _SUM
        case ast.Sub():
            return f"{_within(left, _SUM)} - {_within(right, _PRODUCT)}", _SUM
        case ast.Div():
            return rf"\frac{{{_typeset(left)[0]}}}{{{_typeset(right)[0]}}}", _SIGN
        case ast.Mult():
            first, second = _within(left, _PRODUCT), _within(right, _SIGN)
            joint = r" \cdot " if second[0].isdigit() or second[0] == "-" else " "
            return first + joint + second, _PRODUCT
        case ast.Pow():
            if named := _power_of_named(left, right):
                return named, _POWER
            return f"{_within(left, _WHOLE)}^{{{_typeset(right)[0]}}}", _POWER
    raise SyntaxError(f"not in the language of the records: {ast.unparse(node)}")


def _without_sign(node: ast.expr) -> ast.expr | None:
    """A product or fraction without the minus of its first factor, or None if it has none."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return node.operand
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        first = _without_sign(node.left)
        return first and ast.BinOp(first, node.op, node.right)
    return None


def _power_of_named(base: ast.expr, exponent: ast.expr) -> str | None:
    r"""Powers such as ``\tanh^{2} x``, or None if the base is no such function."""
    match base:
        case ast.Call(func=ast.Name(id=name), args=[argument]) if name in ELEMENTWISE:
            record = ELEMENTWISE[name]
            if not record.latex.endswith(" {0}"):
                return None
            symbol = record.latex.removesuffix(" {0}")
            power = f"{symbol}^{{{_typeset(exponent)[0]}}}"
            return record.typeset(_typeset(argument)[0]).replace(symbol, power, 1)
    return None


def _call(name: str, arguments: list[ast.expr]) -> tuple[str, int]:
    if name == "where":
        condition, chosen, other = arguments
        test = _typeset(condition)[0].removeprefix(r"\left[").removesuffix(r"\right]")
        return (
            rf"\begin{{cases}} {_typeset(chosen)[0]} & {test} \\ "
            rf"{_typeset(other)[0]} & \text{{otherwise}} \end{{cases}}"
        ), _WHOLE
    typeset_arguments = [_typeset(argument)[0] for argument in arguments]
    if name == "exp":
        return f"e^{{{typeset_arguments[0]}}}", _POWER
    record = ELEMENTWISE[name]
    bare = record.latex.endswith(" {0}")  # such as \tanh x, which reads badly under a power
    return record.typeset(*typeset_arguments), _POWER if bare else _WHOLE


def _within(node: ast.expr, tightness: int) -> str:
    text, own = _typeset(node)
    return text if own >= tightness else rf"\left({text}\right)"
