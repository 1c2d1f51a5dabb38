"""Lines of a city file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_BARE: re.Pattern[str] = re.compile(r"[A-Za-z0-9_-]+")


def quoted(value: str) -> str:
    """Return a TOML string.

    Parameters
    ----------
    value : str

    Raises
    ------
    Nothing.
    """
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def comment(text: str) -> str:
    """Return one comment line, whatever the text holds.

    Parameters
    ----------
    text : str

    Raises
    ------
    Nothing.
    """
    return "# " + re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()


def setting(key: str, value: str | list[str], why: str = "") -> str:
    """Return a key with its value, and its evidence as a comment.

    Parameters
    ----------
    key : str
    value : str or list of str
    why : str, default ""

    Raises
    ------
    Nothing.
    """
    shown = quoted(value) if isinstance(value, str) else "[" + ", ".join(quoted(one) for one in value) + "]"
    line = f"{_key(key)} = {shown}"
    return f"{line:<44}  {comment(why)}" if why else line


def table(key: str, values: Mapping[str, str]) -> str:
    """Return an inline table.

    Parameters
    ----------
    key : str
    values : mapping of str to str

    Raises
    ------
    Nothing.
    """
    return f"{_key(key)} = {{ " + ", ".join(f"{_key(name)} = {quoted(value)}" for name, value in values.items()) + " }"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else quoted(key)
