from __future__ import annotations

import hashlib
from pathlib import Path

import cloudmap.dashboard

ASSETS = Path(cloudmap.dashboard.__file__).parent / "assets"
WEB = Path(__file__).parents[2] / "web"


def test_the_committed_bundle_is_built_from_these_sources() -> None:
    digest = hashlib.sha256()
    for path in [WEB / "build.mjs", WEB / "package.json", *sorted((WEB / "src").iterdir())]:
        digest.update(path.read_bytes())
    head = (ASSETS / "map.js").read_text(encoding="utf-8")[:120]
    assert digest.hexdigest() in head, "run `npm install && npm run build` in web/ and commit cloudmap/dashboard/assets"


def test_the_licences_of_what_is_bundled_stand_beside_it() -> None:
    text = (ASSETS / "map.LICENSES.txt").read_text(encoding="utf-8")
    for name in ("maplibre-gl 6.17.0", "earcut", "kdbush", "@ag-grid-community/locale"):
        assert name in text


def test_nothing_in_the_assets_fetches_from_outside() -> None:
    for path in ASSETS.glob("*.css"):
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "").replace("http://www.w3.org/1999/xlink", "")
        assert "url(http" not in text
        assert "@import" not in text
