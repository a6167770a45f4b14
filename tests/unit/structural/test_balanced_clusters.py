"""Saturated moments of clusters of one size: the closed form is the maximum that the search finds."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.structural.twolevel import saturated
from alliancekit.structural.twolevel.group import evaluate_group
from alliancekit.structural.twolevel.moments import join_moments, join_slope
from alliancekit.structural.twolevel.saturated import NOBODY, Pair
from alliancekit.structural.twolevel.statistics import Clusters, Roles, summarise_clusters

WITHIN, BETWEEN = ("y1", "y2", "y3"), ("z", "y1", "y2", "y3")


def balanced(roles: Roles) -> Clusters:
    """Forty clusters of five rows; z belongs to clusters, the others vary at both levels."""
    rng = np.random.default_rng(20)
    cluster = np.repeat(np.arange(40), 5)
    upper = rng.normal(size=(40, 4)) @ np.array([[1, 0.5, 0.2, 0.1], [0, 1, 0.4, 0.3], [0, 0, 1, 0.2], [0, 0, 0, 1]])
    rows = upper[cluster][:, 1:] + rng.normal(size=(200, 3)) + 2.0
    return summarise_clusters(rows, cluster, upper[:, :1] if "z" in roles.between else upper[:, :0], roles)


@pytest.mark.parametrize("exogenous", [None, NOBODY, (frozenset({"y1", "y2"}), frozenset({"y1", "y2", "z"}))])
@pytest.mark.parametrize("between", [WITHIN, BETWEEN])
def test_the_closed_form_is_the_maximum(between: tuple[str, ...], exogenous: Pair | None) -> None:
    data = balanced(Roles(WITHIN, between))
    free = saturated.free_moments(data.roles, exogenous)
    found = saturated._fit_balanced(data, free)
    assert found is not None
    here = evaluate_group(found.moments, data)
    assert here is not None
    assert np.abs(join_slope(here.slope)[free]).max() < 1e-9 * data.n
    start = saturated.moment_start(data)
    flat = np.where(free | saturated._mean_places(data.roles), join_moments(start), 0.0)
    searched = saturated._fit_free(data, free, saturated.split_moments(flat, data.roles))
    assert searched is not None and searched.converged
    assert found.log_likelihood == pytest.approx(searched.log_likelihood, abs=1e-8)
    assert np.allclose(join_moments(found.moments), join_moments(searched.moments), atol=1e-5)


def test_other_data_have_no_closed_form() -> None:
    data = balanced(Roles(WITHIN, WITHIN))
    unequal = summarise_clusters(data.rows[:-1], data.cluster[:-1], data.centre[:, :0], data.roles)
    assert saturated._fit_balanced(unequal, saturated.free_moments(data.roles)) is None
    within_only = balanced(Roles(WITHIN, ("y1", "y2")))
    assert saturated._fit_balanced(within_only, saturated.free_moments(within_only.roles)) is None
