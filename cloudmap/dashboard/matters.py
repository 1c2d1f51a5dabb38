"""The matters of a place that several reports tell of: their reports, and why they were joined."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from dash import html

from cloudmap.dashboard.text import Words
from cloudmap.dashboard.view import View
from cloudmap.errors import AccessError
from cloudmap.schema import MATTER_REASONS

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import MatterView

MATTERS: Final = 30
"""Matters that the panel lists."""


def matters(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the list of matters told more than once; nothing where there are none or where they may not be seen."""
    try:
        seen = reader.matters(view.layer, view.place, view.period, view.category, limit=MATTERS)
    except AccessError:
        return []
    if not seen:
        return []
    head = html.H3([say("matters.title"), html.Small(say("matters.n", n=len(seen)))])
    return [head, html.Div([_matter(one, reader, say) for one in seen], id="place-matters")]


def _matter(matter: MatterView, reader: Reader, say: Words) -> Any:
    names = {source.id: say.name(source) for source in reader.city.sources}
    categories = {category.code: say.name(category) for category in reader.categories()}
    code = matter.reports["category_code"][0]
    sources = [names.get(one, one) for one in matter.reports["source_id"].unique(maintain_order=True)]
    told = say("matters.told", n=matter.reports.height, sources=say("matters.and").join(sources))
    summary = html.Summary([html.Strong(categories.get(code, code)), " ", told])
    zone = reader.city.zone
    rows = [
        html.Li([names.get(row["source_id"], row["source_id"]), " ", _local(row["occurred_at"], zone), " ", html.Code(row["report_id"])])
        for row in matter.reports.iter_rows(named=True)
    ]
    links = [html.Li(_link(row, say)) for row in matter.links.iter_rows(named=True)]
    return html.Details([summary, html.Ul(rows), html.P(say("matters.why"), className="cm-dim"), html.Ul(links)], className="cm-matter")


def _link(link: dict[str, Any], say: Words) -> str:
    zh = say.language.startswith("zh")
    reasons = [MATTER_REASONS[one][int(zh)] for one in (link["reasons"] or "").split() if one in MATTER_REASONS]
    text = [say("matters.likeness", share=f"{link['likeness_share']:.2f}")] if link["likeness_share"] is not None else []
    where = [say("matters.apart", m=f"{link['distance_m']:.0f}")] if link["distance_m"] is not None else []
    facts = [*where, say("matters.later", h=f"{link['gap_h']:.1f}"), *text, say("matters.sure", share=f"{link['sure_share']:.0%}")]
    comma = say("matters.comma")
    return say("matters.link", facts=comma.join(facts), reasons=comma.join(reasons))


def _local(instant: datetime | None, zone: ZoneInfo) -> str:
    return "" if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
