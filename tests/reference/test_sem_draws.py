"""Bootstraps of Bollen and Stine, of Yuan, and of normal rows, by ``bootstrapLavaan`` of lavaan 0.6-14.

Given the numbers of the rows that lavaan drew, our turned rows give its estimates and chi-squares, sample by sample.
lavaan's turned rows depend on the units of the variables, ours do not: variables with one SD, on which both are the
same, stand in these cases. Yuan's rows keep no means in lavaan, so that means are saturated there.

Of samples that each program draws itself, means and SDs of R replicates are held to 4.5 of their standard errors: of a
mean SD * sqrt(1 / R + 1 / R'), of the logarithm of an SD sqrt((k - 1) / 4 * (1 / R + 1 / R')), k the fourth moment.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.seeds import spawn
from alliancekit.structural.after.draws import Draws, Picks, draws_of
from alliancekit.structural.after.refits import fit_moments, fit_squares, with_information
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent
STORED = json.loads((HERE / "sem_draws" / "expected.json").read_text(encoding="utf-8"))
DATA = pd.read_csv(HERE / "sem_models" / "data.csv")
X = [f"x{i}" for i in range(1, 10)]


@dataclass(frozen=True, eq=False, slots=True)
class GivenRows(Draws):
    """Samples of rows whose numbers are given, of each group (samples, n)."""

    numbers: tuple[Any, ...] = ()

    def counts(self, seeds: Picks) -> list[Any]:
        """Return how often each row is in the samples that the seeds count."""
        return [
            np.stack([np.bincount(own[s], minlength=len(rows)) for s in seeds]).astype(float)
            for rows, own in zip(self.rows, self.numbers, strict=True)
        ]

    def sample(self, seed: Any) -> Any:
        """Return the rows of a sample."""
        return [(rows[own[seed]], None) for rows, own in zip(self.rows, self.numbers, strict=True)]


def scaled_data(which: str) -> pd.DataFrame:
    """Return the data with one SD, in the whole sample or in each group, whose means then differ."""
    out = DATA.copy()
    if which == "s":
        out[X] = (DATA[X] - DATA[X].mean()) / DATA[X].std(ddof=0)
        return out
    for k, group in enumerate(DATA["g2"].unique(), start=1):
        own = DATA["g2"] == group
        out.loc[own, X] = (DATA.loc[own, X] - DATA.loc[own, X].mean()) / DATA.loc[own, X].std(ddof=0) + k
    return out


def fit(case: dict[str, Any]) -> Any:
    given = {name.replace(".", "_"): value for name, value in dict(case["options"]).items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.sem(case["model"], scaled_data(case["data"]), **given)._fit


@pytest.mark.option("StructuralFit.bootstrap.kind", "lavaan 0.6-14, 260 samples of given rows")
@pytest.mark.parametrize("case", STORED["drawn"], ids=[f"{c['name']}-{c['type']}" for c in STORED["drawn"]])
def test_turned_rows_as_lavaan(case: dict[str, Any]) -> None:
    fitted = fit(case)
    turned = draws_of(fitted, case["type"])
    numbers = tuple(np.array(own) - 1 for own in case["rows"])
    draws = GivenRows(turned.rows, turned.clusters, (), numbers)
    squares = fitted.engine == "least squares"
    picks = range(len(numbers[0]))
    x, chisq = fit_squares(fitted, draws, picks) if squares else fit_moments(with_information(fitted), draws, picks)
    assert_close(x, case["coef"], "estimate", "estimates of samples")
    assert_close(chisq, case["chisq"], "fit_measure", "chi-squares of samples")
    first, unbiased = draws.sample(0), squares or case["options"].get("likelihood") == "wishart"
    covs = [np.cov(rows.T, bias=not unbiased)[np.tril_indices(rows.shape[1])] for rows, _ in first]
    columns = [np.lexsort(np.tril_indices(rows.shape[1])) for rows, _ in first]  # column by column, as in R
    moments = [part[order] for part, order in zip(covs, columns, strict=True)] + [
        rows.mean(axis=0) for rows, _ in first
    ]
    theirs, ours = np.array(case["moments"]), np.concatenate(moments)
    if case["type"] == "yuan" and case["data"] == "g":  # rows whose means are not zero
        theirs, ours = (part[: -2 * fitted.implied[0].mu.size] for part in (theirs, ours))
    assert_close(ours, theirs, "estimate", "moments of turned rows")


@pytest.mark.parametrize("kind", list(STORED["many"]))
def test_many_samples_as_lavaan(kind: str) -> None:
    theirs = STORED["many"][kind]
    fitted = ak.sem(theirs["model"], DATA, meanstructure=theirs["meanstructure"])._fit
    x, chisq = fit_moments(with_information(fitted), draws_of(fitted, kind), spawn(20260301, 4000))
    drawn = np.column_stack([x, chisq])
    shares = 1 / theirs["samples"] + 1 / len(drawn)
    sd, fourth = np.array(theirs["sd"]), np.array(theirs["fourth"])
    apart = (drawn.mean(axis=0) - theirs["mean"]) / (sd * np.sqrt(shares))
    assert np.abs(apart).max() < 4.5
    wider = np.log(drawn.std(axis=0, ddof=1) / sd) / np.sqrt((fourth - 1) / 4 * shares)
    assert np.abs(wider).max() < 4.5
    for level, value in zip((0.1, 0.25, 0.5, 0.75, 0.9), theirs["quantiles"], strict=True):
        assert abs((chisq <= value).mean() - level) < 4.5 * np.sqrt(level * (1 - level) * shares)
