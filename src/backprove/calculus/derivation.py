"""``derive``: the derivative of any expression, with its forms, its steps and its verification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backprove.calculus import numeric
from backprove.calculus.accumulation import Backward, backward, tangent
from backprove.calculus.rules import partial
from backprove.calculus.steps import Step, derivation_steps
from backprove.calculus.structure import Structure, classify
from backprove.calculus.structured import StructuredArray, structured_array
from backprove.errors import DomainError, NotationError, ShapeError, UnknownName
from backprove.notation import building as b
from backprove.notation.axes import Axis, Size, shape_text
from backprove.notation.evaluation import Evaluator, run_program
from backprove.notation.expressions import ZERO, Array, Tensor
from backprove.notation.index_text import index_latex, index_text
from backprove.notation.lowering import lower
from backprove.notation.matrix_form import matrix_form
from backprove.notation.matrix_terms import Term
from backprove.notation.operations import Program
from backprove.notation.shapes import ShapeLike, declare
from backprove.results import (
    Block,
    Details,
    Evidence,
    Formula,
    Result,
    Table,
    Text,
)

MAX_INLINED_OPERATIONS = 120
TOLERANCE = 1e-6
LAYOUTS = ("numerator", "denominator")
_STRUCTURAL_FACTS = ("symmetric", "spd", "prob", "sum1", "onehot", "pm1", "binary")


@dataclass(frozen=True)
class Verification:
    """What the numerical check of a derivative found.

    Attributes:
        error: the largest deviation from finite differences, relative to the derivative's scale.
        points: how many points were compared; 0 if none could be.
        sizes: the sizes used for named sizes.
        skipped: entries left out because of a kink.
        passed: whether all compared entries agree to 1e-6.
        reason: why nothing was compared, if so.
    """

    error: float
    points: int
    sizes: dict[str, int]
    skipped: int = 0
    reason: str = ""

    @property
    def passed(self) -> bool:
        """True if at least one point was compared and all agree."""
        return self.points > 0 and self.error <= TOLERANCE

    def __str__(self) -> str:
        if not self.points:
            return f"not verified: {self.reason}"
        shown = ", ".join(f"{n}={v}" for n, v in self.sizes.items())
        state = "agrees with" if self.passed else "DIFFERS from"
        kinks = f"; {self.skipped} entries at kinks left out" if self.skipped else ""
        at = f" ({shown})" if shown else ""
        return f"{state} finite differences to {self.error:.1e} at {self.points} points{at}{kinks}"


@dataclass
class Derivation(Result):
    """A derivative: its shape, its forms, how it came about, and how it was verified.

    Attributes:
        f: the expression.
        wrt: the symbol that it is differentiated by.
        program: the operations of the expression.
        array: the symbol as an array.
        order: 1 for the Jacobian, 2 for the Hessian.
        layout: ``numerator`` (output shape, then input shape) or ``denominator``.
        tensor: the derivative in index notation, axes in the order of ``shape``.
        outputs: the axes of ``tensor`` that belong to the output.
        definitions: intermediate values that ``tensor`` refers to; empty if all are written out.
        note: a convention that the answer follows, such as the unstructured derivative.
    """

    f: str
    wrt: str
    program: Program
    array: Array
    order: int
    layout: str
    tensor: Tensor
    outputs: tuple[Axis, ...]
    definitions: dict[Array, Tensor] = field(default_factory=dict)
    passes: Backward | None = None
    note: str = ""

    # --- forms ------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[Size, ...]:
        """The shape of the derivative: output shape x input shape in numerator layout."""
        return self.tensor.shape

    @property
    def letter(self) -> str:
        """``J`` for a Jacobian, ``H`` for a Hessian."""
        return "J" if self.order == 1 else "H"

    @cached_property
    def index_form(self) -> str:
        """The derivative in index notation, such as ``J[i,j,k,l] = X[i,l]·[j=k]``."""
        return index_text(self.tensor, self.letter)

    @cached_property
    def _matrix(self) -> tuple[Term | None, str]:
        if self.definitions:
            return None, "the expression is too long to write without intermediate names"
        term, reason = matrix_form(self.tensor)
        if term is None:
            return None, reason
        if not _prints_right(term, self):
            return None, "the matrix form could not be verified against the index form"
        return term, ""

    @property
    def matrix_form(self) -> str | None:
        """The derivative as a matrix expression, or None (:attr:`matrix_form_reason` says why)."""
        term = self._matrix[0]
        return term.text if term else None

    @property
    def matrix_form_reason(self) -> str:
        """Why there is no matrix form; empty if there is one."""
        return self._matrix[1]

    @cached_property
    def latex(self) -> str:
        """The derivative in LaTeX: matrix form where there is one, else index form."""
        term = self._matrix[0]
        if term is None:
            return index_latex(self.tensor, self.letter)
        return f"{self._symbol_latex} = {term.latex}"

    @property
    def _symbol_latex(self) -> str:
        if self.order == 2:
            return "H"
        return "J" if self.outputs else r"\nabla f"

    @cached_property
    def structure(self) -> Structure:
        """What kind of tensor the derivative is, with the number of structural nonzeros."""
        if self.order == 1:
            return classify(self.tensor, self.outputs)
        return classify(self.tensor, self.tensor.axes[: -len(self.array.shape) or None])

    @cached_property
    def gradient(self) -> str | None:
        """For a scalar output, the gradient: the matrix form in the shape of the input."""
        if self.program.output.shape or self.order != 1:
            return None
        return self.matrix_form or self.index_form.partition(" = ")[2]

    @cached_property
    def kronecker(self) -> list[tuple[str, str]]:
        """For rank 4, the flattened Jacobian as a Kronecker product, with the vec orders named."""
        from backprove.calculus.kronecker import kronecker_forms

        return kronecker_forms(self.tensor, self.outputs)

    @cached_property
    def _vjp_tensor(self) -> Tensor:
        seed = Array(_free_name("G", self.program), self.program.output.shape)
        passes = backward(self.program, [self.array], seed)
        return _adjoint(passes, self.program, self.array)

    @cached_property
    def vjp(self) -> str:
        """The vector-Jacobian product for an upstream gradient ``G`` of the output's shape."""
        name = f"d{self.wrt}"
        term, _ = matrix_form(self._vjp_tensor)
        if term is not None:
            return f"{name} = {term.text}"
        return index_text(self._vjp_tensor, name)

    @cached_property
    def _jvp_tensor(self) -> Tensor:
        seed = Array(_free_name("V", self.program), self.array.shape)
        flow = tangent(self.program, {self.array: seed})
        return Tensor(flow.axes, _inlined(flow.body, self.program)[0])

    @cached_property
    def jvp(self) -> str:
        """The Jacobian-vector product for a tangent ``V`` of the input's shape."""
        term, _ = matrix_form(self._jvp_tensor)
        if term is not None:
            return f"df = {term.text}"
        return index_text(self._jvp_tensor, "df")

    @cached_property
    def steps(self) -> list[Step]:
        """The steps that computed the derivative, each with its numerical error."""
        return derivation_steps(self.program, self.array, self.passes)

    # --- numbers ----------------------------------------------------------------------------

    def evaluate(
        self, values: Mapping[str, Any], form: str = "dense"
    ) -> np.ndarray | StructuredArray:
        """The derivative at given inputs.

        Args:
            values: an array for each symbol of the expression.
            form: ``dense`` for an array of :attr:`shape`, ``structured`` for deltas and factors
                kept apart.

        Raises:
            DomainError: a symbol has no value, or an operation leaves its domain; it is named.
            ShapeError: a value does not have the declared shape.
        """
        if form not in ("dense", "structured"):
            raise DomainError(f"form is {form!r}; expected 'dense' or 'structured'")
        inputs, sizes = bind_values(self.program, values)
        arrays = run_program(self.program, inputs, sizes)
        _check_finite(self.program, arrays)
        if form == "structured":
            return structured_array(self.tensor, arrays, sizes)
        return Evaluator(arrays, sizes).tensor(self.tensor)

    @cached_property
    def verification(self) -> Verification:
        """The numerical check at 3 points; computed once."""
        return self.verify()

    def verify(self, points: int = 3, seed: int = 0) -> Verification:
        """Compare every entry with finite differences at random points of the domain.

        Args:
            points: how many points.
            seed: the seed of the random numbers.
        """
        return _verify(self, points, seed)

    def code(self, target: str = "numpy", what: str = "jacobian") -> str:
        """Runnable source for ``numpy``, ``jax`` or ``torch``.

        Args:
            target: the library.
            what: ``value``, ``jacobian``, ``vjp`` (takes the upstream gradient ``g``) or ``jvp``
                (takes the tangent ``v``).
        """
        from backprove.calculus.code import generate

        return generate(self, target, what)

    # --- as a result ------------------------------------------------------------------------

    @property
    def shape_statement(self) -> str:
        """The shape in words: output shape x input shape, with the row vector of a scalar."""
        own = shape_text(self.shape)
        if not self.outputs and self.order == 1 and len(self.array.shape) == 1:
            return f"1×{self.array.shape[0]} (as an array: ({self.array.shape[0]},))"
        return own

    def blocks(self) -> list[Block]:
        found: list[Block] = [
            Text(
                f"`f = {self.f}`, differentiated by `{self.wrt}`"
                + (" twice" if self.order == 2 else "")
                + f". Shape {self.shape_statement} ({self.layout} layout: "
                + ("output × input" if self.layout == "numerator" else "input × output")
                + f"). Structure: {self.structure.kind}, {self.structure.nonzeros} of "
                + f"{self.structure.entries} entries can differ from zero. {self.structure.reason}"
            )
        ]
        found.append(
            Formula(
                index_latex(self.tensor, self.letter),
                self.index_form,
                "index form",
                self.index_form,
            )
        )
        term, reason = self._matrix
        if term is not None:
            label = "gradient" if not self.outputs and self.order == 1 else "matrix form"
            found.append(
                Formula(f"{self._symbol_latex} = {term.latex}", term.text, label, term.text)
            )
        elif len(self.shape) <= 2:
            found.append(Text(f"No matrix form: {reason}."))
        for order, form in self.kronecker:
            found.append(Formula("", form, order))
        if self.order == 1:
            vjp_term, _ = matrix_form(self._vjp_tensor)
            if vjp_term is not None:
                left = rf"\overline{{{self.wrt}}}"
                found.append(Formula(f"{left} = {vjp_term.latex}", self.vjp, "VJP", self.vjp))
            else:
                found.append(
                    Formula(index_latex(self._vjp_tensor, f"d{self.wrt}"), self.vjp, "VJP")
                )
        if self.definitions:
            found.append(self._definitions_table())
        if self.note:
            found.append(Text(self.note))
        found.append(Evidence("measured", f"The derivative {self.verification}."))
        found.append(Details("Steps", [self._steps_table()]))
        return found

    def _steps_table(self) -> Table:
        rows = [
            (s.rule, s.before, s.after, "" if s.error is None else f"{s.error:.0e}")
            for s in self.steps
        ]
        return Table(("rule", "before", "after", "error"), rows, "each step, checked numerically")

    def _definitions_table(self) -> Table:
        used = [
            (v.name, v.template.format(*(i.name for i in v.inputs)))
            for v in self.program.operations
        ]
        return Table(("name", "value"), used, "where")

    def to_dict(self) -> dict[str, Any]:
        check = self.verification
        return {
            "f": self.f,
            "wrt": self.wrt,
            "order": self.order,
            "layout": self.layout,
            "shape": [str(s) for s in self.shape],
            "index_form": self.index_form,
            "matrix_form": self.matrix_form,
            "matrix_form_reason": self.matrix_form_reason or None,
            "latex": self.latex,
            "structure": {
                "kind": self.structure.kind,
                "nonzeros": self.structure.nonzeros,
                "entries": self.structure.entries,
                "reason": self.structure.reason,
            },
            "gradient": self.gradient,
            "vjp": self.vjp if self.order == 1 else None,
            "jvp": self.jvp if self.order == 1 else None,
            "kronecker": [{"vec": o, "form": f} for o, f in self.kronecker],
            "note": self.note or None,
            "steps": [s.to_dict() for s in self.steps],
            "verification": {
                "passed": check.passed,
                "error": check.error if check.points else None,
                "points": check.points,
                "sizes": check.sizes,
                "skipped": check.skipped,
                "reason": check.reason or None,
                "level": "measured",
            },
        }


