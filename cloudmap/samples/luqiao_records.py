"""Drawn reports become records: ids, handling, texts, named units, and coordinates in the source's own system, dirt included."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cloudmap.geo.crs import shift
from cloudmap.samples import luqiao_plan as plan
from cloudmap.samples.luqiao_places import Floats, Ints, Places, spell
from cloudmap.samples.luqiao_reports import DAY_S

END_S: Final = plan.DAYS_N * DAY_S - 60
LIMIT_DAYS: Final = {1: 10, 2: 5, 3: 3, 4: 1}
"""Days until a report is due, by severity."""

_PREFIX: Final = {"party": "MQ", "safety": "PA", "tenancy": "", "food": "SA"}
_CENTRE_SEED: Final = {"party": 11, "safety": 12, "tenancy": 13}
_OPENINGS: Final = ("附近发现", "一带有", "旁边存在", "现场核实有", "巡查时看到")
_ENDINGS: Final = ("", "，请尽快处理", "，已拍照", "，影响出行", "，多次出现", "，现场已放警示牌", ', 现场标注为"急"')
_FORMULAS: Final = ('=HYPERLINK("http://example.invalid","点击查看")', "+1", "-2+3", "@SUM(A1:A9)", "=1+1")
_UNKNOWN: Final = {"party": "综合 > 待分类", "safety": "系统迁移待核", "tenancy": "LG99 待核", "food": "F999"}
_STATES: Final[dict[str, dict[str, str]]] = {
    "party": {
        "open": "待办", "handling": "办理中", "suspended": "挂账", "returned": "退回", "extended": "延期", "expedited": "加急",
        "void": "作废", "closed": "已办结",
    },
    "safety": {"open": "未处理", "handling": "处理中", "closed": "已结案", "void": "作废"},
    "tenancy": {"open": "未整改", "handling": "整改中", "closed": "已整改"},
    "food": {"open": "0", "handling": "1", "closed": "2"},
}  # fmt: skip
_UNKNOWN_STATE: Final = {"party": "转外单位", "safety": "归档中", "tenancy": "移交", "food": "9"}
_KIND_NAMES: Final = {"party": ("居民", "网格员"), "others": ("resident", "staff")}
_TIERS: Final = ("微格协调会", "议事会", "街道联席会")


def handle(events: pl.DataFrame, places: Places, rng: np.random.Generator) -> pl.DataFrame:
    """Add ids and handling: report_id, due, closed (seconds), state (standard).

    Parameters
    ----------
    events : polars.DataFrame
        Reports of one source, in order of time.
    places : Places
    rng : numpy.random.Generator

    Returns
    -------
    polars.DataFrame
        `events` with these columns added; closed is null where a report is still open.
    """
    n = events.height
    source = plan.SOURCES[int(events["source"][0])]
    severity = dict(plan.shipped_rows().select("code", "severity").iter_rows())
    limit = np.array([LIMIT_DAYS[severity[code]] for code in plan.taxonomy_codes()])[events["category"].to_numpy()] * DAY_S
    reported = events["reported"].to_numpy()
    closed = reported + (limit * rng.lognormal(np.log(0.45), 0.55, n)).astype(np.int64)
    held_up = (places.streets[events["microgrid"].to_numpy()] == plan.OVERDUE_STREET) & (reported >= plan.day_of(plan.OVERDUE_FROM) * DAY_S)
    held_up &= rng.random(n) < plan.OVERDUE_SHARE
    is_open = held_up | (closed > END_S)
    state = np.where(is_open, np.where(rng.random(n) < 0.3, "open", "handling"), "closed")
    if source in ("party", "safety"):
        rare = [name for name in _STATES[source] if name not in ("open", "handling", "closed")]
        odd = rng.random(n) < 0.02
        state = np.where(odd, np.array(rare)[rng.integers(0, len(rare), n)], state)
        is_open |= odd
    return events.with_columns(
        pl.format("{}{}", pl.lit(_PREFIX[source]), pl.int_range(1, n + 1).cast(pl.String).str.zfill(9)).alias("report_id"),
        pl.Series("due", reported + limit),
        pl.Series("closed", closed).set(pl.Series(is_open), None),
        pl.Series("state", state.tolist(), dtype=pl.String),
    )


def close_spoilt(records: pl.DataFrame) -> pl.DataFrame:
    """Give records whose dirt is about closing a closing time to be wrong or newer: two days on, or three hours before it happened."""
    early = pl.col("dirt") == "closed_before_opened"
    newer = pl.col("dirt") == "superseded"
    return records.with_columns(
        pl.when(early)
        .then(pl.col("occurred") - 3 * 3600)
        .when(newer)
        .then(pl.col("reported") + 2 * DAY_S)
        .otherwise("closed")
        .alias("closed"),
        pl.when(early | newer).then(pl.lit("closed")).otherwise("state").alias("state"),
    )


def place(records: pl.DataFrame, source: str, places: Places, rng: np.random.Generator) -> pl.DataFrame:
    """Add true and delivered positions: lon_deg, lat_deg (true, WGS84; null where there is no place), x, y as the source writes them.

    Missing coordinates are null, NaN ones NaN.
    """
    dirt = records["dirt"].fill_null("").to_numpy()
    metres = records.select("x", "y").to_numpy().copy()
    for name, near in (("outside_far", False), ("outside_near", True)):
        metres[dirt == name] = places.points_outside(int((dirt == name).sum()), rng, near=near)
    office = dirt == "office"
    if office.any():
        metres[office] = places.centres[office_of(source, places)]
    lon, lat = _degrees(metres)
    x, y = _deliver(metres, lon, lat, source)
    x[dirt == "nan_coords"] = y[dirt == "nan_coords"] = np.nan
    x[dirt == "zero_coords"] = y[dirt == "zero_coords"] = 0.0
    swapped = dirt == "swapped_axes"
    x[swapped], y[swapped] = y[swapped], x[swapped].copy()
    none = pl.col("dirt").is_in(["missing_coords", "unknown_unit"]).fill_null(value=False)
    placed = records.with_columns(pl.Series("lon_deg", lon), pl.Series("lat_deg", lat), pl.Series("x", x), pl.Series("y", y))
    return placed.with_columns(pl.when(~none).then(pl.col(name)).alias(name) for name in ("lon_deg", "lat_deg", "x", "y"))


def office_of(source: str, places: Places) -> int:
    """Return the micro-grid on whose centre a source piles up what it could not place."""
    return int(np.random.default_rng(_CENTRE_SEED[source]).integers(0, len(places.codes)))


def office_point(source: str, places: Places) -> tuple[float, float]:
    """Return the office's coordinates as the source writes them."""
    metres = places.centres[[office_of(source, places)]]
    x, y = _deliver(metres, *_degrees(metres), source)
    return float(x[0]), float(y[0])


