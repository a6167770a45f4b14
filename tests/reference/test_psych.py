"""Alpha and one-factor omega against R (psych, lavaan with semTools)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.measurement.one_factor import fit_one_factor, minres_loadings
from tests.reference.comparison import TOLERANCES, assert_within
from tests.reference.leaves import all_quantities, excuse, excuses

FAMILY = Path(__file__).parent / "psych"
QUANTITIES = all_quantities(FAMILY)
EXCUSES = excuses(FAMILY)
Values = dict[tuple[str, ...], float]


@functools.cache
def ours(case: str) -> Values:
    """Return every quantity of a case under the path it has in expected.json."""
    model = json.loads((FAMILY / case / "model.json").read_text(encoding="utf-8"))
    data = pd.read_csv(FAMILY / case / "data.csv")
    if "syntax" in model:
        return _one_factor(data[model["cols"]])
    values: Values = {}
    for task in model["tasks"]:
        compute = {"alpha": _alpha, "omega": _omega_minres}[task["fn"]]
        found = compute(data[task["cols"]])
        values |= {("tasks", task["label"], "result", *path): value for path, value in found.items()}
    return values


def _alpha(data: pd.DataFrame) -> Values:
    found = ak.reliability(data, list(data.columns), method="alpha", missing="pairwise")
    row, p = found.tidy().iloc[0], data.shape[1]
    values: Values = {
        ("total", "0", "raw_alpha"): row["alpha"],
        ("total", "0", "std.alpha"): row["alpha_standardised"],
        ("total", "0", "average_r"): row["mean_correlation"],
        ("total", "0", "S/N"): p * row["mean_correlation"] / (1 - row["mean_correlation"]),
        ("total", "0", "mean"): row["mean"],
        ("total", "0", "sd"): row["sd"],
        ("feldt", "lower"): row["conf_low"],
        ("feldt", "alpha"): row["alpha"],
        ("feldt", "upper"): row["conf_high"],
        ("nvar",): row["items"],
    }
    for item in found.augment().itertuples():
        values |= {
            ("alpha_drop", item.item, "raw_alpha"): item.alpha_if_dropped,
            ("item_stats", item.item, "n"): item.n,
            ("item_stats", item.item, "r.drop"): item.item_rest_r,
            ("item_stats", item.item, "mean"): item.mean,
            ("item_stats", item.item, "sd"): item.sd,
        }
        others = [name for name in data.columns if name != item.item]
        dropped = ak.reliability(data, others, method="alpha", missing="pairwise").tidy().iloc[0]
        mean_r = dropped["mean_correlation"]
        values |= {
            ("alpha_drop", item.item, "std.alpha"): dropped["alpha_standardised"],
            ("alpha_drop", item.item, "average_r"): mean_r,
            ("alpha_drop", item.item, "S/N"): (p - 1) * mean_r / (1 - mean_r),
        }
    return values


def _omega_minres(data: pd.DataFrame) -> Values:
    """psych factors by minimum residuals: our starting values, here carried to the end."""
    R = data.corr().to_numpy()
    loadings = minres_loadings(R)
    general = loadings.sum() ** 2 / R.sum()
    total = 1 - (1 - loadings**2).sum() / R.sum()
    residual = (R - np.outer(loadings, loadings))[np.tril_indices(len(R), -1)]
    alpha = ak.reliability(data, list(data.columns), method="alpha").tidy()["alpha_standardised"].item()
    values: Values = {
        ("omega_h",): general,
        ("omega_tot",): total,
        ("alpha",): alpha,
        ("group_omegas", "g", "total"): total,
        ("group_omegas", "g", "general"): general,
        ("stats", "rms"): np.sqrt((residual**2).mean()),
        ("stats", "dof"): len(R) * (len(R) - 3) / 2,
    }
    for name, loading in zip(data.columns, loadings, strict=True):
        columns = {"g": loading, "F1*": 0.0, "h2": loading**2, "u2": 1 - loading**2, "p2": 1.0}
        values |= {("schmid_loadings", name, column): value for column, value in columns.items()}
    return values


def _one_factor(data: pd.DataFrame) -> Values:
    fit = fit_one_factor(data.cov().to_numpy() * (len(data) - 1) / len(data), len(data))
    row = ak.reliability(data, list(data.columns)).tidy().iloc[0]
    assert row["chisq"] == pytest.approx(fit.chisq, rel=1e-12)
    first, p = fit.loadings[0], len(fit.loadings)
    values: Values = {
        ("fit", "fmin"): fit.discrepancy / 2,
        ("fit", "chisq"): row["chisq"],
        ("fit", "df"): row["df"],
        ("fit", "pvalue"): row["p_value"],
        ("fit", "srmr"): row["srmr"],
        ("fit", "ntotal"): row["n"],
        ("reliability", "compRelSEM_omega", "g"): row["omega_observed"],
        ("reliability", "compRelSEM_omega_obs_var_false", "g"): row["omega"],
        ("reliability", "compRelSEM_alpha", "g"): row["alpha"],
        ("estimates", "g ~~ g", "est"): first**2,
        ("estimates", "g ~~ g", "se"): 2 * first * np.sqrt(fit.covariance[0, 0]),
        ("standardized_std_all", "g ~~ g", "est.std"): 1.0,
    }
    standardised = ak.reliability(data, list(data.columns), method="omega").augment().set_index("item")["loading"]
    for j, name in enumerate(data.columns):
        ratio = fit.loadings[j] / first
        gradient = np.zeros(2 * p)
        gradient[j] += 1 / first
        gradient[0] -= ratio / first
        values |= {
            ("estimates", f"g =~ {name}", "est"): ratio,
            ("estimates", f"g =~ {name}", "se"): np.sqrt(gradient @ fit.covariance @ gradient),
            ("estimates", f"{name} ~~ {name}", "est"): fit.uniquenesses[j],
            ("estimates", f"{name} ~~ {name}", "se"): np.sqrt(fit.covariance[p + j, p + j]),
            ("standardized_std_all", f"g =~ {name}", "est.std"): standardised[name],
            ("standardized_std_all", f"{name} ~~ {name}", "est.std"): 1 - standardised[name] ** 2,
        }
    return values


def kind_of(case: str, path: tuple[str, ...]) -> str:
    """Return the kind of number: closed forms; lavaan's criterion and estimates; psych's search."""
    if case == "hs_one_factor" and path[-2:] != ("compRelSEM_alpha", "g"):
        return "lavaan_criterion" if path[0] == "fit" and path[1] != "srmr" else "estimate"
    return "psych_search" if len(path) > 1 and "omega" in path[1] else "closed_form"


@pytest.mark.parametrize(("case", "path", "expected"), QUANTITIES, ids=["/".join((c, *p)) for c, p, _ in QUANTITIES])
def test_quantity(
    case: str, path: tuple[str, ...], expected: float, record_property: Callable[[str, object], None]
) -> None:
    if path not in ours(case):
        reason = excuse(case, path, EXCUSES)
        assert reason, "not compared, and not_compared.toml gives no reason"
        record_property("excused", True)
        return
    mine, kind = float(ours(case)[path]), kind_of(case, path)
    limit = max(TOLERANCES[kind]["rel"] * abs(expected), TOLERANCES[kind]["abs"])
    assert_within(abs(mine - expected), limit, kind, "/".join(path), f"{mine!r} where R has {expected!r}")


def test_every_excuse_is_used() -> None:
    used = {excuse(case, path, EXCUSES) for case, path, _ in QUANTITIES if path not in ours(case)}
    assert used - {None} == set(EXCUSES.values())
