"""Mutants of the backward pass of a graph engine, and the smallest graphs that tell them apart.

Every mutant works on the wiring of a graph: for each node its operands and the local derivative by
each, which the reference itself is asked for. So the operations are the user's own, and only the
chain rule is applied wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backprove.checking.mutants import Form, Mutant
from backprove.errors import InputError

MAX_VISITS = 20_000
MAX_OPERATIONS = 4
_LIMIT = 6_000
"""Graphs that are tried; all those with up to three operations are among them."""
_VALUES = ((2.0, 3.0), (5.0, 7.0))
"""Inputs of the first call and of the second."""


@dataclass(frozen=True)
class Step:
    """A node of a tape.

    Attributes:
        op: ``input``, or an operation such as ``add``, ``mul`` or ``tanh``.
        parents: the positions of its operands in the tape.
        value: its value.

    >>> Step("mul", (0, 0), 4.0).parents
    (0, 0)
    """

    op: str
    parents: tuple[int, ...]
    value: float


@dataclass(frozen=True)
class Wiring:
    """A graph for the chain rule: operands before what uses them, the output last.

    Attributes:
        parents: the operands of each node.
        slopes: the local derivative by each operand.
    """

    parents: tuple[tuple[int, ...], ...]
    slopes: tuple[tuple[float, ...], ...]


Rule = Callable[[Wiring], list[float]]


def _backward(
    wiring: Wiring,
    part: Callable[[float, Sequence[float], int], float] = lambda g, slopes, k: g * slopes[k],
    overwrite: bool = False,
) -> list[float]:
    """The chain rule in reverse order; ``part`` is what one operand gets."""
    grads = [0.0] * len(wiring.parents)
    grads[-1] = 1.0
    for node in reversed(range(len(grads))):
        slopes = wiring.slopes[node]
        for k, parent in enumerate(wiring.parents[node]):
            share = part(grads[node], slopes, k)
            grads[parent] = share if overwrite else grads[parent] + share
    return grads


def _every_path(wiring: Wiring) -> list[float]:
    """A node passes its gradient on each time it is reached, with all that it has by then."""
    grads = [0.0] * len(wiring.parents)
    grads[-1] = 1.0
    stack, visits = [len(grads) - 1], 0
    while stack:
        visits += 1
        if visits > MAX_VISITS:
            raise RecursionError("the graph is walked along each of its many paths")
        node = stack.pop()
        for parent, slope in zip(wiring.parents[node], wiring.slopes[node], strict=True):
            grads[parent] += grads[node] * slope
            stack.append(parent)
    return grads


def _too_early(wiring: Wiring) -> list[float]:
    """A node passes its gradient on when it is first reached, before all users have added."""
    grads = [0.0] * len(wiring.parents)
    grads[-1] = 1.0
    queue = [len(grads) - 1]
    for node in queue:
        for parent, slope in zip(wiring.parents[node], wiring.slopes[node], strict=True):
            grads[parent] += grads[node] * slope
            if parent not in queue:
                queue.append(parent)
    return grads


def _once(wiring: Wiring) -> list[float]:
    """An operand that stands twice in an operation is counted once."""
    kept = [
        dict(zip(p, s, strict=True)) for p, s in zip(wiring.parents, wiring.slopes, strict=True)
    ]
    single = Wiring(tuple(tuple(k) for k in kept), tuple(tuple(k.values()) for k in kept))
    return _backward(single)


def _stale() -> Rule:
    """Local derivatives are kept from the first graph of the same build."""
    kept: dict[Any, Any] = {}

    def rule(wiring: Wiring) -> list[float]:
        build = tuple(len(p) for p in wiring.parents)
        slopes = kept.setdefault(build, wiring.slopes)
        return _backward(Wiring(wiring.parents, slopes))

    return rule


def _not_reset() -> Rule:
    """Gradients are added to those of the calls before."""
    kept: dict[int, list[float]] = {}

    def rule(wiring: Wiring) -> list[float]:
        new = _backward(wiring)
        before = kept.get(len(new), [0.0] * len(new))
        kept[len(new)] = [a + b for a, b in zip(before, new, strict=True)]
        return list(kept[len(new)])

    return rule


RULES: dict[str, tuple[str, Callable[[], Rule]]] = {
    "overwrite": (
        "a node that is used several times keeps only the last gradient, not the sum",
        lambda: partial(_backward, overwrite=True),
    ),
    "visited per path": (
        "a node that is reached twice passes its gradient on twice",
        lambda: _every_path,
    ),
    "not topological": (
        "a node passes its gradient on before all that use it have added theirs",
        lambda: _too_early,
    ),
    "missing upstream": (
        "the upstream gradient is left out of the product",
        lambda: partial(_backward, part=lambda g, slopes, k: slopes[k]),
    ),
    "missing local": (
        "the local derivative is left out: the upstream gradient is passed on as it is",
        lambda: partial(_backward, part=lambda g, slopes, k: g),
    ),
    "operands confused": (
        "each of two operands gets the local derivative of the other",
        lambda: partial(_backward, part=lambda g, slopes, k: g * slopes[len(slopes) - 1 - k]),
    ),
    "first operand only": (
        "only the first operand gets a gradient",
        lambda: partial(_backward, part=lambda g, slopes, k: 0.0 if k else g * slopes[k]),
    ),
    "sign": (
        "the gradient of the second operand has the wrong sign",
        lambda: partial(_backward, part=lambda g, slopes, k: (-g if k else g) * slopes[k]),
    ),
    "repeated operand": (
        "an operand that stands twice in one operation is counted once",
        lambda: _once,
    ),
    "stale cache": (
        "local derivatives are kept from the first call with a graph of the same build",
        _stale,
    ),
    "not reset": ("gradients of the call before are added to the new ones", _not_reset),
}
"""Every wrong use of the chain rule, by its name."""


# --- tapes --------------------------------------------------------------------------------------


def tape_form(reference: Callable[[Sequence[Step]], Sequence[float]]) -> Form:
    """The mutants of ``backward(tape)``."""
    operations = [op for op in _OPERATIONS if _knows(reference, op)]
    if not any(arity == 2 for arity, _ in map(_OPERATIONS.__getitem__, operations)):
        raise InputError(
            "The reference gives no gradient for the tape x + x nor for x * x.",
            hint="backward(tape) takes a tuple of Step(op, parents, value), with the operations "
            "'input', 'add', 'mul', and returns one gradient per step; for a layer, give an "
            "example call after the suite; for an engine of node objects, give leaf.",
        )

    def mutant(rule: Rule) -> Callable[[Sequence[Step]], list[float]]:
        return lambda tape: rule(_wiring_of_tape(reference, tape))

    def run(backward: Callable[..., Any], tape: tuple[Step, ...]) -> list[float]:
        return [float(g) for g, s in zip(backward(tape), tape, strict=True) if s.op == "input"]

    mutants = [
        Mutant(name, text, lambda make=make: mutant(make())) for name, (text, make) in RULES.items()
    ]
    return Form(mutants, partial(_search, reference, run, operations))


_OPERATIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "add": (2, lambda a, b: a + b),
    "mul": (2, lambda a, b: a * b),
    "tanh": (1, math.tanh),
}


def _knows(reference: Callable[..., Any], op: str) -> bool:
    arity, value = _OPERATIONS[op]
    tape = (Step("input", (), 2.0), Step(op, (0,) * arity, value(*[2.0] * arity)))
    try:
        return len([float(g) for g in reference(tape)]) == 2
    except Exception:  # whatever a reference says to an operation that it does not know
        return False


def _wiring_of_tape(reference: Callable[..., Any], tape: Sequence[Step]) -> Wiring:
    """The local derivatives of a tape, each from the reference on that step alone."""
    slopes = []
    for step in tape:
        if not step.parents:
            slopes.append(())
            continue
        alone = [Step("input", (), tape[p].value) for p in step.parents]
        alone.append(Step(step.op, tuple(range(len(alone))), step.value))
        slopes.append(tuple(float(g) for g in list(reference(tuple(alone)))[:-1]))
    return Wiring(tuple(tuple(s.parents) for s in tape), tuple(slopes))


# --- node objects -------------------------------------------------------------------------------

_OPERANDS = ("_prev", "prev", "_parents", "parents", "_children", "children", "inputs")
_CLOSURES = ("_backward", "backward_fn", "_backward_fn", "grad_fn")


def node_form(reference: Callable[[Any], Any], leaf: Callable[[float], Any]) -> Form:
    """The mutants of ``backward(root)`` on node objects."""
    probe = _probe(leaf)
    operands = _attribute(probe, _OPERANDS, "its operands")
    closure = _attribute(probe, _CLOSURES, "a function that adds to their gradients")
    adds = _adds_over_calls(reference, leaf)
    operations = [op for op in _OPERATIONS if op != "tanh" or hasattr(probe, "tanh")]

    def mutant(rule: Rule, keep: bool) -> Callable[[Any], None]:
        def backward(root: Any) -> None:
            nodes = _ordered(root, operands)
            before = [float(n.grad) for n in nodes]
            wiring = _wiring_of_nodes(nodes, operands, closure)
            for node, old, new in zip(nodes, before, rule(wiring), strict=True):
                node.grad = old + new if keep else new

        return backward

    def run(backward: Callable[[Any], Any], tape: tuple[Step, ...]) -> list[float]:
        nodes = _built(tape, leaf)
        backward(nodes[-1])
        return [float(n.grad) for n, s in zip(nodes, tape, strict=True) if s.op == "input"]

    skipped = ("repeated operand", "not reset")  # both lie in the nodes, not in the pass
    mutants = [
        Mutant(name, text, lambda make=make: mutant(make(), adds))
        for name, (text, make) in RULES.items()
        if name not in skipped
    ]
    return Form(mutants, partial(_search, reference, run, operations))


def _probe(leaf: Callable[[float], Any]) -> Any:
    try:
        a, b = leaf(2.0), leaf(3.0)
        return a * b + a
    except Exception as error:
        raise InputError(
            f"Nodes made by leaf cannot be added and multiplied: {type(error).__name__}: {error}",
            hint="leaf(2.0) must return a node with + and *.",
        ) from error


def _attribute(node: Any, names: Sequence[str], what: str) -> str:
    for name in names:
        if hasattr(node, name):
            return name
    raise InputError(
        f"A {type(node).__name__} holds {what} under none of the names {', '.join(names)}.",
        hint="Rename the attribute, or give the engine as backward(tape).",
    )


def _ordered(root: Any, operands: str) -> list[Any]:
    """All nodes, operands before what uses them."""
    done: dict[int, Any] = {}
    stack = [(root, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            done.setdefault(id(node), node)
        elif id(node) not in done:
            stack.append((node, True))
            stack += [(p, False) for p in _operands(node, operands) if id(p) not in done]
    return list(done.values())


def _operands(node: Any, operands: str) -> list[Any]:
    """The distinct operands; those that an engine keeps in a set in an order that stays."""
    held = getattr(node, operands)
    found = list({id(p): p for p in held}.values())
    if isinstance(held, (set, frozenset)):
        values = [getattr(p, n) for p in found for n in ("data", "value", "val") if hasattr(p, n)]
        if len(values) == len(found):
            order = [(bool(getattr(p, operands)), v) for p, v in zip(found, values, strict=True)]
            found = [found[k] for k in sorted(range(len(found)), key=order.__getitem__)]
    return found


def _wiring_of_nodes(nodes: Sequence[Any], operands: str, closure: str) -> Wiring:
    """The local derivatives, each from the node's own function with an upstream gradient of 1."""
    place = {id(n): k for k, n in enumerate(nodes)}
    kept = [n.grad for n in nodes]
    parents, slopes = [], []
    for node in nodes:
        found = _operands(node, operands)
        parents.append(tuple(place[id(p)] for p in found))
        for parent in found:
            parent.grad = 0.0
        node.grad = 1.0
        if found:
            getattr(node, closure)()
        slopes.append(tuple(float(p.grad) for p in found))
    for node, grad in zip(nodes, kept, strict=True):
        node.grad = grad
    return Wiring(tuple(parents), tuple(slopes))


