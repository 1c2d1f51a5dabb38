"""One block of text cells becomes clean reports and rejected records: every record ends in exactly one of the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import polars as pl

from cloudmap.city import FieldName
from cloudmap.ingest.coordinates import PointPlan, read_points
from cloudmap.ingest.numbers import is_scientific_id
from cloudmap.ingest.scrub import scrub, was_scrubbed
from cloudmap.ingest.taxonomy import UNKNOWN_CODE, fold_label
from cloudmap.ingest.times import RULES, TimePlan, parse_times
from cloudmap.schema import CLEAN, REJECTED, REPAIR_BIT, STATES

VALUE_MAX_CHARS: Final = 500
TIME_FIELDS: Final = ("occurred_at", "reported_at", "closed_at", "due_at")

_KINDS: Final = {
    "staff": "staff", "resident": "resident", "工作人员": "staff", "网格员": "staff", "微格员": "staff", "专职": "staff", "兼职": "staff",
    "志愿者": "staff", "巡查": "staff", "居民": "resident", "群众": "resident", "市民": "resident", "citizen": "resident",
}  # fmt: skip
TIER_WORDS: Final = {
    "microgrid": "microgrid", "微格": "microgrid", "微格协调会": "microgrid", "微格協調會": "microgrid", "协调会": "microgrid",
    "hall": "hall", "会客厅": "hall", "會客廳": "hall", "议事会": "hall", "議事會": "hall",
    "street": "street", "街道": "street", "联席会": "street", "街道联席会": "street", "街道聯席會": "street",
}  # fmt: skip
"""Words for the three meetings."""


@dataclass(frozen=True, slots=True)
class CleanPlan:
    """All that cleaning a block of one source needs, decided before the first block."""

    source_id: str
    fields: Mapping[str, FieldName]
    times: Mapping[str, TimePlan]
    points: PointPlan | None
    categories: Mapping[str, str]
    category_code: str | None
    states: Mapping[str, str]
    reporter: str
    salt: bytes = field(repr=False)


def field_text(frame: pl.DataFrame, columns: FieldName, *, joint: str = " ") -> pl.Series:
    """Return a report field's cells, trimmed; several columns are joined, blank cells left out.

    Parameters
    ----------
    frame : pl.DataFrame
        String columns.
    columns : str or list of str
        Source column(s).
    joint : str, default " "
        Stands between joined cells.

    Returns
    -------
    pl.Series of String
        Blank is null.

    Raises
    ------
    polars.exceptions.ColumnNotFoundError
        The frame lacks a column.
    """
    names = [columns] if isinstance(columns, str) else columns
    parts = [pl.col(name).str.strip_chars().replace("", None) for name in names]
    joined = parts[0] if len(parts) == 1 else pl.concat_str(parts, separator=joint, ignore_nulls=True).replace("", None)
    return frame.select(joined.alias("v")).to_series()


def clean_block(frame: pl.DataFrame, plan: CleanPlan) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Clean one block.

    Parameters
    ----------
    frame : pl.DataFrame
        `line_no` and the source's columns as text.
    plan : CleanPlan

    Returns
    -------
    rows : pl.DataFrame
        Columns of `schema.CLEAN`.
    rejected : pl.DataFrame
        Columns of `schema.REJECTED`; rows and rejected together have the height of `frame`.

    Raises
    ------
    SourceError
        A column of times contradicts the order of day and month that was decided for it.
    """
    cleaner = _Cleaner(frame, plan)
    cleaner.identify()
    cleaner.date()
    cleaner.place()
    cleaner.classify()
    cleaner.describe()
    return cleaner.rows(), cleaner.faults.frame()


