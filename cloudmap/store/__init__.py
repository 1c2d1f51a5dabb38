"""Facts at rest: `open_store` gives the store that a city names; `contract` says what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudmap.errors import StoreError
from cloudmap.store.contract import Draft, LoadKey, LoadRecord, Store, StoredResult, Where

if TYPE_CHECKING:
    from cloudmap.city import City

__all__ = ["Draft", "LoadKey", "LoadRecord", "Store", "StoredResult", "Where", "open_store"]


def open_store(city: City, *, create: bool = False, url: str | None = None) -> Store:
    """Open the store that a city's file names.

    Parameters
    ----------
    city : City
        ``[store] url`` is the folder of a lake (``./store`` where not given), or ``postgresql://user@host/database`` for PostGIS, whose
        password comes from PGPASSWORD.
    create : bool
        Make the store where there is none.
    url : str, optional
        Another store of the same city; a folder is relative to the city's.

    Raises
    ------
    StoreError
        There is no store and `create` is false; it was made by a newer cloudmap; its kind is not known; it cannot be opened.
    """
    from cloudmap.schema import QUARANTINE, located_table

    address = city.store_url if url is None else url if "://" in url else str(city.path(url))
    tables = {"reports": located_table(city.levels, city.city.resolutions), "quarantine": QUARANTINE}
    remedy = f"cloudmap load {city.folder}"
    if "://" not in address:
        from cloudmap.store.lake import Lake

        return Lake.open(address, tables=tables, create=create, remedy=remedy)
    kind = address.partition("://")[0]
    if kind not in ("postgresql", "postgres"):
        raise StoreError(f"[store] url: no store of the kind {kind}:// is known; name a folder, or postgresql://user@host/database")
    from cloudmap.ingest.taxonomy import read_taxonomy
    from cloudmap.store.postgis import Postgis

    restricted = read_taxonomy(city).restricted if create else ()
    return Postgis.open(address, tables=tables, create=create, remedy=remedy, city=city.city.code, restricted=restricted)
