"""From a model and data to a fit: the steps that ``ak.cfa``, ``ak.sem`` and ``ak.growth`` share."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from alliancekit.core.errors import ConvergenceWarning, DesignError, DesignWarning, SpecError, message
from alliancekit.core.later import Later
from alliancekit.formula.model_parse import parse_model
from alliancekit.formula.model_statements import CONSTRAINTS, Statement
from alliancekit.structural.arguments import check_order, check_rows, dependence_notice, label_notices
from alliancekit.structural.automatic import complete
from alliancekit.structural.categories import count_categories, find_ordered
from alliancekit.structural.checks import answers_notice, check_solution, check_variables
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.engines import estimate
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.given import each_group, moments_sample
from alliancekit.structural.model import observed_names
from alliancekit.structural.options import Options, make_options
from alliancekit.structural.products import add_products
from alliancekit.structural.result.fit import StructuralFit
from alliancekit.structural.sample import Sample, group_labels, read_sample
from alliancekit.structural.table import ParameterTable
from alliancekit.structural.variables import Variables, find_variables
from alliancekit.study.types import frame_of

if TYPE_CHECKING:
    from alliancekit.structural import auxiliary, bounds
    from alliancekit.structural.after import bootstrap, model_tests, raw_data
    from alliancekit.structural.rotation import blocks
    from alliancekit.structural.rotation import fitted as rotation
else:
    auxiliary = Later("alliancekit.structural.auxiliary")
    bounds = Later("alliancekit.structural.bounds")
    bootstrap = Later("alliancekit.structural.after.bootstrap")
    model_tests = Later("alliancekit.structural.after.model_tests")
    raw_data = Later("alliancekit.structural.after.raw_data")
    blocks = Later("alliancekit.structural.rotation.blocks")
    rotation = Later("alliancekit.structural.rotation.fitted")

Moments = tuple[Any, Any, Any]
"""Covariances, means and numbers of rows."""


def fit_model(
    function: str,
    model: str | ParameterTable,
    data: Any,
    *,
    sample_cov: Any,
    sample_mean: Any,
    sample_nobs: Any,
    ordered: bool | str | Sequence[str],
    **given: Any,
) -> StructuralFit:
    """Complete the table, read the sample, estimate, and say what is odd; ``given``: options of the public call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted, text = _estimate(function, model, data, (sample_cov, sample_mean, sample_nobs), ordered, given)
    for warning in caught:
        warnings.warn(warning.message, warning.category, stacklevel=4)
    notes = [str(warning.message) for warning in caught]
    for found in () if fitted.source is None else raw_data.data_notices(fitted.source):
        warnings.warn(found, DesignWarning, stacklevel=4)
        notes.append(found)
    for found in check_solution(fitted):
        warnings.warn(found, ConvergenceWarning, stacklevel=4)
        notes.append(found)
    return StructuralFit(text, fitted, tuple(notes))


def _estimate(
    function: str,
    model: str | ParameterTable,
    data: Any,
    moments: Moments,
    ordered: bool | str | Sequence[str],
    given: dict[str, Any],
) -> tuple[StructuralEstimates, str]:
    """Return the estimates and the model as text."""
    check_order(model, data)
    frame = _frame(data, moments, given)
    statements = () if isinstance(model, ParameterTable) else parse_model(model)
    ordinal = _ordinal(model, statements, frame, ordered)
    if moments[1] is not None and given["meanstructure"] is None:
        given["meanstructure"] = True
    options = make_options(function, ordered=ordinal, **given)
    for s in statements:
        if s.op == "~*~" and s.lhs not in ordinal:
            what = f"'{s.lhs} ~*~ {s.lhs}' is the scale of an ordinal variable, and '{s.lhs}' is none"
            raise SpecError(message(what, do="Name it in ordered=, or leave the line out"))
    if "thresholds" in options.rules.group_equal and not ordinal:
        what = 'group_equal="thresholds" is for ordinal variables, and ordered= names none'
        raise SpecError(message(what, do='Name them in ordered=, or take "intercepts"'))
    for found in label_notices(statements, () if frame is None else frame.columns):
        warnings.warn(found, DesignWarning, stacklevel=2)
    labels = _labels(frame, moments, options.group)
    if options.rules.group_equal and len(labels) == 1:
        raise SpecError(message("group_equal needs groups", do="Name the column in group="))
    if isinstance(model, ParameterTable):
        table, text = model, ""
        if table.group_labels != labels:
            what = f"the table is for groups {table.group_labels} and the data have {labels}"
            raise DesignError(message(what, do="Make the table for these groups"))
    else:
        if options.auxiliary:
            statements = auxiliary.add_auxiliary(statements, options.auxiliary)
        counts = {} if frame is None or not ordinal else count_categories(frame, ordinal, _roles(statements), options)
        table, text = complete(statements, options.rules, labels, counts), model
    if any(table.efa):
        table = blocks.held_table(table)
    sample = _sample(table, frame, moments, labels, options)
    dependent = dependence_notice(data, options.cluster, sample.account.rows_used)
    for found in (dependent, answers_notice(options, table, sample)):
        if found:
            warnings.warn(found, DesignWarning, stacklevel=2)
    if options.bounds != "none":
        table = bounds.add_bounds(table, sample, options)
    fitted = estimate(options, table, read_constraints(table), sample)
    if any(table.efa):
        fitted = rotation.rotate_fit(fitted)
    if options.words.tests:
        model_tests.check_requested(fitted)
    if options.se == "bootstrap" or "bollen.stine" in options.words.tests:
        fitted = bootstrap.add_replicates(fitted, options.bootstrap, options.seed)
    return fitted, text


