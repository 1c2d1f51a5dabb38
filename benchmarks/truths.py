"""What cloudmap finds of the truths that are planted in Luqiao's sample: found, missed, false.

python -m benchmarks.truths [CITY=demo/luqiao] [--write]

Prints Markdown; --write also keeps it as benchmarks/truths.md. The city must be made, loaded and analysed (`cloudmap demo luqiao`).
One function a truth, marked with @truth; it takes the sample and returns a Section.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

import cloudmap as cm
from cloudmap.analytics.alarms_table import alarms as alarms_of
from cloudmap.analytics.changes import CITY, what_changed
from cloudmap.analytics.effort import weekly_effort, weekly_places
from cloudmap.analytics.emerging_map import emerging_hotspots
from cloudmap.analytics.hotspots_map import hotspots as hotspots_of
from cloudmap.analytics.periods import Period, last_complete_week
from cloudmap.analytics.regimes import reporting_regimes
from cloudmap.analytics.scan_map import scan_clusters
from cloudmap.analytics.silent import silent_cells
from cloudmap.geo.shapes import from_frame
from cloudmap.store import open_store

HEAD = """# Planted truths of Luqiao: found, missed, false

`python -m benchmarks.truths --write` on the sample at scale 1 (seed 331004). The sample is drawn by cloudmap itself: what is found here
shows that the parts fit together, not how the methods do on real data.
"""


@dataclass(frozen=True)
class Section:
    """What became of one truth: rows of (what, planted, found, missed, false) and sentences."""

    rows: list[tuple[str, object, object, object, object]]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Sample:
    """The city with its truths; what several truths need is made once."""

    folder: Path

    @cached_property
    def city(self):
        return cm.open_city(self.folder)

    @cached_property
    def truth(self):
        return json.loads((self.folder / "truth.json").read_text())

    @cached_property
    def reports(self):
        """All reports, with the reporter as column `reporter`."""
        columns = ["report_id", "source_id", "occurred_at", "reported_at", "reporter_hash", "reporter_kind", "cell_8"]
        return open_store(self.city).read("reports", columns).rename({"reporter_hash": "reporter"})

    @cached_property
    def last_week_on(self):
        return last_complete_week(self.reports["reported_at"].max(), self.city.zone)

    @cached_property
    def facts(self):
        return cm.load_facts(self.city, "2016", "2018", restricted=True)

    def cube(self, **place):
        return cm.build_cube(self.facts, **place)


TRUTHS: dict[str, Callable[[Sample], Section]] = {}


def truth(title):
    """Register a function under the title of its section."""

    def register(function):
        TRUTHS[title] = function
        return function

    return register


@truth("App launch: 54 times as many reports")
def launch(sample):
    planted = sample.truth["launch"]
    day = date.fromisoformat(planted["on"])
    span = {"zone": sample.city.zone, "last_week_on": sample.last_week_on}
    weekly = weekly_effort(sample.reports, **span, place="cell_8")
    by_place = weekly_places(sample.reports, "cell_8", **span)
    rows, notes = [], []
    for label, milestones in (("detected, nothing declared", []), ("declared", [(day, "launch")])):
        regimes = reporting_regimes(weekly, milestones=milestones, by_place=by_place)
        begun = regimes.filter(pl.col("kind") != "first")
        right = begun.filter((pl.col("first_week_on") == day) & pl.col("source_id").is_in([planted["source"], "ALL"]))
        as_effort = right.filter("looks_like_effort")
        rows.append((f"change of level, {label}", 2, right.height, 2 - right.height, begun.height - right.height))
        rows.append((f"read as effort, {label}", 2, as_effort.height, 2 - as_effort.height, 0))
        if not milestones:
            one = right.filter(pl.col("source_id") == planted["source"]).row(0, named=True)
            notes += [
                f"Planted in source {planted['source']} on {day}, {planted['fold']}-fold.",
                f"Told from weekly totals alone: {one['fold']:.1f}-fold from the week of {one['first_week_on']} on, active reporters "
                f"{one['reporters_fold']:.1f}-fold, places reporting (H3 8) {one['places_fold']:.1f}-fold, "
                f"{one['same_way_share']:.0%} of places the same way.",
                "The city's total, the other planted row, changes with it; the three other sources have one regime each.",
            ]
    return Section(rows, notes)


@truth("Silent micro-grids")
def silent(sample):
    planted = sample.truth["silent"]
    true = set(planted["microgrids"])
    rows, notes = [], []
    units = sample.cube(place="unit", level="microgrid")
    for weeks in (13, 26):
        result = silent_cells(units.panel(scored=False), weeks=weeks)
        told = _told(result)
        rows.append((f"micro-grids, window {weeks} weeks", len(true), len(true & told), len(true - told), len(told - true)))
        notes.append(f"Window {weeks} weeks: {result.denominator}.")
    last = silent_cells(units.panel(scored=False)).table.filter(pl.col("place").is_in(true))["last_report_on"]
    notes.append(f"Silent from {planted['from']}; the last week with a report is told as {last.min()} to {last.max()}.")
    cells = sample.cube(place="cell")
    share = _share_of_people(sample, cells, true)
    mostly = {cell for cell, part in share.items() if part >= 0.5}
    panel = cells.panel(scored=False)
    told = _told(silent_cells(panel))
    rows.append(("H3 9 cells, half of whose people live there", len(mostly), len(mostly & told), len(mostly - told), len(told - mostly)))
    exposure = dict(zip(panel.places, panel.exposure / panel.exposure.sum(), strict=True))
    expected = {cell: exposure[cell] * panel.counts[:, -13:].sum() for cell in mostly - told}
    notes.append(
        f"The {len(expected)} cells that are missed hold a part of a large micro-grid, or some people who do report: by its people "
        f"{min(expected.values()):.1f} to {max(expected.values()):.1f} matters are expected of each in 13 weeks. Units are the layer to "
        "look for silence on."
    )
    return Section(rows, notes)


CARD = ["place", "category_code"]
LAYERS = {"H3 9": {"place": "cell"}, "micro-grids": {"place": "unit", "level": "microgrid"}}


@truth("Hotspots, emerging ones included")
def hotspots(sample):
    planted = sample.truth["hotspots"]
    rows, notes = [], []
    for layer, place in LAYERS.items():
        cube = sample.cube(**place)
        for weeks_n in (4, 13):
            found, false, places, missed = 0, 0, 0, []
            for one in planted:
                panel = cube.panel(one["category"])
                hot = _hot(panel, Period(_last_week(one, panel) - timedelta(weeks=weeks_n - 1), weeks_n))
                there, about = _ground_of(sample, cube, panel, one)
                found += bool((hot & there).any())
                missed += [] if (hot & there).any() else [one["id"]]
                places += int((hot & there).sum())
                false += int((hot & ~about).sum())
            rows.append((f"{layer}, the last {weeks_n} weeks of each", len(planted), found, len(missed), false))
            notes.append(f"{layer}, {weeks_n} weeks: {places} places of planted ground are hot; missed: {', '.join(missed) or 'none'}.")
        rows.append(_unplanted(sample, cube, layer))
    notes.append(
        "False counts hot places that neither share ground with a planted hotspot nor touch such a place; in the last row of a layer it "
        "counts maps with any hot place, among those of all scored categories with nothing planted, last 4 and 13 weeks. Counts follow "
        "people, which the exposure knows, and noise: no effort that the exposure does not know is planted here."
    )
    return Section(rows, notes)


@truth("Emerging hotspots by class")
def emerging(sample):
    rows, notes = [], []
    for layer, place in LAYERS.items():
        cube = sample.cube(**place)
        for kind in ("emerging", "hotspot"):
            of_kind = [one for one in sample.truth["hotspots"] if one["kind"] == kind]
            found, false = 0, 0
            for one in of_kind:
                panel = cube.panel(one["category"])
                table = emerging_hotspots(panel, end=Period(_last_week(one, panel), 1)).table
                there, about = _ground_of(sample, cube, panel, one)
                named = table["class"].str.ends_with("_hot").to_numpy()
                found += bool((named & there).any())
                false += int((table["class"].str.contains("_hot|_cold").to_numpy() & ~about).sum())
                told = table.filter(pl.Series(named & there))["class"].value_counts(sort=True, name="n")
                notes.append(f"{layer}, {one['id']}: " + (", ".join(f"{name} {n}" for name, n in told.iter_rows()) or "no class") + ".")
            rows.append((f"{layer}, planted as {kind}", len(of_kind), found, len(of_kind) - found, false))
    notes.append("Thirteen steps of four weeks up to the end of each; H3 is thin (275 matters of its category in the city in 13 weeks).")
    return Section(rows, notes)


@truth("Space-time scan")
def scan(sample):
    rows, notes = [], []
    planted = sample.truth["hotspots"]
    for layer, place in LAYERS.items():
        cube = sample.cube(**place)
        for baseline in ("exposure", "history"):
            found, false, missed = 0, 0, []
            for one in planted:
                panel = cube.panel(one["category"])
                last = _last_week(one, panel)
                result = scan_clusters(panel, end=Period(last, 1), baseline=baseline, replicates=199)
                there, about = _ground_of(sample, cube, panel, one)
                clusters = [np.isin(panel.places, row["places"]) for row in _significant(result)]
                hit = next((at for at, cluster in enumerate(clusters) if (cluster & there).any()), None)
                found += hit is not None
                missed += [] if hit is not None else [one["id"]]
                false += sum(not (cluster & about).any() for cluster in clusters)
                notes.append(f"{layer}, {baseline}, {one['id']}: {_told_of(result, clusters, hit, there)}.")
            what = f"{layer}, against {baseline}, up to the end of each"
            rows.append((what, len(planted), found, len(missed), false))
        rows += [_nothing_to_scan(sample, cube, layer, baseline) for baseline in ("exposure", "history")]
    notes.append(
        "Prospective, 26 weeks, clusters of up to 8 weeks and a tenth of the city, 199 replicates, model chosen by test. Found: a "
        "significant cluster shares a place with the planted ground; false: significant clusters that do not even touch its neighbours (in "
        "the rows without any: maps with a significant cluster, of all scored categories with nothing planted, last weeks, 99 replicates). "
        "H1 and H3 stand too long to be new: a place's own past of the reporting regime holds most of them (H1 has 34 weeks, H3 13 of the "
        "first 30), which is what the exposure is for."
    )
    return Section(rows, notes)


@truth("Alarms and changes")
def alarms_and_changes(sample):
    """Against their own past, so that H1, which by its end has lasted for 34 of its 86 weeks, is told by the maps above instead."""
    rows, found = [], []
    for level in ("street", "community", "village", "grid", "microgrid"):
        cube = sample.cube(place="unit", level=level)
        cards = _planted_cards(sample, cube)
        planted = [one for one in sample.truth["hotspots"] if one["id"] != "H1" and one["id"] in set(cards["id"])]
        for weeks_n in (4, 13):
            rows.append(
                _told_cards(cube, cards, planted, f"{level} x group: more than expected, the last {weeks_n} weeks of each", weeks_n, found)
            )
        rows.append(_told_cards(cube, cards, planted, f"{level} x group: alarm, the last week of each", 1, found))
        rows.append(_quiet_boards(cube, level))
    rows.append(_campaign_over(sample))
    notes = [
        f"Found in {'; '.join(found)}.",
        "Planted counts hotspots with ground at the level. False counts claims of a rise on cards that share no ground and group with a "
        "hotspot planted in those weeks. A quiet board is the four weeks up to a date of autumn 2017, when nothing but the campaign's "
        "group (left out) was planted; it errs when any card claims a change.",
        "The planted 16 to 50 matters are a tenth to a third of what a street's group has anyway, and two or three for each micro-grid: "
        "changes show where a unit is about as large as a hotspot. In a single week a hotspot brings a unit two or three matters more.",
    ]
    return Section(rows, notes)


def _told_cards(cube, cards, planted, what, weeks_n, found):
    """One row: in how many of the boards at the end of each hotspot its own card is told, and how many others are."""
    told, false, judged = [], 0, 0
    for one in planted:
        last = _last_week(one, cube.panel(one["category"]))
        span = Period(last - timedelta(weeks=weeks_n - 1), weeks_n)
        panels = [cube.panel(group, until=span) for group in _groups(cube)]
        made = alarms_of(panels) if weeks_n == 1 else what_changed(panels, period=span, against="expected")
        claims = made.table.filter(pl.col("class").is_in(["more", "alarm"]) & (pl.col("place") != CITY))
        there = cards.filter((pl.col("first_on") <= span.last_on.isoformat()) & (pl.col("last_on") >= span.first_on.isoformat()))
        told += [one["id"]] * (claims.join(there.filter(pl.col("id") == one["id"]), on=CARD, how="semi").height > 0)
        false += claims.join(there, on=CARD, how="anti").height
        judged += made.table["p"].count()
    if told:
        found.append(f"{what}: {', '.join(told)}")
    return f"{what} ({judged} judged)", len(planted), len(told), len(planted) - len(told), false


@truth("Overdue street")
def overdue(sample):
    """The funnel of on-time rates by street, in each of the four-week periods from which on one street is late."""
    reader, planted = cm.read(sample.city), sample.truth["overdue"]
    begun = date.fromisoformat(planted["from"])
    periods = [one for one in reader.periods() if one.weeks_n == 4 and one.first_on >= begun][::4]
    low = {}
    for period in periods:
        table = reader.statistic("funnel", layer="unit_street", period=period.id).table
        low[period.id] = set(table.filter(pl.col("class").str.starts_with("below"))["place"])
    found = [planted["street"] in one for one in low.values()]
    false = sum(len(one - {planted["street"]}) for one in low.values())
    row = (f"street below the limits, {len(periods)} periods of 4 weeks", len(periods), sum(found), len(found) - sum(found), false)
    return Section(
        [row], [f"Late from {planted['from']} on: {planted['street']}; the other {len(planted['by_street']) - 1} streets are not."]
    )


@truth("Campaign against four small vehicles")
def campaign(sample):
    """The target list going to zero, and the category's reports following."""
    reader, planted = cm.read(sample.city), sample.truth["campaign"]
    burn_down = reader.statistic("burn_down")
    told = next(iter(burn_down.parameters.values()))
    last = date.fromisoformat(told["zero_on"])
    near = abs((last - date.fromisoformat(planted["zero_on"])).days) <= 1
    counted = told["targets_n"] == planted["targets_n"] and burn_down.table["left_n"][-1] == 0
    rows = [
        ("list that ends, to the day", 1, int(near), int(not near), 0),
        ("targets done", planted["targets_n"], planted["targets_n"] - burn_down.table["left_n"][-1], burn_down.table["left_n"][-1], 0),
    ]
    return Section(rows, [f"Zero on {told['zero_on']}, planted {planted['zero_on']}; the list {'agrees' if counted else 'differs'}."])