def _adds_over_calls(reference: Callable[[Any], Any], leaf: Callable[[float], Any]) -> bool:
    """Whether a second call adds to the gradients of the first, as in micrograd and PyTorch."""
    x = leaf(3.0)
    reference(x * leaf(2.0))
    first = float(x.grad)
    reference(x * leaf(2.0))
    return float(x.grad) != first


def _built(tape: Sequence[Step], leaf: Callable[[float], Any]) -> list[Any]:
    nodes: list[Any] = []
    for step in tape:
        at = [nodes[p] for p in step.parents]
        if step.op == "input":
            nodes.append(leaf(step.value))
        elif step.op == "tanh":
            nodes.append(at[0].tanh())
        else:
            nodes.append(at[0] + at[1] if step.op == "add" else at[0] * at[1])
    return nodes


# --- the smallest graphs ------------------------------------------------------------------------


def _search(
    reference: Callable[..., Any],
    run: Callable[[Callable[..., Any], tuple[Step, ...]], list[float]],
    operations: Sequence[str],
    mutants: list[Mutant],
) -> tuple[dict[str, str], int]:
    """The first graph, or pair of calls, at which each mutant gives another gradient."""
    found: dict[str, str] = {}
    for count, build in enumerate(_builds(operations), 1):
        tapes = [_tape(build, values) for values in _VALUES]
        right = [run(reference, tape) for tape in tapes]
        for mutant in mutants:
            if mutant.name in found:
                continue
            for calls in (1, 2):
                given = _gradients(run, mutant.make(), tapes[:calls])
                if given is None or not _close(given, right[calls - 1]):
                    found[mutant.name] = _case(tapes[:calls], right[calls - 1], given)
                    break
        if count >= _LIMIT or len(found) == len(mutants):
            return found, count
    return found, count


