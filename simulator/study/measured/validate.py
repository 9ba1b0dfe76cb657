"""Every measured run among files and folders, simulated; runs of one deployment in one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from simulator.cost import roofline
from simulator.errors import InputError, Problem
from simulator.study.measured.rows import Row, read, runs
from simulator.study.measured.trial import NotDone, Outcome, Settings, trial

Done = Callable[[int, int], None]
DEPLOYED = ("model", "weights_dtype", "accelerator", "engine", "engine_version", "tp", "pp", "ep", "dp")


@dataclass(frozen=True, slots=True)
class Report:
    """outcomes: rows that were simulated; not_done: the others; both in the order of the index. runs: how
    many runs there are."""

    outcomes: tuple[Outcome, ...]
    not_done: tuple[NotDone, ...]
    runs: int


def validate(
    paths: Sequence[str],
    settings: Settings,
    sets: Sequence[str] = (),
    limit: int | None = None,
    workers: int = 1,
    done: Done | None = None,
) -> Report:
    """Simulate the runs of the indexes at `paths`. sets: only those sets; limit: only the first so many runs
    of each set; done(runs simulated, runs) is called now and then.

    Raises InputError for a path without an index, and for a set that no index has.
    """
    chosen = _chosen(read(paths), sets, limit)
    found: dict[str, list[Outcome] | NotDone] = {}
    for batch in _batches(chosen, settings, workers):
        found |= batch
        if done is not None:
            done(len(found), len(chosen))
    results = [found[rows[0].run] for rows in chosen]
    return Report(
        tuple(outcome for result in results if not isinstance(result, NotDone) for outcome in result),
        tuple(result for result in results if isinstance(result, NotDone)),
        len(chosen),
    )


def _chosen(rows: list[Row], sets: Sequence[str], limit: int | None) -> list[list[Row]]:
    names = list(dict.fromkeys(row.set for row in rows))
    strangers = [name for name in sets if name not in names]
    if strangers:
        raise InputError(Problem("--set-name", f"no set {strangers[0]!r} in the index", ", ".join(names)))
    chosen: list[list[Row]] = []
    counts = dict.fromkeys(names, 0)
    for run in runs(rows):
        name = run[0].set
        if (not sets or name in sets) and (limit is None or counts[name] < limit):
            counts[name] += 1
            chosen.append(run)
    return chosen


def _batches(
    chosen: list[list[Row]], settings: Settings, workers: int
) -> Iterator[dict[str, list[Outcome] | NotDone]]:
    """Results by run, deployment by deployment: those share the tables of their cost model."""
    groups: dict[str, list[list[Row]]] = {}
    for rows in chosen:
        groups.setdefault(json.dumps([rows[0].text(key) for key in DEPLOYED]), []).append(rows)
    if workers == 1:
        for group in groups.values():
            for rows in group:
                yield {rows[0].run: trial(rows, settings)}
            roofline.forget()
        return
    largest_first = sorted(groups.values(), key=len, reverse=True)
    with ProcessPoolExecutor(workers) as pool:
        for future in as_completed([pool.submit(_together, group, settings) for group in largest_first]):
            yield future.result()


def _together(group: list[list[Row]], settings: Settings) -> dict[str, list[Outcome] | NotDone]:
    found = {rows[0].run: trial(rows, settings) for rows in group}
    roofline.forget()
    return found
