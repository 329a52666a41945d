"""Every treatment with its status, what speaks for it and what against."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain.allocation import Option, OptionStatus, Reason

if TYPE_CHECKING:
    from netseg.allocate.compiled import CompiledTable
    from netseg.allocate.reasons import Reading

SPEAKS_AGAINST = frozenset(
    {OptionStatus.LIMITED, OptionStatus.NOT_SUPPORTED, OptionStatus.CONTRAINDICATED}
)

_STRONGEST_FIRST = tuple(OptionStatus)
_STATUS = {str(status): status for status in OptionStatus}


def options_of(reading: Reading) -> tuple[Option, ...]:
    """All options of the rule set, in its order."""
    return tuple(_option(name, table, reading) for name, table in reading.rules.options.items())


def _one(possible: tuple[OptionStatus, ...]) -> OptionStatus:
    """The one status; where it is never offered, the weakest, since nothing is left to decide."""
    if set(possible) == {OptionStatus.NOT_SUPPORTED, OptionStatus.CONTRAINDICATED}:
        return OptionStatus.CONTRAINDICATED
    return possible[0] if len(possible) == 1 else OptionStatus.UNDETERMINED


def _option(name: str, table: CompiledTable, reading: Reading) -> Option:
    """One option: its status is what every completion of the unknowns gives, else undetermined."""
    rows = reading.rows_reached(table)
    statuses = [_STATUS[str(row.then)] for row in rows]
    possible = tuple([status for status in _STRONGEST_FIRST if status in statuses])
    status = _one(possible)
    because: list[Reason] = []
    against: list[Reason] = []
    for row, said in zip(rows, statuses, strict=True):
        (against if said in SPEAKS_AGAINST else because).append(reading.reason(row))
    because += [reading.reason(r.row) for r in table.pro if reading.is_certain(r)]
    against += [reading.reason(r.row) for r in table.contra if reading.is_certain(r)]
    intents = {row.extras.get("intent") for row in rows}
    offered = status not in SPEAKS_AGAINST
    return Option(
        id=name,
        status=status,
        possible_statuses=possible,
        intent=intents.pop() if len(intents) == 1 else None,
        because=tuple(because),
        against=tuple(against),
        evidence=table.table.evidence if offered else (),
    )
