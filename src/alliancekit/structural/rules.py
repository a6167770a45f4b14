"""Which parameters are added to a model, freed and fixed: lavaan's ``auto.*`` options."""

from __future__ import annotations

from dataclasses import dataclass, replace

EQUAL = (
    "loadings",
    "intercepts",
    "means",
    "thresholds",
    "regressions",
    "residuals",
    "residual.covariances",
    "lv.variances",
    "lv.covariances",
    "composite.loadings",
)
"""What ``group_equal`` may name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """lavaan's automatic rules.

    Attributes
    ----------
    meanstructure : whether the model has means. std_lv : latent variances are one, instead of first loadings.
    fix_first, fix_single : a first loading is one; the residual of a single indicator is zero.
    variances : variances are added. covariances_x, covariances_y : covariances of exogenous latent variables, and of
    dependent variables that predict nothing. orthogonal, orthogonal_y : these are zero.
    intercepts_observed, intercepts_latent : free, else zero. fixed_x : moments of covariates are those of the sample.
    effect_coding : "loadings" and "intercepts" average one and zero.
    group_equal, group_partial : what is equal in all groups, and single parameters that are not.
    theta : ordinal residual variances are one in the first group, not the scales. orthogonal_efa : exploratory factors
    stay uncorrelated when they are rotated.
    """

    meanstructure: bool = False
    std_lv: bool = False
    fix_first: bool = True
    fix_single: bool = True
    variances: bool = True
    covariances_x: bool = True
    covariances_y: bool = True
    orthogonal: bool = False
    orthogonal_y: bool = False
    intercepts_observed: bool = True
    intercepts_latent: bool = False
    fixed_x: bool = True
    effect_coding: tuple[str, ...] = ()
    group_equal: tuple[str, ...] = ()
    group_partial: tuple[str, ...] = ()
    theta: bool = False
    orthogonal_efa: bool = False


CFA = Rules()
SEM = CFA
WRITTEN = Rules(
    fix_first=False,
    fix_single=False,
    variances=False,
    covariances_x=False,
    covariances_y=False,
    intercepts_observed=False,
)
"""Only what is written, as lavaan() itself does."""
GROWTH = replace(CFA, meanstructure=True, intercepts_observed=False, intercepts_latent=True)
