"""The door: a name and a password, or a wall's token, become a session, or an attempt that is counted and recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert

from cloudmap.access.account_tables import attempts
from cloudmap.access.accounts import Accounts, folded
from cloudmap.access.audit import record
from cloudmap.access.roles import WALL
from cloudmap.access.sessions import Sessions

LIMITS: Final = {"account": 5, "address": 20}
"""Attempts that fail, one after the other, until a name or an address is locked; many share an office's address."""
LOCK_S: Final = 15 * 60
"""Seconds for which it stays locked, and after which earlier attempts are forgotten."""

Reason = Literal["", "wrong", "locked"]


@dataclass(frozen=True, slots=True)
class Entry:
    """How an attempt ended: the session's secret, or why there is none."""

    secret: str | None
    reason: Reason = ""


class Entrance:
    """Lets people and walls in.

    Parameters
    ----------
    accounts : Accounts
        Whose; each attempt is written to its city's audit log.
    """

    def __init__(self, accounts: Accounts) -> None:
        self.accounts, self.sessions = accounts, Sessions(accounts)
        self.city, self.file, self.clock = accounts.city, accounts.file, accounts.clock

    def sign_in(self, name: str, password: str, *, address: str) -> Entry:
        """Let somebody in by name and password.

        Parameters
        ----------
        name, password : str
            As typed.
        address : str
            Where the request comes from.

        Raises
        ------
        AccessError
            The audit log cannot be written: then nobody gets in.
        """
        name = folded(name)
        return self._begin(*self._prove(address, name, lambda: self._user(name, password)))

    def show_token(self, token: str, *, address: str) -> Entry:
        """Let a wall in by its token.

        Raises
        ------
        AccessError
            The audit log cannot be written: then nobody gets in.
        """
        return self._begin(*self._prove(address, None, lambda: self._wall(token)))

    def change_password(self, name: str, current: str, new: str, *, address: str) -> Entry:
        """Give somebody who proves the current password a new one; every session ends but the one that is returned.

        Raises
        ------
        AccessError
            The new password is weak, or the audit log cannot be written.
        """
        name = folded(name)
        self.accounts.check_password(name, new)
        found, reason = self._prove(address, name, lambda: self._user(name, current), action="password")
        if found is not None:
            self.accounts.set_password(name, new)
        return self._begin(found, reason)

    def sign_out(self, secret: str, name: str) -> None:
        """End a session, and record it."""
        record(self.city, "sign-out", by=name)
        self.sessions.end(secret)

    def _begin(self, found: tuple[str, str] | None, reason: Reason) -> Entry:
        return Entry(None, reason) if found is None else Entry(self.sessions.start(*found))

    def _user(self, name: str, password: str) -> tuple[str, str] | None:
        account = self.accounts.proves(name, password)
        return ("user", account.name) if account else None

    def _wall(self, token: str) -> tuple[str, str] | None:
        name = self.accounts.token_name(token)
        return (WALL, name) if name else None

    def _prove(
        self, address: str, name: str | None, prove: Callable[[], tuple[str, str] | None], *, action: str = "sign-in"
    ) -> tuple[tuple[str, str] | None, Reason]:
        """Count an attempt, let it prove itself, and record how it ended: kind and name of the holder, or the reason why not."""
        counted = [("address", address)] + ([("account", name)] if name is not None else [])
        # Counted before it is proven: attempts at the same moment cannot all slip under the limit.
        last = self._count(counted)
        if last is None:
            return None, "locked"
        found = prove()
        if found is None:
            # A name that nobody has may be a password in the wrong field: it is not written down.
            known = next((one.name for one in self.accounts.people() if one.name == name), "")
            record(self.city, f"{action} failed", by=known, address=address)
            for kind, _ in last:
                record(self.city, "locked", by=known, what=kind, address=address, seconds=LOCK_S)
            return None, "locked" if last else "wrong"
        record(self.city, action, by=found[1], kind=found[0], address=address)
        self._forgive(counted)
        return found, ""

    def _count(self, keys: list[tuple[str, str]]) -> list[tuple[str, str]] | None:
        """Count an attempt against each key; return those that it locks unless it is right, or None where one is locked already."""
        now = self.clock()
        with self.file.writing() as transaction:
            transaction.execute(delete(attempts).where(attempts.c.locked_until <= now, attempts.c.first_at < now - LOCK_S))
            same = select(attempts).where(attempts.c.key.in_([key for _, key in keys]))
            stand = {(row.kind, row.key): row for row in transaction.execute(same)}
            if any(one in stand and stand[one].locked_until > now for one in keys):
                return None
            last = []
            for kind, key in keys:
                row = stand.get((kind, key))
                tried_n, first_at = (row.tried_n + 1, row.first_at) if row else (1, now)
                locks = tried_n >= LIMITS[kind]
                values = {"tried_n": tried_n, "first_at": first_at, "locked_until": now + LOCK_S if locks else 0.0}
                put = insert(attempts).values(kind=kind, key=key, **values)
                transaction.execute(put.on_conflict_do_update(index_elements=["kind", "key"], set_=values))
                last += [(kind, key)] if locks else []
        return last

    def _forgive(self, keys: list[tuple[str, str]]) -> None:
        """Forget an account's attempts after a right one; of the address only this one, or one's own account would reset the count."""
        with self.file.writing() as transaction:
            for kind, key in keys:
                here = (attempts.c.kind == kind, attempts.c.key == key)
                if kind == "account":
                    transaction.execute(delete(attempts).where(*here))
                else:
                    transaction.execute(update(attempts).where(*here).values(tried_n=attempts.c.tried_n - 1, locked_until=0.0))
