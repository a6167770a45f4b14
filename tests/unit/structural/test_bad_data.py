"""Models and data that do not go together: what is wrong is named, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.errors import DesignWarning

MODEL = "f =~ w1 + w2 + w3 + w4"
NAMES = ["w1", "w2", "w3", "w4"]


def data(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(20240702)
    f = rng.normal(size=n)
    frame = pd.DataFrame({f"w{i}": 0.8 * f + rng.normal(size=n) for i in range(1, 7)})
    group = np.where(np.arange(n) % 2, "a", "b")
    for i in (1, 2, 3):
        frame[f"u{i}"] = np.digitize(0.8 * f + rng.normal(size=n), [-1, 0, 1])
    return frame.assign(
        group=group,
        ward=np.arange(n) % 20,
        person=np.arange(n),
        one=1,
        text="yes",
        digits=frame["w1"].astype(str),
        objects=frame["w1"].astype(object).where(np.arange(n) > 3, None),
        empty=np.nan,
        infinite=np.where(np.arange(n) == 3, np.inf, frame["w1"]),
        total=frame["w1"] + frame["w2"],
        sex=pd.Categorical(np.where(f > 0, "m", "f")),
        flat=np.where(group == "a", 1.0, frame["w5"]),
        gap=np.where((group == "a") & (frame["u1"] == 3), 2, frame["u1"]),
    )


COLUMNS = [
    ("f =~ w1 + w2 + ww3", r"'ww3' \(nearest: 'w3'\)"),
    ("w4 =~ w1 + w2 + w3", "'w4' is a latent variable of the model and a column of the data"),
    ("f =~ w1 + w2 + w3\nf ~~ ww", "'ww'"),
    ("f =~ w1 + w2 + text", "'text' is text: 'yes', 'yes', 'yes' are no numbers"),
    ("f =~ w1 + w2 + digits", "'digits' is text"),
    ("f =~ w1 + w2 + objects", r"'objects' is a column of objects that are numbers .*pandas\.to_numeric"),
    ("f =~ w1 + w2 + sex", r"'sex' is a column of categories \(f, m\)"),
    ("f =~ w1 + w2 + infinite", "'infinite' has infinite values"),
    ("f =~ w1 + w2 + one", "'one' has the same value in every row"),
    ("f =~ w1 + w2 + empty", "'empty' has no value in any row"),
    ("f =~ w1 + w2 + w3 + total", "w1, w2, total are linearly dependent"),
]


@pytest.mark.parametrize(("model", "words"), COLUMNS, ids=[words for _, words in COLUMNS])
def test_columns_that_cannot_be_used(model: str, words: str) -> None:
    with pytest.raises(ak.DesignError, match=words):
        ak.cfa(model, data())


def test_what_is_not_in_the_rows_used() -> None:
    with pytest.raises(ak.DesignError, match="'empty' has no value in the rows used"):
        ak.cfa("f =~ w1 + w2 + empty", data(), missing="fiml")
    with pytest.raises(ak.DesignError, match="4 rows for 4 variables"):
        ak.cfa(MODEL, data().head(4))
    with pytest.raises(ak.DesignError, match="no rows"):
        ak.cfa(MODEL, data().iloc[:0])
    half = data().assign(w1=lambda d: d["w1"].where(d.index < 100), w2=lambda d: d["w2"].where(d.index >= 100))
    with pytest.raises(ak.DesignError, match="no row has a value in every variable"):
        ak.cfa(MODEL, half)


def test_two_columns_of_one_name() -> None:
    frame = pd.concat([data()[NAMES], data()[["w1"]]], axis=1)
    with pytest.raises(ak.DesignError, match="2 columns named 'w1'"):
        ak.cfa(MODEL, frame)


@pytest.mark.option("cfa.missing", "bad data")
def test_incomplete_rows_are_left_out_and_counted() -> None:
    frame = data()
    frame.loc[:11, "w2"] = np.nan
    with pytest.warns(ak.DesignWarning, match="12 of 200 rows have a missing value and are left out"):
        fit = ak.cfa(MODEL, frame)
    assert fit.nobs == 188
    assert fit.sample.dropped == (("missing in a variable of the model", 12),)
    assert fit.sample.rows_used.sum() == 188
    named = frame.assign(group=frame["group"].where(frame.index > 2))
    with pytest.warns(ak.DesignWarning, match="3 of 200 rows have no value in 'group' and are left out"):
        fit = ak.cfa(MODEL, named, group="group", missing="fiml")
    assert fit.sample.dropped == (("missing in 'group'", 3),)
    assert fit.sample.groups == {"a": 99, "b": 98}


GROUPS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    (MODEL, {"group": "one"}, ak.DesignError, "'one' has 1 group"),
    (MODEL, {"group": "person"}, ak.DesignError, "200 groups. Is it an id"),
    (MODEL, {"group": "grup"}, ak.DesignError, "nearest: 'group'"),
    ("f =~ w1 + w2 + flat", {"group": "group"}, ak.DesignError, r"'flat' has the same value .*group 'a'"),
    ("group: a\nf =~ w1 + w2 + w3\ngroup: b\nf =~ w1 + w2", {}, ak.SpecError, "the data have no groups"),
    ("group: a\nf =~ w1 + w2 + w3\ngroup: c\nf =~ w1", {"group": "group"}, ak.SpecError, "'group: c'"),
    (MODEL, {"group_equal": "loadings"}, ak.SpecError, "group_equal needs groups"),
    (MODEL, {"group": "group", "group_equal": "loadings", "group_partial": "f =~ w9"}, ak.SpecError, "'f=~w9'"),
    ("f =~ w1 + c(1, 2, 3)*w2", {"group": "group"}, ak.SpecError, "3 values are given for 2 groups"),
    (MODEL, {"cluster": "wart"}, ak.DesignError, "nearest: 'ward'"),
    (MODEL, {"cluster": "one"}, ak.DesignError, "all rows used are in one cluster"),
    ("level: 1\nf =~ w1 + w2 + w3\nlevel: 2\ng =~ w1 + w2 + w3", {}, ak.SpecError, "two levels needs clusters"),
    (
        "level: 1\nf =~ w1 + w2 + w3\nlevel: 2\ng =~ w1 + w2 + w3",
        {"cluster": "person"},
        ak.DesignError,
        "Every cluster has a single row",
    ),
    ("level: 1\nf =~ w1 + w2\nlevel: 2\nf =~ w1\nlevel: 3\nf =~ w1", {"cluster": "ward"}, ak.SpecError, "3 levels"),
    ("level: 1\nf =~ w1 + w2 + w3", {"cluster": "ward"}, ak.SpecError, "one level: block"),
]


@pytest.mark.parametrize(("model", "given", "kind", "words"), GROUPS, ids=[g[3] for g in GROUPS])
def test_groups_and_clusters_that_cannot_be_used(
    model: str, given: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        ak.cfa(model, data(), **given)


MODELS = [
    ("f =~ w1 + w2 + w1", "'f =~ w1' is written twice"),
    ("f =~ w1 + a*w2 + w3\nb == 2", "'b' is not a label of the model"),
    ("f =~ w1 + load*w2 + w3\nd := 2*laod", "Did you mean 'load'?"),
    ("f =~ w1 + w2 + w3\nd := 2*w1", "'w1' is not a label of the model"),
    ("f =~ w1 + a*w2 + b*w3\na == b\na == b + 1", "contradict each other"),
    ("a == 1", "no variables"),
    ('f =~ w1 + w2 + equal("f=~w9")*w3', "names no parameter"),
    ("f =~ w1 + w2 + __import__('os')", "is not expected here"),
]


@pytest.mark.parametrize(("model", "words"), MODELS, ids=[words for _, words in MODELS])
def test_models_that_cannot_be(model: str, words: str) -> None:
    with pytest.raises(ak.SpecError, match=words):
        ak.cfa(model, data())


@pytest.mark.parametrize("model", ["f =~ w1 + w2", "f =~ NA*w1 + w2 + w3"])
def test_models_that_are_not_identified_are_fitted_and_say_which_parameters(model: str) -> None:
    with pytest.warns(ak.ConvergenceWarning) as caught:
        fit = ak.cfa(model, data())
    words = " ".join(str(w.message) for w in caught)
    assert "not identified: f=~" in words
    assert "1 parameter more than the data have moments" in words
    assert fit.fit_measures()["df"] == -1


@pytest.mark.option("cfa.ordered", "bad data")
@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ("f =~ u1 + u2 + u3", {"ordered": ["u1", "u22"]}, "'u22', which is no observed variable .* Did you mean u2?"),
        ("f =~ u1 + u2 + text", {"ordered": True}, "'text' is ordinal and text, whose order is not known"),
        ("f =~ u1 + u2 + sex", {"ordered": True}, "'sex' is ordinal and its categories have no order"),
        ("f =~ u1 + u2 + one", {"ordered": True}, "'one' has only the category 1"),
        ("f =~ u1 + u2 + w1", {"ordered": True}, "'w1' has 200 categories"),
        ("f =~ gap + u2 + u3", {"ordered": True, "group": "group"}, r"category 3 of 'gap' \(group 'a'\)"),
        ("u2 ~ u1", {"ordered": "u1"}, "'u1' is in ordered= and a covariate"),
        ("f =~ u1 + u2 + u3", {"ordered": True, "estimator": "ML"}, "estimator ML does not take ordinal variables"),
        ("f =~ u1 + u2 + u3", {"ordered": True, "missing": "fiml"}, "full information is not for ordinal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_ordinal_variables_that_cannot_be(model: str, given: dict[str, Any], words: str) -> None:
    with pytest.raises((ak.SpecError, ak.DesignError), match=words):
        ak.cfa(model, data(), **given)


def square(values: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(values, index=list("abc"), columns=list("abc"))


def moments(**given: Any) -> Callable[[], Any]:
    return lambda: ak.cfa(given.pop("model", MODEL), **given)


COV = data()[NAMES].cov()
THREE = "f =~ a + b + c"
MOMENTS: list[tuple[Callable[[], Any], str]] = [
    (moments(), "there are no data"),
    (moments(data=[1, 2]), "is not a study"),
    (moments(data=data(), sample_cov=COV, sample_nobs=200), "data and sample_cov are both given"),
    (moments(sample_cov=COV), "sample_cov needs sample_nobs"),
    (moments(sample_cov=COV, sample_nobs=4), "sample_nobs=4 for 4 variables"),
    (moments(sample_cov=COV.to_numpy(), sample_nobs=200), "needs names"),
    (moments(sample_cov=COV.iloc[:3, :3], sample_nobs=200), "'w4'"),
    (moments(sample_cov=COV, sample_nobs=200, group="group"), "group= names a column, and there are no data"),
    (moments(sample_cov=COV, sample_nobs=200, meanstructure=True), "sample_mean is not given"),
    (moments(sample_cov=COV, sample_nobs=200, sample_mean=[0, 0, 0, 0]), "sample_mean needs names"),
    (moments(sample_cov=COV, sample_nobs=200, estimator="MLM"), "need the rows of the data"),
    (moments(sample_cov=COV, sample_nobs=200, estimator="MLR"), "need the rows of the data"),
    (moments(sample_cov=COV, sample_nobs=200, estimator="WLS"), "needs the rows of the data"),
    (moments(sample_cov=COV, sample_nobs=200, ordered=True), "ordinal variables need the data"),
    (
        moments(model=THREE, sample_cov=square([[1, 0.9, 0.9], [0.1, 1, 0.9], [0.9, 0.9, 1]]), sample_nobs=99),
        "not symmetric: a with b is 0.9 and 0.1",
    ),
    (
        moments(model=THREE, sample_cov=square([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]), sample_nobs=99),
        "not positive definite",
    ),
    (
        moments(model=THREE, sample_cov=square([[1, np.nan, 0.9], [0.1, 1, 0.9], [0.9, 0.9, 1]]), sample_nobs=99),
        "missing values",
    ),
]


@pytest.mark.option("cfa.sample_cov", "bad data")
@pytest.mark.option("cfa.sample_mean", "bad data")
@pytest.mark.option("cfa.sample_nobs", "bad data")
@pytest.mark.parametrize(("call", "words"), MOMENTS, ids=[words for _, words in MOMENTS])
def test_moments_that_cannot_be(call: Callable[[], Any], words: str) -> None:
    with pytest.raises((ak.SpecError, ak.DesignError), match=words):
        call()


def test_a_table_for_other_groups() -> None:
    with pytest.raises(ak.DesignError, match="the table is for groups"):
        ak.cfa(ak.parameter_table(MODEL), data(), group="group")


@pytest.mark.parametrize("function", [ak.cfa, ak.sem, ak.growth])
def test_each_function_names_a_wrong_word(function: Callable[..., Any]) -> None:
    with pytest.raises(ak.SpecError, match="estimator='MLX' is not an option"):
        function(MODEL, data(), estimator="MLX")


def test_what_uses_incomplete_rows_goes_with_the_estimator() -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(rng.normal(size=(200, 1)) + rng.normal(size=(200, 4)), columns=list("abcd"))
    frame.loc[3, "a"] = np.nan
    for estimator, words in (("ML", 'Give missing="fiml"'), ("GLS", 'Give estimator="MLR" and missing="fiml"')):
        with pytest.warns(DesignWarning, match="left out") as caught:
            ak.cfa("f =~ a + b + c + d", frame, estimator=estimator)
        assert words in str(caught[0].message)
