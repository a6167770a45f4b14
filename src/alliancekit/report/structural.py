"""Tables, figures, sentences and equations of structural equation models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import ReportError, SpecError, check_option, kind_of, message
from alliancekit.report.parts import Equation, Figure, Sentence, Table
from alliancekit.report.structural_after import MISSING, bootstrap_table, reliability_table
from alliancekit.report.structural_figures import modification_figure, residual_figure, scree_figure
from alliancekit.report.structural_fit import comparison_table, fit_table, fit_words
from alliancekit.report.structural_loadings import loadings_table, solutions_table
from alliancekit.report.structural_path import PathOptions, path_figure
from alliancekit.report.structural_words import (
    NOT_CONVERGED,
    bootstrap_words,
    comparison_text,
    fit_text,
    solutions_text,
)
from alliancekit.structural.after.bootstrap import StructuralBootstrap
from alliancekit.structural.compare import StructuralComparison
from alliancekit.structural.exploratory import FactorSolutions
from alliancekit.structural.result.fit import StructuralFit

__all__ = ["make_equation", "make_figure", "make_sentence", "make_table"]
SECTIONS = (
    ("=~", "Loadings"),
    ("<~", "Weights of composites"),
    ("~", "Regressions"),
    ("~~", "Covariances"),
    ("~1", "Intercepts and means"),
    ("|", "Thresholds"),
    ("~*~", "Scales of latent responses"),
    ("variance", "Variances"),
    (":=", "Defined parameters"),
)
KINDS = {"cfa": "Confirmatory Factor Analysis", "sem": "Structural Equation Model", "growth": "Growth Model"}
ESTIMATORS = {"ML": "maximum likelihood", "MLR": "maximum likelihood with robust standard errors"}


def make_table(*results: Any, names: tuple[str, ...] | None = None, interval: str = "percentile") -> Table:
    """Return the table of estimates of one model, of the fit of several side by side, or of difference tests.

    ``interval`` : kind of limits of a bootstrap.
    """
    drawn = len(results) == 1 and isinstance(results[0], StructuralFit | StructuralBootstrap)
    if interval != "percentile" and not drawn:
        raise SpecError(message("interval= is for one fit, or one bootstrap", do="Leave it out"))
    if len(results) == 1 and isinstance(results[0], StructuralComparison):
        if names is not None:
            raise SpecError(message("names= is for fits side by side", do="Give ak.compare the names"))
        return comparison_table(results[0])
    if isinstance(results[0], FactorSolutions):
        if len(results) > 1 or names is not None:
            raise SpecError(message("exploratory solutions have a table of their own", do="Call ak.table for each"))
        return solutions_table(results[0])
    if len(results) == 1 and names is None and isinstance(results[0], StructuralBootstrap):
        return bootstrap_table(results[0], interval)
    if len(results) == 1 and names is None and isinstance(results[0], pd.DataFrame):
        return reliability_table(results[0])
    if all(isinstance(r, StructuralFit) for r in results):
        return _estimates(results[0], interval) if len(results) == 1 and names is None else fit_table(results, names)
    raise ReportError(message("results of these kinds cannot share a table", do="Call ak.table for each"))


def more_tables(result: Any) -> list[Table]:
    """Return the tables that follow the first in a report: the loadings of each of several exploratory solutions."""
    several = isinstance(result, FactorSolutions) and len(result.fits) > 1
    return [loadings_table(result, number) for number in result.nfactors] if several else []


def _estimates(fit: StructuralFit, interval: str) -> Table:
    """Return the table of estimates in sections, with standardised values."""
    found = fit.tidy(interval=interval)
    kind_of_limits = found.attrs.get("interval", "")
    usual = found["op"].map({"~1": 0.0, "~*~": 1.0})
    found = found[(found["std_error"] > 0) | (found["estimate"] != usual)]
    kind = found["op"].where(~((found["op"] == "~~") & (found["lhs"] == found["rhs"])), "variance")
    places = {op: k for k, (op, _) in enumerate(SECTIONS)}
    titles = dict(SECTIONS)
    heads = [name for name in ("group", "level") if name in found]
    order = found.assign(_place=kind.map(places), _row=range(len(found)))
    if heads:
        blocks = {key: k for k, key in enumerate(dict.fromkeys(map(tuple, found[heads].to_numpy().tolist())))}
        order["_block"] = [blocks[key] for key in map(tuple, found[heads].to_numpy().tolist())]
        order.loc[found["op"] == ":=", "_block"] = len(blocks)
    order = order.sort_values([*(["_block"] if heads else []), "_place", "_row"], kind="stable")
    component = [titles[kind[i]] for i in order.index]
    if heads:
        ends = [", ".join(_head(v) for v in found.loc[i, heads] if v) for i in order.index]
        component = [": ".join(p for p in (end, part) if p) for end, part in zip(ends, component, strict=True)]
    data = pd.DataFrame(
        {
            "component": component,
            "term": [_term(found.loc[i]) for i in order.index],
            "estimate": order["estimate"],
            "std_error": order["std_error"].where(order["std_error"] > 0),
            "conf_low": order["conf_low"].where(order["std_error"] > 0),
            "conf_high": order["conf_high"].where(order["std_error"] > 0),
            "statistic": order["statistic"],
            "p_value": order["p_value"],
            "std_all": order["std_all"],
        }
    ).reset_index(drop=True)
    return Table(
        title=f"Estimates of the {KINDS[fit._fit.options.function]}",
        data=data,
        group="component",
        stub=("term",),
        labels={"term": "", "statistic": "z", "std_all": "Std."},
        kinds={"std_all": "proportion"},
        decimals={"std_all": 2} | _decimals(order),
        notes=_notes(fit, kind_of_limits),
        missing="",
        source=fit,
    )


def _decimals(rows: pd.DataFrame) -> dict[str, int]:
    """Return three decimals for estimates, errors and limits where no standard error is too small for them."""
    errors = rows["std_error"][rows["std_error"] > 0]
    if len(errors) and errors.min() < 0.0045:
        return {}
    return dict.fromkeys(("estimate", "std_error", "conf_low", "conf_high"), 3)


def _notes(fit: StructuralFit, interval: str) -> tuple[str, ...]:
    """Return the notes below the estimates: whether they may be used, fit, method, what is left out."""
    std = f"Std.: all variables standardised. {_without_error(fit)}"
    drawn = bootstrap_words(fit, interval)
    if drawn:
        drawn += " z and p take the estimates for normal; where they and the limits disagree, read the limits."
    found = (fit_words(fit) if fit.converged else NOT_CONVERGED, _method(fit), drawn, std)
    return tuple(note for note in found if note)


def _without_error(fit: StructuralFit) -> str:
    """Return why some rows have no standard error, and which rows there are not."""
    errors = np.diag(fit._fit.vcov)
    if not (np.isfinite(errors) & (errors > 0)).all():
        return (
            "Parameters without standard error are fixed, stand at a bound, or cannot be told from others; means fixed "
            "at zero are left out."
        )
    if fit._fit.ordinal is None:
        return "Parameters without standard error are fixed; means fixed at zero are left out."
    return (
        "Parameters without standard error are fixed, or follow from the others as the residual variances of ordinal "
        "items do; means fixed at zero and scales fixed at one are left out."
    )


def _head(value: str) -> str:
    """Return the label of a group, or a level with a capital."""
    return value.capitalize() if value in ("within", "between") else str(value)


def _term(row: pd.Series) -> str:
    label = f" ({row['label']})" if row["label"] and row["op"] != ":=" else ""
    signs = {"=~": " → ", "~": " ← ", "<~": " ← ", "~~": " with "}
    if row["op"] in (":=", "~1"):
        return str(row["lhs"])
    if row["op"] == "|":
        return f"{row['lhs']}, {row['rhs']}"
    if row["op"] == "~*~" or (row["op"] == "~~" and row["lhs"] == row["rhs"]):
        return f"{row['lhs']}{label}"
    return f"{row['lhs']}{signs[row['op']]}{row['rhs']}{label}"


def _method(fit: StructuralFit) -> str:
    options = fit._fit.options
    missing = MISSING.get(options.missing, options.missing)
    of = f" of {fit.sample.n_rows:,}" if fit.sample.n_rows != fit.nobs else ""
    how = ESTIMATORS.get(options.estimator, f"estimator {options.estimator}")
    clusters = f" in {fit.sample.groups[options.cluster]:,} clusters" if options.cluster else ""
    return f"Estimated by {how} from {fit.nobs:,}{of} rows{clusters} ({missing})."


def make_sentence(result: Any, terms: tuple[str, ...] | None = None, interval: str = "percentile") -> Sentence:
    """Return the sentences about a model (or some of its parameters), a comparison, or exploratory solutions."""
    if isinstance(result, StructuralFit):
        return Sentence(text=fit_text(result, terms, interval), source=result)
    if terms is not None or interval != "percentile":
        name = "interval" if terms is None else "terms"
        raise SpecError(message(f"{name}= is for a fit", do="Leave it out"))
    if isinstance(result, StructuralComparison):
        return Sentence(text=comparison_text(result), source=result)
    if isinstance(result, FactorSolutions):
        return Sentence(text=solutions_text(result), source=result)
    raise ReportError(message(f"{kind_of(result)} has no sentence"))


def make_figure(result: Any, kind: str | None, **options: Any) -> Figure:
    """Return a figure of a fit, or the eigenvalues ("scree") of an exploratory analysis.

    Kinds: "path" (default; standardised estimates), "path-estimates", "path-model" (no numbers), "residuals" (residual
    correlations), and "modification" (largest modification indices). Options are those of path diagrams.
    """
    kinds = ["path", "path-estimates", "path-model", "residuals", "modification"]
    if isinstance(result, FactorSolutions):
        kind = check_option("kind", kind or "scree", ["scree"])
    elif isinstance(result, StructuralFit):
        kind = check_option("kind", kind or "path", kinds)
    else:
        raise ReportError(message(f"{kind_of(result)} has no figure", do="Use ak.table"))
    if kind.startswith("path"):
        value = "estimate" if kind == "path-estimates" else "std_all"
        return path_figure(result, PathOptions(value=value, numbers=kind != "path-model", **options))
    if options:
        raise SpecError(message(f"{next(iter(options))}= is for path diagrams", do="Leave it out"))
    makers: dict[str, Callable[[Any], Figure]] = {
        "scree": scree_figure,
        "residuals": residual_figure,
        "modification": modification_figure,
    }
    return makers[kind](result)


def make_equation(fit: Any) -> Equation:
    """Return the model's syntax and the call for R."""
    if not isinstance(fit, StructuralFit):
        raise ReportError(message(f"{kind_of(fit)} has no equation"))
    table = fit.table
    rows = [f"{table.lhs[i]} {table.op[i]} {table.rhs[i]}" for i, user in enumerate(table.user) if user]
    text = fit.model or "\n".join(rows)
    lines = tuple(line.strip() for line in text.replace(";", "\n").splitlines() if line.strip())
    return Equation(lines=lines, r_call=fit.as_r())
