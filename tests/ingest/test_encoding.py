from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudmap.errors import SourceError
from cloudmap.ingest.bytescan import first_invalid
from cloudmap.ingest.decoding import CODECS, decode
from cloudmap.ingest.encoding import detect_encoding, normal_name

LINES = ["编号,时间,类别,处理结果", *(f"{number},2018-01-01,路灯不亮,已处理完毕,路桥街道{number}号" for number in range(40))]
TRADITIONAL = ["編號,時間,類別,處理結果", *(f"{number},2018-01-01,路燈不亮,已處理完畢,路橋街道{number}號" for number in range(40))]


def detect(tmp_path, content: bytes, declared: str | None = None) -> tuple[str, list[str]]:
    (tmp_path / "a.csv").write_bytes(content)
    return detect_encoding(tmp_path / "a.csv", "a.csv", declared)


@pytest.mark.parametrize(
    ("lines", "codec", "found"),
    [
        (LINES, "utf-8", "utf-8"),
        (LINES, "gbk", "gb18030"),
        (TRADITIONAL, "big5", "big5"),
        (TRADITIONAL, "gbk", "gb18030"),
        (LINES, "utf-16", "utf-16-le"),
        (LINES, "utf-16-be", "utf-16-be"),
        (LINES[:1], "gbk", "gb18030"),
        (TRADITIONAL[:1], "big5", "big5"),
        (["id,kind", "1,x"], "ascii", "utf-8"),
    ],
)
def test_encodings_are_told_apart(tmp_path, lines, codec, found):
    assert detect(tmp_path, "\n".join(lines).encode(codec))[0] == found


def test_foreign_lines_far_into_an_ascii_file_are_found(tmp_path):
    content = b"1,2018-01-01,light\n" * 400_000 + "\n".join(LINES).encode("gbk")
    assert len(content) > 4 * 1024**2
    assert detect(tmp_path, content)[0] == "gb18030"


@pytest.mark.parametrize(
    ("declared", "codec"),
    [("GBK", "gbk"), ("gb2312", "gbk"), ("Big5", "big5"), ("utf8", "utf-8"), ("UTF-16", "utf-16"), ("utf_16_le", "utf-16-le")],
)
def test_declared_encodings_are_confirmed(tmp_path, declared, codec):
    lines = TRADITIONAL if codec == "big5" else LINES
    encoding, evidence = detect(tmp_path, "\n".join(lines).encode(codec), declared)
    assert encoding == {"utf-16": "utf-16-le"}.get(normal_name(declared), normal_name(declared))
    assert evidence


def test_a_declaration_against_the_mark_or_the_bytes_is_refused(tmp_path):
    with pytest.raises(SourceError, match="byte order mark of utf-8"):
        detect(tmp_path, "\n".join(LINES).encode("utf-8-sig"), "gbk")
    with pytest.raises(SourceError, match="no byte order mark"):
        detect(tmp_path, b"a,b\n1,2\n", "utf-16")
    with pytest.raises(SourceError, match="encoding 'klingon' is not read"):
        detect(tmp_path, b"a,b\n1,2\n", "klingon")


def test_evidence_holds_no_telephone_number(tmp_path):
    _, evidence = detect(tmp_path, "id,note\n1,电话13812345678\n".encode("gbk"), "gbk")
    assert "13812345678" not in " ".join(evidence)


@settings(deadline=None)  # the first call loads the compiled passes
@given(
    st.lists(
        st.tuples(st.text(st.characters(min_codepoint=32, max_codepoint=0xFFFF, exclude_categories=["Cs"]), max_size=6), st.booleans()),
        max_size=8,
    )
)
def test_bad_lines_are_found_one_by_one(plan):
    lines = [text.encode() + (b"\xff" if bad else b"") for text, bad in plan]
    found = decode(b"\n".join(lines), "utf-8")
    assert found.bad_lines == [number for number, (_, bad) in enumerate(plan) if bad]
    clean = found.data.decode().split("\n") if plan else []
    assert [one for one, (_, bad) in zip(clean, plan, strict=True) if not bad] == [text for text, bad in plan if not bad]


@pytest.mark.parametrize("codec", ["gb18030", "big5"])
def test_bad_lines_of_double_byte_encodings(codec):
    real = "cp950" if codec == "big5" else codec
    found = decode("路,一\n".encode(real) + b"\xff\xff,2\n" + "路,三".encode(real), codec)
    assert found.bad_lines == [1]
    assert found.data.decode().split("\n")[::2] == ["路,一", "路,三"]


@settings(deadline=None)  # the first call loads the compiled passes
@given(
    st.sampled_from(["gb18030", "big5"]),
    st.lists(
        st.tuples(st.text('路桥a1,"裏�', max_size=4), st.sampled_from([b"", b"", b"\xff", b"\x81", b"\x810", b"\x84\x31\xa4"])), max_size=6
    ),
)
def test_lines_stay_lines_whatever_is_wrong_with_them(encoding, plan):
    codec = CODECS[encoding]
    lines = [text.encode(codec, "ignore") + tail for text, tail in plan]
    found = decode(b"\n".join(lines), encoding)
    assert found.bad_lines == [number for number, (_, tail) in enumerate(plan) if tail]
    clean = found.data.decode().split("\n") if plan else []
    assert [one for one, (_, tail) in zip(clean, plan, strict=True) if not tail] == [
        text.encode(codec, "ignore").decode(codec) for text, tail in plan if not tail
    ]


@settings(deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=4), st.text(max_size=2).map(str.encode)), max_size=6).map(b"".join))
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"\xe0\x9f\xbf")
def test_invalid_utf8_is_found_where_python_finds_it(raw):
    try:
        raw.decode()
        expected = -1
    except UnicodeDecodeError as error:
        expected = error.start
    assert first_invalid(np.frombuffer(raw, dtype=np.uint8), 0) == expected


def test_half_characters_of_utf16_are_bad_lines():
    content = "路,一\n桥,二\n".encode("utf-16-le")
    assert decode(content[:4] + b"\x00\xd8" + content[4:], "utf-16-le").bad_lines == [0]
    assert decode(content + b"\x00", "utf-16-le").bad_lines == [2]
