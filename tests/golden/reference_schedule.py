"""One schedule() call of the reference, request by request: running ones, then waiting ones (R10–R33)."""

from __future__ import annotations

from reference_blocks import Block, content_keys, find, hold, let_go, register, take
from reference_state import Batch, Engine, Plan, Request, put_in_front


def schedule(engine: Engine) -> tuple[Plan, Batch]:
    """Plan one step and advance the requests in it (R10–R29)."""
    engine.number += 1
    held = _prefill_is_held(engine)
    plan = Plan(engine.config["max_num_batched_tokens"], _threshold(engine), held)
    _scan_running(engine, plan)
    if not plan.preempted:  # R17
        _scan_waiting(engine, plan)
    return plan, _advance(engine, plan)


def _threshold(engine: Engine) -> int:  # R11
    config = engine.config
    limit = int(config["long_prefill_token_threshold"])
    eligible = len(engine.running) + len(engine.waiting) + len(engine.holding)
    if limit == 0 or eligible <= 1:
        return 0
    if config["long_prefill_token_threshold_adaptive"]:
        return max(limit, int(config["max_num_batched_tokens"]) // eligible)
    return limit


def _prefill_is_held(engine: Engine) -> bool:  # R25
    interval = engine.config["prefill_schedule_interval"]
    if interval <= 1 or engine.capacity_bound or engine.since_prefill is None:
        return False
    decoding = any(not request.mid_prefill for request in engine.running)
    return decoding and engine.since_prefill + 1 < int(interval)


def _scan_running(engine: Engine, plan: Plan) -> None:
    index = 0
    while index < len(engine.running) and plan.budget > 0:
        request = engine.running[index]
        count = _running_share(engine, plan, request)
        if count == 0:
            index += 1
            continue
        index, going_on = _place(engine, plan, request, count, index)
        if not going_on:
            return


def _running_share(engine: Engine, plan: Plan, request: Request) -> int:
    """Tokens that a running request wants from this step (R12, R13, R25, R74, R75)."""
    if request.mid_prefill:
        if plan.held or (request.in_flight and not engine.chunks_in_flight):
            return 0
    elif engine.config["async_scheduling"] and engine.number < request.eligible:
        return 0
    ending = request.computed + 2 - request.placeholders >= request.prompt_len + request.max_tokens
    if request.placeholders > 0 and ending:
        return 0
    count = len(request.tokens) + request.placeholders - request.computed
    if 0 < plan.threshold < count:
        count = plan.threshold
    return min(count, plan.budget, int(engine.config["max_model_len"]) - request.computed - 1)


def _place(engine: Engine, plan: Plan, request: Request, count: int, index: int) -> tuple[int, bool]:
    """Schedule `count` tokens, preempting until they fit: the next index, and whether to go on (R14, R15)."""
    while not fits(engine, request, request.computed + count, [], 0):
        victim = _victim(engine)
        if _is_kept_by_its_batch(engine, victim):
            return index, False
        place = engine.running.index(victim)
        served = any(request is victim for request, _ in plan.scheduled)
        index -= place < index and (served or not engine.preempted_ends_scan)
        _preempt(engine, plan, victim)
        if victim is request:
            return index, engine.config["policy"] == "priority" and not engine.preempted_ends_scan
    _allocate(engine, request, request.computed + count, [])
    plan.scheduled.append((request, count))
    plan.budget -= count
    return index + 1, True


def _victim(engine: Engine) -> Request:
    if engine.config["policy"] == "priority":
        return max(engine.running, key=lambda request: (request.priority, request.order))
    return engine.running[-1]


def keeps_back(engine: Engine) -> bool:
    """Whether R89 applies: asynchronous scheduling with a connector that takes blocks in."""
    role = engine.config["kv_role"]
    return bool(engine.config["async_scheduling"]) and role in ("kv_both", "kv_consumer")


def _is_kept_by_its_batch(engine: Engine, victim: Request) -> bool:  # R89
    return keeps_back(engine) and victim.newest_batch > engine.processed


def _preempt(engine: Engine, plan: Plan, victim: Request) -> None:  # R15, R16
    for entry in [entry for entry in plan.scheduled if entry[0] is victim]:
        plan.scheduled.remove(entry)
        plan.budget += entry[1]
    engine.running.remove(victim)
    let_go(engine.pool, victim.blocks)
    victim.blocks, victim.registered = [], 0
    victim.computed = victim.placeholders = 0
    victim.stale = victim.in_flight
    victim.preemptions += 1
    victim.mid_prefill = False
    victim.status = "preempted"
    put_in_front(engine, engine.waiting, [victim])
    plan.preempted.append(victim)


def _scan_waiting(engine: Engine, plan: Plan) -> None:
    aside: list[Request] = []
    loading: list[Request] = []
    held_aside: list[Request] = []
    seats = engine.config["max_num_active_seqs"] or engine.config["max_num_seqs"]
    while plan.budget > 0 and (engine.holding or engine.waiting) and len(engine.running) < seats:
        queue = engine.holding or engine.waiting
        request = queue[0]
        if request.status == "loading" or request.stale > 0:  # R19
            (held_aside if queue is engine.holding else aside).append(queue.pop(0))
        elif request.remote_steps and request.status == "waiting":
            if not _start_load(engine, plan, request):
                break
            loading.append(queue.pop(0))
        elif not _admit(engine, plan, queue):
            break
    if not plan.held:
        engine.capacity_bound = bool(engine.waiting)
    put_in_front(engine, engine.waiting, aside)
    engine.holding = held_aside + engine.holding + loading  # in the order in which their loads began


def _look_up(engine: Engine, request: Request) -> list[Block]:  # R20, R50
    if not engine.pool.caching or request.computed > 0 or request.blocks:
        return []
    count = (len(request.tokens) - 1) // engine.pool.size
    keys = content_keys(engine.pool, request.tokens, request.keys, count)
    return find(engine.pool, keys[:count])


def _watermark(engine: Engine) -> int:  # R33
    config = engine.config
    return int(config["watermark"] * config["num_gpu_blocks"]) if engine.running else 0


def _start_load(engine: Engine, plan: Plan, request: Request) -> bool:  # R82
    found = _look_up(engine, request)
    spare = _watermark(engine) + _promised(engine)
    if not fits(engine, request, request.prompt_len, found, spare):
        return False
    register_up_to = len(found) * engine.pool.size  # R83: what is loaded is registered on arrival
    _allocate(engine, request, request.prompt_len, found, register_up_to)
    request.status = "loading"
    engine.loads[request] = engine.step + (request.remote_steps or 0) - 1
    plan.loads[request.id] = request.prompt_len - register_up_to
    return True


def _promised(engine: Engine) -> int:
    """Blocks that prefills under way, this step's too, have yet to take (R82)."""
    return sum(_missing(engine, request, len(request.tokens), []) for request in engine.running)


def _admit(engine: Engine, plan: Plan, queue: list[Request]) -> bool:
    """Admit the head of a queue; False stops the loop (R20–R23)."""
    request = queue[0]
    if request.status == "loaded":
        _arrive(engine, request)
    found = _look_up(engine, request)
    done = request.computed or len(found) * engine.pool.size
    if plan.held and done < len(request.tokens) - 1:
        return False
    count = _waiting_share(engine, plan, len(request.tokens) - done)
    if count == 0 or not _may_enter(engine, request, done + count, found):
        return False
    _allocate(engine, request, done + count, found)
    request.computed = done
    plan.hits[request.id] = done
    plan.admitted_prefill |= done < len(request.tokens) - 1
    (plan.resumed if request.preemptions else plan.new).append(request)
    request.status = "running"
    engine.running.append(queue.pop(0))
    plan.scheduled.append((request, count))
    plan.budget -= count
    return True


def _arrive(engine: Engine, request: Request) -> None:  # R84
    request.status = "arrived"
    request.computed = request.prompt_len - 1
    _register(engine, request, request.prompt_len)


def _waiting_share(engine: Engine, plan: Plan, count: int) -> int:
    """Tokens that the head gets (R21); 0: it must wait for a step with budget for all of it."""
    if 0 < plan.threshold < count:
        count = plan.threshold
    if not engine.config["enable_chunked_prefill"] and count > plan.budget:
        return 0
    return min(count, plan.budget)


def _may_enter(engine: Engine, request: Request, up_to: int, found: list[Block]) -> bool:  # R22, R32, R33
    spare = _watermark(engine)
    whole = engine.config["scheduler_reserve_full_isl"]
    if whole and not fits(engine, request, len(request.tokens), found, spare):
        return False
    return fits(engine, request, up_to, found, spare)


def _missing(engine: Engine, request: Request, up_to: int, found: list[Block]) -> int:
    slots = min(up_to, int(engine.config["max_model_len"]))
    return max(0, -(-slots // engine.pool.size) - len(request.blocks) - len(found))


def fits(engine: Engine, request: Request, up_to: int, found: list[Block], spare: int) -> bool:
    """Whether blocks for the first `up_to` tokens are there, leaving `spare` blocks (R30)."""
    evictable = sum(block.holders == 0 for block in found)
    return _missing(engine, request, up_to, found) + evictable + spare <= len(engine.pool.free)


def _allocate(
    engine: Engine, request: Request, up_to: int, found: list[Block], register_up_to: int | None = None
) -> None:  # R31
    count = _missing(engine, request, up_to, found)
    hold(engine.pool, found)
    request.blocks += found + take(engine.pool, count)
    request.registered += len(found)
    _register(engine, request, up_to if register_up_to is None else register_up_to)


def _register(engine: Engine, request: Request, up_to: int) -> None:  # R52
    if not engine.pool.caching:
        return
    full = min(up_to, len(request.tokens)) // engine.pool.size
    keys = content_keys(engine.pool, request.tokens, request.keys, full)
    register(engine.pool, request.blocks[request.registered : full], keys[request.registered : full])
    request.registered = max(request.registered, full)


def register_known(engine: Engine, request: Request) -> None:
    """Register the blocks that processed tokens have completed (R53)."""
    _register(engine, request, request.computed - request.in_flight)


def _advance(engine: Engine, plan: Plan) -> Batch:  # R29
    carried = plan.admitted_prefill or any(r.mid_prefill for r, _ in plan.scheduled)
    engine.batches += bool(plan.scheduled)
    number = engine.batches if plan.scheduled else 0
    items = [(request, n, _advance_one(engine, request, n)) for request, n in plan.scheduled]
    if carried:
        engine.since_prefill = 0
    elif plan.scheduled and engine.since_prefill is not None:
        engine.since_prefill += 1
    return Batch(items, number)


def _advance_one(engine: Engine, request: Request, count: int) -> bool:
    request.computed += count
    request.newest_batch = engine.batches
    request.mid_prefill = request.computed < len(request.tokens) + request.placeholders
    request.in_flight += count
    request.eligible = engine.number + engine.stages
    if engine.config["async_scheduling"]:
        request.placeholders += not request.mid_prefill
    return not request.mid_prefill
