"""From the scale of the link to that of the response: means by the inverse link, differences as ratios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import check_option

Floats = NDArray[np.float64]

SCALES = ("response", "link")
_COUNTS = ("poisson", "negative-binomial")
_PROPORTIONS = ("binomial", "beta-binomial")


class Link(Protocol):
    """A link function: what a mean is of its linear predictor.

    A link has a ``name`` ("identity", "logit", "log" ...), ``inverse(eta)`` and ``derivative(eta)``, the derivative of
    ``inverse``; both take and return arrays of shape (n,). ``inverse`` must rise.
    """

    @property
    def name(self) -> str:
        """The word for the link."""

    def inverse(self, eta: Floats) -> Floats:
        """Return the mean of each linear predictor."""

    def derivative(self, eta: Floats) -> Floats:
        """Return the derivative of ``inverse``."""


@dataclass(frozen=True, slots=True)
class ResponseScale:
    """How estimates are shown.

    Attributes
    ----------
    word : "response" or "link". link : of the fit; None for the identity. family : the outcome's distribution.
    """

    word: str
    link: Link | None
    family: str

    @property
    def link_name(self) -> str:
        """The link's word."""
        return "identity" if self.link is None else self.link.name

    @property
    def transforms(self) -> bool:
        """Whether estimates are taken back from the scale of the link."""
        return self.word == "response" and self.link_name != "identity"

    @property
    def ratios(self) -> bool:
        """Whether differences are shown as ratios."""
        return self.transforms and self.link_name in ("logit", "log")

    @property
    def mean_name(self) -> str:
        """What a mean is called: "mean", "probability", "rate" or "response"."""
        if not self.transforms:
            return "mean"
        return "probability" if self.family in _PROPORTIONS else "rate" if self.family in _COUNTS else "response"

    @property
    def contrast_name(self) -> str:
        """What a contrast is called: "difference", "odds ratio", "rate ratio" or "ratio"."""
        if not self.ratios:
            return "difference"
        return "odds ratio" if self.link_name == "logit" else "rate ratio" if self.family in _COUNTS else "ratio"

    def means(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return estimates on this scale: standard errors by the delta method, limits by the inverse link."""
        if not self.transforms:
            return frame
        assert self.link is not None
        eta = frame["estimate"].to_numpy()
        return frame.assign(
            estimate=self.link.inverse(eta),
            std_error=np.abs(self.link.derivative(eta)) * frame["std_error"].to_numpy(),
            conf_low=self.link.inverse(frame["conf_low"].to_numpy()),
            conf_high=self.link.inverse(frame["conf_high"].to_numpy()),
        )

    def contrasts(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return differences on this scale: as ratios where the link is logit or log."""
        if not self.ratios:
            return frame
        ratio = np.exp(frame["estimate"])
        low, high = np.exp(frame["conf_low"]), np.exp(frame["conf_high"])
        return frame.assign(estimate=ratio, std_error=ratio * frame["std_error"], conf_low=low, conf_high=high)


def make_scale(word: str, link: Link | None, family: str) -> ResponseScale:
    """Return the scale of a word; SpecError for one that is none."""
    return ResponseScale(check_option("scale", word, SCALES), link, family)
