"""Comparators for fits of ordinal variables with groups, numeric variables or covariates: R's tables by their names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.structural.after.ordinal_residuals import frames_of
from alliancekit.structural.ordinal.statistics import pairs_of
from tests.reference.comparison import TOLERANCES, assert_close, assert_within, load_case
from tests.reference.sem_after import Case, square, vector
from tests.reference.sem_after_ordinal import ORDINAL
from tests.reference.sem_cases import HERE, fit
from tests.reference.test_sem import COMPARE as TABLES

FAMILY = "sem_ordinal"


def folders() -> list[str]:
    return [path.parent.name for path in sorted((HERE / FAMILY).glob("*/expected.json"))]


def cases() -> list[Case]:
    return [(FAMILY, name, label) for name in folders() for label in load_case(HERE / FAMILY / name)[1]["models"]]


@cache
def statistics(name: str) -> dict[str, Any]:
    return json.loads((HERE / FAMILY / name / "statistics.json").read_text())


def groups_of(f: Any, reference: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield (number, ending of our names, R's tables) of each group; the names of R's tables without ``res.``"""
    labels = f.table.group_labels
    parts = {"": reference} if len(labels) == 1 else reference
    for label, part in parts.items():
        plain = {key.removeprefix("res."): value for key, value in part.items()}
        plain["mean"] = plain.pop("int", plain.get("mean"))
        yield (labels.index(label) if label else 0), (f" {label}" if label else ""), plain


def compare_frames(f: Any, found: dict[str, pd.DataFrame], reference: dict[str, Any], kind: str) -> None:
    """Compare moments or residuals, all of R's numbers: cov, mean, th, slopes."""
    for g, end, part in groups_of(f, reference):
        structure = f._fit.ordinal.structures[g]
        names = list(structure.names)
        cov = found[f"cov{end}"].to_numpy()
        scale = np.abs(f._fit.implied[g].sigma)
        limit = TOLERANCES[kind]["abs"] + TOLERANCES[kind]["rel"] * scale
        assert_within(np.abs(cov - square(part["cov"], names)), limit, kind, "covariances", "covariances differ")
        numeric = [name for name, ordinal in zip(names, structure.ordinal, strict=True) if not ordinal]
        if numeric:
            means = found[f"mean{end}"]["mean"]
            limit = TOLERANCES[kind]["abs"] + TOLERANCES[kind]["rel"] * np.abs(f._fit.implied[g].mu)
            gap = np.abs(means[numeric].to_numpy() - vector(part["mean"], numeric))
            assert_within(gap, limit[~structure.ordinal], kind, "means", "means differ")
        thresholds = found[f"threshold{end}"]["threshold"]
        assert [name.replace(" ", "") for name in thresholds.index] == list(part["th"])
        limit = TOLERANCES[kind]["abs"] + TOLERANCES[kind]["rel"] * (1.0 + np.abs(thresholds))
        assert_within(np.abs(thresholds - list(part["th"].values())), limit, kind, "thresholds", "thresholds differ")
        if "slopes" in part:
            theirs = pd.DataFrame(part["slopes"]["values"], part["slopes"]["rows"], part["slopes"]["cols"])
            ours = found[f"slope{end}"]
            assert_close(ours.to_numpy(), theirs.loc[ours.index, ours.columns].to_numpy(), kind, "slopes")
        known = {"cov", "mean", "th", "slopes", "cov.x", "mean.x", "type", "cov.z", "mean.z", "th.z", "summary"}
        assert set(part) <= known, f"not compared: {set(part) - known}"


def compare_covariates(f: Any, reference: dict[str, Any]) -> None:
    """Moments of covariates, which the model takes from the sample."""
    for g, _, part in groups_of(f, reference):
        block, given = f._fit.model.blocks[g], f._fit.ordinal.structures[g].given
        if given.size:
            names = [block.observed[i] for i in given]
            assert_close(block.S[np.ix_(given, given)], square(part["cov.x"], names), "closed_form", "covariates")
            assert_close(block.m[given], vector(part["mean.x"], names), "closed_form", "means of covariates")


