"""Methods of a fitted structural model that answer what comes next: what is missing from it, and what it predicts."""

from __future__ import annotations

import pandas as pd

from alliancekit.structural.after import answers as after_answers
from alliancekit.structural.after import dot as after_dot
from alliancekit.structural.after import factor_scores as after_scores
from alliancekit.structural.after import reliability_table as after_reliability
from alliancekit.structural.after import residual_tables as after_residuals
from alliancekit.structural.estimates import StructuralEstimates


class Answers:
    """What can be asked of a fit beyond its estimates."""

    _fit: StructuralEstimates

    def standardized(self, kind: str = "std_all", level: float = 0.95) -> pd.DataFrame:
        """Return the standardised solution with standard errors.

        Parameters
        ----------
        kind : "std_all" (all variables have variance one), "std_lv" (latent ones), "std_nox" (all but covariates).
        level : of the confidence intervals.

        Returns
        -------
        DataFrame : lhs, op, rhs, (level, group,) estimate, std_error, statistic (z), p_value, conf_low, conf_high.

        Raises
        ------
        SpecError : an unknown kind or a level outside 0 to 1.

        Notes
        -----
        Standard errors by the delta method with exact derivatives. Covariances are given as correlations, of residuals
        where a variable has one.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> bond = rng.normal(size=400)
        >>> d = pd.DataFrame({f"w{i}": bond + rng.normal(size=400) for i in (1, 2, 3)})
        >>> bool(ak.cfa("bond =~ w1 + w2 + w3", d).standardized()["estimate"].iloc[:3].between(0.6, 0.8).all())
        True

        Checked against
        ---------------
        ``standardizedSolution`` of lavaan 0.6-14 (tests/reference/sem, growth).

        When not to use
        ---------------
        To compare groups: standardised values differ where only the groups' variances do.
        """
        return after_answers.standardised_table(self._fit, kind, level)

    def modification_indices(self, minimum: float = 0.0, op: str | None = None) -> pd.DataFrame:
        """Return what freeing each fixed parameter would bring, the largest first.

        Parameters
        ----------
        minimum : rows with a smaller index are left out. op : only "=~", "~~", "~" or "~1".

        Returns
        -------
        DataFrame : lhs, op, rhs, (level, group,) mi (chi-square, 1 df), epc (expected change of the parameter),
        sepc_lv, sepc_all, sepc_nox (the same, standardised). Parameters that the data cannot tell from the others are
        left out.

        Raises
        ------
        SpecError : an unknown operator.

        Notes
        -----
        Score tests with expected information (Sörbom 1989, Psychometrika 54, 371-384). Whatever the standard errors
        are, they are those of normal data. Equality constraints have ``score_tests``.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> f = rng.normal(size=(500, 1))
        >>> d = pd.DataFrame(f + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> d["d"] += d["c"]
        >>> ak.cfa("g =~ a + b + c + d", d).modification_indices().columns[:5].tolist()
        ['lhs', 'op', 'rhs', 'mi', 'epc']

        Checked against
        ---------------
        ``modindices`` of lavaan 0.6-14 (tests/reference/sem, growth).

        When not to use
        ---------------
        To let the data write the model: changes found this way seldom hold up in new samples.
        """
        return after_answers.modification_table(self._fit, minimum, op)

    def score_tests(self) -> pd.DataFrame:
        """Return tests of the equality constraints: what would releasing each bring.

        Returns
        -------
        DataFrame : lhs, rhs (of the table), parameter, equal_to (their names), statistic (chi-square), df, p_value; the
        last row tests all at once.

        Raises
        ------
        SpecError : the model has no equality constraints.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> f = rng.normal(size=(500, 1))
        >>> d = pd.DataFrame(f + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> ak.cfa("g =~ a + x*b + x*c + d", d).score_tests()["df"].tolist()
        [1, 1]

        Checked against
        ---------------
        ``lavTestScore`` of lavaan 0.6-14 (tests/reference/sem: score_test).

        When not to use
        ---------------
        With many constraints as a hunt: some will be significant by chance.
        """
        return after_answers.score_test_table(self._fit)

    def residual_matrix(self, kind: str = "cor.bollen", *, z: bool = False) -> dict[str, pd.DataFrame]:
        """Return what the model leaves unexplained of covariances and means.

        Parameters
        ----------
        kind : "raw" (covariances), "cor.bollen" (differences of correlations), "cor.bentler" (covariances over the
            sample's SDs), "standardized" (raw over their standard errors), "normalized" (over those of the sample's
            moments).
        z : residuals of correlations over their standard errors.

        Returns
        -------
        dict : "cov", and "mean" where the model has means, each a DataFrame; by group or level, "cov Pasteur" ...

        Raises
        ------
        SpecError : an unknown kind, or standard errors of a two-level model.

        Notes
        -----
        Standard errors as in lavaan (Ogasawara 2001, Psychometrika 66, 421-436).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame(rng.normal(size=(500, 1)) + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> bool(ak.cfa("g =~ a + b + c + d", d).residual_matrix()["cov"].abs().max().max() < 0.05)
        True

        Checked against
        ---------------
        ``residuals`` and ``lavResiduals`` of lavaan 0.6-14 (tests/reference/sem, growth).

        When not to use
        ---------------
        z statistics of many residuals are many tests.
        """
        return after_residuals.residual_tables(self._fit, kind, z)

    def residual_size(self, kind: str = "cor.bentler") -> pd.DataFrame:
        """Return the root mean square residual with tests of exact and of close fit.

        Parameters
        ----------
        kind : "cor.bentler" (SRMR), "cor.bollen" (CRMR) or "raw" (RMR).

        Returns
        -------
        DataFrame : (group,) part ("cov", "mean", "total"), size, std_error, exact_z, exact_p, unbiased,
        unbiased_std_error, conf_low, conf_high (90%), close_value (0.05), close_z, close_p.

        Raises
        ------
        SpecError : an unknown kind, or a two-level model.

        Notes
        -----
        Maydeu-Olivares (2017, Psychometrika 82, 533-558).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame(rng.normal(size=(500, 1)) + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> ak.cfa("g =~ a + b + c + d", d).residual_size()["part"].tolist()
        ['cov']

        Checked against
        ---------------
        ``lavResiduals`` of lavaan 0.6-14 (tests/reference/sem, growth: residuals_cor_bentler).

        When not to use
        ---------------
        With fewer than about 100 rows the normal approximation of these tests is poor.
        """
        return after_residuals.size_table(self._fit, kind)

    def r2(self) -> pd.DataFrame:
        """Return R2 of each variable that something in the model predicts: (level, group,) variable, r2.

        Checked against
        ---------------
        ``lavInspect(fit, "r2")`` of lavaan 0.6-14 (tests/reference/sem, growth).
        """
        return after_answers.r2_table(self._fit)

    def latent(self) -> dict[str, pd.DataFrame]:
        """Return what the model says of the latent variables: "cov", "cor" and "mean", by group and level.

        Checked against
        ---------------
        ``lavInspect(fit, "cov.lv")`` and ``"mean.lv"`` of lavaan 0.6-14 (tests/reference/sem, growth).
        """
        return after_answers.latent_tables(self._fit)

    def factor_scores(
        self, method: str = "regression", *, level: str = "within", new: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Return factor scores, one row per row used (or per cluster).

        Parameters
        ----------
        method : "regression" (expected factors given the answers) or "bartlett" (unbiased given the factors).
        level : of a two-level model, "within" (rows) or "between" (clusters, in order of first appearance).
        new : other rows to score, with the model's columns; NaN where a value is missing.

        Returns
        -------
        DataFrame : (group,) one column per latent variable. Groups stand one after the other. Rows with missing values
        are scored by the variables they have where the model was fitted with ``missing="fiml"``.

        Raises
        ------
        SpecError : an unknown method, no latent variables, a fit to covariances. DesignError : columns not in ``new``.

        Notes
        -----
        Regression scores shrink towards the mean; Bartlett's spread more than the factors do. Neither has the factors'
        correlations with other variables: put the other variables into the model instead.

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
        return after_scores.score_frame(self._fit, method, level, new)

    def reliability(self) -> pd.DataFrame:
        """Return the reliability of the sum of each factor's items, from the model.

        Returns
        -------
        DataFrame : (group,) factor, omega (variance of the sample below), omega_implied (variance of the model below),
        alpha, ave (average variance extracted), items. A factor of higher order has omega alone. For two levels:
        factor, omega_within, omega_two_level, omega_between, interrater.

        Raises
        ------
        SpecError : the model has no latent variables.

        Notes
        -----
        McDonald's omega with free residual covariances (Raykov 1997); two levels by Lai (2021, Psychol Methods 26,
        90-102): omega_between and interrater are for a construct that is shared by the cluster, omega_two_level for one
        that has the same loadings at both levels.

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
        return after_reliability.reliability_table(self._fit)

    def htmt(self, *, geometric: bool = True) -> pd.DataFrame:
        """Return heterotrait-monotrait ratios of the factors: how far their items' correlations set them apart.

        Parameters
        ----------
        geometric : geometric means of correlations (HTMT2, for items of different quality), else arithmetic ones.

        Returns
        -------
        DataFrame : (k, k), one row and column per factor with two items or more; with groups, a column "group" first.

        Raises
        ------
        SpecError : fewer than two such factors, or a two-level model.

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
        return after_reliability.htmt_table(self._fit, geometric)

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
