"""Data by the name that a person gives: built in, of a library, of the hub, a file or a folder."""

from __future__ import annotations

import inspect
import zipfile
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backprove.datasets.builtin import BUILTIN, load
from backprove.datasets.dataset import Dataset, Split
from backprove.datasets.extras import library
from backprove.datasets.parts import divide
from backprove.datasets.tabular import (
    Reading,
    numbered,
    of_columns,
    read_csv,
    read_folder,
    read_parquet,
    targets,
)
from backprove.errors import DataError

HUB = {"imdb": "stanfordnlp/imdb", "sst2": "stanfordnlp/sst2", "ag_news": "fancyzhx/ag_news"}
"""Names of data sets of the Hugging Face hub that need no prefix."""

_SAFE_DATASETS = 4  # the first version that never runs a script of the hub
_TEXTS = ("text", "sentence", "review", "content")
_KEYS = {"features": ("features", "X", "x", "data"), "labels": ("labels", "y", "label", "target")}


def open_data(
    source: str, *, label: str | None = None, text: str | None = None, vectors: str = "glove"
) -> Dataset:
    """A data set by its name or place.

    Args:
        source: a built-in name (``reviews``); ``sklearn:iris`` or ``sklearn:moons?noise=0.2``
            (extra ``sklearn``); ``imdb`` or ``hub:OWNER/NAME`` (extra ``hub``); a ``.npz``,
            ``.csv`` or ``.parquet`` file; or a folder in the layout of aclImdb.
        label: the column of labels.
        text: a column of texts, which become mean word vectors.
        vectors: ``glove`` (extra ``text``) or a file of word vectors.

    Returns:
        The data set.

    Raises:
        DataError: there is no such data, it cannot be read, or it is unusable.

    >>> len(open_data("reviews"))
    10605
    """
    reading = Reading(label, text, vectors)
    kind, colon, rest = source.partition(":")
    if source in BUILTIN:
        return load(source)
    if colon and kind == "sklearn":
        return _sklearn(rest)
    if colon and kind == "hub":
        return _hub(rest, reading)
    if not source.strip():
        raise DataError("data is empty.", hint=_KNOWN)
    path = Path(source)
    readers: Mapping[str, Callable[[Path, Reading], Dataset]] = {
        ".csv": read_csv, ".parquet": read_parquet, ".npz": _npz,
    }  # fmt: skip
    if path.is_dir():
        return read_folder(path if path.name else path.resolve(), reading)
    if path.suffix.lower() in readers:
        if not path.is_file():
            raise DataError(f"There is no file '{source}'.")
        return readers[path.suffix.lower()](path, reading)
    if source in HUB:
        return _hub(HUB[source], reading)
    if path.is_file():
        packed = " Unpack it first." if path.suffix.lower() in _PACKED else ""
        raise DataError(
            f"'{source}' is a {path.suffix or 'file without an ending'}; expected "
            f"{', '.join(readers)}, or a folder in the layout of aclImdb.",
            hint=packed.strip() or "Write its columns as .csv, or its arrays as .npz.",
        )
    close = get_close_matches(source, [*BUILTIN, *HUB], n=1)
    raise DataError(
        f"There is no built-in data set '{source}', and no file or folder of that name.",
        hint=(f"Did you mean {close[0]}? " if close else "") + _KNOWN,
    )


