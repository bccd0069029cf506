"""Programs from Python functions on JAX arrays: every equation of the jaxpr becomes a value.

Named sizes stay symbolic: the function is traced with symbolic dimensions, never with numbers in
their place. What a primitive computes is written in index notation in
:mod:`backprove.calculus.primitives`; a primitive that is not there is an error that names it and
the line of the function. Functions with a derivative rule of their own (``jax.custom_jvp``) are
differentiated through their definition, and the program's text says so.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export
from jax._src import source_info_util
from jax.extend import core

from backprove.calculus.primitives import PRIMITIVES, Equation, Tracer
from backprove.calculus.primitives_shapes import split
from backprove.calculus.traced import Traced, literal, table_tensor
from backprove.calculus.tracing_constants import folded_constants
from backprove.calculus.tracing_linear_algebra import linear_algebra
from backprove.errors import BackproveError, ShapeError, UnknownName, Unsupported
from backprove.notation.axes import Index, Size
from backprove.notation.expressions import Array
from backprove.notation.operations import Builder, Program
from backprove.notation.syntax import deep_recursion

_INLINED = ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "remat2", "checkpoint")


def trace(fn: Callable[..., Any], symbols: Mapping[str, Array]) -> Program:
    """The program of a Python function on JAX arrays.

    Args:
        fn: a function whose arguments are called like the symbols; it returns one array.
            Arguments with a default that are no symbols keep their default.
        symbols: the declared symbols by name, with their shapes.

    Returns:
        The program, with a value ``h1``, ``h2``, ... for every operation that the output needs.

    Raises:
        UnknownName: an argument of the function is no symbol.
        ShapeError: JAX finds that shapes do not fit.
        Unsupported: a primitive that has no definition here, or values that decide what is traced.

    >>> from backprove.notation.shapes import declare
    >>> trace(lambda X, w: X @ w, declare({"X": "n d", "w": "d"})).output.shape
    (n,)
    """
    names = _arguments(fn, symbols)
    with jax.enable_x64(True):
        dimensions = _dimensions(symbols)
        specs = [
            jax.ShapeDtypeStruct(tuple(_dimension(s, dimensions) for s in symbols[n].shape), float)
            for n in names
        ]
        closed = _jaxpr(fn, names, specs)
    builder = Builder()
    tracer = _Reader(builder)
    inputs = [Traced.of(builder.symbol(symbols[n])) for n in names]
    with deep_recursion():
        outputs = tracer.run(closed.jaxpr, closed.consts, inputs)
    if len(outputs) != 1:
        raise Unsupported(
            f"the function returns {len(outputs)} arrays; expected one",
            hint="Return the array whose derivative is wanted.",
        )
    output = tracer.value(outputs[0], "the output")
    program = builder.program(output, dict(symbols))
    program.text = _text(fn, names, tracer.custom)
    return program


def _text(fn: Callable[..., Any], names: Sequence[str], custom: Sequence[str]) -> str:
    name = getattr(fn, "__name__", type(fn).__name__).replace("<lambda>", "f")
    text = f"{name}({', '.join(names)})"
    if custom:
        shown = ", ".join(dict.fromkeys(custom))
        text += f" (differentiated through the definition of {shown}, not by its custom rule)"
    return text


def _arguments(fn: Callable[..., Any], symbols: Mapping[str, Array]) -> list[str]:
    names: list[str] = []
    for name, parameter in inspect.signature(fn).parameters.items():
        if name in symbols:
            names.append(name)
        elif parameter.default is inspect.Parameter.empty:
            raise UnknownName(
                f"the argument '{name}' of the function is not declared",
                hint=f"Declared: {', '.join(symbols) or 'nothing'}; give its shape.",
            )
    return names


def _jaxpr(fn: Callable[..., Any], names: Sequence[str], specs: Sequence[Any]) -> Any:
    def by_position(*arrays: Any) -> Any:
        return fn(**dict(zip(names, arrays, strict=True)))

    try:
        return jax.make_jaxpr(by_position)(*specs)
    except BackproveError:
        raise
    except jax.errors.TracerArrayConversionError as error:
        raise Unsupported(
            f"the function needs an array as numbers while it is traced: {_first_line(error)}",
            hint="Use the functions of jax.numpy in place of NumPy's.",
        ) from error
    except jax.errors.InconclusiveDimensionOperation as error:
        raise Unsupported(
            f"the function needs a named size as a number: {_first_line(error)}",
            hint="Declare the size as a number, as in shapes={'x': '4'}.",
        ) from error
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.NonConcreteBooleanIndexError,
    ) as error:
        raise Unsupported(
            f"the function decides something by the values of its arrays: {_first_line(error)}",
            hint="Use jnp.where in place of if.",
        ) from error
    except (TypeError, ValueError) as error:
        raise ShapeError(
            f"the function cannot be traced with these shapes: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


# --- sizes ------------------------------------------------------------------------------------


def _dimensions(symbols: Mapping[str, Array]) -> dict[str, Any]:
    """A symbolic dimension of JAX for every named size."""
    names = sorted({n for a in symbols.values() for s in a.shape for n in s.names()})
    return dict(zip(names, export.symbolic_shape(", ".join(names)), strict=True)) if names else {}


def _dimension(size: Size, dimensions: Mapping[str, Any]) -> Any:
    total: Any = 0
    for monomial, coefficient in size.terms:
        part: Any = coefficient
        for atom, power in monomial:
            if not isinstance(atom, str):
                raise Unsupported(f"the size {size} cannot be traced", hint="Name it.")
            part = part * dimensions[atom] ** power
        total = total + part
    return total


def size_of(dimension: Any) -> Size:
    """The size that a dimension of JAX stands for.

    Raises:
        Unsupported: the dimension is no polynomial, such as ``min(n, 3)``.

    >>> size_of(3)
    3
    """
    if isinstance(dimension, (int, np.integer)):
        return Size.of(int(dimension))
    tree = ast.parse(str(dimension).replace("^", "**"), mode="eval").body
    found = _size_of_tree(tree)
    if found is None:
        raise Unsupported(
            f"the size {dimension} depends on which of several sizes is greater",
            hint="Declare the size as a number, or slice with bounds that surely fit.",
        )
    return found


def _size_of_tree(tree: ast.expr) -> Size | None:
    match tree:
        case ast.Constant(value=int() as number):
            return Size.of(number)
        case ast.Name(id=name):
            return Size.named(name)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            operand = _size_of_tree(inner)
            return None if operand is None else -operand
        case ast.BinOp(left=a, op=ast.Pow(), right=ast.Constant(value=int() as power)):
            base, result = _size_of_tree(a), Size.of(1)
            for _ in range(power):
                result = result * (base or 0)
            return None if base is None else result
        case ast.BinOp(left=a, op=op, right=c):
            left, right = _size_of_tree(a), _size_of_tree(c)
            if left is None or right is None:
                return None
            if isinstance(op, ast.Mult):
                return left * right
            return left + right if isinstance(op, ast.Add) else left - right
        case ast.Call(func=ast.Name(id="floordiv"), args=[a, ast.Constant(value=int() as n)]):
            inner = _size_of_tree(a)
            return None if inner is None else inner.floor_divide(n)
    return None


# --- equations --------------------------------------------------------------------------------


class _Reader(Tracer):
    """Reads equations in order; calls of other functions are read in place."""

    def __init__(self, builder: Builder) -> None:
        super().__init__(builder, size_of)
        self.custom: list[str] = []
        self._lines = ["in an unknown line"]

    def run(self, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Traced]) -> list[Traced]:
        """The outputs of a jaxpr."""
        known: dict[Any, Traced] = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, const in zip(jaxpr.constvars, consts, strict=True):
            known[variable] = literal(self.builder, const)

        def read(atom: Any) -> Traced:
            if isinstance(atom, core.Literal):
                return literal(self.builder, atom.val)
            return known[atom]

        for equation in jaxpr.eqns:
            operands = [read(a) for a in equation.invars]
            results = self._equation(equation, operands)
            known.update(zip(equation.outvars, results, strict=True))
        return [read(a) for a in jaxpr.outvars]

    def _equation(self, equation: Any, operands: list[Traced]) -> list[Traced]:
        name = equation.primitive.name
        if name == "platform_index":  # the branch for all platforms is taken below
            return [Traced((), index=Index.of(0))]
        if name == "cond" and None in (
            platforms := equation.params.get("branches_platforms") or ()
        ):
            branch = equation.params["branches"][platforms.index(None)]
            return self.run(branch.jaxpr, branch.consts, operands[1:])
        known = linear_algebra(self, equation, operands)
        if known is not None:
            return known
        if name in _INLINED:
            inner = equation.params.get("jaxpr") or equation.params["call_jaxpr"]
            if name == "custom_jvp_call":
                self.custom.append(inner.jaxpr.debug_info.func_name)
            consts, inner = getattr(inner, "consts", ()), getattr(inner, "jaxpr", inner)
            self._lines.append(_line(equation) or self._lines[-1])
            results = self.run(inner, consts, operands)
            self._lines.pop()
            return results
        handler = PRIMITIVES.get(name)
        own = Equation(
            name,
            dict(equation.params),
            tuple(size_of(d) for d in equation.outvars[0].aval.shape),
            equation.outvars[0].aval.dtype,
            tuple(getattr(a.aval, "dtype", None) for a in equation.invars),
            _line(equation) or self._lines[-1],
        )
        if any(o.table is not None for o in operands):
            folded = folded_constants(self.builder, equation, operands, own.line)
            if folded is not None:
                return folded
            if name != "gather":  # positions stay numbers
                operands = [self._written(o) for o in operands]
        if name == "split":
            return split(self, own, operands)
        if handler is None or len(equation.outvars) != 1:
            raise Unsupported(
                f"the JAX primitive '{name}' ({own.line}) is not supported",
                hint=f"Supported: {', '.join(sorted(PRIMITIVES))}.",
            )
        return [handler(self, own, operands)]

    def _written(self, operand: Traced) -> Traced:
        """A constant array as a value."""
        return operand if operand.table is None else table_tensor(self.builder, operand.table)


def _line(equation: Any) -> str:
    """File and line of the user's code that an equation comes from; empty if JAX forgot it."""
    frame = source_info_util.user_frame(equation.source_info.traceback)
    if frame is None:
        return ""
    return f"{Path(frame.file_name).name}, line {frame.start_line}"
