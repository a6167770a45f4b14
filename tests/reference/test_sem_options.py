"""What lavaan 0.6-14 makes of words for estimator, se, test, information and missing, and what we make of them.

Where lavaan silently takes other words than those asked for, ours are taken or refused:

- an estimator that brings a scaled test keeps it in lavaan whatever ``test`` says; here the asked test is made;
- ``information`` other than expected is ignored by lavaan for least squares, and so is ``se="first.order"``;
- full information is replaced by complete rows where an estimator cannot do it;
- robust.sem and scaled tests stand on expected information of complete rows: MLM with other words mixes formulas.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alliancekit.core.errors import SpecError
from alliancekit.structural.estimators import SCALED
from alliancekit.structural.options import Options, make_options
from tests.reference.comparison import assert_close

CASES = json.loads((Path(__file__).parent / "sem_options" / "expected.json").read_text(encoding="utf-8"))
OWN_TEST = ("MLR", "MLM", "MLMV", "MLMVS", "ULSM", "ULSMV", "ULSMVS", "WLSM", "WLSMV", "WLSMVS")
ROBUST = ("satorra.bentler", "scaled.shifted", "mean.var.adjusted", "yuan.bentler", "yuan.bentler.mplus")


def title(case: dict[str, Any]) -> str:
    return ",".join(f"{k}={v if isinstance(v, str | bool) else 'x'}" for k, v in case["given"].items())


def is_ignored(case: dict[str, Any]) -> bool:
    """Return whether lavaan took other words than those asked for, or words whose formulas do not belong together."""
    given, estimator = case["given"], case["given"].get("estimator", "ML")
    if any(word in given and given[word] != case[word][0] for word in ("information",)):
        return True
    if given.get("missing") in ("ml", "ml.x") and (
        case["missing"] == "listwise" or estimator in (*OWN_TEST[4:], "DWLS")
    ):
        return True
    if given.get("se") == "first.order" and case["information"][0] != "first.order":
        return True
    mixed = estimator in ("MLM", "MLMV", "MLMVS") and bool({"cluster", "se", "information", "test"} & given.keys())
    return mixed or (estimator == "MLR" and (given.get("se") == "robust.sem" or given.get("test") in SCALED.values()))


def ours(given: dict[str, Any]) -> Options:
    return make_options("cfa", **given)


@pytest.mark.option("cfa.estimator", "lavaan 0.6-14: words")
@pytest.mark.option("cfa.se", "lavaan 0.6-14: words")
@pytest.mark.option("cfa.test", "lavaan 0.6-14: words")
@pytest.mark.option("cfa.information", "lavaan 0.6-14: words")
@pytest.mark.parametrize("case", CASES, ids=[title(case) for case in CASES])
def test_words_as_lavaan(case: dict[str, Any]) -> None:
    given = case["given"]
    estimator = given.get("estimator", "ML")
    if "error" in case:
        if (estimator, given.get("se")) == ("WLS", "robust"):
            assert ours(given).se == "robust.sem"  # lavaan stops with "object 'NVarCov' not found", a fault of its own
            return
        with pytest.raises(SpecError):
            ours(given)
        return
    if estimator == "GLS" and "ordered" in given:
        with pytest.raises(SpecError, match="does not take ordinal variables"):
            ours(given)
        return
    try:
        found = ours(given)
    except SpecError:
        assert is_ignored(case), "refused, and lavaan does it"
        return
    assert found.point == case["estimator"]
    assert found.missing == {"ml": "fiml", "ml.x": "fiml.x"}.get(case["missing"], case["missing"])
    assert found.rules.meanstructure == case["meanstructure"]
    information = case["information"][0]
    if "cluster" in given:
        assert_close(found.information == information or estimator == "MLF", True, "count", "information")
        return
    if (estimator, given.get("se")) == ("MLR", "robust"):  # lavaan: robust.sem beside Yuan and Bentler's test
        assert (found.se, found.information) == ("robust.huber.white", "observed")
        return
    assert found.information == information
    assert (found.se if found.se != "first.order" else "standard") == case["se"]
    scaled = [word for word in case["test"] if word != "standard"]
    asked = given.get("test")
    if asked is not None and estimator in OWN_TEST:
        assert found.test == asked
    else:
        assert found.test == (scaled[0] if scaled else "standard")


@pytest.mark.parametrize("word", ["scaled_shifted", "Scaled.Shifted", "SCALED_SHIFTED"])
def test_words_take_dots_underscores_and_capitals(word: str) -> None:
    assert make_options("cfa", estimator="ml", se="robust_sem", test=word).test == "scaled.shifted"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"estimator": "MLX"}, "estimator='MLX' is not an option"),
        ({"se": "robst"}, "robust"),
        ({"test": "satora.bentler"}, "satorra.bentler"),
        ({"information": "expect"}, "expected"),
        ({"missing": "pairwise"}, "for ordinal variables"),
        ({"missing": "fimml"}, "fiml"),
        ({"likelihood": "wish"}, "wishart"),
        ({"likelihood": "wishart", "estimator": "WLS"}, "maximum likelihood"),
        ({"likelihood": "wishart", "cluster": "c"}, "independent rows"),
        ({"test": ["none", "standard"]}, "no test and for others"),
        ({"information": ["expected"] * 3}, "3 words"),
        ({"observed_information": "curved"}, "hessian"),
        ({"h1_information": "unstructure"}, "unstructured"),
        ({"h1_information": "unstructured", "estimator": "DWLS"}, "are for maximum likelihood"),
        ({"test": "bollen.stine", "estimator": "GLS"}, "right test"),
        ({"test": "browne", "missing": "fiml"}, "complete rows"),
        ({"parameterization": "gamma"}, "delta"),
        ({"bounds": "pos"}, "pos.var"),
        ({"group_equal": "loading"}, "loadings"),
        ({"group_partial": "f =~ x"}, "group_partial needs group_equal"),
        ({"effect_coding": "loading"}, "loadings"),
        ({"auxiliary": "z"}, "auxiliary"),
        ({"ordered": ("u",), "estimator": "MLR"}, "does not take ordinal variables"),
        ({"ordered": ("u",), "missing": "fiml"}, "full information"),
        ({"ordered": ("u",), "cluster": "c"}, "cluster"),
        ({"information": "first.order", "se": "robust"}, "observed"),
    ],
    ids=str,
)
def test_wrong_words_are_answered(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        make_options("cfa", **given)
