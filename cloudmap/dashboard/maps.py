"""What the map component fetches: geometry by version, a byte a place, and the numbers behind it."""

from __future__ import annotations

import gzip
import io
import json
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from threading import Lock
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from flask import Flask, Response, abort, request, send_file

from cloudmap.analytics.periods import Days
from cloudmap.dashboard import shapes
from cloudmap.dashboard.comparing import earlier_period
from cloudmap.dashboard.drawing import Drawing, period_words
from cloudmap.dashboard.ground import geometry, ground, grounds, places_of, tiled
from cloudmap.dashboard.rows import points
from cloudmap.dashboard.tables import table_file
from cloudmap.dashboard.text import words
from cloudmap.dashboard.timeline import BARS, DAYS_SHOWN, bars_for, time_bars
from cloudmap.dashboard.view import REACH, View, is_breaks, is_within, offered, read_period

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import PlaceLayer

FOR_EVER: Final = "private, max-age=31536000, immutable"
"""How long a browser may keep what has its version in its address."""


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
        server.add_url_rule("/map/tiles/<layer_id>/<version>", "map_tiles", self.tiles)
        server.add_url_rule("/map/shape/<layer_id>/<version>/<place>", "map_shape", self.shape)
        server.add_url_rule("/map/values", "map_values", self.values)
        server.add_url_rule("/map/numbers", "map_numbers", self.numbers)
        server.add_url_rule("/map/weeks", "map_weeks", self.weeks)
        server.add_url_rule("/map/points", "map_points", self.points)
        server.add_url_rule("/map/table.csv", "map_table", self.table)

    def packed(self, reader: Reader, layer: PlaceLayer) -> tuple[list[str], bytes]:
        """Return a layer's places in drawing order and its packed geometry, none where it has tiles; the newest layers are kept."""
        key = shapes.version(reader, layer)
        with self._lock:
            if key not in self._packed:
                outlines = geometry(reader, layer.id)
                self._packed[key] = (list(outlines["place"]), b"") if tiled(reader, layer) else shapes.pack(outlines)
            self._packed.move_to_end(key)
            while len(self._packed) > 32:
                self._packed.popitem(last=False)
            return self._packed[key]

    def geometry(self, layer_id: str, version: str) -> Response:
        """Answer with the geometry of a layer; 400 for an unknown layer, 404 for a version that is no more."""
        reader = self.reader()
        _, body = self.packed(reader, _versioned(reader, layer_id, version))
        if not body:
            abort(404)
        return _lasting(body)

    def tiles(self, layer_id: str, version: str) -> Response:
        """Answer with (a range of) the archive of a layer's tiles; 400 for an unknown layer, 404 for none or an old version."""
        reader = self.reader()
        layer = _versioned(reader, layer_id, version)
        archive = reader.tiles(layer.id) if tiled(reader, layer) else None
        if archive is None:
            abort(404)
        answer = send_file(io.BytesIO(archive), mimetype="application/vnd.pmtiles", etag=version, conditional=True)
        answer.headers["Cache-Control"] = FOR_EVER
        return answer

    def shape(self, layer_id: str, version: str, place: str) -> Response:
        """Answer with the geometry of one place, for layers that have tiles; 404 where there is no such place."""
        reader = self.reader()
        layer = _versioned(reader, layer_id, version)
        if place not in places_of(reader, layer.id):
            abort(404)
        outlines = geometry(reader, layer.id)
        _, body = shapes.pack(outlines[outlines["place"] == place])
        return _lasting(body)

    def values(self) -> Response:
        """Answer with the class of each place, and with title and legend; 400 for anything that is not offered."""
        reader, asked = self.reader(), self._asked()
        layer = ground(reader, asked["layer"])
        if request.args.get("version") not in (None, shapes.version(reader, layer)):
            return _json({"stale": True})
        places, _ = self.packed(reader, layer)
        drawing = Drawing(reader, layer, asked, words(asked["lang"]))
        return _json(drawing.values(places))

    def numbers(self) -> Response:
        """Answer with the numbers behind the colours, for the hover card: of all places, or of the `only` one that is asked for."""
        reader, asked = self.reader(), self._asked()
        layer = ground(reader, asked["layer"])
        only = request.args.get("only", "")
        if only and only not in places_of(reader, layer.id):
            abort(400)
        places = [only] if only else self.packed(reader, layer)[0]
        return _json(Drawing(reader, layer, asked, words(asked["lang"])).numbers(places))

    def weeks(self) -> Response:
        """Answer with the matters of each week, day or month, for the time bar."""
        reader, choices = self.reader(), offered(self.reader())
        category, within, bars = (request.args.get(name, usual) for name, usual in (("category", ""), ("within", ""), ("bars", "week")))
        if category not in choices["category"] or not is_within(within, reader) or bars not in BARS:
            abort(400)
        return _json(time_bars(reader, category, within, bars, _days_asked(reader) if bars == "day" else None))

    def points(self) -> Response:
        """Answer with the points of single reports, for who may see them; others are told in words."""
        asked = self._asked()
        return _json(points(self.reader(), asked, words(asked["lang"])))

    def table(self) -> Response:
        """Answer with the table of a map as a file; 409 where there is no such result."""
        asked = self._asked()
        body = table_file(self.reader(), asked, words(asked["lang"]))
        named = f'attachment; filename="{asked["measure"]}_{asked["layer"]}_{asked["period"]}.csv"'
        return Response(body, mimetype="text/csv", headers={"Cache-Control": "no-store", "Content-Disposition": named})

    def _asked(self) -> dict[str, str]:
        choices = offered(self.reader())
        asked = {name: request.args.get(name, "") for name in ("layer", "measure", "category", "lang")}
        if any(value not in choices[name] for name, value in asked.items()):
            abort(400)
        asked["period"] = read_period(request.args.get("period", ""), self.reader()) or abort(400)
        asked |= {name: request.args.get(name, "") for name in ("within", "breaks", "base")}
        if asked["base"]:
            asked["base"] = read_period(asked["base"], self.reader()) or abort(400)
        if not is_within(asked["within"], self.reader()) or not is_breaks(asked["breaks"]):
            abort(400)
        if (asked["measure"] == REACH) != (ground(self.reader(), asked["layer"]).kind == "water"):
            abort(400)
        return asked


