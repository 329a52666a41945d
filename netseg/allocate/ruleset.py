"""Rule sets by name or folder, ready for patients."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from netseg.allocate.compiling import compile_rules
from netseg.allocate.evaluate import allocate
from netseg.allocate.overlay import extended
from netseg.allocate.settle import settle
from netseg.allocate.tables import read_rule_source
from netseg.domain.clinical import ClinicalFindings
from netseg.domain.codes import Code
from netseg.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netseg.allocate.compiled import RuleSet

RULES_FOLDER = Path(__file__).parent / "rules"


def available_rules() -> tuple[str, ...]:
    """Names of the rule sets that netseg carries."""
    return tuple(sorted(f.parent.name for f in RULES_FOLDER.glob("*/rules.yaml")))


@functools.cache
def load_rules(name: str = "seed-2020") -> RuleSet:
    """A rule set that netseg carries, by name; overlays are joined by "+".

    Example:
        `who-2022` is `seed-2020` with the newer grading; `who-2022+netter2-2024` has both changes.

    Raises:
        UsageError: If there is none of this name.
    """
    rules = compile_rules(read_rule_source(*rule_folders(name)))
    _prepare(rules)
    return rules


def open_rules(name: str) -> RuleSet:
    """A rule set by name, or by the folder that holds one (an overlay finds its base here).

    Raises:
        UsageError: If there is none.
        RuleTableError: If the folder's tables cannot be read.
    """
    folder = Path(name)
    if name in available_rules() or not (folder / "rules.yaml").is_file():
        return load_rules(name)
    base = extended(folder)
    folders = (*rule_folders(base), folder) if base else (folder,)
    return compile_rules(read_rule_source(*folders))


def rule_folders(name: str) -> tuple[Path, ...]:
    """The folder of a rule set that stands alone, then those of the overlays of its name.

    Raises:
        UsageError: If there is none of this name, or the parts do not belong together.
    """
    parts = name.split("+")
    for part in parts:
        if part not in available_rules():
            raise UsageError(
                Code.CONFIG_RANGE,
                f"there is no rule set {part!r}; there are {', '.join(available_rules())}.",
                hint="Choose one with --rules; overlays are joined by +.",
            )
    bases = [extended(RULES_FOLDER / part) for part in parts]
    overlays = [part for part, base in zip(parts, bases, strict=True) if base is not None]
    wanted = {base or part for part, base in zip(parts, bases, strict=True)}
    if len(wanted) != 1 or len(set(parts)) != len(parts) or len(parts) - len(overlays) > 1:
        raise UsageError(
            Code.CONFIG_RANGE,
            f"{name!r} joins rule sets that do not belong together.",
            hint="Join overlays of one base, each once: who-2022+netter2-2024.",
        )
    return tuple(RULES_FOLDER / part for part in (wanted.pop(), *overlays))


def _prepare(rules: RuleSet) -> None:
    """Answer the patient about whom nothing is known: others differ from him in a few facts."""
    nobody = settle(ClinicalFindings(), rules).worlds
    tables = (*rules.tables.values(), *rules.options.values())
    rows = [row for table in tables for row in (*table.pro, *table.contra)]
    rows += [*rules.flags, *rules.imaging]
    asked = [table.outcome_here for table in tables]
    told = [*asked, *(t.by_outcome for t in tables), *(t.by_row for t in tables)]
    told += [*(t.row_here for t in tables), *rules.consistent]
    told += [*(r.holds for r in rows), *(r.holds_here for r in rows)]
    nobody.prepare(told, asked)
    rules.diagrams.usual = nobody
    others = [nobody.elsewhere(known) for known in _events(rules)]
    for other in others:
        other.prepare(told, asked)
    rules.diagrams.prepared = tuple(others)
    allocate(ClinicalFindings(), rules)
    rules.diagrams.keep()


def _events(rules: RuleSet) -> Iterator[dict[int, frozenset[int]]]:
    """A course, a control scan, or both: events that most tables ask for at their end."""
    course, record = rules.variable("disease_course"), rules.variable("course_on_record")
    result = rules.variable("ablation_result")
    courses = [
        {rules.index[v.name]: v.cells_named([said]) for v in (course, record)}
        for said in course.values
    ]
    results = [
        {rules.index[result.name]: result.cells_named(said)}
        for said in (["A0"], ["not_A0"], ["A0", "not_A0"])
    ]
    yield from courses
    yield from results
    yield from (one | other for one in courses for other in results)
