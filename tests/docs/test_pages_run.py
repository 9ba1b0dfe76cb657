"""Tutorials and how-to pages say what their code prints; `make outputs` writes the outputs again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "site"))

import cells  # noqa: E402  # lies beside the pages

QUICK = {"tutorials/python.md", "how-to/import-trace.md", "how-to/own-requests.md"}


def _pages(quick: bool) -> list[Any]:
    names = {path.relative_to(cells.DOCS).as_posix(): path for path in cells.pages()}
    return [pytest.param(path, id=name) for name, path in names.items() if not quick or name in QUICK]


@pytest.mark.slow
@pytest.mark.parametrize("path", _pages(quick=False))
def test_the_outputs_are_true(path: Path) -> None:
    assert cells.fresh(path).splitlines() == path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("path", _pages(quick=True))
def test_the_code_runs_and_its_claims_hold(path: Path) -> None:
    assert cells.fresh(path)


def test_pages_are_found_and_none_is_without_code() -> None:
    assert len(cells.pages()) >= 12
    for path in cells.pages():
        assert [cell for cell in cells.cells(path.read_text(encoding="utf-8")) if cell.shown], path


def test_blocks_are_told_apart() -> None:
    page = "```python\n1 + 1\n```\n\n<!-- output -->\n```text\nold\n```\n\n<!-- check\nassert True\n-->\n"
    page += '```yaml title="a.yaml"\nname: a\n```\n```bash\nrm -rf /\n```\n'
    found = cells.cells(page)
    assert [(cell.kind, cell.title) for cell in found] == [("python", ""), ("check", ""), ("yaml", "a.yaml")]
    begin, end = found[0].shown or (0, 0)
    assert page[begin:end] == "old\n"


def test_a_page_that_lies_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\n1 + 1\n```\n<!-- output -->\n```text\n3\n```\n")
    assert "\n2\n" in cells.fresh(page)
    page.write_text("<!-- check\nassert 1 == 2\n-->\n")
    with pytest.raises(AssertionError, match=r"page\.md:1"):
        cells.fresh(page)
    page.write_text("```sh\nrm -rf here\n```\n")
    with pytest.raises(AssertionError, match="only commands of sim"):
        cells.fresh(page)
