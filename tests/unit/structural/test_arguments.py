"""Options, models and data handed in wrongly: the message names what, where and what to do, and shows no row."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.structural.test_bad_data import COV, MODEL, data

FRAME = data()
TWO = "f =~ w1 + w2 + w3\ng =~ v1 + v2 + v3"
NEXT = data().sample(frac=1, random_state=1).reset_index(drop=True)
BOTH = FRAME.assign(**{f"v{i}": NEXT[f"w{i}"] + 0.3 * FRAME["w4"] for i in (1, 2, 3)})
PATH = "w1 ~ a*w2\nw3 ~ b*w1\nd := a*b"


def said(call: Callable[[], Any]) -> str:
    """Return the warnings of a call as one text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return " ".join(str(w.message) for w in caught)


@pytest.fixture(scope="module")
def fit() -> Any:
    return ak.cfa(TWO, BOTH)


@pytest.mark.parametrize("name", ["std_lv", "orthogonal", "meanstructure", "fixed_x"])
def test_flags_are_true_or_false(name: str) -> None:
    for call in (lambda o: ak.cfa(MODEL, FRAME, **o), lambda o: ak.parameter_table(MODEL, **o)):
        with pytest.raises(ak.SpecError, match=f"{name}='no' is not a flag. Give {name}=True or {name}=False"):
            call({name: "no"})
    assert ak.cfa(MODEL, FRAME, **{name: np.bool_(False)}).converged


def test_htmt_takes_a_flag(fit: Any) -> None:
    with pytest.raises(ak.SpecError, match="geometric='no' is not a flag"):
        fit.htmt(geometric="no")


def test_a_covariance_matrix_is_not_rows() -> None:
    for call in (lambda: ak.cfa(MODEL, COV), lambda: ak.efa(COV), lambda: ak.cfa(MODEL, COV.rename(str, axis=1))):
        with pytest.raises(ak.SpecError, match=r"covariance or correlation matrix.*sample_cov=.*sample_nobs="):
            call()


def test_a_label_with_the_name_of_a_column_is_named() -> None:
    text = said(lambda: ak.sem("w1 ~ w2*w3", FRAME))
    assert "w2 is taken as a label; an interaction is written w2:w3 (model line 1)" in text
    assert "taken as a label (model line 1)" in said(lambda: ak.sem("f =~ w1 + w5*w2 + w3", FRAME))
    assert not said(lambda: ak.sem("w1 ~ a*w3", FRAME))


def test_rows_of_one_patient_are_named_where_a_study_says_who_is_who() -> None:
    study = ak.read_study("data/tfcbt")
    model = "b =~ wai_3 + wai_5 + wai_8 + wai_9"
    words = 'rows of one patient are not independent. Give cluster="patient", or take the rows of one session'
    items = ["wai_3", "wai_5", "wai_8", "wai_9"]
    assert words in said(lambda: ak.cfa(model, study, missing="fiml"))
    assert words in said(lambda: ak.efa(study, 1, items=items, missing="fiml"))
    assert words not in said(lambda: ak.cfa(model, study, missing="fiml", cluster="patient"))
    assert words not in said(lambda: ak.cfa(model, study.data, missing="fiml"))


def test_rows_left_out_on_purpose_are_counted_without_advice() -> None:
    frame = FRAME.assign(w1=FRAME["w1"].where(FRAME.index > 9))
    text = said(lambda: ak.cfa(MODEL, frame, missing="listwise"))
    assert text == '10 of 200 rows have a missing value and are left out. missing="fiml" uses them.'
    assert 'missing="listwise" if they are meant to be left out' in said(lambda: ak.cfa(MODEL, frame))


NUMBERS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda _: ak.cfa(MODEL, FRAME, seed="a"), "seed='a' is not a seed"),  # type: ignore[arg-type]
    (lambda _: ak.efa(FRAME[["w1", "w2", "w3", "w4"]], seed=-1), "seed=-1 is not a seed"),
    (lambda f: f.bootstrap(5, seed=-1), "seed=-1 is not a seed"),
    (lambda f: f.bootstrap("5"), "n='5' is not a number of samples"),
    (lambda f: f.model_tests(10, seed="a"), "seed='a' is not a seed"),
    (lambda f: f.modification_indices(minimum="10"), "minimum='10' is not a number"),
    (lambda f: f.standardized(level="95%"), "level='95%' is not a confidence level"),
    (lambda f: f.tidy(level="95%"), "level='95%' is not a confidence level"),
    (lambda _: ak.sem(PATH, FRAME).monte_carlo("1000"), "n='1000' is not a whole number"),  # type: ignore[arg-type]
    (lambda _: ak.sem(PATH, FRAME).monte_carlo(seed="a"), "seed='a' is not a seed"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "words"), NUMBERS, ids=[words for _, words in NUMBERS])
