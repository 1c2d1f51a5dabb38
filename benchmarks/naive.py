"""The yardstick of pipeline.py: the same job as a competent analyst's pandas and geopandas script, without a ledger.

python benchmarks/naive.py CITY_FOLDER OUT_FOLDER

Reads the four Luqiao feeds, maps their categories and states, parses times, shifts datums (all numpy), joins micro-grids and streets,
assigns H3 at three resolutions, counts by week, and writes Parquet. Every choice is the fast one of its library: calamine for XLSX,
explicit time formats, sjoin's spatial index. Bad lines are skipped and unreadable values become missing, as such scripts do.
"""

import json
import sys
from pathlib import Path

import geopandas as gpd
import h3
import numpy as np
import pandas as pd

ZONE = "Asia/Shanghai"
SOURCES = {
    "party": {
        "crs": "wgs84",
        "time": "%Y年%m月%d日 %H时%M分%S秒",
        "columns": {
            "编号": "id", "大类": "group", "小类": "category", "发生时间": "occurred_at", "上报时间": "reported_at",
            "办结时间": "closed_at", "办理期限": "due_at", "状态": "state", "经度": "x", "纬度": "y", "微格代码": "unit", "描述": "text",
        },
        "states": {
            "待办": "open", "办理中": "handling", "挂账": "suspended", "退回": "returned", "延期": "extended", "加急": "expedited",
            "作废": "void", "已办结": "closed",
        },
    },
    "safety": {
        "crs": "gcj02",
        "time": "%Y/%m/%d %H:%M:%S",
        "columns": {
            "事件编号": "id", "事件类型": "category", "接报时间": "reported_at", "结案时间": "closed_at", "限办时间": "due_at",
            "处理状态": "state", "经度": "x", "纬度": "y", "所属村社": "unit", "事件描述": "text",
        },
        "states": {"未处理": "open", "处理中": "handling", "已结案": "closed", "作废": "void"},
    },
    "tenancy": {
        "crs": "EPSG:4549",
        "time": None,
        "columns": {
            "工单号": "id", "问题类别": "category", "登记时间": "reported_at", "整改时间": "closed_at", "处理结果": "state",
            "横坐标": "x", "纵坐标": "y", "村社代码": "unit", "备注": "text",
        },
        "states": {"未整改": "open", "整改中": "handling", "已整改": "closed"},
    },
    "food": {
        "crs": "bd09",
        "time": "ms",
        "columns": {
            "report_no": "id", "type_code": "category", "created_ms": "reported_at", "closed_ms": "closed_at", "status": "state",
            "lng": "x", "lat": "y", "street_name": "unit", "note": "text",
        },
        "states": {"0": "open", "1": "handling", "2": "closed"},
    },
}  # fmt: skip


