"""What can be wrong with an input, and how a program ends."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

OK = 0
DEFECT = 1
BAD_INPUT = 2
SLO_MISSED = 3
VALIDATION_FAILED = 4
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input.

    where: "file:line:column", "trace.csv:row 17" or "--set key"; what: the fault; allowed: what would be
    right; hint: the nearest valid name or the way out.
    """

    where: str
    what: str
    allowed: str = ""
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.allowed:
            text += f"; allowed: {self.allowed}"
        if self.hint:
            text += f" ({self.hint})"
        return text


class InputError(Exception):
    """Bad input: every problem at once. The command line prints them and ends with BAD_INPUT."""

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        """Worker processes send it whole: with its problems, not its text."""
        return type(self), (self.problems,)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The valid name that a misspelt one most likely means; None if nothing is close."""
    close = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.6)
    return close[0] if close else None


def unknown(where: str, kind: str, name: str, names: Iterable[str]) -> Problem:
    """The problem of a name that is not among `names`."""
    known = sorted(names)
    close = nearest(name, known)
    shown = ", ".join(known[:12]) + (", …" if len(known) > 12 else "")
    return Problem(where, f"unknown {kind} {name!r}", shown, f"did you mean {close!r}?" if close else "")
