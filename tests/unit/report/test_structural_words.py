"""Sentences and notes of structural models say what was fitted and claim no more than the numbers do."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.figures_io import draw
from alliancekit.report.structural_path import graphs_of
from alliancekit.structural.result.fit import StructuralFit
from tests.unit.report.test_structural import GROWTH, MODEL, _clustered, _occasions, simulate

PATH = "f =~ w1 + w2 + w3\npost ~ f + pre"


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return simulate()


@pytest.fixture(scope="module")
def drawn(data: pd.DataFrame) -> StructuralFit:
    return ak.sem(PATH, data, missing="listwise", se="bootstrap", bootstrap=60, seed=7)


def test_terms_choose_what_the_sentence_speaks_of(data: pd.DataFrame) -> None:
    fit = ak.sem(PATH.replace("pre", "k*pre"), data)
    text = ak.sentence(fit, terms=["f=~w2", "post ~ f"]).text
    assert text.startswith("The loading of w2 on f was positive") and "The effect of f on post" in text
    assert "pre on post" not in text and "CFI" not in text
    assert "The effect of pre on post" in ak.sentence(fit, terms=["k"]).text
    assert "was fixed, b = 1.00" in ak.sentence(fit, terms=["f =~ w1"]).text
    with pytest.raises(ak.SpecError, match=r"no term 'f =~ w4'.*terms of the sentence"):
        ak.sentence(fit, terms=["f =~ w4"])
    with pytest.raises(ak.SpecError, match="terms= is for a fit"):
        ak.sentence(ak.efa(data, items=["w1", "w2", "w3", "w4"]), terms=["w1"])


def test_a_model_that_is_not_identified_has_no_fit_to_tell(data: pd.DataFrame) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        fit = ak.cfa("f =~ w1 + w2", data, meanstructure=True)
    notes = " ".join(ak.table(fit).notes)
    for text in (ak.sentence(fit).text, notes):
        assert "not identified (df = −1)" in text and "CFI" not in text and "χ²" not in text
    assert "cannot be told from others" in notes


def test_a_bootstrap_is_named_and_its_interval_decides(drawn: StructuralFit) -> None:
    for text in (ak.sentence(drawn).text, " ".join(ak.table(drawn).notes)):
        assert "60 bootstrap samples" in text and "percentiles (seed 7)" in text
    table = drawn.tidy()
    for graph in graphs_of(drawn, "std_all"):
        for edge in (e for e in graph.edges if e.kind == "regression"):
            row = table[(table["op"] == "~") & (table["rhs"] == edge.start)].iloc[0]
            holds_zero = bool(row["conf_low"] <= 0 <= row["conf_high"])
            assert edge.certain is not holds_zero
            said = ak.sentence(drawn, terms=[row["term"]]).text
            assert ("not reliably different" in said) is holds_zero and " p " not in said


def test_the_interval_decides_where_it_disagrees_with_p(drawn: StructuralFit, monkeypatch: pytest.MonkeyPatch) -> None:
    table = drawn.tidy()
    at = table.index[table["term"] == "post ~ f"]
    table.loc[at, ["conf_low", "conf_high", "p_value"]] = [-0.01, 1.5, 0.037]
    monkeypatch.setattr(StructuralFit, "tidy", lambda self, interval="percentile": table)
    assert "f on post was not reliably different from zero" in ak.sentence(drawn).text
    edges = {(e.start, e.end): e for e in graphs_of(drawn, "std_all")[0].edges}
    assert not edges["f", "post"].certain


def test_clusters_and_groups_are_counted(data: pd.DataFrame) -> None:
    text = ak.sentence(ak.cfa("f =~ w1 + w2 + w3", data, group="half")).text
    assert "2 groups (a n = 150, b n = 150)" in text
    model = "level: 1\nf =~ w1 + w2 + w3\nlevel: 2\ng =~ w1 + w2 + w3"
    assert "480 rows in 60 clusters (cluster)" in ak.sentence(ak.cfa(model, _clustered(), cluster="cluster")).text
    assert "in 30 clusters" in ak.sentence(ak.cfa("f =~ w1 + w2 + w3", data, cluster="cluster")).text


def test_growth_models_tell_means_and_variances() -> None:
    fit = ak.growth(GROWTH, _occasions())
    text = ak.sentence(fit).text
    assert "oadings" not in text
    mean = fit.tidy().query("term == 's ~1'")["estimate"].item()
    assert f"factor s had a mean of {mean:.3f}".replace("-", "−") in text
    assert "and a variance of" in text
    predicted = ak.sentence(ak.growth(GROWTH + "\ni + s ~ pre", _occasions())).text
    assert "an intercept of" in predicted and "a residual variance of" in predicted


def test_loadings_of_two_orders_are_told_apart(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL + "\nh =~ f1 + f2 + f3 + f4", data)
    table = fit.tidy().query("op == '=~'")
    text = ak.sentence(fit).text
    for own, what in ((table["lhs"] != "h", "loadings"), (table["lhs"] == "h", "loadings of factors on factors")):
        low, high = (f"{v:.2f}".lstrip("0") for v in (table["std_all"][own].min(), table["std_all"][own].max()))
        assert f"Standardised {what} ranged from {low} to {high}." in text


def test_exploratory_solutions_are_told(data: pd.DataFrame) -> None:
    found = ak.efa(data, items=[f"w{i}" for i in range(1, 7)], nfactors=[1, 2])
    text = ak.sentence(found).text
    assert "of 6 items with 1 and 2 factors" in text and "geomin rotation (oblique)" in text
    assert "Fit with 1 factor: χ²" in text
    value = float(np.asarray(found.factor_correlations(2))[1, 0])
    assert f"The factors correlated {value:.2f}".replace("0.", ".") in text


def test_robust_is_said_of_each_measure(data: pd.DataFrame) -> None:
    text = ak.sentence(ak.cfa(MODEL, data, estimator="MLR")).text
    assert "robust CFI" in text and "robust TLI" in text


def test_one_iteration_is_singular(data: pd.DataFrame) -> None:
    text = ak.sem("post ~ pre", data).summary()
    count = int(re.findall(r"after (\d+) iteration", text)[0])
    assert ("iterations" in text.splitlines()[0]) is (count != 1)


def test_models_that_are_not_nested_get_no_verdict(data: pd.DataFrame) -> None:
    """Of two models the one with more df fits better: a negative difference is no test."""
    items = [f"w{i}" for i in range(1, 7)]
    bad = "f =~ " + " + ".join(items) + "\nw1 ~~ w4"
    good = "f =~ w1 + w2 + w3\ng =~ w4 + w5 + w6\nf ~~ k*g\nw1 ~~ j*w1\nw2 ~~ j*w2"
    fits = [ak.cfa(bad, data, missing="listwise"), ak.cfa(good, data, missing="listwise")]
    with pytest.warns(ak.DesignWarning, match="not nested, or one search did not reach"):
        found = ak.compare(*fits, names=["one", "two"])
    last = found.tidy().iloc[-1]
    assert last["chisq_diff"] < 0 and np.isnan(last["p_value"]) and np.isnan(last["rmsea_d"])
    text = ak.sentence(found).text
    assert text.startswith("The models cannot be tested.") and "reliably" not in text and "not nested" in text


def test_the_print_of_a_comparison_has_one_name_for_one_quantity(data: pd.DataFrame) -> None:
    free, equal = ak.cfa("f =~ w1 + w2 + w3 + w4", data), ak.cfa("f =~ w1 + k*w2 + k*w3 + k*w4", data)
    found = ak.compare(free, equal)
    assert {"cfi", "rmsea_d"} <= set(repr(found).split("\n")[0].split()) and "rmsea_diff" not in repr(found)
    assert found.tidy()["cfi"].iloc[1] == equal.fit_measures()["cfi"]
    change = ak.table(found).data["rmsea_diff"].iloc[1]
    assert change == pytest.approx(equal.fit_measures()["rmsea"] - free.fit_measures()["rmsea"])


def _stopped(data: pd.DataFrame) -> StructuralFit:
    """Return a fit whose search is said not to have ended at an optimum."""
    fit = ak.sem(PATH, data, missing="listwise")
    return StructuralFit(fit.model, replace(fit._fit, converged=False), ("the search stopped early",))


def test_a_search_that_did_not_end_makes_no_claim(data: pd.DataFrame) -> None:
    fit = _stopped(data)
    text = ak.sentence(fit).text
    assert text.endswith("the numbers are not to be used.") and "CFI" not in text and "effect" not in text
    assert "did not end at an optimum" in ak.sentence(fit, terms=["post ~ f"]).text
    notes = " ".join(ak.table(fit).notes)
    assert "did not end at an optimum" in notes and "CFI" not in notes
    page = ak.Report("A Model").section("Results", fit, ak.sentence(fit, headline=True)).assemble()
    assert any("convergence" in banner.text for banner in page.banners)
    lines = {line.label: line for line in page.summary}
    assert lines["Answer"].tone == "bad" and "Withheld" in lines["Answer"].lines[-1]
    assert lines["Assumption checks"].lines == ("Refused: convergence",)


def test_the_seed_of_a_bootstrap_is_recorded(drawn: StructuralFit, data: pd.DataFrame) -> None:
    page = ak.Report("A Model").section("Results", drawn).html()
    assert "Random seed: 7." in page and "No random numbers" not in page
    assert drawn.seed == 7 and ak.sem(PATH, data).seed is None
    assert ak.efa(data, items=[f"w{i}" for i in range(1, 7)], nfactors=2, seed=5)[2].seed == 5


def test_the_checks_of_a_structural_model_are_those_of_its_fit(data: pd.DataFrame) -> None:
    fit = ak.sem(PATH, data, missing="listwise")
    line = {s.label: s for s in ak.Report("A Model").section("Results", fit).assemble().summary}["Assumption checks"]
    assert line.tone == "good" and "no warning" in line.lines[0]
    with pytest.raises(ak.SpecError, match=r"made while a structural model is fitted.*fit\.warnings"):
        ak.check_assumptions(fit, data)


def test_a_bootstrap_has_a_table(data: pd.DataFrame) -> None:
    found = ak.cfa("f =~ w1 + w2 + w3", data, missing="listwise").bootstrap(40, seed=3)
    table = ak.table(found)
    pd.testing.assert_frame_equal(table.data, found.tidy())
    assert "40 bootstrap samples (rows drawn again), seed 3" in table.notes[0]
    assert "Random seed: 3." in ak.Report("A Model").section("Bootstrap", found).html()


def test_what_cannot_be_printed_is_refused_when_it_is_added(data: pd.DataFrame) -> None:
    frame = ak.cfa("f =~ w1 + w2 + w3", data, missing="listwise").reliability()
    broken = frame.rename(columns={"omega": "something"})
    with pytest.raises(ak.ReportError, match="this frame is not as"):
        ak.Report("A Model").section("Reliability", broken)


def test_reliability_has_a_table(data: pd.DataFrame) -> None:
    fit = ak.cfa(MODEL, data, missing="listwise")
    table = ak.table(fit.reliability())
    assert table.data["omega"].tolist() == fit.reliability()["omega"].tolist()
    assert "AVE" in repr(table) and "ω" in repr(table)
    assert "Reliability of the Factors" in ak.Report("A Model").section("Results", fit.reliability()).html()
    with pytest.raises(ak.ReportError, match="wrap the frame"):
        ak.table(data)


def test_exploratory_solutions_in_a_report_and_their_eigenvalues(data: pd.DataFrame) -> None:
    found = ak.efa(data, items=[f"w{i}" for i in range(1, 7)], nfactors=[1, 2], missing="listwise")
    titles = [placed.table.title for placed in ak.Report("Items").section("Factors", found).assemble().tables]
    assert titles[0] == "Fit of the Models" and titles[1].endswith(", 1 Factor") and titles[2].endswith(", 2 Factors")
    figure = ak.figure(found)
    assert figure.data is not None and figure.data["eigenvalue"].tolist() == found.eigenvalues().tolist()
    assert draw(figure).png.startswith(b"\x89PNG")
    with pytest.raises(ak.SpecError, match="scree"):
        ak.figure(found, "path")


def test_comparisons_leave_out_a_search_that_did_not_end(data: pd.DataFrame) -> None:
    fits = _stopped(data), ak.sem(PATH.replace("pre", "0*pre"), data, missing="listwise")
    found = ak.compare(*fits, names=["one", "two"])
    text = ak.sentence(found).text
    assert text.startswith("The models cannot be tested.") and "search of 'one' did not end" in text
    assert "not to be used: one." in ak.table(*fits, names=["one", "two"]).notes[0]
    page = ak.Report("Models").section("Comparison", ak.sentence(found, headline=True)).assemble()
    assert {line.label: line for line in page.summary}["Answer"].tone == "bad"


def _quiet(model: str, data: pd.DataFrame) -> StructuralFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.cfa(model, data, missing="listwise")


@pytest.mark.parametrize("kind", ["identification", "identification of a part", "admissible solution"])
def test_a_report_withholds_the_headline_of_a_model_that_cannot_be_trusted(kind: str, data: pd.DataFrame) -> None:
    cov = pd.DataFrame([[1, 0.9, 0.4], [0.9, 1, 0.7], [0.4, 0.7, 1]], list("abc"), list("abc"))
    fits = {
        "identification": lambda: _quiet("f =~ w1 + w2", data),
        "identification of a part": lambda: _quiet("f =~ NA*w1 + w2 + w3 + w4\ng =~ w5 + w6 + w7", data),
        "admissible solution": lambda: _improper(cov),
    }
    fit = fits[kind]()
    report = ak.Report("Factors", question="Is it one?")
    report.section("Estimates", ak.sentence(fit, headline=True), fit)
    page = report.assemble()
    lines = {line.label: line for line in page.summary}
    assert lines["Answer"].tone == "bad" and "Withheld" in lines["Answer"].lines[0]
    assert any(kind.removesuffix(" of a part") in banner.text for banner in page.banners)
    assert "Text for the Manuscript" not in {section.heading for section in page.sections}
    text = ak.sentence(fit).text
    assert ("not identified" in text) is kind.startswith("identification")
    assert ("not admissible" in text) is (kind == "admissible solution")


def _improper(cov: pd.DataFrame) -> StructuralFit:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.cfa("f =~ a + b + c", sample_cov=cov, sample_nobs=200)


def test_the_table_of_reliability_says_which_model(data: pd.DataFrame) -> None:
    one, robust = (ak.cfa("f =~ w1 + w2 + w3 + w4", data, missing="listwise", estimator=e) for e in ("ML", "MLR"))
    for fit, column in ((one, "chisq"), (robust, "chisq_scaled")):
        table = ak.table(fit.reliability())
        assert table.title == "Reliability of f"
        assert f"χ²(2, N = 300) = {fit.fit_measures()[column]:.2f}" in table.notes[0]
        assert fit._fit.options.estimator in table.notes[0] and "left out" in table.notes[0]
    unsaid = ak.cfa("f =~ w1 + w2 + w3 + w4", data).reliability()
    for item in (unsaid, ak.table(unsaid)):
        with pytest.raises(ak.ReportError, match='missing="fiml"'):
            ak.Report("Factors").section("Reliability", item)
    assert ak.Report("Factors").section("Reliability", one.reliability())


def test_scaled_statistics_are_not_called_unscaled(data: pd.DataFrame) -> None:
    free = ak.cfa("f =~ w1 + w2 + w3 + w4", data, estimator="MLR")
    found = ak.compare(free, ak.cfa("f =~ w1 + k*w2 + k*w3 + k*w4", data, estimator="MLR"))
    assert "not scaled" in " ".join(found.notes)
    for text in (ak.sentence(found).text, " ".join(ak.table(found).notes)):
        assert "Scaled difference by" in text and "not scaled" not in text
    assert "χ² is scaled" in " ".join(ak.table(found).notes)
    assert ak.table(found).data["chisq"].iloc[0] == free.fit_measures()["chisq_scaled"]


@pytest.mark.option("table.interval", "limits of fit.tidy(interval=)")
@pytest.mark.option("sentence.interval", "limits of fit.tidy(interval=)")
@pytest.mark.parametrize(
    ("interval", "words"), [("bca", "(BCa)"), ("bca.simple", "corrected for bias (seed"), ("norm", "")]
)
def test_limits_of_another_kind_reach_table_and_sentence(drawn: StructuralFit, interval: str, words: str) -> None:
    wanted = drawn.tidy(interval=interval).set_index("term").loc["post ~ f"]
    table = ak.table(drawn, interval=interval)
    found = table.data.set_index("term").loc["post ← f"]
    assert (found["conf_low"], found["conf_high"]) == (wanted["conf_low"], wanted["conf_high"])
    assert found["conf_low"] != drawn.tidy().set_index("term").loc["post ~ f", "conf_low"]
    assert words in " ".join(table.notes) and "percentiles (seed" not in " ".join(table.notes)
    text = ak.sentence(drawn, terms=["post ~ f"], interval=interval).text
    assert f"[{wanted['conf_low']:.3f}" in text and "(percentiles of" not in text


def test_limits_of_another_kind_need_samples(data: pd.DataFrame, drawn: StructuralFit) -> None:
    own = drawn.bootstrap(40, seed=2)
    pd.testing.assert_frame_equal(ak.table(own, interval="basic").data, own.tidy("basic"))
    plain = ak.cfa("f =~ w1 + w2 + w3", data, missing="listwise")
    for call in (
        lambda: ak.table(plain, interval="bca"),
        lambda: ak.table(plain, plain, interval="bca"),
        lambda: ak.table(plain.reliability(), interval="bca"),
        lambda: ak.sentence(ak.compare(plain, plain), interval="bca"),
        lambda: ak.table(drawn, interval="BC"),
    ):
        with pytest.raises(ak.SpecError, match="interval="):
            call()
