"""A campaign's list going to zero."""

from datetime import date
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from cloudmap.analytics.campaign import burn_down
from cloudmap.errors import AnalysisError
from tests.analytics.handled import at

ZONE = ZoneInfo("Asia/Shanghai")


def targets(*done):
    return pl.DataFrame({"target_id": [f"t{i}" for i in range(len(done))], "done_on": list(done)}, schema_overrides={"done_on": pl.Date})


def test_weeks_count_down_to_zero():
    listed = targets(date(2018, 2, 20), date(2018, 3, 2), date(2018, 3, 12), date(2018, 3, 18))
    result = burn_down(listed, begun_on=date(2018, 3, 1), now=at("2018-03-20T00:00"), zone=ZONE)
    assert result.table.select("week_on", "done_n", "left_n").rows() == [
        (date(2018, 2, 26), 2, 2),
        (date(2018, 3, 5), 0, 2),
        (date(2018, 3, 12), 2, 0),
        (date(2018, 3, 19), 0, 0),
    ]
    assert result.parameters["zero_on"] == "2018-03-18"


def test_what_is_done_after_now_is_left():
    result = burn_down(targets(date(2018, 3, 2), date(2018, 4, 2), None), begun_on=date(2018, 3, 1), now=at("2018-03-10T00:00"), zone=ZONE)
    assert result.table["left_n"].to_list() == [2, 2]
    assert result.parameters["zero_on"] is None
    assert result.table["left_share"][1] == pytest.approx(2 / 3)


def test_lists_that_make_no_sense_are_refused():
    now = at("2018-03-10T00:00")
    with pytest.raises(AnalysisError, match="done_on"):
        burn_down(pl.DataFrame({"target_id": ["a"]}), begun_on=date(2018, 3, 1), now=now, zone=ZONE)
    with pytest.raises(AnalysisError, match="twice"):
        burn_down(targets().clear(), begun_on=date(2018, 3, 1), now=now, zone=ZONE)
    with pytest.raises(AnalysisError, match="after now"):
        burn_down(targets(None), begun_on=date(2018, 4, 1), now=now, zone=ZONE)
