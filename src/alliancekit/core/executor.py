"""Run one function over many inputs: serially or in joblib processes, with the same answers to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.progress import track

A = TypeVar("A")
R = TypeVar("R")


def run_all(
    function: Callable[[A], R],
    inputs: Sequence[A],
    *,
    executor: str = "serial",
    workers: int = 2,
    description: str = "working",
) -> list[R]:
    """Return ``[function(x) for x in inputs]``, in order.

    Parameters
    ----------
    function : picklable function of one input; its randomness must come from a seed inside the input.
    inputs : one entry per task.
    executor : "serial" or "joblib".
    workers : number of processes for joblib.
    description : text beside the progress bar.

    Raises
    ------
    SpecError : an unknown executor, or ``workers`` is no number of processes.
    """
    check_option("executor", executor, ["serial", "joblib"])
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise SpecError(
            message(f"workers={workers!r} is not a number of processes", do="Give a whole number such as 2")
        )
    if executor == "serial" or workers == 1 or len(inputs) < 2:
        return [function(x) for x in track(inputs, description)]
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", inner_max_num_threads=1):
        jobs: Any = Parallel(n_jobs=workers, return_as="generator")(delayed(function)(x) for x in inputs)
        return list(track(jobs, description, total=len(inputs)))
