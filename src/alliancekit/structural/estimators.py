"""The words for estimators, standard errors, tests and information, and what each brings with it, as in lavaan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alliancekit.core.errors import SpecError, check_option, message, shown

ESTIMATORS: tuple[str, ...] = ("ML", "MLR", "MLM", "MLMV", "MLMVS", "MLF", "GLS", "ULS", "ULSM", "ULSMV", "ULSMVS")
ESTIMATORS += ("WLS", "DWLS", "WLSM", "WLSMV", "WLSMVS")
SCALED = {"M": "satorra.bentler", "MV": "scaled.shifted", "MVS": "mean.var.adjusted"}
"""Tests that are scaled by the covariance of the moments, by the last letters of the estimator."""
YUAN = ("yuan.bentler", "yuan.bentler.mplus")
BROWNE = ("browne.residual.nt", "browne.residual.adf", "browne.residual.nt.model", "browne.residual.adf.model")
MISSING = ("listwise", "fiml", "fiml.x", "pairwise")
ERRORS = ("standard", "robust.huber.white", "robust.sem", "first.order", "bootstrap", "none")
TESTS = ("standard", "none", *YUAN, *SCALED.values(), *BROWNE, "bollen.stine")
INFORMATION = ("expected", "observed", "first.order")
OBSERVED = ("hessian", "h1")
STRUCTURED = ("structured", "unstructured")
_SAME = {"ml": "fiml", "direct": "fiml", "ml.x": "fiml.x"}
_SAME_ERRORS = {"robust.mlm": "robust.sem", "robust.mlr": "robust.huber.white", "sandwich": "robust.huber.white"}
_SAME_ERRORS |= {"boot": "bootstrap"}
_SAME_TESTS = {
    "standard": "chisq chi chi-square chi.square",
    "satorra.bentler": "satorra sb satorra-bentler m.adjusted m mean.adjusted mean-adjusted",
    "yuan.bentler": "yuan yb yuan-bentler",
    "yuan.bentler.mplus": "yuan-bentler.mplus yuan-bentler-mplus",
    "mean.var.adjusted": "mean-var-adjusted mv second.order satterthwaite mv.adjusted",
    "scaled.shifted": "mplus6 scale.shift scaled-shifted",
    "bollen.stine": "bootstrap boot bollen-stine",
    "browne.residual.adf": "browne residual residuals browne.residual browne.residuals residual-based residual.based "
    "browne.residuals.adf",
    "browne.residual.nt": "browne.residuals.nt",
    "browne.residual.nt.model": "browne.residuals.nt.model rls browne.rls nt.rls nt-rls ntrls",
}
_OTHER_TESTS = {other: word for word, others in _SAME_TESTS.items() for other in others.split()}
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """What is computed beside the estimates; of a pair the first word is for standard errors, the second for tests.

    se; test: by which fit measures are scaled, "standard" or "none"; tests: all that were asked for beside the standard
    one; information; observed: "hessian", or "h1" without the curvature of the moments; h1: information about moments
    at those of the model, "structured", or of the sample, "unstructured".
    """

    se: str
    test: str
    tests: tuple[str, ...]
    information: Pair
    observed: Pair
    h1: Pair


def plain_word(value: object) -> str:
    """Return lavaan's form of a word: lower case, dots between parts."""
    text = str(value).lower().replace("_", ".")
    return _SAME.get(text, text)


def point_of(word: str) -> str:
    """Return the estimator of the parameters themselves: ML, GLS, ULS, WLS or DWLS."""
    return _defaults(word)[0]


def is_scaled(test: str) -> bool:
    """Return whether a test is the standard one, scaled."""
    return test in YUAN or test in SCALED.values()


def resolve(
    word: str,
    missing: str,
    clustered: bool,
    se: str | None = None,
    test: str | Sequence[str] | None = None,
    information: str | Sequence[str] | None = None,
    observed: str | Sequence[str] | None = None,
    h1: str | Sequence[str] | None = None,
) -> Words:
    """Return standard errors, tests and information of an estimator's word and what was asked for besides.

    Raises
    ------
    SpecError : an unknown word, or words that do not go together.
    """
    point, usual_errors, usual_test = _defaults(word)
    asked = plain_word(se or usual_errors)
    if asked in INFORMATION[:2]:  # lavaan's other way to ask for information
        information, asked = (asked if information is None else information), "standard"
    if asked == "robust":
        raw = missing != "listwise" or clustered
        asked = usual_errors if usual_errors.startswith("robust") else "robust.huber.white" if raw else "robust.sem"
        asked = "robust.sem" if point not in ("ML", "GLS") else asked
    errors = check_option("se", _SAME_ERRORS.get(asked, asked), ERRORS)
    tested, tests, alone = _tests(test, usual_test)
    if word == "MLF" or errors == "first.order":
        usual = "first.order"
    elif point == "ML" and (errors == "robust.huber.white" or missing != "listwise" or clustered):
        usual = "observed"
    else:
        usual = "expected"
    for_tests = "observed" if errors == "bootstrap" and point == "ML" else usual
    kinds = _pair("information", information, INFORMATION, (usual, for_tests))
    if word == "MLF" and not se and kinds[0] != "first.order":
        errors = "standard"
    scaled = any(is_scaled(one) for one in tests) or (clustered and test is None)
    bent = "h1" if scaled and not (word == "MLR" and alone) else "hessian"
    curved = _pair("observed_information", observed, OBSERVED, ("hessian", bent))
    placed = _pair("h1_information", h1, STRUCTURED, (STRUCTURED[0],) * 2)
    found = Words(errors, tested, tests, kinds, curved, placed)
    _check_together(word, found, missing if not clustered else "clustered")
    if point != "ML" and (observed is not None or h1 is not None):
        what = "observed_information= and h1_information= are for maximum likelihood"
        raise SpecError(message(what, do=f"Leave them out with estimator {word}"))
    return found


