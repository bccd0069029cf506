"""What every test in a browser needs: the program, its options, and a tab of its own per test."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

PATH = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def open_tab(context: Any, path: Path) -> Any:
    """A new tab with the file ``path``; ``tab.trouble`` collects what a reader must not meet.

    That is errors of scripts, words in the console, dialogs, and requests for anything but the
    file itself. ``tab.requests`` lists every address that was asked for.
    """
    tab = context.new_page()
    tab.trouble, tab.requests, tab.crashed = [], [], False
    tab.on("crash", lambda tab: setattr(tab, "crashed", True))
    tab.on("pageerror", lambda error: tab.trouble.append(f"script: {error}"))
    tab.on("console", lambda said: tab.trouble.append(f"console: {said.text}"))
    tab.on("dialog", lambda dialog: (tab.trouble.append("an attack ran"), dialog.dismiss()))
    tab.on("requestfailed", lambda request: tab.trouble.append(f"failed: {request.url}"))
    tab.on("request", lambda request: tab.requests.append(request.url))
    tab.goto(path.as_uri())
    tab.trouble += [f"asked: {url}" for url in tab.requests if url != path.as_uri()]
    return tab


def kept_tab(context: Any, path: Path) -> Any:
    """The tab that has ``path`` open already, or a new one where there is none or it crashed."""
    open_here = (tab for tab in context.pages if tab.url == path.as_uri() and not tab.crashed)
    return next(open_here, None) or open_tab(context, path)
