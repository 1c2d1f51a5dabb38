"""Where a checkout keeps the samples' data, and how a sample city gets a folder of its own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from cloudmap.errors import SourceError

_DATA = Path(__file__).parents[2] / "data"


def samples_folder(name: str) -> Path:
    """Return ``data/samples/<name>``.

    Raises
    ------
    SourceError
        It is absent: an installed package does not carry the samples.
    """
    return _existing(_DATA / "samples" / name)


def boundaries_folder(name: str) -> Path:
    """Return ``data/boundaries/<name>``.

    Raises
    ------
    SourceError
        It is absent: an installed package does not carry the samples.
    """
    return _existing(_DATA / "boundaries" / name)


def copy_city(name: str, folder: Path) -> list[Path]:
    """Copy a sample's city file into `folder` and the files that it names into ``folder/data``, with the paths to match.

    Parameters
    ----------
    name : str
        A folder of ``data/samples`` with a ``city.toml``.
    folder : Path
        Made if absent.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    SourceError
        The samples' data are not where a checkout has them.
    """
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    text = (samples_folder(name) / "city.toml").read_text(encoding="utf-8")
    written = []
    for named in dict.fromkeys(re.findall(r'"([^"\n]+\.[a-z.]+)"', text)):
        origin = samples_folder(name) / named
        if origin.is_file():
            text = text.replace(f'"{named}"', f'"data/{origin.name}"')
            written.append(Path(shutil.copyfile(origin, data / origin.name)))
    city = folder / "city.toml"
    city.write_text(text, encoding="utf-8")
    return [city, *written]


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; the samples come with a checkout of cloudmap, not with an installed package")
    return folder
