"""The table of functions and how to find an entry."""

from __future__ import annotations

from difflib import get_close_matches

from backprove.errors import InputError, UnknownName
from backprove.functions import activations, along_axis, elementary
from backprove.functions.records import AxisRecord, FunctionRecord

ELEMENTWISE: dict[str, FunctionRecord] = {
    record.name: record for record in elementary.RECORDS + activations.RECORDS
}
"""Every elementwise function by its name (without aliases)."""

ALONG_AXIS: dict[str, AxisRecord] = {record.name: record for record in along_axis.RECORDS}
"""Every function that mixes the entries along one axis, by its name."""

ALIASES: dict[str, str] = {
    alias: record.name
    for record in (*ELEMENTWISE.values(), *ALONG_AXIS.values())
    for alias in record.aliases
}
"""Other names and what they stand for."""


def lookup(name: str, **parameters: float) -> FunctionRecord:
    """The record of an elementwise function.

    Args:
        name: a name or an alias of the table.
        parameters: parameters of a family: ``slope`` of ``leaky_relu``, ``alpha`` of ``elu``.

    Returns:
        The record; with parameters, its texts and facts are those of that member of the family.

    Raises:
        UnknownName: no such function; the hint names close ones.
        InputError: the function has no such parameter.

    >>> lookup("ln").derivative, lookup("leaky_relu", slope=0.1).derivative
    ('1/x', 'where(x > 0, 1, 0.1)')
    """
    key = ALIASES.get(name, name)
    if key not in ELEMENTWISE:
        raise _unknown(name, [*ELEMENTWISE, *ALIASES])
    record = ELEMENTWISE[key]
    if not parameters:
        return record
    foreign = sorted(set(parameters) - set(record.parameters))
    if foreign:
        known = ", ".join(record.parameters) or "none"
        raise InputError(
            f"{key} was given the parameter '{foreign[0]}'; its parameters are: {known}."
        )
    return activations.FAMILIES[key](**parameters)


def lookup_axis(name: str) -> AxisRecord:
    """The record of a function along an axis, such as ``softmax``.

    Args:
        name: a name of the table.

    Returns:
        The record.

    Raises:
        UnknownName: no such function; the hint names close ones.

    >>> lookup_axis("softmax").jacobian
    'diag(s) - outer(s, s)'
    """
    if name not in ALONG_AXIS:
        raise _unknown(name, list(ALONG_AXIS))
    return ALONG_AXIS[name]


def _unknown(name: str, known: list[str]) -> UnknownName:
    close = get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Known are {', '.join(known)}."
    return UnknownName(f"There is no function named '{name}'.", hint=hint)
