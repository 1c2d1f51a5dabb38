"""The city file: what it accepts, and how it explains what it does not."""

import pytest

from cloudmap.city import open_city
from cloudmap.errors import ConfigError
from tests.conftest import CITY_TOML


def _write(folder, text):
    (folder / "city.toml").write_text(text, encoding="utf-8")
    return folder


def test_the_small_city_opens(city_folder):
    city = open_city(city_folder)
    assert city.levels == ("street",)
    assert [path.name for path in city.source_files(city.source("app"))] == ["app.csv"]
    assert open_city(city_folder / "city.toml") == city


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name_zh = "三方城"', 'naem_zh = "三方城"', "city.naem_zh; did you mean 'name_zh'"),
        ("[exposure]", "[exposur]", "exposur; did you mean 'exposure'"),
        ('crs = "EPSG:4326"', 'crss = "EPSG:4326"', "sources.0.crss; did you mean 'crs'"),
        ("closed_at =", "close_at =", "did you mean 'closed_at'"),
        ('"closed"', '"clossed"', "did you mean 'closed'"),
        ('"Asia/Shanghai"', '"Asia/Shangai"', "unknown time zone"),
        ('code = "999001"\n', "", "city.code is missing"),
        ("[[sources]]", "[[sources", "not valid TOML"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest_known_name(tmp_path, old, new, message):
    assert old in CITY_TOML
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")) as caught:
        open_city(_write(tmp_path, CITY_TOML.replace(old, new)))
    assert str(tmp_path) in str(caught.value)


def test_a_missing_city_file_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(ConfigError, match="cloudmap init"):
        open_city(tmp_path)


def test_an_unknown_source_names_the_nearest(city_folder):
    with pytest.raises(ConfigError, match="did you mean 'app'"):
        open_city(city_folder).source("apps")


def test_two_sources_of_one_id_are_refused(tmp_path):
    table = CITY_TOML[CITY_TOML.index("[[sources]]") :]
    with pytest.raises(ConfigError, match="app used twice"):
        open_city(_write(tmp_path, CITY_TOML + table))


def test_environment_overrides_the_store_and_single_keys(city_folder, monkeypatch):
    monkeypatch.setenv("CLOUDMAP_STORE", "elsewhere")
    monkeypatch.setenv("CLOUDMAP_PRIVACY__K", "7")
    city = open_city(city_folder)
    assert city.store_url == str(city_folder / "elsewhere")
    assert city.privacy.k == 7


def test_the_salt_is_made_once_and_kept_to_its_owner(city_folder, monkeypatch):
    monkeypatch.delenv("CLOUDMAP_SALT", raising=False)
    city = open_city(city_folder)
    first = city.salt()
    assert city.salt() == first
    assert (city_folder / ".salt").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("CLOUDMAP_SALT", "from outside")
    assert city.salt() == b"from outside"
