"""Whether several designs are asked for the same: their workloads, column by column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from simulator.errors import InputError, Problem
from simulator.scenario.resolved import Resolved
from simulator.workload.build import build
from simulator.workload.columns import DTYPES, RAGGED, Workload

HINT = "--different-workloads compares them all the same, unpaired"


def requests_of(scenario: Resolved, replication: int) -> Workload:
    """What the design is asked for in that replication."""
    longest = min(pool.engine.max_model_len for pool in scenario.fleet.pools)
    return build(scenario.workload, scenario.seed, replication, longest)


def digest(load: Workload) -> str:
    """SHA-256 (hex) of all columns."""
    found = hashlib.sha256()
    for name, dtype in DTYPES.items():
        column = np.ascontiguousarray(getattr(load, name), np.dtype(dtype).newbyteorder("<"))
        found.update(f"{name} {len(column)};".encode())
        found.update(column.tobytes())
    return found.hexdigest()


def check(designs: Sequence[tuple[str, Resolved]], replications: int) -> None:
    """Raises InputError with every difference to the first design's workload: of the first replication, and
    of the second, in which other seeds tell on replayed traces too.
    """
    problems: list[Problem] = []
    for replication in range(min(replications, 2)):
        (first, scenario), *others = designs
        load = requests_of(scenario, replication)
        for name, other in others:
            found = list(differences(load, requests_of(other, replication)))
            problems += [
                Problem(f"{name} against {first}", _told(text, replication), hint=HINT) for text in found
            ]
        if problems:
            raise InputError(problems)


def _told(text: str, replication: int) -> str:
    return f"another workload: {text}" + (f" in replication {replication}" if replication else "")


def differences(a: Workload, b: Workload) -> Iterator[str]:
    """Each column in which two workloads differ, with the first row where they do."""
    if len(a) != len(b):
        yield f"{len(a):,} and {len(b):,} requests"
        return
    for name in DTYPES:
        first, second = getattr(a, name), getattr(b, name)
        if len(first) != len(second):
            yield f"{name}: {len(first):,} and {len(second):,} entries"
            continue
        wrong = (first != second) & ~(np.isnan(first) & np.isnan(second))
        if wrong.any():
            row = int(wrong.argmax())
            what = "entry" if name in RAGGED else "request"
            values = f"{first[row]} and {second[row]}"
            yield f"{name} differs in {int(wrong.sum()):,} of {len(first):,}, first in {what} {row}: {values}"
