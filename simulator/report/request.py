"""One request's latency in a terminal: its parts as bars, its rank among the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.report.terminal import number, scaled, share
from simulator.results.waterfall import PARTS, Explanation

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {"queue_s": "yellow", "prefill_s": "cyan", "decode_s": "blue"}
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def show(explanation: Explanation, name: str, console: Console) -> None:
    """Prints where the time of a request of run `name` went."""
    from rich.text import Text

    row = explanation.request
    console.print(Text(f"Request {row['request']} of {name}: {_end(row)}", style="bold"))
    console.print(Text(_what(row)))
    width = max(10, min(console.width, 100) - 48)
    for part in PARTS:
        if row[part] is not None:
            line = Text(f"  {part.removesuffix('_s'):8} {time(row[part]):>9}  ")
            line.append(bar(row[part] / row["e2e_s"] if row["e2e_s"] else 0.0, width), style=_COLOURS[part])
            line.append(f" {_slower(explanation, part)}")
            console.print(line)
    for key, label in (("e2e_s", "E2E"), ("ttft_s", "TTFT"), ("tpot_s", "TPOT")):
        if row[key] is not None:
            console.print(Text(f"  {label:8} {time(row[key]):>9}  {_slower(explanation, key)}"))
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
    return f"{row['state'].replace('_', ' ')}{where}"


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
