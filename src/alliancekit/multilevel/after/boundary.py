"""The p value of a likelihood-ratio test whose null hypothesis puts a variance at zero, or its like."""

from __future__ import annotations

from alliancekit.numerics.distributions import chi2_upper


def lrt_statistic(larger: float, smaller: float) -> float:
    """Return twice the difference of two log-likelihoods; zero where it is rounding of the search for the optimum."""
    chisq = 2.0 * (larger - smaller)
    return chisq if chisq > 1e-9 * (1.0 + abs(larger)) else 0.0


def mixture_p(chisq: float, df: int, variances: int) -> float:
    """Return the p value by the mixture of chi-squares, or NaN where the mixture is not known.

    Parameters
    ----------
    chisq : twice the difference of the log-likelihoods. df : difference of the numbers of parameters.
    variances : how many random effects the larger model has more, and other parameters with one null value at the end
        of their range (a dispersion, a probability of extra zeros).

    Notes
    -----
    One more random effect, with its covariances with the q - 1 that were there: half chi-square with q - 1, half with q
    df (Stram & Lee 1994, Biometrics 50, 1171-1177, case 3; with q = 1 Self & Liang 1987, J Am Stat Assoc 82, 605-610,
    case 5). Every other parameter that is tested with it (covariances set free, fixed effects) adds one to both df.
    Without a further random effect no null value is on the boundary, and the mixture is plain chi-square. With two or
    more the weights depend on the information matrix; the plain p value is then too large.
    """
    if df < 1 or variances < 0 or variances > 1:
        return float("nan")
    plain = float(chi2_upper(chisq, df))
    return plain if variances == 0 else 0.5 * float(chi2_upper(chisq, df - 1)) + 0.5 * plain


def mixture_text(df: int) -> str:
    """Return the mixture in words."""
    if df == 1:
        return "an equal mixture of zero and chi-square with 1 df"
    return f"an equal mixture of chi-squares with {df - 1} and {df} df"