def describe(records: pl.DataFrame, source: str, places: Places, rng: np.random.Generator) -> pl.DataFrame:
    """Add what people write: raw category and state, unit, reporter, text, address and meeting tier."""
    n = records.height
    microgrid = records["microgrid"].to_numpy()
    dirt = pl.col("dirt").fill_null("")
    codes = spell(plan.taxonomy_codes(), records["category"])
    raw = codes.alias("raw").replace_strict(plan.labels(source))
    code, before, _ = plan.RENAMED
    old = (pl.col("code") == code) & (pl.col("reported") < plan.day_of(plan.RENAMED_ON) * DAY_S) & (source == "safety")
    unknown = pl.col("dirt") == "unknown_state"
    is_staff = np.ones(n, dtype=bool) if source in ("safety", "tenancy") else rng.random(n) < 0.72
    return records.with_columns(
        codes.alias("code"),
        raw,
        _texts(records, places, rng),
        spell(_units(source, places), microgrid).alias("unit"),
        spell(places.area_names, microgrid).alias("address") + "一带",
        _reporters(source, microgrid, is_staff, places, rng).alias("reporter"),
        spell(_KIND_NAMES["party" if source == "party" else "others"], is_staff).alias("reporter_kind"),
        spell(_TIERS, np.searchsorted((0.83, 0.965), rng.random(n))).alias("tier"),
    ).with_columns(
        pl.when(dirt == "unknown_category").then(pl.lit(_UNKNOWN[source])).when(old).then(pl.lit(before)).otherwise("raw").alias("raw"),
        pl.when(unknown).then(pl.lit(_UNKNOWN_STATE[source])).otherwise(pl.col("state").replace_strict(_STATES[source])).alias("raw_state"),
        pl.when(dirt == "unknown_unit").then(pl.lit("331004999001001")).otherwise("unit").alias("unit"),
    )


