"""Tables: AG Grid in the page's language and colours."""

from __future__ import annotations

from typing import Any, Final

import dash_ag_grid as dag

from cloudmap.dashboard.text import Words, grid_words

_THEME: Final = (
    "themeQuartz.withParams({backgroundColor: 'var(--cm-surface)', foregroundColor: 'var(--cm-ink)', borderColor: 'var(--cm-line)', "
    "accentColor: 'var(--cm-accent)', headerBackgroundColor: 'var(--cm-sunken)', headerTextColor: 'var(--cm-dim)', "
    "fontFamily: 'inherit', fontSize: 13, spacing: 5, wrapperBorder: false, borderRadius: 6})"
)


def column(field: str, header: str, **more: Any) -> dict[str, Any]:
    """Describe one column."""
    return {"field": field, "headerName": header, **more}


def grid(identity: str, columns: list[dict[str, Any]], rows: list[dict[str, Any]], say: Words, **options: Any) -> dag.AgGrid:
    """Build a table.

    Parameters
    ----------
    identity : str
        Id of the component.
    columns, rows : list of dict
        AG Grid's column definitions and the data; values are shown as text, never as HTML.
    say : Words
        The language; Chinese gets AG Grid's whole locale table.
    **options
        More of AG Grid's options; ``height`` is CSS.
    """
    locale = grid_words(say.language)
    height = options.pop("height", "100%")
    return dag.AgGrid(
        id=identity,
        columnDefs=columns,
        rowData=rows,
        defaultColDef={"sortable": True, "resizable": True, "suppressHeaderMenuButton": True, "minWidth": 64},
        dashGridOptions={"theme": {"function": _THEME}, "localeText": locale, "animateRows": False, "suppressCellFocus": False, **options},
        style={"height": height, "width": "100%"},
    )
