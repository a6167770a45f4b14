"""Write after.json: what R gave after a fit (residuals, indices, scores, comparisons), beside expected.json.

Usage: python split_sem.py SOURCE TARGET, both with one folder per case. What describes R's own search is left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

AFTER = ["r2", "sampstat", "cov_lv", "mean_lv", "residuals_raw", "residuals_cor_bentler", "residuals_cor_bollen"]
AFTER += ["modindices_top10", "score_test", "reliability", "htmt", "factor_scores_first10", "icc_vars", "missing"]
NAMES = {"demo": "twolevel_cfa"}
"""Folders that have another name there."""


def rounded(node: Any) -> Any:
    """Return the same with 12 digits, which is far below every tolerance."""
    if isinstance(node, dict):
        return {key: rounded(value) for key, value in node.items()}
    if isinstance(node, list):
        return [rounded(value) for value in node]
    return float(f"{node:.12g}") if isinstance(node, float) else node


def main(source: Path, target: Path) -> None:
    for folder in sorted(path for path in target.iterdir() if (path / "expected.json").exists()):
        origin = source / NAMES.get(folder.name, folder.name) / "expected.json"
        if not origin.exists():
            continue
        whole = json.loads(origin.read_text())
        own = json.loads((folder / "expected.json").read_text())["models"]
        models = {
            label: {key: rounded(model[key]) for key in AFTER if model.get(key) is not None}
            for label, model in whole["models"].items()
            if label in own
        }
        out: dict[str, Any] = {"models": models}
        tests = {k: v for k, v in (whole.get("lrt") or {}).items() if all(name in own for name in v["models"])}
        if tests:
            out["lrt"] = rounded(tests)
        if whole.get("mlm"):
            out["mlm"] = rounded(whole["mlm"])
        (folder / "after.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
