"""How long a new user waits, and how much disk it takes: the figures of the README.

    python tools/measure_setup.py [--tests]

Clones the committed state into a temporary folder, so that nothing of this checkout helps, and
calls the commands of the README there. Nothing is taken from a cache: packages are downloaded,
programs are compiled, answers are found anew.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent


def size_of(folder: Path) -> float:
    """What the files of a folder take, in megabytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def timed(label: str, words: list[str], folder: Path) -> None:
    """Run a command and print how long it took."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BACKPROVE_")}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    start = perf_counter()
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False)
    print(f"{label:<34}{perf_counter() - start:7.1f} s", flush=True)
    if done.returncode:
        sys.exit(done.stdout.decode()[-2000:] + done.stderr.decode()[-2000:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", action="store_true", help="time make test as well")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "backprove"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
        venv = folder / ".venv"
        timed("installation", ["make", str(venv.name) + "/ready-to-run"], folder)
        print(f"{'installed':<34}{size_of(venv):7.0f} MB")
        timed("make report, from nothing", ["make", "report"], folder)
        report = (folder / "report.html").stat().st_size / 1e6
        print(f"{'the report':<34}{report:7.1f} MB")
        timed("make report, nothing changed", ["make", "report"], folder)
        if chosen.tests:
            timed("make test", ["make", "test"], folder)


if __name__ == "__main__":
    main()
