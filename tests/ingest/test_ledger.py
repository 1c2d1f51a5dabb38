"""The ledger adds up or stops the load."""

import pytest

from cloudmap.errors import LedgerError
from cloudmap.ingest.ledger import Ledger
from cloudmap.schema import LEDGER_CLASSES


def test_entry_has_the_published_shape() -> None:
    ledger = Ledger("app", "a.csv")
    ledger.add_records(5)
    ledger.add_class("located", 3)
    ledger.add_class("located", 1)
    ledger.add_class("quarantined", 1)
    ledger.add_repairs({"time_repaired": 2, "axes_swapped": 1})
    ledger.add_repairs({"axes_swapped": 1})
    ledger.check()
    assert ledger.as_dict(7) == {
        "load_seq": 7,
        "source": "app",
        "file": "a.csv",
        "lines": 5,
        "classes": {name: {"located": 4, "quarantined": 1}.get(name, 0) for name in LEDGER_CLASSES},
        "repairs": {"axes_swapped": 2, "time_repaired": 2},
    }


def test_a_lost_record_stops_the_load() -> None:
    ledger = Ledger("app", "a.csv")
    ledger.add_records(5)
    ledger.add_class("located", 4)
    with pytest.raises(LedgerError, match=r"a\.csv \(app\): 5 records in, 4 classed \(located 4\); \+1"):
        ledger.check()


@pytest.mark.parametrize(("call", "name", "n"), [("add_class", "lost", 1), ("add_class", "located", -1)])
def test_unknown_classes_and_negative_counts_are_refused(call: str, name: str, n: int) -> None:
    with pytest.raises(LedgerError):
        getattr(Ledger("app", "a.csv"), call)(name, n)
    with pytest.raises(LedgerError, match="no repair"):
        Ledger("app", "a.csv").add_repairs({name: n})
