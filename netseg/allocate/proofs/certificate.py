"""The certificate of a rule set: what was proven, of which tables, by whom. It ships with them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netseg.allocate.ruleset import RULES_FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netseg.allocate.compiled import RuleSet
    from netseg.allocate.proofs.verify import ProofReport

FILE_NAME = "certificate.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What was proven about one state of the tables.

    Attributes:
        rules: Name of the rule set.
        sha256: Hash of the tables that were proven; other tables have another.
        sound: Whether nothing failed.
        diagrams: Number of problems that the exact check over the diagrams found.
        solver: Who proved the formulas.
        proven: Number of proofs by kind.
    """

    rules: str
    sha256: str
    sound: bool
    diagrams: int
    solver: str
    proven: Mapping[str, int]

    def document(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {
            "schema_version": "1",
            "rules": {"id": self.rules, "sha256": self.sha256},
            "sound": self.sound,
            "problems_found_by_diagrams": self.diagrams,
            "solver": self.solver,
            "proven": dict(self.proven),
        }


def certificate_of(rules: RuleSet, report: ProofReport, *, diagram_problems: int) -> Certificate:
    """The certificate of a rule set from both checks."""
    return Certificate(
        rules=rules.id,
        sha256=rules.sha256,
        sound=not report.findings and not diagram_problems,
        diagrams=diagram_problems,
        solver=report.solver,
        proven=report.proven,
    )


def certificate_path(rules_id: str) -> Path:
    """Where the certificate of a rule set lies that netseg carries."""
    return RULES_FOLDER / rules_id / FILE_NAME


def shipped_certificate(rules_id: str) -> Certificate | None:
    """The certificate that ships with a rule set, None where there is none (joined overlays)."""
    path = certificate_path(rules_id)
    if not path.is_file():
        return None
    said = json.loads(path.read_text(encoding="utf-8"))
    return Certificate(
        rules=said["rules"]["id"],
        sha256=said["rules"]["sha256"],
        sound=said["sound"],
        diagrams=said["problems_found_by_diagrams"],
        solver=said["solver"],
        proven=said["proven"],
    )


def write_certificate(certificate: Certificate, folder: Path) -> Path:
    """Write the certificate beside the tables it is about.

    Returns:
        The file.
    """
    path = folder / FILE_NAME
    path.write_text(json.dumps(certificate.document(), indent=2) + "\n", encoding="utf-8")
    return path
