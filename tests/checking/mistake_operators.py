"""Wrong claims made from right ones: one slip at one place, named by the operator that made it.

The operators read a claim with Python's own grammar and know nothing of the package. A claim that
a slip leaves right, or that has no value, is left out by the caller, who evaluates it.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

Maker = Callable[[ast.AST, Mapping[str, str]], Iterator[ast.AST]]
"""Given a node and the shapes of the symbols, the nodes to put in its place."""

CONFUSED = {
    "tanh": "sigmoid", "sigmoid": "tanh", "exp": "log1p", "sin": "cos", "cos": "sin", "log": "exp",
    "softmax": "sigmoid", "sign": "abs", "sinh": "cosh", "cosh": "sinh", "sqrt": "square",
}  # fmt: skip


def wrong_claims(claim: str, shapes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Claims with one slip, and the name of each slip.

    Args:
        claim: a right claim with a left side (``grad = ...``, ``J[i,j] = ...``).
        shapes: the shape of each symbol.
    """
    found = re.match(r"^\s*\w+\s*(?:\[[^\]]*\])?\s*=(?!=)", claim)
    assert found is not None, claim
    left, right = found.group(0), claim[found.end() :].strip()
    tree = ast.parse(right, mode="eval").body
    yield f"{left} -({right})", "sign"
    for name, maker in MAKERS.items():
        for edited in _edited(tree, maker, shapes):
            yield f"{left} {ast.unparse(edited)}", name


