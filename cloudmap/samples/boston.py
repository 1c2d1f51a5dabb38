"""The real sample: Boston's service requests of 2015, with crime and crash samples."""

from __future__ import annotations

import shutil
from pathlib import Path

from cloudmap.samples.origin import boundaries_folder, samples_folder

_BOUNDARIES_PREFIX = "../../boundaries/boston/"


def inputs() -> list[Path]:
    """List the files that the sample is made of, and the code that copies them."""
    return [Path(__file__), *_report_files(), *_boundary_files(), samples_folder("boston") / "city.toml"]


def write_boston(folder: Path) -> list[Path]:
    """Copy the sample's files into ``folder/data`` and its city file, with the paths to match, into `folder`.

    Raises
    ------
    SourceError
        The samples' data are not where a checkout has them.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    text = (samples_folder("boston") / "city.toml").read_text(encoding="utf-8")
    for path in _boundary_files():
        text = text.replace(f'"{_BOUNDARIES_PREFIX}{path.name}"', f'"data/{path.name}"')
    for path in _report_files():
        text = text.replace(f'"{path.name}"', f'"data/{path.name}"')
    written = [Path(shutil.copyfile(path, data / path.name)) for path in (*_report_files(), *_boundary_files())]
    city = folder / "city.toml"
    city.write_text(text, encoding="utf-8")
    return [city, *written]


def _report_files() -> list[Path]:
    return sorted(path for path in samples_folder("boston").iterdir() if path.suffix in {".gz", ".csv"})


def _boundary_files() -> list[Path]:
    return sorted(boundaries_folder("boston").glob("boston_*.geojson"))
