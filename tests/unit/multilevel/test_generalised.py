"""Models for binary outcomes and counts: what the public class answers, its presentation, and bad input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import alliancekit as ak

BOTH = "~ time * arm + (1 | patient)"


def sessions(seed: int = 3, patients: int = 60, each: int = 6) -> pd.DataFrame:
    """Return patients of two arms with a 0/1 outcome, a count, and days taken of 30."""
    rng = np.random.default_rng(seed)
    patient, time = np.repeat(np.arange(patients), each), np.tile(np.arange(float(each)), patients)
    arm = np.where(patient % 2, "b", "a")
    eta = 0.3 - 0.2 * time - 0.3 * time * (arm == "b") + rng.normal(0, 1, patients)[patient]
    probability = 1 / (1 + np.exp(-eta))
    return pd.DataFrame(
        {
            "y": rng.binomial(1, probability),
            "count": rng.poisson(np.exp(0.5 + eta / 2)),
            "taken": rng.binomial(30, probability),
            "days": 30,
            "time": time,
            "arm": arm,
            "patient": patient,
            "x": rng.normal(size=patient.size),
        }
    )


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return sessions()


@pytest.fixture(scope="module")
def binary(data: pd.DataFrame) -> Any:
    return ak.mixed(f"y {BOTH}", data, family="binomial")


@pytest.mark.option("mixed.quadrature", "integrals by scipy")
def test_many_nodes_give_the_integral(data: pd.DataFrame) -> None:
    fit = ak.mixed("y ~ time + (1 | patient)", data, family="binomial", quadrature=25)
    b, sd = fit.fixed_effects.to_numpy(), float(fit.variance_components()["sd_or_correlation"].iloc[0])

    def patient(rows: pd.DataFrame) -> float:
        sign = 2 * rows["y"].to_numpy() - 1
        eta = b[0] + b[1] * rows["time"].to_numpy()

        def density(u: float) -> float:
            return float(np.prod(1 / (1 + np.exp(-sign * (eta + u)))) * stats.norm.pdf(u, scale=sd))

        return float(np.log(integrate.quad(density, -12 * sd, 12 * sd, epsabs=1e-14, epsrel=1e-11, limit=200)[0]))

    total = sum(patient(rows) for _, rows in data.groupby("patient"))
    assert fit.log_likelihood == pytest.approx(total, abs=1e-5)


@pytest.mark.option("mixed.family", "lme4 1.1-31 and glmmTMB 1.1.5, 14 cases")
@pytest.mark.option("mixed.link", "lme4 and glmmTMB: probit, cloglog")
def test_the_ways_to_write_an_outcome_agree(data: pd.DataFrame) -> None:
    one = ak.mixed("successes(taken, of=days) ~ time + (1 | patient)", data, family="binomial")
    two = ak.mixed("cbind(taken, days - taken) ~ time + (1 | patient)", data, family="binomial")
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-9)
    words = data.assign(y=np.where(data["y"] == 1, "yes", "no"))
    three = ak.mixed("y ~ time + (1 | patient)", words, family="binomial")
    four = ak.mixed("y ~ time + (1 | patient)", data, family="binomial")
    np.testing.assert_allclose(three.fixed_effects, four.fixed_effects, rtol=1e-9)


def test_origin_and_scale_of_time_do_not_matter(data: pd.DataFrame) -> None:
    one = ak.mixed("count ~ time + (1 + time | patient)", data, family="poisson")
    two = ak.mixed("count ~ t + (1 + t | patient)", data.assign(t=2000 + 7 * data["time"]), family="poisson")
    assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-6)
    assert 7 * two.fixed_effects["t"] == pytest.approx(one.fixed_effects["time"], rel=1e-4)


@pytest.mark.option("mixed.variance", "glmmTMB 1.1.5: nbinom1, nbinom2")
def test_negative_binomial_forms_hold_the_poisson_as_limit(data: pd.DataFrame) -> None:
    poisson = ak.mixed("count ~ time + (1 | patient)", data, family="poisson")
    for variance in ("quadratic", "linear"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.DesignWarning)  # the dispersion goes to its limit in these Poisson data
            wider = ak.mixed("count ~ time + (1 | patient)", data, family="negative-binomial", variance=variance)
        assert wider.log_likelihood >= poisson.log_likelihood - 1e-4
        assert wider.n_parameters == poisson.n_parameters + 1


@pytest.mark.option("mixed.zero_inflation", "glmmTMB 1.1.5: Poisson, nbinom2")
def test_extra_zeros_are_found(data: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    d = sessions(patients=150)
    d["count"] = np.where(rng.random(len(d)) < 0.3, 0, rng.poisson(np.exp(1.2 + 0.1 * d["x"])))
    fit = ak.mixed("count ~ x + (1 | patient)", d, family="poisson", zero_inflation="~ 1")
    row = fit.submodels().iloc[0]
    assert row["component"] == "zero_inflation"
    assert row["conf_low"] < np.log(0.3 / 0.7) < row["conf_high"]


def test_tables_and_tests(binary: Any) -> None:
    table = binary.tidy()
    assert np.isinf(table["df"]).all()
    ratios = binary.ratios()
    np.testing.assert_allclose(ratios["estimate"], np.exp(table["estimate"]))
    assert ratios.attrs["ratio"] == "odds ratio"
    wald = binary.test("time = 0, time:armb = 0")
    b, V = binary.fixed_effects[["time", "time:armb"]], binary.vcov().loc[["time", "time:armb"], ["time", "time:armb"]]
    assert wald["statistic"].iloc[0] == pytest.approx(float(b @ np.linalg.solve(V, b)) / 2)
    row = binary.glance().iloc[0]
    assert row["overdispersion"] == pytest.approx(row["pearson_chisq"] / row["df_residual"])


def test_rows(binary: Any, data: pd.DataFrame) -> None:
    np.testing.assert_allclose(binary.residuals("response"), data["y"] - binary.fitted())
    assert ((binary.fitted() > 0) & (binary.fitted() < 1)).all()
    np.testing.assert_allclose(
        np.sum(binary.residuals("deviance") ** 2), binary.glance()["conditional_deviance"].iloc[0]
    )
    new = data.head(3).assign(patient=[-1, 0, 1])
    found = binary.predict(new)
    assert found["new_group"].tolist() == [True, False, False]
    assert found["conf_low"].gt(0).all() and found["conf_high"].lt(1).all()
    link = binary.predict(new, scale="link")
    np.testing.assert_allclose(found["estimate"], 1 / (1 + np.exp(-link["estimate"])))


def test_simulation_and_refitting(binary: Any) -> None:
    Y = binary.simulate(40, seed=1)
    assert set(np.unique(Y)) == {0.0, 1.0}
    many = binary.refit_many(Y).tidy()
    spread = many[many["term"] == "time"]["estimate"].std() if "term" in many else many["time"].std()
    assert spread == pytest.approx(binary.tidy().set_index("term").loc["time", "std_error"], rel=0.4)
    assert binary.refit(Y[0]).nobs == binary.nobs


def test_means_contrasts_and_comparison(binary: Any, data: pd.DataFrame) -> None:
    means = binary.means("arm", at={"time": 5}).tidy()
    a, b = means["estimate"]
    ratio = binary.contrasts("arm", at={"time": 5}).tidy()["estimate"].iloc[0]
    assert ratio == pytest.approx((a / (1 - a)) / (b / (1 - b)), rel=1e-6)
    smaller = ak.mixed("y ~ time + arm + (1 | patient)", data, family="binomial")
    test = ak.compare(smaller, binary).tidy().iloc[1]
    assert test["chisq"] == pytest.approx(2 * (binary.log_likelihood - smaller.log_likelihood))


def test_presentation(binary: Any, data: pd.DataFrame) -> None:
    table = ak.table(binary)
    assert table.data["ratio"].iloc[1] == pytest.approx(np.exp(binary.fixed_effects["time"]))
    text = ak.sentence(binary).text
    assert "binomial mixed model" in text and "OR = " in text and "Satterthwaite" not in text
    assert "The odds of y fell with time" in text
    turned = ak.mixed(f"y {BOTH}", data.assign(y=1 - data["y"]), family="binomial")
    assert "The odds of y rose with time" in ak.sentence(turned).text
    equation = ak.equation(binary)
    assert equation.lines[0].startswith("logit(μ)") and "ε" not in "".join(equation.lines)
    assert 'family = binomial("logit")' in binary.as_r()
    for kind in ("effects", "residuals", "qq", "caterpillar", "trajectories", "diagnostics"):
        ak.figure(binary, kind).draw()
    assert set(ak.crosscheck(binary).tidy()["colour"]) == {"not expressible"}


def test_separation_is_said(data: pd.DataFrame) -> None:
    with pytest.warns(ak.DesignWarning, match="infinite"):
        ak.mixed("y ~ z + (1 | patient)", data.assign(z=data["y"]), family="binomial")


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("y ~ time + (1 | patient)", {"family": "binomal"}, ak.SpecError, "binomial"),
    ("y ~ time + (1 | patient)", {"family": "binomial", "method": "REML"}, ak.SpecError, "REML"),
    ("y ~ time + (1 | patient)", {"family": "binomial", "link": "log"}, ak.SpecError, "log"),
    ("y ~ time + (1 | patient)", {"family": "poisson", "link": "logit"}, ak.SpecError, "link"),
    ("x ~ time + (1 | patient)", {"family": "binomial"}, ak.DesignError, "between 0 and 1"),
    ("x ~ time + (1 | patient)", {"family": "poisson"}, ak.DesignError, "negative"),
    ("I(count + 0.5) ~ time + (1 | patient)", {"family": "poisson"}, ak.DesignError, "whole"),
    ("successes(days, of=taken) ~ time + (1 | patient)", {"family": "binomial"}, ak.DesignError, "more successes"),
    ("y ~ time + (time | patient)", {"family": "binomial", "quadrature": 9}, ak.SpecError, "quadrature"),
    ("y ~ time + (1 | patient)", {"family": "binomial", "quadrature": 0}, ak.SpecError, "quadrature"),
    ("y ~ time + (1 | patient)", {"family": "binomial", "zero_inflation": "~ 1"}, ak.SpecError, "zero_inflation"),
    ("count ~ time + (1 | patient)", {"family": "poisson", "dispersion": "~ arm"}, ak.SpecError, "dispersion"),
    ("count ~ time + (1 | patient)", {"family": "negative-binomial", "variance": "cubic"}, ak.SpecError, "variance"),
    ("count ~ time + (1 | patient)", {"family": "negative-binomial", "dispersion": "~ nope"}, ak.DesignError, "nope"),
    ("y ~ time + (1 | patient)", {"family": "gaussian", "quadrature": 5}, ak.SpecError, "quadrature"),
]


@pytest.mark.parametrize(("formula", "options", "error", "text"), BAD, ids=[f"{b[3]}-{i}" for i, b in enumerate(BAD)])
def test_bad_input(
    data: pd.DataFrame, formula: str, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ak.mixed(formula, data, **options)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "kenward-roger": lambda f: f.tidy(ddf="kenward-roger"),
    "robust": lambda f: f.robust(),
    "influence": lambda f: f.influence(by="patient"),
    "r2_partition": lambda f: f.r2_partition(),
    "ranova": lambda f: f.ranova(),
    "effect_size": lambda f: f.effect_size(arm="arm", time="time"),
    "hat_values": lambda f: f.hat_values(),
    "variance_shares": lambda f: f.variance_shares(),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_for_gaussian_outcomes_says_so(binary: Any, name: str) -> None:
    with pytest.raises(ak.SpecError, match="Gaussian outcome"):
        REFUSED[name](binary)
