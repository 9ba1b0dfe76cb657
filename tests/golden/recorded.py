"""Where the recorded schedules of the real engine are, if they are here at all."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[3] / "shared" / "engine" / "golden"
ABSENT = "the recorded schedules of the real engine are not here"


def recorded_cases() -> list[Path]:
    """Every recorded case, in order of name; none when the folder is absent."""
    return sorted(path for path in FOLDER.glob("*.json*") if path.name != "index.json")
