"""What the parts of a latency and the kinds of steps look like: the same on every page."""

from __future__ import annotations

from simulator.report.charts import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, TEAL

PARTS = {
    "queue_s": ("queue", GREY, False),
    "prefill_own_s": ("own prefill", PURPLE, False),
    "prefill_shared_s": ("others' prefill", PURPLE, True),
    "transfer_wait_s": ("wait for decode", GREEN, True),
    "transfer_move_s": ("KV transfer", GREEN, False),
    "decode_own_s": ("own decode", ORANGE, False),
    "decode_stretched_s": ("stretched decode", ORANGE, True),
    "preempted_s": ("preempted", RED, True),
}
"""Name, colour, hatched: what others cause is hatched."""

STEPS = {"prefill": PURPLE, "mixed": TEAL, "decode": ORANGE}
DESIGNS = (BLUE, ORANGE, GREEN, RED, GREY)
STROKES = ("line", "dashed", "dotted", "thin")
