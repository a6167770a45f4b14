"""What must not matter: the order of rows, empty levels, names of levels, how text is stored."""

from __future__ import annotations

import string

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from alliancekit.core.errors import SpecError
from alliancekit.formula.design import build_design
from alliancekit.formula.factors import code_numbers, cross, factorise
from alliancekit.formula.parse import parse_formula
from alliancekit.formula.rank import dependent_columns
from tests.unit.formula.support import small

FORMULA = "y ~ arm * x + drug + poly(time, 2) + (1 + x | g) + (1 | g:arm)"
ALPHABET = st.text(st.characters(exclude_categories=["Cs"]), min_size=0, max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False))
def test_row_order(random) -> None:  # type: ignore[no-untyped-def]
    frame = small()
    order = list(range(len(frame)))
    random.shuffle(order)
    plain = build_design(FORMULA, frame)
    moved = build_design(FORMULA, frame.iloc[order].reset_index(drop=True))
    assert moved.names == plain.names
    np.testing.assert_allclose(moved.X, plain.X[order], rtol=1e-10, atol=1e-12)
    for a, b in zip(moved.random, plain.random, strict=True):
        assert a.levels == b.levels
        assert a.codes.tolist() == b.codes[order].tolist()
        np.testing.assert_allclose(a.Z, b.Z[order], rtol=1e-12)


@given(st.lists(st.sampled_from(["", "aa", "dog", "zz"]), max_size=4, unique=True), st.integers(0, 3))
def test_an_empty_level_changes_nothing(extra: list[str], at: int) -> None:
    frame = small()
    levels = ["act", "cbt", "tau"]
    frame["arm"] = pd.Categorical(frame["arm"], levels)
    plain = build_design(FORMULA, frame)
    frame["arm"] = pd.Categorical(frame["arm"].astype("str"), levels[:at] + extra + levels[at:])
    wide = build_design(FORMULA, frame)
    assert wide.names == plain.names
    np.testing.assert_array_equal(wide.X, plain.X)
    assert [b.levels for b in wide.random] == [b.levels for b in plain.random]


@given(st.lists(st.sampled_from(string.ascii_letters), min_size=3, max_size=3, unique=True))
def test_relabelling_in_the_same_order_changes_names_only(letters: list[str]) -> None:
    frame = small()
    plain = build_design("y ~ arm * x", frame)
    new = dict(zip(["act", "cbt", "tau"], sorted(letters), strict=True))
    other = build_design("y ~ arm * x", frame.assign(arm=frame["arm"].map(new)))
    np.testing.assert_array_equal(other.X, plain.X)
    assert other.names[1] == f"arm{new['cbt']}"


@given(st.lists(st.one_of(st.none(), ALPHABET), min_size=1, max_size=30))
def test_every_way_to_store_text_gives_the_same_codes(values: list[str | None]) -> None:
    known = sorted({v for v in values if v is not None})
    expected = [-1 if v is None else known.index(v) for v in values]
    for dtype in ("object", "str", "string[pyarrow]", "string[python]"):
        factor = factorise(pd.Series(values, dtype=dtype))
        assert factor.codes.tolist() == expected
        assert list(factor.labels.all()) == known


@given(st.lists(st.sampled_from(["a", "b", "é", "Z"]), min_size=1, max_size=6), st.integers(1, 8))
def test_runs_of_equal_rows_are_coded_as_single_rows_are(values: list[str], times: int) -> None:
    blocked = factorise(pd.Series(np.repeat(values, times), dtype="str"))
    assert blocked.codes.tolist() == np.repeat(factorise(pd.Series(values, dtype="str")).codes, times).tolist()


@given(st.lists(st.one_of(st.integers(-(2**62), 2**62), st.integers(-4, 4)), min_size=1, max_size=30))
def test_numbers_are_coded_ascending(values: list[int]) -> None:
    codes, levels = code_numbers(np.array(values, dtype=np.int64))
    assert levels.tolist() == sorted(set(values))
    assert levels[codes].tolist() == values


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=30))
def test_crossed_groups_keep_the_first_factor_slowest(pairs: list[tuple[str, int]]) -> None:
    frame = pd.DataFrame(pairs, columns=["one", "two"])
    both = cross([factorise(frame["one"]), factorise(frame["two"])])
    expected = [f"{a}:{b}" for a, b in sorted(set(pairs))]
    assert list(both.labels.all()) == expected
    assert [both.labels.all()[c] for c in both.codes] == [f"{a}:{b}" for a, b in pairs]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 4))
def test_combinations_are_found_and_explained(seed: int, independent: int, added: int) -> None:
    random = np.random.default_rng(seed)
    base = random.normal(size=(30, independent))
    weights = random.integers(-3, 4, size=(independent, added)).astype(float)
    X = np.asfortranarray(np.hstack([base, base @ weights]) * 10.0 ** random.integers(-6, 7))
    found = dependent_columns(X)
    assert [d.column for d in found] == list(range(independent, independent + added))
    for dependence in found:
        again = sum((X[:, j] * c for j, c in dependence.parts), start=np.zeros(30))
        np.testing.assert_allclose(again, X[:, dependence.column], atol=1e-8 * max(np.abs(X).max(), 1e-300))


@settings(max_examples=300)
@given(st.text(alphabet="yxab ~+-*:/^()|.,=0123`'\"%in[]IClog_", max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        formula = parse_formula(text)
    except SpecError as error:
        assert str(error)
        return
    assert formula.response is not None
    assert len({term.label for term in formula.fixed}) == len(formula.fixed)
