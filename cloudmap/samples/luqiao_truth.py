"""What is true of the generated Luqiao: exact counts that loading and analysing must find again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from cloudmap.samples import luqiao_plan as plan
from cloudmap.samples.luqiao_dirt import KINDS
from cloudmap.samples.luqiao_places import Places, spell
from cloudmap.samples.luqiao_records import END_S, office_of, office_point
from cloudmap.samples.luqiao_reports import DAY_S, Drawn, to_time

_REJECTED: Final = [kind.name for kind in KINDS if kind.ledger_class == "quarantined"]
_UNPLACED: Final = [kind.name for kind in KINDS if kind.ledger_class in ("unmapped", "outside", "area_only", "quarantined")]

RULES: Final = {
    "lines": "input records of a file; a quoted newline does not start a new one",
    "classes": "each record ends in one; repeated and superseded count the extra lines, their good version is located",
    "repairs": "counted over records that end as located, area_only, unmapped or outside",
    "datum_shifted": "every positioned record of a source that is not in WGS84 or CGCS2000 degrees",
    "n": "hotspots: located reports of the category in these micro-grids, by local day of occurred_at",
    "reports": "truth/<source>.parquet holds one row per report; lon_deg, lat_deg are true WGS84, 4 m or more from any micro-grid's edge",
}


def report_truth(records: pl.DataFrame, places: Places) -> pl.DataFrame:
    """Return the true row of each report of one file: what `truth/<source>.parquet` holds."""
    classes = {kind.name: "located" if kind.ledger_class in ("repeated", "superseded") else kind.ledger_class for kind in KINDS}
    zone = "Asia/Shanghai"
    return records.select(
        pl.col("report_id").alias("source_report_id"),
        pl.col("dirt"),
        pl.col("dirt").replace_strict(classes, default="located").fill_null("located").alias("ledger_class"),
        pl.col("code").alias("category_code"),
        *(
            to_time(pl.col(name)).dt.replace_time_zone(zone).dt.convert_time_zone("UTC").alias(f"{name}_at")
            for name in ("occurred", "reported", "closed", "due")
        ),
        "state",
        "lon_deg",
        "lat_deg",
        spell(places.codes, records["microgrid"]).alias("microgrid_code"),
        "planted",
        pl.col("cluster").replace(-1, None).alias("cluster"),
    )


def sum_up(drawn: Drawn, facts: pl.DataFrame, files: list[dict[str, Any]], places: Places) -> dict[str, Any]:
    """Work out the planted truths.

    Parameters
    ----------
    drawn : Drawn
        What was drawn.
    facts : polars.DataFrame
        One row per report of all sources: source (id) and the columns that `make_luqiao` keeps of its records.
    files : list of dict
        Expected ledger entry of each file.
    places : Places

    Returns
    -------
    dict
        JSON-ready.
    """
    located = facts.filter(~pl.col("dirt").is_in(_UNPLACED).fill_null(value=False))
    accepted = facts.filter(~pl.col("dirt").is_in(_REJECTED).fill_null(value=False))
    return {
        "rules": RULES,
        "now": _instant(int(accepted["reported"].max())),  # type: ignore[arg-type]
        "base_map": _base_map(places),
        "files": files,
        "totals": _totals(files),
        "hotspots": [_hotspot(entry, located, places) for entry in drawn.hotspots],
        "launch": _launch(facts),
        "silent": _silent(drawn, facts, places),
        "duplicates": _duplicates(facts),
        "overdue": _overdue(located, places),
        "renamed": _renamed(facts),
        "campaign": _campaign(drawn, accepted),
        "offices": _offices(facts, places),
    }


def _instant(seconds: int) -> str:
    moment = pl.select(to_time(pl.lit(seconds)).dt.replace_time_zone("Asia/Shanghai").dt.convert_time_zone("UTC")).item()
    return str(moment.isoformat())


def _totals(files: list[dict[str, Any]]) -> dict[str, Any]:
    totals: dict[str, Any] = {"lines": sum(one["lines"] for one in files)}
    for part in ("classes", "repairs", "dirt"):
        keys = sorted({key for one in files for key in one[part]})
        totals[part] = {key: sum(one[part].get(key, 0) for one in files) for key in keys}
    return totals


def _base_map(places: Places) -> dict[str, Any]:
    streets, counts = np.unique(places.streets.astype(str), return_counts=True)
    people = [int(places.population[places.streets == street].sum()) for street in streets]
    return {
        "microgrids_n": len(places.codes),
        "microgrids_by_street": dict(zip(streets.tolist(), counts.tolist(), strict=True)),
        "population_n": int(places.population.sum()),
        "population_by_street": dict(zip(streets.tolist(), people, strict=True)),
        "without_staff": places.codes[places.staff == 0].tolist(),
        "without_volunteer": places.codes[places.volunteers == 0].tolist(),
    }


def _hotspot(entry: dict[str, Any], located: pl.DataFrame, places: Places) -> dict[str, Any]:
    spot: plan.Hotspot = entry["spot"]
    rows = entry["rows"]
    first, last = plan.day_of(spot.first_on) * DAY_S, (plan.day_of(spot.last_on) + 1) * DAY_S
    inside = located.filter(
        pl.col("microgrid").is_in(rows),
        pl.col("code") == spot.category,
        pl.col("occurred").is_between(first, last, closed="left"),
        (pl.col("dirt") != "unknown_category").fill_null(value=True),
    )
    return {
        "id": spot.id,
        "kind": spot.kind,
        "category": spot.category,
        "street": spot.street,
        "microgrids": sorted(places.codes[rows].tolist()),
        "first_on": spot.first_on.isoformat(),
        "last_on": spot.last_on.isoformat(),
        "planned_relative_risk": spot.relative_risk,
        "expected_n": round(entry["expected"], 3),
        "planted_n": entry["extra_n"],
        "n": inside.height,
    }


def _launch(facts: pl.DataFrame) -> dict[str, Any]:
    day = plan.day_of(plan.LAUNCH_ON)
    reported = facts.filter(pl.col("source") == "party")["reported"]
    before, after = int((reported < day * DAY_S).sum()), int((reported >= day * DAY_S).sum())
    fold = (after / (plan.DAYS_N - day)) / (before / day) if before else None
    return {
        "source": "party",
        "on": plan.LAUNCH_ON.isoformat(),
        "planned_fold": plan.LAUNCH_FOLD,
        "before_n": before,
        "after_n": after,
        "before_days": day,
        "after_days": plan.DAYS_N - day,
        "fold": round(fold, 2) if fold else None,
    }


def _silent(drawn: Drawn, facts: pl.DataFrame, places: Places) -> dict[str, Any]:
    inside = facts.filter(pl.col("microgrid").is_in(drawn.silent), pl.col("dirt").ne_missing("office"))
    since = plan.day_of(plan.SILENT_FROM) * DAY_S
    return {
        "from": plan.SILENT_FROM.isoformat(),
        "microgrids": places.codes[drawn.silent].tolist(),
        "before_n": int((inside["reported"] < since).sum()),
        "after_n": int((inside["reported"] >= since).sum()),
    }


def _duplicates(facts: pl.DataFrame) -> dict[str, Any]:
    sizes = facts.filter(pl.col("cluster") >= 0).group_by("cluster").len()["len"]
    by_size = {str(size): n for size, n in sizes.value_counts().sort("len").iter_rows()}
    return {"file": "truth/duplicates.csv", "clusters_n": len(sizes), "reports_n": int(sizes.sum()), "clusters_by_size": by_size}


def _overdue(located: pl.DataFrame, places: Places) -> dict[str, Any]:
    """Count reports with a deadline in the planted span, and how many are open past it, per street."""
    due = located.filter(
        pl.col("source").is_in(["party", "safety"]), pl.col("reported") >= plan.day_of(plan.OVERDUE_FROM) * DAY_S, pl.col("due") <= END_S
    )
    streets = spell(places.streets, due["microgrid"])
    open_past = ~pl.col("state").is_in(["closed", "void"])
    table = (
        due.with_columns(streets.alias("street")).group_by("street").agg(pl.len().alias("due_n"), open_past.sum().alias("open_past_due_n"))
    )
    rows = {street: {"due_n": n, "open_past_due_n": late} for street, n, late in table.sort("street").iter_rows()}
    return {"street": plan.OVERDUE_STREET, "from": plan.OVERDUE_FROM.isoformat(), "by_street": rows}


def _renamed(facts: pl.DataFrame) -> dict[str, Any]:
    code, before, after = plan.RENAMED
    raw = facts.filter(pl.col("source") == "safety")["raw"]
    counts = {label: int((raw == label).sum()) for label in (before, after)}
    return {"source": "safety", "category": code, "on": plan.RENAMED_ON.isoformat(), "before": before, "after": after, "n": counts}


def _campaign(drawn: Drawn, accepted: pl.DataFrame) -> dict[str, Any]:
    found = accepted.filter(pl.col("code") == plan.CAMPAIGN_CODE)
    monday = (pl.col("reported") // DAY_S + plan.FIRST_ON.weekday()) // 7 * 7 - plan.FIRST_ON.weekday()
    weekly = found.group_by(monday.alias("day")).len().sort("day")
    weeks = {(plan.FIRST_ON + timedelta(days=day)).isoformat(): n for day, n in weekly.iter_rows()}
    return {
        "category": plan.CAMPAIGN_CODE,
        "on": plan.CAMPAIGN_ON.isoformat(),
        "zero_on": plan.CAMPAIGN_ZERO_ON.isoformat(),
        "targets_n": drawn.targets.height,
        "reports_n": found.height,
        "reports_by_week": weeks,
    }


def _offices(facts: pl.DataFrame, places: Places) -> dict[str, Any]:
    counts = facts.filter(pl.col("dirt") == "office").group_by("source").len()
    return {
        source: {"x": office_point(source, places)[0], "y": office_point(source, places)[1], "n": n,
                 "microgrid": str(places.codes[office_of(source, places)])}
        for source, n in counts.sort("source").iter_rows()
    }  # fmt: skip
