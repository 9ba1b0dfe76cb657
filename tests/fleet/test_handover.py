"""Pushed, in pieces, with the prefill side's first token: closed forms on an idle fleet, and nothing lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simpy
from disaggregated import handed, pair
from runs import poisson, scenario

from simulator import catalog
from simulator.cost.memory import kv_bytes_per_token
from simulator.fleet.build import build, price
from simulator.fleet.client import Client
from simulator.fleet.fleet import Fleet, Hop
from simulator.results.record import Recorder
from simulator.scenario.resolved import Resolved
from simulator.simulate import simulate
from simulator.workload.columns import Workload

STEP_S = 0.01
BYTES = 131072  # of a token's KV, Llama-3.1-8B in 16 bits
LAYERS = 32


def fleet(bytes_per_s: float = 1e15, latency_s: float = 0.0, chunk: int = 8192, **transfer: Any) -> Resolved:
    """One prefill and one decode replica with steps of STEP_S, prompts computed `chunk` tokens a step."""
    base = scenario(1, STEP_S, async_scheduling=False, enable_prefix_caching=False)
    first = {"max_num_batched_tokens": chunk}
    return pair(base, first, bytes_per_s, latency_s, connector="test", **transfer)


def columns(scenario: Resolved, load: Workload) -> dict[str, np.ndarray]:
    table = simulate(scenario, load=load).requests
    return {name: table[name].to_numpy() for name in table.column_names if name.endswith("_s")}


def layered(prompt: int, chunk: int, layers: int, bytes_per_s: float, latency_s: float) -> float:
    """When the last byte is there after the prompt's first step began: each layer after the one before."""
    end, start = 0.0, 0.0
    for done in range(0, prompt, chunk):
        size = min(chunk, prompt - done) * BYTES / layers
        for layer in range(1, layers + 1):
            end = max(end, start + STEP_S * layer / layers + latency_s) + size / bytes_per_s
        start += STEP_S
    return end


