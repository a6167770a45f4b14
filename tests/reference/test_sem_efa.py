"""lavaan 0.6-14 on exploratory blocks: criteria, estimators, regressions, several blocks, groups, holes, ordinal items.

run_sem_efa.R takes lavaan's rotation on to where rounding ends it, and differentiates it by central differences.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.after.whole import whole
from alliancekit.structural.rotation.criteria import make_criterion
from alliancekit.structural.rotation.rotate import row_weights
from tests.reference.comparison import TOLERANCES, assert_close, assert_within, not_compared

HERE = Path(__file__).parent / "sem_efa"
SKIPPED = {"converged", "group_labels", "ntotal", "agreement", "H"}
"""What describes the fit, and how far two of lavaan's searches from other starts agree."""
NAMES = {"missing": {"ml": "fiml"}}
HELD = ("==", "<", ">")
SHIFTED = (("esem", "observed_outcome"), ("blocks", "two_blocks_outcome"))
"""Models without means that have observed outcomes."""
REASONS = not_compared(HERE)
"""Case-label-quantity -> why it is not compared."""


@cache
def load(case: str) -> tuple[dict[str, Any], dict[str, Any], pd.DataFrame]:
    read = [json.loads((HERE / case / name).read_text(encoding="utf-8")) for name in ("model.json", "expected.json")]
    return read[0], read[1]["models"], pd.read_csv(HERE / case / "data.csv")


def words(given: dict[str, Any] | list[Any] | None) -> dict[str, Any]:
    """Return rotation arguments by our names; null in a target is open."""
    found = {name.replace(".", "_"): value for name, value in (given or {}).items()}
    if "target" in found:
        found["target"] = np.array([[np.nan if v is None else v for v in row] for row in found["target"]], dtype=float)
    return found


