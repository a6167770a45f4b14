"""What the printed summary says of clusters, rotation and constraints."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

import alliancekit as ak
from alliancekit.structural.after.text_fit import head
from alliancekit.structural.after.text_names import abbreviate, abbreviate_apart


def answers() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    factors = rng.normal(size=(300, 2)) + 0.4 * rng.normal(size=(300, 1))
    values = np.repeat(factors, 3, axis=1) + rng.normal(size=(300, 6))
    return pd.DataFrame(values, columns=[f"x{i}" for i in range(1, 7)]).assign(site=np.arange(300) % 30)


def words(fit: object) -> list[list[str]]:
    return [line.split() for line in str(fit).splitlines()]


def test_clusters_of_one_level_are_named() -> None:
    found = words(ak.cfa("f =~ x1 + x2 + x3 + x4", answers(), cluster="site"))
    assert ["Number", "of", "clusters", "[site]", "30"] in found
    assert ["Standard", "errors", "Robust.cluster"] in found
    assert ["Yuan-Bentler", "correction", "(Mplus", "variant)"] in found


def test_rotation_is_named_and_its_parameters_counted_once() -> None:
    model = 'efa("f")*one + efa("f")*two =~ ' + " + ".join(f"x{i}" for i in range(1, 7))
    found = words(ak.cfa(model, answers(), rotation="oblimin"))
    assert ["Number", "of", "model", "parameters", "17"] in found
    assert ["Rotation", "method", "OBLIMIN", "OBLIQUE"] in found
    assert ["Oblimin", "gamma", "0"] in found


def test_inequalities_are_counted() -> None:
    found = words(ak.cfa("f =~ x1 + a*x2 + b*x3 + x4\na > 0.1\nb < 5", answers()))
    assert ["Number", "of", "inequality", "constraints", "2"] in found
    assert ["a", "-", "(0.1)"] in [line[:3] for line in found]
    assert ["5", "-", "(b)"] in [line[:3] for line in found]


def test_long_names_are_shortened_as_r_does() -> None:
    assert abbreviate("satisfaction_with_care", 14) == "stsfctn_wth_cr"
    assert abbreviate("effect_of_satisfaction", 4) == "ef__"
    assert abbreviate(".p10.", 4) == ".10."
    assert abbreviate("ABCDEFGHIJ", 4) == "ABCD"
    assert abbreviate("wai", 14) == "wai"
    assert abbreviate_apart(["direct1", "direct2", "indirect1", "indirect2"], 4) == ["drc1", "drc2", "ind1", "ind2"]
    assert abbreviate_apart(["effect_a", "effect_b", "effect_c", "total"], 4) == [
        "effect_",
        "effct_b",
        "effct_c",
        "totl",
    ]


def test_long_constraints_are_printed_in_full() -> None:
    first, second = "a_label_that_is_rather_long", "another_label_that_is_long"
    fit = ak.cfa(f"f =~ x1 + {first}*x2 + {second}*x3 + x4\n{first} == {second}", answers())
    assert [f"{first}", "-", f"({second})", "0.000"] in words(fit)


def test_what_did_not_converge_says_so() -> None:
    fit = ak.cfa("f =~ x1 + x2 + x3 + x4", answers())
    text = "\n".join(head(replace(fit._fit, converged=False)))
    assert "alliancekit did NOT end normally after" in text
    assert "** WARNING ** Estimates below are most likely unreliable" in text


def test_columns_grow_with_their_numbers() -> None:
    data = answers().assign(x1=lambda d: 1e6 * d["x1"])
    lines = str(ak.cfa("f =~ x1 + x2 + x3 + x4", data, std_lv=True)).splitlines()
    start = lines.index("Variances:")
    ends = [re.match(r".*?\d\.\d{3}", line) for line in lines[start + 2 : start + 6]]
    assert len({found.end() for found in ends if found}) == 1
    assert all(ends)


def test_patterns_of_both_levels() -> None:
    rng = np.random.default_rng(3)
    w, v = rng.normal(size=(2, 30))[:, np.arange(300) % 30]
    data = answers().assign(w=w, v=v)
    data.loc[:40, "x1"] = np.nan
    data.loc[data["site"] < 3, "w"] = np.nan
    data.loc[data["site"].between(2, 5), "v"] = np.nan
    model = "level: 1\nfw =~ x1 + x2 + x3\nlevel: 2\nfb =~ x1 + x2 + x3\nw ~ fb\nv ~ fb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = words(ak.sem(model, data, cluster="site", missing="fiml"))
    assert ["Number", "of", "missing", "patterns", "--", "level", "1", "2"] in found
    assert ["Number", "of", "missing", "patterns", "--", "level", "2", "3"] in found
