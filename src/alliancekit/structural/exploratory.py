"""``ak.efa``: exploratory factor analyses with one or several numbers of factors."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd

from alliancekit.core.errors import DesignWarning, SpecError, check_columns, message
from alliancekit.core.frames import wide
from alliancekit.structural.after import loadings as after_loadings
from alliancekit.structural.after import rcall as after_rcall
from alliancekit.structural.after.text_loadings import solutions_text
from alliancekit.structural.api import sem
from alliancekit.structural.arguments import check_rows, dependence_notice, named_options
from alliancekit.structural.result.fit import StructuralFit
from alliancekit.study.types import frame_of


@named_options
def efa(
    data: Any = None,
    nfactors: int | Sequence[int] = 1,
    *,
    items: Sequence[str] | None = None,
    rotation: str = "geomin",
    rotation_args: Mapping[str, Any] | None = None,
    rotation_se: str = "bordered",
    estimator: str | None = None,
    missing: str | None = None,
    se: str | None = None,
    test: str | Sequence[str] | None = None,
    information: str | Sequence[str] | None = None,
    ordered: bool | str | Sequence[str] = (),
    bounds: str | None = None,
    bootstrap: int | None = None,
    seed: int = 1,
    sample_cov: Any = None,
    sample_nobs: Any = None,
) -> FactorSolutions:
    """Fit exploratory factor models: every item loads on every factor, and the factors are rotated.

    Parameters
    ----------
    data : frame or Study, one row per person. nfactors : number of factors, or several, such as ``range(1, 4)``.
    items : columns that are analysed (None: all). bounds : as in ``ak.cfa``; None keeps the residual variances of
        continuous items from being negative ("pos.var"), as lavaan does.
    rotation, rotation_args, rotation_se, estimator, missing, se, test, information, ordered, bootstrap, seed,
    sample_cov, sample_nobs : as in ``ak.cfa``; the factors of bootstrap samples are matched to those of the data.

    Returns
    -------
    FactorSolutions

    Raises
    ------
    SpecError : a number of factors that is none, or too large for the items; wrong options. DesignError : columns that
    are not there.

    Warns
    -----
    DesignWarning, ConvergenceWarning : as in ``ak.cfa``.

    Notes
    -----
    Maximum likelihood (or another estimator) with the upper triangle of the loadings held at zero, then rotated by
    gradient projection (Jennrich 2002, Psychometrika 67, 7-19); geomin by Yates (1987), as in Browne (2001,
    Multivariate Behav Res 36, 111-150). Other numbers of factors are other models: compare them by ``glance()``.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> f = np.repeat(rng.normal(size=(500, 2)), 3, axis=1)
    >>> found = ak.efa(pd.DataFrame(f + rng.normal(size=(500, 6)), columns=list("abcdef")), nfactors=[1, 2])
    >>> found.glance()["rmsea"].round(1).tolist()
    [0.3, 0.0]

    Checked against
    ---------------
    ``efa`` of lavaan 0.6-14 (tests/reference/sem_efa).

    When not to use
    ---------------
    Where theory says which item belongs to which factor: ``ak.cfa`` tests that.
    """
    names = _items(data, items, sample_cov)
    numbers = _numbers(nfactors, len(names))
    frame = None if data is None else frame_of(data)
    if frame is not None:
        check_rows(frame)
    dependent = dependence_notice(data, None)
    if dependent:
        warnings.warn(dependent, DesignWarning, stacklevel=3)
    limits = bounds if bounds is not None else ("none" if _ordinal(frame, names, ordered) else "pos.var")
    fits = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in numbers:
            fits[number] = sem(
                _syntax(names, number),
                None if frame is None else frame[names],
                estimator=estimator,
                missing=missing,
                se=se,
                test=test,
                information=information,
                ordered=ordered,
                bounds=limits,
                bootstrap=bootstrap,
                seed=seed,
                rotation=rotation,
                rotation_args=rotation_args,
                rotation_se=rotation_se,
                sample_cov=sample_cov,
                sample_nobs=sample_nobs,
            )
    for warning in caught:  # at the line that called
        warnings.warn(warning.message, warning.category, stacklevel=3)
    return FactorSolutions(fits)


def _items(data: Any, items: Sequence[str] | None, sample_cov: Any) -> list[str]:
    """Return the names of the items."""
    columns = [str(c) for c in (getattr(sample_cov, "columns", ()) if data is None else frame_of(data).columns)]
    if items is None:
        return columns
    chosen = [items] if isinstance(items, str) else [str(name) for name in items]
    check_columns(columns, chosen, where="items")
    return chosen


def _numbers(nfactors: int | Sequence[int], items: int) -> list[int]:
    """Return the numbers of factors, in the order given."""
    given = list(nfactors) if isinstance(nfactors, Iterable) else [nfactors]
    most = 0
    while (most + 1) * items + items - (most + 1) * most // 2 <= items * (items + 1) // 2 and most < items:
        most += 1
    for number in given:
        if isinstance(number, bool) or int(number) != number or number < 1:
            raise SpecError(message(f"nfactors={number!r} is not a number of factors", do="Give 1, 2, 3 or several"))
        if number > most:
            what = f"{number} factors are too many for {items} items: they have more parameters than the data moments"
            raise SpecError(message(what, do=f"Take at most {most}"))
    if not given:
        raise SpecError(message("nfactors is empty", do="Give 1, 2, 3 or several"))
    return list(dict.fromkeys(int(number) for number in given))


def _ordinal(frame: pd.DataFrame | None, names: Sequence[str], ordered: bool | str | Sequence[str]) -> bool:
    categories = frame is not None and any(isinstance(frame[n].dtype, pd.CategoricalDtype) for n in names)
    return bool(ordered) or categories


def _syntax(items: Sequence[str], factors: int) -> str:
    left = " + ".join(f'efa("efa")*f{k + 1}' for k in range(factors))
    return f"{left} =~ {' + '.join(items)}"


class FactorSolutions:
    """Exploratory solutions with several numbers of factors (read-only). Made by ``ak.efa``.

    ``solutions[3]`` is the fit with three factors, with all methods of a fit of ``ak.cfa``.

    Attributes
    ----------
    fits : number of factors -> fit. nfactors : the numbers of factors.
    """

    def __init__(self, fits: Mapping[int, StructuralFit]) -> None:
        self.fits = dict(fits)

    @property
    def nfactors(self) -> tuple[int, ...]:
        """The numbers of factors."""
        return tuple(self.fits)

    def __getitem__(self, nfactors: int) -> StructuralFit:
        return self._chosen(nfactors)

    def _chosen(self, nfactors: int | None) -> StructuralFit:
        if nfactors is None and len(self.fits) == 1:
            return next(iter(self.fits.values()))
        if nfactors not in self.fits:
            what = (
                "say which solution is meant" if nfactors is None else f"there is no solution with {nfactors} factors"
            )
            raise SpecError(message(what, do=f"Give one of {', '.join(map(str, self.fits))}"))
        return self.fits[nfactors]

    def glance(self) -> pd.DataFrame:
        """Return one row per solution: nfactors, and what ``glance`` of a fit has (chi-square, CFI, RMSEA, AIC ...)."""
        rows = [fit.glance().assign(nfactors=number) for number, fit in self.fits.items()]
        found = pd.concat(rows, ignore_index=True)
        return wide(found[["nfactors", *(c for c in found.columns if c != "nfactors")]])

    def tidy(self, level: float = 0.95) -> pd.DataFrame:
        """Return the standardised solutions: nfactors, term, lhs, op, rhs, estimate, std_error ... with limits.

        Parameters
        ----------
        level : of the confidence intervals.

        Raises
        ------
        SpecError : ``level`` is not between 0 and 1.
        """
        parts = []
        for number, fit in self.fits.items():
            found = fit.standardized(level=level)
            terms = (found["lhs"] + " " + found["op"] + " " + found["rhs"]).str.strip()
            found.insert(0, "term", terms)
            found.insert(0, "nfactors", number)
            parts.append(found)
        return wide(pd.concat(parts, ignore_index=True))

    def loadings(self, nfactors: int | None = None) -> pd.DataFrame:
        """Return the standardised loadings of one solution: item, a column per factor, uniqueness, communality.

        Parameters
        ----------
        nfactors : which solution; may be left out where there is one.
        """
        return wide(after_loadings.loading_table(self._chosen(nfactors)._fit))

    def factor_correlations(self, nfactors: int | None = None) -> pd.DataFrame:
        """Return the correlations of the factors of one solution."""
        return wide(after_loadings.correlation_table(self._chosen(nfactors)._fit))

    def sums_of_squares(self, nfactors: int | None = None) -> pd.DataFrame:
        """Return what each factor explains, the largest first (``summary`` has the order of the loadings).

        Returns
        -------
        DataFrame : factor, sum_of_squares (of loadings; correlated factors share what is common), share_of_common (of
        the sum), share (of the variance of all items), cumulative.
        """
        return wide(after_loadings.explained_table(self._chosen(nfactors)._fit))

    def eigenvalues(self) -> pd.Series:
        """Return the eigenvalues of the items' correlations (covariances with ``std_ov=False``), the largest first."""
        values = after_loadings.eigenvalues(next(iter(self.fits.values()))._fit)
        return pd.Series(values, index=range(1, len(values) + 1), name="eigenvalue")

    def summary(self, cutoff: float = 0.3, dot_cutoff: float = 0.1, alpha: float = 0.01) -> str:
        """Return fit, eigenvalues, loadings, sums of squares and factor correlations as text.

        Parameters
        ----------
        cutoff : loadings below are left out. dot_cutoff : those above are shown as a dot. alpha : level of the stars.
        """
        fits = {number: fit._fit for number, fit in self.fits.items()}
        measures = {number: fit.fit_measures() for number, fit in self.fits.items()}
        return solutions_text(fits, measures, cutoff, dot_cutoff, alpha)

    def as_r(self) -> str:
        """Return the call of ``efa`` that fits the same solutions with lavaan in R.

        Returns
        -------
        str : R code for a data frame called ``data``; covariances that were given are written out.

        Examples
        --------
        >>> import numpy as np, pandas as pd, alliancekit as ak
        >>> rng = np.random.default_rng(1)
        >>> f = np.repeat(rng.normal(size=(500, 2)), 3, axis=1)
        >>> d = pd.DataFrame(f + rng.normal(size=(500, 6)), columns=list("abcdef"))
        >>> ak.efa(d, nfactors=[1, 2], rotation="oblimin").as_r().splitlines()[1]
        'fit <- efa(data = data, nfactors = 1:2, ov.names = c("a", "b", "c", "d", "e", "f"), rotation = "oblimin")'

        Checked against
        ---------------
        lavaan 0.6-14: the code was run and gave the same chi-squares (tests/unit/structural).

        When not to use
        ---------------
        For the random starts of a rotation: lavaan draws others, and may end in another minimum.
        """
        return after_rcall.efa_as_r({number: fit._fit for number, fit in self.fits.items()})

    def _heywood_notes(self) -> list[str]:
        """Return a sentence for each solution in which an item has no variance of its own (a Heywood case)."""
        notes = []
        for number, fit in self.fits.items():
            found = after_loadings.loading_table(fit._fit)
            items = list(found["item"][found["uniqueness"] < 1e-6])
            if items:
                lead = f"With {number} factor{'s' if number > 1 else ''} no variance of its own is left to"
                do = "Look at the item, or take fewer factors"
                notes.append(message(f"{lead} {', '.join(items)} (Heywood case)", do=do))
        return notes

    def __repr__(self) -> str:
        return self.summary() + "".join(f"\nWarning: {note}\n" for note in self._heywood_notes())

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"
