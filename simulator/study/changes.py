"""What changes from one design to another, metric by metric and part by part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from simulator.results import confidence as ci
from simulator.results.decomposition import Decomposition
from simulator.results.intervals import INTERVALS, Studied
from simulator.results.metrics import DISTRIBUTIONS, SCALARS, Evaluated
from simulator.results.pairs import Change, paired, sectioned, unpaired

Value = Callable[[Evaluated], float]


@dataclass(frozen=True, slots=True)
class Level:
    """Of the intervals of one comparison. different: the workloads differ, so nothing is paired."""

    confidence: float
    different: bool = False


def changes(base: Studied, other: Studied, level: Level, refused: str) -> dict[str, Any]:
    """Every metric's change; of a distribution by statistic. None where it cannot be told; refused: why those
    that contain queueing are not.
    """
    found: dict[str, Any] = {}
    for metric in DISTRIBUTIONS:
        if metric.queued and refused:
            found[metric.name] = {"refused": refused, **dict.fromkeys(INTERVALS)}
            continue
        found[metric.name] = {
            key: _document(_statistic(base, other, metric.name, key, metric.better, level))
            for key in INTERVALS
        }
    for scalar in SCALARS:
        if scalar.queued and refused:
            found[scalar.name] = {"refused": refused}
            continue
        value = _scalar(scalar.name)
        change = _change(base, other, value, scalar.better, level, ci.MOST_SECTIONS if scalar.steady else 0)
        found[scalar.name] = _document(change)
    return found


def _statistic(
    base: Studied, other: Studied, name: str, key: str, better: str, level: Level
) -> Change | None:
    p = float(key[1:]) / 100 if key.startswith("p") else None
    samples = min(int(_entry(whole, name, "n")) for whole in (base.wholes[0], other.wholes[0]))
    return _change(
        base, other, lambda table: _entry(table, name, key), better, level, ci.sections_for(samples, p)
    )


def _change(
    base: Studied, other: Studied, value: Value, better: str, level: Level, sections: int
) -> Change | None:
    """sections: into how many a single run may be cut, 0 for none."""
    a, b = ([value(whole) for whole in studied.wholes] for studied in (base, other))
    if len(a) > 1:
        return unpaired(a, b, level.confidence) if level.different else paired(a, b, better, level.confidence)
    for count in _counts(sections):
        first, second = ([value(part) for part in studied.sections[count]] for studied in (base, other))
        if level.different:
            return unpaired(first, second, level.confidence)
        if len(first) != len(second) or not first:
            return None
        between = [y - x for x, y in zip(first, second, strict=True)]
        if count == ci.FEWEST_SECTIONS or not ci.correlated(between, level.confidence):
            return sectioned((a[0], b[0]), first, second, better, level.confidence)
    return None


def _counts(sections: int) -> tuple[int, ...]:
    """Sections to try: many, then few where neighbours hang together."""
    return {0: (), ci.FEWEST_SECTIONS: (ci.FEWEST_SECTIONS,)}.get(
        sections, (ci.MOST_SECTIONS, ci.FEWEST_SECTIONS)
    )


def part_changes(
    base: Sequence[Decomposition], other: Sequence[Decomposition], level: Level
) -> dict[str, dict[str, Any]]:
    """Of each part of the waterfall, on average and of the slowest; None for a single run."""
    found: dict[str, dict[str, Any]] = {}
    for group, parts in base[0].items():
        found[group] = {}
        for part in parts:
            a, b = ([one[group][part] for one in design] for design in (base, other))
            change = (
                unpaired(a, b, level.confidence)
                if level.different
                else paired(a, b, "lower", level.confidence)
            )
            found[group][part] = _document(change)
    return found


def _entry(table: Evaluated, name: str, key: str) -> float:
    value = table[name]
    assert isinstance(value, dict)
    return value[key]


def _scalar(name: str) -> Value:
    def value(table: Evaluated) -> float:
        found = table[name]
        assert not isinstance(found, dict)
        return found

    return value


def _document(change: Change | None) -> dict[str, Any] | None:
    """As the comparison's document has it."""
    if change is None:
        return None
    return {
        "a": change.a,
        "b": change.b,
        "difference": change.difference._asdict(),
        "relative": change.relative._asdict() if change.relative else None,
        "variance_gain": change.gain,
        "wins": asdict(change.wins) | {"share": change.wins.share._asdict()} if change.wins else None,
        "shown": change.shown,
    }
