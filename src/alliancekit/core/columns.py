"""The column glossary: the one vocabulary of result tables and how each column is shown to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "estimate", "p", "df", "proportion", "percent", "statistic"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the glossary: its name in frames, its label for people, and how it is formatted."""

    name: str
    label: str
    kind: Kind
    meaning: str


_COLUMNS = (
    Column("term", "Term", "text", "name of the coefficient, as R would name it"),
    Column("component", "Component", "text", "part of the model the row belongs to"),
    Column("group", "Group", "text", "grouping factor, or the label of a group of people"),
    Column("level", "Level", "text", "level of the hierarchy"),
    Column("estimate", "Estimate", "estimate", "point estimate, on the scale of the outcome"),
    Column("std_error", "SE", "estimate", "standard error"),
    Column("df", "df", "df", "degrees of freedom; the method is in the table's note"),
    Column("statistic", "t", "statistic", "test statistic"),
    Column("p_value", "p", "p", "two-sided p value"),
    Column("p_mixture", "p (mixture)", "p", "p value by the mixture of chi-squares, where a variance is tested"),
    Column("df_numerator", "Num. df", "df", "numerator degrees of freedom"),
    Column("sum_sq", "Sum of squares", "statistic", "sum of squares of a term, in squared units of the outcome"),
    Column("mean_sq", "Mean square", "statistic", "sum of squares over its degrees of freedom"),
    Column("conf_low", "CI low", "estimate", "lower confidence limit"),
    Column("conf_high", "CI high", "estimate", "upper confidence limit"),
    Column("n", "n", "integer", "number of units"),
    Column("nobs", "Observations", "integer", "rows used"),
    Column("log_likelihood", "Log-likelihood", "statistic", "log-likelihood (REML or ML, as stated)"),
    Column("deviance", "Deviance", "statistic", "-2 log-likelihood"),
    Column("aic", "AIC", "statistic", "Akaike information criterion"),
    Column("bic", "BIC", "statistic", "Bayesian information criterion, n = rows"),
    Column("sigma", "Residual SD", "estimate", "residual standard deviation"),
    Column("mean", "M", "estimate", "mean"),
    Column("sd", "SD", "estimate", "standard deviation"),
)

GLOSSARY: dict[str, Column] = {c.name: c for c in _COLUMNS}


def label(name: str) -> str:
    """Return the display label of a column; an unknown name is shown as it is, with spaces."""
    return GLOSSARY[name].label if name in GLOSSARY else name.replace("_", " ")
