"""Learners of risk: Poisson regression and boosted trees, which must earn their place in a back-test (`risk_card`)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from cloudmap.analytics.negative_binomial import fit_size
from cloudmap.analytics.risk_features import Features
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from sklearn.base import RegressorMixin

Floats = npt.NDArray[np.float64]
Kind = Literal["poisson_regression", "boosted_trees"]

KINDS: Final[tuple[Kind, ...]] = ("poisson_regression", "boosted_trees")
TRAINING_ROWS: Final = 24_000
"""Rows a learner is fitted on at most: all with a report up to half of them, the others drawn and weighted up."""

_TRAINING_ORIGINS = 26
_WARM_UP_WEEKS = 13
_FEWEST_ORIGINS = 3
_LARGE = 1e7

_RIDGE_REPORTS = 5.0
"""Coefficients of features of deviation 1 are drawn to 0 by a normal prior of this precision, which gives way to more reports."""

_RATIOS = (1e-6, 1e3)
"""Ratios to the city beyond these are an accident of extrapolation."""


class Training(NamedTuple):
    """Rows of earlier origins, (m,): features (m, columns), place, counts, what the city's rate gives, how many rows each stands for."""

    x: Floats
    place: npt.NDArray[np.int64]
    y: Floats
    due: Floats
    weight: Floats


class Learned(NamedTuple):
    """Counts a learner expects, (n,), and the size of their negative binomial."""

    expected: Floats
    size: float


def training_rows(features: Features, origin: int, rng: np.random.Generator, *, rows_n: int = TRAINING_ROWS) -> Training:
    """Gather what was known at earlier origins and what then came, for a forecast from an origin.

    Parameters
    ----------
    features : Features
    origin : int
        First week that is to be forecast; the outcomes of all rows lie before ``origin - gap``.
    rng : numpy Generator
        Draws rows where there are too many.
    rows_n : int, default 24,000

    Raises
    ------
    AnalysisError
        Fewer than three earlier origins.
    """
    history = features.ready.history
    last = origin - history.gap - history.horizon
    origins = [last - history.horizon * back for back in range(_TRAINING_ORIGINS)]
    origins = [at for at in origins if at - history.gap >= _WARM_UP_WEEKS]
    if len(origins) < _FEWEST_ORIGINS:
        raise AnalysisError(
            f"{max(origin - history.gap, 0)} weeks of the present regime are too few to fit a learner; "
            f"{_WARM_UP_WEEKS + history.gap + history.horizon * _FEWEST_ORIGINS} are needed: shorten the horizon or load more weeks"
        )
    n = history.share.size
    y = np.concatenate([history.truth(at) for at in origins])
    chosen, weight = _sample(y, rows_n, rng)
    rows: list[Floats] = []
    due: list[Floats] = []
    for number, at in enumerate(origins):
        inside = chosen[(chosen >= number * n) & (chosen < (number + 1) * n)] - number * n
        rows.append(features.at(at)[inside])
        due.append(features.due(at)[inside])
    return Training(np.concatenate(rows), chosen % n, y[chosen], np.concatenate(due), weight)


def learn(features: Features, origin: int, kind: Kind, *, seed: int, training: Training | None = None) -> Learned:
    """Fit a learner on earlier origins and forecast the weeks from an origin.

    Parameters
    ----------
    features : Features
    origin : int
        First week that is forecast; nothing from ``origin - gap`` on is used.
    kind : {"poisson_regression", "boosted_trees"}
    seed : int
        Of the draw of rows and of the trees.
    training : Training, optional
        Rows, where they were gathered before.

    Returns
    -------
    Learned

    Raises
    ------
    AnalysisError
        As `training_rows`.

    Notes
    -----
    The learner fits y / due with weights due, which is the likelihood of Poisson counts with log due as offset. Its settings are fixed, not
    tuned. The size of the negative binomial is fitted to the
    newest weeks that it was trained on.
    """
    rows = training_rows(features, origin, np.random.default_rng([seed, origin])) if training is None else training
    model = fit(kind, rows, seed=seed)
    history = features.ready.history
    last = origin - history.gap - history.horizon
    size = fit_size(history.truth(last), _expected(model, features, last))
    return Learned(_expected(model, features, origin), min(size, _LARGE))


def fit(kind: Kind, rows: Training, *, seed: int) -> RegressorMixin:
    """Fit a learner whose `predict` gives ratios to what the city's rate would bring.

    Raises
    ------
    AnalysisError
        Unknown kind.

    Notes
    -----
    One thread: those of OpenMP wait for each other by spinning, and take several times as long where another process computes beside them.
    """
    weight = rows.weight * rows.due
    name = "poissonregressor__sample_weight" if kind == "poisson_regression" else "sample_weight"
    with _threads().limit(limits=1):
        return _model(kind, max(float(rows.weight @ rows.y), 1.0), seed).fit(rows.x, rows.y / rows.due, **{name: weight / weight.mean()})


def _expected(model: RegressorMixin, features: Features, origin: int) -> Floats:
    return ratios(model, features.at(origin)) * features.due(origin)


def ratios(model: RegressorMixin, x: Floats) -> Floats:
    """Predict ratios to what the city's rate would bring, shape (n,), for features (n, columns)."""
    with _threads().limit(limits=1), np.errstate(over="ignore"):
        return np.clip(np.asarray(model.predict(x), dtype=np.float64), *_RATIOS)


@cache
def _threads() -> ThreadpoolController:
    """The threads of the libraries in this process; finding them takes longer than fitting a small regression."""
    import sklearn.ensemble  # noqa: F401  # loads what is to be found

    return ThreadpoolController()


def _model(kind: Kind, reports_n: float, seed: int) -> RegressorMixin:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import PoissonRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == "poisson_regression":
        ridge = PoissonRegressor(alpha=_RIDGE_REPORTS / reports_n, solver="newton-cholesky", max_iter=200)
        return make_pipeline(StandardScaler(), ridge)
    if kind == "boosted_trees":
        return HistGradientBoostingRegressor(
            loss="poisson", learning_rate=0.08, max_iter=80, max_leaf_nodes=8, max_bins=32, min_samples_leaf=100, l2_regularization=1.0,
            early_stopping=False, random_state=seed,
        )  # fmt: skip
    raise AnalysisError(f"learner {kind!r} is unknown; use one of {', '.join(KINDS)}")


def _sample(y: Floats, rows_n: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], Floats]:
    """Indices of the rows to fit, ascending, and how many rows each stands for."""
    if y.size <= rows_n:
        return np.arange(y.size), np.ones(y.size)
    parts = []
    came, not_come = np.flatnonzero(y > 0), np.flatnonzero(y == 0)
    came_n = min(came.size, max(rows_n // 2, rows_n - not_come.size))
    for pool, number in ((came, came_n), (not_come, min(not_come.size, rows_n - came_n))):
        if number:
            parts.append((rng.choice(pool, number, replace=False), pool.size / number))
    chosen = np.concatenate([rows for rows, _ in parts])
    weight = np.concatenate([np.full(rows.size, share) for rows, share in parts])
    order = np.argsort(chosen)
    return chosen[order], weight[order]
