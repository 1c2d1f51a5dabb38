"""Write a sample city into a folder of its own, once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cloudmap.errors import ConfigError

SAMPLES: Final = ("luqiao", "boston")
_STAMP: Final = ".sample.json"


def write_sample(name: str, folder: str | Path, *, scale: float = 1, seed: int | None = None) -> Path:
    """Write a sample city, self-contained, and return its folder.

    Parameters
    ----------
    name : str
        One of `SAMPLES`.
    folder : str or Path
        Where ``city.toml`` and ``data/`` go; made if absent.
    scale : float, default 1
        Luqiao only: 1 is about 216,000 reports, 10 is 2.16 million.
    seed : int, optional
        Luqiao only: another seed gives other reports with the same planted counts.

    Raises
    ------
    ConfigError
        Unknown sample, or a scale that is not positive.
    SourceError
        The data of the samples are not where a checkout has them.

    Notes
    -----
    A second call with the same arguments leaves every file alone: a stamp in the folder holds a digest of the arguments, of the
    base maps and of the generator itself.
    """
    from cloudmap.samples import boston, luqiao

    if name not in SAMPLES:
        raise ConfigError(f"no sample {name!r}; known: {', '.join(SAMPLES)}")
    if not scale > 0:
        raise ConfigError(f"scale = {scale!r}: must be above 0; 1 is about 216,000 reports")
    folder = Path(folder).expanduser().resolve()
    inputs = boston.inputs() if name == "boston" else luqiao.inputs()
    chosen = {"name": name} if name == "boston" else {"name": name, "scale": scale, "seed": luqiao.SEED if seed is None else seed}
    stamp = {**chosen, "inputs": digest(inputs)}
    if _is_current(folder, stamp):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _STAMP).unlink(missing_ok=True)
    if name == "boston":
        written = boston.write_boston(folder)
    else:
        written = luqiao.make_luqiao(folder, scale=scale, seed=luqiao.SEED if seed is None else seed)
    files = sorted(path.relative_to(folder).as_posix() for path in written)
    (folder / _STAMP).write_text(json.dumps({**stamp, "files": files}, indent=1) + "\n", encoding="utf-8")
    return folder


def digest(paths: Iterable[Path]) -> str:
    """Hash the names and contents of files, in order of name; 16 hexadecimal digits."""
    total = hashlib.sha256()
    for path in sorted(paths, key=lambda one: one.name):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def _is_current(folder: Path, stamp: dict[str, object]) -> bool:
    try:
        found = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = found.pop("files", [])
    return found == stamp and all((folder / name).is_file() for name in files)
