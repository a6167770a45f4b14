"""Methods of a fitted structural model that make something of it: scores, reliabilities, limits, a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from alliancekit.core.frames import wide
from alliancekit.core.later import Later
from alliancekit.structural.after.measures import fit_measures
from alliancekit.structural.arguments import named_options
from alliancekit.structural.estimates import StructuralEstimates

if TYPE_CHECKING:
    from alliancekit.structural.after import dot as after_dot
    from alliancekit.structural.after import factor_scores as after_scores
    from alliancekit.structural.after import monte_carlo as after_monte_carlo
    from alliancekit.structural.after import reliability_table as after_reliability
else:
    after_dot = Later("alliancekit.structural.after.dot")
    after_scores = Later("alliancekit.structural.after.factor_scores")
    after_monte_carlo = Later("alliancekit.structural.after.monte_carlo")
    after_reliability = Later("alliancekit.structural.after.reliability_table")


class Derived:
    """What can be made of a fit."""

    _fit: StructuralEstimates

    @property
    def variables(self) -> tuple[str, ...]:
        """The observed variables of the model, each once."""
        return tuple(dict.fromkeys(name for group in self._fit.sample.groups for name in group.names))

    @property
    def unstated(self) -> str:
        """The option that a report asks the call to state, "missing", or an empty text where all is said."""
        of_rows = any(group.rows is not None for group in self._fit.sample.groups)
        return "missing" if of_rows and not self._fit.options.missing_given else ""

    @named_options
    def factor_scores(
        self, method: str = "regression", *, level: str = "within", new: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Return factor scores, one row per row used (or per cluster).

        Parameters
        ----------
        method : "regression" (expected factors given the answers) or "bartlett" (unbiased given the factors). With
            ordinal items these are modes: "regression" or "ebm" the most likely factors given the answers, "bartlett"
            or "ml" those under which the answers are most likely.
        level : of a two-level model, "within" (rows) or "between" (clusters, in order of first appearance, their labels
            as index).
        new : other rows to score, with the model's columns; NaN where a value is missing.

        Returns
        -------
        DataFrame : (group,) one column per latent variable, with the index of the rows in the data; rows that were not
        used are not there. Groups stand one after the other. Rows with missing values are scored by the variables they
        have where the model was fitted with ``missing="fiml"`` or "pairwise".

        Raises
        ------
        SpecError : an unknown method, no latent variables, a fit to covariances, ordinal variables that predict others.
        DesignError : columns not in ``new``.

        Notes
        -----
        Regression scores shrink towards the mean; Bartlett's spread more than the factors do. Neither has the factors'
        correlations with other variables: put the other variables into the model instead. Ordinal items: empirical
        Bayes modal scores (Muthén 1998-2004, Mplus Technical Appendices, 11), in the factors' own units.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> g = rng.normal(size=500)
        >>> d = pd.DataFrame(g[:, None] + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> bool(np.corrcoef(ak.cfa("g =~ a + b + c + d", d).factor_scores()["g"], g)[0, 1] > 0.8)
        True

        Checked against
        ---------------
        ``lavPredict`` of lavaan 0.6-14 (tests/reference/sem: factor_scores_first10).

        When not to use
        ---------------
        As if they were the factors: their errors bias what is computed from them.
        """
        return wide(after_scores.score_frame(self._fit, method, level, new))

    def reliability(self) -> pd.DataFrame:
        """Return the reliability of the sum of each factor's items, from the model.

        Returns
        -------
        DataFrame : (group,) factor, omega (variance of the sample below), omega_implied (variance of the model below),
        alpha, ave (average variance extracted), items. A factor of higher order has omega alone. Factors that share
        items, as in a bifactor model, have no alpha and ave (NaN); their omega is hierarchical: what this factor alone
        explains of the sum of its items, those of the other factors counted as error. For two levels:
        factor, omega_within, omega_two_level, omega_between, interrater. Ordinal items: omega is that of their sum as
        it is scored (missing where an item is numeric), omega_responses and the others are of the latent responses.

        Raises
        ------
        SpecError : the model has no latent variables.

        Notes
        -----
        McDonald's omega with free residual covariances (Raykov 1997), hierarchical omega by Zinbarg, Revelle, Yovel &
        Li (2005, Psychometrika 70, 123-133); two levels by Lai (2021, Psychol Methods 26, 90-102): omega_between and
        interrater are for a construct that is shared by the cluster, omega_two_level for one that has the same
        loadings at both levels. Ordinal items: Green & Yang (2009, Psychometrika 74, 155-167).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame(rng.normal(size=(900, 1)) + rng.normal(size=(900, 4)), columns=list("abcd"))
        >>> bool(ak.cfa("g =~ a + b + c + d", d).reliability()["omega"].round(1).item() == 0.8)
        True

        Checked against
        ---------------
        ``compRelSEM`` and ``AVE`` of semTools 0.5-6 (tests/reference/sem: reliability).

        When not to use
        ---------------
        Where the model does not fit: its loadings then say little about the sum.
        """
        found = after_reliability.reliability_table(self._fit)
        found.attrs["layer"] = "structural"  # ak.table and reports find the file that presents it
        found.attrs["unstated"] = self.unstated
        measures = fit_measures(self._fit)
        found.attrs["model"] = {
            "n": self._fit.sample.n,
            "chisq": float(measures.get("chisq_scaled", measures["chisq"])),
            "df": float(measures.get("df_scaled", measures["df"])),
            "estimator": self._fit.options.estimator,
            "missing": self._fit.options.missing,
        }
        return wide(found)

    def htmt(self, *, geometric: bool = True) -> pd.DataFrame:
        """Return heterotrait-monotrait ratios of the factors: how far their items' correlations set them apart.

        Parameters
        ----------
        geometric : geometric means of correlations (HTMT2, for items of different quality), else arithmetic ones.

        Returns
        -------
        DataFrame : (k, k), one row and column per factor with two items or more; with groups, a column "group" first.
        NaN for factors that share items: the ratio would hold an item against itself.

        Raises
        ------
        SpecError : fewer than two such factors, no two of them without shared items, or a two-level model.

        Notes
        -----
        Henseler, Ringle & Sarstedt (2015, J Acad Mark Sci 43, 115-135); Roemer, Schuberth & Henseler (2021, Ind Manag
        Data Syst 121, 2637-2650). Absolute correlations, of the sample or (missing values, ordinal items) as estimated
        without a model. Ratios near one say that two factors are one.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> f = np.repeat(rng.normal(size=(500, 2)), 3, axis=1)
        >>> d = pd.DataFrame(f + rng.normal(size=(500, 6)), columns=list("abcdef"))
        >>> bool(ak.cfa("f =~ a + b + c; g =~ d + e + f6", d.rename(columns={"f": "f6"})).htmt().loc["f", "g"] < 0.3)
        True

        Checked against
        ---------------
        ``htmt`` of semTools 0.5-6 (tests/reference/sem: htmt).

        When not to use
        ---------------
        With items whose correlations differ in sign for good reasons: reverse them first.
        """
        return wide(after_reliability.htmt_table(self._fit, geometric))

    def monte_carlo(self, n: int = 20_000, seed: int = 1, *, level: float = 0.95) -> pd.DataFrame:
        """Return limits of defined parameters, such as indirect effects, from draws of the estimates.

        Parameters
        ----------
        n : number of draws, 1,000 or more. seed : of the draws. level : of the confidence intervals.

        Returns
        -------
        DataFrame : term, estimate, std_error (of the draws), conf_low, conf_high (percentiles), draws (finite ones).

        Raises
        ------
        SpecError : no defined parameters, too few draws, a level outside 0 to 1. FitError : no covariance matrix.

        Notes
        -----
        The estimates are drawn from their normal distribution, and the definition is computed from each draw: its
        limits need not be symmetric (MacKinnon, Lockwood & Williams 2004, Multivariate Behav Res 39, 99-128).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> x = rng.normal(size=200)
        >>> m = 0.4 * x + rng.normal(size=200)
        >>> d = pd.DataFrame({"x": x, "m": m, "y": 0.4 * m + rng.normal(size=200)})
        >>> found = ak.sem("m ~ a*x\\ny ~ b*m + x\\nindirect := a*b", d).monte_carlo()
        >>> found["term"].tolist(), bool(found["conf_low"].item() > 0)
        (['indirect'], True)

        Checked against
        ---------------
        The distribution of a product of two normal variables by numerical integration (tests/unit/structural).

        When not to use
        ---------------
        In small samples of answers that are far from normal: ``bootstrap`` does not rest on normal estimates.
        """
        return wide(after_monte_carlo.monte_carlo_table(self._fit, n, seed, level))

    def dot(self, value: str = "std_all") -> str:
        """Return the path diagram in the DOT language of Graphviz.

        Parameters
        ----------
        value : what stands at the arrows, "std_all", "std_lv" or "estimate".

        Returns
        -------
        str : a digraph, groups and levels as clusters.

        Raises
        ------
        SpecError : an unknown ``value``.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame(rng.normal(size=(500, 1)) + rng.normal(size=(500, 3)), columns=list("abc"))
        >>> ak.cfa("g =~ a + b + c", d).dot().splitlines()[0]
        'digraph model {'

        When not to use
        ---------------
        For a picture in a report: ``ak.figure(fit)`` draws one without Graphviz.
        """
        return after_dot.dot_text(self._fit, value)