def main(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    frames = []
    for name, source in SOURCES.items():
        for path in sorted((folder / "data").glob(f"{name}_*")):
            rows = read(path, source["columns"])
            rows = tidy(rows, source, folder / "data" / f"categories_{name}.csv")
            rows.insert(0, "source", name)
            frames.append(rows)
    reports = pd.concat(frames, ignore_index=True)
    reports = reports.drop_duplicates(["source", "id"], keep="last").reset_index(drop=True)
    reports = place(reports, folder)
    reports.to_parquet(out / "reports.parquet", compression="zstd")

    local = reports["occurred_at"].dt.tz_convert(ZONE).dt.tz_localize(None)
    reports["week_on"] = (local - pd.to_timedelta(local.dt.day_of_week, unit="D")).dt.normalize()
    for column in ("microgrid", "street", "cell_8", "cell_9", "cell_10"):
        counts = reports.groupby([column, "week_on", "category"], observed=True).size().rename("n").reset_index()
        counts.to_parquet(out / f"weekly_{column}.parquet", compression="zstd")
    print(json.dumps({"rows": len(reports), "in_a_microgrid": int(reports["microgrid"].notna().sum())}))


def read(path: Path, columns: dict[str, str]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        rows = pd.read_parquet(path, columns=list(columns)).astype("str")
    elif path.suffix == ".xlsx":
        rows = pd.read_excel(path, usecols=list(columns), engine="calamine")
    else:
        encoding = "gb18030" if path.name.startswith("safety") else "utf-8"
        rows = pd.read_csv(path, usecols=list(columns), dtype="str", encoding=encoding, encoding_errors="replace", on_bad_lines="skip")
    return rows.rename(columns=columns)


def tidy(rows: pd.DataFrame, source: dict, categories: Path) -> pd.DataFrame:
    label = (
        rows["group"].str.strip() + " > " + rows["category"].str.strip() if "group" in rows else rows["category"].astype("str").str.strip()
    )
    codes = pd.read_csv(categories, dtype="str").set_index("raw")["code"]
    rows["category"] = label.map(codes).fillna("OT99")
    rows["state"] = rows["state"].astype("str").str.strip().map(source["states"])
    for column in ("occurred_at", "reported_at", "closed_at", "due_at"):
        if column in rows:
            rows[column] = times(rows[column], source["time"])
    if "occurred_at" not in rows:
        rows["occurred_at"] = rows["reported_at"]
    for column in ("x", "y"):
        rows[column] = pd.to_numeric(rows[column], errors="coerce")
    swapped = (rows["y"] > 90) & (rows["x"] < 90)
    rows.loc[swapped, ["x", "y"]] = rows.loc[swapped, ["y", "x"]].to_numpy()
    rows["lon"], rows["lat"] = to_wgs84(rows.pop("x").to_numpy(), rows.pop("y").to_numpy(), source["crs"])
    for column in ("id", "unit", "text"):
        rows[column] = rows[column].astype("str")
    return rows.drop(columns="group", errors="ignore")


def times(column: pd.Series, form: str | None) -> pd.Series:
    if form == "ms":
        return pd.to_datetime(pd.to_numeric(column, errors="coerce"), unit="ms", utc=True, errors="coerce")
    parsed = pd.to_datetime(column, format=form, errors="coerce")
    return parsed.dt.tz_localize(ZONE, ambiguous="NaT", nonexistent="NaT").dt.tz_convert("UTC")


def to_wgs84(x: np.ndarray, y: np.ndarray, crs: str) -> tuple[np.ndarray, np.ndarray]:
    if crs.startswith("EPSG"):
        points = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=crs).to_crs("EPSG:4326")
        return points.x.to_numpy(), points.y.to_numpy()
    if crs == "bd09":
        u, v = x - 0.0065, y - 0.006
        radius = np.hypot(u, v) - 0.00002 * np.sin(v * np.pi * 3000 / 180)
        angle = np.arctan2(v, u) - 0.000003 * np.cos(u * np.pi * 3000 / 180)
        x, y, crs = radius * np.cos(angle), radius * np.sin(angle), "gcj02"
    if crs == "gcj02":
        lon, lat = x.copy(), y.copy()
        for _ in range(3):
            shifted_lon, shifted_lat = gcj02(lon, lat)
            lon, lat = lon + x - shifted_lon, lat + y - shifted_lat
        return lon, lat
    return x, y


def gcj02(lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y, pi = lon - 105, lat - 35, np.pi
    wave = (20 * np.sin(6 * pi * x) + 20 * np.sin(2 * pi * x)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + wave
    north += (20 * np.sin(pi * y) + 40 * np.sin(pi * y / 3) + 160 * np.sin(pi * y / 12) + 320 * np.sin(pi * y / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + wave
    east += (20 * np.sin(pi * x) + 40 * np.sin(pi * x / 3) + 150 * np.sin(pi * x / 12) + 300 * np.sin(pi * x / 30)) * 2 / 3
    flat = 1 - 0.00669342162296594323 * np.sin(np.radians(lat)) ** 2
    d_lat = np.degrees(north * flat**1.5 / (6378245.0 * (1 - 0.00669342162296594323)))
    d_lon = np.degrees(east * np.sqrt(flat) / (6378245.0 * np.cos(np.radians(lat))))
    return lon + d_lon, lat + d_lat


def place(reports: pd.DataFrame, folder: Path) -> pd.DataFrame:
    layers = {
        "microgrid": gpd.read_file(folder / "data" / "microgrids.gpkg", layer="微格"),
        "street": gpd.read_file(folder / "data" / "streets.zip", encoding="GBK"),
    }
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(reports["lon"], reports["lat"]), crs="EPSG:4326")
    for name, layer in layers.items():
        units = layer.to_crs("EPSG:4326")[["代码", "geometry"]]
        joined = points.sjoin(units, predicate="within", how="left")
        reports[name] = joined.loc[~joined.index.duplicated(), "代码"]
    usable = reports["lon"].between(-180, 180) & reports["lat"].between(-90, 90)
    lon, lat = reports.loc[usable, "lon"].tolist(), reports.loc[usable, "lat"].tolist()
    for resolution in (8, 9, 10):
        cells = pd.Series(None, index=reports.index, dtype="str")
        cells[usable] = [h3.latlng_to_cell(b, a, resolution) for a, b in zip(lon, lat, strict=True)]
        reports[f"cell_{resolution}"] = cells
    return reports


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
