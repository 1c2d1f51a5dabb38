"""How reports are handled, of one analysis for one audience: indicators, stages, what is overdue, campaigns and staffing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, cast

import polars as pl

from cloudmap.access.choices import place_column
from cloudmap.access.disclosure import disclose_reports
from cloudmap.access.once import once
from cloudmap.access.scope import scope_columns, within
from cloudmap.analytics.result import Result
from cloudmap.errors import AnalysisError
from cloudmap.schema import unit_column

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.periods import AnyPeriod

OVERDUE_COLUMNS: Final = (
    "report_id", "source_id", "category_code", "opened_at", "due_at", "state", "stage", "light", "remaining_share", "highest_tier",
)  # fmt: skip
"""Columns of the list of overdue cases."""


HALL: Final = "hall_code"
"""Column with the ground that a hall serves."""


class Cases:
    """Answers questions about handling from the stored cases: one case a matter, as its first report tells it.

    Parameters
    ----------
    reader : Reader
        Whose city, audience, parts and choices are used.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._frames = once(self._select, 16)

    def frame(self, category: str, period: AnyPeriod | None = None) -> pl.DataFrame:
        """Return the cases that this audience may sum, opened in a period: rows for statistics only."""
        return self._frames(category, period)

    def _select(self, category: str, period: AnyPeriod | None) -> pl.DataFrame:
        reader = self._reader
        cases = reader.part("cases").filter(pl.col("category_code").is_in(reader.codes(category, "handling")))
        if period is None:
            return cases
        start, end = reader.span(period)
        return cases.filter(pl.col("opened_at").is_between(start, end, closed="left"))

    # Rates

    def handling(self, layer_id: str, category: str, period_id: str) -> Result:
        """Count every indicator, unit by unit, with intervals."""
        column = place_column(self._reader.layer(layer_id))
        made = self._indicators([column], category, period_id)
        return replace(made, table=made.table.rename({column: "place"}).drop_nulls("place"))

    def handling_by_category(self, _layer: None, category: str, period_id: str) -> Result:
        """Count every indicator, category by category."""
        return self._indicators(["category_code"], category, period_id)

    def handling_by_source(self, _layer: None, category: str, period_id: str) -> Result:
        """Count every indicator, source by source."""
        return self._indicators(["source_id"], category, period_id)

    def handling_before(self, _layer: None, category: str, period_id: str) -> Result:
        """Compare the city's indicators with the period before and with the one a year before, within one regime."""
        from cloudmap.analytics.indicators import compared

        reader, period = self._reader, self._reader.period(period_id)
        begun = reader.known.regime_from(period.last_on)
        tables, result = [], None
        for against, other in (("before", period.before()), ("year_before", period.year_before())):
            result = compared(self._counted([], category, [other, period]), regime_from=begun)
            tables.append(result.table.with_columns(against=pl.lit(against)))
        return replace(cast(Result, result), table=pl.concat(tables))

    def funnel(self, layer_id: str, category: str, period_id: str) -> Result:
        """Hold the units' on-time rates against the city's, with control limits: no league table."""
        from cloudmap.analytics.funnel import of_places
        from cloudmap.analytics.indicators import by_place

        counted = self._indicators([place_column(self._reader.layer(layer_id))], category, period_id)
        return of_places(by_place(counted, "on_time", self._codes_of(layer_id)))

    def dwell(self, _layer: None, category: str, period_id: str) -> Result:
        """Estimate the median stay in each stage, with the cases that are still in it."""
        from cloudmap.analytics.stays import dwell
        from cloudmap.analytics.workdays import Calendar

        reader = self._reader
        rows, events = self.frame(category, reader.period(period_id)), reader.part("handling_events")
        mine = events.join(rows.select("report_id"), on="report_id", how="semi")
        if mine.is_empty():
            raise AnalysisError(
                "no event file tells of stages in this period; map the two flows' files in [[handling]] of city.toml", code="no_events"
            )
        told = rows.filter(pl.col("events_n") > 0)
        return dwell(told, mine, Calendar.of(reader.city), reader.now, min_staff=reader.city.privacy.min_staff)

    # Maps

    def overdue(self, layer_id: str, category: str, period_id: str) -> Result:
        """Count the open cases of each place and those that are past their due time, as of the data's now; cases are counts, not rates."""
        layer = self._reader.layer(layer_id)
        _, end = self._reader.span(self._reader.period(period_id))
        rows = self.frame(category).filter(pl.col("opened_at") < end)
        column = place_column(layer)
        key = pl.col(column)
        open_now = pl.col("closed_at").is_null() & (pl.col("state") != "void")
        counted = rows.filter(key.is_not_null()).group_by(key.alias("place")).agg(
            open_now.sum().cast(pl.Int64).alias("n"),
            pl.col("overdue").sum().cast(pl.Int64).alias("overdue_n"),
            ((pl.col("light") == "yellow") & open_now).sum().cast(pl.Int64).alias("yellow_n"),
            ((pl.col("light") == "green") & open_now).sum().cast(pl.Int64).alias("green_n"),
        )  # fmt: skip
        if layer.kind == "cell":
            from cloudmap.geo.cells import to_hex

            counted = counted.with_columns(to_hex(counted["place"]).alias("place"))
        table = pl.DataFrame({"place": self._codes_of(layer_id)}, schema={"place": pl.String}).join(
            counted, on="place", how="left", maintain_order="left"
        )
        table = table.with_columns(pl.col("n", "overdue_n", "yellow_n", "green_n").fill_null(0))
        light = (
            pl.when(pl.col("overdue_n") > 0)
            .then(pl.lit("red"))
            .when(pl.col("yellow_n") > 0)
            .then(pl.lit("yellow"))
            .when(pl.col("green_n") > 0)
            .then(pl.lit("green"))
            .otherwise(pl.lit("no_clock"))
        )
        table = table.with_columns(pl.col("overdue_n").cast(pl.Float64).alias("value"), light.alias("class"))
        return Result("open cases by light", {}, table, "matters that are open now and not void", ("limits_in_working_hours",))

    def workload(self, layer_id: str, category: str, period_id: str) -> Result:
        """Count the cases of each unit, from community level up."""
        from cloudmap.analytics.staffing import workload

        reader = self._reader
        rows = self.frame(category, reader.period(period_id))
        return workload(rows, place_column(reader.layer(layer_id)), self._codes_of(layer_id), min_staff=reader.city.privacy.min_staff)

    def staffing(self, layer_id: str, _category: str, _period: None) -> Result:
        """Check that each unit of the finest level has at least one of each kind of staff."""
        from cloudmap.analytics.staffing import staffing_check

        reader = self._reader
        level = reader.layer(layer_id).level
        units = reader.part("units").filter((pl.col("level") == level) & (pl.col("kind") == "partition"))
        return staffing_check(units.unique("code", keep="last", maintain_order=True).sort("code"))

    # Lists

    def tiers(self, _layer: None, category: str, period_id: str) -> Result:
        """Count by community or village which meeting each matter of the period is advised to go to; advice, not decision."""
        advised = self._advised(category, self._reader.period(period_id))
        table = advised.group_by(pl.col(HALL).alias("place"), "class").agg(pl.len().cast(pl.Int64).alias("n")).drop_nulls("place")
        return Result(
            "meeting advised, by unit", {}, table.sort("place", "class"), "matters reported in the period", ("advice_not_decision",)
        )

    def _advised(self, category: str, period: AnyPeriod) -> pl.DataFrame:
        from cloudmap.analytics.tiers import advice, circumstances

        reader, area = self._reader, HALL
        if unit_column("microgrid").name not in reader.part("cases").columns:
            raise AnalysisError(
                "meeting advice needs micro-grids in the base map; add a [[units]] layer of level microgrid", code="no_units"
            )
        start, end = reader.span(period)
        before = reader.city.midnight(period.first_on - timedelta(days=90))
        rows = self.frame(category).filter(pl.col("occurred_at").is_between(before, end, closed="left"))
        rows = rows.with_columns(self._hall_of().alias(area))
        severity = {code: reader.taxonomy.severity(code) for code in reader.taxonomy.codes}
        tier = {code: reader.taxonomy.tier(code) for code in reader.taxonomy.codes}
        known = circumstances(rows, area=area)
        rows = rows.select("report_id", "category_code", "occurred_at", "source_id", area).join(
            known, on="report_id", maintain_order="left"
        )
        rows = rows.with_columns(
            pl.col("category_code").replace_strict(severity, return_dtype=pl.Int64).alias("severity"),
            pl.col("category_code").replace_strict(tier, return_dtype=pl.String).alias("category_tier"),
        )
        rows = rows.filter(pl.col("occurred_at") >= start)
        told = advice(rows).table
        return rows.select("report_id", "category_code", "occurred_at", area).join(told, on="report_id", how="left", maintain_order="left")

    def overdue_list(self, layer_id: str, place: str, category: str = "ALL", *, limit: int = 500) -> pl.DataFrame:
        """List the overdue cases of a place, the longest overdue first; columns OVERDUE_COLUMNS.

        Raises
        ------
        AccessError
            The audience may see no single report.
        """
        reader = self._reader
        here = pl.col(place_column(reader.layer(layer_id))) == reader.place_key(layer_id, place)
        rows = within(self.frame(category).filter("overdue"), reader.audience, reader.city.levels)
        rows = rows.filter(here).sort("due_at", "report_id").head(limit)
        kept = [
            name for name in dict.fromkeys([*OVERDUE_COLUMNS, *scope_columns(reader.audience, reader.city.levels)]) if name in rows.columns
        ]
        return disclose_reports(rows.select(kept), reader.audience, reader.taxonomy.restricted, by_place=True).select(OVERDUE_COLUMNS)

    def table_of_meeting(self, tier: str, category: str, period_id: str, *, limit: int = 200) -> pl.DataFrame:
        """List the matters of a period that are advised to go to a meeting (microgrid, hall or street), with the reasons.

        Raises
        ------
        AnalysisError
            No such meeting, or a base map without micro-grids.
        AccessError
            The audience may see no single report.
        """
        if tier not in ("microgrid", "hall", "street"):
            raise AnalysisError(f"meeting {tier!r} is unknown; use microgrid, hall or street")
        reader = self._reader
        advised = self._advised(category, reader.period(period_id)).filter(pl.col("class") == tier)
        units = reader.part("cases").select("report_id", *(unit_column(level).name for level in reader.city.levels))
        rows = within(advised.join(units, on="report_id", how="left", suffix="_of_case"), reader.audience, reader.city.levels)
        rows = rows.sort("severity", "recurrence_n", "report_id", descending=[True, True, False], nulls_last=True).head(limit)
        return disclose_reports(rows, reader.audience, reader.taxonomy.restricted, by_place=True)

    def burn_down(self, _layer: None, _category: str, _period: None) -> Result:
        """Count week by week how many targets of each campaign are left."""
        from cloudmap.analytics.campaign import burn_down

        reader, tables, told = self._reader, [], {}
        targets = reader.part("targets")
        for name, begun_on in targets.select("name", "begun_on").unique(maintain_order=True).iter_rows():
            result = burn_down(targets.filter(pl.col("name") == name), begun_on=cast(date, begun_on), now=reader.now, zone=reader.city.zone)
            tables.append(result.table.with_columns(name=pl.lit(name)))
            told[name] = dict(result.parameters)
        if not tables:
            raise AnalysisError(
                "no campaign has a list of targets; add a [[milestones]] entry of kind campaign with a path to city.toml",
                code="no_campaign",
            )
        return Result("burn-down of campaigns", told, pl.concat(tables), "targets of the list")

    # Inside

    def _indicators(self, by: list[str], category: str, period_id: str) -> Result:
        return self._counted(by, category, [self._reader.period(period_id)])

    def _counted(self, by: list[str], category: str, periods: list[AnyPeriod]) -> Result:
        from cloudmap.analytics.indicators import indicators

        reader = self._reader
        return indicators(
            self.frame(category), now=reader.now, zone=reader.city.zone, by=by, period=periods, min_staff=reader.city.privacy.min_staff
        )

    def _codes_of(self, layer_id: str) -> list[str]:
        return sorted(str(place) for place in self._reader.geometry(layer_id)["place"])

    def _hall_of(self) -> pl.Expr:
        """Name the ground that a hall serves: the community, where there is none the village, else the street."""
        columns = self._reader.part("cases").columns
        names = [unit_column(level).name for level in ("community", "village", "street", "grid") if unit_column(level).name in columns]
        if not names:
            raise AnalysisError(
                "meeting advice needs communities, villages or streets in the base map; add them to [[units]]", code="no_units"
            )
        return pl.coalesce(names)
