"""One patient through all tables: outcomes over every completion of what is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netseg.allocate.advice import flags_of, follow_up_of, imaging_of
from netseg.allocate.counterfactual import counterfactuals
from netseg.allocate.facts import last_control
from netseg.allocate.options import options_of
from netseg.allocate.reasons import Reading
from netseg.allocate.settle import DECIDED, Standing, settle
from netseg.allocate.staging import staging_record
from netseg.domain.allocation import (
    AblationResult,
    AblationWindow,
    Allocation,
    AllocationStatus,
    Grade,
    LiverPattern,
    OptionStatus,
    Route,
)

if TYPE_CHECKING:
    from netseg.allocate.compiled import RuleSet
    from netseg.domain.allocation import InputError, Option
    from netseg.domain.clinical import ClinicalFindings


def allocate(findings: ClinicalFindings, rules: RuleSet) -> Allocation:
    """The treatment proposal for one patient.

    Args:
        findings: What is known; None is unknown.
        rules: A compiled rule set.

    Returns:
        An allocation: determined, undetermined (with every possible route and what to ask), or a
        conflict (with the facts that contradict each other).
    """
    standing = settle(findings, rules)
    reading = Reading(findings, standing, rules)
    if standing.conflicts:
        return _conflict(reading, standing)
    routes = _members(Route, reading.outcomes("route"))
    route = routes[0] if len(routes) == 1 else None
    options = options_of(reading)
    ask = _questions(reading, options)
    goals = rules.tables["route"].table.goals
    return Allocation(
        rules_id=rules.id,
        rules_sha256=rules.sha256,
        status=AllocationStatus.DETERMINED if route else AllocationStatus.UNDETERMINED,
        route=route,
        possible_routes=routes,
        goal=goals.get(str(route), "") if route else "",
        options=options,
        must_ask=tuple(ask),
        ask_because=ask,
        flags=(*standing.flags, *flags_of(reading)),
        imaging=imaging_of(reading),
        follow_up=follow_up_of(reading),
        counterfactuals=counterfactuals(reading),
        staging=staging_record(findings),
        trace=reading.trace(),
        facts=reading.shown_facts(),
        caveat=rules.source.caveat,
        **_biology(reading),
    )


def rejected(errors: tuple[InputError, ...], rules: RuleSet) -> Allocation:
    """The answer to a document that cannot be read: no proposal, but every reason.

    Args:
        errors: Of `FindingsRejectedError`.
        rules: The rule set that would have been used.
    """
    return Allocation(
        rules_id=rules.id,
        rules_sha256=rules.sha256,
        status=AllocationStatus.REJECTED,
        errors=errors,
        caveat=rules.source.caveat,
    )


def _conflict(reading: Reading, standing: Standing) -> Allocation:
    """Contradicting facts: no route and no option, only what contradicts what."""
    rules = reading.rules
    return Allocation(
        rules_id=rules.id,
        rules_sha256=rules.sha256,
        status=AllocationStatus.CONFLICT,
        possible_routes=_members(Route, standing.routes),
        goal="No proposal before the contradiction is settled; multidisciplinary review.",
        conflicts=standing.conflicts,
        staging=staging_record(reading.findings),
        flags=(*standing.flags, *flags_of(reading)),
        trace=reading.trace(),
        facts=reading.shown_facts(),
        caveat=rules.source.caveat,
        **_biology(reading),
    )


def _members(kind: Any, outcomes: Any) -> tuple[Any, ...]:
    """The outcomes as members of a StrEnum, in its order."""
    return tuple(member for member in kind if str(member) in outcomes)


def _biology(reading: Reading) -> dict[str, Any]:
    """Grade, carcinoma, pattern, ablation window and result."""
    grades = _members(Grade, reading.outcomes("grade"))
    patterns = reading.outcomes("pattern")
    carcinoma = reading.outcomes("carcinoma")
    known = _members(LiverPattern, patterns)
    window = reading.outcomes("ablation_window")
    outside = bool(window) and window <= {"size", "count"}
    result = None
    if last_control(reading.findings) is not None:
        said = reading.standing.control
        result = AblationResult.UNDETERMINED
        if said in DECIDED:
            result = AblationResult(str(next(iter(said))))
    return {
        "grade": grades[0] if len(grades) == 1 else None,
        "possible_grades": grades,
        "is_nec": ("nec" in carcinoma)
        if len(carcinoma - {"nec"}) == 0 or "nec" not in carcinoma
        else None,
        "pattern": known[0] if len(patterns) == 1 and known else None,
        "possible_patterns": (
            *map(str, known),
            *(["not_covered"] if "not_covered" in patterns else []),
        ),
        "ablation_window": AblationWindow.INSIDE
        if "inside" in window and len(window) == 1
        else (AblationWindow.OUTSIDE if outside else None),
        "ablation_window_reason": str(next(iter(window))) if outside and len(window) == 1 else None,
        "ablation_result": result,
    }


def _questions(reading: Reading, options: tuple[Option, ...]) -> dict[str, tuple[str, ...]]:
    """Unknown fields that would split the route or an option's status, the route's first."""
    found: dict[str, list[str]] = {}
    tables = [("route", reading.rules.tables["route"])]
    tables += [
        (option.id, reading.rules.options[option.id])
        for option in options
        if option.status is OptionStatus.UNDETERMINED
    ]
    for name, table in tables:
        if name == "route" and len(reading.outcomes("route")) == 1:
            continue
        settled_by = reading.worlds.settles(table.outcome_here, table.asks)
        for field in {reading.rules.variables[v].field for v in sorted(settled_by)}:
            found.setdefault(field, []).append(name)
    ranked = sorted(found, key=lambda f: ("route" not in found[f], -len(found[f]), f))
    return {field: tuple(found[field]) for field in ranked}
