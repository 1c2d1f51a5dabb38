"""The pickers at the left: measure, category, period, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import html

from cloudmap.access.views import ALL
from cloudmap.analytics.periods import SPANS
from cloudmap.dashboard.drawing import period_words
from cloudmap.dashboard.ground import grounds
from cloudmap.dashboard.text import Words
from cloudmap.dashboard.view import NAMES, PAGES, View, measures, offered

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.access.views import Category, PlaceLayer


def controls(view: View, reader: Reader, say: Words) -> Any:
    """Build the pickers, set to a view."""
    return html.Div(
        [
            _block(say("control.measure"), _measure(view, reader, say)),
            _block(say("control.category"), _category(view, reader, say)),
            _block(say("control.period"), *_period(view, reader, say)),
            _block(say("control.layer"), _layers(view, reader, say)),
            _block(say("control.shown"), _shown(view, reader, say)),
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


def _block(label: str, *parts: Any) -> Any:
    return html.Div([html.H2(label), *parts], className="cm-block")


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


def _period(view: View, reader: Reader, say: Words) -> list[Any]:
    weeks = reader.period(view.period).weeks_n
    had = {period.weeks_n for period in reader.periods()}
    spans = [{"value": str(span), "label": say(f"span.{span}"), "disabled": span not in had} for span in SPANS]
    ends = [{"value": one.id, "label": period_words(one, say)} for one in reader.periods() if one.weeks_n == weeks]
    steps = [
        dmc.ActionIcon(
            html.Span(className=f"cm-icon {name}"), id=name, variant="default", size="lg", **{"aria-label": say(f"control.{name}")}
        )
        for name in ("earlier", "later")
    ]
    picker = dmc.Select(id="period", value=view.period, data=ends, allowDeselect=False, maxDropdownHeight=360, withCheckIcon=False,
                        **{"aria-label": say("control.period")})  # fmt: skip
    span = dmc.SegmentedControl(id="span", value=str(weeks), data=spans, fullWidth=True, size="xs", **{"aria-label": say("control.span")})
    return [span, html.Div([steps[0], picker, steps[1]], className="cm-period")]


def _layers(view: View, reader: Reader, say: Words) -> Any:
    groups = [
        html.Div(
            [
                html.Span(say(f"control.{kind}s"), className="cm-kind"),
                *(_radio(layer, say) for layer in grounds(reader) if layer.kind == kind),
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
    labels = {NAMES: say("control.names")}
    for layer in reader.layers():
        name = say("control.outline", name=say.name(layer)) if layer.kind == "unit" else say.name(layer)
        labels[layer.id] = _counted(name, layer.places_n)
    boxes = [dmc.Checkbox(value=one, label=labels[one], size="sm") for one in offered(reader)["shown"]]
    return dmc.CheckboxGroup(
        html.Div(boxes, className="cm-options"), id="shown", value=list(view.shown), **{"aria-label": say("control.shown")}
    )
