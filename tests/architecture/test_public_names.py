"""Public names: importable in any order, the same object each time, typed in __init__.pyi, light to import."""

from __future__ import annotations

import ast
import json

import numpy as np
import pytest

import alliancekit as ak
from tests.architecture.support import PACKAGE, folders, run_python, tree

HEAVY = ("statsmodels", "scipy.stats", "matplotlib", "sklearn", "pingouin", "pyreadstat", "docx", "jinja2", "semopy")
TOUCH = """
import types
import alliancekit as ak
for name in {names}:
    first = getattr(ak, name)
    assert not isinstance(first, types.ModuleType), name + " is a module"
    assert callable(first), name + " cannot be called"
    assert getattr(ak, name) is first, name + " changed on second use"
for name in {names}:
    assert not isinstance(getattr(ak, name), types.ModuleType), name + " was replaced by a module"
"""


def stub() -> dict[str, str]:
    """Return name -> module of the re-exports in __init__.pyi."""
    found = {}
    for node in tree(PACKAGE / "__init__.pyi").body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                assert alias.asname == alias.name, f"line {node.lineno}: write 'import {alias.name} as {alias.name}'"
                found[alias.name] = str(node.module)
    return found


@pytest.mark.parametrize("order", ["as listed", "reversed", 1, 2, 3])
def test_each_name_can_be_used_twice_in_any_order(order: str | int) -> None:
    names = list(ak._EXPORTS)
    if order == "reversed":
        names.reverse()
    elif isinstance(order, int):
        names = [str(n) for n in np.random.default_rng(order).permutation(names)]
    run_python(TOUCH.format(names=repr(names)))


def test_names_survive_the_import_of_every_folder() -> None:
    imports = "".join(f"import alliancekit.{name}\n" for name in folders())
    modules = "".join(f"import {name}\n" for name in sorted(set(ak._EXPORTS.values())))
    run_python(imports + modules + TOUCH.format(names=repr(sorted(ak._EXPORTS))))


def test_the_typed_names_are_the_public_names() -> None:
    lines = {n: f"from {m} import {n} as {n}" for n, m in ak._EXPORTS.items()}
    typed = {n: f"from {m} import {n} as {n}" for n, m in stub().items()}
    missing = [line for n, line in lines.items() if typed.get(n) != line]
    extra = [line for n, line in typed.items() if lines.get(n) != line]
    assert not missing, "add to src/alliancekit/__init__.pyi:\n" + "\n".join(missing)
    assert not extra, "remove from src/alliancekit/__init__.pyi:\n" + "\n".join(extra)


def test_the_list_of_names_is_complete() -> None:
    assert dir(ak) == ak.__all__ == sorted([*ak._EXPORTS, "__version__"])


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"Did you mean alliancekit\.mixed"):
        _ = ak.mixd


def loaded_after(code: str, *also: str) -> list[str]:
    """Return which heavy packages, and which of those named, a fresh process has loaded after running the code."""
    tail = f"\nimport json, sys\nprint(json.dumps([m for m in {(*HEAVY, *also)!r} if m in sys.modules]))"
    return list(json.loads(run_python(code + tail).strip().splitlines()[-1]))


def test_importing_and_touching_mixed_is_light() -> None:
    assert loaded_after("import alliancekit as ak\nak.mixed") == []


def test_fitting_and_showing_a_mixed_model_is_light() -> None:
    code = """
import numpy as np, pandas as pd, alliancekit as ak
g = np.repeat(np.arange(20), 4)
x = np.tile(np.arange(4.0), 20)
y = 10 - x + np.sin(g * 7.0) + np.cos(np.arange(80) * 3.0)
fit = ak.mixed("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}))
text = repr(fit)
"""
    assert loaded_after(code, "scipy") == []


def test_fitting_a_structural_model_is_light() -> None:
    code = """
import numpy as np, pandas as pd, alliancekit as ak
rng = np.random.default_rng(1)
frame = pd.DataFrame(rng.normal(size=(90, 1)) + rng.normal(size=(90, 4)), columns=list("abcd"))
fit = ak.cfa("f =~ a + b + c + d", frame)
str(fit), fit.tidy(), fit.fit_measures()
"""
    assert loaded_after(code, "scipy.optimize", "scipy.integrate", "alliancekit.multilevel", "alliancekit.report") == []