@pytest.mark.parametrize(("sends", "layers"), [("layer", LAYERS), ("chunk", 1)])
@pytest.mark.parametrize("bytes_per_s", [1e9, 5e9, 2e10, 1e12])
@pytest.mark.parametrize("chunk", [8192, 100])
def test_only_what_the_link_could_not_hide_remains(
    sends: str, layers: int, bytes_per_s: float, chunk: int
) -> None:
    found = columns(fleet(bytes_per_s, 0.001, chunk, push=True, sends=sends), poisson(0.1, 10, 450, 3))
    prefill_s = STEP_S * -(-450 // chunk)
    assert found["prefill_s"] == pytest.approx(prefill_s, abs=1e-7)
    remains = layered(450, chunk, layers, bytes_per_s, 0.001) - prefill_s
    assert found["transfer_move_s"] == pytest.approx(remains, abs=1e-6)
    assert found["load_end_s"] - found["first_scheduled_s"] == pytest.approx(prefill_s + remains, abs=1e-6)


def test_pushed_whole_a_prompt_takes_as_long_as_pulled() -> None:
    """Without load the decode side's blocks are there at once: who asks first makes no difference."""
    load = poisson(0.1, 20, 300, 5)
    pulled, pushed = (columns(fleet(1e9, 0.001, push=push), load) for push in (False, True))
    for name in ("prefill_s", "transfer_move_s", "decode_s", "e2e_s"):
        assert pushed[name] == pytest.approx(pulled[name], abs=0.0011), name  # idle engines poll (R87)


@pytest.mark.parametrize("push", [False, True])
@pytest.mark.parametrize(
    ("first_token", "told", "steps"),
    [("decode", "decode_start_s", 7), ("prefill", "prefill_end_s", 6), ("relayed", "decode_start_s", 6)],
)
def test_who_makes_the_first_token(push: bool, first_token: str, told: str, steps: int) -> None:
    """Seven tokens: seven steps of the decode side, or six after one of the prefill side's."""
    found = columns(fleet(1e9, push=push, first_token=first_token), poisson(0.1, 20, 100, 7))
    assert found["decode_s"] == pytest.approx(steps * STEP_S, abs=1e-7)
    later = STEP_S if first_token == "decode" else 0.0
    assert found["first_token_s"] == pytest.approx(found[told] + later, abs=1e-7)
    waited = found["transfer_s"] if first_token == "prefill" else 0.0
    assert found["tpot_s"] == pytest.approx((6 * STEP_S + waited) / 6, abs=1e-7)
    assert (found["preempted_s"] == 0).all()


def test_the_gap_to_the_second_token_holds_the_transfer() -> None:
    """Told by the prefill side, the first token is followed by the wait, the transfer and a step."""
    result = simulate(fleet(1e9, first_token="prefill"), load=poisson(0.1, 20, 100, 3))
    gaps = result.gaps
    assert gaps is not None
    units, weights, _ = gaps[0].extra
    transfer = result.requests["transfer_s"].to_numpy()
    longest = np.sort(units[weights > 0])[-20:] * 2.0**-28
    assert longest == pytest.approx(np.sort(transfer + STEP_S), abs=1e-7)


def test_an_answer_of_one_token_ends_on_the_prefill_side() -> None:
    for first_token in ("prefill", "relayed"):
        result = simulate(fleet(push=True, first_token=first_token), load=poisson(1.0, 20, 100, 1)).requests
        assert set(result["replica"].to_pylist()) == {"prefill/0"}
        assert result["transfer_s"].to_numpy().max() == 0


def test_pushed_the_prompt_waits_for_the_decode_sides_blocks() -> None:
    """A decode side with room for one request: the next prompt is not even computed before that has ended."""
    made = fleet(push=True)
    tight = replace(made.fleet.pools[1].engine, num_gpu_blocks_override=12, max_model_len=160)
    pools = (made.fleet.pools[0], replace(made.fleet.pools[1], engine=tight))
    found = columns(replace(made, fleet=replace(made.fleet, pools=pools)), poisson(1e6, 5, 100, 20))
    order = np.argsort(found["first_scheduled_s"])
    ends, starts = found["finish_s"][order], found["first_scheduled_s"][order]
    assert (starts[1:] >= ends[:-1]).all()
    assert (found["transfer_s"] < 3 * STEP_S).all()


def whole_run(made: Resolved, load: Workload) -> tuple[Fleet, list[Hop], float]:
    """A fleet after all of the load, the hops of its requests, and the bytes of a token's KV."""
    env, priced = simpy.Environment(), price(made)
    recorder = Recorder(len(load), [facts for pool in priced for facts in pool.facts])
    hops: list[Hop] = []

    def ended(replica: Any, request: Any, hop: Hop | None, now: float) -> None:
        if hop is not None:
            hops.append(hop)
        client.ended(request, now)

    built = build(made, priced, 0, env, recorder, ended)
    tokens = min(pool.spec.engine.max_model_len for pool in priced)
    client = Client(env, load, tokens, recorder.sent_s, built.send)
    env.run()
    return built, hops, kv_bytes_per_token(made.model)


@pytest.mark.parametrize("seed", range(40))
def test_when_all_is_over_every_block_is_free_and_every_byte_has_travelled(seed: int) -> None:
    case = handed(seed)
    built, hops, token_bytes = whole_run(case.scenario, case.load)
    for replica in built.replicas:
        batch = replica.batch
        assert batch.cache.free == batch.cache.total, replica.name
        assert not (batch.holding or batch.sending or batch.running or len(batch.waiting)), replica.name
        assert replica.outstanding == replica.waiting_tokens == 0, replica.name
    assert built.entry.pool.in_system == 0
    transfer = built.transfer
    assert transfer is not None
    moved = sum(hop.load_tokens for hop in hops) * token_bytes
    for side in (transfer.out, transfer.into):
        ports = dict.fromkeys(side.values())  # ranks of one replica share one
        assert sum(port.moved for port in ports) == pytest.approx(moved)
        assert not any(port.flows or port.trickles for port in ports)


@pytest.mark.parametrize("name", catalog.names("connectors"))
def test_every_connector_of_the_catalogue_serves(name: str) -> None:
    known: catalog.Connector = catalog.load("connectors", name)
    assert known.sends in ("prompt", "chunk", "layer")
    assert known.push or known.sends == "prompt"
    assert known.first_token in ("decode", "prefill", "relayed")
    assert known.source and known.kind in ("recorded", "read", "paper", "assumed")
    made = fleet(1e9, push=known.push, sends=known.sends, first_token=known.first_token)
    result = simulate(made, load=poisson(5.0, 50, 400, 10)).requests
    assert set(result["state"].to_pylist()) == {"finished"}


def test_time_per_token_collapses_first_then_ttft() -> None:
    """A decode side too slow for what comes: first tokens are told until prefill is full."""
    made = fleet(first_token="prefill")
    slow = replace(made.fleet.pools[1].engine, max_num_seqs=8)
    small = replace(made.fleet.pools[0].engine, num_gpu_blocks_override=1201, max_model_len=4096)
    pools = (replace(made.fleet.pools[0], engine=small), replace(made.fleet.pools[1], engine=slow))
    found = columns(replace(made, fleet=replace(made.fleet, pools=pools)), poisson(40.0, 1000, 160, 40))
    tpot, ttft = found["tpot_s"], found["ttft_s"]
    # 20 requests/s too many: 120 prompts of 10 blocks are held after 6 s, which is 240 requests
    early, middle, late = slice(5, 25), slice(130, 180), slice(600, 900)
    assert tpot[middle].mean() > 2 * tpot[early].mean()
    assert ttft[middle].mean() < 2 * ttft[early].mean()
    assert ttft[late].mean() > 50 * ttft[early].mean()
    assert tpot[late].mean() == pytest.approx(tpot[250:500].mean(), rel=0.2)  # as long as the memory lasts
