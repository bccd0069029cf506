"""The directive ``console``: shell commands that are run when a page is built, with their output.

A line that begins with ``$`` is a command; it runs in a copy of ``docs/examples``, which all
commands of one page share. ``:status:`` is the exit status that the last one must have, 0 without
it; another one is a warning. ``:lines:`` says how many lines of output are shown.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

EXAMPLES = Path(__file__).parents[1] / "examples"
SECONDS = 100

# What a terminal overwrites as the work goes on.
_PROGRESS = re.compile(r"\[\d+/\d+\] ")

_log = logging.getLogger(__name__)


class Console(SphinxDirective):
    """Runs commands and shows them with what they print."""

    has_content = True
    option_spec = {  # noqa: RUF012 (docutils reads it as a class attribute)
        "status": directives.nonnegative_int,
        "lines": directives.positive_int,
    }

    def run(self) -> list[nodes.Node]:
        """The commands and their output as one block."""
        folder = self.env.temp_data.get("console_folder")
        if folder is None:
            folder = self.env.temp_data["console_folder"] = tempfile.TemporaryDirectory()
            shutil.copytree(EXAMPLES, folder.name, dirs_exist_ok=True)
        shown: list[str] = []
        commands = [line[1:].strip() for line in self.content if line.startswith("$")]
        for number, command in enumerate(commands, 1):
            output, status = run_command(command, Path(folder.name))
            wanted = self.options.get("status", 0) if number == len(commands) else 0
            if status != wanted:
                _log.warning(
                    "'%s' ended with %d, expected %d:\n%s", command, status, wanted, output,
                    location=self.get_location(),
                )  # fmt: skip
            lines = output.rstrip().splitlines()
            most = self.options.get("lines", len(lines))
            shown += [f"$ {command}", *lines[:most], *["..."] * (len(lines) > most)]
        text = "\n".join(shown)
        return [nodes.literal_block(text, text, language="console")]


def run_command(command: str, folder: Path) -> tuple[str, int]:
    """What a command prints on a terminal of 80 columns, and its exit status."""
    binaries = Path(sys.executable).parent
    environment = os.environ | {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PYTHONWARNINGS": "ignore",
        "XDG_CACHE_HOME": str(folder / ".cache"),
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=environment, text=True, timeout=SECONDS, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    shown = [line for line in done.stdout.splitlines() if not _PROGRESS.match(line)]
    return "\n".join(shown).replace(str(folder), "."), done.returncode


def setup(app: Sphinx) -> dict[str, Any]:
    """Enter the directive into Sphinx."""
    app.add_directive("console", Console)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
