"""What changed and how the city stands, of one analysis for one audience."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from cloudmap.access.choices import place_column
from cloudmap.access.once import once
from cloudmap.analytics.cube import build_weekly
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.result import Result
from cloudmap.analytics.situation import Burden, Evidence, Handled, Verdicts, Water, situation
from cloudmap.errors import AnalysisError, CloudmapError
from cloudmap.geo.shapes import from_frame

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.analytics.periods import Period

WATER_M: Final = 100.0
"""Matters up to this far from water count as beside it."""

Against = Literal["before", "year_before"]


class Standing:
    """Compares units with their own past, one day's geography for both sides.

    Parameters
    ----------
    reader : Reader
        Whose city, audience, parts and choices are used.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._unit_of = once(self._units_of, 8)
        self._length = once(self._water_lengths, 8)
        self._beside_water = once(self._water_cube, 8)
        self._handled = once(self._handled_of, 8)

    def changes(self, layer_id: str, _category: str, period_id: str) -> Result:
        """Tell for each unit and group of categories what changed beyond chance since the period before."""
        return self._changed(layer_id, period_id, "before")

    def changes_year(self, layer_id: str, _category: str, period_id: str) -> Result:
        """Tell for each unit and group what changed beyond chance since the same weeks a year before."""
        return self._changed(layer_id, period_id, "year_before")

    def _changed(self, layer_id: str, period_id: str, against: Against) -> Result:
        from cloudmap.analytics.changes import what_changed

        reader = self._reader
        panels = [one for one in reader.group_panels(layer_id, period_id, day=self._day(layer_id)) if one.counts.any()]
        made = what_changed(panels, period=reader.whole_weeks(period_id, "what changed"), against=against)
        return replace(made, parameters={**made.parameters, "layer": layer_id})

    def situation(self, layer_id: str, _category: str, period_id: str) -> Result:
        """Put seven components of each unit and of the city beside the period before."""
        return self._stands(layer_id, period_id, "before")

    def situation_year(self, layer_id: str, _category: str, period_id: str) -> Result:
        """Put seven components of each unit and of the city beside the same weeks a year before."""
        return self._stands(layer_id, period_id, "year_before")

    def _stands(self, layer_id: str, period_id: str, against: Against) -> Result:
        reader, period = self._reader, self._reader.whole_weeks(period_id, "how the city stands")
        panel = reader.panel(layer_id, "ALL", period_id, day=self._day(layer_id))
        if not panel.total(period).any():
            raise AnalysisError(f"no matter was reported in {period.id}; choose another period", code="empty")
        evidence = Evidence(
            burden=self._burden(panel, layer_id),
            handled=self._handled(layer_id),
            emerging=self._verdicts(layer_id, period, against, "emerging"),
            silence=self._verdicts(layer_id, period, against, "silent"),
            water=self._water(layer_id, period),
        )
        made = situation(panel, period=period, regimes=reader.part("regimes"), against=against, evidence=evidence)
        return replace(made, parameters={**made.parameters, "layer": layer_id})

    # What the components stand on

    def _day(self, layer_id: str) -> date | None:
        """Return the day whose units are counted on both sides: None where the base map never changed."""
        on = self._reader.provenance.get("on")
        return date.fromisoformat(on) if on and self._reader.layer(layer_id).kind == "unit" else None

    def _burden(self, panel: Panel, layer_id: str) -> Burden:
        reader = self._reader
        codes = reader.codes("ALL", "hotspot")
        weights = {code: reader.taxonomy.severity_weight(code) for code in codes}
        cube = reader.cube(layer_id, self._day(layer_id))
        return Burden(cube.filter(pl.col("place").is_in(list(panel.places))), weights, codes)

    def _handled_of(self, layer_id: str) -> Handled | None:
        reader = self._reader
        column = place_column(reader.layer(layer_id))
        cases = reader.cases.frame("ALL")
        if column not in cases.columns or cases.is_empty():
            return None
        near = place_column(reader.layer(self._cells)) if self._cells else None
        return Handled(cases, column, reader.city.zone, reader.now, near_column=near, min_staff=reader.city.privacy.min_staff)

    @property
    def _cells(self) -> str | None:
        layers = [layer for layer in self._reader.layers() if layer.kind == "cell"]
        usual = self._reader.city.city.default_resolution
        return next((layer.id for layer in layers if layer.resolution == usual), layers[0].id if layers else None)

    def _verdicts(self, layer_id: str, period: Period, against: Against, name: str) -> Verdicts | None:
        """Return a map's verdicts at the end of the period and of the weeks compared with; None where the method finds too little.

        Emerging hotspots are told of cells, whose areas are alike; silence of the finest units, which are what somebody reports for.
        """
        reader = self._reader
        fine = self._finest(layer_id) if name == "silent" else self._cells
        if fine is None:
            return None
        other = period.before() if against == "before" else period.year_before()
        try:
            now = reader.statistic(name, layer=fine, period=period.id).table
        except CloudmapError:
            return None
        try:
            before = reader.statistic(name, layer=fine, period=other.id).table
        except CloudmapError:
            before = None
        return Verdicts(reader.panel(fine, "ALL", period.id), self._unit_of(layer_id, fine), now, before)

    def _finest(self, layer_id: str) -> str | None:
        """Return the finest units below a layer, or cells where there are none."""
        levels = [layer.id for layer in self._reader.layers() if layer.kind == "unit"]
        return levels[-1] if layer_id in levels[:-1] else self._cells

    def _units_of(self, layer_id: str, fine: str) -> pl.DataFrame:
        """Unit of the middle of each fine place: place, unit."""
        import geopandas as gpd

        reader = self._reader
        places = reader.geometry(fine)
        middles = gpd.GeoDataFrame({"place": places["place"]}, geometry=places.geometry.representative_point(), crs=places.crs)
        units = reader.geometry(layer_id, on=self._day(layer_id))[["place", "geometry"]].rename(columns={"place": "unit"})
        joined = gpd.sjoin(middles, units, predicate="within").sort_values(["place", "unit"]).drop_duplicates("place")
        return pl.DataFrame({"place": joined["place"].astype(str).to_list(), "unit": joined["unit"].astype(str).to_list()})

    def _water(self, layer_id: str, period: Period) -> Water | None:
        cube, length = self._beside_water(layer_id), self._length(layer_id)
        return Water(self._reader.panel_of(cube, layer_id, period.id, day=self._day(layer_id)), length) if cube is not None else None

    def _water_cube(self, layer_id: str) -> pl.DataFrame | None:
        """Count the matters beside water by unit and week; None where the city has no water."""
        reader = self._reader
        column = place_column(reader.layer(layer_id))
        if not self._length(layer_id) or column not in reader.part("cases").columns:
            return None
        near = reader.part("near_water").filter(pl.col("distance_m") <= WATER_M).select("report_id")
        codes = reader.codes("ALL", "hotspot")
        rows = reader.part("cases").filter(pl.col("category_code").is_in(codes)).join(near, on="report_id", how="semi")
        facts = rows.select(column, "occurred_at", "category_code", first=pl.lit(value=True))
        weights = {code: reader.taxonomy.severity_weight(code) for code in codes}
        return build_weekly(facts, column, zone=reader.city.zone, weights=weights)

    def _water_lengths(self, layer_id: str) -> dict[str, float]:
        """Kilometres of water (of shore, for areas) in each unit that has any."""
        reader = self._reader
        if "near_water" not in reader.provenance["parts"]:
            return {}
        crs = reader.city.city.metric_crs
        water = from_frame(reader.part("water")).to_crs(crs).geometry
        lines = water.where(water.geom_type.str.contains("Line"), water.boundary).union_all()
        units = reader.geometry(layer_id, on=self._day(layer_id)).to_crs(crs)
        length = units.geometry.intersection(lines).length / 1000
        return {str(place): float(km) for place, km in zip(units["place"], length, strict=True) if km > 0}
