"""Run the proofs of a rule set and say what failed, with a patient for whom it fails."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netseg.allocate.proofs.obligations import obligations_of
from netseg.allocate.proofs.smt import Formulas
from netseg.domain.codes import Code
from netseg.domain.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netseg.allocate.proofs.obligations import Obligation
    from netseg.allocate.proofs.solver import Solver
    from netseg.allocate.tables import RuleSource

_MODEL = re.compile(r"^sat\b", re.MULTILINE)
_PAIR = re.compile(r"\(\|a\.([^|]+)\|\s+((?:\([^()]*(?:\([^()]*\))?[^()]*\))|[^\s()]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One proof that failed.

    Attributes:
        kind: Kind of the obligation.
        table: Where.
        text: What is wrong.
        witness: Facts of a patient for whom it is wrong; empty for a row that nobody reaches.
        unknown: Facts that are unknown of this patient.
    """

    kind: str
    table: str
    text: str
    witness: Mapping[str, Any] = field(default_factory=dict[str, Any])
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofReport:
    """The result of all proofs.

    Attributes:
        solver: Who proved.
        proven: Number of proofs by kind.
        findings: What failed; empty means sound.
    """

    solver: str
    proven: Mapping[str, int]
    findings: tuple[Finding, ...]


def prove(source: RuleSource, solver: Solver) -> ProofReport:
    """Prove every obligation of a rule set.

    Raises:
        EnvironmentFaultError: If the solver gives no clear answer.
        RuleTableError: If a row asks for something unknown.
    """
    obligations = obligations_of(source)
    answers = _answers(source, obligations, solver)
    failed = [o for o, sat in zip(obligations, answers, strict=True) if sat != o.satisfiable]
    kept = Counter(o.kind for o in obligations) - Counter(o.kind for o in failed)
    return ProofReport(
        solver=solver.name,
        proven=dict(sorted(kept.items())),
        findings=_findings(failed, source, solver),
    )


def script_of(source: RuleSource, obligations: Sequence[Obligation]) -> str:
    """The whole proof as SMT-LIB text; each obligation's answer is one line."""
    return "\n".join([_declared(source), *map(_checked, obligations)])


def _declared(source: RuleSource) -> str:
    names = [entry["name"] for entry in source.inputs]
    known = [f"(declare-const |{side} {n}| Bool)" for n in names for side in ("more", "less")]
    first, second = Formulas(source, "a."), Formulas(source, "b.")
    return "\n".join(
        [first.script(), second.script(), *known, f"(assert {first.symbol('consistent')})"]
    )


def _checked(obligation: Obligation) -> str:
    return f"(push)\n(assert {obligation.formula})\n(check-sat)\n(pop)"


def _answers(
    source: RuleSource, obligations: Sequence[Obligation], solver: Solver
) -> tuple[bool, ...]:
    lines = solver.run(script_of(source, obligations)).split()
    if len(lines) != len(obligations) or set(lines) - {"sat", "unsat"}:
        strange = next((line for line in lines if line not in ("sat", "unsat")), "too few answers")
        raise EnvironmentFaultError(
            Code.PACKAGE_MISSING,
            f"{solver.name} gave no clear answer to {len(obligations)} proofs: {strange}.",
            hint="Check with another solver: `netseg rules verify --smt2 FILE` writes the proofs.",
        )
    return tuple(line == "sat" for line in lines)


def _findings(
    failed: Sequence[Obligation], source: RuleSource, solver: Solver
) -> tuple[Finding, ...]:
    """The failed proofs, those that hold for nobody with the facts of somebody they fail for."""
    first = Formulas(source, "a.")
    shown = [o for o in failed if not o.satisfiable]
    models: list[str] = []
    if shown:
        asked = [" ".join(first.symbol(name) for name in o.facts) for o in shown]
        parts = [
            f"(push)\n(assert {o.formula})\n(check-sat)\n(get-value ({names}))\n(pop)"
            for o, names in zip(shown, asked, strict=True)
        ]
        said = solver.run("\n".join([_declared(source), *parts]))
        models = _MODEL.split(said)[1:]
    by_obligation = dict(zip(map(id, shown), models, strict=False))
    return tuple(_finding(o, by_obligation.get(id(o), ""), first) for o in failed)


def _finding(obligation: Obligation, model: str, first: Formulas) -> Finding:
    witness = {name: first.value(name, met) for name, met in _PAIR.findall(model)}
    return Finding(
        kind=obligation.kind,
        table=obligation.table,
        text=obligation.text,
        witness={n: v for n, v in witness.items() if n not in obligation.unknown},
        unknown=obligation.unknown,
    )
