"""Code for operations in the library's own words: ``X @ W.T``, ``np.sum(X, axis=1)``.

Only operations that a library has under the same rules are printed here; for all others the caller
prints the definition in index notation, which always exists.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from backprove import functions
from backprove.calculus.code_writer import ATOM, NEGATIVE, POWER, PRODUCT, SUM, Text, Writer, number
from backprove.notation.axes import Size
from backprove.notation.operations import Value

Printer = Callable[[Writer, Value, Sequence[Text]], Text | None]

_WORD = re.compile(r"[^\W\d]\w*")


def native(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    """The operation in the library's own words, or None if it has none of the same meaning.

    Args:
        writer: takes the helpers that the text needs.
        value: an operation or a constant.
        operands: the text of each operand.
    """
    if value.kind == "constant":
        return _constant(writer, value)
    if value.operation in functions.ELEMENTWISE and len(value.inputs) == _arity(value.operation):
        if all(o.python for o in operands):
            return None
        return writer.call(value.operation, *operands)
    printer = _PRINTERS.get(value.operation)
    return printer(writer, value, operands) if printer else None


def _arity(name: str) -> int:
    return functions.lookup(name).arity


def _constant(writer: Writer, value: Value) -> Text | None:
    if value.number is not None:
        return number(value.number)
    if value.name in ("pi", "e"):
        return Text(f"{writer.target.alias}.{value.name}", python=True)
    if not value.shape:
        return None
    alias, shape = writer.target.alias, value.shape
    if value.name.startswith(("ones(", "zeros(")):
        kind = value.name.partition("(")[0]
        return Text(f"{alias}.{kind}({writer.shape(shape)}{writer.options()})")
    if value.name.startswith("eye(") and shape[0] == shape[1]:
        return writer.eye(shape[0])
    return None


def _binary(template: str, own: int, left: int, right: int) -> Printer:
    def printer(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
        del writer, value
        first, second = operands
        text = template.format(first.within(left), second.within(right))
        return Text(text, own, first.python and second.python)

    return printer


def _negative(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    del writer, value
    return Text(f"-{operands[0].within(POWER)}", NEGATIVE, operands[0].python)


def _matmul(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    del writer, value
    return Text(f"{operands[0].within(PRODUCT)} @ {operands[1].within(NEGATIVE)}", PRODUCT)


def _comparison(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    if all(o.python for o in operands):
        return None
    relation = value.operation.partition(" ")[2]
    left, right = (o.within(SUM) for o in operands)
    return writer.indicator(Text(f"{left} {relation} {right}", -1))


def _where(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    del value
    condition, yes, no = operands
    if condition.python or yes.python or no.python:
        return None
    alias = writer.target.alias
    return Text(f"{alias}.where({condition.within(SUM)} != 0, {yes.text}, {no.text})")


def _transpose(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    rank = len(value.shape)
    order = tuple(k for k in value.attributes if isinstance(k, int)) or tuple(range(rank))[::-1]
    own = operands[0].within(ATOM)
    if rank == 2 and order == (1, 0):
        return Text(f"{own}.T")
    if rank < 2:
        return operands[0]
    method = "permute" if writer.target.torch else "transpose"
    return Text(f"{own}.{method}({', '.join(map(str, order))})")


def _index(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    (listed,) = value.attributes
    if not isinstance(listed, str) or not _same_sizes(writer, value, listed):
        return None
    if writer.target.torch and re.search(r":\s*-[^,:]*(,|$)", listed):
        return None
    return Text(f"{operands[0].within(ATOM)}[{listed}]")


def _same_sizes(writer: Writer, value: Value, listed: str) -> bool:
    """True if every word in an index is a size that keeps its name in the printed code."""
    known = {n for v in (value, *value.inputs) for s in v.shape for n in s.names()}
    for word in _WORD.findall(listed):
        if word == "None":
            continue
        if word not in known or writer.size(Size.named(word)).text != word:
            return False
    return True


def _reshape(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    if not value.shape or not value.inputs[0].shape:
        return None
    if len(value.shape) == 1:
        return Text(f"{operands[0].within(ATOM)}.reshape(-1)")
    return Text(f"{operands[0].within(ATOM)}.reshape{writer.shape(value.shape)}")


def _same_name(name: str, ranks: tuple[int, ...] = ()) -> Printer:
    def printer(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
        if ranks and any(len(v.shape) not in ranks for v in value.inputs):
            return None
        return Text(f"{writer.target.alias}.{name}({', '.join(o.text for o in operands)})")

    return printer


def _kron(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    if not writer.target.torch:
        return _same_name("kron")(writer, value, operands)
    if any(o.python for o in operands):
        return None
    return writer.call("kron", *operands)


def _linalg(name: str) -> Printer:
    def printer(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
        del value
        return writer.slices(name, operands[0].text, ())

    return printer


def _einsum(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    subscripts = value.template.partition('"')[2].partition('"')[0]
    if not subscripts or any(o.python for o in operands):
        return None
    shown = ", ".join(o.text for o in operands)
    return Text(f'{writer.target.alias}.einsum("{subscripts}", {shown})')


def _joined(name: str) -> Printer:
    def printer(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
        axis = re.search(r"axis=(\d+)\)$", value.template)
        if axis is None or any(o.python for o in operands):
            return None
        shown = ", ".join(o.text for o in operands)
        keyword = "dim" if writer.target.torch else "axis"
        return Text(f"{writer.target.alias}.{name}([{shown}], {keyword}={axis.group(1)})")

    return printer


def _triangle(name: str) -> Printer:
    def printer(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
        shift = re.search(r", k=(-?\d+)\)$", value.template)
        keyword = "diagonal" if writer.target.torch else "k"
        option = f", {keyword}={shift.group(1)}" if shift else ""
        return Text(f"{writer.target.alias}.{name}({operands[0].text}{option})")

    return printer


def _reduction(name: str) -> Printer:
    def printer(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
        rank = len(value.inputs[0].shape)
        axes, keep = _reduced(value)
        if not rank or not axes or operands[0].python:
            return None
        whole = len(axes) == rank and not keep
        if name == "norm" and len(axes) > 2 and not whole:
            return None
        shown = axes[0] if len(axes) == 1 else axes
        if writer.target.torch:
            return _torch_reduction(name, operands[0].text, axes, keep)
        options = ("" if whole else f", axis={shown}") + (", keepdims=True" if keep else "")
        if name == "logsumexp":
            if keep:
                return None
            return writer.slices(name, operands[0].text, axes)
        module = "linalg." if name == "norm" else ""
        return Text(f"{writer.target.alias}.{module}{name}({operands[0].text}{options})")

    return printer


_TORCH_REDUCTIONS = {
    "sum": "torch.sum({0}, dim={1}{2})",
    "mean": "torch.mean({0}, dim={1}{2})",
    "var": "torch.var({0}, dim={1}, correction=0{2})",
    "norm": "torch.linalg.vector_norm({0}, dim={1}{2})",
    "max": "torch.amax({0}, dim={1}{2})",
    "min": "torch.amin({0}, dim={1}{2})",
    "logsumexp": "torch.logsumexp({0}, dim={1}{2})",
}


def _torch_reduction(name: str, operand: str, axes: tuple[int, ...], keep: bool) -> Text | None:
    template = _TORCH_REDUCTIONS.get(name)
    if template is None:
        return None
    return Text(template.format(operand, axes, ", keepdim=True" if keep else ""))


def _reduced(value: Value) -> tuple[tuple[int, ...], bool]:
    match value.attributes:
        case (tuple() as axes, bool() as keep):
            return tuple(k for k in axes if isinstance(k, int)), keep
    return (), False


def _softmax(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    (along,) = value.attributes
    assert isinstance(along, int)
    return writer.slices("softmax", operands[0].text, (along,))


def _cumsum(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    (along,) = value.attributes
    keyword = "dim" if writer.target.torch else "axis"
    return Text(f"{writer.target.alias}.cumsum({operands[0].text}, {keyword}={along})")


def _clip(writer: Writer, value: Value, operands: Sequence[Text]) -> Text | None:
    del value
    if operands[0].python or not (operands[1].python and operands[2].python):
        return None
    return Text(f"{writer.target.alias}.clip({', '.join(o.text for o in operands)})")


_PRINTERS: dict[str, Printer] = {
    "add": _binary("{} + {}", SUM, SUM, PRODUCT),
    "subtract": _binary("{} - {}", SUM, SUM, PRODUCT),
    "multiply": _binary("{} * {}", PRODUCT, PRODUCT, NEGATIVE),
    "divide": _binary("{} / {}", PRODUCT, PRODUCT, NEGATIVE),
    "power": _binary("{} ** {}", POWER, ATOM, ATOM),
    "pow": _binary("{} ** {}", POWER, ATOM, ATOM),
    "negative": _negative,
    "matmul": _matmul,
    "where": _where,
    "transpose": _transpose,
    "index": _index,
    "reshape": _reshape,
    "outer": _same_name("outer", (1,)),
    "kron": _kron,
    "trace": _same_name("trace", (2,)),
    "diag": _same_name("diag", (1, 2)),
    "inv": _linalg("inv"),
    "det": _linalg("det"),
    "logdet": _linalg("logdet"),
    "einsum": _einsum,
    "concatenate": _joined("concatenate"),
    "stack": _joined("stack"),
    "tril": _triangle("tril"),
    "triu": _triangle("triu"),
    "softmax": _softmax,
    "cumsum": _cumsum,
    "clip": _clip,
    **{f"compare {r}": _comparison for r in (">", ">=", "<", "<=", "==", "!=")},
    **{n: _reduction(n) for n in (*_TORCH_REDUCTIONS, "prod")},
}
