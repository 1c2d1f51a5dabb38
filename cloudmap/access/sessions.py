"""Sessions: kept on the server, so that signing out, a new password or a disabled account ends them at once."""

from __future__ import annotations

import secrets
from typing import Final

from sqlalchemy import delete, insert, or_, select, update

from cloudmap.access.account_tables import sessions, tokens, users
from cloudmap.access.accounts import Accounts, digest
from cloudmap.access.roles import WALL, Viewer

IDLE_S: Final = 30 * 60
TOTAL_S: Final = 12 * 3600
"""Seconds until a person's session ends: without a request, and at all events."""
WALL_S: Final = 400 * 86400
"""A wall stays signed in until its token is revoked; browsers keep no cookie longer than this."""
_NOTE_S: Final = 30
"""A request within these seconds of the last noted one is not noted again: each note is a write."""


class Sessions:
    """The sessions of a city's accounts.

    Parameters
    ----------
    accounts : Accounts
    """

    def __init__(self, accounts: Accounts) -> None:
        self.file, self.clock = accounts.file, accounts.clock

    def start(self, kind: str, holder: str) -> str:
        """Begin a session and return its secret, which only the browser holds; sessions that have run out are swept.

        Parameters
        ----------
        kind : {"user", "wall"}
            What the holder is.
        holder : str
            Name of the account or the token.
        """
        secret, now = secrets.token_urlsafe(32), self.clock()
        row = {"digest": digest(secret), "kind": kind, "holder": holder, "started_at": now, "seen_at": now}
        over = or_(sessions.c.started_at < now - TOTAL_S, sessions.c.seen_at < now - IDLE_S)
        with self.file.writing() as transaction:
            transaction.execute(delete(sessions).where(sessions.c.kind == "user", over))
            transaction.execute(delete(sessions).where(sessions.c.started_at < now - WALL_S))
            transaction.execute(insert(sessions), [row])
        return secret

    def viewer(self, secret: str) -> Viewer | None:
        """Return who holds a session, as the account stands now; None where it has ended."""
        now = self.clock()
        with self.file.reading() as transaction:
            row = transaction.execute(select(sessions).where(sessions.c.digest == digest(secret))).first()
            if row is None:
                return None
            if row.kind == WALL:
                valid = select(tokens.c.name).where(tokens.c.name == row.holder, tokens.c.revoked_at.is_(None))
                found = Viewer(row.holder, WALL) if transaction.scalar(valid) else None
                idle_s = total_s = float(WALL_S)
            else:
                account = transaction.execute(select(users).where(users.c.name == row.holder, users.c.disabled_at.is_(None))).first()
                found = Viewer(account.name, account.role, tuple(account.units), account.restricted) if account else None
                idle_s, total_s = float(IDLE_S), float(TOTAL_S)
        if found is None or now - row.started_at > total_s or now - row.seen_at > idle_s:
            self.end(secret)
            return None
        if now - row.seen_at > _NOTE_S:
            with self.file.writing() as transaction:
                transaction.execute(update(sessions).where(sessions.c.digest == row.digest).values(seen_at=now))
        return found

    def end(self, secret: str) -> None:
        """End a session."""
        with self.file.writing() as transaction:
            transaction.execute(delete(sessions).where(sessions.c.digest == digest(secret)))
