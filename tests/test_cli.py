"""The command line: every verb on the small city, JSON for scripts, one exit code per error class."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from cloudmap import cli, errors
from tests.conftest import write_city

RUN = CliRunner()


@pytest.fixture(scope="module")
def city(analysed_city, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "three"
    shutil.copytree(analysed_city, folder)
    return folder


def _ok(*arguments):
    done = RUN.invoke(cli.app, [str(one) for one in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_load_prints_where_every_record_went_and_a_repeat_says_so(tmp_path):
    folder = write_city(tmp_path / "three")
    first = _ok("load", folder)
    assert "1,200" in first
    assert "located" in first
    assert "already loaded as load 1; nothing changed" in _ok("load", folder)


def test_ledger_json_has_its_fixed_shape(city):
    (entry,) = json.loads(_ok("ledger", city, "--json"))["loads"]
    assert set(entry) == {"load_seq", "source", "file", "lines", "classes", "repairs"}
    assert (entry["load_seq"], entry["source"], entry["file"], entry["lines"]) == (1, "app", "app.csv", 1200)
    assert sum(entry["classes"].values()) == 1200


def test_check_tells_evidence_and_writes_nothing(tmp_path):
    folder = write_city(tmp_path / "three")
    told = json.loads(_ok("check", folder, "--json"))
    assert told["files"][0]["status"] == "checked"
    assert any("encoding" in line for line in told["files"][0]["evidence"])
    assert not (folder / "store").exists()


def test_own_layers_become_the_base_map_that_check_tells_of(tmp_path):
    folder = write_city(tmp_path / "three")
    told = _ok("basemap", folder, f"water={folder / 'canal.geojson'}", folder / "streets.geojson")
    assert "as water" in told
    assert 'file = "base.pmtiles"' in told
    with (folder / "city.toml").open("a", encoding="utf-8") as file:
        file.write('\n[basemap]\nfile = "base.pmtiles"\n')
    checked = json.loads(_ok("check", folder, "--json"))
    assert checked["beneath"].startswith("base.pmtiles: mvt, zoom 8 to 14, layers base")
    assert "no_attribution" in {one["kind"] for one in checked["base_map"]}
    assert "Drawn beneath the map" in _ok("check", folder)


def test_analyse_says_when_nothing_changed(city):
    assert json.loads(_ok("analyse", city, "--json"))["redone"] == []
    assert "nothing had changed" in _ok("analyse", city)


def test_undo_takes_a_load_back_and_its_file_can_be_loaded_again(tmp_path):
    folder = write_city(tmp_path / "three")
    _ok("load", folder)
    assert "taken back" in _ok("load", folder, "--undo", 1)
    assert json.loads(_ok("ledger", folder, "--json"))["loads"] == []
    _ok("load", folder)
    assert json.loads(_ok("ledger", folder, "--json"))["loads"][0]["load_seq"] == 2


@pytest.mark.parametrize("format", ["html", "xlsx"])
def test_brief_writes_a_file(city, tmp_path, format):
    path = tmp_path / f"b.{format}"
    _ok("brief", city, "--kind", "hotspots", "--format", format, "-o", path)
    assert path.stat().st_size > 5000


def test_exports_are_written_and_audited(city, tmp_path):
    for what, name in (("cells", "c.gpkg"), ("units", "u.csv"), ("reports", "r.parquet"), ("quarantine", "q.csv")):
        _ok("export", city, what, "-o", tmp_path / name)
        assert (tmp_path / name).exists()
    assert (city / "audit.log").read_text(encoding="utf-8").count("export") >= 4


def _fails(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["cloudmap", *(str(one) for one in arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr().err


def test_each_error_class_has_its_own_exit_code(monkeypatch, capsys, tmp_path, city):
    codes = [one.exit_code for one in errors.CloudmapError.__subclasses__()]
    assert sorted(codes) == list(range(10, 19))
    assert _fails(monkeypatch, capsys, "load", tmp_path)[0] == 10
    assert _fails(monkeypatch, capsys, "export", city, "reports", "-o", tmp_path / "r.csv", "--outside")[0] == 17
    assert _fails(monkeypatch, capsys, "brief", city, "--period", "2018")[0] == 16
    assert _fails(monkeypatch, capsys, "load", city, "--undo", "99")[0] == 18


def test_an_error_names_place_value_and_remedy(monkeypatch, capsys, tmp_path):
    folder = write_city(tmp_path / "three")
    text = (folder / "city.toml").read_text(encoding="utf-8")
    (folder / "city.toml").write_text(text.replace('"经度"', '"经 度"'), encoding="utf-8")
    code, told = _fails(monkeypatch, capsys, "load", folder)
    assert code == 12
    assert "经 度" in told
    assert "经度" in told


def test_serve_binds_to_this_machine_only(monkeypatch, capsys, city):
    code, told = _fails(monkeypatch, capsys, "serve", city, "--host", "0.0.0.0")
    assert code == 17
    assert "127.0.0.1" in told
