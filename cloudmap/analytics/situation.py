"""How the city stands: seven components for each unit and the city, each as it is, with interval and direction; no score, no rank."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np
import polars as pl

from cloudmap.analytics.comparability import YEAR_WEEKS, Comparability, comparable
from cloudmap.analytics.inference import fdr_of_tested
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.periods import Period, week_id
from cloudmap.analytics.result import Result
from cloudmap.analytics.situation_inputs import RECURRENCE_DAYS, Burden, Handled, Water
from cloudmap.analytics.situation_parts import (
    EMERGING,
    SILENT,
    recurrence_part,
    severity_part,
    timeliness_part,
    verdict_part,
    volume_part,
    water_part,
)
from cloudmap.analytics.situation_shift import Verdicts, Weeks

__all__ = ["ALL", "COLUMNS", "COMPONENTS", "DIRECTIONS", "Burden", "Evidence", "Handled", "Verdicts", "Water", "situation"]

ALL: Final = "ALL"
"""Place of the rows that tell of the whole city."""
COMPONENTS: Final = ("volume", "severity", "timeliness", "recurrence", "emerging_area", "silence", "water")
DIRECTIONS: Final = ("better", "worse", "same", "not_comparable", "not_enough_data")
NOT_COMPARABLE: Final = ("no_data", "regime_between", "boundary_redrawn", "lag_masked")
WATER_M: Final = 100

COLUMNS: Final = {
    "place": pl.String,
    "component": pl.String,
    "n": pl.Int64,
    "denominator_n": pl.Int64,
    "value": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "expected": pl.Float64,
    "total": pl.Float64,
    "before_n": pl.Int64,
    "before": pl.Float64,
    "change": pl.Float64,
    "change_lower": pl.Float64,
    "change_upper": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "direction": pl.String,
    "apart": pl.String,
    "reason": pl.String,
    "unit": pl.String,
    "source_statistic": pl.String,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the components stand on, each None where there is nothing.

    Attributes
    ----------
    burden : Burden or None
        Counts by category and their weights: for severity.
    handled : Handled or None
        Cases: for timeliness and recurrence.
    emerging, silence : Verdicts or None
        Tables of `emerging_map.emerging_hotspots` and `silent.silent_cells` at the end of the period, and at the end of the weeks
        compared with (None where they could not be made).
    water : Water or None
        Matters within 100 m of water by unit.
    """

    burden: Burden | None = None
    handled: Handled | None = None
    emerging: Verdicts | None = None
    silence: Verdicts | None = None
    water: Water | None = None


NO_EVIDENCE: Final = Evidence()


