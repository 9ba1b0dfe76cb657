"""The folder of a comparison: its document, the scenarios as they were compared, the values of every pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simulator.errors import InputError, Problem
from simulator.report.page import FILE
from simulator.results.atomic import replacing
from simulator.results.folder import file_name, moved, to_yaml, written_in
from simulator.scenario.resolved import Resolved

DOCUMENT = "comparison.json"


def save(document: dict[str, Any], scenarios: Sequence[tuple[str, Resolved]], parent: Path) -> Path:
    """Writes parent/compare-<first>-<hash>, whole or not at all; an interrupted one as …-partial.

    Raises InputError if something else of that name is there.
    """
    partial = "" if document["complete"] else "-partial"
    ending = f"-{document['hash'][:8]}{partial}"
    target = parent / file_name(scenarios[0][1].name, ending, "compare-")
    from simulator.report.comparison.html import html

    with replacing(target, "folder of a comparison", DOCUMENT) as new:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        new.joinpath(DOCUMENT).write_text(text + "\n", encoding="utf-8")
        new.joinpath(FILE).write_text(html(document), encoding="utf-8")
        for number, (_, scenario) in enumerate(scenarios):
            file = new / file_name(scenario.name, ".yaml", f"{number}-")
            written = moved(scenario.document, written_in(scenario), target)
            file.write_text(to_yaml(written), encoding="utf-8")
    return target


def read(folder: Path) -> dict[str, Any]:
    """A comparison's document. Raises InputError if its schema is another."""
    from simulator.study.compared import SCHEMA

    document: dict[str, Any] = json.loads(folder.joinpath(DOCUMENT).read_text(encoding="utf-8"))
    if document.get("schema") != SCHEMA or "distributions" not in document["designs"][0]:
        what = f"was written by another sim (schema {document.get('schema')})"
        raise InputError(Problem(str(folder), what, f"schema {SCHEMA}: compare again"))
    return document
