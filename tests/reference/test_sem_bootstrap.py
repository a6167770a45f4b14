"""Bootstrap samples of every estimator: the estimates are those of lavaan 0.6-14 fitted to the same drawn rows."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.structural.after.bootstrap import StructuralBootstrap
from alliancekit.structural.after.draws import draws_of
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent
SEED, SAMPLES = 11, 3
TWO = "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6"
LABELLED = "f =~ x1 + a*x2 + b*x3\nh =~ x4 + x5 + x6"
GAPS = "f =~ m1 + m2 + m3\nh =~ x4 + x5 + x6"
ITEMS = "f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6"
PATHS = "m2 ~ a*w1 + z2\nm3 ~ b*m2 + w1\nind := a*b"
LEVELS = "level: 1\nf =~ c1 + c2 + c3\nlevel: 2\nh =~ c1 + c2 + c3"
MEDIATED = "level: 1\nc1 ~ b*c2 + z1\nc2 ~ a*z1\nlevel: 2\nc1 ~ c2 + w1\nc2 ~ w1\nind := a*b"
MORE = "a*o2 + b*o3"
ONE = "f =~ o1 + o2 + o3 + o4"


def case(name: str, model: str, scheme: str = "rows", r: dict[str, Any] | None = None, **ours: Any) -> dict[str, Any]:
    """Return a model with our options, lavaan's where they have other names, and what is drawn."""
    given = {key.replace("_", "."): value for key, value in ours.items()} if r is None else r
    return {"name": name, "model": model, "scheme": scheme, "ours": ours, "r": given}


CASES = [
    case("ml-fixed", PATHS.replace("m", "x")),
    case("ml-inequality", f"{LABELLED}\na > b + 0.1"),
    case("ml-groups", TWO, "g2", group="g2", group_equal=["loadings", "intercepts"]),
    case("ml-wishart", TWO, likelihood="wishart"),
    case("fiml", GAPS, missing="fiml"),
    case("fiml-fixed", PATHS, missing="fiml"),
    case("fiml-inequality", f"{GAPS.replace('m2 + m3', 'a*m2 + b*m3')}\na > b + 0.1", missing="fiml"),
    case("fiml-bounds", GAPS, missing="fiml", bounds="standard"),
    case("fiml-groups", GAPS, "g2", group="g2", group_equal=["loadings"], missing="fiml"),
    case("fiml-mlr", GAPS, missing="fiml", estimator="MLR"),
    case("gls", TWO, estimator="GLS"),
    case("uls", TWO, estimator="ULS"),
    case("uls-fixed", PATHS.replace("m", "x"), estimator="ULS", fixed_x=True),
    case("dwls", TWO, estimator="DWLS"),
    case("wls-inequality", f"{LABELLED}\na > b + 0.1", estimator="WLS"),
    case("wls-groups", TWO, "g2", estimator="WLS", group="g2", group_equal=["loadings"]),
    case("wlsmv", ITEMS, r={"ordered": True, "estimator": "WLSMV"}, ordered=True),
    case("wlsmv-theta", ITEMS, ordered=True, estimator="WLSMV", parameterization="theta"),
    case("wlsmv-inequality", f"{ITEMS.replace('o2 + o3', MORE)}\na > b + 0.1", ordered=True, estimator="DWLS"),
    case("wlsmv-groups", ITEMS, "g2", ordered=True, estimator="WLSMV", group="g2",
         group_equal=["thresholds", "loadings"]),
    case("wlsmv-pairwise", "f =~ n1 + n2 + n3 + o4", ordered=True, estimator="WLSMV", missing="pairwise"),
    case("wlsmv-covariate", f"{ONE}\nf ~ w1", ordered=["o1", "o2", "o3", "o4"], estimator="WLSMV"),
    case("wlsmv-pairwise-groups", "f =~ n1 + n2 + n3 + o4\nf ~ w1", "g2", ordered=["n1", "n2", "n3", "o4"],
         estimator="WLSMV", missing="pairwise", group="g2", group_equal=["loadings"]),
    case("ulsmv", ITEMS, ordered=True, estimator="ULSMV"),
    case("wls-ordinal", ONE, ordered=True, estimator="WLS"),
    case("clusters", TWO, "cl", cluster="cl", estimator="MLR"),
    case("clusters-fiml", GAPS, "cl", cluster="cl", estimator="MLR", missing="fiml"),
    case("two-level", LEVELS, "cl", cluster="cl"),
    case("two-level-covariates", MEDIATED, "cl", cluster="cl"),
]  # fmt: skip


