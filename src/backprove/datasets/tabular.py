"""Columns of a file as a data set: features, labels and parts, with what was found on the way."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backprove.datasets.dataset import Dataset, Split
from backprove.datasets.extras import library
from backprove.datasets.parts import divide
from backprove.datasets.words import mean_vectors
from backprove.errors import DataError

_LABELS = ("label", "labels", "y", "target", "class")
_SPLITS = ("split", "part")
_PARTS = {
    "train": 0, "training": 0, "0": 0, "dev": 1, "val": 1, "valid": 1, "validation": 1, "1": 1,
    "test": 2, "2": 2,
}  # fmt: skip
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?")


@dataclass(frozen=True)
class Reading:
    """How columns become a data set.

    Args:
        label: the column of labels; by default one called label, y, target or class.
        text: a column of texts, which become mean word vectors; no other column is used then.
        vectors: the word vectors, see :func:`mean_vectors`.
    """

    label: str | None = None
    text: str | None = None
    vectors: str = "glove"


def read_csv(path: Path, reading: Reading) -> Dataset:
    """A CSV file with a line of names as a data set.

    Args:
        path: the file, in UTF-8.
        reading: which column is what.

    Raises:
        DataError: the file cannot be read, or its columns make no data set.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        text = isinstance(error, UnicodeDecodeError)
        raise DataError(
            f"{path.name} cannot be read as UTF-8 text: {error}.",
            hint="Save it as text in UTF-8, with commas between the columns." if text else "",
        ) from error
    rows = [row for row in csv.reader(io.StringIO(content, newline="")) if row]
    if len(rows) < 2:
        raise DataError(f"{path.name} has no examples: a line of names and one for each example.")
    names = [name.strip() for name in rows[0]]
    if len(set(names)) < len(names):
        raise DataError(
            f"{path.name}: two columns have the same name in {', '.join(names)}.",
            hint="Rename or remove one of them.",
        )
    _refuse_other_separator(path.name, rows[0])
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise DataError(
                f"{path.name}: row {number} has {len(row)} values, the first has {len(names)}."
            )
    columns = {name: [row[at] for row in rows[1:]] for at, name in enumerate(names)}
    return of_columns(path.stem, columns, reading, f"read from {path.name}")


def _refuse_other_separator(name: str, header: Sequence[str]) -> None:
    """Only where one column is left, whose name holds what other programs write between columns."""
    if len(header) != 1:
        return
    found = next((mark for mark in (";", "\t", "|") if mark in header[0]), None)
    if found is not None:
        shown = "tabs" if found == "\t" else f"'{found}'"
        raise DataError(
            f"{name}: the columns of its first line are separated by {shown}; expected commas.",
            hint="Save it with commas between the columns, and points in decimal numbers.",
        )


def read_parquet(path: Path, reading: Reading) -> Dataset:
    """A Parquet file as a data set; needs the extra ``arrow``.

    Args:
        path: the file.
        reading: which column is what.

    Raises:
        DataError: the file cannot be read, or its columns make no data set.
    """
    parquet = library("pyarrow.parquet", "arrow")
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path.name} cannot be read as Parquet: {str(error).rstrip('.')}."
        ) from error
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return of_columns(path.stem, columns, reading, f"read from {path.name}")


def of_columns(
    name: str, columns: Mapping[str, Sequence[Any]], reading: Reading, source: str
) -> Dataset:
    """Columns as a data set.

    Args:
        name: of the data set.
        columns: of equal length, by their names. A column called ``split`` says train, dev or
            test; without it the examples are divided, see :func:`divide`.
        reading: which column is what.
        source: where they come from.

    Raises:
        DataError: a column is missing, no number, or lacks values.
    """
    label = _label_column(name, columns, reading)
    labels, class_names, notes, ratings = targets(name, columns[label])
    part = next((c for c in _SPLITS if c in columns), None)
    if reading.text is not None:
        _need(name, columns, reading.text)
        texts = ["" if text is None else str(text) for text in columns[reading.text]]
        features, unknown = mean_vectors(texts, reading.vectors)
        if unknown:
            notes.append(f"{unknown} texts have no word with a vector; their features are 0")
    else:
        used = [column for column in columns if column not in (label, part)]
        if not used:
            raise DataError(f"{name}: there is no column of features beside '{label}'.")
        features = np.stack([_numbers(name, c, columns[c]) for c in used], axis=1)
    split = _split(name, columns[part]) if part else divide(labels)
    if part is None:
        notes.append(_divided(split))
    return Dataset(
        name, features.astype(np.float32), labels, *split, ratings=ratings,
        source=source, class_names=class_names, notes=tuple(notes),
    )  # fmt: skip


