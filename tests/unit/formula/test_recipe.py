"""New data are coded as the data of the fit were."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from alliancekit.core.errors import DesignError, SpecError
from alliancekit.formula.contrasts import coding_of
from alliancekit.formula.design import build_design
from tests.unit.formula.support import r_data, small

RICH = (
    "log(y + 9) ~ poly(x, 3) * arm + scale(time) + exp(center(x)) + drug + I(time^2)"
    " + offset(scale(x)) + (scale(x) | g)"
)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(5, 9), slice(0, 40)])
def test_part_of_the_rows_gives_the_same_rows(rows: slice) -> None:
    frame = small()
    design = build_design(RICH, frame)
    new = design.apply(frame.drop(columns="y").iloc[rows])
    np.testing.assert_array_equal(new.X, design.X[rows])
    np.testing.assert_array_equal(new.random[0].Z, design.random[0].Z[rows])
    assert new.random[0].codes.tolist() == design.random[0].codes[rows].tolist()
    assert new.offset is not None and design.offset is not None
    np.testing.assert_array_equal(new.offset, design.offset[rows])
    assert new.names == design.names


def test_new_levels() -> None:
    frame = small()
    design = build_design("y ~ arm + (1 | g) + (1 | g:arm)", frame)
    new = frame.iloc[:3].assign(g=["p3", "new", None])
    with pytest.raises(DesignError, match=r"levels that were not fitted: 'emdr' \(row 1\).*act, cbt, tau"):
        design.apply(new.assign(arm=["act", "emdr", "tau"]))
    built = design.apply(new)
    assert built.random[0].codes.tolist() == [3, -1, -1]
    assert built.random[0].own_levels == ("new", "p3")
    assert built.random[0].own_codes.tolist() == [1, 0, -1]
    assert built.random[1].codes[1:].tolist() == [-1, -1]


def test_missing_in_new_data() -> None:
    frame = small()
    design = build_design("y ~ x * arm + (1 + time | g)", frame)
    new = frame.iloc[:4].assign(x=[1.0, np.nan, 2.0, 3.0], arm=["act", "cbt", None, "tau"])
    with pytest.raises(DesignError, match="missing values \\(rows 1, 2\\)"):
        design.apply(new)
    built = design.apply(new, allow_missing=True)
    assert built.missing.tolist() == [False, True, True, False]
    assert np.isnan(built.X).any(axis=1).tolist() == [False, True, True, False]


def test_grouping_columns_are_not_needed_without_random_effects() -> None:
    frame = small()
    design = build_design("y ~ x + (1 | g)", frame)
    assert design.apply(frame[["x"]], random=False).X.shape == (40, 2)
    with pytest.raises(DesignError, match="'g'"):
        design.apply(frame[["x"]])


def test_labels_match_across_kinds_of_columns() -> None:
    frame = small().assign(id=np.repeat(np.arange(10), 4))
    design = build_design("y ~ factor(time) + (1 | id)", frame)
    new = frame.iloc[:8].assign(id=lambda f: f["id"].astype("float64"), time=lambda f: f["time"].astype("float64"))
    built = design.apply(new)
    np.testing.assert_array_equal(built.X, design.X[:8])
    assert built.random[0].codes.tolist() == design.random[0].codes[:8].tolist()


def test_state_is_taken_from_all_known_values_as_in_r() -> None:
    frame = small()
    frame.loc[:9, "y"] = np.nan
    design = build_design("y ~ scale(x)", frame)
    expected = (frame["x"] - frame["x"].mean()) / frame["x"].std(ddof=1)
    np.testing.assert_allclose(design.X[:, 1], expected[10:], rtol=1e-12)


def test_codings() -> None:
    frame = r_data()
    plain = build_design("y ~ C(arm, contr.sum)", frame)
    for formula in ('y ~ C(arm, "sum")', "y ~ C(arm, sum)"):
        np.testing.assert_array_equal(build_design(formula, frame).X, plain.X)
    asked = build_design("y ~ arm", frame, contrasts={"arm": "contr.sum"})
    np.testing.assert_array_equal(asked.X, plain.X)
    assert asked.names == ("(Intercept)", "arm1", "arm2")
    other = build_design('y ~ C(arm, ref = "cbt") + C(dose, ref = "mid")', frame)
    assert other.names[1:3] == ('C(arm, ref = "cbt")Control', 'C(arm, ref = "cbt")act')
    assert other.names[3:] == tuple(f'C(dose, ref = "mid"){level}' for level in ("low", "high", "top"))
    random = build_design("y ~ sex + (0 + sex | id)", frame, contrasts={"sex": "sum"}, has_residual=False).random[0]
    assert random.names == ("sexF", "sexM")
    last = coding_of("sum", ("a", "b", "c"), ref="a").matrix()
    assert last.tolist() == [[-1.0, -1.0], [1.0, 0.0], [0.0, 1.0]]


def test_wrong_codings() -> None:
    frame = r_data()
    with pytest.raises(DesignError, match=r"'ctb' is not a level.*Did you mean 'cbt'"):
        build_design('y ~ C(arm, ref = "ctb")', frame)
    with pytest.raises(SpecError, match=r"contrasts names 'amr'.*Did you mean 'arm'"):
        build_design("y ~ arm + x", frame, contrasts={"amr": "sum"})
    with pytest.raises(SpecError, match="no factor of the fixed part"):
        build_design("y ~ x", frame, contrasts={"x": "sum"})
    with pytest.raises(SpecError, match="contrasts='sums' is not an option"):
        build_design("y ~ arm", frame, contrasts={"arm": "sums"})
    with pytest.raises(SpecError, match="has no reference level"):
        build_design('y ~ C(arm, helmert, ref = "cbt")', frame)


def test_names_in_backticks() -> None:
    frame = small().rename(columns={"x": "BDI total", "arm": "my arm", "g": "my id"})
    design = build_design("y ~ `BDI total` * `my arm` + (1 | `my id`)", frame)
    assert design.names[1:3] == ("`BDI total`", "`my arm`cbt")
    assert design.random[0].group == "my id"
    np.testing.assert_array_equal(design.apply(frame).X, design.X)


def test_a_design_survives_pickling() -> None:
    frame = small()
    design = build_design(RICH, frame)
    again = pickle.loads(pickle.dumps(design))
    np.testing.assert_array_equal(again.apply(frame).X, design.X)
    assert again.random[0].levels == design.random[0].levels


def test_the_frame_is_left_alone() -> None:
    frame = small()
    copy = frame.copy(deep=True)
    design = build_design(RICH, frame)
    design.X[:] = 0.0
    pd.testing.assert_frame_equal(frame, copy)
