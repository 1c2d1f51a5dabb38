"""What the map component fetches: geometry by version, a byte a place, and the numbers behind it."""

from __future__ import annotations

import base64
import gzip
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

import numpy as np
import polars as pl
from flask import Flask, Response, abort, request

from cloudmap.access.views import Measure
from cloudmap.dashboard import shapes
from cloudmap.dashboard.legend import FIRST, MASKED, NONE, Classed, classify
from cloudmap.dashboard.text import Words, number, words
from cloudmap.dashboard.view import View, offered
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer
    from cloudmap.analytics.periods import Period
    from cloudmap.analytics.result import Result

TAGS: Final = ("schematic", "reported_not_people")
"""Caveats that stand beside the title; the others stand in the legend."""

_DIGITS: Final = {"n": 0, "neighbourhood_n": 0, "value": 2, "expected": 1, "q": 4}
_CARD: Final = {"count": ("count",), "ratio": ("count", "ratio", "expected"), "hotspot": ("count", "verdict", "neighbourhood", "q")}


class Maps:
    """Draws the layers of whatever the reader of the moment shows.

    Parameters
    ----------
    reader : callable
        Returns the reader to use for one request.
    """

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self.reader = reader
        self._packed: OrderedDict[str, tuple[list[str], bytes]] = OrderedDict()
        self._lock = Lock()

    def register(self, server: Flask) -> None:
        """Add the routes below ``/map`` to a Flask server."""
        server.add_url_rule("/map/geometry/<layer_id>/<version>", "map_geometry", self.geometry)
        server.add_url_rule("/map/values", "map_values", self.values)
        server.add_url_rule("/map/numbers", "map_numbers", self.numbers)

    def packed(self, reader: Reader, layer: PlaceLayer) -> tuple[list[str], bytes]:
        """Return a layer's places in drawing order and its packed geometry; the newest layers are kept."""
        key = shapes.version(reader, layer)
        with self._lock:
            if key not in self._packed:
                self._packed[key] = shapes.pack(reader.geometry(layer.id))
            self._packed.move_to_end(key)
            while len(self._packed) > 32:
                self._packed.popitem(last=False)
            return self._packed[key]

    def geometry(self, layer_id: str, version: str) -> Response:
        """Answer with the geometry of a layer; 400 for an unknown layer, 404 for a version that is no more."""
        reader = self.reader()
        layer = next((one for one in reader.layers() if one.id == layer_id), None)
        if layer is None:
            abort(400)
        if version != shapes.version(reader, layer):
            abort(404)
        _, body = self.packed(reader, layer)
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        answer = Response(body if zipped else gzip.decompress(body), mimetype="application/json")
        if zipped:
            answer.headers["Content-Encoding"] = "gzip"
        answer.headers["Vary"] = "Accept-Encoding"
        answer.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return answer

    def values(self) -> Response:
        """Answer with the class of each place, and with title and legend; 400 for anything that is not offered."""
        reader, asked = self.reader(), self._asked()
        layer = next(one for one in reader.layers() if one.id == asked["layer"])
        if request.args.get("version") not in (None, shapes.version(reader, layer)):
            return _json({"stale": True})
        places, _ = self.packed(reader, layer)
        drawing = Drawing(reader, layer, asked, words(asked["lang"]))
        return _json(drawing.values(places))

    def numbers(self) -> Response:
        """Answer with the numbers behind the colours, for the hover card."""
        reader, asked = self.reader(), self._asked()
        layer = next(one for one in reader.layers() if one.id == asked["layer"])
        places, _ = self.packed(reader, layer)
        return _json(Drawing(reader, layer, asked, words(asked["lang"])).numbers(places))

    def _asked(self) -> dict[str, str]:
        choices = offered(self.reader())
        asked = {name: request.args.get(name, "") for name in ("layer", "measure", "category", "period", "lang")}
        if any(value not in choices[name] for name, value in asked.items()):
            abort(400)
        return asked


