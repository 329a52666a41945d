"""`netseg allocate`: a findings document in, an allocation out."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from netseg.allocate import RuleSet, Sensitivity
    from netseg.domain.clinical import ClinicalFindings

REJECTED = 4

SEED = 17
"""Of the draws, so that a rerun prints the same shares."""


def execute(words: argparse.Namespace) -> int:
    """Read the document, apply the rules, print the answer; a rejected document is answered too."""
    from netseg.allocate import (
        FindingsRejectedError,
        allocate,
        allocation_document,
        argued,
        explain,
        load_rules,
        read_case,
        rejected,
    )

    rules = load_rules(words.rules)
    code, doubt = 0, None
    try:
        findings = read_case(words.findings)
        allocation = argued(allocate(findings, rules), findings, rules)
        doubt = _doubt(words.draws, findings, rules)
    except FindingsRejectedError as error:
        allocation, code = rejected(error.errors, rules), REJECTED
        sys.stderr.write(f"netseg allocate: {error}\n")
    document = allocation_document(allocation)
    text = explain(allocation)
    if doubt is not None:
        from netseg.allocate import sensitivity_document, tell_sensitivity

        document["sensitivity"] = sensitivity_document(doubt)
        text += "\n" + tell_sensitivity(doubt) + "\n"
    if words.output:
        from netseg.allocate import card_page
        from netseg.export import make_folder, write_atomically, write_document

        make_folder(words.output)
        write_document(words.output / "allocation.json", document)
        with write_atomically(words.output / "allocation.html") as file:
            file.write(card_page(allocation, doubt).encode())
    as_json = words.format == "json"
    sys.stdout.write(json.dumps(document, indent=2) if as_json else text)
    sys.stdout.write("\n")
    return code


def _doubt(draws: int, findings: ClinicalFindings, rules: RuleSet) -> Sensitivity | None:
    """The sensitivity to the lesion list, where draws are asked for."""
    if not draws:
        return None
    import numpy as np

    from netseg.allocate import sensitivity
    from netseg.domain.codes import Code
    from netseg.domain.errors import UsageError

    try:
        return sensitivity(findings, rules, np.random.default_rng(SEED), draws=draws)
    except ValueError as reason:
        raise UsageError(
            Code.CONFIG_RANGE, f"--draws: {reason}", hint="Give lesions with size and segment."
        ) from reason
