"""Briefings: documents of computed sentences, a map, a table, the method and the ledger."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from cloudmap.errors import AnalysisError
from cloudmap.publish import documents, tables, titles, writing
from cloudmap.publish.legend import Language
from cloudmap.publish.wording import Wording
from cloudmap.schema import LEDGER_CLASSES
from cloudmap.version import VERSION

if TYPE_CHECKING:
    import geopandas as gpd

    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer
    from cloudmap.analytics.periods import Period
    from cloudmap.analytics.result import Result

KINDS: Final = ("hotspots",)
UNITS_NAMED_MAX: Final = 6
_UNIT_LEVELS: Final = ("street", "community", "village")


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the Reader says about one period: the result, the hot places, and the counts around them."""

    reader: Reader
    layer: PlaceLayer
    category: str
    period: Period
    result: Result
    places: gpd.GeoDataFrame
    hot: gpd.GeoDataFrame
    unplaced: dict[str, int | None]


def brief(
    reader: Reader,
    *,
    kind: str = "hotspots",
    period: str | None = None,
    format: str = "html",
    language: str = "zh-Hans",
    path: str | Path,
    category: str = "ALL",
    layer: str | None = None,
) -> Path:
    """Write a briefing as one file that needs nothing else; the same numbers give the same bytes.

    Parameters
    ----------
    reader : Reader
        Door to the numbers; its audience decides what is masked.
    kind : {"hotspots"}
        What it tells of.
    period : str, optional
        Period id; by default the last four complete weeks.
    format : {"html", "xlsx"}
        A page with everything in it, ready to print, or a workbook.
    language : {"zh-Hans", "en"}
        Language of the words.
    path : str or Path
        File to make or replace.
    category : str, default "ALL"
        Category or group code.
    layer : str, optional
        Cells to test; by default those of the city's default resolution.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AnalysisError
        Unknown kind, format, language, period, category or layer, or a category that is never scored.
    AccessError
        The audience may not see hotspots of this category.
    ConfigError
        A template of the city is broken.
    SourceError
        The file cannot be written.
    """
    for name, value, known in (("kind", kind, KINDS), ("format", format, documents.FORMATS), ("language", language, get_args(Language))):
        if value not in known:
            raise AnalysisError(f"briefing: no {name} {value!r}; there are: {', '.join(known)}")
    spoken = cast(Language, language)
    wording = Wording(reader.city, language)
    content = _content(_gather(reader, layer, category, period), wording, spoken)
    target = Path(path)
    with writing.replacing(target) as draft:
        if format == "html":
            documents.write_html(content, wording, draft)
        else:
            documents.write_workbook(content, draft, created=reader.now)
        from cloudmap.access.audit import record

        record(
            reader.city, "brief", what=kind, file=target.name, audience=reader.audience.kind, period=content["period_id"], category=category
        )
    return target


def _gather(reader: Reader, layer_id: str | None, category: str, period_id: str | None) -> _Facts:
    layer = tables.choose_layer(reader, "cell", layer_id)
    period = reader.period(period_id) if period_id else reader.default_period
    places = tables.place_table(reader, layer.id, category, period.id, "hotspot")
    hot = places[places["class"] == "hot"].sort_values(["q", "n", "place"], ascending=[True, False, True], ignore_index=True)
    hot = hot.assign(where=_unit_names(reader, hot), rank=range(1, len(hot) + 1))
    result = reader.values(layer.id, category, period.id, "hotspot")
    return _Facts(reader, layer, category, period, result, places, hot, reader.unplaced(category, period.id))


def _unit_names(reader: Reader, places: gpd.GeoDataFrame) -> list[str]:
    """Name the units that the middle of each place lies in, coarse to fine; where two cover it, the one of the lowest code."""
    units = [one for one in reader.layers() if one.kind == "unit"]
    named = [one for one in units if one.level in _UNIT_LEVELS] or units[:1]
    middles = places[["place", "geometry"]].set_geometry(places.geometry.representative_point())
    parts: dict[str, list[str]] = {place: [] for place in places["place"]}
    for layer in named:
        shapes = reader.geometry(layer.id)[["place", "name", "geometry"]].rename(columns={"place": "code"})
        met = middles.sjoin(shapes, predicate="intersects").sort_values("code").drop_duplicates("place")
        for place, name in zip(met["place"], met["name"], strict=True):
            parts[place].append(str(name))
    return [" · ".join(parts[place]) for place in places["place"]]


