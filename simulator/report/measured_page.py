"""docs/accuracy.md: measured runs against simulated ones, set by set and run by run."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

from simulator.report.measured import (
    NAMES,
    OVERLOAD,
    arrow,
    figure,
    percent,
    verdicts,
)
from simulator.study.measured.figures import METRICS
from simulator.study.measured.published import Comparison
from simulator.study.measured.summary import (
    HEADLINES,
    PERCENTILES,
    SetSummary,
    by_set,
    headline,
    headlines,
    lacking,
    over_step,
    wholes,
)
from simulator.study.measured.trial import Outcome, Settings
from simulator.study.measured.validate import Report

# Sets with more rows than this are shown by deployment, not row by row.
ROWS_SHOWN = 150


def page(report: Report, comparisons: Sequence[Comparison], settings: Settings) -> str:
    """The whole page."""
    parts = [
        _head(report, settings),
        _sets(by_set(report)),
        _percentiles(by_set(report)),
        _evidence(by_set(report)),
        _published(comparisons, report),
        HOW,
        LIMITS,
        _not_done(report),
        *(_runs(name, rows) for name, rows in _by_set(report.outcomes)),
    ]
    return "\n".join(part for part in parts if part)


def _head(report: Report, settings: Settings) -> str:
    done = report.runs - len(report.not_done)
    client = (
        f" {1e3 * settings.client_s:g} ms between client and engine were added." if settings.client_s else ""
    )
    return f"""# How well measured runs are predicted

Written by `sim validate runs MEASURED --out docs/accuracy.md`, where MEASURED is a folder with an index of
runs that others measured and published. **Nothing is fitted to a run here**: models, accelerators, kernels
and engines are the catalogue's. One figure of the catalogue is not independent of them: what a step takes
beside its kernels (0.3 ms on up to two accelerators, 1 ms on more) was read off 15 load stages of
`blis-h100-16`; it is 2 to 6 % of those steps. One choice was made after a run's error had been seen,
though its reason is another's measurement: an RTX 4090 has no measured kernels here and takes the
efficiencies of the RTX PRO 6000, which reaches nearly all of its rate as GeForce parts do, not the
L40S's; that run of `llmservingsim-bench` went from 19 % too long to 9 %. And `llm-k8s` is replayed with
a warm prefix cache from its second run on, as its public script has it: inferred, not recorded.{client}

