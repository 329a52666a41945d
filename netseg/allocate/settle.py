"""Do the facts agree with each other? Contradictions, and statements kept beside measurements."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from netseg.allocate.document import FIELDS
from netseg.allocate.facts import LESION_FACTS, Facts, cells_of_facts, known_facts, lesion_facts
from netseg.allocate.worlds import Worlds
from netseg.domain.allocation import Conflict, Flag

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from netseg.allocate.ruleset import CompiledRow, RuleSet
    from netseg.domain.clinical import ClinicalFindings

MEASURED_BESIDE = {"grade_reported": ("ki67",), "liver_pattern_reported": LESION_FACTS}
"""Which measured facts stand beside a reported one."""

MISMATCH_FLAGS = {
    "grade_reported": "grade_vs_ki67_mismatch",
    "liver_pattern_reported": "pattern_reported_vs_measured",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the facts allow.

    Attributes:
        facts: Possible values by fact.
        worlds: Every patient that agrees with them; with a contradiction, ignoring it.
        hard_care: Constraints without the reported statements, for counterfactuals.
        control: Outcomes of the control scan's table.
        conflicts: Contradictions.
        routes: Every route that one of the contradicting statements leads to.
        flags: Differences that do not change the route.
    """

    facts: Facts
    worlds: Worlds
    hard_care: int
    control: frozenset[Hashable]
    conflicts: tuple[Conflict, ...]
    routes: frozenset[Hashable]
    flags: tuple[Flag, ...]


