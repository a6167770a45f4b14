"""A residual structure in the words of nlme."""

from __future__ import annotations

from alliancekit.formula.design import Design
from alliancekit.multilevel.residual.ar1 import AR1
from alliancekit.multilevel.residual.car1 import CAR1
from alliancekit.multilevel.residual.compound_symmetry import CompoundSymmetry
from alliancekit.multilevel.residual.heteroscedastic import Heteroscedastic
from alliancekit.multilevel.residual.power import PowerOf
from alliancekit.multilevel.residual.terms import ResidualStructure
from alliancekit.multilevel.residual.unstructured import Unstructured


def as_nlme(design: Design, formula: str, reml: bool, structure: ResidualStructure) -> str:
    """Return the call of nlme that fits the same model: ``gls`` without random terms, else ``lme``.

    nlme takes nested grouping factors only, outermost first; where the random terms cannot be said in it, a comment in
    the call says so.
    """
    fixed = formula.split("+ (")[0].split("~ (")[0].strip() if design.random else formula.strip()
    parts = [fixed]
    if design.random:
        blocks: dict[str, list[str]] = {}
        for block in design.random:
            blocks.setdefault(block.group, []).append(block.display.strip("()").rsplit("|", 1)[0].strip())
        sizes = {block.group: block.n_groups for block in design.random}
        named = [f"{g.split(':')[0]} = ~ {' + '.join(blocks[g])}" for g in sorted(blocks, key=lambda g: sizes[g])]
        parts.append(f"random = list({', '.join(named)})")
    parts.append("data = data")
    words = _correlation(structure)
    if words:
        parts.append(f"correlation = {words}")
    words = _variance(structure)
    if words:
        parts.append(f"weights = {words}")
    parts.append(f'method = "{"REML" if reml else "ML"}"')
    function = "lme" if design.random else "gls"
    several = any(len([b for b in design.random if b.group == g.group]) > 1 for g in design.random)
    note = "# uncorrelated terms need pdDiag() or pdBlocked() in nlme\n" if several else ""
    return f"library(nlme)\n{note}fit <- {function}({', '.join(parts)}, na.action = na.omit)\nsummary(fit)"


def _correlation(structure: ResidualStructure) -> str:
    part = structure.correlation
    if isinstance(part, AR1 | CAR1 | Unstructured):
        name = {AR1: "corAR1", CAR1: "corCAR1", Unstructured: "corSymm"}[type(part)]
        time = f"as.integer(factor({part.time}))" if isinstance(part, Unstructured) else part.time
        return f"{name}(form = ~ {time} | {'/'.join(part.by)})"
    return f"corCompSymm(form = ~ 1 | {'/'.join(part.by)})" if isinstance(part, CompoundSymmetry) else ""


def _variance(structure: ResidualStructure) -> str:
    words = []
    if isinstance(structure.correlation, Unstructured) and not structure.correlation.equal_variances:
        words.append(f"varIdent(form = ~ 1 | {structure.correlation.time})")
    part = structure.variance
    if isinstance(part, Heteroscedastic):
        words.append(f"varIdent(form = ~ 1 | {' * '.join(part.by)})")
    elif isinstance(part, PowerOf):
        words.append(f"varPower(form = ~ {'fitted(.)' if part.of_fitted else part.column})")
    return next(iter(dict.fromkeys(words)), "")
