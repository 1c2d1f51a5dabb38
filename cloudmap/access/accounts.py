"""Accounts of people, and tokens of walls: who may sign in to a city's pages, and as what."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloudmap.access import passwords
from cloudmap.access.account_tables import NAME, AccountFile, secrets_table, sessions, tokens, users
from cloudmap.access.roles import WALL, Viewer, check_role
from cloudmap.city import City, nearest
from cloudmap.errors import AccessError

_NAME: Final = re.compile(r"[\w][\w.@-]{1,63}")
TOKEN_MARK: Final = "cmw_"  # noqa: S105  (the mark that every token begins with, no token)


@dataclass(frozen=True, slots=True)
class Account:
    """One account; ``disabled_at`` is None while it may sign in."""

    name: str
    role: str
    units: tuple[str, ...]
    restricted: bool
    created_at: datetime
    password_at: datetime
    disabled_at: datetime | None

    @property
    def viewer(self) -> Viewer:
        """Who it is on a page."""
        return Viewer(self.name, self.role, self.units, self.restricted)

    def as_dict(self) -> dict[str, Any]:
        """Return what `cloudmap user list --json` prints."""
        told = {"name": self.name, "role": self.role, "units": list(self.units), "restricted": self.restricted}
        times = {"created_at": self.created_at, "password_at": self.password_at, "disabled_at": self.disabled_at}
        return told | {name: at.isoformat(timespec="seconds") if at else None for name, at in times.items()}


@dataclass(frozen=True, slots=True)
class Token:
    """A wall's token; only its digest is kept."""

    name: str
    created_at: datetime
    revoked_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """Return what `cloudmap user list --json` prints."""
        times = {"created_at": self.created_at, "revoked_at": self.revoked_at}
        return {"name": self.name} | {name: at.isoformat(timespec="seconds") if at else None for name, at in times.items()}


