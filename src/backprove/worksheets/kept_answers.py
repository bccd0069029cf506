"""Answers that were given before, kept on disk by what they depend on.

The key of an answer is a digest of the question, of what was declared for it, and of the package
itself, so a changed statement or a changed library asks anew. Blocks are written as JSON; nothing
that is read back is executed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs

import backprove
from backprove import results
from backprove.worksheets.statement import Answer

MAX_BYTES = 256 * 2**20
"""Above this the oldest answers are deleted."""

_BLOCKS: dict[str, type] = {
    name: kind
    for name, kind in vars(results).items()
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind is not results.Result
}


@cache
def package_digest() -> str:
    """A digest of all source files of the package and of the versions of what computes."""
    digest = hashlib.sha256()
    root = Path(backprove.__file__).parent
    for path in sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class KeptAnswers:
    """A folder of answers.

    Args:
        folder: where they lie; the user's cache folder by default.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = KeptAnswers(Path(folder))
    ...     kept.put(["derive", "x"], Answer([results.Text("1")], {"n": 1}))
    ...     kept.get(["derive", "x"]), kept.get(["derive", "y"])
    (Answer(blocks=[Text(text='1')], data={'n': 1}, verdict=None), None)
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(platformdirs.user_cache_dir("backprove")) / "answers"

    def get(self, key: Any) -> Answer | None:
        """The answer that was kept for a key; None if there is none that can be read."""
        path = self._path(key)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            answer = Answer(_block(found["blocks"]), _block(found["data"]), found["verdict"])
            os.utime(path)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return answer

    def put(self, key: Any, answer: Answer) -> None:
        """Keep an answer; a folder that cannot be written is no reason to fail."""
        path = self._path(key)
        text = json.dumps(
            {
                "blocks": [_data(block) for block in answer.blocks],
                "data": _data(answer.data),
                "verdict": answer.verdict,
            }
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
        except OSError:
            return

    def text(self, asked: str, make: Callable[[], str]) -> str:
        """A text that was made before for what is asked, such as a picture; else made and kept.

        >>> with tempfile.TemporaryDirectory() as folder:
        ...     kept = KeptAnswers(Path(folder))
        ...     kept.text("a", lambda: "first"), kept.text("a", lambda: "second")
        ('first', 'first')
        """
        key = ["text", asked]
        answer = self.get(key)
        if answer is None or not isinstance(answer.data.get("text"), str):
            answer = Answer([], {"text": make()})
            self.put(key, answer)
        return answer.data["text"]

    def prune(self, largest: int = MAX_BYTES) -> None:
        """Delete the answers that were used longest ago, until the folder is small enough."""
        found = []
        for path in self.folder.glob("*/*.json"):
            try:
                state = path.stat()
            except OSError:
                continue
            found.append((state.st_mtime, state.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= largest:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: Any) -> Path:
        said = json.dumps([package_digest(), key], sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(said.encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:]}.json"


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _data(value: Any) -> Any:
    """Blocks and what they hold as JSON."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _data(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"$block": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(key): _data(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_data(entry) for entry in value]
    if tolist := getattr(value, "tolist", None):
        return _data(tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a kept answer holds blocks and data, not {type(value).__name__}")


def _block(value: Any) -> Any:
    """What :func:`_data` wrote, as blocks again."""
    if isinstance(value, list):
        return [_block(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$float"}:
        return float(value["$float"])
    if "$block" not in value:
        return {key: _block(entry) for key, entry in value.items()}
    kind = _BLOCKS[value["$block"]]
    return kind(**{key: _block(entry) for key, entry in value.items() if key != "$block"})