def situation(
    panel: Panel,
    *,
    period: Period,
    regimes: pl.DataFrame | None,
    against: Literal["before", "year_before"] = "before",
    evidence: Evidence = NO_EVIDENCE,
    redrawn: Collection[str] = (),
    threshold: float = 0.05,
) -> Result:
    """Put every component beside its past, for the units of one level and for the city.

    Parameters
    ----------
    panel : Panel
        Matters of all scored categories by unit of the level, on the units of one day.
    period : Period
        Weeks to look at. Those masked for reporting lag are left out, and as many of the weeks compared with.
    regimes : polars.DataFrame or None
        From `regimes.reporting_regimes`.
    against : {"before", "year_before"}, default "before"
        The weeks just before, as many; or the same weeks a year earlier.
    evidence : Evidence, optional
        What the components besides volume stand on; one without anything reads not_given.
    redrawn : collection of str, optional
        Units whose ground changed between the spans so that they could not be counted on the units of one day.
    threshold : float, default 0.05
        On q.

    Returns
    -------
    Result
        One row a place (units in the panel's order, then "ALL") and component, with the columns of `COLUMNS`:

        - volume (unit ratio): n matters, expected, value = n / expected with its interval, before_n; change is that ratio again;
        - severity (per_matter): value = mean weight of n matters, total = their burden, which is never tested;
        - timeliness (share): n of denominator_n cases due were closed by their due time; units with at least min_staff staff only;
        - recurrence (share): n of denominator_n matters had another of its category at its place in the 90 days before, or came back;
        - emerging_area (share, of area): n of denominator_n judged places are new, intensifying or consecutive hotspots;
        - silence (share): n of denominator_n testable places are silent;
        - water (per_km): n matters within 100 m of water, per km of it; change is n over the expected count.

        before: the value of the weeks compared with (null for volume, whose value is relative to its past already). change: a ratio for
        volume and water, else a difference, with its interval. direction: `DIRECTIONS`; reason: why there is no verdict (a key of
        `comparability.REASONS`, few, too_few_staff, no_cases, not_given). source_statistic: the statistic that shows the same number.
        apart: where a unit's timeliness stands beside all units in the same weeks (above, below, within the 99.8% limits of
        `funnel.funnel`; null for other components, whose level is the place's nature): late for long is no change, but stands out.

    Raises
    ------
    AnalysisError
        The period is outside the data, or the input of a component does not fit it.

    Notes
    -----
    q: Benjamini-Hochberg over the places of a component, so that a component in which nothing changed is told of no change at all about
    nineteen times in twenty. better and worse need q up to the threshold and an interval of the change without "none". Across a change of
    reporting, or weeks that are not in, what was before is not shown at all.

    For a unit, expected counts follow its own past and the city's course (`changes.what_changed`), so a unit is "more" than the city lets
    expect. Shares and means are as uncertain as they have wandered in the past (`situation_shift.shift`).
    """
    answer, weeks = _ask(panel, period, against, regimes)
    parts = {
        "volume": volume_part(panel, period, against, weeks),
        "severity": severity_part(panel, evidence.burden, weeks),
        "timeliness": timeliness_part(panel, evidence.handled, weeks),
        "recurrence": recurrence_part(panel, evidence.handled, weeks),
        "emerging_area": verdict_part(panel, evidence.emerging, EMERGING, weeks, by_area=True, source="emerging"),
        "silence": verdict_part(panel, evidence.silence, SILENT, weeks, by_area=False, source="silent"),
        "water": water_part(panel, evidence.water, period, against, weeks),
    }
    table = pl.concat([part.with_columns(pl.lit(name).alias("component")).select(_before_judging()) for name, part in parts.items()])
    table = _judged(_without_the_past(table, answer, redrawn), threshold)
    tested = table["p"].count()
    given = {name: part["reason"].fill_null("").ne("not_given").any() for name, part in parts.items()}
    return Result(
        method="situation: components with intervals and directions",
        parameters=_parameters(panel, period, against, answer, weeks, threshold, evidence.handled) | {"tests_n": tested},
        table=_ordered(table, panel),
        denominator=f"{tested} of {table.height} rows tested, by component; {len(panel.places)} units of {panel.layer} and the city",
        caveats=_caveats(answer, evidence.handled, given),
    )


def _ask(panel: Panel, period: Period, against: str, regimes: pl.DataFrame | None) -> tuple[Comparability, Weeks]:
    """Say whether the period may be compared, and with which weeks."""
    span = panel.span(period)
    whole = np.arange(span.start, span.stop)
    now = whole[panel.complete[whole]]
    back = YEAR_WEEKS if against == "year_before" else period.weeks_n
    since = np.arange(panel.regime_from, span.start)
    past = since[panel.complete[since]]
    data = (panel.weeks[0], panel.weeks[-1])
    masked = [panel.weeks[at] for at in np.flatnonzero(~panel.complete)]
    # With no week left in, the whole period is asked about, which says that it is masked.
    used = Period(panel.weeks[now[0]], int(now.size)) if now.size else period
    answer = comparable(regimes, masked, used, Period(used.first_on - timedelta(weeks=back), used.weeks_n), data=data)
    then = now - back
    if answer.comparable and then.size and then[0] < panel.regime_from:
        answer = Comparability(answer.period, answer.against, ("regime_between",), {"regime_on": panel.weeks[panel.regime_from]})
    usable = then if answer.comparable else then[:0]
    return answer, Weeks(now.astype(np.int64), usable.astype(np.int64), past.astype(np.int64))


def _before_judging() -> list[pl.Expr]:
    return [pl.col(name).cast(kind) for name, kind in COLUMNS.items() if name not in ("q", "direction")]


