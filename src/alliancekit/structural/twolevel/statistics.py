"""Sufficient statistics of clustered data: what is within clusters, what their means are, sizes grouped.

Variables of a two-level model are of three kinds: at both levels (the intercept varies over clusters), within only
(no variance between clusters), between only (one value per cluster). Arrays here hold the between-only variables first
and then the others ("wide" order), so a cluster is one vector (z, mean of y).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, message

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Roles:
    """Which names stand at which level: within (in the order of the level-1 model) and between (level-2 model)."""

    within: tuple[str, ...]
    between: tuple[str, ...]

    @property
    def cluster_only(self) -> tuple[str, ...]:
        """Variables of the between model alone."""
        return tuple(name for name in self.between if name not in self.within)

    @property
    def wide(self) -> tuple[str, ...]:
        """All variables in wide order."""
        return self.cluster_only + self.within

    def places(self) -> tuple[Integers, Integers]:
        """Return where the within and the between variables stand in wide order."""
        at = {name: k for k, name in enumerate(self.wide)}
        w, b = ([at[name] for name in names] for names in (self.within, self.between))
        return np.array(w, dtype=np.intp), np.array(b, dtype=np.intp)


@dataclass(frozen=True, eq=False, slots=True)
class Clusters:
    """Clustered data of one group without missing values.

    rows (n, p_y): the level-1 variables; cluster (n,): number of the cluster; size (J,); centre (J, q): (z, mean of y);
    within (p_y, p_y): pooled cross-products about the cluster means; sizes (S,) different cluster sizes, ascending;
    number (S,) clusters of each size; mean (S, q) and cross (S, q, q): moments of the centres of each size.
    """

    roles: Roles
    rows: Floats
    cluster: Integers
    size: Integers
    centre: Floats
    within: Floats
    sizes: Floats
    number: Floats
    mean: Floats
    cross: Floats

    @property
    def n(self) -> int:
        """Rows."""
        return int(self.rows.shape[0])

    @property
    def n_clusters(self) -> int:
        """Clusters."""
        return int(self.size.size)


def number_clusters(labels: NDArray[np.generic]) -> Integers:
    """Return the number of each row's cluster, counted in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(first.size, dtype=np.intp)
    rank[np.argsort(first)] = np.arange(first.size)
    return np.asarray(rank[inverse.ravel()])


def cluster_values(values: Floats, cluster: Integers, names: tuple[str, ...]) -> Floats:
    """Return the one value of each cluster (J, k) of variables (n, k) that must not differ within a cluster.

    nan where no row of the cluster has a value. Raises DesignError where two rows of a cluster differ.
    """
    groups = int(cluster.max()) + 1
    out = np.full((groups, values.shape[1]), np.nan)
    for j, name in enumerate(names):
        column = values[:, j]
        some = ~np.isnan(column)
        out[cluster[some], j] = column[some]
        wrong = some & (column != out[cluster, j])
        if wrong.any():
            where = f"row {int(np.flatnonzero(wrong)[0]) + 1}"
            what = f"The variable {name} is in the between model only, but its values differ within a cluster"
            raise DesignError(
                message(what, where=where, do="Name it in the within model too, or average it by cluster")
            )
    return out


def summarise_clusters(rows: Floats, cluster: Integers, only: Floats, roles: Roles) -> Clusters:
    """Return the sufficient statistics of complete clustered data.

    rows (n, p_y) level-1 variables, cluster (n,) from 0, only (J, p_z) the between-only variables.
    """
    size = np.bincount(cluster)
    j = size.size
    if j < 2:
        raise DesignError(
            message("A two-level model needs at least two clusters", do="Check the column given as cluster")
        )
    if int(size.max()) < 2:
        what = "Every cluster has a single row, so nothing varies within clusters"
        raise DesignError(message(what, do="Check the column given as cluster"))
    centre = rows.mean(axis=0)
    centred = rows - centre
    means = np.column_stack([np.bincount(cluster, centred[:, k], j) for k in range(rows.shape[1])]) / size[:, None]
    deviation = centred - means[cluster]
    within = deviation.T @ deviation
    require_variation(within.diagonal(), (centred**2).sum(axis=0), roles)
    wide = np.column_stack([only, means + centre])
    sizes, place = np.unique(size, return_inverse=True)
    number = np.bincount(place).astype(float)
    q = wide.shape[1]
    offset = wide.mean(axis=0)
    shifted = wide - offset
    mean = np.column_stack([np.bincount(place, shifted[:, k], sizes.size) for k in range(q)]) / number[:, None]
    cross = np.empty((sizes.size, q, q))
    for s in range(sizes.size):
        part = shifted[place == s] - mean[s]
        cross[s] = part.T @ part / number[s]
    return Clusters(roles, rows, cluster, size, wide, within, sizes.astype(float), number, mean + offset, cross)


def require_variation(within: Floats, total: Floats, roles: Roles) -> None:
    """Refuse a level-1 variable that does not vary within any cluster; sums of squares within and in all (p_y,)."""
    for k, name in enumerate(roles.within):
        if not within[k] > 1e-12 * total[k]:
            what = f"The variable {name} does not vary within clusters, so it has no within-level variance"
            raise DesignError(message(what, do="Name it in the between model only"))
