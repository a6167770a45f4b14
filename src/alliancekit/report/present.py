"""``table``, ``figure`` and ``sentence``: any result into its presentation.

A result is presented by the file of ``report/`` that is named for the layer the result's type lives in:
``alliancekit.multilevel.*`` by ``report/multilevel.py``. Such a file defines functions ``make_table(*results)``,
``make_figure(result, kind)``, ``make_sentence(result)`` (and ``make_equation(result)`` where a model has one).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from inspect import signature
from types import ModuleType
from typing import Any

from alliancekit.core.errors import ReportError, SpecError, check_option, kind_of, message
from alliancekit.report.evidence import layer_of
from alliancekit.report.parts import Equation, Figure, Sentence, Table


def _presenter(result: Any, wanted: str) -> Any:
    layer = layer_of(result)
    if not layer:
        do = "Hand over a result of alliancekit, such as a fit of ak.mixed"
        if hasattr(result, "columns"):
            do += ', or wrap the frame: Table("Title", frame) of alliancekit.report.parts'
        raise ReportError(message(f"{kind_of(result)} cannot be presented", do=do))
    try:
        module: ModuleType = importlib.import_module(f"alliancekit.report.{layer}")
    except ModuleNotFoundError as error:
        if error.name != f"alliancekit.report.{layer}":
            raise
        raise ReportError(message(f"results of the layer '{layer}' have no presenter yet")) from error
    function = getattr(module, wanted, None)
    if function is None:
        what = wanted.removeprefix("make_")
        raise ReportError(message(f"{kind_of(result)} has no {what}", do="Use ak.table(result)"))
    return function


def can_present(result: Any, part: str) -> bool:
    """Return True where a result's layer makes this part: "table", "figure", "sentence" or "equation"."""
    try:
        _presenter(result, f"make_{check_option('part', part, ['table', 'figure', 'sentence', 'equation'])}")
    except ReportError:
        return False
    return True


def table(
    *results: Any, format: str = "apa", names: Sequence[str] | None = None, interval: str = "percentile"
) -> Table:
    """Return the table of one result, or of several models side by side.

    Parameters
    ----------
    *results : results of alliancekit; several must be of the same layer (nested models side by side).
    format : "apa".
    names : a heading for each of several models side by side; None numbers them.
    interval : kind of limits of a structural model with ``se="bootstrap"``, or of its bootstrap: "percentile", "basic",
        "normal", "bca" or "bca.simple".

    Returns
    -------
    Table with the numbers at full precision.

    Raises
    ------
    ReportError : no result, a result without a table, or results of different layers. SpecError : names that do not
    fit the models.
    """
    check_option("format", format, ["apa"])
    if not results:
        raise ReportError(message("ak.table needs at least one result", do="Call ak.table(fit)"))
    layers = {layer_of(r) for r in results} - {""}
    if len(layers) > 1:
        raise ReportError(message("results of different kinds cannot share a table", where=", ".join(sorted(layers))))
    maker = _presenter(results[0], "make_table")
    given: dict[str, Any] = {} if names is None else {"names": tuple(names)}
    given |= {} if interval == "percentile" else {"interval": interval}
    uses = {"names": "models side by side", "interval": "structural models with bootstrap samples"}
    for name in given:
        if name not in signature(maker).parameters:
            raise SpecError(message(f"{name}= is for {uses[name]}", do="Leave it out"))
    made: Table = maker(*results, **given)
    return made


def more_tables(result: Any) -> list[Table]:
    """Return the tables that follow the first in a report; most results have none."""
    module = importlib.import_module(f"alliancekit.report.{layer_of(result)}")
    made: list[Table] = module.more_tables(result) if hasattr(module, "more_tables") else []
    return made


def figure(
    result: Any,
    kind: str | None = None,
    *,
    significance: str = "lines",
    residuals: bool = True,
    means: bool = False,
    group: str | None = None,
    level: str | None = None,
    layout: str = "right",
) -> Figure:
    """Return a figure of a result.

    Parameters
    ----------
    result : result of alliancekit.
    kind : which figure; None takes the result's first. Of a structural model: "path", "path-estimates" (not
        standardised), "path-model" (without numbers), "residuals", "modification".
    significance : of a path diagram, as the next: "lines" (broken where the 95% interval holds zero), "stars", "both"
        or "none".
    residuals : whether (residual) variances are drawn.
    means : whether means and intercepts are drawn, as triangles.
    group, level : the only group, and the only level ("within" or "between"), to draw; None draws all.
    layout : "right" or "down", the way the arrows go.

    Raises
    ------
    ReportError : the result has no figure; SpecError : no figure of that kind (the kinds are listed), or an option that
    the figure does not have.

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(1)
    >>> d = pd.DataFrame(rng.normal(size=(500, 1)) + rng.normal(size=(500, 4)), columns=list("abcd"))
    >>> ak.figure(ak.cfa("g =~ a + b + c + d", d), significance="stars", residuals=False).title
    'Path Diagram'
    """
    maker = _presenter(result, "make_figure")
    given = {"significance": significance, "residuals": residuals, "means": means, "group": group, "level": level}
    given["layout"] = layout
    usual = signature(figure).parameters
    options = {name: value for name, value in given.items() if value != usual[name].default}
    if not options:
        made: Figure = maker(result, kind)
        return made
    if not any(p.kind is p.VAR_KEYWORD for p in signature(maker).parameters.values()):
        what = f"{next(iter(options))}= is not an option of this figure"
        raise SpecError(message(what, do="Options are for path diagrams of structural models"))
    drawn: Figure = maker(result, kind, **options)
    return drawn


def sentence(
    result: Any, *, terms: Sequence[str] | None = None, headline: bool = False, interval: str = "percentile"
) -> Sentence:
    """Return the sentences of a result, ready for a manuscript, made from its table.

    Parameters
    ----------
    result : result of alliancekit.
    terms : of a mixed model, the fixed effects to speak of; of a structural one, terms of ``tidy()`` such as
        "post ~ f", labels, or names of definitions. None speaks of all, and of the whole model.
    headline : True where these sentences answer the report's question: they stand in the box at the top, and are
        withheld where the assumption checks refuse the result.
    interval : kind of limits, as in ``ak.table``.

    Raises
    ------
    ReportError : the result has no sentence. SpecError : a term that the model does not have.
    """
    maker = _presenter(result, "make_sentence")
    given: dict[str, Any] = {} if terms is None else {"terms": tuple(terms)}
    if interval != "percentile":
        if "interval" not in signature(maker).parameters:
            raise SpecError(message("interval= is for structural models with bootstrap samples", do="Leave it out"))
        given["interval"] = interval
    made: Sentence = maker(result, **given)
    return replace(made, headline=True) if headline else made


def equation(result: Any) -> Equation:
    """Return the equation of a model and the same call for R."""
    made: Equation = _presenter(result, "make_equation")(result)
    return made