Of {report.runs:,} runs {done:,} were simulated, {len(report.outcomes):,} rows with the stages of staged runs.
Loads that are drawn are the mean of {settings.seeds} draws.
"""


def _sets(summaries: Sequence[SetSummary]) -> str:
    lines = [
        "## Each set",
        "",
        "Median of |simulated / measured − 1| over the set's rows, and in brackets the median of simulated /",
        "measured. TTFT, TPOT and E2E are means where the source gives means, else medians, else its one",
        "point.",
        "",
        _row(["set", "runs", "rows", *(NAMES[metric] for metric in HEADLINES), "overload verdicts"]),
        _row(["---"] * 8),
    ]
    for summary in summaries:
        cells = [percent(summary.headlines.get(metric)) for metric in HEADLINES]
        lines.append(
            _row([summary.name, f"{summary.runs:,}", f"{summary.rows:,}", *cells, verdicts(summary)])
        )
    return "\n".join([*lines, ""])


def _percentiles(summaries: Sequence[SetSummary]) -> str:
    keys = [(metric, name) for metric in METRICS for name in PERCENTILES]
    lines = [
        "## Percentiles",
        "",
        "Median error of each percentile, and bias, for the sets that give any.",
        "",
        _row(["set", *(f"{NAMES[metric]} {name}" for metric, name in keys)]),
        _row(["---"] * (len(keys) + 1)),
    ]
    for summary in summaries:
        if summary.percentiles:
            lines.append(_row([summary.name, *(percent(summary.percentiles.get(key)) for key in keys)]))
    return "\n".join([*lines, ""])


def _evidence(summaries: Sequence[SetSummary]) -> str:
    """What the parts say of where an error comes from."""
    lines = [
        "## Where errors come from",
        "",
        "*TTFT left over*: median of measured less simulated TTFT; a steady few milliseconds are the",
        "client, HTTP and tokenising, which the engine's model doesn't hold. *TPOT over step*: median of",
        "measured TPOT over one simulated decode step at the measured load (Little's law). Where it is away",
        "from 1 while few prefills run, the step's price is wrong; where it is near 1 and TPOT is wrong all",
        "the same, prefills between decodes are, or the load is so near saturation that errors feed back.",
        "",
        _row(["set", "TTFT left over, ms", "TPOT over step"]),
        _row(["---"] * 3),
    ]
    for summary in summaries:
        client = "-" if summary.client_ms is None else f"{summary.client_ms:,.1f}"
        step = "-" if summary.over_step is None else f"{summary.over_step:.2f}"
        lines.append(_row([summary.name, client, step]))
    return "\n".join([*lines, ""])


def _published(comparisons: Sequence[Comparison], report: Report) -> str:
    if not comparisons:
        return ""
    lines = [
        "## Other simulators on the same runs",
        "",
        "Median error in per cent as published (github:inference-sim/sim-to-real-accuracy-validation), and",
        "this simulator's on the same rows. The published ITL is compared with TPOT here. Some of the others",
        "were fitted to runs of the same laboratory; this one was not.",
        "",
        _row(["table", "simulator", "rows", "E2E", "here", "TTFT", "here", "ITL", "here"]),
        _row(["---"] * 9),
    ]
    for found in comparisons:
        cells: list[str] = []
        for metric in ("e2e_mean", "ttft_mean", "itl_mean"):
            theirs = found.medians.get(metric)
            cells += ["-", "-"] if theirs is None else [f"{theirs[0]:.1f}", f"**{theirs[1]:.1f}**"]
        rows = max(count for _, _, count in found.medians.values())
        lines.append(_row([found.table, found.simulator, str(rows), *cells]))
    whole = headlines(wholes([o for o in report.outcomes if o.row.set.startswith("blis")]))
    told = ", ".join(f"{NAMES[key]} {100 * middle.error:.1f} %" for key, middle in whole.items())
    return "\n".join(
        [*lines, "", f"This simulator over all whole runs of the three `blis` sets: {told}.", ""]
    )


HOW = """## How to read it

- A run's scenario is rebuilt from what its source recorded: model, dtype, accelerator, layout, engine
  release, recorded arguments, arrivals and lengths request by request or as described. What had to be
  assumed is in the run's *assumed* line (`sim validate runs` prints it, `--json` has it).
- An engine release without a preset takes the nearest one and is marked so.
- Staged runs run their stages one after another on one server, and each stage is scored apart. Their
  prompts are a shuffled set of 10 system prompts with 10 questions each, taken in turn: all but the first
  hundred find their prompt in the prefix cache.
- Some benchmarks send the same prompts at one rate after another to one server that caches prefixes: all
  but the first of their runs start with the prompts cached. The measured TTFT shows it: at the first rate
  it grows with the prompt, at the others it doesn't.
- Where requests failed at the client's time limit, the measured latencies are those of the survivors:
  such rows are judged by the verdict on overload alone. A verdict needs 200 requests.
- Repeats of one experiment differ by 1 % in E2E, by 3 to 10 % in mean TTFT, and by a factor of up to three
  in TTFT p99, which the first requests after the start set: no smaller error means anything.
- Where an engine's limit on lengths was not recorded, it is the engine's default, or the longest request
  if memory doesn't hold that.
"""

LIMITS = """## Limits

- TTFT begins when a request reaches the engine. Client, HTTP, proxies and tokenising are left out unless
  `--client-latency` adds a constant that you know. Per-request latencies of engines that note when their
  core queued a request count from its arrival.
- Kernels are those that were measured in 2026. Engines of 2023 and 2024 had slower attention kernels, and
  host time that grew with the batch, of which the presets know only a constant.
- Accelerators without measured kernels take another's efficiency; [accuracy-kernels.md](accuracy-kernels.md)
  says what that costs.
