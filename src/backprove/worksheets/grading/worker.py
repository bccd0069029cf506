"""A process that marks submissions: one line of JSON in for each, one out for each claim.

It is started by :mod:`backprove.worksheets.grading.workers`, which ends it if it takes too long.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from backprove.errors import BackproveError
from backprove.worksheets.grading.grades import Mark
from backprove.worksheets.grading.key import read_key
from backprove.worksheets.grading.marking import mark_submission
from backprove.worksheets.source import Source


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this process if what is inside takes longer."""

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> None:
    """Mark what comes in on standard input."""
    # What a library prints must not get between the lines of JSON.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    order = json.loads(sys.stdin.readline())
    _bound_memory(order["memory"])
    key = read_key(Source(order["key"], order["file"]), verify=False)
    say(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)

        def told(mark: Mark) -> None:
            say(mark=asdict(mark))

        try:
            source = Source.of(asked["text"], asked["name"])
            marked = mark_submission(
                key,
                source,
                asked["name"],
                limit=lambda: time_limit(order["seconds"]),
                told=told,
                read=lambda: say(read=True),
                skip=asked["skip"],
            )
            say(done=True, trouble=marked.trouble)
        except BackproveError as error:
            say(done=True, trouble=error.render())
        except (MemoryError, RecursionError) as error:
            say(done=True, trouble=f"a claim needs too much memory ({type(error).__name__})")


def _bound_memory(size: int) -> None:
    """Bound the memory of this process, where the system can."""
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ValueError, OSError):
        return


if __name__ == "__main__":
    main()
