"""Equations of a jaxpr, and the values that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from backprove.calculus.traced import Traced, constant_tensor, table_tensor
from backprove.errors import Unsupported
from backprove.notation import building as b
from backprove.notation.axes import Axis, Index, Size
from backprove.notation.expressions import Expr, Num, Tensor
from backprove.notation.operations import Builder, Value

Body = Callable[..., Expr]


@dataclass(frozen=True)
class Equation:
    """One equation of a jaxpr.

    Attributes:
        name: the primitive.
        params: its parameters.
        shape: the shape of its output.
        dtype: the type of its output.
        dtypes: the types of its operands.
        line: where it stands in the user's code.
    """

    name: str
    params: Mapping[str, Any]
    shape: tuple[Size, ...]
    dtype: Any
    dtypes: tuple[Any, ...]
    line: str

    def refuse(self, reason: str, hint: str = "") -> NoReturn:
        """Raise Unsupported, with the primitive and the line."""
        raise Unsupported(f"the JAX primitive '{self.name}' ({self.line}) {reason}", hint=hint)


class Tracer:
    """Holds the values that equations make."""

    def __init__(self, builder: Builder, size_of: Callable[[Any], Size]) -> None:
        self.builder = builder
        self.size_of = size_of

    def value(self, traced: Traced, what: str, line: str = "") -> Value:
        """The variable as a value of its own, its broadcasting carried out."""
        place = f" ({line})" if line else ""
        if traced.stopped:
            raise Unsupported(
                f"'stop_gradient' in {what}{place} is not supported outside of a stable softmax",
                hint="Declare what must not be differentiated as a symbol of its own.",
            )
        if traced.table is not None:
            return self.value(table_tensor(self.builder, traced.table), what, line)
        if traced.index is not None or traced.parts:
            raise Unsupported(f"{what}{place} computes with positions as numbers")
        if traced.source is None:
            raise Unsupported(f"{what}{place} computes with {traced.special}")
        if traced.at == tuple(map(Index.of, traced.axes)):
            return traced.source
        shape = ", ".join(map(str, traced.shape)) + ("," if len(traced.shape) == 1 else "")
        return self.builder.operation(
            "broadcast",
            [traced.source],
            traced.axes,
            traced.entry(tuple(map(Index.of, traced.axes))),
            template=f"broadcast_to({{0}}{traced.suffix}, ({shape}))",
            latex="{0}",
            attributes=traced.shape,
        )

    def entrywise(
        self, eq: Equation, name: str, operands: Sequence[Traced], body: Body, template: str
    ) -> Traced:
        """An operation on entries; every operand has the output's shape or is a scalar."""
        axes = tuple(Axis(s) for s in eq.shape)
        values, entries, shown = [], [], template
        plain = True
        for k, operand in enumerate(operands):
            if operand.source is None or operand.stopped:
                self.value(operand, f"'{eq.name}'", eq.line)
            assert operand.source is not None
            values.append(operand.source)
            entries.append(operand.entry(aligned(operand, axes)))
            shown = shown.replace(f"{{{k}}}", f"{{{k}}}{operand.suffix}")
            plain = plain and not operand.suffix
        if not axes and all(v.kind == "constant" for v in values):
            return self._constant(body(*entries), shown.format(*(v.name for v in values)))
        if not plain or _broadcast([v.shape for v in values]) != eq.shape:
            name = f"{name} with broadcasting"
        value = self.builder.operation(
            name,
            values,
            axes,
            body(*entries),
            template=shown,
            latex=latex_of(shown),
            attributes=eq.shape,
        )
        return Traced.of(value)

    def _constant(self, body: Expr, text: str) -> Traced:
        """A number that depends on sizes alone."""
        if isinstance(body, Num):
            return Traced((), self.builder.constant(body.value))
        return constant_tensor(self.builder, f"({text})", Tensor((), body))

    def array(
        self,
        name: str,
        operands: Sequence[Value],
        axes: Sequence[Axis],
        body: Expr,
        template: str,
        attributes: tuple[object, ...] = (),
    ) -> Traced:
        """An operation on whole arrays."""
        return Traced.of(
            self.builder.operation(
                name,
                operands,
                axes,
                body,
                template=template,
                latex=latex_of(template),
                attributes=attributes,
            )
        )


Handler = Callable[[Tracer, Equation, list[Traced]], Traced]
PRIMITIVES: dict[str, Handler] = {}
"""Every primitive that is understood, by its name."""


def primitive(*names: str) -> Callable[[Handler], Handler]:
    """Register what primitives of these names compute."""

    def register(handler: Handler) -> Handler:
        for name in names:
            PRIMITIVES[name] = handler
        return handler

    return register


def aligned(operand: Traced, axes: Sequence[Axis]) -> tuple[Index, ...]:
    """The entry of an operand that goes with an entry of the output.

    Operands of one primitive have the same rank or none; axes of size 1 are repeated.
    """
    if not operand.axes:
        return ()
    return tuple(
        Index.of(0) if own.size == 1 and axis.size != 1 else Index.of(axis)
        for own, axis in zip(operand.axes, axes, strict=True)
    )


def latex_of(template: str) -> str:
    """The template as LaTeX text; braces of operands stay."""
    return rf"\mathrm{{{{{template}}}}}".replace("_", r"\_")


def _broadcast(shapes: Sequence[tuple[Size, ...]]) -> tuple[Size, ...]:
    """The common shape by NumPy's rule."""
    rank = max((len(s) for s in shapes), default=0)
    found = [Size.of(1)] * rank
    for shape in shapes:
        for k, size in enumerate(shape):
            if size != 1:
                found[rank - len(shape) + k] = size
    return tuple(found)


def suffix_of(dims: tuple[int, ...], shape: tuple[Size, ...]) -> str:
    """How an array is indexed so that NumPy broadcasts it in the same way."""
    if not dims or dims == tuple(range(len(shape) - len(dims), len(shape))):
        return ""
    shown = [":" if k in dims else "None" for k in range(dims[0], len(shape))]
    return f"[{', '.join(shown)}]"


def reduced_bind(tracer: Tracer, kind: str, value: Value, reduced: tuple[int, ...]) -> Traced:
    """A reduction such as max or logsumexp over some axes."""
    axes = [Axis(s) for s in value.shape]
    inner = [axes[k] for k in reduced]
    body = b.bind(kind, inner, value.entry(*axes), ()) if inner else value.entry(*axes)
    kept = [a for k, a in enumerate(axes) if k not in reduced]
    return tracer.array(
        kind, [value], kept, body, f"{kind}({{0}}{axis_option(reduced)})", (reduced, False)
    )


def axis_option(axes: tuple[int, ...]) -> str:
    """The text of ``axis=`` behind an operand."""
    return f", axis={axes[0] if len(axes) == 1 else axes}"


def position_text(index: Index, names: Mapping[Axis, str]) -> str:
    """An index as text, its axes named."""
    parts = [f"{c}*{names[a]}" if isinstance(a, Axis) else repr(a) for a, c in index.terms]
    return " + ".join([*parts, str(index.offset)])