@cache
def fit(case: str, label: str, errors: str = "bordered") -> Any:
    model, _, data = load(case)
    one = next(m for m in model["models"] if m["label"] == label)
    given = {**model.get("common_args", {}), **one.get("args", {})}
    options = {name.replace(".", "_"): NAMES.get(name, {}).get(str(v), v) for name, v in given.items()}
    options |= {"rotation": one.get("rotation", "geomin"), "rotation_args": words(one.get("rotation_args"))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        function = getattr(ak, one.get("fn", model["fn"]))
        return function(one["syntax"], data, rotation_se=errors, **({"missing": "listwise"} | options))


def rows_of(f: Any, reference: list[dict[str, Any]]) -> tuple[list[int], list[int]]:
    """Return the rows of ``tidy`` in the order of a table of R, and the rows of that table that are no constraints."""
    labels = list(f.table.group_labels)
    table = f.tidy()
    groups = (
        [labels.index(g) + 1 if g in labels else 1 for g in table["group"]] if "group" in table else [1] * len(table)
    )
    keys = list(zip(table["lhs"], table["op"], table["rhs"], groups, strict=True))
    place = {key: i for i, key in enumerate(keys)}
    kept = [k for k, row in enumerate(reference) if row["op"] not in HELD]
    found = [place[r["lhs"], r["op"], r["rhs"], r.get("group") or 1] for r in (reference[k] for k in kept)]
    return found, kept


def _groups(found: pd.DataFrame, labels: list[str]) -> list[int]:
    return [labels.index(g) + 1 for g in found["group"]] if "group" in found else [1] * len(found)


def numbers(rows: list[dict[str, Any]], kept: list[int], name: str) -> np.ndarray:
    return np.array([np.nan if rows[k].get(name) is None else rows[k][name] for k in kept], dtype=float)


def compare_estimates(case: str, label: str, reference: list[dict[str, Any]]) -> None:
    f = fit(case, label)
    place, kept = rows_of(f, reference)
    assert len(place) == len(f.tidy())
    found = f.tidy().iloc[place]
    assert_close(found["estimate"], numbers(reference, kept, "est"), "estimate", "estimates")
    if "se" not in reference[0]:
        assert label == "promax_3" and found["std_error"].isna().any()
        return
    assert_close(found["std_error"], numbers(reference, kept, "se"), "std_error", "standard errors")
    z, se = numbers(reference, kept, "z"), numbers(reference, kept, "se")
    known = np.isfinite(z)
    limit = TOLERANCES["statistic"]["rel"] * np.abs(z) + TOLERANCES["estimate"]["abs"] / np.where(known, se, 1.0)
    gap = np.abs(found["statistic"].to_numpy() - z)
    assert_within(gap[known], limit[known], "statistic", "z", "z differs")


def compare_delta(case: str, label: str, reference: list[Any], standardised: bool) -> None:
    f = fit(case, label, "delta")
    table = load(case)[1][label]["estimates"]
    place, kept = rows_of(f, table)
    theirs = np.array([np.nan if reference[k] is None else reference[k] for k in kept], dtype=float)
    ours = (f.standardized() if standardised else f.tidy())["std_error"].to_numpy()[place]
    slopes = np.array([case == "ordinal" and label == "covariate" and table[k]["op"] != "=~" for k in kept])
    follows = numbers(table, kept, "se") == 0.0  # residual variances of ordinal items, for which lavaan has none else
    known = np.isfinite(theirs) & ~slopes & ~follows
    assert_close(ours[known], theirs[known], "std_error", "standard errors by the delta method")


def compare_standardised(case: str, label: str, reference: list[dict[str, Any]]) -> None:
    f = fit(case, label)
    place, kept = rows_of(f, reference)
    theirs = numbers(reference, kept, "est.std")
    for ours in (f.tidy()["std_all"], f.standardized()["estimate"]):
        assert_close(ours.to_numpy()[place], theirs, "estimate", "standardised")


def compare_fit(case: str, label: str, reference: dict[str, float]) -> None:
    ours = fit(case, label).fit_measures()
    for name, value in reference.items():
        mine = name.replace(".", "_")
        if value is None or mine not in ours or mine == "rmsea_ci_level":
            continue
        if (case, label, mine) == ("ordinal", "groups", "wrmr"):  # by the statistics of all groups (Yu 2002)
            continue
        if (case, label) == ("ordinal", "covariate") and mine in ("gfi", "agfi", "pgfi"):
            continue  # of its implied moments, to which rotated loadings and slopes that are not lead
        kind = "log_likelihood" if name in ("logl", "unrestricted.logl", "aic", "bic", "bic2") else "fit_measure"
        assert_close(ours[mine], value, "estimate" if name.startswith("rmr") else kind, name)
    assert {"npar", "chisq", "df"} <= set(reference)


def blocks_of(reference: Any) -> list[Any]:
    return [reference] if "rows" in reference or "cov" in reference else list(reference.values())


def compare_implied(case: str, label: str, reference: Any) -> None:
    f = fit(case, label)._fit
    for names, moments, part in zip(f.model.blocks, f.implied, blocks_of(reference), strict=True):
        order = [part["cov"]["rows"].index(n) for n in names.observed if n in part["cov"]["rows"]]
        theirs = np.array(part["cov"]["values"])[np.ix_(order, order)]
        ours = f.model.moments(f.x) if f.ordinal is None else None
        assert_close(moments.sigma[: len(order), : len(order)], theirs, "estimate", "implied covariances")
        if ours is not None:
            gap = [np.abs(one.sigma - other.sigma).max() for one, other in zip(ours, f.implied, strict=True)]
            assert max(gap) < 1e-9, "rotation changes the moments"


def compare_latent(case: str, label: str, reference: Any) -> None:
    f = fit(case, label)
    ours = [frame for name, frame in f.latent().items() if name.startswith("cov")]
    for frame, part in zip(ours, blocks_of(reference), strict=True):
        assert_close(frame.loc[part["rows"], part["cols"]], part["values"], "estimate", "latent covariances")


def compare_r2(case: str, label: str, reference: dict[str, Any]) -> None:
    found = fit(case, label).r2()
    grouped = "group" in found
    for part, theirs in reference.items() if grouped else [("", reference)]:
        own = found[found["group"] == part] if grouped else found
        assert_close(own.set_index("variable").loc[list(theirs), "r2"], list(theirs.values()), "r2", "R2")


def shift_by_outcomes(f: Any, data: pd.DataFrame, factors: list[str]) -> np.ndarray:
    """Return by what lavaan moves regression scores of a model without means.

    To the expected values of observed outcomes, which are their means, it adds what these means bring about once more.
    """
    block, table = f._fit.model.blocks[0], f.tidy()
    names, p = [*block.observed, *block.latent], len(block.observed)
    now = whole(block, f._fit.x)
    outcomes = [name for name in dict.fromkeys(table.loc[table["op"] == "~", "lhs"]) if name in block.observed]
    at = [names.index(name) for name in outcomes]
    twice = now.B[np.ix_(at, at)] @ data[outcomes].mean().to_numpy()
    weight = np.linalg.solve(now.cov[:p, :p], now.cov[:p, [names.index(factor) for factor in factors]])
    return np.asarray(-weight[at].T @ twice)


def compare_scores(case: str, label: str, reference: dict[str, Any]) -> None:
    f = fit(case, label)
    parts = reference["regression"]
    scores = f.factor_scores()
    for name, theirs in parts.items() if "rows" not in parts else [("", parts)]:
        own = scores[scores["group"] == name] if name else scores
        ours = own.iloc[:10][theirs["cols"]].to_numpy()
        if (case, label) in SHIFTED:
            shift = shift_by_outcomes(f, load(case)[2], theirs["cols"])
            assert np.abs(shift).max() > 1e-3
            ours = ours + shift
        assert_close(ours, theirs["values"], "estimate", "factor scores")


def compare_modification(case: str, label: str, reference: list[dict[str, Any]]) -> None:
    found = fit(case, label).modification_indices()
    table = fit(case, label).table
    labels = list(table.group_labels)
    rotated: dict[str, set[str]] = {}
    for lhs, rhs, block in zip(table.lhs, table.rhs, table.efa, strict=True):
        if block:
            rotated.setdefault(lhs, set()).add(rhs)
    heads = (
        [labels.index(g) + 1 if g in labels else 1 for g in found["group"]] if "group" in found else [1] * len(found)
    )
    known = {(r["lhs"], r["op"], r["rhs"], g): r for r, g in zip(found.to_dict("records"), heads, strict=True)}
    known |= {(key[2], key[1], key[0], key[3]): r for key, r in known.items() if key[1] == "~~"}
    for row in reference:
        if row["mi"] < 1e-6 or (row["op"] == "=~" and row["lhs"] in rotated and row["rhs"] in rotated[row["lhs"]]):
            continue  # held only until the rotation
        ours = known[row["lhs"], row["op"], row["rhs"], row.get("group") or 1]
        for mine, theirs, kind in (("mi", "mi", "fit_measure"), ("epc", "epc", "estimate")):
            assert_close(ours[mine], row[theirs], kind, f"{mine} of {row['lhs']} {row['op']} {row['rhs']}")


COMPARE: dict[str, Any] = {
    "estimates": compare_estimates,
    "standardized": compare_standardised,
    "se_delta": lambda case, label, r: compare_delta(case, label, r, False),
    "se_delta_std": lambda case, label, r: compare_delta(case, label, r, True),
    "fit": compare_fit,
    "npar": lambda case, label, r: assert_close(fit(case, label).n_parameters, r, "count", "parameters"),
    "implied": compare_implied,
    "cov_lv": compare_latent,
    "r2": compare_r2,
    "factor_scores_first10": compare_scores,
    "modindices_top10": compare_modification,
}
CASES = sorted(folder.name for folder in HERE.iterdir() if (folder / "expected.json").exists())
LABELS = [(case, label) for case in CASES for label in load(case)[1]]
QUANTITIES = [(case, label, name) for case, label in LABELS for name in load(case)[1][label] if name not in SKIPPED]


@pytest.mark.option("cfa.rotation", "lavaan 0.6-14, 22 criteria")
@pytest.mark.option("cfa.rotation_args", "lavaan 0.6-14, weights, constants, targets, order of factors")
@pytest.mark.option("cfa.rotation_se", "lavaan 0.6-14, bordered and delta")
@pytest.mark.parametrize(("case", "label", "name"), QUANTITIES, ids=["-".join(q) for q in QUANTITIES])
def test_as_lavaan(case: str, label: str, name: str, record_property: Callable[[str, object], None]) -> None:
    if "-".join((case, label, name)) in REASONS:
        record_property("excused", True)
        return
    reference = load(case)[1][label]
    assert name in COMPARE, f"not compared: {name}"
    assert fit(case, label).nobs == reference["ntotal"] and fit(case, label).converged
    COMPARE[name](case, label, reference[name])


@pytest.mark.parametrize(("case", "label"), [("esem", "between"), ("ordinal", "covariate")])
def test_what_lavaan_has_agrees_where_it_lacks_a_row_or_a_turn(case: str, label: str) -> None:
    f = fit(case, label)
    reference = [r for r in load(case)[1][label]["estimates"] if (case, r["op"]) != ("ordinal", "~")]
    place, kept = rows_of(f, reference)
    assert_close(f.tidy()["estimate"].to_numpy()[place], numbers(reference, kept, "est"), "estimate", "estimates")
    for name in ("chisq", "df"):
        assert_close(f.fit_measures()[name], load(case)[1][label]["fit"][name], "fit_measure", name)


@pytest.mark.parametrize(("case", "label"), LABELS, ids=["-".join(q) for q in LABELS])
def test_the_criterion_is_never_above_lavaans(case: str, label: str) -> None:
    f = fit(case, label)
    words_, rotation = f._fit.options.rotation, f._fit.rotation
    if rotation is None or words_.criterion == "promax" or len(f.table.group_labels) > 1:
        assert rotation is None or np.isnan(rotation.values).all() or len(rotation.values) > 1
        return
    table = load(case)[1][label]["estimates"]
    values = {(r["lhs"], r["op"], r["rhs"]): r["est"] for r in table}
    names = dict.fromkeys(e for e in f.table.efa if e)
    for name, ours in zip(names, rotation.values, strict=True):
        own = [i for i, e in enumerate(f.table.efa) if e == name]
        factors, items = (dict.fromkeys(side[i] for i in own) for side in (f.table.lhs, f.table.rhs))
        L = np.array([[values[k, "=~", i] for k in factors] for i in items])
        P = np.array([[values.get((a, "~~", b), values.get((b, "~~", a), 0.0)) for b in factors] for a in factors])
        if (case, label) == ("esem", "between"):
            P = f.latent()["cov"].loc[list(factors), list(factors)].to_numpy()
            continue
        common = L @ P @ L.T
        unit = np.ones(len(L))
        if words_.std_ov:
            unit = 1 / np.sqrt(np.diag(common) + [values[i, "~~", i] for i in items])
        weight = row_weights(common * np.outer(unit, unit), len(factors), words_.row_weights)
        criterion = make_criterion(words_, *L.shape, name)
        theirs = float(criterion(L * (unit * weight)[:, None])[0])
        assert ours <= theirs + 1e-5 * abs(theirs), f"{ours} where lavaan has {theirs}"
