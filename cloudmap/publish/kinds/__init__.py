"""Kinds of briefings: each gathers its numbers from the Reader and lays them out as sections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from cloudmap.publish.content import Section
from cloudmap.publish.kinds import handling, hotspots, meeting, situation, water
from cloudmap.publish.kinds.asked import Asked

KINDS: Final[Mapping[str, Callable[[Asked], list[Section]]]] = {
    "hotspots": hotspots.sections,
    "situation": situation.sections,
    "handling": handling.sections,
    "water": water.sections,
    "meeting": meeting.sections,
}
"""What a briefing can tell of; each gives the sections of its own, summary first."""
