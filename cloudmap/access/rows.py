"""Rows of single reports, matters and records, as far as an audience may see them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from cloudmap.access.choices import Choices, place_column
from cloudmap.access.disclosure import disclose_reports
from cloudmap.access.scope import refuse_records, refuse_rows, scope_columns, within
from cloudmap.access.views import ALL, MatterView
from cloudmap.errors import AnalysisError
from cloudmap.matters import with_matters
from cloudmap.schema import cell_column, unit_column

if TYPE_CHECKING:
    from cloudmap.analytics.periods import AnyPeriod

REPORT_COLUMNS = (
    "report_id", "source_id", "category_code", "occurred_at", "reported_at", "closed_at", "state", "position", "lon_deg", "lat_deg",
)  # fmt: skip


class Rows(Choices):
    """Rows of the newest analysis; `Reader` is what outputs use."""

    def near_water(self) -> pl.DataFrame:
        """Tell the nearest reach of each located report, up to 2 km: report_id, reach, distance_m.

        Reports of restricted categories are left out unless the audience holds the grant: a distance tells of the point.

        Raises
        ------
        AccessError
            The audience is outside, or its role does not see them.
        """
        rows = self._own_rows(["report_id"], [("category_code", "in", self._listable())])
        return rows.join(self.part("near_water"), on="report_id", maintain_order="left")

    def located_points(self, category: str, period: AnyPeriod) -> pl.DataFrame:
        """Return where and when the matters of a choice lie that have a point of their own: x_m, y_m (metric CRS), t_days.

        For statistics only: rows never leave.
        """
        from cloudmap.geo.crs import to_metric

        rows = self._located_matters(category, period, ["occurred_at", "lon_deg", "lat_deg"])
        x_m, y_m = to_metric(rows["lon_deg"].to_numpy(), rows["lat_deg"].to_numpy(), self.city.city.metric_crs)
        return pl.DataFrame({"x_m": x_m, "y_m": y_m, "t_days": rows["occurred_at"].dt.epoch("s") / 86_400})

    def water_distances(self, category: str, period: AnyPeriod) -> pl.DataFrame:
        """Tell how far the located matters of a choice lie from water: distance_m and kind, null beyond 2 km. For statistics only."""
        rows = self._located_matters(category, period, [])
        near = rows.join(self.part("near_water"), on="report_id", how="left")
        kinds = self.part("water").select(reach="id", kind="kind")
        return near.join(kinds, on="reach", how="left").select("distance_m", "kind")

    def _located_matters(self, category: str, period: AnyPeriod, columns: list[str]) -> pl.DataFrame:
        """Read report_id and some columns of the scored matters of a period that have a point of their own, each by its first report."""
        start, end = self.span(period)
        where = [
            ("occurred_at", ">=", start), ("occurred_at", "<", end), ("category_code", "in", self.codes(category, "hotspot")),
            ("ledger_class", "==", "located"),
        ]  # fmt: skip
        rows = self.store.read("reports", ["report_id", *columns], where=where, as_of=self.analysed_load)  # type: ignore[arg-type]
        told_again = self.part("matters").filter(pl.col("report_id") != pl.col("matter_id"))
        return rows.select("report_id", *columns).join(told_again, on="report_id", how="anti")

    def reports(self, layer_id: str, place: str, period_id: str, category: str = ALL, *, limit: int | None = 500) -> pl.DataFrame:
        """List the reports of a place, newest first; never their text.

        Restricted categories are left out unless the audience holds the grant: a list would tell their count. An audience that is bound
        to units gets those of its own units.

        Raises
        ------
        AccessError
            The audience is outside, or its role sees no single report.
        """
        layer, period = self.layer(layer_id), self.period(period_id)
        refuse_rows(self.audience)
        if layer.kind not in ("unit", "cell"):
            raise AnalysisError(f"layer {layer_id!r} lists no reports; ask for a unit or a cell")
        codes = sorted(set(self.codes(category, "count")) & set(self._listable()))
        start, end = self.span(period)
        here = (place_column(layer), "==", self.place_key(layer_id, place))
        where = [here, ("occurred_at", ">=", start), ("occurred_at", "<", end), ("category_code", "in", codes)]
        rows = self._own_rows([*REPORT_COLUMNS, "ledger_class"], where)
        if layer.kind == "cell":
            rows = rows.filter(pl.col("ledger_class") == "located")
        rows = self._with_matters(rows.select(REPORT_COLUMNS)).sort("occurred_at", "report_id", descending=[True, False])
        rows = rows if limit is None else rows.head(limit)
        return disclose_reports(rows, self.audience, self.taxonomy.restricted, by_place=True)

    def matters(self, layer_id: str, place: str, period_id: str, category: str = ALL, *, limit: int = 50) -> list[MatterView]:
        """List the matters of a place that more than one report tells of, newest first, with the reasons that joined them.

        Parameters
        ----------
        layer_id, place, period_id, category : str
            As for `reports`.
        limit : int, default 50
            Matters listed at most.

        Raises
        ------
        AccessError
            The audience is outside, or its role does not see them.
        """
        here = self.reports(layer_id, place, period_id, category, limit=None)
        ids = here.filter(pl.col("matter_id").is_in(self.part("matters")["matter_id"].implode()))["matter_id"]
        chosen = ids.unique(maintain_order=True).head(limit).to_list()
        shared = self.part("matters").filter(pl.col("matter_id").is_in(chosen))
        where = [("report_id", "in", shared["report_id"].to_list()), ("category_code", "in", self._listable())]
        if not chosen:
            return []
        rows = self._own_rows(list(REPORT_COLUMNS), where)
        told = disclose_reports(self._with_matters(rows), self.audience, self.taxonomy.restricted, by_place=True)
        parts = told.sort("occurred_at", "report_id").partition_by("matter_id", as_dict=True)
        seen = pl.col("report_id").is_in(told["report_id"].implode()) & pl.col("to_report_id").is_in(told["report_id"].implode())
        links = self.part("matter_links").filter(pl.col("matter_id").is_in(chosen) & seen).partition_by("matter_id", as_dict=True)
        none = self.part("matter_links").clear()
        return [MatterView(one, parts[(one,)], links.get((one,), none)) for one in chosen if (one,) in parts]

    def all_reports(self) -> pl.DataFrame:
        """Return one row per report that is not quarantined, in the fixed shape of `export reports`.

        Raises
        ------
        AccessError
            The audience is outside, or its role does not see them.
        """
        columns = [
            "report_id", "source_id", "source_report_id", "category_code", "category_raw", "occurred_at", "reported_at", "closed_at",
            "due_at", "state", "lon_deg", "lat_deg", "position",
            *(unit_column(level).name for level in self.city.levels),
            *(cell_column(resolution).name for resolution in self.city.city.resolutions), "matter_id",
        ]  # fmt: skip
        rows = self._with_matters(self._own_rows(columns, []))
        return disclose_reports(rows, self.audience, self.taxonomy.restricted)

    def ledger(self) -> list[dict[str, Any]]:
        """Return one ledger entry per loaded file, as `cloudmap ledger --json`."""
        return [{"load_seq": one.load_seq, **one.ledger} for one in self.store.loads() if not one.undone]

    def quarantine(self) -> pl.DataFrame:
        """Return quarantined records, scrubbed, of all loads.

        Raises
        ------
        AccessError
            The audience is outside, or its role does not see them.
        """
        refuse_records(self.audience)
        return self.store.read("quarantine", as_of=self.analysed_load)

    def _own_rows(self, columns: list[str], where: Sequence[tuple[str, str, object]]) -> pl.DataFrame:
        """Read columns of the reports that lie in the audience's own units.

        Raises
        ------
        AccessError
            The audience may see no single report.
        """
        refuse_rows(self.audience)
        judged = scope_columns(self.audience, self.city.levels)
        rows = self.store.read("reports", list(dict.fromkeys([*columns, *judged])), where=where, as_of=self.analysed_load)  # type: ignore[arg-type]
        return within(rows, self.audience, self.city.levels).select(columns)

    def _with_matters(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Give each report its matter, in place of what the store calls it."""
        return with_matters(rows, self.part("matters"))
