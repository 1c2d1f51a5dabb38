"""Every table: its columns, their types, units and meaning, in English and Chinese.

GLOSSARY.md and the data dictionary are generated from here. Suffixes: ``_m`` metres, ``_m2`` square metres, ``_deg`` degrees,
``_h`` hours, ``_n`` a count, ``_share`` 0-1, ``_at`` a UTC instant, ``_on`` a local date, ``_code`` text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from cloudmap.errors import SchemaError

LEVELS: Final = ("district", "street", "community", "village", "grid", "microgrid")
Level = Literal["district", "street", "community", "village", "grid", "microgrid"]

LEDGER_CLASSES: Final = ("located", "area_only", "unmapped", "outside", "quarantined", "repeated", "superseded")
"""Where an input record can end; each ends in exactly one."""

POSITIONS: Final = ("point", "pile_up", "centroid", "none", "outside", "coarsened")
"""What a report's coordinates are worth: ``coarsened`` is written by exports of restricted categories only."""

STATES: Final = ("open", "handling", "suspended", "returned", "extended", "expedited", "void", "closed")

STAGES: Final[Mapping[str, tuple[int, str, str]]] = {
    "collect": (1, "collection of information", "信息收集/采集"),
    "sort": (2, "sorting", "整理"),
    "file": (2, "filing (GB/T 30428)", "立案"),
    "dispatch": (3, "dispatch", "分流交办/派遣"),
    "handle": (4, "handling", "处置"),
    "finish_supervise": (4, "finishing and supervising", "完结督办"),
    "feed_back": (5, "feedback", "信息反馈/反馈"),
    "inspect": (6, "inspection", "督查"),
    "verify": (6, "verification and closing (GB/T 30428)", "核查结案"),
    "evaluate": (7, "evaluation (GB/T 30428)", "评价"),
}
"""Stages of the hall's, the district's and the national flow: place in the order (equal ones stand for each other), English, Chinese."""

EVENT_DOUBTS: Final[Mapping[str, tuple[str, str]]] = {
    "unknown_report": ("names a report that is not in the store", "报告不存在"),
    "unknown_stage": ("its stage is no word that is known", "环节不明"),
    "unknown_state": ("its state is no word that is known", "状态不明"),
    "before_opened": ("earlier than the report that it is about", "早于上报"),
    "out_of_order": ("later than a stage that should follow it, with no return between", "环节倒置"),
    "after_closing": ("goes on with a case that was closed or void, with no return between", "结案后仍有流转"),
    "time_repaired": ("its time needed a decision", "时间修复"),
}
"""What may be odd about an event: one bit each in its ``flags``, in this order. It is kept and counted, and moves no clock."""

EVENT_DOUBT_BIT: Final[Mapping[str, int]] = {name: 1 << position for position, name in enumerate(EVENT_DOUBTS)}

REPAIRS: Final = (
    "axes_swapped",
    "datum_shifted",
    "time_repaired",
    "closed_before_opened",
    "category_unknown",
    "state_unknown",
    "unit_unknown",
    "near_boundary",
    "text_scrubbed",
)
"""Doubts and repairs that travel beside the class of a record, one bit each in ``flags``."""

REPAIR_BIT: Final[Mapping[str, int]] = {name: 1 << position for position, name in enumerate(REPAIRS)}

