"""The tables and codebook of the trauma-focused study: what a draw looks like as a researcher would receive it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.simulation.tfcbt.population import LATENT, PCL_RANGE, SESSIONS, Draw, n_therapists
from alliancekit.study.codebook import Codebook, ColumnInfo, TableInfo
from alliancekit.study.types import Study

SKIPPED, DROPPED_OUT = "-9", "-8"
AGE_RANGE, EXPERIENCE_RANGE = (21, 78), (0, 35)
DAYS_PER_SESSION = 7


def study(drawn: Draw, seed: np.random.SeedSequence) -> Study:
    """Return the study of a draw; ``seed`` is for age, gender and experience, which play no part in the outcome."""
    rng = np.random.default_rng(seed)
    n, n_sessions = drawn.pcl.shape
    patients = np.array(_ids("p", n), dtype=object)
    therapists = np.array(_ids("t", n_therapists(n)), dtype=object)
    order = row_order(drawn)
    patient = pd.DataFrame(
        {
            "patient": patients,
            "therapist": therapists[drawn.therapist[order]],
            "age": _whole(rng, 44.0, 11.0, AGE_RANGE, n),
            "gender": np.where(rng.random(n) < 0.18, "f", "m"),
            "pcl_0": drawn.pcl_0[order].astype(np.int64),
        }
    )
    therapist = pd.DataFrame(
        {"therapist": therapists, "experience_years": _whole(rng, 9.0, 6.0, EXPERIENCE_RANGE, len(therapists))}
    )
    session = pd.DataFrame(
        {
            "patient": np.repeat(patients, n_sessions),
            "session": np.tile(np.array(drawn.sessions, dtype=np.int64), n),
            "time": np.tile((np.array(drawn.sessions, dtype=np.int64) - 1) * DAYS_PER_SESSION, n),
            "pcl": np.where(drawn.skipped_pcl, np.nan, drawn.pcl)[order].ravel(),
        }
    )
    for item in range(drawn.wai.shape[2]):
        answers = np.where(drawn.skipped_wai, np.nan, drawn.wai[:, :, item].astype(float))
        session[f"wai_{item + 1}"] = answers[order].ravel()
    followup = np.where(drawn.dropped, np.nan, drawn.pcl_followup)[order]
    outcome = pd.DataFrame({"patient": patients, "pcl_followup": followup})
    tables = {"therapist": therapist, "patient": patient, "session": session, "outcome": outcome}
    for name, table in tables.items():
        for column in table.columns[[table[c].dtype == object for c in table.columns]]:
            tables[name][column] = table[column].astype("str")
    codes = {
        "session": _codes(session, SKIPPED),
        "outcome": _codes(outcome, DROPPED_OUT),
    }
    return Study(tables=tables, codebook=codebook(), missing_codes=codes)


def row_order(drawn: Draw) -> NDArray[np.intp]:
    """Return the order of patients in the tables: by therapist, so that ids run on within a caseload."""
    return np.lexsort((np.arange(len(drawn.therapist)), drawn.therapist))


def error_free(drawn: Draw) -> pd.DataFrame:
    """Return the latent variables, one row per patient in the order of the tables, also of those who dropped out."""
    latent = pd.DataFrame(drawn.latent[row_order(drawn)], columns=list(LATENT))
    latent.insert(0, "patient", _ids("p", len(latent)))
    return latent.astype({"patient": "str"})


def codebook() -> Codebook:
    """Return the codebook of the four tables, complete: roles, instruments, ranges, timing and missing codes."""
    skipped, dropped = {SKIPPED: "skipped"}, {DROPPED_OUT: "dropped_out"}
    patient_id = ColumnInfo(label="Patient", role="patient", level="patient", type="text")
    therapist_id = ColumnInfo(label="Therapist", role="therapist", level="therapist", type="text")
    session = {
        "patient": patient_id,
        "session": ColumnInfo(
            label="Session number", role="session", level="session", type="integer", range=(1, SESSIONS)
        ),
        "time": ColumnInfo(label="Days since session 1", role="time", level="session", unit="days", type="integer"),
        "pcl": _pcl("PCL-5 total, past week, filled in before the session", "session", missing=skipped, when="before"),
    }
    for item in range(1, 13):
        session[f"wai_{item}"] = ColumnInfo(
            label=f"WAI-SR item {item}, rated by the patient after the session",
            role="item",
            instrument="WAI-SR",
            item=item,
            level="session",
            unit="scale points",
            range=(1, 5),
            missing=skipped,
            type="integer",
            when="after",
        )
    patient = {
        "patient": patient_id,
        "therapist": therapist_id,
        "age": ColumnInfo(label="Age at intake", level="patient", unit="years", range=AGE_RANGE, type="integer"),
        "gender": ColumnInfo(label="Gender", level="patient", values={"f": "Female", "m": "Male"}, type="category"),
        "pcl_0": _pcl("PCL-5 total at intake, one week before session 1", "patient"),
    }
    therapist = {
        "therapist": therapist_id,
        "experience_years": ColumnInfo(
            label="Years of practice", level="therapist", unit="years", range=EXPERIENCE_RANGE, type="integer"
        ),
    }
    outcome = {
        "patient": patient_id,
        "pcl_followup": _pcl("PCL-5 total six months after session 12", "patient", missing=dropped, role="outcome"),
    }
    columns = {"therapist": therapist, "patient": patient, "session": session, "outcome": outcome}
    return Codebook(
        tables={name: TableInfo(file=f"{name}.csv", columns=found) for name, found in columns.items()},
        about={
            "title": "Simulated study of trauma-focused therapy in veterans",
            "source": "Simulated by alliancekit; no person stands behind any row.",
            "licence": "CC0-1.0",
        },
    )


def _pcl(label: str, level: str, missing: dict[str, str] | None = None, **more: str) -> ColumnInfo:
    return ColumnInfo(
        label=label,
        instrument="PCL-5",
        level=level,
        unit="scale points",
        range=PCL_RANGE,
        missing=missing or {},
        type="integer",
        **more,  # type: ignore[arg-type]
    )


def _ids(letter: str, n: int) -> list[str]:
    width = max(2, len(str(n)))
    return [f"{letter}{i:0{width}d}" for i in range(1, n + 1)]


def _whole(rng: np.random.Generator, mean: float, sd: float, span: tuple[int, int], n: int) -> np.ndarray:
    return np.clip(np.round(mean + sd * rng.standard_normal(n)), *span).astype(np.int64)


def _codes(table: pd.DataFrame, code: str) -> pd.DataFrame:
    """Return the missing code of each missing cell, for the columns that have any."""
    absent = table.isna()
    coded = {str(c): [code if gone else None for gone in absent[c]] for c in table.columns if absent[c].any()}
    return pd.DataFrame(coded, index=table.index, dtype=object)
