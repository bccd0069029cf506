"""The folder of a study: what is trained is kept epoch by epoch, and a killed study goes on.

``study.sqlite`` holds the design and, in WAL mode, the measures of every run and epoch.
``checkpoint.safetensors`` holds the whole state of the stack in training; it is replaced
atomically. ``lock.sqlite`` is held by the process that trains, and let go by its death.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from backprove.datasets import Dataset
from backprove.errors import DataError, SetupError
from backprove.studies.factors import FACTORS, Configuration
from backprove.training import (
    BINS,
    HISTOGRAM,
    LAYER_MEASURES,
    MEASURES,
    Group,
    Past,
    State,
    save_weights,
)

FORMAT = 4
_SHARE = 0.05  # of the time may go into checkpoints; large stacks are not kept at every epoch

Cell = tuple[Configuration, int]
"""A configuration and a seed."""

_TABLES = f"""
CREATE TABLE IF NOT EXISTS design (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS configurations (id INTEGER PRIMARY KEY, factors TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS epochs (
    configuration INTEGER, seed INTEGER, epoch INTEGER,
    {", ".join(f"{name} REAL" for name in MEASURES)}, seconds REAL,
    layers TEXT NOT NULL, PRIMARY KEY (configuration, seed, epoch)
);
CREATE TABLE IF NOT EXISTS runs (
    configuration INTEGER, seed INTEGER, dev_scores BLOB NOT NULL, test_scores BLOB NOT NULL,
    PRIMARY KEY (configuration, seed)
);
"""


@dataclass(frozen=True)
class Kept:
    """A finished run as the folder has it.

    Args:
        values: for each measure (epochs + 1,).
        dev_scores: (dev examples,).
        test_scores: (test examples,).
        layers: for each measure of layers (epochs + 1, layers), and the distribution of
            activations (epochs + 1, hidden layers, bins).
        seconds: time of the whole stack that it was trained in.
    """

    values: dict[str, NDArray[np.float64]]
    dev_scores: NDArray[np.float32]
    test_scores: NDArray[np.float32]
    layers: dict[str, NDArray[np.float64]]
    seconds: float


def design_of(
    configurations: Sequence[Configuration],
    seeds: Sequence[int],
    data: Dataset,
    split: str,
    steps: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that fixes the numbers of a study, as JSON-ready data.

    Args:
        configurations: those of the study.
        seeds: its seeds.
        data: its data.
        split: ``seeded`` or ``fixed``.
        steps: what is trained after these, by which rule.

    Returns:
        The design; the data set is named by its sizes and by the SHA-256 of its contents.
    """
    digest = hashlib.sha256()
    for array in (data.features, data.labels, data.train, data.dev, data.test):
        digest.update(f"{array.dtype.kind}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).astype(_canonical(array), copy=False).tobytes())
    return {
        "format": FORMAT,
        "configurations": [asdict(configuration) for configuration in configurations],
        "seeds": list(seeds),
        "split": split,
        "steps": dict(steps or {}),
        "data": data.name,
        "examples": [len(data.train), len(data.dev), len(data.test)],
        "features": data.width,
        "contents": digest.hexdigest(),
    }


def _canonical(array: NDArray) -> str:
    return "<f4" if array.dtype.kind == "f" else "<i8"


def asked_for(folder: Path) -> dict[str, Any]:
    """The settings that the study in a folder was asked for with.

    Args:
        folder: of a study.

    Returns:
        The settings, as :func:`study` takes them.

    Raises:
        SetupError: there is no study in the folder, or it was asked for with data in memory.
    """
    path = folder / "study.sqlite"
    try:
        if not path.is_file():
            raise SetupError(f"There is no study in '{folder}' to go on with.")
        base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            kept = dict(base.execute("SELECT name, value FROM design").fetchall())
        finally:
            base.close()
        asked = json.loads(kept.get("asked", "null"))
    except (OSError, sqlite3.Error, ValueError) as error:
        raise SetupError(f"The study in '{folder}' cannot be read: {error}.") from error
    if asked is None:
        raise SetupError(
            f"The study in '{folder}' does not say how it was asked for.",
            hint="Name its settings again; training goes on where it stopped.",
        )
    return asked


class Store:
    """The folder of one study, held by this process.

    Args:
        folder: made if it is missing.
        design: of the study, see :func:`design_of`.

    Raises:
        SetupError: the folder cannot be written, another process holds it, or it holds a study of
            another design.
        DataError: it holds a study of other data, or its file is damaged.
    """

    def __init__(self, folder: Path, design: Mapping[str, Any]) -> None:
        self.folder = folder
        self._spent = self._trained = 0.0
        self._since = perf_counter()
        self._numbers: dict[Configuration, int] = {}
        self._lock = self._base = None
        try:
            with self._writing():
                folder.mkdir(parents=True, exist_ok=True)
                self._lock = _locked(folder)
                self._base = sqlite3.connect(folder / "study.sqlite", isolation_level=None)
                self._base.execute("PRAGMA journal_mode=WAL")
                self._base.execute("PRAGMA synchronous=FULL")
                self._base.executescript(_TABLES)
                self._compare(design)
                self._enter(design["configurations"])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        for connection in (self._base, self._lock):
            if connection is not None:
                connection.close()

    def finished(self, cells: Sequence[Cell]) -> dict[Cell, Kept] | None:
        """The runs of a stack if all are finished."""
        kept = {}
        for cell in cells:
            row = self._db.execute(
                "SELECT dev_scores, test_scores FROM runs WHERE configuration=? AND seed=?",
                self._key(cell),
            ).fetchone()
            if row is None:
                return None
            measured = self._measured(cell)
            values = {name: measured[:, i] for i, name in enumerate(MEASURES)}
            seconds = float(measured[:, len(MEASURES)].sum())
            dev, test = (np.frombuffer(scores, "<f4") for scores in row)
            kept[cell] = Kept(values, dev, test, _stacked(self._layers(cell)), seconds)
        return kept

    def past(self, cells: Sequence[Cell], group: Group) -> Past | None:
        """Where to go on with a stack: its last checkpoint and all that was measured before."""
        try:
            with safe_open(self._checkpoint, framework="numpy") as file:
                about = file.metadata() or {}
                if about.get("cells") != self._keys(cells):
                    return None
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return None
        epoch = int(about["epoch"])
        measured = [self._measured(cell)[: epoch + 1] for cell in cells]
        if any(len(rows) <= epoch for rows in measured):
            return None
        by_epoch = np.stack(measured, axis=1)
        past = [
            {name: by_epoch[e, :, i] for i, name in enumerate(MEASURES)} for e in range(epoch + 1)
        ]
        for e, of_cells in enumerate(
            zip(*(self._layers(c)[: epoch + 1] for c in cells), strict=True)
        ):
            for name in of_cells[0]:
                past[e][name] = np.array([layers[name] for layers in of_cells])
        seconds = [float(s) for s in by_epoch[:, 0, len(MEASURES)]]
        return Past(group.restore(epoch, arrays), past, seconds)

    def keep_epoch(
        self, cells: Sequence[Cell], epoch: int, measures: Mapping[str, NDArray], seconds: float
    ) -> None:
        """Write the measures of one epoch of a stack."""
        self._trained += seconds
        columns = zip(*(measures[name] for name in MEASURES), strict=True)
        rows = [
            (*self._key(cell), epoch, *map(float, values), seconds, _layers_text(measures, i))
            for i, (cell, values) in enumerate(zip(cells, columns, strict=True))
        ]
        marks = ", ".join("?" * (len(MEASURES) + 5))
        with self._writing(), self._transaction():
            self._db.executemany(f"INSERT OR REPLACE INTO epochs VALUES ({marks})", rows)

    def keep_state(self, cells: Sequence[Cell], group: Group, state: State) -> None:
        """Write the state of a stack, unless that took too large a share of the time so far."""
        if self._spent > _SHARE * self._trained:
            return
        begin = perf_counter()
        about = {"cells": self._keys(cells), "epoch": str(state.epoch)}
        new = self._checkpoint.with_suffix(".new")
        with self._writing():
            try:
                save_file(group.saved(state), new, metadata=about)
                with open(new, "rb+") as file:
                    os.fsync(file.fileno())
                os.replace(new, self._checkpoint)
            except BaseException:
                with suppress(OSError):
                    new.unlink()
                raise
        self._spent += perf_counter() - begin

    def keep_runs(
        self,
        cells: Sequence[Cell],
        dev_scores: NDArray[np.float32],
        test_scores: NDArray[np.float32],
    ) -> None:
        """Write that the runs of a stack are finished."""
        rows = [
            (*self._key(cell), dev.astype("<f4").tobytes(), test.astype("<f4").tobytes())
            for cell, dev, test in zip(cells, dev_scores, test_scores, strict=True)
        ]
        with self._writing(), self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?)", rows)
        with suppress(OSError):  # one that is left behind names its cells, and is not taken again
            self._checkpoint.unlink()

    @property
    def _checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    @property
    def _db(self) -> sqlite3.Connection:
        assert self._base is not None
        return self._base

    def _layers(self, cell: Cell) -> list[dict[str, NDArray[np.float64]]]:
        """The measures of layers of each epoch so far."""
        rows = self._db.execute(
            "SELECT layers FROM epochs WHERE configuration=? AND seed=? ORDER BY epoch",
            self._key(cell),
        ).fetchall()
        return [
            {name: _read_layers(name, values) for name, values in json.loads(text).items()}
            for (text,) in rows
        ]

    def keep_weights(self, cells: Sequence[Cell], group: Group, state: State) -> None:
        """Write the weights of the best and of the last epoch of each run of a stack."""
        folder = self.folder / "weights"
        with self._writing():
            folder.mkdir(exist_ok=True)
            for model, cell in enumerate(cells):
                number, seed = self._key(cell)
                for which in ("best", "last"):
                    path = folder / f"{number}-{seed}-{which}.safetensors"
                    save_weights(path, group, state, model, which)

    def _key(self, cell: Cell) -> tuple[int, int]:
        """The numbers of a configuration and of a seed in the tables."""
        configuration, seed = cell
        if configuration not in self._numbers:
            factors = asdict(configuration)
            with self._writing():
                self._enter([factors])
            (number,) = self._db.execute(
                "SELECT id FROM configurations WHERE factors=?", (json.dumps(factors),)
            ).fetchone()
            self._numbers[configuration] = number
        return self._numbers[configuration], seed

    def _enter(self, configurations: Iterable[Mapping[str, Any]]) -> None:
        """Number configurations from 0 in the order given; those of a study come first."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR IGNORE INTO configurations (id, factors) VALUES "
                "((SELECT COALESCE(MAX(id) + 1, 0) FROM configurations), ?)",
                [(json.dumps(factors),) for factors in configurations],
            )

    def _keys(self, cells: Sequence[Cell]) -> str:
        return json.dumps([self._key(cell) for cell in cells])

    def _measured(self, cell: Cell) -> NDArray[np.float64]:
        """(epochs so far, measures and seconds); SQLite keeps NaN as NULL."""
        names = ", ".join((*MEASURES, "seconds"))
        rows = self._db.execute(
            f"SELECT {names} FROM epochs WHERE configuration=? AND seed=? ORDER BY epoch",
            self._key(cell),
        ).fetchall()
        return np.array(rows, dtype=np.float64).reshape(-1, len(MEASURES) + 1)

    def _compare(self, design: Mapping[str, Any]) -> None:
        kept = dict(self._db.execute("SELECT name, value FROM design").fetchall())
        if not kept:
            with self._transaction():
                self._db.executemany(
                    "INSERT INTO design VALUES (?, ?)",
                    [(name, json.dumps(value)) for name, value in design.items()],
                )
            return
        before = {name: json.loads(value) for name, value in kept.items()}
        _refuse_other_setup(self.folder, before, design)
        _refuse_other_data(self.folder, before, design)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, SafetensorError, sqlite3.OperationalError) as error:
            raise SetupError(
                f"The study's folder {self.folder} cannot be written: {error}.",
                hint="Make room or name a folder that you may write; what was trained so far is "
                "kept, and the same command goes on from there.",
            ) from error
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"{self.folder / 'study.sqlite'} is not the file of a study: {error}.",
                hint="Name another folder.",
            ) from error


def _layers_text(measures: Mapping[str, NDArray], model: int) -> str:
    """The measures of the layers of one model; JSON has no NaN, null stands for it."""
    layers = {}
    for name in (*LAYER_MEASURES, HISTOGRAM):
        if name in measures:
            values = np.asarray(measures[name][model], np.float64)
            numbers = values.astype(object)
            numbers[np.isnan(values)] = None
            layers[name] = numbers.tolist()
    return json.dumps(layers)


def _stacked(epochs: Sequence[Mapping[str, NDArray]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.array([layers[name] for layers in epochs]) for name in epochs[0]}


def _read_layers(name: str, values: Any) -> NDArray[np.float64]:
    """(layers,), or (hidden layers, bins); NumPy reads null, which stands for NaN, as NaN."""
    array = np.array(values, np.float64)
    return array.reshape(-1, BINS) if name == HISTOGRAM else array


def _locked(folder: Path) -> sqlite3.Connection:
    """A connection that keeps other processes out as long as it is open."""
    connection = sqlite3.connect(folder / "lock.sqlite", timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise SetupError(
                f"Another process is training the study in {folder}.",
                hint="Wait for it to end, or name another folder.",
            ) from error
        raise
    return connection


def _refuse_other_setup(folder: Path, before: Mapping, now: Mapping) -> None:
    changes = [
        f"{name} was {_shown(a)}, now {_shown(b)}"
        for name, a, b in (
            *((f, *(_levels(d["configurations"], f) for d in (before, now))) for f in FACTORS),
            *(
                (name, before.get(name), now[name])
                for name in ("seeds", "split", "steps", "format")
            ),
        )
        if a != b
    ]
    if not changes and before["configurations"] != now["configurations"]:
        changes = ["the same values are combined or ordered in another way"]
    if changes:
        raise SetupError(
            f"{folder} holds a study of another configuration: {'; '.join(changes)}.",
            hint="Name another folder, or ask for the same configuration to go on with it.",
        )


def _refuse_other_data(folder: Path, before: Mapping, now: Mapping) -> None:
    names = ("data", "examples", "features", "contents")
    changes = [
        f"{name} {_shown(before[name])}, now {_shown(now[name])}"
        for name in names
        if before[name] != now[name]
    ]
    if changes:
        raise DataError(
            f"{folder} holds a study of other data: {'; '.join(changes)}.",
            hint="Name another folder; 'contents' is the SHA-256 of features, labels and split.",
        )


def _levels(configurations: Sequence[Mapping[str, Any]], factor: str) -> list[Any]:
    return list(dict.fromkeys(c.get(factor) for c in configurations))


def _shown(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
