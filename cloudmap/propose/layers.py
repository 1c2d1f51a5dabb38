"""What a map layer is: units of a level, water, landmarks, or nothing that a city file uses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from cloudmap.ingest.layers import Layer, read_layer
from cloudmap.propose.columns import Column, read_columns
from cloudmap.propose.writing import comment, setting, table

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_WATER: Final = r"river|canal|lake|pond|water|stream|wetland|creek|brook|水系|河|湖|渠|溪|塘|湿地|濕地"
_WATER_KINDS: Final = (
    ("wetland", r"wetland|wetarea|marsh|swamp|湿地|濕地"),
    ("lake", r"lake|pond|reservoir|湖|水库|水庫|塘"),
    ("canal", r"canal|ditch|渠|运河|運河"),
    ("river", r"river|stream|creek|brook|water|河|溪|江|水"),
)
_LEVEL_WORDS: Final = (
    ("microgrid", r"microgrid|micro grid|微格|微網格"),
    ("grid", r"\bgrids?\b|网格|網格"),
    ("village", r"village|行政村|村"),
    ("community", r"communit|社区|社區"),
    ("street", r"street|town|neighbou?rhood|ward|街道|乡镇|镇街|鎮"),
    ("district", r"district|county|counties|县区|区县|縣|市区|全区"),
)
_OVERLAY: Final = r"overlay|新居民|五老|功能|专属"
_LEVEL_BY_DIGITS: Final = {6: "district", 9: "street", 12: "community", 15: "grid"}
_PLAIN_FIELDS: Final = {"id": r"\bid\b|编号|代码", "name": r"\bname\b|名", "downstream": r"downstream|下游|流入"}
_FIELD_WORDS: Final = (
    ("parent", r"上级|上級|parent|所属|street code|街道代码|父"),
    ("code", r"代码|代碼|编码|編碼|编号|區劃|区划|adcode|\bcode\b|\bid\b|code"),
    ("name", r"名称|名稱|^name$|名$|\bname\b|name"),
    ("valid_from", r"启用|啟用|valid from|生效|起始"),
    ("valid_to", r"停用|valid to|失效|终止"),
    ("staff", r"网格员|網格員|专职|staff"),
    ("volunteers", r"志愿者|志願者|volunteer|兼职"),
    ("population", r"人口|population|\bpop\b|^pop"),
)


@dataclass
class LayerDraft:
    """A layer's part of the city file, and what it tells about the rest."""

    kind: str
    lines: list[str]
    level: str = ""
    """Level of units; followed by "overlay" where they cut across the others."""
    outline: BaseGeometry | None = None
    names: set[str] = field(default_factory=set)
    codes: list[str] = field(default_factory=list)
    title: str = ""


def draft_layer(path: Path, shown: str, *, layer: str | None = None) -> LayerDraft:
    """Read a layer and propose its part of the city file.

    Parameters
    ----------
    path : Path
        The file.
    shown : str
        Its path as the city file has it.
    layer : str, optional
        Layer of a file that has several.

    Raises
    ------
    SourceError, CoordinateError, SchemaError
        The layer cannot be read.
    """
    read = read_layer(path, layer=layer)
    import geopandas as gpd

    shapes = read.frame.geometry.dropna()
    kinds = {str(kind).removeprefix("Multi") for kind in shapes.geom_type}
    text = {str(name): [None if _blank(one) else str(one) for one in read.frame[name]] for name in read.frame.columns if name != "geometry"}
    columns = read_columns(pl.DataFrame(text, schema=dict.fromkeys(text, pl.String)))
    told = f"{path.stem} {layer or ''} " + " ".join(column.words for column in columns)
    head = [*(comment(line) for line in read.evidence), f"# {len(read.frame):,} features, {', '.join(sorted(kinds)) or 'no shapes'}"]
    place = [setting("path", shown), *([setting("layer", layer)] if layer else []), *_encoding(read)]
    if re.search(_WATER, f"{path.stem} {layer or ''}".casefold()) and kinds <= {"Polygon", "LineString"}:
        return LayerDraft("water", _draft_water(head, place, columns, f"{path.stem} {layer or ''}"))
    if kinds == {"Polygon"}:
        wgs84 = read.frame.geometry if read.frame.crs is None else read.frame.geometry.to_crs("EPSG:4326")
        outline = gpd.GeoSeries(wgs84.dropna()).make_valid().union_all()
        return _draft_units(head, place, columns, told, outline, overlay=re.search(_OVERLAY, f"{path.stem} {layer or ''}".casefold()))
    if kinds == {"Point"}:
        return LayerDraft("landmark", _draft_landmarks(head, place, columns, path.stem))
    return LayerDraft("none", [*head, comment(f"{shown}: not used: {', '.join(sorted(kinds))} that are not named as water")])


def _blank(value: Any) -> bool:
    return value is None or value != value or str(value).strip() == ""  # noqa: PLR0124  NaN and NaT differ from themselves


