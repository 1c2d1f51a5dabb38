"""The real sample: Boston's service requests of 2015, with crime and crash samples."""

from __future__ import annotations

from pathlib import Path

from cloudmap.samples import origin


def inputs() -> list[Path]:
    """List the files that the sample is made of, and the code that copies them."""
    folders = (origin.samples_folder("boston"), origin.boundaries_folder("boston"))
    return [Path(origin.__file__), *(path for folder in folders for path in folder.iterdir() if path.is_file())]


def write_boston(folder: Path) -> list[Path]:
    """Copy the sample into `folder`.

    Raises
    ------
    SourceError
        The samples' data are not where a checkout has them.
    """
    return origin.copy_city("boston", folder)
