"""What gives way first when a decode pool is overloaded: time per token, then the queue at the entry.

DistServe's decode side pulls a prompt when it has room, and its prefill side tells the first token. So past
saturation of decode the time per output token, which holds the wait for the pull, grows while TTFT stays
low; when prompts that nobody fetches have filled the prefill side's memory, TTFT grows too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulator.simulate import simulate
from simulator.study.measured.deployment import deployment, started
from simulator.study.measured.figures import Floats
from simulator.study.measured.loads import load
from simulator.study.measured.records import records
from simulator.study.measured.rows import read, runs
from simulator.study.measured.trial import Settings, of_result

MEASURED = Path(__file__).parents[3].parent / "shared" / "groundtruth"
NEVER = 10
pytestmark = pytest.mark.skipif(not MEASURED.is_dir(), reason="the published runs are not here")


def _tenths(sent: Floats, values: Floats) -> list[float]:
    """Medians of the first tenth of the requests, the second, …"""
    return [float(np.nanmedian(values[part])) for part in np.array_split(np.argsort(sent), 10)]


def _collapse(tenths: list[float]) -> int:
    """The tenth from which on it is three times what it was in the first."""
    return next((i for i, value in enumerate(tenths) if value > 3 * tenths[0]), NEVER)


def _both(name: str) -> dict[str, dict[str, int]]:
    """The tenths in which TTFT and TPOT collapse, as measured and as simulated."""
    rows = next(rows for rows in runs(read([str(MEASURED)])) if rows[0].run == f"distserve/{name}")
    measured = records(rows[0])
    assert measured is not None
    longest = int((measured.prompt_tokens + measured.output_tokens).max())
    deployed = started(deployment(rows[0]), rows[0], "", longest)
    result = simulate(deployed.scenario, load=load(rows, measured, 0).requests)
    simulated, _ = of_result(result, Settings())
    sent, own = measured.arrival_s, simulated.sent_s
    return {
        "measured": {
            "ttft": _collapse(_tenths(sent, measured.ttft_s)),
            "tpot": _collapse(_tenths(sent, measured.tpot_s)),
        },
        "simulated": {
            "ttft": _collapse(_tenths(own, simulated.ttft_s)),
            "tpot": _collapse(_tenths(own, simulated.tpot_s)),
        },
    }


@pytest.mark.parametrize("name", ["c21d11-1200-12", "c21d12-1600-16"])
def test_time_per_token_collapses_first_and_ttft_when_prefill_is_full(name: str) -> None:
    found = _both(f"distserve-{name}")
    for collapse in found.values():
        assert 0 < collapse["tpot"] < collapse["ttft"] < NEVER, found
    for what in ("tpot", "ttft"):  # and about when it was measured: within a tenth of the run
        assert abs(found["measured"][what] - found["simulated"][what]) <= 1, found


def test_time_per_token_collapses_first_in_a_run_slower_than_its_twin() -> None:
    """Of one deployment, both overloaded, the run at 12 req/s made 1,059 tokens/s and that at 16 made 1,493:
    no model has both. Simulated, both make as many as the second, and the first one's TTFT holds.
    """
    found = _both("distserve-c21d12-1200-12")
    for collapse in found.values():
        assert 0 < collapse["tpot"] < collapse["ttft"], found
    assert abs(found["measured"]["tpot"] - found["simulated"]["tpot"]) <= 1, found


@pytest.mark.parametrize("name", ["c21d11-750-7.5", "c21d11-300-12"])
def test_while_prefill_has_room_only_time_per_token_collapses(name: str) -> None:
    found = _both(f"distserve-{name}")
    for collapse in found.values():
        assert collapse["tpot"] < collapse["ttft"] == NEVER, found


@pytest.mark.parametrize("name", ["c21d11-300-3", "c21d12-400-4"])
def test_below_saturation_nothing_collapses(name: str) -> None:
    found = _both(f"distserve-{name}")
    for collapse in found.values():
        assert collapse == {"ttft": NEVER, "tpot": NEVER}, found