def settle(findings: ClinicalFindings, rules: RuleSet) -> Standing:
    """Find the worlds that agree with the findings, and what contradicts what."""
    facts = known_facts(findings)
    control = _control_scan(facts, findings, rules)
    stated = {name for name in FIELDS if getattr(findings, name) is not None}
    active = [c for c in rules.constraints if _is_active(c, stated)]
    cells = cells_of_facts(facts, rules)
    hard_rows = [c for c in active if "reported" not in c.row.extras]
    hard = _care(rules, hard_rows)
    if not Worlds(rules.diagrams, cells, hard).possible(rules.diagrams.TRUE):
        free = Worlds(rules.diagrams, cells, rules.diagrams.TRUE)
        return Standing(
            facts=facts, worlds=free, hard_care=hard, control=control,
            conflicts=_named(hard_rows, cells, findings, rules), routes=frozenset(), flags=(),
        )  # fmt: skip
    check = _ReportedCheck(findings, facts, rules, hard)
    for group in MEASURED_BESIDE:
        check.compare(group, [c for c in active if c.row.extras.get("reported") == group])
    check.compare_lesion_lists()
    return Standing(
        facts=facts,
        worlds=Worlds(rules.diagrams, cells, check.care),
        hard_care=hard,
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
    """Compares reported statements with measured ones, one after the other."""

    def __init__(self, findings: ClinicalFindings, facts: Facts, rules: RuleSet, hard: int) -> None:
        self.findings = findings
        self.facts = facts
        self.rules = rules
        self.care = hard
        self.hard = hard
        self.cells = cells_of_facts(facts, rules)
        self.conflicts: list[Conflict] = []
        self.flags: list[Flag] = []
        self.routes: set[Hashable] = set()

    def compare(self, group: str, rows: list[CompiledRow]) -> None:
        """Take the reported statement as a constraint, or name the difference."""
        if not rows:
            return
        narrowed = _care(self.rules, rows, self.care)
        if Worlds(self.rules.diagrams, self.cells, narrowed).possible(self.rules.diagrams.TRUE):
            self.care = narrowed
            return
        freed = {k: v for k, v in self.facts.items() if k not in MEASURED_BESIDE[group]}
        reported = self._routes(freed, _care(self.rules, rows, self.hard))
        self._name(MISMATCH_FLAGS[group], rows[0].row.extras["fields"], reported,
                   rows[0].row.text, rows[0].row.sentences[0])  # fmt: skip

    def compare_lesion_lists(self) -> None:
        """The clinician's own list or count beside the measured list."""
        lesions, own = self.findings.lesions, self.findings.lesions_reported
        if lesions is None:
            return
        count = self.findings.lesion_count
        if own is not None and not _same_lesions(lesions, own):
            self._compare_facts(
                lesion_facts(own, None), "lesions_reported_vs_measured",
                ["lesions_reported", "lesions"],
                "The clinician's lesion list differs from the measured one.",
            )  # fmt: skip
        if count is not None and count != len(lesions):
            known = lesion_facts(None, count)
            self._compare_facts(
                known, "lesion_count_vs_list", ["lesion_count", "lesions"],
                f"lesion_count says {count}, the list of lesions has {len(lesions)}.",
            )  # fmt: skip

    def _compare_facts(self, facts: Facts, name: str, fields: list[str], text: str) -> None:
        kept = {k: v for k, v in self.facts.items() if k not in LESION_FACTS}
        self._name(name, fields, self._routes(kept | facts, self.care), text, "S049")

    def _routes(self, facts: Facts, care: int) -> frozenset[Hashable]:
        worlds = Worlds(self.rules.diagrams, cells_of_facts(facts, self.rules), care)
        return worlds.possible(self.rules.tables["route"].by_outcome)

    def _name(
        self, name: str, fields: list[str], reported: frozenset[Hashable], text: str, sentence: str
    ) -> None:
        """A flag; a conflict too where the route depends on whom one believes."""
        measured = self._routes(self.facts, self.care)
        values = as_written(self.findings, fields)
        if measured == reported:
            note = f"{text} The route is the same either way."
            self.flags.append(Flag(id=name, text=note, sentence=sentence, facts=values))
            return
        ways = [" or ".join(sorted(map(str, way))) or "no way" for way in (measured, reported)]
        explained = f"{text} Measured: {ways[0]}; reported: {ways[1]}."
        self.flags.append(Flag(id=name, text=explained, sentence=sentence, facts=values))
        self.conflicts.append(Conflict(id=name, facts=values, text=explained, sentence=sentence))
        self.routes |= measured | reported


def _control_scan(
    facts: Facts, findings: ClinicalFindings, rules: RuleSet
) -> frozenset[Hashable]:
    """What the control scan says; sets the fact `ablation_result` where one is on record."""
    if findings.post_ablation is None:
        return frozenset()
    worlds = Worlds(rules.diagrams, cells_of_facts(facts, rules), rules.diagrams.TRUE)
    said = worlds.possible(rules.tables["control_scan"].by_outcome)
    decided = said if said in ({"A0"}, {"not_A0"}) else frozenset({"A0", "not_A0"})
    facts["ablation_result"] = cast("frozenset[str | bool | int]", decided)
    return said


def _is_active(constraint: CompiledRow, stated: set[str]) -> bool:
    extras = constraint.row.extras
    needed = set(extras.get("if_stated", ()))
    return needed <= stated and not stated & set(extras.get("unless_stated", ()))


def _care(rules: RuleSet, rows: list[CompiledRow], care: int | None = None) -> int:
    found = rules.diagrams.TRUE if care is None else care
    for row in rows:
        found = rules.diagrams.both(found, rules.diagrams.opposite(row.holds))
    return found


def _named(
    rows: list[CompiledRow],
    cells: list[frozenset[int]],
    findings: ClinicalFindings,
    rules: RuleSet,
) -> tuple[Conflict, ...]:
    """The smallest set of constraints that no world satisfies, one conflict each."""
    needed = list(rows)
    for row in rows:
        fewer = [other for other in needed if other is not row]
        worlds = Worlds(rules.diagrams, cells, _care(rules, fewer))
        if not worlds.possible(rules.diagrams.TRUE):
            needed = fewer
    return tuple(
        Conflict(
            id=c.row.id,
            facts=as_written(findings, c.row.extras["fields"]),
            text=c.row.text,
            sentence=c.row.sentences[0],
        )
        for c in needed
    )


def _same_lesions(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    def places(lesions: tuple[Any, ...]) -> list[tuple[str, float]]:
        return sorted((x.segment or str(x.lobe), x.diameter_cm or 0.0) for x in lesions)

    plain = [dataclasses.replace(x, further={}) for x in first] == [
        dataclasses.replace(x, further={}) for x in second
    ]
    return plain or places(first) == places(second)
