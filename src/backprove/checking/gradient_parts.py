"""Which part of a gradient is wrong, told from the operations of the forward function.

A gradient is a sum over paths through the operations. The part that passes one operand of one
operation is the adjoint there times the derivative of that operand by the input. A slip in one
backward rule changes one such part: it is left out, has the wrong sign, or lacks the slope of the
operation. Any tracer can make the parts; nothing here depends on a library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backprove.checking.wrong_terms import Explanation, Select

_CLOSE = 1e-6
_PLAIN = ("add", "sub", "mul", "neg", "div", "broadcast_in_dim", "reshape", "squeeze", "transpose")
"""Operations that are named only where nothing more telling lies on the same path."""


@dataclass(frozen=True)
class Part:
    """One operand of one operation, at one point and for one upstream gradient.

    Attributes:
        op: the operation that uses the operand.
        place: file and line of it; empty if unknown.
        arrives: the upstream gradient of the outcome of the operation.
        passes: what the operation passes on to the operand, of the operand's shape.
        slope: the derivative of the operand by the input: entries of it by entries of the input.
        inner: the operation that made the operand; empty for an input.
    """

    op: str
    place: str
    arrives: np.ndarray
    passes: np.ndarray
    slope: np.ndarray
    inner: str = ""


def explain_by_parts(
    parts: Sequence[Sequence[Part]],
    expected: Sequence[np.ndarray],
    given: Sequence[np.ndarray],
    select: Select,
) -> Explanation | None:
    """The one part whose change turns the right gradients into the given ones.

    Args:
        parts: for each scene its parts, in the same order in all of them.
        expected: the right gradient in each scene.
        given: the claimed one.
        select: picks the entries that were measured reliably.
    """
    if not parts or len({len(p) for p in parts}) != 1:
        return None
    shape = np.shape(expected[0])
    difference = _stack([g - e for g, e in zip(given, expected, strict=True)], select)
    top = float(np.max(np.abs(difference), initial=0.0))
    if difference.size < 4 or np.count_nonzero(np.abs(difference) > _CLOSE * top) < 2:
        return None
    found: list[tuple[int, Explanation]] = []
    for k in range(len(parts[0])):
        same = [scene[k] for scene in parts]
        for rank, explanation in _changes(same, shape, difference, select):
            found.append((rank + 3 * (same[0].op in _PLAIN), explanation))
    return min(found, key=lambda item: item[0])[1] if found else None


def _stack(arrays: Sequence[np.ndarray], select: Select) -> np.ndarray:
    return np.concatenate([select(np.asarray(a, dtype=float)) for a in arrays])


def _changes(
    same: Sequence[Part], shape: tuple[int, ...], difference: np.ndarray, select: Select
) -> Iterator[tuple[int, Explanation]]:
    """What explains the difference by one part, with how far-fetched it is."""

    def effect(values: Sequence[np.ndarray]) -> np.ndarray:
        pairs = zip(values, same, strict=True)
        return _stack([(v.reshape(-1) @ p.slope).reshape(shape) for v, p in pairs], select)

    own = effect([part.passes for part in same])
    ratio = _constant(difference, own)
    called = _called(same[0])
    if ratio is not None:
        yield 0, _scaled_part(1 + ratio, called)
    if all(p.arrives.shape == p.passes.shape and p.arrives.ndim for p in same):
        if _equal(difference, effect([p.arrives for p in same]) - own):
            text = f"the slope of `{same[0].op}`{_at(same[0])} is left out"
            yield 1, Explanation("missing_chain", text, same[0].op)
    first = same[0].passes.shape
    if len(first) >= 2 and first[-1] == first[-2] > 1:
        turned = effect([np.swapaxes(p.passes, -1, -2) for p in same])
        if _equal(difference, turned - own):
            yield 1, Explanation("transposed", f"{called} is transposed", same[0].op)
    for axis in range(len(first)):
        if first[axis] > 1 and _equal(
            difference, effect([np.flip(p.passes, axis) for p in same]) - own
        ):
            text = f"{called} is in reverse order along axis {axis}"
            yield 2, Explanation("wrong_axis", text, same[0].op)


def _constant(difference: np.ndarray, part: np.ndarray) -> float | None:
    """The factor of the part that gives the difference, if there is one."""
    size = float(part @ part)
    if not np.isfinite(size) or size <= 0:
        return None
    factor = float(difference @ part) / size
    return factor if factor and _equal(difference, factor * part) else None


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    top = float(np.max(np.abs(a), initial=0.0))
    return bool(np.all(np.isfinite(b))) and float(np.max(np.abs(a - b))) <= _CLOSE * top


def _called(part: Part) -> str:
    into = f" into `{part.inner}`" if part.inner else ""
    return f"the part that goes back through `{part.op}`{_at(part)}{into}"


def _at(part: Part) -> str:
    return f" ({part.place})" if part.place else ""


def _scaled_part(factor: float, called: str) -> Explanation:
    """The part is there ``factor`` times."""
    if abs(factor) < 1e-5:
        return Explanation("missing_path", f"{called} is missing", called)
    if abs(factor + 1) < 1e-5:
        return Explanation("sign", f"{called} has the wrong sign", called)
    if abs(factor - 2) < 1e-5:
        return Explanation("extra_term", f"{called} is there twice", called)
    inverse = 1 / factor
    if abs(inverse - round(inverse)) < 1e-5 and abs(round(inverse)) > 1:
        text = f"{called} lacks the factor {round(inverse)}"
        return Explanation("missing_factor", text, called)
    text = f"{called} is {factor:.4g} times as large as it must be"
    return Explanation("extra_factor", text, called)
