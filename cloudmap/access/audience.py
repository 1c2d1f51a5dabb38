"""Who is looking: inside the administration or outside, with or without the grant for restricted categories, and whose reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from cloudmap.errors import AccessError

Kind = Literal["internal", "outside"]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is looking.

    Parameters
    ----------
    kind : {"internal", "outside"}
        Inside the administration, or anybody.
    restricted : bool
        Whether restricted categories may be seen exactly and with their points.
    units : tuple of str, optional
        Codes of the units, of any level, whose single reports, matters and overdue lists may be seen: every unit's where not given,
        nobody's where empty. Counts are those of the whole city for each audience inside.
    records : bool
        Whether quarantined records may be seen; they belong to no unit.

    Raises
    ------
    AccessError
        The kind is not known, or an outside audience is given the restricted grant.
    """

    kind: Kind = "internal"
    restricted: bool = False
    units: tuple[str, ...] | None = None
    records: bool = True

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise AccessError(f"audience {self.kind!r}: want one of {', '.join(get_args(Kind))}")
        if self.kind == "outside" and self.restricted:
            raise AccessError("what goes outside cannot hold restricted categories exactly: drop either --outside or --restricted")
        if self.units is not None:
            object.__setattr__(self, "units", tuple(sorted(set(self.units))))

    @property
    def outside(self) -> bool:
        """Whether this is for anybody."""
        return self.kind == "outside"

    @property
    def sees_rows(self) -> bool:
        """Whether any single report may be seen."""
        return not self.outside and self.units != ()
