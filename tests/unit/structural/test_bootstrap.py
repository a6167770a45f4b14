"""The bootstrap of structural models: all samples at once are what they are one by one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
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
    for interval in ("percentile", "basic", "normal"):
        limits = fit.bootstrap(200, seed=2).tidy(interval)
        assert ((limits["conf_low"] < limits["estimate"]) & (limits["estimate"] < limits["conf_high"])).all()


def test_the_same_seed_gives_the_same_samples() -> None:
    fit = ak.cfa(THREE, answers())
    one, two, other = (fit.bootstrap(300, seed=s).replicates for s in (3, 3, 5))
    np.testing.assert_array_equal(one, two)
    assert not np.allclose(one, other)


def test_what_cannot_be_drawn_again_is_refused() -> None:
    frame = answers()
    with pytest.raises(ak.SpecError, match="maximum likelihood of complete rows"):
        ak.cfa(THREE, frame, estimator="GLS").bootstrap()
    with pytest.raises(ak.SpecError, match="number of samples"):
        ak.cfa(THREE, frame).bootstrap(1)
    with pytest.raises(ak.SpecError, match="Did you mean interval='percentile'"):
        ak.cfa(THREE, frame).bootstrap(10).tidy("percentil")


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
    assert fit.fit_measures()["chisq"] == plain.fit_measures()["chisq"]
    assert 'se = "bootstrap", bootstrap = 200' in fit.as_r()
    with pytest.raises(ak.SpecError, match="estimator='ML'"):
        ak.sem(MEDIATION, frame, se="bootstrap", estimator="MLR")