def _divided(split: Split) -> str:
    sizes = ", ".join(f"{len(rows)} {part}" for part, rows in split._asdict().items())
    return f"no column says which example is for what; drawn by a fixed seed, stratified: {sizes}"


def numbered(
    name: str, values: Sequence[Any]
) -> tuple[NDArray[np.int32], tuple[str, ...], list[str]]:
    """Labels as class numbers 0, 1, ... in the order of their values.

    Args:
        name: of the data set.
        values: whole numbers or texts.

    Returns:
        The numbers (n,), the name of each class, and a sentence if numbers were given to names.

    Raises:
        DataError: a label is missing, or there are too many classes for labels.

    >>> numbered("toy", ["pos", "neg", "pos"])[:2]
    (array([1, 0, 1], dtype=int32), ('neg', 'pos'))
    """
    texts = ["" if value is None else str(value).strip() for value in values]
    missing = [row for row, text in enumerate(texts) if text.lower() in _MISSING]
    if missing:
        raise DataError(
            f"{name}: {len(missing)} labels are missing, the first in row {missing[0]}.",
            hint="Remove the examples without a label.",
        )
    found = sorted(set(texts), key=_order)
    if len(found) == 1:
        raise DataError(
            f"{name}: all {len(texts)} examples have the label '{found[0]}'; at least two classes "
            "are needed."
        )
    if len(found) > max(100, len(texts) // 10):
        raise DataError(
            f"{name}: the labels have {len(found)} different values, such as {found[0]} and "
            f"{found[-1]}; classes are expected."
        )
    number = {text: at for at, text in enumerate(found)}
    notes = []
    if found != [str(at) for at in range(len(found))]:
        shown = ", ".join(f"{text} is class {at}" for text, at in list(number.items())[:10])
        notes.append(f"labels were numbered: {shown}{', ...' if len(found) > 10 else ''}")
    return np.array([number[text] for text in texts], np.int32), tuple(found), notes


def targets(
    name: str, values: Sequence[Any]
) -> tuple[NDArray[np.int32], tuple[str, ...], list[str], NDArray[np.float32] | None]:
    """What is to be predicted: classes, or numbers where the values are too many for classes.

    Args:
        name: of the data set.
        values: of the examples.

    Returns:
        What :func:`numbered` gives, and the numbers (n,) to predict. Where there are some, the
        classes say whether a number is above the median.

    Raises:
        DataError: a value is missing, there are too many classes for labels, or a single value.

    >>> classes, names, notes, numbers = targets("toy", [n / 4 for n in range(200)])
    >>> names, int(classes.sum()), numbers[-1]
    (('at most 24.875', 'above 24.875'), 100, np.float32(49.75))
    """
    distinct = len({str(value) for value in values})
    try:
        numbers = np.array([float(value) for value in values])
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    continuous = np.isfinite(numbers).all() and (
        distinct > max(100, len(values) // 10)
        or (distinct > 10 and bool((numbers != np.floor(numbers)).any()))
    )
    if not continuous:
        return *numbered(name, values), None
    middle = float(np.median(numbers))
    if not (numbers > middle).any():
        raise DataError(f"{name}: more than half of the numbers to predict are {middle:g}.")
    note = (
        f"the target is a number, from {numbers.min():g} to {numbers.max():g}: loss=mse and "
        f"loss=mae predict it; the default loss tells only whether it is above {middle:g}, the "
        "median"
    )
    labels = (numbers > middle).astype(np.int32)
    names = (f"at most {middle:g}", f"above {middle:g}")
    return labels, names, [note], numbers.astype(np.float32)


def _order(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text


def _label_column(name: str, columns: Mapping[str, Any], reading: Reading) -> str:
    if reading.label is not None:
        _need(name, columns, reading.label)
        return reading.label
    for column in columns:
        if column.lower() in _LABELS:
            return column
    hint = "Name the column of labels: --label COLUMN."
    if columns and all(_is_number(column) for column in columns):
        hint = "The first line must hold the names of the columns; this one holds numbers."
    raise DataError(
        f"{name}: none of the columns {_listed(columns)} is called {', '.join(_LABELS)}.", hint=hint
    )


def _is_number(text: str) -> bool:
    try:
        return float(text) is not None
    except ValueError:
        return False


def _need(name: str, columns: Mapping[str, Any], column: str) -> None:
    if column not in columns:
        close = get_close_matches(column, list(columns), n=1)
        raise DataError(
            f"{name}: there is no column '{column}'; there are {_listed(columns)}.",
            hint=f"Did you mean {close[0]}?" if close else "",
        )


def _listed(columns: Mapping[str, Any]) -> str:
    names = list(columns)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _numbers(name: str, column: str, values: Sequence[Any]) -> NDArray[np.float64]:
    numbers = np.empty(len(values))
    missing = []
    for row, value in enumerate(values):
        text = "" if value is None else str(value).strip()
        if text.lower() in _MISSING:
            missing.append(row)
            continue
        try:
            numbers[row] = float(text)
        except ValueError:
            raise DataError(
                f"{name}: column '{column}' is no number in example {row}: '{text[:40]}'.",
                hint=f"Leave the column out, or read it as text: --text {column}.",
            ) from None
    if missing:
        raise DataError(
            f"{name}: column '{column}' lacks {len(missing)} of {len(values)} values, the first "
            f"in example {missing[0]}.",
            hint="Remove these examples or fill the values in.",
        )
    large = np.flatnonzero(np.isfinite(numbers) & (np.abs(numbers) > _LARGEST))
    if len(large):
        raise DataError(
            f"{name}: column '{column}' is {numbers[large[0]]:g} in example {large[0]}; expected "
            f"numbers up to {_LARGEST:.2g}, the largest in single precision.",
            hint="Scale the column.",
        )
    return numbers


_LARGEST = float(np.finfo(np.float32).max)


def _split(name: str, values: Sequence[Any]) -> Split:
    numbers = []
    for row, value in enumerate(values):
        text = str(value).strip().lower()
        if text not in _PARTS:
            raise DataError(
                f"{name}: example {row} is for '{text[:40]}'; expected train, dev or test."
            )
        numbers.append(_PARTS[text])
    return Split(*(np.flatnonzero(np.array(numbers) == at) for at in range(3)))


def read_folder(path: Path, reading: Reading) -> Dataset:
    """A folder in the layout of aclImdb: ``train/pos``, ``train/neg``, ``test/pos``, ``test/neg``.

    Dev is drawn from train. Without ``test``, all three parts are drawn.

    Args:
        path: the folder; each text is a ``.txt`` file in the folder of its class.
        reading: whose word vectors are taken.

    Raises:
        DataError: the folder has another layout, or a file cannot be read.
    """
    train, test = list(_texts(path / "train")), list(_texts(path / "test"))
    if not train:
        raise DataError(
            f"{path.name} has no texts in folders such as train/pos and train/neg.",
            hint="Name a file (.npz, .csv, .parquet), or a folder in the layout of aclImdb.",
        )
    labels, names, notes = numbered(path.name, [label for label, _ in (*train, *test)])
    features, unknown = mean_vectors([text for _, text in (*train, *test)], reading.vectors)
    if unknown:
        notes.append(f"{unknown} texts have no word with a vector; their features are 0")
    split = divide(labels, len(train) if test else None)
    return Dataset(
        path.name, features, labels, *split, source=f"read from the folder {path.name}",
        class_names=names, notes=tuple(notes),
    )  # fmt: skip


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Class and text of each file; ``unsup`` holds texts without a label."""
    if not folder.is_dir():
        return
    for kind in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if kind.name == "unsup":
            continue
        for file in sorted(kind.glob("*.txt")):
            try:
                yield kind.name, file.read_text(encoding="utf-8", errors="replace")
            except OSError as error:
                raise DataError(f"{file} cannot be read: {error.strerror}.") from error
