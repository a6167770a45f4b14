"""Names, order and values of columns against model.matrix and lme4 (reference/make_designs.R)."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from alliancekit.core.errors import DesignWarning
from alliancekit.formula.coding import Part
from alliancekit.formula.design import Design, build_design
from tests.unit.formula.support import REFERENCE, r_data


def quiet(formula: str) -> Design:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DesignWarning)
        return build_design(formula, r_data(), has_residual=False)


@pytest.mark.parametrize("case", REFERENCE["designs"], ids=lambda c: c["formula"])
def test_fixed_part(case: dict) -> None:
    design = quiet(case["formula"])
    part: Part = design.recipe.fixed
    assert list(part.names) == case["names"]
    assert list(part.assign) == case["assign"]
    assert list(design.terms) == case["terms"]
    assert list(design.names) == case["kept"]
    expected = np.array(case["values"]).T
    kept = [case["names"].index(name) for name in design.names]
    np.testing.assert_allclose(design.X, expected[:, kept], rtol=1e-11, atol=1e-12)
    whole = design.recipe.build(r_data(), random=False)
    np.testing.assert_array_equal(whole.X, design.X)


@pytest.mark.parametrize("case", REFERENCE["blocks"], ids=lambda c: c["formula"])
def test_random_part(case: dict) -> None:
    design = quiet(case["formula"])
    ours = {(b.group, b.names): b for b in design.random}
    theirs = {(b["group"], tuple(b["names"])): b for b in case["blocks"]}
    assert ours.keys() == theirs.keys()
    assert len(design.random) == len(case["blocks"])
    for key, block in ours.items():
        expected = theirs[key]
        assert list(block.levels) == expected["levels"]
        assert block.codes.tolist() == expected["codes"]
        np.testing.assert_allclose(block.Z, np.array(expected["values"]).T, rtol=1e-11, atol=1e-12)
