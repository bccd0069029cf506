"""Several studies of one data set that share their runs, and the questions that they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from backprove.checking import Verdict
from backprove.results import Block, Heading, Result, Text
from backprove.studies import compared, judging, tables
from backprove.studies.claims import Claim, read_claim, read_comparison
from backprove.studies.comparisons import Comparison
from backprove.studies.grids import varying
from backprove.studies.result import ConfigurationResult, Study


@dataclass(frozen=True)
class Answer:
    """What the numbers say about a question.

    Args:
        question: one that people ask of such curves.
        sentences: what is supported, what is not, and what is not decided.
    """

    question: str
    sentences: tuple[str, ...]


@dataclass(eq=False)
class Series(Result):
    """Studies that were trained together.

    Args:
        preset: its name.
        studies: each with a title.
        answers: to the questions of the preset.
    """

    preset: str
    studies: tuple[Study, ...]
    answers: tuple[Answer, ...]

    @property
    def data(self) -> str:
        """Name of the data set."""
        return self.studies[0].data

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, the same for every configuration."""
        return self.studies[0].seeds

    @property
    def seconds(self) -> float:
        """Wall-clock time of training, compilation included."""
        return max(study.seconds for study in self.studies)

    @cached_property
    def configurations(self) -> tuple[ConfigurationResult, ...]:
        """Every configuration once, labelled by all that varies, added learning rates included."""
        every = {
            result.configuration: result
            for study in self.studies
            for result in (*study.configurations, *study.extensions)
        }
        names = varying(list(every)) or ("hidden",)
        return tuple(
            replace(result, label=configuration.text(names))
            for configuration, result in every.items()
        )

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The comparisons of all studies; a family is named with its study."""
        return [
            replace(comparison, family=f"{study.title}: {comparison.family}")
            for study in self.studies
            for comparison in study.comparisons
        ]

    @property
    def conclusions(self) -> list[str]:
        """The answers, then what each study supports by itself."""
        return [
            *(f"{answer.question} {text}" for answer in self.answers for text in answer.sentences),
            *(f"{study.title}: {text}" for study in self.studies for text in study.conclusions),
        ]

    def check(self, claim: str) -> Verdict:
        """The verdict on a claim that begins with the name of one of the studies.

        Args:
            claim: such as ``[crossed] hidden 512x3 better than none at lr=0.01``.

        Raises:
            InputError: it is not understood, or names no study or what the study has not.
        """
        read = read_claim(claim)
        return judging.judge(self._named(read), read)

    def compare(self, pair: str) -> compared.Compared:
        """Two levels compared in full, such as ``[rates] hidden none with 512x3 on test``.

        Raises:
            InputError: it is not understood, or names no study or what the study has not.
        """
        read = read_comparison(pair)
        return compared.compared(self._named(read), read)

    def _named(self, claim: Claim) -> Study:
        found = {study.name: study for study in self.studies}
        if claim.study in found:
            return found[claim.study]
        close = get_close_matches(claim.study, list(found), n=1)
        meant = f"Is '[{close[0]}]' meant? " if close else ""
        raise claim.error(
            f"there is no study '{claim.study}'"
            if claim.study
            else "which of the studies is meant is not said",
            claim.study_span or claim.factor_span,
            f"{meant}Begin with one of "
            + "; ".join(f"[{study.name}] ({study.title})" for study in self.studies)
            + ".",
        )

    @cached_property
    def runs(self) -> tables.Table:
        """One row a run, each run once."""
        return tables.runs_table(self._every())

    @cached_property
    def epochs(self) -> tables.Table:
        """One row a run and epoch; epoch 0 is before training."""
        return tables.epochs_table(self._every())

    @cached_property
    def layers(self) -> tables.Table:
        """One row a run, epoch and layer: gradients and activations."""
        return tables.layers_table(self._every())

    def export(self, folder: str | Path) -> list[Path]:
        """Write the tables as CSV, and as Parquet where pyarrow is installed."""
        named = {"runs": self.runs, "epochs": self.epochs, "layers": self.layers}
        return tables.export_tables(named, folder)

    def _every(self) -> list[ConfigurationResult]:
        judged = [judged.result for study in self.studies for judged in study.judged]
        return [*self.configurations, *judged]

    def summary_blocks(self) -> list[Block]:
        """The answers, without tables and figures."""
        return self.blocks()[:2] + list(self._answers())

    def blocks(self) -> list[Block]:
        seeds = f"{len(self.seeds)} {'seed' if len(self.seeds) == 1 else 'seeds'}"
        runs = len(self.configurations) * len(self.seeds)
        return [
            Heading(f"Preset {self.preset} on {self.data}: {len(self.studies)} studies, {seeds}"),
            Text(
                f"{len(self.configurations)} configurations, {runs} runs and those from fresh "
                f"seeds took {self.seconds:.0f} seconds."
            ),
            *self._answers(),
            *(block for study in self.studies for block in study.blocks()),
        ]

    def _answers(self) -> Iterator[Block]:
        for answer in self.answers:
            yield Heading(answer.question)
            yield from map(Text, answer.sentences)

    def to_dict(self) -> dict[str, Any]:
        first = self.studies[0].to_dict()
        shared = ("data", "examples", "baseline", "region", "split", "environment")
        return {
            "kind": "study",
            "preset": self.preset,
            **{name: first[name] for name in shared},
            "seeds": list(self.seeds),
            "configurations": [result.to_dict() for result in self.configurations],
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
            "conclusions": self.conclusions,
            "answers": [
                {"question": answer.question, "sentences": list(answer.sentences)}
                for answer in self.answers
            ],
            "studies": [_reference(study) for study in self.studies],
            "seconds": self.seconds,
        }


def _reference(study: Study) -> dict[str, Any]:
    """A study whose runs stand in the list of configurations already."""
    data = study.to_dict()
    for name in ("configurations", "extensions"):
        data[name] = [_factors(entry) for entry in data[name]]
    return data


def _factors(entry: dict[str, Any]) -> dict[str, Any]:
    parts: Sequence[str] = ("runs", "train", "dev", "test")
    return {name: value for name, value in entry.items() if name not in parts}
