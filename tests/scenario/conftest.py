"""A minimal scenario file to change, and how to load what was changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.errors import InputError, Problem
from simulator.scenario.load import load

MINIMAL = """\
name: minimal
model: {name: llama-3.1-8b}
workload:
  synthetic:
    requests: 100
    arrivals: {kind: poisson, rate: 5 /s}
    prompt: {kind: constant, tokens: 100}
    output: {kind: constant, tokens: 10}
fleet:
  pools:
    serve:
      accelerator: h100-sxm
"""

Problems = Callable[..., list[Problem]]


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    path = tmp_path / "minimal.yaml"
    path.write_text(MINIMAL)
    return path


@pytest.fixture
def problems(minimal: Path) -> Problems:
    """The problems of a file that extends the minimal one, with `sets`; [] if it loads."""

    def of(text: str, *sets: str) -> list[Problem]:
        path = minimal.parent / "child.yaml"
        path.write_text("extends: minimal.yaml\n" + text)
        try:
            load(path, sets)
        except InputError as error:
            return list(error.problems)
        return []

    return of
