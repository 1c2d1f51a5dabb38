"""Ask for everything that the page would ask for, and fail when something is missing."""

from __future__ import annotations

import json
import re
from http.client import HTTPConnection
from typing import Any, Final

from cloudmap.errors import StoreError

_LINK: Final = re.compile(r'(?:src|href)="(/[^"]+)"')


def visit(port: int, *, host: str = "127.0.0.1", timeout_s: float = 300.0) -> list[str]:
    """Request the page, each static file, and each map resource: geometry of every layer, values of every coloured one.

    Parameters
    ----------
    port : int
        Where the dashboard listens.
    host : str
    timeout_s : float, seconds
        For one answer; the first hotspot map of a layer computes its weights.

    Returns
    -------
    list of str
        The addresses that answered.

    Raises
    ------
    StoreError
        An address did not answer 200, or the page has nothing to show.
    """
    connection = HTTPConnection(host, port, timeout=timeout_s)
    visited: list[str] = []

    def get(path: str, body: str | None = None, *, first_bytes: int = 0) -> str:
        headers = {"Content-Type": "application/json"} if body else {}
        headers |= {"Range": f"bytes=0-{first_bytes - 1}"} if first_bytes else {}
        connection.request("POST" if body else "GET", path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        due = 206 if first_bytes else 200
        if answer.status != due:
            raise StoreError(f"http://{host}:{port}{path}: answer {answer.status} where {due} is due; see the log of the dashboard")
        visited.append(path)
        return content.decode("utf-8", "replace")

    try:
        for path in sorted(set(_LINK.findall(get("/")))):
            get(path)
        for path in ("/assets/map-worker.js", "/_dash-layout", "/_dash-dependencies"):
            get(path)
        view, config = _first_view(get)
        for layer in config["layers"]:
            get(layer.get("tiles", layer["url"]))
        if base := (config.get("basemap") or {}).get("url"):
            get(base, first_bytes=127)  # the file may hold a country
        for layer_id, measure in _maps(config):
            query = f"layer={layer_id}&measure={measure}&category={view['category']}&period={view['period']}&lang={view['lang']}"
            get(f"/map/values?{query}")
            get(f"/map/numbers?{query}")
    finally:
        connection.close()
    return visited


def _maps(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Pair layers with measures: the first page's on every layer that it colours, those of the others on their usual layer."""
    first, *others = (page for page in config["pages"].values() if page["map"])
    coloured = [layer["id"] for layer in config["layers"] if layer["kind"] in first["kinds"]]
    every = [(layer, measure["value"]) for layer in coloured for measure in first["measures"]]
    every += [(page["usual"]["layer"], measure["value"]) for page in others for measure in page["measures"]]
    return list(dict.fromkeys(every))


def _first_view(get: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the callback that a browser runs first, and return the view and the map's config."""
    outputs = [{"id": "view", "property": "data"}, {"id": "shell", "property": "children"}]
    asked = {
        "output": "..view.data...shell.children..",
        "outputs": outputs,
        "inputs": [{"id": "url", "property": "search", "value": ""}],
        "changedPropIds": ["url.search"],
        "state": [{"id": "view", "property": "data", "value": None}],
    }
    answer = json.loads(get("/_dash-update-component", json.dumps(asked)))["response"]
    if "view" not in answer:
        raise StoreError("the dashboard has nothing to show; run `cloudmap load` and `cloudmap analyse` first")
    return answer["view"]["data"], _config(answer["shell"]["children"])


def _config(component: Any) -> dict[str, Any]:
    """Find the map's config in a tree of components."""
    if isinstance(component, dict):
        properties = component.get("props", {})
        if properties.get("id") == "config":
            return dict(properties["data"])
        return _config(properties.get("children"))
    found: dict[str, Any] = {}
    for child in component if isinstance(component, list) else []:
        found = found or _config(child)
    return found
