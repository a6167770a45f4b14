"""Second opinions: agreement where peers are right, and the right word where they are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.reference.test_mlm import FAMILY, fit

import alliancekit as ak
from alliancekit.peers.verdict import judge

CASES = sorted(p.name for p in FAMILY.iterdir() if (p / "model.json").exists())
STATSMODELS = (
    "dyestuff",
    "btheb_ri",
    "btheb_rs_interaction",
    "lq2002_ri",
    "sleepstudy_ri",
    "sleepstudy_rs",
    "sleepstudy_uncorrelated",
    "pastes_nested",
    "penicillin_crossed",
    "sim_lagged_alliance",
)


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("sim_weights", "hsb82_crosslevel")])
def test_mixedlm_agrees_on_the_reference_cases(case: str) -> None:
    pytest.importorskip("mixedlm")
    fitted = fit(case, "REML")
    table = ak.crosscheck(fitted, peers=["mixedlm"]).tidy()
    assert set(table["colour"]) <= {"green", "amber", "stopped below optimum"}, table.to_string()


@pytest.mark.option("crosscheck.peers", "crosscheck")
@pytest.mark.parametrize("case", STATSMODELS)
def test_statsmodels_agrees_where_it_can_say_the_model(case: str) -> None:
    result = ak.crosscheck(fit(case, "REML"), peers=["statsmodels"])
    assert set(result.tidy()["colour"]) == {"green"}, result
    assert result.agrees


def wrong_optimum_data() -> pd.DataFrame:
    """Random slopes over time coded 0 to 11: statsmodels' default optimiser stops far from the optimum."""
    rng = np.random.default_rng(20)
    n, sessions = 200, 12
    effects = rng.multivariate_normal([0, 0], [[9.0, -0.25], [-0.25, 0.09]], n)
    time = np.tile(np.arange(float(sessions)), (n, 1))
    within = rng.normal(0, 0.6, (n, sessions))
    y = 20 + effects[:, :1] + (effects[:, 1:] - 0.45) * time - 0.8 * within + rng.normal(0, 2.0, (n, sessions))
    return pd.DataFrame(
        {
            "patient": np.repeat(np.arange(n), sessions),
            "time": time.ravel(),
            "all_w": within.ravel(),
            "y": y.ravel(),
        }
    )


def test_a_peer_at_a_wrong_optimum_is_called_so() -> None:
    fitted = ak.mixed("y ~ time + all_w + (1 + time | patient)", wrong_optimum_data())
    result = ak.crosscheck(fitted)
    engines = result.glance().set_index("engine")
    plain = engines[[name.startswith("statsmodels") and "powell" not in name for name in engines.index]].iloc[0]
    assert plain["colour"] == "stopped below optimum"
    assert plain["below_optimum"] > 100
    assert "red" not in set(result.tidy()["colour"])
    second = engines[[("powell" in name) for name in engines.index]].iloc[0]
    assert second["colour"] in ("green", "amber")
    assert result.agrees
    assert "stopped" in ak.sentence(result).text


def test_a_peer_slightly_below_the_optimum_gets_a_second_try() -> None:
    engines = ak.crosscheck(fit("sim_group_therapy_few_clusters", "REML"), peers=["statsmodels"]).glance()
    assert engines["colour"].tolist() == ["stopped below optimum", "green"]
    assert engines["engine"].iloc[1].endswith("(powell)")
    assert "did not report convergence" in engines["note"].iloc[0]


def test_standard_errors_of_another_kind_do_not_colour_the_estimates() -> None:
    result = ak.crosscheck(fit("sim_lagged_alliance", "REML"), peers=["statsmodels"])
    table = result.tidy()
    of_errors = (table["std_error_peer"] - table["std_error_ours"]).abs() / table["std_error_ours"]
    assert of_errors.max() > 0.1
    assert set(table["colour"]) == {"green"}
    notes = " ".join(ak.table(result).notes)
    assert notes.count("observed information of all parameters") == 1


def test_what_a_peer_cannot_say_is_named() -> None:
    nested_slope = ak.crosscheck(fit("sim_threelevel_alliance", "REML"), peers=["statsmodels"]).tidy()
    assert "no correlated random slope" in nested_slope["note"].iloc[0]
    weighted = ak.crosscheck(fit("sim_weights", "REML")).tidy()
    assert set(weighted["colour"]) == {"not expressible"}


def test_an_absent_peer_is_shown_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    from alliancekit.peers import mixedlm_peer

    monkeypatch.setattr(mixedlm_peer.util, "find_spec", lambda name: None)
    table = ak.crosscheck(fit("dyestuff", "REML"), peers=["mixedlm"]).tidy()
    assert set(table["colour"]) == {"not installed"}


def test_colours() -> None:
    assert [judge(d, 0.0) for d in (0.009, 0.05, 0.2)] == ["green", "amber", "red"]
    assert judge(0.001, 0.05) == "green"
    assert judge(0.05, 0.05) == "stopped below optimum"


def test_wrong_input_is_told() -> None:
    with pytest.raises(ak.SpecError, match="Did you mean peers='statsmodels'"):
        ak.crosscheck(fit("dyestuff", "REML"), peers=["statsmodel"])
    with pytest.raises(ak.SpecError, match="DataFrame has no second opinion"):
        ak.crosscheck(pd.DataFrame())


def test_table_shows_every_engine() -> None:
    table = ak.table(ak.crosscheck(fit("sim_threelevel_alliance", "REML")))
    assert any("not expressible" in str(v) for v in table.data["colour"])
    assert any("no correlated random slope" in note for note in table.notes)
