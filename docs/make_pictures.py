"""Draw the path diagrams of the guide into docs/pictures. Usage: python docs/make_pictures.py"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import alliancekit as ak
from alliancekit.report.figures_io import draw

HERE = Path(__file__).parent
TASK = "task =~ wai_1 + wai_2 + wai_10 + wai_12"
BOND = "bond =~ wai_3 + wai_5 + wai_7 + wai_9"
GOAL = "goal =~ wai_4 + wai_6 + wai_8 + wai_11"


def fits() -> dict[str, Any]:
    """Return the models that are drawn, by the name of the picture."""
    sessions = ak.read_study(HERE.parent / "data" / "tfcbt").data
    third = sessions[sessions["session"] == 3]
    later = sessions[sessions["session"] == 10].set_index("patient")["pcl"]
    third = third.assign(pcl_later=third["patient"].map(later))
    higher = "\n".join([TASK, BOND, GOAL, "alliance =~ task + bond + goal"])
    prediction = "\n".join(
        [BOND, TASK, "bond ~ pcl_0", "task ~ pcl_0", "pcl_later ~ bond + task + pcl_0", "bond ~~ task"]
    )
    levels = f"level: 1\n{BOND}\nlevel: 2\n{BOND.replace('bond', 'bond_b')}"
    return {
        "path_second_order": ak.cfa(higher, third, missing="fiml"),
        "path_prediction": ak.sem(prediction, third, missing="fiml"),
        "path_two_levels": ak.cfa(levels, sessions, cluster="patient", missing="fiml"),
    }


def main() -> None:
    """Write the pictures."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for name, fit in fits().items():
        (folder / f"{name}.png").write_bytes(draw(ak.figure(fit)).png)


if __name__ == "__main__":
    main()
