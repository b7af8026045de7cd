"""Randomness is passed in: streams derived from one seed and a name, never a global generator."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_sequence(seed: int, *names: object) -> np.random.SeedSequence:
    """A `numpy.random.SeedSequence` for one named use of `seed`.

    The same seed and names give the same stream on every machine and in every process; different
    names give independent streams. Names are joined by their text.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: expected a non-negative integer, got {seed!r}")
    digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
    return np.random.SeedSequence([int(seed), *np.frombuffer(digest, dtype="<u4").tolist()])


def generator(seed: int, *names: object) -> np.random.Generator:
    """A `numpy.random.Generator` for one named use of `seed`."""
    return np.random.default_rng(seed_sequence(seed, *names))


def torch_generator(seed: int, *names: object, device: str = "cpu") -> torch.Generator:
    """A `torch.Generator` for one named use of `seed` (needs the extra ``supernet``)."""
    import torch

    state = int(seed_sequence(seed, *names).generate_state(1, np.uint64)[0]) >> 1
    return torch.Generator(device=device).manual_seed(state)
