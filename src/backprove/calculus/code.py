"""Runnable source for values, Jacobians, VJPs and JVPs, for NumPy, JAX and PyTorch.

The printed code needs nothing of backprove: it imports the library, reads sizes from the shapes of
its arguments, and defines the functions that the library lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backprove.calculus.code_index import IndexCode
from backprove.calculus.code_operations import native
from backprove.calculus.code_targets import TARGETS, Target
from backprove.calculus.code_writer import Text, Writer
from backprove.calculus.verification import read_back
from backprove.errors import InputError, Unsupported
from backprove.notation.axes import shape_text
from backprove.notation.expressions import Array, Expr, Tensor
from backprove.notation.matrix_form import matrix_form
from backprove.notation.operations import Value
from backprove.notation.syntax import deep_recursion
from backprove.notation.traversal import arrays_in

if TYPE_CHECKING:
    from backprove.calculus.derivation import Derivation

KINDS = ("value", "jacobian", "vjp", "jvp")
"""What can be printed."""

_EXTRA = {"vjp": "g", "jvp": "v"}


def generate(derivation: Derivation, target: str = "numpy", what: str = "jacobian") -> str:
    """Runnable source of one function.

    Args:
        derivation: the derivative.
        target: ``numpy``, ``jax`` or ``torch``.
        what: ``value``, ``jacobian`` (a Hessian for order 2), ``vjp`` (last argument: the upstream
            gradient ``g``, of the output's shape) or ``jvp`` (last argument: the tangent ``v``, of
            the input's shape).

    Returns:
        Source that defines a function called ``what`` (``hessian`` for order 2). Its arguments are
        the symbols that it needs, in the order of their declaration.

    Raises:
        InputError: an unknown target or kind.
        Unsupported: a VJP or JVP of a Hessian or under the symmetric-matrix convention, or a size
            that no argument has.

    >>> from backprove.calculus import derive
    >>> d = derive("X @ W.T", "W", {"X": "n d", "W": "k d"})
    >>> print(generate(d).rstrip().rpartition("\\n")[2].strip())
    return np.einsum("il,jk->ijkl", X, np.eye(k))
    """
    if target not in TARGETS:
        raise InputError(f"the target is {target!r}; expected {' or '.join(TARGETS)}")
    if what not in KINDS:
        raise InputError(f"the code asked for is {what!r}; expected {' or '.join(KINDS)}")
    if what in _EXTRA and derivation.order == 2:
        raise Unsupported(
            f"a {what} is printed for order=1 only",
            hint="Derive the gradient first, or print the Hessian with what='jacobian'.",
        )
    if what in _EXTRA and derivation.note.startswith("Symmetric"):
        raise Unsupported(
            f"a {what} is not printed under the symmetric-matrix convention",
            hint="Derive without structured=True, or print what='jacobian'.",
        )
    with deep_recursion():
        return _Function(derivation, TARGETS[target], what).source()


class _Function:
    """One printed function."""

    def __init__(self, derivation: Derivation, target: Target, what: str) -> None:
        self.derivation, self.what = derivation, what
        self.program = derivation.program
        self.tensor = self._tensor()
        self.seed = self._seed()
        self.name = "hessian" if what == "jacobian" and derivation.order == 2 else what
        self.writer = Writer(target, self._arguments())
        self.writer.reserve(self.program.symbols.values())
        self.extra = self.writer.free(_EXTRA[what]) if what in _EXTRA else ""
        if self.seed is not None:
            self.writer.names[self.seed] = self.extra
        assumed = frozenset(s for s, _ in self.program.assumptions)
        self.index = IndexCode(self.writer, assumed)

    def _tensor(self) -> Tensor | None:
        if self.what == "vjp":
            return self.derivation._vjp_tensor
        if self.what == "jvp":
            return self.derivation._jvp_tensor
        return self.derivation.tensor if self.what == "jacobian" else None

    def _seed(self) -> Array | None:
        """The array that stands for the upstream gradient or the tangent."""
        if self.tensor is None or self.what not in _EXTRA:
            return None
        known = {*self.program.symbols.values(), *self.program.definitions}
        known |= {v.array for v in self.program.inputs} | {self.derivation.array}
        unknown = arrays_in(self.tensor.body) - known
        return next(iter(unknown)) if unknown else None

    def _arguments(self) -> list[Array]:
        """The inputs of the expression, and what is needed to read every size."""
        used = {v.array for v in self.program.inputs} | {self.derivation.array}
        declared = list(self.program.symbols.values())
        chosen = [a for a in declared if a in used]
        chosen += sorted(used - set(chosen), key=lambda a: a.order)
        readable = {str(s) for a in chosen for s in a.shape}
        needed = {n for v in self.program.values for s in v.shape for n in s.names()}
        needed |= {v.name for v in self.program.values if v.kind == "constant"}
        for array in declared:
            sizes = {str(s) for s in array.shape}
            if array not in chosen and sizes & needed - readable:
                chosen.append(array)
                readable |= sizes
        return sorted(chosen, key=lambda a: a.order)

    def source(self) -> str:
        """The whole text."""
        result = self._value() if self.tensor is None else self._derivative(self.tensor)
        writer = self.writer
        body = [*writer.size_lines(), *writer.lines, f"return {result}"]
        if writer.like:
            body.insert(
                0, f'like = {{"dtype": {writer.first}.dtype, "device": {writer.first}.device}}'
            )
        names = [writer.names[a] for a in writer.arguments] + [self.extra] * bool(self.extra)
        lines = [f"def {self.name}({', '.join(names)}):", *self._docstring(), *body]
        helpers = [writer.target.helpers[h] for h in writer.used]
        imports = [h for h in helpers if h.startswith(("from ", "import "))]
        functions = [h for h in helpers if h not in imports]
        indented = [lines[0]] + [f"    {line}".rstrip() for line in lines[1:]]
        start = [i for i in writer.target.imports if self._is_used(i, [*indented, *functions])]
        blocks = ["\n".join([*start, *imports]), *functions, "\n".join(indented)]
        return "\n\n\n".join(b for b in blocks if b) + "\n"

    def _is_used(self, line: str, lines: list[str]) -> bool:
        return line != "import jax" or any("jax." in text for text in lines)

    def _docstring(self) -> list[str]:
        derivation, writer = self.derivation, self.writer
        shown = " ".join(derivation.f.split()).replace("\\", "\\\\").replace('"', "'")
        output, own = shape_text(self.program.output.shape), shape_text(derivation.array.shape)
        first, shape = {
            "value": (f"{shown}", output),
            "jacobian": (
                f"The derivative of {shown} by {derivation.wrt}"
                + (" twice" if derivation.order == 2 else "")
                + f", {derivation.layout} layout.",
                shape_text(derivation.shape),
            ),
            "vjp": (f"The vector-Jacobian product of {shown} by {derivation.wrt}.", own),
            "jvp": (f"The Jacobian-vector product of {shown} by {derivation.wrt}.", output),
        }[self.what]
        lines = [f'"""{first}', "", "Args:"]
        for array in writer.arguments:
            lines.append(f"    {writer.names[array]}: {shape_text(array.shape)}")
        if self.what == "vjp":
            lines.append(f"    {self.extra}: {output}, the upstream gradient")
        if self.what == "jvp":
            lines.append(f"    {self.extra}: {own}, the tangent of {derivation.wrt}")
        lines += ["", "Returns:", f"    {shape}"]
        if self.what == "jacobian" and derivation.note:
            lines += ["", *derivation.note.replace("\\", "").splitlines()]
        return [*lines, '"""']

    # --- values -----------------------------------------------------------------------------

    def _value(self) -> str:
        output = self.program.output
        if output.kind == "constant":
            return self._constant(output)
        self._operations(self.program.operations[:-1])
        if output.kind == "input":
            return self.writer.names[output.array]
        last = self.program.operations[-1]
        if last is not output:
            self._operations([last])
            return self.writer.names[output.array]
        return self._operation(last)

    def _constant(self, value: Value) -> str:
        if value.number is not None:
            return self.writer.full((), str(float(value.number))).text
        assert value.definition is not None
        return self.index.tensor(value.definition)

    def _operations(self, values: list[Value]) -> None:
        for value in values:
            self.writer.assign(value.array, self._operation(value))

    def _operation(self, value: Value) -> str:
        operands = [self._operand(v) for v in value.inputs]
        if all(o is not None for o in operands):
            text = native(self.writer, value, [o for o in operands if o is not None])
            if text is not None and not text.python:
                return text.text
        assert value.definition is not None
        return self.index.tensor(value.definition)

    def _operand(self, value: Value) -> Text | None:
        if value.kind != "constant":
            return Text(self.writer.names[value.array])
        text = native(self.writer, value, [])
        if text is None and not value.shape and value.definition is not None:
            return self.index.piece(value.definition.body).text
        return text

    # --- derivatives ------------------------------------------------------------------------

    def _derivative(self, tensor: Tensor) -> str:
        defined = self._definitions_of(tensor.body)
        self._operations(defined)
        if not defined:
            printed = self._matrix_form(tensor)
            if printed is not None:
                return printed
        return self.index.tensor(tensor)

    def _definitions_of(self, body: Expr) -> list[Value]:
        """The intermediate values that an expression refers to, operands first."""
        by_array = {v.array: v for v in self.program.operations}
        needed: set[Value] = set()
        stack = [by_array[a] for a in arrays_in(body) if a in by_array]
        while stack:
            value = stack.pop()
            if value not in needed:
                needed.add(value)
                stack.extend(v for v in value.inputs if v.kind == "operation")
        return [v for v in self.program.operations if v in needed]

    def _matrix_form(self, tensor: Tensor) -> str | None:
        """The matrix form in the library's words, if all of it can be said in them."""
        term = matrix_form(tensor)[0]
        if term is None:
            return None
        extra = {} if self.seed is None else {self.seed.name: self.seed}
        printed = read_back(term.text, tensor, self.derivation, extra)
        if printed is None:
            return None
        before = (list(self.writer.lines), dict(self.writer.used), self.writer.like)
        text = self._nested(printed.output, {})
        if text is None or text.python or len(text.text) > 90:
            self.writer.lines, self.writer.used, self.writer.like = before
            return None
        return text.text

    def _nested(self, value: Value, memo: dict[Value, Text | None]) -> Text | None:
        if value not in memo:
            memo[value] = self._nested_text(value, memo)
        return memo[value]

    def _nested_text(self, value: Value, memo: dict[Value, Text | None]) -> Text | None:
        if value.kind == "input":
            return Text(self.writer.names[value.array])
        if value.kind == "constant" and not value.shape and value.number is None:
            return self._operand(value)
        operands = [self._nested(v, memo) for v in value.inputs]
        if any(o is None for o in operands):
            return None
        return native(self.writer, value, [o for o in operands if o is not None])
