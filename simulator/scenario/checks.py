"""What must hold between fields: contradictions, and options that would have no effect.

Each check yields (path below its section, what is wrong, what is allowed). A value equal to its default never
counts as an option without effect, so that a fully written-out scenario is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic_core import PydanticCustomError

Fault = tuple[tuple[str, ...], str, str]
Section = TypeVar("Section")


def raising(check: Callable[[Any], Iterator[Fault]]) -> Callable[[Section], Section]:
    """A pydantic validator out of a check: one error that carries all the faults."""

    def validate(section: Section) -> Section:
        faults = list(check(section))
        if faults:
            raise PydanticCustomError("scenario_section", "contradiction", {"faults": faults})
        return section

    return validate


def engine(args: Any) -> Iterator[Fault]:
    if args.long_prefill_token_threshold_adaptive and not args.long_prefill_token_threshold:
        yield (
            ("long_prefill_token_threshold_adaptive",),
            "has no effect without long_prefill_token_threshold",
            "set long_prefill_token_threshold too, or leave this out",
        )
    budget, seqs, length = args.max_num_batched_tokens, args.max_num_seqs, args.max_model_len
    if budget and seqs and budget < seqs:
        what = f"{budget} is less than max_num_seqs ({seqs})"
        yield ("max_num_batched_tokens",), what, f"{seqs} or more"
    if budget and length and args.enable_chunked_prefill is False and budget < length:
        what = f"{budget} is less than max_model_len ({length}), and chunked prefill is off"
        yield ("max_num_batched_tokens",), what, f"{length} or more"
    yield from _memory(args)


def _memory(args: Any) -> Iterator[Fault]:
    blocks, kv_bytes = args.num_gpu_blocks_override, args.kv_cache_memory_bytes
    if blocks and kv_bytes:
        yield ("kv_cache_memory_bytes",), "has no effect with num_gpu_blocks_override", "one of the two"


def pool(section: Any) -> Iterator[Fault]:
    if section.step_time and section.engine.enforce_eager:
        yield ("engine", "enforce_eager"), "has no effect with step_time", "leave it out"


def fleet(section: Any) -> Iterator[Fault]:
    roles = {pool.role for pool in section.pools.values()}
    for name, pool in section.pools.items():
        if pool.role != "both" and {"prefill": "decode", "decode": "prefill"}[pool.role] not in roles:
            other = {"prefill": "decode", "decode": "prefill"}[pool.role]
            yield (
                ("pools", name, "role"),
                f"a {pool.role} pool without a {other} pool",
                f"a {other} pool beside it",
            )
    if section.transfer and roles == {"both"}:
        yield ("transfer",), "has no effect without prefill and decode pools", "leave it out"


def slo(section: Any) -> Iterator[Fault]:
    if not any((section.ttft, section.tpot, section.itl, section.e2e)):
        yield (), "an slo without a bound has no effect", "at least one of ttft, tpot, itl, e2e"


def run(section: Any) -> Iterator[Fault]:
    if section.warmup and section.duration and section.warmup >= section.duration:
        yield ("warmup",), "leaves nothing of the run's duration", f"less than {section.duration:g} s"
    if section.resample == "none" and section.replications > 1:
        yield ("resample",), "none: the replications would all be equal", "blocks, or replications: 1"


def scenario(whole: Any) -> Iterator[Fault]:
    yield from _source(whole.workload)
    yield from _model(whole.model)
    if whole.workload.synthetic is not None and whole.run.resample:
        yield ("run", "resample"), "has no effect on a synthetic workload", "leave it out"
    used = {pool.accelerator for pool in whole.fleet.pools.values()}
    for name in whole.prices:
        if name not in used:
            yield ("prices", name), "has no effect: no pool has that accelerator", ", ".join(sorted(used))


def _model(model: Any) -> Iterator[Fault]:
    if model.name is None and model.config is None:
        yield (
            ("model",),
            "no model",
            "name: a name of `sim list models`, or config: a Hugging Face config.json",
        )


TRACE_ONLY: dict[str, Any] = {
    "trace_sha256": None,
    "format": None,
    "format_options": {},
    "skip_bad_rows": False,
    "slice": None,
}


def _source(workload: Any) -> Iterator[Fault]:
    if (workload.trace is None) == (workload.synthetic is None):
        found = "no workload" if workload.trace is None else "two workloads: trace and synthetic"
        yield ("workload",), found, "exactly one of trace and synthetic"
    elif workload.synthetic is not None:
        for key, default in TRACE_ONLY.items():
            if getattr(workload, key) != default:
                yield ("workload", key), "has no effect on a synthetic workload", "leave it out"
