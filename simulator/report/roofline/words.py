"""The study's sentences, the same on every medium."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.report.terminal import number, share
from simulator.study.roofline import curve as curves
from simulator.study.roofline.hardware import Hardware
from simulator.study.roofline.prefills import Prefills
from simulator.study.roofline.roofs import Roof
from simulator.study.roofline.steps import ENGINE, Step
from simulator.study.roofline.study import Answer
from simulator.study.roofline.zones import NEAR_LINEAR_SHARE, PLATEAU_SHARE

STOPS = {
    curves.COMPUTE: "the layers' arithmetic",
    curves.WEIGHTS: "reading further experts' weights",
    curves.KV: "reading the KV cache",
    curves.SEQS: "max_num_seqs",
    curves.LATENCY: "the engine's and the links' time",
    curves.OTHER: "norms, sampling and the output matrix",
}


def title(found: Answer) -> str:
    fit = found.fit
    parts = [fit.model, f"weights {fit.weights}", f"KV cache {fit.kv_cache}"]
    return " · ".join([*parts, f"{fit.gpus} × {fit.accelerator}", fit.engine])


def verdicts(found: Answer) -> Iterator[str]:
    """What a planner should take away, a sentence each."""
    first, alone, ridge = found.prefill, found.alone, found.roof
    yield (
        f"A prefill of {first.tokens:,} tokens works at {number(first.intensity)} FLOP/byte and is bound by "
        f"{bound(first)}; one decode at {number(alone.intensity)}, bound by {bound(alone)}. "
        f"The ridge of {ridge.dtype} is {ridge.ridge:.0f}, {ridge.reached_ridge:.0f} as reached."
    )
    yield (
        f"A token of one decode takes {number(found.gap.seconds)} × as long as one of that prefill "
        f"({number(found.gap.ideal)} × at the datasheet's figures)."
    )
    yield crossing(found)
    fit, curve = found.fit, found.curve
    yield (
        f"Of {fit.requested_bytes / 1e9:.1f} GB an accelerator, weights take {fit.weight_bytes / 1e9:.1f}, "
        f"working memory {fit.working_bytes / 1e9:.1f}: the KV cache holds {fit.kv_tokens:,} tokens, "
        f"{curve.room:,} requests of {curve.context:,}."
    )
    if found.bills:
        yield favours(found)


def crossing(found: Answer) -> str:
    ideal, reached = found.crossing.ideal_tokens, found.crossing.reached_tokens
    if ideal is None:
        return "The layers' matrices stay bound by memory at any number of tokens, by the datasheet."
    rest = f" ({reached:,} as reached)" if reached else ""
    return (
        f"The layers' matrices are bound by compute from {ideal:,} tokens a step on{rest}, in either phase."
    )


def favours(found: Answer) -> str:
    """Which accelerator the traffic favours, and each of its phases."""
    best, bills = found.bills[0], found.bills
    prefill, decode = min(bills, key=lambda b: b.prefill_usd), min(bills, key=lambda b: b.decode_usd)
    text = (
        f"{traffic(found)} spends {share(best.prefill_share)} of its time in prefill on {best.accelerator}, "
        f"the cheapest of {len(bills)}: ${number(best.usd)} per million output tokens"
    )
    if prefill.accelerator == decode.accelerator:
        return f"{text}; it is the cheapest for either phase."
    return f"{text}; prefill alone is cheapest on {prefill.accelerator}, decode on {decode.accelerator}."


def traffic(found: Answer) -> str:
    data = found.traffic or {}
    return f"This traffic ({number(data['prompt_tokens'])} tokens in, {number(data['output_tokens'])} out)"


def bound(step: Step) -> str:
    """What most of a step's seconds go to."""
    by_bound: dict[str, float] = {}
    for part in step.parts:
        by_bound[part.bound] = by_bound.get(part.bound, 0.0) + part.seconds
    return max(by_bound, key=lambda name: by_bound[name])


def step(found: Step) -> str:
    if found.phase == "prefill":
        return f"prefill of {found.tokens:,} tokens"
    return f"{found.sequences} × decode at {found.context:,}"


def short(found: Step) -> str:
    return f"{found.tokens:,} tokens" if found.phase == "prefill" else f"{found.sequences} ×"


def steps(some: Prefills) -> list[Step]:
    """All prefills: one prompt by its length, then several."""
    return [*some.by_length, *some.by_prompts[1:]]


def points(found: Answer) -> list[Step]:
    """The operating points: the prefill, one decode, and as many as fit if that is another."""
    return list(dict.fromkeys((found.prefill, found.alone, found.full)))


def roof(found: Answer) -> str:
    return f"{found.roof.accelerator}, {found.roof.dtype}"


def roofs_shown(found: Answer) -> list[Roof]:
    """All dtypes of the first accelerator, of the others that of the layers."""
    first = found.fit.accelerator
    return [each for each in found.roofs if each.accelerator == first or each.dtype == found.roof.dtype]


def on_roofs() -> list[str]:
    return [
        "reached: by large matrix products, as fitted to measured kernels (a shape may do better or worse "
        "than the fit); assumed: another accelerator's fit"
    ]


def key(found: Answer) -> str:
    parts = [f"─ datasheet, · reached, P {step(found.prefill)}, 1 {step(found.alone)}"]
    if found.full != found.alone:
        parts.append(f"D {step(found.full)}")
    return ", ".join(parts)


