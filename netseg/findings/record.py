"""What is noted about one lesion, or about the liver, while it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netseg.domain import MeasuredIn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(slots=True, kw_only=True)
class Record:
    """Quantities with the region each was measured in, and what stayed unknown with its reason.

    Attributes:
        measures: Quantities by name.
        signs: Signs by name.
        regions: Where the quantities were measured, in the order they were noted.
        unknown: Why a quantity or sign is unknown, by its name.
    """

    measures: dict[str, float] = field(default_factory=dict)
    signs: dict[str, bool] = field(default_factory=dict)
    regions: list[MeasuredIn] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)

    def note(
        self,
        values: Mapping[str, float],
        name: str,
        *,
        series: str = "",
        voxels: int,
        volume_ml: float,
    ) -> None:
        """Note quantities that were measured in one region; nothing measured notes no region."""
        if not values:
            return
        self.measures |= {key: float(value) for key, value in values.items()}
        self.regions.append(
            MeasuredIn(
                name=name,
                series=series,
                voxels=voxels,
                volume_ml=volume_ml,
                measures=tuple(values),
            )
        )

    def sign(self, name: str, *, seen: bool | None, why_unknown: str = "") -> None:
        """Note a sign, or why nobody can tell; a sign that is told is unknown no longer."""
        if seen is None:
            self.unknown[name] = why_unknown
        else:
            self.signs[name] = seen
            self.unknown.pop(name, None)

    def cannot_tell(self, names: Iterable[str], why: str) -> None:
        """Note why quantities are unknown."""
        self.unknown |= dict.fromkeys(names, why)
