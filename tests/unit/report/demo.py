"""A made-up report with everything a report can hold: what the tests write, and what one looks at."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.core.sample import SampleAccount
from alliancekit.report.parts import Banner, Equation, Figure, Sentence, Table

HOSTILE = "<script>alert(1)</script>"


@dataclass(frozen=True)
class LogEntry:
    function: str
    detail: str
    instrument: str | None
    key_status: str | None
    rows_changed: int


@dataclass(frozen=True)
class Provenance:
    path: str = "demo"
    files: tuple[tuple[str, str], ...] = (("session.csv", "a3" * 32), ("patient.csv", "0f" * 32))


@dataclass(frozen=True, eq=False)
class Study:
    log: tuple[LogEntry, ...]
    data: pd.DataFrame
    provenance: Provenance = Provenance()


@dataclass(frozen=True, eq=False)
class Fit:
    """Stands in for a fitted model: the attributes that a report looks at."""

    sample: SampleAccount = field(
        default_factory=lambda: SampleAccount(
            1250, 1203, (("missing in 'wai'", 47),), {"patient": 120, "therapist": 12}
        )
    )
    warnings: tuple[str, ...] = ("The variance of time in therapist is at zero.",)
    seed: int = 20240117

    def as_r(self) -> str:
        return (
            "library(lme4)\nfit <- lmer(bdi ~ wai_within + wai_between + time + (1 + time | patient), data = sessions)"
        )

    def tidy(self) -> pd.DataFrame:
        return fixed_effects()


@dataclass(frozen=True)
class Check:
    name: str
    status: str
    evidence: str
    advice: str


@dataclass(frozen=True, eq=False)
class AssumptionReport:
    subject: Any
    checks: tuple[Check, ...]

    @property
    def refused(self) -> bool:
        return any(c.status == "refuse" for c in self.checks)

    def tidy(self) -> pd.DataFrame:
        rows = [(c.name, c.status, c.evidence, c.advice) for c in self.checks]
        return pd.DataFrame(rows, columns=["check", "status", "evidence", "advice"])


@dataclass(frozen=True, eq=False)
class CrossCheck:
    fit: Any
    seed: None = None

    def tidy(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "term": ["(Intercept)", "wai_within", "wai_between", "time"],
                "engine": "statsmodels",
                "estimate_ours": [28.4123, -0.8312, -2.4051, -0.9517],
                "estimate_peer": [28.4125, -0.8312, -2.4049, -0.9521],
                "difference_in_se": [0.0003, 0.00001, 0.0004, 0.0151],
                "colour": ["green", "green", "green", "amber"],
            }
        )


# A report tells results from strangers by the module of their type.
for _type, _layer in ((Fit, "demo"), (AssumptionReport, "demo"), (CrossCheck, "demo")):
    _type.__module__ = f"alliancekit.{_layer}.demo"
    if f"alliancekit.{_layer}.demo" not in sys.modules:
        sys.modules[f"alliancekit.{_layer}.demo"] = ModuleType(f"alliancekit.{_layer}.demo")


def fixed_effects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "component": ["Fixed effects"] * 5 + ["Random effects"] * 3,
            "term": [
                "(Intercept)",
                "wai_within",
                "wai_between",
                "time",
                "wai_within:time",
                "patient: SD of (Intercept)",
                "patient: SD of time",
                "Residual SD",
            ],
            "estimate": [28.412344, -0.831231, -2.405133, -0.951722, 0.02114, 6.8123, 0.4121, 4.9012],
            "std_error": [0.912, 0.2114, 0.6511, 0.0712, 0.0181, np.nan, np.nan, np.nan],
            "conf_low": [26.6012, -1.2461, -3.6944, -1.0931, -0.0144, 5.9021, 0.3012, 4.7013],
            "conf_high": [30.2234, -0.4163, -1.1158, -0.8103, 0.0567, 7.8631, 0.5238, 5.1094],
            "statistic": [31.1538, -3.932, -3.694, -13.3668, 1.168, np.nan, np.nan, np.nan],
            "df": [117.31, 1043.8, 115.2, 110.93, 988.4, np.nan, np.nan, np.nan],
            "p_value": [1e-58, 0.00009, 0.00034, 1e-24, 0.2431, np.nan, np.nan, np.nan],
        }
    )


def wide_table() -> Table:
    rng = np.random.default_rng(7)
    names = [
        f"{i}. {n}"
        for i, n in enumerate(
            [
                "Alliance: task",
                "Alliance: bond",
                "Alliance: goal",
                "Symptoms at intake",
                "Symptoms at end",
                "Age (years)",
                "Sessions attended",
                "Therapist experience",
                "Group cohesion",
                "Avoidance",
            ],
            start=1,
        )
    ]
    data = pd.DataFrame(
        {
            "variable": names,
            "n": rng.integers(90, 1203, 10),
            "mean": rng.uniform(1, 48, 10),
            "sd": rng.uniform(0.4, 9, 10),
        }
    )
    labels = {"variable": "Variable"}
    kinds = {}
    for j in range(9):
        data[f"r_{j + 1}"] = [float(rng.uniform(-0.6, 0.8)) if i > j else np.nan for i in range(10)]
        labels[f"r_{j + 1}"] = str(j + 1)
        kinds[f"r_{j + 1}"] = "proportion"
    return Table(
        "Means, Standard Deviations and Correlations of the Study Variables",
        data,
        kinds=kinds,
        labels=labels,
        stub=("variable",),
        spans={"Correlation with": tuple(kinds)},
        notes=("Correlations are between patients; the lower triangle is shown.",),
    )


def long_table() -> Table:
    rng = np.random.default_rng(3)
    n = 64
    data = pd.DataFrame(
        {
            "item": [f"wai_{i + 1}" for i in range(n)],
            "mean": rng.uniform(2, 4.6, n),
            "sd": rng.uniform(0.5, 1.3, n),
            "loading": rng.uniform(0.3, 0.9, n),
            "missing": rng.uniform(0, 12, n),
        }
    )
    return Table(
        "Descriptive Statistics of the Items",
        data,
        kinds={"loading": "proportion", "missing": "percent"},
        labels={"missing": "Missing (%)"},
        stub=("item",),
    )


def counts_table() -> Table:
    data = pd.DataFrame(
        {
            "group": ["Depression", HOSTILE, "=cmd|' /C calc'!A0", "Obsessive–compulsive disorder", "@Other"],
            "n": [84, 3, 19, 14, 0],
            "percent": [70.0, 2.5, 15.8, 11.7, 0.0],
            "mean": [28.11, 31.72, 24.3, 26.91, np.nan],
        }
    )
    return Table(
        "Diagnoses of the Sample",
        data,
        kinds={"percent": "percent"},
        labels={"group": "Diagnosis", "percent": "%"},
        stub=("group",),
        suppress={"n": ("percent", "mean")},
        notes=("M is the mean of the symptoms at intake.",),
    )


def models_table() -> Table:
    data = pd.DataFrame(
        {
            "part": ["Fixed effects"] * 3 + ["Model"] * 3,
            "term": ["(Intercept)", "time", "wai_within", "Observations", "ICC", "AIC"],
            "estimate_1": [28.1, -0.94, np.nan, 1203, 0.412, 7841.221],
            "std_error_1": [0.91, 0.071, np.nan, np.nan, np.nan, np.nan],
            "estimate_2": [28.3, -0.95, -0.83, 1203, 0.398, 7829.904],
            "std_error_2": [0.92, 0.072, 0.21, np.nan, np.nan, np.nan],
        }
    )
    kinds = dict.fromkeys(["estimate_1", "std_error_1", "estimate_2", "std_error_2"], "estimate")
    return Table(
        "Models Side by Side",
        data,
        group="part",
        stub=("term",),
        kinds=kinds,
        labels={
            "term": "",
            "estimate_1": "Estimate",
            "std_error_1": "SE",
            "estimate_2": "Estimate",
            "std_error_2": "SE",
        },
        spans={"Model 1": ("estimate_1", "std_error_1"), "Model 2": ("estimate_2", "std_error_2")},
        row_kinds={3: "integer", 4: "proportion", 5: "statistic"},
        notes=("Restricted maximum likelihood.",),
    )


def course_figure() -> Figure:
    time = np.arange(13)
    data = pd.DataFrame({"time": time, "strong": 28 - 1.2 * time, "middle": 29 - 0.9 * time, "weak": 29.5 - 0.5 * time})

    def draw() -> Any:
        from alliancekit.report.style import MUTED, SERIES, new_figure

        figure, axes = new_figure(height=3.4)
        axes.axhline(14, color=MUTED, linewidth=0.8)
        axes.text(12.1, 14.2, "clinical cut-off", ha="right", va="bottom", color=MUTED)
        for name, colour in zip(["strong", "middle", "weak"], SERIES, strict=False):
            axes.plot(data["time"], data[name], label=f"{name} alliance", color=colour)
            axes.fill_between(data["time"], data[name] - 1.2, data[name] + 1.2, color=colour, alpha=0.15, linewidth=0)
        axes.set_xlabel("Session")
        axes.set_ylabel(f"Symptoms {HOSTILE[:8]}")
        axes.legend()
        return figure

    return Figure(
        "Course of Symptoms by Strength of the Alliance",
        draw,
        alt=f'Three falling lines "{HOSTILE}"',
        caption="Bands are 95% confidence intervals, F(2, 117) = 5.10, p = .008.",
        data=data,
    )


def study() -> Study:
    return Study(
        (
            LogEntry("score", "wai_sr_total from 12 items", "WAI-SR", "verified", 1203),
            LogEntry("score", "bdi_total from 21 items", "BDI-II", "unverified", 1190),
            LogEntry("within_between", "wai_sr_total by patient", None, None, 1203),
        ),
        pd.DataFrame({"patient": [1, 1], "wai": [3.0, 4.0]}),
    )


def audit(fit: Fit, *, refuse: bool) -> AssumptionReport:
    last = Check(
        "order of time",
        "refuse" if refuse else "pass",
        "the outcome of 31 patients was rated before session 4",
        "Take symptoms after the alliance, or call the effect a correlation",
    )
    return AssumptionReport(
        fit,
        (
            Check("linearity", "pass", "quadratic term p = .412", ""),
            Check(
                "residual spread",
                "warn",
                "SD of residuals 1.4 times larger at high fitted values",
                "Model it with ak.heteroscedastic",
            ),
            last,
        ),
    )


def report(*, refuse: bool = False, with_study: bool = True) -> ak.Report:
    fit = Fit()
    made = ak.Report(
        "Does the Working Alliance Predict Symptoms at the Next Session? A Demonstration With Made-Up Numbers",
        study=study() if with_study else None,
        data="simulated",
        question="Does a session with a stronger alliance than usual for this patient precede lower symptoms?",
    )
    headline = Sentence(
        "After sessions with a stronger alliance than usual for the patient, symptoms were lower, b = −0.83, "
        "95% CI [−1.25, −0.42], t(1043.8) = −3.93, p < .001.",
        headline=True,
        source=fit,
    )
    plain = Sentence(
        "Patients with a stronger alliance on average had lower symptoms, b = −2.41, 95% CI [−3.69, −1.12], "
        "t(115.2) = −3.69, p < .001.",
        source=fit,
    )
    effects = Table(
        "Fixed and Random Effects of the Mixed Model",
        fixed_effects(),
        group="component",
        stub=("term",),
        labels={"term": ""},
        marks={(4, "p_value"): "warn"},
        source=fit,
        notes=(
            "1,203 observations of 120 patients; 47 of 1,250 rows not used.",
            "Estimated by restricted maximum likelihood; df by Satterthwaite's method.",
        ),
    )
    equation = Equation(
        (
            "bdi = β₀ + β₁·wai_within + β₂·wai_between + β₃·time + β₄·wai_within·time",
            "    + u₀[patient] + u₁[patient]·time + ε",
        ),
        r_call=fit.as_r(),
        python_call='ak.mixed("bdi ~ wai_within * time + wai_between + (1 + time | patient)", study)',
        where=("u₀, u₁ ~ N(0, a free covariance matrix) for each patient", "ε ~ N(0, σ²)"),
    )
    made.section(
        "Sample", "Sessions were rated by patients after each of 12 sessions. " * 4, counts_table(), wide_table()
    )
    made.section(
        "The Alliance and Symptoms",
        "The alliance was parted into what varies within a patient and what differs between patients.\n\n"
        "Both parts stand in one model.",
        equation,
        effects,
        headline,
        plain,
        course_figure(),
        models_table(),
    )
    made.section(
        "Assumptions",
        audit(fit, refuse=refuse),
        Banner("Three patients changed their therapist; they count for the first one.", tone="info"),
    )
    made.section("A Second Engine", CrossCheck(fit))
    made.section("Items", long_table())
    made.limits("The numbers of this report are made up.", "Nothing follows from them for any patient.")
    return made


if __name__ == "__main__":
    report(refuse="refuse" in sys.argv).write(sys.argv[1])
