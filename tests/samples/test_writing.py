import json
from pathlib import Path

import pytest

from cloudmap.city import open_city
from cloudmap.errors import ConfigError
from cloudmap.samples import SAMPLES, write_sample


def files_and_times(folder: Path) -> dict[str, int]:
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_an_unknown_sample_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ConfigError, match="luqiao, boston"):
        write_sample("paris", tmp_path)


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_scale_that_makes_no_reports_is_refused(tmp_path, scale):
    with pytest.raises(ConfigError, match="scale"):
        write_sample("luqiao", tmp_path, scale=scale)


def test_a_second_call_leaves_every_file_alone(luqiao, truth):
    before = files_and_times(luqiao)
    write_sample("luqiao", luqiao, scale=truth["scale"])
    assert files_and_times(luqiao) == before


def test_a_lost_file_or_another_seed_writes_again(tmp_path):
    write_sample("boston", tmp_path)
    (tmp_path / "data" / "boston_crash_sample.csv.gz").unlink()
    write_sample("boston", tmp_path)
    assert (tmp_path / "data" / "boston_crash_sample.csv.gz").is_file()

    write_sample("luqiao", tmp_path / "lq", scale=0.002)
    first = json.loads((tmp_path / "lq" / "truth.json").read_text())
    write_sample("luqiao", tmp_path / "lq", scale=0.002, seed=7)
    assert json.loads((tmp_path / "lq" / "truth.json").read_text())["silent"] != first["silent"]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_written_sample_needs_nothing_outside_its_folder(name, luqiao, tmp_path):
    folder = luqiao if name == "luqiao" else write_sample(name, tmp_path)
    city = open_city(folder)
    paths = [layer.path for layer in (*city.units, *city.water, *city.landmarks)]
    paths += [source.categories for source in city.sources if isinstance(source.categories, Path)]
    paths += [milestone.path for milestone in city.milestones if milestone.path]
    for path in paths:
        assert city.path(path).is_relative_to(folder)
        assert city.path(path).is_file(), path
    assert all(city.source_files(source) for source in city.sources)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_samples_city_file_is_valid_where_it_lies(name):
    city = open_city(Path(__file__).parents[2] / "data" / "samples" / name)
    assert all(city.path(layer.path).is_file() for layer in (*city.units, *city.water, *city.landmarks))
    assert city.city.schematic == (name == "luqiao")
