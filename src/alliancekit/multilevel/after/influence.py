"""How much the answer rests on one unit: the estimates without each unit, and the usual measures of the change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, check_columns, check_option, message
from alliancekit.multilevel.after.checks import check_plain
from alliancekit.multilevel.estimates import formula_order
from alliancekit.multilevel.gaussian.deletion import Remaining, refit_without
from alliancekit.multilevel.gaussian.deletion_batch import Units, one_step
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.residual.components import GROUP, structure_names, structure_values
from alliancekit.multilevel.residual.deletion import RemainingStructure
from alliancekit.multilevel.residual.deletion import refit_without as with_structure

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
METHODS = ("exact", "one-step")


@dataclass(frozen=True, eq=False)
class Influence:
    """Influence of each unit on the estimates of a mixed model. Made by ``MixedFit.influence``.

    Attributes
    ----------
    by : what was left out in turn: the name of the units, or "row". method : "exact" or "one-step".
    units : label of each of the D units. rows : rows of each, (D,). terms : names of the p fixed effects.
    components : (group, term) of each of the k variances, the residual last; then parameters of a residual structure.
    estimates, std_errors : (p,), of all rows. variances : (k,), of all rows.
    estimates_without, std_errors_without : (D, p); nan where a fixed effect cannot be estimated without the unit.
    variances_without : (D, k).
    cooks_distance, mdffits, covratio, covtrace : (D,). converged : (D,), the search without the unit succeeded.
    formula : of the model. outcome : label of its outcome.
    """

    by: str
    method: str
    units: tuple[str, ...]
    rows: Ints
    terms: tuple[str, ...]
    components: tuple[tuple[str, str], ...]
    estimates: Floats
    std_errors: Floats
    variances: Floats
    estimates_without: Floats
    std_errors_without: Floats
    variances_without: Floats
    cooks_distance: Floats
    mdffits: Floats
    covratio: Floats
    covtrace: Floats
    converged: NDArray[np.bool_]
    formula: str
    outcome: str

    @property
    def cutoff(self) -> float:
        """4 over the number of units: a Cook's distance above it is worth a look (Van der Meer et al. 2010)."""
        return 4.0 / len(self.units)

    @property
    def _changes(self) -> Floats:
        """Change of each fixed effect in standard errors without the unit, (D, p)."""
        return np.asarray((self.estimates_without - self.estimates) / self.std_errors_without, dtype=np.float64)

    @property
    def _relative(self) -> Floats:
        """Relative change of each variance, (D, k); nan for a variance of zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(self.variances > 0, self.variances_without / self.variances, np.nan)
        return np.asarray(ratio - 1.0, dtype=np.float64)

    def tidy(self) -> pd.DataFrame:
        """Return one row per unit, the most influential first.

        Columns: unit, n_rows, cooks_distance, mdffits, covratio, covtrace, term (the fixed effect that moves most) and
        its dfbetas, component (the variance that moves most) and its relative_change, converged.
        """
        term, moved = _largest(self._changes)
        part, spread = _largest(self._relative)
        names = [_component(*one) for one in self.components]
        frame = pd.DataFrame(
            {
                "unit": list(self.units),
                "n_rows": self.rows,
                "cooks_distance": self.cooks_distance,
                "mdffits": self.mdffits,
                "covratio": self.covratio,
                "covtrace": self.covtrace,
                "term": [self.terms[j] if j >= 0 else None for j in term],
                "dfbetas": moved,
                "component": [names[j] if j >= 0 else None for j in part],
                "relative_change": spread,
                "converged": self.converged,
            }
        )
        frame = frame.sort_values("cooks_distance", ascending=False, kind="stable", na_position="first")
        frame.attrs.update(by=self.by, method=self.method)
        return frame.reset_index(drop=True)

    def fixed_effects(self) -> pd.DataFrame:
        """Return one row per unit and fixed effect: unit, term, estimate and std_error without it, change, dfbetas.

        ``change`` is the estimate without the unit less the estimate of all rows; ``dfbetas`` is that in standard
        errors without the unit.
        """
        p = len(self.terms)
        return pd.DataFrame(
            {
                "unit": np.repeat(np.asarray(self.units, dtype=object), p),
                "term": list(self.terms) * len(self.units),
                "estimate": self.estimates_without.ravel(),
                "std_error": self.std_errors_without.ravel(),
                "change": (self.estimates_without - self.estimates).ravel(),
                "dfbetas": self._changes.ravel(),
            }
        )

    def variance_components(self) -> pd.DataFrame:
        """Return one row per unit and variance: unit, group, term, variance without the unit, relative_change."""
        k = len(self.components)
        return pd.DataFrame(
            {
                "unit": np.repeat(np.asarray(self.units, dtype=object), k),
                "group": [group for group, _ in self.components] * len(self.units),
                "term": [term for _, term in self.components] * len(self.units),
                "variance": self.variances_without.ravel(),
                "relative_change": self._relative.ravel(),
            }
        )

    def glance(self) -> pd.DataFrame:
        """Return one row: by, method, n_units, not_estimable, largest of each measure, cutoff and units above it."""
        row = {
            "by": self.by,
            "method": self.method,
            "n_units": len(self.units),
            "not_estimable": int((~self.converged).sum()),
            "cooks_distance": _maximum(self.cooks_distance),
            "mdffits": _maximum(self.mdffits),
            "dfbetas": _maximum(np.abs(self._changes)),
            "relative_change": _maximum(np.abs(self._relative)),
            "cutoff": self.cutoff,
            "n_above": int((np.nan_to_num(self.cooks_distance) > self.cutoff).sum()),
        }
        return pd.DataFrame([row])

    def __repr__(self) -> str:
        lead = f"Influence of each {self.by} on {self.formula} ({self.method} deletion, {len(self.units)} units)"
        return "\n".join([lead, self.tidy().head(10).to_string(index=False, float_format=lambda v: f"{v:.4g}")])


def influence(fit: GaussianFit, data: pd.DataFrame, by: str | None, method: str, outcome: str) -> Influence:
    """Return the influence of each unit of ``by``, a column of the rows used (``data``) or a grouping factor."""
    check_option("method", method, METHODS)
    if method == "one-step":
        check_plain(fit, "one-step deletion", 'Use method="exact"')
    codes, labels = _units(fit, data, by)
    sizes = np.bincount(codes[codes >= 0], minlength=len(labels))
    if len(labels) < 2:
        raise DesignError(
            message(f"'{by}' has one unit in the rows used", do="Give a column whose units can be left out in turn")
        )
    remaining = _batch(fit, by) if method == "one-step" else None
    if remaining is None:
        order = np.argsort(codes, kind="stable")[int((codes < 0).sum()) :]
        remaining = _refit(fit, data, np.split(order, np.cumsum(sizes)[:-1]), method)
    components, variances, without = _variances(fit, remaining)
    cooks, mdffits, covratio, covtrace = measures(fit.beta, fit.vcov, remaining.beta, remaining.vcov)
    return Influence(
        by="row" if by is None else by,
        method=method,
        units=labels,
        rows=sizes.astype(np.intp),
        terms=tuple(fit.design.names),
        components=components,
        estimates=fit.beta,
        std_errors=np.sqrt(np.diag(fit.vcov)),
        variances=variances,
        estimates_without=remaining.beta,
        std_errors_without=np.sqrt(np.einsum("dii->di", remaining.vcov)),
        variances_without=without,
        cooks_distance=cooks,
        mdffits=mdffits,
        covratio=covratio,
        covtrace=covtrace,
        converged=remaining.converged,
        formula=fit.design.formula.text,
        outcome=outcome,
    )


def _refit(fit: GaussianFit, data: pd.DataFrame, units: list[Ints], method: str) -> Remaining:
    if fit.residual is not None:
        return with_structure(fit, data, units)
    exact, singular = method == "exact", any(fit.singular)
    return refit_without(fit.design, fit.engine, fit.optimum.theta, fit.reml, units, exact=exact, singular=singular)


def measures(beta: Floats, vcov: Floats, without: Floats, vcov_without: Floats) -> tuple[Floats, ...]:
    """Return Cook's distance, MDFFITS, COVRATIO and COVTRACE of D units; shapes (p,), (p, p), (D, p), (D, p, p).

    Source: Christensen, Pearson & Johnson (1992), Technometrics 34, 38-45; SAS/STAT MIXED, "Influence diagnostics";
    Loy & Hofmann (2014), J Stat Softw 56(5), section 3.2.
    """
    D, p = without.shape
    found = np.isfinite(without).all(axis=1) & np.isfinite(vcov_without).all(axis=(1, 2))
    out = [np.full(D, np.nan) for _ in range(4)]
    if not p or not found.any():
        return tuple(out)
    change, reduced = without[found] - beta, vcov_without[found]
    size = np.sqrt(np.diag(vcov))
    change, reduced = change / size, reduced / np.outer(size, size)
    whole = vcov / np.outer(size, size)
    precision = np.linalg.inv(whole)
    out[0][found] = np.einsum("di,ij,dj->d", change, precision, change) / p
    out[1][found] = np.einsum("di,di->d", change, np.linalg.solve(reduced, change[:, :, None])[:, :, 0]) / p
    out[2][found] = np.exp(np.linalg.slogdet(reduced)[1] - np.linalg.slogdet(whole)[1])
    out[3][found] = np.abs(np.einsum("ij,dji->d", precision, reduced) - p)
    return tuple(out)


def _units(fit: GaussianFit, data: pd.DataFrame, by: str | None) -> tuple[Ints, tuple[str, ...]]:
    """Return the unit of each row used (-1: belongs to none) and the units' labels."""
    if by is None:
        return np.arange(len(data), dtype=np.intp), tuple(str(i) for i in data.index)
    for factor in fit.factors:
        if factor.group == by:
            return factor.codes, tuple(factor.labels.all())
    groups = [f.group for f in fit.factors]
    check_columns([*groups, *(c for c in data.columns if c not in groups)], [by], where="by=")
    codes, levels = pd.factorize(data[by], sort=False)
    return codes.astype(np.intp), tuple(str(level) for level in levels)


