"""One measured run simulated: its rows, each with what was measured and what came out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.arrow import values
from simulator.errors import InputError
from simulator.fleet.build import price
from simulator.results.run import RunResult
from simulator.simulate import simulate
from simulator.study.measured import figures as of
from simulator.study.measured.deployment import Deployment, deployment, started
from simulator.study.measured.figures import Floats, Requests
from simulator.study.measured.loads import Load, load
from simulator.study.measured.records import Records, Series, records, series
from simulator.study.measured.rows import WHOLE, Lacks, Row


@dataclass(frozen=True, slots=True)
class Settings:
    """seeds: loads drawn for a run whose load is drawn; accelerator: of runs that don't record theirs;
    client_s: seconds between client and engine, added to TTFT and E2E."""

    seeds: int = 3
    accelerator: str = ""
    client_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row and what came out. measured, simulated: figures by name; errors: simulated / measured − 1;
    overloaded: whether the queue grew to the end, measured and simulated, None: not known; step_ms: one
    decode step at the measured load, None: not known; survivors: requests failed, so latencies are of those
    that survived and don't count."""

    row: Row
    measured: dict[str, float]
    simulated: dict[str, float]
    marks: tuple[str, ...]
    unused: tuple[str, ...]
    overloaded: tuple[bool | None, bool | None] = (None, None)
    step_ms: float | None = None
    survivors: bool = False
    shapes: dict[str, float] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, float]:
        both = self.measured.keys() & self.simulated.keys()
        if self.survivors:
            return {}
        return {key: self.simulated[key] / self.measured[key] - 1.0 for key in both if self.measured[key]}


@dataclass(frozen=True, slots=True)
class NotDone:
    """Rows of a run that could not be simulated, and what they lack."""

    rows: tuple[Row, ...]
    reason: str


def trial(rows: Sequence[Row], settings: Settings) -> list[Outcome] | NotDone:
    """All rows of one run: its stages and the whole."""
    try:
        return _trial(rows, settings)
    except Lacks as lack:
        return NotDone(tuple(rows), str(lack))
    except InputError as error:
        what = re.split(r": (?=\d)", error.problems[0].what)[0]  # without the numbers, which differ by run
        return NotDone(tuple(rows), f"an engine that starts: {what}")
    except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A defect of ours, or a cell that nobody foresaw: the other runs are simulated all the same.
        return NotDone(tuple(rows), f"a simulation without a defect: {type(error).__name__}: {error}")


def _trial(rows: Sequence[Row], settings: Settings) -> list[Outcome]:
    deployed = deployment(rows[0], settings.accelerator)
    recorded, curve = records(rows[0]), series(rows[0])
    loads = [load(rows, recorded, 0)]
    longest = int((loads[0].requests.prompt_tokens + loads[0].requests.output_tokens).max())
    deployed = started(deployed, rows[0], settings.accelerator, longest)
    if loads[0].drawn:
        loads += [load(rows, recorded, seed) for seed in range(1, settings.seeds)]
    found = [(drawn, _simulated(drawn, deployed, settings)) for drawn in loads]
    return [_outcome(row, rows, found, deployed, recorded, curve) for row in rows]


Found = Sequence[tuple[Load, tuple[Requests, Floats]]]


def _simulated(drawn: Load, deployed: Deployment, settings: Settings) -> tuple[Requests, Floats]:
    result = simulate(deployed.scenario, load=drawn.requests)
    if not result.complete:
        raise KeyboardInterrupt
    stuck = int(np.isnan(values(result.requests["finish_s"])).sum())
    if stuck:
        raise Lacks(f"a simulation that ends: {stuck} requests never finish")
    return of_result(result, settings)


def of_result(result: RunResult, settings: Settings) -> tuple[Requests, Floats]:
    """The requests of a simulated run [n], all of them finished, and seconds of each being decoded."""
    table, wait = result.requests, settings.client_s
    sent, e2e, output = (values(table[name]) for name in ("sent_s", "e2e_s", "emitted"))
    ttft = values(table["ttft_s"])
    with np.errstate(divide="ignore", invalid="ignore"):
        tpot = np.where(output > 1, (e2e - ttft) / (output - 1), np.nan)
    requests = Requests(sent, ttft + wait, tpot, e2e + wait, output.astype(np.float64))
    return requests, e2e - ttft


def _outcome(
    row: Row,
    rows: Sequence[Row],
    found: Found,
    deployed: Deployment,
    recorded: Records | None,
    curve: Series | None,
) -> Outcome:
    parts = [_part(row, rows, *each) for each in found]
    measured = of.of_row(row)
    shapes: dict[str, float] = {}
    verdict: bool | None = True if "overloaded" in row.text("quality") else None
    if recorded is not None and recorded.timed:
        truth = of.of_records(recorded)
        measured |= of.of_requests(truth)
        verdict = of.saturated(truth, truth.e2e_s - truth.ttft_s)
        shapes = _shapes(parts[0][0], truth)
    if curve is not None:
        shapes["curve_error"] = of.curve_error(parts[0][0], curve)
    simulated = _mean([of.of_requests(requests) for requests, _ in parts])
    if row.stage == WHOLE and len(rows) > 1:  # the pause between stages is not the run's
        simulated = {key: value for key, value in simulated.items() if key not in of.RATES}
    return Outcome(
        row, measured, simulated,
        (*deployed.marks, *found[0][0].marks), deployed.unused,
        (verdict, of.saturated(*parts[0])), _step_ms(row, measured, deployed),
        bool(row.number("n_failed")) , shapes,
    )  # fmt: skip


def _part(
    row: Row, rows: Sequence[Row], drawn: Load, result: tuple[Requests, Floats]
) -> tuple[Requests, Floats]:
    """What belongs to the row: all of the run, or one stage of it."""
    stages = [other for other in rows if other.stage != WHOLE]
    whole = row.stage == WHOLE or len(stages) < 2
    mine = drawn.stage >= 0 if whole else drawn.stage == stages.index(row)
    return result[0].take(mine), result[1][mine]


def _mean(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """Each figure's mean over the seeds."""
    return {key: float(np.mean([each[key] for each in figures])) for key in figures[0]}


def _shapes(simulated: Requests, measured: Requests) -> dict[str, float]:
    return {
        "ks_ttft": of.distance(simulated.ttft_s, measured.ttft_s),
        "ks_tpot": of.distance(simulated.tpot_s, measured.tpot_s),
        "attainment_measured": of.attainment(measured),
        "attainment_simulated": of.attainment(simulated),
    }


def _step_ms(row: Row, measured: dict[str, float], deployed: Deployment) -> float | None:
    """One decode step of as many requests as decoded at once by Little's law, each with its whole prompt and
    half its answer: what TPOT would be if nothing else ran."""
    pools = deployed.scenario.fleet.pools
    rate = measured.get("req_per_s") or row.number("rate_rps")
    tpot = measured.get("tpot_mean_ms", measured.get("tpot_p50_ms"))
    prompt, output = row.number("prompt_tokens_mean"), row.number("output_tokens_mean")
    if rate is None or tpot is None or prompt is None or output is None or len(pools) > 1:
        return None
    decodes = max(1, round(rate * tpot * output / 1e3 / pools[0].engines))
    keys = round(decodes * (prompt + output / 2))
    line = price(deployed.scenario)[0].cost.decode_line(decodes, keys)
    return 1e3 * (line.base_s + line.per_token_s * keys)
