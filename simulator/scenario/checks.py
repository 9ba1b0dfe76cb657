"""What must hold between fields: contradictions, and options that would have no effect.

Each check yields (path below its section, what is wrong, what is allowed, perhaps a hint). A value equal to
its default never counts as an option without effect, so that a fully written-out scenario is valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic_core import PydanticCustomError

from simulator import catalog
from simulator.errors import unknown
from simulator.scenario.members import LAYOUT, parts

Fault = tuple[tuple[str, ...], str, str] | tuple[tuple[str, ...], str, str, str]
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
    members = section.members
    if not members and section.accelerator is None:
        yield ("accelerator",), "is missing", "a name of `sim list accelerators`, or members with one each"
    for key, default in (("replicas", 1), ("accelerator", None)):
        if members and getattr(section, key) != default:
            yield (key,), "has no effect: each of members has its own", "leave it out"
    for key in LAYOUT:
        given = getattr(section, key) not in (1, False)
        if members and given and all(getattr(own, key) is not None for own in members.values()):
            yield (key,), "has no effect: each of members has its own", "leave it out"


def fleet(section: Any) -> Iterator[Fault]:
    roles = {pool.role for pool in section.pools.values()}
    for name, pool in section.pools.items():
        if pool.role == "prefill" and roles == {"prefill"}:
            yield ("pools", name, "role"), "a prefill pool without a decode pool", "a decode pool beside it"
        if pool.role == "decode" and "prefill" not in roles:
            yield ("pools", name, "role"), "a decode pool without a prefill pool", "a prefill pool beside it"
        for member in pool.members or {}:
            if f"{name}/{member}" in section.pools:
                yield ("pools", name, "members", member), "a pool has that name", "another name"
        others = [
            other for other in section.pools.values() if (other.role == "decode") == (pool.role == "decode")
        ]
        if pool.router is not None and len(others) > 1:
            yield (
                ("pools", name, "router"),
                "has no effect: several pools share the fleet's router",
                "leave it out",
            )
    yield from _transfer(section, "prefill" in roles)


def _transfer(section: Any, needed: bool) -> Iterator[Fault]:
    transfer = section.transfer
    if transfer is None:
        if needed:
            yield (
                (),
                "transfer is missing: prefill pools hand KV caches over",
                "transfer: {bandwidth: …, latency: …}",
            )
    elif not needed:
        yield ("transfer",), "has no effect without prefill and decode pools", "leave it out"
    elif transfer.link is None and (transfer.bandwidth is None or transfer.latency is None):
        yield ("transfer",), "no link", "link: a name of `sim list links`, or bandwidth and latency"
    if transfer is not None:
        push, sends, _ = handing(transfer)
        if sends != "prompt" and not push:
            what = f"sends {sends} without push: nobody has reserved blocks to send to"
            yield ("transfer", "push" if transfer.sends is None else "sends"), what, "prompt, or push: true"


def handing(transfer: Any) -> tuple[bool, str, str]:
    """push, sends and first_token: as they are given, else as the connector has them."""
    known: catalog.Connector = catalog.load("connectors", transfer.connector)
    push = known.push if transfer.push is None else transfer.push
    return push, transfer.sends or known.sends, transfer.first_token or known.first_token


def slo(section: Any) -> Iterator[Fault]:
    if not any((section.ttft, section.tpot, section.itl, section.e2e)):
        yield (), "an slo without a bound has no effect", "at least one of ttft, tpot, itl, e2e"


def run(section: Any) -> Iterator[Fault]:
    if section.warmup and section.duration and section.warmup >= section.duration:
        yield ("warmup",), "leaves nothing of the run's duration", f"less than {section.duration:g} s"
    if section.resample == "none" and section.replications > 1:
        yield ("resample",), "none: the replications would all be equal", "blocks, or replications: 1"
    yield from _precision(section)


def _precision(section: Any) -> Iterator[Fault]:
    if section.precision is None:
        for key in ("precision_of", "max_replications"):
            if getattr(section, key) is not None:
                yield (key,), "has no effect without precision", "precision: 5 %, or leave it out"
        return
    if section.resample == "none":
        yield ("precision",), "cannot be reached without replications", "resample: blocks"
    if section.max_replications is not None and section.max_replications < section.replications:
        what = f"{section.max_replications} is less than replications ({section.replications})"
        yield ("max_replications",), what, f"{section.replications} or more"


def scenario(whole: Any) -> Iterator[Fault]:
    if whole.workload.synthetic is not None and whole.run.resample:
        yield ("run", "resample"), "has no effect on a synthetic workload", "leave it out"
    used = {str(part.section.accelerator) for part in parts(whole.fleet.pools)}
    for name in whole.prices:
        if name not in used:
            yield ("prices", name), "has no effect: no pool has that accelerator", ", ".join(sorted(used))


# of config.json, for a model that is given inline
SHAPE = (
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "tie_word_embeddings",
)


def inline(section: Any) -> dict[str, Any]:
    """The fields of a model's config that stand in the scenario itself."""
    return {key: getattr(section, key) for key in SHAPE if getattr(section, key) is not None}


