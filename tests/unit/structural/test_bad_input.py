"""Wrong models, data and moments end in a message that says what, where and what to do; never in a bare traceback."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.structural.test_bad_data import COV, MODEL, NAMES, data

OURS = (ak.SpecError, ak.DesignError, ak.FitError)
FRAME = data()
THREE = "f =~ w1 + w2 + w3"
FOUR = "f =~ w1 + a*w2 + b*w3 + c*w4"
ORDINAL = "f =~ u1 + u2 + u3"
LEVELS = "level: 1\nf =~ w1 + w2 + w3\nlevel: 2\nh =~ w1 + w2 + w3"
TWICE = pd.concat([FRAME, FRAME[["w1", "group", "ward", "u1"]]], axis=1)


def quietly(call: Callable[[], Any]) -> tuple[Any, str]:
    """Return what a call returns, and its warnings as one text; warnings of other packages fail."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = call()
    assert all(issubclass(w.category, (ak.DesignWarning, ak.ConvergenceWarning)) for w in caught), caught
    return out, " ".join(str(w.message) for w in caught)


REFUSED_MODELS = [
    ("", "the model is empty"),
    ("f w1 w2", "no operator"),
    ("f = ~ w1 + w2", "'=' is not expected here"),
    ("f =~ w1 + w2 +", "the line ends here"),
    ("f =~ 'a b' + w1", "rename the column"),
    ("f =~ `a b` + w1", "has no meaning here"),
    ("f =~ <script>*w1 + w2", "a variable is expected, not <"),
    ("f =~ w1 + w2\nd := __import__('os')", "is not a function that constraints know"),
    (FOUR + "\nd := a.__class__", "'a.__class__' is not a label"),
    (FOUR + "\nd := lambda: a", "is not expected here"),
    (FOUR + "\nd := d + a", "'d' is defined by itself"),
    (FOUR + "\nd := e\ne := d", "'e' is defined below the line that uses it"),
    (FOUR + "\nd := a\nd := b", "'d' is defined twice"),
    (FOUR + "\na := 2*b", "'a' is the label of a parameter"),
    (FOUR + "\nd := " + "+".join(["a"] * 3000), "a chain of more than"),
    (FOUR + "\nd := " + "(" * 3000 + "a" + ")" * 3000, "too many brackets"),
    (FOUR + "\nd := " + "-" * 3000 + "a", "too many signs"),
    (FOUR + "\na == 1\na == 2", r"cannot hold together with those before it \(a == 2\)"),
    (FOUR + "\n1 == 2", "contradict"),
    (FOUR + "\na == 1\na > 2", r"this cannot hold, whatever the estimates \(a > 2\)"),
    ("f =~ w1 + a*w2 + upper(0.5)*w2 + w3 + w4\na == 1", "outside its bounds"),
    ("f =~ w1 + lower(2)*w2 + upper(1)*w2 + w3", "the lower bound 2 is above the upper bound 1"),
    ("f =~ w1 + w2 + f", "stands on both sides"),
    ("w1 ~ w1", "stands on both sides"),
    (THREE + "\nw1 ~*~ w1", "is the scale of an ordinal variable"),
    (THREE + "\nw1 | t1", "'w1' has 200 categories"),
    (THREE + "\ngroup: a", "this block has no lines"),
    ("level: 1\nlevel: 2\n" + THREE, "this block has no lines"),
    (THREE + "\nf ~ grop", "nearest: 'group'"),
    ("g ~ f\n" + THREE, "'g'"),
    ("f =~ g + w1 + w2\ng =~ f + w3 + w4", "not positive definite"),
    ("w1 ~ 1*w2\nw2 ~ 1*w1", "not positive definite"),
    ("f =~ 1*w1 + 1*w2\nw1 ~~ 0*w1\nw2 ~~ 0*w2", "singular: 'w2' follows from the others"),
    (3, "the model must be text"),
    ([THREE], "the model must be text"),
]


@pytest.mark.parametrize(("model", "words"), REFUSED_MODELS, ids=[words[:40] for _, words in REFUSED_MODELS])
def test_models_that_are_refused(model: Any, words: str) -> None:
    with pytest.raises(OURS, match=words) as caught:
        ak.sem(model, FRAME)
    assert len(str(caught.value)) < 900


def test_a_very_long_line_is_shown_in_part() -> None:
    line = "f =~ " + " + ".join(f"v{i}" for i in range(4000)) + " + `"
    with pytest.raises(ak.SpecError, match="has no meaning here") as caught:
        ak.cfa(line, FRAME)
    message = str(caught.value)
    shown, pointer = message.split("\n")[-2:]
    assert len(shown) <= 160
    assert shown[len(pointer) - 1 :] == "`"


