"""How exploratory factors are rotated: lavaan's words, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.structural.rotation.criteria import CRITERIA

Floats = NDArray[np.float64]
ORTHOGONAL = ("varimax", "entropy", "mccammon", "tandem1", "tandem2")
ROW_WEIGHTS = ("default", "none", "kaiser", "cureton-mulaik")
ORDERS = ("index", "sumofsquares", "none")
ERRORS = ("bordered", "delta")
SYNONYMS = {
    "crawfer": "cf",
    "crawford-ferguson": "cf",
    "crawfordferguson": "cf",
    "bi-quartimin": "biquartimin",
    "bi-geomin": "bigeomin",
}


@dataclass(frozen=True, eq=False, slots=True)
class RotationWords:
    """What is asked of a rotation; the words and defaults are those of lavaan's ``rotation.args``.

    Attributes
    ----------
    criterion : what is least. errors : "bordered" or "delta". orthogonal : factors stay uncorrelated.
    row_weights : what loadings are multiplied by while they are rotated. std_ov : items have variance one meanwhile.
    geomin_epsilon, orthomax_gamma, cf_gamma, oblimin_gamma, promax_kappa : constants of the criteria.
    target, target_mask : block -> (p, m) loadings aimed at (NaN: none), and 0 where the target does not count; the name
    "" stands for every block. rstarts : random starts; None: 30 for two factors, more for
    more. reflect : columns of loadings have a positive sum.
    order_lv_by : "index", "sumofsquares" or "none". gpa_tol, max_iter : where a search ends. seed : of the starts.
    """

    criterion: str = "geomin"
    errors: str = "bordered"
    orthogonal: bool = False
    row_weights: str = "none"
    std_ov: bool = True
    geomin_epsilon: float = 0.001
    orthomax_gamma: float = 1.0
    cf_gamma: float = 0.0
    oblimin_gamma: float = 0.0
    promax_kappa: float = 4.0
    target: Mapping[str, Floats] = field(default_factory=dict)
    target_mask: Mapping[str, Floats] = field(default_factory=dict)
    rstarts: int | None = None
    reflect: bool = True
    order_lv_by: str = "index"
    gpa_tol: float = 1e-5
    max_iter: int = 10_000
    seed: int = 1

    @property
    def given(self) -> dict[str, Any]:
        """The arguments that are not those of the criterion by default, targets left out."""
        plain = self.criterion if self.criterion not in ("target", "pst") else "geomin"
        usual = make_words(plain, None, self.errors, self.seed)
        names = [name for name in ARGUMENTS if name not in ("target", "target_mask")]
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(usual, name)}

    def starts(self, factors: int) -> int:
        """Return the number of random starts for some factors: minima multiply with the pairs of these."""
        return min(30 * (factors - 1) ** 2, 500) if self.rstarts is None else self.rstarts

    def target_of(self, block: str) -> tuple[Floats, Floats]:
        """Return the target of an exploratory block, and the weights (p, m): 0 where there is none."""
        found = [part.get(block, part.get("")) for part in (self.target, self.target_mask)]
        if found[0] is None:
            raise SpecError(message(f"there is no rotation target for the exploratory block '{block}'"))
        known = np.isfinite(found[0])
        weight = known.astype(float)
        if found[1] is not None and found[1].shape == weight.shape:
            weight = weight * (found[1] != 0)
        return np.where(known, found[0], 0.0), weight


ARGUMENTS = tuple(f.name for f in fields(RotationWords) if f.name not in ("criterion", "errors", "seed"))


def make_words(rotation: str, given: Mapping[str, Any] | None, errors: str, seed: int) -> RotationWords:
    """Return how to rotate.

    Raises
    ------
    SpecError : an unknown word or argument, a number out of its range, or no target where one is needed.
    """
    word = rotation.lower().replace("_", "-").replace(".", "-")
    criterion = check_option("rotation", SYNONYMS.get(word, word), CRITERIA)
    errors = check_option("rotation_se", errors.lower() if isinstance(errors, str) else errors, ERRORS)
    named = {str(name).replace(".", "_"): value for name, value in (given or {}).items()}
    for name in named:
        check_option("rotation_args", name, (*ARGUMENTS, "seed"))
    aims: dict[str, Any] = {
        name: _by_block(name, named.pop(name)) for name in ("target", "target_mask") if name in named
    }
    words = replace(RotationWords(criterion=criterion, errors=errors, seed=seed), **aims, **_checked(named))
    if criterion in ORTHOGONAL:
        words = replace(words, orthogonal=True)
    weights = words.row_weights
    if "row_weights" not in named or weights == "default":
        weights = "kaiser" if criterion in ("varimax", "promax") else "none"
    if criterion in ("target", "pst") and not words.target:
        do = 'Give rotation_args={"target": array}, one row per item and one column per factor; NaN where it is open'
        raise SpecError(message("a rotation to a target needs the target", do=do))
    if criterion == "pst" and not words.target_mask and not any(np.isnan(t).any() for t in words.target.values()):
        raise SpecError(message('rotation="pst" needs target_mask, or NaN in the target', do="Say what is left open"))
    return replace(words, row_weights=weights)


def _checked(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments with the types and within the limits that they have."""
    out = dict(named)
    for name, choices in (("row_weights", ROW_WEIGHTS), ("order_lv_by", ORDERS)):
        if name in out:
            out[name] = check_option(name, str(out[name]).lower().replace(".", "-").replace("_", "-"), choices)
    for name in ("orthogonal", "std_ov", "reflect"):
        if name in out and not isinstance(out[name], bool | np.bool_):
            raise SpecError(message(f"{name}={out[name]!r} is not True or False", where="rotation_args"))
    limits = {"geomin_epsilon": 1e-12, "promax_kappa": 1.0, "gpa_tol": 1e-12, "rstarts": 0, "max_iter": 1}
    for name in (*limits, "orthomax_gamma", "cf_gamma", "oblimin_gamma", "seed"):
        if name not in out:
            continue
        value, lowest = out[name], limits.get(name, -np.inf)
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if not number or not np.isfinite(value) or value < lowest:
            what = f"{name}={value!r} is out of its range"
            raise SpecError(message(what, where="rotation_args", do="Give a number, such as lavaan's default"))
        out[name] = int(value) if name in ("rstarts", "max_iter", "seed") else float(value)
    return out


def _by_block(name: str, value: Any) -> dict[str, Floats]:
    """Return targets by exploratory block; one target alone is for every block."""
    parts = value if isinstance(value, Mapping) else {"": value}
    try:
        found = {str(block): np.asarray(part, dtype=np.float64) for block, part in parts.items()}
    except (TypeError, ValueError):
        found = {}
    if not found or any(part.ndim != 2 for part in found.values()):
        do = "Give an array, one row per item and one column per factor, or a mapping from block to array"
        raise SpecError(message(f"{name} is not a table of numbers", where="rotation_args", do=do))
    return found
