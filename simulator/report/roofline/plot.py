"""A roofline in characters, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from simulator.study.roofline.roofs import Roof

WIDTH, HEIGHT = 58, 13


class Mark(NamedTuple):
    """A point: its letter, FLOP a byte, FLOP/s of one accelerator."""

    letter: str
    intensity: float
    flops_per_s: float


def draw(roof: Roof, marks: Sequence[Mark]) -> list[str]:
    """Lines of text: the datasheet's roof drawn through, the reached one dotted, the marks on top."""
    x0, x1 = _ends([roof.ridge, roof.reached_ridge, *(mark.intensity for mark in marks)])
    top = math.log10(roof.flops_per_s) + 0.1
    y0 = min(math.log10(min(mark.flops_per_s for mark in marks)), math.log10(roof.reached(10**x0))) - 0.1
    field = [[" "] * WIDTH for _ in range(HEIGHT)]

    def put(column: int, flops_per_s: float, letter: str) -> None:
        row = round((top - math.log10(flops_per_s)) / (top - y0) * (HEIGHT - 1))
        if 0 <= row < HEIGHT and 0 <= column < WIDTH:
            field[row][column] = letter

    for column in range(WIDTH):
        intensity = 10 ** (x0 + (x1 - x0) * column / (WIDTH - 1))
        put(column, roof.reached(intensity), "·")
        put(column, roof.attainable(intensity), "─" if intensity >= roof.ridge else "╱")
    for mark in marks:
        column = round((math.log10(mark.intensity) - x0) / (x1 - x0) * (WIDTH - 1))
        put(column, mark.flops_per_s, mark.letter)
    return [*_with_scale(field, top, y0), *_axis(x0, x1)]


def _ends(intensities: Sequence[float]) -> tuple[float, float]:
    """Decades that hold all of them with some room."""
    logs = [math.log10(value) for value in intensities]
    return min(logs) - 0.3, max(logs) + 0.3


def _with_scale(field: list[list[str]], top: float, y0: float) -> list[str]:
    """TFLOPS at the left, at powers of ten."""
    labels = dict.fromkeys(range(HEIGHT), "")
    for power in range(math.ceil(y0), math.floor(top) + 1):
        row = round((top - power) / (top - y0) * (HEIGHT - 1))
        labels[row] = f"{10 ** (power - 12):g}"
    return [f"{labels[row]:>6} ┤{''.join(cells).rstrip()}" for row, cells in enumerate(field)]


def _axis(x0: float, x1: float) -> list[str]:
    line, labels = ["─"] * WIDTH, [" "] * (WIDTH + 6)
    for power in range(math.ceil(x0), math.floor(x1) + 1):
        column = round((power - x0) / (x1 - x0) * (WIDTH - 1))
        line[column] = "┴"
        text = f"{10**power:g}"
        labels[column : column + len(text)] = text
    return [f"TFLOPS └{''.join(line)}", f"{'':8}{''.join(labels).rstrip()}  FLOP/byte"]
