"""What the reference scheduler keeps: requests token by token, the engine's queues, one step's plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reference_blocks import Block, Pool, new_pool

STRIDE = 1_048_576  # token j of segment s is the integer s × STRIDE + j


@dataclass(eq=False, slots=True)
class Request:
    """A request in the engine; `tokens` are its prompt and the outputs known so far (R1)."""

    id: str
    order: int
    priority: int
    prompt_len: int
    output_len: int
    max_tokens: int
    output_segment: int
    tokens: list[int]
    remote_steps: int | None
    send_steps: int | None
    status: str = "waiting"  # waiting, loading, loaded, arrived, running, preempted, finished
    computed: int = 0
    placeholders: int = 0
    in_flight: int = 0
    stale: int = 0
    preemptions: int = 0
    mid_prefill: bool = False
    newest_batch: int = 0
    eligible: int = 0  # the number of the first step in which it may decode again (R74)
    blocks: list[Block] = field(default_factory=list)
    registered: int = 0
    keys: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Batch:
    """A scheduled batch: (request, tokens, whether it yields a token), and its number (0: empty)."""

    items: list[tuple[Request, int, bool]]
    number: int


@dataclass(slots=True)
class Plan:
    """One call of schedule() while it is being made."""

    budget: int
    threshold: int
    held: bool
    scheduled: list[tuple[Request, int]] = field(default_factory=list)
    admitted_prefill: bool = False
    new: list[Request] = field(default_factory=list)
    resumed: list[Request] = field(default_factory=list)
    preempted: list[Request] = field(default_factory=list)
    hits: dict[str, int] = field(default_factory=dict)
    loads: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Engine:
    """One engine: its configuration as recorded, pool, queues and what is on its way."""

    config: dict[str, Any]
    pool: Pool
    running: list[Request] = field(default_factory=list)
    waiting: list[Request] = field(default_factory=list)
    holding: list[Request] = field(default_factory=list)
    capacity_bound: bool = False
    since_prefill: int | None = None  # non-empty steps since the last that carried prefill
    step: int = 0
    batches: int = 0
    processed: int = 0
    loads: dict[Request, int] = field(default_factory=dict)  # request -> step from which it is done
    sends: dict[Request, int] = field(default_factory=dict)
    kept_back: list[tuple[int, list[Block]]] = field(default_factory=list)  # batch number, blocks
    stages: int = 1
    chunks_in_flight: bool = True  # whether a prompt may be in several batches (R75)
    preempted_ends_scan: bool = False  # older releases: so it does under every policy (R15)
    number: int = 0  # of this call of schedule(), also of one that schedules nobody


def new_engine(config: dict[str, Any], stages: int = 1, **rules: bool) -> Engine:
    """An empty engine of a recorded configuration; rules: of other releases, as fields of Engine."""
    pool = new_pool(config["block_size"], config["num_gpu_blocks"], config["enable_prefix_caching"])
    return Engine(config, pool, stages=stages, **rules)


def new_request(row: dict[str, Any], order: int) -> Request:
    """A request from its recorded row; `order` is its number among all additions."""
    prompt = [segment * STRIDE + j for segment, length in row["prompt"] for j in range(length)]
    return Request(
        id=row["id"],
        order=order,
        priority=row["priority"],
        prompt_len=len(prompt),
        output_len=row["output_len"],
        max_tokens=row.get("max_tokens") or row["output_len"],
        output_segment=row["output_segment"],
        tokens=prompt,
        remote_steps=row.get("remote_prefill_steps"),
        send_steps=row.get("send_steps"),
    )


def rank(request: Request) -> tuple[int, int, str]:
    """Order of the priority policy: smaller first (R2)."""
    return (request.priority, request.order, request.id)


def put_in_front(engine: Engine, queue: list[Request], requests: list[Request]) -> None:
    """Put requests in front of a queue, in their order; under priority each goes where its rank says."""
    queue[:0] = requests
    if engine.config["policy"] == "priority":
        queue.sort(key=rank)


def put_behind(engine: Engine, queue: list[Request], requests: list[Request]) -> None:
    """Put requests at the end of a queue, or where their rank says."""
    queue.extend(requests)
    if engine.config["policy"] == "priority":
        queue.sort(key=rank)
