"""The upper half of the printed summary: what was fitted to what, tests of the model, how it was estimated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from alliancekit.core.later import Later
from alliancekit.formula.model_expressions import Expression
from alliancekit.structural.after.text_measures import measure, number
from alliancekit.structural.after.text_pairs import Pairs, aligned
from alliancekit.structural.estimates import StructuralEstimates

if TYPE_CHECKING:
    from alliancekit.structural.after import group_tests, model_tests
    from alliancekit.structural.rotation import blocks
    from alliancekit.structural.twolevel import incomplete
    from alliancekit.structural.twolevel.estimate import ClusteredFit
else:
    group_tests = Later("alliancekit.structural.after.group_tests")
    model_tests = Later("alliancekit.structural.after.model_tests")
    blocks = Later("alliancekit.structural.rotation.blocks")
    incomplete = Later("alliancekit.structural.twolevel.incomplete")

CORRECTIONS = {
    "satorra.bentler": "Satorra-Bentler correction",
    "yuan.bentler": "Yuan-Bentler correction",
    "yuan.bentler.mplus": "Yuan-Bentler correction (Mplus variant)",
    "mean.var.adjusted": "mean and variance adjusted correction",
    "scaled.shifted": "simple second-order correction",
}
LABELS = {
    "browne.residual.nt": "Browne's residual-based (NT) test",
    "browne.residual.adf": "Browne's residual-based (ADF) test",
    "browne.residual.nt.model": "Browne's residual (NT model-based) test",
    "browne.residual.adf.model": "Browne's residual (ADF model-based) test",
}
ERRORS = {"robust.huber.white": "Sandwich", "first.order": "Standard"}
GAMMAS = {"oblimin": "Oblimin gamma", "orthomax": "Orthomax gamma", "cf": "Crawford-Ferguson gamma"}


def head(fit: StructuralEstimates) -> list[str]:
    """Return what was fitted: estimator, parameters, rotation, observations."""
    steps = f"after {fit.iterations} iteration{'' if fit.iterations == 1 else 's'}"
    lines = [f"alliancekit ended normally {steps}"]
    if not fit.converged:
        lines = [f"alliancekit did NOT end normally {steps}"]
        lines.append("** WARNING ** Estimates below are most likely unreliable")
    rows: Pairs = [("Estimator", fit.options.point)]
    rows.append(("Optimization method", "GN" if fit.ordinal is not None else "SCORING"))
    lines += ["", *aligned([*rows, *_limits(fit)], 40, 11), ""]
    if any(fit.table.efa):
        lines += [*aligned(rotated(fit), 33, 18), ""]
    return [*lines, *aligned(observations(fit))]


def _limits(fit: StructuralEstimates) -> Pairs:
    """Return the number of parameters, and of constraints in all and of those that do not follow from the others."""
    table, linear = fit.table, ("==",)
    kinds = {"Number of equality constraints": linear, "Number of inequality constraints": ("<", ">")}
    counts = {name: sum(op in kind for op in table.op) for name, kind in kinds.items()}
    spent = fit.n_parameters + _rank(fit, linear)
    rows: Pairs = [("Number of model parameters", str(table.n_free if fit.rotation is None else spent))]
    rows += [(name, str(count)) for name, count in counts.items() if count]
    rank = _rank(fit, ("==", "<", ">"))
    return rows if rank == sum(counts.values()) else [*rows, ("Row rank of the constraints matrix", str(rank))]


def _rank(fit: StructuralEstimates, kinds: Sequence[str]) -> int:
    """Return the rank of the constraints of some kinds, without loadings that were held before a rotation."""
    table = fit.table
    limits = [
        Expression("-", parts=both).substitute(fit.constraints.definitions)
        for i, both in table.expressions.items()
        if table.op[i] in kinds
    ]
    if not limits:
        return 0
    slopes = fit.constraints.jacobian(tuple(limits), fit.x)
    held = [
        user == blocks.FIXED or (user == blocks.FOLLOWS and op == "=~")
        for user, op in zip(table.user, table.op, strict=True)
    ]
    slopes[:, [free - 1 for free, fixed in zip(table.free, held, strict=True) if fixed and free]] = 0.0
    return int(np.linalg.matrix_rank(slopes))


def rotated(fit: StructuralEstimates) -> Pairs:
    """Return how exploratory factors were rotated."""
    words = fit.options.rotation
    if words.criterion == "none":
        return [("Rotation method", "NONE")]
    how = "orthogonal" if words.orthogonal else "oblique"
    rows: Pairs = [("Rotation method", f"{words.criterion} {how}".upper())]
    own = {"geomin": ("Geomin epsilon", words.geomin_epsilon), "promax": ("Promax kappa", words.promax_kappa)}
    own |= {kind: (name, getattr(words, f"{kind}_gamma")) for kind, name in GAMMAS.items()}
    if words.criterion in own:
        name, value = own[words.criterion]
        rows.append((name, f"{value:g}"))
    exploratory = {(b, name) for b, name in zip(fit.table.block, fit.table.efa, strict=True) if name}
    factors = zip(fit.table.block, fit.table.efa, fit.table.lhs, fit.table.op, strict=True)
    sizes = [len({f for *block, f, op in factors if op == "=~" and tuple(block) == own}) for own in exploratory]
    rows.append(("Rotation algorithm (rstarts)", f"GPA ({words.starts(max(sizes, default=1))})"))
    rows.append(("Standardized metric", str(words.std_ov).upper()))
    return [*rows, ("Row weights", words.row_weights.capitalize())]


def observations(fit: StructuralEstimates) -> Pairs:
    """Return the numbers of rows, clusters and patterns of missing values."""
    return [*_rows_used(fit), *_structure(fit)]


def _rows_used(fit: StructuralEstimates) -> Pairs:
    """Return the numbers of rows, and of those handed in where not all were used."""
    groups, account = fit.sample.groups, fit.sample.account
    if len(groups) == 1:
        if account.n_rows == account.n_used:
            return [("Number of observations", str(groups[0].n))]
        return [("", "Used", "Total"), ("Number of observations", str(groups[0].n), str(account.n_rows))]
    dropped = any(group.total not in (None, group.n) for group in groups)
    title = "Number of observations per group:"
    if not dropped:
        return [(title, ""), *((f"  {group.label}", str(group.n)) for group in groups)]
    return [(title, "Used", "Total"), *((f"  {g.label}", str(g.n), str(g.total)) for g in groups)]


def _structure(fit: StructuralEstimates) -> Pairs:
    """Return the numbers of clusters and of patterns of missing values."""
    options, levels = fit.options, fit.by_levels
    labels = [group.label for group in fit.sample.groups]
    rows: Pairs = []
    if levels is not None:
        rows += _by_group(f"Number of clusters [{options.cluster}]", labels, [g.n_clusters for g in levels.data.groups])
    elif options.cluster is not None:
        counts = [len(np.unique(group.clusters)) for group in fit.sample.groups if group.clusters is not None]
        rows += _by_group(f"Number of clusters [{options.cluster}]", labels, counts)
    if options.missing == "listwise":
        return rows
    if levels is not None:
        return rows + _level_patterns(levels, labels)
    if fit.by_rows is not None:
        patterns = [group.size.size for group in fit.by_rows.data.groups]
    else:
        there = [~np.isnan(group.rows) for group in fit.sample.groups if group.rows is not None]
        patterns = [len(np.unique(own, axis=0)) for own in there]
    return rows + _by_group("Number of missing patterns", labels, patterns, " per group:")


def _level_patterns(source: ClusteredFit, labels: list[str]) -> Pairs:
    """Return the numbers of patterns of missing values of rows, and of what clusters have of their own, as in lavaan.

    Clusters, like rows, that have no value count in neither.
    """
    found = []
    for group in source.data.groups:
        counts = (1, 1)
        if isinstance(group, incomplete.IncompleteClusters):
            counts = (group.patterns.size.size, sum(bool(there.any()) for there, _ in group.kinds))
        found.append([str(count) for count in counts[: 2 if group.roles.cluster_only else 1]])
    ends = [" -- level 1", " -- level 2"]
    if len(labels) == 1:
        return [(f"Number of missing patterns{end}", count) for end, count in zip(ends, found[0], strict=False)]
    rows: Pairs = [("Number of missing patterns per group:", "")]
    for label, own in zip(labels, found, strict=True):
        rows += [(f"  {label:<40}{end}", count) for end, count in zip(ends, own, strict=False)]
    return rows


def _by_group(name: str, labels: list[str], counts: Sequence[int], end: str = ":") -> Pairs:
    if len(labels) == 1:
        return [(name, str(counts[0]))]
    found = zip(labels, counts, strict=True)
    return [(name + end, ""), *((f"  {label}", str(count)) for label, count in found)]


def tests(fit: StructuralEstimates, m: pd.Series) -> list[str]:
    """Return the test of the model, its scaled form, and the other tests that were asked for."""
    if fit.options.test == "none":
        return ["No test of the model was asked for."]
    lines = _main(fit, m)
    if fit.options.words.tests:
        others = [row for row in model_tests.requested(fit)[1:] if row[0] != fit.scaled_by]
        lines += [line for row in others for line in _other(fit, m, row)]
    return lines


def _other(fit: StructuralEstimates, m: pd.Series, row: model_tests.Row) -> list[str]:
    """Return a test beside the standard one and the one by which measures are scaled."""
    word, statistic, df, p, _ = row
    if word in CORRECTIONS:
        return ["", *aligned(_other_scaled(fit, m, row))]
    rows: Pairs = [("Test statistic", number(statistic)), ("Degrees of freedom", number(df, whole=True))]
    rows += [("P-value (Bollen-Stine bootstrap)" if word == "bollen.stine" else "P-value (Chi-square)", number(p))]
    title = [] if word == "bollen.stine" else [f"  {LABELS[word]}"]
    return ["", *title, *aligned(rows if df > 0 else rows[:2])]


def _other_scaled(fit: StructuralEstimates, m: pd.Series, row: model_tests.Row) -> Pairs:
    """Return the lines of a further scaled test, beside the standard one."""
    word, statistic, df, p, factor = row
    rows: Pairs = [("Test Statistic", number(m["chisq"]), number(statistic))]
    rows.append(("Degrees of freedom", number(m["df"], whole=True), number(df, whole=True)))
    if df > 0:
        rows.append((_probability(fit), number(m["pvalue"]), number(p)))
        rows.append(("Scaling correction factor", "", number(factor)))
        rows += [("Shift parameter", "", number(fit.more_tests[word].shift))] if word == "scaled.shifted" else []
    return [*rows, (f"  {CORRECTIONS[word]}", "")]


def _probability(fit: StructuralEstimates) -> str:
    return f"P-value ({'Unknown' if fit.options.point == 'ULS' else 'Chi-square'})"


def _main(fit: StructuralEstimates, m: pd.Series) -> list[str]:
    """Return the test of the model, its scaled form, and what each group adds to them."""
    scaled, several = "chisq_scaled" in m, len(fit.sample.groups) > 1
    rows: Pairs = [("", "Standard", "Scaled") if scaled else ("", "")]
    rows.append(measure("Test Statistic" if scaled else "Test statistic", m, "chisq"))
    rows.append(measure("Degrees of freedom", m, "df"))
    if m["df"] > 0:
        rows.append(measure(_probability(fit), m, "pvalue"))
    if scaled and m["df"] > 0:
        rows.append(("Scaling correction factor", "", number(m["chisq_scaling_factor"])))
        if fit.options.test == "scaled.shifted":
            rows.append(("Shift parameter", "", number(fit.test.shift)))
        rows.append((f"  {CORRECTIONS.get(fit.scaled_by, fit.scaled_by)}", ""))
    if scaled and fit.source is not None and fit.source.request.information[1] == "observed":
        first, second = fit.source.request.observed
        rows += [("Observed information based on", second.capitalize())] if first != second else []
    lines = ["Model Test User Model:", *aligned(rows)]
    if several:
        values = [group_tests.group_statistics(fit), *([group_tests.scaled_statistics(fit)] if scaled else [])]
        parts = zip(fit.sample.groups, *values, strict=True)
        lines.append("  Test statistic for each group:")
        lines += aligned([(f"  {group.label}", *map(number, own)) for group, *own in parts])
    return lines


def has_errors(fit: StructuralEstimates) -> bool:
    """Return whether there are standard errors: not where none were asked for, nor for some rotations."""
    return fit.options.se != "none" and not (fit.rotation is not None and bool(np.isnan(fit.vcov).all()))


def how_estimated(fit: StructuralEstimates) -> list[str]:
    """Return how standard errors were computed."""
    options, lines = fit.options, ["Parameter Estimates:", ""]
    errors = ERRORS.get(options.se, options.se)
    if options.cluster is not None and fit.table.n_levels == 1 and options.se in ("standard", "robust.huber.white"):
        errors = "robust.cluster"
    if not has_errors(fit):
        return lines
    rows: Pairs = [("Standard errors", errors[:1].upper() + errors[1:])]
    if fit.replicates is not None:
        rows.append(("Number of requested bootstrap draws", str(fit.replicates.asked)))
        rows.append(("Number of successful bootstrap draws", str(len(fit.replicates.replicates))))
        return [*lines, *aligned(rows, 38, 13)]
    kind = "First.order" if options.se == "first.order" else options.information.capitalize()
    rows.append(("Information bread" if errors == "Sandwich" else "Information", kind))
    if kind == "Observed":
        rows.append(("Observed information based on", options.words.observed[0].capitalize()))
    else:
        weights = options.words.h1[0].capitalize() if options.point in ("ML", "GLS") else "Unstructured"
        rows.append(("Information saturated (h1) model", weights))
    return [*lines, *aligned(rows, 38, 13)]
