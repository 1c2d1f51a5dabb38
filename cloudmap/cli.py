"""The command line: cloudmap VERB CITY ..., where CITY is a folder or its city.toml."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cloudmap.access.views import Measure
from cloudmap.accounts_cli import user_app
from cloudmap.city import City, open_city
from cloudmap.errors import AnalysisError, CloudmapError, ConfigError
from cloudmap.schema import LEDGER_CLASSES, REPAIRS

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader
    from cloudmap.loading import Outcome

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
out, err = Console(), Console(stderr=True)

CityArgument = Annotated[Path, typer.Argument(help="folder of the city, or its city.toml", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="print JSON for scripts")]
Outside = Annotated[bool, typer.Option("--outside", help="mark the file for outside: counts below k masked, no single reports")]
_PERIOD_HELP = (
    "weeks 2015-W30 or 2015-W27--2015-W30, a month 2018-07, a day 2018-07-03, or both ends 2018-07-03--2018-07-19; "
    "the last four complete weeks by default"
)
Restricted = Annotated[bool, typer.Option("--restricted", help="with the restricted grant")]


def main() -> None:
    """Run the command line; an error on purpose ends with its class's exit code."""
    try:
        app()
    except CloudmapError as error:
        err.print(f"[bold red]{type(error).__name__}[/]", end=" ")
        err.print(str(error), markup=False, highlight=False)
        sys.exit(error.exit_code)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="folder to make")],
    files: Annotated[list[Path] | None, typer.Argument(help="with --from: report files and map layers to propose a city file for")] = None,
    from_files: Annotated[bool, typer.Option("--from", help="propose a city file for FILES, each guess with its evidence")] = False,
    sample: Annotated[str | None, typer.Option(help="write a sample city: luqiao or boston")] = None,
    scale: Annotated[float, typer.Option(help="with --sample luqiao: 1 is 216,000 reports")] = 1.0,
) -> None:
    """Make a city folder: a sample, or a proposal for files never seen before."""
    if sample:
        from cloudmap.samples import write_sample

        with _working(f"sample {sample}"):
            path = write_sample(sample, folder, scale=scale)
        out.print(f"{path}: sample city. Next: cloudmap load {folder}")
        return
    if not (from_files and files):
        raise ConfigError("say what to start from: `cloudmap init DIR --sample luqiao|boston` or `cloudmap init DIR --from FILES`")
    from cloudmap.propose import propose_city

    path = folder / "city.toml"
    if path.exists():
        raise ConfigError(f"{path} exists already; choose another folder, or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    with _working("looking at the files"):
        path.write_text(propose_city(folder, files), encoding="utf-8")
    out.print(f"{path}: proposed, every guess with its evidence. Read it, correct it, then: cloudmap check {folder}")


@app.command()
def check(city: CityArgument, as_json: Json = False) -> None:
    """Read everything, write nothing: base-map problems, evidence, and what a load would do."""
    from cloudmap.geo.basemap import check_basemap, describe_basemap
    from cloudmap.geo.boundaries import check_units, read_units
    from cloudmap.geo.water import check_water
    from cloudmap.pipeline import load as load_files

    opened = open_city(city)
    units = read_units(opened)
    problems = [*check_units(opened, units), *check_water(opened), *check_basemap(opened, units)]
    beneath = describe_basemap(opened)
    outcomes = _load(load_files, opened, [], None, dry=True)
    if as_json:
        listed = [{"kind": p.kind, "level": p.level, "codes": list(p.codes), "area_m2": p.area_m2, "message": p.message} for p in problems]
        _print_json({"base_map": listed, "beneath": beneath, "files": [_outcome_json(one) for one in outcomes]})
        return
    out.print(f"[bold]Base map[/]: {len(problems)} thing(s) to look at")
    for problem in problems[:40]:
        out.print(f"  {problem.kind} ({problem.level}): {problem.message}", markup=False, highlight=False)
    if len(problems) > 40:
        out.print(f"  ... and {len(problems) - 40} more (--json lists all)")
    if beneath:
        out.print(f"Drawn beneath the map: {beneath}", markup=False, highlight=False)
    _print_outcomes(outcomes, evidence=True)


@app.command()
def load(
    city: CityArgument,
    files: Annotated[list[Path] | None, typer.Argument(help="files to load; all that the city file names, where not given")] = None,
    source: Annotated[str | None, typer.Option(help="id of the source the files belong to")] = None,
    undo: Annotated[int | None, typer.Option(help="take back load N; history stays")] = None,
    evidence: Annotated[bool, typer.Option("--evidence", help="tell how encoding, times and datum were decided")] = False,
    as_json: Json = False,
) -> None:
    """Load report files and print where every record went."""
    from cloudmap.pipeline import load as load_files
    from cloudmap.store import open_store

    opened = open_city(city)
    if undo is not None:
        record = open_store(opened).undo(undo)
        out.print(f"load {record.load_seq} ({record.file}) is taken back; its file can be loaded again. Next: cloudmap analyse {city}")
        return
    outcomes = _load(load_files, opened, files or [], source, dry=False)
    if as_json:
        _print_json({"files": [_outcome_json(one) for one in outcomes]})
    else:
        _print_outcomes(outcomes, evidence=evidence)


@app.command()
def analyse(
    city: CityArgument,
    as_of_load: Annotated[int | None, typer.Option(help="facts as they stood after this load")] = None,
    now: Annotated[datetime | None, typer.Option(help="what counts as now, in the city's zone; the newest report by default")] = None,
    back_test: Annotated[
        list[str] | None,
        typer.Option("--back-test", help="also try forecasts of this category on weeks they have not seen; may be repeated"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn facts into cubes, covers and series, redoing only what changed."""
    from cloudmap.pipeline import analyse as analyse_city
    from cloudmap.pipeline import back_test as test_forecasts

    opened = open_city(city)
    with _working("analyse") as tell:
        analysis = analyse_city(opened, as_of=as_of_load, now=now.replace(tzinfo=opened.zone) if now else None, progress=tell)
        cards = test_forecasts(opened, back_test, progress=tell) if back_test else {}
    if as_json:
        _print_json({**analysis.provenance(), "redone": list(analysis.redone)})
        return
    done = f"{len(analysis.redone)} of {len(analysis.parts)} parts made anew" if analysis.redone else "nothing had changed"
    out.print(f"analysed as of load {analysis.load_seq}, data to {analysis.now.astimezone(opened.zone):%Y-%m-%d %H:%M}: {done}")
    for category, card in cards.items():
        out.print(
            f"  forecasts of {category}: {card.table.filter('shipped')['model'][0]} is used; `cloudmap show {city} risk_card` tells why"
        )


@app.command()
def basemap(
    city: CityArgument,
    files: Annotated[list[str], typer.Argument(help="layers, each FILE or KIND=FILE; kinds: land, green, water, buildings, roads, places")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="file to write; the city's base.pmtiles by default")] = None,
    crs: Annotated[str | None, typer.Option(help="coordinate system of the layers; overrides what they say (gcj02 and bd09 too)")] = None,
) -> None:
    """Make a base map of layers that you have (shapefile, GeoPackage, GeoJSON ...): one PMTiles file, without the Internet."""
    from cloudmap.geo.basemap_tiles import write_basemap

    opened = open_city(city)
    path = output or opened.folder / "base.pmtiles"
    with _working("cutting tiles"):
        parts = write_basemap(files, path, crs=crs)
    for part in parts:
        out.print(f"  {part.file} ({part.layer}): {part.features_n:,} as {part.kind or 'plain shapes'}", markup=False, highlight=False)
    told = path.name if path.parent.resolve() == opened.folder else path.resolve()
    out.print(f"{path} is written. Name it in city.toml, then: cloudmap check {city}", markup=False, highlight=False)
    out.print(f'  [basemap]\n  file = "{told}"', markup=False, highlight=False)


@app.command()
def serve(
    city: CityArgument,
    host: Annotated[str, typer.Option(help="address to bind; beyond this machine only with accounts, and TLS or a proxy")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port")] = 8050,
    cert: Annotated[Path | None, typer.Option(help="PEM file of the certificate and its chain: TLS is spoken")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's private key")] = None,
    behind_proxy: Annotated[str | None, typer.Option(help="address of the proxy that speaks TLS before this server")] = None,
) -> None:
    """Show the dashboard; where the city has accounts (`cloudmap user`), everybody signs in."""
    from cloudmap.dashboard.app import serve as serve_page

    opened = open_city(city)
    name = f"{opened.city.name_zh} {opened.city.name_en}"
    working = out.status(f"{name}: working out the first view")

    def ready() -> None:
        working.stop()
        out.print(f"{name}: {'https' if cert else 'http'}://{host}:{port}  (Ctrl-C ends it)")

    with working:
        serve_page(opened, host=host, port=port, cert=cert, key=key, proxy=behind_proxy, ready=ready)


@app.command()
def brief(
    city: CityArgument,
    kind: Annotated[str, typer.Option(help="hotspots, situation, handling, water or meeting")] = "hotspots",
    period: Annotated[str | None, typer.Option(help=_PERIOD_HELP)] = None,
    category: Annotated[str, typer.Option(help="ALL, a group or a category")] = "ALL",
    unit: Annotated[str | None, typer.Option(help="code of the unit that it is about; the whole city by default")] = None,
    tier: Annotated[str, typer.Option(help="with --kind meeting: microgrid, hall or street")] = "hall",
    format: Annotated[str, typer.Option(help="html, docx, pdf or xlsx")] = "html",
    language: Annotated[str, typer.Option(help="zh-Hans, zh-Hant or en")] = "zh-Hans",
    templates: Annotated[Path | None, typer.Option(help="folder of own templates; by default the city file's")] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="file to write")] = None,
    outside: Outside = False,
    restricted: Restricted = False,
) -> None:
    """Write a briefing: title, summary, maps, tables, method, ledger, and how it was made."""
    from cloudmap.publish.briefing import brief as write_brief

    opened = open_city(city)
    path = output or Path(f"{kind}.{format}")
    with _working("briefing"):
        reader = _reader(opened, outside, restricted)
        chosen = {"kind": kind, "period": period, "category": category, "unit": unit, "tier": tier}
        write_brief(reader, **chosen, format=format, language=language, templates=templates, path=path)  # type: ignore[arg-type]
    out.print(f"{path}")


@app.command()
def show(
    city: CityArgument,
    name: Annotated[str, typer.Argument(help="a measure or statistic: hotspot, emerging, scan, silent, risk, effort, regimes, alarms ...")],
    layer: Annotated[str | None, typer.Option(help="layer id such as cell_9 or unit_street")] = None,
    category: Annotated[str, typer.Option(help="ALL, a group or a category")] = "ALL",
    period: Annotated[str | None, typer.Option(help="as for brief")] = None,
    rows: Annotated[int, typer.Option(help="rows to print; --json prints all")] = 20,
    as_json: Json = False,
    outside: Outside = False,
    restricted: Restricted = False,
) -> None:
    """Show a measure or a statistic: the same numbers as on the page and in a notebook."""
    from cloudmap.publish.records import result_record

    with _working(name):
        result = _reader(open_city(city), outside, restricted).result(name, layer=layer, category=category, period=period)
    if as_json:
        _print_json(result_record(result))
        return
    out.print(result.summary(), markup=False, highlight=False)
    shown = result.table.drop("masked") if not result.table["masked"].any() else result.table
    table = Table(*shown.columns)
    for row in shown.head(rows).iter_rows():
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value) for value in row))
    (out if out.is_terminal else Console(width=240)).print(table)


@app.command()
def export(
    city: CityArgument,
    what: Annotated[str, typer.Argument(help="cells, units, hotspots, clusters, reaches, reports or quarantine")],
    output: Annotated[Path, typer.Option("-o", "--output", help="file to write: .gpkg .geojson .parquet .shp.zip .csv .xlsx")],
    category: Annotated[str, typer.Option(help="ALL, a group or a category")] = "ALL",
    period: Annotated[str | None, typer.Option(help="as for brief")] = None,
    layer: Annotated[str | None, typer.Option(help="layer id such as cell_9 or unit_street")] = None,
    measure: Annotated[Measure | None, typer.Option(help="of cells and units; by default hotspot or count")] = None,
    crs: Annotated[str | None, typer.Option(help="EPSG:4326 by default; EPSG:4490, EPSG:4549 ...")] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="with quarantine: the owner's own records, unscrubbed, read again from the files")
    ] = False,
    outside: Outside = False,
    restricted: Restricted = False,
) -> None:
    """Write a layer or a table that other software opens."""
    from cloudmap.publish.layers import export as write_export

    opened = open_city(city)
    with _working(f"export {what}"):
        path = write_export(
            _reader(opened, outside, restricted),
            what,
            output,
            category=category,
            period=period,
            layer=layer,
            measure=measure,
            crs=crs,
            raw=raw,
        )
    out.print(f"{path}")


@app.command()
def ledger(city: CityArgument, as_json: Json = False) -> None:
    """Show where every record of every load went."""
    from cloudmap.store import open_store

    opened = open_city(city)
    records = open_store(opened).loads()
    entries = [{**one.ledger, "load_seq": one.load_seq} for one in records if not one.undone]
    if as_json:
        _print_json({"loads": entries})
        return
    _print_ledger(entries)
    for one in records:
        if one.undone:
            when = f" on {one.undone_at.astimezone(opened.zone):%Y-%m-%d %H:%M}" if one.undone_at else ""
            out.print(f"  load {one.load_seq} ({one.file}) was taken back{when}", style="dim", highlight=False)


app.add_typer(user_app, name="user")
store_app = typer.Typer(no_args_is_help=True, help="Where facts rest.")
app.add_typer(store_app, name="store")


@store_app.command("copy")
def store_copy(
    city: CityArgument,
    to: Annotated[str, typer.Option(help="the new store: a folder, or postgresql://user@host/database (password from PGPASSWORD)")],
    as_json: Json = False,
) -> None:
    """Copy all loads, rows, results and history into an empty store, and check that counts and checksums are equal."""
    from cloudmap.access.audit import record
    from cloudmap.store import open_store
    from cloudmap.store.contents import move

    opened = open_city(city)
    source = open_store(opened)
    target = open_store(opened, create=True, url=to)
    record(opened, "store copy", to=to.rpartition("@")[2])
    with _working("copy"), source.contents() as contents:
        _print_inventory(move(contents, target).as_dict(), f"copied. Use it with [store] url in {opened.folder / 'city.toml'}", as_json)


@app.command()
def backup(
    city: CityArgument, file: Annotated[Path, typer.Argument(help="file to write", show_default=False)], as_json: Json = False
) -> None:
    """Write the whole store into one file with checksums; city file, accounts and audit log stay in the folder: copy it as well."""
    from cloudmap.access.audit import record
    from cloudmap.store import open_store
    from cloudmap.store.backup import write_backup

    opened = open_city(city)
    store = open_store(opened)
    record(opened, "backup", file=str(file))
    with _working("backup"):
        told = f"{file}: backup of the store, readable by its owner only; accounts and audit log stay in {opened.folder}"
        _print_inventory(write_backup(store, file, city=opened.city.code).as_dict(), told, as_json)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="file that `cloudmap backup` wrote", show_default=False)],
    city: CityArgument,
    as_json: Json = False,
) -> None:
    """Check a backup whole, then put it into the city's empty store and check that counts and checksums are equal."""
    from cloudmap.access.audit import record
    from cloudmap.store import open_store
    from cloudmap.store.backup import opened_backup
    from cloudmap.store.backup import restore as restore_store

    opened = open_city(city)
    record(opened, "restore", file=str(file))
    with _working("restore"), opened_backup(file, city=opened.city.code) as whole:
        inventory = restore_store(whole, open_store(opened, create=True))
    _print_inventory(inventory.as_dict(), f"{file}: restored", as_json)


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="luqiao or boston")] = "luqiao",
    port: Annotated[int, typer.Option(help="port")] = 8050,
    scale: Annotated[float, typer.Option(help="for luqiao: 1 is 216,000 reports, 10 the full 2.16 million")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="do all of it, request every page and map resource once, and end")] = False,
    folder: Annotated[Path, typer.Option(help="where sample cities are made")] = Path("demo"),
) -> None:
    """Make a sample city, load and analyse it, and show the dashboard."""
    where = folder / name
    init(where, sample=name, scale=scale)
    load(where)
    analyse(where)
    _try_forecasts(where)
    if not once:
        serve(where, port=port)
        return
    from cloudmap.dashboard.app import serve_once

    visited = serve_once(open_city(where), port=port)
    out.print(f"served and visited {len(visited)} pages and map resources on http://127.0.0.1:{port}; all answered")


