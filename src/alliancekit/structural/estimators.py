"""The words for estimators, standard errors, tests and information, and what each brings with it, as in lavaan."""

from __future__ import annotations

from alliancekit.core.errors import SpecError, check_option, message

ESTIMATORS: tuple[str, ...] = ("ML", "MLR", "MLM", "MLMV", "MLMVS", "MLF", "GLS", "ULS", "ULSM", "ULSMV", "ULSMVS")
ESTIMATORS += ("WLS", "DWLS", "WLSM", "WLSMV", "WLSMVS")
SCALED = {"M": "satorra.bentler", "MV": "scaled.shifted", "MVS": "mean.var.adjusted"}
"""Tests that are scaled by the covariance of the moments, by the last letters of the estimator."""
MISSING = ("listwise", "fiml", "fiml.x", "pairwise")
ERRORS = ("standard", "robust.huber.white", "robust.sem", "first.order", "bootstrap", "none")
TESTS = ("standard", "yuan.bentler", "yuan.bentler.mplus", *SCALED.values())
INFORMATION = ("expected", "observed", "first.order")
_SAME = {"ml": "fiml", "direct": "fiml", "ml.x": "fiml.x"}


def plain_word(value: object) -> str:
    """Return lavaan's form of a word: lower case, dots between parts."""
    text = str(value).lower().replace("_", ".")
    return _SAME.get(text, text)


def point_of(word: str) -> str:
    """Return the estimator of the parameters themselves: ML, GLS, ULS, WLS or DWLS."""
    return _defaults(word)[0]


def resolve(
    word: str, missing: str, clustered: bool, se: str | None, test: str | None, information: str | None
) -> tuple[str, str, str]:
    """Return standard errors, test and information of an estimator's word and what was asked for besides.

    Raises
    ------
    SpecError : an unknown word, or words that do not go together.
    """
    point, usual_errors, usual_test = _defaults(word)
    asked = plain_word(se or usual_errors)
    if asked == "robust":
        raw = missing != "listwise" or clustered
        asked = usual_errors if usual_errors.startswith("robust") else "robust.huber.white" if raw else "robust.sem"
        asked = "robust.sem" if point not in ("ML", "GLS") else asked
    errors = check_option("se", asked, ERRORS)
    tested = check_option("test", plain_word(test or usual_test), TESTS)
    if word == "MLF" or errors == "first.order":
        usual = "first.order"
    elif point == "ML" and (errors == "robust.huber.white" or missing != "listwise" or clustered):
        usual = "observed"
    else:
        usual = "expected"
    kind = check_option("information", plain_word(information or usual), INFORMATION)
    if word == "MLF" and not se and kind != "first.order":
        errors = "standard"
    _check_together(word, errors, tested, kind, missing if not clustered else "clustered")
    return errors, tested, kind


def _defaults(word: str) -> tuple[str, str, str]:
    """Return the point estimator of a word, its standard errors and its test."""
    if word == "MLR":
        return "ML", "robust.huber.white", "yuan.bentler.mplus"
    if word == "MLF":
        return "ML", "first.order", "standard"
    for stem, point in (("ML", "ML"), ("ULS", "ULS"), ("WLS", "DWLS")):
        ending = word.removeprefix(stem)
        if word.startswith(stem) and ending in SCALED:
            return point, "robust.sem", SCALED[ending]
    return word, "standard", "standard"


def _check_together(word: str, se: str, test: str, information: str, missing: str) -> None:
    """Raise SpecError for words that do not go together."""
    point = point_of(word)
    scaled = test in SCALED.values()
    shown = f"estimator {word} with se={se!r}, test={test!r} and information={information!r}"
    if information == "first.order" and (se.startswith("robust") or test.startswith("yuan")):
        raise SpecError(message(f"{shown}: robust methods need another information", do='Take "observed"'))
    if point in ("GLS", "WLS") and (scaled or (point == "GLS" and se == "robust.sem")):
        what = f"{shown}: {point} has a right test and right standard errors without correction"
        raise SpecError(message(what, do="Leave se= and test= out"))
    by_moments = se == "robust.sem" or scaled
    if not by_moments and point == "ML":
        return
    if missing in ("fiml", "fiml.x", "clustered"):
        what = f"{shown} needs complete rows that are independent of each other"
        raise SpecError(message(what, do='With missing values or clusters take estimator="MLR"'))
    if se in ("robust.huber.white", "first.order") or test.startswith("yuan") or information != "expected":
        do = 'estimator="MLR" or "MLM" brings what goes together'
        raise SpecError(message(f"{shown} do not go together", do=do))
