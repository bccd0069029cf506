"""PyTorch modules as graphs: ``torch.export`` writes the operations, each becomes a line.

This file is imported only when a module is given, so that PyTorch is not loaded before.
"""

from __future__ import annotations

import keyword
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]

from backprove.errors import ShapeError, Unsupported
from backprove.graphs.sources import Source

_BINARY = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_UNARY = (
    "relu sigmoid tanh exp log sqrt abs sin cos silu mish softsign expm1 log1p erf sign square "
    "relu6 hardsigmoid selu"
).split()

Write = Callable[["_Writer", Any, Sequence[Any]], str]


def module_source(module: Any, example: Mapping[str, Any] | Sequence[Any] | None) -> Source:
    """A module as lines, with its weights as values.

    Args:
        module: the module. It is exported in the mode it is in, so batch norm in training uses
            the statistics of the batch.
        example: its inputs, by position or by name; only their shapes matter. They are no values:
            a run is given its own.

    Raises:
        ShapeError: no inputs are given, or the module refuses them.
        Unsupported: an operation that has no definition here, by its name.
    """
    if example is None:
        raise ShapeError(
            "a PyTorch module needs inputs to be read",
            hint="Pass example=[torch.zeros(8, 4)] or example={'x': ...}.",
        )
    positional = () if isinstance(example, Mapping) else tuple(_tensor(v) for v in example)
    named = {k: _tensor(v) for k, v in example.items()} if isinstance(example, Mapping) else {}
    try:
        exported = torch.export.export(module, positional, named)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ShapeError(
            f"torch.export cannot read the module with these inputs: {_first_line(error)}"
        ) from error
    writer = _Writer(exported)
    for node in exported.graph.nodes:
        writer.add(node)
    return writer.source(type(module).__name__)


def _tensor(value: Any) -> Any:
    return value if isinstance(value, torch.Tensor) else torch.as_tensor(np.asarray(value))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _identifier(text: str) -> str:
    name = re.sub(r"\W", "_", text)
    return f"m{name}" if not name.isidentifier() or keyword.iskeyword(name) else name


