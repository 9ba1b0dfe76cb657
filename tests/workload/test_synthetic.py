from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import catalog
from simulator.errors import InputError
from simulator.workload.columns import UNSHARED, Workload
from simulator.workload.lengths import mean_of, no_trace
from simulator.workload.parse import parse
from simulator.workload.spec import Lengths
from simulator.workload.synthetic import generate

POISSON = {"kind": "poisson", "rate": "10 /s"}
PROMPT = {"kind": "lognormal", "mean": 1000, "cv": 1.0}
OUTPUT = {"kind": "lognormal", "median": 150, "p90": 400, "max": 2000}


def made(requests: int = 20_000, seed: int = 7, replication: int = 0, **parts: Any) -> Workload:
    spec = {"requests": requests, "arrivals": POISSON, "prompt": PROMPT, "output": OUTPUT} | parts
    load = generate(parse(spec), seed, replication, no_trace)
    load.validate()
    return load


def test_lognormal_lengths_have_the_moments_asked_for() -> None:
    load = made(100_000)
    assert load.prompt_tokens.mean() == pytest.approx(1000, rel=0.02)
    assert load.prompt_tokens.std() == pytest.approx(1000, rel=0.06)
    assert np.percentile(load.output_tokens, [50, 90]) == pytest.approx([150, 400], rel=0.03)


def test_clipping_is_counted() -> None:
    load = made(prompt=PROMPT | {"min": 100, "max": 2000})
    assert load.prompt_tokens.min() == 100
    assert load.prompt_tokens.max() == 2000
    at_a_bound = np.isin(load.prompt_tokens, (100, 2000)).sum()
    assert 0 < load.provenance["clipped"]["prompt_tokens"] <= at_a_bound


def test_quantiles_come_out_again() -> None:
    load = made(
        100_000, prompt={"kind": "quantiles", "min": 10, "max": 900, "quantiles": {25: 50, 50: 100, 90: 400}}
    )
    assert np.percentile(load.prompt_tokens, [25, 50, 90]) == pytest.approx([50, 100, 400], rel=0.03)
    assert load.prompt_tokens.min() >= 10
    assert load.prompt_tokens.max() <= 900


def test_uniform_lengths_reach_both_ends_equally() -> None:
    counts = np.bincount(made(60_000, prompt={"kind": "uniform", "min": 3, "max": 8}).prompt_tokens)
    assert counts[:3].sum() == 0
    assert counts[3:] == pytest.approx(10_000, rel=0.05)


def test_empirical_lengths_are_drawn_with_equal_chance() -> None:
    counts = np.bincount(made(30_000, prompt={"kind": "empirical", "values": [5, 9, 9]}).prompt_tokens)
    assert counts[5] == pytest.approx(10_000, rel=0.05)
    assert counts[9] == pytest.approx(20_000, rel=0.05)


def test_lengths_of_a_trace_are_drawn_from_its_column() -> None:
    spec = {"requests": 50, "arrivals": POISSON}
    spec |= {end: {"kind": "empirical", "trace": "folder/t.parquet"} for end in ("prompt", "output")}
    load = generate(parse(spec), 7, 0, lambda path: (np.array([10, 20]), np.array([1, 2])))
    assert set(load.prompt_tokens.tolist()) == {10, 20}
    assert set(load.output_tokens.tolist()) == {1, 2}
    assert load.provenance["parameters"]["prompt"]["trace"] == "t.parquet", "no folder of this machine"


def test_correlated_lengths() -> None:
    independent, tied = made(), made(correlation=0.8)
    logs = [np.corrcoef(np.log(w.prompt_tokens), np.log(w.output_tokens))[0, 1] for w in (independent, tied)]
    assert abs(logs[0]) < 0.03
    assert logs[1] == pytest.approx(0.8, abs=0.02)
    assert np.array_equal(independent.prompt_tokens, tied.prompt_tokens)


def test_the_same_seed_gives_the_same_workload_and_another_another() -> None:
    assert made(100) == made(100)
    assert made(100) != made(100, seed=8)
    assert made(100) != made(100, replication=1)


