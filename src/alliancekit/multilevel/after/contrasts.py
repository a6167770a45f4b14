"""Contrasts among means or slopes: their weights, and tests adjusted for how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, message
from alliancekit.multilevel.after.contrast_methods import Weights, contrast_weights
from alliancekit.multilevel.after.contrast_rows import RowInference, inferred
from alliancekit.multilevel.after.margins import Margin, Setting
from alliancekit.multilevel.after.margins_text import contrasts_text
from alliancekit.multilevel.after.multiplicity import Family, check_adjust
from alliancekit.multilevel.after.reference_grid import Lines
from alliancekit.multilevel.after.response_scale import ResponseScale

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Contrasts among means or slopes (read-only). Made by ``fit.contrasts`` and ``.contrasts()`` of a result.

    Attributes
    ----------
    setting : where they hold. scale : on which they are shown. level : of the intervals.
    variable : whose slopes are compared; empty for means. method : of the contrasts, by name. adjust : for
        multiplicity.
    means : how many are compared in each group of ``by``. names : of the contrasts, one per row.
    """

    setting: Setting
    scale: ResponseScale
    level: float
    variable: str
    method: str
    adjust: str
    means: int
    lines: Lines = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    inference: RowInference = field(repr=False)

    @property
    def quantity(self) -> str:
        """What is compared, in words."""
        outcome = self.setting.response
        return f"slopes of {outcome} on {self.variable}" if self.variable else f"means of {outcome}"

    def tidy(self) -> pd.DataFrame:
        """Return one row per contrast: groups, term, estimate, std_error, df, statistic, p_value and limits."""
        lines = self.lines
        frame = inferred(self.inference, lines.rows, self.level, constant=lines.constant, estimable=lines.estimable)
        if self.adjust != "none":
            self._adjust(frame)
        frame = self.scale.contrasts(frame)
        out = pd.concat([lines.cells, frame], axis=1)
        out.insert(len(self.setting.by), "term", list(self.names))
        out.attrs.update(
            df_method=self.inference.method,
            level=self.level,
            adjust=self.adjust,
            scale=self.scale.word,
            quantity=self.scale.contrast_name,
        )
        return out

    def glance(self) -> pd.DataFrame:
        """Return one row: how many contrasts, of what, and how they were made."""
        row = {
            "nobs": self.setting.nobs,
            "n_contrasts": len(self.names),
            "method": self.method,
            "adjust": self.adjust,
            "scale": self.scale.word,
            "df_method": self.inference.method,
            "confidence_level": self.level,
        }
        return pd.DataFrame([row])

    def _adjust(self, frame: pd.DataFrame) -> None:
        """Replace p values and limits by those of each family: the contrasts of one group of ``by``."""
        p, reach = frame["p_value"].to_numpy().copy(), np.empty(len(frame))
        for places in groups_of(self.lines.cells, self.setting.by):
            rows = self.lines.rows[places]
            part = frame.iloc[places]
            family = Family(
                part["statistic"].to_numpy(), part["df"].to_numpy(), rows @ self.inference.vcov @ rows.T, self.means
            )
            p[places] = family.p_values(self.adjust)
            reach[places] = family.critical_values(self.adjust, self.level) * part["std_error"].to_numpy()
        frame["p_value"] = p
        frame["conf_low"], frame["conf_high"] = frame["estimate"] - reach, frame["estimate"] + reach

    def __repr__(self) -> str:
        return contrasts_text(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def groups_of(cells: pd.DataFrame, by: Sequence[str]) -> list[NDArray[np.intp]]:
    """Return the places of the cells of each group, groups in order of appearance."""
    if not by:
        return [np.arange(len(cells))]
    number = cells.groupby(list(by), sort=False).ngroup().to_numpy()
    return [np.flatnonzero(number == g) for g in range(int(number.max()) + 1)]


def contrasts_of(
    margin: Margin,
    method: str | Mapping[str, Any],
    interaction: bool | str | Sequence[str],
    adjust: str | None,
    variable: str = "",
) -> Contrasts:
    """Return the contrasts of the lines of a margin, within each group of ``by``.

    Raises
    ------
    SpecError : a wrong method, adjustment or weight; fewer than two means; interaction contrasts that the model holds
        at zero.
    """
    setting, lines = margin.setting, margin.lines
    words = _interaction_words(interaction, method, setting.factors)
    by, groups = list(setting.by), groups_of(lines.cells, setting.by)
    first = lines.cells.iloc[groups[0]].reset_index(drop=True)
    if words is None:
        weights = contrast_weights(method, setting.cell_names(first, setting.factors), _scores(first, setting.factors))
        columns: dict[str, list[str]] = {}
        word = method if isinstance(method, str) else "custom"
    else:
        weights, columns = _products(first, setting, words)
        word = "interaction"
    adjusted = check_adjust(adjust, "custom" if word == "interaction" else word)
    scale = margin.scale if np.allclose(weights.values.sum(axis=1), 0) else _on_link(margin.scale)
    count = len(weights.values)
    total = np.zeros((count * len(groups), len(lines.cells)))
    cells = []
    for i, places in enumerate(groups):
        total[i * count : (i + 1) * count, places] = weights.values
        own = lines.cells.iloc[places[:1]][by]
        cells.append(own.loc[own.index.repeat(count)].assign(**columns))
    new = lines.combine(total, pd.concat(cells, ignore_index=True))
    _check_not_empty(new, setting)
    labels = tuple(_label(name, scale.ratios, len(setting.factors)) for name in weights.names) * len(groups)
    return Contrasts(setting, scale, margin.level, variable, word, adjusted, len(first), new, labels, margin.inference)


def _on_link(scale: ResponseScale) -> ResponseScale:
    return ResponseScale("link", scale.link, scale.family)


def _interaction_words(
    interaction: bool | str | Sequence[str], method: str | Mapping[str, Any], factors: Sequence[str]
) -> list[str] | None:
    """Return the method for each factor of an interaction contrast; None where none is asked for."""
    if interaction is False:
        return None
    if len(factors) < 2:
        do = 'Name both, such as fit.contrasts(["arm", "session"], interaction=True)'
        raise SpecError(message("an interaction contrast needs two or more factors", where=", ".join(factors), do=do))
    if interaction is True and isinstance(method, Mapping):
        do = 'Name methods: interaction=["pairwise", "consecutive"]'
        raise SpecError(message("a dictionary of weights cannot stand for each factor of an interaction", do=do))
    words = method if interaction is True else interaction
    listed = [words] * len(factors) if isinstance(words, str) else list(words)
    if len(listed) != len(factors):
        do = f"Give one for each of: {', '.join(factors)}"
        raise SpecError(message(f"interaction names {len(listed)} methods for {len(factors)} factors", do=do))
    return listed


def _products(cells: pd.DataFrame, setting: Setting, words: Sequence[str]) -> tuple[Weights, dict[str, list[str]]]:
    """Return products of the contrasts of each factor, and a column of names for each; the first varies fastest."""
    parts, factors = [], setting.factors
    for name, word in zip(factors, words, strict=True):
        own = cells[[name]].drop_duplicates().reset_index(drop=True)
        parts.append(contrast_weights(word, setting.cell_names(own, [name]), _scores(own, [name])))
    values: Floats = np.ones((1, 1))
    names: list[tuple[str, ...]] = [()]
    for part in parts:
        values = np.asarray(np.kron(part.values, values), dtype=np.float64)
        names = [(*before, _label(name, False, 1)) for name in part.names for before in names]
    columns = {f"{f}_{w}": [n[i] for n in names] for i, (f, w) in enumerate(zip(factors, words, strict=True))}
    return Weights(tuple(" : ".join(n) for n in names), values), columns


def _scores(cells: pd.DataFrame, factors: Sequence[str]) -> list[float] | None:
    """Return the values of a single numeric factor; None where there is no such scale."""
    if len(factors) != 1 or not pd.api.types.is_numeric_dtype(cells[factors[0]]):
        return None
    return [float(v) for v in cells[factors[0]]]


def _label(name: str | tuple[str, str], ratio: bool, factors: int) -> str:
    if isinstance(name, str):
        return name
    sign = "/" if ratio else "-"
    wrap = factors > 1 or any(f" {sign} " in part for part in name)
    left, right = (f"({part})" if wrap else part for part in name)
    return f"{left} {sign} {right}"


def _check_not_empty(lines: Lines, setting: Setting) -> None:
    size = np.abs(lines.rows).max(axis=1, initial=0.0)
    scale = max(float(size.max()), 1.0)
    if size.max() <= 1e-10 * scale and not lines.gap.any():
        names = " and ".join(setting.factors)
        what = f"the model holds these contrasts at zero: it has no interaction of {names}"
        raise SpecError(message(what, where=setting.formula, do="Add the interaction to the formula"))
