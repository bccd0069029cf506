"""What is wrong with a gradient: simple relations to the right one first, then single terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backprove.checking.invariants import Scene
from backprove.checking.term_dictionary import Term, atoms, is_diagonal, terms
from backprove.functions import ELEMENTWISE

_CLOSE = 1e-6
Select = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Explanation:
    """A mistake by name and in words.

    Attributes:
        mistake: a name from ``MISTAKES``.
        text: a clause that goes on from "the gradient of x is wrong:".
        where: the term or factor in question.
    """

    mistake: str
    text: str
    where: str


def explain(
    scenes: Sequence[Scene],
    select: Select,
    others: Mapping[str, Sequence[np.ndarray]],
    *,
    tolerance: float = _CLOSE,
    deep: bool = True,
) -> Explanation | None:
    """The simplest explanation of how the given gradients arise from the right ones.

    Args:
        scenes: several points and upstream gradients; one law must explain all of them.
        select: picks the entries that were measured reliably.
        others: the right gradients of the other inputs, per scene.
        tolerance: the relative deviation that counts as equal.
        deep: whether to search for terms; needs double precision.
    """
    if not scenes:
        return None
    right = _stack([s.expected for s in scenes], select)
    given = _stack([s.given for s in scenes], select)
    if right.size < 2 or not np.all(np.isfinite(given)) or not np.all(np.isfinite(right)):
        return None
    top = float(np.max(np.abs(right)))
    gap = float(np.max(np.abs(given - right)))
    if gap <= 1e-9 * top:
        return None  # what is wrong does not show at these entries
    if top:  # what explains a small error must fit much better than no error at all
        tolerance = min(tolerance, 0.1 * gap / top)
    for candidate in _relations(scenes, select, right, given, others, tolerance):
        return candidate
    if not deep:
        return None
    small = tolerance < _CLOSE
    found = None if small else _factor(scenes, select, right, given)
    alike = not small and scenes[0].output.shape == scenes[0].expected.shape
    if found is None and alike and is_diagonal(scenes[0].jacobian):
        for mistake, text, where, value in _other_functions(scenes):
            if _equal(given, _stack(value, select)):
                return Explanation(mistake, text, where)
    for joined in (False, True):
        found = found or _term(scenes, select, right, given, joined)
    return found


def _stack(arrays: Sequence[np.ndarray], select: Select) -> np.ndarray:
    return np.concatenate([select(np.asarray(a, dtype=float)) for a in arrays])


def _equal(a: np.ndarray, b: np.ndarray, tolerance: float = _CLOSE) -> bool:
    top = max(float(np.max(np.abs(b), initial=0.0)), 1e-300)
    return bool(np.all(np.isfinite(a))) and float(np.max(np.abs(a - b))) <= tolerance * top


def _relations(
    scenes: Sequence[Scene],
    select: Select,
    right: np.ndarray,
    given: np.ndarray,
    others: Mapping[str, Sequence[np.ndarray]],
    tolerance: float,
) -> Iterator[Explanation]:
    if np.max(np.abs(given)) <= tolerance * np.max(np.abs(right)):
        yield Explanation("missing_path", "it is zero, but the output depends on it", "all entries")
    if np.max(np.abs(right)) == 0:
        yield Explanation("extra_term", "the right gradient is zero", "all entries")
        return
    factor = float(given @ right / (right @ right))
    if factor and _equal(given, factor * right, tolerance):
        yield constant_factor(factor, scenes[0])
    for mistake, text, where, value in _alternatives(scenes, others):
        if _equal(given, _stack(value, select), tolerance):
            yield Explanation(mistake, text, where)


def constant_factor(factor: float, scene: Scene) -> Explanation:
    """The explanation of a gradient that is a constant times the right one."""
    if abs(factor + 1) < 1e-4:
        return Explanation("sign", "its sign is wrong", "the sign")
    prefix = "its sign is wrong, and " if factor < 0 else ""
    size = abs(factor)
    for count, text in _sizes(scene):
        if abs(size / count - 1) < 1e-4:
            what = f"{prefix}the factor 1/{count} is missing ({text})"
            return Explanation("missing_normalizer", what, f"1/{count}")
        if abs(size * count - 1) < 1e-4:
            what = f"{prefix}it has a factor 1/{count} too many ({text}), as a mean in the place "
            return Explanation("extra_factor", what + "of a sum gives", f"1/{count}")
    if abs(1 / size - round(1 / size)) < 1e-4 and round(1 / size) > 1:
        number = round(1 / size)
        return Explanation("missing_factor", f"{prefix}the factor {number} is missing", f"{number}")
    hint = ""
    for count, text in _sizes(scene):
        root = math.sqrt(count)
        if root.is_integer():  # 2 is 2 before it is the square root of a size
            if abs(size / root - 1) < 1e-4:
                hint = hint or f" ({root:.0f} is also the square root of {text})"
            continue
        if abs(size / root - 1) < 1e-4:
            what = f"{prefix}the factor 1/sqrt({count}) is missing ({text})"
            return Explanation("missing_normalizer", what, f"1/sqrt({count})")
        if abs(size * root - 1) < 1e-4:
            what = f"{prefix}it has a factor 1/sqrt({count}) too many ({text})"
            return Explanation("extra_factor", what, f"1/sqrt({count})")
    shown = f"{size:.4g}" if abs(size - 1) > 1e-3 else f"{size:.10g}"
    return Explanation("extra_factor", f"{prefix}it is {shown} times the right one{hint}", shown)


def _sizes(scene: Scene) -> list[tuple[int, str]]:
    """Sizes above 2 of axes and of the whole arrays, each with where it comes from."""
    found: dict[int, str] = {}
    arrays = [(scene.name, scene.inputs[scene.name]), ("the output", scene.output)]
    arrays += [(n, v) for n, v in scene.inputs.items() if n != scene.name]
    for name, value in arrays:
        for axis, size in enumerate(value.shape):
            found.setdefault(size, f"the size of axis {axis} of {name}")
        found.setdefault(value.size, f"the number of entries of {name}")
    return [(size, text) for size, text in found.items() if size > 2]


def _alternatives(
    scenes: Sequence[Scene], others: Mapping[str, Sequence[np.ndarray]]
) -> Iterator[tuple[str, str, str, list[np.ndarray]]]:
    """Well-known wrong gradients that are made from the right Jacobian."""
    shape = scenes[0].expected.shape
    if len(shape) == 2 and shape[0] == shape[1] and shape[0] > 1:
        yield "transposed", "it is transposed", "the whole gradient", [s.expected.T for s in scenes]
    for axis in range(len(shape)):
        if shape[axis] > 1:
            yield (
                "wrong_axis",
                f"its entries are in reverse order along axis {axis}",
                f"axis {axis}",
                [np.flip(s.expected, axis) for s in scenes],
            )
    for name, gradients in others.items():
        if all(g.shape == shape for g in gradients):
            yield ("wrong_order", f"it is the gradient of {name}", name, list(gradients))
    if scenes[0].output.shape == shape and len(shape) and shape[-1] > 1:
        for name, rule in (("softmax", _softmax_rule), ("log_softmax", _log_softmax_rule)):
            yield "wrong_function", f"it is the gradient of {name}", name, [rule(s) for s in scenes]
    for axis in range(len(shape)):
        if shape[axis] > 1:
            sums = [np.broadcast_to(s.expected.sum(axis, keepdims=True), shape) for s in scenes]
            yield ("extra_term", f"it is summed along axis {axis}", f"axis {axis}", sums)
            means = [np.broadcast_to(s.expected.mean(axis, keepdims=True), shape) for s in scenes]
            yield ("extra_term", f"it is averaged along axis {axis}", f"axis {axis}", means)
    size = int(np.prod(shape))
    if any(s.jacobian.shape != (s.output.size, size) for s in scenes):
        return
    ones = [(np.ones(s.output.size) @ s.jacobian).reshape(shape) for s in scenes]
    yield "missing_factor", "the upstream gradient is left out", "dy", ones
    if scenes[0].output.size == size > 1:
        forward = [(s.jacobian @ s.upstream.reshape(-1)).reshape(shape) for s in scenes]
        yield ("transposed", "the Jacobian is used in the place of its transpose", "J", forward)
        diagonal = [(np.diag(s.jacobian) * s.upstream.reshape(-1)).reshape(shape) for s in scenes]
        text = "only the diagonal of the Jacobian is used; the entries of the input interact"
        yield "missing_term", text, "off the diagonal", diagonal
    if len(shape) > 1 and scenes[0].output.shape[:1] == shape[:1] and shape[0] > 1:
        yield (
            "missing_path",
            "the rows interact, but every row is treated by itself",
            "between rows",
            [_same_row(s, shape) for s in scenes],
        )


def _other_functions(
    scenes: Sequence[Scene],
) -> Iterator[tuple[str, str, str, list[np.ndarray]]]:
    """The gradients of the elementwise functions of the table, by the complex step."""
    for name, record in ELEMENTWISE.items():
        if record.arity != 1:
            continue
        with np.errstate(all="ignore"):
            values = [record.value(s.inputs[s.name] + 1e-30j) for s in scenes]
        slopes = [np.imag(v) / 1e-30 for v in values]
        if all(np.all(np.isfinite(v)) and np.ptp(v) > 0 for v in slopes):
            products = [s.upstream * v for s, v in zip(scenes, slopes, strict=True)]
            yield "wrong_function", f"it is the gradient of {name}", name, products


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _softmax_rule(scene: Scene) -> np.ndarray:
    p, g = _softmax(scene.inputs[scene.name]), scene.upstream
    return p * (g - (g * p).sum(axis=-1, keepdims=True))


def _log_softmax_rule(scene: Scene) -> np.ndarray:
    p, g = _softmax(scene.inputs[scene.name]), scene.upstream
    return g - p * g.sum(axis=-1, keepdims=True)


def _same_row(scene: Scene, shape: tuple[int, ...]) -> np.ndarray:
    rows = shape[0]
    blocks = scene.jacobian.reshape(rows, -1, rows, int(np.prod(shape[1:])))
    upstream = scene.upstream.reshape(rows, -1)
    return np.einsum("bo,bobi->bi", upstream, blocks).reshape(shape)


def _factor(
    scenes: Sequence[Scene], select: Select, right: np.ndarray, given: np.ndarray
) -> Explanation | None:
    """A quantity by which the whole gradient is multiplied, or that was left out."""
    known = [atoms(s) for s in scenes]
    pool = {n: [k[n] for k in known] for n in known[0] if all(n in k for k in known)}
    for name in [n for n, values in pool.items() if n.startswith("y") or n == "output"]:
        pool[f"(1 - {name}²)"] = [1 - v**2 for v in pool[name]]
        pool[f"(1 - {name})"] = [1 - v for v in pool[name]]
    pool["dy"] = [s.upstream for s in scenes]
    shape = scenes[0].expected.shape
    for name, values in pool.items():
        try:
            full = [np.broadcast_to(v, shape) for v in values]
        except ValueError:
            continue
        factor = _stack(full, select)
        if np.ptp(factor) <= 1e-9 * np.max(np.abs(factor), initial=0.0):
            continue
        if _equal(given * factor, right) or _proportional(given * factor, right):
            return Explanation("missing_factor", f"the factor {name} is missing", name)
        if _equal(given, right * factor):
            return Explanation("extra_factor", f"the factor {name} is one too many", name)
        if _equal(given, right * factor**2):
            return Explanation("extra_factor", f"{name} divides where it should multiply", name)
    return None


def _proportional(a: np.ndarray, b: np.ndarray) -> bool:
    scale = float(a @ b / max(float(a @ a), 1e-300))
    return abs(abs(scale) - 1) < 1e-6 and _equal(a * scale, b)


def _term(
    scenes: Sequence[Scene],
    select: Select,
    right: np.ndarray,
    given: np.ndarray,
    joined: bool,
) -> Explanation | None:
    """One or two terms that make up the whole difference."""
    names, matrix = _dictionary(scenes, select, joined)
    if not names:
        return None
    difference = given - right
    support = _support(matrix, difference, [], most=1, width=1)
    if support is None:
        support = _pair(matrix, difference, names)
    if support is None:
        return None
    wrong_by = _coefficients(matrix, support, difference)
    whole = _completed(matrix, right, support, names)
    if whole is None:
        if len(support) > 1:
            return None
        term, text = names[support[0]], _scaled(names[support[0]], wrong_by[0])
        return Explanation("wrong_value", f"it exceeds the right one by {text}", term.text)
    true = _coefficients(matrix, whole, right)[: len(support)]
    true[np.abs(true) < 1e-5 * np.abs(wrong_by)] = 0.0
    if len(support) == 1:
        return _one(names[support[0]], true[0], true[0] + wrong_by[0])
    return _two([names[k] for k in support], true, true + wrong_by, scenes[0])


def _dictionary(
    scenes: Sequence[Scene], select: Select, joined: bool
) -> tuple[list[Term], np.ndarray]:
    """The distinct candidates as rows of unit scale, those with the shortest text first."""
    with np.errstate(all="ignore"):
        built = [terms(s, joined=joined) for s in scenes]
    shared = [t for t in built[0] if all(t in other for other in built)]
    shared.sort(key=lambda t: (len(t.factors), len(t.text)))
    seen: set[bytes] = set()
    names, rows = [], []
    for term in shared:
        row = _stack([b[term] for b in built], select)
        length = float(np.linalg.norm(row))
        if not np.isfinite(length) or length < 1e-9:
            continue
        direction = row / length
        first = direction[int(np.argmax(np.abs(direction) > 1e-6))]
        key = np.round(direction * np.sign(first), 7).tobytes()
        if key not in seen:
            seen.add(key)
            names.append(term)
            rows.append(row)
    return names, np.array(rows)


def _coefficients(matrix: np.ndarray, support: Sequence[int], target: np.ndarray) -> np.ndarray:
    return np.linalg.lstsq(matrix[list(support)].T, target, rcond=None)[0]


def _support(
    matrix: np.ndarray,
    target: np.ndarray,
    start: Sequence[int],
    *,
    most: int,
    width: int,
) -> list[int] | None:
    """The fewest rows, ``start`` among them, of which the target is a combination.

    Orthogonal matching pursuit that keeps the ``width`` best supports of each size; a support
    counts only if nothing is left over.
    """
    lengths = np.linalg.norm(matrix, axis=1)
    top = float(np.linalg.norm(target))
    beam = [list(start)]
    for extra in range(most + 1):
        scored: dict[tuple[int, ...], float] = {}
        for support in beam:
            rest = target
            if support:
                rest = target - _coefficients(matrix, support, target) @ matrix[support]
            if np.linalg.norm(rest) <= _CLOSE * top:
                return support
            if extra == most:
                continue
            basis = np.linalg.qr(matrix[support].T)[0] if support else None
            lean = matrix if basis is None else matrix - (matrix @ basis) @ basis.T
            own = np.linalg.norm(lean, axis=1)
            usable = own > 1e-6 * lengths
            fit = np.where(usable, np.abs(lean @ rest) / np.where(usable, own, 1), 0.0)
            exact = np.flatnonzero(fit**2 >= np.linalg.norm(rest) ** 2 * (1 - 1e-13))
            for k in exact:
                chosen = [*support, int(k)]
                left = target - _coefficients(matrix, chosen, target) @ matrix[chosen]
                if np.linalg.norm(left) <= _CLOSE * top:
                    return chosen
            for k in np.argsort(-fit)[:width]:
                chosen = (*support, int(k))
                scored[chosen] = max(
                    scored.get(chosen, -np.inf), float(fit[k] - np.linalg.norm(rest))
                )
        ranked = sorted(scored, key=lambda chosen: -scored[chosen])
        beam = [list(chosen) for chosen in ranked[:width]]
    return None


def _completed(
    matrix: np.ndarray, target: np.ndarray, start: list[int], names: Sequence[Term]
) -> list[int] | None:
    """``start`` and the fewest further rows of which the target is a combination."""
    found = _support(matrix, target, start, most=1, width=1)
    if found is not None:
        return found
    basis = np.linalg.qr(matrix[start].T)[0]
    free = matrix - (matrix @ basis) @ basis.T
    rest = target - basis @ (basis.T @ target)
    kept = np.linalg.norm(free, axis=1) > 1e-6 * np.linalg.norm(matrix, axis=1)
    places = [int(k) for k in np.flatnonzero(kept)]
    pair = _pair(free[kept], rest, [names[k] for k in places])
    if pair is not None:
        return [*start, *(places[k] for k in pair)]
    return _support(matrix, target, start, most=4, width=6)


def _pair(matrix: np.ndarray, target: np.ndarray, names: Sequence[Term]) -> list[int] | None:
    """The two rows with the shortest texts of which the target is a combination, over all pairs."""
    top = float(np.linalg.norm(target))
    rows = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    share = rows @ (target / top)
    best: tuple[int, list[int]] | None = None
    for start in range(0, len(rows), 256):
        # In place and for j >= start only: these few passes are most of the time of a check.
        cosine = rows[start : start + 256] @ rows[start:].T
        one, other = share[start : start + 256, None], share[start:]
        excess = cosine * (-2 * one)
        excess *= other
        excess += one**2
        excess += other**2
        np.square(cosine, out=cosine)
        free = np.subtract(1, cosine, out=cosine)
        excess -= free
        fits = (np.abs(excess, out=excess) < 1e-9 * free) & (free > 1e-9)
        for i, j in np.argwhere(fits):
            pair = [start + int(i), start + int(j)]
            length = sum(len(names[k].text) for k in pair)
            if pair[0] >= pair[1] or (best is not None and length >= best[0]):
                continue
            rest = target - _coefficients(matrix, pair, target) @ matrix[pair]
            if np.linalg.norm(rest) <= _CLOSE * top:
                best = (length, pair)
    return best[1] if best else None


def _scaled(term: Term, coefficient: float) -> str:
    """A term with its coefficient, as a mean where that makes the coefficient simpler."""
    text, c = term.text, coefficient
    if term.reduced is not None and _plain(c * term.count) < _plain(c):
        text, c = term.with_mean(), c * term.count
    if abs(abs(c) - 1) < 1e-6:
        return f"-{text}" if c < 0 else text
    return f"{c:.4g}·{text}"


def _plain(value: float) -> int:
    """How far from a plain number a coefficient is: the fewer digits it needs, the plainer."""
    return len(f"{abs(value):.6g}")


def _one(term: Term, true: float, given: float) -> Explanation:
    """A single term whose coefficient is wrong."""
    text = _scaled(term, abs(true) or abs(given))
    name = text
    if abs(given) < 1e-5 * abs(true):
        sense = "-" if true < 0 else ""
        return Explanation("missing_term", f"the term {sense}{text} is missing", name)
    if true == 0:
        sense = "subtracted" if given < 0 else "added"
        return Explanation("extra_term", f"{text} is {sense} but does not belong there", name)
    ratio = given / true
    if abs(ratio + 1) < 1e-5:
        return Explanation("sign", f"the sign of the term {text} is wrong", name)
    if abs(ratio - 2) < 1e-5:
        sense = "subtracted" if true < 0 else "added"
        return Explanation("extra_term", f"{text} is {sense} twice", name)
    for count in (term.count,):
        if count > 1 and abs(ratio / count - 1) < 1e-5:
            what = (
                f"the factor 1/{count} is missing in the term {text}: a sum in the place of a mean"
            )
            return Explanation("missing_normalizer", what, name)
        if count > 1 and abs(ratio * count - 1) < 1e-5:
            what = f"the term {text} has a factor 1/{count} too many: a mean in the place of a sum"
            return Explanation("extra_factor", what, name)
    inverse = 1 / ratio
    if abs(inverse - round(inverse)) < 1e-5:
        what = f"the factor {round(inverse)} is missing in the term {text}"
        return Explanation("missing_factor", what, name)
    what = f"the term {text} is given {ratio:.4g} times as large"
    return Explanation("extra_factor", what, name)


def _two(
    pair: Sequence[Term], true: np.ndarray, given: np.ndarray, scene: Scene
) -> Explanation | None:
    """A term in the place of another one, or two terms changed alike."""
    tiny = 1e-5 * np.max(np.abs([true, given]))
    absent = np.abs(given) < tiny
    foreign = np.abs(true) < tiny
    for k in (0, 1):
        if absent[k] and foreign[1 - k]:
            right, wrong = pair[k], pair[1 - k]
            return _replaced(right, true[k], wrong, given[1 - k])
    listed = " and ".join(
        _scaled(t, abs(v) or abs(g)) for t, v, g in zip(pair, true, given, strict=True)
    )
    if absent.all():
        return Explanation("missing_term", f"the terms {listed} are missing", listed)
    if foreign.all():
        return Explanation("extra_term", f"the terms {listed} do not belong there", listed)
    if np.any(foreign) or np.any(absent):
        return Explanation("wrong_value", f"the terms {listed} are wrong", listed)
    ratio = given / true
    if np.ptp(ratio) < 1e-5 * np.max(np.abs(ratio)):
        shown = constant_factor(float(ratio[0]), scene)
        return Explanation(shown.mistake, f"in the terms {listed} {shown.text}", listed)
    return Explanation("wrong_value", f"the coefficients of the terms {listed} are wrong", listed)


def _replaced(right: Term, true: float, wrong: Term, given: float) -> Explanation:
    needed, stands = _scaled(right, true), _scaled(wrong, given)
    text = f"{stands} stands where {needed} belongs"
    mine, theirs = list(right.factors), list(wrong.factors)
    missing = _minus(mine, theirs)
    extra = _minus(theirs, mine)
    if missing and not extra:
        return Explanation(
            "missing_factor", f"{text}: the factor {'·'.join(missing)} is missing", needed
        )
    if extra and not missing:
        return Explanation(
            "extra_factor", f"{text}: the factor {'·'.join(extra)} is too many", needed
        )
    if missing and extra:
        if all(e.replace("sigmoid", "").replace("tanh", "") != e for e in (*missing, *extra)):
            return Explanation("wrong_function", text, needed)
        return Explanation("wrong_variable", text, needed)
    if ".T" in right.text or ".T" in wrong.text or "@" in right.text:
        return Explanation("transposed", text, needed)
    if right.reduced is not None and wrong.reduced is None:
        return Explanation("missing_sum", text, needed)
    return Explanation("wrong_axis", text, needed)


def _minus(a: Sequence[str], b: Sequence[str]) -> list[str]:
    rest = list(b)
    found = []
    for item in a:
        if item in rest:
            rest.remove(item)
        else:
            found.append(item)
    return found
