"""The components of the situation, each from the statistic that shows the same number elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import special

from cloudmap.analytics.changes import CITY, what_changed
from cloudmap.analytics.funnel import funnel
from cloudmap.analytics.noise import fit_noise
from cloudmap.analytics.panel import Panel, dense_counts
from cloudmap.analytics.periods import Period
from cloudmap.analytics.situation_inputs import Burden, Handled, Water
from cloudmap.analytics.situation_shift import SPANS_LEAST, Series, Shift, Verdicts, Weeks, shift, verdict_shift, weekly_series
from cloudmap.analytics.staff import few_staff
from cloudmap.errors import AnalysisError

Floats = npt.NDArray[np.float64]

EMERGING: Final = ("new_hot", "intensifying_hot", "consecutive_hot")
SILENT: Final = ("silent", "never_reported")
LOOK_BACK_WEEKS: Final = 13
"""Whole weeks that 90 days reach into."""

_ALL: Final = "ALL"
_REASON_OF_CHANGE: Final = {"regime": "regime_between", "masked": "lag_masked", "no_history": "no_data", "few": "few"}


def volume_part(panel: Panel, period: Period, against: Literal["before", "year_before"], weeks: Weeks) -> pl.DataFrame:
    """Count matters against what the past lets expect."""
    if not weeks.now.size:
        return _nothing(panel, "lag_masked", "ratio", "changes")
    cards = _cards(panel, period, against)
    return _part(panel, "ratio", "changes").with_columns(
        n=cards["n"],
        value=cards["ratio"],
        lower=cards["lower"],
        upper=cards["upper"],
        expected=cards["expected"],
        before_n=cards["before_n"],
        change=cards["ratio"],
        change_lower=cards["lower"],
        change_upper=cards["upper"],
        p=cards["p"],
        reason=cards["reason"],
    )


def severity_part(panel: Panel, burden: Burden | None, weeks: Weeks) -> pl.DataFrame:
    """Average the severity weights of matters; the burden, their sum, stands beside and is not tested."""
    if burden is None:
        return _nothing(panel, "not_given", "per_matter", "cube")
    if not weeks.now.size:
        return _nothing(panel, "lag_masked", "per_matter", "cube")
    cube, weights = burden.cube, burden.weights
    present = cube["category_code"].cast(pl.String).unique().to_list()
    used = [code for code in present if burden.codes is None or code in set(burden.codes)]
    n, total, square = (np.zeros((len(panel.places), panel.weeks_n)) for _ in range(3))
    for weight in sorted({weights.get(code, 1.0) for code in used}):
        alike = [code for code in used if weights.get(code, 1.0) == weight]
        counts = dense_counts(cube, panel.places, panel.first_week_on, panel.weeks[-1], alike, "matters_n")
        n, total, square = n + counts, total + weight * counts, square + weight**2 * counts
    found = shift(Series(*(np.vstack([one, one.sum(axis=0)]) for one in (n, total, square))), weeks, share=False)
    part = _of_shift(_part(panel, "per_matter", "cube"), found)
    return part.with_columns(n="denominator_n", denominator_n=pl.lit(None, dtype=pl.Int64), total=pl.Series(found.total))


def timeliness_part(panel: Panel, handled: Handled | None, weeks: Weeks) -> pl.DataFrame:
    """Count cases due that were closed by their due time, as the indicator on_time does."""
    if handled is None:
        return _nothing(panel, "not_given", "share", "indicators:on_time")
    if not weeks.now.size:
        return _nothing(panel, "lag_masked", "share", "indicators:on_time")
    part = _of_shift(_part(panel, "share", "indicators:on_time"), shift(weekly_series(handled.due, panel), weeks, share=True))
    return _beside_others(_few_staff(part, handled))


def recurrence_part(panel: Panel, handled: Handled | None, weeks: Weeks) -> pl.DataFrame:
    """Count matters that had another of their category at the same place in the 90 days before, or came back."""
    if handled is None or handled.near_column is None:
        return _nothing(panel, "not_given", "share", "cases")
    if not weeks.now.size:
        return _nothing(panel, "lag_masked", "share", "cases")
    # The 90 days before a matter must lie within the data and the regime, or what came back is missed.
    known_from = panel.regime_from + LOOK_BACK_WEEKS
    why = "regime_between" if panel.regime_from else "no_data"
    if weeks.now[0] < known_from:
        return _nothing(panel, why, "share", "cases")
    late = weeks.then.size > 0 and weeks.then[0] < known_from
    looked = weeks._replace(then=weeks.then[:0] if late else weeks.then, past=weeks.past[weeks.past >= known_from])
    sums = handled.recurring
    if handled.recurring_before is not None and looked.then.size:
        then = pl.col("week_on").is_in([panel.weeks[at] for at in looked.then])
        sums = pl.concat([sums.filter(~then), handled.recurring_before.filter(then)])
    part = _of_shift(_part(panel, "share", "cases"), shift(weekly_series(sums, panel), looked, share=True))
    return part.with_columns(pl.lit(why).alias("reason")) if late else part


def verdict_part(
    panel: Panel, verdicts: Verdicts | None, flagged: Sequence[str], weeks: Weeks, *, by_area: bool, source: str
) -> pl.DataFrame:
    """Tell the share of judged places that a map flags."""
    if verdicts is None:
        return _nothing(panel, "not_given", "share", source)
    kept = verdicts if weeks.then.size else verdicts._replace(before=None)
    found = verdict_shift(kept, panel.places, flagged, by_area=by_area)
    part = _of_shift(_part(panel, "share", source), found)
    if kept.before is None:
        return part.with_columns(pl.lit("no_data").alias("reason"))
    still = pl.col("p").is_null() & pl.col("change_lower").is_not_null() & (pl.col("reason") == "few")
    return part.with_columns(pl.when(still).then(None).otherwise("reason").alias("reason"))


def water_part(panel: Panel, water: Water | None, period: Period, against: Literal["before", "year_before"], weeks: Weeks) -> pl.DataFrame:
    """Count matters within 100 m of water per kilometre of it."""
    if water is None:
        return _nothing(panel, "not_given", "per_km", "near_water")
    if water.panel.places != panel.places or water.panel.first_week_on != panel.first_week_on or water.panel.weeks_n != panel.weeks_n:
        raise AnalysisError("the panel of matters beside water has other places or weeks; build it of the same layer and load")
    if not weeks.now.size:
        return _nothing(panel, "lag_masked", "per_km", "near_water")
    cards = _cards(water.panel, period, against)
    km = np.array([water.length_km.get(place, 0.0) for place in panel.places])
    km = np.append(km, km.sum())
    wet = np.where(km > 0, km, np.nan)
    n = cards["n"].to_numpy().astype(np.float64)
    low, high = _rate_interval(n, _dispersion(water.panel, weeks))
    part = _part(panel, "per_km", "near_water").with_columns(
        n=cards["n"],
        value=pl.Series(n / wet).fill_nan(None),
        lower=pl.Series(low / wet).fill_nan(None),
        upper=pl.Series(high / wet).fill_nan(None),
        expected=cards["expected"],
        before_n=cards["before_n"],
        before=pl.Series(cards["before_n"].to_numpy() / wet).fill_nan(None),
        change=cards["ratio"],
        change_lower=cards["lower"],
        change_upper=cards["upper"],
        p=cards["p"],
        reason=cards["reason"],
    )
    dry = pl.Series("dry", ~(km > 0))
    blank = ("n", "expected", "before_n", "change", "change_lower", "change_upper", "p")
    return part.with_columns(
        *(pl.when(~dry).then(name).alias(name) for name in blank), pl.when(dry).then(pl.lit("no_cases")).otherwise("reason").alias("reason")
    )


def _cards(panel: Panel, period: Period, against: Literal["before", "year_before"]) -> pl.DataFrame:
    """Return the cards of what changed: the units', in the panel's order, then the city's."""
    table = what_changed((panel,), period=period, against=against).table
    return table.with_columns(pl.col("place").replace({CITY: _ALL}), pl.col("reason").replace(_REASON_OF_CHANGE))


