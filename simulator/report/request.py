"""One request's latency in a terminal: its parts as bars, its rank among the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.report.terminal import number, scaled, share
from simulator.results.waterfall import Explanation

if TYPE_CHECKING:
    from rich.console import Console

PARTS = {
    "queue_s": ("queue", "yellow"),
    "prefill_own_s": ("prefill, its own", "cyan"),
    "prefill_shared_s": ("prefill, others'", "magenta"),
    "transfer_wait_s": ("transfer, waiting", "yellow"),
    "transfer_move_s": ("transfer, moving", "green"),
    "decode_own_s": ("decode", "blue"),
    "decode_stretched_s": ("decode, stretched", "magenta"),
    "preempted_s": ("preempted", "red"),
}
"""Parts of the waterfall: what a reader sees, and its colour."""

_ALWAYS = ("queue_s", "prefill_own_s", "decode_own_s")
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def show(explanation: Explanation, name: str, console: Console) -> None:
    """Prints where the time of a request of run `name` went."""
    from rich.text import Text

    row = explanation.request
    console.print(Text(f"Request {row['request']} of {name}: {_end(row)}", style="bold"))
    console.print(Text(_what(row)))
    width = max(10, min(console.width, 100) - 57)
    for part, (label, colour) in PARTS.items():
        if row[part] is not None and (row[part] or part in _ALWAYS):
            line = Text(f"  {label:17} {time(row[part]):>9}  ")
            line.append(bar(row[part] / row["e2e_s"] if row["e2e_s"] else 0.0, width), style=colour)
            line.append(f" {_slower(explanation, part)}")
            console.print(line)
    for key, label in (("e2e_s", "E2E"), ("ttft_s", "TTFT"), ("tpot_s", "TPOT")):
        if row[key] is not None:
            console.print(Text(f"  {label:17} {time(row[key]):>9}  {_slower(explanation, key)}"))
    if explanation.meanwhile:
        console.print(Text(_meanwhile(row, explanation.meanwhile), style="dim"))


def time(seconds: float) -> str:
    """A time in the unit that suits it."""
    scale, unit = scaled(seconds)
    return f"{number(seconds, scale)} {unit}"


def bar(part: float, width: int) -> str:
    """A bar of `part` of `width` cells, to an eighth of a cell."""
    eighths = round(part * width * 8)
    text = "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")
    return text.ljust(width)


def _end(row: dict[str, Any]) -> str:
    where = f" on {row['replica']}" if row["replica"] is not None else ""
    before = f", prefilled on {row['prefill_replica']}" if row["prefill_replica"] is not None else ""
    return f"{row['state'].replace('_', ' ')}{where}{before}"


def _what(row: dict[str, Any]) -> str:
    prompt = f"{row['prompt_tokens']:,} prompt tokens, {row['hit_tokens']:,} of them in the prefix cache"
    answer = f"{row['emitted']:,} of {row['output_tokens']:,} output tokens"
    text = f"sent at {row['sent_s']:,.3f} s with {prompt}; {answer}"
    return text + (f"; preempted {row['preemptions']} times" if row["preemptions"] else "")


def _slower(explanation: Explanation, key: str) -> str:
    rank = explanation.slower_than.get(key)
    return "" if rank is None else f"more than {share(rank)} of {explanation.finished:,}"


def _meanwhile(row: dict[str, Any], meanwhile: dict[str, float]) -> str:
    parts = [
        f"{number(meanwhile.get('running'))} requests ran",
        f"{number(meanwhile.get('waiting'))} waited",
        f"{share(meanwhile.get('kv_use'))} of KV blocks in use",
    ]
    if "step_s" in meanwhile:
        parts.append(f"{time(meanwhile['step_s'])} a step")
    return f"meanwhile on {row['replica']}, on average: {', '.join(parts)}"