class Faults:
    """The first broken rule of each record."""

    def __init__(self, line_no: pl.Series) -> None:
        self._line_no = line_no
        self._parts: list[pl.DataFrame] = []
        self.seen = pl.repeat(value=False, n=line_no.len(), dtype=pl.Boolean, eager=True)

    def add(self, where: pl.Series, column: FieldName, rule: str, detail: str, values: pl.Series | None = None) -> None:
        """Blame the records of `where` that have no fault yet."""
        rows = (where & ~self.seen).arg_true()
        if not rows.len():
            return
        self.seen = self.seen | where
        shown = pl.repeat(None, rows.len(), dtype=pl.String, eager=True) if values is None else values.gather(rows)
        self._parts.append(
            pl.DataFrame(
                {"line_no": self._line_no.gather(rows), "value": scrub(shown.str.slice(0, 2000)).str.slice(0, VALUE_MAX_CHARS)}
            ).with_columns(
                field=pl.lit(column if isinstance(column, str) else " + ".join(column)), rule=pl.lit(rule), detail=pl.lit(detail)
            )
        )

    def frame(self) -> pl.DataFrame:
        """Return the faults as `schema.REJECTED`."""
        if not self._parts:
            return REJECTED.empty()
        return REJECTED.conform(pl.concat(self._parts)).sort("line_no", maintain_order=True)


class _Cleaner:
    """The columns of one block on their way."""

    def __init__(self, frame: pl.DataFrame, plan: CleanPlan) -> None:
        self.frame = frame
        self.plan = plan
        self.n = frame.height
        self.faults = Faults(frame["line_no"])
        self.flags = pl.zeros(self.n, dtype=pl.UInt32, eager=True)
        self.out: dict[str, pl.Series] = {"line_no": frame["line_no"]}

    def text(self, name: str, *, joint: str = " ") -> pl.Series:
        columns = self.plan.fields.get(name)
        return self.blank() if columns is None else field_text(self.frame, columns, joint=joint)

    def blank(self, dtype: pl.DataType | type[pl.DataType] = pl.String) -> pl.Series:
        return pl.repeat(None, self.n, dtype=dtype, eager=True)

    def flag(self, repair: str, where: pl.Series) -> None:
        if where.any():
            self.flags = self.flags | where.fill_null(value=False).cast(pl.UInt32) * REPAIR_BIT[repair]

    def identify(self) -> None:
        columns = self.plan.fields.get("id")
        if columns is None:
            ids = record_digests(self.frame.drop("line_no"))
        else:
            ids = self.text("id")
            self.faults.add(
                ids.is_null(), columns, "blank_id", "the record has no id; give it one, or leave fields.id out of the city file"
            )
            detail = "a spreadsheet cut this id's digits; export the column as text"
            self.faults.add(is_scientific_id(ids), columns, "id_in_scientific_notation", detail, ids)
        self.out["source_report_id"] = ids
        self.out["report_id"] = pl.select(pl.concat_str(pl.lit(f"{self.plan.source_id}:"), ids)).to_series()

    def date(self) -> None:
        for name in TIME_FIELDS:
            columns = self.plan.fields.get(name)
            if columns is None:
                self.out[name] = self.blank(CLEAN.dtypes["occurred_at"])
                continue
            text = self.text(name)
            parsed = parse_times(text, self.plan.times[name], due=name == "due_at")
            for rule in parsed.fault.drop_nulls().unique(maintain_order=True):
                detail = RULES[rule].format(source=self.plan.source_id)
                self.faults.add((parsed.fault == rule).fill_null(value=False), columns, rule, detail, text)
            self.flag("time_repaired", parsed.repaired)
            self.out[name] = parsed.at
        occurred, reported, closed = (self.out[name] for name in TIME_FIELDS[:3])
        self.out["occurred_at"], self.out["reported_at"] = occurred.fill_null(reported), reported.fill_null(occurred)
        dated = [name for name in TIME_FIELDS[:2] if name in self.plan.fields]
        shown = [part for name in dated for part in _as_list(self.plan.fields[name])]
        self.faults.add(self.out["reported_at"].is_null(), shown, "blank_time", "the record has no time and fits no period; add one")
        early = (closed < self.out["reported_at"]) | (closed < self.out["occurred_at"])
        self.flag("closed_before_opened", early.fill_null(value=False))

    def place(self) -> None:
        if self.plan.points is None:
            self.out["x"], self.out["y"] = self.blank(pl.Float64), self.blank(pl.Float64)
            return
        lon, lat = self.text("lon"), self.text("lat")
        points = read_points(lon, lat, self.plan.points)
        columns = [*_as_list(self.plan.fields["lon"]), *_as_list(self.plan.fields["lat"])]
        both = pl.select(pl.concat_str(lon, lat, separator=", ", ignore_nulls=True)).to_series()
        self.faults.add(points.not_number, columns, "not_a_number", "a coordinate must be a finite number or blank", both)
        detail = f"these are no degrees; correct them, or declare sources.{self.plan.source_id}.crs"
        self.faults.add(points.impossible, columns, "coordinate_out_of_range", detail, both)
        self.flag("axes_swapped", points.swapped)
        self.out["x"], self.out["y"] = points.x, points.y

    def classify(self) -> None:
        raw = self.text("category", joint=" > ")
        if self.plan.category_code is not None:
            code = pl.repeat(self.plan.category_code, self.n, dtype=pl.String, eager=True)
        else:
            code = by_label(raw, self.plan.categories)
            self.flag("category_unknown", code.is_null())
            code = code.fill_null(UNKNOWN_CODE)
        self.out["category_raw"], self.out["category_code"] = raw, code
        if "state" in self.plan.fields:
            said = self.text("state")
            state = by_label(said, {**{name: name for name in STATES}, **self.plan.states})
            self.flag("state_unknown", said.is_not_null() & state.is_null())
        elif "closed_at" in self.plan.fields:
            state = pl.select(pl.when(self.out["closed_at"].is_null()).then(pl.lit("open")).otherwise(pl.lit("closed"))).to_series()
        else:
            state = self.blank()
        self.out["state"] = state

    def describe(self) -> None:
        for name in ("text", "address"):
            before = self.text(name)
            after = scrub(before) if name in self.plan.fields else before
            self.flag("text_scrubbed", was_scrubbed(before, after))
            self.out[name] = after
        self.out["unit_named"] = self.text("unit_code")
        self.out["tier"] = by_label(self.text("tier"), TIER_WORDS)
        self.out["reporter_hash"] = self._reporter_hash()
        kind = by_label(self.text("reporter_kind"), _KINDS)
        self.out["reporter_kind"] = kind.fill_null(self.plan.reporter) if self.plan.reporter != "mixed" else kind

    def _reporter_hash(self) -> pl.Series:
        said = self.text("reporter_id")
        distinct = said.drop_nulls().unique()
        key = self.plan.salt[:64]
        hashed = [blake2b(f"{self.plan.source_id}:{one}".encode(), digest_size=8, key=key).hexdigest() for one in distinct]
        return _replace(said, distinct, pl.Series(hashed, dtype=pl.String))

    def rows(self) -> pl.DataFrame:
        n = self.n
        self.out["source_id"] = pl.repeat(self.plan.source_id, n, dtype=pl.String, eager=True)
        self.out["flags"] = self.flags
        rows = CLEAN.conform(pl.DataFrame(self.out))
        return rows.filter(~self.faults.seen) if self.faults.seen.any() else rows