def _edited(tree: ast.AST, maker: Maker, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    places = [n for n in ast.walk(tree) if isinstance(n, ast.expr)]
    within = {n for p in places if _is_delta(p) for n in ast.walk(p) if n is not p}
    for k, place in enumerate(places):
        if place in within:  # whatever is wrong in a delta is a wrong delta
            continue
        for new in maker(place, shapes):
            whole = copy.deepcopy(tree)
            old = [n for n in ast.walk(whole) if isinstance(n, ast.expr)][k]
            yield new if old is whole else _Put(old, new).visit(whole)


class _Put(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _is(node: ast.AST, *operators: type) -> TypeGuard[ast.BinOp]:
    return isinstance(node, ast.BinOp) and isinstance(node.op, operators)


def _is_delta(node: ast.AST) -> bool:
    """``[i==j]``, or ``delta[i,j]``."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == "delta"
    return _is_bracket(node)


def _is_bracket(node: ast.AST) -> TypeGuard[ast.List]:
    return isinstance(node, ast.List) and isinstance(node.elts[0], ast.Compare)


def _is_equality(delta: ast.AST) -> bool:
    if not _is_bracket(delta):
        return True
    inner = delta.elts[0]
    return isinstance(inner, ast.Compare) and isinstance(inner.ops[0], ast.Eq)


def _is_slope(node: ast.AST) -> bool:
    """1 - f(u)**2, 1 - f(u), (u > 0): what derivatives of elementwise functions look like."""
    if isinstance(node, ast.Compare):
        return True
    if not _is(node, ast.Sub) or not isinstance(node.left, ast.Constant):
        return False
    inner = node.right.left if _is(node.right, ast.Pow) else node.right
    return isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name)


def _is_size_or_sum(node: ast.AST, shapes: Mapping[str, str]) -> bool:
    sizes = {w for s in shapes.values() for w in s.split()}
    text = ast.unparse(node)
    constant = not any(
        isinstance(n, ast.Name) and n.id in {*sizes, *shapes} for n in ast.walk(node)
    )
    return text in sizes or (
        not constant and re.match(r"(sum|norm|sqrt|mean|var)\(", text) is not None
    )


def sign(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.Add):
        yield ast.BinOp(node.left, ast.Sub(), node.right)
    elif _is(node, ast.Sub):
        yield ast.BinOp(node.left, ast.Add(), node.right)


def missing_term(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.Add, ast.Sub) and not _is_slope(node):
        yield node.left
        yield node.right if _is(node, ast.Add) else ast.UnaryOp(ast.USub(), node.right)


def missing_factor(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.Mult):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            plain = isinstance(lost, (ast.Name, ast.Constant)) or _is(lost, ast.Pow)
            if plain or (isinstance(lost, ast.Subscript) and not _is_delta(lost)):
                yield kept


def missing_delta(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.Mult):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            if _is_delta(lost) and _is_equality(lost):
                yield kept


def missing_chain(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.Mult):
        for kept, lost in ((node.left, node.right), (node.right, node.left)):
            if _is_slope(lost):
                yield kept


def missing_normalizer(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.Div) and _is_size_or_sum(node.right, shapes):
        yield node.left


def transposed(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Name) and len(shapes.get(node.id, "").split()) == 2:
        yield ast.Attribute(node, "T", ast.Load())
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple):
        if len(node.slice.elts) == 2 and not _is_delta(node):
            turned = ast.Tuple(node.slice.elts[::-1], ast.Load())
            yield ast.Subscript(node.value, turned, ast.Load())


def wrong_delta(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is_bracket(node) and _is_equality(node):
        one: Any = node.elts[0]
        for other in "ijklab":
            yield ast.List(
                [ast.Compare(ast.Name(other, ast.Load()), one.ops, one.comparators)], ast.Load()
            )


def extra_factor(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.MatMult) or (isinstance(node, ast.Call) and _name(node) == "outer"):
        yield ast.BinOp(ast.Constant(2), ast.Mult(), node)


def wrong_function(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and _name(node) in CONFUSED:
        yield ast.Call(ast.Name(CONFUSED[_name(node)], ast.Load()), node.args, node.keywords)


def wrong_variable(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Name) and shapes.get(node.id):
        for other, shape in shapes.items():
            if other != node.id and shape == shapes[node.id]:
                yield ast.Name(other, ast.Load())


def wrong_axis(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        for k, option in enumerate(node.keywords):
            if option.arg == "axis" and isinstance(option.value, ast.Constant):
                other = 1 if option.value.value == 0 else 0
                changed = [*node.keywords]
                changed[k] = ast.keyword("axis", ast.Constant(other))
                yield ast.Call(node.func, node.args, changed)


def wrong_order(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.MatMult):
        yield ast.BinOp(node.right, ast.MatMult(), node.left)
    elif isinstance(node, ast.Call) and _name(node) in ("outer", "kron"):
        yield ast.Call(node.func, node.args[::-1], [])


def missing_sum(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call) and _name(node) == "sum" and node.keywords:
        if isinstance(node.args[0], (ast.Name, ast.Call)):
            yield ast.Subscript(node.args[0], ast.Constant(0), ast.Load())


def scalar_rule(node: ast.AST, shapes: Mapping[str, str]) -> Iterator[ast.AST]:
    if _is(node, ast.MatMult):
        yield ast.BinOp(node.left, ast.Mult(), node.right)


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


MAKERS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        sign, missing_term, missing_factor, missing_delta, missing_chain, missing_normalizer,
        transposed, wrong_delta, extra_factor, wrong_function, wrong_variable, wrong_axis,
        wrong_order, missing_sum, scalar_rule,
    )
}  # fmt: skip


def added_claims(
    left: str, right: str, wrt: str, shapes: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Claims with a term too many, or with an assumption that was not made.

    Args:
        left: the left side of a right claim: ``J[i,j]``, ``dW``, or nothing for array text.
        right: its right side.
        wrt: the symbol of the derivative.
        shapes: the shape of each symbol.
    """
    own = shapes[wrt]
    letters = [i.strip() for i in left[2:-1].split(",")] if left.startswith("J[") else []
    for name, shape in shapes.items():
        if not letters and shape and shape == own:
            yield f"{right} + {name}", "extra_term"
        if len(shape.split()) == 1:
            for letter in letters:
                yield f"{right} + {name}[{letter}]", "extra_term"
    if not left and len(own.split()) == 2 and len(set(own.split())) == 1:
        turned = f"({right}) + ({right}).T - diag(diag({right}))"
        yield turned, "symmetric_convention"
    for found in re.finditer(r"\((\w) \+ \1\.T\)", right):
        yield right.replace(found[0], f"2*{found[1]}"), "assumed_symmetric"
    for found in re.finditer(r"sum\((\w)\)\*|\*sum\((\w)\)", right):
        yield right.replace(found[0], ""), "assumed_normalised"


def slips_in(
    left: str, right: str, wrt: str, shapes: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Every right side with one slip, and the name of the slip; ``left`` may be empty."""
    tree = ast.parse(right, mode="eval").body
    yield f"-({right})", "sign"
    for name, maker in MAKERS.items():
        for edited in _edited(tree, maker, shapes):
            yield ast.unparse(edited), name
    yield from added_claims(left, right, wrt, shapes)
