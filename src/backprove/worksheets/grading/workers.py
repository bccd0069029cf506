"""Submissions marked in processes of their own, each within its time and its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from backprove.errors import BackproveError, SetupError
from backprove.worksheets.grading.grades import Grades, Mark, Marked
from backprove.worksheets.grading.key import Key, read_key
from backprove.worksheets.grading.marking import points
from backprove.worksheets.source import MAX_CHARACTERS, Source

CLAIM_SECONDS = 10.0
"""How long judging one claim may take."""
MEMORY_BYTES = 4 * 2**30
"""Address space of one process."""
_UNREAD = "reading this submission took too much time or memory"
_GRACE = 5.0  # for what does not listen to the alarm: one long call into a library

Told = Callable[[str, int, int], None]


def grade(
    key: str | os.PathLike[str],
    submissions: Sequence[str | os.PathLike[str]],
    *,
    jobs: int = 2,
    seconds: float = CLAIM_SECONDS,
    memory: int = MEMORY_BYTES,
    progress: Told | None = None,
) -> Grades:
    """Mark submissions against a key.

    Args:
        key: the worksheet with the questions and the right answers.
        submissions: worksheets, and folders of worksheets (``.md`` and ``.tex``).
        jobs: processes that mark at the same time.
        seconds: how long judging one claim may take; one that takes longer is not accepted.
        memory: bytes that one process may use.
        progress: called with the name of a finished submission, its number and how many there are.

    Returns:
        The grades, in the order of the submissions. A submission that cannot be read is no
        failure of the others: it has its reason.

    Raises:
        WorksheetError: the key cannot be read, or its own answers are not right.
        SetupError: there is no submission, or an option is out of range.
    """
    if jobs < 1 or seconds <= 0:
        raise SetupError(f"jobs={jobs}, seconds={seconds}; expected at least one job and a time.")
    read = read_key(Source.read(Path(key)))
    paths = _paths(submissions)
    marked: list[Marked | None] = [None] * len(paths)
    todo: Queue[int] = Queue()
    for number in range(len(paths)):
        todo.put(number)
    order = {
        "key": read.source.text,
        "file": read.source.file,
        "seconds": seconds,
        "memory": memory,
    }
    failures: list[BaseException] = []
    lock = threading.Lock()

    def work() -> None:
        worker = _Worker(order, seconds)
        try:
            while not failures:
                number = todo.get_nowait()
                marked[number] = _mark(worker, read, paths[number])
                with lock:
                    if progress:
                        done = sum(m is not None for m in marked)
                        progress(paths[number].name, done, len(paths))
        except Empty:
            return
        except BaseException as error:
            failures.append(error)
        finally:
            worker.end()

    threads = [threading.Thread(target=work) for _ in range(min(jobs, len(paths)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Grades(read.title, [each for each in marked if each is not None])


def _paths(submissions: Sequence[str | os.PathLike[str]]) -> list[Path]:
    found: list[Path] = []
    for each in map(Path, submissions):
        if each.is_dir():
            found += sorted(p for p in each.iterdir() if p.suffix.lower() in (".md", ".tex"))
        else:
            found.append(each)
    if not found:
        raise SetupError("there is no submission", hint="Name worksheets, or a folder of them.")
    return found


def _mark(worker: _Worker, key: Key, path: Path) -> Marked:
    """One submission; what makes its process fail costs only the claim at which that happened."""
    possible = {question.name: question.points for question in key.questions}
    try:
        text = _text(path)
    except BackproveError as error:
        return Marked(path.name, dict.fromkeys(possible, 0.0), possible, [], error.render())
    marks: list[Mark] = []
    trouble: str | None = None
    while trouble is None:
        trouble = worker.ask({"text": text, "name": path.name, "skip": len(marks)}, marks)
        if trouble is None:
            marks.append(_given_up(marks, len(marks)))
    return Marked(path.name, points(key, marks), possible, marks, trouble)


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for without an end
            raise SetupError(f"'{path.name}' is no regular file")
        if path.stat().st_size > 4 * MAX_CHARACTERS:
            raise SetupError(f"'{path.name}' is larger than a worksheet can be")
    except OSError as error:
        raise SetupError(f"'{path.name}' cannot be read: {error.strerror}") from None
    return Source.read(path).text


def _given_up(marks: Sequence[Mark], number: int) -> Mark:
    question = marks[-1].question if marks else ""
    message = "Judging this claim took too much time or memory."
    return Mark(question, 0, f"claim {number + 1}", False, "unread", "", message)


class _Worker:
    """A process that marks, started when it is first needed and again after it was ended."""

    def __init__(self, order: dict[str, Any], seconds: float) -> None:
        self._order, self._seconds = order, seconds
        self._process: subprocess.Popen[str] | None = None
        self._lines: Queue[str] = Queue()

    def ask(self, submission: dict[str, Any], marks: list[Mark]) -> str | None:
        """Mark a submission; new marks are appended as they come.

        Returns:
            What was wrong with the submission as a whole, empty if nothing, such as that it could
            not be read in time; None if the process had to be ended at some claim.
        """
        try:
            self._send(submission)
        except OSError:  # it ended after the submission before, which is no fault of this one
            self.end()
            self._send(submission)
        read = False
        while True:
            message = self._next()
            if message is None:
                self.end()
                return None if read else _UNREAD
            read = read or "read" in message
            if "mark" in message:
                fields = message["mark"]
                marks.append(Mark(**fields | {"fills": tuple(fields["fills"])}))
            elif "done" in message:
                return message["trouble"]

    def _send(self, submission: dict[str, Any]) -> None:
        process = self._process or self._start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(submission) + "\n")
        process.stdin.flush()

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "backprove.worksheets.grading.worker"]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._process, self._lines = process, Queue()
        threading.Thread(target=_listen, args=(process, self._lines), daemon=True).start()
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._order) + "\n")
        process.stdin.flush()
        if self._next(60.0) is None:
            raise SetupError("the process that marks submissions does not start")
        return process

    def _next(self, more: float = 0.0) -> dict[str, Any] | None:
        """The next message; None if the process ended or says nothing for too long."""
        try:
            line = self._lines.get(timeout=self._seconds + _GRACE + more)
        except Empty:
            return None
        return json.loads(line) if line else None


def _listen(process: subprocess.Popen[str], lines: Queue[str]) -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.put(line)
    except ValueError:
        pass  # the pipe was closed because the process was ended
    lines.put("")