def _try_forecasts(where: Path) -> None:
    """Back-test the sample's forecasts, or say why its past does not allow it: the page then shows the plain score."""
    from cloudmap.pipeline import back_test

    try:
        with _working("back-test"):
            card = back_test(open_city(where))["ALL"]
        out.print(f"forecasts of ALL: {card.table.filter('shipped')['model'][0]} is used")
    except AnalysisError as error:
        out.print(f"forecasts were not back-tested: {error}", markup=False, highlight=False)


def _reader(city: City, outside: bool, restricted: bool) -> Reader:
    from cloudmap.access.audience import Audience
    from cloudmap.pipeline import read

    return read(city, audience=Audience(kind="outside" if outside else "internal", restricted=restricted))


@contextmanager
def _working(what: str) -> Iterator[Any]:
    """Show a line that moves while work goes on; silent where there is no terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what)
        yield lambda step, *_: progress.update(task, description=f"{what}: {step}")


def _load(load_files: Any, city: City, files: list[Path], source: str | None, *, dry: bool) -> list[Outcome]:
    with _working("load") as tell:
        outcomes: list[Outcome] = load_files(
            city, files, source=source, dry=dry, progress=lambda step, done: tell(f"{step} {done:,}" if done else step)
        )
    return outcomes


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "source": outcome.source_id,
        "file": outcome.file.name,
        "status": outcome.status,
        "crs": outcome.crs,
        "evidence": list(outcome.evidence),
        "ledger": outcome.ledger,
    }


def _print_outcomes(outcomes: list[Outcome], *, evidence: bool) -> None:
    known = [outcome for outcome in outcomes if outcome.status == "already loaded"]
    for outcome in known:
        out.print(f"[bold]{outcome.file.name}[/]: already loaded as load {outcome.load_seq}; nothing changed")
    new = [outcome for outcome in outcomes if outcome.status != "already loaded"]
    _print_ledger([{**outcome.ledger, "load_seq": outcome.load_seq} for outcome in new])
    for outcome in new if evidence else []:
        out.print(f"\n[bold]{outcome.file.name}[/]")
        for line in outcome.evidence:
            out.print(f"  {line}", markup=False, highlight=False, style="dim")


def _print_ledger(entries: list[dict[str, Any]]) -> None:
    """Print one row a file: the classes, whose sum is the records read, and the repairs beside them."""
    if not entries:
        return
    used = [name for name in LEDGER_CLASSES if any(entry["classes"].get(name) for entry in entries)]
    repairs = [name for name in REPAIRS if any(entry["repairs"].get(name) for entry in entries)]
    table = Table(title="Where every record went (repairs stand beside the classes)", title_justify="left", show_footer=len(entries) > 1)
    total = sum(entry["lines"] for entry in entries)
    table.add_column("load", footer="sum")
    table.add_column("file", overflow="fold")
    table.add_column("records", justify="right", footer=f"{total:,}")
    for name in used:
        table.add_column(name, justify="right", footer=f"{sum(entry['classes'].get(name, 0) for entry in entries):,}")
    for entry in entries:
        counts = [f"{entry['classes'].get(name, 0):,}" for name in used]
        table.add_row(str(entry["load_seq"] or "-"), entry["file"], f"{entry['lines']:,}", *counts)
    out.print(table)
    for name in repairs:
        out.print(f"  {name}: {sum(entry['repairs'].get(name, 0) for entry in entries):,}", style="dim", highlight=False)


def _print_inventory(inventory: dict[str, Any], done: str, as_json: bool) -> None:
    """Print what was moved from store to store."""
    if as_json:
        _print_json(inventory)
        return
    rows = ", ".join(f"{table} {rows_n:,}" for table, rows_n in inventory["rows"].items())
    out.print(f"{done}", markup=False, highlight=False)
    out.print(f"  {inventory['loads_n']} loads; rows: {rows}; {inventory['results_n']} results; checksum {inventory['checksum'][:16]}")


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


if __name__ == "__main__":
    main()
