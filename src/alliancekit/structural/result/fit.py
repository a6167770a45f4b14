"""The class of fitted structural models: attributes, and methods that call one file of ``after/`` each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.core.frames import wide
from alliancekit.core.later import Later
from alliancekit.core.sample import SampleAccount
from alliancekit.structural.after import coefficients as after_coefficients
from alliancekit.structural.after import measures as after_measures
from alliancekit.structural.after import text as after_text
from alliancekit.structural.arguments import check_level, named_options
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.result.answers import Answers
from alliancekit.structural.result.derived import Derived
from alliancekit.structural.result.lavaan_names import missing_attribute
from alliancekit.structural.result.measures import chosen
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.after import bootstrap as after_bootstrap
    from alliancekit.structural.after import ordinal_residuals as after_ordinal
    from alliancekit.structural.after import raw_data as after_raw
    from alliancekit.structural.after import rcall as after_rcall
    from alliancekit.structural.after import statistics as after_statistics
    from alliancekit.structural.after.bootstrap import StructuralBootstrap
    from alliancekit.structural.continuous.missing.estimate import IncompleteFit
else:
    after_bootstrap = Later("alliancekit.structural.after.bootstrap")
    after_ordinal = Later("alliancekit.structural.after.ordinal_residuals")
    after_raw = Later("alliancekit.structural.after.raw_data")
    after_rcall = Later("alliancekit.structural.after.rcall")
    after_statistics = Later("alliancekit.structural.after.statistics")

Floats = NDArray[np.float64]


class StructuralFit(Answers, Derived):
    """A fitted structural equation model (read-only). Made by ``ak.cfa``, ``ak.sem`` and ``ak.growth``.

    Attributes
    ----------
    model : the syntax, empty where a parameter table was fitted. table : the parameter table. nobs : rows used.
    sample : what became of the rows.
    log_likelihood : of the model. converged : whether the search reached the optimum.
    warnings : what was warned about, as text.
    """

    def __init__(self, model: str, fitted: StructuralEstimates, notes: tuple[str, ...]) -> None:
        self.model, self._fit, self.warnings = model, fitted, notes

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(missing_attribute(name), name=name, obj=self)

    @property
    def table(self) -> ParameterTable:
        """The parameter table."""
        return self._fit.table

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self._fit.sample.n

    @property
    def sample(self) -> SampleAccount:
        """What became of the rows handed in."""
        return self._fit.sample.account

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood of the model."""
        return self._fit.log_likelihood

    @property
    def converged(self) -> bool:
        """True where the optimum was reached."""
        return self._fit.converged

    @property
    def seed(self) -> int | None:
        """Seed of the draws of a bootstrap, or of the random starts of a rotation; None where nothing was drawn."""
        turned = self._fit.rotation is not None and self._fit.options.rotation.rstarts != 0
        return self._fit.options.seed if self._fit.replicates is not None or turned else None

    @property
    def n_parameters(self) -> int:
        """Free parameters, those tied by equalities counted once."""
        return self._fit.n_parameters

    @named_options
    def tidy(self, level: float = 0.95, interval: str = "percentile") -> pd.DataFrame:
        """Return one row per parameter and definition.

        Parameters
        ----------
        level : of the confidence intervals. interval : of a fit with ``se="bootstrap"``, "percentile", "basic",
            "normal", "bca" or "bca.simple" (``StructuralBootstrap.tidy``); other fits have none of these.

        Returns
        -------
        DataFrame : term, lhs, op, rhs, (level, group,) label, estimate, std_error (0 where fixed), statistic (z),
        p_value, conf_low, conf_high, std_lv (latent variables standardised), std_all (all variables standardised).

        Raises
        ------
        SpecError : ``level`` is not between 0 and 1; an ``interval`` of a fit without replicates.

        Notes
        -----
        Definitions have delta-method standard errors. With ``se="bootstrap"`` standard errors are those of the
        replicates and limits their percentiles, of definitions, too. A parameter at its bound has no p value.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> bond = rng.normal(size=200)
        >>> d = pd.DataFrame({f"w{i}": bond + rng.normal(size=200) for i in (1, 2, 3)})
        >>> ak.cfa("bond =~ w1 + w2 + w3", d).tidy()["term"].tolist()[:3]
        ['bond =~ w1', 'bond =~ w2', 'bond =~ w3']

        Checked against
        ---------------
        ``parameterEstimates`` and ``standardizedSolution`` of lavaan 0.6-14 (tests/reference/sem, growth).

        When not to use
        ---------------
        z statistics are for large samples; with fewer than about 100 rows they reject too often.
        """
        check_level(level)
        return wide(after_coefficients.coefficients(self._fit, level, interval))

    def glance(self) -> pd.DataFrame:
        """Return one row: nobs, parameters, chi-square, df, p, CFI, TLI, RMSEA, SRMR, log-likelihood, AIC, BIC."""
        m = self.fit_measures()
        row: dict[str, Any] = {"nobs": self.nobs, "n_parameters": self.n_parameters}
        names = ["chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea_ci_lower", "rmsea_ci_upper", "srmr"]
        row |= {name: m[name] for name in names if name in m}
        of_likelihood = {"log_likelihood": "logl", "aic": "aic", "bic": "bic"}
        row |= {name: m[key] for name, key in of_likelihood.items() if key in m}
        row |= {"estimator": self._fit.options.estimator, "converged": self.converged}
        return wide(pd.DataFrame([row]))

    @cached_property
    def _measures(self) -> pd.Series:
        return after_measures.fit_measures(self._fit)

    @named_options
    def fit_measures(self, names: str | Sequence[str] | None = None) -> pd.Series:
        """Return every fit measure, by lavaan's names with underscores for dots.

        Parameters
        ----------
        names : one or several of them, with dots or underscores; None: all.

        Returns
        -------
        Series : npar, fmin, chisq, df, pvalue, baseline_chisq ..., cfi, tli, nnfi, rfi, nfi, pnfi, ifi, rni, logl,
        unrestricted_logl, aic, bic, ntotal, bic2, rmsea with limits and p values, rmr, srmr, crmr and their variants,
        cn_05, cn_01, gfi, agfi, pgfi, mfi, ecvi; with a scaled test also ..._scaled and ..._robust. One of them is
        ``fit.fit_measures()["cfi"]``.

        Raises
        ------
        SpecError : a name that the fit has no measure of.

        Notes
        -----
        With two levels and covariances between clusters that are not positive definite, ``srmr_between`` raises small
        eigenvalues of the implied ones, as lavaan does. It then depends on the units of the variables; the fit warns.

        Checked against
        ---------------
        ``fitMeasures`` of lavaan 0.6-14 (tests/reference/sem, growth).

        When not to use
        ---------------
        As a substitute for looking at residuals: a model can fit well on the whole and badly where it matters.
        """
        return chosen(self._measures, names)

    def vcov(self) -> pd.DataFrame:
        """Return the covariance matrix of the free parameters."""
        names = list(self.table.names())
        return wide(pd.DataFrame(self._fit.vcov, index=names, columns=names))

    def implied(self) -> dict[str, pd.DataFrame]:
        """Return the moments implied by the model: "cov", and "mean" where it has means, by group or level.

        Of ordinal variables the correlations of their responses, and "threshold"; with covariates all given these, and
        "slope".
        """
        if self._fit.ordinal is not None:
            return {part: wide(table) for part, table in after_ordinal.implied_frames(self._fit).items()}
        out: dict[str, pd.DataFrame] = {}
        several = len(self._fit.implied) > 1
        for b, (block, moments) in enumerate(zip(self._fit.model.blocks, self._fit.implied, strict=True)):
            names = list(block.observed)
            end = f" {self._title(b)}" if several else ""
            out[f"cov{end}"] = wide(pd.DataFrame(moments.sigma, index=names, columns=names))
            if self._fit.model.means:
                out[f"mean{end}"] = wide(pd.DataFrame({"mean": moments.mu}, index=names))
        return out

    def _title(self, block: int) -> str:
        levels = self.table.n_levels
        group = self.table.group_labels[block // levels]
        level = ("within", "between")[block % levels] if levels > 1 else ""
        return " ".join(part for part in (group, level) if part)

    def missing_patterns(self) -> pd.DataFrame:
        """Return the patterns of missing values of a fit with ``missing="fiml"``, the frequent ones first.

        Returns
        -------
        DataFrame : (group,) n, and for each observed variable whether it is there.

        Raises
        ------
        SpecError : the fit used complete rows only.
        """
        return wide(after_raw.missing_patterns(self._incomplete()))

    def coverage(self) -> pd.DataFrame:
        """Return the share of rows in which each pair of variables is there, of a fit with ``missing="fiml"``.

        Returns
        -------
        DataFrame : (group,) variable, and one column per variable.

        Raises
        ------
        SpecError : the fit used complete rows only.
        """
        return wide(after_raw.coverage(self._incomplete()))

    def icc(self) -> pd.DataFrame:
        """Return the intraclass correlations of the variables of a two-level model: the share between clusters.

        Returns
        -------
        DataFrame : (group,) variable, icc, n_clusters, mean_size. Variables of the within level alone have zero.

        Raises
        ------
        SpecError : the model has one level.

        Notes
        -----
        From the unrestricted model of both levels by maximum likelihood, as ``lavInspect(fit, "icc")``.

        Checked against
        ---------------
        lavaan 0.6-14 (tests/reference/sem_twolevel).

        When not to use
        ---------------
        Agreement of raters about one target. One outcome in sessions, patients and therapists has the ``icc`` of
        ``ak.mixed``.
        """
        levels = self._fit.by_levels
        if levels is None:
            what = "intraclass correlations need a model with two levels"
            do = "Write level: blocks and name the column in cluster=, or take ak.mixed(...).icc()"
            raise SpecError(message(what, do=do))
        return wide(after_raw.intraclass(levels))

    def _incomplete(self) -> IncompleteFit:
        """The fit of incomplete rows behind this one."""
        rows = self._fit.by_rows
        if rows is not None and self._fit.options.missing != "listwise":
            return rows
        raise SpecError(message("the fit used complete rows only", do='Give missing="fiml"'))

    @named_options
    def summary(
        self, standardized: bool = False, fit_measures: bool = False, rsquare: bool = False, ci: bool = False
    ) -> str:
        """Return the summary as text, in lavaan's order and under its headings.

        Parameters
        ----------
        standardized : columns Std.lv and Std.all. fit_measures : baseline, CFI, TLI, likelihoods, RMSEA, SRMR.
        rsquare : R2 of each dependent variable. ci : columns with 95% limits.
        """
        notes = [f"Warning: {text}" for text in self.warnings]
        return after_text.summary_text(
            self._fit,
            self.tidy(),
            self.fit_measures(),
            notes,
            standardized=standardized,
            fit_measures=fit_measures,
            rsquare=rsquare,
            ci=ci,
        )

    @named_options
    def bootstrap(
        self,
        n: int = 1000,
        seed: int = 1,
        kind: str = "ordinary",
        *,
        statistic: str | Callable[[StructuralFit], Any] | None = None,
        executor: str = "serial",
        workers: int = 2,
    ) -> StructuralBootstrap:
        """Fit the model to ``n`` samples drawn again within groups, with all options of this fit.

        Parameters
        ----------
        n : number of samples. seed : of the draws.
        kind : "ordinary" (rows with replacement; of a fit with ``cluster=`` whole clusters, with two levels, too);
            "parametric" (normal rows with the moments of the model, with the gaps of the data); "bollen.stine" (rows
            turned so that the model fits them exactly) and "yuan" (so that it misfits as much as it is estimated to).
        statistic : None: parameters and definitions. "standardized", "r2", "reliability", "fit_measures", or a function
            of a fit that returns a number, several, a mapping or a series: these are computed from each sample's fit.
        executor : "serial" or "joblib", with ``workers`` processes; the replicates are the same to the last bit.

        Returns
        -------
        StructuralBootstrap : ``tidy(interval="percentile")`` has bias, standard errors and limits of all parameters and
        definitions, such as indirect effects, or of the statistic.

        Raises
        ------
        SpecError : an unknown kind, or one that the model does not take; a fit to covariances (take "parametric"); an
        unknown word, or a function that returns no numbers. FitError : the model is not identified, or most samples
        cannot be fitted.

        Notes
        -----
        Maximum likelihood, with missing values, too, fits all samples together, from the estimates on; other models are
        fitted one after the other; with ``statistic=`` each sample is fitted completely. Ctrl-C ends it. Bounds are
        those of the fit. Samples whose search fails, or in which an ordinal variable loses a category, are left out and
        counted. Rotated factors: the rotation of each sample begins at that of this fit, and its factors are exchanged
        and reflected, within each exploratory block, to be nearest to the loadings of this fit (alignment: Zhang,
        Preacher & Luo 2010, Multivariate Behav Res 45, 104-134).

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> bond = rng.normal(size=200)
        >>> d = pd.DataFrame({f"w{i}": bond + rng.normal(size=200) for i in (1, 2, 3)})
        >>> fit = ak.cfa("bond =~ w1 + w2 + w3", d)
        >>> fit.bootstrap(100).glance()["used"].item()
        100
        >>> omega = fit.bootstrap(50, statistic=lambda one: one.reliability()["omega"].item()).tidy()
        >>> bool(0.5 < omega["conf_low"].item() < omega["conf_high"].item() < 0.9)
        True

        Checked against
        ---------------
        lavaan 0.6-14, fitted to the same drawn rows, and ``bootstrapLavaan`` (tests/reference/sem_bootstrap). lavaan
        draws rows, not clusters, where there are clusters. Rotated factors: delta-method errors of large samples.

        When not to use
        ---------------
        Few clusters (under about 20): their samples vary too little. Limits of chi-square, RMSEA or CFI from "ordinary"
        rows: these misfit more than the data; take "yuan". Factors that samples hardly tell apart: then matching hides
        that they are not the same.
        """
        if statistic is None:
            return after_bootstrap.bootstrap(self._fit, n, seed, kind, executor, workers)
        opened = partial(_without_notes, self.model)
        return after_statistics.bootstrap_statistic(self._fit, opened, statistic, n, seed, kind, executor, workers)

    def as_r(self) -> str:
        """Return the call that fits the same model with lavaan in R: to ``data``, or to the moments that were given."""
        return after_rcall.as_r(self.model, self._fit)

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def _without_notes(model: str, fitted: StructuralEstimates) -> StructuralFit:
    """Return the result of a sample's fit."""
    return StructuralFit(model, fitted, ())