ODD_NAMES = [
    ("f =~ class + w1 + w2 + w4", {}),
    ("f =~ w1 + if*w2 + lambda*w3 + w4\nfor := if + lambda", {}),
    ("f =~ w1 + None*w2 + True*w3 + w4", {}),
    ("bünd =~ wörk.1 + w2 + w3 + w4", {}),
    ("f =~ w.1 + w2 + w3 + w4", {}),
    ("f =~ b1 + b2 + b3 + w4", {}),
    ("f =~ b1 + b2 + b3", {"ordered": True}),
    (ORDINAL + "\nu1 | t1 + t2 + t3", {}),
    (MODEL, {"group": "half"}),
]


@pytest.mark.parametrize(("model", "options"), ODD_NAMES, ids=[model[:30] for model, _ in ODD_NAMES])
def test_odd_names_and_columns_that_are_fine(model: str, options: dict[str, Any]) -> None:
    frame = FRAME.assign(**{"class": FRAME["w3"], "wörk.1": FRAME["w1"], "w.1": FRAME["w1"]})
    frame = frame.assign(**{f"b{i}": frame[f"w{i}"] > 0 for i in (1, 2, 3)}, half=np.arange(200) % 2 == 0)
    fit, said = quietly(lambda: ak.cfa(model, frame, **options))
    assert fit.converged
    assert "stopped" not in said
    assert ("u1|t1" in fit.table.names()) == model.startswith(ORDINAL)


def marked(n: int, value: Any) -> pd.DataFrame:
    """The group column with another label in the first n rows."""
    return FRAME.assign(group=[value] * n + FRAME["group"].tolist()[n:])


REFUSED_DATA: list[tuple[str, pd.DataFrame, dict[str, Any], str]] = [
    (MODEL, TWICE, {"missing": "fiml"}, "2 columns named 'w1'"),
    ("f =~ w2 + w3 + w4", TWICE, {"group": "group"}, "2 columns named 'group'"),
    ("f =~ w2 + w3 + w4", TWICE, {"cluster": "ward"}, "2 columns named 'ward'"),
    (ORDINAL, TWICE, {"ordered": True}, "2 columns named 'u1'"),
    (MODEL, FRAME, {"group": ["group"]}, "is no name of a column"),
    (MODEL, FRAME, {"cluster": 3}, "is no name of a column"),
    (MODEL, FRAME, {"group": "group", "cluster": "group"}, "all rows used are in one cluster of 'group'"),
    ("f =~ w1 + w2 + w3 + u1", FRAME, {"group": "u1"}, "'u1' is the column of groups and a variable of the model"),
    (MODEL, marked(1, "z"), {"group": "group"}, r"there is only one row \(group 'z'\)"),
    (MODEL, marked(1, "z"), {"group": "group", "missing": "fiml"}, r"there is only one row \(group 'z'\)"),
    (ORDINAL, marked(1, "z"), {"group": "group", "ordered": True}, r"nobody is in category 0 of 'u1' \(group 'z'\)"),
    (MODEL, FRAME.assign(group=[1, "1"] * 100), {"group": "group"}, "have the same label: 1 and '1'"),
    (LEVELS, FRAME.assign(ward=[1, "a"] * 100), {"cluster": "ward"}, "text and others that are not"),
    (LEVELS, FRAME, {"cluster": "person"}, "Every cluster has a single row"),
    (MODEL, FRAME.head(1), {"missing": "fiml"}, "there is only one row"),
    (MODEL, FRAME.head(3), {"missing": "fiml"}, "3 rows for 4 variables"),
    (MODEL, FRAME.head(7), {"estimator": "WLS"}, "fewer rows than moments"),
    (MODEL.replace("w4", "infinite"), FRAME, {"missing": "fiml"}, "infinite values"),
    (ORDINAL, FRAME.assign(u3=FRAME["infinite"].where(FRAME["infinite"] > 9, 1)), {"ordered": True}, "infinite values"),
    (ORDINAL.replace("u3", "empty"), FRAME, {"ordered": True, "missing": "pairwise"}, "'empty' has no value"),
    (MODEL.replace("w4", "total"), FRAME, {"missing": "fiml"}, "w1, w2, total are linearly dependent"),
    (MODEL.replace("w4", "total"), FRAME, {"estimator": "GLS"}, "w1, w2, total are linearly dependent"),
    (MODEL, FRAME.assign(w4=FRAME["w4"] * 1e200), {}, "'w4' is too small or too large"),
    (MODEL, FRAME.assign(w4=FRAME["w4"] * 1e-200), {}, "'w4' is too small or too large"),
    (MODEL, FRAME.assign(w4=pd.date_range("2024-01-01", periods=200)), {}, "a column of datetime64"),
    (MODEL, FRAME.assign(w4=FRAME["w4"] + 1j), {}, "a column of complex128"),
    (MODEL, FRAME.assign(w4=np.where(FRAME.index == 4, "x", FRAME["w4"].astype(str))), {}, "'w4' is text: 'x'"),
    (MODEL + "\nf ~ empty", FRAME, {"missing": "fiml"}, "no row has a value in every covariate"),
    (MODEL, FRAME.assign(w1=FRAME["w1"].where(FRAME["group"] == "a")), {"group": "group"}, r"'w1' .* \(group 'b'\)"),
    (MODEL, FRAME, {"sample_nobs": 20}, "sample_nobs is given with the data"),
    (MODEL, FRAME, {"sample_mean": COV.iloc[0]}, "sample_mean is given with the data"),
]


