"""A linear mixed model fitted to a parquet file in a few passes over its rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from alliancekit.core.errors import DesignError, DesignWarning, message
from alliancekit.core.progress import track
from alliancekit.core.sample import SampleAccount
from alliancekit.formula.blocks import RandomBlock, check_groups
from alliancekit.formula.design import Design, build_design
from alliancekit.formula.outcome import constant_outcome
from alliancekit.formula.parse import Formula
from alliancekit.formula.rank import dependent_columns, describe
from alliancekit.formula.recipe import Recipe
from alliancekit.multilevel.gaussian import fit as gaussian
from alliancekit.multilevel.gaussian.border import check_size
from alliancekit.multilevel.gaussian.columns import apply_basis, separating_basis
from alliancekit.multilevel.gaussian.design import GaussianDesign, fixed_products, parameter_slices
from alliancekit.multilevel.gaussian.factors import ChainLink, Factor, order_factors
from alliancekit.multilevel.gaussian.layout import Layout, lay_out
from alliancekit.multilevel.streamed.absent import AbsentRows
from alliancekit.multilevel.streamed.coder import Coder, check_streamable, coded_columns, make_coder
from alliancekit.multilevel.streamed.levels import ColumnLevels, GroupLevels
from alliancekit.multilevel.streamed.products import Accumulator
from alliancekit.multilevel.streamed.source import Source, frame_of_chunk, missing_rows
from alliancekit.multilevel.streamed.survey import ColumnSurvey, Nesting, Triangle, shares

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Groups = dict[tuple[str, ...], GroupLevels]
_SAMPLE_UNITS = 400


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """A fit, what stands for its rows, and the design of a sample of its units held in memory (None: no design)."""

    fit: gaussian.GaussianFit
    rows: AbsentRows
    sample: Design | None


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    """What the second pass finds; per block of random columns, per pair of factors in elimination order."""

    fixed: ColumnSurvey
    response: ColumnSurvey
    blocks: list[ColumnSurvey]
    nesting: dict[tuple[int, int], Nesting]
    products: Floats
    block_products: list[Floats]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Factors in elimination order, how they nest, and the cells of those that are crossed."""

    factors: tuple[Factor, ...]
    chain: tuple[ChainLink, ...]
    border: tuple[int, ...]
    layout: Layout
    occurring: tuple[Ints, ...]


def fit(path: str | Path, formula: Formula, weights: str | None, reml: bool) -> Streamed:
    """Fit the model of a formula to the rows of a parquet file; see ``ak.mixed``.

    The file is read three times (four with combined or crossed groups): for the levels of its factors, for the centre
    and size of the columns, and for the cross-products of the centred columns. Memory grows with the number of groups,
    not of rows.
    """
    check_streamable(formula)
    source = Source(path, tuple(dict.fromkeys([*formula.columns, *([weights] if weights else [])])))
    columns, groups, account = _levels(source, formula)
    coder = make_coder(formula, source, columns, groups, weights)
    factors, members = _factors(coder, groups, account.n_used)
    survey = _survey(source, coder, groups, factors)
    if survey.response.low[0] == survey.response.high[0]:
        raise DesignError(constant_outcome(formula.response_name))
    coder, dropped = _drop_dependent(source, coder, survey)
    if dropped:
        survey = _survey(source, coder, groups, factors)
    factors = _with_bases(factors, members, survey)
    chain, border = _nest(factors, survey.nesting)
    check_size(sum(factors[i].n_levels * factors[i].q for i in border), tuple(factors[i].group for i in border))
    occurring = _occurring(source, coder, groups, factors, border)
    nowhere = tuple(np.zeros(0, dtype=np.intp) for _ in border)
    layout = lay_out(factors, chain, border, None, occurring, nowhere)
    plan = _Plan(factors, chain, border, layout, occurring)
    engine = _products(source, coder, groups, survey, plan, members)
    account.groups.update({term.group_name: groups[term.group].size for term in formula.random})
    design = _design(source, coder, account, dropped, survey)
    gaussian.check_residual(engine, formula.response_name)
    made = gaussian.conclude(design, engine, gaussian.search(engine, formula.response_name, reml), reml)
    return Streamed(made, AbsentRows((account.n_rows,)), _sample(source, coder, groups, factors))


def _levels(source: Source, formula: Formula) -> tuple[dict[str, ColumnLevels], Groups, SampleAccount]:
    """Return the levels of text columns and groups in complete rows, and the account of the others."""
    named = {name for term in formula.random for name in term.group}
    wanted = [*coded_columns(formula, source), *named]
    columns = {name: ColumnLevels(source.schema.field(name).type) for name in wanted}
    dropped, n_rows = np.zeros(len(source.columns), dtype=int), 0
    for chunk in track(source.chunks(), "reading levels"):
        lost, counts = missing_rows(chunk)
        dropped += counts
        n_rows += chunk.num_rows
        whole = chunk if lost is None else chunk.filter(~lost)
        for name, levels in columns.items():
            if whole.num_rows:
                levels.see(whole.column(name))
    n_used = n_rows - int(dropped.sum())
    reasons = tuple(
        (f"missing in '{name}'", count) for name, count in zip(source.columns, dropped.tolist(), strict=True) if count
    )
    if n_used == 0:
        what = (
            "the file has no rows"
            if n_rows == 0
            else f"no row is complete: of {n_rows} rows, " + "; ".join(f"{count} {reason}" for reason, count in reasons)
        )
        raise DesignError(message(what, where=source.path.name))
    for levels in columns.values():
        levels.finish()
    groups = {term.group: GroupLevels(term.group, columns) for term in formula.random}
    if any(len(names) > 1 for names in groups):
        for chunk in track(source.complete(), "combining groups"):
            for group in groups.values():
                group.see(chunk)
    return columns, groups, SampleAccount(n_rows=n_rows, n_used=n_used, dropped=reasons)


