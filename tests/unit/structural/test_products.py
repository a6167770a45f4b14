"""Interactions of observed variables: x:z in a model is the product of the columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak


def data() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    d = pd.DataFrame(rng.normal(size=(200, 3)), columns=["x", "z", "w"])
    return d.assign(y=0.5 * d["x"] + 0.3 * d["x"] * d["z"] - d["x"] * d["z"] * d["w"] + rng.normal(size=200))


def test_a_product_is_made_of_its_columns() -> None:
    d = data()
    ours = ak.sem("y ~ x + z + x:z + x:z:w", d).tidy()
    made = d.assign(xz=d["x"] * d["z"], xzw=d["x"] * d["z"] * d["w"])
    columns = ["estimate", "std_error", "std_all"]
    np.testing.assert_array_equal(ours[columns], ak.sem("y ~ x + z + xz + xzw", made).tidy()[columns])
    assert ours["term"].iloc[2:4].tolist() == ["y ~ x:z", "y ~ x:z:w"] and list(d.columns) == ["x", "z", "w", "y"]


def test_a_column_of_that_name_is_taken_as_it_is() -> None:
    d = data()
    d["x:z"] = d["w"]
    assert ak.sem("y ~ x:z", d).tidy()["estimate"].iloc[0] == ak.sem("y ~ w", d).tidy()["estimate"].iloc[0]


def test_a_missing_part_leaves_the_row_out() -> None:
    d = data()
    d.loc[3, "z"] = np.nan
    with pytest.warns(ak.DesignWarning, match="1 of 200 rows"):
        assert ak.sem("y ~ x:z", d).nobs == 199


def test_a_part_that_is_no_column_or_no_number_is_named() -> None:
    d = data().assign(sex="f")
    with pytest.raises(ak.DesignError, match=r"not in the data: 'zz' \(nearest: 'z'\).*the product x:zz"):
        ak.sem("y ~ x:zz", d)
    with pytest.raises(ak.DesignError, match="'sex' is text"):
        ak.sem("y ~ x:sex", d)