def _tests(asked: str | Sequence[str] | None, usual: str) -> tuple[str, tuple[str, ...], bool]:
    """Return the test that scales measures, all tests beside the standard one, and whether the usual one is alone."""
    given = [] if asked is None else _listed("test", asked)
    if not given:
        return usual, () if usual == "standard" else (usual,), True
    plain = [plain_word(one) for one in given]
    words = list(dict.fromkeys(check_option("test", _OTHER_TESTS.get(one, one), TESTS) for one in plain))
    if "none" in words:
        if len(words) > 1:
            what = f"test={shown(list(words))} asks for no test and for others"
            raise SpecError(message(what, do='Give "none" alone, or leave it out'))
        return "none", (), True
    words.sort(key=is_scaled)  # stable: what is not scaled comes first
    chosen = [one for one in words if is_scaled(one)]
    own = is_scaled(usual)
    main = chosen[0] if chosen else usual if own and "standard" not in words else "standard"
    more = tuple(one for one in words if one != "standard")
    more = (*more, usual) if own and usual not in more else more
    return main, more, words == [usual]


def _listed(name: str, value: object) -> list[object]:
    """Return one word or several as a list."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Sequence):
        raise SpecError(message(f"{name}={shown(value)} is neither a word nor a list of words", do="Give text"))
    return list(value)


def _pair(name: str, value: str | Sequence[str] | None, known: Sequence[str], usual: Pair) -> Pair:
    """Return one word for standard errors and one for tests; a word alone is for both."""
    if value is None:
        return usual
    words = _listed(name, value)
    if not 1 <= len(words) <= 2:
        what = f"{name}={shown(value)} are {len(words)} words"
        raise SpecError(message(what, do="Give one word, or one for standard errors and one for tests"))
    first, *others = [check_option(name, plain_word(word), known) for word in words]
    if others:
        return first, others[0]
    return first, first


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


def _check_together(word: str, words: Words, missing: str) -> None:
    """Raise SpecError for words that do not go together."""
    point, tests = point_of(word), (words.test, *words.tests)
    by_moments = words.se == "robust.sem" or any(one in SCALED.values() for one in tests)
    robust = [words.information[0]] * words.se.startswith("robust")
    robust += [words.information[1]] * any(is_scaled(one) for one in tests)
    shown_words = f"estimator {word} with se={words.se!r}, test={shown_tests(tests)} and information="
    shown_words += repr(words.information[0] if len(set(words.information)) == 1 else words.information)
    if "first.order" in robust:
        raise SpecError(message(f"{shown_words}: robust methods need another information", do='Take "observed"'))
    if point in ("GLS", "WLS"):
        strange = any(is_scaled(one) for one in tests) or "bollen.stine" in tests
        if strange or (point == "GLS" and words.se == "robust.sem"):
            what = f"{shown_words}: {point} has a right test and right standard errors without correction"
            raise SpecError(message(what, do="Leave se= and test= out"))
    if missing in ("fiml", "fiml.x", "clustered"):
        if by_moments or point != "ML":
            what = f"{shown_words} needs complete rows that are independent of each other"
            raise SpecError(message(what, do='With missing values or clusters take estimator="MLR"'))
        if "bollen.stine" in tests or any(one in BROWNE for one in tests):
            what = f"test={shown_tests(tests)} needs complete rows that are independent of each other"
            raise SpecError(message(what, do="Take other tests, or leave incomplete rows out"))
    if point == "ML":
        return
    odd = words.se in ("robust.huber.white", "first.order") or any(one in YUAN for one in tests)
    if odd or "first.order" in words.information or (point != "GLS" and words.information != ("expected",) * 2):
        do = 'estimator="MLR" or "MLM" brings what goes together'
        raise SpecError(message(f"{shown_words} do not go together", do=do))


def shown_tests(tests: Sequence[str]) -> str:
    """Return tests as they are written in a call."""
    known = list(dict.fromkeys(tests))
    known = known[1:] if len(known) > 1 and known[0] == "standard" else known
    return repr(known[0]) if len(known) == 1 else repr(known)
