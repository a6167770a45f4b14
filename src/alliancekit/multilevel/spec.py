"""What is asked for, before any data are touched: formula, criterion, family and options, checked."""

from __future__ import annotations

from dataclasses import dataclass

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.parse import Formula, parse_formula
from alliancekit.multilevel.residual.terms import ResidualStructure, check_structure

FAMILIES = ("gaussian",)
FAMILIES_LATER = ("binomial", "poisson", "negative-binomial", "beta-binomial")
METHODS = ("REML", "ML")


@dataclass(frozen=True, slots=True)
class MixedSpec:
    """A mixed model as asked for (frozen, not fitted).

    Attributes
    ----------
    formula : parsed formula. method : "REML" or "ML". weights : column of prior weights or None. family, link : words.
    residual : structure of the residuals, or None where they are independent with equal variance.
    """

    formula: Formula
    method: str
    weights: str | None
    family: str
    link: str
    residual: ResidualStructure | None = None

    @property
    def reml(self) -> bool:
        """True where the criterion is REML."""
        return self.method == "REML"


def make_spec(
    formula: str,
    *,
    method: str | None = None,
    weights: str | None = None,
    residual_structure: object | None = None,
    family: str = "gaussian",
    link: str | None = None,
    quadrature: int = 1,
) -> MixedSpec:
    """Check the words and parse the formula.

    Raises
    ------
    SpecError : bad formula, unknown word, a family that this version does not have, neither a random term
        nor a residual structure.
    """
    if not isinstance(formula, str):
        raise SpecError(message("the formula must be text", do='Write for example "y ~ x + (1 | patient)"'))
    if family in FAMILIES_LATER:
        raise SpecError(message(f"family={family!r} is not available in this version", do="Only 'gaussian' is fitted"))
    check_option("family", family, FAMILIES)
    check_option("link", link or "identity", ("identity",))
    residual = check_structure(residual_structure)
    if quadrature != 1:
        raise SpecError(message("quadrature has no meaning for a Gaussian outcome", do="Leave it out"))
    method = check_option("method", method or "REML", METHODS)
    parsed = parse_formula(formula)
    if parsed.response is None:
        raise SpecError(message("the formula has no outcome", where=formula, do='Write "outcome ~ ..."'))
    if not parsed.random and residual is None:
        raise SpecError(
            message(
                "the formula has no random term",
                where=formula,
                do="Add one, such as (1 | patient), or a residual_structure; for ordinary regression use statsmodels",
            )
        )
    return MixedSpec(parsed, method, weights, family, link or "identity", residual)
