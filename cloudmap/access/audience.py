"""Who is looking: inside the administration or outside, with or without the grant for restricted categories."""

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

    Raises
    ------
    AccessError
        The kind is not known, or an outside audience is given the restricted grant.
    """

    kind: Kind = "internal"
    restricted: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise AccessError(f"audience {self.kind!r}: want one of {', '.join(get_args(Kind))}")
        if self.kind == "outside" and self.restricted:
            raise AccessError("what goes outside cannot hold restricted categories exactly: drop either --outside or --restricted")

    @property
    def outside(self) -> bool:
        """Whether this is for anybody."""
        return self.kind == "outside"
