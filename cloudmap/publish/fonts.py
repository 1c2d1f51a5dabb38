"""Fonts with Chinese characters: which are named, whether one is installed, and what to do where none is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from cloudmap.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from cloudmap.publish.legend import Language

CHINESE_FONTS: Final = (
    "Noto Sans CJK SC", "Source Han Sans SC", "Source Han Sans CN", "Noto Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "SimHei", "PingFang SC",
)  # fmt: skip
"""Fonts with Chinese characters, best first; Debian has the first in fonts-noto-cjk."""


@cache
def chinese_font() -> str | None:
    """Name an installed font that has Chinese characters, or None.

    Returns
    -------
    str or None
        The first of `CHINESE_FONTS` that matplotlib finds; fonts installed after matplotlib listed its fonts are looked for again.
    """
    from matplotlib import font_manager

    known = {entry.name for entry in font_manager.fontManager.ttflist}
    found = next((name for name in CHINESE_FONTS if name in known), None)
    if found:
        return found
    for path in font_manager.findSystemFonts():
        if any(part in path for part in ("CJK", "SourceHan", "wqy", "msyh", "simhei", "PingFang")):
            font_manager.fontManager.addfont(path)
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE_FONTS if name in known), None)


def check(language: Language, path: Path) -> None:
    """Refuse to print Chinese where no font has its characters: every one would be an empty box.

    Raises
    ------
    SourceError
        The language is Chinese and none of `CHINESE_FONTS` is installed.
    """
    if language != "en" and chinese_font() is None:
        raise SourceError(
            f"{path}: no font with Chinese characters is installed (looked for {', '.join(CHINESE_FONTS[:3])} ...), so a PDF in {language}"
            " would be empty boxes. Install one (Debian: apt install fonts-noto-cjk), or write docx, or use --language en"
        )
