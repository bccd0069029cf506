"""Ask for a study: read what is wanted, train it, and answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from backprove.datasets import Dataset, Review, open_data, review
from backprove.errors import SetupError
from backprove.studies import course
from backprove.studies.factors import FACTORS, Configuration
from backprove.studies.grids import grid, listed, varying
from backprove.studies.outcomes import baseline_of
from backprove.studies.plans import Frame, Wanted
from backprove.studies.result import ConfigurationResult, Study
from backprove.studies.runs import Progress, Trainer, refuse_untrainable
from backprove.studies.sensitivity import MOST_STEPS, Judged, arms, steps_beyond
from backprove.studies.series import Series
from backprove.studies.sizes import Confirm, check_size, mlp_of
from backprove.studies.statistics import looks
from backprove.studies.store import Store, design_of
from backprove.training import devices

FIELDS = (
    "data", "label", "text", "vectors", *FACTORS, "zipped", "configurations", "preset", "seeds",
    "split", "region", "extend", "judge", "until_decided", "most_seeds",
)  # fmt: skip
"""The names that a study accepts in a worksheet, in a file, on the command line and in Python."""

_ELSEWHERE = {
    "learning_rate": "lr", "learning_rates": "lr", "batch_size": "batch", "layers": "hidden",
    "depth": "hidden", "width": "hidden", "init": "initialiser", "initializer": "initialiser",
    "l2": "weight_decay", "early_stopping": "patience", "dataset": "data", "zip": "zipped",
    "nonlinearity": "activation", "lr_schedule": "schedule", "scheduler": "schedule",
    "clip": "gradient_clip", "norm": "normalisation", "batch_norm": "normalisation",
    "beta1": "momentum", "criterion": "loss", "target": "label", "runs": "seeds",
}  # fmt: skip
"""What other libraries call the fields."""

MAX_SEEDS = 1_000
_MOST_SEEDS = 32


def study(
    data: str | Dataset = "reviews",
    *,
    label: str | None = None,
    text: str | None = None,
    vectors: str = "glove",
    seeds: int | str | Sequence[int] = 8,
    split: str = "seeded",
    zipped: Any = (),
    configurations: Sequence[Mapping[str, Any]] | None = None,
    preset: str | None = None,
    region: Any = 1.0,
    extend: Any = (),
    judge: Any = False,
    until_decided: Any = False,
    most_seeds: Any = _MOST_SEEDS,
    out: str | Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    confirm: Confirm | None = None,
    on_data: Callable[[Review], None] | None = None,
    **factors: Any,
) -> Study | Series:
    """Train every combination of the given values with several paired seeds.

    Each factor (``hidden``, ``activation``, ``lr``, ...; see :data:`FACTORS`) takes one value or
    several: a text with commas or a list. Features are used as they are.

    Args:
        data: a data set, or its name or place, see :func:`backprove.datasets.open_data`.
        label: the column of labels, where the data has columns.
        text: a column of texts to train on, as mean word vectors.
        vectors: ``glove`` or a file of word vectors.
        seeds: how many seeds, counted from 0, or the seeds themselves.
        split: ``seeded`` draws train and dev anew for each seed, ``fixed`` keeps the split of the
            data set. Test is the same in both.
        zipped: factors that change together instead of in every combination: with
            ``hidden="none,512", lr="0.1,0.01", zipped="hidden,lr"`` there are two configurations.
            Semicolons separate several such groups: ``zipped="hidden,lr;activation,dropout"``.
        configurations: instead of a grid, a list of mappings of factors to values; factors that
            are given beside it hold for all of them.
        preset: ``course``: studies of depth, activation and learning rate, with their answers.
        region: accuracies that differ by no more than this many points count as equivalent.
        extend: ``lr`` adds learning rates beyond both ends of each arm until its curve turns.
        judge: whether to choose each arm's learning rate on dev and to judge it on test, trained
            again from fresh seeds.
        until_decided: whether to add seeds until every comparison is decided or ``most_seeds`` is
            reached; the error probability is shared among the looks.
        most_seeds: seeds at the last look of ``until_decided``.
        out: a folder in which every epoch is kept. If it holds the same study, killed at any
            point, training goes on from there and ends with the same numbers.
        progress: called after each epoch of each group of networks.
        confirm: asked with the size of the study above 10,000 runs; True goes on.
        on_data: called with what is known of the data before anything is trained.
        factors: values of the factors.

    Returns:
        The study; of a preset all its studies.

    Raises:
        SetupError: a field or value that is not allowed; raised before anything is trained. Also
            a folder that cannot be written, is in use or holds a study of another configuration.
        DataError: the data set is missing or unusable, or the folder holds a study of other data.

    >>> result = study(hidden="none", lr="0.01,0.1", seeds=2, epochs=1)
    >>> [c.label for c in result.configurations]
    ['lr 0.01', 'lr 0.1']
    """
    refuse_unknown(factors)
    chosen = _seeds(seeds)
    _split(split)
    extra = _extended(extend), _switch("judge", judge)
    frame_looks: tuple[int, ...] = ()
    if _switch("until_decided", until_decided):
        frame_looks = looks(len(chosen), _most(most_seeds, len(chosen)))
    within = _region(region)
    if preset is not None:
        wanted = course.wanted(preset, factors, zipped=zipped, configurations=configurations)
    elif configurations is not None:
        if zipped:
            raise SetupError("zipped is for grids; configurations lists each one.")
        wanted = [Wanted(listed(configurations, factors), *extra)]
    else:
        wanted = [Wanted(grid(factors, zipped=zipped), *extra)]
    dataset = _dataset(data, label=label, text=text, vectors=vectors)
    frame = Frame(dataset, chosen, split, within, frame_looks)
    for one in wanted:
        check_size(one.configurations, max((len(chosen), *frame_looks)), dataset, confirm)
        refuse_untrainable(one.configurations, dataset)
    about = review(dataset)
    if on_data is not None:
        on_data(about)
    asked = {
        "label": label, "text": text, "vectors": vectors,
        "seeds": seeds, "split": split, "zipped": zipped, "configurations": configurations,
        "preset": preset, "region": region, "extend": extend, "judge": judge,
        "until_decided": until_decided, "most_seeds": most_seeds, **factors,
    }  # fmt: skip
    design = _design(wanted, frame)
    if isinstance(data, str):
        design["asked"] = {"data": data, **{k: v for k, v in asked.items() if v not in (None, ())}}
    with _store(out, design) as store:
        trainer = Trainer(dataset, resplit=split == "seeded", progress=progress, store=store)
        studies = [replace(one, about=about) for one in _train(wanted, frame, trainer)]
    return studies[0] if preset is None else course.series(preset, studies)


def refuse_unknown(unknown: Iterable[str]) -> None:
    """Refuse names that are not among :data:`FIELDS`.

    Args:
        unknown: names that somebody wrote.

    Raises:
        SetupError: one of them is no field; the nearest one is named.
    """
    name = next((name for name in unknown if name not in FIELDS), None)
    if name is not None:
        raise SetupError(
            f"A study has no field '{name}'; its fields are {', '.join(FIELDS)}.",
            hint=meant(name, FIELDS),
        )


def meant(name: str, known: Collection[str]) -> str:
    """A hint at the field that somebody means by another name; empty if there is none.

    >>> meant("learning-rate", FIELDS), meant("epohcs", FIELDS), meant("colour", FIELDS)
    ('Did you mean lr?', 'Did you mean epochs?', '')
    """
    name = name.strip("-").replace("-", "_").lower()
    others = {
        **{word.replace("_", ""): field for word, field in _ELSEWHERE.items()},
        **{field.replace("_", ""): field for field in known},
        **_ELSEWHERE,
    }
    close = [name] if name in others else get_close_matches(name, list(others), n=1)
    close = [others[word] for word in close if others[word] in known]
    return f"Did you mean {close[0]}?" if close else ""


def refuse_value(name: str, value: Any) -> None:
    """Refuse a value of a setting that is no factor, before anything else is known.

    Args:
        name: one of :data:`FIELDS`.
        value: what somebody wrote.

    Raises:
        SetupError: the value is never allowed.
    """
    readers: dict[str, Callable[[Any], Any]] = {
        "seeds": _seeds, "split": _split, "region": _region, "extend": _extended,
        "judge": partial(_switch, "judge"), "until_decided": partial(_switch, "until_decided"),
        "most_seeds": partial(_most, seeds=1),
    }  # fmt: skip
    if name in readers:
        readers[name](value)


def _split(split: Any) -> str:
    if split not in ("seeded", "fixed"):
        raise SetupError(f"split={split!r}; expected seeded or fixed.")
    return split


def _seeds(seeds: int | str | Sequence[int]) -> tuple[int, ...]:
    expected = f"a number of seeds from 1 to {MAX_SEEDS}, or a list of different whole numbers"
    if isinstance(seeds, str) and seeds.isascii() and seeds.isdigit() and len(seeds) < 10:
        seeds = int(seeds)
    if isinstance(seeds, int) and not isinstance(seeds, bool) and 1 <= seeds <= MAX_SEEDS:
        return tuple(range(seeds))
    if isinstance(seeds, list | tuple | range):
        given = tuple(seeds)
        whole = all(type(seed) is int and 0 <= seed < 2**32 for seed in given)
        if whole and 1 <= len(set(given)) == len(given) <= MAX_SEEDS:
            return given
    raise SetupError(f"seeds={seeds!r}; expected {expected}.")


def _switch(name: str, given: Any) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    value = words.get(given.lower()) if isinstance(given, str) else given
    if not isinstance(value, bool):
        raise SetupError(f"{name}={given!r}; expected true or false.")
    return value


def _extended(given: Any) -> bool:
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or [n for n in names if n not in ("lr", "")]:
        raise SetupError(f"extend={given!r}; expected lr, the only factor that has two ends.")
    return "lr" in names


def _most(given: Any, seeds: int) -> int:
    text = str(given)
    if isinstance(given, bool) or not text.isdigit() or not seeds <= int(text) <= MAX_SEEDS:
        raise SetupError(
            f"most_seeds={given!r}; expected a whole number from {seeds}, the seeds of the first "
            f"look, to {MAX_SEEDS}."
        )
    return int(text)


def _region(region: Any) -> float:
    try:
        points = float("nan") if isinstance(region, bool) else float(region)
    except (TypeError, ValueError):
        points = float("nan")
    if not 0 < points <= 50:
        raise SetupError(f"region={region!r}; expected points of accuracy above 0, at most 50.")
    return points


def _dataset(data: str | Dataset, **reading: Any) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str):
        return open_data(data, **reading)
    raise SetupError(
        f"data={type(data).__name__}; expected the name of a data set, such as reviews, or a "
        "backprove.datasets.Dataset."
    )


@contextmanager
def _store(out: str | Path | None, design: dict[str, Any]) -> Iterator[Store | None]:
    if out is None:
        yield None
        return
    if not isinstance(out, str | Path) or not str(out).strip():
        raise SetupError(f"out={out!r}; expected the path of a folder.")
    with closing(Store(Path(out), design)) as store:
        yield store


def _design(wanted: Sequence[Wanted], frame: Frame) -> dict[str, Any]:
    every = list(dict.fromkeys(c for one in wanted for c in one.configurations))
    steps: dict[str, Any] = {
        name: marked
        for name in ("extend", "judge")
        if any(marked := [getattr(one, name) for one in wanted])
    }
    if frame.looks:
        steps["looks"] = list(frame.looks)
    if steps:
        steps["region"] = frame.region  # it decides what is trained
    return design_of(every, frame.seeds, frame.data, frame.split, steps)


def _train(wanted: Sequence[Wanted], frame: Frame, trainer: Trainer) -> list[Study]:
    seeds, first = frame.seeds, max(frame.seeds) + 1
    every = [c for one in wanted for c in one.configurations]
    for planned in frame.looks or (len(seeds),):
        seeds = (*seeds, *range(first, first + planned - len(seeds)))
        first = max(first, seeds[-1] + 1)
        trainer.train(every, seeds)
        studies = [_study(one, frame, seeds, trainer) for one in wanted]
        if not any(_open(found) for found in studies):
            break
    fresh = tuple(range(first, first + len(seeds)))
    return [
        _judged(one, _extended_study(one, found, trainer), fresh, trainer)
        for one, found in zip(wanted, studies, strict=True)
    ]


def _open(found: Study) -> bool:
    """Whether more seeds are likely to decide something."""
    return any(c.seeds_needed is not None for c in found.comparisons)


def _extended_study(one: Wanted, found: Study, trainer: Trainer) -> Study:
    if not one.extend:
        return found
    # What other studies of the same question trained at other rates belongs to the curves too.
    declared = {result.configuration for result in found.configurations}
    beside = {replace(configuration, lr=0.0) for configuration in declared}
    added = [
        configuration
        for configuration in trainer.known(found.seeds)
        if replace(configuration, lr=0.0) in beside and configuration not in declared
    ]
    for step in range(MOST_STEPS + 1):
        found = replace(found, extensions=_results(added, found.varied, found.seeds, trainer))
        beyond = list(steps_beyond(arms(found), found.region / 100))
        if not beyond or step == MOST_STEPS:
            break
        trainer.train(beyond, found.seeds)
        added += beyond
    return found


def _judged(one: Wanted, found: Study, fresh: tuple[int, ...], trainer: Trainer) -> Study:
    if not one.judge:
        return found
    chosen = [(arm, arm.best) for arm in arms(found)]
    trainer.train([best.configuration for _, best in chosen if best], fresh)
    names = tuple(dict.fromkeys((*found.varied, "lr")))
    judged = tuple(
        Judged(
            arm.label,
            best.configuration.lr,
            _results([best.configuration], names, fresh, trainer)[0],
        )
        for arm, best in chosen
        if best is not None
    )
    return replace(found, judged=judged, seconds=trainer.seconds)


def _results(
    configurations: Sequence[Configuration],
    names: Sequence[str],
    seeds: Sequence[int],
    trainer: Trainer,
) -> tuple[ConfigurationResult, ...]:
    return tuple(
        ConfigurationResult(
            configuration=configuration,
            label=configuration.text(names),
            parameters=mlp_of(configuration, trainer.data).parameters,
            runs=trainer.runs(configuration, seeds),
            flops=mlp_of(configuration, trainer.data).flops * len(trainer.data.train),
        )
        for configuration in configurations
    )


def _study(one: Wanted, frame: Frame, seeds: tuple[int, ...], trainer: Trainer) -> Study:
    data, configurations = frame.data, list(one.configurations)
    names = varying(configurations) or ("hidden",)
    splits = [trainer.split(seed) for seed in seeds]
    loss = configurations[0].loss
    baselines = [baseline_of(data, part.train, part.dev, loss) for part in splits]
    on = devices()
    return Study(
        data=data.name,
        sizes=(len(data.train), len(data.dev), len(data.test)),
        baseline_loss=float(np.mean([baseline.loss for baseline in baselines])),
        baseline_accuracy=float(np.mean([baseline.accuracy for baseline in baselines])),
        region=frame.region,
        split=frame.split,
        seeds=seeds,
        configurations=_results(configurations, names, seeds, trainer),
        seconds=trainer.seconds,
        environment={
            "jax": jax.__version__,
            "optax": optax.__version__,
            "numpy": np.__version__,
            "device": f"{len(on)} × {on[0].device_kind}",
        },
        looks=frame.looks,
        title=one.title,
        name=one.name,
    )