def _frame(data: Any, moments: Moments, given: dict[str, Any]) -> pd.DataFrame | None:
    """Return the rows, or None where moments are given instead."""
    if moments[0] is None:
        if data is None:
            raise SpecError(message("there are no data", do="Give a frame, or sample_cov= and sample_nobs="))
        for name, value in (("sample_mean", moments[1]), ("sample_nobs", moments[2])):
            if value is not None:
                what = f"{name} is given with the data, which have their own"
                raise SpecError(message(what, do=f"Leave {name}= out, or give sample_cov= instead of the data"))
        frame = frame_of(data)
        check_rows(frame)
        if isinstance(frame.columns.dtype, pd.StringDtype) or all(isinstance(name, str) for name in frame.columns):
            return frame
        return frame.set_axis([str(name) for name in frame.columns], axis=1)
    if data is not None:
        raise SpecError(message("data and sample_cov are both given", do="Give one of them"))
    for name in ("group", "cluster"):
        if given.get(name) is not None:
            do = "Groups are a list of covariance matrices" if name == "group" else "Hand in the data"
            raise SpecError(message(f"{name}= names a column, and there are no data", do=do))
    return None


def _labels(frame: pd.DataFrame | None, moments: Moments, group: str | None) -> tuple[str, ...]:
    if frame is not None:
        return group_labels(frame, group)
    if isinstance(moments[0], Mapping) and len(moments[0]) > 1:
        return tuple(str(label) for label in moments[0])
    count = len(each_group(moments[0]))
    return tuple(f"Group {i + 1}" for i in range(count)) if count > 1 else ("",)


def _roles(statements: Sequence[Statement]) -> Variables:
    """Return the roles of the variables of the whole model, all groups and levels together."""
    return find_variables([(s.lhs, s.op, s.rhs, 1) for s in statements if s.op not in CONSTRAINTS])


def _ordinal(
    model: str | ParameterTable,
    statements: Sequence[Statement],
    frame: pd.DataFrame | None,
    ordered: bool | str | Sequence[str],
) -> tuple[str, ...]:
    """Return the ordinal variables: those named, and columns that are ordered categories."""
    if frame is None:
        if ordered:
            raise SpecError(message("ordinal variables need the data, not only covariances", do="Hand in the data"))
        return ()
    if isinstance(model, ParameterTable):
        return tuple(dict.fromkeys(lhs for lhs, op in zip(model.lhs, model.op, strict=True) if op == "|"))
    cut = dict.fromkeys(s.lhs for s in statements if s.op == "|")  # what has thresholds is ordinal
    categories = any(isinstance(dtype, pd.CategoricalDtype) for dtype in frame.dtypes.to_numpy())
    if not ordered and not cut and not categories:
        return ()
    roles = _roles(statements)
    if ordered is not True:
        ordered = [*([ordered] if isinstance(ordered, str) else ordered or ()), *cut]
    return find_ordered(frame, roles, ordered)


def _sample(
    table: ParameterTable, frame: pd.DataFrame | None, moments: Moments, labels: tuple[str, ...], options: Options
) -> Sample:
    names = _names(table)
    if frame is None:
        return moments_sample(*moments, names, labels, means="~1" in table.op)
    frame = add_products(frame, (name for own in names for name in own))
    check_variables(table, frame)
    instead = 'missing="pairwise"' if options.ordered else 'missing="fiml"'
    if not options.ordered and options.point != "ML":
        instead = 'estimator="MLR" and missing="fiml"'
    return read_sample(
        frame,
        names,
        group=options.group,
        labels=labels,
        missing=options.missing,
        stated=options.missing_given,
        complete=_held(table),
        cluster=options.cluster,
        ordered=options.ordered,
        instead=instead,
        stacklevel=2,
    )


def _held(table: ParameterTable) -> tuple[str, ...]:
    """Return the covariates whose moments are those of the sample."""
    rows = (i for i, exo in enumerate(table.exo) if exo and table.op[i] == "~~")
    return tuple(dict.fromkeys(table.lhs[i] for i in rows))


def _names(table: ParameterTable) -> list[tuple[str, ...]]:
    """Return the observed variables of each group, of both levels where there are two."""
    out = []
    for g in range(len(table.group_labels)):
        blocks = range(g * table.n_levels + 1, (g + 1) * table.n_levels + 1)
        out.append(tuple(dict.fromkeys(name for b in blocks for name in observed_names(table, b))))
    return out
