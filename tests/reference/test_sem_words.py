"""Numbers of lavaan 0.6-14 for a grid of words of estimator, se, test, information and likelihood.

What lavaan takes and we do not, and the other way round, stands in ``is_refused_here`` and ``is_taken_here_alone``;
numbers that differ for a reason are marked where they are compared.
"""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.after.model_tests import requested, residual_test
from tests.reference.comparison import TOLERANCES, assert_close, assert_within

HERE = Path(__file__).parent
STORED = json.loads((HERE / "sem_words" / "expected.json").read_text(encoding="utf-8"))
ROWS = STORED["rows"]
SAME = {"ml": "fiml"}


@cache
def grid_data() -> pd.DataFrame:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    for k in range(1, 7):
        x = data[f"x{k}"] - (k > 3)
        data[f"o{k}"] = (x > -0.5).astype(int) + (x > 0.8)
    return data


def title(row: dict[str, Any]) -> str:
    words = [",".join(v) if isinstance(v, list) else str(v) for v in row["given"].values()]
    return " ".join([row["kind"], *words])


def family(row: dict[str, Any]) -> str:
    """Return to which test a row belongs."""
    given = row["given"]
    words = [row["kind"], given.get("estimator", "ML"), given.get("likelihood", ""), given.get("se", "")]
    words.append("h1" if "h1.information" in given else "")
    return "-".join(word for word in words if word)


FAMILIES = {name: [row for row in ROWS if family(row) == name] for name in dict.fromkeys(map(family, ROWS))}