def _degrees(metres: Floats) -> tuple[Floats, Floats]:
    from pyproj import Transformer

    lon, lat = Transformer.from_crs("EPSG:4549", "EPSG:4490", always_xy=True).transform(metres[:, 0], metres[:, 1])
    return np.asarray(lon), np.asarray(lat)


def _deliver(metres: Floats, lon: Floats, lat: Floats, source: str) -> tuple[Floats, Floats]:
    """Write positions in a source's own system, rounded as it rounds."""
    if source == "tenancy":
        return np.round(metres[:, 0], 2), np.round(metres[:, 1], 2)
    if source == "safety":
        lon, lat = shift(lon, lat, source="wgs84", target="gcj02")
    if source == "food":
        lon, lat = shift(lon, lat, source="wgs84", target="bd09")
    return np.round(lon, 6), np.round(lat, 6)


def _units(source: str, places: Places) -> NDArray[np.object_]:
    """Return how a source names the unit of each micro-grid."""
    return {"party": places.codes, "safety": places.area_names, "tenancy": places.areas, "food": places.street_names}[source]


def _reporters(source: str, microgrid: Ints, is_staff: NDArray[np.bool_], places: Places, rng: np.random.Generator) -> pl.Series:
    n = len(microgrid)
    staff = microgrid * 4 + rng.integers(0, np.maximum(places.staff[microgrid], 1))
    if source in ("safety", "tenancy"):
        staff = microgrid // 6 * 6 + rng.integers(0, 3, n)
    number = np.where(is_staff, staff, 100_000 + rng.integers(0, 60_000, n))
    return spell(("JM", "GZ"), is_staff) + pl.Series(number).cast(pl.String).str.zfill(7)


def _texts(records: pl.DataFrame, places: Places, rng: np.random.Generator) -> pl.Series:
    n = records.height
    names = dict(plan.shipped_rows().select("code", "l2_zh").iter_rows())
    parts = {
        "place": spell(places.names, records["microgrid"]),
        "opening": spell(_OPENINGS, rng.integers(0, len(_OPENINGS), n)),
        "what": spell((names[code] for code in plan.taxonomy_codes()), records["category"]),
        "ending": spell(_ENDINGS, rng.integers(0, len(_ENDINGS), n)),
        "formula": spell(_FORMULAS, rng.integers(0, len(_FORMULAS), n)),
        "number": pl.Series(rng.integers(0, 100_000, n)).cast(pl.String).str.zfill(5),
        "dirt": records["dirt"].fill_null(""),
    }
    digits = [chr(code) for code in range(0x30, 0x3A)]
    wide = pl.col("number").str.replace_many(digits, [chr(code) for code in range(0xFF10, 0xFF1A)])
    dirt, text = pl.col("dirt"), pl.concat_str("place", "opening", "what", "ending")
    # None of these numbers belongs to anybody: 140 is no telephone prefix, 99 no province, 00000 no plate series.
    phone = (
        pl.when(pl.col("number").str.ends_with("7")).then("，联系电话１４００００" + wide).otherwise("，联系电话140000" + pl.col("number"))
    )
    spoilt = (
        pl.when(dirt == "phone_in_text").then(text + phone)
        .when(dirt == "identity_in_text").then(text + "，证件990000190001" + pl.col("number") + "X")
        .when(dirt == "plate_in_text").then(text + "，车牌浙J" + pl.col("number"))
        .when(dirt == "formula_text").then(pl.col("formula"))
        .when(dirt == "multiline_text").then(text + "\n第二行补充：" + pl.col("what"))
        .otherwise(text)
    )  # fmt: skip
    return pl.DataFrame(parts).select(spoilt.alias("text")).to_series()
