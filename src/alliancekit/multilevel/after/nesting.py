"""Whether the distribution of one model holds that of another, and which parameters then lie on a boundary."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.generalised.fit import GeneralisedFit, SideEstimates

HOLDS = {("poisson", "negative-binomial"), ("binomial", "beta-binomial")}
"""(smaller, larger): the larger becomes the smaller where its dispersion reaches the end of its range."""
DISPERSION, EXTRA_ZEROS, RANDOM = "dispersion", "extra zeros", "random effect"


def distributions_nested(smaller: Any, larger: Any) -> bool:
    """Whether the distribution of the smaller model is one that the larger can take: family, link, side parts."""
    if not (isinstance(smaller, GeneralisedFit) and isinstance(larger, GeneralisedFit)):
        return isinstance(smaller, GeneralisedFit) == isinstance(larger, GeneralisedFit)
    one, two = smaller.words, larger.words
    if one.family == two.family:
        same = not one.has_dispersion or one.variance == two.variance
    else:
        same = (one.family, two.family) in HOLDS
    parts = ((smaller.dispersion, larger.dispersion), (smaller.inflation, larger.inflation))
    return same and one.link == two.link and all(_terms(a) <= _terms(b) for a, b in parts)


def _terms(part: SideEstimates | None) -> frozenset[str]:
    return frozenset(() if part is None else part.names)


def limits_added(smaller: Any, larger: Any) -> list[str]:
    """Return what the larger distribution has more whose null value ends its range, one word per coefficient.

    A Poisson model is a negative binomial one without dispersion, and a model without extra zeros one in which their
    probability is zero. Neither can go below: as with a variance, half of the samples have the estimate at the limit.
    A further coefficient in a part that both models have is not at a limit.
    """
    if not (isinstance(smaller, GeneralisedFit) and isinstance(larger, GeneralisedFit)):
        return []
    out: list[str] = []
    parts = (
        (DISPERSION, smaller.dispersion, larger.dispersion),
        (EXTRA_ZEROS, smaller.inflation, larger.inflation),
    )
    for word, before, after in parts:
        if before is None and after is not None:
            out += [word] * len(after.names)
    return out


def shape_words(fit: Any) -> str:
    """Return what tells distributions of one family apart: the form of the variance, extra zeros, the link."""
    if not isinstance(fit, GeneralisedFit):
        return "with a residual structure" if getattr(fit, "residual", None) is not None else ""
    words = [f"{fit.words.variance} variance"] if fit.words.family == "negative-binomial" else []
    words += [f"{fit.words.link} link"] * fit.words.takes_successes
    words += ["dispersion by formula"] * (fit.dispersion is not None and not fit.dispersion.constant)
    words += ["extra zeros"] * (fit.inflation is not None)
    return ", ".join(words)


def boundary_note(after: str, limits: Collection[str], mixture: str) -> str:
    """Return which p value to read where a test has parameters on the boundary: random effects, dispersion, zeros."""
    if len(limits) == 1:
        what = {
            RANDOM: "adds a random effect, whose variance of zero lies on the boundary",
            DISPERSION: "adds overdispersion, whose value of zero lies on the boundary",
            EXTRA_ZEROS: "adds extra zeros, whose probability of zero lies on the boundary",
        }[next(iter(limits))]
        return f"'{after}' {what}: read p_mixture, from {mixture}."
    counts = {word: list(limits).count(word) for word in limits}
    if set(counts) == {RANDOM}:
        return (
            f"'{after}' adds {len(limits)} random effects at once: their variances of zero lie on the boundary, the "
            "mixture is not known, and the p value is too large. Adding them one at a time gives p_mixture."
        )
    listed = " and ".join(_counted(word, count) for word, count in counts.items())
    return (
        f"'{after}' adds {listed} at once: their null values lie on the boundary, the mixture is not known, and the p "
        "value is rough, as a rule too large. Adding them one at a time gives p_mixture."
    )


def _counted(word: str, count: int) -> str:
    if word == RANDOM:
        return "a random effect" if count == 1 else f"{count} random effects"
    known = {DISPERSION: "overdispersion", EXTRA_ZEROS: "extra zeros"}[word]
    return known if count == 1 else f"{known} of {count} coefficients"


def check_same_approximation(fits: Collection[Any], formulas: Collection[str]) -> None:
    """Raise SpecError where log-likelihoods are approximated with different numbers of quadrature nodes."""
    nodes = {fit.quadrature for fit in fits if isinstance(fit, GeneralisedFit)}
    if len(nodes) > 1:
        listed = " and ".join(str(n) for n in sorted(nodes))
        raise SpecError(
            message(
                f"the log-likelihoods are approximated with {listed} nodes, and cannot be compared",
                where="; ".join(dict.fromkeys(formulas)),
                do="Fit the models with the same quadrature=",
            )
        )
