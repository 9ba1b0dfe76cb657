"""How a pool fared: its replicas one by one, and its course over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import arrow

MEANS = ("busy", "running", "waiting", "kv_use")


@dataclass(frozen=True, slots=True)
class PoolCourse:
    """replicas: of each its means over time from the cut on, and kv_peak; courses: means over replicas in
    equal stretches of the whole run, NaN where there is none; end_s: when it ends."""

    replicas: dict[str, dict[str, float]]
    courses: dict[str, list[float]]
    end_s: float


def pool_course(
    timeline: pa.Table, pool: str, cut_s: float, replication: int = 0, points: int = 48
) -> PoolCourse:
    """Of one replication."""
    same = pc.and_(
        pc.equal(timeline["pool"].cast(pa.string()), pool), pc.equal(timeline["replication"], replication)
    )
    bins = timeline.filter(same)
    start, width = (arrow.values(bins[name]) for name in ("start_s", "width_s"))
    names = np.array(bins["replica"].to_pylist())
    values = {name: np.nan_to_num(arrow.values(bins[name])) for name in MEANS}
    replicas = {}
    for name in dict.fromkeys(names.tolist()):
        rows = (names == name) & (start >= cut_s)
        rows = rows if rows.any() else names == name
        weights = width[rows]
        replicas[name] = {
            key: float(np.average(column[rows], weights=weights)) for key, column in values.items()
        }
        replicas[name]["kv_peak"] = float(values["kv_use"][rows].max())
    end = float((start + width).max())
    place = np.minimum((start / end * points).astype(np.int64), points - 1)
    time = np.bincount(place, width, points)
    with np.errstate(invalid="ignore"):
        courses = {
            key: (np.bincount(place, column * width, points) / time).tolist()
            for key, column in values.items()
        }
    return PoolCourse(replicas, courses, end)
