"""Generalised mixed models against lme4 1.1-31 and glmmTMB 1.1.5: every number of expected.json, by walking it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from tests.reference.comparison import TOLERANCES, assert_close, assert_within, note_gain
from tests.reference.glmm_values import BUILDERS, FAMILY, fit, load, log_likelihood
from tests.reference.leaves import cases, excuse, excuses, quantities
from tests.reference.leaves import load as load_expected

EXCUSES = excuses(FAMILY)
Z = 1.959964
METADATA = {"engine", "formula", "family", "note", "dispersion_meaning", "r_call", "isSingular", "pdHess", "converged"}
KINDS = {
    "count": {"nobs", "npar", "nAGQ", "df_residual", "ngrps"},
    "estimate": {
        "fixef", "fixed_part_first10", "fitted_first10", "deviance", "pearson_chisq", "zi_fixef", "disp_log_coef",
        "full_par",
    },
    "glmm_std_error": {"se", "se_hessian_richardson", "zi_se", "disp_log_se", "full_se"},
    "glmm_sd": {"theta", "theta_internal", "varcorr", "varcorr_flat", "dispersion"},
    "log_likelihood": {"logLik", "minus2logLik", "AIC", "BIC", "logLik_check_agq"},
    "profile_ci": {"profile_ci"},
}  # fmt: skip
KIND_OF = {quantity: kind for kind, members in KINDS.items() for quantity in members}
BY_COLUMN = {
    "wald": {
        "estimate": "estimate", "lower": "glmm_limit", "upper": "glmm_limit", "se": "glmm_std_error",
        "z": "glmm_std_error", "p": "glmm_p",
    },
    "ranef": {
        "n_levels": "count", "sum_sq": "conditional_mode", "blup": "conditional_mode", "cond_sd": "glmm_std_error",
    },
}  # fmt: skip


def kind_of(quantity: str, path: tuple[str, ...], singular: bool) -> str:
    """Return the kind of number that a leaf is."""
    if quantity in BY_COLUMN:
        return BY_COLUMN[quantity][path[1]]
    if quantity == "vcov":
        return "glmm_vcov"
    kind = KIND_OF[quantity]
    return "glmm_sd_singular" if kind == "glmm_sd" and singular else kind


def _quantities() -> Iterator[Any]:
    for folder in cases(FAMILY):
        for label, model in load_expected(folder)["models"].items():
            for quantity, value in model.items():
                if quantity not in METADATA and any(True for _ in quantities(value)):
                    yield pytest.param(folder.name, label, quantity, id=f"{folder.name}-{label}-{quantity}")


@pytest.mark.option("mixed.family", "lme4 1.1-31 and glmmTMB 1.1.5, 14 cases")
@pytest.mark.option("mixed.link", "lme4 and glmmTMB: logit, probit, cloglog, log")
@pytest.mark.option("mixed.quadrature", "lme4: 9 and 25 nodes")
@pytest.mark.option("mixed.variance", "glmmTMB: nbinom2 and nbinom1")
@pytest.mark.option("mixed.zero_inflation", "glmmTMB, salamanders_counts")
@pytest.mark.option("GeneralisedMixedFit.random_effects.errors", "lme4 (conditional), glmmTMB (total)")
@pytest.mark.option("GeneralisedMixedFit.confint.method=profile", "lme4 1.1-31, 3 cases")
@pytest.mark.parametrize(("case", "label", "quantity"), list(_quantities()))
def test_quantity(case: str, label: str, quantity: str, record_property: Callable[[str, object], None]) -> None:
    expected = load(case)[1]["models"][label]
    leaves = [(path, value) for path, value in quantities(expected[quantity])]
    compared = [leaf for leaf in leaves if excuse(case, (label, quantity, *leaf[0]), EXCUSES) is None]
    if not compared:
        record_property("excused", True)
        return
    assert quantity in BUILDERS, f"'{quantity}' is not compared and not_compared.toml gives no reason"
    ours = BUILDERS[quantity](case, label)
    singular = fit(case, label).singular
    errors = {name: abs(value) for (name,), value in BUILDERS["se"](case, label).items()}
    for path, value in compared:
        assert path in ours, f"{'/'.join(path)} is not among ours: {sorted(ours)[:10]}"
        kind, mine = kind_of(quantity, path, singular), float(ours[path])
        if path and path[-1] == "sum_sq":
            mine, value = float(np.sqrt(mine)), float(np.sqrt(value))
        tolerance = TOLERANCES[kind]
        limit = tolerance["abs"] + tolerance["rel"] * abs(value)
        if kind == "glmm_vcov":
            limit = tolerance["rel"] * errors[path[0]] * errors[path[1]]
        elif kind == "glmm_limit":
            limit += Z * TOLERANCES["glmm_std_error"]["rel"] * errors[path[0]]
        assert_within(abs(mine - value), limit, kind, "/".join(path), f"{mine!r} where R has {value!r}")


@pytest.mark.parametrize(
    ("case", "label"), [(folder.name, label) for folder in cases(FAMILY) for label in load_expected(folder)["models"]]
)
def test_likelihood_is_not_worse_than_theirs(case: str, label: str) -> None:
    theirs = load(case)[1]["models"][label]["logLik"]
    note_gain(log_likelihood(case, label), theirs, f"{case}, {label}")
    assert log_likelihood(case, label) >= theirs - 1e-6 * abs(theirs)


@pytest.mark.parametrize(
    ("case", "label", "singular"),
    [
        (folder.name, label, model["isSingular"])
        for folder in cases(FAMILY)
        for label, model in load_expected(folder)["models"].items()
        if "isSingular" in model
    ],
)
def test_singular(case: str, label: str, singular: bool) -> None:
    assert fit(case, label).singular == singular
    assert fit(case, label).converged


@pytest.mark.parametrize("case", [folder.name for folder in cases(FAMILY) if load_expected(folder).get("lrt")])
def test_likelihood_ratio_tests(case: str) -> None:
    for key, table in load(case)[1]["lrt"].items():
        labels = key.split("__vs__")
        ours = ak.compare(*(fit(case, label) for label in labels), names=labels).tidy().set_index("model")
        assert list(ours.index) == labels
        for row in table:
            mine = ours.loc[row["model"]]
            assert_close(mine["npar"], row["npar"], "count", "npar")
            assert_close(mine["log_likelihood"], row["logLik"], "log_likelihood", "log-likelihood")
            if row["chisq"] is not None:
                assert_close(mine["df"], row["df"], "count", "df")
                assert_close(mine["chisq"], row["chisq"], "glmm_chi_square", "chi-square")
                assert_close(mine["p_value"], row["p"], "p_value", "p")


EXPECTED_CURVATURE = [
    ("sim_dropout_therapist", "glmer_cloglog"),
    ("verbagg_crossed", "glmer_probit"),
    ("sim_sessions_negbin_offset", "glmer_nb"),
]


@pytest.mark.parametrize(("case", "label"), EXPECTED_CURVATURE)
def test_observed_curvature_comes_closer_to_the_likelihood(case: str, label: str) -> None:
    """With a link that is not canonical lme4 maximises another function; ours is nearer to the exact likelihood."""
    theirs, f = load(case)[1]["models"][label], fit(case, label)
    covariances = {v["group"]: np.array(v["cov"]["values"]) for v in theirs["varcorr"]}
    assert f.log_likelihood > f.log_likelihood_at(theirs["fixef"], covariances)
    if "logLik_check_agq" not in theirs:  # crossed effects: no quadrature to check by
        return
    ours, check = BUILDERS["logLik_check_agq"](case, label), theirs["logLik_check_agq"]
    assert ours["nodes_61",] > check["nodes_61"]  # the exact likelihood is higher at our estimates
    gap = abs(ours["nodes_1",] - ours["nodes_61",])
    assert gap < abs(theirs["logLik"] - check["nodes_61"])  # and our approximation of it is closer


@pytest.mark.parametrize(("name", "side"), [("online", "lower"), ("experience", "upper")])
def test_profile_limits_that_differ_are_right(name: str, side: str) -> None:
    """Held as an offset, the coefficient raises the deviance by the chi-square quantile at our limit, not theirs."""
    case, label = "sim_dropout_therapist", "glmer_laplace"
    data, f = load(case)[2].copy(), fit(case, label)
    others = " + ".join(term for term in ("severity", "online", "experience") if term != name)
    theirs = next(row[side] for row in load(case)[1]["models"][label]["profile_ci"] if row["parameter"] == name)

    def rise(value: float) -> float:
        data["held"] = value * data[name]
        held = ak.mixed(f"dropout ~ {others} + offset(held) + (1 | therapist)", data, family="binomial")
        return 2.0 * (f.log_likelihood - held.log_likelihood)

    ours = BUILDERS["profile_ci"](case, label)[name, side]
    assert rise(ours) == pytest.approx(Z**2, abs=1e-5)
    assert abs(rise(theirs) - Z**2) > 1e-3


def test_every_excuse_is_used() -> None:
    used = set()
    for folder in cases(FAMILY):
        for label, model in load_expected(folder)["models"].items():
            for path, _ in quantities({k: v for k, v in model.items() if k not in METADATA}):
                used.add(excuse(folder.name, (label, *path), EXCUSES))
    assert used - {None} == set(EXCUSES.values())
