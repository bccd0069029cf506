"""Functions that move entries: indexing, concatenate, stack, reshape, transpose, tril, eye, ..."""

from __future__ import annotations

from collections.abc import Sequence

from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size, floor_divide, shape_text
from backprove.notation.expressions import ONE, ZERO, Expr, Tensor
from backprove.notation.lowering import Lowering, function
from backprove.notation.operations import Value
from backprove.notation.syntax import Node

MAX_PIECES = 16
"""More arrays than this are joined in groups."""


@function("[]")
def _subscript(low: Lowering, node: Node) -> Value:
    operand = low.value(node.children[0])
    items = list(node.children[1:])
    consumed = sum(not _is_new_axis(i) for i in items)
    if consumed > len(operand.shape):
        raise low.shape_error(
            f"{consumed} indices for an operand of shape {shape_text(operand.shape)}", node
        )
    output: list[Axis] = []
    at: list[Index] = []
    shown: list[str] = []
    for item in items:
        if _is_new_axis(item):
            output.append(Axis(Size.of(1)))
            shown.append("None")
            continue
        size = operand.shape[len(at)]
        if item.kind == "slice":
            axis, index, text = _slice(low, item, size)
            output.append(axis)
        else:
            index, text = _position(low, item, size)
        at.append(index)
        shown.append(text)
    for size in operand.shape[len(at) :]:
        axis = Axis(size)
        output.append(axis)
        at.append(Index.of(axis))
    listed = ", ".join(shown)
    return low.builder.operation(
        "index",
        [operand],
        output,
        operand.entry(*at),
        template=f"{{0}}[{listed}]",
        latex=rf"{{0}}[{listed}]",
        attributes=(listed,),
        span=node.span,
    )


def _is_new_axis(item: Node) -> bool:
    return item.kind == "name" and item.value in ("None", "newaxis")


def _position(low: Lowering, item: Node, size: Size) -> tuple[Index, str]:
    if item.kind == "name" and str(item.value) in low.symbols:
        raise low.unsupported(
            f"indexing by the array '{item.value}' is not supported",
            item,
            "Use a one-hot matrix and a product instead.",
        )
    position = _offset(low, item, size)
    if size.constant is not None and position.constant is not None:
        if not 0 <= position.constant < size.constant:
            raise low.shape_error(
                f"index {_shown(item, low)} is out of range for an axis of size {size}", item
            )
    low.assume(size - 1 - position, f"index {position} lies inside size {size}", item)
    low.assume(position, f"index {position} is not negative", item)
    return Index.of(position), str(position)


def _shown(item: Node, low: Lowering) -> str:
    return low.text[item.span.start : item.span.end]


def _offset(low: Lowering, item: Node, size: Size) -> Size:
    """A position along an axis; negative ones count from the end."""
    if item.kind == "unary":
        return size - low.size(item.children[0])
    return low.size(item)


def _slice(low: Lowering, item: Node, size: Size) -> tuple[Axis, Index, str]:
    start_node, stop_node, step_node = item.children
    step = 1 if step_node.kind == "none" else low.integer(step_node, "a step")
    if step == 0:
        raise low.shape_error("the step of a slice cannot be 0", step_node)
    if step > 0:
        start = Size.of(0) if start_node.kind == "none" else _bound(low, start_node, size)
        stop = size if stop_node.kind == "none" else _bound(low, stop_node, size)
        length = (stop - start + (step - 1)).floor_divide(step)
    else:
        start = size - 1 if start_node.kind == "none" else _last(low, start_node, size)
        stop = Size.of(-1) if stop_node.kind == "none" else _last(low, stop_node, size)
        length = (start - stop + (-step - 1)).floor_divide(-step)
    if length.constant is not None and length.constant < 1:
        raise low.shape_error(
            f"the slice {_shown(item, low)} of an axis of size {size} is empty", item
        )
    low.assume(length - 1, f"the slice {_shown(item, low)} is not empty", item)
    low.assume(start, f"the slice {_shown(item, low)} starts inside size {size}", item)
    reach = stop if step > 0 else start + 1
    low.assume(size - reach, f"the slice {_shown(item, low)} ends inside size {size}", item)
    axis = Axis(length)
    return axis, Index.of(axis) * step + start, _shown(item, low)


def _bound(low: Lowering, node: Node, size: Size) -> Size:
    """A slice bound, cut to the axis as NumPy does where the sizes are known."""
    bound = _offset(low, node, size)
    if size.constant is not None and bound.constant is not None:
        return Size.of(min(max(bound.constant, 0), size.constant))
    return bound


def _last(low: Lowering, node: Node, size: Size) -> Size:
    bound = _offset(low, node, size)
    if size.constant is not None and bound.constant is not None:
        return Size.of(min(max(bound.constant, -1), size.constant - 1))
    return bound


def _operands(low: Lowering, node: Node, name: str) -> tuple[list[Value], dict[str, Node]]:
    given = low.arguments(node, ["arrays"], ["axis"])
    listed = given["arrays"]
    if listed.kind not in ("list", "tuple") or not listed.children:
        raise low.notation_error(f"'{name}' takes a list of arrays, as in {name}([x, y])", node)
    return [low.value(c) for c in listed.children], given


