"""Zones of a throughput curve: the envelope, its shares, and curves with a known answer."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.study.roofline import zones
from simulator.study.roofline.zones import BENDING, NEAR_LINEAR, PLATEAU

FIXED, EACH = 20.0, 0.2  # a step of FIXED + EACH · batch


def smooth(batches: list[int]) -> list[zones.Point]:
    return [(batch, batch / (FIXED + EACH * batch)) for batch in batches]


def test_a_smooth_curve_changes_zone_where_its_slope_says() -> None:
    """One more request adds (t(1) / t(batch))² of the first: 0.8 at 1.118 t(1), 0.1 at 3.16 t(1)."""
    found = zones.spans(smooth(list(range(1, 1001))))
    ends = {span.zone: span.last for span in found}
    start = FIXED + EACH
    for zone, share in ((NEAR_LINEAR, 0.8), (BENDING, 0.1)):
        batch = (start / math.sqrt(share) - FIXED) / EACH
        assert ends[zone] == pytest.approx(batch, abs=2)
    assert ends[PLATEAU] == 1000


def test_steps_of_a_tiled_curve_do_not_split_a_zone() -> None:
    """Throughput falls at 65 and 129: the envelope bridges both."""
    points = [(1, 1.0), (32, 31.0), (64, 60.0), (65, 45.0), (128, 90.0), (129, 70.0), (256, 110.0)]
    found = zones.spans(points)
    assert [span.first for span in found] == [1, 32, 64, 128]
    assert zones.at(found, 65).zone == zones.at(found, 100).zone == BENDING


def test_a_curve_that_falls_ends_in_a_plateau() -> None:
    found = zones.spans([(1, 1.0), (2, 1.9), (4, 1.5), (8, 1.2)])
    assert found[-1] == zones.Span(2, 8, 0.0, PLATEAU)
    assert zones.at(found, 8).share == 0.0


def test_one_point_has_no_span() -> None:
    assert zones.spans([(1, 3.0)]) == []


@pytest.mark.parametrize(
    ("share", "zone"),
    [(1.0, NEAR_LINEAR), (0.8, NEAR_LINEAR), (0.79, BENDING), (0.1, BENDING), (0.09, PLATEAU)],
)
def test_where_zones_end(share: float, zone: str) -> None:
    assert zones.zone(share) == zone


@given(st.lists(st.floats(0.1, 1000), min_size=2, max_size=30))
def test_the_envelope_is_concave_and_above_the_curve(heights: list[float]) -> None:
    points = list(enumerate(heights, start=1))
    corners = zones.envelope(points)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(corners)]
    assert all(a >= b for a, b in pairwise(slopes))
    assert corners[0] == points[0]
    assert corners[-1][1] == max(heights) or len(corners) == 1
    for a, b in pairwise(corners):
        for x, y in points[a[0] - 1 : b[0]]:
            line = a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0])
            assert y <= line * (1 + 1e-9)
