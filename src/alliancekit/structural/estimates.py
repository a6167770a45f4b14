"""What an engine returns: estimates, their covariance, tests and the moments they imply, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from alliancekit.structural.constraints import Constraints
from alliancekit.structural.likelihood.contract import Block as Moments
from alliancekit.structural.model import Model
from alliancekit.structural.options import Options
from alliancekit.structural.sample import Sample
from alliancekit.structural.table import ParameterTable

if TYPE_CHECKING:
    from alliancekit.structural.after.bootstrap import StructuralBootstrap
    from alliancekit.structural.continuous.asymptotic import Stacked
    from alliancekit.structural.continuous.missing.estimate import IncompleteFit
    from alliancekit.structural.ordinal.estimate import OrdinalFit
    from alliancekit.structural.rotation.rotate import Rotated
    from alliancekit.structural.twolevel.estimate import ClusteredFit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelTest:
    """A test of a model against the saturated one.

    factor : scaling factor, None for the plain test. shift : added after scaling. scaled_df : df of the scaled
    statistic, None where they are those of the plain one.
    """

    statistic: float
    df: int
    factor: float | None = None
    shift: float = 0.0
    scaled_df: float | None = None

    @property
    def scaled(self) -> float:
        """The scaled statistic; the plain one where there is no factor, or nothing to scale (df 0, factor NaN)."""
        return self.statistic if self.factor is None or self.df == 0 else self.statistic / self.factor + self.shift

    @property
    def df_scaled(self) -> float:
        """Degrees of freedom of the scaled statistic."""
        return float(self.df) if self.scaled_df is None else self.scaled_df


@dataclass(frozen=True, eq=False, slots=True)
class Rotation:
    """What a rotation did: the fit before it, exact covariance of the parameters after it, the criterion of each block.

    converged : whether every search ended at a minimum. found : the rotation of each exploratory block, by the block of
    the table (from 0) and its name.
    """

    before: StructuralEstimates
    vcov: Floats
    values: tuple[float, ...]
    converged: bool
    found: Mapping[tuple[int, str], Rotated]


@dataclass(frozen=True, eq=False, slots=True)
class StructuralEstimates:
    """A fitted model.

    Attributes
    ----------
    options, table, model, constraints, sample : what was fitted, to what.
    x : (size,) free parameters, equal ones one by one. vcov, information : (size, size); information of all rows.
    implied, saturated : moments of each block, of the model and of the saturated model.
    test, baseline : tests of the model and of the model of independence.
    fmin : lavaan's criterion. log_likelihood, log_likelihood_saturated. factors : scaling factors of both (saturated,
        model), None unless robust.
    n_parameters : free parameters less equality constraints. iterations, converged : of the search. engine : which.
    stacked : moments, weights and Gamma of a fit by least squares.
    source : the fit of raw data (missing values, levels) with what only it knows; None for fits of moments.
    ordinal : what only a fit of ordinal and mixed variables knows. replicates : of a bootstrap. tangent : directions in
        which limits and rotation leave the parameters free, None without. rotation : of exploratory factors, or None.
        more_tests : scaled tests by their words, beside the one in ``test``. drawn_chisq : chi-squares of samples of
        rows that the model fits exactly, where the test of Bollen and Stine was asked for.
    """

    options: Options
    table: ParameterTable
    model: Model
    constraints: Constraints
    sample: Sample
    x: Floats
    vcov: Floats
    information: Floats
    implied: tuple[Moments, ...]
    saturated: tuple[Moments, ...]
    test: ModelTest
    baseline: ModelTest
    fmin: float
    log_likelihood: float
    log_likelihood_saturated: float
    factors: tuple[float, float] | None
    n_parameters: int
    iterations: int
    converged: bool
    engine: str
    source: IncompleteFit | ClusteredFit | None = None
    stacked: Stacked | None = None
    ordinal: OrdinalFit | None = None
    replicates: StructuralBootstrap | None = None
    tangent: Floats | None = None
    rotation: Rotation | None = None
    more_tests: dict[str, ModelTest] = field(default_factory=dict)
    drawn_chisq: Floats | None = None

    @property
    def by_rows(self) -> IncompleteFit | None:
        """The fit of raw data of one level behind this one, or None."""
        return cast("IncompleteFit", self.source) if self.engine == "rows" else None

    @property
    def by_levels(self) -> ClusteredFit | None:
        """The fit of two levels behind this one, or None."""
        return cast("ClusteredFit", self.source) if self.engine == "levels" else None

    @property
    def scaled_by(self) -> str:
        """The test by which fit measures are scaled; with clusters there is one unasked."""
        clustered = self.options.cluster is not None and self.table.n_levels == 1
        return "yuan.bentler.mplus" if clustered and self.options.test == "standard" else self.options.test

    @property
    def directions(self) -> Floats:
        """Directions (size, k) of the parameters along which the constraints hold at the estimates."""
        return self.constraints.linear.basis if self.tangent is None else self.tangent
