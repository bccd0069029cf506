"""Claims about a study, and the folder in which it is kept while it trains."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from shlex import quote
from typing import Any

import backprove
from backprove.worksheets.session import Reproduction, Session, Subject, Verdict
from backprove.worksheets.source import Piece

MAX_BYTES = 4 * 2**30
"""Above this the folders of studies that were used longest ago are deleted."""

_TRAINING = ("functions", "networks", "datasets", "training", "studies")
_LIBRARIES = ("jax", "jaxlib", "optax", "numpy", "scikit-learn")


class StudySubject(Subject):
    """Claims about a study.

    The study is trained when it is first needed: a claim whose verdict was kept asks for nothing.

    Args:
        settings: those of the study.
        find: gives the study.
    """

    def __init__(self, settings: Mapping[str, Any], find: Callable[[], Any]) -> None:
        self.settings = dict(settings)
        self._find = find
        self._study: Any = None

    @property
    def study(self) -> Any:
        """The study, trained now if it was not."""
        if self._study is None:
            self._study = self._find()
        return self._study

    def check(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Verdict:
        for name, piece in options.items():
            raise piece.error(f"'{name}' does not apply to a claim about a study")
        with session.locating(claim):
            return self.study.check(claim.text)

    def key(self, claim: Piece, session: Session, options: dict[str, Piece]) -> Any:
        return None if options else ["study claim", self.settings, claim.text]

    def reproduction(
        self, claim: Piece, session: Session, options: dict[str, Piece]
    ) -> Reproduction:
        asked = reproduction_of(self.settings)
        return Reproduction(asked.command, f"{asked.python}.check({claim.text!r})")


def reproduction_of(settings: Mapping[str, Any]) -> Reproduction:
    """How to train a study without a worksheet.

    >>> print(reproduction_of({"hidden": "none,8", "seeds": [3, 4]}).command)
    backprove study hidden=none,8 seeds=3,4
    """
    words = []
    for name, value in settings.items():
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        words.append(quote(f"{name}={text}"))
    named = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return Reproduction(" ".join(["backprove study", *words]), f"bp.study({named})")


def study_folder(root: Path | None, settings: Mapping[str, Any]) -> Path | None:
    """The folder of a study with these settings, named by them and by all that trains it.

    Args:
        root: the folder of all studies; None if nothing is to be kept.
        settings: those of the study.

    Returns:
        The folder; None if there is no place that can be written.
    """
    if root is None:
        return None
    said = json.dumps([_training_digest(), settings], sort_keys=True, default=str)
    folder = root / hashlib.sha256(said.encode()).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.touch()
        _prune(root, folder)
    except OSError:
        return None
    return folder


@cache
def _training_digest() -> str:
    """A digest of the sources and libraries that decide the numbers of a study."""
    digest = hashlib.sha256()
    root = Path(backprove.__file__).parent
    for package in _TRAINING:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {version(library)}\n".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def _prune(root: Path, needed: Path, largest: int = MAX_BYTES) -> None:
    folders = [path for path in root.iterdir() if path.is_dir() and path != needed]
    folders.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for folder in folders:
        total += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if total > largest:
            shutil.rmtree(folder, ignore_errors=True)
