"""One type for every statistic: what was asked, how, of what, and what to beware of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class Result:
    """A statistic with everything that is needed to read and to repeat it.

    Attributes
    ----------
    method : str
        Name of the method, e.g. "exact Gi*".
    parameters : mapping
        What the method was given (place, period, category, threshold ...).
    table : polars.DataFrame
        One row a place; column meanings in `schema` and GLOSSARY.
    denominator : str
        What the numbers are of: tests in the family, exposure, or reports counted.
    caveats : tuple of str
        Keys of texts that must stand beside the numbers (`caveats` of the text tables), e.g. "no_exposure".
    provenance : mapping
        load_seq, base_map_version, cloudmap version, parameters_hash.
    """

    method: str
    parameters: Mapping[str, object]
    table: pl.DataFrame
    denominator: str
    caveats: tuple[str, ...] = ()
    provenance: Mapping[str, object] = field(default_factory=dict)

    def summary(self) -> str:
        """Tell method, size, denominator, parameters and caveats in a few lines."""
        what = "places" if "place" in self.table.columns else "rows"
        lines = [f"{self.method}: {self.table.height} {what}; denominator: {self.denominator}"]
        lines += [f"  {name} = {value}" for name, value in self.parameters.items()]
        if "class" in self.table.columns:
            counts = self.table["class"].drop_nulls().value_counts(sort=True)
            lines.append("  " + ", ".join(f"{row[0]}: {row[1]}" for row in counts.iter_rows()))
        lines += [f"  caveat: {caveat}" for caveat in self.caveats]
        return "\n".join(lines)
