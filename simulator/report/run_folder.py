"""The folder of a run, with all that it leaves behind: tables, summary, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.report.page import FILE
from simulator.results.folder import folder_of, save
from simulator.results.run import RunResult


def keep(result: RunResult, summary: dict[str, Any], parent: Path) -> Path:
    """Writes parent/<scenario>-<hash>; a partial run never takes the place of a whole one."""
    from simulator.report.run.html import html
    from simulator.report.run.source import of_run

    folder = folder_of(result, parent)
    target = folder if result.complete else folder.with_name(f"{folder.name}-partial")
    return save(result, summary, target, {FILE: html(of_run(result, summary))})