def test_lengths_do_not_depend_on_arrivals() -> None:
    slow, fast = made(500), made(500, arrivals={"kind": "gamma", "rate": 99, "burstiness": 0.2})
    assert np.array_equal(slow.prompt_tokens, fast.prompt_tokens)
    assert np.array_equal(slow.output_tokens, fast.output_tokens)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert made(500).slice(slice(0, 200)) == made(200)


def test_closed_loop_is_users_who_each_wait() -> None:
    load = made(100, arrivals={"kind": "closed_loop", "concurrency": 8, "think": "2 s"})
    assert np.all(load.arrival_s == 0)
    assert load.session.tolist() == [row % 8 for row in range(100)]
    assert load.turn.tolist() == [row // 8 for row in range(100)]
    assert np.isnan(load.think_s[:8]).all()
    assert np.all(load.think_s[8:] == 2)


def test_think_times_have_their_mean() -> None:
    think = {"kind": "exponential", "mean": "3 s"}
    load = made(50_000, arrivals={"kind": "closed_loop", "concurrency": 4, "think": think})
    assert np.nanmean(load.think_s) == pytest.approx(3, rel=0.03)
    think = {"kind": "lognormal", "mean": 3, "cv": 0.5}
    load = made(50_000, arrivals={"kind": "closed_loop", "concurrency": 4, "think": think})
    assert np.nanmean(load.think_s) == pytest.approx(3, rel=0.03)
    assert np.nanstd(load.think_s) == pytest.approx(1.5, rel=0.05)


def test_system_prompts_of_groups_stand_before_each_prompt() -> None:
    load = made(prefix={"kind": "shared", "tokens": 500, "groups": 3, "skew": 1.0})
    own = made().prompt_tokens
    assert np.array_equal(load.prompt_tokens, own + 500)
    first, second = load.segment_id[::2], load.segment_id[1::2]
    shares = np.unique(first, return_counts=True)[1] / len(load)
    assert shares == pytest.approx([6 / 11, 3 / 11, 2 / 11], abs=0.02)
    assert np.all(second >= UNSHARED)
    assert len(np.unique(second)) == len(load)


SESSIONS = {
    "kind": "sessions",
    "tokens": 100,
    "turns": {"kind": "uniform", "min": 1, "max": 7},
    "think": "5 s",
}


def test_a_turn_repeats_all_that_was_said() -> None:
    load = made(2000, prefix=SESSIONS)
    said: dict[int, list[tuple[int, int]]] = {}
    for row in range(len(load)):
        begin, end = load.segment_offset[row : row + 2]
        segments = list(zip(load.segment_id[begin:end].tolist(), load.segment_tokens[begin:end].tolist()))
        before = said.get(int(load.session[row]), segments[:1])
        assert segments[: len(before)] == before
        assert len(segments) == len(before) + 1, "and one new question"
        answer = (int(load.output_segment[row]), int(load.output_tokens[row]))
        said[int(load.session[row])] = [*segments, answer]
    assert all(segments[0][1] == 100 for segments in said.values())


def test_sessions_keep_the_rate_of_requests() -> None:
    load = made(prefix=SESSIONS)
    assert len(load) / load.arrival_s[-1] == pytest.approx(10, rel=0.05)
    assert np.all((load.turn == 0) == np.isnan(load.think_s))


def test_a_conversation_of_one_user_follows_another() -> None:
    closed = {"kind": "closed_loop", "concurrency": 3, "think": "60 s"}
    load = made(90, arrivals=closed, prefix=SESSIONS | {"turns": {"kind": "constant", "tokens": 5}})
    mine = load.slice(load.session == 0)
    assert mine.turn.tolist() == list(range(30))
    begins = mine.segment_offset[1:] - mine.segment_offset[:-1] == 2
    assert begins.tolist() == [turn % 5 == 0 for turn in range(30)]
    assert mine.think_s[1:].tolist() == [60.0 if turn % 5 == 0 else 5.0 for turn in range(1, 30)]


def test_the_mean_of_clipped_turns() -> None:
    assert mean_of(Lengths("constant", tokens=5)) == 5
    assert mean_of(Lengths("uniform", 2, 8)) == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize("name", catalog.names("workloads"))
def test_named_workloads_are_like_their_source(name: str) -> None:
    entry = catalog.entry("workloads", name)
    assert entry["source"]
    assert entry["kind"] == "fitted"
    load = generate(parse(name), 7, 0, no_trace)
    load.validate()
    assert len(load) == entry["requests"]
    assert load.provenance["source"] == entry["source"]
    quantiles = entry["output"].get("quantiles")
    if quantiles:
        assert np.percentile(load.output_tokens, 50) == pytest.approx(quantiles[50], rel=0.2)


# Means of the sources, which the quantiles must give back: traces/README.md's sums of tokens over rows.
@pytest.mark.parametrize(
    ("name", "prompt", "output"),
    [("chat", 22361870 / 19366, 4088665 / 19366), ("code", 18059974 / 8819, 245896 / 8819),
     ("chat-long-context", 144793823 / 12031, 4122048 / 12031), ("rag", 20917099 / 7106, 2012676 / 7106)],
)  # fmt: skip
def test_named_workloads_have_the_means_of_their_traces(name: str, prompt: float, output: float) -> None:
    load = generate(parse({"name": name, "requests": 100_000}), 7, 0, no_trace)
    assert load.prompt_tokens.mean() == pytest.approx(prompt, rel=0.04)
    assert load.output_tokens.mean() == pytest.approx(output, rel=0.08)


def test_parameters_replace_a_named_workloads_own() -> None:
    assert parse({"name": "chat", "requests": 5}).requests == 5
    assert parse({"name": "chat", "requests": 5}).prompt == parse("chat").prompt


def test_a_named_workloads_source_covers_only_what_it_says() -> None:
    source = catalog.entry("workloads", "chat")["source"]
    assert parse({"name": "chat", "requests": 5}).source == source
    assert parse({"name": "chat", "arrivals": POISSON}).source == f"{source}; the scenario's own: arrivals"
    assert parse({"name": "chat", "arrivals": POISSON, "source": "mine"}).source == "mine"


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse(
            {
                "request": 3,
                "arrivals": {"kind": "poison", "rate": 1},
                "prompt": {"kind": "lognormal", "mean": -3, "cv": 1},
                "output": {"kind": "uniform", "min": 9, "max": 5},
                "correlation": 2,
                "prefix": {"kind": "shared"},
            }
        )
    told = [str(problem) for problem in caught.value.problems]
    expected = [
        "synthetic.requests: missing",
        "unknown kind 'poison'; allowed: closed_loop, constant, gamma, poisson (did you mean 'poisson'?)",
        "synthetic.prompt.mean: -3 must be over 0",
        "synthetic.output.max: 5 is under min (9)",
        "synthetic.correlation: 2 must lie between -1 and 1",
        "synthetic.prefix.tokens: missing",
        "unknown key 'request'",
    ]
    for text in expected:
        assert any(text in line for line in told), (text, told)
    assert len(told) == len(expected)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"arrivals": {"kind": "constant", "rate": 1, "burstiness": 2}}, "unknown key 'burstiness'"),
        ({"arrivals": {"kind": "closed_loop", "concurrency": 2.5}}, "whole number"),
        ({"arrivals": {"kind": "poisson", "rate": "3 m"}}, "unknown unit 'm'"),
        ({"prompt": {"kind": "quantiles", "quantiles": {10: 5, 50: 4}}}, "must ascend"),
        ({"prompt": {"kind": "empirical"}}, "exactly one source"),
        ({"prompt": {"kind": "empirical", "file": "nowhere.txt"}}, "no such file"),
        ({"prompt": 7}, "expected a mapping"),
        ({"prefix": {"kind": "sessions", "turns": 0}}, "whole number, at least 1"),
        ({"name": "chatt"}, "did you mean 'chat'"),
    ],
)
def test_faults_name_what_is_wrong(part: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse({"requests": 3, "arrivals": POISSON, "prompt": PROMPT, "output": OUTPUT} | part)
