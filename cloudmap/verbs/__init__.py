"""What an analyst calls in a notebook; the same functions, and so the same numbers, as the dashboard."""

from cloudmap.verbs.cubes import Cube, build_cube, neighbours
from cloudmap.verbs.facts import Facts, load_facts
from cloudmap.verbs.places import alarms, emerging, forecast, local_g, scan, silent

__all__ = ["Cube", "Facts", "alarms", "build_cube", "emerging", "forecast", "load_facts", "local_g", "neighbours", "scan", "silent"]
