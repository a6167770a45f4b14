"""The complete cases of an incremental-validity analysis: checked, numbered and the same for every step."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, SpecError, check_columns, message, nearest
from alliancekit.core.sample import SampleAccount
from alliancekit.prediction.increments import Plan
from alliancekit.prediction.moments import ALIASED, Floats
from alliancekit.study.types import Study, frame_of

WHERE = "incremental_validity"
# "Step 2" or "3" says nothing of the predictor.
NUMBERED = re.compile(r"[^\W\d]*[\s_-]*\d+\Z")

Steps = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class Cases:
    """Rows that enter every step.

    Attributes
    ----------
    outcome : name of the outcome column.
    steps : step name -> predictors it adds, in order of entry.
    focus : name of the focus predictor, or None.
    therapist : name of the clustering column, or None.
    X : predictors in order of entry, shape (n, p).
    y : outcome, shape (n,).
    codes : therapist of each row, 0 .. G - 1; without therapists every row is its own cluster.
    frame : outcome, predictors and therapist of the rows used, with the data's own column names.
    sample : what became of the rows.
    labels : column -> text for people, where there is any.
    """

    outcome: str
    steps: Mapping[str, tuple[str, ...]]
    focus: str | None
    therapist: str | None
    X: Floats
    y: Floats
    codes: NDArray[np.intp]
    frame: pd.DataFrame
    sample: SampleAccount
    labels: Mapping[str, str]

    @property
    def predictors(self) -> tuple[str, ...]:
        """Predictors in order of entry."""
        return tuple(name for names in self.steps.values() for name in names)

    @property
    def n_clusters(self) -> int:
        """Number of therapists, or of rows where no therapist column was given."""
        return int(self.codes.max()) + 1

    @property
    def plan(self) -> Plan:
        """The comparisons, by column number (1 is the first predictor)."""
        position = {name: j for j, name in enumerate(self.predictors, start=1)}
        focus = None if self.focus is None else position[self.focus]
        return Plan(tuple(tuple(position[name] for name in names) for names in self.steps.values()), focus)


def prepare_cases(
    data: Any,
    outcome: str,
    steps: Steps,
    *,
    focus: str | None,
    therapist: str | None,
    patient: str | None,
    labels: Mapping[str, str] | None = None,
) -> Cases:
    """Return the complete cases of all steps together.

    Raises
    ------
    SpecError : steps, outcome, focus or therapist contradict each other.
    DesignError : a column is missing, not numeric, constant or a combination of others; a patient has several rows;
        too few complete cases; a single therapist.
    """
    entered = read_steps(steps)
    predictors = [name for names in entered.values() for name in names]
    _check_roles(outcome, entered, therapist)
    resolved = None if focus is None else resolve_focus(focus, entered)
    frame = frame_of(data)
    wanted = [outcome, *predictors, *([therapist] if therapist is not None else [])]
    check_columns(frame.columns, wanted, where=WHERE)
    _check_one_row_per_patient(data, frame, patient)
    numeric = pd.DataFrame({name: _numbers(frame[name], name) for name in [outcome, *predictors]})
    sample, used = _complete_cases(numeric, frame, therapist)
    values = numeric.to_numpy()[used]
    X, y = values[:, 1:], values[:, 0]
    _check_size(sample, len(predictors))
    _check_spread(values, [outcome, *predictors])
    _check_collinear(X, predictors)
    _check_residual(X, y, outcome)
    if therapist is None:
        codes = np.arange(len(y), dtype=np.intp)
        kept = pd.DataFrame(values, columns=[outcome, *predictors])
    else:
        codes = _cluster_codes(frame[therapist].to_numpy()[used], therapist)
        kept = pd.DataFrame(values, columns=[outcome, *predictors]).assign(**{therapist: frame[therapist][used].array})
        sample = SampleAccount(
            sample.n_rows, sample.n_used, sample.dropped, {therapist: int(codes.max()) + 1}, sample.rows_used
        )
    return Cases(
        outcome, entered, resolved, therapist, X, y, codes, kept, sample, _labels(data, wanted, entered, labels, frame)
    )


def _labels(
    data: Any,
    names: Sequence[str],
    steps: Mapping[str, Sequence[str]],
    given: Mapping[str, str] | None,
    frame: pd.DataFrame,
) -> dict[str, str]:
    """Return the labels of columns: those given, else the name of a step that adds one column, else the codebook's."""
    check_columns(frame.columns, given or (), where=f"{WHERE}, labels")
    alone = {columns[0]: step for step, columns in steps.items() if len(columns) == 1 and not NUMBERED.match(step)}
    known = {name: data.column_info(name).label for name in names} if isinstance(data, Study) else {}
    found = {**known, **alone, **(given or {})}
    return {name: text for name, text in found.items() if text and text != name}


