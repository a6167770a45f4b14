"""Cut the expected.json of structural models to what is compared. Usage: python trim_sem.py FOLDER_OF_CASES."""

from __future__ import annotations

import json
import sys
from pathlib import Path

KEPT = {"converged", "post_check", "ngroups", "group_labels", "nobs", "npar", "ntotal", "options", "estimates", "error"}
KEPT |= {"partable", "coef", "vcov", "standardized_std_all", "standardized_std_lv", "fit", "logl_fmin", "implied"}
KEPT |= {"icc_vars", "factor_scores_first10"}

for path in sorted(Path(sys.argv[1]).glob("*/expected.json")):
    whole = json.loads(path.read_text())
    for label, model in whole["models"].items():
        whole["models"][label] = {key: value for key, value in model.items() if key in KEPT and value is not None}
    path.write_text(json.dumps(whole) + "\n")
