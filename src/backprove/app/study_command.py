"""The command ``study``: settings from flags, from KEY=VALUE and from a file, one study."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from backprove.app.arguments import settings_of
from backprove.app.failures import INTERRUPTED
from backprove.app.output import check_destination, print_text, report_of, show, write_report
from backprove.app.study_progress import watched
from backprove.errors import SetupError
from backprove.results import Result

_NOT_SETTINGS = ("settings", "out", "resume", "yes", "figures", "export", "as_json", "output")


def _factor(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, metavar="VALUES")


def study(
    context: typer.Context,
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="KEY=VALUE with the names of the flags, or a study.toml with them."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="course: depth, activation and learning rate, answered.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="reviews, sklearn:NAME, imdb, hub:NAME, or a file or folder."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column of labels.")] = None,
    text: Annotated[
        str | None, typer.Option(help="A column of texts: train on their mean word vectors.")
    ] = None,
    vectors: Annotated[str | None, typer.Option(help="glove, or a GloVe or word2vec file.")] = None,
    hidden: Annotated[str | None, _factor("--hidden", "none, 512, 512x3 or 256-128.")] = None,
    activation: Annotated[str | None, _factor("--activation", "sigmoid, tanh, relu, ...")] = None,
    lr: Annotated[str | None, _factor("--lr", "Learning rates.")] = None,
    optimizer: Annotated[str | None, _factor("--optimizer", "adam, sgd, momentum, ...")] = None,
    batch: Annotated[str | None, _factor("--batch", "Examples in a batch.")] = None,
    epochs: Annotated[str | None, _factor("--epochs", "Passes over the training data.")] = None,
    initialiser: Annotated[str | None, _factor("--initialiser", "First weights.")] = None,
    schedule: Annotated[
        str | None, _factor("--schedule", "constant, cosine, step or warmup_cosine.")
    ] = None,
    momentum: Annotated[str | None, _factor("--momentum", "First decay of the optimiser.")] = None,
    beta2: Annotated[str | None, _factor("--beta2", "Decay of squared gradients.")] = None,
    weight_decay: Annotated[str | None, _factor("--weight-decay", "Weight decay.")] = None,
    gradient_clip: Annotated[
        str | None, _factor("--gradient-clip", "Largest norm of the gradient.")
    ] = None,
    dropout: Annotated[str | None, _factor("--dropout", "Share of hidden units left out.")] = None,
    residual: Annotated[
        str | None, _factor("--residual", "yes or no: add a layer's input to its output.")
    ] = None,
    normalisation: Annotated[
        str | None, _factor("--normalisation", "none, batch or layer.")
    ] = None,
    label_smoothing: Annotated[
        str | None, _factor("--label-smoothing", "Share of a label spread over all classes.")
    ] = None,
    input_noise: Annotated[
        str | None, _factor("--input-noise", "Deviation of noise on each feature.")
    ] = None,
    mixup: Annotated[str | None, _factor("--mixup", "Parameter of mixup; 0 mixes nothing.")] = None,
    loss: Annotated[
        str | None, _factor("--loss", "cross_entropy, or mse and mae of the ratings.")
    ] = None,
    patience: Annotated[
        str | None, _factor("--patience", "Epochs without a better dev loss before stopping.")
    ] = None,
    zipped: Annotated[
        list[str] | None,
        typer.Option("--zip", help="Factors that change together, such as hidden,lr; repeatable."),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(help="How many seeds (8), or the seeds with commas.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="seeded: train and dev anew for each seed; or fixed.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Points of accuracy that count as equivalent (1).")
    ] = None,
    extend: Annotated[
        str | None, typer.Option(help="lr: add learning rates until both ends turn.")
    ] = None,
    judge: Annotated[
        bool | None,
        typer.Option("--judge", help="Choose lr on dev, judge on test with fresh seeds."),
    ] = None,
    until_decided: Annotated[
        bool | None,
        typer.Option("--until-decided", help="Add seeds until every comparison is decided."),
    ] = None,
    most_seeds: Annotated[
        str | None, typer.Option(help="Seeds at which --until-decided stops (32).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Keep every epoch in this folder; go on if it holds the study."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the study in --out; it must be there.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Train large grids without asking.")] = False,
    figures: Annotated[
        Path | None, typer.Option(help="Write every figure as SVG and PNG into this folder.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write runs and epochs as tables into this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as data.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write an HTML page that opens offline.")
    ] = None,
) -> None:
    """Train networks on data, and say what the numbers support.

    Every combination of the listed values is trained once for each seed.

    \b
    backprove study --data reviews --hidden none,512 --lr 0.01 --seeds 3 --epochs 5
    backprove study --preset course --seeds 3 -o course.html
    """
    from backprove.worksheets.engine import Engine

    options = _options(context.params, settings or [])
    text = _told(options)
    for path in (output, figures, export, out):
        if path is not None:
            check_destination(path) if path is output else _check_folder(path)
    if resume:
        options = _resumed(out, options)
    with _kept(out), watched(quiet=as_json) as watch:
        result = Engine().study(
            options,
            None,
            out,
            watch=watch,
            trusted=True,
            confirm=lambda size: yes or _confirmed(size, as_json),
            on_data=lambda about: _tell_data(about, quiet=as_json),
        )
    _show(result, as_json=as_json, output=output)
    if output:
        write_report(output, report_of(f"study {text}", result))
    if figures:
        _write_figures(figures, result)
    if export:
        _export(export, result)


@contextmanager
def _kept(out: Path | None) -> Iterator[None]:
    """Say where an interrupted study is, so that it need not be trained again."""
    try:
        yield
    except KeyboardInterrupt:
        if out is None or not (out / "study.sqlite").exists():
            raise
        print(
            f"interrupted; what was trained is kept in {out}, and the same command goes on from "
            "there",
            file=sys.stderr,
        )
        raise typer.Exit(INTERRUPTED) from None


def _options(given: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """Flags, KEY=VALUE and files as one mapping; a flag wins over a file, nothing twice."""
    from backprove.studies.settings_file import read_settings_file

    unknown = next((word for word in settings if word.startswith("-")), None)
    if unknown is not None:
        raise _no_flag(unknown)
    files = [word for word in settings if word.endswith(".toml") and "=" not in word]
    pairs = settings_of(" ".join(word for word in settings if word not in files))
    flags = {
        name: _words(name, value)
        for name, value in given.items()
        if name not in _NOT_SETTINGS and value not in (None, [], ())
    }
    twice = [name for name in flags if name in pairs]
    if twice:
        raise SetupError(
            f"{twice[0]} is given twice, as a flag and as {twice[0]}=...", hint="Keep one of them."
        )
    if len(files) > 1:
        raise SetupError(f"{' and '.join(files)}: a study is read from one file.")
    read = read_settings_file(Path(files[0])) if files else {}
    return {**read, **pairs, **flags}


def _no_flag(word: str) -> SetupError:
    from backprove.studies.study import FIELDS, meant

    flags = {"zipped": "zip", "until_decided": "until-decided", "most_seeds": "most-seeds"}
    near = meant(word.partition("=")[0], [name for name in FIELDS if name != "configurations"])
    found = near.removeprefix("Did you mean ").removesuffix("?")
    hint = f"Did you mean --{flags.get(found, found.replace('_', '-'))}?" if found else ""
    return SetupError(f"There is no flag {word}; backprove study --help lists them all.", hint=hint)


def _words(name: str, value: Any) -> Any:
    """Seeds that are named one by one are numbers, as in a worksheet."""
    if name == "zipped":
        return ";".join(value)
    words = [word.strip() for word in value.split(",")] if isinstance(value, str) else []
    if name == "seeds" and len(words) > 1 and all(w.isascii() and w.isdigit() for w in words):
        return [int(word) for word in words]
    return value


def _told(options: dict[str, Any]) -> str:
    def one(value: Any) -> str:
        return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

    return " ".join(f"{name}={one(value)}" for name, value in options.items())


def _resumed(out: Path | None, options: dict[str, Any]) -> dict[str, Any]:
    from backprove.studies.store import asked_for

    if out is None:
        raise SetupError("--resume needs the folder of a study.", hint="Name it: --out FOLDER.")
    asked = asked_for(out)
    return options or asked


def _tell_data(about: Any, *, quiet: bool) -> None:
    for sentence in () if quiet else (*about.notes, *about.warnings):
        print(f"data: {sentence}", file=sys.stderr)


def _confirmed(size: Any, as_json: bool) -> bool:
    if as_json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm(f"{size}. Train them?", err=True)


def _check_folder(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise SetupError(f"'{path}' is a file; expected a folder.")


def _show(result: Result, *, as_json: bool, output: Path | None) -> None:
    summary = getattr(result, "summary_blocks", None)
    if as_json or summary is None or not output:
        show(result, as_json=as_json)
        return
    print_text(Result.renderers["text"](summary()))
    print(f"report: {output}")


def _export(folder: Path, result: Any) -> None:
    for path in result.export(folder):
        print(f"table: {path}", file=sys.stderr)


def _write_figures(folder: Path, result: Result) -> None:
    from backprove.views.charts import write_charts

    # Each study of a preset has figures of the same titles: a folder each keeps them apart.
    parts = {study.name: study for study in getattr(result, "studies", ())} or {"": result}
    for name, part in parts.items():
        for path in write_charts(part.blocks(), folder / name):
            print(f"figure: {path}", file=sys.stderr)
