"""Mutants of the backward function of a layer, and the smallest inputs that tell them apart.

A backward function is linear in the upstream gradient. So what one example of a batch adds, or
what one entry of the Jacobian is, can be asked of the reference itself, and the mutants need no
look into its code.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from backprove.checking.mutants import Form, Mutant
from backprove.checking.subjects import input_names, is_real
from backprove.errors import InputError

MAX_SIZE = 3
_LIMIT = 2_000

Change = Callable[[list[Any], Sequence[np.ndarray], Callable[..., list[Any]]], list[Any]]
"""From the right gradients, the arguments, and the reference: the wrong gradients."""


@dataclass(frozen=True)
class Example:
    """One call that works.

    Attributes:
        arguments: the upstream gradient, then the inputs.
        names: a name for each argument.
        gradients: what the reference returns, one per input, None where it gives none.
        judged: the position of the input that each gradient belongs to.
    """

    arguments: list[np.ndarray]
    names: list[str]
    gradients: list[Any]
    judged: list[int]

    def name(self, k: int) -> str:
        """What the k-th gradient belongs to."""
        return self.names[1 + self.judged[k]]

    @property
    def batch(self) -> int:
        """The length of the first axis of the upstream gradient; 0 if it has none."""
        return self.arguments[0].shape[0] if self.arguments[0].ndim else 0


def layer_form(reference: Callable[..., Any], example: Sequence[Any], seed: int) -> Form:
    """The mutants of ``backward(g, *inputs)``.

    Raises:
        InputError: the example call fails, or does not give one gradient per input.
    """
    arguments = [np.array(v) for v in example]
    try:
        returned = reference(*[a.copy() for a in arguments])
    except Exception as error:
        raise InputError(
            f"The reference raises {type(error).__name__}: {error} on the example.",
            hint="Give the arguments of one call that works: the upstream gradient first.",
        ) from error
    gradients = _parts(returned)
    names = input_names(reference, len(arguments), None)
    real = [k for k, v in enumerate(arguments[1:]) if is_real(v)]
    judged = list(range(len(arguments) - 1)) if len(gradients) == len(arguments) - 1 else real
    if len(judged) != len(gradients):
        raise InputError(
            f"The reference returns {len(gradients)} gradients for {len(real)} real inputs."
        )
    for k, gradient in enumerate(gradients):
        shape = arguments[1 + judged[k]].shape
        if gradient is not None and np.shape(gradient) != shape:
            raise InputError(
                f"The reference returns a gradient of the shape {np.shape(gradient)} for "
                f"{names[1 + judged[k]]}, which has the shape {shape}."
            )
    seen = Example(arguments, names, gradients, judged)
    changes = list(_changes(seen))
    mutants = [
        Mutant(name, text, partial(_with_change, reference, change))
        for name, text, change in changes
    ]
    mutants += [
        Mutant(
            "stale cache",
            "the inputs of the first call are used again in later ones",
            partial(_stale, reference),
        ),
        Mutant(
            "not reset",
            "gradients of the calls before are added to the new ones",
            partial(_not_reset, reference),
        ),
        Mutant(
            "overwritten upstream",
            "the upstream gradient is overwritten in place, so that later users see other numbers",
            partial(_writes_upstream, reference),
        ),
    ]
    return Form(mutants, partial(_search, reference, seen, seed))


def _parts(returned: Any) -> list[Any]:
    return list(returned) if isinstance(returned, (tuple, list)) else [returned]


def _like(returned: Any, parts: list[Any]) -> Any:
    return tuple(parts) if isinstance(returned, (tuple, list)) else parts[0]


def _with_change(reference: Callable[..., Any], change: Change) -> Callable[..., Any]:
    def ask(*arguments: Any) -> list[Any]:
        return _parts(reference(*arguments))

    def backward(*arguments: Any) -> Any:
        returned = reference(*arguments)
        return _like(returned, change(_parts(returned), arguments, ask))

    return backward


def _stale(reference: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[Any, tuple[Any, ...]] = {}

    def backward(g: Any, *inputs: Any) -> Any:
        shapes = tuple(np.shape(v) for v in inputs)
        return reference(g, *kept.setdefault(shapes, tuple(np.array(v) for v in inputs)))

    return backward


def _not_reset(reference: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[Any, list[Any]] = {}

    def backward(*arguments: Any) -> Any:
        returned = reference(*arguments)
        parts = _parts(returned)
        shapes = tuple(np.shape(p) for p in parts)
        before = kept.get(shapes, [0.0] * len(parts))
        added = [p if p is None else p + b for p, b in zip(parts, before, strict=True)]
        kept[shapes] = added
        return _like(returned, [p if p is None else np.array(p) for p in added])

    return backward


def _writes_upstream(reference: Callable[..., Any]) -> Callable[..., Any]:
    def backward(g: Any, *inputs: Any) -> Any:
        returned = reference(np.array(g), *inputs)
        parts = [p if p is None else np.array(p) for p in _parts(returned)]
        if isinstance(g, np.ndarray) and g.ndim:
            g *= 2
        return _like(returned, parts)

    return backward


# --- what can be wrong --------------------------------------------------------------------------


def _changes(seen: Example) -> Iterator[tuple[str, str, Change]]:
    """Name, text and change of every mutant that makes sense for this layer."""
    for j, value in enumerate(seen.arguments[1:]):
        if value.ndim == 2:
            name = seen.names[1 + j]
            yield f"transposed {name}", f"{name} is used transposed", partial(_transposed_input, j)
    for k, gradient in enumerate(seen.gradients):
        if gradient is None:
            continue
        name = seen.name(k)
        if np.ndim(gradient) == 2:
            yield (
                f"gradient of {name} transposed",
                f"the gradient of {name} is returned transposed",
                partial(_on, k, lambda v: v.T),
            )
        yield from _batch_changes(seen, k, name)
        for title, text, edit in _EDITS:
            yield f"{title} of {name}", f"the gradient of {name} {text}", partial(_on, k, edit)
        if np.shape(gradient) == seen.arguments[0].shape and np.ndim(gradient):
            yield (
                f"diagonal only for {name}",
                f"the Jacobian by {name} is taken to be diagonal",
                partial(_diagonal, k),
            )
    ones = "ones are used" if seen.arguments[0].ndim else "1 is used"
    yield (
        "missing upstream",
        f"the upstream gradient is left out: {ones}",
        lambda _, a, ask: ask(np.ones_like(np.asarray(a[0])), *a[1:]),
    )
    if seen.batch >= 2:
        yield (
            "rows apart",
            "each example is taken alone, and what it changes in the others is left out",
            partial(_rows_apart, [_is_batched(seen, a) for a in seen.arguments]),
        )
    for j, k in itertools.combinations(range(len(seen.gradients)), 2):
        if seen.gradients[j] is not None and seen.gradients[k] is not None:
            yield (
                f"{seen.name(j)} and {seen.name(k)} swapped",
                f"the gradients of {seen.name(j)} and {seen.name(k)} are swapped",
                partial(_swapped, j, k),
            )


def _batch_changes(seen: Example, k: int, name: str) -> Iterator[tuple[str, str, Change]]:
    """Mistakes in the sum over the examples, for what is shared by all of them."""
    shape = np.shape(seen.gradients[k])
    if seen.batch < 2 or (shape and shape[0] == seen.batch):
        return
    yield (
        f"no sum for {name}",
        f"the gradient of {name} is not summed over the batch",
        partial(_unsummed, k),
    )
    yield (
        f"overwrite for {name}",
        f"the gradient of {name} is that of the last example, not the sum over the batch",
        partial(_last_row, k),
    )
    yield (
        f"mean for {name}",
        f"the gradient of {name} is the mean over the batch, not the sum",
        lambda parts, a, _: _on(k, lambda v: v / max(len(np.atleast_1d(a[0])), 1), parts, a, _),
    )


_EDITS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("sign", "has the wrong sign", lambda v: -v),
    ("factor", "lacks a factor 2", lambda v: v / 2),
    ("zero gradient", "is zero: its path is missing", lambda v: v * 0),
)


def _on(k: int, edit: Callable[[Any], Any], parts: list[Any], _: Any, __: Any) -> list[Any]:
    return [edit(np.asarray(p)) if i == k else p for i, p in enumerate(parts)]


def _transposed_input(j: int, _: list[Any], a: Sequence[Any], ask: Any) -> list[Any]:
    moved = [np.asarray(v).T if i == j + 1 else v for i, v in enumerate(a)]
    return ask(*moved)


def _masked(g: Any, keep: Any) -> np.ndarray:
    """The upstream gradient with all but some entries set to zero."""
    full = np.asarray(g)
    masked = np.zeros_like(full)
    masked[keep] = full[keep]
    return masked


def _unsummed(k: int, parts: list[Any], a: Sequence[Any], ask: Any) -> list[Any]:
    rows = [ask(_masked(a[0], i), *a[1:])[k] for i in range(len(a[0]))]
    return [np.stack(rows) if i == k else p for i, p in enumerate(parts)]


def _last_row(k: int, parts: list[Any], a: Sequence[Any], ask: Any) -> list[Any]:
    last = ask(_masked(a[0], -1), *a[1:])[k]
    return [last if i == k else p for i, p in enumerate(parts)]


def _diagonal(k: int, parts: list[Any], a: Sequence[Any], ask: Any) -> list[Any]:
    g = np.asarray(a[0])
    if np.shape(parts[k]) != g.shape:
        return parts
    diagonal = np.zeros_like(parts[k])
    for at in np.ndindex(g.shape):
        diagonal[at] = ask(_masked(g, at), *a[1:])[k][at]
    return [diagonal if i == k else p for i, p in enumerate(parts)]


def _is_batched(seen: Example, value: np.ndarray) -> bool:
    return bool(value.ndim) and value.shape[0] == seen.batch


def _rows_apart(batched: Sequence[bool], parts: list[Any], a: Sequence[Any], ask: Any) -> list[Any]:
    found = [
        ask(*[v[i : i + 1] if each else v for v, each in zip(a, batched, strict=True)])
        for i in range(len(a[0]))
    ]
    changed: list[Any] = []
    for k, part in enumerate(parts):
        if part is None:
            changed.append(None)
            continue
        each = [np.asarray(f[k]) for f in found]
        joined = np.shape(each[0]) != np.shape(part)
        changed.append(np.concatenate(each) if joined else np.sum(each, axis=0))
    return changed


def _swapped(j: int, k: int, parts: list[Any], _: Any, __: Any) -> list[Any]:
    swapped = list(parts)
    swapped[j], swapped[k] = parts[k], parts[j]
    return swapped


# --- the smallest inputs ------------------------------------------------------------------------


def _search(
    reference: Callable[..., Any], seen: Example, seed: int, mutants: list[Mutant]
) -> tuple[dict[str, str], int]:
    """The first inputs, or pair of calls, at which each mutant gives something else."""
    found: dict[str, str] = {}
    count = 0
    for first, second in _inputs(seen, seed):
        try:
            right = [_parts(reference(*_copies(a))) for a in (first, second)]
        except Exception:
            continue
        if not all(p is None or np.all(np.isfinite(p)) for r in right for p in r):
            continue
        count += 1
        for mutant in mutants:
            if mutant.name in found:
                continue
            for calls in ([first], [first, second]):
                differs = _difference(mutant, calls, right[len(calls) - 1], seen)
                if differs:
                    found[mutant.name] = f"{_sizes(calls, seen)}: {differs}"
                    break
        if count >= _LIMIT or len(found) == len(mutants):
            break
    return found, count


def _copies(arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
    return [a.copy() for a in arguments]


def _inputs(seen: Example, seed: int) -> Iterator[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Inputs of growing size, two of each; axes of one length in the example stay of one."""
    rng = np.random.default_rng(seed)
    lengths = sorted({s for a in seen.arguments for s in a.shape} - {1})
    choices = itertools.product(range(1, MAX_SIZE + 1), repeat=min(len(lengths), 6))
    for sizes in sorted(choices, key=lambda c: (sum(c), c)):
        to: dict[int, int] = {1: 1} | {s: s for s in lengths}
        to |= dict(zip(lengths, sizes, strict=False))
        if any(to[s] > s for s in lengths):
            continue
        yield (
            [_filled(a, to, rng) for a in seen.arguments],
            [_filled(a, to, rng) for a in seen.arguments],
        )


