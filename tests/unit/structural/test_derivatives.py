"""Every analytic gradient, Jacobian, Hessian and score of the structural engine beside differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.after.candidates import candidates, extra_jacobian
from alliancekit.structural.after.residuals import _correlation_slopes
from alliancekit.structural.after.view import keep_moments, normal_slope, normal_weight, stack_moments
from alliancekit.structural.after.whole import variance_slopes, whole
from alliancekit.structural.continuous import batch, least_squares, objective
from alliancekit.structural.continuous.missing.data import IncompleteRows
from alliancekit.structural.continuous.missing.patterns import group_patterns
from alliancekit.structural.duplication import from_half, half_vector
from alliancekit.structural.likelihood.constrained import Limits, _lagrangian
from alliancekit.structural.likelihood.contract import Block
from alliancekit.structural.likelihood.inference import hessian, model_information
from alliancekit.structural.likelihood.search import criterion_of, flatten_slopes
from alliancekit.structural.likelihood.selection import Selection
from alliancekit.structural.twolevel.group import group_information
from alliancekit.structural.twolevel.moments import join_moments
from alliancekit.structural.twolevel.saturated import _RootMap
from tests.unit.structural.differences import assert_slopes, differences
from tests.unit.structural.test_clustered_rows import Draw, point

FACTORS = "f =~ y1 + a*y2 + y3\ng =~ y4 + a*y5 + y6\nf ~~ g"
PATHS = "f =~ y1 + y2 + y3\ng =~ y4 + y5 + y6\ng ~ b*f + x1\nf ~ x1 + x2\ny1 ~~ y4\ny6 ~ x2\nab := b*b"
CYCLE = "y1 ~ a*y2 + x1\ny2 ~ b*y1 + x2\ny3 ~ y1 + y2"
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "equal loadings": (FACTORS, {}),
    "groups": (FACTORS, {"group": "site", "group_equal": ["loadings", "intercepts"]}),
    "held covariates": (PATHS, {}),
    "free covariates": (PATHS, {"fixed_x": False}),
    "a cycle": (CYCLE, {"fixed_x": False}),
    "no means": (PATHS, {"meanstructure": False}),
}
LEVELS = "level: 1\nf =~ y1 + y2 + y3\nf ~ x1\nlevel: 2\nh =~ y1 + y2 + y3\nh ~ z"


def make(holes: float = 0.0) -> pd.DataFrame:
    """Six items, two covariates, sites, wards with a covariate of their own."""
    rng = np.random.default_rng(31)
    n = 240
    ward = np.repeat(np.arange(60), [2, 3, 4, 5, 6] * 12)[:n]
    x, z = rng.normal(size=(n, 2)), rng.normal(size=60)
    f = rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], n) + 0.4 * x[:, :1]
    f[:, 0] += (0.5 * z + 0.7 * rng.normal(size=60))[ward]
    items = np.repeat(f, 3, axis=1) * [1, 0.8, 0.7, 1, 0.8, 0.9] + 0.8 * rng.normal(size=(n, 6)) + 2
    items[:, :3] += 0.5 * rng.normal(size=(60, 3))[ward]
    items[rng.random(items.shape) < holes] = np.nan
    frame = pd.DataFrame(items, columns=[f"y{i}" for i in range(1, 7)])
    site = np.where(np.arange(n) % 3 == 0, "north", "south")
    return frame.assign(x1=x[:, 0], x2=x[:, 1], site=site, ward=ward, z=z[ward])


def fitted(name: str, holes: float = 0.0, **more: Any) -> Any:
    syntax, options = MODELS[name]
    return ak.sem(syntax, make(holes), **({"meanstructure": True} | options | more))._fit


def moved(fit: Any, seed: int = 4) -> np.ndarray:
    """Return free directions near the estimates, where no derivative is zero."""
    z = fit.constraints.linear.reduce(fit.x)
    return z + 0.05 * np.random.default_rng(seed).uniform(-1, 1, z.size)


def moments_of(fit: Any) -> list[objective.SampleMoments]:
    n = fit.sample.n
    return [
        objective.SampleMoments(g.mean, g.cov, g.n / n, float(np.linalg.slogdet(g.cov)[1])) for g in fit.sample.groups
    ]


@pytest.mark.parametrize("name", MODELS)
def test_moments_of_a_model(name: str) -> None:
    fit = fitted(name)
    x, model = fit.constraints.linear.expand(moved(fit)), fit.model
    keep = np.concatenate([keep_moments([len(b.observed)], True) for b in model.blocks])
    assert_slopes(np.concatenate(model.jacobian(x))[keep], lambda v: stack_moments(model.moments(v), True), x)
    rng = np.random.default_rng(3)
    slopes = []
    for block in model.blocks:
        half = rng.normal(size=(len(block.observed),) * 2)
        slopes.append(Block(rng.normal(size=len(block.observed)), half + half.T))
    weights = flatten_slopes(slopes)
    assert_slopes(model.gradient(x, slopes), lambda v: weights @ stack_moments(model.moments(v), True), x)
    assert_slopes(model.bend(x, slopes), lambda v: model.gradient(v, slopes), x)
    for block in model.blocks:
        found = variance_slopes(block, whole(block, x), x.size)
        assert_slopes(found, lambda v, block=block: whole(block, v).cov.diagonal(), x)


@pytest.mark.parametrize("name", MODELS)
def test_maximum_likelihood_of_moments(name: str) -> None:
    fit = fitted(name)
    linear, model, samples = fit.constraints.linear, fit.model, moments_of(fit)
    z = moved(fit)
    at = objective.evaluate(model, samples, linear.expand(z))
    slope = linear.basis.T @ objective.gradient(model, samples, at)
    assert_slopes(slope, lambda v: objective.evaluate(model, samples, linear.expand(v)).value, z)
    own = [replace(s, mean=p.mu, cov=p.sigma) for s, p in zip(samples, at.parts, strict=True)]

    def gradient(v: np.ndarray) -> np.ndarray:
        there = objective.evaluate(model, own, linear.expand(v))
        return linear.basis.T @ objective.gradient(model, own, there)

    expected = linear.basis.T @ objective.expected_information(model, samples, at) @ linear.basis
    assert_slopes(2 * expected, gradient, z)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("estimator", ["GLS", "ULS", "WLS", "DWLS"])
def test_least_squares(name: str, estimator: str) -> None:
    fit = fitted(name, estimator=estimator)
    linear, model, groups = fit.constraints.linear, fit.model, fit.sample.groups
    kept = [least_squares.kept_moments(fit.table, b, g, model.means) for b, g in enumerate(groups, start=1)]
    observed = [least_squares._vector(m.mu, m.sigma, k) for m, k in zip(fit.saturated, kept, strict=True)]
    ends = np.cumsum([0, *(k.sum() for k in kept)])
    shares = [g.n / fit.sample.n for g in groups]
    weights = [fit.stacked.weight[a:b, a:b] / s for a, b, s in zip(ends[:-1], ends[1:], shares, strict=True)]
    rows = [g.n - 1 for g in groups]
    z = moved(fit)
    criterion, curvature = least_squares._criterion(model, linear, (observed, weights, kept), rows)
    assert_slopes(criterion(z)[1], lambda v: criterion(v)[0], z)
    implied = [
        least_squares._vector(m.mu, m.sigma, k) for m, k in zip(model.moments(linear.expand(z)), kept, strict=True)
    ]
    true, bent = least_squares._criterion(model, linear, (implied, weights, kept), rows)
    assert_slopes(bent(z), lambda v: true(v)[1], z)
    np.testing.assert_allclose(curvature(z), bent(z))
    found = criterion(linear.reduce(fit.x))
    assert found[0] == pytest.approx(fit.test.statistic, rel=1e-9)
    errors = np.sqrt((linear.basis.T @ fit.vcov @ linear.basis).diagonal())
    assert np.abs(found[1] * errors).max() < 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_many_samples_at_once(name: str) -> None:
    fit = fitted(name)
    linear, model = fit.constraints.linear, fit.model
    rng = np.random.default_rng(8)
    points = np.array([linear.expand(moved(fit, seed)) for seed in range(3)])
    many = []
    for group, share in zip(fit.sample.groups, (s.weight for s in moments_of(fit)), strict=True):
        noise = rng.normal(size=(3, 40, len(group.mean)))
        cov = group.cov + 0.05 * np.einsum("rni,rnj->rij", noise, noise) / 40
        many.append(batch.ManyMoments(group.mean + 0.05 * noise[:, 0], cov, np.full(3, share)))
    slope, fine = batch._gradient(model, many, np.arange(3), points)
    assert fine.all()
    for r in range(3):
        one = [batch.ManyMoments(m.mean[r : r + 1], m.cov[r : r + 1], m.weight[r : r + 1]) for m in many]
        assert_slopes(slope[r], lambda v, one=one: batch.discrepancies(model, one, v[None])[0], points[r])
        alone = [
            objective.SampleMoments(m.mean[r], m.cov[r], float(m.weight[r]), float(np.linalg.slogdet(m.cov[r])[1]))
            for m in many
        ]
        at = objective.evaluate(model, alone, points[r])
        assert batch.discrepancies(model, one, points[r][None])[0] == pytest.approx(at.value, rel=1e-10)
        np.testing.assert_allclose(slope[r], objective.gradient(model, alone, at), atol=1e-10)


def incomplete(name: str) -> Any:
    fit = fitted(name, 0.15, missing="fiml")
    return fit, fit.source.data, fit.source.mapping


def two_levels(name: str) -> Any:
    frame = make(0.15 if name == "holes" else 0.0)
    options: dict[str, Any] = {"group": "region", "group_equal": "loadings"} if name == "groups" else {}
    frame["region"] = np.where(frame["ward"] % 2, "east", "west")
    syntax = LEVELS.replace("y2", "a*y2") if name == "equal" else LEVELS
    missing = "fiml" if name == "holes" else None
    fit = ak.sem(syntax, frame, cluster="ward", missing=missing, fixed_x=name != "free", **options)._fit
    return fit, fit.source.data, fit.source.mapping


RAW: dict[str, Callable[[str], Any]] = {f"{name}, holes": incomplete for name in MODELS if name != "no means"}
RAW |= {f"{name}, two levels": two_levels for name in ("held", "free", "equal", "groups", "holes")}


@pytest.mark.parametrize("case", RAW)
def test_likelihood_of_raw_data(case: str) -> None:
    fit, data, mapping = RAW[case](case.split(",")[0])
    z = fit.source.found.x + 0.03 * np.random.default_rng(6).uniform(-1, 1, mapping.size)
    criterion, _ = criterion_of(data, mapping)
    assert_slopes(criterion(z)[1], lambda v: criterion(v)[0], z)
    numeric = differences(lambda v: criterion(v)[1] / 2, z)
    scale = np.sqrt(np.outer(np.abs(numeric.diagonal()), np.abs(numeric.diagonal())))
    assert (np.abs(hessian(data, mapping, z) - numeric) / scale).max() < 1e-5
    scores = [s @ J for s, J in zip(data.scores(mapping.moments(z)), mapping.jacobian(z), strict=True)]
    total = np.sum([s.sum(axis=0) for s in scores], axis=0)
    assert np.abs(-2 * total - criterion(z)[1]).max() < 1e-8 * np.abs(total).max()
    outer = np.sum([s.T @ s for s in scores], axis=0)
    np.testing.assert_allclose(model_information("first.order", data, mapping, z), outer, rtol=1e-9)


def test_expected_information_of_patterns_is_the_observed_one_where_data_have_the_moments_of_the_model() -> None:
    rng = np.random.default_rng(12)
    sigma, mu = 0.4 * np.ones((4, 4)) + np.diag([0.5, 0.7, 0.9, 1.1]), np.array([0.2, 0.0, -0.3, 1.0])
    rows = []
    for seen in ([0, 1, 2, 3], [0, 2, 3], [1, 3], [2]):
        part = rng.normal(size=(30, len(seen)))
        part -= part.mean(axis=0)
        part = part @ np.linalg.inv(np.linalg.cholesky(part.T @ part / 30)).T
        full = np.full((30, 4), np.nan)
        full[:, seen] = mu[seen] + part @ np.linalg.cholesky(sigma[np.ix_(seen, seen)]).T
        rows.append(full)
    data = IncompleteRows((group_patterns(np.concatenate(rows)),))
    expected, observed = (data.information(kind, (Block(mu, sigma),))[0] for kind in ("expected", "observed"))
    np.testing.assert_allclose(expected, observed, atol=1e-10)


def test_expected_information_of_clusters_is_the_observed_one_where_data_have_the_moments_of_the_model() -> None:
    drawn, moments = Draw().data, point()
    wide, (w, b) = len(drawn.roles.wide), drawn.roles.places()
    within, between, mu = np.zeros((wide, wide)), np.zeros((wide, wide)), np.zeros(wide)
    within[np.ix_(w, w)], between[np.ix_(b, b)] = moments.sigma_within, moments.sigma_between
    mu[w] += moments.mu_within
    mu[b] += moments.mu_between
    omega = between + within / drawn.sizes[:, None, None]
    ideal = replace(
        drawn,
        within=(drawn.n - drawn.n_clusters) * moments.sigma_within,
        mean=np.tile(mu, (len(drawn.sizes), 1)),
        cross=omega,
    )
    expected, observed = (group_information(kind, moments, ideal) for kind in ("expected", "observed"))
    np.testing.assert_allclose(expected, observed, atol=1e-8)


def test_other_maps_to_moments() -> None:
    drawn, moments = Draw().data, point()
    flat = join_moments(moments)
    free = np.random.default_rng(1).random(flat.size) < 0.7
    root = _RootMap(drawn.roles, free, flat)
    x = root.start(moments)
    assert_slopes(root.jacobian(x), lambda v: join_moments(root.moments(v)), x)
    blocks = [Block(moments.mu_within, moments.sigma_within), Block(moments.mu_between, moments.sigma_between)]
    chosen = Selection(blocks, [free], per_group=2)
    assert_slopes(chosen.jacobian(chosen.start)[0], lambda v: stack_moments(chosen.moments(v), True), chosen.start)
    weights = np.random.default_rng(2).normal(size=flat.size)
    p = len(moments.mu_within)
    slopes, at = [], 0
    for block in blocks:  # derivatives whose vector is ``weights``
        half = from_half(weights[at + p : at + p + p * (p + 1) // 2], p)
        slopes.append(Block(weights[at : at + p], (half + np.diag(half.diagonal())) / 2))
        at += block.mu.size + p * (p + 1) // 2
    function = lambda v: weights @ stack_moments(chosen.moments(v), True)  # noqa: E731
    assert_slopes(chosen.gradient(chosen.start, slopes), function, chosen.start)
    assert not chosen.bend(chosen.start, slopes).any()


@pytest.mark.parametrize("means", [True, False])
def test_normal_likelihood_by_its_moments(means: bool) -> None:
    rng = np.random.default_rng(5)
    root = rng.normal(size=(4, 4)) + 2 * np.eye(4)
    sigma, mu = root @ root.T, rng.normal(size=4)
    sample = Block(mu + 0.2, sigma + 0.3 * np.eye(4)) if means else Block(mu, sigma + 0.3 * np.eye(4))

    def split(v: np.ndarray) -> Block:
        return Block(v[:4], from_half(v[4:], 4)) if means else Block(mu, from_half(v, 4))

    def log_likelihood(v: np.ndarray) -> float:
        there = split(v)
        spread = sample.sigma + np.outer(sample.mu - there.mu, sample.mu - there.mu)
        ratio = np.trace(np.linalg.solve(there.sigma, spread))
        return -50 * float(np.linalg.slogdet(there.sigma)[1] + ratio)

    x = np.concatenate([mu, half_vector(sigma)]) if means else half_vector(sigma)
    assert_slopes(normal_slope(sample, split(x), 100, means), log_likelihood, x)
    own = Block(mu, sigma)
    assert_slopes(-100 * normal_weight(sigma, means), lambda v: normal_slope(own, split(v), 100, means), x)

    def correlations(v: np.ndarray) -> np.ndarray:
        cov = from_half(v, 4)
        return half_vector(cov / np.sqrt(np.outer(cov.diagonal(), cov.diagonal())))

    assert_slopes(_correlation_slopes(sigma), correlations, half_vector(sigma))


@pytest.mark.parametrize("name", ["held covariates", "groups", "no means"])
def test_parameters_that_could_be_added(name: str) -> None:
    fit = fitted(name)
    extra = [c for c in candidates(fit.table, fit.model) if c.op != "~1" or fit.model.means]
    found = extra_jacobian(fit.model, fit.x, extra)
    for k, one in enumerate(extra):
        block = fit.model.blocks[one.block - 1]
        place = {v: i for i, v in enumerate((*block.observed, *block.latent))}

        def at(v: np.ndarray, one: Any = one, block: Any = block, place: Any = place) -> np.ndarray:
            A, S, m = (part.copy() for part in (whole(block, fit.x).A, whole(block, fit.x).S, whole(block, fit.x).m))
            i, j = place[one.lhs], place.get(one.rhs, 0)
            if one.op == "~1":
                m[i] += v[0]
            elif one.op == "~~":
                S[i, j] = S[j, i] = S[i, j] + v[0]
            elif one.op == "=~":
                A[j, i] += v[0]
            else:
                A[i, j] += v[0]
            B, p = np.linalg.inv(np.eye(len(m)) - A), len(block.observed)
            return stack_moments([Block((B @ m)[:p], (B @ S @ B.T)[:p, :p])], fit.model.means)

        assert_slopes(found[one.block - 1][:, [k]], at, np.zeros(1))


BOUND = "f =~ y1 + a*y2 + b*y3\nf ~~ v*f\na*b == 0.5\nv > 0.2 + a^2\nd := exp(a) / b - log(v)"


def test_constraints_and_the_lagrangian() -> None:
    fit = ak.sem(BOUND.replace("a*y2", "lower(0.1)*y2 + a*y2"), make())._fit
    own = fit.constraints
    x = fit.x + 0.02
    assert_slopes(own.define(x)[1], lambda v: own.define(v)[0], x)
    limits = Limits(fit.table, own)
    z = own.linear.reduce(x)
    assert_slopes(limits.equalities(z)[1], lambda v: limits.equalities(v)[0], z)
    assert_slopes(limits.inequalities(z)[1], lambda v: limits.inequalities(v)[0], z)
    samples = moments_of(fit)

    def criterion(v: np.ndarray) -> tuple[float, np.ndarray]:
        found = objective.evaluate(fit.model, samples, v)
        return found.value, objective.gradient(fit.model, samples, found)

    ones, others = np.full(len(limits.equalities(z)[0]), 0.3), np.full(len(limits.inequalities(z)[0]), 0.4)
    value, _ = _lagrangian(criterion, lambda v: np.eye(v.size), limits, (ones, others), (2 + ones, 2 + others))
    assert_slopes(value(z)[1], lambda v: value(v)[0], z)
    along = limits.tangent(own.linear.reduce(fit.x))
    assert np.abs(limits.equalities(fit.x)[1] @ along).max() < 1e-8
