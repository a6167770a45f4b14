"""Likelihood, information, scores and saturated model of clustered rows, complete or not."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.errors import DesignError
from alliancekit.structural.twolevel.effects import expected_parts
from alliancekit.structural.twolevel.fit import intraclass_correlations, level_srmr
from alliancekit.structural.twolevel.group import evaluate_group, group_information, group_scores
from alliancekit.structural.twolevel.incomplete import summarise_incomplete
from alliancekit.structural.twolevel.moments import LevelMoments, join_moments, join_slope, split_moments
from alliancekit.structural.twolevel.saturated import fit_baseline_levels, fit_saturated_levels, free_moments
from alliancekit.structural.twolevel.statistics import Roles, cluster_values, number_clusters, summarise_clusters

ROLES = Roles(("y1", "y2", "x"), ("y1", "y2", "z"))


class Draw:
    """Clusters of one to six rows; y1, y2 at both levels, x within only, z between only."""

    def __init__(self, clusters: int = 40, holes: float = 0.0, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        size = rng.integers(1, 7, clusters)
        self.cluster = np.repeat(np.arange(clusters), size)
        n = self.cluster.size
        effect = rng.normal(size=(clusters, 3)) @ np.array([[1.0, 0.5, 0.4], [0.0, 0.8, 0.2], [0.0, 0.0, 0.7]])
        rows = rng.normal(size=(n, 3))
        rows[:, :2] += effect[self.cluster, :2]
        self.rows, self.only = rows, effect[:, 2:] + 3
        if holes:
            self.rows[rng.random(rows.shape) < holes] = np.nan
            self.only[::5] = np.nan
            self.rows[3] = np.nan
            self.data = summarise_incomplete(self.rows, self.cluster, self.only, ROLES)
        else:
            self.data = summarise_clusters(self.rows, self.cluster, self.only, ROLES)


def point() -> LevelMoments:
    """Some admissible moments; the between matrix need not be positive definite."""
    within = np.array([[1.5, 0.4, 0.2], [0.4, 1.2, -0.1], [0.2, -0.1, 0.9]])
    between = np.array([[0.9, 0.5, 0.3], [0.5, 0.6, 0.2], [0.3, 0.2, 1.1]])
    return LevelMoments(np.array([0.0, 0.0, 0.3]), within, np.array([0.1, 0.2, 2.5]), between)


def cluster_by_cluster(moments: LevelMoments, draw: Draw) -> float:
    """-2 log-likelihood from the joint covariance matrix of each cluster."""
    total = 0.0
    for j in range(draw.only.shape[0]):
        rows = draw.rows[draw.cluster == j]
        s = rows.shape[0]
        shared = np.zeros((3, 3))
        shared[:2, :2] = moments.sigma_between[:2, :2]
        side = np.zeros(3)
        side[:2] = moments.sigma_between[:2, 2]
        whole = np.kron(np.eye(s), moments.sigma_within) + np.kron(np.ones((s, s)), shared)
        edge = np.tile(side, s)
        whole = np.block([[whole, edge[:, None]], [edge[None], moments.sigma_between[2:, 2:]]])
        mean = np.tile(moments.mu_within + np.append(moments.mu_between[:2], 0.0), s)
        d = np.append(rows.ravel(), draw.only[j]) - np.append(mean, moments.mu_between[2])
        o = ~np.isnan(d)
        if o.any():
            part = whole[np.ix_(o, o)]
            total += o.sum() * np.log(2 * np.pi) + np.linalg.slogdet(part)[1] + d[o] @ np.linalg.solve(part, d[o])
    return total


@pytest.mark.parametrize("holes", [0.0, 0.25])
def test_likelihood_is_that_of_the_clusters(holes: float) -> None:
    draw = Draw(holes=holes)
    found = evaluate_group(point(), draw.data)
    assert found is not None
    assert found.value == pytest.approx(cluster_by_cluster(point(), draw), rel=1e-12)


@pytest.mark.parametrize("holes", [0.0, 0.25])
def test_gradient_information_and_scores_agree(holes: float) -> None:
    draw = Draw(holes=holes)
    at, step = join_moments(point()), 1e-5
    moves = np.eye(at.size) * step

    def gradient(v: np.ndarray) -> np.ndarray:
        """Gradient of -2 log L."""
        found = evaluate_group(split_moments(v, ROLES), draw.data)
        assert found is not None
        return join_slope(found.slope)

    def criterion(v: np.ndarray) -> float:
        """-2 log L by clusters."""
        return cluster_by_cluster(split_moments(v, ROLES), draw)

    numeric = np.array([(criterion(at + m) - criterion(at - m)) / (2 * step) for m in moves])
    assert np.allclose(gradient(at), numeric, rtol=1e-5, atol=1e-4)
    curvature = np.array([(gradient(at + m) - gradient(at - m)) / (4 * step) for m in moves])
    assert np.allclose(group_information("observed", point(), draw.data), curvature, rtol=1e-4, atol=1e-4)
    scores = group_scores(point(), draw.data)
    assert np.allclose(scores.sum(axis=0) * -2, gradient(at), atol=1e-9)
    assert np.allclose(group_information("first.order", point(), draw.data), scores.T @ scores)


def test_expected_information_is_the_mean_of_the_observed_one() -> None:
    moments = fit_saturated_levels(Draw(clusters=400, seed=9).data)
    assert moments is not None
    large = Draw(clusters=400, seed=9).data
    expected, observed = (group_information(kind, moments.moments, large) for kind in ("expected", "observed"))
    scale = np.sqrt(np.outer(expected.diagonal(), expected.diagonal()))
    assert np.abs((expected - observed) / scale).max() < 0.15


def test_complete_and_incomplete_forms_agree() -> None:
    draw = Draw()
    other = summarise_incomplete(draw.rows, draw.cluster, draw.only, ROLES)
    first, second = evaluate_group(point(), draw.data), evaluate_group(point(), other)
    assert first is not None and second is not None
    assert first.value == pytest.approx(second.value, rel=1e-13)
    assert np.allclose(join_slope(first.slope), join_slope(second.slope))
    one, two = expected_parts(point(), draw.data), expected_parts(point(), other)
    assert np.allclose(one.within, two.within)
    assert np.allclose(one.between, two.between)


@pytest.mark.parametrize("holes", [0.0, 0.25])
def test_saturated_model_is_a_maximum_above_the_baseline(holes: float) -> None:
    draw = Draw(holes=holes)
    found, base = fit_saturated_levels(draw.data), fit_baseline_levels(draw.data)
    assert found is not None and base is not None
    assert found.converged and base.converged and not found.boundary
    assert found.log_likelihood > base.log_likelihood
    at = evaluate_group(found.moments, draw.data)
    assert at is not None
    assert np.abs(join_slope(at.slope)[found.free]).max() < 1e-3
    assert found.free.sum() == 16
    assert base.free.sum() == 10
    assert np.count_nonzero(base.moments.sigma_between - np.diag(base.moments.sigma_between.diagonal())) == 0


def test_saturated_between_matrix_stays_in_bounds() -> None:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(30), 4)
    roles = Roles(("a", "b"), ("a", "b"))
    data = summarise_clusters(rng.normal(size=(120, 2)), cluster, np.zeros((30, 0)), roles)
    found = fit_saturated_levels(data)
    assert found is not None
    assert found.boundary
    assert found.converged
    assert np.linalg.eigvalsh(found.moments.sigma_between)[0] > -1e-12


def test_exogenous_covariances_stay_free_in_the_baseline() -> None:
    roles = Roles(("y", "x1", "x2"), ("y", "w1", "w2"))
    free = free_moments(roles, (frozenset({"x1", "x2"}), frozenset({"w1", "w2"})))
    assert free.sum() == 5 + 4 + 4


def test_a_cluster_level_variable_may_not_vary_within() -> None:
    values = np.array([[1.0], [1.0], [2.0], [np.nan], [3.0]])
    cluster = np.array([0, 0, 1, 1, 2])
    assert np.allclose(cluster_values(values, cluster, ("training",))[:, 0], [1, 2, 3])
    values[1] = 4.0
    with pytest.raises(DesignError, match="training"):
        cluster_values(values, cluster, ("training",))


def test_bad_clusters_are_refused() -> None:
    rows, none = np.random.default_rng(1).normal(size=(6, 1)), np.zeros((6, 0))
    roles = Roles(("y",), ("y",))
    with pytest.raises(DesignError, match="single row"):
        summarise_clusters(rows, np.arange(6), none, roles)
    with pytest.raises(DesignError, match="at least two clusters"):
        summarise_clusters(rows, np.zeros(6, dtype=int), none[:1], roles)
    constant = np.repeat([[1.0], [2.0], [3.0]], 2, axis=0)
    with pytest.raises(DesignError, match="does not vary within"):
        summarise_clusters(constant, np.repeat(np.arange(3), 2), none[:3], roles)


def test_clusters_are_numbered_as_they_appear() -> None:
    assert number_clusters(np.array(["b", "b", "a", "c", "a"])).tolist() == [0, 0, 1, 2, 1]


def test_clusters_of_one_row_count() -> None:
    draw = Draw()
    assert (draw.data.size == 1).any()
    assert draw.data.n == draw.rows.shape[0]


def test_intraclass_correlation_and_residuals() -> None:
    moments = point()
    icc = intraclass_correlations(moments, ROLES)
    assert icc["y1"] == pytest.approx(0.9 / 2.4)
    assert icc["x"] == 0.0
    assert level_srmr(moments, moments) == (0.0, 0.0)
    other = LevelMoments(
        moments.mu_within, np.diag(moments.sigma_within.diagonal()), moments.mu_between, moments.sigma_between
    )
    within, between = level_srmr(moments, other)
    r = moments.sigma_within / np.sqrt(np.outer(moments.sigma_within.diagonal(), moments.sigma_within.diagonal()))
    assert within == pytest.approx(np.sqrt((r[np.tril_indices(3, -1)] ** 2).sum() / 6))
    assert between == 0.0


def between_fit(scale: float, noise: float) -> tuple[ak.StructuralFit, list[str]]:
    """Fit a factor to 60 clusters, the first item in other units; also what the fit warns of."""
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(60), 6)
    inner, outer = rng.normal(size=360), rng.normal(size=60)
    frame = pd.DataFrame({"c": cluster})
    for i in range(1, 5):
        own = outer * (0.5 + 0.1 * i) + noise * rng.normal(size=60)
        frame[f"y{i}"] = inner + rng.normal(size=360) + own[cluster]
    frame["y1"] *= scale
    model = "level: 1\nf =~ y1 + y2 + y3 + y4\nlevel: 2\ng =~ y1 + y2 + y3 + y4"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = ak.cfa(model, frame, cluster="c")
    return fit, [str(one.message) for one in caught]


def test_the_residual_between_does_not_depend_on_the_units_of_an_admissible_solution() -> None:
    """With the first variance 1e7 times the others lavaan's rule would make .387 of .009."""
    (same, said), (other, told) = between_fit(1.0, 0.5), between_fit(3000.0, 0.5)
    assert np.linalg.eigvalsh(other._fit.implied[1].sigma)[0] < 1e-6 * other._fit.implied[1].sigma[0, 0]
    values = [fit.fit_measures()["srmr_between"] for fit in (same, other)]
    assert values[1] == pytest.approx(values[0], rel=1e-4)
    assert not any("units" in text for text in (*said, *told))


def test_a_residual_between_that_depends_on_units_is_named() -> None:
    fit, told = between_fit(1.0, 0.0)
    assert np.linalg.eigvalsh(fit._fit.implied[1].sigma)[0] < 0
    raised, plain = fit.fit_measures()["srmr_between"], fit._fit.source.srmr(raised=False)[1]
    assert abs(raised - plain) > 0.01
    assert any(f"srmr_between is {raised:.3f}" in text and f"Without units it is {plain:.3f}" in text for text in told)
