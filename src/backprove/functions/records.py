"""What is known about one named function: a record of numbers and texts, and nothing else.

Texts are written in the language that people type: ``+ - * / **``, comparisons that stand for 0
or 1, ``where(condition, a, b)``, ``pi``, and the functions of the table. The argument is called
``x`` (the second one ``y``). Each rule has one place: here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isinf, isnan, pi
from typing import Any, Literal

Monotone = Literal["increasing", "decreasing", "neither"]
Symmetry = Literal["odd", "even", "none"]
ValueFunction = Callable[..., Any]

_ATOM = re.compile(r"\w|\\[A-Za-z]+|[\d.]+")


@dataclass(frozen=True)
class Interval:
    """A set of real numbers between two ends.

    Args:
        low: lower end, may be ``-inf``.
        high: upper end, may be ``inf``.
        low_closed: whether ``low`` belongs to the set.
        high_closed: whether ``high`` belongs to the set.

    >>> str(Interval(0.0, inf, low_closed=True)), 3.0 in Interval(0.0, 1.0)
    ('[0, ∞)', False)
    """

    low: float = -inf
    high: float = inf
    low_closed: bool = False
    high_closed: bool = False

    def __contains__(self, number: Any) -> bool:
        above = number > self.low or (self.low_closed and number == self.low)
        below = number < self.high or (self.high_closed and number == self.high)
        return above and below

    def __str__(self) -> str:
        left, right = "[" if self.low_closed else "(", "]" if self.high_closed else ")"
        return f"{left}{number_text(self.low)}, {number_text(self.high)}{right}"


REAL = Interval()


@dataclass(frozen=True)
class Kink:
    """A point where a function has no derivative, and what backprove takes there.

    Args:
        at: the argument; of a function of two arguments, the value of ``x - y``.
        taken: the value that the record's derivative text has there.
        left: the one-sided derivative from the left: infinite at a jump of the function, NaN if
            the domain has no left side.
        right: the one-sided derivative from the right.
        note: other choices, and what common libraries take.
        condition: where the kink is, in the language; ``x == at`` if left out.
    """

    at: float
    taken: float
    left: float
    right: float
    note: str
    condition: str = ""

    def __post_init__(self) -> None:
        if not self.condition:
            object.__setattr__(self, "condition", f"x == {number_text(self.at)}")


@dataclass(frozen=True)
class Asymptote:
    """A straight line that a function approaches.

    Args:
        towards: where the argument goes: ``-inf``, ``inf``, or a finite number for a vertical
            asymptote.
        slope: slope of the line (0 for a vertical asymptote, where it has no meaning).
        intercept: the line is ``slope*x + intercept``; at a vertical asymptote the limit of the
            function, ``inf`` or ``-inf``.
        side: the side from which a vertical asymptote is approached.
        period: distance of the next such line to the right and to the left; 0 if there is none.
    """

    towards: float
    slope: float
    intercept: float
    side: Literal["", "left", "right"] = ""
    period: float = 0.0

    @property
    def vertical(self) -> bool:
        """Whether the line is vertical."""
        return not isinf(self.towards)

    @property
    def line(self) -> str:
        """The line as an equation in ``x`` and ``y``.

        >>> Asymptote(inf, 1.0, 0.0).line, Asymptote(0.0, 0.0, -inf, side="right").line
        ('y = x', 'x = 0')
        """
        if self.vertical:
            every = f" + k*{number_text(self.period)}" if self.period else ""
            return f"x = {number_text(self.towards)}{every}"
        if self.slope == 0:
            return f"y = {number_text(self.intercept)}"
        factor = {1.0: "", -1.0: "-"}.get(self.slope, f"{number_text(self.slope)}*")
        shift = f" {'+-'[self.intercept < 0]} {number_text(abs(self.intercept))}"
        return f"y = {factor}x{shift if self.intercept else ''}"


@dataclass(frozen=True)
class FunctionRecord:
    """Everything that backprove knows about one elementwise function.

    Args:
        name: the name in the language.
        value: the numerically stable NumPy function. It keeps float16, float32 and float64,
            turns integers into float64, and takes complex128 for complex-step differentiation
            (there the branch of a piecewise function is chosen by the real part).
        formula: the definition as text.
        derivative: the derivative as text, one text for each argument.
        second_derivative: the second derivative as text; for two arguments it holds for each of
            the three second derivatives.
        latex: template of the typeset function, with ``{0}`` and ``{1}`` for the arguments.
        formula_latex: right-hand side of the definition, typeset, in ``x`` and ``y``.
        source: where the formulas are published.
        aliases: other names in the language.
        arity: number of arguments.
        parameters: parameters of the family with the values of this member (``slope`` of
            ``leaky_relu``); the texts hold the values, not the names.
        domain: where each argument may lie.
        excluded: points of ``domain`` that do not belong to it, as text.
        range: the exact set of values.
        kinks: points of the domain without derivative.
        asymptotes: the straight lines that the function approaches.
        monotone: ``increasing``, ``decreasing`` or ``neither``, on the whole domain.
        strict: whether the monotonicity is strict.
        lipschitz: the smallest Lipschitz constant on the domain (two arguments: with respect to
            the largest absolute difference), or None if there is none.
        symmetry: ``odd``, ``even`` or ``none``.
        words: what the function is, for functions that no formula of the language defines.
    """

    name: str
    value: ValueFunction
    formula: str
    derivative: str | tuple[str, ...]
    second_derivative: str
    latex: str
    formula_latex: str
    source: str
    aliases: tuple[str, ...] = ()
    arity: int = 1
    parameters: Mapping[str, float] = field(default_factory=dict)
    domain: Interval = REAL
    excluded: str = ""
    range: Interval = REAL
    kinks: tuple[Kink, ...] = ()
    asymptotes: tuple[Asymptote, ...] = ()
    monotone: Monotone = "neither"
    strict: bool = False
    lipschitz: float | None = None
    symmetry: Symmetry = "none"
    words: str = ""

    @property
    def derivatives(self) -> tuple[str, ...]:
        """The derivative texts, one for each argument."""
        return (self.derivative,) if isinstance(self.derivative, str) else self.derivative

    @property
    def zero_centred(self) -> bool:
        """Whether inputs that are symmetric about 0 give outputs with mean 0: the odd functions."""
        return self.symmetry == "odd"

    def typeset(self, *arguments: str) -> str:
        r"""The function applied to LaTeX arguments, with parentheses where they are needed.

        Args:
            arguments: one LaTeX text for each argument.

        Returns:
            LaTeX.

        >>> from backprove.functions import lookup
        >>> print(lookup("log").typeset("x"), lookup("log").typeset("x + 1"))
        \ln x \ln\left(x + 1\right)
        """
        template = self.latex
        if _ATOM.fullmatch(arguments[0]):
            template = template.replace(r"\left({0}\right)^", "{0}^")
        elif template.endswith(" {0}"):
            template = template.removesuffix(" {0}") + r"\left({0}\right)"
        return template.format(*arguments)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready data; infinite numbers are texts."""
        return {
            "name": self.name,
            "aliases": list(self.aliases),
            "arity": self.arity,
            "parameters": dict(self.parameters),
            "formula": self.formula,
            "derivative": list(self.derivatives) if self.arity > 1 else self.derivative,
            "second_derivative": self.second_derivative,
            "latex": self.latex,
            "formula_latex": self.formula_latex,
            "domain": str(self.domain),
            "excluded": self.excluded,
            "range": str(self.range),
            "kinks": [
                {
                    "where": kink.condition,
                    "taken": json_number(kink.taken),
                    "left": json_number(kink.left),
                    "right": json_number(kink.right),
                    "note": kink.note,
                }
                for kink in self.kinks
            ],
            "asymptotes": [
                {
                    "towards": json_number(line.towards),
                    "line": line.line,
                    "side": line.side,
                }
                for line in self.asymptotes
            ],
            "monotone": self.monotone,
            "strict": self.strict,
            "lipschitz": self.lipschitz,
            "symmetry": self.symmetry,
            "words": self.words,
            "source": self.source,
        }


