"""Words and sentences of documents: they live in templates that a city can replace, never in the program."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from cloudmap.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudmap.city import City

_SHIPPED: Final = Path(__file__).parent / "templates"


class Wording:
    """The templates of one city in one language.

    Parameters
    ----------
    city : City
        Its folder "templates", where there is one, is looked into before the shipped ones.
    language : {"zh-Hans", "en"}
        Language file to read.

    Raises
    ------
    ConfigError
        The language file is not valid TOML.
    """

    def __init__(self, city: City, language: str) -> None:
        self._folders = [city.folder / "templates", _SHIPPED]
        loader = jinja2.FileSystemLoader(self._folders)
        self._html = ImmutableSandboxedEnvironment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        self._plain = ImmutableSandboxedEnvironment(autoescape=False, undefined=jinja2.StrictUndefined)
        for environment in (self._html, self._plain):
            environment.filters.update(n=number_text, p=probability_text)
        path = self.find(f"{language}.toml")
        try:
            self.texts: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid TOML: {error}") from error
        self._language_file = path

    def find(self, name: str) -> Path:
        """Return the city's own template of a name, or the shipped one."""
        return next(folder / name for folder in self._folders if (folder / name).is_file())

    def sentence(self, text: str, values: Mapping[str, Any]) -> str:
        """Fill one sentence in; plain text.

        Raises
        ------
        ConfigError
            The sentence asks for a value that there is not, or is not valid Jinja.
        """
        try:
            return self._plain.from_string(text).render(values).strip()
        except jinja2.TemplateError as error:
            raise ConfigError(f"{self._language_file}: {text[:60]!r}...: {error}") from error

    def sentences(self, name: str, values: Mapping[str, Any]) -> list[str]:
        """Fill a list of sentences in; those that come out empty are left out."""
        return [done for text in self.texts["sentences"][name] if (done := self.sentence(text, values))]

    def page(self, name: str, values: Mapping[str, Any]) -> str:
        """Render a page; every value is escaped.

        Raises
        ------
        ConfigError
            The template asks for a value that there is not, or is not valid Jinja.
        """
        try:
            return self._html.get_template(name).render(values)
        except jinja2.TemplateError as error:
            raise ConfigError(f"{self.find(name)}: {type(error).__name__}: {error}") from error

    def digest(self, *names: str) -> str:
        """Hash the templates in use, 16 hexadecimal digits, so that a document tells whose words it speaks."""
        total = hashlib.sha256(self._language_file.read_bytes())
        for name in names:
            total.update(self.find(name).read_bytes())
        return total.hexdigest()[:16]


def number_text(value: float | None) -> str:
    """Write a whole number with thousands separators; nothing for a missing one."""
    return "" if value is None else f"{value:,.0f}"


def probability_text(value: float | None) -> str:
    """Write a p or q: four decimals, and "< 0.0001" below that."""
    if value is None:
        return ""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
