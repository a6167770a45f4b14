"""How R describes each structural model: convergence, admissibility, groups, rows, words; proofs for what differs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import ncx2

from alliancekit.structural.after import measures
from alliancekit.structural.continuous.missing import corrected
from alliancekit.structural.continuous.missing.fit import correct_fits
from alliancekit.structural.duplication import triangle
from alliancekit.structural.estimates import ModelTest
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import expected, fit, models
from tests.reference.test_sem_ordinal import cases as ordinal_cases
from tests.reference.test_sem_raw_data import cases

Case = tuple[str, str, str]
CASES = [*models(), *cases("sem_missing"), *cases("sem_twolevel"), *ordinal_cases()]
CASES = [case for case in CASES if "error" not in expected(*case)]
WORDS = {"ml": "fiml", "ml.x": "fiml.x", "robust.cluster": "robust.huber.white"}
"""Words of R for what is the same here."""


@pytest.mark.parametrize("case", CASES, ids=["-".join(case) for case in CASES])
def test_description(case: Case) -> None:
    f, e = fit(*case), expected(*case)
    assert f.converged == e["converged"]
    inadmissible = any("Heywood" in note or "not positive definite" in note for note in f.warnings)
    assert inadmissible != e["post_check"], f.warnings
    labels = [label for label in f.table.group_labels if label]
    assert labels == list(e["group_labels"]) and max(len(labels), 1) == e["ngroups"]
    assert f.nobs == e["ntotal"]


@pytest.mark.parametrize("case", CASES, ids=["-".join(case) for case in CASES])
def test_resolved_words(case: Case) -> None:
    """R reports fixed.x=FALSE where there are no covariates, and no likelihood for least squares."""
    f, theirs = fit(*case), expected(*case)["options"]
    own = f._fit.options
    assert own.point == theirs["estimator"]
    assert own.missing == WORDS.get(theirs["missing"], theirs["missing"])
    assert own.information == theirs["information"][0]
    assert own.rules.std_lv == theirs["std.lv"]
    assert ("theta" if own.rules.theta else "delta") == theirs["parameterization"]
    assert ("~1" in f.table.op) == theirs["meanstructure"]
    if own.point == "ML":
        assert own.likelihood == theirs["likelihood"]
    if own.cluster is None or f.table.n_levels > 1:  # words of single-level clusters are R's robust ones
        tests = theirs["test"] if isinstance(theirs["test"], list) else [theirs["test"]]
        assert own.test == tests[-1]
        if own.se != "first.order":  # R: "standard" with information of first order
            assert own.se == theirs["se"]
    if any(f.table.exo):
        assert own.rules.fixed_x == theirs["fixed.x"]


CLUSTERED = [("sem_missing", "cluster_robust", label) for label in ("fiml", "fiml_mlr")]


@pytest.mark.parametrize("case", CLUSTERED, ids=["-".join(case) for case in CLUSTERED])
def test_the_upper_limit_that_differs_solves_its_equation(case: Case) -> None:
    """R's search for the noncentrality stops at 1e-4, which shows where the limit is near zero."""
    f = fit(*case)
    test = measures._robust_pair(f._fit)[0]
    unit = test.factor / (f.nobs * test.df)
    limits = f.fit_measures()["rmsea_ci_upper_robust"], expected(*case)["fit"]["rmsea.ci.upper.robust"]
    ours, theirs = (abs(ncx2.cdf(test.scaled, test.df, limit**2 / unit) - 0.05) for limit in limits)
    assert ours < 1e-9 < 1e-6 < theirs
    assert abs(limits[0] - limits[1]) < 1e-5


def test_the_saturated_likelihood_that_differs_is_the_one_behind_chi_square() -> None:
    case = ("sem_missing", "hs_missing_x", "fiml_x")
    ours, theirs = fit(*case).fit_measures(), expected(*case)["fit"]
    twice = 2 * (ours["unrestricted_logl"] - ours["logl"])
    assert_close(twice, ours["chisq"], "closed_form", "chi-square of our log-likelihoods")
    assert_close(twice, theirs["chisq"], "fit_measure", "R's chi-square")
    assert abs(2 * (theirs["unrestricted.logl"] - theirs["logl"]) - theirs["chisq"]) > 0.05


def test_robust_measures_that_differ_do_so_by_the_covariates(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the information about moments of random covariates set to zero, R's robust measures come out."""
    case = ("sem_missing", "hs_missing_x", "random_x")
    f = fit(*case)
    source, whole = f._fit.source, corrected.complete_information
    outside = np.array([name in ("sex", "ageyr") for name in source.model.blocks[0].observed])
    rows, columns = triangle(outside.size)
    gone = np.concatenate([outside, outside[rows] & outside[columns]])

    def as_r(sigma: np.ndarray) -> np.ndarray:
        out = whole(sigma).copy()
        out[gone] = out[:, gone] = 0.0
        return out

    monkeypatch.setattr(corrected, "complete_information", as_r)
    fits = ((source.mapping, source.solution), source.baseline())
    own, base = (
        ModelTest(c.statistic, c.df, c.factor)
        for c in correct_fits(source.data, source.saturated, fits, source.request)
    )
    found = measures._robust_incremental(own, base) | measures._rmsea(
        own.scaled, own.df, f.nobs, 1, "_robust", own.factor
    )
    theirs: dict[str, Any] = {k: v for k, v in expected(*case)["fit"].items() if "robust" in k}
    assert len(theirs) == 9
    for name, value in theirs.items():
        assert_close(found[name.replace(".", "_")], value, "fit_measure", name)
