"""The bootstrap of structural models: all samples at once are what they are one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.structural.after import refits
from alliancekit.structural.after.draws import draws_of
from tests.unit.structural.test_moment_models import THREE, answers

MEDIATION = "w4 ~ a*w1\nw7 ~ b*w4 + w1\nind := a*b"


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (THREE, {}),
        (THREE, {"std_lv": True, "meanstructure": True}),
        (THREE, {"group": "site", "group_equal": ["loadings", "intercepts"]}),
        (MEDIATION, {"fixed_x": False}),
        (MEDIATION, {}),
    ],
)
def test_samples_are_fitted_as_one_by_one(model: str, options: dict[str, object]) -> None:
    frame = answers()
    fit = ak.sem(model, frame, **options)
    many = fit.bootstrap(12, seed=4)
    assert len(many.replicates) == 12
    groups = [frame] if "group" not in options else [frame[frame["site"] == s] for s in ("south", "north")]
    for r, source in enumerate(spawn(4, 12)[:4]):
        rng = np.random.default_rng(source)
        parts = [part.iloc[rng.integers(0, len(part), len(part))] for part in groups]
        drawn = parts[0] if len(parts) == 1 else pd.concat(parts)
        alone = ak.sem(model, drawn, **options)
        np.testing.assert_allclose(many.replicates[r][: fit._fit.x.size], alone._fit.x, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("limit", ["a*b == 0.5", "a > b + 0.1", "bond ~~ upper(0.3)*goal"])
def test_every_sample_keeps_the_limits(limit: str) -> None:
    frame = answers()
    model = f"{THREE}\nbond =~ a*w2 + b*w3\n{limit}".replace("w1 + w2 + w3", "w1")
    fit = ak.cfa(model, frame)
    many = fit.bootstrap(8, seed=4)
    names = list(many.names)
    a, b = (many.replicates[:, names.index(name)] for name in "ab")
    if "==" in limit:
        np.testing.assert_allclose(a * b, 0.5, rtol=1e-6)
    elif ">" in limit:
        assert (a > b + 0.1 - 1e-6).all()
    else:
        assert (many.replicates[:, names.index("bond~~goal")] < 0.3 + 1e-6).all()
    for r, source in enumerate(spawn(4, 8)[:3]):
        alone = ak.cfa(model, frame.iloc[np.random.default_rng(source).integers(0, len(frame), len(frame))])
        np.testing.assert_allclose(many.replicates[r], alone._fit.x, rtol=1e-3, atol=2e-4)


def test_errors_of_normal_data_are_those_of_the_delta_method() -> None:
    fit = ak.sem(MEDIATION, answers(800), fixed_x=False)
    rows = fit.tidy()
    delta = rows[rows["std_error"] > 0]["std_error"].to_numpy()
    found = fit.bootstrap(1000, seed=2).tidy()
    np.testing.assert_allclose(found["std_error"], delta, rtol=0.12)
    for interval in ("percentile", "basic", "normal", "bca"):
        limits = fit.bootstrap(200, seed=2).tidy(interval)
        assert ((limits["conf_low"] < limits["estimate"]) & (limits["estimate"] < limits["conf_high"])).all()


@pytest.mark.option("StructuralFit.bootstrap.seed", "lavaan 0.6-14, 29 models on the same rows")
@pytest.mark.option("StructuralFit.bootstrap.n", "lavaan 0.6-14, 29 models on the same rows")
def test_the_same_seed_gives_the_same_samples() -> None:
    fit = ak.cfa(THREE, answers())
    one, two, other = (fit.bootstrap(300, seed=s).replicates for s in (3, 3, 5))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)


def test_what_cannot_be_drawn_again_is_refused() -> None:
    frame = answers()
    fit = ak.cfa(THREE, frame)
    moments = ak.cfa(THREE, sample_cov=frame.drop(columns="site").cov(), sample_nobs=300)
    with pytest.raises(ak.SpecError, match="fitted to covariances"):
        moments.bootstrap(10)
    with pytest.raises(ak.SpecError, match="fitted to covariances"):
        ak.cfa(THREE, sample_cov=frame.drop(columns="site").cov(), sample_nobs=300, se="bootstrap", bootstrap=10)
    with pytest.raises(ak.SpecError, match="number of samples"):
        fit.bootstrap(1)
    with pytest.raises(ak.SpecError, match="Did you mean interval='percentile'"):
        fit.bootstrap(10).tidy("percentil")
    with pytest.raises(ak.SpecError, match="Did you mean kind='parametric'"):
        fit.bootstrap(10, kind="parametrik")
    clustered = ak.cfa(THREE, frame.assign(ward=np.arange(len(frame)) % 30), cluster="ward")
    with pytest.raises(ak.SpecError, match="the fit has clusters"):
        clustered.bootstrap(10, kind="parametric")
    gaps = ak.cfa(THREE, frame.mask(frame == frame["w1"].max()), missing="fiml")
    with pytest.raises(ak.SpecError, match="turns complete rows"):
        gaps.bootstrap(10, kind="bollen.stine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        unidentified = ak.cfa("f =~ w1 + w2", frame)
    with pytest.raises(ak.FitError, match="cannot be told apart"):
        unidentified.bootstrap(10)
    with pytest.raises(ak.SpecError, match="misfit of maximum likelihood"):
        ak.cfa(THREE, frame, estimator="GLS").bootstrap(10, kind="yuan")


@pytest.mark.option("StructuralFit.bootstrap.kind", "errors of normal data; lavaan's formulas of turned rows")
def test_parametric_samples_have_the_moments_of_the_model() -> None:
    frame = answers()
    one = ak.cfa(THREE, frame)
    moments = ak.cfa(THREE, sample_cov=frame.drop(columns="site").cov(), sample_nobs=len(frame))
    found, same = (fit.bootstrap(400, seed=3, kind="parametric") for fit in (one, moments))
    np.testing.assert_allclose(found.replicates, same.replicates, rtol=1e-6)
    delta = one.tidy().query("std_error > 0")["std_error"].to_numpy()
    np.testing.assert_allclose(found.tidy()["std_error"], delta, rtol=0.15)
    least = ak.cfa(THREE, frame, estimator="GLS")
    delta = least.tidy().query("std_error > 0")["std_error"].to_numpy()
    np.testing.assert_allclose(least.bootstrap(200, kind="parametric").tidy()["std_error"], delta, rtol=0.25)


def test_parametric_samples_have_the_gaps_of_the_data() -> None:
    frame = answers(500).drop(columns="site")
    frame.loc[frame["w1"] > 3.5, ["w2", "w5"]] = np.nan
    fit = ak.cfa(THREE, frame, missing="fiml")
    found = fit.bootstrap(4, seed=3, kind="parametric")
    draws = draws_of(fit._fit, "parametric")
    for values, source in zip(found.replicates, spawn(3, 4), strict=True):
        rows = pd.DataFrame(draws.sample(source)[0][0], columns=fit._fit.sample.groups[0].names)
        assert (rows.isna() == frame[list(rows)].isna()).all(axis=None)
        np.testing.assert_allclose(values, ak.cfa(THREE, rows, missing="fiml")._fit.x, rtol=1e-4, atol=2e-5)


def test_turned_rows_misfit_as_much_as_they_should() -> None:
    frame = answers()
    frame["w4"] += 0.5 * frame["w1"]
    fit = ak.cfa(THREE, frame)
    for kind, misfit in (
        ("bollen.stine", 0.0),
        ("yuan", (fit._fit.test.statistic - fit._fit.test.df) / (len(frame) - 1)),
    ):
        rows = draws_of(fit._fit, kind).rows[0]
        turned = ak.cfa(THREE, pd.DataFrame(rows, columns=fit._fit.sample.groups[0].names))
        model = fit._fit.implied[0].sigma
        ratio = np.linalg.solve(model, np.cov(rows.T, bias=True))
        found = np.trace(ratio) - np.linalg.slogdet(ratio)[1] - len(model)
        np.testing.assert_allclose(found, misfit, atol=1e-8)
        assert turned._fit.test.statistic <= len(frame) * found + 1e-6
        assert len(fit.bootstrap(20, kind=kind).replicates) == 20


def test_whole_clusters_are_drawn() -> None:
    rng = np.random.default_rng(3)
    ward = np.repeat(np.arange(40), 8)
    frame = answers(320).drop(columns="site") + rng.normal(size=(40, 1))[ward]
    frame["ward"] = ward
    plain = ak.cfa("f =~ w1 + w2 + w3 + w4", frame, meanstructure=True)
    fit = ak.cfa("f =~ w1 + w2 + w3 + w4", frame, cluster="ward")
    found, rows = (one.bootstrap(400, seed=2).tidy().set_index("term")["std_error"] for one in (fit, plain))
    robust = fit.tidy().query("std_error > 0").set_index(fit.tidy().query("std_error > 0")["term"].str.replace(" ", ""))
    means = [name for name in found.index if name.endswith("~1")]
    np.testing.assert_allclose(found[means], robust["std_error"][means], rtol=0.15)
    assert (found[means] > 1.3 * rows[means]).all()
    for rows, number in draws_of(fit._fit, "ordinary").sample(spawn(1, 1)[0]):
        assert number is not None
        own = {tuple(np.round(values, 9)): w for values, w in zip(fit._fit.sample.groups[0].rows, ward, strict=True)}
        old = np.array([own[tuple(np.round(values, 9))] for values in rows])
        assert all(len(set(old[number == k])) == 1 and (number == k).sum() == 8 for k in range(40))


@pytest.mark.parametrize(
    "options",
    [
        {"missing": "fiml"},
        {"missing": "fiml", "estimator": "MLR"},
        {"missing": "fiml", "group": "site"},
        {"ordered": ["w4", "w7"], "estimator": "WLSMV"},
        {"estimator": "DWLS", "fixed_x": True},
        {"estimator": "MLR", "cluster": "ward"},
        {"estimator": "MLM"},
        {"likelihood": "wishart"},
        {"missing": "fiml.x"},
    ],
)
def test_definitions_that_are_not_linear_have_three_kinds_of_limits(options: dict[str, object]) -> None:
    frame = answers(400).assign(ward=np.arange(400) % 100)
    if "missing" in options:
        frame.loc[frame["w1"] > 4, "w4"] = np.nan
    if options.get("missing") == "fiml.x":
        frame.loc[::10, "w1"] = np.nan
    if "ordered" in options:
        for name in ("w4", "w7"):
            frame[name] = np.digitize(frame[name], [2.3, 3.3, 4.0])
    model = "w4 ~ a*w1\nw7 ~ b*w4 + w1\nind := a*b\nsize := sqrt(a*a + b*b)"
    if "group" in options:
        model = "w4 ~ c(a, c)*w1\nw7 ~ c(b, e)*w4 + w1\nind := a*b\nsize := sqrt(c*c + e*e)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        fit = ak.sem(model, frame, se="bootstrap", bootstrap=200, seed=3, **options)
        delta = ak.sem(model, frame, **options).tidy().query("op == ':='")["std_error"].to_numpy()
    found = fit.tidy().query("op == ':='")
    many = fit.bootstrap(200, seed=3)
    labels = fit._fit.constraints.values(many.replicates[:, : fit._fit.x.size])
    np.testing.assert_allclose(many.replicates[:, -2], labels["a"] * labels["b"], rtol=1e-12)
    np.testing.assert_allclose(found["std_error"], many.replicates[:, -2:].std(axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(
        found[["conf_low", "conf_high"]], many.tidy()[["conf_low", "conf_high"]][-2:], rtol=1e-12
    )
    np.testing.assert_allclose(found["std_error"], delta, rtol=0.25)
    drawn = fit.monte_carlo(5000)
    np.testing.assert_allclose(drawn["std_error"], delta, rtol=0.25)
    assert (drawn["conf_low"] < found["estimate"].to_numpy()).all()
    assert "bootstrap = 200" in fit.as_r()


def test_auxiliary_variables_help_in_every_sample() -> None:
    frame = answers(300).drop(columns="site")
    frame.loc[frame["w9"] > 3.5, "w1"] = np.nan
    fit = ak.cfa("f =~ w1 + w2 + w3", frame, missing="fiml", auxiliary="w9")
    many = fit.bootstrap(6, seed=2)
    for values, source in zip(many.replicates, spawn(2, 6), strict=True):
        rows = frame.iloc[np.random.default_rng(source).integers(0, 300, 300)]
        alone = ak.cfa("f =~ w1 + w2 + w3", rows, missing="fiml", auxiliary="w9")
        np.testing.assert_allclose(values, alone._fit.x, rtol=1e-4, atol=2e-5)


def test_covariates_with_gaps_that_are_held_have_the_moments_of_each_sample() -> None:
    frame = answers(300).drop(columns="site")
    frame.loc[::7, "w1"] = np.nan
    frame.loc[::5, "w4"] = np.nan
    many = ak.sem(MEDIATION, frame, missing="fiml.x").bootstrap(4, seed=2)
    for values, source in zip(many.replicates, spawn(2, 4), strict=True):
        rows = frame.iloc[np.random.default_rng(source).integers(0, 300, 300)]
        alone = ak.sem(MEDIATION, rows, missing="fiml.x")
        np.testing.assert_allclose(values[:-1], alone._fit.x, rtol=1e-4, atol=2e-5)


def test_a_long_bootstrap_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = ak.cfa(THREE, answers(), estimator="DWLS")
    calls = []

    def stop(*_: object) -> None:
        calls.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(refits, "refit_least_squares", stop)
    with pytest.raises(KeyboardInterrupt):
        fit.bootstrap(50)
    assert len(calls) == 1


def test_two_levels_have_three_kinds_of_limits() -> None:
    rng = np.random.default_rng(4)
    ward = np.repeat(np.arange(60), 6)
    frame = answers(360).drop(columns="site") + rng.normal(size=(60, 9))[ward]
    frame["ward"] = ward
    model = "level: 1\nw4 ~ a*w1\nw7 ~ b*w4\nlevel: 2\nw4 ~ w1\nw7 ~ w4\nind := a*b"
    fit = ak.sem(model, frame, cluster="ward", fixed_x=False)
    delta = fit.tidy().query("op == ':='")["std_error"].item()
    many = fit.bootstrap(100, seed=1)
    assert abs(many.tidy().set_index("term")["std_error"]["ind"] / delta - 1) < 0.3
    assert abs(fit.monte_carlo()["std_error"].item() / delta - 1) < 0.1


def test_a_sample_without_a_category_is_left_out_and_counted() -> None:
    frame = answers(200)
    for name in ("w1", "w2", "w3", "w4"):
        frame[name] = np.digitize(frame[name], [2.5, 3.5])
    frame["w1"] = frame["w1"].clip(upper=1)
    frame.loc[[3, 77], "w1"] = 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        many = ak.cfa("f =~ w1 + w2 + w3 + w4", frame, ordered=True).bootstrap(60, seed=1)
    lost = [not {3, 77} & set(np.random.default_rng(s).integers(0, 200, 200)) for s in spawn(1, 60)]
    assert sum(lost) > 0 and len(many.replicates) <= 60 - sum(lost)
    assert "did not converge" in repr(many)


@pytest.mark.option("StructuralFit.tidy.interval", "lavaan 0.6-14: limits of the same replicates")
@pytest.mark.option("sem.se", "the same replicates")
@pytest.mark.option("sem.bootstrap", "the same replicates")
@pytest.mark.option("sem.seed", "the same replicates")
def test_bootstrap_errors_and_limits_of_the_table() -> None:
    frame = answers()
    plain = ak.sem(MEDIATION, frame)
    fit = ak.sem(MEDIATION, frame, se="bootstrap", bootstrap=200, seed=3)
    many = plain.bootstrap(200, seed=3).tidy(level=0.9)
    found = fit.tidy(level=0.9)
    free = found[found["std_error"] > 0]
    assert free["op"].tolist() == ["~", "~", "~", "~~", "~~", ":="]
    np.testing.assert_allclose(free["estimate"], many["estimate"], rtol=1e-12)
    for column in ("std_error", "conf_low", "conf_high"):
        np.testing.assert_allclose(free[column], many[column], rtol=1e-12)
    for interval in ("basic", "bca"):
        own = fit.tidy(interval=interval)
        given = plain.bootstrap(200, seed=3).tidy(interval)
        np.testing.assert_allclose(own[own["std_error"] > 0]["conf_low"], given["conf_low"], rtol=1e-12)
    with pytest.raises(ak.SpecError, match="the fit has none"):
        plain.tidy(interval="bca")
    assert fit.fit_measures()["chisq"] == plain.fit_measures()["chisq"]
    assert 'se = "bootstrap", bootstrap = 200' in fit.as_r()
