"""What a cube-level statistic is given: counts of places over consecutive weeks, with all that stands beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from cloudmap.analytics.effort import CITY
from cloudmap.analytics.periods import Days, Month, Period, week_id
from cloudmap.analytics.regimes import regime_starts
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from geopandas import GeoDataFrame, GeoSeries
    from scipy.sparse import csr_matrix

Floats = npt.NDArray[np.float64]
ExposureKind = Literal["population", "reports", "none"]


@dataclass(frozen=True)
class Panel:
    """Matters of one choice of categories, by place and ISO week.

    Attributes
    ----------
    layer, category : str
        Id of the layer ("cell_9", "unit_street") and of the choice of categories (ALL, a group or a code).
    places : tuple of str, length n
        Every place of the layer, also those without a report, sorted.
    first_week_on : date
        Monday of the first column of `counts`.
    counts : int array of shape (n, T)
        Matters per place and consecutive week; the last column is the last complete week.
    xy_m : float array of shape (n, 2)
        A point inside each place, metres, in the city's metric CRS.
    area_m2 : float array of shape (n,)
        Real areas.
    weights : scipy CSR of shape (n, n)
        Binary, symmetric, zero diagonal: who is whose neighbour.
    exposure : float array of shape (n,) or None
        What counts are expected to be proportional to; None where the city declares none.
    exposure_kind : {"population", "reports", "none"}
        What the exposure is; named in every legend.
    regime_from : int
        Index of the first week of the present reporting regime: no trend and no comparison reaches back over it.
    complete : bool array of shape (T,)
        Weeks whose reports are in; False for those masked for reporting lag.
    """

    layer: str
    category: str
    places: tuple[str, ...]
    first_week_on: date
    counts: npt.NDArray[np.int64]
    xy_m: Floats
    area_m2: Floats
    weights: csr_matrix
    exposure: Floats | None
    exposure_kind: ExposureKind
    regime_from: int
    complete: npt.NDArray[np.bool_]

    @property
    def weeks_n(self) -> int:
        """Number of weeks, T."""
        return int(self.counts.shape[1])

    @property
    def weeks(self) -> list[date]:
        """Monday of each week."""
        return [self.first_week_on + timedelta(weeks=at) for at in range(self.weeks_n)]

    def panel(self) -> Panel:
        """Return itself, so that a statistic takes a panel or a cube."""
        return self

    def at(self, week_on: date) -> int:
        """Return the index of the week that starts on a Monday.

        Raises
        ------
        AnalysisError
            The week is not among the panel's.
        """
        at = (week_on - self.first_week_on).days // 7
        if not 0 <= at < self.weeks_n:
            first, last = week_id(self.first_week_on), week_id(self.weeks[-1])
            raise AnalysisError(
                f"week {week_id(week_on)} is outside the data of {self.layer}; they run from {first} to {last}", code="outside"
            )
        return at

    def span(self, period: Period) -> slice:
        """Return the columns of a period.

        Raises
        ------
        AnalysisError
            The period does not lie within the panel's weeks.
        """
        return slice(self.at(period.first_on), self.at(period.last_week_on) + 1)

    def total(self, period: Period) -> npt.NDArray[np.int64]:
        """Sum each place's matters over a period, shape (n,)."""
        return np.asarray(self.counts[:, self.span(period)].sum(axis=1), dtype=np.int64)


class HasPanel(Protocol):
    """A panel, or a cube that makes one."""

    def panel(self) -> Panel:
        """Return counts by place and week with all that stands beside them."""
        ...


