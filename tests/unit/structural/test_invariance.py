"""What must not matter to the answer: order, units, names, and ways of writing the same model; for each likelihood."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import alliancekit as ak

ITEMS = [f"y{i}" for i in range(1, 7)]
MEASURES = ["chisq", "df", "pvalue", "cfi", "tli", "rmsea", "rmsea_ci_upper", "srmr"]
TRIES = (Phase.explicit, Phase.reuse, Phase.generate)
KEYS = ["lhs", "op", "rhs"]


def make(holes: float) -> pd.DataFrame:
    """Six items of two factors, two sites, forty wards; the same as categories."""
    rng = np.random.default_rng(71)
    n, ward = 320, np.repeat(np.arange(40), 8)
    f = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], n) + 0.8 * rng.normal(size=(40, 2))[ward]
    values = np.repeat(f, 3, axis=1) * [1, 0.8, 0.7, 1, 0.9, 0.6] + 0.8 * rng.normal(size=(n, 6)) + 3
    values += 0.4 * rng.normal(size=(40, 6))[ward]
    frame = pd.DataFrame(values, columns=ITEMS)
    for i, name in enumerate(ITEMS, start=1):
        frame[f"u{i}"] = np.searchsorted([1.8, 3.1, 4.2], frame[name]).astype(float)
    gone = rng.random((n, 6)) < holes
    frame[ITEMS] = frame[ITEMS].mask(gone)
    return frame.assign(site=np.where(np.arange(n) % 3 == 0, "north", "south"), ward=ward)


COMPLETE, HOLES = make(0.0), make(0.12)


class Engine:
    """One likelihood: its data, its options, and how a model of two factors is written for it."""

    def __init__(self, frame: pd.DataFrame, items: str = "y", levels: bool = False, **options: Any) -> None:
        self.frame, self.items, self.levels, self.options = frame, items, levels, options

    def model(self, text: str) -> str:
        text = text.replace("y", self.items)
        if not self.levels:
            return text
        upper = "h =~ y1 + y2 + y3\nk =~ y4 + y5 + y6"
        return f"level: 1\n{text}\nlevel: 2\n{upper}"

    def fit(self, text: str, frame: pd.DataFrame | None = None, **more: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ak.DesignWarning)
            warnings.simplefilter("ignore", ak.ConvergenceWarning)
            data = self.frame if frame is None else frame
            found = ak.cfa(self.model(text), data, **(self.options | more))
        assert found.converged
        return found


ENGINES = {
    "ML": Engine(COMPLETE),
    "MLR": Engine(COMPLETE, estimator="MLR"),
    "GLS": Engine(COMPLETE, estimator="GLS"),
    "WLS": Engine(COMPLETE, estimator="WLS"),
    "FIML": Engine(HOLES, missing="fiml"),
    "FIML, MLR": Engine(HOLES, missing="fiml", estimator="MLR"),
    "WLSMV": Engine(COMPLETE, items="u", ordered=[f"u{i}" for i in range(1, 7)]),
    "two levels": Engine(COMPLETE, levels=True, cluster="ward"),
    "two levels, holes": Engine(HOLES, levels=True, cluster="ward", missing="fiml"),
}
SINGLE = [name for name in ENGINES if not name.startswith("two")]
TWO = "f =~ y1 + y2 + y3\ng =~ y4 + y5 + y6"


def same_fit(one: Any, other: Any, rel: float = 1e-5, units: bool = True) -> None:
    """Compare fit measures.

    The SRMR of two levels raises small eigenvalues of the unrestricted covariances to a part of the largest one, as in
    lavaan, so that it depends on units where these are singular; near that boundary their search ends earlier.
    """
    two = one.table.n_levels > 1
    names = [name for name in MEASURES if units or not two or name != "srmr"]
    names += ["chisq_scaled"] if "chisq_scaled" in one.fit_measures() else []
    ours, theirs = one.fit_measures()[names], other.fit_measures()[names]
    np.testing.assert_allclose(theirs, ours, rtol=max(rel, 1e-4) if two else rel, atol=2e-6)


def standard(fit: Any, kind: str = "estimate") -> pd.Series:
    table = fit.standardized()
    extra = [column for column in ("group", "level") if column in table]
    kept = table[table["op"].isin(["=~", "~~"])].copy()
    swap = (kept["op"] == "~~") & (kept["lhs"] > kept["rhs"])  # a covariance has no direction
    kept.loc[swap, ["lhs", "rhs"]] = kept.loc[swap, ["rhs", "lhs"]].to_numpy()
    return kept.set_index([*extra, *KEYS])[kind].sort_index()


def same_standard(one: Any, other: Any, errors: bool = True) -> None:
    for kind in ("estimate", "std_error") if errors else ("estimate",):
        ours, theirs = standard(one, kind), standard(other, kind)
        np.testing.assert_allclose(theirs[ours.index], ours, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=4, deadline=None, phases=TRIES)
@given(st.permutations([1, 2, 3]), st.permutations([4, 5, 6]), st.integers(0, 1000))
def test_order_of_items_and_rows(name: str, first: list[int], second: list[int], seed: int) -> None:
    engine = ENGINES[name]
    f, g = (" + ".join(f"y{i}" for i in part) for part in (first, second))
    rows = engine.frame.sample(frac=1, random_state=seed)
    one, other = engine.fit(TWO), engine.fit(f"g =~ {g}\nf =~ {f}", rows)
    same_fit(one, other)
    same_standard(one, other)


@pytest.mark.parametrize("name", [name for name in ENGINES if name != "WLSMV"])
@settings(max_examples=4, deadline=None, phases=TRIES)
@given(
    st.lists(st.floats(0.02, 50), min_size=6, max_size=6),
    st.lists(st.floats(-100, 100), min_size=6, max_size=6),
    st.lists(st.sampled_from([-1.0, 1.0]), min_size=6, max_size=6),
)
def test_units_origins_and_directions_of_items(
    name: str, units: list[float], shifts: list[float], signs: list[float]
) -> None:
    engine = ENGINES[name]
    moved = engine.frame.copy()
    moved[ITEMS] = moved[ITEMS] * units * np.array(signs) + shifts
    one, other = engine.fit(TWO), engine.fit(TWO, moved)
    same_fit(one, other, units=False)
    ours, theirs = standard(one), standard(other)
    np.testing.assert_allclose(theirs[ours.index].abs(), ours.abs(), rtol=2e-4, atol=2e-5)


@settings(max_examples=4, deadline=None, phases=TRIES)
@given(st.lists(st.floats(0.1, 30), min_size=4, max_size=4))
def test_only_the_order_of_categories_matters(steps: list[float]) -> None:
    engine = ENGINES["WLSMV"]
    values = np.cumsum(steps)
    named = [f"u{i}" for i in range(1, 7)]
    moved = engine.frame.assign(**{c: values[engine.frame[c].astype(int)] for c in named})
    one, other = engine.fit(TWO), engine.fit(TWO, moved)
    same_fit(one, other, 1e-10)
    same_standard(one, other)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=3, deadline=None, phases=TRIES)
@given(st.lists(st.text("abcxyz<>&_ 0", min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_names_and_order_of_groups(name: str, labels: list[str]) -> None:
    engine = ENGINES[name]
    frame = engine.frame
    if engine.levels:
        frame = frame.assign(site=np.where(frame["ward"] % 2, "north", "south"))
    renamed = frame.assign(site=frame["site"].map(dict(zip(["north", "south"], labels, strict=True))))
    turned = frame.iloc[::-1]
    options = {"group": "site", "group_equal": "loadings"}
    one = engine.fit(TWO, frame, **options)
    other, reversed_ = engine.fit(TWO, renamed, **options), engine.fit(TWO, turned, **options)
    same_fit(one, other)
    same_fit(one, reversed_)
    ours, theirs, back = (found.tidy() for found in (one, other, reversed_))
    np.testing.assert_allclose(theirs["estimate"], ours["estimate"], rtol=1e-4, atol=1e-5)
    assert list(reversed_.table.group_labels) == list(one.table.group_labels)[::-1]
    keys = [*(["level"] if engine.levels else []), "group", *KEYS]
    own, there = (table.query("op != '=='").set_index(keys)["estimate"] for table in (ours, back))
    np.testing.assert_allclose(there[own.index], own, rtol=1e-4, atol=1e-4)


WRITTEN: dict[str, tuple[str, dict[str, Any]]] = {
    "unit variances": (TWO, {"std_lv": True}),
    "the last item as marker": ("f =~ NA*y1 + y2 + 1*y3\ng =~ NA*y4 + y5 + 1*y6", {}),
    "another unit of the factor": ("f =~ 2*y1 + y2 + y3\ng =~ 0.1*y4 + y5 + y6", {}),
    "a regression of factors": (TWO + "\ng ~ f", {}),
    "the other regression": (TWO + "\nf ~ g", {}),
    "a factor of second order": (TWO + "\nall =~ 1*f + 1*g", {}),
    "a label once": ("f =~ y1 + a*y2 + y3\ng =~ y4 + y5 + y6", {}),
    "a phantom": ("f =~ y1 + y2 + y3\ng =~ y4 + y5 + y6\nf ~~ 0*g\np =~ 1*f + 1*g\np ~~ NA*p", {}),
}


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("way", WRITTEN)
def test_ways_of_writing_one_model(name: str, way: str) -> None:
    engine = ENGINES[name]
    text, options = WRITTEN[way]
    if engine.levels and options:
        options = {"std_lv": True}
    one, other = engine.fit(TWO), engine.fit(text, **options)
    same_fit(one, other)
    loadings = [key for key in standard(one).index if "=~" in key]
    ours, theirs = standard(one)[loadings], standard(other)
    np.testing.assert_allclose(theirs[loadings], ours, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "WLSMV"])
def test_effect_coding_is_the_same_model(name: str) -> None:
    engine = ENGINES[name]
    one, other = engine.fit(TWO, meanstructure=True), engine.fit(TWO, effect_coding=True, meanstructure=True)
    same_fit(one, other)
    same_standard(one, other)
    table = other.tidy()
    assert table.query("op == '=~' and lhs == 'f'")["estimate"].mean() == pytest.approx(1.0)


EQUALITIES = ["f =~ y1 + a*y2 + a*y3\n", "f =~ y1 + a*y2 + b*y3\na == b\n", 'f =~ y1 + y2 + equal("f =~ y2")*y3\n']
EQUALITIES += ["f =~ y1 + a*y2 + b*y3\n2*a - 2*b == 0\n", "f =~ y1 + a*y2 + b*y3\na^3 == b^3\n"]


@pytest.mark.parametrize("name", SINGLE)
def test_ways_of_writing_an_equality(name: str) -> None:
    engine = ENGINES[name]
    found = [engine.fit(line + "g =~ y4 + y5 + y6") for line in EQUALITIES]
    for other in found[1:]:
        same_fit(found[0], other)
        assert other.n_parameters == found[0].n_parameters
        np.testing.assert_allclose(np.diag(other._fit.vcov), np.diag(found[0]._fit.vcov), rtol=1e-3, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"group": "site", "group_equal": ["loadings", "intercepts"]}])
@pytest.mark.parametrize("means", [False, True])
def test_rows_and_their_moments_say_the_same(options: dict[str, Any], means: bool) -> None:
    rows = ak.cfa(TWO, COMPLETE, meanstructure=means or bool(options), **options)
    parts = [COMPLETE] if not options else [COMPLETE[COMPLETE["site"] == label] for label in rows.table.group_labels]
    given_: dict[str, Any] = {
        "sample_cov": [part[ITEMS].cov() for part in parts],
        "sample_nobs": [len(p) for p in parts],
    }
    if means or options:
        given_["sample_mean"] = [part[ITEMS].mean() for part in parts]
    if not options:
        given_ = {key: value[0] for key, value in given_.items()}
    others = {key: value for key, value in options.items() if key != "group"}
    moments = ak.cfa(TWO, **given_, **others)
    same_fit(rows, moments, 1e-9)
    np.testing.assert_allclose(moments.tidy()["estimate"], rows.tidy()["estimate"], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(moments.tidy()["std_error"], rows.tidy()["std_error"], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("options", [{}, {"group": "site"}, {"estimator": "MLR"}])
def test_full_information_of_complete_rows_is_maximum_likelihood(options: dict[str, Any]) -> None:
    shared: dict[str, Any] = {"meanstructure": True, "information": "observed"} | options
    one, other = (ak.cfa(TWO, COMPLETE, missing=word, **shared) for word in ("listwise", "fiml"))
    np.testing.assert_allclose(other.fit_measures()[MEASURES], one.fit_measures()[MEASURES], rtol=1e-6, atol=1e-7)
    for column in ("estimate", "std_error"):
        np.testing.assert_allclose(other.tidy()[column], one.tidy()[column], rtol=1e-5, atol=1e-7)


def test_two_levels_without_holes_are_those_with_room_for_them() -> None:
    engine = ENGINES["two levels"]
    one, other = engine.fit(TWO), engine.fit(TWO, missing="fiml")
    same_fit(one, other)
    np.testing.assert_allclose(other.tidy()["std_error"], one.tidy()["std_error"], rtol=1e-4, atol=1e-5)


def columns(name: str) -> Callable[[], Any]:
    return lambda: ENGINES[name].fit(TWO).tidy()


@pytest.mark.parametrize("name", ENGINES)
def test_a_fit_again_is_the_same_to_the_last_bit(name: str) -> None:
    pd.testing.assert_frame_equal(columns(name)(), columns(name)(), check_exact=True)