@pytest.mark.parametrize(("model", "frame", "options", "words"), REFUSED_DATA, ids=[r[3][:40] for r in REFUSED_DATA])
def test_data_that_are_refused(model: str, frame: pd.DataFrame, options: dict[str, Any], words: str) -> None:
    with pytest.raises(OURS, match=words):
        ak.cfa(model, frame, **options)


def changed(row: int, column: int, value: Any) -> pd.DataFrame:
    out = COV.astype(object)
    out.iloc[row, column] = value
    return out


TEXT = pd.Series(["low", 0.0, 0.0, 0.0], index=NAMES)
GAP = pd.Series([0.0, np.nan, 0.0, 0.0], index=NAMES)
SAME = COV.set_axis(["w1", "w2", "w3", "w3"]).set_axis(["w1", "w2", "w3", "w3"], axis=1)
REFUSED_MOMENTS: list[tuple[dict[str, Any], str]] = [
    ({"sample_nobs": -10}, "sample_nobs=-10"),
    ({"sample_nobs": 0}, "sample_nobs=0"),
    ({"sample_nobs": float("nan")}, "sample_nobs=nan is no number of rows"),
    ({"sample_nobs": "many"}, "sample_nobs='many' is no number of rows"),
    ({"sample_nobs": 99.5}, "sample_nobs=99.5 is no number of rows"),
    ({"sample_nobs": [100, 100]}, "sample_cov has 1 groups and sample_nobs 2"),
    ({"sample_cov": changed(0, 1, "x")}, "sample_cov has entries that are no numbers"),
    ({"sample_cov": SAME}, "sample_cov has 'w3' twice"),
    ({"sample_cov": COV * 0}, "not positive definite"),
    ({"sample_cov": pd.DataFrame(np.tril(COV), NAMES, NAMES)}, "not symmetric"),
    ({"sample_mean": TEXT}, "sample_mean has entries that are no numbers"),
    ({"sample_mean": GAP}, "sample_mean of 'w2' is missing"),
    ({"sample_mean": GAP.dropna()}, "'w2'"),
    ({"meanstructure": True}, "sample_mean is not given"),
]


@pytest.mark.parametrize(("given", "words"), REFUSED_MOMENTS, ids=[words[:40] for _, words in REFUSED_MOMENTS])
def test_moments_that_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(OURS, match=words):
        ak.cfa(MODEL, **({"sample_cov": COV, "sample_nobs": 100} | given))


WARNED: list[tuple[str, pd.DataFrame, dict[str, Any], str]] = [
    (MODEL, FRAME.head(7), {}, "7 rows for 8 parameters"),
    (MODEL, FRAME.head(7), {"missing": "fiml"}, "7 rows for 12 parameters"),
    (MODEL, FRAME, {"cluster": "person"}, "every cluster has a single row"),
    (FOUR + "\nd := a/0", FRAME, {}, "d has no finite value"),
    (FOUR + "\nd := log(0 - abs(a))", FRAME, {}, "d has no finite value"),
    (FOUR + "\na > 1\na < 0.5", FRAME, {}, "constraints that do not hold at the solution: a"),
    (FOUR + "\na^2 == 0 - 1", FRAME, {}, r"constraints that do not hold at the solution: a\^2 == "),
    ("f =~ NA*w1 + w2 + w3 + w4", FRAME, {}, "not identified: f=~w1"),
    (THREE + "\nw1 ~~ w2", FRAME, {}, r"1 parameter more than the data have moments \(df = -1\)"),
]


@pytest.mark.parametrize(("model", "frame", "options", "words"), WARNED, ids=[r[3][:40] for r in WARNED])
def test_fits_with_a_warning(model: str, frame: pd.DataFrame, options: dict[str, Any], words: str) -> None:
    fit, said = quietly(lambda: ak.cfa(model, frame, **options))
    assert re.search(words, said), said
    for call in (fit.summary, fit.fit_measures, fit.standardized, fit.modification_indices, fit.residual_matrix):
        quietly(call)
    assert any(re.search(words, note) for note in fit.warnings)


