"""Models of incomplete rows and of two levels against lavaan 0.6-14: every number of every model.

lavaan stops the EM algorithm of the saturated two-level model where a step gains less than 1e-4 in log-likelihood, and
the search of a two-level model at a gradient near 1e-5. run_sem_twolevel.R takes both on to their maximum, so that the
tolerances are those of every other model.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.after.raw_scores import incomplete_scores, level_scores
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE, expected, fit, load
from tests.reference.test_sem import COMPARE, SKIPPED, numbers, rows_of

Case = tuple[str, str, str]
# test_sem_description.py proves each reason
LEFT_OUT: dict[Case, tuple[tuple[str, ...], str]] = {
    ("sem_missing", "hs_missing_x", "random_x"): (
        ("robust",),
        "lavaan leaves random covariates out of the complete-data information of the robust measures; see corrected.py",
    ),
    ("sem_missing", "hs_missing_x", "fiml_x"): (
        ("unrestricted.logl",),
        "not what its chi-square rests on, which is not twice the difference of its log-likelihoods",
    ),
    ("sem_missing", "cluster_robust", "fiml"): (
        ("rmsea.ci.upper.robust",),
        "near zero; uniroot stops at 1e-4 of lambda",
    ),
    ("sem_missing", "cluster_robust", "fiml_mlr"): (
        ("rmsea.ci.upper.robust",),
        "near zero; uniroot stops at 1e-4 of lambda",
    ),
}


def cases(family: str) -> list[Case]:
    """Every model of a family."""
    folders = sorted(path.parent.name for path in (HERE / family).glob("*/expected.json"))
    return [(family, name, label) for name in folders for label in load(family, name)[1]["models"]]


def parts(family: str) -> list[tuple[Case, str]]:
    """Every quantity of every model of a family."""
    return [(case, name) for case in cases(family) for name in expected(*case) if name not in SKIPPED]


def ids(found: list[tuple[Case, str]]) -> list[str]:
    """Names of tests."""
    return ["-".join((*case, name)) for case, name in found]


MISSING, LEVELS = parts("sem_missing"), parts("sem_twolevel")


@pytest.mark.option("cfa.missing", "reference")
@pytest.mark.option("cfa.cluster", "reference")
@pytest.mark.parametrize(("case", "name"), MISSING, ids=ids(MISSING))
def test_incomplete_rows(case: Case, name: str) -> None:
    reference = expected(*case)[name]
    if name == "fit" and case in LEFT_OUT:
        words, reason = LEFT_OUT[case]
        assert reason
        reference = {key: value for key, value in reference.items() if not any(word in key for word in words)}
    COMPARE[name](case, reference)


@pytest.mark.parametrize(("case", "name"), LEVELS, ids=ids(LEVELS))
def test_two_levels(case: Case, name: str) -> None:
    reference = expected(*case)[name]
    if name == "error":
        assert "infinite or missing" in reference
        return
    (LEVEL_COMPARE.get(name) or COMPARE[name])(case, reference)


def level_table(case: Case, reference: list[dict[str, Any]]) -> None:
    """Rows of the table and their order."""
    table = fit(*case).table
    assert len(table) == len(reference)
    for i, r in enumerate(reference):
        ours = (table.lhs[i], table.op[i], table.rhs[i], table.block[i], table.free[i], table.label[i], table.exo[i])
        assert ours == (r["lhs"], r["op"], r["rhs"], r["block"], r["free"], r["label"], r["exo"])


def level_standardised(case: Case, reference: list[dict[str, Any]], column: str) -> None:
    """Standardised estimates; R's table names no level, its rows stand in the order of the estimates."""
    plain = [r for r in expected(*case)["estimates"] if r["op"] not in ("==", "<", ">")]
    other = [r for r in reference if r["op"] not in ("==", "<", ">")]
    assert [(r["lhs"], r["op"], r["rhs"]) for r in plain] == [(r["lhs"], r["op"], r["rhs"]) for r in other]
    found = fit(*case).tidy().iloc[rows_of(fit(*case), plain)][column].to_numpy()
    theirs = numbers(other, "est.std")
    known = np.isfinite(theirs)
    assert_close(found[known], theirs[known], "estimate", column)


def level_icc(case: Case, reference: dict[str, float]) -> None:
    """Intraclass correlations of the saturated model."""
    found = fit(*case).icc().set_index("variable")["icc"]
    assert_close(found[list(reference)].to_numpy(), list(reference.values()), "estimate", "icc")


def level_factor_scores(case: Case, reference: dict[str, Any]) -> None:
    """Scores of both levels. lavaan puts zero for covariates between clusters where it scores the upper level."""
    source = fit(*case)._fit.source
    for name, level in (("level1", "within"), ("level2", "between")):
        theirs = np.array(reference[name]["values"], dtype=float)
        if theirs.shape[1] == 0:
            continue
        ours = level_scores(source, level)[0][:10]
        columns = [list(source.model.blocks[int(level == "between")].latent).index(f) for f in reference[name]["cols"]]
        if level == "between" and case[1] == "covariates":
            block, only = source.model.blocks[1], source.data.groups[0].roles.cluster_only
            at = [block.observed.index(v) for v in only]
            implied = source.solution.implied[1]
            weight = np.linalg.solve(implied.sigma, link_of(source))
            values = source.parts()[0].between[:10][:, at] + implied.mu[at]
            ours = ours - values @ weight[at]
        assert_close(ours[:, columns], theirs, "estimate", f"factor scores {level}")


