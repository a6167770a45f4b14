"""alliancekit: verified statistics and manuscript-ready reports for psychotherapy research.

The public names are listed in ``_EXPORTS``; each is imported on first use, so that ``import alliancekit`` is quick
and a mixed model never pays for the plotting library.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_EXPORTS: dict[str, str] = {
    # study
    "Study": "alliancekit.study.types",
    "Codebook": "alliancekit.study.codebook",
    "read_study": "alliancekit.study.read",
    "validate": "alliancekit.study.validate",
    "wide_to_long": "alliancekit.study.reshape",
    "dates_to_days": "alliancekit.study.dates",
    "write_study": "alliancekit.study.write",
    "score": "alliancekit.study.score",
    "instruments": "alliancekit.study.registry",
    "within_between": "alliancekit.study.derive",
    "lag": "alliancekit.study.derive",
    "lead": "alliancekit.study.derive",
    "early_window": "alliancekit.study.derive",
    "change_from_baseline": "alliancekit.study.derive",
    "one_row_per": "alliancekit.study.derive",
    "sample_flow": "alliancekit.study.flow",
    "describe": "alliancekit.study.describe",
    "correlations": "alliancekit.study.correlations",
    # multilevel
    "mixed": "alliancekit.multilevel.api",
    "compare": "alliancekit.structural.compare",
    "ar1": "alliancekit.multilevel.residual.ar1",
    "car1": "alliancekit.multilevel.residual.car1",
    "compound_symmetry": "alliancekit.multilevel.residual.compound_symmetry",
    "unstructured": "alliancekit.multilevel.residual.unstructured",
    "heteroscedastic": "alliancekit.multilevel.residual.heteroscedastic",
    "power_of": "alliancekit.multilevel.residual.power",
    # structural
    "cfa": "alliancekit.structural.api",
    "sem": "alliancekit.structural.api",
    "growth": "alliancekit.structural.api",
    "efa": "alliancekit.structural.exploratory",
    "parameter_table": "alliancekit.structural.tables",
    # measurement
    "reliability": "alliancekit.measurement.reliability",
    # prediction
    "incremental_validity": "alliancekit.prediction.incremental",
    # simulation
    "simulate": "alliancekit.simulation.simulate",
    "compare_truth": "alliancekit.simulation.comparison",
    # audit
    "check_assumptions": "alliancekit.audit.assumptions",
    # peers
    "crosscheck": "alliancekit.peers.crosscheck",
    # report
    "Report": "alliancekit.report.document",
    "table": "alliancekit.report.present",
    "equation": "alliancekit.report.present",
    "figure": "alliancekit.report.present",
    "sentence": "alliancekit.report.present",
    # errors and warnings
    **dict.fromkeys(
        (
            "AllianceError",
            "ReadError",
            "SchemaError",
            "SpecError",
            "DesignError",
            "FitError",
            "ReportError",
            "ConvergenceWarning",
            "BoundaryWarning",
            "SmallSampleWarning",
            "DesignWarning",
        ),
        "alliancekit.core.errors",
    ),
}

__all__ = sorted([*_EXPORTS, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        value = getattr(importlib.import_module(_EXPORTS[name]), name)
        globals()[name] = value
        return value
    from alliancekit.core.errors import nearest

    close = nearest(name, _EXPORTS)
    hint = f" Did you mean alliancekit.{close}?" if close else ""
    raise AttributeError(f"alliancekit has no name {name!r}.{hint}")


def __dir__() -> list[str]:
    return __all__
