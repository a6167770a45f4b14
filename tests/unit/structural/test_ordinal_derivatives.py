"""Scores of pairs, criterion, added parameters and modes of ordinal models beside differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

import alliancekit as ak
from alliancekit.numerics.bivariate_normal import bivariate_normal_cdf
from alliancekit.structural.after.answers import row_slopes
from alliancekit.structural.after.candidates import candidates
from alliancekit.structural.after.ordinal_rows import extra_slopes
from alliancekit.structural.ordinal.rows import fit_pair
from alliancekit.structural.ordinal.scores import Measurement, _look
from alliancekit.structural.ordinal.search import _functions
from alliancekit.structural.ordinal.statistics import _to_covariances, compute_statistics, pairs_of
from alliancekit.structural.ordinal.structure import evaluate
from alliancekit.structural.ordinal.tables import cross_tables, fit_tables
from alliancekit.structural.ordinal.univariate import fit_margins
from tests.unit.structural.differences import assert_slopes

SIZES = np.array([2, 4, 0, 0])
NAMES = ("a", "b", "y", "z")


def draw(covariates: int, gaps: bool) -> tuple[np.ndarray, np.ndarray]:
    """Two ordinal items, two numbers, covariates."""
    rng = np.random.default_rng(44)
    n = 250
    x = rng.normal(size=(n, 2))
    latent = 0.4 * x[:, :1] + 0.7 * rng.normal(size=(n, 1)) + 0.7 * rng.normal(size=(n, 4))
    codes = [np.searchsorted(cuts, latent[:, i]).astype(float) for i, cuts in enumerate(([0.1], [-0.8, 0.0, 0.9]))]
    rows = np.column_stack([*codes, 2.0 + 1.5 * latent[:, 2], latent[:, 3] - 1.0])
    if gaps:
        rows[::6, 0] = rows[1::7, 1] = rows[2::8, 2] = rows[4::9, 3] = np.nan
    return rows, x[:, :covariates]


class Side:
    """One variable of a pair: its parameters as a vector, and what they make of every row."""

    def __init__(self, margins: Any, i: int, rows: np.ndarray) -> None:
        self.ordinal, self.x, self.y = bool(margins.ordinal[i]), margins.covariates, rows[:, i]
        self.k = int(SIZES[i]) - 1 if self.ordinal else 1
        start = margins.limits[i, 1 : self.k + 1] if self.ordinal else np.array([margins.location[i]])
        last = [] if self.ordinal else [margins.variances[i]]
        self.start = np.concatenate([start, margins.slopes[i], last])

    def limits(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Upper and lower limit of each row."""
        cuts = np.concatenate([[-np.inf], theta[: self.k], [np.inf]])
        code, shift = np.nan_to_num(self.y).astype(int), self.x @ theta[self.k :]
        return cuts[code + 1] - shift, cuts[code] - shift

    def standard(self, theta: np.ndarray) -> np.ndarray:
        """Standardised residuals."""
        return (self.y - theta[0] - self.x @ theta[1:-1]) / np.sqrt(theta[-1])

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        return -0.5 * self.standard(theta) ** 2 - 0.5 * np.log(theta[-1])


def log_likelihood(one: Side, other: Side, a: np.ndarray, b: np.ndarray, rho: float) -> np.ndarray:
    """Log-likelihood of each row of a pair; 0 where a value is missing."""
    known = ~np.isnan(one.y) & ~np.isnan(other.y)
    root = np.sqrt(1 - rho**2)
    if one.ordinal and other.ordinal:
        (u1, u0), (v1, v0) = one.limits(a), other.limits(b)
        corners = ((u1, v1, 1), (u0, v1, -1), (u1, v0, -1), (u0, v0, 1))
        out = np.log(sum(s * bivariate_normal_cdf(u, v, np.array([rho])) for u, v, s in corners))
    elif one.ordinal or other.ordinal:
        cut, number, c, d = (one, other, a, b) if one.ordinal else (other, one, b, a)
        z, (up, down) = number.standard(d), cut.limits(c)
        out = number.log_density(d) + np.log(ndtr((up - rho * z) / root) - ndtr((down - rho * z) / root))
    else:
        z, w = one.standard(a), (other.standard(b) - rho * one.standard(a)) / root
        out = one.log_density(a) - 0.5 * w**2 - 0.5 * np.log(b[-1]) - np.log(root)
    return np.where(known, out, 0.0)


@pytest.mark.parametrize("covariates", [0, 2])
@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "gaps"])
@pytest.mark.parametrize("pair", [(0, 1), (1, 0), (0, 2), (2, 1), (2, 3)], ids=lambda p: NAMES[p[0]] + NAMES[p[1]])
def test_scores_of_a_pair(pair: tuple[int, int], gaps: bool, covariates: int) -> None:
    rows, x = draw(covariates, gaps)
    margins = fit_margins(NAMES, rows, SIZES, x)
    found = fit_pair(margins, *pair)
    one, other = (Side(margins, i, rows) for i in pair)
    cut = one.start.size
    at = np.concatenate([one.start, other.start, [found.rho]])

    def rowwise(v: np.ndarray) -> np.ndarray:
        return log_likelihood(one, other, v[:cut], v[cut:-1], float(v[-1]))

    assert_slopes(np.column_stack([found.first, found.second, found.score]), rowwise, at)
    assert abs(found.score.sum()) < 1e-5 * np.abs(found.score).sum()