def record_digests(frame: pl.DataFrame) -> pl.Series:
    """Return a digest of each record, equal for equal records, for sources without ids.

    Parameters
    ----------
    frame : pl.DataFrame
        All source columns as text.

    Returns
    -------
    pl.Series of String
        16 hexadecimal digits of BLAKE2b over the cells; blank and empty are the same.

    Raises
    ------
    Nothing.
    """
    cells = [pl.col(name).fill_null("") for name in frame.columns]
    records = frame.select(pl.concat_str(cells, separator="\x1f")).to_series()
    digests = [blake2b(record.encode(), digest_size=8).hexdigest() for record in records]
    return pl.Series(digests, dtype=pl.String)


def _as_list(columns: FieldName) -> list[str]:
    return [columns] if isinstance(columns, str) else list(columns)


def by_label(raw: pl.Series, mapping: Mapping[str, str]) -> pl.Series:
    """Map labels, compared folded; null where blank or unknown.

    Parameters
    ----------
    raw : pl.Series of String
    mapping : mapping of str to str

    Raises
    ------
    Nothing.
    """
    folded = {fold_label(label): value for label, value in mapping.items()}
    distinct = raw.drop_nulls().unique()
    return _replace(raw, distinct, pl.Series([folded.get(fold_label(label)) for label in distinct], dtype=pl.String))


def _replace(values: pl.Series, old: pl.Series, new: pl.Series) -> pl.Series:
    if not old.len():
        return pl.repeat(None, values.len(), dtype=pl.String, eager=True)
    return values.replace_strict(old, new, default=None, return_dtype=pl.String)
