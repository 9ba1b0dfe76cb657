"""Compare the simulator's scheduler with the reference on random cases.

    python tests/golden/fuzz.py --cases 1000 --from-seed 0 [--profile NAME …]

runs that many cases of every profile (or of those named), prints each difference with its profile, its seed
and a minimised case as JSON, and exits with 1 if there was any.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fuzz_cases import PROFILES, make
from fuzz_compare import Difference, compare
from fuzz_shrink import shrink


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that differs: where it came from, the difference, and the case made small with its own."""

    profile: str
    seed: int
    difference: Difference
    case: dict[str, Any]
    smallest: Difference

    def __str__(self) -> str:
        head = f"profile {self.profile}, seed {self.seed}: {self.difference}"
        return f"{head}\nminimised: {self.smallest}\n{json.dumps(self.case)}"


def failures(profile: str, seeds: range) -> Iterator[Failure]:
    """Every case of a profile and some seeds that differs, made small."""
    for seed in seeds:
        case = make(profile, seed)
        _, difference = compare(case)
        if difference:
            small = shrink(case, lambda other: compare(other)[1] is not None)
            yield Failure(profile, seed, difference, small, compare(small)[1] or difference)


def main(words: list[str]) -> int:
    """Run the command; 1 if any case differs."""
    arguments = _arguments(words)
    seeds = range(arguments.from_seed, arguments.from_seed + arguments.cases)
    found = sum(_report(profile, seeds) for profile in arguments.profile or PROFILES)
    return 1 if found else 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100, help="cases of each profile")
    parser.add_argument("--from-seed", type=int, default=0, help="the first seed")
    parser.add_argument("--profile", action="append", choices=sorted(PROFILES), help="all if not given")
    return parser.parse_args(words)


def _report(profile: str, seeds: range) -> int:
    found = 0
    for failure in failures(profile, seeds):
        found += 1
        print(failure, flush=True)
    print(f"{profile}: {len(seeds)} cases, {found} differ", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
