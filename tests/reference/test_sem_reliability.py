"""Reliability where a factor also predicts: what is predicted is none of its items (semTools 0.5-6, lavaan 0.6-14).

The numbers: ``compRelSEM``, ``AVE`` and ``htmt`` of the same model, fitted by ``sem`` to sem_models/data.csv.
"""

from __future__ import annotations

import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close
from tests.reference.sem_cases import HERE


@pytest.mark.option("StructuralFit.reliability", "semTools 0.5-6")
def test_outcomes_are_no_items() -> None:
    data = pd.read_csv(HERE / "sem_models" / "data.csv")
    fit = ak.sem("f =~ x1 + x2 + x3\nx4 ~ f\nh =~ x5 + x6 + z1\nh ~ f", data)
    found = fit.reliability().set_index("factor")
    assert found["items"].tolist() == [3, 3]
    assert_close(found["omega"], [0.682814248, 0.565083964], "estimate", "omega")
    assert_close(found["ave"], [0.419004389, 0.342095112], "estimate", "average variance extracted")
    assert_close(fit.htmt().loc["h", "f"], 0.818348204, "estimate", "htmt")