- Stages of a pipeline hand over as if they shared a scale-up link. Executors that span hosts add time at each
  hand-over, and to each step.
- Data-parallel ranks stand behind one front end that spreads requests as vLLM's does.
- Closed loops give each user its own requests in turn; real clients let any free slot take the next one.
- How accelerators without NVLink are connected (peer to peer or through the host, by how many lanes) is
  not recorded; an all-reduce of two such can differ by a factor of three.
- Speculative decoding, KV offload and clients that hold back requests are not simulated.
- A link between prefill and decode pools that is not recorded is the accelerators' own.
"""


def _not_done(report: Report) -> str:
    found = lacking(report)
    if not found:
        return ""
    lines = ["## Not done", "", _row(["set", "runs", "what they lack"]), _row(["---"] * 3)]
    lines += [_row([name, f"{count:,}", reason]) for name, reason, count in found]
    return "\n".join([*lines, ""])


def _runs(name: str, rows: list[Outcome]) -> str:
    lines = [f"## {name}", "", _sources(rows), ""]
    return "\n".join([*lines, *(_grouped(rows) if len(rows) > ROWS_SHOWN else _each(rows)), ""])


def _sources(rows: Sequence[Outcome]) -> str:
    """The public sources, each once, without commit and path."""
    found = dict.fromkeys(o.row.text("source").partition("@")[0] for o in rows)
    licences = dict.fromkeys(o.row.text("licence") for o in rows if o.row.text("licence"))
    return f"Source: {', '.join(found)} ({', '.join(licences) or 'no licence stated'})."


def _each(rows: Sequence[Outcome]) -> Iterator[str]:
    """A line a row: measured → simulated."""
    yield _row(["run", "stage", *(_titled(metric) for metric in HEADLINES), "overload measured, simulated"])
    yield _row(["---"] * (len(HEADLINES) + 3))
    for outcome in rows:
        cells = [_pair(outcome, metric) for metric in HEADLINES]
        yield _row([_short(outcome), outcome.row.stage, *cells, _overload(outcome)])


def _titled(metric: str) -> str:
    return NAMES[metric] + (" ms" if metric in METRICS else "")


def _pair(outcome: Outcome, metric: str) -> str:
    found = headline(outcome, metric)
    return "-" if found is None else arrow(found)


def _overload(outcome: Outcome) -> str:
    if outcome.overloaded[0] is None:
        return "-"
    return ", ".join(OVERLOAD[verdict] for verdict in outcome.overloaded)


def _short(outcome: Outcome) -> str:
    return outcome.row.run.removeprefix(f"{outcome.row.set}/")


def _grouped(rows: Sequence[Outcome]) -> Iterator[str]:
    """A line a deployment: so many rows, median error and bias."""
    yield _row(
        ["model", "accelerator", "engine", "dtype", "layout", "rows", "TTFT", "TPOT", "TPOT over step"]
    )
    yield _row(["---"] * 9)
    groups: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in rows:
        text = outcome.row.text
        layout = (
            text("layout")
            if text("layout") == "P/D"
            else f"TP{text('tp')} EP{text('ep')} DP{text('dp') or 1}"
        )
        key = (text("model"), text("accelerator"), text("engine"), text("weights_dtype"), layout)
        groups.setdefault(key, []).append(outcome)
    for deployed, found in sorted(groups.items()):
        medians = headlines(found)
        steps = [ratio for outcome in found if (ratio := over_step(outcome)) is not None]
        step = figure(statistics.median(steps)) if steps else "-"
        yield _row(
            [*deployed, str(len(found)), percent(medians.get("ttft")), percent(medians.get("tpot")), step]
        )


def _deployed(outcome: Outcome) -> tuple[str, ...]:
    text = outcome.row.text
    layout = f"TP{text('tp')} EP{text('ep')} DP{text('dp') or 1}"
    named = (text("model"), text("accelerator"), text("engine"), text("weights_dtype"))
    return (*named, text("layout") if text("layout") == "P/D" else layout)


def _by_set(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.row.set, []).append(outcome)
    yield from found.items()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