class _Writer:
    """Writes one line for each operation of an exported module."""

    def __init__(self, exported: Any) -> None:
        self.lines: list[str] = []
        self.groups: list[str] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.values: dict[str, Any] = {}
        self.parameters: list[str] = []
        self.text: dict[str, str] = {}
        self.lists: dict[str, list[str]] = {}
        self._targets = {s.arg.name: s.target for s in exported.graph_signature.input_specs}
        self._kinds = {s.arg.name: s.kind.name for s in exported.graph_signature.input_specs}
        self._outputs = [
            s.arg.name
            for s in exported.graph_signature.output_specs
            if s.kind.name == "USER_OUTPUT"
        ]
        self._state = {**exported.state_dict, **exported.constants}
        self._taken: set[str] = set()

    def add(self, node: Any) -> None:
        if node.op == "placeholder":
            self._symbol(node)
        elif node.op == "call_function":
            self._operation(node)

    def _symbol(self, node: Any) -> None:
        target, kind = self._targets.get(node.name), self._kinds.get(node.name)
        name = self._free(_identifier(target or node.name))
        self.text[node.name] = name
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor) or value.is_complex() or value.dtype == torch.bool:
            return
        self.shapes[name] = tuple(value.shape)
        if kind == "PARAMETER":
            self.parameters.append(name)
        if target is not None and target in self._state:
            self.values[name] = self._state[target].detach().double().cpu().numpy()

    def _free(self, name: str) -> str:
        found, count = name, 1
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken.add(found)
        return found

    def _operation(self, node: Any) -> None:
        packet, _, overload = str(node.target).removeprefix("aten.").partition(".")
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and not value.is_floating_point():
            return  # counters of batches and the like; what uses one fails by its name
        if packet == "broadcast_tensors" and self._all_alike(node):
            self.lists[node.name] = [self.term(a) for a in node.args[0]]
            return
        if node.target is operator.getitem and node.args[0].name in self.lists:
            self.text[node.name] = self.lists[node.args[0].name][node.args[1]]
            return
        write = OPERATIONS.get(packet)
        if write is None or not isinstance(value, torch.Tensor):
            raise Unsupported(
                f"the PyTorch operation '{packet}.{overload}' is not supported",
                hint=f"Supported: {', '.join(sorted(OPERATIONS))}.",
            )
        name = self._free(_identifier(node.name))
        self.lines.append(f"{name} = {write(self, node, node.args)}")
        self.groups.append(self._group(node))
        self.text[node.name] = name

    @staticmethod
    def _all_alike(node: Any) -> bool:
        """Whether nothing is repeated to bring arrays to one shape."""
        return len({tuple(a.meta["val"].shape) for a in node.args[0]}) == 1

    @staticmethod
    def _group(node: Any) -> str:
        stack = node.meta.get("nn_module_stack") or {}
        path = [entry[0] for entry in stack.values()][-1] if stack else ""
        return path.replace(".", "/")

    def term(self, value: Any) -> str:
        """An operand: an array by its name, or a number."""
        if hasattr(value, "name"):
            if value.name not in self.text:
                raise Unsupported(f"the value '{value.name}' of the module is no array of numbers")
            return self.text[value.name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            raise Unsupported(f"the operand {value!r} of the module is no finite number")
        return repr(value) if value >= 0 else f"({value!r})"

    def rank(self, node: Any) -> int:
        """How many axes an operand has."""
        return len(node.meta["val"].shape)

    def source(self, title: str) -> Source:
        """Everything that was written."""
        if len(self._outputs) != 1 or self._outputs[0] not in self.text:
            raise Unsupported(
                f"the module returns {len(self._outputs)} arrays; expected one",
                hint="Export the part that returns the loss or the output.",
            )
        last = self.text[self._outputs[0]]
        at = next((k for k, x in enumerate(self.lines) if x.startswith(f"{last} = ")), None)
        if at is None:
            raise Unsupported("the module computes nothing: it returns one of its inputs")
        lines, groups = self.lines[: at + 1], self.groups[: at + 1]
        used = set(re.findall(r"[^\W\d]\w*", "\n".join(lines)))
        return Source(
            "\n".join(lines),
            {n: s for n, s in self.shapes.items() if n in used},
            [n for n in self.parameters if n in used],
            {n: v for n, v in self.values.items() if n in used},
            groups=groups,
            title=title,
        )


def _argument(node: Any, args: Sequence[Any], at: int, name: str, default: Any) -> Any:
    return args[at] if len(args) > at else node.kwargs.get(name, default)


def _linear(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    bias = _argument(node, args, 2, "bias", None)
    product = f"{w.term(args[0])} @ {w.term(args[1])}.T"
    return product if bias is None else f"{product} + {w.term(bias)}"


def _binary(sign: str) -> Write:
    def write(w: _Writer, node: Any, args: Sequence[Any]) -> str:
        right = w.term(args[1])
        scale = node.kwargs.get("alpha", 1)
        if node.kwargs.get("rounding_mode"):
            raise Unsupported("division that rounds is not supported")
        if scale != 1:
            right = f"{scale!r}*{right}"
        return f"{w.term(args[0])} {sign} {right}"

    return write


def _unary(name: str) -> Write:
    def write(w: _Writer, node: Any, args: Sequence[Any]) -> str:
        options = [*args[1:], *node.kwargs.values()]
        if options:
            raise Unsupported(f"{name} with {', '.join(map(repr, options))} is not supported")
        return f"{name}({w.term(args[0])})"

    return write


def _same(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    return w.term(args[0])


def _along(name: str) -> Write:
    def write(w: _Writer, node: Any, args: Sequence[Any]) -> str:
        return f"{name}({w.term(args[0])}, axis={_argument(node, args, 1, 'dim', -1)})"

    return write


def _reduced(name: str) -> Write:
    def write(w: _Writer, node: Any, args: Sequence[Any]) -> str:
        axes = _argument(node, args, 1, "dim", None)
        keep = _argument(node, args, 2, "keepdim", False)
        axes = [axes] if isinstance(axes, int) else list(axes or [])
        options = ""
        if keep and not axes:
            raise Unsupported(f"{name} over all axes that keeps them is not supported")
        if axes:
            inside = str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"
            options = f", axis={inside}" + (", keepdims=True" if keep else "")
        return f"{name}({w.term(args[0])}{options})"

    return write


def _batch_norm(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    x, weight, bias, mean, var, training, _, eps = args[:8]
    name, rank = w.term(x), w.rank(x)
    axes = [0, *range(2, rank)]
    axis = str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"
    spread = "" if rank == 2 else "[:" + ", None" * (rank - 2) + "]"
    if training:
        centred = f"({name} - mean({name}, axis={axis}, keepdims=True))"
        scale = f"sqrt(var({name}, axis={axis}, keepdims=True) + {eps!r})"
    else:
        centred = f"({name} - {w.term(mean)}{spread})"
        scale = f"sqrt({w.term(var)}{spread} + {eps!r})"
    return _scaled(w, f"{centred} / {scale}", weight, bias, spread)


def _layer_norm(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    x, shape = args[0], args[1]
    weight, bias = (_argument(node, args, k, n, None) for k, n in ((2, "weight"), (3, "bias")))
    eps = _argument(node, args, 4, "eps", 1e-5)
    name, axes = w.term(x), [str(-k) for k in range(len(shape), 0, -1)]
    axis = axes[0] if len(axes) == 1 else f"({', '.join(axes)})"
    normal = (
        f"({name} - mean({name}, axis={axis}, keepdims=True)) "
        f"/ sqrt(var({name}, axis={axis}, keepdims=True) + {eps!r})"
    )
    return _scaled(w, normal, weight, bias, "")


def _scaled(w: _Writer, normal: str, weight: Any, bias: Any, spread: str) -> str:
    if weight is not None:
        normal = f"{normal} * {w.term(weight)}{spread}"
    return normal if bias is None else f"{normal} + {w.term(bias)}{spread}"


def _gelu(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    tanh = node.kwargs.get("approximate", "none") == "tanh"
    return f"{'gelu_tanh' if tanh else 'gelu'}({w.term(args[0])})"


def _leaky_relu(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    return f"leaky_relu({w.term(args[0])}, {_argument(node, args, 1, 'negative_slope', 0.01)!r})"


def _hardtanh(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    low = _argument(node, args, 1, "min_val", -1)
    high = _argument(node, args, 2, "max_val", 1)
    named = {(-1, 1): "hardtanh", (0, 6): "relu6"}.get((low, high))
    if named is not None:
        return f"{named}({w.term(args[0])})"
    # Flat at both kinks, as PyTorch takes it; clip shares the slope there.
    return f"{high!r} - relu({high - low!r} - relu({w.term(args[0])} - {w.term(low)}))"


def _elu(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    if any(a != 1 for a in args[2:]):
        raise Unsupported("elu with a scale is not supported", hint="Use selu.")
    return f"elu({w.term(args[0])}, {_argument(node, args, 1, 'alpha', 1.0)!r})"


def _softplus(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    if _argument(node, args, 1, "beta", 1) != 1:
        raise Unsupported("softplus with another beta than 1 is not supported")
    if _argument(node, args, 2, "threshold", 20) < 20:
        raise Unsupported("softplus that is cut off below 20 is not supported")
    return f"softplus({w.term(args[0])})"


def _dropout(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    if args[2] and args[1]:
        raise Unsupported("dropout in training draws at random", hint="Call module.eval() before.")
    return w.term(args[0])


def _from_right(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    if _argument(node, args, 2, "alpha", 1) != 1:
        raise Unsupported("rsub with alpha is not supported")
    return f"{w.term(args[1])} - {w.term(args[0])}"


def _power(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    return f"{w.term(args[0])} ** {w.term(args[1])}"


def _matmul(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    return f"{w.term(args[0])} @ {w.term(args[1])}"


def _addmm(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    if any(node.kwargs.get(k, 1) != 1 for k in ("alpha", "beta")):
        raise Unsupported("addmm with alpha or beta is not supported")
    return f"{w.term(args[0])} + {w.term(args[1])} @ {w.term(args[2])}"


def _transposed(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    rank = w.rank(args[0])
    order = list(range(rank))
    first, second = (args[1] % rank, args[2] % rank) if len(args) > 2 else (0, rank - 1)
    order[first], order[second] = order[second], order[first]
    return f"transpose({w.term(args[0])}, ({', '.join(map(str, order))}))"


def _permuted(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    rank = w.rank(args[0])
    return f"transpose({w.term(args[0])}, ({', '.join(str(k % rank) for k in args[1])}))"


def _reshaped(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    shape = [int(n) for n in node.meta["val"].shape]
    return f"reshape({w.term(args[0])}, ({', '.join(map(str, shape))}{',' * (len(shape) == 1)}))"


def _mse(w: _Writer, node: Any, args: Sequence[Any]) -> str:
    name = {0: "", 1: "mean", 2: "sum"}[_argument(node, args, 2, "reduction", 1)]
    return f"{name}(({w.term(args[0])} - {w.term(args[1])})**2)"


OPERATIONS: dict[str, Write] = {
    **{name: _binary(sign) for name, sign in _BINARY.items()},
    **{name: _unary(name) for name in _UNARY},
    **dict.fromkeys(("clone", "contiguous", "alias", "to", "_to_copy"), _same),
    **dict.fromkeys(("view", "reshape", "flatten", "squeeze", "unsqueeze"), _reshaped),
    **{name: _reduced(name) for name in ("sum", "mean", "logsumexp")},
    "log_sigmoid": _unary("logsigmoid"),
    "neg": lambda w, node, args: f"-{w.term(args[0])}",
    "reciprocal": lambda w, node, args: f"1 / {w.term(args[0])}",
    "rsub": _from_right,
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "bmm": _matmul,
    "addmm": _addmm,
    "t": _transposed,
    "transpose": _transposed,
    "permute": _permuted,
    "softmax": _along("softmax"),
    "log_softmax": _along("log_softmax"),
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "gelu": _gelu,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "hardtanh": _hardtanh,
    "softplus": _softplus,
    "dropout": _dropout,
    "pow": _power,
    "mse_loss": _mse,
}
"""How each operation of PyTorch is written; what is not here is an error, never a guess."""
