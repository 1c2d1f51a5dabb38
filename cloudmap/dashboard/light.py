"""Plain content without a Dash component an element.

Dash's browser side compares every component with every other one whenever new content arrives: a table of 64 streets in eight columns, some
5,000 components, holds a browser for most of a minute. What needs no callback, which is all that consists of HTML elements only, goes as
text in one attribute of its root, and the browser builds it (`web/src/light.js`), never as markup: text stays text.
"""

from __future__ import annotations

import json
from typing import Any, Final

from dash.development.base_component import Component

FEW: Final = 8
"""Elements of a plain part up to which it stays as it is."""
ATTRIBUTE: Final = "data-light"

_NAMES: Final = {"className": "class", "htmlFor": "for", "colSpan": "colspan", "rowSpan": "rowspan", "tabIndex": "tabindex"}
_LEFT_OUT: Final = frozenset({"children", "n_clicks", "disable_n_clicks", "n_clicks_timestamp", "key"})


def lighten(content: Any) -> Any:
    """Turn the plain parts of some content into the form that the browser builds by itself.

    Parameters
    ----------
    content : component, text, number, None, or a list of these
        It is changed in place.

    Returns
    -------
    the same
        Each largest part of HTML elements only, above `FEW` of them, has its children as JSON in `ATTRIBUTE` of its root: texts, and
        lists of name, attributes, children.
    """
    if isinstance(content, list | tuple):
        return [lighten(one) for one in content]
    if not isinstance(content, Component):
        return content
    if _plain_n(content) > FEW:
        setattr(content, ATTRIBUTE, json.dumps([_packed(one) for one in _children(content)], ensure_ascii=False, separators=(",", ":")))
        content.children = None
    elif _children(content):
        content.children = lighten(_children(content))
    return content


def _plain_n(content: Any) -> int:
    """Count the elements of a part that consists of HTML elements only; 0 for one that does not."""
    if not isinstance(content, Component):
        return 1
    if _told(content)["namespace"] != "dash_html_components":
        return 0
    counts = [_plain_n(one) for one in _children(content)]
    return 1 + sum(counts) if all(counts) else 0


def _told(content: Component) -> dict[str, Any]:
    return content.to_plotly_json()  # type: ignore[no-any-return,no-untyped-call]  # Dash is not typed


def _children(content: Any) -> list[Any]:
    children = getattr(content, "children", None)
    if children is None:
        return []
    return list(children) if isinstance(children, list | tuple) else [children]


def _packed(content: Any) -> Any:
    if not isinstance(content, Component):
        return "" if content is None else str(content)
    told = _told(content)
    given = {name: value for name, value in told["props"].items() if name not in _LEFT_OUT}
    attributes = {_NAMES.get(name, name): value for name, value in given.items() if value is not None and value is not False}
    return [told["type"].lower(), attributes, [_packed(one) for one in _children(content)]]
