"""The guard against one slope for two effects: what must trigger it and, above all, what must not."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.formula.design import build_design
from alliancekit.multilevel.pooled import pooled_predictors, pooled_text


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """80 patients of 10 therapists with 3 to 12 sessions; alliance has 40% of its variance between patients."""
    rng = np.random.default_rng(41)
    sizes = rng.integers(3, 13, 80)
    p = np.repeat(np.arange(80), sizes)
    d = pd.DataFrame({"patient": [f"P{i:03d}" for i in p], "therapist": p // 8})
    d["time"] = np.concatenate([np.arange(float(s)) for s in sizes])
    d["arm"] = np.where(p % 2, "cbt", "control")
    d["baseline"] = rng.normal(size=80)[p]
    d["alliance"] = rng.normal(0, 0.8, 80)[p] + rng.normal(size=p.size)
    d["y"] = 20 + rng.normal(0, 3, 80)[p] - d["time"] + 0.5 * d["alliance"] + rng.normal(size=p.size)
    d["noise"] = rng.normal(size=p.size)
    d["binary"] = (d["alliance"] > 0).astype(float)
    d["homework"] = np.where(d["alliance"] > 0.5, "much", np.where(d["alliance"] > -0.5, "some", "none"))
    d = ak.within_between(d, "alliance", by="patient")
    d = ak.lag(d, "y", by="patient", time="time")
    d["before"] = d["y_lag1"]
    return ak.lag(d, "alliance", by="patient", time="time")


def flagged(formula: str, data: pd.DataFrame) -> list[str]:
    return [p.column for p in pooled_predictors(build_design(formula, data))]


TRIGGERS = {
    "raw": ("y ~ time + alliance + (1 | patient)", ["alliance"]),
    "three levels": ("y ~ time + arm + alliance + (1 + time | patient) + (1 | therapist)", ["alliance"]),
    "random slope": ("y ~ alliance + (1 + alliance | patient)", ["alliance"]),
    "interaction": ("y ~ time + alliance*arm + (1 | patient)", ["alliance"]),
    "a transform": ("y ~ time + I(alliance^2) + scale(alliance) + (1 | patient)", ["alliance"]),
    "its lag": ("y ~ time + alliance_lag1 + (1 | patient)", ["alliance_lag1"]),
    "two": ("y ~ alliance + alliance_lag1 + baseline + (1 | patient)", ["alliance", "alliance_lag1"]),
}
SILENT = {
    "split": "y ~ time + alliance_within + alliance_between + (1 | patient)",
    "raw and mean": "y ~ time + alliance + alliance_between + (1 | patient)",
    "raw and deviation": "y ~ time + alliance + alliance_within + (1 | patient)",
    "between only": "y ~ time + alliance_between + (1 | patient)",
    "time": "y ~ time + (1 | patient)",
    "time's transforms": "y ~ time + I(time^2) + log(time + 1) + (1 + time | patient)",
    "polynomials of time": "y ~ poly(time, 3) + (1 | patient)",
    "fixed in time": "y ~ baseline + arm + baseline*arm + (1 | patient)",
    "noise": "y ~ noise + (1 | patient)",
    "two values": "y ~ binary + (1 | patient)",
    "a factor": "y ~ homework + (1 | patient)",
    "own past, by name": "y ~ time + y_lag1 + (1 | patient)",
    "own past, by values": "y ~ time + before + (1 | patient)",
    "no predictor": "y ~ 1 + (1 | patient)",
    "interaction alone": "y ~ time + time:alliance_within + (1 | patient)",
}


@pytest.mark.parametrize(("formula", "columns"), TRIGGERS.values(), ids=TRIGGERS.keys())
def test_pooled_predictors_are_found(frame: pd.DataFrame, formula: str, columns: list[str]) -> None:
    assert flagged(formula, frame) == columns
    assert flagged(formula, frame.sample(frac=1, random_state=1)) == columns


@pytest.mark.parametrize("formula", SILENT.values(), ids=SILENT.keys())
def test_no_alarm(frame: pd.DataFrame, formula: str) -> None:
    assert flagged(formula, frame) == []
    lost = frame.copy()
    lost.loc[lost.index[np.random.default_rng(3).random(len(lost)) < 0.15], "y"] = np.nan
    assert flagged(formula, lost) == [], "means over rows that are not used are person means all the same"


@pytest.mark.parametrize("shuffled", [False, True])
def test_times_of_any_name_are_left_alone(frame: pd.DataFrame, shuffled: bool) -> None:
    """Dropout makes the mean of time differ between patients; that is no between effect of time."""
    rng = np.random.default_rng(5)
    p = frame["patient"].str[1:].astype(int)
    d = frame.assign(nr=frame["time"] + 1, late=np.maximum(frame["time"] - 4, 0.0))
    d["when"] = 2000 + rng.integers(0, 3000, 80)[p] + 7 * frame["time"] + rng.random(len(frame))
    names = ["nr"] if shuffled else ["nr", "late", "when"]
    d = d.sample(frac=1, random_state=2) if shuffled else d
    for name in names:
        assert flagged(f"y ~ {name} + (1 | patient)", d) == [], name


def test_noise_hardly_ever_alarms() -> None:
    rng = np.random.default_rng(6)
    p = np.repeat(np.arange(40), 6)
    d = pd.DataFrame({"p": p, "y": rng.normal(size=240)})
    names = [f"x{i}" for i in range(300)]
    d = pd.concat([d, pd.DataFrame(rng.normal(size=(240, 300)), columns=names)], axis=1)
    assert sum(bool(flagged(f"y ~ {name} + (1 | p)", d)) for name in names) <= 3


def test_the_warning_writes_the_split_out(frame: pd.DataFrame) -> None:
    with pytest.warns(ak.DesignWarning) as caught:
        fit = ak.mixed("y ~ time + alliance * arm + (1 + alliance | patient)", frame)
    text = str(next(w for w in caught if "alliance" in str(w.message)).message)
    assert 'df = ak.within_between(df, "alliance", by="patient")' in text
    assert '"y ~ time + (alliance_within + alliance_between) * arm + (1 + alliance_within | patient)"' in text
    assert "'alliance' [" in text and "% between]" in text and text in fit.warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error", ak.DesignWarning)
        fit.with_method("ML")
        ak.mixed("y ~ time + (alliance_within + alliance_between) * arm + (1 + alliance_within | patient)", frame)


def test_a_transform_has_no_formula_to_copy(frame: pd.DataFrame) -> None:
    design = build_design("y ~ exp(alliance) + (1 | patient)", frame)
    text = pooled_text(design, pooled_predictors(design), {"alliance": "Working alliance"})
    assert "(Working alliance)" in text and "..._within and ..._between" in text


def test_many_rows_are_sampled_by_unit() -> None:
    rng = np.random.default_rng(8)
    p = np.repeat(np.arange(9000), 4)
    d = pd.DataFrame({"p": p, "x": rng.normal(size=9000)[p] + rng.normal(size=p.size), "y": rng.normal(size=p.size)})
    d["time"] = np.tile(np.arange(4.0), 9000)
    (found,) = pooled_predictors(build_design("y ~ time + x + (1 | p)", d))
    assert found.share == pytest.approx(0.5, abs=0.05)
    few = d.assign(p=d["p"] % 3, x=d["x"] + 2.0 * (d["p"] % 3))
    assert flagged("y ~ x + (1 | p)", few) == ["x"]
