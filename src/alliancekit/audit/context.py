"""What the checks look at: one description of a fitted result of any kind, and what the caller told beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.core.sample import SampleAccount
from alliancekit.formula.expressions import columns_in
from alliancekit.formula.parse import parse_formula
from alliancekit.multilevel.api import MixedFit
from alliancekit.multilevel.pooled import TIME_NAMES
from alliancekit.prediction.results import IncrementalValidity
from alliancekit.study.codebook import ColumnInfo
from alliancekit.study.types import Study, frame_of

Array = NDArray[np.float64]

SUFFIXES = re.compile(r"_(within|between|therapist|early|change|baseline|lag\d*|lead\d*)$")


@dataclass(frozen=True, eq=False)
class Asked:
    """What the caller told beside the result; every entry may be left out.

    Attributes
    ----------
    therapist, patient : columns; None takes the Study's roles, else columns of these names.
    baseline : columns known for everybody before treatment, for the comparison of those lost.
    measured : column -> when it was measured, in any one unit (days, sessions).
    reliability : column -> reliability of a score.
    early_change : column of early symptom change.
    items : item columns of one questionnaire, for careless answers and item direction.
    comparisons : likelihood-ratio comparisons that the claim uses.
    alternatives : other ways in which the same question was tested -> p value.
    """

    therapist: str | None = None
    patient: str | None = None
    baseline: tuple[str, ...] = ()
    measured: Mapping[str, float] = field(default_factory=dict)
    reliability: Mapping[str, float] = field(default_factory=dict)
    early_change: str | None = None
    items: tuple[str, ...] = ()
    comparisons: tuple[Any, ...] = ()
    alternatives: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Context:
    """A result as the checks see it.

    Attributes
    ----------
    kind : "multilevel" or "prediction".
    outcome : name of the outcome (a column, or a transform as R prints it).
    outcome_columns : data columns of the outcome.
    predictors : data columns of the fixed part.
    frame : rows used. y : outcome, shape (n,). X : design with intercept, shape (n, p). terms : names of its columns.
    estimates, std_errors : of the terms.
    residuals, fitted : shape (n,).
    groups : grouping factor of the model -> code of each row.
    group_columns : grouping factor -> the data columns it is made of.
    Z : (grouping factor, its random-effects design of shape (n, q), covariance of shape (q, q)) of each random term.
    sigma : residual SD.
    fit : the mixed fit the estimates come from, or None.
    step_fits : name -> fit of each step of a prediction result.
    sample : what became of the rows.
    everything : the rows handed to the analysis, in their order (None where they are gone).
    study : the Study, where one was handed over.
    focus : the predictor in question, or None.
    asked : what the caller told.
    """

    kind: str
    outcome: str
    outcome_columns: tuple[str, ...]
    predictors: tuple[str, ...]
    frame: pd.DataFrame
    y: Array
    X: Array
    terms: tuple[str, ...]
    estimates: Array
    std_errors: Array
    residuals: Array
    fitted: Array
    groups: Mapping[str, NDArray[np.intp]]
    group_columns: Mapping[str, tuple[str, ...]]
    Z: tuple[tuple[str, Array, Array], ...]
    sigma: float
    fit: MixedFit | None
    step_fits: Mapping[str, Any]
    sample: SampleAccount
    everything: pd.DataFrame | None
    study: Study | None
    focus: str | None
    asked: Asked

    @property
    def therapist(self) -> str | None:
        """Column of the therapist, where one is known in the rows at hand."""
        return self._person("therapist")

    @property
    def patient(self) -> str | None:
        """Column of the patient, where one is known in the rows at hand."""
        return self._person("patient")

    def _person(self, role: str) -> str | None:
        told = getattr(self.asked, role)
        if told is not None:
            return str(told)
        played = self.study.role(role) if self.study is not None else None
        name = played or role
        known = self.frame if self.everything is None else self.everything
        return name if name in known.columns else None

    @property
    def is_time(self) -> frozenset[str]:
        """Columns that only tell when a row was recorded."""
        played = {self.study.role(r) for r in ("time", "session", "date")} if self.study is not None else set()
        named = {c for c in self.predictors if c.lower() in TIME_NAMES}
        return frozenset(named | {c for c in played if c})

    def label(self, column: str) -> str:
        """Return the codebook's label of a column, else its name."""
        info = self.info(column, source=False)
        return info.label or column

    def info(self, column: str, *, source: bool = True) -> ColumnInfo:
        """Return what the codebook says of a column; ``source`` also looks at the column it was derived from."""
        if self.study is None:
            return ColumnInfo()
        found = self.study.column_info(column)
        if not source or found.instrument or found.when or found.range or found.role:
            return found
        origin = source_of(column)
        return self.info(origin) if origin != column else found

    def used(self, column: str) -> Array | None:
        """Return a numeric column over the rows used; None where it is not there or not numeric."""
        for frame, mask in ((self.frame, None), (self.everything, self.sample.rows_used)):
            if frame is not None and column in frame.columns and pd.api.types.is_numeric_dtype(frame[column]):
                values = frame[column].to_numpy(dtype=float, na_value=np.nan)
                return values if mask is None else values[mask]
        return None

    def codes(self, column: str) -> NDArray[np.intp] | None:
        """Return the codes of a text or id column over the rows used; None where it is not known for every row."""
        for frame, mask in ((self.frame, None), (self.everything, self.sample.rows_used)):
            if frame is not None and column in frame.columns:
                values = frame[column] if mask is None else frame[column][mask]
                codes, _ = pd.factorize(values)
                return None if (codes < 0).any() else codes.astype(np.intp)
        return None


