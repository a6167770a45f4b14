"""``ak.cfa``, ``ak.sem`` and ``ak.growth``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from alliancekit.core.errors import ConvergenceWarning, DesignWarning, SpecError, message
from alliancekit.formula.model_parse import parse_model
from alliancekit.structural.after.raw_data import data_notices
from alliancekit.structural.automatic import complete
from alliancekit.structural.auxiliary import add_auxiliary
from alliancekit.structural.checks import check_solution, check_variables
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.engines import estimate
from alliancekit.structural.model import observed_names
from alliancekit.structural.options import Options, make_options
from alliancekit.structural.result.fit import StructuralFit
from alliancekit.structural.sample import group_labels, moments_sample, read_sample
from alliancekit.structural.table import ParameterTable
from alliancekit.study.types import frame_of


def cfa(
    model: str | ParameterTable,
    data: Any = None,
    *,
    estimator: str = "ML",
    missing: str | None = None,
    se: str | None = None,
    test: str | None = None,
    information: str | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool = True,
    effect_coding: bool | Sequence[str] = False,
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
) -> StructuralFit:
    """Fit a confirmatory factor model written in lavaan's syntax.

    Parameters
    ----------
    model : lavaan model syntax, such as ``"bond =~ w1 + w2 + w3"``, or a ``ParameterTable``.
    data : frame or Study, one row per person (or per group member).
    estimator : "ML"; robust forms "MLR" (also with missing values), "MLM", "MLMV", "MLMVS"; "MLF" (first-order standard
        errors); least squares "GLS", "ULS", "WLS", "DWLS" and their robust forms "ULSM", "ULSMV", "WLSM", "WLSMV" ...
    missing : "listwise" (default: leaves out incomplete rows and warns); "fiml" (all rows, by full information; rows
        without a covariate are left out); "fiml.x" (these too, at the moments that full information gives covariates).
    se, test, information : lavaan's words; None takes what goes with the estimator. likelihood : "normal" or
        "wishart".
    group : column of groups. group_equal : what is equal in all groups, such as ``["loadings", "intercepts"]``.
    group_partial : parameters that are not, such as ``["bond =~ w2"]``.
    cluster : column of clusters: cluster-robust standard errors, or, for a model with ``level:`` blocks, two levels.
    auxiliary : columns outside the model that predict missing values or the variables with gaps; they are correlated
        with everything (saturated correlates) and need ``missing="fiml"``.
    std_lv : latent variances are one instead of first loadings. orthogonal : latent variables are uncorrelated.
    meanstructure : whether means are modelled (None: with groups, missing values or when needed). fixed_x : covariates
        keep their sample moments. effect_coding : loadings average one and intercepts zero.
    sample_cov, sample_mean, sample_nobs : moments instead of data (lists for groups); covariances with names.

    Returns
    -------
    StructuralFit

    Raises
    ------
    SpecError : wrong syntax or option. DesignError : model and data do not fit together. FitError : no start is found.

    Warns
    -----
    DesignWarning : incomplete rows are left out. ConvergenceWarning : the search stopped early, or the solution is not
    admissible or not identified; the parameters are named.

    Notes
    -----
    Maximum likelihood by Fisher scoring within the linear constraints (Jöreskog 1969, Psychometrika 34, 183-202);
    missing values by full information (Arbuckle 1996). The table is completed by lavaan's rules for ``cfa``.

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
    options = make_options(
        "cfa",
        estimator=estimator,
        missing=missing,
        se=se,
        test=test,
        information=information,
        likelihood=likelihood,
        group=group,
        group_equal=group_equal,
        group_partial=group_partial,
        cluster=cluster,
        auxiliary=auxiliary,
        std_lv=std_lv,
        orthogonal=orthogonal,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        effect_coding=effect_coding,
    )
    return _fit(model, data, options, (sample_cov, sample_mean, sample_nobs))


