"""The words that choose a family: distribution, link, form of variance, formulas of dispersion and extra zeros."""

from __future__ import annotations

from dataclasses import dataclass

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.design import Design
from alliancekit.multilevel.generalised.links import LINKS, Link

COUNTS = ("poisson", "negative-binomial")
FAMILY_LINKS = {
    "binomial": ("logit", "probit", "cloglog"),
    "beta-binomial": ("logit", "probit", "cloglog"),
    "poisson": ("log",),
    "negative-binomial": ("log",),
}
VARIANCES = ("quadratic", "linear")
MOST_NODES = 100


@dataclass(frozen=True, slots=True)
class FamilyWords:
    """What was asked for: family, link, form of a negative binomial's variance, whether zeros are inflated."""

    family: str
    link: str
    variance: str = "quadratic"
    inflated: bool = False

    @property
    def link_function(self) -> Link:
        """The link."""
        return LINKS[self.link]

    @property
    def takes_successes(self) -> bool:
        """Whether the outcome counts successes: 0/1, two levels, or counts out of a total."""
        return self.family not in COUNTS

    @property
    def has_dispersion(self) -> bool:
        """Whether the family has a dispersion parameter."""
        return self.family in ("negative-binomial", "beta-binomial")


def check_words(
    family: str, link: str | None, variance: str | None, zero_inflation: str | None, dispersion: str | None
) -> FamilyWords:
    """Return the words of a family, checked.

    Raises
    ------
    SpecError : a link that the family does not take, an option that it has no use for.
    """
    links = FAMILY_LINKS[family]
    if link == "log" and "log" not in links:
        raise SpecError(
            message(
                f'link="log" is not there for family={family!r}: probabilities above 1 would have to be kept out',
                do='Use link="logit"; risks and their differences come from fit.means and fit.contrasts',
            )
        )
    word = check_option("link", links[0] if link is None else link, links)
    if variance is not None and family != "negative-binomial":
        raise SpecError(
            message(f"variance has no meaning for family={family!r}", do='It goes with family="negative-binomial"')
        )
    form = check_option("variance", "quadratic" if variance is None else variance, VARIANCES)
    words = FamilyWords(family, word, form, zero_inflation is not None)
    if dispersion is not None and not words.has_dispersion:
        raise SpecError(
            message(
                f"family={family!r} has no dispersion parameter",
                do='Use family="negative-binomial" for counts, or family="beta-binomial" for counts out of a total',
            )
        )
    return words


def check_quadrature(quadrature: object) -> int:
    """Return the number of nodes, if it is one."""
    whole = isinstance(quadrature, int) and not isinstance(quadrature, bool)
    if not whole or not 1 <= int(quadrature) <= MOST_NODES:  # type: ignore[call-overload]
        raise SpecError(
            message(
                f"quadrature={quadrature!r} is not a number of nodes",
                do=f"Give a whole number from 1 (Laplace approximation) to {MOST_NODES}; 9 to 25 do for most data",
            )
        )
    return int(quadrature)  # type: ignore[call-overload, no-any-return]


def check_scalar(design: Design, quadrature: int) -> None:
    """Raise SpecError where quadrature is asked for and groups have more than one random effect."""
    if quadrature == 1:
        return
    if len(design.random) == 1 and design.random[0].Z.shape[1] == 1:
        return
    terms = ", ".join(block.display for block in design.random)
    raise SpecError(
        message(
            f"quadrature={quadrature} needs one random effect per group, and the model has more",
            where=terms,
            do="Leave quadrature out (Laplace approximation), or keep one term such as (1 | patient)",
        )
    )


def check_inflation(design: Design, words: FamilyWords) -> None:
    """Raise SpecError where extra zeros are asked for in a 0/1 outcome, which cannot show any."""
    if words.inflated and words.family not in COUNTS and design.trials is None and design.weights is None:
        raise SpecError(
            message(
                "zero_inflation cannot be told from the probability itself in an outcome of 0 and 1",
                do="Leave it out; it is for counts, and for counts out of a total",
            )
        )
