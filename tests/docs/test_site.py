"""The site of the documentation: it builds strictly, links lead somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulator import catalog, plugins
from simulator.cli import VERBS

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(importlib.util.find_spec(name) for name in ("mkdocs", "material", "mkdocstrings")),
        reason="mkdocs is not installed: pip install .[docs]",
    ),
]
LOADED = re.compile(r'<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)="([^"]+)"')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(target)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, env=quiet)
    assert not done.returncode, done.stderr
    return target


def test_every_page_is_there(site: Path) -> None:
    for page in ("index", "quick-start", "tutorials/python", "reference/keys", "reference/python", "limits"):
        assert site.joinpath(f"{page}.html").is_file(), page


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = LOADED.findall(page.read_text(encoding="utf-8"))
        assert not [link for link in loaded if "://" in link or link.startswith("//")], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_links_lead_somewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for link in re.findall(r'href="([^"#?]+)', text):
            if "://" not in link and not link.startswith(("mailto:", "/", "data:")):
                assert page.parent.joinpath(link).exists(), (page.name, link)


def test_the_reference_is_whole(site: Path) -> None:
    verbs = site.joinpath("reference/cli.html").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"sim {verb}" not in verbs] == []
    for kind in ("accelerators", "models", "links", "connectors", "presets", "workloads"):
        page = site.joinpath(f"reference/{kind}.html").read_text(encoding="utf-8")
        assert [name for name in catalog.names(kind) if name not in page] == []
    page = site.joinpath("reference/plugins.html").read_text(encoding="utf-8")
    assert [
        name
        for kind in ("routers", "policies", "formats")
        for name in plugins.names(kind)
        if name not in page
    ] == []
    python = site.joinpath("reference/python.html").read_text(encoding="utf-8")
    assert all(name in python for name in ("with_set", "from_columns", "_repr_html_") if name[0] != "_")


def test_marks_and_checks_are_not_in_the_pages(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert "<!-- check" not in page.read_text(encoding="utf-8"), page
