"""What prompts share: system prompts of groups, and conversations whose turns repeat all that was said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.workload.columns import UNSHARED, Ids, Ints, Longs
from simulator.workload.spec import Prefix

_GROUPS = 1
_TOLD = 1 << 40


@dataclass(frozen=True, slots=True)
class Talk:
    """conversation, turn [n]: whose and which turn (from 0) a request is; a conversation's rows adjoin."""

    conversation: Longs
    turn: Longs


def talk_of(turns: Ints, n: int) -> Talk:
    """The first n requests of conversations of so many turns each; the last conversation is cut short."""
    ends = np.cumsum(turns, dtype=np.int64)
    conversation = np.searchsorted(ends, np.arange(n), side="right")
    return Talk(conversation, np.arange(n) - (ends - turns)[conversation])


def groups_of(prefix: Prefix, n: int, rng: np.random.Generator) -> Longs:
    """The group of each of n prompts or conversations: group k as often as 1 / (k + 1)^skew."""
    weights = 1.0 / np.arange(1, prefix.groups + 1) ** prefix.skew
    edges = np.cumsum(weights) / weights.sum()
    return np.minimum(np.searchsorted(edges, rng.random(n), side="right"), prefix.groups - 1)


def shared_columns(prefix: Prefix, own: Ints, group: Longs) -> dict[str, npt.NDArray[Any]]:
    """Columns of prompts: their group's `prefix.tokens`, then `own` tokens that nobody shares."""
    n = len(own)
    ids, tokens = np.empty(2 * n, np.uint64), np.empty(2 * n, np.int32)
    ids[::2], tokens[::2] = _GROUPS + group, prefix.tokens
    ids[1::2], tokens[1::2] = np.arange(n, dtype=np.uint64) + np.uint64(UNSHARED), own
    prompt = own + np.int32(prefix.tokens)
    return _columns(prompt, np.arange(0, 2 * n + 1, 2), ids, tokens)


def session_columns(
    prefix: Prefix, talk: Talk, own: Ints, output: Ints, group: Longs
) -> dict[str, npt.NDArray[Any]]:
    """Columns of prompts that hold their conversation so far: system prompt, questions and answers by turns.

    own, output: tokens of each request's question and answer; group: of each request's conversation.
    """
    row = np.arange(len(own))
    first = row - talk.turn
    head = 1 if prefix.tokens else 0
    counts = head + 2 * talk.turn + 1
    offset = np.concatenate(([0], np.cumsum(counts)))
    request = np.repeat(row, counts)
    place = np.arange(offset[-1]) - offset[request] - head
    told = first[request] + np.maximum(place, 0) // 2
    tokens = np.where(place % 2, output[told], own[told]).astype(np.int32)
    ids = (_TOLD + 2 * told + place % 2).astype(np.uint64)
    if head:
        opening = offset[:-1]
        ids[opening], tokens[opening] = _GROUPS + group, prefix.tokens
    prompt = np.add.reduceat(tokens.astype(np.int64), offset[:-1]) if len(own) else np.empty(0, np.int64)
    answers = (_TOLD + 2 * row + 1).astype(np.uint64)
    return _columns(prompt, offset, ids, tokens) | {"output_segment": answers}


def _columns(prompt: npt.NDArray[Any], offset: Longs, ids: Ids, tokens: Ints) -> dict[str, npt.NDArray[Any]]:
    return {
        "prompt_tokens": prompt.astype(np.int32),
        "segment_offset": offset.astype(np.int64),
        "segment_id": ids,
        "segment_tokens": tokens,
    }