def addresses(view: View, reader: Reader) -> dict[str, Any]:
    """Tell the map component what to fetch for a view.

    Returns
    -------
    dict
        layer, place, shown, values and numbers (addresses), key (equal for equal pictures).
    """
    layer = ground(reader, view.layer)
    fields = {name: getattr(view, name) for name in ("layer", "measure", "category", "period", "lang", "within", "breaks")}
    fields["version"] = shapes.version(reader, layer)
    comparing = view.page == "compare"
    query = urlencode(fields | ({"base": view.period} if comparing else {}))
    shown = [*fields.values(), view.place, ".".join(view.shown), view.opacity, view.against if comparing else "", view.auto]
    found = {
        "layer": view.layer,
        "place": view.place,
        "within": view.within,
        "auto": view.auto == "1",
        "period": view.period,
        "shown": list(view.shown),
        "opacity": int(view.opacity),
        "values": f"/map/values?{query}",
        "numbers": f"/map/numbers?{query}",
        "points": f"/map/points?{query}",
        "weeks": "/map/weeks?"
        + urlencode({"category": view.category, "within": view.within} | bars_for(reader, view.period, view.category)),
        "key": "|".join(shown),
    }
    earlier = earlier_period(reader, view.period, view.against) if comparing else None
    if earlier:
        before = urlencode(fields | {"period": earlier, "base": view.period})
        found["before"] = {
            "values": f"/map/values?{before}",
            "numbers": f"/map/numbers?{before}",
            "label": period_words(reader.period(earlier), words(view.lang)),
            "now": period_words(reader.period(view.period), words(view.lang)),
        }
    return found


def _versioned(reader: Reader, layer_id: str, version: str) -> PlaceLayer:
    """Return a layer whose geometry has the version that is asked for."""
    layer = next((one for one in grounds(reader) if one.id == layer_id), None)
    if layer is None:
        abort(400)
    if version != shapes.version(reader, layer):
        abort(404)
    return layer


def _days_asked(reader: Reader) -> Days:
    """Read which days a time bar shows; 400 where they are none, or too many, or not within the data."""
    try:
        days = Days(*(date.fromisoformat(request.args.get(name, "")) for name in ("first", "last")))
    except ValueError:
        abort(400)
    there = reader.days
    if there is None or not 0 < days.days_n <= DAYS_SHOWN or days.first_on < there.first_on or days.last_on > there.last_on:
        abort(400)
    return days


def _lasting(zipped: bytes) -> Response:
    """Answer with JSON that never changes at its address."""
    taken = "gzip" in request.headers.get("Accept-Encoding", "")
    answer = Response(zipped if taken else gzip.decompress(zipped), mimetype="application/json")
    if taken:
        answer.headers["Content-Encoding"] = "gzip"
    answer.headers["Vary"] = "Accept-Encoding"
    answer.headers["Cache-Control"] = FOR_EVER
    return answer


def _json(content: dict[str, Any]) -> Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Response(body, mimetype="application/json", headers={"Cache-Control": "no-store"})
