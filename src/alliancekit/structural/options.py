"""What is asked for, checked: estimator and its consequences for standard errors, tests and information."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from alliancekit.core.errors import SpecError, check_option, message, shown
from alliancekit.structural.arguments import check_flag, check_samples, check_seed
from alliancekit.structural.estimators import ESTIMATORS, MISSING, Words, plain_word, point_of, resolve
from alliancekit.structural.rotation.words import RotationWords, make_words
from alliancekit.structural.rules import CFA, EQUAL, GROWTH, SEM, Rules

LIKELIHOODS = ("normal", "wishart")
PARAMETERIZATIONS = ("delta", "theta")
BOUNDS = ("none", "pos.var", "pos.ov.var", "pos.lv.var", "standard", "wide", "wide.zerovar")
CODED = ("loadings", "intercepts")
FUNCTIONS = {"cfa": CFA, "sem": SEM, "growth": GROWTH}


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one fit, all resolved.

    Attributes
    ----------
    function : "cfa", "sem" or "growth". estimator : the word asked for. se, test, information, missing, likelihood :
        lavaan's words (test: the one by which measures are scaled; information: of standard errors).
    missing_given : whether ``missing`` was stated. rules : how the table is completed.
    group, cluster : columns or None. auxiliary : variables that help with missing values only. ordered : ordinal
    variables. bounds : what keeps parameters within what is possible. bootstrap, seed : samples, and seed of their
    draws, of bootstrap standard errors. rotation : how exploratory factors are rotated. words : se, tests and
    information in full; test_given : whether ``test`` was stated.
    """

    function: str
    estimator: str
    se: str
    test: str
    information: str
    missing: str
    missing_given: bool
    likelihood: str
    rules: Rules
    group: str | None = None
    cluster: str | None = None
    auxiliary: tuple[str, ...] = ()
    ordered: tuple[str, ...] = ()
    bounds: str = "none"
    bootstrap: int = 1000
    seed: int = 1
    rotation: RotationWords = field(default_factory=RotationWords)
    words: Words = field(default_factory=lambda: resolve("ML", "listwise", False))
    test_given: bool = False

    @property
    def point(self) -> str:
        """The estimator of the parameters themselves: ML, GLS, ULS, WLS or DWLS."""
        return point_of(self.estimator)


def make_options(
    function: str,
    *,
    estimator: str | None = None,
    missing: str | None = None,
    se: str | None = None,
    test: str | Sequence[str] | None = None,
    information: str | Sequence[str] | None = None,
    observed_information: str | Sequence[str] | None = None,
    h1_information: str | Sequence[str] | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool | None = None,
    effect_coding: bool | Sequence[str] = False,
    ordered: Sequence[str] = (),
    parameterization: str = "delta",
    bounds: str = "none",
    bootstrap: int | None = None,
    seed: int = 1,
    rotation: str = "geomin",
    rotation_args: Mapping[str, Any] | None = None,
    rotation_se: str = "bordered",
) -> Options:
    """Return the options of a fit.

    Raises
    ------
    SpecError : an unknown word, or words that do not go together.
    """
    for name, flag in (("std_lv", std_lv), ("orthogonal", orthogonal)):
        check_flag(name, flag)
    for name, choice in (("meanstructure", meanstructure), ("fixed_x", fixed_x)):
        check_flag(name, choice, unset=True)
    check_seed(seed)
    for name, column in (("group", group), ("cluster", cluster)):
        if column is not None and not isinstance(column, str):
            raise SpecError(message(f"{name}={shown(column)} is no name of a column", do="Give one name, as text"))
    word = check_option("estimator", str(estimator or ("WLSMV" if ordered else "ML")).upper(), ESTIMATORS)
    chosen = check_option("missing", plain_word(missing or "listwise"), MISSING)
    _check_ordinal(word, chosen, cluster, bool(ordered))
    kinds = (information, observed_information, h1_information)
    words = resolve(word, chosen, cluster is not None, se, test, *kinds)
    likelihood = _likelihood(likelihood, word, cluster)
    helping = (auxiliary,) if isinstance(auxiliary, str) else tuple(auxiliary)
    if helping and chosen not in ("fiml", "fiml.x"):
        what = "auxiliary variables help only where incomplete rows are kept"
        raise SpecError(message(what, do='Give missing="fiml", or leave auxiliary= out'))
    means = meanstructure
    if means is None:
        means = bool(ordered) or chosen != "listwise" or group is not None or cluster is not None
    turned = make_words(rotation, rotation_args, rotation_se, seed)
    rules = replace(
        _equal_rules(FUNCTIONS[function], group_equal, group_partial),
        meanstructure=bool(means) or function == "growth",
        std_lv=std_lv,
        orthogonal=orthogonal,
        fixed_x=bool(ordered) or point_of(word) == "ML" if fixed_x is None else fixed_x,
        theta=check_option("parameterization", plain_word(parameterization), PARAMETERIZATIONS) == "theta",
        orthogonal_efa=turned.orthogonal,
    )
    rules = _coded_rules(rules, effect_coding)
    within = _bounds(bounds)
    given = missing is not None
    own = (function, word, words.se, words.test, words.information[0], chosen, given, likelihood, rules)
    roles = (group, cluster, helping, tuple(ordered))
    samples = _samples(bootstrap, words)
    return Options(*own, *roles, within, samples, seed, turned, words, test is not None)


