"""Back-tests of risk on real and drawn cities, and how its intervals, verdicts and refusals hold on simulated ones.

python -m benchmarks.risk portland FOLDER          NIJ 2017: crimes_veh.csv.gz, crimes_bur.csv.gz, portland_neighborhoods.geojson
python -m benchmarks.risk boston demo/boston       crime sample 2023-2025 of a loaded city (restricted categories: needs the files)
python -m benchmarks.risk luqiao demo/luqiao       the drawn city, with its planted truths
python -m benchmarks.risk calibration [RUNS=400]   coverage and P(ratio > 2) on the model's own cities and on others
python -m benchmarks.risk layers [RUNS=200]        layers of noise, rough and smooth, and one that matters
python -m benchmarks.risk feedback

Prints Markdown (kept in benchmarks/risk.md). Every run is seeded.
"""

import gzip
import json
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from cloudmap.analytics.feedback import simulate
from cloudmap.analytics.panel import Panel
from cloudmap.analytics.risk import forecast
from cloudmap.analytics.risk_card import back_test_risk
from cloudmap.analytics.risk_layers import judge_layers
from cloudmap.analytics.risk_ready import make_ready
from tests.calibration.risk_cities import KINDS, drawn_city, layered_city, noise_layer, told
from tests.calibration.simulated import ground, interval

LAUNCH = date(2017, 1, 2)
"""Luqiao's app: reporting grew 54-fold, and nothing may be learned from before."""


def share(hits, runs):
    low, high = interval(int(hits), int(runs))
    return f"{hits / runs:.3f} ({low:.3f}-{high:.3f})"


def show(title, panel, **wanted):
    """One card as a Markdown table."""
    began = time.process_time()
    made = back_test_risk(panel, **wanted)
    spent = time.process_time() - began
    settings = made.card.parameters
    n, reports = panel.counts.shape[0], int(panel.counts[:, panel.regime_from :].sum())
    print(f"\n### {title}\n")
    print(
        f"{n} places, {panel.weeks_n - panel.regime_from} weeks, {reports} reports; horizon {settings['horizon_weeks']}, "
        f"gap {settings['gap_weeks']} week(s), {settings['origins_n']} origins from {settings['first_origin_on']} "
        f"to {settings['last_origin_on']}; {spent:.0f} CPU s.\n"
    )
    print("| model | deviance | minus best other (95%) | hit at 5% | PAI | minus best other (95%) | PEI* | coverage | PIT | used |")
    print("|" + " --- |" * 10)
    for row in made.card.table.iter_rows(named=True):
        difference = [row[name] for name in ("difference", "lower", "upper")]
        by_pai = [row[name] for name in ("pai_difference", "pai_lower", "pai_upper")]
        apart = "best" if difference[0] is None else "{:+.5f} ({:+.5f} to {:+.5f})".format(*difference)
        apart_pai = "best" if by_pai[0] is None else "{:+.2f} ({:+.2f} to {:+.2f})".format(*by_pai)
        inside = ["" if row[name] is None else f"{row[name]:.3f}" for name in ("coverage_share", "pit_share")]
        print(
            f"| {row['model']} | {row['deviance']:.5f} | {apart} | {row['hit_share']:.3f} | {row['pai']:.2f} | {apart_pai} | "
            f"{row['pei_star']:.3f} | {inside[0]} | {inside[1]} | {'yes' if row['shipped'] else ''} |"
        )
    for verdict in made.layers:
        print(
            f"\nLayer {verdict.name}: gain {verdict.gain:+.6f} ({verdict.lower:+.6f} to {verdict.upper:+.6f}), "
            f"share of made-up layers that gain as much: {verdict.placebo_p}; {'kept' if verdict.kept else 'refused'}."
        )
    used = made.card.table.filter("shipped")["model"][0]
    deciles = made.calibration.table.filter(pl.col("model") == used)
    print(
        f"\nObserved over expected of {used} by decile of the forecast: " + ", ".join(f"{value:.2f}" for value in deciles["ratio"]),
        flush=True,
    )
    return made


def cells_of(shapes, resolution):
    import h3
    import shapely

    outline = shapely.union_all([shapely.make_valid(shapely.geometry.shape(feature["geometry"])) for feature in shapes])
    return sorted(h3.geo_to_cells(outline, resolution))


