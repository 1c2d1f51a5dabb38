"""Coordinate systems: convert, name, diagnose.

China's web maps deliver shifted coordinates: GCJ-02 (about 545 m off at Luqiao) and BD-09 (about 1.1 km). CGCS2000 and WGS84 agree to
centimetres and count as one. What a feed is in is declared, or diagnosed with evidence; it is never guessed in silence.
"""

from __future__ import annotations

from cloudmap.geo.coordinates import CHINA_BOX, Datum, in_china_box, shift, to_metric, to_wgs84
from cloudmap.geo.datum import DatumVerdict, NamedUnits, default_candidates, diagnose_crs, same_datum
from cloudmap.geo.declared import check_declared
from cloudmap.ingest.crs_names import CGCS2000, OBFUSCATED, WGS84, is_geographic, normalise_crs

__all__ = [
    "CGCS2000",
    "CHINA_BOX",
    "OBFUSCATED",
    "WGS84",
    "Datum",
    "DatumVerdict",
    "NamedUnits",
    "check_declared",
    "default_candidates",
    "diagnose_crs",
    "in_china_box",
    "is_geographic",
    "normalise_crs",
    "same_datum",
    "shift",
    "to_metric",
    "to_wgs84",
]
