"""Put the parts together: layers first, since they tell zone, outline and unit names; then the tables."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import numpy as np

from cloudmap.city import City
from cloudmap.errors import CloudmapError, ConfigError, SourceError
from cloudmap.ingest.layers import layer_names
from cloudmap.ingest.opening import LAYER_KINDS, TABLE_KINDS, open_input
from cloudmap.ingest.taxonomy import shipped_taxonomy
from cloudmap.propose.layers import LayerDraft, draft_layer
from cloudmap.propose.roles import Roles
from cloudmap.propose.sources import Sample, SourceDraft, draft_roles, draft_source, read_sample
from cloudmap.propose.writing import comment, setting
from cloudmap.propose.zones import nearest_zone
from cloudmap.schema import LEVELS

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_CHINA: Final = (73.0, 17.0, 136.0, 54.0)


@dataclass
class _Findings:
    """What the files turned out to be."""

    layers: list[LayerDraft] = field(default_factory=list)
    tables: list[tuple[Sample, Roles]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def units(self) -> list[LayerDraft]:
        return [layer for layer in self.layers if layer.kind == "units"]

    @property
    def used(self) -> list[LayerDraft]:
        """The first layer of each level; later ones are written as comments."""
        first: dict[str, LayerDraft] = {}
        for layer in self.units:
            first.setdefault(layer.level, layer)
        return sorted(first.values(), key=lambda layer: LEVELS.index(layer.level.split()[0]))

    @property
    def outline(self) -> BaseGeometry | None:
        shapes = [layer.outline for layer in self.units if layer.outline is not None]
        return max(shapes, key=lambda shape: float(shape.area)) if shapes else None


def propose_city(folder: str | Path, files: Sequence[str | Path], *, name: str | None = None) -> str:
    """Propose a city file for files never seen before, and write a category table beside it for each source.

    Parameters
    ----------
    folder : str or Path
        Where the city file will lie; paths are relative to it. ``categories_<source>.csv`` (raw, code, n, why) are written there.
    files : sequence of str or Path
        Tables of reports, layers of units, water and landmarks, in any order.
    name : str, optional
        Of the city; else taken from the layers or the folder.

    Returns
    -------
    str
        TOML text that `open_city` accepts; every guess has its evidence as a comment, and what is undecided is a comment.

    Raises
    ------
    ConfigError
        No file was given.
    """
    if not files:
        raise ConfigError("no files to look at: `cloudmap init DIR --from FILES…`")
    home = Path(folder).expanduser().resolve()
    home.mkdir(parents=True, exist_ok=True)
    found = _look_at([Path(one).expanduser() for one in files], home)
    zone, zone_why = _zone(found)
    lines = [
        comment("Proposed from the files by `cloudmap init --from`: read every comment, correct what is wrong, then `cloudmap check`."),
        *found.notes,
        "",
        *_city_lines(found, home, zone, zone_why, name),
    ]
    lines += _layer_lines(found)
    taken: set[str] = set()
    for number, (sample, roles) in enumerate(found.tables, start=1):
        source_id = _source_id(sample, taken, number)
        taken.add(source_id)
        shown = _shown(_common_glob([sample.path, *sample.more]) if sample.more else sample.path, home)
        draft = draft_source(
            sample, roles, source_id=source_id, shown=shown, zone=ZoneInfo(zone), outline=found.outline, taxonomy=shipped_taxonomy()
        )
        _write_categories(home, source_id, draft)
        lines += ["", *draft.lines]
    text = "\n".join(lines) + "\n"
    City(folder=home, **tomllib.loads(text))  # a proposal that its own reader refuses must not leave here
    return text


def _look_at(paths: list[Path], home: Path) -> _Findings:
    found = _Findings()
    samples: list[Sample] = []
    for path in paths:
        try:
            with open_input(path) as opened:
                kind, geometries = opened.kind, set(opened.features.geometries) if opened.features else set()
            is_layer = kind in LAYER_KINDS and not (kind in TABLE_KINDS and geometries == {"Point"})
            if is_layer:
                names = layer_names(path)
                for layer in names:
                    found.layers.append(draft_layer(path, _shown(path, home), layer=layer if len(names) > 1 else None))
            else:
                sample = read_sample(path)
                if kind == "geojson" and not any(column.time_share > 0.9 for column in sample.columns):
                    found.layers.append(draft_layer(path, _shown(path, home)))
                else:
                    samples.append(sample)
        except CloudmapError as error:
            found.notes.append(comment(f"NOT USED {path.name}: {error}"))
    unit_names = {one for layer in found.units for one in layer.names}
    for sample in _grouped(samples):
        roles = draft_roles(sample, unit_names)
        if {"occurred_at", "reported_at"} & roles.chosen.keys():
            found.tables.append((sample, roles))
        else:
            why = roles.undecided.get("reported_at", "no column of times")
            found.notes.append(
                comment(f"NOT USED {sample.path.name}: {sample.records_n:,} records, no reports ({why}): {_list_of(sample)}")
            )
    return found


def _list_of(sample: Sample) -> str:
    codes = [column for column in sample.columns if column.is_unique and column.number_share == 1 and column.mean_chars >= 6]
    if codes:
        return f"a list of units without shapes ({codes[0].name} is unique)? [[units]] needs a layer with shapes; only overlays go without"
    return f"columns {', '.join(sample.header)}"


def _grouped(samples: list[Sample]) -> list[Sample]:
    """Join files of one header whose names differ only in digits: they are parts of one source."""
    kept: dict[tuple[object, ...], Sample] = {}
    for sample in samples:
        key = (sample.path.parent, re.sub(r"[0-9]+", "#", sample.path.name), sample.header)
        if key in kept:
            kept[key].join(sample)
        else:
            kept[key] = sample
    return list(kept.values())


def _common_glob(paths: list[Path]) -> Path:
    """Name the files by what they share; digits at the seam are left to the star, so that next year's file is found too."""
    prefix = _common_prefix([path.name for path in paths]).rstrip("0123456789")
    suffix = _common_prefix([path.name[len(prefix) :][::-1] for path in paths])[::-1].lstrip("0123456789")
    return paths[0].parent / f"{prefix}*{suffix}"