@dataclass
class Derivations(Result):
    """The derivatives of one expression by several symbols, by name."""

    parts: dict[str, Derivation]

    def __getitem__(self, name: str) -> Derivation:
        return self.parts[name]

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self.parts.values())

    def __len__(self) -> int:
        return len(self.parts)

    def blocks(self) -> list[Block]:
        return [block for part in self.parts.values() for block in part.blocks()]

    def to_dict(self) -> dict[str, Any]:
        return {name: part.to_dict() for name, part in self.parts.items()}


def derive(
    f: Any,
    wrt: str | Sequence[str],
    shapes: Mapping[str, ShapeLike],
    *,
    order: int = 1,
    layout: str = "numerator",
    domain: Mapping[str, str] | str | None = None,
    structured: bool = False,
) -> Derivation | Derivations:
    """The derivative of an expression, of any rank.

    Args:
        f: an expression as text, or a Python function on JAX arrays whose argument names are the
            symbols.
        wrt: the symbol to differentiate by, or several.
        shapes: the shape of each symbol, such as ``{"X": "n d", "w": "d"}``.
        order: 1 for the Jacobian (shape: output x input), 2 for the Hessian (output x input x
            input).
        layout: ``numerator`` or ``denominator`` (input axes first).
        domain: where symbols live; used for sampling and for facts of other symbols.
        structured: for a symmetric matrix, the derivative under the symmetric-matrix convention
            (Matrix Cookbook, eq. 138) in place of the unstructured one.

    Returns:
        A derivation, or several by name if ``wrt`` is a list.

    Raises:
        NotationError, UnknownName, ShapeError, Unsupported: with the position in ``f``.

    >>> derive("X @ W.T", "W", {"X": "n d", "W": "k d"}).index_form
    'J[i,j,k,l] = X[i,l]·[j=k]'
    >>> derive("norm(w)**2", "w", {"w": "d"}).matrix_form
    '2*w'
    """
    if not isinstance(wrt, str):
        names = list(dict.fromkeys(wrt))
        return Derivations(
            {n: _derive_one(f, n, shapes, order, layout, domain, structured) for n in names}
        )
    return _derive_one(f, wrt, shapes, order, layout, domain, structured)


