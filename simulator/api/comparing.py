"""`compare`: what changes from one design to others under the same requests, and how sure that is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.api import page
from simulator.api.running import processes
from simulator.api.scenarios import Scenario, scenario

if TYPE_CHECKING:
    import pandas as pd

    from simulator.study.compare import Asked


def compare(
    first: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    *others: Scenario | str | os.PathLike[str] | Mapping[str, Any],
    replications: int | None = None,
    different_workloads: bool = False,
    workers: int | None = None,
) -> Comparison:
    """The same requests through several designs, pair by pair; what `sim compare` computes, byte for byte.

    replications: pairs of runs (default: the scenarios', or 10; 1: one run each, its sections paired);
    different_workloads: compare designs that are asked for different things, unpaired; workers: as in run.
    Designs are told apart by their names: `with_set("name", …)`. Raises InputError for what cannot be
    compared.
    """
    from simulator.study.compare import compare as compared

    asked = _asked([scenario(source) for source in (first, *others)], replications, different_workloads)
    return Comparison(compared(asked, processes(workers)), asked)


def _asked(scenarios: list[Scenario], replications: int | None, different: bool) -> Asked:
    from simulator.study.compare import DEFAULT, Asked, labelled, replications_named

    number = replications or replications_named([one.resolved for one in scenarios]) or DEFAULT
    again = [one.with_set("run.replications", number).resolved for one in scenarios]
    return Asked(tuple(labelled(again)), number, different)


class Comparison:
    """What changes from the first design to each other.

    document: everything that comparison.json holds, designs, changes, parts of latency and verdict.
    """

    def __init__(self, document: dict[str, Any], asked: Asked) -> None:
        self.document = document
        self._asked = asked

    @property
    def verdict(self) -> str:
        """The differences that are shown, and the trade, in sentences."""
        return "\n".join(self.document["verdict"]["sentences"])

    @property
    def complete(self) -> bool:
        """False when it was interrupted: then it has the pairs that were complete."""
        return bool(self.document["complete"])

    @cached_property
    def changes(self) -> pd.DataFrame:
        """A row a design, metric and statistic (the index): before and after (the first design's value and
        this one's, in the metric's unit), difference with low and high, relative change (after / before − 1)
        with relative_low and relative_high, wins of pairs, and whether the interval leaves out 0 (shown).
        Intervals are paired, and share their error among the comparisons.
        """
        from simulator.api import frames

        return frames.changes(self.document)

    def save(self, directory: str | os.PathLike[str] = "reports") -> Path:
        """Writes directory/compare-<first>-<hash>, the bytes of `sim compare --out directory`; its path."""
        from simulator.report.compare_folder import save

        return save(self.document, self._asked.designs, Path(directory))

    def __repr__(self) -> str:
        return f"<Comparison of {self._names()}>\n{self.verdict}\n{page.plain(*self._cells())}"

    def _repr_html_(self) -> str:
        from simulator.report.compare import footing, pools

        lines = [page.line(text) for text in self.document["verdict"]["sentences"]]
        rest = [page.line(text) for text in (*pools(self.document), *footing(self.document))]
        return page.block(f"Comparison of {self._names()}", *lines, page.table(*self._cells()), *rest)

    def _names(self) -> str:
        return ", ".join(label for label, _ in self._asked.designs)

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        from simulator.report.compare import metric_cells

        return metric_cells(self.document)
