"""cloudmap: a city's governance cloud map (治理雲圖), from report files to hotspots, offline.

The public verbs, in the order in which data flows; each is imported when first used::

    city = cm.open_city("demo/luqiao")
    cm.load(city)                        # files -> ledger
    cm.analyse(city)                     # facts -> cubes
    facts = cm.load_facts(city, "2018-01", "2018-08")
    cube = cm.build_cube(facts, place="cell")
    hot = cm.local_g(cube, cm.neighbours(cube), period="2018-W30")
    hot.summary()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cloudmap.version import VERSION

__version__ = VERSION

_VERBS = {
    "open_city": "cloudmap.city",
    "load": "cloudmap.pipeline",
    "analyse": "cloudmap.pipeline",
    "back_test": "cloudmap.pipeline",
    "read": "cloudmap.pipeline",
    "statistic": "cloudmap.pipeline",
    "load_facts": "cloudmap.verbs",
    "build_cube": "cloudmap.verbs",
    "neighbours": "cloudmap.verbs",
    "local_g": "cloudmap.verbs",
    "emerging": "cloudmap.verbs",
    "scan": "cloudmap.verbs",
    "silent": "cloudmap.verbs",
    "forecast": "cloudmap.verbs",
    "alarms": "cloudmap.verbs",
    "disclose": "cloudmap.access.disclosure",
    "draw": "cloudmap.publish.place_figure",
    "plot": "cloudmap.publish.figures",
}

__all__ = [
    "__version__",
    "alarms",
    "analyse",
    "back_test",
    "build_cube",
    "disclose",
    "draw",
    "emerging",
    "forecast",
    "load",
    "load_facts",
    "local_g",
    "neighbours",
    "open_city",
    "plot",
    "read",
    "scan",
    "silent",
    "statistic",
]

if TYPE_CHECKING:
    from cloudmap.access.disclosure import disclose
    from cloudmap.city import open_city
    from cloudmap.pipeline import analyse, back_test, load, read, statistic
    from cloudmap.publish.figures import plot
    from cloudmap.publish.place_figure import draw
    from cloudmap.verbs import alarms, build_cube, emerging, forecast, load_facts, local_g, neighbours, scan, silent


def __getattr__(name: str) -> Any:
    """Import a public verb on first use (PEP 562), so that `import cloudmap` stays fast."""
    if name not in _VERBS:
        raise AttributeError(f"module 'cloudmap' has no attribute {name!r}")
    return getattr(import_module(_VERBS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
