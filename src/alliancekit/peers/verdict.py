"""How a difference between engines is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

GREEN, AMBER = 0.01, 0.1  # of our standard error
GAP = 0.1  # log-likelihood units: more than this is another answer, not rounding
NOTICEABLE_GAP = 1e-3

VERDICTS = ("green", "amber", "red", "stopped below optimum", "not expressible", "not installed", "failed")


@dataclass(frozen=True)
class PeerEstimate:
    """What a peer answered.

    Attributes
    ----------
    engine : name and version. fixed, std_error : by our term names. covariances : group -> matrix, our order of
    columns; None where the peer has none. sigma2 : residual variance. log_likelihood : as the peer reports it.
    status : "" for an answer, else "not expressible", "not installed" or "failed". note : reason or the peer's
    warnings. other_errors : why the peer's standard errors are not comparable with ours; "" where they are.
    """

    engine: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    std_error: Mapping[str, float] = field(default_factory=dict)
    covariances: Mapping[str, np.ndarray] | None = None
    sigma2: float = float("nan")
    log_likelihood: float = float("nan")
    status: str = ""
    note: str = ""
    other_errors: str = ""


def judge(difference: float, gap: float) -> str:
    """Return the verdict on one coefficient.

    Parameters
    ----------
    difference : |peer - ours| in units of our standard error (of estimate or of standard error, the larger).
    gap : our log-likelihood minus our log-likelihood at the peer's estimates; NaN where it cannot be computed.

    Examples
    --------
    >>> judge(0.002, 0.0), judge(0.5, 0.0), judge(0.5, 195.0)
    ('green', 'red', 'stopped below optimum')
    """
    if gap > GAP or (gap > NOTICEABLE_GAP and difference >= GREEN):
        return "stopped below optimum"
    if difference < GREEN:
        return "green"
    return "amber" if difference < AMBER else "red"
