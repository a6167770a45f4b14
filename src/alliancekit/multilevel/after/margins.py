"""What means and slopes have in common: lines of a grid, where they hold, and what the reader must know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import message
from alliancekit.formula.design import Design
from alliancekit.formula.expressions import columns_in, label, number_label
from alliancekit.multilevel.after.contrast_rows import RowInference, inferred
from alliancekit.multilevel.after.grid_values import GridVariable, digits_of, outside_notes
from alliancekit.multilevel.after.reference_grid import Lines
from alliancekit.multilevel.after.response_scale import ResponseScale


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """Where estimates hold.

    Attributes
    ----------
    response : name of the outcome. formula : of the model. nobs : rows of the fit.
    factors, by : columns that tell the cells apart, and those that make groups of cells.
    averaged : variable -> levels averaged over. held : covariate -> value. at_mean : those held at their mean.
    weights : of the average. notes : what the reader must know, as sentences. digits : after the point, by variable.
    outside : sentences about values outside the range of the data. labels : column -> text for people.
    """

    response: str
    formula: str
    nobs: int
    factors: tuple[str, ...]
    by: tuple[str, ...]
    averaged: Mapping[str, tuple[Any, ...]]
    held: Mapping[str, float]
    at_mean: tuple[str, ...]
    weights: str
    notes: tuple[str, ...]
    digits: Mapping[str, int]
    outside: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, name: str) -> str:
        """Return the codebook's label of a column, or its name."""
        return self.labels.get(name, name)

    def shown(self, name: str, value: Any) -> str:
        """Return a level as it is, a number with the digits that suit its variable."""
        return value if isinstance(value, str) else number_label(round(float(value), self.digits.get(name, 5)) + 0.0)

    def cell_names(self, cells: pd.DataFrame, columns: Sequence[str]) -> list[str]:
        """Return the names of cells: levels joined by commas, numbers after the name of their column."""
        parts = [
            [v if isinstance(v, str) else f"{name} {self.shown(name, v)}" for v in cells[name].tolist()]
            for name in columns
        ]
        return [", ".join(row) for row in zip(*parts, strict=True)]

    def lines(self) -> list[str]:
        """Return sentences that say what was averaged over and where covariates were held."""
        out = []
        if self.averaged:
            how = "with equal weights" if self.weights == "equal" else "in proportion to the rows"
            shown = [
                f"{name} ({', '.join(self.shown(name, v) for v in levels)})" for name, levels in self.averaged.items()
            ]
            out.append(f"Averaged over the levels of: {'; '.join(shown)}, {how}.")
        if self.held:
            shown = [
                f"{name} = {self.shown(name, value)}{' (mean)' if name in self.at_mean else ''}"
                for name, value in self.held.items()
            ]
            out.append(f"Covariates held at: {', '.join(shown)}.")
        return [*out, *self.notes, *self.outside]


@dataclass(frozen=True, slots=True, eq=False)
class Margin:
    """Lines of a grid with the method that says how sure they are.

    Attributes
    ----------
    setting : where they hold. scale : response or link. level : of the intervals.
    lines : the combinations of fixed effects. inference : covariance and df of the fixed effects.
    """

    setting: Setting
    scale: ResponseScale
    level: float
    lines: Lines = field(repr=False)
    inference: RowInference = field(repr=False)

    def estimates(self) -> pd.DataFrame:
        """Return the frame of ``linear_estimates`` on the scale of the linear predictor."""
        lines = self.lines
        return inferred(self.inference, lines.rows, self.level, constant=lines.constant, estimable=lines.estimable)

    def labelled(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame of estimates with the columns of the cells before it, and the names of the cells as terms."""
        columns = [*self.setting.by, *self.setting.factors]
        out = pd.concat([self.lines.cells[columns], frame], axis=1)
        out.insert(0, "term", self.setting.cell_names(self.lines.cells, columns) if columns else ["overall"] * len(out))
        return out

    def overview(self, count: str) -> pd.DataFrame:
        """Return one row about the whole."""
        row = {
            "nobs": self.setting.nobs,
            count: len(self.lines.cells),
            "weights": self.setting.weights,
            "scale": self.scale.word,
            "df_method": self.inference.method,
            "confidence_level": self.level,
        }
        return pd.DataFrame([row])


def make_setting(
    design: Design,
    variables: Mapping[str, GridVariable],
    values: Mapping[str, tuple[Any, ...]],
    factors: tuple[str, ...],
    by: tuple[str, ...],
    weights: str,
    asked: Sequence[str],
    ignored: Sequence[str] = (),
) -> Setting:
    """Return where the estimates of a grid hold.

    Parameters
    ----------
    asked : variables whose values the caller gave. ignored : variables whose value makes no difference.
    """
    rest = [name for name in values if name not in (*factors, *by, *ignored)]
    averaged = {n: values[n] for n in rest if len(values[n]) > 1}
    single = {n: values[n][0] for n in rest if len(values[n]) == 1}
    held = {n: float(v) for n, v in single.items() if variables[n].kind != "factor"}
    digits = {n: digits_of(variables[n], v) for n, v in values.items()}
    setting = Setting(
        design.response,
        design.formula.text,
        int(design.X.shape[0]),
        factors,
        by,
        averaged,
        held,
        tuple(n for n in held if n not in asked),
        weights,
        tuple(f"{name} = {level}." for name, level in single.items() if name not in held),
        digits,
        outside_notes(variables, values),
    )
    notes = [*setting.notes, *_offset_notes(design, setting), *_interaction_notes(design, setting)]
    if "(" in design.response:
        notes.append(f"The outcome is on the scale of {design.response}.")
    return replace(setting, notes=tuple(notes))


def _offset_notes(design: Design, setting: Setting) -> list[str]:
    out = []
    for expr in design.recipe.offset:
        columns = [c for c in columns_in(expr) if c in setting.held]
        shown = " and ".join(f"{c} = {setting.shown(c, setting.held[c])}" for c in columns)
        out.append(f"The offset {label(expr)} is included{', with ' if shown else ''}{shown}.")
    return out


def _interaction_notes(design: Design, setting: Setting) -> list[str]:
    """Say where a variable that is shown interacts with one that is not: only an average or a point is shown."""
    part = design.recipe.fixed
    partners: dict[str, list[str]] = {}
    for term in part.terms:
        columns = list(dict.fromkeys(c for i, _ in term.parts for c in columns_in(part.variables[i].expr)))
        inside = [c for c in columns if c in (*setting.factors, *setting.by)]
        for name in columns:
            if name in setting.averaged or name in setting.held:
                known = partners.setdefault(name, [])
                known += [c for c in inside if c not in known]
    out = []
    for name, inside in partners.items():
        if not inside:
            continue
        verb = f"{' and '.join(inside)} interact{'s' if len(inside) == 1 else ''} with {name}"
        if name in setting.averaged:
            out.append(f"{verb}, which is averaged over: look at each of its levels too.")
        else:
            out.append(f"{verb}: this holds at {name} = {setting.shown(name, setting.held[name])} only.")
    return out


def missing_note(frame: pd.DataFrame) -> str:
    """Return a sentence about estimates that the data do not inform, or an empty text."""
    count = int(np.isnan(frame["estimate"]).sum())
    if not count:
        return ""
    return message(
        f"{count} of {len(frame)} estimates are missing: some combination of levels does not occur in the data",
        do="Restrict the grid by at={...}, or leave the interaction out of the model",
    )