def _derive_one(f, wrt, shapes, order, layout, domain, structured) -> Derivation:  # type: ignore[no-untyped-def]
    if order not in (1, 2):
        raise NotationError(f"order is {order!r}; expected 1 (Jacobian) or 2 (Hessian)")
    if layout not in LAYOUTS:
        raise NotationError(f"layout is {layout!r}; expected {' or '.join(LAYOUTS)}")
    symbols = declare(shapes, domain)
    if wrt not in symbols:
        raise UnknownName(
            f"'{wrt}' is not declared, so nothing can be differentiated by it",
            hint=f"Declared: {', '.join(symbols) or 'nothing'}.",
        )
    facts = symbols[wrt].domain
    plain = _without_facts(symbols, wrt)
    program, text = _program(f, plain)
    array = plain[wrt]
    passes = backward(program, [array])
    tensor = _adjoint_or_zero(passes, program, array)
    outputs = tensor.axes[: len(program.output.shape)]
    body, definitions = _inlined(tensor.body, program)
    axes = tensor.axes
    if order == 2:
        second = tuple(Axis(s) for s in array.shape)
        if definitions:
            body, definitions = b.inline(body, program.definitions), {}
        body, axes = partial(body, array, second), (*axes, *second)
    note = ""
    if facts in ("symmetric", "spd"):
        body, note = _symmetric_convention(body, axes, outputs, order, structured, wrt)
    elif facts in _STRUCTURAL_FACTS:
        note = (
            f"All entries of {wrt} vary independently; "
            f"its domain ({facts}) only restricts the point."
        )
    if layout == "denominator":
        axes = (*axes[len(outputs) :], *outputs)
    return Derivation(
        text,
        wrt,
        program,
        array,
        order,
        layout,
        Tensor(axes, body),
        outputs,
        definitions,
        passes,
        note,
    )


