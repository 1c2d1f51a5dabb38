"""Briefings: documents of computed sentences, maps, tables, the method and the ledger."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast, get_args

from cloudmap.errors import AnalysisError
from cloudmap.publish import documents, titles, writing
from cloudmap.publish.content import Column, Document, Section, Table, digest
from cloudmap.publish.kinds import KINDS
from cloudmap.publish.kinds.asked import Asked
from cloudmap.publish.legend import Language
from cloudmap.publish.wording import Wording
from cloudmap.schema import LEDGER_CLASSES
from cloudmap.version import VERSION

if TYPE_CHECKING:
    from cloudmap.access.reader import Reader

TIERS: Final = ("microgrid", "hall", "street")


def brief(  # noqa: PLR0913  (keyword-only choices of one command, each named in the call)
    reader: Reader,
    *,
    kind: str = "hotspots",
    period: str | None = None,
    format: str = "html",
    language: str = "zh-Hans",
    path: str | Path,
    category: str = "ALL",
    layer: str | None = None,
    unit: str | None = None,
    tier: str = "hall",
    templates: Path | None = None,
) -> Path:
    """Write a briefing as one file that needs nothing else; the same numbers give the same bytes.

    Parameters
    ----------
    reader : Reader
        Door to the numbers; its audience decides what is masked.
    kind : {"hotspots", "situation", "handling", "water", "meeting"}
        What it tells of.
    period : str, optional
        Period id; by default the last four complete weeks.
    format : {"html", "docx", "pdf", "xlsx"}
        A page with everything in it, a document that an office can edit, a printed one, or a workbook.
    language : {"zh-Hans", "zh-Hant", "en"}
        Language of the words.
    path : str or Path
        File to make or replace.
    category : str, default "ALL"
        Category or group code.
    layer : str, optional
        Cells to test, or units to tell by; by default the cells of the default resolution and the coarsest units that are several.
    unit : str, optional
        Code of the unit that it is about; the whole city where not given.
    tier : {"hall", "microgrid", "street"}
        With "meeting": which one.
    templates : Path, optional
        Folder of the office's own templates; by default the one that the city file names.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    AnalysisError
        Unknown kind, format, language, period, category, layer, unit or meeting, or a category that is never scored.
    AccessError
        The audience may not see what the briefing tells of.
    ConfigError
        A template of the city is broken.
    SourceError
        The file cannot be written, or a PDF needs a library or a font that is not installed.
    """
    known_values: Any = (
        ("kind", kind, KINDS),
        ("format", format, documents.FORMATS),
        ("language", language, get_args(Language)),
        ("meeting", tier, TIERS),
    )
    for name, value, known in known_values:
        if value not in known:
            raise AnalysisError(f"briefing: no {name} {value!r}; there are: {', '.join(known)}")
    wording = Wording(reader.city, language, templates)
    chosen = reader.period(period) if period else reader.default_period
    asked = Asked(reader, kind, chosen, category, cast(Language, language), wording, unit, tier, layer)
    content = document(asked)
    target = Path(path)
    with writing.replacing(target) as draft:
        documents.WRITERS[format](content, wording, draft)
        from cloudmap.access.audit import record

        record(
            reader.city,
            "brief",
            what=kind,
            file=target.name,
            audience=reader.audience.kind,
            period=chosen.id,
            category=category,
            unit=unit or "",
        )
    return target


def document(asked: Asked) -> Document:
    """Put everything that a briefing shows into plain values; errors as for `brief`."""
    wording, reader, labels = asked.wording, asked.reader, asked.wording.texts["labels"]
    texts, values = wording.texts[asked.kind], {**asked.base(), "tier": asked.word("tiers", asked.tier)}
    own = KINDS[asked.kind](asked)
    ledger = _ledger(asked)
    caveats = Section("caveats", asked.heading("caveats"), points=_caveats(asked))
    sections = [*own, ledger, caveats]
    manifest = _manifest(asked, sections)
    day = titles.base_map_day(reader)
    base_map = {"version": reader.base_map_version, "day": titles.day_text(day, asked.language) if day else ""}
    facts = [
        (labels["period"], values["period"]),
        (labels["data_at"], values["data_at"]),
        (labels["load"], wording.sentence(labels["load_value"], values)),
        (labels["base_map"], wording.sentence(labels["base_map_value"], base_map)),
        (labels["audience"], labels[reader.audience.kind]),
        (labels["review"], reader.city.briefing.review_number or titles.REVIEW_BLANK),
    ]
    listed = [
        {"item": wording.sentence(wording.texts["manifest"][name], {"title": title}), "value": value} for name, title, value in manifest
    ]
    made = Table("manifest", asked.heading("manifest"), [Column("item", labels["item"]), Column("value", labels["value"], "code")], listed)
    return Document(
        kind=asked.kind,
        language=asked.language,
        masthead=wording.sentence(labels["masthead"], values),
        title=wording.sentence(texts["title"], values),
        facts=facts,
        sections=[*sections, Section("manifest", asked.heading("manifest"), tables=[made])],
        manifest=[(row["item"], row["value"]) for row in listed],
        footer=wording.sentence(labels["footer"], {"version": VERSION}),
        made_at=reader.now,
    )


def _ledger(asked: Asked) -> Section:
    """Lay the ledger out as rows, their sum, and the repairs over all files."""
    texts, entries = asked.wording.texts, asked.reader.ledger()
    rows = []
    for entry in entries:
        classes = {name: int(entry["classes"].get(name, 0)) for name in LEDGER_CLASSES}
        rows.append({**{name: entry[name] for name in ("load_seq", "source", "file", "lines")}, **classes})
    total = {"source": texts["labels"]["ledger_sum"], **{name: sum(row[name] for row in rows) for name in ("lines", *LEDGER_CLASSES)}}
    repairs: Counter[str] = Counter()
    for entry in entries:
        repairs.update(entry["repairs"])
    join = texts["labels"]["and"]
    listed = join.join(f"{asked.word('repairs', name)} {count:,}" for name, count in repairs.items() if count)
    columns = [
        Column(name, texts["columns"][name], "text" if name in ("source", "file") else "count")
        for name in ("load_seq", "source", "file", "lines", *LEDGER_CLASSES)
    ]
    table = Table("ledger", texts["labels"]["ledger"], columns, rows, texts["labels"]["ledger_note"], total=total)
    told = [asked.wording.sentence(texts["labels"]["repairs"], {"listed": listed})] if listed else []
    return Section("ledger", asked.heading("ledger"), told, tables=[table])


@cache
def _page_words(language: str) -> dict[str, str]:
    # Caveats are worded once, for the page; the file is data, and is read as such.
    words: dict[str, str] = json.loads(files("cloudmap").joinpath("dashboard", "words", f"{language}.json").read_text(encoding="utf-8"))
    return words


def _caveats(asked: Asked) -> list[str]:
    """Word every caveat of what was read, each once; the office's own words stand before the page's."""
    own, page = asked.wording.texts["caveats"], _page_words(asked.language)
    keys = [caveat for result in asked.results for caveat in result.caveats]
    if asked.reader.audience.outside:
        keys.append("few")
    texts = [own.get(key, page.get(f"caveat.{key}", key)) for key in dict.fromkeys(keys)]
    return list(dict.fromkeys(asked.wording.sentence(text, {"k": asked.reader.city.privacy.k}) for text in texts))


def _manifest(asked: Asked, sections: list[Section]) -> list[tuple[str, str, str]]:
    """List what is needed to make the document again, with digests of its numbers: (key, title of what it is of, value)."""
    reader, day = asked.reader, titles.base_map_day(asked.reader)
    methods = dict.fromkeys(result.method for result in asked.results)
    parameters = {f"{name} = {value}" for result in asked.results for name, value in result.parameters.items()}
    chosen = {
        "kind": asked.kind,
        "period": asked.period.id,
        "category": asked.category,
        "unit": asked.unit or "",
        "tier": asked.tier if asked.kind == "meeting" else "",
    }
    keys = dict.fromkeys(str(result.provenance.get("key", "")) for result in asked.results)
    told = [
        ("load", "", str(reader.analysed_load)),
        ("base_map_version", "", reader.base_map_version),
        ("base_map_day", "", day.isoformat() if day else ""),
        ("cloudmap", "", VERSION),
        ("kind", "", "; ".join(f"{name} = {value}" for name, value in chosen.items() if value)),
        ("method", "", "; ".join(methods)),
        ("parameters", "", "; ".join(sorted(parameters))),
        ("audience", "", f"{reader.audience.kind}, restricted = {reader.audience.restricted}"),
        ("analysis", "", "; ".join(keys)),
    ]
    for section in sections:
        told += [("map_sha256", picture.title, digest(picture.values)) for picture in section.pictures]
        kind = "ledger_sha256" if section.key == "ledger" else "table_sha256"
        told += [(kind, table.title, table.digest) for table in section.tables]
    told.append(("templates", "", asked.wording.digest(f"{asked.kind}.html", f"{asked.kind}.docx")))
    return [one for one in told if one[2]]
