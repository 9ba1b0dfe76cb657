"""Every metric, once: its name, unit, definition, and the function that computes it from a Sample.

Definitions agree with `vllm bench serve`: TPOT leaves out TTFT and one-token answers, ITL has one sample a
token gap, percentiles are numpy's linear ones. D is the time from the first arrival to the last token of the
requests counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.results import amounts as of
from simulator.results.sample import Sample
from simulator.results.statistics import Values, describe


@dataclass(frozen=True, slots=True)
class Distribution:
    """A metric with one value per request or per token gap. queued: it contains time spent in the queue;
    better: "lower", "higher" or neither."""

    name: str
    unit: str
    definition: str
    values: Callable[[Sample], Values]
    queued: bool = False
    better: str = ""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A metric with one value per run. work: also one per pool, since it speaks of what replicas did; queued:
    it depends on time spent in the queue; steady: sections of a run estimate it as the whole run does; most:
    what it cannot be over (MFU and MBU can, where a fixed step_time ignores the accelerator); better:
    "lower", "higher" or neither."""

    name: str
    unit: str
    definition: str
    value: of.Amount
    work: bool = False
    queued: bool = False
    steady: bool = True
    better: str = ""
    most: float = math.inf


# fmt: off
DISTRIBUTIONS = (
    Distribution("ttft_s", "s", "time to first token: from sending a request to its first token",
                 of.column("ttft_s"), queued=True, better="lower"),
    Distribution("tpot_s", "s", "(E2E − TTFT) / (output tokens − 1) of a request; one-token answers left out",
                 of.column("tpot_s"), better="lower"),
    Distribution("itl_s", "s", "inter-token latency: from one token to the next, one sample a gap",
                 lambda sample: sample.gaps, better="lower"),
    Distribution("e2e_s", "s", "end-to-end latency: from sending a request to its last token",
                 of.column("e2e_s"), queued=True, better="lower"),
    Distribution("queue_s", "s", "queue time: from sending a request to the first step that works on it",
                 of.column("queue_s"), queued=True, better="lower"),
    Distribution("prefill_s", "s", "from the first step that works on a request to its first token, or to "
                 "the end of its prompt when it is handed over",
                 of.column("prefill_s"), better="lower"),
    Distribution("decode_s", "s", "from a request's first token to its last, or from the first step on the "
                 "decode side when it is handed over",
                 of.column("decode_s"), better="lower"),
    Distribution("prompt_tokens", "tokens", "prompt length of finished requests", of.column("prompt_tokens")),
    Distribution("output_tokens", "tokens", "answer length of finished requests", of.column("emitted")),
)

THROUGHPUT = (
    Scalar("request_throughput", "1/s", "finished requests / D", of.per_second(of.requests), better="higher"),
    Scalar("output_throughput", "tokens/s", "output tokens of finished requests / D",
           of.per_second(of.output), better="higher"),
    Scalar("total_throughput", "tokens/s", "prompt and output tokens of finished requests / D",
           of.per_second(of.total), better="higher"),
    Scalar("request_throughput_per_accelerator", "1/s", "finished requests / D / accelerators",
           of.per_accelerator(of.requests), better="higher"),
    Scalar("output_throughput_per_accelerator", "tokens/s", "output tokens / D / accelerators",
           of.per_accelerator(of.output), better="higher"),
    Scalar("total_throughput_per_accelerator", "tokens/s", "prompt and output tokens / D / accelerators",
           of.per_accelerator(of.total), better="higher"),
    Scalar("requests_per_usd", "1/$", "finished requests / price of all accelerators over D",
           of.per_usd(of.requests), better="higher"),
    Scalar("output_tokens_per_usd", "tokens/$", "output tokens / price of all accelerators over D",
           of.per_usd(of.output), better="higher"),
    Scalar("total_tokens_per_usd", "tokens/$", "prompt and output tokens / price of all accelerators over D",
           of.per_usd(of.total), better="higher"),
    Scalar("usd_per_million_output_tokens", "$", "price of all accelerators over D per million output tokens",
           of.per_million("usd_per_s", of.output), better="lower"),
    Scalar("usd_per_million_tokens", "$", "the same per million prompt and output tokens",
           of.per_million("usd_per_s", of.total), better="lower"),
    Scalar("joules_per_million_output_tokens", "J",
           "upper bound: all accelerators at their TDP over the whole of D, per million output tokens",
           of.per_million("watts", of.output), better="lower"),
    Scalar("joules_per_million_tokens", "J", "the same upper bound per million prompt and output tokens",
           of.per_million("watts", of.total), better="lower"),
)