@pytest.mark.parametrize("covariates", [0, 2])
@pytest.mark.parametrize("i", range(4))
def test_scores_of_one_variable(i: int, covariates: int) -> None:
    rows, x = draw(covariates, gaps=True)
    margins = fit_margins(NAMES, rows, SIZES, x)
    side = Side(margins, i, rows)
    known = ~np.isnan(rows[:, i])

    def rowwise(v: np.ndarray) -> np.ndarray:
        if side.ordinal:
            up, down = side.limits(v)
            return np.where(known, np.log(ndtr(up) - ndtr(down)), 0.0)
        return np.where(known, side.log_density(v), 0.0)

    assert_slopes(margins.scores[:, margins.own(i)], rowwise, side.start)


def test_scores_of_tables() -> None:
    rows, _ = draw(0, gaps=True)
    margins = fit_margins(NAMES, rows, SIZES, np.zeros((len(rows), 0)))
    one, other = np.array([0]), np.array([1])
    counts = cross_tables(margins.codes, 4, one, other)
    found = fit_tables(counts, margins.limits, SIZES, one, other)
    sides = [Side(margins, i, rows) for i in (0, 1)]
    at = np.concatenate([sides[0].start, sides[1].start, [found.rho[0]]])

    def cells(v: np.ndarray) -> np.ndarray:
        a, b = np.concatenate([[-np.inf], v[:1], [np.inf]]), np.concatenate([[-np.inf], v[1:4], [np.inf]])
        table = bivariate_normal_cdf(a[:, None], b[None, :], np.array(v[-1]))
        return np.log(np.diff(np.diff(table, axis=0), axis=1)).ravel()

    score = found.score[0, :2].ravel()
    assert_slopes(score[:, None], lambda v: cells(np.append(at[:-1], v)), at[-1:])
    own, weight = counts[0, :2].ravel(), score
    by_threshold = np.concatenate([found.first[0, :1], found.second[0, :3]])
    assert_slopes(by_threshold, lambda v: float((own * weight) @ cells(np.append(v, at[-1]))), at[:-1])
    assert found.squares[0] == pytest.approx(float(own @ score**2))


def test_correlations_become_covariances() -> None:
    rows, x = draw(2, gaps=False)
    found = compute_statistics(NAMES, rows, SIZES, x)
    margins, (one, other) = found.margins, pairs_of(4)
    numeric = ~margins.ordinal
    m1 = margins.scores.shape[1]
    change = _to_covariances(margins, found.correlation, m1)
    places = [margins.own(i)[-1] for i in np.flatnonzero(numeric)]
    at = np.concatenate([margins.variances[numeric], found.correlation[one, other]])

    def covariances(v: np.ndarray) -> np.ndarray:
        sd = np.ones(4)
        sd[numeric] = np.sqrt(v[:2])
        return v[2:] * sd[one] * sd[other]

    order = m1 - 2 + np.arange(2)  # variances stand last among the statistics of the first step
    assert sorted(places) == sorted(order)
    assert_slopes(change[m1:][:, [*places, *range(m1, m1 + 6)]], covariances, at)
    assert change[m1:, : m1 - 2].any() == False  # noqa: E712


ORDINAL = "f =~ u1 + a*u2 + u3\ng =~ u4 + a*u5 + y1"
COVARIATES = ORDINAL + "\nf ~ x1\nu3 ~ x2\ng ~ f"
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "equal": (ORDINAL, {}),
    "groups": (ORDINAL, {"group": "site", "group_equal": ["loadings", "thresholds"]}),
    "covariates": (COVARIATES, {}),
}