def _batch(fit: GaussianFit, by: str | None) -> Remaining | None:
    """Return the one-step estimates of all units at once, where the design is nested and its levels are the units."""
    engine = fit.engine
    if engine.border or not engine.chain:
        return None
    if by is None:
        rows = np.arange(fit.design.X.shape[0], dtype=np.intp)
        units = Units(0, engine.factors[engine.chain[0].factor].codes, rows)
        return one_step(fit.design, engine, fit.optimum.theta, fit.reml, units)
    for position, link in enumerate(engine.chain):
        if engine.factors[link.factor].group == by:
            units = Units(position, np.arange(link.n_levels, dtype=np.intp), None)
            return one_step(fit.design, engine, fit.optimum.theta, fit.reml, units)
    return None


def _variances(fit: GaussianFit, remaining: Remaining) -> tuple[tuple[tuple[str, str], ...], Floats, Floats]:
    """Return (group, term) of each variance, its value of all rows, (k,), and without each unit, (D, k)."""
    names: list[tuple[str, str]] = []
    values: list[float] = []
    columns: list[Floats] = []
    for index in formula_order(fit):
        factor = fit.factors[index]
        for j, name in enumerate(factor.names):
            names.append((factor.group, name))
            values.append(float(fit.covariances[index][j, j]))
            columns.append(remaining.covariances[index][:, j, j])
    names.append(("Residual", ""))
    values.append(fit.sigma**2)
    columns.append(remaining.sigma**2)
    if fit.residual is not None and isinstance(remaining, RemainingStructure):
        names += [(GROUP, name) for name in structure_names(fit.residual)]
        values += structure_values(fit.residual, fit.residual.phi[None])[0].tolist()
        columns += list(remaining.structure.T)
    return tuple(names), np.array(values), np.stack(columns, axis=1)


def _component(group: str, term: str) -> str:
    return f"{group}: {term}" if term else group


def _largest(values: Floats) -> tuple[Ints, Floats]:
    """Return, for each row, the place and the value of the number largest in size; -1 and nan where all are nan."""
    if not values.shape[1]:
        return np.full(len(values), -1, dtype=np.intp), np.full(len(values), np.nan)
    size = np.where(np.isnan(values), -1.0, np.abs(values))
    place = size.argmax(axis=1)
    found = values[np.arange(len(values)), place]
    return np.where(np.isnan(found), -1, place).astype(np.intp), found


def _maximum(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else float("nan")
