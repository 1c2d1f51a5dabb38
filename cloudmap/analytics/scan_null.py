"""What chance does to a city's weekly counts: the null hypotheses of the scan of a panel, and which model its noise asks for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.negative_binomial import fit_size
from cloudmap.analytics.threads import threads_n

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


_ROUNDS, _REFITS = 3, 4
"""Rounds of correcting a fitted size, and tables drawn and fitted in each."""


class ByWeek(NamedTuple):
    """Each period's cases fall on places by known shares; the city's cases of every period are given.

    means: shape (n, t); cases_n: shape (t,), the city's cases; size: of the negative binomial, infinity for Poisson; lasting: size of the
    gamma noise that a place keeps over all periods.
    """

    means: Floats
    cases_n: Ints
    size: float
    lasting: float = np.inf

    @property
    def course(self) -> None:
        """Every replicate has the city's own cases in each period, so that nothing has to follow."""
        return None

    def draw(self, rng: np.random.Generator) -> Ints:
        """Draw the cases of each period, multinomial with gamma-distributed intensities."""
        intensity = _shaken(rng, self.means, self.size) * _shaken(rng, np.ones((self.means.shape[0], 1)), self.lasting)
        counts: Ints = rng.multinomial(self.cases_n, _shares(intensity.T, self.means.T)).T
        return counts


class ByPlace(NamedTuple):
    """Each place's cases, given in number, fall on periods as the city's do: shares of places are not known but shown by the cases.

    cases_n: shape (n,), each place's cases of all periods; course: shape (t,), the city's cases in the periods searched; before: those of
    the periods not searched, pooled; before_weeks: how many weeks' worth of independent noise that pool has.
    """

    cases_n: Ints
    course: Floats
    before: float
    before_weeks: float
    size: float

    def draw(self, rng: np.random.Generator) -> Ints:
        """Draw the cases in the periods searched, multinomial within each place with gamma-distributed intensities."""
        share = self.cases_n[:, None] / self.cases_n.sum()
        means = share * np.concatenate([[self.before], self.course])
        intensity = np.hstack([_shaken(rng, means[:, :1], self.size * self.before_weeks), _shaken(rng, means[:, 1:], self.size)])
        counts: Ints = rng.multinomial(self.cases_n, _shares(intensity, means))[:, 1:]
        return counts


class Dispersion(NamedTuple):
    """Score test of Poisson against negative binomial counts (z, one-sided p), and the sizes that fit best.

    size: of noise that is new in every place and week; lasting: of differences between places that stay. Infinity where there are none.
    """

    z: float
    p: float
    size: float
    lasting: float = np.inf


def dispersion(counts: Ints, means: Floats, *, leverage: Floats) -> Dispersion:
    """Tell whether counts vary more than Poisson counts with these means do.

    Parameters
    ----------
    counts, means : ndarray of shape (n, t)
        Counts, and their means as fitted.
    leverage : ndarray of shape (n, t)
        Share of each count's variance that fitting the means took away.

    Returns
    -------
    Dispersion
        size: infinity where the counts vary no more than Poisson counts do.

    References
    ----------
    Dean (1992), doi:10.1080/01621459.1992.10475225; size by maximum likelihood: Lawless (1987), doi:10.2307/3314912.
    """
    known = means > 0
    y, mean, pull = counts[known], means[known], leverage[known]
    if y.size == 0:
        return Dispersion(0.0, 1.0, np.inf)
    z = float(((y - mean) ** 2 - y + pull * mean).sum() / np.sqrt(2.0 * (mean**2).sum()))
    return Dispersion(z, float(stats.norm.sf(z)), fit_size(y, mean))


def unbiased_size(fitted: float, null: ByWeek | ByPlace, share: Floats, rng: np.random.Generator) -> float:
    """Find the size of which fitting makes the size that was fitted.

    Parameters
    ----------
    fitted : float
        Size as fitted, finite.
    null : ByWeek or ByPlace
        What tables are drawn from; its size does not matter.
    share : ndarray of shape (n,)
        Shares of the places, as fitted.
    rng : numpy Generator
        Source of the draws.

    Returns
    -------
    float
        The size, at most a factor of four from the one that was fitted.
    """

    def refitted(child: np.random.Generator, size: float) -> float:
        counts = null._replace(size=size).draw(child)
        means = share[:, None] * counts.sum(axis=0)
        known = means > 0
        return 1.0 / fit_size(counts[known], means[known])

    size = fitted
    with ThreadPoolExecutor(threads_n()) as pool:
        for _ in range(_ROUNDS):
            spread = float(np.mean(list(pool.map(refitted, rng.spawn(_REFITS), [size] * _REFITS))))
            size = float(np.clip(size * spread * fitted, fitted / 4, fitted * 4))
    return size


def _shaken(rng: np.random.Generator, means: Floats, size: float) -> Floats:
    """Multiply means by gamma noise of mean 1: Poisson counts of such intensities are negative binomial."""
    if not np.isfinite(size):
        return means
    return means * rng.standard_gamma(size, means.shape) / size


def _shares(intensity: Floats, means: Floats) -> Floats:
    """Turn the rows of a table into shares; a row whose noise vanished altogether falls back on its means, one without any on its first."""
    total = intensity.sum(axis=1, keepdims=True)
    rows = np.where(total > 0, intensity, means)
    total = rows.sum(axis=1, keepdims=True)
    rows[:, :1] += total <= 0
    shares: Floats = rows / rows.sum(axis=1, keepdims=True)
    return shares
