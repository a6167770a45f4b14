"""Chi-square taken apart by groups: the parts sum to it, and those of separate groups are tests of their own."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak

MODEL = "f =~ x1 + x2 + x3 + x4"
TWO = "level: 1\nfw =~ x1 + x2 + x3 + x4\nlevel: 2\nx1 ~~ x2 + x3 + x4\nx2 ~~ x3 + x4\nx3 ~~ x4"


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20240905)
    site = np.arange(600) % 60
    common = rng.normal(size=600) + 0.6 * rng.normal(size=60)[site]
    frame = pd.DataFrame({f"x{i}": common + rng.standard_t(5, size=600) for i in (1, 2, 3, 4)})
    frame["x4"] += 0.4 * frame["x3"]
    return frame.assign(site=site, half=np.where(site < 25, "first", "second"))


def holes() -> pd.DataFrame:
    frame = data()
    frame.loc[::7, "x1"] = np.nan
    frame.loc[3::11, "x3"] = np.nan
    return frame


def ordinal() -> pd.DataFrame:
    frame = data()
    return frame.assign(**{f"x{i}": np.digitize(frame[f"x{i}"], [-1.0, 0.5, 2.0]) for i in (1, 2, 3, 4)})


CASES: list[tuple[str, dict[str, Any]]] = [
    ("data", {}),
    ("data", {"likelihood": "wishart"}),
    ("data", {"estimator": "GLS"}),
    ("data", {"estimator": "DWLS", "meanstructure": False}),
    ("data", {"estimator": "MLR"}),
    ("data", {"estimator": "MLMV"}),
    ("data", {"estimator": "ULSM"}),
    ("holes", {"missing": "fiml"}),
    ("holes", {"missing": "fiml", "estimator": "MLR", "cluster": "site"}),
    ("ordinal", {"ordered": True}),
    ("ordinal", {"ordered": True, "estimator": "WLS"}),
    ("data", {"cluster": "site", "model": TWO}),
    ("data", {"cluster": "site", "model": TWO, "estimator": "MLR"}),
]


def fit(kind: str, given: dict[str, Any], frame: pd.DataFrame | None = None, **more: Any) -> Any:
    own = {"data": data, "holes": holes, "ordinal": ordinal}[kind]() if frame is None else frame
    words = {name: value for name, value in given.items() if name != "model"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.cfa(given.get("model", MODEL), own, **words, **more)


@pytest.mark.parametrize(("kind", "given"), CASES, ids=[f"{kind} {given}" for kind, given in CASES])
def test_parts_sum_to_the_whole(kind: str, given: dict[str, Any]) -> None:
    one_level = "model" not in given
    whole = fit(kind, given, group="half", **({"group_equal": "loadings"} if one_level else {}))
    found, m = whole.group_tests(), whole.fit_measures()
    assert found["group"].tolist() == ["first", "second"]
    assert found["n"].sum() == whole.nobs
    np.testing.assert_allclose(found["statistic"].sum(), m["chisq"], rtol=1e-6)
    assert ("statistic_scaled" in found) == ("chisq_scaled" in m)
    if "chisq_scaled" in m:
        np.testing.assert_allclose(found["statistic_scaled"].sum(), m["chisq_scaled"], rtol=1e-6)


@pytest.mark.parametrize(("kind", "given"), CASES, ids=[f"{kind} {given}" for kind, given in CASES])
def test_groups_apart_have_their_own_chi_squares(kind: str, given: dict[str, Any]) -> None:
    frame = {"data": data, "holes": holes, "ordinal": ordinal}[kind]()
    found = fit(kind, given, group="half").group_tests().set_index("group")["statistic"]
    for label, part in frame.groupby("half"):
        alone = fit(kind, given, part.reset_index(drop=True)).fit_measures()["chisq"]
        np.testing.assert_allclose(found[label], alone, rtol=1e-4)


def test_a_model_that_cannot_fail_has_zeros() -> None:
    found = ak.cfa("f =~ x1 + x2 + x3", data(), group="half").group_tests()
    assert found["statistic"].tolist() == [0.0, 0.0]


def test_one_group_is_refused() -> None:
    with pytest.raises(ak.SpecError, match=re.escape("model_tests() has the test of the model")):
        ak.cfa(MODEL, data()).group_tests()
