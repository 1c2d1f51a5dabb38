"""What can go wrong, and the exit code the command line gives for it.

    CloudmapError            1
    ├── ConfigError         10   the city file
    ├── SourceError         11   a file that cannot be opened, read or trusted
    ├── SchemaError         12   a table without the columns that it needs
    ├── CoordinateError     13   coordinate systems and datums
    ├── BoundaryError       14   base maps
    ├── LedgerError         15   records that do not add up
    ├── AnalysisError       16   statistics asked of unsuitable numbers
    ├── AccessError         17   something this role may not see or write
    └── StoreError          18   facts at rest

A message tells where, which value, which rule, and the remedy. A refusal that readers of the page meet has a `code` besides, for which
the page has words in each language, and a way on.
"""

from typing import Literal

Refusal = Literal[
    "",
    "empty",  # nothing was reported of this choice
    "few_places",  # too few places to be compared
    "inside",  # never leaves the administration
    "incoming",  # the reports of these weeks still come in
    "masked",  # a count below k would be told
    "no_campaign",  # no campaign has a list of targets
    "no_events",  # no file tells of stages
    "no_exposure",  # nothing to compare counts with
    "no_staff",  # the base map tells of no staff
    "no_units",  # the base map lacks the units
    "no_water",  # the base map has no water
    "not_analysed",  # `cloudmap analyse` has to run
    "not_tested",  # `cloudmap analyse --back-test` has to run
    "outside",  # before the first or after the last week
    "records",  # quarantined records are for who mends them
    "restricted",  # the category needs a grant
    "rows",  # single reports are for who handles them
    "short_history",  # too few whole weeks since the way of reporting changed
    "sparse",  # too few reports of this choice
    "whole_weeks",  # of weeks, asked of a day, a month or other days
    "unscored",  # counted, never judged
    "whole_weeks",  # a free period was asked for what stands on whole weeks; the error's `weeks` are those to ask for
    "wrong_layer",  # the statistic is not for places of this kind
]


class CloudmapError(Exception):
    """Any error that cloudmap raises on purpose.

    Parameters
    ----------
    message : str
    code : str, optional
        Why a number is refused, where a page has words for it (`Refusal`).
    """

    exit_code = 1

    def __init__(self, message: str = "", *, code: Refusal = "") -> None:
        super().__init__(message)
        self.code = code


class ConfigError(CloudmapError):
    """The city file is missing, unreadable or says something unknown."""

    exit_code = 10


class SourceError(CloudmapError):
    """A file cannot be opened, read or trusted; the store is unchanged."""

    exit_code = 11


class SchemaError(CloudmapError):
    """A table lacks a required column or has one twice."""

    exit_code = 12


class CoordinateError(CloudmapError):
    """A coordinate system is undeclared, contradicted by evidence or unusable."""

    exit_code = 13


class BoundaryError(CloudmapError):
    """A base map breaks a rule that locating needs."""

    exit_code = 14


class LedgerError(CloudmapError):
    """Records in do not equal the sum of the ledger's classes."""

    exit_code = 15


class AnalysisError(CloudmapError):
    """A statistic was asked of numbers that it is not defined for."""

    exit_code = 16


class AccessError(CloudmapError):
    """What was asked for may not be seen or taken out by this audience."""

    exit_code = 17


class StoreError(CloudmapError):
    """Facts cannot be read from or written to the store."""

    exit_code = 18