UTC: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: name, polars type, what it means in two languages, and its unit."""

    name: str
    dtype: pl.DataType | type[pl.DataType]
    meaning: str
    meaning_zh: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A named list of columns."""

    name: str
    meaning: str
    meaning_zh: str
    columns: tuple[Column, ...]

    @property
    def dtypes(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Column name to polars type, in order."""
        return {column.name: column.dtype for column in self.columns}

    def with_columns(self, more: Iterable[Column], *, name: str | None = None) -> Table:
        """Return this table with columns added at the end."""
        return Table(name or self.name, self.meaning, self.meaning_zh, (*self.columns, *more))

    def empty(self) -> pl.DataFrame:
        """Return a frame of no rows with the table's columns."""
        return pl.DataFrame(schema=self.dtypes)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return `frame` with exactly the table's columns, in order and cast.

        Raises
        ------
        SchemaError
            A column of the table is missing from the frame.
        """
        missing = [name for name in self.dtypes if name not in frame.columns]
        if missing:
            raise SchemaError(f"table {self.name}: column(s) {', '.join(missing)} missing; have {', '.join(frame.columns)}")
        return frame.select(pl.col(name).cast(dtype) for name, dtype in self.dtypes.items())


RECORD_PLACE: Final = (
    Column("line_no", pl.Int64(), "first physical line (or sheet row) of the record, the header being line 1", "记录在文件中的首行号"),
)

CLEAN: Final = Table(
    "clean",
    "a report as its file tells it, cleaned, before it has a place",
    "清洗后的报告(尚未定位)",
    (
        *RECORD_PLACE,
        Column("report_id", pl.String(), "source_id:source_report_id, unique in the city", "报告唯一编号"),
        Column("source_id", pl.String(), "id of the source in the city file", "来源编号"),
        Column("source_report_id", pl.String(), "the report's id in its source; a digest of the record where it has none", "来源内编号"),
        Column("category_code", pl.String(), "second-level code of the taxonomy; OT99 where the raw label is unknown", "类别代码"),
        Column("category_raw", pl.String(), "the source's own label, kept for ever", "原始类别"),
        Column("occurred_at", UTC, "when it happened (reported_at where the source does not say)", "发生时间", "UTC"),
        Column("reported_at", UTC, "when it was reported (occurred_at where the source does not say)", "上报时间", "UTC"),
        Column("closed_at", UTC, "when it was closed", "办结时间", "UTC"),
        Column("due_at", UTC, "when it is due", "到期时间", "UTC"),
        Column("state", pl.String(), "standard state, one of STATES", "状态"),
        Column(
            "x", pl.Float64(), "easting or longitude as delivered, in the source's own coordinate system, after axis repair", "原始横坐标"
        ),
        Column("y", pl.Float64(), "northing or latitude as delivered, likewise", "原始纵坐标"),
        Column("unit_named", pl.String(), "the unit (code or name) that the report itself names", "报告所填单元"),
        Column("reporter_hash", pl.String(), "salted digest of the reporter's id", "上报人哈希"),
        Column("reporter_kind", pl.String(), "staff or resident", "上报人类型"),
        Column("text", pl.String(), "scrubbed free text; never exported", "脱敏文本"),
        Column("address", pl.String(), "scrubbed address; never exported", "脱敏地址"),
        Column("tier", pl.String(), "meeting tier named by the source: microgrid, hall or street", "会议层级"),
        Column("flags", pl.UInt32(), "repairs and doubts, one bit each (REPAIRS)", "修复与存疑标记"),
    ),
)

REJECTED: Final = Table(
    "rejected",
    "a record that could not be used, scrubbed, with the rule that it broke",
    "隔离记录",
    (
        *RECORD_PLACE,
        Column("field", pl.String(), "source column, where one is to blame", "字段"),
        Column("rule", pl.String(), "short name of the broken rule", "规则"),
        Column("detail", pl.String(), "rule and remedy in words", "说明"),
        Column("value", pl.String(), "the offending value or record, scrubbed, at most 500 characters", "值(已脱敏)"),
    ),
)

QUARANTINE: Final = REJECTED.with_columns(
    (
        Column("source_id", pl.String(), "id of the source", "来源编号"),
        Column("file", pl.String(), "file name", "文件"),
    ),
    name="quarantine",
)


def cell_column(resolution: int) -> Column:
    """Name the H3 column of a resolution."""
    return Column(
        f"cell_{resolution}", pl.Int64(), f"H3 cell at resolution {resolution}, as signed 64-bit integer", f"H3 {resolution} 级格"
    )


def unit_column(level: str) -> Column:
    """Name the unit column of a level."""
    return Column(f"unit_{level}_code", pl.String(), f"code of the {level} it lies in, or names where it is area_only", f"{level} 单元代码")


def located_table(levels: Iterable[str], resolutions: Iterable[int]) -> Table:
    """Reports with a place: the facts that a store holds for one city.

    Parameters
    ----------
    levels : iterable of str
        Partition levels of the city's base map, coarse to fine.
    resolutions : iterable of int
        H3 resolutions of the city.
    """
    dropped = {"x", "y", "unit_named"}
    kept = tuple(column for column in CLEAN.columns if column.name not in dropped)
    return Table(
        "reports",
        "one row per version of a report that is not quarantined, repeated or superseded in its own file",
        "报告事实表",
        (
            *kept,
            Column("lon_deg", pl.Float64(), "longitude, WGS84", "经度", "degrees"),
            Column("lat_deg", pl.Float64(), "latitude, WGS84", "纬度", "degrees"),
            Column("position", pl.String(), "what the coordinates are worth, one of POSITIONS", "位置性质"),
            Column("ledger_class", pl.String(), "located, area_only, unmapped or outside", "台账类别"),
            *(unit_column(level) for level in levels),
            *(cell_column(resolution) for resolution in resolutions),
            Column(
                "overlay_code", pl.String(), "code of the overlay (functional unit) that it names, of whatever level", "所填功能单元代码"
            ),
            Column(
                "matter_id",
                pl.String(),
                "the matter this report tells of: its own report_id, until `analyse` joins reports of one matter",
                "事项编号",
            ),
        ),
    )


HANDLING_EVENTS: Final = Table(
    "handling_events",
    "what happened to reports on their way, from the event files of all flows",
    "处置流转记录",
    (
        *RECORD_PLACE,
        Column("source_id", pl.String(), "id of the source in the city file", "来源编号"),
        Column("file", pl.String(), "file name", "文件"),
        Column("report_id", pl.String(), "source_id:source_report_id of the report that it is about", "报告唯一编号"),
        Column("at", UTC, "when it happened", "发生时间", "UTC"),
        Column("stage", pl.String(), "stage that the case entered or stayed in, one of STAGES; null where unknown or not told", "环节"),
        Column("state", pl.String(), "state that the case took, one of STATES; null where unknown", "状态"),
        Column("tier", pl.String(), "meeting that dealt with it: microgrid, hall or street", "会议层级"),
        Column("stage_raw", pl.String(), "the file's own word for the stage, scrubbed", "原始环节"),
        Column("state_raw", pl.String(), "the file's own word for the state, scrubbed", "原始状态"),
        Column("flags", pl.UInt32(), "doubts, one bit each (EVENT_DOUBTS)", "存疑标记"),
    ),
)

CUBE: Final = Table(
    "cube",
    "weekly counts per place and category",
    "周立方体",
    (
        Column("place", pl.String(), "unit code, or the H3 cell as a hexadecimal string", "地点"),
        Column("week_on", pl.Date(), "Monday that the ISO week starts on, local", "周(周一日期)"),
        Column("category_code", pl.String(), "second-level category", "类别代码"),
        Column("reports_n", pl.Int64(), "reports", "报告数"),
        Column("matters_n", pl.Int64(), "matters", "事项数"),
        Column("burden", pl.Float64(), "sum of severity weights over matters", "严重度负担"),
    ),
)

MATTERS: Final = Table(
    "matters",
    "reports that share a matter with others; every other report is a matter of its own",
    "共事项报告",
    (
        Column("report_id", pl.String(), "source_id:source_report_id, unique in the city", "报告唯一编号"),
        Column("matter_id", pl.String(), "report_id of the matter's first report by occurred_at, which counts for it", "事项编号"),
    ),
)

MATTER_LINKS: Final = Table(
    "matter_links",
    "what joined reports to matters: one link less than a matter has reports",
    "事项关联依据",
    (
        Column("matter_id", pl.String(), "the matter that both reports tell of", "事项编号"),
        Column("report_id", pl.String(), "the earlier report", "报告编号"),
        Column("to_report_id", pl.String(), "the later report", "关联报告编号"),
        Column("distance_m", pl.Float64(), "distance between the two", "距离", "m"),
        Column("gap_h", pl.Float64(), "time between the two", "时间间隔", "hours"),
        Column("likeness_share", pl.Float64(), "how alike their texts are; null where either has none", "文本相似度", "0-1"),
        Column("expected_n", pl.Float64(), "reports of the category and source that chance alone puts so near", "随机期望数"),
        Column("sure_share", pl.Float64(), "probability that the two tell of one matter", "同一事项概率", "0-1"),
        Column("reasons", pl.String(), "what speaks for the link: names of MATTER_REASONS, parted by blanks", "关联理由"),
    ),
)

MATTER_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "same_record": ("same source, label, point and second", "同来源同标签同点同秒"),
    "other_source": ("told by another source", "另一来源"),
    "same_point": ("less than a metre apart", "同一点"),
    "near": ("as near as reports of one matter are", "距离近"),
    "soon": ("as soon after as reports of one matter are", "时间近"),
    "alike_text": ("texts more alike than chance makes them", "文本相似"),
    "rare_here": ("chance hardly ever puts two so near here", "此处少有巧合"),
}
"""Reasons of a link between two reports of one matter, in English and Chinese."""


def flag_counts(flags: pl.Series) -> dict[str, int]:
    """Count rows per repair from a column of bit flags; repairs that never occurred are left out."""
    counts = {name: int(((flags & bit) != 0).sum()) for name, bit in REPAIR_BIT.items()}
    return {name: count for name, count in counts.items() if count}
