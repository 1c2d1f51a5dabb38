"""Every line of the audit log follows from the one before it; whatever is done to it shows."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudmap.access import audit
from cloudmap.city import City, CitySection
from cloudmap.errors import AccessError


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(folder=tmp_path, city=CitySection(name_zh="三方", name_en="Squares", code="999001"))


def _entries(city: City) -> list[dict]:
    return [json.loads(line) for line in (city.folder / "audit.log").read_text().splitlines()]


def test_a_record_is_one_line_that_says_who_did_what(city: City) -> None:
    assert audit.verify(city)
    audit.record(city, "export", what="cells", file=Path("F.gpkg"), rows=12, audience="internal")
    audit.record(city, "brief", kind="hotspots", title="治理云图")
    first, second = _entries(city)
    assert (first["line"], first["action"], second["action"]) == (1, "export", "brief")
    assert first["details"] == {"what": "cells", "file": "F.gpkg", "rows": 12, "audience": "internal"}
    assert first["user"]
    assert first["at"].endswith("+00:00")
    assert "治理云图" in (city.folder / "audit.log").read_text(), "Chinese stays readable"
    assert audit.verify(city) == audit.Chain(2)
    assert (city.folder / "audit.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("control", ["\n", "\r", "\x1b[2J", "\x00", "\x7f", "\x85", "\u2028", "\u202e", "\ud800", '"}\n{"line": 9}'])
def test_controls_cannot_make_a_line_or_hide_one(city: City, control: str) -> None:
    audit.record(city, f"export{control}", file=f"a{control}b")
    content = (city.folder / "audit.log").read_bytes().decode()
    assert content.count("\n") == 1
    assert all(one.isprintable() or one == "\n" for one in content)
    assert _entries(city)[0]["details"]["file"] == f"a{control}b"
    assert audit.verify(city)


def _edit(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"rows": 1', b'"rows": 7'), *lines[2:]]


def _edit_last(lines: list[bytes]) -> list[bytes]:
    return [*lines[:-1], lines[-1].replace(b'"line": 4', b'"line": 5')]


@pytest.mark.parametrize(
    ("tamper", "broken_at"),
    [
        (_edit, 3),
        (_edit_last, 4),
        (lambda lines: [lines[0], *lines[2:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2),
        (lambda lines: [*lines[:2], b"not json\n", *lines[2:]], 3),
        (lambda lines: [*lines[:3], lines[3][:-5]], 4),
    ],
)
def test_tampering_shows_at_the_first_line_that_does_not_follow(
    city: City, tamper: Callable[[list[bytes]], list[bytes]], broken_at: int
) -> None:
    for number in range(4):
        audit.record(city, "export", rows=number)
    path = city.folder / "audit.log"
    path.write_bytes(b"".join(tamper(path.read_bytes().splitlines(keepends=True))))
    chain = audit.verify(city)
    assert not chain
    assert (chain.broken_at, chain.lines_n) == (broken_at, broken_at - 1)
    assert chain.reason


def test_lines_cut_off_at_the_end_show_to_who_kept_a_digest(city: City) -> None:
    digests = [audit.record(city, "export", rows=number) for number in range(3)]
    assert all(audit.verify(city, holds=digest) for digest in digests)
    path = city.folder / "audit.log"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    assert audit.verify(city, holds=digests[1])
    assert audit.verify(city, holds=digests[2]).reason == "lines are missing at the end"


def test_the_remains_of_a_killed_writer_are_kept_in_the_next_line(city: City) -> None:
    audit.record(city, "export", rows=1)
    path = city.folder / "audit.log"
    with path.open("ab") as file:
        file.write(b'{"line": 2, "at": "20')
    assert not audit.verify(city)
    audit.record(city, "export", rows=2)
    assert audit.verify(city) == audit.Chain(2)
    assert _entries(city)[1]["torn"] == '{"line": 2, "at": "20'


def test_writers_at_once_make_one_chain(city: City) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from cloudmap.access import audit; from cloudmap.city import City, CitySection\n"
        "city = City(folder=Path(sys.argv[1]), city=CitySection(name_zh='a', name_en='b', code='1'))\n"
        "for number in range(40): audit.record(city, 'export', writer=sys.argv[2], number=number)\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(city.folder), name]) for name in ("one", "two")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert audit.verify(city) == audit.Chain(80)
    for name in ("one", "two"):
        assert [one["details"]["number"] for one in _entries(city) if one["details"]["writer"] == name] == list(range(40))


def test_where_the_log_cannot_be_written_nothing_goes_out(city: City) -> None:
    (city.folder / "audit.log").mkdir()
    with pytest.raises(AccessError, match=r"audit\.log: the audit log cannot be written .* so export is refused"):
        audit.record(city, "export", file="F.gpkg")
    with pytest.raises(AccessError, match="cannot be read"):
        audit.verify(city)
