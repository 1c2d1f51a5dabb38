"""The administrative base map: read every [[units]] layer of a city into one dated set of units, and check it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cloudmap.city import City, UnitLayer
from cloudmap.errors import BoundaryError
from cloudmap.geo.coordinates import frame_to_wgs84
from cloudmap.geo.coverage import ground_problems
from cloudmap.geo.fields import as_code, as_count, as_day, as_text, pick
from cloudmap.geo.renumbering import Renumbering
from cloudmap.geo.units import UNIT_COLUMNS, Kind, Problem, Units, in_force
from cloudmap.ingest.layers import Layer, read_layer
from cloudmap.ingest.opening import file_sha256

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from pandas import DataFrame

__all__ = ["Kind", "Problem", "Units", "check_units", "in_force", "read_units"]

_READING: Final = 1
"""Counts changes of this program that make other units of the same files."""
_TABLE_SUFFIXES: Final = {".csv", ".tsv", ".txt", ".xlsx"}
_SHAPEFILE_PARTS: Final = (".shp", ".dbf", ".shx", ".prj", ".cpg")


@dataclass
class _Part:
    """Units of one [[units]] table."""

    frame: GeoDataFrame
    problems: list[Problem] = field(default_factory=list)


def read_units(city: City) -> Units:
    """Read the base map of a city.

    Parameters
    ----------
    city : City
        Its [[units]] tables say where the files lie and what their fields mean; [[milestones]] of kind boundary may have a table of
        renumbered units, as may a file ``NAME.crosswalk.csv`` beside a layer ``NAME.…`` (`cloudmap.geo.renumbering`).

    Returns
    -------
    Units
        Frames in EPSG:4326 with the columns `UNIT_COLUMNS`, codes as text. Nothing is cached.

    Raises
    ------
    BoundaryError
        A level has a code twice at the same time, or a code with a time in between when it is not in force; or dates, counts or codes
        cannot be read.
    SourceError, SchemaError, CoordinateError
        A file cannot be read, lacks a mapped field, or has no known coordinate system.
    """
    import pandas as pd

    parts: dict[tuple[str, str], list[_Part]] = {}
    renumbered = Renumbering()
    digest = hashlib.sha256(str(_READING).encode())
    for table in city.units:
        path = city.path(table.path)
        digest.update(json.dumps(table.model_dump(mode="json", exclude={"drawn_on"}), sort_keys=True, ensure_ascii=False).encode())
        part = _read_part(path, table)
        digest.update(_files_sha256(path).encode())
        parts.setdefault((table.level, table.kind), []).append(part)
        if table.kind == "partition":
            renumbered.read_beside(path)
    for milestone in city.milestones:
        if milestone.kind == "boundary" and milestone.path is not None:
            renumbered.read(city.path(milestone.path), on=milestone.date)
    frames = {}
    for (level, kind), some in parts.items():
        whole = pd.concat([part.frame for part in some])
        frames[level, kind] = whole.sort_values(["code", "valid_from"], na_position="first", kind="stable").reset_index(drop=True)
        _refuse_conflicting_versions(frames[level, kind], level)
    problems = [problem for some in parts.values() for part in some for problem in part.problems]
    redrawn, unknown = renumbered.settle({level: set(frame["code"]) for (level, kind), frame in frames.items() if kind == "partition"})
    for sha256 in renumbered.files_sha256:
        digest.update(sha256.encode())
    return Units(frames, digest.hexdigest()[:12], [*problems, *unknown], redrawn)


def check_units(city: City, units: Units) -> list[Problem]:
    """List everything about a base map that its owner should look at.

    Parameters
    ----------
    city : City
        Its metric CRS is what areas and widths are measured in.
    units : Units
        As `read_units` gives them.

    Returns
    -------
    list of Problem
        Repairs and rejects of reading; gaps, overlaps and slivers; ground without a unit for a time; parents that do not exist or lie
        elsewhere; micro-grids without staff or volunteers (counts only).

    Raises
    ------
    CoordinateError
        `city.metric_crs` is unknown.
    """
    return [
        *units.problems,
        *ground_problems(units, metric_crs=city.city.metric_crs),
        *_parent_problems(units),
        *_staffing_problems(units),
    ]


def _files_sha256(path: Path) -> str:
    """Hash a layer's file; for a plain shapefile all its parts."""
    if path.suffix.lower() != ".shp":
        return file_sha256(path)
    stem = path.stem.casefold()
    beside = {one.suffix.lower(): one for one in path.parent.iterdir() if one.stem.casefold() == stem}
    return "".join(file_sha256(beside[suffix]) for suffix in _SHAPEFILE_PARTS if suffix in beside)


