"""What sets slow requests apart: effects against their definitions, chance against drawn samples."""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from exported import folder
from hypothesis import given
from hypothesis import strategies as st

from simulator import errors
from simulator.results import slow, traits
from simulator.results.folder import load_run

few = st.lists(st.integers(0, 5), min_size=1, max_size=12)


@given(few, few)
def test_cliffs_delta_counts_pairs(group: list[int], others: list[int]) -> None:
    pairs = [np.sign(a - b) for a, b in product(group, others)]
    found = traits.cliff(np.array(group, float), np.array(others, float))
    assert found == pytest.approx(np.mean(pairs))


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=4, max_size=40))
def test_the_window_is_the_best_of_all_windows(rows: list[tuple[float, bool]]) -> None:
    times, group = np.array([float(t) for t, _ in rows]), np.array([g for _, g in rows])
    if group.all() or not group.any():
        return
    best = 0.0
    for begin, end in product(times, times):
        inside = (times >= begin) & (times <= end)
        best = max(best, (inside & group).sum() / group.sum() - (inside & ~group).sum() / (~group).sum())
    found = traits.window("t", times, group, ~group, 0)
    assert best == pytest.approx(found.effect) if found else best < traits.NEGLIGIBLE


def test_kuiper_is_the_published_distribution() -> None:
    """Critical values of Stephens (1970) for large samples: V* = 1.747 at 5 %, 2.001 at 1 %."""
    n = 10**9
    for statistic, level in ((1.747, 0.05), (2.001, 0.01)):
        assert traits.kuiper(statistic / np.sqrt(n / 2), n, n) == pytest.approx(level, rel=0.01)


def test_chance_alone_is_seldom_told() -> None:
    """Samples alike, 1 % of them the group: at most some of a hundred questions find anything."""
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(300):
        group = np.zeros(3000, bool)
        group[rng.choice(3000, 30, replace=False)] = True
        values, codes = rng.lognormal(size=3000), rng.integers(0, 8, 3000)
        told += traits.numbers("x", values[group], values[~group], 1) is not None
        told += traits.labels("x", list("abcdefgh"), codes, group, ~group, 1) is not None
        told += traits.window("x", rng.random(3000), group, ~group, 1) is not None
    assert told <= 900 * traits.LEVEL * 2


def test_what_is_planted_is_found() -> None:
    rng = np.random.default_rng(2)
    group = np.zeros(5000, bool)
    group[:50] = True
    codes = np.where(group & (rng.random(5000) < 0.7), 3, rng.integers(0, 4, 5000))
    label = traits.labels("replica", ["a", "b", "c", "d"], codes, group, ~group, 10)
    assert (
        label is not None
        and label.value == "d"
        and label.group > 0.6
        and label.others == pytest.approx(0.25, abs=0.03)
    )
    values = rng.random(5000) + 0.5 * group
    number = traits.numbers("x", values[group], values[~group], 10)
    assert number is not None and number.effect == pytest.approx(0.75, abs=0.15)
    times = np.where(group, 40 + 5 * rng.random(5000), 100 * rng.random(5000))
    window = traits.window("t", times, group, ~group, 10)
    assert window is not None and window.value[0] >= 40 and window.value[1] <= 45 and window.group == 1


def _explained(name: str, metric: str, p: float) -> tuple[slow.Slow, pa.Table]:
    run = load_run(folder(name))
    return slow.explain(run.requests, run.timeline, 0.0, metric, p), run.requests


@pytest.mark.parametrize("name", ["plain", "handed", "preempting", "stepless"])
@pytest.mark.parametrize("metric", slow.METRICS)
def test_parts_add_up_to_the_difference(name: str, metric: str) -> None:
    found, _ = _explained(name, metric, 90)
    assert sum(found.parts.values()) == pytest.approx(found.group_mean - found.others_mean, abs=1e-12)


def test_the_group_is_who_is_at_or_over_the_percentile() -> None:
    found, requests = _explained("plain", "ttft", 95)
    values = np.array(requests["ttft_s"].to_pylist())
    bound = np.percentile(values, 95)
    assert found.bound == bound and found.group == (values >= bound).sum()
    assert found.slowest == np.argsort(-values, kind="stable")[:5].tolist()
    assert found.group + found.others == len(values)


def test_long_answers_take_long() -> None:
    found, _ = _explained("plain", "e2e", 95)
    assert found.traits[0].column == "output_tokens" and found.traits[0].effect > 0.95
    assert found.group_mean > found.others_mean


def test_what_a_replica_held_on_arrival_is_looked_up() -> None:
    """Against the timeline, bin by bin."""
    run = load_run(folder("handed"))
    columns = {column.name: column for column in slow._columns(run.requests, run.timeline)}
    rows, bins = run.requests.to_pylist(), run.timeline.to_pylist()
    for row in (0, 17, 123):
        for name, replica, time in (
            ("running", rows[row]["prefill_replica"], rows[row]["sent_s"]),
            ("decode_running", rows[row]["replica"], rows[row]["prefill_end_s"]),
        ):
            (value,) = (
                one["running"]
                for one in bins
                if one["replica"] == replica and one["start_s"] <= time < one["start_s"] + one["width_s"]
            )
            assert columns[name].values[row] == value


@pytest.mark.parametrize("text", ["ttft", "ttft:99", "itl:p99", "ttft:p0", "ttft:p100", "ttft:p9x"])
def test_a_question_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(errors.InputError, match="cannot read"):
        slow.question(text)
    assert slow.question("tpot:p99.9") == ("tpot", 99.9)
