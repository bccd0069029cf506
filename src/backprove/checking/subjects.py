"""What is checked: a forward function with a claimed derivative, of any library, as NumPy calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprove.checking.gradient_parts import Part
from backprove.checking.nonfinite import line_of_trouble
from backprove.errors import InputError

Scenes = Sequence[tuple[list[np.ndarray], np.ndarray]]
"""Inputs with an upstream gradient."""


class Fault(Exception):
    """The code under test fails to give what a derivative must give, whatever its values.

    Args:
        message: what happened, as a sentence.
        where: which part of the answer, in a few words.
        mistake: a name from ``MISTAKES`` if one fits.
    """

    def __init__(self, message: str, where: str, mistake: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mistake = mistake


@dataclass
class Subject:
    """A forward function and its claimed derivative.

    Attributes:
        title: what the function is called.
        names: a name for each input.
        inputs: the inputs as given.
        judged: the positions of the inputs whose derivative is claimed.
        forward: maps the inputs to the output.
        pullback: maps an upstream gradient and the inputs to one gradient per judged input, None
            for one that was not given.
        pushforward: maps one tangent per judged input and the inputs to the output's tangent.
        casts: whether the dtype of the inputs may be changed.
        missing_is_zero: whether None as a gradient stands for zero.
        parts: for each scene the parts of the gradient of an input; empty where the function
            cannot be taken apart.
        origin: says where NaN or infinity begins, in the function itself, or for an upstream
            gradient in its derivative; empty where that is not known.
    """

    title: str
    names: list[str]
    inputs: list[np.ndarray]
    judged: list[int]
    forward: Callable[[Sequence[np.ndarray]], np.ndarray]
    pullback: Callable[[np.ndarray, Sequence[np.ndarray]], list[np.ndarray | None]]
    pushforward: Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], np.ndarray]
    casts: bool = True
    missing_is_zero: bool = False
    origin: Callable[[Sequence[np.ndarray], np.ndarray | None], str] = lambda values, g: ""
    parts: Callable[[Scenes, int], list[list[Part]]] = lambda scenes, k: []


def is_real(value: np.ndarray) -> bool:
    """Whether entries are floating-point numbers, bfloat16 included."""
    return value.dtype.kind == "f" or value.dtype.name.startswith(("bfloat", "float8"))


def input_names(fn: Callable[..., Any], count: int, names: Sequence[str] | None) -> list[str]:
    """The names given, else those of the parameters, else x0, x1, ...

    Raises:
        InputError: there are not as many names as inputs.
    """
    if names is not None:
        if len(names) != count:
            raise InputError(f"{len(names)} names were given for {count} inputs.")
        return list(names)
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    found = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    missing = count - len(found)
    if found and rest and missing > 0:
        found += rest if missing == 1 else [f"{rest[0]}{k}" for k in range(missing)]
    if len(found) >= count:
        return found[:count]
    return ["x"] if count == 1 else [f"x{k}" for k in range(count)]


def judged_inputs(
    names: Sequence[str], inputs: Sequence[np.ndarray], wrt: Sequence[str] | None
) -> list[int]:
    """The positions of the inputs to judge: those named, else all that hold real numbers.

    Raises:
        InputError: a name is unknown, names an integer input, an input is complex and none are
            named, or no input holds real numbers.
    """
    if wrt is not None:
        for name in wrt:
            if name not in names:
                raise InputError(f"wrt names '{name}', but the inputs are {', '.join(names)}.")
            if not is_real(inputs[list(names).index(name)]):
                raise InputError(
                    f"The input {name} holds no floating-point numbers, so it has no gradient.",
                    hint=f"Pass {name} as floats, or leave it out of wrt.",
                )
        return [list(names).index(name) for name in wrt]
    for name, value in zip(names, inputs, strict=True):
        if value.dtype.kind == "c":
            raise InputError(
                f"The input {name} holds complex numbers, and gradients of real ones are judged.",
                hint="Pass its real and imaginary parts as two inputs, or name others in wrt.",
            )
    found = [k for k, value in enumerate(inputs) if is_real(value)]
    if not found:
        raise InputError(
            "No input holds floating-point numbers, so there is no derivative to check.",
            hint="Pass the inputs as floats.",
        )
    return found


def numpy_subject(
    fn: Callable[..., Any],
    rule: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    names: Sequence[str] | None,
    wrt: Sequence[str] | None,
    mode: str,
) -> Subject:
    """The subject for NumPy callables; ``mode`` is ``vjp``, ``jvp`` or ``grad``.

    None, words, flags, whole numbers and other objects reach the functions as they are.

    Raises:
        InputError: an input is a mapping, or a list of arrays of several shapes.
    """
    fixed = {k: v for k, v in enumerate(inputs) if _is_option(v)}
    arrays = [np.array(0 if k in fixed else value) for k, value in enumerate(inputs)]
    called = input_names(fn, len(arrays), names)
    judged = judged_inputs(called, arrays, wrt)
    rule_name = {"vjp": "backward", "jvp": "jvp", "grad": "grad"}[mode]

    def placed(values: Sequence[np.ndarray]) -> list[Any]:
        return [fixed.get(k, value) for k, value in enumerate(values)]

    def forward(values: Sequence[np.ndarray]) -> np.ndarray:
        return as_array(fn(*placed(guarded(values))))

    def pullback(g: np.ndarray, values: Sequence[np.ndarray]) -> list[np.ndarray | None]:
        copies = guarded(values)
        seed = np.array(g)
        first = [] if mode == "grad" else [seed]
        returned = call(rule, [*first, *placed(copies)], rule_name)
        unchanged(copies, values, called, rule_name)
        if not np.array_equal(seed, g):
            raise Fault(
                f"{rule_name} changes the upstream gradient that it was given.",
                "changes the upstream gradient",
            )
        return collected(returned, values, judged, called, rule_name)

    def pushforward(tangents: Sequence[np.ndarray], values: Sequence[np.ndarray]) -> np.ndarray:
        copies = guarded(values)
        moved = [np.array(t) for t in tangents]
        seed = moved[0] if len(moved) == 1 else tuple(moved)
        returned = call(rule, [seed, *placed(copies)], rule_name)
        unchanged(copies, values, called, rule_name)
        return real_array(returned, "the tangent of the output", rule_name)

    def origin(values: Sequence[np.ndarray], g: np.ndarray | None) -> str:
        if g is None or mode == "jvp":
            return line_of_trouble(lambda: fn(*placed(guarded(values))))
        first = [] if mode == "grad" else [np.array(g)]
        return line_of_trouble(lambda: rule(*first, *placed(guarded(values))))

    title = getattr(fn, "__name__", type(fn).__name__)
    subject = Subject(title, called, arrays, judged, forward, pullback, pushforward)
    subject.origin = origin
    return subject


def _is_option(value: Any) -> bool:
    """Whether an input is no array of numbers: an option, an axis, a function.

    Raises:
        InputError: it holds several arrays.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return True
    try:
        kind = np.asarray(value).dtype.kind if not isinstance(value, dict) else ""
    except ValueError:
        kind = ""
    if not kind:
        raise InputError(
            f"An input is a {type(value).__name__}, and one array per input is expected.",
            hint="Wrap the function so that it takes its parameters one by one.",
        )
    return kind in "OUS"