class Drawing:
    """One map: a layer, measure, category and period in the words of a language."""

    def __init__(self, reader: Reader, layer: PlaceLayer, asked: Mapping[str, str], say: Words) -> None:
        self.reader, self.layer, self.say = reader, layer, say
        self.measure = cast(Measure, asked["measure"])
        self.period = reader.period(asked["period"])
        self.category = next(one for one in reader.categories() if one.code == asked["category"])

    def result(self) -> tuple[Result | None, str]:
        """Return the result, or None and the reason in words."""
        try:
            return self.reader.values(self.layer.id, self.category.code, self.period.id, self.measure), ""
        except AccessError:
            return None, self.say("map.refused")
        except AnalysisError:
            return None, self.say("map.unscored")

    def values(self, places: list[str]) -> dict[str, Any]:
        """Build the answer of ``/map/values``."""
        result, reason = self.result()
        caveats: tuple[str, ...] = ("reported_not_people",)
        if result is None:
            classed = Classed(np.zeros(len(places), dtype=np.uint8), [])
        else:
            table = ordered(result.table, places)
            classed, caveats = classify(table, self.measure, self.say), result.caveats
            counted = table["n"] if "n" in table.columns else table["value"]
            if not table["masked"].any() and not counted.sum():
                reason = self.say("map.empty")
            elif not classed.codes.any():
                reason = self.say("map.low")
        return {
            "codes": base64.b64encode(classed.codes.tobytes()).decode(),
            "palette": self.measure,
            "title": self.title(),
            "subtitle": self.say("subtitle", layer=self.say.name(self.layer), period=period_words(self.period, self.say)),
            "tags": [self.say(f"caveat.{name}") for name in TAGS if name in caveats],
            "legend": self.legend(classed, caveats),
            "message": reason,
        }

    def title(self) -> str:
        """Say what the map shows; without an exposure it says only where reports are."""
        bare = self.measure == "count" and self.reader.exposure_kind == "none"
        return self.say(f"maptitle.{self.measure}{'.none' if bare else ''}", category=self.say.name(self.category))

    def legend(self, classed: Classed, caveats: tuple[str, ...]) -> dict[str, Any]:
        """Build title, rows (code, label, number of places), denominator and notes."""
        codes = np.bincount(classed.codes, minlength=FIRST + len(classed.labels))
        labels = {NONE: self.say("legend.none"), MASKED: self.say("legend.masked")}
        labels |= {FIRST + step: label for step, label in enumerate(classed.labels)}
        always = range(FIRST, FIRST + len(classed.labels))
        order = [*reversed(always), MASKED, NONE] if self.measure != "count" else [*always, MASKED, NONE]
        return {
            "title": self.say(f"legend.{self.measure}"),
            "period": period_words(self.period, self.say),
            "unit": self.say("legend.unit"),
            "classes": len(classed.labels),
            "rows": [
                {"code": code, "label": labels[code], "places": number(int(codes[code]))} for code in order if code in always or codes[code]
            ],
            "denominator": self.denominator(len(classed.codes)),
            "notes": [self.say(f"caveat.{name}") for name in caveats if name not in TAGS and self.say.has(f"caveat.{name}")],
        }

    def denominator(self, places_n: int) -> str:
        """Say what the numbers are of."""
        kind = self.reader.exposure_kind
        if self.measure == "count":
            return self.say("denominator.count.none" if kind == "none" else "denominator.count")
        if self.measure == "ratio":
            return self.say(f"denominator.ratio.{kind}")
        return self.say("denominator.hotspot", n=places_n, q=5)

    def numbers(self, places: list[str]) -> dict[str, Any]:
        """Build the answer of ``/map/numbers``: sentences with gaps, and a column for each gap."""
        result, _ = self.result()
        masked = self.say("card.masked", k=_threshold(self.reader, self.category.restricted))
        if result is None:
            return {"lines": [], "columns": {}, "masked": masked}
        table = ordered(result.table, places)
        if "n" not in table.columns:
            table = table.with_columns(n=pl.col("value"))
        columns = {name: _column(table[name], digits) for name, digits in _DIGITS.items() if name in table.columns}
        if self.measure == "hotspot":
            columns["verdict"] = [self.say(f"legend.{verdict}") if verdict else None for verdict in table["class"]]
        return {"lines": [self.say.table[f"card.{line}"] for line in _CARD[self.measure]], "columns": columns, "masked": masked}


def ordered(table: pl.DataFrame, places: list[str]) -> pl.DataFrame:
    """Return one row a place in drawing order; places without a row get nulls and are not masked."""
    joined = pl.DataFrame({"place": places}, schema={"place": pl.String}).join(table, on="place", how="left", maintain_order="left")
    return joined.with_columns(pl.col("masked").fill_null(value=False))


def period_words(period: Period, say: Words) -> str:
    """Write a period as its first and last day."""
    return say("period", first=period.first_on.isoformat(), last=period.last_on.isoformat())


def addresses(view: View, reader: Reader) -> dict[str, Any]:
    """Tell the map component what to fetch for a view.

    Returns
    -------
    dict
        layer, place, shown, values and numbers (addresses), key (equal for equal pictures).
    """
    layer = next(one for one in reader.layers() if one.id == view.layer)
    fields = {"layer": view.layer, "measure": view.measure, "category": view.category, "period": view.period, "lang": view.lang}
    query = urlencode(fields | {"version": shapes.version(reader, layer)})
    values = f"/map/values?{query}"
    key = "|".join([*fields.values(), view.place, ".".join(view.shown)])
    return {
        "layer": view.layer,
        "place": view.place,
        "shown": list(view.shown),
        "values": values,
        "numbers": f"/map/numbers?{query}",
        "key": key,
    }


def _threshold(reader: Reader, restricted: bool) -> int:
    privacy = reader.city.privacy
    return privacy.k_restricted if restricted and reader.audience.kind == "internal" else privacy.k


def _column(series: pl.Series, digits: int) -> list[Any]:
    rounded = series.cast(pl.Float64).fill_nan(None).round(digits)
    return (rounded.cast(pl.Int64) if digits == 0 else rounded).to_list()


def _json(content: dict[str, Any]) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})