def portland_panel(folder, name, resolution):
    """Whole weeks from 5 March 2012 to 28 May 2017."""
    import h3
    from pyproj import Transformer

    from cloudmap.geo.weights import neighbours

    cells = cells_of(json.loads((folder / "portland_neighborhoods.geojson").read_text())["features"], resolution)
    at = {cell: number for number, cell in enumerate(cells)}
    rows = pl.read_csv(gzip.decompress((folder / f"crimes_{name}.csv.gz").read_bytes()), try_parse_dates=True)
    lon, lat = Transformer.from_crs("EPSG:2913", "EPSG:4326", always_xy=True).transform(
        rows["x_coordina"].to_numpy(), rows["y_coordina"].to_numpy()
    )
    place = np.array([at.get(h3.latlng_to_cell(y, x, resolution), -1) for x, y in zip(lon, lat, strict=True)])
    first, weeks_n = date(2012, 3, 5), 273
    week = ((rows["occ_date"] - first).dt.total_days() // 7).to_numpy()
    inside = (place >= 0) & (week >= 0) & (week < weeks_n)
    counts = np.zeros((len(cells), weeks_n), dtype=np.int64)
    np.add.at(counts, (place[inside], week[inside]), 1)
    area = np.array([h3.cell_area(cell, unit="m^2") for cell in cells])
    print(f"\n{name}, H3 {resolution}: {int(inside.sum())} of {rows.height} rows in cells of the city and whole weeks")
    return Panel(
        f"cell_{resolution}", name, tuple(cells), first, counts, np.zeros((len(cells), 2)), area, neighbours(cells), None, "none", 0,
        np.ones(weeks_n, dtype=bool),
    )  # fmt: skip


def portland(folder):
    for name, resolution, horizon, origins in (("veh", 9, 4, 26), ("veh", 9, 1, 26), ("bur", 9, 4, 26), ("veh", 10, 4, 26)):
        panel = portland_panel(Path(folder), name, resolution)
        title = f"Portland, {'auto theft' if name == 'veh' else 'burglary'}, H3 {resolution}, {horizon} week(s)"
        show(title, panel, horizon_weeks=horizon, origins_n=origins, gap_weeks=1)


def boston(city):
    import cloudmap as cm

    facts = cm.load_facts(cm.open_city(city), "2023-01-02", "2025-05-25", restricted=True)
    facts = replace(facts, frame=facts.frame.filter(pl.col("source_id") == "crime"))
    for resolution, horizon, origins in ((9, 4, 20), (9, 2, 26), (8, 4, 20)):
        cube = cm.build_cube(facts, place="cell", resolution=resolution)
        panel = replace(cube.panel("PS"), regime_from=0)
        print(f"\nweeks {panel.weeks[0]} to {panel.weeks[-1]}")
        show(f"Boston, crime sample, H3 {resolution}, {horizon} week(s)", panel, horizon_weeks=horizon, origins_n=origins, gap_weeks=1)


def luqiao(city):
    import cloudmap as cm

    opened = cm.open_city(city)
    facts = cm.load_facts(opened, "2016-01-04", "2018-08-26", restricted=True)
    cells = cm.build_cube(facts, place="cell")
    for group in ("ALL", "SH", "DS"):
        panel = since(cells.panel(group), LAUNCH)
        layers = layers_of(opened, panel)
        show(f"Luqiao (drawn), {group}, H3 9, 2 weeks", panel, horizon_weeks=2, origins_n=12, gap_weeks=1, layers=layers)
    planted(cm.build_cube(facts, place="unit"), json.loads((Path(city) / "truth.json").read_text()))


def since(panel, day):
    """The panel with a reporting regime that begins on this Monday."""
    return replace(panel, regime_from=panel.at(day))


def layers_of(city, panel):
    """Distance to water and markets of each cell, metres."""
    import shapely

    from cloudmap.geo.water import read_landmarks, read_water

    points = shapely.points(panel.xy_m)
    layers = {}
    for kind, shapes in (("water", read_water(city)), ("market", read_landmarks(city).query("kind == 'market'"))):
        ground_shapes = shapes.geometry.to_crs(city.city.metric_crs).to_numpy()
        tree = shapely.STRtree(ground_shapes)
        nearest = tree.nearest(points)
        layers[f"{kind}_distance_m"] = shapely.distance(points, ground_shapes[nearest])
    return layers


def planted(cube, truth):
    print("\n### Luqiao's planted hotspots, forecast from the first Monday after the truth's last report of each\n")
    print("| truth | category | micro-grids | of them above_2 | mean ratio | other micro-grids above_2 |\n|" + " --- |" * 6)
    for one in truth["hotspots"]:
        end = date.fromisoformat(one["last_on"])
        until = end - timedelta(days=end.weekday())
        panel = since(cube.panel(one["category"], until=week_period(until)), LAUNCH)
        table = forecast(panel, half_life_days=None).table
        inside = table.filter(pl.col("place").is_in(one["microgrids"]))
        others = table.filter(~pl.col("place").is_in(one["microgrids"]))
        hot = int((inside["class"] == "above_2").sum())
        print(
            f"| {one['id']} | {one['category']} | {inside.height} | {hot} | {inside['ratio'].mean():.1f} | "
            f"{int((others['class'] == 'above_2').sum())} of {others.height} |"
        )


def week_period(monday):
    from cloudmap.analytics.periods import Period

    return Period(monday, 1)


def calibration(runs):
    place = ground(12)
    print(f"\n### Coverage of the 80% interval and P(ratio > 2), {place.n} cells, 104 weeks, horizon 4, {runs} cities each\n")
    print(
        "| city | mean a week | coverage | PIT | said above_2 (P >= .8) | of them true, mean P "
        "| P .5-.8: true, mean P | P .2-.5: true, mean P | share of true ratios above 2 that were said |"
    )
    print("|" + " --- |" * 9)
    for kind in KINDS:
        for mean in (0.02, 0.2, 2.0):
            inside, chance, over = [], [], []
            for run in range(runs):
                city = drawn_city(np.random.default_rng([31, run]), place, kind, mean)
                made = told(city)
                inside.append([made.coverage, made.pit])
                chance.append(made.p_above_2)
                over.append(city.ratio > 2)
            p, true = np.concatenate(chance), np.concatenate(over)
            parts = [(0.8, 1.01), (0.5, 0.8), (0.2, 0.5)]
            bins = [
                f"{true[(p >= a) & (p < b)].mean():.3f}, {p[(p >= a) & (p < b)].mean():.3f}" for a, b in parts if ((p >= a) & (p < b)).any()
            ]
            bins += [""] * (3 - len(bins))
            cover = np.mean(inside, axis=0)
            print(
                f"| {kind} | {mean} | {cover[0]:.3f} | {cover[1]:.3f} | {int((p >= 0.8).sum())} | "
                + " | ".join(bins)
                + f" | {(p[true] >= 0.8).mean():.2f} |",
                flush=True,
            )


def layers(runs):
    place = ground(18)
    print(f"\n### Layers kept, {place.n} cells, 110 weeks, horizon 4, 12 origins, {runs} cities\n")
    print("| layer | interval over origins alone | and made-up layers (the rule) |\n| --- | --- | --- |")
    for kind in ("rough noise", "smooth noise", "very smooth noise", "a layer that matters"):
        alone, kept = 0, 0
        for run in range(runs):
            rng = np.random.default_rng([32, run])
            real = kind == "a layer that matters"
            panel, layer = layered_city(rng, place, effect=real)
            layer = layer if real else noise_layer(rng, place, kind)
            ready = make_ready(panel, horizon_weeks=4)
            origins = list(range(110 - 4 * 12, 110, 4))
            verdict = judge_layers(ready, {"market_distance_m": layer}, origins, seed=run)[0]
            alone += verdict.lower > 0
            kept += verdict.kept
        print(f"| {kind} | {share(alone, runs)} | {share(kept, runs)} |", flush=True)


def feedback():
    for found in (0.3, 0.7, 0.95):
        table = simulate(found=found, runs=50).table.filter(pl.col("round_n").is_in([5, 13, 52]))
        print(f"\n### Feedback: {found:.0%} of reports come of attention, risks differ by 30%, 200 places, 50 cities\n")
        print("| policy | round | reports from the top tenth | overstated | sent to the truly riskiest | rank correlation | new places |")
        print("|" + " --- |" * 7)
        for row in table.iter_rows():
            print(f"| {row[0]} | {row[1]} | " + " | ".join(f"{value:.2f}" for value in row[2:]) + " |")


if __name__ == "__main__":
    command, *given = sys.argv[1:]
    numbers = {"calibration": (calibration, 400), "layers": (layers, 200)}
    if command in numbers:
        work, default = numbers[command]
        work(int(given[0]) if given else default)
    elif command == "feedback":
        feedback()
    else:
        {"portland": portland, "boston": boston, "luqiao": luqiao}[command](given[0])
