"""Comparisons: exact where designs are equal, right where the change is known, refused where none can be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import scenario

from simulator.errors import InputError
from simulator.report.compare_folder import save
from simulator.results.parts import WATERFALL
from simulator.scenario.resolved import Resolved
from simulator.study.compare import Asked, compare
from simulator.study.same_workload import requests_of


def design(
    step_s: float = 0.01, requests: int = 300, rate: float = 0.01, name: str = "a", **run: Any
) -> Resolved:
    """One replica of 64 places and steps that take step_s; rate 0.01: 1.2 requests a second."""
    made = scenario(step_s=step_s, run=run, max_num_seqs=64)
    load = replace(made.workload, limit=requests, rate_scale=rate)
    return replace(made, workload=load, name=name, hash=f"{name}-{step_s}")


def asked(*designs: Resolved, replications: int = 4, different: bool = False) -> Asked:
    return Asked(
        tuple((chr(97 + number), one) for number, one in enumerate(designs)), replications, different
    )


def leaves(found: Any) -> list[dict[str, Any]]:
    """Every change in a document."""
    if not isinstance(found, dict):
        return []
    if "difference" in found:
        return [found]
    return [leaf for value in found.values() for leaf in leaves(value)]


@pytest.fixture(scope="module")
def twins() -> dict[str, Any]:
    return compare(asked(design(), design()), 1)


def test_equal_designs_differ_in_nothing(twins: dict[str, Any]) -> None:
    (change,) = twins["changes"]
    found = leaves(change["metrics"]) + leaves(change["parts"])
    assert len(found) > 80
    for one in found:
        assert one["a"] == one["b"]
        assert one["difference"]["low"] == one["difference"]["high"] == 0.0
        assert one["shown"] is False
    assert change["metrics"]["ttft_s"]["p99"]["wins"]["ties"] == 4
    assert twins["designs"][0]["metrics"] == twins["designs"][1]["metrics"]
    assert twins["verdict"]["sentences"][0] == (
        "b against a: TTFT p99 equal, TPOT p99 equal, same cost; no difference shown."
    )


def test_a_known_change_is_found() -> None:
    """Steps of 8 ms for 10 ms, no queue: a fifth less for each token, whatever the requests."""
    found = compare(asked(design(0.01), design(0.008)), 1)
    (change,) = found["changes"]
    tpot = change["metrics"]["tpot_s"]["mean"]
    assert tpot["relative"]["low"] == pytest.approx(-0.2, abs=1e-6)
    assert tpot["relative"]["high"] == pytest.approx(-0.2, abs=1e-6)
    assert tpot["shown"] is True
    assert tpot["wins"]["wins"] == 4
    assert change["parts"]["mean"]["decode_own_s"]["relative"]["low"] == pytest.approx(-0.2, abs=1e-3)
    assert found["verdict"]["words"] == {"b": "better"}
    assert "TPOT p99 −20 % [−20, −20]" in found["verdict"]["sentences"][0]
    assert "wins in 100 % [51, 100] of 4 paired runs" in found["verdict"]["sentences"][0]


def test_all_parts_and_all_designs_are_there(twins: dict[str, Any]) -> None:
    assert set(twins["changes"][0]["parts"]) == {"mean", "ttft_s", "tpot_s", "e2e_s"}
    assert tuple(twins["changes"][0]["parts"]["mean"]) == WATERFALL
    for one in twins["designs"]:
        assert one["pools"]["serve"]["limits"]["binds"]
        assert one["fleet"]["accelerators"] == 1
        total = sum(one["parts"]["mean"].values())
        assert total == pytest.approx(one["metrics"]["e2e_s"]["mean"], rel=1e-9)
    json.dumps(twins, allow_nan=False)


def test_workers_change_no_byte(tmp_path: Path) -> None:
    question = asked(design(0.01), design(0.008, name="b"), replications=3)
    folders = []
    for count in (1, 2):
        document = compare(question, count)
        folders.append(save(document, question.designs, tmp_path / str(count)))
    one, two = ({file.name: file.read_bytes() for file in folder.iterdir()} for folder in folders)
    assert one == two
    assert sorted(one) == ["0-a.yaml", "1-b.yaml", "comparison.json", "report.html"]
    assert folders[0].name == folders[1].name
    assert save(document, question.designs, tmp_path / "2") == folders[1]


def test_every_design_sees_the_same_requests() -> None:
    for replication in range(3):
        assert requests_of(design(0.01), replication) == requests_of(design(0.5), replication)
    assert requests_of(design(), 0) != requests_of(design(), 1)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        ({"requests": 200}, "another workload: 300 and 200 requests"),
        ({"rate": 0.02}, "another workload: arrival_s differs in 300 of 300, first in request 0"),
    ],
)
def test_different_workloads_are_refused_with_what_differs(other: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        compare(asked(design(), design(**other)), 1)
    assert [problem.where for problem in caught.value.problems] == ["b against a"]
    assert caught.value.problems[0].what.startswith(complaint)
    assert "--different-workloads" in caught.value.problems[0].hint


def test_another_seed_is_another_workload() -> None:
    with pytest.raises(InputError, match="arrival_s differs"):
        compare(asked(design(), replace(design(), seed=8)), 1)


def test_different_workloads_are_compared_when_asked_unpaired() -> None:
    found = compare(asked(design(), design(0.008, rate=0.02), different=True), 1)
    change = found["changes"][0]["metrics"]["tpot_s"]["mean"]
    assert change["difference"]["method"] == "Welch's t, not paired"
    assert change["wins"] is None
    assert found["workload"]["same"] is False
    assert found["verdict"]["words"] == {"b": "better"}


def test_designs_must_be_judged_alike() -> None:
    other = replace(design(), slo=None, run=replace(design().run, warmup_s=3.0))
    with pytest.raises(InputError) as caught:
        compare(asked(design(), other), 1)
    assert [problem.what.partition(" is ")[0] for problem in caught.value.problems] == ["slo", "run.warmup"]


def test_one_design_is_none_to_compare() -> None:
    with pytest.raises(InputError, match="one design alone"):
        compare(asked(design()), 1)


def test_a_saturated_design_is_named_and_its_latencies_refused() -> None:
    """64 places of 2 s take 32 requests a second; with steps of 100 ms they take 3.2, and 12 come."""
    found = compare(asked(design(0.01, 2000, 0.1), design(0.1, 2000, 0.1)), 1)
    (change,) = found["changes"]
    assert change["refused"] == "b is saturated"
    assert change["metrics"]["ttft_s"]["p99"] is None
    assert change["metrics"]["goodput"] == {"refused": "b is saturated"}
    assert change["metrics"]["tpot_s"]["p99"]["shown"] is True
    assert found["designs"][1]["metrics"]["ttft_s"]["p99"] is None
    assert found["designs"][0]["metrics"]["ttft_s"]["p99"] > 0
    first, second, third = found["verdict"]["sentences"]
    assert first.startswith("b is saturated: ")
    assert second.startswith("b against a: TPOT p99 +900 %")
    assert third == "a meets the SLO, b misses the SLO."


def test_more_designs_share_the_error() -> None:
    found = compare(asked(design(), design(0.009), design(0.008)), 1)
    assert [change["to"] for change in found["changes"]] == ["b", "c"]
    assert [change["confidence"] for change in found["changes"]] == [0.975, 0.975]
    assert "Bonferroni, 2 comparisons" in found["method"]
    two = compare(asked(design(), design(0.009)), 1)["changes"][0]["metrics"]["e2e_s"]["mean"]["difference"]
    three = found["changes"][0]["metrics"]["e2e_s"]["mean"]["difference"]
    assert three["high"] - three["low"] > two["high"] - two["low"]


def test_single_runs_are_compared_by_their_sections() -> None:
    found = compare(asked(design(0.01, 1000), design(0.008, 1000), replications=1), 1)
    change = found["changes"][0]["metrics"]["tpot_s"]["mean"]
    assert change["difference"]["method"] == "sectioning, 20 paired sections"
    assert change["relative"]["low"] == pytest.approx(-0.2, abs=1e-6)
    assert found["changes"][0]["metrics"]["tpot_s"]["p99"] is None
    assert "TPOT mean −20 % [−20, −20]" in found["verdict"]["sentences"][0]
    assert found["designs"][0]["metrics"]["tpot_s"]["interval"]["mean"]["method"].startswith("sectioning")


def test_an_interruption_keeps_the_pairs_that_are_complete(tmp_path: Path) -> None:
    def impatient(done: int, planned: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    question = asked(design(), design(0.008))
    found = compare(question, 1, impatient)
    assert (found["complete"], found["replications"]) == (False, 2)
    assert found["verdict"]["sentences"][0] == "Interrupted: fewer runs than were asked for."
    assert save(found, question.designs, tmp_path).name.endswith("-partial")


def test_an_interruption_before_the_first_pair_leaves_nothing() -> None:
    def impatient(done: int, planned: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="nothing to keep"):
        compare(asked(design(), design(0.008)), 1, impatient)


def test_pairs_are_added_until_the_change_is_precise() -> None:
    how = {"precision": 0.02, "precision_of": ("e2e_s.p99",)}
    found = compare(asked(design(**how), design(0.02, **how)), 1)
    precision = found["precision"]
    assert precision["met"] is True
    assert found["replications"] == precision["replications"] >= 10
    relative = found["changes"][0]["metrics"]["e2e_s"]["p99"]["relative"]
    assert precision["reached"]["e2e_s.p99"] == pytest.approx((relative["high"] - relative["low"]) / 2)
