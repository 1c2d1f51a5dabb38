"""A city is one TOML file: where its files lie and what their fields mean."""

from __future__ import annotations

import difflib
import os
import secrets
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from cloudmap.errors import ConfigError
from cloudmap.schema import STAGES, STATES, Level

FieldName = str | list[str]
"""One source column, or several that are joined (dates and times by a blank, categories by ' > ')."""

REPORT_FIELDS = (
    "id", "category", "occurred_at", "reported_at", "closed_at", "due_at", "state", "lon", "lat",
    "unit_code", "reporter_id", "reporter_kind", "text", "address", "tier",
)  # fmt: skip


EVENT_FIELDS = ("report_id", "stage", "state", "at", "tier")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CitySection(_Section):
    """Names, zone and grids."""

    name_zh: str
    name_en: str
    code: str
    timezone: str = "Asia/Shanghai"
    metric_crs: str = "EPSG:4549"
    resolutions: tuple[int, ...] = (8, 9, 10)
    default_resolution: int = 9
    tolerance_m: float = Field(default=200.0, ge=0)
    schematic: bool = False

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"unknown time zone {value!r}; use a name such as Asia/Shanghai")
        return value

    @model_validator(mode="after")
    def _default_among_resolutions(self) -> CitySection:
        if self.default_resolution not in self.resolutions:
            raise ValueError(f"default_resolution {self.default_resolution} is not in resolutions {list(self.resolutions)}")
        return self


class StoreSection(_Section):
    """Where facts rest."""

    url: str = "store"


class CalendarSection(_Section):
    """Working days and hours."""

    country: str = "CN"
    working_hours: tuple[str, ...] = ("08:30", "17:30")
    extra_holidays: tuple[date, ...] = ()
    extra_workdays: tuple[date, ...] = ()
    unknown_years: Literal["refuse", "weekends"] = "refuse"
    extension_share: float = Field(default=1.0, ge=0)
    expedited_share: float = Field(default=0.5, gt=0, le=1)


class PrivacySection(_Section):
    """Thresholds of disclosure."""

    k: int = Field(default=5, ge=2)
    k_restricted: int = Field(default=10, ge=2)
    salt_env: str = "CLOUDMAP_SALT"
    min_staff: int = Field(default=5, ge=2)


class TaxonomySection(_Section):
    """The table of categories; the national one that ships with cloudmap where no path is given."""

    path: Path | None = None
    severity_weights: tuple[float, float, float, float] = (1, 3, 10, 30)
    limits: dict[str, float] = Field(default_factory=dict)


class ExposureSection(_Section):
    """What rates and expected counts stand on."""

    kind: Literal["population", "reports", "none"] = "none"
    path: Path | None = None
    fields: dict[str, str] = Field(default_factory=dict)


class UnitFields(_Section):
    """Columns of a unit layer."""

    code: str
    name: str
    parent: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    staff: str | None = None
    volunteers: str | None = None
    population: str | None = None


class UnitLayer(_Section):
    """One layer of administrative polygons."""

    level: Level
    kind: Literal["partition", "overlay"] = "partition"
    path: Path
    layer: str | None = None
    crs: str | None = None
    encoding: str | None = None
    drawn_on: date | None = None
    fields: UnitFields


class WaterFields(_Section):
    """Columns of a water layer; all optional."""

    id: str | None = None
    name: str | None = None
    downstream: str | None = None


class WaterLayer(_Section):
    """One layer of the water base map."""

    kind: Literal["river", "canal", "lake", "wetland"]
    path: Path
    layer: str | None = None
    crs: str | None = None
    encoding: str | None = None
    fields: WaterFields = WaterFields()


class LandmarkFields(_Section):
    """Columns of a landmark layer; all optional."""

    id: str | None = None
    name: str | None = None


class LandmarkLayer(_Section):
    """Markets, schools and other places; optional."""

    kind: str
    path: Path
    layer: str | None = None
    crs: str | None = None
    encoding: str | None = None
    fields: LandmarkFields = LandmarkFields()