def key_sentence(found: Answer) -> str:
    """The chart in words."""
    first, alone, full = found.prefill, found.alone, found.full
    text = (
        f"Prefill lies at {number(first.intensity)} FLOP/byte and {share(first.mfu)} of the peak, "
        f"one decode at {number(alone.intensity)} and {share(alone.mfu)}"
    )
    if full is not alone and full != alone:
        text += f", {full.sequences} decodes at {number(full.intensity)} and {share(full.mfu)}"
    return f"{text}. The roof bends at {found.roof.ridge:.0f}."


def decode_heading(found: Answer) -> str:
    return f"Decode against batch, {found.curve.context:,} tokens of context each"


def zones(found: Answer) -> str:
    """The zones in a sentence."""
    parts = [f"{zone.name} to {zone.last:,}" for zone in found.curve.zones]
    return f"Requests at once: {', '.join(parts)}; the KV cache holds {found.curve.room:,}."


def on_zones(found: Answer) -> list[str]:
    """The zones, what ends them, and how they are defined."""
    curve, lines = found.curve, []
    for zone in curve.zones:
        span = f"{zone.name} from {zone.first:,} to {zone.last:,}"
        grows = f"the step grows by {1e3 * zone.grown_s:.1f} ms through {STOPS[zone.grows]}"
        lines.append(f"{span}: {grows}; then {STOPS[zone.ended_by]}")
    if curve.room_is == curves.KV_ROOM:
        lines.append(f"the KV cache ends the curve at {curve.room:,}: {share(_reach(found))} of the best")
    lines.append(
        f"zones by what one more request adds to tokens/s, of what the first brought: near-linear ≥ "
        f"{NEAR_LINEAR_SHARE:.0%}, bending ≥ {PLATEAU_SHARE:.0%}, plateau below; best at {curve.best:,}"
    )
    return lines


def _reach(found: Answer) -> float:
    """Throughput at the largest batch that fits, of the highest shown."""
    best = max(row.step.tokens_per_s for row in found.curve.rows)
    return found.full.tokens_per_s / best


def on_prefill(found: Answer) -> list[str]:
    some = found.prefills
    several = some.by_prompts[-1].tokens_per_s / some.by_prompts[0].tokens_per_s
    return [
        f"within 5 % of the highest tokens/s from {some.saturated_tokens:,} tokens on; "
        f"{some.by_prompts[-1].sequences} prompts of {some.by_prompts[0].tokens:,} together: {several:.2f} × "
        f"the tokens/s of one (a step holds {some.budget:,} tokens)"
    ]


def worth_showing(step: Step, found: Answer) -> bool:
    """A few lengths; all of them are in --json, --csv and --html."""
    if step.sequences > 1:
        return step.sequences in (4, 16)
    return step.tokens in (128, 512, 2048, 8192, 32768, found.prefill.tokens, found.prefills.saturated_tokens)


def formats_heading(found: Answer) -> str:
    first, full = step(found.prefill), found.full.sequences
    where = f"{found.fit.gpus} × {found.fit.accelerator}"
    return f"Quantisation on {where}: times faster than none at {first}, at 1 and {full} decodes"


def on_formats(found: Answer) -> list[str]:
    lines = [
        "ideal: at the datasheet's figures; ×: by the cost model; full: the batch of the heading; too large: "
        "for this layout"
    ]
    return lines + [each.runs for each in found.formats if each.runs]


def speed_heading(found: Answer) -> str:
    """What the three speeds are."""
    full = found.full.sequences
    return f"Tokens/s of one accelerator: {step(found.prefill)}, {step(found.alone)}, full: {full} × decode"


def on_speeds(found: Answer) -> list[str]:
    lines = [f"{row.accelerator}: {row.why}" for row in found.hardware if row.why]
    if any(row.speed and not row.speed.full_fits for row in found.hardware):
        lines.append("too small: its KV cache does not hold that batch")
    return lines


def traffic_heading(found: Answer) -> str:
    data = found.traffic or {}
    if data["requests"] == 1:
        return f"Traffic: {data['source']} tokens"
    means = f"{data['prompt_tokens']:,.0f} tokens in and {data['output_tokens']:,.0f} out on average"
    return f"Traffic {data['source']}: {data['requests']:,} requests, {means}"


def on_bills(found: Answer) -> list[str]:
    lines = [f"{name}: {why}" for name, why in found.no_bill.items()]
    lines.append(
        "prefill, decode: share of an accelerator's time, always full, phases one after the other; the "
        "cheapest layout of each"
    )
    repeated = (found.traffic or {})["repeated_share"]
    if repeated:
        lines.append(f"an unlimited prefix cache would spare up to {share(repeated)} of the prompt tokens")
    return lines


def on_prices(rows: Iterable[Hardware]) -> list[str]:
    if any("assumed" in row.price_source for row in rows):
        return ["*: an assumed price; --price NAME=USD replaces it, as it does any other"]
    return ["--price NAME=USD replaces a price"]


def footing(found: Answer) -> Iterator[str]:
    """What the figures rest on."""
    kinds = ", ".join(f"{kind} ({ops})" for kind, ops in _by_kind(found).items())
    engine = f"{1e3 * found.alone.part(ENGINE).seconds:.2f} ms of engine time a step"
    yield f"ms, tok/s: kernel times {kinds}, and {engine} ({found.alone.part(ENGINE).source})"
    yield "ideal: each op at the datasheet's dense peak or bandwidth, whichever takes longer; nothing else"
    yield from on_prices(found.hardware)


def _by_kind(found: Answer) -> dict[str, str]:
    """fitted and assumed, each with its kinds of op."""
    ops: dict[str, list[str]] = {}
    for name, rate in found.provenance["ops"].items():
        ops.setdefault(rate["kind"], []).append(f"{name} {rate['median_pct']:.3g} %")
    return {kind: ", ".join(names) for kind, names in ops.items()}
