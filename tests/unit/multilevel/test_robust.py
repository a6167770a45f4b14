"""Cluster-robust covariances: what defines CR2, weights, clusters that are not in the model, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.multilevel.gaussian.robust import cluster_robust
from tests.unit.multilevel.test_kenward_roger import crossed_and_nested, fit_quietly
from tests.unit.multilevel.test_mixed import FORMULA, growth


@pytest.mark.option("MixedFit.robust.type", "unbiased under the working model, exactly")
@pytest.mark.parametrize("weights", [None, "w"])
def test_cr2_is_unbiased_where_the_model_is_right(weights: str | None) -> None:
    """E sum E_j e_j e_j'E_j' = sum E_j (H_j - X_j M X_j') E_j' must be X'H^-1 X; CR0 falls short of it."""
    fit = fit_quietly("y ~ x + z + (x | p) + (1 | t)", crossed_and_nested(), weights=weights)
    codes = next(f.codes for f in fit._fit.factors if f.group == "t")
    for kind, exact in (("CR2", True), ("CR0", False)):
        found = cluster_robust(fit._fit, codes, kind)
        expected = found.spread.sum(axis=0) - np.einsum("jab,bc,jdc->ad", found.overlap, found.inverse, found.overlap)
        gap = found.inverse @ expected - np.eye(3)
        assert (np.abs(gap).max() < 1e-10) == exact
        if not exact:
            assert np.linalg.eigvalsh(expected - np.linalg.inv(found.inverse)).max() < 0


def test_cr1_is_cr0_scaled_and_df_do_not_change() -> None:
    fit = ak.mixed(FORMULA, growth())
    zero, one = fit.robust(type="CR0"), fit.robust(type="CR1")
    np.testing.assert_allclose(one.vcov(), zero.vcov() * 8 / 7)
    np.testing.assert_allclose(one.tidy()["df"], zero.tidy()["df"])


@pytest.mark.option("MixedFit.robust.cluster", "unit")
def test_clusters_may_be_a_column_that_is_not_in_the_model() -> None:
    d = growth()
    with_level, without = fit_quietly(FORMULA, d), ak.mixed("y ~ time + (1 + time | patient)", d)
    assert with_level.robust().cluster == "therapist" and without.robust().cluster == "patient"
    outside = without.robust(cluster="therapist")
    assert outside.n_clusters == 8
    renamed = ak.mixed("y ~ time + (1 + time | patient)", d.assign(site=d["therapist"].map(lambda t: f"site {t}")))
    pd.testing.assert_frame_equal(outside.tidy(), renamed.robust(cluster="site").tidy())
    assert not np.allclose(outside.tidy()["std_error"], without.robust().tidy()["std_error"])


def test_row_order_does_not_matter_and_limits_follow_the_level() -> None:
    d = growth()
    one, two = (ak.mixed(FORMULA, f).robust(level=0.9) for f in (d, d.sample(frac=1.0, random_state=4)))
    np.testing.assert_allclose(one.vcov(), two.vcov(), rtol=1e-6)
    wide = ak.mixed(FORMULA, d).robust(level=0.99).tidy()
    assert (wide["conf_low"] < one.tidy()["conf_low"]).all()


def test_clusters_of_very_different_size() -> None:
    """Stacks of padded clusters give what one cluster at a time gives: an intercept model has a closed form."""
    rng = np.random.default_rng(6)
    sizes = [1, 2, 2, 3, 5, 8, 13, 21, 34, 55]
    g = np.repeat(np.arange(10), sizes)
    d = pd.DataFrame({"g": g, "y": rng.normal(size=10)[g] + rng.normal(size=g.size)})
    fit = ak.mixed("y ~ 1 + (1 | g)", d)
    weight = np.array(sizes) / (1 + np.array(sizes) * float(fit.theta.iloc[0]) ** 2)
    mean = d.groupby("g")["y"].mean().to_numpy()
    beta = (weight * mean).sum() / weight.sum()
    share = weight / weight.sum()
    expected = (share**2 * (mean - beta) ** 2).sum()
    assert fit.robust(type="CR0").vcov().iloc[0, 0] == pytest.approx(expected, rel=1e-6)
    adjusted = (share**2 * (mean - beta) ** 2 / (1 - share)).sum()
    assert fit.robust().vcov().iloc[0, 0] == pytest.approx(adjusted, rel=1e-6)


def test_printing_and_notes() -> None:
    result = ak.mixed(FORMULA, growth()).robust()
    for piece in ("CR2", "8 clusters by therapist", "time", "Pr(>|t|)"):
        assert piece in repr(result)
    assert result.glance().loc[0, "n_clusters"] == 8 and result.notes == ()
    few = ak.mixed("y ~ time + (1 | patient)", growth().query("therapist < 3")).robust(cluster="therapist")
    assert "Fewer than 4 degrees of freedom" in few.notes[0]


def test_wrong_requests_are_told() -> None:
    d = growth()
    fit = ak.mixed("y ~ time + (1 | patient)", d.assign(one="a", hole=np.where(d["patient"] < 3, None, "x")))
    with pytest.raises(ak.SpecError, match="Did you mean type='CR2'"):
        fit.robust(type="CR-2")
    with pytest.raises(ak.DesignError, match=r"nearest: 'therapist'"):
        fit.robust(cluster="therapst")
    with pytest.raises(ak.DesignError, match="one level"):
        fit.robust(cluster="one")
    with pytest.raises(ak.DesignError, match="18 of the rows used have no value"):
        fit.robust(cluster="hole")
    with pytest.raises(ak.SpecError, match="not a confidence level"):
        fit.robust(level=95)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.BoundaryWarning)
        crossed = ak.mixed("y ~ x + (1 | p) + (1 | r)", crossed_and_nested())
    with pytest.raises(ak.SpecError, match="more than one cluster"):
        crossed.robust()
    structured = ak.mixed("y ~ time + (1 | patient)", d, residual_structure=ak.ar1(time="time", by="patient"))
    with pytest.raises(ak.SpecError, match="more than one cluster"):
        structured.robust(cluster="time")
    alone = ak.mixed("y ~ time", d, residual_structure=ak.power_of("fitted"))
    with pytest.raises(ak.SpecError, match="Name in cluster="):
        alone.robust()
