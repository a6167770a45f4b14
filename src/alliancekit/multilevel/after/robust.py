"""Fixed effects with cluster-robust standard errors: the table of clubSandwich's ``coef_test``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, check_columns, check_option, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.after.coefficients import check_level
from alliancekit.multilevel.after.ddf import refuse_other_families
from alliancekit.multilevel.after.layout import columns_text, number_text, p_text
from alliancekit.multilevel.gaussian.fit import GaussianFit
from alliancekit.multilevel.gaussian.robust import cluster_robust
from alliancekit.multilevel.residual.dense import block_codes
from alliancekit.multilevel.residual.robust import cluster_robust as with_structure
from alliancekit.numerics.distributions import t_quantile, t_two_sided

TYPES = ("CR2", "CR1", "CR0")


@dataclass(frozen=True, eq=False)
class RobustCoefficients:
    """Fixed effects of a mixed model with cluster-robust standard errors (read-only). Made by ``fit.robust``.

    Attributes
    ----------
    frame : one row per fixed effect. covariance : their cluster-robust covariance. type : "CR0", "CR1" or "CR2".
    cluster : what the clusters are. n_clusters : how many. nobs : rows used. formula : the model's.
    """

    frame: pd.DataFrame
    covariance: pd.DataFrame
    type: str
    cluster: str
    n_clusters: int
    nobs: int
    formula: str

    def tidy(self) -> pd.DataFrame:
        """Return one row per term: term, estimate, std_error, df, statistic, p_value, conf_low, conf_high."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: type, cluster, number of clusters, rows used, smallest df."""
        row = {"type": self.type, "cluster": self.cluster, "n_clusters": self.n_clusters, "nobs": self.nobs}
        return pd.DataFrame([{**row, "smallest_df": float(self.frame["df"].min())}])

    def vcov(self) -> pd.DataFrame:
        """Return the cluster-robust covariance matrix of the fixed effects."""
        return self.covariance.copy()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader must know: where the degrees of freedom are too few for the t distribution to hold."""
        few = [str(row.term) for row in rows(self.frame) if row.df < 4]
        if not few:
            return ()
        return (
            f"Fewer than 4 degrees of freedom: the t distribution is then a poor approximation ({', '.join(few)}).",
        )

    def __repr__(self) -> str:
        lines = [("", "Estimate", "Std. Error", "df", "t value", "Pr(>|t|)")]
        for row in rows(self.frame):
            numbers = (number_text(row.estimate), number_text(row.std_error), f"{row.df:.2f}", f"{row.statistic:.3f}")
            lines.append((row.term, *numbers, p_text(row.p_value)))
        head = f"Cluster-robust standard errors ({self.type}), {self.n_clusters} clusters by {self.cluster}"
        return "\n".join([head, f"Formula: {self.formula}", *columns_text(lines, left=1), *self.notes])


def robust(
    fit: GaussianFit, frame: pd.DataFrame, formula: str, cluster: str | None, kind: str, level: float
) -> RobustCoefficients:
    """Return the fixed effects with cluster-robust standard errors; see ``MixedFit.robust``."""
    refuse_other_families(fit, "The cluster-robust covariance")
    check_option("type", kind, TYPES)
    check_level(level)
    name, codes = _clusters(fit, frame, cluster)
    count = int(codes.max()) + 1
    if count < 2:
        raise DesignError(message(f"'{name}' has one level in the rows used", do="Name a column with more clusters"))
    found = (cluster_robust if fit.residual is None else with_structure)(fit, codes, kind)
    basis = fit.engine.fixed_basis
    vcov = basis @ found.vcov @ basis.T
    se = np.sqrt(np.diag(vcov))
    df = np.array([found.df(row) for row in basis])
    statistic = fit.beta / se
    reach = t_quantile(1 - (1 - level) / 2, df) * se
    names = list(fit.design.names)
    table = pd.DataFrame(
        {
            "term": names,
            "estimate": fit.beta,
            "std_error": se,
            "df": df,
            "statistic": statistic,
            "p_value": t_two_sided(statistic, df),
            "conf_low": fit.beta - reach,
            "conf_high": fit.beta + reach,
        }
    )
    table.attrs.update(df_method="satterthwaite", level=level, type=kind, cluster=name)
    covariance = pd.DataFrame(vcov, index=names, columns=names)
    return RobustCoefficients(table, covariance, kind, name, count, len(codes), formula)


def _clusters(fit: GaussianFit, frame: pd.DataFrame, cluster: str | None) -> tuple[str, NDArray[np.intp]]:
    """Return the name and codes of the clusters; SpecError where a grouping factor is not nested in them."""
    nested = {factor.group: (factor.n_levels, factor.codes) for factor in fit.factors}
    part = fit.residual
    blocks = None if part is None else block_codes(part)
    if part is not None and part.correlation is not None and blocks is not None:
        nested.setdefault(part.correlation.blocks.name, (part.correlation.blocks.size, blocks))
    if cluster is None and not nested:
        raise SpecError(
            message("the rows of this model are independent", do="Name in cluster= the column of the clusters")
        )
    name = min(nested, key=lambda group: nested[group][0]) if cluster is None else cluster
    if name in nested:
        codes = nested[name][1]
    else:
        check_columns(frame.columns, [name], where="cluster")
        codes = np.asarray(pd.factorize(frame[name])[0], dtype=np.intp)
        if (codes < 0).any():
            what = f"{int((codes < 0).sum())} of the rows used have no value of the cluster '{name}'"
            raise DesignError(message(what, do="Fit the model to the rows that have one"))
    for group, (size, own) in nested.items():
        owner = np.zeros(size, dtype=np.intp)
        owner[own] = codes
        if not np.array_equal(owner[own], codes):
            raise SpecError(
                message(
                    f"levels of '{group}' stand in more than one cluster of '{name}'",
                    where="clusters must be independent of each other",
                    do="Name a cluster in which every grouping factor is nested; crossed factors have none",
                )
            )
    return name, codes
