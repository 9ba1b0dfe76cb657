"""A run's load: recorded, staged with cycled prompts, closed, or after an earlier run of itself."""

from __future__ import annotations

import numpy as np
import pytest
from measured_index import CLOSED, COLOCATED, STAGE, row

from simulator.study.measured.loads import BETWEEN_STAGES_S, load
from simulator.study.measured.records import Records
from simulator.study.measured.rows import Lacks

STAGES = [row(STAGE | {"stage": 0}), row(STAGE | {"stage": 1, "rate_rps": 4, "n_requests": 80})]
WHOLE = row(STAGE | {"stage": "all", "n_requests": "", "duration_s": ""})
RECORDED = Records(
    *(np.array(column) for column in ([0.0, 2.0], [100.0, 64.0], [5.0, 1.0], [0.1, 0.1], [1, 0.1]))
)


def test_stages_follow_one_another_on_one_server() -> None:
    found = load([*STAGES, WHOLE], None, seed=0)
    found.requests.validate()
    assert found.drawn
    assert np.bincount(found.stage).tolist() == [40, 80]
    first, second = (found.requests.arrival_s[found.stage == stage] for stage in (0, 1))
    assert 0 <= first.min() < first.max() <= 20
    assert 20 + BETWEEN_STAGES_S <= second.min() < second.max() <= 40 + BETWEEN_STAGES_S
    assert set(found.requests.prompt_tokens) == {547}
    assert set(found.requests.output_tokens) == {20}


def test_prompts_come_round_in_a_shuffled_circle_and_share_system_prompts() -> None:
    requests = load([*STAGES, WHOLE], None, seed=0).requests
    segments = requests.segment_id.reshape(-1, 2)
    assert len(np.unique(segments[:, 0])) == 5
    assert len(np.unique(segments[:, 1])) == 10
    assert not np.intersect1d(segments[:, 0], segments[:, 1]).size
    np.testing.assert_array_equal(segments[:110], segments[10:])
    assert requests.segment_tokens.reshape(-1, 2)[0].tolist() == [100, 447]
    owner = {int(question): int(system) for system, question in segments}
    assert sorted(list(owner.values()).count(system) for system in set(owner.values())) == [2] * 5


def test_a_stage_of_unknown_duration_lasts_as_long_as_the_shortest_of_its_generator() -> None:
    found = load([row(STAGE | {"stage": 0, "n_requests": "", "duration_s": ""})], None, seed=0)
    assert len(found.requests) == 1200
    assert found.marks == ("stages of 600 s, their duration is not recorded",)


def test_another_seed_draws_another_load() -> None:
    one, other = (load(STAGES, None, seed).requests for seed in (0, 1))
    assert one != other
    assert one == load(STAGES, None, 0).requests


def test_users_of_a_closed_loop_ask_again_at_once() -> None:
    found = load([row(CLOSED)], None, seed=0)
    found.requests.validate()
    assert not found.drawn
    assert len(found.requests) == 12
    assert np.bincount(found.requests.session).tolist() == [3, 3, 3, 3]
    assert np.isnan(found.requests.think_s[:4]).all()
    assert not found.requests.think_s[4:].any()


def test_a_closed_loop_of_unknown_length_goes_round_ten_times_with_lengths_of_its_benchmark() -> None:
    cells = CLOSED | {"n_requests": "", "prompt_tokens_mean": 1024, "output_tokens_mean": 8192}
    found = load([row(cells)], None, seed=0)
    assert len(found.requests) == 40
    assert 819 <= found.requests.prompt_tokens.min() < found.requests.prompt_tokens.max() <= 1024
    assert 6553 <= found.requests.output_tokens.min() < found.requests.output_tokens.max() <= 8192
    assert found.marks == ("lengths drawn between 0.8 and 1 of the nominal",)
    many = load([row(cells | {"concurrency": 1000})], None, seed=0)
    assert len(many.requests) == 3000


def test_recorded_requests_are_replayed() -> None:
    found = load([row(COLOCATED)], RECORDED, seed=0)
    assert found.requests.arrival_s.tolist() == [0.0, 2.0]
    assert found.requests.prompt_tokens.tolist() == [100, 64]
    assert not found.drawn
    assert found.stage.tolist() == [0, 0]


def test_prompts_of_an_earlier_run_are_sent_before_and_not_counted() -> None:
    cells = COLOCATED | {"length_spec": "the same in every run", "engine_args": "enable_prefix_caching"}
    assert len(load([row(cells | {"rate_rps": 1})], RECORDED, 0).requests) == 2
    found = load([row(cells | {"rate_rps": 16})], RECORDED, 0)
    found.requests.validate()
    assert found.stage.tolist() == [-1, -1, 0, 0]
    assert found.requests.segment_id.tolist() == [1, 2, 1, 2]
    assert found.requests.arrival_s.tolist() == [0, 1, 1 + BETWEEN_STAGES_S, 3 + BETWEEN_STAGES_S]
    assert found.marks


def test_an_open_loop_is_poisson() -> None:
    cells = COLOCATED | {"rate_rps": 4, "n_requests": 200, "prompt_tokens_mean": 64, "output_tokens_mean": 8}
    found = load([row(cells)], None, seed=0)
    assert found.drawn
    assert len(found.requests) == 200
    assert 40 < found.requests.arrival_s[-1] < 60


@pytest.mark.parametrize(
    ("cells", "lack"),
    [
        (
            {"arrival": "Poisson, held to at most 32 in flight"},
            "a client that sends by the clock but holds back",
        ),
        ({"arrival": "somehow", "rate_rps": ""}, "how requests arrived"),
        ({"prompt_tokens_mean": ""}, "the lengths of its requests"),
        ({"concurrency": ""}, "concurrency"),
    ],
)
def test_what_a_load_lacks_is_said(cells: dict[str, object], lack: str) -> None:
    with pytest.raises(Lacks, match=lack):
        load([row(CLOSED | cells)], None, seed=0)
