"""Who goes first under each policy, how options are checked, orders that change while requests wait."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import SCENARIO, scenario

from simulator.engine import policies
from simulator.engine.batch import Batch
from simulator.engine.policies import Policy, Setting
from simulator.engine.request import Request
from simulator.errors import InputError
from simulator.plugins import names
from simulator.scenario.load import load
from simulator.scenario.resolved import EngineArgs, SloSpec
from simulator.simulate import simulate
from simulator.workload.columns import Workload, workload

SLO = SloSpec(1.0, None, None, 10.0, 0.99)
AGING = str(Path(__file__).parent / "aging.py")


def args(name: str, **options: Any) -> EngineArgs:
    return scenario(scheduling_policy=name, scheduling_options=options).fleet.pools[0].engine


def made(name: str, setting: Setting = policies.DEFAULT, **options: Any) -> Policy:
    return policies.build(args(name, **options), setting)


def waiting(policy: Policy, requests: list[Request]) -> list[int]:
    """Rows in the order in which they would be admitted."""
    batch = Batch(args("fcfs"), 1000, policy)
    for request in requests:
        batch.waiting.add(request)
    order = []
    while batch.waiting:
        head = batch.waiting.head()
        assert batch.waiting.take() is head
        order.append(head.row)
    return order


def request(row: int, prompt: int = 10, output: int = 10, tenant: int = 0, **more: Any) -> Request:
    made = Request(row, more.pop("arrival_s", 0.0), prompt, output, order=row, **more)
    made.tenant = tenant
    return made


@pytest.mark.parametrize("name", names("policies"))
def test_every_policy_admits_everybody_and_finds_a_victim(name: str) -> None:
    requests = [request(row, output=5 + row % 3, priority=row % 2, tenant=row % 2) for row in range(6)]
    policy = made(name, Setting(slo=SLO))
    assert sorted(waiting(policy, requests)) == list(range(6))
    assert 0 <= policy.victim(requests) < 6
    assert policy.victim(requests[:1]) == 0


def test_shortest_first_by_the_true_length_without_error() -> None:
    outputs = [30, 10, 20, 10]
    requests = [request(row, output=tokens) for row, tokens in enumerate(outputs)]
    policy = made("sjf")
    assert waiting(policy, requests) == [1, 3, 2, 0]
    assert policy.victim(requests) == 0


def test_a_prediction_is_the_rows_own_whatever_the_order() -> None:
    def key(policy: Policy, row: int) -> float:
        assert policy.key is not None
        return policy.key(request(row, output=100))[0]

    one, other = made("sjf", Setting(seed=3), error=0.4), made("sjf", Setting(seed=3), error=0.4)
    rows = [5, 4096, 0, 9000]
    assert [key(one, row) for row in rows] == [key(other, row) for row in rows[::-1]][::-1]
    logs = np.log([key(one, row) / 100 for row in range(4000)])
    assert logs.std() == pytest.approx(0.4, rel=0.05) and abs(logs.mean()) < 0.03
    assert key(made("sjf", Setting(seed=4), error=0.4), 5) != key(one, 5)


def test_least_slack_counts_the_work_that_is_left() -> None:
    setting = Setting(slo=SLO)
    late = request(0, prompt=10, arrival_s=0.4)
    long = request(1, prompt=900, arrival_s=0.5)
    early = request(2, prompt=10, arrival_s=0.0)
    assert waiting(made("slack", setting), [late, long, early]) == [2, 0, 1]
    assert waiting(made("slack", setting, prompt_token_s=0.001), [late, long, early]) == [1, 2, 0]


def test_a_request_past_its_first_token_is_held_to_the_end() -> None:
    resumed = request(0, output=100, arrival_s=0.0)
    resumed.emitted = 50
    policy = made("slack", Setting(slo=SLO), output_token_s=0.1)
    assert policy.key is not None
    assert policy.key(resumed) == (0.0 + 10.0 - 50 * 0.1, 0)


def _two_tenants() -> Workload:
    """Tenant 0 sends 90 requests, tenant 1 ten, all at once; each of 10 + 10 tokens."""
    tenant = np.array(([0] * 9 + [1]) * 10)
    return workload(np.zeros(100), np.full(100, 10), np.full(100, 10), tenant=tenant)


def _mean_finish(policy: str) -> tuple[float, float]:
    load = _two_tenants()
    made = scenario(step_s=0.01, max_num_seqs=2, scheduling_policy=policy)
    finish = simulate(made, load=load).requests.column("finish_s").to_numpy()
    return float(finish[load.tenant == 0].mean()), float(finish[load.tenant == 1].mean())


def test_fair_serves_the_small_tenant_as_much_as_the_large_one() -> None:
    first_come, fair = _mean_finish("fcfs"), _mean_finish("fair")
    assert first_come[1] == pytest.approx(first_come[0], rel=0.15)
    assert fair[1] < 0.3 * fair[0]


def test_a_tenant_that_comes_back_is_not_owed_anything() -> None:
    policy = made("fair")
    batch = Batch(args("fcfs"), 1000, policy)
    for row in range(4):
        batch.waiting.add(request(row, prompt=1000, tenant=0))
    for _ in range(3):
        batch.waiting.head()
        batch.waiting.take()
    batch.waiting.add(request(10, prompt=10, tenant=1))
    batch.waiting.add(request(11, prompt=10, tenant=1))
    assert policy.rank is not None
    assert policy.rank(request(12, tenant=1), batch) == policy.rank(request(13, tenant=0), batch) == (3000.0,)


def test_a_users_own_policy_by_path_may_change_its_order_while_requests_wait() -> None:
    policy = made(AGING, patience_s=5.0)
    batch = Batch(args("fcfs"), 1000, policy)
    batch.waiting.add(request(0, priority=5, arrival_s=0.0))
    batch.waiting.add(request(1, priority=1, arrival_s=2.0))
    batch.now_s = 3.0
    assert batch.waiting.head().row == 1
    batch.now_s = 6.0
    assert batch.waiting.head().row == 0


def test_options_are_checked_by_name_and_kind() -> None:
    with pytest.raises(InputError, match=r"unknown option 'eror'.*did you mean 'error'"):
        made("sjf", eror=1.0)
    with pytest.raises(InputError, match="'much' is no number"):
        made("sjf", error="much")
    with pytest.raises(InputError, match="unknown option"):
        made("fcfs", error=1.0)


def test_slack_without_an_objective_is_refused() -> None:
    with pytest.raises(InputError, match="slack has no effect without a bound"):
        made("slack")


def test_a_scenario_names_a_policy_with_its_options_or_a_users_own_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(Path(AGING).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "a.yaml").write_text(
        f"extends: {SCENARIO}\nname: a\n"
        "fleet: {pools: {serve: {engine: {scheduling_policy: {name: ./mine.py, patience_s: 2.0}}}}}\n",
        encoding="utf-8",
    )
    engine = load(tmp_path / "a.yaml", []).fleet.pools[0].engine
    assert (Path(engine.scheduling_policy).name, engine.scheduling_options) == (
        "mine.py",
        {"patience_s": 2.0},
    )
    policies.build(engine)
    text = (tmp_path / "a.yaml").read_text(encoding="utf-8").replace("patience_s", "patience")
    (tmp_path / "b.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"b.yaml:3:\d+.*unknown option 'patience'.*mean 'patience_s'"):
        load(tmp_path / "b.yaml", [])
