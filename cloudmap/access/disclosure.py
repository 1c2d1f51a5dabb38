"""What an audience may see of counts and reports: the one function between results and every output.

A count is masked where it is 1 to k-1. Zero is shown: it tells of no report, and hiding it would hide every place where nothing happened
(`complements`, which protect a masked count from being had by subtraction, are what keeps restricted categories inside until they
exist). A masked row loses all its counts and whatever was computed from them, so that nothing tells one masked row from another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl
import polars.selectors as cs

from cloudmap.access.audience import Audience
from cloudmap.city import PrivacySection
from cloudmap.errors import AccessError

_NEVER_SHOWN = ("text", "address", "reporter_hash")


def disclose(  # noqa: PLR0913  each says something else of the columns; a bundle of them would only rename it
    frame: pl.DataFrame,
    *,
    audience: Audience,
    privacy: PrivacySection,
    count_columns: Sequence[str],
    derived_columns: Sequence[str] = (),
    category_column: str | None = None,
    restricted: frozenset[str],
    category: str | None = None,
    key_columns: Sequence[str] = (),
) -> pl.DataFrame:
    """Mask the counts that an audience may not see, and all that was computed from them.

    Parameters
    ----------
    frame : polars.DataFrame
        One row per place, period or category.
    audience : Audience
        Who is looking. Internal: ordinary categories exact, restricted ones masked below ``k_restricted`` (exact with the grant).
        Outside: every count masked below ``k``, restricted categories refused.
    privacy : PrivacySection
        The thresholds.
    count_columns : sequence of str
        Columns that count reports, matters or reporters.
    derived_columns : sequence of str
        Columns computed from counts: rates, expected ratios, z, p, q, classes, ranks.
    category_column : str, optional
        Column with each row's category code.
    restricted : frozenset of str
        Codes of restricted categories.
    category : str, optional
        The category of all rows, where no column says it. With neither, rows are totals of what `ordinary` lets through.
    key_columns : sequence of str
        Numeric columns that are neither counted nor computed (a cell id, an area); text and dates need not be named.

    Returns
    -------
    polars.DataFrame
        The frame and ``masked`` (bool). Masked rows have null in all count and derived columns. Where any row is masked, rows are
        ordered by the columns that are neither counts nor derived, since an order by counts would tell of masked ones.

    Raises
    ------
    AccessError
        A restricted category for outside; a column that is not there; a numeric column of which nobody said what it is.

    Examples
    --------
    >>> from cloudmap.access.audience import Audience
    >>> table = pl.DataFrame({"place": ["a", "b", "c"], "n": [12, 3, 0], "share": [0.8, 0.2, 0.0]})
    >>> rules = {"audience": Audience("outside"), "privacy": city.privacy, "restricted": frozenset()}
    >>> cm.disclose(table, count_columns=["n"], derived_columns=["share"], **rules).rows()
    [('a', 12, 0.8, False), ('b', None, None, True), ('c', 0, 0.0, False)]
    """
    _check_columns(frame, count_columns, derived_columns, (*key_columns, *((category_column,) if category_column else ())))
    if category_column is not None and category is not None:
        raise AccessError("give either category or category_column, not both")
    code = pl.col(category_column) if category_column is not None else pl.lit(category if category is not None else "", dtype=pl.String)
    # A row whose category is not known might be of a restricted one.
    sensitive = code.is_in(list(restricted)) | code.is_null()
    if audience.outside:
        refused = frame.select(code.filter(sensitive).unique().sort().cast(pl.String).alias("code")).get_column("code").to_list()
        if refused:
            named = ", ".join(one or "(none)" for one in refused)
            raise AccessError(f"category {named} is restricted and cannot go outside. Leave it out, or keep the file inside")
    threshold = _threshold(audience, privacy, sensitive)
    shown = pl.all_horizontal([_plain(name, threshold) for name in count_columns])
    before = pl.col("masked") if "masked" in frame.columns else pl.lit(value=False)
    told = frame.with_columns(masked=before | ((threshold > 0) & ~shown))
    hidden = [*count_columns, *derived_columns]
    told = told.with_columns(pl.when(~pl.col("masked")).then(pl.col(name)).alias(name) for name in hidden)
    if not told.get_column("masked").any():
        return told
    return told.sort([name for name in told.columns if name not in hidden and name != "masked"] or ["masked"], nulls_last=True)


def _threshold(audience: Audience, privacy: PrivacySection, sensitive: pl.Expr) -> pl.Expr:
    """Lowest count that is shown, per row; 0 where everything is."""
    if audience.outside:
        return pl.lit(privacy.k)
    if audience.restricted:
        return pl.lit(0)
    return pl.when(sensitive).then(privacy.k_restricted).otherwise(0)


def _plain(name: str, threshold: pl.Expr) -> pl.Expr:
    """Whether a count is plainly 0 or enough; null, negative, fractional and infinite ones are masked with the small ones."""
    count = pl.col(name).cast(pl.Float64)
    return ((count == 0) | ((count >= threshold) & count.is_finite())).fill_null(value=False)


def _check_columns(frame: pl.DataFrame, counts: Sequence[str], derived: Sequence[str], others: Sequence[str]) -> None:
    if not counts:
        raise AccessError("no count column named: what was computed from counts cannot be judged without them")
    missing = [name for name in (*counts, *derived, *others) if name not in frame.columns]
    if missing:
        raise AccessError(f"column(s) {', '.join(missing)} to disclose are missing; have {', '.join(frame.columns)}")
    numeric = cs.expand_selector(frame, cs.numeric() | cs.duration() | cs.nested())
    unsaid = [name for name in numeric if name not in {*counts, *derived, *others}]
    if unsaid:
        raise AccessError(f"column(s) {', '.join(unsaid)}: neither count, derived nor key, so nobody knows whether they tell of counts")


def ordinary(codes: Iterable[str], restricted: frozenset[str], audience: Audience) -> list[str]:
    """List the categories that may enter a total of several, in their order.

    A total with restricted categories would give their count by subtraction, so only an audience with the grant gets it.

    Parameters
    ----------
    codes : iterable of str
        Codes of the group.
    restricted : frozenset of str
        Codes of restricted categories.
    audience : Audience
        Who is looking.
    """
    return [code for code in codes if audience.restricted or code not in restricted]


def disclose_reports(frame: pl.DataFrame, audience: Audience, restricted: frozenset[str], *, by_place: bool = False) -> pl.DataFrame:
    """Prepare rows of single reports for an audience.

    Parameters
    ----------
    frame : polars.DataFrame
        Reports; ``category_code`` is needed. Free text, addresses and reporters are dropped for everybody.
    audience : Audience
        Who is looking. Without the grant, restricted reports lose their coordinates and every cell, and their ``position``
        becomes ``coarsened``.
    restricted : frozenset of str
        Codes of restricted categories.
    by_place : bool
        The rows are those of one place, period or category: restricted ones are then left out for an audience without the grant,
        since their number is the count that `disclose` masks and their presence would give their place.

    Returns
    -------
    polars.DataFrame
        The rows that may be seen, without the columns that may not.

    Raises
    ------
    AccessError
        The audience is outside, or there is no ``category_code``.
    """
    if audience.outside:
        raise AccessError("rows of single reports cannot go outside: export counts per cell or unit, or keep the file inside")
    if "category_code" not in frame.columns:
        raise AccessError(f"reports without category_code cannot be judged; have {', '.join(frame.columns)}")
    frame = frame.drop(_NEVER_SHOWN, strict=False)
    if audience.restricted:
        return frame
    sensitive = pl.col("category_code").is_in(list(restricted)) | pl.col("category_code").is_null()
    if by_place:
        return frame.filter(~sensitive)
    exact = [name for name in frame.columns if name in ("lon_deg", "lat_deg", "x", "y") or name.startswith("cell_")]
    blank = [pl.when(~sensitive).then(pl.col(name)).alias(name) for name in exact]
    if "position" in frame.columns:
        blank.append(pl.when(sensitive).then(pl.lit("coarsened")).otherwise(pl.col("position")).alias("position"))
    return frame.with_columns(blank)
