"""Words that name roles, states and categories, in Chinese and English."""

from __future__ import annotations

import difflib
import re
from typing import Final

from cloudmap.ingest.taxonomy import UNKNOWN_CODE, Taxonomy

ROLE_WORDS: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    "due_at": ((5, r"\bdue\b|\btarget\b|\bsla\b|\bdeadline\b|\bexpected\b|期限|截止|时限|時限|应办结|应结案|應辦|到期|限办"),),
    "closed_at": ((5, r"\bclos|\bresol|\bfinish|\bcomplet|办结|辦結|结案|結案|完成|办毕|关闭|销案|处置结束|整改时间"),),
    "occurred_at": ((5, r"\boccu|\bocc\b|\bhappen|\b(?:incident|offen[cs]e|crime|from) d|发生|發生|案发|事发|发案"),),
    "reported_at": (
        (5, r"\breport|\bopen|\bsubmi|\breceiv|\brequested|\bcreat|\bdispatch|\bcall"),
        (5, r"上报|上報|受理|登记|登記|采集|採集|立案|创建|提交|来电|诉求|接报|填报|登记时间"),
        (3, r"^(?:date|time|datetime|timestamp)$|^(?:时间|日期|時間)$"),
    ),
    "id": (
        (6, r"\bcase (?:enquiry )?id\b|\b(?:incident|report) (?:id|number|no)\b|\bticket|\bservice request"),
        (6, r"案件编号|事件编号|工单|流水号|事件号|案号"),
        (4, r"^编号$|^編號$|\bid$|\bnumber$|\bno$|\buuid\b|编号|編號|单号|序号|标识"),
    ),
    "lon": (
        (6, r"^(?:lon|lng|long|gps lon|gps lng)$|longitude|经度|經度"),
        (4, r"^(?:x|easting)$|\bx co|\bxco|\beast|东坐标|橫坐标|横坐标|x坐标|^x"),
        (3, r"\blon\b|\blng\b|\blong\b"),
    ),
    "lat": (
        (6, r"^(?:lat|gps lat)$|latitude|纬度|緯度"),
        (4, r"^(?:y|northing)$|\by co|\byco|\bnorth|北坐标|纵坐标|縱坐标|y坐标|^y"),
        (3, r"\blat\b"),
    ),
    "state": (
        (6, r"\bcase status\b|^status$|^state$|案件状态|办理状态|处理状态|处理结果|^状态$|^狀態$"),
        (3, r"status|\bstate\b|状态|狀態|办理情况|进度"),
    ),
    "category": (
        (6, r"^type(?: code)?$|^category(?: code)?$|\boffen[cs]e description\b|\b(?:case|incident|request|crime) type\b"),
        (6, r"类别|類別|小类|小類|案件类型|事件类型|问题类型|诉求类型|事项类型"),
        (5, r"\bcategory\b|\bcall group\b|\boffen[cs]e\b|类型|類型|分类|分類|\bproblem\b|\bcomplaint\b|大类|大類"),
        (3, r"\breason\b|^(?:[a-z]+ )?type$|\bsubject\b|\bgroup\b"),
    ),
    "unit_code": (
        (6, r"(?:网格|網格|微格|社区|区划)(?:代码|代碼|编码|编号)|\bgrid code\b|\bunit code\b"),
        (5, r"^neighbou?rhood$|网格|網格|微格|社区|社區|村居|村社|街道|所属区|^grid$|^community$|^district$|^ward$"),
        (2, r"\bneighbou?rhood\b|^street name$|^community name$"),
    ),
    "reporter_id": (
        (6, r"(?:上报人|上報人|网格员|采集员|用户)(?:编号|編號|id|工号)|\b(?:reporter|user|open) (?:id|no)\b|\bopenid\b|工号|登记账号"),
        (4, r"上报人$|上報人$|采集人|填报人|登记人|\breporter$"),
    ),
    "reporter_kind": ((5, r"(?:上报人|上報人)(?:类型|類型|身份)|来源类型|\b(?:reporter|user) (?:kind|type)\b|身份"),),
    "text": (
        (6, r"^(?:text|description|details?|content)$|^描述$|^内容$|(?:问题|事件)描述|情况描述|(?:诉求|事件)内容|\bnarrative\b|简要案情"),
        (4, r"\btitle\b|\bcomments?\b|^notes?$|\bremarks?\b|标题|標題|描述|内容|內容|详情|备注|備註"),
    ),
    "address": (
        (6, r"^location$|\baddress\b|地址|事发地|发生地点|地点|地點"),
        (3, r"^street$|\blocation\b|\bstreet\b|位置"),
    ),
    "tier": ((5, r"层级|層級|会议类型|\btier\b"),),
}
"""Role to strengths and patterns over the words of a column's name; the first that matches counts."""

