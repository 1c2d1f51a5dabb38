"""What a briefing was asked for, and what every kind of it needs: names, words, results that are remembered for the manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cloudmap.publish import tables, titles
from cloudmap.publish.content import Column, ColumnKind, Picture, Row, Section, Table, plain
from cloudmap.publish.legend import legend_words
from cloudmap.publish.maps import MapChoice

if TYPE_CHECKING:
    import polars as pl

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer
    from cloudmap.analytics.periods import AnyPeriod
    from cloudmap.analytics.result import Result
    from cloudmap.publish.legend import Drawn, Language
    from cloudmap.publish.wording import Wording


@dataclass(frozen=True)
class Asked:
    """One briefing in the making.

    Attributes
    ----------
    reader, kind, period, category, language, wording
        What it is made from and of.
    unit : str or None
        Code of the unit that it is about; the whole city where None.
    tier : str
        Meeting that it is for.
    layer : str or None
        Layer of cells or units that was asked for.
    results : list of Result
        What was read, for method, caveats and manifest.
    """

    reader: Reader
    kind: str
    period: AnyPeriod
    category: str
    language: Language
    wording: Wording
    unit: str | None = None
    tier: str = "hall"
    layer: str | None = None
    results: list[Result] = field(default_factory=list)

    @cached_property
    def unit_layer(self) -> PlaceLayer:
        """Layer of the unit, or of the units that the city is told by: the one asked for, or the coarsest that are several."""
        if self.unit:
            return tables.unit_layer(self.reader, self.unit)
        units = {one.id: one for one in self.reader.layers() if one.kind == "unit"}
        return units[self.layer] if self.layer in units else tables.choose_layer(self.reader, "unit")

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Names of the units of every level down to communities and villages, and of the unit's own level."""
        named: dict[str, str] = {}
        for one in self.reader.layers():
            if one.kind == "unit" and (one.level in ("district", "street", "community", "village") or one.id == self.unit_layer.id):
                shapes = self.reader.geometry(one.id)
                named |= {
                    str(code): titles.spelled(str(name), self.language) for code, name in zip(shapes["place"], shapes["name"], strict=True)
                }
        return named

    @property
    def city(self) -> str:
        """Name of the city."""
        return titles.city_name(self.reader.city, self.language)

    @property
    def about(self) -> str:
        """Name of the unit, or of the city."""
        return self.names.get(self.unit, self.unit) if self.unit else self.city

    @property
    def few(self) -> str:
        """What stands for a count that is not shown."""
        privacy, found = self.reader.city.privacy, titles.find_category(self.reader, self.category)
        bound = privacy.k if self.reader.audience.outside or found is None or not found.restricted else privacy.k_restricted
        return self.wording.sentence(self.wording.texts["labels"]["few"], {"k": bound})

    def remember(self, result: Result) -> Result:
        """Keep a result for the method, the caveats and the manifest, and give it back."""
        self.results.append(result)
        return result

    def statistic(self, name: str, *, layer: str | None = None) -> Result:
        """Read a statistic of the category and period."""
        return self.remember(self.reader.statistic(name, layer=layer, category=self.category, period=self.period.id))

    def base(self) -> dict[str, Any]:
        """Return what any sentence may name."""
        reader = self.reader
        return {
            "city": self.city,
            "about": self.about,
            "unit": self.unit,
            "category": titles.category_name(reader, self.category, self.language),
            "category_code": self.category,
            "period": titles.period_text(self.period, self.language),
            "data_at": titles.instant_text(reader.now, reader.city, self.language),
            "load": reader.analysed_load,
            "exposure": reader.exposure_kind,
            "k": reader.city.privacy.k,
            "few": self.few,
        }

    def word(self, part: str, key: Any) -> str:
        """Return the word for a key of a part of the language file; the key where it has none."""
        return "" if key is None else str(self.wording.texts[part].get(str(key), key))

    def heading(self, key: str) -> str:
        """Return a label of the kind, filled in."""
        return self.wording.sentence(self.wording.texts[self.kind]["headings"][key], self.base())

    def sentences(self, name: str, values: Mapping[str, Any]) -> list[str]:
        """Fill in the sentences of the kind."""
        return self.wording.filled(self.wording.texts[self.kind][name], {**self.base(), **values})

    def section(
        self, key: str, *, paragraphs: Sequence[str] = (), pictures: Sequence[Picture] = (), tables: Sequence[Table] = ()
    ) -> Section:
        """Lay out a section of the kind."""
        return Section(key, self.heading(key), paragraphs, (), pictures, tables)

    def table(
        self, key: str, columns: Sequence[tuple[str, ColumnKind] | tuple[str, ColumnKind, str]], rows: Sequence[Row], note: str = ""
    ) -> Table:
        """Lay out a table: columns as (key, kind) or, for an interval, (lower key, kind, upper key)."""
        from cloudmap.publish.content import ROWS_MAX

        texts = self.wording.texts
        made = [
            Column(one[0], texts["columns"]["interval" if len(one) == 3 else one[0]], one[1], one[2] if len(one) == 3 else None)
            for one in columns
        ]
        left = len(rows) - ROWS_MAX
        more = self.wording.sentence(texts["labels"]["more"], {"shown": ROWS_MAX, "rest": left}) if left > 0 else ""
        told = [{**row, "masked_text": texts["labels"]["hidden"]} if row.get("masked") else row for row in rows]
        return Table(key, self.heading(f"table_{key}"), made, told, note, more)

    def rows(self, table: pl.DataFrame) -> list[dict[str, Any]]:
        """Turn a table into rows of plain values, each with the name of its place."""
        made = [{name: plain(value) for name, value in row.items()} for row in table.iter_rows(named=True)]
        return [
            {**row, "where": self.names.get(row["place"], self.city if row["place"] == "ALL" else row["place"])} if "place" in row else row
            for row in made
        ]

    def picture(self, measure: Drawn, layer: str | None) -> Picture:
        """Ask for a map of the period and category, drawn up to the unit where there is one."""
        choice = MapChoice(layer, self.category, self.period.id, measure, self.unit)
        frame = maps_values(self.reader, choice)
        title = titles.map_title(self.reader, measure, self.category, self.language)
        words = legend_words(self.language)
        caption = words["title.join"].join([titles.review_note(self.reader, self.language), titles.source_note(self.reader, self.language)])
        return Picture(self.reader, choice, self.language, f"{title} · {self.about}" if self.unit else title, caption, frame)


def maps_values(reader: Reader, choice: MapChoice) -> list[dict[str, Any]]:
    """Return the numbers that a map shows, as plain rows."""
    from cloudmap.publish.maps import coloured

    frame = coloured(reader, choice, choice.period or reader.default_period.id)[0].drop(columns="geometry")
    return [{str(name): plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