_KNOWN = (
    f"Built in: {', '.join(BUILTIN)}. Others: sklearn:NAME, {', '.join(HUB)}, hub:NAME, "
    "a .npz, .csv or .parquet file, or a folder in the layout of aclImdb."
)
_PACKED = (".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".zst")


def _npz(path: Path, reading: Reading) -> Dataset:
    """``features`` (or X), ``labels`` (or y), perhaps ``split``: 0 train, 1 dev, 2 test."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        objects = "allow_pickle" in str(error)
        raise DataError(
            f"{path.name} cannot be read: {error}.",
            hint="Arrays of objects are not read: they can run any code." if objects else "",
        ) from error
    chosen = {}
    for part, names in _KEYS.items():
        if part == "labels" and reading.label:
            names = (reading.label,)
        name = next((name for name in names if name in arrays), None)
        if name is None:
            raise DataError(
                f"{path.name} has the arrays {', '.join(arrays)}; expected one called "
                f"{' or '.join(names)}."
            )
        chosen[part] = arrays[name]
    if chosen["features"].dtype.kind not in "fiub" or chosen["labels"].ndim != 1:
        raise DataError(
            f"{path.name}: features are {chosen['features'].dtype}, labels have shape "
            f"{chosen['labels'].shape}; expected numbers and one label for each example."
        )
    labels, names, notes, ratings = targets(path.stem, _whole(chosen["labels"]))
    if "split" in arrays:
        split = Split(*(np.flatnonzero(arrays["split"] == at) for at in range(3)))
    else:
        split = divide(labels)
    return Dataset(
        path.stem, _single(path.stem, chosen["features"]), labels, *split,
        ratings=arrays.get("ratings", ratings), source=f"read from {path.name}", class_names=names,
        notes=tuple(notes),
    )  # fmt: skip


def _whole(labels: NDArray) -> list[Any]:
    """Labels as they are written: 1.0 is the class 1."""
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == labels // 1).all():
        labels = labels.astype(np.int64)
    return labels.tolist()


def _single(name: str, features: NDArray) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        single = features.astype(np.float32)
    lost = np.isfinite(features.astype(np.float64)) & ~np.isfinite(single)
    if lost.any():
        raise DataError(f"{name}: {lost.sum()} feature values are too large for float32.")
    return single


def _sklearn(text: str) -> Dataset:
    """``iris`` and other loaders, ``moons?n_samples=500&noise=0.2`` and other generators."""
    module = library("sklearn.datasets", "sklearn")
    name, _, query = text.partition("?")
    known = sorted(
        attribute.partition("_")[2]
        for attribute in dir(module)
        if attribute.startswith(("load_", "make_"))
    )
    function = getattr(module, f"load_{name}", None) or getattr(module, f"make_{name}", None)
    if function is None or name not in known:
        close = get_close_matches(name, known, n=1)
        raise DataError(
            f"sklearn:{name}: expected one of {', '.join(known)}.",
            hint=f"Did you mean sklearn:{close[0]}?" if close else "",
        )
    given = _query(f"sklearn:{name}", query, inspect.signature(function).parameters)
    if function.__name__.startswith("make_"):
        given = {"n_samples": 2_000, "random_state": 0} | given
    if "return_X_y" in inspect.signature(function).parameters:
        given = {"return_X_y": True} | given
    try:
        features, target = function(**given)[:2]
        features = np.asarray(features, np.float64)
    except Exception as error:  # a library's own complaint, whatever its type
        raise DataError(f"sklearn:{text} gives no data: {error}.") from error
    if features.ndim != 2 or np.ndim(target) != 1:
        raise DataError(f"sklearn:{name} has no table of features with one label each.")
    labels, names, notes, ratings = targets(f"sklearn:{name}", _whole(np.asarray(target)))
    return Dataset(
        f"sklearn:{text}", _single(name, features), labels, *divide(labels), ratings=ratings,
        source=f"scikit-learn's {function.__name__}", class_names=names, notes=tuple(notes),
    )  # fmt: skip


def _query(what: str, query: str, allowed: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in allowed:
            raise DataError(f"{what} has no option '{name}'; it has {', '.join(allowed)}.")
        try:
            found[name] = float(value) if any(c in value for c in ".e") else int(value)
        except ValueError:
            raise DataError(f"{what}: {name}={value!r}; expected a number.") from None
    return found


def _hub(name: str, reading: Reading) -> Dataset:
    """A data set of the hub: its examples without a label are left out."""
    module = library("datasets", "hub")
    version = getattr(module, "__version__", "0")
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < _SAFE_DATASETS:
        raise DataError(
            f"hub:{name}: the installed package datasets is not that of Hugging Face from version "
            f"{_SAFE_DATASETS} on; earlier ones run code that comes with data.",
            hint="Install backprove[hub].",
        )
    try:
        loaded = module.load_dataset(name)
    except Exception as error:  # network, missing name, changed layout: the library has many
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"hub:{name} cannot be loaded: {first[:200]}.",
            hint="It is fetched once and kept; without a network only kept data can be loaded.",
        ) from error
    parts = {part: loaded[part] for part in loaded}
    columns = list(next(iter(parts.values())).column_names)
    label = reading.label or next((c for c in ("label", "labels") if c in columns), None)
    text = reading.text or next((c for c in _TEXTS if c in columns), None)
    if label is None or text is None:
        missing = "label" if label is None else "text"
        raise DataError(
            f"hub:{name} has the columns {', '.join(columns)}; which one is the {missing}?",
            hint=f"Name it: --{missing} COLUMN.",
        )
    rows: dict[str, list[Any]] = {"text": [], "label": [], "split": []}
    dropped = 0
    for part, where in (("train", "train"), ("validation", "dev"), ("test", "test")):
        if part not in parts:
            continue
        for words, value in zip(parts[part][text], parts[part][label], strict=True):
            if value is None or value == -1:
                dropped += 1
                continue
            rows["text"].append(words)
            rows["label"].append(value)
            rows["split"].append(where)
    return _parted(name, rows, reading, dropped)


def _parted(name: str, rows: dict[str, list[Any]], reading: Reading, dropped: int) -> Dataset:
    """Columns with all three parts, or with what is missing drawn from those that are there."""
    found, where = set(rows["split"]), rows.pop("split")
    if not where:
        raise DataError(f"hub:{name} has no labelled examples in train, validation or test.")
    labels = numbered(name, rows["label"])[0]
    if found == {"train", "dev", "test"}:
        named = where
    else:
        # Train comes first, so that a given test part stays apart; a lone dev part is for test.
        cut = sum(part == "train" for part in where)
        split = divide(labels, cut if len(found) > 1 else None)
        named = ["unused"] * len(where)
        for part, numbers in split._asdict().items():
            for row in numbers:
                named[row] = part
    kept = [row for row, part in enumerate(named) if part != "unused"]
    columns = {
        "text": [rows["text"][row] for row in kept],
        "label": [rows["label"][row] for row in kept],
        "split": [named[row] for row in kept],
    }
    data = of_columns(
        name, columns, Reading("label", "text", reading.vectors), f"{name} of the Hugging Face hub"
    )
    sizes = f"{len(data.train)} train, {len(data.dev)} dev, {len(data.test)} test"
    notes = [*data.notes]
    if dropped:
        notes.append(f"{dropped} examples without a label (−1) were left out")
    if found != {"train", "dev", "test"}:
        notes.append(f"parts that were missing were drawn by a fixed seed, stratified: {sizes}")
    return Dataset(
        data.name, data.features, data.labels, data.train, data.dev, data.test,
        source=data.source, class_names=data.class_names, notes=tuple(notes),
    )  # fmt: skip
