"""Which preset follows the engine of a run, and what its recorded arguments say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from simulator import catalog
from simulator.study.measured.rows import Lacks, Row

# When a release came out, for runs that record a date only. Source: the project's release pages.
VLLM_RELEASES = (
    ("0.8.3", 2025.25),
    ("0.11.0", 2025.75),
    ("0.15.1", 2026.08),
    ("0.19.0", 2026.25),
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Engines without a preset of their own, and the release whose scheduler is the nearest.
STAND_INS = {
    "tensorrt-llm": ("vllm-0.19", "TensorRT-LLM's scheduler as vLLM's: one step for prompts and decodes"),
    "distserve": ("vllm-0.8", "DistServe's engine as vLLM 0.8's: without asynchronous scheduling"),
}
COUNTS = {
    "max_num_batched_tokens": "max_num_batched_tokens",
    "max_num_seqs": "max_num_seqs",
    "max_model_len": "max_model_len",
    "block_size": "block_size",
    "num_gpu_blocks": "num_gpu_blocks_override",
}
SWITCHES = ("enable_prefix_caching", "enable_chunked_prefill", "enforce_eager", "async_scheduling")


@dataclass(frozen=True, slots=True)
class Engine:
    """arguments: a scenario's `engine` section; marks: what was assumed; unused: recorded, without effect."""

    arguments: dict[str, Any]
    marks: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(slots=True)
class _Read:
    """What is read from a cell of arguments, so far."""

    arguments: dict[str, Any] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)


def engine(row: Row) -> Engine:
    """The run's engine. Raises Lacks where no preset comes near it."""
    preset, marks = _preset(row)
    read = arguments(row.text("engine_args"))
    known = _known(preset, read)
    if row.text("prefix_sharing") == "prefix caching on" and "enable_prefix_caching" in preset.defaults:
        known.setdefault("enable_prefix_caching", True)
    return Engine({"preset": preset.name, **known}, (*marks, *read.marks), tuple(read.unused))


def arguments(cell: str) -> _Read:
    """The engine's arguments out of a cell: NAME=VALUE pairs and switches; what is in parentheses is prose,
    unless it says what is known of arguments that were not recorded."""
    read = _Read()
    for aside in re.findall(r"\(([^)]*)\)", cell):
        _aside(aside, read)
    plain = re.sub(r"\([^)]*\)", " ", cell).replace("model maximum", "model")
    for word in plain.replace(",", " ").split():
        _word(word, read)
    return read


def _aside(aside: str, read: _Read) -> None:
    match = re.match(r"(\w+) and (\w+) not recorded here; (\d+) and (\d+) in (\S+)", aside)
    if match is None:
        return
    for name, value in ((match[1], match[3]), (match[2], match[4])):
        read.arguments[COUNTS.get(name, name)] = int(value)
    read.marks.append(f"{match[1]} and {match[2]} as in {match[5]}")


def _word(word: str, read: _Read) -> None:
    name, equals, value = word.partition("=")
    if name in COUNTS and value.isdigit():
        read.arguments[COUNTS[name]] = int(value)
    elif name == "gpu_memory_utilization" and equals:
        read.arguments[name] = float(value)
    elif name.removeprefix("no_") in SWITCHES:
        read.arguments[name.removeprefix("no_")] = not name.startswith("no_") and value.lower() != "false"
    elif equals or name.startswith("enable"):
        read.unused.append(word)


def _known(preset: catalog.Preset, read: _Read) -> dict[str, Any]:
    """The arguments that the preset has."""
    for name in SWITCHES:
        if name in read.arguments and name not in preset.defaults:
            read.unused.append(f"{name}={read.arguments.pop(name)}")
    if "num_gpu_blocks_override" in read.arguments:
        read.arguments.pop("gpu_memory_utilization", None)
    return read.arguments


def _preset(row: Row) -> tuple[catalog.Preset, list[str]]:
    name, version = row.text("engine"), row.text("engine_version")
    family = re.match(r"[a-z0-9-]+", name.lower())
    kind = family[0] if family else ""
    if kind in STAND_INS:
        return _stand_in(*STAND_INS[kind])
    released = [p for p in map(_load, catalog.names("presets")) if p.engine == kind]
    if not released:
        raise Lacks(f"a preset for {name or 'its engine'}")
    if kind != "vllm" or _numbers(version):
        return _nearest(released, version)
    found, _ = _nearest(released, _by_date(row))
    return found, [f"{found.name} by the date of the run"]


def _load(name: str) -> catalog.Preset:
    found: catalog.Preset = catalog.load("presets", name)
    return found


def _stand_in(preset: str, mark: str) -> tuple[catalog.Preset, list[str]]:
    if not catalog.known("presets", preset):
        raise Lacks(f"preset {preset}")
    return _load(preset), [mark]


def _nearest(presets: list[catalog.Preset], version: str) -> tuple[catalog.Preset, list[str]]:
    """The preset of that release, or the nearest one, marked; the newer on a tie."""
    wanted = _numbers(version)
    for preset in presets:
        if wanted and wanted[:2] == _numbers(preset.version)[:2]:
            return preset, []
        if any(wanted[:2] == _numbers(release)[:2] for release in preset.nearest_for if wanted):
            return preset, [f"{preset.name} is the nearest preset to {version}"]
    found = min(presets, key=lambda preset: (_distance(preset.version, version), _newest_first(preset)))
    return found, [f"{found.name} is the nearest preset to {version or 'a version that is not recorded'}"]


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part) for part in match.groups() if part is not None) if match else ()


def _distance(a: str, b: str) -> float:
    first, second = _numbers(a), _numbers(b)
    if not second:
        return 0.0
    return abs((first[0] - second[0]) * 1000.0 + first[1] - second[1])


def _newest_first(preset: catalog.Preset) -> tuple[int, ...]:
    return tuple(-part for part in _numbers(preset.version))


def _by_date(row: Row) -> str:
    """The release that was current when the run was made, by what the row says of its date."""
    when = date_of(row.text("engine_version")) or date_of(row.text("notes"))
    if when is None:
        raise Lacks("the engine's version, and the date of the run")
    if when < VLLM_RELEASES[0][1]:
        return "0.4.1"
    return [version for version, since in VLLM_RELEASES if since <= when][-1]


def date_of(text: str) -> float | None:
    """The date that a text mentions, in years: "2026-04-17", "March 2026", "2025", "2023-24"."""
    full = re.search(r"\b(20\d\d)-(\d\d)-(\d\d)\b", text)
    if full:
        return int(full[1]) + (int(full[2]) - 1 + int(full[3]) / 31) / 12
    year = re.search(r"\b(20\d\d)\b", text)
    if year is None:
        return None
    month = re.search(r"\b([A-Z][a-z]{2})[a-z]* " + year[1], text)
    months = MONTHS.index(month[1].lower()) if month and month[1].lower() in MONTHS else 6
    return int(year[1]) + (months + 0.5) / 12