def read_steps(steps: Steps) -> dict[str, tuple[str, ...]]:
    """Return the steps as tuples of column names; a single name may stand without a list."""
    example = 'Give {"severity": ["pcl_0"], "task": ["task"]}'
    if not isinstance(steps, Mapping) or not steps:
        raise SpecError(message("steps must name at least one step and its predictors", where=WHERE, do=example))
    entered: dict[str, tuple[str, ...]] = {}
    seen: dict[str, str] = {}
    for step, columns in steps.items():
        listed = [columns] if isinstance(columns, str) else columns
        names = tuple(listed) if isinstance(listed, Iterable) else ()
        if not names or not all(isinstance(name, str) for name in names):
            raise SpecError(message(f"step '{step}' has no list of column names", where=WHERE, do=example))
        for name in names:
            if name in seen:
                where = f"step '{step}'" + ("" if seen[name] == step else f" and step '{seen[name]}'")
                todo = "Each predictor enters once; later steps keep those of earlier steps"
                raise SpecError(message(f"predictor '{name}' is given twice", where=where, do=todo))
            seen[name] = str(step)
        entered[str(step)] = names
    return entered


def resolve_focus(focus: str, steps: Mapping[str, Sequence[str]]) -> str:
    """Return the predictor that is meant by ``focus``: a predictor, or a step that adds a single one."""
    names = list(steps)
    holder = next((step for step in names if focus in steps[step]), None)
    if holder is None and focus in steps and len(steps[focus]) > 1:
        choices = ", ".join(steps[focus])
        raise SpecError(
            message(f"focus '{focus}' is a step with several predictors", do=f"Name one of them: {choices}")
        )
    predictor = focus if holder is not None else steps[focus][0] if focus in steps else None
    if predictor is None:
        everything = [name for columns in steps.values() for name in columns]
        close = nearest(focus, [*everything, *names])
        hint = f"Did you mean '{close}'? " if close else ""
        raise SpecError(
            message(f"focus '{focus}' is not in steps", do=f"{hint}Predictors are: {', '.join(everything)}")
        )
    if predictor in steps[names[0]]:
        raise SpecError(
            message(
                f"focus '{predictor}' enters at the first step, so there is nothing it could add to",
                where=f"step '{names[0]}'",
                do="Put what it must exceed, such as baseline severity, into a step before it",
            )
        )
    return predictor


def _check_roles(outcome: str, steps: Mapping[str, Sequence[str]], therapist: str | None) -> None:
    for step, names in steps.items():
        for name, role in ((outcome, "outcome"), (therapist, "therapist")):
            if name in names:
                todo = "A column can have one role" if role == "outcome" else "Leave it out of steps"
                raise SpecError(message(f"'{name}' is both {role} and predictor", where=f"step '{step}'", do=todo))
    if outcome == therapist:
        raise SpecError(message(f"'{outcome}' is both outcome and therapist", do="A column can have one role"))


def _check_one_row_per_patient(data: Any, frame: pd.DataFrame, patient: str | None) -> None:
    name = patient
    if name is None:
        name = data.role("patient") if isinstance(data, Study) else "patient"
    elif name not in frame.columns:
        check_columns(frame.columns, [name], where=WHERE)
    if name is None or name not in frame.columns:
        return
    repeated = int(frame[name].dropna().duplicated(keep=False).sum())
    if repeated:
        raise DesignError(
            message(
                f"{repeated} rows belong to patients with more than one row",
                where=f"column '{name}'",
                do="An outcome is predicted once per patient: collapse the data with ak.one_row_per first",
            )
        )


