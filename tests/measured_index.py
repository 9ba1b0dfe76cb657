"""A small index of measured runs, made by hand: cells that a row doesn't give are empty."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import Any

from simulator.study.measured.rows import Row

COLUMNS = (
    "run", "set", "stage", "model", "weights_dtype", "kv_dtype", "accelerator", "n_gpus", "layout", "tp",
    "pp", "ep", "dp", "prefill_pool", "decode_pool", "engine", "engine_version", "engine_args", "arrival",
    "rate_rps", "concurrency", "n_requests", "n_failed", "duration_s", "prompt_tokens_mean",
    "output_tokens_mean", "length_spec", "prefix_sharing", "ttft_mean_ms", "ttft_p50_ms", "ttft_p90_ms",
    "ttft_p99_ms", "ttft_point_ms", "tpot_mean_ms", "tpot_p50_ms", "tpot_p90_ms", "tpot_p99_ms",
    "tpot_point_ms", "e2e_mean_ms", "e2e_p50_ms", "e2e_p90_ms", "e2e_p99_ms", "req_per_s",
    "output_tok_per_s", "per_request_file", "series_file", "source", "licence", "quality", "notes",
)  # fmt: skip

COLOCATED: dict[str, Any] = {
    "run": "small/one", "set": "small", "stage": "all", "model": "meta-llama/Llama-3.1-8B-Instruct",
    "weights_dtype": "bf16", "accelerator": "h100-sxm", "n_gpus": 1, "layout": "colocated", "tp": 1, "pp": 1,
    "engine": "vllm", "engine_version": "0.15.1", "engine_args": "max_num_seqs=64 max_model_len=4096",
    "source": "github:someone/measurements@abc:one.json", "licence": "MIT",
}  # fmt: skip
CLOSED: dict[str, Any] = COLOCATED | {
    "arrival": "closed loop, request_rate inf", "concurrency": 4, "n_requests": 12,
    "prompt_tokens_mean": 256, "output_tokens_mean": 32,
    "ttft_mean_ms": 30, "tpot_mean_ms": 8, "e2e_mean_ms": 280, "output_tok_per_s": 450,
}  # fmt: skip
STAGE: dict[str, Any] = COLOCATED | {
    "run": "small/staged", "arrival": "exponential gaps", "rate_rps": 2, "n_requests": 40, "duration_s": 20,
    "prompt_tokens_mean": 547, "output_tokens_mean": 20, "req_per_s": 2, "e2e_mean_ms": 200,
    "length_spec": "shared_prefix: system 100 + question 447, output fixed 20",
    "prefix_sharing": "5 system prompts x 2 questions = 10 distinct prompts",
}  # fmt: skip


def row(cells: dict[str, Any], folder: Path = Path()) -> Row:
    """A row of those cells."""
    return Row("index.csv:row 1", folder, {name: str(value) for name, value in cells.items()})


def write(folder: Path, *rows: dict[str, Any], name: str = "index.csv") -> Path:
    """An index of those rows in `folder`; the folder."""
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder


def write_requests(path: Path, header: str, *lines: str) -> None:
    """A gzipped CSV file of requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join([header, *lines, ""]).encode()))