def link_of(source: Any) -> np.ndarray:
    """Covariances of observed variables and factors of the upper level."""
    part = source.model.parts(source.x)[1]
    return np.asarray(part.spread[:, len(source.model.blocks[1].observed) :])


LEVEL_COMPARE: dict[str, Any] = {
    "partable": level_table,
    "standardized_std_all": lambda case, r: level_standardised(case, r, "std_all"),
    "standardized_std_lv": lambda case, r: level_standardised(case, r, "std_lv"),
    "icc_vars": level_icc,
    "factor_scores_first10": level_factor_scores,
}


@pytest.mark.option("cfa.auxiliary", "reference")
@pytest.mark.parametrize("estimator", ["ML", "MLR"])
def test_auxiliary_variables_are_saturated_correlates(estimator: str) -> None:
    folder = HERE / "sem_missing" / "hs_options"
    reference = json.loads((folder / "auxiliary.json").read_text())["models"][estimator]
    model = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nvisual ~ sex"
    data = pd.read_csv(folder / "data.csv")
    found = ak.sem(model, data, missing="fiml", estimator=estimator, auxiliary=["x7", "x8"])
    rows = found.tidy().set_index(["lhs", "op", "rhs"])
    for row in reference["estimates"]:
        own = rows.loc[(row["lhs"], row["op"], row.get("rhs", ""))]
        assert_close(own["estimate"], row["est"], "estimate", str(row))
        assert_close(own["std_error"], row["se"], "std_error", str(row))
    measures = found.fit_measures()
    for name, value in reference["fit"].items():
        assert_close(measures[name.replace(".", "_")], value, "fit_measure", name)


@pytest.mark.option("cfa.auxiliary", "lavaan 0.6-14: robust CFI, and why that of semTools 0.5-6 is another")
@pytest.mark.parametrize("estimator", ["ML", "MLR"])
def test_robust_cfi_with_auxiliary_variables(estimator: str) -> None:
    """Model and baseline as lavaan corrects each; semTools joins the right df to a baseline without the correlates."""
    folder = HERE / "sem_missing" / "hs_options"
    reference = json.loads((folder / "auxiliary.json").read_text())["models"][estimator]["robust"]
    model = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nvisual ~ sex"
    data = pd.read_csv(folder / "data.csv")
    found = ak.sem(model, data, missing="fiml", estimator=estimator, auxiliary=["x7", "x8"], fixed_x=False)
    own, base = found._fit.source.corrected()
    source = found._fit.source
    alone = replace(source, _later={}, exogenous=replace(source.exogenous, joined=(np.eye(9, dtype=bool),)))
    parts = [(own, "model", ""), (base, "baseline", ""), (alone.corrected()[1], "lavaan_baseline", ".null")]
    for part, name, end in parts:
        theirs = reference[name]
        assert_close(part.statistic, theirs[f"XX3{end}"], "fit_measure", f"{name}: chi-square")
        assert_close(part.df, theirs[f"df3{end}"], "count", f"{name}: df")
        assert_close(part.factor, theirs[f"c.hat3{end}"], "fit_measure", f"{name}: scaling")
    gain, null = own.statistic - own.trace, alone.corrected()[1]
    theirs = reference["semTools"]
    mixed = null.statistic - null.factor * base.df
    assert_close(1 - gain / mixed, theirs["cfi.robust"], "fit_measure", "robust CFI of semTools")
    assert_close(1 - gain / own.df * base.df / mixed, theirs["tli.robust"], "fit_measure", "robust TLI of semTools")
    measures = found.fit_measures()
    assert_close(measures["rmsea_robust"], theirs["rmsea.robust"], "fit_measure", "robust RMSEA")
    model_, baseline = reference["model"], reference["baseline"]
    gain = model_["XX3"] - model_["c.hat3"] * model_["df3"]
    gain0 = baseline["XX3"] - baseline["c.hat3"] * baseline["df3"]
    assert_close(measures["cfi_robust"], 1 - gain / gain0, "fit_measure", "robust CFI")
    share = gain / model_["df3"] * baseline["df3"] / gain0
    assert_close(measures["tli_robust"], 1 - share, "fit_measure", "robust TLI")


def test_factor_scores_of_incomplete_rows() -> None:
    folder = HERE / "sem" / "hs_fiml_missing"
    reference = json.loads((folder / "scores.json").read_text())
    data = pd.read_csv(folder / "data.csv")
    found = ak.cfa(load("sem", "hs_fiml_missing")[0]["syntax"], data, missing="fiml")
    for method, name in (("regression", "regression"), ("bartlett", "Bartlett")):
        ours = incomplete_scores(found._fit.source, method)[0][:10]
        assert_close(ours, reference[name]["values"], "estimate", f"{method} scores")
