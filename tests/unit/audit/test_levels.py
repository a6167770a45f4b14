"""Checks of levels: one data set that triggers each, one that must not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.audit import crossed_nested, few_clusters, person_means, pooled_slope, therapist_effect, timing
from alliancekit.numerics.spread import collapse, spread_between
from alliancekit.study.codebook import Codebook
from alliancekit.study.types import Study

from .support import context, fit, persons, sessions, validity

RANDOM = "(1 | patient) + (1 | therapist)"
SPLIT = f"y ~ time + alliance_within + alliance_between + {RANDOM}"


# --- number of clusters ---


def test_clusters_pass_from_twenty_on() -> None:
    found = few_clusters.check(context(fit(SPLIT, sessions())))
    assert found.status == "pass" and found.numbers["n_therapist"] == 24


def test_clusters_warn_below_twenty() -> None:
    found = few_clusters.check(context(fit(SPLIT, sessions(therapists=12))))
    assert found.status == "warn" and "Satterthwaite" in found.advice


def test_clusters_refuse_a_cluster_level_claim_below_ten() -> None:
    data = sessions(therapists=8)
    data["experience"] = np.random.default_rng(5).normal(size=8)[data["therapist"]]
    found = few_clusters.check(context(fit(f"y ~ time + experience + {RANDOM}", data)))
    assert found.status == "refuse" and "experience" in found.evidence
    lower = few_clusters.check(context(fit(SPLIT, data)))
    assert lower.status == "warn", "no term lies at the therapists' level"


def test_clusters_cannot_be_counted_without_groups() -> None:
    assert few_clusters.check(context(validity(persons(), therapist=None))).status == "not checked"


# --- therapist effect ---


def test_therapist_in_the_model_passes_even_at_zero_variance() -> None:
    data = sessions()
    data["y"] -= data.groupby("therapist")["y"].transform("mean")
    model = fit(SPLIT, data)
    assert model.singular
    assert therapist_effect.check(context(model, data)).status == "pass"


def test_therapist_left_out_is_refused_where_patients_cluster() -> None:
    data = sessions(patients=96, therapists=12)
    data["y"] += 4 * np.random.default_rng(3).normal(size=12)[data["therapist"]]
    found = therapist_effect.check(context(fit("y ~ time + (1 | patient)", data), data))
    assert found.status == "refuse" and found.numbers["icc"] > 0.3


def test_therapist_left_out_warns_where_patients_do_not_cluster() -> None:
    data = persons()
    data["y"] = np.random.default_rng(1).normal(size=len(data))
    found = therapist_effect.check(context(validity(data, therapist=None), data))
    assert found.status == "warn" and "zero variance" in found.advice


def test_therapist_unknown_is_not_checked() -> None:
    data = sessions().drop(columns="therapist")
    found = therapist_effect.check(context(fit("y ~ time + (1 | patient)", data), data))
    assert found.status == "not checked" and "therapist=" in found.advice


# --- one slope for two levels ---


def test_pooled_slope_is_refused() -> None:
    found = pooled_slope.check(context(fit(f"y ~ time + alliance + {RANDOM}", sessions())))
    assert found.status == "refuse" and "'alliance'" in found.evidence and "within_between" in found.advice


def test_split_slope_passes_in_both_forms() -> None:
    assert pooled_slope.check(context(fit(SPLIT, sessions()))).status == "pass"
    raw_and_mean = fit(f"y ~ time + alliance + alliance_between + {RANDOM}", sessions())
    assert pooled_slope.check(context(raw_and_mean)).status == "pass"


def test_pooled_slope_over_therapists_warns_only_where_the_predictor_differs_between_them() -> None:
    data = persons(n=240)
    assert pooled_slope.check(context(validity(data), data)).status == "pass"
    data["task"] += 1.5 * np.random.default_rng(4).normal(size=24)[data["therapist"]]
    found = pooled_slope.check(context(validity(data), data))
    assert found.status == "warn" and found.numbers["icc_task_therapist"] > 0.4


def test_repeated_rows_do_not_make_a_patient_variable_a_therapist_variable() -> None:
    values, codes, people = np.repeat([1.0, 4.0, 2.0, 9.0], 5), np.repeat([0, 1, 0, 1], 5), np.repeat(np.arange(4), 5)
    once, upper = collapse(values, codes, people)
    assert once.tolist() == [1.0, 4.0, 2.0, 9.0] and upper.tolist() == [0, 1, 0, 1]
    crossed, same = collapse(values, np.tile([0, 1, 0, 1, 0], 4), people)
    assert len(crossed) == 20 and len(same) == 20


def test_spread_agrees_with_the_analysis_of_variance() -> None:
    from scipy.stats import f_oneway

    rng = np.random.default_rng(7)
    groups = [rng.normal(m, 1, size) for m, size in ((0, 5), (1, 9), (0.5, 7))]
    values, codes = np.concatenate(groups), np.repeat([0, 1, 2], [5, 9, 7])
    found = spread_between(values, codes)
    expected = f_oneway(*groups)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.icc2 == pytest.approx(1 - 1 / expected.statistic)
    assert spread_between(np.ones(21), codes) is None
    assert spread_between(np.arange(3.0), np.arange(3)) is None


# --- reliability of person means ---


def test_person_means_of_two_sessions_warn_and_of_many_pass() -> None:
    few = person_means.check(context(fit(SPLIT, sessions(patients=72, per_patient=2))))
    assert few.status == "warn" and few.numbers["icc2_alliance"] < 0.7
    many = person_means.check(context(fit(SPLIT, sessions(per_patient=14))))
    assert many.status == "pass" and many.numbers["icc2_alliance"] > 0.85


def test_person_means_do_not_concern_a_model_without_them() -> None:
    assert person_means.check(context(fit(f"y ~ time + {RANDOM}", sessions()))).status == "pass"


# --- crossed or nested ---


def test_nested_passes_and_reused_ids_warn() -> None:
    data = sessions()
    assert crossed_nested.check(context(fit(SPLIT, data))).status == "pass"
    data["patient"] = data.groupby("therapist")["patient"].transform(lambda p: pd.factorize(p)[0])
    data["person"] = data["patient"].astype(str) + "-" + data["therapist"].astype(str)
    crossed = crossed_nested.check(context(fit("y ~ time + (1 | patient) + (1 | therapist)", data)))
    assert crossed.status == "warn" and "/" in crossed.advice
    explicit = fit("y ~ time + (1 | therapist/patient)", data)
    assert crossed_nested.check(context(explicit)).status == "pass"


def test_patients_who_changed_therapist_are_counted() -> None:
    data = sessions()
    late = (data["patient"] == 3) & (data["time"] > 4)
    data.loc[late, "therapist"] = 9
    found = crossed_nested.check(context(fit(SPLIT, data)))
    assert found.status == "warn" and found.numbers["patient_with_several_therapist"] == 1


def test_one_factor_is_not_checked() -> None:
    data = sessions().drop(columns="therapist")
    assert crossed_nested.check(context(fit("y ~ time + (1 | patient)", data))).status == "not checked"


# --- timing ---

BOOK = {
    "tables": {
        "session": {
            "columns": {
                "patient": {"role": "patient"},
                "time": {"role": "time"},
                "y": {"when": "before", "level": "session"},
                "alliance": {"when": "after", "level": "session"},
            }
        }
    }
}


def session_study() -> Study:
    data = sessions()
    return Study(tables={"session": data}, codebook=Codebook.from_dict(BOOK))


def test_alliance_after_the_session_cannot_predict_symptoms_before_it() -> None:
    study = session_study()
    found = timing.check(context(fit(SPLIT, study), study))
    assert found.status == "refuse" and "ak.lag" in found.advice


def test_lagged_alliance_passes() -> None:
    study = ak.lag(session_study(), "alliance_within", by="patient", time="time")
    model = fit(f"y ~ time + alliance_within_lag1 + alliance_between + {RANDOM}", study)
    assert timing.check(context(model, study)).status == "pass"
    lead = ak.lead(session_study(), "y", by="patient", time="time")
    model = fit(f"y_lead1 ~ time + alliance_within + alliance_between + {RANDOM}", lead)
    assert timing.check(context(model, lead)).status == "pass"


def test_same_moment_warns() -> None:
    book = {
        "tables": {"session": {"columns": {**BOOK["tables"]["session"]["columns"], "alliance": {"when": "before"}}}}
    }
    study = Study(tables={"session": sessions()}, codebook=Codebook.from_dict(book))
    assert timing.check(context(fit(SPLIT, study), study)).status == "warn"


def test_growth_over_time_alone_passes() -> None:
    assert timing.check(context(fit(f"y ~ time + {RANDOM}", sessions()))).status == "pass"


def test_given_times_decide() -> None:
    data = persons()
    result = validity(data)
    times = {"severity": -7.0, "task": 21.0, "bond": 21.0}
    assert timing.check(context(result, data, measured={**times, "y": 180.0})).status == "pass"
    assert timing.check(context(result, data, measured={**times, "y": 14.0})).status == "refuse"
    assert timing.check(context(result, data, measured={**times, "y": 21.0})).status == "warn"
    unknown = timing.check(context(result, data, measured={"severity": -7.0, "y": 180.0}))
    assert unknown.status == "not checked" and "task" in unknown.evidence


def test_unknown_times_are_not_checked() -> None:
    assert timing.check(context(validity(persons()))).status == "not checked"
    assert timing.check(context(fit(SPLIT, sessions()))).status == "not checked"
