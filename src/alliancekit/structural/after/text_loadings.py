"""The printed exploratory solutions, as users of lavaan know them: small loadings are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from alliancekit.structural.after.loadings import (
    correlation_table,
    eigenvalues,
    explained_table,
    loading_table,
    reliable_terms,
)
from alliancekit.structural.after.text_fit import observations, rotated
from alliancekit.structural.after.text_measures import number
from alliancekit.structural.after.text_pairs import aligned
from alliancekit.structural.estimates import StructuralEstimates

_CRITERIA = {"aic": "aic", "bic": "bic", "bic2": "sabic"}
_CELL, _SHARE, _IN_A_LINE = 6, 15, 10
Terms = set[tuple[str, str, str]]


def solutions_text(
    fits: Mapping[int, StructuralEstimates], measures: Mapping[int, pd.Series], cutoff: float, dot: float, alpha: float
) -> str:
    """Return fit measures of all solutions, eigenvalues, and the loadings of each.

    cutoff, dot : loadings below are left out, or shown as a dot. alpha : level of the stars.
    """
    first, several = next(iter(fits.values())), len(fits) > 1
    lines = ["This is alliancekit -- running exploratory factor analysis"]
    if not all(fit.converged for fit in fits.values()):
        lines.append("** WARNING ** not all models did converge")
    lines += ["", *aligned([("Estimator", first.options.point), *rotated(fits[max(fits)])], 33, 18), ""]
    lines += [*aligned(observations(first)), ""]
    lines += ["Overview models:" if several else "Fit measures:", *_overview(measures), ""]
    kind = "correlation" if first.options.rotation.std_ov else "covariance"
    lines += [f"Eigenvalues {kind} matrix:", "", *_numbered(eigenvalues(first).tolist())]
    for count, fit in fits.items():
        lines += ["", f"Number of factors:  {count}"] if several else []
        lines += ["", *_solution(fit, cutoff, dot, alpha)]
    return "\n".join(line.rstrip() for line in lines)


def _overview(measures: Mapping[int, pd.Series]) -> list[str]:
    """Return the fit measures of all solutions, one line each: scaled or robust where the test is scaled."""
    every = list(measures.values())

    def known(names: Sequence[str]) -> str:
        return next(name for name in names if any(name in m and m[name] == m[name] for m in every) or name == names[-1])

    keys = {short: name for name, short in _CRITERIA.items() if all(name in m for m in every)}
    end = "_scaled" if all("chisq_scaled" in m for m in every) else ""
    keys |= {name: f"{name}{end}" for name in ("chisq", "df", "pvalue")}
    keys |= {name: known([f"{name}_robust", f"{name}_scaled", name]) for name in ("cfi", "rmsea")}
    columns = [[name, *(number(m[key], whole=name == "df") for m in every)] for name, key in keys.items()]
    titles = ["", *(f"nfactors = {count}" for count in measures)]
    wide = max(map(len, titles))
    widths = [max(map(len, column)) for column in columns]
    return [
        " ".join([f"  {title:<{wide}}", *(column[k].rjust(w) for column, w in zip(columns, widths, strict=True))])
        for k, title in enumerate(titles)
    ]


def _numbered(values: Sequence[float]) -> list[str]:
    """Return eigenvalues below their names, ten in a line."""
    lines = []
    for start in range(0, len(values), _IN_A_LINE):
        part = values[start : start + _IN_A_LINE]
        lines.append(" ".join(f"{f'ev{start + k}':>7}" for k in range(1, len(part) + 1)))
        lines.append(" ".join(f"{value:7.3f}" for value in part))
    return lines


def _solution(fit: StructuralEstimates, cutoff: float, dot: float, alpha: float) -> list[str]:
    """Return loadings, sums of squares and correlations of one solution."""
    sure = None if np.isnan(fit.vcov).any() else reliable_terms(fit, alpha)
    loadings, factors = loading_table(fit), list(fit.model.blocks[0].latent)
    mark = "" if sure is None else f" (* = significant at {alpha * 100:g}% level)"
    width = max(len(str(name)) for name in loadings["item"])
    shares = "".join(f" {name:>{_SHARE}}" for name in ("unique.var", "communalities"))
    lines = [f"Standardized loadings:{mark}", "", " " * width + _heads(factors, sure) + shares]
    for row in loadings.to_dict("records"):
        cells = ""
        for name in factors:
            value = float(row[name])
            shown = f"{value:.3f}" if abs(value) >= cutoff else "." if abs(value) >= dot else ""
            cells += _cell(shown, name, sure, (name, "=~", row["item"]))
        cells += f" {row['uniqueness']:{_SHARE}.3f} {row['communality']:{_SHARE}.3f}"
        lines.append(f"{row['item']:<{width}}{cells}")
    return [*lines, "", *_explained(fit), *_correlations(fit, sure, mark)]


def _heads(factors: Sequence[str], sure: Terms | None) -> str:
    return "".join(_cell(name, name, sure) for name in factors)


def _cell(text: str, factor: str, sure: Terms | None, *terms: tuple[str, str, str]) -> str:
    """Return a cell of a factor's column, with a star where a term is reliable."""
    star = "" if sure is None else "*" if sure.intersection(terms) else " "
    return f" {text:>{max(_CELL, len(factor))}}{star}"


def _explained(fit: StructuralEstimates) -> list[str]:
    """Return what the factors explain, in the order of the loadings (lavaan: the largest first)."""
    factors = list(fit.model.blocks[0].latent)
    found, several = explained_table(fit).set_index("factor").loc[factors], len(factors) > 1
    found["cumulative"] = found["share"].cumsum()
    how = "ortho" if fit.options.rotation.orthogonal else "obliq"
    titles = {"sum_of_squares": f"Sum of sq ({how}) loadings" if several else "Sum of squared loadings"}
    titles |= {"share_of_common": "Proportion of total", "share": "Proportion var", "cumulative": "Cumulative var"}
    wide = max(map(len, titles.values()))
    names = [*factors, *(["total"] if several else [])]
    widths = [max(5, len(name)) for name in names]
    rows = [("", names)]
    for name, title in titles.items():
        values = found[name].tolist()
        values += [found["share" if name == "cumulative" else name].sum()] if several else []
        rows.append((title, [f"{value:.3f}" for value in values]))
    return [
        " ".join([f"{title:<{wide}}", *(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))])
        for title, cells in rows
    ]


def _correlations(fit: StructuralEstimates, sure: Terms | None, mark: str) -> list[str]:
    found = correlation_table(fit)
    if len(found) < 2 or fit.options.rotation.orthogonal:
        return []
    width = max(map(len, found.columns))
    lines = ["", f"Factor correlations:{mark}", "", " " * width + _heads(list(found.columns), sure)]
    for k, name in enumerate(found.index):
        cells = ""
        for other in found.columns[: k + 1]:
            terms = ((other, "~~", name), (name, "~~", other))
            cells += _cell(f"{found.loc[name, other]:.3f}", other, sure, *terms)
        lines.append(f"{name:<{width}}{cells}")
    return lines
