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
    from collections.abc import Mapping, Sequence

    from cloudmap.city import City

_SHIPPED: Final = Path(__file__).parent / "templates"


class Wording:
    """The templates of one city in one language.

    Parameters
    ----------
    city : City
        Its folder of templates, where there is one, is looked into before the shipped ones.
    language : {"zh-Hans", "zh-Hant", "en"}
        Language file to read.
    folder : Path, optional
        Folder of templates in place of the city's.

    Raises
    ------
    ConfigError
        The language file is not valid TOML, or there is no such folder.
    """

    def __init__(self, city: City, language: str, folder: Path | None = None) -> None:
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"templates {folder}: there is no such folder; make it, and put in what replaces the shipped templates")
        self._folders = [folder or city.path(city.briefing.templates), _SHIPPED]
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
        """Return the city's own template of a name ("hotspots.html") or of any briefing ("briefing.html"), or the shipped one."""
        common = f"briefing{Path(name).suffix}"
        wanted = [folder / one for folder in self._folders for one in (name, common)]
        return next(path for path in wanted if path.is_file())

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

    def filled(self, texts: Sequence[str], values: Mapping[str, Any]) -> list[str]:
        """Fill sentences in; those that come out empty are left out."""
        return [done for text in texts if (done := self.sentence(text, values))]

    def page(self, name: str, values: Mapping[str, Any]) -> str:
        """Render a page; every value is escaped.

        Raises
        ------
        ConfigError
            The template asks for a value that there is not, or is not valid Jinja.
        """
        try:
            return self._html.get_template(self.find(name).name).render(values)
        except jinja2.TemplateError as error:
            raise ConfigError(f"{self.find(name)}: {type(error).__name__}: {error}") from error

    def digest(self, *names: str) -> str:
        """Hash the templates in use, SHA-256, so that a document tells whose words it speaks."""
        total = hashlib.sha256(self._language_file.read_bytes())
        for name in names:
            total.update(self.find(name).read_bytes())
        return total.hexdigest()


def number_text(value: float | None) -> str:
    """Write a whole number with thousands separators; nothing for a missing one."""
    return "" if value is None else f"{value:,.0f}"


def probability_text(value: float | None) -> str:
    """Write a p or q: four decimals, and "< 0.0001" below that."""
    if value is None:
        return ""
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
