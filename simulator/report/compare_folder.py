"""The folder of a comparison: its document, the scenarios as they were compared, the values of every pair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    with replacing(target, "folder of a comparison", DOCUMENT) as new:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        new.joinpath(DOCUMENT).write_text(text + "\n", encoding="utf-8")
        for number, (_, scenario) in enumerate(scenarios):
            file = new / file_name(scenario.name, ".yaml", f"{number}-")
            written = moved(scenario.document, written_in(scenario), target)
            file.write_text(to_yaml(written), encoding="utf-8")
    return target
