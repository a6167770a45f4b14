"""What is asked for, before any data are touched: formula, criterion, family and options, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.formula.parse import Formula, parse_formula
from alliancekit.formula.side import parse_side
from alliancekit.multilevel.generalised.words import FamilyWords, check_quadrature, check_words
from alliancekit.multilevel.residual.terms import ResidualStructure, check_structure

FAMILIES = ("gaussian", "binomial", "poisson", "negative-binomial", "beta-binomial")
METHODS = ("REML", "ML")


@dataclass(frozen=True, slots=True)
class MixedSpec:
    """A mixed model as asked for (frozen, not fitted).

    Attributes
    ----------
    formula : parsed formula. method : "REML" or "ML". weights : column of prior weights or None. family, link : words.
    residual : structure of the residuals, or None where they are independent with equal variance.
    quadrature : nodes per group. words : family, link and form of variance; None for a Gaussian outcome.
    side : formulas of the dispersion and of extra zeros, by name.
    """

    formula: Formula
    method: str
    weights: str | None
    family: str
    link: str
    residual: ResidualStructure | None = None
    quadrature: int = 1
    words: FamilyWords | None = None
    side: Mapping[str, Formula] = field(default_factory=dict)

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
    variance: str | None = None,
    zero_inflation: str | None = None,
    dispersion: str | None = None,
) -> MixedSpec:
    """Check the words and parse the formula.

    Raises
    ------
    SpecError : bad formula, unknown word, an option that the family has no use for, neither a random term nor a
        residual structure.
    """
    if not isinstance(formula, str):
        raise SpecError(message("the formula must be text", do='Write for example "y ~ x + (1 | patient)"'))
    check_option("family", family, FAMILIES)
    residual = check_structure(residual_structure)
    parsed = _parse(formula, residual is not None)
    nodes = check_quadrature(quadrature)
    if family != "gaussian":
        words = check_words(family, link, variance, zero_inflation, dispersion)
        _check_generalised(method, residual is not None, family)
        texts = {"zero_inflation": zero_inflation, "dispersion": dispersion}
        side = {name: parse_side(text, name) for name, text in texts.items() if text is not None}
        return MixedSpec(parsed, "ML", weights, family, words.link, None, nodes, words, side)
    given = {"variance": variance, "zero_inflation": zero_inflation, "dispersion": dispersion}
    for name, value in given.items():
        if value is not None:
            do = "For unequal residual variances give residual_structure=ak.heteroscedastic(by=...)"
            raise SpecError(message(f"{name} has no meaning for a Gaussian outcome", do=do))
    check_option("link", link or "identity", ("identity",))
    if nodes != 1:
        raise SpecError(message("quadrature has no meaning for a Gaussian outcome", do="Leave it out"))
    method = check_option("method", method or "REML", METHODS)
    return MixedSpec(parsed, method, weights, family, "identity", residual)


def _parse(formula: str, structured: bool) -> Formula:
    parsed = parse_formula(formula)
    if parsed.response is None:
        raise SpecError(message("the formula has no outcome", where=formula, do='Write "outcome ~ ..."'))
    if not parsed.random and not structured:
        raise SpecError(
            message(
                "the formula has no random term",
                where=formula,
                do="Add one, such as (1 | patient), or residual_structure=; for ordinary regression use statsmodels",
            )
        )
    return parsed


def _check_generalised(method: str | None, structured: bool, family: str) -> None:
    if check_option("method", method or "ML", METHODS) == "REML":
        raise SpecError(
            message(
                f'method="REML" is not defined for family={family!r}: a restricted likelihood needs Gaussian outcomes',
                do='Leave method out: these models are fitted by maximum likelihood ("ML")',
            )
        )
    if structured:
        raise SpecError(
            message(
                f"residual_structure has no meaning for family={family!r}: there is no residual",
                do="Let dependence come from random effects, such as (1 + session | patient)",
            )
        )
