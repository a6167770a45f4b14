"""Type I error, bias and coverage with 6 to 40 therapists, by df method. ``SEED`` was fixed before the first run.

The settings with one row per patient are those in which lme4 was measured when this engine was planned: with K = 6 and
an ICC of .30, z rejects .133, Satterthwaite .077, Kenward-Roger .063 of true nulls; with K = 8 and an ICC of .10
.052, .033 and .025 (300 to 400 replicates, Monte Carlo SE about .012). ``benchmarks/recovery.py`` writes the table.
"""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.simulation.recovery import binomial_range

from .therapists import Setting, study

SEED = 2026_11_27


def by(found: object, term: str, ddf: str) -> object:
    table = found
    return table[(table["term"] == term) & (table["ddf"] == ddf)].iloc[0]  # type: ignore[index]


def test_z_is_liberal_with_six_therapists_and_kenward_roger_is_not() -> None:
    found = study(Setting("one_row", 6, 8, 0.30), 400, SEED)
    rates = {m: by(found, "experience", m)["type_1"] for m in ("normal", "satterthwaite", "kenward-roger")}
    assert rates["normal"] > rates["satterthwaite"] >= rates["kenward-roger"]
    assert rates["normal"] > binomial_range(0.05, 400)[1]
    assert rates["kenward-roger"] <= binomial_range(0.05, 400)[1]
    # as measured with lme4: .133, .077, .063 on 400 replicates; two proportions of 400 differ by .055 at three SE
    for method, theirs in (("normal", 0.133), ("satterthwaite", 0.077), ("kenward-roger", 0.063)):
        assert abs(rates[method] - theirs) < 3 * np.sqrt(2 * theirs * (1 - theirs) / 400)


def test_effects_of_three_levels_are_recovered() -> None:
    replicates = 200
    found = study(Setting("sessions", 20, 6, 0.10), replicates, SEED + 1)
    low, high = binomial_range(0.95, replicates)
    for row in found[found["ddf"] == "satterthwaite"].itertuples():
        truth = 0.0 if row.term == "alliance_therapist" else 0.30
        assert abs(row.bias) <= max(0.05 * truth, 0.01) + 3 * row.bias_se, row.term
        assert low <= row.coverage <= high, row.term


@pytest.mark.slow
@pytest.mark.parametrize("therapists", [6, 10, 20, 40])
def test_coverage_by_number_of_therapists(therapists: int) -> None:
    replicates = 1000
    found = study(Setting("sessions", therapists, 8, 0.10), replicates, SEED + therapists)
    low, high = binomial_range(0.95, replicates)
    for row in found[found["ddf"] != "normal"].itertuples():
        truth = 0.0 if row.term == "alliance_therapist" else 0.30
        assert abs(row.bias) <= max(0.05 * truth, 0.01) + 3 * row.bias_se, row.term
        assert row.coverage >= low, (row.term, row.ddf)
        if row.term != "alliance_therapist":  # with a variance at zero the df of the therapist effect are conservative
            assert row.coverage <= high, (row.term, row.ddf)
