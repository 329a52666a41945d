"""What comes with a route: scans, follow-up, flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netseg.domain.allocation import Flag, FollowUp, ImagingAdvice
from netseg.domain.findings import SegmentSource

if TYPE_CHECKING:
    from netseg.allocate.reasons import Reading
    from netseg.allocate.tables import Row

DONE = {"positive", "negative"}


def imaging_of(reading: Reading) -> tuple[ImagingAdvice, ...]:
    """Scans whose condition certainly holds and whose result is not known yet; one entry a scan."""
    by_scan: dict[str, list[Row]] = {}
    for compiled in reading.rules.imaging:
        row = compiled.row
        result = getattr(reading.findings, row.extras.get("unless_done", ""), None)
        if str(result) not in DONE and reading.is_certain(compiled):
            by_scan.setdefault(row.extras["scan"], []).append(row)
    done = reading.findings.imaging_done
    return tuple(
        ImagingAdvice(
            id=scan,
            because=" ".join(dict.fromkeys(row.text for row in rows)),
            strength=rows[0].strength,
            sentence=rows[0].sentences[0],
            references=tuple(sorted({n for row in rows for n in row.references})),
            done=None if done is None else scan in done,
        )
        for scan, rows in by_scan.items()
    )


def follow_up_of(reading: Reading) -> FollowUp | None:
    """The schedule, None where none is stated or the route is open.

    Where the unknowns allow more than one interval the shortest is given: it is the safe one.
    """
    table = reading.rules.tables["follow_up"]
    rows = reading.rows_reached(table)
    if len(reading.outcomes("route")) != 1 or any(row.then == "none_stated" for row in rows):
        return None
    row = min(rows, key=lambda r: tuple(r.extras["interval_months"]))
    low, high = row.extras["interval_months"]
    further = [r.row for r in table.pro if reading.is_certain(r)]
    return FollowUp(
        interval_months=(low, high),
        what=row.text,
        sentence=row.sentences[0],
        assumption=row.assumption,
        further=tuple((r.text, r.sentences[0]) for r in further),
    )


def flags_of(reading: Reading) -> tuple[Flag, ...]:
    """Flags of the rule set that certainly hold, and those on the data's own quality."""
    open_question = bool(reading.standing.conflicts)
    found = [
        Flag(
            id=c.row.id,
            text=c.row.text,
            sentence=c.row.sentences[0],
            facts=dict(reading.reason(c.row).facts),
        )
        for c in reading.rules.flags
        if not (open_question and any("route" in part for part in c.row.when))
        and reading.is_certain(c)
    ]
    return (*found, *_data_flags(reading))


def _data_flags(reading: Reading) -> list[Flag]:
    findings = reading.findings
    flags: list[Flag] = []
    missing = [n for n in ("differentiation", "ki67") if getattr(findings, n) is None]
    if missing:
        text = f"Work-up incomplete: {' and '.join(missing)} must be known after histology."
        flags.append(Flag(id="workup_incomplete", text=text, sentence="S094"))
    if findings.segment_source is SegmentSource.APPROXIMATE_PARTITION and findings.lesions:
        text = (
            "The lesions' segments come from an approximate geometric partition of the liver; "
            "the pattern that follows from them is no more exact than they are."
        )
        flags.append(Flag(id="segments_approximate", text=text))
    pet, sstr = findings.ga68_pet, findings.sstr
    if str(pet) == "positive" and (str(sstr) == "negative" or sstr == 0):
        text = "The Ga-68 PET is positive although receptors are stated as negative."
        flags.append(Flag(id="sstr_vs_pet_mismatch", text=text, sentence="S067"))
    return flags
