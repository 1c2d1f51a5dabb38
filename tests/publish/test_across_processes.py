"""The same load gives the same files from another process, at another time, in another place."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

WRITE = """
import sys, zipfile
from hashlib import sha256
from pathlib import Path
from cloudmap.city import open_city
from cloudmap.pipeline import read
from cloudmap.publish.briefing import brief
from cloudmap.publish.layers import export

reader, folder = read(open_city(Path(sys.argv[1]))), Path(sys.argv[2])
for form in ("html", "pdf", "xlsx"):
    path = brief(reader, kind="situation", format=form, path=folder / f"situation.{form}")
    print(path.name, sha256(path.read_bytes()).hexdigest())
with zipfile.ZipFile(brief(reader, kind="situation", format="docx", path=folder / "situation.docx")) as parts:
    for name in parts.namelist():
        print("situation.docx", name, sha256(parts.read(name)).hexdigest())
for name in ("cells.gpkg", "cells.geojson", "cells.csv", "units.xlsx", "cells.parquet"):
    path = export(reader, name.partition(".")[0], folder / name)
    print(name, sha256(path.read_bytes()).hexdigest())
"""


def test_two_processes_write_the_same_bytes(analysed_city: Path, tmp_path: Path) -> None:
    told = []
    for seed, zone in (("1", "Asia/Shanghai"), ("2", "America/New_York")):
        folder = tmp_path / seed
        folder.mkdir()
        world = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        command = [sys.executable, "-c", WRITE, str(analysed_city), str(folder)]
        told.append(subprocess.run(command, env=world, cwd=folder, check=True, capture_output=True, text=True).stdout.splitlines())
    assert told[0] == told[1]
    assert len(told[0]) > 3 + 10 + 5
    assert any(line.startswith("situation.docx word/media/") for line in told[0])
