"""Facts at rest: `open_store` gives the store that a city names; `contract` says what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudmap.errors import StoreError
from cloudmap.store.contract import Draft, LoadKey, LoadRecord, Store, StoredResult, Where

if TYPE_CHECKING:
    from cloudmap.city import City

__all__ = ["Draft", "LoadKey", "LoadRecord", "Store", "StoredResult", "Where", "open_store"]


def open_store(city: City, *, create: bool = False) -> Store:
    """Open the store that a city's file names.

    Parameters
    ----------
    city : City
        ``[store] url`` is the folder of a lake, ``./store`` where not given.
    create : bool
        Make the store where there is none.

    Raises
    ------
    StoreError
        There is no store and `create` is false; it was made by a newer cloudmap; its kind is not known; it cannot be opened.
    """
    url = city.store_url
    if "://" in url:
        raise StoreError(f'[store] url: no store of the kind {url.partition("://")[0]}:// is known; name a folder, such as url = "store"')
    from cloudmap.schema import QUARANTINE, located_table
    from cloudmap.store.lake import Lake

    tables = {"reports": located_table(city.levels, city.city.resolutions), "quarantine": QUARANTINE}
    return Lake.open(url, tables=tables, create=create, remedy=f"cloudmap load {city.folder}")
