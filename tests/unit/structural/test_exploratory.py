"""ak.efa: the same as ak.sem with exploratory blocks; its tables, its text and its messages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.unit.structural.test_rotation import ITEMS, MODEL, people

OPTIONS: dict[str, dict[str, Any]] = {
    "rotation_args": {"rotation_args": {"geomin_epsilon": 0.01, "std_ov": False}},
    "rotation_se": {"rotation_se": "delta"},
    "estimator": {"estimator": "MLR"},
    "missing": {"missing": "fiml"},
    "se": {"se": "robust", "estimator": "MLM"},
    "test": {"test": "satorra.bentler"},
    "information": {"information": "observed"},
    "bounds": {"bounds": "none"},
    "seed": {"seed": 7},
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return people()


@pytest.mark.option("efa.rotation_args", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.rotation_se", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.estimator", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.missing", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.se", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.test", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.information", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.bounds", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.seed", "ak.sem with exploratory blocks")
@pytest.mark.option("efa.items", "ak.sem with exploratory blocks")
@pytest.mark.parametrize("option", OPTIONS)
def test_efa_hands_its_options_on(option: str, data: pd.DataFrame) -> None:
    given = {"missing": "listwise"} | OPTIONS[option]
    ours = ak.efa(data, 2, items=ITEMS, **given)[2]
    there = ak.sem(MODEL, data, **({"bounds": "pos.var"} | given))
    for column in ("estimate", "std_error"):
        assert ours.tidy()[column].to_numpy() == pytest.approx(there.tidy()[column].to_numpy(), abs=1e-9)
    mine, theirs = ours.fit_measures(), there.fit_measures()
    assert mine["chisq"] == theirs["chisq"] and mine.index.equals(theirs.index)


@pytest.mark.option("efa.ordered", "ak.sem with exploratory blocks")
def test_ordinal_items(data: pd.DataFrame) -> None:
    codes = data[ITEMS].apply(lambda c: pd.cut(c, [-np.inf, -1, 0, 1, np.inf], labels=False))
    ours = ak.efa(codes, 2, ordered=True, missing="listwise")[2]
    there = ak.sem(MODEL, codes, ordered=True, missing="listwise")
    assert ours.tidy()["estimate"].to_numpy() == pytest.approx(there.tidy()["estimate"].to_numpy(), abs=1e-9)
    limited = ak.efa(codes, 2, ordered=True, bounds="pos.var", missing="listwise")[2]
    assert limited.tidy()["estimate"].to_numpy() == pytest.approx(ours.tidy()["estimate"].to_numpy(), abs=1e-9)


@pytest.mark.option("efa.sample_cov", "the rows")
@pytest.mark.option("efa.sample_nobs", "the rows")
def test_covariances_instead_of_rows(data: pd.DataFrame) -> None:
    ours = ak.efa(sample_cov=data[ITEMS].cov(), sample_nobs=len(data), nfactors=2)
    there = ak.efa(data[ITEMS], 2, missing="listwise")
    assert ours.loadings()["f1"].to_numpy() == pytest.approx(there.loadings()["f1"].to_numpy(), abs=1e-6)


@pytest.mark.option("cfa.rotation", "ak.efa")
@pytest.mark.option("sem.rotation", "ak.cfa")
@pytest.mark.option("growth.rotation", "ak.cfa")
@pytest.mark.option("sem.rotation_args", "ak.cfa")
@pytest.mark.option("growth.rotation_args", "ak.cfa")
@pytest.mark.option("sem.rotation_se", "ak.cfa")
@pytest.mark.option("growth.rotation_se", "ak.cfa")
def test_sem_and_growth_rotate_as_cfa(data: pd.DataFrame) -> None:
    given: dict[str, Any] = {"rotation": "oblimin", "rotation_args": {"oblimin_gamma": -0.5}, "rotation_se": "delta"}
    fits = [f(MODEL, data, missing="listwise", **given) for f in (ak.cfa, ak.sem)]
    means = "\n".join(f"{name} ~ 1" for name in ITEMS) + "\nf1 + f2 ~ 0*1"
    fits.append(ak.growth(f"{MODEL}\n{means}", data, missing="listwise", **given))
    there = fits[0].tidy().set_index("term")
    for fit in fits[1:]:
        found = fit.tidy().set_index("term").loc[there.index]
        assert found["estimate"].to_numpy() == pytest.approx(there["estimate"].to_numpy(), abs=1e-6)
        assert found["std_error"].to_numpy() == pytest.approx(there["std_error"].to_numpy(), rel=1e-4)


def test_parts_of_a_solution_fit_together(data: pd.DataFrame) -> None:
    found = ak.efa(data[ITEMS], [1, 2, 3], missing="listwise")
    assert found.nfactors == (1, 2, 3) and found.glance()["nfactors"].tolist() == [1, 2, 3]
    assert found.glance()["chisq"].is_monotonic_decreasing
    loadings, P = found.loadings(2), found.factor_correlations(2).to_numpy()
    L = loadings[["f1", "f2"]].to_numpy()
    assert np.diag(L @ P @ L.T) == pytest.approx(loadings["communality"].to_numpy(), abs=1e-9)
    assert (loadings["uniqueness"] + loadings["communality"]).to_numpy() == pytest.approx(np.ones(8))
    squares = found.sums_of_squares(2)
    assert squares["sum_of_squares"].sum() == pytest.approx(loadings["communality"].sum(), abs=1e-9)
    assert squares["cumulative"].iloc[-1] == pytest.approx(squares["share"].sum())
    assert found.eigenvalues().sum() == pytest.approx(8.0) and found.eigenvalues().is_monotonic_decreasing
    tidy = found.tidy()
    assert set(tidy["nfactors"]) == {1, 2, 3}
    row = tidy[(tidy["nfactors"] == 2) & (tidy["term"] == "f1 =~ a1")]
    assert row["estimate"].item() == pytest.approx(L[0, 0]) and row["std_error"].item() > 0


def test_the_printed_solution(data: pd.DataFrame) -> None:
    found = ak.efa(data[ITEMS], [1, 2], missing="listwise")
    text = repr(found)
    assert "Number of factors:  2" in text and "Factor correlations" in text and "GEOMIN OBLIQUE" in text
    line = next(row for row in text.split("Number of factors:  2")[1].splitlines() if row.startswith("a1 "))
    assert line.split()[0] == "a1" and line.split()[1].endswith("*") and len(line.split()) == 4, (
        "a small one is left out"
    )
    assert len(found.summary(cutoff=0.0, dot_cutoff=0.0).split()) > len(text.split())
    assert "Factor correlations" not in repr(ak.efa(data[ITEMS], 2, rotation="varimax", missing="listwise"))
    assert "significant" not in repr(ak.efa(data[ITEMS], 2, rotation="promax", missing="listwise"))
    assert found._repr_html_().startswith("<pre>")


def test_tables_and_sentences(data: pd.DataFrame) -> None:
    several = ak.table(ak.efa(data[ITEMS], [1, 2], missing="listwise"))
    assert several.data["model"].tolist() == ["1 factor", "2 factors"]
    found = ak.efa(data[ITEMS], 2, missing="listwise")
    table = ak.table(found)
    assert table.data["component"].unique().tolist() == ["Loadings", "Explained", "Factor correlations"]
    assert table.data["f1"].iloc[0] == found.loadings()["f1"].iloc[0]
    assert "Rotation: geomin, oblique." in table.notes[-1]
    plain = ak.table(ak.efa(data[ITEMS], 2, rotation="varimax", missing="listwise"))
    assert "Factor correlations" not in set(plain.data["component"])
    assert ak.sentence(found[2]).text.startswith("An exploratory factor model")
    with pytest.raises(ak.SpecError, match="table of their own"):
        ak.table(found, found)
    assert ak.sentence(found).text.startswith("An exploratory factor analysis of")


def test_what_is_refused(data: pd.DataFrame) -> None:
    for number in (0, -1, True, 2.5):
        with pytest.raises(ak.SpecError, match="number of factors"):
            ak.efa(data[ITEMS], [number])
    with pytest.raises(ak.SpecError, match="at most 4"):
        ak.efa(data[ITEMS], 5)
    with pytest.raises(ak.SpecError, match="empty"):
        ak.efa(data[ITEMS], [])
    with pytest.raises(ak.DesignError, match="a9"):
        ak.efa(data, 2, items=["a1", "a9"])
    found = ak.efa(data[ITEMS], [1, 2], missing="listwise")
    with pytest.raises(ak.SpecError, match="which solution"):
        found.loadings()
    with pytest.raises(ak.SpecError, match="no solution with 3"):
        found[3]


def test_an_item_without_variance_of_its_own_is_named() -> None:
    rng = np.random.default_rng(3)
    factor = rng.normal(size=400)
    data = pd.DataFrame({"a": factor, **{name: 0.7 * factor + rng.normal(size=400) for name in "bcd"}})
    data["a"] = data["b"] + data["c"] - 0.4 * data["d"] + 0.3 * data["a"]
    found = ak.efa(data, 1)
    free = found.loadings().set_index("item")["uniqueness"]
    (named,) = free.index[free < 1e-6]
    words = f"no variance of its own is left to {named} (Heywood case). Look at the item"
    assert words in repr(found) and any(words in note for note in ak.table(found).notes)
    assert repr(found).startswith(found.summary())


def test_a_proper_solution_has_no_warning(data: pd.DataFrame) -> None:
    found = ak.efa(data[ITEMS], 2)
    assert repr(found) == found.summary()
