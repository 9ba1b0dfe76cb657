"""What the slowest requests have in common, in sentences: on one screen of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from simulator.report.request import PARTS, bar, time
from simulator.report.terminal import number, share
from simulator.results.slow import REST, Slow
from simulator.results.traits import Trait

if TYPE_CHECKING:
    from rich.console import Console

LABELS = {"ttft": "TTFT", "tpot": "TPOT", "e2e": "E2E", "queue": "queue time"}
NAMES = {
    "sent_s": "when it came",
    "prompt_tokens": "prompt tokens",
    "output_tokens": "output tokens",
    "computed_tokens": "prompt tokens to compute",
    "hit_share": "share of the prompt in the cache",
    "waiting": "waiting at its replica on arrival",
    "running": "running at its replica on arrival",
    "kv_use": "KV use of its replica on arrival",
    "decode_waiting": "waiting where it decodes, at hand-over",
    "decode_running": "running where it decodes, at hand-over",
    "decode_kv_use": "KV use where it decodes, at hand-over",
    "prefill_replica": "prefill replica",
}
LITTLE = 0.01  # of the difference: not worth a line
MOST = 9


def show(found: Slow, name: str, console: Console, notes: tuple[str, ...] = ()) -> None:
    """Prints the explanation of a percentile of run `name`."""
    from rich.text import Text

    console.print(Text(headline(found, name), style="bold"))
    more = found.group_mean - found.others_mean
    console.print(Text(f"where the other {time(more)} go, on average"))
    width = max(10, min(console.width, 100) - 50)
    for part, seconds in sorted(found.parts.items(), key=lambda item: -item[1]):
        if seconds > LITTLE * more:
            label, colour = (
                PARTS.get(part, ("first decode step", "blue")) if part != REST else ("the rest", "")
            )
            line = Text(f"  {label:17} {time(seconds):>9}  ")
            line.append(bar(min(seconds / more, 1.0), width), style=colour)
            line.append(f" {share(seconds / more)}")
            console.print(line)
    common = "what they have in common (medians against the others')"
    console.print(Text(common if found.traits else "nothing recorded sets them apart"))
    for trait in found.traits[:MOST]:
        console.print(Text(f"  {sentence(trait)}"))
    for text in (*footing(found), *notes):
        console.print(Text(text, style="dim"))


def headline(found: Slow, name: str) -> str:
    """Who is compared with whom."""
    label = LABELS[found.metric]
    means = f"{time(found.group_mean)} on average, {time(found.others_mean)} the other {found.others:,}"
    asked = f"{label} at p{found.percentile:g} of {name} or over, {time(found.bound)}"
    return f"{asked}: {found.group:,} requests, {means}"


def sentences(found: Slow) -> list[str]:
    """What sets them apart, the strongest first."""
    return [sentence(trait) for trait in found.traits]


def sentence(trait: Trait) -> str:
    """One trait, with its figures."""
    name = NAMES.get(trait.column, trait.column)
    if trait.kind == "window":
        when = "from {:,.4g} s to {:,.4g} s".format(*trait.value)
        return f"{share(trait.group)} came {when}, {share(trait.others)} of the others"
    if trait.kind == "label":
        return f"{share(trait.group)} have {name} {trait.value}, {share(trait.others)} of the others"
    how = "more" if trait.effect > 0 else "less"
    pairs = round(50 * (1 + abs(trait.effect)))
    values = [_value(trait.column, value) for value in (trait.group, trait.others)]
    return f"{name}: {values[0]} against {values[1]}, {how} in {pairs} % of pairs"


def _value(column: str, value: float) -> str:
    if column.endswith(("share", "kv_use")):
        return share(value)
    return f"{value:,.0f}" if column.endswith("tokens") else number(value)


def footing(found: Slow) -> Iterator[str]:
    """What does not set them apart, and where to look on."""
    if found.alike:
        yield f"alike in: {', '.join(NAMES.get(name, name) for name in found.alike)}"
    if len(found.traits) > MOST:
        yield f"{len(found.traits) - MOST} more, weaker: --json"
    numbers = ", ".join(map(str, found.slowest))
    yield f"the slowest: {numbers}; --request {found.slowest[0]} tells one's way"
