"""The frozen truth on scored variables is what its code makes, and the code sums over chunks rightly."""

from __future__ import annotations

import numpy as np
import pytest

from alliancekit.simulation.observed import CASES, SEED, Sample, load, run
from alliancekit.simulation.tfcbt import population, truths
from alliancekit.simulation.tfcbt.truths import COLUMNS, quantities, scored

NAMES = {("true", "main"): "tfcbt_true", ("true", "modest"): "tfcbt_modest"}
FILES = {pair: NAMES.get(pair, f"tfcbt_{pair[0]}") for pair in population.VARIANTS}


def compare(variant: str, effect: str, cases: int, seed: int) -> dict[str, float]:
    """Return each quantity's difference from the frozen value in Monte Carlo standard errors of the difference."""
    values, spread = truths.observed_run(variant, effect, cases=cases, seed=seed)
    frozen = load(FILES[variant, effect])
    assert list(frozen["values"]) == list(values)
    return {
        name: (values[name] - frozen["values"][name]) / np.hypot(spread[name], frozen["monte_carlo_se"][name])
        for name in values
    }


def test_a_small_rerun_agrees_with_the_frozen_values() -> None:
    """Four chunks: standard errors of the rerun itself are rough, so the bound is wide."""
    far = {k: z for k, z in compare("true", "main", 200_000, 77).items() if abs(z) > 8}
    assert not far, far


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "effect"), list(population.VARIANTS))
def test_a_large_rerun_with_another_seed_agrees(variant: str, effect: str) -> None:
    far = {k: z for k, z in compare(variant, effect, 600_000, 78).items() if abs(z) > 4.5}
    assert not far, far


@pytest.mark.slow
def test_the_frozen_file_is_what_its_seed_makes() -> None:
    values, _ = truths.observed_run("true", "main", cases=CASES, seed=SEED)
    frozen = load("tfcbt_true")
    assert frozen["cases"] == CASES and frozen["seed"] == SEED
    for name, value in values.items():
        assert value == pytest.approx(frozen["values"][name], rel=1e-6, abs=1e-9), name


def test_chunks_add_up_to_the_regression_of_all_cases() -> None:
    draws: list[Sample] = []

    def sample(seed: np.random.SeedSequence, cases: int) -> Sample:
        made = truths.sample("true", "main", seed, cases)
        draws.append(made)
        return made

    values, _ = run(sample, quantities, cases=6_000, chunk=2_000, seed=5)
    whole = np.vstack([d.values for d in draws])
    whole = whole[~np.isnan(whole).any(axis=1)]
    direct = quantities(np.cov(whole, rowvar=False))
    for name, value in direct.items():
        assert values[name] == pytest.approx(value, rel=1e-8), name
    X = np.column_stack([np.ones(len(whole)), whole[:, :-1]])
    slopes = np.linalg.lstsq(X, whole[:, -1], rcond=None)[0]
    assert values["coef(task | sev, change, bond, goal)"] == pytest.approx(slopes[COLUMNS.index("task") + 1], rel=1e-6)
    assert values["dropout_share"] == pytest.approx(np.mean([d.shares["dropout_share"] for d in draws]))


def test_scores_are_those_an_analysis_makes() -> None:
    import alliancekit as ak

    twin = ak.simulate("tfcbt", n=60, seed=4)
    study = ak.score(twin.study, "WAI-SR", prefix="wai_", name="wai")
    study = ak.early_window(study, ["wai_task", "wai_bond", "wai_goal", "pcl"])
    frame = study.data.drop_duplicates("patient").set_index("patient")
    from alliancekit.core.seeds import spawn

    drawn = population.draw(spawn(spawn(4, 1)[0], 2)[0], 60, "true")
    order = np.lexsort((np.arange(60), drawn.therapist))
    expected = scored(drawn)[order]
    for column, name in (("task", "wai_task_early"), ("bond", "wai_bond_early"), ("goal", "wai_goal_early")):
        np.testing.assert_allclose(frame[name], expected[:, COLUMNS.index(column)], rtol=1e-12)
    np.testing.assert_allclose(frame["pcl_early"] - frame["pcl_0"], expected[:, COLUMNS.index("change")], rtol=1e-12)


def test_observed_truth_is_smaller_than_latent_truth() -> None:
    latent, observed = truths.latent_truth("true"), load("tfcbt_true")["values"]
    assert observed["delta_r2(task | sev)"] == pytest.approx(0.060, abs=0.0025)
    assert observed["r(task, goal)"] == pytest.approx(0.68, abs=0.01)
    assert latent["delta_r2(task | sev)"] > observed["delta_r2(task | sev)"]
    assert observed["dropout_share"] == pytest.approx(0.30, abs=0.002)
