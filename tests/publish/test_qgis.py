"""QGIS itself opens the layers: their style comes with them, and every feature has the class and colour of the page's map."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from cloudmap.publish import tables
from cloudmap.publish.layers import export
from cloudmap.publish.legend import bands

SCRIPT = Path(__file__).with_name("qgis_check.py")
PYTHON = os.environ.get("CLOUDMAP_QGIS_PYTHON", "/usr/bin/python3")
"""The Python that QGIS is installed for."""


@cache
def _missing():
    """Why QGIS cannot be asked; nothing where it can."""
    if shutil.which(PYTHON) is None:
        return f"{PYTHON} is not there; set CLOUDMAP_QGIS_PYTHON"
    asked = subprocess.run([PYTHON, "-c", "import qgis.core"], capture_output=True, check=False)
    return "" if asked.returncode == 0 else f"{PYTHON} has no qgis.core (apt install --no-install-recommends python3-qgis)"


def _shown(path, layer):
    if _missing():
        pytest.skip(_missing())
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QGIS_CUSTOM_CONFIG_PATH": str(path.parent)}
    told = subprocess.run([PYTHON, str(SCRIPT), str(path), layer], capture_output=True, check=True, timeout=120, env=environment)
    return json.loads(told.stdout)


@pytest.mark.parametrize(
    ("measure", "outside"), [("count", False), ("ratio", False), ("hotspot", False), ("count", True), ("hotspot", True)]
)
def test_qgis_loads_the_style_and_colours_every_feature_as_the_page_does(measure, outside, fake, tmp_path):
    reader = fake(exposure_kind="population", outside=outside)
    told = _shown(export(reader, "cells", tmp_path / "c.gpkg", measure=measure, crs="EPSG:4490"), "cells")
    places = tables.place_table(reader, "cell_9", measure=measure)
    classes = bands(places, measure)
    assert (told["valid"], told["features"], told["crs"]) == (True, len(places), "EPSG:4490")
    assert told["renderer"] == "RuleRenderer"
    assert told["legend"] == [band.label("zh-Hans") for band in classes]
    assert len({band.key for band in classes if band.members(places).any()}) > 1
    for band in classes:
        for place in places["place"][band.members(places)]:
            colours, labels = told["places"][place]
            assert labels == [band.label("zh-Hans")], place
            assert colours == [band.colour] or band.masked, place
    assert told["aliases"]["n"] == "件数"
