"""lavaan 0.6-14 on tests/reference/sem_ordinal: numeric and ordinal items, groups, covariates, holes, binary items."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close
from tests.reference.sem_after import Case, after, compare_lrt
from tests.reference.sem_after_mixed import AFTER, EXPECTED, FAMILY, cases, compare_statistics, folders, statistics
from tests.reference.sem_cases import HERE, expected, fit
from tests.reference.test_sem import SKIPPED

ELSEWHERE = SKIPPED | {"factor_scores_first10"}
TABLES = [(case, name) for case in cases() for name in expected(*case) if name not in ELSEWHERE]
LATER = [(case, name) for case in cases() for name in after(*case[:2])["models"][case[2]]]
TESTS = [(name, key) for name in folders() for key in after(FAMILY, name).get("lrt", {})]
STATISTICS = [(FAMILY, name, label) for name in folders() for label in statistics(name)]


@pytest.mark.option("cfa.ordered", "lavaan 0.6-14")
@pytest.mark.option("cfa.parameterization", "lavaan 0.6-14")
@pytest.mark.parametrize(("case", "name"), TABLES, ids=["-".join((*case, name)) for case, name in TABLES])
def test_as_lavaan(case: Case, name: str) -> None:
    reference: Any = expected(*case)[name]
    if name == "fit" and len(expected(*case)["group_labels"]) > 1:
        f = fit(*case)  # R divides by the statistics of the first group, we by those of all (Yu 2002)
        sizes = [len(target.observed) for target in f._fit.ordinal.targets]
        as_r = f.fit_measures()["wrmr"] * (sum(sizes) / sizes[0]) ** 0.5
        assert_close(as_r, reference["wrmr"], "fit_measure", "wrmr, divided as R does")
        reference = {k: v for k, v in reference.items() if k != "wrmr"}
    EXPECTED[name](case, reference)


@pytest.mark.parametrize(("case", "name"), LATER, ids=["-".join((*case, name)) for case, name in LATER])
def test_after_the_fit(case: Case, name: str) -> None:
    reference: Any = after(*case[:2])["models"][case[2]][name]
    if name == "modindices_top10" and expected(*case)["options"]["parameterization"] == "theta":
        # scales follow from the other parameters there; R takes derivatives as if they did not
        reference = [row for row in reference if row["op"] != "~*~"]
    AFTER[name](case, reference)


@pytest.mark.parametrize("case", STATISTICS, ids=["-".join(case) for case in STATISTICS])
def test_statistics_and_their_covariances(case: Case) -> None:
    compare_statistics(case)


@pytest.mark.parametrize(("name", "key"), TESTS, ids=["-".join(pair) for pair in TESTS])
def test_difference_tests(name: str, key: str) -> None:
    compare_lrt(FAMILY, name, after(FAMILY, name)["lrt"][key])


THETA = json.loads((HERE / "sem_ordinal" / "theta.json").read_text())


@cache
def far_from_zero(word: str) -> tuple[Any, pd.DataFrame]:
    """Fit six ordinal items with a covariate whose mean is far from zero; also lavaan's rows in the order of ours."""
    data = pd.read_csv(HERE / "sem" / "hs_cfa3_robust" / "data.csv")
    for name, cuts in THETA["cuts"].items():
        data[name] = np.searchsorted(cuts, data[name], side="right")
    data["born"] = 200 - data["ageyr"]
    found = ak.sem(THETA["model"], data, ordered=list(THETA["cuts"]), parameterization=word, missing="listwise")
    keys = ["lhs", "op", "rhs"]
    theirs = pd.DataFrame(THETA[word]["estimates"]).set_index(keys)
    return found, theirs.loc[[tuple(row) for row in found.tidy()[keys].to_numpy()]].reset_index()


@pytest.mark.option("cfa.parameterization", "lavaan 0.6-14: covariates far from zero")
@pytest.mark.parametrize("word", ["delta", "theta"])
def test_covariates_far_from_zero(word: str) -> None:
    """All agrees but thresholds of theta, where lavaan has stopped; its own gap to the sample is the difference."""
    found, theirs = far_from_zero(word)
    rows, reference = found.tidy(), THETA[word]
    cut = (rows["op"] == "|").to_numpy()
    assert_close(rows["estimate"][~cut], theirs["est"][~cut], "estimate", "estimates")
    assert_close(rows["std_error"], theirs["se"], "std_error", "standard errors")
    assert_close(found.fit_measures()["chisq"], reference["chisq"], "fit_measure", "chi-square")
    own, k = found._fit.ordinal, int(cut.sum())
    reached, sample = own.at[0].vector[:k], own.targets[0].observed[:k]
    assert_close(sample, reference["sample_thresholds"], "estimate", "thresholds of the sample")
    assert np.abs(reached - sample).max() < 1e-10, "free thresholds reproduce those of the sample"
    scale = own.at[0].scales[[list(THETA["cuts"]).index(name) for name in rows["lhs"][cut]]]
    gap = np.array(reference["sample_thresholds"]) - reference["implied_thresholds"]
    assert_close(rows["estimate"][cut], theirs["est"][cut] + gap / scale, "estimate", "thresholds at the minimum")
    assert (np.abs(gap).max() > 1e-3) == (word == "theta")


def test_thresholds_of_theta_are_those_of_delta_by_the_scale() -> None:
    delta, theta = (far_from_zero(word)[0] for word in ("delta", "theta"))
    cut = (delta.tidy()["op"] == "|").to_numpy()
    scale = theta._fit.ordinal.at[0].scales
    owner = [list(THETA["cuts"]).index(name) for name in delta.tidy()["lhs"][cut]]
    ours = theta.tidy()["estimate"][cut].to_numpy() * scale[owner]
    assert_close(ours, delta.tidy()["estimate"][cut], "closed_form", "thresholds in units of the response")
    assert_close(theta.fit_measures()["chisq"], delta.fit_measures()["chisq"], "fit_measure", "chi-square")
