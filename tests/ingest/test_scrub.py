"""What scrub must find, and what it must leave alone."""

import random

import polars as pl
import pytest

from cloudmap.ingest import scrub as scrub_module
from cloudmap.ingest.scrub import TOKENS, scrub, scrub_one, was_scrubbed

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾"
    "夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤应章鲍管"
)
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀兰霞平刚桂英华玉梅鑫波斌宇浩凯欣雨子轩梓涵思佳俊文海燕建国志明晓红春生根福荣"
FRAMES = (
    "路灯不亮，{}，请尽快处理",
    "{}反映楼下垃圾堆放",
    "昨晚有人({})乱停车",
    "已回访{}。",
    "{}",
    "请联系 {} 核实后办结",
    "诉求:{};地点:路桥大道",
)
CASES_N = 400


def luhn_complete(body: str) -> str:
    digits = [int(one) for one in reversed(body)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[0::2]]
    return body + str(-(sum(doubled) + sum(digits[1::2])) % 10)


def wide(text: str) -> str:
    return "".join(chr(ord(one) + 0xFEE0) if one.isdigit() else one for one in text)


def digits(random_: random.Random, n: int) -> str:
    return "".join(random_.choice("0123456789") for _ in range(n))


def mobile(r: random.Random) -> str:
    number = "1" + r.choice("3456789") + digits(r, 9)
    shape = r.randrange(5)
    if shape == 1:
        return f"{number[:3]}-{number[3:7]}-{number[7:]}"
    if shape == 2:
        return f"{number[:3]} {number[3:7]} {number[7:]}"
    return {3: f"+86 {number}", 4: wide(number)}.get(shape, number)


def landline(r: random.Random) -> str:
    area = r.choice(["0576", "010", "021", "0571"])
    number = r.choice("2345678") + digits(r, 7)
    return r.choice(
        [f"{area}-{number}", f"({area}){number}", f"{area}{number}", f"{area} {number}", f"电话{number}", f"电话：{number[:7]}"]
    )


def birth(r: random.Random) -> str:
    return f"{r.randrange(1940, 2010)}{r.randrange(1, 13):02d}{r.randrange(1, 29):02d}"


def identity_18(r: random.Random) -> str:
    text = "33" + digits(r, 4) + birth(r) + digits(r, 3) + r.choice("0123456789Xx")
    return r.choice([text, wide(text), f"{text[:6]} {text[6:14]} {text[14:]}"])


def identity_15(r: random.Random) -> str:
    return "33" + digits(r, 4) + birth(r)[2:] + digits(r, 3)


