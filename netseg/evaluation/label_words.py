"""What the numbers of a label map mean: `lesion=2`, `liver=1,2`, `lesion=instances`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from netseg.domain import Code, StudyRejectedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

LESION, LIVER, IGNORE = "lesion", "liver", "ignore"
INSTANCES = "instances"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_VALUES = re.compile(r"[1-9]\d*(,[1-9]\d*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWords:
    """Which numbers are which region.

    Attributes:
        values: Numbers by region name; "ignore" holds those that are known and not scored.
        instances: Whether every number is one lesion of its own.
    """

    values: Mapping[str, tuple[int, ...]]
    instances: bool = False

    @property
    def regions(self) -> tuple[str, ...]:
        """The regions to score besides the lesions."""
        return tuple(n for n in self.values if n not in (LESION, IGNORE))

    def require_known(self, present: AbstractSet[int], file: str) -> None:
        """Refuse a map whose numbers do not tell whether its lesions are absent or called otherwise.

        A map without the lesions' number may just have no lesion. It is believed when every number
        in it has a name; a number nobody named could be the lesions under another label.

        Raises:
            StudyRejectedError: LABEL_UNKNOWN.
        """
        if self.instances or present & set(self.values[LESION]):
            return
        strange = sorted(present - {v for values in self.values.values() for v in values})
        if strange:
            asked = ",".join(str(v) for v in self.values[LESION])
            met = ", ".join(str(v) for v in strange[:10])
            raise StudyRejectedError(
                Code.LABEL_UNKNOWN,
                f"the map holds no {LESION}={asked}, but {met}, which nobody named.",
                file=file,
                detail={"values": sorted(present)[:20], "asked": list(self.values[LESION])},
                hint=f"Name what the others are (--label liver={strange[0]}, or --label "
                f"{IGNORE}={strange[0]}) if this case has no lesion; else correct the label.",
            )


def parse_labels(words: Sequence[str]) -> LabelWords | None:
    """The meaning of the numbers as a user says it.

    Args:
        words: `NAME=NUMBERS` each.

    Returns:
        None where nothing was said: then a map may hold one number, the lesions'.

    Raises:
        UsageError: CONFIG_RANGE for words that are none, a name or number given twice, or a missing
            `lesion`.
    """
    if not words:
        return None
    values: dict[str, tuple[int, ...]] = {}
    instances = False
    for word in words:
        name, _, numbers = word.partition("=")
        if name in values or not _NAME.fullmatch(name):
            raise _strange(word, "each name once, in small letters, is expected")
        if name == LESION and numbers == INSTANCES:
            instances, values[name] = True, ()
        elif _VALUES.fullmatch(numbers):
            values[name] = tuple(int(v) for v in numbers.split(","))
        else:
            raise _strange(word, "NAME=2, NAME=1,2 or lesion=instances is expected")
    _require_sense(values, instances)
    return LabelWords(values=values, instances=instances)


def _require_sense(values: Mapping[str, tuple[int, ...]], instances: bool) -> None:  # noqa: FBT001
    if LESION not in values:
        close = get_close_matches(LESION, values, n=1)
        raise UsageError(
            Code.CONFIG_RANGE,
            f"no label names the lesions; there are {', '.join(values)}.",
            hint=f"Did you mean {LESION} by {close[0]}?" if close else "Say --label lesion=2.",
        )
    if instances and len(values) > 1:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"lesion={INSTANCES} takes every number of the map; none is left for "
            f"{', '.join(n for n in values if n != LESION)}.",
            hint="Give one map for lesions alone, or name the lesions' number.",
        )
    doubtful = set(values[LESION]) & set(values.get(IGNORE, ()))
    if doubtful:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{min(doubtful)} cannot be both {LESION} and {IGNORE}.",
            hint="Name each number once.",
        )


def _strange(word: str, expected: str) -> UsageError:
    return UsageError(
        Code.CONFIG_RANGE,
        f"--label {word!r} cannot be read; {expected}.",
        hint="For example --label lesion=2 --label liver=1.",
    )