@truth("Changed category")
def renamed(sample):
    """A source renames a label: both names must be one category, and the rename no change of level."""
    planted = sample.truth["renamed"]
    where = [("source_id", "==", planted["source"])]
    rows = open_store(sample.city).read("reports", ["category_raw", "category_code"], where=where)
    labels = [planted["before"], planted["after"]]
    mapped = rows.filter(pl.col("category_raw").is_in(labels)).group_by("category_raw").agg(pl.col("category_code").unique())
    codes = dict(mapped.iter_rows())
    one = [name for name in labels if codes.get(name) == [planted["category"]]]
    regimes = cm.statistic(sample.city, "regimes").table.filter(pl.col("source_id") == planted["source"])
    changed = regimes.filter(pl.col("kind") == "detected").height
    row = ("labels that count as the category", len(labels), len(one), len(labels) - len(one), changed)
    return Section([row], [f"Renamed on {planted['on']}; false counts changes of level that the rename made the source show."])


def _groups(cube):
    return [group for group, codes in cube.taxonomy.groups.items() if set(codes) & set(cube.taxonomy.scored)]


def _planted_cards(sample, cube):
    """Places and groups that hold a planted hotspot, with its id and days."""
    cards = []
    for one in sample.truth["hotspots"]:
        panel = cube.panel(one["category"])
        there, _ = _ground_of(sample, cube, panel, one)
        cards += [(place, one["category"][:2], one["id"], one["first_on"], one["last_on"]) for place in np.array(panel.places)[there]]
    return pl.DataFrame(cards, schema=[*CARD, "id", "first_on", "last_on"], orient="row")