def _samples(asked: int | None, words: Words) -> int:
    """Return the number of bootstrap samples; raise where one is given and nothing is drawn."""
    if asked is not None and words.se != "bootstrap" and "bollen.stine" not in words.tests:
        what = f"bootstrap={shown(asked)} alone draws nothing"
        raise SpecError(message(what, do='Give se="bootstrap" (or test="bollen.stine"), too, or leave it out'))
    if asked is not None:
        check_samples(asked, "bootstrap")
    return 1000 if asked is None else asked


def _likelihood(asked: str, estimator: str, cluster: str | None) -> str:
    """Return the likelihood, checked."""
    found = check_option("likelihood", plain_word(asked), LIKELIHOODS)
    if found == "wishart" and (point_of(estimator) != "ML" or cluster):
        what = "the Wishart likelihood is for maximum likelihood of independent rows"
        raise SpecError(message(what, do='Leave likelihood= out, or take estimator="ML", "MLR" or "MLM"'))
    return found


def _bounds(asked: object) -> str:
    """Return the word for bounds, checked."""
    if not isinstance(asked, str | None):
        what = f"bounds={shown(asked)} is not a word"
        raise SpecError(message(what, do=f"Give one of these words: {', '.join(BOUNDS)}"))
    return "wide" if asked == "default" else check_option("bounds", plain_word(asked), BOUNDS)


def _equal_rules(rules: Rules, equal: Sequence[str] | str, partial: Sequence[str] | str) -> Rules:
    """Return rules with what is equal across groups."""
    words, exceptions = _words(equal), (partial,) if isinstance(partial, str) else tuple(partial)
    for name in words:
        check_option("group_equal", name, EQUAL)
    if exceptions and not words:
        raise SpecError(message("group_partial needs group_equal", do="Say what is equal, but for these parameters"))
    return replace(rules, group_equal=words, group_partial=exceptions)


def _coded_rules(rules: Rules, coding: bool | Sequence[str]) -> Rules:
    """Return rules with effect coding, and with first loadings fixed where nothing else gives a scale."""
    words = CODED if coding is True else _words(coding or ())
    for name in words:
        check_option("effect_coding", name, CODED)
    if rules.std_lv and "loadings" in words:
        what = "std_lv=True and effect coding of loadings both give latent variables their scale"
        raise SpecError(message(what, do="Take one of them"))
    return replace(rules, effect_coding=words, fix_first=not rules.std_lv and "loadings" not in words)


def _check_ordinal(word: str, missing: str, cluster: str | None, ordinal: bool) -> None:
    """Raise SpecError for words that ordinal variables, or only they, take."""
    if not ordinal:
        if missing == "pairwise":
            raise SpecError(message('missing="pairwise" is for ordinal variables', do='Take missing="fiml"'))
        if missing in ("fiml", "fiml.x") and point_of(word) == "DWLS":
            what = f'estimator {word} is for ordinal variables, without missing="{missing}", and ordered= is missing'
            do = 'Name them in ordered= and take missing="pairwise"; or take estimator="MLR" for continuous variables'
            raise SpecError(message(what, do=do))
        return
    if point_of(word) in ("ML", "GLS"):
        what = f"estimator {word} does not take ordinal variables"
        raise SpecError(message(what, do='Take estimator="WLSMV", or leave ordered= out to treat them as continuous'))
    if missing in ("fiml", "fiml.x"):
        what = "full information is not for ordinal variables"
        do = 'Take missing="pairwise"; or leave ordered= out, which with estimator="MLR" treats them as continuous'
        raise SpecError(message(what, do=do))
    if cluster:
        what = "ordinal variables with cluster= cannot be estimated"
        do = 'Leave ordered= out, which with estimator="MLR" treats items of five or more categories as continuous; '
        do += "or leave cluster= (and level: blocks) out, and read standard errors as too small"
        raise SpecError(message(what, do=do))


def _words(value: Sequence[str] | str | bool) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ()
    return tuple(plain_word(v) for v in ([value] if isinstance(value, str) else value))
