"""Random replicas, drawn many at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MANY = 4096


def uniform(rng: np.random.Generator, size: int) -> Callable[[], int]:
    """A function that draws 0 … size − 1 with equal chances."""
    drawn: list[int] = []

    def draw() -> int:
        if not drawn:
            drawn.extend(rng.integers(size, size=MANY).tolist())
        return drawn.pop()

    return draw
