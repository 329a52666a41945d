"""Do the facts agree with each other? Contradictions, and statements kept beside measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.document import FIELDS
from netseg.allocate.facts import (
    LESION_FACTS,
    NOT_STATED,
    Facts,
    cells_of_facts,
    known_facts,
    last_control,
    last_course,
    lesion_facts,
)
from netseg.allocate.worlds import Worlds
from netseg.domain.allocation import Conflict, Flag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netseg.allocate.compiled import CompiledRow, RuleSet
    from netseg.domain.clinical import ClinicalFindings, LiverLesion

DECIDED: tuple[frozenset[Any], ...] = (frozenset({"A0"}), frozenset({"not_A0"}))
"""Answers of a control scan that leave nothing open."""

MEASURED_BESIDE = {
    "grade_reported": ("ki67", "mitoses_per_2mm2"),
    "liver_pattern_reported": LESION_FACTS,
}
"""Which measured facts stand beside a reported one."""

MISMATCHES = {
    "grade_reported": ("grade_vs_ki67_mismatch", ("grade_reported", "ki67", "mitoses_per_2mm2")),
    "liver_pattern_reported": (
        "pattern_reported_vs_measured",
        ("liver_pattern_reported", "lesions", "lesion_count"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the facts allow.

    Attributes:
        facts: Possible values by fact.
        worlds: Every patient that agrees with them.
        control: Outcomes of the control scan's table.
        conflicts: Contradictions.
        routes: Every route that one of the contradicting statements leads to.
        flags: Differences between what was reported and what was measured.
    """

    facts: Facts
    worlds: Worlds
    control: frozenset[Any]
    conflicts: tuple[Conflict, ...]
    routes: frozenset[Any]
    flags: tuple[Flag, ...]


def settle(findings: ClinicalFindings, rules: RuleSet) -> Standing:
    """Find the worlds that agree with the findings, and what contradicts what."""
    facts = known_facts(findings)
    control = _control_scan(facts, findings, rules)
    measured = facts | {name: frozenset({NOT_STATED}) for name in MEASURED_BESIDE}
    if not _is_possible(measured, rules):
        return Standing(
            facts=measured,
            worlds=worlds_of(measured, rules),
            control=control,
            conflicts=_contradictions(measured, findings, rules),
            routes=frozenset(),
            flags=(),
        )
    check = _ReportedCheck(findings, measured, rules)
    for name in MEASURED_BESIDE:
        check.compare(name, facts[name])
    check.compare_lesion_lists()
    return Standing(
        facts=check.facts,
        worlds=worlds_of(check.facts, rules),
        control=control,
        conflicts=tuple(check.conflicts),
        routes=frozenset(check.routes),
        flags=tuple(check.flags),
    )


def as_written(findings: ClinicalFindings, names: Iterable[str]) -> dict[str, Any]:
    """Fields as the document has them, unknown ones left out."""
    values = {name: getattr(findings, name) for name in names}
    return {name: FIELDS[name].write(v) for name, v in values.items() if v is not None}