_NO_CATEGORY: Final = r"\b(?:location|property|land|address|street|source|reporter|vehicle|file)\b|来源|上报人|地址"
"""Things that have types too, and are not what a report is about."""

STATE_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"作废|作廢|无效|撤销|撤回|\bvoid|cancel|invalid|duplicate", "void"),
    (r"挂账|掛賬|挂起|暂缓|suspend|on hold|paused", "suspended"),
    (r"退回|驳回|returned|reject", "returned"),
    (r"延期|延长|extend", "extended"),
    (r"加急|催办|urgent|expedite", "expedited"),
    (r"未办结|未结|未完成|未处理|未整改|待|新建|not closed|^open$|^new$|unresolved|^opened$|pending|received|submitted", "open"),
    (r"已办结|办结|結案|结案|已整改|已处理|已完成|完成|关闭|办毕|已反馈|closed?\b|resolved|completed?|done|finished", "closed"),
    (
        r"办理中|处理中|處理中|处置中|整改中|办理|处理|受理|派遣|流转|进行|in progress|working|assigned|dispatched|handling|active",
        "handling",
    ),
)
"""Patterns over a raw state, folded; the first that matches counts."""

_CATEGORY_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"street ?light|路灯|路燈|照明", "FC02"),
    (r"manhole|井盖", "FC01"),
    (r"traffic signal|\bsigns?\b|signal|crosswalk|pavement marking|traffic control|信号灯|标志牌|护栏", "FC05"),
    (r"pothole|sidewalk|pavement|roadway|road repair|highway|street resurfac|bridge|路面|坑洼|道路破", "FC03"),
    (r"hydrant|water main|no water|electric|power outage|utility|停水|停电", "FC04"),
    (r"auto theft|vehicle theft|\btheft|larceny|burglar|stolen|盗|偷|失窃", "PS01"),
    (r"robbery|snatch|抢劫|抢夺", "PS02"),
    (r"fraud|scam|forgery|诈骗|诈", "PS03"),
    (r"assault|fight|disorder|drunk|brawl|affray|vandal|打架|斗殴|扰乱", "PS04"),
    (r"noise|loud|party|噪音|噪声|扰民", "PS05"),
    (r"abandoned vehicle|illegal parking|parking|乱停|违停", "ST03"),
    (r"bicycle|bike|非机动车", "ST04"),
    (r"vending|vendor|占道|摊", "ST02"),
    (r"店外|跨门", "ST01"),
    (r"poster|advert|graffiti|小广告|广告", "ST06"),
    (r"四小车|老年代步", "ST05"),
    (r"\bped\b|pedestrian|crash|collision|traffic|交通", "SH07"),
    (r"gas leak|natural gas|燃气|煤气", "SH04"),
    (r"fire lane|消防通道|堵塞消防", "SH01"),
    (r"e-?bike|charging|充电|电动车|飞线", "SH03"),
    (r"unsafe|dangerous building|structural|危房|坠物", "SH06"),
    (r"\bfire\b|火灾|起火", "EM01"),
    (r"flood|catch ?basin|storm ?drain|积水|内涝|洪", "EM02"),
    (r"cave|sinkhole|塌陷", "EM03"),
    (r"leak|burst|爆管|漏水|管线", "EM04"),
    (r"typhoon|hurricane|storm|台风", "EM06"),
    (r"sewer|sewage|illegal discharge|排污|污水", "EV02"),
    (r"river|pond|河道|水体|黑臭", "EV01"),
    (r"漂浮", "EV03"),
    (r"ditch|channel|沟渠|淤", "EV04"),
    (r"dust|fumes|smoke|odou?r|油烟|扬尘|异味", "EV05"),
    (r"open burning|焚烧", "EV06"),
    (r"construction debris|spoil|渣土|建筑垃圾", "AP02"),
    (r"litter|street clean|unclean|dirty|needle|脏|不洁|保洁", "AP03"),
    (r"trash can|bin overflow|dumpster|满溢", "AP06"),
    (r"trash|garbage|dumping|recycl|rubbish|waste|垃圾", "AP01"),
    (r"\btree|park maintenance|ground maintenance|grass|绿化|树木|绿地", "AP04"),
    (r"construction noise|site nuisance|施工", "BD03"),
    (r"illegal construct|work w/out permit|working beyond|unpermitted|building inspection|违建|搭建", "BD01"),
    (r"unlicensed food|无证", "FD01"),
    (r"food poison|中毒", "FD04"),
    (r"food|restaurant|hygiene|unsanitary|rodent|bed ?bugs|mice|pest|卫生", "FD02"),
    (r"heat|tenant|housing|rental|apartment|landlord|租", "DS06"),
    (r"condominium|property manag|物业", "DS05"),
    (r"wage|labou?r|工资|欠薪|劳资", "DS03"),
    (r"neighbou?r|邻里", "DS02"),
    (r"permit|licen[cs]e|certificate|证件|办证", "LV03"),
    (r"suggest|compliment|comment|建议", "LV05"),
    (r"information|enquir|inquir|question|咨询", "LV01"),
)  # fmt: skip


