"""`netseg rules`: prove a rule set, compare two, show one to its reader."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from netseg.allocate.compiled import RuleSet

UNSOUND = 2


def execute(words: argparse.Namespace) -> int:
    """Do what the second word says.

    Raises:
        UsageError: For a rule set that is not there or cannot be read.
        EnvironmentFaultError: If a proof by z3 is asked for and z3 is not installed.
    """
    verbs = {"verify": _verify, "diff": _diff, "show": _show}
    return verbs[words.rules_verb](words)


def _open(name: str) -> RuleSet:
    """A rule set by name or by folder; a mistake in its tables is the user's to correct."""
    from netseg.allocate.ruleset import open_rules
    from netseg.allocate.tables import RuleTableError
    from netseg.domain.codes import Code
    from netseg.domain.errors import UsageError

    try:
        return open_rules(name)
    except RuleTableError as mistake:
        raise UsageError(
            Code.CONFIG_RANGE, f"the rule set {name} cannot be read: {mistake}",
            hint="Correct the row it names.",
        ) from mistake  # fmt: skip


def _verify(words: argparse.Namespace) -> int:
    from netseg.allocate.checks import check_rules
    from netseg.allocate.proofs import Z3Solver, certificate_of, prove
    from netseg.allocate.proofs.certificate import write_certificate
    from netseg.allocate.proofs.telling import tell_certificate, tell_problems, tell_proofs

    rules = _open(words.name)
    if words.smt2:
        _write_smt2(rules, words.smt2)
    solver = None if words.by == "diagrams" else Z3Solver()
    problems = () if words.by == "z3" else check_rules(rules)
    say = sys.stdout.write
    if words.by != "z3":
        say(tell_problems(rules, problems))
    if solver is None:
        say(tell_certificate(rules))
        return UNSOUND if problems else 0
    report = prove(rules.source, solver)
    say(tell_proofs(rules, report))
    certificate = certificate_of(rules, report, diagram_problems=len(problems))
    if words.write and certificate.sound and words.by == "both":
        say(f"written: {write_certificate(certificate, words.write).name}\n")
    else:
        say(tell_certificate(rules))
    return 0 if certificate.sound else UNSOUND


def _write_smt2(rules: RuleSet, path: Path) -> None:
    from netseg.allocate.proofs import obligations_of
    from netseg.allocate.proofs.verify import script_of

    path.write_text(script_of(rules.source, obligations_of(rules.source)), encoding="utf-8")


def _diff(words: argparse.Namespace) -> int:
    import json

    from netseg.allocate import read_case
    from netseg.allocate.compare import compare_rules, difference_document, tell_differences

    given = read_case(words.given) if words.given else None
    comparison = compare_rules(_open(words.first), _open(words.second), given)
    as_json = words.format == "json"
    said = (
        json.dumps(difference_document(comparison), indent=2)
        if as_json
        else tell_differences(comparison)
    )
    sys.stdout.write(said + "\n")
    return 0


def _show(words: argparse.Namespace) -> int:
    from netseg.allocate.show import (
        draw_flowchart,
        read_sentences,
        tell_coverage,
        tell_notes,
        tell_rules,
        tell_sentence,
    )

    rules = _open(words.name)
    source = read_sentences(words.source) if words.source else {}
    if words.flowchart:
        words.flowchart.write_text(draw_flowchart(rules), encoding="utf-8")
        sys.stdout.write(f"written: {words.flowchart}\n")
        return 0
    if words.sentence:
        said = tell_sentence(rules, words.sentence, source)
    elif words.coverage:
        said = tell_coverage(rules, source)
    elif words.notes:
        said = tell_notes(rules)
    else:
        said = tell_rules(rules, only=words.table, source=source)
    sys.stdout.write(said + "\n")
    return 0
