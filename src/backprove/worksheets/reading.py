"""What the statements have in common when they are read: lists, options, names and values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from backprove.errors import InputError
from backprove.worksheets.source import Piece

RESERVED = ("wrt", "at", "expect", "layout", "order")
"""Words that begin an option of a statement, so no symbol can be called so."""

_OPENING, _CLOSING = "([{", ")]}"


def split_list(piece: Piece, separator: str = ",") -> list[Piece]:
    """The parts between separators that stand outside of all brackets.

    >>> text = "x = [1, 2], y = 3"
    >>> [part.text for part in split_list(Piece.of(text))]
    ['x = [1, 2]', 'y = 3']
    """
    text = piece.text
    cuts = [at for at in _outside_brackets(text) if text[at] == separator]
    edges = zip([-1, *cuts], [*cuts, len(text)], strict=True)
    return [piece.part(before + 1, after) for before, after in edges]


def split_options(piece: Piece, names: Sequence[str]) -> tuple[Piece, dict[str, Piece]]:
    """A statement without its options, and the options by name.

    An option is a word of ``names`` outside of all brackets, with what follows it.

    Raises:
        WorksheetError: an option is given twice, or nothing follows it.

    >>> text = "X @ W.T wrt W layout denominator"
    >>> head, options = split_options(Piece.of(text), ["wrt", "layout"])
    >>> head.text, options["wrt"].text, options["layout"].text
    ('X @ W.T', 'W', 'denominator')
    """
    text = piece.text
    outside = set(_outside_brackets(text))
    found = [
        match
        for match in re.finditer(rf"(?:^|(?<=\s))(?:{'|'.join(names)})(?=\s|$)", text)
        if match.start() in outside
    ]
    _refuse_an_open_bracket(piece, names)
    ends = [match.start() for match in found[1:]] + [len(text)] * bool(found)
    options: dict[str, Piece] = {}
    for match, end in zip(found, ends, strict=True):
        word = piece.part(match.start(), match.end())
        if match.group() in options:
            raise word.error(f"'{match.group()}' is given twice", "Keep one of them.")
        value = piece.part(match.end(), end)
        if not value.text:
            raise word.error(f"nothing follows '{match.group()}'")
        options[match.group()] = value
    return piece.part(0, found[0].start() if found else len(text)), options


def _refuse_an_open_bracket(piece: Piece, names: Sequence[str]) -> None:
    """A bracket that is never closed would hide the options behind it."""
    opened: list[int] = []
    for at, character in enumerate(piece.text):
        if character in _OPENING:
            opened.append(at)
        elif character in _CLOSING and opened:
            opened.pop()
    if opened and re.search(rf"\s(?:{'|'.join(names)})(?=\s|$)", piece.text[opened[-1] :]):
        raise piece.part(opened[-1], opened[-1] + 1).error(
            "this bracket is never closed", f"Close it before '{names[0]}'."
        )


def _outside_brackets(text: str) -> Iterator[int]:
    depth = 0
    for at, character in enumerate(text):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        elif depth == 0:
            yield at


def name_of(piece: Piece, what: str) -> str:
    """The name that a piece consists of.

    Raises:
        WorksheetError: it is no name, or a word that the statements keep for themselves.
    """
    text = piece.text
    if not text.isidentifier():
        later = text.split()[1:2]
        close = get_close_matches(later[0], RESERVED, n=1) if later else []
        raise piece.error(
            f"expected the name of {what}, found '{_short(text)}'"
            if text
            else f"{what} is missing",
            f"Is '{close[0]}' meant?" if close else "",
        )
    if text in RESERVED:
        raise piece.error(
            f"'{text}' begins an option and cannot name {what}", "Choose another name."
        )
    return text


def choice_of(piece: Piece, what: str, choices: Sequence[str]) -> str:
    """The one of ``choices`` that a piece names; blanks and hyphens count as underscores.

    Raises:
        WorksheetError: it names none of them.
    """
    word = re.sub(r"[\s\-]+", "_", piece.text)
    if word not in choices:
        raise piece.error(f"'{_short(piece.text)}' is not {what}", f"One of: {', '.join(choices)}.")
    return word


def assignments(piece: Piece) -> dict[str, tuple[Piece, Piece]]:
    """``x = 1, y = [2, 3]`` as names, each with the pieces of its name and its value.

    Raises:
        WorksheetError: a part is no assignment, or a name is given twice.
    """
    found: dict[str, tuple[Piece, Piece]] = {}
    for part in split_list(piece):
        name, equals, _ = part.text.partition("=")
        if not equals:
            raise (part if part.text else piece).error(
                f"expected NAME=VALUE, found '{_short(part.text)}'", "For example: at x=1, y=3."
            )
        key, value = part.part(0, len(name)), part.part(len(name) + 1)
        if name_of(key, "a symbol") in found:
            raise key.error(f"'{key.text}' is given twice", "Keep one of them.")
        found[key.text] = (key, value)
    return found


def number_or_list(piece: Piece) -> float | list[Any]:
    """A number such as ``0.5``, ``-3`` or ``1/3``, or a list of lists of numbers.

    Raises:
        WorksheetError: the piece is neither.

    >>> number_or_list(Piece.of("[[1, 2], [3, 4]]"))
    [[1, 2], [3, 4]]
    """
    text = piece.text.replace("−", "-")
    try:
        if fraction := re.fullmatch(r"([+-]?\d{1,30})\s*/\s*(\d{1,30})", text):
            return int(fraction[1]) / int(fraction[2])
        value = json.loads(text.removeprefix("+"), parse_constant=_no_constant)
    except (ValueError, ZeroDivisionError, RecursionError):
        if not re.fullmatch(r"[+-]?(\d+\.|\.\d+)", text):
            raise _not_a_value(piece) from None
        value = float(text)
    if not _is_numeric(value):
        raise _not_a_value(piece)
    return value


def _no_constant(word: str) -> float:
    raise ValueError(word)


def _is_numeric(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_numeric(entry) for entry in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 10**300
    return isinstance(value, float) and math.isfinite(value)


def _not_a_value(piece: Piece) -> InputError:
    return piece.error(
        f"'{_short(piece.text)}' is not a number" if piece.text else "a value is missing",
        "Values look like 3, -0.5, 1e-3, 1/3 or [[1, 2], [3, 4]].",
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."
