"""A city's yearly course: one wave a year fitted to weekly counts, and how counts scatter about it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from cloudmap.analytics.past import fit_quasi_poisson

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_YEAR = 365.25 / 7


class Season(NamedTuple):
    """Level and wave: log of the weekly mean = coefficients x (1, sine, cosine); covariance without the dispersion."""

    coefficients: Floats
    covariance: Floats
    weeks: Ints
    counts: Floats

    def at(self, weeks: Ints) -> Floats:
        """Return the mean of these weeks."""
        return np.asarray(np.exp(_design(weeks, self.coefficients.size) @ self.coefficients), dtype=np.float64)

    def ratio(self, now: Ints, then: Ints) -> tuple[float, float]:
        """Return the mean sum of some weeks over that of others, and the standard error of its logarithm."""
        parts = [self.at(weeks) for weeks in (now, then)]
        slopes = [
            part @ _design(weeks, self.coefficients.size) / max(part.sum(), 1e-300) for part, weeks in zip(parts, (now, then), strict=True)
        ]
        turn = slopes[0] - slopes[1]
        variance = float(turn @ self.covariance @ turn) * self.noise(1)
        if self.coefficients.size == 1 or not parts[1].sum() > 0:
            return now.size / then.size, 0.0
        return float(parts[0].sum() / parts[1].sum()), float(np.sqrt(max(variance, 0.0)))

    def noise(self, length: int) -> float:
        """Return the variance over the mean of sums of so many weeks, at least 1.

        With few spans it is itself uncertain; it is raised so that a normal quantile does the work of Student's.
        """
        skip = self.counts.size % length
        counts, mean = (one[skip:].reshape(-1, length).sum(axis=1) for one in (self.counts, self.at(self.weeks)))
        freedom = counts.size - self.coefficients.size
        if freedom < 1 or not (mean > 0).all():
            return 1.0
        phi = float(((counts - mean) ** 2 / mean).sum()) / freedom
        student = float(stats.t.ppf(0.975, freedom)) / float(stats.norm.ppf(0.975))
        raised: float = phi * student * student
        return max(raised, 1.0)


def fit_season(counts: Floats, weeks: Ints, *, yearly: bool) -> Season:
    """Fit a level and, where a year of weeks is there, one wave a year.

    Parameters
    ----------
    counts : ndarray of shape (t,)
        Weekly counts of the city.
    weeks : ndarray of shape (t,)
        Numbers of these weeks; those left out are not fitted.
    yearly : bool
        Whether to fit the wave.

    Returns
    -------
    Season
        The level alone where the regression does not converge or there is no count.

    References
    ----------
    Stolwijk, Straatman and Zielhuis (1999), doi:10.1136/jech.53.4.235.
    """
    if yearly and counts.any():
        fit = fit_quasi_poisson(_design(weeks, 3), counts)
        if fit is not None:
            return Season(fit.coefficients, fit.covariance, weeks, counts)
    level = max(float(counts.mean()), 1e-12)
    return Season(np.array([np.log(level)]), np.array([[1 / (level * counts.size)]]), weeks, counts)


def _design(weeks: Ints, columns: int) -> Floats:
    turn = 2 * np.pi * weeks / _YEAR
    return np.column_stack([np.ones(weeks.size), np.sin(turn), np.cos(turn)])[:, :columns]
