"""``ak.cfa``, ``ak.sem`` and ``ak.growth``: each hands all it was given to the steps they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from alliancekit.structural.arguments import named_options
from alliancekit.structural.fitting import fit_model
from alliancekit.structural.result.fit import StructuralFit
from alliancekit.structural.table import ParameterTable


@named_options
def cfa(
    model: str | ParameterTable,
    data: Any = None,
    *,
    estimator: str | None = None,
    missing: str | None = None,
    se: str | None = None,
    test: str | Sequence[str] | None = None,
    information: str | Sequence[str] | None = None,
    observed_information: str | Sequence[str] | None = None,
    h1_information: str | Sequence[str] | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    effect_coding: bool | Sequence[str] = False,
    ordered: bool | str | Sequence[str] = (),
    parameterization: str = "delta",
    bounds: str = "none",
    bootstrap: int | None = None,
    seed: int = 1,
    rotation: str = "geomin",
    rotation_args: Mapping[str, Any] | None = None,
    rotation_se: str = "bordered",
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
) -> StructuralFit:
    """Fit a confirmatory factor model written in lavaan's syntax.

    Parameters
    ----------
    model : lavaan model syntax, such as ``"bond =~ w1 + w2 + w3"``, or a ``ParameterTable``.
    data : frame or Study, one row per person (or per group member).
    estimator : "ML" (default); with robust standard errors and a scaled test "MLR" (also for missing values and
        clusters), "MLM", "MLMV", "MLMVS"; "MLF" (first-order standard errors); least squares "GLS", "ULS", "WLS",
        "DWLS" and, with robust standard errors and a scaled test, "ULSM", "ULSMV", "ULSMVS", "WLSM", "WLSMV" (default
        for ordinal variables), "WLSMVS".
    missing : "listwise" (default: leaves out incomplete rows and warns); "fiml" (all rows, by full information; rows
        without a covariate are left out); "fiml.x" (these too, at the moments that full information gives covariates);
        "pairwise" (ordinal variables only).
    se : "standard", "robust" (what goes with the estimator), "robust.sem", "robust.huber.white", "first.order",
        "bootstrap", "none". None takes what goes with the estimator, for the next four, too. Words take dots or
        underscores.
    test : one or several of "standard", "satorra.bentler", "scaled.shifted", "mean.var.adjusted", "yuan.bentler",
        "yuan.bentler.mplus", "browne.residual.nt", "browne.residual.adf", both with ".model", "bollen.stine"; or
        "none". ``model_tests`` shows all of them; fit measures are scaled by the first scaled test.
    information : "expected", "observed", "first.order"; a second word is for tests. observed_information : "hessian",
        or "h1" (without the curvature of the moments). h1_information : information about moments "structured" (at
        those of the model) or "unstructured" (of the sample). likelihood : "normal" or "wishart".
    bootstrap, seed : number of samples (None: 1000), and seed of their draws, of ``test="bollen.stine"`` and
        ``se="bootstrap"``, which goes with every estimator (with ``cluster=`` whole clusters are drawn); ``tidy`` has
        percentile limits. A number without one of these words is an error: nothing would be drawn.
    group : column of groups. group_equal : what is equal in all groups, such as ``["loadings", "intercepts"]``.
    group_partial : parameters that are not, such as ``["bond =~ w2"]``.
    cluster : column of clusters: cluster-robust standard errors, or, for a model with ``level:`` blocks, two levels.
    auxiliary : columns outside the model that predict missing values or the variables with gaps; they are correlated
        with everything (saturated correlates) and need ``missing="fiml"``.
    std_lv : latent variances are one instead of first loadings. orthogonal : latent variables are uncorrelated.
    meanstructure : whether means are modelled (None: with groups, missing values or when needed).
    fixed_x : covariates keep their sample moments (None: except with GLS, ULS, WLS and DWLS of numbers, as lavaan).
    effect_coding : loadings average one and intercepts zero.
    ordered : ordinal variables, or True for all but covariates; columns of ordered categories, and
        variables with thresholds in the model, always are.
        parameterization : "delta" (their scales are parameters) or "theta" (their residual variances are).
    bounds : "none"; "pos.var", "pos.ov.var", "pos.lv.var" (variances of all, of observed, of latent variables are not
        negative); "standard", "wide" (lavaan's "default") or "wide.zerovar" ("wide" without negative residual
        variances): variances, loadings and covariances within what the sample's variances allow; not with two levels,
        effect coding or free scales of ordinal variables.
    rotation : of exploratory factors, written ``efa("name")*f1 + efa("name")*f2 =~ ...``: "geomin", "oblimin",
        "quartimin", "varimax", "quartimax", "orthomax", "promax", "cf" and "cf-quartimax", "cf-varimax", "cf-equamax",
        "cf-parsimax", "cf-facparsim", "biquartimin", "bigeomin", "target" or "pst", "bentler", "infomax", "mccammon",
        "entropy", "tandem1", "tandem2", "oblimax", "simplimax", "none". rotation_args : a mapping with ``orthogonal``
        (False), ``row_weights`` ("none", "kaiser", "cureton-mulaik"), ``std_ov`` (True), ``geomin_epsilon`` (0.001),
        ``oblimin_gamma``, ``orthomax_gamma``, ``cf_gamma``, ``promax_kappa``, ``target`` (an array, NaN where it is
        open, or block -> array), ``target_mask``, ``rstarts`` (random starts; None: 30 for two factors, more for more),
        ``reflect``, ``order_lv_by`` ("index", "sumofsquares", "none"), ``gpa_tol``, ``max_iter``, ``seed``.
    rotation_se : "bordered" (lavaan's; in oblique rotation with ``std_ov`` or row weights its side conditions are
        approximate) or "delta" (exact).
    sample_cov, sample_mean, sample_nobs : moments instead of data (a list, or group -> moments, for groups);
        covariances with divisor n - 1 and with names.

    Returns
    -------
    StructuralFit

    Raises
    ------
    SpecError : wrong syntax or option. DesignError : model and data do not fit together. FitError : no start is found.

    Warns
    -----
    DesignWarning : incomplete rows are left out; "WLSMV" or a relative without ``ordered`` meets whole numbers of at
    most 10 values and treats them as continuous, as lavaan does. ConvergenceWarning : the search stopped early, or the
    solution is not admissible or not identified; the parameters are named.

    Notes
    -----
    Maximum likelihood by Fisher scoring within the linear constraints (Jöreskog 1969, Psychometrika 34, 183-202);
    missing values by full information (Arbuckle 1996); scaled tests by Satorra & Bentler (1994), Asparouhov & Muthén
    (2010) and Yuan & Bentler (2000); bounds by De Jonckere & Rosseel (2022, Struct Equ Modeling 29, 412-427). The
    table is completed by lavaan's rules for ``cfa``.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> bond = rng.normal(size=300)
    >>> d = pd.DataFrame({f"w{i}": 0.8 * bond + rng.normal(size=300) for i in (1, 2, 3, 4)})
    >>> fit = ak.cfa("bond =~ w1 + w2 + w3 + w4", d)
    >>> int(fit.fit_measures()["df"])
    2

    Checked against
    ---------------
    lavaan 0.6-14 (tests/reference/sem).

    When not to use
    ---------------
    Items with fewer than about five categories and skewed answers, which are better treated as ordinal.
    """
    return fit_model("cfa", **locals())


@named_options
def sem(
    model: str | ParameterTable,
    data: Any = None,
    *,
    estimator: str | None = None,
    missing: str | None = None,
    se: str | None = None,
    test: str | Sequence[str] | None = None,
    information: str | Sequence[str] | None = None,
    observed_information: str | Sequence[str] | None = None,
    h1_information: str | Sequence[str] | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    effect_coding: bool | Sequence[str] = False,
    ordered: bool | str | Sequence[str] = (),
    parameterization: str = "delta",
    bounds: str = "none",
    bootstrap: int | None = None,
    seed: int = 1,
    rotation: str = "geomin",
    rotation_args: Mapping[str, Any] | None = None,
    rotation_se: str = "bordered",
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
) -> StructuralFit:
    r"""Fit a structural equation model written in lavaan's syntax: regressions among observed and latent variables.

    Parameters
    ----------
    model : lavaan model syntax, such as ``"outcome ~ b*bond + pre"``; indirect effects by ``indirect := a*b``.
    data, estimator, missing, se, test, information, observed_information, h1_information, likelihood, group,
    group_equal, group_partial, cluster, auxiliary, std_lv, orthogonal, meanstructure, fixed_x, effect_coding, ordered,
    parameterization, bounds, bootstrap, seed, rotation, rotation_args, rotation_se, sample_cov, sample_mean,
    sample_nobs : as in ``ak.cfa``.

    Returns
    -------
    StructuralFit

    Raises
    ------
    SpecError, DesignError, FitError : as in ``ak.cfa``.

    Notes
    -----
    Covariates (observed variables on the right of ~ alone) keep their sample moments unless ``fixed_x=False``; the
    log-likelihood is then that of the other variables given them. Definitions have delta-method standard errors.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(2)
    >>> d = pd.DataFrame({"pre": rng.normal(size=200)})
    >>> d["alliance"] = -0.3 * d["pre"] + rng.normal(size=200)
    >>> d["post"] = 0.5 * d["pre"] - 0.4 * d["alliance"] + rng.normal(size=200)
    >>> fit = ak.sem("alliance ~ a*pre\npost ~ b*alliance + pre\nindirect := a*b", d)
    >>> fit.tidy().query("op == ':='")["term"].tolist()
    ['indirect := a*b']

    Checked against
    ---------------
    lavaan 0.6-14 (tests/reference/sem).

    When not to use
    ---------------
    To conclude from a good fit that the arrows point the right way: models with other arrows may fit as well.
    """
    return fit_model("sem", **locals())


@named_options
def growth(
    model: str | ParameterTable,
    data: Any = None,
    *,
    estimator: str | None = None,
    missing: str | None = None,
    se: str | None = None,
    test: str | Sequence[str] | None = None,
    information: str | Sequence[str] | None = None,
    observed_information: str | Sequence[str] | None = None,
    h1_information: str | Sequence[str] | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    effect_coding: bool | Sequence[str] = False,
    ordered: bool | str | Sequence[str] = (),
    parameterization: str = "delta",
    bounds: str = "none",
    bootstrap: int | None = None,
    seed: int = 1,
    rotation: str = "geomin",
    rotation_args: Mapping[str, Any] | None = None,
    rotation_se: str = "bordered",
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
) -> StructuralFit:
    r"""Fit a latent growth model written in lavaan's syntax.

    Parameters
    ----------
    model : lavaan model syntax, such as ``"i =~ 1*y1 + 1*y2 + 1*y3"`` and ``"s =~ 0*y1 + 1*y2 + 2*y3"``.
    data, estimator, missing, se, test, information, observed_information, h1_information, likelihood, group,
    group_equal, group_partial, cluster, auxiliary, std_lv, orthogonal, meanstructure, fixed_x, effect_coding, ordered,
    parameterization, bounds, bootstrap, seed, rotation, rotation_args, rotation_se, sample_cov, sample_mean,
    sample_nobs : as in ``ak.cfa``.

    Returns
    -------
    StructuralFit

    Raises
    ------
    SpecError, DesignError, FitError : as in ``ak.cfa``.

    Notes
    -----
    Intercepts of the observed variables are zero and means of the latent ones are free. With equal residual variances
    and no missing values the model is the mixed model ``y ~ time + (1 + time | person)`` by maximum likelihood.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(3)
    >>> start, slope = rng.normal(20, 3, 200), rng.normal(-1, 0.5, 200)
    >>> d = pd.DataFrame({f"y{t}": start + t * slope + rng.normal(size=200) for t in range(4)})
    >>> model = "i =~ 1*y0 + 1*y1 + 1*y2 + 1*y3\ns =~ 0*y0 + 1*y1 + 2*y2 + 3*y3"
    >>> float(ak.growth(model, d).tidy().query("term == 's ~1'")["estimate"].iloc[0]) < 0
    True

    Checked against
    ---------------
    lavaan 0.6-14 (tests/reference/growth).

    When not to use
    ---------------
    Sessions at different times for each person: fit a mixed model (``ak.mixed``).
    """
    return fit_model("growth", **locals())
