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

A message tells where, which value, which rule, and the remedy.
"""


class CloudmapError(Exception):
    """Any error that cloudmap raises on purpose."""

    exit_code = 1


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
