"""Sentences about incremental validity, dominance and specificity, in APA style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from alliancekit.prediction.results import CoefficientTable, IncrementalValidity, StepTable, WeightTable
from alliancekit.prediction.specificity import Bounded, Specificity
from alliancekit.report.formatting import (
    ci_text,
    format_df,
    format_fixed,
    is_missing,
    p_text,
    test_text,
)

R2_DECIMALS = 3


def name_of(column: str, labels: Mapping[str, str]) -> str:
    """Return a column's text for people."""
    return labels.get(column, column)


def join_names(columns: Sequence[str], labels: Mapping[str, str] | None = None) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    names = [name_of(c, labels or {}) for c in columns]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def opening(text: str) -> str:
    """Return a text with its first letter as a capital."""
    return text[:1].upper() + text[1:]


def share(value: float, decimals: int = R2_DECIMALS) -> str:
    """Return an R², correlation or standardised slope: no zero before the point."""
    return format_fixed(value, decimals, leading_zero=abs(value) >= 1.0)


def r2_word(r2_name: str) -> str:
    """Return "R²", or "marginal R²" for a mixed model."""
    return "marginal R²" if r2_name.startswith("marginal") else "R²"


def limits(bounded: Bounded, level: float, decimals: int = R2_DECIMALS) -> str:
    """Return ", 95% CI [...]", or nothing where there are no limits."""
    if is_missing(bounded.conf_low):
        return ""
    text = ci_text(bounded.conf_low, bounded.conf_high, decimals=decimals, level=level, leading_zero=False)
    return f", {text}"


def statistic_text(statistic: float, df: float, df_error: float, p_value: float) -> str:
    """Return "F(1, 117) = 24.58, p < .001", or the chi-square of a likelihood-ratio test."""
    if is_missing(df_error):
        return f"χ²({format_df(df)}) = {format_fixed(statistic, 2)}, {p_text(p_value)}"
    return f"{test_text('F', statistic, df, df_error)}, {p_text(p_value)}"


def _increment(bounded: Bounded, of: Specificity) -> str:
    test = statistic_text(bounded.statistic, bounded.df, bounded.df_error, bounded.p_value)
    word = f"Δ{r2_word(of.r2_name)}".replace("Δmarginal ", "marginal Δ")
    return f"{word} = {share(bounded.estimate)}{limits(bounded, of.level)}, {test}"


def _slopes(of: Specificity) -> str:
    change = f"{share(of.slope_base.estimate, 2)} to {share(of.slope_all.estimate, 2)}"
    drop = of.slope_drop
    return f"{change} (difference {share(drop.estimate, 2)}{limits(drop, of.level, 2)})"


def _related(of: Specificity) -> str:
    found = dict(zip(of.correlations["rival"], of.correlations["r"], strict=True))
    return join_names([f"r = {share(r, 2)} with {name_of(rival, of.labels)}" for rival, r in found.items()])


def specificity_sentence(of: Specificity) -> str:
    """Return what the verdict says, with the numbers it rests on."""
    focus, outcome = name_of(of.focus, of.labels), name_of(of.outcome, of.labels)
    base = join_names(of.base, of.labels)
    if of.verdict == "no increment":
        return _no_increment(of, focus, outcome, base)
    added = f"{opening(focus)} added to the prediction of {outcome} beyond {base}, {_increment(of.delta_r2_base, of)}"
    if not of.rivals:
        return f"{added}. No rival of {focus} is in the model, so this does not show that {focus} is special."
    rivals = join_names(of.rivals, of.labels)
    alone = _increment(of.delta_r2_all, of)
    if of.verdict == "specific":
        return (
            f"{added}, and it still did so with {rivals} in the model, {alone}: the contribution of {focus} is its "
            "own, as far as its rivals are measured reliably."
        )
    if of.verdict == "not specific":
        nothing_left = of.delta_r2_all.p_value >= 1.0 - of.level
        now = f"but not once {rivals} were" if nothing_left else f"but little of it was left once {rivals} were"
        which = "The increment" if nothing_left else "Most of the increment"
        return (
            f"{added}, {now} in the model, {alone}, and its standardised slope fell from {_slopes(of)}. {which} over "
            f"{base} is therefore not specific to {focus}: it belongs to what {focus} shares with {rivals} "
            f"({_related(of)})."
        )
    return f"{added}. {_undecided(of, focus, rivals, alone)}"