class Source(_Section):
    """One feed of reports.

    ``fields`` maps report fields (id, category, occurred_at, ...) to source columns; a list of columns is joined. ``categories`` is a
    table of raw label to taxonomy code, inline or as the path of a CSV with columns raw,code; ``category_code`` is for a source
    that holds one category only. ``crs`` is "gcj02", "bd09" or an EPSG code; absent, the datum is diagnosed from the points.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    name_zh: str
    name_en: str
    path: str
    format: Literal["csv", "tsv", "xlsx", "geojson", "parquet"] | None = None
    layer: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    crs: str | None = None
    crs_confirmed: bool = False
    timezone: str | None = None
    time_format: str | None = None
    reporter: Literal["staff", "resident", "mixed"] = "mixed"
    fields: dict[str, FieldName]
    category_code: str | None = None
    states: dict[str, str] = Field(default_factory=dict)
    categories: dict[str, str] | Path = Field(default_factory=dict)
    pile_up_share: float = Field(default=0.01, gt=0, le=1)
    pile_up_min: int = Field(default=50, ge=2)

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, value: dict[str, FieldName]) -> dict[str, FieldName]:
        for name in value:
            if name not in REPORT_FIELDS:
                raise ValueError(f"unknown field {name!r}{nearest(name, REPORT_FIELDS)}")
        if "occurred_at" not in value and "reported_at" not in value:
            raise ValueError("fields needs occurred_at or reported_at: a report without a time cannot be counted in any period")
        return value

    @field_validator("states")
    @classmethod
    def _known_states(cls, value: dict[str, str]) -> dict[str, str]:
        for raw, state in value.items():
            if state not in STATES:
                raise ValueError(f"state {raw!r} maps to unknown {state!r}{nearest(state, STATES)}")
        return value


class HandlingSource(_Section):
    """An event file of one of the two flows, or of the national standard's.

    ``fields`` maps report_id, stage, state, at and tier to columns; ``stages`` and ``states`` map the file's own words to
    `schema.STAGES` and `schema.STATES` where they are not among the words that are known anyway. The last stage of ``flow`` closes a
    case where the file says no state.
    """

    source: str
    path: str
    fields: dict[str, FieldName]
    flow: Literal["hall", "district", "standard"] = "district"
    format: Literal["csv", "tsv", "xlsx", "geojson", "parquet"] | None = None
    layer: str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    timezone: str | None = None
    time_format: str | None = None
    stages: dict[str, str] = Field(default_factory=dict)
    states: dict[str, str] = Field(default_factory=dict)

    @field_validator("fields")
    @classmethod
    def _needed_fields(cls, value: dict[str, FieldName]) -> dict[str, FieldName]:
        for name in value:
            if name not in EVENT_FIELDS:
                raise ValueError(f"unknown field {name!r}{nearest(name, EVENT_FIELDS)}")
        missing = [name for name in ("report_id", "at") if name not in value]
        if missing or not {"stage", "state"} & set(value):
            raise ValueError("fields needs report_id, at, and stage or state: an event is what happened to which report and when")
        return value

    @field_validator("stages", "states")
    @classmethod
    def _known_words(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        known: Iterable[str] = STAGES if info.field_name == "stages" else STATES
        for raw, word in value.items():
            if word not in known:
                raise ValueError(f"{raw!r} maps to unknown {word!r}{nearest(word, known)}")
        return value


class Milestone(_Section):
    """A dated change that breaks comparisons or sets a target."""

    date: date
    name: str
    kind: Literal["reporting_regime", "boundary", "campaign"]
    path: Path | None = None


class BriefingSection(_Section):
    """Documents: the city's own templates (files of the shipped ones' names stand for them), and its map review number."""

    templates: Path = Path("templates")
    review_number: str = ""


class BasemapSection(_Section):
    """What is drawn beneath the map: a PMTiles file of the city's own, or the tiles of 天地图 from the Internet; nothing by default.

    There is no address of tiles to set: Amap and Baidu draw GCJ-02 and BD-09, which lie some hundred metres beside this data.
    """

    file: Path | None = None
    attribution: str = Field(default="", max_length=200)
    tianditu_key: str = Field(default="", pattern=r"^([0-9A-Za-z]{16,64})?$")

    @model_validator(mode="after")
    def _one_of_both(self) -> BasemapSection:
        if self.file is not None and self.tianditu_key:
            raise ValueError(
                "file and tianditu_key exclude each other; keep file for a city without Internet, tianditu_key for online tiles"
            )
        return self


class City(_Section):
    """A validated city file.

    Parameters are the TOML tables. `folder` is where the file lies: relative paths start there.
    """

    folder: Path
    city: CitySection
    store: StoreSection = StoreSection()
    calendar: CalendarSection = CalendarSection()
    privacy: PrivacySection = PrivacySection()
    taxonomy: TaxonomySection = TaxonomySection()
    exposure: ExposureSection = ExposureSection()
    units: tuple[UnitLayer, ...] = ()
    water: tuple[WaterLayer, ...] = ()
    landmarks: tuple[LandmarkLayer, ...] = ()
    sources: tuple[Source, ...] = ()
    handling: tuple[HandlingSource, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    briefing: BriefingSection = BriefingSection()
    basemap: BasemapSection = BasemapSection()

    @model_validator(mode="after")
    def _distinct_sources(self) -> City:
        ids = [source.id for source in self.sources]
        repeated = sorted({one for one in ids if ids.count(one) > 1})
        if repeated:
            raise ValueError(f"source id(s) {', '.join(repeated)} used twice")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.city.timezone)

    def midnight(self, day: date) -> datetime:
        """Return the instant (UTC) at which a local day of the city begins."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Partition levels that the base map has, coarse to fine."""
        from cloudmap.schema import LEVELS

        present = {layer.level for layer in self.units if layer.kind == "partition"}
        return tuple(level for level in LEVELS if level in present)

    def path(self, relative: str | Path) -> Path:
        """Resolve a path of the city file against its folder."""
        return (self.folder / Path(relative).expanduser()).resolve()

    def source(self, source_id: str) -> Source:
        """Return the source with this id.

        Raises
        ------
        ConfigError
            There is none; the nearest id is named.
        """
        for source in self.sources:
            if source.id == source_id:
                return source
        raise ConfigError(f"no source {source_id!r} in {self.folder / 'city.toml'}{nearest(source_id, [s.id for s in self.sources])}")

    def source_files(self, source: Source | HandlingSource) -> list[Path]:
        """List the files that a source's path (a glob, relative to the city file) names, sorted by name."""
        pattern = Path(source.path).expanduser()
        if pattern.is_absolute():
            return sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
        base, parts = self.folder, list(pattern.parts)
        while parts and parts[0] == "..":
            base, parts = base.parent, parts[1:]
        return sorted(base.glob(str(Path(*parts)))) if parts else []

    @property
    def store_url(self) -> str:
        """The store's URL, or the absolute path of the lake's folder."""
        url = self.store.url
        return url if "://" in url else str(self.path(url))

    def salt(self) -> bytes:
        """Return the secret that reporter ids are hashed with.

        Read from the environment variable `privacy.salt_env`; without it, from a file in the city's folder that only
        its owner can read, made on first use.
        """
        given = os.environ.get(self.privacy.salt_env)
        if given:
            return given.encode()
        path = self.folder / ".salt"
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text().strip().encode()


