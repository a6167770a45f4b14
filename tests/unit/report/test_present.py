from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

import alliancekit as ak
from alliancekit.core.errors import ReportError, SpecError
from alliancekit.report import present
from alliancekit.report.parts import Table
from tests.unit.report import demo


@pytest.fixture
def presenter(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("alliancekit.report.demo")
    module.make_table = lambda *results: Table(f"{len(results)} results", results[0].tidy(), source=results)
    monkeypatch.setitem(sys.modules, "alliancekit.report.demo", module)
    return module


def test_a_result_is_presented_by_the_file_of_its_layer(presenter: ModuleType) -> None:
    fit = demo.Fit()
    assert ak.table(fit, fit).title == "2 results"
    assert present.can_present(fit, "table")
    assert not present.can_present(fit, "sentence")
    with pytest.raises(ReportError, match="has no figure"):
        ak.figure(fit)
    with pytest.raises(ReportError, match="has no sentence"):
        ak.sentence(fit)
    with pytest.raises(ReportError, match="has no equation"):
        ak.equation(fit)


@pytest.mark.option("table(format)", "unit")
def test_the_format_is_a_word_of_the_list(presenter: ModuleType) -> None:
    fit = demo.Fit()
    assert ak.table(fit, format="apa").title == ak.table(fit).title
    with pytest.raises(SpecError, match="apa"):
        ak.table(fit, format="APA7")


def test_bad_input(presenter: ModuleType) -> None:
    with pytest.raises(ReportError, match="at least one"):
        ak.table()
    with pytest.raises(ReportError, match="cannot be presented"):
        ak.table(3)
    with pytest.raises(SpecError, match="sentence"):
        present.can_present(demo.Fit(), "sentences")

    class Other(demo.Fit):
        pass

    Other.__module__ = "alliancekit.elsewhere.results"
    with pytest.raises(ReportError, match="different kinds"):
        ak.table(demo.Fit(), Other())
    with pytest.raises(ReportError, match="no presenter"):
        ak.table(Other())


def test_a_broken_presenter_is_not_taken_for_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> ModuleType:
        raise ModuleNotFoundError("No module named 'nothing'", name="nothing")

    monkeypatch.setattr(present.importlib, "import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        ak.table(demo.Fit())


def test_the_kind_of_what_cannot_be_presented_has_its_article() -> None:
    with pytest.raises(ak.ReportError, match=r"^an int cannot be presented"):
        ak.table(3)
    rng = np.random.default_rng(1)
    items = pd.DataFrame(rng.normal(size=(90, 1)) + rng.normal(size=(90, 4)), columns=list("abcd"))
    fit = ak.cfa("g =~ a + b + c + d", items)
    with pytest.raises(ak.ReportError, match=r"^a DataFrame cannot be presented.*of alliancekit\.report\.parts"):
        ak.table(fit.modification_indices())
