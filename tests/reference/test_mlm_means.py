"""emmeans 1.8.4 (means, contrasts, emtrends) and sums by hand in R: one test per case, task and column."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.formula.design import build_design
from alliancekit.multilevel.after.contrast_rows import RowInference
from alliancekit.multilevel.after.means import marginal_means
from alliancekit.multilevel.after.response_scale import make_scale
from alliancekit.multilevel.after.slopes import simple_slopes
from tests.reference.comparison import assert_close, load_case

HERE = Path(__file__).parent
FAMILY = HERE / "mlm_means"
KINDS = {"estimate": "estimate", "std_error": "std_error", "df": "df", "statistic": "estimate", "p_value": "p_value"}
LIMITS = ("conf_low", "conf_high")
SIZES = {"d": "estimate", "g": "hedges_g", "sd": "sd", "difference": "difference", "p_value": "p_value", "df": "df"}


@cache
def frame(case: str) -> pd.DataFrame:
    model, _ = load_case(FAMILY / case)
    data = pd.read_csv((HERE / model["data_of"] if "data_of" in model else FAMILY / case) / "data.csv")
    ordered = {c for c, kind in model.get("contrasts", {}).items() if kind == "contr.poly"}
    for column, levels in model.get("factors", {}).items():
        data[column] = pd.Categorical(data[column].astype(str), categories=levels, ordered=column in ordered)
    return data


class FromR:
    """Fixed effects and their covariance as R has them, for families whose estimates are tested elsewhere."""

    def __init__(self, case: str) -> None:
        model, expected = load_case(FAMILY / case)
        self.design = build_design(model["formula"], frame(case), has_residual=False)
        self.data = frame(case)
        beta = np.array(list(expected["fixef"].values()))
        assert list(self.design.names) == list(expected["fixef"])
        vcov = np.array(expected["vcov"]["values"])
        self.inference = RowInference(beta, vcov, lambda L: np.full(len(L), np.inf), "normal")
        self.link = Logit() if model["glm"] == "binomial" else Log()
        self.family = model["glm"]

    def means(self, factors: Any, scale: str = "response", **options: Any) -> Any:
        chosen = {"at": None, "by": None, "level": 0.95, "weights": "equal", **options}
        return marginal_means(
            self.design, self.data, self.inference, make_scale(scale, self.link, self.family), factors, **chosen
        )

    def contrasts(self, factors: Any, method: Any = "pairwise", scale: str = "response", **options: Any) -> Any:
        return self.means(factors, scale, **options).contrasts(method)

    def slopes(self, variable: str) -> Any:
        scale = make_scale("link", self.link, self.family)
        chosen = {"at": None, "by": None, "level": 0.95, "weights": "equal", "regions": None}
        return simple_slopes(self.design, self.data, self.inference, scale, variable, **chosen)


class Logit:
    name = "logit"

    def inverse(self, eta: Any) -> Any:
        return 1 / (1 + np.exp(-eta))

    def derivative(self, eta: Any) -> Any:
        return self.inverse(eta) * (1 - self.inverse(eta))


class Log:
    name = "log"

    def inverse(self, eta: Any) -> Any:
        return np.exp(eta)

    def derivative(self, eta: Any) -> Any:
        return np.exp(eta)


@cache
def fit(case: str) -> Any:
    model, _ = load_case(FAMILY / case)
    if "glm" in model:
        return FromR(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ak.DesignWarning)  # the empty cell: a column is dropped
        return ak.mixed(model["formula"], frame(case), weights=model.get("weights"))


@cache
def task_of(case: str, label: str) -> dict[str, Any]:
    model, _ = load_case(FAMILY / case)
    return next(t for t in model["tasks"] if t["label"] == label)


@cache
def answer(case: str, label: str) -> Any:
    task = task_of(case, label)
    made = getattr(fit(case), task["call"])(*task["args"], **task["kwargs"])
    if "then" in task:
        name, options = task["then"]
        made = getattr(made, name)(**options)
    return made


def _quantities(wanted: tuple[str, ...]) -> list[Any]:
    out = []
    for folder in sorted(p for p in FAMILY.iterdir() if (p / "model.json").exists()):
        model, expected = load_case(folder)
        assert [t["label"] for t in model["tasks"]] == list(expected["results"])
        for task in model["tasks"]:
            found = expected["results"][task["label"]]
            names = list(found[0] if isinstance(found, list) else found)
            if task["call"] in wanted:
                out += [
                    pytest.param(folder.name, task["label"], n, id=f"{folder.name}-{task['label']}-{n}") for n in names
                ]
    return out


@pytest.mark.option("MixedFit.means.at", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.means.by", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.means.ddf", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.means.scale", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.means.weights", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.method", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.interaction", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.adjust", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.at", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.by", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.ddf", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.contrasts.scale", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.means.level", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.slopes.by", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.slopes.ddf", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.slopes.weights", "emmeans 1.8.4")
@pytest.mark.option("MixedFit.slopes.at", "emmeans 1.8.4")
@pytest.mark.parametrize(("case", "label", "column"), _quantities(("means", "contrasts", "slopes")))
def test_column(case: str, label: str, column: str) -> None:
    _, expected = load_case(FAMILY / case)
    theirs = pd.DataFrame(expected["results"][label])
    made = answer(case, label)
    ours = made.tidy()
    assert len(ours) == len(theirs)
    adjust = getattr(made, "adjust", "none")
    if column in LIMITS:
        compare_limits(ours, theirs, column, adjust)
    elif column in KINDS:
        kind = "p_value_simulated" if column == "p_value" and adjust == "mvt" else KINDS[column]
        reference = theirs[column].astype(float).to_numpy()
        if column == "df":  # infinite df are missing in the file
            reference = np.where(np.isnan(reference) & np.isfinite(theirs["estimate"].astype(float)), np.inf, reference)
            infinite = np.isinf(reference)
            assert (np.isinf(ours["df"]) == infinite).all()
            assert_close(ours["df"][~infinite], reference[~infinite], "df", label)
            return
        assert_close(ours[column], reference, kind, f"{label} {column}")
    elif column in made.setting.by or (label.startswith(("means", "slopes")) and column in ours):
        numbers = pd.api.types.is_numeric_dtype(ours[column])
        assert_close(ours[column], theirs[column], "estimate", column) if numbers else None
        assert numbers or ours[column].tolist() == theirs[column].tolist()
    else:
        compare_names(ours, theirs, column)


def compare_limits(ours: pd.DataFrame, theirs: pd.DataFrame, column: str, adjust: str) -> None:
    """Simultaneous limits whose quantile R finds with a coarse search are compared in standard errors."""
    kind = {"dunnettx": "critical_dunnettx", "mvt": "critical_simulated"}.get(adjust, "estimate")
    scale = 1.0 if kind == "estimate" else ours["std_error"]
    assert_close(ours[column] / scale, theirs[column].astype(float) / scale, kind, column)


def compare_names(ours: pd.DataFrame, theirs: pd.DataFrame, column: str) -> None:
    """Names of contrasts: emmeans writes ``trt0 - trt1`` where we write ``trt 0 - trt 1``; letters and digits agree."""
    if column == "1":  # emmeans' name for the overall mean
        assert ours["term"].tolist() == ["overall"]
        return
    words = {"consec": "consecutive", "eff": "effect", "poly": "polynomial"}
    factor, _, word = column.rpartition("_")
    mine = ours["term"] if column == "contrast" else ours[f"{factor}_{words.get(word, word)}"]
    assert [_plain(v) for v in mine] == [_plain(v) for v in theirs[column]]


def _plain(name: str) -> str:
    """Return a name without blanks, brackets, commas and the names of numeric columns."""
    return re.sub(r"session|severity|month|trt|group|temperature|[ (),]", "", name)


@pytest.mark.option("MixedFit.slopes.regions", "closed form, lmerTest 3.1-3")
@pytest.mark.parametrize(("case", "label", "quantity"), _quantities(("regions",)))
def test_region(case: str, label: str, quantity: str) -> None:
    _, expected = load_case(FAMILY / case)
    task = task_of(case, label)
    variable, moderator = task["args"]
    options = dict(task["kwargs"])
    place = options.pop("pick", 0)
    region = fit(case).slopes(variable, regions=moderator, **options).regions[place]
    assert quantity == "bounds"
    assert_close(region.bounds, expected["results"][label]["bounds"], "df", label)


@pytest.mark.option("MixedFit.effect_size.at", "Feingold's formula by hand")
@pytest.mark.option("MixedFit.effect_size.level", "Feingold's formula by hand")
@pytest.mark.option("MixedFit.effect_size.duration", "Feingold's formula by hand")
@pytest.mark.option("MixedFit.effect_size.sd", "Feingold's formula by hand")
@pytest.mark.option("MixedFit.effect_size.sd_error", "Feingold's formula by hand")
@pytest.mark.parametrize(("case", "label", "quantity"), _quantities(("effect_size",)))
def test_effect_size(case: str, label: str, quantity: str) -> None:
    _, expected = load_case(FAMILY / case)
    value = expected["results"][label][quantity]
    options = task_of(case, label)["kwargs"]
    row = fit(case).effect_size(**options).tidy().iloc[0]
    if quantity.startswith("known"):
        known = fit(case).effect_size(**options, sd_error=False).tidy().iloc[0]
        assert_close(known[quantity.replace("known", "conf")], value, "df", quantity)
    elif quantity in ("std_error", *LIMITS):
        assert_close(row[quantity], value, "df", quantity)  # holds lmerTest's numerical derivatives, as df do
    else:
        name = SIZES[quantity]
        kind = "df" if quantity in ("g", "df") else "p_value" if quantity == "p_value" else "estimate"
        assert_close(row[name], value, kind, quantity)


def _kenward_roger() -> list[Any]:
    return [
        pytest.param(folder, part, column, id=f"{folder}-{part}-{column}")
        for folder in ("btheb_ri", "cake_splitplot")
        for part, names in (
            ("means", ("emmean", "SE", "df", "lower.CL", "upper.CL")),
            ("pairs_no_adjust", ("estimate", "SE", "df", "t.ratio", "p.value")),
        )
        for column in names
    ]


@pytest.mark.parametrize(("case", "part", "column"), _kenward_roger())
def test_kenward_roger(case: str, part: str, column: str) -> None:
    """The means that emmeans gives with its own default, from the frozen file beside expected.json."""
    from tests.reference.test_mlm import fit as fit_of

    expected = json.loads((HERE / "mlm" / case / "expected_emmeans.json").read_text())["emmeans"]
    assert expected["df_method"] == "kenward-roger"
    name = expected["spec"].strip("~ ")
    means = fit_of(case, "REML").means(name, ddf="kenward-roger")
    ours = means.tidy() if part == "means" else means.contrasts(adjust="none").tidy()
    names = {"emmean": "estimate", "SE": "std_error", "t.ratio": "statistic", "p.value": "p_value"}
    mine = names.get(column, column.replace("lower.CL", "conf_low").replace("upper.CL", "conf_high"))
    kind = KINDS.get(mine, "estimate")
    assert_close(ours[mine], [row[column] for row in expected[part]], kind, column)