class _ReportedCheck:
    """Takes reported statements beside the measured facts, one after the other."""

    def __init__(self, findings: ClinicalFindings, facts: Facts, rules: RuleSet) -> None:
        self.findings = findings
        self.facts = facts
        self.rules = rules
        self.conflicts: list[Conflict] = []
        self.flags: list[Flag] = []
        self.routes: set[Any] = set()

    def compare(self, name: str, reported: Any) -> None:
        """Let the reported statement narrow the measured facts, or name the difference."""
        if reported == {NOT_STATED}:
            return
        together = self.facts | {name: reported}
        if _is_possible(together, self.rules):
            self.facts = together
            return
        mismatch, fields = MISMATCHES[name]
        alone = {k: v for k, v in together.items() if k not in MEASURED_BESIDE[name]}
        text = f"{name} says {next(iter(reported))}, the measured facts say otherwise."
        self._name(mismatch, fields, alone, text)

    def compare_lesion_lists(self) -> None:
        """The clinician's own list or count beside the measured list."""
        lesions, own = self.findings.lesions, self.findings.lesions_reported
        if lesions is None:
            return
        others = {k: v for k, v in self.facts.items() if k not in LESION_FACTS}
        count = self.findings.lesion_count
        if own is not None and _places(own) != _places(lesions):
            text = "The clinician's lesion list differs from the measured one."
            fields = ("lesions_reported", "lesions")
            self._name(
                "lesions_reported_vs_measured", fields, others | lesion_facts(own, None), text
            )
        if count is not None and count != len(lesions):
            text = f"lesion_count says {count}, the list of lesions has {len(lesions)}."
            fields = ("lesion_count", "lesions")
            self._name("lesion_count_vs_list", fields, others | lesion_facts(None, count), text)

    def _name(self, name: str, fields: Iterable[str], otherwise: Facts, text: str) -> None:
        """A flag; a conflict too where the route depends on whom one believes."""
        measured, reported = (_routes(f, self.rules) for f in (self.facts, otherwise))
        ways = [" or ".join(sorted(map(str, way))) or "none" for way in (measured, reported)]
        changes = f"The route by measurement is {ways[0]}, as reported {ways[1]}."
        same = measured == reported
        text = f"{text} {'The route is the same either way.' if same else changes}"
        values = as_written(self.findings, fields)
        self.flags.append(Flag(id=name, text=text, facts=values))
        if not same:
            self.conflicts.append(Conflict(id=name, facts=values, text=text))
            self.routes |= measured | reported


def worlds_of(facts: Facts, rules: RuleSet) -> Worlds:
    """The patients that agree with the facts, carried facts narrowed to what is possible."""
    worlds = Worlds.of(rules.diagrams, cells_of_facts(facts, rules))
    for table in rules.tables.values():
        if table.table.fact is not None:
            possible = worlds.possible(table.outcome_here) or worlds.possible(table.by_outcome)
            variable = rules.variable(table.table.fact)
            cells = variable.cells_named(possible)
            worlds = worlds.elsewhere({rules.index[variable.name]: cells})
    return worlds


def _routes(facts: Facts, rules: RuleSet) -> frozenset[Any]:
    return worlds_of(facts, rules).possible(rules.tables["route"].outcome_here)


def _is_possible(facts: Facts, rules: RuleSet) -> bool:
    """Whether some patient agrees with the facts and violates no constraint."""
    worlds = worlds_of(facts, rules)
    return all(True in worlds.possible(group) for group in rules.consistent)


def _control_scan(facts: Facts, findings: ClinicalFindings, rules: RuleSet) -> frozenset[Any]:
    """What the control scan says; sets the fact `ablation_result` where one is on record."""
    if last_control(findings) is None:
        return frozenset()
    said = worlds_of(facts, rules).possible(rules.tables["control_scan"].by_outcome)
    decided = said if said in DECIDED else frozenset({"A0", "not_A0"})
    if last_course(findings) == "progressive":
        decided = frozenset("superseded" if one == "A0" else one for one in decided)
    facts["ablation_result"] = cast("frozenset[str | bool | int]", decided)
    return said


def _contradictions(
    facts: Facts, findings: ClinicalFindings, rules: RuleSet
) -> tuple[Conflict, ...]:
    """A smallest set of constraints that no patient with these facts satisfies."""
    worlds = worlds_of(facts, rules)
    violated = [c for c in rules.constraints if worlds.possible(c.holds) == frozenset({True})]
    needed = violated or _smallest_unsatisfied(worlds, rules)
    return tuple(
        Conflict(
            id=c.row.id,
            facts=as_written(findings, c.row.extras["fields"]),
            text=c.row.text,
            sentence=c.row.sentences[0],
        )
        for c in needed
    )


def _smallest_unsatisfied(worlds: Worlds, rules: RuleSet) -> list[CompiledRow]:
    """Constraints that cannot all be kept, none of which is violated by itself."""
    needed = list(rules.constraints)
    for row in rules.constraints:
        fewer = [other for other in needed if other is not row]
        kept = rules.diagrams.TRUE
        for other in fewer:
            kept = rules.diagrams.both(kept, rules.diagrams.opposite(other.holds))
        if True not in worlds.possible(kept):
            needed = fewer
    return needed


def _places(lesions: tuple[LiverLesion, ...]) -> list[tuple[str, float]]:
    """Where and how large, in an order of their own."""
    return sorted((x.segment or str(x.lobe), x.diameter_cm or 0.0) for x in lesions)
