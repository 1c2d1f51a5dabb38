"""Documents and layers to take along, made for the asking by what `cloudmap brief` and `cloudmap export` are made of."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from flask import Flask, Response, abort, request, send_file

from cloudmap.dashboard.refusals import reason
from cloudmap.dashboard.text import LANGUAGES, words
from cloudmap.dashboard.view import is_within, offered, read_period
from cloudmap.errors import AccessError, CloudmapError
from cloudmap.publish.briefing import brief
from cloudmap.publish.documents import FORMATS as DOCUMENT_FORMATS
from cloudmap.publish.kinds import KINDS
from cloudmap.publish.layers import export

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.view import View

LAYERS: Final = {"cells": "cell", "hotspots": "cell", "units": "unit", "clusters": "cell", "reaches": ""}
"""Layers that a page hands out, and the kind of the map's layer that they may be of."""
LAYER_FORMATS: Final = ("gpkg", "geojson", "shp.zip", "xlsx", "csv")
WAIT_S: Final = 60.0
"""How long somebody waits for another's document to be done before being told to ask again."""

__all__ = ["DOCUMENT_FORMATS", "KINDS", "LAYERS", "LAYER_FORMATS", "Taking", "document_address", "layer_address"]


def document_address(view: View, kind: str, form: str) -> str:
    """Return the address of a briefing on what a view shows: its period, its category, its unit."""
    asked = {"period": view.period, "category": view.category, "within": view.within, "lang": view.lang}
    return f"/take/brief/{kind}.{form}?{urlencode(asked)}"


def layer_address(view: View, what: str, form: str) -> str:
    """Return the address of a layer for other programs: of a view's period and category, and of its layer where that fits."""
    asked = {"period": view.period, "category": view.category, "layer": view.layer, "lang": view.lang}
    return f"/take/layer/{what}.{form}?{urlencode(asked)}"


class Taking:
    """Makes one file at a time, since each keeps a processor busy for seconds.

    Parameters
    ----------
    reader : callable
        Returns the reader to use for one request.
    """

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self.reader = reader
        self._one = Lock()

    def register(self, server: Flask) -> None:
        """Add the routes below ``/take`` to a Flask server."""
        server.add_url_rule("/take/brief/<kind>.<form>", "take_brief", self.briefing)
        server.add_url_rule("/take/layer/<what>.<path:form>", "take_layer", self.layer)

    def briefing(self, kind: str, form: str) -> Response:
        """Answer with a briefing; 400 for what does not exist, a page in words where there is nothing to tell."""
        period, category, lang = self._asked()
        within = request.args.get("within", "")
        if kind not in KINDS or form not in DOCUMENT_FORMATS or not is_within(within, self.reader()):
            abort(400)
        unit = within.partition("~")[2] or None

        def make(path: Path) -> None:
            brief(self.reader(), kind=kind, period=period, category=category, unit=unit, format=form, language=lang, path=path)

        return self._made(f"{kind}_{unit or 'city'}_{period}.{form}", make, lang)

    def layer(self, what: str, form: str) -> Response:
        """Answer with a layer; 400 for what does not exist, a page in words where there is no such result."""
        period, category, lang = self._asked()
        reader, asked = self.reader(), request.args.get("layer", "")
        if what not in LAYERS or form not in LAYER_FORMATS:
            abort(400)
        chosen = next((one.id for one in reader.layers() if one.id == asked and one.kind == LAYERS[what]), None)

        def make(path: Path) -> None:
            export(reader, what, path, category=category, period=period, layer=chosen)

        return self._made(f"{what}_{period}.{form}", make, lang)

    def _asked(self) -> tuple[str, str, str]:
        category, lang = (request.args.get(name, "") for name in ("category", "lang"))
        if category not in offered(self.reader())["category"] or lang not in LANGUAGES:
            abort(400)
        return read_period(request.args.get("period", ""), self.reader()) or abort(400), category, lang

    def _made(self, name: str, make: Callable[[Path], None], lang: str) -> Response:
        say = words(lang)
        if not self._one.acquire(timeout=WAIT_S):
            return _told(say("take.busy"), lang, 503)
        try:
            with TemporaryDirectory(prefix="cloudmap-") as folder:
                path = Path(folder) / name
                make(path)
                body = path.read_bytes()
        except CloudmapError as error:
            return _told(reason(error, say), lang, 403 if isinstance(error, AccessError) else 409)
        finally:
            self._one.release()
        answer = send_file(BytesIO(body), mimetype="application/octet-stream", as_attachment=True, download_name=name)
        answer.headers["Cache-Control"] = "no-store"
        return answer


def _told(text: str, lang: str, status: int) -> Response:
    """Say on a page of its own why there is no file, with the way back."""
    say = words(lang)
    back = f'<p><a href="/?page=exports&amp;lang={escape(lang)}">{escape(say("take.back"))}</a></p>'
    head = f'<!doctype html><html lang="{escape(lang)}"><meta charset="utf-8"><title>{escape(say("export.title"))}</title>'
    sheet = '<link rel="stylesheet" href="/signin/style.css">'
    return Response(f"{head}{sheet}<main><p>{escape(text)}</p>{back}</main></html>", status, mimetype="text/html")
