"""One mapping of a scenario read field by field; faults are gathered, so that all are told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from simulator.errors import Problem, nearest, unknown
from simulator.units import quantity

T = TypeVar("T")
REQUIRED: Any = object()


class Fields:
    """The mapping at `where`: `take` each field that is known, then `close`, which reports the others."""

    __slots__ = ("data", "problems", "taken", "where")

    def __init__(self, data: Any, where: str, problems: list[Problem]) -> None:
        self.where, self.problems = where, problems
        self.taken: set[str] = set()
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            self.fault("", f"expected a mapping, not {data!r}")

    def fault(self, name: str, what: str, allowed: str = "") -> None:
        self.problems.append(Problem(f"{self.where}.{name}" if name else self.where, what, allowed))

    def take(self, name: str, convert: Callable[[Any], T], default: T = REQUIRED) -> T:
        """The field converted; its default if it is absent or, with a fault noted, wrong."""
        self.taken.add(name)
        value = self.data.get(name)
        if value is None:
            if default is REQUIRED:
                self.fault(name, "missing")
            return default
        try:
            return convert(value)
        except (ValueError, TypeError) as error:
            self.fault(name, str(error))
            return default

    def one_of(self, name: str, allowed: Iterable[str], default: str = REQUIRED) -> str:
        """A field that is one of a few words; "" if it is wrong."""
        value = self.take(name, str, default)
        if value in allowed:
            return value
        if value is not REQUIRED:
            self.problems.append(unknown(f"{self.where}.{name}", name, value, allowed))
        return ""

    def child(self, name: str) -> Fields | None:
        """The mapping under `name`; None if there is none."""
        self.taken.add(name)
        value = self.data.get(name)
        return None if value is None else Fields(value, f"{self.where}.{name}", self.problems)

    def close(self) -> None:
        """Reports the keys that nobody took: an option without effect is an error."""
        for key in self.data:
            if key not in self.taken:
                close = nearest(str(key), self.taken)
                hint = f"did you mean {close!r}?" if close else ""
                allowed = ", ".join(sorted(self.taken))
                self.problems.append(Problem(f"{self.where}.{key}", f"unknown key {key!r}", allowed, hint))


def number(low: float = 0.0, *, dimension: str = "1", over: bool = False) -> Callable[[Any], float]:
    """Converts a quantity of `dimension`, at least `low` (more than it, with `over`)."""

    def convert(value: Any) -> float:
        result = quantity(value, dimension)
        if result < low or (over and result == low):
            raise ValueError(f"{value!r} must be {'over' if over else 'at least'} {low:g}")
        return result

    return convert


def whole(low: int = 1, dimension: str = "token") -> Callable[[Any], int]:
    """Converts a whole number of at least `low`."""

    def convert(value: Any) -> int:
        result = quantity(value, dimension)
        if result != int(result) or result < low:
            raise ValueError(f"{value!r} must be a whole number, at least {low}")
        return int(result)

    return convert


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} must be true or false")
    return value
