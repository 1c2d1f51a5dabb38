"""`cloudmap user …`: accounts of people, tokens of walls, and the audit log. Passwords are typed or piped, never arguments."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cloudmap.access.audit import newest, record, verify
from cloudmap.access.roles import ROLES
from cloudmap.city import City, nearest, open_city
from cloudmap.errors import AccessError

if TYPE_CHECKING:
    from cloudmap.access.accounts import Accounts

user_app = typer.Typer(no_args_is_help=True, help="Who may sign in: accounts, wall tokens, the audit log.")
out = Console()

CityArgument = Annotated[Path, typer.Argument(help="folder of the city, or its city.toml", show_default=False)]
Name = Annotated[str, typer.Argument(help="name of the account", show_default=False)]
Units = Annotated[str | None, typer.Option(help="codes of units, parted by commas: whose single reports it sees")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="read the password from standard input, one line")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for scripts")]


class NoAccountsError(AccessError):
    """The city has no accounts yet."""


@user_app.command("add")
def add(
    city: CityArgument,
    name: Name,
    role: Annotated[str, typer.Option(help=", ".join(ROLES))],
    units: Units = None,
    restricted: Annotated[bool, typer.Option("--restricted", help="with the grant for restricted categories")] = False,
    password_stdin: Stdin = False,
    as_json: Json = False,
) -> None:
    """Make an account; the first one makes everybody sign in, on this machine too."""
    opened = open_city(city)
    codes = _units(opened, units) or ()
    password = _password(password_stdin)
    accounts = _accounts(opened, make=True)
    first = not accounts.people()
    account = accounts.add(name, role=role, password=password, units=codes, restricted=restricted)
    record(opened, "user add", account=account.name, role=role, units=list(codes), restricted=restricted)
    note = ". It is the first: start `cloudmap serve` anew, from then on everybody signs in" if first else ""
    _tell(account.as_dict(), f"{account.name}: account made, role {account.role}{note}", as_json)


@user_app.command("list")
def list_accounts(city: CityArgument, as_json: Json = False) -> None:
    """List accounts and wall tokens."""
    opened = open_city(city)
    try:
        accounts = _accounts(opened)
        people, walls = [one.as_dict() for one in accounts.people()], [one.as_dict() for one in accounts.tokens()]
    except NoAccountsError:
        people, walls = [], []
    if as_json:
        _print({"accounts": people, "tokens": walls})
        return
    table = Table("name", "role", "units", "restricted", "password of", "disabled")
    for one in people:
        units = ", ".join(one["units"]) or "-"
        table.add_row(one["name"], one["role"], units, "yes" if one["restricted"] else "-", one["password_at"], one["disabled_at"] or "-")
    for one in walls:
        table.add_row(one["name"], "wall", "-", "-", "-", one["revoked_at"] or "-")
    out.print(table if people or walls else "no accounts yet: `cloudmap user add CITY NAME --role …` makes one")


@user_app.command("passwd")
def passwd(city: CityArgument, name: Name, password_stdin: Stdin = False, as_json: Json = False) -> None:
    """Give an account a new password and end its sessions."""
    opened = open_city(city)
    accounts = _accounts(opened)
    account = accounts.get(name)
    accounts.set_password(account.name, _password(password_stdin))
    record(opened, "user passwd", account=account.name)
    _tell(accounts.get(name).as_dict(), f"{account.name}: new password, its sessions have ended", as_json)


@user_app.command("change")
def change(
    city: CityArgument,
    name: Name,
    role: Annotated[str | None, typer.Option(help=", ".join(ROLES))] = None,
    units: Units = None,
    restricted: Annotated[bool | None, typer.Option("--restricted/--no-restricted", help="the grant for restricted categories")] = None,
    as_json: Json = False,
) -> None:
    """Change role, units or grant; it holds from the account's next request on."""
    opened = open_city(city)
    account = _accounts(opened).change(name, role=role, units=_units(opened, units), restricted=restricted)
    told = account.as_dict()
    record(opened, "user change", account=account.name, role=account.role, units=told["units"], restricted=account.restricted)
    _tell(told, f"{account.name}: role {account.role}, units {', '.join(account.units) or 'none named'}", as_json)