def _numbers(column: pd.Series, name: str) -> Floats:
    """Return a column as numbers with NaN for missing; text and categories are refused by name."""
    if isinstance(column, pd.DataFrame):
        raise DesignError(message(f"column '{name}' is in the data more than once", do="Rename one of them"))
    if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)):
        examples = ", ".join(repr(str(v)) for v in column.dropna().unique()[:3])
        raise DesignError(
            message(
                f"column '{name}' is not numeric",
                where=f"it holds {examples}" if examples else "",
                do="Give numbers; code a category as 0/1 columns, one for each level but the first",
            )
        )
    if pd.api.types.is_complex_dtype(column):
        raise DesignError(message(f"column '{name}' holds complex numbers", do="Give real numbers"))
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        rows = int(np.isinf(values).sum())
        raise DesignError(message(f"column '{name}' holds {rows} infinite values", do="Recode them as missing"))
    return values


def _complete_cases(
    numeric: pd.DataFrame, frame: pd.DataFrame, therapist: str | None
) -> tuple[SampleAccount, NDArray[np.bool_]]:
    used = np.ones(len(numeric), dtype=bool)
    dropped = []
    gaps = {name: numeric[name].isna().to_numpy() for name in numeric.columns}
    if therapist is not None:
        gaps[therapist] = frame[therapist].isna().to_numpy()
    for name, gap in gaps.items():
        lost = int((used & gap).sum())
        if lost:
            dropped.append((f"missing in '{name}'", lost))
        used &= ~gap
    return SampleAccount(len(numeric), int(used.sum()), tuple(dropped), {}, used), used


def _check_size(sample: SampleAccount, p: int) -> None:
    if sample.n_used <= p + 1:
        reasons = "; ".join(f"{rows} rows {reason}" for reason, rows in sample.dropped)
        raise DesignError(
            message(
                f"{sample.n_used} complete cases are too few for {p} predictors: {p + 2} are the least",
                where=reasons or f"{sample.n_rows} rows in all",
                do="Use fewer predictors, or look at the columns with missing values",
            )
        )


def _check_spread(values: Floats, names: Sequence[str]) -> None:
    """Refuse a constant column: a spread within the rounding error of its size carries no information."""
    spread = np.ptp(values, axis=0)
    for j, name in enumerate(names):
        if spread[j] <= 1e-12 * float(np.abs(values[:, j]).max()):
            what = "the outcome" if j == 0 else "predictor"
            raise DesignError(
                message(
                    f"{what} '{name}' is constant",
                    where=f"{values[0, j]:g} in all {len(values)} complete cases",
                    do="Check the column" if j == 0 else "Leave it out",
                )
            )


def _check_collinear(X: Floats, names: Sequence[str]) -> None:
    """Name the first predictor that is a linear combination of those entered before it, and which these are."""
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for j in range(1, X.shape[1]):
        weights, *_ = np.linalg.lstsq(Z[:, :j], Z[:, j], rcond=None)
        residual = Z[:, j] - Z[:, :j] @ weights
        if residual @ residual <= ALIASED * (Z[:, j] @ Z[:, j]):
            others = [names[i] for i in range(j) if abs(weights[i]) > 1e-6]
            listed = ", ".join(f"'{name}'" for name in others)
            raise DesignError(
                message(
                    f"predictor '{names[j]}' is a linear combination of {listed}",
                    where=WHERE,
                    do="Leave one of them out; a total score cannot enter beside all of its subscales",
                )
            )


def _check_residual(X: Floats, y: Floats, outcome: str) -> None:
    design = np.column_stack([np.ones(len(y)), (X - X.mean(axis=0)) / X.std(axis=0)])
    centred = y - y.mean()
    weights, *_ = np.linalg.lstsq(design, centred, rcond=None)
    residual = centred - design @ weights
    if residual @ residual <= 1e-14 * (centred @ centred):
        todo = "Check whether the outcome was computed from a predictor"
        raise DesignError(message(f"the predictors reproduce the outcome '{outcome}' exactly", where=WHERE, do=todo))


def _cluster_codes(labels: NDArray[Any], therapist: str) -> NDArray[np.intp]:
    codes, found = pd.factorize(labels)
    try:
        order = sorted(range(len(found)), key=lambda i: found[i])
    except TypeError:
        order = sorted(range(len(found)), key=lambda i: str(found[i]))
    if len(found) < 2:
        raise DesignError(
            message(
                "the complete cases have one therapist",
                where=f"column '{therapist}', value {found[0]!r}",
                do="Leave therapist out; differences between therapists cannot be estimated from one",
            )
        )
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[codes], dtype=np.intp)
