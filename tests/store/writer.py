"""Another process at the store, driven by the fault tests: `python -m tests.store.writer FOLDER VERB ...`."""

import sys

from cloudmap.store.lake import Lake
from tests.store.facts import entry, fill, key, reports


def main(folder: str, verb: str, *rest: str) -> None:
    if verb == "init":
        Lake.open(folder, create=True)
        return
    store = Lake.open(folder)
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