def _filled(like: np.ndarray, to: dict[int, int], rng: np.random.Generator) -> np.ndarray:
    """An array of small numbers, of the kind of the example."""
    shape = tuple(to[s] for s in like.shape)
    if not is_real(like):
        smallest = min((n for s, n in to.items() if s > 1), default=1)
        kept = like[tuple(slice(s) for s in shape)]
        return kept % smallest if like.dtype.kind in "iu" else kept
    if np.all(like > 0):
        small = rng.uniform(0.1, 0.9, shape) if np.all(like < 1) else rng.integers(1, 6, shape)
        return np.asarray(small).astype(like.dtype)
    numbers = rng.integers(1, 6, shape) * rng.choice([-1, 1], shape)
    return np.asarray(numbers).astype(like.dtype)


def _difference(
    mutant: Mutant, calls: Sequence[list[np.ndarray]], right: list[Any], seen: Example
) -> str:
    """Where the last of several calls differs from the reference; empty if nowhere."""
    backward = mutant.make()
    given: list[Any] = []
    last: list[np.ndarray] = []
    try:
        with np.errstate(all="ignore"):
            for arguments in calls:
                last = _copies(arguments)
                given = _parts(backward(*last))
    except Exception as error:
        return f"it raises {type(error).__name__}."
    for k, (wrong, true) in enumerate(zip(given, right, strict=True)):
        if true is None:
            continue
        name, true = seen.name(k), np.asarray(true)
        if np.shape(wrong) != true.shape:
            return f"the gradient of {name} has the shape {np.shape(wrong)}, right is {true.shape}."
        gap = ~np.isclose(wrong, true, rtol=1e-6, atol=1e-9)
        if gap.any():
            at = tuple(int(i) for i in np.argwhere(gap)[0])
            place = f"entry {list(at)} of the gradient" if at else "the gradient"
            return f"{place} of {name} is {true[at]:.6g}, and it gives {np.asarray(wrong)[at]:.6g}."
    if not all(np.array_equal(a, b) for a, b in zip(last, calls[-1], strict=True)):
        return "the upstream gradient is another one after the call."
    return ""


def _sizes(calls: Sequence[list[np.ndarray]], seen: Example) -> str:
    shown = []
    for name, value in zip(seen.names, calls[-1], strict=True):
        shape = "×".join(map(str, value.shape)) or "a number"
        small = value.size <= 6
        numbers = np.array2string(value, separator=", ", precision=3) if small else ""
        shown.append(f"{name} {shape} {' '.join(numbers.split())}".strip())
    lead = "a second call with " if len(calls) > 1 else ""
    return lead + ", ".join(shown)
