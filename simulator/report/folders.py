"""The page of a folder, whatever kind it is of."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from simulator.errors import InputError, Problem
from simulator.report.compare_folder import DOCUMENT
from simulator.report.page import FILE
from simulator.results.folder import within


def write(folder: Path) -> Path:
    """Writes the page into the folder, whole or not at all. Raises InputError if it is no folder of ours."""
    text = page(folder)
    with tempfile.TemporaryDirectory(prefix=f".{FILE}.", dir=folder) as temporary:
        new = Path(temporary, FILE)
        new.write_text(text, encoding="utf-8")
        os.replace(new, folder / FILE)
    return folder / FILE


def page(folder: Path) -> str:
    """The page of a run or of a comparison."""
    if folder.joinpath(DOCUMENT).is_file():
        from simulator.report.compare_folder import read
        from simulator.report.comparison.html import html as comparison

        return comparison(read(folder))
    if not folder.joinpath("summary.json").is_file():
        what = "is neither the folder of a run nor of a comparison"
        hint = within(folder, "summary.json", DOCUMENT)
        raise InputError(Problem(str(folder), what, "a folder that `sim run` or `sim compare` wrote", hint))
    from simulator.report.run.html import html
    from simulator.report.run.source import of_folder

    return html(of_folder(folder))
