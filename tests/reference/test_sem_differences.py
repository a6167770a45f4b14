"""Scaled difference tests of models with exploratory factors, and of least squares, as lavaan 0.6-14."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close
from tests.reference.test_sem_bootstrap import boot_data

CASES = json.loads((Path(__file__).parent / "sem_efa" / "differences.json").read_text(encoding="utf-8"))
NAMES = [case["name"] for case in CASES]
METHODS = ("satorra.bentler.2001", "satorra.bentler.2010", "satorra.2000")


@cache
def fits(number: int, model: str, rotation: str = "geomin") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.sem(CASES[number][model], boot_data(), rotation=rotation, **CASES[number]["options"])


def found(larger: Any, smaller: Any, method: str) -> tuple[float, float]:
    row = ak.compare(larger, smaller, method=method).tidy().iloc[-1]
    return float(row["chisq_diff"]), float(row["df_diff"])


def of_complete_rows(number: int, method: str) -> bool:
    """Whether lavaan takes other covariances: with missing values its method of 2000 has those of complete rows."""
    return method == "satorra.2000" and "missing" in CASES[number]["options"]


@pytest.mark.option("compare.method", "lavaan 0.6-14, 8 estimators with rotated factors")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES)
def test_differences_as_lavaan(number: int, method: str) -> None:
    theirs = CASES[number]["found"][method]
    if of_complete_rows(number, method):
        theirs = dict(zip(("statistic", "df"), found(fits(number, "pure"), fits(number, "cfa"), method), strict=True))
    depends_on_form = method == "satorra.bentler.2010" and NAMES[number].startswith("MLR")
    ours = found(fits(number, "pure" if depends_on_form else "efa"), fits(number, "cfa"), method)
    assert_close(ours[0], theirs["statistic"], "fit_measure", "scaled difference")
    assert ours[1] == theirs["df"]


@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES)
def test_the_rotation_of_the_larger_model_does_not_matter(number: int) -> None:
    kinds = ("geomin", "varimax", "none")
    ours = [found(fits(number, "efa", kind), fits(number, "cfa"), "satorra.bentler.2010")[0] for kind in kinds[:2]]
    plain = found(fits(number, "efa", "none"), fits(number, "cfa"), "satorra.2000")[0]
    assert ours[0] == pytest.approx(ours[1], rel=1e-6)
    assert found(fits(number, "efa"), fits(number, "cfa"), "satorra.2000")[0] == pytest.approx(plain, rel=1e-6)
    assert 0 < ours[0] < 3 * plain


def test_both_models_may_be_rotated() -> None:
    block = 'efa("e")*f + efa("e")*h =~ x1 + x2 + x3 + x4 + x5 + x6\nx7 ~ '
    larger, smaller = (ak.sem(block + more, boot_data(), estimator="MLM") for more in ("f + h", "0*f + 0*h"))
    plain = [ak.sem(block + more, boot_data(), estimator="MLM", rotation="none") for more in ("f + h", "0*f + 0*h")]
    for method in METHODS:
        ours, theirs = found(larger, smaller, method), found(*plain, method)
        assert ours == pytest.approx(theirs, rel=1e-5)
        assert ours[1] == 2


def test_the_order_of_ordinal_variables_does_not_matter() -> None:
    one = ak.cfa("f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6", boot_data(), ordered=True)
    texts = ("f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6\nf ~~ 0*h", "h =~ o4 + o6 + o5\nf =~ o1 + o3 + o2\nf ~~ 0*h")
    two = [ak.cfa(text, boot_data(), ordered=True) for text in texts]
    for method in METHODS:
        assert found(one, two[0], method) == pytest.approx(found(one, two[1], method), rel=1e-6)
    explored = ak.cfa('efa("e")*f + efa("e")*h =~ o1 + o2 + o3 + o4 + o5 + o6', boot_data(), ordered=True)
    texts = ("f =~ o1 + o2 + o3\nh =~ o4 + o5 + o6", "h =~ o6 + o5 + o4\nf =~ o3 + o2 + o1")
    two = [ak.cfa(text, boot_data(), ordered=True) for text in texts]
    for method in METHODS:
        assert found(explored, two[0], method) == pytest.approx(found(explored, two[1], method), rel=1e-5)


def test_where_factors_cannot_be_told_apart_the_test_of_2010_is_refused() -> None:
    larger = ak.cfa('efa("e")*f + efa("e")*h =~ x1 + x2 + x3 + x4 + x5 + x6', boot_data(), estimator="MLM")
    smaller = ak.cfa("f =~ x1 + x2 + x3 + x4 + x5 + x6", boot_data(), estimator="MLM")
    with pytest.raises(ak.FitError, match="told apart"):
        ak.compare(larger, smaller, method="satorra.bentler.2010")
    apart = ak.cfa("f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6\nx1 ~~ x4", boot_data(), estimator="MLM")
    with pytest.raises(ak.FitError, match="not nested"):
        ak.compare(larger, apart, method="satorra.bentler.2010")
    assert np.isfinite(ak.compare(larger, smaller, method="satorra.bentler.2001").tidy()["p_value"].iloc[-1])
