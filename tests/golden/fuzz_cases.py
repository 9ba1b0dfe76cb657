"""Random small cases in the format of the recorded schedules, from a profile and a seed."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

Case = dict[str, Any]
Row = dict[str, Any]

# What a profile always has; every other trait comes by chance, with the odds below.
PROFILES: dict[str, frozenset[str]] = {
    "light": frozenset(),
    "pressure": frozenset({"tight"}),
    "tree": frozenset({"tree"}),
    "tree-pressure": frozenset({"tree", "tight"}),
    "duplicates": frozenset({"duplicates", "tight"}),
    "turns": frozenset({"turns"}),
    "turns-pressure": frozenset({"turns", "tight"}),
    "priority": frozenset({"priority", "tight"}),
    "threshold": frozenset({"threshold"}),
    "interval": frozenset({"interval"}),
    "watermark": frozenset({"watermark", "tight"}),
    "no-chunk": frozenset({"no-chunk"}),
    "no-reserve": frozenset({"no-reserve", "tight"}),
    "no-cache": frozenset({"no-cache", "tight"}),
    "stop": frozenset({"stop", "async", "tight"}),
    "one-seat": frozenset({"few-seats"}),
    "pd-decode": frozenset({"loads"}),
    "pd-prefill": frozenset({"sends"}),
    "pd-mixed": frozenset({"loads", "sends", "tight"}),
    "pd-async": frozenset({"loads", "async", "tight", "stop"}),
    "echo": frozenset({"echo", "tight"}),
    "echo-priority": frozenset({"echo", "priority", "tight"}),
    "echo-kept": frozenset({"echo", "connector", "async", "tight"}),
    "starved": frozenset({"starved", "echo", "async"}),
    "starved-turns": frozenset({"starved", "turns", "async", "tight"}),
    "undone": frozenset({"priority", "turns", "async", "tight"}),
    "overtaken": frozenset({"overtaken"}),
    "crowd": frozenset({"crowd", "tight"}),
    "everything": frozenset({"tight", "tree", "turns", "stop", "priority", "threshold"}),
}
ODDS = {
    "tight": 0.3,
    "tree": 0.3,
    "duplicates": 0.15,
    "turns": 0.2,
    "priority": 0.15,
    "threshold": 0.1,
    "interval": 0.06,
    "watermark": 0.1,
    "no-chunk": 0.05,
    "no-reserve": 0.15,
    "no-cache": 0.08,
    "stop": 0.3,
    "few-seats": 0.15,
    "async": 0.5,
    "connector": 0.05,
}
BLOCKS = (1, 2, 3, 4, 4, 8, 8, 16, 16, 32, 64)


def make(profile: str, seed: int) -> Case:
    """The case of a profile and a seed, the same on every machine."""
    rng = Random(zlib.crc32(profile.encode()) + (seed << 32))
    traits = PROFILES[profile] | {trait for trait, odds in ODDS.items() if rng.random() < odds}
    block = rng.choice((1, 2, 3)) if "echo" in traits else rng.choice(BLOCKS)
    rows = _requests(rng, traits, block)
    return {"config": _config(rng, traits, block, rows), "requests": rows, "private": _private(rng, rows)}


# ── requests ────────────────────────────────────────────────────────────────────────────────────────


def _requests(rng: Random, traits: frozenset[str], block: int) -> list[Row]:
    count = rng.randint(24, 48) if "crowd" in traits else rng.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 16))
    spread = rng.choice((0, 0, 3, 10, 40))
    stems = [_length(rng, block) for _ in range(rng.randint(1, 4))]
    rows: list[Row] = []
    for i in range(count):
        prompt, answer = _prompt(rng, traits, block, rows, stems, i)
        rows.append(_row(rng, traits, block, i, prompt, answer, rng.randint(0, spread)))
    return rows


def _length(rng: Random, block: int) -> int:
    """Tokens: often about a whole number of blocks, where the rules turn."""
    whole = rng.randint(0, 8) * block
    loose = rng.randint(1, 6 * max(block, 4))
    return max(1, rng.choice((whole - 1, whole, whole, whole + 1, loose, loose)))


def _prompt(
    rng: Random, traits: frozenset[str], block: int, rows: list[Row], stems: list[int], i: int
) -> tuple[list[list[int]], int]:
    """Segments of the next prompt, and the segment of its output."""
    if rows and "echo" in traits and rng.random() < 0.9:
        return _echo(rng, block, rows[0], i)
    if rows and "turns" in traits and rng.random() < 0.6:
        return _next_turn(rng, block, rng.choice(rows), i), 10_000 + i
    if rows and "duplicates" in traits and rng.random() < 0.6:
        twin = rng.choice(rows)
        return [list(pair) for pair in twin["prompt"]], twin["output_segment"]
    if "tree" in traits and rng.random() < 0.8:
        return _branch(rng, block, stems, i), 10_000 + (rng.randint(0, i) if rng.random() < 0.1 else i)
    short = "overtaken" in traits and rng.random() < 0.7
    return [[1_000 + i, rng.randint(1, 4) if short else _length(rng, block)]], 10_000 + i


def _echo(rng: Random, block: int, first: Row, i: int) -> tuple[list[list[int]], int]:
    """The first request again, answer and all, or a turn that follows on from it."""
    if rng.random() < 0.25:
        return _next_turn(rng, block, first, i), 10_000 + i
    return [list(pair) for pair in first["prompt"]], first["output_segment"]


def _next_turn(rng: Random, block: int, before: Row, i: int) -> list[list[int]]:
    """A prompt that goes on from another's: its prompt, some of its answer, and usually something new."""
    said = before["output_len"]
    heard = rng.choice((said, said, said - 1, rng.randint(0, said), said + 3))
    pieces = [list(pair) for pair in before["prompt"]] + [[before["output_segment"], heard]]
    if rng.random() < 0.9:
        pieces.append([1_000 + i, _length(rng, block)])
    return [pair for pair in pieces if pair[1] > 0]


