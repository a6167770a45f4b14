"""Fits of lavaan 0.6-14: many models, and each option of cfa, sem and growth, from one set of data.

Two-level models with a covariate of the lower level alone: lavaan's scores of its mean are not those of its likelihood,
so that its robust standard errors are off by up to some percent; that of the mean itself is shown here to be wrong.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close, note_gain

HERE = Path(__file__).parent / "sem_models"
MODELS = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
DATA = pd.read_csv(HERE / "data.csv")

UNLIKE = {
    "two_level_mlr": (
        "std_error",
        "chisq.scaled",
        "pvalue.scaled",
        "chisq.scaling.factor",
        "rmsea.robust",
        "cfi.robust",
    )
}
"""Rests on these scores."""
UNLIKE |= {"fiml_all_rows": ("baseline.chisq", "unrestricted.logl")}
"""Not what lavaan's own chi-square rests on."""


def fit(model: dict[str, Any]) -> Any:
    """Fit a model as R did."""
    given = {name.replace(".", "_"): value for name, value in dict(model["args"] or {}).items()}
    given.setdefault("missing", "listwise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        return getattr(ak, model["fn"])(model["syntax"], DATA, **given)


def numbers(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


@pytest.mark.option("cfa.likelihood", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("cfa.group", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("cfa.fixed_x", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("cfa.se", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("cfa.test", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("cfa.information", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("sem.estimator", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("sem.fixed_x", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("growth.estimator", "lavaan 0.6-14, 129 fits")
@pytest.mark.option("growth.fixed_x", "lavaan 0.6-14, 129 fits")
@pytest.mark.parametrize("model", MODELS, ids=[model["name"] for model in MODELS])
def test_fit_as_lavaan(model: dict[str, Any]) -> None:
    f = fit(model)
    assert f.converged
    table = f.tidy()
    assert_close(table["estimate"], numbers(model["estimate"]), "estimate", "estimates")
    unlike = UNLIKE.get(model["name"], ())
    if "std_error" in model and "std_error" not in unlike:
        assert_close(table["std_error"], numbers(model["std_error"]), "std_error", "standard errors")
    measures = f.fit_measures()
    for name, value in model["fit"].items():
        if value is None or name in unlike:
            continue
        kind = "log_likelihood" if name in ("logl", "unrestricted.logl", "aic", "bic") else "fit_measure"
        assert_close(measures[name.replace(".", "_")], value, kind, name)
    if model["fit"].get("logl") is not None:
        note_gain(measures["logl"], model["fit"]["logl"])


def test_robust_error_of_the_mean_of_a_covariate_of_the_lower_level() -> None:
    model = next(model for model in MODELS if model["name"] == "two_level_mlr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.ConvergenceWarning)
        found = ak.cfa(model["syntax"], DATA, cluster="cl", estimator="MLR", fixed_x=False).tidy()
    ours = found.loc[(found["term"] == "z1 ~1") & (found["level"] == "within"), "std_error"].iloc[0]
    gap = DATA["z1"] - DATA["z1"].mean()
    by_hand = float(np.sqrt((gap.groupby(DATA["cl"]).sum() ** 2).sum())) / len(DATA)
    assert ours == pytest.approx(by_hand, rel=1e-5)  # lavaan: 0.05343
    assert by_hand == pytest.approx(0.05214, abs=1e-5)
