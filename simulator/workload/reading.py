"""A trace file from bytes to a Workload: decompression, the format it is in, bad rows, order and clock."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import plugins
from simulator.errors import InputError, Problem, unknown
from simulator.units import MAX_TIME_S
from simulator.workload.columns import Floats, Longs, Workload, turns_of, workload

HEAD_BYTES = 1 << 16
SHOWN = 10
"""How many bad rows a message names."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file's uncompressed content; its name without the folder, so that results don't depend on that."""

    path: Path
    data: bytes

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def head(self) -> bytes:
        """The beginning, without byte order mark and blank lines."""
        return self.data[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n\t ")

    def provenance(self, kind: str) -> dict[str, Any]:
        """What a workload read from it says of its origin; the SHA-256 is of the uncompressed content."""
        digest = hashlib.sha256(self.data).hexdigest()
        file = self.name.removesuffix(".gz")
        return {"format": kind, "file": file, "sha256": digest, "bytes": len(self.data)}


@dataclass(slots=True)
class Faults:
    """Bad rows of one file: refused all at once, or left out and counted.

    Rows are counted from 1 in messages, from 0 here; a header and blank lines don't count.
    """

    file: str
    skip: bool
    bad: dict[int, Problem] = field(default_factory=dict)

    def add(self, row: int, column: str, value: object, allowed: str) -> None:
        """Notes what is wrong with a row (from 0); its first fault counts."""
        self.bad.setdefault(row, Problem(f"{self.file}:row {row + 1}", f"{column} is {value!r}", allowed))

    def keep(self, rows: int) -> npt.NDArray[np.bool_]:
        """Which rows are good. Raises InputError naming the first bad ones, unless they are to be skipped."""
        good = np.ones(rows, np.bool_)
        good[[row for row in self.bad if row < rows]] = False
        if self.bad and not self.skip:
            first = [self.bad[row] for row in sorted(self.bad)[:SHOWN]]
            rest = len(self.bad) - len(first)
            told = "1 bad row" if len(self.bad) == 1 else f"{len(self.bad):,} bad rows"
            told += f", {rest:,} of them not shown" if rest else ""
            raise InputError(
                [*first, Problem(self.file, told, hint="--skip-bad-rows leaves them out and counts them")]
            )
        return good


def read_trace(
    path: str | Path,
    kind: str | None = None,
    options: dict[str, Any] | None = None,
    *,
    skip_bad_rows: bool = False,
) -> Workload:
    """The workload in a file of any known format, gzip or not; kind saves the guess, options are its own.

    Raises InputError if there is no such file, no format fits it, or rows are bad.
    """
    source = open_source(Path(path))
    module = plugins.find("formats", kind, "format") if kind else sniffed(source)
    faults = Faults(source.name, skip_bad_rows)
    load: Workload = module.read(source, _options(module, options or {}), faults)
    try:
        load.validate()
    except AssertionError as error:
        raise InputError(Problem(source.name, f"no workload (rows counted from 0): {error}")) from None
    return load


def open_source(path: Path) -> Source:
    """A file's content, decompressed if it is gzip by content. Raises InputError if there is none."""
    if path.is_dir():
        path = _trace_in(path)
    if path.exists() and not path.is_file() and not path.is_fifo():
        raise InputError(Problem(str(path), "is a device", "a file"))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(Problem(str(path), "no such file")) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as error:
            raise InputError(Problem(str(path), f"broken gzip: {error}")) from None
    return Source(path, data)


def _trace_in(folder: Path) -> Path:
    """A folder is read by the one file in it that holds the requests (RAGPulse's 0_trace.jsonl)."""
    for name in ("0_trace.jsonl", "0_trace.jsonl.gz"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        Problem(str(folder), "a folder without a trace", "a trace file, or a folder with 0_trace.jsonl")
    )


def sniffed(source: Source) -> ModuleType:
    """The format whose content this looks like. Raises InputError naming the formats and the columns seen."""
    head = source.head
    for name in plugins.names("formats"):
        module = plugins.find("formats", name)
        if module.sniff(head):
            return module
    if not head:
        raise InputError(Problem(source.name, "the file is empty", "a trace"))
    first = head.split(b"\n", 1)[0][:100].decode("utf-8", "replace").strip()
    first = repr(first) if first.isprintable() else "bytes that are no text"
    known = ", ".join(plugins.names("formats"))
    what = f"no known trace format; it begins with {first}"
    raise InputError(Problem(source.name, what, known, _likely(head)))


SERVEGEN = "this looks like ServeGen: rates of clients, from which requests are yet to be drawn"
RELATIVES = (
    ((b'"token_length"',), "this is a table of RAGPulse: 0_trace.jsonl beside it is the trace"),
    ((b'"benchmarks"',), "this looks like a result of GuideLLM, not a trace"),
    ((b'"total_token_throughput"',), "this looks like a result of vllm bench serve, not a trace"),
    ((b'"metadata"', b'"metrics"'), "these look like records of AIPerf, not a trace"),
    ((b"-dataset.json\x00",), SERVEGEN),
    ((b",Gamma,",), "this looks like ServeGen: rates of clients, from which requests are yet to be drawn"),
    ((b",Weibull,",), "this looks like ServeGen: rates of clients, from which requests are yet to be drawn"),
)


def _likely(head: bytes) -> str:
    """What a file that is no trace is, as far as it is known."""
    return next((told for marks, told in RELATIVES if all(mark in head for mark in marks)), "")


def _options(module: ModuleType, given: dict[str, Any]) -> Any:
    """The format's Options from a mapping: its keys known, its values of the defaults' types."""
    known = {f.name: f.default for f in fields(module.Options)}
    wrong = [unknown("format_options", "option", name, known) for name in given if name not in known]
    for name in [name for name in given if name in known]:
        if type(given[name]) is not type(known[name]):
            allowed = f"as {known[name]!r}"
            wrong.append(Problem(f"format_options.{name}", f"{given[name]!r} is of the wrong type", allowed))
    if wrong:
        raise InputError(wrong)
    return module.Options(**given)


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns as a format's file has them, in the file's order; what stands in bad rows doesn't matter.

    time_s [n]: seconds on any clock; prompt_tokens, output_tokens [n]; columns: a Workload's others, by name.
    """

    time_s: npt.NDArray[np.float64]
    prompt_tokens: npt.NDArray[np.int64]
    output_tokens: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[Any]] = field(default_factory=dict)


def assemble(rows: Rows, faults: Faults, provenance: dict[str, Any]) -> Workload:
    """A workload of rows: sorted (stably), begun at 0, turns numbered, bad and empty rows left out.

    Empty: without prompt or output tokens. Each change is counted. Raises InputError for bad rows that are
    not to be skipped, if nothing is left, or if the trace is longer than the grid.
    """
    good = faults.keep(len(rows.time_s))
    no_prompt, no_output = good & (rows.prompt_tokens < 1), good & (rows.output_tokens < 1)
    kept = good & ~no_prompt & ~no_output
    if not kept.any():
        none = f"none of {len(good):,} rows is" if len(good) > 1 else "the only row is not"
        what = f"{none} a request with prompt and output tokens" if len(good) else "there are no rows"
        raise InputError(Problem(faults.file, what, "at least one request"))
    counts = {
        "rows": len(good),
        "bad_rows_dropped": int(np.count_nonzero(~good)),
        "zero_prompt_rows_dropped": int(np.count_nonzero(no_prompt)),
        "zero_output_rows_dropped": int(np.count_nonzero(no_output & ~no_prompt)),
        "out_of_order_rows_sorted": int(np.count_nonzero(np.diff(rows.time_s[good]) < 0)),
    }
    seconds = _from_zero(rows.time_s, kept, faults.file)
    record = provenance | {"counts": counts}
    load = workload(seconds, rows.prompt_tokens, rows.output_tokens, provenance=record, **rows.columns)
    order = np.argsort(seconds, kind="stable")
    load = load.slice(order[kept[order]])
    if "turn" in rows.columns or "session" not in rows.columns:
        return load
    return replace(load, turn=turns_of(load.session).astype(np.int32))


def _from_zero(time_s: Floats, kept: npt.NDArray[np.bool_], file: str) -> Floats:
    start, end = float(time_s[kept].min()), float(time_s[kept].max())
    if end - start >= MAX_TIME_S:
        what = f"spans {(end - start) / 86400:.0f} days"
        raise InputError(Problem(file, what, "under 97 days: import a part of it"))
    return time_s - start


def read_lengths(path: str | Path) -> tuple[Longs, Longs]:
    """Prompt and output tokens of a trace, or of a file of lengths without arrivals."""
    module = sniffed(open_source(Path(path)))
    at_once = {"arrivals": "at_once"} if "arrivals" in (f.name for f in fields(module.Options)) else {}
    load = read_trace(path, options=at_once)
    return load.prompt_tokens.astype(np.int64), load.output_tokens.astype(np.int64)
