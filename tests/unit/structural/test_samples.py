"""Where the data of a structural model come from: frames, studies, moments of groups, ordered categories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.categories import codes, levels
from alliancekit.structural.options import make_options
from alliancekit.structural.sample import group_labels, read_sample

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("w1", "w2", "w3", "w4")
MODEL = "f =~ w1 + w2 + w3 + w4"


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20240704)
    f = rng.normal(size=240)
    frame = pd.DataFrame({name: 0.8 * f + rng.normal(size=240) for name in NAMES})
    return frame.assign(site=np.where(np.arange(240) % 3, "north", "south"), code=np.arange(240) % 3 // 2 + 1.0)


def test_a_study_is_its_analysis_frame() -> None:
    study = ak.read_study(ROOT / "data" / "tfcbt")
    items = "bond =~ wai_3 + wai_5 + wai_7 + wai_9"
    by_study = ak.cfa(items, study, missing="fiml", cluster="patient")
    by_frame = ak.cfa(items, study.data, missing="fiml", cluster="patient")
    pd.testing.assert_frame_equal(by_study.tidy(), by_frame.tidy())


def test_the_frame_handed_in_stays_as_it_is() -> None:
    frame = data()
    before = frame.copy(deep=True)
    ak.cfa("f =~ w1 + w2 + w3\nw4 ~ w1:w2", frame, group="site")
    pd.testing.assert_frame_equal(frame, before)


def test_groups_come_in_the_order_in_which_they_first_appear() -> None:
    frame = data()
    assert group_labels(frame, "site") == ("south", "north")
    assert group_labels(frame, "code") == ("1", "2")
    fit = ak.cfa(MODEL, frame, group="site")
    assert list(fit.table.group_labels) == ["south", "north"]
    sample = read_sample(frame, [NAMES, NAMES], group="site", labels=("south", "north"))
    own = frame.loc[frame["site"] == "south", list(NAMES)]
    np.testing.assert_allclose(sample.groups[0].cov, np.cov(own.T, ddof=0))
    np.testing.assert_allclose(sample.groups[0].mean, own.mean())
    assert (sample.n, sample.account.groups) == (240, {"south": 80, "north": 160})


def test_blocks_of_groups_are_found_by_label_or_by_number() -> None:
    frame = data()
    words = "group: north\nf =~ w1 + w2 + w3\ngroup: south\nf =~ w1 + w2 + w4"
    numbers = "group: 2\nf =~ w1 + w2 + w3\ngroup: 1\nf =~ w1 + w2 + w4"
    first = "group: 1\nf =~ w1 + w2 + w4\ngroup: 2\nf =~ w1 + w2 + w3"
    by_label = ak.cfa(words, frame, group="site").tidy()
    assert by_label.query("group == 'south' and op == '=~'")["rhs"].tolist() == ["w1", "w2", "w4"]
    assert ak.cfa(first, frame, group="site").tidy()["estimate"].tolist() == by_label["estimate"].tolist()
    coded = ak.cfa(numbers, frame.assign(site=frame["site"].map({"south": 2, "north": 1})), group="site").tidy()
    assert coded.query("group == '2' and op == '=~'")["rhs"].tolist() == ["w1", "w2", "w3"]


def test_rows_are_left_out_by_the_variables_of_their_own_group() -> None:
    frame = data()
    frame.loc[frame["site"] == "north", "w4"] = np.nan
    model = "group: south\nf =~ w1 + w2 + w4\ngroup: north\nf =~ w1 + w2 + w3"
    assert ak.cfa(model, frame, group="site").nobs == 240


@pytest.mark.option("cfa.sample_cov", "the rows themselves")
@pytest.mark.option("cfa.sample_mean", "the rows themselves")
@pytest.mark.option("cfa.sample_nobs", "the rows themselves")
def test_moments_of_groups_by_list_and_by_label() -> None:
    frame = data()
    parts = {site: part[list(NAMES)] for site, part in frame.groupby("site", sort=False)}
    given = {
        "sample_cov": {site: part.cov() for site, part in parts.items()},
        "sample_mean": {site: part.mean() for site, part in parts.items()},
        "sample_nobs": {site: len(part) for site, part in parts.items()},
    }
    options = {"group_equal": ["loadings", "intercepts"]}
    rows = ak.cfa(MODEL, frame, group="site", **options).tidy()
    by_label = ak.cfa(MODEL, **given, **options)
    assert list(by_label.table.group_labels) == ["south", "north"]
    listed = ak.cfa(MODEL, **{name: list(value.values()) for name, value in given.items()}, **options)
    for fit in (by_label, listed):
        np.testing.assert_allclose(fit.tidy()["estimate"], rows["estimate"], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(fit.tidy()["std_error"], rows["std_error"], rtol=1e-5, atol=1e-6)


def test_covariances_in_another_order_and_with_more_variables() -> None:
    cov = data()[["w4", "w2", "w1", "w3"]].assign(extra=1.0 + np.arange(240)).cov()
    fit = ak.cfa(MODEL, sample_cov=cov, sample_nobs=240)
    plain = ak.cfa(MODEL, data())
    np.testing.assert_allclose(fit.tidy()["estimate"], plain.tidy()["estimate"], rtol=1e-5, atol=1e-7)
    unnamed = pd.DataFrame(cov.to_numpy(), columns=cov.columns)
    assert ak.cfa(MODEL, sample_cov=unnamed, sample_nobs=240).nobs == 240


def test_numbers_of_any_type_are_read() -> None:
    frame = data()
    typed = frame.assign(
        w1=frame["w1"].astype("Float64"), w2=(10 * frame["w2"]).round().astype("int8"), w3=frame["w3"] > 0
    )
    plain = typed.assign(w1=frame["w1"], w2=typed["w2"].astype(float), w3=typed["w3"].astype(float))
    assert ak.cfa(MODEL, typed).tidy()["estimate"].tolist() == ak.cfa(MODEL, plain).tidy()["estimate"].tolist()


def test_ordered_categories_are_numbered_in_their_order_and_empty_ones_left_out() -> None:
    words = pd.Series(["often", "never", None, "often", "rarely"], name="u")
    column = pd.Series(pd.Categorical(words, ["never", "rarely", "sometimes", "often"], ordered=True), name="u")
    rows = np.ones(5, dtype=bool)
    assert levels(column, rows) == ["never", "rarely", "often"]
    np.testing.assert_array_equal(codes(column, levels(column, rows)), [2, 0, np.nan, 2, 1])
    assert levels(column, np.array([1, 1, 1, 1, 0], dtype=bool)) == ["never", "often"]
    assert levels(pd.Series([3, 1, 1, 7], name="v"), np.ones(4, dtype=bool)) == [1, 3, 7]


def test_a_sample_holds_codes_and_labels_of_ordinal_variables() -> None:
    frame = data().assign(u=lambda d: pd.Categorical(np.where(d["w1"] > 0, "yes", "no"), ["no", "yes"], ordered=True))
    sample = read_sample(frame, [("u", "w2")], ordered=("u",))
    assert sample.categories == {"u": ("no", "yes")}
    rows = sample.groups[0].rows
    assert rows is not None
    np.testing.assert_array_equal(rows[:, 0], (frame["w1"] > 0).astype(float))
    np.testing.assert_array_equal(rows[:, 1], frame["w2"])


@pytest.mark.option("cfa.ordered", "words and rules")
@pytest.mark.option("cfa.parameterization", "words and rules")
def test_ordinal_variables_change_the_usual_words() -> None:
    usual = make_options("cfa", ordered=("u",))
    assert (usual.estimator, usual.point, usual.se, usual.test) == ("WLSMV", "DWLS", "robust.sem", "scaled.shifted")
    assert usual.rules.meanstructure and not usual.rules.theta
    assert make_options("cfa", ordered=("u",), parameterization="theta").rules.theta
    assert make_options("cfa", ordered=("u",), estimator="ulsmv").point == "ULS"
    assert make_options("cfa", ordered=("u",), missing="pairwise").missing == "pairwise"
