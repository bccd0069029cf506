"""The numbers of a study as tables that pandas, polars, DuckDB and plain files take."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backprove.errors import SetupError
from backprove.training import LAYER_MEASURES, MEASURES

if TYPE_CHECKING:
    from backprove.studies.result import ConfigurationResult, Run


class Table(Mapping[str, Sequence[Any]]):
    """Named columns of equal length.

    With the extra ``arrow`` it is an Arrow stream (``__arrow_c_stream__``), which polars, DuckDB
    and pandas take as it is: ``polars.DataFrame(table)``, ``duckdb.from_arrow(table.to_arrow())``.

    Args:
        columns: the values of each column; None is a missing value.

    >>> table = Table({"lr": [0.1, 0.01], "outcome": ["learned", "diverged"]})
    >>> len(table["lr"]), table.rows()[1]
    (2, {'lr': 0.01, 'outcome': 'diverged'})
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        self._columns = dict(columns)

    def __getitem__(self, name: str) -> Sequence[Any]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return f"Table({self.height} rows: {', '.join(self)})"

    @property
    def height(self) -> int:
        """The number of rows."""
        return len(next(iter(self._columns.values()), ()))

    def rows(self) -> list[dict[str, Any]]:
        """The table row by row."""
        return [dict(zip(self, row, strict=True)) for row in zip(*self.values(), strict=True)]

    def to_csv(self, path: str | Path) -> None:
        """Write the table as CSV; a missing value is an empty cell.

        Raises:
            SetupError: the file cannot be written.
        """
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self)
        writer.writerows(zip(*self.values(), strict=True))
        _replace(Path(path), text.getvalue().encode())

    def to_parquet(self, path: str | Path) -> None:
        """Write the table as Parquet; needs the extra ``arrow``.

        Raises:
            SetupError: the file cannot be written, or pyarrow is missing.
        """
        table, sink = self.to_arrow(), io.BytesIO()
        _library("pyarrow.parquet", "arrow").write_table(table, sink)
        _replace(Path(path), sink.getvalue())

    def to_arrow(self) -> Any:
        """The table as a ``pyarrow.Table``; needs the extra ``arrow``."""
        return _library("pyarrow", "arrow").table({n: list(v) for n, v in self.items()})

    def to_pandas(self) -> Any:
        """The table as a ``pandas.DataFrame``; needs pandas."""
        return _library("pandas", "").DataFrame(dict(self))

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_arrow().__arrow_c_stream__(requested_schema)


def runs_table(results: Sequence[ConfigurationResult]) -> Table:
    """One row a run: its configuration, its outcome and its numbers at the last and best epoch.

    Args:
        results: configurations with their runs.
    """
    rows = []
    for result in results:
        for run in result.runs:
            best = run.best_epoch
            rows.append(
                {
                    **asdict(result.configuration),
                    "parameters": result.parameters,
                    "flops_per_epoch": result.flops,
                    "seed": run.seed,
                    "outcome": run.outcome,
                    "best_epoch": best,
                    **{f"{name}": _at(run, name, -1) for name in MEASURES},
                    **{f"{name}_at_best": _at(run, name, best) for name in MEASURES},
                    "evidence": run.reading.evidence,
                }
            )
    return _of_rows(rows)


def epochs_table(results: Sequence[ConfigurationResult]) -> Table:
    """One row a run and epoch, epoch 0 before training.

    Args:
        results: configurations with their runs.
    """
    rows = [
        {
            **asdict(result.configuration),
            "seed": run.seed,
            "epoch": epoch,
            **{name: _at(run, name, epoch) for name in MEASURES},
        }
        for result in results
        for run in result.runs
        for epoch in range(len(run.values[MEASURES[0]]))
    ]
    return _of_rows(rows)


def layers_table(results: Sequence[ConfigurationResult]) -> Table:
    """One row a run, epoch and layer: what was seen on the probe of dev examples.

    Measures of activations are missing in the last layer, which has none.

    Args:
        results: configurations with their runs.
    """
    rows = [
        {
            **asdict(result.configuration),
            "seed": run.seed,
            "epoch": epoch,
            "layer": layer + 1,
            **{name: _seen(run, name, epoch, layer) for name in LAYER_MEASURES},
        }
        for result in results
        for run in result.runs
        for epoch, layers in enumerate(run.layers.get(LAYER_MEASURES[0], ()))
        for layer in range(len(layers))
    ]
    return _of_rows(rows)


def _seen(run: Run, name: str, epoch: int, layer: int) -> float | None:
    found = run.layers[name][epoch]
    value = float(found[layer]) if layer < len(found) else float("nan")
    return value if value == value else None


def export_tables(tables: Mapping[str, Table], folder: str | Path) -> list[Path]:
    """Write tables as CSV, and as Parquet where pyarrow is installed.

    Args:
        tables: by the names of their files.
        folder: made if it is missing.

    Returns:
        The files.

    Raises:
        SetupError: a file cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"'{folder}' cannot be made: {error.strerror or error}.") from error
    written = []
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv")
        written.append(folder / f"{name}.csv")
        try:
            table.to_parquet(folder / f"{name}.parquet")
        except MissingExtra:
            continue
        written.append(folder / f"{name}.parquet")
    return written


class MissingExtra(SetupError):
    """A library that only some uses need is not installed."""


def _library(name: str, extra: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        hint = f"Install backprove[{extra}]." if extra else f"Install {package}."
        raise MissingExtra(f"This needs {package}, which is not installed.", hint=hint) from None


def _at(run: Run, name: str, epoch: int) -> float | None:
    value = float(run.values[name][epoch])
    return value if value == value else None


def _of_rows(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = rows[0] if rows else ()
    return Table({name: [row[name] for row in rows] for name in names})


def _replace(path: Path, content: bytes) -> None:
    """A file that is complete or not there."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        temporary.chmod(0o644)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise SetupError(
            f"'{path}' cannot be written: {error.strerror or error}.", hint="Write elsewhere."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
