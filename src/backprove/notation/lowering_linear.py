"""Linear algebra: matmul, dot, outer, kron, einsum, trace, diag, inv, det, logdet."""

from __future__ import annotations

from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, floor_divide, shape_text
from backprove.notation.expressions import Expr
from backprove.notation.lowering import Lowering, function
from backprove.notation.operations import Value
from backprove.notation.syntax import Node


@function("matmul")
def _matmul(low: Lowering, node: Node) -> Value:
    left, right = (low.value(c) for c in node.children)
    for operand, child in zip((left, right), node.children, strict=True):
        if not operand.shape:
            raise low.shape_error(
                f"'@' of shapes {shape_text(left.shape)} and {shape_text(right.shape)}: "
                "a scalar has no axis to sum over",
                child,
                "Use '*' to multiply by a scalar.",
            )
    return product(low, node, left, right)


def product(low: Lowering, node: Node, left: Value, right: Value) -> Value:
    """The matrix product with NumPy's rules for vectors and batches."""
    inner_left, inner_right = left.shape[-1], right.shape[max(len(right.shape) - 2, 0)]
    if inner_left != inner_right:
        fits = len(right.shape) == 2 and right.shape[-1] == inner_left
        raise low.shape_error(
            f"'@' of shapes {shape_text(left.shape)} and {shape_text(right.shape)} does not fit: "
            f"inner sizes {inner_left} and {inner_right} differ",
            node,
            "Transpose the right operand with .T." if fits else "",
        )
    batch_axes, (batch_left, batch_right) = low.broadcast(
        [left.shape[:-2], right.shape[:-2]], "@", node
    )
    summed = Axis(inner_left)
    rows = [Axis(left.shape[-2])] if len(left.shape) > 1 else []
    columns = [Axis(right.shape[-1])] if len(right.shape) > 1 else []
    body = b.total(
        [summed],
        b.mul(left.entry(*batch_left, *rows, summed), right.entry(*batch_right, summed, *columns)),
    )
    return low.builder.operation(
        "matmul",
        [left, right],
        [*batch_axes, *rows, *columns],
        body,
        template="{0} @ {1}",
        latex="{0} {1}",
        span=node.span,
    )


@function("dot")
def _dot(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["a", "b"])
    left, right = low.value(given["a"]), low.value(given["b"])
    if not left.shape or not right.shape:
        return low.elementwise(
            "multiply", [left, right], b.mul, "{0} * {1}", r"{0} \cdot {1}", node
        )
    if len(left.shape) > 2 or len(right.shape) > 2:
        raise low.unsupported(
            "'dot' of more than two axes is not supported", node, "Use einsum or @."
        )
    return product(low, node, left, right)


@function("outer")
def _outer(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["a", "b"])
    left, right = low.value(given["a"]), low.value(given["b"])
    if len(left.shape) != 1 or len(right.shape) != 1:
        raise low.shape_error(
            f"'outer' of shapes {shape_text(left.shape)} and {shape_text(right.shape)}: "
            "both operands must be vectors",
            node,
        )
    i, j = Axis(left.shape[0]), Axis(right.shape[0])
    return low.builder.operation(
        "outer",
        [left, right],
        [i, j],
        b.mul(left.entry(i), right.entry(j)),
        template="outer({0}, {1})",
        latex=r"{0} {1}^{{\top}}",
        span=node.span,
    )


@function("kron")
def _kron(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["a", "b"])
    left, right = low.value(given["a"]), low.value(given["b"])
    if len(left.shape) != len(right.shape) or not left.shape:
        raise low.shape_error(
            f"'kron' of shapes {shape_text(left.shape)} and {shape_text(right.shape)}: "
            "both operands must have the same number of axes",
            node,
        )
    axes = [Axis(p * q) for p, q in zip(left.shape, right.shape, strict=True)]
    outer = [floor_divide(Index.of(a), q) for a, q in zip(axes, right.shape, strict=True)]
    inner = [Index.of(a) - o * q for a, o, q in zip(axes, outer, right.shape, strict=True)]
    return low.builder.operation(
        "kron",
        [left, right],
        axes,
        b.mul(left.entry(*outer), right.entry(*inner)),
        template="kron({0}, {1})",
        latex=r"{0} \otimes {1}",
        span=node.span,
    )


