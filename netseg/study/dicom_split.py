"""One series, several volumes: b-values, echoes, dynamic phases told apart by the tag that does."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netseg.study.dicom_header import Header

_TELLING_APART = (
    "DiffusionBValue", "EchoTime", "TemporalPositionIdentifier", "AcquisitionNumber",
    "TriggerTime", "AcquisitionTime", "ImageType",
)  # fmt: skip
"""Tags that make two images of one place two volumes, the most telling first."""


def volumes_of(headers: Sequence[Header]) -> tuple[tuple[Header, ...], ...]:
    """The images of one series, parted where they claim the same positions several times.

    A tag parts them if each of its values covers every position exactly once. Where no tag does,
    they stay together, and whoever stacks them refuses the ambiguity; copies of a file share all
    tags and so stay too.

    Args:
        headers: All images of the series.

    Returns:
        One or more groups, in the order of the tag's values.
    """
    places = {h.text("ImagePositionPatient") for h in headers}
    if len(places) == len(headers) or "" in places:
        return (tuple(headers),)
    for keyword in _TELLING_APART:
        parts: dict[str, list[Header]] = defaultdict(list)
        for header in headers:
            parts[header.text(keyword)].append(header)
        if "" not in parts and all(_covers(part, places) for part in parts.values()):
            return tuple(tuple(parts[value]) for value in sorted(parts, key=_order))
    return (tuple(headers),)


def _covers(part: Sequence[Header], places: set[str]) -> bool:
    return len(part) == len(places) and {h.text("ImagePositionPatient") for h in part} == places


def _order(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return 0.0, value
