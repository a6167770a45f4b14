"""Limits of structural models cover the truth: indirect effects, loadings of ordinal items, rotated loadings.

``SEED`` was fixed before the first run. Coverage lies inside the central 99.9% of a binomial around .95.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.simulation.recovery import binomial_range

SEED = 2026_11_29
MEDIATION = "m ~ a*x\ny ~ b*m + x\nindirect := a*b"
LOADINGS = {"i1": 0.8, "i2": 0.7, "i3": 0.6, "i4": 0.7}


def mediation(rng: np.random.Generator, n: int = 150) -> pd.DataFrame:
    """Return x, m and y with an indirect effect of 0.4 x 0.5; y is missing at random given x and m."""
    x = rng.normal(size=n)
    m = 0.4 * x + rng.normal(size=n)
    y = 0.5 * m + 0.2 * x + rng.normal(size=n)
    gone = rng.random(n) < 1 / (1 + np.exp(1.0 - 1.2 * m - 0.6 * x))
    return pd.DataFrame({"x": x, "m": m, "y": np.where(gone, np.nan, y)})


def answers(rng: np.random.Generator, n: int = 300) -> pd.DataFrame:
    """Return four items of one factor, answered in three categories."""
    factor = rng.normal(size=n)
    out = {}
    for name, loading in LOADINGS.items():
        response = loading * factor + np.sqrt(1 - loading**2) * rng.normal(size=n)
        out[name] = np.digitize(response, [-0.6, 0.7])
    return pd.DataFrame(out)


def covered(found: pd.DataFrame, term: str, truth: float) -> bool:
    row = found.set_index("term").loc[term]
    return bool(row["conf_low"] <= truth <= row["conf_high"])


@pytest.mark.slow
def test_limits_of_an_indirect_effect_cover_with_values_missing_at_random() -> None:
    inside, dropped = 0, 0
    for source in spawn(SEED, 600):
        data = mediation(np.random.default_rng(source))
        fit = ak.sem(MEDIATION, data, missing="fiml", se="bootstrap", bootstrap=499, seed=int(source.spawn_key[0]))
        inside += covered(fit.tidy(), "indirect := a*b", 0.2)
        dropped += 499 - len(fit._fit.replicates.replicates)
    low, high = binomial_range(0.95, 600)
    assert low <= inside / 600 <= high
    assert dropped < 0.001 * 600 * 499


@pytest.mark.slow
def test_limits_of_a_loading_of_ordinal_items_cover() -> None:
    inside: dict[str, int] = dict.fromkeys(LOADINGS, 0)
    for source in spawn(SEED + 1, 250):
        data = answers(np.random.default_rng(source))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.ConvergenceWarning)
            fit = ak.cfa("f =~ i1 + i2 + i3 + i4", data, ordered=True, std_lv=True)
        found = fit.bootstrap(299, seed=int(source.spawn_key[0])).tidy()
        for name, loading in LOADINGS.items():
            inside[name] += covered(found, f"f=~{name}", loading)
    low, high = binomial_range(0.95, 250)
    assert all(low <= count / 250 <= high for count in inside.values()), inside


@pytest.mark.slow
def test_accelerated_limits_of_an_indirect_effect_cover() -> None:
    inside = 0
    for source in spawn(SEED + 2, 500):
        rng = np.random.default_rng(source)
        data = mediation(rng)
        data["y"] = 0.5 * data["m"] + 0.2 * data["x"] + rng.normal(size=len(data))  # without gaps
        drawn = ak.sem(MEDIATION, data).bootstrap(999, seed=int(source.spawn_key[0]))
        inside += covered(drawn.tidy("bca"), "indirect", 0.2)
    low, high = binomial_range(0.95, 500)
    assert low <= inside / 500 <= high


@pytest.mark.slow
def test_limits_of_rotated_loadings_cover() -> None:
    names = [f"w{k}" for k in range(8)]
    pattern = np.zeros((8, 2))
    pattern[:4, 0], pattern[4:, 1], pattern[3, 1] = 0.7, 0.6, 0.25
    correlation = np.array([[1.0, 0.4], [0.4, 1.0]])
    sigma = pattern @ correlation @ pattern.T + 0.5 * np.eye(8)
    model = f'efa("e")*f + efa("e")*g =~ {" + ".join(names)}'
    exact = pd.DataFrame(sigma, names, names)
    whole = ak.cfa(model, sample_cov=exact, sample_nobs=10**6, rotation="oblimin").tidy().query("op == '=~'")
    truth = dict(zip(whole["term"].str.replace(" ", ""), whole["estimate"], strict=True))
    inside: dict[str, int] = dict.fromkeys(truth, 0)
    root = np.linalg.cholesky(sigma)
    for source in spawn(SEED + 3, 200):
        data = pd.DataFrame(np.random.default_rng(source).normal(size=(400, 8)) @ root.T, columns=names)
        found = ak.cfa(model, data, rotation="oblimin").bootstrap(249, seed=int(source.spawn_key[0])).tidy()
        for name, value in truth.items():
            inside[name] += covered(found, name, value)
    low, high = binomial_range(0.95, 200)
    assert all(low <= count / 200 <= high for count in inside.values()), inside