def fit(name: str, word: str, estimator: str = "WLSMV") -> Any:
    rng = np.random.default_rng(7)
    n = 400
    x = rng.normal(size=(n, 2))
    f = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], n) + 0.3 * x[:, :1]
    frame = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1], "site": np.where(np.arange(n) % 2, "a", "b")})
    for i in range(5):
        frame[f"u{i + 1}"] = np.searchsorted(
            [-0.7, 0.2, 1.0][: 1 + i % 3], 0.8 * f[:, i // 3] + 0.6 * rng.normal(size=n)
        )
    frame["y1"] = 1 + f[:, 1] + rng.normal(size=n)
    syntax, options = MODELS[name]
    ordered = [f"u{i}" for i in range(1, 6)]
    return ak.sem(syntax, frame, ordered=ordered, parameterization=word, estimator=estimator, **options)._fit


@pytest.mark.parametrize("estimator", ["WLSMV", "WLS", "ULSMV"])
@pytest.mark.parametrize("word", ["delta", "theta"])
@pytest.mark.parametrize("name", MODELS)
def test_criterion(name: str, word: str, estimator: str) -> None:
    found = fit(name, word, estimator)
    own, linear = found.ordinal, found.constraints.linear
    criterion, curvature = _functions(own.structures, own.targets, linear, 2.0)
    z = linear.reduce(found.x) + 0.03 * np.random.default_rng(1).uniform(-1, 1, linear.basis.shape[1])
    assert_slopes(criterion(z)[1], lambda v: criterion(v)[0], z)
    targets = [
        type(t)(evaluate(s, linear.expand(z)).vector, t.weight, t.share)
        for s, t in zip(own.structures, own.targets, strict=True)
    ]
    true, bent = _functions(own.structures, targets, linear, 2.0)
    assert_slopes(bent(z), lambda v: true(v)[1], z)
    np.testing.assert_allclose(curvature(z), bent(z))


@pytest.mark.parametrize("word", ["delta", "theta"])
@pytest.mark.parametrize("name", MODELS)
def test_rows_that_follow_from_the_parameters(name: str, word: str) -> None:
    """Residual variances (delta) and scales (theta) of the table, by the free parameters."""
    found = fit(name, word)
    table, slopes = found.table, row_slopes(found)

    def following(x: np.ndarray) -> np.ndarray:
        out = []
        for b, s in enumerate(found.ordinal.structures, start=1):
            at = evaluate(s, x, complete=True)
            for i in rows[b]:
                k = s.names.index(table.lhs[i])
                out.append(at.scales[k] if word == "theta" else at.S[s.own[k], s.own[k]])
        return np.array(out)

    ordinal = {b: {n for n, o in zip(s.names, s.ordinal, strict=True) if o} for b, s in _numbered(found)}
    rows = {
        b: [
            i
            for i in table.rows(b)
            if table.lhs[i] in ordinal[b]
            and ((table.op[i] == "~*~") if word == "theta" else (table.op[i] == "~~" and table.lhs[i] == table.rhs[i]))
        ]
        for b in ordinal
    }
    chosen = [i for b in rows for i in rows[b]]
    assert len(chosen) == 5 * len(ordinal)
    assert_slopes(slopes[chosen], following, found.x)


def _numbered(found: Any) -> list[tuple[int, Any]]:
    return list(enumerate(found.ordinal.structures, start=1))


@pytest.mark.parametrize("word", ["delta", "theta"])
def test_parameters_that_could_be_added(word: str) -> None:
    """An added parameter at zero moves the statistics as the same parameter does where it is free."""
    rng = np.random.default_rng(9)
    n = 400
    f = rng.normal(size=(n, 2)) @ np.array([[1, 0.5], [0, 0.8]])
    frame = pd.DataFrame(
        {f"u{i + 1}": np.searchsorted([-0.5, 0.6], f[:, i // 3] + rng.normal(size=n)) for i in range(6)}
    )
    syntax = "f =~ u1 + u2 + u3\ng =~ u4 + u5 + u6\nf ~~ g"
    plain = ak.cfa(syntax, frame, ordered=True, parameterization=word)._fit
    for line, key in (("\nf =~ u4", ("f", "=~", "u4")), ("\nu1 ~~ u5", ("u1", "~~", "u5"))):
        wide = ak.cfa(syntax + line, frame, ordered=True, parameterization=word)._fit
        mine = [c for c in candidates(plain.table, plain.model) if (c.lhs, c.op, c.rhs) == key]
        names = plain.table.names()
        x = np.array([plain.x[names.index(n)] if n in names else 0.0 for n in wide.table.names()])
        at = evaluate(wide.ordinal.structures[0], x, complete=True)
        new = [k for k, n in enumerate(wide.table.names()) if n not in names]
        assert len(mine) == len(new) == 1
        np.testing.assert_allclose(at.vector, plain.ordinal.at[0].vector, atol=1e-12)
        np.testing.assert_allclose(extra_slopes(plain, mine)[0], at.jacobian[:, new], atol=1e-9)


def test_density_of_the_factors_given_the_answers() -> None:
    rng = np.random.default_rng(2)
    loadings = rng.uniform(0.4, 1.0, (4, 2))
    cuts = np.array([[-np.inf, -0.5, 0.5, np.inf]] * 4)
    measured = Measurement(
        loadings, np.array([0.6, 0.7, 0.8, 0.9]), cuts, np.array([True, True, True, False]), np.eye(2)
    )
    rows = np.column_stack([rng.integers(0, 3, (6, 3)).astype(float), rng.normal(size=6)])
    rows[0, 1] = rows[2, 3] = np.nan
    known, precision = np.isfinite(rows), np.array([[1.2, 0.3], [0.3, 0.9]])
    eta = rng.normal(size=(6, 2))

    def look(points: np.ndarray) -> Any:
        return _look(measured, rows, known, np.zeros((6, 4)), np.full((6, 2), 0.2), precision, points)

    for r in range(6):

        def move(v: np.ndarray, r: int = r) -> np.ndarray:
            points = eta.copy()
            points[r] = v
            return points

        _, slope, curve = look(eta)
        assert_slopes(slope[r], lambda v, r=r: look(move(v, r))[0][r], eta[r])
        assert_slopes(curve[r], lambda v, r=r: look(move(v, r))[1][r], eta[r])
