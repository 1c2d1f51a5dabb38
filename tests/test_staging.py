"""Reading ahead in another process gives what reading here gives, and its death harms nothing."""

import os
import signal
import threading
import time

import polars as pl
import psutil
import pytest

from cloudmap import staging
from cloudmap.city import open_city
from cloudmap.errors import SchemaError, SourceError
from cloudmap.pipeline import load
from cloudmap.store import open_store
from tests.conftest import HEADER, report_lines, write_city


@pytest.fixture
def many_files(tmp_path):
    folder = write_city(tmp_path / "three", report_lines(300))
    for number in range(2):
        lines = report_lines(200, seed=number, prefix=f"N{number}-")
        (folder / f"app{number}.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (folder / ".salt").write_text("salt")
    return folder


def _facts(folder):
    return open_store(open_city(folder)).read("reports").sort("report_id")


def test_reading_ahead_gives_the_same_facts_and_ledger(many_files, tmp_path, monkeypatch):
    here = load(open_city(many_files))
    facts = _facts(many_files)
    (many_files / "store").rename(tmp_path / "away")
    monkeypatch.setattr(staging, "AHEAD_BYTES", 0)
    ahead = load(open_city(many_files))
    assert [one.ledger for one in ahead] == [one.ledger for one in here]
    assert [one.evidence for one in ahead] == [one.evidence for one in here]
    assert _facts(many_files).equals(facts)


def test_an_error_of_the_reading_process_is_the_callers_error(many_files, monkeypatch):
    monkeypatch.setattr(staging, "AHEAD_BYTES", 0)
    (many_files / "app1.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"app1\.csv"):
        load(open_city(many_files))
    assert [one.file for one in open_store(open_city(many_files)).loads()] == ["app.csv", "app0.csv"]


def test_fault_81_a_killed_reading_process_is_an_error_and_stores_nothing(many_files, monkeypatch):
    monkeypatch.setattr(staging, "AHEAD_BYTES", 0)

    def kill():
        while True:
            for child in psutil.Process().children():
                if "cloudmap.staging" in " ".join(child.cmdline()):
                    os.kill(child.pid, signal.SIGKILL)
                    return
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(SourceError, match="was ended"):
        load(open_city(many_files))
    killer.join()
    assert not open_store(open_city(many_files)).loads()


def test_the_sample_for_the_datum_is_bounded_and_spread():
    points = pl.DataFrame({"x": range(staging.SAMPLE_N * 3 + 1)})
    thin = staging._thin(points)
    assert thin.height <= staging.SAMPLE_N
    assert thin["x"].max() > staging.SAMPLE_N * 2
