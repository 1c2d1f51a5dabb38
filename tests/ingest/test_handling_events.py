"""Event files: every record is an event, told already, or quarantined; words become standard; nothing goes by in silence."""

from datetime import UTC, date, datetime

import pytest

from cloudmap.city import Milestone, open_city
from cloudmap.errors import ConfigError, SchemaError, SourceError
from cloudmap.ingest.handling_events import doubt_counts, events_key, read_events
from cloudmap.ingest.handling_targets import read_targets
from cloudmap.schema import HANDLING_EVENTS, QUARANTINE, STAGES

HEAD = "编号,环节,状态,时间,会议\n"
SECTION = """
[[handling]]
source = "app"
flow = "{flow}"
path = "{path}"
fields = {{ {fields} }}
"""
FIELDS = 'report_id = "编号", stage = "环节", state = "状态", at = "时间", tier = "会议"'


@pytest.fixture
def city_with(city_folder):
    """Make a city with event files."""

    def make(*files, flow="district", fields=FIELDS, more="", path="events_*.csv"):
        for number, (text, encoding) in enumerate(files):
            (city_folder / f"events_{number}.csv").write_bytes(text.encode(encoding))
        toml = city_folder / "city.toml"
        toml.write_text(toml.read_text(encoding="utf-8") + SECTION.format(flow=flow, path=path, fields=fields) + more, encoding="utf-8")
        return open_city(toml)

    return make


def test_words_become_stages_states_meetings_and_instants(city_with):
    text = HEAD + "A1,信息收集,待办,2018-03-05 09:00:00,\nA1,分流交辦,辦理中,2018-03-05 10:30:00,議事會\n"
    text += "A1,Feedback,已办结,2018-03-06 08:00:00,街道联席会\n"
    log = read_events(city_with((text, "utf-8-sig")))
    assert log.events.select("report_id", "stage", "state", "tier").rows() == [
        ("app:A1", "collect", "open", None),
        ("app:A1", "dispatch", "handling", "hall"),
        ("app:A1", "feed_back", "closed", "street"),
    ]
    assert log.events["at"][0] == datetime(2018, 3, 5, 1, tzinfo=UTC)
    assert log.events.schema == HANDLING_EVENTS.dtypes
    assert log.events["stage_raw"].to_list() == ["信息收集", "分流交辦", "Feedback"]
    assert log.ledger == [
        {"source": "app", "file": "events_0.csv", "lines": 3, "classes": {"events": 3, "repeated": 0, "quarantined": 0}, "doubts": {}}
    ]


def test_every_record_is_accounted_for(city_with):
    good = "A1,采集,待办,2018-03-05 09:00:00,\n"
    text = (
        HEAD
        + good
        + good
        + ",处置,办理中,2018-03-05 10:00:00,\nA2,处置,办理中,2018-02-31 10:00:00,\nA3,处置,办理中,,\nA4,,,2018-03-05 10:00:00,\n"
    )
    text += "1.2E+17,处置,办理中,2018-03-05 10:00:00,\nA5,处置\nA6,处置,办理中,2199-01-01 10:00:00,\n"
    text += "A7,移交外单位,办理中,2018-03-05 10:00:00,\nA8,处置,情况不明 13800138000,2018-03-05 10:00:00,\n"
    log = read_events(city_with((text, "utf-8")))
    assert log.ledger[0]["classes"] == {"events": 3, "repeated": 1, "quarantined": 7}
    assert log.ledger[0]["doubts"] == doubt_counts(log.events) == {"unknown_stage": 1, "unknown_state": 1}
    rules = dict(log.quarantine.select("line_no", "rule").iter_rows())
    assert rules.pop(9) is not None  # too few cells
    assert rules == {
        4: "blank_id", 5: "no_such_date", 6: "blank_time", 7: "blank_event", 8: "id_in_scientific_notation", 10: "future_time",
    }  # fmt: skip
    assert log.quarantine.schema == QUARANTINE.dtypes
    assert log.quarantine["detail"].null_count() == 0
    assert "13800138000" not in str(log.events.rows())


def test_several_files_are_one_log_and_an_overlap_is_told_already(city_with):
    first = HEAD + "A1,采集,待办,2018-03-05 09:00:00,\nA1,处置,办理中,2018-03-05 10:00:00,\n"
    second = HEAD + "A1,处置,办理中,2018-03-05 10:00:00,\nA1,督查,已办结,2018-03-05 11:00:00,\n"
    log = read_events(city_with((first, "utf-8"), (second, "gb18030")))
    assert [one["classes"] for one in log.ledger] == [
        {"events": 2, "repeated": 0, "quarantined": 0},
        {"events": 1, "repeated": 1, "quarantined": 0},
    ]
    assert log.events["file"].to_list() == ["events_0.csv", "events_0.csv", "events_1.csv"]


