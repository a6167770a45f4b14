"""The same model as a call of lavaan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, isnan
from re import IGNORECASE, MULTILINE, search

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError
from alliancekit.structural.after.rcall_moments import moments_code
from alliancekit.structural.estimates import StructuralEstimates
from alliancekit.structural.estimators import resolve
from alliancekit.structural.options import Options, make_options
from alliancekit.structural.rotation.blocks import held_table
from alliancekit.structural.table import ParameterTable

_NAMES = {"fiml": "ml", "fiml.x": "ml.x"}
_ZERO = (
    'optim.bounds = list(lower = c("ov.var", "lv.var", "loadings", "covariances"), '
    'upper = c("ov.var", "lv.var", "loadings", "covariances"), lower.factor = c(1, 1, 1.1, 1), '
    "upper.factor = c(1.2, 1.3, 1.1, 1), min.reliability.marker = 0.1, min.var.lv.endo = 0.005)"
)


def as_r(model: str, fit: StructuralEstimates) -> str:
    """Return R code that fits the model to a data frame called ``data``, or to the moments that were given.

    Parameters
    ----------
    model : the syntax; empty where a parameter table was fitted.
    """
    options = fit.options
    given = _data(fit) + _words(options)
    function = options.function
    if model and not _beyond_text(model, fit.table):
        text = model.strip("\n").replace("\\", "\\\\").replace("'", "\\'")
        lines = ["library(lavaan)", f"model <- '\n{text}\n'"]
        given += _rules(options)
        given += _rotation(options) if any(fit.table.efa) else []
        if options.bounds != "none":
            zero = options.bounds == "wide.zerovar"  # a word of later versions; lavaan 0.6-14 takes what it stands for
            given.append(_ZERO if zero else f'bounds = "{options.bounds}"')
        if options.auxiliary:
            lines.append("library(semTools)")
            function = f"{function}.auxiliary"
            given.append(f"aux = c({_quoted(options.auxiliary)})")
    else:
        lines = ["library(lavaan)", _frame(held_table(fit.table))]
        given += _rotation(options) if any(fit.table.efa) else []
        function = "lavaan"
    lines += _moments(fit)
    return "\n".join([*lines, f"fit <- {function}({', '.join(['model', *given])})", "summary(fit)"])


def _beyond_text(model: str, table: ParameterTable) -> bool:
    """Return whether lavaan fails on the text: levels in groups, without a block for each group."""
    several = table.n_levels > 1 and len(table.group_labels) > 1
    return several and search(r"^\s*group\s*:", model, MULTILINE | IGNORECASE) is None


def efa_as_r(fits: Mapping[int, StructuralEstimates]) -> str:
    """Return R code that fits exploratory solutions with several numbers of factors by lavaan's ``efa``."""
    first, numbers = next(iter(fits.values())), list(fits)
    options = first.options
    shown = str(numbers[0]) if len(numbers) == 1 else f"c({', '.join(map(str, numbers))})"
    if len(numbers) > 1 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        shown = f"{numbers[0]}:{numbers[-1]}"
    given = [*_data(first), f"nfactors = {shown}", f"ov.names = c({_quoted(first.model.blocks[0].observed)})"]
    given += _words(options) + _rotation(options)
    if options.bounds != ("none" if options.ordered else "pos.var"):
        given.append(f'bounds = "{options.bounds}"')
    return "\n".join(["library(lavaan)", *_moments(first), f"fit <- efa({', '.join(given)})", "summary(fit)"])


def _moments(fit: StructuralEstimates) -> list[str]:
    return moments_code(fit) if fit.sample.groups[0].rows is None else []


def _data(fit: StructuralEstimates) -> list[str]:
    """Return the arguments that hand over the data, and their roles."""
    groups = fit.sample.groups
    if groups[0].rows is None:
        given = ["sample.cov = S", "sample.nobs = n"]
        return given + (["sample.mean = m"] if "~1" in fit.table.op else [])
    given = ["data = data"]
    options = fit.options
    if options.group:
        given.append(f'group = "{options.group}"')
    if options.cluster:
        given.append(f'cluster = "{options.cluster}"')
    if options.ordered:
        given.append(f"ordered = c({_quoted(options.ordered)})")
    return given