def _without_facts(symbols: dict[str, Array], wrt: str) -> dict[str, Array]:
    """Symbols whose differentiated one carries no fact that ties its entries together.

    A derivative by a symmetric matrix or a probability vector treats entries as independent;
    using the fact before differentiating would give a wrong (or zero) derivative.
    """
    array = symbols[wrt]
    if array.domain not in _STRUCTURAL_FACTS:
        return symbols
    free = Array(array.name, array.shape, "real", array.order, array.domain)
    return {**symbols, wrt: free}


def _program(f: Any, symbols: dict[str, Array]) -> tuple[Program, str]:
    if isinstance(f, str):
        return lower(f, symbols), f
    if isinstance(f, Program):
        return f, f.text
    if callable(f):
        from backprove.calculus.tracing import trace

        program = trace(f, symbols)
        return program, program.text
    raise NotationError(f"f is {type(f).__name__}; expected text or a function on JAX arrays")


def _adjoint(passes: Backward, program: Program, array: Array) -> Tensor:
    tensor = _adjoint_or_zero(passes, program, array)
    return Tensor(tensor.axes, _inlined(tensor.body, program)[0])


def _adjoint_or_zero(passes: Backward, program: Program, array: Array) -> Tensor:
    for value in program.values:
        if value.array is array and value in passes.adjoints:
            return passes.tensor(value)
    return Tensor((*passes.output_axes, *(Axis(s) for s in array.shape)), ZERO)


