"""Sentences whose numbers remember which row of a table they come from, so that a page can link every one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from cloudmap.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a sentence.

    Attributes
    ----------
    start, end : int
        Where it stands: ``text[start:end]``.
    place, component : str or None
        The row of the table that it comes from; None where it counts rows, or comes from the result's parameters.
    column : str
        The column of that row; "rows" for a count of rows (`Number.component` may tell of which), "parameters.NAME" for a parameter.
    """

    start: int
    end: int
    place: str | None
    component: str | None
    column: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a brief.

    Attributes
    ----------
    key : str
        What it is about.
    text : str
    rows : tuple of (place, component)
        Rows of the table that it speaks of.
    numbers : tuple of Number
        Every number in the text, in order.
    """

    key: str
    text: str
    rows: tuple[tuple[str, str], ...]
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A number to be: its text, and where it comes from, as in `Number`."""

    text: str
    place: str | None
    component: str | None
    column: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A mark that a sentence speaks of rows without quoting a number of each."""

    rows: tuple[tuple[str, str], ...]


Tokens = list[str | Cell | Rows]


def filled(template: str, values: Mapping[str, str | Tokens], *, where: str) -> Tokens:
    """Fill a sentence in, keeping apart what is a number.

    Parameters
    ----------
    template : str
        ``{name}`` stands for a value.
    values : mapping of str to str or tokens
    where : str
        What an error calls the template.

    Raises
    ------
    ConfigError
        The template asks for a value that there is not.
    """
    tokens: Tokens = []
    for fixed, name, _, _ in Formatter().parse(template):
        if fixed:
            tokens.append(fixed)
        if name is None:
            continue
        if name not in values:
            raise ConfigError(f"{where}: no value {name!r}; there are {', '.join(values) or 'none'}")
        given = values[name]
        tokens.extend([given] if isinstance(given, str) else given)
    return tokens


def joined(parts: Sequence[Tokens], mark: str) -> Tokens:
    """Join clauses by a mark."""
    whole: Tokens = []
    for at, part in enumerate(parts):
        whole += [mark, *part] if at else part
    return whole


def sentence(key: str, tokens: Tokens, *, end: str) -> Sentence:
    """Write tokens out, and note where each number stands."""
    text = ""
    numbers: list[Number] = []
    rows: list[tuple[str, str]] = []
    for token in [*tokens, end]:
        if isinstance(token, Rows):
            rows += token.rows
        elif isinstance(token, Cell):
            numbers.append(Number(len(text), len(text) + len(token.text), token.place, token.component, token.column))
            if token.place is not None and token.component is not None:
                rows.append((token.place, token.component))
            text += token.text
        else:
            text += token
    return Sentence(key, text, tuple(dict.fromkeys(rows)), tuple(numbers))
