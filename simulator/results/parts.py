"""The parts of a request's latency: columns of requests.parquet that sum to e2e_s exactly."""

from __future__ import annotations

PARTS = ("queue_s", "prefill_s", "transfer_s", "decode_s")

WATERFALL = (
    "queue_s",
    "prefill_own_s",
    "prefill_shared_s",
    "transfer_wait_s",
    "transfer_move_s",
    "decode_own_s",
    "decode_stretched_s",
    "preempted_s",
)