def _quiet_boards(cube, level):
    boards = cards = claims = errs = 0
    for weeks in range(0, 16, 4):
        span = Period(date(2017, 9, 4) + timedelta(weeks=weeks), 4)
        changes = what_changed([cube.panel(group, until=span) for group in _groups(cube) if group != "ST"], period=span, against="expected")
        changed = int(changes.table["class"].is_in(["more", "less"]).sum())
        boards, cards, claims, errs = boards + 1, cards + changes.parameters["tests_n"], claims + changed, errs + (changed > 0)
    return f"{level}: {boards} boards ({cards} cards judged) without any; boards that err ({claims} cards)", 0, 0, 0, errs


def _campaign_over(sample):
    campaign = sample.truth["campaign"]
    panel = sample.cube(place="unit", level="street").panel(campaign["category"])
    span = Period(date.fromisoformat(campaign["zero_on"]), 4)
    card = what_changed([panel], period=span, against="expected").table.filter(pl.col("place") == CITY).row(0, named=True)
    found = int(card["class"] == "less")
    return f"campaign at zero: {card['n']} against {card['expected']:.0f} expected in the city", 1, found, 1 - found, 0


def _significant(result):
    return result.table.filter(pl.col("class") == "significant").rows(named=True)


def _told_of(result, clusters, hit, there):
    if hit is None:
        return f"no cluster there ({result.parameters['model']})"
    row, cluster = _significant(result)[hit], clusters[hit]
    right, others = int((cluster & there).sum()), int((cluster & ~there).sum())
    return (
        f"p {row['p']:.3f}, from {row['first_week_on']}, ratio {row['ratio']:.1f} (before {row['ratio_before'] or 0:.1f}), holds {right} "
        f"of its {int(there.sum())} places and {others} others ({result.parameters['model']})"
    )