def as_array(value: Any) -> np.ndarray:
    """The output of a forward function as one real array.

    Raises:
        InputError: it is a tuple, a list or a mapping, or not numeric.
    """
    if isinstance(value, (tuple, list, dict)):
        raise InputError(
            f"The function returned a {type(value).__name__}, and one array was expected.",
            hint="Wrap it so that it returns the output alone, as in lambda x: f(x)[0].",
        )
    array = np.asarray(value)
    if not (is_real(array) or array.dtype.kind in "iub"):
        raise InputError(f"The function returned the dtype {array.dtype}; real numbers are needed.")
    return array


def guarded(values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Copies, so that code that overwrites its inputs does no harm to later calls."""
    return [np.array(value) for value in values]


def call(rule: Callable[..., Any], arguments: Sequence[Any], rule_name: str) -> Any:
    """Call the code under test; what it raises is a fault of it."""
    try:
        return rule(*arguments)
    except Exception as error:
        said = str(error).strip().splitlines()
        text = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        raise Fault(f"{rule_name} raises {text}", f"{rule_name} raises") from error


def unchanged(
    copies: Sequence[np.ndarray],
    values: Sequence[np.ndarray],
    names: Sequence[str],
    rule_name: str,
) -> None:
    """Raise a fault if the code under test wrote into an input."""
    for name, copy, value in zip(names, copies, values, strict=True):
        if not np.array_equal(copy, value, equal_nan=is_real(value)):
            raise Fault(
                f"{rule_name} changes its input {name} in place; what runs later sees "
                "the changed values.",
                f"changes the input {name}",
            )


def real_array(value: Any, what: str, rule_name: str) -> np.ndarray:
    """One returned derivative as a real array, or the fault of its dtype."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if not (is_real(array) or array.dtype.kind in "iub"):
        raise Fault(
            f"{rule_name} returns {what} with the dtype {array.dtype}, "
            "and floating-point numbers were expected.",
            f"dtype of {what}",
        )
    return array


def collected(
    returned: Any,
    values: Sequence[np.ndarray],
    judged: Sequence[int],
    names: Sequence[str],
    rule_name: str,
) -> list[np.ndarray | None]:
    """One gradient per judged input, with number, shape and dtype as they must be.

    A rule may return one entry for every input or only one for each judged input.
    """
    parts = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    if len(parts) == len(values):
        parts = [parts[k] for k in judged]
    if len(parts) != len(judged):
        wanted = ", ".join(names[k] for k in judged)
        raise Fault(
            f"{rule_name} returns {_counted(len(parts))}, and {len(judged)} were expected: "
            f"one for each of {wanted}.",
            "number of gradients",
        )
    gradients: list[np.ndarray | None] = []
    for part, k in zip(parts, judged, strict=True):
        if part is None:
            gradients.append(None)
            continue
        gradient = real_array(part, f"the gradient of {names[k]}", rule_name)
        if is_real(values[k]) and not _as_fine(gradient, values[k]):
            raise Fault(
                f"{rule_name} returns the gradient of {names[k]} as {gradient.dtype}, "
                f"but {names[k]} is {values[k].dtype}.",
                f"dtype of the gradient of {names[k]}",
            )
        gradients.append(gradient)
    return gradients


def _as_fine(gradient: np.ndarray, value: np.ndarray) -> bool:
    return is_real(gradient) and gradient.dtype.itemsize >= value.dtype.itemsize


def _counted(count: int) -> str:
    return "no gradient" if count == 0 else "1 gradient" if count == 1 else f"{count} gradients"
