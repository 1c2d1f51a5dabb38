"""What is PostGIS's own: its tables and views, its migrations, and what it says when the server does not do what it should."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import make_url, text

from cloudmap.city import City, CitySection, StoreSection
from cloudmap.errors import SchemaError, StoreError
from cloudmap.schema import LEVELS, QUARANTINE, located_table
from cloudmap.store import migrations, open_store, server, upgrading
from cloudmap.store.columns import decode, encode
from cloudmap.store.postgis import Postgis
from cloudmap.store.server import Server
from tests.store.cluster import Cluster, execute, new_url
from tests.store.facts import ids, key, load, rejected, reports
from tests.store.writer import Writer


@pytest.fixture
def store(postgis_url: str) -> Postgis:
    return Postgis.open(postgis_url, create=True)


def _city(folder: Path, url: str, code: str = "999001") -> City:
    return City(folder=folder, city=CitySection(name_zh="三方", name_en="Squares", code=code), store=StoreSection(url=url))


# Columns and values


def test_every_type_and_every_text_is_read_back_as_it_was(store: Postgis) -> None:
    texts = [
        "",
        None,
        "a,b",
        'q"x',
        "\\N",
        "\\.",
        "a\n\\.\nb",
        "\r\n",
        "NULL",
        "%s :x {}",
        "路桥\U0001f4cd",
        "'; DROP TABLE loads; --",
        " ",
    ]
    n = len(texts)
    frame = pl.DataFrame(
        {
            "report_id": [f"app:{i}" for i in range(n)],
            "text": texts,
            "share": [0.1, None, float("nan"), float("inf"), -0.0, 1e-300, 123456789.123456789, *range(n - 7)],
            "kept": [True, None, *[False] * (n - 2)],
            "shape": [b"\x00\xff", None, b"", *[b"\\x"] * (n - 3)],
            "at": pl.Series([-3_786_825_536_999_996, None, *range(n - 2)], dtype=pl.Datetime("us", "UTC")),
            "naive_at": pl.Series(range(n), dtype=pl.Datetime("ms")),
            "on": pl.Series(range(n), dtype=pl.Int32).cast(pl.Date),
            "flags": pl.Series([2**32 - 1, *range(n - 1)], dtype=pl.UInt32),
            "small": pl.Series(range(n), dtype=pl.Int8),
            "narrow": pl.Series(range(n), dtype=pl.Float32),
            "cell_9": pl.Series([-(2**63), 2**63 - 1, *range(n - 2)], dtype=pl.Int64),
            "nothing": [None] * n,
            "a column, with \"everything\"; and 'more'": range(n),
        }
    )
    load(store, "a", frame)
    assert_frame_equal(store.read("reports").drop("load_seq"), frame)
    for value in texts:
        wanted = [i for i, one in enumerate(texts) if one == value]
        assert ids(store.read("reports", ["report_id"], [("text", "==", value)])) == wanted
        assert ids(store.read("reports", ["report_id"], [("text", "in", [value, None])])) == ([] if value is None else wanted)


def test_what_the_server_has_no_column_for_is_refused_by_name(store: Postgis) -> None:
    with store.draft(key("a")) as draft:
        with pytest.raises(StoreError, match=r"column parts of type List\(Int64\) cannot be stored"):
            draft.write("notes", pl.DataFrame({"parts": [[1]]}))
        with pytest.raises(SchemaError, match="column 'geom' is the store's own"):
            draft.write("notes", pl.DataFrame({"geom": [1]}))
        draft.write("notes", pl.DataFrame({"text": ["a\0b"]}))
        with pytest.raises(StoreError, match="column text holds a NUL character"):
            draft.commit({})
    load(store, "b", reports(range(2)))
    with pytest.raises(StoreError, match="column cell_9 holds bigint in the store and text in these rows"):
        load(store, "c", reports([5]).with_columns(pl.col("cell_9").cast(pl.String)))
    assert [one.file for one in store.loads()] == ["b.csv"]


def test_types_are_written_down_and_understood_again() -> None:
    types = located_table(LEVELS, range(16)).dtypes
    assert decode(encode("reports", types)) == types


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (("closed_at", "in", [None]), []),
        (("unit_street_code", "in", pl.Series(["331004000"])), [0, 3]),
        (("cell_9", "in", {0x8900000000000000 - (1 << 64) + 4, 2**63 - 1}), [4]),
        (("cell_9", ">", 1.5), []),
        (("cell_9", "<", 10**30), [0, 1, 2, 3, 4, 5]),
        (("unit_street_code", ">=", "331004002"), [2, 5]),
    ],
)
def test_conditions_that_only_polars_understands_are_left_to_it(store: Postgis, condition: tuple, expected: list[int]) -> None:
    load(store, "a", reports(range(6)))
    assert ids(store.read("reports", ["report_id"], [condition])) == expected


def test_text_is_compared_by_its_bytes_as_everywhere_else(store: Postgis) -> None:
    names = ["app:a", "app:B", "app:ä", "app:区", "app:10", "app:9", "app:\uffee", "app:\U0001f4cd"]
    frame = pl.DataFrame({"report_id": names})
    load(store, "a", frame)
    for name in names:
        got = store.read("reports", where=[("report_id", "<", name)])
        assert sorted(got["report_id"]) == sorted(one for one in names if one.encode() < name.encode())


# Migrations


def test_the_models_and_the_migrations_agree_and_spatial_ref_sys_is_left_alone(store: Postgis, postgis_url: str) -> None:
    from alembic.autogenerate import produce_migrations
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    load(store, "a", reports(range(3)))
    execute(postgis_url, "CREATE TABLE birds (name text)")
    found: list[object] = []
    folder = str(Path(migrations.__file__).parent)

    def compare(_: object, context: object) -> list[object]:
        found.extend(produce_migrations(context, context.opts["target_metadata"]).upgrade_ops.as_diffs())  # type: ignore[attr-defined]
        return []

    with Server(postgis_url).engine.connect() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", folder)
        with EnvironmentContext(config, ScriptDirectory(folder), fn=compare):
            ScriptDirectory(folder).run_env()
    assert found == []
    assert migrations.known_revisions()[-1] == migrations.HEAD


def test_every_migration_goes_up_and_down_and_up_again(store: Postgis, postgis_url: str) -> None:
    load(store, "a", reports(range(3)))
    owner = Server(postgis_url)
    tables = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
    before = execute(postgis_url, tables)
    for revision in (migrations.known_revisions()[0], "base"):
        with owner.writing() as connection:
            migrations.migrate(connection, revision)
        if revision != "base":
            assert execute(postgis_url, "SELECT count(*) FROM fact_reports") == [(3,)]
            assert ids(Postgis.open(postgis_url).read("reports")) == [0, 1, 2]
            assert execute(postgis_url, tables) == before
    assert execute(postgis_url, tables) == [(1,)], "only alembic's own table stays"
    assert execute(postgis_url, "SELECT count(*) > 1000 FROM spatial_ref_sys") == [(True,)]
    with pytest.raises(StoreError, match="no store at"):
        Postgis.open(postgis_url)
    assert load(Postgis.open(postgis_url, create=True), "a", reports(range(3))).load_seq == 1


def test_fault_85_killed_while_upgrading_the_store_is_old_or_new(store: Postgis, postgis_url: str) -> None:
    load(store, "a", reports(range(3)))
    with Server(postgis_url).writing() as connection:
        migrations.migrate(connection, migrations.known_revisions()[0])
    Writer(postgis_url, "upgrade", CLOUDMAP_KILL_AT="in-upgrade").must_be_killed()
    assert execute(postgis_url, "SELECT version_num FROM alembic_version") == [(migrations.known_revisions()[0],)]
    again = Postgis.open(postgis_url)
    assert execute(postgis_url, "SELECT version_num FROM alembic_version") == [(migrations.HEAD,)]
    assert ids(again.read("reports")) == [0, 1, 2]
    assert execute(postgis_url, "SELECT count(*) FROM reports_current") == [(3,)]


def test_fault_86_older_program_refuses_a_newer_store(store: Postgis, postgis_url: str) -> None:
    load(store, "a", reports(range(2)))
    execute(postgis_url, "UPDATE alembic_version SET version_num = '9999'")
    for create in (False, True):
        with pytest.raises(StoreError, match=r"schema version 9999, this cloudmap knows \d+: .* newer version\. Upgrade cloudmap"):
            Postgis.open(postgis_url, create=create)
    assert execute(postgis_url, "SELECT count(*) FROM fact_reports") == [(2,)]


# Opening


def test_a_missing_store_is_not_made_in_silence_and_the_command_is_named(postgis_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=rf"no store at .*\. Make one with `cloudmap load {tmp_path}`"):
        open_store(_city(tmp_path, postgis_url))
    assert execute(postgis_url, "SELECT current_schema()") == [("public",)]
    open_store(_city(tmp_path, postgis_url), create=True)
    assert open_store(_city(tmp_path, postgis_url)).loads() == []
    got = open_store(_city(tmp_path, postgis_url)).read("reports", ["report_id", "cell_9"])
    assert got.schema == pl.Schema({"report_id": pl.String(), "cell_9": pl.Int64(), "load_seq": pl.Int64()})


def test_a_store_holds_one_city(postgis_url: str, tmp_path: Path) -> None:
    open_store(_city(tmp_path, postgis_url), create=True)
    for create in (False, True):
        with pytest.raises(StoreError, match=r"holds city 999001, not 025\. .*\?schema=name"):
            open_store(_city(tmp_path, postgis_url, "025"), create=create)


def test_two_stores_in_one_database_do_not_see_each_other(store: Postgis, postgis_server: str) -> None:
    load(store, "a", reports(range(3)))
    other = Postgis.open(new_url(postgis_server), create=True)
    assert other.loads() == []
    load(other, "b", reports(range(5)))
    assert store.read("reports").height == 3


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:secret@127.0.0.1:1/city", "the server does not answer .*refused"),
        ("postgresql://me:secret@127.0.0.1:1/city?schema=No%20name", "schema='No name': want small letters"),
        ("postgresql://me:secret@127.0.0.1:port/city", "not a URL"),
    ],
)
def test_what_cannot_be_reached_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(StoreError, match=message) as caught:
        Postgis.open(url)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_not_waited_for(postgis_server: str) -> None:
    begun = time.monotonic()
    with pytest.raises(StoreError, match='database "nowhere" does not exist'):
        Postgis.open(make_url(postgis_server).set(database="nowhere").render_as_string(hide_password=False))
    assert time.monotonic() - begun < 5


# Faults of the server


def test_fault_74_a_full_disk_of_the_server_is_told_as_such(store: Postgis, postgis_url: str) -> None:
    load(store, "a", reports(range(3)))
    execute(
        postgis_url,
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend file' "
        "USING ERRCODE = '53100'; END $$; CREATE TRIGGER full_disk BEFORE INSERT ON load_tables EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(StoreError, match=r"committing a load failed: the server's disk is full\. The store is as it was before; make room"):
        load(store, "b", reports(range(10, 20)))
    execute(postgis_url, "DROP TRIGGER full_disk ON load_tables")
    assert ids(store.read("reports")) == [0, 1, 2]
    assert load(store, "b", reports(range(10, 20))).load_seq == 2


@pytest.fixture
def reader_url(store: Postgis, postgis_url: str) -> Iterator[str]:
    """The same store for a role that may only read."""
    role = f"reader_{postgis_url[-12:]}"
    schema = postgis_url.rpartition("=")[2]
    execute(postgis_url, f"CREATE ROLE {role} LOGIN PASSWORD 'only-reads'; GRANT USAGE ON SCHEMA {schema} TO {role}")
    load(store, "a", reports(range(4)))
    execute(postgis_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")
    yield make_url(postgis_url).set(username=role, password="only-reads").render_as_string(hide_password=False)
    execute(postgis_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_fault_75_a_role_that_may_only_read_reads_and_every_write_is_refused(reader_url: str) -> None:
    store = Postgis.open(reader_url)
    assert ids(store.read("reports")) == [0, 1, 2, 3]
    writes = [
        lambda: load(store, "c", reports(range(2))),
        lambda: store.undo(1),
        lambda: store.save_result("cube", "k2", reports(range(2)), {}),
        lambda: store.remember("pile_ups", rejected(1)),
    ]
    for write in writes:
        with pytest.raises(StoreError, match=r"this user may not do that \(.*permission denied.*the store's owner"):
            write()
    assert [one.undone for one in store.loads()] == [False]


def test_fault_75_a_server_that_is_set_to_read_only_says_so(store: Postgis, postgis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c default_transaction_read_only=on")
    plain = Postgis(Server(postgis_url.partition("?")[0]), {})
    with pytest.raises(StoreError, match="takes no writing now"), plain.server.translated("trying"), plain.server.writing() as connection:
        connection.execute(text("CREATE TABLE never (n int)"))


@pytest.fixture
def own(cluster: Cluster) -> Iterator[Postgis]:
    """A store on a server that may be crashed."""
    yield Postgis.open(new_url(cluster.url), create=True)
    cluster.start()


@pytest.mark.parametrize("moment", ["rows-copied", "in-commit", "after-commit"])
def test_fault_87_the_server_crashes_in_mid_load_and_the_load_lands_once(
    own: Postgis, cluster: Cluster, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(own, "first", reports(range(20)))
    crashed: list[str] = []
    reach = server_points_reach()

    def crash(name: str) -> None:
        reach(name)
        if name == moment and not crashed:
            crashed.append(name)
            cluster.restart("immediate")

    monkeypatch.setattr("cloudmap.store.points.reach", crash)
    record = load(own, "second", reports(range(10, 40)))
    assert crashed == [moment]
    assert (record.load_seq, record.tables) == (2, {"reports": 30, "quarantine": 1})
    assert [one.load_seq for one in own.loads()] == [1, 2]
    assert sorted(ids(own.read("reports"))) == list(range(40))
    assert own.read("quarantine").height == 2


def server_points_reach():
    from cloudmap.store import points

    return points.reach


def test_fault_87_a_commit_whose_answer_was_lost_is_not_done_twice(own: Postgis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction went through, the connection broke before the client heard of it."""
    real, lost = Server.persist, []

    def deaf(self: Server, work, patience_s: float):
        def work_and_lose():
            done = work()
            if getattr(done, "load_seq", None) and not lost:
                lost.append(done)
                import psycopg

                raise psycopg.OperationalError("server closed the connection unexpectedly")
            return done

        return real(self, work_and_lose, patience_s)

    monkeypatch.setattr(Server, "persist", deaf)
    with own.draft(key("a"), file="a.csv") as draft:
        draft.write("reports", reports(range(5)))
        record = draft.commit({})
        assert not draft.already, "it is this draft's own load"
    assert lost[0].load_seq == record.load_seq == 1
    assert own.read("reports").height == 5