def _nothing_to_scan(sample, cube, layer, baseline):
    maps = false = 0
    for category in _quiet_categories(sample):
        maps += 1
        false += bool(_significant(scan_clusters(cube.panel(category), baseline=baseline, replicates=99)))
    return f"{layer}, against {baseline}, {maps} maps without any", 0, 0, 0, false


def _unplanted(sample, cube, layer):
    """Maps of categories without a planted hotspot, in the sample's last 4 and 13 weeks."""
    maps = false = 0
    for category in _quiet_categories(sample):
        panel = cube.panel(category)
        for weeks_n in (4, 13):
            maps += 1
            false += bool(_hot(panel, Period(panel.weeks[-weeks_n], weeks_n)).any())
    return f"{layer}, {maps} maps without any", 0, 0, 0, false


def _quiet_categories(sample):
    planted = {one["category"] for one in sample.truth["hotspots"]} | {sample.truth["campaign"]["category"]}
    return sorted(set(sample.facts.taxonomy.scored) - planted)


def _hot(panel, period):
    return (hotspots_of(panel, period).table["class"] == "hot").to_numpy()


def _last_week(planted, panel):
    return min(date.fromisoformat(planted["last_on"]) - timedelta(days=6), panel.weeks[-1])


def _ground_of(sample, cube, panel, planted):
    """Places that share ground with a planted hotspot, and those with their neighbours (whose sums hold it too)."""
    if cube.layer == "unit_microgrid":
        there = np.isin(np.array(panel.places), planted["microgrids"])
    else:
        units = sample.facts.places["units"].filter(
            (pl.col("level") == "microgrid") & (pl.col("kind") == "partition") & pl.col("code").is_in(planted["microgrids"])
        )
        crs = sample.city.city.metric_crs
        ground = from_frame(units).to_crs(crs).union_all()
        there = (cube.shapes.to_crs(crs).intersection(ground).area > 1.0).to_numpy()
    return there, there | (np.asarray(panel.weights @ there.astype(float)) > 0)