def _undecided(of: Specificity, focus: str, rivals: str, alone: str) -> str:
    if of.suppressed:
        return (
            f"With {rivals} in the model its slope changed direction, from {_slopes(of)}, {alone}: a suppressor "
            f"pattern, from which nothing can be said of {focus} by itself."
        )
    settled = of.slope_drop.conf_low > 0.0 or of.slope_drop.conf_high < 0.0
    if of.delta_r2_all.p_value < 1.0 - of.level:
        said = f"something of it was left, {alone}, but less than half of its standardised slope: from {_slopes(of)}"
    elif settled:
        said = (
            f"its own increment could not be told from zero, {alone}, while its standardised slope kept more than half "
            f"of its size: from {_slopes(of)}"
        )
    else:
        said = (
            f"its own increment could not be told from zero, {alone}, nor its standardised slope from what it was "
            f"before: from {_slopes(of)}"
        )
    return (
        f"With {rivals} in the model {said}. {opening(focus)} overlaps with its rivals ({_related(of)}; "
        f"VIF = {format_fixed(of.vif, 1)}), and these data cannot tell whether it is {focus} that matters."
    )


def _no_increment(of: Specificity, focus: str, outcome: str, base: str) -> str:
    text = (
        f"{opening(focus)} did not add to the prediction of {outcome} beyond {base}, {_increment(of.delta_r2_base, of)}"
    )
    if not of.rivals:
        return f"{text}."
    rivals = join_names(of.rivals, of.labels)
    if of.suppressed:
        return (
            f"{text}. It did so only beside {rivals}, {_increment(of.delta_r2_all, of)}: a suppressor pattern, which "
            "is no evidence for it alone."
        )
    return f"{text}, nor with {rivals} in the model, {_increment(of.delta_r2_all, of)}."


def steps_sentence(steps: StepTable) -> str:
    """Return one sentence per step."""
    outcome, word = name_of(steps.outcome, steps.labels), r2_word(steps.r2_name)
    change = f"Δ{word}".replace("Δmarginal ", "marginal Δ")
    parts = []
    for i, row in enumerate(steps.frame.to_dict("records")):
        names = join_names(steps.entered[row["step"]], steps.labels)
        test = statistic_text(row["statistic"], row["df"], row["df_error"], row["p_value"])
        bounded = Bounded(row["delta_r2"], row["conf_low"], row["conf_high"])
        numbers = f"{word if i == 0 else change} = {share(row['delta_r2'])}{limits(bounded, steps.level)}, {test}"
        significant = row["p_value"] < 1.0 - steps.level
        if i == 0:
            verb = "predicted" if significant else "did not predict"
            parts.append(f"{opening(names)} {verb} {outcome}, {numbers}.")
        else:
            verb = "added to the prediction" if significant else "did not add to the prediction"
            parts.append(f"{opening(names)} {verb}, {numbers}.")
    last = steps.frame.iloc[-1]
    parts.append(
        f"For patients left out of the estimation the final model explained {word.removeprefix('marginal ')} = "
        f"{share(last['cv_r2'])} (cross-validated)."
    )
    return " ".join(parts)


def weights_sentence(weights: WeightTable) -> str:
    """Return the order of the predictors by general dominance, and which pairs are completely dominated."""
    table = weights.frame.sort_values("general", ascending=False, kind="stable")
    listed = [
        f"{name_of(row['term'], weights.labels)} ({share(row['general'])}, {format_fixed(100 * row['share'], 0)}%)"
        for row in table.to_dict("records")
    ]
    complete = weights.analysis.complete()
    pairs = [
        f"{name_of(a, weights.labels)} over {name_of(b, weights.labels)}"
        for i, a in enumerate(table["term"])
        for b in table["term"].iloc[i + 1 :]
        if complete.loc[a, b] == 1.0
    ]
    outcome = name_of(weights.analysis.outcome, weights.labels)
    r2 = share(weights.analysis.r2[-1])
    dominance = (
        f"Dominance is complete for {join_names(pairs)}." if pairs else "No predictor dominates another completely."
    )
    return f"Of the R² = {r2} of {outcome}, general dominance gives {join_names(listed)}. {dominance}"


def coefficients_sentence(table: CoefficientTable) -> str:
    """Return each coefficient of the final model with its interval and test."""
    parts = []
    for row in table.frame.to_dict("records"):
        if row["term"] == "(Intercept)":
            continue
        test = test_text("t", row["statistic"], row["df"])
        ends = ci_text(row["conf_low"], row["conf_high"], level=table.level)
        numbers = f"b = {format_fixed(row['estimate'], 2)}, {ends}, {test}, {p_text(row['p_value'])}"
        parts.append(f"{name_of(row['term'], table.labels)}, {numbers}, β = {share(row['std_estimate'], 2)}")
    outcome = name_of(table.outcome, table.labels)
    return f"In the final model of {outcome} (n = {table.n}) the slopes were: {'; '.join(parts)}."


def answer(result: IncrementalValidity) -> str:
    """Return the answer to the question of the analysis: the verdict on the focus, or what the steps added."""
    if result.specificity is not None:
        return specificity_sentence(result.specificity)
    return steps_sentence(result.steps)
