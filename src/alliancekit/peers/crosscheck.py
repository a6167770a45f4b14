"""``ak.crosscheck``: our headline estimates beside other engines', with a verdict on each difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from alliancekit.core.errors import SpecError, check_option, message
from alliancekit.core.frames import rows
from alliancekit.multilevel.api import MixedFit
from alliancekit.peers.least_squares import fit_pingouin
from alliancekit.peers.mixedlm_peer import fit_mixedlm
from alliancekit.peers.semopy_peer import compared_rows, semopy_answer
from alliancekit.peers.statsmodels_mixed import fit_statsmodels
from alliancekit.peers.verdict import PeerEstimate, judge
from alliancekit.prediction.results import IncrementalValidity
from alliancekit.structural.result.fit import StructuralFit

PEERS = ("statsmodels", "mixedlm")


@dataclass(frozen=True, eq=False)
class CrossCheck:
    """Our estimates beside the peers'.

    Attributes
    ----------
    subject : the result that was checked. frame : one row per term and engine. engines : one row per engine, with
    log-likelihoods, below_optimum (ours minus ours at the peer's estimates), the worst colour, note (reason, or the
    kinds of warnings the peer gave) and other_errors (why its standard errors are not comparable with ours).
    """

    subject: Any
    frame: pd.DataFrame
    engines: pd.DataFrame

    def tidy(self) -> pd.DataFrame:
        """Return one row per term and engine: both estimates and SEs, difference_in_se, colour, note."""
        return self.frame.copy()

    def glance(self) -> pd.DataFrame:
        """Return one row per engine: log-likelihoods, how far the peer stopped below the optimum, worst verdict."""
        return self.engines.copy()

    @property
    def agrees(self) -> bool:
        """True where at least one engine answered and no answer at an optimum differs visibly (red)."""
        answered = self.frame[self.frame["colour"].isin(["green", "amber", "red"])]
        return not answered.empty and not bool((answered["colour"] == "red").any())

    def __repr__(self) -> str:
        """Return the terms of the engines that answered, and one line for each that could not."""
        unable = self.engines[self.engines["colour"].isin(["not expressible", "not installed"])]
        answered = self.frame[~self.frame["engine"].isin(unable["engine"])]
        lines = [] if answered.empty else [answered.to_string(index=False)]
        pairs = zip(unable["engine"], unable["colour"], unable["note"], strict=True)
        return "\n".join([*lines, *(f"{engine}: {colour}: {note}" for engine, colour, note in pairs)])


def crosscheck(result: Any, *, peers: str | Sequence[str] | None = None) -> CrossCheck:
    """Fit the same model in other engines and judge the differences.

    Parameters
    ----------
    result : fit of ``ak.mixed``, the result of ``ak.incremental_validity`` (its final model), or a fit of ``ak.cfa``,
        ``ak.sem`` and ``ak.growth``.
    peers : one or several of "statsmodels", "mixedlm" (None: both), for mixed models. Least-squares results are
        compared with pingouin, structural models with "semopy".

    Returns
    -------
    CrossCheck. A difference is counted in units of our standard error: under .01 green, under .1 amber, else red. Our
    likelihood is first evaluated at the peer's estimates: where ours is higher, the peer stopped below the optimum and
    its difference says nothing against our estimate. statsmodels is called plainly first; where that stops below the
    optimum or fails, it is called again with Powell's method and both answers are shown. What a peer cannot say is
    "not expressible", with the reason.

    Raises
    ------
    SpecError : a result of another kind, an unknown peer. A failing peer does not raise; its row says "failed".

    Examples
    --------
    >>> import numpy as np, pandas as pd, alliancekit as ak
    >>> rng = np.random.default_rng(3)
    >>> g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    >>> d = pd.DataFrame({"g": g, "x": x, "y": x + rng.normal(size=20)[g] + rng.normal(size=160)})
    >>> ak.crosscheck(ak.mixed("y ~ x + (1 | g)", d), peers=["statsmodels"]).tidy()["colour"].tolist()
    ['green', 'green']

    Checked against
    ---------------
    Data on which statsmodels stops at a wrong optimum (tests/crosscheck).

    When not to use
    ---------------
    As proof: engines that share a mistake agree.
    """
    known = ("semopy",) if isinstance(result, StructuralFit) else PEERS
    peers = known if peers is None else (peers,) if isinstance(peers, str) else tuple(peers)
    for peer in peers:
        check_option("peers", peer, known)
    if isinstance(result, IncrementalValidity):
        return _check_increments(result, peers)
    if isinstance(result, StructuralFit):
        return _check_structural(result)
    if not isinstance(result, MixedFit):
        raise SpecError(
            message(
                f"a {type(result).__name__} has no second opinion",
                do="Hand over a fit of ak.mixed, ak.cfa, ak.sem or ak.growth, or a result of ak.incremental_validity",
            )
        )
    return _combine(result, result, _mixed_answers(result, peers))


def _mixed_answers(fit: MixedFit, peers: Sequence[str]) -> list[PeerEstimate]:
    answers: list[PeerEstimate] = []
    beyond = _beyond_the_peers(fit)
    if beyond:
        return [PeerEstimate(peer, status="not expressible", note=beyond) for peer in peers]
    if "statsmodels" in peers:
        first = fit_statsmodels(fit)
        answers.append(first)
        if first.status == "failed" or (not first.status and _stopped(fit, first)):
            answers.append(fit_statsmodels(fit, "powell"))
    if "mixedlm" in peers:
        answers.append(fit_mixedlm(fit))
    return answers


def _beyond_the_peers(fit: MixedFit) -> str:
    """Return why no peer can say the model, "" where one may."""
    if fit.family != "gaussian":
        return f"no peer maximises the likelihood of a mixed model with family {fit.family}"
    return "no peer has structures of the residuals" if fit.residual_structure is not None else ""


def _stopped(fit: MixedFit, answer: PeerEstimate) -> bool:
    """Return True where a coefficient of the answer is not at the optimum, or not a number."""
    verdicts = [line["colour"] for line in _compare(fit.tidy(), answer, _gap(fit, answer))]
    return _worst(verdicts) in ("stopped below optimum", "failed")


def _gap(fit: MixedFit, answer: PeerEstimate) -> float:
    """Return how far below our optimum the peer's estimates lie, by our likelihood; NaN where unknown."""
    if answer.status or answer.covariances is None or not answer.sigma2 > 0:
        return float("nan")
    if not all(np.isfinite(v) for v in answer.fixed.values()):
        return float("nan")
    return fit.log_likelihood - fit.log_likelihood_at(answer.fixed, answer.covariances, answer.sigma2)


