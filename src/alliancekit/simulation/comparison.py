"""Estimate beside truth: what an analysis found, what is true, and what the wrong model would have said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReadError, SpecError, message, nearest
from alliancekit.simulation.types import Simulated

COLUMNS = ("quantity", "label", "model", "estimate", "conf_low", "conf_high")
RIGHT = "right model"

Rows = pd.DataFrame | Iterable[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class TruthComparison:
    """Estimates of a simulated study beside their truth.

    Attributes
    ----------
    rows : one per estimate: quantity, label, model, wrong (True for a row of the wrong model), estimate, conf_low,
        conf_high, latent, observed, error (estimate - observed), covered (observed truth inside the limits; None where
        there are no limits).
    truth : {"latent": ..., "observed": ...}.
    about : what is known of the study: generator, variant, effect, n, seed.
    """

    rows: pd.DataFrame
    truth: Mapping[str, Mapping[str, float]]
    about: Mapping[str, Any]

    def tidy(self) -> pd.DataFrame:
        """Return one row per estimate."""
        return self.rows.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row: estimates, how many have limits, how many of those limits hold the observed truth."""
        right = self.rows[~self.rows["wrong"]]
        known = right["covered"].notna()
        row = {
            "estimates": len(right),
            "with_limits": int(known.sum()),
            "covered": int(right.loc[known, "covered"].astype(bool).sum()),
            "wrong_model_rows": int(self.rows["wrong"].sum()),
            **{key: self.about.get(key) for key in ("generator", "variant", "effect", "n", "seed")},
        }
        return pd.DataFrame([row])


def compare_truth(estimates: Rows, truth: Any, *, wrong: Rows | None = None) -> TruthComparison:
    """Return estimates of a simulated study beside the truth.

    Parameters
    ----------
    estimates : frame or list of dicts with the columns quantity (a name of the truth, such as
        ``"coef(task | sev, bond, goal)"``), estimate, and where known conf_low, conf_high; optional label (text for
        people) and model (name of the model).
    truth : what ``ak.simulate`` returned, the folder of a simulated study (its truth.json is read), or a dict
        {"latent": {...}, "observed": {...}}.
    wrong : rows of the same form: what a wrong model says about the quantity, such as the increment of task over
        severity alone given as an answer to whether task is special. ``model`` should name the model.

    Returns
    -------
    TruthComparison

    Raises
    ------
    SpecError : a column is missing, no rows, or a quantity that the truth does not know (the nearest is named).
    ReadError : the folder has no truth.json.

    Examples
    --------
    >>> import alliancekit as ak
    >>> twin = ak.simulate("tfcbt", n=24, seed=1)
    >>> rows = [{"quantity": "r(task, goal)", "estimate": 0.70, "conf_low": 0.5, "conf_high": 0.8}]
    >>> ak.compare_truth(rows, twin).tidy()["covered"].tolist()
    [True]

    Checked against
    ---------------
    Hand-made rows in tests/unit/simulation.

    When not to use
    ---------------
    One study says little about a method: a right method misses the truth in 5% of its intervals. Use
    ``alliancekit.simulation.recovery.recover`` for the method's properties.
    """
    values, about = _read(truth)
    found = [_rows(estimates, values, wrong=False)]
    if wrong is not None:
        found.append(_rows(wrong, values, wrong=True))
    return TruthComparison(pd.concat(found, ignore_index=True), values, about)


def read_truth(folder: str | Path) -> dict[str, Any]:
    """Return the truth of a simulated study's folder: latent, observed, and generator, variant, effect, n, seed.

    Raises
    ------
    ReadError : no truth.json, or not one of a simulated study.
    """
    path = Path(folder) / "truth.json"
    if not path.is_file():
        raise ReadError(message("there is no truth.json", where=path.parent.name, do="Only simulated studies have one"))
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ReadError(message(f"truth.json is not valid JSON: {error.msg}", where=f"line {error.lineno}")) from error
    if not {"latent", "observed"} <= set(content):
        raise ReadError(message("truth.json has no 'latent' and 'observed'", where=path.parent.name))
    return content


def _read(truth: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    if isinstance(truth, Simulated):
        about = {"generator": truth.name, **{k: getattr(truth, k) for k in ("variant", "effect", "n", "seed")}}
        return {kind: dict(values) for kind, values in truth.truth.items()}, about
    content = read_truth(truth) if isinstance(truth, str | Path) else truth
    if not isinstance(content, Mapping) or not {"latent", "observed"} <= set(content):
        do = "Hand over the result of ak.simulate, the folder of a simulated study, or a dict with both"
        raise SpecError(message("the truth needs 'latent' and 'observed'", do=do))
    about = {k: v for k, v in content.items() if k not in ("latent", "observed")}
    return {kind: dict(content[kind]) for kind in ("latent", "observed")}, about


def _rows(given: Rows, truth: Mapping[str, Mapping[str, float]], *, wrong: bool) -> pd.DataFrame:
    frame = (given if isinstance(given, pd.DataFrame) else pd.DataFrame(list(given))).reset_index(drop=True)
    what = "wrong" if wrong else "estimates"
    if frame.empty:
        raise SpecError(message(f"{what} has no rows", do="Give at least one row with quantity and estimate"))
    for column in ("quantity", "estimate"):
        if column not in frame.columns:
            have = ", ".join(map(str, frame.columns))
            raise SpecError(message(f"{what} has no column '{column}'", do=f"Columns are: {have}"))
    known = list(dict.fromkeys([*truth["latent"], *truth["observed"]]))
    for quantity in frame["quantity"]:
        if quantity not in known:
            close = nearest(str(quantity), known)
            hint = f"Did you mean '{close}'? " if close else ""
            raise SpecError(message(f"the truth has no '{quantity}'", do=f"{hint}See truth['observed'] for the names"))
    out = pd.DataFrame({"quantity": frame["quantity"].astype(str)})
    out["label"] = frame["label"].astype(str) if "label" in frame else out["quantity"]
    out["model"] = frame["model"].astype(str) if "model" in frame else ("wrong model" if wrong else RIGHT)
    out["wrong"] = wrong
    for column in ("estimate", "conf_low", "conf_high"):
        out[column] = frame[column].astype(float) if column in frame else np.nan
    for kind in ("latent", "observed"):
        out[kind] = [float(truth[kind].get(q, np.nan)) for q in frame["quantity"]]
    out["error"] = out["estimate"] - out["observed"]
    inside = (out["conf_low"] <= out["observed"]) & (out["observed"] <= out["conf_high"])
    limits = out["conf_low"].notna() & out["conf_high"].notna() & out["observed"].notna()
    out["covered"] = pd.Series([bool(i) if k else None for i, k in zip(inside, limits, strict=True)], dtype=object)
    return out
