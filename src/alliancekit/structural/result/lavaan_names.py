"""What lavaan calls its functions, and which method of a fit does the same."""

from __future__ import annotations

SAME = {
    "modindices": "modification_indices()",
    "modificationIndices": "modification_indices()",
    "modificationindices": "modification_indices()",
    "fitMeasures": "fit_measures()",
    "fitmeasures": "fit_measures()",
    "predict": "factor_scores()",
    "lavPredict": "factor_scores()",
    "parameterEstimates": "tidy()",
    "parameterestimates": "tidy()",
    "standardizedSolution": "standardized()",
    "standardizedsolution": "standardized()",
    "parTable": "table",
    "partable": "table",
    "lavTest": "model_tests()",
    "lavTestScore": "score_tests()",
    "lavResiduals": "residual_size()",
    "bootstrapLavaan": "bootstrap()",
    "monteCarloCI": "monte_carlo()",
    "compRelSEM": "reliability()",
    "coef": "tidy()",
    "residuals": "residual_matrix()",
    "resid": "residual_matrix()",
    "fitted": "implied()",
    "logLik": "log_likelihood",
    "AIC": 'fit_measures()["aic"]',
    "BIC": 'fit_measures()["bic"]',
}
INSPECT = ("lavInspect", "inspect", "lavTech")


def missing_attribute(name: str) -> str:
    """Return the message for an attribute that a fit has not."""
    if name in SAME:
        return f"lavaan's {name}() is fit.{SAME[name]}"
    if name in INSPECT:
        each = "fit.implied(), vcov(), latent(), r2(), table, icc(), model_tests(), group_tests()"
        return f"lavaan's {name}() is one method for each thing: {each}"
    return f"'StructuralFit' object has no attribute '{name}'"
