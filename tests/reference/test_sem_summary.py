"""What lavaan 0.6-14 prints of 68 models and 6 exploratory analyses: headings, names, numbers, and where they stand.

Left out are the lines of version and iterations, of the optimiser and of the rotation algorithm, which are ours.

- Numbers of two cases are not compared: of the bootstrap, which draws other rows, and of the scaled test of two levels,
  where lavaan's search for the saturated model stops early (its chi-square is compared in sem_twolevel).
- lavaan leaves out the number of equality constraints where one of the constraints is not linear or an inequality.
- Of exploratory analyses places are not compared: there lavaan leaves out zeros at the end of a column's numbers. It
  prints the factor that explains most first, where ours stand as in the loadings; the two agree in these cases.
- A parameter at the edge of an inequality has no standard error; lavaan takes the root of a rounding error and says NA.
"""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import alliancekit as ak
from tests.reference.comparison import assert_close

HERE = Path(__file__).parent
EVERY = json.loads((HERE / "sem_summary" / "cases.json").read_text(encoding="utf-8"))
CASES, EXPLORATORY = ([case for case in EVERY if (case["function"] == "efa") == wanted] for wanted in (False, True))
EXPECTED = json.loads((HERE / "sem_summary" / "expected.json").read_text(encoding="utf-8"))
OURS = ("alliancekit", "  Optimization method", "  Rotation algorithm", "Warning:")
UNCOMPARED = ("bootstrap", "two_levels_robust")
NUMBER = re.compile(r" *-?\d+\.\d{3}")
CHANGES = {
    "nonlinear": {
        "  Number of inequality constraints                   1": [
            "  Number of equality constraints                     1",
            "  Number of inequality constraints                   1",
        ]
    },
    "inequalities": {"    x3         (b)    0.400       NA": ["    x3         (b)    0.400"]},
}


def fitted(case: dict[str, Any]) -> Any:
    data = pd.read_csv(HERE / case["data"] / "data.csv")
    given = {name.replace(".", "_"): value for name, value in case["options"].items()}
    moments = "sample_nobs" in given
    given |= {"sample_cov": data} if moments else {}
    if case["function"] == "efa":
        given["rotation_args"] = {k.replace(".", "_"): v for k, v in given.get("rotation_args", {}).items()}
        return ak.efa(data, items=case["items"], **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(ak, case["function"])(case["model"], None if moments else data, **given)


def trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


@pytest.mark.option("StructuralFit.summary.standardized", "lavaan 0.6-14, 68 models")
@pytest.mark.option("StructuralFit.summary.fit_measures", "lavaan 0.6-14, 68 models")
@pytest.mark.option("StructuralFit.summary.rsquare", "lavaan 0.6-14, 68 models")
@pytest.mark.option("StructuralFit.summary.ci", "lavaan 0.6-14, 68 models")
@pytest.mark.option("StructuralFit.group_tests", "lavaan 0.6-14, 18 models of groups")
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_lines_as_lavaan(case: dict[str, Any]) -> None:
    fit, name = fitted(case), case["name"]
    text = fit.summary(**{word.replace(".", "_"): value for word, value in case["summary"].items()})
    ours = trimmed([line for line in text.split("\n") if not line.startswith(OURS)])
    changes = CHANGES.get(name, {})
    theirs = trimmed([new for line in EXPECTED[name] for new in changes.get(line, [line])])
    assert [NUMBER.sub("#", line) for line in ours] == [NUMBER.sub("#", line) for line in theirs]
    if name in UNCOMPARED:
        return
    assert [len(line) for line in ours] == [len(line) for line in theirs]
    numbers = [[float(value) for value in NUMBER.findall("\n".join(lines))] for lines in (ours, theirs)]
    assert_close(*numbers, "printed", "numbers")


@pytest.mark.option("FactorSolutions.summary", "lavaan 0.6-14, 6 analyses")
@pytest.mark.parametrize("case", EXPLORATORY, ids=[case["name"] for case in EXPLORATORY])
def test_exploratory_solutions_as_lavaan(case: dict[str, Any]) -> None:
    pieces = []
    for lines in (fitted(case).summary().split("\n"), EXPECTED[case["name"]]):
        kept = [line for line in lines if not line.startswith((*OURS, "This is"))]
        pieces.append([word for line in kept for word in line.replace("*", " *").split()])
    words, values = zip(*((words_alone(piece), numbers_alone(piece)) for piece in pieces), strict=True)
    assert words[0] == words[1]
    assert_close(values[0], values[1], "printed", "numbers")


def is_number(word: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", word) is not None


def words_alone(piece: list[str]) -> list[str]:
    return ["#" if is_number(word) else word for word in piece]


def numbers_alone(piece: list[str]) -> list[float]:
    return [float(word) for word in piece if is_number(word)]
