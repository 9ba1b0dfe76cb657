"""The folder of a run, with all that it leaves behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from simulator.results.folder import folder_of, save
from simulator.results.run import RunResult


def keep(result: RunResult, summary: dict[str, Any], parent: Path) -> Path:
    """Writes parent/<scenario>-<hash>; a partial run never takes the place of a whole one."""
    folder = folder_of(result, parent)
    return save(result, summary, folder if result.complete else folder.with_name(f"{folder.name}-partial"))
