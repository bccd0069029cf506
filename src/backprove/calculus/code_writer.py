"""The lines of printed code while they are written: names, sizes, temporaries, helpers."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from backprove.calculus.code_targets import HELPER_NEEDS, Target
from backprove.errors import Unsupported
from backprove.notation.axes import Quotient, Size
from backprove.notation.building import size_of_name
from backprove.notation.expressions import Array

SUM, PRODUCT, NEGATIVE, POWER, ATOM = range(5)
"""How strongly a piece of text binds, from sums to names and calls."""

_RESERVED = {"np", "jnp", "jax", "torch", "functional", "like", "tuple", "float", "min", "max"}


@dataclass(frozen=True)
class Text:
    """A piece of printed code and how strongly it binds; ``python`` marks a Python number."""

    text: str
    strength: int = ATOM
    python: bool = False

    def within(self, strength: int) -> str:
        """The text, in parentheses if it binds less strongly."""
        return self.text if self.strength >= strength else f"({self.text})"


@dataclass
class Writer:
    """Collects the body of one function.

    Attributes:
        target: the library.
        arguments: the arrays that the function takes, in order.
        names: the name of every array in the printed code.
        lines: the statements so far.
        sizes: the names of sizes that occur, and what they are called.
        used: helpers and imports that occur.
    """

    target: Target
    arguments: list[Array]
    names: dict[Array, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    sizes: dict[str, str] = field(default_factory=dict)
    used: dict[str, None] = field(default_factory=dict)
    like: bool = False
    _taken: set[str] = field(default_factory=set)
    _count: int = 0

    def reserve(self, symbols: Iterable[Array]) -> None:
        """Give every symbol its name; words of Python and of the printed code are avoided."""
        self._taken |= _RESERVED | set(self.target.helpers)
        for array in symbols:
            self.names[array] = self.free(array.name)

    def free(self, name: str) -> str:
        """The name, with underscores behind it until nothing else is called so."""
        while name in self._taken or keyword.iskeyword(name):
            name += "_"
        self._taken.add(name)
        return name

    def temporary(self, text: str) -> str:
        """A statement ``t1 = ...`` and its name."""
        self._count += 1
        name = self.free(f"t{self._count}")
        self.lines.append(f"{name} = {text}")
        return name

    def assign(self, array: Array, text: str) -> None:
        """A statement that computes a named array."""
        self.names[array] = self.free(array.name)
        self.lines.append(f"{self.names[array]} = {text}")

    # --- functions --------------------------------------------------------------------------

    def call(self, name: str, *arguments: Text) -> Text:
        """An elementwise function of the table."""
        if name == "pow":
            base, exponent = arguments
            return Text(f"{base.within(ATOM)} ** {exponent.within(POWER)}", POWER)
        self._need(name)
        shown = [self.array(a) for a in arguments]
        return Text(self.target.functions[name].format(*shown))

    def slices(self, kind: str, text: str, axes: tuple[int, ...]) -> Text:
        """A function of the slices over ``axes``."""
        self._need(kind)
        shown = str(axes[0]) if len(axes) == 1 else str(axes)
        if kind == "prod" and self.target.torch:
            shown = str(axes)
        return Text(self.target.slices[kind].format(text, shown))

    def _need(self, name: str) -> None:
        need = self.target.needs.get(name)
        if need is None:
            return
        if need in HELPER_NEEDS and not self.target.torch:
            for other in HELPER_NEEDS[need]:
                self.used[other] = None
        self.used[need] = None

    def array(self, value: Text) -> str:
        """The text of an operand; PyTorch functions take no Python numbers."""
        if value.python and self.target.torch:
            self.like = True
            return f"torch.tensor({_as_float(value.text)}, **like)"
        return value.text

    # --- arrays -----------------------------------------------------------------------------

    @property
    def first(self) -> str:
        """The argument whose dtype and device new PyTorch tensors take."""
        return self.names[self.arguments[0]]

    def options(self) -> str:
        """What PyTorch needs to make a tensor like the arguments."""
        if not self.target.torch:
            return ""
        self.like = True
        return ", **like"

    def eye(self, size: Size) -> Text:
        """The identity matrix."""
        return Text(f"{self.target.alias}.eye({self.size(size).text}{self.options()})")

    def full(self, shape: Iterable[Size], value: str) -> Text:
        """An array of one number."""
        shown = self.shape(shape)
        return Text(f"{self.target.alias}.full({shown}, {_as_float(value)}{self.options()})")

    def arange(self, size: Size) -> Text:
        """The positions along an axis."""
        device = f", device={self.first}.device" if self.target.torch else ""
        return Text(f"{self.target.alias}.arange({self.size(size).text}{device})")

    def indicator(self, condition: Text) -> Text:
        """1.0 where the condition holds, else 0.0."""
        if condition.python:
            return Text(f"float({condition.text})", python=True)
        if self.target.torch:
            self.like = True
            return Text(f"({condition.text}).to(**like)")
        return Text(f"{self.target.alias}.where({condition.text}, 1.0, 0.0)")

    # --- sizes ------------------------------------------------------------------------------

    def size(self, size: Size) -> Text:
        """A size as a Python integer."""
        if not size.terms:
            return Text("0", python=True)
        text, single = "", len(size.terms) == 1
        for monomial, coefficient in size.terms:
            parts = [self._atom(a) + (f"**{p}" if p > 1 else "") for a, p in monomial]
            if abs(coefficient) != 1 or not parts:
                parts.insert(0, str(abs(coefficient)))
            piece = " * ".join(parts)
            if text:
                text += (" - " if coefficient < 0 else " + ") + piece
            else:
                text = ("-" if coefficient < 0 else "") + piece
        atom = (single and text.isidentifier()) or text.isdigit()
        strength = ATOM if atom else PRODUCT if single and text[0] != "-" else SUM
        return Text(text, strength, python=True)

    def _atom(self, atom: str | Quotient) -> str:
        if isinstance(atom, Quotient):
            return f"({self.size(atom.dividend).within(POWER)} // {atom.divisor})"
        if atom not in self.sizes:
            self.sizes[atom] = self.free(atom)
        return self.sizes[atom]

    def named_size(self, name: str) -> Text:
        """The value of a named size."""
        return self.size(size_of_name(name))

    def shape(self, shape: Iterable[Size]) -> str:
        """A shape as a tuple."""
        shown = [self.size(s).text for s in shape]
        return f"({shown[0]},)" if len(shown) == 1 else f"({', '.join(shown)})"

    def size_lines(self) -> list[str]:
        """The statements that read the sizes from the shapes of the arguments."""
        lines: list[str] = []
        known: set[str] = set()
        for array in self.arguments:
            axes = [str(s) for s in array.shape]
            new = [a for a in axes if a in self.sizes and a not in known]
            if not new:
                continue
            argument = self.names[array]
            if len(set(axes)) == len(axes) == len(new):
                shown = ", ".join(self.sizes[a] for a in axes)
                lines.append(f"{shown}{',' if len(axes) == 1 else ''} = {argument}.shape")
            else:
                lines += [
                    f"{self.sizes[a]} = {argument}.shape[{axes.index(a)}]"
                    for a in dict.fromkeys(new)
                ]
            known.update(new)
        missing = [s for s in self.sizes if s not in known]
        if missing:
            raise Unsupported(
                f"the size {missing[0]} cannot be read from the shape of an argument",
                hint="Declare a symbol that has an axis of this size.",
            )
        return lines


def number(value: Fraction) -> Text:
    """An exact number as a Python number."""
    if value.denominator == 1:
        strength = ATOM if value >= 0 else NEGATIVE
        return Text(str(value.numerator), strength, python=True)
    if value.denominator & (value.denominator - 1) == 0 and value.denominator <= 1 << 20:
        return Text(repr(float(value)), ATOM if value >= 0 else NEGATIVE, python=True)
    return Text(f"{value.numerator} / {value.denominator}", PRODUCT, python=True)


def _as_float(text: str) -> str:
    return (
        f"{text}.0"
        if text.lstrip("-").isdigit()
        else f"float({text})"
        if not _is_number(text)
        else text
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