@function("concatenate", "concat")
def _concatenate(low: Lowering, node: Node) -> Value:
    operands, given = _operands(low, node, "concatenate")
    rank = len(operands[0].shape)
    if rank == 0:
        raise low.shape_error(
            "'concatenate' needs arrays with at least one axis", node, "Use stack."
        )
    along = low.one_axis(given["axis"], rank, node) if "axis" in given else 0
    reference = operands[0].shape
    for operand in operands:
        same = len(operand.shape) == rank and all(
            s == r
            for k, (s, r) in enumerate(zip(operand.shape, reference, strict=False))
            if k != along
        )
        if not same:
            raise low.shape_error(
                f"'concatenate' of shapes {shape_text(reference)} and {shape_text(operand.shape)} "
                f"does not fit: only axis {along} may differ",
                node,
            )
    return _joined(low, operands, along, node)


def _joined(low: Lowering, operands: Sequence[Value], along: int, node: Node) -> Value:
    """Arrays one after the other; many of them in groups, so that none has many alternatives."""
    if len(operands) > MAX_PIECES:
        groups = [operands[k : k + MAX_PIECES] for k in range(0, len(operands), MAX_PIECES)]
        parts = [_joined(low, g, along, node) if len(g) > 1 else g[0] for g in groups]
        return _joined(low, parts, along, node)
    reference = operands[0].shape
    axes = [Axis(s) for s in reference]
    whole = Axis(sum((v.shape[along] for v in operands), Size.of(0)))
    axes[along] = whole
    offset = Size.of(0)
    body: Expr = ZERO
    pieces: list[tuple[Expr, Expr]] = []
    for operand in operands:
        at = [Index.of(a) for a in axes]
        at[along] = Index.of(whole) - offset
        pieces.append(
            (
                b.bracket("<=", Index.of(whole) - offset - operand.shape[along] + 1),
                operand.entry(*at),
            )
        )
        offset = offset + operand.shape[along]
    body = pieces[-1][1]
    for inside, entry in reversed(pieces[:-1]):
        body = b.where(inside, entry, body)
    shown = ", ".join(f"{{{k}}}" for k in range(len(operands)))
    return low.builder.operation(
        "concatenate",
        operands,
        axes,
        body,
        template=f"concatenate([{shown}], axis={along})",
        latex=rf"[{shown}]",
        span=node.span,
    )


@function("stack")
def _stack(low: Lowering, node: Node) -> Value:
    operands, given = _operands(low, node, "stack")
    shape = operands[0].shape
    for operand in operands:
        if operand.shape != shape:
            raise low.shape_error(
                f"'stack' of shapes {shape_text(shape)} and {shape_text(operand.shape)} "
                "does not fit: all shapes must be equal",
                node,
            )
    along = low.one_axis(given["axis"], len(shape) + 1, node) if "axis" in given else 0
    groups = [operands[k : k + MAX_PIECES] for k in range(0, len(operands), MAX_PIECES)]
    parts = [_stacked(low, g, along, node) for g in groups]
    return _joined(low, parts, along, node) if len(parts) > 1 else parts[0]


def _stacked(low: Lowering, operands: Sequence[Value], along: int, node: Node) -> Value:
    shape = operands[0].shape
    inner = [Axis(s) for s in shape]
    which = Axis(Size.of(len(operands)))
    body = operands[-1].entry(*inner)
    for position in reversed(range(len(operands) - 1)):
        body = b.where(b.delta(which, position), operands[position].entry(*inner), body)
    axes = [*inner[:along], which, *inner[along:]]
    shown = ", ".join(f"{{{k}}}" for k in range(len(operands)))
    return low.builder.operation(
        "stack",
        operands,
        axes,
        body,
        template=f"stack([{shown}], axis={along})",
        latex=rf"[{shown}]",
        span=node.span,
    )


@function("reshape")
def _reshape(low: Lowering, node: Node) -> Value:
    operand = low.value(node.children[0]) if node.children else None
    if operand is None or len(node.children) < 2:
        raise low.notation_error(
            "'reshape' takes an array and a shape, as in reshape(x, (n, d))", node
        )
    target = node.children[1:]
    if len(target) == 1 and target[0].kind in ("tuple", "list"):
        target = target[0].children
    sizes = _target_sizes(low, node, operand, list(target))
    axes = [Axis(s) for s in sizes]
    flat = Index.of(0)
    for axis in axes:
        flat = flat * axis.size + axis
    listed = ", ".join(map(str, sizes))
    return low.builder.operation(
        "reshape",
        [operand],
        axes,
        operand.entry(*unravel(flat, operand.shape)),
        template=f"reshape({{0}}, ({listed},))"
        if len(sizes) == 1
        else f"reshape({{0}}, ({listed}))",
        latex=r"\operatorname{{reshape}}({0})",
        attributes=(listed,),
        span=node.span,
    )


