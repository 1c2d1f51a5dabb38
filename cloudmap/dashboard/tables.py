"""The table behind a map as a file: the numbers of the hover card, of the same disclosure, recorded before they go out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from dash import html

from cloudmap.access.audit import record
from cloudmap.dashboard.drawing import DIGITS, Drawing, period_words, verdict_words
from cloudmap.dashboard.ground import ground, names_of
from cloudmap.dashboard.guard import viewer
from cloudmap.dashboard.text import Words
from cloudmap.errors import AnalysisError

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.dashboard.view import View

FIELDS: Final = ("layer", "measure", "category", "period", "within", "lang")
"""Fields of a view that a table follows."""
_RISKY: Final = tuple("=+-@\t\r\n＝＋－＠")


def whole_table(view: View, say: Words) -> list[Any]:
    """Build the way to all rows of a table that shows only its first ones, for who may take tables along.

    Parameters
    ----------
    view : View
    say : Words
    """
    who = viewer()
    if who is None or not who.may("take"):
        return []
    query = urlencode({name: getattr(view, name) for name in FIELDS})
    return [" ", html.A(say("panel.csv"), href=f"/map/table.csv?{query}", className="cm-link", download=f"{view.measure}.csv")]


def table_file(reader: Reader, asked: Mapping[str, str], say: Words) -> str:
    """Write the table of a map as CSV, and record it in the audit log first.

    Parameters
    ----------
    reader : Reader
    asked : mapping
        As `FIELDS`.
    say : Words

    Returns
    -------
    str
        CSV with a byte-order mark, so that a spreadsheet reads the Chinese.

    Raises
    ------
    AnalysisError
        There is no such result; its words say why.
    AccessError
        The audit line cannot be written.
    """
    drawing = Drawing(reader, ground(reader, asked["layer"]), asked, say)
    result, reason = drawing.result()
    if result is None:
        raise AnalysisError(reason)
    table = drawing.within_unit(result.table).sort("place")
    names = names_of(reader, asked["layer"])
    columns = [name for name in DIGITS if name in table.columns]
    verdicts = verdict_words(table, drawing.measure, say)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_text(drawing.title()), _text(period_words(drawing.period, say)), drawing.denominator(result, table.height)])
    writer.writerow([say("col.code"), say("col.place"), say("col.value.hotspot"), *(_head(name, drawing.measure, say) for name in columns)])
    for row, verdict in zip(table.to_dicts(), verdicts, strict=True):
        hidden = bool(row.get("masked"))
        cells = [say("legend.masked") if hidden else _number(row[name], DIGITS[name]) for name in columns]
        writer.writerow([_text(row["place"]), _text(names.get(row["place"]) or ""), "" if hidden else verdict or "", *cells])
    details = {name: asked[name] for name in FIELDS}
    record(
        reader.city,
        "export",
        what="table",
        rows=table.height,
        audience=reader.audience.kind,
        restricted=reader.audience.restricted,
        **details,
    )
    return "\ufeff" + out.getvalue()


def _head(name: str, measure: str, say: Words) -> str:
    if name == "value":
        return say(f"col.value.{measure}")
    return say(f"col.{name}") if say.has(f"col.{name}") else name


def _number(value: Any, digits: int) -> Any:
    return "" if value is None else round(value, digits) if digits else int(value)


def _text(value: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula."""
    return f"'{value}" if value.lstrip().startswith(_RISKY) or value.startswith(_RISKY) else value