def _content(facts: _Facts, wording: Wording, language: Language) -> dict[str, Any]:
    """Put everything that a document shows into plain values."""
    reader, labels = facts.reader, wording.texts["labels"]
    values = _sentence_values(facts, language)
    label = {name: wording.sentence(text, values) for name, text in labels.items() if name not in ("more", "footer")}
    extra = [name for name in ("expected", "ratio") if name in facts.hot.columns]
    columns = ["rank", "where", "place", "n", "neighbourhood_n", *extra, "p", "q"]
    rows = [{name: _plain(value) for name, value in row.items()} for row in facts.hot[columns].to_dict("records")]
    ledger, ledger_sum, repairs = _ledger(reader, wording)
    manifest = _manifest(facts, wording, rows, ledger)
    return {
        "language": language,
        "city": values["city"],
        "period_id": facts.period.id,
        "masthead": label["masthead"],
        "title": label["title_where" if reader.exposure_kind == "none" else "title_exposure"],
        "facts": [
            (label["period"], values["period"]),
            (label["data_at"], values["data_at"]),
            (label["load"], label["load_value"]),
            (label["base_map"], reader.base_map_version),
            (label["audience"], label[reader.audience.kind]),
        ],
        "labels": label,
        "headings": wording.texts["columns"],
        "summary": wording.sentences("summary", values),
        "method": wording.sentences("method", values),
        "columns": columns,
        "rows": rows,
        "ledger_columns": ["load_seq", "source", "file", "lines", *LEDGER_CLASSES],
        "ledger": ledger,
        "ledger_sum": ledger_sum,
        "repairs": repairs,
        "caveats": _caveats(facts, wording),
        "manifest": [(wording.texts["manifest"][name], value) for name, value in manifest],
        "footer": wording.sentence(labels["footer"], {"version": dict(manifest)["cloudmap"]}),
        "maps": documents.MapRequest(reader, facts.layer.id, facts.category, facts.period.id, language),
    }


def _sentence_values(facts: _Facts, language: Language) -> dict[str, Any]:
    """Compute what sentences may name."""
    reader, hot, placed = facts.reader, facts.hot, facts.unplaced
    shown = facts.places[~facts.places["masked"]]
    masked_n = len(facts.places) - len(shown)
    tested, hot_matters = int(shown["n"].sum()), int(hot["n"].sum())
    layer = facts.layer
    units = Counter(where.split(" · ")[0] for where in hot["where"] if where)
    ranked = sorted(units.items(), key=lambda item: (-item[1], item[0]))[:UNITS_NAMED_MAX]
    return {
        "city": titles.city_name(reader.city, language),
        "category": titles.category_name(reader, facts.category, language),
        "category_code": facts.category,
        "period": titles.period_text(facts.period, language),
        "data_at": titles.instant_text(reader.now, reader.city, language),
        "load": reader.analysed_load,
        "layer": layer.name_en if language == "en" else layer.name_zh,
        "total": sum(n or 0 for n in placed.values()),
        **{name: placed.get(name) or 0 for name in ("located", "area_only", "unmapped", "outside")},
        "hot_n": len(hot),
        "hot_area_km2": float(hot["area_m2"].sum()) / 1e6,
        "hot_matters": hot_matters,
        "hot_share": hot_matters / tested if tested and not masked_n else None,
        "tested_matters": tested,
        "hot_units": ranked,
        "top": {name: _plain(value) for name, value in hot.iloc[0].items() if name != "geometry"} if len(hot) else None,
        "masked_n": masked_n,
        "family": len(facts.places),
        "threshold": facts.result.parameters.get("threshold", 0.05),
        "exposure": reader.exposure_kind,
        "unscored": [
            one.name_en if language == "en" else one.name_zh for one in reader.categories() if one.parent is not None and not one.scored
        ],
        "k": reader.city.privacy.k,
    }


def _ledger(reader: Reader, wording: Wording) -> tuple[list[dict[str, Any]], dict[str, int], list[tuple[str, int]]]:
    """Lay the ledger out as rows, their sum, and the repairs over all files."""
    rows = []
    for entry in reader.ledger():
        classes = {name: int(entry["classes"].get(name, 0)) for name in LEDGER_CLASSES}
        rows.append({**{name: entry[name] for name in ("load_seq", "source", "file", "lines")}, **classes})
    total = {name: sum(row[name] for row in rows) for name in ("lines", *LEDGER_CLASSES)}
    repairs: Counter[str] = Counter()
    for entry in reader.ledger():
        repairs.update(entry["repairs"])
    names = wording.texts["repairs"]
    return rows, total, [(names.get(name, name), count) for name, count in repairs.items() if count]


def _caveats(facts: _Facts, wording: Wording) -> list[str]:
    texts, reader = wording.texts["caveats"], facts.reader
    keys = list(facts.result.caveats)
    if reader.audience.kind == "outside":
        keys.append("few")
    return [wording.sentence(texts.get(key, key), {"k": reader.city.privacy.k}) for key in keys]


def _manifest(facts: _Facts, wording: Wording, rows: list[dict[str, Any]], ledger: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """List what is needed to make the document again, with digests of its numbers."""
    provenance = facts.result.provenance
    parameters = "; ".join(f"{name} = {value}" for name, value in sorted(facts.result.parameters.items()))
    return [
        ("load", str(facts.reader.analysed_load)),
        ("base_map_version", facts.reader.base_map_version),
        ("cloudmap", VERSION),
        ("method", facts.result.method),
        ("parameters", parameters),
        ("audience", f"{facts.reader.audience.kind}, restricted = {facts.reader.audience.restricted}"),
        ("analysis", str(provenance.get("key", ""))),
        ("table_sha256", _digest(rows)),
        ("ledger_sha256", _digest(ledger)),
        ("templates", wording.digest("hotspots.html")),
    ]


def _digest(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Turn a pandas scalar into a plain one, a missing one into None."""
    import pandas as pd

    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