def _gradients(run: Any, backward: Any, tapes: Sequence[tuple[Step, ...]]) -> list[float] | None:
    """The gradients of the last of several calls; None if one of them raises."""
    last: list[float] | None = None
    try:
        for tape in tapes:
            last = run(backward, tape)
    except Exception:
        return None
    return last


def _close(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(a, b, strict=True))


Build = tuple[int, tuple[tuple[str, tuple[int, ...]], ...]]


def _builds(operations: Sequence[str]) -> Iterator[Build]:
    """Graphs by the number of operations, then of inputs; all nodes lead to the output."""
    for size in range(1, MAX_OPERATIONS + 1):
        for inputs in (1, 2):
            for steps in _sequences(operations, inputs, size):
                used = {p for _, parents in steps for p in parents}
                if used >= set(range(inputs + size - 1)):
                    yield inputs, steps


def _sequences(
    operations: Sequence[str], nodes: int, size: int
) -> Iterator[tuple[tuple[str, tuple[int, ...]], ...]]:
    if size == 0:
        yield ()
        return
    for op in operations:
        binary = _OPERATIONS[op][0] == 2
        pairs = [(i, j) for j in range(nodes) for i in range(j + 1)] if binary else []
        for parents in pairs or [(i,) for i in range(nodes)]:
            for rest in _sequences(operations, nodes + 1, size - 1):
                yield ((op, parents), *rest)


