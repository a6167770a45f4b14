"""BCa limits of the package boot from the same samples, and statistics of samples as lavaan 0.6-14 computes them."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import alliancekit as ak
from alliancekit.structural.after.bootstrap import StructuralBootstrap
from alliancekit.structural.after.intervals import summary
from tests.reference.comparison import assert_close
from tests.reference.test_sem_bootstrap import SEED, boot_data

STORED = json.loads((Path(__file__).parent / "sem_bootstrap" / "more.json").read_text(encoding="utf-8"))
PATHS = "x4 ~ a*x1\nx7 ~ b*x4 + c*x1\nind := a*b\nsize := sqrt(a*a + b*b)"
IDS = [case["name"] for case in STORED["whole"]]


@cache
def drawn() -> StructuralBootstrap:
    return ak.sem(PATHS, boot_data()).bootstrap(999, seed=SEED)


@pytest.mark.option("StructuralFit.tidy.interval", "boot 1.3-28: BCa limits of the same samples")
@pytest.mark.parametrize("theirs", STORED["limits"], ids=[one["term"] for one in STORED["limits"]])
def test_accelerated_limits_as_boot(theirs: dict[str, Any]) -> None:
    at = drawn().names.index(theirs["term"])
    assert_close(drawn().estimates[at], theirs["estimate"], "estimate", "estimate")
    assert_close(drawn().replicates[:, at].std(ddof=1), theirs["sd"], "estimate", "replicates")
    assert_close(drawn().acceleration[at], theirs["acceleration"], "estimate", "acceleration")
    for level, lower, upper in zip(theirs["level"], theirs["lower"], theirs["upper"], strict=True):
        found = drawn().tidy("bca", level).iloc[at]
        assert_close([found["conf_low"], found["conf_high"]], [lower, upper], "estimate", f"limits {level}")


def test_limits_of_lavaan_whose_acceleration_is_regressed() -> None:
    """lavaan 0.6-14 regresses replicates on the counts of rows, which adds the noise of the samples to acceleration."""
    given, own = STORED["regressed"], drawn()
    columns = {name: np.array(given["replicates"][name]) for name in "abc"}
    columns["ind"] = columns["a"] * columns["b"]
    places = [own.names.index(name) for name in columns]
    acceleration = own.acceleration[places]
    for k, (name, values) in enumerate(columns.items()):
        at = given["term"].index(name)
        found = summary(own.estimates[places[k]], values, "bca", 0.95, float(acceleration[k]))
        apart = np.array(found[3:]) - [given["lower"][at], given["upper"][at]]
        assert np.abs(apart).max() < 0.05 * values.std()


def fit_of(case: dict[str, Any]) -> Any:
    options = {name.replace(".", "_"): value for name, value in case["options"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ak.sem(case["model"], boot_data(), **options)


@pytest.mark.option("StructuralFit.bootstrap.statistic", "lavaan 0.6-14 and semTools 0.5-6 on the same rows, 5 models")
@pytest.mark.parametrize("case", STORED["whole"], ids=IDS)
def test_statistics_of_samples_as_lavaan(case: dict[str, Any]) -> None:
    fit = fit_of(case)
    words = ("fit_measures", "standardized", "r2")
    found = {word: fit.bootstrap(3, seed=SEED, statistic=word) for word in words}
    for r, sample in enumerate(case["samples"]):
        for word, boot in found.items():
            ours = dict(zip(boot.names, boot.replicates[r], strict=True))
            for name, value in sample[word].items():
                kind = "p_value" if name == "pvalue" else "fit_measure" if word == "fit_measures" else "estimate"
                assert_close(
                    ours[name.replace(".", "_") if kind != "estimate" else name], value, kind, f"{word} {name}"
                )
        if "omega" in sample:
            boot = fit.bootstrap(3, seed=SEED, statistic="reliability")
            ours = dict(zip(boot.names, boot.replicates[r], strict=True))
            for name, value in sample["omega"].items():
                assert_close(ours[f"omega {name}"], value, "estimate", f"omega {name}")