def _inlined(body, program: Program):  # type: ignore[no-untyped-def]
    if len(program.operations) > MAX_INLINED_OPERATIONS:
        return body, program.definitions
    return b.inline(body, program.definitions), {}


def _free_name(name: str, program: Program) -> str:
    while name in program.symbols:
        name += "_"
    return name


def _symmetric_convention(body, axes, outputs, order, structured, wrt):  # type: ignore[no-untyped-def]
    """The symmetric-matrix convention: G + G.T - diag(G) (Matrix Cookbook, eq. 138)."""
    if not structured:
        return body, (
            f"Unstructured derivative: the entries of {wrt} vary independently. "
            "Ask for structured=True for the symmetric-matrix convention."
        )
    if order != 1:
        raise NotationError("structured=True is only available for order=1")
    row, column = axes[len(outputs) :]
    swapped = b.substitute(body, {row: b.Index.of(column), column: b.Index.of(row)})
    total = b.add(body, swapped, b.neg(b.mul(b.delta(row, column), body)))
    return total, f"Symmetric-matrix convention: entries {wrt}[i,j] and {wrt}[j,i] move together."


def bind_values(
    program: Program, values: Mapping[str, Any]
) -> tuple[dict[Array, np.ndarray], dict[str, int]]:
    """Inputs as arrays, and the sizes that their shapes give to the named sizes.

    Raises:
        DomainError: a symbol of the expression has no value, or a value is not numeric.
        ShapeError: a shape does not fit, or two shapes disagree about a named size.
    """
    arrays: dict[Array, np.ndarray] = {}
    sizes: dict[str, int] = {}
    for name, array in program.symbols.items():
        if name not in values:
            if any(v.array is array for v in program.inputs):
                raise DomainError(f"no value is given for '{name}'", hint=f"Pass {name}=...")
            continue
        try:
            value = np.asarray(values[name], dtype=float)
        except (TypeError, ValueError):
            raise DomainError(f"the value of '{name}' is not an array of numbers") from None
        if value.ndim != len(array.shape):
            raise ShapeError(
                f"'{name}' has shape {value.shape}; declared {shape_text(array.shape)}"
            )
        for size, extent in zip(array.shape, value.shape, strict=True):
            _bind_size(name, array, size, extent, value.shape, sizes)
        arrays[array] = value
    return arrays, sizes


