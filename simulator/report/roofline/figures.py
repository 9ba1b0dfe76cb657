"""The study's charts, each with the table of its figures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import cycle

from simulator.report import charts
from simulator.report.charts import Axis, Band, Chart, Series
from simulator.report.roofline import tables, words
from simulator.study.roofline.steps import ATTENTION, LAYERS, Step
from simulator.study.roofline.study import Answer
from simulator.study.roofline.zones import BENDING, NEAR_LINEAR, PLATEAU

ZONES = {NEAR_LINEAR: charts.GREEN, BENDING: charts.ORANGE, PLATEAU: charts.RED}
OTHERS = (charts.TEAL, charts.PURPLE, charts.GREEN, charts.RED, charts.GREY)
DECADE = 24  # points of a curve in a decade
LEAST_APART = 1.6


def roofline(found: Answer) -> Chart:
    """Roofs, ridge and operating points, both axes logarithmic."""
    gpus = found.fit.gpus
    decodes = [row.step for row in found.curve.rows]
    intensities = [
        found.alone.part(ATTENTION).intensity,
        *(step.intensity for step in (found.prefill, *decodes)),
    ]
    low = min(intensities) / 2
    high = max(*intensities, found.prefill.part(LAYERS).intensity, found.roof.ridge) * 2
    grid = _spaced(low, high)
    series = [*_roofs(found, grid), *_ridge(found, low)]
    series.append(
        _points(words.step(found.prefill), [found.prefill], gpus, "triangles", charts.PURPLE, labelled="")
    )
    held = [row.step for row in found.curve.rows if row.held]
    series.append(_points("decode", held, gpus, "points", charts.ORANGE, labelled="right"))
    beyond = [row.step for row in found.curve.rows if not row.held]
    if beyond:
        name = "decode, more than the KV cache holds"
        series.append(_points(name, beyond, gpus, "hollow", charts.ORANGE, labelled=""))
    series.append(_layers(found, gpus))
    return Chart(
        "roofline",
        f"Roof of {found.roof.accelerator} in {found.roof.dtype}, and where the phases sit",
        words.key_sentence(found),
        Axis("FLOP per byte", log=True),
        Axis("TFLOPS of one accelerator", log=True),
        tuple(series),
        tables.points([found.prefill, *decodes], gpus, words.points(found)),
        height=460,
    )


def _roofs(found: Answer, grid: Sequence[float]) -> list[Series]:
    roof = found.roof
    ideal = [roof.attainable(x) / 1e12 for x in grid]
    reached = [roof.reached(x) / 1e12 for x in grid]
    series = [
        Series(f"{roof.accelerator}, datasheet", grid, ideal, "line", charts.BLUE),
        Series(f"{roof.accelerator}, as reached ({roof.kind})", grid, reached, "dashed", charts.BLUE),
    ]
    others = [other for other in found.roofs if other.accelerator != roof.accelerator]
    shown = [other for other in others if other.dtype == roof.dtype]
    for other, colour in zip(shown, cycle(OTHERS)):
        values = [other.attainable(x) / 1e12 for x in grid]
        series.append(Series(f"{other.accelerator}, datasheet", grid, values, "thin", colour))
    return series


def _ridge(found: Answer, low: float) -> list[Series]:
    roof = found.roof
    floor = roof.reached(low) / 1e12
    name = f"ridge {roof.ridge:.0f} ({roof.reached_ridge:.0f} as reached)"
    return [Series(name, [roof.ridge] * 2, [floor, roof.flops_per_s / 1e12], "dotted", charts.GREY)]


def apart(values: Sequence[float]) -> list[float]:
    """Of ascending values those that leave room for a text between them on a logarithmic axis."""
    kept: list[float] = []
    for value in values:
        if not kept or value >= LEAST_APART * kept[-1]:
            kept.append(value)
    return kept


def _points(name: str, steps: Iterable[Step], gpus: int, style: str, colour: str, *, labelled: str) -> Series:
    some = list(steps)
    x, y = [step.intensity for step in some], [step.flops / step.seconds / gpus / 1e12 for step in some]
    roomy = apart(x)
    texts = [words.short(step) if step.intensity in roomy or not labelled else "" for step in some]
    return Series(name, x, y, style, colour, texts, labelled)


def _layers(found: Answer, gpus: int) -> Series:
    """The layers' matrices and attention of the three steps, apart."""
    x, y, texts = [], [], []
    for step in words.points(found):
        for name in (LAYERS, ATTENTION):
            part = step.part(name)
            x.append(part.intensity)
            y.append(part.flops / part.seconds / gpus / 1e12)
            texts.append(f"{name} of {words.step(step)}")
    return Series("their layers and attention apart", x, y, "squares", charts.GREY, texts)


