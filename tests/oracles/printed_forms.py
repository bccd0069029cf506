"""Every printed form of a derivative, read back and computed: the array that each one states."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import InspectLoader
from typing import Any

import jax
import numpy as np

from backprove.calculus.derivation import Derivation
from backprove.calculus.structured import StructuredArray
from backprove.errors import BackproveError
from backprove.notation import lower
from backprove.notation.axes import Size
from backprove.notation.claims import classify_claim
from backprove.notation.evaluation import Evaluator
from backprove.notation.expressions import Array
from backprove.notation.index_reader import read_index_formula
from backprove.notation.index_text import index_latex
from backprove.notation.latex_reader import latex_to_text
from oracles.jax_by_numpy import traced
from oracles.text_numpy import evaluate

Values = Mapping[str, np.ndarray]
Form = tuple[str, str, Callable[[], np.ndarray], np.ndarray]
"""What is printed, its text, its array (computed when called), and the expected array."""


def close(given: np.ndarray, expected: np.ndarray, tolerance: float = 1e-9) -> bool:
    """Whether two exact computations of one array agree up to rounding, entry by entry."""
    if given.shape != expected.shape:
        return False
    if not expected.size:
        return True
    scale = float(np.abs(expected).max()) or 1.0
    deviation = np.abs(given - expected)
    return bool(np.all(deviation <= tolerance * (np.abs(expected) + 0.1 * scale) + 1e-14))


class Forms:
    """The printed forms of one derivation at one point.

    Args:
        derivation: of order 1 or 2.
        values: an array for each symbol.
        sizes: the value of each named size.
        dense: the derivative, known to be right.
        output: the value of the expression.
    """

    def __init__(
        self,
        derivation: Derivation,
        values: Values,
        sizes: Mapping[str, int],
        dense: np.ndarray,
        output: np.ndarray,
    ) -> None:
        self.derivation, self.values, self.sizes = derivation, dict(values), dict(sizes)
        self.dense, self.output = dense, output
        self.symbols = dict(derivation.program.symbols)
        rng = np.random.default_rng(7)
        self.upstream = rng.normal(size=output.shape)
        self.tangent = rng.normal(size=values[derivation.wrt].shape)
        self.vjp, self.jvp = np.zeros(()), np.zeros(())
        if derivation.order == 1 and derivation.layout == "numerator":
            self.vjp = np.tensordot(self.upstream, dense, output.ndim)
            self.jvp = np.tensordot(dense, self.tangent, self.tangent.ndim)

    def texts(self) -> Iterator[Form]:
        """The forms that are read back as text."""
        d = self.derivation
        if not d.definitions:
            yield "index form", d.index_form, lambda: self.from_index(d.index_form), self.dense
        if d.matrix_form is not None:
            text = d.matrix_form
            yield "matrix form", text, lambda t=text: self.from_matrix(t), self.dense
        yield "structured", str(d.structure), self.from_structured, self.dense
        if d.order == 2 or d.definitions or d.layout == "denominator":
            return
        yield "structured VJP", str(d.structure), self.contracted, self.vjp
        for text, name, extra, expected in (
            (d.vjp, "G", self.upstream, self.vjp),
            (d.jvp, "V", self.tangent, self.jvp),
        ):
            while name in self.symbols:
                name += "_"
            yield text[:2], text, lambda t=text, n=name, x=extra: self.with_extra(t, n, x), expected

    def latex(self) -> Iterator[Form]:
        """The LaTeX forms, which a reader of LaTeX reads back."""
        d = self.derivation
        if d.definitions:
            return
        entries = index_latex(d.tensor, d.letter, d.program.symbols)
        yield "LaTeX of the entries", entries, lambda: self.from_latex(entries), self.dense
        if d.latex != entries:
            yield "LaTeX", d.latex, lambda: self.from_latex(d.latex), self.dense

    def code(self, target: str) -> Iterator[Form]:
        """The printed functions for one library."""
        d = self.derivation
        wanted = {"value": self.output, "jacobian": self.dense}
        if d.order == 1 and d.layout == "numerator":
            wanted |= {"vjp": self.vjp, "jvp": self.jvp}
        for what, expected in wanted.items():
            source = d.code(target, what)
            yield (
                f"{target} {what}", source, lambda s=source: self.from_code(s, target), expected
            )  # fmt: skip

    # --- reading back -----------------------------------------------------------------------

    def from_index(
        self,
        text: str,
        extra: Mapping[Array, np.ndarray] | None = None,
        shape: Sequence[Size] | None = None,
    ) -> np.ndarray:
        extra = extra or {}
        symbols = {**self.symbols, **{a.name: a for a in extra}}
        shape = self.derivation.shape if shape is None else shape
        formula = read_index_formula(text, symbols, sizes=set(self.sizes), expected_axes=shape)
        arrays = {symbols[n]: np.asarray(v, float) for n, v in self.values.items()}
        return Evaluator({**arrays, **extra}, self.sizes).tensor(formula.tensor)

    def from_matrix(self, text: str, **extra: np.ndarray) -> np.ndarray:
        return np.asarray(evaluate(text, {**self.sizes, **self.values, **extra}), float)

    def from_structured(self) -> np.ndarray:
        found = self.derivation.evaluate(self.values, form="structured")
        assert isinstance(found, StructuredArray)
        return found.to_dense()

    def contracted(self) -> np.ndarray:
        found = self.derivation.evaluate(self.values, form="structured")
        assert isinstance(found, StructuredArray)
        return found.contract(self.upstream)

    def with_extra(self, text: str, name: str, extra: np.ndarray) -> np.ndarray:
        left, _, right = text.partition(" = ")
        shape, result = self.derivation.program.output.shape, self.derivation.array.shape
        if name[0] == "V":
            shape, result = result, shape
        if "[" not in left:
            try:
                return self.from_matrix(right, **{name: extra})
            except SyntaxError:
                pass  # a scalar in index notation
        return self.from_index(text, {Array(name, shape): extra}, result)

    def from_latex(self, latex: str) -> np.ndarray:
        text = latex_to_text(latex, self.symbols, sizes=set(self.sizes)).text
        left, _, right = text.partition(" = ")
        if "[" in left or classify_claim(right, self.symbols).kind == "index":
            return self.from_index(text)
        program = lower(right, self.symbols, sizes=set(self.sizes))
        arrays = {self.symbols[n]: np.asarray(v, float) for n, v in self.values.items()}
        return Evaluator(arrays, self.sizes).tensor(program.tensor())

    def from_code(self, source: str, target: str) -> np.ndarray:
        function = function_of_source(source)
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        extra = {names[-1]: {"vjp": self.upstream, "jvp": self.tangent}.get(function.__name__)}
        given = {n: extra[n] if extra.get(n) is not None else self.values[n] for n in names}
        if target == "torch":
            import torch

            found = function(**{n: torch.tensor(v) for n, v in given.items()})
            assert found.dtype == torch.float64
            return found.numpy()
        if target == "jax":
            return np.asarray(traced(function, *given.values()))
        return np.asarray(function(**given))


def function_of_source(source: str) -> Callable[..., Any]:
    """The last function of a printed source, imported as a module of its own."""
    name = source.rpartition("\ndef ")[2].partition("(")[0]
    loader = _Printed(source)
    spec = importlib.util.spec_from_loader("printed", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return getattr(module, name)


class _Printed(InspectLoader):
    """Loads a module from its text, without a file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def get_source(self, fullname: str) -> str:
        """The text, whatever the module is called."""
        return self.source


def wrong(form: Form, tolerance: float = 1e-8) -> str:
    """What is wrong about a form; empty if it states the expected array."""
    name, text, compute, expected = form
    try:
        given = compute()
    except BackproveError as error:
        return f"{name} cannot be read back: {error}\n{text}"
    if given.shape != expected.shape:
        return f"{name} has shape {given.shape}, not {expected.shape}\n{text}"
    if not close(given, expected, tolerance):
        worst = float(np.abs(given - expected).max(initial=0.0))
        return f"{name} is wrong by {worst:.1e}\n{text}"
    return ""


__all__ = ["Forms", "close", "function_of_source", "jax", "wrong"]