SERVICE = (
    Scalar("attainment", "1", "requests that finish within every bound of the SLO / all that came to an end",
           of.attainment, queued=True, better="higher", most=1.0),
    Scalar("goodput", "1/s", "requests that finish within every bound of the SLO / D",
           of.per_second(of.good_requests), queued=True, better="higher"),
    Scalar("goodput_per_accelerator", "1/s", "requests within the SLO / D / accelerators",
           of.per_accelerator(of.good_requests), queued=True, better="higher"),
    Scalar("goodput_per_usd", "1/$",
           "requests within the SLO / price of all accelerators over D",
           of.per_usd(of.good_requests), queued=True, better="higher"),
    Scalar("itl_attainment", "1", "inter-token gaps within the SLO's bound on ITL / all gaps",
           of.itl_attainment, better="higher", most=1.0),
    Scalar("input_output_ratio", "1", "prompt tokens / output tokens of finished requests",
           of.quotient(of.done("prompt_tokens"), of.output)),
    Scalar("prefix_hit_rate", "1", "prompt tokens found in the prefix cache / prompt tokens",
           of.quotient(of.done("hit_tokens"), of.done("prompt_tokens")), better="higher", most=1.0),
    Scalar("preemptions_per_request", "1", "times a running request lost its blocks / finished requests",
           of.quotient(of.done("preemptions"), of.requests), better="lower"),
)

WORK = (
    Scalar("busy", "1", "share of time in which a replica runs a step", of.per_replica("busy"),
           work=True, most=1.0),
    Scalar("prefill_share", "1", "share of busy time in steps that only prefill",
           of.work("prefill_share", "busy"), work=True, most=1.0),
    Scalar("decode_share", "1", "share of busy time in steps that only decode",
           of.work("decode_share", "busy"), work=True, most=1.0),
    Scalar("mixed_share", "1", "share of busy time in steps that do both",
           of.work("mixed_share", "busy"), work=True, most=1.0),
    Scalar("mfu", "1", "FLOPs done / dense peak FLOPs of the time elapsed, idle time included",
           of.reached("flops", "flops_per_s"), work=True),
    Scalar("mbu", "1", "bytes moved / peak HBM bytes of the time elapsed, idle time included",
           of.reached("bytes", "bytes_per_s"), work=True),
    Scalar("intensity", "FLOP/byte", "arithmetic intensity reached: FLOPs done / bytes moved",
           of.work("flops", "bytes"), work=True),
    Scalar("ridge", "FLOP/byte", "peak FLOP/s / peak HBM bytes/s: under it bandwidth limits, over it compute",
           of.ridge, work=True, steady=False),
    Scalar("batch_size", "requests", "decoding requests a step, mean over steps",
           of.work("decode_tokens", "steps"), work=True),
    Scalar("running", "requests", "requests being served by a replica, mean over time and replicas",
           of.per_replica("running"), work=True),
    Scalar("waiting", "requests", "requests queued at a replica, mean over time and replicas",
           of.per_replica("waiting"), work=True),
    Scalar("kv_use", "1", "KV blocks in use / all, mean over time and replicas; idle time counts as none",
           of.per_replica("kv_use"), work=True, most=1.0),
    Scalar("kv_peak", "1", "KV use in the fullest time bin of any replica", of.kv_peak, work=True,
           steady=False, most=1.0),
)
# fmt: on

SCALARS = THROUGHPUT + SERVICE + WORK


Evaluated = dict[str, dict[str, float] | float]


def evaluate(sample: Sample) -> Evaluated:
    """Every metric of a sample: statistics of distributions, values of scalars; NaN where undefined."""
    distributions = {metric.name: describe(metric.values(sample)) for metric in DISTRIBUTIONS}
    return {**distributions, **{metric.name: metric.value(sample) for metric in SCALARS}}
