"""Prompts as lists of hashed blocks: an id stands for all tokens up to its block's end."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.workload.columns import UNSHARED
from simulator.workload.jsonl import Objects
from simulator.workload.reading import Faults


def check_hashes(
    rows: Objects, prompt: npt.NDArray[np.int64], size: int, faults: Faults, part: bool = True
) -> None:
    """Notes rows whose hash_ids are no ids or too many or few for the prompt, and takes them away there.

    part: the last block, if it is not full, has an id, too.
    """
    for row, (item, tokens) in enumerate(zip(rows, prompt.tolist())):
        ids = item.get("hash_ids") or []
        blocks = -(-tokens // size) if part else tokens // size
        if not isinstance(ids, list) or not all(type(one) is int and 0 <= one < UNSHARED for one in ids):
            faults.add(row, "hash_ids", ids, "a list of whole numbers")
        elif ids and len(ids) != blocks:
            allowed = f"{blocks} blocks of {size} (the option block_size) for {tokens} tokens"
            faults.add(row, "the length of hash_ids", len(ids), allowed)
        else:
            continue
        item["hash_ids"] = []


def block_segments(
    hashes: list[list[int]], prompt: npt.NDArray[np.int64], size: int
) -> dict[str, npt.NDArray[Any]]:
    """Segments of blocks that were checked: all of `size` tokens but the last, which has the rest. What no id
    stands for is a segment that nobody shares.
    """
    lists = [
        [*ids, UNSHARED + row] if ids and tokens > len(ids) * size else ids
        for row, (ids, tokens) in enumerate(zip(hashes, prompt.tolist()))
    ]
    counts = np.array([len(ids) for ids in lists], np.int64)
    offset = np.concatenate(([0], np.cumsum(counts)))
    tokens = np.full(offset[-1], size)
    hashed = counts > 0
    tokens[offset[1:][hashed] - 1] = prompt[hashed] - (counts[hashed] - 1) * size
    ids = np.fromiter(itertools.chain.from_iterable(lists), np.uint64, int(offset[-1]))
    return {"segment_offset": offset, "segment_id": ids, "segment_tokens": tokens}
