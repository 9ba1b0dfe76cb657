"""What is known of a run request by request, and second by second."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from simulator.study.measured.rows import Lacks, Row

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Records:
    """Requests in order of arrival. arrival_s, prompt_tokens, output_tokens [n]; ttft_s, e2e_s [n]: since
    arrival, NaN where unknown."""

    arrival_s: Floats
    prompt_tokens: Floats
    output_tokens: Floats
    ttft_s: Floats
    e2e_s: Floats

    @property
    def tpot_s(self) -> Floats:
        """(E2E − TTFT) / (output tokens − 1) [n]; NaN for one-token answers."""
        with np.errstate(divide="ignore", invalid="ignore"):
            gaps = np.where(self.output_tokens > 1, self.output_tokens - 1, np.nan)
            return np.asarray((self.e2e_s - self.ttft_s) / gaps)

    @property
    def timed(self) -> bool:
        """Whether latencies are known, not only arrivals and lengths."""
        return not bool(np.isnan(self.e2e_s).all())


@dataclass(frozen=True, slots=True)
class Series:
    """Output tokens of each second [n], and when it ends [n], in seconds."""

    end_s: Floats
    tokens: Floats


def records(row: Row) -> Records | None:
    """The run's requests; None if the index names no file of them. Raises Lacks for a file that is missing.

    Some engines note when their core queued a request, after it arrived, and count latencies from there:
    the lag is added, so that all count from arrival.
    """
    if not row.text("per_request_file"):
        return None
    table = _columns(row.folder / row.text("per_request_file"))
    unknown = np.full(len(table["arrival_s"]), np.nan)
    lag = table["queued_s"] - table["arrival_s"] if "queued_s" in table else 0.0
    order = np.argsort(table["arrival_s"], kind="stable")
    return Records(
        table["arrival_s"][order],
        table["prompt_tokens"][order],
        table["output_tokens"][order],
        (table.get("ttft_s", unknown) + lag)[order],
        (table.get("e2e_s", unknown) + lag)[order],
    )


def series(row: Row) -> Series | None:
    """Output tokens second by second; None if the index names no such file."""
    if not row.text("series_file"):
        return None
    table = _columns(row.folder / row.text("series_file"))
    ends = table.get("t_s", table.get("t"))
    rates = table.get("throughput_tok_per_s", table.get("gen_throughput"))
    if ends is None or rates is None:
        raise Lacks("columns of time and throughput in its series")
    return Series(ends, rates * np.diff(ends, prepend=ends[0] - 1.0))


def _columns(path: Path) -> dict[str, Floats]:
    """Every column of a CSV file, gzipped or not; an empty cell is NaN."""
    if not path.is_file():
        raise Lacks("its file of requests or of throughput")
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    header, *lines = csv.reader(text.splitlines())
    return {name: _floats([line[place] for line in lines]) for place, name in enumerate(header)}


def _floats(cells: Sequence[str]) -> Floats:
    return np.array([float(cell) if cell else np.nan for cell in cells])
