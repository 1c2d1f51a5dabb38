"""Reports of one matter, across sources, get one matter_id, and every link its reasons."""

from cloudmap.matters.evidence import Model
from cloudmap.matters.joining import COLUMNS, SURE_SHARE, Matters, join_reports
from cloudmap.matters.pairs import Limits
from cloudmap.matters.told import with_matters

__all__ = ["COLUMNS", "SURE_SHARE", "Limits", "Matters", "Model", "join_reports", "with_matters"]
