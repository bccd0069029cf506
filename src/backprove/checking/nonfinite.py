"""Where NaN and infinity come from: the first node that makes them, and how to avoid it.

A computation is a list of nodes with their values, operands before what uses them, and for each a
way to pull an upstream gradient back. Any tracer can make that list.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PASSED_ON = ("broadcast_in_dim", "reshape", "squeeze", "convert_element_type", "stop_gradient")
"""Operations that only rearrange; a pattern looks through them."""


@dataclass
class Node:
    """One value of a computation.

    Attributes:
        op: the operation, as the tracer calls it; ``input`` or ``constant`` for a leaf.
        operands: positions of the operands.
        value: its value.
        place: file and line of the user's code; empty if unknown.
        pull: maps an upstream gradient to one gradient per operand, None where there is none.
        power: the exponent, for an integer power.
    """

    op: str
    operands: tuple[int, ...]
    value: np.ndarray
    place: str = ""
    pull: Callable[[np.ndarray], list[np.ndarray | None]] = field(default=lambda g: [])
    power: float | None = None


def forward_origin(nodes: Sequence[Node]) -> str:
    """Which node gives the first value that is not finite, as a sentence; empty if none does."""
    for k, node in enumerate(nodes):
        if not node.operands or _finite(node.value):
            continue
        if all(_finite(nodes[p].value) for p in node.operands):
            at = _first_bad(node.value)
            said = f"The {_number(node.value[at])} begins at {_called(node)}"
            return f"{said}: {_operands(nodes, k, at)} there. {_repair(nodes, k, False)}".strip()
    return ""


def backward_origin(nodes: Sequence[Node], seed: np.ndarray) -> str:
    """Which node turns a finite upstream gradient into NaN or infinity; empty if none does.

    Args:
        nodes: the computation; the last node is the output.
        seed: the upstream gradient, of the output's shape.
    """
    upstream: dict[int, np.ndarray] = {len(nodes) - 1: np.asarray(seed, dtype=float)}
    for k in reversed(range(len(nodes))):
        if k not in upstream or not nodes[k].operands:
            continue
        g = upstream[k]
        for p, part in zip(nodes[k].operands, nodes[k].pull(g), strict=True):
            if part is None:
                continue
            if not _finite(part):
                return _backward_text(nodes, k, p, g, part)
            upstream[p] = upstream[p] + part if p in upstream else part
    return ""


def _backward_text(nodes: Sequence[Node], k: int, p: int, g: np.ndarray, part: np.ndarray) -> str:
    at = _first_bad(part)
    node = nodes[k]
    said = f"The {_number(part[at])} begins at {_called(node)}: {_operands(nodes, k, at)} there"
    same = g.shape == part.shape
    here = g[at] if same else (g.reshape(-1)[0] if g.size == 1 else None)
    with np.errstate(all="ignore"):
        parts = node.pull(np.ones_like(g))
    slope = parts[node.operands.index(p)]
    unused = False
    if here is not None and slope is not None:
        said += f", its slope is {_number(slope[at])}, and the upstream gradient is "
        said += _number(here)
        unused = here == 0
        if unused:
            said += ": 0·∞ is nan" if np.isinf(slope[at]) else ""
    return f"{said}. {_repair(nodes, k, unused)}".strip()


def _called(node: Node) -> str:
    return f"`{node.op}`" + (f" ({node.place})" if node.place else "")


def _operands(nodes: Sequence[Node], k: int, at: tuple[int, ...]) -> str:
    """The operands at the entry that goes wrong, where they have it."""
    shown = []
    for p in dict.fromkeys(nodes[k].operands):
        value = nodes[p].value
        if (
            value.shape
            and len(at) == value.ndim
            and all(i < s for i, s in zip(at, value.shape, strict=True))
        ):
            shown.append(_number(value[at]))
        elif value.size == 1:
            shown.append(_number(value.reshape(-1)[0]))
    if not shown:
        return "its operand is at the edge of its domain"
    return f"its operand is {shown[0]}" if len(shown) == 1 else f"its operands are {_list(shown)}"


def _list(parts: Sequence[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1]


def _finite(value: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(value))) if value.dtype.kind == "f" else True


def _first_bad(value: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(~np.isfinite(value))[0])


def _number(value: Any) -> str:
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{float(value) + 0.0:.6g}"  # without the sign of zero


# --- repairs ------------------------------------------------------------------------------------


def _repair(nodes: Sequence[Node], k: int, unused: bool) -> str:
    """What to write instead, as a rule of thumb; empty where nothing is known."""
    found = next(_repairs(nodes, k, unused), "")
    return f"Advice: {found}" if found else ""


def _repairs(nodes: Sequence[Node], k: int, unused: bool) -> Iterator[str]:
    op = nodes[k].op
    users = set(_users(nodes, k))
    if unused and any(nodes[u].op in ("select_n", "where") for u in _downstream(nodes, k)):
        yield (
            "where computes both branches, and the gradient of the unused one is 0·∞: put a "
            "where inside as well, as in where(x > 0, f(where(x > 0, x, 1)), 0)."
        )
    if op in ("sqrt", "norm") and _is_sum_of_squares(nodes, k):
        if any(_squares(nodes[u], k) for u in users):
            yield "write sum(x**2) in place of norm(x)**2: it is the same, and smooth at 0."
        if any(nodes[u].op == "div" for u in _downstream(nodes, k)):
            yield (
                "x / norm(x) has no value at 0: divide by sqrt(sum(x**2) + eps), or replace the "
                "norm by 1 where it is 0, inside of the square root."
            )
        yield "norm(x) has a kink at 0: use sqrt(sum(x**2) + eps) if x may be 0."
    if op in ("log", "log1p"):
        yield from _of_log(nodes, k)
    if op in ("exp", "exp2", "expm1"):
        yield from _of_exp(nodes, k)
    if op == "div":
        yield from _of_division(nodes, k)
    if op in ("sqrt", "rsqrt", "pow", "integer_pow", "cbrt"):
        yield (
            f"{op} has no finite slope at 0: keep its operand away from 0, as in {op}(x + eps), "
            "or put where(x > 0, x, 1) inside."
        )


def _of_log(nodes: Sequence[Node], k: int) -> Iterator[str]:
    source = _source(nodes, nodes[k].operands[0])
    node = nodes[source]
    inside = [nodes[_source(nodes, p)].op for p in node.operands]
    if "softmax" in node.op or (node.op == "div" and inside[:1] == ["exp"]):
        yield "write log_softmax(x) in place of log(softmax(x))."
    if node.op in ("logistic", "sigmoid"):
        yield "write log_sigmoid(x), which is -softplus(-x), in place of log(sigmoid(x))."
    if node.op in ("reduce_sum", "sum") and inside == ["exp"]:
        yield "write logsumexp(x) in place of log(sum(exp(x)))."
    yield (
        "log has no value at 0: use xlogy(x, x) for x*log(x), log1p for log(1 + x), or "
        "log(where(x > 0, x, 1)) under a where."
    )


def _of_exp(nodes: Sequence[Node], k: int) -> Iterator[str]:
    after = [nodes[u].op for u in _downstream(nodes, k)]
    if nodes[k].op == "exp" and "reduce_sum" in after and "log" in after:
        yield "write logsumexp(x) in place of log(sum(exp(x)))."
    if ("add" in after and "log" in after) or "log1p" in after:
        yield "write softplus(x), which is logaddexp(0, x), in place of log(1 + exp(x))."
    below = [
        nodes[_source(nodes, nodes[u].operands[1])].op
        for u in _downstream(nodes, k)
        if nodes[u].op == "div"
    ]
    if "reduce_sum" in below:
        yield "write softmax(x): it subtracts the maximum before exp."
    if "add" in below:
        yield "write sigmoid(x) in place of 1/(1 + exp(-x)) or exp(x)/(1 + exp(x))."
    yield "exp overflows above about 709 (88 in float32): subtract the maximum before."


def _of_division(nodes: Sequence[Node], k: int) -> Iterator[str]:
    if len(nodes[k].operands) < 2:
        return
    below = _source(nodes, nodes[k].operands[1])
    above = _source(nodes, nodes[k].operands[0])
    if nodes[above].op == "exp":
        yield "write softmax(x) or sigmoid(x): they do not overflow."
    if nodes[below].op in ("sqrt", "norm") and (
        nodes[below].op == "norm" or _is_sum_of_squares(nodes, below)
    ):
        yield (
            "x / norm(x) has no value at 0: divide by sqrt(sum(x**2) + eps), or replace the "
            "norm by 1 where it is 0, inside of the square root."
        )
    yield (
        "guard the denominator: where(d != 0, x / where(d != 0, d, 1), 0); a where outside alone "
        "leaves 0·∞ in the gradient."
    )


def _source(nodes: Sequence[Node], k: int) -> int:
    """The node behind those that only rearrange."""
    while nodes[k].op in PASSED_ON and nodes[k].operands:
        k = nodes[k].operands[0]
    return k


def _users(nodes: Sequence[Node], k: int) -> Iterator[int]:
    """What uses a node, looking through what only rearranges."""
    for u, node in enumerate(nodes):
        if k in node.operands:
            if node.op in PASSED_ON:
                yield from _users(nodes, u)
            else:
                yield u


def _downstream(nodes: Sequence[Node], k: int, depth: int = 4) -> list[int]:
    found: list[int] = []
    level = [k]
    for _ in range(depth):
        level = [u for n in level for u in _users(nodes, n) if u not in found]
        found += dict.fromkeys(level)
    return found


def _squares(node: Node, k: int) -> bool:
    twice = node.op == "mul" and len(node.operands) == 2 and len(set(node.operands)) == 1
    even = node.op == "integer_pow" and node.power is not None and node.power % 2 == 0
    return twice or even or node.op == "square"


def _is_sum_of_squares(nodes: Sequence[Node], k: int) -> bool:
    if nodes[k].op == "norm":
        return True
    total = nodes[_source(nodes, nodes[k].operands[0])]
    if total.op not in ("reduce_sum", "sum", "dot_general"):
        return False
    if total.op == "dot_general":
        return len(set(total.operands)) == 1
    square = nodes[_source(nodes, total.operands[0])]
    return _squares(square, -1)


# --- plain NumPy code ---------------------------------------------------------------------------


def line_of_trouble(run: Callable[[], Any]) -> str:
    """The line of NumPy code that first divides by zero, overflows or has no value.

    Args:
        run: calls the code.

    >>> line_of_trouble(lambda: np.ones(2) / np.zeros(2))[:26]
    'Divide by zero encountered'
    """
    try:
        with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
            run()
    except FloatingPointError as error:
        trace = error.__traceback__
        last = None
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            if not re.search(r"[\\/](numpy|backprove)[\\/]", file):
                last = trace
            trace = trace.tb_next
        said = str(error)
        said = said[0].upper() + said[1:]
        if last is None:
            return f"{said}. {_advice_on(said)}".strip()
        file, line = last.tb_frame.f_code.co_filename, last.tb_lineno
        code = linecache.getline(file, line).strip()
        shown = f": `{code[:80]}`" if code else ""
        return f"{said} ({Path(file).name}, line {line}{shown}). {_advice_on(said)}".strip()
    except Exception:  # the code under test; what it raises is reported elsewhere
        return ""
    return ""


def _advice_on(said: str) -> str:
    found = re.search(r"encountered in (\w+)", said)
    return advice_on(found.group(1) if found else "")


def advice_on(operation: str) -> str:
    """What to do about an operation of which nothing but the name is known.

    >>> advice_on("sqrt")
    'Advice: keep the operand of sqrt above 0.'
    """
    advice = {
        "divide": "guard the denominator: where(d != 0, x / where(d != 0, d, 1), 0), or add eps.",
        "log": "keep the operand of log above 0; use log_softmax for log(softmax(x)).",
        "exp": "subtract the maximum before exp; use logaddexp(0, x) for log(1 + exp(x)).",
        "sqrt": "keep the operand of sqrt above 0.",
        "norm": "the norm has a kink at 0: use sqrt(sum(x**2) + eps).",
        "power": "keep the base away from 0.",
        "multiply": "a factor is infinite and the other one zero: simplify the product by hand.",
        "subtract": "both are infinite: subtract the maximum before exp.",
    }.get({"div": "divide", "pow": "power", "mul": "multiply"}.get(operation, operation), "")
    return f"Advice: {advice}" if advice else ""
