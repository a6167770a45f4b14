"""The grid of cells over which means are taken: every combination of levels and chosen values, coded as the fit was.

Source: Searle, Speed & Milliken (1980), Am Stat 34, 216-221 (population marginal means).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.formula.design import Design
from alliancekit.formula.recipe import Recipe
from alliancekit.multilevel.after.grid_values import GridVariable, grid_variables

Floats = NDArray[np.float64]
WEIGHTS = ("equal", "proportional")
MAX_CELLS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Linear combinations of the fixed effects, m of them, and the cell that each describes.

    Attributes
    ----------
    cells : one row each, columns of the variables that tell them apart (labels of levels, or numbers).
    rows : shape (m, p). constant : shape (m,), the offset.
    gap : shape (m, d), how far each leaves the space that the data inform, for the d columns that were dropped.
    """

    cells: pd.DataFrame
    rows: Floats
    constant: Floats
    gap: Floats

    @property
    def estimable(self) -> NDArray[np.bool_]:
        """Which of them the data inform: those that do not depend on how a dropped column is chosen."""
        scale = 1.0 + np.abs(self.rows).max(axis=1, initial=0.0)
        return np.asarray((np.abs(self.gap) <= 1e-8 * scale[:, None]).all(axis=1))

    def combine(self, weights: Floats, cells: pd.DataFrame) -> Lines:
        """Return weighted sums; ``weights`` has shape (new, m), ``cells`` one row per sum."""
        return Lines(cells, weights @ self.rows, weights @ self.constant, weights @ self.gap)


@dataclass(frozen=True, slots=True, eq=False)
class Coder:
    """Codes chosen values of the variables as the fit's data were coded.

    Attributes
    ----------
    design : of the fit. variables : columns of its fixed part. frame : the rows used.
    dependence : shape (kept, d), each dropped column as a combination of the kept ones.
    """

    design: Design
    variables: Mapping[str, GridVariable]
    frame: pd.DataFrame
    dependence: Floats

    def code(self, values: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
        """Return rows (m, p), offset (m,) and gap (m, d) of cells given by labels and numbers."""
        recipe = self.design.recipe
        full = _whole(recipe).build(self.raw(values), random=False)
        constant = np.zeros(len(values)) if full.offset is None else full.offset
        kept, dropped = _places(recipe)
        rows = np.ascontiguousarray(full.X[:, kept])
        return rows, constant, full.X[:, dropped] - rows @ self.dependence

    def raw(self, values: pd.DataFrame) -> pd.DataFrame:
        """Return cells given by labels and numbers as a frame like the data."""
        return pd.DataFrame({name: self._column(name, values[name]) for name in self.variables}, index=values.index)

    def _column(self, name: str, values: pd.Series[Any]) -> pd.Series[Any]:
        variable = self.variables[name]
        if variable.kind != "factor":
            return values.astype(np.float64)
        raw = dict(zip(variable.levels, variable.raw, strict=True))
        return pd.Series([raw[v] for v in values], index=values.index, dtype=self.frame[name].dtype)


def _whole(recipe: Recipe) -> Recipe:
    return replace(recipe, kept=tuple(range(len(recipe.fixed.names))))


def _places(recipe: Recipe) -> tuple[list[int], list[int]]:
    kept = list(recipe.kept)
    return kept, [j for j in range(len(recipe.fixed.names)) if j not in set(kept)]


def make_coder(design: Design, frame: pd.DataFrame) -> Coder:
    """Return the coder of a fit; ``frame`` holds the rows used.

    Raises
    ------
    SpecError : the model has no fixed part.
    """
    if not design.names:
        raise SpecError(
            message("the model has no fixed effect", where=design.formula.text, do="Nothing can be averaged")
        )
    variables = grid_variables(design, frame)
    kept, dropped = _places(design.recipe)
    dependence: Floats = np.empty((len(kept), 0))
    if dropped:
        whole = _whole(design.recipe).build(frame, random=False).X
        dependence = np.asarray(np.linalg.lstsq(whole[:, kept], whole[:, dropped], rcond=None)[0])
    return Coder(design, variables, frame, dependence)


def all_cells(values: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    """Return every combination of the values, one row each; the first variable varies fastest, as in emmeans."""
    count = int(np.prod([len(v) for v in values.values()], dtype=float)) if values else 1
    if count > MAX_CELLS:
        what = f"the grid would have {count:,} cells"
        raise SpecError(
            message(what, do="Restrict factors with many levels by at={...}, or leave them out of the model")
        )
    combinations = [c[::-1] for c in itertools.product(*reversed(list(values.values())))]
    columns = list(zip(*combinations, strict=True)) if values else []
    frame = pd.DataFrame({name: list(column) for name, column in zip(values, columns, strict=True)})
    return frame if values else pd.DataFrame(index=range(1))


def averaged_lines(
    coder: Coder, values: Mapping[str, tuple[Any, ...]], shown: Sequence[str], weights: str
) -> tuple[Lines, pd.DataFrame, Floats]:
    """Return the lines of the shown cells, each the average over the cells of everything else.

    Parameters
    ----------
    values : values of every variable. shown : variables kept apart, in the order of the table.
    weights : "equal", or "proportional" to how many rows have each combination of the levels averaged over.

    Returns
    -------
    lines, the whole grid (one row per cell), and the weights that average it, shape (shown cells, cells).
    """
    rest = [name for name in values if name not in shown]
    inner = all_cells({name: values[name] for name in rest})
    outer = all_cells({name: values[name] for name in shown})
    share = cell_shares(coder.variables, inner, weights)
    grid = outer.loc[outer.index.repeat(len(inner))].reset_index(drop=True)
    below = pd.concat([inner] * len(outer), ignore_index=True)
    grid = pd.concat([grid, below], axis=1) if len(below.columns) else grid
    average: Floats = np.asarray(np.kron(np.eye(len(outer)), share), dtype=np.float64)
    return Lines(grid, *coder.code(grid)).combine(average, outer), grid, average


def cell_shares(variables: Mapping[str, GridVariable], inner: pd.DataFrame, weights: str) -> Floats:
    """Return the weight of each cell averaged over; they add up to one."""
    m = len(inner)
    share = np.full(m, 1.0 / m)
    known = [name for name in inner.columns if variables[name].has_levels]
    if weights == "equal" or not known:
        return share
    code = np.zeros(len(variables[known[0]].codes), dtype=np.intp)
    own = np.zeros(m, dtype=np.intp)
    for name in known:
        variable = variables[name]
        place = {level: i for i, level in enumerate(variable.levels)}
        missing = [v for v in inner[name].unique() if v not in place]
        if missing:
            what = f"weights='proportional' needs observed values, and {name} = {missing[0]:g} was not observed"
            raise SpecError(message(what, do="Use weights='equal'"))
        code = code * len(variable.levels) + variable.codes
        own = own * len(variable.levels) + np.array([place[v] for v in inner[name]])
    counts = np.bincount(code, minlength=int(own.max()) + 1)[own].astype(float)
    if not counts.sum() > 0:
        raise SpecError(message("no row has the levels averaged over", do="Use weights='equal'"))
    return np.asarray(counts / counts.sum())