def dense_counts(
    cube: pl.DataFrame,
    places: Sequence[str],
    first_week_on: date,
    last_week_on: date,
    categories: Iterable[str] | None,
    column: str = "matters_n",
) -> npt.NDArray[np.int64]:
    """Spread a weekly cube out into one row a place and one column a week.

    Parameters
    ----------
    cube : polars.DataFrame
        Columns of `schema.CUBE`.
    places : sequence of str, length n
        Rows of the answer, in this order; rows of other places are left out.
    first_week_on, last_week_on : date
        Mondays of the first and the last week.
    categories : iterable of str or None
        Second-level codes to sum; None for all.
    column : str, default "matters_n"
        Which count.

    Returns
    -------
    int array of shape (n, T)

    Raises
    ------
    AnalysisError
        The last week is before the first.
    """
    weeks_n = (last_week_on - first_week_on).days // 7 + 1
    if weeks_n < 1:
        raise AnalysisError(f"weeks end ({last_week_on}) before they begin ({first_week_on}); give the first week first")
    rows = cube.filter(pl.col("week_on").is_between(first_week_on, last_week_on))
    if categories is not None:
        rows = rows.filter(pl.col("category_code").is_in(list(categories)))
    order = pl.DataFrame({"place": list(places), "at": np.arange(len(places))}, schema={"place": pl.String, "at": pl.Int64})
    rows = rows.group_by("place", "week_on").agg(pl.col(column).sum()).join(order, on="place")
    week = ((rows["week_on"] - first_week_on).dt.total_days() // 7).to_numpy()
    counts = np.zeros((len(places), weeks_n), dtype=np.int64)
    counts[rows["at"].to_numpy(), week] = rows[column].to_numpy()
    return counts


@dataclass(frozen=True)
class Ground:
    """The places of a layer as a panel needs them, in the order of the ids.

    Attributes
    ----------
    layer : str
        Id of the layer.
    shapes : GeoDataFrame
        place, geometry (any CRS that is declared), sorted by place.
    weights : scipy CSR of shape (n, n)
        Who is whose neighbour, in the order of `shapes`.
    exposure : polars.DataFrame or None
        place, exposure; a place without a row has none.
    exposure_kind : {"population", "reports", "none"}
    metric_crs : str
        CRS for lengths and areas.
    """

    layer: str
    shapes: GeoDataFrame
    weights: csr_matrix
    exposure: pl.DataFrame | None
    exposure_kind: ExposureKind
    metric_crs: str

    @cached_property
    def places(self) -> tuple[str, ...]:
        """Ids of the places."""
        return tuple(str(place) for place in self.shapes["place"])

    @cached_property
    def xy_m(self) -> Floats:
        """A point inside each place, metres; shape (n, 2). A place without a shape has NaN."""
        points = self._metric.representative_point()
        return np.column_stack([points.x.to_numpy(dtype=float), points.y.to_numpy(dtype=float)])

    @cached_property
    def area_m2(self) -> Floats:
        """Real areas, shape (n,)."""
        return np.asarray(self._metric.area, dtype=float)

    @cached_property
    def _metric(self) -> GeoSeries:
        return self.shapes.geometry.to_crs(self.metric_crs)


def build_panel(
    cube: pl.DataFrame | npt.NDArray[np.integer[Any]],
    ground: Ground,
    *,
    category: str,
    codes: Sequence[str],
    weeks: tuple[date, date],
    regime_from: date | None = None,
    complete_to: date | None = None,
) -> Panel:
    """Lay the counts of some categories out over the places and weeks of a layer.

    Parameters
    ----------
    cube : polars.DataFrame or int array
        Columns of `schema.CUBE`; or its counts of `codes` from the first week on, as `dense_counts` lays them out over the places of
        `ground`, also of weeks after the last.
    ground : Ground
    category : str
        What the choice of categories is called.
    codes : sequence of str
        Second-level codes to sum.
    weeks : pair of date
        Mondays of the first and the last week.
    regime_from : date, optional
        Monday of the first week of the reporting regime that the last week belongs to; the first week where not given.
    complete_to : date, optional
        Monday of the last week whose reports are in; the last week where not given.

    Raises
    ------
    AnalysisError
        The last week is before the first.
    """
    first, last = weeks
    weeks_n = (last - first).days // 7 + 1
    laid = dense_counts(cube, ground.places, first, last, codes) if isinstance(cube, pl.DataFrame) else cube[:, :weeks_n].astype(np.int64)
    exposure = None
    if ground.exposure is not None:
        known = pl.DataFrame({"place": ground.places}, schema={"place": pl.String}).join(
            ground.exposure, on="place", how="left", maintain_order="left"
        )
        exposure = known["exposure"].fill_null(0.0).to_numpy()
    begun = 0 if regime_from is None else min(max((regime_from - first).days // 7, 0), weeks_n - 1)
    complete_n = weeks_n if complete_to is None else max((complete_to - first).days // 7 + 1, 0)
    return Panel(
        layer=ground.layer,
        category=category,
        places=ground.places,
        first_week_on=first,
        counts=laid,
        xy_m=ground.xy_m,
        area_m2=ground.area_m2,
        weights=ground.weights,
        exposure=exposure,
        exposure_kind=ground.exposure_kind,
        regime_from=begun,
        complete=np.arange(weeks_n) < complete_n,
    )


@dataclass(frozen=True)
class ReportingWeeks:
    """What is known of the weeks of a city's data.

    Attributes
    ----------
    first_week_on, last_week_on : date or None
        Mondays of the first and the last whole week of the data: reports may begin in the middle of a week, so the one in which they
        do is left out. None where unknown.
    regimes_from : tuple of date
        Mondays on which reporting regimes of the whole city begin, ascending.
    masked_from : date or None
        Monday of the first week that is masked for reporting lag; None where none is.
    """

    first_week_on: date | None = None
    last_week_on: date | None = None
    regimes_from: tuple[date, ...] = ()
    masked_from: date | None = None

    def regime_from(self, week_on: date) -> date | None:
        """Return the Monday on which the reporting regime of a week begins; None where it is the first."""
        return max((day for day in self.regimes_from if day <= week_on), default=None)

    def days_in(self, period: Month | Days) -> tuple[Month | Days, tuple[str, ...]]:
        """Return the days of a free period whose reports are in, and the caveats of testing them: as of weeks, so of days.

        Raises
        ------
        AnalysisError
            All its days are masked for reporting lag.
        """
        tested, caveats = period, []
        if self.masked_from is not None and period.last_on >= self.masked_from:
            newest = self.masked_from - timedelta(days=1)
            if period.first_on > newest:
                raise AnalysisError(
                    f"reports of {period.id} are still coming in, so that it cannot be tested; the newest day in is {newest}"
                )
            tested, caveats = Days(period.first_on, newest), ["masked_weeks_left_out"]
        if any(period.first_on < begun <= period.last_on for begun in self.regimes_from):
            caveats.append("crosses_regime")
        return tested, tuple(caveats)

    def panel(
        self,
        cube: pl.DataFrame | npt.NDArray[np.integer[Any]],
        ground: Ground,
        *,
        category: str,
        codes: Sequence[str],
        weeks: tuple[date, date],
    ) -> Panel:
        """Build a panel whose last week, regime and lag mask follow from what is known here."""
        complete_to = None if self.masked_from is None else self.masked_from - timedelta(weeks=1)
        begun = self.regime_from(weeks[1])
        return build_panel(cube, ground, category=category, codes=codes, weeks=weeks, regime_from=begun, complete_to=complete_to)


def reporting_weeks(parts: Mapping[str, pl.DataFrame], last_week_on: date | None) -> ReportingWeeks:
    """Read what an analysis knows of the weeks.

    Parameters
    ----------
    parts : mapping of str to polars.DataFrame
        Parts of an analysis; "cube_class", "regimes" and "masked" are used where they are there.
    last_week_on : date or None
        Monday of the last complete week.
    """
    counted, regimes, masked = parts.get("cube_class"), parts.get("regimes"), parts.get("masked")
    first = None if counted is None else counted["week_on"].min()
    begun = () if regimes is None else tuple(regime_starts(regimes))
    city = pl.col("source_id") == CITY
    from_on = None if masked is None else masked.filter(city)["week_on"].min()
    whole_from = first + timedelta(weeks=1) if isinstance(first, date) else None
    return ReportingWeeks(whole_from, last_week_on, begun, from_on if isinstance(from_on, date) else None)


def spread_out(values: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Put the values of the known places, in their order, back among all places; NaN for the others."""
    whole = np.full(known.size, np.nan)
    whole[known] = values
    return whole
