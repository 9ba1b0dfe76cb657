"""What a verdict rests on: no claim from too few requests, none withheld from enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.results.verdict import judge, limit, needed, slo_met, too_few


def summary(n: int, good: int, attainment: float = 0.99, **kept: float) -> dict[str, Any]:
    share = good / n if n else None
    slo = {
        "attainment": attainment,
        "bounds": {"ttft_s": 2.0},
        "kept": {"ttft_s": share} | kept,
        "requests": n,
    }
    metrics = {"attainment": {"value": share}, "request_throughput": {"value": 1.0}}
    return {
        "slo": slo, "metrics": metrics, "confidence": 0.95, "complete": True, "pools": {},
        "saturation": {"saturated": False},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("n", "good", "met"),
    [
        (298, 298, None),
        (299, 299, True),  # 0.99^299 = 0.0496
        (5, 5, None),
        (5, 4, False),  # one miss of five: 4.9 % where 1 % may miss
        (6, 5, None),  # 5.9 %
        (50, 49, None),
        (50, 10, False),
        (5, 0, False),
        (1000, 990, True),
        (1000, 989, False),
        (0, 0, None),
    ],
)
def test_a_claim_needs_enough_requests_for_either_answer(n: int, good: int, met: bool | None) -> None:
    assert slo_met(summary(n, good)) is met


@pytest.mark.parametrize(
    ("attainment", "least"), [(0.9, 29), (0.95, 59), (0.99, 299), (0.999, 2995), (1.0, 0)]
)
def test_how_many_are_needed(attainment: float, least: int) -> None:
    """Clopper and Pearson 1934; the rule of three (3 / n) is near."""
    assert needed(attainment, 0.95) == least
    if least:
        assert attainment**least <= 0.05 < attainment ** (least - 1)


def test_the_chance_of_misses_is_the_binomial() -> None:
    from scipy.stats import binom

    for n, asked in [(20, 0.99), (58, 0.95), (2000, 0.999), (20_000, 0.9999)]:
        for missed in range(8):
            slo = {"requests": n, "attainment": asked}
            expected = binom.sf(missed - 1, n, 1 - asked) >= 0.05
            assert too_few(1 - missed / n, slo, 0.95) is bool(expected), (n, missed)


def test_of_wrong_claims_there_are_few() -> None:
    """Where 1.5 % miss and 1 % may, a claim from the fewest requests allowed is a rare one."""
    rng = np.random.default_rng(5)
    good = 299 - rng.binomial(299, 0.015, 20_000)
    claimed = np.mean([slo_met(summary(299, int(one))) is True for one in good[:2000]])
    assert claimed < 0.25
    assert slo_met(summary(299, 297)) is True
    assert slo_met(summary(299, 296)) is False  # 98.997 %: never rounded up


@pytest.mark.parametrize(
    ("load", "told"), [(2.0, "saturated at 0.5 ×"), (0.0101, "saturates at 99 ×"), (1 / 234e3, "230,000 ×")]
)
def test_how_far_saturation_is_reads_as_a_number(load: float, told: str) -> None:
    limits = {"binds": "kv_capacity", "load": load, "then": "", "relief": {"kv_capacity": "more"}}
    pool = {"busy": 0.5, "mfu": 0.1, "mbu": 0.1, "limits": limits | {"shares": {"kv_capacity": 0.1}}}
    assert told in limit(pool)


def test_the_sentence_names_the_number() -> None:
    assert judge(summary(1234, 1234))["sentence"] == (
        "Meets the SLO: 100 % of 1,234 requests keep TTFT ≤ 2 s (99 % asked)."
    )
    assert judge(summary(30, 30))["sentence"] == (
        "Too few requests to judge the SLO by: 100 % of 30 requests keep TTFT ≤ 2 s; "
        "99 % takes 299 at 95 % confidence."
    )
    assert "of 1 request keeps TTFT" in judge(summary(1, 1))["sentence"]
    assert judge(summary(0, 0))["sentence"] == "Nothing that counts finished."


def test_gaps_that_miss_are_a_miss_however_few_the_requests() -> None:
    assert slo_met(summary(10, 10, itl_s=0.5)) is False