def source_of(column: str) -> str:
    """Return the column that a derived column comes from: one suffix such as ``_within`` or ``_early`` taken off.

    Examples
    --------
    >>> source_of("task_early"), source_of("pcl")
    ('task', 'pcl')
    """
    return SUFFIXES.sub("", column)


def make_context(result: Any, data: Any, asked: Asked) -> Context:
    """Describe a result for the checks.

    Raises
    ------
    SpecError : a result of another kind.
    """
    study = data if isinstance(data, Study) else None
    frame = None if data is None else frame_of(data)
    if isinstance(result, MixedFit):
        return _of_mixed(result, frame, study, asked)
    if isinstance(result, IncrementalValidity):
        return _of_prediction(result, frame, study, asked)
    if type(result).__module__.startswith("alliancekit.structural."):
        what = f"a {type(result).__name__} has no checks beside those made while a structural model is fitted"
        raise SpecError(message(what, do="Read fit.converged and fit.warnings; a report prints both"))
    raise SpecError(
        message(
            f"a {type(result).__name__} has no assumption checks",
            do="Hand over a fit of ak.mixed or a result of ak.incremental_validity",
        )
    )


def _whole(frame: pd.DataFrame | None, sample: SampleAccount) -> pd.DataFrame | None:
    """Return the frame where it has the rows that were handed to the analysis."""
    return frame if frame is not None and len(frame) == sample.n_rows else None


def _of_mixed(fit: MixedFit, frame: pd.DataFrame | None, study: Study | None, asked: Asked) -> Context:
    design = fit.design
    formula = parse_formula(fit.formula)
    table = fit.tidy(ddf="normal")
    components = fit.variance_components()
    Z = tuple((b.group, b.Z, _covariance(components, b.group, b.names)) for b in design.random)
    return Context(
        kind="multilevel",
        outcome=design.response,
        outcome_columns=tuple(columns_in(formula.response)) if formula.response is not None else (),
        predictors=formula.predictor_columns,
        frame=fit.data,
        y=np.asarray(design.y),
        X=design.X,
        terms=design.names,
        estimates=table["estimate"].to_numpy(dtype=float),
        std_errors=table["std_error"].to_numpy(dtype=float),
        residuals=fit.residuals(),
        fitted=fit.fitted(),
        groups={b.group: b.codes for b in design.random},
        group_columns={r.group_name: tuple(r.group) for r in formula.random},
        Z=Z,
        sigma=fit.sigma,
        fit=fit,
        step_fits={},
        sample=fit.sample,
        everything=_whole(frame, fit.sample),
        study=study,
        focus=None,
        asked=asked,
    )


def _covariance(components: pd.DataFrame, group: str, names: Sequence[str]) -> Array:
    """Return the covariance matrix of one random term, from the table of variance components."""
    own = components[components["group"] == group]
    out = np.zeros((len(names), len(names)))
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            pair = own["term_1"].isin([a, b]) & own["term_2"].isin([a, b])
            row = own[(own["term_1"] == a) & own["term_2"].isna()] if i == j else own[pair]
            out[i, j] = float(row["variance_or_covariance"].iloc[0]) if len(row) else 0.0
    return out


def _of_prediction(
    result: IncrementalValidity, frame: pd.DataFrame | None, study: Study | None, asked: Asked
) -> Context:
    predictors = tuple(p for names in result.entered.values() for p in names)
    X = np.column_stack([np.ones(result.nobs), result.frame[list(predictors)].to_numpy(dtype=float)])
    y = result.frame[result.outcome].to_numpy(dtype=float)
    fit = result.fits.get("final, REML")
    coefficients = result.coefficients.frame.set_index("term")
    terms = ("(Intercept)", *predictors)
    residuals, fitted = _prediction_residuals(X, y, fit)
    groups: dict[str, NDArray[np.intp]] = {}
    Z: tuple[tuple[str, Array, Array], ...] = ()
    if result.therapist is not None:
        groups[result.therapist] = pd.factorize(result.frame[result.therapist])[0].astype(np.intp)
        if fit is not None:
            variance = next(iter(fit.covariances().values())).to_numpy()
            Z = ((result.therapist, np.ones((result.nobs, 1)), variance),)
    return Context(
        kind="prediction",
        outcome=result.outcome,
        outcome_columns=(result.outcome,),
        predictors=predictors,
        frame=result.frame,
        y=y,
        X=X,
        terms=terms,
        estimates=coefficients["estimate"].reindex(list(terms)).to_numpy(dtype=float),
        std_errors=coefficients["std_error"].reindex(list(terms)).to_numpy(dtype=float),
        residuals=residuals,
        fitted=fitted,
        groups=groups,
        group_columns={name: (name,) for name in groups},
        Z=Z,
        sigma=float(fit.sigma) if fit is not None else float(np.sqrt(residuals @ residuals / (len(y) - X.shape[1]))),
        fit=fit,
        step_fits=result.fits,
        sample=result.sample,
        everything=_whole(frame, result.sample),
        study=study,
        focus=result.focus,
        asked=asked,
    )


def _prediction_residuals(X: Array, y: Array, fit: MixedFit | None) -> tuple[Array, Array]:
    if fit is not None:
        return fit.residuals(), fit.fitted()
    fitted = X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return y - fitted, fitted


def listed(names: Sequence[str], limit: int = 4) -> str:
    """Return names for a sentence: at most ``limit``, then how many more."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
