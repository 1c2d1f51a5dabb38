"""Take persons out of free text: numbers, plates, names and rooms become typed tokens.

Nothing of free text passes ingest, the quarantine, an error message or a log without going through here. A pattern that is in
doubt is scrubbed: losing a number that was no telephone costs little, keeping one that was costs a person. Names are found only
after a cue word (联系人, 姓名：, Mr) or before a form of address (王女士), so their recall is measured and reported, never promised.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import polars as pl

PHONE: Final = "〔电话〕"
IDENTITY: Final = "〔证件〕"
PLATE: Final = "〔车牌〕"
CARD: Final = "〔卡号〕"
NAME: Final = "〔姓名〕"
ROOM: Final = "〔房号〕"
MAIL: Final = "〔邮箱〕"
TOKENS: Final = (PHONE, IDENTITY, PLATE, CARD, NAME, ROOM, MAIL)

_WIDE: Final = (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B), 0xFF0B, 0xFF0D, 0xFF0E, 0xFF20)
_FOLD: Final = {chr(code): chr(code - 0xFEE0) for code in _WIDE}


class Rule(NamedTuple):
    """One replacement; `twice` because two hits may share the separator that the first consumes (the engine has no look-around)."""

    pattern: str
    replacement: str
    twice: bool = False


# The engine knows no look-around: what stands before and after a hit is captured and put back.
_BEFORE: Final = r"(^|[^0-9])"
_BEFORE_WHOLE: Final = r"(^|[^0-9.]|[^0-9]\.)"  # not the decimals of a coordinate
_AFTER: Final = r"([^0-9]|$)"
_GAP: Final = r"[ \-]?"
_CUE_PHONE: Final = r"(电话|電話|手机|手機|座机|座機|热线|熱線|联系方式|聯繫方式|联系号码|号码|號碼|(?i:\b(?:tel|phone|mobile|call)\b))"

_NUMBERS: Final = (
    Rule(
        rf"{_BEFORE_WHOLE}[1-9][0-9]{{5}}{_GAP}(?:[0-9]{{4}}{_GAP}[0-9]{{4}}|[0-9]{{8}}){_GAP}[0-9]{{3}}[0-9Xx]([^0-9Xx]|$)",
        "${1}" + IDENTITY + "${2}",
        twice=True,
    ),
    Rule(rf"{_BEFORE}(?:(?:\+|00)?86{_GAP})?1[3-9][0-9]{_GAP}[0-9]{{4}}{_GAP}[0-9]{{4}}{_AFTER}", "${1}" + PHONE + "${2}", twice=True),
    Rule(rf"{_BEFORE}1[3-9][0-9]{{2}}[ \-][0-9]{{3}}[ \-][0-9]{{4}}{_AFTER}", "${1}" + PHONE + "${2}", twice=True),
    Rule(rf"{_BEFORE_WHOLE}[1-9][0-9]{{5}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{3}}{_AFTER}", "${1}" + IDENTITY + "${2}", twice=True),
    Rule(
        rf"{_BEFORE}(?:(?:\+|00)?86{_GAP})?[((]?0(?:10|2[0-9]|[3-9][0-9]{{2}})[))]?[ \-—]?[2-8][0-9]{{2,3}}{_GAP}[0-9]{{4}}{_AFTER}",
        "${1}" + PHONE + "${2}",
        twice=True,
    ),
    Rule(rf"{_BEFORE}09[0-9]{{2}}{_GAP}[0-9]{{3}}{_GAP}[0-9]{{3}}{_AFTER}", "${1}" + PHONE + "${2}", twice=True),
    Rule(rf"{_BEFORE}[48]00{_GAP}[0-9]{{3,4}}{_GAP}[0-9]{{3,4}}{_AFTER}", "${1}" + PHONE + "${2}", twice=True),
    Rule(
        rf"{_BEFORE}(?:\+?1[ .\-])?\(?[2-9][0-9]{{2}}\)?[ .\-]{{1,2}}[0-9]{{3}}[ .\-][0-9]{{4}}{_AFTER}",
        "${1}" + PHONE + "${2}",
        twice=True,
    ),
    Rule(r"\+[1-9][0-9]{0,2}(?:[ \-]?[0-9]){8,12}", PHONE),
    Rule(rf"{_CUE_PHONE}([^0-9〔]{{0,4}})[2-9][0-9]{{2,3}}{_GAP}[0-9]{{4}}{_AFTER}", "${1}${2}" + PHONE + "${3}"),
    Rule(rf"{_BEFORE}[0-9]{{3}}-[0-9]{{2}}-[0-9]{{4}}{_AFTER}", "${1}" + IDENTITY + "${2}", twice=True),
    Rule(r"(^|[^0-9A-Za-z])[A-Z][12][0-9]{8}([^0-9A-Za-z]|$)", "${1}" + IDENTITY + "${2}", twice=True),
)
_SEVEN_DIGITS: Final = r"[0-9](?:[^0-9]{0,2}[0-9]){6}"

_IS_WIDE: Final = pl.col("v").str.len_bytes() != pl.col("v").str.len_chars()
_FEW: Final = 1000
"""From here on it pays to look for repeated values."""

_MAILS: Final = (Rule(r"[A-Za-z0-9._%+\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+", MAIL),)

_PROVINCES: Final = "京津沪滬渝冀豫云雲辽遼黑湘皖鲁魯新苏蘇浙赣贛鄂桂甘晋晉蒙陕陝吉闽閩贵貴粤粵青藏川宁寧琼瓊使领領"
_PLATES: Final = (
    Rule(rf"[{_PROVINCES}] ?[A-Za-z][ ·•・.\-]?[A-HJ-NP-Za-hj-np-z0-9]{{4,5}}[挂掛学學警港澳]", PLATE),
    Rule(rf"[{_PROVINCES}] ?[A-Za-z][ ·•・.\-]?(?:[DFdf][ ·]?)?[A-HJ-NP-Za-hj-np-z0-9]{{5,6}}(?-u:\b)", PLATE),
)

_SURNAMES: Final = (
    "王李张張刘劉陈陳杨楊赵趙黄黃周吴吳徐孙孫胡朱高林何郭马馬罗羅梁宋郑鄭谢謝韩韓唐冯馮董萧蕭程曹袁邓鄧许許傅沈曾彭吕呂苏蘇卢盧蒋蔣蔡贾賈丁魏薛叶葉阎閻"
    "余潘杜戴夏钟鍾汪田任姜范範方石姚谭譚廖邹鄒熊金陆陸郝孔白崔康毛邱秦江史顾顧侯邵孟龙龍万萬段雷钱錢汤湯尹黎易常武乔喬贺賀赖賴龚龔文庞龐樊兰蘭殷施陶洪翟安颜顏倪"
    "严嚴牛温溫芦季俞章鲁魯葛伍韦韋申尤毕畢聂聶丛焦向柳邢路岳齐齊梅莫庄莊辛管祝左涂谷祁时時舒耿牟卜路詹关關苗凌费費纪紀靳盛童欧歐甄项項曲成游阳陽裴席卫衛查屈鲍鮑位覃"
    "霍翁隋植甘景薄单單包司柏宁寧柯阮桂闵閔解强強丘华華车車冉房边邊辜吉饶饒刁瞿戚古米池滕晋晉苑邬鄔臧畅暢宫來来嵺苟全褚廉简簡娄婁盖蓋符奚木穆党燕郎邸冀谈談姬屠连連郜晏"
    "栾欒郁商蒙计計喻揭窦竇迟遲宇敖糜鄢冷卓花仇艾蓝藍都巩鞏稽井练練仲乐樂虞卞封竺冼原官衣楚佟栗匡宗应應台巫鞠僧桑荆諶谌银銀扬揚明沙薄伏岑习習胥保和蔺藺水云昌凤鳳酆常皮"
)
_COMPOUND: Final = "欧阳|歐陽|司马|司馬|上官|诸葛|諸葛|东方|東方|皇甫|尉迟|公孙|公孫|慕容|令狐|司徒|夏侯|端木|长孙|長孫"
# Surnames that begin an ordinary clause after a cue ("当事人于昨日…"): they count only behind a colon.
_LIKELY: Final = "".join(
    dict.fromkeys(one for one in _SURNAMES if one not in "向和时時都应應成来來明原全连連计計解保位强強单單云路水关關常安方")
)
_CUES: Final = (
    "联系人|聯繫人|聯絡人|姓名|名字|反映人|当事人|當事人|投诉人|投訴人|举报人|舉報人|来电人|來電人|报案人|報案人|报警人|報警人|申请人|申請人|上报人|上報人|"
    "户主|戶主|业主|業主|房东|房東|租客|租户|租戶|承租人|负责人|負責人|经办人|經辦人|受害人|嫌疑人|肇事人|驾驶员|司机|网格员|微格员|志愿者|店主|老板|老板娘|"
    "居民|村民|住户|住戶|家属|家屬|儿子|女儿|丈夫|妻子|老人|名叫|叫做|本人"
)
_TITLES: Final = (
    "女士|先生|小姐|阿姨|大爷|大爺|大妈|大媽|师傅|師傅|老师|老師|同志|奶奶|爷爷|爺爺|某某|某|"
    "老板|总|主任|书记|書記|医生|律师|大姐|大哥|叔叔|伯伯"
)
# The possessive "的", digits, punctuation, or a verb that opens the clause after a name.
_NAME_END: Final = (
    r"[^\p{Han}]|$|反映|反應|来电|來電|致电|投诉|投訴|举报|舉報|报警|報警|称|稱|说|說|表示|要求|电话|電話|手机|手機|身份证|身份證|住|家住|家|在|与|與|和|的|于|因|被|将|把|有|"
    r"是|发现|發現|到|从|自|向|对|對|认为|希望|建议|申请|求助|咨询|报告|先生|女士|等|联系|聯繫|地址|已|未|不|也|又|两|兩|因为"
)
_GIVEN: Final = r"\p{Han}"
_NAMES: Final = (
    # Cue, colon or "is called", a name of any surname up to where it ends.
    Rule(
        rf"({_CUES})((?:\s*[:：]\s*|\s*[为為是叫系]\s*|\s+|[((]))(?:(?:{_COMPOUND}){_GIVEN}{{1,2}}?|{_GIVEN}{{2,3}}?)((?:{_NAME_END}))",
        "${1}${2}" + NAME + "${3}",
        twice=True,
    ),
    Rule(rf"({_CUES})(\s*[:：]\s*)(?:[{_SURNAMES}]{_GIVEN}{{1,2}}|{_GIVEN}{{2,3}})", "${1}${2}" + NAME),
    Rule(rf"({_CUES})(?:(?:{_COMPOUND}){_GIVEN}{{1,2}}?|[{_LIKELY}]{_GIVEN}{{1,2}}?)((?:{_NAME_END}))", "${1}" + NAME + "${2}", twice=True),
    Rule(rf"({_CUES})[{_LIKELY}]{_GIVEN}{{2}}", "${1}" + NAME),
)
_ADDRESSED: Final = (Rule(rf"(?:{_COMPOUND}|[{_SURNAMES}]){_GIVEN}{{0,2}}?({_TITLES})", NAME + "${1}"),)
_LATIN_NAMES: Final = (
    Rule(
        r"((?i:\b(?:contact(?: person)?|name|caller|complainant|reported by|resident|owner|tenant|landlord|victim|suspect)\s*[:=]\s*))"
        r"(?:[A-Z][a-z]+\.? )?[A-Z][A-Za-z'\-]+(?: [A-Z][A-Za-z'.\-]+){0,2}",
        "${1}" + NAME,
    ),
    Rule(r"\b((?:Mr|Mrs|Ms|Miss|Dr|Officer)\.?) [A-Z][A-Za-z'\-]+(?: [A-Z][A-Za-z'\-]+)?", "${1} " + NAME),
)

_LATIN_CUES: Final = [
    "contact", "name", "caller", "complainant", "reported by", "resident", "owner", "tenant", "landlord", "victim", "suspect",
    "mr", "ms ", "ms.", "miss", "dr ", "dr.", "officer",
]  # fmt: skip
_LATIN_ROOM_CUES: Final = ["apt", "apartment", "suite", "ste ", "ste.", "ste#", "room", "rm ", "rm.", "rm#", "unit", "flat"]

_COUNT: Final = r"(?:[0-9]{1,4}|[一二三四五六七八九十百〇零两兩]{1,5})"
_HOUSE: Final = r"((?:[0-9]{1,4}|[A-Za-z]|[一二三四五六七八九十百]{1,4})\s*(?:幢|栋|棟|号楼|號樓|座))"
_STAIR: Final = rf"(?:{_COUNT}|[甲乙丙丁A-Da-d])\s*(?:单元|單元|梯)"
_FLOOR: Final = rf"{_COUNT}\s*(?:层|層|楼|樓)"
_DOOR: Final = r"(?:[A-Za-z]?[0-9]{1,5}[A-Za-z]?|[一二三四五六七八九十百〇零两兩]{1,5})\s*(?:室|房间|房間|号房|號房|房|户|戶)"
_SEP: Final = r"[\s\-—,,、]*"
_ROOMS: Final = (
    Rule(rf"{_HOUSE}{_SEP}(?:{_STAIR}{_SEP})?(?:{_FLOOR}{_SEP})?{_DOOR}", "${1}" + ROOM),
    Rule(rf"{_HOUSE}{_SEP}{_STAIR}{_SEP}(?:{_FLOOR}{_SEP})?(?:[A-Za-z]?[0-9]{{2,4}})?", "${1}" + ROOM),
    Rule(rf"{_HOUSE}{_SEP}(?:[0-9]{{1,2}}-)?[0-9]{{3,4}}([^0-9年月日人元米时点-]|$)", "${1}" + ROOM + "${2}"),
    Rule(r"([0-9]{1,4})-[0-9]{1,2}-[0-9]{2,4}\s*(?:室|房)", "${1}" + ROOM),
    Rule(rf"{_STAIR}{_SEP}(?:{_FLOOR}{_SEP})?(?:{_DOOR}|[0-9]{{2,4}})", ROOM),
    Rule(rf"{_FLOOR}{_SEP}{_DOOR}", ROOM),
    Rule(r"(?:[0-9]{1,2}-)?[A-Za-z]?[0-9]{3,4}[A-Za-z]?\s*(?:室|房间|房間|号房|號房|房)", ROOM),
    Rule(r"[〇零一二三四五六七八九]{3,4}\s*室", ROOM),
)
_LATIN_ROOMS: Final = (
    Rule(r"(?i:\b(?:apt|apartment|suite|ste|room|rm|unit|flat)\b\.?\s*#?\s*)(?:[A-Za-z]?-?[0-9]{1,4}[A-Za-z]?|[A-Z])\b", ROOM),
)


_LETTERS_WIDE: Final = r"[\x{FF0B}\x{FF0D}\x{FF0E}\x{FF10}-\x{FF19}\x{FF20}-\x{FF3A}\x{FF41}-\x{FF5A}]"
_PLATE_LIKE: Final = rf"[{_PROVINCES}] ?[A-Za-z]"
_ROOM_LIKE: Final = r"[室房户戶单單幢栋棟梯楼樓]"
_CONCERNED: Final = "|".join(
    (
        "@",
        _LETTERS_WIDE,
        _SEVEN_DIGITS,
        _PLATE_LIKE,
        _ROOM_LIKE,
        _CUES,
        _TITLES,
        "(?i:" + "|".join(re.escape(cue) for cue in (*_LATIN_CUES, *_LATIN_ROOM_CUES)) + ")",
    )
)
"""Any of the conditions below: what meets none of them cannot meet one later, as only what is changed does."""


def scrub(values: pl.Series) -> pl.Series:
    """Replace persons' traces in a column of text by typed tokens.

    Parameters
    ----------
    values : pl.Series of String, shape (n,)
        Free text, addresses or offending values; null stays null.

    Returns
    -------
    pl.Series of String, shape (n,)
        Same name and order. Full-width digits and letters are folded to half width; telephone numbers, identity numbers (a
        wrong check digit too), plates, bank cards, e-mail addresses, names behind cue words and room numbers are tokens.

    Raises
    ------
    polars.exceptions.InvalidOperationError
        The column is not text.

    Examples
    --------
    >>> scrub(pl.Series(["联系人张三,电话13812345678"])).to_list()
    ['联系人〔姓名〕,电话〔电话〕']
    """
    distinct = values.unique(maintain_order=True) if values.len() > _FEW else values
    if 2 * distinct.len() > values.len():
        return _scrub_all(values)
    return values.replace_strict(distinct, _scrub_all(distinct), return_dtype=pl.String)


def _scrub_all(values: pl.Series) -> pl.Series:
    return _where(values.alias("v"), pl.col("v").str.contains(_CONCERNED), _scrub_concerned).alias(values.name)


def _scrub_concerned(values: pl.Series) -> pl.Series:
    out = _where(values, _IS_WIDE, _scrub_wide_letters)
    out = _where(out, pl.col("v").str.contains("@", literal=True), _rules(_MAILS))
    out = _where(out, pl.col("v").str.contains(_SEVEN_DIGITS), _scrub_numbers)
    out = _where(out, _IS_WIDE, _scrub_chinese)
    out = _where(out, pl.col("v").str.contains_any(_LATIN_ROOM_CUES, ascii_case_insensitive=True), _rules(_LATIN_ROOMS))
    return _where(out, pl.col("v").str.contains_any(_LATIN_CUES, ascii_case_insensitive=True), _rules(_LATIN_NAMES))


def _scrub_wide_letters(values: pl.Series) -> pl.Series:
    return _where(values, pl.col("v").str.contains(_LETTERS_WIDE), lambda wide: wide.str.replace_many(_FOLD))


def _scrub_chinese(values: pl.Series) -> pl.Series:
    out = _where(values, pl.col("v").str.contains(_PLATE_LIKE), _rules(_PLATES))
    out = _where(out, pl.col("v").str.contains(_ROOM_LIKE), _rules(_ROOMS))
    out = _where(out, pl.col("v").str.contains_any(_CUES.split("|")), _rules(_NAMES))
    return _where(out, pl.col("v").str.contains_any(_TITLES.split("|")), _rules(_ADDRESSED))


def scrub_one(text: str | None) -> str:
    """Scrub one text, for an error message or a log line.

    Parameters
    ----------
    text : str or None
        Whatever a file held; None gives an empty text.

    Raises
    ------
    Nothing.
    """
    return "" if text is None else str(scrub(pl.Series([text], dtype=pl.String))[0])


def was_scrubbed(before: pl.Series, after: pl.Series) -> pl.Series:
    """Tell which rows lost something to `scrub` (folding alone does not count).

    Parameters
    ----------
    before, after : pl.Series of String, shape (n,)

    Returns
    -------
    pl.Series of Boolean, shape (n,), without null

    Raises
    ------
    polars.exceptions.ShapeError
        Lengths differ.
    """
    changed = before.ne_missing(after)
    rows = changed.arg_true()
    with_token = after.gather(rows).str.contains_any(list(TOKENS)).fill_null(value=False)
    return changed.scatter(rows, with_token)


def _rules(rules: tuple[Rule, ...]) -> Callable[[pl.Series], pl.Series]:
    """Chain rules into one pass."""
    column = pl.col("v")
    for rule in rules:
        for _ in range(1 + rule.twice):
            column = column.str.replace_all(rule.pattern, rule.replacement)
    return lambda values: values.to_frame().select(column).to_series()


def _where(values: pl.Series, condition: pl.Expr, transform: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Transform only the rows that meet a cheap condition; the series is called v."""
    rows = values.to_frame().select(condition.fill_null(value=False)).to_series().arg_true()
    if not rows.len():
        return values
    if rows.len() == values.len():
        return transform(values)
    return values.scatter(rows, transform(values.gather(rows)))


def _scrub_numbers(values: pl.Series) -> pl.Series:
    return _scrub_cards(_rules(_NUMBERS)(values))


def _scrub_cards(values: pl.Series) -> pl.Series:
    """Replace digit runs of 13 to 19 that pass the Luhn check: few rows get here, so they are taken one by one."""
    frame = values.alias("v").to_frame().with_row_index("row")
    runs = frame.select("row", "v", run=pl.col("v").str.extract_all(r"[0-9](?:[ \-]?[0-9]){12,18}")).filter(pl.col("run").list.len() > 0)
    if runs.is_empty():
        return values
    mended = [_without_cards(text, found) for text, found in zip(runs["v"], runs["run"], strict=True)]
    return values.scatter(runs["row"], pl.Series(mended, dtype=pl.String))


def _without_cards(text: str, runs: list[str]) -> str:
    for run in runs:
        if _luhn(run):
            text = text.replace(run, CARD)
    return text


def _luhn(run: str) -> bool:
    digits = [int(one) for one in reversed(run) if one.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0