def sem(
    model: str | ParameterTable,
    data: Any = None,
    *,
    estimator: str = "ML",
    missing: str | None = None,
    se: str | None = None,
    test: str | None = None,
    information: str | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool = True,
    effect_coding: bool | Sequence[str] = False,
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
) -> StructuralFit:
    """Fit a structural equation model written in lavaan's syntax: regressions among observed and latent variables.

    Parameters
    ----------
    model : lavaan model syntax, such as ``"outcome ~ b*bond + pre"``; indirect effects by ``indirect := a*b``.
    data, estimator, missing, se, test, information, likelihood, group, group_equal, group_partial, cluster, auxiliary,
    std_lv, orthogonal, meanstructure, fixed_x, effect_coding, sample_cov, sample_mean, sample_nobs : as in ``ak.cfa``.

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
    options = make_options(
        "sem",
        estimator=estimator,
        missing=missing,
        se=se,
        test=test,
        information=information,
        likelihood=likelihood,
        group=group,
        group_equal=group_equal,
        group_partial=group_partial,
        cluster=cluster,
        auxiliary=auxiliary,
        std_lv=std_lv,
        orthogonal=orthogonal,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        effect_coding=effect_coding,
    )
    return _fit(model, data, options, (sample_cov, sample_mean, sample_nobs))


def growth(
    model: str | ParameterTable,
    data: Any = None,
    *,
    estimator: str = "ML",
    missing: str | None = None,
    se: str | None = None,
    test: str | None = None,
    information: str | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool = True,
    effect_coding: bool | Sequence[str] = False,
    sample_cov: Any = None,
    sample_mean: Any = None,
    sample_nobs: Any = None,
) -> StructuralFit:
    """Fit a latent growth model written in lavaan's syntax.

    Parameters
    ----------
    model : lavaan model syntax, such as ``"i =~ 1*y1 + 1*y2 + 1*y3"`` and ``"s =~ 0*y1 + 1*y2 + 2*y3"``.
    data, estimator, missing, se, test, information, likelihood, group, group_equal, group_partial, cluster, auxiliary,
    std_lv, orthogonal, meanstructure, fixed_x, effect_coding, sample_cov, sample_mean, sample_nobs : as in ``ak.cfa``.

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
    options = make_options(
        "growth",
        estimator=estimator,
        missing=missing,
        se=se,
        test=test,
        information=information,
        likelihood=likelihood,
        group=group,
        group_equal=group_equal,
        group_partial=group_partial,
        cluster=cluster,
        auxiliary=auxiliary,
        std_lv=std_lv,
        orthogonal=orthogonal,
        meanstructure=meanstructure,
        fixed_x=fixed_x,
        effect_coding=effect_coding,
    )
    return _fit(model, data, options, (sample_cov, sample_mean, sample_nobs))


def _fit(model: str | ParameterTable, data: Any, options: Options, moments: tuple[Any, Any, Any]) -> StructuralFit:
    """Complete the table, read the sample, estimate, and say what is odd."""
    cov, mean, nobs = moments
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if cov is not None:
            count = len(cov) if isinstance(cov, (list, tuple)) else 1
            labels = tuple(f"Group {i + 1}" for i in range(count)) if count > 1 else ("",)
            frame = None
        else:
            if data is None:
                raise SpecError(message("there are no data", do="Give a frame, or sample_cov= and sample_nobs="))
            frame = frame_of(data)
            labels = group_labels(frame, options.group)
        if isinstance(model, ParameterTable):
            table, text = model, repr(model)
        else:
            statements = parse_model(model)
            if options.auxiliary:
                statements = add_auxiliary(statements, options.auxiliary)
            table, text = complete(statements, options.rules, labels), model
        if any(table.efa):
            what = "exploratory blocks (efa) are read, but not rotated yet"
            raise SpecError(message(what, do="Write which items load on which factor"))
        names = _names(table)
        constraints = read_constraints(table)
        if frame is None:
            sample = moments_sample(cov, mean, nobs, names, labels)
        else:
            check_variables(table, frame)
            sample = read_sample(
                frame,
                names,
                group=options.group,
                labels=labels,
                missing=options.missing,
                complete=_held(table),
                cluster=options.cluster,
            )
        fitted = estimate(options, table, constraints, sample)
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=3)
    notes = tuple(str(w.message) for w in caught)
    for text_ in () if fitted.source is None else data_notices(fitted.source):
        warnings.warn(text_, DesignWarning, stacklevel=3)
        notes += (text_,)
    for text_ in check_solution(fitted):
        warnings.warn(text_, ConvergenceWarning, stacklevel=3)
        notes += (text_,)
    return StructuralFit(text, fitted, notes)


def _held(table: ParameterTable) -> tuple[str, ...]:
    """Return the covariates whose moments are those of the sample."""
    rows = (i for i, exo in enumerate(table.exo) if exo and table.op[i] == "~~")
    return tuple(dict.fromkeys(table.lhs[i] for i in rows))


def _names(table: ParameterTable) -> list[tuple[str, ...]]:
    """Return the observed variables of each group, of both levels where there are two."""
    out = []
    for g in range(len(table.group_labels)):
        blocks = range(g * table.n_levels + 1, (g + 1) * table.n_levels + 1)
        out.append(tuple(dict.fromkeys(name for b in blocks for name in observed_names(table, b))))
    return out
