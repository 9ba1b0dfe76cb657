"""Chromium for the tests of pages: the operating system's own, driven by Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRAWN = "html[data-charts=drawn]"
PATIENCE_MS = 60_000  # of a machine with much else to do


def lacking() -> str:
    """Why no browser can be driven here; empty if one can."""
    if find_spec("playwright") is None:
        return "Playwright is not installed: pip install -e '.[dev]'"
    if not any(map(shutil.which, NAMES)):
        return "no Chromium on the PATH (Debian and Ubuntu: apt install chromium)"
    return ""


needed = pytest.mark.skipif(bool(lacking()), reason=lacking())


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, as Playwright's object. --no-sandbox: tests may run as root, and load our pages only."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page when its charts are drawn. complaints: what the console said at warning or worse; fetched: every
    address that it asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)


@contextmanager
def opened(browser: Any, file: Path, width: int = 1100, **how: Any) -> Iterator[Opened]:
    """how: further options of a browser context, such as color_scheme."""
    context = browser.new_context(viewport={"width": width, "height": 800}, **how)
    found = Opened(context.new_page())
    found.page.on("console", lambda said: _note(found, said))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("request", lambda request: found.fetched.append(request.url))
    found.page.goto(file.as_uri())
    found.page.wait_for_selector(DRAWN, state="attached", timeout=PATIENCE_MS)
    yield found
    context.close()


def _note(found: Opened, said: Any) -> None:
    if said.type in ("warning", "error"):
        found.complaints.append(said.text)
