"""lavaan 0.6-14 and semTools 0.5-6 on what comes after a fit: every number of after.json, model by model."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.sem_after import COMPARE, after, compare_lrt
from tests.reference.sem_after_ordinal import ORDINAL
from tests.reference.sem_cases import FAMILIES, HERE, fit

Case = tuple[str, str, str]
FOLDERS = [
    (family, path.parent.name)
    for family in (*FAMILIES, "sem_twolevel")
    for path in sorted((HERE / family).glob("*/after.json"))
]
QUANTITIES = [
    ((*folder, label), name)
    for folder in FOLDERS
    for label, found in after(*folder)["models"].items()
    for name in found
]
TESTS = [(folder, key) for folder in FOLDERS for key in after(*folder).get("lrt", {})]


@pytest.mark.option("StructuralFit.residual_matrix.kind", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.residual_matrix.z", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.residual_size.kind", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.factor_scores.method", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.factor_scores.level", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.modification_indices", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.score_tests", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.r2", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.latent", "lavaan 0.6-14")
@pytest.mark.option("StructuralFit.reliability", "semTools 0.5-6")
@pytest.mark.option("StructuralFit.htmt", "semTools 0.5-6")
@pytest.mark.parametrize(("case", "name"), QUANTITIES, ids=["-".join((*c, name)) for c, name in QUANTITIES])
def test_after_the_fit(case: Case, name: str) -> None:
    reference: Any = after(*case[:2])["models"][case[2]][name]
    assert name in COMPARE, f"not compared: {name}"
    (ORDINAL if fit(*case)._fit.ordinal is not None else COMPARE)[name](case, reference)


@pytest.mark.option("compare.method", "lavaan 0.6-14")
@pytest.mark.parametrize(("folder", "key"), TESTS, ids=["-".join((*folder, key)) for folder, key in TESTS])
def test_difference_tests(folder: tuple[str, str], key: str) -> None:
    compare_lrt(*folder, after(*folder)["lrt"][key])
