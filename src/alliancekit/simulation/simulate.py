"""``simulate``: a study whose truth is known."""

from __future__ import annotations

import importlib

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.simulation.observed import load
from alliancekit.simulation.types import Generator, Simulated

GENERATORS: dict[str, str] = {"tfcbt": "alliancekit.simulation.tfcbt"}
"""Name -> module that defines ``GENERATOR``. A further generator is one folder and one line here."""


def simulate(
    name: str, *, n: int | None = None, seed: int = 1, variant: str = "true", effect: str = "main"
) -> Simulated:
    """Return a simulated study with its truth beside it.

    Parameters
    ----------
    name : generator: "tfcbt" (trauma-focused therapy in veterans: task agreement beyond severity; 12 weekly sessions,
        patients in therapists).
    n : number of patients; None takes the size of the shipped example (120 for "tfcbt").
    seed : whole number; the same seed gives the same study to the last digit.
    variant : "true", "null" (twin in which the key effect is zero) or "trap" (twin in which task agreement predicts
        beyond severity only because bond and goal do; the wrong model looks good).
    effect : "main", or for the variant "true" of "tfcbt" also "modest" (task -.15 in place of -.24).

    Returns
    -------
    Simulated with ``study``, ``truth`` ("latent" and "observed"), ``variant``, ``seed``; ``write(folder)`` makes a data
    folder of it.

    Raises
    ------
    SpecError : unknown name, variant or effect (the nearest right word is named), n too small, seed not a whole number.

    Notes
    -----
    The latent truth follows from the generator's constants. Four items per scale cut into five answers measure with
    error, so the same estimand on scored items is smaller (for "tfcbt" the increment of task over severity falls from
    .076 to about .059): a scored analysis is to be judged against ``truth["observed"]``, which comes from one frozen
    run of a million cases.

    Checked against
    ---------------
    The covariances, means and missing shares of large draws against the constants, the frozen observed truth against a
    rerun, and recovery of the coefficients by regression and mixed models (tests/recovery).

    When not to use
    ---------------
    A simulated study shows what a method does when its model holds. It is no evidence about therapy.

    Examples
    --------
    >>> import alliancekit as ak
    >>> twin = ak.simulate("tfcbt", n=60, seed=3)
    >>> twin.study.tables["session"].shape
    (720, 16)
    >>> round(twin.truth["latent"]["delta_r2(task | sev)"], 4)
    0.0763
    """
    check_option("name", name, sorted(GENERATORS))
    generator: Generator = importlib.import_module(GENERATORS[name]).GENERATOR
    check_option("variant", variant, list(generator.variants))
    check_option("effect", effect, list(generator.variants[variant]))
    size = generator.default_n if n is None else n
    for word, value in (("n", size), ("seed", seed)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpecError(message(f"{word}={value!r} is not a whole number", do=f"Give {word} as an integer"))
    if size < generator.smallest:
        raise SpecError(message(f"n={size} is too small for '{name}'", do=f"Use at least n={generator.smallest}"))
    if seed < 0:
        raise SpecError(message(f"seed={seed} is negative", do="Use a seed of 0 or more"))
    study, latent = generator.build(generator.seeds(seed), size, variant, effect)
    source = load(generator.truth_file(variant, effect))
    observed = source["values"]
    return Simulated(
        study=study,
        truth={"latent": generator.latent_truth(variant, effect), "observed": dict(observed)},  # type: ignore[call-overload]
        variant=variant,
        seed=seed,
        name=name,
        effect=effect,
        n=size,
        latent=latent,
        truth_source={k: v for k, v in source.items() if k != "values"},
    )
