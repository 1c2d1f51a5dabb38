"""A campaign's list of targets, as its milestone names it."""

from __future__ import annotations

import polars as pl

from cloudmap.city import City, Milestone
from cloudmap.errors import ConfigError, SchemaError, SourceError
from cloudmap.ingest.scrub import scrub_one
from cloudmap.ingest.tables import open_table

_NEEDED = ("target_id", "done_on")


def read_targets(city: City, milestone: Milestone) -> pl.DataFrame:
    """Read the targets of a campaign.

    Parameters
    ----------
    city : City
    milestone : Milestone
        Of kind campaign, with a path to a table with the columns target_id and done_on (YYYY-MM-DD, blank while it is not done).

    Returns
    -------
    polars.DataFrame
        target_id (String), done_on (Date), in the file's order.

    Raises
    ------
    ConfigError
        The milestone is no campaign or names no list.
    SourceError
        The file cannot be opened, a record of it cannot be used, a target has no id or stands twice, or a date is none.
    SchemaError
        A column is missing.
    """
    if milestone.kind != "campaign" or milestone.path is None:
        raise ConfigError(f"milestone {milestone.name!r} names no list of targets; give a milestone of kind campaign a path")
    path = city.path(milestone.path)
    parts = []
    with open_table(path) as table:
        missing = [name for name in _NEEDED if name not in table.header]
        if missing:
            raise SchemaError(f"{path.name}: column(s) {', '.join(missing)} missing; the header has: {', '.join(table.header)}")
        for block in table.blocks():
            if block.rejected.height:
                first = block.rejected.row(0, named=True)
                raise SourceError(f"{path.name} line {first['line_no']}: {first['rule']}: {first['detail']}; correct it in the file")
            parts.append(block.frame.select("line_no", *_NEEDED))
    frame = pl.concat(parts) if parts else pl.DataFrame(schema={"line_no": pl.Int64, "target_id": pl.String, "done_on": pl.String})
    told = frame.with_columns(pl.col("done_on").str.strip_chars().str.to_date("%Y-%m-%d", strict=False).alias("day"))
    unread = told.filter(pl.col("day").is_null() & pl.col("done_on").is_not_null())
    if unread.height:
        line_no, _, text, _ = unread.row(0)
        raise SourceError(
            f"{path.name} line {line_no}: done_on = {scrub_one(text)!r} is no date; write 2018-03-01, or nothing while it is not done"
        )
    if told["target_id"].null_count() or told["target_id"].n_unique() < told.height:
        raise SourceError(f"{path.name}: a target has no target_id or stands twice; give each target one line with an id of its own")
    return told.select("target_id", pl.col("day").alias("done_on"))