class Accounts:
    """The accounts of a city.

    Parameters
    ----------
    city : City
        Accounts lie in its folder.
    clock : callable
        Seconds since 1970; tests move it.

    Raises
    ------
    AccessError
        The file cannot be used; the message tells why.
    """

    def __init__(self, city: City, *, clock: Callable[[], float] = time.time) -> None:
        self.city, self.clock = city, clock
        self.file = AccountFile(city.folder / NAME)

    @property
    def secret(self) -> str:
        """The key that cookies are signed with; made on first use."""
        with self.file.writing() as transaction:
            kept = transaction.scalar(select(secrets_table.c.value).where(secrets_table.c.name == "cookies"))
            if kept is None:
                kept = secrets.token_hex(32)
                transaction.execute(insert(secrets_table), [{"name": "cookies", "value": kept}])
        return str(kept)

    # People

    def add(self, name: str, *, role: str, password: str, units: Sequence[str] = (), restricted: bool = False) -> Account:
        """Make an account.

        Parameters
        ----------
        name : str
            2 to 64 letters (of any script), digits, dots, hyphens; upper and lower case are one.
        role : str
            One of `roles.ROLES`.
        password : str
            As chosen; refused where it is weak.
        units : sequence of str
            Codes of the units it is bound to.
        restricted : bool
            The grant for restricted categories.

        Raises
        ------
        AccessError
            A name that exists or cannot be, a weak password, or units or the grant that the role does not take.
        """
        name, units = checked_name(name), tuple(sorted(set(units)))
        check_role(role, units=units, restricted=restricted)
        self.check_password(name, password)
        now = self.clock()
        row = {"name": name, "role": role, "units": list(units), "restricted": restricted, "created_at": now, "password_at": now}
        try:
            with self.file.writing() as transaction:
                transaction.execute(insert(users), [row | {"password_hash": passwords.hash_password(password), "disabled_at": None}])
        except IntegrityError as error:
            raise AccessError(f"account {name!r} exists already; `cloudmap user passwd` or `user change` alters it") from error
        return self.get(name)

    def people(self) -> list[Account]:
        """List all accounts by name, disabled ones too."""
        with self.file.reading() as transaction:
            return [_account(row) for row in transaction.execute(select(users).order_by(users.c.name))]

    def get(self, name: str) -> Account:
        """Return an account.

        Raises
        ------
        AccessError
            There is none of this name; the nearest is named.
        """
        with self.file.reading() as transaction:
            row = transaction.execute(select(users).where(users.c.name == folded(name))).first()
        if row is None:
            known = [one.name for one in self.people()]
            raise AccessError(f"account {name!r} does not exist{nearest(name, known) if known else '; there are none yet'}")
        return _account(row)

    def change(self, name: str, *, role: str | None = None, units: Sequence[str] | None = None, restricted: bool | None = None) -> Account:
        """Change an account's role, units or grant; it holds from its next request on.

        Raises
        ------
        AccessError
            No such account, or a combination that makes no sense.
        """
        old = self.get(name)
        role, restricted = role or old.role, old.restricted if restricted is None else restricted
        bound = old.units if units is None else tuple(sorted(set(units)))
        check_role(role, units=bound, restricted=restricted)
        self._write(old.name, role=role, units=list(bound), restricted=restricted)
        return self.get(old.name)

    def set_password(self, name: str, password: str) -> None:
        """Give an account a new password and end its sessions.

        Raises
        ------
        AccessError
            No such account, or a weak password.
        """
        account = self.get(name)
        self.check_password(account.name, password)
        self._write(account.name, password_hash=passwords.hash_password(password), password_at=self.clock())
        self._end_sessions("user", account.name)

    def disable(self, name: str) -> None:
        """Shut an account and end its sessions.

        Raises
        ------
        AccessError
            No such account.
        """
        account = self.get(name)
        self._write(account.name, disabled_at=self.clock())
        self._end_sessions("user", account.name)

    def enable(self, name: str) -> None:
        """Open an account that was shut.

        Raises
        ------
        AccessError
            No such account.
        """
        self._write(self.get(name).name, disabled_at=None)

    def proves(self, name: str, password: str) -> Account | None:
        """Return the account that a name and a password open, or None; a name that nobody has takes as long."""
        with self.file.reading() as transaction:
            row = transaction.execute(select(users).where(users.c.name == folded(name), users.c.disabled_at.is_(None))).first()
        if not passwords.matches(row.password_hash if row else None, password) or row is None:
            return None
        if passwords.outdated(row.password_hash):
            self._write(row.name, password_hash=passwords.hash_password(password))
        return _account(row)

    def check_password(self, name: str, password: str) -> None:
        """Refuse a weak password.

        Raises
        ------
        AccessError
            It is refused; the message tells why.
        """
        city = self.city.city
        passwords.check_strength(password, name=name, near=(city.name_zh, city.name_en, city.code))

    def _write(self, name: str, **values: Any) -> None:
        with self.file.writing() as transaction:
            transaction.execute(update(users).where(users.c.name == name).values(**values))

    def _end_sessions(self, kind: str, holder: str) -> None:
        with self.file.writing() as transaction:
            transaction.execute(delete(sessions).where(sessions.c.kind == kind, sessions.c.holder == holder))

    # Walls

    def add_token(self, name: str) -> str:
        """Make a view-only token for a wall and return it; it is shown this once, only its digest is kept.

        Raises
        ------
        AccessError
            A name that exists or cannot be.
        """
        name, token = checked_name(name), TOKEN_MARK + secrets.token_urlsafe(32)
        row = {"name": name, "digest": digest(token), "created_at": self.clock(), "revoked_at": None}
        try:
            with self.file.writing() as transaction:
                transaction.execute(insert(tokens), [row])
        except IntegrityError as error:
            raise AccessError(f"token {name!r} exists already; revoke it, and choose another name") from error
        return token

    def tokens(self) -> list[Token]:
        """List all tokens by name, revoked ones too."""
        with self.file.reading() as transaction:
            rows = transaction.execute(select(tokens).order_by(tokens.c.name)).all()
        return [Token(row.name, _at(row.created_at), _at(row.revoked_at) if row.revoked_at else None) for row in rows]

    def revoke_token(self, name: str) -> None:
        """Shut a wall's token and the pages that it opened.

        Raises
        ------
        AccessError
            No such token.
        """
        known = [one.name for one in self.tokens()]
        if folded(name) not in known:
            raise AccessError(f"token {name!r} does not exist{nearest(name, known) if known else '; there are none yet'}")
        with self.file.writing() as transaction:
            transaction.execute(update(tokens).where(tokens.c.name == folded(name)).values(revoked_at=self.clock()))
        self._end_sessions(WALL, folded(name))

    def token_name(self, token: str) -> str | None:
        """Return the name of a token that is not revoked, or None."""
        with self.file.reading() as transaction:
            found = select(tokens.c.name).where(tokens.c.digest == digest(token.strip()), tokens.c.revoked_at.is_(None))
            return transaction.scalar(found)


def have_accounts(city: City) -> bool:
    """Tell whether a city has accounts: also when all are disabled, so that shutting the last one opens no door.

    Raises
    ------
    AccessError
        There is a file of accounts that cannot be read: then nobody knows, and nothing may be served.
    """
    return (city.folder / NAME).exists() and bool(Accounts(city).people())


def folded(name: str) -> str:
    """Give a name the form that it is kept in: composed, without case or blanks around it, 64 characters at most."""
    return unicodedata.normalize("NFKC", name).strip().casefold()[:64]


def checked_name(name: str) -> str:
    """Return a name in the form that it is kept in.

    Raises
    ------
    AccessError
        It holds something else than letters, digits, dots, hyphens, underscores and @.
    """
    given = unicodedata.normalize("NFKC", name).strip().casefold()
    if not _NAME.fullmatch(given):
        raise AccessError(f"name {name!r}: want 2 to 64 letters (of any script), digits, dots, hyphens, underscores or @")
    return given


def digest(secret: str) -> str:
    """Return what is kept of a secret that is too long to be guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _account(row: Row[Any]) -> Account:
    return Account(
        name=row.name,
        role=row.role,
        units=tuple(row.units),
        restricted=row.restricted,
        created_at=_at(row.created_at),
        password_at=_at(row.password_at),
        disabled_at=_at(row.disabled_at) if row.disabled_at else None,
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