def test_numbers_that_are_none(call: Callable[[Any], Any], words: str, fit: Any) -> None:
    with pytest.raises(ak.SpecError, match=words):
        call(fit)


@pytest.mark.parametrize("name", ["stdlv", "std.lv"])
def test_an_unknown_option_is_named_with_the_nearest(name: str) -> None:
    for function in (ak.cfa, ak.sem, ak.growth):
        with pytest.raises(ak.SpecError, match=f"{name}= is not an option of ak.{function.__name__}.* mean std_lv"):
            function(MODEL, FRAME, **{name: True})  # type: ignore[arg-type]
    with pytest.raises(ak.SpecError, match=r"nfactor= is not an option of ak.efa. Did you mean nfactors"):
        ak.efa(FRAME, nfactor=2)  # type: ignore[call-arg]


def test_a_frame_is_not_shown_in_a_message() -> None:
    secret = pd.DataFrame({"w1": [987654.0]})
    for call in (
        lambda: ak.parameter_table(MODEL, secret),  # type: ignore[arg-type]
        lambda: ak.cfa(MODEL, FRAME, group=secret["w1"]),  # type: ignore[arg-type]
    ):
        with pytest.raises(ak.SpecError, match=r"=<(DataFrame|Series)>") as caught:
            call()
        assert "987654" not in str(caught.value)


def test_names_of_lavaan_lead_to_the_method(fit: Any) -> None:
    for name, method in (
        ("modindices", "modification_indices"),
        ("fitMeasures", "fit_measures"),
        ("predict", "factor_scores"),
        ("parameterEstimates", "tidy"),
    ):
        with pytest.raises(AttributeError, match=rf"lavaan's {name}\(\) is fit.{method}\(\)"):
            getattr(fit, name)
        assert not hasattr(fit, name) and hasattr(fit, method)
    with pytest.raises(AttributeError, match="one method for each thing"):
        _ = fit.lavInspect
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fit.nothing
    for other in (pickle.loads(pickle.dumps(fit)), copy.copy(fit), copy.deepcopy(fit)):
        assert other.log_likelihood == fit.log_likelihood


TABLES: list[tuple[dict[str, Any], str]] = [
    ({"groups": "gender"}, "groups='gender' is one text, not the labels of groups"),
    ({"categories": {"w3": 1}}, "'w3' in categories= has 1 categories. Give a whole number from 2"),
    ({"categories": {"w3": "many"}}, "'w3' in categories= has 'many' categories"),
]


@pytest.mark.parametrize(("options", "words"), TABLES, ids=[words for _, words in TABLES])
def test_tables_that_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ak.SpecError, match=words):
        ak.parameter_table(MODEL, **options)


def test_the_level_of_scores_is_checked_with_one_level(fit: Any) -> None:
    with pytest.raises(ak.SpecError, match=r"level='betwen' is not an option. Did you mean level='between'"):
        fit.factor_scores(level="betwen")


def test_rows_without_a_group_are_named() -> None:
    lost = FRAME.assign(group=FRAME["group"].where(FRAME.index > 5))
    words = "6 of 200 rows have no value in 'group' and are left out"
    assert words in said(lambda: ak.cfa(MODEL, lost, group="group"))


def test_a_crosscheck_takes_one_name_or_several(fit: Any) -> None:
    engines = [ak.crosscheck(fit, peers=peers).glance()["engine"].item() for peers in (None, "semopy", ["semopy"])]
    assert all(engine.startswith("semopy") for engine in engines)
    with pytest.raises(ak.SpecError, match="peers='mixedlm' is not an option"):
        ak.crosscheck(fit, peers="mixedlm")


WORDS: list[tuple[dict[str, Any], str]] = [
    ({"estimator": "wlsmv", "missing": "fiml"}, "estimator WLSMV is for ordinal variables.*ordered= is missing"),
    ({"bounds": True}, "bounds=True is not a word. Give one of these words: none, pos.var"),
    ({"parameterization": "thetta"}, "parameterization='thetta' is not an option"),
]


@pytest.mark.parametrize(("options", "words"), WORDS, ids=[words for _, words in WORDS])
def test_words_that_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ak.SpecError, match=words):
        ak.cfa(MODEL, FRAME, **options)


LINES = [
    ("b =~ w1, w2", r"',' is not expected here.*Join variables by \+"),
    ("w1 ~ log(w2)", r"'\(' is not expected here.*make the column first"),
    ("w1 ~ w2 + (1|person)", "Random effects are for ak.mixed; here name the column in cluster= and write level:"),
]


@pytest.mark.parametrize(("model", "words"), LINES, ids=[model for model, _ in LINES])
def test_lines_of_other_languages_say_what_to_write(model: str, words: str) -> None:
    with pytest.raises(ak.SpecError, match=f"(?s){words}"):
        ak.sem(model, FRAME)


