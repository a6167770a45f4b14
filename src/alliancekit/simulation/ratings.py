"""How people answer: questionnaire items as ordered categories of a latent trait, and answers that are not given.

Symbols: eta = the person's latent standing (mean 0, variance 1), lambda = loading, epsilon = what else moves an item.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

THRESHOLDS = (-1.9, -1.1, -0.3, 0.7)
"""Cut points between the five answers: negatively skewed, with a mild ceiling, as alliance ratings are."""

LOADING = 0.75
"""Loading of each item on its trait; the stable rest of an item has variance 1 - loading squared."""


def answer_items(
    rng: np.random.Generator,
    traits: Array,
    key: tuple[int, ...],
    n_sessions: int,
    *,
    state_variance: float,
    noise_variance: float,
) -> NDArray[np.int64]:
    """Return the answers (1 to 5) of n people to every item at every session.

    An item's latent response is ``LOADING * eta + epsilon + state + noise``. ``epsilon`` (variance 1 - LOADING squared)
    is the person's stable way of reading that item: it is drawn once per person and item, so averaging over sessions
    does not remove it. ``state`` is the mood of the session, shared by all its items; ``noise`` is new for each answer.

    Parameters
    ----------
    rng : random generator.
    traits : shape (n, traits), standardised.
    key : for each item the column of ``traits`` it measures; length = number of items.
    n_sessions : number of sessions.
    state_variance, noise_variance : variances of the two session parts, in units of the latent response.

    Returns
    -------
    Integers of shape (n, n_sessions, items).
    """
    n, items = traits.shape[0], len(key)
    stable = LOADING * traits[:, list(key)] + np.sqrt(1 - LOADING**2) * rng.standard_normal((n, items))
    state = np.sqrt(state_variance) * rng.standard_normal((n, n_sessions, 1))
    noise = np.sqrt(noise_variance) * rng.standard_normal((n, n_sessions, items))
    response = stable[:, None, :] + state + noise
    answers = np.searchsorted(np.asarray(THRESHOLDS), response, side="left") + 1
    return np.asarray(answers, dtype=np.int64)


def missing_completely_at_random(rng: np.random.Generator, shape: tuple[int, ...], share: float) -> NDArray[np.bool_]:
    """Return a mask that is True with probability ``share``, independent of everything."""
    return np.asarray(rng.random(shape) < share)


def mean_of_given(values: Array, missing: NDArray[np.bool_]) -> Array:
    """Return the mean over axis 1 of the values that are not missing; nan where all are."""
    given = ~missing
    count = given.sum(axis=1)
    total = np.where(given, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