def _factors(coder: Coder, groups: Groups, n: int) -> tuple[tuple[Factor, ...], list[list[int]]]:
    """Return the grouping factors in elimination order (no basis yet), and which blocks of the formula each holds."""
    by_group: dict[str, list[int]] = {}
    for i, block in enumerate(coder.recipe.blocks):
        size = groups[block.columns].size
        check_groups(block.group, size, len(block.part.names), n, block.display, True)
        by_group.setdefault(block.group, []).append(i)
    made: list[tuple[Factor, list[int]]] = []
    for group, members in by_group.items():
        blocks = [coder.recipe.blocks[i] for i in members]
        free: list[tuple[int, int]] = []
        names: list[str] = []
        term: list[int] = []
        for i, block in zip(members, blocks, strict=True):
            at, q = len(names), len(block.part.names)
            free += [(at + r, at + c) for c in range(q) for r in range(c, q)]
            names += block.part.names
            term += [i] * q
        codes = cast(Any, AbsentRows((n,)))
        basis = np.eye(len(names))
        labels = blocks[0].labels
        made.append((Factor(group, labels, tuple(names), codes, tuple(free), basis, tuple(term)), members))
    order = order_factors([(f.n_levels, f.q) for f, _ in made])
    return tuple(made[i][0] for i in order), [made[i][1] for i in order]


def _survey(source: Source, coder: Coder, groups: Groups, factors: tuple[Factor, ...]) -> _Survey:
    fixed, response = ColumnSurvey(), ColumnSurvey()
    blocks = [ColumnSurvey() for _ in coder.recipe.blocks]
    pairs = [(i, j) for j in range(len(factors)) for i in range(j)]
    nesting = {(i, j): Nesting(factors[i].n_levels) for i, j in pairs}
    products = np.zeros((len(coder.recipe.kept),) * 2)
    block_products = [np.zeros((len(block.part.names),) * 2) for block in coder.recipe.blocks]
    for chunk in track(source.complete(), "surveying columns"):
        rows = coder.code(chunk)
        fixed.see(rows.X)
        products += rows.X.T @ rows.X
        response.see(rows.y[:, None])
        for survey, sums, Z in zip(blocks, block_products, rows.Z, strict=True):
            survey.see(Z)
            sums += Z.T @ Z
        codes = _codes(chunk, coder, groups, factors)
        for (i, j), nest in nesting.items():
            nest.see(codes[i], codes[j])
    return _Survey(fixed, response, blocks, nesting, products, block_products)


def _codes(chunk: Any, coder: Coder, groups: Groups, factors: tuple[Factor, ...]) -> list[Ints]:
    """Return the level of each row of a chunk at each factor."""
    blocks = coder.recipe.blocks
    return [groups[blocks[f.term[0]].columns].codes(chunk) for f in factors]


def _drop_dependent(source: Source, coder: Coder, survey: _Survey) -> tuple[Coder, tuple[str, ...]]:
    """Return the coder without columns that are combinations of earlier ones, and the names of these."""
    if shares(survey.products):
        return coder, ()
    triangle = Triangle()
    for chunk in source.complete():
        triangle.see(coder.code(chunk).X)
    assert triangle.R is not None
    found = dependent_columns(triangle.R)
    names = coder.recipe.fixed.names
    if not found:
        return coder, ()
    said = "; ".join(describe(d, names) for d in found)
    what = f"{len(found)} column{'s' if len(found) > 1 else ''} of the fixed part dropped as redundant: {said}"
    warnings.warn(DesignWarning(message(what)), stacklevel=2)
    gone = {d.column for d in found}
    old = coder.recipe
    kept = tuple(j for j in range(len(names)) if j not in gone)
    recipe = Recipe(old.fixed, kept, old.blocks, old.offset, old.states)
    return Coder(coder.formula, recipe, coder.weights), tuple(names[j] for j in sorted(gone))


def _with_bases(factors: tuple[Factor, ...], members: list[list[int]], survey: _Survey) -> tuple[Factor, ...]:
    """Return the factors with the basis of their columns."""
    out = []
    for factor, blocks in zip(factors, members, strict=True):
        basis = np.zeros((factor.q, factor.q))
        at = 0
        for i in blocks:
            own = survey.blocks[i].basis()
            basis[at : at + len(own), at : at + len(own)] = own
            at += len(own)
        out.append(replace(factor, basis=basis))
    return tuple(out)


