"""The results of the proofs in words, each failure with a patient anybody can put to the rules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netseg.allocate.proofs.certificate import shipped_certificate
from netseg.allocate.witness import witness_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.allocate.checks import Problem
    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.proofs.verify import ProofReport

KINDS = {
    "complete": "a row for every patient",
    "no_overlap": "no patient with two rows",
    "reachable": "somebody reaches every row",
    "safe": "nothing unsafe for any patient",
    "safe_when_unknown": "nor where the barring fact is unknown",
    "asks": "and the barring fact is worth asking",
    "monotone": "removing knowledge never strengthens",
}


def tell_problems(rules: RuleSet, problems: Sequence[Problem]) -> str:
    """What the exact check over the decision diagrams found."""
    counts = f"{len(rules.tables)} tables, {len(rules.options)} options"
    if not problems:
        return f"{rules.id} by diagrams ({counts}): sound.\n"
    lines = [f"{rules.id} by diagrams ({counts}): {len(problems)} problems."]
    for problem in problems:
        lines.append(f"  {problem.kind} in {problem.table}: {problem.text}")
        lines += _witness(problem.witness, (), rules)
    return "\n".join(lines) + "\n"


def tell_proofs(rules: RuleSet, report: ProofReport) -> str:
    """What the solver proved, by kind, and what it could not."""
    total = sum(report.proven.values())
    lines = [f"{rules.id} by {report.solver}: {total} proofs, {len(report.findings)} failed."]
    lines += [f"  {count:4d}  {KINDS[kind]}" for kind, count in report.proven.items()]
    for finding in report.findings:
        lines.append(f"  FAILED {finding.kind} in {finding.table}: {finding.text}")
        lines += _witness(finding.witness, finding.unknown, rules)
    return "\n".join(lines) + "\n"


def tell_certificate(rules: RuleSet) -> str:
    """Whether the certificate that ships with the rule set is that of these very tables."""
    shipped = shipped_certificate(rules.id)
    if shipped is None:
        return "certificate: none ships with this rule set.\n"
    if shipped.sha256 != rules.sha256:
        return (
            f"certificate: STALE. It is about tables {shipped.sha256[:16]}, these are "
            f"{rules.sha256[:16]}; prove again and write it with --write.\n"
        )
    said = "sound" if shipped.sound else "NOT sound"
    return f"certificate: {said}, of these tables ({rules.sha256[:16]}), by {shipped.solver}.\n"


def _witness(facts: Mapping[str, Any], unknown: Sequence[str], rules: RuleSet) -> list[str]:
    if not facts:
        return []
    said = ", ".join(f"{name} {_word(value)}" for name, value in facts.items())
    lines = [f"    patient: {said}"]
    lines += [f"    unknown: {', '.join(unknown)}"] if unknown else []
    document = json.dumps(witness_document(facts, rules))
    return [*lines, f"    as findings: {document}"]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
