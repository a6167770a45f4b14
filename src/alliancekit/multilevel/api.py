"""``ak.mixed`` and the class of its fits; the methods stand in ``result/``, by topic."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from alliancekit.core.errors import SpecError, check_columns, message
from alliancekit.core.later import Later
from alliancekit.formula.design import build_design
from alliancekit.multilevel.gaussian import fit as gaussian
from alliancekit.multilevel.notices import (
    column_labels,
    generalised_notices,
    identification_notices,
    pooled_notices,
    search_notices,
)
from alliancekit.multilevel.result.again import Again
from alliancekit.multilevel.result.generalised import GeneralisedMethods
from alliancekit.multilevel.result.hypotheses import Hypotheses
from alliancekit.multilevel.result.margins import Margins
from alliancekit.multilevel.result.rows import Rows
from alliancekit.multilevel.result.summary import Summary
from alliancekit.multilevel.spec import MixedSpec, make_spec
from alliancekit.study.types import frame_of

if TYPE_CHECKING:
    import pandas as pd

    from alliancekit.multilevel.generalised import fit as generalised
    from alliancekit.multilevel.residual import fit as residual
    from alliancekit.multilevel.residual.terms import ResidualStructure
    from alliancekit.multilevel.streamed import fit as streamed
else:
    generalised = Later("alliancekit.multilevel.generalised.fit")
    residual = Later("alliancekit.multilevel.residual.fit")
    streamed = Later("alliancekit.multilevel.streamed.fit")


def mixed(
    formula: str,
    data: Any,
    *,
    method: str | None = None,
    weights: str | None = None,
    residual_structure: ResidualStructure | None = None,
    family: str = "gaussian",
    link: str | None = None,
    quadrature: int = 1,
    variance: str | None = None,
    zero_inflation: str | None = None,
    dispersion: str | None = None,
) -> MixedFit:
    """Fit a linear or generalised linear mixed model with any number of nested or crossed random terms.

    Parameters
    ----------
    formula : lme4 syntax, such as ``"y ~ x*time + (1 + time | patient) + (1 | therapist)"``.
    data : frame or Study, one row per observation. Rows with a missing value in any variable of the formula are left
        out and counted in ``fit.sample``. Or the path of a parquet file (or of a folder of them), which may be larger
        than memory: it is read in chunks and none of its rows is kept, so that what needs rows (residuals,
        predictions, marginal means, influence) raises FitError. Gaussian outcomes with independent residuals only.
    method : "REML" (default) or "ML"; generalised models are always fitted by "ML".
    weights : column of prior weights. Gaussian: the residual variance of row i is sigma^2 / w_i. Otherwise a row counts
        w_i times; for an outcome that is a proportion w_i is its number of trials.
    residual_structure : correlation and unequal variances of the residuals of a Gaussian outcome, such as
        ``ak.ar1(time=, by=)``; None: independent, equal variances.
    family : "gaussian", "binomial" (0/1, a factor of two levels, or counts out of a total written
        ``successes(taken, of=days) ~ ...`` or ``cbind(taken, days - taken) ~ ...``), "beta-binomial" (counts out of a
        total that vary more), "poisson", "negative-binomial" (counts that vary more).
    link : "logit" (default), "probit" or "cloglog" for (beta-)binomial outcomes; "log" for counts.
    quadrature : nodes of adaptive Gauss-Hermite quadrature per group, for a single random effect; 1 is the Laplace
        approximation.
    variance : of a negative binomial: "quadratic" (default), mu + mu^2 / size, or "linear", mu (1 + phi).
    zero_inflation : formula of the logit of the probability of an extra zero, such as ``"~ 1"`` or ``"~ arm"``.
    dispersion : formula of the log dispersion (size or phi), such as ``"~ arm"``; None: one for all rows.

    Returns
    -------
    MixedFit

    Raises
    ------
    SpecError : the formula or an option is wrong. DesignError : formula and data do not fit together.

    Warns
    -----
    BoundaryWarning : a variance is at zero or a correlation at one (the estimates stay right).
    ConvergenceWarning : the optimiser stopped early. DesignWarning : columns were dropped as collinear; a predictor
    varies within and between the units of the finest grouping factor and has one slope for both; coefficients are
    infinite, because the outcome is separated; a dispersion went to its limit.

    Notes
    -----
    The profiled deviance of Bates, Maechler, Bolker & Walker (2015, J Stat Softw 67(1), eq. 34 and 42) with an exact
    gradient, on per-group cross-products of centred and scaled columns. Where the origin of time lies does not matter.
    Generalised models: the likelihood with the random effects integrated out by Laplace's approximation, or by adaptive
    Gauss-Hermite quadrature, is maximised over all parameters together, with its exact gradient. The curvature at the
    mode is the observed one (as in glmmTMB; lme4 takes the expected one, which differs for probit, cloglog and negative
    binomial models). Standard errors come from the Hessian in all parameters.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> patient = np.repeat(np.arange(40), 5)
    >>> session = np.tile(np.arange(5.0), 40)
    >>> bdi = 25 - 1.5 * session + rng.normal(0, 4, 40)[patient] + rng.normal(0, 3, 200)
    >>> data = pd.DataFrame({"bdi": bdi, "session": session, "patient": patient})
    >>> fit = ak.mixed("bdi ~ session + (1 | patient)", data)
    >>> fit.tidy()["term"].tolist()
    ['(Intercept)', 'session']

    Checked against
    ---------------
    lme4 1.1-31 and lmerTest 3.1-3 on 18 data sets (tests/reference/mlm); lme4 and glmmTMB 1.1.5 on 14 data sets of
    counts and binary outcomes (tests/reference/glmm); statsmodels and mixedlm (tests/crosscheck).

    When not to use
    ---------------
    Fewer than about five units at a level; a predictor that varies within and between persons entered as one column:
    split it first with ``ak.within_between``. Laplace's approximation for few 0/1 outcomes per unit and a large
    variance: give ``quadrature=25`` and see whether the answer changes. Ordered categories and times to an event.
    """
    spec = make_spec(
        formula,
        method=method,
        weights=weights,
        residual_structure=residual_structure,
        family=family,
        link=link,
        quadrature=quadrature,
        variance=variance,
        zero_inflation=zero_inflation,
        dispersion=dispersion,
    )
    if isinstance(data, str | PathLike):
        return _from_file(spec, data)
    frame = frame_of(data)
    needed = spec.residual.columns if spec.residual is not None else ()
    check_columns(frame.columns, needed, where="residual_structure")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        design = build_design(
            spec.formula,
            frame,
            weights=weights,
            also=needed,
            has_residual=spec.words is None,
            outcome="successes" if spec.words is not None and spec.words.takes_successes else "numbers",
            side=spec.side,
        )
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=2)
    labels = column_labels(data, design.variables)
    said = tuple(str(w.message) for w in caught) + pooled_notices(design, data, labels, stacklevel=3)
    if spec.words is not None:
        made = generalised.fit(design, spec.words, spec.quadrature)
        notes = said + generalised_notices(made, spec.formula.text, stacklevel=3)
        return GeneralisedMixedFit(spec, made, frame, notes, labels)
    if spec.residual is None:
        fitted = gaussian.fit(design, spec.reml)
    else:
        fitted = residual.fit(design, spec.reml, spec.residual, frame)
    notes = said + identification_notices(fitted, stacklevel=3)
    notes += search_notices(fitted, spec.formula.text, stacklevel=3)
    return MixedFit(spec, fitted, frame, notes, labels)


def _from_file(spec: MixedSpec, path: str | PathLike[str]) -> MixedFit:
    """Fit a linear model to a parquet file, read in chunks."""
    if spec.words is not None or spec.residual is not None:
        what = "only linear models with independent residuals are fitted to a file read in chunks"
        raise SpecError(message(what, do="Hand over the rows: ak.mixed(formula, pd.read_parquet(path), ...)"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        made = streamed.fit(Path(path), spec.formula, spec.weights, spec.reml)
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=3)
    said = tuple(str(w.message) for w in caught)
    if made.sample is not None:
        said += pooled_notices(made.sample, None, {}, stacklevel=4)
    notes = said + identification_notices(made.fit, stacklevel=4)
    notes += search_notices(made.fit, spec.formula.text, stacklevel=4)
    return MixedFit(spec, made.fit, cast("pd.DataFrame", made.rows), notes, {})


class MixedFit(Summary, Hypotheses, Margins, Rows, Again):
    """A fitted linear mixed model (read-only). Made by ``ak.mixed``.

    Attributes
    ----------
    formula, method, family : as asked for. nobs : rows used. sample : what became of the rows (SampleAccount).
    sigma : residual SD. log_likelihood : restricted under REML. converged, singular : state of the search.
    warnings : what was warned about, as text. design : the formula's design (X, y, random blocks, recipe).
    labels : column -> text for people, from the Study's codebook.
    """


class GeneralisedMixedFit(GeneralisedMethods, MixedFit):
    """A fitted generalised linear mixed model (read-only). Made by ``ak.mixed`` with a family other than "gaussian".

    Attributes beside those of ``MixedFit``
    ---------------------------------------
    link : word of the link. quadrature : nodes per group, 1 is the Laplace approximation. ``sigma`` is 1: the variance
    of an observation follows from its mean and the dispersion.
    """


def check_fit(value: object) -> MixedFit:
    """Return ``value`` if it is a fit of ``ak.mixed``; SpecError otherwise."""
    if not isinstance(value, MixedFit):
        raise SpecError(
            message(f"a {type(value).__name__} is not a fitted mixed model", do="Hand over a fit of ak.mixed")
        )
    return value