def _read_part(path: Path, table: UnitLayer) -> _Part:
    if {one.lower() for one in path.suffixes} & _TABLE_SUFFIXES:
        return _without_shapes(_read_table(path, table), table, path.name)
    layer = read_layer(path, layer=table.layer, crs=table.crs, encoding=table.encoding)
    if not layer.crs:
        return _without_shapes(layer.frame, table, path.name)
    part = _as_units(layer.frame, frame_to_wgs84(layer.frame, layer.crs).geometry.to_numpy(), table, path.name)
    _note_repairs(part, layer, table.level, path.name)
    return _settle_shapes(part, table, path.name)


def _read_table(path: Path, table: UnitLayer) -> DataFrame:
    import polars as pl

    from cloudmap.ingest.tables import open_table

    with open_table(path, encoding=table.encoding, layer=table.layer) as reader:
        blocks = list(reader.blocks())
    refused = pl.concat([block.rejected for block in blocks])
    if refused.height:
        first = refused.row(0, named=True)
        raise BoundaryError(
            f"{path.name} row {first['line_no']}: {first['detail']}. A base map is read whole or not at all; mend the table"
        )
    return pl.concat([block.frame for block in blocks]).drop("line_no").to_pandas()


def _without_shapes(frame: DataFrame, table: UnitLayer, name: str) -> _Part:
    if table.kind != "overlay":
        raise BoundaryError(
            f'{name}: units of level {table.level} are a partition, which needs shapes. Give a layer, or set kind = "overlay"'
        )
    return _as_units(frame, None, table, name)


def _as_units(raw: DataFrame, shapes: Any, table: UnitLayer, name: str) -> _Part:
    """Map the owner's columns to ours; rows without a code are set aside."""
    import geopandas as gpd

    fields, count = table.fields, len(raw)

    def column(role: str) -> Any:
        return pick(raw, getattr(fields, role), role=role, where=name)

    columns: dict[str, Any] = {"code": as_code(column("code"), where=f"{name}: {fields.code}"), "name": as_text(column("name"), count)}
    columns["parent"] = as_text(column("parent"), count)
    for role in ("valid_from", "valid_to"):
        columns[role] = as_day(column(role), count, where=f"{name}: {getattr(fields, role)}")
    for role in ("staff", "volunteers", "population"):
        columns[f"{role}_n"] = as_count(column(role), count, where=f"{name}: {getattr(fields, role)}").array
    columns |= {"level": table.level, "kind": table.kind, "geometry": [None] * count if shapes is None else shapes}
    part = _Part(gpd.GeoDataFrame(columns, geometry="geometry", crs="EPSG:4326")[list(UNIT_COLUMNS)])
    blank = part.frame["code"].isna()
    if blank.any():
        rows = ", ".join(str(row + 1) for row in part.frame.index[blank][:10])
        part.problems.append(
            Problem(
                "no_code", table.level, (), None, f"{name}: {int(blank.sum())} unit(s) without a code set aside: feature {rows}. Give codes"
            )
        )
    part.frame["name"] = part.frame["name"].fillna(part.frame["code"])
    part.frame = part.frame[~blank]
    return part


def _note_repairs(part: _Part, layer: Layer, level: str, name: str) -> None:
    """Tell which units' shapes were mended or set aside; row numbers of the layer are still the index."""

    def code(row: int) -> tuple[str, ...]:
        return (str(part.frame["code"].loc[row]),) if row in part.frame.index else ()

    for row, (was, now) in sorted(layer.mended.items()):
        told = f"{name}: the shape crosses itself and was mended; area {was:,.0f} -> {now:,.0f} m2. Draw it again"
        part.problems.append(Problem("repaired", level, code(row), now - was, told))
    for line, rule, detail in layer.rejected.select("line_no", "rule", "detail").iter_rows():
        told = f"{name}: feature {line}: {detail} ({rule}); the unit is kept without a shape"
        part.problems.append(Problem("quarantined", level, code(line - 1), None, told))
    for kind in ("ring_closed", "height_dropped", "collection_unwrapped", "curve_straightened"):
        if count := layer.repairs.get(kind):
            part.problems.append(Problem("repaired", level, (), None, f"{name}: {kind.replace('_', ' ')} in {count} shape(s)"))


