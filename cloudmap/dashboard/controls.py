"""The pickers at the left: measure, category, period, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import dash_mantine_components as dmc
from dash import html

from cloudmap.access.views import ALL
from cloudmap.analytics.periods import SPANS, AnyPeriod, Month, Period
from cloudmap.dashboard.basemap import BASE
from cloudmap.dashboard.drawing import period_words
from cloudmap.dashboard.ground import grounds
from cloudmap.dashboard.text import Words
from cloudmap.dashboard.view import AGAINST, BREAKS, HEAT, NAMES, PAGES, POINTS, View, measures, offered

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Category, PlaceLayer

SPAN_CHOICES: Final = ("day", "1", "4", "month", "13", "52")
"""Lengths of a period, the shortest first; numbers are weeks."""


def controls(view: View, reader: Reader, say: Words) -> Any:
    """Build the pickers, set to a view."""
    return html.Div(
        [
            _block(say("control.measure"), _measure(view, reader, say)),
            _block(say("control.category"), _category(view, reader, say)),
            _block(say("control.period"), *_period(view, reader, say)),
            _block(say("control.against"), _against(view, say), name="against"),
            _block(say("control.layer"), _layers(view, reader, say), _opacity(view, say)),
            _block(say("control.breaks"), *_breaks(view, say), name="breaks"),
            _block(say("control.shown"), _shown(view, reader, say)),
            _block(say("control.wall"), _wall(say), name="wall"),
        ],
        className="cm-controls",
    )


def category_choices(categories: list[Category], say: Words) -> list[dict[str, Any]]:
    """Group categories for a picker: everything, then each group with its sum first; restricted ones are marked."""
    groups: dict[str, list[dict[str, str]]] = {}
    names = {category.code: say.name(category) for category in categories}
    for category in categories:
        if category.code == ALL:
            groups[say("control.all")] = [{"value": ALL, "label": names[ALL]}]
            continue
        label = names[category.code] if category.parent else say("control.group", name=names[category.code])
        label = say("control.restricted", name=label) if category.restricted else label
        groups.setdefault(names[category.parent or category.code], []).append({"value": category.code, "label": label})
    return [{"group": group, "items": items} for group, items in groups.items()]


def measure_choices(page: str, reader: Reader, say: Words) -> list[dict[str, str]]:
    """List the measures of a page's map for a picker."""
    return [{"value": measure, "label": say(f"measure.{measure}")} for measure in measures(page, reader)]


def tab_choices(page: str, say: Words) -> list[dict[str, str]]:
    """List the parts of a page's panel for a picker."""
    return [{"value": tab, "label": say(f"tab.{tab}")} for tab in PAGES[page].tabs]


def _block(label: str, *parts: Any, name: str = "") -> Any:
    return html.Div([html.H2(label), *parts], className=f"cm-block cm-block-{name}" if name else "cm-block")


def _against(view: View, say: Words) -> Any:
    data = [{"value": one, "label": say(f"against.{one}")} for one in AGAINST]
    return dmc.SegmentedControl(
        id="against", value=view.against, data=data, fullWidth=True, size="xs", **{"aria-label": say("control.against")}
    )


def _opacity(view: View, say: Words) -> Any:
    slider = dmc.Slider(
        id="opacity",
        value=int(view.opacity),
        min=10,
        max=100,
        step=5,
        size="sm",
        updatemode="mouseup",
        label=None,
        thumbLabel=say("control.opacity"),
    )
    return html.Div([html.Span(say("control.opacity"), className="cm-kind"), slider], className="cm-opacity")


def _breaks(view: View, say: Words) -> list[Any]:
    data = [{"value": one or "round", "label": say(f"breaks.{one or 'round'}")} for one in (*BREAKS, "m")]
    own = view.breaks.startswith("m~")
    chosen = "m" if own else view.breaks or "round"
    text = dmc.TextInput(
        id="breaks-own",
        value=", ".join(view.breaks.split("~")[1:]) if own else "",
        placeholder=say("breaks.own"),
        size="xs",
        debounce=True,
        **{"aria-label": say("breaks.own")},
    )
    picker = dmc.Select(id="breaks", value=chosen, data=data, allowDeselect=False, size="xs", **{"aria-label": say("control.breaks")})
    return [picker, text]


def _wall(say: Words) -> Any:
    add = dmc.Button(say("wall.add"), id="wall-add", variant="default", size="compact-sm")
    start = dmc.Button(say("wall.start"), id="wall", variant="default", size="compact-sm")
    return html.Div([html.Div([add, start], className="cm-buttons"), html.P(id="wall-list", className="cm-dim")])


def _measure(view: View, reader: Reader, say: Words) -> Any:
    data = measure_choices(view.page, reader, say)
    return dmc.SegmentedControl(
        id="measure", value=view.measure, data=data, fullWidth=True, size="xs", **{"aria-label": say("control.measure")}
    )


