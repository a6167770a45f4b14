"""Tables and sentences of tests come from the result, change with the data, and say the opposite for no effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.report.grid import lay_out
from tests.unit.multilevel.test_mixed import FORMULA, growth


def flat() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    d = growth()
    return d.assign(y=rng.normal(size=len(d)) + 2 * rng.normal(size=40)[d["patient"]])


def both() -> list[ak.MixedFit]:
    return [ak.mixed("y ~ time + (1 | patient)", d) for d in (growth(), flat())]


def test_tables_hold_the_numbers() -> None:
    fit = ak.mixed(FORMULA, growth())
    for result in (fit.anova(), fit.anova(ddf="kenward-roger"), fit.robust(), fit.ranova()):
        table = ak.table(result)
        for column in table.data.columns.intersection(["statistic", "chisq", "p_value", "p_mixture", "estimate", "df"]):
            np.testing.assert_array_equal(table.data[column], result.tidy()[column])
        assert lay_out(table).rows and table.notes
    assert "Kenward and Roger's method" in ak.table(fit.anova(ddf="kenward-roger")).notes[0]
    assert ak.table(fit.ranova()).data["removed"].iloc[0] == "Nothing (the whole model)"


def test_sentences_say_the_opposite_for_no_effect() -> None:
    effect, none = both()
    assert "reliable effects of time, F(1, 199.0) = " in ak.sentence(effect.anova()).text
    assert "no reliable effect of time" in ak.sentence(none.anova()).text
    assert "coefficient of time was negative, b = " in ak.sentence(effect.robust()).text
    assert "no reliable relation with time" in ak.sentence(none.robust()).text
    slopes = [ak.mixed("y ~ time + (time | patient)", growth()), ak.mixed("y ~ time + (time || patient)", growth())]
    assert (
        "Without time in (1 + time | patient) the model fitted reliably worse" in ak.sentence(slopes[0].ranova()).text
    )
    assert "did not fit reliably worse" in ak.sentence(ak.mixed(FORMULA, growth()).ranova()).text
    assert "only an intercept" in ak.sentence(ak.mixed("y ~ 1 + (1 | patient)", growth()).robust()).text
    assert "no term to test" in ak.sentence(ak.mixed("y ~ 1 + (1 | patient)", growth()).anova()).text


def test_a_comparison_of_variances_is_read_by_the_mixture() -> None:
    d = growth()
    small, big = ak.mixed("y ~ time + (1 | patient)", d), ak.mixed("y ~ time + (time || patient)", d)
    result = ak.compare(small, big)
    table = ak.table(result)
    assert "p_mixture" in table.data.columns
    assert "equal mixture of zero and chi-square with 1 df" in " ".join(table.notes)
    assert "p_mixture" not in " ".join(table.notes) + ak.sentence(result).text
    fixed = ak.compare(ak.mixed("y ~ 1 + (1 | patient)", d), small)
    assert "p_mixture" not in ak.table(fixed).data.columns


def test_several_tables_of_tests_are_refused() -> None:
    fit = ak.mixed(FORMULA, growth())
    with pytest.raises(ak.ReportError, match=r"Call ak\.table for each"):
        ak.table(fit.anova(), fit.ranova())