def _tape(build: Build, values: Sequence[float]) -> tuple[Step, ...]:
    inputs, steps = build
    tape = [Step("input", (), v) for v in values[:inputs]]
    for op, parents in steps:
        value = _OPERATIONS[op][1](*(tape[p].value for p in parents))
        tape.append(Step(op, parents, value))
    return tuple(tape)


def _case(tapes: Sequence[tuple[Step, ...]], right: list[float], given: list[float] | None) -> str:
    tape = tapes[-1]
    inputs = sum(s.op == "input" for s in tape)
    names = ["x", "y"][:inputs] + [f"h{k}" for k in range(1, len(tape) - inputs)] + ["f"]
    lines = []
    for name, step in list(zip(names, tape, strict=True))[inputs:]:
        at = [names[p] for p in step.parents]
        sign = {"add": " + ", "mul": " * "}.get(step.op)
        lines.append(f"{name} = " + (sign.join(at) if sign else f"{step.op}({at[0]})"))
    points = [
        ", ".join(f"{n} = {s.value:g}" for n, s in zip(names, t, strict=False) if s.op == "input")
        for t in tapes
    ]
    graph = f"{'; '.join(lines)} at {', then at '.join(points)}"
    if given is None:
        return f"{graph}: it raises."
    k = next(k for k in range(inputs) if not _close(given[k : k + 1], right[k : k + 1]))
    return f"{graph}: df/d{names[k]} is {right[k]:g}, and it gives {given[k]:g}."
