"""Words that event files use for stages and states, in both scripts and in English; a city file adds its own."""

from __future__ import annotations

from typing import Final

STAGE_WORDS: Final = {
    "collect": "collect", "collection": "collect", "信息收集": "collect", "收集": "collect", "采集": "collect", "採集": "collect",
    "信息采集": "collect", "信息採集": "collect", "上报": "collect", "上報": "collect",
    "sort": "sort", "sorting": "sort", "整理": "sort", "受理": "sort",
    "file": "file", "filing": "file", "立案": "file",
    "dispatch": "dispatch", "分流": "dispatch", "分流交办": "dispatch", "分流交辦": "dispatch", "交办": "dispatch", "交辦": "dispatch",
    "派遣": "dispatch", "任务派遣": "dispatch", "任務派遣": "dispatch",
    "handle": "handle", "handling": "handle", "处置": "handle", "處置": "handle", "处理": "handle", "處理": "handle", "办理": "handle",
    "辦理": "handle", "任务处理": "handle", "任務處理": "handle",
    "finish_supervise": "finish_supervise", "完结督办": "finish_supervise", "完結督辦": "finish_supervise", "督办": "finish_supervise",
    "督辦": "finish_supervise",
    "feed_back": "feed_back", "feedback": "feed_back", "反馈": "feed_back", "反饋": "feed_back", "信息反馈": "feed_back",
    "信息反饋": "feed_back", "处理反馈": "feed_back", "處理反饋": "feed_back",
    "inspect": "inspect", "inspection": "inspect", "督查": "inspect",
    "verify": "verify", "verification": "verify", "核查": "verify", "核查结案": "verify", "核查結案": "verify", "结案": "verify",
    "結案": "verify",
    "evaluate": "evaluate", "evaluation": "evaluate", "评价": "evaluate", "評價": "evaluate",
    "考核评价": "evaluate", "考核評價": "evaluate",
}  # fmt: skip
"""Word to standard stage."""

STATE_WORDS: Final = {
    "待办": "open", "待辦": "open", "待处理": "open", "待處理": "open", "未处理": "open", "未處理": "open",
    "办理中": "handling", "辦理中": "handling", "处理中": "handling", "處理中": "handling", "处置中": "handling", "處置中": "handling",
    "恢复": "handling", "恢復": "handling", "恢复办理": "handling", "恢復辦理": "handling", "解除挂账": "handling", "解除掛賬": "handling",
    "resumed": "handling",
    "挂账": "suspended", "掛賬": "suspended", "挂起": "suspended", "掛起": "suspended",
    "退回": "returned", "回退": "returned", "返工": "returned", "重办": "returned", "重辦": "returned",
    "延期": "extended", "加急": "expedited", "作废": "void", "作廢": "void",
    "办结": "closed", "辦結": "closed", "已办结": "closed", "已辦結": "closed", "结案": "closed", "結案": "closed", "已结案": "closed",
    "已結案": "closed", "完结": "closed", "完結": "closed",
}  # fmt: skip
"""Word to standard state, beside the standard ones themselves."""