def model(section: Any) -> Iterator[Fault]:
    given = inline(section)
    if section.name is None and section.config is None and not given:
        yield (), "no model", "name: a name of `sim list models`, or config: a Hugging Face config.json"
    if section.config is not None:
        for key in given:
            yield (key,), "has no effect beside config", "one of the two"
    elif section.name is not None and catalog.known("models", section.name):
        for key in given:
            yield (key,), f"has no effect: {section.name} is a model of the catalogue", "another name"
    elif section.name is not None and not given:
        problem = unknown("", "model", section.name, catalog.names("models"))
        yield ("name",), problem.what, problem.allowed, problem.hint


TRACE_ONLY: dict[str, Any] = {
    "format": None,
    "format_options": {},
    "skip_bad_rows": False,
    "slice": None,
}


def workload(section: Any) -> Iterator[Fault]:
    if (section.trace is None) == (section.synthetic is None):
        found = "no workload" if section.trace is None else "two workloads: trace and synthetic"
        yield (), found, "exactly one of trace and synthetic"
    elif section.synthetic is not None:
        for key, default in TRACE_ONLY.items():
            if getattr(section, key) != default:
                yield (key,), "has no effect on a synthetic workload", "leave it out"
        if section.synthetic.arrivals.kind == "closed_loop" and section.rate_scale != 1:
            yield ("rate_scale",), "has no effect on a closed loop", "synthetic.arrivals.concurrency"
    if section.slice and section.slice.end is not None and section.slice.end <= section.slice.start:
        yield ("slice", "end"), "is not after its start", f"more than {section.slice.start:g} s"


Alternatives = tuple[frozenset[str], ...]


def by_kind(
    table: dict[str, tuple[Alternatives, dict[str, Any]]], common: frozenset[str]
) -> Callable[[Any], Iterator[Fault]]:
    """A check of a section whose `kind` decides on its keys.

    table: kind → sets of keys, one of which must be given whole; and optional keys with their defaults.
    """

    def check(section: Any) -> Iterator[Fault]:
        alternatives, optional = table[section.kind]
        given = section.model_fields_set - {"kind"} - common - optional.keys()
        needed = max(alternatives, key=lambda keys: (len(keys & given), -len(keys - given)))
        allowed = " or ".join(", ".join(sorted(keys)) for keys in alternatives if keys)
        for key in sorted(needed - given):
            yield (), f"{key} is missing: kind {section.kind} needs it", allowed
        for key in sorted(given - needed):
            yield (key,), f"has no effect with kind {section.kind}", allowed or "leave it out"

    return check


def lengths(table: dict[str, tuple[Alternatives, dict[str, Any]]]) -> Callable[[Any], Iterator[Fault]]:
    """A check of a distribution of tokens."""
    kinds = by_kind(table, frozenset())

    def check(section: Any) -> Iterator[Fault]:
        yield from kinds(section)
        if section.max is not None and section.max < (section.min or 1):
            yield ("max",), f"{section.max} is less than min", f"{section.min or 1} or more"
        if section.median and section.p90 and section.p90 < section.median:
            yield ("p90",), f"{section.p90:g} is less than the median", f"{section.median:g} or more"
        yield from _quantiles(section.quantiles or {})

    return check


def _quantiles(given: dict[str, float]) -> Iterator[Fault]:
    try:
        percents = [float(key) for key in given]
    except ValueError:
        yield ("quantiles",), "a percent is no number", "percent: tokens, such as 50: 1200"
        return
    tokens = list(given.values())
    if given and (len(given) < 2 or percents[0] <= 0 or percents[-1] >= 100):
        yield ("quantiles",), "two or more percents between 0 and 100 are needed", "percent: tokens"
    if percents != sorted(set(percents)) or tokens != sorted(tokens):
        yield ("quantiles",), "percents and tokens must ascend", "percent: tokens"
