"""What becomes of a risk map when attention follows it: places looked at report more, look worse, and are looked at again."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]
Policy = Literal["even", "naive", "corrected", "random_share", "corrected_random_share"]

POLICIES: Final[tuple[Policy, ...]] = ("even", "naive", "corrected", "random_share", "corrected_random_share")
"""Attention spread evenly; by a score of raw counts; by a score of counts per effort; either with a share of attention spread at random."""


def simulate(  # noqa: PLR0913  # each is a setting of the simulated city
    *,
    policies: tuple[Policy, ...] = POLICIES,
    places_n: int = 200,
    rounds: int = 52,
    mean: float = 1.0,
    spread: float = 0.3,
    found: float = 0.7,
    top_share: float = 0.1,
    random_share: float = 0.2,
    runs: int = 20,
    seed: int = 1,
) -> Result:
    """Simulate rounds in which staff go where the score sends them, and their reports feed the next score.

    Parameters
    ----------
    policies : tuple, default `POLICIES`
        How attention is shared out.
    places_n : int, default 200
        Places; their true risks differ by `spread` and never change.
    rounds : int, default 52
        Rounds; in the first all attention is even.
    mean : float, default 1
        Reports of a place and round at even attention.
    spread : float, default 0.3
        Deviation of the logarithm of the true risk.
    found : float, default 0.7
        Share of reports that come of attention; the others come in whether staff look or not. 0 to 1.
    top_share : float, default 0.1
        Share of places, those with the highest scores, to which directed attention goes.
    random_share : float, default 0.2
        Share of attention that is spread over places drawn at random, for policies that do so. 0 to 1.
    runs : int, default 20
        Cities, the same ones for each policy.
    seed : int, default 1

    Returns
    -------
    Result
        One row a policy and round: policy, round_n, top_reports_share (reports so far from the places that reported most, as many as
        `top_share` gives), overstated (share of the whole risk that the score sees in its highest places, over the share that the truly
        riskiest have), true_top_share (places sent to that belong to those), correlation (of the ranks of score and true risk), turnover
        (places sent to that are new). Means over runs.

    Raises
    ------
    AnalysisError
        An unknown policy, shares outside 0 to 1, or too few places, rounds or runs.

    Notes
    -----
    Reports of place i in a round ~ Poisson(mean x risk_i x (1 - found + found x a_i)), with attention a of mean 1. The naive score is the
    count so far; the corrected one the posterior mean of Gamma(1 + count, 1 + effort), effort being the sum of
    mean x (1 - found + found x a). It supposes that `found` is known: where it is not, exposure is not what it seems.

    References
    ----------
    Lum and Isaac (2016), doi:10.1111/j.1740-9713.2016.00960.x; Ensign et al. (2018), Runaway feedback loops in predictive policing,
    Proceedings of Machine Learning Research 81.

    Examples
    --------
    >>> last = simulate(policies=("naive", "corrected"), rounds=20, runs=4).table.filter(round_n=20)
    >>> naive, corrected = last["overstated"]
    >>> naive > 2 * corrected
    True
    """
    top_n = _checked(policies, (places_n, rounds, runs), (found, top_share, random_share), mean, spread)
    parts = []
    for policy in policies:
        traces = []
        for run in range(runs):
            rng = np.random.default_rng([seed, run])
            risk = np.exp(spread * rng.normal(size=places_n))
            share = random_share if policy.endswith("random_share") else 0.0
            traces.append(_run(risk / risk.mean(), policy, rounds, rng, mean=mean, found=found, top_n=top_n, random_share=share))
        parts.append(_means(policy, np.mean(traces, axis=0)))
    parameters = {
        "places_n": places_n, "rounds": rounds, "mean": mean, "spread": spread, "found": found, "top_share": top_share,
        "random_share": random_share, "runs": runs, "seed": seed,
    }  # fmt: skip
    denominator = f"means over {runs} simulated cities of {places_n} places"
    return Result("feedback simulation", parameters, pl.concat(parts), denominator, ("simulated",))


def _run(
    risk: Floats, policy: Policy, rounds: int, rng: np.random.Generator, *, mean: float, found: float, top_n: int, random_share: float
) -> Floats:
    """Follow one city, shape (rounds, 5)."""
    n = risk.size
    riskiest = np.argsort(-risk)[:top_n]
    count, effort = np.zeros(n), np.zeros(n)
    before = np.empty(0, dtype=np.int64)
    trace = np.empty((rounds, 5))
    for at in range(rounds):
        score = _scored(policy, count, effort)
        order = rng.permutation(n)
        sent = order[np.argsort(-score[order], kind="stable")][:top_n]
        attention = np.ones(n) if policy == "even" or at == 0 else _attention(n, sent, random_share, rng)
        works = 1.0 - found + found * attention
        count += rng.poisson(mean * risk * works)
        effort += mean * works
        score = _scored(policy, count, effort)
        believed = np.sort(score)[-top_n:].sum() / score.sum()
        trace[at] = (
            np.sort(count)[-top_n:].sum() / max(count.sum(), 1.0),
            believed / (risk[riskiest].sum() / n),
            np.isin(sent, riskiest).mean() if at else np.nan,
            _rank_correlation(score, risk),
            1.0 - np.isin(sent, before).mean() if at > 1 else np.nan,
        )
        before = sent
    return trace


def _scored(policy: Policy, count: Floats, effort: Floats) -> Floats:
    """What a policy makes of the reports so far."""
    return (1.0 + count) / (1.0 + effort) if policy.startswith("corrected") else 1.0 + count


def _rank_correlation(score: Floats, risk: Floats) -> float:
    """Spearman's correlation; NaN where all places are alike."""
    if np.ptp(score) == 0 or np.ptp(risk) == 0:
        return np.nan
    return float(np.corrcoef(stats.rankdata(score), stats.rankdata(risk))[0, 1])


