"""Where a checkout keeps the samples' data."""

from __future__ import annotations

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


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise SourceError(f"{folder}: no such folder; the samples come with a checkout of cloudmap, not with an installed package")
    return folder
