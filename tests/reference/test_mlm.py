"""lme4 1.1-31 and the packages around it: one test per case, criterion and quantity, made by walking expected.json.

``TOPICS`` are the files of comparators, each with a dictionary ``COMPARATORS`` from a key of expected.json to a
function of (fit, R's number). A new quantity is added to a topic, or a new topic to the list; its numbers are then
copied into expected.json. Tables that are about several models of a case stand in ``WHOLE_CASE``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.reference import mlm_estimates, mlm_inference
from tests.reference.comparison import load_case
from tests.reference.mlm_cases import FAMILY, REASONS, fit

TOPICS = (mlm_estimates, mlm_inference)
COMPARATORS: dict[str, Callable[[Any, Any], None]] = {
    name: compare for topic in TOPICS for name, compare in topic.COMPARATORS.items()
}
WHOLE_CASE: dict[str, Callable[[str, Any], None]] = {
    "lrt_ML": mlm_estimates.compare_lrt,
    "lrt_models": mlm_estimates.compare_lrt_models,
}
NOT_IF_SINGULAR = ("theta", "satterthwaite", "anova_III_satterthwaite", "r2_performance")


def _quantities() -> list[Any]:
    out = []
    for folder in sorted(p for p in FAMILY.iterdir() if (p / "model.json").exists()):
        expected = json.loads((folder / "expected.json").read_text())["fits"]
        for method in ("REML", "ML"):
            for quantity, value in expected[method].items():
                if value is not None:
                    out.append(pytest.param(folder.name, method, quantity, id=f"{folder.name}-{method}-{quantity}"))
        for quantity in expected:
            if quantity not in ("REML", "ML"):
                out.append(pytest.param(folder.name, "ML", quantity, id=f"{folder.name}-{quantity}"))
    return out


@pytest.mark.option("mixed.formula", "reference")
@pytest.mark.option("mixed.method", "reference")
@pytest.mark.option("mixed.weights", "reference")
@pytest.mark.option("MixedFit.tidy.ddf", "lmerTest 3.1-3, pbkrtest 0.5.2")
@pytest.mark.option("MixedFit.vcov.method", "pbkrtest 0.5.2")
@pytest.mark.option("MixedFit.robust.cluster", "clubSandwich 0.5.8")
@pytest.mark.option("MixedFit.ranova", "lmerTest 3.1-3")
@pytest.mark.option("compare.names", "reference")
@pytest.mark.parametrize(("case", "method", "quantity"), _quantities())
def test_quantity(case: str, method: str, quantity: str, record_property: Any) -> None:
    _, expected = load_case(FAMILY / case)
    if quantity in WHOLE_CASE:
        WHOLE_CASE[quantity](case, expected["fits"][quantity])
        return
    value = expected["fits"][method][quantity]
    if quantity not in COMPARATORS:
        assert quantity in REASONS, f"'{quantity}' is not compared and not_compared.toml gives no reason"
        record_property("excused", True)
        return
    fitted = fit(case, method)
    if fitted.singular and quantity in NOT_IF_SINGULAR:
        record_property("excused", True)
    if "||" in fitted.formula and quantity in ("r2_performance", "icc_performance"):
        record_property("excused", True)
    COMPARATORS[quantity](fitted, value)


@pytest.mark.option("MixedFit.robust.type", "clubSandwich 0.5.8, at R's variances")
@pytest.mark.parametrize("method", ["REML", "ML"])
@pytest.mark.parametrize(
    "case", ["btheb_ri", "lq2002_ri", "sim_group_therapy_few_clusters", "sim_threelevel_alliance", "sleepstudy_rs"]
)
def test_robust_covariance_is_exact_at_the_same_variances(case: str, method: str) -> None:
    e = load_case(FAMILY / case)[1]["fits"][method]
    mlm_inference.exact_robust(fit(case, method), e["cr2"], e["varcorr"], e["sigma"], "CR2")