def _bind_size(name, array, size, extent, shape, sizes) -> None:  # type: ignore[no-untyped-def]
    if len(size.terms) == 1 and size.constant is None:
        (monomial, coefficient) = size.terms[0]
        if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            known = sizes.setdefault(str(size), extent)
            if known != extent:
                raise ShapeError(
                    f"the size {size} is {known} elsewhere and {extent} in '{name}' {shape}"
                )
            return
    if size.constant is not None and size.constant != extent:
        raise ShapeError(f"'{name}' has shape {shape}; declared {shape_text(array.shape)}")


def _check_finite(program: Program, arrays: Mapping[Array, np.ndarray]) -> None:
    for value in program.operations:
        if np.all(np.isfinite(arrays[value.array])):
            continue
        operands = [i.name for i in value.inputs]
        if any(not np.all(np.isfinite(arrays.get(i.array, np.zeros(())))) for i in value.inputs):
            continue
        raise DomainError(
            f"{value.name} = {value.template.format(*operands)} is not finite at this point",
            hint=f"The operands {', '.join(operands)} are finite; "
            f"'{value.operation}' leaves its domain.",
        )


def _prints_right(term: Term, derivation: Derivation) -> bool:
    """Read the printed matrix form back and compare it with the index form at one point."""
    program = derivation.program
    try:
        printed = lower(term.text, program.symbols, sizes=set(numeric.size_names(program.symbols)))
        (point,) = numeric.points(program, count=1, seed=1)
        expected = Evaluator(point.values, point.sizes).tensor(derivation.tensor)
        arrays = run_program(printed, point.inputs, point.sizes)
        given = numeric.output_value(printed, arrays, point.sizes)
    except DomainError:
        return True
    except (NotationError, ShapeError, UnknownName):
        return False
    if given.shape != expected.shape:
        return False
    return bool(np.allclose(given, expected, rtol=1e-9, atol=1e-9, equal_nan=True))


def _verify(derivation: Derivation, count: int, seed: int) -> Verification:
    program = derivation.program
    error, skipped, compared = 0.0, 0, 0
    sizes: dict[str, int] = {}
    try:
        sizes = numeric.sample_sizes(program)
        if numeric.total_entries(derivation.shape, sizes) > 300_000:
            return Verification(
                0.0, 0, sizes, reason="the derivative is too large to compare entry by entry"
            )
        for point in numeric.points(program, count=count, seed=seed):
            sizes = point.sizes
            found = _compare_at(derivation, point)
            error, skipped, compared = (
                max(error, found.error),
                skipped + found.skipped,
                compared + 1,
            )
    except DomainError as reason:
        return Verification(error, compared, sizes, skipped, reason.message)
    return Verification(error, compared, sizes, skipped)


def _compare_at(derivation: Derivation, point: numeric.Point) -> numeric.Agreement:
    program, array = derivation.program, derivation.array
    given = Evaluator(point.values, point.sizes).tensor(derivation.tensor)
    count = len(derivation.outputs)
    if derivation.layout == "denominator":
        given = np.moveaxis(given, range(given.ndim - count, given.ndim), range(count))
    first: Tensor | None = None
    if derivation.order == 2:
        passes = derivation.passes
        assert passes is not None
        first = _adjoint_or_zero(passes, program, array)

    def function(value: np.ndarray) -> np.ndarray:
        arrays = run_program(program, {**point.inputs, array: value}, point.sizes)
        if first is not None:
            return Evaluator(arrays, point.sizes).tensor(first)
        return numeric.output_value(program, arrays, point.sizes)

    if derivation.note.startswith("Symmetric"):
        return _compare_symmetric(given, function, point.inputs[array])
    return numeric.compare(given, function, point.inputs[array])


def _compare_symmetric(given, function, at):  # type: ignore[no-untyped-def]
    """Entries (i, j) and (j, i) are moved together."""
    at = (at + at.T) / 2
    rows, columns = np.indices(at.shape)

    def moved(shift: np.ndarray) -> np.ndarray:
        both = shift + shift.T - np.where(rows == columns, shift, 0.0)
        return function(at + both)

    return numeric.compare(given, moved, np.zeros_like(at))