def unravel(flat: Index, shape: tuple[Size, ...]) -> list[Index]:
    """The indices along ``shape`` of a position in row-major order."""
    at: list[Index] = []
    remaining = flat
    for position, _ in enumerate(shape):
        stride = Size.of(1)
        for size in shape[position + 1 :]:
            stride = stride * size
        index = floor_divide(remaining, stride)
        at.append(index)
        remaining = remaining - index * stride
    return at


def _target_sizes(low: Lowering, node: Node, operand: Value, target: list[Node]) -> list[Size]:
    count = Size.of(1)
    for size in operand.shape:
        count = count * size
    sizes: list[Size | None] = []
    for item in target:
        if item.kind == "unary" and low.integer(item, "a size") == -1:
            sizes.append(None)
        else:
            sizes.append(low.extent(item))
    known = Size.of(1)
    for size in sizes:
        known = known * (size or Size.of(1))
    if sizes.count(None) == 1:
        missing = _exact_quotient(count, known)
        if missing is None:
            raise low.shape_error(f"{count} entries cannot be split into groups of {known}", node)
        return [missing if s is None else s for s in sizes]
    if None in sizes:
        raise low.shape_error("at most one size of 'reshape' may be -1", node)
    if known != count:
        raise low.shape_error(f"'reshape' of {count} entries into {known} does not fit", node)
    return [s for s in sizes if s is not None]


def _exact_quotient(count: Size, known: Size) -> Size | None:
    if count.constant is not None and known.constant is not None:
        return (
            Size.of(count.constant // known.constant)
            if count.constant % known.constant == 0
            else None
        )
    quotient = floor_divide(Index.of(count), known)
    return (
        quotient.value if quotient.value is not None and quotient.value * known == count else None
    )


@function("ravel", "flatten")
def _ravel(low: Lowering, node: Node) -> Value:
    operand = low.value(low.arguments(node, ["x"])["x"])
    count = Size.of(1)
    for size in operand.shape:
        count = count * size
    flat = Axis(count)
    return low.builder.operation(
        "reshape",
        [operand],
        [flat],
        operand.entry(*unravel(Index.of(flat), operand.shape)),
        template="reshape({0}, (-1,))",
        latex=r"\operatorname{{vec}}({0})",
        span=node.span,
    )


@function("transpose")
def _transpose(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["x"], ["axes"])
    operand = low.value(given["x"])
    rank = len(operand.shape)
    order = list(reversed(range(rank)))
    if "axes" in given:
        order = low.axis_list(given["axes"], rank, node)
        if len(order) != rank:
            raise low.shape_error(f"'transpose' needs all {rank} axes, found {len(order)}", node)
    axes = [Axis(operand.shape[k]) for k in order]
    at = [axes[order.index(k)] for k in range(rank)]
    plain = order == list(reversed(range(rank)))
    return low.builder.operation(
        "transpose",
        [operand],
        axes,
        operand.entry(*at),
        template="{0}.T" if plain else f"transpose({{0}}, {tuple(order)})",
        latex=r"{0}^{{\top}}",
        attributes=tuple(order),
        span=node.span,
    )


def _triangle(name: str, lower: bool) -> None:
    @function(name)
    def handler(low: Lowering, node: Node) -> Value:
        given = low.arguments(node, ["A"], ["k"])
        operand = low.value(given["A"])
        shift = low.integer(given["k"], "k") if "k" in given else 0
        if len(operand.shape) < 2:
            raise low.shape_error(
                f"'{name}' needs a matrix, found {shape_text(operand.shape)}", node
            )
        axes = [Axis(s) for s in operand.shape]
        distance = Index.of(axes[-1]) - Index.of(axes[-2]) - shift
        inside = b.bracket("<=", distance if lower else -distance)
        option = f", k={shift}" if shift else ""
        return low.builder.operation(
            name,
            [operand],
            axes,
            b.mul(inside, operand.entry(*axes)),
            template=f"{name}({{0}}{option})",
            latex=rf"\operatorname{{{{{name}}}}}({{0}})",
            span=node.span,
        )


_triangle("tril", lower=True)
_triangle("triu", lower=False)


@function("eye")
def _eye(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["n"], ["m"])
    rows = low.extent(given["n"])
    columns = low.extent(given["m"]) if "m" in given else rows
    i, j = Axis(rows), Axis(columns)
    text = f"eye({rows})" if rows == columns else f"eye({rows}, {columns})"
    return low.builder.named_constant(
        text, rf"I_{{{rows}}}", Tensor((i, j), b.delta(i, j)), node.span
    )


def _filled(name: str, value: Expr, symbol: str) -> None:
    @function(name)
    def handler(low: Lowering, node: Node) -> Value:
        sizes = low.size_tuple(low.arguments(node, ["shape"])["shape"])
        listed = ", ".join(map(str, sizes)) + ("," if len(sizes) == 1 else "")
        shown = r" \times ".join(map(str, sizes))
        latex = rf"\mathbf{{{symbol}}}_{{{shown}}}"
        tensor = Tensor(tuple(Axis(s) for s in sizes), value)
        return low.builder.named_constant(f"{name}(({listed}))", latex, tensor, node.span)


_filled("ones", ONE, "1")
_filled("zeros", ZERO, "0")
