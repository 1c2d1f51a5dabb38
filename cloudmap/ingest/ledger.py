"""Reconcile a file: every record ends in exactly one class, and the classes add up to the records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cloudmap.errors import LedgerError
from cloudmap.schema import LEDGER_CLASSES, REPAIRS


@dataclass
class Ledger:
    """Counts of one file on its way into the store.

    Parameters
    ----------
    source_id : str
        Id of the source.
    file : str
        File name, as the user knows it.

    Examples
    --------
    >>> ledger = Ledger("app", "reports.csv")
    >>> ledger.add_records(3)
    >>> ledger.add_class("located", 2)
    >>> ledger.add_class("quarantined", 1)
    >>> ledger.check()
    >>> ledger.as_dict()["classes"]["located"]
    2
    """

    source_id: str
    file: str
    lines: int = 0
    """Records in; a quoted newline keeps a record together."""
    classes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEDGER_CLASSES, 0))
    repairs: dict[str, int] = field(default_factory=dict)

    def add_records(self, n: int) -> None:
        """Count records read.

        Parameters
        ----------
        n : int

        Raises
        ------
        LedgerError
            `n` is negative.
        """
        self.lines += _count(n, "records")

    def add_class(self, name: str, n: int) -> None:
        """Count records that ended in a class.

        Parameters
        ----------
        name : str
            One of `schema.LEDGER_CLASSES`.
        n : int

        Raises
        ------
        LedgerError
            Unknown class, or `n` is negative.
        """
        if name not in self.classes:
            raise LedgerError(f"{self.file}: {name!r} is no class of the ledger; known: {', '.join(LEDGER_CLASSES)}")
        self.classes[name] += _count(n, name)

    def add_repairs(self, counts: Mapping[str, int]) -> None:
        """Count repairs and doubts, such as `schema.flag_counts` gives them; they stand beside the classes, outside the sum.

        Parameters
        ----------
        counts : mapping of str to int
            Keys are of `schema.REPAIRS`.

        Raises
        ------
        LedgerError
            Unknown repair, or a negative count.
        """
        for name, n in counts.items():
            if name not in REPAIRS:
                raise LedgerError(f"{self.file}: {name!r} is no repair; known: {', '.join(REPAIRS)}")
            self.repairs[name] = self.repairs.get(name, 0) + _count(n, name)

    def check(self) -> None:
        """Assert that records in are the sum of the classes.

        Raises
        ------
        LedgerError
            They are not; nothing of this file may be committed.
        """
        total = sum(self.classes.values())
        if total != self.lines:
            shown = ", ".join(f"{name} {n:,}" for name, n in self.classes.items() if n)
            raise LedgerError(
                f"{self.file} ({self.source_id}): {self.lines:,} records in, {total:,} classed ({shown or 'none'}); "
                f"{self.lines - total:+,} unaccounted for. The store is unchanged; please report this with the file's first lines"
            )

    def as_dict(self, load_seq: int | None = None) -> dict[str, object]:
        """Return one entry of `ledger --json`.

        Parameters
        ----------
        load_seq : int, optional
            The load that committed the file; None before.

        Returns
        -------
        dict
            load_seq, source, file, lines, classes (every class, zeros too), repairs (those that occurred, in the order of
            `schema.REPAIRS`).

        Raises
        ------
        Nothing.
        """
        repairs = {name: self.repairs[name] for name in REPAIRS if self.repairs.get(name)}
        return {
            "load_seq": load_seq,
            "source": self.source_id,
            "file": self.file,
            "lines": self.lines,
            "classes": dict(self.classes),
            "repairs": repairs,
        }


def _count(n: int, what: str) -> int:
    if n < 0:
        raise LedgerError(f"{n} {what}: a count cannot be negative")
    return n