def _without_the_past(table: pl.DataFrame, answer: Comparability, redrawn: Collection[str]) -> pl.DataFrame:
    """Write the reason of every row that may not be compared, and take what was before out of it."""
    why = pl.lit(answer.reason, dtype=pl.String)
    moved = pl.when(pl.col("place").is_in(list(redrawn))).then(pl.lit("boundary_redrawn"))
    # A component that was not given, or that staff or cases forbid, says so whatever the comparison.
    own = pl.col("reason").is_in(["not_given", "too_few_staff", "no_cases"])
    table = table.with_columns(pl.when(own).then("reason").otherwise(pl.coalesce(why, moved, "reason")).alias("reason"))
    broken = pl.col("reason").is_in(NOT_COMPARABLE).fill_null(value=False)
    past = ["before_n", "before", "change", "change_lower", "change_upper", "p"]
    relative = broken & (pl.col("component") == "volume")
    return table.with_columns(
        *(pl.when(~broken).then(name).alias(name) for name in past),
        *(pl.when(~relative).then(name).alias(name) for name in ("value", "lower", "upper")),
        pl.when(~broken).then("expected").alias("expected"),
    )


def _judged(table: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Add q and direction."""
    parts = []
    for name in COMPONENTS:
        part = table.filter(pl.col("component") == name)
        q = fdr_of_tested(part["p"].to_numpy())
        parts.append(part.with_columns(pl.Series("q", q).fill_nan(None)))
    table = pl.concat(parts)
    none = pl.when(pl.col("component").is_in(["volume", "water"])).then(1.0).otherwise(0.0)
    # Where nothing was there before, a ratio has a lower end only.
    rise = pl.when(pl.col("component") == "timeliness").then(-1.0).otherwise(1.0) * (pl.coalesce("change", "change_lower") - none)
    beyond = (pl.col("change_lower") > none) | (pl.col("change_upper") < none).fill_null(value=False)
    sure = (pl.col("q") <= threshold) & beyond
    return table.with_columns(
        pl.when(pl.col("reason").is_in(NOT_COMPARABLE)).then(pl.lit("not_comparable"))
        .when(pl.col("reason").is_not_null()).then(pl.lit("not_enough_data"))
        .when(sure & (rise > 0)).then(pl.lit("worse"))
        .when(sure & (rise < 0)).then(pl.lit("better"))
        .otherwise(pl.lit("same")).alias("direction")
    )  # fmt: skip


def _ordered(table: pl.DataFrame, panel: Panel) -> pl.DataFrame:
    places, components = pl.Enum([*panel.places, ALL]), pl.Enum(COMPONENTS)
    order = table.with_columns(pl.col("place").cast(places).alias("at"), pl.col("component").cast(components).alias("of"))
    return order.sort("at", "of").select(*COLUMNS)


def _parameters(
    panel: Panel, period: Period, against: str, answer: Comparability, weeks: Weeks, threshold: float, handled: Handled | None
) -> dict[str, object]:
    masked_n = period.weeks_n - int(weeks.now.size)
    told = {name: value.isoformat() if isinstance(value, date) else value for name, value in answer.numbers.items()}
    return {
        "layer": panel.layer,
        "category": panel.category,
        "period": period.id,
        "weeks": answer.period.id,
        "weeks_n": int(weeks.now.size),
        "weeks_masked_n": masked_n,
        "masked_from": week_id(panel.weeks[int(np.flatnonzero(~panel.complete)[0])]) if masked_n else None,
        "against": against,
        "against_weeks": answer.against.id,
        "comparable": answer.comparable,
        "reasons": list(answer.reasons),
        "banner": answer.banner,
        "banner_numbers": told,
        "threshold": threshold,
        "confidence": 0.95,
        "recurrence_days": RECURRENCE_DAYS,
        "water_m": WATER_M,
        "min_staff": None if handled is None else handled.min_staff,
    }


def _caveats(answer: Comparability, handled: Handled | None, given: Mapping[str, bool]) -> tuple[str, ...]:
    keys = ["reported_not_people", *answer.reasons]
    if given["silence"]:
        keys.append("silent_is_reporters")
    if handled is not None:
        keys.append("recurrence_follows_volume")
        if handled.cases_before is None:
            keys.append("recurrence_without_reopened")
    if given["severity"]:
        keys.append("burden_is_weights")
    return tuple(dict.fromkeys(keys))