@function("einsum")
def _einsum(low: Lowering, node: Node) -> Value:
    if not node.children or node.children[0].kind != "string":
        raise low.notation_error(
            'einsum starts with its subscripts, as in einsum("ij,jk->ik", A, B)', node
        )
    subscripts = str(node.children[0].value).replace(" ", "")
    operands = [low.value(c) for c in node.children[1:]]
    inputs, arrow, output = subscripts.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        raise low.notation_error(
            f"einsum names {len(terms)} operands in '{subscripts}' and is given {len(operands)}",
            node,
        )
    if not arrow:
        letters = inputs.replace(",", "")
        output = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    axes = _einsum_axes(low, node, subscripts, terms, operands)
    for letter in output:
        if letter not in axes or output.count(letter) > 1:
            raise low.notation_error(
                f"the output index '{letter}' of '{subscripts}' "
                + ("is repeated" if letter in axes else "is in no operand"),
                node.children[0],
            )
    entries = [v.entry(*(axes[c] for c in t)) for v, t in zip(operands, terms, strict=True)]
    summed = [a for c, a in axes.items() if c not in output]
    shown = ", ".join(f"{{{k}}}" for k in range(len(operands)))
    return low.builder.operation(
        "einsum",
        operands,
        [axes[c] for c in output],
        b.total(summed, b.mul(*entries)),
        template=f'einsum("{inputs}->{output}", {shown})',
        latex=rf"\operatorname{{{{einsum}}}}_{{{{{inputs} \to {output}}}}}({shown})",
        span=node.span,
    )


def _einsum_axes(
    low: Lowering, node: Node, subscripts: str, terms: list[str], operands: list[Value]
) -> dict[str, Axis]:
    axes: dict[str, Axis] = {}
    for term, operand in zip(terms, operands, strict=True):
        if not term.isalpha() and term:
            raise low.unsupported(
                f"einsum subscripts are letters; found '{term}'", node.children[0]
            )
        if len(term) != len(operand.shape):
            raise low.shape_error(
                f"einsum '{subscripts}': '{term}' names {len(term)} axes of an operand of shape "
                f"{shape_text(operand.shape)}",
                node,
            )
        for letter, size in zip(term, operand.shape, strict=True):
            known = axes.setdefault(letter, Axis(size))
            if known.size != size:
                raise low.shape_error(
                    f"einsum '{subscripts}': index '{letter}' has sizes {known.size} and {size}",
                    node,
                )
    return axes


def _square(low: Lowering, node: Node, name: str) -> Value:
    operand = low.value(low.arguments(node, ["A"])["A"])
    if len(operand.shape) < 2 or operand.shape[-1] != operand.shape[-2]:
        raise low.shape_error(
            f"'{name}' needs a square matrix, found shape {shape_text(operand.shape)}", node
        )
    return operand


@function("trace")
def _trace(low: Lowering, node: Node) -> Value:
    operand = _square(low, node, "trace")
    batch = [Axis(s) for s in operand.shape[:-2]]
    diagonal = Axis(operand.shape[-1])
    return low.builder.operation(
        "trace",
        [operand],
        batch,
        b.total([diagonal], operand.entry(*batch, diagonal, diagonal)),
        template="trace({0})",
        latex=r"\operatorname{{tr}}({0})",
        span=node.span,
    )


def _slice_function(name: str, latex: str) -> None:
    @function(name)
    def handler(low: Lowering, node: Node) -> Value:
        operand = _square(low, node, name)
        batch = [Axis(s) for s in operand.shape[:-2]]
        rows, columns = Axis(operand.shape[-2]), Axis(operand.shape[-1])
        body: Expr = operand.entry(*batch, rows, columns)
        at = [Axis(operand.shape[-2]), Axis(operand.shape[-1])] if name == "inv" else []
        result = b.bind(name, [rows, columns], body, at)
        return low.builder.operation(
            name,
            [operand],
            [*batch, *at],
            result,
            template=f"{name}({{0}})",
            latex=latex,
            span=node.span,
        )


_slice_function("inv", "{0}^{{-1}}")
_slice_function("det", r"\det({0})")
_slice_function("logdet", r"\log\lvert\det({0})\rvert")


@function("diag")
def _diag(low: Lowering, node: Node) -> Value:
    operand = low.value(low.arguments(node, ["x"])["x"])
    if len(operand.shape) == 1:
        i, j = Axis(operand.shape[0]), Axis(operand.shape[0])
        axes, body = [i, j], b.mul(b.delta(i, j), operand.entry(i))
    elif len(operand.shape) == 2 and operand.shape[0] == operand.shape[1]:
        i = Axis(operand.shape[0])
        axes, body = [i], operand.entry(i, i)
    else:
        raise low.shape_error(
            f"'diag' needs a vector or a square matrix, found shape {shape_text(operand.shape)}",
            node,
        )
    return low.builder.operation(
        "diag",
        [operand],
        axes,
        body,
        template="diag({0})",
        latex=r"\operatorname{{diag}}({0})",
        span=node.span,
    )


__all__ = ["product"]
