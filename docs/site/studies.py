"""The studies under reports/studies: `python docs/site/studies.py [STUDY…]` makes them again.

A study is a folder: README.md with its question, its one command and what was found; scenarios that only it
needs; and comparison.json and report.html of the folder that the command leaves.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import cells

STUDIES = cells.ROOT / "reports" / "studies"
KEPT = ("comparison.json", "report.html")


def studies() -> list[Path]:
    """Their folders."""
    return sorted(page.parent for page in STUDIES.glob("*/README.md"))


def make(study: Path, into: Path) -> str:
    """Runs the study's command, and puts what is kept of its result into a folder that exists.

    Returns README.md with the output as it is now. Raises AssertionError where the command fails.
    """
    with cells.workplace():
        here = Path("reports/studies")
        here.parent.mkdir()
        here.symlink_to(STUDIES)
        page = cells.filled(study / "README.md")
        [result] = Path("reports").glob("compare-*")
        for name in KEPT:
            shutil.copyfile(result / name, into / name)
    return page


def main(names: list[str]) -> None:
    sys.path.insert(0, str(cells.ROOT))
    for study in [STUDIES / name for name in names] or studies():
        study.joinpath("README.md").write_text(make(study, study), encoding="utf-8")
        print(f"made: {study.relative_to(cells.ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
