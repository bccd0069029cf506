"""Measures hostile texts: ``python benchmarks/bad_input.py [word]`` in the repository.

Each text (those whose label holds the word) is derived and printed in a process of its own; the
table has the outcome, the processor time and the memory that it added. Times are of the machine at
hand, with whatever else runs on it.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from backprove.calculus import derive
from backprove.errors import BackproveError
from oracles.hostile_texts import SHAPES, hostile_texts

SECONDS = 30
BYTES = 4 << 30
SHOWN = 40


def outcome(text: str, wrt: str) -> str:
    """``answer``, or the kind and the message of the refusal."""
    try:
        found = derive(text, wrt, SHAPES)
        return f"answer of {len(found.index_form):,} characters"
    except BackproveError as error:
        return f"{type(error).__name__}: {error.message}"
    except (RecursionError, MemoryError) as error:
        return f"CRASH {type(error).__name__}"


def measured(text: str, wrt: str) -> tuple[str, float, float]:
    """Outcome, seconds of processor time, and megabytes, of one text in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        found = outcome(text, wrt)
        spent = time.process_time() - start
        added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        os.write(writer, json.dumps([found[:200], spent, added]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        data = pipe.read()
    os.waitpid(child, 0)
    if not data:
        return "KILLED", float(SECONDS), 0.0
    found, spent, added = json.loads(data)
    return found, spent, added


def main() -> None:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    outcome("sum(softmax(w))", "w")  # what is loaded once is not counted
    rows = [(*measured(text, wrt), label) for label, text, wrt in hostile_texts() if word in label]
    if not rows:
        sys.exit(f"no label holds {word!r}")
    rows.sort(key=lambda row: -row[1])
    print(f"{'text':46}{'seconds':>8}{'MB':>6}  outcome (slowest {SHOWN} of {len(rows)})")
    for found, spent, added, label in rows[:SHOWN]:
        print(f"{label[:45]:46}{spent:8.2f}{added:6.0f}  {found[:70]}")
    times = [row[1] for row in rows]
    print(f"seconds: median {statistics.median(times):.3f}, worst {max(times):.2f}, ", end="")
    print(f"above 1: {sum(t > 1 for t in times)} of {len(times)}")
    print(f"megabytes added: worst {max(row[2] for row in rows):.0f}")
    print(f"crashed or killed: {sum(r[0].startswith(('CRASH', 'KILLED')) for r in rows)}")


if __name__ == "__main__":
    main()