def _combine(subject: Any, fit: MixedFit, answers: list[PeerEstimate]) -> CrossCheck:
    table = fit.tidy()
    lines, engines = [], []
    for answer in answers:
        gap = _gap(fit, answer)
        made = _compare(table, answer, gap)
        lines += made
        engines.append(
            {
                "engine": answer.engine,
                "log_likelihood_ours": fit.log_likelihood,
                "log_likelihood_peer": answer.log_likelihood,
                "below_optimum": max(gap, 0.0) if np.isfinite(gap) else np.nan,
                "colour": made[0]["colour"] if answer.status else _worst([m["colour"] for m in made]),
                "note": answer.note,
                "other_errors": answer.other_errors,
            }
        )
    return CrossCheck(subject, pd.DataFrame(lines), pd.DataFrame(engines))


def _compare(table: pd.DataFrame, answer: PeerEstimate, gap: float) -> list[dict[str, Any]]:
    """Return one line per term. Where the peer stopped below the optimum, that is the verdict on all its terms."""
    out = []
    for row in rows(table):
        line: dict[str, Any] = {
            "term": row.term,
            "engine": answer.engine,
            "estimate_ours": row.estimate,
            "std_error_ours": row.std_error,
            "estimate_peer": answer.fixed.get(row.term, np.nan),
            "std_error_peer": answer.std_error.get(row.term, np.nan),
            "difference_in_se": np.nan,
            "colour": answer.status,
            "note": answer.note,
        }
        if not answer.status:
            line["difference_in_se"] = abs(line["estimate_peer"] - row.estimate) / row.std_error
        out.append(line)
    if not answer.status:
        _judge_all(out, answer, gap)
    return out


def _judge_all(lines: list[dict[str, Any]], answer: PeerEstimate, gap: float) -> None:
    compared = []
    for line in lines:
        of_errors = abs(line["std_error_peer"] - line["std_error_ours"]) / line["std_error_ours"]
        known = [line["difference_in_se"], *([] if answer.other_errors or np.isnan(of_errors) else [of_errors])]
        compared.append(max(known))
    below = judge(max(compared, default=0.0), gap) == "stopped below optimum"
    for line, difference in zip(lines, compared, strict=True):
        if below:
            line["colour"] = "stopped below optimum"
            told = f"peer stopped below the optimum by {gap:.3g} log-likelihood units"
            line["note"] = "; ".join(n for n in (told, answer.note) if n)
        else:
            line["colour"] = judge(difference, gap) if np.isfinite(difference) else "failed"


def _worst(verdicts: list[str]) -> str:
    order = ["green", "amber", "red", "stopped below optimum", "failed"]
    return max(verdicts, key=order.index)


def _check_increments(result: IncrementalValidity, peers: Sequence[str]) -> CrossCheck:
    final = result.fits.get("final, REML")
    if isinstance(final, MixedFit):
        made = _combine(result, final, _mixed_answers(final, peers))
        back = _own_names(result, final)
        return CrossCheck(
            result, made.frame.assign(term=made.frame["term"].map(lambda t: back.get(t, t))), made.engines
        )
    predictors = [name for names in result.entered.values() for name in names]
    answer = fit_pingouin(result.frame, result.outcome, predictors)
    table = result.coefficients.tidy()
    lines = _compare(table, answer, float("nan"))
    engines = [
        {
            "engine": answer.engine,
            "log_likelihood_ours": np.nan,
            "log_likelihood_peer": np.nan,
            "below_optimum": np.nan,
            "colour": _worst([m["colour"] for m in lines]),
            "note": answer.note,
            "other_errors": answer.other_errors,
        }
    ]
    return CrossCheck(result, pd.DataFrame(lines), pd.DataFrame(engines))


def _check_structural(fit: StructuralFit) -> CrossCheck:
    """Compare the free parameters of a structural model with semopy's."""
    answer, gap = semopy_answer(fit)
    lines = _compare(compared_rows(fit), answer, gap)
    engine = {
        "engine": answer.engine,
        "log_likelihood_ours": fit.log_likelihood,
        "log_likelihood_peer": np.nan,  # what semopy calls so is the discrepancy
        "below_optimum": max(gap, 0.0) if np.isfinite(gap) else np.nan,
        "colour": answer.status or _worst([line["colour"] for line in lines]),
        "note": answer.note,
        "other_errors": answer.other_errors,
    }
    return CrossCheck(fit, pd.DataFrame(lines), pd.DataFrame([engine]))


def _own_names(result: IncrementalValidity, final: MixedFit) -> dict[str, str]:
    """Return the mixed fit's term -> the predictor's column name, by position (stand-in names are possible)."""
    named = result.coefficients.tidy()["term"].tolist()
    return dict(zip(final.design.names, named, strict=True))
