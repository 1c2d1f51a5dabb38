"""Another process at the store, driven by the fault tests: `python -m tests.store.writer ADDRESS VERB ...`."""

import sys
from typing import Any

from cloudmap.store import Store
from cloudmap.store.lake import Lake
from cloudmap.store.postgis import Postgis
from tests.store.facts import entry, fill, key, reports


def open_at(address: str, **options: Any) -> Store:
    """Open the store at a folder or URL."""
    return Postgis.open(address, **options) if "://" in address else Lake.open(address, **options)


def main(address: str, verb: str, *rest: str) -> None:
    if verb == "init":
        open_at(address, create=True)
        return
    store = open_at(address)
    if verb == "result":
        store.save_result("cube", rest[0], reports(range(5)), {"load": 1})
    elif verb in ("load", "hold"):
        name, first, last = rest
        frame = reports(range(int(first), int(last)))
        with store.draft(key(name), file=f"{name}.csv") as draft:
            fill(draft, frame)
            if verb == "hold":
                print("written", flush=True)
                sys.stdin.readline()
            record = draft.commit(entry(frame, f"{name}.csv"))
        print(record.load_seq, draft.already, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
