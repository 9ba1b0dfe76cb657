from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workload_strategies import workloads

from simulator.errors import InputError
from simulator.workload.bootstrap import bootstrap
from simulator.workload.columns import UNSHARED, Workload, workload
from simulator.workload.stats import prefix_hits


@given(workloads(), st.integers(0, 9), st.integers(1, 9))
def test_a_resample_is_a_workload_and_repeats_itself(load: Workload, seed: int, replication: int) -> None:
    again = bootstrap(load, seed, replication)
    again.validate()
    assert again == bootstrap(load, seed, replication)
    known = set(zip(load.prompt_tokens.tolist(), load.output_tokens.tolist()))
    assert set(zip(again.prompt_tokens.tolist(), again.output_tokens.tolist())) <= known


def steady(n: int, **columns: np.ndarray) -> Workload:
    return workload(np.arange(n) * 0.5, np.arange(n) + 1, np.ones(n), **columns)


def test_the_number_of_sessions_stays_and_the_rate_about() -> None:
    rng = np.random.default_rng(3)
    load = workload(np.cumsum(rng.exponential(1.0, 20_000)), np.ones(20_000), np.ones(20_000))
    again = bootstrap(load, 7, 1)
    assert len(again) == len(load)
    assert again.arrival_s[-1] == pytest.approx(load.arrival_s[-1], rel=0.05)


def test_gaps_within_blocks_are_kept_to_the_last_bit() -> None:
    load = steady(5000)
    again = bootstrap(load, 7, 1)
    assert np.all(np.diff(again.arrival_s) == 0.5)


def test_replications_differ() -> None:
    load = steady(1000)
    assert bootstrap(load, 7, 1) != bootstrap(load, 7, 2)
    assert bootstrap(load, 7, 1) != bootstrap(load, 8, 1)


def test_a_session_moves_as_a_whole_and_a_copy_is_another_session() -> None:
    n = 5000
    session, turn = np.arange(n) // 5, np.arange(n) % 5
    again = bootstrap(steady(n, session=session, turn=turn), 7, 1)
    order = np.argsort(again.session, kind="stable")
    turns = again.turn[order].reshape(-1, 5)
    assert np.all(turns == np.arange(5))
    gaps = np.diff(again.arrival_s[order].reshape(-1, 5))
    np.testing.assert_allclose(gaps, 0.5, atol=2**-27)


def test_copies_share_what_blocks_share_and_nothing_private() -> None:
    n = 5000
    private = np.arange(n) + 100
    ids = np.stack((np.full(n, 7), private), axis=1).ravel()
    tokens = np.stack((np.full(n, 16), np.full(n, 32)), axis=1).ravel()
    segments = {"segment_offset": np.arange(0, 2 * n + 1, 2), "segment_id": ids, "segment_tokens": tokens}
    load = workload(np.arange(n) * 0.5, np.full(n, 48), np.ones(n), **segments)
    again = bootstrap(load, 7, 1)
    again.validate()
    assert prefix_hits(load, 16) == 16 * (n - 1)
    assert prefix_hits(again, 16) == 16 * (len(again) - 1), "a block drawn twice must not hit itself"
    assert len(np.unique(again.segment_id)) == len(again) + 1


def test_ids_that_nobody_shares_stay_among_those() -> None:
    n = 1000
    ids = np.arange(n, dtype=np.uint64) + np.uint64(UNSHARED)
    segments = {"segment_offset": np.arange(n + 1), "segment_id": ids, "segment_tokens": np.full(n, 9)}
    again = bootstrap(workload(np.arange(n) * 0.5, np.full(n, 9), np.ones(n), **segments), 7, 1)
    assert np.all(again.segment_id >= UNSHARED)
    assert len(np.unique(again.segment_id)) == len(again)


def test_one_request_or_all_at_once() -> None:
    bootstrap(workload([5], [1], [1]), 7, 1).validate()
    all_at_once = bootstrap(workload(np.zeros(100), np.arange(100) + 1, np.ones(100)), 7, 1)
    assert len(all_at_once) == 100
    assert len(np.unique(all_at_once.prompt_tokens)) < 100


def test_a_resample_beyond_the_time_grid_is_refused() -> None:
    load = workload([0, 1, 2, 3, 86400 * 60], np.ones(5), np.ones(5))

    def resample_often() -> None:
        for replication in range(1, 30):
            bootstrap(load, 7, replication)

    with pytest.raises(InputError, match="97 days"):
        resample_often()


def test_what_outlasts_the_resample_is_cut_off_and_counted() -> None:
    """One session of the trace lasts nearly to its end; drawn late, it must not stretch the resample."""
    n = 5000
    session, turn = np.arange(n), np.zeros(n, np.int32)
    session[-1], turn[-1] = 0, 1
    found = [bootstrap(steady(n, session=session, turn=turn), 7, replication) for replication in range(1, 9)]
    counts = [again.provenance["transformations"][-1]["bootstrap"].get("cut_off", 0) for again in found]
    assert sum(counts) > 0
    for again in found:
        again.validate()
        assert again.arrival_s[-1] < n * 0.5 + 1
