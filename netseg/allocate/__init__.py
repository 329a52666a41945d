"""Findings and pathology in, treatment allocation out; rule sets are data.

Example:
    >>> from netseg.allocate import allocate, load_rules, parse_case
    >>> case = parse_case({"ki67": [1, 3], "liver_pattern_reported": "simple",
    ...                    "extrahepatic_disease": False, "r0_a0_possible": True})
    >>> proposal = allocate(case, load_rules("seed-2020"))
    >>> [str(grade) for grade in proposal.possible_grades], str(proposal.route)
    (['G1', 'G2'], 'local_curative')
"""

from netseg.allocate.arguments import argued
from netseg.allocate.card import card_html, card_page
from netseg.allocate.clinical_table import read_clinical_table
from netseg.allocate.combine import combine
from netseg.allocate.compiled import RuleSet
from netseg.allocate.document import (
    FindingsRejectedError,
    findings_document,
    parse_case,
    read_case,
)
from netseg.allocate.evaluate import allocate, rejected
from netseg.allocate.explain import explain
from netseg.allocate.output import allocation_document
from netseg.allocate.ruleset import available_rules, load_rules
from netseg.allocate.sensitivity import (
    LesionError,
    Sensitivity,
    sensitivity,
    sensitivity_document,
    tell_sensitivity,
)

__all__ = [
    "FindingsRejectedError",
    "LesionError",
    "RuleSet",
    "Sensitivity",
    "allocate",
    "allocation_document",
    "argued",
    "available_rules",
    "card_html",
    "card_page",
    "combine",
    "explain",
    "findings_document",
    "load_rules",
    "parse_case",
    "read_case",
    "read_clinical_table",
    "rejected",
    "sensitivity",
    "sensitivity_document",
    "tell_sensitivity",
]