def fit(row: dict[str, Any]) -> Any:
    model = CLUSTERED if row["kind"] == "clusters" else STORED["models"][row["kind"]]
    given = {**dict(model["options"] or {}), **row["given"]}
    given = {name.replace(".", "_"): value for name, value in given.items()}
    given["missing"] = SAME.get(given.get("missing"), given.get("missing"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.sem(model["model"], grid_data(), **given)


def is_taken_here_alone(row: dict[str, Any]) -> bool:
    """Return whether lavaan cannot do what is asked, or overrules one word by another and then refuses both."""
    if "non-conformable" in row["error"]:
        return ".model" not in str(row["given"].get("test"))
    words = row["given"].get("information", "first.order")
    return row["given"].get("se") == "first.order" and (words if isinstance(words, str) else words[1]) != "first.order"


def is_refused_here(row: dict[str, Any]) -> bool:
    """Return whether lavaan takes other words than those asked for.

    Of tests of residuals about the model it has, for incomplete rows, the moments of available pairs with the spread of
    complete rows; for ordinal variables the spread about the sample under both names.
    """
    about_model = row["kind"] in ("gaps", "ordinal") and ".model" in str(row["given"].get("test"))
    return row["ignored"] or about_model


def compare(row: dict[str, Any]) -> None:
    """Compare one fit with lavaan's."""
    if "error" in row:
        if is_taken_here_alone(row):
            fit(row)
            return
        with pytest.raises(ak.SpecError):
            fit(row)
        return
    try:
        found = fit(row)
    except ak.SpecError:
        assert is_refused_here(row), "refused"
        return
    if row["se"]:
        errors = np.sqrt(np.diag(found.vcov().to_numpy()))
        assert_close(errors, row["se"], "std_error", "standard errors")
    ours = {one[0]: one for one in requested(found._fit)}
    for test in row["tests"]:
        if test["test"] == "none":
            assert found._fit.options.test == "none"
        else:
            compare_test(row, found, ours[test["test"]], test)
    compare_measures(row, found)


def compare_test(row: dict[str, Any], found: Any, one: Any, test: dict[str, Any]) -> None:
    word, statistic, df, p_value, factor = one
    if row["kind"] == "ordinal" and row["given"]["estimator"] == "ULS" and word == "satorra.bentler":
        assert test["statistic"] is None  # the other two scaled tests stop with an error there
        return
    if word == "browne.residual.adf.model" and abs(statistic / test["statistic"] - 1) > 1e-4:
        # lavaan takes the spread about the sample where it has this for other reasons
        assert_close(residual_test(found._fit, any_distribution=True), test["statistic"], "fit_measure", word)
        return
    assert_close(statistic, test["statistic"], "fit_measure", word)
    assert_close(df, test["df"], "df", f"{word}: df")
    slope = TOLERANCES["fit_measure"]["rel"] * abs(test["statistic"])
    if test["p_value"] is None:
        assert np.isnan(p_value)
    else:
        assert_within(abs(p_value - test["p_value"]), slope, "fit_measure", "p", "p values differ")
    if test["factor"] is not None:
        assert_close(factor, test["factor"], "fit_measure", f"{word}: factor")
    if test["shift"] is not None:
        shown = found._fit.test if found._fit.options.test == word else found._fit.more_tests[word]
        assert_close(shown.shift, test["shift"], "fit_measure", f"{word}: shift")


def compare_measures(row: dict[str, Any], found: Any) -> None:
    theirs = next((test["test"] for test in row["tests"] if test["factor"] is not None), "standard")
    if theirs != found._fit.options.test:
        # the estimator brings a test, by which lavaan scales whatever is asked for besides
        assert {"estimator", "test"} <= row["given"].keys() or not row["measures"]
        return
    measures = found.fit_measures()
    for name, value in (row["measures"] or {}).items():
        assert_close(measures[name.replace(".", "_")], np.nan if value is None else value, "fit_measure", name)


@pytest.mark.option("cfa.test", "lavaan 0.6-14, a grid of words")
@pytest.mark.option("cfa.se", "lavaan 0.6-14, a grid of words")
@pytest.mark.option("cfa.information", "lavaan 0.6-14, a grid of words")
@pytest.mark.option("cfa.observed_information", "lavaan 0.6-14, a grid of words")
@pytest.mark.option("cfa.h1_information", "lavaan 0.6-14, a grid of words")
@pytest.mark.option("cfa.likelihood", "lavaan 0.6-14, a grid of words")
@pytest.mark.parametrize("name", FAMILIES)
def test_words_as_lavaan(name: str) -> None:
    wrong = []
    for row in FAMILIES[name]:
        try:
            compare(row)
        except (AssertionError, KeyError) as error:
            wrong.append(f"{title(row)}: {error}")
    assert not wrong, "\n".join(wrong)


MORE = json.loads((HERE / "sem_words" / "more.json").read_text(encoding="utf-8"))
WISHART, CLUSTERS = MORE["wishart"], MORE["clusters"]
CLUSTERED = {"model": "f =~ x1 + x2 + x3\nh =~ x4 + x5 + x6", "options": {"cluster": "cl"}}


@pytest.mark.option("cfa.likelihood", "lavaan 0.6-14, differences of 12 pairs of models")
@pytest.mark.parametrize("case", WISHART, ids=[case["name"] for case in WISHART])
def test_wishart_differences_as_lavaan(case: dict[str, Any]) -> None:
    given: dict[str, Any] = {"estimator": case["estimator"], "likelihood": "wishart"}
    given |= {"missing": "fiml"} if case["kind"] == "gaps" else {}
    given |= {"group": "g2"} if case["kind"] == "groups" else {}
    equal = {"group_equal": ["loadings"]} if case["kind"] == "groups" else {}
    larger = ak.cfa(case["models"][0], grid_data(), **given)
    smaller = ak.cfa(case["models"][1], grid_data(), **given, **equal)
    for test in case["tests"]:
        row = ak.compare(larger, smaller, method=test["method"]).tidy().iloc[1]
        assert_close(row["chisq_diff"], test["statistic"], "fit_measure", test["method"])
        assert_close(row["df_diff"], test["df"], "count", f"{test['method']}: df")
        slope = TOLERANCES["fit_measure"]["rel"] * test["statistic"]
        assert_within(abs(row["p_value"] - test["p_value"]), slope, "fit_measure", "p", "p values differ")
    if case["residuals"]:
        found = larger.residual_matrix("standardized")["cov"].iloc[1:, 0]
        assert_close(found, case["residuals"], "statistic", "standardised residuals")


@pytest.mark.option("cfa.cluster", "lavaan 0.6-14, words for tests and information")
@pytest.mark.parametrize("row", CLUSTERS, ids=[title(row) for row in CLUSTERS])
def test_words_for_clusters_as_lavaan(row: dict[str, Any]) -> None:
    filled = [{"factor": None, "shift": None, "p_value": None, **test} for test in row["tests"]]
    compare({"measures": None, **row, "tests": filled})