def _words(options: Options) -> list[str]:
    """Return the words for estimator, missing values, errors, test and information that lavaan would not take."""
    usual = make_options(
        options.function,
        missing=options.missing,
        cluster=options.cluster,
        ordered=options.ordered,
        estimator=options.estimator,
    )
    word = options.estimator
    changed = (options.se, options.words.tests, options.test) != (usual.se, usual.words.tests, usual.test)
    if changed and word != options.point:
        word, usual = options.point, make_options(options.function, estimator=options.point, ordered=options.ordered)
    given = []
    if word != ("WLSMV" if options.ordered else "ML"):
        given.append(f'estimator = "{word}"')
    if options.missing != "listwise":
        given.append(f'missing = "{_NAMES.get(options.missing, options.missing)}"')
    if options.se != usual.se:
        given.append(f'se = "{options.se}"')
    if options.se == "bootstrap" or "bollen.stine" in options.words.tests:
        given.append(f"bootstrap = {options.bootstrap}")
    tests = (options.test,) if options.test == "none" else options.words.tests or ("standard",)
    if tests != (usual.words.tests or ("standard",)):
        given.append(f"test = {_vector(tests)}")
    tests_asked = tests if options.test_given else None
    asked = (word, options.missing, bool(options.cluster), options.se, tests_asked)
    if options.words.information != _usual_information(asked):
        given.append(f"information = {_vector(options.words.information)}")
    own = resolve(*asked, options.words.information)
    if options.words.observed != own.observed:
        given.append(f"observed.information = {_vector(options.words.observed)}")
    if options.words.h1 != usual.words.h1:
        given.append(f"h1.information = {_vector(options.words.h1)}")
    if options.likelihood != "normal":
        given.append(f'likelihood = "{options.likelihood}"')
    if options.rules.theta:
        given.append('parameterization = "theta"')
    return given


def _usual_information(asked: tuple[str, str, bool, str, tuple[str, ...] | None]) -> tuple[str, str] | None:
    """Return the information that goes with the other words; None where they do not go together without one."""
    try:
        return resolve(*asked).information
    except SpecError:
        return None


def _rules(options: Options) -> list[str]:
    """Return what changes the rules by which the model is completed."""
    rules = options.rules
    given = []
    if rules.group_equal:
        given.append(f"group.equal = c({_quoted(rules.group_equal)})")
    if rules.group_partial:
        given.append(f"group.partial = c({_quoted(rules.group_partial)})")
    for name, on in (("std.lv", rules.std_lv), ("orthogonal", rules.orthogonal)):
        if on:
            given.append(f"{name} = TRUE")
    if rules.effect_coding:
        given.append(f"effect.coding = c({_quoted(rules.effect_coding)})")
    usual = make_options(
        options.function,
        estimator=options.estimator,
        missing=options.missing,
        group=options.group,
        cluster=options.cluster,
        ordered=options.ordered,
    )
    if rules.meanstructure != usual.rules.meanstructure:
        given.append(f"meanstructure = {'TRUE' if rules.meanstructure else 'FALSE'}")
    if rules.fixed_x != usual.rules.fixed_x:
        given.append(f"fixed.x = {'TRUE' if rules.fixed_x else 'FALSE'}")
    return given


def _rotation(options: Options) -> list[str]:
    """Return how exploratory factors are rotated, where lavaan would do otherwise."""
    words = options.rotation
    given = [] if words.criterion == "geomin" else [f'rotation = "{words.criterion}"']
    own = [f"{name.replace('_', '.')} = {_value(value)}" for name, value in words.given.items()]
    for name in ("target", "target_mask"):
        own += [f"{name.replace('_', '.')} = {_matrix(part)}" for part in list(getattr(words, name).values())[:1]]
    if own:
        given.append(f"rotation.args = list({', '.join(own)})")
    return given + (['rotation.se = "delta"'] if words.errors == "delta" else [])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _matrix(values: NDArray[np.float64]) -> str:
    return f"matrix(c({_numbers(values.T.ravel().tolist())}), {len(values)})"


def _frame(table: ParameterTable) -> str:
    """Return R code that makes the parameter table."""
    columns = [
        ("lhs", _texts(table.lhs)),
        ("op", _texts(table.op)),
        ("rhs", _texts(table.rhs)),
        ("user", _numbers(table.user)),
        ("block", _numbers(table.block)),
        ("group", _numbers(table.group)),
    ]
    if table.n_levels > 1:
        columns.append(("level", _numbers(table.level)))
    columns += [("free", _numbers(table.free)), ("ustart", _numbers(table.start)), ("exo", _numbers(table.exo))]
    columns += [("label", _texts(table.label)), ("plabel", _texts(table.plabel))]
    if any(table.efa):
        columns.append(("efa", _texts(table.efa)))
    if any(map(isfinite, (*table.lower, *table.upper))):
        columns += [("lower", _numbers(table.lower)), ("upper", _numbers(table.upper))]
    return "model <- data.frame(\n" + ",\n".join(f"  {name} = c({values})" for name, values in columns) + ")"


def _texts(values: Sequence[str]) -> str:
    return ", ".join(f'"{value}"' for value in values)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join("NA" if isnan(v) else f"{v!r}".replace("inf", "Inf") for v in values)


def _vector(words: Sequence[str]) -> str:
    """Return words as R writes them, one word where all are the same."""
    known = list(dict.fromkeys(words))
    return f'"{known[0]}"' if len(known) == 1 else f"c({_quoted(words)})"


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