def plate(r: random.Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    tail = "".join(r.choice(letters + "0123456789") for _ in range(4)) + r.choice("0123456789")
    body = r.choice([tail, r.choice("DF") + tail])
    return r.choice("浙沪苏皖赣京粤") + r.choice(letters) + r.choice(["", "·", " "]) + body


def card(r: random.Random) -> str:
    number = luhn_complete(r.choice(["622202", "621700", "6228480"]) + digits(r, 9 if r.random() < 0.5 else 11))
    return r.choice([number, " ".join(number[i : i + 4] for i in range(0, len(number), 4))])


def mail(r: random.Random) -> str:
    return f"user{digits(r, 3)}.x@{r.choice(['qq.com', 'mail.tz.gov.cn', '163.com'])}"


def room(r: random.Random) -> str:
    house, stair, floor = r.randrange(1, 40), r.randrange(1, 5), r.randrange(1, 19)
    door = f"{floor}{r.randrange(1, 5):02d}"
    return r.choice(
        [
            f"{house}幢{stair}单元{door}室",
            f"{house}号楼{stair}单元{door}",
            f"{house}栋{door}",
            f"{house}幢-{door}室",
            f"{stair}单元{door}室",
        ]
    )


PATTERNS = {
    "mobile": mobile, "landline": landline, "identity_18": identity_18, "identity_15": identity_15, "plate": plate, "card": card,
    "mail": mail, "room": room,
}  # fmt: skip


@pytest.mark.parametrize("kind", PATTERNS)
def test_recall_of_patterns_is_at_least_99_percent(kind: str) -> None:
    r = random.Random(f"corpus-{kind}")
    secrets = [PATTERNS[kind](r) for _ in range(CASES_N)]
    texts = [r.choice(FRAMES).format(secret) for secret in secrets]
    scrubbed = scrub(pl.Series(texts)).to_list()
    # What identifies is the last four characters: a plate, number or door that keeps them was not scrubbed.
    tails = [scrub_free(secret)[-3:] for secret in secrets]
    missed = [(text, out) for text, out, tail in zip(texts, scrubbed, tails, strict=True) if tail in out]
    assert len(missed) <= CASES_N // 100, f"{kind}: {len(missed)} of {CASES_N} kept, such as {missed[:3]}"


def scrub_free(secret: str) -> str:
    """The secret as it would stand in a folded text, without the words of the address or the zone of the mail."""
    folded = "".join(chr(ord(one) - 0xFEE0) if 0xFF10 <= ord(one) <= 0xFF19 else one for one in secret)
    return folded.split("@")[0].rstrip("室")


def test_recall_of_names_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    r = random.Random("names")
    cued = ("联系人{}，", "姓名：{} 性别男", "反映人{}称路灯不亮", "当事人：{}", "联系人：{}电话见附件", "业主{}投诉噪音", "{}女士来电")
    names = [r.choice(SURNAMES) + "".join(r.choice(GIVEN) for _ in range(r.choice([1, 2, 2]))) for _ in range(700)]
    texts = [cued[index % len(cued)].format(name) for index, name in enumerate(names)]
    scrubbed = scrub(pl.Series(texts)).to_list()
    kept = [(text, out) for name, text, out in zip(names, texts, scrubbed, strict=True) if name in out]
    recall = 1 - len(kept) / len(names)
    with capsys.disabled():
        print(f"\nrecall of names behind cue words: {recall:.1%} of {len(names)}")
    assert recall >= 0.8, kept[:5]


@pytest.mark.parametrize(
    "text",
    [
        "2015-01-05 12:40:41",
        "20150105124041 共3件",
        "社区331004001002",
        "121.371234567,28.58123456",
        "42.366865973300726",
        "29 Hereford St  Boston  MA  02115",
        "路桥大道12号门口,3室2厅",
        "当事人于昨日下午到场",
        "新A级景区,云计算",
        "金额12345.67元",
        "2023-01-26 09:00:00+00",
        "住户反映电梯坏了",
        "Owner Occupied Housing Unit of the City",
        "",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert scrub_one(text) == text


def test_room_keeps_the_building() -> None:
    assert scrub_one("路桥街道某小区12幢3单元402室漏水") == "路桥街道某小区12幢〔房号〕漏水"


def test_hits_that_share_one_separator_are_all_found() -> None:
    assert scrub_one("13800000000,13900000000,13700000000") == "〔电话〕,〔电话〕,〔电话〕"


def test_null_name_and_order_stay() -> None:
    before = pl.Series("text", [None, "路灯", "电话13812345678", "路灯２号"])
    after = scrub(before)
    assert after.name == "text"
    assert after.to_list() == [None, "路灯", "电话〔电话〕", "路灯2号"]
    assert was_scrubbed(before, after).to_list() == [False, False, True, False]
    assert scrub_one(None) == ""


def test_scrubbing_twice_changes_nothing_more() -> None:
    r = random.Random(7)
    texts = pl.Series([r.choice(FRAMES).format(PATTERNS[kind](r)) for kind in PATTERNS for _ in range(40)])
    once = scrub(texts)
    assert scrub(once).to_list() == once.to_list()
    assert once.str.contains_any(list(TOKENS)).mean() > 0.98


def test_what_the_first_look_passes_over_holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    r = random.Random(8)
    pieces = [
        *"路灯坏了在房幢室 ,:1258ＡＺａ５－＋．＠@.-aAMr",
        "联系人",
        "女士",
        "Mr ",
        "unit",
        "浙",
        "J12345",
        "138",
        "1234",
        "5678",
        "王",
    ]
    texts = pl.Series(["".join(r.choices(pieces, k=r.randint(0, 9))) for _ in range(4000)])
    quick = scrub(texts)
    monkeypatch.setattr(scrub_module, "_CONCERNED", "")
    thorough = scrub(texts)
    assert quick.to_list() == thorough.to_list()
    assert 0.05 < (quick != texts).mean() < 0.95