@cache
def boot_data() -> pd.DataFrame:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    for k in range(1, 7):
        x = data[f"x{k}"] - (k > 3)
        data[f"o{k}"] = (x > -0.5).astype(int) + (x > 0.8)
    for k in range(1, 4):
        data[f"c{k}"] = data[f"x{k}"] + ((data["cl"] * 37) % 11 - 5) / 4 + ((data["cl"] * (13 + k)) % 7 - 3) / 6
        data[f"n{k}"] = data[f"o{k}"].where(data[f"m{k}"].notna())
    return data


@cache
def stored(name: str) -> Any:
    return json.loads((HERE / "sem_bootstrap" / f"{name}.json").read_text(encoding="utf-8"))


def test_every_case_is_stored() -> None:
    assert [c["name"] for c in CASES] == [c["name"] for c in stored("expected")["fits"]]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[c["name"] for c in CASES])
def test_samples_as_lavaan(number: int) -> None:
    one, theirs = CASES[number], stored("expected")["fits"][number]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ak.sem(one["model"], boot_data(), **one["ours"])
        found = fit.bootstrap(SAMPLES, seed=SEED)
    size = fit._fit.x.size
    assert all(sample["converged"] for sample in theirs["est"])
    for ours, sample in zip(found.replicates, theirs["est"], strict=True):
        assert_close(ours[:size], sample["coef"], "estimate", "replicates")


def test_the_rows_drawn_are_those_that_lavaan_was_given() -> None:
    fit = ak.cfa(TWO, boot_data())
    for seed, sample in zip(spawn(SEED, SAMPLES), stored("cases")["samples"]["rows"], strict=True):
        rows = draws_of(fit._fit, "ordinary").sample(seed)[0][0]
        np.testing.assert_array_equal(
            rows, boot_data().iloc[np.array(sample["rows"]) - 1][list(fit._fit.sample.groups[0].names)]
        )


@pytest.mark.parametrize("theirs", ["norm", "basic", "perc", "bca.simple"])
def test_limits_of_replicates_as_lavaan(theirs: str) -> None:
    given = stored("expected")["limits"]
    drawn = np.array(given["replicates"])
    fit = ak.sem(given["model"], boot_data(), fixed_x=False)
    own = fit.tidy()
    names = tuple(own["term"])
    a, b = (names.index(term) for term in ("x4 ~ x1", "x7 ~ x4"))
    replicates = np.column_stack([drawn, drawn[:, a] * drawn[:, b]])
    made = StructuralBootstrap(names, own["estimate"].to_numpy(), replicates, len(drawn), 5)
    share = np.sqrt((len(drawn) - 1) / len(drawn))  # lavaan divides squares of parameters by the number of replicates
    for limits in given["limits"][theirs]:
        found = made.tidy(theirs, limits["level"])
        low, high = found["conf_low"].to_numpy(), found["conf_high"].to_numpy()
        if theirs == "norm":
            middle, reach = (low + high) / 2, (high - low) / 2
            reach[:-1] *= share
            low, high = middle - reach, middle + reach
            # lavaan takes the bias of a definition at the mean of the parameters, ours is that of its replicates
            low, high = low[:-1], high[:-1]
        assert_close(low, limits["lower"][: len(low)], "estimate", "lower limits")
        assert_close(high, limits["upper"][: len(high)], "estimate", "upper limits")
    error = made.tidy()["std_error"].to_numpy().copy()
    error[:-1] *= share
    assert_close(error, given["se"], "std_error", "bootstrap standard errors")


def test_standardised_errors_are_those_of_the_bootstrap_covariances_as_lavaan() -> None:
    given = stored("expected")["limits"]
    drawn = np.array(given["replicates"])
    fit = ak.sem(given["model"], boot_data(), fixed_x=False)
    fit._fit = replace(fit._fit, vcov=np.cov(drawn.T, bias=True))
    found = fit.standardized()
    assert_close(found["std_error"], given["standardized"]["se"], "std_error", "standardised errors")
    assert_close(found["conf_low"], given["standardized"]["lower"], "estimate", "standardised limits")
    assert_close(found["conf_high"], given["standardized"]["upper"], "estimate", "standardised limits")