def _dispersion(panel: Panel, weeks: Weeks) -> Floats:
    """Learn how much more counts vary than Poisson's; 1 where the past is too short to tell."""
    length = max(1, min(int(weeks.now.size), weeks.past.size // SPANS_LEAST))
    kept = weeks.past[weeks.past.size % length :]
    if kept.size // length < SPANS_LEAST:
        return np.ones(len(panel.places) + 1)
    spans = panel.counts[:, kept].reshape(len(panel.places), -1, length).sum(axis=2)
    return np.append(fit_noise(spans).phi, fit_noise(spans.sum(axis=0, keepdims=True)).phi)


def _rate_interval(n: Floats, phi: Floats) -> tuple[Floats, Floats]:
    """Exact Poisson interval (95%) of n / phi independent matters, scaled back."""
    held = n / phi
    lower = np.where(held > 0, special.gammaincinv(np.maximum(held, 1e-9), 0.025), 0.0)
    return lower * phi, np.asarray(special.gammaincinv(held + 1, 0.975), dtype=np.float64) * phi


def _few_staff(part: pl.DataFrame, handled: Handled) -> pl.DataFrame:
    """Blank what a unit with too few staff may not show."""
    by = (handled.unit_column,)
    blank = [name for name in part.columns if name not in ("place", "unit", "source_statistic", "denominator_n")]
    units = part.filter(pl.col("place") != _ALL).rename({"place": handled.unit_column})
    shown, _ = few_staff(units, by, handled.staffed, handled.min_staff, blank)
    few = pl.col("class") == "too_few_staff"
    shown = shown.with_columns(pl.when(few).then(pl.lit("too_few_staff")).otherwise("reason").alias("reason"))
    return pl.concat([shown.rename({handled.unit_column: "place"}).select(part.columns), part.filter(pl.col("place") == _ALL)])


def _beside_others(part: pl.DataFrame) -> pl.DataFrame:
    """Hold each unit's share against all units' in the same weeks; with too few units nothing is said."""
    units = part.filter(pl.col("place") != _ALL)
    withheld = (units["reason"] == "too_few_staff").fill_null(value=False)
    try:
        stands = funnel(units["place"].to_list(), units["n"].fill_null(0), units["denominator_n"].fill_null(0), withheld=withheld).table
    except AnalysisError:
        return part
    side = stands["class"].replace_strict({"above_998": "above", "below_998": "below"}, default=None, return_dtype=pl.String)
    judged = stands["class"].is_in(["within", "above_95", "below_95"])
    told = stands.select("place", side.alias("apart")).with_columns(
        pl.when(judged).then(pl.lit("within")).otherwise("apart").alias("apart")
    )
    return part.drop("apart").join(told, on="place", how="left", maintain_order="left")


def _of_shift(part: pl.DataFrame, found: Shift) -> pl.DataFrame:
    """Lay a shift out as columns; the reason tells where there was nothing, or too little, to compare."""
    reason = np.where(found.n == 0, "no_cases", np.where(np.isnan(found.p), "few", ""))
    floats = ("value", "lower", "upper", "before", "change", "change_lower", "change_upper", "p")
    return part.with_columns(
        pl.Series("n", found.total.round()).cast(pl.Int64),
        pl.Series("denominator_n", found.n.round()).cast(pl.Int64),
        pl.Series("before_n", found.before_total.round()).cast(pl.Int64),
        pl.Series("reason", reason).replace({"": None}),
        *(pl.Series(name, getattr(found, name)).fill_nan(None) for name in floats),
    )


def _part(panel: Panel, unit: str, source: str) -> pl.DataFrame:
    """Begin a part: its places and every column, empty."""
    counts = dict.fromkeys(("n", "denominator_n", "before_n"), pl.Int64)
    numbers = dict.fromkeys(
        ("value", "lower", "upper", "expected", "total", "before", "change", "change_lower", "change_upper", "p"), pl.Float64
    )
    return pl.DataFrame({"place": [*panel.places, _ALL]}).with_columns(
        *(pl.lit(None, dtype=kind).alias(name) for name, kind in {**counts, **numbers, "reason": pl.String, "apart": pl.String}.items()),
        pl.lit(unit).alias("unit"),
        pl.lit(source).alias("source_statistic"),
    )


def _nothing(panel: Panel, reason: str, unit: str, source: str) -> pl.DataFrame:
    return _part(panel, unit, source).with_columns(pl.lit(reason).alias("reason"))
