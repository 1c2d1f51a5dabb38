"""What each role may do, and who is looking right now.

    role           counts  single reports     quarantined records  take out  audit log
    official       yes     of its own units   no                   yes       no
    planner        yes     no                 no                   yes       no
    analyst        yes     yes, or own units  yes                  yes       no
    auditor        yes     no                 no                   no        yes
    administrator  yes     no                 yes                  no        no
    wall           yes     no                 no                   no        no

Counts are those of the whole city: an official compares the own street with the others, and ordinary counts are no secret inside.
Accounts are made on the command line by whoever owns the folder, so that no role of the page can give rights. ``local`` is whoever
sits at a machine whose city has no accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from cloudmap.access.audience import Audience
from cloudmap.city import nearest
from cloudmap.errors import AccessError

Role = Literal["official", "planner", "analyst", "auditor", "administrator"]
Right = Literal["see", "rows", "records", "take", "audit"]
"""see: counts and pages; rows: single reports; records: quarantined ones; take: files for elsewhere; audit: the audit log."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)
WALL: Final = "wall"
LOCAL: Final = "local"

RIGHTS: Final[Mapping[str, frozenset[Right]]] = {
    "official": frozenset({"see", "rows", "take"}),
    "planner": frozenset({"see", "take"}),
    "analyst": frozenset({"see", "rows", "records", "take"}),
    "auditor": frozenset({"see", "audit"}),
    "administrator": frozenset({"see", "records"}),
    WALL: frozenset({"see"}),
    LOCAL: frozenset({"see", "rows", "records", "take", "audit"}),
}

_BOUND: Final = ("official", "analyst")
"""Roles that can be bound to units."""
_GRANTED: Final = ("official", "planner", "analyst")
"""Roles that can hold the restricted grant: who watches or runs the machine does not handle cases."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Somebody who is signed in.

    Attributes
    ----------
    name : str
        The account's name, or the wall's.
    role : str
        One of `ROLES`, "wall" or "local".
    units : tuple of str
        Codes of the units that it is bound to; empty: to none.
    restricted : bool
        Whether it holds the grant for restricted categories.
    """

    name: str
    role: str
    units: tuple[str, ...] = ()
    restricted: bool = False

    def may(self, right: Right) -> bool:
        """Tell whether this viewer's role has a right."""
        return right in RIGHTS.get(self.role, frozenset())

    @property
    def audience(self) -> Audience:
        """The audience that numbers are read for."""
        if not self.may("rows"):
            units: tuple[str, ...] | None = ()
        else:
            units = self.units or None
        return Audience(restricted=self.restricted, units=units, records=self.may("records"))


LOCAL_VIEWER: Final = Viewer(name="", role=LOCAL)


def check_role(role: str, *, units: tuple[str, ...], restricted: bool) -> None:
    """Refuse a combination of role, units and grant that makes no sense.

    Parameters
    ----------
    role : str
        Want one of `ROLES`.
    units : tuple of str
        Codes of units.
    restricted : bool
        The grant.

    Raises
    ------
    AccessError
        An unknown role; an official without units; units or the grant for a role that takes none.
    """
    if role not in ROLES:
        raise AccessError(f"role {role!r} is unknown{nearest(role, ROLES)}")
    if role == "official" and not units:
        raise AccessError("role official: whose reports? Name the units with --units CODE[,CODE]; the district's own code stands for all")
    if units and role not in _BOUND:
        raise AccessError(f"role {role} sees no single reports, so --units says nothing; leave it out (for {' and '.join(_BOUND)} only)")
    if restricted and role not in _GRANTED:
        raise AccessError(f"role {role} handles no cases and cannot hold the restricted grant; leave --restricted out")
