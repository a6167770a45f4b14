"""Parameter tables: made without data, changed, taken apart as frames and read again, and fitted."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.structural.constraints import read_constraints
from alliancekit.structural.table import COLUMNS, ParameterTable

MODEL = "f =~ x1 + x2 + x3\ng =~ x4 + x5 + x6"
LEVELS = "level: 1\nfw =~ y1 + y2 + y3\nlevel: 2\nfb =~ y1 + y2 + y3\ny1 ~~ 0*y1"


def data(n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(20)
    f = rng.normal(size=(n, 2))
    f[:, 1] += 0.5 * f[:, 0]
    out = pd.DataFrame(f[:, [0, 0, 0, 1, 1, 1]] + rng.normal(size=(n, 6)), columns=["x1", "x2", "x3", "x4", "x5", "x6"])
    return out.assign(site=np.where(np.arange(n) % 3 == 0, "south", "north"))


def same(one: ParameterTable, other: ParameterTable) -> None:
    for name in COLUMNS:
        ours, theirs = getattr(one, name), getattr(other, name)
        if name in ("start", "lower", "upper"):
            np.testing.assert_array_equal(ours, theirs)
        else:
            assert ours == theirs, name
    assert (one.group_labels, one.n_levels) == (other.group_labels, other.n_levels)
    assert one.expressions == other.expressions


@pytest.mark.parametrize(
    ("model", "function", "options"),
    [
        (MODEL, "cfa", {}),
        (MODEL, "cfa", {"std_lv": True, "orthogonal": True, "meanstructure": True}),
        (MODEL, "cfa", {"groups": ("a", "b"), "group_equal": ["loadings", "intercepts"], "group_partial": "f =~ x2"}),
        (MODEL, "cfa", {"effect_coding": True}),
        ("m ~ a*x\ny ~ b*m + x\nab := a*b\na > 0", "sem", {"fixed_x": False}),
        ("f =~ u1 + u2 + u3 + lower(0)*x1", "cfa", {"categories": {"u1": 3, "u2": 2}, "parameterization": "theta"}),
        ('efa("e")*f1 + efa("e")*f2 =~ x1 + x2 + x3 + x4 + x5', "cfa", {}),
        (LEVELS, "sem", {}),
        ("f =~ 1*x1 + x2\nx1 ~~ x1", "lavaan", {}),
    ],
)
@pytest.mark.option("parameter_table.model", "frame and back")
def test_a_frame_is_read_back_as_the_same_table(model: str, function: str, options: dict[str, object]) -> None:
    table = ak.parameter_table(model, function, **options)
    same(ak.parameter_table(table.frame(), groups=options.get("groups", ())), table)


def test_a_short_frame_is_enough() -> None:
    rows = [("f", "=~", "x1", 1.0), ("f", "=~", "x2", None), ("f", "=~", "x3", None)]
    rows += [(v, "~~", v, None) for v in ("x1", "x2", "x3", "f")]
    table = ak.parameter_table(pd.DataFrame(rows, columns=["lhs", "op", "rhs", "ustart"]))
    assert table.free == (0, 1, 2, 3, 4, 5, 6)
    ours = ak.cfa(table, data()).tidy()["estimate"]
    np.testing.assert_allclose(ours, ak.cfa("f =~ x1 + x2 + x3", data()).tidy()["estimate"], rtol=1e-6)


def test_a_table_is_fitted_as_its_syntax() -> None:
    table = ak.parameter_table(MODEL, groups=("south", "north"), group_equal=["loadings", "intercepts"])
    one = ak.cfa(table, data(), group="site").fit_measures()
    other = ak.cfa(MODEL, data(), group="site", group_equal=["loadings", "intercepts"]).fit_measures()
    np.testing.assert_allclose(one.to_numpy(dtype=float), other.to_numpy(dtype=float), rtol=1e-9)


def test_fixing_releasing_and_tying_are_what_syntax_says() -> None:
    table, d = ak.parameter_table(MODEL), data()
    fixed = table.fix(table.find("f", "=~", "x2"), 0.9)
    freed = fixed.release(fixed.find("f", "=~", "x1"))
    tied = table.tie(table.find("f", "=~", "x2"), table.find("f", "=~", "x3"))
    pairs = [(freed, "f =~ NA*x1 + 0.9*x2 + x3\ng =~ x4 + x5 + x6"), (tied, "f =~ x1 + a*x2 + a*x3\ng =~ x4 + x5 + x6")]
    for ours, syntax in pairs:
        assert ak.cfa(ours, d).fit_measures()["chisq"] == pytest.approx(
            ak.cfa(syntax, d).fit_measures()["chisq"], rel=1e-7
        )
    assert table.n_free == 13 and len(table) == 15 and fixed.n_free == 12


def test_rows_are_added_and_taken_out_again() -> None:
    table, d = ak.parameter_table(MODEL), data()
    wider = table.with_rows("x1 ~~ x4\nf =~ b*x3\nb == 0.8")
    syntax = "f =~ x1 + x2 + b*x3\ng =~ x4 + x5 + x6\nx1 ~~ x4\nb == 0.8"
    assert ak.cfa(wider, d).fit_measures()["chisq"] == pytest.approx(
        ak.cfa(syntax, d).fit_measures()["chisq"], rel=1e-7
    )
    assert wider.op[-1] == "==" and wider.n_free == table.n_free + 1
    assert wider.without(len(wider) - 1).n_free == wider.n_free
    same(table.with_rows("x1 ~~ x4").without(15), table)
    changed = table.with_rows("f =~ NA*x1 + start(0.7)*x2 + 0.5*x3\nx6 ~~ lower(0)*x6")
    assert [changed.free[i] for i in range(3)] == [1, 2, 0]
    assert math.isnan(changed.start[0]) and changed.start[1:3] == (0.7, 0.5)
    assert changed.lower[changed.find("x6", "~~", "x6")] == 0


def test_rows_are_added_to_groups_and_levels() -> None:
    table = ak.parameter_table(MODEL, groups=("a", "b"))
    assert table.with_rows("x1 ~~ x2").n_free == table.n_free + 2
    assert table.with_rows("group: b\nx1 ~~ x2").n_free == table.n_free + 1
    both = table.with_rows("x1 ~~ c(0.1, NA)*x2")
    assert (both.free[both.find("x1", "~~", "x2")], both.start[both.find("x1", "~~", "x2")]) == (0, 0.1)
    assert both.free[both.find("x2", "~~", "x1", group=2)] > 0
    two = ak.parameter_table(LEVELS, "sem")
    wider = two.with_rows("level: between\ny2 ~~ y3")
    assert wider.level[wider.find("y2", "~~", "y3")] == 2 and wider.n_free == two.n_free + 1


def test_constraints_find_the_parameters_of_a_changed_table() -> None:
    table = ak.parameter_table("f =~ x1 + a*x2 + b*x3 + x4\na == b\nd := a - b")
    shifted = table.without(table.find("f", "=~", "x4")).without(table.find("x4", "~~", "x4") - 1)
    constraints = read_constraints(shifted)
    assert constraints.linear.basis.shape == (shifted.n_free, shifted.n_free - 1)
    value, _ = constraints.define(np.arange(1.0, shifted.n_free + 1))
    assert value == pytest.approx([-1.0])


def test_a_table_prints_and_names_its_parameters() -> None:
    table = ak.parameter_table("f =~ x1 + x2 + x3\nx1 ~~ c(v, w)*x1", groups=("a", "b"), meanstructure=False)
    assert "=~" in repr(table) and len(repr(table).splitlines()) == len(table) + 1
    assert table.names()[:3] == ("f=~x2", "f=~x3", "v") and "f=~x2.g2" in table.names()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"lhs": ["f"], "op": ["=~"]}, "needs the column 'rhs'"),
        ({"lhs": ["f"], "op": ["=="], "rhs": ["2 +"]}, "missing at the end"),
        ({"lhs": ["f"], "op": ["<-"], "rhs": ["x"]}, "'<-' is no operator.*row 0"),
        ({"lhs": ["f"], "op": ["=~"], "rhs": [""]}, "one side of =~ is empty"),
        ({"lhs": ["f"], "op": ["=~"], "rhs": ["x"], "free": [0]}, "is fixed and has no value"),
        ({"lhs": ["f"], "op": ["=~"], "rhs": ["x"], "start": ["much"]}, "'much' in column start is no number"),
        ({"lhs": ["f"], "op": ["=~"], "rhs": ["x"], "group": [0]}, "numbered from 1"),
        ({"lhs": ["f", "g"], "op": ["~~", "~~"], "rhs": ["g", "f"]}, "stands in rows 0 and 1"),
        ({"lhs": ["f", "g"], "op": ["~~"] * 2, "rhs": ["f", "g"], "plabel": [".p1."] * 2}, "two parameters have the"),
    ],
)
def test_frames_that_are_no_tables(frame: dict[str, list[object]], words: str) -> None:
    with pytest.raises(ak.SpecError, match=words):
        ak.parameter_table(pd.DataFrame(frame))


def test_changes_that_cannot_be() -> None:
    table = ak.parameter_table(MODEL + "\nf ~~ r*g\nr < 0.9")
    last = len(table) - 1
    for wrong, words in (
        (lambda: table.fix(99, 1.0), "no row 99"),
        (lambda: table.fix(0, math.nan), "not a value"),
        (lambda: table.release(last), "is a constraint"),
        (lambda: table.tie(1, 1), "always equal to itself"),
        (lambda: table.tie(1, last), "is a constraint"),
        (lambda: table.without(-1), "no row -1"),
        (lambda: table.without(table.find("f", "~~", "g")), "names this parameter"),
        (lambda: table.find("f", "=~", "x9"), "no parameter 'f =~ x9'"),
        (lambda: table.with_rows("level: 1\nx1 ~~ x2"), "the table has one level"),
        (lambda: table.with_rows("group: b\nx1 ~~ x2"), "no group 'b'"),
        (lambda: table.with_rows('f =~ equal("f=~x2")*x3'), "cannot be added"),
        (lambda: table.with_rows("x1 ~~ c(1, 2)*x2"), "2 values are given for 1 group"),
        (lambda: ak.parameter_table(LEVELS, "sem").with_rows("y1 ~~ y2"), "has two levels"),
        (lambda: ak.parameter_table(MODEL, "cfaa"), "function='cfaa'"),
        (lambda: ak.parameter_table(MODEL, parameterization="gamma"), "parameterization='gamma'"),
        (
            lambda: ak.parameter_table(
                pd.DataFrame({"lhs": ["f"], "op": ["~~"], "rhs": ["f"], "group": [3]}), groups=["a", "b"]
            ),
            "has 3 groups and 2 labels",
        ),
    ):
        with pytest.raises(ak.SpecError, match=words):
            wrong()


def test_one_label_for_all_groups_is_warned_of() -> None:
    with pytest.warns(ak.DesignWarning, match=r"equal in all groups: a, b.*c\(a1, a2\)\*variable"):
        table = ak.parameter_table("f =~ x1 + a*x2 + b*x3 + x4", groups=("u", "v"))
    assert table.op.count("==") == 2
    ak.parameter_table("f =~ x1 + a*x2 + x3 + x4", groups=("u", "v"), group_equal="loadings")
    ak.parameter_table("f =~ x1 + c(a, b)*x2 + x3 + x4", groups=("u", "v"))
    ak.parameter_table("f =~ x1 + a*x2 + x3 + x4")