def open_city(where: str | Path) -> City:
    """Read and validate a city file.

    Parameters
    ----------
    where : str or Path
        The city's folder or its ``city.toml``.

    Raises
    ------
    ConfigError
        No such file, broken TOML, or a key or value that is not known; the nearest known key is named.

    Examples
    --------
    >>> city = cm.open_city(folder)
    >>> city.city.name_en, city.levels
    ('Three Squares', ('street',))
    """
    path = Path(where).expanduser()
    if path.is_dir():
        path = path / "city.toml"
    if not path.is_file():
        raise ConfigError(f"no city file at {path}. Make one with `cloudmap init {path.parent} --from FILES`")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    _override(raw, os.environ)
    try:
        return City(folder=path.parent.resolve(), **raw)
    except ValidationError as error:
        raise ConfigError(_explain(path, error)) from error


def _override(raw: dict[str, Any], environment: os._Environ[str]) -> None:
    """Apply CLOUDMAP_STORE and CLOUDMAP_<SECTION>__<KEY> in place."""
    if environment.get("CLOUDMAP_STORE"):
        raw.setdefault("store", {})["url"] = environment["CLOUDMAP_STORE"]
    for name, value in environment.items():
        if name.startswith("CLOUDMAP_") and "__" in name:
            section, _, key = name.removeprefix("CLOUDMAP_").lower().partition("__")
            if isinstance(raw.setdefault(section, {}), dict):
                raw[section][key] = value


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name an unknown one may be meant for, or list the known ones; the end of a message."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    """List the keys that the model at a location of the city file knows."""
    model: Any = City
    for part in location:
        if isinstance(part, int):
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return []
        annotation = model.model_fields[part].annotation
        inner = [one for one in (annotation, *getattr(annotation, "__args__", ())) if isinstance(one, type)]
        models = [one for one in inner if issubclass(one, BaseModel)]
        if not models:
            return []
        model = models[0]
    return [name for name in model.model_fields if name != "folder"]


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        location = item["loc"]
        where = ".".join(str(part) for part in location)
        if item["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown key {where}{nearest(str(location[-1]), _known_keys(location[:-1]))}")
        elif item["type"] == "missing":
            lines.append(f"{path}: {where} is missing and required")
        else:
            shown = "" if isinstance(item.get("input"), dict | list) else f" = {item.get('input')!r}"
            lines.append(f"{path}: {where}{shown}: {item['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