@dataclass(frozen=True)
class Invariant:
    """A law that the output or the Jacobian of a function along an axis obeys.

    Args:
        text: the law in words and in the language.
        latex: the law, typeset.
        because: the reason, in one sentence.
    """

    text: str
    latex: str
    because: str


@dataclass(frozen=True)
class AxisRecord:
    """What is known about a function that mixes the entries along one axis.

    Texts are about one vector ``z`` of symbolic length ``K``, with output ``f``, upstream
    gradient ``g``, tangent ``t`` and ``s = softmax(z)``.

    Args:
        name: the name in the language.
        value: stable NumPy function of an array and ``axis`` (default -1).
        reduces: whether the axis disappears from the output.
        entry: one entry ``f[i]`` (or the scalar ``f``) in index form.
        formula_latex: the same, typeset.
        jacobian: the Jacobian in matrix form (the gradient, if the axis is reduced).
        jacobian_entry: the Jacobian in index form.
        jacobian_latex: the Jacobian, typeset, in matrix form.
        vjp: the product with an upstream gradient from the left.
        jvp: the product with a tangent from the right.
        invariants: laws, each with its reason.
        lipschitz: Lipschitz constant in the 2-norm that holds for every K; attained or approached.
        source: where the formulas are published.
        aliases: other names in the language.
    """

    name: str
    value: ValueFunction
    reduces: bool
    entry: str
    formula_latex: str
    jacobian: str
    jacobian_entry: str
    jacobian_latex: str
    vjp: str
    jvp: str
    invariants: tuple[Invariant, ...]
    lipschitz: float | None
    latex: str
    source: str
    aliases: tuple[str, ...] = ()

    def typeset(self, argument: str) -> str:
        """The function applied to a LaTeX argument."""
        return self.latex.format(argument)

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready data."""
        names = (
            "name reduces entry formula_latex jacobian jacobian_entry jacobian_latex vjp jvp "
            "lipschitz latex source"
        )
        data = {key: getattr(self, key) for key in names.split()}
        data["aliases"] = list(self.aliases)
        data["invariants"] = [vars(law) for law in self.invariants]
        return data


def number_text(number: float) -> str:
    """A number as short text: ``∞``, multiples of ``π`` and integers are written as such.

    Args:
        number: any real number.

    Returns:
        The text; other numbers have 6 significant digits.

    >>> number_text(inf), number_text(-pi / 2), number_text(2.0), number_text(0.1)
    ('∞', '-π/2', '2', '0.1')
    """
    if isinf(number):
        return "∞" if number > 0 else "-∞"
    if abs(number) in (pi / 2, pi):
        return ("-" if number < 0 else "") + ("π" if abs(number) == pi else "π/2")
    return f"{number:.6g}"


def json_number(number: float) -> float | str | None:
    """A number as JSON can hold it: infinities become texts, NaN becomes None."""
    if isnan(number):
        return None
    return number_text(number) if isinf(number) else number
