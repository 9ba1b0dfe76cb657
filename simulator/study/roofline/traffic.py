"""What a traffic asks of each phase: seconds of accelerators a request, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.catalog import Accelerator
from simulator.cost.work import Work
from simulator.errors import InputError, Problem
from simulator.scenario.resolved import ModelSpec
from simulator.study.roofline.curve import grid
from simulator.study.roofline.formats import servable
from simulator.study.roofline.replica import Replica, Settings, fitting, layouts
from simulator.study.roofline.steps import packed

BLOCK = 16  # tokens of a KV block, of which only whole ones are shared
LARGE = ("gemm", "moe", "attention", "mla")
MEMORY, SEQS, TPOT, THROUGHPUT = "KV room", "max_num_seqs", "the TPOT asked for", "no gain beyond"


@dataclass(frozen=True, slots=True)
class Traffic:
    """prompts, outputs: tokens of each request, all ≥ 1; repeated: share of the prompt tokens that an
    unlimited prefix cache would serve."""

    prompts: tuple[int, ...]
    outputs: tuple[int, ...]
    source: str
    repeated: float = 0.0

    @property
    def prompt(self) -> float:
        """Mean tokens of a prompt."""
        return sum(self.prompts) / len(self.prompts)

    @property
    def output(self) -> float:
        return sum(self.outputs) / len(self.outputs)

    @property
    def decoded(self) -> int:
        """Tokens that decode steps generate: the first of each output comes from its prefill."""
        return sum(self.outputs) - len(self.outputs)

    @property
    def context(self) -> float:
        """Keys that a decode reads, on average over all decodes; the mean prompt if there are none."""
        keys = sum((o - 1) * p + (o - 1) * o / 2 for p, o in zip(self.prompts, self.outputs))
        return keys / self.decoded if self.decoded else self.prompt


def of_trace(path: Path, longest: int, over_limit: str = "error") -> Traffic:
    """The lengths of a trace in any known format. Requests of more than `longest` tokens are refused with
    their number (`error`), left out (`drop`) or cut (`clip`). Raises InputError for what is wrong with it."""
    from simulator.workload.reading import read_trace
    from simulator.workload.stats import prefix_hits
    from simulator.workload.transform import fit_model

    load = read_trace(path)
    try:
        load = fit_model(load, longest, over_limit)
    except InputError as error:
        hint = "--over-limit drop leaves them out, --over-limit clip shortens them"
        raise InputError(replace(error.problems[0], where=f"--traffic {path}", hint=hint)) from None
    if not len(load):
        raise InputError(Problem(f"--traffic {path}", "no request is left", f"up to {longest} tokens"))
    prompts, outputs = load.prompt_tokens.tolist(), load.output_tokens.tolist()
    repeated = prefix_hits(load, BLOCK) / sum(prompts)
    return Traffic(tuple(prompts), tuple(outputs), path.name, repeated)


@dataclass(frozen=True, slots=True)
class Bill:
    """One accelerator kind under a traffic, phases one after the other, always full.

    gpus: of the replica; batch: decodes at once, limited_by what; tpot_s: seconds of such a step;
    prefill_s, decode_s: accelerator-seconds a request; …_usd: per million output tokens; kind: fitted, or
    assumed where an efficiency is another accelerator's.
    """

    accelerator: str
    quantization: str
    gpus: int
    batch: int
    limited_by: str
    tpot_s: float
    prefill_s: float
    decode_s: float
    prefill_share: float
    usd: float
    prefill_usd: float
    decode_usd: float
    output_tokens_per_usd: float
    kind: str


def bills(
    model: ModelSpec,
    accelerators: tuple[Accelerator, ...],
    traffic: Traffic,
    settings: Settings,
    *,
    size: int | None = None,
    tpot_s: float | None = None,
) -> tuple[list[Bill], dict[str, str]]:
    """The cheapest layout of each accelerator, cheapest first; and why others have none. size: the
    tensor-parallel size, None: whichever is cheapest; tpot_s: the longest step allowed."""
    found, reasons = [], {}
    for accelerator in accelerators:
        try:
            options = list(_options(servable(model, accelerator), accelerator, settings, size))
        except InputError as error:
            reasons[accelerator.name] = reason(error)
            continue
        priced = [bill for option in options if (bill := _bill(option, traffic, tpot_s))]
        if priced:
            found.append(min(priced, key=lambda bill: bill.usd))
        else:
            reasons[accelerator.name] = _none_within(options, traffic, tpot_s)
    return sorted(found, key=lambda bill: bill.usd), reasons


def reason(error: InputError) -> str:
    """Its first problem in a sentence, with the way out."""
    problem = error.problems[0]
    return f"{problem.what} ({problem.hint})" if problem.hint else problem.what


def _options(
    model: ModelSpec, accelerator: Accelerator, settings: Settings, size: int | None
) -> Iterator[Replica]:
    if size is not None:
        yield fitting(model, accelerator, size, settings)
        return
    some = False
    for option in layouts(model, accelerator, settings):
        some = True
        yield option
    if not some:
        yield fitting(model, accelerator, 1, settings)


def _none_within(options: list[Replica], traffic: Traffic, tpot_s: float | None) -> str:
    fastest = min(_tpot(option, 1, traffic.context) for option in options)
    return f"no layout decodes in {1e3 * (tpot_s or 0):g} ms: the fastest takes {1e3 * fastest:.3g} ms"


def _bill(option: Replica, traffic: Traffic, tpot_s: float | None) -> Bill | None:
    batch, limit = best_batch(option, traffic, tpot_s)
    if not batch:
        return None
    step, requests = _tpot(option, batch, traffic.context), len(traffic.prompts)
    prefill = prefill_s(option, traffic) * option.gpus / requests
    decode = traffic.decoded * step / batch * option.gpus / requests
    dollars = option.accelerator.price_usd_per_hour / 3600 / traffic.output * 1e6
    return Bill(
        option.accelerator.name,
        option.model.quantization,
        option.gpus,
        batch,
        limit,
        step,
        prefill,
        decode,
        prefill / (prefill + decode),
        (prefill + decode) * dollars,
        prefill * dollars,
        decode * dollars,
        1e6 / ((prefill + decode) * dollars),
        kind(option),
    )


def kind(option: Replica) -> str:
    """assumed if the efficiency of matrices, experts or attention is another accelerator's, else fitted."""
    option.cost.price(Work(1, 1024, ((16, 0),), 2))
    rates = option.cost.rates.used()
    large = [rate.kind for name, rate in rates.items() if name.startswith(LARGE)]
    return "assumed" if "assumed" in large else "fitted"


def best_batch(option: Replica, traffic: Traffic, tpot_s: float | None) -> tuple[int, str]:
    """The batch of the highest throughput that memory, max_num_seqs and the TPOT allow, and which of them
    keeps it from being larger; 0 if none is."""
    context = traffic.context
    room = option.holds(context + option.cost.engine.block_size / 2)
    limit = SEQS if room == option.cost.engine.max_num_seqs else MEMORY
    held = [batch for batch in grid(option, [room] if room else []) if batch <= room]
    steps = {batch: _tpot(option, batch, context) for batch in held}
    quick = [batch for batch in held if tpot_s is None or steps[batch] <= tpot_s]
    best = max(quick, key=lambda batch: batch / steps[batch], default=0)
    if best == room:
        return best, limit
    return best, TPOT if best == max(quick, default=0) else THROUGHPUT


def prefill_s(option: Replica, traffic: Traffic) -> float:
    """Seconds of all prefills, packed into full steps."""
    works = packed(traffic.prompts, option.cost.engine.max_num_batched_tokens)
    return sum(option.cost.price(work).seconds for work in works)


def _tpot(option: Replica, batch: int, context: float) -> float:
    return option.cost.price(Work(batch, round(batch * context), (), batch)).seconds