def _attention(n: int, sent: npt.NDArray[np.int64], random_share: float, rng: np.random.Generator) -> Floats:
    """Attention with mean 1: to the places sent to, and a share of it to as many drawn at random."""
    attention = np.zeros(n)
    attention[sent] += (1.0 - random_share) * n / sent.size
    attention[rng.choice(n, sent.size, replace=False)] += random_share * n / sent.size
    return attention


def _means(policy: Policy, trace: Floats) -> pl.DataFrame:
    names = ("top_reports_share", "overstated", "true_top_share", "correlation", "turnover")
    columns = {name: trace[:, number] for number, name in enumerate(names)}
    table = pl.DataFrame({"policy": [policy] * len(trace), "round_n": np.arange(1, len(trace) + 1), **columns})
    return table.with_columns(pl.col(pl.Float64).fill_nan(None))


def _checked(
    policies: tuple[Policy, ...], sizes: tuple[int, int, int], shares: tuple[float, float, float], mean: float, spread: float
) -> int:
    """Check the settings; the number of places that attention is directed to."""
    if unknown := [policy for policy in policies if policy not in POLICIES]:
        raise AnalysisError(f"policies {', '.join(unknown)} are unknown; use some of {', '.join(POLICIES)}")
    if not policies or sizes[0] < 10 or sizes[1] < 2 or sizes[2] < 1:
        raise AnalysisError(f"places, rounds, runs = {sizes}: at least 10 places, two rounds, one run and one policy are needed")
    found, top_share, random_share = shares
    if not (0 <= found <= 1 and 0 < top_share <= 1 and 0 <= random_share <= 1):
        raise AnalysisError(f"found, top_share, random_share = {shares} are shares: from 0 to 1, top_share above 0")
    if not (mean > 0 and spread >= 0 and np.isfinite(mean) and np.isfinite(spread)):
        raise AnalysisError(f"mean = {mean!r} must be above 0 and spread = {spread!r} at least 0")
    return max(1, round(top_share * sizes[0]))