@pytest.mark.parametrize(("flow", "last"), [("hall", "信息反馈"), ("district", "督查"), ("standard", "核查结案")])
def test_without_a_state_the_stage_tells_it(city_with, flow, last):
    text = (
        HEAD
        + f"A1,采集,,2018-03-05 09:00:00,\nA1,分流,,2018-03-05 10:00:00,\nA1,{last},,2018-03-05 11:00:00,\nA1,评价,,2018-03-07 11:00:00,\n"
    )
    log = read_events(city_with((text, "utf-8"), flow=flow))
    assert log.events["state"].to_list() == ["open", "handling", "closed", "closed"]


def test_a_citys_own_words_are_added(city_with):
    more = 'stages = { "移交" = "dispatch" }\nstates = { "冻结" = "suspended" }\n'
    log = read_events(city_with((HEAD + "A1,移交,冻结,2018-03-05 09:00:00,\n", "utf-8"), more=more))
    assert log.events.select("stage", "state", "flags").row(0) == ("dispatch", "suspended", 0)


def test_the_key_changes_with_the_files_and_with_how_they_are_read(city_with, city_folder):
    city = city_with((HEAD + "A1,采集,待办,2018-03-05 09:00:00,\n", "utf-8"))
    before = events_key(city)
    assert events_key(open_city(city_folder)) == before
    (city_folder / "events_0.csv").write_text(HEAD + "A2,采集,待办,2018-03-05 09:00:00,\n", encoding="utf-8")
    after = events_key(city)
    toml = city_folder / "city.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('flow = "district"', 'flow = "hall"'), encoding="utf-8")
    assert len({before, after, events_key(open_city(city_folder))}) == 3


def test_a_city_without_event_files_has_an_empty_log(city_folder):
    log = read_events(open_city(city_folder))
    assert log.events.is_empty()
    assert log.events.schema == HANDLING_EVENTS.dtypes
    assert log.ledger == []


def test_what_cannot_be_read_is_refused_with_the_place_in_the_city_file(city_with):
    with pytest.raises(SchemaError, match=r"handling\[0\]\.fields names: '时间' \(at\).*编号"):
        read_events(city_with(("编号,环节,状态,会议\nA1,采集,待办,\n", "utf-8")))


def test_times_of_no_known_form_name_the_setting(city_with):
    text = HEAD + "A1,采集,待办,5ter März 9 Uhr,\n" * 25
    with pytest.raises(SourceError, match=r"handling\[0\].time_format"):
        read_events(city_with((text, "utf-8")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fields": 'report_id = "编号", at = "时间"'}, "stage or state"),
        ({"fields": FIELDS + ', stag = "x"'}, "did you mean 'stage'"),
        ({"flow": "halls"}, "hall"),
        ({"more": 'stages = { "移交" = "dispach" }\n'}, "did you mean 'dispatch'"),
        ({"more": 'states = { "冻结" = "suspend" }\n'}, "did you mean 'suspended'"),
        ({"path": "nothing_*.csv"}, "matches no file"),
        ({"more": 'timezone = "Mars/Olympus"\n'}, "no such time zone"),
    ],
)
def test_settings_that_make_no_sense_are_refused(city_with, changes, message):
    with pytest.raises(ConfigError, match=message):
        read_events(city_with((HEAD + "A1,采集,待办,2018-03-05 09:00:00,\n", "utf-8"), **changes))


def test_an_unknown_source_is_refused(city_with, city_folder):
    city_with((HEAD, "utf-8"))
    toml = city_folder / "city.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace('source = "app"', 'source = "ap"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'app'"):
        read_events(open_city(toml))


def test_stages_of_all_flows_are_in_one_order():
    ranks = {name: told[0] for name, told in STAGES.items()}
    for flow in (
        ("collect", "dispatch", "finish_supervise", "feed_back"),
        ("collect", "sort", "dispatch", "handle", "feed_back", "inspect"),
        ("collect", "file", "dispatch", "handle", "feed_back", "verify", "evaluate"),
    ):
        assert [ranks[stage] for stage in flow] == sorted({ranks[stage] for stage in flow})


def test_targets_of_a_campaign(city_folder):
    city = open_city(city_folder)
    campaign = Milestone(date=date(2018, 3, 1), name="四小车", kind="campaign", path="targets.csv")
    (city_folder / "targets.csv").write_text("target_id,microgrid,done_on\nT1,M,2018-03-05\nT2,M,\n", encoding="utf-8")
    assert read_targets(city, campaign).rows() == [("T1", date(2018, 3, 5)), ("T2", None)]
    for text, error, message in (
        ("target_id,done_on\nT1,5 March\n", SourceError, "line 2: done_on"),
        ("target_id,done_on\nT1,\nT1,\n", SourceError, "stands twice"),
        ("target_id,done\nT1,\n", SchemaError, "done_on missing"),
        ("target_id,done_on\nT1\n", SourceError, "line 2"),
    ):
        (city_folder / "targets.csv").write_text(text, encoding="utf-8")
        with pytest.raises(error, match=message):
            read_targets(city, campaign)
    with pytest.raises(ConfigError, match="no list"):
        read_targets(city, campaign.model_copy(update={"path": None}))