def role_strength(role: str, words: str) -> int:
    """Tell how much a column's name speaks for a role; 0 is not at all.

    Parameters
    ----------
    role : str
        A key of `ROLE_WORDS`.
    words : str
        `Column.words`.

    Raises
    ------
    KeyError
        Unknown role.
    """
    if role == "category" and re.search(_NO_CATEGORY, words):
        return 0
    return next((strength for strength, pattern in ROLE_WORDS[role] if re.search(pattern, words)), 0)


def guess_state(raw: str) -> str | None:
    """Guess the standard state that a raw one means, None where no word is known.

    Parameters
    ----------
    raw : str

    Raises
    ------
    Nothing.
    """
    folded = raw.strip().casefold()
    return next((state for pattern, state in STATE_WORDS if re.search(pattern, folded)), None)


def guess_category(raw: str, taxonomy: Taxonomy) -> tuple[str, str]:
    """Guess the category that a raw label means.

    Parameters
    ----------
    raw : str
    taxonomy : Taxonomy

    Returns
    -------
    code : str
        OT99 where nothing speaks for another.
    why : str
        "same name", "similar name", "word ..." or "no guess".

    Raises
    ------
    Nothing.
    """
    folded = raw.strip().casefold()
    names = {
        name.casefold(): code for column in ("l2_en", "l2_zh") for name, code in zip(taxonomy.frame[column], taxonomy.codes, strict=True)
    }
    if folded in names:
        return names[folded], "same name"
    for pattern, code in _CATEGORY_WORDS:
        found = re.search(pattern, folded)
        if found and code in taxonomy.codes:
            return code, f"word {found[0]!r}"
    last = re.split(r"[>/]", folded)[-1].strip()
    close = difflib.get_close_matches(last, list(names), n=1, cutoff=0.75)
    return (names[close[0]], "similar name") if close else (UNKNOWN_CODE, "no guess")