def _told(result):
    return set(result.table.filter(pl.col("class").is_in(["silent", "never_reported"]))["place"])


def _share_of_people(sample, cells, codes):
    """Share of each cell's people who live in some micro-grids, living evenly on their ground."""
    crs = sample.city.city.metric_crs
    units = sample.facts.places["units"].filter(
        (pl.col("level") == "microgrid") & (pl.col("kind") == "partition") & pl.col("code").is_in(codes)
    )
    ground, places = from_frame(units).to_crs(crs), cells.shapes.to_crs(crs)
    density = ground["population_n"].to_numpy() / ground.area.to_numpy()
    people = dict(cells.exposure.select("place", "exposure").iter_rows())
    near = places[places.intersects(ground.union_all())]
    return {
        str(place): float((ground.intersection(shape).area.to_numpy() * density).sum()) / max(people.get(str(place), 0.0), 1e-9)
        for place, shape in zip(near["place"], near.geometry, strict=True)
    }


def markdown(sample):
    parts = [HEAD]
    for title, function in TRUTHS.items():
        section = function(sample)
        table = ["| what | planted | found | missed | false |", "| --- | ---: | ---: | ---: | ---: |"]
        table += ["| " + " | ".join(str(value) for value in row) + " |" for row in section.rows]
        parts += [f"## {title}\n", "\n".join(table) + "\n", *(f"{note}\n" for note in section.notes)]
    return "\n".join(parts)


if __name__ == "__main__":
    given = [one for one in sys.argv[1:] if not one.startswith("--")]
    text = markdown(Sample(Path(given[0] if given else "demo/luqiao")))
    print(text)
    if "--write" in sys.argv:
        (Path(__file__).parent / "truths.md").write_text(text)
