"""Zones of decode throughput against batch, by what one more request still brings.

Throughput is judged by its concave envelope: kernels come in tiles, so the curve itself has steps, and a
scheduler free to run fewer requests at once never does worse than the envelope's corners.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

NEAR_LINEAR, BENDING, PLATEAU = "near-linear", "bending", "plateau"
NEAR_LINEAR_SHARE = 0.8  # one more request brings at least so much of what the first one brought
PLATEAU_SHARE = 0.1  # … less than so much

Point = tuple[int, float]  # batch, tokens a second


class Span(NamedTuple):
    """Batches above `first` up to `last` (the envelope's corners), each adding `share` of the first
    request's tokens a second."""

    first: int
    last: int
    share: float
    zone: str


def spans(points: Sequence[Point]) -> list[Span]:
    """The envelope of a curve that starts at batch 1, from corner to corner; its last span ends the curve."""
    corners = envelope(points)
    alone = points[0][1]
    found = [_span(a, b, alone) for a, b in pairwise(corners)]
    last = points[-1][0]
    if corners[-1][0] < last:
        found.append(Span(corners[-1][0], last, 0.0, PLATEAU))
    return found


def _span(a: Point, b: Point, alone: float) -> Span:
    share = (b[1] - a[1]) / (b[0] - a[0]) / alone
    return Span(a[0], b[0], share, zone(share))


def zone(share: float) -> str:
    """The zone of a request that adds `share` of the first one's throughput."""
    if share >= NEAR_LINEAR_SHARE:
        return NEAR_LINEAR
    return BENDING if share >= PLATEAU_SHARE else PLATEAU


def envelope(points: Sequence[Point]) -> list[Point]:
    """Corners of the smallest concave curve above the points (batches ascending), up to the highest one."""
    corners: list[Point] = []
    for point in points:
        while len(corners) > 1 and _below(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    while len(corners) > 1 and corners[-1][1] <= corners[-2][1]:
        corners.pop()
    return corners


def _below(a: Point, b: Point, c: Point) -> bool:
    """Whether b lies on or under the line from a to c."""
    return (b[1] - a[1]) * (c[0] - a[0]) <= (c[1] - a[1]) * (b[0] - a[0])


def at(found: Sequence[Span], batch: int) -> Span:
    """The span that a batch lies in; the first one for a batch of 1."""
    return next((span for span in found if batch <= span.last), found[-1])
