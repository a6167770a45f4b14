"""Random seeds: one root seed, independent streams by spawning, the same in serial and parallel runs."""

from __future__ import annotations

import numpy as np


def spawn(seed: int | np.random.SeedSequence, n: int) -> list[np.random.SeedSequence]:
    """Return ``n`` independent child seeds of ``seed``.

    Examples
    --------
    >>> len(spawn(1, 3))
    3
    """
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # A fresh sequence, so that spawning twice from the same object gives the same children.
    fresh = np.random.SeedSequence(entropy=root.entropy, spawn_key=root.spawn_key, pool_size=root.pool_size)
    return fresh.spawn(n)


def generator(seed: int | np.random.SeedSequence) -> np.random.Generator:
    """Return the random generator of a seed."""
    return np.random.default_rng(seed)