def compare_implied(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    compare_frames(f, f.implied(), reference, "estimate")
    compare_covariates(f, reference)
    for g, _, part in groups_of(f, reference):  # of ordinal variables: the means of their responses
        names = list(f._fit.ordinal.structures[g].names)
        assert_close(f._fit.implied[g].mu, vector(part["mean"], names), "estimate", "implied means")


def compare_sample(case: Case, reference: dict[str, Any]) -> None:
    f = fit(*case)
    out = {}
    for g, end, _ in groups_of(f, reference):
        out |= frames_of(f._fit.ordinal.structures[g], f._fit.ordinal.targets[g].observed, 1.0, end)
    compare_frames(f, out, reference, "estimate")
    compare_covariates(f, reference)


def compare_residuals(case: Case, reference: dict[str, Any], kind: str) -> None:
    f = fit(*case)
    compare_frames(f, f.residual_matrix(kind), reference, "estimate")
    for g, end, part in groups_of(f, reference):
        if "cov.x" in part:
            assert not np.any(part["cov.x"]["values"]) and not any(part["mean.x"].values())
        if "cov.z" in part:
            _compare_z(f, f.residual_matrix(kind, z=True)[f"cov{end}"].to_numpy(), part, g)


def _compare_z(f: Any, ours: np.ndarray, part: dict[str, Any], g: int) -> None:
    """Residuals over their standard errors; those below 1e-4 R does not divide.

    Of several groups lavaan 0.6-14 divides the covariances of every group's statistics by the rows of all groups.
    """
    names = list(f._fit.ordinal.structures[g].names)
    theirs, residual = square(part["cov.z"], names), square(part["cov"], names)
    one, other = pairs_of(len(names))
    share = f._fit.sample.groups[g].n / f._fit.sample.n
    z, r = theirs[one, other] * np.sqrt(share), residual[one, other]
    divided = np.abs(r) > 2e-4
    limit = TOLERANCES["statistic"]["rel"] * np.abs(z) + TOLERANCES["estimate"]["abs"] * np.abs(z / np.where(r, r, 1))
    gap = np.abs(ours[one, other] - z)
    assert_within(gap[divided], limit[divided], "statistic", "z of residuals", "z of residuals differ")


def compare_statistics(case: Case) -> None:
    """Statistics, asymptotic covariance matrix and weights of each group, in R's order."""
    f, theirs = fit(*case), statistics(case[1])[case[2]]
    for g, (target, found) in enumerate(zip(f._fit.ordinal.targets, f._fit.ordinal.statistics, strict=True)):
        assert_close(target.observed, theirs["observed"][g], "estimate", "statistics")
        gamma = np.array(theirs["gamma"][g])
        scale = np.sqrt(np.outer(gamma.diagonal(), gamma.diagonal()))
        gap = np.abs(found.gamma - gamma) / scale
        assert_within(gap, np.full(gap.shape, TOLERANCES["covariance"]["rel"]), "covariance", "gamma", "gamma differs")
        weight = target.weight if target.weight.ndim == 1 else target.weight.diagonal()
        assert_close(weight / np.array(theirs["weight_diagonal"][g]), np.ones(weight.size), "estimate", "weights")


EXPECTED: dict[str, Callable[[Case, Any], None]] = TABLES | {"implied": compare_implied}
AFTER: dict[str, Callable[[Case, Any], None]] = ORDINAL | {
    "sampstat": compare_sample,
    "residuals_raw": lambda case, r: compare_residuals(case, r, "raw"),
    "residuals_cor_bentler": lambda case, r: compare_residuals(case, r, "cor.bentler"),
    "residuals_cor_bollen": lambda case, r: compare_residuals(case, r, "cor.bollen"),
}