def decode(found: Answer) -> Chart:
    """Tokens a second against batch, with the zones."""
    rows = found.curve.rows
    batches = [float(row.step.sequences) for row in rows]
    held = [row for row in rows if row.held]
    alone = found.alone.tokens_per_s
    series = [
        Series("datasheet", batches, [r.step.ideal_tokens_per_s for r in rows], "dashed", charts.BLUE),
        Series("by the cost model", batches, [r.step.tokens_per_s for r in rows], "line", charts.ORANGE),
        Series("linear", batches, [alone * batch for batch in batches], "dotted", charts.GREY),
        Series(
            "the KV cache holds it",
            [float(row.step.sequences) for row in held],
            [row.step.tokens_per_s for row in held],
            "points",
            charts.ORANGE,
        ),
    ]
    bands = [
        Band(zone.name, max(zone.first - 1, batches[0]), min(zone.last, batches[-1]), ZONES[zone.name])
        for zone in found.curve.zones
        if zone.first <= batches[-1] and zone.last >= batches[0]
    ]
    return Chart(
        "decode",
        words.decode_heading(found),
        words.zones(found),
        Axis("requests at once", log=True, ticks=tuple(apart(batches))),
        Axis("tokens per second of the replica", log=True),
        tuple(series),
        tables.curve(found),
        tuple(bands),
    )


def prefill(found: Answer) -> Chart:
    """Tokens a second against the tokens of a prompt."""
    steps, several = found.prefills.by_length, found.prefills.by_prompts
    tokens = [float(step.tokens) for step in steps]
    names = [f"{step.sequences} prompts" for step in several[1:]]
    series = (
        Series("datasheet", tokens, [s.ideal_tokens_per_s for s in steps], "dashed", charts.BLUE),
        Series("one prompt", tokens, [s.tokens_per_s for s in steps], "line", charts.PURPLE),
        Series(
            f"prompts of {several[0].tokens:,} tokens together",
            [float(step.tokens) for step in several[1:]],
            [step.tokens_per_s for step in several[1:]],
            "points",
            charts.TEAL,
            names,
        ),
    )
    return Chart(
        "prefill",
        "Prefill: tokens per second against tokens",
        f"The highest tokens per second from {found.prefills.saturated_tokens:,} tokens on, within 5 %.",
        Axis("prompt tokens", log=True),
        Axis("tokens per second of the replica", log=True),
        series,
        tables.prefills(words.steps(found.prefills)),
    )


def prefill_time(found: Answer) -> Chart:
    """Seconds of the same prefills."""
    steps, several = found.prefills.by_length, found.prefills.by_prompts
    tokens = [float(step.tokens) for step in steps]
    series = (
        Series("datasheet", tokens, [1e3 * s.ideal_s for s in steps], "dashed", charts.BLUE),
        Series("one prompt", tokens, [1e3 * s.seconds for s in steps], "line", charts.PURPLE),
        Series(
            f"prompts of {several[0].tokens:,} tokens together",
            [float(step.tokens) for step in several[1:]],
            [1e3 * step.seconds for step in several[1:]],
            "points",
            charts.TEAL,
            [f"{step.sequences} prompts" for step in several[1:]],
        ),
    )
    return Chart(
        "prefill-time",
        "Prefill: time against tokens",
        "A batch of prompts takes its turn: its last first token comes when all are computed.",
        Axis("prompt tokens", log=True),
        Axis("ms until all are computed", log=True),
        series,
        None,
    )


