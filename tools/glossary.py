"""Write GLOSSARY.md: the terms, the statistics, the settings, and the data dictionary as `cloudmap.schema` declares it.

``python tools/glossary.py`` writes the file; with ``--check`` it only says, by its exit code, whether the file is up to date.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import polars as pl

from cloudmap import schema
from cloudmap.publish.tables import PLACES

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "GLOSSARY.md"
TERMS = Path(__file__).with_name("terms.csv")
TABLES = {name: Path(__file__).with_name(f"{name}.csv") for name in ("statistics", "results", "settings")}
"""Tables that are written by hand, with | between fields; `tests/test_documentation.py` holds them to the code."""

HEAD = """# Glossary 术语与数据字典

Written by `python tools/glossary.py` from the tables in `tools/` and from `cloudmap/schema.py`; edit those, not this file.

## Terms 术语

"""

CLASSES_ZH = {
    "located": "已定位", "area_only": "仅到单元", "unmapped": "无坐标", "outside": "区域外", "quarantined": "已隔离", "repeated": "重复",
    "superseded": "已被更新",
}  # fmt: skip
POSITIONS_ZH = {
    "point": "本身坐标", "pile_up": "坐标堆积", "centroid": "片区中心", "none": "无坐标", "outside": "区域外",
    "coarsened": "已模糊（受限类别）",
}  # fmt: skip
STATES_ZH = {
    "open": "待处理", "handling": "处理中", "suspended": "挂账", "returned": "回退", "extended": "延期", "expedited": "加急",
    "void": "作废",
    "closed": "办结",
}  # fmt: skip
REPAIRS_ZH = {
    "axes_swapped": "经纬度互换", "datum_shifted": "坐标系纠偏", "time_repaired": "时间修复", "closed_before_opened": "办结早于上报",
    "category_unknown": "类别不明", "state_unknown": "状态不明", "unit_unknown": "单元不明", "near_boundary": "边界附近",
    "text_scrubbed": "文本脱敏",
}  # fmt: skip


def glossary() -> str:
    """Return the whole file."""
    with TERMS.open(encoding="utf-8", newline="") as file:
        header, *terms = csv.reader(file)
    parts = [HEAD, _rows(header, sorted(terms, key=lambda term: term[0].casefold()))]
    parts.append("\n## Data dictionary 数据字典\n")
    parts.append(
        "Suffixes: `_m` metres, `_m2` square metres, `_deg` degrees, `_h` hours, `_wh` working hours, `_n` a count, `_share` 0 to 1,"
        " `_at` a UTC instant, `_on` a local date, `_code` text.\n"
    )
    reports = schema.located_table(schema.LEVELS, (8, 9, 10))
    for table in (
        schema.CLEAN, reports, schema.REJECTED, schema.QUARANTINE, schema.HANDLING_EVENTS, schema.CUBE, schema.MATTERS, schema.MATTER_LINKS,
        PLACES,
    ):  # fmt: skip
        parts.append(f"\n### `{table.name}`: {table.meaning} {table.meaning_zh}\n\n")
        columns = [
            [f"`{column.name}`", _type_name(column.dtype), column.unit, column.meaning, column.meaning_zh] for column in table.columns
        ]
        parts.append(_rows(["column", "type", "unit", "meaning", "中文"], columns))
    parts.append("\n## Fixed values 固定取值\n")
    listed = (
        ("Ledger classes 台账类别", schema.LEDGER_CLASSES, CLASSES_ZH),
        ("Positions 位置性质", schema.POSITIONS, POSITIONS_ZH),
        ("States 状态", schema.STATES, STATES_ZH),
        ("Repairs and doubts 修复与存疑标记", schema.REPAIRS, REPAIRS_ZH),
        ("Stages 环节", schema.STAGES, {name: told[2] for name, told in schema.STAGES.items()}),
        ("Doubts about events 流转存疑标记", schema.EVENT_DOUBTS, {name: told[1] for name, told in schema.EVENT_DOUBTS.items()}),
    )
    for title, values, names in listed:
        parts.append(f"\n- {title}: " + ", ".join(f"`{value}` {names[value]}" for value in values) + "\n")
    return "".join([*parts, _statistics(), _settings()])


def _statistics() -> str:
    """Tell each measure and statistic, and each column that their tables have."""
    header, *rows = _read("statistics")
    named = [[f"`{name}`", *told] for name, *told in rows]
    columns_header, *columns = _read("results")
    listed = [[f"`{name}`", *told] for name, *told in sorted(columns)]
    lead = "\n## Measures and statistics 量与统计\n\nAsked by `cloudmap show CITY NAME`, `cm.statistic(city, NAME)` and the page.\n\n"
    title = "\n### Columns of their tables 统计表的列\n\nA name means the same wherever it stands.\n\n"
    return lead + _rows(header, named) + title + _rows(columns_header, listed)


def _settings() -> str:
    header, *rows = _read("settings")
    lead = "\n## Settings of city.toml 城市文件的设置\n\n`CLOUDMAP_STORE` and `CLOUDMAP_<SECTION>__<KEY>` override them.\n\n"
    return lead + _rows(header, [[f"`{name}`", *told] for name, *told in rows])


def _read(name: str) -> list[list[str]]:
    with TABLES[name].open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="|"))


def _type_name(dtype: pl.DataType | type[pl.DataType]) -> str:
    return str(dtype).replace("Datetime(time_unit='us', time_zone='UTC')", "Datetime (UTC)")


def _rows(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def main(arguments: list[str]) -> int:
    """Write the file, or check it; the exit code is 1 where it is out of date."""
    text = glossary()
    if "--check" in arguments:
        current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
        return 0 if current == text else 1
    TARGET.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
