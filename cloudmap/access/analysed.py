"""One analysis as one audience may use it: its parts, its age, its categories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from cloudmap.access.audience import Audience
from cloudmap.access.disclosure import disclose, ordinary
from cloudmap.access.views import ALL, Category
from cloudmap.errors import AccessError, AnalysisError

if TYPE_CHECKING:
    from cloudmap.analytics.periods import AnyPeriod
    from cloudmap.city import City
    from cloudmap.ingest.taxonomy import Taxonomy
    from cloudmap.store.contract import Store


class Analysed:
    """The newest analysis of a city for one audience; `Reader` is what outputs use."""

    def __init__(self, city: City, store: Store, taxonomy: Taxonomy, audience: Audience | None = None) -> None:
        self.city, self.store, self.taxonomy = city, store, taxonomy
        self.audience = audience or Audience()
        stored = store.result("analysis")
        if stored is None:
            raise AnalysisError(f"{city.folder}: nothing is analysed yet; run `cloudmap analyse {city.folder}`", code="not_analysed")
        self.provenance: Mapping[str, Any] = stored.provenance
        self.last_week_on = cast(date, stored.frame["last_week_on"][0])
        self._frames: dict[str, pl.DataFrame] = {}
        self.kept: dict[tuple[str, ...], Any] = {}
        """What outputs have worked out of shapes and names, for as long as the reader lives; the same for audiences narrowed to units."""

    @property
    def now(self) -> datetime:
        """The newest `reported_at` (UTC): the age of the data."""
        return datetime.fromisoformat(self.provenance["now"])

    @property
    def base_map_version(self) -> str:
        """Version of the base map that the analysis used."""
        return str(self.provenance["base_map_version"])

    @property
    def analysed_load(self) -> int:
        """Newest load that the analysis has seen."""
        return int(self.provenance["load_seq"])

    @property
    def exposure_kind(self) -> str:
        """population, reports or none: what ratios stand on."""
        return str(self.provenance["exposure_kind"])

    def is_stale(self) -> bool:
        """Tell whether the store has a newer analysis than this reader shows."""
        stored = self.store.result("analysis")
        return stored is not None and stored.provenance["key"] != self.provenance["key"]

    def span(self, period: AnyPeriod) -> tuple[datetime, datetime]:
        """Return the instants (UTC) between which a period lies: from the first, up to but not including the second."""
        return self.city.midnight(period.first_on), self.city.midnight(period.last_on + timedelta(days=1))

    def part(self, name: str) -> pl.DataFrame:
        """Return a part of the analysis as it is stored; nothing of it may leave without `disclose`.

        Raises
        ------
        AnalysisError
            The store does not have it.
        """
        if name not in self._frames:
            key = self.provenance["parts"].get(name)
            stored = self.store.result(name, key) if key else None
            if stored is None:
                raise AnalysisError(
                    f"result {name!r} is not in the store; run `cloudmap analyse {self.city.folder}` again", code="not_analysed"
                )
            self._frames[name] = stored.frame
        return self._frames[name]

    @cached_property
    def _categories(self) -> dict[str, Category]:
        every = [Category(ALL, None, "全部类别", "All categories", restricted=False, scored=True)]
        for group, codes in self.taxonomy.groups.items():
            restricted = all(code in self.taxonomy.restricted for code in codes)
            scored = any(code in self.taxonomy.scored for code in codes)
            every.append(Category(group, None, self.taxonomy.name(group, "zh"), self.taxonomy.name(group, "en"), restricted, scored))
            for code in codes:
                names = self.taxonomy.name(code, "zh"), self.taxonomy.name(code, "en")
                every.append(Category(code, group, *names, code in self.taxonomy.restricted, code in self.taxonomy.scored))
        return {category.code: category for category in every}

    def categories(self) -> list[Category]:
        """List ALL, then each group followed by its categories."""
        return list(self._categories.values())

    def codes(self, category: str, measure: str) -> list[str]:
        """List the second-level codes that a choice stands for, for this audience and measure.

        Raises
        ------
        AnalysisError
            Unknown category, or one that is counted and never scored asked for anything but its count.
        AccessError
            A restricted category asked for a verdict.
        """
        if category not in self._categories:
            raise AnalysisError(f"category {category!r} is unknown")
        chosen = self._categories[category]
        if chosen.parent is not None:
            codes = [category]
            if measure not in ("count", "ratio", "handling") and category in self.taxonomy.restricted and not self.audience.restricted:
                raise AccessError(f"category {category} is restricted: a hotspot verdict would tell masked counts", code="restricted")
        else:
            members = self.taxonomy.codes if category == ALL else self.taxonomy.groups[category]
            codes = list(ordinary(members, self.taxonomy.restricted, self.audience))
        if measure not in ("count", "handling"):
            codes = [code for code in codes if code in self.taxonomy.scored]
            if not codes:
                raise AnalysisError(f"category {category} is counted, never scored (taxonomy column score = 0)", code="unscored")
        return codes

    def _listable(self) -> list[str]:
        return list(ordinary(self.taxonomy.codes, self.taxonomy.restricted, self.audience))

    def _disclosed(self, frame: pl.DataFrame, *, category: str | None = None, category_column: str | None = None) -> pl.DataFrame:
        return disclose(
            frame,
            audience=self.audience,
            privacy=self.city.privacy,
            count_columns=("n",),
            category=category if category in self.taxonomy.codes else None,
            category_column=category_column,
            restricted=self.taxonomy.restricted,
        )
