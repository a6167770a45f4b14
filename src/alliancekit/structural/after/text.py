"""The printed summary of a structural model, in the order that users of lavaan know."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from alliancekit.structural.estimates import StructuralEstimates

_SECTIONS = (
    ("=~", "Latent variables"),
    ("<~", "Composites"),
    ("~", "Regressions"),
    ("~~", "Covariances"),
    ("~1", "Intercepts"),
    ("|", "Thresholds"),
    ("variance", "Variances"),
)


def summary_text(
    fit: StructuralEstimates, table: pd.DataFrame, measures: pd.Series, notes: Sequence[str], standardized: bool
) -> str:
    """Return the summary; ``table`` as ``tidy`` returns it, ``measures`` as ``fit_measures`` does."""
    lines = [*_head(fit), "", *_tests(fit, measures), ""]
    lines += ["Parameter estimates:", f"  standard errors: {_errors(fit)}", ""]
    grouped = "group" in table.columns
    levels = "level" in table.columns
    blocks: list[tuple[str, pd.DataFrame]] = [("", table[table["op"] != ":="])]
    if grouped or levels:
        keys = [name for name in ("group", "level") if name in table.columns]
        blocks = [
            (", ".join(f"{k}: {v}" for k, v in zip(keys, _tuple(key), strict=True)), part)
            for key, part in table[table["op"] != ":="].groupby(keys, sort=False)
        ]
    for title, part in blocks:
        if title:
            lines += [title, ""]
        lines += _block(part, standardized)
    defined = table[table["op"] == ":="]
    if len(defined):
        rows = [_row(r["lhs"], r, standardized) for _, r in defined.iterrows()]
        lines += _grid("Defined parameters", rows, standardized)
    lines += [*notes]
    return "\n".join(lines).rstrip() + "\n"


def _tuple(key: object) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)


def _head(fit: StructuralEstimates) -> list[str]:
    sample = fit.sample
    ended = f"ended normally after {fit.iterations} iterations" if fit.converged else "DID NOT CONVERGE"
    lines = [f"alliancekit {fit.options.function} {ended}", ""]
    lines.append(f"  Estimator: {fit.options.estimator}; parameters: {fit.n_parameters}")
    tied = fit.table.n_free - fit.n_parameters
    if tied:
        lines.append(f"  Equality constraints: {tied}")
    if len(sample.groups) > 1:
        counts = "; ".join(f"{g.label}, {g.n}" for g in sample.groups)
        lines.append(f"  Number of obs: {sample.n}, groups: {counts}")
    else:
        lines.append(f"  Number of obs: {sample.n}")
    dropped = [f"{count} {reason}" for reason, count in sample.account.dropped]
    if dropped:
        lines.append(f"  Not used of {sample.account.n_rows} rows: {', '.join(dropped)}")
    lines.append(f"  Missing values: {fit.options.missing}")
    return lines


def _tests(fit: StructuralEstimates, m: pd.Series) -> list[str]:
    scaled = fit.test.factor is not None
    lines = [f"Model test:{'':24}standard" + ("      scaled" if scaled else "")]

    def line(name: str, key: str, form: str) -> str:
        text = f"  {name:<32}" + f"{m[key]:>11{form}}"
        return text + (f"{m[key + '_scaled']:>12{form}}" if scaled and key + "_scaled" in m else "")

    lines.append(line("Chi-square", "chisq", ".3f"))
    lines.append(line("Degrees of freedom", "df", ".0f"))
    if m["df"] > 0:
        lines.append(line("p value", "pvalue", ".3f"))
    if scaled:
        lines.append(f"  {'Scaling factor':<32}{'':>11}{fit.test.factor:>12.3f}")
    wanted = [("CFI", "cfi"), ("TLI", "tli"), ("RMSEA", "rmsea")]
    if m["df"] > 0:
        lines += ["", f"Fit:{'':31}standard" + ("      scaled" if scaled else "")]
        lines += [line(name, key, ".3f") for name, key in wanted if key in m]
        lines.append(line("  90% CI lower", "rmsea_ci_lower", ".3f"))
        lines.append(line("  90% CI upper", "rmsea_ci_upper", ".3f"))
        if "srmr" in m:
            lines.append(f"  {'SRMR':<32}{m['srmr']:>11.3f}")
    for name, key in (("Log-likelihood", "logl"), ("AIC", "aic"), ("BIC", "bic")):
        if key in m:
            lines.append(f"  {name:<32}{m[key]:>11.3f}")
    return lines


def _errors(fit: StructuralEstimates) -> str:
    if fit.options.se == "robust.huber.white":
        return f"robust (Huber-White), {fit.options.information} information"
    if fit.options.se == "robust.sem":
        return "robust (Satorra-Bentler)"
    return f"{fit.options.information} information"


def _block(part: pd.DataFrame, standardized: bool) -> list[str]:
    lines: list[str] = []
    variance = (part["op"] == "~~") & (part["lhs"] == part["rhs"])
    for op, title in _SECTIONS:
        chosen = part[variance] if op == "variance" else part[(part["op"] == op) & ~variance]
        if not len(chosen):
            continue
        rows: list[tuple[str, ...]] = []
        last = None
        for _, r in chosen.iterrows():
            if op in ("variance", "~1"):
                rows.append(_row(f"  {r['lhs']}", r, standardized))
                continue
            if r["lhs"] != last:
                last = r["lhs"]
                rows.append((f" {last} {op}", *[""] * (7 if standardized else 5)))
            rows.append(_row(f"   {r['rhs']}", r, standardized))
        lines += _grid(title, rows, standardized)
    return lines


def _row(name: str, r: pd.Series, standardized: bool) -> tuple[str, ...]:
    label = f" ({r['label']})" if r["label"] and r["op"] != ":=" else ""
    fixed = not r["std_error"] > 0
    cells = [name + label, f"{r['estimate']:.3f}"]
    cells += ["", "", "", ""] if fixed else [f"{r['std_error']:.3f}", f"{r['statistic']:.3f}", f"{r['p_value']:.3f}"]
    if not fixed:
        cells.append(f"[{r['conf_low']:.3f}, {r['conf_high']:.3f}]")
    if standardized:
        cells += [f"{r['std_lv']:.3f}", f"{r['std_all']:.3f}"]
    return tuple("NA" if c == "nan" else c for c in cells)


def _grid(title: str, rows: Sequence[tuple[str, ...]], standardized: bool) -> list[str]:
    head: tuple[str, ...] = (f"{title}:", "Estimate", "Std.Err", "z value", "P(>|z|)", "95% CI")
    if standardized:
        head = (*head, "Std.lv", "Std.all")
    whole = [head, *rows]
    widths = [max(len(row[j]) for row in whole) for j in range(len(head))]
    out = []
    for row in whole:
        cells = [row[0].ljust(widths[0]), *[cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]]
        out.append("  ".join(cells).rstrip())
    return [*out, ""]