def test_collinear_items_with_holes_have_no_chi_square() -> None:
    frame = FRAME.assign(w3=FRAME["w3"].where(FRAME.index > 20))
    fit, said = quietly(lambda: ak.cfa(MODEL.replace("w4", "total"), frame, missing="fiml"))
    assert "unrestricted means and covariances could not be estimated" in said
    measures, _ = quietly(fit.fit_measures)
    assert np.isnan(measures[["chisq", "cfi_robust", "rmsea_robust"]]).all()
    for call in (fit.summary, fit.modification_indices, fit.standardized):
        quietly(call)


def test_items_never_seen_together_have_no_robust_measures() -> None:
    early = FRAME.index < 100
    frame = FRAME.assign(w1=FRAME["w1"].where(early), w2=FRAME["w2"].where(~early))
    fit, said = quietly(lambda: ak.cfa(MODEL, frame, missing="fiml"))
    assert "never observed together: w2 and w1" in said
    measures, _ = quietly(fit.fit_measures)
    assert np.isnan(measures[["cfi_robust", "rmsea_robust"]]).all() and np.isfinite(measures["chisq"])


def test_a_composite_of_everything_models_no_moment() -> None:
    fit, said = quietly(lambda: ak.cfa("f <~ w1 + w2 + w3", FRAME))
    assert "not identified" in said
    assert np.isnan(fit.fit_measures()["gfi"])


@pytest.mark.parametrize("options", [{}, {"missing": "fiml"}, {"estimator": "GLS"}, {"estimator": "MLR"}])
def test_a_model_without_free_parameters_is_tested_as_it_is(options: dict[str, Any]) -> None:
    model = "f =~ 1*w1 + 1*w2 + 1*w3\nf ~~ 0.6*f\nw1 ~~ 1*w1\nw2 ~~ 1*w2\nw3 ~~ 1*w3\nw1 + w2 + w3 ~ 0*1"
    fit, _ = quietly(lambda: ak.cfa(model, FRAME, meanstructure=True, **options))
    measures = fit.fit_measures()
    assert (fit.n_parameters, measures["df"]) == (0, 9)
    assert measures["chisq"] > 0


def test_rows_without_a_group_or_a_cluster_are_left_out_and_counted() -> None:
    lost = FRAME.assign(group=FRAME["group"].where(FRAME.index > 5), ward=FRAME["ward"].where(FRAME.index > 2))
    for options, n in ({"group": "group"}, 6), ({"cluster": "ward"}, 3):
        column = next(iter(options.values()))
        fit, said = quietly(lambda options=options: ak.cfa(MODEL, lost, **options))
        assert fit.sample.dropped == ((f"missing in '{column}'", n),)
        assert f"{n} of 200 rows have no value in '{column}' and are left out" in said


def test_a_column_with_a_number_as_its_name_can_be_the_group() -> None:
    frame = FRAME.rename(columns={"group": 1})
    assert ak.cfa(MODEL, frame, group="1").sample.groups == {"b": 100, "a": 100}


def test_names_are_escaped_where_tables_become_html() -> None:
    frame = FRAME.assign(group=FRAME["group"].map({"a": "<script>alert(1)</script>", "b": "b & c"}))
    fit = ak.cfa(MODEL, frame, group="group")
    for page in (ak.table(fit)._repr_html_(), fit._repr_html_()):
        assert "<script>" not in page
    assert "&lt;script&gt;" in fit._repr_html_()


@pytest.mark.parametrize("estimator", ["WLSMV", "dwls", "ULSMV", "WLSM"])
def test_answers_that_are_treated_as_continuous_are_named(estimator: str) -> None:
    with pytest.warns(ak.DesignWarning, match=r"treats the items as continuous.*ordered=True") as caught:
        fit = ak.cfa(ORDINAL, FRAME, estimator=estimator)
    assert [w.filename for w in caught] == [__file__]
    assert any("continuous" in text for text in fit.warnings)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (ORDINAL, {"estimator": "WLSMV", "ordered": True}),
        (ORDINAL, {"estimator": "MLR"}),
        (ORDINAL, {"estimator": "WLS"}),
        ("f =~ w1 + u2 + u3", {"estimator": "WLSMV"}),
        ("f =~ person + w1 + w2", {"estimator": "WLSMV"}),
        (THREE + "\nu1 ~ f", {"estimator": "WLSMV"}),
    ],
)
def test_other_variables_and_estimators_are_not(model: str, options: dict[str, Any]) -> None:
    assert "continuous" not in quietly(lambda: ak.sem(model, FRAME, **options))[1]
