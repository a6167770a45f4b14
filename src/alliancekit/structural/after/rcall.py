"""The same model as a call of lavaan."""

from __future__ import annotations

from alliancekit.structural.options import Options


def as_r(model: str, options: Options) -> str:
    """Return R code that fits the model to a data frame called ``data``."""
    rules = options.rules
    given = [f'estimator = "{options.estimator}"'] if options.estimator != "ML" else []
    if options.missing == "fiml":
        given.append('missing = "fiml"')
    usual = {"ML": "observed" if options.missing == "fiml" else "expected", "MLR": "observed", "MLF": "first.order"}
    if options.information != usual[options.estimator]:
        given.append(f'information = "{options.information}"')
    if options.likelihood != "normal":
        given.append(f'likelihood = "{options.likelihood}"')
    if options.group:
        given.append(f'group = "{options.group}"')
    if options.cluster:
        given.append(f'cluster = "{options.cluster}"')
    if rules.group_equal:
        given.append(f"group.equal = c({_quoted(rules.group_equal)})")
    if rules.group_partial:
        given.append(f"group.partial = c({_quoted(rules.group_partial)})")
    for name, on in (("std.lv", rules.std_lv), ("orthogonal", rules.orthogonal)):
        if on:
            given.append(f"{name} = TRUE")
    if rules.effect_coding:
        given.append("effect.coding = TRUE")
    if rules.meanstructure and not (options.group or options.missing == "fiml" or options.function == "growth"):
        given.append("meanstructure = TRUE")
    if not rules.fixed_x:
        given.append("fixed.x = FALSE")
    text = model.strip("\n").replace("\\", "\\\\").replace("'", "\\'")
    arguments = ", ".join(["model", "data", *given])
    return f"library(lavaan)\nmodel <- '\n{text}\n'\nfit <- {options.function}({arguments})\nsummary(fit)"


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)
