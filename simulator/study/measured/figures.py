"""The figures by which a run is scored: the same from a measured row, from records and from a result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.results import saturation
from simulator.study.measured.records import Records, Series
from simulator.study.measured.rows import Row

Floats = npt.NDArray[np.float64]
Figures = Mapping[str, float]

METRICS = ("ttft", "tpot", "e2e")
PERCENTILES = (50, 90, 95, 99)
STATISTICS = ("mean", *(f"p{p}" for p in PERCENTILES))
RATES = ("req_per_s", "output_tok_per_s")
CONFIDENCE = 0.95
# Objectives whose attainment is compared: those that DistServe's authors use for this model and data set.
TTFT_S, TPOT_S = 0.2, 0.1


@dataclass(frozen=True, slots=True)
class Requests:
    """Finished requests [n]: seconds since the run's start and since they were sent, NaN for no TPOT."""

    sent_s: Floats
    ttft_s: Floats
    tpot_s: Floats
    e2e_s: Floats
    output_tokens: Floats

    def take(self, rows: npt.NDArray[np.bool_]) -> Requests:
        columns = (self.sent_s, self.ttft_s, self.tpot_s, self.e2e_s, self.output_tokens)
        return Requests(*(column[rows] for column in columns))


def of_records(found: Records) -> Requests:
    known = ~np.isnan(found.e2e_s)
    columns = (found.arrival_s, found.ttft_s, found.tpot_s, found.e2e_s, found.output_tokens)
    return Requests(*(column[known] for column in columns))


def of_requests(found: Requests) -> dict[str, float]:
    """Milliseconds and rates; the time that rates are over is from the first sent to the last token.

    The one point that some sources give is taken for a mean: of closed loops that begin with all users at
    once, their TTFT grows with the number of users as a mean does and a median does not.
    """
    figures: dict[str, float] = {}
    for metric, values in zip(METRICS, (found.ttft_s, found.tpot_s, found.e2e_s)):
        known = values[~np.isnan(values)] * 1e3
        if len(known):
            figures[f"{metric}_mean_ms"] = figures[f"{metric}_point_ms"] = float(known.mean())
            figures |= {
                f"{metric}_p{p}_ms": float(v) for p, v in zip(PERCENTILES, np.percentile(known, PERCENTILES))
            }
    if len(found.sent_s):
        seconds = float((found.sent_s + found.e2e_s).max() - found.sent_s.min())
        figures["req_per_s"] = len(found.sent_s) / seconds
        figures["output_tok_per_s"] = float(found.output_tokens.sum()) / seconds
    return figures


def of_row(row: Row) -> dict[str, float]:
    """The figures that an index row gives."""
    keys = [f"{metric}_{statistic}_ms" for metric in METRICS for statistic in (*STATISTICS, "point")]
    found = {key: row.number(key) for key in (*keys, *RATES)}
    return {key: value for key, value in found.items() if value is not None}


def saturated(found: Requests, service_s: Floats) -> bool | None:
    """Whether the queue still grew when arrivals ended; None where the run is too short to tell."""
    ended = found.sent_s + found.e2e_s
    return saturation.check(found.sent_s, ended, service_s, CONFIDENCE).saturated


def attainment(found: Requests) -> float:
    """The share of requests within the objectives; a one-token answer passes that of TPOT."""
    within = (found.ttft_s <= TTFT_S) & ~(found.tpot_s > TPOT_S)
    return float(within.mean())


def distance(a: Floats, b: Floats) -> float:
    """Kolmogorov–Smirnov: the largest difference of the two samples' distribution functions."""
    a, b = np.sort(a[~np.isnan(a)]), np.sort(b[~np.isnan(b)])
    at = np.concatenate([a, b])
    return float(np.abs(_share_below(a, at) - _share_below(b, at)).max())


def _share_below(values: Floats, at: Floats) -> Floats:
    return np.searchsorted(values, at, side="right") / len(values)


def per_second(found: Requests, ends: Floats) -> Floats:
    """Output tokens in each interval up to `ends` [n] (the first as long as a second): the first token at
    TTFT, the others evenly up to the last."""
    begin, last = found.sent_s + found.ttft_s, found.sent_s + found.e2e_s
    edges = np.concatenate([[ends[0] - 1.0], ends])
    span = np.maximum(last - begin, 1e-9)
    share = np.clip((edges[:, None] - begin) / span, 0.0, 1.0)
    done = (edges[:, None] >= begin) + share * (found.output_tokens - 1)
    return np.asarray(np.diff(done.sum(axis=1)))


def curve_error(found: Requests, measured: Series) -> float:
    """Sum of the absolute differences second by second, over all tokens measured."""
    end = max(float(measured.end_s[-1]), float((found.sent_s + found.e2e_s).max()))
    more = np.arange(measured.end_s[-1] + 1.0, end + 1.0)
    ends = np.concatenate([measured.end_s, more])
    tokens = np.concatenate([measured.tokens, np.zeros(len(more))])
    return float(np.abs(per_second(found, ends) - tokens).sum() / measured.tokens.sum())
