"""Write records as the four sources deliver them: CSV in UTF-8 and in GB18030, XLSX, Parquet; with the lines that are broken on purpose."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from cloudmap.samples.luqiao_reports import to_time
from cloudmap.samples.luqiao_workbook import write_workbook

_BROKEN: Final = {"party": "2017年02月31日 10时00分00秒", "safety": "2017/02/31 10:00:00", "tenancy": "2017-02-31 10:00:00"}
_FUTURE: Final = datetime(2199, 6, 1, 8, 0, 0)
_UNDECODABLE: Final = "\x01"
"""Stands for a byte that is no text in either encoding, until lines are bytes."""

_HANDLING: Final = {"party": "办理中", "safety": "处理中", "tenancy": "整改中", "food": "1"}
_CHUNK_N: Final = 100_000

_PARTY: Final = {
    "编号": "report_id", "大类": "group", "小类": "label", "发生时间": "occurred", "上报时间": "reported", "办结时间": "closed",
    "办理期限": "due", "状态": "raw_state", "经度": "x", "纬度": "y", "微格代码": "unit", "上报人编号": "reporter",
    "上报人类型": "reporter_kind", "地址": "address", "会议层级": "tier", "描述": "text",
}  # fmt: skip
_SAFETY: Final = {
    "事件编号": "report_id", "事件类型": "raw", "接报时间": "reported", "限办时间": "due", "结案时间": "closed", "处理状态": "raw_state",
    "经度": "x", "纬度": "y", "所属村社": "unit", "登记账号": "reporter", "事件描述": "text",
}  # fmt: skip
_TENANCY: Final = {
    "工单号": "report_id", "问题类别": "raw", "登记时间": "reported", "整改时间": "closed", "处理结果": "raw_state",
    "横坐标": "x", "纵坐标": "y", "村社代码": "unit", "登记人": "reporter", "备注": "text",
}  # fmt: skip
_FOOD: Final = {
    "report_no": "report_id", "type_code": "raw", "created_ms": "reported", "closed_ms": "closed", "status": "raw_state", "lng": "x",
    "lat": "y", "street_name": "unit", "user_no": "reporter", "user_kind": "reporter_kind", "note": "text",
}  # fmt: skip


def write_records(path: Path, source: str, records: pl.DataFrame, rng: np.random.Generator) -> Path:
    """Write one file of a source.

    Parameters
    ----------
    path : Path
        File to write; an existing one is replaced.
    source : str
        Source id: decides format, encoding, columns and the look of times.
    records : polars.DataFrame
        As `luqiao_records` makes them, in the order of lines; repeated and superseded versions are added here.
    rng : numpy.random.Generator

    Raises
    ------
    OSError
        The file cannot be written.
    """
    lines = _with_versions(records, source, rng)
    if source == "tenancy":
        broken = lines.select(pl.when(pl.col("dirt") == "broken_time").then(pl.lit(_BROKEN[source]))).to_series()
        table = _select(_with_times(lines, source), _TENANCY)
        write_workbook(path, table, sheet="工单", text_instead={"登记时间": broken})
    elif source == "food":
        _select(_with_times(lines, source), _FOOD).write_parquet(path, compression="zstd")
    else:
        _write_csv(path, source, _with_times(lines, source))
    return path


def _select(lines: pl.DataFrame, columns: dict[str, str]) -> pl.DataFrame:
    return lines.select(pl.col(name).alias(header) for header, name in columns.items())


def _with_versions(records: pl.DataFrame, source: str, rng: np.random.Generator) -> pl.DataFrame:
    """Add the second line of repeated records (the same again) and of superseded ones (the first line then is older), a little apart."""
    numbered = records.with_columns(pl.int_range(pl.len()).cast(pl.Float64).alias("at"))
    again = numbered.filter(pl.col("dirt").is_in(["repeated", "superseded"]))
    again = again.with_columns(pl.col("at") + pl.Series(rng.integers(1, 40, again.height) + 0.5))
    older = (pl.col("dirt") == "superseded").fill_null(value=False)
    numbered = numbered.with_columns(
        pl.when(older).then(None).otherwise("closed").alias("closed"),
        pl.when(older).then(pl.lit(_HANDLING[source])).otherwise("raw_state").alias("raw_state"),
    )
    return pl.concat([numbered, again]).sort("at", maintain_order=True)


def _with_times(lines: pl.DataFrame, source: str) -> pl.DataFrame:
    """Turn seconds into what the source writes."""
    future = (pl.col("dirt") == "future_time").fill_null(value=False)
    times = [
        pl.when(future & (name in ("occurred", "reported"))).then(pl.lit(_FUTURE)).otherwise(to_time(pl.col(name))).alias(name)
        for name in ("occurred", "reported", "closed", "due")
    ]
    lines = lines.with_columns(times)
    if source == "tenancy":
        return lines
    names = ("occurred", "reported", "closed", "due")
    if source == "food":
        zone = [pl.col(name).dt.replace_time_zone("Asia/Shanghai").dt.epoch("ms") for name in names]
        return lines.with_columns(zone)
    pattern = "%Y年%m月%d日 %H时%M分%S秒" if source == "party" else "%Y/%m/%d %H:%M:%S"
    return lines.with_columns(pl.col(name).dt.strftime(pattern) for name in names).with_columns(
        pl.when(pl.col("dirt") == "broken_time").then(pl.lit(_BROKEN[source])).otherwise("reported").alias("reported")
    )


def _write_csv(path: Path, source: str, lines: pl.DataFrame) -> None:
    """Write lines of a CSV, some of them broken; party with a byte order mark, safety as an old Windows program does."""
    columns, encoding, end = (_PARTY, "utf-8", "\n") if source == "party" else (_SAFETY, "gb18030", "\r\n")
    with path.open("wb") as file:
        file.write((b"\xef\xbb\xbf" if source == "party" else b"") + (",".join(columns) + end).encode(encoding))
        for start in range(0, lines.height, _CHUNK_N):
            text = end.join(_csv_lines(lines[start : start + _CHUNK_N], list(columns.values()))) + end
            file.write(text.encode(encoding).replace(_UNDECODABLE.encode(), b"\xff"))


def _csv_lines(lines: pl.DataFrame, names: list[str]) -> list[str]:
    dirt = pl.col("dirt")
    spoilt = (
        pl.when(dirt == "undecodable_bytes").then(pl.lit(_UNDECODABLE)).when(dirt == "nul_byte").then(pl.lit("\x00")).otherwise(pl.lit(""))
    )
    text = pl.col("text") + spoilt
    quoted = pl.when(text.str.contains(r'[,"\n]')).then(pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""'), pl.lit('"')))
    parts = pl.col("raw").str.split_exact(" > ", 1)
    frame = lines.with_columns(
        quoted.otherwise(text).alias("text"),
        parts.struct.field("field_0").alias("group"),
        parts.struct.field("field_1").alias("label"),
        *(pl.when(pl.col(name).is_nan()).then(pl.lit("NaN")).otherwise(pl.col(name).cast(pl.String)).alias(name) for name in ("x", "y")),
    )
    fields = [pl.col(name).fill_null("") for name in names]
    whole = pl.concat_str(fields, separator=",")
    short = pl.concat_str(fields[: len(names) // 2], separator=",")
    return frame.select(pl.when(dirt == "ragged_row").then(short).otherwise(whole)).to_series().to_list()
