"""``incremental_validity``: what a predictor adds to those before it, and whether that is its own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import SmallSampleWarning, SpecError, check_option, message
from alliancekit.core.provenance import hash_frame
from alliancekit.prediction.associations import partial_correlations, variance_inflation
from alliancekit.prediction.cases import Cases, Steps, prepare_cases
from alliancekit.prediction.crossvalidation import cross_validated_r2
from alliancekit.prediction.dominance import MAX_PREDICTORS, dominance_analysis, general_weights
from alliancekit.prediction.engines import Engine, RandomIntercept, make_engine
from alliancekit.prediction.moments import ClusterMoments, Floats, cluster_moments, eliminate
from alliancekit.prediction.resampling import Draws, interval, resample_clusters
from alliancekit.prediction.results import (
    AddedVariable,
    CoefficientTable,
    IncrementalValidity,
    StepTable,
    WeightTable,
)
from alliancekit.prediction.specificity import Bounded, Specificity, correlations_with, judge

APPROACHES = ("random", "robust", "ols")
FEW_CLUSTERS = 20
# Weights of more predictors than this are not resampled: every resample costs 2**p regressions.
MAX_RESAMPLED_WEIGHTS = 8


def incremental_validity(
    data: Any,
    outcome: str,
    steps: Steps,
    *,
    focus: str | None = None,
    therapist: str | None = None,
    approach: str | None = None,
    bootstrap: int = 1000,
    seed: int = 1,
    folds: int = 10,
    level: float = 0.95,
    better: str | None = None,
    patient: str | None = None,
    labels: Mapping[str, str] | None = None,
    executor: str = "serial",
) -> IncrementalValidity:
    """Return what each step of predictors adds to the prediction of an outcome, and whether a focus adds its own.

    Parameters
    ----------
    data : Study or frame with one row per patient.
    outcome : numeric column to predict, in its own units.
    steps : step name -> predictors that enter at that step, in order; each step keeps the predictors before it.
        ``{"severity": ["pcl_0"], "task": ["task"], "bond and goal": ["bond", "goal"]}``.
    focus : the predictor (or a step that adds a single one) whose specificity is in question: does it add to what
        entered before it, and still add once every other predictor is in the model? None: not asked.
    therapist : column of the therapist (any cluster). Resamples and folds then keep a therapist's patients together.
    approach : "random", a random therapist intercept (:func:`alliancekit.mixed`); "robust", least squares with
        cluster-robust covariance; "ols", least squares. None: "random" with a therapist column, "ols" without.
    bootstrap : resamples of therapists (of patients without therapists) behind the limits; 0 for none.
    seed : root seed of resamples and folds.
    folds : folds of the cross-validation, at most one per therapist; at least 2.
    level : confidence level; 1 - level is the significance level of the verdict.
    better : "higher" or "lower", which end of the outcome is good, for slopes oriented so that positive = better.
    patient : column of the patient, to make sure of one row each. None: the Study's role, or a column "patient".
    labels : column -> text for tables, figures and sentences. A column not named takes the name of its step
        where it is the only one of the step (and the name is more than "Step 2"), else the label of the Study's
        codebook, else its own name.
    executor : "serial" or "joblib" for the resamples; the numbers are the same to the last bit.

    Returns
    -------
    IncrementalValidity. Every step uses the same complete cases. Per step: R², its increment with limits (BCa, or
    percentile where BCa does not exist), f² = delta R² / (1 - R² of the larger model) (Cohen 1988), a test (F change,
    Wald F, or likelihood ratio by ML), AIC, R² of patients whose therapists were left out of the estimation.
    With approach "random" R² and its limits are Nakagawa's marginal R² (2013), fitted by ML in the sample and in each
    resample; with the others R² of least squares. Partial and semi-partial correlations, dominance weights, VIF and
    cross-validated R² are those of least squares whatever the approach.

    Raises
    ------
    SpecError : a wrong option, a predictor in two steps, a focus that is in no step or enters first.
    DesignError : a column that is missing, not numeric or constant; predictors that are linear combinations; too few
        complete cases; one therapist; several rows per patient.

    Warns
    -----
    SmallSampleWarning : fewer than 20 therapists with "robust" (t with G - 1 degrees of freedom is used).

    Notes
    -----
    An increment of nested models is never negative by least squares, so its limits cannot contain zero: whether there
    is an increment is answered by the test, how large it is by the limits. In simulations 95% limits of an increment
    of .08 covered it in 94% of samples with 40 therapists and 240 patients, 93% with 20 and 120, 90% with 20 and 84.
    The verdict is explained in :mod:`alliancekit.prediction.specificity`.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(7)
    >>> severity, alliance = rng.normal(size=(2, 200))
    >>> task, bond = alliance + 0.4 * rng.normal(size=200), alliance + 0.4 * rng.normal(size=200)
    >>> df = pd.DataFrame({"severity": severity, "task": task, "bond": bond})
    >>> df["pcl"] = 50 + 6 * severity - 4 * bond + 8 * rng.normal(size=200)
    >>> found = ak.incremental_validity(
    ...     df, "pcl", {"severity": ["severity"], "task": ["task"], "bond": ["bond"]}, focus="task", bootstrap=500
    ... )
    >>> found.tidy()[["step", "n"]].to_numpy().tolist()
    [['severity', 200], ['task', 200], ['bond', 200]]
    >>> found.specificity.verdict
    'not specific'

    Checked against
    ---------------
    R (lm, anova, sandwich, dominanceanalysis, relaimpo, yhat) in tests/reference; pingouin and statsmodels in
    tests/crosscheck; known truth in tests/unit/prediction.

    When not to use
    ---------------
    Repeated measures (one row per session): fit :func:`alliancekit.mixed` with within and between parts. Completers
    only, where dropout depends on the outcome. Causes: an increment is prediction, and early symptom change that
    happened before the alliance rating must be among the predictors. Unreliable rivals: what their error hides of
    them is left to the focus, so that a scale can look specific because its rivals are measured badly (Westfall &
    Yarkoni 2016, PLOS ONE 11, e0152719); look at :func:`alliancekit.reliability` of all scales first.
    """
    how = _check_options(approach, therapist, bootstrap, folds, level, better, executor)
    cases = prepare_cases(data, outcome, steps, focus=focus, therapist=therapist, patient=patient, labels=labels)
    notes = _small_sample(how, cases)
    engine = make_engine(how, cases)
    moments = cluster_moments(cases.X, cases.y, cases.codes)
    draws = _resample(engine, moments, cases, bootstrap, seed, executor)
    cv = cross_validated_r2(moments, cases.plan, folds=folds, seed=seed)
    step_table = _step_table(cases, engine, draws, cv, folds=folds, level=level)
    column = cases.plan.focus
    specificity = None if column is None else _specificity(cases, engine, draws, column, level)
    coefficients = _coefficients(cases, engine, better, level)
    notes.extend(_engine_warnings(engine))
    return IncrementalValidity(
        outcome=outcome,
        approach=how,
        therapist=therapist,
        focus=cases.focus,
        entered=cases.steps,
        steps=step_table,
        coefficients=coefficients,
        weights=_weights(cases, moments, draws_seed=(bootstrap, seed), level=level),
        specificity=specificity,
        added_variable=_added_variable(cases),
        fits=_fits(cases, engine),
        sample=cases.sample,
        frame=cases.frame,
        level=level,
        resamples=bootstrap,
        seed=seed,
        folds=folds,
        software=engine.software,
        data_hash=hash_frame(cases.frame),
        labels=cases.labels,
        warnings=tuple(dict.fromkeys(notes)),
    )


def _check_options(
    approach: str | None,
    therapist: str | None,
    bootstrap: int,
    folds: int,
    level: float,
    better: str | None,
    executor: str,
) -> str:
    if approach is not None:
        check_option("approach", approach, APPROACHES)
    if approach in ("random", "robust") and therapist is None:
        todo = 'Give therapist="column", or approach="ols"'
        raise SpecError(message(f"approach='{approach}' needs the column of the therapists", do=todo))
    check_option("executor", executor, ["serial", "joblib"])
    if better is not None:
        check_option("better", better, ["higher", "lower"])
    if bootstrap != 0 and bootstrap < 100:
        raise SpecError(
            message(f"bootstrap={bootstrap} is too few", do="Use at least 100 resamples, or 0 for no limits")
        )
    if folds < 2:
        raise SpecError(message(f"folds={folds} is too few", do="Use at least 2"))
    if not 0.5 <= level < 1.0:
        raise SpecError(message(f"level={level} is not a confidence level", do="Use a share such as 0.95"))
    return approach or ("random" if therapist is not None else "ols")


def _small_sample(approach: str, cases: Cases) -> list[str]:
    if approach != "robust" or cases.n_clusters >= FEW_CLUSTERS:
        return []
    text = message(
        f"{cases.n_clusters} therapists are few for cluster-robust standard errors",
        where=f"column '{cases.therapist}'",
        do=f"t with {cases.n_clusters - 1} degrees of freedom is used, not z; approach='random' is the better choice",
    )
    warnings.warn(SmallSampleWarning(text), stacklevel=3)
    return [text]


def _engine_warnings(engine: Engine) -> list[str]:
    """Give each warning of the mixed fits once, however many steps raised it."""
    if not isinstance(engine, RandomIntercept):
        return []
    for category, text in engine.messages:
        warnings.warn(text, category, stacklevel=3)
    return [text for _, text in engine.messages]


def _resample(engine: Engine, moments: ClusterMoments, cases: Cases, bootstrap: int, seed: int, executor: str) -> Draws:
    statistic = functools.partial(engine.kernel, moments, cases.plan)
    return resample_clusters(statistic, moments.n_clusters, resamples=bootstrap, seed=seed, executor=executor)


def _step_table(cases: Cases, engine: Engine, draws: Draws, cv: Floats, *, folds: int, level: float) -> StepTable:
    return StepTable(
        frame=_step_frame(cases, engine, draws, cv, level),
        entered=cases.steps,
        outcome=cases.outcome,
        r2_name=engine.r2_name,
        test_name=engine.test_name,
        resamples=len(draws.resampled),
        resampled="patients" if cases.therapist is None else "therapists",
        folds=min(folds, cases.n_clusters),
        level=level,
        labels=cases.labels,
    )


def _step_frame(cases: Cases, engine: Engine, draws: Draws, cv: Floats, level: float) -> pd.DataFrame:
    plan, names = cases.plan, list(cases.steps)
    cv_mean = cv.mean(axis=0)
    rows, before = [], 0.0
    for s, step in enumerate(names):
        columns = plan.upto(s)
        summary, test = engine.summary(columns), engine.compare(plan.upto(s - 1) if s else (), columns)
        delta = summary.r2 - before
        low, high, method = interval(draws, len(names) + s, level)
        rows.append(
            {
                "step": step,
                "predictors": ", ".join(cases.steps[step]),
                "n": len(cases.y),
                "r2": summary.r2,
                "delta_r2": delta,
                "conf_low": low,
                "conf_high": high,
                "ci_method": method,
                "f2": delta / (1.0 - summary.r2),
                "statistic": test.statistic,
                "df": test.df,
                "df_error": test.df_error,
                "p_value": test.p_value,
                "aic": summary.aic,
                "log_likelihood": summary.log_likelihood,
                "r2_ols": summary.r2_ols,
                "r2_marginal": summary.r2_marginal,
                "r2_conditional": summary.r2_conditional,
                "cv_r2": cv_mean[s],
                "cv_delta_r2": cv_mean[s] - (cv_mean[s - 1] if s else 0.0),
            }
        )
        before = summary.r2
    return pd.DataFrame(rows)


def _coefficients(cases: Cases, engine: Engine, better: str | None, level: float) -> CoefficientTable:
    frame = engine.coefficients(cases.plan.everything, level)
    ratio = cases.X.std(axis=0, ddof=1) / cases.y.std(ddof=1)
    related = partial_correlations(cases.frame, cases.outcome, cases.predictors)
    slopes = pd.DataFrame({"ratio": ratio, "vif": variance_inflation(cases.X)}, index=list(cases.predictors))
    extra = slopes.join(related).reindex(frame["term"])
    frame["std_estimate"] = frame["estimate"] * extra["ratio"].to_numpy()
    for column in ("partial_r", "semipartial_r", "vif"):
        frame[column] = extra[column].to_numpy()
    if better is not None:
        frame["oriented"] = frame["std_estimate"] * (1.0 if better == "higher" else -1.0)
    return CoefficientTable(
        frame, cases.outcome, engine.df_method, engine.software, better, level, len(cases.y), cases.labels
    )


def _weights(cases: Cases, moments: ClusterMoments, *, draws_seed: tuple[int, int], level: float) -> WeightTable | None:
    p = len(cases.predictors)
    if not 2 <= p <= MAX_PREDICTORS:
        return None
    analysis = dominance_analysis(cases.X, cases.y, cases.predictors, outcome=cases.outcome)
    frame = analysis.tidy()
    resamples = draws_seed[0] if p <= MAX_RESAMPLED_WEIGHTS else 0
    draws = resample_clusters(
        functools.partial(_weights_of, moments), moments.n_clusters, resamples=resamples, seed=draws_seed[1]
    )
    limits = [interval(draws, j, level) for j in range(p)]
    frame.insert(2, "conf_low", [low for low, _, _ in limits])
    frame.insert(3, "conf_high", [high for _, high, _ in limits])
    return WeightTable(analysis, frame, level, cases.labels)


def _weights_of(moments: ClusterMoments, weights: Floats) -> Floats:
    _, centred = eliminate(moments.weighted(weights), (0,))
    return general_weights(centred[:, 1:, 1:])


def _specificity(cases: Cases, engine: Engine, draws: Draws, focus: int, level: float) -> Specificity:
    plan, names = cases.plan, dict(enumerate(cases.predictors, start=1))
    position = {name: j for j, name in enumerate(plan.statistics)}
    others = tuple(j for j in plan.everything if j != focus)
    tests = {
        "delta_r2_base": engine.compare(plan.base, (*plan.base, focus)),
        "delta_r2_all": engine.compare(others, plan.everything),
    }

    def bounded(name: str) -> Bounded:
        low, high, method = interval(draws, position[name], level)
        found = Bounded(float(draws.estimate[position[name]]), low, high, ci_method=method)
        if name not in tests:
            return found
        test = tests[name]
        return replace(found, p_value=test.p_value, statistic=test.statistic, df=test.df, df_error=test.df_error)

    numbers = {name: bounded(name) for name in position if not name.startswith(("r2_", "delta_r2_0"))}
    rivals = tuple(names[j] for j in plan.rivals)
    verdict = judge(
        base=numbers["delta_r2_base"],
        everything=numbers["delta_r2_all"],
        drop=numbers["slope_drop"],
        slope_base=numbers["slope_base"].estimate,
        slope_all=numbers["slope_all"].estimate,
        rivals=len(rivals),
        level=level,
    )
    return Specificity(
        verdict=verdict,
        focus=names[focus],
        outcome=cases.outcome,
        base=tuple(names[j] for j in plan.base),
        rivals=rivals,
        delta_r2_base=numbers["delta_r2_base"],
        delta_r2_all=numbers["delta_r2_all"],
        slope_base=numbers["slope_base"],
        slope_all=numbers["slope_all"],
        slope_drop=numbers["slope_drop"],
        correlations=correlations_with(cases.frame, names[focus], rivals, level),
        vif=float(variance_inflation(cases.X)[focus - 1]),
        n=len(cases.y),
        level=level,
        r2_name=engine.r2_name,
        test_name=engine.test_name,
        labels=cases.labels,
    )


def _added_variable(cases: Cases) -> AddedVariable | None:
    if cases.focus is None:
        return None
    j = cases.predictors.index(cases.focus)
    others = np.column_stack([np.ones(len(cases.y)), np.delete(cases.X, j, axis=1)])
    q, _ = np.linalg.qr(others)
    both = np.column_stack([cases.X[:, j], cases.y])
    residual = both - q @ (q.T @ both)
    # In order of the focus, so that a row cannot be traced to its place in the data.
    residual = residual[np.lexsort((residual[:, 1], residual[:, 0]))]
    df = len(cases.y) - cases.X.shape[1] - 1
    return AddedVariable(cases.focus, cases.outcome, residual[:, 0], residual[:, 1], df, cases.labels)


def _fits(cases: Cases, engine: Any) -> Mapping[str, Any]:
    plan = cases.plan
    fits = {step: engine.fit(plan.upto(s)) for s, step in enumerate(cases.steps)}
    if isinstance(engine, RandomIntercept):
        fits["final, REML"] = engine.fit(plan.everything, "REML")
    return fits