def _settle_shapes(part: _Part, table: UnitLayer, name: str) -> _Part:
    """Keep polygons; anything else is no unit's ground."""
    shapes = part.frame.geometry
    other = shapes.notna() & ~shapes.geom_type.isin(["Polygon", "MultiPolygon"])
    if other.any():
        codes = tuple(sorted(part.frame["code"][other]))
        part.frame.loc[other, "geometry"] = None
        told = f"{name}: {len(codes)} unit(s) drawn as points or lines, kept without a shape: {', '.join(codes[:10])}. Draw polygons"
        part.problems.append(Problem("no_shape", table.level, codes, None, told))
    missing = part.frame.geometry.isna() & ~other
    if table.kind == "partition" and missing.any():
        codes = tuple(sorted(part.frame["code"][missing]))
        told = (
            f"{name}: {len(codes)} unit(s) of a partition have no shape, so no report can lie in them: {', '.join(codes[:10])}. Draw them"
        )
        part.problems.append(Problem("no_shape", table.level, codes, None, told))
    return part


def _refuse_conflicting_versions(frame: GeoDataFrame, level: str) -> None:
    """Refuse a code that is in force twice at a time, or not at all for a time between its versions."""
    wrong: list[str] = []
    for row in frame[frame["valid_from"].notna() & frame["valid_to"].notna() & (frame["valid_from"] >= frame["valid_to"])].itertuples():
        wrong.append(f"code {row.code} ends ({row.valid_to:%Y-%m-%d}) before it begins ({row.valid_from:%Y-%m-%d})")
    previous = frame.shift()
    again = frame["code"] == previous["code"]
    twice = again & ((frame["valid_from"] == previous["valid_from"]) | (frame["valid_from"].isna() & previous["valid_from"].isna()))
    overlap = again & ~twice & (previous["valid_to"].isna() | (previous["valid_to"] > frame["valid_from"]))
    gap = again & ~twice & (previous["valid_to"] < frame["valid_from"])
    for row in frame[twice].itertuples():
        wrong.append(
            f"code {row.code} ({row.name}) is used twice with the same dates: give each its own code, or join the parts to one shape"
        )
    for row in frame[overlap].itertuples():
        wrong.append(f"code {row.code} has two versions in force on {row.valid_from:%Y-%m-%d}: end the earlier one (valid_to) by that day")
    for row, ended in zip(frame[gap].itertuples(), previous["valid_to"][gap], strict=True):
        wrong.append(f"code {row.code} is not in force from {ended:%Y-%m-%d} to {row.valid_from:%Y-%m-%d}: give the missing version")
    if wrong:
        more = f" (and {len(wrong) - 10} more)" if len(wrong) > 10 else ""
        raise BoundaryError(f"base map, level {level}: " + "; ".join(wrong[:10]) + more)


def _parent_problems(units: Units) -> list[Problem]:
    """Find units whose parent does not exist, or lies elsewhere."""
    import pandas as pd

    known = pd.concat([frame.assign(at=level) for level, _, frame in units]) if units.frames else pd.DataFrame()
    problems = []
    for level, kind, frame in units:
        named = frame[frame["parent"].notna()]
        parents = known[known["at"] != level].drop_duplicates("code", keep="last").set_index("code")
        orphans = named[~named["parent"].isin(parents.index)]
        for parent, children in orphans.groupby("parent"):
            codes = tuple(sorted(set(children["code"])))
            told = f"{len(codes)} {level} unit(s) name parent {parent}, which no other level has: {', '.join(codes[:5])}. Correct the code"
            problems.append(Problem("orphan_parent", level, codes, None, told))
        if kind != "partition":
            continue
        placed = named[named["parent"].isin(parents.index) & named.geometry.notna()]
        above = parents.loc[placed["parent"], "geometry"].to_numpy()
        inside = placed.geometry.representative_point().intersects(type(frame.geometry)(above, index=placed.index, crs=frame.crs))
        drawn = pd.notna(above)
        for row in placed[drawn & ~inside].itertuples():
            told = f"{level} {row.code} ({row.name}) does not lie in its parent {row.parent}. Correct the parent or the shape"
            problems.append(Problem("misplaced", level, (row.code,), None, told))
    return problems


def _staffing_problems(units: Units) -> list[Problem]:
    """Check that every micro-grid in force has at least one of each kind of staff: counts, never persons."""
    problems = []
    for level, kind, frame in units:
        now = frame[frame["valid_to"].isna()]
        if level != "microgrid" or now[["staff_n", "volunteers_n"]].isna().all(axis=None):
            continue
        for column, what in (("staff_n", "staff reporter"), ("volunteers_n", "volunteer")):
            for short, told in ((now[column] < 1, f"no {what}"), (now[column].isna(), f"an unknown number of {what}s")):
                codes = tuple(sorted(now["code"][short.fillna(False)]))
                if codes:
                    message = f"{len(codes)} {level} unit(s) ({kind}) have {told}: {', '.join(codes[:5])}. Each needs at least one"
                    problems.append(Problem("unstaffed", level, codes, None, message))
    return problems