def _nest(
    factors: tuple[Factor, ...], nesting: dict[tuple[int, int], Nesting]
) -> tuple[tuple[ChainLink, ...], tuple[int, ...]]:
    """Return the chain of nested factors that starts at the first, and the others."""
    links: list[ChainLink] = []
    border: list[int] = []
    current = 0
    for i in range(1, len(factors)):
        if not nesting[current, i].holds:
            border.append(i)
            continue
        links.append(ChainLink(current, factors[current].n_levels, nesting[current, i].parent))
        current = i
    links.append(ChainLink(current, factors[current].n_levels, None))
    return tuple(links), tuple(border)


def _occurring(
    source: Source, coder: Coder, groups: Groups, factors: tuple[Factor, ...], border: tuple[int, ...]
) -> tuple[Ints, ...]:
    """Return, per border factor, the pairs of levels (first factor, border factor) that occur, as sorted keys."""
    found = [np.zeros(0, dtype=np.intp) for _ in border]
    if not border:
        return ()
    for chunk in track(source.complete(), "finding cells"):
        codes = _codes(chunk, coder, groups, factors)
        for k, index in enumerate(border):
            found[k] = np.union1d(found[k], codes[0] * factors[index].n_levels + codes[index])
    return tuple(found)


def _products(
    source: Source,
    coder: Coder,
    groups: Groups,
    survey: _Survey,
    plan: _Plan,
    members: list[list[int]],
    apart: Floats | None = None,
) -> GaussianDesign:
    """Return the engine's design from the cross-products of all chunks; columns nearly dependent take a second pass."""
    basis = survey.fixed.basis() if apart is None else survey.fixed.basis() @ apart
    constant = survey.fixed.constant
    shift = np.zeros(len(basis))
    mean = 0.0
    if constant is not None:
        assert survey.fixed.first is not None
        mean = float(survey.response.mean[0])
        shift[constant] = mean / float(survey.fixed.first[constant])
    factors = plan.factors
    adding = Accumulator(factors, plan.chain, plan.border, plan.layout, plan.occurring, len(basis))
    for chunk in track(source.complete(), "adding up products"):
        rows = coder.code(chunk)
        Zs = [
            apply_basis(rows.Z[own[0]] if len(own) == 1 else np.hstack([rows.Z[i] for i in own]), f.basis)
            for f, own in zip(factors, members, strict=True)
        ]
        codes = _codes(chunk, coder, groups, factors)
        adding.add(codes, Zs, apply_basis(rows.X, basis), rows.y - mean, rows.root)
    products = adding.finish()
    if apart is None:
        apart = separating_basis(fixed_products(products))
        if apart is not None:
            return _products(source, coder, groups, survey, plan, members, apart)
    return GaussianDesign(factors, plan.chain, plan.border, products, basis, shift, parameter_slices(factors))


def _design(source: Source, coder: Coder, account: SampleAccount, dropped: tuple[str, ...], survey: _Survey) -> Design:
    """Return the formula's design without its rows."""
    recipe, formula, n = coder.recipe, coder.formula, account.n_used
    absent = cast(Any, AbsentRows)
    stamp = f"{source.path.resolve()} {source.path.stat().st_mtime_ns}"
    blocks = []
    for b, sums in zip(recipe.blocks, survey.block_products, strict=True):
        names, Z = b.part.names, absent((n, len(b.part.names)), sums, None, stamp)
        blocks.append(RandomBlock(b.group, absent((n,)), b.labels, Z, names, b.correlated, b.display, b.columns))
    squares = np.array([[survey.response.squares[0]]])
    return Design(
        formula=formula,
        y=absent((n,), squares, survey.response.mean, stamp),
        response=formula.response_name,
        X=absent((n, len(recipe.kept)), survey.products, survey.fixed.mean, stamp),
        names=recipe.names,
        terms=tuple(term.label for term in recipe.fixed.terms),
        assign=tuple(recipe.fixed.assign[j] for j in recipe.kept),
        dropped=dropped,
        random=tuple(blocks),
        offset=absent((n,)) if formula.offset else None,
        weights=absent((n,)) if coder.weights else None,
        sample=account,
        recipe=recipe,
        variables=coder.columns() + tuple(dict.fromkeys(c for b in recipe.blocks for c in b.columns)),
    )


def _sample(source: Source, coder: Coder, groups: Groups, factors: tuple[Factor, ...]) -> Design | None:
    """Return the design of some units of the largest grouping factor, evenly spread over its levels."""
    block = max(coder.recipe.blocks, key=lambda b: groups[b.columns].size)
    group = groups[block.columns]
    step = group.size // _SAMPLE_UNITS + 1
    parts = []
    for chunk in source.complete():
        taken = group.codes(chunk) % step == 0
        if taken.any():
            parts.append(frame_of_chunk(chunk.filter(taken), source.columns))
    frame = pd.concat(parts, ignore_index=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return build_design(coder.formula, frame, weights=coder.weights)
    except DesignError:  # too few units of another factor among them to be coded
        return None
