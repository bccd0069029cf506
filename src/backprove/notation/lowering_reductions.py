"""Functions that reduce or normalise along axes: sum, mean, var, max, norm, softmax, cumsum, ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.expressions import Expr
from backprove.notation.lowering import Handler, Lowering, function
from backprove.notation.operations import Value
from backprove.notation.syntax import Node

Reducer = Callable[[Sequence[Axis], Expr], Expr]


def _reduction(name: str, reduce: Reducer, latex: str) -> Handler:
    def handler(low: Lowering, node: Node) -> Value:
        given = low.arguments(node, ["x"], ["axis", "keepdims"])
        _refuse_other_positions(low, node, name)
        operand = low.value(given["x"])
        reduced = low.axis_list(given.get("axis"), len(operand.shape), node)
        keep = low.flag(given.get("keepdims"))
        axes = [Axis(s) for s in operand.shape]
        body = reduce([axes[k] for k in reduced], operand.entry(*axes))
        if keep:
            output = [Axis(Size.of(1)) if k in reduced else a for k, a in enumerate(axes)]
        else:
            output = [a for k, a in enumerate(axes) if k not in reduced]
        options = ""
        if "axis" in given and len(reduced) < len(operand.shape):
            shown = reduced[0] if len(reduced) == 1 else tuple(reduced)
            options = f", axis={shown}"
        elif "axis" in given and len(reduced) == len(operand.shape) == 1:
            options = f", axis={reduced[0]}"
        if keep:
            options += ", keepdims=True"
        shown_latex = latex
        if "axis" in given and len(operand.shape) > 1:
            shown_latex = latex.replace(
                "{0}", rf"{{0}};\,\text{{{{axis {', '.join(map(str, reduced))}}}}}"
            )
        return low.builder.operation(
            name,
            [operand],
            output,
            body,
            template=f"{name}({{0}}{options})",
            latex=shown_latex,
            attributes=(tuple(reduced), keep),
            span=node.span,
        )

    return handler


def _refuse_other_positions(low: Lowering, node: Node, name: str) -> None:
    """Arguments by position that mean something else in NumPy (``ord``, ``dtype``, ``out``).

    ``max(x, 0)`` is the largest entry along an axis in NumPy and the larger of two in Python and on
    paper, so that it is refused.
    """
    by_name = name in ("norm", "max", "min")
    extra = [c for c in node.children[1 if by_name else 2 :] if c.kind != "keyword"]
    if not extra:
        return
    hint = {
        "norm": "It is the 2-norm; write norm(x, axis=1).",
        "max": "Write maximum(x, y) for the larger of two, max(x, axis=0) for that along an axis.",
        "min": "Write minimum(x, y) for the smaller of two, min(x, axis=0) for that along an axis.",
    }.get(name, "")
    raise low.notation_error(
        f"'{name}' takes {'axis= and ' * by_name}keepdims= by name only", extra[0], hint
    )


def _count(axes: Sequence[Axis]) -> Expr:
    return b.mul(*(b.size_value(a.size) for a in axes))


def mean(axes: Sequence[Axis], body: Expr) -> Expr:
    """The mean over axes."""
    return b.mul(b.power(_count(axes), -1), b.total(axes, body))


def variance(axes: Sequence[Axis], body: Expr) -> Expr:
    """The biased variance over axes: the mean squared distance from the mean."""
    fresh = [Axis(a.size) for a in axes]
    inner = b.substitute(body, {a: Index.of(f) for a, f in zip(axes, fresh, strict=True)})
    return mean(axes, b.power(b.sub(body, mean(fresh, inner)), 2))


def two_norm(axes: Sequence[Axis], body: Expr) -> Expr:
    """The square root of the sum of squares over axes."""
    return b.power(b.total(axes, b.power(body, 2)), Fraction(1, 2))


def _binder(kind: str) -> Reducer:
    return lambda axes, body: b.bind(kind, axes, body, ()) if axes else body


function("sum")(_reduction("sum", b.total, r"\operatorname{{sum}}({0})"))
function("mean")(_reduction("mean", mean, r"\operatorname{{mean}}({0})"))
function("var")(_reduction("var", variance, r"\operatorname{{var}}({0})"))
function("norm")(_reduction("norm", two_norm, r"\lVert {0} \rVert"))
function("max", "amax")(_reduction("max", _binder("max"), r"\max({0})"))
function("min", "amin")(_reduction("min", _binder("min"), r"\min({0})"))
function("prod")(_reduction("prod", _binder("prod"), r"\prod({0})"))
function("logsumexp")(_reduction("logsumexp", _binder("logsumexp"), r"\operatorname{{lse}}({0})"))


def _along_axis(
    name: str, body: Callable[[Axis, Expr, Axis, Size], Expr], default: int | None
) -> Handler:
    def handler(low: Lowering, node: Node) -> Value:
        given = low.arguments(node, ["x"], ["axis"])
        operand = low.value(given["x"])
        rank = len(operand.shape)
        if rank == 0:
            raise low.shape_error(f"'{name}' needs an operand with at least one axis", node)
        if "axis" in given and (rank == 1 or not low.is_none(given["axis"])):
            along = low.one_axis(given["axis"], rank, node)
        elif "axis" in given and default is not None:
            raise low.shape_error(
                f"'{name}' runs along one axis, not over all entries",
                given["axis"],
                f"Write {name}(x, axis=0), or use ravel(x).",
            )
        elif default is None and rank > 1:
            raise low.shape_error(
                f"'{name}' of a matrix needs axis=", node, f"Write {name}(x, axis=0)."
            )
        else:
            along = rank - 1 if default is None else default % rank
        axes = [Axis(s) for s in operand.shape]
        inner = Axis(operand.shape[along])
        entry = operand.entry(*(inner if k == along else a for k, a in enumerate(axes)))
        result = body(inner, entry, axes[along], operand.shape[along])
        options = f", axis={along}" if along != rank - 1 or default is None else ""
        shown = rf"\operatorname{{{{{name}}}}}({{0}})".replace("_", r"\_")
        return low.builder.operation(
            name,
            [operand],
            axes,
            result,
            template=f"{name}({{0}}{options})",
            latex=shown,
            attributes=(along,),
            span=node.span,
        )

    return handler


def softmax_entry(inner: Axis, body: Expr, at: Axis, _size: Size) -> Expr:
    """One entry of the softmax along ``inner``."""
    return b.bind("softmax", [inner], body, [at])


def log_softmax_entry(inner: Axis, body: Expr, at: Axis, _size: Size) -> Expr:
    """One entry of the logarithm of the softmax along ``inner``."""
    own = b.substitute(body, {inner: Index.of(at)})
    return b.sub(own, b.bind("logsumexp", [inner], body, ()))


def _cumsum_entry(inner: Axis, body: Expr, at: Axis, _size: Size) -> Expr:
    earlier = b.bracket("<=", Index.of(inner) - Index.of(at))
    return b.total([inner], b.mul(earlier, body))


function("softmax")(_along_axis("softmax", softmax_entry, -1))
function("log_softmax")(_along_axis("log_softmax", log_softmax_entry, -1))
function("cumsum")(_along_axis("cumsum", _cumsum_entry, None))


@function("where")
def _where(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["condition", "x", "y"])
    operands = [low.value(given[n]) for n in ("condition", "x", "y")]
    return low.elementwise(
        "where",
        operands,
        b.where,
        "where({0}, {1}, {2})",
        r"\operatorname{{where}}({0}, {1}, {2})",
        node,
    )


@function("clip")
def _clip(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["x", "low", "high"])
    open_ended = [n for n in ("low", "high") if low.is_none(given[n])]
    if open_ended:
        return _one_sided(low, node, given, open_ended)
    operands = [low.value(given[n]) for n in ("x", "low", "high")]

    def body(x: Expr, lowest: Expr, highest: Expr) -> Expr:
        return b.fn("minimum", b.fn("maximum", x, lowest), highest)

    return low.elementwise(
        "clip", operands, body, "clip({0}, {1}, {2})", r"\operatorname{{clip}}({0}, {1}, {2})", node
    )


def _one_sided(low: Lowering, node: Node, given: dict[str, Node], open_ended: list[str]) -> Value:
    """``clip`` with None on one side is the maximum or the minimum with the other."""
    if len(open_ended) == 2:
        raise low.notation_error("'clip' needs a bound: both are None", node)
    name, bound = ("minimum", "high") if open_ended == ["low"] else ("maximum", "low")
    operands = [low.value(given["x"]), low.value(given[bound])]
    latex = rf"\{name[:3]}({{0}}, {{1}})"
    return low.elementwise(
        name, operands, lambda x, y: b.fn(name, x, y), f"{name}({{0}}, {{1}})", latex, node
    )


@function("leaky_relu")
def _leaky_relu(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["x"], ["slope"])
    operand = low.value(given["x"])
    if "slope" not in given:
        return low.elementwise(
            "leaky_relu",
            [operand],
            lambda x: b.fn("leaky_relu", x),
            "leaky_relu({0})",
            r"\operatorname{{leaky\_relu}}({0})",
            node,
        )
    slope = low.value(given["slope"])
    return low.elementwise(
        "leaky_relu",
        [operand, slope],
        lambda x, a: b.where(b.indicator(">", x), x, b.mul(a, x)),
        "leaky_relu({0}, {1})",
        r"\operatorname{{leaky\_relu}}_{{{1}}}({0})",
        node,
    )


@function("elu")
def _elu(low: Lowering, node: Node) -> Value:
    given = low.arguments(node, ["x"], ["alpha"])
    operand = low.value(given["x"])
    if "alpha" not in given:
        return low.elementwise(
            "elu",
            [operand],
            lambda x: b.fn("elu", x),
            "elu({0})",
            r"\operatorname{{elu}}({0})",
            node,
        )
    alpha = low.value(given["alpha"])
    return low.elementwise(
        "elu",
        [operand, alpha],
        lambda x, a: b.where(b.indicator(">", x), x, b.mul(a, b.fn("expm1", x))),
        "elu({0}, {1})",
        r"\operatorname{{elu}}_{{{1}}}({0})",
        node,
    )
