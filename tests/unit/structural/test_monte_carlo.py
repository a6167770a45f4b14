"""Monte Carlo limits of defined parameters against the exact distribution of a product."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, special

import alliancekit as ak

MODEL = "m ~ a*x\ny ~ b*m + x\nindirect := a*b\nlinear := a + b\nfixed := 2*3"


@pytest.fixture(scope="module")
def fit() -> object:
    rng = np.random.default_rng(4)
    x = rng.normal(size=150)
    m = 0.3 * x + rng.normal(size=150)
    return ak.sem(MODEL, pd.DataFrame({"x": x, "m": m, "y": 0.3 * m + rng.normal(size=150)}))


def product_quantile(a: float, sa: float, b: float, sb: float, probability: float) -> float:
    """Quantile of the product of two independent normal variables, by integrating over the first."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    first = a + sa * nodes
    share = weights / weights.sum()

    def below(q: float) -> float:
        with np.errstate(divide="ignore"):
            z = (q / first - b) / sb
        return float(share @ np.where(first > 0, special.ndtr(z), special.ndtr(-z)))

    return float(optimize.brentq(lambda q: below(q) - probability, -3, 3))


@pytest.mark.option("StructuralFit.monte_carlo.n", "the exact distribution of a product")
def test_limits_are_those_of_the_product_of_normals(fit: object) -> None:
    table = fit.tidy().set_index("label")  # type: ignore[attr-defined]
    a, b = table.loc["a"], table.loc["b"]
    found = fit.monte_carlo(400_000, 2).set_index("term")  # type: ignore[attr-defined]
    for name, probability in (("conf_low", 0.025), ("conf_high", 0.975)):
        exact = product_quantile(a["estimate"], a["std_error"], b["estimate"], b["std_error"], probability)
        assert found.loc["indirect", name] == pytest.approx(exact, abs=6e-4)


def test_of_a_sum_they_are_those_of_the_delta_method(fit: object) -> None:
    delta = fit.tidy().query("op == ':=' and lhs == 'linear'").iloc[0]  # type: ignore[attr-defined]
    found = fit.monte_carlo(200_000).set_index("term").loc["linear"]  # type: ignore[attr-defined]
    assert found["std_error"] == pytest.approx(delta["std_error"], rel=0.01)
    assert found["conf_low"] == pytest.approx(delta["conf_low"], abs=0.003)
    constant = fit.monte_carlo().set_index("term").loc["fixed"]  # type: ignore[attr-defined]
    assert constant["conf_low"] == constant["conf_high"] == 6.0


@pytest.mark.option("StructuralFit.monte_carlo.seed", "unit")
def test_the_seed_decides(fit: object) -> None:
    one, same, other = (fit.monte_carlo(2000, seed)["conf_low"].iloc[0] for seed in (1, 1, 2))  # type: ignore[attr-defined]
    assert one == same != other


def test_what_is_missing_is_said(fit: object) -> None:
    with pytest.raises(ak.SpecError, match="too few"):
        fit.monte_carlo(10)  # type: ignore[attr-defined]
    with pytest.raises(ak.SpecError, match="confidence level"):
        fit.monte_carlo(level=2)  # type: ignore[attr-defined]
    plain = ak.sem("y ~ x", pd.DataFrame({"x": [1.0, 2, 3, 5, 4], "y": [2.0, 1, 4, 3, 6]}))
    with pytest.raises(ak.SpecError, match="defines no"):
        plain.monte_carlo()