def _common_prefix(texts: list[str]) -> str:
    together = zip(*texts, strict=False)
    return "".join(letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, together))


def _shown(path: Path, home: Path) -> str:
    return Path(os.path.relpath(path.resolve() if "*" not in path.name else path.parent.resolve() / path.name, home)).as_posix()


def _zone(found: _Findings) -> tuple[str, str]:
    outline = found.outline
    if outline is not None:
        centre = outline.centroid
        lon, lat = float(centre.x), float(centre.y)
        return nearest_zone(lon, lat), f"GUESS: nearest zone to the units' centre {lon:.2f}, {lat:.2f}; borders are not known"
    for sample, roles in found.tables:
        points = sample.points(roles)
        if points is not None and points[0].len():
            lon, lat = float(np.median(points[0])), float(np.median(points[1]))
            if abs(lon) <= 180 and abs(lat) <= 90:
                return nearest_zone(lon, lat), f"GUESS: nearest zone to the median of {sample.path.name}, {lon:.2f}, {lat:.2f}"
    return "Asia/Shanghai", "UNDECIDED: no degrees anywhere to guess from; correct it"


def _city_lines(found: _Findings, home: Path, zone: str, zone_why: str, name: str | None) -> list[str]:
    titles = [layer.title for layer in found.used if layer.title]
    shown = name or (titles[0] if titles else home.name)
    why = "" if name else ("the only unit of its layer" if titles else "the folder's name; give the city's")
    prefix = _common_prefix([code for layer in found.used for code in layer.codes])
    code = prefix[:6] if re.fullmatch(r"[0-9]{4,}", prefix) else re.sub(r"[^a-z0-9]+", "_", home.name.lower()).strip("_") or "city"
    lines = [
        "[city]",
        setting("name_zh", shown, why),
        setting("name_en", shown),
        setting("code", code),
        setting("timezone", zone, zone_why),
    ]
    crs, crs_why = _metric_crs(found)
    return [*lines, setting("metric_crs", crs, crs_why)]


def _metric_crs(found: _Findings) -> tuple[str, str]:
    outline = found.outline
    if outline is None:
        return "EPSG:3857", "UNDECIDED: no unit layer; lengths and areas need a local projection, such as EPSG:4549 at 120E"
    lon, lat = float(outline.centroid.x), float(outline.centroid.y)
    west, south, east, north = _CHINA
    if west < lon < east and south < lat < north:
        zone = min(45, max(25, round(lon / 3)))
        return f"EPSG:{4534 + zone - 25}", f"CGCS2000, 3-degree zone of {zone * 3}E, nearest to the units' centre"
    number = int((lon + 180) // 6) + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + number}", f"UTM zone {number} of the units' centre"


def _layer_lines(found: _Findings) -> list[str]:
    lines: list[str] = []
    used = found.used
    for layer in used:
        lines += ["", *layer.lines]
    for layer in found.units:
        if layer not in used:
            why = f"UNDECIDED: a second layer of level {layer.level}: another level, an overlay, or the same units again?"
            lines += ["", comment(why), *(line if line.startswith("#") else f"# {line}" for line in layer.lines)]
    for layer in found.layers:
        lines += ["", *layer.lines] if layer.kind != "units" else []
    if found.units:
        populated = any("population =" in line for layer in used for line in layer.lines if line.startswith("fields"))
        kind = "population" if populated else "none"
        why = "residents per unit, from the units' layer" if populated else "no population: maps say where reports are, and show no ratio"
        lines += ["", "[exposure]", setting("kind", kind, why)]
    return lines


def _source_id(sample: Sample, taken: set[str], number: int) -> str:
    name = _common_glob([sample.path, *sample.more]).name.split("*")[0] if sample.more else sample.path.name.split(".")[0]
    stem = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    stem = re.sub(r"^[^a-z]+", "", stem)[:28].strip("_") or f"source_{number}"
    return f"{stem}_{number}" if stem in taken else stem


def _write_categories(home: Path, source_id: str, draft: SourceDraft) -> None:
    if draft.categories is None:
        return
    path = home / f"categories_{source_id}.csv"
    if path.exists():
        raise SourceError(f"{path} exists already and may hold your corrections; move it away, or choose another folder")
    draft.categories.write_csv(path)
