"""Made-up statistics in the shape that the reader promises: every table with the columns that a page shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from cloudmap.analytics.result import Result

Make = Callable[..., Result]


def _result(method: str, table: pl.DataFrame, *caveats: str, **parameters: Any) -> Result:
    masked = table if "masked" in table.columns else table.with_columns(masked=pl.lit(value=False))
    return Result(method, parameters, masked, "made up", caveats or ("reported_not_people",), {})


def effort(reader: Any) -> Result:
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for at, source in enumerate(("ALL", "app", "hotline")):
        for week in range(120):
            n = int(rng.poisson(40 if week < 60 else 900) / (at + 1)) + 1
            rows.append(
                {
                    "source_id": source,
                    "week_on": date(2016, 5, 2) + timedelta(weeks=week),
                    "reports_n": n,
                    "active_reporters_n": n // 6 + 1,
                    "resident_n": n // 3,
                    "staff_n": n - n // 3,
                    "lag_median_h": 5.0,
                    "lag_p90_h": 60.0,
                }
            )
    return _result("effort", pl.DataFrame(rows))


def completeness(reader: Any) -> Result:
    rows = [
        {"source_id": source, "weeks_since": k, "arrived_share": 1 - 0.5 * 0.4**k, "reports_n": 900}
        for source in ("ALL", "app", "hotline")
        for k in range(13)
    ]
    return _result("completeness", pl.DataFrame(rows))


def regimes(reader: Any) -> Result:
    launch = date(2017, 6, 26)
    rows = [
        ("ALL", date(2016, 5, 2), launch - timedelta(weeks=1), 40.0, None, None, "first", None),
        ("ALL", launch, None, 900.0, 22.5, 18.0, "declared", "民情通上线"),
        ("hotline", launch + timedelta(weeks=20), None, 300.0, 1.9, 1.4, "detected", None),
    ]
    columns = ["source_id", "first_week_on", "last_week_on", "reports_per_week", "fold", "reporters_fold", "kind", "name"]
    return _result("regimes", pl.DataFrame(rows, schema=columns, orient="row"))


def scan(reader: Any, layer: str | None, category: str) -> Result:
    places = reader.counts(layer or "cell_9", category, reader.default_period.id).sort("n", descending=True)["place"].to_list()
    rows = [
        {
            "cluster_n": rank + 1,
            "centre": places[rank * 8],
            "x_m": 0.0,
            "y_m": 0.0,
            "radius_m": 650.0 + 90 * rank,
            "places": places[rank * 8 : rank * 8 + 8],
            "places_n": 8,
            "first_week_on": date(2018, 7, 2),
            "last_week_on": date(2018, 8, 20),
            "n": 90 - 9 * rank,
            "expected": 37.4,
            "ratio": 2.4,
            "llr": 20.0 - rank,
            "p": 0.001 * (rank + 1),
            "p_gumbel": 0.0007,
            "class": "significant" if rank < 5 else "not_significant",
        }
        for rank in range(6)
    ]
    return _result("scan", pl.DataFrame(rows), "reported_not_people", "family_one_map", replicates=999, threshold=0.05)


def power(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {"weeks_n": weeks, "risk": risk, "found_share": min(1.0, 0.04 * risk * weeks**0.5)}
        for weeks in (1, 4, 13)
        for risk in (2.0, 3.0, 5.0, 10.0)
    ]
    return _result("power", pl.DataFrame(rows))


def near_repeat(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {
            "distance_from_m": near,
            "distance_to_m": far,
            "days_from": first,
            "days_to": last,
            "observed_n": 40,
            "expected_n": 20.0 + first + near / 50,
            "ratio": 40 / (20.0 + first + near / 50),
            "p": 0.001 if first < 7 and near < 250 else 0.4,
        }
        for near, far in ((0.0, 100.0), (100.0, 250.0), (250.0, 500.0))
        for first, last in ((0.0, 3.0), (3.0, 7.0), (7.0, 14.0), (14.0, 28.0))
    ]
    return _result("near-repeat", pl.DataFrame(rows))


def alarms(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {
            "place": f"st{place:03d}",
            "category_code": group,
            "week_on": date(2018, 8, 20),
            "n": 31 + place,
            "upper": 24.5,
            "expected": 15.2,
            "method": "ears_c2" if place % 2 else "farrington_flexible",
            "class": "alarm" if (place + len(group)) % 4 == 0 else "not_enough_data" if place == 1 else "none",
        }
        for place in range(9)
        for group in ("DS", "EV", "FC")
    ]
    return _result("alarms", pl.DataFrame(rows), layer="unit_street")


def near_water(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {
            "place": f"R{k}",
            "name": f"{k}号河",
            "kind": "river",
            "length_m": 21_000.0,
            "n": 20 + 30 * k,
            "per_km": (20 + 30 * k) / 21,
            "lower": k * 1.1,
            "upper": k * 1.7 + 1.5,
            "ratio": (20 + 30 * k) / 80,
            "class": "high" if k == 4 else "ordinary" if k else "not_enough_data",
            "q": 0.01 if k == 4 else 0.5,
        }
        for k in range(5)
    ]
    return _result("near water", pl.DataFrame(rows), threshold=0.05)


def water_bands(reader: Any, layer: str | None, category: str) -> Result:
    edges = (0.0, 50.0, 100.0, 200.0, 500.0)
    rows = [
        {
            "kind": kind,
            "band_from_m": near,
            "band_to_m": far,
            "area_m2": 1e6,
            "n": 60,
            "per_km2": 60 - near / 10,
            "lower": 1.6 - near / 400,
            "upper": 2.4 - near / 400,
            "ratio": 2 - near / 400,
        }
        for kind in ("ALL", "river")
        for near, far in pairwise([*edges, None])
    ]
    return _result("bands", pl.DataFrame(rows))


def risk_card(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        ("long_run", category, 1.21, 9.1, 0.62, 0.41, 0.80, None, None, None, True),
        ("last_52", category, 1.25, 8.8, 0.60, 0.40, 0.79, 0.04, 0.01, 0.08, False),
        ("poisson", category, 1.20, 9.0, 0.61, 0.41, 0.81, -0.01, -0.05, 0.02, False),
    ]
    columns = ["model", "category", "deviance", "pai", "pei_star", "hit_share", "coverage_share", "difference", "lower", "upper", "shipped"]
    return _result("risk card", pl.DataFrame(rows, schema=columns, orient="row"))


def risk_calibration(reader: Any, layer: str | None, category: str) -> Result:
    rows = [{"model": "long_run", "decile": k, "expected_n": k / 4, "observed_n": k / 4 + 0.05, "ratio": 1.0} for k in range(1, 11)]
    return _result("calibration", pl.DataFrame(rows))


def handling_before(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {
            "indicator": name,
            "cases_n": 900,
            "numerator_n": 810 if shown else None,
            "denominator_n": 900 if shown else None,
            "value": 0.9 if shown else None,
            "lower": 0.88 if shown else None,
            "upper": 0.92 if shown else None,
            "class": "regime_break" if against == "year_before" else "shown" if shown else "too_few_staff",
            "value_before": 0.87 if shown else None,
            "difference": 0.03 if shown else None,
            "difference_lower": 0.01 if shown else None,
            "difference_upper": 0.05 if shown else None,
            "against": against,
        }
        for name, shown in (("closing", True), ("on_time", True), ("rework", False))
        for against in ("before", "year_before")
    ]
    return _result("indicators", pl.DataFrame(rows))


def _rate(shown: bool, **keys: str) -> dict[str, Any]:
    counted = {"cases_n": 900, "numerator_n": 810 if shown else None, "denominator_n": 900 if shown else None}
    rate = {"value": 0.9 if shown else None, "lower": 0.88 if shown else None, "upper": 0.92 if shown else None}
    return {**keys, **counted, **rate, "class": "shown" if shown else "too_few_staff"}


def handling(reader: Any, layer: str | None, category: str) -> Result:
    rows = [_rate(k != 3, place=f"st{k:03d}", indicator=name) for k in range(9) for name in ("closing", "on_time")]
    return _result("indicators", pl.DataFrame(rows, infer_schema_length=None), "too_few_staff")


def handling_by_category(reader: Any, layer: str | None, category: str) -> Result:
    rows = [_rate(code != "DS03", category_code=code, indicator="closing") for code in ("DS02", "DS03")]
    return _result("indicators", pl.DataFrame(rows, infer_schema_length=None))


def handling_by_source(reader: Any, layer: str | None, category: str) -> Result:
    return _result("indicators", pl.DataFrame([_rate(True, source_id="app", indicator="on_time")]))


def funnel(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {
            "place": f"st{k:03d}",
            "n": 100 + 90 * k,
            "value": 0.55 if k == 4 else 0.9,
            "lower_95": 0.84,
            "upper_95": 0.95,
            "lower_998": 0.8,
            "upper_998": 0.98,
            "z": 0.1,
            "class": "below_998" if k == 4 else "within",
        }
        for k in range(9)
    ]
    return _result("funnel", pl.DataFrame(rows), "not_a_ranking")


def dwell(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {"stage": stage, "stays_n": 90, "going_on_n": 4, "value": 2.5, "lower": 1.9, "upper": None if at else 3.2, "class": "shown"}
        for at, stage in enumerate(("collect", "dispatch"))
    ]
    return _result("stays", pl.DataFrame(rows), "dwell_censored")


def burn_down(reader: Any) -> Result:
    rows = [
        {
            "week_on": date(2018, 3, 5) + timedelta(weeks=k),
            "done_n": 12 * k,
            "left_n": 240 - 12 * k,
            "left_share": 1 - k / 20,
            "name": "专项整治",
        }
        for k in range(21)
    ]
    return _result("burn-down", pl.DataFrame(rows))


def tiers(reader: Any, layer: str | None, category: str) -> Result:
    rows = [{"place": f"st{k:03d}", "class": tier, "n": 9 + k} for k in range(9) for tier in ("microgrid", "hall", "street")]
    return _result("tiers", pl.DataFrame(rows), "advice_not_decision")


def changes(reader: Any, layer: str | None, category: str) -> Result:
    rows = [
        {
            "scope": "city" if k == 0 else "unit",
            "place": "ALL" if k == 0 else f"st{k:03d}",
            "category_code": "DS",
            "n": 40 + k,
            "before_n": 20,
            "expected": 20.0,
            "reason": None,
            "ratio": None if k == 3 else 2.0,
            "lower": 1.4,
            "upper": None if k == 3 else 2.9,
            "p": 0.001,
            "q": 0.004,
            "class": "more" if k < 4 else "no_change",
            "rank": k + 1 if k < 4 else None,
        }
        for k in range(9)
    ]
    return _result("changes", pl.DataFrame(rows, infer_schema_length=None), layer="unit_street")


def situation(reader: Any) -> Result:
    rows = []
    for place in ("st000", "st001", "ALL"):
        for name, unit in UNITS.items():
            judged = name not in ("silence", "emerging_area")
            rows.append(
                {
                    "place": place,
                    "component": name,
                    "n": 90,
                    "denominator_n": 200,
                    "value": 0.45,
                    "lower": 0.4,
                    "upper": 0.5,
                    "expected": 95.0,
                    "total": 300.0,
                    "before_n": 88,
                    "before": 0.44,
                    "change": 0.01,
                    "change_lower": -0.05,
                    "change_upper": 0.07,
                    "p": 0.5,
                    "q": 0.6,
                    "direction": "worse" if (name, place) == ("timeliness", "ALL") else "same" if judged else "not_enough_data",
                    "apart": None,
                    "reason": None if judged else "few",
                    "unit": unit,
                    "source_statistic": "x",
                }
            )
    parameters = {
        "layer": "unit_street",
        "category": "ALL",
        "period": "2018-W31--2018-W34",
        "weeks": "2018-W31--2018-W34",
        "weeks_n": 4,
        "weeks_masked_n": 0,
        "masked_from": None,
        "against": "before",
        "against_weeks": "2018-W27--2018-W30",
        "comparable": True,
        "reasons": [],
        "banner": None,
        "banner_numbers": {},
        "threshold": 0.05,
        "confidence": 0.95,
        "recurrence_days": 90,
        "water_m": 100,
        "min_staff": 5,
        "tests_n": 20,
    }
    return _result("situation", pl.DataFrame(rows, infer_schema_length=None), **parameters)


UNITS = {
    "volume": "ratio",
    "severity": "per_matter",
    "timeliness": "share",
    "recurrence": "share",
    "emerging_area": "share",
    "silence": "share",
    "water": "per_km",
}
FAKE_WHOLE: dict[str, Make] = {
    "effort": effort,
    "completeness": completeness,
    "regimes": regimes,
    "burn_down": burn_down,
    "situation": situation,
}


def rates(reader: Any, layer: str | None, category: str) -> Result:
    counts = reader.counts(layer or "cell_9", category, reader.default_period.id)
    value = 0.5 + pl.col("n") / pl.col("n").max()
    table = counts.with_columns(exposure=pl.lit(900.0), ratio=value, value=value, lower=value - 0.2, upper=value + 0.3)
    return _result("rates", table.with_columns(**{"class": pl.lit("ordinary")}))


def moran(reader: Any, layer: str | None, category: str) -> Result:
    counts = reader.counts(layer or "cell_9", category, reader.default_period.id)
    table = counts.with_columns(value=pl.lit(0.2), **{"class": pl.lit("not_significant")})
    return _result("local Moran", table, "moran_describes", moran_value=0.31, moran_p=0.001, threshold=0.05)


def report_clusters(reader: Any, layer: str | None, category: str) -> Result:
    days = {"first_on": date(2018, 8, 1), "last_on": date(2018, 8, 5)}
    rows = [{"cluster_n": at + 1, "n": 20 - at, "x_m": 0.0, "y_m": 0.0, "radius_m": 120.0, **days} for at in range(3)]
    return _result("ST-DBSCAN", pl.DataFrame(rows), "clusters_are_no_test", eps_m=150, eps_days=3, min_n=5)


FAKE_STATISTICS: dict[str, Make] = {
    "rates": rates,
    "moran": moran,
    "report_clusters": report_clusters,
    "scan": scan,
    "power": power,
    "near_repeat": near_repeat,
    "alarms": alarms,
    "near_water": near_water,
    "water_bands": water_bands,
    "risk_card": risk_card,
    "risk_calibration": risk_calibration,
    "handling_before": handling_before,
    "handling": handling,
    "handling_by_category": handling_by_category,
    "handling_by_source": handling_by_source,
    "funnel": funnel,
    "dwell": dwell,
    "tiers": tiers,
    "changes": changes,
    "changes_year": changes,
}
