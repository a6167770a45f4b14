"""Write docs/reference_results.md: run the reference tests, and record the worst difference of each kind of number.

Takes a few minutes. The page is written also when tests fail, so that one sees which.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference_results.md"


def main(arguments: list[str]) -> int:
    """Run the tests of tests/reference with further arguments of pytest, such as ``-n 2``; return pytest's code."""
    call = [sys.executable, "-m", "pytest", "tests/reference", "-q", "-p", "no:cacheprovider"]
    return subprocess.run([*call, f"--reference-page={TARGET}", *arguments], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.write(f"{TARGET.name} written\n")
    raise SystemExit(code)