def test_model_and_data_in_the_wrong_order() -> None:
    with pytest.raises(ak.SpecError, match="Write the model first, then the data"):
        ak.cfa(FRAME, MODEL)  # type: ignore[arg-type]


def test_case_of_words_does_not_matter(fit: Any) -> None:
    assert ak.cfa(MODEL, FRAME, likelihood="Wishart")._fit.options.likelihood == "wishart"
    assert ak.cfa("f =~ u1 + u2 + u3", FRAME, ordered=True, parameterization="Theta")._fit.options.rules.theta
    pd.testing.assert_frame_equal(fit.factor_scores("Bartlett"), fit.factor_scores("bartlett"))
    ordinal = ak.cfa("f =~ u1 + u2 + u3", FRAME, ordered=True)
    pd.testing.assert_frame_equal(ordinal.factor_scores("EBM"), ordinal.factor_scores("ebm"))


def test_a_comparison_names_both_kinds_of_fits() -> None:
    with pytest.raises(ak.SpecError, match=r"a str is not a fitted model.*ak.mixed, or of ak.cfa"):
        ak.compare("a", "b")  # type: ignore[arg-type]


LAVAAN_WORDS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda f: f.summary(standardised=True), r"standardised= is not an option of fit\.summary\. .*standardized\?"),
    (lambda f: f.summary(**{"fit.measures": True}), "Did you mean fit_measures"),
    (lambda f: f.modification_indices(minimum_value=4), "Did you mean minimum"),
    (lambda f: f.modification_indices(sort=True), "Options are: minimum, op"),
    (lambda f: f.factor_scores(type="lv"), "Options are: method, level, new"),
    (lambda f: f.factor_scores(newdata=FRAME), "Did you mean new"),
    (lambda f: f.bootstrap(R=10), "Did you mean n"),
]


@pytest.mark.parametrize(("call", "words"), LAVAAN_WORDS, ids=[words for _, words in LAVAAN_WORDS])
def test_options_of_methods_in_lavaans_words_are_answered(call: Callable[[Any], Any], words: str, fit: Any) -> None:
    with pytest.raises(ak.SpecError, match=words):
        call(fit)


def test_functions_of_r_are_answered_with_the_method(fit: Any) -> None:
    for name, method in (("coef", "tidy"), ("residuals", "residual_matrix"), ("AIC", 'fit_measures()["aic"]')):
        with pytest.raises(AttributeError) as caught:
            getattr(fit, name)
        assert str(caught.value).startswith(f"lavaan's {name}() is fit.{method}")


def test_a_number_of_samples_alone_draws_nothing_and_is_refused() -> None:
    for call in (
        lambda: ak.cfa(MODEL, FRAME, bootstrap=1000),
        lambda: ak.efa(FRAME[["w1", "w2", "w3", "w4"]], bootstrap=500),
    ):
        with pytest.raises(ak.SpecError, match=r'alone draws nothing. Give se="bootstrap"'):
            call()
    assert len(ak.sem(PATH, FRAME, se="bootstrap", bootstrap=20)._fit.replicates.replicates) == 20  # type: ignore[union-attr]


def test_equal_thresholds_need_ordinal_variables() -> None:
    data = FRAME.assign(half=["a", "b"] * (len(FRAME) // 2))
    with pytest.raises(ak.SpecError, match=r'group_equal="thresholds" is for ordinal variables.*"intercepts"'):
        ak.cfa(MODEL, data, group="half", group_equal=["loadings", "thresholds"])


@pytest.mark.option("StructuralFit.fit_measures.names", "unit")
def test_fit_measures_are_found_by_name_and_other_names_are_answered() -> None:
    fit = ak.cfa(TWO, BOTH, estimator="MLR")
    found = fit.fit_measures()
    assert fit.fit_measures("cfi").to_dict() == {"cfi": found["cfi"]}
    assert fit.fit_measures(["cfi.robust", "rmsea"]).to_dict() == {n: found[n] for n in ("cfi_robust", "rmsea")}
    assert found.get("cfi.robust") is None and type(found * 2) is pd.Series
    asked: list[Callable[[], Any]] = [lambda: found["cfi.robustt"], lambda: found[["tli", "cfi.robustt"]]]
    for call in (*asked, lambda: fit.fit_measures("cfi.robustt")):
        with pytest.raises(ak.SpecError, match=r'mean fit\.fit_measures\(\)\["cfi_robust"\]\? .*underscores.*a Series'):
            call()
    with pytest.raises(KeyError, match=r"'cfi\.robust' is not among the fit measures"):
        found["cfi.robust"]
    with pytest.raises(KeyError, match=r"^3$"):
        found[3]
