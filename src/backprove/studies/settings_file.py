"""A study as a TOML file with the names that the command and the function have."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
    create_model,
)

from backprove.errors import BackproveError, InputError, SetupError, Span
from backprove.studies.factors import FACTORS, levels
from backprove.studies.study import FIELDS, meant, refuse_value

_One = StrictStr | StrictBool | StrictInt | StrictFloat
_Values = _One | list[_One] | None

_MOST_BYTES = 1_000_000
_EXPECTED = "expected a text, a number, true or false, or a list of texts and numbers"


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


_factor_fields: dict[str, Any] = dict.fromkeys(FACTORS, (_Values, None))
_Entry = create_model("_Entry", __base__=_Closed, **_factor_fields)
_file_fields: dict[str, Any] = {
    **dict.fromkeys(FIELDS, (_Values, None)),
    "configurations": (list[_Entry] | None, None),
}
_File = create_model("_File", __base__=_Closed, **_file_fields)


def read_settings_file(path: Path) -> dict[str, Any]:
    """The settings that a TOML file holds.

    Args:
        path: the file; its names are :data:`FIELDS`, ``[[configurations]]`` lists configurations.

    Returns:
        The settings, as :func:`study` takes them.

    Raises:
        SetupError: the file cannot be read.
        InputError: it is no TOML, or a name or value is not allowed; with line and column.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise SetupError(f"'{path}' has more than {_MOST_BYTES} bytes; it is no study.toml.")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SetupError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"'{path}' is not UTF-8 text.") from error
    data = _parsed(text, path)
    try:
        _File.model_validate(data)
    except ValidationError as error:
        raise _located(error, text, path) from None
    _check_factors(data, text, path, ())
    for number, entry in enumerate(data.get("configurations", ())):
        _check_factors(entry, text, path, ("configurations", number))
    return data


def _parsed(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        found = re.search(r" \(at line (\d+), column (\d+)\)$", said)
        at = len(text)
        if found:
            said = said[: found.start()]
            begin = _line_start(text, int(found.group(1)) - 1)
            at = min(begin + int(found.group(2)) - 1, len(text))
            key = re.match(r"[\w-]+", text[begin:])
            if said == "Cannot overwrite a value" and key:
                said, at = f"'{key.group()}' is given twice", begin
        hint = "A study.toml has lines such as hidden = ['none', '512'] and seeds = 8."
        raise InputError(
            f"this is no TOML: {said}", text=text, span=Span(at, at + 1), hint=hint, file=str(path)
        ) from None


def _located(error: ValidationError, text: str, path: Path) -> InputError:
    first = error.errors()[0]
    place = tuple(part for part in first["loc"] if not _is_type_name(part))
    names = FACTORS if place[0] == "configurations" and len(place) > 2 else FIELDS
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    if first["type"] == "extra_forbidden":
        what = "A configuration" if names is FACTORS else "A study"
        message = f"{what} has no field '{key}'; its fields are {', '.join(names)}"
        hint = meant(key, names)
        if isinstance(first["input"], dict):
            hint = f"A study.toml has no sections: leave the header [{key}] out."
    elif key == "configurations":
        message, hint = "configurations: expected a list of tables", "Write [[configurations]]."
    else:
        message, hint = f"{key}: {_EXPECTED}", ""
    return InputError(message, text=text, span=_span(text, place), hint=hint, file=str(path))


def _is_type_name(part: Any) -> bool:
    """Pydantic names the branch of a union that failed; a person did not write it."""
    return isinstance(part, str) and (part in ("str", "bool", "int", "float") or "[" in part)


def _check_factors(
    entry: Mapping[str, Any], text: str, path: Path, within: Sequence[str | int]
) -> None:
    for name, value in entry.items():
        try:
            if name in FACTORS:  # what is zipped may repeat a value; the grid says which
                levels(name, value, repeats=bool(entry.get("zipped")))
            else:
                refuse_value(name, value)
        except BackproveError as error:
            raise InputError(
                error.message,
                text=text,
                span=_span(text, (*within, name)),
                hint=error.hint,
                file=str(path),
            ) from None


def _span(text: str, place: Sequence[str | int]) -> Span:
    """Where a key stands: at the top, or in one of the tables of configurations."""
    begin = 0
    numbers = [part for part in place if isinstance(part, int)]
    key = next((part for part in reversed(place) if isinstance(part, str)), "")
    if place and place[0] == "configurations" and numbers:
        headers = list(re.finditer(r"(?m)^\s*\[\[\s*configurations\s*\]\]", text))
        if numbers[0] < len(headers):
            begin = headers[numbers[0]].end()
    found = re.compile(rf"""(?m)(?:^|[{{,])\s*(["']?){re.escape(key)}\1\s*=""").search(text, begin)
    if found is None:
        return Span(begin, begin + 1)
    start = text.index(key, found.start())
    return Span(start, start + len(key))


def _line_start(text: str, line: int) -> int:
    at = 0
    for _ in range(line):
        at = text.find("\n", at) + 1
    return at
