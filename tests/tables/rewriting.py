"""Other ways to write the same statement, by rules that hold for numbers and arrays alike.

Sums and elementwise products change places, products are multiplied out, brackets become deltas.
A checker must call every one of these right as well.
"""

from __future__ import annotations

import ast

from tables.claim_values import statement


def other_forms(claim: str) -> list[str]:
    """The claim in up to two other forms that differ from it in writing."""
    head, names, body = statement(claim)
    left = head if names is None else f"{head}[{', '.join(names)}]"
    tree = ast.parse(body.strip(), mode="eval")
    plain = ast.unparse(tree)
    forms: list[str] = []
    for rules in ([Commute()], [MultiplyOut(), Deltas()]):
        changed: ast.AST = ast.parse(body.strip(), mode="eval")
        for rule in rules:
            changed = ast.fix_missing_locations(rule.visit(changed))
        text = ast.unparse(changed)
        if text not in (plain, *forms):
            forms.append(text)
    return [f"{left} = {text}" for text in forms]


class Commute(ast.NodeTransformer):
    """a + b to b + a, a - b to -b + a, a*b to b*a (not the matrix product)."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Mult)):
            return ast.BinOp(node.right, node.op, node.left)
        if isinstance(node.op, ast.Sub):
            return ast.BinOp(ast.UnaryOp(ast.USub(), node.right), ast.Add(), node.left)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        return node


class MultiplyOut(ast.NodeTransformer):
    """(a + b)*c to a*c + b*c, a*(b + c) to a*b + a*c, (a + b)/c to a/c + b/c."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, (ast.Mult, ast.Div)):
            return node
        if isinstance(term := node.left, ast.BinOp) and isinstance(term.op, (ast.Add, ast.Sub)):
            first = ast.BinOp(term.left, node.op, node.right)
            second = ast.BinOp(term.right, node.op, node.right)
            return ast.BinOp(self.visit(first), term.op, self.visit(second))
        term = node.right
        if (
            isinstance(node.op, ast.Mult)
            and isinstance(term, ast.BinOp)
            and isinstance(term.op, (ast.Add, ast.Sub))
        ):
            first = ast.BinOp(node.left, node.op, term.left)
            second = ast.BinOp(node.left, node.op, term.right)
            return ast.BinOp(self.visit(first), term.op, self.visit(second))
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        return node


class Deltas(ast.NodeTransformer):
    """[i==k] to delta[k, i]."""

    def visit_List(self, node: ast.List) -> ast.AST:
        if len(node.elts) == 1 and isinstance(equal := node.elts[0], ast.Compare):
            sides = [equal.comparators[0], equal.left]
            if isinstance(equal.ops[0], ast.Eq) and all(isinstance(s, ast.Name) for s in sides):
                at = ast.Tuple(sides, ast.Load())
                return ast.Subscript(ast.Name("delta", ast.Load()), at, ast.Load())
        return node