@user_app.command("disable")
def disable(city: CityArgument, name: Name, as_json: Json = False) -> None:
    """Shut an account and end its sessions at once."""
    opened = open_city(city)
    accounts = _accounts(opened)
    accounts.disable(name)
    record(opened, "user disable", account=accounts.get(name).name)
    _tell(accounts.get(name).as_dict(), f"{name}: disabled, its sessions have ended", as_json)


@user_app.command("enable")
def enable(city: CityArgument, name: Name, as_json: Json = False) -> None:
    """Open an account that was shut."""
    opened = open_city(city)
    accounts = _accounts(opened)
    accounts.enable(name)
    record(opened, "user enable", account=accounts.get(name).name)
    _tell(accounts.get(name).as_dict(), f"{name}: may sign in again", as_json)


@user_app.command("token")
def token(
    city: CityArgument,
    name: Annotated[str, typer.Argument(help="name of the wall", show_default=False)],
    revoke: Annotated[bool, typer.Option("--revoke", help="shut the token and the pages that it opened")] = False,
    as_json: Json = False,
) -> None:
    """Make a view-only token for a wall (no single reports, no exports), or revoke it."""
    opened = open_city(city)
    if revoke:
        _accounts(opened).revoke_token(name)
        record(opened, "user token revoke", token=name)
        _tell({"name": name, "revoked": True}, f"{name}: revoked, its pages have ended", as_json)
        return
    made = _accounts(opened).add_token(name)
    record(opened, "user token", token=name)
    if as_json:
        _print({"name": name, "token": made})
        return
    out.print(f"{name}: enter this on the wall's sign-in page under 大屏 / Wall screen; it is shown this once")
    sys.stdout.write(made + "\n")


@user_app.command("log")
def log(city: CityArgument, limit: Annotated[int, typer.Option(min=0, help="newest lines to print")] = 20, as_json: Json = False) -> None:
    """Check that the audit log is whole, and print its newest lines."""
    opened = open_city(city)
    chain, entries = verify(opened), newest(opened, limit) if limit else []
    if as_json:
        _print({"whole": bool(chain), "lines": chain.lines_n, "broken_at": chain.broken_at, "reason": chain.reason, "newest": entries})
    else:
        for one in reversed(entries):
            told = [str(one.get(name, "")) for name in ("at", "user", "action")] + [json.dumps(one.get("details", {}), ensure_ascii=False)]
            out.print(" ".join(told), markup=False, highlight=False, soft_wrap=True)
        out.print(f"audit log: {chain.lines_n} lines, whole" if chain else f"audit log: broken at line {chain.broken_at}: {chain.reason}")
    if not chain:
        raise typer.Exit(AccessError.exit_code)


def _accounts(city: City, *, make: bool = False) -> Accounts:
    from cloudmap.access.accounts import Accounts, have_accounts

    if not make and not have_accounts(city):
        raise NoAccountsError(f"{city.folder}: no accounts yet; `cloudmap user add {city.folder} NAME --role …` makes one")
    return Accounts(city)


def _units(city: City, given: str | None) -> tuple[str, ...] | None:
    """Read codes of units, and refuse those that the base map does not have: a slip would show nothing, or another's reports."""
    if given is None:
        return None
    codes = tuple(one.strip() for one in given.split(",") if one.strip())
    if codes:
        from cloudmap.geo.boundaries import read_units

        base_map = read_units(city)
        known = {str(code) for level in base_map.levels for code in base_map.frame(level)["code"]}
        unknown = [code for code in codes if code not in known]
        if unknown:
            few = f"{nearest(unknown[0], known)}" if len(known) < 40 else "; `cloudmap export CITY units -o units.csv` lists them"
            raise AccessError(f"--units {', '.join(unknown)}: not in the base map{few}")
    return codes


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise AccessError("no terminal to type a password at; pipe it in and say --password-stdin")
    typed: str = typer.prompt("password", hide_input=True, confirmation_prompt=True)
    return typed


def _tell(told: dict[str, Any], sentence: str, as_json: bool) -> None:
    if as_json:
        _print(told)
    else:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _print(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
