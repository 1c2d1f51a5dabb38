"""One city on a lake and on PostGIS: the same files give the same numbers to the byte, and so does a store that was copied across."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from cloudmap.city import City, open_city
from cloudmap.cli import app
from cloudmap.errors import StoreError
from cloudmap.pipeline import analyse, load, read
from cloudmap.publish.layers import export
from cloudmap.store import Store, open_store
from cloudmap.store.contents import take_stock
from tests.conftest import HEADER, report_lines, write_city
from tests.store.cluster import execute, new_url

PERIOD = "2018-W10--2018-W13"


def _write(folder: Path) -> Path:
    """A city with two files of one source: the second one brings newer versions and new reports."""
    write_city(folder, report_lines(600))
    changed = [line.replace("处理中", "已办结").replace("U0", "U1") for line in report_lines(600)[100:160]]
    (folder / "app2.csv").write_text("\n".join([HEADER, *changed, *report_lines(80, seed=9, prefix="N")]) + "\n", encoding="utf-8")
    (folder / ".salt").write_text("salt")
    return folder


def _on(folder: Path, url: str) -> City:
    text = (folder / "city.toml").read_text(encoding="utf-8")
    (folder / "city.toml").write_text(f'{text}\n[store]\nurl = "{url}"\n', encoding="utf-8")
    return open_city(folder)


def _parts(store: Store) -> dict[str, pl.DataFrame]:
    analysis = store.result("analysis")
    assert analysis is not None
    return {name: stored.frame for name, key in analysis.provenance["parts"].items() if (stored := store.result(name, key))}


def _shown(city: City, folder: Path) -> dict[str, object]:
    """Everything that outputs show of a city: cubes and covers, hotspots, exports, ledger."""
    reader = read(city)
    files = {}
    for what, suffix in (("reports", "parquet"), ("reports", "csv"), ("cells", "csv"), ("quarantine", "csv")):
        path = export(reader, what, folder / f"{city.folder.name}-{what}.{suffix}", **({"period": PERIOD} if what == "cells" else {}))
        files[f"{what}.{suffix}"] = hashlib.sha256(path.read_bytes()).hexdigest()
    tables = {
        f"{layer} {measure}": reader.values(layer, "ALL", PERIOD, measure).table
        for layer, measure in (("cell_9", "hotspot"), ("cell_8", "count"), ("unit_street", "ratio"), ("unit_street", "count"))
    }
    return {"parts": _parts(open_store(city)), "tables": tables, "files": files, "ledger": reader.ledger()}


def _same(one: dict[str, object], other: dict[str, object]) -> None:
    assert one["files"] == other["files"]
    assert one["ledger"] == other["ledger"]
    for kind in ("parts", "tables"):
        mine, theirs = one[kind], other[kind]
        assert isinstance(mine, dict)
        assert isinstance(theirs, dict)
        assert list(mine) == list(theirs)
        for name in mine:
            assert_frame_equal(mine[name], theirs[name])


@pytest.fixture(scope="module")
def on_lake(tmp_path_factory: pytest.TempPathFactory) -> City:
    city = open_city(_write(tmp_path_factory.mktemp("lake") / "three"))
    load(city)
    analyse(city)
    return city


@pytest.fixture(scope="module")
def on_postgis(tmp_path_factory: pytest.TempPathFactory, postgis_server: str) -> City:
    city = _on(_write(tmp_path_factory.mktemp("postgis") / "three"), new_url(postgis_server))
    load(city)
    analyse(city)
    return city


def test_the_same_files_give_the_same_numbers_on_both(on_lake: City, on_postgis: City, tmp_path: Path) -> None:
    assert open_store(on_lake).state() == open_store(on_postgis).state()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    _same(_shown(on_lake, tmp_path / "a"), _shown(on_postgis, tmp_path / "b"))


def test_views_count_what_the_store_counts(on_postgis: City) -> None:
    store = open_store(on_postgis)
    url = on_postgis.store_url
    newest = store.read("reports")
    assert execute(url, "SELECT count(*), count(DISTINCT report_id) FROM reports_current") == [(newest.height, newest.height)]
    analysis = store.result("analysis")
    assert analysis is not None
    exported = read(on_postgis).all_reports().select("report_id", "matter_id", "position", "lon_deg", "cell_9").sort("report_id")
    viewed = execute(url, "SELECT report_id, matter_id, position, lon_deg, cell_9 FROM reports_current ORDER BY report_id")
    assert viewed == exported.rows()
    cube = store.result("cube_cell_9", analysis.provenance["parts"]["cube_cell_9"])
    assert cube is not None
    ordinary = cube.frame.filter(~pl.col("category_code").is_in(list(read(on_postgis).taxonomy.restricted)))
    seen = execute(url, "SELECT count(*), sum(reports_n), bool_and(ST_IsValid(geom)) FROM cells_weekly WHERE resolution = 9")
    assert [tuple(map(int, one)) for one in seen] == [(ordinary.height, ordinary["reports_n"].sum(), 1)]
    units = execute(url, "SELECT code, population_n, ST_NPoints(geom) FROM units_current ORDER BY code")
    assert units == [("999001001", 4000, 5), ("999001002", 8000, 5), ("999001003", 2000, 5)]


def test_as_of_an_earlier_load_everything_is_as_it_was_to_the_byte(tmp_path: Path, postgis_url: str) -> None:
    city = _on(_write(tmp_path / "three"), postgis_url)
    second = city.folder / "app2.csv"
    first_only, second_bytes = city.folder / "app.csv", second.read_bytes()
    second.unlink()
    load(city, [first_only], source="app")
    analyse(city)
    before = _parts(open_store(city))
    second.write_bytes(second_bytes)
    load(city, [second], source="app")
    analyse(city)
    assert not _parts(open_store(city))["cube_cell_9"].equals(before["cube_cell_9"])
    analyse(city, as_of=1)
    as_of = _parts(open_store(city))
    assert {name: frame.write_ipc(None).getvalue() for name, frame in as_of.items()} == {
        name: frame.write_ipc(None).getvalue() for name, frame in before.items()
    }
    open_store(city).undo(2)
    analyse(city)
    for name, frame in _parts(open_store(city)).items():
        assert_frame_equal(frame, before[name])


def _run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_city_copied_across_gives_identical_cubes_hotspots_and_exports(on_lake: City, tmp_path: Path, postgis_server: str) -> None:
    source = tmp_path / "three"
    shutil.copytree(on_lake.folder, source)
    url = new_url(postgis_server)
    told = json.loads(_run("store", "copy", source, "--to", url, "--json"))
    assert told == take_stock(open_store(on_lake)).as_dict()
    loaded = [one.tables["reports"] for one in open_store(on_lake).loads()]
    assert len(loaded) == 2
    assert told["rows"] == {"reports": sum(loaded)}
    copied = _on(source, url)
    assert analyse(copied).redone == (), "results came across too"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    shown = _shown(on_lake, tmp_path / "a")
    _same(shown, _shown(copied, tmp_path / "b"))
    # Made anew from the copied rows, everything is still the same.
    execute(url, "DELETE FROM results")
    assert analyse(copied).redone != ()
    _same(shown, _shown(copied, tmp_path / "b"))
    assert load(copied)[0].status == "already loaded"
    with pytest.raises(StoreError, match="holds something already"):
        _run("store", "copy", on_lake.folder, "--to", url)


def test_a_backup_of_one_kind_is_restored_into_the_other(on_postgis: City, tmp_path: Path) -> None:
    elsewhere = _write(tmp_path / "elsewhere")
    written = json.loads(_run("backup", on_postgis.folder, tmp_path / "city.backup", "--json"))
    restored = json.loads(_run("restore", tmp_path / "city.backup", elsewhere, "--json"))
    assert written == restored
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    _same(_shown(on_postgis, tmp_path / "a"), _shown(open_city(elsewhere), tmp_path / "b"))
    log = (on_postgis.folder / "audit.log").read_text()
    assert '"action": "backup"' in log


def test_fault_84_the_command_refuses_a_corrupt_backup_and_makes_no_store(on_lake: City, tmp_path: Path) -> None:
    elsewhere, file = _write(tmp_path / "elsewhere"), tmp_path / "city.backup"
    assert "checksum" in _run("backup", on_lake.folder, file)
    os.truncate(file, file.stat().st_size - 1)
    with pytest.raises(StoreError, match="no store was touched"):
        _run("restore", file, elsewhere)
    assert not (elsewhere / "store").exists()


def test_a_load_taken_back_stays_in_the_ledgers_history(tmp_path: Path) -> None:
    folder = _write(tmp_path / "three")
    load(open_city(folder))
    _run("load", folder, "--undo", 2)
    told = _run("ledger", folder)
    assert "load 2 (app2.csv) was taken back on 20" in told
    assert len(json.loads(_run("ledger", folder, "--json"))["loads"]) == 1
    assert load(open_city(folder))[1].load_seq == 3