def _spaced(low: float, high: float) -> list[float]:
    """Points evenly apart on a logarithmic axis."""
    count = max(2, round(DECADE * math.log10(high / low)))
    return [low * (high / low) ** (index / (count - 1)) for index in range(count)]


def quantisation(found: Answer) -> Chart:
    """How many times faster each format makes each phase."""
    some = [each for each in found.formats if each.prefill and each.decode and each.decode_full]
    at = [float(index) for index in range(len(some))]
    phases = {
        "prefill": (charts.PURPLE, [each.prefill for each in some]),
        "one decode": (charts.ORANGE, [each.decode for each in some]),
        f"{found.full.sequences} decodes": (charts.TEAL, [each.decode_full for each in some]),
    }
    series = []
    for index, (name, (colour, gains)) in enumerate(phases.items()):
        offset = 0.27 * (index - 1)
        series.append(
            Series(name, at, [g.seconds for g in gains if g], "bars", colour, offset=offset, width=0.24)
        )
        places = [x + offset for x in at]
        ideal = [gain.ideal for gain in gains if gain]
        series.append(Series(f"{name}, datasheet", places, ideal, "hollow", colour))
    return Chart(
        "quantisation",
        words.formats_heading(found),
        "Narrow weights speed what is bound by reading them, as decode is; only narrow arithmetic speeds "
        "what is bound by compute, as a long prefill is.",
        Axis("", categories=tuple(each.name for each in some)),
        Axis("times as fast as without"),
        tuple(series),
        tables.formats(found.formats),
    )


def dollars(found: Answer) -> Chart:
    """What a dollar buys of either ceiling."""
    dearest = min(row.bytes_per_s_per_usd_hour for row in found.hardware)
    cheapest = max(row.bytes_per_s_per_usd_hour for row in found.hardware)
    middle = math.sqrt(dearest * cheapest)
    series = [
        Series(
            f"{row.accelerator}, {row.dtype}",
            [row.bytes_per_s_per_usd_hour / 1e12],
            [row.flops_per_s_per_usd_hour / 1e12],
            "points",
            colour,
            [row.accelerator],
            labelled="left" if row.bytes_per_s_per_usd_hour > middle else "right",
        )
        for row, colour in zip(found.hardware, cycle((charts.BLUE, *OTHERS, charts.ORANGE)))
    ]
    return Chart(
        "dollars",
        "What a dollar an hour buys: bandwidth for decode, arithmetic for prefill",
        "To the right: cheaper bandwidth. Up: cheaper arithmetic. Peaks are dense; * marks an assumed price.",
        Axis("TB/s per $/h", log=True),
        Axis("TFLOPS per $/h", log=True),
        tuple(series),
        tables.datasheets(found.hardware),
    )


def bills(found: Answer) -> Chart:
    """Dollars per million output tokens, prefill and decode."""
    some = found.bills
    at = [float(index) for index in range(len(some))]
    prefill = [bill.prefill_usd for bill in some]
    decode = [bill.decode_usd for bill in some]
    return Chart(
        "bills",
        words.traffic_heading(found),
        words.favours(found),
        Axis("", categories=tuple(f"{bill.gpus} × {bill.accelerator}" for bill in some)),
        Axis("$ per million output tokens"),
        (
            Series("prefill", at, prefill, "bars", charts.PURPLE),
            Series("decode", at, decode, "bars", charts.ORANGE, bottom=prefill),
        ),
        tables.bills(some),
    )
