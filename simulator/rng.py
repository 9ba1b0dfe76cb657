"""Every random stream by its name, so that two designs under one seed see the same requests."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, name: str, *keys: int) -> np.random.Generator:
    """An independent generator for (seed, name, keys…): equal arguments, equal draws, on any machine."""
    digest = hashlib.sha256(name.encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words, *keys])))