def _encoding(read: Layer) -> list[str]:
    if read.encoding.casefold() in ("utf-8", "utf8", ""):
        return []
    return [setting("encoding", read.encoding, "strict UTF-8 fails on its text")]


def _draft_water(head: list[str], place: list[str], columns: list[Column], told: str) -> list[str]:
    kind = next((kind for kind, pattern in _WATER_KINDS if re.search(pattern, told.casefold())), "river")
    fields = [(role, column) for role in _PLAIN_FIELDS if (column := _water_field(columns, role))]
    mixed = "by its name; split the layer where it mixes kinds"
    lines = [*head, "[[water]]", setting("kind", kind, mixed), *place]
    return (
        [*lines, table("fields", {role: column.name for role, column in fields})]
        if fields
        else [*lines, "# no id or name among its fields"]
    )


def _water_field(columns: list[Column], role: str) -> Column | None:
    fitting = [column for column in columns if re.search(_PLAIN_FIELDS[role], column.words) and column.filled_n]
    return next((column for column in fitting if role != "id" or column.is_unique), None)


def _draft_landmarks(head: list[str], place: list[str], columns: list[Column], stem: str) -> list[str]:
    fields = {role: column.name for role in ("id", "name") if (column := _water_field(columns, role))}
    kind = re.sub(r"\W+", "_", stem).strip("_").lower() or "place"
    return [*head, "[[landmarks]]", setting("kind", kind, "the file's name; say what they are"), *place, table("fields", fields)]


def _draft_units(
    head: list[str], place: list[str], columns: list[Column], told: str, outline: BaseGeometry, *, overlay: re.Match[str] | None
) -> LayerDraft:
    chosen = _unit_fields(columns)
    code = chosen.get("code")
    if code is None:
        return LayerDraft("none", [*head, "# not used: no field is unique, so no unit has a code"], outline=outline)
    chosen.setdefault("name", code)
    level, why = _level(code, told)
    kind = [setting("kind", "overlay", f"{overlay[0]!r} in its name: such units cut across the others")] if overlay else []
    lines = [*head, "[[units]]", setting("level", level, why), *kind, *place]
    lines += [
        comment(f"{role}: {column.name}, {column.distinct_n:,} distinct, such as {column.examples(2, codes=True)}")
        for role, column in chosen.items()
    ]
    lines.append(table("fields", {role: column.name for role, column in chosen.items()}))
    names = {one for role in ("code", "name") for one in chosen[role].filled}
    title = chosen["name"].filled[0] if chosen["name"].filled_n == 1 else ""
    part = f"{level} overlay" if overlay else level
    return LayerDraft("units", lines, part, None if overlay else outline, names, list(code.filled), title)


def _unit_fields(columns: list[Column]) -> dict[str, Column]:
    chosen: dict[str, Column] = {}
    for role, pattern in _FIELD_WORDS:
        used = {column.name for column in chosen.values()}
        for column in sorted(columns, key=lambda one: -_kinship(one, chosen.get("code"))) if role == "name" else columns:
            if column.name not in used and re.search(pattern, column.words) and _fits(role, column):
                chosen[role] = column
                break
    if "code" not in chosen:
        unique = [column for column in columns if column.is_unique and column.time_share < 0.5]
        if unique:
            chosen["code"] = unique[0]
    return {role: chosen[role] for role in ("code", "name", *(role for role, _ in _FIELD_WORDS)) if role in chosen}


def _kinship(column: Column, code: Column | None) -> int:
    """Words that a name shares with the code: Name_County belongs to Code_County, not Name_Province."""
    return len(set(column.words.split()) & set(code.words.split())) if code else 0


def _fits(role: str, column: Column) -> bool:
    if role == "code":
        return column.is_unique and column.mean_chars <= 24
    if role == "name":
        return column.number_share < 0.1 and column.filled_n > 0 and (column.distinct_n > 0.5 * column.filled_n)
    if role == "parent":
        return column.distinct_n > 0 and not (column.is_unique and column.filled_n > 1) and column.number_share > 0.9
    if role in ("staff", "volunteers", "population"):
        return column.number_share > 0.9 and column.filled_n > 0
    return column.time_share > 0.9


def _level(code: Column, told: str) -> tuple[str, str]:
    lengths = code.filled.str.len_chars().unique().to_list()
    named = next((level for level, pattern in _LEVEL_WORDS if re.search(pattern, told.casefold().replace("_", " "))), None)
    if len(lengths) == 1 and lengths[0] in _LEVEL_BY_DIGITS and code.number_share == 1:
        level = _LEVEL_BY_DIGITS[lengths[0]]
        same_digits = {("community", "village"), ("grid", "microgrid")}
        if named and (level, named) in same_digits:
            return named, f"its codes have {lengths[0]} digits, and its text says {named}"
        return level, f"its codes have {lengths[0]} digits"
    if named:
        return named, "by a word in its name; correct it if it is another level"
    return "street", "UNDECIDED: nothing tells; correct it"
