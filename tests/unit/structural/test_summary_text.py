"""What the printed summary says of clusters, rotation and constraints."""

from __future__ import annotations

import numpy as np
import pandas as pd

import alliancekit as ak


def answers() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    factors = rng.normal(size=(300, 2)) + 0.4 * rng.normal(size=(300, 1))
    values = np.repeat(factors, 3, axis=1) + rng.normal(size=(300, 6))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(1, 7)]).assign(site=np.arange(300) % 30)


def words(fit: object) -> list[list[str]]:
    return [line.split() for line in str(fit).splitlines()]


def test_clusters_of_one_level_are_named() -> None:
    found = words(ak.cfa("f =~ x1 + x2 + x3 + x4", answers(), cluster="site"))
    assert ["Number", "of", "clusters", "[site]", "30"] in found
    assert ["Standard", "errors", "Robust.cluster"] in found
    assert ["Yuan-Bentler", "correction", "(Mplus", "variant)"] in found


def test_rotation_is_named_and_its_parameters_counted_once() -> None:
    model = 'efa("f")*one + efa("f")*two =~ ' + " + ".join(f"x{i}" for i in range(1, 7))
    found = words(ak.cfa(model, answers(), rotation="oblimin"))
    assert ["Number", "of", "model", "parameters", "17"] in found
    assert ["Rotation", "method", "oblimin", "oblique"] in found
    assert ["Oblimin", "gamma", "0"] in found


def test_inequalities_are_counted() -> None:
    found = words(ak.cfa("f =~ x1 + a*x2 + b*x3 + x4\na > 0.1\nb < 5", answers()))
    assert ["Number", "of", "inequality", "constraints", "2"] in found