def test_fault_87_a_reader_waits_for_the_server_to_come_back(own: Postgis, cluster: Cluster) -> None:
    load(own, "a", reports(range(20)))
    cluster.stop()
    starting = threading.Timer(0.5, cluster.start)
    starting.start()
    try:
        assert own.read("reports").height == 20
        assert len(own.loads()) == 1
    finally:
        starting.join()


def test_fault_87_a_server_that_stays_away_is_given_up_with_the_remedy(
    own: Postgis, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cloudmap.store import postgis, postgis_draft

    load(own, "a", reports(range(20)))
    monkeypatch.setattr(postgis, "READ_PATIENCE_S", 0.3)
    monkeypatch.setattr(postgis_draft, "WRITE_PATIENCE_S", 0.3)
    cluster.stop()
    with pytest.raises(StoreError, match=r"reading reports failed: the server does not answer"):
        own.read("reports")
    with pytest.raises(StoreError, match=r"committing a load failed: the server does not answer .*The store is as it was before"):
        load(own, "b", reports(range(30)))
    cluster.start()
    assert own.read("reports").height == 20


# What others read


def test_views_show_the_newest_reports_with_shape_and_comments_and_keep_restricted_places_back(postgis_url: str) -> None:
    tables = {"reports": located_table(("street",), (9,)), "quarantine": QUARANTINE}
    store = Postgis.open(postgis_url, create=True, tables=tables, city="1", restricted=["MC01"])

    def rows(numbers: range, **values: object) -> pl.DataFrame:
        wanted = tables["reports"].dtypes
        frame = reports(numbers).with_columns(lon_deg=pl.lit(121.4), lat_deg=pl.lit(28.5), position=pl.lit("point"), text=pl.lit("secret"))
        frame = frame.with_columns(**{name: pl.lit(value) for name, value in values.items()})
        return frame.with_columns(pl.lit(None).alias(name) for name in wanted if name not in frame.columns)

    def write(name: str, frame: pl.DataFrame) -> None:
        with store.draft(key(name)) as draft:
            draft.write("reports", frame)
            draft.commit({})

    write("a", rows(range(6)))
    write("b", rows(range(2), category_code="MC01"))
    write("c", rows(range(4, 8), lon_deg=None, lat_deg=None))
    store.undo(3)
    seen = execute(postgis_url, "SELECT report_id, load_seq, position, lon_deg, cell_9, ST_AsText(geom) FROM reports_current ORDER BY 1")
    assert [(one[0][-1], *one[1:4], one[5]) for one in seen] == [
        *((str(n), 2, "coarsened", None, None) for n in range(2)),
        *((str(n), 1, "point", 121.4, "POINT(121.4 28.5)") for n in range(2, 6)),
    ]
    assert [one[4] is None for one in seen] == [True] * 2 + [False] * 4
    shared = pl.DataFrame({"report_id": ["app:00003", "app:00004"], "matter_id": ["app:00003", "app:00003"]})
    store.save_result("matters", "k", shared, {})
    store.save_result("analysis", "a", shared, {"parts": {"matters": "k"}, "now": "2024-01-02T00:00:00+00:00"})
    matters = execute(postgis_url, "SELECT right(matter_id, 1) FROM reports_current ORDER BY report_id")
    assert "".join(one[0] for one in matters) == "012335"
    columns = execute(
        postgis_url,
        "SELECT c.relname, a.attname, col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'v' AND a.attnum > 0",
    )
    assert {one[0] for one in columns} == {"reports_current", "units_current", "cells_weekly"}
    assert [one for one in columns if not one[2]] == []
    assert not {"text", "address", "reporter_hash"} & {one[1] for one in columns}
    shapes = "SELECT f_table_name, type, srid FROM geometry_columns WHERE f_table_schema = current_schema()"
    assert {("reports_current", "POINT", 4326), ("units_current", "MULTIPOLYGON", 4326), ("cells_weekly", "POLYGON", 4326)} <= set(
        execute(postgis_url, shapes)
    )
    where = "EXPLAIN SELECT * FROM reports_current WHERE geom && ST_MakeEnvelope(121, 28, 121.5, 29, 4326)"
    execute(postgis_url, "ANALYZE fact_reports")
    plan = "\n".join(one[0] for one in execute(postgis_url, "SET enable_seqscan = off; " + where))
    assert "idx_fact_reports_geom" in plan


def test_rights_that_were_granted_on_a_view_outlive_new_columns(store: Postgis, postgis_url: str) -> None:
    role = f"qgis_{postgis_url[-12:]}"
    execute(postgis_url, f"CREATE ROLE {role}; GRANT SELECT ON reports_current TO {role}")
    load(store, "a", reports(range(3)).with_columns(cell_11=pl.lit(1, dtype=pl.Int64)))
    assert execute(postgis_url, f"SELECT has_table_privilege('{role}', 'reports_current', 'SELECT')") == [(True,)]
    assert execute(postgis_url, "SELECT count(cell_11) FROM reports_current") == [(3,)]
    execute(postgis_url, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_opening_a_lake_imports_no_driver() -> None:
    drivers = ("psycopg", "geoalchemy2", "alembic", "adbc_driver_postgresql")
    code = f"import sys, cloudmap.store.lake; print([one for one in {drivers} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_the_servers_remedies_are_no_dead_ends() -> None:
    for name in ("READ_PATIENCE_S", "WRITE_PATIENCE_S"):
        assert 5 <= getattr(server, name) <= 120
    assert upgrading.HEAD == migrations.HEAD
