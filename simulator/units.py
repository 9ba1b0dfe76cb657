"""Quantities with units, and the grid on which time lies."""

from __future__ import annotations

import re

GRID_S = 2.0**-28
MAX_TIME_S = 86400.0 * 97
_SNAP = 1.5 * 2.0**24


def on_grid(seconds: float) -> float:
    """The nearest multiple of 2⁻²⁸ s (3.7 ns), |seconds| < 97 days: sums and differences are then exact."""
    return (seconds + _SNAP) - _SNAP


_PREFIX = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

UNITS: dict[str, dict[str, float]] = {
    "s": {
        "ns": 1e-9,
        "us": 1e-6,
        "µs": 1e-6,
        "ms": 1e-3,
        "s": 1.0,
        "min": 60.0,
        "m": 60.0,
        "h": 3600.0,
        "d": 86400.0,
    },
    "byte": {prefix + "B": value for prefix, value in (_PREFIX | _BINARY).items()},
    "byte/s": {prefix + "B/s": value for prefix, value in (_PREFIX | _BINARY).items()}
    | {prefix + "bit/s": value / 8 for prefix, value in _PREFIX.items()},
    "1/s": {"/s": 1.0, "/min": 1 / 60, "/h": 1 / 3600, "rps": 1.0, "req/s": 1.0},
    "FLOP/s": {prefix + "FLOPS": value for prefix, value in _PREFIX.items()},
    "W": {"W": 1.0, "kW": 1e3},
    "$/h": {"$/h": 1.0, "USD/h": 1.0},
    "1": {"%": 0.01, "": 1.0},
    "token": {"": 1.0, "k": 1e3, "K": 1e3, "Ki": 1024.0, "M": 1e6},
}

_QUANTITY = re.compile(r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S*(?:\s*\S+)*?)\s*")


def quantity(value: float | int | str, dimension: str) -> float:
    """A number in the SI unit of `dimension` (a key of UNITS) from a number or a string such as "50 ms".

    Raises ValueError, whose text names the units allowed.
    """
    if isinstance(value, bool):
        raise ValueError(f"expected a quantity in {dimension}, not a boolean")
    if isinstance(value, int | float):
        return float(value)
    allowed = ", ".join(unit for unit in UNITS[dimension] if unit) or "a plain number"
    match = _QUANTITY.fullmatch(value)
    if not match:
        raise ValueError(f"not a quantity: {value!r}; write a number with one of: {allowed}")
    unit = match[2].replace(" ", "")
    if unit and unit not in UNITS[dimension]:
        raise ValueError(f"unknown unit {unit!r}; allowed: {allowed}")
    number, factor = float(match[1].replace("_", "")), UNITS[dimension][unit] if unit else 1.0
    return number * factor if factor >= 1 else number / round(1 / factor)  # 20 us is 2e-05 exactly
