"""Proofs about a rule set by an SMT solver, apart from the diagrams that answer for patients."""

from netseg.allocate.proofs.certificate import Certificate, certificate_of, shipped_certificate
from netseg.allocate.proofs.obligations import Obligation, obligations_of
from netseg.allocate.proofs.solver import Solver, Z3Solver
from netseg.allocate.proofs.verify import Finding, ProofReport, prove

__all__ = [
    "Certificate",
    "Finding",
    "Obligation",
    "ProofReport",
    "Solver",
    "Z3Solver",
    "certificate_of",
    "obligations_of",
    "prove",
    "shipped_certificate",
]
