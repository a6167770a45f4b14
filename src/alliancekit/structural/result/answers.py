"""Methods of a fitted structural model that answer what comes next: what is missing from it, and what it predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from alliancekit.core.frames import wide
from alliancekit.core.later import Later
from alliancekit.structural.after.whole import r2_table
from alliancekit.structural.arguments import named_options
from alliancekit.structural.estimates import StructuralEstimates

if TYPE_CHECKING:
    from alliancekit.structural.after import answers as after_answers
    from alliancekit.structural.after import group_tests as after_groups
    from alliancekit.structural.after import model_tests as after_tests
    from alliancekit.structural.after import residual_tables as after_residuals
else:
    after_answers = Later("alliancekit.structural.after.answers")
    after_groups = Later("alliancekit.structural.after.group_tests")
    after_tests = Later("alliancekit.structural.after.model_tests")
    after_residuals = Later("alliancekit.structural.after.residual_tables")


class Answers:
    """What can be asked of a fit beyond its estimates."""

    _fit: StructuralEstimates

    @named_options
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
        Standard errors by the delta method with exact derivatives; with ``se="bootstrap"`` from the covariances of the
        replicates, as in lavaan. Covariances are given as correlations, of residuals
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
        return wide(after_answers.standardised_table(self._fit, kind, level))

    def model_tests(self, bollen_stine: int = 0, seed: int = 1) -> pd.DataFrame:
        """Return every test of the model against the unrestricted one that was asked for, or that the fit allows.

        Parameters
        ----------
        bollen_stine : number of bootstrap samples for the test of Bollen and Stine; 0 leaves it out. seed : of these.

        Returns
        -------
        DataFrame : test, statistic, df, p_value, scaling_factor. "standard" (of ULS without p value); the scaled tests
        of the estimator and of ``test=``, that of the fit measures first; the other tests of ``test=``; for complete
        rows "browne.residual.nt" and, with more rows than moments, "browne.residual.adf"; "bollen.stine". With
        ``test="none"`` only what the fit allows beside.

        Raises
        ------
        SpecError : the bootstrap, or a test of residuals in ``test=``, for a fit that is not one of complete,
        independent rows (the bootstrap: of continuous variables).

        Notes
        -----
        Browne (1984, Br J Math Stat Psychol 37, 62-83, equation 2.20): the residuals that no change of the parameters
        could explain, weighted by the inverse of their covariances, of normal rows (nt) or of any (adf), about the
        moments of the sample or of the model (".model"). Bollen & Stine (1992, Sociol Methods Res 21, 205-229): the
        rows are turned so that the model fits them exactly, and the p value is the share of samples of these whose
        chi-square is larger than the one observed.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> bond = rng.normal(size=300)
        >>> d = pd.DataFrame({f"w{i}": bond + rng.normal(size=300) for i in (1, 2, 3, 4)})
        >>> found = ak.cfa("bond =~ w1 + w2 + w3 + w4", d).model_tests(bollen_stine=200)
        >>> found["test"].tolist(), bool((found["p_value"] > 0.05).all())
        (['standard', 'browne.residual.nt', 'browne.residual.adf', 'bollen.stine'], True)

        Checked against
        ---------------
        ``lavTest`` of lavaan 0.6-14, 36 fits (tests/reference/sem_tests), lists of tests in a grid of options
        (tests/reference/sem_words), samples of given rows (tests/reference/sem_draws). With covariates held fixed and a
        mean structure lavaan's statistics of Browne change when means are merely added; these here do not.

        When not to use
        ---------------
        "browne.residual.adf" with few rows: its weights need many times more rows than there are moments.
        """
        return wide(after_tests.model_tests(self._fit, bollen_stine, seed))

    def group_tests(self) -> pd.DataFrame:
        """Return what each group adds to the chi-square of the model.

        Returns
        -------
        DataFrame : group, n (rows), statistic; with a scaled test also statistic_scaled. Each column of statistics sums
        to that of the model.

        Raises
        ------
        SpecError : the fit has one group.

        Notes
        -----
        Groups without parameters in common are tests of their own. Equal parameters join them, so that the parts have
        no degrees of freedom and no p values. The scaling factor is that of the whole model; a shift is shared out by
        the rows.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> d = pd.DataFrame(rng.normal(size=(600, 1)) + rng.normal(size=(600, 4)), columns=list("abcd"))
        >>> d["clinic"] = np.repeat(["north", "south"], 300)
        >>> fit = ak.cfa("g =~ a + b + c + d", d, group="clinic")
        >>> found = fit.group_tests()
        >>> bool(np.isclose(found["statistic"].sum(), fit.fit_measures()["chisq"]))
        True

        Checked against
        ---------------
        ``summary`` of lavaan 0.6-14, "Test statistic for each group" (tests/reference/sem_summary).

        When not to use
        ---------------
        To find the group in which a model holds: fit the groups one by one, each with its own fit measures.
        """
        return wide(after_groups.group_test_table(self._fit))

    @named_options
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
        >>> d["d"] += 0.4 * d["c"]
        >>> ak.cfa("g =~ a + b + c + d", d).modification_indices().columns[:5].tolist()
        ['lhs', 'op', 'rhs', 'mi', 'epc']

        Checked against
        ---------------
        ``modindices`` of lavaan 0.6-14 (tests/reference/sem, growth).

        When not to use
        ---------------
        To let the data write the model: changes found this way seldom hold up in new samples.
        """
        return wide(after_answers.modification_table(self._fit, minimum, op))

    def score_tests(self) -> pd.DataFrame:
        """Return tests of the equality constraints: what would releasing each bring.

        Returns
        -------
        DataFrame : lhs, rhs (of the table), parameter, equal_to (what they are, with group and level: "bond =~ wai_5
        (group f)"; an expression as it was written), statistic (chi-square), df, p_value, epc (by how much the
        parameter would exceed the other, this equality alone released); the last row tests all at once.

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
        return wide(after_answers.score_test_table(self._fit))

    def expected_changes(self) -> pd.DataFrame:
        """Return what the parameters would be without the equality constraints, by one step from the estimates.

        Returns
        -------
        DataFrame : lhs, op, rhs, (level, group,) label, estimate, epc (expected change), epv (expected value), sepc_lv,
        sepc_all, sepc_nox (standardised changes); NaN where a parameter is fixed.

        Raises
        ------
        SpecError : the model has no equality constraints.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> f = rng.normal(size=(500, 1))
        >>> d = pd.DataFrame(f + rng.normal(size=(500, 4)), columns=list("abcd"))
        >>> ak.cfa("g =~ a + x*b + x*c + d", d).expected_changes().columns.tolist()[4:7]
        ['estimate', 'epc', 'epv']

        Checked against
        ---------------
        ``lavTestScore(fit, epc = TRUE, standardized = TRUE)$epc`` of lavaan 0.6-14 (tests/reference/sem_limits).

        When not to use
        ---------------
        Where the model fits badly: one step is then a poor guess of where the parameters would go.
        """
        return wide(after_answers.change_table(self._fit))

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
        return {part: wide(table) for part, table in after_residuals.residual_tables(self._fit, kind, z).items()}

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
        return wide(after_residuals.size_table(self._fit, kind))

    def r2(self) -> pd.DataFrame:
        """Return R2 of each variable that something in the model predicts: (level, group,) variable, r2.

        Checked against
        ---------------
        ``lavInspect(fit, "r2")`` of lavaan 0.6-14 (tests/reference/sem, growth).
        """
        return wide(r2_table(self._fit))

    def latent(self) -> dict[str, pd.DataFrame]:
        """Return what the model says of the latent variables: "cov", "cor" and "mean", by group and level.

        Checked against
        ---------------
        ``lavInspect(fit, "cov.lv")`` and ``"mean.lv"`` of lavaan 0.6-14 (tests/reference/sem, growth).
        """
        return {part: wide(table) for part, table in after_answers.latent_tables(self._fit).items()}
