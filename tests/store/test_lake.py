"""What is the lake's own: its files, its catalog, and what it says when they are not what they should be."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from cloudmap.city import City, CitySection, StoreSection
from cloudmap.errors import SchemaError, StoreError
from cloudmap.schema import Column, Table
from cloudmap.store import catalog, files, open_store
from cloudmap.store import draft as draft_module
from cloudmap.store.lake import Lake
from tests.store.facts import ids, key, load, rejected, reports
from tests.store.writer import Writer


def _city(folder: Path, url: str = "store") -> City:
    return City(folder=folder, city=CitySection(name_zh="三方", name_en="Squares", code="999001"), store=StoreSection(url=url))


def _parts(lake: Lake) -> list[Path]:
    return sorted((lake.folder / "loads").rglob("reports-*.parquet"))


def test_a_missing_store_is_not_made_in_silence_and_the_command_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"no store at {tmp_path}/store\. Make one with `cloudmap load {tmp_path}`"):
        open_store(_city(tmp_path))
    assert list(tmp_path.iterdir()) == []
    made = open_store(_city(tmp_path), create=True)
    load(Lake(tmp_path / "store", made._book, {}), "a", reports(range(2)))
    assert len(open_store(_city(tmp_path)).loads()) == 1
    assert len(open_store(_city(tmp_path), create=True).loads()) == 1


def test_a_city_store_knows_its_columns_before_the_first_load(tmp_path: Path) -> None:
    got = open_store(_city(tmp_path), create=True).read("reports", ["report_id", "cell_9"])
    assert got.schema == pl.Schema({"report_id": pl.String(), "cell_9": pl.Int64(), "load_seq": pl.Int64()})


def test_an_unknown_kind_of_store_is_refused_without_telling_its_password(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store of the kind mysql://") as caught:
        open_store(_city(tmp_path, "mysql://me:secret@host/db"))
    assert "secret" not in str(caught.value)


def test_known_tables_are_checked_and_cast(tmp_path: Path) -> None:
    known = Table("notes", "", "", (Column("line_no", pl.Int64(), "", ""), Column("rule", pl.String(), "", "")))
    lake = Lake.open(tmp_path / "store", tables={"notes": known}, create=True)
    with lake.draft(key("a")) as draft:
        with pytest.raises(SchemaError, match=r"table notes: column\(s\) rule missing"):
            draft.write("notes", rejected(1).drop("rule"))
        with pytest.raises(SchemaError, match=r"unknown column\(s\) more"):
            draft.write("notes", rejected(1).with_columns(more=1))
        draft.write("notes", rejected(1).with_columns(pl.col("line_no").cast(pl.Int32)))
        draft.commit({})
    assert lake.read("notes").schema["line_no"] == pl.Int64


def test_one_load_is_read_without_any_join(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "a", reports(range(4)))
    load(lake, "b", reports(range(4), source="hall"))
    monkeypatch.setattr(pl.LazyFrame, "join", lambda *_, **__: pytest.fail("disjoint loads were joined"))
    assert lake.read("reports").height == 8


def test_a_flipped_byte_is_found_and_the_file_named(lake: Lake) -> None:
    load(lake, "a", reports(range(400)))
    part = _parts(lake)[0]
    content = bytearray(part.read_bytes())
    content[len(content) // 3] ^= 0x10
    part.write_bytes(content)
    with pytest.raises(StoreError, match=rf"{part}: SHA-256 .* damaged or changed"):
        lake.read("reports")


def test_a_shortened_file_is_found(lake: Lake) -> None:
    load(lake, "a", reports(range(400)))
    part = _parts(lake)[0]
    lake.read("reports")
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"bytes, written with [\d,]+\."):
        lake.read("reports")


def test_a_missing_file_is_named(lake: Lake) -> None:
    load(lake, "a", reports(range(4)))
    _parts(lake)[0].unlink()
    with pytest.raises(StoreError, match=r"missing, though the catalog names it\. Put it back from a backup"):
        lake.read("reports")


def test_a_damaged_result_is_found(lake: Lake) -> None:
    lake.save_result("cube", "k", reports(range(4)), {})
    file = next((lake.folder / "results").iterdir())
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(StoreError, match="analyse"):
        lake.result("cube")
    file.unlink()
    with pytest.raises(StoreError, match="missing"):
        lake.result("cube")


def test_a_damaged_catalog_is_named(lake: Lake) -> None:
    (lake.folder / "catalog.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match="The catalog is damaged"):
        Lake.open(lake.folder)


def test_a_file_of_another_program_is_no_catalog(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    sqlite3.connect(tmp_path / "store" / "catalog.sqlite").execute("CREATE TABLE birds (name)").connection.close()
    with pytest.raises(StoreError, match="not a catalog of cloudmap"):
        Lake.open(tmp_path / "store", create=True)


def test_fault_86_older_program_refuses_a_newer_store(lake: Lake) -> None:
    load(lake, "a", reports(range(2)))
    connection = sqlite3.connect(lake.folder / "catalog.sqlite")
    connection.execute("UPDATE about SET value = '99' WHERE name = 'schema_version'")
    connection.commit()
    connection.close()
    for create in (False, True):
        with pytest.raises(StoreError, match=r"schema version 99, this cloudmap knows 2: .* newer version\. Upgrade cloudmap"):
            Lake.open(lake.folder, create=create)


def test_fault_74_disk_full_says_how_much_room_there_is(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(20)))
    monkeypatch.setenv("CLOUDMAP_FAIL_AT", "part-written:2")
    with pytest.raises(StoreError, match=r"writing reports failed: the disk is full, [\d,.]+ MB free\. The store is as it was before"):
        load(lake, "second", reports(range(30)))
    monkeypatch.delenv("CLOUDMAP_FAIL_AT")
    assert lake.read("reports").height == 20
    assert lake.compact() == 0


def test_fault_74_a_catalog_that_cannot_grow_is_a_full_disk_too(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(20)))
    connect = catalog.Catalog._connect

    def cramped(book: catalog.Catalog) -> object:
        connection = connect(book)
        pages_n = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages_n}")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(catalog.Catalog, "_connect", cramped)
        full = Lake.open(lake.folder)
        with full.draft(key("second")) as draft:
            draft.write("reports", reports(range(30)))
            with pytest.raises(StoreError, match="committing a load failed: the disk is full"):
                draft.commit({"evidence": "x" * 100_000})
    assert sorted(ids(lake.read("reports"))) == list(range(20))


def test_fault_74_a_disk_without_room_for_the_log_can_still_be_read(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    load(lake, "first", reports(range(20)))
    open_as = catalog.Catalog._open

    def no_room(book: catalog.Catalog, mode: str) -> sqlite3.Connection:
        if mode == "rw":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
            raise error
        return open_as(book, mode)

    monkeypatch.setattr(catalog.Catalog, "_open", no_room)
    monkeypatch.setattr(files, "_has_no_room", lambda folder: True)
    assert lake.read("reports").height == 20
    with pytest.raises(StoreError, match="undoing a load failed: the disk is full"):
        lake.undo(1)


def _make_version_1(folder: Path) -> None:
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("ALTER TABLE loads DROP COLUMN undone_at")
    connection.execute("UPDATE about SET value = '1' WHERE name = 'schema_version'")
    connection.commit()
    connection.close()


def test_fault_85_killed_while_upgrading_the_store_is_old_or_new(lake: Lake) -> None:
    load(lake, "a", reports(range(3)))
    _make_version_1(lake.folder)
    before = (lake.folder / "catalog.sqlite").read_bytes()
    Writer(lake.folder, "upgrade", CLOUDMAP_KILL_AT="in-upgrade").must_be_killed()
    assert (lake.folder / "catalog.sqlite").read_bytes() == before
    again = Lake.open(lake.folder)
    assert ids(again.read("reports")) == [0, 1, 2]
    undone = again.undo(1)
    assert undone.undone_at is not None
    assert Lake.open(lake.folder).loads() == [undone]


def test_fault_75_an_older_store_that_cannot_be_written_is_not_brought_up(lake: Lake, tmp_path: Path, plain_user: None) -> None:
    folder = tmp_path / "store"
    os.seteuid(0)
    load(lake, "a", reports(range(3)))
    _make_version_1(folder)
    _read_only(folder)
    os.seteuid(65534)
    with pytest.raises(StoreError, match="read-only for this user"):
        Lake.open(folder)


@pytest.fixture
def plain_user(tmp_path: Path) -> Iterator[None]:
    """Make the test's folder read-only, and lose root's right to write in it all the same."""
    is_root = os.geteuid() == 0
    modes = {folder: folder.stat().st_mode & 0o7777 for folder in tmp_path.parents if is_root}
    modes = {folder: mode for folder, mode in modes.items() if mode & 0o005 != 0o005}
    for folder, mode in modes.items():
        folder.chmod(mode | 0o055)
    tmp_path.chmod(0o555)
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)
        for folder in (tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())):
            folder.chmod(0o755)


def _read_only(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


@pytest.fixture
def frozen(lake: Lake) -> Lake:
    load(lake, "a", reports(range(4)))
    load(lake, "b", reports(range(2, 6)))
    lake.save_result("cube", "k", reports(range(2)), {})
    _read_only(lake.folder)
    return lake


def test_fault_75_read_only_store_is_read_and_every_write_is_refused(frozen: Lake, plain_user: None) -> None:
    lake = Lake.open(frozen.folder)
    assert sorted(ids(lake.read("reports"))) == list(range(6))
    assert lake.result("cube") is not None
    writes = [
        lambda: load(lake, "c", reports(range(2))),
        lambda: lake.undo(1),
        lambda: lake.save_result("cube", "k2", reports(range(2)), {}),
        lambda: lake.remember("pile_ups", rejected(1)),
        lake.compact,
    ]
    for write in writes:
        with pytest.raises(StoreError, match=r"read-only for this user\. Give write permission"):
            write()
    assert len(lake.loads()) == 2
    assert not lake.loads()[0].undone


def test_fault_75_a_store_cannot_be_made_in_a_read_only_folder(tmp_path: Path, plain_user: None) -> None:
    with pytest.raises(StoreError, match="read-only for this user"):
        Lake.open(tmp_path / "store", create=True)


def test_a_load_that_commits_while_a_sweep_looks_around_is_kept(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    look = draft_module._committed
    looks = iter([set(), None])
    load(lake, "a", reports(range(4)))
    monkeypatch.setattr(draft_module, "_committed", lambda book: look(book) if (known := next(looks)) is None else known)
    assert lake.compact() == 0
    assert lake.read("reports").height == 4


def test_a_sweep_frees_what_nobody_names_and_leaves_a_living_writer_alone(lake: Lake) -> None:
    load(lake, "a", reports(range(4)))
    dead = lake.folder / "loads" / "dead"
    shutil.copytree(_parts(lake)[0].parent, dead)
    stray = lake.folder / "results" / "stray.parquet"
    stray.write_bytes(b"12345")
    with lake.draft(key("b")) as draft:
        assert not dead.exists(), "beginning a load sweeps the loads that died"
        draft.write("reports", reports(range(10, 12)))
        assert Lake.open(lake.folder).compact() == 5
        draft.commit({})
    assert not stray.exists()
    assert lake.read("reports").height == 6