def _branch(rng: Random, block: int, stems: list[int], i: int) -> list[list[int]]:
    """A path down a tree of shared segments, each perhaps cut short, with or without an end of its own."""
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        which = rng.randrange(len(stems))
        length = stems[which] if rng.random() < 0.7 else rng.randint(1, stems[which])
        pieces.append([1 + which, length])
    if rng.random() < 0.6:
        pieces.append([1_000 + i, _length(rng, block)])
    return pieces


def _row(
    rng: Random,
    traits: frozenset[str],
    block: int,
    i: int,
    prompt: list[list[int]],
    answer: int,
    arrival: int,
) -> Row:
    output = rng.choice((1, 2, rng.randint(1, 12), rng.randint(1, min(4 * block + 8, 90))))
    if traits & {"echo", "overtaken"}:
        output = max(output, rng.randint(1, 50))
    row: Row = {
        "id": f"r{i}",
        "arrival_step": arrival,
        "prompt_len": sum(length for _, length in prompt),
        "output_len": output,
        "priority": rng.randint(0, 3) if "priority" in traits else 0,
        "prompt": prompt,
        "output_segment": answer,
    }
    if "loads" in traits and rng.random() < 0.6:
        row["remote_prefill_steps"] = rng.choice((1, 2, 3, 8, 20))
    if "sends" in traits and rng.random() < 0.6:
        row["send_steps"] = rng.choice((1, 2, 5, 15))
        row["output_len"] = rng.choice((1, 1, 1, output))
    elif "stop" in traits and rng.random() < 0.5:
        row["max_tokens"] = output + rng.choice((1, 2, 30))
    return row


def _private(rng: Random, rows: list[Row]) -> list[str]:
    """Ids of requests that share nothing with anybody: the simulator may be told so, in place of segments."""
    uses: dict[int, int] = {}
    for row in rows:
        for segment in {row["output_segment"], *(segment for segment, _ in row["prompt"])}:
            uses[segment] = uses.get(segment, 0) + 1
    alone = [row["id"] for row in rows if uses[row["output_segment"]] == 1 and uses[row["prompt"][0][0]] == 1]
    return alone if rng.random() < 0.3 else []


# ── configuration ───────────────────────────────────────────────────────────────────────────────────


def _config(rng: Random, traits: frozenset[str], block: int, rows: list[Row]) -> dict[str, Any]:
    limit = _model_len(rng, rows)
    threshold = rng.randint(1, 3 * block + 4)
    seats = rng.choice((1, 2)) if "few-seats" in traits else rng.choice((2, 3, 4, 6, 16))
    return {
        "block_size": block,
        "num_gpu_blocks": _pool(rng, traits, block, limit, rows),
        "max_num_batched_tokens": _budget(rng, traits, block, limit, threshold),
        "max_num_seqs": seats,
        "max_num_active_seqs": rng.randint(1, seats) if rng.random() < 0.1 else None,
        "max_model_len": limit,
        "enable_chunked_prefill": "no-chunk" not in traits,
        "enable_prefix_caching": "no-cache" not in traits,
        "long_prefill_token_threshold": threshold if traits & {"threshold", "overtaken"} else 0,
        "long_prefill_token_threshold_adaptive": rng.random() < 0.3,
        "policy": "priority" if "priority" in traits else "fcfs",
        "async_scheduling": "async" in traits,
        "scheduler_reserve_full_isl": "no-reserve" not in traits,
        "watermark": rng.choice((0.01, 0.1, 0.3, 0.6)) if "watermark" in traits else 0.0,
        "prefill_schedule_interval": rng.randint(2, 6) if "interval" in traits else 1,
        "kv_role": "kv_both" if traits & {"loads", "sends", "connector"} else None,
    }


def _model_len(rng: Random, rows: list[Row]) -> int:
    """At least one token more than any prompt; sometimes it cuts outputs short."""
    longest: int = max(row["prompt_len"] + row.get("max_tokens", row["output_len"]) for row in rows)
    least: int = max(row["prompt_len"] for row in rows) + 1
    return rng.choice((longest, longest + 1, longest + 40, rng.randint(least, max(least, longest))))


def _pool(rng: Random, traits: frozenset[str], block: int, limit: int, rows: list[Row]) -> int:
    """Blocks, the null block among them; a request of the longest allowed length always fits (R94)."""
    least = -(-limit // block)
    if "tight" in traits:
        return 1 + least + rng.choice((0, 0, 1, 2, 3, rng.randint(0, least + 4)))
    ample: int = sum(-(-row["prompt_len"] // block) + 2 for row in rows)
    return 1 + least + ample


def _budget(rng: Random, traits: frozenset[str], block: int, limit: int, threshold: int) -> int:
    if "no-chunk" in traits:
        return limit + rng.randint(0, limit)
    if "starved" in traits:
        return rng.randint(1, 5)
    if "overtaken" in traits:
        return threshold + rng.randint(0, 4)
    return rng.choice((rng.randint(1, 8), rng.randint(2, 3 * block + 2), 16, 64, rng.randint(8, 300), 4096))
