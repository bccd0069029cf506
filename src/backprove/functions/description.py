"""One function, described as a result."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import Any

from backprove.functions.records import AxisRecord, FunctionRecord, Kink, number_text
from backprove.functions.table import ALONG_AXIS, lookup
from backprove.functions.typesetting import typeset
from backprove.results import Block, Cell, Formula, Heading, Result, Table, Text

_ARGUMENTS = ("x", "y")


@dataclass
class FunctionDescription(Result):
    """An elementwise function as a result.

    Args:
        record: what is known about the function.
    """

    record: FunctionRecord

    def blocks(self) -> list[Block]:
        record = self.record
        given = ", ".join(f"{name} = {value:g}" for name, value in record.parameters.items())
        blocks: list[Block] = [Heading(record.name + (f" with {given}" if given else ""))]
        if record.words:
            blocks.append(Text(f"`{record.name}` is {record.words}."))
        blocks.extend(_formulas(record))
        blocks.append(Table(("property", "value"), _facts(record)))
        if record.kinks:
            blocks.append(_kink_table(record.kinks))
        blocks.append(Text(f"Source: {record.source}."))
        return blocks

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "function", **self.record.to_dict()}


@dataclass
class AxisDescription(Result):
    """A function along an axis as a result.

    Args:
        record: what is known about the function.
    """

    record: AxisRecord

    def blocks(self) -> list[Block]:
        record = self.record
        symbol = record.typeset("z")
        output, slope = ("f", "∇f") if record.reduces else ("f[i]", "J")
        output_latex = symbol if record.reduces else rf"{symbol}_{{i}}"
        slope_latex = r"\left(\nabla f\right)^\top" if record.reduces else "J"
        return [
            Heading(record.name),
            Text(
                "`f` is the function of one vector `z` of length `K` along the axis (the last one "
                "unless `axis` says otherwise); `s = softmax(z)`, `g` is an upstream gradient and "
                "`t` a tangent."
            ),
            Formula(
                f"{output_latex} = {record.formula_latex}",
                f"{output} = {record.entry}",
                "definition",
            ),
            Formula(
                f"{slope_latex} = {record.jacobian_latex}",
                f"{slope} = {record.jacobian}",
                "derivative",
            ),
            Table(
                ("property", "value"),
                [
                    ["derivative in index form", record.jacobian_entry],
                    ["VJP", record.vjp],
                    ["JVP", record.jvp],
                    ["Lipschitz constant (2-norm)", _optional(record.lipschitz)],
                ],
            ),
            Table(
                ("law", "reason"),
                [[Cell(law.text, law.latex), law.because] for law in record.invariants],
                "Laws that hold for every K",
            ),
            Text(f"Source: {record.source}."),
        ]

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "axis function", **self.record.to_dict()}


def describe(name: str, **parameters: float) -> FunctionDescription | AxisDescription:
    """Describe a function of the table.

    Args:
        name: a name or an alias.
        parameters: parameters of a family, such as ``slope`` of ``leaky_relu``.

    Returns:
        The description.

    Raises:
        UnknownName: no such function; the hint names close ones.
        InputError: the function has no such parameter.

    >>> describe("relu").to_dict()["kinks"][0]["taken"]
    0.0
    """
    if name in ALONG_AXIS and not parameters:
        return AxisDescription(ALONG_AXIS[name])
    return FunctionDescription(lookup(name, **parameters))


def _formulas(record: FunctionRecord) -> list[Formula]:
    arguments = _ARGUMENTS[: record.arity]
    call = f"{record.name}({', '.join(arguments)})"
    symbol = record.typeset(*arguments)
    definition = record.words or record.formula
    formulas = []
    if record.formula_latex != symbol:
        formulas.append(
            Formula(f"{symbol} = {record.formula_latex}", f"{call} = {definition}", "definition")
        )
    for argument, text in zip(arguments, record.derivatives, strict=True):
        formulas.append(
            Formula(
                rf"\frac{{\partial}}{{\partial {argument}}} {symbol} = {typeset(text)}"
                if record.arity > 1
                else rf"\frac{{d}}{{d{argument}}} {symbol} = {typeset(text)}",
                f"d {call}/d{argument} = {text}",
                "derivative",
            )
        )
    if record.arity == 1:
        formulas.append(
            Formula(
                rf"\frac{{d^2}}{{dx^2}} {symbol} = {typeset(record.second_derivative)}",
                f"d² {call}/dx² = {record.second_derivative}",
                "second derivative",
            )
        )
    return formulas


def _facts(record: FunctionRecord) -> list[list[str]]:
    excluded = f" without {record.excluded}" if record.excluded else ""
    lines = dict.fromkeys(
        line.line + (f" ({line.side})" if line.side else f" (x → {number_text(line.towards)})")
        for line in record.asymptotes
    )
    monotone = record.monotone
    if monotone != "neither":
        monotone = f"{'strictly ' if record.strict else ''}{monotone}"
    if record.arity > 1:
        monotone += " in each argument"
    facts = [
        ["other names", ", ".join(record.aliases)],
        ["domain", f"{record.domain}{excluded}"],
        ["range", str(record.range)],
        ["monotone", monotone],
        ["Lipschitz constant", _optional(record.lipschitz)],
        ["symmetry", {"odd": "odd (zero-centred)", "even": "even"}.get(record.symmetry, "")],
        ["asymptotes", ", ".join(lines)],
    ]
    return [fact for fact in facts if fact[1]]


def _kink_table(kinks: tuple[Kink, ...]) -> Table:
    return Table(
        ("where", "slope from the left", "from the right", "taken", "note"),
        [
            [
                kink.condition,
                "none" if isnan(kink.left) else number_text(kink.left),
                "none" if isnan(kink.right) else number_text(kink.right),
                number_text(kink.taken),
                kink.note,
            ]
            for kink in kinks
        ],
        "Points without derivative",
    )


def _optional(lipschitz: float | None) -> str:
    return "none" if lipschitz is None else number_text(lipschitz)