def _category(view: View, reader: Reader, say: Words) -> Any:
    return dmc.Select(
        id="category",
        value=view.category,
        data=category_choices(reader.categories(), say),
        searchable=True,
        allowDeselect=False,
        maxDropdownHeight=420,
        nothingFoundMessage=say("control.nothing"),
        checkIconPosition="right",
        **{"aria-label": say("control.category")},
    )


def days_config(reader: Reader) -> dict[str, str] | None:
    """Tell the browser which days a period may have; None where only the listed ones are offered."""
    days = reader.days if reader.free_periods else None
    return None if days is None else {"first": days.first_on.isoformat(), "last": days.last_on.isoformat()}


def span_of(period: AnyPeriod) -> str:
    """Name the length of a period as the picker does; "days" where it is of ends of one's own."""
    if isinstance(period, Period):
        return str(period.weeks_n) if period.weeks_n in SPANS else "days"
    return "month" if isinstance(period, Month) else "day" if period.days_n == 1 else "days"


def _period(view: View, reader: Reader, say: Words) -> list[Any]:
    """Build the pickers of the period; the browser fills the list of days and months, and the two ends."""
    period, free = reader.period(view.period), days_config(reader) is not None
    had = {str(one.weeks_n) for one in reader.periods()} | ({"day", "month"} if free else set())
    spans = [{"value": one, "label": say(f"span.{one}"), "disabled": one not in had} for one in SPAN_CHOICES]
    like: list[AnyPeriod] = [one for one in reader.periods() if isinstance(period, Period) and one.weeks_n == period.weeks_n]
    ends = [{"value": one.id, "label": period_words(one, say)} for one in like or [period]]
    steps = [
        dmc.ActionIcon(
            html.Span(className=f"cm-icon {name}"), id=name, variant="default", size="lg", **{"aria-label": say(f"control.{name}")}
        )
        for name in ("earlier", "later")
    ]
    picker = dmc.Select(
        id="period",
        value=view.period,
        data=ends,
        allowDeselect=False,
        searchable=True,
        maxDropdownHeight=360,
        withCheckIcon=False,
        **{"aria-label": say("control.period")},
    )
    span = dmc.SegmentedControl(
        id="span", value=span_of(period), data=spans, fullWidth=True, size="xs", **{"aria-label": say("control.span")}
    )
    named: dict[str, Any] = {"aria-label": say("control.ends")}
    typed = html.Div(id="ends", className="cm-ends", role="group", **named)
    return [span, html.Div([steps[0], picker, steps[1]], className="cm-period"), *([typed] if free else [])]


def _layers(view: View, reader: Reader, say: Words) -> Any:
    groups = [
        html.Div(
            [
                html.Span(say(f"control.{kind}s"), className="cm-kind"),
                *(_radio(layer, say) for layer in grounds(reader) if layer.kind == kind),
                *([dmc.Checkbox(id="auto", checked=view.auto == "1", label=say("control.auto"), size="sm")] if kind == "cell" else []),
            ],
            className=f"cm-kinds cm-kinds-{kind}",
        )
        for kind in ("unit", "cell", "water")
    ]
    return dmc.RadioGroup(html.Div(groups, className="cm-options"), id="layer", value=view.layer, **{"aria-label": say("control.layer")})


def _radio(layer: PlaceLayer, say: Words) -> Any:
    return dmc.Radio(value=layer.id, label=_counted(say.name(layer), layer.places_n), size="sm")


def _counted(name: str, places_n: int) -> Any:
    return html.Span([name, html.Small(f"{places_n:,}")], className="cm-counted")


def _shown(view: View, reader: Reader, say: Words) -> Any:
    labels = {BASE: say("control.base"), NAMES: say("control.names"), HEAT: say("control.heat"), POINTS: say("control.points")}
    for layer in reader.layers():
        name = say("control.outline", name=say.name(layer)) if layer.kind == "unit" else say.name(layer)
        labels[layer.id] = _counted(name, layer.places_n)
    rows: list[Any] = []
    for one in offered(reader)["shown"]:
        # The map component fills the tools: a button that raises the layer, and its opacity.
        tools: dict[str, Any] = {"data-layer": one}
        extra = [] if one in (NAMES, HEAT, POINTS) else [html.Div(className="cm-tools", **tools)]
        row: dict[str, Any] = {"data-row": one}
        rows.append(html.Div([dmc.Checkbox(value=one, label=labels[one], size="sm"), *extra], className="cm-row", **row))
    if reader.city.basemap.tianditu_key:
        rows.append(html.P(say("basemap.outside_note"), className="cm-dim cm-outside"))
    value = [one.partition("~")[0] for one in view.shown]
    return dmc.CheckboxGroup(html.Div(rows, className="cm-options"), id="shown", value=value, **{"aria-label": say("control.shown")})
