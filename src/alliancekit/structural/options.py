"""What is asked for, checked: estimator and its consequences for standard errors, tests and information."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.structural.rules import CFA, EQUAL, GROWTH, SEM, Rules

ESTIMATORS: tuple[str, ...] = ("ML", "MLR", "MLM", "MLMV", "MLMVS", "MLF", "GLS", "ULS", "ULSM", "ULSMV", "ULSMVS")
ESTIMATORS += ("WLS", "DWLS", "WLSM", "WLSMV", "WLSMVS")
_ENDINGS = {"M": "satorra.bentler", "MV": "scaled.shifted", "MVS": "mean.var.adjusted"}
MISSING = ("listwise", "fiml", "fiml.x")
ERRORS = ("standard", "robust.huber.white", "robust.sem", "first.order", "none")
TESTS = ("standard", "yuan.bentler", "yuan.bentler.mplus", *_ENDINGS.values())
INFORMATION = ("expected", "observed", "first.order")
LIKELIHOODS = ("normal", "wishart")
FUNCTIONS = {"cfa": CFA, "sem": SEM, "growth": GROWTH}
_SAME = {
    "ml": "fiml",
    "direct": "fiml",
    "ml.x": "fiml.x",
    "robust": "robust.huber.white",
    "mlr": "robust.huber.white",
}


@dataclass(frozen=True, slots=True)
class Options:
    """Options of one fit, all resolved.

    Attributes
    ----------
    function : "cfa", "sem" or "growth". estimator : the word asked for. se, test, information, missing, likelihood :
        lavaan's words. missing_given : whether ``missing`` was stated. rules : how the table is completed.
    group, cluster : columns or None. auxiliary : variables that help with missing values only.
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

    @property
    def point(self) -> str:
        """The estimator of the parameters themselves: ML, GLS, ULS, WLS or DWLS."""
        return _resolve(self.estimator)[0]


def make_options(
    function: str,
    *,
    estimator: str = "ML",
    missing: str | None = None,
    se: str | None = None,
    test: str | None = None,
    information: str | None = None,
    likelihood: str = "normal",
    group: str | None = None,
    group_equal: Sequence[str] | str = (),
    group_partial: Sequence[str] | str = (),
    cluster: str | None = None,
    auxiliary: Sequence[str] | str = (),
    std_lv: bool = False,
    orthogonal: bool = False,
    meanstructure: bool | None = None,
    fixed_x: bool = True,
    effect_coding: bool | Sequence[str] = False,
) -> Options:
    """Return the options of a fit.

    Raises
    ------
    SpecError : an unknown word, or words that do not go together.
    """
    word = check_option("estimator", str(estimator).upper(), ESTIMATORS)
    chosen = check_option("missing", _word(missing or "listwise"), MISSING)
    point, defaults = _resolve(word)
    kind = check_option("information", _word(information or defaults[2] or _usual(chosen, cluster)), INFORMATION)
    errors = check_option("se", _word(se or defaults[0]), ERRORS)
    tested = check_option("test", _word(test or defaults[1]), TESTS)
    check_option("likelihood", likelihood, LIKELIHOODS)
    if likelihood == "wishart" and (chosen != "listwise" or word != "ML" or cluster):
        raise SpecError(message("the Wishart likelihood is for complete data and estimator='ML'"))
    _check_together(point, errors, tested, kind, chosen, cluster)
    equal = _words(group_equal)
    for name in equal:
        check_option("group_equal", name, EQUAL)
    if (equal or _words(group_partial)) and group is None:
        raise SpecError(message("group_equal needs groups", do="Name the column in group="))
    coding = ("loadings", "intercepts") if effect_coding is True else _words(effect_coding or ())
    means = meanstructure
    if means is None:
        means = _needs_means(function, chosen, group, cluster)
    rules = replace(
        FUNCTIONS[function],
        meanstructure=bool(means) or function == "growth",
        std_lv=std_lv,
        fix_first=not std_lv and not coding,
        orthogonal=orthogonal,
        fixed_x=fixed_x,
        effect_coding=coding,
        group_equal=equal,
        group_partial=tuple(group_partial) if not isinstance(group_partial, str) else (group_partial,),
        intercepts_latent=FUNCTIONS[function].intercepts_latent or "intercepts" in coding,
    )
    helping = (auxiliary,) if isinstance(auxiliary, str) else tuple(auxiliary)
    if helping and chosen == "listwise":
        what = "auxiliary variables help only where incomplete rows are kept"
        raise SpecError(message(what, do='Give missing="fiml", or leave auxiliary= out'))
    given = missing is not None
    return Options(function, word, errors, tested, kind, chosen, given, likelihood, rules, group, cluster, helping)


def _resolve(word: str) -> tuple[str, tuple[str, str, str]]:
    """Return the point estimator of a word, and what goes with it: standard errors, test, information."""
    if word == "MLR":
        return "ML", ("robust.huber.white", "yuan.bentler.mplus", "observed")
    if word == "MLF":
        return "ML", ("first.order", "standard", "first.order")
    for stem, point in (("ML", "ML"), ("ULS", "ULS"), ("WLS", "DWLS")):
        ending = word.removeprefix(stem)
        if word.startswith(stem) and ending in _ENDINGS:
            return point, ("robust.sem", _ENDINGS[ending], "expected")
    return word, ("standard", "standard", "" if word == "ML" else "expected")


def _check_together(point: str, se: str, test: str, information: str, missing: str, cluster: str | None) -> None:
    """Raise SpecError for words that do not go together."""
    by_gamma = se == "robust.sem" or test in _ENDINGS.values()
    if not (by_gamma or point != "ML"):
        return
    if missing != "listwise" or cluster:
        what = f"estimator, se and test by the covariance of the moments ({point}, {se}, {test}) need complete rows"
        raise SpecError(message(what, do='With missing values or clusters take estimator="MLR"'))
    likelihood = se in ("robust.huber.white", "first.order") or test.startswith("yuan") or information != "expected"
    if likelihood:
        raise SpecError(message(f"estimator, se, test and information do not go together: {point}, {se}, {test}"))


def _usual(missing: str, cluster: str | None) -> str:
    return "observed" if missing != "listwise" or cluster else "expected"


def _needs_means(function: str, missing: str, group: str | None, cluster: str | None) -> bool:
    return bool(function == "growth" or missing != "listwise" or group or cluster)


def _word(value: str) -> str:
    """Return lavaan's form of a word: lower case, dots between parts."""
    text = str(value).lower().replace("_", ".")
    return _SAME.get(text, text)


def _words(value: Sequence[str] | str | bool) -> tuple[str, ...]:
    if isinstance(value, bool):
        return ()
    return tuple(_word(v) for v in ([value] if isinstance(value, str) else value))
